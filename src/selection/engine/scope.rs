use super::{Arrival, Node};
use crate::selection::model::Rule;

/// The conditions of a rule that somebody brings along.
#[derive(Debug)]
pub(crate) struct Scope(Vec<Node>);

impl Scope {
    /// `None` where it waits for facts, or is none that a text could say.
    pub(crate) fn of(rule: &Rule) -> Option<Self> {
        if rule.problem().is_some() {
            return None;
        }
        let nodes = Node::of(&rule.when);
        (!nodes.iter().any(Node::is_open)).then_some(Self(nodes))
    }

    pub(crate) fn has(&self, arrival: &Arrival<'_>) -> bool {
        let holds = self.0.iter().all(|node| node.holds(arrival));
        !arrival.work().was_short() && holds
    }
}
