//! Builds the events and decisions of an exchange.

use super::{Depth, Redactor, since};
use crate::{
    exchange::{Decision, Event, Span, Thread},
    recorder::{EventRecord, Recording, Values, Visited, thread_id},
    redact::Scrubber,
    render::{Fields, Sites, raw},
    targets::DECISION_TARGET,
};
use serde_json::{Map, Value};
use std::time::Instant;
use tracing::{Level, Metadata};

/// Passes every field with a suspicious name to the redactor, because another event's text
/// may contain its value.
pub(in crate::keeper) fn remember_fields(
    redactor: &mut Redactor<'_>,
    recording: &Recording,
    sites: &mut Sites,
) {
    let mut remember = |metadata, values| {
        let site = sites.of(metadata, redactor.policy());
        for (index, value) in Values(values) {
            if !site.fields.get(index).is_some_and(|field| field.hidden) {
                continue;
            }
            match value {
                Visited::Text { text, .. } => redactor.remember(text.as_str()),
                Visited::I64(n) => redactor.remember(&n.to_string()),
                Visited::U64(n) => redactor.remember(&n.to_string()),
                Visited::I128(n) => redactor.remember(&n.to_string()),
                Visited::U128(n) => redactor.remember(&n.to_string()),
                Visited::F64(n) => redactor.remember(&n.to_string()),
                Visited::Bool(_) => {}
            }
        }
    };
    for event in recording.events() {
        remember(event.metadata, event.values);
        for (metadata, values) in event.spans() {
            remember(metadata, values);
        }
    }
    for (metadata, values) in recording.open_spans() {
        remember(metadata, values);
    }
}

pub(super) fn render(
    recording: &Recording,
    scrubber: &Scrubber,
    started: Instant,
    depth: Depth,
    sites: &mut Sites,
) -> (Vec<Event>, Vec<Decision>) {
    let mut events = Vec::new();
    let mut decisions = Vec::new();
    for record in recording.events() {
        if record.metadata.target() == DECISION_TARGET {
            decisions.push(decision(&record, scrubber, started, sites));
        } else if depth == Depth::Full || *record.metadata.level() <= Level::INFO {
            events.push(event(&record, scrubber, started, sites));
        }
    }
    (events, decisions)
}

fn event(
    record: &EventRecord<'_>,
    scrubber: &Scrubber,
    started: Instant,
    sites: &mut Sites,
) -> Event {
    let metadata = record.metadata;
    let site = sites.of(metadata, scrubber.policy());
    let fields = Fields {
        site: &site,
        values: record.values,
        scrubber: Some(scrubber),
        once: false,
    };
    let mut map = fields.to_map();
    let (mut target, mut file, mut line) = (None, None, None);
    // Records of the `log` crate have their source location as fields.
    if site.logged {
        let mut text = |name: &str| match map.remove(name) {
            Some(Value::String(text)) => Some(text),
            _ => None,
        };
        target = text("log.target");
        file = text("log.file");
        let _ = text("log.module_path");
        line = map.remove("log.line").and_then(|line| line.as_u64());
    }
    Event {
        at_us: since(started, record.at),
        level: metadata.level().as_str().to_owned(),
        target: target.unwrap_or_else(|| metadata.target().to_owned()),
        message: fields.message().map(std::borrow::Cow::into_owned),
        fields: map,
        file: file.or_else(|| metadata.file().map(str::to_owned)),
        line: line
            .and_then(|line| u32::try_from(line).ok())
            .or_else(|| metadata.line()),
        spans: record
            .spans()
            .into_iter()
            .map(|(metadata, values)| Span {
                name: metadata.name().to_owned(),
                fields: object(metadata, values, scrubber, sites),
            })
            .collect(),
        thread: record.thread.and_then(|thread| {
            Some(Thread {
                id: thread_id(thread)?,
                name: thread.name().map(str::to_owned),
            })
        }),
        task: record.task.id(),
        lost_before: record.lost_before,
        values_cut: record.cut.into(),
    }
}

fn decision(
    record: &EventRecord<'_>,
    scrubber: &Scrubber,
    started: Instant,
    sites: &mut Sites,
) -> Decision {
    // The first field of that name is the macro's own: a literal of the service's source,
    // so it needs no redaction, and clients cannot influence it.
    let own = raw(record.metadata, record.values).find(|(name, _)| *name == "decision");
    let name = match own {
        Some((_, Visited::Text { text, .. })) => Some(text.as_str().to_owned()),
        _ => None,
    };
    let site = sites.of(record.metadata, scrubber.policy());
    let fields = Fields {
        site: &site,
        values: record.values,
        scrubber: Some(scrubber),
        once: false,
    };
    let mut map = fields.to_map();
    if name.is_some() {
        map.remove("decision");
    }
    // A decision without a message has only its fields.
    if let Some(message) = fields.message() {
        let mut free = "message".to_owned();
        while map.contains_key(&free) {
            free.push('#');
        }
        map.insert(free, Value::String(message.into_owned()));
    }
    Decision {
        at_us: since(started, record.at),
        name: name.unwrap_or_default(),
        fields: map,
    }
}

fn object(
    metadata: &'static Metadata<'static>,
    values: &[u8],
    scrubber: &Scrubber,
    sites: &mut Sites,
) -> Map<String, Value> {
    let site = sites.of(metadata, scrubber.policy());
    let fields = Fields {
        site: &site,
        values,
        scrubber: Some(scrubber),
        once: false,
    };
    fields.to_map()
}
