//! Values said in composed ways, up to three on top of each other, in all places of requests and
//! of the calls that they make.

mod found;
mod letters;
mod live;
mod plant;
mod saying;
mod tagged;
mod values;
mod ways;

pub(crate) use saying::{Saying, Step, failure, say, state};

use crate::leaks::{BATCH, ROUND, case::Case, number, random::Random, seed_of, service::Stack};
use dashcam::redact::Policy;
use found::{leaves, plain};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Instant,
};

/// The most bytes of a body that are captured.
const BODY: usize = 64 * 1024;

/// Of a thousand stacks of ways, this many may stay readable.
const MISSED: usize = 3;

/// How many leaks are printed.
const PRINTED: usize = 150;

#[derive(Clone, Copy, Default)]
struct Count {
    said: usize,
    found: usize,
}

#[derive(Default)]
struct Tally {
    requests: usize,
    single: Count,
    stacks: Count,
    /// The statement of the threat model about it.
    excused: BTreeMap<&'static str, Count>,
    by_way: BTreeMap<&'static str, Count>,
    by_place: BTreeMap<String, Count>,
    by_plant: BTreeMap<&'static str, Count>,
    by_output: BTreeMap<&'static str, Count>,
    /// What was said and is in no output, whether hidden or not.
    unseen: usize,
    leaks: Vec<String>,
    /// The first of each output and name.
    elsewhere: BTreeMap<(&'static str, String), String>,
}

/// Where a saying was found, and the most of it that was readable.
#[derive(Default)]
struct Seen {
    outputs: BTreeSet<&'static str>,
    leaking: BTreeSet<&'static str>,
    readable: usize,
}

impl Tally {
    fn batch(&mut self, cases: &[(u64, Case)], outputs: Vec<(&'static str, String)>) {
        let by_seed: BTreeMap<u64, &Case> =
            cases.iter().map(|(seed, case)| (*seed, case)).collect();
        let mut seen: BTreeMap<(u64, usize), Seen> = BTreeMap::new();
        for (output, text) in outputs {
            let Some((seed, case)) = seed_of(&text).and_then(|s| Some((s, by_seed.get(&s)?)))
            else {
                continue;
            };
            let mut leaves = leaves(&text);
            for (n, saying) in case.plan.sayings.iter().enumerate() {
                let Some(readable) = saying.readable(&leaves) else {
                    continue;
                };
                let seen = seen.entry((seed, n)).or_default();
                seen.outputs.insert(output);
                if saying.is_leak(readable) {
                    seen.leaking.insert(output);
                }
                seen.readable = seen.readable.max(readable);
            }
            // And nothing of it is where it was not said. Some texts are only parts of a JSON
            // text.
            leaves.retain(|(key, text)| {
                !key.starts_with("said")
                    && key != "server"
                    && !["said so ", "\"said", "\"server"]
                        .iter()
                        .any(|s| text.contains(s))
            });
            for (key, text) in &leaves {
                let folded = plain(text);
                let parts = &case.plan.telling;
                if let Some(part) = parts.iter().find(|part| folded.contains(*part)) {
                    let around: String = text.chars().take(200).collect();
                    let place = (output, key.clone());
                    self.elsewhere.entry(place).or_insert_with(|| {
                        format!("case {seed}, {output}, {key}: {part} in {around:?}")
                    });
                }
            }
        }
        for (seed, case) in cases {
            self.requests += 1;
            for (n, saying) in case.plan.sayings.iter().enumerate() {
                let seen = seen.remove(&(*seed, n)).unwrap_or_default();
                self.judge(*seed, saying, &seen);
            }
        }
    }

    fn judge(&mut self, seed: u64, saying: &Saying, seen: &Seen) {
        let leaked = !seen.leaking.is_empty();
        self.unseen += usize::from(seen.outputs.is_empty());
        let add = |count: &mut Count| {
            count.said += 1;
            count.found += usize::from(leaked);
        };
        let excuse = saying.excuse.or(saying
            .is_piece(seen.readable)
            .then_some("a piece below ten symbols"));
        if let Some(excuse) = excuse {
            add(self.excused.entry(excuse).or_default());
            return;
        }
        add(match saying.ways.as_slice() {
            [_] => &mut self.single,
            _ => &mut self.stacks,
        });
        for way in saying.ways.iter().collect::<BTreeSet<_>>() {
            add(self.by_way.entry(way).or_default());
        }
        add(self
            .by_place
            .entry(format!("{:?}", saying.place))
            .or_default());
        add(self.by_plant.entry(saying.planted).or_default());
        for output in &seen.outputs {
            let count = self.by_output.entry(output).or_default();
            count.said += 1;
            count.found += usize::from(seen.leaking.contains(output));
        }
        if leaked && self.leaks.len() < PRINTED {
            let text: String = saying.describe().chars().take(600).collect();
            let (readable, outputs) = (seen.readable, &seen.leaking);
            self.leaks.push(format!(
                "case {seed}, {readable} readable in {outputs:?}: {text}"
            ));
        }
    }

    fn print(&self, started: Instant) {
        println!(
            "composed: {} requests in {:.0?}, {} said in one way, {} in stacks, {} came out nowhere",
            self.requests,
            started.elapsed(),
            self.single.said,
            self.stacks.said,
            self.unseen,
        );
        let table = |title: &str, rows: Vec<(&str, Count)>| {
            println!("  {title:<44} {:>8} {:>8}", "said", "found");
            for (name, count) in rows {
                println!("  {name:<44} {:>8} {:>8}", count.said, count.found);
            }
        };
        fn rows<K: AsRef<str>>(map: &BTreeMap<K, Count>) -> Vec<(&str, Count)> {
            map.iter()
                .map(|(name, count)| (name.as_ref(), *count))
                .collect()
        }
        let all = vec![("in one way", self.single), ("in stacks", self.stacks)];
        table("all that can be found", all);
        table("ways", rows(&self.by_way));
        table("said in", rows(&self.by_place));
        table("planted in", rows(&self.by_plant));
        table("outputs", rows(&self.by_output));
        table("what cannot be found", rows(&self.excused));
        for leak in self.leaks.iter().chain(self.elsewhere.values()) {
            println!("{leak}");
        }
    }

    fn check(&self) {
        // A value that is in no output proves nothing.
        let said = self.single.said + self.stacks.said;
        assert!(
            self.unseen * 100 <= said,
            "{} of {said} came out nowhere",
            self.unseen
        );
        for output in ["exchange", "log", "file", "replay", "span"] {
            assert!(
                self.by_output.contains_key(output),
                "nothing was said in {output}"
            );
        }
        // Each was printed.
        assert_eq!(self.elsewhere.len(), 0, "where it was not said");
        assert_eq!(self.single.found, 0, "said in one way");
        assert!(
            self.stacks.found * 1000 <= self.stacks.said * MISSED,
            "{} of {} stacks",
            self.stacks.found,
            self.stacks.said,
        );
    }
}

/// As many requests as `DASHCAM_CASES` says, or 300.
fn cases() -> usize {
    match number("DASHCAM_CASES") {
        Some(cases) => cases as usize,
        None if std::env::var_os("DASHCAM_LONG").is_some() => 200_000,
        None => 300,
    }
}

/// The first seed, far from those of the other cases.
fn first() -> u64 {
    (number("DASHCAM_SEED").unwrap_or(1) << 32) + (1 << 31)
}

fn run(policy: &Policy, count: usize) -> Tally {
    let mut tally = Tally::default();
    for round in (0..count).step_by(ROUND) {
        let stack = Stack::new(policy.clone(), round / ROUND % 2 == 1, BODY);
        let end = (round + ROUND).min(count);
        let mut of_files: Vec<(u64, Case)> = Vec::new();
        for batch in (round..end).step_by(BATCH) {
            let made = (batch..(batch + BATCH).min(end)).map(|n| {
                let seed = first() + n as u64;
                (seed, plant::case(&mut Random::new(seed)))
            });
            let cases: Vec<_> = made.collect();
            stack.run(cases.iter().map(|(seed, case)| (*seed, case)));
            let outputs = stack.outputs().take();
            for (output, text) in &outputs {
                let parts = || cases.iter().flat_map(|(_, case)| &case.plan.telling);
                if matches!(*output, "metrics" | "status") {
                    let folded = plain(text);
                    assert_eq!(
                        parts().find(|part| folded.contains(*part)),
                        None,
                        "{output}"
                    );
                }
            }
            tally.batch(&cases, outputs);
            if batch == round {
                of_files = cases;
            }
        }
        // Files have the lines of exchanges, which were all checked.
        let known: BTreeMap<u64, usize> = of_files
            .iter()
            .enumerate()
            .map(|(n, (seed, _))| (*seed, n))
            .collect();
        let mut lines = Vec::new();
        stack.end().lines(|line| {
            if seed_of(line).is_some_and(|seed| known.contains_key(&seed)) {
                lines.push(("file", line.to_owned()));
            }
        });
        let mut files = Tally::default();
        files.batch(&of_files, lines);
        tally.elsewhere.append(&mut files.elsewhere);
        for (output, count) in files.by_output {
            let all = tally.by_output.entry(output).or_default();
            all.said += count.said;
            all.found += count.found;
        }
    }
    tally
}

/// The standard error output, and the switch that makes a child process write there.
#[test]
fn nothing_of_it_is_on_standard_error() {
    const ALONE: &str = "DASHCAM_LEAKS_ALONE";
    const COUNT: usize = 200;
    if std::env::var_os(ALONE).is_some() {
        run(&Policy::strict(), COUNT);
        return;
    }
    let name = format!(
        "{}::nothing_of_it_is_on_standard_error",
        module_path!().split_once("::").unwrap().1
    );
    let child = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", &name, "--nocapture"])
        .env(ALONE, "1")
        .output()
        .unwrap();
    assert!(child.status.success(), "{child:?}");
    let out = plain(&String::from_utf8_lossy(
        &[child.stdout, child.stderr].concat(),
    ));
    // It ran, and its output arrived.
    assert!(out.contains(&found::fold(&name)), "{out}");
    for n in 0..COUNT as u64 {
        let seed = first() + n;
        let case = plant::case(&mut Random::new(seed));
        let part = case.plan.telling.iter().find(|part| out.contains(*part));
        assert_eq!(part, None, "case {seed}: {out}");
    }
}

#[test]
fn said_in_composed_ways() {
    let started = Instant::now();
    let tally = run(&Policy::strict(), cases());
    tally.print(started);
    tally.check();
}
