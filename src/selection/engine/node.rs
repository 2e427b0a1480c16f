use super::arrival::{Arrival, Facts, fact};
use crate::selection::{
    Network, Text, When,
    model::{By, Is, PathIs, Rule},
    work::Work,
};
use http::{HeaderName, Method};
use std::fmt;

/// A tree of conditions.
#[derive(Debug)]
pub(in crate::selection) enum Node {
    Test(Test),
    Fact(String, Text),
    All(Vec<Self>),
    Any(Vec<Self>),
    Not(Box<Self>),
}

/// A condition that can be decided when the request arrives.
#[derive(Debug)]
pub(in crate::selection) enum Test {
    Method(Vec<Method>),
    Route(Vec<String>),
    Path(PathIs),
    Host(Text),
    /// The second field is the number of the header.
    Header(HeaderName, Option<u8>, Text),
    Query(String, Text),
    Cookie(String, Text),
    Client(Vec<Network>),
    ContentType(Vec<String>),
}

impl Node {
    /// Returns the conditions that must all hold.
    pub(in crate::selection) fn of(when: &When) -> Vec<Self> {
        let mut all = Vec::new();
        let mut test = |given: bool, test: &dyn Fn() -> Test| {
            if given {
                all.push(Self::Test(test()));
            }
        };
        test(!when.method.is_empty(), &|| {
            Test::Method(when.method.0.iter().map(|m| m.0.clone()).collect())
        });
        test(!when.route.is_empty(), &|| {
            Test::Route(when.route.0.clone())
        });
        test(!when.client.is_empty(), &|| {
            Test::Client(when.client.0.clone())
        });
        all.extend(when.path.iter().cloned().map(Test::Path).map(Self::Test));
        let host = when.host.iter().map(Text::of_host);
        all.extend(host.map(Test::Host).map(Self::Test));
        if !when.content_type.is_empty() {
            all.push(Self::Test(Test::ContentType(when.content_type.0.clone())));
        }
        for (name, text) in &when.header.0 {
            all.push(Self::Test(Test::Header(name.0.clone(), None, text.clone())));
        }
        for (name, text) in &when.cookie.0 {
            all.push(Self::Test(Test::Cookie(name.clone(), text.clone())));
        }
        for (name, text) in &when.query.0 {
            all.push(Self::Test(Test::Query(name.clone(), text.clone())));
        }
        for (name, text) in &when.fact.0 {
            all.push(Self::Fact(name.clone(), text.clone()));
        }
        for when in &when.all.0 {
            all.extend(Self::of(when));
        }
        if !when.any.is_empty() {
            all.push(Self::Any(when.any.0.iter().map(Self::together).collect()));
        }
        if let Some(when) = &when.not {
            all.push(Self::Not(Box::new(Self::together(when))));
        }
        all
    }

    fn together(when: &When) -> Self {
        let mut all = Self::of(when);
        match all.len() {
            1 => all.pop().unwrap_or(Self::All(Vec::new())),
            _ => Self::All(all),
        }
    }

    /// Passes the headers that it looks at, and their numbers.
    pub(super) fn headers(&mut self, f: &mut impl FnMut(&HeaderName, &mut Option<u8>)) {
        match self {
            Self::Test(Test::Header(name, seen, _)) => f(name, seen),
            Self::Test(_) | Self::Fact(..) => {}
            Self::All(of) | Self::Any(of) => of.iter_mut().for_each(|node| node.headers(f)),
            Self::Not(of) => of.headers(f),
        }
    }

    /// Adds what it needs and a request may lack.
    pub(super) fn needs(&self, needs: &mut Needs) {
        match self {
            Self::Test(test) => {
                needs.client |= matches!(test, Test::Client(_));
                needs.route |= matches!(test, Test::Route(_));
            }
            Self::Fact(name, _) => needs.facts.push(name.clone()),
            Self::All(of) | Self::Any(of) => of.iter().for_each(|node| node.needs(needs)),
            Self::Not(of) => of.needs(needs),
        }
    }

    /// Returns how expensive it is, relative to the others of a rule.
    pub(super) fn cost(&self) -> u8 {
        match self {
            Self::Test(test) => test.cost(),
            Self::Fact(..) => 0,
            Self::All(of) | Self::Any(of) => of.iter().map(Self::cost).max().unwrap_or(0),
            Self::Not(of) => of.cost(),
        }
    }

    /// Whether it can wait for a fact.
    pub(in crate::selection) fn is_open(&self) -> bool {
        match self {
            Self::Test(_) => false,
            Self::Fact(..) => true,
            Self::All(of) | Self::Any(of) => of.iter().any(Self::is_open),
            Self::Not(of) => of.is_open(),
        }
    }

    /// Whether it holds, if it is not open.
    pub(super) fn holds(&self, arrival: &Arrival<'_>) -> bool {
        match self {
            Self::Test(test) => test.holds(arrival),
            Self::Fact(name, text) => {
                let work = arrival.work();
                work.pay(arrival.facts.len()) && text.matches(fact(arrival.facts, name), work)
            }
            Self::All(of) => of.iter().all(|node| node.holds(arrival)),
            Self::Any(of) => of.iter().any(|node| node.holds(arrival)),
            Self::Not(of) => !of.holds(arrival),
        }
    }

    /// Stores the results of its tests for later, when the request is gone. It runs every test,
    /// because the order determines the bits.
    pub(super) fn remember(&self, arrival: &Arrival<'_>, memory: &mut Memory) {
        match self {
            Self::Test(test) => memory.push(test.holds(arrival)),
            Self::Fact(..) => {}
            Self::All(of) | Self::Any(of) => {
                of.iter().for_each(|node| node.remember(arrival, memory));
            }
            Self::Not(of) => of.remember(arrival, memory),
        }
    }

    /// Returns whether it holds when the request arrives; `None` if it is open.
    pub(in crate::selection) fn now(&self, arrival: &Arrival<'_>) -> Option<bool> {
        let mut memory = Memory::default();
        self.remember(arrival, &mut memory);
        match self.is_open() {
            true => self.decide(&mut memory.rewound(), arrival.facts, arrival.work()),
            // There can be more of these than bits.
            false => Some(self.holds(arrival)),
        }
    }

    /// Returns whether it holds by the stored results and the stated facts; `None` if it
    /// depends on a fact that is missing. It visits every part.
    pub(super) fn decide(
        &self,
        memory: &mut Memory,
        facts: Facts<'_>,
        work: &Work,
    ) -> Option<bool> {
        match self {
            Self::Test(_) => Some(memory.next()),
            Self::Fact(name, text) => {
                let value = fact(facts, name).filter(|_| work.pay(facts.len()))?;
                Some(text.matches(Some(value), work))
            }
            Self::All(of) => decide_all(of, true, memory, facts, work),
            Self::Any(of) => decide_all(of, false, memory, facts, work),
            Self::Not(of) => of.decide(memory, facts, work).map(|holds| !holds),
        }
    }
}

/// Decides `all` (`unless` is true) or `any` (false): a part that differs from `unless`
/// decides, otherwise a part that is open leaves it open.
fn decide_all(
    of: &[Node],
    unless: bool,
    memory: &mut Memory,
    facts: Facts<'_>,
    work: &Work,
) -> Option<bool> {
    let mut decided = Some(unless);
    for node in of {
        match node.decide(memory, facts, work) {
            Some(holds) if holds != unless => decided = Some(holds),
            None if decided == Some(unless) => decided = None,
            Some(_) | None => {}
        }
    }
    decided
}

/// One bit for each test of a rule that waits.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Memory {
    bits: u64,
    at: u32,
}

impl Memory {
    fn push(&mut self, holds: bool) {
        self.bits |= u64::from(holds).checked_shl(self.at).unwrap_or(0);
        self.at += 1;
    }

    fn next(&mut self) -> bool {
        let bit = self.bits.checked_shr(self.at).unwrap_or(0) & 1;
        self.at += 1;
        bit == 1
    }

    pub(super) fn rewound(self) -> Self {
        Self { at: 0, ..self }
    }
}

/// Whether the host of a request matches a text in its one spelling.
fn host_is(text: &Text, arrival: &Arrival<'_>) -> bool {
    match &text.0 {
        Is::OneOf(_) | Is::Prefix(_) => text.matches(arrival.folded_host(), arrival.work()),
        Is::Network(_) => {
            let host = arrival.folded_host();
            let address = host.map(|host| {
                let inner = host.strip_prefix(b"[").and_then(|h| h.strip_suffix(b"]"));
                inner.unwrap_or(host)
            });
            text.matches(address, arrival.work())
        }
        // Expressions are case-sensitive.
        Is::Regex(_) | Is::Present | Is::Absent => text.matches(arrival.host(), arrival.work()),
    }
}

impl Test {
    fn cost(&self) -> u8 {
        let of = |text: &Text, cost| match text.0 {
            Is::Regex(_) => 4,
            _ => cost,
        };
        match self {
            Self::Method(_) | Self::Route(_) | Self::Client(_) => 0,
            Self::Path(PathIs::Like(_)) => 1,
            Self::Path(PathIs::Text(text)) | Self::Header(_, _, text) => of(text, 1),
            Self::Host(text) => of(text, 2),
            Self::ContentType(_) => 2,
            Self::Cookie(_, text) | Self::Query(_, text) => of(text, 3),
        }
    }

    pub(super) fn holds(&self, arrival: &Arrival<'_>) -> bool {
        match self {
            Self::Method(methods) => methods.contains(arrival.method),
            Self::Route(templates) => arrival
                .route
                .is_some_and(|route| templates.iter().any(|t| t == route)),
            Self::Path(PathIs::Like(globs)) => globs
                .iter()
                .any(|g| g.matches_for(arrival.path, |units| arrival.work().pay(units))),
            Self::Path(PathIs::Text(text)) => {
                text.matches(Some(arrival.path.as_bytes()), arrival.work())
            }
            Self::Host(text) => host_is(text, arrival),
            Self::Header(name, seen, text) => arrival.header_is(name, *seen, text),
            Self::Query(key, text) => arrival.query_is(key, text),
            Self::Cookie(name, text) => arrival.cookie_is(name, text),
            Self::Client(networks) => arrival
                .client
                .is_some_and(|client| networks.iter().any(|n| n.has(client))),
            Self::ContentType(types) => arrival
                .media_type()
                .is_some_and(|is| types.iter().any(|t| is_media_type(t, is))),
        }
    }
}

fn is_media_type(wanted: &str, is: &[u8]) -> bool {
    match wanted.strip_suffix("/*") {
        Some(kind) => {
            is.get(..kind.len())
                .is_some_and(|start| start.eq_ignore_ascii_case(kind.as_bytes()))
                && is.get(kind.len()) == Some(&b'/')
        }
        None => wanted.as_bytes().eq_ignore_ascii_case(is),
    }
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |f: &mut fmt::Formatter<'_>, of: &[Self], between: &str| {
            f.write_str("(")?;
            for (n, node) in of.iter().enumerate() {
                write!(f, "{}{node}", if n == 0 { "" } else { between })?;
            }
            f.write_str(")")
        };
        match self {
            Self::Test(test) => test.fmt(f),
            Self::Fact(name, text) => write!(f, "fact {name} {text}"),
            Self::All(of) => list(f, of, " and "),
            Self::Any(of) => list(f, of, " or "),
            Self::Not(of) => write!(f, "not {of}"),
        }
    }
}

impl fmt::Display for Test {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fn list<T: fmt::Display>(f: &mut fmt::Formatter<'_>, what: &str, of: &[T]) -> fmt::Result {
            write!(f, "{what} ")?;
            for (n, one) in of.iter().enumerate() {
                write!(f, "{}{one}", if n == 0 { "" } else { " or " })?;
            }
            Ok(())
        }
        match self {
            Self::Method(methods) => list(f, "method", methods),
            Self::Route(templates) => list(f, "route", templates),
            Self::Path(PathIs::Like(globs)) => list(f, "path like", globs),
            Self::Path(PathIs::Text(text)) => write!(f, "path {text}"),
            Self::Host(text) => write!(f, "host {text}"),
            Self::Header(name, _, text) => write!(f, "header {name} {text}"),
            Self::Query(key, text) => write!(f, "query {key} {text}"),
            Self::Cookie(name, text) => write!(f, "cookie {name} {text}"),
            Self::Client(networks) => list(f, "client in", networks),
            Self::ContentType(types) => list(f, "content type", types),
        }
    }
}

/// What a rule needs and a request may lack.
#[derive(Debug, Default)]
pub(in crate::selection) struct Needs {
    pub(in crate::selection) client: bool,
    pub(in crate::selection) route: bool,
    pub(in crate::selection) facts: Vec<String>,
}

impl Needs {
    pub(in crate::selection) fn of(rule: &Rule) -> Self {
        let mut needs = Self::default();
        Node::of(&rule.when)
            .iter()
            .for_each(|node| node.needs(&mut needs));
        match rule
            .sample
            .as_ref()
            .map(crate::selection::model::Sample::key)
        {
            Some(By::Client) => needs.client = true,
            Some(By::Fact(name)) => needs.facts.push(name.clone()),
            _ => {}
        }
        needs
    }
}
