//! Traffic for stacks of layers beside the gate.

use super::{Buffer, FAILED, Fixture, Seen, replay_all, request};
use futures_util::StreamExt as _;
use http::StatusCode;
use std::{collections::HashMap, ops::Range};
use tracing::{Instrument as _, Level};

/// Concurrent requests of all kinds. The fixture is [`Traffic::fixture`].
pub(crate) struct Traffic(pub(crate) Range<u64>);

impl Traffic {
    const KINDS: u64 = 6;

    pub(crate) fn fixture() -> Fixture {
        Fixture::with(|builder| {
            let builder = builder.replay(replay_all(true));
            builder
                .insecure_plain_header(true)
                .verbose_budget(dashcam::selection::Budget::unlimited())
        })
    }

    /// The message of a step of a request. None contains another.
    fn message(n: u64, step: &str) -> String {
        format!("<{n}-{step}>")
    }

    async fn handler(n: u64) -> StatusCode {
        let say = |step| Self::message(n, step);
        let work = async {
            tracing::debug!(n, text = "some", "{}", say("first"));
            tokio::task::yield_now().await;
            tracing::info!(n, list = ?[1, 2], "{}", say("info"));
            match n % Self::KINDS {
                2 => tracing::error!(n, "{}", say("error")),
                3 => dashcam::keep("asked"),
                _ => {}
            }
            tokio::task::yield_now().await;
            tracing::debug!(n, "{}", say("second"));
            tracing::warn!(n, "{}", say("warn"));
        };
        work.instrument(tracing::info_span!("work", n)).await;
        tracing::debug!("{}", say("last"));
        assert!(n % Self::KINDS != 5, "a request that panics");
        if n % Self::KINDS == 1 {
            FAILED
        } else {
            StatusCode::OK
        }
    }

    /// Runs the requests to their end, and the replays, too.
    pub(crate) fn run(&self, fixture: &Fixture) {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .build()
            .unwrap();
        let serve = |n: u64| {
            let mut request = request();
            if n % Self::KINDS == 4 {
                let headers = request.headers_mut();
                headers.insert("x-dashcam-verbose", "debug".parse().unwrap());
            }
            fixture.serve(request, Self::handler(n))
        };
        runtime.block_on(async {
            let requests = futures_util::stream::iter(self.0.clone().map(serve));
            requests.buffer_unordered(16).count().await
        });
        let kept = self.0.clone().filter(|n| n % Self::KINDS != 0).count();
        assert_eq!(fixture.take().len(), kept);
    }

    /// What every output must have: its level determines the debug events.
    pub(crate) fn check(&self, outputs: &[(&dyn Shown, Level)]) {
        for (at, (output, level)) in outputs.iter().enumerate() {
            let counts = Self::counts(*output);
            for n in self.0.clone() {
                let count = |step| counts.get(&Self::message(n, step)).copied();
                let count = |step| count(step).unwrap_or_default();
                let debug = usize::from(n % Self::KINDS != 0 && *level >= Level::DEBUG);
                for step in ["first", "second", "last"] {
                    assert_eq!(count(step), debug, "{step} of {n} in output {at}");
                }
                for step in ["info", "warn"] {
                    assert_eq!(count(step), 1, "{step} of {n} in output {at}");
                }
                let error = usize::from(n % Self::KINDS == 2);
                assert_eq!(count("error"), error, "error of {n} in output {at}");
            }
        }
    }

    /// How often each message occurs, whatever is around it.
    pub(crate) fn counts(output: &dyn Shown) -> HashMap<String, usize> {
        let (text, mut counts) = (output.text(), HashMap::new());
        for after in text.split('<').skip(1) {
            if let Some((message, _)) = after.split_once('>') {
                *counts.entry(format!("<{message}>")).or_default() += 1;
            }
        }
        counts
    }
}

/// A layer's output as one text.
pub(crate) trait Shown {
    fn text(&self) -> String;
}

impl Shown for Buffer {
    fn text(&self) -> String {
        Self::text(self)
    }
}

impl Shown for Seen {
    fn text(&self) -> String {
        self.messages().join("\n")
    }
}
