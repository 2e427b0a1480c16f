//! JSON inside of values.

use super::{Redactor, json, policy::Rule};

impl Redactor<'_> {
    /// Remembers the values inside a value that is JSON, because services parse it.
    pub(super) fn remember_json(&mut self, value: &str) {
        if value.trim_start().starts_with(['{', '[']) {
            let rule = Rule {
                suspicious: true,
                ..Rule::default()
            };
            self.quietly(|r| drop(json::part(r, value.as_bytes(), false, rule, false)));
        }
    }

    /// Returns whether a value that is kept as text is also kept if it is parsed as JSON. A
    /// value that is not checked to its end is kept if its own name allows it.
    pub(super) fn json_stays(&mut self, text: &str) -> bool {
        // Without a quote it has no names.
        if !text.trim_start().starts_with(['{', '[']) || !text.contains('"') {
            return true;
        }
        match json::part(self, text.as_bytes(), true, Rule::default(), false) {
            Some(done) if done.complete => !done.replaced,
            _ => self.policy().is_strict(),
        }
    }
}
