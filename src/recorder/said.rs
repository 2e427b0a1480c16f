//! Texts of the service, and which parts of them came at run time. The rest is the program's own:
//! it is in its source and contains nothing of a request.

use super::{
    causes,
    limited::{CUT, Limited, MIXED, OWN, VALUE_LIMIT},
    origin::Literals,
};
use std::{
    fmt::{self, Write},
    ops::Range,
};

/// An encoded text. It is copied without a check of its UTF-8.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Text<'b> {
    text: &'b [u8],
    runs: Runs<'b>,
}

impl<'b> Text<'b> {
    /// Takes a text of this length and tag from the bytes.
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
        // Only texts are encoded, so the fallback is never used.
        std::str::from_utf8(self.text).unwrap_or_default()
    }

    /// Returns the ranges of bytes that came at run time, in order. None is empty, and program
    /// text is between any two.
    pub(crate) fn runtime(self) -> Runs<'b> {
        self.runs
    }
}

/// The parts of a text that came at run time.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Runs<'b> {
    /// Whether the next run is the program's own.
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

/// The text of an error or a panic, held until its request is written.
#[derive(Clone, Default, Eq, PartialEq)]
pub(crate) struct Said {
    bytes: Vec<u8>,
    length: usize,
    tag: u8,
    lacks_causes: bool,
}

impl Said {
    /// Formats this value, up to the limit.
    pub(crate) fn of(text: impl fmt::Display) -> Self {
        Self::written(|out| write!(out, "{text}"))
    }

    /// Formats an error, and its causes if its type is known to have them.
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
        // The buffer itself notes that a text does not fit.
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
        // It has exactly this encoding, so the fallback is never used.
        Text::take(&mut bytes, self.length, self.tag).unwrap_or_default()
    }

    /// Returns whether it is an error whose causes could not be read.
    pub(crate) fn lacks_causes(&self) -> bool {
        self.lacks_causes
    }

    /// Returns whether the text was cut.
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
