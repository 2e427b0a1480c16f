use crate::{Figures, configuration::CALLSITES};

pub(crate) fn row(figures: &Figures) -> String {
    let number = |value: Option<f64>| value.map_or("-".to_owned(), |v| format!("{v:.1}"));
    format!(
        "{:<56} {:>12} Ir {:>8} allocs {:>10.1} ns",
        figures.name,
        number(figures.instructions),
        number(figures.allocations),
        figures.nanoseconds
    )
}

/// A comparison of cases with a bar.
enum Bar {
    /// `a / b` at most this.
    Ratio(&'static str, &'static str, f64),
    /// `a - b` at most this, in instructions.
    Over(&'static str, &'static str, f64),
    /// `((a - b) - (c - d)) / n` at most this, in instructions.
    Between([&'static str; 2], [&'static str; 2], f64, f64),
    /// `(a - b) / (c - d)` at most this: the ratio of two added costs.
    Added([&'static str; 2], [&'static str; 2], f64),
    /// `(a - b) / n` at most this, in instructions.
    Each(&'static str, &'static str, usize, f64),
    /// The cost of 20 events that is not per event: `2 * a - b - c` with 20, 40 and no events, at
    /// most this, in instructions.
    Beside(&'static str, &'static str, &'static str, f64),
    /// `a - b` at most this, in allocations.
    Allocations(&'static str, &'static str, f64),
    /// `a - b` at most this, in nanoseconds.
    Faster(&'static str, &'static str, f64),
    /// `a` at most this, in milliseconds.
    Within(&'static str, f64),
    /// `a` at most this, in instructions.
    Most(&'static str, f64),
}

const BARS: &[Bar] = &[
    Bar::Ratio(
        "redaction/catalogue, by name",
        "redaction/catalogue, parsed",
        1.0,
    ),
    Bar::Ratio(
        "redaction/catalogue, strict",
        "redaction/catalogue, parsed",
        1.0,
    ),
    Bar::Ratio("redaction/feed, by name", "redaction/feed, parsed", 1.0),
    Bar::Ratio("redaction/small, by name", "redaction/small, parsed", 1.0),
    Bar::Within("redaction/exchange, ordinary, 64 KiB", 25.0),
    Bar::Within("redaction/exchange, prefixes, 64 KiB", 25.0),
    Bar::Within("redaction/exchange, symbols, 64 KiB", 25.0),
    Bar::Within("redaction/exchange, escapes, 64 KiB", 25.0),
    Bar::Within("redaction/exchange, nested base64, 64 KiB", 25.0),
    Bar::Within("redaction/exchange, one letter, 64 KiB", 25.0),
    Bar::Within("redaction/exchange, ideographs, 64 KiB", 25.0),
    Bar::Within("redaction/exchange, digits, 64 KiB", 25.0),
    // Twice as much of everything is twice the work.
    Bar::Ratio(
        "redaction/exchange, ordinary, 64 KiB",
        "redaction/exchange, ordinary, 32 KiB",
        2.2,
    ),
    Bar::Ratio(
        "redaction/exchange, prefixes, 64 KiB",
        "redaction/exchange, prefixes, 32 KiB",
        2.2,
    ),
    Bar::Over(
        "line/ours, 2 fields in a request",
        "line/none in a request",
        12_000.0,
    ),
    Bar::Over(
        "line/ours, 2 fields of the body in a request",
        "line/none in a request",
        12_000.0,
    ),
    Bar::Ratio(
        "line/ours, 2 fields in a request",
        "line/tower-http and fmt json, 2 fields in a request",
        1.0,
    ),
    Bar::Ratio(
        "line/ours, 2 fields in a request",
        "line/tower-http and json-subscriber, 2 fields in a request",
        1.0,
    ),
    Bar::Allocations("rules/100 mixed, none selects", "rules/none", 0.0),
    Bar::Faster("rules/100 mixed, none selects", "rules/none", 2000.0),
    Bar::Over("event/recording off", "event/static off", 1.0),
    Bar::Most("event/recording on, outside", 65.0),
    Bar::Most("event/recording on, outside, 3 layers", 65.0),
    Bar::Most("event/recording on, excluded target", 65.0),
    Bar::Ratio(
        "event/recording on, outside",
        "event/EnvFilter with a span-field directive",
        0.5,
    ),
    Bar::Ratio("event/info, gate", "event/info, no gate", 1.02),
    Bar::Most("event/recorded, 3 fields", 1600.0),
    Bar::Ratio("event/recorded, 3 fields", "event/fmt json, 3 fields", 0.12),
    Bar::Most("event/recorded, 6 fields", 2400.0),
    Bar::Ratio("event/recorded, 6 fields", "event/fmt json, 6 fields", 0.12),
    Bar::Ratio("span/debug, outside of a request", "span/debug, fmt", 0.1),
    Bar::Ratio("span/debug, in a recording request", "span/debug, fmt", 0.1),
    Bar::Beside(
        "request/recorded, 20 events",
        "request/recorded, 40 events",
        "request/nothing recorded, no event",
        100.0,
    ),
    Bar::Ratio(
        "request/whole stack, 40 debug events recorded and dropped",
        "request/no layer, 40 debug events through fmt json",
        0.2,
    ),
    Bar::Each(
        "configuration/10,000 callsites, gate, base info",
        "configuration/10,000 callsites, fmt alone",
        CALLSITES,
        15.0,
    ),
    Bar::Each(
        "configuration/10,000 callsites, gate, base with targets",
        "configuration/10,000 callsites, fmt alone",
        CALLSITES,
        15.0,
    ),
    Bar::Ratio(
        "line/ours in a 3-field span",
        "line/fmt json in a 3-field span",
        0.12,
    ),
    Bar::Added(
        [
            "replay/kept with 40 events, replayed",
            "replay/kept with 40 events",
        ],
        ["replay/live, 40 events", "replay/live, no events"],
        1.15,
    ),
    Bar::Over("get/correlation ID", "get/pass-through", 2600.0),
    Bar::Allocations("get/correlation ID", "get/pass-through", 4.0),
    Bar::Ratio(
        "get/whole stack, recording, one JSON line",
        "get/tower-http ids, trace, one fmt JSON line",
        0.33,
    ),
    Bar::Allocations(
        "get/whole stack, recording, one JSON line",
        "get/pass-through",
        8.0,
    ),
    Bar::Added(
        [
            "get/whole stack, recording, one JSON line",
            "get/pass-through",
        ],
        [
            "get/tower-http ids, trace, one fmt JSON line",
            "get/pass-through",
        ],
        0.33,
    ),
    Bar::Added(
        [
            "get/whole stack, recording, one JSON line",
            "get/pass-through",
        ],
        [
            "get/tower-http ids, trace, one json-subscriber line",
            "get/pass-through",
        ],
        0.35,
    ),
    Bar::Added(
        [
            "get/whole stack, recording, fmt JSON kept",
            "get/pass-through",
        ],
        [
            "get/tower-http ids, trace, one fmt JSON line",
            "get/pass-through",
        ],
        1.0,
    ),
    Bar::Over(
        "get/whole stack, recording, one JSON line",
        "get/pass-through",
        8_500.0,
    ),
    Bar::Added(
        ["post/captured, not kept", "post/pass-through"],
        ["post/both bodies buffered and printed", "post/pass-through"],
        0.35,
    ),
    Bar::Added(
        ["post/captured, not kept", "post/pass-through"],
        ["post/both bodies buffered", "post/pass-through"],
        0.35,
    ),
    Bar::Between(
        ["body/captured, 1 chunk", "body/captured, empty"],
        ["body/context only, 1 chunk", "body/context only, empty"],
        1.0,
        60.0,
    ),
    Bar::Between(
        ["body/captured, 101 chunks", "body/captured, 1 chunk"],
        [
            "body/context only, 101 chunks",
            "body/context only, 1 chunk",
        ],
        100.0,
        200.0,
    ),
    Bar::Ratio(
        "body/captured, 1 MiB in 16 KiB chunks",
        "body/bare, 1 MiB in 16 KiB chunks",
        1.03,
    ),
];

pub(crate) fn ratios(results: &[Figures]) {
    let find = |name: &str| results.iter().find(|figures| figures.name == name);
    let instructions = |name: &str| find(name)?.instructions;
    let allocations = |name: &str| find(name)?.allocations;
    println!();
    for bar in BARS {
        let (label, value, most) = match *bar {
            Bar::Ratio(a, b, most) => (
                format!("{a} / {b}"),
                instructions(a).zip(instructions(b)).map(|(a, b)| a / b),
                most,
            ),
            Bar::Over(a, b, most) => (
                format!("{a} - {b}, Ir"),
                instructions(a).zip(instructions(b)).map(|(a, b)| a - b),
                most,
            ),
            Bar::Between([a, b], [c, d], n, most) => {
                let difference = |a, b| Some(instructions(a)? - instructions(b)?);
                (
                    format!("({a} - {b}) over ({c} - {d}), each, Ir"),
                    difference(a, b)
                        .zip(difference(c, d))
                        .map(|(x, y)| (x - y) / n),
                    most,
                )
            }
            Bar::Added([a, b], [c, d], most) => {
                let difference = |a, b| Some(instructions(a)? - instructions(b)?);
                (
                    format!("({a} - {b}) / ({c} - {d})"),
                    difference(a, b).zip(difference(c, d)).map(|(a, b)| a / b),
                    most,
                )
            }
            Bar::Each(a, b, n, most) => (
                format!("({a} - {b}) / {n}, Ir"),
                instructions(a)
                    .zip(instructions(b))
                    .map(|(a, b)| (a - b) / n as f64),
                most,
            ),
            Bar::Beside(twenty, forty, none, most) => (
                format!("2 * {twenty} - {forty} - {none}, Ir"),
                instructions(twenty)
                    .zip(instructions(forty))
                    .zip(instructions(none))
                    .map(|((twenty, forty), none)| 2.0 * twenty - forty - none),
                most,
            ),
            Bar::Allocations(a, b, most) => (
                format!("{a} - {b}, allocations"),
                allocations(a).zip(allocations(b)).map(|(a, b)| a - b),
                most,
            ),
            Bar::Faster(a, b, most) => {
                let nanoseconds = |name: &str| Some(find(name)?.nanoseconds);
                (
                    format!("{a} - {b}, ns"),
                    nanoseconds(a).zip(nanoseconds(b)).map(|(a, b)| a - b),
                    most,
                )
            }
            Bar::Within(a, most) => {
                let milliseconds = find(a).map(|figures| figures.nanoseconds / 1e6);
                (format!("{a}, ms"), milliseconds, most)
            }
            Bar::Most(a, most) => (format!("{a}, Ir"), instructions(a), most),
        };
        let Some(value) = value else { continue };
        let verdict = if value <= most { "met" } else { "MISSED" };
        println!("{verdict:<7} {value:>9.3} (bar {most}) {label}");
    }
}
