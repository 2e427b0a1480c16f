//! Hidden values, and where a text repeats them.

use super::{
    decode,
    grams::{Grams, Key, Keys},
};
use aho_corasick::{Anchored, MatchKind, automaton::Automaton, nfa::contiguous::NFA};
use std::{borrow::Cow, fmt::Write, ops::Range, sync::OnceLock};

/// Values of this many characters are replaced wherever they occur; shorter
/// ones only between characters that are no letters or digits.
const SUBSTRING: usize = 6;

/// The most bytes of patterns: values and their encoded variants.
const PATTERNS: usize = 4 << 20;

/// The most values without a key of their own that are looked for one by one.
const KEYLESS: usize = 256;

/// With fewer steps than this, values are looked for one after the other;
/// otherwise an automaton finds them all in one pass.
const FEW: usize = 32;

/// The hidden values of one exchange.
pub(super) struct Values {
    known: Vec<Known>,
    /// What each text is held against first.
    keys: Box<Keys>,
}

/// A value to look for.
struct Known {
    value: Box<str>,
    key: Option<Key>,
    /// What stands in its place, made when it is first found.
    short: OnceLock<Box<str>>,
}

/// A part of a text that goes, and the value that it is a variant of.
pub(super) struct Span {
    pub(super) range: Range<usize>,
    pub(super) value: Option<usize>,
}

impl Values {
    /// `None` where there are none.
    pub(super) fn of(values: Vec<Box<str>>) -> Option<Self> {
        let known: Vec<_> = values
            .into_iter()
            .map(|value| Known {
                key: Key::of(&value),
                value,
                short: OnceLock::new(),
            })
            .collect();
        (!known.is_empty()).then(|| Self {
            keys: Box::new(Keys::of(known.iter().map(|known| known.key))),
            known,
        })
    }

    /// Whether a text may hold one of them; almost always it does not.
    pub(super) fn may_be_in(&self, text: &str) -> bool {
        self.keys.may_be_in(text)
    }

    /// Adds where they are in a text. `None` where there are too many to tell.
    pub(super) fn find(&self, text: &str, out: &mut Vec<Span>) -> Option<()> {
        self.find_in(text, FEW, out)
    }

    fn find_in(&self, text: &str, few: usize, out: &mut Vec<Span>) -> Option<()> {
        if !self.may_be_in(text) {
            return Some(());
        }
        let grams = Grams::of(text);
        let (mut keyless, mut left) = (0, few);
        // Those that occur, should they be too many.
        let mut found = Vec::new();
        for (index, Known { value, key, .. }) in self.known.iter().enumerate() {
            match key {
                Some(key) if !grams.may_hold(*key) => continue,
                Some(_) => {}
                None => keyless += 1,
            }
            if keyless > KEYLESS {
                return None;
            }
            for variant in variants(value) {
                let before = left;
                occurrences(text, &variant, index, &mut left, out);
                if left < before || (left == 0 && text.contains(&*variant)) {
                    found.push((variant, index));
                }
            }
        }
        if left == 0 {
            out.clear();
            Patterns::new(found)?.find(text, out);
        }
        Some(())
    }

    /// What stands in the place of a value.
    pub(super) fn short(&self, index: usize, make: impl FnOnce(&str) -> String) -> Option<&str> {
        let known = self.known.get(index)?;
        Some(known.short.get_or_init(|| make(&known.value).into()))
    }
}

/// Adds where a variant occurs, as long as steps are left.
fn occurrences(text: &str, variant: &str, value: usize, left: &mut usize, out: &mut Vec<Span>) {
    let long = is_long(variant);
    let first = variant.chars().next().map_or(1, char::len_utf8);
    let mut from = 0;
    while *left > 0
        && let Some(at) = text.get(from..).and_then(|rest| rest.find(variant))
    {
        *left -= 1;
        let range = from + at..from + at + variant.len();
        // It may overlap itself.
        from = range.start + first;
        if long || stands_alone(text, &range) {
            let value = Some(value);
            out.push(Span { range, value });
        }
    }
}

/// Whether a value is replaced wherever it occurs.
fn is_long(variant: &str) -> bool {
    variant.chars().nth(SUBSTRING - 1).is_some()
}

/// Finds many values at once.
struct Patterns {
    long: Option<Searcher>,
    short: Option<Searcher>,
}

struct Searcher {
    nfa: NFA,
    /// The value of each pattern, by index.
    of: Vec<usize>,
}

impl Patterns {
    fn new(variants: Vec<(Cow<'_, str>, usize)>) -> Option<Self> {
        let bytes: usize = variants.iter().map(|(variant, _)| variant.len()).sum();
        if bytes > PATTERNS {
            return None;
        }
        let (long, short) = variants.into_iter().partition(|(v, _)| is_long(v));
        Some(Self {
            long: Searcher::new(long)?,
            short: Searcher::new(short)?,
        })
    }

    fn find(&self, text: &str, out: &mut Vec<Span>) {
        if let Some(long) = &self.long {
            long.find(text, true, out);
        }
        if let Some(short) = &self.short {
            short.find(text, false, out);
        }
    }
}

impl Searcher {
    /// `None` where the automaton could not be built.
    // Outer: could it be built; inner: was there anything to build.
    #[allow(clippy::option_option)]
    fn new(patterns: Vec<(Cow<'_, str>, usize)>) -> Option<Option<Self>> {
        if patterns.is_empty() {
            return Some(None);
        }
        let nfa = NFA::builder()
            .match_kind(MatchKind::Standard)
            .prefilter(false)
            .build(patterns.iter().map(|(p, _)| p.as_bytes()))
            .ok()?;
        let of = patterns.into_iter().map(|(_, value)| value).collect();
        Some(Some(Self { nfa, of }))
    }

    /// Finds every occurrence, overlapping ones too: a search that goes on
    /// after each match would leave the tail of a value that starts inside
    /// another. Of the patterns that end in one place the longest is the first
    /// in the automaton, and covers the others, so one step per byte is enough.
    fn find(&self, text: &str, substring: bool, out: &mut Vec<Span>) {
        let Ok(mut state) = self.nfa.start_state(Anchored::No) else {
            return;
        };
        for (at, &b) in text.as_bytes().iter().enumerate() {
            state = self.nfa.next_state(Anchored::No, state, b);
            if !self.nfa.is_match(state) {
                continue;
            }
            // The short ones are few to a place: none has more than five characters.
            let count = if substring {
                1
            } else {
                self.nfa.match_len(state)
            };
            for n in 0..count {
                let pattern = self.nfa.match_pattern(state, n);
                let range = at + 1 - self.nfa.pattern_len(pattern)..at + 1;
                if substring || stands_alone(text, &range) {
                    let value = self.of.get(pattern.as_usize()).copied();
                    out.push(Span { range, value });
                    break;
                }
            }
        }
    }
}

fn stands_alone(text: &str, range: &Range<usize>) -> bool {
    let before = text.get(..range.start).unwrap_or_default();
    let left = before.chars().next_back();
    let right = text.get(range.end..).and_then(|t| t.chars().next());
    let left = left.is_some_and(char::is_alphanumeric) && !ends_in_escape(before.as_bytes());
    !left && !right.is_some_and(char::is_alphanumeric)
}

/// Whether a letter or digit at the end stands for another character: `\n`,
/// `\u003c`, `%3F`.
fn ends_in_escape(before: &[u8]) -> bool {
    let hex = |n: usize| {
        let digits = before.get(before.len() - n..)?;
        digits.iter().all(u8::is_ascii_hexdigit).then_some(())?;
        before.get(..before.len() - n)
    };
    let at_most = |n: usize| (before.len() >= n).then_some(n);
    matches!(before, [.., b'\\', b'n' | b'r' | b't' | b'b' | b'f' | b'0'])
        || at_most(2)
            .and_then(hex)
            .is_some_and(|rest| rest.ends_with(b"%"))
        || at_most(4)
            .and_then(hex)
            .is_some_and(|rest| rest.ends_with(b"\\u"))
}

/// The forms in which text repeats a value: as it is, and as JSON, Rust's
/// `Debug` and URLs write it.
fn variants(value: &str) -> Vec<Cow<'_, str>> {
    let mut all = vec![Cow::Borrowed(value)];
    let mut add = |variant: String| {
        if !variant.is_empty() && !all.iter().any(|v| *v == variant) {
            all.push(Cow::Owned(variant));
        }
    };
    if value.bytes().any(|b| !b.is_ascii_alphanumeric()) {
        for json in [json(value, false), json(value, true)] {
            let twice = json_needed(&json).then(|| self::json(&json, false));
            add(json);
            twice.into_iter().for_each(&mut add);
        }
        add(inside(&format!("{value:?}")));
        html(value, &mut add);
        let mut url = String::new();
        decode::push_percent(value.as_bytes(), &mut url);
        if url.contains('%') {
            add(url.replace("%20", "+"));
            add(lower(&url));
        }
        add(url);
    }
    all
}

/// A value as templates write it into HTML and XML: all escape the first three, and
/// each escapes quotes in its own way.
fn html(value: &str, add: &mut impl FnMut(String)) {
    if !value.contains(['&', '<', '>', '"', '\'']) {
        return;
    }
    let text = value
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;");
    if text.contains(['"', '\'']) {
        for (double, single) in [
            ("&quot;", "&#39;"),
            ("&quot;", "&#x27;"),
            ("&quot;", "&apos;"),
            ("&quot;", "'"),
            ("&#34;", "&#39;"),
        ] {
            add(text.replace('"', double).replace('\'', single));
        }
    }
    add(text);
}

fn inside(quoted: &str) -> String {
    let inner = quoted.strip_prefix('"').and_then(|q| q.strip_suffix('"'));
    inner.map_or_else(String::new, str::to_owned)
}

fn json_needed(value: &str) -> bool {
    value.contains(['"', '\\'])
}

/// A value as JSON writes it, with everything beyond ASCII escaped on demand.
fn json(value: &str, ascii: bool) -> String {
    let mut out = inside(&serde_json::to_string(value).unwrap_or_default());
    if ascii && !out.is_ascii() {
        let mut escaped = String::with_capacity(out.len() * 2);
        for c in out.chars() {
            if c.is_ascii() {
                escaped.push(c);
            } else {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    let _ = write!(escaped, "\\u{unit:04x}");
                }
            }
        }
        out = escaped;
    }
    out
}

/// Percent-encoding with lower-case digits.
fn lower(url: &str) -> String {
    let mut digits = 0;
    url.chars()
        .map(|c| {
            digits = if c == '%' { 4_u8 } else { digits };
            digits = digits.saturating_sub(1);
            if digits > 0 {
                c.to_ascii_lowercase()
            } else {
                c
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redact::scrub::merge;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn one_after_the_other_finds_what_the_automaton_finds(
            values in prop::collection::btree_set("[ab1é\"% -]{3,8}", 1..12),
            parts in prop::collection::vec("[ab1é\"% -]{0,6}", 0..8),
            said in prop::collection::vec(any::<prop::sample::Index>(), 0..4),
        ) {
            let all: Vec<Box<str>> = values.iter().map(|v| v.as_str().into()).collect();
            let mut text = parts.concat();
            for index in said {
                let value = &all[index.index(all.len())];
                text.push_str(&variants(value).pop().unwrap());
                text.push_str(value);
            }
            let values = Values::of(all).unwrap();
            let found = |few| {
                let mut spans = Vec::new();
                values.find_in(&text, few, &mut spans).unwrap();
                let spans = merge(spans);
                spans.into_iter().map(|span| (span.range, span.value)).collect::<Vec<_>>()
            };
            prop_assert_eq!(found(usize::MAX), found(0));
        }
    }
}
