//! A source of rules that asks for polls without a pause gets pauses.

use crate::support_gate::Seen;
use dashcam::selection::{RuleSource, Rules, Steering};
use std::{
    error::Error,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering::SeqCst},
    },
    thread,
    time::{Duration, Instant},
};
use tracing_subscriber::prelude::*;

struct Eager(Arc<AtomicU32>);

impl RuleSource for Eager {
    fn name(&self) -> String {
        "eager".to_owned()
    }

    fn poll(&mut self) -> Result<Option<Rules>, Box<dyn Error + Send + Sync>> {
        self.0.fetch_add(1, SeqCst);
        Ok(None)
    }

    fn interval(&self) -> Duration {
        Duration::ZERO
    }
}

#[test]
fn an_interval_of_nothing_has_a_pause() {
    alone!();
    let seen = Seen::default();
    tracing_subscriber::registry().with(seen.clone()).init();
    let asked = Arc::new(AtomicU32::new(0));
    let began = Instant::now();
    let _steering = Steering::new().source(Eager(Arc::clone(&asked))).unwrap();
    while asked.load(SeqCst) < 6 {
        assert!(began.elapsed() < Duration::from_secs(60));
        thread::sleep(Duration::from_millis(1));
    }
    // At least the pauses in between.
    assert!(began.elapsed() >= Duration::from_millis(50));
    let said = "the rules of eager: polled every 10ms, not every 0ns";
    let messages = seen.messages();
    assert_eq!(
        messages.iter().filter(|m| *m == said).count(),
        1,
        "{messages:?}"
    );
}
