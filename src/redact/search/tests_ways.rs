//! Encodings of a value in texts.

use std::fmt::Write;
use unicode_normalization::UnicodeNormalization;

pub(super) type Way = (&'static str, fn(&str) -> String);

fn mapped(value: &str, map: impl Fn(char) -> String) -> String {
    value.chars().map(map).collect()
}

fn bytes(value: &[u8], map: impl Fn(u8) -> String) -> String {
    value.iter().copied().map(map).collect()
}

fn percent(value: &str, keep: &str, lower: bool) -> String {
    bytes(value.as_bytes(), |b| match char::from(b) {
        c if c.is_ascii_alphanumeric() || keep.contains(c) => c.to_string(),
        _ if lower => format!("%{b:02x}"),
        _ => format!("%{b:02X}"),
    })
}

fn quoted_printable(value: &str) -> String {
    let mut out = String::new();
    for (at, b) in value.bytes().enumerate() {
        match b {
            b' '..=b'~' if b != b'=' => out.push(char::from(b)),
            _ => write!(out, "={b:02X}").unwrap(),
        }
        if at % 17 == 16 {
            out.push_str("=\r\n");
        }
    }
    out
}

fn units(value: &str, upper: bool) -> String {
    value
        .encode_utf16()
        .map(|unit| match u8::try_from(unit) {
            Ok(b) if b.is_ascii() && b != b'"' && b != b'\\' => char::from(b).to_string(),
            _ if upper => format!("\\u{unit:04X}"),
            _ => format!("\\u{unit:04x}"),
        })
        .collect()
}

pub(super) fn base64(value: &[u8], url: bool, pad: bool) -> String {
    let mut alphabet: Vec<u8> = (b'A'..=b'Z')
        .chain(b'a'..=b'z')
        .chain(b'0'..=b'9')
        .collect();
    alphabet.extend(if url { b"-_" } else { b"+/" });
    let mut out = String::new();
    for group in value.chunks(3) {
        let mut bits = group.iter().fold(0_u32, |n, b| n << 8 | u32::from(*b));
        bits <<= 8 * (3 - group.len());
        for n in 0..4 {
            if n <= group.len() {
                let digit = bits >> (18 - 6 * n) & 63;
                out.push(char::from(alphabet[digit as usize]));
            } else if pad {
                out.push('=');
            }
        }
    }
    out
}

pub(super) const WAYS: &[Way] = &[
    ("as it is", str::to_owned),
    ("RFC 3986", |v| percent(v, "-._~", false)),
    ("percent, lower", |v| percent(v, "-._~", true)),
    ("encodeURIComponent", |v| percent(v, "-_.!~*'()", false)),
    ("form", |v| percent(v, "*-._ ", false).replace(' ', "+")),
    ("url path", |v| percent(v, "-._~!$&'()*+,;=:@/", false)),
    ("percent twice", |v| {
        percent(&percent(v, "", false), "", false)
    }),
    ("every byte in percent", |v| {
        bytes(v.as_bytes(), |b| format!("%{b:02X}"))
    }),
    ("Debug", |v| format!("{v:?}")),
    ("Debug twice", |v| format!("{:?}", format!("{v:?}"))),
    ("escape_default", |v| v.escape_default().to_string()),
    ("escape_unicode", |v| v.escape_unicode().to_string()),
    ("Debug of bytes", |v| {
        v.as_bytes().escape_ascii().to_string()
    }),
    ("every byte in hex escapes", |v| {
        bytes(v.as_bytes(), |b| format!("\\x{b:02x}"))
    }),
    ("JSON units", |v| {
        units(&v.replace('\\', "\\\\").replace('"', "\\\""), false)
    }),
    ("JSON units, upper", |v| {
        units(&v.replace('\\', "\\\\").replace('"', "\\\""), true)
    }),
    ("JSON", |v| {
        inside(
            &v.replace('\\', "\\\\")
                .replace('"', "\\\"")
                .replace('\n', "\\n"),
        )
    }),
    ("JSON in JSON", |v| {
        let json = v
            .replace('\\', "\\\\")
            .replace('"', "\\\"")
            .replace('\n', "\\n");
        inside(&json.replace('\\', "\\\\").replace('"', "\\\""))
    }),
    ("octal", |v| {
        bytes(v.as_bytes(), |b| match b {
            b' '..=b'~' if b != b'\\' => char::from(b).to_string(),
            _ => format!("\\{b:03o}"),
        })
    }),
    ("long units", |v| {
        mapped(v, |c| match c {
            ' '..='~' => c.to_string(),
            c => format!("\\U{:08x}", u32::from(c)),
        })
    }),
    ("HTML", |v| {
        v.replace('&', "&amp;")
            .replace('<', "&lt;")
            .replace('>', "&gt;")
            .replace('"', "&quot;")
            .replace('\'', "&#39;")
    }),
    ("entities, decimal", |v| {
        mapped(v, |c| format!("&#{};", u32::from(c)))
    }),
    ("entities, hex", |v| {
        mapped(v, |c| match c {
            'a'..='z' | 'A'..='Z' | '0'..='9' => c.to_string(),
            c => format!("&#x{:X};", u32::from(c)),
        })
    }),
    ("entities, named", |v| {
        v.replace('&', "&amp;")
            .replace('ë', "&euml;")
            .replace('ü', "&uuml;")
            .replace('é', "&eacute;")
            .replace('ß', "&szlig;")
    }),
    ("SQL", |v| format!("'{}'", v.replace('\'', "''"))),
    ("SQL LIKE", |v| format!("'%{}%'", v.replace('\'', "''"))),
    ("CSV", |v| format!("\"{}\"", v.replace('"', "\"\""))),
    ("shell", |v| format!("'{}'", v.replace('\'', "'\\''"))),
    ("NFC", |v| v.nfc().collect()),
    ("NFD", |v| v.nfd().collect()),
    ("NFKD", |v| v.nfkd().collect()),
    ("lower", str::to_lowercase),
    ("upper", str::to_uppercase),
    ("white space collapsed", |v| {
        v.split_whitespace().collect::<Vec<_>>().join(" ")
    }),
    ("wrapped", |v| v.replace(' ', "\n    ")),
    ("slug", |v| {
        v.split(|c: char| !c.is_alphanumeric())
            .collect::<Vec<_>>()
            .join("-")
    }),
    ("snake", |v| {
        v.split(|c: char| !c.is_alphanumeric())
            .collect::<Vec<_>>()
            .join("_")
    }),
    ("quoted-printable", quoted_printable),
    ("base64", |v| base64(v.as_bytes(), false, true)),
    ("base64url", |v| base64(v.as_bytes(), true, false)),
    ("hex", |v| bytes(v.as_bytes(), |b| format!("{b:02x}"))),
    ("HEX", |v| bytes(v.as_bytes(), |b| format!("{b:02X}"))),
    ("hex, marked", |v| {
        format!("0x{}", bytes(v.as_bytes(), |b| format!("{b:02x}")))
    }),
    ("hex in colons", |v| {
        bytes(v.as_bytes(), |b| format!("{b:02x}:"))
    }),
    ("list", |v| format!("{:?}", v.as_bytes())),
    ("list over lines", |v| format!("{:#?}", v.as_bytes())),
    ("hex list", |v| format!("{:#x?}", v.as_bytes())),
    ("UTF-16 in base64", |v| {
        let wide: Vec<u8> = v.encode_utf16().flat_map(u16::to_le_bytes).collect();
        base64(&wide, false, true)
    }),
];

/// Encodings that few services use, or that are ambiguous.
pub(super) const RARE: &[Way] = &[
    ("wide letters", wide),
    ("wide letters of percent", |v| wide(&percent(v, "", false))),
    ("wide letters of base64", |v| {
        wide(&base64(v.as_bytes(), false, true))
    }),
    ("spaces that do not break", |v| v.replace(' ', "\u{a0}")),
    ("list of units", |v| {
        format!("{:?}", v.encode_utf16().collect::<Vec<_>>())
    }),
    ("list of units, in hex", |v| {
        format!("{:#06x?}", v.encode_utf16().collect::<Vec<_>>())
    }),
    ("list of characters", |v| {
        format!("{:?}", v.chars().map(u32::from).collect::<Vec<_>>())
    }),
    ("characters with a mark", |v| {
        mapped(v, |c| format!("U+{:04X} ", u32::from(c)))
    }),
    ("Debug of characters", |v| {
        format!("{:?}", v.chars().collect::<Vec<_>>())
    }),
    ("letters apart", |v| mapped(v, |c| format!("{c}-"))),
    ("JavaScript", |v| {
        mapped(v, |c| match c {
            ' '..='~' => c.to_string(),
            c => format!("\\u{{{:x}}}", u32::from(c)),
        })
    }),
    ("Python", |v| {
        units(v, false).replace("\\u00", "\\x").replace('\'', "\\'")
    }),
    ("CSS", |v| {
        mapped(v, |c| match c {
            c if c.is_alphanumeric() && c.is_ascii() => c.to_string(),
            ' '..='~' => format!("\\{c}"),
            c => format!("\\{:x} ", u32::from(c)),
        })
    }),
    ("SQL, units", |v| {
        format!(
            "U&'{}'",
            units(&v.replace('\'', "''"), false).replace("\\u", "\\")
        )
    }),
    ("LDAP", |v| {
        bytes(v.as_bytes(), |b| match b {
            b' '..=b'~' | b'\n' => char::from(b).to_string(),
            _ => format!("\\{b:02x}"),
        })
    }),
    ("octal, all", |v| {
        bytes(v.as_bytes(), |b| format!("\\{b:03o}"))
    }),
    ("units in percent", |v| {
        mapped(v, |c| format!("%u{:04X}", u32::from(c)))
    }),
    ("shell, escapes", |v| {
        format!("$'{}'", v.as_bytes().escape_ascii())
    }),
    ("CDATA", |v| format!("<![CDATA[{v}]]>")),
    ("MIME, quoted", |v| {
        let text = bytes(v.as_bytes(), |b| match b {
            b' ' => "_".to_owned(),
            b'!'..=b'~' if b != b'=' && b != b'?' && b != b'_' => char::from(b).to_string(),
            _ => format!("={b:02X}"),
        });
        format!("=?utf-8?q?{text}?=")
    }),
    ("MIME, base64", |v| {
        format!("=?utf-8?b?{}?=", base64(v.as_bytes(), false, true))
    }),
    ("quoted-printable, lower", |v| {
        bytes(v.as_bytes(), |b| match b {
            b' '..=b'~' | b'\n' => char::from(b).to_string(),
            _ => format!("={b:02x}"),
        })
    }),
    ("percent, wrapped", |v| {
        let lines = percent(v, "", false);
        let lines: Vec<_> = lines.as_bytes().chunks(38).collect();
        String::from_utf8(lines.join(&b'\n')).unwrap()
    }),
    ("base64 in a query in JSON", |v| {
        format!(
            "{{\"url\":\"/find?q={}&page=2\"}}",
            base64(v.as_bytes(), true, false)
        )
    }),
];

pub(super) fn wide(value: &str) -> String {
    mapped(value, |c| match c {
        '!'..='~' => char::from_u32(u32::from(c) + 0xfee0).unwrap().to_string(),
        ' ' => '\u{3000}'.to_string(),
        c => c.to_string(),
    })
}

fn inside(json: &str) -> String {
    format!("\"{json}\"")
}

/// Values of many kinds, none of which is part of another.
pub(super) const VALUES: &[&str] = &[
    "Quvexastr Moltrin",
    "Zoë Vüllerbach-Kräntz",
    "zoe",
    "Mueller",
    "kx7",
    "O'Brannagh \"Tip\" Quell",
    "correct horse battery staple",
    "Tr0ub4dor&3!x",
    "482913",
    "4539 1488 0343 6467",
    "1985-03-12",
    "ana.quvex@example-mail.net",
    "https://api.geo.test/find/Vorn%20Strasse?key=Zk3Lq9",
    "8f3ac2d45b6e7f801927",
    "sk_live_4eC39HqLyjWDarjtT1zdp7dc",
    "Straße des Übergangs 17, 10115 Moltrin",
    "C:\\bob\\new\\table.txt",
    "Привет Квекса",
    "Ольга",
    "Ελένη Παπαδοπούλου",
    "王小明同学",
    "山田太郎",
    "서울특별시 강남구",
    "สมชาย ใจดี",
    "مرحبا بالعالم",
    "a\"b\\c'd&e<f>g",
    "line one\nline two of Vexar",
    "GB29 NWBK 6016 1331 9268 19",
    "Ñandú Ærøskøbing",
];
