//! Redaction of bodies, by their media type.
//!
//! | media type | what is written |
//! |---|---|
//! | `application/json`, `+json`, GraphQL | as it is, with values replaced |
//! | `application/x-ndjson`, `jsonl`, `json-seq` | line by line |
//! | `text/event-stream` | event by event: its data as JSON, or as one value |
//! | `application/x-www-form-urlencoded` | as it is, with values replaced |
//! | `multipart/*` | fields as in forms; a placeholder for each file |
//! | `application/xml`, `+xml`, `text/xml` | as it is, with values replaced |
//! | `text/plain` | `by_name` only: without parts in which a detector matches |
//! | everything else | its length and a keyed hash |

use super::{
    Redactor, codings, form, graphql, json, lines,
    media::Media,
    multipart,
    redactor::Answer,
    text::{prefix, without_findings},
    xml,
};
use crate::exchange::Content;

impl Redactor<'_> {
    /// Redacts the captured prefix of a body. `ended` says that it is the whole body.
    pub(crate) fn body(
        &mut self,
        content_type: Option<&str>,
        content_encoding: Option<&str>,
        bytes: &[u8],
        ended: bool,
    ) -> Content {
        body(self, content_type, content_encoding, bytes, ended)
    }
}

fn body(
    r: &mut Redactor<'_>,
    content_type: Option<&str>,
    content_encoding: Option<&str>,
    bytes: &[u8],
    ended: bool,
) -> Content {
    let codings = codings::of(content_encoding.unwrap_or_default());
    if codings.is_empty() {
        return plain(r, content_type, bytes, ended);
    }
    #[cfg(feature = "compression")]
    if let Some(decoded) = super::inflate::decode(&codings, bytes) {
        let ended = ended && decoded.left == 0;
        // Almost any bytes can be decoded as something: a text counts as not compressed.
        if std::str::from_utf8(bytes).is_ok() {
            r.quietly(|r| drop(plain(r, content_type, bytes, ended)));
        }
        return match plain(r, content_type, &decoded.bytes, ended) {
            Content::Text { text, unparsed } => Content::Text {
                text,
                unparsed: unparsed + decoded.left as u64,
            },
            Content::Opaque { why, .. } => opaque(r, bytes, why.as_deref().unwrap_or(FORMAT)),
        };
    }
    // Not decoded: unless it is text after all, there are no words to remember.
    r.quietly(|r| drop(plain(r, content_type, bytes, ended)));
    opaque(r, bytes, CODING)
}

/// Why a body is opaque.
const POLICY: &str = "policy";
const FORMAT: &str = "format";
const CODING: &str = "coding";
const BROKEN: &str = "broken";

fn opaque(r: &Redactor<'_>, bytes: &[u8], why: &str) -> Content {
    Content::Opaque {
        length: bytes.len() as u64,
        hash: r.content_hash(bytes),
        why: Some(why.to_owned()),
    }
}

/// How many nested codings without a header are decoded: a body can be constructed that
/// decodes to itself.
#[cfg(feature = "compression")]
const UNNAMED: u8 = 3;

/// A body without a content coding.
fn plain(r: &mut Redactor<'_>, content_type: Option<&str>, bytes: &[u8], ended: bool) -> Content {
    inside(r, content_type, bytes, ended, 0)
}

/// Redacts a body inside this many codings without a header.
fn inside(
    r: &mut Redactor<'_>,
    content_type: Option<&str>,
    bytes: &[u8],
    ended: bool,
    unnamed: u8,
) -> Content {
    #[cfg(not(feature = "compression"))]
    let _ = unnamed;
    // Check this first: compressed bytes may begin with a piece of the text, which another
    // format could match.
    #[cfg(feature = "compression")]
    if unnamed < UNNAMED
        && let Some(coding) = super::inflate::look(bytes)
        && std::str::from_utf8(bytes).is_err()
        && let Some(decoded) = super::inflate::decode(&[coding], bytes)
    {
        // Compressed without a header that says so.
        r.quietly(|r| drop(inside(r, content_type, &decoded.bytes, false, unnamed + 1)));
        return opaque(r, bytes, CODING);
    }
    let media = content_type.and_then(Media::of);
    let why = match media {
        None => FORMAT,
        Some(Media::Text) if r.policy().is_strict() => POLICY,
        Some(_) => BROKEN,
    };
    let content = media.and_then(|media| match media {
        Media::Json => json::body(r, bytes, ended),
        Media::Lines => lines::json(r, bytes, ended),
        Media::Events => lines::events(r, bytes, ended),
        Media::Form => form::body(r, bytes, ended),
        Media::Multipart(boundary) => multipart::body(r, &boundary, bytes),
        Media::Xml => xml::body(r, bytes, ended),
        // Brackets in a document may hold anything, so JSON would match, too.
        Media::GraphQl if json::is_object(bytes) => json::body(r, bytes, ended),
        Media::GraphQl => graphql::body(r, bytes, ended),
        Media::Text if r.is_answering(Answer::Http) && bytes.len() <= OWN_WORDS => {
            own_words(r, bytes, ended)
        }
        Media::Text => text(r, bytes, ended),
    });
    // Data in an unknown format is not written, nor are its words in texts of the service
    // that repeat them.
    let unknown = match &content {
        None => bytes.len(),
        Some(Content::Text { unparsed, .. }) => usize::try_from(*unparsed).unwrap_or(0),
        Some(_) => 0,
    };
    let tail = bytes.len().saturating_sub(unknown);
    let mut rest = bytes.get(tail..).unwrap_or_default();
    if rest.contains(&0) {
        // The first byte of a wide character may have been read as a character.
        rest = bytes;
    }
    if content.is_none() && matches!(rest.trim_ascii_start().first(), Some(b'{' | b'[')) {
        // Most likely JSON, whatever the content type is.
        r.quietly(|r| drop(json::body(r, rest, ended)));
    }
    r.remember_words(rest);
    content.unwrap_or_else(|| opaque(r, bytes, why))
}

/// The longest text that counts as the service's own message, in bytes.
const OWN_WORDS: usize = 4096;

/// Redacts a text in which the service reports a failure.
fn own_words(r: &mut Redactor<'_>, bytes: &[u8], ended: bool) -> Option<Content> {
    let known = prefix(bytes, ended)?;
    // Formats have values, and their visible parts may repeat what is hidden elsewhere.
    let content = match known.trim_start().bytes().next() {
        Some(b'{' | b'[') => json::body(r, bytes, ended)?,
        Some(b'<') => xml::body(r, bytes, ended)?,
        _ => {
            return Some(Content::Text {
                text: r.own_words(known, !ended),
                unparsed: (bytes.len() - known.len()) as u64,
            });
        }
    };
    match content {
        Content::Text { text, unparsed } => Some(Content::Text {
            text: r.own_words(&text, false),
            unparsed,
        }),
        other => Some(other),
    }
}

/// Redacts text of an unknown kind, under the policy that writes it.
fn text(r: &mut Redactor<'_>, bytes: &[u8], ended: bool) -> Option<Content> {
    if r.policy().is_strict() {
        return None;
    }
    // A prefix may end inside of a character.
    let known = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(e) if e.error_len().is_none() => {
            std::str::from_utf8(bytes.get(..e.valid_up_to())?).ok()?
        }
        Err(_) => return None,
    };
    // Formats that reveal more than detectors can find.
    match known.trim_start().bytes().next() {
        Some(b'{' | b'[') => return json::body(r, bytes, ended),
        Some(b'<') => return xml::body(r, bytes, ended),
        _ => {}
    }
    let known = if ended { known } else { settled(known) };
    Some(Content::Text {
        text: without_findings(r, known),
        unparsed: (bytes.len() - known.len()) as u64,
    })
}

/// Returns a prefix without its last words: they may be the cut start of what a detector
/// would match.
fn settled(text: &str) -> &str {
    const LAST: usize = 64;
    let line = text.rfind('\n').map_or(0, |at| at + 1);
    let mut word = text.len().saturating_sub(LAST);
    while !text.is_char_boundary(word) {
        word -= 1;
    }
    let before = text.get(..word).unwrap_or_default();
    let word = before.rfind(char::is_whitespace).map_or(0, |at| at + 1);
    text.get(..line.max(word)).unwrap_or_default()
}
