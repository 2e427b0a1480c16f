//! Typical values of users and programs, in many scripts.

use super::letters::decompose;
use crate::leaks::random::Random;

#[derive(Clone, Debug)]
pub(crate) struct Value {
    pub(crate) text: String,
    pub(crate) kind: &'static str,
    /// Whether a number has this property.
    pub(crate) number: bool,
}

/// Syllables that make no English word.
const SYLLABLES: &[(&str, &[&str])] = &[
    (
        "Latin",
        &[
            "qux", "vez", "zor", "kyl", "xam", "wiq", "jov", "zud", "pux", "vaq", "myz", "fex",
        ],
    ),
    (
        "accents",
        &[
            "zoë", "qué", "šav", "žyl", "müx", "çoz", "ñav", "łyk", "øvz", "ßez", "åqv", "răz",
        ],
    ),
    ("Greek", &["ξαν", "ζέφ", "ψυχ", "θώρ", "βέλ", "χρυ"]),
    ("Cyrillic", &["жук", "щёл", "фыв", "хой", "цаж", "юзе"]),
    ("Hebrew", &["שלמ", "צבק", "חגר", "טעז"]),
    ("Arabic", &["خال", "ضغط", "ظفر", "عثق"]),
    ("Devanagari", &["झवर", "ढघच", "ठभष", "णफड"]),
    ("Thai", &["ฉลอ", "ฐธฒ", "ซฌญ", "ฟภฮ"]),
    ("Hangul", &["박쫄", "휘웹", "뷁콩", "쥐꽃"]),
];

const IDEOGRAPHS: &str = "龍鳳麗淑嘉穎曉燕蘭馨瓊瑤璐琪珊瑚祥瑞輝煌宏偉傑豪";
const KANA: &str = "さくらひめみどりヤマモトがぎぐざじだゲゴ";

fn capital(word: &str) -> String {
    let mut letters = word.chars();
    let first = letters.next().unwrap();
    first.to_uppercase().chain(letters).collect()
}

fn word(random: &mut Random, script: &str, syllables: usize) -> String {
    if script == "Han" || script == "kana" {
        let all: Vec<char> = if script == "Han" { IDEOGRAPHS } else { KANA }
            .chars()
            .collect();
        return (0..syllables + 2).map(|_| *random.of(&all)).collect();
    }
    let (_, all) = SYLLABLES.iter().find(|(name, _)| *name == script).unwrap();
    let parts: Vec<&str> = (0..syllables).map(|_| *random.of(all)).collect();
    capital(&parts.concat())
}

fn script(random: &mut Random) -> &'static str {
    match random.below(16) {
        0..=3 => "Latin",
        4..=6 => "accents",
        7 | 8 => "Han",
        9 => "kana",
        n => SYLLABLES[(n - 8).min(SYLLABLES.len() - 1)].0,
    }
}

fn sentence(random: &mut Random, script: &str, least: usize) -> String {
    let mut out = String::new();
    while out.chars().count() < least {
        let n = 1 + random.below(3);
        let between = match random.below(12) {
            0 => ", ",
            1 => ". ",
            2 => "\n",
            _ if script == "Han" || script == "kana" || script == "Thai" => "",
            _ => " ",
        };
        if !out.is_empty() {
            out.push_str(between);
        }
        out.push_str(&word(random, script, n));
    }
    out
}

fn token(random: &mut Random, letters: &str, n: usize) -> String {
    let letters: Vec<char> = letters.chars().collect();
    (0..n).map(|_| *random.of(&letters)).collect()
}

fn digits(random: &mut Random, n: usize) -> String {
    // No zero at either end, which numbers do not keep.
    let first = 1 + random.below(9);
    let middle = token(random, "0123456789", n - 2);
    format!("{first}{middle}{}", 1 + random.below(9))
}

impl Value {
    /// A number of this many digits.
    pub(crate) fn number(random: &mut Random) -> Self {
        let n = 4 + random.below(12);
        Self {
            text: digits(random, n),
            kind: "number",
            number: true,
        }
    }

    pub(crate) fn new(random: &mut Random) -> Self {
        let script = script(random);
        let (kind, text) = match random.below(20) {
            0 => ("short word", word(random, script, 1)),
            1 | 2 => ("word", word(random, script, 2)),
            3 => ("long word", word(random, script, 5)),
            4..=6 => {
                let (a, b) = (1 + random.below(2), 2 + random.below(2));
                let name = [word(random, script, a), word(random, script, b)];
                ("name", name.join(" "))
            }
            7 => {
                let name = [word(random, script, 2), word(random, script, 2)];
                let n = 1 + random.below(99);
                let place = word(random, script, 3);
                (
                    "address",
                    format!("{} {n}, {} {place}", name.join(" "), digits(random, 5)),
                )
            }
            8 => {
                let (a, b) = (word(random, script, 2), word(random, "Latin", 2));
                let quoted =
                    *random.of(&["O'{a} \"{b}\"", "{a} & <{b}>", "{a};{b},=+%2", "{a}\\{b}/n"]);
                ("quotes", quoted.replace("{a}", &a).replace("{b}", &b))
            }
            9 | 10 => {
                let letters = "ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnpqrstuvwxyz23456789";
                let n = 16 + random.below(49);
                ("token", token(random, letters, n))
            }
            11 => ("hex", token(random, "0123456789abcdef", 32)),
            12 => {
                let (y, m, d) = (
                    1930 + random.below(80),
                    1 + random.below(12),
                    1 + random.below(28),
                );
                ("date", format!("{y}-{m:02}-{d:02}"))
            }
            13 => {
                let (a, b) = (word(random, script, 2), word(random, script, 2));
                let end = *random.of(&["pdf", "jpeg", "docx"]);
                ("file name", format!("{a}-{b}.{end}"))
            }
            14 => {
                let (a, b) = (word(random, "Latin", 2), word(random, "Latin", 3));
                ("e-mail", format!("{a}.{b}@example.org").to_lowercase())
            }
            15 => {
                let n = 6 + random.below(8);
                ("digits", digits(random, n))
            }
            16 | 17 => {
                let n = 40 + random.below(120);
                ("sentence", sentence(random, script, n))
            }
            18 => {
                let n = 200 + random.below(1800);
                ("text", sentence(random, script, n))
            }
            _ => {
                let name: String = word(random, "accents", 4);
                ("decomposed", name.chars().map(decompose).collect())
            }
        };
        Self {
            text,
            kind,
            number: kind == "digits",
        }
    }

    /// Longer than what one event holds of a field.
    pub(crate) fn long(random: &mut Random) -> Self {
        let script = script(random);
        let n = (9_000 + random.below(11_000)) / word(random, script, 1).len() * 3;
        Self {
            text: sentence(random, script, n),
            kind: "9 to 20 KB",
            number: false,
        }
    }
}

/// How much information a symbol has.
pub(crate) fn weight(c: char) -> usize {
    match u32::from(c) {
        0x3040..0xa000 => 3,
        0xac00..0xd7a4 => 2,
        _ => usize::from(c.is_alphanumeric()),
    }
}
