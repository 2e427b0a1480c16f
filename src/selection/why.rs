//! Which rule selects a request, and why the others do not.

use super::{
    Rules, SampleKey, Steering, Warning,
    check::of_rule,
    engine::{Arrival, Node, Seen, Time, sample_of},
    findings::of_set,
    model::{By, MAX_CONDITIONS, Rule, time_text},
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};
use serde::Serialize;
use std::{borrow::Cow, net::IpAddr, time::SystemTime};

/// The description of a request, for [`Rules::why`] and [`Steering::why`].
#[derive(Clone, Debug)]
#[must_use]
pub struct Described {
    method: Method,
    uri: Uri,
    route: Option<String>,
    headers: HeaderMap,
    facts: Vec<(Cow<'static, str>, String)>,
    client: Option<IpAddr>,
    correlation_id: String,
    at: SystemTime,
    sample_key: SampleKey,
}

impl Described {
    /// Describes a request of this method for this URI, or path and query, that arrives now and
    /// has nothing else.
    pub fn new(method: Method, uri: Uri) -> Self {
        Self {
            method,
            uri,
            route: None,
            headers: HeaderMap::new(),
            facts: Vec::new(),
            client: None,
            correlation_id: String::new(),
            at: SystemTime::now(),
            sample_key: SampleKey::default(),
        }
    }

    /// Sets the template of its route. Default: none.
    pub fn route(mut self, template: impl Into<String>) -> Self {
        self.route = Some(template.into());
        self
    }

    /// Adds a header.
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.append(name, value);
        self
    }

    /// Adds a fact that the service states. Other facts count as not stated yet.
    pub fn fact(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.facts.push((name.into().into(), value.into()));
        self
    }

    /// Sets the address of its peer. Default: unknown.
    pub fn client(mut self, address: IpAddr) -> Self {
        self.client = Some(address);
        self
    }

    /// Sets its correlation ID. Default: empty.
    pub fn correlation_id(mut self, id: impl Into<String>) -> Self {
        self.correlation_id = id.into();
        self
    }

    /// Sets when it arrives. Default: now.
    pub fn at(mut self, time: SystemTime) -> Self {
        self.at = time;
        self
    }

    /// Sets the [key of samples](crate::kit::DashcamBuilder::sample_key) of the service.
    /// Default: the same as there. [`Steering::why`] uses the key of the steering instead.
    pub fn sample_key(mut self, key: [u8; 16]) -> Self {
        self.sample_key = SampleKey(key);
        self
    }

    pub(crate) fn arrival(&self) -> Arrival<'_> {
        Arrival {
            method: &self.method,
            path: self.uri.path(),
            query: self.uri.query(),
            uri_host: self.uri.host(),
            route: self.route.as_deref(),
            headers: &self.headers,
            client: self.client.map(Into::into),
            seen: Seen::default(),
            correlation_id: &self.correlation_id,
            at: self.at,
            facts: &self.facts,
        }
    }
}

/// What one rule does with a request, and why. It does not consider budgets and the switch.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Why {
    /// The rule's name.
    pub name: String,
    verdict: Verdict,
    /// The conditions that do not hold, in words.
    pub fails: Vec<String>,
    /// The conditions that wait for a fact, in words.
    pub waits: Vec<String>,
    /// What else the rule needs, and what keeps it from working, in words: the address of the
    /// client, and what [`Rules::check`] finds in conditions, budget and directives.
    pub notes: Vec<String>,
}

impl Why {
    /// Returns whether the rule selects the request: all its conditions hold, and no earlier
    /// rule selects it.
    #[must_use]
    pub fn selects(&self) -> bool {
        self.verdict == Verdict::Selects
    }

    /// Returns whether all conditions of the rule hold, even if an earlier rule selects the
    /// request.
    #[must_use]
    pub fn matches(&self) -> bool {
        matches!(self.verdict, Verdict::Selects | Verdict::ComesAfter)
    }
}

/// What a rule does with a request.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Verdict {
    Selects,
    /// It would, but an earlier rule does.
    ComesAfter,
    /// It would, once the service states what it waits for.
    Waits,
    Fails,
}

impl Rules {
    /// Returns what each rule does with a request, in the order of the rules.
    #[must_use]
    pub fn why(&self, request: &Described) -> Vec<Why> {
        self.why_by(request, &request.sample_key)
    }

    fn why_by(&self, request: &Described, key: &SampleKey) -> Vec<Why> {
        let mut selected = false;
        let rules = self.iter().map(|rule| {
            // Each rule may take all the work of a request.
            let mut why = judge(rule, &request.arrival(), key);
            if why.selects() && std::mem::replace(&mut selected, true) {
                why.verdict = Verdict::ComesAfter;
            }
            why
        });
        rules.collect()
    }
}

impl Steering {
    /// Returns what each rule in use does with a request, in the order of the rules. Samples
    /// are drawn by the key of this steering.
    #[must_use]
    pub fn why(&self, request: &Described) -> Vec<Why> {
        let mut why = self.in_use().why_by(request, self.key());
        let set = self.set();
        for (why, entry) in why.iter_mut().zip(set.entries()) {
            // Rules may have changed meanwhile.
            if why.name == entry.rule().name {
                let lacking = of_set(entry.rule(), &set).map(|warning| warning.text);
                why.notes.extend(lacking);
            }
        }
        why
    }

    /// Returns the rule that selects it by the compiled rules.
    #[cfg(any(test, fuzzing))]
    pub(crate) fn selects(&self, request: &Described) -> Option<String> {
        let mut pending = super::Pending::default();
        let set = self.set();
        let selected = set.evaluate(&request.arrival(), &mut pending)?;
        Some(selected.by.clone())
    }
}

fn judge(rule: &Rule, arrival: &Arrival<'_>, key: &SampleKey) -> Why {
    let (mut fails, mut waits) = (Vec::new(), Vec::new());
    if !Time::of(rule).contains(arrival.at) {
        fails.push(match rule.from {
            Some(from) if arrival.at < from => format!("it begins at {}", time_text(from)),
            _ => format!("it expired at {}", time_text(rule.expires)),
        });
    }
    if rule.when.conditions() > MAX_CONDITIONS {
        fails.push("it has more than 64 conditions".to_owned());
    }
    for node in Node::of(&rule.when) {
        let now = node.now(arrival);
        match now {
            _ if arrival.work().was_short() => {
                fails.push(format!("{node}: it takes more work than a request may"));
            }
            Some(true) => {}
            Some(false) => fails.push(node.to_string()),
            None => waits.push(node.to_string()),
        }
    }
    if let Some(sample) = &rule.sample {
        let by = sample.key();
        let is_missing = arrival.key(by, |value| value.is_none_or(<[u8]>::is_empty));
        let share = sample.share();
        match by {
            By::Fact(_) if is_missing => waits.push(format!("sample by {by}")),
            _ if is_missing => fails.push(format!("sample by {by}: the request has no such key")),
            _ if sample_of(rule, arrival, key) => {}
            _ => fails.push(format!("sample by {by}: not among these {share} %")),
        }
    }
    let verdict = match (fails.is_empty(), waits.is_empty()) {
        (true, true) => Verdict::Selects,
        (true, false) => Verdict::Waits,
        (false, _) => Verdict::Fails,
    };
    Why {
        name: rule.name.clone(),
        verdict,
        fails,
        waits,
        notes: notes(rule, arrival.at),
    }
}

fn notes(rule: &Rule, at: SystemTime) -> Vec<String> {
    let found = of_rule(rule, at).into_iter();
    let found = found.filter(Warning::is_of_every_request);
    let found = found.map(|warning| warning.text);
    rule.needs().into_iter().chain(found).collect()
}
