//! The log names the directory of the exchanges at the start, and reports if they cannot be
//! written there.

use crate::support_gate::Buffer;
use dashcam::{Dashcam, export::JsonLines, export::Memory};
use serde_json::Value;
use std::{
    env, fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};
use tracing_subscriber::prelude::*;

/// The log lines about the directory, or about an exporter, since the last time.
fn news(log: &Buffer) -> Vec<(String, Value)> {
    let text = log.take();
    let lines = text.lines().map(|line| serde_json::from_str(line).unwrap());
    let lines = lines.filter(|line: &Value| line["target"] == "dashcam::status");
    let said = lines.map(|l| (l["level"].as_str().unwrap().to_owned(), l["fields"].clone()));
    said.filter(|(_, fields)| !fields["message"].as_str().unwrap().contains("recorded"))
        .collect()
}

fn place(name: &str) -> PathBuf {
    let place = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let place = place.join(format!("directory-{}-{name}", std::process::id()));
    let _ = fs::remove_dir_all(&place);
    place
}

#[test]
fn it_is_tried_and_told_at_the_start() {
    alone!();
    let log = Buffer::default();
    let built = || Dashcam::builder().service("test", "1");
    // Built before there is a log, so the report must wait.
    let place_ok = place("ok");
    let early = built().directory(&place_ok).build().unwrap();
    tracing_subscriber::registry()
        .with(
            tracing_subscriber::fmt::layer()
                .json()
                .with_writer(log.clone()),
        )
        .init();
    let began = Instant::now();
    let said = loop {
        let said = news(&log);
        if !said.is_empty() {
            break said;
        }
        assert!(began.elapsed() < Duration::from_secs(60), "no report");
        std::thread::sleep(Duration::from_millis(10));
    };
    let directory = place_ok.to_str().unwrap();
    assert_eq!((said.len(), &*said[0].0), (1, "INFO"));
    assert_eq!(said[0].1["directory"], directory);
    assert_eq!(early.status().directory.as_deref(), Some(directory));
    assert_eq!(
        fs::read_dir(&place_ok).unwrap().count(),
        0,
        "the probe is deleted"
    );
    let _ = early.layer();
    assert_eq!(news(&log), [], "reported once");

    // A relative path is absolute from the start on.
    let base = place("base");
    fs::create_dir_all(&base).unwrap();
    env::set_current_dir(&base).unwrap();
    let relative = built().directory("kept").build().unwrap();
    env::set_current_dir(env::temp_dir()).unwrap();
    let _ = relative.layer();
    let wanted = base.join("kept");
    assert_eq!(relative.status().directory.as_deref(), wanted.to_str());
    assert_eq!(news(&log)[0].1["directory"], wanted.to_str().unwrap());

    // A directory that cannot be used is reported before any failure, also among others.
    let file = place("file");
    fs::write(&file, "a file").unwrap();
    for unusable in [file.clone(), file.join("below")] {
        let two = (Memory::new(1), JsonLines::builder(&unusable).build());
        let dashcam = built().exporter(two).build().unwrap();
        let _ = dashcam.layer();
        let said = news(&log);
        let levels: Vec<_> = said.iter().map(|(level, _)| level.as_str()).collect();
        assert_eq!(levels, ["INFO", "WARN"], "{said:?}");
        let message = said[1].1["message"].as_str().unwrap();
        assert!(message.contains(unusable.to_str().unwrap()), "{message}");
        assert!(message.contains("set DASHCAM_DIR or"), "{message}");
        let status = dashcam.status();
        assert_eq!(status.directory.as_deref(), unusable.to_str());
        assert!(!status.exporter.is_ok());
    }

    // A directory that others may write to is reported once, also if it is one of two.
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let open = place("open");
        for (mode, whom) in [
            (0o777, "everybody"),
            (0o1777, "everybody"),
            (0o770, "its group"),
        ] {
            let _ = fs::remove_dir_all(&open);
            fs::create_dir(&open).unwrap();
            fs::set_permissions(&open, fs::Permissions::from_mode(mode)).unwrap();
            let two = (Memory::new(1), JsonLines::builder(&open).build());
            let dashcam = built().exporter(two).build().unwrap();
            let _ = dashcam.layer();
            let _ = dashcam.layer();
            let said = news(&log);
            let levels: Vec<_> = said.iter().map(|(level, _)| level.as_str()).collect();
            assert_eq!(levels, ["INFO", "WARN"], "{said:?}");
            let message = said[1].1["message"].as_str().unwrap();
            assert!(message.contains(whom) && message.contains(open.to_str().unwrap()));
            let status = dashcam.status();
            assert_eq!(status.warnings, [message]);
            assert!(status.exporter.is_ok());
        }
        fs::set_permissions(&open, fs::Permissions::from_mode(0o755)).unwrap();
        let dashcam = built().directory(&open).build().unwrap();
        let _ = dashcam.layer();
        assert_eq!(news(&log).len(), 1);
        assert_eq!(dashcam.status().warnings, [""; 0]);
        // Neither may others write to its parents, where they could replace it.
        let below = open.join("between").join("below");
        fs::create_dir_all(&below).unwrap();
        for (mode, whom) in [
            (0o777, Some("everybody")),
            (0o770, Some("its group")),
            (0o1777, None),
            (0o755, None),
        ] {
            fs::set_permissions(&open, fs::Permissions::from_mode(mode)).unwrap();
            let dashcam = built().directory(&below).build().unwrap();
            let _ = dashcam.layer();
            let said = news(&log);
            let warnings = dashcam.status().warnings;
            assert_eq!(said.len(), 1 + warnings.len(), "{said:?}");
            assert_eq!(warnings.len(), usize::from(whom.is_some()), "{warnings:?}");
            if let Some(whom) = whom {
                let of = [whom, below.to_str().unwrap(), open.to_str().unwrap()];
                assert!(
                    of.iter().all(|part| warnings[0].contains(part)),
                    "{warnings:?}"
                );
            }
        }
        fs::remove_dir_all(&open).unwrap();
    }

    // The remains of a process that was killed at its start are no obstacle.
    let left = place("left");
    fs::create_dir(&left).unwrap();
    for n in 0..50 {
        let name = format!(".dashcam-probe-{}-{n}", std::process::id());
        fs::write(left.join(name), "").unwrap();
    }
    let dashcam = built().directory(&left).build().unwrap();
    let _ = dashcam.layer();
    assert_eq!(news(&log).len(), 1);
    assert!(dashcam.status().exporter.is_ok());
    fs::remove_dir_all(&left).unwrap();

    // Without files there is nothing to report.
    let memory = built().exporter(Memory::new(1)).build().unwrap();
    let _ = memory.layer();
    assert_eq!(news(&log), []);
    assert_eq!(memory.status().directory, None);
    let json = serde_json::to_value(memory.status()).unwrap();
    assert_eq!(json["directory"], Value::Null);
    fs::remove_file(&file).unwrap();
    fs::remove_dir_all(&base).unwrap();
    fs::remove_dir_all(&place_ok).unwrap();
}

/// The empty path is the current directory, as elsewhere.
#[test]
fn an_empty_path_is_the_current_directory() {
    alone!();
    use dashcam::export::{Exporter, Health};
    let exporter = JsonLines::builder("").build();
    assert_eq!(exporter.directory(), Some(env::current_dir().unwrap()));
    assert_eq!(exporter.health(), Health::Ok);
}
