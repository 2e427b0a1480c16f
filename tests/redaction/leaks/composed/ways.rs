//! Ways to log a value, each from one text to the next.

use super::{
    letters::{compose, decompose, decompose_wide},
    live::{Live, Shape},
    tagged::Tagged,
    values::{Value, weight},
};
use crate::leaks::random::Random;

/// The effect of a way on the text.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Sort {
    /// This many encodings turn bytes or characters into signs.
    Encoding(usize),
    /// Bytes as groups of three digits: their case is lost.
    Base64(usize),
    Escaping,
    Case,
    Form,
    /// Other white space.
    Spacing,
    /// Without signs: this removes what an escape needs, so it comes before escapes.
    Styling,
    Cut,
    /// Longer than what is kept of a text.
    CutByUs,
    Join,
    /// Beside a word of others with nothing between.
    Glue,
    Number,
    Debug,
    Error,
}

pub(crate) struct Way {
    pub(crate) name: &'static str,
    pub(crate) sort: Sort,
    pub(crate) write: fn(&Tagged, &mut Context<'_>) -> Tagged,
}

/// What ways need in addition to the text.
pub(crate) struct Context<'r> {
    pub(crate) random: &'r mut Random,
    pub(crate) value: &'r Value,
    /// Another value of the request.
    pub(crate) other: &'r str,
    /// A value that is formatted when it is logged, if this is the last way.
    pub(crate) live: Option<Live>,
}

macro_rules! ways {
    ($($name:literal $sort:expr, $write:expr;)*) => {
        &[$(Way { name: $name, sort: $sort, write: $write },)*]
    };
}

pub(crate) const WAYS: &[Way] = ways! {
    "as it is" Sort::Form, |t, _| t.clone();
    "percent, RFC 3986" Sort::Encoding(1), |t, _| percent(t, "-._~", false);
    "percent, lower digits" Sort::Encoding(1), |t, _| percent(t, "-._~", false)
        .escapes('%', |c| c.to_ascii_lowercase());
    "percent, encodeURIComponent" Sort::Encoding(1), |t, _| percent(t, "-_.!~*'()", false);
    "percent, form" Sort::Encoding(1), |t, _| percent(t, "*-._", true);
    "percent, path of url" Sort::Encoding(1), |t, _| percent_but(t, " \"#<>?`{}/%");
    "percent, query of url" Sort::Encoding(1), |t, _| percent_but(t, " \"#<>'&+%");
    "percent, all" Sort::Encoding(1), |t, _| t.bytes(|b| format!("%{b:02X}"));
    "percent, twice" Sort::Encoding(2), |t, _| percent(&percent(t, "-._~", false), "-._~", false);
    "base64" Sort::Base64(1), |t, _| base64(t, STANDARD, true);
    "base64, url" Sort::Base64(1), |t, _| base64(t, URL, true);
    "base64, no padding" Sort::Base64(1), |t, _| base64(t, URL, false);
    "base64, twice" Sort::Base64(2), |t, _| base64(&base64(t, STANDARD, true), STANDARD, true);
    "base64 of more" Sort::Base64(1), |t, x| {
        let n = 1 + x.random.below(4);
        base64(&t.clone().within(&format!("{}:", &"user"[..n]), "; a=1"), STANDARD, true)
    };
    "hex" Sort::Encoding(1), |t, _| t.bytes(|b| format!("{b:02x}"));
    "hex, upper" Sort::Encoding(1), |t, _| t.bytes(|b| format!("{b:02X}"));
    "list of bytes" Sort::Encoding(1), |t, _| Tagged::list(&wide(&t.utf8()), false);
    "list of UTF-16" Sort::Encoding(1), |t, _| Tagged::list(&utf16(t), false);
    "list of characters" Sort::Encoding(1), |t, _| Tagged::list(&scalars(t), true);
    "quoted-printable" Sort::Encoding(1), |t, _| printable(t);
    "encoded word" Sort::Encoding(1), |t, _| t.bytes(|b| match b {
        b' ' => "_".to_owned(),
        b'!'..=b'~' if !b"=?_".contains(&b) => char::from(b).into(),
        b => format!("={b:02X}"),
    }).within("=?utf-8?q?", "?=");
    "Debug" Sort::Escaping, |t, _| debug(t);
    "Debug in Debug" Sort::Escaping, |t, _| debug(&debug(t));
    "escape_default" Sort::Escaping, |t, _| t.map(|c| c.escape_default().collect());
    "escape_unicode" Sort::Escaping, |t, _| t.map(|c| c.escape_unicode().collect());
    "JSON" Sort::Escaping, |t, _| json(t, false);
    "JSON in JSON" Sort::Escaping, |t, _| json(&json(t, false), false);
    "JSON, \\uNNNN" Sort::Escaping, |t, _| units(t, |u| format!("\\u{u:04x}"));
    "JSON, \\uNNNN upper" Sort::Escaping, |t, _| units(t, |u| format!("\\u{u:04X}"));
    "JSON, HTML-safe" Sort::Escaping, |t, _| json(t, true);
    "\\xNN" Sort::Escaping, |t, _| t.bytes(|b| format!("\\x{b:02x}"));
    "escape_ascii" Sort::Escaping, |t, _| t.bytes(|b| std::ascii::escape_default(b).map(char::from).collect());
    "octal" Sort::Escaping, |t, _| t.bytes(|b| match b {
        b'\\' => "\\\\".to_owned(),
        0x20..0x7f => char::from(b).into(),
        b => format!("\\{b:03o}"),
    });
    "CSS" Sort::Escaping, |t, _| t.map(|c| match c {
        c if c.is_ascii_alphanumeric() => c.into(),
        '!'..='~' => format!("\\{c}"),
        c => format!("\\{:x} ", u32::from(c)),
    });
    "LDAP" Sort::Escaping, |t, _| t.bytes(|b| match b {
        b' '..=b'~' => char::from(b).into(),
        b => format!("\\{b:02x}"),
    });
    "SQL, units" Sort::Escaping, |t, _| units(t, |u| format!("\\{u:04x}")).within("U&'", "'");
    "entities, named" Sort::Escaping, |t, _| t.map(named);
    "entities, decimal" Sort::Escaping, |t, _| t.map(|c| reference(c, |c| format!("&#{};", u32::from(c))));
    "entities, hex" Sort::Escaping, |t, _| t.map(|c| reference(c, |c| format!("&#x{:X};", u32::from(c))));
    "SQL" Sort::Escaping, |t, _| doubled(t, '\'');
    "CSV" Sort::Escaping, |t, _| doubled(t, '"');
    "shell" Sort::Escaping, |t, _| t.map(|c| if c == '\'' { "'\\''".into() } else { c.into() }).within("'", "'");
    "Go" Sort::Escaping, |t, _| t.map(go).within("\"", "\"");
    "PHP" Sort::Escaping, |t, _| t.map(|c| match c {
        '\'' | '\\' => format!("\\{c}"),
        c if !c.is_ascii() => format!("\\u{{{:x}}}", u32::from(c)),
        c => c.into(),
    }).within("'", "'");
    "lower" Sort::Case, |t, _| t.map(|c| c.to_lowercase().collect());
    "upper" Sort::Case, |t, _| t.map(|c| c.to_uppercase().collect());
    "title" Sort::Case, |t, _| title(t);
    "NFC" Sort::Form, |t, _| composed(t);
    "NFD" Sort::Form, |t, _| t.map(decompose);
    "NFKD" Sort::Form, |t, _| t.map(decompose_wide);
    "wide letters" Sort::Form, |t, _| t.map(|c| match c {
        '!'..='~' => char::from_u32(u32::from(c) + 0xfee0).unwrap().into(),
        c => c.into(),
    });
    "white space collapsed" Sort::Spacing, |t, _| spaced(t, " ");
    "white space wider" Sort::Spacing, |t, _| spaced(t, "\n\t  ");
    "blanks removed" Sort::Spacing, |t, _| t.only(|c| !c.is_whitespace());
    "wrapped" Sort::Spacing, |t, _| wrapped(t);
    "slug" Sort::Styling, |t, _| styled(t, "-");
    "snake" Sort::Styling, |t, _| styled(t, "_").map(|c| c.to_lowercase().collect());
    "camel" Sort::Styling, |t, _| styled(&title(t), "");
    "signs removed" Sort::Styling, |t, _| styled(t, "");
    "cut, its start" Sort::Cut, |t, x| cut(t, x, 0);
    "cut, its end" Sort::Cut, |t, x| cut(t, x, 1);
    "cut, in the middle" Sort::Cut, |t, x| cut(t, x, 2);
    "cut by us" Sort::CutByUs, |t, x| {
        // The limit of a reason or of a fact is somewhere in it.
        let least = *x.random.of(&[256, 1024]) - 4;
        let inside = x.random.below(t.text().len().min(least));
        t.clone().within(&". ".repeat((least - inside) / 2), " and more. ".repeat(30).as_str())
    };
    "joined" Sort::Join, |t, x| {
        let between = *x.random.of(&[", ", "|", ";", " ", "\t", "/", ": "]);
        let other = x.other;
        match x.random.below(3) {
            0 => t.clone().within(&format!("{other}{between}"), ""),
            1 => t.clone().within("", &format!("{between}{other}")),
            _ => Tagged([t.clone().within("", between).0, t.0.clone()].concat()),
        }
    };
    "in a sentence" Sort::Join, |t, x| {
        let (before, after) = *x.random.of(&[
            ("cannot serve ", ", went on"), ("user=", " tried=3"), ("(", ")"), ("<", ">: no such thing"),
            ("https://shop.example/", "/orders?page=2"), ("{\"a\":\"", "\"}"), ("C:\\temp\\", ".tmp"),
        ]);
        t.clone().within(before, after)
    };
    "glued" Sort::Glue, |t, x| {
        let before = *x.random.of(&["user", "the", "id"]);
        t.clone().within(before, "")
    };
    "number" Sort::Number, |t, x| shaped(t, x, Shape::Unsigned);
    "number, signed" Sort::Number, |t, x| shaped(t, x, Shape::Signed);
    "number, float" Sort::Number, |t, x| shaped(t, x, Shape::Float);
    "number, with separators" Sort::Number, |t, x| grouped(t, x);
    "number, exponent" Sort::Number, |t, _| Tagged([&t.0[..1], &[('.', 0)], &t.0[1..]].concat())
        .within("", &format!("e{}", t.0.len() - 1));
    "number, decimals" Sort::Number, |t, _| t.clone().within("", ".00");
    "Debug of a struct" Sort::Debug, |t, x| shaped(t, x, Shape::Struct);
    "Debug of an enum" Sort::Debug, |t, x| shaped(t, x, Shape::Enum);
    "Debug of options" Sort::Debug, |t, x| shaped(t, x, Shape::Options);
    "Debug of bytes" Sort::Debug, |t, x| shaped(t, x, Shape::Bytes);
    "Debug of Vec<u8>" Sort::Debug, |t, x| shaped(t, x, Shape::List);
    "Debug of headers" Sort::Debug, |t, x| shaped(t, x, Shape::Headers);
    "Debug of pairs" Sort::Debug, |t, x| shaped(t, x, Shape::Pairs);
    "Debug of a map" Sort::Debug, |t, x| shaped(t, x, Shape::Map);
    "Debug, pretty" Sort::Debug, |t, x| shaped(t, x, Shape::Pretty);
    "serde_json, type" Sort::Error, |t, _| {
        let error = serde_json::from_str::<u8>(&serde_json::to_string(&t.text()).unwrap());
        debug_inner(t).embedded(&error.unwrap_err().to_string())
    };
    "serde_json, variant" Sort::Error, |t, _| {
        let json = serde_json::to_string(&t.text()).unwrap();
        t.embedded(&serde_json::from_str::<Variant>(&json).unwrap_err().to_string())
    };
    "serde_path_to_error" Sort::Error, |t, _| {
        let json = serde_json::json!({ "items": [{ "count": t.text() }] }).to_string();
        let json = &mut serde_json::Deserializer::from_str(&json);
        let error = serde_path_to_error::deserialize::<_, Order>(json).unwrap_err();
        debug_inner(t).embedded(&error.to_string())
    };
    "serde_json, key in the path" Sort::Error, |t, _| {
        let json = serde_json::json!({ t.text(): 1 }).to_string();
        t.embedded(&serde_json::from_str::<Strict>(&json).unwrap_err().to_string())
    };
    "reqwest, url" Sort::Error, |t, _| percent_but(t, " \"#<>?`{}/%")
        .within("error sending request for url (http://geo.example:8080/find/", "?limit=1)");
    "reqwest, query" Sort::Error, |t, _| percent(t, "*-._", true)
        .within("HTTP status client error (404 Not Found) for url (https://geo.example/find?q=", "&limit=1)");
    "database, key" Sort::Error, |t, _| t.clone()
        .within("duplicate key value violates unique constraint \"users_key\": Key (email)=(", ") already exists.");
    "database, syntax" Sort::Error, |t, _| doubled(t, '\'')
        .within("near \"FROM\": syntax error in SELECT * FROM users WHERE name = ", " LIMIT 1");
    "regex" Sort::Error, |t, _| {
        let text = t.only(|c| !"\n#\\()[]{}*+?|^$".contains(c) && !c.is_control());
        let error = regex::Regex::new(&format!("({}", text.text())).unwrap_err();
        text.embedded(&error.to_string())
    };
    "toml" Sort::Error, |t, _| {
        let text = t.only(|c| c != '\n' && c != '"' && c != '\\' && !c.is_control());
        let source = format!("name = \"{}\" x\n", text.text());
        text.embedded(&toml::from_str::<toml::Table>(&source).unwrap_err().to_string())
    };
};

#[derive(serde::Deserialize, Debug)]
enum Variant {
    #[serde(rename = "paid")]
    Paid,
    #[serde(rename = "open")]
    Open,
}

#[derive(serde::Deserialize, Debug)]
#[serde(deny_unknown_fields)]
#[allow(dead_code)] // never made
struct Strict {
    total: Option<u8>,
}

#[derive(serde::Deserialize, Debug)]
#[allow(dead_code)] // never made
struct Order {
    items: Vec<Item>,
}

#[derive(serde::Deserialize, Debug)]
#[allow(dead_code)] // never made
struct Item {
    count: u32,
}

impl Tagged {
    /// The two characters after each of these signs, changed.
    fn escapes(self, sign: char, change: fn(char) -> char) -> Self {
        let mut left = 0;
        let changed = self.0.into_iter().map(|(c, tag)| {
            let c = if left > 0 { change(c) } else { c };
            left = if c == sign {
                2_usize
            } else {
                left.saturating_sub(1)
            };
            (c, tag)
        });
        Self(changed.collect())
    }
}

fn shaped(t: &Tagged, x: &mut Context<'_>, shape: Shape) -> Tagged {
    let Some((live, text)) = Live::new(t, shape) else {
        return t.clone();
    };
    x.live = Some(live);
    text
}

fn percent(t: &Tagged, safe: &str, plus: bool) -> Tagged {
    t.bytes(|b| match char::from(b) {
        ' ' if plus => "+".to_owned(),
        c if c.is_ascii_alphanumeric() || safe.contains(c) => c.into(),
        _ => format!("%{b:02X}"),
    })
}

/// Only non-ASCII characters, controls, and these.
fn percent_but(t: &Tagged, unsafe_ones: &str) -> Tagged {
    t.bytes(|b| match char::from(b) {
        c if (0x21..0x7f).contains(&b) && !unsafe_ones.contains(c) => c.into(),
        _ => format!("%{b:02X}"),
    })
}

const STANDARD: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const URL: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

fn base64(t: &Tagged, digits: &[u8], padding: bool) -> Tagged {
    let mut out = Vec::new();
    for group in t.utf8().chunks(3) {
        let at = |n: usize| {
            group
                .get(n)
                .map_or((0, 0), |(b, tag)| (u32::from(*b), *tag))
        };
        let bits = at(0).0 << 16 | at(1).0 << 8 | at(2).0;
        // A digit belongs to the byte that has most of its bits.
        for (n, of) in [0, 1, 1, 2].into_iter().enumerate() {
            let digit = char::from(digits[(bits >> (18 - 6 * n)) as usize & 63]);
            if n <= group.len() {
                out.push((digit, at(of.min(group.len() - 1)).1));
            } else if padding {
                out.push(('=', 0));
            }
        }
    }
    Tagged(out)
}

fn wide(bytes: &[(u8, u32)]) -> Vec<(u32, u32)> {
    bytes.iter().map(|(b, tag)| (u32::from(*b), *tag)).collect()
}

fn utf16(t: &Tagged) -> Vec<(u32, u32)> {
    let mut out = Vec::new();
    for (c, tag) in &t.0 {
        let mut buffer = [0; 2];
        let units = c.encode_utf16(&mut buffer).iter();
        out.extend(units.map(|u| (u32::from(*u), *tag)));
    }
    out
}

fn scalars(t: &Tagged) -> Vec<(u32, u32)> {
    t.0.iter().map(|(c, tag)| (u32::from(*c), *tag)).collect()
}

fn printable(t: &Tagged) -> Tagged {
    let mut column = 0;
    t.bytes(|b| {
        let piece = match b {
            b'\n' => "\r\n".to_owned(),
            b'=' => "=3D".to_owned(),
            0x20..0x7f => char::from(b).into(),
            b => format!("={b:02X}"),
        };
        column += piece.len();
        if column > 73 {
            column = piece.len();
            return format!("=\r\n{piece}");
        }
        if b == b'\n' {
            column = 0;
        }
        piece
    })
}

fn debug(t: &Tagged) -> Tagged {
    debug_inner(t).within("\"", "\"")
}

/// As `Debug` writes it between its quotes.
pub(super) fn debug_inner(t: &Tagged) -> Tagged {
    let mut first = true;
    t.map(|c| {
        // A mark at the start of a text is escaped, a later one is not.
        let at_start = std::mem::replace(&mut first, false);
        if c == '\'' {
            return "'".to_owned();
        }
        let text = if at_start {
            format!("{:?}", c.to_string())
        } else {
            format!("{:?}", format!("a{c}"))
        };
        let inner = &text[1..text.len() - 1];
        inner[usize::from(!at_start)..].to_owned()
    })
}

fn json(t: &Tagged, safe: bool) -> Tagged {
    t.map(|c| match c {
        '<' | '>' | '&' | '\'' if safe => format!("\\u{:04x}", u32::from(c)),
        '/' if safe => "\\/".to_owned(),
        c => {
            let text = serde_json::to_string(&c).unwrap();
            text[1..text.len() - 1].to_owned()
        }
    })
    .within("\"", "\"")
}

/// Non-ASCII characters, in units of UTF-16.
fn units(t: &Tagged, write: fn(u16) -> String) -> Tagged {
    t.map(|c| match c {
        '"' | '\\' => format!("\\{c}"),
        ' '..='~' => c.into(),
        c => c
            .encode_utf16(&mut [0; 2])
            .iter()
            .map(|u| write(*u))
            .collect(),
    })
}

fn named(c: char) -> String {
    let name = match c {
        '&' => "amp",
        '<' => "lt",
        '>' => "gt",
        '"' => "quot",
        '\'' => "apos",
        'ë' => "euml",
        'é' => "eacute",
        'ü' => "uuml",
        'ö' => "ouml",
        'ä' => "auml",
        'ñ' => "ntilde",
        'å' => "aring",
        'ç' => "ccedil",
        'ø' => "oslash",
        'ß' => "szlig",
        c => return c.into(),
    };
    format!("&{name};")
}

fn reference(c: char, write: fn(char) -> String) -> String {
    match c {
        '&' | '<' | '>' | '"' | '\'' => write(c),
        c if c.is_ascii() => c.into(),
        c => write(c),
    }
}

fn doubled(t: &Tagged, quote: char) -> Tagged {
    let quotes = quote.to_string();
    t.map(|c| {
        if c == quote {
            quotes.repeat(2)
        } else {
            c.into()
        }
    })
    .within(&quotes, &quotes)
}

fn go(c: char) -> String {
    match c {
        '"' | '\\' => format!("\\{c}"),
        '\n' => "\\n".to_owned(),
        ' '..='~' => c.into(),
        c if u32::from(c) > 0xffff => format!("\\U{:08x}", u32::from(c)),
        c => format!("\\u{:04x}", u32::from(c)),
    }
}

fn title(t: &Tagged) -> Tagged {
    let mut inside = false;
    t.map(|c| {
        let first = !std::mem::replace(&mut inside, c.is_alphanumeric());
        if first {
            c.to_uppercase().collect()
        } else {
            c.to_lowercase().collect()
        }
    })
}

fn composed(t: &Tagged) -> Tagged {
    let mut out: Vec<(char, u32)> = Vec::with_capacity(t.0.len());
    for (c, tag) in &t.0 {
        match out.last().and_then(|(base, _)| compose(*base, *c)) {
            Some(whole) => out.last_mut().unwrap().0 = whole,
            None => out.push((*c, *tag)),
        }
    }
    Tagged(out)
}

fn spaced(t: &Tagged, space: &str) -> Tagged {
    let mut before = false;
    t.map(|c| {
        let again = std::mem::replace(&mut before, c.is_whitespace());
        match (c.is_whitespace(), again) {
            (true, true) => String::new(),
            (true, false) => space.to_owned(),
            _ => c.into(),
        }
    })
}

/// Lines of at most 76 characters, broken at blanks if there are any.
fn wrapped(t: &Tagged) -> Tagged {
    let mut out: Vec<(char, u32)> = Vec::new();
    let (mut line, mut blank) = (0, None);
    for (c, tag) in &t.0 {
        if line == 76 {
            match blank.take() {
                Some(at) => {
                    line = out.len() - at - 1;
                    out[at] = ('\n', 0);
                }
                None => {
                    line = 0;
                    out.push(('\n', 0));
                }
            }
        }
        if *c == ' ' {
            blank = Some(out.len());
        }
        line += 1;
        out.push((*c, *tag));
    }
    Tagged(out)
}

/// Words with this between them.
fn styled(t: &Tagged, between: &str) -> Tagged {
    let mut out = Tagged::default();
    let mut gap = false;
    for (c, tag) in &t.0 {
        // A mark belongs to its letter.
        let mark = ('\u{300}'..'\u{370}').contains(c) || ('\u{3099}'..='\u{309a}').contains(c);
        if c.is_alphanumeric() || mark {
            if std::mem::take(&mut gap) && !out.0.is_empty() {
                out.0.extend(Tagged::around(between).0);
            }
            out.0.push((*c, *tag));
        } else {
            gap = true;
        }
    }
    out
}

fn grouped(t: &Tagged, x: &mut Context<'_>) -> Tagged {
    let sign = *x.random.of(&[',', '.', ' ', '\'', '_', '\u{a0}']);
    let mut out = Vec::new();
    for (n, digit) in t.0.iter().enumerate() {
        if n > 0 && (t.0.len() - n).is_multiple_of(3) {
            out.push((sign, 0));
        }
        out.push(*digit);
    }
    Tagged(out)
}

/// A part with at least ten letters or four ideographs.
fn cut(t: &Tagged, x: &mut Context<'_>, side: usize) -> Tagged {
    let symbols: Vec<char> = x.value.text.chars().collect();
    // Where the weight of the rest is reached, from either end.
    let tells = |part: &[(char, u32)]| {
        let whole = Tagged(part.to_vec());
        let mut seen: Vec<u32> = whole
            .0
            .iter()
            .map(|(_, tag)| *tag)
            .filter(|t| *t > 0)
            .collect();
        seen.dedup();
        // The outer two may be incomplete.
        let inner = seen.get(2..seen.len().max(4) - 2).unwrap_or_default();
        let weights = inner.iter().map(|tag| weight(symbols[*tag as usize - 1]));
        weights.sum::<usize>() >= 12
    };
    let len = t.0.len();
    for _ in 0..8 {
        let (a, b) = (x.random.below(len + 1), x.random.below(len + 1));
        let range = match side {
            0 => 0..a,
            1 => a..len,
            _ => a.min(b)..a.max(b),
        };
        if tells(&t.0[range.clone()]) {
            return Tagged(t.0[range].to_vec());
        }
    }
    t.clone()
}
