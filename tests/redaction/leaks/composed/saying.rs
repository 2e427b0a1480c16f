//! What the service logs of a value, and where.

use super::{live::Live, tagged::Tagged};
use crate::leaks::case::Plan;

/// Where it is logged.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Place {
    DebugField,
    DebugMessage,
    InfoField,
    InfoMessage,
    SpanField,
    Decision,
    Fact,
    Reason,
    /// The error or the panic that ends the request.
    Failure,
    /// The error of the call that it makes.
    CallError,
    /// A header of the answer whose values stay.
    Server,
}

/// When it is logged.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Step {
    #[default]
    Before,
    AfterCall,
}

#[derive(Clone, Debug)]
pub(crate) struct Saying {
    /// Its number within the request.
    pub(crate) n: usize,
    pub(crate) value: String,
    pub(crate) kind: &'static str,
    pub(crate) planted: &'static str,
    pub(crate) ways: Vec<&'static str>,
    pub(crate) place: Place,
    pub(crate) step: Step,
    pub(crate) live: Live,
    /// The output if nothing is hidden.
    pub(crate) text: Tagged,
    /// Why redaction need not find it.
    pub(crate) excuse: Option<&'static str>,
}

impl Saying {
    pub(crate) fn describe(&self) -> String {
        let value: String = self.value.chars().take(100).collect();
        format!(
            "{value:?} ({}, in {}), {:?}, {:?}: {:?}",
            self.kind,
            self.planted,
            self.place,
            self.ways,
            self.text.text()
        )
    }
}

/// The text before it, if it is part of a longer text.
pub(crate) fn opening(n: usize) -> String {
    format!("said so {n}: ")
}

/// The name of a field that has one.
pub(crate) fn name(n: usize) -> String {
    format!("said{n}")
}

/// Logs something under a name, after words that are the program's own.
macro_rules! say {
    ($saying:expr; $($n:literal $name:ident $opening:literal)*) => {{
        let saying: &Saying = $saying;
        let live = &saying.live;
        match (saying.n, saying.place) {
            $(
                ($n, Place::DebugField) => match live {
                    Live::Unsigned(n) => tracing::debug!($name = n, "a field"),
                    Live::Signed(n) => tracing::debug!($name = n, "a field"),
                    Live::Float(n) => tracing::debug!($name = n, "a field"),
                    Live::Text(text) => tracing::debug!($name = text.as_str(), "a field"),
                    live => tracing::debug!($name = ?live, "a field"),
                },
                ($n, Place::InfoField) => match live {
                    Live::Unsigned(n) => tracing::info!($name = n, "a field"),
                    Live::Signed(n) => tracing::info!($name = n, "a field"),
                    Live::Float(n) => tracing::info!($name = n, "a field"),
                    Live::Text(text) => tracing::info!($name = %text, "a field"),
                    live => tracing::info!($name = ?live, "a field"),
                },
                ($n, Place::DebugMessage) => tracing::debug!(concat!($opening, "{:?}"), live),
                ($n, Place::InfoMessage) => tracing::info!(concat!($opening, "{:?}"), live),
                ($n, Place::SpanField) => {
                    let span = tracing::info_span!("work", $name = ?live);
                    span.in_scope(|| tracing::debug!("in a span"));
                }
                ($n, Place::Decision) => dashcam::decision!("decided", $name = ?live),
            )*
            (n, Place::Fact) => dashcam::current().unwrap().fact(name(n), format!("{live:?}")),
            (n, Place::Reason) => dashcam::keep(format!("{}{live:?}", opening(n))),
            (_, Place::Failure | Place::CallError | Place::Server) => {}
            (n, _) => panic!("{n} sayings"),
        }
    }};
}

/// The most sayings in one request.
pub(crate) const MOST: usize = 4;

/// Logs what is due at this step.
pub(crate) fn say(plan: &Plan, step: Step) {
    for saying in plan.sayings.iter().filter(|saying| saying.step == step) {
        say!(saying;
            0 said0 "said so 0: "
            1 said1 "said so 1: "
            2 said2 "said so 2: "
            3 said3 "said so 3: ");
    }
}

/// What the service knows of the request in addition to its head and body.
pub(crate) fn state(plan: &Plan) {
    for (name, value) in &plan.facts {
        dashcam::current()
            .unwrap()
            .fact(name.clone(), value.as_str());
    }
    for value in &plan.hidden {
        tracing::info!(password = value.as_str(), "in a hidden field");
    }
}

/// The text of an error or a panic.
pub(crate) fn failure(plan: &Plan) -> Option<String> {
    let mut sayings = plan.sayings.iter();
    let saying = sayings.find(|saying| saying.place == Place::Failure)?;
    Some(format!("planned: {}{:?}", opening(saying.n), saying.live))
}
