//! `dashcam ls` and `dashcam tail`.

use super::{
    Answer, Failure, Output,
    args::ListArgs,
    output::{Ink, json_text},
    store::{self, Trouble, directory},
    text::{Plain, readable, short},
    top,
};
use dashcam::{exchange::Exchange, find::Search};
use std::{collections::VecDeque, ops::ControlFlow, path::Path, thread, time::Duration};

/// The interval at which `tail` reads.
const INTERVAL: Duration = Duration::from_millis(300);

/// What `ls` holds of an exchange.
struct Row {
    counted: u64,
    line: Result<String, Failure>,
}

pub(super) fn ls(args: &ListArgs, out: &mut Output) -> Result<Answer, Failure> {
    let path = directory(args.path.as_deref());
    let filter = args.filter.filter()?;
    let all = filter.is_empty();
    let mut search = Search::new(&path).filter(filter);
    if let Some(newest) = args.newest {
        search = search.newest(newest);
    }
    let (rows, trouble) = store::read(&path, &search, |exchange| {
        Some(Row {
            counted: exchange.losses.suppressed_before,
            line: line(&exchange, out),
        })
    })?;
    trouble.tell_all(out);
    if rows.is_empty() && args.newest != Some(0) {
        store::explain_none(&path, &args.filter, all, out)?;
        if args.filter.asks_for_an_id() {
            top::tell_of_unknown(&path, out)?;
        }
        return Ok(Answer::No);
    }
    heading(out)?;
    let counted = rows.iter().map(|row| row.counted).sum();
    for row in rows {
        out.line(format_args!("{}", row.line?))?;
    }
    top::tell_counted(counted, out);
    Ok(Answer::Yes)
}

pub(super) fn tail(args: &ListArgs, out: &mut Output) -> Result<Answer, Failure> {
    let path = directory(args.path.as_deref());
    if path.is_file() {
        return Err(Failure::cannot(
            "tail follows a directory, because a full file gets no more lines; give the \
             directory",
        ));
    }
    let mut search = Search::new(&path).filter(args.filter.filter()?);
    let last = args.newest.unwrap_or(10);
    let mut rows = VecDeque::new();
    let mut trouble = Trouble::default();
    poll(
        &path,
        &mut search,
        &mut trouble,
        out,
        &mut |exchange, out| {
            let line = line(exchange, out)?;
            rows.push_back((exchange.started_at.clone(), line));
            if rows.len() > last {
                rows.pop_front();
            }
            Ok(())
        },
    )?;
    rows.make_contiguous()
        .sort_by(|(a, _): &(String, String), (b, _)| a.cmp(b));
    heading(out)?;
    for (_, line) in &rows {
        out.line(format_args!("{line}"))?;
    }
    drop(rows);
    loop {
        out.flush()?;
        thread::sleep(INTERVAL);
        poll(
            &path,
            &mut search,
            &mut trouble,
            out,
            &mut |exchange, out| {
                let line = line(exchange, out)?;
                out.line(format_args!("{line}"))
            },
        )?;
    }
}

fn poll(
    path: &Path,
    search: &mut Search,
    trouble: &mut Trouble,
    out: &mut Output,
    each: &mut dyn FnMut(&Exchange, &mut Output) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut result = Ok(());
    let polled = search.poll(|item| {
        match item {
            Ok(exchange) => result = each(&exchange, out),
            Err(torn) => trouble.tell(&torn, out),
        }
        if result.is_ok() {
            ControlFlow::Continue(())
        } else {
            ControlFlow::Break(())
        }
    });
    result?;
    polled.map_err(|error| store::unreadable(path, &error))
}

fn heading(out: &mut Output) -> Result<(), Failure> {
    if out.is_json() {
        return Ok(());
    }
    let names = out.paint(
        Ink::Dim,
        format!(
            "{:<24}  {:>6}  {:<10}  {:>9}  {:<36}  request",
            "started", "status", "outcome", "ms", "correlation ID"
        ),
    );
    out.line(format_args!("{names}"))
}

/// The line of an exchange, as text or as JSON.
fn line(exchange: &Exchange, out: &Output) -> Result<String, Failure> {
    if out.is_json() {
        return json_text(&exchange.summary());
    }
    let status = exchange.response.as_ref().map(|response| response.status);
    let outcome = exchange.outcome.as_str();
    let ink = match (outcome, status) {
        ("completed", Some(..=399)) => Ink::Good,
        ("completed" | "abandoned", _) => Ink::Warn,
        _ => Ink::Bad,
    };
    let status = status.map_or_else(|| "-".to_owned(), |status| status.to_string());
    let status = out.paint(ink, format!("{status:>6}"));
    let outcome = out.paint(ink, format!("{outcome:<10}"));
    let kept: Vec<_> = exchange.keep.iter().map(ToString::to_string).collect();
    let kept = kept.join(", ");
    let kept = out.paint(Ink::Dim, format!("({})", Plain(&kept)));
    let ms = millis(exchange.timing.duration_us);
    // Cut to milliseconds: `T…Z` of 27 characters has microseconds.
    let started = exchange.started_at.get(..23).map_or_else(
        || exchange.started_at.clone(),
        |to_millis| format!("{to_millis}Z"),
    );
    let (started, id) = (Plain(&started), Plain(&exchange.correlation.id));
    let request = &exchange.request;
    let (method, path) = (Plain(&request.method), Plain(&request.path));
    let query = request
        .query
        .as_deref()
        .map(|query| format!("?{}", readable(query)));
    let query = query.unwrap_or_default();
    let query = Plain(&query);
    let losses = &exchange.losses;
    let counted = match losses.suppressed_before {
        0 => String::new(),
        n => {
            let times = top::between(&losses.suppressed_first_at, &losses.suppressed_last_at);
            format!(" ({n} more like it were only counted{})", Plain(&times))
        }
    };
    let why = exchange.error_text();
    let why = why.map(|why| format!("  {}", Plain(&short(why))));
    let why = out.paint(Ink::Bad, why.unwrap_or_default());
    Ok(format!(
        "{started:<24}  {status}  {outcome}  {ms:>9}  {id:<36}  {method} {path}{query} {kept}{counted}{why}"
    ))
}

pub(super) fn millis(us: u64) -> String {
    format!("{}.{:03}", us / 1000, us % 1000)
}
