//! Suspicious names, and names whose values are kept.
//!
//! Names are compared folded: lower-cased, without everything that is not a letter or
//! digit, so that `apiKey`, `api_key` and `X-Api-Key` match the same entry.

use super::hints::Hints;

/// Suspicious wherever they occur in a folded name.
#[rustfmt::skip]
const ANYWHERE: &[&str] = &[
    // Passwords and their synonyms.
    "password", "passwd", "pwd", "passphrase", "passcode", "passkey", "passwort", "kennwort",
    "motdepasse", "contraseña", "contrasena", "userpass", "dbpass",
    // Secrets, keys and tokens.
    "secret", "token", "apikey", "privatekey", "accesskey", "signingkey", "encryptionkey",
    "sharedkey", "masterkey", "sessionkey", "licensekey", "credential", "bearer", "jwt",
    "authorization", "authorisation", "authentication", "authenticator", "wwwauthenticate", "proxyauthenticate",
    "assertion", "samlresponse", "codeverifier", "signature", "hmac", "connectionstring",
    "seedphrase", "mnemonic",
    // Sessions.
    "cookie", "session", "sessid", "csrf", "xsrf",
    // One-time codes.
    "totp", "pincode", "pinnumber", "onetimecode", "verificationcode", "securitycode",
    "recoverycode", "backupcode",
    // Cards, accounts, and numbers that identify a person.
    "cvv", "cvc", "cardnumber", "cardno", "ccnumber", "creditcard", "debitcard", "iban",
    "accountnumber", "accountno", "routingnumber", "socialsecurity", "nationalid",
    "passportnumber", "passportno", "taxid", "driverlicense", "driverslicense",
];

/// Suspicious only as a whole word of a name: inside longer words they are harmless
/// (`shipping`, `company`, `className`, `design`).
#[rustfmt::skip]
const WORDS: &[&str] = &[
    "pin", "pins", "pan", "sig", "sid", "otp", "mfa", "ssn", "pass", "passw", "pw", "psk", "sas",
];

/// Suspicious at the start or the end of a folded name.
const EDGES: &[&str] = &["ssn", "otp", "mfa"];

/// Headers whose values are kept (folded).
#[rustfmt::skip]
pub(super) const HEADERS: &[&str] = &[
    "accept", "acceptencoding", "acceptlanguage", "acceptranges", "age", "allow", "cachecontrol",
    "connection", "contentencoding", "contentlanguage", "contentlength", "contentrange",
    "contenttype", "date", "etag", "expect", "expires", "grpcencoding", "grpcstatus",
    "grpctimeout", "host", "ifmatch", "ifmodifiedsince", "ifnonematch", "lastmodified", "origin",
    "pragma", "range", "retryafter", "server", "te", "trailer", "transferencoding", "upgrade",
    "useragent", "vary", "via", "xdashcamverbose",
];

/// Query keys whose values are kept (folded).
#[rustfmt::skip]
pub(super) const QUERY: &[&str] = &[
    "asc", "desc", "direction", "fields", "format", "include", "lang", "language", "limit",
    "locale", "offset", "order", "orderby", "page", "pagesize", "perpage", "size", "sort",
    "sortby", "status",
];

/// Fields whose values are kept if they look like those of an enumeration (folded).
#[rustfmt::skip]
pub(super) const FIELDS: &[&str] = &[
    "action", "category", "channel", "country", "countrycode", "currency", "currencycode",
    "environment", "errorcode", "event", "eventtype", "format", "kind", "lang", "language",
    "level", "locale", "method", "mode", "op", "operation", "phase", "plan", "priority",
    "region", "role", "severity", "stage", "state", "status", "tier", "timezone", "type", "unit",
    "units", "version",
];

/// Fields in which services report what went wrong (folded).
pub(super) const MESSAGES: &[&str] = &[
    "description",
    "detail",
    "error",
    "message",
    "reason",
    "title",
];

/// The suspicious names of one policy.
#[derive(Clone)]
pub(super) struct Names {
    denied: Vec<String>,
    hints: Hints,
}

impl Names {
    pub(super) fn new() -> Self {
        Self {
            denied: Vec::new(),
            hints: Self::hints(&[]),
        }
    }

    pub(super) fn deny(&mut self, name: &str) {
        let mut folded = String::new();
        fold(name, &mut folded);
        if !folded.is_empty() {
            self.denied.push(folded);
            self.hints = Self::hints(&self.denied);
        }
    }

    fn hints(denied: &[String]) -> Hints {
        let parts = [ANYWHERE, WORDS, EDGES, &[AUTH]].into_iter().flatten();
        Hints::of(parts.copied().chain(denied.iter().map(String::as_str)))
    }

    /// Returns whether a name may be suspicious. Almost no name is, and this is the
    /// cheapest check. The name may have JSON escapes.
    pub(super) fn may_be_suspicious(&self, name: &[u8]) -> bool {
        self.hints.may_be_in(name)
    }

    /// Returns where, from a position on, a word of a text may be suspicious.
    pub(super) fn next_in(&self, text: &[u8], from: usize) -> Option<usize> {
        self.hints.next_in(text, from)
    }

    /// Returns whether a value of this name must be hidden. `folded` receives the folded
    /// name.
    pub(super) fn suspicious(&self, name: &str, folded: &mut String) -> bool {
        fold(name, folded);
        if folded.is_empty() || !self.may_be_suspicious(name.as_bytes()) {
            return false;
        }
        self.looks_suspicious(name, folded)
    }

    fn looks_suspicious(&self, name: &str, folded: &str) -> bool {
        ANYWHERE.iter().any(|word| folded.contains(word))
            || self
                .denied
                .iter()
                .any(|word| folded.contains(word.as_str()))
            || EDGES
                .iter()
                .any(|e| folded.starts_with(e) || folded.ends_with(e))
            || has_auth(folded)
            || has_word(name)
    }
}

/// Writes the folded form of a name.
pub(super) fn fold(name: &str, out: &mut String) {
    out.clear();
    for c in name.chars() {
        if c.is_ascii() {
            if c.is_ascii_alphanumeric() {
                out.push(c.to_ascii_lowercase());
            }
        } else if c.is_alphanumeric() {
            out.extend(c.to_lowercase());
        }
    }
}

const AUTH: &str = "auth";

/// `auth`, but not as the start of `author`, `authority` or `authentic`.
fn has_auth(folded: &str) -> bool {
    folded.match_indices(AUTH).any(|(at, found)| {
        folded
            .get(at + found.len()..)
            .is_some_and(|rest| !rest.starts_with("or") && !rest.starts_with("entic"))
    })
}

#[derive(Clone, Copy, PartialEq)]
enum Class {
    Lower,
    Upper,
    Digit,
    Other,
}

fn class(b: u8) -> Class {
    match b {
        b'a'..=b'z' => Class::Lower,
        b'A'..=b'Z' => Class::Upper,
        b'0'..=b'9' => Class::Digit,
        _ => Class::Other,
    }
}

/// Returns whether one of the words of a name, split at separators, digits and capitals, is
/// one of [`WORDS`].
fn has_word(name: &str) -> bool {
    let mut before = Class::Other;
    let mut start = 0;
    let mut bytes = name.bytes().enumerate().peekable();
    while let Some((at, b)) = bytes.next() {
        let now = class(b);
        let next = bytes.peek().map_or(Class::Other, |&(_, b)| class(b));
        let joined = match (before, now) {
            (Class::Upper, Class::Upper) => next != Class::Lower,
            (Class::Upper, Class::Lower) => true,
            (before, now) => before == now,
        };
        if !joined {
            if is_word(name.get(start..at)) {
                return true;
            }
            start = at;
        }
        before = now;
    }
    is_word(name.get(start..))
}

fn is_word(word: Option<&str>) -> bool {
    word.is_some_and(|word| WORDS.iter().any(|w| w.eq_ignore_ascii_case(word)))
}

/// Returns whether a name itself may be written: a short identifier, not data.
pub(super) fn identifier_like(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 64
        && name.bytes().all(|b| {
            b.is_ascii_alphanumeric()
                || matches!(b, b'_' | b'$' | b'@' | b'.' | b':' | b'/' | b' ' | b'-')
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::sync::LazyLock;

    /// The same result, with and without the hints.
    fn suspicious(name: &str) -> bool {
        static NAMES: LazyLock<Names> = LazyLock::new(Names::new);
        let found = NAMES.suspicious(name, &mut String::new());
        assert_eq!(found, closely(&NAMES, name), "{name:?}");
        found
    }

    fn closely(names: &Names, name: &str) -> bool {
        let mut folded = String::new();
        fold(name, &mut folded);
        !folded.is_empty() && names.looks_suspicious(name, &folded)
    }

    proptest! {
        #[test]
        fn hints_miss_nothing(
            parts in prop::collection::vec(
                prop_oneof![
                    prop::sample::select([ANYWHERE, WORDS, EDGES, &["auth", "ab", "x", "k2"]].concat())
                        .prop_map(str::to_owned),
                    "[a-zA-Z0-9 _.-]{0,3}|[K\u{212a}éÉ\\\\]",
                ],
                0..5,
            ),
            cut in 0..6_usize,
        ) {
            static DENYING: LazyLock<Names> = LazyLock::new(|| {
                let mut names = Names::new();
                ["a-b", "K2", "contraseñas", "quux"].iter().for_each(|name| names.deny(name));
                names
            });
            let name: String = parts.concat().chars().skip(cut).collect();
            suspicious(&name);
            let mut folded = String::new();
            prop_assert_eq!(DENYING.suspicious(&name, &mut folded), closely(&DENYING, &name), "{:?}", name);
        }
    }

    #[test]
    fn suspicious_names() {
        for name in [
            "password",
            "PASSWORD",
            "pass_word",
            "userPassword",
            "db.passwd",
            "apiKey",
            "api_key",
            "API-KEY",
            "X-Api-Key",
            "x api key",
            "auth",
            "xauth",
            "X-Auth",
            "authtoken",
            "oauth2",
            "httpAuthKey",
            "Authorization",
            "Proxy-Authorization",
            "sig",
            "urlSig",
            "pin",
            "userPin",
            "PINCode",
            "pin2",
            "otp",
            "smsOtp",
            "otpcode",
            "userssn",
            "SSN",
            "pan",
            "card_number",
            "ccNumber",
            "IBAN",
            "jwt",
            "csrf-token",
            "XSRF-TOKEN",
            "sid",
            "connect.sid",
            "PHPSESSID",
            "JSESSIONID",
            "client_secret",
            "user[pass_word]",
            "contraseña",
            "X-Amz-Signature",
            "mfa_code",
            "private_key",
            "set-cookie",
            "cvc2",
        ] {
            assert!(suspicious(name), "{name}");
        }
    }

    #[test]
    fn harmless_names() {
        for name in [
            "author",
            "authority",
            "authored_by",
            "authenticated",
            "shipping",
            "spinner",
            "company",
            "span",
            "className",
            "businessName",
            "design",
            "signed_at",
            "footprint",
            "id",
            "name",
            "compass",
            "bypass",
            "user_id",
            "status",
            "key",
            "",
            "-",
            "assign",
        ] {
            assert!(!suspicious(name), "{name}");
        }
    }

    #[test]
    fn lists_are_folded() {
        let mut folded = String::new();
        for name in [ANYWHERE, WORDS, EDGES, HEADERS, QUERY, FIELDS].concat() {
            fold(name, &mut folded);
            assert_eq!(folded, name);
        }
        for name in [HEADERS, QUERY, FIELDS].concat() {
            assert!(!suspicious(name), "{name}");
        }
    }
}
