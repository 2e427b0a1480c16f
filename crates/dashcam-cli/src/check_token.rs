//! `dashcam token check`.

use super::{
    Answer, Failure, Output,
    args::CheckTokenArgs,
    described::Words,
    input::standard_input,
    output::Ink,
    rules::rough,
    text::Plain,
    token::{HEADER, read},
};
use dashcam::token::{Inspected, Tokens};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::time::SystemTime;

pub(super) fn check(args: CheckTokenArgs, out: &mut Output) -> Result<Answer, Failure> {
    let files = [&args.file].into_iter().chain(&args.keys);
    let keys: Vec<_> = files.map(|file| read(file)).collect::<Result<_, _>>()?;
    let mut tokens = Tokens::new(keys);
    let service_given = args.service.is_some();
    if let Some(service) = args.service {
        tokens = tokens.service(service);
    }
    if let Some(lifetime) = args.max_lifetime {
        tokens = tokens.max_lifetime(lifetime);
    }
    let text = match args.token.as_str() {
        "-" => standard_input()?,
        token => token.to_owned(),
    };
    let token = without_name(&text);
    if token.is_empty() {
        return Err(Failure::cannot(
            "there is no token; give one, or pipe it to standard input",
        ));
    }
    let described = match args.path {
        Some(path) => {
            let words = Words {
                method: args.method,
                path,
                route: args.route,
                header: args.header,
                client: args.client,
                correlation_id: args.correlation_id,
                ..Words::default()
            };
            Some(words.described()?)
        }
        None => None,
    };
    let now = SystemTime::now();
    let inspected = tokens.inspect(token, described.as_ref(), now);
    if out.is_json() {
        let time = |time: Option<SystemTime>| time.and_then(shown);
        out.json(&json!({
            "accepted": inspected.refused.is_none(),
            "refused": inspected.refused,
            "key": inspected.key,
            "begins": time(inspected.begins),
            "ends": time(inspected.ends),
            "claims": inspected.claims,
            "warnings": warnings(&inspected),
        }))?;
    } else {
        explain(&inspected, now, out)?;
    }
    let is_for_one = inspected
        .claims
        .as_ref()
        .is_some_and(|of| of.get("aud").is_some());
    if is_for_one && !service_given && inspected.refused.is_none() {
        out.note("without --service, the service name of the token (aud) is not checked");
    }
    Ok(match inspected.refused {
        None => Answer::Yes,
        Some(_) => Answer::No,
    })
}

/// Removes the header's name, because a pasted token may be the whole line.
fn without_name(text: &str) -> &str {
    let text = text.trim();
    match text.split_once(':') {
        Some((start, token)) if start.eq_ignore_ascii_case(HEADER) => token.trim(),
        _ => text,
    }
}

fn warnings(inspected: &Inspected) -> Vec<&str> {
    let found = inspected.warnings.iter();
    found.map(|warning| warning.text.as_str()).collect()
}

fn shown(time: SystemTime) -> Option<String> {
    Timestamp::try_from(time).ok().map(|time| time.to_string())
}

fn explain(inspected: &Inspected, now: SystemTime, out: &mut Output) -> Result<(), Failure> {
    match inspected.refused {
        None => {
            let accepted = out.paint(Ink::Good, "accepted");
            out.line(format_args!("{accepted}"))?;
        }
        Some(why) => {
            let refused = out.paint(Ink::Bad, "refused");
            out.line(format_args!("{refused} as {why}: {}", why.in_words()))?;
        }
    }
    let key = inspected.key.clone();
    line(out, "key", key)?;
    let of = |name: &str| inspected.claims.as_ref()?.get(name);
    line(out, "who", of("sub").or_else(|| of("jti")).map(text))?;
    line(out, "for", of("aud").map(text))?;
    line(out, "begins", inspected.begins.and_then(shown))?;
    let ends = inspected.ends.and_then(|ends| {
        let at = shown(ends)?;
        Some(match ends.duration_since(now) {
            Ok(left) => format!("{at}, in {}", rough(left)),
            Err(ago) => format!("{at}, {} ago", rough(ago.duration())),
        })
    });
    line(out, "ends", ends)?;
    let ask = of("dashcam").and_then(Value::as_object);
    for (name, value) in ask.into_iter().flatten() {
        line(out, name, Some(text(value)))?;
    }
    for warning in warnings(inspected) {
        let word = out.paint(Ink::Warn, "warning");
        out.line(format_args!("  {word}: {}", Plain(warning)))?;
    }
    Ok(())
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn line(out: &mut Output, name: &str, value: Option<String>) -> Result<(), Failure> {
    match value {
        Some(value) => out.line(format_args!("  {name}: {}", Plain(&value))),
        None => Ok(()),
    }
}
