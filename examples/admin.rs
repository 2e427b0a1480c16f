//! A service with an admin router on a private port. `docs/admin.md` uses it.
//!
//! `PORT` and `ADMIN_PORT` set the ports (default: 3000 and 9000), `ADMIN_TOKEN` the token.

use axum::{
    Router,
    extract::Path,
    http::{HeaderMap, StatusCode},
    routing::get,
};
use dashcam::{
    Dashcam,
    admin::{self, Admin},
    export::{JsonLines, Memory},
};
use std::{env, net::SocketAddr};
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let kept = Memory::new(200);
    let directory = env::var_os("DASHCAM_DIR").unwrap_or_else(|| "dashcam".into());
    let dashcam = Dashcam::builder()
        .service("orders", env!("CARGO_PKG_VERSION"))
        .exporter((JsonLines::builder(directory).build(), kept.clone()))
        .build()?;
    dashcam.init_tracing()?;

    let router = Admin::new(dashcam.handle())
        .bearer_token("on-call", env::var("ADMIN_TOKEN").unwrap_or_default())
        .exchanges(kept)
        .router()
        .map_err(|error| error.to_string())?;
    let private = TcpListener::bind(("127.0.0.1", port("ADMIN_PORT", 9000)?)).await?;
    tokio::spawn(admin::serve(private, router));

    let app = Router::<()>::new()
        .route("/orders/{id}", get(order))
        .layer(dashcam.layer());
    let public = TcpListener::bind(("127.0.0.1", port("PORT", 3000)?)).await?;
    axum::serve(
        public,
        app.into_make_service_with_connect_info::<SocketAddr>(),
    )
    .with_graceful_shutdown(async { drop(tokio::signal::ctrl_c().await) })
    .await?;
    Ok(())
}

/// The tenant comes from a header here; in a real service, it comes from authentication.
async fn order(headers: HeaderMap, Path(id): Path<u32>) -> (StatusCode, &'static str) {
    let tenant = headers
        .get("x-tenant")
        .and_then(|value| value.to_str().ok());
    if let Some(request) = dashcam::current() {
        request.fact("tenant", tenant.unwrap_or("nobody"));
    }
    tracing::debug!(id, "looking for the order");
    match id {
        13 => (StatusCode::BAD_GATEWAY, "the store is down\n"),
        _ => (StatusCode::OK, "an order\n"),
    }
}

fn port(name: &str, default: u16) -> Result<u16, std::num::ParseIntError> {
    env::var(name).map_or(Ok(default), |port| port.parse())
}
