use serde::Serialize;
use std::{
    collections::BTreeMap,
    fmt,
    sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed},
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

    /// What the response may say of it, where
    /// [`Tokens::tell_refusals_in_response`](super::Tokens::tell_refusals_in_response)
    /// is on. Of what nobody with the key has made, nothing more than that it was
    /// refused, so that who guesses learns neither keys nor networks.
    #[must_use]
    pub fn category(self) -> &'static str {
        match self {
            Self::Client
            | Self::Repeated
            | Self::Oversized
            | Self::Malformed
            | Self::Key
            | Self::Algorithm
            | Self::Limited
            | Self::Signature => "refused",
            Self::Claims => "refused; claims",
            Self::Lifetime | Self::Expired | Self::NotYet => "refused; time",
            Self::Audience | Self::Request | Self::Scope => "refused; scope",
            Self::Uses | Self::Full => "refused; uses",
        }
    }

    /// The same in a sentence that begins with a small letter, for those who look after the
    /// service.
    #[must_use]
    pub fn in_words(self) -> &'static str {
        match self {
            Self::Client => {
                "the peer of its connection is in none of the networks of `Tokens::clients`, or \
                 is not known"
            }
            Self::Repeated => "the request has the header twice",
            Self::Oversized => "it is longer than 2,048 bytes",
            Self::Malformed => "it is no JSON Web Token of the compact form",
            Self::Key => "the service has no key of its `kid`",
            Self::Algorithm => "its algorithm is not that of the key",
            Self::Limited => "it was not looked at: too many bad ones came in this second",
            Self::Signature => "its signature is not of the key",
            Self::Claims => "its claims are none that are understood",
            Self::Audience => "it is for another service",
            Self::Lifetime => "it says no end, or one that is too far away",
            Self::Expired => "it has ended",
            Self::NotYet => "it has not begun",
            Self::Request => "it is for another request, or its key is for calls only",
            Self::Scope => "it is not for requests like this one",
            Self::Uses => "it was used as often as it may be",
            Self::Full => "too many tokens with a number of uses are in use",
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
    /// When the log said so, and how many there were by then.
    told: [Told; Refusal::ALL.len()],
}

#[derive(Debug, Default)]
struct Told {
    /// The second after it, so that 0 is never.
    at: AtomicU32,
    of: AtomicU64,
}

/// How long the log says nothing more of one reason.
const INTERVAL: u32 = 60;

impl Counters {
    pub(super) fn accept(&self) {
        self.accepted.fetch_add(1, Relaxed);
    }

    pub(super) fn refuse(&self, why: Refusal) {
        if let Some(count) = self.refused.get(why as usize) {
            count.fetch_add(1, Relaxed);
        }
    }

    /// How many were refused for this reason since the log said so, where it is time
    /// to say it again.
    pub(super) fn to_tell(&self, why: Refusal, second: u32) -> Option<u64> {
        let told = self.told.get(why as usize)?;
        let last = told.at.load(Relaxed);
        if last != 0 && second.saturating_add(1).saturating_sub(last) < INTERVAL {
            return None;
        }
        let now = second.saturating_add(1);
        // One thread of several.
        told.at.compare_exchange(last, now, Relaxed, Relaxed).ok()?;
        let all = self.refused.get(why as usize)?.load(Relaxed);
        Some(all.saturating_sub(told.of.swap(all, Relaxed)))
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
