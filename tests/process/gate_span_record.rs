//! A value that logs while another layer records it into a span. With the level off it would log
//! nothing, so recording it must not block any thread.

use crate::support_gate::Fixture;
use std::{fmt, sync::mpsc, thread, time::Duration};
use tracing::field::Empty;
use tracing_subscriber::{EnvFilter, fmt as fmt_layer, prelude::*};

struct Logs;

impl fmt::Debug for Logs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        tracing::debug!("from within");
        f.write_str("a value")
    }
}

#[test]
fn a_value_that_logs_while_a_span_is_recorded_holds_nothing_up() {
    alone!();
    tracing_subscriber::registry()
        .with(dashcam::gate::Gate::new(EnvFilter::new("info")))
        .with(fmt_layer::layer().with_writer(std::io::sink))
        .init();
    let (done, wait) = mpsc::channel();
    thread::spawn(move || {
        let fixture = Fixture::new();
        let exchange = fixture.failing(|| {
            let span = tracing::info_span!("work", value = Empty);
            let _entered = span.enter();
            span.record("value", tracing::field::debug(Logs));
            tracing::debug!("after");
        });
        done.send(exchange).unwrap();
    });
    let exchange = wait
        .recv_timeout(Duration::from_secs(60))
        .expect("it continues");
    let last = exchange.events.last().unwrap();
    assert_eq!(last.message.as_deref(), Some("after"));
    assert_eq!(last.spans[0].fields["value"], "a value");
}
