use crate::{
    levels,
    selection::{Recorded, RulesError},
};
use std::sync::Arc;

/// Changes what a [`Gate`](super::Gate) records while requests run.
/// [`Gate::switch`](super::Gate::switch) and
/// [`DashcamHandle::recording`](crate::kit::DashcamHandle::recording) return it. It is
/// cheap to clone, and any thread can use it.
///
/// All threads see a change when the call returns. If the most verbose level changes,
/// `tracing` checks every callsite of the process again, which takes a fraction of a
/// millisecond for 10,000 of them. Meanwhile no event that the base filter enables is lost,
/// and no other is shown.
///
/// Requests in flight record by the new directives from the change on. If recording was
/// switched off, they record only what the base filter enables.
///
/// # Panics
///
/// A change may panic inside a layer's own callback, because `tracing` may then be using
/// its subscriber.
#[derive(Clone, Debug)]
pub struct RecordSwitch {
    recorded: Arc<Recorded>,
}

impl RecordSwitch {
    pub(crate) fn new(recorded: Arc<Recorded>) -> Self {
        Self { recorded }
    }

    /// Records what these directives enable: a level, or levels per target
    /// (`info,my_service=trace,sqlx=debug`).
    ///
    /// # Errors
    ///
    /// The text is not a list of directives. What is recorded stays unchanged.
    pub fn set(&self, directives: &str) -> Result<(), RulesError> {
        let directives = directives.parse()?;
        levels::change(|| self.recorded.set(Some(directives)));
        Ok(())
    }

    /// Records nothing. If no live requests are possible either, disabled events then cost
    /// what they cost without a gate.
    pub fn off(&self) {
        levels::change(|| self.recorded.set(None));
    }

    /// Returns whether this switch allows recording.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.recorded.is_on()
    }

    pub(crate) fn recorded(&self) -> &Arc<Recorded> {
        &self.recorded
    }
}
