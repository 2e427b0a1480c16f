use serde::Serialize;
use std::sync::atomic::{AtomicU8, Ordering::SeqCst};

/// The switch for everything verbose.
#[derive(Debug, Default)]
pub(super) struct Switch(AtomicU8);

const BY_CALL: u8 = 1;
const BY_ENVIRONMENT: u8 = 2;

/// The environment variable that switches everything verbose off for the life of the process:
/// any value but `0`, `false` and the empty one.
pub(crate) const VERBOSE_OFF: &str = "DASHCAM_VERBOSE_OFF";

/// Who switched everything verbose off.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum OffBy {
    /// A call of [`Steering::switch_off`](super::Steering::switch_off).
    Call,
    /// The environment variable [`VERBOSE_OFF`].
    Environment,
}

impl Switch {
    pub(super) fn from_environment() -> Self {
        Self::from_value(std::env::var_os(VERBOSE_OFF).as_deref())
    }

    pub(super) fn from_value(value: Option<&std::ffi::OsStr>) -> Self {
        let on = value.is_none_or(|value| ["", "0", "false"].iter().any(|on| value == *on));
        Self(AtomicU8::new(if on { 0 } else { BY_ENVIRONMENT }))
    }

    #[inline]
    pub(super) fn is_off(&self) -> bool {
        self.0.load(SeqCst) != 0
    }

    pub(super) fn off_by(&self) -> Option<OffBy> {
        match self.0.load(SeqCst) {
            0 => None,
            by if by & BY_ENVIRONMENT != 0 => Some(OffBy::Environment),
            _ => Some(OffBy::Call),
        }
    }

    pub(super) fn off(&self) {
        self.0.fetch_or(BY_CALL, SeqCst);
    }

    pub(super) fn on(&self) {
        self.0.fetch_and(!BY_CALL, SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_wins() {
        for on in [None, Some(""), Some("0"), Some("false")] {
            assert!(
                !Switch::from_value(on.map(AsRef::as_ref)).is_off(),
                "{on:?}"
            );
        }
        for off in ["1", "true", "yes", "off"] {
            let switch = Switch::from_value(Some(off.as_ref()));
            switch.off();
            switch.on();
            assert_eq!(switch.off_by(), Some(OffBy::Environment), "{off}");
        }
    }
}
