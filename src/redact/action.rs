use serde::{Deserialize, Serialize};

/// How a value is written.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Action {
    /// As it is, unless its name is suspicious or a detector matches.
    Keep,
    /// Keyed hash and shape: `[~3f9a1c2b7d4e5a60 len=12 ascii alnum]`. The default for
    /// every value that is not kept.
    ///
    /// The hash of a value that could be guessed, such as a date or a PIN, can be compared
    /// only within its request; see [`Join`](Self::Join).
    Pseudonym,
    /// As [`Pseudonym`](Self::Pseudonym), but the hash can be compared across requests even
    /// if the value could be guessed: a reader of the exchanges who can send guesses can
    /// find the value. The default for facts.
    Join,
    /// Shape only, so that equal values cannot be recognised: `[~ len=12 ascii alnum]`.
    Shape,
    /// `****` and the last four characters of values of at least twelve; otherwise `****`.
    /// The four are in the clear, as card numbers on receipts.
    Mask,
    /// Nothing of it, not even its type: `[~ dropped]`. In JSON it replaces a whole object
    /// or list.
    Drop,
}
