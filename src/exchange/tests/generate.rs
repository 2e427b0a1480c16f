//! Generates exchanges of every kind.

use crate::exchange::{
    Body, BodyState, Content, Correlation, CorrelationSource, Decision, Depth, Direction,
    Environment, Event, Exchange, Failure, KeepReason, Losses, Missing, Mode, Outcome, Panic,
    Redaction, Request, Response, Service, Span, Thread, Timing,
};
use proptest::{
    collection::{btree_map, vec},
    option::of,
    prelude::*,
};
use serde_json::{Map, Number, Value};

fn text() -> impl Strategy<Value = String> + Clone {
    prop_oneof!["[a-z/.-]{0,8}", ".{0,8}"]
}

fn hex(digits: usize) -> impl Strategy<Value = String> {
    proptest::string::string_regex(&format!("[0-9a-f]{{{digits}}}")).unwrap()
}

/// Any JSON, with numbers of every size.
fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(|n| Number::from_f64(n).map_or(Value::Null, Value::Number)),
        text().prop_map(Value::from),
    ];
    leaf.prop_recursive(2, 8, 3, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..3).prop_map(Value::from),
            btree_map(text(), inner, 0..3).prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

fn fields() -> impl Strategy<Value = Map<String, Value>> {
    btree_map(text(), value(), 0..3).prop_map(|map| map.into_iter().collect())
}

fn headers() -> impl Strategy<Value = Vec<(String, String)>> {
    vec(
        (text(), text()).prop_map(|(name, value)| (name, value)),
        0..3,
    )
}

fn state() -> impl Strategy<Value = BodyState> {
    prop_oneof![
        Just(BodyState::Complete),
        Just(BodyState::Truncated),
        Just(BodyState::Unread),
        Just(BodyState::PartlyRead),
        Just(BodyState::Aborted),
        text().prop_map(|message| BodyState::Error { message }),
        text().prop_map(|why| BodyState::Skipped { why }),
        Just(BodyState::None),
        Just(BodyState::Open),
        Just(BodyState::Stream),
    ]
}

fn content() -> impl Strategy<Value = Content> {
    prop_oneof![
        (text(), any::<u64>()).prop_map(|(text, unparsed)| Content::Text { text, unparsed }),
        (any::<u64>(), text(), of(text())).prop_map(|(length, hash, why)| Content::Opaque {
            length,
            hash,
            why
        }),
    ]
}

fn body() -> impl Strategy<Value = Body> {
    let counts = (
        any::<u64>(),
        any::<u64>(),
        of(any::<u64>()),
        of(any::<u64>()),
    );
    let content = prop_oneof![
        of(content()).prop_map(Ok),
        vec(any::<u8>(), 0..8).prop_map(Err),
    ];
    (state(), counts, of(text()), of(text()), content).prop_map(
        |(state, (seen, kept, items, declared), content_type, content_encoding, content)| {
            let mut body = Body {
                seen,
                kept,
                items,
                declared,
                content_type,
                content_encoding,
                ..Body::new(state)
            };
            match content {
                Ok(content) => body.content = content,
                Err(bytes) => {
                    body.set_raw(&bytes);
                    assert_eq!(body.raw_bytes().unwrap(), bytes);
                }
            }
            body
        },
    )
}

fn outcome() -> impl Strategy<Value = Outcome> {
    let failure = prop_oneof![
        any::<u16>().prop_map(Failure::Status),
        any::<u16>().prop_map(Failure::Grpc),
        Just(Failure::NoStatus),
        Just(Failure::BodyLength),
        Just(Failure::ServiceError),
        text().prop_map(Failure::Custom),
    ];
    prop_oneof![
        Just(Outcome::Completed),
        failure.prop_map(|failure| Outcome::Failed { failure }),
        Just(Outcome::Panicked),
        Just(Outcome::BodyError),
        Just(Outcome::Abandoned),
        Just(Outcome::Open),
    ]
}

fn reason() -> impl Strategy<Value = KeepReason> {
    prop_oneof![
        Just(KeepReason::Outcome),
        Just(KeepReason::Slow),
        Just(KeepReason::ErrorEvent),
        text().prop_map(|why| KeepReason::Asked { why }),
        text().prop_map(|by| KeepReason::Selected { by }),
        Just(KeepReason::Baseline),
        text().prop_map(|why| KeepReason::Condition { why }),
        Just(KeepReason::Caller),
        Just(KeepReason::Interim),
        Just(KeepReason::RequestBody),
    ]
}

fn event() -> impl Strategy<Value = Event> {
    let level = prop::sample::select(vec!["TRACE", "DEBUG", "INFO", "WARN", "ERROR"]);
    let span = (text(), fields()).prop_map(|(name, fields)| Span { name, fields });
    let thread = (any::<u64>(), of(text())).prop_map(|(id, name)| Thread { id, name });
    let place = (of(text()), of(any::<u32>()), of(thread), of(any::<u64>()));
    let counts = (any::<u32>(), any::<u32>());
    (
        any::<u64>(),
        level,
        text(),
        of(text()),
        fields(),
        vec(span, 0..3),
        place,
        counts,
    )
        .prop_map(
            |(at_us, level, target, message, fields, spans, place, counts)| Event {
                at_us,
                level: level.to_owned(),
                target,
                message,
                fields,
                file: place.0,
                line: place.1,
                spans,
                thread: place.2,
                task: place.3,
                lost_before: counts.0,
                values_cut: counts.1,
            },
        )
}

fn correlation() -> impl Strategy<Value = Correlation> {
    let source = prop_oneof![
        Just(CorrelationSource::Header),
        Just(CorrelationSource::Traceparent),
        Just(CorrelationSource::Minted),
    ];
    let ids = (
        of(hex(32)),
        of(hex(16)),
        of(hex(16)),
        of(hex(32)),
        of(hex(16)),
    );
    (text(), source, of(text()), of(text()), ids).prop_map(
        |(id, source, client_id, rejected, ids)| Correlation {
            id,
            source,
            client_id,
            rejected,
            trace_id: ids.0,
            parent_id: ids.1,
            span_id: ids.2,
            client_trace_id: ids.3,
            client_parent_id: ids.4,
        },
    )
}

fn timing() -> impl Strategy<Value = Timing> {
    let us = || of(any::<u64>());
    (any::<u64>(), us(), us(), us(), us(), us()).prop_map(|us| Timing {
        duration_us: us.0,
        request_first_byte_us: us.1,
        request_last_byte_us: us.2,
        headers_us: us.3,
        first_byte_us: us.4,
        last_byte_us: us.5,
    })
}

fn request() -> impl Strategy<Value = Request> {
    let target = (
        of(prop::sample::select(vec!["http", "https"])),
        of(text()),
        of(text()),
        of(text()),
    );
    (text(), target, text(), text(), headers(), body(), headers()).prop_map(
        |(method, target, path, version, headers, body, trailers)| Request {
            method,
            scheme: target.0.map(str::to_owned),
            authority: target.1,
            path,
            route: target.2,
            query: target.3,
            version,
            headers,
            body,
            trailers,
        },
    )
}

fn response() -> impl Strategy<Value = Response> {
    (
        0_u16..1000,
        of(any::<u16>()),
        text(),
        headers(),
        body(),
        headers(),
    )
        .prop_map(
            |(status, grpc_status, version, headers, body, trailers)| Response {
                status,
                grpc_status,
                version,
                headers,
                body,
                trailers,
            },
        )
}

fn about() -> impl Strategy<Value = (Service, Mode, Redaction, Environment, Losses)> {
    let service = (text(), text()).prop_map(|(name, version)| Service { name, version });
    let mode = prop_oneof![
        Just(Mode::Off),
        Just(Mode::Recorded),
        text().prop_map(|by| Mode::Live { by }),
    ];
    let redaction = (text(), text(), of(hex(16))).prop_map(|(policy, key_id, salt)| Redaction {
        policy,
        key_id,
        salt,
    });
    let environment =
        (text(), any::<u32>(), text()).prop_map(|(dashcam, pid, platform)| Environment {
            dashcam,
            pid,
            platform,
        });
    let when = of(text());
    let losses = (any::<[u64; 5]>(), when, of(2_u64..)).prop_map(|(n, when, one_in)| Losses {
        events_dropped: n[0],
        events_late: n[1],
        values_cut: n[2],
        headers_dropped: n[3],
        texts_withheld: n[0],
        causes_unknown: n[1],
        suppressed_before: n[4],
        suppressed_first_at: when.clone(),
        suppressed_last_at: when,
        kept_one_in: one_in,
    });
    (service, mode, redaction, environment, losses)
}

pub(super) fn any_exchange() -> impl Strategy<Value = Exchange> {
    let decision = (any::<u64>(), text(), fields()).prop_map(|(at_us, name, fields)| Decision {
        at_us,
        name,
        fields,
    });
    let panic = (text(), of(text())).prop_map(|(message, location)| Panic {
        message,
        location,
        second: None,
    });
    let panic = (panic.clone(), of(panic)).prop_map(|(first, second)| Panic {
        second: second.map(Box::new),
        ..first
    });
    let missing = (text(), text()).prop_map(|(what, why)| Missing { what, why });
    let direction = prop_oneof![Just(Direction::Server), Just(Direction::Client)];
    let depth = prop_oneof![Just(Depth::Full), Just(Depth::Heads)];
    let started = prop::sample::select(vec!["", "2026-11-23T07:21:10.532815Z"]);
    let ids = (
        text(),
        of(text()),
        direction,
        depth,
        any::<u64>(),
        any::<bool>(),
        started,
    );
    let ends = (
        outcome(),
        vec(reason(), 1..3),
        of(panic),
        of(text()),
        vec(missing, 0..2),
    );
    let lists = (
        btree_map(text(), value(), 0..2),
        vec(decision, 0..2),
        vec(event(), 0..3),
    );
    let parts = (correlation(), timing(), request(), of(response()));
    (ids, ends, lists, parts, about()).prop_map(|(ids, ends, lists, parts, about)| Exchange {
        schema: Exchange::SCHEMA.to_owned(),
        id: ids.0,
        direction: ids.2,
        continues: ids.1,
        service: about.0,
        correlation: parts.0,
        started_at: ids.6.to_owned(),
        timing: parts.1,
        in_flight: ids.4,
        outcome: ends.0,
        slow: ids.5,
        keep: ends.1,
        mode: about.1,
        depth: ids.3,
        facts: lists.0,
        request: parts.2,
        response: parts.3,
        panic: ends.2,
        error: ends.3,
        decisions: lists.1,
        events: lists.2,
        losses: about.4,
        missing: ends.4,
        redaction: about.2,
        environment: about.3,
    })
}
