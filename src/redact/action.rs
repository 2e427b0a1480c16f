use serde::{Deserialize, Serialize};

/// What happens to a value.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Action {
    /// It is written, unless its name is suspicious or a detector objects.
    Keep,
    /// Keyed hash and shape: `[~3f9a1c2b7d4e5a60 len=12 ascii alnum]`. The default
    /// for every value that does not stay.
    ///
    /// The hash of a value that could be guessed, such as a date or a PIN, holds
    /// within its request only; see [`Join`](Self::Join).
    Pseudonym,
    /// As [`Pseudonym`](Self::Pseudonym), and the hash can be joined with those of
    /// other requests even where the value could be guessed: whoever reads what is
    /// written, and can put guesses there, finds it. What happens to facts.
    Join,
    /// Shape only, so that equal values cannot be told: `[~ len=12 ascii alnum]`.
    Shape,
    /// `****` and the last four characters, where there are at least twelve;
    /// otherwise `****`. Those four are written in the clear, as receipts
    /// show card numbers.
    Mask,
    /// Nothing of it, not even its type: `[~ dropped]`. In JSON an object or a
    /// list goes as a whole.
    Drop,
}
