use crate::exchange::{Depth, Exchange, Failure, KeepReason, Mode, Outcome};
use serde::Serialize;

/// What a list says of an exchange. As JSON it is what `dashcam ls --json` and the admin
/// router show.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Row {
    /// When it began, as in the exchange.
    pub started_at: String,
    /// The ID of the exchange.
    pub id: String,
    /// The correlation ID.
    pub correlation_id: String,
    /// The name of the service.
    pub service: String,
    /// The method.
    pub method: String,
    /// The path, redacted.
    pub path: String,
    /// The query without `?`, redacted and percent-encoded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub query: Option<String>,
    /// The route template, where the router named one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub route: Option<String>,
    /// The status, where there is a response.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// How it ended, in a word.
    pub outcome: &'static str,
    /// Why it counts as failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
    /// The message of the panic.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub panic: Option<String>,
    /// The service's error, or what the first event at ERROR said; of a failure without
    /// either the last at WARN.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// How long it took, in microseconds.
    pub duration_us: u64,
    /// Whether it was slow.
    pub slow: bool,
    /// Why it was kept.
    pub kept_for: Vec<KeepReason>,
    /// Whether its events were recorded, or live.
    pub mode: Mode,
    /// How much of it was kept.
    pub depth: Depth,
    /// Failures like it that were only counted since the one before it.
    #[serde(skip_serializing_if = "is_zero")]
    pub suppressed_before: u64,
    /// When the first of those ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub suppressed_first_at: Option<String>,
    /// When the last of those ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub suppressed_last_at: Option<String>,
}

#[allow(clippy::trivially_copy_pass_by_ref)] // what serde asks for
fn is_zero(n: &u64) -> bool {
    *n == 0
}

impl Row {
    /// The row of this exchange.
    #[must_use]
    pub fn new(exchange: &Exchange) -> Self {
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
