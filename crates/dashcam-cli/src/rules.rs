//! `dashcam rules`.

use super::{
    Answer, Failure, Output,
    args::{CheckArgs, WhyArgs},
    described::Words,
    output::Ink,
    text::Plain,
};
use dashcam::selection::{Rule, Rules, RulesError, RulesFile, Warning, Why};
use serde::Serialize;
use serde_json::json;
use std::{
    path::Path,
    time::{Duration, SystemTime},
};

/// Reads rules, or the error in them. A file that cannot be read at all is a failure of
/// the command.
fn read(file: &Path) -> Result<Result<Rules, RulesError>, Failure> {
    match std::fs::metadata(file) {
        Ok(_) => Ok(RulesFile::read(file)),
        Err(error) => {
            let file = file.display();
            Err(Failure::cannot(format!("cannot read {file}: {error}")))
        }
    }
}

pub(super) fn check(args: &CheckArgs, out: &mut Output) -> Result<Answer, Failure> {
    let rules = match read(&args.file)? {
        Ok(rules) => rules,
        Err(error) => return wrong(&error, out),
    };
    let now = SystemTime::now();
    let warnings = rules.check(now);
    if out.is_json() {
        let note = |rule: &Rule| Some(json!({ "rule": rule.name(), "text": rule.needs()? }));
        let notes: Vec<_> = rules.iter().filter_map(note).collect();
        out.json(&json!({
            "ok": true, "rules": rules.len(), "warnings": warnings, "notes": notes,
        }))?;
    } else {
        readable(&args.file, &rules, &warnings, now, out)?;
    }
    Ok(if args.strict && !warnings.is_empty() {
        Answer::No
    } else {
        Answer::Yes
    })
}

fn wrong(error: &RulesError, out: &mut Output) -> Result<Answer, Failure> {
    if out.is_json() {
        out.json(&json!({
            "ok": false,
            "error": {
                "file": error.file,
                "line": error.line,
                "column": error.column,
                "field": error.field,
                "message": error.message,
            },
        }))?;
    } else {
        out.error(&error.to_string());
    }
    Ok(Answer::No)
}

fn readable(
    file: &Path,
    rules: &Rules,
    warnings: &[Warning],
    now: SystemTime,
    out: &mut Output,
) -> Result<(), Failure> {
    let name = file.display().to_string();
    let (rules_n, warnings_n) = (count(rules.len(), "rule"), count(warnings.len(), "warning"));
    out.line(format_args!("{}: {rules_n}, {warnings_n}", Plain(&name)))?;
    for rule in rules.iter() {
        let mode = if rule.is_record_only() {
            "record"
        } else {
            "live"
        };
        let name = out.paint(Ink::Strong, Plain(rule.name()));
        match rule.expires().duration_since(now) {
            Ok(left) => out.line(format_args!("  {name}  {mode}, ends in {}", rough(left)))?,
            Err(ago) => {
                let ago = rough(ago.duration());
                out.line(format_args!("  {name}  {mode}, ended {ago} ago"))?;
            }
        }
        for warning in warnings
            .iter()
            .filter(|warning| warning.rule == rule.name())
        {
            let word = out.paint(Ink::Warn, "warning");
            out.line(format_args!("    {word}: {}", Plain(&warning.text)))?;
        }
        if let Some(needs) = rule.needs() {
            out.line(format_args!("    note: {}", Plain(&needs)))?;
        }
    }
    Ok(())
}

fn count(n: usize, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}

pub(super) fn rough(left: Duration) -> String {
    match left.as_secs() {
        s @ ..=119 => format!("{s} s"),
        s @ 120..=7_199 => format!("{} min", s / 60),
        s @ 7_200..=172_799 => format!("{} h", s / 3_600),
        s => format!("{} days", s / 86_400),
    }
}

pub(super) fn why(args: WhyArgs, out: &mut Output) -> Result<Answer, Failure> {
    let rules = match read(&args.file)? {
        Ok(rules) => rules,
        Err(error) => return wrong(&error, out),
    };
    let without_route = args.route.is_none();
    if args.method.bytes().any(|b| b.is_ascii_lowercase()) {
        out.note("methods are case-sensitive; rules match methods in capitals");
    }
    let words = Words {
        method: args.method,
        path: args.path,
        route: args.route,
        header: args.header,
        query: args.query,
        fact: args.fact,
        client: args.client,
        correlation_id: args.correlation_id,
        at: args.at,
    };
    let mut described = words.described()?;
    if let Some(key) = args.sample_key {
        described = described.sample_key(key);
    }
    let why = rules.why(&described);
    let selected = why.iter().find(|why| why.selects());
    let selected = selected.map(|why| why.name.as_str());
    if out.is_json() {
        out.json(&Explained {
            selected,
            rules: &why,
        })?;
    } else {
        explain(selected, &why, out)?;
    }
    let of_route = |fails: &String| fails.starts_with("route ");
    if without_route && why.iter().any(|rule| rule.fails.iter().any(of_route)) {
        out.note("without --route, no condition on a route holds");
    }
    Ok(if selected.is_some() {
        Answer::Yes
    } else {
        Answer::No
    })
}

/// The answer as JSON.
#[derive(Serialize)]
struct Explained<'a> {
    selected: Option<&'a str>,
    rules: &'a [Why],
}

fn explain(selected: Option<&str>, why: &[Why], out: &mut Output) -> Result<(), Failure> {
    match selected {
        Some(by) => {
            let by = out.paint(Ink::Good, Plain(by));
            out.line(format_args!("selected by {by}"))?;
        }
        None => out.line(format_args!("not selected"))?,
    }
    for rule in why {
        let (verdict, ink) = if rule.selects() {
            ("selects it", Ink::Good)
        } else if rule.matches() {
            ("would select it, but an earlier rule does", Ink::Dim)
        } else if rule.fails.is_empty() {
            ("waits for a fact", Ink::Warn)
        } else {
            ("does not select it", Ink::Dim)
        };
        let verdict = out.paint(ink, verdict);
        out.line(format_args!("  {}: {verdict}", Plain(&rule.name)))?;
        for fails in &rule.fails {
            out.line(format_args!("    does not hold: {}", Plain(fails)))?;
        }
        for waits in &rule.waits {
            out.line(format_args!("    is not stated yet: {}", Plain(waits)))?;
        }
        for note in &rule.notes {
            out.line(format_args!("    note: {}", Plain(note)))?;
        }
    }
    Ok(())
}
