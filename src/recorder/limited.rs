//! Where a text is written, up to a limit, and whose each piece of it is.

use super::origin::Literals;
use std::fmt::{self, Write};

/// The longest text of one value, in bytes. Positions in it have 16 bits.
pub(super) const VALUE_LIMIT: usize = 8 * 1024;
/// How often a text may turn from the program's to run time and back; from
/// there on it counts as of run time.
const TURNS: usize = 64;

/// Set in the tag of a text that was cut.
pub(super) const CUT: u8 = 0x80;
/// Set in the tag of a text that is the program's own.
pub(super) const OWN: u8 = 0x40;
/// Set in the tag of a text that is in part, with its turns behind it.
pub(super) const MIXED: u8 = 0x20;

/// Takes text up to a limit and then says so; notes whose each piece is.
#[derive(Debug)]
pub(crate) struct Limited<'b> {
    out: &'b mut Vec<u8>,
    start: usize,
    left: usize,
    cut: bool,
    literals: Literals,
    /// Whether the first run is the program's; so is nothing at all.
    first: bool,
    /// Whether the last one is.
    last: bool,
    turned: usize,
    /// Where one run ends and the next begins; made with the first.
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

    /// Puts the turns behind the text; the text's length, and what its tag says.
    #[inline]
    pub(super) fn finish(&mut self) -> (usize, u8) {
        let length = self.out.len() - self.start;
        let mut tag = if self.cut { CUT } else { 0 };
        if let Some(turns) = &self.turns {
            tag |= MIXED;
            // There are no more than 64, so that the highest bit is free.
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

    #[inline(never)] // pieces that follow one of their kind are more
    fn turn(&mut self, text: &str, own: bool) {
        let own = own && !is_letter(text);
        // Padding comes so, whatever it pads.
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
        // One has to be left to turn back.
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

    /// There is more that was not written.
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

/// The longest of what [`is_letter`] knows, in bytes.
const LETTER: usize = 4;

/// Whether a literal is so short that code may have put a text of run time
/// together from a table of such: one or two characters, or `%C3`.
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
