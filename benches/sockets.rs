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
use http_body_util::{BodyExt, Empty};
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

const KINDS: [&str; 4] = [
    "bare",
    "dashcam, recording, JSON line",
    "dashcam, with 10 debug and 1 info event",
    "tower-http ids, trace, fmt JSON line",
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
            .map(|kind| runtime.block_on(measure(kind, requests)))
            .collect();
        for (n, cost) in round.iter().enumerate() {
            ratios[n].push(cost / round[0]);
            costs[n].push(*cost);
        }
    }
    for (n, kind) in KINDS.iter().enumerate() {
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
    load(server.port, requests / 4 + 1).await;
    let before = server.cpu();
    load(server.port, requests).await;
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

async fn load(port: u16, requests: usize) {
    let connections = (0..CONNECTIONS).map(|_| async move {
        let stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .unwrap();
        tokio::spawn(connection);
        for _ in 0..requests {
            let request = http::Request::get("/orders/42")
                .header("host", "localhost")
                .header("user-agent", "bench/1.0")
                .header("accept", "*/*")
                .body(Empty::<bytes::Bytes>::new())
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
        .route("/orders", post(|body: String| async move { body }));
    // Kept until the process is killed.
    let mut cam = None;
    let app = match kind {
        "bare" => app,
        "tower-http ids, trace, fmt JSON line" => {
            tracing_subscriber::registry()
                .with(EnvFilter::new("info"))
                .with(fmt::layer().json())
                .init();
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
