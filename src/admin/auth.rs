//! Authentication.

use super::{
    answer::Problem,
    attempts::Attempts,
    audit::{self, Who},
};
use crate::{
    host,
    selection::{Address, second},
};
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::net::IpAddr;

/// The shortest token, in characters: 24 random bytes in base64.
pub(super) const SHORTEST: usize = 32;

type Tag = Hmac<Sha256>;

/// Which requests are answered.
pub(super) enum Access {
    Tokens(Tokens),
    /// All but those of browsers, which any web page can make send requests to any address
    /// that they reach.
    Anybody,
}

/// Tokens as tags under a key of this process: a comparison takes the same time for all
/// tokens of one length, and no token stays in memory.
pub(super) struct Tokens {
    key: Tag,
    known: Vec<(String, Vec<u8>)>,
}

impl Tokens {
    pub(super) fn new(tokens: &[(String, String)]) -> Option<Self> {
        let mut key = [0; 32];
        getrandom::fill(&mut key).ok()?;
        let key = Tag::new_from_slice(&key).ok()?;
        let tag = |token: &str| {
            let mut tag = key.clone();
            tag.update(token.as_bytes());
            tag.finalize().into_bytes().to_vec()
        };
        let known = tokens.iter().map(|(who, token)| (who.clone(), tag(token)));
        let known = known.collect();
        Some(Self { key, known })
    }

    /// Returns whose token this is. It always compares all of them.
    fn who(&self, token: &[u8]) -> Option<&str> {
        let mut tag = self.key.clone();
        tag.update(token);
        let mut found = None;
        for (who, known) in &self.known {
            if tag.clone().verify_slice(known).is_ok() {
                found = Some(who.as_str());
            }
        }
        found
    }
}

impl Access {
    pub(super) fn check(
        &self,
        headers: &HeaderMap,
        uri: &Uri,
        peer: Option<Address>,
        attempts: &Attempts,
    ) -> Result<Who, Problem> {
        let name = match self {
            Self::Tokens(tokens) => {
                let now = second();
                attempts.may_try(peer, now).map_err(too_many)?;
                // A request without a token is no guess.
                if !headers.contains_key(header::AUTHORIZATION) {
                    return Err(unauthorized());
                }
                let who = bearer(headers).and_then(|token| tokens.who(token));
                who.map(str::to_owned).ok_or_else(|| {
                    if let Some(said) = attempts.failed(peer, now) {
                        audit::wrong(peer.map(Address::ip), &said);
                    }
                    unauthorized()
                })?
            }
            Self::Anybody => {
                no_browser(headers, uri)?;
                "anybody".to_owned()
            }
        };
        let peer = peer.map(Address::ip);
        Ok(Who { name, peer })
    }
}

/// Returns the token of the `authorization` header, if there is exactly one.
fn bearer(headers: &HeaderMap) -> Option<&[u8]> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return None;
    };
    let (scheme, token) = value.as_bytes().split_at_checked(7)?;
    scheme
        .eq_ignore_ascii_case(b"bearer ")
        .then(|| token.trim_ascii())
}

fn unauthorized() -> Problem {
    let detail = "send a token of the admin router: `authorization: Bearer …`";
    let challenge = HeaderValue::from_static("Bearer realm=\"dashcam\"");
    Problem::new(StatusCode::UNAUTHORIZED, detail).header(header::WWW_AUTHENTICATE, challenge)
}

fn too_many(seconds: u32) -> Problem {
    let detail = format!("this address sent too many wrong tokens; wait {seconds} s");
    let problem = Problem::new(StatusCode::TOO_MANY_REQUESTS, detail);
    problem.header(header::RETRY_AFTER, seconds.into())
}

/// Refuses requests that a browser sends for a page: with `origin`, with `sec-fetch-site`, or
/// to a host name, which any name server can point here.
fn no_browser(headers: &HeaderMap, uri: &Uri) -> Result<(), Problem> {
    let refused = |detail: &str| Err(Problem::new(StatusCode::FORBIDDEN, detail));
    let is_page = |name: &str| {
        headers.get(name).is_some_and(|value| {
            let value = value.as_bytes();
            name == "origin" || value != b"none"
        })
    };
    if is_page("origin") || is_page("sec-fetch-site") {
        return refused(
            "without authentication the router answers no browser; use curl, or a token",
        );
    }
    let named = headers.get(header::HOST).map(HeaderValue::to_str);
    let named = named.and_then(Result::ok).or_else(|| uri.host());
    match named.map(|host| host::fold(host::split(host).0)) {
        Some(host) if host == "localhost" || is_address(&host) => Ok(()),
        _ => refused(
            "without authentication the host must be localhost or an address, because any name \
             can point here; use the address, or a token",
        ),
    }
}

fn is_address(host: &str) -> bool {
    let inner = host.strip_prefix('[').and_then(|h| h.strip_suffix(']'));
    inner.unwrap_or(host).parse::<IpAddr>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_of_requests_that_nobody_authenticates() {
        let may = |host: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::HOST, HeaderValue::from_static(host));
            no_browser(&headers, &Uri::from_static("/status")).is_ok()
        };
        for host in [
            "localhost",
            "LocalHost:1",
            "127.0.0.1:9000",
            "[::1]:9000",
            "[::1]",
            "10.0.0.7",
        ] {
            assert!(may(host), "{host}");
        }
        for host in [
            "",
            "evil.example",
            "evil.example:9000",
            "127.0.0.1.evil.example",
            "[::1",
            ":80",
        ] {
            assert!(!may(host), "{host}");
        }
    }
}
