//! `Dashcam` under a real server, over HTTP/1.1, byte by byte.

use crate::support_net::{
    FLAT, Growth, HELD, PIECE, PIECES, Server, Wire, answer_once,
    app::{app, count, length},
    assert_completed, ended, fed, field, holds, keeping_all, kept_of, large_body, outcomes, piece,
    same_with_layer, soon, the_only, trailers,
};
use axum::{
    Router,
    body::Body,
    extract::{DefaultBodyLimit, Request},
    http::{StatusCode, header},
    response::{
        IntoResponse, Response,
        sse::{Event, Sse},
    },
    routing::{get, post},
};
use bytes::Bytes;
use dashcam::{
    exchange::{BodyState, Content, Failure, KeepReason, Outcome},
    testing::TestDashcam,
};
use http_body::Frame;
use http_body_util::BodyExt;
use hyper_util::rt::TokioIo;
use std::{cell::Cell, convert::Infallible, future::pending};
use tokio::sync::mpsc;
use tower_http::limit::RequestBodyLimitLayer;

fn state(body: &dashcam::exchange::Body) -> &BodyState {
    &body.state
}

#[tokio::test]
async fn every_request_of_a_connection_is_an_exchange_of_its_own() {
    let dashcam = keeping_all();
    let wire = same_with_layer(&dashcam, app, async |wire| {
        let mut all = String::new();
        for path in ["/hello", "/status/503", "/hello"] {
            wire.send(format!("GET {path} HTTP/1.1\r\nhost: test\r\n\r\n"))
                .await;
            all += &wire.answer().await;
            assert!(wire.is_drained());
        }
        all
    })
    .await;
    let kept = kept_of(&dashcam, 3).await;
    assert_eq!(outcomes(&kept), ["completed", "failed", "completed"]);
    let on_the_wire: Vec<_> = wire
        .lines()
        .filter_map(|line| line.strip_prefix("x-request-id: "))
        .collect();
    let recorded: Vec<_> = kept
        .iter()
        .map(|kept| kept.correlation.id.as_str())
        .collect();
    assert_eq!(on_the_wire, recorded);
    assert!(recorded[0] != recorded[1] && recorded[1] != recorded[2]);
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_order() {
    let dashcam = keeping_all();
    let wire = same_with_layer(&dashcam, app, async |wire| {
        wire.send(
            "GET /hello HTTP/1.1\r\nhost: test\r\nx-request-id: pipelined-1\r\n\r\n\
             POST /length HTTP/1.1\r\nhost: test\r\nx-request-id: pipelined-2\r\n\
             content-length: 4\r\n\r\nfour\
             GET /status/500 HTTP/1.1\r\nhost: test\r\nx-request-id: pipelined-3\r\n\r\n\
             GET /hello HTTP/1.1\r\nhost: test\r\nx-request-id: pipelined-4\r\n\
             connection: close\r\n\r\n",
        )
        .await;
        wire.rest().await
    })
    .await;
    let at = |text: &str| wire.find(text).unwrap_or_else(|| panic!("{text}: {wire}"));
    assert!(at("pipelined-1") < at("pipelined-2"));
    assert!(at("4 bytes") < at("pipelined-3"));
    assert!(at("pipelined-3") < at("pipelined-4"));
    let kept = kept_of(&dashcam, 4).await;
    let seen: Vec<_> = kept
        .iter()
        .map(|kept| {
            (
                kept.correlation.id.as_str(),
                kept.outcome.as_str(),
                kept.request.body.seen,
            )
        })
        .collect();
    assert_eq!(
        seen,
        [
            ("pipelined-1", "completed", 0),
            ("pipelined-2", "completed", 4),
            ("pipelined-3", "failed", 0),
            ("pipelined-4", "completed", 0),
        ]
    );
}

#[tokio::test]
async fn chunked_bodies_pass_in_both_directions() {
    let dashcam = keeping_all();
    let wire = same_with_layer(&dashcam, app, async |wire| {
        wire.send(
            "POST /echo HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\
             content-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n",
        )
        .await;
        let mut all = String::new();
        // One chunk comes back before the next is sent.
        for chunk in ["[1,\r\n", "2,\r\n", "3]\r\n"] {
            let length = chunk.len() - 2;
            wire.send(format!("{length:x}\r\n{chunk}")).await;
            all += &wire.until(chunk).await;
        }
        wire.send("0\r\n\r\n").await;
        all + &wire.rest().await
    })
    .await;
    assert!(
        wire.ends_with("\r\n\r\n3\r\n[1,\r\n2\r\n2,\r\n2\r\n3]\r\n0\r\n\r\n"),
        "{wire}"
    );
    let kept = the_only(&dashcam).await;
    assert_completed(&kept);
    let response = kept.response.unwrap();
    for body in [&kept.request.body, &response.body] {
        assert_eq!(
            (state(body), body.seen, body.declared),
            (&BodyState::Complete, 7, None)
        );
    }
    let Some(Content::Text { text, .. }) = kept.request.body.content else {
        panic!("{:?}", kept.request.body)
    };
    assert_eq!(text, "[1,2,3]");
}

#[tokio::test]
async fn the_client_is_told_to_continue_once_the_handler_reads() {
    let dashcam = keeping_all();
    let wire = same_with_layer(&dashcam, app, async |wire| {
        wire.send(
            "POST /length HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\
             expect: 100-continue\r\ncontent-length: 5\r\n\r\n",
        )
        .await;
        let interim = wire.head().await;
        assert!(wire.is_drained());
        wire.send("12345").await;
        interim + &wire.rest().await
    })
    .await;
    assert!(
        wire.starts_with("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n"),
        "{wire}"
    );
    let kept = the_only(&dashcam).await;
    assert_eq!(state(&kept.request.body), &BodyState::Complete);
}

#[tokio::test]
async fn a_refusal_comes_instead_of_continue() {
    let dashcam = keeping_all();
    let limited = || {
        let refused = || async { StatusCode::UNAUTHORIZED };
        Router::new()
            .route("/refuse", post(refused))
            .route("/length", post(length))
            .layer(RequestBodyLimitLayer::new(10))
    };
    for (path, declared, status) in [("/refuse", 5, "401"), ("/length", 11, "413")] {
        let wire = same_with_layer(&dashcam, limited, async |wire| {
            wire.send(format!(
                "POST {path} HTTP/1.1\r\nhost: test\r\nexpect: 100-continue\r\n\
                 content-length: {declared}\r\n\r\n"
            ))
            .await;
            wire.rest().await
        })
        .await;
        assert!(wire.starts_with(&format!("HTTP/1.1 {status} ")), "{wire}");
        assert!(!wire.contains("HTTP/1.1 100") && field(&wire, "x-request-id").is_some());
    }
    let kept = kept_of(&dashcam, 2).await;
    for kept in kept {
        assert_completed(&kept);
        assert_eq!(state(&kept.request.body), &BodyState::Unread);
        assert_eq!(kept.request.body.seen, 0);
    }
}

#[tokio::test]
async fn answers_without_a_body_by_protocol_are_whole() {
    let usual = TestDashcam::new();
    let all = keeping_all();
    let requests = [
        ("HEAD", "/hello", "content-length: 5"),
        ("HEAD", "/streamed", ""),
        ("HEAD", "/status/404", "content-length: 0"),
        ("GET", "/204", ""),
        ("GET", "/204-with-body", ""),
        ("GET", "/304", ""),
        ("GET", "/304-with-body", "content-length: 11"),
    ];
    for dashcam in [&usual, &all] {
        for (method, path, expected) in requests {
            let wire = same_with_layer(dashcam, app, async |wire| {
                wire.send(format!(
                    "{method} {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n"
                ))
                .await;
                wire.rest().await
            })
            .await;
            assert!(
                wire.contains(expected) && wire.ends_with("\r\n\r\n"),
                "{wire}"
            );
            assert_eq!(wire.matches("\r\n\r\n").count(), 1, "{wire}");
        }
    }
    for kept in kept_of(&all, requests.len() as u64).await {
        assert_completed(&kept);
        assert_eq!(state(&kept.response.unwrap().body), &BodyState::None);
        assert_eq!(state(&kept.request.body), &BodyState::None);
    }
    let kept = kept_of(&usual, requests.len() as u64).await;
    assert!(kept.is_empty(), "{kept:#?}");
}

#[tokio::test]
async fn events_arrive_before_the_next_is_made() {
    let dashcam = keeping_all();
    let (send, receive) = mpsc::unbounded_channel::<String>();
    let receive = std::sync::Mutex::new(Some(receive));
    let events = move || {
        let receive = receive.lock().unwrap().take().expect("asked once");
        let events = futures_util::stream::unfold(receive, |mut receive| async move {
            let text = receive.recv().await?;
            Some((Ok::<_, Infallible>(Event::default().data(text)), receive))
        });
        async move { Sse::new(events) }
    };
    let events = std::sync::Arc::new(events);
    let app = Router::new()
        .route("/events", get(move || events()))
        .layer(dashcam.layer());
    let server = Server::start(app).await;
    let mut wire = Wire::open(&server).await;
    wire.send("GET /events HTTP/1.1\r\nhost: test\r\n\r\n")
        .await;
    let head = wire.head().await;
    assert_eq!(field(&head, "content-type"), Some("text/event-stream"));
    assert!(field(&head, "x-request-id").is_some());
    for n in 0..20 {
        send.send(format!("event {n}")).unwrap();
        let event = wire.until("\n\n").await;
        assert!(
            event.ends_with(&format!("data: event {n}\n\n")),
            "{event:?}"
        );
        assert_eq!(wire.exactly(2).await, "\r\n");
        assert!(wire.is_drained());
        let status = dashcam.status();
        assert_eq!((status.in_flight, status.finished), (1, 0));
    }
    drop(send);
    assert_eq!(wire.until("0\r\n\r\n").await, "0\r\n\r\n");
    let kept = the_only(&dashcam).await;
    assert_completed(&kept);
    let body = kept.response.unwrap().body;
    assert_eq!(body.state, BodyState::Stream);
    assert_eq!(
        body.seen,
        (0..20)
            .map(|n| format!("data: event {n}\n\n").len() as u64)
            .sum::<u64>()
    );
}

#[tokio::test]
async fn trailers_pass_in_both_directions() {
    let dashcam = keeping_all();
    let app = || {
        let handler = |body: Body| async {
            let collected = body.collect().await.unwrap();
            let seen = collected.trailers().unwrap()["x-sum"]
                .to_str()
                .unwrap()
                .to_owned();
            let (_, body) = fed(vec![
                Frame::data(Bytes::from(seen)),
                trailers("x-checksum", "abcd"),
            ]);
            ([(header::TRAILER, "x-checksum")], body)
        };
        Router::new().route("/", post(handler))
    };
    let wire = same_with_layer(&dashcam, app, async |wire| {
        wire.send(
            "POST / HTTP/1.1\r\nhost: test\r\nte: trailers\r\ntransfer-encoding: chunked\r\n\
             trailer: x-sum\r\nconnection: close\r\n\r\n4\r\nbody\r\n0\r\nx-sum: 17\r\n\r\n",
        )
        .await;
        wire.rest().await
    })
    .await;
    assert!(
        wire.ends_with("\r\n\r\n2\r\n17\r\n0\r\nx-checksum: abcd\r\n\r\n"),
        "{wire}"
    );
    let kept = the_only(&dashcam).await;
    assert_completed(&kept);
    let names = |fields: &[(String, String)]| {
        fields
            .iter()
            .map(|field| field.0.clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(names(&kept.request.trailers), ["x-sum"]);
    let response = kept.response.unwrap();
    assert_eq!(names(&response.trailers), ["x-checksum"]);
    assert_eq!(state(&kept.request.body), &BodyState::Complete);
    assert_eq!(state(&response.body), &BodyState::Complete);
}

#[tokio::test]
async fn twenty_megabytes_pass_without_being_held() {
    alone!();
    let dashcam = keeping_all();
    let app = Router::new()
        .route("/in", post(count))
        .route("/out", get(|| async { large_body() }))
        .layer(dashcam.layer());
    let server = Server::start(app).await;
    let total = PIECE * PIECES;

    let growth = Growth::start();
    let mut wire = Wire::open(&server).await;
    wire.send(format!(
        "POST /in HTTP/1.1\r\nhost: test\r\ncontent-length: {total}\r\n\r\n"
    ))
    .await;
    for at in 0..PIECES {
        wire.send(piece(at)).await;
        assert!(dashcam.status().bytes_held <= HELD);
    }
    assert!(wire.answer().await.ends_with(&format!("\r\n\r\n{total}")));
    println!("20 MB in: {} KiB more in use", growth.peak() / 1024);
    assert!(growth.peak() < FLAT, "{} bytes", growth.peak());

    holds("the first is exported", || dashcam.status().bytes_held == 0).await;
    let growth = Growth::start();
    wire.send("GET /out HTTP/1.1\r\nhost: test\r\n\r\n").await;
    wire.head().await;
    for _ in 0..PIECES {
        let size = wire.until("\r\n").await;
        assert_eq!(size, format!("{PIECE:X}\r\n"));
        wire.skip(PIECE + 2).await;
        assert!(dashcam.status().bytes_held <= HELD);
    }
    assert_eq!(wire.until("\r\n\r\n").await, "0\r\n\r\n");
    println!("20 MB out: {} KiB more in use", growth.peak() / 1024);
    assert!(growth.peak() < FLAT, "{} bytes", growth.peak());

    let kept = kept_of(&dashcam, 2).await;
    assert_eq!(outcomes(&kept), ["completed", "completed"]);
    for body in [
        &kept[0].request.body,
        &kept[1].response.as_ref().unwrap().body,
    ] {
        assert_eq!(body.state, BodyState::Truncated);
        assert_eq!((body.seen, body.kept), (total as u64, 64 * 1024));
    }
    holds("all memory given back", || dashcam.status().bytes_held == 0).await;
}

#[tokio::test]
async fn a_client_that_does_not_wait_for_the_answer() {
    let dashcam = TestDashcam::new();
    let (started, mut has_started) = mpsc::unbounded_channel();
    let wait = move |_: Bytes| {
        started.send(()).unwrap();
        pending::<()>()
    };
    let app = Router::new().route("/", post(wait)).layer(dashcam.layer());
    let server = Server::start(app).await;
    let mut wire = Wire::open(&server).await;
    wire.send("POST / HTTP/1.1\r\nhost: test\r\ncontent-length: 4\r\n\r\nbody")
        .await;
    soon(has_started.recv()).await.unwrap();
    assert_eq!(dashcam.status().in_flight, 1);
    drop(wire);
    let kept = the_only(&dashcam).await;
    assert_eq!(kept.outcome, Outcome::Abandoned);
    assert_eq!(kept.keep, [KeepReason::Outcome]);
    assert_eq!(state(&kept.request.body), &BodyState::Complete);
    assert_eq!(kept.request.body.seen, 4);
    assert!(kept.response.is_none());
}

#[tokio::test]
async fn a_client_that_goes_away_in_its_request() {
    let dashcam = keeping_all();
    let (read, mut was_read) = mpsc::unbounded_channel();
    let (seen, mut what_was_seen) = mpsc::unbounded_channel();
    let read_all = move |body: Body| {
        let (read, seen) = (read.clone(), seen.clone());
        async move {
            let mut body = body;
            body.frame().await.unwrap().unwrap();
            read.send(()).unwrap();
            let error = body.frame().await.unwrap().unwrap_err();
            seen.send(error.to_string()).unwrap();
            StatusCode::BAD_REQUEST
        }
    };
    let app = Router::new()
        .route("/", post(read_all))
        .layer(dashcam.layer());
    let server = Server::start(app).await;
    let mut wire = Wire::open(&server).await;
    wire.send("POST / HTTP/1.1\r\nhost: test\r\ncontent-length: 9\r\n\r\nbody")
        .await;
    soon(was_read.recv()).await.unwrap();
    drop(wire);
    soon(what_was_seen.recv()).await.unwrap();
    let kept = the_only(&dashcam).await;
    // The handler saw the error of the body, and has responded.
    assert_completed(&kept);
    let body = &kept.request.body;
    assert!(matches!(&body.state, BodyState::Error { message } if !message.is_empty()));
    assert_eq!((body.seen, body.declared), (4, Some(9)));
    assert_eq!(kept.response.unwrap().status, 400);
}

#[tokio::test]
async fn a_client_that_goes_away_in_the_answer() {
    let dashcam = TestDashcam::new();
    let (feed, body) = fed(vec![Frame::data(Bytes::from_static(b"first"))]);
    let app = Router::new()
        .route("/", answer_once(Response::new(body)))
        .layer(dashcam.layer());
    let server = Server::start(app).await;
    let mut wire = Wire::open(&server).await;
    wire.send("GET / HTTP/1.1\r\nhost: test\r\n\r\n").await;
    wire.until("first\r\n").await;
    drop(wire);
    ended(&dashcam, 1).await;
    assert!(feed.is_closed(), "the service's body is still there");
    let kept = dashcam.only();
    assert_eq!(kept.outcome, Outcome::Abandoned);
    assert_eq!(state(&kept.request.body), &BodyState::None);
    let response = kept.response.unwrap();
    assert_eq!((response.status, response.body.seen), (200, 5));
    assert_eq!(response.body.state, BodyState::Aborted);
}

#[tokio::test]
async fn a_panic_before_the_answer_leaves_the_connection_usable() {
    let dashcam = TestDashcam::new();
    let server = Server::start(app().layer(dashcam.layer())).await;
    let mut wire = Wire::open(&server).await;
    for _ in 0..2 {
        wire.send("GET /panic HTTP/1.1\r\nhost: test\r\n\r\n").await;
        let answer = wire.answer().await;
        assert!(answer.starts_with("HTTP/1.1 500 "), "{answer}");
        assert_eq!(
            field(&answer, "content-type"),
            Some("application/problem+json")
        );
        let id = field(&answer, "x-request-id").unwrap();
        let (_, problem) = answer.split_once("\r\n\r\n").unwrap();
        let problem: serde_json::Value = serde_json::from_str(problem).unwrap();
        assert_eq!(
            (&problem["status"], &problem["correlation_id"]),
            (&500.into(), &id.into())
        );
    }
    wire.send("HEAD /panic HTTP/1.1\r\nhost: test\r\n\r\n")
        .await;
    assert!(wire.head().await.starts_with("HTTP/1.1 500 "));
    wire.send("GET /hello HTTP/1.1\r\nhost: test\r\n\r\n").await;
    assert!(wire.answer().await.ends_with("\r\n\r\nhello"));
    let kept = kept_of(&dashcam, 4).await;
    assert_eq!(outcomes(&kept), ["panicked", "panicked", "panicked"]);
    let ours = BodyState::Skipped {
        why: "answer_to_panic".to_owned(),
    };
    let bodies = [ours.clone(), ours, BodyState::None];
    for (kept, body) in kept.into_iter().zip(bodies) {
        assert_eq!(kept.panic.unwrap().message, "before the answer");
        assert_eq!(kept.response.unwrap().body.state, body);
    }
}

#[tokio::test]
async fn a_panic_in_the_answer_ends_the_connection_as_it_would_anyway() {
    let dashcam = TestDashcam::new();
    let mut wires = Vec::new();
    for layered in [false, true] {
        let (feed, body) = fed(vec![Frame::data(Bytes::from_static(b"first"))]);
        let mut app = Router::new().route("/", answer_once(Response::new(body)));
        if layered {
            app = app.layer(dashcam.layer());
        }
        let server = Server::start(app).await;
        let mut wire = Wire::open(&server).await;
        wire.send("GET / HTTP/1.1\r\nhost: test\r\n\r\n").await;
        let start = wire.until("first\r\n").await;
        feed.send(None).unwrap();
        wires.push((crate::support_net::comparable(&start), wire.rest().await));
    }
    assert_eq!(wires[0], wires[1]);
    assert_eq!(wires[1].1, "", "no last chunk, so the client knows");
    let kept = the_only(&dashcam).await;
    assert_eq!(kept.outcome, Outcome::Panicked);
    assert_eq!(kept.panic.unwrap().message, "told to, while streaming");
    let body = kept.response.unwrap().body;
    assert_eq!((body.state, body.seen), (BodyState::Aborted, 5));
}

#[tokio::test]
async fn what_the_handler_did_not_read_is_not_captured() {
    let dashcam = keeping_all();
    let wire = same_with_layer(&dashcam, app, async |wire| {
        wire.send("POST /status/503 HTTP/1.1\r\nhost: test\r\ncontent-length: 8\r\n\r\nfirst of")
            .await;
        wire.answer().await
    })
    .await;
    assert!(wire.ends_with("no, thank you"), "{wire}");
    let wire = same_with_layer(&dashcam, app, async |wire| {
        wire.send(
            "POST /one-frame HTTP/1.1\r\nhost: test\r\ntransfer-encoding: chunked\r\n\r\n\
             5\r\nfirst\r\n",
        )
        .await;
        wire.answer().await
    })
    .await;
    assert!(wire.ends_with("5 first"), "{wire}");
    let kept = kept_of(&dashcam, 2).await;
    assert_eq!(outcomes(&kept), ["failed", "completed"]);
    let body = &kept[0].request.body;
    assert_eq!(
        (state(body), body.seen, body.declared),
        (&BodyState::Unread, 0, Some(8))
    );
    assert_eq!(body.content, None);
    let body = &kept[1].request.body;
    assert_eq!(
        (state(body), body.seen, body.declared),
        (&BodyState::PartlyRead, 5, None)
    );
}

#[tokio::test]
async fn every_answer_has_the_id() {
    let dashcam = keeping_all();
    let limited_by_axum = || app().layer(DefaultBodyLimit::max(3));
    let limited_by_tower = || app().layer(RequestBodyLimitLayer::new(3));
    let table: [(u16, &str, &str, &str, bool); 12] = [
        (200, "GET /hello", "", "", false),
        (404, "GET /nowhere", "", "", false),
        (405, "POST /hello", "content-length: 0\r\n", "", false),
        (408, "GET /never", "", "", false),
        (413, "POST /length", "content-length: 4\r\n", "four", false),
        (413, "POST /length", "content-length: 4\r\n", "four", true),
        (
            413,
            "POST /length",
            "transfer-encoding: chunked\r\n",
            "4\r\nfour\r\n0\r\n\r\n",
            false,
        ),
        (
            413,
            "POST /length",
            "transfer-encoding: chunked\r\n",
            "4\r\nfour\r\n0\r\n\r\n",
            true,
        ),
        (415, "POST /order", "content-length: 2\r\n", "{}", false),
        (
            422,
            "POST /order",
            "content-type: application/json\r\ncontent-length: 2\r\n",
            "{}",
            false,
        ),
        (500, "GET /status/500", "", "", false),
        (
            503,
            "POST /status/503",
            "content-length: 2\r\n",
            "{}",
            false,
        ),
    ];
    for (n, (status, line, fields, body, tower)) in table.into_iter().enumerate() {
        let play = async |wire: &mut Wire| {
            wire.send(format!(
                "{line} HTTP/1.1\r\nhost: test\r\nx-request-id: answer-{n}\r\n\
                 connection: close\r\n{fields}\r\n{body}"
            ))
            .await;
            wire.rest().await
        };
        let wire = if tower {
            same_with_layer(&dashcam, limited_by_tower, play).await
        } else {
            same_with_layer(&dashcam, limited_by_axum, play).await
        };
        assert!(
            wire.starts_with(&format!("HTTP/1.1 {status} ")),
            "{line}: {wire}"
        );
        assert_eq!(
            field(&wire, "x-request-id"),
            Some(format!("answer-{n}").as_str())
        );
        assert_eq!(wire.matches("x-request-id:").count(), 1, "{wire}");
    }
    let kept = kept_of(&dashcam, table.len() as u64).await;
    for (n, (kept, (status, ..))) in kept.iter().zip(table).enumerate() {
        assert_eq!(kept.correlation.id, format!("answer-{n}"));
        assert_eq!(kept.response.as_ref().unwrap().status, status);
        let expected = if status < 500 {
            Outcome::Completed
        } else {
            Outcome::Failed {
                failure: Failure::Status(status),
            }
        };
        assert_eq!(kept.outcome, expected);
    }
}

#[tokio::test]
async fn an_upgraded_connection_is_its_own_affair() {
    let dashcam = keeping_all();
    async fn upgrade(mut request: Request) -> impl IntoResponse {
        let on_upgrade = hyper::upgrade::on(&mut request);
        tokio::spawn(async move {
            let mut io = TokioIo::new(on_upgrade.await.unwrap());
            let (mut read, mut write) = tokio::io::split(&mut io);
            tokio::io::copy(&mut read, &mut write).await.unwrap();
        });
        (
            StatusCode::SWITCHING_PROTOCOLS,
            [(header::CONNECTION, "upgrade"), (header::UPGRADE, "echo")],
        )
    }
    let app = || Router::new().route("/", get(upgrade));
    let layered = Cell::new(false);
    let wire = same_with_layer(&dashcam, app, async |wire| {
        wire.send("GET / HTTP/1.1\r\nhost: test\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n")
            .await;
        let mut all = wire.head().await;
        if layered.replace(true) {
            // The exchange is over, the connection is not.
            ended(&dashcam, 1).await;
        }
        for text in ["ping", "pong"] {
            wire.send(text).await;
            let back = wire.exactly(4).await;
            assert_eq!(back, text);
            all += &back;
        }
        all
    })
    .await;
    assert!(wire.starts_with("HTTP/1.1 101 "), "{wire}");
    assert!(field(&wire, "x-request-id").is_some());
    let kept = the_only(&dashcam).await;
    assert_completed(&kept);
    let response = kept.response.unwrap();
    assert_eq!((response.status, response.body.seen), (101, 0));
}

#[tokio::test]
async fn curl_sees_what_it_would_see_anyway() {
    let dashcam = TestDashcam::new();
    if tokio::process::Command::new("curl")
        .arg("--version")
        .output()
        .await
        .is_err()
    {
        println!("skipped: no curl here");
        return;
    }
    let bare = Server::start(app()).await;
    let layered = Server::start(app().layer(dashcam.layer())).await;
    let large = "x".repeat(100_000);
    let calls: [&[&str]; 5] = [
        &["/hello"],
        &["--head", "/hello"],
        &[
            "--data-binary",
            &large,
            "-H",
            "expect: 100-continue",
            "/echo",
        ],
        &[
            "--data-binary",
            "{}",
            "-H",
            "content-type: application/json",
            "/order",
        ],
        &[
            "-H",
            "transfer-encoding: chunked",
            "--data-binary",
            &large,
            "/length",
        ],
    ];
    for call in calls {
        let mut seen = Vec::new();
        for server in [&bare, &layered] {
            let (path, arguments) = call.split_last().unwrap();
            let output = tokio::process::Command::new("curl")
                .args(["--silent", "--show-error", "--include", "--max-time", "60"])
                .args(["--noproxy", "*", "--http1.1"])
                .args(arguments)
                .arg(format!("http://{}{path}", server.address))
                .output()
                .await
                .unwrap();
            assert!(output.status.success(), "{output:?}");
            seen.push(String::from_utf8(output.stdout).unwrap());
        }
        assert!(field(&seen[0], "x-request-id").is_none());
        assert!(field(&seen[1], "x-request-id").is_some());
        let [bare, layered] = [0, 1].map(|n| crate::support_net::comparable(&seen[n]));
        assert_eq!(bare, layered);
    }
    assert!(kept_of(&dashcam, calls.len() as u64).await.is_empty());
}
