//! Finds the hidden values in one text.

use super::{
    Found, Index, Spent, Work, escapes,
    fold::{EDGE, Folded, GAP, WEAK},
    numbers,
    sets::{BEFORE, BEHIND, GRAM, Grams, INSIDE, LONGEST, SHORTEST, SUBSTRING, Shorts, first},
    source::{Read, Source},
    symbols, tokens,
};
use std::{cmp::Reverse, ops::Range};

/// The most nested alphabets that are searched.
const DEPTH: usize = 3;

/// How many consecutive parts make a match.
const RUN: usize = 3;

/// A shorter match must end at word boundaries, in the text or in the value.
const CLEAN: usize = 16;

/// The most work on one text: an amount for each byte, and a fixed one.
const PER_BYTE: u64 = 8;
const AT_LEAST: u64 = 4096;

/// Finds all hidden values in one text.
pub(super) fn find(
    index: &Index,
    text: &str,
    runtime: &[Range<usize>],
    work: &mut Work,
    out: &mut Vec<Found>,
) -> Result<(), Spent> {
    let mut search = Search {
        index,
        text,
        runtime,
        left: text.len() as u64 * PER_BYTE + AT_LEAST,
        work,
        found: Vec::new(),
    };
    search.look(Source::of(text.as_bytes()), 0)?;
    let mut found = search.found;
    for one in &mut found {
        let Range { start, end } = &mut one.range;
        while !text.is_char_boundary(*start) {
            *start -= 1;
        }
        while *end < text.len() && !text.is_char_boundary(*end) {
            *end += 1;
        }
    }
    out.append(&mut joined(found));
    Ok(())
}

/// Sorts and joins overlapping matches. The result has the value that covers the rest, if
/// there is one.
fn joined(mut all: Vec<Found>) -> Vec<Found> {
    all.sort_unstable_by_key(|f| (f.range.start, Reverse(f.range.end), f.value.is_none()));
    let mut joined: Vec<Found> = Vec::with_capacity(all.len());
    for next in all {
        match joined.last_mut() {
            Some(last) if next.range.start < last.range.end => {
                if next.range.end > last.range.end {
                    last.range.end = next.range.end;
                    last.value = None;
                }
            }
            _ => joined.push(next),
        }
    }
    joined
}

/// The cost of a match, in bytes of text.
const EACH_HIT: usize = 4;

struct Search<'a> {
    index: &'a Index,
    text: &'a str,
    runtime: &'a [Range<usize>],
    left: u64,
    work: &'a mut Work,
    found: Vec<Found>,
}

impl Search<'_> {
    fn spend(&mut self, bytes: usize) -> Result<(), Spent> {
        self.left = self.left.checked_sub(bytes as u64).ok_or(Spent)?;
        self.work.spend(bytes as u64)
    }

    fn look(&mut self, source: Source<'_>, depth: usize) -> Result<(), Spent> {
        let undone = escapes::undo(source);
        self.spend(undone.work)?;
        let text = undone.text.as_ref().map_or(source, Read::source);
        self.read(text, depth)?;
        let mut others = undone.others.iter();
        others.try_for_each(|other| self.read(other.source(), depth))
    }

    /// Searches bytes, and their decoded forms in other alphabets.
    fn read(&mut self, text: Source<'_>, depth: usize) -> Result<(), Spent> {
        self.flat(text, depth > 0, true)?;
        if depth == DEPTH {
            return Ok(());
        }
        tokens::each(text.bytes, |token| {
            tokens::read(text, token, |step| match step {
                tokens::Step::Work(bytes) => self.spend(bytes),
                tokens::Step::Text(read) => self.look(read.source(), depth + 1),
                tokens::Step::Mixed(read) => self.flat(read.source(), true, false),
            })
        })
    }

    /// Searches for values without decoding: `all` of them or only the long ones.
    fn flat(&mut self, source: Source<'_>, decoded: bool, all: bool) -> Result<(), Spent> {
        self.spend(source.bytes.len())?;
        let index = self.index;
        let (mut folded, mut hits) = (Folded::default(), Vec::new());
        folded.fill(source.bytes, false);
        runs(index, &folded, !decoded, &mut hits);
        if all {
            shorts(&index.shorts, &folded, &mut hits);
            if !hits.is_empty() {
                edges(&index.shorts, &mut folded, &mut hits);
                // Each match costs a look-up, the sorting and the output.
                self.spend(hits.len() * EACH_HIT)?;
            }
            if !index.numbers.is_empty() {
                numbers::each(source.bytes, |range, number| {
                    if let Some(value) = index.number(number) {
                        self.number(source, range, value);
                    }
                });
            }
            if !index.symbols.is_empty() {
                symbols::each(source.bytes, |gram, places| {
                    if index.symbols.get(gram).is_some() {
                        self.report(source, places, None);
                    }
                });
            }
        }
        if hits.is_empty() {
            return Ok(());
        }
        folded.fill(source.bytes, true);
        for hit in joined(hits) {
            let places = folded.places.get(hit.range).unwrap_or_default();
            self.report(source, places, hit.value);
        }
        Ok(())
    }

    fn number(&mut self, source: Source<'_>, range: Range<usize>, value: u32) {
        let digit = |at: &usize| source.bytes.get(*at).is_some_and(u8::is_ascii_alphanumeric);
        let places: Vec<_> = range.filter(digit).map(|at| (at, at + 1)).collect();
        self.report(source, &places, Some(value));
    }

    /// Reports the run-time part of one match.
    fn report(&mut self, source: Source<'_>, places: &[(usize, usize)], value: Option<u32>) {
        let before = self.found.len();
        let (mut open, mut first, mut last) = (None::<Range<usize>>, false, false);
        for (at, (from, to)) in places.iter().enumerate() {
            let (from, to) = source.span(*from, *to);
            let range = from as usize..to as usize;
            if !self.at_run_time(&range) {
                self.found
                    .extend(open.take().map(|range| Found { range, value }));
                continue;
            }
            first |= at == 0;
            last = at + 1 == places.len();
            match &mut open {
                Some(open) => {
                    // In some encodings bytes are in another order.
                    open.start = open.start.min(range.start);
                    open.end = open.end.max(range.end);
                }
                None => open = Some(range),
            }
        }
        self.found.extend(open.map(|range| Found { range, value }));
        let Some(value) = value.and_then(|id| self.index.value(id)).map(str::trim) else {
            return;
        };
        if first && let Some(start) = self.found.get(before).map(|f| f.range.start) {
            let marks = value.trim_start_matches(|c: char| !c.is_alphanumeric());
            let marks = value.len() - marks.len();
            let start = self.marks_before(start, value.get(..marks).unwrap_or_default());
            if let Some(found) = self.found.get_mut(before) {
                found.range.start = start;
            }
        }
        if last && let Some(end) = self.found.last().map(|f| f.range.end) {
            let marks = value.trim_end_matches(|c: char| !c.is_alphanumeric()).len();
            let end = self.marks_behind(end, value.get(marks..).unwrap_or_default());
            if let Some(found) = self.found.last_mut() {
                found.range.end = end;
            }
        }
    }

    /// Returns where the punctuation of a value before a position begins.
    fn marks_before(&self, mut start: usize, marks: &str) -> usize {
        for mark in marks.chars().rev() {
            let range = start.saturating_sub(mark.len_utf8())..start;
            let before = self.text.get(..start).is_some_and(|t| t.ends_with(mark));
            if !before || !self.at_run_time(&range) {
                break;
            }
            start = range.start;
        }
        start
    }

    /// Returns where the punctuation of a value after a position ends.
    fn marks_behind(&self, mut end: usize, marks: &str) -> usize {
        for mark in marks.chars() {
            let range = end..end + mark.len_utf8();
            let behind = self.text.get(end..).is_some_and(|t| t.starts_with(mark));
            if !behind || !self.at_run_time(&range) {
                break;
            }
            end = range.end;
        }
        end
    }

    fn at_run_time(&self, range: &Range<usize>) -> bool {
        touches(self.runtime, range)
    }
}

/// Returns whether a range overlaps one of these sorted ranges.
pub(super) fn touches(ranges: &[Range<usize>], range: &Range<usize>) -> bool {
    let next = ranges.partition_point(|r| r.end <= range.start);
    ranges.get(next).is_some_and(|r| r.start < range.end)
}

/// Finds runs of parts of long values.
fn runs(index: &Index, folded: &Folded, clean: bool, hits: &mut Vec<Found>) {
    let symbols = folded.symbols.as_slice();
    if index.grams.is_empty() || symbols.len() < GRAM + RUN - 1 {
        return;
    }
    let get = |at: usize| gram(&index.grams, symbols, at);
    // Where the next unknown part starts.
    let (mut known, mut at) = (0, 0);
    while at + GRAM <= symbols.len() {
        if at < known || get(at).is_none() {
            // One of this many consecutive parts is looked up.
            at += RUN;
            continue;
        }
        let (mut from, mut to) = (at, at);
        while from > known && get(from - 1).is_some() {
            from -= 1;
        }
        while get(to + 1).is_some() {
            to += 1;
        }
        known = to + 2;
        at += RUN;
        if to - from + 1 >= RUN
            && let Some(range) = ends(index, folded, from..to + GRAM, clean)
        {
            let said = symbols.get(range.clone()).unwrap_or_default();
            let value = index.whole(said);
            hits.push(Found { range, value });
        }
    }
}

fn gram(grams: &Grams, symbols: &[u8], at: usize) -> Option<u32> {
    let gram = symbols.get(at..at + GRAM)?.first_chunk()?;
    grams.get(u64::from_le_bytes(*gram))
}

/// A short match, trimmed to word boundaries of the text or of the value.
fn ends(
    index: &Index,
    folded: &Folded,
    mut run: Range<usize>,
    clean: bool,
) -> Option<Range<usize>> {
    if !clean || run.len() >= CLEAN {
        return Some(run);
    }
    let word = |at: usize| folded.flags.get(at).is_none_or(|f| f & (GAP | WEAK) != 0);
    let beside = |at: usize, side: u32| {
        gram(&index.grams, &folded.symbols, at).is_some_and(|flags| flags & side != 0)
    };
    while run.start < run.end && !word(run.start) && !beside(run.start, BEFORE) {
        run.start += 1;
    }
    while run.start < run.end && !word(run.end) && !beside(run.end - GRAM.min(run.end), BEHIND) {
        run.end -= 1;
    }
    (run.len() >= GRAM + RUN - 1).then_some(run)
}

/// Finds short values at word boundaries, and the longer of them everywhere.
fn shorts(shorts: &Shorts, folded: &Folded, hits: &mut Vec<Found>) {
    if shorts.is_empty() {
        return;
    }
    let mut first = first(&folded.symbols) >> 8;
    let starts = folded.symbols.iter().skip(2).zip(&folded.flags);
    for (at, (symbol, flag)) in starts.enumerate() {
        first = (first << 8 | u32::from(*symbol)) & 0xff_ffff;
        let lengths = shorts.lengths(first);
        if lengths != 0 {
            let inside = if *flag == 0 { INSIDE } else { 0xff };
            hits.extend(longest(shorts, folded, at, lengths & inside));
        }
    }
}

/// Returns the longest short value that starts at a position.
fn longest(shorts: &Shorts, folded: &Folded, at: usize, lengths: u8) -> Option<Found> {
    (SHORTEST..=LONGEST)
        .rev()
        .filter(|length| lengths & 1 << (length - SHORTEST) != 0)
        .find_map(|length| short(shorts, folded, at..at + length))
}

/// Returns the value at a position, if it ends at a word boundary.
fn short(shorts: &Shorts, folded: &Folded, range: Range<usize>) -> Option<Found> {
    let symbols = folded.symbols.get(range.clone())?;
    let word = folded.flags.get(range.end).is_none_or(|flag| *flag != 0);
    if !word && range.len() < SUBSTRING {
        return None;
    }
    let value = Some(shorts.get(symbols, folded.flags.get(range.clone())?)?);
    Some(Found { range, value })
}

/// A match is a word boundary for its neighbours.
fn edges(shorts: &Shorts, folded: &mut Folded, hits: &mut Vec<Found>) {
    let mark = |folded: &mut Folded, range: &Range<usize>| {
        [range.start, range.end].map(|at| {
            let flag = folded.flags.get_mut(at)?;
            let new = *flag & (GAP | WEAK) == 0;
            *flag |= EDGE;
            new.then_some(at)
        })
    };
    let mut todo: Vec<_> = hits.iter().map(|hit| mark(folded, &hit.range)).collect();
    while let Some([start, end]) = todo.pop() {
        let behind = end.and_then(|end| {
            let first = first(folded.symbols.get(end..)?);
            longest(shorts, folded, end, shorts.lengths(first))
        });
        let before = start.and_then(|start| {
            let lengths = (SHORTEST..SUBSTRING).filter(|n| *n <= start);
            let mut words = lengths.filter(|n| folded.flags.get(start - n) != Some(&0));
            words.find_map(|n| short(shorts, folded, start - n..start))
        });
        for hit in [behind, before].into_iter().flatten() {
            let [start, end] = mark(folded, &hit.range);
            if hits.len() < folded.symbols.len() * 2 {
                todo.push([start, end]);
                hits.push(hit);
            }
        }
    }
}
