//! Layers and filters that are replaced while requests run.

use crate::support_gate::{
    Buffer, Seen, fmt_json, fmt_text,
    traffic::{Shown, Traffic},
};
use std::{
    sync::atomic::{AtomicBool, Ordering::SeqCst},
    thread,
};
use tracing::{Level, level_filters::LevelFilter};
use tracing_subscriber::{EnvFilter, prelude::*, reload};

/// Two buffers that are used in turn.
struct Both<'b>(&'b Buffer, &'b Buffer);

impl Shown for Both<'_> {
    fn text(&self) -> String {
        self.0.text() + &self.1.text()
    }
}

#[test]
fn reloading_loses_and_doubles_nothing() {
    alone!();
    let fixture = Traffic::fixture();
    let (one, other) = (Buffer::default(), Buffer::default());
    let (filtered, json, plain) = (Buffer::default(), Buffer::default(), Seen::default());
    let (layer, exchange_layer) = reload::Layer::new(fmt_text(&one));
    let (filter, exchange_filter) = reload::Layer::new(LevelFilter::DEBUG);
    tracing_subscriber::registry()
        .with(layer)
        .with(fmt_json(&json))
        .with(fmt_text(&filtered).with_filter(filter))
        .with(fixture.dashcam.gate(EnvFilter::new("info")))
        .with(plain.clone())
        .init();

    let traffic = Traffic(0..300);
    let (done, mut reloads) = (AtomicBool::new(false), 0);
    thread::scope(|scope| {
        let run = scope.spawn(|| {
            traffic.run(&fixture);
            done.store(true, SeqCst);
        });
        while !done.load(SeqCst) && !run.is_finished() {
            let output = if reloads % 2 == 0 { &other } else { &one };
            exchange_layer.reload(fmt_text(output)).unwrap();
            let levels = [LevelFilter::INFO, LevelFilter::TRACE, LevelFilter::DEBUG];
            exchange_filter.reload(levels[reloads % 3]).unwrap();
            reloads += 1;
            thread::yield_now();
        }
        run.join().unwrap();
    });
    assert!(reloads > 1, "{reloads}");
    assert!(!one.text().is_empty() && !other.text().is_empty());
    traffic.check(&[
        (&Both(&one, &other), Level::DEBUG),
        (&json, Level::DEBUG),
        (&plain, Level::DEBUG),
    ]);
    // The filter let debug events pass at times, and all others always.
    let counts = Traffic::counts(&filtered);
    for n in traffic.0.clone() {
        let count = |step| counts.get(&format!("<{n}-{step}>")).copied();
        let count = |step| count(step).unwrap_or_default();
        assert_eq!((count("info"), count("warn")), (1, 1), "{n}");
        for step in ["first", "second", "last"] {
            assert!(count(step) <= usize::from(n % 6 != 0), "{step} of {n}");
        }
    }

    // After the last change, all is as the filter says.
    exchange_filter.reload(LevelFilter::INFO).unwrap();
    let after = Traffic(300..324);
    after.run(&fixture);
    after.check(&[(&filtered, Level::INFO), (&plain, Level::DEBUG)]);
    exchange_filter.reload(LevelFilter::DEBUG).unwrap();
    let after = Traffic(324..348);
    after.run(&fixture);
    after.check(&[(&filtered, Level::DEBUG), (&plain, Level::DEBUG)]);
}
