//! The audit log: one line for every change.

use super::attempts::Said;
use crate::{
    selection::{Rule, Rules},
    targets::AUDIT_TARGET,
};
use jiff::Timestamp;
use std::{net::IpAddr, time::SystemTime};

/// The sender of a request.
#[derive(Clone, Debug)]
pub(super) struct Who {
    pub(super) name: String,
    pub(super) peer: Option<IpAddr>,
}

/// A change of rules.
pub(super) struct Change<'a> {
    pub(super) what: &'static str,
    /// The rule that the path names.
    pub(super) rule: Option<&'a str>,
    /// The rules of the router before.
    pub(super) before: &'a Rules,
    /// The rules of the router after.
    pub(super) rules: &'a Rules,
}

pub(super) fn tell(who: &Who, change: &Change<'_>, now: SystemTime) {
    let rules = change.rules;
    let is_gone = |rule: &&Rule| {
        rule.expires() > now && !rules.iter().any(|other| other.name() == rule.name())
    };
    let removed = names(change.before.iter().filter(is_gone));
    let until = rules.iter().map(Rule::expires).max();
    let until = until.and_then(|until| Timestamp::try_from(until).ok());
    tracing::info!(
        target: AUDIT_TARGET,
        who = who.name,
        peer = who.peer.map(tracing::field::display),
        rule = change.rule,
        removed = (!removed.is_empty()).then_some(removed),
        rules = rules.len(),
        names = names(rules.iter()),
        until = until.map(tracing::field::display),
        "{}",
        change.what,
    );
}

fn names<'r>(rules: impl Iterator<Item = &'r Rule>) -> String {
    const NAMED: usize = 20;
    let mut names: Vec<_> = rules.take(NAMED + 1).map(Rule::name).collect();
    if names.len() > NAMED {
        names.truncate(NAMED);
        names.push("…");
    }
    names.join(", ")
}

/// Logs a wrong token, without any part of it.
pub(super) fn wrong(peer: Option<IpAddr>, said: &Said) {
    let peer = peer.map(tracing::field::display);
    // JSON lines hide fields whose name contains `token`.
    match said.locked_for {
        None => tracing::warn!(
            target: AUDIT_TARGET,
            peer,
            wrong = said.failed,
            untold = said.untold,
            "a wrong admin token",
        ),
        Some(seconds) => tracing::warn!(
            target: AUDIT_TARGET,
            peer,
            wrong = said.failed,
            untold = said.untold,
            seconds,
            "too many wrong admin tokens; everything from this address is refused",
        ),
    }
}

pub(super) fn switched(who: &Who, what: &'static str) {
    tracing::info!(
        target: AUDIT_TARGET,
        who = who.name,
        peer = who.peer.map(tracing::field::display),
        "{what}",
    );
}
