use super::{
    Classify, Finished, ServerErrors,
    finished::{Asked, KeepWhen},
};
use crate::{exchange::Service, foreign::Foreign, recorder::CaptureOptions, redact::Policy};
use http::HeaderName;
use std::{borrow::Cow, sync::Arc, time::Duration};

/// Limits on memory, and on the sample of healthy requests. All sizes are in bytes.
///
/// With *r* requests in flight, calls of clients included, and *t* worker threads, dashcam
/// holds at most
///
/// ```text
/// held    = min(memory, r × (recording + 2 × body)) + (r + queue) × 4 × head
/// pooled ≤ (64 × t + 512) × about 180 KiB, in practice what the pool's requests needed
/// ```
///
/// and the exchange that is being written. A finished call that is not kept on its own
/// counts until its request ends, up to 16 per request; if memory is short, the bodies of
/// such calls are dropped first. No size depends on what a client announces.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Limits {
    /// Bytes captured of each body. Default: 64 KiB.
    pub body: usize,
    /// Bytes captured of each head, and of trailers. Default: 8 KiB.
    pub head: usize,
    /// Bytes of recorded events of one request. Default: 64 KiB.
    pub recording: usize,
    /// Bytes of bodies (three quarters) and events (a quarter) of all requests in flight
    /// and all exchanges that wait for export. Default: 64 MiB. Above it, only heads and
    /// the newest 4 KiB of events of each request are recorded. Half of it is shared by
    /// all; of the rest each peer has a share, so double it behind a proxy.
    pub memory: usize,
    /// Exchanges that may wait for export. Default: 1,024.
    pub queue: usize,
    /// Bytes of heads, bodies and events of the exchanges that wait. Default: 64 MiB. A
    /// larger exchange is accepted only if no other one waits.
    pub queue_bytes: usize,
    /// Items captured of a stream (server-sent events, lines of NDJSON, gRPC messages), in
    /// addition to the limit in bytes. Default: 1,000. All items are counted.
    pub stream_items: u64,
    /// How long a stream is captured, from its first byte. Default: 60 s.
    pub stream_time: Duration,
    /// Exchanges per second of the sample of healthy requests
    /// ([`baseline`](crate::capture::CaptureLayerBuilder::baseline)). Default: unlimited.
    pub baseline_per_second: u64,
    /// Bytes of heads, bodies and events per second of that sample, as held in memory.
    /// Default: unlimited. A single larger exchange is kept alone.
    pub baseline_bytes_per_second: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body: 64 * 1024,
            head: 8 * 1024,
            recording: 64 * 1024,
            memory: 64 * 1024 * 1024,
            queue: 1024,
            queue_bytes: 64 * 1024 * 1024,
            stream_items: 1000,
            stream_time: Duration::from_secs(60),
            baseline_per_second: u64::MAX,
            baseline_bytes_per_second: usize::MAX,
        }
    }
}

/// Limits on what is kept of a failure storm. Failures with the same signature count
/// together: route, outcome, status, and the location of the panic or of the first ERROR
/// event. For outgoing calls it is the route of the request that made them, and host,
/// method and path without numbers and the like. Parts that clients or other services
/// choose (gRPC methods, names of a classifier, hosts, paths) are distinguished as long as
/// their route has room for them.
///
/// If the [`Peer`](crate::selection::Peer) of requests is known, each peer (IPv6: each /64)
/// has places of its own: [`full`](Self::full) per signature, out of 256 for all peers in a
/// window. The second failure of a peer may use three quarters of these 256, the third
/// half; a failure is forgotten after three quarters of a window. Beyond the 256, the
/// chance is halved with every 32 more. A quarter of `per_second` is open to all peers; of
/// the rest, a peer with more recent failures may use less. While others fail too, a peer
/// may use at most half of it. Requests that clients abandon may use half of it.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct StormLimits {
    /// The window after which the count of a signature restarts. Default: 60 s.
    pub window: Duration,
    /// Exchanges of one signature kept in full per window: of all peers, and in addition of
    /// each peer. Default: 3.
    pub full: u64,
    /// Further exchanges of one signature kept per window without bodies and debug events.
    /// Default: 20. The rest are counted.
    pub heads: u64,
    /// Further exchanges of one signature kept in full, drawn at random over the window;
    /// each record has its chance. Default: 10; at most twice as many. The chance is
    /// computed from the rate so far, beginning after a sixteenth of the window.
    pub sample: u64,
    /// Exchanges kept per second over all signatures. Default: 50. As many again, or 50,
    /// may be the first in a window of their route, or of a signature that clients cannot
    /// choose. For requests that were asked for (`keep`, rules, headers) this is the only
    /// limit.
    pub per_second: u64,
}

impl Default for StormLimits {
    fn default() -> Self {
        Self {
            window: Duration::from_secs(60),
            full: 3,
            heads: 20,
            sample: 10,
            per_second: 50,
        }
    }
}

/// Replays recorded events of requests that go wrong to the service's own tracing layers.
/// The exchange has them anyway.
///
/// A *replay* sends the events through the subscriber in order, with their metadata and the
/// types of their values, redacted, each once. It omits events that the layers saw when
/// they were emitted. The events are in a span named `replay`, a child of the request's
/// span. The first one has the target `dashcam::replay` and says how many follow and how
/// many were lost.
///
/// Requests are replayed if they went wrong, were slow, had an ERROR event, or were kept by
/// [`keep`](crate::keep); not those that a rule only records, nor the baseline sample. The
/// replay runs on a separate thread, which also closes the request's span: a layer that
/// measures the span's duration includes the replay.
///
/// The limits are independent of [`StormLimits`]: a request can be replayed although only
/// its heads are kept. A layer whose own filter rejects DEBUG events sees only the
/// `dashcam::replay` event.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Replay {
    /// Whether a running request becomes live at the first reason to keep it: an ERROR
    /// event, or [`keep`](crate::keep). The events recorded so far are then replayed at
    /// once, and later ones reach the layers as the service emits them: only
    /// [`JsonLayer`](crate::log) redacts those. If `false`, all events are replayed at the
    /// end of the request, redacted. Default: `true`.
    pub live: bool,
    /// The window after which the count of a signature restarts. Default: 60 s.
    pub window: Duration,
    /// Requests of one failure signature replayed per window. Default: 3. A signature is
    /// route, outcome, status, and the location of the panic or of the first ERROR event.
    pub per_signature: u64,
    /// Requests replayed per second over all signatures. Default: 10. As many again, or 50,
    /// may be the first of their signature.
    pub per_second: u64,
    /// Requests that may wait for their replay. Default: 64. Further ones are not replayed,
    /// and are counted.
    pub queue: usize,
}

impl Default for Replay {
    fn default() -> Self {
        Self {
            live: true,
            window: Duration::from_secs(60),
            per_signature: 3,
            per_second: 10,
            queue: 64,
        }
    }
}

/// The settings of a keeper.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) service: Service,
    pub(crate) policy: Policy,
    pub(crate) limits: Limits,
    pub(crate) storm: StormLimits,
    pub(crate) slow: Duration,
    pub(crate) classify: Foreign<Arc<dyn Classify>>,
    /// Share of healthy requests that are kept, 0 to 1.
    pub(crate) baseline: f64,
    /// The service's own reason.
    pub(crate) keep_when: Option<Foreign<Arc<dyn KeepWhen>>>,
    /// After what time an interim exchange of a running request is written.
    pub(crate) interim: Option<Duration>,
    pub(crate) options: CaptureOptions,
    /// By path or route; `*` at the end matches any rest.
    pub(crate) paths: Vec<(String, CaptureOptions)>,
    /// The header with the correlation ID, whose value may be written.
    pub(crate) correlation_header: HeaderName,
    pub(crate) replay: Option<Replay>,
    /// How many bytes of a kept body go onto the request's span.
    pub(crate) span_bodies: Option<usize>,
    /// Which events requests record, and show once they are live.
    pub(crate) record: Arc<crate::selection::Recorded>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            service: Service::default(),
            policy: Policy::strict(),
            limits: Limits::default(),
            storm: StormLimits::default(),
            slow: Duration::from_secs(5),
            classify: Foreign::new(Arc::new(ServerErrors)),
            baseline: 0.0,
            keep_when: None,
            interim: None,
            options: CaptureOptions::new(),
            paths: Vec::new(),
            correlation_header: HeaderName::from_static("x-request-id"),
            replay: None,
            span_bodies: None,
            record: Arc::default(),
        }
    }
}

impl Settings {
    pub(crate) fn keep_when<F, R>(&mut self, condition: F)
    where
        F: Fn(&Finished<'_>) -> Option<R> + Send + Sync + 'static,
        R: Into<Cow<'static, str>> + 'static,
    {
        self.keep_when = Some(Foreign::new(Arc::new(Asked(condition))));
    }

    pub(super) fn in_baseline(&self) -> bool {
        self.baseline > 0.0 && fastrand::f64() < self.baseline
    }
}

/// The setters of each builder that has `settings`.
macro_rules! settings_setters {
    () => {
        /// Sets the redaction policy. Default:
        /// [`Policy::strict`](crate::redact::Policy::strict).
        pub fn policy(mut self, policy: crate::redact::Policy) -> Self {
            self.settings.policy = policy;
            self
        }

        /// Sets the limits on memory and on the baseline sample. Default:
        /// [`Limits::default`](crate::capture::Limits).
        pub fn limits(mut self, limits: crate::keeper::Limits) -> Self {
            self.settings.limits = limits;
            self
        }

        /// Sets the limits on what is kept of a failure storm. Default:
        /// [`StormLimits::default`](crate::capture::StormLimits).
        pub fn storm(mut self, limits: crate::keeper::StormLimits) -> Self {
            self.settings.storm = limits;
            self
        }

        /// Sets the time to the response head from which a request is slow, and kept.
        /// Default: 5 s.
        pub fn slow(mut self, threshold: std::time::Duration) -> Self {
            self.settings.slow = threshold;
            self
        }

        /// Sets which responses are failures. Default:
        /// [`ServerErrors`](crate::capture::ServerErrors).
        pub fn classify(mut self, classify: impl crate::keeper::Classify) -> Self {
            let classify: std::sync::Arc<dyn crate::keeper::Classify> =
                std::sync::Arc::new(classify);
            self.settings.classify = crate::foreign::Foreign::new(classify);
            self
        }

        /// Records the sources of errors of this type, in the whole process: errors of
        /// services, of bodies and of outgoing calls.
        ///
        /// A layer knows of an error only that it implements `Display`. The sources are
        /// known for boxed errors and for errors of `std`, `http`, axum, hyper, hyper-util,
        /// `reqwest` and `reqwest-middleware` (the last two with their features). For other
        /// types an exchange has the error's own text, and
        /// [`Losses::causes_unknown`](crate::exchange::Losses::causes_unknown) is set. Add
        /// the error types of your clients:
        ///
        /// ```
        /// # use dashcam::capture::CaptureLayer;
        /// # type TransportError = std::num::ParseIntError;
        /// // With tonic: `tonic::transport::Error`, and `tonic::Status`.
        /// let capture = CaptureLayer::builder("orders", "1.0.0").causes_of::<TransportError>();
        /// # let _ = capture;
        /// ```
        pub fn causes_of<E: std::error::Error + 'static>(self) -> Self {
            crate::recorder::know_causes::<E>();
            self
        }

        /// Replays the recorded events of requests that go wrong to the service's own
        /// tracing layers. Default: off.
        pub fn replay(mut self, replay: crate::keeper::Replay) -> Self {
            self.settings.replay = Some(replay);
            self
        }

        /// Records the bodies of kept requests on their spans, redacted, each cut at
        /// `limit` bytes. Default: off. See [`opentelemetry`](crate::opentelemetry).
        #[cfg(feature = "opentelemetry")]
        pub fn bodies_on_spans(mut self, limit: usize) -> Self {
            self.settings.span_bodies = Some(limit);
            self
        }

        /// Also keeps requests for which this closure returns a reason. Default: none. The
        /// closure runs once at the end of each request, on the request path: it must be
        /// fast and must not block. It does not run while the thread unwinds; if it panics,
        /// there is no reason. The reason is redacted, and cut at 256 bytes. The limits per
        /// signature of [`StormLimits`](crate::capture::StormLimits) apply.
        ///
        /// ```
        /// # use dashcam::capture::CaptureLayer;
        /// use std::time::Duration;
        ///
        /// let capture = CaptureLayer::builder("orders", "1.0.0").keep_when(|request| {
        ///     let late = request.duration() > Duration::from_millis(300);
        ///     (late && request.route() == Some("/checkout")).then_some("slow checkout")
        /// });
        /// # let _ = capture;
        /// ```
        pub fn keep_when<F, R>(mut self, condition: F) -> Self
        where
            F: Fn(&crate::keeper::Finished<'_>) -> Option<R> + Send + Sync + 'static,
            R: Into<std::borrow::Cow<'static, str>> + 'static,
        {
            self.settings.keep_when(condition);
            self
        }

        /// Sets how much of each request is captured, within the limits. Default:
        /// [`CaptureOptions::new`](crate::capture::CaptureOptions::new), whose page says
        /// what overrides it.
        pub fn options(mut self, options: crate::recorder::CaptureOptions) -> Self {
            self.settings.options = options;
            self
        }

        /// Sets how much is captured of requests whose path or route template is `pattern`,
        /// or begins with it if it ends in `*`: `/health`, `/static/*`. Patterns are tried
        /// one after the other, so add only a few.
        pub fn for_path(
            mut self,
            pattern: impl Into<String>,
            options: crate::recorder::CaptureOptions,
        ) -> Self {
            self.settings.paths.push((pattern.into(), options));
            self
        }

        /// Writes an interim exchange of a request that still runs after this time, if
        /// there is a reason to keep it by then, and another one each time its age has
        /// doubled. Default: none. The outcome of an interim exchange is `open`. Each later
        /// exchange of the request names the one that it continues.
        ///
        /// The layer checks the age when the service or the response body returns
        /// `Pending`; there is no timer. A request that is not polled leaves no interim
        /// exchange.
        pub fn interim(mut self, after: std::time::Duration) -> Self {
            self.settings.interim = Some(after);
            self
        }

        /// Also keeps this share of healthy requests, 0 to 1, in full. Default: 0.
        ///
        /// The sample fills half of the queue at most, so that it takes no place from a
        /// failure. [`Limits::baseline_per_second`](crate::capture::Limits) and
        /// `baseline_bytes_per_second` limit it further; the limits of failure storms do
        /// not. What is over a limit is counted
        /// ([`Dropped::sampled_out`](crate::capture::Dropped::sampled_out)).
        ///
        /// The exporter gets the sample and the failures. If the files have a total size, a
        /// large sample takes room from failures: set a limit, or give it an exporter of its
        /// own ([`Exporter::filter`](crate::export::Exporter::filter)).
        pub fn baseline(mut self, share: f64) -> Self {
            self.settings.baseline = share;
            self
        }
    };
}
pub(crate) use settings_setters;
