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
    // It is not written for every line.
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
    assert!(exporter.stats().deleted_files() > 2);
    let stems = |paths: Vec<PathBuf>| -> Vec<_> {
        let name = |path: PathBuf| path.file_name().unwrap().to_str().unwrap().to_owned();
        let stem = |path| names::stem(&name(path)).unwrap().to_owned();
        paths.into_iter().map(stem).collect()
    };
    let left = indexes(dir.path());
    assert!(left.len() > 1);
    let mut plain = files(dir.path());
    plain.retain(|path| !left.contains(path));
    // Except for the file that is being written.
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
    // Another program deletes the file that is being written.
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
    // The next exporter that begins a file checks.
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
    // The third line from here on is due for the index, and there is no room.
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

/// Tests of indexes that are rebuilt.
mod anew {
    use super::*;

    /// A closed file and its index.
    fn written(dir: &Path, range: std::ops::Range<u32>) -> (PathBuf, PathBuf) {
        let before = files(dir);
        let mut exporter = JsonLines::builder(dir).build();
        for id in ids(range) {
            exporter.export(&sample_of(&id, 2_000)).unwrap();
        }
        exporter.flush().unwrap();
        drop(exporter);
        let mut new = files(dir);
        new.retain(|path| !before.contains(path));
        let [index, file] = &new[..] else {
            panic!("{new:?}")
        };
        (file.clone(), index.clone())
    }

    fn all(exporter: &mut JsonLines) {
        for _ in 0..1000 {
            while exporter.idle() {}
            exporter.tick();
        }
    }

    #[test]
    fn one_like_the_first_in_turns() {
        let dir = TempDir::new();
        let (file, index) = written(dir.path(), 0..600);
        let good = fs::read(&index).unwrap();
        assert_eq!(good.len(), 600 * 112);
        fs::remove_file(&index).unwrap();
        let mut exporter = JsonLines::builder(dir.path()).build();
        let mut turns = 1;
        while exporter.idle() && !index.exists() {
            turns += 1;
        }
        let pieces = fs::metadata(&file).unwrap().len() / (256 * 1024);
        assert!(turns > pieces, "{turns} turns for {pieces} pieces");
        assert_eq!(fs::read(&index).unwrap(), good);
        assert_eq!(files(dir.path()), [index.clone(), file]);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = fs::metadata(&index).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
        // There is work for more than one second.
        let calls = (0..10_000).take_while(|_| exporter.idle()).count();
        assert!(calls < 100, "{calls}");
    }

    #[test]
    fn what_somebody_writes_is_left_alone() {
        let dir = TempDir::new();
        let mut early = JsonLines::builder(dir.path()).build();
        std::thread::sleep(std::time::Duration::from_millis(50));
        let (_, index) = written(dir.path(), 0..300);
        fs::remove_file(&index).unwrap();
        all(&mut early);
        assert!(!index.exists(), "it was written after the start");

        // Entries that wait to be written are not missing.
        let mut other = JsonLines::builder(dir.path()).build();
        for id in ids(400..450) {
            other.export(&sample_of(&id, 2_000)).unwrap();
        }
        let [waits] = &indexes(dir.path())[..] else {
            panic!("{:?}", files(dir.path()))
        };
        let entries = || fs::metadata(waits).unwrap().len() / 112;
        assert!(entries() < 50);
        all(&mut JsonLines::builder(dir.path()).build());
        other.flush().unwrap();
        assert_eq!(entries(), 50, "its writer goes on with its own");
        assert!(index.exists());

        // A file that changes while it is read.
        fs::remove_file(&index).unwrap();
        let file = index.with_extension("jsonl");
        let mut late = JsonLines::builder(dir.path()).build();
        while late.idle() && !files(dir.path()).iter().any(|path| is_part(path)) {}
        let mut bytes = fs::read(&file).unwrap();
        bytes.extend(b"{}");
        fs::write(&file, bytes).unwrap();
        all(&mut late);
        assert!(!index.exists());
        assert!(!files(dir.path()).iter().any(|path| is_part(path)));
    }

    fn is_part(path: &Path) -> bool {
        path.extension().is_some_and(|end| end == "part")
    }

    /// An index ends at a line that cannot be described, and is not rebuilt each time.
    #[test]
    fn what_cannot_be_described_ends_it() {
        let dir = TempDir::new();
        let (file, index) = written(dir.path(), 0..100);
        let bytes = fs::read(&file).unwrap();
        let lines: Vec<_> = bytes.split_inclusive(|byte| *byte == b'\n').collect();
        let (good, rest) = (lines[..40].concat(), lines[41..].concat());
        for odd in [&b"\n"[..], b"{}\n", b"\xef\xbb\xbf{}\n"] {
            fs::write(&file, [&good, odd, &rest[..]].concat()).unwrap();
            all(&mut JsonLines::builder(dir.path()).build());
            let meta = fs::metadata(&index).unwrap();
            assert_eq!(meta.len(), 40 * 112);
            let at = std::time::SystemTime::now() + std::time::Duration::from_secs(9);
            let made = fs::File::options().append(true).open(&index).unwrap();
            made.set_modified(at).unwrap();
            all(&mut JsonLines::builder(dir.path()).build());
            assert_eq!(fs::metadata(&index).unwrap().modified().unwrap(), at);
        }
        assert_eq!(files(dir.path()).len(), 2);
    }

    #[test]
    fn no_exchange_goes_for_it_and_the_size_stays() {
        let dir = TempDir::new();
        let mut made = Vec::new();
        for n in 0..4 {
            made.push(written(dir.path(), n * 60..n * 60 + 60));
        }
        for (_, index) in &made {
            fs::remove_file(index).unwrap();
        }
        let total = size(&files(dir.path())) + 2_000;
        let mut exporter = JsonLines::builder(dir.path())
            .max_file_bytes(1_000)
            .max_total_bytes(total)
            .build();
        all(&mut exporter);
        assert!(indexes(dir.path()).is_empty());
        assert_eq!(files(dir.path()).len(), 4);
        // The next file replaces the oldest, and there is room.
        exporter.export(&sample_of("999", 2_000)).unwrap();
        all(&mut exporter);
        let wanted: Vec<_> = made[1..].iter().map(|(_, index)| index.clone()).collect();
        assert_eq!(indexes(dir.path()), wanted);
        assert!(size(&files(dir.path())) <= total);
    }

    #[test]
    fn nothing_is_left_of_one_that_did_not_come_to_its_end() {
        let dir = TempDir::new();
        let (file, index) = written(dir.path(), 0..600);
        fs::remove_file(&index).unwrap();
        // The process ends meanwhile.
        let mut exporter = JsonLines::builder(dir.path()).build();
        while exporter.idle() && !files(dir.path()).iter().any(|path| is_part(path)) {}
        assert_eq!(files(dir.path()).len(), 2);
        drop(exporter);
        assert_eq!(files(dir.path()), std::slice::from_ref(&file));
        // The disk is full.
        let disk = Full::after(10_000);
        let mut exporter = JsonLines::builder(dir.path()).build_on(Box::new(disk.clone()));
        all(&mut exporter);
        assert_eq!(files(dir.path()), std::slice::from_ref(&file));
        assert_eq!(exporter.health(), Health::Ok);
        disk.set(usize::MAX);
        exporter.export(&sample("999")).unwrap();
        all(&mut exporter);
        assert_eq!(indexes(dir.path()), [index]);
    }
}

/// Tests how the reader uses an index, in all states of the file.
mod reading {
    use super::*;
    use crate::{
        exchange::Exchange,
        export::json_lines::{Entry, Wanted, look, paths},
    };
    use std::ops::ControlFlow;

    /// Wants the exchanges whose ID begins with this.
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

        fn torn(&mut self, _: Torn) {
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
        // Without the index, or with that of another file, all lines are read.
        let left = indexes(dir.path());
        fs::copy(&left[1], &left[0]).unwrap();
        assert_eq!(find(dir.path(), "123").0, ids(123..124));
        for index in left {
            fs::remove_file(index).unwrap();
        }
        assert_eq!(find(dir.path(), "123").0, ids(123..124));
    }
}
