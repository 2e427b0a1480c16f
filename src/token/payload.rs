//! The payload of a token, as it is read.

use super::object::object;
use crate::selection::{Capture, Mode, Rule, When};
use serde::{Deserialize, Serialize};
use std::{num::NonZeroU32, time::SystemTime};

/// The claim `dashcam`: what to show, and of which requests. An unknown name is an error,
/// because it could narrow the token.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Ask {
    #[serde(skip_serializing_if = "is_all")]
    pub(super) when: When,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) verbose: Option<String>,
    #[serde(skip_serializing_if = "is_live")]
    pub(super) mode: Mode,
    #[serde(skip_serializing_if = "Capture::is_full")]
    pub(super) capture: Capture,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) uses: Option<NonZeroU32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) request: Option<String>,
}

fn is_all(when: &When) -> bool {
    *when == When::default()
}

// `serde` hands over a reference.
#[allow(clippy::trivially_copy_pass_by_ref)]
fn is_live(mode: &Mode) -> bool {
    *mode == Mode::Live
}

/// The payload: registered claims of RFC 7519, and ours. Other claims are ignored.
#[derive(Deserialize)]
pub(super) struct Inbound {
    /// Required; `Option`, because a token without it is refused for a reason of its own.
    pub(super) exp: Option<f64>,
    pub(super) nbf: Option<f64>,
    pub(super) jti: Option<String>,
    pub(super) sub: Option<String>,
    pub(super) aud: Option<Audience>,
    /// Required, so that tokens for other purposes are refused.
    #[serde(deserialize_with = "object")]
    pub(super) dashcam: Ask,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum Audience {
    One(String),
    Some(Vec<String>),
}

impl Audience {
    pub(super) fn has(&self, name: &str) -> bool {
        match self {
            Self::One(one) => one == name,
            Self::Some(some) => some.iter().any(|one| one == name),
        }
    }
}

/// Returns the rule that does the same; `None` if the directives cannot be read.
pub(super) fn rule_of(ask: &Ask, name: String, ends: SystemTime) -> Option<Rule> {
    let mut rule = Rule::new(name, ends).when(ask.when.clone());
    if let Some(directives) = &ask.verbose {
        rule = rule.verbose(directives).ok()?;
    }
    if ask.mode == Mode::Record {
        rule = rule.record_only();
    }
    if !ask.capture.is_full() {
        rule = rule.heads_only();
    }
    Some(rule)
}
