use super::{
    Classify, Finished, ServerErrors,
    finished::{Asked, KeepWhen},
};
use crate::{exchange::Service, foreign::Foreign, recorder::CaptureOptions, redact::Policy};
use http::HeaderName;
use std::{borrow::Cow, sync::Arc, time::Duration};

/// Bounds on memory. All sizes are bytes.
///
/// With *r* requests in flight, calls of clients included, and *t* worker threads,
/// what is held is at most
///
/// ```text
/// held    = min(memory, r × (recording + 2 × body)) + (r + queue) × 4 × head
/// pooled ≤ t × 64 × about 180 KiB, in practice what the pool's requests needed
/// ```
///
/// and the exchange being written. A finished call counts until its request ends
/// where it is not kept on its own, up to 16 per request; where memory is short, bodies of
/// such calls are given up first. Nothing is sized by what a client announces.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Limits {
    /// Captured of each body; default 64 KiB.
    pub body: usize,
    /// Captured of each head, and of trailers; default 8 KiB.
    pub head: usize,
    /// Events of one request; default 64 KiB.
    pub recording: usize,
    /// Bodies (three quarters) and events (a quarter) of all requests in flight
    /// and of all exchanges that wait for their export; default 64 MiB. Above
    /// it heads, and the newest 4 KiB of events of each request, are kept. Half of
    /// it is anybody's; of the rest each peer has a share, so behind a proxy double it.
    pub memory: usize,
    /// Exchanges that may wait for their export; default 1,024.
    pub queue: usize,
    /// Bytes of heads, bodies and events that they may hold; default 64 MiB. One
    /// exchange that holds more waits where no other does.
    pub queue_bytes: usize,
    /// Items captured of a stream (server-sent events, lines of NDJSON, gRPC
    /// messages), beside the limit in bytes; default 1,000. All are counted.
    pub stream_items: u64,
    /// How long a stream is captured from its first byte on; default 60 s.
    pub stream_time: Duration,
    /// Exchanges of the sample of healthy requests
    /// ([`baseline`](crate::capture::CaptureLayerBuilder::baseline)) kept per second;
    /// default unlimited.
    pub baseline_per_second: u64,
    /// Bytes of heads, bodies and events of that sample kept per second, before they are
    /// written; default unlimited. A single exchange that has more is kept alone.
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

/// How much of a failure storm is kept. A signature is what failures have in
/// common: route, outcome, status, and the site of the panic or first ERROR event; of
/// calls that the service makes the route of the request that made them, and host, method
/// and path, without numbers and the like. What clients or other services may choose
/// (methods of gRPC, names of a classifier, hosts, paths) is told apart while there is room
/// for it in its route.
///
/// Where the [`Peer`](crate::selection::Peer) of requests is known, each (of IPv6 its /64) has
/// places of his own: as many of a signature as [`full`](Self::full) says, of 256 together
/// in a window. To the second one of a peer three quarters of these are open, to the third
/// half; a failure is forgotten after three quarters of a window. Beyond, the chance is
/// halved with every 32 more. A quarter of `per_second` is open to everybody; of the rest,
/// the more went wrong for somebody of late, the less. While others fail, too, a peer has
/// half of what is open to him at most. What clients abandon themselves has half of it.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct StormLimits {
    /// The window after which a signature counts anew; default 60 s.
    pub window: Duration,
    /// Exchanges of one signature kept in full in a window, of whomever, and beside them
    /// of one peer; default 3.
    pub full: u64,
    /// Exchanges of one signature kept without bodies and debug events after
    /// that; default 20. The rest are counted.
    pub heads: u64,
    /// Exchanges of one signature kept in full beyond that, drawn at random over the
    /// window, each with the chance that its record says; default 10, twice as many at
    /// most. The chance follows from the rate so far, from a sixteenth of the window on.
    pub sample: u64,
    /// Exchanges kept per second over all signatures; default 50. As many again, or 50,
    /// may be the first of their route, or of a signature that nobody can make up, in a
    /// window. Those that were asked for (`keep`, rules, headers) are bounded by this alone.
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

/// How recorded events of requests that go wrong are shown to the service's own
/// layers, beside being in the exchange.
///
/// A *replay* goes through the subscriber as the events themselves would have:
/// with their metadata, the types of their values, and in order; redacted; each
/// once, and not those that were shown when they were emitted. It is inside a
/// span named `replay`, a child of the request's span, and begins with an event
/// of target `dashcam::replay` that says how many follow and how many were lost.
///
/// Requests are replayed that went wrong, were slow, had an ERROR event, or asked
/// for it ([`keep`](crate::keep)); not those that a rule only records, nor the
/// baseline sample. It happens on a thread of its own, which also closes the span
/// of a replayed request: a layer that measures until then measures the replay.
///
/// This budget is not that of [`StormLimits`]: a request can be replayed of which
/// only heads are kept. Layers whose own filters refuse DEBUG events see the
/// `dashcam::replay` event only.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Replay {
    /// Whether a request is live from the first reason to keep it on, while it
    /// still runs: an ERROR event, or [`keep`](crate::keep). What was recorded up
    /// to there is replayed at once. Live events reach layers as the service
    /// emits them: only [`JsonLayer`](crate::log) redacts those. Otherwise all
    /// is replayed at the end of the request, redacted. Default true.
    pub live: bool,
    /// The window after which a signature counts anew; default 60 s.
    pub window: Duration,
    /// Requests of one failure signature replayed in a window; default 3. A
    /// signature is route, outcome, status, and the place of the panic or of the
    /// first ERROR event.
    pub per_signature: u64,
    /// Requests replayed per second over all signatures; default 10. As many again, or
    /// 50, may be the first of their signature.
    pub per_second: u64,
    /// Requests that may wait for their replay; default 64. Further ones are
    /// dropped, and counted.
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

/// Everything a keeper is told once.
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
    /// After how long a request that still runs is written.
    pub(crate) interim: Option<Duration>,
    pub(crate) options: CaptureOptions,
    /// By path or route, `*` at the end for any rest.
    pub(crate) paths: Vec<(String, CaptureOptions)>,
    /// Header whose value is the correlation ID and may be written.
    pub(crate) correlation_header: HeaderName,
    pub(crate) replay: Option<Replay>,
    /// How much of a kept body goes onto the request's span.
    pub(crate) span_bodies: Option<usize>,
    /// What requests record, which is what they show once they are live.
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

/// The setters of every builder that has `settings`.
macro_rules! settings_setters {
    () => {
        /// Sets what may be written. Default:
        /// [`Policy::strict`](crate::redact::Policy::strict).
        pub fn policy(mut self, policy: crate::redact::Policy) -> Self {
            self.settings.policy = policy;
            self
        }

        /// Sets the bounds on memory. Default: [`Limits::default`](crate::capture::Limits).
        pub fn limits(mut self, limits: crate::keeper::Limits) -> Self {
            self.settings.limits = limits;
            self
        }

        /// Sets how much of a failure storm is kept. Default:
        /// [`StormLimits::default`](crate::capture::StormLimits).
        pub fn storm(mut self, limits: crate::keeper::StormLimits) -> Self {
            self.settings.storm = limits;
            self
        }

        /// Sets after how long a response head is slow, which keeps the request. Default: 5 s.
        pub fn slow(mut self, threshold: std::time::Duration) -> Self {
            self.settings.slow = threshold;
            self
        }

        /// Sets what counts as a failure. Default:
        /// [`ServerErrors`](crate::capture::ServerErrors).
        pub fn classify(mut self, classify: impl crate::keeper::Classify) -> Self {
            let classify: std::sync::Arc<dyn crate::keeper::Classify> =
                std::sync::Arc::new(classify);
            self.settings.classify = crate::foreign::Foreign::new(classify);
            self
        }

        /// Asks errors of this type for what caused them, in this whole process: those of
        /// services, of bodies and of calls that clients make.
        ///
        /// An error reaches a layer as a type that can be shown, and no more. The causes
        /// are known of boxed errors, and of those of `std`, `http`, axum, hyper, hyper-util,
        /// `reqwest` and `reqwest-middleware` (the last ones with their features). Of others
        /// an exchange has the error's own text, and says so
        /// ([`Losses::causes_unknown`](crate::exchange::Losses::causes_unknown)). Name
        /// those that the service's clients have:
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

        /// Shows the recorded events of requests that go wrong to the service's own
        /// layers, too. Default: off.
        pub fn replay(mut self, replay: crate::keeper::Replay) -> Self {
            self.settings.replay = Some(replay);
            self
        }

        /// Puts the bodies of kept requests onto their spans, redacted, each cut at
        /// `limit` bytes. Default: off. See [`opentelemetry`](crate::opentelemetry).
        #[cfg(feature = "opentelemetry")]
        pub fn bodies_on_spans(mut self, limit: usize) -> Self {
            self.settings.span_bodies = Some(limit);
            self
        }

        /// Keeps requests for which this closure has a reason, beside the others.
        /// It is asked once at the end of each, on the request path: it must be
        /// fast and must not block. The reason is redacted, and cut at 256 bytes.
        /// A closure that panics has none; none is asked while a thread unwinds. The
        /// limits per signature of [`StormLimits`](crate::capture::StormLimits) hold for
        /// what it keeps.
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

        /// How much of each request is captured, beside the limits; see
        /// [`CaptureOptions`](crate::capture::CaptureOptions) for what wins over it.
        pub fn options(mut self, options: crate::recorder::CaptureOptions) -> Self {
            self.settings.options = options;
            self
        }

        /// How much is captured of requests whose path or route template is
        /// `pattern`, or begins with it where it ends in `*`: `/health`,
        /// `/static/*`. Patterns are tried in turn, so a few of them cost nothing.
        pub fn for_path(
            mut self,
            pattern: impl Into<String>,
            options: crate::recorder::CaptureOptions,
        ) -> Self {
            self.settings.paths.push((pattern.into(), options));
            self
        }

        /// Writes an interim exchange of a request that still runs after this
        /// time, where there is a reason to keep it by then, and another one each
        /// time the age has doubled; default none. Its outcome is `open`, and the
        /// exchange of the end says which one it continues.
        ///
        /// It is noticed when the service or the response body waits, not by a
        /// timer: nothing is written of a request that nobody polls.
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
