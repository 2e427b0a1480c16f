//! Writers of `tracing-appender` beside the gate: one with its own thread, and a rolling file.

use crate::support_gate::{
    Seen,
    traffic::{Shown, Traffic},
};
use std::{fs, path::Path};
use tracing::Level;
use tracing_appender::{non_blocking, rolling};
use tracing_subscriber::{EnvFilter, fmt, prelude::*};

/// The content of all files of a directory.
struct Files(String);

impl Files {
    fn read(directory: &Path) -> Self {
        let entries = fs::read_dir(directory).unwrap();
        let files = entries.map(|entry| fs::read_to_string(entry.unwrap().path()).unwrap());
        Self(files.collect())
    }
}

impl Shown for Files {
    fn text(&self) -> String {
        self.0.clone()
    }
}

#[test]
fn files_have_every_event_once() {
    alone!();
    let fixture = Traffic::fixture();
    let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join("coexist_appender");
    let _ = fs::remove_dir_all(&root);
    let [elsewhere, here] = ["elsewhere", "here"].map(|name| root.join(name));
    // Behind a queue that loses nothing, into a file that rolls now and then.
    let (writer, guard) = non_blocking::NonBlockingBuilder::default()
        .lossy(false)
        .finish(rolling::minutely(&elsewhere, "log"));
    let plain = Seen::default();
    tracing_subscriber::registry()
        .with(fmt::layer().json().with_writer(writer))
        .with(plain.clone())
        .with(fixture.dashcam.gate(EnvFilter::new("info")))
        .with(
            fmt::layer()
                .with_ansi(false)
                .with_writer(rolling::daily(&here, "log")),
        )
        .init();
    let traffic = Traffic(0..60);
    traffic.run(&fixture);
    drop(guard);
    traffic.check(&[
        (&Files::read(&elsewhere), Level::DEBUG),
        (&Files::read(&here), Level::DEBUG),
        (&plain, Level::DEBUG),
    ]);
    fs::remove_dir_all(&root).unwrap();
}
