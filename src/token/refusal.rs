use serde::Serialize;
use std::{
    collections::BTreeMap,
    fmt,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

/// Why a token was not accepted.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Refusal {
    /// The client is in none of the networks that may use tokens.
    Client,
    /// There are two headers.
    Repeated,
    /// It is longer than 2,048 bytes.
    Oversized,
    /// It is no JSON Web Token.
    Malformed,
    /// No key of this ID is known.
    Key,
    /// The algorithm is not that of the key.
    Algorithm,
    /// It was not looked at: too many bad ones were before it in this second.
    Limited,
    /// The signature is not of the key.
    Signature,
    /// The claims are none that are understood.
    Claims,
    /// It is for another service.
    Audience,
    /// It says no end, or one too far away.
    Lifetime,
    /// It has ended.
    Expired,
    /// It has not begun.
    NotYet,
    /// It is for another request, or its key is for calls only and it names none.
    Request,
    /// It is not for requests like this one.
    Scope,
    /// It was used as often as it may be.
    Uses,
    /// More tokens with a number of uses are in use than are remembered.
    Full,
}

impl Refusal {
    const ALL: [Self; 17] = [
        Self::Client,
        Self::Repeated,
        Self::Oversized,
        Self::Malformed,
        Self::Key,
        Self::Algorithm,
        Self::Limited,
        Self::Signature,
        Self::Claims,
        Self::Audience,
        Self::Lifetime,
        Self::Expired,
        Self::NotYet,
        Self::Request,
        Self::Scope,
        Self::Uses,
        Self::Full,
    ];

    /// One word, for a metric.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Repeated => "repeated",
            Self::Oversized => "oversized",
            Self::Malformed => "malformed",
            Self::Key => "key",
            Self::Algorithm => "algorithm",
            Self::Limited => "limited",
            Self::Signature => "signature",
            Self::Claims => "claims",
            Self::Audience => "audience",
            Self::Lifetime => "lifetime",
            Self::Expired => "expired",
            Self::NotYet => "not_yet",
            Self::Request => "request",
            Self::Scope => "scope",
            Self::Uses => "uses",
            Self::Full => "full",
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What became of the tokens that requests brought, since the start.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct TokenStatus {
    /// Accepted; what budgets then left of it, the status of rules says.
    pub accepted: u64,
    /// Not accepted, by reason. What a client sent is nowhere.
    pub refused: BTreeMap<Refusal, u64>,
}

#[derive(Debug, Default)]
pub(super) struct Counters {
    accepted: AtomicU64,
    refused: [AtomicU64; Refusal::ALL.len()],
}

impl Counters {
    pub(super) fn accept(&self) {
        self.accepted.fetch_add(1, Relaxed);
    }

    pub(super) fn refuse(&self, why: Refusal) {
        if let Some(count) = self.refused.get(why as usize) {
            count.fetch_add(1, Relaxed);
        }
    }

    pub(super) fn status(&self) -> TokenStatus {
        let counts = self.refused.iter().map(|count| count.load(Relaxed));
        let refused = Refusal::ALL.into_iter().zip(counts);
        TokenStatus {
            accepted: self.accepted.load(Relaxed),
            refused: refused.filter(|(_, count)| *count > 0).collect(),
        }
    }
}
