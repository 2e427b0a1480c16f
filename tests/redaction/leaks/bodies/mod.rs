//! Bodies: a format, damage on the way, and the description in the head.

mod broken;
mod codings;
mod forms;
mod graphql;
mod json;
mod json_values;
mod markup;
mod multipart;
mod streams;
mod text;

use crate::leaks::{case::Content, encode::gzip, make::Make, service::BODY};

/// The damage between a body's format and the layer.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Way {
    Whole,
    /// Longer than what is captured.
    Long,
    /// It ends anywhere, with or without an error.
    Cut,
    /// Some of its bytes are changed.
    Broken,
    Compressed,
    /// Without a content type.
    Unsaid,
    /// With a content type that does not fit.
    Mislabelled,
    /// The head names a compression, and there is none.
    NotCompressed,
    /// Between its values.
    InvalidUtf8,
    Wide,
}

impl Way {
    /// A value that was not captured, not decoded or not complete cannot be recognised if the
    /// service logs all of it.
    fn is_quiet(self) -> bool {
        matches!(
            self,
            Self::Long | Self::Cut | Self::Broken | Self::Mislabelled
        )
    }

    /// Whether names and values arrive unchanged.
    fn is_settled(self) -> bool {
        !matches!(self, Self::Broken | Self::InvalidUtf8 | Self::Wide)
    }
}

impl Make<'_> {
    fn way(&mut self) -> Way {
        match self.random.below(24) {
            0 | 1 => Way::Long,
            2..=4 => Way::Cut,
            // A damaged name gives no hint any more.
            5 | 6 if !self.lax => Way::Broken,
            7..=9 => Way::Compressed,
            10 | 11 => Way::Unsaid,
            12 => Way::Mislabelled,
            13 => Way::NotCompressed,
            14 | 15 if !self.lax => Way::InvalidUtf8,
            16 if !self.lax => Way::Wide,
            _ => Way::Whole,
        }
    }

    /// A body with its type and its coding; one in `trailers` has trailers.
    pub(crate) fn body(&mut self, trailers: usize) -> (String, Option<&'static str>, Content) {
        let (quiet, settled) = (self.quiet, self.settled);
        // Decided beforehand, because the texts depend on it.
        let way = self.way();
        self.quiet |= way.is_quiet();
        self.settled = way.is_settled();
        let plan = &self.case.plan;
        let said = (plan.says.len(), plan.says_in_debug.len());
        let (kind, mut bytes) = self.format();
        let longest = if way == Way::Wide { BODY / 2 } else { BODY };
        // Codings that fail to compress make it a little longer.
        if bytes.len() + 64 > longest {
            // Values beyond the limit cannot be recognised.
            self.case.plan.says.truncate(said.0);
            self.case.plan.says_in_debug.truncate(said.1);
        }
        let plain = String::from_utf8_lossy(&bytes).into_owned();
        self.case.plain.push(plain);
        let mut content = Content::default();
        let mut coding = None;
        match way {
            Way::Whole => {}
            Way::Long => {
                self.kind("cut by the limit");
                bytes = self.padded(&bytes);
            }
            Way::Cut => {
                self.kind("cut");
                bytes.truncate(self.random.below(bytes.len() + 1));
                // By name, a detector does not recognise half of a value, unless it knows that the
                // value was cut.
                if self.lax || self.random.one_in(2) {
                    content.error = Some("went away".to_owned());
                }
                if self.random.one_in(3) {
                    (coding, bytes) = self.compressed(&bytes);
                    bytes.truncate(self.random.below(bytes.len() + 1));
                }
            }
            Way::Broken => {
                self.kind("broken");
                self.break_bytes(&mut bytes);
            }
            Way::Compressed => {
                self.kind("compressed");
                (coding, bytes) = self.compressed(&bytes);
            }
            Way::Unsaid => {
                self.kind("compressed, unsaid");
                bytes = self.unsaid(&bytes);
            }
            Way::Mislabelled => {
                self.kind("wrong coding");
                let codings = ["compress", "br, gzip", "zstd", "x-unknown", "br", "deflate"];
                coding = Some(*self.random.of(&codings));
                bytes = gzip(&bytes);
            }
            Way::NotCompressed => {
                self.kind("not compressed");
                coding = Some(*self.random.of(&["gzip", "br", "deflate", "zstd", "x-own"]));
            }
            Way::InvalidUtf8 => {
                self.kind("invalid UTF-8");
                bytes = self.invalid(bytes);
            }
            Way::Wide => {
                self.kind("in wide characters");
                bytes = self.wide(&bytes);
            }
        }
        content.bytes = bytes;
        content.chunk = 1 + self.random.below(200);
        if trailers > 0 && content.error.is_none() && self.random.one_in(trailers) {
            self.kind("trailers");
            self.quiet = quiet;
            self.settled = settled;
            content.trailers.extend(self.header(true));
        }
        (self.quiet, self.settled) = (quiet, settled);
        (kind, coding, content)
    }

    /// A body by its format, before any coding.
    fn format(&mut self) -> (String, Vec<u8>) {
        match self.random.below(20) {
            0..=4 => {
                self.kind("json");
                let kinds = [
                    "application/json",
                    "application/problem+json; charset=utf-8",
                    "text/json",
                    "Application/JSON;v=1",
                ];
                let kind = (*self.random.of(&kinds)).to_owned();
                (kind, self.json_body().into_bytes())
            }
            5 => self.form(),
            6..=8 => self.multipart(),
            9 => self.json_lines(),
            10 | 11 => self.events(),
            12 => self.xml(),
            // Under another key it is a value as a whole.
            13 if self.settled => self.graphql(),
            14 | 15 => self.wrong_type(),
            16 => self.text(),
            17 => self.grpc(),
            18 => self.odd_json(),
            _ => self.malformed_json(),
        }
    }

    fn wrong_type(&mut self) -> (String, Vec<u8>) {
        self.kind("wrong type");
        let kinds = [
            "application/octet-stream",
            "image/png",
            "text/html",
            "application/x-protobuf",
            "application/grpc",
            "multipart/form-data; boundary=x",
            "text/plain",
            "application/x-www-form-urlencoded",
            "application/xml",
            "text/event-stream",
            "application/x-ndjson",
            "application/graphql",
            "nonsense",
            "",
            "application/json; charset=utf-16",
        ];
        let kind = match *self.random.of(&kinds) {
            "text/plain" if self.speaks() => "text/html",
            kind => kind,
        };
        (kind.to_owned(), self.json(1).into_bytes())
    }

    /// The limit of what is captured is somewhere in the body.
    fn padded(&mut self, body: &[u8]) -> Vec<u8> {
        let from = BODY.saturating_sub(self.random.below(body.len() + 2));
        let pad = "x".repeat(from);
        match body.first() {
            Some(b'{') => [format!("{{\"pad\":\"{pad}\",").as_bytes(), &body[1..]].concat(),
            Some(b'<') => [format!("<p>{pad}").as_bytes(), body].concat(),
            Some(b'[') => [format!("[\"{pad}\",").as_bytes(), &body[1..]].concat(),
            Some(b'-') => [format!("{pad}\r\n").as_bytes(), body].concat(),
            _ => [format!("pad={pad}&").as_bytes(), body].concat(),
        }
    }
}
