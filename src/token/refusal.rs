use serde::Serialize;
use std::{
    collections::BTreeMap,
    fmt,
    sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed},
};

/// Why a token was refused.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Refusal {
    /// The peer is unknown, or in none of the networks of
    /// [`Tokens::clients`](super::Tokens::clients).
    Client,
    /// The request has two headers.
    Repeated,
    /// The token is longer than 2,048 bytes.
    Oversized,
    /// It is not a JSON Web Token.
    Malformed,
    /// No key has its `kid`.
    Key,
    /// The algorithm is not that of the key.
    Algorithm,
    /// It was not checked: too many bad tokens came in this second.
    Limited,
    /// Its signature is invalid.
    Signature,
    /// Its claims cannot be read.
    Claims,
    /// It is for another service.
    Audience,
    /// It has no end, or one too far away.
    Lifetime,
    /// It has ended.
    Expired,
    /// It has not begun.
    NotYet,
    /// It is for another request, or names none although its key is for calls only.
    Request,
    /// It is not for requests like this one.
    Scope,
    /// It was used as often as its `uses` allow.
    Uses,
    /// Too many tokens with limited uses are in use.
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

    /// Returns the reason in one word, as in JSON, for a metric.
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

    /// Returns the value of the response header if
    /// [`Tokens::tell_refusals_in_response`](super::Tokens::tell_refusals_in_response) is on. It
    /// is `refused` unless somebody with the key made the token, so that guesses reveal neither
    /// keys nor networks.
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

    /// Returns the reason as a sentence in lower case, for operators of the service.
    #[must_use]
    pub fn in_words(self) -> &'static str {
        match self {
            Self::Client => {
                "the peer of its connection is in none of the networks of `Tokens::clients`, or \
                 is not known"
            }
            Self::Repeated => "the request has the header twice",
            Self::Oversized => "it is longer than 2,048 bytes",
            Self::Malformed => "it is not a JSON Web Token in compact form",
            Self::Key => "no key of the service has its `kid`",
            Self::Algorithm => "its algorithm is not that of the key",
            Self::Limited => {
                "it was not checked, because too many bad tokens came in this second: try again"
            }
            Self::Signature => "its signature is invalid",
            Self::Claims => "its claims cannot be read",
            Self::Audience => "it is for another service",
            Self::Lifetime => "it has no end, or one that is too far away",
            Self::Expired => "it has ended",
            Self::NotYet => "it has not begun",
            Self::Request => "it is for another request, or its key is for calls only",
            Self::Scope => "it is not for requests like this one",
            Self::Uses => "it was used as often as its `uses` allow",
            Self::Full => "too many tokens with limited uses are in use",
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How many tokens were accepted and refused since the start of the process.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct TokenStatus {
    /// Accepted tokens. [`VerboseStatus::by_header`](crate::selection::VerboseStatus::by_header)
    /// counts what budgets made of them.
    pub accepted: u64,
    /// Refused tokens by reason.
    pub refused: BTreeMap<Refusal, u64>,
}

#[derive(Debug, Default)]
pub(super) struct Counters {
    accepted: AtomicU64,
    refused: [AtomicU64; Refusal::ALL.len()],
    /// When the log reported each reason, and how many tokens had been refused by then.
    told: [Told; Refusal::ALL.len()],
}

#[derive(Debug, Default)]
struct Told {
    /// The second after it; 0 is never.
    at: AtomicU32,
    of: AtomicU64,
}

/// How long the log does not repeat a reason, in seconds.
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

    /// Returns how many tokens were refused for this reason since the log reported it, if it
    /// is time to report it again.
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
