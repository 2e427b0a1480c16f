//! Multipart bodies: fields as in forms; for files the length, a hash and the type, and no
//! content.

use super::{
    Redactor, decode, detect, json,
    media::{Media, parameter},
    members, names,
    policy::Rule,
};
use crate::exchange::Content;

/// The boundary that replaces the client's own, which may contain anything.
const BOUNDARY: &str = "dashcam";

/// The longest boundary, in bytes (RFC 2046).
const LONGEST: usize = 70;

/// The most bytes of the head of a part.
const HEAD: usize = 4096;

/// File types that are written; others are data of the client.
const PLAIN: &[&str] = &[
    "application",
    "audio",
    "font",
    "image",
    "model",
    "text",
    "video",
];

/// Returns `None` if no part can be parsed.
pub(super) fn body(r: &mut Redactor<'_>, boundary: &str, bytes: &[u8]) -> Option<Content> {
    if boundary.is_empty() || boundary.len() > LONGEST {
        return None;
    }
    let delimiter = format!("--{boundary}");
    let delimiter = delimiter.as_bytes();
    // Recipients ignore the preamble before the first delimiter.
    let mut at = next(bytes, 0, delimiter, true)?;
    r.remember_words(bytes.get(..at.start).unwrap_or_default());
    let mut out = String::new();
    // Where the boundary goes: after the last part all other hidden values of the body are
    // known.
    let mut marks = Vec::new();
    let mut known = at.start;
    loop {
        if bytes
            .get(at.end..)
            .is_some_and(|rest| rest.starts_with(b"--"))
        {
            // Recipients also ignore the epilogue.
            out.push_str("--");
            marks.push(out.len());
            out.push_str("--\r\n");
            r.remember_words(bytes.get(at.end..).unwrap_or_default());
            known = bytes.len();
            break;
        }
        let Some(start) = line_end(bytes, at.end) else {
            break;
        };
        let following = next(bytes, start, delimiter, false);
        let to = following.as_ref().map_or(bytes.len(), |f| f.start);
        let part = bytes.get(start..to).unwrap_or_default();
        let before = out.len();
        out.push_str("--");
        marks.push(out.len());
        if push_part(r, part, following.is_none(), &mut out).is_none() {
            out.truncate(before);
            marks.pop();
            known = start;
            break;
        }
        known = to;
        match following {
            Some(following) => at = following,
            None => break,
        }
    }
    let kept = r.keeps_boundary() && is_plain(boundary) && !r.hides(boundary);
    let written = match kept {
        true => boundary.to_owned(),
        false => absent(r, bytes),
    };
    let mut text = String::with_capacity(out.len() + marks.len() * written.len());
    let mut from = 0;
    for mark in marks {
        text.push_str(out.get(from..mark).unwrap_or_default());
        text.push_str(&written);
        from = mark;
    }
    text.push_str(out.get(from..).unwrap_or_default());
    (!text.is_empty()).then_some(Content::Text {
        text,
        unparsed: (bytes.len() - known) as u64,
    })
}

/// Returns whether it is a boundary of RFC 2046, without spaces.
fn is_plain(boundary: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"'()+_,-./:=?".contains(&b);
    boundary.bytes().all(plain)
}

/// Returns a boundary that is not in the body: visible text must not end a part. Clients
/// cannot predict the hash.
fn absent(r: &Redactor<'_>, bytes: &[u8]) -> String {
    let own = format!("--{BOUNDARY}");
    if r.only_remembers() || memchr::memmem::find(bytes, own.as_bytes()).is_none() {
        return BOUNDARY.to_owned();
    }
    format!("{BOUNDARY}-{}", r.content_hash(bytes))
}

/// Returns the boundary with which a body was written.
pub(crate) fn boundary_of(written: &str) -> Option<&str> {
    let line = written.split("\r\n").next()?.strip_prefix("--")?;
    // A body without parts has only the closing delimiter.
    let only = written.len() == line.len() + 4;
    Some(line.strip_suffix("--").filter(|_| only).unwrap_or(line))
}

/// Returns whether the visible part of a media type has its boundary.
pub(crate) fn shows_boundary(shown: &str, media: &str) -> bool {
    parameter(shown, "boundary") == parameter(media, "boundary")
}

/// Returns a media type with another boundary; `None` if it has none, or this one.
pub(crate) fn with_boundary(media: &str, boundary: &str) -> Option<String> {
    if parameter(media, "boundary")? == boundary {
        return None;
    }
    let mut out = String::with_capacity(media.len());
    for piece in members::pieces(media) {
        let (name, _) = piece.split_once('=').unwrap_or((piece, ""));
        let bare = name.trim_start_matches([';', ' ', '\t']).trim_end();
        if bare.eq_ignore_ascii_case("boundary") {
            out.push_str(name);
            out.push('=');
            out.push_str(boundary);
        } else {
            out.push_str(piece);
        }
    }
    Some(out)
}

/// Finds the next delimiter at the start of a line, including the line break before it.
fn next(
    bytes: &[u8],
    from: usize,
    delimiter: &[u8],
    first: bool,
) -> Option<std::ops::Range<usize>> {
    let mut at = from;
    loop {
        let rest = bytes.get(at..)?;
        let found = at + rest.windows(delimiter.len()).position(|w| w == delimiter)?;
        let end = found + delimiter.len();
        let before = bytes.get(..found)?;
        // Some clients end lines with `\n` alone.
        let start = if before.ends_with(b"\r\n") {
            Some(found - 2)
        } else if before.ends_with(b"\n") {
            Some(found - 1)
        } else if found == 0 && first || found == from && !first {
            Some(found)
        } else {
            None
        };
        let over = matches!(
            bytes.get(end),
            None | Some(b'\r' | b'\n' | b'-' | b' ' | b'\t')
        );
        match start {
            Some(start) if over => return Some(start.max(from)..end),
            _ => at = end,
        }
    }
}

/// Finds the end of the line after a delimiter.
fn line_end(bytes: &[u8], from: usize) -> Option<usize> {
    let rest = bytes.get(from..)?;
    let end = rest.iter().position(|b| *b == b'\n')?;
    rest.get(..end)?
        .iter()
        .all(u8::is_ascii_whitespace)
        .then_some(from + end + 1)
}

/// The head of a part.
#[derive(Default)]
struct Head {
    name: Option<String>,
    filename: Option<String>,
    content_type: Option<String>,
    /// The name is ambiguous, or something besides the name is suspicious.
    unclear: bool,
    /// The content is in a form that cannot be parsed.
    encoded: bool,
}

fn push_part(r: &mut Redactor<'_>, part: &[u8], cut: bool, out: &mut String) -> Option<()> {
    let (head, content) = split(part)?;
    let head = read(r, std::str::from_utf8(head).ok()?);
    out.push_str("\r\nContent-Disposition: form-data");
    // A part with no name, or with several, may be anything.
    let mut rule = Rule::default();
    if let Some(name) = &head.name {
        rule = r.policy().field_rule(name);
        let plain = name.replace(['[', ']'], "_");
        let stays =
            names::identifier_like(&plain) && !detect::is_sensitive(name, r.policy().names());
        out.push_str("; name=\"");
        if stays {
            out.push_str(name);
        } else {
            out.push_str(&r.hide(name.as_bytes()));
        }
        out.push('"');
    }
    rule.suspicious |= head.name.is_none() || head.unclear;
    let media = head.content_type.as_deref();
    if let Some(filename) = &head.filename {
        // A file name is data of the client, whatever the policy has for the name.
        r.remember(&String::from_utf8_lossy(&decode::percent(filename)));
        // Services derive other names from it.
        r.remember_file(filename);
        out.push_str("; filename=\"");
        out.push_str(&r.hide_by(rule, filename.as_bytes(), false));
        out.push('"');
    }
    if let Some(media) = media {
        out.push_str("\r\nContent-Type: ");
        out.push_str(&essence(r, media));
    }
    out.push_str("\r\n\r\n");
    let kind = media.map_or(Some(Media::Text), Media::of);
    let is_file = head.filename.is_some();
    match kind {
        _ if is_file || head.encoded => hide(r, rule, content, cut, out),
        Some(Media::Json) if !rule.suspicious => match json::part(r, content, !cut, rule, false) {
            Some(done) if done.complete || (cut && done.unparsed == 0) => {
                out.push_str(&done.text);
            }
            _ => hide(r, rule, content, cut, out),
        },
        Some(Media::Text) => match r.scalar(rule, content, cut) {
            Some(placeholder) => {
                r.remember_words(content);
                out.push_str(&placeholder);
            }
            None => out.push_str(std::str::from_utf8(content).unwrap_or_default()),
        },
        _ => hide(r, rule, content, cut, out),
    }
    out.push_str("\r\n");
    Some(())
}

/// Hides the content of a part, and remembers what the service may repeat.
fn hide(r: &mut Redactor<'_>, rule: Rule, content: &[u8], cut: bool, out: &mut String) {
    r.remember_words(content);
    if content.len() <= 1024 {
        if let Some(decoded) = decode::base64(content.trim_ascii()) {
            r.remember_words(&decoded);
        }
        out.push_str(&r.hide_by(rule, content, cut));
        return;
    }
    // No service repeats a whole file.
    if !r.only_remembers() {
        r.pseudonyms().push(rule.how(), content, cut, out);
    }
}

/// Splits a part at the empty line.
fn split(part: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut at = 0;
    loop {
        let rest = part.get(at..)?;
        if let Some(content) = rest
            .strip_prefix(b"\r\n")
            .or_else(|| rest.strip_prefix(b"\n"))
        {
            return Some((part.get(..at)?, content));
        }
        let end = rest.iter().position(|b| *b == b'\n')?;
        at += end + 1;
        if at > HEAD {
            return None;
        }
    }
}

fn read(r: &mut Redactor<'_>, head: &str) -> Head {
    let mut read = Head::default();
    let mut dispositions = 0;
    // A long line continues in the next one, after white space.
    let head = head
        .replace("\r\n", "\n")
        .replace("\n ", " ")
        .replace("\n\t", " ");
    for line in head.lines() {
        let Some((name, value)) = line.split_once(':') else {
            r.remember_words(line.as_bytes());
            continue;
        };
        let value = value.trim();
        match name.trim().to_ascii_lowercase().as_str() {
            "content-disposition" => {
                dispositions += 1;
                read.unclear |= dispositions > 1
                    || parameter(value, "name*").is_some()
                    || r.policy().field_rule(value).suspicious;
                read.name = parameter(value, "name");
                read.filename = parameter(value, "filename");
                if let Some(extended) = parameter(value, "filename*") {
                    // charset'language'percent-encoded
                    let encoded = extended.rsplit('\'').next().unwrap_or_default();
                    let decoded = decode::percent(encoded);
                    let decoded = String::from_utf8_lossy(&decoded);
                    r.remember(encoded);
                    r.remember(&decoded);
                    read.filename.get_or_insert_with(|| decoded.into_owned());
                }
            }
            "content-type" => {
                // Only the essence is written, or hidden as one value.
                if let Some((_, parameters)) = value.split_once(';') {
                    r.remember_words(parameters.as_bytes());
                }
                read.content_type = Some(value.to_owned());
            }
            "content-transfer-encoding" => {
                read.encoded = !["7bit", "8bit", "binary"]
                    .iter()
                    .any(|plain| plain.eq_ignore_ascii_case(value));
            }
            // Others are not written.
            _ => r.remember_words(value.as_bytes()),
        }
    }
    read
}

/// Returns the media type of a part, if it looks like one.
fn essence(r: &mut Redactor<'_>, media: &str) -> String {
    let essence = media.split(';').next().unwrap_or_default().trim();
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"/+-.".contains(&b);
    let known = essence
        .split_once('/')
        .is_some_and(|(kind, _)| PLAIN.iter().any(|plain| plain.eq_ignore_ascii_case(kind)));
    let stays = known
        && essence.len() <= 64
        && essence.bytes().all(plain)
        && !detect::is_sensitive(essence, r.policy().names());
    if stays {
        essence.to_ascii_lowercase()
    } else {
        r.hide(essence.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_boundary() {
        let put = |media| with_boundary(media, "new");
        assert_eq!(
            put("multipart/form-data; Boundary=\"a;b\"; charset=utf-8").as_deref(),
            Some("multipart/form-data; Boundary=new; charset=utf-8")
        );
        assert_eq!(
            put("multipart/form-data;boundary=[~12ab len=3]").as_deref(),
            Some("multipart/form-data;boundary=new")
        );
        assert_eq!(put("multipart/form-data; boundary=new"), None);
        assert_eq!(put("[~12ab len=40]"), None);
    }

    #[test]
    fn the_boundary_of_what_is_written() {
        assert_eq!(boundary_of("--a-b\r\nX: y\r\n\r\n--a-b--\r\n"), Some("a-b"));
        assert_eq!(boundary_of("--a--\r\n"), Some("a"));
        assert_eq!(boundary_of("--a--\r\nX: y\r\n\r\n--a----\r\n"), Some("a--"));
        assert_eq!(boundary_of("a"), None);
    }
}
