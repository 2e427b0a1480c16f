//! `dashcam ls` and `dashcam tail`.

use super::{
    Answer, Failure, Output,
    args::ListArgs,
    output::Ink,
    store::{self, Trouble, directory},
    text::{Plain, readable, short},
    top,
};
use dashcam::{
    export::json_lines::Follow,
    find::{Filter, Row, Search},
};
use std::{collections::VecDeque, ops::ControlFlow, path::Path, thread, time::Duration};

/// The interval at which `tail` reads.
const INTERVAL: Duration = Duration::from_millis(300);

pub(super) fn ls(args: &ListArgs, out: &mut Output) -> Result<Answer, Failure> {
    let path = directory(args.path.as_deref());
    let filter = args.filter.filter()?;
    let all = filter.is_empty();
    let mut search = Search::new(&path).filter(filter);
    if let Some(newest) = args.newest {
        search = search.newest(newest);
    }
    let (rows, trouble) = store::read(&path, &search, |exchange| Some(Row::new(&exchange)))?;
    trouble.tell_all(out);
    if rows.is_empty() && args.newest != Some(0) {
        store::explain_none(&path, &args.filter, all, out)?;
        if args.filter.asks_for_an_id() {
            top::tell_of_unknown(&path, out)?;
        }
        return Ok(Answer::No);
    }
    heading(out)?;
    for row in &rows {
        line(row, out)?;
    }
    let counted = rows.iter().map(|row| row.suppressed_before).sum();
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
    let filter = args.filter.filter()?;
    let mut follow = Follow::new(&path);
    let last = args.newest.unwrap_or(10);
    let mut rows = VecDeque::new();
    let mut trouble = Trouble::default();
    poll(
        &path,
        &mut follow,
        &filter,
        &mut trouble,
        out,
        &mut |row, _| {
            rows.push_back(row);
            if rows.len() > last {
                rows.pop_front();
            }
            Ok(())
        },
    )?;
    rows.make_contiguous()
        .sort_by(|a: &Row, b| a.started_at.cmp(&b.started_at));
    heading(out)?;
    for row in &rows {
        line(row, out)?;
    }
    drop(rows);
    loop {
        out.flush()?;
        thread::sleep(INTERVAL);
        poll(
            &path,
            &mut follow,
            &filter,
            &mut trouble,
            out,
            &mut |row, out| line(&row, out),
        )?;
    }
}

fn poll(
    path: &Path,
    follow: &mut Follow,
    filter: &Filter,
    trouble: &mut Trouble,
    out: &mut Output,
    each: &mut dyn FnMut(Row, &mut Output) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut result = Ok(());
    let polled = follow.poll(|item| {
        match item {
            Ok(exchange) if filter.matches(&exchange) => result = each(Row::new(&exchange), out),
            Ok(_) => {}
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

fn line(row: &Row, out: &mut Output) -> Result<(), Failure> {
    if out.is_json() {
        return out.json(row);
    }
    let status = row
        .status
        .map_or_else(|| "-".to_owned(), |status| status.to_string());
    let ink = match (row.outcome, row.status) {
        ("completed", Some(..=399)) => Ink::Good,
        ("completed" | "abandoned", _) => Ink::Warn,
        _ => Ink::Bad,
    };
    let status = out.paint(ink, format!("{status:>6}"));
    let outcome = out.paint(ink, format!("{:<10}", row.outcome));
    let kept: Vec<_> = row.kept_for.iter().map(ToString::to_string).collect();
    let kept = kept.join(", ");
    let kept = out.paint(Ink::Dim, format!("({})", Plain(&kept)));
    let ms = millis(row.duration_us);
    // Cut to milliseconds: `T…Z` of 27 characters has microseconds.
    let started = row.started_at.get(..23).map_or_else(
        || row.started_at.clone(),
        |to_millis| format!("{to_millis}Z"),
    );
    let (started, id) = (Plain(&started), Plain(&row.correlation_id));
    let (method, path) = (Plain(&row.method), Plain(&row.path));
    let query = row
        .query
        .as_deref()
        .map(|query| format!("?{}", readable(query)));
    let query = query.unwrap_or_default();
    let query = Plain(&query);
    let counted = match row.suppressed_before {
        0 => String::new(),
        n => {
            let times = top::between(&row.suppressed_first_at, &row.suppressed_last_at);
            format!(" ({n} more like it were only counted{})", Plain(&times))
        }
    };
    let why = row.panic.as_ref().or(row.error.as_ref());
    let why = why.map(|why| format!("  {}", Plain(&short(why))));
    let why = out.paint(Ink::Bad, why.unwrap_or_default());
    out.line(format_args!(
        "{started:<24}  {status}  {outcome}  {ms:>9}  {id:<36}  {method} {path}{query} {kept}{counted}{why}"
    ))
}

pub(super) fn millis(us: u64) -> String {
    format!("{}.{:03}", us / 1000, us % 1000)
}
