//! Signed tokens in the header `x-dashcam-verbose`, which make single requests verbose for a
//! limited time, here and in the services that the request calls.
//!
//! A token is a JSON Web Token (RFC 7519), signed with HS256 or Ed25519 (RFC 8037).
//! Like a rule, it has conditions, directives and an end. `docs/tokens.md` lists the claims,
//! shows how to mint with other libraries, and explains what a stolen token allows.
//!
//! # Examples
//!
//! Make the key once. Its private half stays with the people on call:
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
//! The service accepts tokens, here with the layer alone, and the request is live:
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
//! The key fixes the algorithm: a token that names another one, or `none`, is refused. So is
//! a token that has no end or one too far away, has not begun or has ended, is for other
//! requests, was used too often, is unsigned or altered, comes twice in a request, or is
//! longer than 2 KiB. The request continues as if it had no token. The log reports each reason
//! once a minute, and [`TokenStatus`] counts all; neither shows a part of the token. The
//! response reports nothing unless
//! [`tell_refusals_in_response`](Tokens::tell_refusals_in_response) is on.
//!
//! # Ordering
//!
//! As for [`VerboseLayer`](crate::verbose::VerboseLayer): if tokens name routes, put the layer
//! inside the router. The layer removes the header from the request, so that code further in
//! cannot forward the token.

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
