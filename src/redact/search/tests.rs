use super::tests_ways::{VALUES, WAYS};
use super::{fold::Folded, source::Source, *};
use proptest::prelude::*;

fn index(values: &[&str]) -> Index {
    let mut index = Index::default();
    values.iter().for_each(|value| index.add(value, Why::Told));
    index
}

fn found(index: &Index, text: &str) -> Vec<Found> {
    found_at(index, text, &[0..text.len()]).unwrap()
}

fn found_at(index: &Index, text: &str, runtime: &[Range<usize>]) -> Result<Vec<Found>, Spent> {
    let mut out = Vec::new();
    index.find(text, runtime, &mut Work::new(u64::MAX), &mut out)?;
    Ok(out)
}

/// The text with a star for what was found.
pub(super) fn shown(index: &Index, text: &str) -> String {
    starred(text, &found(index, text))
}

fn starred(text: &str, found: &[Found]) -> String {
    let (mut out, mut at) = (String::new(), 0);
    for one in found {
        out.push_str(&text[at..one.range.start]);
        out.push('*');
        at = one.range.end;
    }
    out + &text[at..]
}

fn symbols(text: &str) -> Vec<u8> {
    let undone = escapes::undo(Source::of(text.as_bytes()));
    let read = undone.text.as_ref().map_or(text.as_bytes(), |t| &t.bytes);
    let mut folded = Folded::default();
    folded.fill(read, false);
    folded.symbols
}

#[test]
fn every_way_is_found() {
    let index = index(VALUES);
    let mut missed = Vec::new();
    for value in VALUES {
        for (name, way) in WAYS {
            // Nothing tells that such bytes are letters.
            if name.starts_with("UTF-16") && "王山서".contains(|c| value.starts_with(c)) {
                continue;
            }
            let said = way(value);
            let text = format!("cannot serve {said} now");
            let shown = shown(&index, &text);
            let left: String = shown.replace("cannot serve", "").replace("now", "");
            let left = left.chars().filter(|c| c.is_alphanumeric()).count();
            if left > 3 {
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
