//! `dashcam top`: failures by signature.

use super::{
    Answer, Failure, Output,
    args::TopArgs,
    output::Ink,
    store::{self, directory},
    text::{Plain, short},
};
use dashcam::{
    exchange::{Depth, Direction, Exchange, Failure as Failed, KeepReason, Missing, Outcome},
    find::{Filter, Search},
};
use serde::Serialize;
use std::{collections::HashMap, path::Path};

/// What failures of one kind share.
#[derive(Clone, Debug, Eq, Hash, PartialEq, Serialize)]
struct Signature {
    service: String,
    direction: Direction,
    method: String,
    /// The route template, or else the path, with `*` for varying segments.
    route: String,
    outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<Failed>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    grpc_status: Option<u16>,
    slow: bool,
    upload_broke_off: bool,
    /// The location of the panic, or of the first event at ERROR.
    #[serde(skip_serializing_if = "Option::is_none")]
    site: Option<String>,
}

impl Signature {
    fn of(exchange: &Exchange) -> Self {
        let request = &exchange.request;
        let panic = exchange.panic.as_ref();
        let mut errors = exchange
            .events
            .iter()
            .filter(|event| event.level == "ERROR");
        let error = errors.next().map(|event| match event.line {
            Some(line) => format!("{}:{line}", event.target),
            None => event.target.clone(),
        });
        let response = exchange.response.as_ref();
        Self {
            service: exchange.service.name.clone(),
            direction: exchange.direction,
            method: request.method.clone(),
            route: request
                .route
                .clone()
                .unwrap_or_else(|| alike(&request.path)),
            outcome: exchange.outcome.as_str(),
            failure: match &exchange.outcome {
                Outcome::Failed { failure } => Some(failure.clone()),
                _ => None,
            },
            status: response.map(|response| response.status),
            grpc_status: response.and_then(|response| response.grpc_status),
            slow: exchange.slow,
            upload_broke_off: exchange.keep.contains(&KeepReason::RequestBody),
            site: panic.and_then(|panic| panic.location.clone()).or(error),
        }
    }

    /// The outcome, in a few words.
    fn how(&self) -> String {
        let mut how = match &self.failure {
            Some(Failed::Grpc(code)) => format!("failed (gRPC {code})"),
            Some(Failed::Custom(name)) => format!("failed ({name})"),
            Some(Failed::ServiceError) => "failed (service error)".to_owned(),
            _ => self.outcome.to_owned(),
        };
        if let (None, Some(code @ 1..)) = (&self.failure, self.grpc_status) {
            how.push_str(&format!(" (gRPC {code})"));
        }
        if self.slow {
            how.push_str(", slow");
        }
        if self.upload_broke_off {
            how.push_str(", upload broke off");
        }
        how
    }

    /// The request and its outcome.
    fn words(&self) -> String {
        let Self { method, route, .. } = self;
        let status = self
            .status
            .map_or_else(|| "no response".to_owned(), |status| status.to_string());
        let site = self.site.as_ref().map(|site| format!(" at {site}"));
        let (how, site) = (self.how(), site.unwrap_or_default());
        format!("{method} {route} -> {status}, {how}{site}")
    }
}

/// A path with `*` for segments that vary between requests.
fn alike(path: &str) -> String {
    let segments = path.split('/').map(|segment| {
        let number = !segment.is_empty() && segment.bytes().all(|b| b.is_ascii_digit());
        if number || segment.contains("[~") {
            "*"
        } else {
            segment
        }
    });
    segments.collect::<Vec<_>>().join("/")
}

/// Failures of one kind.
#[derive(Clone, Debug, Serialize)]
struct Kind {
    #[serde(flatten)]
    signature: Signature,
    kept: u64,
    /// Failures that were only counted, up to the last kept one.
    counted: u64,
    /// The last kept one has no bodies, because there were so many. Later ones, if any, were
    /// only counted; the next kept one of the kind will have their number.
    more: bool,
    /// Times of kept and counted ones, as far as they are known.
    first: String,
    last: String,
    #[serde(skip)]
    newest: String,
    /// Whether the times of some counted ones are unknown.
    #[serde(skip)]
    untimed: bool,
    #[serde(skip)]
    counted_first: Option<String>,
    #[serde(skip)]
    counted_last: Option<String>,
    /// Of the newest kept one, preferably one in full.
    id: String,
    correlation_id: String,
    /// Its panic message or error.
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    #[serde(skip)]
    example: (bool, String),
}

#[derive(Debug, Default)]
struct Kinds(HashMap<Signature, Kind>);

impl Kinds {
    fn add(&mut self, exchange: &Exchange) {
        let signature = Signature::of(exchange);
        let at = &exchange.started_at;
        let kind = self.0.entry(signature.clone()).or_insert_with(|| Kind {
            signature,
            kept: 0,
            counted: 0,
            more: false,
            first: at.clone(),
            last: at.clone(),
            newest: String::new(),
            untimed: false,
            counted_first: None,
            counted_last: None,
            id: String::new(),
            correlation_id: String::new(),
            text: None,
            example: Default::default(),
        });
        kind.kept += 1;
        kind.counted += exchange.losses.suppressed_before;
        if *at >= kind.newest {
            kind.newest.clone_from(at);
            let storm = |missing: &Missing| missing.why == "failure_storm";
            kind.more = exchange.missing.iter().any(storm);
        }
        let losses = &exchange.losses;
        let (first, last) = (&losses.suppressed_first_at, &losses.suppressed_last_at);
        kind.untimed |= losses.suppressed_before > 0 && first.is_none();
        for at in [first, last].into_iter().flatten() {
            let at = Some(at.clone());
            if kind.counted_first.is_none() || at < kind.counted_first {
                kind.counted_first.clone_from(&at);
            }
            kind.counted_last = kind.counted_last.take().max(at);
        }
        for at in [first, last].into_iter().flatten().chain([at]) {
            if *at < kind.first {
                kind.first.clone_from(at);
            }
            if *at > kind.last {
                kind.last.clone_from(at);
            }
        }
        let full = exchange.depth == Depth::Full;
        let example = (full, at.clone());
        if kind.id.is_empty() || example > kind.example {
            kind.example = example;
            kind.id.clone_from(&exchange.id);
            kind.correlation_id.clone_from(&exchange.correlation.id);
            kind.text = exchange.error_text().map(str::to_owned);
        }
    }

    /// The most frequent first.
    fn sorted(self) -> Vec<Kind> {
        let mut all: Vec<_> = self.0.into_values().collect();
        all.sort_by(|a, b| {
            let many = |kind: &Kind| kind.kept + kind.counted;
            let more = many(b).cmp(&many(a));
            more.then_with(|| b.last.cmp(&a.last))
                .then_with(|| a.id.cmp(&b.id))
        });
        all
    }
}

/// Whether it was kept for a failure. An interim exchange does not count, but its end does.
fn is_failure(exchange: &Exchange) -> bool {
    let wrong = |reason: &KeepReason| {
        matches!(
            reason,
            KeepReason::Outcome
                | KeepReason::RequestBody
                | KeepReason::Slow
                | KeepReason::ErrorEvent
        )
    };
    exchange.outcome != Outcome::Open && exchange.keep.iter().any(wrong)
}

pub(super) fn top(args: &TopArgs, out: &mut Output) -> Result<Answer, Failure> {
    let path = directory(args.path.as_deref());
    let filter = args.filter.filter()?;
    let all = filter.is_empty();
    let mut kinds = Kinds::default();
    let search = Search::new(&path).filter(filter);
    let (_, trouble) = store::read(&path, &search, |exchange| {
        if is_failure(&exchange) {
            kinds.add(&exchange);
        }
        None::<()>
    })?;
    trouble.tell_all(out);
    let mut kinds = kinds.sorted();
    if kinds.is_empty() {
        let like = if all { "" } else { " matches the conditions" };
        out.note(&format!("no failure in {}{like}", path.display()));
        store::explain(&path, &args.filter, out)?;
        return Ok(Answer::No);
    }
    kinds.truncate(args.most.unwrap_or(usize::MAX));
    if !out.is_json() {
        let names = format!(
            "{:>7}  {:>7}  {:<20}  {:<20}  {:>6}  {:<36}  what",
            "kept", "counted", "first", "last", "status", "one correlation ID"
        );
        let names = out.paint(Ink::Dim, names);
        out.line(format_args!("{names}"))?;
    }
    for kind in &kinds {
        line(kind, out)?;
    }
    Ok(Answer::Yes)
}

fn line(kind: &Kind, out: &mut Output) -> Result<(), Failure> {
    if out.is_json() {
        return out.json(kind);
    }
    let Signature {
        direction,
        method,
        route,
        status,
        site,
        ..
    } = &kind.signature;
    let status = status.map_or_else(|| "-".to_owned(), |status| status.to_string());
    let status = out.paint(Ink::Bad, format!("{status:>6}"));
    let (first, last) = (seconds(&kind.first), seconds(&kind.last));
    let more = if kind.more { "+" } else { "" };
    let (kept, counted) = (kind.kept, format!("{}{more}", kind.counted));
    let call = match direction {
        Direction::Client => "call of ",
        _ => "",
    };
    let how = kind.signature.how();
    let site = site.as_ref().map(|site| format!(" at {site}"));
    let site = site.unwrap_or_default();
    let text = kind
        .text
        .as_ref()
        .map(|text| format!("  {}", Plain(&short(text))));
    let text = out.paint(Ink::Bad, text.unwrap_or_default());
    out.line(format_args!(
        "{kept:>7}  {counted:>7}  {:<20}  {:<20}  {status}  {:<36}  {call}{} {} {}{}{text}",
        Plain(&first),
        Plain(&last),
        Plain(&kind.correlation_id),
        Plain(method),
        Plain(route),
        Plain(&how),
        Plain(&site),
    ))
}

/// A time of an exchange to the second.
fn seconds(at: &str) -> String {
    let cut = at.get(..19).map(|to_seconds| format!("{to_seconds}Z"));
    cut.unwrap_or_else(|| at.to_owned())
}

/// When the counted failures ended, if known.
pub(super) fn between(first: &Option<String>, last: &Option<String>) -> String {
    match (first, last) {
        (Some(first), Some(last)) => format!(", {} to {}", seconds(first), seconds(last)),
        _ => String::new(),
    }
}

/// Notes that there were more failures than shown.
pub(super) fn tell_counted(counted: u64, out: &mut Output) {
    if counted > 0 {
        out.note(&format!(
            "{counted} more failures like these were only counted; `dashcam top` lists their kinds"
        ));
    }
}

/// The maximum number of kinds to note.
const KINDS: usize = 5;

/// The maximum number of exchanges to read that have counts of others: a long storm has
/// thousands.
const LATEST: usize = 200;

/// Notes possible reasons why an ID was not found.
pub(super) fn tell_of_unknown(path: &Path, out: &mut Output) -> Result<(), Failure> {
    out.note(
        "a missing exchange was deleted, is on another instance, or was not kept: by default, \
         healthy requests are not. The service's log has a line for each request, in which \
         \"kept\":false means that it was not kept, and \"not_kept\" is the reason",
    );
    tell_of_counted(path, out)
}

/// Notes which failures were only counted: a missing one may be one of them.
fn tell_of_counted(path: &Path, out: &mut Output) -> Result<(), Failure> {
    let latest = |filter| Search::new(path).filter(filter).newest(LATEST);
    let brief = |exchange| Some(brief(exchange));
    let mut counted = Filter::new();
    counted.suppressed();
    // The first search noted what cannot be read.
    let (found, _) = store::read(path, &latest(counted), brief)?;
    let more = found.len() == LATEST;
    let mut kinds = Kinds::default();
    found.iter().for_each(|exchange| kinds.add(exchange));
    let mut kinds = kinds.sorted();
    kinds.sort_by_key(|kind| std::cmp::Reverse(kind.counted));
    let counted: u64 = kinds.iter().map(|kind| kind.counted).sum();
    // A storm whose counts no exchange has yet is among the newest.
    let mut newest = Kinds::default();
    let (found, _) = store::read(path, &latest(Filter::new()), brief)?;
    found.iter().for_each(|exchange| newest.add(exchange));
    let mut untold = newest.sorted();
    untold.retain(|kind| kind.more);
    if counted == 0 && untold.is_empty() {
        out.note("no exchange here reports failures like it that were only counted");
        tell_of_later(out);
        return Ok(());
    }
    if counted > 0 {
        tell_kinds_counted(&kinds, counted, more, out);
    }
    if !untold.is_empty() {
        out.note(
            "there were many of these at once; more may have been only counted since, and the next \
             kept one of a kind will have their number:",
        );
    }
    for kind in untold.iter().take(KINDS) {
        let (id, words, kept) = (&kind.correlation_id, kind.signature.words(), kind.kept);
        let last = seconds(&kind.last);
        out.note(&format!(
            "  like {id}: {words}, {kept} here, the last at {last}"
        ));
    }
    Ok(())
}

/// Drops the parts of an exchange that are not needed here, as there are many.
fn brief(mut exchange: Exchange) -> Exchange {
    let error = exchange
        .events
        .iter()
        .position(|event| event.level == "ERROR");
    exchange.events = error
        .map(|at| exchange.events.swap_remove(at))
        .into_iter()
        .collect();
    exchange.decisions.clear();
    exchange.request.body.content = None;
    if let Some(response) = &mut exchange.response {
        response.body.content = None;
    }
    exchange
}

fn tell_kinds_counted(kinds: &[Kind], counted: u64, more: bool, out: &mut Output) {
    let at_least = if more { "at least " } else { "" };
    out.note(&format!(
        "{at_least}{counted} failures here were only counted, because many were alike (\"not_kept\":\
         \"failure_storm\"); yours may be one of them:"
    ));
    for kind in kinds.iter().take(KINDS) {
        let (id, words) = (&kind.correlation_id, kind.signature.words());
        let times = match between(&kind.counted_first, &kind.counted_last) {
            times if times.is_empty() || kind.untimed => format!(", until {}", seconds(&kind.last)),
            times => times,
        };
        out.note(&format!("  {} like {id}: {words}{times}", kind.counted));
    }
    if kinds.len() > KINDS {
        out.note("  and others; `dashcam top` lists them");
    }
}

/// Notes the counts that no file has.
fn tell_of_later(out: &mut Output) {
    out.note(
        "more may have been only counted since the last kept one of a kind, and no file has their \
         number: the service's status has it (`dropped.suppressed`), and the log line of each \
         has \"not_kept\":\"failure_storm\"",
    );
}
