use super::*;
use crate::export::{
    Exporter, Health,
    sample::{sample, sample_of},
};

/// Makes the next attempt due.
fn due(exporter: &mut JsonLines) {
    exporter.waiting.make_due().unwrap();
}

#[test]
fn an_unusable_directory_loses_nothing_that_fits() {
    let dir = TempDir::new();
    let path = dir.path().join("log");
    fs::write(&path, "a file").unwrap();
    let mut exporter = JsonLines::builder(&path).build();
    let stats = exporter.stats();
    assert!(matches!(exporter.health(), Health::Degraded { why } if why.contains("log")));
    for id in ids(0..10) {
        exporter.export(&sample(&id)).unwrap();
    }
    assert_eq!(stats.held(), 10);
    assert!(exporter.flush().is_err());
    due(&mut exporter);
    exporter.tick();
    assert!(!exporter.health().is_ok());

    fs::remove_file(&path).unwrap();
    due(&mut exporter);
    exporter.tick();
    assert_eq!(exporter.health(), Health::Ok);
    exporter.export(&sample("10")).unwrap();
    assert_eq!(read(&path), (ids(0..11), Vec::new()));
    assert_eq!((stats.written(), stats.held()), (11, 0));
    assert_eq!(stats.dropped_from_ring(), 0);
    assert!(stats.failed() >= 3);
}

#[test]
fn an_export_recovers_too_and_keeps_the_order() {
    let dir = TempDir::new();
    let path = dir.path().join("log");
    fs::write(&path, "a file").unwrap();
    let mut exporter = JsonLines::builder(&path).build();
    exporter.export(&sample("0")).unwrap();
    fs::remove_file(&path).unwrap();
    due(&mut exporter);
    exporter.export(&sample("1")).unwrap();
    assert_eq!(exporter.health(), Health::Ok);
    assert_eq!(read(&path), (ids(0..2), Vec::new()));
}

#[test]
fn recovers_without_any_exchange() {
    let dir = TempDir::new();
    let path = dir.path().join("log");
    fs::write(&path, "a file").unwrap();
    let mut exporter = JsonLines::builder(&path).build();
    fs::remove_file(&path).unwrap();
    due(&mut exporter);
    exporter.tick();
    assert_eq!(exporter.health(), Health::Ok);
    assert!(files(&path).is_empty());
}

#[test]
fn the_newest_are_held_and_the_others_counted() {
    let dir = TempDir::new();
    let path = dir.path().join("log");
    fs::write(&path, "a file").unwrap();
    let mut exporter = JsonLines::builder(&path).max_held(3).build();
    for id in ids(0..10) {
        exporter.export(&sample(&id)).unwrap();
    }
    let stats = exporter.stats();
    assert_eq!(stats.dropped_from_ring(), 7);
    fs::remove_file(&path).unwrap();
    exporter.flush().unwrap();
    assert_eq!(read(&path), (ids(7..10), Vec::new()));
    assert_eq!((stats.written(), stats.held()), (3, 0));
}

#[test]
fn what_is_held_is_bounded_in_size() {
    let dir = TempDir::new();
    let path = dir.path().join("log");
    fs::write(&path, "a file").unwrap();
    let mut exporter = JsonLines::builder(&path).build();
    for id in ids(0..5) {
        exporter.export(&sample_of(&id, 3 << 20)).unwrap();
    }
    assert_eq!(exporter.stats().held(), 2);
    assert_eq!(exporter.stats().dropped_from_ring(), 3);
}

#[test]
fn waits_longer_after_every_failure() {
    let dir = TempDir::new();
    let path = dir.path().join("log");
    fs::write(&path, "a file").unwrap();
    let mut exporter = JsonLines::builder(&path).build();
    let mut waits = Vec::new();
    for _ in 0..7 {
        waits.push(exporter.waiting.make_due().unwrap().as_secs());
        exporter.tick();
    }
    assert_eq!(waits, [1, 2, 4, 8, 16, 30, 30]);
    // It is not due: nothing is tried.
    let failed = exporter.stats().failed();
    exporter.tick();
    assert_eq!(exporter.stats().failed(), failed);
}

#[test]
fn a_removed_directory_is_made_again() {
    let dir = TempDir::new();
    let path = dir.path().join("log");
    let mut exporter = JsonLines::builder(&path).build();
    exporter.export(&sample("0")).unwrap();
    fs::remove_dir_all(&path).unwrap();
    exporter.export(&sample("1")).unwrap();
    exporter.export(&sample("2")).unwrap();
    assert_eq!(read(&path), (ids(1..3), Vec::new()));
    assert_eq!(exporter.health(), Health::Ok);
    assert_eq!(files(&path).len(), 1);
}

#[test]
fn a_full_disk_tears_only_the_last_line_of_a_file() {
    let dir = TempDir::new();
    let disk = Full::after(10_000);
    let mut exporter = JsonLines::builder(dir.path()).build_on(Box::new(disk.clone()));
    for id in ids(0..8) {
        exporter.export(&sample_of(&id, 2_000)).unwrap();
    }
    let stats = exporter.stats();
    let written = u32::try_from(stats.written()).unwrap();
    assert!((2..=4).contains(&written), "{written}");
    assert_eq!(stats.held(), u64::from(8 - written));
    assert!(matches!(exporter.health(), Health::Degraded { .. }));
    let (found, torn) = read(dir.path());
    assert_eq!(found, ids(0..written));
    assert_eq!(torn.len(), 1);
    assert_eq!(torn[0].reason, super::super::torn::Reason::EndOfFile);
    assert_eq!(torn[0].line, u64::from(written) + 1);

    // Attempts that write nothing leave no files, even with a little room.
    for room in [0, 1_000] {
        disk.set(room);
        due(&mut exporter);
        exporter.tick();
        assert_eq!(files(dir.path()).len(), 1);
    }

    // There is room for some: those are not written again.
    disk.set(5_000);
    due(&mut exporter);
    exporter.tick();
    assert!(!exporter.health().is_ok());

    disk.set(1 << 20);
    due(&mut exporter);
    exporter.tick();
    assert_eq!(exporter.health(), Health::Ok);
    let (found, torn) = read(dir.path());
    assert_eq!(found, ids(0..8));
    assert_eq!(torn.len(), 2);
    assert_eq!((stats.written(), stats.held()), (8, 0));
    assert_eq!(stats.dropped_from_ring(), 0);
}

#[test]
fn a_full_disk_is_found_at_the_start() {
    let dir = TempDir::new();
    let exporter = JsonLines::builder(dir.path()).build_on(Box::new(Full::after(0)));
    assert!(!exporter.health().is_ok());
    assert_eq!(
        files(dir.path()),
        [] as [PathBuf; 0],
        "nothing is left there"
    );
}

#[test]
fn what_did_not_come_to_the_device_is_told_once() {
    let dir = TempDir::new();
    let disk = Full::after(1 << 20);
    let mut exporter = JsonLines::builder(dir.path())
        .max_file_bytes(10_000)
        .build_on(Box::new(disk.clone()));
    disk.1.store(true, Ordering::Relaxed);
    // They are written to several files, of which the last is intact.
    for id in ids(0..8) {
        exporter.export(&sample_of(&id, 2_000)).unwrap();
    }
    disk.1.store(false, Ordering::Relaxed);
    assert!(files(dir.path()).len() > 1);
    assert!(exporter.flush().is_err());
    assert!(exporter.flush().is_ok());
}

#[test]
fn behind_a_worker() {
    use crate::exchange::Exchange;
    use crate::worker::{Handler, Worker};
    use std::time::Duration;

    struct Export(JsonLines);
    impl Handler<Exchange> for Export {
        fn handle(&mut self, item: Exchange) {
            self.0.export(&item).unwrap();
        }
        fn flush(&mut self) -> bool {
            self.0.flush().is_ok()
        }
        fn tick(&mut self) {
            self.0.tick();
        }
    }

    let dir = TempDir::new();
    let worker = Worker::spawn("test", 64, Export(JsonLines::builder(dir.path()).build())).unwrap();
    for id in ids(0..50) {
        worker.offer(sample(&id)).unwrap();
    }
    assert!(worker.flush(Duration::from_secs(60)));
    assert_eq!(read(dir.path()), (ids(0..50), Vec::new()));
    assert_eq!(worker.panics(), 0);
}
