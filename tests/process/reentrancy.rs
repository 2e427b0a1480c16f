//! Values that log while they are formatted, inside spans, before formatting layers
//! with filters of their own, and again in replays.

use crate::support_gate::{
    Buffer, FAILED, Fixture, Output, Seen, bump, fmt_json, messages, replay_all, request,
};
use dashcam::exchange::Exchange;
use http::StatusCode;
use std::{
    fmt,
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering::SeqCst},
    },
};
use tracing::level_filters::LevelFilter;
use tracing_subscriber::{EnvFilter, prelude::*};

struct Outputs {
    at_info: Buffer,
    at_debug: Buffer,
    plain: Seen,
}

impl Outputs {
    fn count(&self, message: &str) -> [usize; 3] {
        let all: [&dyn Output; 3] = [&self.at_info, &self.at_debug, &self.plain];
        all.map(|output| output.count(message))
    }
}

/// One subscriber for the process, whichever test comes first.
fn outputs() -> &'static Outputs {
    static OUTPUTS: OnceLock<Outputs> = OnceLock::new();
    OUTPUTS.get_or_init(|| {
        let outputs = Outputs {
            at_info: Buffer::default(),
            at_debug: Buffer::default(),
            plain: Seen::default(),
        };
        tracing_subscriber::registry()
            .with(fmt_json(&outputs.at_info).with_filter(LevelFilter::INFO))
            .with(dashcam::gate::Gate::new(EnvFilter::new("info")))
            .with(outputs.plain.clone())
            .with(fmt_json(&outputs.at_debug).with_filter(EnvFilter::new("debug")))
            .init();
        outputs
    })
}

fn fixture() -> Fixture {
    Fixture::with(|builder| {
        let builder = builder.replay(replay_all(false));
        builder.insecure_plain_header(true)
    })
}

/// Logs at two levels, in a span, while it is formatted. Its values do the same, `depth` times.
struct Chatty<'a> {
    tag: &'static str,
    depth: u32,
    formatted: &'a AtomicU32,
}

impl fmt::Debug for Chatty<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { tag, depth, .. } = self;
        bump(self.formatted);
        let span = tracing::info_span!("formatting", depth);
        let _span = span.enter();
        if *depth > 0 {
            let depth = depth - 1;
            let inside = Chatty { depth, ..*self };
            tracing::debug!(?inside, "{tag} debug around {depth}");
        }
        tracing::debug!("{tag} debug {depth}");
        tracing::info!("{tag} info {depth}");
        write!(f, "{tag} value {depth}")
    }
}

fn paths(exchange: &Exchange) -> Vec<String> {
    let path = |e: &dashcam::exchange::Event| {
        let names: Vec<_> = e.spans.iter().map(|s| s.name.as_str()).collect();
        names.join("/")
    };
    exchange.events.iter().map(path).collect()
}

#[test]
fn recorded_events_format_once_and_are_replayed_as_text() {
    alone!();
    let (outputs, fixture, formatted) = (outputs(), fixture(), AtomicU32::new(0));
    let chatty = |depth| Chatty {
        tag: "quiet",
        depth,
        formatted: &formatted,
    };
    fixture.call(request(), FAILED, || {
        tracing::info_span!("work").in_scope(|| {
            tracing::debug!("quiet before");
            tracing::debug!(value = ?chatty(2), other = 1, "quiet outer");
            tracing::info!("quiet between");
            tracing::warn_span!("deeper").in_scope(|| {
                tracing::debug!("quiet text {:?}", chatty(0));
            });
        });
        tracing::info!("quiet after");
    });
    let exchange = fixture.only();
    assert_eq!(
        formatted.load(SeqCst),
        4,
        "once each, and not in the replay"
    );
    let [work, inner] = ["work", "work/formatting"];
    let (inner2, inner3) = (
        "work/formatting/formatting",
        "work/formatting/formatting/formatting",
    );
    let all = [
        ("quiet before", work, false),
        ("quiet debug 0", inner3, false),
        ("quiet info 0", inner3, true),
        ("quiet debug around 0", inner2, false),
        ("quiet debug 1", inner2, false),
        ("quiet info 1", inner2, true),
        ("quiet debug around 1", inner, false),
        ("quiet debug 2", inner, false),
        ("quiet info 2", inner, true),
        ("quiet outer", work, false),
        ("quiet between", work, true),
        ("quiet debug 0", "work/deeper/formatting", false),
        ("quiet info 0", "work/deeper/formatting", true),
        ("quiet text quiet value 0", "work/deeper", false),
        ("quiet after", "", true),
    ];
    assert_eq!(messages(&exchange), all.map(|(message, ..)| message));
    assert_eq!(paths(&exchange), all.map(|(_, path, _)| path));
    assert_eq!(exchange.events[9].fields["value"], "quiet value 2");
    assert_eq!(exchange.events[9].fields["other"], 1);
    for (message, _, shown) in all {
        let times = all.iter().filter(|(m, ..)| *m == message).count();
        let at_info = if shown { times } else { 0 };
        assert_eq!(outputs.count(message), [at_info, times, times], "{message}");
    }
    let replayed = outputs.at_debug.with_message("quiet outer").remove(0);
    assert_eq!(replayed["fields"]["value"], "quiet value 2");
    // The live events first, then the replay, each in its order.
    let mut order = outputs.plain.messages();
    order.retain(|message| message.starts_with("quiet"));
    let part = |of| all.iter().filter(move |(.., shown)| *shown == of);
    assert!(
        order
            .iter()
            .eq(part(true).chain(part(false)).map(|(m, ..)| *m))
    );
}

#[test]
fn shown_events_are_recorded_and_shown_once_beside_what_they_log() {
    alone!();
    let (outputs, fixture, formatted) = (outputs(), fixture(), AtomicU32::new(0));
    let chatty = Chatty {
        tag: "told",
        depth: 1,
        formatted: &formatted,
    };
    let ran = || formatted.load(SeqCst) as usize;
    fixture.call(request(), StatusCode::OK, || {
        let span = tracing::info_span!("work", value = ?chatty);
        span.in_scope(|| tracing::info!(value = ?chatty, "told outer"));
        tracing::info!("told after");
        dashcam::keep("to see it");
    });
    let during = ran();
    let exchange = fixture.only();
    assert_eq!(ran(), during, "not in the replay");
    // Every layer formats it for itself, and each time it logs.
    let recorded = |message: &str| {
        let recorded = messages(&exchange).into_iter();
        recorded.filter(|m| *m == message).count()
    };
    let half = during / 2;
    for (message, times, shown) in [
        ("told outer", 1, true),
        ("told after", 1, true),
        ("told info 0", half, true),
        ("told info 1", half, true),
        ("told debug 0", half, false),
        ("told debug 1", half, false),
        ("told debug around 0", half, false),
    ] {
        assert_eq!(recorded(message), times, "{message} of {during}");
        let at_info = if shown { times } else { 0 };
        assert_eq!(outputs.count(message), [at_info, times, times], "{message}");
    }
    let last = exchange.events.last().unwrap();
    assert_eq!(last.message.as_deref(), Some("told after"));
}

#[test]
fn live_events_may_log_too() {
    alone!();
    let (outputs, fixture, formatted) = (outputs(), fixture(), AtomicU32::new(0));
    let chatty = Chatty {
        tag: "live",
        depth: 0,
        formatted: &formatted,
    };
    let mut live = request();
    let headers = live.headers_mut();
    headers.insert("x-dashcam-verbose", "debug".parse().unwrap());
    fixture.call(live, StatusCode::OK, || {
        tracing::debug_span!("work").in_scope(|| tracing::debug!(value = ?chatty, "live outer"));
        tracing::debug!("live after");
    });
    let exchange = fixture.only();
    let times = formatted.load(SeqCst) as usize;
    let count = |message: &str| {
        messages(&exchange)
            .iter()
            .filter(|m| **m == message)
            .count()
    };
    for (message, at_info, at_debug) in [
        ("live outer", 0, 1),
        ("live after", 0, 1),
        ("live debug 0", 0, times),
        ("live info 0", times, times),
    ] {
        assert_eq!(count(message), at_debug, "{message}");
        let all = [at_info, at_debug, at_debug];
        assert_eq!(outputs.count(message), all, "{message} of {times}");
    }
}
