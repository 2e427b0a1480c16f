use super::*;
use crate::export::{
    Exporter, Health,
    json_lines::names,
    sample::{sample, sample_of},
};

fn indexes(dir: &Path) -> Vec<PathBuf> {
    let mut paths = files(dir);
    paths.retain(|path| path.extension().is_some_and(|end| end == "idx"));
    paths
}

#[test]
fn small_files_have_none_and_large_ones_one() {
    let dir = TempDir::new();
    let mut exporter = JsonLines::builder(dir.path()).build();
    for id in ids(0..10) {
        exporter.export(&sample_of(&id, 2_000)).unwrap();
    }
    exporter.flush().unwrap();
    assert_eq!(files(dir.path()).len(), 1);
    for id in ids(10..60) {
        exporter.export(&sample_of(&id, 2_000)).unwrap();
    }
    // Not for every line.
    let [index] = &indexes(dir.path())[..] else {
        panic!("{:?}", files(dir.path()))
    };
    let entries = || fs::metadata(index).unwrap().len() / 112;
    assert!((10..60).contains(&entries()), "{}", entries());
    exporter.flush().unwrap();
    assert_eq!(entries(), 60);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = fs::metadata(index).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}

#[test]
fn it_counts_and_goes_with_its_file() {
    let dir = TempDir::new();
    let mut exporter = JsonLines::builder(dir.path())
        .max_file_bytes(150_000)
        .max_total_bytes(500_000)
        .build();
    for id in ids(0..600) {
        exporter.export(&sample_of(&id, 2_000)).unwrap();
        assert!(size(&files(dir.path())) <= 500_000);
    }
    assert!(exporter.stats_handle().get().deleted_files > 2);
    let stems = |paths: Vec<PathBuf>| -> Vec<_> {
        let name = |path: PathBuf| path.file_name().unwrap().to_str().unwrap().to_owned();
        let stem = |path| names::stem(&name(path)).unwrap().to_owned();
        paths.into_iter().map(stem).collect()
    };
    let left = indexes(dir.path());
    assert!(left.len() > 1);
    let mut plain = files(dir.path());
    plain.retain(|path| !left.contains(path));
    // But for the one that is being written.
    let (left, plain) = (stems(left), stems(plain));
    assert!(left == plain || left[..] == plain[..plain.len() - 1]);
}

#[test]
fn one_without_its_file_goes() {
    let dir = TempDir::new();
    let mut exporter = JsonLines::builder(dir.path()).build();
    for id in ids(0..60) {
        exporter.export(&sample_of(&id, 2_000)).unwrap();
    }
    // Somebody deletes the file that is being written.
    let mut plain = files(dir.path());
    plain.retain(|path| path.extension().is_some_and(|end| end == "jsonl"));
    fs::remove_file(&plain[0]).unwrap();
    exporter.export(&sample("60")).unwrap();
    assert!(indexes(dir.path()).is_empty());

    let name = |n| format!("exchanges-2025010{n}T000000.000Z-1-000000.idx");
    for (n, age) in [(1, 0), (2, 3600)] {
        let path = dir.path().join(name(n));
        fs::write(&path, [0; 100]).unwrap();
        let file = fs::File::options().append(true).open(path).unwrap();
        let at = std::time::SystemTime::now() - std::time::Duration::from_secs(age);
        file.set_modified(at).unwrap();
    }
    // The next to begin a file looks.
    drop(exporter);
    let mut exporter = JsonLines::builder(dir.path()).build();
    exporter.export(&sample("61")).unwrap();
    assert_eq!(indexes(dir.path()), [dir.path().join(name(1))]);
}

#[test]
fn a_full_disk_costs_the_index_and_no_exchange() {
    let dir = TempDir::new();
    let disk = Full::after(usize::MAX);
    let mut exporter = JsonLines::builder(dir.path()).build_on(Box::new(disk.clone()));
    let line = serde_json::to_string(&sample_of("10", 2_000)).unwrap();
    let length = line.len() + 1;
    // With the third line from here on it is time for the index, and there is no room.
    let before = u32::try_from(65_536_usize.div_ceil(length) - 3).unwrap();
    for id in ids(10..10 + before) {
        exporter.export(&sample_of(&id, 2_000)).unwrap();
    }
    disk.set(3 * length + 500);
    for id in ids(10 + before..13 + before) {
        exporter.export(&sample_of(&id, 2_000)).unwrap();
    }
    disk.set(usize::MAX);
    for id in ids(13 + before..99) {
        exporter.export(&sample_of(&id, 2_000)).unwrap();
    }
    assert_eq!(exporter.health(), Health::Ok);
    assert_eq!(read(dir.path()), (ids(10..99), Vec::new()));
    let [index] = &indexes(dir.path())[..] else {
        panic!("{:?}", files(dir.path()))
    };
    assert_eq!(fs::metadata(index).unwrap().len(), 500);
}

/// What the reader of files makes of an index, in all states of the file.
#[cfg(feature = "cli")]
mod reading {
    use super::*;
    use crate::{
        exchange::Exchange,
        export::json_lines::{Entry, Wanted, look, paths},
    };
    use std::ops::ControlFlow;

    /// Wants what has an ID that begins so.
    struct Begins<'a> {
        id: &'a str,
        found: Vec<String>,
        torn: usize,
        read: usize,
    }

    impl Wanted for Begins<'_> {
        fn is_choosy(&self) -> bool {
            true
        }

        fn not_before(&self) -> Option<i64> {
            None
        }

        fn may(&mut self, entry: &Entry) -> bool {
            entry.may_begin(self.id)
        }

        fn take(&mut self, exchange: Exchange, _: u64) -> ControlFlow<()> {
            self.read += 1;
            if exchange.id.starts_with(self.id) {
                self.found.push(exchange.id);
            }
            ControlFlow::Continue(())
        }

        fn torn(&mut self, _: &Torn) {
            self.torn += 1;
        }
    }

    fn find(dir: &Path, id: &str) -> (Vec<String>, usize) {
        let mut wanted = Begins {
            id,
            found: Vec::new(),
            torn: 0,
            read: 0,
        };
        for path in paths(dir).unwrap() {
            let _ = look(&path, &mut wanted).unwrap();
        }
        assert_eq!(wanted.torn, 0);
        (wanted.found, wanted.read)
    }

    #[test]
    fn few_lines_are_read() {
        let dir = TempDir::new();
        let mut exporter = JsonLines::builder(dir.path())
            .max_file_bytes(150_000)
            .build();
        for id in ids(100..400) {
            exporter.export(&sample_of(&id, 2_000)).unwrap();
        }
        for id in [123, 399] {
            let (found, read) = find(dir.path(), &id.to_string());
            assert_eq!(found, ids(id..id + 1));
            // The last entries wait for more.
            assert!(read <= 1 + 64 * 1024 / 2_000, "{read}");
        }
        exporter.flush().unwrap();
        // `c-…` is the correlation ID.
        assert_eq!(find(dir.path(), "39"), (ids(390..400), 10));
        assert_eq!(find(dir.path(), "x"), (Vec::new(), 0));
    }

    #[cfg(feature = "compression")]
    #[test]
    fn compressed_files_without_it_stay_closed() {
        let dir = TempDir::new();
        let mut exporter = JsonLines::builder(dir.path())
            .max_file_bytes(150_000)
            .compress(true)
            .build();
        for id in ids(100..400) {
            exporter.export(&sample_of(&id, 2_000)).unwrap();
            exporter.tick();
        }
        exporter.flush().unwrap();
        let (found, read) = find(dir.path(), "123");
        assert_eq!(found, ids(123..124));
        assert!((50..100).contains(&read), "one of the files: {read}");
        assert_eq!(find(dir.path(), "x"), (Vec::new(), 0));
        // Without the index, or with that of another file, all are read.
        let left = indexes(dir.path());
        fs::copy(&left[1], &left[0]).unwrap();
        assert_eq!(find(dir.path(), "123").0, ids(123..124));
        for index in left {
            fs::remove_file(index).unwrap();
        }
        assert_eq!(find(dir.path(), "123").0, ids(123..124));
    }
}
