//! Hostile clients: every line of the log stays one JSON object.
//!
//! With `DASHCAM_LINES` the lines go to files in that directory, for parsers of others
//! (`.ci/checks/log-lines`).

use crate::support_gate::{Buffer, DEADLINE};
use axum::{
    Router,
    body::Bytes,
    extract::{Path, RawQuery, Request},
    http::StatusCode,
    routing::any,
};
use dashcam::{Dashcam, capture::StormLimits, log::JsonLayer, redact::Policy};
use http_body_util::BodyExt;
use serde_json::Value;
use std::{fs, io::Write as _, net::Ipv4Addr, path::PathBuf};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use tracing_subscriber::{EnvFilter, prelude::*};

/// Logs everything that it receives, in every way.
async fn careless(RawQuery(query): RawQuery, path: Path<String>, request: Request) -> StatusCode {
    let (head, body) = request.into_parts();
    let body: Bytes = body.collect().await.unwrap().to_bytes();
    let text = String::from_utf8_lossy(&body).into_owned();
    let span = tracing::info_span!("careless", body = %text, query, path = ?path.0);
    let _span = span.enter();
    for (name, value) in &head.headers {
        let lossy = String::from_utf8_lossy(value.as_bytes()).into_owned();
        tracing::info!(name = %name, ?value, bytes = ?value.as_bytes(), lossy, "{lossy}");
    }
    tracing::warn!(method = %head.method, path = %path.0, text, "{}", path.0);
    tracing::debug!(text, "only recorded: {text}");
    log::warn!(target: "a\n\"target\"", "{text}");
    if let Some(context) = dashcam::current() {
        context.fact(text.clone(), &text);
        context.keep(text.clone());
    }
    tracing::error!(error = text, "{text}");
    if body.len().is_multiple_of(2) {
        panic!("{text}");
    }
    StatusCode::OK
}

/// Values that are known to break log lines.
fn values() -> Vec<Vec<u8>> {
    let mut values: Vec<Vec<u8>> = vec![
        (0..=255).collect(),
        b"\r\n{\"level\":\"ERROR\",\"message\":\"forged\"}\r\n".to_vec(),
        b"\x1b[2J\x1b]0;title\x07\x1b[31mred\x9b31m\x7f\x08\x08".to_vec(),
        "\u{2028}\u{2029}\u{85}\u{feff}\u{9b}\u{202e}\u{0}".into(),
        b"\xff\xfe\xc0\x80\xed\xa0\x80\xf4\x90\x80\x80\xe2\x82".to_vec(),
        br#"","level":"ERROR","x":"\u0000\ud800\"#.to_vec(),
        b"NaN Infinity -0 1e999 // /* */ #".to_vec(),
    ];
    let huge = values
        .concat()
        .repeat(1 + (1 << 20) / values.concat().len());
    values.push(huge);
    values
}

/// Sends bytes and reads the response to its end.
async fn send(port: u16, request: &[u8]) {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))
        .await
        .unwrap();
    // A client that is refused early may not read all of it.
    let _ = stream.write_all(request).await;
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    assert!(answer.starts_with(b"HTTP/1.1 "), "{answer:?}");
}

fn percent(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("%{byte:02x}")).collect()
}

fn requests(value: &[u8]) -> [Vec<u8>; 3] {
    let cut = &value[..value.len().min(2_000)];
    // The allowed content of a header: anything but line breaks, NUL and the like.
    let header: Vec<u8> = cut
        .iter()
        .copied()
        .filter(|&b| b == b'\t' || b >= 0x20 && b != 0x7f)
        .collect();
    let body = |headers: &[u8], method: &str, path: &str| {
        let mut request = format!("{method} /{path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n");
        request.push_str(&format!("content-length: {}\r\n", value.len()));
        let mut request = request.into_bytes();
        request.extend_from_slice(headers);
        request.extend_from_slice(b"\r\n");
        request.extend_from_slice(value);
        request
    };
    let mut headers = Vec::new();
    for name in [
        "x-evil",
        "x-request-id",
        "traceparent",
        "baggage",
        "user-agent",
    ] {
        headers.extend_from_slice(name.as_bytes());
        headers.extend_from_slice(b": ");
        headers.extend_from_slice(&header);
        headers.extend_from_slice(b"\r\n");
    }
    [
        body(&headers, "POST", "plain"),
        body(
            b"content-type: application/json\r\n",
            "EVIL!#$%&'*+-.^_`|~",
            "x",
        ),
        body(b"", "PUT", &format!("{0}?{0}={0}", percent(cut))),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hostile_run_leaves_one_object_a_line() {
    alone!();
    let mut storm = StormLimits::default();
    storm.full = u64::MAX;
    storm.per_second = u64::MAX;
    let dashcam = Dashcam::builder()
        .service("test", "0")
        .storm(storm)
        .replay(crate::support_gate::replay_all(false))
        .policy(Policy::by_name())
        .in_memory(10)
        .build()
        .unwrap();
    type Format = fn(JsonLayer) -> JsonLayer;
    let formats: [(_, Format, _); 5] = [
        ("otel", |lines| lines, false),
        ("otel-flat", |lines| lines, true),
        ("datadog", JsonLayer::datadog, true),
        ("google", |lines| lines.google_cloud("a\"\n\u{1b}"), true),
        ("elastic", JsonLayer::elastic, false),
    ];
    let outputs = formats.map(|(name, format, flat)| {
        let buffer = Buffer::default();
        // Nothing is hidden from one of them.
        let lines = JsonLayer::new(buffer.clone(), Policy::by_name()).unwrap();
        let lines = if flat {
            lines.flatten_fields(true)
        } else {
            lines
        };
        let lines = format(lines);
        (name, buffer, lines.clone(), Some(lines))
    });
    let mut outputs = outputs;
    let layers: Vec<_> = outputs.iter_mut().filter_map(|o| o.3.take()).collect();
    tracing_subscriber::registry()
        .with(dashcam.gate(EnvFilter::new("info")))
        .with(layers)
        .init();

    let app = Router::new()
        .route("/{*path}", any(careless))
        .layer(dashcam.layer());
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(axum::serve(listener, app).into_future());
    let values = values();
    for value in &values {
        for request in requests(value) {
            send(port, &request).await;
        }
    }
    assert!(dashcam.flush(DEADLINE));

    let requests = values.len() * 3;
    for (name, buffer, handle, _) in &outputs {
        assert!(handle.flush(DEADLINE));
        assert_eq!((handle.dropped(), handle.failed()), (0, 0), "{name}");
        let text = buffer.text();
        assert!(text.ends_with('\n'));
        let lines: Vec<Value> = text
            .split_terminator('\n')
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert!(lines.iter().all(Value::is_object));
        assert!(!text.bytes().any(|b| b < 0x20 && b != b'\n'), "{name}");
        let own = lines.iter().filter(|line| line["message"] == "request");
        assert_eq!(own.count(), requests, "{name}");
        assert!(!lines.iter().any(|line| line["message"] == "forged"));
        // Eight lines of a request at least, and the replays.
        assert!(lines.len() > requests * 8, "{name}: {}", lines.len());
        if let Some(directory) = std::env::var_os("DASHCAM_LINES") {
            let path = PathBuf::from(directory).join(format!("{name}.jsonl"));
            fs::File::create(path)
                .and_then(|mut file| file.write_all(text.as_bytes()))
                .unwrap();
        }
    }
}
