//! Which values could be guessed.

/// The longest value that is checked, in bytes. A date with time and zone fits.
const LONGEST: usize = 64;

/// From this number on there are too many possibilities to try.
const MANY: u64 = 1 << 31;

/// The most digits of numbers that identify people and things: phone, personal and account
/// numbers, times in milliseconds. Only a part of the possible numbers is in use.
const NUMBER: usize = 15;

/// The most digits of a date with time, fraction and zone.
const TIME: usize = 24;

/// The longest word that only labels a number.
const WORD: usize = 12;

/// How often digits and letters may be adjacent in dates and times, such as 19900512T0417Z.
const CHANGES: usize = 5;

/// Separators of digits in dates and times, by their length in bytes.
const WORDS: [&[&str]; 10] = [
    &[],
    &["t", "z"],
    &["am", "de", "nd", "of", "pm", "rd", "st", "th"],
    &[
        "apr", "aug", "dec", "feb", "fri", "gmt", "jan", "jul", "jun", "mar", "may", "mon", "nov",
        "oct", "sat", "sep", "sun", "thu", "tue", "utc", "wed", "年", "日", "月",
    ],
    &["july", "june"],
    &["april", "march"],
    &["august", "friday", "monday", "sunday"],
    &["january", "october", "tuesday"],
    &["december", "february", "november", "saturday", "thursday"],
    &["september", "wednesday"],
];

/// Returns whether a value's shape has so few possibilities that they could be tried.
///
/// It has, if
/// - it is a number of at most 15 digits, zeros at its ends not counted, with any
///   separators, and with at most one word beside them;
/// - it is a date or a time;
/// - its letters and digits have fewer than 2³¹ combinations of its kind: at most six
///   letters, seven hexadecimal digits, and so on.
///
/// A value of more than 64 bytes has many. A dictionary word counts by its letters: its
/// shape does not show that it is a word.
pub(super) fn few(value: &[u8]) -> bool {
    if value.len() > LONGEST {
        return false;
    }
    let Ok(text) = std::str::from_utf8(value) else {
        return few_bytes(value);
    };
    let told = if text.is_ascii() {
        by_counts(value)
    } else {
        None
    };
    told.unwrap_or_else(|| Shape::of(text).is_few())
}

/// The result, if counting suffices: most values are short numbers, names, addresses and
/// tokens.
fn by_counts(value: &[u8]) -> Option<bool> {
    let (mut digits, mut zeros, mut letters, mut changes) = (0, 0, 0, 0);
    let mut before = Kind::Other;
    for byte in value {
        let kind = match byte {
            b'0'..=b'9' => Kind::Digit,
            b'a'..=b'z' | b'A'..=b'Z' => Kind::Letter,
            _ => Kind::Other,
        };
        digits += usize::from(kind == Kind::Digit);
        zeros += usize::from(*byte == b'0');
        letters += usize::from(kind == Kind::Letter);
        changes += usize::from(kind.touches(before));
        before = kind;
    }
    if letters == 0 && digits <= NUMBER || digits == 0 && letters <= 6 {
        return Some(true);
    }
    // With more than nine letters and digits, only numbers and times have few
    // possibilities.
    let many = digits == 0 || digits - zeros > TIME || changes > CHANGES;
    (many && digits + letters > 9).then_some(false)
}

/// Not UTF-8 text: each byte has many possibilities.
fn few_bytes(value: &[u8]) -> bool {
    let many = |b: &u8| match b {
        b'0'..=b'9' => 10,
        b'a'..=b'z' | b'A'..=b'Z' => 26,
        0x20..=0x7e => 1,
        _ => 64,
    };
    value.iter().map(many).fold(1, u64::saturating_mul) < MANY
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Kind {
    Digit,
    Letter,
    Other,
}

impl Kind {
    fn of(c: char) -> Self {
        match c {
            _ if c.is_numeric() => Self::Digit,
            _ if c.is_alphabetic() => Self::Letter,
            _ => Self::Other,
        }
    }

    /// Whether letters and digits are adjacent.
    fn touches(self, before: Self) -> bool {
        self != before && self != Self::Other && before != Self::Other
    }
}

/// Counts of a text's characters.
#[derive(Debug, Default)]
struct Shape {
    /// How many values have this shape: ten for a digit, 26 for a letter.
    written: u64,
    /// The same, if all could be hexadecimal digits.
    hexadecimal: u64,
    /// The digits, without zeros in front.
    digits: usize,
    /// Zeros behind the last other digit.
    zeros: usize,
    /// The lengths of the first three groups of digits.
    groups: [usize; 3],
    /// Whether there are words that dates do not have.
    words: usize,
    /// How often letters and digits are adjacent.
    changes: usize,
    /// Whether such a word is adjacent to digits, or long.
    mixed: bool,
    /// Whether two digits follow a colon.
    clock: bool,
}

impl Shape {
    fn of(text: &str) -> Self {
        let mut shape = Self {
            written: 1,
            hexadecimal: 1,
            ..Self::default()
        };
        let (mut rest, mut before, mut group) = (text, None, 0);
        while let Some(first) = rest.chars().next() {
            let kind = Kind::of(first);
            let end = rest.find(|c| Kind::of(c) != kind).unwrap_or(rest.len());
            let (run, after) = rest.split_at(end);
            let next = after.chars().next();
            shape.changes += usize::from(kind.touches(before.map_or(Kind::Other, Kind::of)));
            match kind {
                Kind::Digit => {
                    shape.number(run);
                    let length = run.chars().count();
                    shape.clock |= before == Some(':') && length == 2;
                    if let Some(place) = shape.groups.get_mut(group) {
                        *place = length;
                    }
                    group += 1;
                }
                Kind::Letter => shape.word(run, before, next),
                Kind::Other => {}
            }
            before = run.chars().next_back();
            rest = after;
        }
        shape
    }

    fn number(&mut self, run: &str) {
        for c in run.chars() {
            self.written = self.written.saturating_mul(10);
            self.hexadecimal = self.hexadecimal.saturating_mul(16);
            self.digits += usize::from(c != '0' || self.digits > 0);
            self.zeros = if c == '0' { self.zeros + 1 } else { 0 };
        }
    }

    fn word(&mut self, run: &str, before: Option<char>, next: Option<char>) {
        for c in run.chars() {
            self.written = self.written.saturating_mul(26);
            let most = if c.is_ascii_hexdigit() { 16 } else { MANY };
            self.hexadecimal = self.hexadecimal.saturating_mul(most);
        }
        let same = |word: &&str| word.eq_ignore_ascii_case(run);
        if !WORDS
            .get(run.len())
            .is_some_and(|words| words.iter().any(same))
        {
            let digit = |c: Option<char>| c.is_some_and(char::is_numeric);
            self.words += 1;
            self.mixed |= digit(before) || digit(next) || run.chars().count() > WORD;
        }
    }

    fn is_few(&self) -> bool {
        self.written.min(self.hexadecimal) < MANY || self.is_number() || self.is_time()
    }

    fn is_number(&self) -> bool {
        let digits = self.digits.saturating_sub(self.zeros);
        self.digits > 0 && digits <= NUMBER && self.is_plain()
    }

    /// Returns whether the other characters only label the digits.
    fn is_plain(&self) -> bool {
        self.words <= 1 && !self.mixed && self.changes <= CHANGES
    }

    fn is_time(&self) -> bool {
        let dated = matches!(self.groups, [4, 1..=2, 1..=2] | [8, 4..=14, _]);
        (dated || self.clock) && self.digits <= TIME && self.is_plain()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_be_tried() {
        for value in [
            "",
            "7",
            "482913",
            "-12.50",
            "1e9",
            "1990-05-12",
            "12.05.1990",
            "5/12/90",
            "19900512",
            "1990-05-12T00:00:00Z",
            "1990-05-12T04:17:09.123456+02:00",
            "19900512T041709",
            "May 12th, 1990",
            "12. Mai 1990",
            "Sat, 12 May 1990 00:00:00 +0200",
            "1990年5月12日",
            "04:17",
            "643420800",
            "643420812345",
            "+49 (0)151 12345678",
            "+4915112345678",
            "49 151 12345678",
            "555-867-5309",
            "078-05-1120",
            "900512-1234",
            "PIN 482913",
            "birthday=1990-05-12",
            "{\"pin\":\"482913\"}",
            "٤٨٢٩١٣",
            "10115",
            "SW1A 1AA",
            "K1A 0B1",
            "B-MW 1234",
            "secret",
            "Łukasz",
            "deadbee",
            "00ff3c1",
            "192.168.17.4",
        ] {
            assert!(few(value.as_bytes()), "{value}");
        }
        assert!(few(b"M\xfcller"));
    }

    #[test]
    fn what_is_too_much() {
        for value in [
            "4111 1111 1111 1111",
            "4242424242424242",
            "DE89370400440532013000",
            "hunter2hunter2",
            "Quvexastr",
            "Zoë Weyland",
            "ann.lee@example.org",
            "deadbeef",
            "550e8400-e29b-41d4-a716-446655440000",
            "01a20747-b951-7855-860a-8959580b34ad",
            "1990-05-12-7f3c9a",
            "221b Baker Street",
            "12345678901234567",
        ] {
            assert!(!few(value.as_bytes()), "{value}");
        }
        assert!(!few(b"\xff\xfe\x01\x02\xff\xfe"));
        assert!(!few(&[b'1'; LONGEST + 1]));
    }

    proptest::proptest! {
        #[test]
        fn counting_is_right(value in "[0-9a-fA-Z :T-]{0,40}") {
            let shape = Shape::of(&value);
            let slow = shape.is_few();
            proptest::prop_assert_eq!(few(value.as_bytes()), slow, "{}", value);
        }

        /// Other characters around a PIN do not make it safe.
        #[test]
        fn separators_change_nothing(
            value in "[0-9]{1,15}",
            at in 0_usize..15,
            between in "[ ./:,()'\"-]{0,3}",
        ) {
            let at = at.min(value.len());
            let (start, end) = value.split_at(at);
            let text = format!("{between}{start}{between}{end}{between}");
            proptest::prop_assert!(few(text.as_bytes()), "{}", text);
        }
    }
}
