use super::{
    decode, detect,
    grams::{Grams, Key, Keys},
    memory::Memory,
    policy::Policy,
    pseudonym,
};
use aho_corasick::{Anchored, MatchKind, automaton::Automaton, nfa::contiguous::NFA};
use std::{
    borrow::Cow,
    fmt::{self, Display, Write},
    ops::Range,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

/// Values of this many characters are replaced wherever they occur; shorter
/// ones only between characters that are no letters or digits.
const SUBSTRING: usize = 6;

/// The most bytes of patterns: values and their encoded variants.
const PATTERNS: usize = 4 << 20;

/// Cleans the free text of one exchange.
///
/// It replaces, by the short form of a placeholder, what the detectors find
/// and every value that was hidden elsewhere in the exchange, in the encodings
/// in which text usually repeats it. It is best effort by nature: a value that
/// the service reworded, cut or encoded otherwise is not recognised.
pub(crate) struct Scrubber {
    policy: Policy,
    /// `None` where there were too many values to remember.
    values: Option<Vec<Known>>,
    /// What each text is held against first; `None` where there are no values.
    keys: Option<Box<Keys>>,
    hiding: u64,
}

/// A value to look for.
struct Known {
    value: Box<str>,
    key: Option<Key>,
}

/// The most values without a key of their own that are looked for one by one.
const KEYLESS: usize = 256;

#[derive(Default)]
struct Patterns {
    values: Vec<Box<str>>,
    long: Option<Searcher>,
    short: Option<Searcher>,
}

struct Searcher {
    nfa: NFA,
    /// The value of each pattern, by index.
    of: Vec<usize>,
}

fn fresh() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Relaxed)
}

/// A part of a text that goes, and the value that it is a variant of.
struct Span {
    range: Range<usize>,
    value: Option<usize>,
}

impl fmt::Debug for Scrubber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // It holds what must not be written.
        f.write_str("Scrubber")
    }
}

impl Scrubber {
    pub(super) fn new(policy: Policy, memory: Memory) -> Self {
        let values: Option<Vec<_>> = memory.into_values().map(|values| {
            let known = |value: Box<str>| Known {
                key: Key::of(&value),
                value,
            };
            values.into_iter().map(known).collect()
        });
        let some = values.as_ref().filter(|values| !values.is_empty());
        Self {
            policy,
            keys: some.map(|values| Box::new(Keys::of(values.iter().map(|v| v.key)))),
            hiding: if values.as_ref().is_some_and(Vec::is_empty) {
                0
            } else {
                fresh()
            },
            values,
        }
    }

    /// A number that two scrubbers of one policy share only where they hide
    /// the same.
    #[cfg(feature = "kit")]
    pub(crate) fn hiding(&self) -> u64 {
        self.hiding
    }

    /// Whether this text certainly has nothing that has to go.
    fn passes(&self, text: &str) -> bool {
        let values = match (&self.values, &self.keys) {
            (None, _) => false,
            (Some(_), None) => true,
            (Some(_), Some(keys)) => !keys.may_be_in(text),
        };
        values && detect::clear(text.as_bytes())
    }

    /// One that lets no text through.
    #[cfg(feature = "kit")]
    pub(crate) fn hiding_all(policy: Policy) -> Self {
        Self {
            policy,
            values: None,
            keys: None,
            hiding: fresh(),
        }
    }

    /// The values that this text may hold, ready to be found: almost always
    /// none, which is why there is no automaton of them all. `None` where there
    /// are too many to tell.
    fn patterns(&self, text: &str) -> Option<Patterns> {
        let values = self.values.as_ref()?;
        let mut candidates = Vec::new();
        if !values.is_empty() && text.len() >= 3 {
            let grams = Grams::of(text);
            let mut keyless = 0;
            for Known { value, key } in values {
                match key {
                    Some(key) if !grams.may_hold(*key) => continue,
                    Some(_) => {}
                    None => keyless += 1,
                }
                if keyless > KEYLESS {
                    return None;
                }
                if variants(value).iter().any(|v| text.contains(v.as_ref())) {
                    candidates.push(value.clone());
                }
            }
        }
        if candidates.is_empty() {
            return Some(Patterns::default());
        }
        Patterns::new(candidates)
    }

    /// The text without what must not be written. Once the exchange had more
    /// hidden values than can be remembered, that is none of it.
    pub(crate) fn text<'t>(&self, text: &'t str) -> Cow<'t, str> {
        if self.passes(text) {
            return Cow::Borrowed(text);
        }
        self.search(text)
    }

    fn search<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let key = self.policy.key();
        let Some(patterns) = self.patterns(text) else {
            let mut out = String::new();
            key.push_value(text.as_bytes(), false, &mut out);
            return Cow::Owned(out);
        };
        let mut spans = Vec::new();
        patterns.find(text, &mut spans);
        let found = detect::find(text, self.policy.names());
        spans.extend(found.into_iter().map(|range| Span { range, value: None }));
        if spans.is_empty() {
            return Cow::Borrowed(text);
        }
        let spans = around(merge(spans), &placeholders(text));
        if spans.is_empty() {
            return Cow::Borrowed(text);
        }
        Cow::Owned(replace(text, &spans, &patterns, key))
    }

    /// Whether values of this name are never written.
    pub(crate) fn hides(&self, name: &str) -> bool {
        self.policy.field_rule(name).suspicious
    }

    /// The placeholder of a text.
    pub(crate) fn placeholder(&self, text: &str) -> String {
        let mut out = String::new();
        let key = self.policy.key();
        key.push_value(text.as_bytes(), false, &mut out);
        out
    }

    /// The placeholder of a number that is hidden by its name, or that looks
    /// like one that has to be.
    pub(crate) fn number(&self, hidden: bool, value: &impl Display) -> Option<String> {
        let text = value.to_string();
        (hidden || detect::number(&text)).then(|| {
            let mut out = String::new();
            self.policy.key().push_number(&text, false, &mut out);
            out
        })
    }
}

fn replace(text: &str, spans: &[Span], patterns: &Patterns, key: &pseudonym::Key) -> String {
    let mut out = String::with_capacity(text.len());
    let mut done = 0;
    for span in spans {
        out.push_str(text.get(done..span.range.start).unwrap_or_default());
        let value = span.value.and_then(|v| patterns.values.get(v));
        let value = value
            .map(AsRef::as_ref)
            .or_else(|| text.get(span.range.clone()));
        key.push_short(value.unwrap_or_default().as_bytes(), &mut out);
        done = span.range.end;
    }
    out.push_str(text.get(done..).unwrap_or_default());
    out
}

/// The placeholders that a text already has.
fn placeholders(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(at) = text.get(from..).and_then(|t| t.find("[~")) {
        let start = from + at;
        let length = text.get(start..).and_then(pseudonym::placeholder);
        if let Some(length) = length {
            found.push(start..start + length);
        }
        from = start + length.unwrap_or(2);
    }
    found
}

/// Joins overlapping spans. What is more than one value is a text of its own.
fn merge(mut spans: Vec<Span>) -> Vec<Span> {
    spans.sort_by_key(|s| {
        (
            s.range.start,
            std::cmp::Reverse(s.range.end),
            s.value.is_none(),
        )
    });
    let mut merged: Vec<Span> = Vec::with_capacity(spans.len());
    for span in spans {
        match merged.last_mut() {
            Some(last) if span.range.start < last.range.end => {
                if span.range.end > last.range.end {
                    last.range.end = span.range.end;
                    last.value = None;
                } else if span.range == last.range {
                    last.value = last.value.or(span.value);
                }
            }
            _ => merged.push(span),
        }
    }
    merged
}

/// Takes the placeholders out of the spans, unless the hash in one is itself
/// a hidden value: then it was not made here.
fn around(spans: Vec<Span>, placeholders: &[Range<usize>]) -> Vec<Span> {
    let mut out = Vec::with_capacity(spans.len());
    let mut holes = placeholders.iter().peekable();
    for Span { mut range, value } in spans {
        while holes.next_if(|h| h.end <= range.start).is_some() {}
        let mut whole = true;
        while let Some(hole) = holes.peek().filter(|h| h.start < range.end) {
            if value.is_some() && range == (hole.start + 2..hole.start + 18) {
                break;
            }
            whole = false;
            if range.start < hole.start {
                out.push(Span {
                    range: range.start..hole.start,
                    value: None,
                });
            }
            range.start = hole.end.min(range.end);
            if hole.end > range.end {
                break;
            }
            holes.next();
        }
        if !range.is_empty() {
            let value = value.filter(|_| whole);
            out.push(Span { range, value });
        }
    }
    out
}

impl Patterns {
    fn new(values: Vec<Box<str>>) -> Option<Self> {
        let (mut long, mut short) = (Vec::new(), Vec::new());
        let mut bytes = 0;
        for (index, value) in values.iter().enumerate() {
            for variant in variants(value) {
                bytes += variant.len();
                let list = if variant.chars().nth(SUBSTRING - 1).is_some() {
                    &mut long
                } else {
                    &mut short
                };
                list.push((variant, index));
            }
        }
        if bytes > PATTERNS {
            return None;
        }
        Some(Self {
            long: Searcher::new(long)?,
            short: Searcher::new(short)?,
            values,
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
    let left = text.get(..range.start).and_then(|t| t.chars().next_back());
    let right = text.get(range.end..).and_then(|t| t.chars().next());
    !left.is_some_and(char::is_alphanumeric) && !right.is_some_and(char::is_alphanumeric)
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
