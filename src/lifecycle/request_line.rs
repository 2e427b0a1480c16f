use crate::{
    context::RequestContext,
    exchange::Outcome,
    keeper::{Ended, Keeper, NotKept},
};
use http::StatusCode;
use tracing::Span;

/// Whether the exchange is kept; where it should be and is not, why.
type Kept = Result<bool, NotKept>;

/// The one line that every request leaves in the log.
#[derive(Debug)]
pub(super) struct RequestLine {
    method: &'static str,
    outcome: Outcome,
    status: Option<StatusCode>,
    duration_ms: f64,
    // OpenTelemetry has no unsigned integers.
    request_bytes: i64,
    response_bytes: i64,
}

impl RequestLine {
    /// `bytes` are those of the request's body and of the response's.
    pub(super) fn new(method: &'static str, ended: &Ended, bytes: (u64, u64)) -> Self {
        Self {
            method,
            outcome: ended.outcome.clone(),
            status: ended.status,
            // Whole microseconds: more digits than the clock has are noise.
            duration_ms: u64::try_from(ended.duration.as_micros()).unwrap_or(u64::MAX) as f64 / 1e3,
            request_bytes: signed(bytes.0),
            response_bytes: signed(bytes.1),
        }
    }

    /// Writes the line into the log, on another thread where this one unwinds:
    /// a panic in somebody's output layer would then end the process.
    pub(super) fn write(self, span: &Span, context: &RequestContext, keeper: &Keeper, kept: Kept) {
        if std::thread::panicking() {
            let (span, context) = (span.clone(), context.clone());
            keeper.run_elsewhere(Box::new(move || {
                let _entered = context.enter();
                self.emit(&span, &context, kept);
            }));
        } else {
            self.emit(span, context, kept);
        }
    }

    fn emit(&self, span: &Span, context: &RequestContext, kept: Kept) {
        let not_kept = kept.err().map(NotKept::as_str);
        let kept = kept == Ok(true);
        let shared = context.shared();
        let route = shared.route();
        macro_rules! emit_at {
            ($level:ident) => {
                tracing::$level!(
                    target: crate::targets::REQUEST_TARGET,
                    parent: span,
                    {
                        http.request.method = self.method,
                        http.route = route,
                        http.response.status_code = self.status.map(|status| i64::from(status.as_u16())),
                        outcome = self.outcome.as_str(),
                        duration_ms = self.duration_ms,
                        http.request.body.size = self.request_bytes,
                        http.response.body.size = self.response_bytes,
                        kept,
                        not_kept,
                    },
                    "request"
                )
            };
        }
        match self.outcome {
            Outcome::Completed | Outcome::Abandoned => emit_at!(info),
            _ => emit_at!(error),
        }
    }
}

fn signed(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}
