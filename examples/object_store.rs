//! An exporter for a store outside: exchanges are put to an HTTP server, one object
//! each, as object stores take them.
//!
//! ```text
//! cargo run --example object_store
//! ```
//!
//! The store is part of the example and refuses everything for its first two
//! seconds. Nothing is lost meanwhile, and no request waits.

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
    export::{Backlog, ExportError, Exporter, Health},
};
use std::{
    collections::VecDeque,
    error::Error,
    io::{self, Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpStream},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};
use tokio::{net::TcpListener, task::spawn_blocking};

/// The newest of what the store does not take waits, within these bounds.
const MAX_HELD: usize = 256;
const MAX_HELD_BYTES: usize = 8 * 1024 * 1024;
const TIMEOUT: Duration = Duration::from_secs(2);

/// Puts exchanges to a store. It runs on the exporter's thread, where it may block:
/// while it does, exchanges wait in the queue in front of it.
struct ObjectStore {
    store: SocketAddr,
    held: VecDeque<(String, Vec<u8>)>,
    held_bytes: usize,
    lost: u64,
    trouble: Option<String>,
}

impl ObjectStore {
    fn new(store: SocketAddr) -> Self {
        Self {
            store,
            held: VecDeque::new(),
            held_bytes: 0,
            lost: 0,
            trouble: None,
        }
    }

    /// The ID is the name: an object that arrived without an answer is put again,
    /// and is the same object.
    fn put(&self, id: &str, body: &[u8]) -> io::Result<()> {
        let mut stream = TcpStream::connect_timeout(&self.store, TIMEOUT)?;
        stream.set_read_timeout(Some(TIMEOUT))?;
        stream.set_write_timeout(Some(TIMEOUT))?;
        write!(
            stream,
            "PUT /exchanges/{id} HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\n\
             content-length: {}\r\nconnection: close\r\n\r\n",
            self.store,
            body.len()
        )?;
        stream.write_all(body)?;
        let mut status = [0; 12];
        stream.read_exact(&mut status)?;
        if status.starts_with(b"HTTP/1.1 2") {
            return Ok(());
        }
        let status = String::from_utf8_lossy(&status).into_owned();
        Err(io::Error::other(format!("the store says {status}")))
    }

    /// In order, up to the first that the store does not take.
    fn put_held(&mut self) {
        while let Some((id, body)) = self.held.front() {
            if let Err(error) = self.put(id, body) {
                self.trouble = Some(error.to_string());
                return;
            }
            self.held_bytes -= body.len();
            self.held.pop_front();
        }
        self.trouble = None;
    }
}

impl Exporter for ObjectStore {
    fn export(&mut self, exchange: &Exchange) -> Result<(), ExportError> {
        let body = serde_json::to_vec(exchange)
            .map_err(|error| ExportError::new("not serialised").with_source(error))?;
        self.held_bytes += body.len();
        self.held.push_back((exchange.id.clone(), body));
        while self.held.len() > MAX_HELD || self.held_bytes > MAX_HELD_BYTES {
            let oldest = self.held.pop_front();
            self.held_bytes -= oldest.map_or(0, |(_, body)| body.len());
            self.lost += 1;
        }
        // A store in trouble is asked once a second, not for every exchange.
        if self.trouble.is_none() {
            self.put_held();
        }
        Ok(())
    }

    fn tick(&mut self) {
        self.put_held();
    }

    fn flush(&mut self) -> Result<(), ExportError> {
        self.put_held();
        match &self.trouble {
            None => Ok(()),
            Some(why) => Err(ExportError::new(why)),
        }
    }

    fn health(&self) -> Health {
        match &self.trouble {
            None => Health::Ok,
            Some(why) => Health::Degraded { why: why.clone() },
        }
    }

    fn backlog(&self) -> Backlog {
        Backlog::new(self.held.len() as u64, self.lost)
    }
}

type Objects = Arc<Mutex<Vec<(String, usize)>>>;

/// Stands for the store.
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
        .exporter(ObjectStore::new(store(Arc::clone(&objects)).await?))
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
        let now = (status.backlog, status.exporter);
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
    println!("all 5 are in the store");
    Ok(())
}
