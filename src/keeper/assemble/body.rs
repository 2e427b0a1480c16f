//! Builds the bodies of an exchange.

use crate::{
    exchange::{Body, BodyState, Content, Depth, Missing, Outcome},
    keeper::Kept,
    recorder::{BodySnapshot, Ending, HeaderFields, PANICKED, Said},
    redact::{Redactor, boundary_of, codings, shows_boundary, with_boundary},
};
use http::{Method, StatusCode};

#[derive(Clone, Copy)]
pub(super) enum Side<'a> {
    Request,
    Response { status: StatusCode, to: &'a Method },
}

pub(super) fn body(
    redactor: &mut Redactor<'_>,
    tee: &BodySnapshot,
    head: &HeaderFields,
    side: Side<'_>,
    kept: &Kept,
) -> Body {
    let content_type = head.single("content-type");
    let state = match (&side, &tee.ending) {
        (Side::Response { status, .. }, _) if *status == StatusCode::SWITCHING_PROTOCOLS => {
            BodyState::Stream
        }
        (Side::Response { status, to }, _)
            if *to == Method::HEAD
                || status.is_informational()
                || matches!(status.as_u16(), 204 | 304) =>
        {
            BodyState::None
        }
        (_, Some(Ending::Error(_))) => BodyState::Error {
            message: String::new(),
        },
        _ if is_stream(content_type) => BodyState::Stream,
        (_, Some(Ending::Complete)) => {
            if tee.out_of_memory && tee.kept == 0 {
                BodyState::Skipped {
                    why: "memory_budget".to_owned(),
                }
            } else if tee.kept == tee.seen {
                if tee.seen == 0 && !tee.polled && head.text("content-length").is_none() {
                    BodyState::None
                } else {
                    BodyState::Complete
                }
            } else {
                BodyState::Truncated
            }
        }
        (_, None) if kept.ended.outcome == Outcome::Open && tee.polled => BodyState::Open,
        (Side::Request, _) if !tee.polled => BodyState::Unread,
        (Side::Request, _) => BodyState::PartlyRead,
        (Side::Response { .. }, _) => BodyState::Aborted,
    };
    let mut body = Body::new(state);
    body.seen = tee.seen;
    body.kept = tee.kept;
    body.items = tee.items;
    body.declared = tee.declared;
    // Clients choose it, so the policy applies as to the header itself.
    let shown = content_type.map(|value| {
        let sensitive = head.is_sensitive("content-type");
        redactor.header("content-type", value.as_bytes(), sensitive)
    });
    let both = shown.as_deref().zip(content_type);
    redactor.keep_boundary(both.is_some_and(|(shown, media)| shows_boundary(shown, media)));
    body.content_type = shown.as_deref().map(media_type);
    let content_encoding = head.list("content-encoding");
    let content_encoding = content_encoding.as_deref();
    body.content_encoding = content_encoding.map(coding);
    if tee.kept > 0 {
        let ended = body.state == BodyState::Complete;
        // Always, so that the redactor learns the values to hide elsewhere.
        let content = redactor.body(content_type, content_encoding, &tee.prefix, ended);
        let unwanted = match kept.depth {
            Depth::Heads => Some("failure_storm"),
            Depth::Full => kept.bodiless.then_some("rule"),
        };
        match unwanted.or(tee.skipped) {
            None => body.content = Some(content),
            Some(why) => {
                body.kept = 0;
                body.state = BodyState::Skipped {
                    why: why.to_owned(),
                };
            }
        }
    } else if let Some(why) = tee.skipped
        && !matches!(body.state, BodyState::Error { .. })
        // If a buffer panicked, not even its length is known.
        && (why == PANICKED || tee.seen > 0 && body.state != BodyState::None)
    {
        body.state = BodyState::Skipped {
            why: why.to_owned(),
        };
    }
    body
}

/// Sets the boundary in the head to the one with which the body is written.
pub(super) fn fit(headers: &mut [(String, String)], body: &Body) {
    let media = body.content_type.as_deref().unwrap_or_default();
    if !media.starts_with("multipart/") {
        return;
    }
    let Some(Content::Text { text, .. }) = &body.content else {
        return;
    };
    let Some(boundary) = boundary_of(text) else {
        return;
    };
    for (name, value) in headers {
        if name == "content-type"
            && let Some(fitting) = with_boundary(value, boundary)
        {
            *value = fitting;
        }
    }
}

pub(in crate::keeper) fn is_stream(content_type: Option<&str>) -> bool {
    content_type.is_some_and(|value| {
        let value = value.trim_start();
        [
            "text/event-stream",
            "application/grpc",
            "application/connect+",
        ]
        .iter()
        .any(|stream| {
            value
                .get(..stream.len())
                .is_some_and(|start| start.eq_ignore_ascii_case(stream))
        })
    })
}

/// The content codings by their registered names.
fn coding(list: &str) -> String {
    let codings = codings::of(list);
    if codings.is_empty() {
        return "identity".to_owned();
    }
    codings.join(", ")
}

/// Returns the media type with no parameter other than `charset`: others are free text.
fn media_type(value: &str) -> String {
    let mut parts = value.split(';').map(str::trim);
    let mut kept = parts.next().unwrap_or_default().to_ascii_lowercase();
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"/+-._*=".contains(&b);
    for part in parts {
        if part.len() <= 32
            && part
                .get(..8)
                .is_some_and(|name| name.eq_ignore_ascii_case("charset="))
        {
            kept.push_str("; ");
            kept.push_str(part);
        }
    }
    kept.retain(|c| c.is_ascii() && (plain(c as u8) || c == ';' || c == ' '));
    kept.truncate(128);
    kept
}

pub(super) fn ending_text(tee: &BodySnapshot) -> Option<Said> {
    match &tee.ending {
        Some(Ending::Error(text)) => Some(text.clone()),
        _ => None,
    }
}

pub(super) fn set_error(body: &mut Body, text: Option<String>) {
    if let (BodyState::Error { message }, Some(text)) = (&mut body.state, text) {
        *message = text;
    }
}

pub(super) fn note_memory(missing: &mut Vec<Missing>, what: &str, tee: &BodySnapshot) {
    if tee.out_of_memory {
        missing.push(Missing {
            what: what.to_owned(),
            why: "memory_budget".to_owned(),
        });
    }
}
