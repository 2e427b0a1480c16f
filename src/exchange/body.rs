use base64ct::{Base64, Encoding as _};
use serde::{Deserialize, Serialize};

/// One body.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Body {
    /// How far the body got.
    #[serde(flatten)]
    pub state: BodyState,
    /// The bytes of data frames that passed.
    pub seen: u64,
    /// The bytes that were captured, before redaction.
    pub kept: u64,
    /// The complete items that passed in a stream (server-sent events, lines of NDJSON,
    /// messages of gRPC and of streams of Connect). Absent if a content coding hides them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub items: Option<u64>,
    /// The length that the sender declared: the `content-length`, or else the exact size hint
    /// of the body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub declared: Option<u64>,
    /// The media type, without parameters other than `charset`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
    /// The content codings of the head by their registered names (`gzip`, also for `x-gzip`),
    /// in the order in which they were applied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_encoding: Option<String>,
    /// The redacted content; absent if nothing was captured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<Content>,
    /// The bytes as they passed, content coding included, in base64. dashcam never writes it.
    /// It is for programs that have the body from elsewhere and show it in a HAR document or a
    /// `curl` command; see [`set_raw`](Self::set_raw).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub raw: Option<String>,
}

impl Body {
    /// Creates a body in this state, of which no bytes were seen.
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

    /// Returns [`raw`](Self::raw), decoded. Returns `None` if it is absent or not base64.
    #[must_use]
    pub fn raw_bytes(&self) -> Option<Vec<u8>> {
        Base64::decode_vec(self.raw.as_deref()?).ok()
    }

    /// Sets [`raw`](Self::raw) to these bytes, unredacted, and removes
    /// [`content`](Self::content).
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
    /// The body ended, and all of it was captured.
    Complete,
    /// The body ended, and only a prefix was captured.
    Truncated,
    /// The body was not read.
    Unread,
    /// The service stopped reading before the end.
    PartlyRead,
    /// The response body was dropped before its end.
    Aborted,
    /// The body ended with an error.
    Error {
        /// The text of the error, redacted.
        message: String,
    },
    /// The body was not captured, or not written.
    Skipped {
        /// `memory_budget`, `failure_storm`, `answer_to_panic`, `rule`, `options` if the service
        /// set it so, or `panicked` if a buffer of the service's own type panicked while it was
        /// read.
        why: String,
    },
    /// There is no body, by protocol (HEAD, 1xx, 204, 304) or because none was sent.
    None,
    /// The body was still passing: this is an interim exchange.
    Open,
    /// The body is a stream by its content type (server-sent events, gRPC frames), or an
    /// upgraded connection. Its bytes were counted, and a bounded prefix was captured.
    Stream,
}

/// The redacted content of a body.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(tag = "form", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Content {
    /// The redacted text of a body in a supported format, without its content coding.
    Text {
        /// The text up to the first byte that the redactor cannot parse.
        text: String,
        /// The bytes at the end of the captured prefix that could not be parsed, or whose
        /// content coding could not be decoded. They are not written.
        #[serde(default, skip_serializing_if = "is_zero")]
        unparsed: u64,
    },
    /// A body whose content is not written.
    Opaque {
        /// The number of captured bytes.
        length: u64,
        /// The keyed hash of the captured bytes. Equal content has equal hashes under one key.
        hash: String,
        /// Why it is not written: `policy` if the policy withholds a supported format,
        /// `format` if the format is not supported, `coding` if a content coding was not
        /// decoded, `broken` if the content does not have the declared format.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        why: Option<String>,
    },
}

#[allow(clippy::trivially_copy_pass_by_ref)] // the signature that serde requires
pub(super) fn is_zero(n: &u64) -> bool {
    *n == 0
}
