//! Records of the `log` crate, which `init_tracing` forwards.

use crate::support_alone::command;
use crate::support_gate::{DEADLINE, Fixture, bump, messages};
use std::{
    fmt,
    sync::atomic::{AtomicU32, Ordering::SeqCst},
};

#[test]
#[ignore = "run by the other, in a process of its own"]
fn child() {
    alone!();
    let fixture = Fixture::new();
    fixture.dashcam.init_tracing().unwrap();
    println!();
    static EVALUATED: AtomicU32 = AtomicU32::new(0);
    struct Counting;
    impl fmt::Display for Counting {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "formatted {} times", bump(&EVALUATED))
        }
    }
    log::debug!("{Counting}");
    assert_eq!(
        EVALUATED.load(SeqCst),
        0,
        "not formatted outside of requests"
    );
    let exchange = fixture.failing(|| {
        log::debug!(target: "legacy::db", "connected to {}", 5);
        log::info!("from here");
        tracing::debug!("of tracing");
        log::trace!(target: "legacy::db", "too deep");
        log::debug!(target: "hyper::proto", "excluded");
        log::warn!(target: "legacy::db", "slow");
        assert_eq!(EVALUATED.load(SeqCst), 0);
        log::debug!("{Counting}");
    });
    assert_eq!(
        messages(&exchange),
        [
            "connected to 5",
            "from here",
            "of tracing",
            "slow",
            "formatted 1 times"
        ]
    );
    let [connected, here, tracing, slow, _] = &exchange.events[..] else {
        unreachable!()
    };
    assert_eq!(
        (&*connected.target, &*connected.level),
        ("legacy::db", "DEBUG")
    );
    assert_eq!(here.target, module_path!());
    assert_eq!(tracing.target, module_path!());
    assert_eq!((&*slow.target, &*slow.level), ("legacy::db", "WARN"));
    assert_eq!(connected.file.as_deref(), Some(file!()));
    assert!(connected.line.unwrap() < here.line.unwrap());
    assert!(connected.fields.is_empty(), "{connected:#?}");
    assert!(fixture.dashcam.flush(DEADLINE));
}

#[test]
fn records_are_taken_in() {
    alone!();
    let output = command("gate_log::child")
        .env_remove("RUST_LOG")
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        output.status.success(),
        "{text}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let lines: Vec<serde_json::Value> = text
        .lines()
        .filter(|line| line.starts_with('{'))
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let shown: Vec<_> = lines
        .iter()
        .map(|l| l["message"].as_str().unwrap())
        .collect();
    assert_eq!(shown, ["from here", "slow", "request"]);
    assert_eq!(lines[0]["target"], module_path!());
    assert_eq!(lines[1]["target"], "legacy::db");
    assert!(lines[1]["correlation_id"].is_string());
}
