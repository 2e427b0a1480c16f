//! Redaction: which values are written, and how the others are replaced.
//!
//! A [`Policy`] decides which values of an exchange are kept. Before anything is written, a
//! placeholder replaces every other value. It hides the value and keeps what debugging
//! needs: whether the value was empty, its length, its kinds of characters, and where else
//! it occurs. Data in an unknown format is not written.
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
//! `[~3f9a1c2b7d4e5a60 len=12 ascii alnum]` replaces a text of twelve ASCII letters and
//! digits. The hash is the start of the keyed BLAKE3 hash of the value under the policy's
//! key: under one key, equal values have equal hashes wherever they occur. Values that
//! could be guessed, such as dates and PINs, are hashed under a key of their request, so
//! that nobody can find them by sending guesses; [`Action::Join`] is the exception.
//! `docs/redaction.md` has the recipe. Booleans, empty values and values hidden by
//! [`Action::Shape`] have no hash. [`Action::Mask`] and [`Action::Drop`] leave less.
//!
//! - `len` counts characters; `bytes` follows if it differs. `binary` is not UTF-8.
//! - `digits`, `alpha`, `alnum` and `mixed` describe all characters.
//! - `control`: there are control characters. `space-edge`: white space at an end.
//! - `num` is a number, with *n* digits before the point; it may be negative (`neg`), and
//!   have a fraction (`frac`) or an exponent (`exp`).
//! - `cut`: the captured prefix ended inside the value.
//!
//! In JSON every placeholder is a string; in queries and forms it is
//! percent-encoded. In free text it is short: `[~3f9a1c2b7d4e5a60]`.
//!
//! # Free text
//!
//! Redaction searches messages, errors and event fields for text that looks like a
//! credential, a card or account number or an address. It also searches them for every
//! value that is hidden elsewhere in the same request or its calls, in any of these forms:
//! escaped or encoded up to three times, in another case or Unicode normal form, with other
//! line breaks, cut, joined with other text, as a number, in base64 or as a list of bytes.
//! It finds each piece of ten letters and digits of a longer value. It finds shorter values
//! as whole words, and from six letters and digits on also inside longer words. It does not
//! search for values of one or two.
//!
//! String literals of the program are kept, because they cannot contain a value. Literals
//! are detected on Linux only; on other systems all text counts as run-time text.
//!
//! [`Policy::strict`] hides nearly every string. If only this default hides a string, and
//! it is one ordinary word, such as `open`, `eur` or `admin`, or fewer than five digits,
//! free text is not searched for it. At most 1 MiB of values is remembered, and the work is
//! bounded. Beyond that, a text loses its run-time parts, and the record counts it.
//!
//! In responses that are failures (4xx, 5xx, gRPC other than OK), plain text of at most 4
//! KiB, `grpc-message` and the JSON members `error`, `message`, `detail`, `title`, `reason`
//! and `description` are also free text; [`Policy::own_words`] adds members.
//!
//! # Suspicious names
//!
//! No policy keeps a value with a suspicious name. Names are compared *folded*: in lower
//! case, letters and digits only. A name is suspicious if it contains a usual word for
//! passwords, secrets, keys, tokens, sessions, cookies, signatures, one-time codes, card or
//! account numbers; if it contains `auth`, except as in `author`; or if one of its words is
//! `pin`, `pan`, `otp`, `mfa`, `ssn`, `sid`, `sig` or similar. In JSON this hides
//! everything below the name.
//!
//! # Limits
//!
//! Names count as data of the service, not of its users: header names, cookie names and
//! JSON keys that look like identifiers are written. Numbers are kept unless their name is
//! suspicious or a detector matches. Free text is not searched for values in compressed,
//! encrypted, hashed, translated or paraphrased form, nor for pieces of fewer than ten
//! letters and digits of a longer value.

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

/// Returns whether a text is exactly one placeholder.
#[cfg(test)]
pub(crate) fn is_placeholder(text: &str) -> bool {
    pseudonym::placeholder(text) == Some(text.len())
}
