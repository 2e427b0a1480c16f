//! A router for a private port: rules, kept exchanges, status, and the switch for everything
//! verbose.
//!
//! ```no_run
//! use dashcam::{Dashcam, admin::{self, Admin}, export::{JsonLines, Memory}};
//! # use axum::{Router, routing::get};
//!
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let kept = Memory::new(200);
//! let files = JsonLines::builder("/var/lib/orders/dashcam").build();
//! let dashcam = Dashcam::builder()
//!     .service("orders", "1.0.0")
//!     .exporter((files, kept.clone()))
//!     .build()?;
//! dashcam.init_tracing()?;
//!
//! let admin = Admin::new(dashcam.handle())
//!     .bearer_token("on-call", std::env::var("ORDERS_ADMIN_TOKEN")?)
//!     .exchanges(kept)
//!     .router()?;
//! // A port of its own, which only the internal network reaches.
//! let private = tokio::net::TcpListener::bind("127.0.0.1:9000").await?;
//! tokio::spawn(admin::serve(private, admin));
//!
//! let app = Router::<()>::new().route("/", get(|| async { "hello" })).layer(dashcam.layer());
//! # let _ = app;
//! # Ok(())
//! # }
//! ```
//!
//! Put a rule, and ask what it would select:
//!
//! ```
//! use axum::{body::Body, http::{Request, StatusCode, header}};
//! use dashcam::{Dashcam, admin::Admin};
//! use tower::ServiceExt;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let dashcam = Dashcam::builder().in_memory(10).build()?;
//! let token = "only-for-this-example-0123456789";
//! let admin = Admin::new(dashcam.handle()).bearer_token("on-call", token).router()?;
//! let ask = |method: &str, path: &str, body: String| {
//!     let request = Request::builder()
//!         .method(method)
//!         .uri(path)
//!         .header(header::AUTHORIZATION, format!("Bearer {token}"))
//!         .body(Body::from(body));
//!     admin.clone().oneshot(request.unwrap())
//! };
//! let rule = r#"{ "expires": "2100-01-01T00:00:00Z", "when": { "fact": { "tenant": "acme" } } }"#;
//! let response = ask("PUT", "/rules/acme", rule.to_owned()).await?;
//! assert_eq!(response.status(), StatusCode::OK);
//!
//! let request = r#"{ "path": "/orders/7", "fact": { "tenant": "acme" } }"#;
//! let response = ask("POST", "/why", request.to_owned()).await?;
//! let body = axum::body::to_bytes(response.into_body(), 10_000).await?;
//! let why: serde_json::Value = serde_json::from_slice(&body)?;
//! assert_eq!(why["selected"], "acme");
//! # Ok(())
//! # }
//! ```
//!
//! `docs/admin.md` lists every path, with curl. Responses are JSON, which no cache may keep;
//! problems are `application/problem+json` (RFC 9457); `/exchanges/ID/curl` is plain text.
//!
//! # Rules
//!
//! The router is one more source of rules. Its rules are in force beside those of the service,
//! its files and other sources, and come after those of the sources that exist when the router
//! is made. The first rule that matches wins, so the response to a change warns if an earlier
//! rule selects everything that a new one could. A text that cannot be read, or a rule that
//! has already ended, changes nothing. The rules are in the memory of this process only: other
//! instances have their own, and a restart forgets them.
//!
//! # Authentication
//!
//! The router answers requests that have one of its tokens, which it compares in constant
//! time. There is no default token: [`Admin::router`] fails if there is no token and
//! [`insecure_no_auth`](Admin::insecure_no_auth) is off. After ten wrong tokens in a minute the
//! router answers an address with 429 until the minute is over, even if the token is right. It
//! knows addresses if it is served with [`serve`] or `into_make_service_with_connect_info`;
//! otherwise all clients share one limit, and anybody can lock out the others.
//!
//! [`serve`] bounds connections and the time of their heads. `axum::serve` does not: a client
//! that reaches the port could use up the file descriptors that the service needs.
//!
//! Every change emits an event at INFO, target `dashcam::audit`: who, from where, what, and
//! until when. It passes every base filter of the gate.
//!
//! # Ordering
//!
//! Serve the router on a port of its own, without
//! [`dashcam.layer()`](crate::Dashcam::layer): its requests are not traffic of the service. If
//! you nest it into another router, layers in front of it see its tokens.

mod answer;
mod asked;
mod attempts;
mod audit;
mod auth;
mod exchanges;
mod router;
mod rules;
mod serve;
mod state;

pub use self::{
    router::{Admin, AdminError},
    serve::serve,
};
