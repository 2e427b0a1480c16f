//! The forms of values of well-known headers. A value under an allowed name is kept only if
//! it has the header's form.

use super::{codings, detect, url};

/// The words in dates.
#[rustfmt::skip]
const DATES: &[&str] = &[
    "mon", "tue", "wed", "thu", "fri", "sat", "sun", "monday", "tuesday", "wednesday",
    "thursday", "friday", "saturday", "sunday", "jan", "feb", "mar", "apr", "may", "jun",
    "jul", "aug", "sep", "oct", "nov", "dec", "gmt", "utc",
];

/// Returns whether a value has the form of its header (in lower case).
pub(super) fn fits(header: &str, value: &str) -> bool {
    match header {
        _ if value.is_empty() => true,
        "accept-language" | "content-language" => value.split(',').all(is_language),
        "date" | "expires" | "last-modified" | "if-modified-since" | "retry-after" => {
            is_date(value) || is_number(value.trim())
        }
        "age" | "content-length" | "grpc-status" => value.split(',').all(|n| is_number(n.trim())),
        "range" | "content-range" => is_range(value),
        "etag" | "if-match" | "if-none-match" => is_tags(value),
        "grpc-timeout" => {
            let digits = value.trim_end_matches(|c: char| "HMSmun".contains(c));
            value.len() == digits.len() + 1 && is_number(digits)
        }
        "host" => url::is_host(value),
        "content-encoding" => codings::are_known(value),
        "grpc-encoding" => value == "snappy" || codings::are_known(value),
        "origin" => value.split(' ').all(is_origin),
        "accept-encoding" | "accept-ranges" | "allow" | "cache-control" | "connection"
        | "expect" | "pragma" | "te" | "trailer" | "transfer-encoding" | "upgrade" | "vary" => {
            value
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"!#$&^_`|~.+*-/ \t,;=\"".contains(&b))
        }
        _ => true,
    }
}

/// A whole number with at most the digits of sizes and seconds.
fn is_number(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    (1..=12).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit())
}

/// A date in the forms of HTTP, old ones included, and of JSON.
pub(super) fn is_date(text: &str) -> bool {
    let word = |word: &str| {
        (word.len() <= 4 && word.bytes().all(|b| b.is_ascii_digit()))
            || DATES.iter().any(|d| d.eq_ignore_ascii_case(word))
    };
    let mut words = text.split([' ', ',', ':', '-']).filter(|w| !w.is_empty());
    detect::is_time(text.as_bytes())
        || (text.len() <= 40 && words.clone().count() >= 6 && words.all(word))
}

/// A language tag (BCP 47), with its weight.
fn is_language(item: &str) -> bool {
    let (tag, weight) = item.split_once(';').unwrap_or((item, ""));
    let part = |part: &str| {
        part == "*"
            || ((1..=8).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_alphanumeric()))
    };
    let weight = weight.trim();
    let digits = weight.strip_prefix("q=").unwrap_or(weight);
    (tag.trim().is_empty() || tag.trim().split(['-', '_']).all(part))
        && digits.len() <= 5
        && digits.bytes().all(|b| b.is_ascii_digit() || b == b'.')
}

/// A unit, and numbers.
fn is_range(value: &str) -> bool {
    let unit = value.len()
        - value
            .trim_start_matches(|c: char| c.is_ascii_lowercase())
            .len();
    (1..=16).contains(&unit)
        && value.bytes().any(|b| b.is_ascii_digit())
        && value
            .bytes()
            .skip(unit)
            .all(|b| b.is_ascii_digit() || b"-,/*= ".contains(&b))
}

/// Entity tags: white space only between them, and ASCII only.
fn is_tags(value: &str) -> bool {
    value.split(',').all(|tag| {
        let tag = tag.trim();
        tag.len() <= 128 && tag.bytes().all(|b| b.is_ascii_graphic())
    })
}

fn is_origin(value: &str) -> bool {
    let host = |url: &str| {
        let (scheme, host) = url.split_once("://")?;
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"+-.".contains(&b);
        Some(scheme.bytes().all(plain) && url::is_host(host))
    };
    value == "null" || host(value) == Some(true)
}
