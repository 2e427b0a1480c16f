//! Kept exchanges.

use super::{
    answer::{Answer, Named, Problem, answer, json_answer, work},
    state::{Ask, Shared},
};
use crate::{
    exchange::Exchange,
    export::{Memory, har},
    find::Filter,
};
use axum::{
    extract::{Query, State, rejection::QueryRejection},
    http::StatusCode,
};
use serde_json::json;
use std::{collections::HashMap, sync::Arc};

const LIMIT: usize = 50;
const MOST: usize = 1000;

/// The conditions of a [`Filter`] that may be in a URL, which proxies and browsers store.
const CONDITIONS: [&str; 10] = [
    "since",
    "until",
    "method",
    "route",
    "status",
    "outcome",
    "correlation_id",
    "kept_for",
    "fact",
    "header",
];

type Asked = Result<Query<Vec<(String, String)>>, QueryRejection>;

impl Shared {
    fn memory(&self) -> Result<&Memory, Problem> {
        self.kept.as_ref().ok_or_else(|| {
            let detail = "the router has no exchanges in memory: call `Admin::exchanges` with a \
                          `Memory` of the exporter";
            Problem::new(StatusCode::NOT_FOUND, detail)
        })
    }
}

/// Returns the newest exchanges that match, newest first.
fn find(kept: &Memory, filter: &Filter, limit: usize) -> Vec<Arc<Exchange>> {
    let all = kept.shared().into_iter().rev();
    all.filter(|exchange| filter.matches(exchange))
        .take(limit)
        .collect()
}

fn asked(query: Asked) -> Result<(Filter, usize), Problem> {
    let wrong = |why: String| Problem::new(StatusCode::BAD_REQUEST, why);
    let Query(pairs) = query.map_err(|error| wrong(error.body_text()))?;
    let (mut filter, mut limit) = (Filter::default(), LIMIT);
    for (name, value) in pairs {
        let added = match (name.as_str(), value.parse()) {
            ("limit", Ok(n @ 1..=MOST)) => {
                limit = n;
                Ok(())
            }
            ("limit", _) => Err(format!("expected a number from 1 to {MOST}")),
            (name, _) if CONDITIONS.contains(&name) => {
                let added = filter.add(name, &value);
                added.map_err(|error| error.to_string())
            }
            _ => Err(format!("expected {} or limit", CONDITIONS.join(", "))),
        };
        added.map_err(|why| wrong(why).with("field", name))?;
    }
    Ok((filter, limit))
}

pub(super) async fn list(State(shared): Ask, query: Asked) -> Answer {
    let (filter, limit) = asked(query)?;
    work(move || {
        let kept = shared.memory()?;
        let found = find(kept, &filter, limit);
        let rows: Vec<_> = found.iter().map(|exchange| exchange.summary()).collect();
        Ok(json_answer(&json!({
            "exchanges": rows,
            "in_memory": kept.len(),
            "evicted": kept.evicted(),
        })))
    })
    .await
}

pub(super) async fn one(State(shared): Ask, Named(id): Named) -> Answer {
    work(move || {
        let exchange = by_id(shared.memory()?, &id)?;
        Ok(json_answer(&*exchange))
    })
    .await
}

pub(super) async fn har(State(shared): Ask, query: Asked) -> Answer {
    let (filter, limit) = asked(query)?;
    work(move || {
        let mut found = find(shared.memory()?, &filter, limit);
        found.reverse();
        let har = har::from_exchanges(found.iter().map(AsRef::as_ref));
        Ok(json_answer(&har))
    })
    .await
}

pub(super) async fn one_har(State(shared): Ask, Named(id): Named) -> Answer {
    work(move || {
        let exchange = by_id(shared.memory()?, &id)?;
        Ok(json_answer(&har::from_exchanges([&*exchange])))
    })
    .await
}

pub(super) async fn curl(
    State(shared): Ask,
    Named(id): Named,
    query: Result<Query<HashMap<String, String>>, QueryRejection>,
) -> Answer {
    let Query(mut query) =
        query.map_err(|error| Problem::new(StatusCode::BAD_REQUEST, error.body_text()))?;
    work(move || {
        let exchange = by_id(shared.memory()?, &id)?;
        let curl = exchange.to_curl(query.remove("base").as_deref());
        let media = "text/plain; charset=utf-8";
        Ok(answer(StatusCode::OK, media, curl))
    })
    .await
}

fn by_id(kept: &Memory, id: &str) -> Result<Arc<Exchange>, Problem> {
    let found = kept.shared().into_iter().find(|exchange| exchange.id == id);
    found.ok_or_else(|| {
        let detail = "no exchange in memory has this ID, or it was evicted; /exchanges lists \
                      them, ?correlation_id= those of one correlation ID";
        Problem::new(StatusCode::NOT_FOUND, detail)
    })
}
