use base64ct::{Base64, Encoding as _};
use serde::{Deserialize, Serialize};

/// What is known of one body.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Body {
    /// How far the body got, in one word.
    #[serde(flatten)]
    pub state: BodyState,
    /// Bytes of data frames that passed by.
    pub seen: u64,
    /// Bytes that were captured, before redaction.
    pub kept: u64,
    /// Of a stream of items (server-sent events, lines of NDJSON, messages of gRPC and of
    /// streams of Connect):
    /// those that passed by whole. Not counted where a content coding hides them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub items: Option<u64>,
    /// The length the sender announced, where it did: its `content-length`, or else what
    /// the body itself said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub declared: Option<u64>,
    /// The media type, without parameters other than `charset`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
    /// The content codings by their registered names (`gzip`, also for `x-gzip`), in the
    /// order in which they were applied, where any were named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_encoding: Option<String>,
    /// The redacted content; absent where nothing was captured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<Content>,
    /// The bytes as they passed by, content coding included, in base64. No policy
    /// writes it: it is for programs that have the body from elsewhere and may
    /// show it in a HAR document or a `curl` command. There is no `content` then.
    /// See [`set_raw`](Self::set_raw).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub raw: Option<String>,
}

impl Body {
    /// A body in this state of which nothing was seen.
    #[must_use]
    pub fn new(state: BodyState) -> Self {
        Self {
            state,
            seen: 0,
            kept: 0,
            items: None,
            declared: None,
            content_type: None,
            content_encoding: None,
            content: None,
            raw: None,
        }
    }

    /// [`raw`](Self::raw), decoded; `None` too where it is no base64.
    #[must_use]
    pub fn raw_bytes(&self) -> Option<Vec<u8>> {
        Base64::decode_vec(self.raw.as_deref()?).ok()
    }

    /// Puts these bytes, unchanged, into [`raw`](Self::raw) and takes
    /// [`content`](Self::content) out.
    pub fn set_raw(&mut self, bytes: &[u8]) {
        self.raw = Some(Base64::encode_string(bytes));
        self.content = None;
    }
}

/// How far a body got.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
#[non_exhaustive]
pub enum BodyState {
    /// It ended and all of it was captured.
    Complete,
    /// It ended, and only a prefix was captured.
    Truncated,
    /// Nobody read it.
    Unread,
    /// The service stopped reading before the end.
    PartlyRead,
    /// The response body was dropped before its end.
    Aborted,
    /// It ended with an error.
    Error {
        /// The error's text, redacted.
        message: String,
    },
    /// It was not captured, or not written.
    Skipped {
        /// Why not: `memory_budget`, `failure_storm`, `answer_to_panic`, `options`
        /// where the service said so, or `panicked` where a buffer of a type of the
        /// service's own did as it was read.
        why: String,
    },
    /// There is no body, by protocol (HEAD, 1xx, 204, 304) or because none was sent.
    None,
    /// It still passed by: an interim exchange.
    Open,
    /// A stream by its content type (server-sent events, gRPC frames), or an
    /// upgraded connection: counted, with a bounded prefix.
    Stream,
}

/// The redacted content of a body.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(tag = "form", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Content {
    /// The redacted text of a body whose format is understood, without its
    /// content coding.
    Text {
        /// The text. Where the redactor stopped understanding the input the
        /// rest is not written and `unparsed` counts it.
        text: String,
        /// Bytes at the end of the captured prefix that were not understood
        /// and so not written; of a body with a content coding, those that
        /// were not decoded besides.
        #[serde(default, skip_serializing_if = "is_zero")]
        unparsed: u64,
    },
    /// A body of which nothing is written.
    Opaque {
        /// Bytes captured.
        length: u64,
        /// Keyed hash of the captured bytes: equal content, equal hash, under one key.
        hash: String,
        /// Why not: `policy` where the format is understood and the policy withholds
        /// it, `format` where it is not understood, `coding` where a content coding
        /// was not decoded, `broken` where it is not what its head says.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        why: Option<String>,
    },
}

#[allow(clippy::trivially_copy_pass_by_ref)] // the signature serde asks for
pub(super) fn is_zero(n: &u64) -> bool {
    *n == 0
}
