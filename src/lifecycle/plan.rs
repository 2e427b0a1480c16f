use crate::{
    foreign::{self, Foreign},
    id::{
        Carried, CorrelationId, Error, Identity, Kind, MakeId, TraceContext, TraceId, TraceParent,
    },
    keeper::Keeper,
    recorder::MemoryBudget,
    selection::{Directives, Recorded, Rule, Selected, Steering},
};
use http::{HeaderMap, HeaderName, HeaderValue, header::Entry};
use std::{fmt, sync::Arc, time::SystemTime};

/// What one layer does in the lifecycle.
#[derive(Clone, Debug, Default)]
pub(crate) struct Plan {
    pub(crate) correlation: Option<CorrelationPlan>,
    pub(crate) verbose: Option<VerbosePlan>,
    pub(crate) keeper: Option<Arc<Keeper>>,
    /// Which side of the connection the layer is on.
    pub(crate) direction: crate::exchange::Direction,
    /// Whether a request that this layer begins gets a span.
    pub(crate) span: bool,
    /// Whether a request that this layer begins ends with a line in the log.
    pub(crate) request_line: bool,
}

impl Plan {
    /// Returns whether this layer captures the requests that no other layer captures.
    pub(super) fn captures(&self) -> bool {
        self.keeper.is_some()
    }
}

/// Which inbound IDs are trusted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Trust {
    /// A valid inbound ID is used.
    Inbound,
    /// Clients are not trusted: each request has a new ID, and the client's ID is kept beside it.
    Edge,
}

/// How the correlation ID is found and sent.
#[derive(Clone)]
pub(crate) struct CorrelationPlan {
    pub(crate) header: HeaderName,
    pub(crate) trust: Trust,
    pub(crate) echo: bool,
    /// Whether the response carries the trace.
    pub(crate) server_timing: bool,
    pub(crate) extra_characters: fn(u8) -> bool,
    /// Makes an ID. `None` makes a UUIDv7 from the time of arrival.
    pub(crate) make: Option<Foreign<Arc<MakeId>>>,
}

impl Default for CorrelationPlan {
    fn default() -> Self {
        Self {
            header: HeaderName::from_static("x-request-id"),
            trust: Trust::Inbound,
            echo: true,
            server_timing: false,
            extra_characters: |_| false,
            make: None,
        }
    }
}

impl CorrelationPlan {
    /// Returns the identity of a request with these headers.
    pub(super) fn identify(&self, headers: &HeaderMap, now: SystemTime) -> Identity {
        let caller = self.caller(headers);
        let inbound = self.inbound(headers.get_all(&self.header).iter());
        self.identity(caller, inbound, now)
    }

    /// Like [`identify`](Self::identify), but also writes the ID to the headers. Lookups of
    /// headers are the main cost here, so the ID's header is looked up once.
    pub(super) fn identify_in(&self, headers: &mut HeaderMap, now: SystemTime) -> Identity {
        let caller = self.caller(headers);
        // `None` if the map of headers is full: it stays without the ID.
        let place = headers.try_entry(&self.header).ok();
        let inbound = match &place {
            Some(Entry::Occupied(place)) => self.inbound(place.iter()),
            Some(Entry::Vacant(_)) | None => None,
        };
        let identity = self.identity(caller, inbound, now);
        if let (Some(id), Some(place)) = (&identity.id, place) {
            put(id, place);
        }
        identity
    }

    /// Writes the ID to the headers of a request or a response.
    pub(super) fn say(&self, id: &CorrelationId, headers: &mut HeaderMap) {
        if let Ok(place) = headers.try_entry(&self.header) {
            put(id, place);
        }
    }

    /// Returns the inbound parent, and what is propagated with it.
    fn caller(&self, headers: &HeaderMap) -> (Option<TraceParent>, Option<Arc<Carried>>) {
        let parent = TraceContext::parent(headers);
        let carried = match self.trust {
            Trust::Inbound => Carried::from_headers(headers, parent),
            Trust::Edge => None,
        };
        (parent, carried)
    }

    fn identity(
        &self,
        (parent, carried): (Option<TraceParent>, Option<Arc<Carried>>),
        inbound: Option<Result<CorrelationId, Error>>,
        now: SystemTime,
    ) -> Identity {
        let rejected = inbound.as_ref().and_then(|id| id.as_ref().err().copied());
        let inbound = inbound.and_then(Result::ok);
        // At an edge nothing inbound is trusted; it is all kept beside the IDs made here.
        let edge = self.trust == Trust::Edge;
        let from_header = !edge && inbound.is_some();
        let (inbound, client_id) = if edge {
            (None, inbound)
        } else {
            (inbound, None)
        };
        let of_trace = || parent.filter(|_| !edge).and_then(from_parent);
        let (id, minted) = match inbound.or_else(of_trace) {
            Some(id) => (id, None),
            None => self.make(now),
        };
        let trace_id = || minted.unwrap_or_else(|| TraceId::mint_at(now));
        let trace = if edge {
            TraceContext::restart(trace_id(), parent)
        } else {
            TraceContext::inbound(parent, carried, trace_id)
        };
        Identity {
            id: Some(id),
            from_header,
            client_id,
            rejected,
            trace: Some(trace),
        }
    }

    fn inbound<'v>(
        &self,
        mut values: impl Iterator<Item = &'v HeaderValue>,
    ) -> Option<Result<CorrelationId, Error>> {
        let first = values.next()?;
        Some(if values.next().is_some() {
            Err(Error(Kind::Repeated))
        } else {
            let extra = self.extra_characters;
            foreign::run(|| CorrelationId::from_header(first, extra))
                .unwrap_or(Err(Error(Kind::Character)))
        })
    }

    /// Makes an ID. Returns the matching trace ID, too, if the ID is one of dashcam's own.
    fn make(&self, now: SystemTime) -> (CorrelationId, Option<TraceId>) {
        // A panic of the generator must not fail the request.
        let made = self
            .make
            .as_ref()
            .and_then(Foreign::get)
            .and_then(|make| foreign::run(|| make()));
        if let Some(id) = made {
            return (id, None);
        }
        let (id, trace_id) = CorrelationId::mint_with_trace(now);
        (id, Some(trace_id))
    }
}

fn put(id: &CorrelationId, place: Entry<'_, HeaderValue>) {
    let id = id.as_header_value();
    match place {
        Entry::Vacant(place) => {
            let _ = place.try_insert(id.clone());
        }
        // An accepted header already carries the ID.
        Entry::Occupied(place) if place.get() == id => {}
        Entry::Occupied(mut place) => {
            place.insert(id.clone());
        }
    }
}

fn from_parent(parent: TraceParent) -> Option<CorrelationId> {
    CorrelationId::of_trace(parent.trace_id).ok()
}

impl fmt::Debug for CorrelationPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CorrelationPlan")
            .field("header", &self.header)
            .field("trust", &self.trust)
            .field("echo", &self.echo)
            .finish_non_exhaustive()
    }
}

/// Which requests are verbose, and whether events of the others are recorded.
#[derive(Clone, Debug)]
pub(crate) struct VerbosePlan {
    /// Whether requests are recorded. The gate decides which of their events are.
    pub(crate) recorded: Arc<Recorded>,
    pub(crate) recording_limit: usize,
    pub(crate) memory: Option<Arc<MemoryBudget>>,
    pub(crate) steering: Steering,
    /// The header whose plain text selects a request, if that is enabled.
    pub(crate) plain_header: Option<HeaderName>,
    /// The tokens that select a request.
    #[cfg(feature = "token")]
    pub(crate) tokens: Option<crate::token::Tokens>,
    /// Which calls carry the selection on.
    #[cfg(feature = "token")]
    pub(crate) propagation: Option<Arc<crate::token::Propagation>>,
}

impl Default for VerbosePlan {
    fn default() -> Self {
        Self {
            recorded: Arc::new(Recorded::new(Some(Directives::level(
                tracing::level_filters::LevelFilter::DEBUG,
            )))),
            recording_limit: 64 * 1024,
            memory: None,
            steering: Steering::default(),
            plain_header: None,
            #[cfg(feature = "token")]
            tokens: None,
            #[cfg(feature = "token")]
            propagation: None,
        }
    }
}

impl VerbosePlan {
    /// Returns what the header selects, if that is enabled.
    pub(super) fn by_header(&self, headers: &HeaderMap) -> Option<Arc<Selected>> {
        let name = self.plain_header.as_ref()?;
        let mut values = headers.get_all(name).iter();
        let value = values.next()?;
        // Several values count as none.
        if values.next().is_some() || value.len() > 256 {
            return None;
        }
        let directives = match value.to_str().ok()?.trim() {
            "" | "1" | "true" => "debug",
            text => text,
        };
        let now = std::time::SystemTime::now();
        let rule = Rule::new(name.as_str(), now).verbose(directives).ok()?;
        Some(self.steering.by_header(&rule, None))
    }
}
