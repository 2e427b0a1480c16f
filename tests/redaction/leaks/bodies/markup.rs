//! XML.

use crate::leaks::{
    encode::{html, references},
    make::Make,
};

impl Make<'_> {
    pub(super) fn xml(&mut self) -> (String, Vec<u8>) {
        self.kind("xml");
        let mut out = match self.random.below(4) {
            0 => String::new(),
            1 => "<?xml version='1.0' encoding='UTF-8'?>\n".to_owned(),
            _ => "<?xml version=\"1.0\"?>".to_owned(),
        };
        if !self.lax && self.random.one_in(5) {
            let (a, b) = (self.letters_only(), self.letters_only());
            out.push_str(&format!("<!-- {a} --><?note {b}?>"));
        }
        // From there on nothing is parsed, and words in parts are not joined.
        let known = self.lax || !self.random.one_in(8);
        if !known {
            let secret = self.letters_only();
            out.push_str(&format!(
                "<!DOCTYPE order [<!ENTITY who \"{secret}\">]><order>&who;</order>"
            ));
        }
        let soap = self.random.one_in(4);
        out.push_str(if soap {
            "<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\"><s:Body>"
        } else {
            "<order>"
        });
        for _ in 0..1 + self.random.below(4) {
            let element = self.element(known);
            out.push_str(&element);
        }
        out.push_str(if soap {
            "</s:Body></s:Envelope>"
        } else {
            "</order>"
        });
        let kinds = [
            "application/xml",
            "text/xml; charset=utf-8",
            "application/soap+xml",
        ];
        ((*self.random.of(&kinds)).to_owned(), out.into_bytes())
    }

    fn element(&mut self, known: bool) -> String {
        if self.settled && self.random.one_in(9) {
            let found = html(&self.detectable());
            return format!("<note x=\"{found}\">{found}</note>");
        }
        let words = if self.lax {
            self.hiding_word()
        } else {
            self.harmless()
        };
        let name = words.replace(' ', "-");
        // It contains no characters that XML cannot have.
        let value = self.plain_secret();
        let escaped = match self.random.below(4) {
            0 => references(&value),
            _ => html(&value),
        };
        match self.random.below(8) {
            0 => format!("<{name}>{escaped}</{name}>"),
            1 => format!("<a {name}='{escaped}'/>"),
            2 => format!("<{name}><![CDATA[{value}]]></{name}>"),
            3 => format!("<x:{name} xmlns:x=\"urn:x\" >\n {escaped}\n</x:{name} >"),
            4 if !self.lax => format!("<{name}>{escaped}<b/>{escaped}</{name}><![CDATA[{value}]]>"),
            5 => format!("<{name}><a><b c=\"1\">{escaped}</b></a></{name}>"),
            6 if known => {
                let (a, b) = value.split_at(crate::leaks::make::MARK.len() + 1);
                if value.is_char_boundary(a.len()) && self.settled {
                    // In parts.
                    format!("<{name}>{}<!-- x -->{}</{name}>", html(a), html(b))
                } else {
                    format!("<{name}>{escaped}</{name}>")
                }
            }
            _ => format!("<field value=\"{escaped}\" name=\"{name}\"><b>{escaped}</b></field>"),
        }
    }

    /// Without control characters.
    fn plain_secret(&mut self) -> String {
        if self.random.one_in(2) {
            self.letters_only()
        } else {
            self.visible()
        }
    }
}
