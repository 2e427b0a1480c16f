use super::*;
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::mpsc::{Receiver, Sender, channel},
};

const LONG: Duration = Duration::from_secs(60);

/// Reports what it does, and can be stalled.
struct Probe {
    log: Sender<String>,
    /// If set, every item waits for a message or for the end of the sender.
    gate: Option<Receiver<()>>,
}

impl Handler<u32> for Probe {
    fn handle(&mut self, item: u32) {
        let _ = self.log.send(format!("start {item}"));
        if let Some(gate) = &self.gate {
            let _ = gate.recv();
        }
        assert!(item != 13, "thirteen");
        let _ = self.log.send(format!("end {item}"));
    }

    fn flush(&mut self) -> bool {
        let _ = self.log.send("flush".into());
        true
    }
}

fn probe() -> (Probe, Receiver<String>) {
    let (log, seen) = channel();
    (Probe { log, gate: None }, seen)
}

fn stalled() -> (Probe, Receiver<String>, Sender<()>) {
    let (log, seen) = channel();
    let (open, gate) = channel();
    (
        Probe {
            log,
            gate: Some(gate),
        },
        seen,
        open,
    )
}

#[test]
fn handles_in_order_and_flushes_after() {
    let (handler, seen) = probe();
    let worker = Worker::spawn("test", 8, handler).unwrap();
    worker.offer(1).unwrap();
    worker.offer(2).unwrap();
    assert!(worker.flush(LONG));
    let seen: Vec<_> = seen.try_iter().collect();
    assert_eq!(seen, ["start 1", "end 1", "start 2", "end 2", "flush"]);
}

#[test]
fn flush_of_an_idle_worker_runs_the_handlers_flush() {
    let (handler, seen) = probe();
    let worker = Worker::<u32>::spawn("test", 1, handler).unwrap();
    assert!(worker.flush(LONG));
    assert!(worker.flush(LONG));
    assert_eq!(seen.try_iter().collect::<Vec<_>>(), ["flush", "flush"]);
}

#[test]
fn full_queue_gives_the_item_back_while_the_handler_is_stalled() {
    let (handler, seen, open) = stalled();
    let worker = Worker::spawn("test", 3, handler).unwrap();
    worker.offer(1).unwrap();
    // The handler holds item 1 from here on, and nothing releases it.
    assert_eq!(seen.recv().unwrap(), "start 1");
    for item in 2..=4 {
        worker.offer(item).unwrap();
    }
    assert_eq!(worker.len(), 3);
    for item in 5..10_000 {
        assert_eq!(worker.offer(item), Err(item));
    }
    drop(open);
    assert!(worker.flush(LONG));
    assert_eq!(worker.len(), 0);
    let seen: Vec<_> = seen.try_iter().filter(|l| l.starts_with("end")).collect();
    assert_eq!(seen, ["end 1", "end 2", "end 3", "end 4"]);
}

#[test]
fn bytes_are_bounded_too() {
    let (handler, seen, open) = stalled();
    let worker = Worker::spawn_within("test", (100, 10), handler).unwrap();
    worker.offer_holding(1, 5).unwrap();
    assert_eq!(seen.recv().unwrap(), "start 1");
    // The item that is being handled does not count, and one alone may be larger.
    worker.offer_holding(2, 11).unwrap();
    assert_eq!(worker.offer_holding(3, 1), Err(3));
    drop(open);
    assert!(worker.flush(LONG));
    worker.offer_holding(4, 10).unwrap();
    assert!(worker.flush(LONG));
    assert_eq!(worker.shared().lock().bytes, 0);
}

#[test]
fn capacity_zero_means_one() {
    let (handler, _seen) = probe();
    let worker = Worker::spawn("test", 0, handler).unwrap();
    worker.offer(1).unwrap();
    assert!(worker.flush(LONG));
}

#[test]
fn flush_gives_up_at_the_deadline() {
    let (handler, seen, open) = stalled();
    let worker = Worker::spawn("test", 3, handler).unwrap();
    worker.offer(1).unwrap();
    assert_eq!(seen.recv().unwrap(), "start 1");
    assert!(!worker.flush(Duration::ZERO));
    assert!(!worker.flush(Duration::from_millis(5)));
    for _ in 0..100 {
        assert!(!worker.flush(Duration::ZERO));
    }
    assert_eq!(worker.shared().lock().flushes.len(), 1);
    drop(open);
    assert!(worker.flush(LONG));
}

#[test]
fn flush_does_not_wait_for_later_items() {
    let (handler, seen, open) = stalled();
    let worker = Worker::spawn("test", 3, handler).unwrap();
    worker.offer(1).unwrap();
    assert_eq!(seen.recv().unwrap(), "start 1");
    let other = worker.clone();
    let flusher = thread::spawn(move || other.flush(LONG));
    while worker.shared().lock().flushes.is_empty() {
        thread::yield_now();
    }
    worker.offer(2).unwrap();
    open.send(()).unwrap();
    // Item 2 is still stalled, or not begun, when this returns.
    assert!(flusher.join().unwrap());
    let log: Vec<_> = seen.try_iter().take(2).collect();
    assert_eq!(log, ["end 1", "flush"]);
    assert!(!worker.flush(Duration::ZERO));
    drop(open);
    assert!(worker.flush(LONG));
}

#[test]
fn several_threads_flush_and_offer() {
    let (handler, seen) = probe();
    let worker = Worker::spawn("test", 10_000, handler).unwrap();
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let worker = worker.clone();
            thread::spawn(move || {
                for item in 100..200 {
                    worker.offer(item).unwrap();
                    assert!(item % 10 != 0 || worker.flush(LONG));
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    assert!(worker.flush(LONG));
    let ends = seen.try_iter().filter(|line| line.starts_with("end"));
    assert_eq!(ends.count(), 400);
}

#[test]
fn a_panicking_handler_goes_on() {
    let (handler, seen) = probe();
    let worker = Worker::spawn("test", 8, handler).unwrap();
    for item in [13, 13, 7] {
        worker.offer(item).unwrap();
    }
    assert!(worker.flush(LONG));
    assert_eq!(worker.panics(), 2);
    assert!(seen.try_iter().any(|line| line == "end 7"));
}

#[test]
fn a_payload_that_panics_in_drop_does_not_end_the_thread() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("in drop");
        }
    }
    struct Thrower;
    impl Handler<u32> for Thrower {
        fn handle(&mut self, _: u32) {
            std::panic::panic_any(Bomb);
        }
    }
    let worker = Worker::spawn("test", 8, Thrower).unwrap();
    worker.offer(1).unwrap();
    assert!(worker.flush(LONG));
    assert_eq!(worker.panics(), 1);
}

#[test]
fn dropping_the_last_handle_drains() {
    let (handler, seen, open) = stalled();
    let worker = Worker::spawn("test", 8, handler).unwrap();
    let other = worker.clone();
    for item in 1..=3 {
        worker.offer(item).unwrap();
    }
    drop(worker);
    other.offer(4).unwrap();
    drop(other);
    drop(open);
    // The channel closes when the thread has dropped the handler.
    let ends: Vec<_> = seen.iter().filter(|l| !l.starts_with("start")).collect();
    assert_eq!(ends, ["end 1", "end 2", "end 3", "end 4", "flush"]);
}

#[test]
fn offers_while_a_panic_unwinds() {
    struct Late(Worker<u32>);
    impl Drop for Late {
        fn drop(&mut self) {
            self.0.offer(5).unwrap();
        }
    }
    let (handler, seen) = probe();
    let worker = Worker::spawn("test", 8, handler).unwrap();
    let late = Late(worker.clone());
    let unwound = catch_unwind(AssertUnwindSafe(move || {
        let _late = late;
        panic!("unwinding");
    }));
    assert!(unwound.is_err());
    assert!(worker.flush(LONG));
    assert!(seen.try_iter().any(|line| line == "end 5"));
}

#[test]
fn a_poisoned_lock_is_used_on() {
    let (handler, _seen) = probe();
    let worker = Worker::spawn("test", 8, handler).unwrap();
    let poisoner = worker.clone();
    let poisoned = thread::spawn(move || {
        let _guard = poisoner.shared().lock();
        panic!("while locked");
    });
    assert!(poisoned.join().is_err());
    worker.offer(1).unwrap();
    assert!(worker.flush(LONG));
}

#[test]
fn ticks_when_idle_and_between_items() {
    struct Ticker(Sender<&'static str>);
    impl Handler<u32> for Ticker {
        fn handle(&mut self, _: u32) {
            let _ = self.0.send("item");
        }
        fn tick(&mut self) {
            let _ = self.0.send("tick");
        }
    }
    let (log, seen) = channel();
    let worker =
        Worker::spawn_ticking("test", (8, 0), Duration::from_millis(1), Ticker(log)).unwrap();
    assert_eq!(seen.recv().unwrap(), "tick");
    worker.offer(1).unwrap();
    while seen.recv().unwrap() != "item" {}
    assert_eq!(seen.recv().unwrap(), "tick");
}

#[test]
fn a_flush_that_fails_is_one() {
    struct Fails(Receiver<bool>);
    impl Handler<u32> for Fails {
        fn handle(&mut self, _: u32) {}
        fn flush(&mut self) -> bool {
            self.0.recv().unwrap()
        }
    }
    let (tell, told) = channel();
    let worker = Worker::<u32>::spawn("test", 8, Fails(told)).unwrap();
    for flushed in [false, true, false, true] {
        tell.send(flushed).unwrap();
        assert_eq!(worker.flush(LONG), flushed);
    }
    // A flush that panics has failed.
    drop(tell);
    assert!(!worker.flush(LONG));
}

#[test]
fn half_of_the_queue_is_for_others() {
    let (handler, seen, open) = stalled();
    let worker = Worker::spawn_within("test", (4, 100), handler).unwrap();
    worker.offer(0).unwrap();
    assert_eq!(seen.recv().unwrap(), "start 0");
    for (item, bytes, taken) in [(1, 60, true), (2, 0, false), (3, 0, false)] {
        assert_eq!(worker.offer_modestly(item, bytes).is_ok(), taken, "{item}");
    }
    worker.offer_holding(4, 30).unwrap();
    open.send(()).unwrap();
    assert_eq!(seen.iter().nth(1).unwrap(), "start 1");
    worker.offer_modestly(5, 20).unwrap();
    assert_eq!(worker.offer_modestly(6, 0), Err(6));
    worker.offer(7).unwrap();
    drop(open);
}

#[test]
fn shows_itself() {
    let (handler, _seen) = probe();
    let worker = Worker::<u32>::spawn("test", 8, handler).unwrap();
    assert!(format!("{worker:?}").contains("capacity: 8"));
}

#[test]
fn idle_only_while_nothing_waits() {
    struct Idler(Sender<&'static str>, Receiver<()>, u32);

    impl Handler<()> for Idler {
        fn handle(&mut self, (): ()) {
            let _ = self.0.send("item");
        }

        fn tick(&mut self) {
            let _ = self.0.send("tick");
        }

        fn idle(&mut self) -> bool {
            let _ = self.0.send("idle");
            let _ = self.1.recv();
            self.2 += 1;
            // After every third there is no more until the next tick.
            !self.2.is_multiple_of(3)
        }
    }

    let (log, seen) = channel();
    let (go, gate) = channel();
    let handler = Idler(log, gate, 0);
    let worker = Worker::spawn_ticking("test", (8, 0), LONG, handler).unwrap();
    assert_eq!(seen.recv().unwrap(), "idle");
    for _ in 0..3 {
        worker.offer_holding((), 0).unwrap();
    }
    go.send(()).unwrap();
    for _ in 0..3 {
        assert_eq!(seen.recv().unwrap(), "item", "before more idle work");
    }
    for _ in 0..9 {
        go.send(()).unwrap();
    }
    for _ in 0..2 {
        assert_eq!(seen.recv().unwrap(), "idle");
    }
    worker.offer_holding((), 0).unwrap();
    drop(worker);
    assert_eq!(seen.iter().collect::<Vec<_>>(), ["item"]);

    // Each tick allows some again.
    let (log, seen) = channel();
    let (_, gate) = channel();
    let every = Duration::from_millis(1);
    let worker = Worker::<()>::spawn_ticking("test", (8, 0), every, Idler(log, gate, 0)).unwrap();
    assert_eq!(
        seen.iter().filter(|said| *said == "idle").take(9).count(),
        9
    );
    drop(worker);
}
