//! Outputs of the JSON log line that block, fail or panic.

use crate::support_gate::{Buffer, DEADLINE};
use dashcam::{log::JsonLayer, redact::Policy};
use serde_json::Value;
use std::{
    io::{self, Write},
    sync::{
        Arc, Mutex,
        mpsc::{self, Receiver, Sender},
    },
    time::Duration,
};
use tracing_subscriber::prelude::*;

fn logging(output: impl Write + Send + 'static, f: impl FnOnce(&JsonLayer)) {
    let lines = JsonLayer::new(output, Policy::strict()).unwrap();
    let handle = lines.clone();
    let subscriber = tracing_subscriber::registry().with(lines);
    tracing::subscriber::with_default(subscriber, || f(&handle));
}

/// Reports that it was called, and continues when the test lets it.
struct Blocking {
    called: Sender<()>,
    go: Receiver<()>,
    buffer: Buffer,
}

impl Write for Blocking {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let _ = self.called.send(());
        // It no longer blocks once the test's end of the channel is gone.
        let _ = self.go.recv();
        self.buffer.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_blocked_output_blocks_nobody_and_the_loss_is_told() {
    let (called, has_been_called) = mpsc::channel();
    let (go, wait) = mpsc::channel();
    let buffer = Buffer::default();
    let output = Blocking {
        called,
        go: wait,
        buffer: buffer.clone(),
    };
    logging(output, |handle| {
        tracing::info!(n = 0, "first");
        has_been_called.recv_timeout(DEADLINE).unwrap();
        assert!(!handle.flush(Duration::from_millis(1)), "it is blocked");
        // More lines than may wait. If this blocked, the test would not end.
        let text = "word ".repeat(1000);
        let mut sent = 0_u64;
        while handle.dropped() < 100 {
            tracing::info!(n = sent, text = text.as_str(), "more");
            sent += 1;
            assert!(sent < 100_000, "memory is bounded");
        }
        let dropped = handle.dropped();
        drop(go);
        assert!(handle.flush(DEADLINE));
        assert_eq!(buffer.with_message("first").len(), 1);
        let more = buffer.with_message("more");
        assert_eq!(more.len() as u64 + dropped, sent);
        let numbers = more.iter().map(|l| l["fields"]["n"].as_u64().unwrap());
        assert!(numbers.eq(0..sent - dropped), "the first ones, in order");
        let told: Vec<Value> = buffer.lines();
        let told: Vec<_> = told
            .iter()
            .filter(|l| l["target"] == "dashcam::log")
            .collect();
        assert_eq!(told.len(), 1);
        assert_eq!(told[0]["level"], "WARN");
        assert_eq!(told[0]["fields"]["dropped"], dropped);

        // It continues, and writes nothing twice.
        tracing::info!("afterwards");
        assert!(handle.flush(DEADLINE));
        assert_eq!(buffer.with_message("afterwards").len(), 1);
        let lines = buffer.lines();
        let told = lines.iter().filter(|l| l["target"] == "dashcam::log");
        assert_eq!(told.count(), 1);
        assert_eq!(handle.dropped(), dropped);
    });
}

/// Follows its script, write by write, and then works.
#[derive(Clone)]
struct Faulty(Arc<Mutex<Vec<Fault>>>, Buffer);

enum Fault {
    Error,
    Panic,
    Nothing,
    Interrupted,
    One,
}

impl Write for Faulty {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let fault = self.0.lock().unwrap().pop();
        match fault {
            Some(Fault::Error) => Err(io::Error::other("full")),
            Some(Fault::Panic) => panic!("the output panics"),
            Some(Fault::Nothing) => Ok(0),
            Some(Fault::Interrupted) => Err(io::ErrorKind::Interrupted.into()),
            Some(Fault::One) => self.1.write(&bytes[..1]),
            None => self.1.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn an_output_that_fails_or_panics_is_used_again() {
    let faults = Arc::default();
    let buffer = Buffer::default();
    logging(Faulty(Arc::clone(&faults), buffer.clone()), |handle| {
        let mut failed = 0;
        for fault in [Fault::Error, Fault::Panic, Fault::Nothing] {
            faults.lock().unwrap().push(fault);
            tracing::info!("lost");
            assert!(handle.flush(DEADLINE), "it does not wait for ever");
            failed += 1;
            assert_eq!(handle.failed(), failed);
            tracing::info!(failed, "written");
            assert!(handle.flush(DEADLINE));
        }
        for fault in [Fault::Interrupted, Fault::One] {
            faults.lock().unwrap().push(fault);
            tracing::info!("in pieces");
            assert!(handle.flush(DEADLINE));
        }
        assert_eq!(handle.failed(), failed);
        assert_eq!(handle.dropped(), 0);
    });
    assert_eq!(buffer.with_message("lost").len(), 0);
    assert_eq!(buffer.with_message("written").len(), 3);
    assert_eq!(buffer.with_message("in pieces").len(), 2);
}

#[test]
fn flush_with_nothing_to_write_returns() {
    let buffer = Buffer::default();
    logging(buffer.clone(), |handle| {
        assert!(handle.flush(DEADLINE));
        tracing::info!("one");
        assert!(handle.flush(DEADLINE));
        assert!(handle.flush(DEADLINE));
        assert_eq!(buffer.lines().len(), 1);
        // Several at once.
        tracing::info!("two");
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| assert!(handle.flush(DEADLINE)));
            }
        });
        assert_eq!(buffer.lines().len(), 2);
    });
}
