use crate::exchange::{Depth, Exchange, Failure, KeepReason, Mode, Outcome};
use serde::Serialize;

/// What a list says of an exchange.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Row {
    pub(crate) started_at: String,
    pub(crate) id: String,
    pub(crate) correlation_id: String,
    pub(crate) service: String,
    pub(crate) method: String,
    pub(crate) path: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) query: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) route: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) status: Option<u16>,
    pub(crate) outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) failure: Option<Failure>,
    /// The message of the panic.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) panic: Option<String>,
    /// The service's error, or what the first event at ERROR said; of a failure without
    /// either the last at WARN.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<String>,
    pub(crate) duration_us: u64,
    pub(crate) slow: bool,
    pub(crate) kept_for: Vec<KeepReason>,
    pub(crate) mode: Mode,
    pub(crate) depth: Depth,
    /// Failures like it that were only counted since the one before it.
    #[serde(skip_serializing_if = "is_zero")]
    pub(crate) suppressed_before: u64,
    /// When the first and the last of those ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) suppressed_first_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) suppressed_last_at: Option<String>,
}

#[allow(clippy::trivially_copy_pass_by_ref)] // what serde asks for
fn is_zero(n: &u64) -> bool {
    *n == 0
}

impl Row {
    pub(crate) fn of(exchange: &Exchange) -> Self {
        Self {
            started_at: exchange.started_at.clone(),
            id: exchange.id.clone(),
            correlation_id: exchange.correlation.id.clone(),
            service: exchange.service.name.clone(),
            method: exchange.request.method.clone(),
            path: exchange.request.path.clone(),
            query: exchange.request.query.clone(),
            route: exchange.request.route.clone(),
            status: exchange.response.as_ref().map(|response| response.status),
            outcome: exchange.outcome.as_str(),
            failure: match &exchange.outcome {
                Outcome::Failed { failure } => Some(failure.clone()),
                _ => None,
            },
            panic: exchange.panic.as_ref().map(|panic| panic.message.clone()),
            error: exchange.error.clone().or_else(|| said(exchange)),
            duration_us: exchange.timing.duration_us,
            slow: exchange.slow,
            kept_for: exchange.keep.clone(),
            mode: exchange.mode.clone(),
            depth: exchange.depth,
            suppressed_before: exchange.losses.suppressed_before,
            suppressed_first_at: exchange.losses.suppressed_first_at.clone(),
            suppressed_last_at: exchange.losses.suppressed_last_at.clone(),
        }
    }
}

/// What an event says of why it went wrong.
fn said(exchange: &Exchange) -> Option<String> {
    let of = |level: &'static str| {
        let events = exchange.events.iter();
        events.filter(move |event| event.level == level)
    };
    let event = of("ERROR").next().or_else(|| match exchange.outcome {
        Outcome::Failed { .. } => of("WARN").next_back(),
        _ => None,
    });
    event.and_then(|event| event.message.clone())
}
