//! What is no file, has no end or no lines.

use super::*;

/// Whatever lies in the directory under the name of a file: nothing waits or reads for
/// ever, the rest is read, and what was left out is said.
#[cfg(unix)]
#[test]
fn what_is_no_file_is_not_read() {
    use std::os::unix::{fs::symlink, net::UnixListener};
    let dir = Directory::new("odd");
    written(&dir.0);
    let name = |n: u32, end: &str| {
        let name = format!("exchanges-2025010{n}T000000.000Z-1-000000.{end}");
        dir.0.join(name)
    };
    let fifo = |path: &Path| {
        let made = Command::new("mkfifo").arg(path).status().unwrap();
        assert!(made.success());
    };
    fifo(&name(1, "jsonl"));
    fifo(&name(2, "jsonl.gz"));
    let _socket = UnixListener::bind(name(3, "jsonl")).unwrap();
    symlink("/dev/zero", name(4, "jsonl")).unwrap();
    symlink(name(1, "jsonl"), name(5, "jsonl")).unwrap();
    symlink(dir.0.join("nowhere"), name(6, "jsonl")).unwrap();
    fs::create_dir(name(7, "jsonl")).unwrap();
    // A link to a file is read, and one to a file that seems to be endless to its size.
    let elsewhere = Directory::new("odd-elsewhere");
    let line = serde_json::to_string(&exchange(9, |_| {})).unwrap();
    symlink(elsewhere.file("some", &(line + "\n")), name(8, "jsonl")).unwrap();
    // An index that is none.
    fifo(&name(8, "idx"));
    // What is large enough for one.
    let large = fs::read_dir(&dir.0)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let large = large.filter(|path| path.is_file() && path.extension().unwrap() == "jsonl");
    for file in large.collect::<Vec<_>>() {
        fs::OpenOptions::new()
            .append(true)
            .open(&file)
            .unwrap()
            .write_all(&[b' '; 100_000])
            .unwrap();
    }

    let within = |args: &[&str]| {
        let mut command = Command::new("timeout");
        command
            .args(["20", env!("CARGO_BIN_EXE_dashcam")])
            .args(args)
            .env("DASHCAM_DIR", &dir.0);
        let output = command.output().unwrap();
        Run {
            code: output.status.code(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    };
    for args in [
        &["ls", "--json"][..],
        &["ls", "--json", "-n", "10"],
        &["ls", "--json", "--status", "5xx", "--status", "none"],
        &["show", "--json", "e"],
    ] {
        let run = within(args);
        assert_eq!(run.code, Some(0), "{args:?}: {}", run.err);
        assert_eq!(ids(&run), ["e1", "e2", "e3", "e9"], "{args:?}");
        assert!(run.err.contains("skipped"), "{args:?}: {}", run.err);
    }
    let said = within(&["ls"]).err;
    assert!(said.contains(":0: not a regular file"), "{said}");
    assert!(
        said.contains("7 lines and files were skipped in all"),
        "{said}"
    );
    for args in [
        &["export", "--curl"][..],
        &["export", "--har"],
        &["top"],
        &["show", "last"],
        &["show", "e1"],
    ] {
        let run = within(args);
        assert_eq!(run.code, Some(0), "{args:?}: {}", run.err);
    }
    assert_eq!(within(&["show", "none"]).code, Some(1));
    let fifo = within(&["ls", name(1, "jsonl").to_str().unwrap()]);
    assert_eq!(fifo.code, Some(2), "{}", fifo.err);

    // `tail` says it once.
    let mut child = dashcam()
        .args(["tail", "--json"])
        .env("DASHCAM_DIR", &dir.0)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut exporter = JsonLines::builder(&dir.0).build();
    let mut rows = BufReader::new(child.stdout.take().unwrap()).lines();
    for n in 0..4 {
        rows.next().unwrap().unwrap();
        exporter.export(&exchange(20 + n, |_| {})).unwrap();
    }
    let last = rows.by_ref().take(4).last().unwrap().unwrap();
    assert!(last.contains("e23"), "{last}");
    child.kill().unwrap();
    child.wait().unwrap();
    let mut err = String::new();
    child
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut err)
        .unwrap();
    assert_eq!(err.matches("skipped").count(), 3, "{err}");
}

/// Of a file and its compressed copy, the one is read that is one.
#[cfg(unix)]
#[test]
fn a_copy_that_is_none_hides_nothing() {
    use std::os::unix::fs::symlink;
    let line = serde_json::to_string(&exchange(1, |_| {})).unwrap() + "\n";
    let good = |path: &Path| {
        if path.extension().unwrap() == "gz" {
            let plain = path.with_extension("");
            fs::write(&plain, &line).unwrap();
            let done = Command::new("gzip").arg(&plain).status().unwrap();
            assert!(done.success());
        } else {
            fs::write(path, &line).unwrap();
        }
    };
    type Put<'a> = (&'a str, &'a dyn Fn(&Path));
    let odd: [Put<'_>; 6] = [
        ("fifo", &|path| fifo(path)),
        ("empty", &|path| fs::write(path, "").unwrap()),
        ("torn", &|path| {
            fs::write(path, [0x1f, 0x8b, 8, 0, 0]).unwrap();
        }),
        ("directory", &|path| fs::create_dir(path).unwrap()),
        ("dangling", &|path| {
            symlink("/nowhere/at/all", path).unwrap();
        }),
        ("endless", &|path| symlink("/dev/zero", path).unwrap()),
    ];
    for (what, put) in odd {
        for bad in ["jsonl", "jsonl.gz"] {
            if (what, bad) == ("torn", "jsonl") {
                continue;
            }
            let dir = Directory::new(&format!("copy-{what}-{bad}"));
            let name = |end: &str| {
                let name = format!("exchanges-20250101T000000.000Z-1-000000.{end}");
                dir.0.join(name)
            };
            let other = if bad == "jsonl" { "jsonl.gz" } else { "jsonl" };
            good(&name(other));
            put(&name(bad));
            for args in [
                &["ls", "--json"][..],
                &["ls", "--json", "-n", "1"],
                &["show", "--json", "e1"],
            ] {
                let run = within(args, &dir.0);
                assert_eq!(run.code, Some(0), "{what} {bad} {args:?}: {}", run.err);
                assert_eq!(ids(&run), ["e1"], "{what} {bad} {args:?}: {}", run.err);
            }
            let read = dashcam::export::JsonLines::read(&dir.0).unwrap();
            assert_eq!(read.filter(Result::is_ok).count(), 1, "{what} {bad}");
        }
    }
}

/// A file far larger than what it takes on its disk is given up, and that is said.
#[cfg(unix)]
#[test]
fn a_file_without_lines_is_given_up() {
    for what in ["zeros", "compressed zeros", "compressed line ends"] {
        let dir = Directory::new(&format!("bomb-{}", what.replace(' ', "-")));
        let name = |n: u32, end: &str| {
            let name = format!("exchanges-2025010{n}T000000.000Z-1-000000.{end}");
            dir.0.join(name)
        };
        let line = serde_json::to_string(&exchange(1, |_| {})).unwrap() + "\n";
        fs::write(name(1, "jsonl"), &line).unwrap();
        if what == "zeros" {
            let file = fs::File::create(name(2, "jsonl")).unwrap();
            file.set_len(200_000_000_000).unwrap();
        } else {
            // Members follow one another.
            let byte = if what == "compressed zeros" {
                "\\000"
            } else {
                "\\n"
            };
            let bomb = format!("head -c 50000000 /dev/zero | tr '\\000' '{byte}' | gzip -9");
            let member = Command::new("sh").args(["-c", &bomb]).output().unwrap();
            fs::write(name(2, "jsonl.gz"), member.stdout.repeat(400)).unwrap();
        }
        let commands = [&["ls", "-n", "1"][..], &["show", "e1"], &["top"]];
        let some = if what == "zeros" { 3 } else { 1 };
        for args in commands.into_iter().take(some) {
            let run = within(args, &dir.0);
            assert_eq!(run.code, Some(0), "{what} {args:?}: {}", run.err);
            let said = "no line of use in 64 MiB; the rest of the file is not read";
            assert!(run.err.contains(said), "{what} {args:?}: {}", run.err);
        }
    }
}

/// Keys and values come from what has an end.
#[cfg(unix)]
#[test]
fn a_key_is_read_from_a_file() {
    let dir = Directory::new("endless-keys");
    written(&dir.0);
    let path = dir.0.join("fifo");
    fifo(&path);
    let path = path.to_str().unwrap();
    let large = dir.file("large", &"k".repeat(70_000));
    for (file, why) in [
        (path, "not a regular file"),
        ("/dev/zero", "not a regular file"),
        (large.to_str().unwrap(), "larger than 64 KiB"),
    ] {
        for args in [
            &["ls", "--value", "x", "--key-file", file][..],
            &["token", "check", file, "x"],
            &["token", "public-key", file],
        ] {
            let run = within(args, &dir.0);
            assert_eq!(run.code, Some(2), "{args:?}: {}", run.err);
            assert!(run.err.contains(why), "{args:?}: {}", run.err);
        }
    }
    // Where it is asked for, and of a bounded size.
    let input = |from: &str, command: &str| {
        let command = format!("{command} < {from}");
        let mut shell = Command::new("timeout");
        shell.args(["20", "sh", "-c", &command, env!("CARGO_BIN_EXE_dashcam")]);
        shell.env("DASHCAM_DIR", &dir.0).output().unwrap()
    };
    let key = dir.file("key", "0123456789abcdef0123456789abcdef");
    let ls = "\"$0\" ls --value e1 --key-file /dev/stdin";
    let found = input(key.to_str().unwrap(), ls);
    assert_ne!(found.status.code(), Some(2), "{found:?}");
    for command in [ls, "\"$0\" ls --value -"] {
        assert_eq!(input("/dev/zero", command).status.code(), Some(2));
    }
}

/// Runs it with a standard input that has no end; it has to end by itself.
#[cfg(unix)]
fn run_endless(args: &[&str]) -> Run {
    let mut command = dashcam();
    let zeros = fs::File::open("/dev/zero").unwrap();
    command.args(args).stdin(zeros);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let since = std::time::Instant::now();
    while child.try_wait().unwrap().is_none() {
        if since.elapsed() > DEADLINE {
            child.kill().unwrap();
            panic!("{args:?} reads on");
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    let Output {
        status,
        stdout,
        stderr,
    } = child.wait_with_output().unwrap();
    Run {
        code: status.code(),
        out: String::from_utf8(stdout).unwrap(),
        err: String::from_utf8(stderr).unwrap(),
    }
}

/// Devices, pipes and endless input are refused, not read for ever.
#[cfg(unix)]
#[test]
fn what_has_no_end_is_not_read() {
    let directory = Directory::new("endless");
    let key = directory.0.join("key.jwk");
    let key = key.to_str().unwrap();
    let made = run(&["token", "new-key", key, "--id", "on-call"], None);
    assert_eq!(made.code, Some(0), "{}", made.err);
    let secret = directory.0.join("dashcam.key");
    let secret = secret.to_str().unwrap();
    assert_eq!(run(&["key", "new", "--out", secret], None).code, Some(0));
    let pipe = directory.0.join("pipe");
    let made = Command::new("mkfifo").arg(&pipe).status().unwrap();
    assert!(made.success());
    let pipe = pipe.to_str().unwrap();
    let large = directory.file("large.jwk", &" ".repeat(100_000));
    let large = large.to_str().unwrap();
    let exchanges = directory.0.to_str().unwrap();
    for file in ["/dev/zero", pipe, large] {
        let why = if file == large {
            "larger than"
        } else {
            "regular file"
        };
        let cases: [&[&str]; 6] = [
            &["token", "mint", file],
            &["token", "public-key", file],
            &["token", "check", file, "e30.e30.e30"],
            &["token", "check", key, "e30.e30.e30", "--key", file],
            &["ls", exchanges, "--value", "x", "--key-file", file],
            &["rules", "check", file],
        ];
        for args in cases {
            if args[0] == "rules" && file == large {
                continue;
            }
            let refused = run_endless(args);
            let said = format!("{}{}", refused.err, refused.out);
            assert!(said.contains(why), "{args:?}: {said}");
            assert_ne!(refused.code, Some(0), "{args:?}");
        }
    }
    for args in [
        &["token", "check", key, "-"][..],
        &["ls", exchanges, "--value", "-", "--key-file", secret],
    ] {
        let refused = run_endless(args);
        assert!(
            refused.err.contains("larger than 1 MiB"),
            "{args:?}: {}",
            refused.err
        );
        assert_eq!(refused.code, Some(2), "{args:?}");
    }
    // One among the exchanges holds nobody up.
    let name = exchange_file(&directory);
    fs::remove_file(&name).unwrap();
    assert!(
        Command::new("mkfifo")
            .arg(&name)
            .status()
            .unwrap()
            .success()
    );
    let listed = run_endless(&["ls", exchanges]);
    assert_eq!(listed.out.lines().count(), 0, "{}", listed.out);
    assert!(!listed.err.is_empty());
}

/// The name of a file as it is written.
#[cfg(unix)]
fn exchange_file(directory: &Directory) -> PathBuf {
    let mut exporter = dashcam::export::JsonLines::builder(&directory.0).build();
    exporter.export(&exchange(1, |_| {})).unwrap();
    drop(exporter);
    let entries = fs::read_dir(&directory.0)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let is = |path: &PathBuf| path.extension().is_some_and(|e| e == "jsonl");
    entries.into_iter().find(is).unwrap()
}
