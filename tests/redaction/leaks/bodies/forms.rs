//! URL-encoded forms.

use crate::leaks::{
    encode::{all_percent, quote, urlencode},
    make::Make,
};

impl Make<'_> {
    pub(super) fn form(&mut self) -> (String, Vec<u8>) {
        self.kind("form");
        let mut pairs = Vec::new();
        for _ in 0..1 + self.random.below(4) {
            let pair = self.form_pair();
            pairs.push(pair);
        }
        let kind = "application/x-www-form-urlencoded".to_owned();
        (kind, pairs.join("&").into_bytes())
    }

    fn form_pair(&mut self) -> String {
        let plus = self.random.one_in(2);
        match self.random.below(12) {
            0 if self.settled => {
                let (name, number) = (self.hiding(), self.number());
                format!("{}={number}", urlencode(&name, plus))
            }
            // Without a name. A sign inside gives it one.
            1 if !self.lax && self.settled => urlencode(&self.secret(), plus),
            2 if !self.lax => format!("={}", urlencode(&self.secret(), plus)),
            3 => {
                let inner = self.json(3);
                format!("payload={}", urlencode(&inner, plus))
            }
            4 if self.settled => {
                let key = self.secret_key();
                format!("{}=1", urlencode(&key, plus))
            }
            5 => {
                let (name, value) = (self.hiding_word(), self.secret());
                format!(
                    "user[{name}][]={0}&user%5B{name}%5D={0}",
                    urlencode(&value, plus)
                )
            }
            6 => {
                let (name, value) = (self.hiding_word(), self.letters_only());
                let json = format!("{{{}:{}}}", quote(&name), quote(&value));
                format!("data={}", all_percent(&json))
            }
            7 => {
                let (name, value) = (self.hidden_name(), self.secret());
                format!("{}={}", all_percent(&name), all_percent(&value))
            }
            8 => {
                let (name, value) = (self.hidden_name(), self.secret());
                let twice = urlencode(&urlencode(&value, false), false);
                format!("{}={twice}", urlencode(&name, plus))
            }
            _ => {
                let (name, value) = self.pair();
                format!("{}={}", urlencode(&name, plus), urlencode(&value, plus))
            }
        }
    }
}
