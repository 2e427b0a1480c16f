//! GraphQL documents.

use crate::leaks::{encode::quote, make::Make};

impl Make<'_> {
    pub(super) fn graphql(&mut self) -> (String, Vec<u8>) {
        self.kind("graphql");
        let query = self.document();
        if self.random.one_in(4) && self.settled {
            return ("application/graphql".to_owned(), query.into_bytes());
        }
        let query = self.string(&query);
        let body = match self.random.below(3) {
            0 => format!("{{\"query\":{query},\"variables\":{}}}", self.json(2)),
            1 => format!("[{{\"operationName\":\"F\",\"query\":{query}}}]"),
            _ => {
                let variables = quote(&self.json(2));
                format!("{{\"variables\":{variables},\"query\":{query}}}")
            }
        };
        ("application/json".to_owned(), body.into_bytes())
    }

    fn document(&mut self) -> String {
        let a = self.secret();
        let field = self.harmless().replace(['-', ' '], "_");
        let literal = quote(&a);
        match self.random.below(5) {
            0 if self.settled => {
                let b = self.number();
                format!("query F {{ user(name: {literal}, pin: {b}) {{ id }} }}")
            }
            1 => {
                let c = self.letters_only();
                format!(
                    "mutation {{ add(input: {{{field}: {literal}, tags: [\"x\", {literal}]}}) {{ id }} }} # {c}\n"
                )
            }
            2 => {
                let c = self.letters_only();
                format!(
                    "{{ user({field}: \"\"\"\n  {c}\n  more\n\"\"\", b: {literal}) {{ id name }} }}"
                )
            }
            3 => format!(
                "query F($a: String = {literal}) {{ user(name: $a) @include(if: true) {{ id }} }}"
            ),
            _ => format!(
                "query F {{ user(name: {literal}) {{ ...G }} }} fragment G on User {{ id(x: {literal}) }}"
            ),
        }
    }
}
