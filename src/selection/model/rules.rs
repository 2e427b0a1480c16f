use super::Rule;
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{self, DeserializeSeed, SeqAccess},
};
use std::{fmt, sync::Arc};

/// Rules in order: the first that matches wins. A source has at most 100 of them, because
/// every request asks all of them; a larger set is refused.
///
/// `docs/rules.md` describes the text of rules, in TOML or JSON. The
/// [problem](Self::with_problem) is not part of the text, and comparisons ignore it.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    all: Vec<Arc<Rule>>,
    problem: Option<String>,
}

impl PartialEq for Rules {
    fn eq(&self, other: &Self) -> bool {
        self.all == other.all
    }
}

impl Rules {
    /// The most rules of a source.
    pub(crate) const MOST: usize = 100;

    /// Returns the error if there are more than [`MOST`](Self::MOST).
    pub(crate) fn too_many(&self) -> Option<String> {
        let (count, most) = (self.len(), Self::MOST);
        (count > most).then(|| {
            format!(
                "{count} rules are more than the {most} that one source may have; delete rules \
                 that have ended, or join several into one with `when.any`"
            )
        })
    }

    /// Creates a list of these rules, without a problem.
    #[must_use]
    pub fn new(rules: impl IntoIterator<Item = Rule>) -> Self {
        Self {
            all: rules.into_iter().map(Arc::new).collect(),
            problem: None,
        }
    }

    /// Sets what is wrong with the rest of their source. The rules are used; the log and the
    /// status report the problem. Default: nothing is wrong.
    #[must_use]
    pub fn with_problem(mut self, problem: impl Into<String>) -> Self {
        self.problem = Some(problem.into());
        self
    }

    /// Returns what is wrong with the rest of their source, if
    /// [`with_problem`](Self::with_problem) set it.
    #[must_use]
    pub fn problem(&self) -> Option<&str> {
        self.problem.as_deref()
    }

    pub(in crate::selection) fn take_problem(&mut self) -> Option<String> {
        self.problem.take()
    }

    /// Returns whether there are no rules.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Returns the number of rules.
    #[must_use]
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// Returns the rules, in order.
    pub fn iter(&self) -> impl Iterator<Item = &Rule> {
        self.all.iter().map(AsRef::as_ref)
    }

    pub(in crate::selection) fn shared(&self) -> &[Arc<Rule>] {
        &self.all
    }

    pub(in crate::selection) fn append(&mut self, other: &Self) {
        self.all.extend(other.all.iter().cloned());
    }
}

#[derive(Serialize)]
struct Written<'a> {
    rule: Vec<&'a Rule>,
}

impl Serialize for Rules {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let rule = self.iter().collect();
        Written { rule }.serialize(to)
    }
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Read {
    rule: List,
}

impl<'de> Deserialize<'de> for Rules {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Read::deserialize(from).map(|read| Self {
            all: read.rule.0,
            problem: None,
        })
    }
}

#[derive(Default)]
struct List(Vec<Arc<Rule>>);

impl<'de> Deserialize<'de> for List {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl<'de> de::Visitor<'de> for Visitor {
            type Value = List;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of rules")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<List, A::Error> {
                let mut rules = Vec::new();
                while let Some(rule) = seq.next_element_seed(Next(&rules))? {
                    rules.push(Arc::new(rule));
                }
                Ok(List(rules))
            }
        }

        from.deserialize_seq(Visitor)
    }
}

/// Reads a rule that has none of these names, so that the error is at the rule.
struct Next<'a>(&'a [Arc<Rule>]);

impl<'de> DeserializeSeed<'de> for Next<'_> {
    type Value = Rule;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Rule, D::Error> {
        let rule = <Rule as Deserialize>::deserialize(from)?;
        if self.0.len() >= Rules::MOST {
            return Err(de::Error::custom(format_args!(
                "expected at most {} rules, and {:?} is one more; delete rules that have \
                 ended, or join several into one with `when.any`",
                Rules::MOST,
                rule.name
            )));
        }
        if self.0.iter().any(|other| other.name == rule.name) {
            return Err(de::Error::custom(format_args!(
                "expected each name once, and {:?} is the name of a rule before",
                rule.name
            )));
        }
        Ok(rule)
    }
}
