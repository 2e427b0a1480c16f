//! Bodies that were damaged.

use crate::leaks::{
    encode::{base64, quote, urlencode, utf16},
    make::{MARK, Make},
};

/// Whether a secret is in the place of a name, in characters that names have: names are written.
/// Secrets that are planted there have other characters.
fn names_a_secret(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    let secret = |name: &str| name.contains(MARK) && !name.contains(['\u{df}', '%']);
    let quoted: Vec<_> = text.split('"').collect();
    let in_json = quoted
        .windows(2)
        .any(|w| secret(w[0]) && w[1].trim_start().starts_with(':'));
    let in_part = quoted
        .windows(2)
        .any(|w| secret(w[1]) && w[0].ends_with("name=") && !w[0].ends_with("filename="));
    let in_form = text
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .any(|(name, _)| secret(name));
    in_json || in_part || in_form
}

impl Make<'_> {
    /// Bytes are lost, changed, or added.
    pub(super) fn break_bytes(&mut self, bytes: &mut Vec<u8>) {
        let whole = bytes.clone();
        self.break_anywhere(bytes);
        if names_a_secret(bytes) && !names_a_secret(&whole) {
            *bytes = whole;
        }
    }

    fn break_anywhere(&mut self, bytes: &mut Vec<u8>) {
        for _ in 0..1 + self.random.below(3) {
            if bytes.is_empty() {
                return;
            }
            let at = self.random.below(bytes.len());
            match self.random.below(4) {
                0 => drop(bytes.remove(at)),
                1 => bytes[at] = self.random.below(256) as u8,
                2 => bytes.insert(at, self.random.below(256) as u8),
                _ => {
                    let to = (at + 1 + self.random.below(20)).min(bytes.len());
                    bytes.drain(at..to);
                }
            }
        }
    }

    /// A byte that is not UTF-8, between values: no output has half of one.
    pub(super) fn invalid(&mut self, body: Vec<u8>) -> Vec<u8> {
        let at = self.random.below(body.len() + 1);
        let (a, b) = body.split_at(at);
        if self.inside(&body, at) || std::str::from_utf8(a).is_err() {
            return body;
        }
        let all = [&b"\xff"[..], b"\xc3\x28", b"\xed\xa0\x80", b"\xf8"];
        let bytes = *self.random.of::<&[u8]>(&all);
        [a, bytes, b].concat()
    }

    /// Whether a place in a body is inside a secret, or may be.
    pub(super) fn inside(&self, body: &[u8], at: usize) -> bool {
        let plan = &self.case.plan;
        // In an event stream each line has a field name before it.
        let in_lines = body.windows(5).any(|w| w == b"data:")
            && plan
                .says
                .iter()
                .chain(&plan.says_in_debug)
                .any(|said| said.contains('\n'));
        if in_lines
            || body
                .windows(2)
                .any(|w| matches!(w, b"\\u" | b"&#" | b"%2" | b"%7" | b"=7"))
        {
            return at > 0 && at < body.len();
        }
        plan.says.iter().chain(&plan.says_in_debug).any(|said| {
            let json = quote(said);
            let twice = quote(&json);
            let all = [
                said.clone(),
                json[1..json.len() - 1].to_owned(),
                twice[3..twice.len() - 3].to_owned(),
                urlencode(said, true),
                urlencode(said, false),
                base64(said.as_bytes()),
            ];
            all.iter().any(|form| {
                let form = form.as_bytes();
                let from = at.saturating_sub(form.len() - 1);
                let near = &body[from..body.len().min(at + form.len() - 1)];
                near.windows(form.len()).any(|w| w == form)
            })
        })
    }

    /// UTF-16, with a byte order mark or without.
    pub(super) fn wide(&mut self, body: &[u8]) -> Vec<u8> {
        let Ok(text) = std::str::from_utf8(body) else {
            return body.to_vec();
        };
        let big = self.random.one_in(2);
        let marked = if self.random.one_in(2) {
            format!("\u{feff}{text}")
        } else {
            text.to_owned()
        };
        utf16(&marked, big)
    }
}
