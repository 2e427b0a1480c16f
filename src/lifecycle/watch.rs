use crate::{
    context::{Mode, RequestContext},
    gate,
    recorder::MemoryBudget,
};
use std::sync::Arc;

/// Makes room for what the gate notes: decisions and ERROR events in any case.
pub(super) fn watch(context: &RequestContext, limit: usize, memory: Option<&Arc<MemoryBudget>>) {
    if gate::installed() && !context.mode().has(Mode::WATCHED) {
        let shared = context.shared();
        shared.recording().begin(limit, memory.cloned());
        shared.raise(Mode::WATCHED);
    }
}
