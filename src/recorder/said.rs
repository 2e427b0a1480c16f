//! Texts that the service says, and what of them came at run time: the rest is
//! the program's own, which stands in its source and says nothing of a request.

use super::{
    causes,
    limited::{CUT, Limited, MIXED, OWN, VALUE_LIMIT},
    origin::Literals,
};
use std::{
    fmt::{self, Write},
    ops::Range,
};

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
