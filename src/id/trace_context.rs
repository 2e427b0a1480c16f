use super::{
    SpanId, TraceFlags, TraceId, TraceParent, baggage,
    baggage::BAGGAGE,
    put_new,
    traceparent::TRACEPARENT,
    tracestate::{TRACESTATE, TraceState},
};
use http::{HeaderMap, HeaderValue};
use std::{fmt, sync::Arc};

/// A request's position in its trace: W3C Trace Context, level 2.
///
/// A request with a valid `traceparent` continues that trace, with its flags and its
/// `tracestate`. Any other request starts a trace, with the flag *random* and without
/// *sampled*. dashcam records no trace data, so it makes no sampling decision and does not
/// change the caller's. The ID of a started trace is a UUIDv7. If dashcam also minted the
/// correlation ID, both are the same UUID.
///
/// With OpenTelemetry (feature `opentelemetry`), the ID of a started trace, the span ID and
/// *sampled* are those of the request's span.
#[derive(Clone)]
pub struct TraceContext {
    trace_id: TraceId,
    parent_id: Option<SpanId>,
    span_id: SpanId,
    flags: TraceFlags,
    /// Most requests carry nothing.
    carried: Option<Arc<Carried>>,
    /// Returns the innermost current span of the trace, if a tracing library has a span for
    /// the request; the IDs are then that span's.
    innermost: Option<Innermost>,
}

/// Returns the innermost current span of this trace, and its flags.
pub(crate) type Innermost = fn(TraceId) -> Option<(SpanId, TraceFlags)>;

/// Inbound headers that are forwarded unchanged.
#[derive(Debug, Default)]
pub(crate) struct Carried {
    state: Option<TraceState>,
    baggage: Option<HeaderValue>,
    /// The parent that an untrusted client sent; never forwarded.
    client: Option<TraceParent>,
}

impl Carried {
    /// Returns the headers to forward for a caller with this `traceparent`, if there are
    /// any.
    pub(crate) fn from_headers(
        headers: &HeaderMap,
        parent: Option<TraceParent>,
    ) -> Option<Arc<Self>> {
        // Without a valid parent, the specification forbids parsing the list.
        let state = parent.and_then(|_| TraceState::from_headers(headers));
        let baggage = baggage::from_headers(headers);
        (state.is_some() || baggage.is_some()).then(|| {
            Arc::new(Self {
                state,
                baggage,
                client: None,
            })
        })
    }
}

impl TraceContext {
    /// Continues the trace of `parent`, or starts one with the ID that `trace_id` makes.
    pub(crate) fn inbound(
        parent: Option<TraceParent>,
        carried: Option<Arc<Carried>>,
        trace_id: impl FnOnce() -> TraceId,
    ) -> Self {
        match parent {
            Some(parent) => Self {
                trace_id: parent.trace_id,
                parent_id: Some(parent.parent_id),
                span_id: SpanId::random(),
                flags: parent.flags,
                carried,
                innermost: None,
            },
            None => Self {
                carried,
                ..Self::start(trace_id())
            },
        }
    }

    /// Starts a trace with an ID whose right-most seven bytes are random, and
    /// carries nothing.
    pub(crate) fn start(trace_id: TraceId) -> Self {
        Self {
            trace_id,
            parent_id: None,
            span_id: SpanId::random(),
            flags: TraceFlags::RANDOM,
            carried: None,
            innermost: None,
        }
    }

    /// Starts a trace for an untrusted client, and keeps its parent for the record.
    pub(crate) fn restart(trace_id: TraceId, client: Option<TraceParent>) -> Self {
        let carried = client.map(|client| {
            Arc::new(Carried {
                client: Some(client),
                ..Carried::default()
            })
        });
        Self {
            carried,
            ..Self::start(trace_id)
        }
    }

    /// The same position with the IDs and flags of the span with which a tracing library
    /// records it. `state` is the list that the sampler returned.
    #[cfg(feature = "opentelemetry")]
    pub(crate) fn with_span(
        &self,
        trace_id: TraceId,
        span_id: SpanId,
        flags: TraceFlags,
        state: Option<&str>,
        innermost: Innermost,
    ) -> Self {
        let mut this = Self {
            trace_id,
            span_id,
            flags,
            innermost: Some(innermost),
            ..self.clone()
        };
        if let Some(state) = state {
            let mut carried = Carried {
                state: TraceState::from_text(state),
                ..Carried::default()
            };
            if let Some(before) = &self.carried {
                carried.baggage.clone_from(&before.baggage);
                carried.client = before.client;
            }
            this.carried = Some(Arc::new(carried));
        }
        this
    }

    /// The position of a request that is a part of this one.
    pub(crate) fn within(self) -> Self {
        Self {
            parent_id: Some(self.span_id),
            span_id: SpanId::random(),
            ..self
        }
    }

    /// Returns the valid `traceparent` that the client sent, in [edge
    /// mode](crate::correlation::CorrelationIdLayer::edge).
    #[must_use]
    pub fn client_parent(&self) -> Option<TraceParent> {
        self.carried.as_ref()?.client
    }

    /// Returns the caller's position: the one valid `traceparent`.
    pub(crate) fn parent(headers: &HeaderMap) -> Option<TraceParent> {
        TraceParent::from_headers(headers)
    }

    /// Returns the ID of the trace.
    #[must_use]
    pub fn trace_id(&self) -> TraceId {
        self.trace_id
    }

    /// Returns the span ID of the caller, or `None` if the trace was started here.
    #[must_use]
    pub fn parent_id(&self) -> Option<SpanId> {
        self.parent_id
    }

    /// Returns the span ID of the request itself.
    #[must_use]
    pub fn span_id(&self) -> SpanId {
        self.span_id
    }

    /// Returns whether the flag *sampled* is set. It is the caller's flag, or that of
    /// OpenTelemetry's span.
    #[must_use]
    pub fn is_sampled(&self) -> bool {
        self.flags.is_sampled()
    }

    pub(crate) fn flags(&self) -> TraceFlags {
        self.flags
    }

    /// Returns the inbound `tracestate` as dashcam forwards it, if a valid one came with a
    /// valid `traceparent`: 1 to 32 entries, at most 2,048 bytes. If the list is longer,
    /// dashcam leaves out entries of more than 128 bytes first, then others, each time the
    /// last one.
    #[must_use]
    pub fn trace_state(&self) -> Option<&HeaderValue> {
        let state = self.carried.as_ref()?.state.as_ref();
        state.map(TraceState::as_header_value)
    }

    /// Returns the inbound W3C Baggage as dashcam forwards it: at most 64 members and 8,192
    /// bytes.
    #[must_use]
    pub fn baggage(&self) -> Option<&HeaderValue> {
        self.carried.as_ref()?.baggage.as_ref()
    }

    /// Returns the `traceparent` for an outgoing call, with a fresh span ID for that call.
    ///
    /// If OpenTelemetry records the request, the span ID is that of the request's innermost
    /// current span, so that the call has its parent in the trace.
    #[must_use]
    pub fn child(&self) -> TraceParent {
        if let Some(innermost) = self.innermost {
            let innermost = innermost(self.trace_id);
            let (span_id, flags) = innermost.unwrap_or((self.span_id, self.flags));
            return TraceParent::new(self.trace_id, span_id, flags);
        }
        TraceParent::new(self.trace_id, SpanId::random(), self.flags)
    }

    /// The position of an outgoing call: the one that `sent` names, if it is in this trace.
    pub(crate) fn of_call(&self, sent: Option<TraceParent>) -> Self {
        let sent = sent.filter(|sent| sent.trace_id == self.trace_id);
        Self {
            trace_id: self.trace_id,
            parent_id: Some(self.span_id),
            span_id: sent.map_or_else(SpanId::random, |sent| sent.parent_id),
            flags: self.flags,
            carried: None,
            innermost: None,
        }
    }

    /// Returns the request's own position as a `traceparent`.
    #[must_use]
    pub fn own(&self) -> TraceParent {
        TraceParent::new(self.trace_id, self.span_id, self.flags)
    }

    /// The request's own position as a metric of the header `Server-Timing`.
    pub(crate) fn server_timing(&self) -> HeaderValue {
        let text = format!("trace;desc=\"{}\"", self.own());
        // Digits, hyphens and quotes are header text; the fallback is never taken.
        HeaderValue::from_maybe_shared(bytes::Bytes::from(text))
            .unwrap_or_else(|_| HeaderValue::from_static("trace"))
    }

    /// Adds `traceparent` and `tracestate` to the headers of an outgoing call. A parent
    /// that is already there stays, and so does its state.
    pub(crate) fn propagate(&self, headers: &mut HeaderMap) {
        let is_ours = put_new(headers, &TRACEPARENT, || self.child().to_header_value());
        if let Some(state) = self.trace_state().filter(|_| is_ours) {
            put_new(headers, &TRACESTATE, || state.clone());
        }
    }

    /// Adds the baggage to the headers of an outgoing call that has none.
    pub(crate) fn propagate_baggage(&self, headers: &mut HeaderMap) {
        if let Some(baggage) = self.baggage() {
            put_new(headers, &BAGGAGE, || baggage.clone());
        }
    }

    /// Replaces the headers of an untrusted client, for code that forwards them.
    pub(crate) fn replace_in(&self, headers: &mut HeaderMap) {
        let own = || self.own().to_header_value();
        if headers.contains_key(&TRACEPARENT) && headers.try_insert(&TRACEPARENT, own()).is_err() {
            headers.remove(&TRACEPARENT);
        }
        headers.remove(&TRACESTATE);
        headers.remove(&BAGGAGE);
    }
}

impl fmt::Debug for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TraceContext")
            .field("trace_id", &self.trace_id)
            .field("parent_id", &self.parent_id)
            .field("span_id", &self.span_id)
            .field("flags", &self.flags)
            .finish_non_exhaustive()
    }
}
