//! The cost of this crate, as ratios to the named peers of the same run.
//!
//! `cargo bench --bench cost` measures every case in a process of its own: instructions
//! (callgrind) and allocations (memcheck) as the difference between two run lengths, so that
//! start-up cancels out, and the least time of many rounds. `cargo bench --bench cost -- NAME…`
//! measures only cases whose names contain one of the words. Without valgrind it prints only
//! times.

mod bodies;
mod configuration;
mod events;
mod exchanges;
mod hostile;
mod lines;
mod redaction;
mod replay;
mod report;
mod requests;
mod rules;
mod setup;
mod spans;
mod stacks;
mod tokens;

use std::{
    process::{Command, Stdio},
    time::Instant,
};

/// One case: it sets up, then runs `n` times.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) run: fn(&mut dyn FnMut(&mut dyn FnMut())),
}

fn cases() -> Vec<Case> {
    let mut all = Vec::new();
    all.extend(events::cases());
    all.extend(spans::cases());
    all.extend(lines::cases());
    all.extend(requests::cases());
    all.extend(configuration::cases());
    all.extend(stacks::cases());
    all.extend(bodies::cases());
    all.extend(redaction::cases());
    all.extend(exchanges::cases());
    all.extend(replay::cases());
    all.extend(rules::cases());
    all.extend(tokens::cases());
    all
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if let [flag, name, n] = args.as_slice()
        && flag == "--run"
    {
        return run(name, n.parse().expect("a number"));
    }
    let measuring = args.iter().any(|arg| arg == "--bench");
    let words: Vec<&String> = args.iter().filter(|arg| !arg.starts_with("--")).collect();
    let wanted = |name: &str| words.is_empty() || words.iter().any(|w| name.contains(w.as_str()));
    if !measuring {
        // `cargo test --bench cost` only checks that every case runs.
        for case in cases() {
            let times = if case.name.starts_with("redaction/exchange") {
                "1"
            } else {
                "3"
            };
            child(&["--run", case.name, times], None).expect(case.name);
        }
        println!("{} cases ran", cases().len());
        return;
    }
    let valgrind = Command::new("valgrind")
        .arg("--version")
        .stdout(Stdio::null())
        .status()
        .is_ok();
    let mut results = Vec::new();
    for case in cases().iter().filter(|case| wanted(case.name)) {
        let result = measure(case.name, valgrind);
        println!("{}", report::row(&result));
        results.push(result);
    }
    report::ratios(&results);
}

/// The figures of one operation of a case.
pub(crate) struct Figures {
    pub(crate) name: &'static str,
    pub(crate) instructions: Option<f64>,
    pub(crate) allocations: Option<f64>,
    pub(crate) nanoseconds: f64,
}

fn measure(name: &'static str, valgrind: bool) -> Figures {
    // Short operations run often, so that the start of threads does not show.
    let starts = |with: &[&str]| with.iter().any(|start| name.starts_with(start));
    let (few, many) = if starts(&["event/rec", "event/static", "span/debug, "]) {
        (1_000, 41_000)
    } else if starts(&["configuration/"]) {
        (4, 24)
    } else if starts(&["redaction/exchange"]) {
        (2, 8)
    } else {
        (200, 2_200)
    };
    let per_op = |read: &dyn Fn(u32) -> Option<f64>| {
        Some((read(many)? - read(few)?) / f64::from(many - few))
    };
    let instructions = |n: u32| {
        let out = child(
            &["--run", name, &n.to_string()],
            Some(&["--tool=callgrind", "--callgrind-out-file=/dev/null"]),
        )?;
        number_after(&out, "Collected : ")
    };
    let allocations = |n: u32| {
        let out = child(
            &["--run", name, &n.to_string()],
            Some(&["--tool=memcheck", "--undef-value-errors=no"]),
        )?;
        number_after(&out, "total heap usage: ")
    };
    let nanoseconds = (0..5)
        .filter_map(|_| child(&["--run", name, "0"], None)?.trim().parse().ok())
        .fold(f64::INFINITY, f64::min);
    Figures {
        name,
        instructions: valgrind.then(|| per_op(&instructions)).flatten(),
        allocations: valgrind.then(|| per_op(&allocations)).flatten(),
        nanoseconds,
    }
}

fn number_after(text: &str, label: &str) -> Option<f64> {
    let rest = text.split(label).nth(1)?;
    let digits: String = rest
        .chars()
        .take_while(|c| c.is_ascii_digit() || *c == ',')
        .filter(char::is_ascii_digit)
        .collect();
    digits.parse().ok()
}

fn child(args: &[&str], valgrind: Option<&[&str]>) -> Option<String> {
    let exe = std::env::current_exe().ok()?;
    let mut command = match valgrind {
        None => Command::new(exe),
        Some(options) => {
            let mut command = Command::new("valgrind");
            command.args(options).arg(exe);
            command
        }
    };
    let out = command.args(args).env_remove("RUST_LOG").output().ok()?;
    if !out.status.success() {
        eprintln!("{}", String::from_utf8_lossy(&out.stderr));
        return None;
    }
    let mut text = String::from_utf8_lossy(&out.stdout).into_owned();
    text.push_str(&String::from_utf8_lossy(&out.stderr));
    Some(text)
}

/// Runs a case `n` times. If `n` is zero, it prints the least time of one operation over many
/// rounds.
fn run(name: &str, n: u32) {
    let all = cases();
    let case = all.iter().find(|c| c.name == name).expect("a case");
    (case.run)(&mut |op| {
        if n > 0 {
            (0..n).for_each(|_| op());
            return;
        }
        let start = Instant::now();
        (0..20).for_each(|_| op());
        let once = (start.elapsed().as_nanos() / 20).max(1);
        let batch = (2_000_000 / once).clamp(1, 100_000) as u32;
        // For long operations a few rounds suffice.
        let rounds = (1_000_000_000 / once / u128::from(batch)).clamp(10, 100);
        let mut least = f64::INFINITY;
        for _ in 0..rounds {
            let start = Instant::now();
            (0..batch).for_each(|_| op());
            least = least.min(start.elapsed().as_nanos() as f64 / f64::from(batch));
        }
        println!("{least}");
    });
}
