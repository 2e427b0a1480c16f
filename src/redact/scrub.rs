use super::{
    detect,
    memory::Memory,
    policy::Policy,
    pseudonym::{self, Pseudonyms},
    values::{Span, Values},
};
use std::{
    borrow::Cow,
    fmt::{self, Display},
    ops::Range,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

/// Cleans the free text of one exchange.
///
/// It replaces, by the short form of a placeholder, what the detectors find
/// and every value that was hidden elsewhere in the exchange, in the encodings
/// in which text usually repeats it. It is best effort by nature: a value that
/// the service reworded, cut or encoded otherwise is not recognised.
pub(crate) struct Scrubber {
    policy: Policy,
    pseudonyms: Pseudonyms,
    known: Known,
    hiding: u64,
}

/// The values that were hidden.
enum Known {
    Nothing,
    These(Values),
    /// Too many to remember.
    TooMany,
}

fn fresh() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Relaxed)
}

impl fmt::Debug for Scrubber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // It holds what must not be written.
        f.write_str("Scrubber")
    }
}

impl Scrubber {
    pub(super) fn new(policy: Policy, pseudonyms: Pseudonyms, memory: Memory) -> Self {
        let known =
            memory
                .into_values()
                .map_or(Known::TooMany, |values| match Values::of(values) {
                    Some(values) => Known::These(values),
                    None => Known::Nothing,
                });
        Self {
            policy,
            pseudonyms,
            hiding: match known {
                Known::Nothing => 0,
                _ => fresh(),
            },
            known,
        }
    }

    /// Lets what is said from now on have other hashes, where it could be guessed:
    /// for texts that belong to no request.
    #[cfg(feature = "kit")]
    pub(crate) fn renew(&mut self) {
        if self.pseudonyms.renew() && self.hiding != 0 {
            self.hiding = fresh();
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
        let values = match &self.known {
            Known::Nothing => true,
            Known::These(values) => !values.may_be_in(text),
            Known::TooMany => false,
        };
        values && detect::clear(text.as_bytes())
    }

    /// One that lets no text through.
    #[cfg(feature = "kit")]
    pub(crate) fn hiding_all(policy: Policy) -> Self {
        Self {
            pseudonyms: Pseudonyms::new(policy.key()),
            policy,
            known: Known::TooMany,
            hiding: fresh(),
        }
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
        let mut spans = Vec::new();
        let told = match &self.known {
            Known::Nothing => Some(()),
            Known::These(values) => values.find(text, &mut spans),
            Known::TooMany => None,
        };
        if told.is_none() {
            return Cow::Owned(self.placeholder(text));
        }
        let found = detect::find(text, self.policy.names());
        spans.extend(found.into_iter().map(|range| Span { range, value: None }));
        if spans.is_empty() {
            return Cow::Borrowed(text);
        }
        let spans = around(merge(spans), &placeholders(text));
        if spans.is_empty() {
            return Cow::Borrowed(text);
        }
        Cow::Owned(self.replace(text, &spans))
    }

    fn replace(&self, text: &str, spans: &[Span]) -> String {
        let short = |value: &str| {
            let mut out = String::new();
            self.pseudonyms.push_short(value.as_bytes(), &mut out);
            out
        };
        let known = |index: usize| match &self.known {
            Known::These(values) => values.short(index, short),
            Known::Nothing | Known::TooMany => None,
        };
        let mut out = String::with_capacity(text.len());
        let mut done = 0;
        for span in spans {
            out.push_str(text.get(done..span.range.start).unwrap_or_default());
            match span.value.and_then(known) {
                Some(short) => out.push_str(short),
                None => out.push_str(&short(text.get(span.range.clone()).unwrap_or_default())),
            }
            done = span.range.end;
        }
        out.push_str(text.get(done..).unwrap_or_default());
        out
    }

    pub(crate) fn policy(&self) -> &Policy {
        &self.policy
    }

    /// The placeholder of a text.
    pub(crate) fn placeholder(&self, text: &str) -> String {
        let mut out = String::new();
        self.pseudonyms.push_value(text.as_bytes(), false, &mut out);
        out
    }

    /// Whether a whole number, given without its sign, may stay by its look.
    #[cfg(feature = "gate")]
    pub(crate) fn integer_stays(n: u64) -> bool {
        !detect::integer(n)
    }

    /// The placeholder of a number that is hidden by its name, or that looks
    /// like one that has to be.
    pub(crate) fn number(&self, hidden: bool, value: &impl Display) -> Option<String> {
        let text = value.to_string();
        (hidden || detect::number(&text)).then(|| {
            let mut out = String::new();
            let how = super::policy::Action::Pseudonym;
            self.pseudonyms.push_number(how, &text, false, &mut out);
            out
        })
    }
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
pub(super) fn merge(mut spans: Vec<Span>) -> Vec<Span> {
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
