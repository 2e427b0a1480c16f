//! Signed tokens that make single requests verbose: in the header
//! `x-dashcam-verbose`, for a limited time, and on through the services that the
//! request calls.
//!
//! A token is a JSON Web Token (RFC 7519), signed with HS256 or Ed25519 (RFC 8037).
//! It says what a rule says: which requests it is for, what to show, and when it
//! ends. `docs/tokens.md` has the claims one by one, how to mint with other
//! libraries, and what a stolen token is good for.
//!
//! # Examples
//!
//! The key, once; the private half stays with who is on call:
//!
//! ```
//! use dashcam::token::TokenKey;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let key = TokenKey::generate_ed25519("on-call-2026")?;
//! let public = key.public().expect("it has a public half").to_jwk();
//! assert!(public.starts_with(r#"{"kty":"OKP","kid":"on-call-2026","alg":"EdDSA""#));
//! # Ok(())
//! # }
//! ```
//!
//! The service, here by the layer alone, and a request that is live:
//!
//! ```
//! use dashcam::{token::{Claims, TokenKey, Tokens}, verbose::VerboseLayer};
//! use http::{Request, Response};
//! use http_body_util::Full;
//! use std::{convert::Infallible, time::Duration};
//! use tower::{ServiceBuilder, ServiceExt, service_fn};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let key = TokenKey::generate_ed25519("on-call")?;
//! # let jwk = key.public().expect("it has a public half").to_jwk();
//! let tokens = Tokens::new([TokenKey::from_jwk(&jwk)?]).tell_in_response(true);
//! let service = ServiceBuilder::new()
//!     .layer(VerboseLayer::new().tokens(tokens.clone()))
//!     .service(service_fn(|request: Request<_>| async move {
//!         # let _: Request<dashcam::lifecycle::RequestBody<Full<bytes::Bytes>>> = request;
//!         assert!(dashcam::current().is_some_and(|request| request.is_live()));
//!         Ok::<_, Infallible>(Response::new(Full::<bytes::Bytes>::default()))
//!     }));
//!
//! let token = key.mint(&Claims::new(Duration::from_secs(600)).subject("alice"))?;
//! let request = Request::get("/").header("x-dashcam-verbose", token);
//! let response = service.oneshot(request.body(Full::default())?).await?;
//! assert_eq!(response.headers()["x-dashcam-verbose"], "live");
//! assert_eq!(tokens.status().accepted, 1);
//! # Ok(())
//! # }
//! ```
//!
//! # What is refused
//!
//! The key fixes the algorithm; a token that says another one, or `none`, is
//! refused. So is one without an end, with an end too far away, before or after its
//! time, for other requests, used too often, unsigned, altered, repeated, or longer
//! than 2 KiB. The log says why, once a minute for each reason, [`TokenStatus`] counts, and
//! nobody else is told, but on request: the request goes on as if there
//! had been none, and what was sent is written nowhere.
//!
//! # Ordering
//!
//! As for [`VerboseLayer`](crate::verbose::VerboseLayer): inside the router where
//! tokens name routes. The layer takes the header out of the request, so that code
//! further in which hands headers on does not hand on somebody's token.

mod claims;
mod error;
mod host;
mod inspect;
mod jws;
mod key;
mod memory;
mod object;
mod payload;
mod propagation;
mod refusal;
#[cfg(test)]
mod tests;
mod tokens;
mod verified;

pub use self::{
    claims::Claims,
    error::TokenError,
    inspect::Inspected,
    key::TokenKey,
    propagation::Propagation,
    refusal::{Refusal, TokenStatus},
    tokens::Tokens,
};
