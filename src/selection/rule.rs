use super::{Directives, InvalidDirectives};
use http::{HeaderMap, HeaderName, Method};
use std::{borrow::Cow, sync::Arc, time::SystemTime};
use tracing::level_filters::LevelFilter;

/// Selects some traffic for verbose tracing until it expires.
///
/// Every condition that is given must hold. Defaults: no condition (all
/// traffic), live, `debug`.
#[derive(Clone, Debug)]
pub struct Rule {
    expires: SystemTime,
    method: Option<Method>,
    route: Option<String>,
    path_prefix: Option<String>,
    headers: Vec<(HeaderName, String)>,
    facts: Vec<(String, String)>,
    selected: Selected,
}

/// What was selected, and by what.
#[derive(Clone, Debug)]
pub(crate) struct Selected {
    pub(crate) by: String,
    live: bool,
    pub(crate) directives: Directives,
}

impl Selected {
    pub(crate) fn live(by: String, directives: Directives) -> Self {
        Self {
            by,
            live: true,
            directives,
        }
    }

    pub(crate) fn is_live(&self) -> bool {
        self.live
    }
}

impl Rule {
    /// A rule of this name that ends at `expires`.
    #[must_use]
    pub fn new(name: impl Into<String>, expires: SystemTime) -> Self {
        Self {
            expires,
            method: None,
            route: None,
            path_prefix: None,
            headers: Vec::new(),
            facts: Vec::new(),
            selected: Selected::live(name.into(), Directives::level(LevelFilter::DEBUG)),
        }
    }

    /// Only this method.
    #[must_use]
    pub fn method(mut self, method: Method) -> Self {
        self.method = Some(method);
        self
    }

    /// Only this route template, as the router writes it.
    #[must_use]
    pub fn route(mut self, template: impl Into<String>) -> Self {
        self.route = Some(template.into());
        self
    }

    /// Only paths that begin so.
    #[must_use]
    pub fn path_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.path_prefix = Some(prefix.into());
        self
    }

    /// Only requests with this header value. Clients control headers: anybody
    /// who knows the value selects himself.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// Only once the service has stated this fact.
    #[must_use]
    pub fn fact(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.facts.push((name.into(), value.into()));
        self
    }

    /// Keeps the exchange of what it selects, but shows nothing in the
    /// service's own output. What [`verbose`](Self::verbose) names is recorded,
    /// beside what is recorded of every request.
    #[must_use]
    pub fn record_only(mut self) -> Self {
        self.selected.live = false;
        self
    }

    /// What to show, or to record: a level, or levels per target. Default
    /// `debug`.
    ///
    /// # Errors
    ///
    /// [`InvalidDirectives`] where the text is not a list of directives.
    pub fn verbose(mut self, directives: &str) -> Result<Self, InvalidDirectives> {
        self.selected.directives = directives.parse()?;
        Ok(self)
    }
}

/// A fixed set of rules; the first that matches wins.
#[derive(Clone, Debug, Default)]
pub struct Rules(Arc<[(Rule, Arc<Selected>)]>);

/// What is known of a request when it arrives.
#[derive(Debug)]
pub(crate) struct Arrival<'r> {
    pub(crate) method: &'r Method,
    pub(crate) path: &'r str,
    pub(crate) route: Option<&'r str>,
    pub(crate) headers: &'r HeaderMap,
    pub(crate) at: SystemTime,
}

/// Rules that match but for facts which are not known yet.
#[derive(Clone, Debug)]
pub(crate) struct Pending {
    rules: Rules,
    waiting: Vec<usize>,
}

impl Rules {
    /// Compiles the rules.
    #[must_use]
    pub fn new(rules: impl IntoIterator<Item = Rule>) -> Self {
        Self(
            rules
                .into_iter()
                .map(|rule| {
                    let selected = Arc::new(rule.selected.clone());
                    (rule, selected)
                })
                .collect(),
        )
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The most verbose level that a rule asks for.
    pub(crate) fn max_level(&self) -> LevelFilter {
        self.0
            .iter()
            .map(|(rule, _)| rule.selected.directives.max_level())
            .max()
            .unwrap_or(LevelFilter::OFF)
    }

    pub(crate) fn evaluate(
        &self,
        arrival: &Arrival<'_>,
    ) -> (Option<&Arc<Selected>>, Option<Pending>) {
        let mut waiting = Vec::new();
        for (index, (rule, selected)) in self.0.iter().enumerate() {
            if !rule.matches(arrival) {
                continue;
            }
            if rule.facts.is_empty() {
                return (Some(selected), self.pending(waiting));
            }
            waiting.push(index);
        }
        (None, self.pending(waiting))
    }

    fn pending(&self, waiting: Vec<usize>) -> Option<Pending> {
        (!waiting.is_empty()).then(|| Pending {
            rules: self.clone(),
            waiting,
        })
    }
}

impl Rule {
    fn matches(&self, arrival: &Arrival<'_>) -> bool {
        arrival.at < self.expires
            && self.method.as_ref().is_none_or(|m| m == arrival.method)
            && self
                .route
                .as_deref()
                .is_none_or(|route| arrival.route == Some(route))
            && self
                .path_prefix
                .as_ref()
                .is_none_or(|prefix| arrival.path.starts_with(prefix.as_str()))
            && self.headers.iter().all(|(name, value)| {
                arrival
                    .headers
                    .get_all(name)
                    .iter()
                    .any(|v| v.as_bytes() == value.as_bytes())
            })
    }
}

impl Pending {
    pub(crate) fn evaluate(&self, facts: &[(Cow<'static, str>, String)]) -> Option<Arc<Selected>> {
        let now = SystemTime::now();
        let holds =
            |(name, value): &(String, String)| facts.iter().any(|(n, v)| n == name && v == value);
        self.waiting
            .iter()
            .filter_map(|&index| self.rules.0.get(index))
            .find(|(rule, _)| now < rule.expires && rule.facts.iter().all(holds))
            .map(|(_, selected)| Arc::clone(selected))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn evaluate(rules: &Rules, arrival: &Arrival<'_>) -> Option<String> {
        rules.evaluate(arrival).0.map(|s| s.by.clone())
    }

    #[test]
    fn conditions_expiry_order_and_facts() {
        let now = SystemTime::now();
        let later = now + Duration::from_secs(60);
        let rules = Rules::new([
            Rule::new("over", now),
            Rule::new("tenant", later).fact("tenant", "acme"),
            Rule::new("posts", later)
                .method(Method::POST)
                .route("/orders/{id}")
                .path_prefix("/orders/")
                .header(HeaderName::from_static("x-debug"), "yes"),
        ]);
        let mut headers = HeaderMap::new();
        headers.insert("x-debug", "yes".parse().unwrap());
        let mut arrival = Arrival {
            method: &Method::POST,
            path: "/orders/1",
            route: Some("/orders/{id}"),
            headers: &headers,
            at: now,
        };
        assert_eq!(evaluate(&rules, &arrival).as_deref(), Some("posts"));
        arrival.method = &Method::GET;
        let (selected, pending) = rules.evaluate(&arrival);
        assert!(selected.is_none());
        let pending = pending.unwrap();
        assert!(
            pending
                .evaluate(&[("tenant".into(), "other".into())])
                .is_none()
        );
        let raised = pending
            .evaluate(&[("tenant".into(), "acme".into())])
            .unwrap();
        assert_eq!(raised.by, "tenant");
        arrival.at = later;
        assert!(rules.evaluate(&arrival).1.is_none(), "all are over");
    }

    #[test]
    fn directives_must_say_something() {
        for bad in [
            "",
            " ",
            ",",
            "debug,",
            "a=b=c",
            "a=",
            "=debug",
            "info, my app=debug",
            "a[span]=debug",
            "a=louder",
            &"a=debug,".repeat(10_000),
        ] {
            let error = bad.parse::<Directives>().unwrap_err().to_string();
            assert!(error.len() < 300, "{error}");
        }
        let error = "info,my_app=louder".parse::<Directives>().unwrap_err();
        assert!(error.to_string().contains("\"my_app=louder\""), "{error}");
        for (good, max) in [
            ("info, my_app=debug", LevelFilter::DEBUG),
            ("my_app", LevelFilter::TRACE),
            ("off", LevelFilter::OFF),
            ("warn,my_app::db=3", LevelFilter::INFO),
        ] {
            assert_eq!(
                good.parse::<Directives>().unwrap().max_level(),
                max,
                "{good}"
            );
        }
        let d: Directives = "info,my_app=trace".parse().unwrap();
        assert_eq!(d.max_level(), LevelFilter::TRACE);
        assert_eq!(
            "debug".parse::<Directives>().unwrap().max_level(),
            LevelFilter::DEBUG
        );
    }
}
