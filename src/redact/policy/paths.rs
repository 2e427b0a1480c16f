//! Paths in JSON bodies.

use super::{Action, PolicyError, names};
use std::collections::BTreeMap;

/// The most steps of a path.
const STEPS: usize = 32;

/// All paths of a policy, as a tree. Exact steps also contain what sibling wildcards
/// contain, so that following a path needs one node at a time.
#[derive(Clone, Debug, Default)]
pub(in crate::redact) struct Paths {
    root: Tree,
    given: Vec<(Vec<Step>, Action)>,
}

#[derive(Clone, Debug, Default)]
struct Tree {
    action: Option<Action>,
    names: BTreeMap<String, Self>,
    indices: BTreeMap<usize, Self>,
    any_name: Option<Box<Self>>,
    any_index: Option<Box<Self>>,
}

/// A node of the tree.
#[derive(Clone, Copy, Debug)]
pub(in crate::redact) struct Node<'p>(&'p Tree);

#[derive(Clone, Debug, PartialEq)]
enum Step {
    Name(String),
    Index(usize),
    AnyName,
    AnyIndex,
}

impl Paths {
    pub(super) fn insert(&mut self, path: &str, action: Action) -> Result<(), PolicyError> {
        self.given.push((parse(path)?, action));
        // Exact steps last, so that they override wildcards.
        let wild = |steps: &[Step]| {
            let wild = |s: &&Step| matches!(s, Step::AnyName | Step::AnyIndex);
            std::cmp::Reverse(steps.iter().filter(wild).count())
        };
        let mut given = self.given.clone();
        given.sort_by_key(|(steps, _)| wild(steps));
        self.root = Tree::default();
        // All nodes first, so that a wildcard reaches every sibling.
        for (steps, _) in &given {
            self.root.grow(steps);
        }
        for (steps, action) in &given {
            self.root.set(steps, *action);
        }
        Ok(())
    }

    /// Returns the node of the whole body; `None` if there are no paths.
    pub(in crate::redact) fn root(&self) -> Option<Node<'_>> {
        (!self.given.is_empty()).then_some(Node(&self.root))
    }
}

impl<'p> Node<'p> {
    pub(in crate::redact) fn action(self) -> Option<Action> {
        self.0.action
    }

    pub(in crate::redact) fn name(self, key: &str) -> Option<Self> {
        let any = self.0.any_name.as_deref();
        if self.0.names.is_empty() {
            return any.map(Self);
        }
        let mut folded = String::new();
        names::fold(key, &mut folded);
        self.0.names.get(&folded).or(any).map(Self)
    }

    pub(in crate::redact) fn index(self, index: usize) -> Option<Self> {
        let any = self.0.any_index.as_deref();
        self.0.indices.get(&index).or(any).map(Self)
    }
}

impl Tree {
    fn grow(&mut self, steps: &[Step]) {
        let Some((step, rest)) = steps.split_first() else {
            return;
        };
        match step {
            Step::Name(name) => {
                let any = self.any_name.clone();
                let child = || any.map(|any| *any).unwrap_or_default();
                let next = self.names.entry(name.clone()).or_insert_with(child);
                next.grow(rest);
            }
            Step::Index(index) => {
                let any = self.any_index.clone();
                let child = || any.map(|any| *any).unwrap_or_default();
                let next = self.indices.entry(*index).or_insert_with(child);
                next.grow(rest);
            }
            Step::AnyName => {
                self.any_name.get_or_insert_default().grow(rest);
                self.names.values_mut().for_each(|next| next.grow(rest));
            }
            Step::AnyIndex => {
                self.any_index.get_or_insert_default().grow(rest);
                self.indices.values_mut().for_each(|next| next.grow(rest));
            }
        }
    }

    fn set(&mut self, steps: &[Step], action: Action) {
        let Some((step, rest)) = steps.split_first() else {
            // An action that hides overrides one that keeps.
            if action != Action::Keep || self.action.is_none() {
                self.action = Some(action);
            }
            return;
        };
        match step {
            Step::Name(name) => self
                .names
                .get_mut(name)
                .into_iter()
                .for_each(|t| t.set(rest, action)),
            Step::Index(at) => self
                .indices
                .get_mut(at)
                .into_iter()
                .for_each(|t| t.set(rest, action)),
            Step::AnyName => {
                let all = self.any_name.as_deref_mut().into_iter();
                all.chain(self.names.values_mut())
                    .for_each(|t| t.set(rest, action));
            }
            Step::AnyIndex => {
                let all = self.any_index.as_deref_mut().into_iter();
                all.chain(self.indices.values_mut())
                    .for_each(|t| t.set(rest, action));
            }
        }
    }
}

fn parse(path: &str) -> Result<Vec<Step>, PolicyError> {
    let wrong = |expected: &str| PolicyError::invalid(format!("fields.{path}"), expected);
    let mut rest = path
        .strip_prefix('$')
        .ok_or_else(|| wrong("expected a path that starts with `$`"))?;
    let mut steps = Vec::new();
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix('.') {
            let end = after.find(['.', '[']).unwrap_or(after.len());
            let (name, next) = after.split_at_checked(end).unwrap_or((after, ""));
            let mut folded = String::new();
            names::fold(name, &mut folded);
            if name != "*" && folded.is_empty() {
                return Err(wrong("expected a name or `*` behind `.`"));
            }
            steps.push(if name == "*" {
                Step::AnyName
            } else {
                Step::Name(folded)
            });
            rest = next;
        } else if let Some((inner, next)) = rest.strip_prefix('[').and_then(|r| r.split_once(']')) {
            steps.push(match inner {
                "*" => Step::AnyIndex,
                n => Step::Index(n.parse().map_err(|_| wrong("expected `[*]` or `[n]`"))?),
            });
            rest = next;
        } else {
            return Err(wrong("expected `.name`, `.*`, `[n]` or `[*]`"));
        }
    }
    if steps.is_empty() || steps.len() > STEPS {
        return Err(wrong("expected 1 to 32 steps behind `$`"));
    }
    Ok(steps)
}
