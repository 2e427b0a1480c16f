//! Every match has a probe.

use super::{tests::index, *};
use proptest::prelude::*;

/// A value in a plain body.
fn value() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z]{3,9}",
        "[A-Z][a-z]{2,5}[A-Z ][a-z]{1,5}",
        "[a-zA-Z0-9 .,'/:_-]{1,30}",
        "[0-9]{3,12}",
        "[0-9]{1,3}([,' _][0-9]{3}){0,2}(\\.[0-9]{1,3})?",
        "[0-9]{2}-[0-9]{2}-[0-9]{2,4}",
        "-?[1-9](\\.[0-9]{1,4})?[eE][+-]?[0-9]{1,2}",
        "[!?*#.-]{3,6}",
        "[a-c]{3,14}",
    ]
}

/// The form of the value in a text.
fn said(value: &str, way: usize, cut: usize, cuts: bool) -> String {
    let ends: Vec<usize> = value.char_indices().map(|(at, _)| at).collect();
    let value = match (ends.get(cut % ends.len().max(1)), cuts) {
        (Some(at), true) if cut.is_multiple_of(2) => &value[*at..],
        (Some(at), true) => &value[..*at],
        _ => value,
    };
    let number = || value.replace([',', '\'', '_', ' '], "").parse::<f64>().ok();
    match way {
        1 => value.to_uppercase(),
        2 => value.to_lowercase(),
        3 => value.replace([' ', '-', '.', ','], ""),
        4 => value.replace([' ', '-'], "_"),
        5 => format!("x{value}y"),
        6 => format!("{value}{value}"),
        7 => value.chars().map(|c| format!("{c}\u{ad}")).collect(),
        8 => number().map_or_else(|| value.to_owned(), |n| format!("{n:?}")),
        9 => number().map_or_else(|| value.to_owned(), |n| format!("{n:e}")),
        10 => number().map_or_else(|| value.to_owned(), |n| format!("{n:.3}")),
        11 => value.replace('e', "é").replace('a', "Å"),
        12 => super::tests_ways::base64(value.as_bytes(), false, true),
        13 => value.bytes().map(|b| format!("%{b:02x}")).collect(),
        14 => format!("{:?}", value.as_bytes()),
        15 => super::tests_ways::wide(value),
        16 => value.chars().map(|c| format!("{c}, ")).collect(),
        17 => value.replace([',', '\'', '_', ' '], "\u{a0}"),
        18 => value.replace([',', '\'', '_', ' '], "+"),
        19 => format!("{:?}", value.encode_utf16().collect::<Vec<_>>()),
        20 => value
            .chars()
            .map(|c| format!("\\{:x} ", u32::from(c)))
            .collect(),
        _ => value.to_owned(),
    }
}

fn asked(probes: &mut Probes, text: &str, runtime: &[Range<usize>], raw: &str) -> bool {
    probes.clear();
    !probes.fill(text, runtime) || !probes.is_empty() && probes.may_be_in(raw.as_bytes())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    #[test]
    fn what_is_found_was_asked_for(
        values in prop::collection::vec(value(), 1..7),
        pieces in prop::collection::vec(
            ("[a-z ,:=_]{0,9}", any::<prop::sample::Index>(), 0_usize..26, any::<usize>(), any::<bool>(), 0_u8..6),
            1..5,
        ),
        apart in prop_oneof![Just("\",\"k\":\""), Just("\", \""), Just("\": ")],
    ) {
        let raw = format!("{{\"k\":\"{}\"}}", values.join(apart));
        prop_assume!(is_plain(raw.as_bytes()));
        let values: Vec<&str> = values.iter().map(String::as_str).collect();
        let index = index(&values);
        let (mut text, mut runtime) = (String::new(), Vec::new());
        for (literal, at, way, cut, cuts, split) in pieces {
            text.push_str(&literal);
            let said = said(values[at.index(values.len())], way, cut, cuts);
            let start = text.len();
            text.push_str(&said);
            // Parts of it may be literals of the program.
            let mut middle = start + if split < 4 { said.len() / 2 } else { said.len().min(2) };
            while !text.is_char_boundary(middle) {
                middle += 1;
            }
            runtime.push(match split {
                0 => start..middle,
                1 => middle..text.len(),
                // With run-time letters before it.
                3 | 4 => start - literal.len()..middle,
                _ => start..text.len(),
            });
        }
        let mut out = Vec::new();
        index.find(&text, &runtime, &mut Work::new(u64::MAX), &mut out).unwrap();
        if !out.is_empty() {
            prop_assert!(
                asked(&mut Probes::default(), &text, &runtime, &raw),
                "{raw}\n{text}\n{runtime:?}\n{out:?}"
            );
        }
    }

    #[test]
    fn a_typed_number_was_asked_for(value in value(), exact in any::<u64>(), by_text in any::<bool>()) {
        let raw = format!("{{\"n\": {value}}}");
        prop_assume!(is_plain(raw.as_bytes()));
        let text = value.replace([',', '\'', '_', ' '], "");
        let number = match text.parse::<f64>() {
            Ok(n) if by_text => Number::from(n),
            _ => Number::from(text.parse::<i64>().unwrap_or(exact as i64)),
        };
        if index(&[&value]).number(number).is_some() {
            let mut probes = Probes::default();
            probes.number(number);
            prop_assert!(!probes.is_empty() && probes.may_be_in(raw.as_bytes()));
        }
    }

    #[test]
    fn what_asks_nothing_says_nothing(value in "[a-z0-9é日本語 .,-]{1,6}", way in 0_usize..22, cut in any::<usize>()) {
        let text = said(&value, way, cut, cut.is_multiple_of(3));
        let runtime = std::slice::from_ref(&(0..text.len())).to_vec();
        let mut out = Vec::new();
        index(&[&value]).find(&text, &runtime, &mut Work::new(u64::MAX), &mut out).unwrap();
        let mut probes = Probes::default();
        if probes.fill(&text, &runtime) && probes.is_empty() {
            prop_assert!(out.is_empty(), "{text}: {out:?}");
        }
    }
}

#[test]
fn what_is_not_there_is_not_asked_for() {
    let raw = br#"{"customer":"Quvexastr Moltrin","items":[{"sku":"A-17","price":12.5}],"id":"8f3ac2d45b6e"}"#;
    assert!(is_plain(raw));
    let mut probes = Probes::default();
    let text = "order 7f21b9 stored for shop-12 in 1834 us";
    let runtime = [6..12, 24..31, 35..39];
    assert!(probes.fill(text, &runtime));
    assert!(!probes.may_be_in(raw));
    for (text, range) in [
        ("for Quvexastr", 4..13),
        ("at 12.50", 3..8),
        ("to 8F3AC2", 3..9),
        ("Moltr", 0..5),
    ] {
        probes.clear();
        assert!(
            !probes.fill(text, std::slice::from_ref(&range)) || probes.may_be_in(raw),
            "{text}"
        );
    }
}

#[test]
fn bytes_with_escapes_are_not_plain() {
    for raw in [
        "a\\u00e9", "a%20b", "a&amp;b", "é", "a\0b", "a=C3=A9", "a=\nb",
    ] {
        assert!(!is_plain(raw.as_bytes()), "{raw}");
    }
    for raw in ["{\"a\": [1.5, \"b c\"]}", "a=b; c=12", "<a href='x'>"] {
        assert!(is_plain(raw.as_bytes()), "{raw}");
    }
}
