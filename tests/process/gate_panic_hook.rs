//! The panic hook notes where a request panicked, and the previous hook runs.

use crate::support_gate::{Fixture, bump, messages, request};
use dashcam::exchange::Exchange;
use http::StatusCode;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};

fn panicking(fixture: &Fixture, handler: impl FnOnce() + Send) -> Exchange {
    let handler = async {
        handler();
        StatusCode::OK
    };
    tokio_test::block_on(fixture.serve(request(), handler));
    fixture.only()
}

#[test]
fn notes_the_place() {
    alone!();
    static BEFORE: AtomicU32 = AtomicU32::new(0);
    std::panic::set_hook(Box::new(|_| {
        bump(&BEFORE);
    }));
    let fixture = Fixture::new();
    fixture.dashcam.init_tracing().unwrap();

    let line = line!() + 3;
    let exchange = panicking(&fixture, || {
        tracing::debug!("on the way");
        panic!("no price for {}", 5);
    });
    assert_eq!(exchange.outcome.as_str(), "panicked");
    let panic = exchange.panic.as_ref().unwrap();
    assert_eq!(panic.message, "no price for 5");
    let location = panic.location.as_deref().unwrap();
    assert!(
        location.starts_with(&format!("{}:{line}:", file!())),
        "{location}"
    );
    assert_eq!(messages(&exchange), ["on the way"]);
    assert_eq!(BEFORE.load(SeqCst), 1);

    // Outside of requests it notes nothing, and changes nothing else.
    assert!(std::panic::catch_unwind(|| panic!("outside")).is_err());
    assert_eq!(BEFORE.load(SeqCst), 2);
    assert!(fixture.take().is_empty());

    // A panic that the service caught itself is no panic of the request. Neither is one in a value
    // that is formatted only for the recording.
    struct Panicking;
    impl std::fmt::Debug for Panicking {
        fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            panic!("in Debug")
        }
    }
    let caught = || {
        assert!(std::panic::catch_unwind(|| panic!("inside")).is_err());
        tracing::debug!(value = ?Panicking, "formatted");
    };
    let exchange = fixture.failing(caught);
    assert_eq!(exchange.outcome.as_str(), "failed");
    assert_eq!(exchange.panic, None);
    assert_eq!(BEFORE.load(SeqCst), 4);
    // The one after it has its own location.
    let line = line!() + 3;
    let exchange = panicking(&fixture, || {
        caught();
        std::panic::panic_any(7)
    });
    let panic = exchange.panic.unwrap();
    assert_eq!(panic.message, "(not a text)");
    let location = panic.location.unwrap();
    assert!(
        location.starts_with(&format!("{}:{line}:", file!())),
        "{location}"
    );
}
