use ::opentelemetry::trace::{SpanId, TraceId};
use opentelemetry_sdk::trace::{IdGenerator, RandomIdGenerator};
use std::cell::Cell;

thread_local! {
    /// The trace of the request whose span is being started.
    static STARTING: Cell<Option<TraceId>> = const { Cell::new(None) };
}

/// Runs `f`, which starts the span of a request in this trace.
pub(super) fn starting<R>(trace_id: TraceId, f: impl FnOnce() -> R) -> R {
    struct Clear;
    impl Drop for Clear {
        fn drop(&mut self) {
            let _ = STARTING.try_with(Cell::take);
        }
    }
    let _ = STARTING.try_with(|starting| starting.set(Some(trace_id)));
    let _clear = Clear;
    f()
}

/// A generator that makes the trace ID of a request from its correlation ID: that ID
/// without its hyphens, if dashcam made it.
///
/// So the correlation ID leads to the trace in every tool. An inbound trace keeps its ID;
/// the correlation ID is then made from it, unless one came in. All other IDs are made by
/// another generator, by default the SDK's.
///
/// ```
/// use dashcam::opentelemetry::{RequestIds, SampleSelected};
/// use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider};
///
/// let provider = SdkTracerProvider::builder()
///     .with_id_generator(RequestIds::default())
///     .with_sampler(SampleSelected::or(Sampler::TraceIdRatioBased(0.1)))
///     .build();
/// # let _ = provider;
/// ```
///
/// # Sampling
///
/// Such an ID is a UUID of version 7. Its right-most seven bytes are random, as W3C Trace
/// Context requires; the byte before them is not. `Sampler::TraceIdRatioBased` uses all eight,
/// so that *alone it samples no such trace up to a ratio of one half, and every one from three
/// quarters on*. Pass it to [`SampleSelected::or`](super::SampleSelected), which shows it the
/// random bytes first.
#[derive(Debug)]
#[must_use]
pub struct RequestIds {
    rest: Box<dyn IdGenerator>,
}

impl RequestIds {
    /// Creates a generator that makes all IDs except those of requests' traces with this one.
    pub fn or(rest: impl IdGenerator + 'static) -> Self {
        Self {
            rest: Box::new(rest),
        }
    }
}

impl Default for RequestIds {
    fn default() -> Self {
        Self::or(RandomIdGenerator::default())
    }
}

impl IdGenerator for RequestIds {
    fn new_trace_id(&self) -> TraceId {
        // It is used once: a root span that begins in the request is a trace of its own.
        let starting = STARTING.try_with(Cell::take).unwrap_or_default();
        starting.unwrap_or_else(|| self.rest.new_trace_id())
    }

    fn new_span_id(&self) -> SpanId {
        self.rest.new_span_id()
    }
}

/// The ID as samplers by ratio need it. They use the right-most eight bytes as a number, so
/// that those of a UUID are turned to have their random bytes first.
pub(super) fn for_ratio(trace_id: TraceId) -> TraceId {
    let mut bytes = trace_id.to_bytes();
    let is_uuid = bytes[6] >> 4 == 7 && bytes[8] >> 6 == 0b10;
    if is_uuid {
        bytes[8..].rotate_left(1);
    }
    TraceId::from_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_random_bytes_come_first() {
        let uuid = TraceId::from_hex("01a20747b884773888ce62ae1b34f1da").unwrap();
        let turned = TraceId::from_hex("01a20747b8847738ce62ae1b34f1da88").unwrap();
        assert_eq!(for_ratio(uuid), turned);
        let random = TraceId::from_hex("4bf92f3577b34da6a3ce929d0e0e4736").unwrap();
        assert_eq!(for_ratio(random), random);
    }

    #[test]
    fn it_is_given_once() {
        let ids = RequestIds::default();
        let ours = TraceId::from_hex("01a20747b884773888ce62ae1b34f1da").unwrap();
        starting(ours, || {
            assert_eq!(ids.new_trace_id(), ours);
            assert_ne!(ids.new_trace_id(), ours);
        });
        starting(ours, || {});
        assert_ne!(ids.new_trace_id(), ours);
    }
}
