use super::TokenError;
use crate::host;
use http::Uri;
use std::str::FromStr;

/// A host that is called, in its one spelling. Without a port it is every port of the host.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Host {
    name: String,
    is_suffix: bool,
    port: Option<u16>,
}

impl Host {
    pub(super) fn matches(&self, uri: &Uri) -> bool {
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
    type Err = TokenError;

    fn from_str(text: &str) -> Result<Self, TokenError> {
        let (name, port) = match text.rsplit_once(':') {
            // Not one inside of an IPv6 address.
            Some((name, port)) if !port.ends_with(']') => {
                let digits = port.bytes().all(|b| b.is_ascii_digit());
                let port = port.parse().ok().filter(|_| digits).ok_or(EXPECTED)?;
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
            .ok_or(EXPECTED)?;
        Ok(Self {
            name: name.into_owned(),
            is_suffix,
            port,
        })
    }
}

const EXPECTED: TokenError =
    TokenError::new("expected a host such as `stock`, `stock:8080` or `*.internal`");

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
