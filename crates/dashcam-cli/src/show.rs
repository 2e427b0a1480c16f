//! `dashcam show`.

use super::{
    Answer, Failure, Output,
    args::{FilterArgs, ShowArgs},
    list::millis,
    output::Ink,
    store::{self, directory},
    text::{Plain, readable},
    top,
};
use dashcam::{
    exchange::{Body, BodyState, Content, Event, Exchange, Failure as Failed, Mode, Outcome},
    find::{Filter, Search},
};
use serde_json::{Map, Value};
use std::path::Path;

/// Whether this asks for the newest exchange instead of an ID.
pub(super) fn is_last(id: &str) -> bool {
    id.trim() == "last"
}

pub(super) fn show(args: &ShowArgs, out: &mut Output) -> Result<Answer, Failure> {
    if args.path.is_none() && Path::new(&args.id).exists() {
        return Err(Failure::cannot(format!(
            "{} is a file or a directory; the ID comes first: dashcam show last {}",
            args.id, args.id
        )));
    }
    let path = directory(args.path.as_deref());
    let found = find(&path, &args.id, out)?;
    if found.is_empty() && is_last(&args.id) {
        store::explain_none(&path, &FilterArgs::default(), true, out)?;
        return Ok(Answer::No);
    }
    if found.is_empty() {
        out.note(&format!(
            "no exchange in {} has an ID, a correlation ID or a trace ID that begins with {:?}; \
             `dashcam ls` lists them",
            path.display(),
            args.id.trim()
        ));
        top::tell_of_unknown(&path, out)?;
        return Ok(Answer::No);
    }
    for (n, exchange) in found.iter().enumerate() {
        if out.is_json() {
            out.json(exchange)?;
            continue;
        }
        if n > 0 {
            out.line(format_args!(""))?;
        }
        page(exchange, out)?;
    }
    let counted = found
        .iter()
        .map(|exchange| exchange.losses.suppressed_before);
    top::tell_counted(counted.sum(), out);
    Ok(Answer::Yes)
}

/// Finds exchanges by the first characters of an ID, oldest first, or the newest one for
/// `last`. A complete ID does not find longer ones.
pub(super) fn find(path: &Path, id: &str, out: &mut Output) -> Result<Vec<Exchange>, Failure> {
    // A pasted ID may have blanks around it.
    let id = id.trim();
    if id.is_empty() {
        return Err(Failure::cannot(
            "an empty ID matches every exchange; use `dashcam ls` to list them",
        ));
    }
    let search = match is_last(id) {
        true => Search::new(path).newest(1),
        false => begins(path, "id", id)?,
    };
    let (mut found, trouble) = store::read(path, &search, Some)?;
    trouble.tell_all(out);
    // A trace ID is not in the index, so this reads every line: only for what can be one.
    let is_trace = id.len() <= 32 && id.bytes().all(|b| b.is_ascii_hexdigit());
    if found.is_empty() && is_trace {
        // The first search noted what cannot be read.
        (found, _) = store::read(path, &begins(path, "trace_id", id)?, Some)?;
    }
    let is = |exchange: &Exchange| exchange.id == id || exchange.correlation.id == id;
    if found.iter().any(is) {
        found.retain(is);
    }
    Ok(found)
}

/// A search by the first characters of an ID of this kind.
fn begins(path: &Path, kind: &str, id: &str) -> Result<Search, Failure> {
    let mut filter = Filter::new();
    let added = filter.add(kind, id);
    added.map_err(|error| Failure::cannot(error.to_string()))?;
    Ok(Search::new(path).filter(filter))
}

fn page(exchange: &Exchange, out: &mut Output) -> Result<(), Failure> {
    head(exchange, out)?;
    if !exchange.facts.is_empty() {
        let facts = exchange.facts.iter().map(|(name, value)| pair(name, value));
        let facts = facts.collect::<Vec<_>>().join("  ");
        field("facts", &facts, out)?;
    }
    if !exchange.decisions.is_empty() {
        title("decisions", out)?;
        for decision in &exchange.decisions {
            let (name, fields) = (Plain(&decision.name), fields(&decision.fields));
            let at = at(decision.at_us);
            out.line(format_args!("  {at}  {name}{fields}"))?;
        }
    }
    if !exchange.events.is_empty() {
        title("events", out)?;
        for event in &exchange.events {
            event_line(event, out)?;
        }
    }
    let request = &exchange.request;
    title(&format!("request {}", request.version), out)?;
    headers(&request.headers, &request.trailers, out)?;
    body(&request.body, out)?;
    match &exchange.response {
        Some(response) => {
            title(
                &format!("response {} {}", response.version, response.status),
                out,
            )?;
            headers(&response.headers, &response.trailers, out)?;
            body(&response.body, out)?;
        }
        None => title("no response", out)?,
    }
    lost(exchange, out)
}

fn head(exchange: &Exchange, out: &mut Output) -> Result<(), Failure> {
    let request = &exchange.request;
    let status = exchange
        .response
        .as_ref()
        .map(|response| response.status.to_string());
    let status = status.as_deref().unwrap_or("no response");
    let query = request.query.as_deref();
    let query = query.map(|query| format!("?{}", readable(query)));
    let query = query.unwrap_or_default();
    let line = format!("{} {}{query} -> {status}", request.method, request.path);
    let ink = match exchange.outcome {
        Outcome::Completed => Ink::Strong,
        _ => Ink::Bad,
    };
    let line = out.paint(ink, Plain(&line));
    out.line(format_args!("request    {line}"))?;
    if let Some(route) = &request.route {
        field("route", route, out)?;
    }
    let service = &exchange.service;
    field(
        "service",
        &format!("{} {}", service.name, service.version),
        out,
    )?;
    field("ID", &exchange.correlation.id, out)?;
    field("exchange", &exchange.id, out)?;
    if let Some(trace) = &exchange.correlation.trace_id {
        field("trace", trace, out)?;
    }
    let timing = &exchange.timing;
    let head = timing
        .headers_us
        .map(|us| format!(", head after {} ms", millis(us)));
    let took = format!(
        "{} ms{}",
        millis(timing.duration_us),
        head.unwrap_or_default()
    );
    field(
        "started",
        &format!("{}, took {took}", exchange.started_at),
        out,
    )?;
    let how = match &exchange.outcome {
        Outcome::Failed { failure } => format!("failed ({})", failed(failure)),
        other => other.to_string(),
    };
    let kept: Vec<_> = exchange.keep.iter().map(ToString::to_string).collect();
    let live = match &exchange.mode {
        Mode::Live { by } => format!("; live by {by}"),
        Mode::Recorded => String::new(),
        Mode::Off => "; no events recorded".to_owned(),
        other => format!("; {other:?}"),
    };
    field(
        "outcome",
        &format!("{how}; kept for: {}{live}", kept.join(", ")),
        out,
    )?;
    if let Some(panic) = &exchange.panic {
        field("panic", &panic.message, out)?;
        if let Some(location) = &panic.location {
            field("at", location, out)?;
        }
        if let Some(second) = &panic.second {
            field("second", &second.message, out)?;
            if let Some(location) = &second.location {
                field("at", location, out)?;
            }
        }
    }
    if let Some(error) = &exchange.error {
        field("error", error, out)?;
    }
    Ok(())
}

fn failed(failure: &Failed) -> String {
    match failure {
        Failed::Status(status) => format!("status {status}"),
        Failed::Grpc(code) => format!("gRPC status {code}"),
        Failed::NoStatus => "no gRPC status".to_owned(),
        Failed::BodyLength => "a body that does not match its content-length".to_owned(),
        Failed::ServiceError => "service error".to_owned(),
        Failed::Custom(name) => name.clone(),
        other => format!("{other:?}"),
    }
}

fn field(name: &str, value: &str, out: &mut Output) -> Result<(), Failure> {
    out.line(format_args!("{name:<9}  {}", Plain(&readable(value))))
}

fn title(text: &str, out: &mut Output) -> Result<(), Failure> {
    let text = out.paint(Ink::Strong, Plain(text));
    out.line(format_args!("{text}"))
}

fn at(us: u64) -> String {
    format!("+{:>11} ms", millis(us))
}

fn event_line(event: &Event, out: &mut Output) -> Result<(), Failure> {
    if event.lost_before > 0 {
        out.line(format_args!(
            "  ({} events were lost here)",
            event.lost_before
        ))?;
    }
    let level = format!("{:<5}", Plain(&event.level).to_string());
    let ink = match event.level.as_str() {
        "ERROR" => Some(Ink::Bad),
        "WARN" => Some(Ink::Warn),
        "INFO" => Some(Ink::Good),
        _ => None,
    };
    let level = match ink {
        Some(ink) => out.paint(ink, level).to_string(),
        None => level,
    };
    let spans = event.spans.iter().map(|span| Plain(&span.name).to_string());
    let spans = spans.collect::<Vec<_>>().join(":");
    let spans = if spans.is_empty() {
        spans
    } else {
        format!("{spans}: ")
    };
    let at = out.paint(Ink::Dim, at(event.at_us));
    let (target, fields) = (Plain(&event.target), fields(&event.fields));
    let message = readable(event.message.as_deref().unwrap_or_default());
    let message = Plain(&message);
    out.line(format_args!(
        "  {at}  {level}  {target}  {spans}{message}{fields}"
    ))
}

/// Quotes a name that is ambiguous.
fn pair(name: &str, value: &Value) -> String {
    let plain = |c: char| !c.is_whitespace() && !matches!(c, '=' | '"');
    let pair = if !name.is_empty() && name.chars().all(plain) {
        format!("{name}={value}")
    } else {
        format!("{}={value}", Value::from(name))
    };
    readable(&pair).into_owned()
}

fn fields(fields: &Map<String, Value>) -> String {
    let pairs = fields.iter().map(|(name, value)| {
        let pair = pair(name, value);
        format!("  {}", Plain(&pair))
    });
    pairs.collect()
}

fn headers(
    headers: &[(String, String)],
    trailers: &[(String, String)],
    out: &mut Output,
) -> Result<(), Failure> {
    for (name, value) in headers {
        let value = readable(value);
        out.line(format_args!("  {}: {}", Plain(name), Plain(&value)))?;
    }
    for (name, value) in trailers {
        out.line(format_args!(
            "  (trailer) {}: {}",
            Plain(name),
            Plain(&readable(value))
        ))?;
    }
    Ok(())
}

fn body(body: &Body, out: &mut Output) -> Result<(), Failure> {
    let state = match &body.state {
        BodyState::None => return out.line(format_args!("  no body")),
        BodyState::Complete => "complete".to_owned(),
        BodyState::Truncated => format!("the first {} bytes were captured", body.kept),
        BodyState::Unread => "the service did not read it".to_owned(),
        BodyState::PartlyRead => "the service stopped reading it".to_owned(),
        BodyState::Aborted => "dropped before its end".to_owned(),
        BodyState::Error { message } => format!("ended with an error: {message}"),
        BodyState::Skipped { why } => format!("not written: {why}"),
        BodyState::Open => "still open".to_owned(),
        BodyState::Stream => "a stream".to_owned(),
        other => format!("{other:?}"),
    };
    let kind = [&body.content_type, &body.content_encoding];
    let kind: String = kind
        .into_iter()
        .flatten()
        .map(|kind| format!(", {kind}"))
        .collect();
    let state = format!("{} bytes{kind}, {state}", body.seen);
    let state = out.paint(Ink::Dim, Plain(&state));
    out.line(format_args!("  body: {state}"))?;
    match &body.content {
        Some(Content::Text { text, unparsed }) => {
            out.line(format_args!("  {}", Plain(&readable(text))))?;
            if *unparsed > 0 {
                out.line(format_args!(
                    "  ({unparsed} more bytes could not be parsed)"
                ))?;
            }
            Ok(())
        }
        Some(Content::Opaque { length, hash, why }) => {
            let (why, hash) = (withheld(why.as_deref()), Plain(hash));
            out.line(format_args!("  ({length} bytes {why}, hash {hash})"))
        }
        Some(other) => {
            let other = format!("{other:?}");
            out.line(format_args!("  {}", Plain(&other)))
        }
        None => Ok(()),
    }
}

/// Why the exchange has nothing of a body.
fn withheld(why: Option<&str>) -> &'static str {
    match why {
        Some("policy") => "withheld by the policy",
        Some("coding") => "in a content coding that was not decoded",
        Some("broken") => "that do not match their media type",
        _ => "of an unknown format",
    }
}

fn lost(exchange: &Exchange, out: &mut Output) -> Result<(), Failure> {
    let losses = &exchange.losses;
    let counts = [
        (losses.events_dropped, "events dropped"),
        (losses.events_late, "events came late"),
        (losses.values_cut, "values cut"),
        (losses.headers_dropped, "headers dropped"),
        (losses.texts_withheld, "texts withheld"),
        (losses.causes_unknown, "errors without their causes"),
    ];
    let said = counts
        .iter()
        .filter(|(n, _)| *n > 0)
        .map(|(n, what)| format!("{n} {what}"));
    let times = top::between(&losses.suppressed_first_at, &losses.suppressed_last_at);
    let missing = exchange
        .missing
        .iter()
        .map(|m| format!("{}: {}", m.what, m.why));
    let suppressed = Some(losses.suppressed_before).filter(|n| *n > 0);
    let suppressed = suppressed.map(|n| format!("{n} more like it were only counted{times}"));
    let said: Vec<_> = said.chain(suppressed).chain(missing).collect();
    let losses = if said.is_empty() {
        "none".to_owned()
    } else {
        said.join("; ")
    };
    field("losses", &losses, out)
}
