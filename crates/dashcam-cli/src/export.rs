//! `dashcam export`.

use super::{
    Answer, Failure, Output,
    args::ExportArgs,
    show::{find, is_last},
    store::{self, directory},
    top,
};
use dashcam::export::har;
use dashcam::find::Search;
use serde_json::json;

pub(super) fn export(args: &ExportArgs, out: &mut Output) -> Result<Answer, Failure> {
    // `requires` does not apply if another argument excludes the required one.
    if args.har && args.base.is_some() {
        return Err(Failure::cannot("--base is for --curl"));
    }
    let path = directory(args.path.as_deref());
    let filter = args.filter.filter()?;
    let found = if let Some(id) = &args.id {
        let mut found = find(&path, id, out)?;
        found.retain(|exchange| filter.matches(exchange));
        found
    } else {
        let search = Search::new(&path).filter(filter.clone());
        let (found, trouble) = store::read(&path, &search, Some)?;
        trouble.tell_all(out);
        found
    };
    if found.is_empty() {
        let id = args.id.as_deref().filter(|id| !is_last(id));
        let all = filter.is_empty() && id.is_none();
        store::explain_none(&path, &args.filter, all, out)?;
        if id.is_some() || args.filter.asks_for_an_id() {
            top::tell_of_unknown(&path, out)?;
        }
        return Ok(Answer::No);
    }
    if args.har {
        out.json(&har::from_exchanges(&found))?;
        return Ok(Answer::Yes);
    }
    for (n, exchange) in found.iter().enumerate() {
        let curl = exchange.to_curl(args.base.as_deref());
        if out.is_json() {
            out.json(&json!({ "id": exchange.id, "curl": curl }))?;
            continue;
        }
        if n > 0 {
            out.line(format_args!(""))?;
        }
        // Its only unsafe characters are line feeds: the command has the others in a form that
        // the shell restores.
        out.line(format_args!("{}", curl.trim_end()))?;
    }
    Ok(Answer::Yes)
}
