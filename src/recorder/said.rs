//! Texts that the service says, and what of them came at run time: the rest is
//! the program's own, which stands in its source and says nothing of a request.

use super::{causes, origin::Literals};
use std::{
    fmt::{self, Write},
    ops::Range,
};

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

/// A text as it was encoded: to copy it, nobody has to look whether it is one.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Text<'b> {
    text: &'b [u8],
    runs: Runs<'b>,
}

impl<'b> Text<'b> {
    /// Takes a text of this length and tag off the bytes.
    pub(super) fn take(bytes: &mut &'b [u8], length: usize, tag: u8) -> Option<Self> {
        let (text, mut rest) = bytes.split_at_checked(length)?;
        let mut runs = Runs {
            own: tag & OWN != 0,
            at: 0,
            turns: &[],
            end: length,
        };
        if tag & MIXED != 0 {
            let (&[head], more) = rest.split_first_chunk()?;
            (runs.turns, rest) = more.split_at_checked(2 * usize::from(head & 0x7f))?;
            runs.own = head & 0x80 != 0;
        }
        *bytes = rest;
        Some(Self { text, runs })
    }

    pub(crate) fn as_bytes(self) -> &'b [u8] {
        self.text
    }

    pub(crate) fn as_str(self) -> &'b str {
        // Only texts are encoded, so the fallback is never taken.
        std::str::from_utf8(self.text).unwrap_or_default()
    }

    /// The ranges of bytes that came at run time, in order; none is empty, and
    /// between two there is something of the program's.
    pub(crate) fn runtime(self) -> Runs<'b> {
        self.runs
    }
}

/// What of a text came at run time.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Runs<'b> {
    /// Whether the next run is the program's.
    own: bool,
    at: usize,
    turns: &'b [u8],
    end: usize,
}

impl Iterator for Runs<'_> {
    type Item = Range<usize>;

    #[inline]
    fn next(&mut self) -> Option<Range<usize>> {
        while self.at < self.end {
            let mut end = self.end;
            if let Some((turn, rest)) = self.turns.split_first_chunk() {
                end = u16::from_le_bytes(*turn).into();
                self.turns = rest;
            }
            let run = self.at..end;
            self.at = end;
            self.own = !self.own;
            if self.own {
                return Some(run);
            }
        }
        None
    }
}

/// A text of an error or a panic, noted until its request is written.
#[derive(Clone, Default, Eq, PartialEq)]
pub(crate) struct Said {
    bytes: Vec<u8>,
    length: usize,
    tag: u8,
    lacks_causes: bool,
}

impl Said {
    /// What this writes, as far as it fits.
    pub(crate) fn of(text: impl fmt::Display) -> Self {
        Self::written(|out| write!(out, "{text}"))
    }

    /// An error and its causes, as far as its type is one whose causes can be asked for.
    pub(crate) fn of_error<E: fmt::Display + 'static>(error: &E) -> Self {
        let mut lacks_causes = false;
        let said = Self::written(|out| {
            let known = causes::known(error);
            lacks_causes = known.is_none() && !causes::has_none(error);
            match known {
                Some(error) => causes::write_from(out, error),
                None => write!(out, "{error}"),
            }
        });
        Self {
            lacks_causes,
            ..said
        }
    }

    fn written(write: impl FnOnce(&mut Limited<'_>) -> fmt::Result) -> Self {
        let mut bytes = Vec::new();
        let mut out = Limited::new(&mut bytes, Literals::get(), VALUE_LIMIT);
        // What does not fit is noted by the buffer itself.
        let _ = write(&mut out);
        let (length, tag) = out.finish();
        bytes.shrink_to_fit();
        Self {
            bytes,
            length,
            tag,
            lacks_causes: false,
        }
    }

    pub(crate) fn text(&self) -> Text<'_> {
        let mut bytes = self.bytes.as_slice();
        // It was encoded just so, so the fallback is never taken.
        Text::take(&mut bytes, self.length, self.tag).unwrap_or_default()
    }

    /// Whether it is an error whose causes nobody could be asked for.
    pub(crate) fn lacks_causes(&self) -> bool {
        self.lacks_causes
    }

    /// Whether there was more of it.
    pub(crate) fn is_cut(&self) -> bool {
        self.tag & CUT != 0
    }
}

impl fmt::Debug for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.text().as_str().fmt(f)
    }
}

#[cfg(test)]
mod tests;
