//! Serves the router within bounds that no client can use up for the others.

use crate::selection::Address;
use axum::{
    Router,
    body::{Body, Bytes},
    extract::ConnectInfo,
};
use http::Request;
use http_body::{Frame, SizeHint};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::{
    collections::HashMap,
    net::SocketAddr,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
    time::{Duration, Instant},
};
use tokio::{
    net::{TcpListener, TcpStream},
    task::{AbortHandle, JoinSet},
    time::{sleep, timeout},
};
use tower_service::Service;

/// The most connections at a time, of all and of one address (of an IPv6 /64).
const MOST: usize = 64;
const OF_ONE: usize = 16;

/// The longest time for a head, and of a connection without a request.
const HEAD: Duration = Duration::from_secs(5);

/// The longest life of a connection.
const LIFE: Duration = Duration::from_secs(300);

/// The largest head, in bytes.
const LARGEST_HEAD: usize = 64 * 1024;

/// How long to wait after `accept` fails, for example because there are no file descriptors.
const PAUSE: Duration = Duration::from_millis(100);

/// Serves the [router](super::Admin::router) on a private port over HTTP/1.1, until the
/// future is dropped, which ends all connections.
///
/// A client without a token cannot use up the file descriptors of the process: there are 64
/// connections at most, 16 of one address (IPv6: one /64). A new connection beyond that
/// replaces the one that has been without a request for longest; if all have a request, the new
/// one is closed. A head must be complete within 5 seconds. A connection without a request is
/// closed after 5 seconds, any connection after five minutes. Heads have 64 KiB at most.
/// Requests have the address of their peer as `ConnectInfo<SocketAddr>`.
///
/// ```no_run
/// # use dashcam::{Dashcam, admin::{Admin, serve}};
/// # async fn main_of(admin: Admin) -> Result<(), Box<dyn std::error::Error>> {
/// let private = tokio::net::TcpListener::bind("127.0.0.1:9000").await?;
/// tokio::spawn(serve(private, admin.router()?));
/// # Ok(())
/// # }
/// ```
pub async fn serve(listener: TcpListener, router: Router) {
    let places = Places::default();
    // Dropping it ends all tasks.
    let mut tasks = JoinSet::new();
    let mut number = 0_u64;
    loop {
        let accepted = listener.accept().await;
        while tasks.try_join_next().is_some() {}
        let Ok((stream, peer)) = accepted else {
            // The client may have gone, or accept may fail again: do not spin.
            sleep(PAUSE).await;
            continue;
        };
        let site = Address::from(peer.ip()).site();
        if !places.make_room(site) {
            continue;
        }
        number += 1;
        let place = Place {
            places: places.clone(),
            number,
        };
        // Inserted before the task starts, which may end at once.
        places.all().insert(number, Held::new(site));
        let task = connection(stream, peer, router.clone(), place);
        let task = tasks.spawn(async { drop(timeout(LIFE, task).await) });
        if let Some(held) = places.all().get_mut(&number) {
            held.task = Some(task);
        }
    }
}

async fn connection(stream: TcpStream, peer: SocketAddr, router: Router, place: Place) {
    let requests = (place.places.clone(), place.number);
    let answer = |mut request: Request<Incoming>| {
        let busy = Busy::new(requests.0.clone(), requests.1);
        request.extensions_mut().insert(ConnectInfo(peer));
        let answer = router.clone().call(request.map(Body::new));
        async {
            let answer = answer.await?;
            let answer = answer.map(|body| Body::new(Sent { body, _busy: busy }));
            Ok::<_, std::convert::Infallible>(answer)
        }
    };
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .max_buf_size(LARGEST_HEAD)
        .serve_connection(TokioIo::new(stream), service_fn(answer));
    // An error concerns the client only.
    drop(served.await);
    drop(place);
}

/// The open connections, by number.
#[derive(Clone, Default)]
struct Places(Arc<Mutex<HashMap<u64, Held>>>);

struct Held {
    site: u128,
    /// When its last request began or ended, and whether it has one.
    since: Instant,
    busy: bool,
    task: Option<AbortHandle>,
}

impl Held {
    fn new(site: u128) -> Self {
        Self {
            site,
            since: Instant::now(),
            busy: false,
            task: None,
        }
    }
}

impl Places {
    fn all(&self) -> MutexGuard<'_, HashMap<u64, Held>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns whether there is room for one more connection of this address. It may close an
    /// idle one.
    fn make_room(&self, site: u128) -> bool {
        let mut all = self.all();
        let of_one = all.values().filter(|held| held.site == site).count() >= OF_ONE;
        if !of_one && all.len() < MOST {
            return true;
        }
        let idle = all
            .iter()
            .filter(|(_, held)| !held.busy && (!of_one || held.site == site));
        let longest = idle.min_by_key(|(_, held)| held.since);
        let Some(number) = longest.map(|(number, _)| *number) else {
            return false;
        };
        if let Some(task) = all.remove(&number).and_then(|held| held.task) {
            task.abort();
        }
        true
    }

    fn set_busy(&self, number: u64, busy: bool) {
        if let Some(held) = self.all().get_mut(&number) {
            held.busy = busy;
            held.since = Instant::now();
        }
    }
}

/// The place of a connection; dropping it frees the place.
struct Place {
    places: Places,
    number: u64,
}

impl Drop for Place {
    fn drop(&mut self) {
        let held = self.places.all().remove(&self.number);
        drop(held);
    }
}

/// A request in progress.
struct Busy(Places, u64);

impl Busy {
    fn new(places: Places, number: u64) -> Self {
        places.set_busy(number, true);
        Self(places, number)
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.set_busy(self.1, false);
    }
}

/// A body that keeps its connection busy until it is sent.
struct Sent {
    body: Body,
    _busy: Busy,
}

impl http_body::Body for Sent {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
