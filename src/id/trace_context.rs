use super::{
    SpanId, TraceFlags, TraceId, TraceParent, TraceState, baggage, baggage::BAGGAGE, put_new,
    traceparent::TRACEPARENT, tracestate::TRACESTATE,
};
use http::{HeaderMap, HeaderValue};
use std::{fmt, sync::Arc};

/// A request's place in its trace: W3C Trace Context, level 2.
///
/// A request with a valid `traceparent` goes on with the trace it names, its
/// flags and its `tracestate`. Any other request starts one, with the flag
/// *random* and without *sampled*: dashcam is no tracing system and records no
/// trace data, so it decides nothing and leaves a caller's decision as it is. A
/// started trace ID is a UUIDv7; where the correlation ID was minted here, both
/// are the same UUID.
///
/// Beside OpenTelemetry (feature `opentelemetry`) the ID of a started trace, the
/// span ID and *sampled* are those of the request's span.
#[derive(Clone)]
pub struct TraceContext {
    trace_id: TraceId,
    parent_id: Option<SpanId>,
    span_id: SpanId,
    flags: TraceFlags,
    /// Most requests carry nothing.
    carried: Option<Arc<Carried>>,
    /// Where a tracing library has a span for it, whose IDs these are: asks for the
    /// innermost one of a trace that is current.
    innermost: Option<Innermost>,
}

/// Which span of this trace is the innermost one that is current, and its flags.
pub(crate) type Innermost = fn(TraceId) -> Option<(SpanId, TraceFlags)>;

/// What goes on to other services as it came.
#[derive(Debug, Default)]
pub(crate) struct Carried {
    state: Option<TraceState>,
    baggage: Option<HeaderValue>,
    /// The parent that a stranger sent, which goes nowhere.
    client: Option<TraceParent>,
}

impl Carried {
    /// What a caller with this `traceparent` sent to be passed on, where there is any.
    pub(crate) fn from_headers(
        headers: &HeaderMap,
        parent: Option<TraceParent>,
    ) -> Option<Arc<Self>> {
        // Without a valid parent the list must not even be looked at.
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
    /// Goes on with the trace of `parent`, or starts one with the ID that
    /// `trace_id` makes.
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

    /// Starts a trace where a stranger's parent is not believed.
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

    /// The same place, where a tracing library records it as a span and has chosen
    /// its IDs and flags. `state` is what a sampler made of the list.
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

    /// The place of a request that is a part of this one.
    pub(crate) fn within(self) -> Self {
        Self {
            parent_id: Some(self.span_id),
            span_id: SpanId::random(),
            ..self
        }
    }

    /// The valid parent that a client outside sent, in edge mode.
    #[must_use]
    pub fn client_parent(&self) -> Option<TraceParent> {
        self.carried.as_ref()?.client
    }

    /// Who called, as the one valid `traceparent` says.
    pub(crate) fn parent(headers: &HeaderMap) -> Option<TraceParent> {
        TraceParent::from_headers(headers)
    }

    /// The trace.
    #[must_use]
    pub fn trace_id(&self) -> TraceId {
        self.trace_id
    }

    /// The operation of the caller; none where the trace was started here.
    #[must_use]
    pub fn parent_id(&self) -> Option<SpanId> {
        self.parent_id
    }

    /// The request's own operation.
    #[must_use]
    pub fn span_id(&self) -> SpanId {
        self.span_id
    }

    /// The flags of the trace, those of the caller where there is one.
    #[must_use]
    pub fn flags(&self) -> TraceFlags {
        self.flags
    }

    /// What tracing systems say of the trace, where a valid `tracestate` came
    /// with a valid `traceparent`.
    #[must_use]
    pub fn trace_state(&self) -> Option<&TraceState> {
        self.carried.as_ref()?.state.as_ref()
    }

    /// The inbound W3C Baggage as it is passed on: at most 64 members and 8,192
    /// bytes.
    #[must_use]
    pub fn baggage(&self) -> Option<&HeaderValue> {
        self.carried.as_ref()?.baggage.as_ref()
    }

    /// The `traceparent` of an outgoing call, with a fresh ID for that call.
    ///
    /// Where OpenTelemetry records the request, the call's parent is the innermost
    /// span of the request that is current, so that it is found in the trace.
    #[must_use]
    pub fn child(&self) -> TraceParent {
        if let Some(innermost) = self.innermost {
            let innermost = innermost(self.trace_id);
            let (span_id, flags) = innermost.unwrap_or((self.span_id, self.flags));
            return TraceParent::new(self.trace_id, span_id, flags);
        }
        TraceParent::new(self.trace_id, SpanId::random(), self.flags)
    }

    /// The place of an outgoing call, which `sent` names where it is of this trace.
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

    /// The request's own place as a `traceparent`.
    #[must_use]
    pub fn own(&self) -> TraceParent {
        TraceParent::new(self.trace_id, self.span_id, self.flags)
    }

    /// Its own place as a metric of the header `Server-Timing`.
    pub(crate) fn server_timing(&self) -> HeaderValue {
        let text = format!("trace;desc=\"{}\"", self.own());
        // Digits, hyphens and quotes are header text; the fallback is never taken.
        HeaderValue::from_maybe_shared(bytes::Bytes::from(text))
            .unwrap_or_else(|_| HeaderValue::from_static("trace"))
    }

    /// Puts `traceparent` and `tracestate` of an outgoing call among its headers.
    /// A parent that is there stays, and then the state is that parent's.
    pub(crate) fn propagate(&self, headers: &mut HeaderMap) {
        let is_ours = put_new(headers, &TRACEPARENT, || self.child().to_header_value());
        if let Some(state) = self.trace_state().filter(|_| is_ours) {
            put_new(headers, &TRACESTATE, || state.as_header_value().clone());
        }
    }

    /// Puts the baggage among the headers of an outgoing call that has none.
    pub(crate) fn propagate_baggage(&self, headers: &mut HeaderMap) {
        if let Some(baggage) = self.baggage() {
            put_new(headers, &BAGGAGE, || baggage.clone());
        }
    }

    /// Replaces what a stranger sent, for code that hands the headers on.
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
