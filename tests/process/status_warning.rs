//! The log reports an exporter that is unusable from the start, although it is built before
//! tracing is set up.

use dashcam::{Dashcam, export::Health};
use std::{
    sync::atomic::{AtomicUsize, Ordering::SeqCst},
    thread::sleep,
    time::Duration,
};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::{Layer, layer::Context, prelude::*};

static WARNINGS: AtomicUsize = AtomicUsize::new(0);

struct Count;

impl<S: Subscriber> Layer<S> for Count {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let metadata = event.metadata();
        if metadata.target() == "dashcam::status" && *metadata.level() == Level::WARN {
            WARNINGS.fetch_add(1, SeqCst);
        }
    }
}

#[test]
fn an_unusable_directory_is_told_once() {
    alone!();
    let place = std::path::Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join(format!("status-warning-{}", std::process::id()));
    std::fs::write(&place, "a file, not a directory").unwrap();
    let builder = Dashcam::builder().service("status", "1").directory(&place);
    let dashcam = builder.build().unwrap();
    // Long enough for the exporter thread to check at least once.
    sleep(Duration::from_millis(1500));
    tracing_subscriber::registry().with(Count).init();
    let mut left = 50;
    while WARNINGS.load(SeqCst) == 0 && left > 0 {
        sleep(Duration::from_millis(100));
        left -= 1;
    }
    assert_eq!(WARNINGS.load(SeqCst), 1);
    assert!(matches!(dashcam.status().exporter, Health::Degraded { .. }));
    sleep(Duration::from_millis(2500));
    assert_eq!(WARNINGS.load(SeqCst), 1, "once");
    drop(dashcam);
    std::fs::remove_file(&place).unwrap();
}
