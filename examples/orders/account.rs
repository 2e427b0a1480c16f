//! Prints what dashcam kept of the visitors' requests.

use crate::{
    client::BoxError,
    visitors::{self, Visit, Visits},
};
use dashcam::{
    Dashcam,
    capture::Dropped,
    exchange::{Content, Event, Exchange, KeepReason, Losses},
    export::{Health, JsonLines},
};
use serde_json::{Map, Value};
use std::{env, fs, io, path::PathBuf, slice, time::Duration};

pub(crate) fn print(
    dashcam: &Dashcam,
    visits: &Visits,
    base: Option<&str>,
) -> Result<(), BoxError> {
    tokio::task::block_in_place(|| dashcam.flush(Duration::from_secs(5)));

    println!("\n==================== what happened ====================\n");
    println!("status  kept  request");
    let mut kept = Vec::new();
    let one = [&visits.too_large];
    for visit in visits.ordinary.iter().chain(one).chain(&visits.parallel) {
        let found = find(&visit.id)?;
        let mark = if found.is_some() { "yes" } else { "" };
        println!("{:>6}  {mark:<4}  {}", visit.status, visit.what);
        kept.extend(found);
    }
    let of = |visits: &[Visit]| {
        let one_of = |kept: &&Kept| visits.iter().any(|v| v.id == kept.exchange.correlation.id);
        kept.iter().find(one_of)
    };

    if let Some(kept) = of(&visits.ordinary) {
        println!("\n---- a customer got an error ----\n");
        tell(&kept.exchange);
    }
    println!("\n---- {} lamps are left ----\n", visits.lamps_left);
    if let Some(kept) = of(&visits.parallel) {
        tell(&kept.exchange);
    } else if visits.lamps_left >= 0 {
        println!("The orders did not overlap this time; run the example again.");
    }

    println!("\n---- next ----\n");
    let status = dashcam.status();
    println!("{} requests, {} kept.", status.finished, status.kept);
    if status.dropped != Dropped::default() {
        println!("Not kept: {:?}", status.dropped);
    }
    if let Health::Degraded { why } = &status.exporter {
        println!("The exporter cannot write: {why}");
    }
    if let Some(Kept { exchange, file }) = of(&visits.ordinary) {
        let (id, file) = (&exchange.correlation.id, file.display());
        println!("The exchanges are in\n  {file}\nPrint the events of the first one:");
        println!(
            r#"  jq -r 'select(.correlation.id == "{id}") | .events[] | [.at_us, .level, .message] | @tsv' '{file}'"#
        );
    }
    if let Some(base) = base {
        if let Some(Kept { exchange, file }) = of(slice::from_ref(&visits.too_large)) {
            let (id, file) = (&exchange.correlation.id, file.display());
            println!("Send the order of 450 cups again, without the customer's data:");
            println!(
                "  cargo run -q -p dashcam-cli -- export --curl --id {id} --base {base} '{file}' | sh"
            );
        }
        println!("Try these, and read the file again:");
        println!("  curl -i -H 'x-request-id: my-own-id' {base}/panic");
        println!("  curl -i '{base}/echo?delay_ms=6000'");
        println!(
            "  curl -i -H 'content-type: application/json' -d '{}' {base}/orders",
            visitors::also_unlucky()
        );
    }
    Ok(())
}

struct Kept {
    exchange: Exchange,
    file: PathBuf,
}

/// The exchange with this correlation ID, and the file it is in.
fn find(id: &str) -> io::Result<Option<Kept>> {
    let directory = env::var_os("DASHCAM_DIR").map_or_else(|| "dashcam".into(), PathBuf::from);
    // `JsonLines::read` reads all files, without their names.
    let Ok(entries) = fs::read_dir(directory) else {
        return Ok(None); // no exchange was written
    };
    for entry in entries {
        let file = entry?.path();
        if file
            .extension()
            .is_some_and(|extension| extension == "jsonl")
        {
            let mut exchanges = JsonLines::read(&file)?.flatten();
            if let Some(exchange) = exchanges.find(|exchange| exchange.correlation.id == id) {
                let file = file.canonicalize()?;
                return Ok(Some(Kept { exchange, file }));
            }
        }
    }
    Ok(None)
}

fn tell(exchange: &Exchange) {
    let (request, response) = (&exchange.request, exchange.response.as_ref());
    let status = response.map_or_else(|| "no response".to_owned(), |r| r.status.to_string());
    println!("request    {} {} -> {status}", request.method, request.path);
    println!("ID         {}", exchange.correlation.id);
    let keep: Vec<_> = exchange.keep.iter().map(reason).collect();
    println!(
        "outcome    {} (kept for: {})",
        exchange.outcome,
        keep.join(", ")
    );
    if let Some(panic) = &exchange.panic {
        println!("panic      {}", panic.message);
        println!(
            "at         {}",
            panic.location.as_deref().unwrap_or("unknown")
        );
    }
    println!("decisions");
    for decision in &exchange.decisions {
        let fields = pairs(&decision.fields);
        println!("  {}  {}{fields}", time(decision.at_us), decision.name);
    }
    println!("events (the log has only those at INFO and above)");
    for event in &exchange.events {
        println!("  {}", line(event));
    }
    if let Some(Content::Text { text, .. }) = &request.body.content {
        println!("request body, as kept\n  {text}");
    }
    if exchange.losses == Losses::default() && exchange.missing.is_empty() {
        println!("losses     none");
    } else {
        println!("losses     {:?} {:?}", exchange.losses, exchange.missing);
    }
}

fn reason(reason: &KeepReason) -> String {
    match reason {
        KeepReason::Outcome => "its outcome".to_owned(),
        KeepReason::Slow => "slowness".to_owned(),
        KeepReason::ErrorEvent => "an ERROR event".to_owned(),
        other => format!("{other:?}"),
    }
}

fn line(event: &Event) -> String {
    let message = event.message.as_deref().unwrap_or_default();
    let fields = pairs(&event.fields);
    let time = time(event.at_us);
    format!(
        "{time}  {:<5}  {:<16}  {message}{fields}",
        event.level, event.target
    )
}

fn pairs(fields: &Map<String, Value>) -> String {
    fields
        .iter()
        .map(|(name, value)| format!("  {name}={value}"))
        .collect()
}

fn time(at_us: u64) -> String {
    format!("+{:>8.3} ms", at_us as f64 / 1e3)
}
