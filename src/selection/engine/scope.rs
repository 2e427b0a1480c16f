use super::{Arrival, Node};
use crate::selection::model::Rule;

/// The conditions of a token.
#[derive(Debug)]
pub(crate) struct Scope(Vec<Node>);

impl Scope {
    /// Returns `None` if the rule waits for facts, or no text could have it.
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
