//! The spans around recorded events. Each is stored once for all events in it.

use super::{KEEP_CAPACITY, merge};
use std::ptr;
use tracing::Metadata;

/// The overhead of one span, in bytes.
const HEAD: usize = size_of::<Node>();
/// No span, or no parent.
pub(super) const NO_SPAN: u32 = u32::MAX;
/// The limit for the fields of open spans, in bytes.
const OPEN_LIMIT: usize = 32 * 1024;
/// The overhead of one open span, in bytes.
const OPEN_HEAD: usize = size_of::<Open>();
/// The most spans of one path. Deeper paths lose their middle.
const DEPTH: usize = 64;

/// Spans, with the fields that they had when an event in them was recorded.
#[derive(Clone, Debug, Default)]
pub(super) struct SpanTree {
    /// Fields of open spans, by ID. They are not in the registry's extensions, which another layer
    /// may have locked when an event is recorded.
    open: Vec<Open>,
    open_size: usize,
    /// Parents come before their children.
    nodes: Vec<Node>,
    values: Vec<u8>,
    /// How many spans, or fields of spans, were left out.
    cut: u64,
}

#[derive(Clone, Debug)]
struct Open {
    id: u64,
    /// `None` for a span that was opened outside of the request.
    metadata: Option<&'static Metadata<'static>>,
    fields: Vec<u8>,
}

#[derive(Clone, Debug)]
struct Node {
    /// The span's ID while it is open and unchanged, else 0: fields change, and the registry
    /// reuses IDs.
    id: u64,
    metadata: &'static Metadata<'static>,
    parent: u32,
    /// The range in `values`.
    start: u32,
    end: u32,
}

impl SpanTree {
    /// Returns the open span of this ID and callsite, if it is stored and unchanged.
    pub(super) fn find(&self, id: u64, metadata: &'static Metadata<'static>) -> Option<u32> {
        let is_it = |node: &Node| node.id == id && ptr::eq(node.metadata, metadata);
        let at = self.nodes.iter().rposition(is_it)?;
        u32::try_from(at).ok()
    }

    /// Stores the spans of a path that are not stored yet, outermost first, in at most `room`
    /// bytes. Returns the innermost one.
    pub(super) fn note(
        &mut self,
        path: &[(u64, &'static Metadata<'static>)],
        mut room: usize,
    ) -> u32 {
        let middle = path.len().saturating_sub(DEPTH);
        self.cut += middle as u64;
        let (outer, inner) = path.split_at(path.len().min(DEPTH / 2));
        let inner = inner.get(middle..).unwrap_or_default();
        let mut parent = NO_SPAN;
        for &(id, metadata) in outer.iter().chain(inner) {
            parent = match self.find(id, metadata) {
                Some(known) if self.parent(known) == parent => known,
                _ if room < HEAD => {
                    self.cut += 1;
                    continue;
                }
                _ => {
                    let before = self.noted();
                    let added = self.add(id, metadata, parent, room / 2);
                    room = room.saturating_sub(self.noted() - before);
                    added
                }
            };
        }
        parent
    }

    fn parent(&self, node: u32) -> u32 {
        self.nodes
            .get(node as usize)
            .map_or(NO_SPAN, |node| node.parent)
    }

    fn add(
        &mut self,
        id: u64,
        metadata: &'static Metadata<'static>,
        parent: u32,
        longest: usize,
    ) -> u32 {
        let start = self.values.len();
        // The names of all spans are worth more than the fields of one.
        if let Some(open) = self.open.iter().find(|open| open.id == id) {
            if open.fields.len() <= longest {
                self.values.extend_from_slice(&open.fields);
            } else {
                self.cut += 1;
            }
        }
        let (Ok(index), Ok(start), Ok(end)) = (
            u32::try_from(self.nodes.len()),
            u32::try_from(start),
            u32::try_from(self.values.len()),
        ) else {
            // The recording's limit keeps everything far below.
            return NO_SPAN;
        };
        self.nodes.push(Node {
            id,
            metadata,
            parent,
            start,
            end,
        });
        index
    }

    /// Returns metadata and encoded fields of the spans down to this one, outermost first. It
    /// leaves out the request's own span, which the exchange stands for.
    pub(super) fn path(&self, leaf: u32) -> Vec<(&'static Metadata<'static>, &[u8])> {
        let mut path = Vec::new();
        let mut at = leaf;
        while let Some(node) = self.nodes.get(at as usize) {
            if !crate::targets::is_own_request(node.metadata) {
                let fields = self.values.get(node.start as usize..node.end as usize);
                path.push((node.metadata, fields.unwrap_or_default()));
            }
            at = node.parent;
        }
        path.reverse();
        path
    }

    /// Holds the fields of a span that begins.
    pub(super) fn begin(&mut self, id: u64, metadata: &'static Metadata<'static>, fields: &[u8]) {
        self.open.push(Open {
            id,
            metadata: Some(metadata),
            fields: fields.to_vec(),
        });
        self.open_size += fields.len() + OPEN_HEAD;
    }

    /// Returns metadata and encoded fields of the open spans whose metadata is known.
    pub(super) fn open(&self) -> impl Iterator<Item = (&'static Metadata<'static>, &[u8])> {
        let open = self.open.iter();
        open.filter_map(|open| Some((open.metadata?, open.fields.as_slice())))
    }

    /// Returns whether there is room for this many more bytes of fields of open spans.
    pub(super) fn fits(&self, more: usize) -> bool {
        self.open_size + more + OPEN_HEAD <= OPEN_LIMIT
    }

    /// Adds to the fields of a span.
    pub(super) fn record(&mut self, id: u64, more: &[u8]) {
        match self.open.iter_mut().find(|open| open.id == id) {
            Some(open) => {
                let before = open.fields.len();
                self.cut += u64::from(merge(&mut open.fields, more));
                self.open_size = self.open_size + open.fields.len() - before;
            }
            None => {
                self.open.push(Open {
                    id,
                    metadata: None,
                    fields: more.to_vec(),
                });
                self.open_size += more.len() + OPEN_HEAD;
            }
        }
        self.forget(id);
    }

    /// Counts spans, or fields of spans, that are left out.
    pub(super) fn add_cut(&mut self, cut: u32) {
        self.cut += u64::from(cut);
    }

    pub(super) fn close(&mut self, id: u64) {
        self.open.retain(|open| {
            let stays = open.id != id;
            if !stays {
                self.open_size -= open.fields.len() + OPEN_HEAD;
            }
            stays
        });
        self.forget(id);
    }

    /// Marks a stored span as changed, and all spans stored below it.
    fn forget(&mut self, id: u64) {
        let Some(first) = self.nodes.iter().position(|node| node.id == id) else {
            return;
        };
        for at in first..self.nodes.len() {
            let gone = |node: &Node| {
                let parent = self.nodes.get(node.parent as usize);
                node.id == id || node.parent as usize >= first && parent.is_some_and(|p| p.id == 0)
            };
            if self.nodes.get(at).is_some_and(gone)
                && let Some(node) = self.nodes.get_mut(at)
            {
                node.id = 0;
            }
        }
    }

    /// Returns the size in bytes, including the fields of open spans.
    pub(super) fn size(&self) -> usize {
        self.noted() + self.open_size
    }

    /// Returns the bytes of the stored spans.
    pub(super) fn noted(&self) -> usize {
        self.values.len() + self.nodes.len() * HEAD
    }

    pub(super) fn cut(&self) -> u64 {
        self.cut
    }

    /// Drops the spans that contain no event. `leaves` are the indices of the events' spans; they
    /// are updated.
    pub(super) fn sweep<'l>(&mut self, leaves: impl Iterator<Item = &'l mut u32>) {
        let mut used = vec![false; self.nodes.len()];
        let leaves: Vec<&mut u32> = leaves.collect();
        for leaf in &leaves {
            let mut at = **leaf as usize;
            while let Some(mark) = used.get_mut(at).filter(|mark| !**mark) {
                *mark = true;
                at = self.nodes.get(at).map_or(usize::MAX, |n| n.parent as usize);
            }
        }
        let (mut nodes, mut values) = (Vec::new(), Vec::new());
        let mut moved = vec![NO_SPAN; self.nodes.len()];
        let to = |moved: &[u32], at: u32| moved.get(at as usize).copied().unwrap_or(NO_SPAN);
        for (at, node) in self.nodes.drain(..).enumerate() {
            if !used.get(at).copied().unwrap_or_default() {
                continue;
            }
            let start = u32::try_from(values.len()).unwrap_or(0);
            let fields = self.values.get(node.start as usize..node.end as usize);
            values.extend_from_slice(fields.unwrap_or_default());
            if let Some(slot) = moved.get_mut(at) {
                *slot = u32::try_from(nodes.len()).unwrap_or(NO_SPAN);
            }
            nodes.push(Node {
                parent: to(&moved, node.parent),
                start,
                end: u32::try_from(values.len()).unwrap_or(start),
                ..node
            });
        }
        for leaf in leaves {
            *leaf = to(&moved, *leaf);
        }
        self.nodes = nodes;
        self.values = values;
    }

    /// Empties it. Small buffers stay allocated.
    pub(super) fn reset(&mut self) {
        let Self {
            open,
            open_size,
            nodes,
            values,
            cut,
        } = self;
        open.clear();
        open.shrink_to(64);
        nodes.clear();
        nodes.shrink_to(KEEP_CAPACITY / HEAD);
        values.clear();
        values.shrink_to(KEEP_CAPACITY);
        (*open_size, *cut) = (0, 0);
    }
}
