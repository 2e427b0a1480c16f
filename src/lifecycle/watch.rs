use crate::{
    context::{Mode, RequestContext},
    levels,
    recorder::{Holder, MemoryBudget},
};
use std::sync::Arc;

/// Prepares the buffers for what the gate always records: decision points and ERROR events.
pub(super) fn watch(
    context: &RequestContext,
    client: u128,
    limit: usize,
    memory: Option<&Arc<MemoryBudget>>,
) {
    if levels::installed() && !context.mode().has(Mode::WATCHED) {
        let shared = context.shared();
        let account = memory.map(|memory| memory.account(Holder::of(client)));
        shared.recording().begin(limit, account);
        shared.raise(Mode::WATCHED);
    }
}
