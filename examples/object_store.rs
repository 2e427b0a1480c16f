//! An exporter to an object store: it puts each exchange as one object to an HTTP server.
//!
//! ```text
//! cargo run --example object_store
//! ```
//!
//! The store is part of the example, and refuses everything for its first two seconds.
//! Meanwhile nothing is lost and no request waits: `Exporter::retry` holds the exchanges and
//! exports them again.

use axum::{
    Router,
    body::Bytes,
    extract::{Path, State},
    http::StatusCode,
    routing::{get, put},
};
use dashcam::{
    Dashcam,
    exchange::Exchange,
    export::{ExportError, Exporter},
};
use std::{
    error::Error,
    io::{self, Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpStream},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};
use tokio::{net::TcpListener, task::spawn_blocking};

const TIMEOUT: Duration = Duration::from_secs(2);

/// Puts exchanges to a store. It runs on the exporter's thread and may block; meanwhile,
/// exchanges wait in the queue.
struct ObjectStore(SocketAddr);

impl ObjectStore {
    /// The ID is the object's name, so a retry after a lost response writes the same
    /// object.
    fn put(&self, id: &str, body: &[u8]) -> io::Result<()> {
        let (store, length) = (self.0, body.len());
        let mut stream = TcpStream::connect_timeout(&store, TIMEOUT)?;
        stream.set_read_timeout(Some(TIMEOUT))?;
        stream.set_write_timeout(Some(TIMEOUT))?;
        write!(
            stream,
            "PUT /exchanges/{id} HTTP/1.1\r\nhost: {store}\r\ncontent-type: application/json\r\n\
             content-length: {length}\r\nconnection: close\r\n\r\n"
        )?;
        stream.write_all(body)?;
        let mut status = [0; 12];
        stream.read_exact(&mut status)?;
        if status.starts_with(b"HTTP/1.1 2") {
            return Ok(());
        }
        let status = String::from_utf8_lossy(&status).into_owned();
        Err(io::Error::other(format!("the store: {status}")))
    }
}

impl Exporter for ObjectStore {
    fn export(&mut self, exchange: &Exchange) -> Result<(), ExportError> {
        let body = serde_json::to_vec(exchange).map_err(|error| {
            ExportError::new("cannot serialize the exchange")
                .with_source(error)
                .permanent()
        })?;
        self.put(&exchange.id, &body)
            .map_err(|error| ExportError::new("cannot put the exchange").with_source(error))
    }
}

type Objects = Arc<Mutex<Vec<(String, usize)>>>;

/// A minimal store.
async fn store(objects: Objects) -> io::Result<SocketAddr> {
    let opens_at = Instant::now() + Duration::from_secs(2);
    let take = move |State(objects): State<Objects>, Path(id): Path<String>, body: Bytes| async move {
        if Instant::now() < opens_at {
            return StatusCode::SERVICE_UNAVAILABLE;
        }
        if let Ok(mut objects) = objects.lock() {
            objects.push((id, body.len()));
        }
        StatusCode::CREATED
    };
    let app = Router::new()
        .route("/exchanges/{id}", put(take))
        .with_state(objects);
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move { axum::serve(listener, app).await });
    Ok(address)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let objects = Objects::default();
    let dashcam = Dashcam::builder()
        .service("orders", env!("CARGO_PKG_VERSION"))
        .exporter(ObjectStore(store(Arc::clone(&objects)).await?).retry())
        .build()?;
    dashcam.init_tracing()?;
    let app = Router::new()
        .route("/", get(|| async { StatusCode::BAD_GATEWAY }))
        .layer(dashcam.layer());
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        axum::serve(
            listener,
            app.into_make_service_with_connect_info::<SocketAddr>(),
        )
        .await
    });

    let asked = Instant::now();
    for _ in 0..5 {
        let answered = spawn_blocking(move || -> io::Result<String> {
            let mut stream = TcpStream::connect(address)?;
            stream.write_all(b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer)?;
            Ok(answer.lines().next().unwrap_or_default().to_owned())
        });
        println!("{}", answered.await??);
    }
    println!("5 requests took {:?}", asked.elapsed());

    let handle = dashcam.handle();
    let mut said = None;
    loop {
        let status = handle.status();
        let now = (status.held(), status.lost(), status.exporter);
        if said.as_ref() != Some(&now) {
            println!("{now:?}");
            said = Some(now);
        }
        let there = objects.lock().map_or(0, |objects| objects.len());
        if there == 5 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    println!("the store has all 5 exchanges");
    Ok(())
}
