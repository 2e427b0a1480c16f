use super::{Depth, Exchange, Failure, KeepReason, Mode, Outcome};
use serde::Serialize;

/// What a list shows of an exchange.
#[derive(Serialize)]
struct Summary<'a> {
    started_at: &'a str,
    id: &'a str,
    correlation_id: &'a str,
    service: &'a str,
    method: &'a str,
    path: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    query: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    route: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<&'a Failure>,
    #[serde(skip_serializing_if = "Option::is_none")]
    panic: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
    duration_us: u64,
    slow: bool,
    kept_for: &'a [KeepReason],
    mode: &'a Mode,
    depth: Depth,
    #[serde(skip_serializing_if = "super::body::is_zero")]
    suppressed_before: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    suppressed_first_at: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    suppressed_last_at: Option<&'a str>,
}

impl Exchange {
    /// Returns the summary that `dashcam ls --json` and the admin router show of an exchange
    /// in a list, for a serialiser.
    ///
    /// Its members have the values, and mostly the names, of the fields they come from. Those
    /// that are absent in the exchange are left out. `error` is the service's error, or else
    /// the message of an event as in [`error_text`](Self::error_text).
    #[must_use]
    pub fn summary(&self) -> impl Serialize + '_ {
        Summary {
            started_at: &self.started_at,
            id: &self.id,
            correlation_id: &self.correlation.id,
            service: &self.service.name,
            method: &self.request.method,
            path: &self.request.path,
            query: self.request.query.as_deref(),
            route: self.request.route.as_deref(),
            status: self.response.as_ref().map(|response| response.status),
            outcome: self.outcome.as_str(),
            failure: match &self.outcome {
                Outcome::Failed { failure } => Some(failure),
                _ => None,
            },
            panic: self.panic.as_ref().map(|panic| panic.message.as_str()),
            error: self.error.as_deref().or_else(|| self.event_text()),
            duration_us: self.timing.duration_us,
            slow: self.slow,
            kept_for: &self.keep,
            mode: &self.mode,
            depth: self.depth,
            suppressed_before: self.losses.suppressed_before,
            suppressed_first_at: self.losses.suppressed_first_at.as_deref(),
            suppressed_last_at: self.losses.suppressed_last_at.as_deref(),
        }
    }

    /// Returns the first of these that the exchange has: the message of the panic, the
    /// service's error, the message of the first event at ERROR, or, if the outcome is
    /// [`Outcome::Failed`], the message of the last event at WARN.
    #[must_use]
    pub fn error_text(&self) -> Option<&str> {
        let panic = self.panic.as_ref().map(|panic| panic.message.as_str());
        panic
            .or(self.error.as_deref())
            .or_else(|| self.event_text())
    }

    fn event_text(&self) -> Option<&str> {
        let of = |level: &'static str| {
            let events = self.events.iter();
            events.filter(move |event| event.level == level)
        };
        let event = of("ERROR").next().or_else(|| match self.outcome {
            Outcome::Failed { .. } => of("WARN").next_back(),
            _ => None,
        });
        event.and_then(|event| event.message.as_deref())
    }
}
