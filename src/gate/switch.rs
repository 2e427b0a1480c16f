use crate::{
    levels,
    selection::{Recorded, RulesError},
};
use std::sync::Arc;

/// Changes what a [`Gate`](super::Gate) records while requests run; from
/// [`Gate::switch`](super::Gate::switch) or
/// [`DashcamHandle::recording`](crate::kit::DashcamHandle::recording). Cheap to clone, and from any thread.
///
/// A change is seen by all threads when the call returns. Where the most verbose
/// level changes, `tracing` looks at every callsite of the process once more,
/// which takes a fraction of a millisecond for 10,000 of them. No event that the
/// base filter shows is lost meanwhile, and none below it is shown. Not to be used
/// by a layer while it is shown something: `tracing` may then be in the midst of
/// using its subscriber, and panic.
///
/// A request in flight goes on as a recorded one: from the change on it records
/// by the new directives, or, where recording was switched off, only what the
/// base filter shows.
#[derive(Clone, Debug)]
pub struct RecordSwitch {
    recorded: Arc<Recorded>,
}

impl RecordSwitch {
    pub(crate) fn new(recorded: Arc<Recorded>) -> Self {
        Self { recorded }
    }

    /// Records the events that these directives name: a level, or levels per target
    /// (`info,my_service=trace,sqlx=debug`).
    ///
    /// # Errors
    ///
    /// The text is not a list of directives; what is recorded stays as it is.
    pub fn set(&self, directives: &str) -> Result<(), RulesError> {
        let directives = directives.parse()?;
        levels::change(|| self.recorded.set(Some(directives)));
        Ok(())
    }

    /// Records nothing. Where no live request can come either, disabled events
    /// then cost what they cost without a gate.
    pub fn off(&self) {
        levels::change(|| self.recorded.set(None));
    }

    /// Whether anything is recorded, as far as this switch goes.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.recorded.is_on()
    }

    pub(crate) fn recorded(&self) -> &Arc<Recorded> {
        &self.recorded
    }
}
