//! How long redaction takes for clients that cause work on purpose, and who waits for it.
//!
//! Short, and only printed. With `DASHCAM_LONG=1`, which is for release builds, it is longer, and
//! compared with bars.
#![cfg(all(feature = "full", target_os = "linux"))]

#[path = "../../benches/cost/hostile.rs"]
mod hostile;

use axum::{Router, body::Body, extract::Request, http::StatusCode, routing::post};
use dashcam::{
    Dashcam,
    capture::{Limits, StormLimits},
    exchange::Exchange,
    export::{ExportError, Exporter},
};
use hostile::Kind;
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard},
    time::{Duration, Instant},
};
use tokio::net::{TcpListener, TcpStream};
use tower::ServiceExt;
use tracing_subscriber::{EnvFilter, prelude::*};

const KINDS: [Kind; 8] = [
    Kind::Ordinary,
    Kind::Prefixes,
    Kind::Symbols,
    Kind::Escapes,
    Kind::Nested,
    Kind::OneLetter,
    Kind::Ideographs,
    Kind::Digits,
];

/// Lines of one hostile request.
const LINES: usize = 20;

const DEADLINE: Duration = Duration::from_secs(300);

/// Bars: the exporter's CPU time for one exchange, how long a harmless exchange waits behind
/// thirty of them, and the greatest delay of 99 % of the lines of others.
const EXPORTER: Duration = Duration::from_millis(25);
const WAIT: Duration = Duration::from_secs(1);
const DELAY: Duration = Duration::from_millis(500);

fn long() -> bool {
    std::env::var_os("DASHCAM_LONG").is_some()
}

/// The two tests measure time.
fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// The newest thread of this process with this name: an older one may still end.
fn thread(name: &str) -> PathBuf {
    let tasks = fs::read_dir("/proc/self/task").unwrap().flatten();
    let of = tasks.filter(|task| {
        let comm = fs::read_to_string(task.path().join("comm"));
        comm.is_ok_and(|comm| comm.trim_end() == name)
    });
    let number = |task: &fs::DirEntry| task.file_name().to_str()?.parse::<u32>().ok();
    let last = of.max_by_key(number);
    last.unwrap_or_else(|| panic!("no thread {name}")).path()
}

/// The CPU time of a thread.
fn cpu(thread: &Path) -> Duration {
    let text = fs::read_to_string(thread.join("schedstat")).unwrap();
    Duration::from_nanos(text.split(' ').next().unwrap().parse().unwrap())
}

/// When the exchanges of harmless requests were written.
#[derive(Clone, Default)]
struct Times(Arc<Mutex<Vec<Instant>>>);

impl Exporter for Times {
    fn export(&mut self, exchange: &Exchange) -> Result<(), ExportError> {
        if exchange.request.route.as_deref() == Some("/harmless") {
            self.0.lock().unwrap().push(Instant::now());
        }
        Ok(())
    }
}

/// Lines, and when they came.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<(Instant, Vec<u8>)>>>);

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0
            .lock()
            .unwrap()
            .push((Instant::now(), bytes.to_vec()));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn dashcam(times: &Times) -> Dashcam {
    let mut limits = Limits::default();
    limits.recording = 1 << 20;
    let mut storm = StormLimits::default();
    storm.full = u64::MAX;
    storm.per_second = u64::MAX;
    Dashcam::builder()
        .service("work", "1")
        .limits(limits)
        .storm(storm)
        .exporter(times.clone())
        .build()
        .unwrap()
}

fn request(path: &str, body: String) -> Request {
    axum::http::Request::post(path)
        .header("content-type", "application/json")
        .body(Body::from(body))
        .unwrap()
}

/// Thirty failing requests of each kind, and one of another client behind them.
#[test]
fn a_harmless_exchange_does_not_wait_for_hostile_ones() {
    let _turn = turn();
    let (count, kib) = if long() { (30, 64) } else { (3, 8) };
    let mut missed = Vec::new();
    println!(
        "{:<12} {:>22} {:>22}",
        "", "exporter, an exchange", "the harmless one waits"
    );
    for kind in KINDS {
        let times = Times::default();
        let dashcam = dashcam(&times);
        let subscriber = tracing_subscriber::registry().with(dashcam.gate(EnvFilter::new("info")));
        let texts: Arc<Vec<String>> = Arc::new((0..300 * kib / 64).map(|n| kind.text(n)).collect());
        let hostile = move |_: String| {
            let texts = texts.clone();
            async move {
                for text in texts.iter() {
                    tracing::debug!(text = text.as_str(), "read");
                }
                StatusCode::BAD_GATEWAY
            }
        };
        let harmless = |_: String| async {
            tracing::debug!(step = 1, "harmless");
            StatusCode::BAD_GATEWAY
        };
        let app = Router::new()
            .route("/hostile", post(hostile))
            .route("/harmless", post(harmless))
            .layer(dashcam.layer());
        let body = kind.body(kib);
        let (spent, waited) = tracing::subscriber::with_default(subscriber, || {
            tokio_test::block_on(async {
                // The thread has its name when it has done something.
                send(&app, request("/warm", String::new())).await;
                assert!(dashcam.flush(DEADLINE));
                let exporter = thread("dashcam-export");
                let before = cpu(&exporter);
                for _ in 0..count {
                    send(&app, request("/hostile", body.clone())).await;
                }
                send(&app, request("/harmless", r#"{"a":"quiet"}"#.to_owned())).await;
                let sent = Instant::now();
                assert!(dashcam.flush(DEADLINE));
                let written = times.0.lock().unwrap()[0];
                let spent = (cpu(&exporter) - before) / count;
                (spent, written.saturating_duration_since(sent))
            })
        });
        assert_eq!(dashcam.status().kept, u64::from(count) + 1);
        println!("{:<12} {spent:>22.2?} {waited:>22.2?}", format!("{kind:?}"));
        if spent > EXPORTER || waited > WAIT {
            missed.push(format!(
                "{kind:?}: {spent:?} an exchange, waited {waited:?}"
            ));
        }
    }
    assert!(!long() || missed.is_empty(), "{missed:#?}");
}

async fn send(app: &Router, request: Request) {
    let answer = app.clone().oneshot(request).await.unwrap();
    answer.into_body().collect().await.unwrap();
}

/// One client sends 150 healthy requests of 3 to 15 KB a second, with values that are costly to
/// search for. Meanwhile the service serves another client and the test waits for its lines.
#[test]
fn lines_of_others_come_in_time_and_whole() {
    let _turn = turn();
    let seconds = if long() { 5 } else { 1 };
    let mut missed = Vec::new();
    println!(
        "{:<12} {:>8} {:>8} {:>12} {:>12} {:>14}",
        "", "hostile", "victim", "p50", "p99", "without text"
    );
    for kind in if long() { &KINDS[..] } else { &KINDS[..2] } {
        let (times, lines) = (Times::default(), Lines::default());
        let dashcam = dashcam(&times);
        let json = dashcam.json_log_to(lines.clone()).unwrap();
        let subscriber = tracing_subscriber::registry()
            .with(dashcam.gate(EnvFilter::new("info")))
            .with(json);
        let dispatch = tracing::Dispatch::new(subscriber);
        let threads = dispatch.clone();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .on_thread_start(move || {
                // As long as the thread lives.
                std::mem::forget(tracing::dispatcher::set_default(&threads));
            })
            .build()
            .unwrap();
        let began = Instant::now();
        let (hostile, victims) = runtime
            .block_on(runtime.spawn(serve_both(*kind, dashcam.layer(), began, seconds)))
            .unwrap();
        assert!(dashcam.flush(DEADLINE));
        runtime.shutdown_background();
        let lines = lines.0.lock().unwrap();
        let mut delays: Vec<Duration> = Vec::new();
        let mut blind = 0;
        for (came, line) in lines.iter().flat_map(|(came, text)| {
            let lines = text.split(|b| *b == b'\n').filter(|line| !line.is_empty());
            lines.map(|line| (*came, serde_json::from_slice::<Value>(line).unwrap()))
        }) {
            let Some(said) = line["fields"]["at_us"].as_u64() else {
                continue;
            };
            let whole = line["message"] == "victim served from bremen"
                && line["fields"]["state"] == "picking";
            blind += usize::from(!whole);
            delays.push((came - began).saturating_sub(Duration::from_micros(said)));
        }
        delays.sort_unstable();
        let at = |percent: usize| {
            delays
                .get((delays.len() * percent / 100).min(delays.len() - 1))
                .copied()
        };
        let (p50, p99) = (at(50).unwrap(), at(99).unwrap());
        println!(
            "{:<12} {hostile:>8} {victims:>8} {p50:>12.2?} {p99:>12.2?} {blind:>14}",
            format!("{kind:?}")
        );
        if blind > 0 {
            println!("    {:?}", dashcam.status());
        }
        let dropped = dashcam.status().log_lines_dropped;
        assert!(
            delays.len() as u64 + dropped >= victims as u64,
            "{kind:?}: {} of {victims} lines, {dropped} counted as dropped",
            delays.len()
        );
        if p99 > DELAY || blind > 0 {
            missed.push(format!(
                "{kind:?}: p99 {p99:?}, {blind} of {victims} without their text"
            ));
        }
    }
    assert!(!long() || missed.is_empty(), "{missed:#?}");
}

/// How many requests of either client got a response.
async fn serve_both(
    kind: Kind,
    layer: dashcam::kit::DashcamLayer,
    began: Instant,
    seconds: u64,
) -> (usize, usize) {
    let said = Arc::new(kind.text(7));
    let hostile = move |_: String| {
        let said = said.clone();
        async move {
            for step in 0..LINES {
                tracing::info!(step, text = said.as_str(), "read");
            }
            StatusCode::OK
        }
    };
    let victim = move |_: String| async move {
        let (place, state) = ("bremen".to_owned(), "picking".to_owned());
        let at_us = u64::try_from(began.elapsed().as_micros()).unwrap();
        tracing::info!(at_us, state, "victim served from {place}");
        StatusCode::OK
    };
    let app = Router::new()
        .route("/hostile", post(hostile))
        .route("/victim", post(victim))
        .layer(layer);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = tokio::spawn(async move { axum::serve(listener, app).await });
    let bodies = [3, 7, 15].map(|kib| kind.body_of(kib, usize::MAX)).to_vec();
    let victims = vec![r#"{"order":7,"customer":"Alma Rivera"}"#.to_owned()];
    let clients = (
        tokio::spawn(client(port, "/hostile", bodies, 150, seconds)),
        tokio::spawn(client(port, "/victim", victims, 60, seconds)),
    );
    let answered = (clients.0.await.unwrap(), clients.1.await.unwrap());
    server.abort();
    answered
}

/// Sends this many requests a second over a connection of its own.
async fn client(
    port: u16,
    path: &'static str,
    bodies: Vec<String>,
    rate: u64,
    seconds: u64,
) -> usize {
    let stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let handshake = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await;
    let (mut sender, connection) = handshake.unwrap();
    tokio::spawn(connection);
    let mut clock = tokio::time::interval(Duration::from_micros(1_000_000 / rate));
    let count = (rate * seconds) as usize;
    for n in 0..count {
        clock.tick().await;
        let body = Full::new(bytes::Bytes::from(bodies[n % bodies.len()].clone()));
        let request = http::Request::post(path)
            .header("host", "localhost")
            .header("content-type", "application/json")
            .body(body)
            .unwrap();
        let answer = sender.send_request(request).await.unwrap();
        assert_eq!(answer.status(), 200);
        answer.into_body().collect().await.unwrap();
    }
    count
}
