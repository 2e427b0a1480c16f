use super::{
    Claims, TokenError, TokenKey,
    host::Host,
    verified::{MAX_NAME, PREFIX},
};
use crate::{id::CorrelationId, selection::Selected};
use http::{HeaderValue, Uri};
use std::time::{Duration, SystemTime};

/// Propagates the selection of a request to the services that it calls.
///
/// Whether a rule or a token selected the request, its calls carry a new token that is valid
/// for some seconds, and only with the correlation ID of this request. They do so if they go
/// to an allowed host, through
/// [`PropagateCorrelationIdLayer`](crate::correlation::PropagateCorrelationIdLayer) or with
/// [`headers`](crate::correlation::headers). The called service verifies the token like any
/// other. The token that a client sent is never forwarded. No host is allowed by default.
///
/// ```
/// use dashcam::{Dashcam, token::{Propagation, TokenKey, Tokens}};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// // Each service has a key of its own. The called services hold its public half.
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

/// Bounds of the lifetime: tokens have whole seconds.
const LIFETIMES: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(300));

impl Propagation {
    /// Creates a propagation that signs with this key. The called services need the key, or
    /// its public half, in their [`Tokens`](super::Tokens).
    ///
    /// # Errors
    ///
    /// The key is a public one.
    pub fn new(key: TokenKey) -> Result<Self, TokenError> {
        if !key.can_mint() {
            return Err(TokenError::new(
                "a public key cannot mint: take the private key",
            ));
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

    /// Sets how long a call may take to arrive. Default: 30 seconds; at least two seconds, at
    /// most five minutes.
    pub fn lifetime(mut self, lifetime: Duration) -> Self {
        self.lifetime = lifetime.clamp(LIFETIMES.0, LIFETIMES.1);
        self
    }

    pub(crate) fn reaches(&self, uri: &Uri) -> bool {
        self.hosts.iter().any(|host| host.matches(uri))
    }

    /// Returns the header of calls, and when to make a new one.
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

/// What selected the request, as far as it fits into a token.
fn subject(by: &str) -> &str {
    let by = by.strip_prefix(PREFIX).unwrap_or(by);
    let mut end = by.len().min(MAX_NAME);
    while !by.is_char_boundary(end) {
        end -= 1;
    }
    by.get(..end).unwrap_or_default()
}
