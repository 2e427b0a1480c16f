//! What was kept is written, or its loss is reported: by `flush`, in the status, and at the end.
//! The subscriber is the process's.

use crate::support_gate::Buffer;
use axum::{
    Router,
    body::{Body, to_bytes},
    http::{Request, StatusCode},
    routing::get,
};
use dashcam::{
    Dashcam,
    exchange::Exchange,
    export::{ExportError, Exporter, Health, JsonLines, Memory},
    kit::Status,
};
use serde_json::{Value, json};
use std::{
    fs,
    panic::panic_any,
    path::PathBuf,
    sync::{
        Arc, LazyLock,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};
use tower::ServiceExt;
use tracing_subscriber::prelude::*;

const DEADLINE: Duration = Duration::from_secs(60);

static LOG: LazyLock<Buffer> = LazyLock::new(|| {
    let log = Buffer::default();
    let layer = tracing_subscriber::fmt::layer()
        .json()
        .with_writer(log.clone());
    tracing_subscriber::registry().with(layer).init();
    log
});

/// The log lines about exchanges at the end.
fn farewells() -> Vec<Value> {
    let fields = fields().into_iter();
    fields.filter(|f| f["waiting"].is_number()).collect()
}

/// All log lines about exchanges.
fn fields() -> Vec<Value> {
    let lines = LOG.of_status();
    lines.iter().map(|line| line["fields"].clone()).collect()
}

/// A file in place of the directory. No two tests run at once.
fn in_the_way() -> PathBuf {
    let name = format!("dashcam-in-the-way-{}", std::process::id());
    let path = std::env::temp_dir().join(name);
    let _ = fs::remove_dir_all(&path);
    fs::write(&path, "a file").unwrap();
    path
}

fn built(exporter: impl Exporter) -> Dashcam {
    let builder = Dashcam::builder().service("test", "1").request_line(false);
    builder.exporter(exporter).build().unwrap()
}

/// Lets this many requests fail.
fn fail(dashcam: &Dashcam, times: usize) {
    let app = Router::new()
        .route("/", get(|| async { StatusCode::INTERNAL_SERVER_ERROR }))
        .layer(dashcam.layer());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    runtime.block_on(async {
        for _ in 0..times {
            let request = Request::get("/").body(Body::empty()).unwrap();
            let response = app.clone().oneshot(request).await.unwrap();
            to_bytes(response.into_body(), 1024).await.unwrap();
        }
    });
}

#[test]
fn what_the_files_do_not_take_is_not_flushed_and_told_at_the_end() {
    alone!();
    LazyLock::force(&LOG);
    let path = in_the_way();
    let dashcam = built(JsonLines::builder(&path).build());
    fail(&dashcam, 3);
    assert!(!dashcam.flush(DEADLINE), "nothing is on disk");
    let status = dashcam.status();
    assert_eq!((status.kept, status.held()), (3, 3));
    assert!(!status.exporter.is_ok());
    let said = status.exporter_error.unwrap();
    assert!(said.starts_with("exchanges are held in memory: "), "{said}");
    drop(dashcam);
    let lines = farewells();
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert_eq!(
        (&lines[0]["waiting"], &lines[0]["lost"]),
        (&json!(3), &json!(0))
    );
    let why = lines[0]["why"].as_str().unwrap();
    fs::remove_file(&path).unwrap();
    assert!(
        why.contains(&*path.to_string_lossy()) && why.contains("File exists"),
        "{why}"
    );
}

#[test]
fn what_is_written_in_the_end_is_flushed_and_nothing_is_told() {
    alone!();
    LazyLock::force(&LOG);
    let path = in_the_way();
    let dashcam = built(JsonLines::builder(&path).build());
    fail(&dashcam, 2);
    assert!(!dashcam.flush(DEADLINE));
    fs::remove_file(&path).unwrap();
    assert!(dashcam.flush(DEADLINE));
    fail(&dashcam, 1);
    assert!(dashcam.flush(DEADLINE));
    drop(dashcam);
    assert_eq!(farewells(), [] as [Value; 0]);
    let read = JsonLines::read(&path).unwrap();
    assert_eq!(read.filter(Result::is_ok).count(), 3);
    fs::remove_dir_all(&path).unwrap();
}

/// Fails as its script says.
#[derive(Clone, Default)]
struct Fails {
    flush: Arc<AtomicBool>,
    export: Arc<AtomicBool>,
    panic: Arc<AtomicBool>,
    held: u64,
}

impl Exporter for Fails {
    fn export(&mut self, _: &Exchange) -> Result<(), ExportError> {
        if self.panic.load(SeqCst) {
            panic_any(7);
        }
        match self.export.load(SeqCst) {
            true => Err(ExportError::new("no room").with_source("the bucket is full")),
            false => Ok(()),
        }
    }

    fn flush(&mut self) -> Result<(), ExportError> {
        match self.flush.load(SeqCst) {
            true => Err(ExportError::new("the store is away")),
            false => Ok(()),
        }
    }

    fn held(&self) -> u64 {
        self.held
    }
}

#[test]
fn an_exporter_that_cannot_flush_is_said_to_be_degraded_until_it_can() {
    alone!();
    LazyLock::force(&LOG);
    let fails = Fails::default();
    let dashcam = built(fails.clone());
    fail(&dashcam, 1);
    assert!(dashcam.flush(DEADLINE));
    fails.flush.store(true, SeqCst);
    assert!(!dashcam.flush(DEADLINE));
    let Status {
        exporter,
        exporter_flushes_failed,
        ..
    } = dashcam.status();
    let why = "the store is away".to_owned();
    assert_eq!(
        (exporter, exporter_flushes_failed),
        (Health::Degraded { why }, 1)
    );
    fails.flush.store(false, SeqCst);
    assert!(dashcam.flush(DEADLINE));
    assert_eq!(dashcam.status().exporter, Health::Ok);
}

#[test]
fn what_could_not_be_flushed_is_told_at_the_end() {
    alone!();
    LazyLock::force(&LOG);
    let fails = Fails::default();
    let dashcam = built(fails.clone());
    fail(&dashcam, 2);
    assert!(dashcam.flush(DEADLINE));
    fails.flush.store(true, SeqCst);
    fail(&dashcam, 3);
    drop(dashcam);
    let lines = farewells();
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert_eq!(lines[0]["waiting"], 3);
    assert_eq!(lines[0]["why"], "the store is away");
}

#[test]
fn what_the_exporter_refuses_is_counted_with_its_reason() {
    alone!();
    LazyLock::force(&LOG);
    let fails = Fails::default();
    fails.export.store(true, SeqCst);
    let dashcam = built(fails.clone());
    fail(&dashcam, 1);
    assert!(dashcam.flush(DEADLINE), "it waits no more");
    let status = dashcam.status();
    assert_eq!((status.dropped.export_failed, status.exported), (1, 0));
    let said = "no room: the bucket is full";
    assert_eq!(status.exporter_error.as_deref(), Some(said));
}

#[test]
fn what_an_exporter_only_says_to_hold_is_not_flushed() {
    alone!();
    LazyLock::force(&LOG);
    let held = Fails {
        held: 2,
        ..Fails::default()
    };
    let dashcam = built(held);
    assert!(!dashcam.flush(DEADLINE));
    drop(dashcam);
    assert_eq!(farewells()[0]["waiting"], 2);
}

#[test]
fn an_exporter_that_panics_loses_one_and_says_so() {
    alone!();
    LazyLock::force(&LOG);
    let (fails, memory) = (Fails::default(), Memory::new(9));
    fails.panic.store(true, SeqCst);
    let dashcam = built((fails.clone(), memory.clone()));
    fail(&dashcam, 1);
    assert!(dashcam.flush(DEADLINE));
    assert_eq!(memory.len(), 1, "the other one gets it");
    fails.panic.store(false, SeqCst);
    fail(&dashcam, 1);
    assert!(dashcam.flush(DEADLINE));
    let status = dashcam.status();
    assert_eq!(
        (status.exporter_panics, status.dropped.export_failed),
        (1, 1)
    );
    assert_eq!((status.exported, status.kept, memory.len()), (1, 2, 2));
    let said = "the exporter panicked";
    assert_eq!(status.exporter_error.as_deref(), Some(said));
}

#[test]
fn what_waits_in_memory_is_told_while_the_service_runs() {
    alone!();
    LazyLock::force(&LOG);
    let path = in_the_way();
    let dashcam = built(JsonLines::builder(&path).build());
    fail(&dashcam, 2);
    let began = Instant::now();
    let line = loop {
        if let Some(line) = fields().into_iter().find(|f| f["held"].is_number()) {
            break line;
        }
        assert!(began.elapsed() < DEADLINE, "no report");
        std::thread::sleep(Duration::from_millis(10));
    };
    assert_eq!(line["held"], 2);
    let why = line["why"].as_str().unwrap();
    assert!(why.contains("File exists"), "{why}");
    fs::remove_file(&path).unwrap();
    assert!(dashcam.flush(DEADLINE));
    drop(dashcam);
    fs::remove_dir_all(&path).unwrap();
}

/// Is slow.
struct Slow(std::sync::mpsc::Receiver<()>);

impl Exporter for Slow {
    fn export(&mut self, _: &Exchange) -> Result<(), ExportError> {
        let _ = self.0.recv();
        Ok(())
    }
}

#[test]
fn what_waits_for_a_stuck_exporter_is_told_at_the_end() {
    alone!();
    LazyLock::force(&LOG);
    let (release, open) = std::sync::mpsc::channel();
    let dashcam = built(Slow(open));
    fail(&dashcam, 3);
    assert!(!dashcam.flush(Duration::from_millis(10)));
    drop(dashcam);
    let lines = farewells();
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert_eq!(lines[0]["waiting"], 3);
    assert_eq!(lines[0]["why"], "the exporter is behind");
    drop(release);
}

#[test]
fn a_layer_alone_tells_at_its_end_too() {
    alone!();
    LazyLock::force(&LOG);
    let held = Fails {
        held: 1,
        ..Fails::default()
    };
    let layer = dashcam::capture::CaptureLayer::builder("test", "1").build(held);
    drop(layer.unwrap());
    let began = Instant::now();
    while farewells().is_empty() {
        assert!(began.elapsed() < DEADLINE, "no report");
        std::thread::yield_now();
    }
    assert_eq!(farewells()[0]["waiting"], 1);
}
