use super::*;
use crate::export::{
    Exporter, Health,
    sample::{sample, sample_of},
};
use std::time::Duration;

#[test]
fn writes_and_reads_back() {
    let dir = TempDir::new();
    let mut exporter = JsonLines::builder(dir.path().join("a/b")).build();
    let stats = exporter.stats();
    exporter.export(&sample("1")).unwrap();
    exporter.export(&sample("2")).unwrap();
    exporter.flush().unwrap();
    let exchanges: Vec<_> = JsonLines::read(dir.path().join("a/b"))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    assert_eq!(exchanges, [sample("1"), sample("2")]);
    assert_eq!(stats.written(), 2);
    assert_eq!(exporter.health(), Health::Ok);
    assert!(format!("{exporter:?}").contains("written: 2"));
}

#[test]
fn nothing_is_left_before_the_first_exchange() {
    let dir = TempDir::new();
    let exporter = JsonLines::builder(dir.path()).build();
    assert!(exporter.health().is_ok());
    assert!(files(dir.path()).is_empty());
}

#[cfg(unix)]
#[test]
fn only_the_owner_may_read() {
    use std::os::unix::fs::PermissionsExt;
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let dir = TempDir::new();
    let new = dir.path().join("new");
    let mut exporter = JsonLines::builder(&new).build();
    exporter.export(&sample("1")).unwrap();
    assert_eq!(mode(&new), 0o700);
    assert_eq!(mode(&files(&new)[0]), 0o600);
}

#[test]
fn begins_a_new_file_at_the_limit() {
    let dir = TempDir::new();
    let mut exporter = JsonLines::builder(dir.path())
        .max_file_bytes(10_000)
        .build();
    for id in ids(0..50) {
        exporter.export(&sample_of(&id, 2_000)).unwrap();
    }
    let paths = files(dir.path());
    assert!((13..=17).contains(&paths.len()), "{}", paths.len());
    for path in &paths {
        assert!(fs::metadata(path).unwrap().len() <= 10_000);
    }
    assert_eq!(read(dir.path()), (ids(0..50), Vec::new()));
}

#[test]
fn a_larger_exchange_has_its_own_file() {
    let dir = TempDir::new();
    let mut exporter = JsonLines::builder(dir.path())
        .max_file_bytes(10_000)
        .build();
    exporter.export(&sample("0")).unwrap();
    exporter.export(&sample_of("1", 50_000)).unwrap();
    exporter.export(&sample("2")).unwrap();
    exporter.export(&sample("3")).unwrap();
    assert_eq!(files(dir.path()).len(), 3);
    assert_eq!(read(dir.path()), (ids(0..4), Vec::new()));
}

#[test]
fn a_limit_of_zero_means_one_exchange_per_file() {
    let dir = TempDir::new();
    let mut exporter = JsonLines::builder(dir.path()).max_file_bytes(0).build();
    for id in ids(0..3) {
        exporter.export(&sample(&id)).unwrap();
    }
    assert_eq!(files(dir.path()).len(), 3);
}

#[test]
fn stays_within_the_total() {
    let dir = TempDir::new();
    let mut exporter = JsonLines::builder(dir.path())
        .max_file_bytes(10_000)
        .max_total_bytes(40_000)
        .build();
    let stats = exporter.stats();
    for id in ids(0..100) {
        exporter.export(&sample_of(&id, 2_000)).unwrap();
        assert!(size(&files(dir.path())) <= 40_000);
    }
    let (left, torn) = read(dir.path());
    assert!(left.len() >= 9 && torn.is_empty(), "{}", left.len());
    let first = 100 - u32::try_from(left.len()).unwrap();
    assert_eq!(left, ids(first..100));
    assert!(stats.deleted_files() > 5);
    assert_eq!(stats.written(), 100);
}

#[test]
fn goes_on_over_the_files_of_earlier_runs() {
    let dir = TempDir::new();
    let run = |range| {
        let mut exporter = JsonLines::builder(dir.path())
            .max_file_bytes(10_000)
            .max_total_bytes(40_000)
            .build();
        for id in ids(range) {
            exporter.export(&sample_of(&id, 2_000)).unwrap();
        }
    };
    run(0..10);
    let before = files(dir.path());
    run(10..12);
    assert!(files(dir.path()).starts_with(&before));
    assert_eq!(read(dir.path()), (ids(0..12), Vec::new()));
    run(12..40);
    assert!(size(&files(dir.path())) <= 40_000);
    assert!(!before[0].exists());
    assert_eq!(read(dir.path()).0.last().unwrap(), "39");
}

#[test]
fn refuses_what_is_too_large() {
    let dir = TempDir::new();
    let mut exporter = JsonLines::builder(dir.path()).build();
    let stats = exporter.stats();
    let error = exporter.export(&sample_of("0", 8 << 20)).unwrap_err();
    assert!(error.to_string().contains("longer than 8388608"), "{error}");
    exporter.export(&sample("1")).unwrap();
    assert_eq!((stats.refused(), stats.written()), (1, 1));
    assert!(exporter.health().is_ok());

    let mut small = JsonLines::builder(dir.path()).max_total_bytes(500).build();
    assert!(small.export(&sample("2")).is_err());
    assert_eq!(read(dir.path()), (ids(1..2), Vec::new()));
}

#[test]
fn a_large_exchange_leaves_no_large_buffer() {
    let dir = TempDir::new();
    let mut exporter = JsonLines::builder(dir.path()).build();
    exporter.export(&sample_of("0", 4 << 20)).unwrap();
    assert!(exporter.line.capacity() <= 1 << 20);
}

#[test]
fn a_new_file_never_costs_all_old_ones() {
    let dir = TempDir::new();
    let mut exporter = JsonLines::builder(dir.path())
        .max_file_bytes(1 << 30)
        .max_total_bytes(20_000)
        .build();
    for id in ids(0..100) {
        exporter.export(&sample_of(&id, 1_000)).unwrap();
        let held = size(&files(dir.path()));
        assert!(held <= 20_000);
    }
    assert!(files(dir.path()).len() > 1);
}

#[test]
fn two_exporters_in_one_directory() {
    let dir = TempDir::new();
    std::thread::scope(|scope| {
        for start in [0, 1000] {
            let path = dir.path();
            scope.spawn(move || {
                let mut exporter = JsonLines::builder(path).max_file_bytes(10_000).build();
                for id in ids(start..start + 200) {
                    exporter.export(&sample_of(&id, 500)).unwrap();
                }
                assert!(exporter.health().is_ok());
            });
        }
    });
    let (mut found, torn) = read(dir.path());
    assert!(torn.is_empty());
    let mut wanted: Vec<_> = ids(0..200).into_iter().chain(ids(1000..1200)).collect();
    found.sort();
    wanted.sort();
    assert_eq!(found, wanted);
}

#[test]
fn an_old_file_is_closed_with_and_without_traffic() {
    let dir = TempDir::new();
    let mut exporter = JsonLines::builder(dir.path())
        .max_file_age(Duration::from_secs(3600))
        .build();
    let grow_old = |exporter: &mut JsonLines, by| {
        let current = exporter.writer.current.as_mut().unwrap();
        current.opened = current.opened.checked_sub(Duration::from_secs(by)).unwrap();
    };
    exporter.export(&sample("0")).unwrap();
    grow_old(&mut exporter, 3500);
    exporter.tick();
    exporter.export(&sample("1")).unwrap();
    assert_eq!(files(dir.path()).len(), 1);
    grow_old(&mut exporter, 200);
    exporter.export(&sample("2")).unwrap();
    assert_eq!(files(dir.path()).len(), 2);
    grow_old(&mut exporter, 3601);
    exporter.tick();
    assert!(exporter.writer.current.is_none());
    assert_eq!(read(dir.path()), (ids(0..3), Vec::new()));
}

#[test]
fn old_exchanges_are_deleted_without_traffic() {
    let dir = TempDir::new();
    let hour = Duration::from_secs(3600);
    let mut exporter = JsonLines::builder(dir.path())
        .max_file_bytes(0)
        .max_age(hour)
        .build();
    for id in ids(0..3) {
        exporter.export(&sample(&id)).unwrap();
    }
    let paths = files(dir.path());
    let old = fs::File::options().append(true).open(&paths[0]).unwrap();
    old.set_modified(std::time::SystemTime::now() - 2 * hour)
        .unwrap();
    exporter.tick();
    assert_eq!(files(dir.path()).len(), 3, "not every second");
    exporter.writer.expired_at = exporter.writer.expired_at.checked_sub(hour).unwrap();
    exporter.tick();
    assert_eq!(read(dir.path()), (ids(1..3), Vec::new()));
    assert_eq!(exporter.stats().deleted_files(), 1);
}
