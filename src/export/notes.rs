//! The comments that an export in another format has about missing parts.

use crate::exchange::{Body, BodyState, Content};

/// The comments about a body; none if all of it is there.
pub(super) fn of_body(body: &Body) -> Vec<String> {
    let mut notes = Vec::new();
    let Body { seen, kept, .. } = body;
    match &body.state {
        BodyState::Complete | BodyState::None => {}
        BodyState::Truncated => {
            notes.push(format!(
                "cut: the first {kept} of {seen} bytes are recorded"
            ));
        }
        BodyState::Unread => notes.push("the service did not read it".to_owned()),
        BodyState::PartlyRead => {
            notes.push(format!("the service stopped reading after {seen} bytes"));
        }
        BodyState::Aborted => notes.push(format!("dropped before its end, after {seen} bytes")),
        BodyState::Error { message } => {
            notes.push(format!("ended with an error after {seen} bytes: {message}"));
        }
        BodyState::Skipped { why } => notes.push(format!("not recorded: {why}")),
        BodyState::Open => notes.push(format!(
            "still passing when this was written: {kept} of {seen} bytes are recorded"
        )),
        BodyState::Stream => {
            notes.push(format!("a stream: {kept} of {seen} bytes are recorded"));
        }
    }
    match &body.content {
        Some(Content::Opaque { length, hash, why }) => {
            let why = withheld(why.as_deref());
            notes.push(format!("not written: {length} bytes {why}, hash {hash}"));
        }
        Some(Content::Text { unparsed, .. }) if *unparsed > 0 => notes.push(format!(
            "the last {unparsed} recorded bytes are not written: they could not be parsed"
        )),
        _ => {}
    }
    notes
}

/// Fields of the head that describe the bytes of the body, whatever its coding.
const OF_THE_BYTES: [&str; 5] = [
    "content-digest",
    "content-md5",
    "content-range",
    "digest",
    "repr-digest",
];

/// Fields of a head, other than length and coding, that do not describe these bytes of the
/// body.
pub(super) fn untrue_of(body: &Body, written: Option<&[u8]>) -> &'static [&'static str] {
    let bytes = written.unwrap_or_default();
    let whole = matches!(body.state, BodyState::Complete | BodyState::None);
    let same = match &body.content {
        _ if body.raw.is_some() => true,
        Some(Content::Text { text, .. }) => !is_coded(body) && !is_redacted(text),
        _ => bytes.is_empty(),
    };
    if whole && same && bytes.len() as u64 == body.seen {
        &[]
    } else {
        &OF_THE_BYTES
    }
}

/// Whether the body had a content coding.
pub(super) fn is_coded(body: &Body) -> bool {
    let coding = body.content_encoding.as_deref();
    coding.is_some_and(|coding| coding != "identity")
}

/// Why the content of a body is not written.
fn withheld(why: Option<&str>) -> &'static str {
    match why {
        Some("policy") => "withheld by the policy",
        Some("coding") => "in a content coding that was not decoded",
        Some("broken") => "that do not match their media type",
        _ => "of an unknown format",
    }
}

/// Whether the text has a placeholder of the redactor, percent-encoded or not.
pub(super) fn is_redacted(text: &str) -> bool {
    text.contains("[~") || text.contains("%5B~") || text.contains("%5b~")
}
