//! Comparison of numbers in any notation.

use super::sets::Seeds;
use memchr::memchr2;
use std::{io::Write, ops::Range};

/// The most significant digits.
const DIGITS: usize = 38;

/// A number without its sign: its digits without zeros at either end, and a power of ten.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Number {
    digits: u128,
    exponent: i32,
}

impl Number {
    fn new(digits: u128, mut exponent: i32) -> Self {
        if digits == 0 {
            exponent = 0;
        }
        let digits = match u64::try_from(digits) {
            // Cheaper than wide integers.
            Ok(mut digits) => {
                while digits != 0 && digits.is_multiple_of(10) {
                    digits /= 10;
                    exponent += 1;
                }
                u128::from(digits)
            }
            Err(_) => {
                let mut digits = digits;
                while digits.is_multiple_of(10) {
                    digits /= 10;
                    exponent += 1;
                }
                digits
            }
        };
        Self { digits, exponent }
    }

    /// Returns the number of digits, without trailing zeros after the point.
    pub(super) fn figures(self) -> usize {
        let digits = self.digits.checked_ilog10().map_or(0, |n| n + 1);
        digits as usize + usize::try_from(self.exponent).unwrap_or(0)
    }

    /// Its first three digits.
    pub(super) fn first(self) -> Option<[u8; 3]> {
        if self.figures() < 3 || self.digits == 0 {
            return None;
        }
        let mut digits = self.digits;
        while digits < 100 {
            digits *= 10;
        }
        while digits >= 1000 {
            digits /= 10;
        }
        let digit = |n: u128| b'0' + (n % 10) as u8;
        Some([digit(digits / 100), digit(digits / 10), digit(digits)])
    }

    pub(super) fn key(self, seeds: Seeds) -> u64 {
        let rest = (self.digits >> 64) as u64 ^ self.exponent as u64;
        seeds.mix(self.digits as u64 ^ seeds.mix(rest))
    }
}

impl From<u128> for Number {
    fn from(n: u128) -> Self {
        Self::new(n, 0)
    }
}

impl From<i128> for Number {
    fn from(n: i128) -> Self {
        n.unsigned_abs().into()
    }
}

impl From<u64> for Number {
    fn from(n: u64) -> Self {
        u128::from(n).into()
    }
}

impl From<i64> for Number {
    fn from(n: i64) -> Self {
        n.unsigned_abs().into()
    }
}

impl From<f64> for Number {
    fn from(n: f64) -> Self {
        // At most 17 digits, a point, and five characters for the exponent.
        let mut text = [0; 32];
        let mut rest = text.as_mut_slice();
        let _ = write!(rest, "{:e}", n.abs());
        let length = 32 - rest.len();
        let text = text.get(..length).unwrap_or_default();
        read(text, b'.').unwrap_or(Self::new(0, 0))
    }
}

/// Parses a number with this byte as decimal point; others separate digits.
fn read(text: &[u8], point: u8) -> Option<Number> {
    let (mantissa, power) = match memchr2(b'e', b'E', text) {
        Some(at) => (text.get(..at)?, text.get(at + 1..)?),
        None => (text, b"0".as_slice()),
    };
    let power: i32 = std::str::from_utf8(power).ok()?.parse().ok()?;
    let other = if point == b'.' { b',' } else { b'.' };
    let mut parts = mantissa.split(|b| *b == point);
    let whole = parts.next()?;
    let fraction = parts.next().unwrap_or_default();
    let mut groups = whole.split(|b| *b == other).skip(1);
    let grouped = groups.all(|group| matches!(group.len(), 2 | 3));
    if parts.next().is_some() || fraction.contains(&other) || !grouped || power.abs() > 999 {
        return None;
    }
    let (mut digits, mut count) = (0_u128, 0);
    for b in whole.iter().chain(fraction).filter(|b| b.is_ascii_digit()) {
        count += usize::from(digits != 0 || *b != b'0');
        if count > DIGITS {
            return None;
        }
        digits = digits * 10 + u128::from(b - b'0');
    }
    let behind = fraction.iter().filter(|b| b.is_ascii_digit()).count();
    Some(Number::new(digits, power - i32::try_from(behind).ok()?))
}

/// Reports every number of a text, in each possible reading.
pub(super) fn each(text: &[u8], mut tell: impl FnMut(Range<usize>, Number)) {
    let mut at = 0;
    while let Some(next) = text
        .get(at..)
        .and_then(|t| t.iter().position(u8::is_ascii_digit))
    {
        let start = at + next;
        let mut marks = 0;
        let end = end(text, start, &mut marks);
        at = end;
        let all = text.get(start..end).unwrap_or_default();
        if end - start < 3 {
            continue;
        }
        let number = if marks == 0 {
            plain(all)
        } else {
            read(all, b'.')
        };
        if let Some(number) = number {
            tell(start..end, number);
        }
        if marks & (COMMA | POINT) != 0
            && let Some(number) = read(all, b',')
        {
            tell(start..end, number);
        }
        if marks & COMMA != 0 {
            let mut from = start;
            for part in all.split(|b| *b == b',') {
                if part.len() >= 3
                    && let Some(number) = read(part, b'.')
                {
                    tell(from..from + part.len(), number);
                }
                from += part.len() + 1;
            }
        }
    }
}

const COMMA: u8 = 1;
const POINT: u8 = 2;
const OTHER: u8 = 4;

/// Digits only.
fn plain(digits: &[u8]) -> Option<Number> {
    if digits.len() > DIGITS {
        return read(digits, b'.');
    }
    let digit = |n: u64, b: &u8| n * 10 + u64::from(b - b'0');
    if digits.len() < 20 {
        return Some(digits.iter().fold(0, digit).into());
    }
    let digit = |n: u128, b: &u8| n * 10 + u128::from(b - b'0');
    Some(digits.iter().fold(0, digit).into())
}

/// Returns the end of a number.
fn end(text: &[u8], start: usize, marks: &mut u8) -> usize {
    let digit = |at: usize| text.get(at).is_some_and(u8::is_ascii_digit);
    let mut at = start;
    let mut group = start;
    loop {
        while digit(at) {
            at += 1;
        }
        match text.get(at) {
            Some(b',') if digit(at + 1) => *marks |= COMMA,
            Some(b'.') if digit(at + 1) => *marks |= POINT,
            Some(b'_' | b'\'') if digit(at + 1) => *marks |= OTHER,
            // A space, or a form's `+` for one, only between groups of three.
            Some(b' ' | b'+')
                if at - group <= 3 && (1..4).all(|n| digit(at + n)) && !digit(at + 4) =>
            {
                *marks |= OTHER;
            }
            Some(b'e' | b'E') => {
                let sign = usize::from(matches!(text.get(at + 1), Some(b'+' | b'-')));
                let mut end = at + 1 + sign;
                while digit(end) {
                    end += 1;
                }
                *marks |= OTHER;
                let word = text.get(end).is_some_and(u8::is_ascii_alphanumeric);
                return if digit(at + 1 + sign) && !word {
                    end
                } else {
                    at
                };
            }
            _ => return at,
        }
        at += 1;
        group = at;
    }
}
