use super::{
    fold::Folded,
    source::Source,
    tests_ways::{RARE, VALUES, WAYS},
    *,
};
use proptest::prelude::*;

pub(super) fn index(values: &[&str]) -> Index {
    let mut index = Index::default();
    values.iter().for_each(|value| index.add(value, Why::Told));
    index
}

pub(super) fn found(index: &Index, text: &str) -> Vec<Found> {
    found_at(index, text, &whole(text)).unwrap()
}

pub(super) fn found_at(
    index: &Index,
    text: &str,
    runtime: &[Range<usize>],
) -> Result<Vec<Found>, Spent> {
    let mut out = Vec::new();
    index.find(text, runtime, &mut Work::new(u64::MAX), &mut out)?;
    Ok(out)
}

/// The text with a star for each match.
pub(super) fn shown(index: &Index, text: &str) -> String {
    starred(text, &found(index, text))
}

pub(super) fn starred(text: &str, found: &[Found]) -> String {
    let (mut out, mut at) = (String::new(), 0);
    for one in found {
        out.push_str(&text[at..one.range.start]);
        out.push('*');
        at = one.range.end;
    }
    out + &text[at..]
}

/// All of the text is run-time text.
pub(super) fn whole(text: &str) -> Vec<Range<usize>> {
    std::iter::once(0..text.len()).collect()
}

fn symbols(text: &str) -> Vec<u8> {
    let undone = escapes::undo(Source::of(text.as_bytes()));
    let read = undone.text.as_ref().map_or(text.as_bytes(), |t| &t.bytes);
    let mut folded = Folded::default();
    folded.fill(read, false);
    folded.symbols
}

#[test]
fn no_character_costs_more_than_its_bytes_do() {
    for c in '\0'..=char::MAX {
        let text = c.to_string();
        let found = symbols(&text).len();
        assert!(found <= 4 && found <= 2 * text.len(), "{c:?}: {found}");
    }
}

#[test]
fn every_way_is_found() {
    let index = index(VALUES);
    let mut missed = Vec::new();
    for value in VALUES {
        for (name, way) in WAYS.iter().chain(RARE) {
            // Nothing shows that such bytes are letters.
            if name.starts_with("UTF-16") && "王山서".contains(|c| value.starts_with(c)) {
                continue;
            }
            let said = way(value);
            let text = format!("cannot serve {said} now");
            let shown = shown(&index, &text);
            let left: String = shown.replace("cannot serve", "").replace("now", "");
            let letters = |text: &str| text.chars().filter(|c| c.is_alphanumeric()).count();
            // A mark alone is not a symbol, except in escapes.
            if letters(&left) > 4 + letters(&way("")) {
                missed.push(format!("{name}: {text} -> {shown}"));
            }
        }
    }
    assert!(
        missed.is_empty(),
        "{}:\n{}",
        missed.len(),
        missed.join("\n")
    );
}

/// A text with its run-time parts in brackets.
fn pieces(marked: &str) -> (String, Vec<Range<usize>>) {
    let (mut text, mut runtime) = (String::new(), Vec::new());
    for (at, piece) in marked.split(['⟨', '⟩']).enumerate() {
        let start = text.len();
        text.push_str(piece);
        if at % 2 == 1 {
            runtime.push(start..text.len());
        }
    }
    (text, runtime)
}

#[track_caller]
fn clipped(values: &[&str], marked: &str, expected: &str) {
    let (text, runtime) = pieces(marked);
    let found = found_at(&index(values), &text, &runtime).unwrap();
    assert_eq!(starred(&text, &found), expected, "{marked}");
}

#[test]
fn only_what_came_at_run_time_goes() {
    clipped(&["order"], "an order of ⟨order⟩", "an order of *");
    clipped(&["order"], "an order of ⟨nobody⟩", "an order of nobody");
    clipped(&["order"], "an order", "an order");
    // A literal between two parts of a value is kept.
    clipped(&["Ada Lovelace"], "⟨Ada⟩ ⟨Lovelace⟩", "*");
    clipped(&["Ada M. Lovelace"], "⟨Ada⟩ M. ⟨Lovelace⟩", "* M. *");
    clipped(&["Zo"], "[⟨90⟩, ⟨111⟩]", "[90, 111]");
    clipped(&["Zoe"], "[⟨90⟩, ⟨111⟩, ⟨101⟩]", "[*]");
    clipped(&["Zoë Kx"], "b\"Zo\\x⟨c3⟩\\x⟨ab⟩⟨ Kx⟩\"", "b\"Zo*\"");
    clipped(&["Zoë Kx"], "b\"⟨Zo⟩\\x⟨c3⟩\\x⟨ab⟩⟨ Kx⟩\"", "b\"*\"");
    clipped(&["482913"], "pin=48⟨2913⟩", "pin=48*");
    clipped(&["482913"], "pin=⟨482⟩,⟨913⟩.0", "pin=*.0");
}

#[test]
fn marks_of_the_value_go_with_it() {
    clipped(&["!secret?!"], "is ⟨!secret?!⟩!", "is *!");
    clipped(&["!secret?!"], "is !⟨secret?⟩!!", "is !*!!");
    clipped(&["(Quvexastr Moltrin)"], "⟨((Quvexastr Moltrin))⟩", "(*)");
    clipped(&["!!??"], "what⟨!!??⟩ and why?!", "what* and why?!");
    clipped(&["🦀🦀🦀"], "⟨a🦀🦀🦀b⟩", "a*b");
}

#[test]
fn an_escape_of_a_byte_before_letters_that_are_hex_digits() {
    let mut index = Index::default();
    index.add("Myzvezxam\nFexwiq Kylwiq", Why::Told);
    for text in ["Myzvezxam\\012Fexwiq Kylwiq", "Myzvezxam\\0aFexwiq Kylwiq"] {
        let shown = shown(&index, text);
        assert!(
            !shown.contains("vezxam") && !shown.contains("Kyl"),
            "{shown}"
        );
    }
}

#[test]
fn a_sign_before_digits_may_be_no_escape() {
    for number in ["88549", "83244", "32156976172", "324449426407", "35011438"] {
        let mut index = Index::default();
        index.add(number, Why::Told);
        let shown = shown(&index, &format!("C:\\temp\\{number}.tmp"));
        assert!(!shown.contains(&number[3..]), "{number}: {shown}");
    }
}

#[test]
fn short_values_stand_where_words_do() {
    let index = index(&["zoe", "Mueller", "user", "85-03-12"]);
    for (text, expected) in [
        ("zoe is not in azoem", "* is not in azoem"),
        ("userName of USER and user42", "*Name of * and *42"),
        ("usermanual", "usermanual"),
        ("kermuellerin", "ker*in"),
        // A match is a word boundary for its neighbours.
        ("zoemueller", "**"),
        ("muellerzoe", "**"),
        ("born 850312", "born *"),
        ("born 85-03-12", "born *"),
        // The text has a gap that the value does not have.
        ("born 8-50-312", "born 8-50-312"),
        ("z-oe", "z-oe"),
    ] {
        assert_eq!(shown(&index, text), expected, "{text}");
    }
}

#[test]
fn parts_of_long_values_are_found() {
    let index = index(&["Quvexastrophilia Moltrinburg", "deliverables completed"]);
    for (text, expected) in [
        ("for Quvexastroph", "for *"),
        ("for trophilia Moltrin!", "for *!"),
        ("xxQuvexastrophilia Moltrinburgxx", "xx*xx"),
        ("quvexastrophiliaMOLTRINburg_deliverablescompleted", "*_*"),
        // Inside a word in both.
        ("preliverablesque", "preliverablesque"),
    ] {
        assert_eq!(shown(&index, text), expected, "{text}");
    }
}

#[test]
fn numbers_are_found_as_numbers() {
    let index = index(&["482913", "12,500.75", "1500", "6.02e23"]);
    for (text, expected) in [
        ("482913.0 of it", "*.0 of it"),
        ("4.82913e5", "*"),
        ("482,913.00", "*"),
        ("482'913", "*"),
        ("482 913 left", "* left"),
        ("12500.75", "*"),
        ("12.500,75", "*"),
        ("1.25007500e4", "*"),
        ("1.5e3", "*"),
        ("602000000000000000000000", "*"),
        ("48291", "48291"),
    ] {
        let shown = shown(&index, text).replace("*.0 ", "* ");
        assert_eq!(shown, expected.replace("*.0 ", "* "), "{text}");
    }
    let value = |number: Number| index.number(number);
    assert_eq!(value(482_913_u64.into()), value((-482_913_i64).into()));
    assert_eq!(
        index.value(value(482_913.0.into()).unwrap()),
        Some("482913")
    );
    assert_eq!(
        index.value(value(12_500.75.into()).unwrap()),
        Some("12,500.75")
    );
    assert_eq!(index.value(value(6.02e23.into()).unwrap()), Some("6.02e23"));
    assert_eq!(index.number(482_914_u128.into()), None);
    assert_eq!(index.number(f64::NAN.into()), None);
    assert_eq!(index.number(0_i128.into()), None);
}

#[test]
fn ordinary_words_are_looked_for_where_they_are_told() {
    let mut index = Index::default();
    for value in ["open", "EUR", "in_progress", "4900", "Vexar", "49001"] {
        index.add(value, Why::All);
    }
    assert_eq!(
        shown(&index, "open EUR in_progress 4900"),
        "open EUR in_progress 4900"
    );
    assert_eq!(shown(&index, "Vexar 49001"), "* *");
    assert_eq!(index.number(4900_u64.into()), None);
    index.add("open", Why::Told);
    index.add("4900", Why::Told);
    assert_eq!(
        shown(&index, "open EUR 4900.00 4900"),
        "* EUR *.00 *".replace(".00", "")
    );
}

#[test]
fn a_whole_value_is_told() {
    let index = index(&["Quvexastr Moltrin", "zoe", "Quvexastr Moltrin"]);
    let values = |text: &str| -> Vec<_> {
        let found = found(&index, text).into_iter();
        found
            .map(|f| f.value.and_then(|id| index.value(id)))
            .collect()
    };
    assert_eq!(values("QUVEXASTR_MOLTRIN"), [Some("Quvexastr Moltrin")]);
    assert_eq!(values("uvexastr Moltrin, Zoë"), [None, Some("zoe")]);
    assert_eq!(index.value(7), None);
    let (text, runtime) = pieces("⟨Quvexastr⟩=⟨Moltrin⟩ or ⟨Quvex⟩astr ⟨Moltrin⟩");
    let found = found_at(&index, &text, &runtime).unwrap();
    assert_eq!(starred(&text, &found), "* or *astr *");
    assert!(found.iter().all(|f| f.value == Some(0)));
}

#[test]
fn bytes_are_looked_for_as_what_they_can_be() {
    let wide = |value: &str, unit: fn(u16) -> [u8; 2]| -> Vec<u8> {
        value.encode_utf16().flat_map(unit).collect()
    };
    for bytes in [
        b"Vexarol M\xfcller".to_vec(),
        wide("Vexarol Müller", u16::to_le_bytes),
        wide("Vexarol Müller", u16::to_be_bytes),
        "Vexarol Müller"
            .chars()
            .flat_map(|c| u32::from(c).to_le_bytes())
            .collect(),
        "Vexarol Müller"
            .chars()
            .flat_map(|c| u32::from(c).to_be_bytes())
            .collect(),
    ] {
        let mut index = Index::default();
        index.add_bytes(&bytes, Why::Told);
        assert_eq!(
            shown(&index, "to Vexarol Müller now"),
            "to * now",
            "{bytes:?}"
        );
    }
}

#[test]
fn words_and_cells_of_a_text_are_looked_for() {
    let mut index = Index::default();
    index.add_words(
        "id;name,Ana B;pin: 4711\nkx7,the Vörder of Quell|49001.5",
        Why::All,
    );
    for (text, expected) in [
        ("ana b", "*"),
        ("kx7", "*"),
        ("VORDER", "*"),
        ("the", "the"),
        ("4711", "4711"),
        ("4.90015e4", "*"),
        ("vorderofquell", "*"),
        ("Quell", "*"),
    ] {
        assert_eq!(shown(&index, text), expected, "{text}");
    }
    let found = found(&index, "x VORDER");
    assert_eq!(index.value(found[0].value.unwrap()), Some("Vörder"));
}

#[test]
fn too_much_is_said() {
    let mut index = Index::default();
    while !index.is_full() {
        assert!(index.len_bytes() <= 1 << 20);
        index.add(&format!("value number {}", index.len_bytes()), Why::Told);
    }
    assert!(!index.is_empty());
    assert_eq!(found_at(&index, "anything", &whole("anything")), Err(Spent));
}

proptest! {
    #[test]
    fn undoing_an_escape_leaves_the_value(
        value in "[a-zäöüßéA-Z0-9 '\"&<>,;.ЖжΣσ中文가나-]{0,24}",
        ways in prop::collection::vec(0_usize..WAYS.len(), 1..4),
    ) {
        // Escapes only, not other letters or more of them.
        let escapes = |at: &usize| {
            let name = WAYS[*at].0;
            let others = ["base64", "hex", "HEX", "list", "quoted", "SQL LIKE"];
            name == "every byte in hex escapes" || !others.iter().any(|n| name.contains(n))
        };
        let mut ways = ways;
        ways.retain(escapes);
        // Transformations that remove signs or change the case come first.
        ways.sort_by_key(|at| !["slug", "snake", "lower", "upper"].contains(&WAYS[*at].0));
        // An apparent escape in the value is one.
        prop_assume!(!value.contains('&') || !value.contains(';'));
        let said = ways.iter().fold(value.clone(), |said, way| WAYS[*way].1(&said));
        prop_assert_eq!(symbols(&said), symbols(&value), "{}", said);
    }

    #[test]
    fn nothing_panics(
        values in prop::collection::vec(any::<String>(), 0..6),
        bytes in prop::collection::vec(any::<u8>(), 0..40),
        pieces in prop::collection::vec(("[\\\\%&=xu0-9a-f;#{}, ]{0,12}|\\PC{0,12}", any::<bool>()), 0..8),
        parts in prop::collection::vec((any::<prop::sample::Index>(), 0_usize..WAYS.len()), 0..4),
    ) {
        let mut index = Index::default();
        for value in &values {
            index.add(value, Why::Told);
            index.add_words(value, Why::All);
        }
        index.add_bytes(&bytes, Why::All);
        let (mut text, mut runtime) = (String::new(), Vec::new());
        let said = parts.iter().filter(|_| !values.is_empty());
        let said = said.map(|(at, way)| (WAYS[*way].1(&values[at.index(values.len())]), true));
        for (piece, is) in pieces.into_iter().chain(said) {
            let start = text.len();
            text.push_str(&piece);
            if is {
                runtime.push(start..text.len());
            }
        }
        if let Ok(found) = found_at(&index, &text, &runtime) {
            let mut at = 0;
            for one in found {
                prop_assert!(one.range.start >= at && one.range.start < one.range.end);
                prop_assert!(text.get(one.range.clone()).is_some());
                prop_assert!(one.value.is_none_or(|id| index.value(id).is_some()));
                at = one.range.end;
            }
        }
        let mut probes = Probes::default();
        if probes.fill(&text, &runtime) {
            probes.may_be_in(text.as_bytes());
        }
    }
}
