use crate::{
    context::{Mode, RequestContext},
    gate,
    recorder::{Holder, MemoryBudget},
    selection::site,
};
use http::request::Parts;
use std::sync::Arc;

/// Makes room for what the gate notes: decisions and ERROR events in any case.
pub(super) fn watch(
    context: &RequestContext,
    parts: &Parts,
    limit: usize,
    memory: Option<&Arc<MemoryBudget>>,
) {
    if gate::installed() && !context.mode().has(Mode::WATCHED) {
        let shared = context.shared();
        let holder = || Holder::of(site(&parts.extensions));
        let account = memory.map(|memory| memory.account(holder()));
        shared.recording().begin(limit, account);
        shared.raise(Mode::WATCHED);
    }
}
