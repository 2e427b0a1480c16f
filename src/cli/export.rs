//! `dashcam export`.

use super::{
    Answer, Failure, Output,
    args::ExportArgs,
    show::find,
    store::{self, directory},
};
use crate::exchange::Exchange;

pub(super) fn export(args: &ExportArgs, out: &mut Output) -> Result<Answer, Failure> {
    let path = directory(args.path.as_deref());
    let filter = args.filter.filter();
    let mut found = Vec::new();
    if let Some(id) = &args.id {
        found = find(&path, id, out)?;
        found.retain(|exchange| filter.matches(exchange));
    } else {
        store::each(&path, out, &mut |exchange, _| {
            if filter.matches(&exchange) {
                found.push(exchange);
            }
            Ok(())
        })?;
        found.sort_by(|a: &Exchange, b| a.started_at.cmp(&b.started_at));
    }
    if found.is_empty() {
        out.note(&format!("no exchange in {} is like that", path.display()));
        return Ok(Answer::No);
    }
    let _ = args.har;
    Ok(Answer::Yes)
}
