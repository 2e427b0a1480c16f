use crate::{
    context::{OwnLine, RequestContext},
    exchange::Outcome,
    keeper::{Ended, Keeper, NotKept},
};
use tracing::{Level, Span};

/// Whether the exchange is kept; or why not, if it should be.
type Kept = Result<bool, NotKept>;

/// The one log line of each request.
#[derive(Debug)]
pub(super) struct RequestLine {
    /// Without `kept`, which is not known yet.
    line: OwnLine,
    level: Level,
}

impl RequestLine {
    /// `bytes` are the bytes of the request's body and of the response's.
    pub(super) fn new(method: &'static str, ended: &Ended, bytes: (u64, u64)) -> Self {
        // Whole microseconds: more digits than the clock has would be noise.
        let micros = u64::try_from(ended.duration.as_micros()).unwrap_or(u64::MAX);
        Self {
            level: match ended.outcome {
                Outcome::Completed | Outcome::Abandoned => Level::INFO,
                _ => Level::ERROR,
            },
            line: OwnLine {
                method,
                status: ended.status.map(|status| status.as_u16()),
                outcome: ended.outcome.as_str(),
                duration_ms: micros as f64 / 1e3,
                request_bytes: signed(bytes.0),
                response_bytes: signed(bytes.1),
                kept: false,
                not_kept: None,
            },
        }
    }

    /// Writes the line to the log. If this thread unwinds, another thread writes it: a panic of
    /// the service's output layer would otherwise end the process.
    pub(super) fn write(
        mut self,
        span: &Span,
        context: &RequestContext,
        keeper: &Keeper,
        kept: Kept,
    ) {
        self.line.not_kept = kept.err().map(NotKept::as_str);
        self.line.kept = kept == Ok(true);
        if std::thread::panicking() {
            let (span, context) = (span.clone(), context.clone());
            keeper.run_elsewhere(Box::new(move || {
                let _entered = context.enter();
                self.emit(&span, &context);
            }));
        } else {
            self.emit(span, context);
        }
    }

    fn emit(&self, span: &Span, context: &RequestContext) {
        let line = &self.line;
        // The log layer also writes these fields in this order.
        macro_rules! emit_at {
            ($level:ident) => {
                tracing::$level!(
                    target: crate::targets::REQUEST_TARGET,
                    parent: span,
                    {
                        http.request.method = line.method,
                        http.route = context.shared().route(),
                        http.response.status_code = line.status.map(i64::from),
                        outcome = line.outcome,
                        duration_ms = line.duration_ms,
                        http.request.body.size = line.request_bytes,
                        http.response.body.size = line.response_bytes,
                        kept = line.kept,
                        not_kept = line.not_kept,
                    },
                    "request"
                )
            };
        }
        line.with(context, || match self.level {
            Level::ERROR => emit_at!(error),
            _ => emit_at!(info),
        });
    }
}

fn signed(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}
