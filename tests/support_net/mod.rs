//! Servers on the loopback interface, clients that see every byte, and a
//! count of the memory in use.
#![allow(dead_code, reason = "every test file uses a part of it")]

pub(crate) mod app;

use axum::{Router, body::Body, response::Response};
use bytes::Bytes;
use dashcam::{
    capture::StormLimits,
    exchange::{Exchange, Outcome},
    kit::{Dashcam, DashcamBuilder},
    testing::TestDashcam,
};
use http_body::Frame;
use peak_alloc::PeakAlloc;
use std::{convert::Infallible, io::ErrorKind, net::SocketAddr, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::mpsc,
    task::JoinHandle,
    time::timeout,
};

#[global_allocator]
pub(crate) static MEMORY: PeakAlloc = PeakAlloc;

/// Long enough for any machine: reached only if something hangs.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

/// Waits for a future that must complete.
pub(crate) async fn soon<F: Future>(future: F) -> F::Output {
    match timeout(DEADLINE, future).await {
        Ok(output) => output,
        Err(_) => panic!("nothing happened until the deadline"),
    }
}

/// Waits until a condition holds.
pub(crate) async fn holds(what: &str, mut condition: impl FnMut() -> bool) {
    let polled = async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    assert!(timeout(DEADLINE, polled).await.is_ok(), "never: {what}");
}

/// A server on a port of its own, which ends with this value.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    task: JoinHandle<()>,
}

impl Server {
    pub(crate) async fn start(app: Router) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let task = tokio::spawn(async move {
            axum::serve(listener, app).await.unwrap();
        });
        Self { address, task }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Without limits for storms.
pub(crate) fn no_storm() -> StormLimits {
    let mut limits = StormLimits::default();
    limits.full = u64::MAX;
    limits.per_second = u64::MAX;
    limits
}

/// Keeps every exchange, healthy or not.
pub(crate) fn keeping_all() -> TestDashcam {
    keeping_all_with(|builder| builder)
}

pub(crate) fn keeping_all_with(
    change: impl FnOnce(DashcamBuilder) -> DashcamBuilder,
) -> TestDashcam {
    TestDashcam::with(|builder| change(builder.baseline(1.0).storm(no_storm())))
}

/// Returns everything that was kept, once this many requests have ended and none is in flight.
pub(crate) async fn kept_of(dashcam: &TestDashcam, finished: u64) -> Vec<Exchange> {
    ended(dashcam, finished).await;
    dashcam.kept()
}

pub(crate) async fn ended(dashcam: &Dashcam, finished: u64) {
    holds(&format!("{finished} requests ended"), || {
        dashcam.status().finished >= finished
    })
    .await;
    let status = dashcam.status();
    assert_eq!((status.finished, status.in_flight), (finished, 0));
}

/// The one exchange of the one request.
pub(crate) async fn the_only(dashcam: &TestDashcam) -> Exchange {
    let mut kept = kept_of(dashcam, 1).await;
    assert_eq!(kept.len(), 1, "{kept:#?}");
    kept.remove(0)
}

pub(crate) fn outcomes(kept: &[Exchange]) -> Vec<&str> {
    kept.iter().map(|kept| kept.outcome.as_str()).collect()
}

#[track_caller]
pub(crate) fn assert_completed(kept: &Exchange) {
    assert_eq!(kept.outcome, Outcome::Completed, "{kept:#?}");
}

/// A connection that shows all bytes.
pub(crate) struct Wire {
    stream: TcpStream,
    read: Vec<u8>,
}

impl Wire {
    pub(crate) async fn open(server: &Server) -> Self {
        let stream = TcpStream::connect(server.address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self {
            stream,
            read: Vec::new(),
        }
    }

    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        soon(self.stream.write_all(bytes.as_ref())).await.unwrap();
    }

    async fn fill(&mut self) {
        let read = soon(self.stream.read_buf(&mut self.read)).await.unwrap();
        let so_far = String::from_utf8_lossy(&self.read);
        assert_ne!(read, 0, "closed after {so_far:?}");
    }

    fn take(&mut self, length: usize) -> String {
        let taken: Vec<u8> = self.read.drain(..length).collect();
        String::from_utf8_lossy(&taken).into_owned()
    }

    pub(crate) async fn exactly(&mut self, length: usize) -> String {
        while self.read.len() < length {
            self.fill().await;
        }
        self.take(length)
    }

    /// Reads up to and including a text.
    pub(crate) async fn until(&mut self, end: &str) -> String {
        let end = end.as_bytes();
        loop {
            let at = self.read.windows(end.len()).position(|part| part == end);
            match at {
                Some(at) => return self.take(at + end.len()),
                None => self.fill().await,
            }
        }
    }

    pub(crate) async fn head(&mut self) -> String {
        self.until("\r\n\r\n").await
    }

    /// Reads a head, and as much body as its `content-length` says.
    pub(crate) async fn answer(&mut self) -> String {
        let mut answer = self.head().await;
        let length = field(&answer, "content-length").map_or(0, |text| text.parse().unwrap());
        answer += &self.exactly(length).await;
        answer
    }

    /// Reads until the connection ends, in whatever way.
    pub(crate) async fn rest(&mut self) -> String {
        loop {
            match soon(self.stream.read_buf(&mut self.read)).await {
                Ok(0) => break,
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::ConnectionReset => break,
                Err(error) => panic!("{error}"),
            }
        }
        self.take(self.read.len())
    }

    /// Whether no unexpected bytes were read.
    pub(crate) fn is_drained(&self) -> bool {
        self.read.is_empty()
    }

    /// Reads this many bytes without keeping them.
    pub(crate) async fn skip(&mut self, mut length: usize) {
        let ready = length.min(self.read.len());
        self.read.drain(..ready);
        length -= ready;
        let mut buffer = vec![0; 64 * 1024];
        while length > 0 {
            let part = length.min(buffer.len());
            let read = soon(self.stream.read(&mut buffer[..part])).await.unwrap();
            assert_ne!(read, 0, "closed with {length} bytes to come");
            length -= read;
        }
    }
}

/// The value of a header field in the bytes of a response.
pub(crate) fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines().find_map(|line| {
        let (found, value) = line.split_once(':')?;
        found.eq_ignore_ascii_case(name).then(|| value.trim())
    })
}

/// The bytes of a response, without the lines that differ every time.
pub(crate) fn comparable(text: &str) -> String {
    text.split_inclusive("\r\n")
        .filter(|line| {
            let line = line.to_ascii_lowercase();
            !line.starts_with("x-request-id:") && !line.starts_with("date:")
        })
        .collect()
}

/// Runs one exchange against the app without the layer and with it. The bytes must be the same.
/// Returns those with the layer.
pub(crate) async fn same_with_layer(
    dashcam: &Dashcam,
    app: impl Fn() -> Router,
    play: impl AsyncFn(&mut Wire) -> String,
) -> String {
    let server = Server::start(app()).await;
    let bare = play(&mut Wire::open(&server).await).await;
    assert!(field(&bare, "x-request-id").is_none());
    let server = Server::start(app().layer(dashcam.layer())).await;
    let layered = play(&mut Wire::open(&server).await).await;
    assert_eq!(comparable(&bare), comparable(&layered));
    layered
}

/// A body whose frames the test sends. `None` makes it panic.
pub(crate) fn fed(first: Vec<Frame<Bytes>>) -> (mpsc::UnboundedSender<Option<Frame<Bytes>>>, Body) {
    let (send, receive) = mpsc::unbounded_channel();
    for frame in first {
        send.send(Some(frame)).unwrap();
    }
    let frames = futures_util::stream::unfold(receive, |mut receive| async move {
        let Some(frame) = receive.recv().await? else {
            panic!("told to, while streaming")
        };
        Some((Ok::<_, Infallible>(frame), receive))
    });
    let body = Body::new(http_body_util::StreamBody::new(frames));
    (send, body)
}

/// A handler that responds once with a body that the test feeds.
pub(crate) fn answer_once(response: Response) -> axum::routing::MethodRouter {
    let response = std::sync::Arc::new(std::sync::Mutex::new(Some(response)));
    axum::routing::any(move || {
        let response = response.lock().unwrap().take();
        async move { response.expect("asked once") }
    })
}

/// Twenty megabytes in pieces, none of which the sender keeps.
pub(crate) const PIECE: usize = 64 * 1024;
pub(crate) const PIECES: usize = 320;

pub(crate) fn large_body() -> Body {
    let pieces = (0..PIECES).map(|at| Ok::<_, Infallible>(piece(at)));
    Body::from_stream(futures_util::stream::iter(pieces))
}

pub(crate) fn piece(at: usize) -> Bytes {
    let letter = b"abcdefghijklmnopqrstuvwxyz"[at % 26];
    Bytes::from(vec![letter; PIECE])
}

/// Measures how far the memory in use rises above the present level, until the end.
pub(crate) struct Growth {
    before: usize,
}

impl Growth {
    pub(crate) fn start() -> Self {
        MEMORY.reset_peak_usage();
        Self {
            before: MEMORY.current_usage(),
        }
    }

    pub(crate) fn peak(&self) -> usize {
        MEMORY.peak_usage().saturating_sub(self.before)
    }

    pub(crate) fn now(&self) -> usize {
        MEMORY.current_usage().saturating_sub(self.before)
    }
}

/// The most memory in use for one exchange of twenty megabytes: two captures of 64 KiB, each cut
/// from a read buffer of the server (408 KiB at most), its write buffer of the same size, and some
/// pieces in transit. It is a fifth of the body, so it shows if a body is held in memory.
pub(crate) const FLAT: usize = 4 * 1024 * 1024;

pub(crate) fn trailers(name: &'static str, value: &'static str) -> Frame<Bytes> {
    let mut map = axum::http::HeaderMap::new();
    map.insert(name, axum::http::HeaderValue::from_static(value));
    Frame::trailers(map)
}

/// What one exchange may hold of the passing bytes: a capture of 64 KiB and a step or two of the
/// event buffer.
pub(crate) const HELD: usize = 80 * 1024;
