//! Text in no format, and gRPC messages.

use crate::leaks::{encode::urlencode, make::Make};

impl Make<'_> {
    /// Words with a secret among them.
    pub(super) fn free_text(&mut self) -> String {
        if self.lax {
            let name = self.hiding_word();
            match self.random.below(3) {
                0 if self.settled => format!("see {} there", self.detectable()),
                1 => format!("there, {name}={}", self.letters_only()),
                _ => format!("{name}: \"{}\"", self.letters_only()),
            }
        } else {
            format!("see {} there", self.secret())
        }
    }

    pub(super) fn text(&mut self) -> (String, Vec<u8>) {
        self.kind("text");
        let mut text = "some words\n".to_owned();
        for _ in 0..1 + self.random.below(3) {
            text.push_str(&self.free_text());
            text.push('\n');
        }
        if !self.lax && self.random.one_in(4) {
            let secret = self.letters_only();
            text.push_str(&format!("<p title='{secret}'>{secret}</p>\n"));
        }
        let kinds = if self.lax {
            &["text/plain", "text/plain; charset=utf-8"][..]
        } else {
            &[
                "text/plain",
                "text/html",
                "text/csv",
                "application/javascript",
            ]
        };
        let mut kind = *self.random.of(kinds);
        if self.speaks() && kind.starts_with("text/plain") {
            kind = "text/html";
        }
        (kind.to_owned(), text.into_bytes())
    }

    /// Messages of Protocol Buffers after their lengths. They are not parsed, so nothing in them
    /// is recognised.
    pub(super) fn grpc(&mut self) -> (String, Vec<u8>) {
        self.kind("grpc");
        let before = std::mem::replace(&mut self.quiet, true);
        let mut out = Vec::new();
        for n in 1..2 + self.random.below(3) as u8 {
            let secret = self.secret();
            let field = [&[n << 3 | 2, secret.len() as u8], secret.as_bytes()].concat();
            out.push(0);
            out.extend_from_slice(&(field.len() as u32).to_be_bytes());
            out.extend_from_slice(&field);
        }
        if self.random.one_in(3) {
            let secret = self.secret();
            out = urlencode(&secret, false).into_bytes();
        }
        self.quiet = before;
        let kinds = [
            "application/grpc",
            "application/grpc+proto",
            "application/grpc-web-text",
            "application/x-protobuf",
        ];
        ((*self.random.of(&kinds)).to_owned(), out)
    }
}
