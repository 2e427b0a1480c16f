//! Bodies of consecutive items.

use crate::leaks::make::Make;

impl Make<'_> {
    pub(super) fn json_lines(&mut self) -> (String, Vec<u8>) {
        self.kind("json lines");
        let count = 1 + self.random.below(3);
        let mut lines: Vec<String> = Vec::new();
        for _ in 0..count {
            let line = match self.random.below(6) {
                0 if !self.lax => self.free_text(),
                1 if !self.lax => {
                    let text = self.json(3);
                    format!("{text}, {text}")
                }
                2 => format!("[{}]", self.json(2).replace(['\n', '\r'], " ")),
                _ => self.json(2).replace(['\n', '\r'], " "),
            };
            lines.push(line.replace('\u{1e}', " "));
        }
        let kinds = [
            ("application/x-ndjson", "", "\n"),
            ("application/jsonl", "", "\r\n"),
            ("application/json-seq", "\u{1e}", "\n"),
        ];
        let (kind, before, after) = *self.random.of(&kinds);
        let mut out = String::new();
        for line in lines {
            out.push_str(&format!("{before}{line}{after}"));
        }
        if self.random.one_in(3) {
            out.truncate(out.trim_end().len());
        }
        (kind.to_owned(), out.into_bytes())
    }

    /// Server-sent events.
    pub(super) fn events(&mut self) -> (String, Vec<u8>) {
        self.kind("events");
        let end = *self.random.of(&["\n", "\n", "\r\n", "\r"]);
        let mut out = String::new();
        if self.random.one_in(6) {
            out.push('\u{feff}');
        }
        for _ in 0..1 + self.random.below(3) {
            if !self.lax && self.random.one_in(3) {
                let secret = self.visible();
                out.push_str(&format!("id: {secret}{end}: {secret}{end}"));
            }
            if !self.lax && self.random.one_in(6) {
                let secret = self.visible();
                out.push_str(&format!(
                    "{secret}{end}{secret}: 1{end}retry: {secret}{end}"
                ));
            }
            if self.random.one_in(2) {
                out.push_str(&format!("event: added{end}"));
            }
            let data = match self.random.below(5) {
                0 if !self.lax => self.free_text(),
                // Over several lines.
                1 => self.json(2).replace(",\"", ",\n\""),
                _ => self.json(2),
            };
            let space = *self.random.of(&[" ", "", "  "]);
            for line in data.split(['\n', '\r']) {
                out.push_str(&format!("data:{space}{line}{end}"));
            }
            out.push_str(end);
        }
        ("text/event-stream".to_owned(), out.into_bytes())
    }
}
