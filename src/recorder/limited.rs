//! A buffer for a text with a limit. It notes the origin of each piece.

use super::origin::Literals;
use std::fmt::{self, Write};

/// The longest text of one value, in bytes. Positions in it have 16 bits.
pub(super) const VALUE_LIMIT: usize = 8 * 1024;
/// How often a text may change between program text and run-time text. After that all of it counts
/// as run-time text.
const TURNS: usize = 64;

/// Set in the tag of a text that was cut.
pub(super) const CUT: u8 = 0x80;
/// Set in the tag of a text that is entirely the program's own.
pub(super) const OWN: u8 = 0x40;
/// Set in the tag of a text that is partly the program's own. Its turns follow it.
pub(super) const MIXED: u8 = 0x20;

/// Takes text up to a limit, returns an error beyond it, and notes the origin of each piece.
#[derive(Debug)]
pub(crate) struct Limited<'b> {
    out: &'b mut Vec<u8>,
    start: usize,
    left: usize,
    cut: bool,
    literals: Literals,
    /// Whether the first run is the program's own. An empty text counts as the program's own.
    first: bool,
    /// Whether the last run is the program's own.
    last: bool,
    turned: usize,
    /// Where each run ends. It is allocated with the first turn.
    turns: Option<[u16; TURNS]>,
}

impl<'b> Limited<'b> {
    #[inline]
    pub(super) fn new(out: &'b mut Vec<u8>, literals: Literals, limit: usize) -> Self {
        Self {
            start: out.len(),
            out,
            left: limit.min(VALUE_LIMIT),
            cut: false,
            literals,
            first: true,
            last: true,
            turned: 0,
            turns: None,
        }
    }

    /// Appends the turns to the text. Returns the text's length, and the flags for its tag.
    #[inline]
    pub(super) fn finish(&mut self) -> (usize, u8) {
        let length = self.out.len() - self.start;
        let mut tag = if self.cut { CUT } else { 0 };
        if let Some(turns) = &self.turns {
            tag |= MIXED;
            // There are at most 64, so that the highest bit is free.
            self.out.push(self.turned as u8 | u8::from(self.first) << 7);
            for turn in turns.iter().take(self.turned) {
                self.out.extend_from_slice(&turn.to_le_bytes());
            }
        } else if self.first {
            tag |= OWN;
        }
        (length, tag)
    }

    #[inline]
    fn note(&mut self, text: &str) {
        let own = self.literals.have(text);
        if own != self.last || own && text.len() <= LETTER {
            self.turn(text, own);
        }
    }

    #[inline(never)] // most pieces follow one of their kind
    fn turn(&mut self, text: &str, own: bool) {
        let own = own && !is_letter(text);
        // Padding comes as a single blank, whatever it pads.
        let padding = matches!(text.as_bytes(), [byte] if byte.is_ascii_whitespace());
        if own == self.last || padding || text.is_empty() {
            return;
        }
        let at = self.out.len() - self.start;
        if at == 0 {
            self.first = own;
            self.last = own;
            return;
        }
        // One turn must remain to change back to run-time text.
        let most = TURNS - usize::from(own);
        let turns = self.turns.get_or_insert([0; TURNS]);
        if self.turned < most
            && let Some(turn) = turns.get_mut(self.turned)
        {
            // The limit of texts keeps this far below.
            *turn = u16::try_from(at).unwrap_or(u16::MAX);
            self.turned += 1;
            self.last = own;
        }
    }

    /// Notes that more was not written.
    pub(super) fn left_out(&mut self) {
        self.cut = true;
    }

    #[cold]
    fn cut(&mut self, text: &str) -> fmt::Result {
        let mut end = self.left;
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        if end > 0 {
            self.note(text);
        }
        let text = text.get(..end).unwrap_or_default();
        self.out.extend_from_slice(text.as_bytes());
        self.left = 0;
        self.cut = true;
        Err(fmt::Error)
    }
}

impl Write for Limited<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if text.len() > self.left {
            return self.cut(text);
        }
        self.note(text);
        self.out.extend_from_slice(text.as_bytes());
        self.left -= text.len();
        Ok(())
    }
}

/// The longest text that [`is_letter`] accepts, in bytes.
const LETTER: usize = 4;

/// Returns whether a literal is so short that code may have composed run-time text from a table of
/// such literals: one or two characters, or `%C3`.
fn is_letter(text: &str) -> bool {
    let letter = |byte: u8| byte.is_ascii_alphanumeric() || !byte.is_ascii();
    match text.as_bytes() {
        [b'%', _, _] => true,
        [] | [_] | [_, _] => text.bytes().any(letter),
        _ => {
            text.len() <= LETTER
                && text.chars().nth(2).is_none()
                && text.chars().any(char::is_alphanumeric)
        }
    }
}
