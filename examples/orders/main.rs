//! An order service with two bugs that its tests did not find, and what
//! dashcam keeps of them.
//!
//! ```text
//! cargo run --example orders             # visits itself, tells what was kept, goes on serving
//! cargo run --example orders -- --once   # … and ends
//! ```
//!
//! `PORT` is the port (default 3000, 0 for any), `DASHCAM_DIR` the directory of
//! the kept exchanges (default `./dashcam`). The service itself is in
//! `orders.rs`, endpoints to play with are in `tools.rs`.
//!
//! What Rust itself says about a panic goes to standard error as always, and
//! nobody redacts it: here it names a customer.

mod account;
mod client;
mod orders;
mod payments;
mod tools;
mod visitors;

use axum::Router;
use dashcam::Dashcam;
use std::{env, error::Error, net::Ipv4Addr};
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let dashcam = Dashcam::builder()
        .service("orders", env!("CARGO_PKG_VERSION"))
        .build()?;
    dashcam.init_tracing()?;
    let app = Router::new()
        .merge(orders::routes().await?)
        .merge(tools::routes())
        .layer(dashcam.layer());

    let port = env::var("PORT").map_or(Ok(3000), |port| port.parse())?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
    let base = format!("http://{}", listener.local_addr()?);
    println!("listening on {base}");
    tokio::spawn(axum::serve(listener, app).into_future());

    let once = env::args().any(|argument| argument == "--once");
    let visits = visitors::visit(&base).await?;
    account::print(&dashcam, &visits, (!once).then_some(&*base))?;
    if !once {
        println!("\nStill listening on {base}; ctrl-c ends it.");
        tokio::signal::ctrl_c().await?;
    }
    Ok(())
}
