//! Regular expressions, and the work that they take.

use super::RulesError;
use crate::selection::work::Work;
use regex_automata::{
    Anchored, Input,
    dfa::{Automaton, StartKind, dense},
    util::syntax,
};
use std::sync::Arc;

/// The longest value that is matched.
pub(in crate::selection) const LONGEST: usize = 8 * 1024;

/// The largest compiled expression, in bytes.
const SIZE: usize = 64 * 1024;

/// An expression of whole values, compiled.
#[derive(Clone, Debug)]
pub(super) enum Matcher {
    /// One step for each byte, whatever the value is.
    Table(Arc<dense::DFA<Vec<u32>>>),
    /// A table would be too large. Each byte may take a step for each part of the expression.
    Parts {
        regex: regex::bytes::Regex,
        weight: usize,
    },
}

impl Matcher {
    pub(super) fn new(text: &str) -> Result<Self, RulesError> {
        let expected = |error: regex::Error| {
            let error = error.to_string();
            let last = error.lines().last().unwrap_or_default();
            RulesError::expected(format!("expected a regular expression: {last}"))
        };
        // Alone first: it must not close the group around it.
        build(text, SIZE).map_err(expected)?;
        let whole = format!(r"\A(?:{text})\z");
        let regex = build(&whole, SIZE).map_err(expected)?;
        if let Some(table) = table(&whole) {
            return Ok(Self::Table(Arc::new(table)));
        }
        // The crate does not report the size.
        let sizes = std::iter::successors(Some(512), |size| Some(size * 2));
        let size = sizes
            .take_while(|size| *size < SIZE)
            .find(|size| build(&whole, *size).is_ok())
            .unwrap_or(SIZE);
        Ok(Self::Parts {
            regex,
            weight: size / 2,
        })
    }

    /// The work of one byte.
    pub(super) fn weight(&self) -> usize {
        match self {
            Self::Table(_) => 2,
            Self::Parts { weight, .. } => *weight,
        }
    }

    pub(super) fn matches(&self, value: &[u8], work: &Work) -> bool {
        /// The work of the start.
        const START: usize = 32;
        if value.len() > LONGEST || !work.pay_expression(START + value.len() * self.weight()) {
            return false;
        }
        match self {
            Self::Table(table) => {
                let input = Input::new(value).anchored(Anchored::Yes);
                matches!(table.try_search_fwd(&input), Ok(Some(_)))
            }
            Self::Parts { regex, .. } => regex.is_match(value),
        }
    }
}

const NESTING: u32 = 50;

fn build(text: &str, size: usize) -> Result<regex::bytes::Regex, regex::Error> {
    regex::bytes::RegexBuilder::new(text)
        .unicode(false)
        .size_limit(size)
        .dfa_size_limit(SIZE)
        .nest_limit(NESTING)
        .build()
}

fn table(text: &str) -> Option<dense::DFA<Vec<u32>>> {
    let syntax = syntax::Config::new().unicode(false).utf8(false);
    let limits = dense::Config::new()
        .start_kind(StartKind::Anchored)
        .dfa_size_limit(Some(SIZE))
        .determinize_size_limit(Some(4 * SIZE));
    dense::Builder::new()
        .syntax(syntax.nest_limit(NESTING + 1))
        .thompson(regex_automata::nfa::thompson::Config::new().utf8(false))
        .configure(limits)
        .build(text)
        .ok()
}
