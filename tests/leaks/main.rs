//! Secrets planted at random in every place of requests and responses are found
//! in no exchange and on no log line, in no encoding.
//!
//! 10,000 secrets, or 100,000 requests with `DASHCAM_LONG=1`, which is for release
//! builds. `DASHCAM_SEED` starts elsewhere; a failure names the seed of its case.
#![cfg(feature = "full")]

mod generate;
mod random;
mod service;

use dashcam::redact::{Policy, testing::Secrets};
use generate::{Case, MARK};
use random::Random;
use service::Stack;

/// Requests between two looks at what was written.
const BATCH: usize = 100;

fn seed() -> u64 {
    std::env::var("DASHCAM_SEED").map_or(1, |seed| seed.parse().unwrap())
}

/// How much is enough: so many secrets, or in the long form so many requests.
#[derive(Clone, Copy)]
enum Enough {
    Secrets(usize),
    Requests(usize),
}

fn share(percent: usize) -> Enough {
    if std::env::var_os("DASHCAM_LONG").is_some() {
        Enough::Requests(100_000 * percent / 100)
    } else {
        Enough::Secrets(10_000 * percent / 100)
    }
}

/// What every secret has at both ends, in every case.
fn marks() -> Secrets {
    let mut marks = Secrets::new();
    marks.add("a secret", MARK);
    marks.add("a number", generate::NUMBER);
    marks.add("a card number", generate::CARD);
    marks
}

/// Runs requests; the leaks, each with the seed of the case.
fn run(policy: Policy, lax: bool, enough: Enough) -> Vec<String> {
    let started = std::time::Instant::now();
    let stack = Stack::new(policy);
    let marks = marks();
    let (mut leaks, mut plants, mut requests) = (Vec::new(), 0, 0);
    loop {
        let seeds = (0..BATCH).map(|n| (seed() << 32) + (requests + n) as u64);
        let cases: Vec<_> = seeds
            .map(|seed| (seed, Case::new(&mut Random::new(seed), lax)))
            .collect();
        let written = stack.run(cases.iter().map(|(seed, case)| (*seed, case)));
        for (seed, case) in &cases {
            plants += case.plants;
            let (exchanges, lines) = written.of(*seed);
            assert_eq!(exchanges.len(), 1, "case {seed}: one exchange");
            assert!(!lines.is_empty(), "case {seed}: log lines");
            assert!(
                exchanges[0].contains("all is recorded"),
                "case {seed}: {}",
                exchanges[0]
            );
            for text in exchanges.iter().chain(&lines) {
                for leak in marks.leaks(text.as_bytes()) {
                    leaks.push(format!("case {seed}: {leak}\n    {}", case.describe()));
                }
            }
        }
        // What belongs to no request.
        for leak in marks.leaks(written.rest().as_bytes()) {
            leaks.push(format!("outside of a request: {leak}"));
        }
        requests += BATCH;
        let done = match enough {
            Enough::Secrets(n) => plants >= n,
            Enough::Requests(n) => requests >= n,
        };
        if done || leaks.len() > 20 {
            println!(
                "{requests} requests, {plants} secrets, {:.0?}",
                started.elapsed()
            );
            return leaks;
        }
    }
}

fn check(policy: Policy, lax: bool, enough: Enough) {
    let leaks = run(policy, lax, enough);
    assert!(
        leaks.is_empty(),
        "{} leaks:\n{}",
        leaks.len(),
        leaks.join("\n")
    );
}

#[test]
fn under_the_strict_policy() {
    check(Policy::strict(), false, share(60));
}

#[test]
fn under_the_policy_by_name() {
    check(Policy::by_name(), true, share(40));
}

/// The search is able to find: an opened policy, and one for the wrong data.
#[test]
fn what_a_policy_lets_through_is_found() {
    use dashcam::redact::Action;
    let few = Enough::Requests(BATCH);
    let kept = Policy::strict().header("x-customer", Action::Keep);
    assert!(!run(kept, false, few).is_empty(), "a header that is kept");
    let kept = Policy::strict().field("city", Action::Keep);
    assert!(!run(kept, false, few).is_empty(), "a field that is kept");
    let leaks = run(Policy::by_name(), false, few).len();
    assert!(leaks > 20, "{leaks} under a policy that is too open");
}
