use super::{
    Claims, InvalidTokenKey, TokenKey,
    verified::{MAX_NAME, PREFIX},
};
use crate::{host, id::CorrelationId, selection::Selected};
use http::{HeaderValue, Uri};
use std::{
    fmt,
    str::FromStr,
    time::{Duration, SystemTime},
};

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
///     .propagate_selection(Propagation::new(key.clone())?.to("stock:8080".parse()?));
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
    pub fn new(key: TokenKey) -> Result<Self, InvalidTokenKey> {
        if !key.can_mint() {
            return Err(InvalidTokenKey("a public key cannot mint"));
        }
        Ok(Self {
            key,
            hosts: Vec::new(),
            lifetime: Duration::from_secs(30),
        })
    }

    /// To this host, too.
    pub fn to(mut self, host: Host) -> Self {
        self.hosts.push(host);
        self
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

/// A host that is called: `stock`, `stock:8080`, `[::1]:8080`, or `*.internal` for
/// every name that ends so, in any spelling of the same host. Without a port it is every
/// port of the host.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Host {
    name: String,
    is_suffix: bool,
    port: Option<u16>,
}

impl Host {
    fn matches(&self, uri: &Uri) -> bool {
        let (Some(host), Some(scheme)) = (uri.host(), uri.scheme_str()) else {
            return false;
        };
        let port = uri.port_u16().or(match scheme {
            "http" => Some(80),
            "https" => Some(443),
            _ => None,
        });
        if self.port.is_some() && self.port != port {
            return false;
        }
        let host = host::fold(host);
        if !self.is_suffix {
            return *host == *self.name;
        }
        host.strip_suffix(&*self.name)
            .is_some_and(|before| !before.is_empty())
    }
}

impl FromStr for Host {
    type Err = InvalidHost;

    fn from_str(text: &str) -> Result<Self, InvalidHost> {
        let (name, port) = match text.rsplit_once(':') {
            // Not one inside of an IPv6 address.
            Some((name, port)) if !port.ends_with(']') => {
                let digits = port.bytes().all(|b| b.is_ascii_digit());
                let port = port.parse().ok().filter(|_| digits).ok_or(InvalidHost)?;
                (name, Some(port))
            }
            _ => (text, None),
        };
        let (name, is_suffix) = match name.strip_prefix('*') {
            // Not `*internal`, which is also the end of other domains.
            Some(suffix) => (Some(suffix).filter(|s| s.starts_with('.')), true),
            None => (Some(name), false),
        };
        let name = name.map(host::fold);
        let label = |label: &str| {
            let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
            !label.is_empty() && label.bytes().all(allowed)
        };
        let is_name = |name: &str| {
            let labels = if is_suffix { name.get(1..) } else { Some(name) };
            labels.is_some_and(|labels| labels.split('.').all(label))
        };
        let is_address = |name: &str| {
            let inner = name.strip_prefix('[').and_then(|n| n.strip_suffix(']'));
            !is_suffix && inner.is_some_and(|n| n.parse::<std::net::Ipv6Addr>().is_ok())
        };
        let name = name
            .filter(|name| is_name(name) || is_address(name))
            .ok_or(InvalidHost)?;
        Ok(Self {
            name: name.into_owned(),
            is_suffix,
            port,
        })
    }
}

/// A text is not a host.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct InvalidHost;

impl fmt::Display for InvalidHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("expected a host such as `stock`, `stock:8080` or `*.internal`")
    }
}

impl std::error::Error for InvalidHost {}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(host: &str, uri: &str) -> bool {
        host.parse::<Host>().unwrap().matches(&uri.parse().unwrap())
    }

    #[test]
    fn hosts() {
        for (host, yes, no) in [
            (
                "stock",
                &["http://stock/", "https://STOCK:8080/a", "http://u@stock/"][..],
                &["http://stock.evil/", "http://stock@evil/", "/", "stock:80"][..],
            ),
            (
                "stock:8080",
                &["http://stock:8080/"],
                &["http://stock/", "http://stock:80800/", "http://stock:808/"],
            ),
            ("stock:80", &["http://stock/"], &["https://stock/"]),
            ("stock:443", &["https://stock/"], &["http://stock/"]),
            (
                "*.internal",
                &["http://a.internal/", "http://a.b.INTERNAL:1/"],
                &[
                    "http://internal/",
                    "http://xinternal/",
                    "http://a.internal.evil/",
                ],
            ),
            (
                "[::1]:80",
                &["http://[::1]/"],
                &["http://[::2]/", "http://[::1]:81/"],
            ),
            ("10.0.0.1", &["http://10.0.0.1/"], &["http://10.0.0.11/"]),
            (
                "Stock.Internal.",
                &["http://stock.internal/", "http://STOCK.internal.:80/"],
                &["http://stock.internal.evil/"],
            ),
            (
                "*.internal",
                &["http://a.internal./"],
                &["http://.internal/"],
            ),
            (
                "[0:0::1]",
                &["http://[::1]/", "http://[0:0:0:0:0:0:0:1]:8/"],
                &["http://[::2]/"],
            ),
            (
                "münchen.de",
                &["http://XN--mnchen-3ya.de/"],
                &["http://munchen.de/"],
            ),
        ] {
            for uri in yes {
                assert!(matches(host, uri), "{host} {uri}");
            }
            for uri in no {
                let uri = uri.parse().unwrap_or_default();
                assert!(!host.parse::<Host>().unwrap().matches(&uri), "{host} {uri}");
            }
        }
        for bad in [
            "", "*", "*.", "*x", "a*", "a..b", ".a", "http://a", "a/b", "a:", "a:x", "a:+1",
            "a:99999", "[::1", "[x]", "*.[::1]", "a b", "u@a",
        ] {
            assert!(bad.parse::<Host>().is_err(), "{bad}");
        }
    }
}
