use super::{
    Action, detect,
    policy::Policy,
    pseudonym::{self, Pseudonyms},
    search::{Found, Index, Number, Spent, Work},
};
use std::{
    borrow::Cow,
    fmt::{self, Display},
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

/// The cost limit for searching the texts of one exchange, in bytes of plain text.
const WORK: u64 = 1 << 20;

/// How much of a cut text's end may be the start of a value, in bytes: nine letters,
/// however they are encoded.
pub(crate) const TAIL: usize = 128;

/// The fewest digits of a number that may be a value, if the values are not known.
const FEW: usize = 3;

/// Cleans the free text of one exchange.
///
/// It replaces matches of detectors and values hidden elsewhere in the exchange, in
/// whatever encoding, with the short form of a placeholder. It keeps literals of the
/// program. [`search`](super::search) describes what is found.
pub(crate) struct Scrubber {
    policy: Policy,
    pseudonyms: Pseudonyms,
    /// `None` if more values are hidden than can be searched for.
    known: Option<Vec<Arc<Index>>>,
    hiding: u64,
    /// The remaining work budget.
    work: AtomicU64,
    given_up: AtomicU64,
}

fn fresh() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Relaxed)
}

impl fmt::Debug for Scrubber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // `Debug` shows no value, because the values must not be written.
        f.write_str("Scrubber")
    }
}

/// A part of a text to replace, and its replacement if that is known.
struct Span {
    range: Range<usize>,
    short: Option<String>,
}

impl Scrubber {
    /// Makes one that searches for the values of all of these.
    pub(super) fn new(
        policy: Policy,
        pseudonyms: Pseudonyms,
        known: impl IntoIterator<Item = Arc<Index>>,
    ) -> Self {
        let mut full = false;
        let known: Vec<_> = known
            .into_iter()
            .filter(|index| {
                full |= index.is_full();
                !index.is_empty()
            })
            .collect();
        Self {
            policy,
            pseudonyms,
            hiding: if known.is_empty() && !full {
                0
            } else {
                fresh()
            },
            known: (!full).then_some(known),
            work: AtomicU64::new(WORK),
            given_up: AtomicU64::new(0),
        }
    }

    /// Makes one that keeps no run-time text.
    pub(crate) fn hiding_all(policy: Policy) -> Self {
        Self {
            pseudonyms: Pseudonyms::new(policy.key()),
            policy,
            known: None,
            hiding: fresh(),
            work: AtomicU64::new(0),
            given_up: AtomicU64::new(0),
        }
    }

    /// Adds a value to search for.
    pub(crate) fn with(&self, more: Arc<Index>) -> Self {
        let (policy, pseudonyms) = (self.policy.clone(), self.pseudonyms.clone());
        match &self.known {
            Some(known) => Self::new(policy, pseudonyms, known.iter().cloned().chain([more]))
                .with_work(self.work_left()),
            None => Self::hiding_all(policy),
        }
    }

    /// Changes the hashes of guessable values from now on, for texts that belong to no
    /// request.
    pub(crate) fn renew(&mut self) {
        if self.pseudonyms.renew() && self.hiding != 0 {
            self.hiding = fresh();
        }
    }

    /// Returns the bytes of the values that it searches for.
    pub(super) fn bytes(&self) -> usize {
        let known = self.known.iter().flatten();
        known.map(|index| index.len_bytes()).sum()
    }

    pub(super) fn pseudonyms(&self) -> &Pseudonyms {
        &self.pseudonyms
    }

    /// Sets the work budget for its texts.
    pub(crate) fn with_work(mut self, work: u64) -> Self {
        *self.work.get_mut() = work;
        self
    }

    /// Returns the remaining work budget.
    pub(crate) fn work_left(&self) -> u64 {
        self.work.load(Relaxed)
    }

    /// Returns a number that two scrubbers of one policy share only if they hide the same
    /// values.
    pub(crate) fn hiding(&self) -> u64 {
        self.hiding
    }

    /// Returns how many texts were hidden as a whole, because values or work were over the
    /// limits.
    pub(crate) fn given_up(&self) -> u64 {
        self.given_up.load(Relaxed)
    }

    /// As [`said`](Self::said), for run-time text.
    #[cfg(any(test, fuzzing))]
    pub(crate) fn text<'t>(&self, text: &'t str) -> Cow<'t, str> {
        self.said(text, std::slice::from_ref(&(0..text.len())))
    }

    /// As [`said`](Self::said), for a text that is cut at its end: the end may be the start
    /// of a value, so it is hidden.
    pub(crate) fn cut<'t>(&self, text: &'t str, runtime: &[Range<usize>]) -> Cow<'t, str> {
        let mut end = text.len().saturating_sub(TAIL);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        if runtime.last().is_none_or(|last| last.end <= end) {
            return self.said(text, runtime);
        }
        let mut spans = match self.find(text, runtime) {
            Ok(spans) => spans,
            Err(Spent) => return Cow::Owned(self.give_up(text, runtime)),
        };
        spans.retain(|span| span.range.start < end);
        let end = spans.last().map_or(end, |last| end.max(last.range.end));
        self.written(text.get(..end).unwrap_or_default(), spans)
    }

    /// Returns a text without what must be hidden. `runtime` are its run-time parts, in
    /// order: only they can contain values.
    pub(crate) fn said<'t>(&self, text: &'t str, runtime: &[Range<usize>]) -> Cow<'t, str> {
        match self.find(text, runtime) {
            Ok(spans) => self.written(text, spans),
            Err(Spent) => Cow::Owned(self.give_up(text, runtime)),
        }
    }

    /// As [`said`](Self::said), or as [`cut`](Self::cut) with a mark at the end if the text
    /// is cut.
    pub(crate) fn shown(
        &self,
        text: &str,
        runtime: impl Iterator<Item = Range<usize>>,
        cut: bool,
    ) -> String {
        let runtime: Vec<_> = runtime.collect();
        if cut {
            return format!("{}…", self.cut(text, &runtime));
        }
        self.said(text, &runtime).into_owned()
    }

    /// Returns whether there is no value to search for.
    pub(crate) fn knows_nothing(&self) -> bool {
        self.known.as_ref().is_some_and(Vec::is_empty)
    }

    fn find(&self, text: &str, runtime: &[Range<usize>]) -> Result<Vec<Span>, Spent> {
        let mut spans = Vec::new();
        if !runtime.is_empty() {
            self.search(text, runtime, &mut spans)?;
        }
        let found = detect::find(text, self.policy.names());
        spans.extend(found.into_iter().map(|range| Span { range, short: None }));
        Ok(if spans.is_empty() {
            spans
        } else {
            around(merge(spans), &placeholders(text))
        })
    }

    fn search(
        &self,
        text: &str,
        runtime: &[Range<usize>],
        out: &mut Vec<Span>,
    ) -> Result<(), Spent> {
        let mut work = Work::new(self.work.load(Relaxed));
        let mut found = Vec::new();
        for index in self.known.as_ref().ok_or(Spent)? {
            let done = index.find(text, runtime, &mut work, &mut found);
            self.work.store(work.left(), Relaxed);
            done?;
            out.extend(found.drain(..).map(|Found { range, value }| Span {
                range,
                short: value.and_then(|id| index.value(id)).map(|v| self.short(v)),
            }));
        }
        Ok(())
    }

    /// Returns only the program's literals, if the text could not be searched completely.
    fn give_up(&self, text: &str, runtime: &[Range<usize>]) -> String {
        self.given_up.fetch_add(1, Relaxed);
        if matches!(runtime, [all] if *all == (0..text.len())) {
            return self.placeholder(text);
        }
        let spans = runtime.iter().map(|range| Span {
            range: range.clone(),
            short: None,
        });
        self.written(text, spans.collect()).into_owned()
    }

    fn written<'t>(&self, text: &'t str, spans: Vec<Span>) -> Cow<'t, str> {
        if spans.is_empty() {
            return Cow::Borrowed(text);
        }
        let mut out = String::with_capacity(text.len());
        let mut done = 0;
        for Span { range, short } in spans {
            out.push_str(text.get(done..range.start).unwrap_or_default());
            let hidden = text.get(range.clone()).unwrap_or_default();
            out.push_str(&short.unwrap_or_else(|| self.short(hidden)));
            done = range.end;
        }
        out.push_str(text.get(done..).unwrap_or_default());
        Cow::Owned(out)
    }

    fn short(&self, value: &str) -> String {
        let mut out = String::new();
        self.pseudonyms.push_short(value.as_bytes(), &mut out);
        out
    }

    pub(crate) fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Returns the placeholder of a text.
    pub(crate) fn placeholder(&self, text: &str) -> String {
        let mut out = String::new();
        self.pseudonyms.push_value(text.as_bytes(), false, &mut out);
        out
    }

    /// Returns whether a whole number, given without its sign, may be kept because of its
    /// form.
    pub(crate) fn integer_stays(n: u64) -> bool {
        !detect::integer(n)
    }

    /// Returns the placeholder of a number that is hidden elsewhere; if the hidden values
    /// are not known, of any number with enough digits.
    pub(crate) fn known_number(
        &self,
        number: impl Into<Number> + Display + Copy,
    ) -> Option<String> {
        let Some(known) = &self.known else {
            let text = number.to_string();
            let digits = text.bytes().filter(u8::is_ascii_digit).count();
            return (digits >= FEW).then(|| {
                self.given_up.fetch_add(1, Relaxed);
                self.short(&text)
            });
        };
        known.iter().find_map(|index| {
            let value = index.value(index.number(number.into())?);
            Some(value.map_or_else(|| self.short(&number.to_string()), |v| self.short(v)))
        })
    }

    /// Returns the placeholder of a number with a suspicious name, or whose form must be
    /// hidden.
    pub(crate) fn number(&self, hidden: bool, value: &impl Display) -> Option<String> {
        let text = value.to_string();
        (hidden || detect::number(&text)).then(|| {
            let mut out = String::new();
            let how = Action::Pseudonym;
            self.pseudonyms.push_number(how, &text, false, &mut out);
            out
        })
    }
}

/// Returns the placeholders that a text already has.
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

/// Joins overlapping spans. A joined span of several values counts as a text of its own.
fn merge(mut spans: Vec<Span>) -> Vec<Span> {
    spans.sort_by_key(|s| {
        (
            s.range.start,
            std::cmp::Reverse(s.range.end),
            s.short.is_none(),
        )
    });
    let mut merged: Vec<Span> = Vec::with_capacity(spans.len());
    for span in spans {
        match merged.last_mut() {
            Some(last) if span.range.start < last.range.end => {
                if span.range.end > last.range.end {
                    last.range.end = span.range.end;
                    last.short = None;
                } else if span.range == last.range {
                    last.short = last.short.take().or(span.short);
                }
            }
            _ => merged.push(span),
        }
    }
    merged
}

/// Removes the placeholders from the spans, unless the hash in one is itself a hidden
/// value: then dashcam did not make it.
fn around(spans: Vec<Span>, placeholders: &[Range<usize>]) -> Vec<Span> {
    let mut out = Vec::with_capacity(spans.len());
    let mut holes = placeholders.iter().peekable();
    for Span { mut range, short } in spans {
        while holes.next_if(|h| h.end <= range.start).is_some() {}
        let mut whole = true;
        while let Some(hole) = holes.peek().filter(|h| h.start < range.end) {
            if short.is_some() && range == (hole.start + 2..hole.start + 18) {
                break;
            }
            whole = false;
            if range.start < hole.start {
                out.push(Span {
                    range: range.start..hole.start,
                    short: None,
                });
            }
            range.start = hole.end.min(range.end);
            if hole.end > range.end {
                break;
            }
            holes.next();
        }
        if !range.is_empty() {
            let short = short.filter(|_| whole);
            out.push(Span { range, short });
        }
    }
    out
}
