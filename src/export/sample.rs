use crate::exchange::{
    Body, BodyState, Correlation, CorrelationSource, Depth, Direction, Environment, Exchange,
    Failure, KeepReason, Losses, Mode, Outcome, Redaction, Request, Response, Service, Timing,
};
use std::collections::BTreeMap;

/// Creates an exchange with this ID.
pub(crate) fn sample(id: &str) -> Exchange {
    Exchange {
        schema: Exchange::SCHEMA.into(),
        id: id.into(),
        service: Service {
            name: "orders".into(),
            version: "1.2.3".into(),
        },
        correlation: Correlation {
            id: format!("c-{id}"),
            source: CorrelationSource::Minted,
            client_id: None,
            rejected: None,
            trace_id: None,
            parent_id: None,
            span_id: None,
            client_trace_id: None,
            client_parent_id: None,
        },
        direction: Direction::Server,
        continues: None,
        started_at: "2025-01-02T03:04:05.678901Z".into(),
        timing: Timing {
            duration_us: 1500,
            headers_us: Some(1400),
            ..Timing::default()
        },
        in_flight: 1,
        outcome: Outcome::Failed {
            failure: Failure::Status(500),
        },
        slow: false,
        keep: vec![KeepReason::Outcome],
        mode: Mode::Recorded,
        depth: Depth::Full,
        facts: BTreeMap::new(),
        request: Request {
            method: "GET".into(),
            scheme: None,
            authority: None,
            path: "/orders/7".into(),
            route: Some("/orders/{id}".into()),
            query: None,
            version: "HTTP/1.1".into(),
            headers: vec![("accept".into(), "*/*".into())],
            body: Body::new(BodyState::None),
            trailers: Vec::new(),
        },
        response: Some(Response {
            status: 500,
            grpc_status: None,
            version: "HTTP/1.1".into(),
            headers: Vec::new(),
            body: Body::new(BodyState::Complete),
            trailers: Vec::new(),
        }),
        panic: None,
        error: None,
        decisions: Vec::new(),
        events: Vec::new(),
        losses: Losses::default(),
        missing: Vec::new(),
        redaction: Redaction {
            policy: "default".into(),
            key_id: "k1".into(),
            salt: None,
        },
        environment: Environment::default(),
    }
}

/// Creates an exchange whose JSON has a little more than `bytes` bytes.
pub(crate) fn sample_of(id: &str, bytes: usize) -> Exchange {
    Exchange {
        error: Some("x".repeat(bytes)),
        ..sample(id)
    }
}
