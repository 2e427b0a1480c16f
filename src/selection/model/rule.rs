use super::{Budget, RulesError, Sample, Verbose, When, fields::MAX_CONDITIONS, time};
use serde::{Deserialize, Deserializer, Serialize, de};
use std::time::SystemTime;

/// Makes some requests verbose until it expires.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields, remote = "Self")]
pub struct Rule {
    pub(in crate::selection) name: String,
    #[serde(
        default,
        with = "time::optional",
        skip_serializing_if = "Option::is_none"
    )]
    pub(in crate::selection) from: Option<SystemTime>,
    #[serde(with = "time")]
    pub(in crate::selection) expires: SystemTime,
    /// Required in a text: one that was cut off must not select everything.
    pub(in crate::selection) when: When,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::selection) sample: Option<Sample>,
    #[serde(default)]
    pub(in crate::selection) verbose: Verbose,
    #[serde(default)]
    pub(in crate::selection) mode: Mode,
    #[serde(default, skip_serializing_if = "Capture::is_full")]
    pub(in crate::selection) capture: Capture,
    #[serde(default, skip_serializing_if = "Budget::is_unlimited")]
    pub(in crate::selection) budget: Budget,
}

/// What a rule does with a selected request.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Mode {
    /// Shows its events in the service's own output at once, and keeps its exchange.
    #[default]
    Live,
    /// Only keeps its exchange.
    Record,
}

/// How much of a selected request is kept.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Capture {
    /// Heads, bodies, events.
    #[default]
    Full,
    /// No bodies, unless the request is kept for another reason, too.
    Heads,
}

impl Capture {
    // `serde` hands over a reference.
    #[allow(clippy::trivially_copy_pass_by_ref)]
    pub(crate) fn is_full(&self) -> bool {
        *self == Self::Full
    }
}

impl Rule {
    /// Creates a rule of this name, of 1 to 128 bytes. At `expires` it stops selecting requests,
    /// and selected requests stop being verbose.
    ///
    /// By default it selects all requests, makes them live, shows `debug`, and has no budget of
    /// its own.
    #[must_use]
    pub fn new(name: impl Into<String>, expires: SystemTime) -> Self {
        Self {
            name: name.into(),
            from: None,
            expires,
            when: When::default(),
            sample: None,
            verbose: Verbose::default(),
            mode: Mode::Live,
            capture: Capture::Full,
            budget: Budget::default(),
        }
    }

    /// Sets when the rule begins to select requests. Default: at once.
    #[must_use]
    pub fn from(mut self, time: SystemTime) -> Self {
        self.from = Some(time);
        self
    }

    /// Adds conditions, which must all hold. Default: none, so the rule selects all requests.
    #[must_use]
    pub fn when(mut self, conditions: When) -> Self {
        self.when = if self.when == When::default() {
            conditions
        } else {
            self.when.and(conditions)
        };
        self
    }

    /// Selects only this share of the requests, in percent, the same for equal keys: a key
    /// that is in it stays in it while the share grows. Default: all of them.
    ///
    /// The key is the correlation ID, so that a request and what follows from it in other
    /// services are selected together, unless [`sample_by`](Self::sample_by) sets another one.
    ///
    /// ```
    /// use dashcam::selection::Rule;
    /// # use std::time::SystemTime;
    ///
    /// // Half a percent of the users, each always or never.
    /// let rule = Rule::new("some", SystemTime::now()).sample(0.5)?.sample_by("fact:user")?;
    /// # let _ = rule;
    /// # Ok::<(), dashcam::selection::RulesError>(())
    /// ```
    ///
    /// `docs/rules.md` specifies the hash, so that another language can compute beforehand
    /// who will be selected.
    ///
    /// # Errors
    ///
    /// The number is not from 0 to 100.
    pub fn sample(mut self, percent: f64) -> Result<Self, RulesError> {
        self.sample = Some(self.sample.unwrap_or_default().percent(percent)?);
        Ok(self)
    }

    /// Sets the key of the [`sample`](Self::sample): `fact:NAME`, `header:NAME`,
    /// `cookie:NAME`, `query:NAME`, `client` (the peer's address) or `correlation_id`.
    /// Requests without the key are not selected. Default: `correlation_id`.
    ///
    /// # Errors
    ///
    /// The text is none of these.
    pub fn sample_by(mut self, key: &str) -> Result<Self, RulesError> {
        self.sample = Some(self.sample.unwrap_or_default().by(key)?);
        Ok(self)
    }

    /// Hashes the key of the [`sample`](Self::sample) with this text: rules with equal seeds
    /// select the same keys. Default: the rule's name.
    #[must_use]
    pub fn sample_seed(mut self, seed: impl Into<String>) -> Self {
        self.sample = Some(self.sample.unwrap_or_default().seed(seed));
        self
    }

    /// Sets the limits of the rule, beside those of all rules together. Default:
    /// [`Budget::unlimited`].
    #[must_use]
    pub fn budget(mut self, budget: Budget) -> Self {
        self.budget = budget;
        self
    }

    /// Keeps the exchanges of selected requests, and shows nothing in the service's own output.
    /// Events that [`verbose`](Self::verbose) names are recorded, beside those of every request.
    /// Default: selected requests are live.
    #[must_use]
    pub fn record_only(mut self) -> Self {
        self.mode = Mode::Record;
        self
    }

    /// Keeps no bodies of selected requests, unless a request is kept for another reason, too,
    /// such as a failure. Default: bodies are kept.
    #[must_use]
    pub fn heads_only(mut self) -> Self {
        self.capture = Capture::Heads;
        self
    }

    /// Sets which events are shown, or recorded: directives, separated by commas, which are a
    /// level or a level of a target (`info,my_service=trace,sqlx=debug`). Default: `debug`.
    ///
    /// A target includes the targets below it, and has every level if none is given. If two
    /// targets match, the longer one wins.
    ///
    /// # Errors
    ///
    /// The text is not a list of directives of at most 16 KiB. A word that was probably meant
    /// to be a level (`debgu`, `warning`) is an error, too; a target of that name has its level
    /// beside it (`tracer=trace`).
    pub fn verbose(mut self, directives: &str) -> Result<Self, RulesError> {
        self.verbose = Verbose::new(directives)?;
        Ok(self)
    }

    /// Returns the name, which exchanges and the status show.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns when the rule ends.
    #[must_use]
    pub fn expires(&self) -> SystemTime {
        self.expires
    }

    /// Returns whether the rule is [`record_only`](Self::record_only).
    #[must_use]
    pub fn is_record_only(&self) -> bool {
        self.mode == Mode::Record
    }

    pub(in crate::selection) fn problem(&self) -> Option<&'static str> {
        if self.name.is_empty() || self.name.len() > 128 || self.name.contains(char::is_control) {
            return Some(
                "expected `name` to be a text of 1 to 128 bytes without control characters",
            );
        }
        if self.from.is_some_and(|from| from >= self.expires) {
            return Some("expected `from` to be before `expires`");
        }
        if self.when.depth() > MAX_DEPTH {
            return Some("expected conditions nested at most 32 deep");
        }
        (self.when.conditions() > MAX_CONDITIONS)
            .then_some("expected at most 64 conditions in a rule")
    }
}

/// How deep conditions may be nested.
const MAX_DEPTH: usize = 32;

impl Serialize for Rule {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        Self::serialize(self, to)
    }
}

impl<'de> Deserialize<'de> for Rule {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let rule = Self::deserialize(from)?;
        match rule.problem() {
            Some(problem) => Err(de::Error::custom(problem)),
            None => Ok(rule),
        }
    }
}
