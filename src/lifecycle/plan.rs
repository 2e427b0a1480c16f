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
    /// Whether this layer captures the requests that no other one does.
    pub(super) fn captures(&self) -> bool {
        self.keeper.is_some()
    }
}

/// Which inbound IDs are believed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Trust {
    /// A valid inbound ID goes on.
    Inbound,
    /// Clients are strangers: a fresh ID for every request, theirs kept beside it.
    Edge,
}

/// How the correlation ID is found and shown.
#[derive(Clone)]
pub(crate) struct CorrelationPlan {
    pub(crate) header: HeaderName,
    pub(crate) trust: Trust,
    pub(crate) echo: bool,
    /// Whether the response says the trace.
    pub(crate) server_timing: bool,
    pub(crate) extra_characters: fn(u8) -> bool,
    /// `None` is UUIDv7 from the time of arrival.
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
    /// Who a request with these headers is.
    pub(super) fn identify(&self, headers: &HeaderMap, now: SystemTime) -> Identity {
        let caller = self.caller(headers);
        let inbound = self.inbound(headers.get_all(&self.header).iter());
        self.identity(caller, inbound, now)
    }

    /// The same, and says the ID among the headers. Of what costs here, most is to look
    /// headers up, so the one of the ID is looked up once.
    pub(super) fn identify_in(&self, headers: &mut HeaderMap, now: SystemTime) -> Identity {
        let caller = self.caller(headers);
        // `None` where the headers are as many as there can be: they stay without.
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

    /// Puts the ID among the headers of a request or a response.
    pub(super) fn say(&self, id: &CorrelationId, headers: &mut HeaderMap) {
        if let Ok(place) = headers.try_entry(&self.header) {
            put(id, place);
        }
    }

    /// The parent that came in, and what goes on with it.
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
        // Of a stranger nothing is believed, and all is kept beside our own.
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

    /// Makes an ID, and where it is ours the trace ID that goes with it.
    fn make(&self, now: SystemTime) -> (CorrelationId, Option<TraceId>) {
        // A generator that panics must not take the request with it.
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
        // The accepted header already says it.
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

/// Who is verbose, and whether events are recorded for the rest.
#[derive(Clone, Debug)]
pub(crate) struct VerbosePlan {
    /// Says whether requests are recorded; what of them, the gate knows.
    pub(crate) recorded: Arc<Recorded>,
    pub(crate) recording_limit: usize,
    pub(crate) memory: Option<Arc<MemoryBudget>>,
    pub(crate) steering: Steering,
    /// The header whose plain text selects, where that was allowed.
    pub(crate) plain_header: Option<HeaderName>,
    /// Which tokens select.
    #[cfg(feature = "token")]
    pub(crate) tokens: Option<crate::token::Tokens>,
    /// Where the selection goes with calls.
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
    /// What the header asks for, where that is allowed.
    pub(super) fn by_header(&self, headers: &HeaderMap) -> Option<Arc<Selected>> {
        let name = self.plain_header.as_ref()?;
        let mut values = headers.get_all(name).iter();
        let value = values.next()?;
        // Two answers to one question are none.
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
