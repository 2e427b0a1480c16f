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
    pub(crate) route: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) status: Option<u16>,
    pub(crate) outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) failure: Option<Failure>,
    pub(crate) duration_us: u64,
    pub(crate) slow: bool,
    pub(crate) kept_for: Vec<KeepReason>,
    pub(crate) mode: Mode,
    pub(crate) depth: Depth,
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
            route: exchange.request.route.clone(),
            status: exchange.response.as_ref().map(|response| response.status),
            outcome: exchange.outcome.as_str(),
            failure: match &exchange.outcome {
                Outcome::Failed { failure } => Some(failure.clone()),
                _ => None,
            },
            duration_us: exchange.timing.duration_us,
            slow: exchange.slow,
            kept_for: exchange.keep.clone(),
            mode: exchange.mode.clone(),
            depth: exchange.depth,
        }
    }
}
