//! One line for every change.

use super::auth::Who;
use crate::{
    AUDIT_TARGET,
    selection::{Rule, Rules},
};
use jiff::Timestamp;

/// What has changed.
pub(super) struct Change<'a> {
    pub(super) what: &'static str,
    /// The rules of the router from now on.
    pub(super) rules: &'a Rules,
}

pub(super) fn tell(who: &Who, change: &Change<'_>) {
    const NAMED: usize = 20;
    let rules = change.rules;
    let mut names: Vec<_> = rules.iter().take(NAMED).map(Rule::name).collect();
    if rules.len() > NAMED {
        names.push("…");
    }
    let until = rules.iter().map(Rule::expires).max();
    let until = until.and_then(|until| Timestamp::try_from(until).ok());
    tracing::info!(
        target: AUDIT_TARGET,
        who = who.name,
        peer = who.peer.map(tracing::field::display),
        rules = rules.len(),
        names = names.join(", "),
        until = until.map(tracing::field::display),
        "{}",
        change.what,
    );
}

pub(super) fn switched(who: &Who, what: &'static str) {
    tracing::info!(
        target: AUDIT_TARGET,
        who = who.name,
        peer = who.peer.map(tracing::field::display),
        "{what}",
    );
}
