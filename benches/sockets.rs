//! What this crate costs a real server: CPU time of the server process per
//! request, over loopback sockets, against the bare service and tower-http.
//!
//! `cargo bench --features full --bench sockets`. The servers run in turn,
//! several rounds, and each round's figures are compared with the bare server
//! of the same round, because the speed of a shared machine drifts.

use axum::{
    Router,
    routing::{get, post},
};
use dashcam::Dashcam;
use http_body_util::BodyExt;
use hyper_util::rt::TokioIo;
use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    time::Duration,
};
use tokio::net::{TcpListener, TcpStream};
use tower::ServiceBuilder;
use tower_http::{
    request_id::{MakeRequestUuid, PropagateRequestIdLayer, SetRequestIdLayer},
    trace::{DefaultMakeSpan, DefaultOnResponse, TraceLayer},
};
use tracing::Level;
use tracing_subscriber::{EnvFilter, fmt, layer::SubscriberExt, util::SubscriberInitExt};

/// Each with the bare server of the same requests.
const KINDS: [(&str, &str); 9] = [
    ("bare", "bare"),
    ("dashcam, recording, JSON line", "bare"),
    ("dashcam, with 10 debug and 1 info event", "bare"),
    ("tower-http ids, trace, fmt JSON line", "bare"),
    // Bodies of 1 KiB, and one line of the service's own with two fields.
    ("bare, POST", "bare, POST"),
    ("dashcam, POST, line of other values", "bare, POST"),
    ("dashcam, POST, line of the body's values", "bare, POST"),
    ("tower-http, POST, line, fmt JSON", "bare, POST"),
    ("tower-http, POST, line, json-subscriber", "bare, POST"),
];
const CONNECTIONS: usize = 16;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if let [flag, kind] = args.as_slice()
        && flag == "--server"
    {
        return serve(kind);
    }
    let long = args.iter().any(|arg| arg == "--bench");
    let (rounds, requests) = if long { (7, 2_000) } else { (1, 5) };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let mut ratios = vec![Vec::new(); KINDS.len()];
    let mut costs = vec![Vec::new(); KINDS.len()];
    for _ in 0..rounds {
        let round: Vec<f64> = KINDS
            .iter()
            .map(|(kind, _)| runtime.block_on(measure(kind, requests)))
            .collect();
        for (n, cost) in round.iter().enumerate() {
            let base = KINDS.iter().position(|(kind, _)| *kind == KINDS[n].1);
            ratios[n].push(cost / round[base.unwrap()]);
            costs[n].push(*cost);
        }
    }
    for (n, (kind, _)) in KINDS.iter().enumerate() {
        let (least, median, most) = spread(&mut ratios[n]);
        let (_, micros, _) = spread(&mut costs[n]);
        println!(
            "{kind:<42} {micros:>7.2} us CPU a request, {median:.2} [{least:.2}-{most:.2}] x bare"
        );
    }
}

fn spread(values: &mut [f64]) -> (f64, f64, f64) {
    values.sort_by(f64::total_cmp);
    (
        values[0],
        values[values.len() / 2],
        values[values.len() - 1],
    )
}

/// CPU microseconds per request of a fresh server.
async fn measure(kind: &str, requests: usize) -> f64 {
    let mut server = Server::start(kind);
    let post = kind.contains("POST");
    load(server.port, post, requests / 4 + 1).await;
    let before = server.cpu();
    load(server.port, post, requests).await;
    // What the writer and exporter threads still do counts too.
    tokio::time::sleep(Duration::from_millis(50)).await;
    let spent = server.cpu() - before;
    server.child.kill().unwrap();
    server.child.wait().unwrap();
    spent / 1e3 / (requests * CONNECTIONS) as f64
}

struct Server {
    child: Child,
    port: u16,
}

impl Server {
    fn start(kind: &str) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--server", kind])
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stderr.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let port = line.trim().parse().unwrap();
        Self { child, port }
    }

    /// CPU time of all its threads, in nanoseconds.
    fn cpu(&self) -> f64 {
        std::fs::read_dir(format!("/proc/{}/task", self.child.id()))
            .unwrap()
            .filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("schedstat")).ok())
            .filter_map(|text| text.split(' ').next()?.parse::<f64>().ok())
            .sum()
    }
}

/// An order of 1 KiB.
fn order() -> String {
    let items: Vec<_> = (0..18)
        .map(|n| format!(r#"{{"sku":"item-{n}","count":{n},"note":"as discussed","price":12.5}}"#))
        .collect();
    format!(
        r#"{{"customer":"Alice Example","items":[{}]}}"#,
        items.join(",")
    )
}

async fn load(port: u16, post: bool, requests: usize) {
    let connections = (0..CONNECTIONS).map(|_| async move {
        let stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .unwrap();
        tokio::spawn(connection);
        for _ in 0..requests {
            let (method, path, body) = if post {
                ("POST", "/orders", order())
            } else {
                ("GET", "/orders/42", String::new())
            };
            let request = http::Request::builder()
                .method(method)
                .uri(path)
                .header("host", "localhost")
                .header("user-agent", "bench/1.0")
                .header("accept", "*/*")
                .header("content-type", "application/json")
                .body(body)
                .unwrap();
            let response = sender.send_request(request).await.unwrap();
            assert_eq!(response.status(), 200);
            response.into_body().collect().await.unwrap();
        }
    });
    futures_util::future::join_all(connections).await;
}

fn serve(kind: &str) {
    let events = kind.contains("10 debug");
    let (line, of_the_body) = (kind.contains(" line"), !kind.contains("other values"));
    let app = Router::new()
        .route(
            "/orders/{id}",
            get(move || async move {
                if events {
                    for step in 0..10 {
                        tracing::debug!(step, item = "lamp", ok = true, "looked");
                    }
                    tracing::info!(total = 4900, "an order");
                }
                "an order"
            }),
        )
        .route(
            "/orders",
            post(move |body: String| async move {
                // As the handler reads them.
                let (customer, note) = if of_the_body {
                    ("Alice Example", "as discussed")
                } else {
                    ("none of these", "picking")
                };
                if line {
                    let (customer, note) = (customer.to_owned(), note.to_owned());
                    tracing::info!(customer, note, "an order");
                }
                body.len().to_string()
            }),
        );
    // Kept until the process is killed.
    let mut cam = None;
    let app = match kind {
        "bare" | "bare, POST" => app,
        kind if kind.starts_with("tower-http") => {
            let registry = tracing_subscriber::registry().with(EnvFilter::new("info"));
            if kind.ends_with("json-subscriber") {
                registry.with(json_subscriber::layer()).init();
            } else {
                registry.with(fmt::layer().json()).init();
            }
            app.layer(
                ServiceBuilder::new()
                    .layer(SetRequestIdLayer::x_request_id(MakeRequestUuid))
                    .layer(
                        TraceLayer::new_for_http()
                            .make_span_with(DefaultMakeSpan::new().level(Level::INFO))
                            .on_request(())
                            .on_response(DefaultOnResponse::new().level(Level::INFO)),
                    )
                    .layer(PropagateRequestIdLayer::x_request_id()),
            )
        }
        _ => {
            let dashcam = Dashcam::builder().in_memory(1).build().unwrap();
            dashcam.init_tracing().unwrap();
            let app = app.layer(dashcam.layer());
            cam = Some(dashcam);
            app
        }
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async move {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        eprintln!("{}", listener.local_addr().unwrap().port());
        axum::serve(listener, app).await.unwrap();
        drop(cam);
    });
}
