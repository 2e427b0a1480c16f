//! Names of fields, in the styles of many languages.

use crate::leaks::make::Make;

/// Names that hide their values, as words.
#[rustfmt::skip]
const HIDING: &[&str] = &[
    "password", "new password", "api key", "access token", "refresh token", "client secret",
    "session id", "pin", "otp", "ssn", "card number", "cvv", "iban", "authorization", "private key",
    "id token", "csrf token", "security code", "passphrase", "user credentials", "code verifier",
    "account number", "auth", "secret", "bearer", "passwd", "pwd", "signature", "sid", "cookie",
    "recovery code", "db pass", "x api key", "hmac", "jwt", "mfa code", "tax id",
];

/// Names that hide nothing by themselves.
#[rustfmt::skip]
const HARMLESS: &[&str] = &[
    "name", "first name", "city", "customer note", "comment", "title", "q", "search", "street",
    "birthday", "description", "x", "text", "value", "data", "nick", "phone", "to", "subject",
    "url", "link", "message", "author", "company", "shipping", "field", "payload", "raw",
];

/// Fields whose values stay, apart from what a detector finds.
const LISTED: &[&str] = &[
    "status",
    "currency",
    "type",
    "role",
    "error code",
    "event type",
];

impl Make<'_> {
    /// Words in one of the styles of names.
    fn styled(&mut self, words: &str) -> String {
        let capital = |word: &str| {
            let (first, rest) = word.split_at(1);
            first.to_uppercase() + rest
        };
        let parts: Vec<&str> = words.split(' ').collect();
        let humps: Vec<_> = parts.iter().map(|word| capital(word)).collect();
        match self.random.below(11) {
            0 => parts.join("_"),
            1 => parts.join("-"),
            2 => parts.join("_").to_uppercase(),
            3 => humps.concat(),
            4 => format!("X-{}", humps.join("-")),
            5 => parts.join(" "),
            6 => parts.join("."),
            7 => format!("user_{}", parts.join("_")),
            8 => format!("{}2", parts.join("-")),
            9 => format!("user.{}", parts.join("-")),
            _ => parts[0].to_owned() + &humps[1..].concat(),
        }
    }

    pub(crate) fn hiding(&mut self) -> String {
        let words = *self.random.of(HIDING);
        self.styled(words)
    }

    /// In one of the styles that code has.
    pub(crate) fn hiding_word(&mut self) -> String {
        let words = *self.random.of(HIDING);
        // In text, a whole line is the value of these names.
        match words {
            "cookie" | "authorization" => "x_api_token".to_owned(),
            words => words.replace(' ', "_"),
        }
    }

    pub(crate) fn harmless(&mut self) -> String {
        let words = match *self.random.of(HARMLESS) {
            "message" | "title" | "description" if self.speaks() => "comment",
            words => words,
        };
        // A prefix may turn it into another name.
        match self.random.below(4) {
            0 => words.replace(' ', "_").to_uppercase(),
            1 => words.replace(' ', "-"),
            2 => words.to_owned(),
            _ => words.replace(' ', "_"),
        }
    }

    /// A name with a value that must be hidden under it.
    pub(crate) fn pair(&mut self) -> (String, String) {
        if self.random.one_in(4) && self.settled {
            let name = if self.random.one_in(3) {
                (*self.random.of(LISTED)).replace(' ', "_")
            } else {
                self.harmless()
            };
            (name, self.detectable())
        } else if self.lax || self.random.one_in(2) {
            (self.hiding(), self.secret())
        } else {
            (self.harmless(), self.secret())
        }
    }

    /// A name under which every value must be hidden.
    pub(crate) fn hidden_name(&mut self) -> String {
        if self.lax || self.random.one_in(2) {
            self.hiding()
        } else {
            self.harmless()
        }
    }
}
