//! Conditions that exclude each other.

use super::{
    Network, Text, When,
    engine::{Node, Test},
    model::{Is, PathIs},
    work::Work,
};
use std::net::IpAddr;

/// Longer lists are not compared value by value.
const MOST: usize = 32;

/// Whether surely no request can meet all of these.
pub(super) fn conflict(when: &When) -> bool {
    let nodes = Node::of(when);
    let single = |node: &&Node| matches!(node, Node::Test(_) | Node::Fact(..));
    let known: Vec<&Node> = nodes.iter().filter(single).collect();
    let refused = |known: &[&Node]| nodes.iter().any(|node| value(node, known) == Some(false));
    if refused(&known) {
        return true;
    }
    // Tries each value of a list.
    known.iter().any(|node| {
        let each = each(node);
        let refused = |one: &Node| {
            let mut known = known.clone();
            known.push(one);
            refused(&known)
        };
        !each.is_empty() && each.iter().all(refused)
    })
}

/// Returns whether a condition holds if these hold; `None` if that is open.
fn value(node: &Node, known: &[&Node]) -> Option<bool> {
    match node {
        Node::Test(_) | Node::Fact(..) => {
            let mut is = None;
            for said in known.iter().filter_map(|one| implied(one, node)) {
                is = Some(is.unwrap_or(true) && said);
            }
            is
        }
        Node::All(of) => together(of, true, known),
        Node::Any(of) => together(of, false, known),
        Node::Not(of) => value(of, known).map(|holds| !holds),
    }
}

fn together(of: &[Node], unless: bool, known: &[&Node]) -> Option<bool> {
    let mut decided = Some(unless);
    for node in of {
        match value(node, known) {
            Some(holds) if holds != unless => return Some(holds),
            None => decided = None,
            Some(_) => {}
        }
    }
    decided
}

/// Splits a condition on a list into one for each value.
fn each(node: &Node) -> Vec<Node> {
    fn of<T: Clone>(all: &[T], node: impl Fn(T) -> Node) -> Vec<Node> {
        let all = if all.len() > MOST { &[] } else { all };
        all.iter().cloned().map(node).collect()
    }
    match node {
        Node::Test(Test::Method(all)) => of(all, |one| Node::Test(Test::Method(vec![one]))),
        Node::Test(Test::Route(all)) => of(all, |one| Node::Test(Test::Route(vec![one]))),
        Node::Test(Test::Path(is)) => of(&exact_paths(is).unwrap_or_default(), |one| {
            Node::Test(Test::Path(PathIs::Text(Text::equals(one))))
        }),
        Node::Test(Test::Host(Text(Is::OneOf(all)))) => {
            of(all, |one| Node::Test(Test::Host(Text::equals(one))))
        }
        Node::Test(Test::ContentType(all)) => {
            of(all, |one| Node::Test(Test::ContentType(vec![one])))
        }
        Node::Fact(name, Text(Is::OneOf(all))) => {
            of(all, |one| Node::Fact(name.clone(), Text::equals(one)))
        }
        _ => Vec::new(),
    }
}

/// Returns whether one condition implies another one, or its opposite.
fn implied(holds: &Node, other: &Node) -> Option<bool> {
    let (holds, other) = match (holds, other) {
        (Node::Fact(name, holds), Node::Fact(other_name, other)) if name == other_name => {
            return of_text(holds, other);
        }
        (Node::Test(holds), Node::Test(other)) => (holds, other),
        _ => return None,
    };
    match (holds, other) {
        (Test::Method(holds), Test::Method(other)) => within(holds, |one| other.contains(one)),
        (Test::Route(holds), Test::Route(other)) => within(holds, |one| other.contains(one)),
        (Test::Path(holds), Test::Path(other)) => of_path(holds, other),
        // Expressions see the host as it came; networks see it without brackets.
        (Test::Host(holds), Test::Host(other)) if holds != other && sees_other(holds, other) => {
            None
        }
        (Test::Host(holds), Test::Host(other)) => of_text(holds, other),
        // A request may have several of these.
        (Test::Header(name, _, holds), Test::Header(other_name, _, other))
            if name == other_name =>
        {
            of_several(holds, other)
        }
        (Test::Query(name, holds), Test::Query(other_name, other))
        | (Test::Cookie(name, holds), Test::Cookie(other_name, other))
            if name == other_name =>
        {
            of_several(holds, other)
        }
        (Test::Client(holds), Test::Client(other)) => of_networks(holds, other),
        (Test::ContentType(holds), Test::ContentType(other)) if holds == other => Some(true),
        (Test::ContentType(holds), Test::ContentType(other)) => {
            let exact = !holds.iter().any(|one| one.ends_with("/*"));
            let is = |one: &String| other.iter().any(|wanted| is_of_type(wanted, one));
            exact.then(|| within(holds, is)).flatten()
        }
        _ => None,
    }
}

/// Returns whether all of them are so, or none; `None` if only some are.
fn within<T>(all: &[T], is: impl Fn(&T) -> bool) -> Option<bool> {
    if all.is_empty() || all.len() > MOST {
        return None;
    }
    let count = all.iter().filter(|one| is(one)).count();
    match count {
        0 => Some(false),
        count => (count == all.len()).then_some(true),
    }
}

/// Whether a text matches a value, without a limit of work.
fn is(text: &Text, value: &str) -> bool {
    text.matches(Some(value.as_bytes()), &Work::left(u32::MAX))
}

fn of_text(holds: &Text, other: &Text) -> Option<bool> {
    if holds == other {
        return Some(true);
    }
    match (&holds.0, &other.0) {
        (Is::Absent, _) | (_, Is::Absent) => Some(false),
        (_, Is::Present) => Some(true),
        (Is::OneOf(all), _) => within(all, |one| is(other, one)),
        (Is::Prefix(_), Is::OneOf(all)) => {
            let none = all.len() <= MOST && !all.iter().any(|one| is(holds, one));
            none.then_some(false)
        }
        (Is::Prefix(holds), Is::Prefix(other)) => {
            let can = other.starts_with(holds.as_str());
            match holds.starts_with(other.as_str()) {
                true => Some(true),
                false => (!can).then_some(false),
            }
        }
        _ => None,
    }
}

/// The same if one of several values suffices: the others may be anything.
fn of_several(holds: &Text, other: &Text) -> Option<bool> {
    let said = of_text(holds, other)?;
    let one_absent = (holds.0 == Is::Absent) != (other.0 == Is::Absent);
    (said || one_absent).then_some(said)
}

fn sees_other(holds: &Text, other: &Text) -> bool {
    let odd = |text: &Text| matches!(text.0, Is::Regex(_) | Is::Network(_));
    let plain = |text: &Text| matches!(text.0, Is::Present | Is::Absent);
    (odd(holds) || odd(other)) && !plain(holds) && !plain(other)
}

/// Returns the paths of a list without patterns.
fn exact_paths(is: &PathIs) -> Option<Vec<String>> {
    match is {
        PathIs::Like(globs) => {
            let texts = globs.iter().map(ToString::to_string);
            let exact = |text: String| (!text.contains('*')).then_some(text);
            texts.map(exact).collect()
        }
        PathIs::Text(Text(Is::OneOf(texts))) => Some(texts.clone()),
        PathIs::Text(_) => None,
    }
}

fn of_path(holds: &PathIs, other: &PathIs) -> Option<bool> {
    if holds == other {
        return Some(true);
    }
    if let Some(paths) = exact_paths(holds) {
        return within(&paths, |path| match other {
            PathIs::Like(globs) => globs.iter().any(|glob| glob.matches(path)),
            PathIs::Text(text) => is(text, path),
        });
    }
    match (holds, other) {
        (PathIs::Text(holds), PathIs::Text(other)) => of_text(holds, other),
        _ => None,
    }
}

/// Two networks are disjoint, or one is in the other.
fn of_networks(holds: &[Network], other: &[Network]) -> Option<bool> {
    if holds == other {
        return Some(true);
    }
    let first = |network: &Network| -> Option<IpAddr> {
        network.to_string().split_once('/')?.0.parse().ok()
    };
    let has = |network: &Network, of: &Network| first(of).is_none_or(|a| network.contains(a));
    let meet = |a: &Network| other.iter().any(|b| has(a, b) || has(b, a));
    let few = holds.len() <= MOST && other.len() <= MOST;
    (few && !holds.iter().any(meet)).then_some(false)
}

fn is_of_type(wanted: &str, is: &str) -> bool {
    match wanted.strip_suffix("/*") {
        Some(kind) => is
            .split_once('/')
            .is_some_and(|(of, _)| of.eq_ignore_ascii_case(kind)),
        None => wanted.eq_ignore_ascii_case(is),
    }
}
