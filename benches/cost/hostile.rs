//! Bodies with many hidden values, and texts to search for them: ordinary ones, and those of an
//! attacker who wants the search to take long.

use std::fmt::Write;

/// The number of values in a body of 64 KiB.
const VALUES: usize = 4_000;

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Kind {
    /// Words, order numbers, and sentences about them.
    Ordinary,
    /// Short strings that begin as the service's own words do.
    Prefixes,
    /// Strings and texts without a letter or a digit.
    Symbols,
    /// `\x41` for every character.
    Escapes,
    /// Base64 of base64.
    Nested,
    /// One word of one letter.
    OneLetter,
    Ideographs,
    /// Numbers with commas.
    Digits,
}

/// Returns a different number each time, the same ones in each run.
fn mixed(n: usize) -> u64 {
    let n = (n as u64)
        .wrapping_add(1)
        .wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (n ^ (n >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 16
}

fn letters(n: usize, len: usize) -> String {
    let mut rest = mixed(n);
    let letter = |_| {
        let letter = b'a' + (rest % 26) as u8;
        rest /= 26;
        char::from(letter)
    };
    (0..len).map(letter).collect()
}

fn ideographs(n: usize, len: usize) -> String {
    let letter = |m| {
        char::from_u32(0x4e00 + (mixed(n.wrapping_mul(7).wrapping_add(m)) % 5_000) as u32)
            .unwrap_or('龍')
    };
    (0..len).map(letter).collect()
}

impl Kind {
    fn value(self, n: usize) -> String {
        match self {
            Self::Ordinary => format!("{} {n}", letters(n, 7)),
            Self::Prefixes => format!("ord{}", letters(n, 4)),
            Self::Symbols => (0..8)
                .map(|m| char::from(b"!?#$%*+-./:;=@^_"[(mixed(n) >> (4 * m)) as usize & 15]))
                .collect(),
            Self::Escapes => letters(n, 9),
            Self::Nested => base64(&letters(n, 6)),
            Self::OneLetter => "a".repeat(3 + n % 9),
            Self::Ideographs => ideographs(n, 3),
            Self::Digits => (100_000 + mixed(n) % 900_000_000).to_string(),
        }
    }

    /// Makes a body of this many KiB with its share of [`VALUES`], all of which the strict policy
    /// hides.
    pub(crate) fn body(self, kib: usize) -> String {
        self.body_of(kib, VALUES * kib / 64)
    }

    /// The same with this many values, if there is room.
    pub(crate) fn body_of(self, kib: usize, values: usize) -> String {
        let mut out = String::from("[");
        for n in 0..values {
            let value = self.value(n);
            if out.len() + value.len() + 8 > kib * 1024 {
                break;
            }
            let _ = write!(out, "\"{value}\",");
        }
        // One value of many words fills the rest.
        out.push('"');
        for n in 0.. {
            let word = self.value(values.wrapping_add(n));
            if out.len() + word.len() + 4 > kib * 1024 {
                break;
            }
            out.push_str(&word);
            out.push(' ');
        }
        out + "\"]"
    }

    /// A text of the service, of 1 KiB.
    pub(crate) fn text(self, n: usize) -> String {
        let mut out = String::new();
        for m in 0.. {
            let piece = match self {
                Self::Ordinary => format!(
                    "looked at line {m} of {}, took {} us; ",
                    letters(n + m, 8),
                    mixed(n + m) % 900
                ),
                Self::Prefixes => "order ordered orders, ".to_owned(),
                Self::Symbols => self.value(n + m),
                Self::Escapes => letters(n * 31 + m, 9)
                    .bytes()
                    .map(|b| format!("\\x{b:02x}"))
                    .collect(),
                Self::Nested => {
                    base64(&base64(&format!("{} not there {m}", letters(n + m, 11)))) + " "
                }
                Self::OneLetter => "a".repeat(64),
                Self::Ideographs => ideographs(n * 31 + m, 12),
                Self::Digits => format!(
                    "{},{:03},{:03}, ",
                    1 + m % 99,
                    mixed(n + m) % 1000,
                    mixed(m) % 1000
                ),
            };
            if out.len() + piece.len() > 1024 {
                return out;
            }
            out.push_str(&piece);
        }
        out
    }
}

fn base64(text: &str) -> String {
    use base64ct::{Base64, Encoding};
    Base64::encode_string(text.as_bytes())
}
