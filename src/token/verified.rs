//! A token with a valid signature.

use super::{
    Refusal,
    payload::{Ask, Audience, Inbound, rule_of},
};
use crate::selection::{Arrival, Rule, Scope};
use sha2::{Digest, Sha256};
use std::{
    num::NonZeroU32,
    time::{Duration, SystemTime},
};

/// SHA-256.
pub(super) type Hash = [u8; 32];

/// A token with a valid signature.
#[derive(Debug)]
pub(crate) struct Verified {
    pub(super) rule: Rule,
    scope: Scope,
    begins: Option<SystemTime>,
    pub(super) uses: Option<NonZeroU32>,
    pub(super) id: Hash,
    pub(super) audience: Option<Audience>,
    pub(super) request: Option<String>,
    for_calls_only: bool,
}

/// The longest subject, in bytes.
pub(super) const MAX_NAME: usize = 64;

impl Verified {
    pub(super) fn new(claims: Inbound, id: &[u8], for_calls_only: bool) -> Result<Self, Refusal> {
        let name = claims.sub.or(claims.jti).unwrap_or_default();
        if name.len() > MAX_NAME || name.contains(char::is_control) {
            return Err(Refusal::Claims);
        }
        let ends = claims.exp.and_then(time).ok_or(Refusal::Lifetime)?;
        let begins = match claims.nbf {
            Some(seconds) => Some(time(seconds).ok_or(Refusal::Claims)?),
            None => None,
        };
        let ask: Ask = claims.dashcam;
        let rule = rule_of(&ask, format!("{PREFIX}{name}"), ends).ok_or(Refusal::Claims)?;
        let scope = Scope::of(&rule).ok_or(Refusal::Claims)?;
        Ok(Self {
            rule,
            scope,
            begins,
            uses: ask.uses,
            id: hash(&[id]),
            audience: claims.aud,
            request: ask.request,
            for_calls_only,
        })
    }

    pub(crate) fn rule(&self) -> &Rule {
        &self.rule
    }

    pub(super) fn ends(&self) -> SystemTime {
        self.rule.expires()
    }

    pub(super) fn is_in_time(
        &self,
        max_lifetime: Duration,
        skew: Duration,
        now: SystemTime,
    ) -> Result<(), Refusal> {
        if now >= after(self.ends(), skew) {
            return Err(Refusal::Expired);
        }
        let left = self.ends().duration_since(now).unwrap_or_default();
        if left > max_lifetime.saturating_add(skew) {
            return Err(Refusal::Lifetime);
        }
        match self.begins {
            Some(begins) if begins > after(now, skew) => Err(Refusal::NotYet),
            _ => Ok(()),
        }
    }

    pub(super) fn is_for(&self, arrival: &Arrival<'_>) -> Result<(), Refusal> {
        match &self.request {
            Some(id) if id != arrival.correlation_id => return Err(Refusal::Request),
            None if self.for_calls_only => return Err(Refusal::Request),
            _ => {}
        }
        if self.scope.has(arrival) {
            Ok(())
        } else {
            Err(Refusal::Scope)
        }
    }

    #[cfg(test)]
    pub(super) fn sample(ends: SystemTime) -> Self {
        let claims = Inbound {
            exp: ends
                .duration_since(SystemTime::UNIX_EPOCH)
                .ok()
                .map(|since| since.as_secs_f64()),
            nbf: None,
            jti: None,
            sub: None,
            aud: None,
            dashcam: Ask::default(),
        };
        Self::new(claims, b"", false).unwrap()
    }
}

/// The prefix of the subject in exchanges.
pub(super) const PREFIX: &str = "token:";

/// A `NumericDate` of RFC 7519, section 2.
pub(super) fn time(seconds: f64) -> Option<SystemTime> {
    let since = Duration::try_from_secs_f64(seconds.max(0.0)).ok()?;
    SystemTime::UNIX_EPOCH.checked_add(since)
}

pub(super) fn hash(parts: &[&[u8]]) -> Hash {
    let mut hash = Sha256::new();
    parts.iter().for_each(|part| hash.update(part));
    hash.finalize().into()
}

pub(super) fn after(time: SystemTime, by: Duration) -> SystemTime {
    time.checked_add(by).unwrap_or(time)
}
