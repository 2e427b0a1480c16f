//! `dashcam rules new`.

use super::{Answer, Failure, Output, args::NewRuleArgs, text::is_unsafe};
use dashcam::selection::{Budget, Rule, Rules, Text};
use http::HeaderName;
use serde_json::Value;
use std::{
    fmt::Write,
    time::{Duration, SystemTime},
};

pub(super) fn new(args: NewRuleArgs, out: &mut Output) -> Result<Answer, Failure> {
    let rules = Rules::new([rule(args)?]);
    // Reads the text again, so that the printed rule is the checked one.
    let value = serde_json::to_value(&rules)
        .map_err(|error| Failure::cannot(format!("cannot convert the rule to JSON: {error}")))?;
    let text = toml(&value);
    let read = Rules::from_toml(&text).map_err(|error| Failure::cannot(error.message))?;
    // The conditions may be in another order.
    if serde_json::to_value(&read).ok().as_ref() != Some(&value) {
        return Err(Failure::cannot("cannot write the rule as TOML"));
    }
    for warning in rules.check(SystemTime::now()) {
        out.note(&warning.text);
    }
    if out.is_json() {
        out.json(&value)?;
    } else {
        out.line(format_args!("{}", text.trim_end()))?;
    }
    Ok(Answer::Yes)
}

fn rule(args: NewRuleArgs) -> Result<Rule, Failure> {
    let not = |what: &str, why: &dyn std::fmt::Display| Failure::cannot(format!("{what}: {why}"));
    // Rounded up to the next second, so that it ends no earlier than requested.
    let second = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, |since| since.as_secs() + 1);
    let ends = Duration::from_secs(second)
        .checked_add(Duration::from_secs(args.lifetime.as_secs().max(1)))
        .and_then(|since| SystemTime::UNIX_EPOCH.checked_add(since))
        // Times that RFC 3339 can express.
        .filter(|ends| jiff::Timestamp::try_from(*ends).is_ok())
        .ok_or_else(|| not("--for", &"expected a length of time such as 10m"))?;
    let mut when = args.when.when().map_err(|error| not("--path", &error))?;
    for (name, values) in grouped(args.header) {
        let name: HeaderName = name
            .parse()
            .map_err(|_| not("--header", &format!("{name:?} is not a valid header name")))?;
        when = when.header(name, values);
    }
    for (key, values) in grouped(args.query) {
        when = when.query(key, values);
    }
    for (name, values) in grouped(args.fact) {
        when = when.fact(name, values);
    }
    if !args.host.is_empty() {
        when = when.host(Text::one_of(args.host));
    }
    for network in &args.client {
        when = when
            .client(network)
            .map_err(|error| not("--client", &error))?;
    }
    let mut rule = Rule::new(args.name, ends).when(when);
    if let Some(percent) = args.percent {
        rule = rule
            .sample(percent)
            .map_err(|error| not("--percent", &error))?;
        if let Some(by) = &args.by {
            rule = rule.sample_by(by).map_err(|error| not("--by", &error))?;
        }
    }
    if let Some(levels) = &args.verbose {
        rule = rule
            .verbose(levels)
            .map_err(|error| not("--verbose", &error))?;
    }
    if args.record {
        rule = rule.record_only();
    }
    if args.heads {
        rule = rule.heads_only();
    }
    let mut budget = Budget::unlimited();
    budget.per_second = args.per_second.map(Into::into);
    budget.total = args.total.map(Into::into);
    Ok(rule.budget(budget))
}

/// Groups values by name, in the order of the arguments.
fn grouped(pairs: Vec<(String, String)>) -> impl Iterator<Item = (String, Text)> {
    let mut all: Vec<(String, Vec<String>)> = Vec::new();
    for (name, value) in pairs {
        match all.iter_mut().find(|(known, _)| *known == name) {
            Some((_, values)) => values.push(value),
            None => all.push((name, vec![value])),
        }
    }
    all.into_iter()
        .map(|(name, values)| (name, Text::one_of(values)))
}

/// Writes rules as TOML: one table per rule, with its conditions on one line.
fn toml(rules: &Value) -> String {
    let mut text = String::new();
    let rules = rules.get("rule").and_then(Value::as_array);
    for rule in rules.into_iter().flatten().filter_map(Value::as_object) {
        text.push_str("[[rule]]\n");
        // In the order of the documentation, because `serde_json` sorts.
        const ORDER: [&str; 9] = [
            "name", "from", "expires", "when", "sample", "verbose", "mode", "capture", "budget",
        ];
        for key in ORDER {
            let Some(value) = rule.get(key) else { continue };
            let _ = match value {
                // A TOML date-time.
                Value::String(time) if matches!(key, "from" | "expires") => {
                    writeln!(text, "{key} = {time}")
                }
                value => writeln!(text, "{key} = {}", inline(value)),
            };
        }
    }
    text
}

fn inline(value: &Value) -> String {
    match value {
        Value::String(text) => quoted(text),
        Value::Array(all) => {
            let all: Vec<_> = all.iter().map(inline).collect();
            format!("[{}]", all.join(", "))
        }
        Value::Object(fields) if fields.is_empty() => "{}".to_owned(),
        Value::Object(fields) => {
            let field = |(name, value): (&String, &Value)| {
                let bare = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-');
                let name = match !name.is_empty() && name.bytes().all(bare) {
                    true => name.clone(),
                    false => quoted(name),
                };
                format!("{name} = {}", inline(value))
            };
            let fields: Vec<_> = fields.iter().map(field).collect();
            format!("{{ {} }}", fields.join(", "))
        }
        // Numbers and booleans are the same in both.
        other => other.to_string(),
    }
}

/// A TOML string that is safe for a terminal.
fn quoted(text: &str) -> String {
    let mut quoted = String::from('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if is_unsafe(c) || c.is_control() => {
                let _ = write!(quoted, "\\U{:08X}", u32::from(c));
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}
