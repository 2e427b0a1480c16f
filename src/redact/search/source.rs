//! Bytes, and the position of each in the text.

/// The bytes to search: the text itself, or its decoded form.
#[derive(Clone, Copy)]
pub(super) struct Source<'a> {
    pub(super) bytes: &'a [u8],
    /// Empty if they are the text itself.
    places: Option<&'a [(u32, u32)]>,
}

/// The decoded bytes of a text.
#[derive(Default)]
pub(super) struct Read {
    pub(super) bytes: Vec<u8>,
    pub(super) places: Vec<(u32, u32)>,
}

impl<'a> Source<'a> {
    pub(super) fn of(text: &'a [u8]) -> Self {
        Self {
            bytes: text,
            places: None,
        }
    }

    /// Returns the part of the text that a range of the bytes came from.
    pub(super) fn span(&self, from: usize, to: usize) -> (u32, u32) {
        let place = |at: usize| match self.places {
            Some(places) => places.get(at).copied().unwrap_or_default(),
            None => (at as u32, at as u32 + 1),
        };
        (place(from).0, place(to.saturating_sub(1)).1)
    }
}

impl Read {
    pub(super) fn source(&self) -> Source<'_> {
        Source {
            bytes: &self.bytes,
            places: Some(&self.places),
        }
    }

    /// Adds one byte. Drops zeros, which are between the letters of wide encodings.
    pub(super) fn push(&mut self, byte: u8, place: (u32, u32)) {
        if byte != 0 {
            self.bytes.push(byte);
            self.places.push(place);
        }
    }

    pub(super) fn push_char(&mut self, c: char, place: (u32, u32)) {
        for &b in c.encode_utf8(&mut [0; 4]).as_bytes() {
            self.push(b, place);
        }
    }

    /// Adds a range of the bytes unchanged.
    pub(super) fn copy(&mut self, source: Source<'_>, from: usize, to: usize) {
        self.bytes
            .extend_from_slice(source.bytes.get(from..to).unwrap_or_default());
        match source.places {
            Some(places) => self
                .places
                .extend_from_slice(places.get(from..to).unwrap_or_default()),
            None => self
                .places
                .extend((from as u32..to as u32).map(|at| (at, at + 1))),
        }
    }
}
