//! JSON inside of values.

use super::{Redactor, json, policy::Rule};

impl Redactor<'_> {
    /// Remembers what is in a value that is JSON: services take it apart.
    pub(super) fn remember_json(&mut self, value: &str) {
        if value.trim_start().starts_with(['{', '[']) {
            let rule = Rule {
                suspicious: true,
                ..Rule::default()
            };
            self.quietly(|r| drop(json::part(r, value.as_bytes(), false, rule, false)));
        }
    }

    /// Whether a value that stays as a text stays as JSON, too, should it be some.
    /// What was not looked into to its end stays where its own name lets it.
    pub(super) fn json_stays(&mut self, text: &str) -> bool {
        // Without a quote nothing in it has a name.
        if !text.trim_start().starts_with(['{', '[']) || !text.contains('"') {
            return true;
        }
        match json::part(self, text.as_bytes(), true, Rule::default(), false) {
            Some(done) if done.complete => !done.replaced,
            _ => self.policy().is_strict(),
        }
    }
}
