//! Multipart bodies: fields, files, parts of other types, and odd heads.

use crate::leaks::{
    encode::{base64, gzip, urlencode},
    make::Make,
};

impl Make<'_> {
    pub(super) fn multipart(&mut self) -> (String, Vec<u8>) {
        self.kind("multipart");
        let boundary = match self.random.below(4) {
            0 => "--".to_owned(),
            1 => format!("{}'()+_,-./:=?", self.random.letters(4)),
            _ => format!("----x{}", self.random.letters(8)),
        };
        let end = *self.random.of(&["\r\n", "\r\n", "\n"]);
        let mut out = Vec::new();
        if !self.lax && self.random.one_in(6) {
            let secret = self.letters_only();
            out.extend_from_slice(format!("for nobody: {secret}{end}").as_bytes());
        }
        for _ in 0..1 + self.random.below(4) {
            out.extend_from_slice(format!("--{boundary}\r\n").as_bytes());
            let part = self.part(end);
            out.extend_from_slice(&part);
        }
        if !self.random.one_in(4) {
            out.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
            if self.random.one_in(4) {
                let secret = self.letters_only();
                out.extend_from_slice(format!("behind it: {secret}{end}").as_bytes());
            }
        }
        let media = *self.random.of(&["form-data", "mixed", "related"]);
        (format!("multipart/{media}; boundary=\"{boundary}\""), out)
    }

    fn part(&mut self, end: &str) -> Vec<u8> {
        let (head, content): (String, Vec<u8>) = match self.random.below(11) {
            0 => {
                let file = self.letters_only();
                let head = format!(
                    "Content-Disposition: form-data; name=\"file\"; filename=\"{file}.png\"{end}Content-Type: image/png{end}"
                );
                (head, self.binary())
            }
            1 => {
                let inner = self.json(2);
                let head = format!(
                    "Content-Disposition: form-data; name=\"meta\"{end}Content-Type: application/json{end}X-Note: words{end}"
                );
                (head, inner.into_bytes())
            }
            2 => {
                let content = self.secret();
                let head = format!(
                    "Content-Disposition: attachment; filename*=UTF-8''{}{end}Content-Transfer-Encoding: base64{end}",
                    urlencode(&content, false),
                );
                (head, base64(content.as_bytes()).into_bytes())
            }
            3 => {
                // A name that is data, and another one after it.
                let (a, b) = (format!("{}ß", self.unsaid_letters()), self.letters_only());
                self.say(&a);
                let head = format!(
                    "content-disposition: form-data; name=\"{a}\"; name=\"status\"; filename={b}{end}"
                );
                (head, self.secret().into_bytes())
            }
            4 => {
                let name = self.hiding();
                let secret = self.secret();
                let head = format!("Content-Disposition: form-data;{end} name=\"{name}\"{end}");
                (head, secret.into_bytes())
            }
            // A content type that swallowed the text after it is still a type.
            5 if self.settled => {
                let (a, b) = (self.letters_only(), self.letters_only());
                let head = format!(
                    "Content-Disposition: form-data; name=\"doc\"{end}Content-Type: text/plain; name={a}{end}X-Owner: {b}{end}"
                );
                (head, self.free_text().into_bytes())
            }
            6 => {
                let head = format!(
                    "Content-Disposition: form-data; name=\"zip\"{end}Content-Type: application/gzip{end}Content-Encoding: gzip{end}"
                );
                let before = std::mem::replace(&mut self.quiet, true);
                let inner = self.json(3);
                self.quiet = before;
                (head, gzip(inner.as_bytes()))
            }
            7 => {
                let (name, value) = self.pair();
                let name = name.replace('"', "%22");
                let value = urlencode(&value, true);
                let head = format!(
                    "Content-Disposition: form-data; name=\"q\"{end}Content-Type: application/x-www-form-urlencoded{end}"
                );
                let pair = format!("{}={value}", urlencode(&name, true));
                (head, pair.into_bytes())
            }
            8 => {
                // Multipart in multipart.
                let (name, value) = self.pair();
                let head = format!("Content-Type: multipart/mixed; boundary=inner{end}");
                let inner = format!(
                    "--inner{end}Content-Disposition: form-data; name=\"{name}\"{end}{end}{value}{end}--inner--"
                );
                (head, inner.into_bytes())
            }
            9 if self.settled => {
                let (name, number) = (self.hiding(), self.number());
                (
                    format!("Content-Disposition: form-data; name=\"{name}\"{end}"),
                    number.into_bytes(),
                )
            }
            _ => {
                let (name, value) = self.pair();
                (
                    format!("Content-Disposition: form-data; name=\"{name}\"{end}"),
                    value.into_bytes(),
                )
            }
        };
        [head.as_bytes(), end.as_bytes(), &content, end.as_bytes()].concat()
    }

    /// A small file with a text in it.
    fn binary(&mut self) -> Vec<u8> {
        let secret = self.secret();
        match self.random.below(3) {
            0 => format!("\u{1}PNG {secret}\r").into_bytes(),
            1 => format!("%PDF-1.4\n/Title ({secret})\n").into_bytes(),
            _ => format!("id;name\n1;\"{secret}\"\n").into_bytes(),
        }
    }
}
