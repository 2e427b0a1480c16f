//! One request with its response, and what the service logs meanwhile.

use crate::leaks::{composed::Saying, make::Make, random::Random};

/// Name, value, and whether the value is marked as sensitive.
pub(crate) type Fields = Vec<(String, Vec<u8>, bool)>;

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) enum End {
    #[default]
    Healthy,
    Failed,
    Panic,
    BodyError,
    /// The service returns an error.
    Error,
    /// The connection is upgraded to another protocol.
    Upgrade,
}

/// A body and its description in the head.
#[derive(Clone, Debug, Default)]
pub(crate) struct Content {
    pub(crate) bytes: Vec<u8>,
    /// The length of its frames.
    pub(crate) chunk: usize,
    pub(crate) trailers: Fields,
    /// Its sender disconnects.
    pub(crate) error: Option<String>,
}

/// A call that the service makes meanwhile.
#[derive(Clone, Debug, Default)]
pub(crate) struct Call {
    pub(crate) uri: String,
    pub(crate) headers: Fields,
    pub(crate) content: Content,
    pub(crate) answer_headers: Fields,
    pub(crate) answer: Content,
    /// It fails with this text.
    pub(crate) error: Option<String>,
}

/// What the service logs and returns.
#[derive(Clone, Debug, Default)]
pub(crate) struct Plan {
    /// Values that the request had.
    pub(crate) says: Vec<String>,
    /// Values that only the response has: log lines come before them.
    pub(crate) says_in_debug: Vec<String>,
    /// Values in hidden fields of events, and in their text.
    pub(crate) fields: Vec<String>,
    pub(crate) headers: Fields,
    pub(crate) content: Content,
    pub(crate) end: End,
    pub(crate) call: Option<Call>,
    /// Facts that it states.
    pub(crate) facts: Vec<(String, String)>,
    /// Values of a field whose name hides them.
    pub(crate) hidden: Vec<String>,
    /// Values in composed ways.
    pub(crate) sayings: Vec<Saying>,
    /// Parts of values that may be in no output.
    pub(crate) telling: Vec<String>,
}

#[derive(Debug, Default)]
pub(crate) struct Case {
    pub(crate) method: String,
    pub(crate) uri: String,
    pub(crate) headers: Fields,
    pub(crate) content: Content,
    pub(crate) plan: Plan,
    pub(crate) plants: usize,
    pub(crate) kinds: Vec<&'static str>,
    /// Bodies before any coding.
    pub(crate) plain: Vec<String>,
}

impl Case {
    pub(crate) fn new(random: &mut Random, lax: bool) -> Self {
        Make::new(random, lax).case()
    }

    pub(crate) fn describe(&self) -> String {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let fields = |fields: &Fields| {
            let all = fields.iter().map(|(n, v, sensitive)| {
                format!("{n}: {}{}", text(v), if *sensitive { " (!)" } else { "" })
            });
            all.collect::<Vec<_>>().join(" | ")
        };
        let content = |c: &Content| {
            format!(
                "{} ; trailers {} ; {:?}",
                text(&c.bytes),
                fields(&c.trailers),
                c.error
            )
        };
        let mut out = format!(
            "{:?} {:?}\n    plain {:?}\n    {} {} | {}\n    {}\n    answers {} | {}\n    says {:?} {:?} {:?}",
            self.kinds,
            self.plan.end,
            self.plain,
            self.method,
            self.uri,
            fields(&self.headers),
            content(&self.content),
            fields(&self.plan.headers),
            content(&self.plan.content),
            self.plan.says,
            self.plan.says_in_debug,
            self.plan.fields,
        );
        for saying in &self.plan.sayings {
            out.push_str(&format!("\n    {}", saying.describe()));
        }
        if let Some(call) = &self.plan.call {
            out.push_str(&format!(
                "\n    calls {} | {} | {}\n    gets {} | {} | {:?}",
                call.uri,
                fields(&call.headers),
                content(&call.content),
                fields(&call.answer_headers),
                content(&call.answer),
                call.error,
            ));
        }
        out
    }
}
