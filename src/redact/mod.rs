//! What is written of a value, and what is not.
//!
//! A [`Policy`] decides which values of an exchange stay. Everything else is
//! replaced, before anything is written, by a placeholder that hides the value
//! and keeps what a search for a bug needs: whether it was empty, how long it
//! was, what it was made of, and where else it occurred. What is not
//! understood is not written.
//!
//! # Placeholders
//!
//! ```text
//! placeholder = "[~" [ hash ] *( " " fact ) "]" / mask
//! hash        = 16 hex digits / "unkeyed"
//! fact        = "empty" / "len=" n / "bytes=" n / "ascii" / "unicode" / "binary"
//!             / "digits" / "alpha" / "alnum" / "mixed" / "control" / "space-edge"
//!             / "num" / "neg" / n "digits" / "frac" / "exp" / "bool" / "cut"
//!             / "dropped"
//! mask        = "****" [ last four characters ]
//! ```
//!
//! `[~3f9a1c2b7d4e5a60 len=12 ascii alnum]` stands for a text of twelve ASCII
//! letters and digits. The hash is the start of the keyed BLAKE3 of the value
//! under the policy's key: under one key, equal values have equal hashes
//! wherever they occur. For values that could be guessed, such as dates and PINs,
//! the key is one of their request, so that nobody finds them by sending guesses;
//! [`Action::Join`] is the exception. `docs/redaction.md` has the recipe. Booleans and empty values have none, nor has what a
//! policy hides by [`Action::Shape`]. [`Action::Mask`] and [`Action::Drop`]
//! leave less.
//!
//! - `len` counts characters; `bytes` follows where it differs. `binary` is no UTF-8.
//! - `digits`, `alpha`, `alnum` and `mixed` say what all characters are.
//! - `control`: control characters occur. `space-edge`: white space at an end.
//! - `num` is a number: negative (`neg`), with *n* digits before the point,
//!   a fraction (`frac`), an exponent (`exp`).
//! - `cut`: the value went on where the captured prefix ended.
//!
//! In JSON every placeholder is a string; in queries and forms it is
//! percent-encoded. In free text it is short: `[~3f9a1c2b7d4e5a60]`.
//!
//! # Free text
//!
//! Messages, errors and event fields are searched for what looks like a
//! credential, a card or account number or an address, and for every value
//! that was hidden elsewhere in the same exchange: values of six characters or
//! more anywhere, of three to five between characters that are no letters or
//! digits, shorter ones not at all. At most 4,096 values or 1 MiB of them are
//! remembered; past that, no free text of the exchange is written. Of a body
//! in no known format, and of the part of one that could not be parsed, words of
//! four characters or more are remembered, at most 2,048 of them.
//!
//! # Suspicious names
//!
//! Values stay under no policy when their name is suspicious. Names are
//! compared in lower case, without anything but letters and digits. A name is
//! suspicious when it contains the usual words for passwords, secrets, keys,
//! tokens, sessions, cookies, signatures, one-time codes, card and account
//! numbers; when it contains `auth`, unless as in `author`; or when one of its
//! words is `pin`, `pan`, `otp`, `mfa`, `ssn`, `sid`, `sig` or the like. In
//! JSON this covers everything below the name.

//!
//! # Limits
//!
//! Names are data of the service, not of its users: header names, cookie
//! names and JSON keys that look like identifiers are written. Numbers that no
//! name or detector gives away stay. Free text is redacted on best effort: a
//! value that was cut, reworded or encoded in other ways than JSON, Rust's
//! `Debug` or percent-encoding is found only where a detector knows it.

mod body;
mod decisions;
mod decode;
mod detect;
mod form;
mod grams;
mod graphql;
mod guess;
mod headers;
mod hints;
#[cfg(feature = "decompress")]
mod inflate;
mod json;
mod key;
mod lines;
mod memory;
mod multipart;
mod names;
mod policy;
mod pseudonym;
mod redactor;
mod scrub;
#[cfg(feature = "testing")]
pub mod testing;
mod url;
mod values;
mod xml;

#[cfg(test)]
mod props;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_formats;
#[cfg(test)]
mod tests_hostile;
#[cfg(test)]
mod tests_leaks;
#[cfg(test)]
mod tests_text;

#[cfg(any(feature = "admin", feature = "cli"))]
pub(crate) use self::key::Key;
pub use self::policy::{Action, Base, KeySource, Policy, PolicyError, PolicyModel};
pub(crate) use self::{decisions::Decisions, key::Salt, redactor::Redactor, scrub::Scrubber};

/// Whether a text is one placeholder and nothing else.
#[cfg(test)]
pub(crate) fn is_placeholder(text: &str) -> bool {
    pseudonym::placeholder(text) == Some(text.len())
}
