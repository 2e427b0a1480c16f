//! The JSON log line: one event, one line, one object.

use crate::support_gate::{Buffer, DEADLINE, Fixture, fmt_json};
use dashcam::{log::JsonLayer, redact::Policy};
use serde_json::{Value, json};
use std::{fmt, io, sync::Arc};
use tracing_subscriber::{EnvFilter, prelude::*};

/// The lines that `f` logs, without any gate or request.
fn lines_of(f: impl FnOnce()) -> Vec<Value> {
    let buffer = Buffer::default();
    let lines = JsonLayer::new(buffer.clone(), Policy::by_name()).unwrap();
    let handle = lines.clone();
    tracing::subscriber::with_default(tracing_subscriber::registry().with(lines), f);
    assert!(handle.flush(DEADLINE));
    assert_eq!((handle.dropped(), handle.failed()), (0, 0));
    let text = buffer.text();
    assert!(text.is_empty() || text.ends_with('\n'));
    let lines = buffer.lines();
    assert!(lines.iter().all(Value::is_object));
    lines
}

const HOSTILE: &[&str] = &[
    "two\nlines",
    "\r\n\t\u{8}\u{c}",
    "quotes \" and ' and \\ and \\\"",
    "\u{0}\u{1}\u{1f}\u{7f}\u{80}\u{9f}",
    "\u{1b}[31mred\u{1b}[0m \u{1b}]0;title\u{7}",
    "\u{2028}\u{2029}\u{feff}\u{fffd}\u{10ffff}",
    "{\"level\":\"ERROR\"}",
    "\",\"level\":\"ERROR\",\"x\":\"",
    "}{][,:",
    "ä 🦀 𝄞",
    "",
    " ",
];

#[test]
fn hostile_text_is_text() {
    let lines = lines_of(|| {
        for text in HOSTILE {
            tracing::info_span!("work", note = *text)
                .in_scope(|| tracing::info!(text = *text, debug = ?text, "{text}"));
        }
    });
    assert_eq!(lines.len(), HOSTILE.len());
    for (line, text) in lines.iter().zip(HOSTILE) {
        assert_eq!(line["message"], *text);
        assert_eq!(line["level"], "INFO");
        assert_eq!(line["fields"]["text"], *text);
        assert_eq!(line["fields"]["debug"], format!("{text:?}"));
        assert_eq!(
            line["spans"],
            json!([{"name": "work", "fields": {"note": text}}])
        );
        assert_eq!(line.as_object().unwrap().len(), 6, "{line}");
    }
}

/// The request line is not redacted. An event that only has its target is.
#[test]
fn nobody_else_writes_the_request_line() {
    let lines = lines_of(|| {
        let span = tracing::info_span!(target: "dashcam::request", "request", password = "Muxvez");
        span.in_scope(|| {
            tracing::info!(
                target: "dashcam::request",
                card = "4111111111111111",
                password = "Muxvez",
                "request"
            );
        });
    });
    let text = lines[0].to_string();
    assert!(!text.contains("4111") && !text.contains("Muxvez"), "{text}");
    assert_eq!(lines[0]["spans"][0]["name"], "request");
}

#[test]
fn every_character_survives() {
    let text: String = ('\u{0}'..='\u{2ff}').collect();
    let lines = lines_of(|| tracing::info!(text = text.as_str()));
    assert_eq!(lines[0]["fields"]["text"], text);
    assert_eq!(lines[0].get("message"), None, "there was none");
}

#[test]
fn numbers_of_every_kind() {
    let lines = lines_of(|| {
        tracing::info!(
            nan = f64::NAN,
            infinite = f64::INFINITY,
            half = 0.5,
            int = -3,
            wide = u128::MAX,
            flag = false,
            none = Option::<u8>::None,
            bytes = &b"\x00\xff"[..],
        );
    });
    assert_eq!(
        lines[0]["fields"],
        json!({
            "nan": "NaN", "infinite": "inf", "half": 0.5, "int": -3,
            "wide": u128::MAX.to_string(), "flag": false, "bytes": "[00 ff]",
        })
    );
}

#[test]
fn names_that_the_line_has_itself_do_not_collide() {
    let lines = lines_of(|| {
        tracing::warn!(
            timestamp = "mine",
            level = 7,
            target = "mine too",
            correlation_id = "nobody's",
            fields = true,
            spans = 1,
            "a \"message\""
        );
        tracing::warn!(message = "as a field", n = 1);
    });
    let line = &lines[0];
    assert_eq!(
        (&line["level"], &line["message"]),
        (&json!("WARN"), &json!("a \"message\""))
    );
    assert_eq!(line["target"], module_path!());
    assert_eq!(line.get("correlation_id"), None);
    assert_eq!(
        line["fields"],
        json!({"timestamp": "mine", "level": 7, "target": "mine too",
               "correlation_id": "nobody's", "fields": true, "spans": 1})
    );
    let time = line["timestamp"].as_str().unwrap();
    assert_eq!(
        (time.len(), &time[10..11], &time[26..]),
        (27, "T", "Z"),
        "{time}"
    );
    assert_eq!(lines[1]["message"], "as a field");
    assert_eq!(lines[1]["fields"], json!({"n": 1}));
}

#[test]
fn a_megabyte_is_cut_at_a_character() {
    let huge = "ä ".repeat(500_000);
    let lines = lines_of(|| {
        tracing::info!(text = huge.as_str(), "before");
        tracing::info!("{huge}");
        tracing::info!("after");
    });
    assert_eq!(lines.len(), 3);
    let text = lines[0]["fields"]["text"].as_str().unwrap();
    let whole = text.strip_suffix('…').unwrap();
    assert!(huge.starts_with(whole) && (1000..100_000).contains(&whole.len()));
    let message = lines[1]["message"].as_str().unwrap();
    assert!(message.starts_with("ä ä") && message.ends_with('…'));
    assert_eq!(lines[2]["message"], "after");
}

#[test]
fn code_that_panics_or_logs_while_it_is_formatted() {
    struct Bad;
    impl fmt::Debug for Bad {
        fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
            panic!("in Debug")
        }
    }
    let lines = lines_of(|| {
        tracing::info!(bad = ?Bad, good = 1, "with a panic");
        tracing::info_span!("span", bad = ?Bad).in_scope(|| tracing::info!("in a span"));
    });
    assert_eq!(lines.len(), 2);
    assert!(
        lines[0]["fields"]["bad"]
            .as_str()
            .unwrap()
            .contains("panicked")
    );
    assert_eq!(lines[0]["fields"]["good"], 1);
    assert_eq!(lines[1]["spans"][0]["name"], "span");
}

#[test]
fn spans_show_their_latest_fields_outermost_first() {
    let lines = lines_of(|| {
        let outer = tracing::info_span!("outer", a = 1, b = tracing::field::Empty);
        let _outer = outer.enter();
        tracing::info!("one");
        let inner = tracing::info_span!("inner");
        inner.in_scope(|| {
            outer.record("b", "later");
            outer.record("a", 2);
            tracing::info!("two");
        });
        tracing::info!(parent: None, "three");
    });
    let spans: Vec<_> = lines.iter().map(|l| l.get("spans").cloned()).collect();
    assert_eq!(
        spans,
        [
            Some(json!([{"name": "outer", "fields": {"a": 1}}])),
            Some(json!([{"name": "outer", "fields": {"a": 2, "b": "later"}}, {"name": "inner"}])),
            None,
        ]
    );
}

#[test]
fn lines_of_a_request_say_so_and_one_is_its_own() {
    let (fixture, buffer, other) = (Fixture::new(), Buffer::default(), Buffer::default());
    let subscriber = tracing_subscriber::registry()
        .with(fixture.dashcam.gate(EnvFilter::new("info")))
        .with(fixture.dashcam.json_log_to(buffer.clone()).unwrap())
        .with(fmt_json(&other));
    let mut ids = Vec::new();
    tracing::subscriber::with_default(subscriber, || {
        tracing::info!("outside");
        for status in [200, 404, 503] {
            let request = http::Request::put("/orders/7?x=1")
                .header(
                    "traceparent",
                    "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
                )
                .header("x-request-id", format!("id-{status}"))
                .body(crate::support_gate::Body::default())
                .unwrap();
            let status = http::StatusCode::from_u16(status).unwrap();
            fixture.call(request, status, || {
                tracing::info!(n = 1, "inside");
                tracing::debug!("not shown");
                ids.push(dashcam::current().unwrap().correlation_id().to_string());
            });
        }
        tracing::info!("outside again");
    });
    assert!(fixture.dashcam.flush(DEADLINE));
    let lines = buffer.lines();
    let said: Vec<_> = lines
        .iter()
        .map(|l| l["message"].as_str().unwrap())
        .collect();
    assert_eq!(
        said,
        [
            "outside",
            "inside",
            "request",
            "inside",
            "request",
            "inside",
            "request",
            "outside again"
        ]
    );
    for line in [&lines[0], &lines[7]] {
        assert_eq!(line.get("correlation_id"), None);
        assert_eq!(line.get("trace_id"), None);
    }
    for (n, (status, level, outcome, kept)) in [
        (200, "INFO", "completed", false),
        (404, "INFO", "completed", false),
        (503, "ERROR", "failed", true),
    ]
    .into_iter()
    .enumerate()
    {
        let (inside, own) = (&lines[1 + 2 * n], &lines[2 + 2 * n]);
        for line in [inside, own] {
            assert_eq!(line["correlation_id"], format!("id-{status}"));
            assert_eq!(line["correlation_id"], ids[n].as_str());
            assert_eq!(line["trace_id"], "0af7651916cd43dd8448eb211c80319c");
            assert_eq!(line.get("spans"), None, "the request span adds nothing");
        }
        assert_eq!(inside["fields"], json!({"n": 1}));
        assert_eq!(
            (&own["level"], &own["target"]),
            (&json!(level), &json!("dashcam::request"))
        );
        let fields = &own["fields"];
        assert_eq!(fields["http.request.method"], "PUT");
        assert_eq!(fields["http.response.status_code"], status);
        assert_eq!(fields["outcome"], outcome);
        assert_eq!(fields["kept"], kept);
        assert!(fields["duration_ms"].as_f64().unwrap() >= 0.0);
        assert_eq!(fields.get("http.route"), None, "there is no router");
    }
}

/// The line of a request is taken as a record, but inside a span of the service's own it is an
/// event like any other. The two have the same content.
#[tokio::test]
#[cfg_attr(not(feature = "axum"), ignore = "needs routes of axum")]
async fn the_own_line_says_the_same_inside_of_a_span() {
    use axum::{Router, body::Body, http::Request, routing::get};
    use tower::ServiceExt;
    for flat in [false, true] {
        for max in [16 * 1024, 2 * 1024] {
            let (fixture, buffer) = (Fixture::new(), Buffer::default());
            let lines = fixture.dashcam.json_log_to(buffer.clone()).unwrap();
            let subscriber = tracing_subscriber::registry()
                .with(fixture.dashcam.gate(EnvFilter::new("info")))
                .with(lines.flatten_fields(flat).max_line(max));
            let _subscriber = tracing::subscriber::set_default(subscriber);
            let long: &'static str = format!("/{}/\"quoted\"", "é".repeat(120)).leak();
            let app = Router::new()
                .route("/orders/{id}", get(|body: String| async move { body }))
                .route("/panics", get(|| async { panic!("no") as &'static str }))
                .route(long, get(|| async { "" }))
                .layer(fixture.dashcam.layer());
            let encoded = format!("/{}/%22quoted%22", "%C3%A9".repeat(120));
            let paths = ["/orders/7", "/panics", "/nowhere", &encoded];
            for spanned in [false, true] {
                for path in paths {
                    let _span = spanned.then(|| tracing::info_span!("outer").entered());
                    let request = Request::get(path)
                        .header("x-request-id", "of-the-client")
                        .body(Body::from("four"))
                        .unwrap();
                    let mut call = tokio_test::task::spawn(app.clone().oneshot(request));
                    let std::task::Poll::Ready(Ok(response)) = call.poll() else {
                        panic!("it waits");
                    };
                    let _ = axum::body::to_bytes(response.into_body(), 1 << 20).await;
                }
            }
            assert!(fixture.dashcam.flush(DEADLINE));
            let lines: Vec<_> = buffer
                .text()
                .lines()
                .filter_map(without_what_varies)
                .collect();
            let (taken, general) = lines.split_at(paths.len());
            assert_eq!(taken, general);
        }
    }
}

/// A line of a request, without its times, IDs and spans.
fn without_what_varies(line: &str) -> Option<String> {
    let mut text = line.to_owned();
    for name in ["timestamp", "trace_id", "span_id"] {
        let start = text.find(&format!("\"{name}\":\""))? + name.len() + 4;
        let end = start + text.get(start..)?.find('"')?;
        text.replace_range(start..end, "");
    }
    let start = text.find("\"duration_ms\":")?;
    let end = start + text.get(start..)?.find(',')?;
    text.replace_range(start..end, "");
    Some(text.replace(",\"spans\":[{\"name\":\"outer\"}]", ""))
}

#[tokio::test]
#[cfg_attr(not(feature = "axum"), ignore = "needs routes of axum")]
async fn the_own_line_names_the_route() {
    use axum::{Router, body::Body, http::Request, routing::get};
    use tower::ServiceExt;
    let (fixture, buffer) = (Fixture::new(), Buffer::default());
    let subscriber = tracing_subscriber::registry()
        .with(fixture.dashcam.gate(EnvFilter::new("off")))
        .with(fixture.dashcam.json_log_to(buffer.clone()).unwrap());
    let _subscriber = tracing::subscriber::set_default(subscriber);
    let app = Router::new()
        .route("/orders/{id}", get(|body: String| async move { body }))
        .route(
            "/panics",
            get(|| async { panic!("no price") as &'static str }),
        )
        .layer(fixture.dashcam.layer());
    for (path, body) in [("/orders/7", "four"), ("/panics", ""), ("/nowhere", "")] {
        let request = Request::get(path).body(Body::from(body)).unwrap();
        let response = app.clone().oneshot(request).await.unwrap();
        let _ = axum::body::to_bytes(response.into_body(), 1 << 20).await;
    }
    // Abandoned before the response.
    let request =
        Request::get("/orders/7").body(Body::from_stream(futures_util::stream::pending::<
            io::Result<bytes::Bytes>,
        >()));
    let mut call = tokio_test::task::spawn(app.oneshot(request.unwrap()));
    assert!(call.poll().is_pending());
    drop(call);
    assert!(fixture.dashcam.flush(DEADLINE));
    let own: Vec<_> = buffer
        .with_message("request")
        .iter()
        .map(|l| {
            let f = &l["fields"];
            json!([
                f["http.route"],
                f["http.response.status_code"],
                f["outcome"],
                l["level"]
            ])
        })
        .collect();
    assert_eq!(
        own,
        [
            json!(["/orders/{id}", 200, "completed", "INFO"]),
            json!(["/panics", 500, "panicked", "ERROR"]),
            json!([null, 404, "completed", "INFO"]),
            json!(["/orders/{id}", null, "abandoned", "INFO"]),
        ]
    );
    assert_eq!(buffer.lines()[0]["fields"]["http.request.body.size"], 4);
    assert_eq!(buffer.lines()[0]["fields"]["http.response.body.size"], 4);
}

#[test]
fn the_own_line_can_be_left_out() {
    let fixture = Fixture::with(|builder| builder.request_line(false));
    let buffer = Buffer::default();
    let subscriber = tracing_subscriber::registry()
        .with(fixture.dashcam.gate(EnvFilter::new("info")))
        .with(fixture.dashcam.json_log_to(buffer.clone()).unwrap());
    tracing::subscriber::with_default(subscriber, || {
        fixture.failing(|| tracing::info!("inside"));
    });
    assert!(fixture.dashcam.flush(DEADLINE));
    let lines = buffer.lines();
    assert_eq!(lines.len(), 1);
    assert_eq!(lines[0]["message"], "inside");
}

#[test]
fn lines_of_many_threads_are_whole_and_each_in_order() {
    let buffer = Buffer::default();
    let lines = JsonLayer::new(buffer.clone(), Policy::strict()).unwrap();
    let handle = lines.clone();
    let dispatch = Arc::new(tracing::Dispatch::new(
        tracing_subscriber::registry().with(lines),
    ));
    let threads: Vec<_> = (0..4_u64)
        .map(|thread| {
            let dispatch = Arc::clone(&dispatch);
            std::thread::spawn(move || {
                tracing::dispatcher::with_default(&dispatch, || {
                    for n in 0..2000_u64 {
                        tracing::info!(thread, n, "{}", "text ".repeat((n % 7) as usize));
                    }
                });
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    assert!(handle.flush(DEADLINE));
    assert_eq!(handle.dropped(), 0);
    let mut next = [0_u64; 4];
    for line in buffer.lines() {
        let thread = line["fields"]["thread"].as_u64().unwrap() as usize;
        assert_eq!(line["fields"]["n"], next[thread]);
        next[thread] += 1;
    }
    assert_eq!(next, [2000; 4]);
}

#[test]
fn what_waits_is_written_when_the_layer_goes() {
    struct Telling(Buffer, std::sync::mpsc::Sender<()>);
    impl io::Write for Telling {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.write(bytes)
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    impl Drop for Telling {
        fn drop(&mut self) {
            let _ = self.1.send(());
        }
    }
    let buffer = Buffer::default();
    let (ended, has_ended) = std::sync::mpsc::channel();
    let lines = JsonLayer::new(Telling(buffer.clone(), ended), Policy::strict()).unwrap();
    tracing::subscriber::with_default(tracing_subscriber::registry().with(lines), || {
        tracing::info!("last words");
    });
    has_ended.recv_timeout(DEADLINE).unwrap();
    assert_eq!(buffer.with_message("last words").len(), 1);
}

#[test]
fn lines_of_a_request_without_parent_name_the_trace_it_starts() {
    let (fixture, buffer) = (Fixture::new(), Buffer::default());
    let subscriber = tracing_subscriber::registry()
        .with(fixture.dashcam.gate(EnvFilter::new("info")))
        .with(fixture.dashcam.json_log_to(buffer.clone()).unwrap());
    let mut trace = None;
    tracing::subscriber::with_default(subscriber, || {
        let request = http::Request::new(crate::support_gate::Body::default());
        fixture.call(request, http::StatusCode::OK, || {
            tracing::info!("inside");
            trace = dashcam::current().map(|request| request.trace_context().clone());
        });
    });
    assert!(fixture.dashcam.flush(DEADLINE));
    let trace = trace.unwrap();
    let lines = buffer.lines();
    assert_eq!(lines.len(), 2);
    for line in lines {
        let id = line["correlation_id"].as_str().unwrap();
        assert_eq!(line["trace_id"], trace.trace_id().to_string());
        assert_eq!(line["trace_id"], id.replace('-', ""));
        assert_eq!(line["span_id"], trace.span_id().to_string());
    }
}

/// The memory that lines keep alive is counted once, however the lines of requests alternate.
#[test]
fn lines_of_large_requests_in_turn_keep_their_text() {
    use http_body_util::BodyExt;
    use tower::{Layer as _, ServiceExt, service_fn};

    type Incoming = http::Request<dashcam::lifecycle::RequestBody<crate::support_gate::Body>>;
    let (fixture, buffer) = (Fixture::new(), Buffer::default());
    let subscriber = tracing_subscriber::registry()
        .with(fixture.dashcam.gate(EnvFilter::new("info")))
        .with(fixture.dashcam.json_log_to(buffer.clone()).unwrap());
    tracing::subscriber::with_default(subscriber, || {
        let contexts = [(); 2].map(|()| {
            let service = fixture
                .dashcam
                .layer()
                .layer(service_fn(|request: Incoming| async {
                    request.into_body().collect().await.unwrap();
                    let mut response = http::Response::new(crate::support_gate::Body::default());
                    response.extensions_mut().insert(dashcam::current());
                    Ok::<_, io::Error>(response)
                }));
            let body = crate::support_gate::Body::from("x".repeat(60_000));
            let response = tokio_test::block_on(service.oneshot(http::Request::new(body)));
            let context: Option<dashcam::context::RequestContext> =
                response.unwrap().extensions_mut().remove().unwrap();
            context.unwrap()
        });
        // A batch has the lines of some milliseconds.
        for n in 0..600 {
            let word = "walnut".to_owned();
            contexts[n % 2].in_scope(|| tracing::info!("a {word}"));
        }
    });
    assert!(fixture.dashcam.flush(DEADLINE));
    assert_eq!(fixture.dashcam.status().log_lines_withheld, 0);
    assert_eq!(buffer.with_message("a walnut").len(), 600);
}
