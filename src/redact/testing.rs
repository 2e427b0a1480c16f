//! Support for tests that secrets do not leak into the output.
//!
//! [`Secrets`] makes unique values, or takes the service's own. A test sends them through
//! the service, and [`Secrets`] searches the output for them: as they are, and behind
//! percent-encoding, JSON escapes, base64, hexadecimal digits and compression, nested in
//! each other.
//!
//! ```
//! use axum::{Router, extract::Path, http::{Request, StatusCode}, routing::get};
//! use dashcam::{redact::testing::Secrets, testing::TestDashcam};
//! use tower::ServiceExt;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let dashcam = TestDashcam::new();
//! let app = Router::new()
//!     .route("/users/{name}", get(|Path(name): Path<String>| async move {
//!         tracing::warn!("no such user: {name}");
//!         StatusCode::INTERNAL_SERVER_ERROR
//!     }))
//!     .layer(dashcam.layer());
//!
//! let mut secrets = Secrets::new();
//! let name = secrets.plant("name in the path");
//! let token = secrets.plant("session cookie");
//! let request = Request::get(format!("/users/{name}"))
//!     .header("cookie", format!("session={token}"))
//!     .body(axum::body::Body::empty())
//!     .unwrap();
//! drop(app.oneshot(request).await);
//!
//! secrets.assert_absent_from(&dashcam.only());
//! # }
//! ```
//!
//! Use values that are made at run time, as `plant` makes them. A string literal that a
//! test passes to the service without a copy (`Body::from("…")`) is text of the program,
//! which events keep.
//!
//! It finds values that a policy keeps:
//!
//! ```
//! use dashcam::redact::testing::Secrets;
//!
//! let mut secrets = Secrets::new();
//! secrets.add("password", "correct horse battery staple");
//! let leaks = secrets.leaks(br#"{"url":"/login?p=correct+horse+battery+staple"}"#);
//! assert_eq!(leaks[0].name, "password");
//! assert_eq!(leaks[0].encoding, "form");
//! ```

use super::{Policy, Redactor};
use crate::exchange::{Content, Exchange};
use std::{borrow::Cow, collections::HashSet, fmt, fmt::Write};

/// The start and the end of every planted value.
const MARK: &str = "zqj";

/// How deep nested encodings are searched.
const DEPTH: u8 = 3;

/// The most bytes that are searched for one output.
const MOST: usize = 32 << 20;

impl Policy {
    /// Redacts a body as in an exchange with this policy.
    ///
    /// ```
    /// use dashcam::{exchange::Content, redact::Policy};
    ///
    /// let body = br#"{"status":"paid","name":"Zoe"}"#;
    /// let Content::Text { text, .. } = Policy::strict().redacted_body("application/json", body)
    /// else {
    ///     panic!("JSON is understood");
    /// };
    /// assert!(text.starts_with(r#"{"status":"paid","name":"[~"#), "{text}");
    /// ```
    #[cfg_attr(docsrs, doc(cfg(feature = "testing")))]
    #[must_use]
    pub fn redacted_body(&self, content_type: &str, body: &[u8]) -> Content {
        Redactor::new(self).body(Some(content_type), None, body, true)
    }
}

/// Values that must not be in the output.
#[derive(Clone, Debug, Default)]
pub struct Secrets(Vec<Secret>);

#[derive(Clone)]
struct Secret {
    name: String,
    value: String,
    /// The texts to search for: the value, and its ends if they are unique.
    parts: Vec<String>,
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Secret").field(&self.name).finish()
    }
}

/// A secret that was found in the output.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Leak {
    /// The name of the secret.
    pub name: String,
    /// The encodings in which it was found, outermost first, such as `json > base64`; `raw`
    /// if there is none.
    pub encoding: String,
    /// The characters around it in the output.
    pub near: String,
}

impl fmt::Display for Leak {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}): …{}…", self.name, self.encoding, self.near)
    }
}

impl Secrets {
    /// Starts without secrets.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a new value of 24 lower-case letters that occurs nowhere else, and returns it.
    /// Each of its ends is also searched for, so that a cut value is found.
    ///
    /// No detector matches the value: it tests values that must be hidden because of their
    /// place.
    pub fn plant(&mut self, name: impl Into<String>) -> String {
        let mut value = MARK.to_owned();
        // Letters only: detectors take it for a word.
        value.extend((0..18).map(|_| fastrand::lowercase()));
        value.push_str(MARK);
        let ends = [value.get(..9), value.get(15..)];
        let mut parts = vec![value.clone()];
        parts.extend(ends.into_iter().flatten().map(str::to_owned));
        self.0.push(Secret {
            name: name.into(),
            value: value.clone(),
            parts,
        });
        value
    }

    /// Adds a value, which is searched for as a whole.
    ///
    /// # Panics
    ///
    /// Panics if it has fewer than four characters, which occur by chance.
    pub fn add(&mut self, name: impl Into<String>, value: impl Into<String>) {
        let (name, value) = (name.into(), value.into());
        assert!(
            value.chars().nth(3).is_some(),
            "the secret {name} is too short: it needs at least four characters"
        );
        self.0.push(Secret {
            name,
            parts: vec![value.clone()],
            value,
        });
    }

    /// Returns the values in the order in which they were added.
    pub fn values(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|secret| secret.value.as_str())
    }

    /// Returns the secrets that are in an output, in any encoding, each once.
    #[must_use]
    pub fn leaks(&self, output: &[u8]) -> Vec<Leak> {
        let mut leaks = Vec::new();
        let mut found = HashSet::new();
        read(output, &mut |bytes, encoding| {
            let text = String::from_utf8_lossy(bytes);
            for (index, secret) in self.0.iter().enumerate() {
                let at = secret
                    .parts
                    .iter()
                    .find_map(|part| text.find(part.as_str()));
                if let Some(at) = at
                    && found.insert(index)
                {
                    leaks.push(Leak {
                        name: secret.name.clone(),
                        encoding: encoding.to_owned(),
                        near: near(&text, at),
                    });
                }
            }
        });
        leaks
    }

    /// Asserts that no secret is in an output: a file, a log, a response.
    ///
    /// # Panics
    ///
    /// Panics if one is. The message has all that were found, and where.
    #[track_caller]
    pub fn assert_absent(&self, output: impl AsRef<[u8]>) {
        let leaks = self.leaks(output.as_ref());
        assert!(
            leaks.is_empty(),
            "secrets are in the output:\n{}",
            list(&leaks)
        );
    }

    /// Asserts that no secret is in an exchange.
    ///
    /// # Panics
    ///
    /// Panics if one is. The message has all that were found, and where.
    #[track_caller]
    pub fn assert_absent_from(&self, exchange: &Exchange) {
        self.assert_absent(serde_json::to_vec(exchange).unwrap_or_default());
    }
}

fn list(leaks: &[Leak]) -> String {
    leaks.iter().fold(String::new(), |mut out, leak| {
        let _ = writeln!(out, "  {leak}");
        out
    })
}

fn near(text: &str, at: usize) -> String {
    let before = text.get(..at).unwrap_or_default();
    let from = before.char_indices().rev().nth(39).map_or(0, |(at, _)| at);
    text.get(from..)
        .unwrap_or_default()
        .chars()
        .take(120)
        .collect()
}

/// Calls `look` with an output and with each of its decoded forms.
pub(crate) fn read(output: &[u8], look: &mut dyn FnMut(&[u8], &str)) {
    let mut left = MOST;
    let mut seen = Vec::new();
    layer(output, "", DEPTH, &mut left, &mut seen, look);
}

fn layer(
    bytes: &[u8],
    above: &str,
    depth: u8,
    left: &mut usize,
    seen: &mut Vec<Vec<u8>>,
    look: &mut dyn FnMut(&[u8], &str),
) {
    if bytes.is_empty() || bytes.len() > *left || seen.iter().any(|s| *s == bytes) {
        return;
    }
    *left -= bytes.len();
    seen.push(bytes.to_vec());
    look(bytes, if above.is_empty() { "raw" } else { above });
    if depth == 0 {
        return;
    }
    for (name, decode) in ENCODINGS {
        let mut all = Vec::new();
        decode(bytes, &mut |decoded| {
            all.extend_from_slice(decoded);
            all.push(b'\n');
        });
        if !all.is_empty() {
            let path = if above.is_empty() {
                (*name).to_owned()
            } else {
                format!("{above} > {name}")
            };
            layer(&all, &path, depth - 1, left, seen, look);
        }
    }
}

type Decode = fn(&[u8], &mut dyn FnMut(&[u8]));

const ENCODINGS: &[(&str, Decode)] = &[
    ("json", escapes),
    ("percent", |bytes, out| percent(bytes, false, out)),
    ("form", |bytes, out| percent(bytes, true, out)),
    ("base64", base64),
    ("hex", hex),
    ("html", html),
    #[cfg(feature = "compression")]
    ("compressed", compressed),
];

fn escapes(bytes: &[u8], out: &mut dyn FnMut(&[u8])) {
    if bytes.contains(&b'\\') {
        out(&super::decode::escapes(bytes));
    }
}

fn percent(bytes: &[u8], plus: bool, out: &mut dyn FnMut(&[u8])) {
    if !bytes.contains(&if plus { b'+' } else { b'%' }) {
        return;
    }
    let mut bytes = Cow::Borrowed(bytes);
    if plus {
        for b in bytes.to_mut() {
            if *b == b'+' {
                *b = b' ';
            }
        }
    }
    let plain: Vec<u8> = percent_encoding::percent_decode(&bytes).collect();
    out(&plain);
}

/// Every run that may be base64, from each of the four places where it may start.
fn base64(bytes: &[u8], out: &mut dyn FnMut(&[u8])) {
    for run in runs(bytes) {
        for from in 0..4 {
            let decoded = run.get(from..).and_then(super::decode::base64);
            if let Some(decoded) = decoded.filter(|d| readable(d)) {
                out(&decoded);
            }
        }
    }
}

/// The runs of base64 digits, hexadecimal ones among them, that are long enough
/// to look into.
fn runs(bytes: &[u8]) -> Vec<&[u8]> {
    const DIGITS: [bool; 256] = {
        let mut digits = [false; 256];
        let mut b = 0;
        while b < 256 {
            digits[b] =
                (b as u8).is_ascii_alphanumeric() || matches!(b as u8, b'+' | b'/' | b'-' | b'_');
            b += 1;
        }
        digits
    };
    let (mut all, mut from) = (Vec::new(), 0);
    for (at, b) in bytes.iter().enumerate() {
        if !DIGITS[usize::from(*b)] {
            if at - from >= SHORTEST {
                all.extend(bytes.get(from..at));
            }
            from = at + 1;
        }
    }
    all.extend(bytes.get(from..).filter(|run| run.len() >= SHORTEST));
    all
}

/// The shortest run that is looked into.
const SHORTEST: usize = 8;

/// Every run of hexadecimal digits, from both places where it may start.
fn hex(bytes: &[u8], out: &mut dyn FnMut(&[u8])) {
    let digit = |b: &u8| b.is_ascii_hexdigit();
    let runs = runs(bytes).into_iter();
    let runs = runs.flat_map(|run| run.split(|b| !digit(b)));
    for run in runs.filter(|run| run.len() >= SHORTEST) {
        for from in 0..2 {
            let decoded: Vec<u8> = run
                .get(from..)
                .unwrap_or_default()
                .chunks_exact(2)
                .filter_map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
                .collect();
            if readable(&decoded) {
                out(&decoded);
            }
        }
    }
}

/// Whether bytes are text, most of them, or compressed: others are chance.
fn readable(bytes: &[u8]) -> bool {
    let text = bytes
        .iter()
        .filter(|b| (0x20..0x7f).contains(*b) || **b >= 0xc0);
    text.count() * 10 >= bytes.len() * 7 || bytes.starts_with(&[0x1f, 0x8b])
}

fn html(bytes: &[u8], out: &mut dyn FnMut(&[u8])) {
    if !bytes.contains(&b'&') {
        return;
    }
    let text = String::from_utf8_lossy(bytes);
    out(super::xml::unescape(&text).as_bytes());
}

/// Everything from each place where compressed data seems to start.
#[cfg(feature = "compression")]
fn compressed(bytes: &[u8], out: &mut dyn FnMut(&[u8])) {
    // None of the beginnings is.
    if std::str::from_utf8(bytes).is_ok() {
        return;
    }
    for (at, pair) in bytes.windows(3).enumerate() {
        if matches!(pair, [0x1f, 0x8b, 8] | [0x28, 0xb5, 0x2f] | [0x78, 0x9c, _]) {
            let rest = bytes.get(at..).unwrap_or_default();
            let decoded = super::inflate::look(rest)
                .and_then(|coding| super::inflate::decode(&[coding], rest));
            if let Some(decoded) = decoded {
                out(&decoded.bytes);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encodings(secrets: &Secrets, output: &[u8]) -> Vec<String> {
        secrets
            .leaks(output)
            .into_iter()
            .map(|leak| leak.encoding)
            .collect()
    }

    #[test]
    fn every_encoding_is_found() {
        let mut secrets = Secrets::new();
        secrets.add("words", "correct \"horse\" & ä+b");
        let value = secrets.values().next().unwrap().to_owned();
        let json = serde_json::to_string(&value).unwrap();
        let twice = serde_json::to_string(&json).unwrap();
        let mut percent = String::new();
        super::super::decode::push_percent(value.as_bytes(), &mut percent);
        let hex: String = value.bytes().map(|b| format!("{b:02X}")).collect();
        for (output, expected) in [
            (format!("x {value} y"), "raw"),
            (json.clone(), "json"),
            (twice, "json > json"),
            (format!("{value:?}"), "json"),
            (percent.clone(), "percent"),
            (percent.replace("%20", "+"), "form"),
            (format!("a{hex}"), "hex"),
            (value.replace('&', "&amp;").replace('"', "&#34;"), "html"),
            ("Y29ycmVjdCAiaG9yc2UiICYgw6QrYg==".to_owned(), "base64"),
            ("YQxjb3JyZWN0ICJob3JzZSIgJiDDpCti".to_owned(), "base64"),
        ] {
            assert_eq!(
                encodings(&secrets, output.as_bytes()),
                [expected],
                "{output}"
            );
        }
        assert!(secrets.leaks(b"correct horse").is_empty());
    }

    #[cfg(feature = "compression")]
    #[test]
    fn compressed_data_is_looked_into() {
        use std::io::Write as _;
        let mut secrets = Secrets::new();
        let value = secrets.plant("a");
        let mut w = flate2::write::GzEncoder::new(b"before ".to_vec(), flate2::Compression::fast());
        w.write_all(value.as_bytes()).unwrap();
        let found = encodings(&secrets, &w.finish().unwrap());
        // By chance, compressed bytes look like a form, too.
        assert!(found.iter().any(|found| found.ends_with("compressed")));
    }

    #[test]
    fn ends_of_planted_values_are_found() {
        let mut secrets = Secrets::new();
        let value = secrets.plant("a");
        assert_eq!(value.len(), 24);
        assert_ne!(secrets.plant("b"), value);
        for part in [&value[..], &value[..9], &value[15..]] {
            assert_eq!(secrets.leaks(part.as_bytes())[0].name, "a");
        }
        assert!(secrets.leaks(&value.as_bytes()[..6]).is_empty());
        secrets.assert_absent("nothing");
    }

    #[test]
    #[should_panic(expected = "secrets are in the output:\n  a (raw): …x ")]
    fn a_leak_is_named() {
        let mut secrets = Secrets::new();
        let value = secrets.plant("a");
        secrets.assert_absent(format!("x {value}"));
    }
}
