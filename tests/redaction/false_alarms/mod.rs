//! What redaction hides without need: words of ordinary log lines beside ordinary bodies, and the
//! service's own diagnosis.

mod bodies;
mod diagnosis;
mod texts;
mod world;

use crate::leaks::random::Random;
use serde_json::Value;
use std::collections::BTreeMap;
use world::World;

/// Bodies, and texts that are logged beside each.
const BODIES: usize = 240;
const TEXTS: usize = 12;

/// Of a thousand texts, at most this many may lose a word that no hidden value has, and this many
/// an ordinary word that one has.
const FOREIGN: usize = 5;
const OWN: usize = 6;

/// Letters and digits alone, in lower case.
fn fold(text: &str) -> String {
    let lower = text.chars().flat_map(char::to_lowercase);
    lower.filter(|c| c.is_alphanumeric()).collect()
}

/// Strings and numbers of a body.
fn values(json: &Value, out: &mut Vec<String>) {
    match json {
        Value::String(text) => out.push(fold(text)),
        Value::Number(n) => out.push(fold(&n.to_string())),
        Value::Array(all) => all.iter().for_each(|json| values(json, out)),
        Value::Object(members) => members.values().for_each(|json| values(json, out)),
        Value::Bool(_) | Value::Null => {}
    }
}

/// Words of a text that are missing in the output.
fn lost<'t>(said: &'t str, shown: &str) -> Vec<&'t str> {
    // The position of each piece between placeholders.
    let mut kept = vec![false; said.len()];
    let mut from = 0;
    let mut rest = shown;
    loop {
        let (piece, more) = rest
            .split_once("[~")
            .map_or((rest, None), |(a, b)| (a, Some(b)));
        let Some(at) = said[from..].find(piece) else {
            break;
        };
        kept[from + at..from + at + piece.len()].fill(true);
        from += at + piece.len();
        match more.and_then(|more| more.split_once(']')) {
            Some((_, more)) => rest = more,
            None => break,
        }
    }
    let mut words = Vec::new();
    for word in said
        .split(|c: char| !c.is_alphanumeric())
        .filter(|w| !w.is_empty())
    {
        let at = word.as_ptr() as usize - said.as_ptr() as usize;
        if kept[at..at + word.len()].contains(&false) {
            words.push(word);
        }
    }
    words
}

#[test]
fn lost_words_are_counted() {
    for (shown, words) in [
        ("took 12 ms for a user", &[][..]),
        ("took [~0123] ms for a user", &["12"]),
        ("took 12 ms [~0123]", &["for", "a", "user"]),
        ("[~0123]", &["took", "12", "ms", "for", "a", "user"]),
        ("took 12 ms for a us[~0123]", &["user"]),
    ] {
        assert_eq!(lost("took 12 ms for a user", shown), words, "{shown}");
    }
}

#[derive(Default)]
struct Tally {
    texts: usize,
    foreign: Vec<String>,
    own: Vec<String>,
    words: BTreeMap<String, usize>,
}

impl Tally {
    /// One text, as it was logged and as each output has it.
    fn text(&mut self, said: &str, shown: [&str; 2], hidden: &[String]) {
        self.texts += 1;
        let mut words: Vec<&str> = shown.iter().flat_map(|shown| lost(said, shown)).collect();
        words.sort_unstable();
        words.dedup();
        let (mut foreign, mut own) = (false, false);
        for word in words {
            let folded = fold(word);
            if hidden.iter().any(|value| value.contains(&folded)) {
                own = true;
            } else {
                foreign = true;
            }
            *self.words.entry(word.to_owned()).or_default() += 1;
        }
        let describe = || format!("{said:?} is {shown:?}");
        if foreign {
            self.foreign.push(describe());
        }
        if own {
            self.own.push(describe());
        }
    }
}

#[test]
fn ordinary_texts_keep_their_words() {
    let mut random = Random::new(1);
    let world = World::new();
    let mut tally = Tally::default();
    let texts = texts::all();
    assert!(texts.len() >= 60, "{}", texts.len());
    for n in 0..BODIES {
        let body = bodies::body(n, &mut random);
        let mut hidden = Vec::new();
        values(&body, &mut hidden);
        let some = (0..TEXTS).map(|m| texts[(n * TEXTS + m) % texts.len()]);
        let seen = world.request(&body, some.collect(), n as u64);
        assert_eq!(seen.said.len(), TEXTS, "{seen:?}");
        assert_eq!(seen.recorded.len(), TEXTS, "{seen:?}");
        assert_eq!(seen.lines.len(), TEXTS, "{seen:?}");
        for ((said, recorded), line) in seen.said.iter().zip(&seen.recorded).zip(&seen.lines) {
            tally.text(said, [recorded, line], &hidden);
        }
    }
    let (texts, foreign, own) = (tally.texts, tally.foreign.len(), tally.own.len());
    println!(
        "{texts} texts: {foreign} lose a word that no hidden value has, {own} one that one has"
    );
    let mut words: Vec<_> = tally.words.iter().collect();
    words.sort_by_key(|(_, n)| std::cmp::Reverse(**n));
    println!("{:?}", &words[..words.len().min(60)]);
    let some = |of: &[String]| of.iter().take(40).cloned().collect::<Vec<_>>().join("\n");
    assert!(
        foreign * 1000 <= texts * FOREIGN,
        "{foreign} of {texts}:\n{}",
        some(&tally.foreign)
    );
    assert!(
        own * 1000 <= texts * OWN,
        "{own} of {texts}:\n{}",
        some(&tally.own)
    );
}
