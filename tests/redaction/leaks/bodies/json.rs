//! JSON texts of all shapes.

use crate::leaks::{
    encode::{gzip, quote},
    make::Make,
};

impl Make<'_> {
    /// A JSON string, with unneeded escapes of some characters.
    pub(super) fn string(&mut self, text: &str) -> String {
        if !self.random.one_in(3) {
            return quote(text);
        }
        let every = 1 + self.random.below(4);
        let lower = self.random.one_in(2);
        let mut out = String::from("\"");
        for (n, c) in text.chars().enumerate() {
            if n % every == 0 || matches!(c, '"' | '\\') || (c as u32) < 0x20 {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    out.push_str(&if lower {
                        format!("\\u{unit:04x}")
                    } else {
                        format!("\\u{unit:04X}")
                    });
                }
            } else if c == '/' {
                out.push_str("\\/");
            } else {
                out.push(c);
            }
        }
        out + "\""
    }

    /// A whole body.
    pub(super) fn json_body(&mut self) -> String {
        match self.random.below(12) {
            0 => format!("[{},{}]", self.json(1), self.json(1)),
            1 if !self.lax => {
                let secret = self.secret();
                self.string(&secret)
            }
            2 if self.settled => {
                let found = self.detectable();
                let name = self.harmless();
                format!("[[{{{}:[{}]}}]]", quote(&name), quote(&found))
            }
            3 => {
                // Deeply nested.
                let deep = self.random.below(100);
                let inner = self.json(4);
                let (open, close) = if self.random.one_in(2) {
                    ("{\"a\":", "}")
                } else {
                    ("[", "]")
                };
                format!("{}{inner}{}", open.repeat(deep), close.repeat(deep))
            }
            4 => {
                // Strings in strings.
                let deep = 1 + self.random.below(4);
                let mut text = self.json(3);
                for _ in 0..deep {
                    text = format!("{{\"a\":1,\"raw\":{}}}", self.string(&text));
                }
                text
            }
            _ => self.json(0),
        }
    }

    pub(super) fn json(&mut self, depth: usize) -> String {
        let first = [
            "\"id\":12",
            "\"status\":\"paid\"",
            "\"ok\":true",
            "\"none\":null",
            "\"total\":12.50",
        ];
        let mut members = vec![(*self.random.of(&first)).to_owned()];
        for _ in 0..1 + self.random.below(4) {
            let member = self.member(depth);
            let at = self.random.below(members.len() + 1);
            members.insert(at, member);
        }
        let space = *self.random.of(&["", "", " ", "\n  ", "\r\n\t"]);
        format!("{{{space}{}{space}}}", members.join(&format!(",{space}")))
    }

    /// Invalid JSON, and JSON with something around it.
    pub(super) fn odd_json(&mut self) -> (String, Vec<u8>) {
        self.kind("odd json");
        let inner = self.json(2);
        let text = match self.random.below(9) {
            0 => format!(")]}}',\n{inner}"),
            1 if !self.lax => format!("callback({inner});"),
            2 => format!("\u{feff}{inner}"),
            3 => format!("{inner}{}", self.json(2)),
            4 => format!("{inner}\n\n \0"),
            5 if !self.lax => format!("// note\n{inner}"),
            6 if !self.lax => inner.replace('"', "'"),
            7 => format!("{inner},"),
            _ => format!(" \t\r\n{inner} \n"),
        };
        ("application/json".to_owned(), text.into_bytes())
    }

    pub(super) fn malformed_json(&mut self) -> (String, Vec<u8>) {
        self.kind("malformed json");
        let mut json = self.json(0);
        let at = self.random.below(json.len());
        if json.is_char_boundary(at) {
            // A damaged name hides no number.
            let name = !json[..at].ends_with([',', '{', '[', '}', ']', ':']);
            let inside = name || self.inside(json.as_bytes(), at);
            if !inside && !self.lax {
                let junk = *self
                    .random
                    .of(&["}", "\"", "{", ",,", "\\", "nul", "'", "\u{0}"]);
                json.insert_str(at, junk);
            }
        }
        ("application/json".to_owned(), json.into_bytes())
    }

    /// Bytes in JSON: as numbers, and as text in base64.
    pub(super) fn bytes_member(&mut self) -> String {
        let before = std::mem::replace(&mut self.quiet, true);
        let secret = self.secret();
        self.quiet = before;
        let name = self.hidden_name();
        let text = if self.random.one_in(2) {
            crate::leaks::encode::base64(secret.as_bytes())
        } else {
            crate::leaks::encode::base64(&gzip(secret.as_bytes()))
        };
        format!("{}:{}", quote(&name), quote(&text))
    }
}
