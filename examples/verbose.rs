//! One slow request out of thousands: the log has its debug events, with their original
//! times, and none of the other requests.
//!
//! ```text
//! cargo run --example verbose 2> verbose.jsonl
//! ```
//!
//! Standard output is a plain `fmt` text layer at `info`; standard error is the
//! JSON log line. `REQUESTS` sets the number of requests (default: 3000).

use axum::{Router, extract::Path, routing::get};
use dashcam::{Dashcam, capture::Replay, gate::EventTime};
use http_body_util::{BodyExt, Empty};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use std::{
    env,
    error::Error,
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};
use tokio::{net::TcpListener, task::JoinSet};
use tracing::{debug, info_span};
use tracing_subscriber::{filter::LevelFilter, fmt, prelude::*};

/// The item whose query is slow.
const UNLUCKY: u32 = 1234;
const CLIENTS: u32 = 16;

async fn item(Path(id): Path<u32>) -> String {
    debug!(id, "looking into the cache");
    if id % CLIENTS != UNLUCKY % CLIENTS {
        return format!("item {id}");
    }
    debug!(id, "not cached, asking the store");
    let rows = query(id).await;
    debug!(rows, "the store has answered");
    format!("item {id}")
}

async fn query(id: u32) -> u32 {
    let rows = if id == UNLUCKY { 250_000 } else { 1 };
    info_span!("query", table = "items").in_scope(|| debug!(rows, "scanning"));
    if id == UNLUCKY {
        tokio::time::sleep(Duration::from_millis(800)).await;
    }
    rows
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let dashcam = Dashcam::builder()
        .service("items", env!("CARGO_PKG_VERSION"))
        .slow(Duration::from_millis(500))
        .replay(Replay::default())
        .request_line(false)
        .in_memory(100)
        .build()?;
    tracing_subscriber::registry()
        .with(fmt::layer().with_ansi(false).with_timer(EventTime::utc()))
        .with(dashcam.json_log_to(std::io::stderr())?)
        .with(dashcam.gate(LevelFilter::INFO))
        .init();
    let app = Router::new()
        .route("/items/{id}", get(item))
        .layer(dashcam.layer());

    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let base = format!("http://{}/items", listener.local_addr()?);
    tokio::spawn(
        axum::serve(
            listener,
            app.into_make_service_with_connect_info::<SocketAddr>(),
        )
        .into_future(),
    );

    let requests: u32 = env::var("REQUESTS").map_or(Ok(3000), |n| n.parse())?;
    let client = Client::builder(TokioExecutor::new()).build_http::<Empty<bytes::Bytes>>();
    let mut clients = JoinSet::new();
    for first in 0..CLIENTS {
        let (client, base) = (client.clone(), base.clone());
        clients.spawn(async move {
            for id in (first..requests).step_by(CLIENTS as usize) {
                let answer = client.get(format!("{base}/{id}").parse()?).await?;
                answer.into_body().collect().await?;
            }
            Ok::<_, Box<dyn Error + Send + Sync>>(())
        });
    }
    while let Some(client) = clients.join_next().await {
        client??;
    }

    if !dashcam.flush(Duration::from_secs(5)) {
        return Err("the log was not written in time".into());
    }
    let status = dashcam.status();
    println!(
        "{} requests, {} kept, {} events replayed",
        status.finished, status.kept, status.replays.events
    );
    Ok(())
}
