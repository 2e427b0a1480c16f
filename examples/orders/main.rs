//! An order service with two bugs that its tests did not find, a payment provider
//! that fails on large amounts, and the exchanges that dashcam keeps of them.
//!
//! ```text
//! cargo run --example orders             # sends requests, prints what was kept, keeps serving
//! cargo run --example orders -- --once   # the same, but exits
//! ```
//!
//! `PORT` sets the port (default: 3000; 0 picks a free one). `DASHCAM_DIR` sets the
//! directory of the exchange files (default: `./dashcam`). With the feature `config`,
//! `RULES_FILE` sets a rules file. The service is in `orders.rs`, endpoints to try are in
//! `tools.rs`. `docs/walkthrough.md` finds its bugs, as on call.
//!
//! Rust's own message about a panic goes to standard error, unredacted. Here it contains
//! the name of a customer.

mod account;
mod client;
mod deliveries;
mod orders;
mod payments;
mod tools;
mod visitors;

use axum::{
    Router,
    extract::Request,
    middleware::{self, Next},
    response::Response,
};
use dashcam::{
    Dashcam,
    redact::{Action, Policy},
};
use std::{
    env,
    error::Error,
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};
use tokio::{net::TcpListener, signal, sync::oneshot, time::timeout};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    // Items are no secret, and without them no order can be sent again. The tenant is what
    // somebody on call searches for.
    let policy = Policy::strict()
        .field("item", Action::Keep)
        .field("tenant", Action::Keep)
        .header("x-tenant", Action::Keep);
    let builder = Dashcam::builder()
        .service("orders", env!("CARGO_PKG_VERSION"))
        .policy(policy);
    #[cfg(feature = "config")]
    let builder = match env::var_os("RULES_FILE") {
        Some(file) => builder.rules_file(file),
        None => builder,
    };
    let dashcam = builder.build()?;
    dashcam.init_tracing()?;
    let app = Router::new()
        .merge(orders::routes().await?)
        .merge(deliveries::routes())
        .merge(tools::routes())
        .layer(middleware::from_fn(tenant))
        .layer(dashcam.layer());

    let port = env::var("PORT").map_or(Ok(3000), |port| port.parse())?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))
        .await
        .map_err(|error| format!("port {port}: {error}"))?;
    let base = format!("http://{}", listener.local_addr()?);
    println!("listening on {base}");
    let (stop, stopped) = oneshot::channel::<()>();
    let server = axum::serve(
        listener,
        app.into_make_service_with_connect_info::<SocketAddr>(),
    )
    .with_graceful_shutdown(async {
        let _ = stopped.await;
    });
    let server = tokio::spawn(server.into_future());

    let once = env::args().any(|argument| argument == "--once");
    let visits = visitors::visit(&base).await?;
    account::print(&dashcam, &visits, (!once).then_some(&*base))?;
    if !once {
        println!("\nStill listening on {base}; press Ctrl-C to stop.");
        asked_to_end().await?;
    }
    // Requests in flight may finish, but endless streams do not delay the end.
    let _ = stop.send(());
    let _ = timeout(Duration::from_secs(1), server).await;
    Ok(())
}

/// States the tenant of a request. A real service knows it from authentication.
async fn tenant(request: Request, next: Next) -> Response {
    let tenant = request.headers().get("x-tenant");
    if let (Some(current), Some(Ok(tenant))) = (dashcam::current(), tenant.map(|t| t.to_str())) {
        current.fact("tenant", tenant);
    }
    next.run(request).await
}

/// Waits for Ctrl-C, or for SIGTERM from a supervisor.
async fn asked_to_end() -> std::io::Result<()> {
    #[cfg(unix)]
    {
        let mut terminate = signal::unix::signal(signal::unix::SignalKind::terminate())?;
        tokio::select! {
            ended = signal::ctrl_c() => ended,
            _ = terminate.recv() => Ok(()),
        }
    }
    #[cfg(not(unix))]
    signal::ctrl_c().await
}
