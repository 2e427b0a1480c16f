use super::*;
use proptest::prelude::*;
use std::{borrow::Cow, fmt::Debug};

/// Whether the addresses of literals are known on this system.
const KNOWN: bool = cfg!(target_os = "linux");

/// Returns the text, with its run-time parts in angle brackets.
fn marked(said: &Said) -> String {
    let text = said.text();
    let mut out = text.as_str().to_owned();
    for run in text.runtime().collect::<Vec<_>>().into_iter().rev() {
        out.insert(run.end, '>');
        out.insert(run.start, '<');
    }
    out
}

/// Asserts which parts of a text came at run time. If literals are not known, all of it did.
#[track_caller]
fn assert_said(text: impl fmt::Display, expected: &str) {
    let said = Said::of(text);
    if KNOWN {
        assert_eq!(marked(&said), expected);
    } else {
        let text = said.text().as_str().to_owned();
        let all = (!text.is_empty()).then_some(0..text.len());
        assert_eq!(
            said.text().runtime().collect::<Vec<_>>(),
            Vec::from_iter(all)
        );
    }
}

#[track_caller]
fn assert_debug(value: impl Debug, expected: &str) {
    assert_said(format_args!("{value:?}"), expected);
}

fn made(text: &str) -> String {
    std::hint::black_box(text).to_owned()
}

/// Returns a number that the compiler does not write into the text around it.
fn number(n: u32) -> u32 {
    std::hint::black_box(n)
}

#[test]
fn literals_are_the_programs() {
    assert_said("an order", "an order");
    assert_said(format_args!("an order"), "an order");
    assert_said("", "");
    assert_said(String::new(), "");
    assert_said(Cow::Borrowed("as it is"), "as it is");
    assert_said(true, "true");
    assert_said(
        std::fmt::Error,
        "an error occurred when formatting an argument",
    );
}

#[test]
fn texts_made_at_run_time_are_not() {
    assert_said(made("an order"), "<an order>");
    assert_said(Cow::<str>::Owned(made("an order")), "<an order>");
    assert_said(
        format!("a literal {}", made("and more")),
        "<a literal and more>",
    );
    assert_said(String::from_utf8_lossy(made("text").as_bytes()), "<text>");
    assert_said(4711, "<4711>");
    assert_said('x', "<x>");
}

#[test]
fn pieces_keep_whose_they_are() {
    let (name, error) = (made("Ada"), "1,5".parse::<f64>().unwrap_err());
    assert_said(
        format_args!("cannot process payment of {name}: {error}"),
        "cannot process payment of <Ada>: invalid float literal",
    );
    assert_said(format_args!("{name}{}{}", made("x"), 7), "<Adax7>");
    assert_said(format_args!("{name}, {}", "paid"), "<Ada>, paid");
    assert_said(
        format_args!("{} of {}", number(3), number(12)),
        "<3> of <12>",
    );
    assert_said(format_args!("{:?}", "quoted"), "<\">quoted<\">");
    let error = "x".parse::<u8>().unwrap_err();
    assert_said(format_args!("{error}"), "invalid digit found in string");
    let error = std::io::Error::from(std::io::ErrorKind::NotFound);
    assert_said(&error, "entity not found");
    let error = std::io::Error::other(made("by hand"));
    assert_said(&error, "<by hand>");
}

#[test]
fn padding_breaks_no_run() {
    assert_said(format_args!("[{:>10}]", "paid"), "[      paid]");
    assert_said(format_args!("[{:^10}]", "paid"), "[   paid   ]");
    assert_said(format_args!("{:>6}", "paid"), "  paid");
    assert_said(
        format_args!("{:>6}|{:<6}|", "paid", made("Ada")),
        "  paid|<Ada>   |".replace("<Ada>   ", "<Ada   >").as_str(),
    );
    assert_said(format_args!("{:>6}", made("Ada")), "   <Ada>");
    assert_said(format_args!("at {:>6}", number(12)), "at     <12>");
    assert_said(format_args!("at {:06}", number(12)), "at <000012>");
}

#[derive(Debug)]
#[allow(dead_code)] // what reads them is `Debug`
enum Order {
    Paid {
        payer: String,
        items: Vec<u8>,
        note: Option<&'static str>,
    },
    Pending(u64),
    Void,
}

#[test]
fn derived_debug_is_the_programs_but_for_values() {
    assert_debug(Order::Void, "Void");
    assert_debug(Order::Pending(7), "Pending(<7>)");
    let paid = || Order::Paid {
        payer: made("Ada"),
        items: vec![1, 20],
        note: Some("gift"),
    };
    assert_debug(
        paid(),
        "Paid { payer: <\"Ada\">, items: [<1>, <20>], note: Some(<\">gift<\">) }",
    );
    assert_said(
        format_args!("{:#?}", Some(Order::Pending(7))),
        "Some(\n    Pending(\n        <7>,\n    ),\n)",
    );
    assert_debug(vec![vec![1u8], vec![]], "[[<1>], []]");
}

#[test]
fn what_is_put_together_from_a_table_is_not_the_programs() {
    struct Encoded(&'static [&'static str]);
    impl fmt::Display for Encoded {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            self.0.iter().try_for_each(|piece| f.write_str(piece))
        }
    }
    assert_said(Encoded(&["%E5", "%90", "%8D"]), "<%E5%90%8D>");
    assert_said(Encoded(&["c3", "ab"]), "<c3ab>");
    assert_said(Encoded(&["A", "d", "a"]), "<Ada>");
    assert_said(Encoded(&["é", "東", "ß", "ss"]), "<é東ßss>");
    assert_said(Encoded(&["by ", ", ", "%a", "100%"]), "by , <%a>100%");
    let name = made("Zoë Vex");
    let encoded = percent_encoding::utf8_percent_encode(&name, percent_encoding::NON_ALPHANUMERIC);
    assert_said(format_args!("find {encoded}"), "find <Zo%C3%AB%20Vex>");
}

/// Alternates pieces of the program and of run time.
struct Alternating(usize);

impl fmt::Display for Alternating {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for n in 0..self.0 {
            write!(f, "literal{}", 1000 + n)?;
        }
        Ok(())
    }
}

#[test]
fn past_the_most_turns_all_is_run_time() {
    for pieces in [31, 32, 33, 200] {
        let said = Said::of(Alternating(pieces));
        let runs: Vec<_> = said.text().runtime().collect();
        let length = said.text().as_bytes().len();
        assert_eq!(runs.last().map(|run| run.end), Some(length));
        if KNOWN {
            let whole = runs.iter().filter(|run| run.len() == 4).count();
            assert_eq!(whole, if pieces > 32 { 31 } else { pieces });
            assert!(
                runs.iter()
                    .take(31)
                    .enumerate()
                    .all(|(n, run)| run.start == 11 * n + 7)
            );
            // The 32nd turn to run time is the last.
            assert_eq!(runs.len(), pieces.min(32));
        }
    }
}

/// The origin of a piece.
#[derive(Clone, Debug)]
enum Piece {
    Literal(&'static str),
    Made(String),
    Padding(usize),
}

fn pieces() -> impl Strategy<Value = Vec<Piece>> {
    let literal = prop::sample::select(vec!["order ", "größe: ", ", ", "", "Zahlung über ", "— "]);
    let piece = prop_oneof![
        literal.prop_map(Piece::Literal),
        "[a-zß東]{0,6}".prop_map(Piece::Made),
        (0usize..4).prop_map(Piece::Padding),
    ];
    prop::collection::vec(piece, 0..12)
}

impl fmt::Display for Piece {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Literal(text) => f.write_str(text),
            Self::Made(text) => f.write_str(text),
            Self::Padding(n) => (0..*n).try_for_each(|_| f.write_char(' ')),
        }
    }
}

proptest! {
    #[test]
    fn runs_are_in_order_and_hold_what_was_made(pieces in pieces(), limit in 0usize..80) {
        let mut bytes = b"before".to_vec();
        let mut out = Limited::new(&mut bytes, Literals::get(), limit);
        let whole: String = pieces.iter().map(ToString::to_string).collect();
        for piece in &pieces {
            let _ = write!(out, "{piece}");
        }
        let (length, tag) = out.finish();
        bytes.extend_from_slice(b"after");
        let mut rest = &bytes[6..];
        let text = Text::take(&mut rest, length, tag).unwrap();
        prop_assert_eq!(rest, b"after");
        prop_assert!(whole.starts_with(text.as_str()));
        prop_assert!(length <= limit);
        prop_assert_eq!(tag & CUT != 0, whole.len() > limit);
        prop_assert!(tag & CUT == 0 || length + 4 > limit);

        let runs: Vec<_> = text.runtime().collect();
        prop_assert!(runs.iter().all(|run| !run.is_empty() && run.end <= length));
        prop_assert!(runs.windows(2).all(|two| two[0].end < two[1].start));
        prop_assert!(runs.iter().all(|run| text.as_str().get(run.clone()).is_some()));
        let is_made = |at: usize| runs.iter().any(|run| run.contains(&at));
        let mut at = 0;
        for piece in &pieces {
            let end = at + piece.to_string().len();
            for byte in at..end.min(length) {
                match piece {
                    Piece::Made(_) => prop_assert!(is_made(byte)),
                    Piece::Literal(_) => prop_assert_eq!(is_made(byte), !KNOWN),
                    Piece::Padding(_) => {}
                }
            }
            at = end;
        }
    }
}

#[test]
fn cut_texts_say_so_and_hold_no_more_memory() {
    let said = Said::of("é".repeat(1 << 20));
    assert!(said.is_cut());
    assert!(said.text().as_bytes().len() <= VALUE_LIMIT && said.bytes.capacity() <= VALUE_LIMIT);
    assert!(!Said::of("short").is_cut());
    assert_eq!(Said::default().text().as_str(), "");
}
