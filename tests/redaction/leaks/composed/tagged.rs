//! Text that remembers from which symbol of a value each of its characters is.

/// Characters, each with the number of the symbol that it came from; 0 for the text around the
/// value.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Tagged(pub(crate) Vec<(char, u32)>);

impl Tagged {
    /// A value, unchanged.
    pub(crate) fn value(text: &str) -> Self {
        Self(text.chars().zip(1..).collect())
    }

    /// Text that is no part of the value.
    pub(crate) fn around(text: &str) -> Self {
        Self(text.chars().map(|c| (c, 0)).collect())
    }

    pub(crate) fn text(&self) -> String {
        self.0.iter().map(|(c, _)| *c).collect()
    }

    /// With text before and after it.
    pub(crate) fn within(self, before: &str, after: &str) -> Self {
        Self([Self::around(before).0, self.0, Self::around(after).0].concat())
    }

    /// A longer text that contains this one, perhaps more than once.
    pub(crate) fn embedded(&self, whole: &str) -> Self {
        let inner = self.text();
        let mut out = Vec::new();
        let mut parts = whole.split(&inner);
        out.extend(Self::around(parts.next().unwrap()).0);
        for part in parts {
            out.extend_from_slice(&self.0);
            out.extend(Self::around(part).0);
        }
        Self(out)
    }

    /// Each character written in another way.
    pub(crate) fn map(&self, mut write: impl FnMut(char) -> String) -> Self {
        let written = self.0.iter().flat_map(|(c, tag)| {
            let text: Vec<_> = write(*c).chars().map(|c| (c, *tag)).collect();
            text
        });
        Self(written.collect())
    }

    /// Each byte written in another way.
    pub(crate) fn bytes(&self, mut write: impl FnMut(u8) -> String) -> Self {
        let mut out = Vec::new();
        for (byte, tag) in self.utf8() {
            out.extend(write(byte).chars().map(|c| (c, tag)));
        }
        Self(out)
    }

    pub(crate) fn utf8(&self) -> Vec<(u8, u32)> {
        let mut out = Vec::with_capacity(self.0.len());
        for (c, tag) in &self.0 {
            let mut buffer = [0; 4];
            out.extend(c.encode_utf8(&mut buffer).bytes().map(|b| (b, *tag)));
        }
        out
    }

    /// Numbers as the elements of a list.
    pub(crate) fn list(numbers: &[(u32, u32)], pretty: bool) -> Self {
        let mut out = Self::around(if pretty { "[\n" } else { "[" });
        for (n, (number, tag)) in numbers.iter().enumerate() {
            if pretty {
                out.0.extend(Self::around("    ").0);
            } else if n > 0 {
                out.0.extend(Self::around(", ").0);
            }
            out.0.extend(number.to_string().chars().map(|c| (c, *tag)));
            if pretty {
                out.0.extend(Self::around(",\n").0);
            }
        }
        out.within("", "]")
    }

    /// Only the characters for which this is true.
    pub(crate) fn only(&self, keep: impl Fn(char) -> bool) -> Self {
        Self(self.0.iter().filter(|(c, _)| keep(*c)).copied().collect())
    }
}
