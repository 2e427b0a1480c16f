//! Fills a directory with exchanges of a total size in MiB and prints some of their IDs. Or
//! measures writing one, or rebuilding the indexes of a directory.

use dashcam::{
    exchange::Exchange,
    export::{Exporter, JsonLines},
};
use serde_json::{Value, json};
use std::{collections::BTreeMap, env, fs, path::Path, time::Instant};

/// A failing request with 20 events and bodies of some hundred bytes.
fn exchange() -> Exchange {
    let event = |n: u32| {
        json!({
            "at_us": n * 100, "level": "DEBUG", "target": "orders::orders",
            "message": "looked at the shelf, and at what was said of it before",
            "fields": { "item": "[~36a11ea64f60212b]", "stock": 480 },
            "file": "src/orders.rs", "line": 100 + n, "thread": { "id": 2 },
        })
    };
    let body = |text: &str| {
        json!({
            "state": "complete", "seen": 400, "kept": 400, "content_type": "application/json",
            "content": { "form": "text", "text": text.repeat(5) },
        })
    };
    let value = json!({
        "schema": "dashcam.exchange/1",
        "id": "01a20747-b951-7855-860a-8959580b34ad",
        "service": { "name": "orders", "version": "1" },
        "correlation": { "id": "01a20747-b884-7738-88ce-62ae1b34f1da", "source": "minted" },
        "started_at": "2026-01-02T03:04:05.000000Z",
        "timing": { "duration_us": 1500 },
        "in_flight": 1,
        "outcome": { "kind": "failed", "failure": { "status": 502 } },
        "slow": false,
        "keep": [{ "kind": "outcome" }],
        "mode": { "kind": "recorded" },
        "depth": "full",
        "request": {
            "method": "POST", "path": "/orders", "route": "/orders", "version": "HTTP/1.1",
            "headers": [["host", "127.0.0.1:3000"], ["content-type", "application/json"]],
            "body": body("{\"item\":\"[~a20ff027f73bb795 len=3 ascii alpha]\",\"quantity\":12} "),
        },
        "response": {
            "status": 502, "version": "HTTP/1.1", "headers": [],
            "body": body("{\"title\":\"the provider does not answer\"} "),
        },
        "events": (0..20).map(event).collect::<Vec<Value>>(),
        "redaction": { "policy": "strict", "key_id": "k" },
        "environment": { "dashcam": "0", "pid": 1, "platform": "x" },
    });
    serde_json::from_value(value).unwrap()
}

/// The next exchange, with a time and IDs of its own.
fn change(exchange: &mut Exchange, n: u64) {
    let (second, micro) = (n / 1000, n % 1000);
    exchange.id = format!("{n:08x}-b951-7855-860a-8959580b34ad");
    exchange.correlation.id = format!("{n:08x}-b884-7738-88ce-62ae1b34f1da");
    exchange.started_at = format!(
        "2026-01-02T{:02}:{:02}:{:02}.{:06}Z",
        second / 3600 % 24,
        second / 60 % 60,
        second % 60,
        micro * 1000
    );
}

fn fill(dir: &Path, mib: u64) {
    let mut exporter = JsonLines::builder(dir).max_total_bytes(u64::MAX).build();
    let mut exchange = exchange();
    let line = serde_json::to_string(&exchange).unwrap().len() as u64 + 113;
    let count = mib * 1024 * 1024 / line;
    for n in 0..count {
        change(&mut exchange, n);
        // As in a storm: every hundredth has a count of a thousand more.
        exchange.losses.suppressed_before = if n % 100 == 0 { 1000 } else { 0 };
        exporter.export(&exchange).unwrap();
    }
    exporter.flush().unwrap();
    eprintln!("{count} exchanges of {line} bytes");
    println!("{:08x} {:08x} {:08x}", 7, count / 2, count - 7);
}

/// Measures an exchange in this version: serialised, written, and put into the index. Under
/// callgrind, the difference of two numbers of rounds is the instructions.
fn cost(dir: &Path, rounds: u32) {
    const COUNT: u64 = 4_000;
    let dir = dir.join("cost");
    let rounds = (0..rounds).map(|_| {
        let mut exporter = JsonLines::builder(&dir).build();
        let mut exchange = exchange();
        let began = Instant::now();
        for n in 0..COUNT {
            change(&mut exchange, n);
            exporter.export(&exchange).unwrap();
        }
        let each = began.elapsed().as_nanos() / u128::from(COUNT);
        drop(exporter);
        fs::remove_dir_all(&dir).unwrap();
        each
    });
    println!("an exchange is written in {} ns", rounds.min().unwrap());
}

/// Deletes the indexes and lets the exporter rebuild them, without the pauses that it
/// makes in a service.
fn anew(dir: &Path) {
    let indexes = || -> BTreeMap<_, _> {
        let paths = fs::read_dir(dir)
            .unwrap()
            .map(|entry| entry.unwrap().path());
        let indexes = paths.filter(|path| path.extension().is_some_and(|end| end == "idx"));
        indexes
            .map(|path| (path.clone(), fs::metadata(path).unwrap().len()))
            .collect()
    };
    let before = indexes();
    before
        .keys()
        .for_each(|path| fs::remove_file(path).unwrap());
    let mut exporter = JsonLines::builder(dir).max_total_bytes(u64::MAX).build();
    let (mut turns, mut longest) = (0_u32, 0);
    let began = Instant::now();
    let mut more = true;
    while more {
        exporter.tick();
        let until = turns;
        while more {
            let began = Instant::now();
            more = exporter.idle();
            longest = longest.max(began.elapsed().as_micros());
            turns += 1;
        }
        // The work of one second is done, or all of it.
        more = turns - until > 1;
    }
    let took = began.elapsed().as_millis();
    assert!(indexes() == before, "not all indexes are there again");
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status
        .lines()
        .find(|line| line.starts_with("VmHWM"))
        .unwrap_or_default();
    println!(
        "  {} indexes anew in {took} ms, {turns} turns of {longest} us at most, {peak}",
        before.len()
    );
}

fn main() {
    let args: Vec<String> = env::args().collect();
    let dir = Path::new(&args[1]);
    match args[2].as_str() {
        "cost" => cost(dir, args[3].parse().unwrap()),
        "anew" => anew(dir),
        mib => fill(dir, mib.parse().unwrap()),
    }
}
