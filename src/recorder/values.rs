//! Field values as bytes. The request path writes them once, and renderers read them later.

use super::{
    causes,
    limited::{CUT, Limited, MIXED, OWN},
    origin::Literals,
    said::Text,
};
use crate::foreign;
use std::{
    cell::Cell,
    fmt::{self, Write},
};
use tracing::{
    Event,
    field::{Field, Visit},
};

/// The longest encoding of one event's or span's fields, in bytes, without the turns of its last
/// text.
const FIELDS_LIMIT: usize = 16 * 1024;

const I64: u8 = 0;
const U64: u8 = 1;
const I128: u8 = 2;
const U128: u8 = 3;
const F64: u8 = 4;
const BOOL: u8 = 5;
const STR: u8 = 6;
const DEBUG: u8 = 7;
/// The flags in the tag of a text.
const FLAGS: u8 = CUT | OWN | MIXED;

/// Writes the fields it visits into a buffer.
///
/// A value whose `Debug` panics is recorded as panicked: with the level off it would not have run,
/// and recording must not change the behaviour of the service.
#[derive(Debug)]
pub(crate) struct Encoder<'b> {
    out: &'b mut Vec<u8>,
    start: usize,
    cut: u32,
    literals: Literals,
}

impl<'b> Encoder<'b> {
    pub(crate) fn new(out: &'b mut Vec<u8>) -> Self {
        Self {
            start: out.len(),
            out,
            cut: 0,
            literals: Literals::get(),
        }
    }

    /// Returns how many values were cut or left out.
    pub(crate) fn cut(&self) -> u32 {
        self.cut
    }

    fn put<const N: usize>(&mut self, field: &Field, tag: u8, payload: [u8; N]) {
        if let Some(index) = self.index(field, N) {
            self.out.extend_from_slice(&[index, tag]);
            self.out.extend_from_slice(&payload);
        }
    }

    /// Returns the field's index if it and `more` bytes fit. Otherwise it counts the field as cut.
    fn index(&mut self, field: &Field, more: usize) -> Option<u8> {
        let fits = self.out.len() - self.start + more <= FIELDS_LIMIT;
        let index = u8::try_from(field.index()).ok().filter(|_| fits);
        if index.is_none() {
            self.cut += 1;
        }
        index
    }

    fn put_text(&mut self, field: &Field, tag: u8, write: impl FnOnce(&mut Limited<'_>)) {
        let Some(index) = self.index(field, 6) else {
            return;
        };
        let at = self.out.len();
        self.out.extend_from_slice(&[index, tag, 0, 0, 0, 0]);
        let left = FIELDS_LIMIT.saturating_sub(self.out.len() - self.start);
        let mut limited = Limited::new(self.out, self.literals.clone(), left);
        write(&mut limited);
        let (length, flags) = limited.finish();
        if flags & CUT != 0 {
            self.cut += 1;
        }
        if let Some(tag) = self.out.get_mut(at + 1) {
            *tag |= flags;
        }
        // The limits keep every length far below `u32::MAX`.
        let length = u32::try_from(length).unwrap_or(0);
        if let Some(slot) = self.out.get_mut(at + 2..at + 6) {
            slot.copy_from_slice(&length.to_le_bytes());
        }
    }
}

impl Visit for Encoder<'_> {
    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, I64, value.to_le_bytes());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, U64, value.to_le_bytes());
    }

    fn record_i128(&mut self, field: &Field, value: i128) {
        self.put(field, I128, value.to_le_bytes());
    }

    fn record_u128(&mut self, field: &Field, value: u128) {
        self.put(field, U128, value.to_le_bytes());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, F64, value.to_le_bytes());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, BOOL, [u8::from(value)]);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put_text(field, STR, |out| {
            // The buffer itself notes that it is full.
            let _ = out.write_str(value);
        });
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        self.put_text(field, DEBUG, |out| {
            guarded(out, |out| causes::write(out, value));
        });
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put_text(field, DEBUG, |out| {
            guarded(out, |out| write!(out, "{value:?}"));
        });
    }
}

/// Runs the service's code while nothing of ours is borrowed or locked.
fn guarded(out: &mut Limited<'_>, write: impl FnOnce(&mut Limited<'_>) -> fmt::Result) {
    if foreign::run(|| write(out)).is_none() {
        let _ = out.write_str("<panicked while formatting>");
    }
}

/// One decoded value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Visited<'b> {
    I64(i64),
    U64(u64),
    I128(i128),
    U128(u128),
    F64(f64),
    Bool(bool),
    Text {
        text: Text<'b>,
        cut: bool,
        /// Whether a `Debug` or `Display` wrote it, rather than a string.
        formatted: bool,
    },
}

/// Decodes the fields, as (index of the field, value), in order.
#[derive(Clone, Debug)]
pub(crate) struct Values<'b>(pub(crate) &'b [u8]);

impl<'b> Values<'b> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*head)
    }

    /// Returns the field of the next value.
    pub(crate) fn peek(&self) -> Option<usize> {
        self.0.first().map(|index| usize::from(*index))
    }

    /// Returns the encoding of the next value.
    pub(crate) fn encoded(&self) -> &'b [u8] {
        let mut rest = Self(self.0);
        rest.pass();
        let length = self.0.len() - rest.0.len();
        self.0.get(..length).unwrap_or_default()
    }

    /// Skips the next value. Returns its field.
    pub(crate) fn pass(&mut self) -> Option<usize> {
        let [index, tag] = self.take::<2>()?;
        let length = match tag & !FLAGS {
            I64 | U64 | F64 => 8,
            I128 | U128 => 16,
            BOOL => 1,
            STR | DEBUG => {
                let length = usize::try_from(u32::from_le_bytes(self.take()?)).ok()?;
                Text::take(&mut self.0, length, tag)?;
                0
            }
            _ => return None,
        };
        self.0 = self.0.get(length..)?;
        Some(index.into())
    }
}

impl<'b> Iterator for Values<'b> {
    type Item = (usize, Visited<'b>);

    fn next(&mut self) -> Option<Self::Item> {
        let [index, tag] = self.take::<2>()?;
        let value = match tag & !FLAGS {
            I64 => Visited::I64(i64::from_le_bytes(self.take()?)),
            U64 => Visited::U64(u64::from_le_bytes(self.take()?)),
            I128 => Visited::I128(i128::from_le_bytes(self.take()?)),
            U128 => Visited::U128(u128::from_le_bytes(self.take()?)),
            F64 => Visited::F64(f64::from_le_bytes(self.take()?)),
            BOOL => Visited::Bool(self.take::<1>()? != [0]),
            STR | DEBUG => {
                let length = usize::try_from(u32::from_le_bytes(self.take()?)).ok()?;
                Visited::Text {
                    text: Text::take(&mut self.0, length, tag)?,
                    cut: tag & CUT != 0,
                    formatted: tag & !FLAGS == DEBUG,
                }
            }
            _ => return None,
        };
        Some((usize::from(index), value))
    }
}

/// Adds later values of a span to its earlier ones. They replace those of the same fields, so the
/// size is bounded however often a field is recorded. If there are too many, earlier ones are left
/// out; returns how many.
pub(crate) fn merge(values: &mut Vec<u8>, later: &[u8]) -> u32 {
    let mut merged = Vec::with_capacity(values.len() + later.len());
    let mut gone = 0;
    let mut rest = Values(values);
    loop {
        let before = rest.0;
        let Some((index, _)) = rest.next() else { break };
        let (entry, _) = before.split_at(before.len() - rest.0.len());
        let fits = merged.len() + entry.len() + later.len() <= 2 * FIELDS_LIMIT;
        if Values(later).any(|(again, _)| again == index) {
            continue;
        }
        if fits {
            merged.extend_from_slice(entry);
        } else {
            gone += 1;
        }
    }
    merged.extend_from_slice(later);
    *values = merged;
    gone
}

thread_local! {
    static SCRATCH: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
    static IN_HAND: Cell<Option<InHand>> = const { Cell::new(None) };
}

/// Lends a buffer of this thread. It is *taken* meanwhile: code of the service that logs while it
/// formats a value gets another buffer.
pub(crate) fn with_scratch<R>(f: impl FnOnce(&mut Vec<u8>) -> R) -> R {
    InHand::leave(None);
    lend(|buffer| {
        buffer.clear();
        f(buffer)
    })
}

fn lend<R>(f: impl FnOnce(&mut Vec<u8>) -> R) -> R {
    let mut buffer = SCRATCH.try_with(Cell::take).unwrap_or_default();
    let result = f(&mut buffer);
    buffer.shrink_to(2 * FIELDS_LIMIT);
    let _ = SCRATCH.try_with(|scratch| scratch.set(buffer));
    result
}

/// The event whose fields the thread's buffer still has, so that the next layer need not run the
/// service's formatting code again.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct InHand {
    /// The address of the event, while it is dispatched.
    event: usize,
    /// The layer that encoded it, and that clears this before it looks at an event. It sees every
    /// event that the taking layer sees, so that these fields never belong to an earlier event at
    /// the same address.
    by: usize,
    cut: u32,
}

impl InHand {
    pub(crate) fn new(event: &Event<'_>, by: usize, cut: u32) -> Self {
        let event = std::ptr::from_ref(event).addr();
        Self { event, by, cut }
    }

    /// Leaves the fields that this thread encoded last, or none.
    #[inline]
    pub(crate) fn leave(this: Option<Self>) {
        let _ = IN_HAND.try_with(|hand| hand.set(this));
    }

    /// Returns the number of its cut values, if `by` left the fields of this event.
    fn take(event: &Event<'_>, by: Option<usize>) -> Option<u32> {
        let hand = IN_HAND.try_with(Cell::take).ok().flatten()?;
        (Self::new(event, by?, hand.cut) == hand).then_some(hand.cut)
    }
}

/// Lends the thread's buffer with the fields of an event, and the number of cut ones. `encode`
/// writes the fields unless they are there already, and returns that number.
pub(crate) fn with_fields<R>(
    event: &Event<'_>,
    by: Option<usize>,
    encode: impl FnOnce(&mut Vec<u8>) -> u32,
    f: impl FnOnce(&mut Vec<u8>, u32) -> R,
) -> R {
    let in_hand = InHand::take(event, by);
    lend(|buffer| {
        let cut = in_hand.unwrap_or_else(|| {
            buffer.clear();
            encode(buffer)
        });
        f(buffer, cut)
    })
}
