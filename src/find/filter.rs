use super::value::Sought;
use crate::{
    exchange::{Exchange, KeepReason},
    redact::Key,
    selection::Glob,
};
use jiff::{SignedDuration, Timestamp};
use std::{str::FromStr, time::SystemTime};

/// Conditions on exchanges; all that are given must hold, and of a kind that is
/// given several times one. Facts and headers of another name are another kind.
#[derive(Clone, Debug, Default)]
pub(crate) struct Filter {
    pub(crate) since: Option<Moment>,
    pub(crate) until: Option<Moment>,
    pub(crate) methods: Vec<String>,
    pub(crate) routes: Vec<RouteIs>,
    pub(crate) statuses: Vec<StatusIs>,
    pub(crate) outcomes: Vec<OutcomeIs>,
    pub(crate) correlation_ids: Vec<String>,
    pub(crate) kept_for: Vec<KeptFor>,
    pub(crate) facts: Vec<(String, String)>,
    pub(crate) headers: Vec<(String, String)>,
    /// Anywhere in what was written.
    pub(crate) values: Vec<String>,
    /// With it values that are not written in the clear are found, too.
    pub(crate) key: Option<Key>,
}

impl Filter {
    pub(crate) fn matches(&self, exchange: &Exchange) -> bool {
        self.is_within(exchange)
            && any(&self.methods, |is| {
                is.eq_ignore_ascii_case(&exchange.request.method)
            })
            && any(&self.routes, |is| is.holds(exchange))
            && any(&self.statuses, |is| {
                is.is(exchange.response.as_ref().map(|response| response.status))
            })
            && any(&self.outcomes, |is| is.0 == exchange.outcome.as_str())
            && any(&self.correlation_ids, |id| *id == exchange.correlation.id)
            && any(&self.kept_for, |is| is.holds(exchange))
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

    /// An exchange whose time cannot be read is not hidden.
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

    /// Whether an exchange of which no more is known than this may be meant; the time is
    /// in microseconds since 1970.
    #[cfg(feature = "cli")]
    pub(crate) fn may_match(
        &self,
        started_us: i64,
        status: Option<u16>,
        is_of: impl Fn(&str) -> bool,
    ) -> bool {
        self.since.is_none_or(|since| started_us >= since.micros())
            && self.until.is_none_or(|until| started_us <= until.micros())
            && any(&self.statuses, |is| is.is(status))
            && any(&self.correlation_ids, |id| is_of(id))
    }

    /// Whether [`may_match`](Self::may_match) leaves anything out.
    #[cfg(feature = "cli")]
    pub(crate) fn knows_some(&self) -> bool {
        let Self {
            since,
            until,
            statuses,
            correlation_ids,
            ..
        } = self;
        since.is_some() || until.is_some() || !(statuses.is_empty() && correlation_ids.is_empty())
    }

    /// Whether it asks for what is not kept unless somebody wants it.
    #[cfg(feature = "cli")]
    pub(crate) fn asks_for_healthy(&self) -> bool {
        self.statuses.iter().any(|is| match is {
            StatusIs::Exactly(status) => *status < 500,
            StatusIs::Class(class) => *class < 5,
            StatusIs::None => false,
        }) || self.outcomes.iter().any(|is| is.0 == "completed")
    }

    /// Whether all that is kept is asked for.
    #[cfg(feature = "cli")]
    pub(crate) fn is_empty(&self) -> bool {
        let times = self.since.is_none() && self.until.is_none();
        let kinds = self.methods.is_empty() && self.routes.is_empty() && self.statuses.is_empty();
        let ends = self.outcomes.is_empty() && self.kept_for.is_empty();
        times && kinds && ends && self.correlation_ids.is_empty() && !self.asks_for_values()
    }

    /// Whether it depends on what is written of a value.
    #[cfg(feature = "cli")]
    pub(crate) fn asks_for_values(&self) -> bool {
        !(self.facts.is_empty() && self.headers.is_empty() && self.values.is_empty())
    }

    fn sought<'s>(&self, value: &'s str, exchange: &Exchange) -> Sought<'s> {
        Sought::new(value, self.key.as_ref(), exchange)
    }

    /// One more condition by its name, as a query of a URL has it.
    #[cfg(feature = "admin")]
    pub(crate) fn add(&mut self, name: &str, value: &str) -> Result<(), String> {
        match name {
            "since" => self.since = Some(value.parse()?),
            "until" => self.until = Some(value.parse()?),
            "method" => self.methods.push(value.to_owned()),
            "route" => self.routes.push(value.parse()?),
            "status" => self.statuses.push(value.parse()?),
            "outcome" => self.outcomes.push(value.parse()?),
            "correlation_id" => self.correlation_ids.push(value.to_owned()),
            "kept_for" => self.kept_for.push(value.parse()?),
            "fact" => self.facts.push(pair(value)?),
            "header" => self.headers.push(pair(value)?),
            _ => {
                return Err(
                    "expected since, until, method, route, status, outcome, correlation_id, \
                     kept_for, fact, header or limit"
                        .to_owned(),
                );
            }
        }
        Ok(())
    }
}

/// What is not asked for holds.
fn any<T>(all: &[T], holds: impl Fn(&T) -> bool) -> bool {
    all.is_empty() || all.iter().any(holds)
}

/// Of each name one of its values.
fn named(all: &[(String, String)], holds: impl Fn(&str, &str) -> bool) -> bool {
    all.iter().all(|(name, _)| {
        let mut same = all.iter().filter(|(other, _)| other == name);
        same.any(|(name, value)| holds(name, value))
    })
}

/// A name and a value.
pub(crate) fn pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text
        .split_once('=')
        .ok_or_else(|| "expected a name, = and a value, such as tenant=acme".to_owned())?;
    Ok((name.to_owned(), value.to_owned()))
}

/// A time, given as such or as how long ago it was.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment(Timestamp);

#[cfg(feature = "cli")]
impl Moment {
    /// Microseconds since 1970.
    pub(crate) fn micros(self) -> i64 {
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

/// A length of time such as 15m, 2h or 7d.
pub(crate) fn ago(text: &str) -> Option<SignedDuration> {
    let ago = match text.strip_suffix('d') {
        Some(days) => SignedDuration::from_hours(days.parse::<u32>().ok()?.into()).checked_mul(24),
        None => text.parse().ok(),
    };
    ago.filter(|ago| !ago.is_negative())
}

/// A route template, or a pattern of its text or of the path.
#[derive(Clone, Debug)]
pub(crate) struct RouteIs {
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
pub(crate) enum StatusIs {
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
pub(crate) struct OutcomeIs(String);

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

/// A keep reason by its kind, with what it names where it names something.
#[derive(Clone, Debug)]
pub(crate) struct KeptFor {
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
    use crate::{exchange::Header, export::sample::sample};

    fn holds<T: FromStr<Err = String>>(text: &str, put: impl Fn(&mut Filter, T)) -> bool {
        let mut filter = Filter::default();
        put(&mut filter, text.parse().unwrap());
        filter.matches(&sample("a"))
    }

    #[test]
    fn each_condition() {
        assert!(Filter::default().matches(&sample("a")));
        let since = |text| holds(text, |f, is| f.since = Some(is));
        assert!(since("2025-01-02T03:04:05.678901Z") && since("2025-01-02T04:04:05.678901+01:00"));
        assert!(!since("2025-01-02T03:04:05.678902Z") && !since("15m") && !since("7d"));
        assert!(since("30000d"));
        let until = |text| holds(text, |f, is| f.until = Some(is));
        assert!(until("2025-01-02T03:04:05.678902Z") && until("15m"));
        assert!(!until("2025-01-02T03:04:05.678901Z") && !until("30000d"));
        let method = |text: &str| {
            let methods = vec![text.to_owned()];
            let filter = Filter {
                methods,
                ..Filter::default()
            };
            filter.matches(&sample("a"))
        };
        assert!(method("GET") && method("get") && !method("POST"));
        let route = |text| holds(text, |f, is| f.routes.push(is));
        assert!(route("/orders/{id}") && route("/orders/*") && route("/orders/7") && route("/**"));
        assert!(!route("/orders") && !route("/orders/8"));
        let status = |text| holds(text, |f, is| f.statuses.push(is));
        assert!(status("500") && status("5xx") && !status("502") && !status("4xx"));
        assert!(!status("none"));
        let outcome = |text| holds(text, |f, is| f.outcomes.push(is));
        assert!(outcome("failed") && !outcome("completed"));
        let kept = |text| holds(text, |f, is| f.kept_for.push(is));
        assert!(kept("outcome") && !kept("slow") && !kept("selected:acme"));
        let id = |text: &str| {
            let correlation_ids = vec!["x".to_owned(), text.to_owned()];
            let filter = Filter {
                correlation_ids,
                ..Filter::default()
            };
            filter.matches(&sample("a"))
        };
        assert!(id("c-a") && !id("c-"));
    }

    #[test]
    fn a_host_in_whatever_spelling_and_place() {
        let mut exchange = sample("a");
        let host = "Shop.Example.:8080".to_owned();
        exchange.request.headers = vec![Header("host".to_owned(), host)];
        let holds = |exchange: &Exchange, asked: &str| {
            let filter = Filter {
                headers: vec![("Host".to_owned(), asked.to_owned())],
                ..Filter::default()
            };
            filter.matches(exchange)
        };
        for asked in ["shop.example", "SHOP.EXAMPLE:8080", "Shop.Example.:8080"] {
            assert!(holds(&exchange, asked), "{asked}");
        }
        assert!(!holds(&exchange, "shop.example:80") && !holds(&exchange, "example"));
        // HTTP/2 has it in the target.
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
            let is: KeptFor = text.parse().unwrap();
            assert_eq!(is.holds(&exchange), expected, "{text}");
        }
    }

    #[test]
    fn what_cannot_be_read() {
        for text in ["", "yesterday", "-5m", "5", "99999999999d", "d"] {
            assert!(text.parse::<Moment>().is_err(), "{text}");
        }
        for text in ["", "0xx", "6xx", "99", "1000", "xx", "ok"] {
            assert!(text.parse::<StatusIs>().is_err(), "{text}");
        }
        assert!("orders".parse::<RouteIs>().is_err());
        assert!("gone".parse::<OutcomeIs>().is_err());
        assert!("slow:x".parse::<KeptFor>().is_err());
    }
}
