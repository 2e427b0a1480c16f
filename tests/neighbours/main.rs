//! What works if dashcam is outside or inside another layer, and where it is added to an axum
//! application. One test for each row of `docs/neighbours.md`.

mod authentication;
mod places;
mod sentry;
mod sessions;
#[path = "../support_net/mod.rs"]
mod support_net;
mod tower_http;
mod world;

const DOCUMENT: &str = include_str!("../../docs/neighbours.md");

const TESTS: &[&str] = &[
    include_str!("authentication.rs"),
    include_str!("places.rs"),
    include_str!("sentry.rs"),
    include_str!("sessions.rs"),
    include_str!("tower_http.rs"),
    include_str!("../process/neighbours_opentelemetry.rs"),
    include_str!("../calls/grpc/mod.rs"),
    include_str!("../calls/protocols.rs"),
    include_str!("../calls/calls.rs"),
];

/// The names of tests in a text. They are long.
fn names(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| c != '_' && !c.is_ascii_alphanumeric())
        .filter(|word| word.matches('_').count() >= 3)
}

#[test]
fn every_row_names_tests_that_there_are() {
    let rows = DOCUMENT.lines().filter(|line| line.starts_with("| "));
    let rows: Vec<_> = rows.filter(|row| !row.ends_with("| tests |")).collect();
    assert!(rows.len() > 30, "{rows:#?}");
    for row in rows {
        let tests = row.trim_end_matches(" |").rsplit("| ").next().unwrap();
        assert!(names(tests).next().is_some(), "no test: {row}");
        for name in names(tests) {
            let function = format!("fn {name}(");
            assert!(
                TESTS.iter().any(|file| file.contains(&function)),
                "{name}: {row}"
            );
        }
    }
}

#[test]
fn every_test_stands_in_a_row() {
    for file in &TESTS[..6] {
        let (_, tests) = file
            .split_once("#[tokio::test]")
            .or_else(|| file.split_once("#[test]"))
            .unwrap();
        for test in tests.split("fn ").skip(1) {
            let name = test.split('(').next().unwrap();
            if names(name).next().is_some() {
                assert!(DOCUMENT.contains(name), "{name}");
            }
        }
    }
}
