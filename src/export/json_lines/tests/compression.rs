use super::*;
use crate::export::{
    Exporter, Health,
    json_lines::{names, torn::Reason},
    sample::{sample, sample_of},
};
use std::ffi::OsStr;

fn is_gz(path: &Path) -> bool {
    path.extension() == Some(OsStr::new("gz"))
}

fn writing(dir: &Path) -> JsonLines {
    JsonLines::builder(dir)
        .max_file_bytes(10_000)
        .compress(true)
        .build()
}

#[test]
fn closed_files_are_compressed_and_read() {
    let dir = TempDir::new();
    let mut exporter = writing(dir.path());
    for id in ids(0..20) {
        exporter.export(&sample_of(&id, 2_000)).unwrap();
    }
    let before = files(dir.path());
    let plain = size(&before);
    exporter.tick();
    let after = files(dir.path());
    assert_eq!(before.len(), after.len());
    let (open, closed) = after.split_last().unwrap();
    assert!(
        !is_gz(open) && closed.iter().all(|path| is_gz(path)),
        "{after:?}"
    );
    assert!(size(&after) < plain / 2);
    assert_eq!(read(dir.path()), (ids(0..20), Vec::new()));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = fs::metadata(&closed[0]).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    let stats = exporter.stats();
    assert_eq!(stats.compressed_files(), closed.len() as u64);
    // There is nothing to do.
    exporter.tick();
    assert_eq!(files(dir.path()), after);
}

#[test]
fn the_total_counts_what_is_there() {
    let dir = TempDir::new();
    let mut exporter = JsonLines::builder(dir.path())
        .max_file_bytes(10_000)
        .max_total_bytes(40_000)
        .compress(true)
        .build();
    for id in ids(0..100) {
        exporter.export(&sample_of(&id, 2_000)).unwrap();
        exporter.tick();
        assert!(size(&files(dir.path())) <= 40_000);
    }
    let (left, torn) = read(dir.path());
    assert!(left.len() > 40 && torn.is_empty(), "{}", left.len());
    assert_eq!(left.last().unwrap(), "99");
}

#[test]
fn every_moment_of_a_crash_leaves_one_copy() {
    let dir = TempDir::new();
    let mut exporter = writing(dir.path());
    for id in ids(0..6) {
        exporter.export(&sample_of(&id, 2_000)).unwrap();
    }
    let original = files(dir.path())[0].clone();
    let text = fs::read(&original).unwrap();
    exporter.tick();
    let complete = files(dir.path())[0].clone();
    assert!(is_gz(&complete));
    let bytes = fs::read(&complete).unwrap();
    let name = original.file_name().unwrap().to_str().unwrap();

    // Before the rename: a part, and the original.
    fs::remove_file(&complete).unwrap();
    fs::write(&original, &text).unwrap();
    for cut in [0, 1, bytes.len() / 2, bytes.len()] {
        fs::write(dir.path().join(names::part(name)), &bytes[..cut]).unwrap();
        assert_eq!(read(dir.path()), (ids(0..6), Vec::new()));
    }
    // After the rename: both.
    fs::rename(dir.path().join(names::part(name)), &complete).unwrap();
    assert_eq!(read(dir.path()), (ids(0..6), Vec::new()));
    // The next exporter that begins a file removes the original.
    drop(exporter);
    writing(dir.path()).export(&sample("6")).unwrap();
    assert!(!original.exists() && complete.exists());
    assert_eq!(read(dir.path()), (ids(0..7), Vec::new()));
}

#[test]
fn what_is_deleted_meanwhile_stays_deleted() {
    let dir = TempDir::new();
    let mut exporter = writing(dir.path());
    for id in ids(0..6) {
        exporter.export(&sample_of(&id, 2_000)).unwrap();
    }
    fs::remove_file(&files(dir.path())[0]).unwrap();
    exporter.tick();
    assert_eq!(files(dir.path()).len(), 1);
    assert_eq!(exporter.stats().failed_compressions(), 0);
}

#[test]
fn a_full_disk_leaves_files_as_they_are() {
    let dir = TempDir::new();
    let disk = Full::after(1 << 20);
    let mut exporter = JsonLines::builder(dir.path())
        .max_file_bytes(10_000)
        .compress(true)
        .build_on(Box::new(disk.clone()));
    for id in ids(0..6) {
        exporter.export(&sample_of(&id, 2_000)).unwrap();
    }
    let before = files(dir.path());
    disk.set(10);
    exporter.tick();
    assert_eq!(files(dir.path()), before, "and no part is left");
    assert_eq!(exporter.stats().failed_compressions(), 1);
    assert_eq!(exporter.health(), Health::Ok);
    assert_eq!(read(dir.path()), (ids(0..6), Vec::new()));
}

#[test]
fn a_cut_file_is_read_up_to_the_cut() {
    let dir = TempDir::new();
    let mut exporter = writing(dir.path());
    for id in ids(0..6) {
        exporter.export(&sample_of(&id, 2_000)).unwrap();
    }
    exporter.tick();
    let path = files(dir.path())[0].clone();
    let bytes = fs::read(&path).unwrap();
    fs::write(&path, &bytes[..bytes.len() - 10]).unwrap();
    let items: Vec<_> = JsonLines::read(&path).unwrap().collect();
    let torn = items.last().unwrap().as_ref().unwrap_err();
    assert!(matches!(torn.reason, Reason::Read(_)), "{torn}");
}
