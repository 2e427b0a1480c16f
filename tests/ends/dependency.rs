//! What the dependency adds to a service's build: nothing that changes other crates.

use std::process::Command;

/// The features of a dependency if these features of ours are on; `None` without the dependency.
fn features_of(package: &str, ours: &[&str]) -> Option<Vec<String>> {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--offline", "--edges", "normal", "--prefix", "none"])
        .args([
            "--package",
            env!("CARGO_PKG_NAME"),
            "--no-dedupe",
            "--format",
            "{p}|{f}",
            "--features",
            &ours.join(","),
        ])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let line = text
        .lines()
        .find(|line| line.split(' ').next() == Some(package))?;
    let (_, features) = line.split_once('|').unwrap();
    Some(features.split(',').map(|f| f.trim().to_owned()).collect())
}

/// With `env-filter`, `tracing_subscriber::fmt::init()` of every program of the build shows ERROR
/// only. With `tracing-log` it takes over the `log` crate.
#[test]
fn no_feature_of_tracing_subscriber_that_changes_others() {
    for ours in [&[][..], &["full"]] {
        let features = features_of("tracing-subscriber", ours).unwrap();
        for changes in ["env-filter", "tracing-log", "ansi"] {
            assert!(
                !features.iter().any(|f| f == changes),
                "{ours:?}: {features:?}"
            );
        }
        assert_eq!(features_of("matchers", ours), None, "{ours:?}");
    }
    let asked = features_of("tracing-subscriber", &["env-filter"]).unwrap();
    assert!(asked.iter().any(|f| f == "env-filter"), "{asked:?}");
}
