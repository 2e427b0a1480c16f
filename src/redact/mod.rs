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
//! [`Action::Join`] is the exception. `docs/redaction.md` has the recipe. Booleans and
//! empty values have none, nor has what a policy hides by [`Action::Shape`].
//! [`Action::Mask`] and [`Action::Drop`] leave less.
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
//! Messages, errors and event fields are searched for what looks like a credential, a
//! card or account number or an address, and for every value that was hidden elsewhere
//! in the same request or its calls, however the text says it: escaped or encoded, up to
//! three times, in another case or normal form, wrapped anew, cut, joined with others,
//! as a number, in base64 or as a list of bytes. Of values of ten letters and digits or
//! more each piece of ten is found; shorter ones are found whole, where a word starts and
//! ends; from six on inside of longer words, too. Values of one or two are not looked for.
//!
//! What the program itself says stays: a literal cannot be a value. Linux tells the two
//! apart; elsewhere all text is taken for what came at run time.
//!
//! Under [`Policy::strict`] a value that is hidden only because all are is not looked for
//! where it is one ordinary word, such as `open`, `eur` or `admin`, or digits only and
//! fewer than five. At most 1 MiB of values is remembered, and the work is bounded; past
//! that a text loses all that came at run time, which is counted and said.
//!
//! In answers that are failures (4xx, 5xx, gRPC other than OK), plain text of at most
//! 4 KiB, `grpc-message` and the members `error`, `message`, `detail`, `title`, `reason`
//! and `description` of JSON are free text, too; [`Policy::own_words`] adds others.
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
//! name or detector gives away stay. A value that text says compressed, encrypted,
//! hashed, translated or in other words is not found, nor is a piece of fewer than ten
//! letters and digits of a longer one.

mod action;
mod body;
pub(crate) mod codings;
mod decisions;
mod decode;
mod detect;
mod form;
mod graphql;
mod guess;
mod headers;
mod hiding;
mod hints;
#[cfg(feature = "compression")]
mod inflate;
mod json;
mod key;
mod known;
mod lines;
mod media;
mod members;
mod multipart;
mod names;
mod nested;
mod policy;
mod pseudonym;
mod redactor;
mod scrub;
mod search;
mod shapes;
#[cfg(feature = "testing")]
pub mod testing;
mod text;
mod url;
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

pub(crate) use self::key::Key;
pub use self::{
    action::Action,
    policy::{Policy, PolicyError},
};
pub(crate) use self::{
    decisions::Decisions,
    hiding::Hiding,
    key::Salt,
    known::{Known, Recent},
    media::is_in_one_piece,
    multipart::{boundary_of, shows_boundary, with_boundary},
    redactor::{Answer, Redactor, Voice},
    scrub::{Scrubber, TAIL},
    search::{Probes, is_plain},
};

/// Whether a text is one placeholder and nothing else.
#[cfg(test)]
pub(crate) fn is_placeholder(text: &str) -> bool {
    pseudonym::placeholder(text) == Some(text.len())
}
