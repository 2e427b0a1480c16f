use super::Rule;
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{self, DeserializeSeed, SeqAccess},
};
use std::{fmt, sync::Arc};

/// Rules in their order: the first that matches wins. A source has at most 100 of
/// them, because every request asks them all; a larger set is refused.
///
/// As text a table with the list `rule`; `docs/rules.md` describes it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rules {
    all: Vec<Arc<Rule>>,
    problem: Option<String>,
}

impl Rules {
    /// So many rules a source has at most.
    pub(crate) const MOST: usize = 100;

    /// Why a source with more than [`MOST`](Self::MOST) rules is refused.
    pub(crate) fn too_many(&self) -> Option<String> {
        let (count, most) = (self.len(), Self::MOST);
        (count > most).then(|| {
            format!(
                "{count} rules are more than the {most} that one source may have; delete rules \
                 that have ended, or join several into one with `when.any`"
            )
        })
    }

    /// These rules.
    #[must_use]
    pub fn new(rules: impl IntoIterator<Item = Rule>) -> Self {
        Self {
            all: rules.into_iter().map(Arc::new).collect(),
            problem: None,
        }
    }

    /// Sets what is wrong with the rest of what their source has. These rules are used; the
    /// log and the status report the problem. Default: nothing is wrong.
    #[must_use]
    pub fn problem(mut self, problem: impl Into<String>) -> Self {
        self.problem = Some(problem.into());
        self
    }

    pub(in crate::selection) fn take_problem(&mut self) -> Option<String> {
        self.problem.take()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// The rules, in order.
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

/// A rule whose name none of these has, so that the error stands at the rule.
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
