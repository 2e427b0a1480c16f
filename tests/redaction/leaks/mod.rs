//! Secrets are planted at random in every place of requests, responses and calls. No output has
//! them, in any encoding.
//!
//! 500 requests, or half as many as `DASHCAM_CASES`: `.ci/checks/leaks` sends 10,000 through an
//! optimised build. 100,000 with `DASHCAM_LONG=1`, which is for release builds. `DASHCAM_SEED`
//! starts elsewhere, and a failure names the seed of its case. In addition those of [`composed`],
//! which test how values are said: 300, `DASHCAM_CASES`, or 200,000.

mod bodies;
mod case;
mod composed;
mod encode;
mod heads;
mod make;
mod names;
mod outputs;
pub(crate) mod random;
mod say;
mod search;
mod service;
mod target;
mod telemetry;

use case::Case;
use dashcam::redact::{Policy, testing::Secrets};
use random::Random;
use search::Search;
use service::Stack;
use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    time::Instant,
};

/// Requests between two checks of the output.
const BATCH: usize = 100;

/// Requests of one stack, after which its files are searched.
const ROUND: usize = 5_000;

/// The kit for users also searches one case in this many.
const KIT: usize = 20;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|n| n.parse().unwrap())
}

/// How many cases, for a policy's share of them.
fn share(percent: usize) -> usize {
    let all = match number("DASHCAM_CASES") {
        Some(cases) => cases as usize / 2,
        None if std::env::var_os("DASHCAM_LONG").is_some() => 100_000,
        None => 500,
    };
    (all * percent / 100).next_multiple_of(BATCH)
}

#[derive(Default)]
struct Tally {
    requests: usize,
    secrets: usize,
    /// Exchanges with more hidden values than the search can handle, which have no text.
    unreadable: usize,
    kinds: BTreeMap<&'static str, usize>,
    /// Pieces and bytes by output.
    outputs: BTreeMap<&'static str, (usize, usize)>,
    leaks: Vec<String>,
}

struct Run {
    search: Search,
    kit: Secrets,
    tally: Tally,
    leaking: BTreeSet<Option<u64>>,
    seen: HashSet<u64>,
}

impl Run {
    fn new() -> Self {
        let mut kit = Secrets::new();
        kit.add("a secret", make::MARK);
        Self {
            search: Search::new(),
            kit,
            tally: Tally::default(),
            leaking: BTreeSet::new(),
            seen: HashSet::new(),
        }
    }

    fn look(&mut self, output: &'static str, text: &str, describe: impl FnOnce() -> String) {
        let entry = self.tally.outputs.entry(output).or_default();
        entry.0 += 1;
        entry.1 += text.len();
        // Files have the lines of exchanges.
        if !self.seen.insert(search::hash(text.as_bytes())) {
            return;
        }
        let mut found = self.search.find(text.as_bytes());
        if found.is_none() && entry.0.is_multiple_of(KIT) {
            found = self
                .kit
                .leaks(text.as_bytes())
                .first()
                .map(ToString::to_string);
        }
        // One for each case suffices to see what it is.
        if let Some(found) = found
            && self.leaking.insert(seed_of(text))
        {
            self.tally
                .leaks
                .push(format!("{output}: {found}\n    {}", describe()));
        }
    }

    /// The requests of one stack, from a seed on.
    fn round(&mut self, policy: Policy, lax: bool, from: usize, count: usize) {
        let stack = Stack::new(policy, from / ROUND % 2 == 1, service::BODY);
        let seed = |n: usize| (number("DASHCAM_SEED").unwrap_or(1) << 32) + n as u64;
        let describe = |text: &str| match seed_of(text) {
            Some(seed) => {
                let case = Case::new(&mut Random::new(seed), lax);
                format!("case {seed}: {}", case.describe())
            }
            None => "of no request".to_owned(),
        };
        for batch in (from..from + count).step_by(BATCH) {
            let cases: Vec<_> = (batch..(batch + BATCH).min(from + count))
                .map(|n| (seed(n), Case::new(&mut Random::new(seed(n)), lax)))
                .collect();
            stack.run(cases.iter().map(|(seed, case)| (*seed, case)));
            let mut expected: BTreeMap<u64, usize> = BTreeMap::new();
            for (seed, case) in &cases {
                self.tally.secrets += case.plants;
                for kind in &case.kinds {
                    *self.tally.kinds.entry(kind).or_default() += 1;
                }
                expected.insert(*seed, 1 + usize::from(case.plan.call.is_some()));
            }
            self.tally.requests += cases.len();
            for (output, text) in stack.outputs().take() {
                if output == "exchange" {
                    let seed = seed_of(&text).unwrap();
                    *expected.get_mut(&seed).unwrap() -= 1;
                    let client = text.contains("\"direction\":\"client\"");
                    let readable = client || text.contains("all is recorded");
                    self.tally.unreadable += usize::from(!readable);
                }
                self.look(output, &text, || describe(&text));
            }
            let missing: Vec<_> = expected.iter().filter(|(_, n)| **n > 0).collect();
            assert!(missing.is_empty(), "exchanges of {missing:?}");
            if self.tally.leaks.len() > 20 {
                return;
            }
        }
        let status = stack.status();
        self.look("status", &status, String::new);
        let mut lines = 0;
        let scratch = stack.end();
        let (files, compressed) = scratch.lines(|line| {
            lines += 1;
            self.look("file", line, || describe(line));
        });
        assert!(lines >= count, "{lines} lines in {files} files");
        assert!(count < ROUND || compressed > 0, "{files} files");
    }
}

/// The case that wrote it.
fn seed_of(text: &str) -> Option<u64> {
    let (_, id) = text.split_once("case-")?;
    let end = id.find(|c: char| !c.is_ascii_digit()).unwrap_or(id.len());
    id[..end].parse().ok()
}

/// Runs requests and searches the output.
fn run(policy: &Policy, lax: bool, cases: usize) -> Tally {
    let started = Instant::now();
    let mut run = Run::new();
    let mut done = 0;
    while done < cases && run.tally.leaks.len() <= 20 {
        let count = ROUND.min(cases - done);
        run.round(policy.clone(), lax, done, count);
        done += count;
    }
    let tally = run.tally;
    let bytes: usize = tally.outputs.values().map(|(_, bytes)| bytes).sum();
    println!(
        "{}: {} requests, {} secrets, {} MB looked through in {:.0?}, {} leaks, {} without text\n    {:?}\n    {:?}",
        policy.name(),
        tally.requests,
        tally.secrets,
        bytes / 1_000_000,
        started.elapsed(),
        tally.leaks.len(),
        tally.unreadable,
        tally.outputs,
        tally.kinds,
    );
    tally
}

fn check(policy: &Policy, lax: bool, cases: usize) {
    let tally = run(policy, lax, cases);
    assert!(
        tally.leaks.is_empty(),
        "{} leaks:\n{}",
        tally.leaks.len(),
        tally.leaks.join("\n")
    );
    assert!(
        tally.unreadable * 100 < tally.requests,
        "{}",
        tally.unreadable
    );
    for output in [
        "exchange", "har", "curl", "log", "replay", "span", "metrics", "admin", "status", "file",
    ] {
        assert!(tally.outputs.contains_key(output), "nothing in {output}");
    }
}

#[test]
fn under_the_strict_policy() {
    check(&Policy::strict(), false, share(60));
}

#[test]
fn under_the_policy_by_name() {
    check(&Policy::by_name(), true, share(40));
}

/// The search can find secrets: with an open policy, and with one for the wrong data.
#[test]
fn what_a_policy_lets_through_is_found() {
    use dashcam::redact::Action;
    let names = [
        "x-customer",
        "x-note",
        "from",
        "forwarded",
        "x-user",
        "prefer",
    ];
    let kept = names.into_iter().fold(Policy::strict(), |policy, name| {
        policy.header(name, Action::Keep)
    });
    let leaks = run(&kept, false, 3 * BATCH).leaks;
    assert!(!leaks.is_empty(), "headers that are kept");
    let names = ["city", "comment", "title", "street", "value", "nick"];
    let kept = names.into_iter().fold(Policy::strict(), |policy, name| {
        policy.field(name, Action::Keep)
    });
    let leaks = run(&kept, false, 3 * BATCH).leaks;
    assert!(!leaks.is_empty(), "fields that are kept");
    let leaks = run(&Policy::by_name(), false, BATCH).leaks.len();
    assert!(leaks > 20, "{leaks} under a policy that is too open");
}
