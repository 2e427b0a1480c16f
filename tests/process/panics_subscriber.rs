//! A subscriber that panics while dashcam logs a warning or holds a span. It is the process's.

use axum::{
    Router,
    body::Body,
    http::{Request, StatusCode},
    routing::get,
};
use dashcam::{
    capture::Replay,
    gate::Gate,
    selection::{Rule, RuleSource, Rules, When},
    testing::TestDashcam,
    token::{TokenKey, Tokens},
};
use std::{
    error::Error,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU32, Ordering::SeqCst},
    },
    thread,
    time::{Duration, Instant, SystemTime},
};
use tower::ServiceExt;
use tracing::{
    Event, Id, Metadata, Subscriber,
    level_filters::LevelFilter,
    span::{Attributes, Record},
};
use tracing_subscriber::{
    Registry,
    layer::{Context, Layer},
    prelude::*,
    registry::LookupSpan,
};

static SAID: Mutex<Vec<&str>> = Mutex::new(Vec::new());
static HOLDING: AtomicBool = AtomicBool::new(false);

struct Panicking;

impl<S: Subscriber> Layer<S> for Panicking {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let target = event.metadata().target();
        if ["dashcam::rules", "dashcam::token"].contains(&target) {
            SAID.lock().unwrap().push(target);
            panic!("{target}");
        }
    }
}

/// A registry that panics when a span is cloned.
struct Root(Registry);

impl Subscriber for Root {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        self.0.enabled(metadata)
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        self.0.max_level_hint()
    }

    fn new_span(&self, attributes: &Attributes<'_>) -> Id {
        self.0.new_span(attributes)
    }

    fn record(&self, id: &Id, values: &Record<'_>) {
        self.0.record(id, values);
    }

    fn record_follows_from(&self, id: &Id, follows: &Id) {
        self.0.record_follows_from(id, follows);
    }

    fn event(&self, event: &Event<'_>) {
        self.0.event(event);
    }

    fn enter(&self, id: &Id) {
        self.0.enter(id);
    }

    fn exit(&self, id: &Id) {
        self.0.exit(id);
    }

    fn clone_span(&self, id: &Id) -> Id {
        assert!(!HOLDING.swap(false, SeqCst), "held");
        self.0.clone_span(id)
    }

    fn try_close(&self, id: Id) -> bool {
        self.0.try_close(id)
    }
}

impl<'a> LookupSpan<'a> for Root {
    type Data = <Registry as LookupSpan<'a>>::Data;

    fn span_data(&'a self, id: &Id) -> Option<Self::Data> {
        self.0.span_data(id)
    }
}

/// Wants to be polled without a pause, which the log reports.
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

#[tokio::test]
async fn every_request_is_answered_and_every_source_is_asked() {
    alone!();
    // Its base refuses what is not an error.
    let gate = Gate::new(LevelFilter::ERROR);
    Root(Registry::default()).with(Panicking).with(gate).init();
    let later = SystemTime::now() + Duration::from_secs(3600);
    let asked = Arc::new(AtomicU32::new(0));
    let key = TokenKey::ed25519_private("of-this-test", &[5; 32]).unwrap();
    let dashcam = TestDashcam::with(|builder| {
        let office = Rule::new("office", later).when(When::new().client("10.0.0.0/8").unwrap());
        builder
            // The log reports one when the layer is created, the other one as requests come.
            .rules(Rules::new([
                Rule::new("old", later).when(When::new().route("/:id")),
                office,
            ]))
            .tokens(Tokens::new([key.public().unwrap()]))
            .rule_source(Eager(Arc::clone(&asked)))
            .replay(Replay::default())
    });
    let app = Router::new()
        .route("/", get(|| async { StatusCode::BAD_GATEWAY }))
        .layer(dashcam.layer());
    for holding in [false, true] {
        HOLDING.store(holding, SeqCst);
        let request = Request::get("/").header("x-dashcam-verbose", "garbage");
        let response = app.clone().oneshot(request.body(Body::empty()).unwrap());
        assert_eq!(response.await.unwrap().status(), StatusCode::BAD_GATEWAY);
        assert!(!HOLDING.load(SeqCst), "no span was held");
    }
    assert_eq!(dashcam.kept().len(), 2);
    assert_eq!(dashcam.status().in_flight, 0);
    let (before, began) = (asked.load(SeqCst), Instant::now());
    while asked.load(SeqCst) < before + 3 {
        assert!(
            began.elapsed() < Duration::from_secs(60),
            "it is asked no more"
        );
        thread::sleep(Duration::from_millis(1));
    }
    let said = SAID.lock().unwrap();
    let of = |target| said.iter().filter(|said| **said == target).count();
    assert_eq!(of("dashcam::token"), 1, "{said:?}");
    assert_eq!(of("dashcam::rules"), 3, "{said:?}");
}
