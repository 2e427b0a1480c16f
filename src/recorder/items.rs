//! The items of a stream: it finds where one ends, independent of the chunks.

use super::begins;
use std::time::Duration;

/// How much of a stream is captured, apart from the limit of its bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StreamLimits {
    pub(crate) items: u64,
    pub(crate) time: Duration,
}

/// The framing of the items of a stream.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Framing {
    /// Server-sent events: blocks that end with an empty line
    /// (WHATWG HTML, section 9.2.6).
    Events,
    /// NDJSON and JSON Lines: one item per line. Empty lines are no items.
    Lines,
    /// gRPC and streams of Connect: a flag byte, the length in four bytes, the message.
    Messages,
}

impl Framing {
    /// Returns the framing of a body of this type; `None` if a coding hides it.
    pub(crate) fn of(content_type: Option<&[u8]>, coded: impl Fn() -> bool) -> Option<Self> {
        let value = content_type?.trim_ascii_start();
        let known = |name: &str| begins(value, name.as_bytes());
        // Most other types differ in these letters already.
        let framing = match value.get(12)?.to_ascii_lowercase() {
            b'g' if known("application/grpc") && !known("application/grpc-web-text") => {
                Self::Messages
            }
            b'c' if known("application/connect+") => Self::Messages,
            b't' if known("text/event-stream") => Self::Events,
            b'x' if known("application/x-ndjson") || known("application/x-jsonlines") => {
                Self::Lines
            }
            b'n' if known("application/ndjson") => Self::Lines,
            b'j' if known("application/jsonl") || known("application/json-lines") => Self::Lines,
            _ => return None,
        };
        // The coding of gRPC is inside the messages.
        (framing == Self::Messages || !coded()).then_some(framing)
    }
}

/// Counts the items of one stream.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Items {
    framing: Framing,
    limits: StreamLimits,
    count: u64,
    /// The bytes of the line so far; for a message, the bytes that are still to come.
    length: u64,
    /// For a block of lines: whether it has more than comments. For a message: whether it counts.
    counts: bool,
    after_cr: bool,
    head: [u8; 5],
    in_head: u8,
}

impl Items {
    pub(crate) fn new(framing: Framing, limits: StreamLimits) -> Self {
        Self {
            framing,
            limits,
            count: 0,
            length: 0,
            counts: false,
            after_cr: false,
            head: [0; 5],
            in_head: 0,
        }
    }

    /// Returns whether a chunk this long after the first byte is no longer captured.
    pub(crate) fn is_late(&self, since_first: Duration) -> bool {
        since_first > self.limits.time
    }

    /// Counts the items that end in these bytes. Returns how many of the bytes belong to captured
    /// items.
    pub(crate) fn feed(&mut self, bytes: &[u8]) -> usize {
        let mut captured = if self.count >= self.limits.items {
            0
        } else {
            bytes.len()
        };
        let mut at = 0;
        while at < bytes.len() {
            let rest = bytes.get(at..).unwrap_or_default();
            let (taken, whole) = match self.framing {
                Framing::Lines => self.line(rest),
                Framing::Events => self.event(rest),
                Framing::Messages => self.message(rest),
            };
            at += taken;
            if whole {
                self.count += 1;
                if self.count == self.limits.items {
                    captured = at;
                }
            }
        }
        captured
    }

    /// Returns the number of complete items that have passed.
    pub(crate) fn count(&self, ended: bool) -> u64 {
        // The last line needs no terminator.
        let last = ended && self.framing == Framing::Lines && self.length > 0;
        self.count + u64::from(last)
    }

    fn line(&mut self, bytes: &[u8]) -> (usize, bool) {
        let (taken, ended) = match memchr::memchr(b'\n', bytes) {
            Some(end) => (end + 1, true),
            None => (bytes.len(), false),
        };
        let line = bytes.get(..taken).unwrap_or_default().trim_ascii();
        self.length += line.len() as u64;
        if !ended {
            return (taken, false);
        }
        (taken, std::mem::take(&mut self.length) > 0)
    }

    fn event(&mut self, bytes: &[u8]) -> (usize, bool) {
        if std::mem::take(&mut self.after_cr) && bytes.first() == Some(&b'\n') {
            return (1, false);
        }
        let end = memchr::memchr2(b'\n', b'\r', bytes);
        let line = end.unwrap_or(bytes.len());
        if self.length == 0 && line > 0 && bytes.first() != Some(&b':') {
            self.counts = true;
        }
        self.length += line as u64;
        let Some(end) = end else {
            return (bytes.len(), false);
        };
        self.after_cr = bytes.get(end) == Some(&b'\r');
        let empty = std::mem::take(&mut self.length) == 0;
        (end + 1, empty && std::mem::take(&mut self.counts))
    }

    fn message(&mut self, bytes: &[u8]) -> (usize, bool) {
        if self.length > 0 {
            let taken = usize::try_from(self.length)
                .unwrap_or(usize::MAX)
                .min(bytes.len());
            self.length -= taken as u64;
            return (taken, self.length == 0 && self.counts);
        }
        let from = usize::from(self.in_head);
        let taken = (self.head.len() - from).min(bytes.len());
        for (to, byte) in self.head.iter_mut().skip(from).zip(bytes) {
            *to = *byte;
        }
        self.in_head += u8::try_from(taken).unwrap_or(5);
        if usize::from(self.in_head) < self.head.len() {
            return (taken, false);
        }
        self.in_head = 0;
        let [flags, length @ ..] = self.head;
        self.length = u32::from_be_bytes(length).into();
        // Otherwise it is the trailers of gRPC-Web, or the end of a Connect stream.
        self.counts = flags & 0x82 == 0;
        (taken, self.length == 0 && self.counts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn items(framing: Framing, most: u64) -> Items {
        Items::new(
            framing,
            StreamLimits {
                items: most,
                time: Duration::MAX,
            },
        )
    }

    /// Feeds the bytes in pieces of these sizes. Returns the count, and the captured bytes.
    fn cut(mut items: Items, bytes: &[u8], sizes: &[usize]) -> (u64, usize) {
        let (mut at, mut captured, mut open) = (0, 0, true);
        let mut sizes = sizes.iter().cycle();
        while at < bytes.len() {
            let size = sizes.next().copied().unwrap_or(1).min(bytes.len() - at);
            let part = items.feed(&bytes[at..at + size]);
            if open {
                captured += part;
            }
            open &= part == size;
            at += size;
        }
        (items.count(true), captured)
    }

    const EVENTS: &[u8] = b": hello\n\ndata: 1\n\ndata: 2\r\ndata: 2\r\n\r\nid: 3\r\rdata: rest";
    const LINES: &[u8] = b"{\"a\":1}\n\n{\"a\":2}\r\n \n{\"a\":3}";
    const MESSAGES: &[u8] =
        b"\0\0\0\0\x03abc\0\0\0\0\0\x01\0\0\0\x01z\x80\0\0\0\x02tt\0\0\0\0\x09part";

    proptest! {
        #[test]
        fn however_it_is_cut(sizes in prop::collection::vec(1_usize..9, 1..9)) {
            for (framing, bytes, count, second) in [
                (Framing::Events, EVENTS, 3, 37),
                (Framing::Lines, LINES, 3, 18),
                (Framing::Messages, MESSAGES, 3, 13),
            ] {
                let all = cut(items(framing, 100), bytes, &sizes);
                prop_assert_eq!(all, (count, bytes.len()), "{:?}", framing);
                let two = cut(items(framing, 2), bytes, &sizes);
                prop_assert_eq!(two, (count, second), "{:?}", framing);
            }
        }
    }

    #[test]
    fn known_by_their_type() {
        let of = |name: &str| Framing::of(Some(name.as_bytes()), || false);
        assert_eq!(
            of("text/event-stream; charset=utf-8"),
            Some(Framing::Events)
        );
        assert_eq!(of("Application/X-NDJSON"), Some(Framing::Lines));
        assert_eq!(of("application/jsonl"), Some(Framing::Lines));
        assert_eq!(of("application/grpc+proto"), Some(Framing::Messages));
        assert_eq!(of("application/grpc-web-text"), None);
        assert_eq!(of("application/json"), None);
        assert_eq!(of("text/html"), None);
        assert_eq!(Framing::of(Some(b"text/event-stream"), || true), None);
        assert_eq!(
            Framing::of(Some(b"application/grpc"), || true),
            Some(Framing::Messages)
        );
    }
}
