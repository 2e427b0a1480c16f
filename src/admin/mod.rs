//! A router for a private port: rules, kept exchanges, status, and the switch.
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
//! // A port of its own, that only the inside of the network reaches.
//! let private = tokio::net::TcpListener::bind("127.0.0.1:9000").await?;
//! tokio::spawn(admin::serve(private, admin));
//!
//! let app = Router::<()>::new().route("/", get(|| async { "hello" })).layer(dashcam.layer());
//! # let _ = app;
//! # Ok(())
//! # }
//! ```
//!
//! A rule for half an hour, and what it would select:
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
//! `docs/admin.md` has every path, with curl. All answers are JSON, problems
//! `application/problem+json` (RFC 9457), and none may be cached.
//!
//! # Rules
//!
//! The router's rules are one more source beside the others, and all are in force:
//! they come after those of the service, its files and other sources that were
//! there when the router was made. The first rule that matches wins, so an answer
//! to a change warns where a rule before selects everything that a new one could.
//! What cannot be read, or would have ended already, changes nothing. They are in
//! the memory of this process only: other instances have their own, and a restart
//! forgets them.
//!
//! # Who is answered
//!
//! Whoever has a token, compared in constant time. There is no default, and a
//! router that nobody could use, or everybody without anyone having said so, is not
//! made. After ten wrong tokens in a minute an address is answered 429, also with
//! the right one, until the minute is over. Addresses are known where the
//! router is served with [`serve`], or with `into_make_service_with_connect_info`; where
//! they are not, all are one, and anybody can lock the others out.
//!
//! [`serve`] bounds connections and the time of their heads. Other servers that share the
//! process with the service have to do so themselves: `axum::serve` does not, and who
//! reaches the port could use up the descriptors that the service needs.
//!
//! Every change leaves an event at INFO, target `dashcam::audit`: who, from where,
//! what, and until when. It passes every base filter of the gate.
//!
//! # Ordering
//!
//! Serve it on a port of its own, without [`dashcam.layer()`](crate::Dashcam::layer):
//! requests to it are no traffic of the service. Where it is nested into another
//! router, what that router does in front of it sees its tokens.

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
