//! The spans around recorded events, noted once for all events in them.

use super::{KEEP_CAPACITY, merge};
use tracing::Metadata;

/// Paths one recording may hold before old ones go, in bytes. A path may take
/// as much again, so that they are half of a recording at most.
const LIMIT: usize = 16 * 1024;
/// What one path, or one span of it, costs beside its fields.
const HEAD: usize = size_of::<Path>() + size_of::<Part>();

/// Paths of spans and the fields they had, in bounded memory.
#[derive(Debug, Default)]
pub(super) struct SpanPaths {
    /// Fields of spans that are open, by ID. Not in the registry's extensions:
    /// another layer may have locked those when an event is recorded.
    open: Vec<(u64, Vec<u8>)>,
    paths: Vec<Path>,
    parts: Vec<Part>,
    values: Vec<u8>,
    /// Spans whose names or fields were left out.
    cut: u64,
}

#[derive(Clone, Debug)]
struct Path {
    /// The innermost span's ID while it may still be open, else 0: the
    /// registry gives IDs out again.
    id: u64,
    /// Range in `parts`.
    start: usize,
    end: usize,
}

#[derive(Clone, Debug)]
struct Part {
    metadata: &'static Metadata<'static>,
    /// Range in `values`.
    start: usize,
    end: usize,
}

impl SpanPaths {
    /// The index of a path that was noted under this ID and is still good.
    pub(super) fn of(&self, id: u64) -> Option<u32> {
        let at = self.paths.iter().rposition(|path| path.id == id)?;
        u32::try_from(at).ok()
    }

    /// Metadata and encoded fields of the spans of a path, outermost first.
    pub(super) fn spans(
        &self,
        path: u32,
    ) -> impl Iterator<Item = (&'static Metadata<'static>, &[u8])> {
        let parts = self
            .paths
            .get(path as usize)
            .and_then(|path| self.parts.get(path.start..path.end));
        parts.unwrap_or_default().iter().map(|part| {
            let fields = self.values.get(part.start..part.end).unwrap_or_default();
            (part.metadata, fields)
        })
    }

    /// Bytes of fields, which count as part of the recording.
    pub(super) fn values_len(&self) -> usize {
        self.values.len()
    }

    pub(super) fn cut(&self) -> u64 {
        self.cut
    }

    /// Keeps the fields of a span that was opened in the request.
    pub(super) fn open(&mut self, id: u64, fields: &[u8]) {
        let held: usize = self.open.iter().map(|(_, fields)| fields.len()).sum();
        if held + fields.len() + (self.open.len() + 1) * HEAD > 4 * LIMIT {
            self.cut += 1;
            return;
        }
        self.open.push((id, fields.to_vec()));
    }

    /// Adds to the fields of an open span.
    pub(super) fn record(&mut self, id: u64, more: &[u8]) {
        match self.open.iter_mut().find(|(open, _)| *open == id) {
            Some((_, fields)) => merge(fields, more),
            None => self.open(id, more),
        }
        self.forget_ids();
    }

    pub(super) fn close(&mut self, id: u64) {
        self.open.retain(|(open, _)| *open != id);
        self.forget_ids();
    }

    /// Notes the path that ends in `leaf`: IDs and metadata, outermost first.
    /// `limit` is the recording's. Returns its index, and how many older paths
    /// went to make room; the indices of the rest have moved by so many.
    pub(super) fn note(
        &mut self,
        leaf: u64,
        path: &[(u64, &'static Metadata<'static>)],
        limit: usize,
    ) -> (Option<u32>, u32) {
        let room = LIMIT.min(limit / 4);
        let mut gone = 0;
        while self.size() > room && !self.paths.is_empty() {
            gone += self.drop_older_half();
        }
        let Ok(index) = u32::try_from(self.paths.len()) else {
            return (None, gone);
        };
        let start = self.parts.len();
        for &(id, metadata) in path {
            let left = (2 * room).saturating_sub(self.size());
            if left < HEAD {
                self.cut += 1;
                continue;
            }
            let start = self.values.len();
            let fields = self.open.iter().find(|(open, _)| *open == id);
            let fields = fields.map_or(&[][..], |(_, fields)| fields);
            // The names of all spans are worth more than the fields of one.
            if fields.len() <= left / 2 {
                self.values.extend_from_slice(fields);
            } else {
                self.cut += 1;
            }
            self.parts.push(Part {
                metadata,
                start,
                end: self.values.len(),
            });
        }
        self.paths.push(Path {
            id: leaf,
            start,
            end: self.parts.len(),
        });
        (Some(index), gone)
    }

    fn size(&self) -> usize {
        self.values.len() + (self.paths.len() + self.parts.len()) * HEAD
    }

    fn drop_older_half(&mut self) -> u32 {
        let paths = self.paths.len().div_ceil(2);
        let parts = self
            .paths
            .get(paths)
            .map_or(self.parts.len(), |path| path.start);
        let values = self
            .parts
            .get(parts)
            .map_or(self.values.len(), |part| part.start);
        self.paths.drain(..paths);
        self.parts.drain(..parts);
        self.values.drain(..values);
        for path in &mut self.paths {
            path.start -= parts;
            path.end -= parts;
        }
        for part in &mut self.parts {
            part.start -= values;
            part.end -= values;
        }
        u32::try_from(paths).unwrap_or(u32::MAX)
    }

    /// Forgets which IDs stand for which path: a span was closed, so its ID may
    /// come again, or its fields changed, and with them its descendants' paths.
    fn forget_ids(&mut self) {
        for path in &mut self.paths {
            path.id = 0;
        }
    }

    /// A copy of the paths, without what is known of open spans.
    pub(super) fn copy(&self) -> Self {
        Self {
            open: Vec::new(),
            paths: self.paths.clone(),
            parts: self.parts.clone(),
            values: self.values.clone(),
            cut: 0,
        }
    }

    /// Empties it; small buffers stay allocated.
    pub(super) fn reset(&mut self) {
        self.open.clear();
        self.open.shrink_to(64);
        self.paths.clear();
        self.paths.shrink_to(KEEP_CAPACITY / HEAD);
        self.parts.clear();
        self.parts.shrink_to(KEEP_CAPACITY / HEAD);
        self.values.clear();
        self.values.shrink_to(KEEP_CAPACITY);
        self.cut = 0;
    }
}
