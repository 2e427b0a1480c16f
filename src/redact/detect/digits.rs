//! Card numbers, international phone numbers and IBANs.

use super::{before, run};
use std::ops::Range;

/// Digits of a card number.
const CARD: std::ops::RangeInclusive<usize> = 13..=19;

/// More digits than any quantity or identifier has.
const LONG: usize = 64;

pub(super) fn scan(text: &[u8], out: &mut Vec<Range<usize>>) {
    let mut at = 0;
    while let Some(&b) = text.get(at) {
        if b.is_ascii_digit() {
            let end = cards(text, at, out);
            if let Some(end) = phone(text, at) {
                out.push(at..end);
            }
            at = end.max(at + 1);
        } else {
            if b.is_ascii_alphabetic()
                && !before(text, at).is_ascii_alphanumeric()
                && let Some(end) = iban(text, at)
            {
                out.push(at..end);
            }
            at += 1;
        }
    }
}

/// Returns whether a number in the form of JSON may be a card number or is too long for a
/// number.
pub(in crate::redact) fn number(text: &str) -> bool {
    if text.len() < *CARD.start() {
        return false;
    }
    let mantissa = text.split(['e', 'E']).next().unwrap_or_default();
    let whole = mantissa.split('.').next().unwrap_or_default();
    let digits = |text: &str| -> Vec<u8> { text.bytes().filter(u8::is_ascii_digit).collect() };
    let card = |text: &str| is_card(digits(text));
    text.len() > LONG || card(whole) || (mantissa.len() != text.len() && card(mantissa))
}

/// As [`number`], for a whole number without its sign.
pub(in crate::redact) fn integer(n: u64) -> bool {
    let mut digits = [b'0'; 20];
    let (mut rest, mut first) = (n, digits.len());
    for (at, digit) in digits.iter_mut().enumerate().rev() {
        if rest == 0 {
            break;
        }
        // One digit, so the cast loses nothing.
        *digit += (rest % 10) as u8;
        rest /= 10;
        first = at;
    }
    digits.get(first..).is_some_and(is_card)
}

/// Checks the run of digit groups that starts here, and returns its end.
fn cards(text: &[u8], from: usize, out: &mut Vec<Range<usize>>) -> usize {
    let mut digits = Vec::new();
    // For each group: the number of digits before it, and its position in the text.
    let mut groups: Vec<(usize, Range<usize>)> = Vec::new();
    let mut at = from;
    loop {
        let end = run(text, at, |b| b.is_ascii_digit());
        groups.push((digits.len(), at..end));
        digits.extend_from_slice(text.get(at..end).unwrap_or_default());
        let next = text.get(end + 1).is_some_and(u8::is_ascii_digit);
        if !(next && matches!(text.get(end), Some(b' ' | b'-'))) {
            at = end;
            break;
        }
        at = end + 1;
    }
    if digits.len() >= *CARD.start() {
        for (n, (first, place)) in groups.iter().enumerate() {
            // A window has at most 19 digits, so at most 19 groups.
            let ends = groups.iter().skip(n).take(*CARD.end());
            let card = ends.rev().find(|(last, end)| {
                let to = last + end.len();
                CARD.contains(&(to - first)) && digits.get(*first..to).is_some_and(is_card)
            });
            if let Some((_, end)) = card
                && !uuid_around(text, place.start)
            {
                out.push(place.start..end.end);
            }
        }
    }
    at
}

/// Thirteen digits or more that start as cards of their length, and pass the Luhn check.
fn is_card(digits: impl AsRef<[u8]>) -> bool {
    let digits = digits.as_ref();
    is_issued(digits) && luhn(digits)
}

/// Returns whether some issuer has numbers of this length with this start. A tenth of all
/// numbers pass the Luhn check, including timestamps, identifiers and integer limits.
/// Almost all cards have sixteen digits, so any start is hidden there except that of
/// timestamps in microseconds.
fn is_issued(digits: &[u8]) -> bool {
    if !CARD.contains(&digits.len()) {
        return false;
    }
    let first = digits.first_chunk::<4>();
    let first = first.map_or(0, |first| {
        let digit = |n: u16, b: &u8| n * 10 + u16::from(b.wrapping_sub(b'0'));
        first.iter().fold(0, digit)
    });
    matches!(
        (digits.len(), first),
        (16, 2000..)
            | (15, 1000..2000 | 2014 | 2149 | 3400..3500 | 3700..3800)
            | (14.., 3000..3060 | 3095 | 3600..3700 | 3800..4000)
            | (17.., 2200..2205 | 3528..3590)
            | (13 | 19, 4000..5000)
            | (13.., 5000..5100 | 5600..5900 | 6000..7000)
    )
}

fn luhn(digits: &[u8]) -> bool {
    let mut sum = 0_u32;
    for (n, digit) in digits.iter().rev().enumerate() {
        let digit = u32::from(digit.wrapping_sub(b'0'));
        sum += match digit * 2 {
            _ if n % 2 == 0 => digit,
            twice if twice > 9 => twice - 9,
            twice => twice,
        };
    }
    sum.is_multiple_of(10)
}

/// Returns whether a group of a UUID starts at a position.
fn uuid_around(text: &[u8], at: usize) -> bool {
    [0, 9, 14, 19, 24].iter().any(|offset| {
        at.checked_sub(*offset)
            .is_some_and(|start| uuid(text, start))
    })
}

/// Returns whether a UUID (8-4-4-4-12 hex digits) starts here.
pub(super) fn uuid(text: &[u8], from: usize) -> bool {
    let place = |(n, b): (usize, &u8)| match n {
        8 | 13 | 18 | 23 => *b == b'-',
        _ => b.is_ascii_hexdigit(),
    };
    text.get(from..from + 36)
        .is_some_and(|t| t.iter().enumerate().all(place))
        && !text.get(from + 36).is_some_and(u8::is_ascii_alphanumeric)
        && !before(text, from).is_ascii_alphanumeric()
}

/// Returns whether a text is exactly one UUID.
pub(in crate::redact) fn is_uuid(text: &str) -> bool {
    text.len() == 36 && uuid(text.as_bytes(), 0)
}

/// A phone number after `+`: 8 to 15 digits, in groups.
fn phone(text: &[u8], first: usize) -> Option<usize> {
    let plus = first.checked_sub(1)?;
    if text.get(plus) != Some(&b'+')
        || text.get(first) == Some(&b'0')
        || before(text, plus).is_ascii_alphanumeric()
    {
        return None;
    }
    let (mut digits, mut end) = (0, first);
    // Fifteen digits with two separators between each.
    for (at, b) in text.iter().enumerate().skip(first).take(45) {
        match b {
            b'0'..=b'9' => {
                digits += 1;
                end = at + 1;
            }
            b' ' | b'-' | b'.' | b'(' | b')' | b'/' => {}
            _ => break,
        }
        if at + 1 - end > 2 || digits > 15 {
            break;
        }
    }
    (8..=15).contains(&digits).then_some(end)
}

/// Returns the end of an IBAN, in one piece or in groups.
fn iban(text: &[u8], from: usize) -> Option<usize> {
    let head = text.get(from..from + 4)?;
    let (country, check) = head.split_at_checked(2)?;
    if !country.iter().all(u8::is_ascii_alphabetic) || !check.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let mut code: Vec<u8> = Vec::with_capacity(34);
    let mut found = None;
    let mut at = from;
    while code.len() < 34
        && let Some(&b) = text.get(at)
    {
        if b.is_ascii_alphanumeric() {
            code.push(b);
            let next = text.get(at + 1);
            if code.len() >= 15 && !next.is_some_and(u8::is_ascii_alphanumeric) && mod97(&code) {
                found = Some(at + 1);
            }
        } else if !matches!(b, b' ' | b'-') || !before(text, at).is_ascii_alphanumeric() {
            break;
        }
        at += 1;
    }
    found
}

fn mod97(code: &[u8]) -> bool {
    let Some((head, rest)) = code.split_at_checked(4) else {
        return false;
    };
    let mut rest97 = 0_u32;
    for b in rest.iter().chain(head) {
        rest97 = match b {
            b'0'..=b'9' => rest97 * 10 + u32::from(b - b'0'),
            _ => rest97 * 100 + u32::from(b.to_ascii_uppercase().wrapping_sub(b'A')) + 10,
        } % 97;
    }
    rest97 == 1
}
