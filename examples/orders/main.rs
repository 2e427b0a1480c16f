//! An order service with two bugs that its tests did not find, a payment provider
//! that fails on large amounts, and what dashcam keeps of them.
//!
//! ```text
//! cargo run --example orders             # visits itself, tells what was kept, goes on serving
//! cargo run --example orders -- --once   # … and ends
//! ```
//!
//! `PORT` is the port (default 3000, 0 for any), `DASHCAM_DIR` the directory of
//! the kept exchanges (default `./dashcam`); with the feature `config`,
//! `RULES_FILE` is a file of rules. The service itself is in `orders.rs`, endpoints to
//! play with are in `tools.rs`. `docs/walkthrough.md` finds its bugs as one does on call.
//!
//! What Rust itself says about a panic goes to standard error as always, and
//! nobody redacts it: here it names a customer.

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
    // What we sell is no secret, and without it no order can be sent again; and whose
    // request it was is what somebody on call looks for.
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
        println!("\nStill listening on {base}; ctrl-c ends it.");
        asked_to_end().await?;
    }
    // What is under way may end first, but endless streams do not hold it up.
    let _ = stop.send(());
    let _ = timeout(Duration::from_secs(1), server).await;
    Ok(())
}

/// States whose request it is. A real service knows it from authentication.
async fn tenant(request: Request, next: Next) -> Response {
    let tenant = request.headers().get("x-tenant");
    if let (Some(current), Some(Ok(tenant))) = (dashcam::current(), tenant.map(|t| t.to_str())) {
        current.fact("tenant", tenant);
    }
    next.run(request).await
}

/// Ctrl-c, or what a supervisor sends.
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
