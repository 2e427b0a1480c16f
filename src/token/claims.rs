use super::{
    TokenError, TokenKey, jws,
    object::read,
    payload::{Ask, rule_of},
    verified::Verified,
};
use crate::{
    id::CorrelationId,
    selection::{Capture, Mode, Rules, Warning, When},
};
use serde::Serialize;
use std::{
    num::NonZeroU32,
    time::{Duration, SystemTime},
};

/// The claims of a token that is to be minted.
///
/// By default the token begins now, and makes every request live at `debug` in all services
/// that have its key, any number of times until it ends.
///
/// ```
/// use dashcam::{selection::When, token::{Claims, TokenKey}};
/// use std::time::Duration;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let key = TokenKey::generate_ed25519("on-call")?;
/// let claims = Claims::new(Duration::from_secs(900))
///     .subject("alice")
///     .when(When::new().method(http::Method::POST).route("/orders/{id}"))
///     .verbose("info,orders=trace")?
///     .uses(3);
/// let token = key.mint(&claims)?;
/// println!("x-dashcam-verbose: {token}");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Claims {
    lifetime: Duration,
    not_before: Option<SystemTime>,
    id: Option<String>,
    subject: Option<String>,
    audience: Option<String>,
    ask: Ask,
}

/// The payload as it is minted.
#[derive(Serialize)]
struct Payload<'c> {
    iat: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    nbf: Option<u64>,
    exp: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    jti: Option<&'c str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sub: Option<&'c str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    aud: Option<&'c str>,
    dashcam: &'c Ask,
}

impl Claims {
    /// Creates claims of a token that ends this long after it is minted. Services refuse more
    /// than [`Tokens::max_lifetime`](super::Tokens::max_lifetime), by default an hour.
    pub fn new(lifetime: Duration) -> Self {
        Self {
            lifetime,
            not_before: None,
            id: None,
            subject: None,
            audience: None,
            ask: Ask::default(),
        }
    }

    /// Sets who asks (`sub`), in at most 64 bytes. Exchanges show it as `token:<subject>`.
    /// Default: none; they show the [`id`](Self::id).
    pub fn subject(mut self, who: impl Into<String>) -> Self {
        self.subject = Some(who.into());
        self
    }

    /// Limits the token to the service of this name (`aud`). Default: all services.
    pub fn audience(mut self, service: impl Into<String>) -> Self {
        self.audience = Some(service.into());
        self
    }

    /// Sets the ID of the token (`jti`), by which services count [`uses`](Self::uses).
    /// Default: a random one.
    pub fn id(mut self, id: impl Into<String>) -> Self {
        self.id = Some(id.into());
        self
    }

    /// Sets when the token begins (`nbf`). Default: at once.
    pub fn not_before(mut self, time: SystemTime) -> Self {
        self.not_before = Some(time);
        self
    }

    /// Limits the token to requests that meet these conditions. A token cannot have
    /// conditions on facts: [`TokenKey::mint`] refuses them. Default: all requests.
    pub fn when(mut self, conditions: When) -> Self {
        self.ask.when = conditions;
        self
    }

    /// Sets which events are shown, or recorded, as
    /// [`Rule::verbose`](crate::selection::Rule::verbose) does. Default: `debug`.
    ///
    /// # Errors
    ///
    /// The text is not a list of directives.
    pub fn verbose(mut self, directives: &str) -> Result<Self, TokenError> {
        directives.parse::<crate::selection::Directives>()?;
        self.ask.verbose = Some(directives.to_owned());
        Ok(self)
    }

    /// Keeps the exchange, and shows nothing in the service's own output. Default: selected
    /// requests are live.
    pub fn record_only(mut self) -> Self {
        self.ask.mode = Mode::Record;
        self
    }

    /// Keeps no bodies, unless the request is kept for another reason, too. Default: bodies are
    /// kept.
    pub fn heads_only(mut self) -> Self {
        self.ask.capture = Capture::Heads;
        self
    }

    /// Sets how many requests each instance of the service accepts the token for; zero counts
    /// as one. Default: not limited.
    pub fn uses(mut self, uses: u32) -> Self {
        self.ask.uses = Some(NonZeroU32::new(uses).unwrap_or(NonZeroU32::MIN));
        self
    }

    /// Limits the token to the request with this correlation ID. Default: all requests.
    pub fn for_request(mut self, id: &CorrelationId) -> Self {
        self.ask.request = Some(id.as_str().to_owned());
        self
    }

    /// Returns what keeps the token from showing anything, as
    /// [`Rules::check`](crate::selection::Rules::check) does for a rule.
    #[must_use]
    pub fn check(&self) -> Vec<Warning> {
        let now = SystemTime::now();
        // `mint` refuses a lifetime that is too long.
        let lifetime = self.lifetime.min(Duration::from_secs(u32::MAX.into()));
        let ends = now.checked_add(lifetime).unwrap_or(now);
        let rule = rule_of(&self.ask, "token".to_owned(), ends);
        let mut found = Rules::new(rule).check(now);
        found.retain(Warning::is_of_every_request);
        found
    }

    fn payload(&self, now: SystemTime) -> Result<Vec<u8>, TokenError> {
        let ends = now.checked_add(self.lifetime).and_then(seconds);
        let (Some(iat), Some(exp)) = (seconds(now), ends) else {
            return Err(TokenError::new(
                "the lifetime is out of range: take a shorter one",
            ));
        };
        let nbf = match self.not_before {
            Some(time) => Some(seconds(time).ok_or(TokenError::new(
                "`not_before` is out of range: take a time after 1970",
            ))?),
            None => None,
        };
        if exp <= nbf.unwrap_or(iat) {
            return Err(TokenError::new(
                "the token would end before it begins: take a longer lifetime",
            ));
        }
        let random;
        let jti = match &self.id {
            Some(id) => Some(id.as_str()),
            // A token for one request needs no ID.
            None if self.ask.request.is_some() => None,
            None => {
                random = random_id();
                Some(random.as_str())
            }
        };
        let payload = Payload {
            iat,
            nbf,
            exp,
            jti,
            sub: self.subject.as_deref(),
            aud: self.audience.as_deref(),
            dashcam: &self.ask,
        };
        serde_json::to_vec(&payload).map_err(|_| TokenError::new("the claims cannot be written"))
    }
}

/// Unique enough to tell tokens apart; an ID that somebody guesses does no harm.
fn random_id() -> String {
    format!("{:032x}", fastrand::u128(..))
}

fn seconds(time: SystemTime) -> Option<u64> {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).ok()?;
    // Above it, a double does not hold every integer.
    Some(since.as_secs()).filter(|seconds| *seconds < 1 << 53)
}

impl TokenKey {
    /// Returns a token with these claims, signed by this key: the value of the header
    /// `x-dashcam-verbose`.
    ///
    /// # Errors
    ///
    /// The key is a public one, or no service would accept the token: a time is out of range, a
    /// condition is on a fact, a text is too long, or the token is longer than 2,048 bytes.
    pub fn mint(&self, claims: &Claims) -> Result<String, TokenError> {
        self.mint_at(claims, SystemTime::now())
    }

    pub(super) fn mint_at(&self, claims: &Claims, now: SystemTime) -> Result<String, TokenError> {
        let payload = claims.payload(now)?;
        let inbound = read(&payload).ok_or(TokenError::new("the claims cannot be read again"))?;
        Verified::new(inbound, b"", self.is_for_calls_only()).map_err(|_| {
            TokenError::new(
                "expected conditions that wait for no fact, and texts of at most 64 bytes \
                 without control characters",
            )
        })?;
        if self.is_for_calls_only() && claims.ask.request.is_none() {
            return Err(TokenError::new(
                "this key mints tokens for one request only: call `for_request`",
            ));
        }
        let token = self.sign(&payload).ok_or(TokenError::new(
            "a public key cannot mint: take the private key",
        ))?;
        if token.len() > jws::MAX_LEN {
            return Err(TokenError::new(
                "the token would be longer than 2,048 bytes: take fewer conditions",
            ));
        }
        Ok(token)
    }
}
