use crate::Figures;

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

/// What is compared with what.
enum Bar {
    /// `a / b` at most this.
    Ratio(&'static str, &'static str, f64),
    /// `a - b` at most this, in instructions.
    Over(&'static str, &'static str, f64),
    /// `((a - b) - (c - d)) / n` at most this, in instructions.
    Between([&'static str; 2], [&'static str; 2], f64, f64),
    /// `(a - c) / (b - c)` at most this: the ratio of what two add to a third.
    Added(&'static str, &'static str, &'static str, f64),
    /// `a - b` at most this, in allocations.
    Allocations(&'static str, &'static str, f64),
    /// `a` at most this, in instructions.
    Most(&'static str, f64),
}

const BARS: &[Bar] = &[
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
    Bar::Ratio(
        "line/ours in a 3-field span",
        "line/fmt json in a 3-field span",
        0.12,
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
        "get/whole stack, recording, one JSON line",
        "get/tower-http ids, trace, one fmt JSON line",
        "get/pass-through",
        0.33,
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
            Bar::Added(a, b, base, most) => {
                let over = |a| Some(instructions(a)? - instructions(base)?);
                (
                    format!("{a} / {b}, each over {base}"),
                    over(a).zip(over(b)).map(|(a, b)| a / b),
                    most,
                )
            }
            Bar::Allocations(a, b, most) => (
                format!("{a} - {b}, allocations"),
                allocations(a).zip(allocations(b)).map(|(a, b)| a - b),
                most,
            ),
            Bar::Most(a, most) => (format!("{a}, Ir"), instructions(a), most),
        };
        let Some(value) = value else { continue };
        let verdict = if value <= most { "met" } else { "MISSED" };
        println!("{verdict:<7} {value:>9.3} (bar {most}) {label}");
    }
}
