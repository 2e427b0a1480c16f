//! Members of JSON objects, each with a secret.

use crate::leaks::{
    encode::{all_percent, html, quote, urlencode},
    make::{MARK, Make},
};

impl Make<'_> {
    pub(super) fn member(&mut self, depth: usize) -> String {
        match self.random.below(19) {
            0 if self.settled => {
                let name = self.hiding();
                let end = *self.random.of(&["", "", ".5", "e2", "E-1"]);
                let number = self.number_with(end);
                format!("{}:{number}", self.string(&name))
            }
            1 if self.settled => self.card_member(),
            2 if depth < 4 => {
                let inner = self.json(depth + 1);
                format!("\"inner\":{inner}")
            }
            3 if depth < 4 => {
                let inner = self.json(depth + 1);
                let name = self.hiding();
                format!("{}:[1,{inner},null]", self.string(&name))
            }
            4 if depth < 3 => {
                let inner = self.json(depth + 1);
                format!("\"raw\":{}", quote(&inner))
            }
            5 => {
                let name = self.hidden_name();
                let (a, b) = (self.secret(), self.secret());
                let (a, b) = (self.string(&a), self.string(&b));
                // The same key twice, and a list.
                format!("{0}:{a},{0}:[{b}]", self.string(&name))
            }
            6 if self.settled => {
                let address = format!("{MARK}.{}@example.org", self.random.letters(5));
                self.case.plants += 1;
                self.say(&address);
                format!("{}:1", self.string(&address))
            }
            7 if self.settled => {
                // A key that is no identifier is data.
                let key = self.secret_key();
                format!("{}:{{\"a\":1}}", self.string(&key))
            }
            8 => self.named_member(),
            9 => self.text_member(),
            10 => self.bytes_member(),
            11 => {
                let name = self.hiding();
                let secret = self.secret();
                let all: Vec<_> = (0..3).map(|_| self.string(&secret)).collect();
                // Under a damaged name, this one would let it stay.
                let below = if self.settled { "status" } else { "note" };
                format!("{}:[[{}],{{\"{below}\":{}}}]", quote(&name), all[0], all[1])
            }
            12 if !self.lax => {
                let (a, b) = (self.secret(), self.secret());
                format!("\"names\":[{},{},1,{{}}]", self.string(&a), self.string(&b))
            }
            _ => {
                let (name, value) = self.pair();
                let name = self.string(&name);
                format!("{name}:{}", self.string(&value))
            }
        }
    }

    fn card_member(&mut self) -> String {
        self.case.plants += 1;
        let card = self.card();
        self.say(&card);
        let spaced: Vec<_> = card
            .as_bytes()
            .chunks(4)
            .map(|four| std::str::from_utf8(four).unwrap())
            .collect();
        match self.random.below(6) {
            0 => format!("\"n\":-{card}"),
            1 => format!("\"n\":{card}.0"),
            2 => format!("\"type\":{}", quote(&spaced.join("-"))),
            3 => format!(
                "\"title\":{}",
                quote(&format!("paid by {}.", spaced.join(" ")))
            ),
            4 => format!("{}:true", quote(&card)),
            _ => format!("\"n\":{card}"),
        }
    }

    /// Its name is the value of another member.
    fn named_member(&mut self) -> String {
        let name = self.hiding_word();
        let secret = self.secret();
        let (name, value) = (self.string(&name), self.string(&secret));
        let said = *self.random.of(&["name", "key", "id", "field", "header"]);
        // Hidden by its name, it is known once it was read.
        if self.lax || self.random.one_in(2) {
            format!("\"more\":{{\"{said}\":{name},\"value\":{value}}}")
        } else {
            format!("\"more\":[{{\"value\":{value},\"{said}\":{name}}}]")
        }
    }

    /// Text of another format, in which a name hides it.
    fn text_member(&mut self) -> String {
        let name = self.hiding_word();
        let a = self.letters_only();
        let text = match self.random.below(7) {
            0 => format!("https://example.org/?x=1&{name}={a}&y=2"),
            1 => format!("{name}: {a}"),
            2 => format!("login with {name}={a}, failed"),
            3 => format!("x=1&{}={a}", all_percent(&name)),
            4 => format!("<a {name}=\"{a}\"/>"),
            5 => format!("{{{}:{}}} left", quote(&name), quote(&a)),
            _ => format!(
                "go to /x?next={}",
                urlencode(&format!("/y?{name}={a}"), false)
            ),
        };
        let text = if self.random.one_in(6) {
            html(&text)
        } else {
            text
        };
        let key = self.harmless();
        format!("{}:{}", quote(&key), self.string(&text))
    }
}
