use super::value::Sought;
use crate::{
    exchange::{Exchange, KeepReason},
    export::json_lines::Entry,
    redact::{Key, Policy, PolicyError},
    selection::Glob,
};
use jiff::{SignedDuration, Timestamp};
use std::{error::Error, fmt, str::FromStr, time::SystemTime};

/// Conditions on exchanges.
///
/// An exchange matches if, for each kind of condition, at least one condition of that kind
/// holds. Facts with different names are different kinds, and so are headers. Without
/// conditions every exchange matches.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    since: Option<Moment>,
    until: Option<Moment>,
    methods: Vec<String>,
    routes: Vec<RouteIs>,
    statuses: Vec<StatusIs>,
    outcomes: Vec<OutcomeIs>,
    ids: Vec<String>,
    correlation_ids: Vec<String>,
    trace_ids: Vec<String>,
    kept_for: Vec<KeptFor>,
    facts: Vec<(String, String)>,
    headers: Vec<(String, String)>,
    /// Anywhere in the exchange.
    values: Vec<String>,
    suppressed: bool,
    /// Finds hidden values, too.
    key: Option<Key>,
}

impl Filter {
    /// Creates a filter that matches every exchange.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a condition by its name. A second `since` or `until` replaces the first.
    ///
    /// | name | value | matches |
    /// |---|---|---|
    /// | `since`, `until` | a time of RFC 3339, or how long ago: `15m`, `2h`, `7d` | exchanges that began at or after it, or before it |
    /// | `method` | `POST` | the method, in any case |
    /// | `route` | `/orders/{id}`, `/orders/*` | the route template, or the pattern of a template or a path |
    /// | `status` | `502`, `5xx`, `none` | the status, its class, or no response |
    /// | `outcome` | `completed`, `failed`, `panicked`, `body_error`, `abandoned`, `open` | the outcome |
    /// | `id` | `01a20747` | an ID or a correlation ID that begins so |
    /// | `correlation_id` | `01a20747-b884-…` | the whole correlation ID |
    /// | `trace_id` | `01a20747` | a trace ID that begins so |
    /// | `kept_for` | `slow`, `selected`, `selected:RULE` | the reason, and what it names |
    /// | `fact` | `tenant=acme` | a fact with this value |
    /// | `header` | `x-tenant:acme`, `x-tenant=acme` | a header with this value, of the request or the response |
    /// | `value` | `acme` | the value as a word, anywhere |
    ///
    /// The last three match values that are written in the clear. With [`key`](Self::key)
    /// they also match hidden values.
    ///
    /// # Errors
    ///
    /// No condition has this name, or its value is invalid. The text names what was
    /// expected. The filter is unchanged.
    pub fn add(&mut self, name: &str, value: &str) -> Result<(), InvalidFilter> {
        match name {
            "since" => self.since = Some(value.parse()?),
            "until" => self.until = Some(value.parse()?),
            "method" => self.methods.push(value.to_owned()),
            "route" => self.routes.push(value.parse()?),
            "status" => self.statuses.push(value.parse()?),
            "outcome" => self.outcomes.push(value.parse()?),
            "id" => self.ids.push(value.to_owned()),
            "correlation_id" => self.correlation_ids.push(value.to_owned()),
            "trace_id" => self.trace_ids.push(value.to_ascii_lowercase()),
            "kept_for" => self.kept_for.push(value.parse()?),
            "fact" => self.facts.push(fact(value)?),
            "header" => self.headers.push(header(value)?),
            "value" if value.is_empty() => return Err(InvalidFilter("empty value".to_owned())),
            "value" => self.values.push(value.to_owned()),
            _ => {
                return Err(InvalidFilter(
                    "expected since, until, method, route, status, outcome, id, \
                     correlation_id, trace_id, kept_for, fact, header or value"
                        .to_owned(),
                ));
            }
        }
        Ok(())
    }

    /// Finds facts, headers and values also where they are written as hashes under the key
    /// of this policy, with its scope. Default: no key.
    ///
    /// # Errors
    ///
    /// The policy has no key of its own: under its random key, no other process writes. The
    /// filter is unchanged.
    pub fn key(&mut self, policy: &Policy) -> Result<(), PolicyError> {
        self.key = Some(policy.shared_key()?.clone());
        Ok(())
    }

    /// Matches only exchanges before which failures like it were only counted
    /// (`losses.suppressed_before`). Default: all.
    pub fn suppressed(&mut self) {
        self.suppressed = true;
    }

    /// Returns whether every exchange matches.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let times = self.since.is_none() && self.until.is_none();
        let kinds = self.methods.is_empty() && self.routes.is_empty() && self.statuses.is_empty();
        let ends = self.outcomes.is_empty() && self.kept_for.is_empty() && !self.suppressed;
        let ids = &[&self.ids, &self.correlation_ids, &self.trace_ids];
        let values = self.facts.is_empty() && self.headers.is_empty() && self.values.is_empty();
        times && kinds && ends && ids.iter().all(|ids| ids.is_empty()) && values
    }

    /// Returns whether this exchange matches. A time that cannot be parsed matches.
    #[must_use]
    pub fn matches(&self, exchange: &Exchange) -> bool {
        let trace_id = exchange.correlation.trace_id.as_deref();
        self.is_within(exchange)
            && any(&self.methods, |is| {
                is.eq_ignore_ascii_case(&exchange.request.method)
            })
            && any(&self.routes, |is| is.holds(exchange))
            && any(&self.statuses, |is| {
                is.is(exchange.response.as_ref().map(|response| response.status))
            })
            && any(&self.outcomes, |is| is.0 == exchange.outcome.as_str())
            && any(&self.ids, |id| {
                exchange.id.starts_with(id) || exchange.correlation.id.starts_with(id)
            })
            && any(&self.correlation_ids, |id| *id == exchange.correlation.id)
            && any(&self.trace_ids, |id| {
                trace_id.is_some_and(|trace| trace.starts_with(id))
            })
            && any(&self.kept_for, |is| is.holds(exchange))
            && (!self.suppressed || exchange.losses.suppressed_before > 0)
            && named(&self.facts, |name, value| {
                self.sought(value, exchange).is_fact(name, exchange)
            })
            && named(&self.headers, |name, value| {
                self.sought(value, exchange).is_header(name, exchange)
            })
            && any(&self.values, |value| {
                self.sought(value, exchange).is_anywhere(exchange)
            })
    }

    fn is_within(&self, exchange: &Exchange) -> bool {
        if self.since.is_none() && self.until.is_none() {
            return true;
        }
        let at: Option<Timestamp> = exchange.started_at.parse().ok();
        at.is_none_or(|at| {
            self.since.is_none_or(|since| at >= since.0)
                && self.until.is_none_or(|until| at < until.0)
        })
    }

    /// In microseconds since 1970.
    pub(super) fn since(&self) -> Option<i64> {
        self.since.map(Moment::micros)
    }

    /// Whether the exchange of an index entry may match.
    pub(super) fn may_match(&self, entry: &Entry) -> bool {
        let started_us = entry.started_us();
        self.since.is_none_or(|since| started_us >= since.micros())
            && self.until.is_none_or(|until| started_us <= until.micros())
            && any(&self.statuses, |is| is.is(entry.status()))
            && any(&self.ids, |id| entry.may_begin(id))
            && any(&self.correlation_ids, |id| entry.may_be_of(id))
            && (!self.suppressed || entry.has_suppressed())
    }

    /// Whether [`may_match`](Self::may_match) can return `false`.
    pub(super) fn knows_some(&self) -> bool {
        let times = self.since.is_some() || self.until.is_some();
        let ids = !(self.ids.is_empty() && self.correlation_ids.is_empty());
        times || ids || self.suppressed || !self.statuses.is_empty()
    }

    /// Whether the exchange in this line may match, as far as its bytes show at once.
    pub(super) fn may_match_line(&self, line: &[u8]) -> bool {
        let has = |id: &String| {
            // Other characters may be escaped in the line.
            let plain = id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
            !plain || memchr::memmem::find(line, id.as_bytes()).is_some()
        };
        any(&self.ids, has) && any(&self.trace_ids, has) && (!self.suppressed || counted(line))
    }

    fn sought<'s>(&self, value: &'s str, exchange: &Exchange) -> Sought<'s> {
        Sought::new(value, self.key.as_ref(), exchange)
    }
}

/// Whether `suppressed_before` may be more than 0 in a line.
fn counted(line: &[u8]) -> bool {
    let name = b"\"suppressed_before\":";
    let mut places = memchr::memmem::find_iter(line, name);
    places.any(|at| line.get(at + name.len()) != Some(&b'0'))
}

/// An invalid condition of a [`Filter`]. [`Display`](fmt::Display) shows what was expected.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct InvalidFilter(String);

impl fmt::Display for InvalidFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for InvalidFilter {}

impl From<String> for InvalidFilter {
    fn from(expected: String) -> Self {
        Self(expected)
    }
}

/// Without a condition everything matches.
fn any<T>(all: &[T], holds: impl Fn(&T) -> bool) -> bool {
    all.is_empty() || all.iter().any(holds)
}

/// One value must match for each name.
fn named(all: &[(String, String)], holds: impl Fn(&str, &str) -> bool) -> bool {
    all.iter().all(|(name, _)| {
        let mut same = all.iter().filter(|(other, _)| other == name);
        same.any(|(name, value)| holds(name, value))
    })
}

/// A name and a value.
fn fact(text: &str) -> Result<(String, String), String> {
    let expected = "a name, = and a value, such as tenant=acme";
    pair(text.split_once('='), expected)
}

/// A name and a value. Names of headers have neither sign.
fn header(text: &str) -> Result<(String, String), String> {
    let parts = text.split_once([':', '=']);
    let parts = parts.map(|(name, value)| (name.trim(), value.trim()));
    pair(parts, "a name, : and a value, such as x-tenant:acme")
}

fn pair(parts: Option<(&str, &str)>, expected: &str) -> Result<(String, String), String> {
    match parts {
        Some(("", _)) => Err(format!("empty name; expected {expected}")),
        Some((name, value)) => Ok((name.to_owned(), value.to_owned())),
        None => Err(format!("expected {expected}")),
    }
}

/// A time, given as such or as a duration before now.
#[derive(Clone, Copy, Debug)]
struct Moment(Timestamp);

impl Moment {
    /// Microseconds since 1970.
    fn micros(self) -> i64 {
        self.0.as_microsecond()
    }
}

impl FromStr for Moment {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(at) = text.parse() {
            return Ok(Self(at));
        }
        let now = Timestamp::try_from(SystemTime::now()).unwrap_or(Timestamp::UNIX_EPOCH);
        ago(text)
            .and_then(|ago| now.checked_sub(ago).ok())
            .map(Self)
            .ok_or_else(|| {
                "expected a time such as 2026-11-23T12:00:00Z, or how long ago, such as 15m, 2h \
                 or 7d"
                    .to_owned()
            })
    }
}

/// A duration such as 15m, 2h or 7d.
fn ago(text: &str) -> Option<SignedDuration> {
    let ago = match text.strip_suffix('d') {
        Some(days) => SignedDuration::from_hours(days.parse::<u32>().ok()?.into()).checked_mul(24),
        None => text.parse().ok(),
    };
    ago.filter(|ago| !ago.is_negative())
}

/// A route template, or a pattern of a template or a path.
#[derive(Clone, Debug)]
struct RouteIs {
    text: String,
    glob: Option<Glob>,
}

impl RouteIs {
    fn holds(&self, exchange: &Exchange) -> bool {
        let request = &exchange.request;
        let route = request.route.as_deref();
        let like = |text: &str| self.glob.as_ref().is_some_and(|glob| glob.matches(text));
        route == Some(&self.text) || route.is_some_and(like) || like(&request.path)
    }
}

impl FromStr for RouteIs {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if !text.starts_with('/') {
            return Err(
                "expected a route such as /orders/{id}, or a pattern such as /orders/*".to_owned(),
            );
        }
        Ok(Self {
            text: text.to_owned(),
            glob: text.parse().ok(),
        })
    }
}

/// A status, a class of them, or none.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum StatusIs {
    Exactly(u16),
    Class(u16),
    None,
}

impl StatusIs {
    fn is(self, status: Option<u16>) -> bool {
        match self {
            Self::Exactly(is) => status == Some(is),
            Self::Class(is) => status.is_some_and(|status| status / 100 == is),
            Self::None => status.is_none(),
        }
    }
}

impl FromStr for StatusIs {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let class = |text: &str| {
            let class = text.strip_suffix("xx")?.parse().ok()?;
            (1..=5).contains(&class).then_some(Self::Class(class))
        };
        let exactly = |text: &str| {
            let status = text.parse().ok()?;
            (100..1000)
                .contains(&status)
                .then_some(Self::Exactly(status))
        };
        if text == "none" {
            return Ok(Self::None);
        }
        class(text)
            .or_else(|| exactly(text))
            .ok_or_else(|| "expected a status such as 502, a class such as 5xx, or none".to_owned())
    }
}

/// An outcome by its name.
#[derive(Clone, Debug)]
struct OutcomeIs(String);

const OUTCOMES: &[&str] = &[
    "completed",
    "failed",
    "panicked",
    "body_error",
    "abandoned",
    "open",
];

impl FromStr for OutcomeIs {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if OUTCOMES.contains(&text) {
            Ok(Self(text.to_owned()))
        } else {
            Err(format!("expected one of {}", OUTCOMES.join(", ")))
        }
    }
}

/// A keep reason by its kind, and by the name in it if there is one.
#[derive(Clone, Debug)]
struct KeptFor {
    kind: String,
    what: Option<String>,
}

const REASONS: &[&str] = &[
    "outcome",
    "slow",
    "error_event",
    "asked",
    "selected",
    "baseline",
    "condition",
    "caller",
    "interim",
    "request_body",
];

impl KeptFor {
    fn holds(&self, exchange: &Exchange) -> bool {
        exchange.keep.iter().any(|reason| {
            let (kind, what) = parts(reason);
            self.kind == kind && self.what.as_ref().is_none_or(|is| Some(is) == what)
        })
    }
}

fn parts(reason: &KeepReason) -> (&'static str, Option<&String>) {
    match reason {
        KeepReason::Outcome => ("outcome", None),
        KeepReason::Slow => ("slow", None),
        KeepReason::ErrorEvent => ("error_event", None),
        KeepReason::Asked { why } => ("asked", Some(why)),
        KeepReason::Selected { by } => ("selected", Some(by)),
        KeepReason::Baseline => ("baseline", None),
        KeepReason::Condition { why } => ("condition", Some(why)),
        KeepReason::Caller => ("caller", None),
        KeepReason::Interim => ("interim", None),
        KeepReason::RequestBody => ("request_body", None),
    }
}

impl FromStr for KeptFor {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (kind, what) = match text.split_once(':') {
            Some((kind @ ("asked" | "condition" | "selected"), what)) => {
                (kind, Some(what.to_owned()))
            }
            _ => (text, None),
        };
        if REASONS.contains(&kind) {
            let kind = kind.to_owned();
            Ok(Self { kind, what })
        } else {
            Err(format!(
                "expected one of {}, or selected:RULE, asked:WHY or condition:WHY",
                REASONS.join(", ")
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::export::sample::sample;

    fn filter(name: &str, value: &str) -> Filter {
        let mut filter = Filter::new();
        filter.add(name, value).unwrap();
        filter
    }

    #[test]
    fn a_key_is_the_service_s() {
        let mut filter = Filter::new();
        let none = Policy::strict().with_scope("shop");
        for policy in [&Policy::strict(), &none] {
            let error = filter.key(policy).unwrap_err().to_string();
            assert!(error.contains("random key"), "{error}");
            assert!(filter.key.is_none());
        }
        let keyed = Policy::strict().with_key("2026", &[7; 32]).unwrap();
        filter.key(&keyed.with_scope("shop")).unwrap();
        assert!(filter.key.is_some());
    }

    #[test]
    fn each_condition() {
        assert!(Filter::new().matches(&sample("a")) && Filter::new().is_empty());
        let holds = |name, value| {
            let filter = filter(name, value);
            assert!(!filter.is_empty());
            filter.matches(&sample("a"))
        };
        let since = |text| holds("since", text);
        assert!(since("2025-01-02T03:04:05.678901Z") && since("2025-01-02T04:04:05.678901+01:00"));
        assert!(!since("2025-01-02T03:04:05.678902Z") && !since("15m") && !since("7d"));
        assert!(since("30000d"));
        let until = |text| holds("until", text);
        assert!(until("2025-01-02T03:04:05.678902Z") && until("15m"));
        assert!(!until("2025-01-02T03:04:05.678901Z") && !until("30000d"));
        let method = |text| holds("method", text);
        assert!(method("GET") && method("get") && !method("POST"));
        let route = |text| holds("route", text);
        assert!(route("/orders/{id}") && route("/orders/*") && route("/orders/7") && route("/**"));
        assert!(!route("/orders") && !route("/orders/8"));
        let status = |text| holds("status", text);
        assert!(status("500") && status("5xx") && !status("502") && !status("4xx"));
        assert!(!status("none"));
        let outcome = |text| holds("outcome", text);
        assert!(outcome("failed") && !outcome("completed"));
        let kept = |text| holds("kept_for", text);
        assert!(kept("outcome") && !kept("slow") && !kept("selected:acme"));
        let correlation_id = |text| holds("correlation_id", text);
        assert!(correlation_id("c-a") && !correlation_id("c-"));
        let id = |text| holds("id", text);
        assert!(id("a") && id("c-") && id("c-a") && !id("-a") && !id("c-a-"));
    }

    #[test]
    fn one_of_a_kind_and_all_kinds() {
        let mut filter = filter("correlation_id", "x");
        assert!(!filter.matches(&sample("a")));
        filter.add("correlation_id", "c-a").unwrap();
        assert!(filter.matches(&sample("a")));
        filter.add("method", "POST").unwrap();
        assert!(!filter.matches(&sample("a")));
    }

    #[test]
    fn a_trace_and_what_was_only_counted() {
        let mut exchange = sample("a");
        exchange.correlation.trace_id = Some("01ab".to_owned());
        let trace = |text| filter("trace_id", text).matches(&exchange);
        assert!(trace("01AB") && trace("01") && !trace("ab"));
        let mut counted = Filter::new();
        counted.suppressed();
        assert!(!counted.is_empty() && !counted.matches(&exchange));
        exchange.losses.suppressed_before = 2;
        assert!(counted.matches(&exchange));
    }

    #[test]
    fn a_host_in_whatever_spelling_and_place() {
        let mut exchange = sample("a");
        let host = "Shop.Example.:8080".to_owned();
        exchange.request.headers = vec![("host".to_owned(), host)];
        let holds = |exchange: &Exchange, asked: &str| {
            filter("header", &format!("Host={asked}")).matches(exchange)
        };
        for asked in ["shop.example", "SHOP.EXAMPLE:8080", "Shop.Example.:8080"] {
            assert!(holds(&exchange, asked), "{asked}");
        }
        assert!(!holds(&exchange, "shop.example:80") && !holds(&exchange, "example"));
        // HTTP/2 has the host in the target.
        exchange.request.headers.clear();
        exchange.request.authority = Some("shop.example".to_owned());
        exchange.request.scheme = Some("https".to_owned());
        assert!(holds(&exchange, "shop.example:443") && !holds(&exchange, "shop.example:80"));
    }

    #[test]
    fn reasons_that_name_something() {
        let mut exchange = sample("a");
        exchange.keep = vec![KeepReason::Selected {
            by: "a:b".to_owned(),
        }];
        for (text, expected) in [
            ("selected", true),
            ("selected:a:b", true),
            ("selected:a", false),
        ] {
            let filter = filter("kept_for", text);
            assert_eq!(filter.matches(&exchange), expected, "{text}");
        }
    }

    #[test]
    fn what_cannot_be_read() {
        let is_refused = |name, text| {
            let mut filter = Filter::new();
            assert!(filter.add(name, text).is_err(), "{name} {text}");
            assert!(filter.is_empty());
        };
        for text in ["", "yesterday", "-5m", "5", "99999999999d", "d"] {
            is_refused("since", text);
        }
        for text in ["", "0xx", "6xx", "99", "1000", "xx", "ok"] {
            is_refused("status", text);
        }
        is_refused("route", "orders");
        is_refused("outcome", "gone");
        is_refused("kept_for", "slow:x");
        is_refused("fact", "tenant");
        is_refused("tenant", "acme");
    }
}
