//! What is found with an index.

use super::*;

/// A file that is large enough to have an index, of exchanges with these numbers.
fn large(dir: &Path, numbers: std::ops::Range<u32>) -> PathBuf {
    let mut exporter = JsonLines::builder(dir).build();
    for n in numbers {
        let exchange = exchange(n % 60, |e| {
            e["id"] = json!(format!("id-{n:04}"));
            e["correlation"]["id"] = json!(format!("journey-{:04}", n / 2));
            e["error"] = json!("x".repeat(2_000));
        });
        exporter.export(&exchange).unwrap();
    }
    exporter.flush().unwrap();
    let paths = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let mut paths: Vec<_> = paths
        .filter(|path| path.extension().unwrap() == "jsonl")
        .collect();
    paths.sort();
    paths.pop().unwrap()
}

/// What is found with an index is what is in the file, whatever the index says.
#[test]
fn an_index_is_never_needed_and_never_believed() {
    let dir = Directory::new("index");
    let file = large(&dir.0, 0..120);
    let index = file.with_extension("idx");
    let good = fs::read(&index).unwrap();
    assert_eq!(good.len(), 120 * 112, "an entry for each line");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = fs::metadata(&index).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    let asked = || {
        let of = |args: &[&str]| ids(&run(&[args, &["--json"]].concat(), Some(&dir.0)));
        [
            of(&["show", "id-0077"]),
            of(&["show", "journey-0005"]),
            of(&["show", "id-011"]),
            of(&["show", "last"]),
            of(&["ls", "-n", "3"]),
            of(&["ls", "-n", "3", "--status", "5xx", "--route", "/orders/*"]),
            of(&["ls", "--since", "2026-01-02T03:04:59Z"]),
            of(&["ls", "--correlation-id", "journey-0059"]),
            of(&["ls", "-n", "0"]),
        ]
    };
    let expected = asked();
    assert_eq!(expected[0], ["id-0077"]);
    assert_eq!(expected[1], ["id-0010", "id-0011"]);
    assert_eq!(expected[2].len(), 10);
    assert_eq!(expected[3], ["id-0119"]);
    assert_eq!(expected[4], ["id-0118", "id-0059", "id-0119"]);
    assert_eq!(expected[6], ["id-0059", "id-0119"]);
    assert_eq!(expected[7], ["id-0118", "id-0119"]);

    // Read by the index: of what is broken in between nothing is seen, as its time
    // says that the index is younger.
    let lines = fs::read(&file).unwrap();
    let younger = || {
        let file = fs::File::options().append(true).open(&index).unwrap();
        file.set_modified(std::time::SystemTime::now() + Duration::from_secs(5))
            .unwrap();
    };
    let at = lines.windows(7).position(|w| w == b"id-0050").unwrap();
    let mut broken = lines.clone();
    broken[at - 8] = b'x';
    fs::write(&file, &broken).unwrap();
    younger();
    let read = run(&["show", "id-0077"], Some(&dir.0));
    assert_eq!((read.code, read.err.as_str()), (Some(0), ""));
    assert_eq!(run(&["ls", "-n", "3"], Some(&dir.0)).err, "");
    // What the index leads to is not there: the file is read.
    let gone = run(&["show", "id-0050"], Some(&dir.0));
    assert_eq!(gone.code, Some(1), "{}", gone.out);
    fs::write(&file, &lines).unwrap();

    let other = Directory::new("index-other");
    let foreign = fs::read(large(&other.0, 500..620).with_extension("idx")).unwrap();
    let mut flipped = good.clone();
    flipped[112 * 60 + 3] ^= 1;
    let mut swapped = good.clone();
    swapped[112..224].copy_from_slice(&good[224..336]);
    for (what, bytes) in [
        ("missing", None),
        ("empty", Some(Vec::new())),
        ("torn", Some(good[..112 * 70 + 5].to_vec())),
        ("foreign", Some(foreign)),
        ("flipped", Some(flipped)),
        ("swapped", Some(swapped)),
        ("garbage", Some(vec![7; 20_000])),
        ("longer", Some([good.clone(), vec![0; 500]].concat())),
    ] {
        match bytes {
            Some(bytes) => fs::write(&index, bytes).unwrap(),
            None => fs::remove_file(&index).unwrap(),
        }
        assert_eq!(asked(), expected, "{what}");
    }

    // Of another version of the file: one line less, an edit in its place, and more.
    fs::write(&index, &good).unwrap();
    let end = lines.iter().position(|b| *b == b'\n').unwrap() + 1;
    fs::write(&file, &lines[end..]).unwrap();
    assert_eq!(asked(), expected, "cut at its start");
    let edited = String::from_utf8(lines.clone()).unwrap();
    std::thread::sleep(Duration::from_millis(20));
    fs::write(&file, edited.replace("id-0077", "id-9999")).unwrap();
    let found = run(&["show", "--json", "id-9999"], Some(&dir.0));
    assert_eq!(ids(&found), ["id-9999"]);
    fs::write(&file, &lines).unwrap();
    younger();
    let more = serde_json::to_string(&exchange(59, |e| e["id"] = json!("id-0777"))).unwrap();
    let mut out = fs::File::options().append(true).open(&file).unwrap();
    out.write_all((more + "\n{\"id\":\"tor").as_bytes())
        .unwrap();
    let found = run(&["show", "--json", "id-0777"], Some(&dir.0));
    assert_eq!(ids(&found), ["id-0777"]);
    assert!(
        found.err.contains(":122: the file ends within the line"),
        "{}",
        found.err
    );
    assert_eq!(asked()[0], ["id-0077"]);
}

/// Whatever became of the indexes, the service makes them again when it starts.
#[test]
fn an_index_is_made_anew_when_the_service_starts() {
    let dir = Directory::new("index-anew");
    let other = Directory::new("index-anew-other");
    let foreign = fs::read(large(&other.0, 500..620).with_extension("idx")).unwrap();
    type Damage<'a> = &'a dyn Fn(&Path, &[u8]);
    let cut = |at: usize| move |index: &Path, good: &[u8]| fs::write(index, &good[..at]).unwrap();
    let put = |bytes: Vec<u8>| move |index: &Path, _: &[u8]| fs::write(index, &bytes).unwrap();
    let damages: &[Damage<'_>] = &[
        &|index, _| fs::remove_file(index).unwrap(),
        &cut(0),
        &cut(5),
        &cut(112),
        &cut(112 * 60),
        &cut(112 * 60 + 7),
        &cut(112 * 120 - 1),
        &put(foreign),
        &put(vec![7; 20_000]),
        &|index, good| fs::write(index, [good, &[0; 500]].concat()).unwrap(),
        &|index, good| {
            let mut flipped = good.to_vec();
            flipped[112 * 70 + 3] ^= 1;
            fs::write(index, flipped).unwrap();
        },
        // A file of that name, which was edited since.
        &|index, good| {
            fs::write(index, good).unwrap();
            let old = fs::File::options().append(true).open(index).unwrap();
            let at = std::time::SystemTime::now() - Duration::from_secs(3600);
            old.set_modified(at).unwrap();
        },
        #[cfg(unix)]
        &|index, _| {
            fs::remove_file(index).unwrap();
            let made = Command::new("mkfifo").arg(index).status().unwrap();
            assert!(made.success());
        },
        #[cfg(unix)]
        &|index, good| {
            let elsewhere = index.with_extension("else");
            fs::write(&elsewhere, &good[..1000]).unwrap();
            fs::remove_file(index).unwrap();
            std::os::unix::fs::symlink(elsewhere, index).unwrap();
        },
    ];
    let mut wanted = Vec::new();
    for (n, damage) in (0..).zip(damages) {
        let file = large(&dir.0, n * 120..n * 120 + 120);
        let index = file.with_extension("idx");
        let good = fs::read(&index).unwrap();
        damage(&index, &good);
        wanted.push((index, good, fs::read(&file).unwrap()));
    }
    // What has such a name and is no file, is not read.
    #[cfg(unix)]
    {
        let name = |n| {
            let name = format!("exchanges-2025010{n}T000000.000Z-1-000000.jsonl");
            dir.0.join(name)
        };
        let made = Command::new("mkfifo").arg(name(1)).status().unwrap();
        assert!(made.success());
        std::os::unix::fs::symlink("/dev/zero", name(2)).unwrap();
        let linked = wanted[0].0.with_extension("jsonl");
        std::os::unix::fs::symlink(linked, name(3)).unwrap();
    }

    let service = dashcam::Dashcam::builder()
        .service("test", "1")
        .directory(&dir.0);
    let service = service.build().unwrap();
    let since = std::time::Instant::now();
    let is_whole = |index: &Path, good: &[u8]| {
        let meta = fs::symlink_metadata(index);
        meta.is_ok_and(|meta| meta.is_file()) && fs::read(index).unwrap() == good
    };
    for (n, (index, good, lines)) in wanted.iter().enumerate() {
        while !is_whole(index, good) {
            assert!(since.elapsed() < DEADLINE, "{n} is not made anew");
            std::thread::sleep(Duration::from_millis(5));
        }
        let file = index.with_extension("jsonl");
        assert_eq!(&fs::read(file).unwrap(), lines, "{n}");
    }
    let found = run(&["show", "--json", "id-0177"], Some(&dir.0));
    assert_eq!(ids(&found), ["id-0177"]);
    drop(service);
    let odd = fs::read_dir(&dir.0).unwrap().filter(|entry| {
        let path = entry.as_ref().unwrap().path();
        let end = path.extension().unwrap().to_str().unwrap();
        !["jsonl", "idx", "else"].contains(&end)
            || path.to_str().unwrap().contains("-2025010") && end == "idx"
    });
    assert_eq!(odd.count(), 0);
}
