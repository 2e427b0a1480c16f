//! Frames of HTTP/2: a small writer, and what is compared of the frames that come back.

use std::collections::BTreeMap;
use std::fmt::Write;

pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
pub(crate) const PRIORITY: u8 = 2;
pub(crate) const RST_STREAM: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const PUSH_PROMISE: u8 = 5;
pub(crate) const PING: u8 = 6;
pub(crate) const GOAWAY: u8 = 7;
pub(crate) const WINDOW_UPDATE: u8 = 8;
pub(crate) const CONTINUATION: u8 = 9;

pub(crate) const END_STREAM: u8 = 1;
pub(crate) const ACK: u8 = 1;
pub(crate) const END_HEADERS: u8 = 4;
pub(crate) const PADDED: u8 = 8;
pub(crate) const PRIORITISED: u8 = 0x20;

pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: impl AsRef<[u8]>) -> Vec<u8> {
    let payload = payload.as_ref();
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut frame = length[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

pub(crate) fn settings(all: &[(u16, u32)]) -> Vec<u8> {
    let mut payload = Vec::new();
    for (name, value) in all {
        payload.extend(name.to_be_bytes());
        payload.extend(value.to_be_bytes());
    }
    frame(SETTINGS, 0, 0, payload)
}

/// The preface of a connection.
pub(crate) fn preface(all: &[(u16, u32)]) -> Vec<u8> {
    let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    bytes.extend(settings(all));
    bytes
}

fn number(block: &mut Vec<u8>, first: u8, prefix: u32, mut value: usize) {
    let most = (1 << prefix) - 1;
    if value < most {
        block.push(first | u8::try_from(value).unwrap());
        return;
    }
    block.push(first | u8::try_from(most).unwrap());
    value -= most;
    while value >= 128 {
        block.push(u8::try_from(value % 128).unwrap() | 128);
        value /= 128;
    }
    block.push(u8::try_from(value).unwrap());
}

/// Fields in the plainest form: neither indexed nor coded.
pub(crate) fn block(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in fields {
        block.push(0);
        number(&mut block, 0, 7, name.len());
        block.extend(name.as_bytes());
        number(&mut block, 0, 7, value.len());
        block.extend(value.as_bytes());
    }
    block
}

pub(crate) fn fields<'a>(
    method: &'a str,
    path: &'a str,
    more: &[(&'a str, &'a str)],
) -> Vec<(&'a str, &'a str)> {
    let mut fields = vec![
        (":method", method),
        (":scheme", "http"),
        (":authority", "test"),
        (":path", path),
    ];
    fields.extend(more);
    fields
}

/// The head of a request in one frame.
pub(crate) fn head(stream: u32, flags: u8, method: &str, path: &str) -> Vec<u8> {
    head_with(stream, flags, method, path, &[])
}

pub(crate) fn head_with(
    stream: u32,
    flags: u8,
    method: &str,
    path: &str,
    more: &[(&str, &str)],
) -> Vec<u8> {
    let block = block(&fields(method, path, more));
    frame(HEADERS, flags | END_HEADERS, stream, block)
}

pub(crate) fn get(stream: u32, path: &str) -> Vec<u8> {
    head(stream, END_STREAM, "GET", path)
}

pub(crate) fn data(stream: u32, flags: u8, payload: impl AsRef<[u8]>) -> Vec<u8> {
    frame(DATA, flags, stream, payload)
}

pub(crate) fn reset(stream: u32, code: u32) -> Vec<u8> {
    frame(RST_STREAM, 0, stream, code.to_be_bytes())
}

pub(crate) fn window(stream: u32, increment: u32) -> Vec<u8> {
    frame(WINDOW_UPDATE, 0, stream, increment.to_be_bytes())
}

/// Whether the first bytes are a frame of settings, and not HTTP/1.
pub(crate) fn are(raw: &[u8]) -> bool {
    raw.get(3).is_none_or(|kind| *kind == SETTINGS)
}

fn word(bytes: &[u8]) -> u32 {
    bytes
        .iter()
        .take(4)
        .fold(0, |word, byte| word << 8 | u32::from(*byte))
}

/// Parses header blocks without decoding strings: names and values stay coded. Nothing is evicted,
/// because connections here are short.
#[derive(Default)]
struct Fields {
    table: Vec<(String, String)>,
}

/// "x-request-id" and "date" as the encoder of the server writes them.
const ID: &str = "f2b585ed6950958d27";
const DATE: &str = "#33";

impl Fields {
    fn read(&mut self, block: &[u8]) -> Option<Vec<String>> {
        let mut at = 0;
        let mut all = Vec::new();
        while let Some(first) = block.get(at) {
            let (name, value) = match first.leading_zeros() {
                0 => {
                    let index = take_number(block, &mut at, 7)?;
                    self.entry(index)
                }
                1 => {
                    let field = self.literal(block, &mut at, 6)?;
                    self.table.insert(0, field.clone());
                    field
                }
                2 => {
                    let size = take_number(block, &mut at, 5)?;
                    ("table".to_owned(), size.to_string())
                }
                _ => self.literal(block, &mut at, 4)?,
            };
            if name != ID && name != DATE {
                all.push(format!("{name}={value}"));
            }
        }
        Some(all)
    }

    fn entry(&self, index: usize) -> (String, String) {
        let own = index.checked_sub(62).and_then(|own| self.table.get(own));
        own.cloned()
            .unwrap_or_else(|| (format!("#{index}"), String::new()))
    }

    fn literal(&self, block: &[u8], at: &mut usize, prefix: u32) -> Option<(String, String)> {
        let name = match take_number(block, at, prefix)? {
            0 => take_string(block, at)?,
            index if index > 61 => self.entry(index).0,
            index => format!("#{index}"),
        };
        Some((name, take_string(block, at)?))
    }
}

fn take_number(block: &[u8], at: &mut usize, prefix: u32) -> Option<usize> {
    let most = (1 << prefix) - 1;
    let mut value = usize::from(*block.get(*at)?) & most;
    *at += 1;
    if value == most {
        for shift in (0..28).step_by(7) {
            let byte = usize::from(*block.get(*at)?);
            *at += 1;
            value += (byte & 127) << shift;
            if byte < 128 {
                break;
            }
        }
    }
    Some(value)
}

/// The string's bytes as they are, in hexadecimal.
fn take_string(block: &[u8], at: &mut usize) -> Option<String> {
    let length = take_number(block, at, 7)?;
    let bytes = block.get(*at..*at + length)?;
    *at += length;
    Some(bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    }))
}

/// A line for each frame, in the order of each stream. How often windows are opened depends on
/// time, so only the fact is noted.
pub(crate) fn transcript(raw: &[u8]) -> String {
    let mut streams: BTreeMap<u32, Vec<String>> = BTreeMap::new();
    let mut opened = BTreeMap::new();
    let mut known = Fields::default();
    let mut held: Vec<u8> = Vec::new();
    let mut rest = raw;
    while rest.len() >= 9 {
        let length = word(&rest[..3]) as usize;
        let Some(payload) = rest.get(9..9 + length) else {
            break;
        };
        let (kind, flags, stream) = (rest[3], rest[4], word(&rest[5..9]));
        rest = &rest[9 + length..];
        let end = if flags & END_STREAM == 0 { "" } else { " end" };
        let line = match kind {
            DATA => {
                let text: String = payload.iter().map(|byte| char::from(*byte)).collect();
                format!("data{end} {length} {text:?}")
            }
            HEADERS | CONTINUATION => {
                held.extend(payload);
                let more = if flags & END_HEADERS == 0 {
                    " more"
                } else {
                    ""
                };
                let kind = if kind == HEADERS { "head" } else { "continued" };
                let mut line = format!("{kind}{end}{more}");
                if more.is_empty() {
                    let fields = known.read(&std::mem::take(&mut held));
                    let fields = fields.unwrap_or_else(|| vec!["broken".to_owned()]);
                    let _ = write!(line, " {}", fields.join(" "));
                }
                line
            }
            RST_STREAM => format!("reset {}", word(payload)),
            SETTINGS if flags & ACK != 0 => "settings taken".to_owned(),
            SETTINGS => format!("settings {payload:?}"),
            PING => format!("ping {flags} {payload:?}"),
            GOAWAY => format!(
                "goaway {} {:?}",
                word(payload.get(4..).unwrap_or_default()),
                payload
            ),
            WINDOW_UPDATE => {
                opened.insert(stream, "window opened".to_owned());
                continue;
            }
            _ => format!("kind {kind} {flags} {payload:?}"),
        };
        streams.entry(stream).or_default().push(line);
    }
    for (stream, line) in opened {
        streams.entry(stream).or_default().push(line);
    }
    let mut transcript = String::new();
    for (stream, lines) in streams {
        for line in lines {
            let _ = writeln!(transcript, "{stream}: {line}");
        }
    }
    if !rest.is_empty() {
        let _ = writeln!(transcript, "{} bytes of a frame", rest.len());
    }
    transcript
}

/// A status from the table, or coded as three digits.
fn status(field: &str) -> Option<String> {
    let known = ["200", "204", "206", "304", "400", "404", "500"];
    let (name, value) = field.split_once('=')?;
    let index: usize = name.strip_prefix('#')?.parse().ok()?;
    if !(8..=14).contains(&index) {
        return None;
    }
    if value.is_empty() {
        return known.get(index - 8).map(|text| (*text).to_owned());
    }
    let coded = u64::from_str_radix(value, 16).ok()?;
    let mut bits = (0..value.len() * 4).rev().map(|bit| coded >> bit & 1);
    let mut text = String::new();
    while text.len() < 3 {
        let mut code = 0;
        for _ in 0..5 {
            code = code << 1 | bits.next()?;
        }
        let digit = match code {
            0..=2 => code,
            _ => (code << 1 | bits.next()?) - 0b011_001 + 3,
        };
        let _ = write!(text, "{digit}");
    }
    Some(text)
}

/// For each stream its status and its end, then whether the connection is closed.
pub(crate) fn summary(transcript: &str) -> String {
    let mut parts: Vec<(&str, String)> = Vec::new();
    let mut last = String::new();
    for line in transcript.lines() {
        let Some((stream, line)) = line.split_once(": ") else {
            continue;
        };
        if let Some(code) = line.strip_prefix("goaway ") {
            last = format!("goaway{}", code.split(' ').next().unwrap_or_default());
        }
        if stream == "0" {
            continue;
        }
        if parts.last().is_none_or(|(known, _)| *known != stream) {
            parts.push((stream, String::new()));
        }
        let Some((_, text)) = parts.last_mut() else {
            continue;
        };
        let mut words = line.split(' ');
        match words.next() {
            Some("head" | "data" | "continued") => {
                text.extend(line.split(' ').find_map(status));
                if words.next() == Some("end") {
                    text.push('.');
                }
            }
            Some("reset") => *text += &format!("!{}", words.next().unwrap_or_default()),
            _ => {}
        }
    }
    let mut all: Vec<_> = parts
        .into_iter()
        .map(|(stream, text)| format!("{stream}={text}"))
        .collect();
    if !last.is_empty() {
        all.push(last);
    }
    all.join(" ")
}
