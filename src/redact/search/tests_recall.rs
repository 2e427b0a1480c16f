//! How much is found of values in several encodings at once.

use super::{
    tests::{index, shown},
    tests_ways::{VALUES, WAYS},
};

/// A few numbers without a pattern.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (self.0 >> 33) as usize % n
    }
}

/// Encodings that cannot be found: escapes without their introducers, base64 in another
/// case, UTF-16 letters that share no byte.
fn is_known(value: &str, ways: &[&str]) -> bool {
    let encodes = |name: &&str| {
        ![
            "as it is", "SQL", "shell", "CSV", "NF", "lower", "upper", "white", "wrapped", "slug",
            "snake",
        ]
        .iter()
        .any(|plain| name.starts_with(plain))
    };
    let before = |at: usize| ways.iter().take(at);
    ways.iter().enumerate().any(|(at, way)| match *way {
        "slug" | "snake" => before(at).any(encodes),
        "lower" | "upper" => {
            before(at).any(|name| name.contains("base64") || name.contains("named"))
        }
        "UTF-16 in base64" => !value.is_ascii(),
        _ => false,
    })
}

#[test]
fn stacks_of_ways_are_found() {
    let index = index(VALUES);
    let mut dice = Dice(11);
    let (mut all, mut missed) = (0, Vec::new());
    for _ in 0..8000 {
        let value = VALUES[dice.below(VALUES.len())];
        let ways: Vec<_> = (0..1 + dice.below(3))
            .map(|_| WAYS[dice.below(WAYS.len())])
            .collect();
        let names: Vec<_> = ways.iter().map(|(name, _)| *name).collect();
        if is_known(value, &names) {
            continue;
        }
        // A cut, or a neighbour, of a value that is long enough.
        let symbols = value.chars().filter(|c| c.is_alphanumeric()).count();
        let mut value = value.to_owned();
        match dice.below(4) {
            0 if symbols >= 16 && value.is_ascii() => {
                let at = dice.below(5);
                value = value.split_off(at);
            }
            1 => value = format!("{value}, {}", VALUES[dice.below(VALUES.len())]),
            _ => {}
        }
        let said = ways.iter().fold(value.clone(), |said, (_, way)| way(&said));
        if said.len() > 4000 {
            continue;
        }
        all += 1;
        let shown = shown(&index, &format!("({said})"));
        // Signs between the symbols stay, and the edges of groups.
        let count = |text: &str| text.chars().filter(|c| c.is_alphanumeric()).count();
        let left = shown.split('*').map(count).max().unwrap_or(0);
        if left > 8.max(count(&said) * 2 / 5) {
            missed.push(format!("{names:?} {value}: {said} -> {shown}"));
        }
    }
    assert!(all > 5000);
    let most = all * 4 / 1000;
    assert!(
        missed.len() <= most,
        "{} of {all}:\n{}",
        missed.len(),
        missed.join("\n")
    );
}
