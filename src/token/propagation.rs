use super::{
    Claims, TokenError, TokenKey,
    host::Host,
    verified::{MAX_NAME, PREFIX},
};
use crate::{id::CorrelationId, selection::Selected};
use http::{HeaderValue, Uri};
use std::time::{Duration, SystemTime};

/// Takes the selection of a request along on the calls that it makes.
///
/// Whether a rule or a token selected the request: calls that go out by
/// [`PropagateCorrelationIdLayer`](crate::correlation::PropagateCorrelationIdLayer) or
/// with [`headers`](crate::correlation::headers) to hosts that are allowed
/// carry a token that is good for some seconds, and only with the correlation ID of
/// this request. Who is called verifies it like any other. What a client sent goes
/// nowhere. There is no host that is allowed by itself.
///
/// ```
/// use dashcam::{Dashcam, token::{Propagation, TokenKey, Tokens}};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// // One of its own for each service; those that are called hold the public half.
/// let key = TokenKey::generate_ed25519("orders")?.for_calls_only();
/// let orders = Dashcam::builder()
///     .propagate_selection(Propagation::new(key.clone())?.to("stock:8080")?);
///
/// let public = key.public().expect("it has a public half");
/// let stock = Dashcam::builder().tokens(Tokens::new([public]));
/// # let _ = (orders, stock);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Propagation {
    key: TokenKey,
    hosts: Vec<Host>,
    lifetime: Duration,
}

/// A token lives in seconds that are whole.
const LIFETIMES: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(300));

impl Propagation {
    /// Signs with this key. Those that are called have it, or its public half, in
    /// their [`Tokens`](super::Tokens).
    ///
    /// # Errors
    ///
    /// The key is a public one.
    pub fn new(key: TokenKey) -> Result<Self, TokenError> {
        if !key.can_mint() {
            return Err(TokenError::new("a public key cannot mint"));
        }
        Ok(Self {
            key,
            hosts: Vec::new(),
            lifetime: Duration::from_secs(30),
        })
    }

    /// Adds a host that gets the token: `stock`, `stock:8080`, `[::1]:8080`, or `*.internal`
    /// for every name that ends so, in any spelling of the same host. Without a port it is
    /// every port of the host. Default: none.
    ///
    /// # Errors
    ///
    /// The text is no host.
    pub fn to(mut self, host: &str) -> Result<Self, TokenError> {
        self.hosts.push(host.parse()?);
        Ok(self)
    }

    /// How long a call may be under way until it arrives: default 30 seconds, at
    /// least two, at most five minutes.
    pub fn lifetime(mut self, lifetime: Duration) -> Self {
        self.lifetime = lifetime.clamp(LIFETIMES.0, LIFETIMES.1);
        self
    }

    pub(crate) fn reaches(&self, uri: &Uri) -> bool {
        self.hosts.iter().any(|host| host.matches(uri))
    }

    /// The header of calls, and when it is due to be made anew.
    pub(crate) fn header(
        &self,
        selected: &Selected,
        live: bool,
        request: &CorrelationId,
        now: SystemTime,
    ) -> Option<(HeaderValue, SystemTime)> {
        let mut claims = Claims::new(self.lifetime)
            .subject(subject(&selected.by))
            .verbose(&selected.directives.to_string())
            .ok()?
            .for_request(request);
        if !live {
            claims = claims.record_only();
        }
        if selected.heads_only {
            claims = claims.heads_only();
        }
        let token = self.key.mint_at(&claims, now).ok()?;
        let mut value = HeaderValue::from_maybe_shared(bytes::Bytes::from(token)).ok()?;
        value.set_sensitive(true);
        Some((value, now.checked_add(self.lifetime / 2)?))
    }
}

/// What selected the request, in so far as a token can say it.
fn subject(by: &str) -> &str {
    let by = by.strip_prefix(PREFIX).unwrap_or(by);
    let mut end = by.len().min(MAX_NAME);
    while !by.is_char_boundary(end) {
        end -= 1;
    }
    by.get(..end).unwrap_or_default()
}
