//! Finds the end of a call whose protocol puts it into the last frame of the body. It reads the
//! passing body, independent of chunks and of how much is captured.
//!
//! - gRPC-Web: a frame with the flag 0x80, which holds trailers in the form of HTTP/1.1; with
//!   `-text` the body is base64, in pieces that may be padded.
//! - Connect: a frame with the flag 0x02, which holds a JSON object that may have an `error`.

use super::{
    begins, grpc_status,
    heads::{one_status, worse},
};
use http::{HeaderMap, HeaderName, HeaderValue};
use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, MapAccess, Visitor},
};
use serde_json::Value;
use std::{borrow::Cow, fmt};

/// The most bytes of an end that are held: for its fields, for one line, for its JSON.
const MOST: usize = 8 * 1024;

/// The overhead of a field, in bytes.
const FIELD: usize = 64;

/// How many bytes of base64 are decoded at once.
const PART: usize = 512;

const STATUS: HeaderName = HeaderName::from_static("grpc-status");

/// The codes of Connect. The index of each is the gRPC status.
const CODES: [&str; 17] = [
    "",
    "canceled",
    "unknown",
    "invalid_argument",
    "deadline_exceeded",
    "not_found",
    "already_exists",
    "permission_denied",
    "resource_exhausted",
    "failed_precondition",
    "aborted",
    "out_of_range",
    "unimplemented",
    "internal",
    "unavailable",
    "data_loss",
    "unauthenticated",
];

/// UNKNOWN, for an error without one of these codes.
const UNKNOWN: u16 = 2;

/// A protocol whose messages each have a head of five bytes, and whose end is such a message.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Envelope {
    GrpcWeb,
    GrpcWebText,
    Connect,
}

impl Envelope {
    pub(crate) fn of(content_type: Option<&[u8]>) -> Option<Self> {
        let value = content_type?.trim_ascii_start();
        // Most other types differ in this letter already.
        if !matches!(value.get(12)?.to_ascii_lowercase(), b'g' | b'c') {
            return None;
        }
        let known = |name: &[u8]| begins(value, name);
        if known(b"application/grpc-web-text") {
            Some(Self::GrpcWebText)
        } else if known(b"application/grpc-web") {
            Some(Self::GrpcWeb)
        } else if known(b"application/connect+") {
            Some(Self::Connect)
        } else {
            None
        }
    }

    fn end_flag(self) -> u8 {
        match self {
            Self::GrpcWeb | Self::GrpcWebText => 0x80,
            Self::Connect => 0x02,
        }
    }
}

/// The content of the end of a call.
#[derive(Debug, Default)]
pub(crate) struct CallEnd {
    /// For gRPC-Web its trailers, for Connect `grpc-status` with the number of its code.
    pub(crate) fields: HeaderMap,
    /// How many fields were too long.
    pub(crate) dropped: u32,
}

impl CallEnd {
    /// Adds a status. Of several it keeps the one that counts.
    fn add_status(&mut self, value: HeaderValue) {
        let status = one_status(value.as_bytes());
        let before = grpc_status(&self.fields);
        if before.is_some() {
            self.dropped += 1;
        }
        if before.is_none_or(|before| worse(before, status) != before) {
            self.fields.insert(STATUS, value);
        }
    }
}

/// Reads the end from one body.
#[derive(Debug)]
pub(crate) struct EndFrame {
    envelope: Envelope,
    base64: Base64,
    head: [u8; 5],
    in_head: u8,
    /// How many bytes of the message are still to come.
    left: u64,
    in_end: bool,
    /// The line or the JSON so far.
    held: Vec<u8>,
    /// Whether it is longer than the held bytes.
    over: bool,
    /// The bytes that the fields take.
    bytes: usize,
    /// Whether there was a message before the end.
    answered: bool,
    end: Option<CallEnd>,
    unread: Option<&'static str>,
}

impl EndFrame {
    pub(crate) fn new(envelope: Envelope) -> Self {
        Self {
            envelope,
            base64: Base64::default(),
            head: [0; 5],
            in_head: 0,
            left: 0,
            in_end: false,
            held: Vec::new(),
            over: false,
            bytes: 0,
            answered: false,
            end: None,
            unread: None,
        }
    }

    /// Returns why the end cannot be read, if it cannot.
    pub(crate) fn unread(&self) -> Option<&'static str> {
        self.unread
    }

    /// Stops reading: the passing bytes cannot be seen.
    pub(crate) fn give_up(&mut self, why: &'static str) {
        self.unread = Some(why);
    }

    /// Returns whether there was a message before the end.
    pub(crate) fn answered(&self) -> bool {
        self.answered
    }

    pub(crate) fn envelope(&self) -> Envelope {
        self.envelope
    }

    /// Takes the end that was found.
    pub(crate) fn take_end(&mut self) -> Option<CallEnd> {
        self.end.take()
    }

    /// Returns the end as found so far.
    pub(crate) fn end(&self) -> Option<&CallEnd> {
        self.end.as_ref()
    }

    pub(crate) fn feed(&mut self, bytes: &[u8]) {
        if self.envelope != Envelope::GrpcWebText {
            return self.plain(bytes);
        }
        let mut decoded = [0; PART];
        for part in bytes.chunks(PART) {
            let length = self.base64.decode(part, &mut decoded);
            self.plain(decoded.get(..length).unwrap_or_default());
        }
    }

    fn plain(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() && self.unread.is_none() {
            let taken = if self.left > 0 {
                self.message(bytes)
            } else {
                self.head(bytes)
            };
            bytes = bytes.get(taken..).unwrap_or_default();
        }
    }

    fn head(&mut self, bytes: &[u8]) -> usize {
        let from = usize::from(self.in_head);
        let taken = (self.head.len() - from).min(bytes.len());
        for (to, byte) in self.head.iter_mut().skip(from).zip(bytes) {
            *to = *byte;
        }
        self.in_head += u8::try_from(taken).unwrap_or(5);
        if usize::from(self.in_head) < self.head.len() {
            return taken;
        }
        self.in_head = 0;
        let [flags, length @ ..] = self.head;
        self.left = u32::from_be_bytes(length).into();
        self.in_end = flags & self.envelope.end_flag() != 0;
        self.answered |= !self.in_end;
        if self.in_end {
            if flags & 1 != 0 && self.left > 0 {
                self.unread = Some("coding");
                return taken;
            }
            self.forget();
            if self.left == 0 {
                self.end_of_frame();
            }
        }
        taken
    }

    fn message(&mut self, bytes: &[u8]) -> usize {
        let taken = usize::try_from(self.left)
            .unwrap_or(usize::MAX)
            .min(bytes.len());
        self.left -= taken as u64;
        if self.in_end {
            let bytes = bytes.get(..taken).unwrap_or_default();
            match self.envelope {
                Envelope::Connect => self.hold(bytes),
                Envelope::GrpcWeb | Envelope::GrpcWebText => self.lines(bytes),
            }
            if self.left == 0 {
                self.end_of_frame();
            }
        }
        taken
    }

    fn hold(&mut self, bytes: &[u8]) {
        if self.over || self.held.len() + bytes.len() > MOST {
            self.over = true;
            self.held.clear();
        } else {
            self.held.extend_from_slice(bytes);
        }
    }

    fn forget(&mut self) {
        self.held.clear();
        self.over = false;
    }

    fn lines(&mut self, bytes: &[u8]) {
        for piece in bytes.split_inclusive(|b| *b == b'\n') {
            self.hold(piece);
            if piece.ends_with(b"\n") {
                self.line();
            }
        }
    }

    fn line(&mut self) {
        let end = self.end.get_or_insert_default();
        let line = self.held.trim_ascii();
        let field = line.iter().position(|b| *b == b':').and_then(|colon| {
            let (name, value) = line.split_at_checked(colon)?;
            let name = HeaderName::from_bytes(name.trim_ascii()).ok()?;
            let value = value.get(1..)?.trim_ascii();
            Some((name, HeaderValue::from_bytes(value).ok()?))
        });
        match field {
            // The status is always kept, even if other fields fill the room.
            Some((name, value)) if name == STATUS => end.add_status(value),
            Some((name, value)) if self.bytes + line.len() + FIELD <= MOST => {
                self.bytes += line.len() + FIELD;
                if end.fields.try_append(name, value).is_err() {
                    end.dropped += 1;
                }
            }
            Some(_) => end.dropped += 1,
            None if self.over => end.dropped += 1,
            None => {}
        }
        self.forget();
    }

    fn end_of_frame(&mut self) {
        if self.envelope != Envelope::Connect {
            // The last line needs no terminator.
            return self.line();
        }
        if self.over {
            self.unread = Some("limit");
            return;
        }
        let status = if self.held.is_empty() {
            Some(0)
        } else {
            connect_status(&self.held)
        };
        match status {
            Some(status) => {
                let end = self.end.get_or_insert_default();
                end.add_status(status.into());
            }
            None => self.unread = Some("format"),
        }
        self.forget();
    }
}

/// Returns the gRPC status of the end of a Connect stream.
fn connect_status(json: &[u8]) -> Option<u16> {
    let error = serde_json::from_slice::<End>(json).ok()?.0;
    let Some(error) = error else {
        return Some(0);
    };
    let code = error.get("code").and_then(Value::as_str);
    let found = CODES.iter().skip(1).position(|known| Some(*known) == code);
    Some(found.map_or(UNKNOWN, |at| u16::try_from(at + 1).unwrap_or(UNKNOWN)))
}

/// The `error` of an end, of any type, unless it is null.
struct End(Option<Value>);

impl<'de> Deserialize<'de> for End {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields;

        impl<'de> Visitor<'de> for Fields {
            type Value = End;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<End, A::Error> {
                let mut error = None;
                while let Some(name) = map.next_key::<Cow<'de, str>>()? {
                    if name == "error" {
                        error = map.next_value::<Option<Value>>()?.or(error);
                    } else {
                        map.next_value::<IgnoredAny>()?;
                    }
                }
                Ok(End(error))
            }
        }

        deserializer.deserialize_map(Fields)
    }
}

/// Decodes base64 in pieces, each padded or not. It keeps the bits left over from a piece.
#[derive(Debug, Default)]
struct Base64 {
    bits: u16,
    count: u8,
}

impl Base64 {
    fn decode(&mut self, text: &[u8], out: &mut [u8; PART]) -> usize {
        let mut length = 0;
        for byte in text {
            let value = match byte {
                b'A'..=b'Z' => byte - b'A',
                b'a'..=b'z' => byte - b'a' + 26,
                b'0'..=b'9' => byte - b'0' + 52,
                b'+' | b'-' => 62,
                b'/' | b'_' => 63,
                b'=' => {
                    *self = Self::default();
                    continue;
                }
                _ => continue,
            };
            self.bits = self.bits << 6 | u16::from(value);
            self.count += 6;
            if self.count >= 8 {
                self.count -= 8;
                let [_, byte] = (self.bits >> self.count).to_be_bytes();
                self.bits &= (1 << self.count) - 1;
                if let Some(to) = out.get_mut(length) {
                    *to = byte;
                    length += 1;
                }
            }
        }
        length
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64ct::{Base64 as Plain, Base64Unpadded, Encoding as _};
    use proptest::prelude::*;

    fn frame(flags: u8, content: &[u8]) -> Vec<u8> {
        let length = u32::try_from(content.len()).unwrap();
        let mut frame = vec![flags];
        frame.extend_from_slice(&length.to_be_bytes());
        frame.extend_from_slice(content);
        frame
    }

    fn read(envelope: Envelope, bytes: &[u8], sizes: &[usize]) -> EndFrame {
        let mut reader = EndFrame::new(envelope);
        let (mut rest, mut sizes) = (bytes, sizes.iter().cycle());
        while !rest.is_empty() {
            let size = sizes.next().copied().unwrap_or(1).min(rest.len());
            let (now, then) = rest.split_at(size);
            reader.feed(now);
            rest = then;
        }
        reader
    }

    fn status(reader: &EndFrame) -> Option<&str> {
        reader.end()?.fields.get(STATUS)?.to_str().ok()
    }

    proptest! {
        #[test]
        fn the_status_is_found_wherever_the_body_is_cut(
            sizes in prop::collection::vec(1_usize..40, 1..9),
            messages in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 0..4),
            code in 0_u16..17,
            padded in prop::collection::vec(1_usize..50, 1..5),
        ) {
            let mut body: Vec<u8> = messages.iter().flat_map(|m| frame(0, m)).collect();
            let mut connect = body.clone();
            let end = format!("grpc-message: a%20b\r\nGrpc-Status:{code}\r\n");
            body.extend(frame(0x80, end.as_bytes()));
            let code = code.to_string();
            let web = read(Envelope::GrpcWeb, &body, &sizes);
            prop_assert_eq!(status(&web), Some(&*code));
            prop_assert_eq!(&web.end().unwrap().fields["grpc-message"], "a%20b");

            // Each piece of the body may be a text of its own.
            let (mut text, mut rest, mut lengths) = (String::new(), &body[..], padded.iter().cycle());
            while !rest.is_empty() {
                let (now, then) = rest.split_at((*lengths.next().unwrap()).min(rest.len()));
                text.push_str(&Plain::encode_string(now));
                rest = then;
            }
            for text in [text, Base64Unpadded::encode_string(&body)] {
                let web = read(Envelope::GrpcWebText, text.as_bytes(), &sizes);
                prop_assert_eq!(status(&web), Some(&*code));
            }

            let name = CODES[code.parse::<usize>().unwrap()];
            let end = match name {
                "" => "{\"metadata\":{\"a\":[\"b\"]}}".to_owned(),
                name => format!("{{\"error\":{{\"message\":\"no\",\"code\":\"{name}\"}}}}"),
            };
            connect.extend(frame(0x02, end.as_bytes()));
            let connect = read(Envelope::Connect, &connect, &sizes);
            prop_assert_eq!(status(&connect), Some(&*code));
        }

        #[test]
        fn whatever_comes_little_is_held(
            parts in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..3000), 0..20),
            flags in any::<u8>(),
        ) {
            for envelope in [Envelope::GrpcWeb, Envelope::GrpcWebText, Envelope::Connect] {
                let mut reader = EndFrame::new(envelope);
                reader.feed(&[flags, 0, 0xff, 0xff, 0xff]);
                for part in &parts {
                    reader.feed(part);
                    prop_assert!(reader.held.len() <= MOST && reader.bytes <= MOST);
                }
            }
        }
    }

    #[test]
    fn what_is_long_hides_no_status() {
        let long = "a".repeat(MOST);
        let end = format!("x: {long}\r\ny: {long}\r\ngrpc-status: 13\r\nz: 1");
        let reader = read(Envelope::GrpcWeb, &frame(0x80, end.as_bytes()), &[1000]);
        assert_eq!(status(&reader), Some("13"));
        let end = reader.end().unwrap();
        assert_eq!((end.dropped, end.fields.len()), (2, 2));
        let many = "a:b\n".repeat(2000) + "grpc-status:13\n";
        let reader = read(Envelope::GrpcWeb, &frame(0x80, many.as_bytes()), &[1000]);
        assert_eq!(status(&reader), Some("13"));
        assert!(reader.end().unwrap().fields.len() < 130);
    }

    #[test]
    fn a_part_of_an_end_is_none() {
        let whole = frame(0x80, b"grpc-status:13");
        assert_eq!(status(&read(Envelope::GrpcWeb, &whole, &[3])), Some("13"));
        let cut = &whole[..whole.len() - 1];
        assert_eq!(status(&read(Envelope::GrpcWeb, cut, &[3])), None);
        let json = frame(0x02, b"{\"error\":{\"code\":\"internal\"}}");
        let cut = &json[..json.len() - 1];
        assert_eq!(status(&read(Envelope::Connect, cut, &[3])), None);
    }

    #[test]
    fn what_cannot_be_read_says_so() {
        let unread = |envelope, bytes: &[u8]| read(envelope, bytes, &[7]).unread();
        let packed = frame(0x81, b"\x1f\x8b");
        assert_eq!(unread(Envelope::GrpcWeb, &packed), Some("coding"));
        let long = format!("{{\"a\":\"{}\"}}", "b".repeat(MOST));
        let long = frame(0x02, long.as_bytes());
        assert_eq!(unread(Envelope::Connect, &long), Some("limit"));
        assert_eq!(unread(Envelope::Connect, &frame(2, b"{")), Some("format"));
        assert_eq!(unread(Envelope::Connect, &frame(2, b"{}")), None);
    }

    #[test]
    fn errors_without_a_known_code_are_unknown() {
        assert_eq!(connect_status(b"{\"error\":{}}"), Some(2));
        assert_eq!(connect_status(b"{\"error\":{\"code\":\"odd\"}}"), Some(2));
        assert_eq!(connect_status(b"{\"error\":null}"), Some(0));
        for error in [
            r#"{"error":{"code":13}}"#,
            r#"{"error":"x"}"#,
            r#"{"error":{"code":1,"code":"odd"}}"#,
            r#"{"error":{},"error":null}"#,
            r#"{"error":[]}"#,
        ] {
            assert_eq!(connect_status(error.as_bytes()), Some(2), "{error}");
        }
        assert_eq!(connect_status(b"[]"), None);
    }

    #[test]
    fn known_by_their_type() {
        let of = |name: &str| Envelope::of(Some(name.as_bytes()));
        assert_eq!(of("application/grpc-web+proto"), Some(Envelope::GrpcWeb));
        assert_eq!(of("Application/gRPC-Web"), Some(Envelope::GrpcWeb));
        let text = of(" application/grpc-web-text+proto");
        assert_eq!(text, Some(Envelope::GrpcWebText));
        assert_eq!(of("application/connect+json"), Some(Envelope::Connect));
        for other in ["application/grpc", "application/json", "text/plain", ""] {
            assert_eq!(of(other), None, "{other}");
        }
    }
}
