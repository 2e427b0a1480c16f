//! How much of a value is readable in an output.

use super::{
    letters::decompose_wide,
    saying::{Place, Saying, name, opening},
    tagged::Tagged,
    values::weight,
};
use serde_json::Value as Json;
use std::collections::HashSet;

/// Symbols of a value that may stay beside a hidden part of it.
const REST: usize = 3;

/// Symbols of a piece that redaction can find.
const PIECE: usize = 10;

/// Symbols of a piece that the test searches wherever the value was not said.
const TELLING: usize = 8;

/// The text between placeholders.
fn pieces(text: &str) -> Vec<&str> {
    let mut out = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("[~") {
        out.push(before);
        rest = after.split_once(']').map_or("", |(_, rest)| rest);
    }
    out.push(rest);
    out
}

/// The texts of an output, each with its name.
pub(crate) fn leaves(output: &str) -> Vec<(String, String)> {
    let mut out = Vec::new();
    match serde_json::from_str(output) {
        Ok(json) => walk("", &json, &mut out),
        Err(_) => out.push((String::new(), output.to_owned())),
    }
    out
}

fn walk(key: &str, json: &Json, out: &mut Vec<(String, String)>) {
    match json {
        Json::String(text) => out.push((key.to_owned(), text.clone())),
        Json::Number(n) => out.push((key.to_owned(), n.to_string())),
        // A header.
        Json::Array(pair) => match pair.as_slice() {
            [Json::String(name), value @ Json::String(_)] => walk(name, value, out),
            all => all.iter().for_each(|json| walk(key, json, out)),
        },
        Json::Object(members) => match (members.get("name"), members.get("value")) {
            (Some(Json::String(name)), Some(value)) => walk(name, value, out),
            _ => members.iter().for_each(|(key, json)| walk(key, json, out)),
        },
        Json::Bool(_) | Json::Null => {}
    }
}

/// Characters of one symbol that are adjacent.
struct Group {
    start: usize,
    end: usize,
    tag: u32,
}

fn groups(text: &Tagged) -> Vec<Group> {
    let mut out: Vec<Group> = Vec::new();
    let mut at = 0;
    for (c, tag) in &text.0 {
        let end = at + c.len_utf8();
        match out.last_mut() {
            Some(last) if last.tag == *tag => last.end = end,
            _ => out.push(Group {
                start: at,
                end,
                tag: *tag,
            }),
        }
        at = end;
    }
    out
}

impl Saying {
    /// Its place in a text with this name: everything after the words that announce it.
    fn within<'t>(&self, key: &str, text: &'t str) -> Option<&'t str> {
        if self.place == Place::Server {
            return (key == "server").then_some(text);
        }
        if key == name(self.n) {
            return Some(text);
        }
        let (_, said) = text.split_once(&opening(self.n))?;
        Some(said)
    }

    /// Returns the adjacent symbols that are readable where it was said, or nothing if that place
    /// is not here.
    pub(crate) fn readable(&self, leaves: &[(String, String)]) -> Option<usize> {
        let mut most = None;
        for (key, text) in leaves {
            if let Some(said) = self.within(key, text) {
                most = most.max(Some(self.left(said)));
            }
        }
        most
    }

    /// Returns whether this many symbols are too many.
    pub(crate) fn is_leak(&self, readable: usize) -> bool {
        readable > REST || readable >= self.symbols()
    }

    /// Returns whether this many symbols are a piece that is too short to be found: of a value
    /// that was cut, and said in more than one way or not shown as a whole.
    pub(crate) fn is_piece(&self, readable: usize) -> bool {
        let limit = match self.place {
            Place::Reason => 256,
            Place::Fact => 1024,
            _ => usize::MAX,
        };
        let ours = self.text.text().len() > limit && !self.ways.contains(&"cut by us");
        let cut = self.ways.iter().any(|way| way.starts_with("cut, "));
        let heaviest = self.value.chars().map(weight).max().unwrap_or(1);
        (ours || cut && self.ways.len() > 1) && readable > REST && readable * heaviest < PIECE
    }

    fn symbols(&self) -> usize {
        self.value.chars().filter(|c| c.is_alphanumeric()).count()
    }

    /// The symbols of the value that one piece of the output has.
    fn left(&self, said: &str) -> usize {
        let whole = self.text.text();
        let groups = groups(&self.text);
        let symbol: Vec<bool> = self.value.chars().map(char::is_alphanumeric).collect();
        let (mut from, mut most) = (0, 0);
        for piece in pieces(said) {
            // Words of dashcam follow a cut.
            let mut piece = piece;
            let at = loop {
                if piece.is_empty() {
                    break None;
                }
                if let Some(at) = whole[from..].find(piece) {
                    break Some(from + at);
                }
                let shorter = piece.char_indices().next_back().map_or(0, |(at, _)| at);
                piece = &piece[..shorter];
            };
            let Some(at) = at else { continue };
            from = at + piece.len();
            let first = groups.partition_point(|g| g.start < at);
            let seen: HashSet<u32> = groups[first..]
                .iter()
                .take_while(|g| g.end <= from)
                .filter(|g| g.tag > 0 && symbol[g.tag as usize - 1])
                .map(|g| g.tag)
                .collect();
            most = most.max(seen.len());
        }
        most
    }
}

/// Letters and digits only, in the form for the comparison.
pub(crate) fn fold(text: &str) -> String {
    let lower = text.chars().flat_map(char::to_lowercase);
    if text.is_ascii() {
        return lower.filter(char::is_ascii_alphanumeric).collect();
    }
    let parts: Vec<String> = lower.map(decompose_wide).collect();
    let letters = parts.iter().flat_map(|part| part.chars());
    letters.filter(|c| c.is_alphanumeric()).collect()
}

/// Parts of a value, none of which may be where it was not said.
pub(crate) fn telling(value: &str) -> Vec<String> {
    let folded: Vec<char> = fold(value).chars().collect();
    if folded.len() < TELLING {
        return Vec::new();
    }
    let starts = (0..=folded.len() - TELLING).step_by(TELLING.max(folded.len() / 8));
    starts
        .map(|at| folded[at..at + TELLING].iter().collect())
        .collect()
}

/// Text without placeholders, folded.
pub(crate) fn plain(text: &str) -> String {
    pieces(text).iter().map(|piece| fold(piece) + " ").collect()
}

#[test]
fn what_is_readable_is_counted() {
    use super::live::Live;
    let saying = |text: Tagged| Saying {
        n: 0,
        value: "Zoë Muxvez".to_owned(),
        kind: "name",
        planted: "json",
        ways: vec!["as it is"],
        place: Place::DebugField,
        step: super::saying::Step::Before,
        live: Live::Text(text.text()),
        text,
        excuse: None,
    };
    let plain = saying(Tagged::value("Zoë Muxvez").within("by ", " there"));
    for (said, readable) in [
        ("by Zoë Muxvez there", 9),
        ("by [~0011223344556677] there", 0),
        ("by Zoë [~0011223344556677] there", 3),
        ("by [~0011223344556677]Muxvez there", 6),
        ("by Zoë Mu… (cut)", 5),
    ] {
        let leaves = leaves(&serde_json::json!({ "a": { "said0": said } }).to_string());
        assert_eq!(plain.readable(&leaves), Some(readable), "{said}");
    }
    let message = [(
        String::new(),
        "planned: said so 0: by Zoë Muxvez there".to_owned(),
    )];
    assert_eq!(plain.readable(&message), Some(9));
    assert_eq!(
        plain.readable(&[("said1".to_owned(), "Zoë".to_owned())]),
        None
    );
    assert_eq!(telling("Zoë Muxvez"), ["zoemuxve"]);
}
