//! The constant parts of a callsite's lines.

use super::{format::LineFormat, json::string};
use crate::{redact::Scrubber, render::Site, targets::is_own_request};
use std::{array, ptr};
use tracing::Metadata;

/// A callsite, and the constant parts of its lines.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) site: Site,
    /// Whether its lines are dashcam's own, which hold no free text.
    pub(super) own: bool,
    /// Whether the policy hides a field by its name.
    pub(super) hides: bool,
    /// Whether it is for records of the `log` crate, which have their target as a field.
    pub(super) logged: bool,
    /// `,"level":"…","target":"…"`; without the target for records of `log`.
    pub(super) head: Vec<u8>,
    /// `,"source":"…"`, if it is known.
    pub(super) source: Vec<u8>,
    /// `{"name":"…"`, if it is a span.
    pub(super) span: Vec<u8>,
    /// For each field: the quoted name with the colon, and whether the name is reserved.
    pub(super) names: Vec<(Vec<u8>, bool)>,
    pub(super) reserved: bool,
    pub(super) last: Last,
}

impl Place {
    fn new(metadata: &'static Metadata<'static>, format: &LineFormat, scrubber: &Scrubber) -> Self {
        let site = Site::new(metadata, scrubber.policy());
        let logged = site.logged;
        let mut head = Vec::new();
        if let Some((name, value)) = format.constant {
            member(&mut head, name, value);
        }
        let level = format.level_text(*metadata.level());
        member(&mut head, format.level, level);
        if !logged {
            member(&mut head, format.target, metadata.target());
        }
        let mut source = Vec::new();
        if let (Some(file), Some(line)) = (metadata.file(), metadata.line()) {
            member(&mut source, "source", &format!("{file}:{line}"));
        }
        let mut span = Vec::new();
        span.extend_from_slice(b"{\"name\":");
        string(&mut span, metadata.name());
        let names: Vec<_> = site
            .fields
            .iter()
            .map(|field| {
                let mut name = Vec::new();
                string(&mut name, &field.name);
                name.push(b':');
                (name, format.reserves(&field.name))
            })
            .collect();
        Self {
            own: is_own_request(metadata),
            hides: site.fields.iter().any(|field| field.hidden),
            logged,
            head,
            source,
            span,
            reserved: names.iter().any(|(_, reserved)| *reserved),
            names,
            site,
            last: Last::default(),
        }
    }
}

/// Writes a member that is not the first of its object.
pub(super) fn member(out: &mut Vec<u8>, name: &str, value: &str) {
    out.push(b',');
    string(out, name);
    out.push(b':');
    string(out, value);
}

/// The last message or span of a callsite as it was written. Most messages are always the
/// same, and the events in a span repeat it.
#[derive(Debug, Default)]
pub(super) struct Last {
    /// What was hidden in it.
    hiding: u64,
    values: Vec<u8>,
    text: Vec<u8>,
}

impl Last {
    const LIMIT: usize = 512;

    /// The text that was written for these values, if the same had to be hidden.
    pub(super) fn text(&self, hiding: u64, values: &[u8]) -> Option<&[u8]> {
        (self.hiding == hiding && self.values == values && !self.text.is_empty())
            .then_some(&self.text)
    }

    /// Longer texts are not remembered: they vary, and there are many callsites. Nor are
    /// texts with a placeholder of a request that hides no value: another request may have
    /// another hash there.
    pub(super) fn remember(&mut self, hiding: u64, values: &[u8], text: &[u8]) {
        self.values.clear();
        self.text.clear();
        if hiding == 0 && memchr::memmem::find(text, b"[~").is_some() {
            return;
        }
        if values.len() <= Self::LIMIT && text.len() <= 2 * Self::LIMIT {
            self.hiding = hiding;
            self.values.extend_from_slice(values);
            self.text.extend_from_slice(text);
        }
    }
}

/// The callsites used lately, by the address of their metadata.
#[derive(Debug)]
pub(super) struct Places(Box<[Set; Self::SETS]>);

/// The callsites that share a hash, the newest first.
type Set = [Option<Box<Place>>; 4];

impl Places {
    const SETS: usize = 256;

    pub(super) fn new() -> Self {
        Self(Box::new(array::from_fn(|_| Set::default())))
    }

    pub(super) fn of(
        &mut self,
        metadata: &'static Metadata<'static>,
        format: &LineFormat,
        scrubber: &Scrubber,
    ) -> &mut Place {
        // The golden ratio: its highest bits distinguish addresses at equal distances.
        let hash = (ptr::from_ref(metadata).addr() as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let set = &mut self.0[(hash >> 56) as usize % Self::SETS];
        let same = |place: &Option<Box<Place>>| {
            place
                .as_ref()
                .is_some_and(|place| ptr::eq(place.site.metadata, metadata))
        };
        let at = set.iter().position(same).unwrap_or_else(|| {
            set.rotate_right(1);
            set[0] = None;
            0
        });
        set[at % set.len()].get_or_insert_with(|| Box::new(Place::new(metadata, format, scrubber)))
    }
}
