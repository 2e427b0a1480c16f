//! A change of what is recorded, in a process with 10,000 callsites.

use crate::{
    Case,
    setup::{Op, install, registry, sink_layer},
};
use dashcam::gate::Gate;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use tracing::{
    Level, Metadata,
    callsite::{DefaultCallsite, Identifier},
    field::FieldSet,
    level_filters::LevelFilter,
    metadata::Kind,
    subscriber::Interest,
};
use tracing_subscriber::{EnvFilter, layer::SubscriberExt};

pub(crate) const CALLSITES: usize = 10_000;

pub(crate) fn cases() -> Vec<Case> {
    macro_rules! cases {
        ($($name:literal => $run:expr,)*) => { vec![$(Case { name: $name, run: $run },)*] };
    }
    cases! {
        "configuration/10,000 callsites, fmt alone" => |go| {
            install(registry().with(sink_layer()));
            register_callsites();
            go(&mut || tracing::callsite::rebuild_interest_cache());
        },
        "configuration/10,000 callsites, gate, base info" => |go| change("info", go),
        "configuration/10,000 callsites, gate, base with targets" => |go| {
            change("info,a=debug,hyper=warn", go);
        },
    }
}

fn change(base: &str, go: Op<'_>) {
    let gate = Gate::new(EnvFilter::new(base));
    let handle = gate.switch();
    install(registry().with(gate).with(sink_layer()));
    register_callsites();
    let levels = ["debug", "trace"];
    let n = AtomicUsize::new(0);
    go(&mut || {
        let level = levels[n.fetch_add(1, Relaxed) % 2];
        handle.set(level).unwrap();
    });
    assert!(LevelFilter::current() >= LevelFilter::DEBUG);
}

/// Creates at run time what a macro would put into statics: the compiler would take minutes for
/// 10,000 of them. One target of ten is never recorded.
fn register_callsites() {
    const TARGETS: [&str; 10] = [
        "orders",
        "orders::api::handlers",
        "orders::db",
        "billing::invoices",
        "a",
        "sqlx::query",
        "redis::client",
        "tower_http::trace::on_request",
        "hyper::proto::h1::conn",
        "tenants::cache",
    ];
    const LEVELS: [Level; 5] = [
        Level::TRACE,
        Level::DEBUG,
        Level::DEBUG,
        Level::INFO,
        Level::WARN,
    ];
    static FIELDS: DefaultCallsite = DefaultCallsite::new(&META);
    static META: Metadata<'static> = metadata("orders", Level::DEBUG);
    const fn metadata(target: &'static str, level: Level) -> Metadata<'static> {
        let fields = FieldSet::new(&["message", "user", "path"], Identifier(&FIELDS));
        Metadata::new(
            "event benches",
            target,
            level,
            Some(file!()),
            Some(line!()),
            Some(target),
            fields,
            Kind::EVENT,
        )
    }
    let mut wanted = 0;
    for n in 0..CALLSITES {
        let meta = metadata(TARGETS[n % 10], LEVELS[n / 10 % 5]);
        let callsite: &'static DefaultCallsite =
            Box::leak(Box::new(DefaultCallsite::new(Box::leak(Box::new(meta)))));
        let interest: Interest = callsite.register();
        wanted += usize::from(!interest.is_never());
    }
    assert!(wanted >= CALLSITES * 9 / 10, "{wanted}");
}
