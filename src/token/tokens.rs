use super::{
    Refusal, TokenError, TokenKey, TokenStatus,
    jws::{Compact, MAX_LEN},
    key::ED25519,
    memory::{Known, Used},
    object::read,
    payload::{Audience, Inbound},
    refusal::Counters,
    verified::{Verified, after, hash},
};
use crate::{
    foreign,
    selection::{Arrival, Guesses, Network, Rule, VERBOSE_HEADER as HEADER, second},
};
use http::{HeaderMap, HeaderValue};
use std::{
    fmt,
    sync::Arc,
    time::{Duration, SystemTime},
};

/// The tokens that a service accepts; see the [module page](super).
///
/// Clones share counters and uses.
#[derive(Clone)]
#[must_use]
pub struct Tokens {
    pub(super) keys: Arc<[TokenKey]>,
    pub(super) service: Option<String>,
    pub(super) max_lifetime: Duration,
    pub(super) skew: Duration,
    clients: Arc<[Network]>,
    /// In units of [`TokenKey::cost`].
    limit: u32,
    tells: bool,
    tells_refusals: bool,
    state: Arc<State>,
}

#[derive(Debug, Default)]
struct State {
    counters: Counters,
    guesses: Guesses<1>,
    known: Known,
    used: Used,
}

const MAX_SKEW: Duration = Duration::from_secs(300);

/// The time of a check.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment {
    pub(super) time: SystemTime,
    pub(super) second: u32,
}

impl Tokens {
    /// Accepts tokens of these keys. A token names its key, unless there is only one. To
    /// exchange a key, accept the old and the new one until the tokens of the old one have
    /// ended. If two keys have the same ID, the first one is used.
    pub fn new(keys: impl IntoIterator<Item = TokenKey>) -> Self {
        Self {
            keys: keys.into_iter().collect(),
            service: None,
            max_lifetime: Duration::from_secs(3600),
            skew: Duration::from_secs(30),
            clients: Arc::default(),
            limit: 200 * ED25519,
            tells: false,
            tells_refusals: false,
            state: Arc::default(),
        }
    }

    /// Sets the name of this service. A token with an audience (`aud`) must name it. Default:
    /// the [service](crate::kit::DashcamBuilder::service) of the [`Dashcam`](crate::Dashcam);
    /// without one, such tokens are refused.
    pub fn service(mut self, name: impl Into<String>) -> Self {
        self.service = Some(name.into());
        self
    }

    pub(crate) fn service_is(self, name: &str) -> Self {
        match self.service {
            Some(_) => self,
            None => self.service(name),
        }
    }

    /// Sets how far away the end of a token may be. Default: one hour.
    pub fn max_lifetime(mut self, lifetime: Duration) -> Self {
        self.max_lifetime = lifetime;
        self
    }

    /// Sets how much the clocks of minting and verifying machines may differ. Default: 30
    /// seconds; at most five minutes. A token is valid that much longer at both ends.
    pub fn clock_skew(mut self, skew: Duration) -> Self {
        self.skew = skew.min(MAX_SKEW);
        self
    }

    /// Sets the networks whose peers may use tokens, in CIDR notation, such as `10.0.0.0/8`,
    /// or as one address. Default: all. It is the [`Peer`](crate::selection::Peer) of the
    /// connection; an unknown peer is in none.
    ///
    /// # Errors
    ///
    /// A text is no address and no network, or its address has bits beyond the prefix.
    pub fn clients<T: AsRef<str>>(
        mut self,
        networks: impl IntoIterator<Item = T>,
    ) -> Result<Self, TokenError> {
        let networks = networks.into_iter().map(|network| network.as_ref().parse());
        self.clients = networks.collect::<Result<_, _>>()?;
        Ok(self)
    }

    /// Sets how many Ed25519 signatures of bad tokens are checked in a second. Default: 200,
    /// which takes some percent of one core. One address gets half of it at most. An HS256
    /// signature counts as a fiftieth. Tokens that were accepted lately need no check.
    pub fn bad_signatures_per_second(mut self, limit: u32) -> Self {
        self.limit = limit.saturating_mul(ED25519);
        self
    }

    /// Sets whether the response to a request whose token was accepted has the header
    /// `x-dashcam-verbose`: `live`, `recorded`, or `budget` if a budget was used up. Default:
    /// `false`. Refused tokens are the matter of
    /// [`tell_refusals_in_response`](Self::tell_refusals_in_response).
    pub fn tell_in_response(mut self, on: bool) -> Self {
        self.tells = on;
        self
    }

    /// Sets whether the response to a request whose token was refused has the header
    /// `x-dashcam-verbose`: `refused`, and, if somebody with the key made the token, the
    /// [category](Refusal::category), such as `refused; time`. Default: `false`. The log always
    /// reports the reason, each once a minute.
    pub fn tell_refusals_in_response(mut self, on: bool) -> Self {
        self.tells_refusals = on;
        self
    }

    /// Returns how many tokens were accepted and refused.
    #[must_use]
    pub fn status(&self) -> TokenStatus {
        self.state.counters.status()
    }

    pub(crate) fn tells(&self) -> bool {
        self.tells
    }

    pub(crate) fn tells_refusals(&self) -> bool {
        self.tells_refusals
    }

    /// Returns what the token of a request asks for, or why it is refused; `None` if there is
    /// none. The log reports each reason once a minute, and no part of the token.
    pub(crate) fn accept(
        &self,
        headers: &HeaderMap,
        arrival: &Arrival<'_>,
    ) -> Option<Result<Accepted, Refusal>> {
        headers.get(HEADER)?;
        let now = Moment {
            time: arrival.at,
            second: second(),
        };
        let checked = self.check(headers, arrival, now);
        match &checked {
            Ok(_) => self.state.counters.accept(),
            Err(why) => {
                self.state.counters.refuse(*why);
                self.tell(*why, arrival, now.second);
            }
        }
        Some(checked.map(|verified| Accepted {
            // A token for one request lasts until the request ends.
            until: match verified.request {
                Some(_) => None,
                None => Some(after(verified.ends(), self.skew)),
            },
            verified,
        }))
    }

    fn tell(&self, why: Refusal, arrival: &Arrival<'_>, second: u32) {
        if let Some(refused) = self.state.counters.to_tell(why, second) {
            let warn = || {
                tracing::warn!(
                    target: crate::targets::TOKEN_TARGET,
                    reason = why.as_str(),
                    refused,
                    correlation_id = arrival.correlation_id,
                    "a token was refused: {}",
                    why.in_words(),
                );
            };
            // A layer that panics must not end the request.
            foreign::run(warn);
        }
    }

    pub(super) fn check(
        &self,
        headers: &HeaderMap,
        arrival: &Arrival<'_>,
        now: Moment,
    ) -> Result<Arc<Verified>, Refusal> {
        let inside = |client| self.clients.iter().any(|network| network.has(client));
        if !self.clients.is_empty() && !arrival.client.is_some_and(inside) {
            return Err(Refusal::Client);
        }
        let mut values = headers.get_all(HEADER).iter();
        let token = values.next().ok_or(Refusal::Malformed)?;
        // Nobody can know which one is meant.
        if values.next().is_some() {
            return Err(Refusal::Repeated);
        }
        if token.len() > MAX_LEN {
            return Err(Refusal::Oversized);
        }
        let verified = self.verified(token, arrival, now)?;
        verified.is_for(arrival)?;
        if let Some(uses) = verified.uses {
            let until = after(verified.ends(), self.skew);
            self.state.used.take(&verified.id, uses, until, now.time)?;
        }
        Ok(verified)
    }

    /// Returns the token if its signature and its time are valid.
    fn verified(
        &self,
        token: &HeaderValue,
        arrival: &Arrival<'_>,
        now: Moment,
    ) -> Result<Arc<Verified>, Refusal> {
        let text = token.to_str().map_err(|_| Refusal::Malformed)?;
        let compact = Compact::split(text).ok_or(Refusal::Malformed)?;
        // Clones may have different service names.
        let service = self.service.as_deref().unwrap_or_default();
        let hash = hash(&[service.as_bytes(), b"\0", text.as_bytes()]);
        let state = &*self.state;
        if let Some(known) = state.known.get(&hash) {
            // A clone with another service name shares the known tokens.
            self.is_meant(known.audience.as_ref())?;
            let checked = known.is_in_time(self.max_lifetime, self.skew, now.time);
            if checked.is_err() {
                state.known.remove(&hash);
            }
            return checked.map(|()| known);
        }
        let key = compact.key(&self.keys)?;
        // One address gets half of it at most: a flood from it leaves the other half to the
        // rest. Unknown peers are one.
        let own = match arrival.client {
            Some(_) => self.limit.div_ceil(2),
            None => self.limit,
        };
        let guess = state
            .guesses
            .take(arrival.client, key.cost(), (own, self.limit), now.second)
            .ok_or(Refusal::Limited)?;
        // The payload is read only after the signature is verified.
        let payload = compact.verified(key)?;
        let claims: Inbound = read(&payload).ok_or(Refusal::Claims)?;
        self.is_meant(claims.aud.as_ref())?;
        let id = id(key, &claims, compact);
        let verified = Verified::new(claims, &id, key.is_for_calls_only())?;
        verified.is_in_time(self.max_lifetime, self.skew, now.time)?;
        state.guesses.give_back(&guess);
        let verified = Arc::new(verified);
        // A token for one request does not come again.
        if verified.request.is_none() {
            state.known.insert(hash, &verified);
        }
        Ok(verified)
    }

    pub(super) fn is_meant(&self, audience: Option<&Audience>) -> Result<(), Refusal> {
        let has = |audience: &Audience| self.service.as_ref().is_some_and(|us| audience.has(us));
        match audience {
            Some(audience) if !has(audience) => Err(Refusal::Audience),
            _ => Ok(()),
        }
    }
}

/// Returns what uses are counted by: the key, and the ID of the token or else its signed text.
fn id(key: &TokenKey, claims: &Inbound, compact: Compact<'_>) -> Vec<u8> {
    let own = claims.jti.as_deref();
    let (kind, id) = match own {
        Some(id) => ("jti", id),
        None => ("jws", compact.signed),
    };
    [key.id(), kind, id].join("\0").into_bytes()
}

/// A token that is accepted.
#[derive(Debug)]
pub(crate) struct Accepted {
    verified: Arc<Verified>,
    until: Option<SystemTime>,
}

impl Accepted {
    /// Returns the rule that does the same.
    pub(crate) fn rule(&self) -> &Rule {
        &self.verified.rule
    }

    /// Returns when the selected request stops being verbose; `None` is at its end.
    pub(crate) fn until(&self) -> Option<SystemTime> {
        self.until
    }
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tokens")
            .field("keys", &self.keys)
            .field("service", &self.service)
            .finish_non_exhaustive()
    }
}
