//! The target of a request: authority, path and query.

use crate::leaks::{
    case::End,
    encode::{all_percent, base64, quote, urlencode},
    make::Make,
};

impl Make<'_> {
    pub(crate) fn target(&mut self) {
        let path = self.path();
        let query = self.query();
        let origin = if self.random.one_in(12) {
            self.kind("user in the target");
            let (a, b) = (self.letters_only(), self.letters_only());
            format!("http://{a}:{b}@shop.example:8080")
        } else {
            String::new()
        };
        self.case.uri = if query.is_empty() {
            format!("{origin}{path}")
        } else {
            format!("{origin}{path}?{query}")
        };
    }

    /// A secret as one segment of a path.
    fn segment(&mut self) -> String {
        let secret = self.secret();
        match self.random.below(4) {
            0 => all_percent(&secret),
            1 => urlencode(&urlencode(&secret, false), false),
            _ => urlencode(&secret, false),
        }
    }

    fn path(&mut self) -> String {
        // Without a route, and with a service that has none.
        let unrouted = self.case.plan.end == End::Error;
        match self.random.below(9) {
            0 if !self.lax => {
                self.kind("unmatched path");
                format!("/{}/12/{}", self.segment(), self.segment())
            }
            1 if !self.lax => {
                self.kind("unmatched path with parameters");
                let (a, b) = (self.letters_only(), self.letters_only());
                format!("/x;v={a}/{b}.json/{a}:go/")
            }
            // By name, a path without a route stays.
            2 if !(self.lax && unrouted) => {
                self.kind("path parameter by name");
                format!("/reset/{}", self.segment())
            }
            3 => {
                self.kind("path, detected");
                format!("/orders/7/{}", urlencode(&self.detectable(), false))
            }
            4 if !self.lax => {
                self.kind("path parameter");
                format!("/orders/7/{}", self.segment())
            }
            5 if !self.lax => {
                self.kind("rest of a path");
                let (a, b) = (self.letters_only(), self.segment());
                format!("/files/{a}.pdf/{b}/x,{a}/")
            }
            6 if !self.lax => {
                self.kind("almost a route");
                format!("/orders/7/{}/", self.letters_only())
            }
            _ => "/orders/7/plain".to_owned(),
        }
    }

    fn query(&mut self) -> String {
        let mut pairs = Vec::new();
        for _ in 0..self.random.below(4) {
            self.kind("query");
            let (name, value) = self.pair();
            let plus = self.random.one_in(2);
            let name = match self.random.below(6) {
                // With unneeded percent-encoding.
                0 => all_percent(&name),
                1 => format!("user[{}]", urlencode(&name, plus)),
                2 => format!("user%5B{}%5D[]", urlencode(&name, plus)),
                _ => urlencode(&name, plus),
            };
            let value = match self.random.below(6) {
                0 => all_percent(&value),
                _ => urlencode(&value, plus),
            };
            pairs.push(format!("{name}={value}"));
        }
        if self.random.one_in(10) {
            self.kind("json in the query");
            let (name, value) = (self.hiding(), self.secret());
            let json = format!("{{{}:{}}}", quote(&name), quote(&value));
            pairs.push(format!("filter={}", urlencode(&json, false)));
        }
        if self.random.one_in(10) {
            self.kind("url in the query");
            let (name, value) = (self.hiding_word(), self.letters_only());
            let url = format!("https://example.org/back?a=1&{name}={value}");
            pairs.push(format!("next={}", urlencode(&url, false)));
        }
        if !self.lax && self.random.one_in(8) {
            self.kind("query without names");
            let secret = self.secret();
            pairs.push(urlencode(&secret, false));
            pairs.push(format!("={}", urlencode(&secret, true)));
            pairs.push(format!("a={0};b={0}", self.letters_only()));
            // Names that are no identifiers are values.
            pairs.push(format!("{}=1", urlencode(&self.secret_key(), false)));
        }
        if !self.lax && self.random.one_in(10) {
            self.kind("base64 in the query");
            // The service would have to log the decoded value.
            let before = std::mem::replace(&mut self.quiet, true);
            let secret = self.secret();
            self.quiet = before;
            let value = urlencode(&base64(secret.as_bytes()), false);
            pairs.push(format!("page=1&state={value}"));
        }
        pairs.join("&")
    }
}
