//! Sends a client's bytes to two servers, and compares the results: every byte, and how the
//! connection ends.

use super::{frames, text};
use crate::support_net::{DEADLINE, soon};
use axum::{Router, http::Request, serve::Listener};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use std::{
    future::pending,
    io::{self, ErrorKind},
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, Interest},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinHandle,
    time::{sleep, timeout},
};
use tower::ServiceExt;

/// How long the test waits on an open connection after the expected bytes: nothing more may come.
const QUIET: Duration = Duration::from_millis(150);

/// The most that a client can send before a server listens.
const HELD_BY_KERNEL: usize = 32 * 1024;

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Protocol {
    Http1,
    Http2,
}

#[derive(Clone, Debug)]
pub(crate) enum Step {
    Send(Vec<u8>),
    /// Every byte is a segment of its own.
    Slow(Vec<u8>),
    /// Waits until the text of the comparison contains this.
    Until(&'static str),
    /// The client closes its sending side, and still reads.
    Shut,
    /// The client closes with a reset.
    Reset,
    /// The client closes normally.
    Close,
}

/// The actions of a client, and a summary of the expected result. If a bare server differs from
/// it, the case is wrong, or hyper has changed.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) protocol: Protocol,
    pub(crate) steps: Vec<Step>,
    pub(crate) expected: &'static str,
    /// The summary with dashcam's response to a panic.
    pub(crate) answered: Option<&'static str>,
    /// The server continues although the client has closed its side.
    pub(crate) half_closes: bool,
}

impl Case {
    /// The same with a response to the panic in it.
    pub(crate) fn answered(mut self, expected: &'static str) -> Self {
        self.answered = Some(expected);
        self
    }
}

/// How a connection ended, or its present state.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum End {
    Open,
    Fin,
    Reset,
    /// The client ended it.
    Left,
    /// A step timed out.
    Stuck(usize),
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Seen {
    pub(crate) what: String,
    pub(crate) end: End,
}

impl Seen {
    fn of(protocol: Protocol, raw: &[u8], end: End) -> Self {
        let what = match protocol {
            Protocol::Http2 if frames::are(raw) => frames::transcript(raw),
            _ => text::transcript(raw),
        };
        Self { what, end }
    }

    pub(crate) fn summary(&self, protocol: Protocol) -> String {
        let mut summary = match protocol {
            Protocol::Http2 if !self.what.starts_with("HTTP/1.") => frames::summary(&self.what),
            _ => text::statuses(&self.what),
        };
        if !summary.is_empty() {
            summary.push(' ');
        }
        summary += &match self.end {
            End::Open => "open".to_owned(),
            End::Fin => "fin".to_owned(),
            End::Reset => "reset".to_owned(),
            End::Left => "left".to_owned(),
            End::Stuck(step) => format!("stuck at step {step}"),
        };
        summary
    }
}

struct Line {
    protocol: Protocol,
    raw: Arc<Mutex<Vec<u8>>>,
    ended: watch::Receiver<Option<End>>,
}

impl Line {
    fn seen(&self) -> Seen {
        // The end first: bytes that come before it are read before it.
        let end = self.ended.borrow().unwrap_or(End::Open);
        Seen::of(self.protocol, &self.raw.lock().unwrap(), end)
    }

    fn length(&self) -> usize {
        self.raw.lock().unwrap().len()
    }

    /// Waits until the expected text was seen, or the connection ends.
    async fn until(&self, done: impl Fn(&Seen) -> bool, patience: Duration) -> bool {
        let mut looked = None;
        let waiting = async {
            loop {
                let now = Some((self.length(), *self.ended.borrow()));
                if now != looked {
                    let seen = self.seen();
                    if done(&seen) {
                        return true;
                    }
                    if seen.end != End::Open {
                        return false;
                    }
                    looked = now;
                }
                sleep(Duration::from_millis(2)).await;
            }
        };
        timeout(patience, waiting).await.unwrap_or(false)
    }

    /// Waits until no more bytes come.
    async fn quiet(&self) {
        loop {
            let length = self.length();
            sleep(QUIET).await;
            if self.length() == length {
                return;
            }
        }
    }
}

/// The server's side of one connection. It begins when the client waits, or when all that the
/// client sends has come: the speed of either makes no difference.
struct Side {
    address: SocketAddr,
    listener: Option<TcpListener>,
    app: Router,
    half_closes: bool,
    /// The bytes that the kernel holds for it.
    waiting: usize,
    over: bool,
    running: Option<JoinHandle<()>>,
}

impl Side {
    async fn new(app: &Router, case: &Case) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        Self {
            address: listener.local_addr().unwrap(),
            listener: Some(listener),
            app: app.clone(),
            half_closes: case.half_closes,
            waiting: 0,
            over: false,
            running: None,
        }
    }

    async fn serve(&mut self) {
        let Some(listener) = self.listener.take() else {
            return;
        };
        let stream = soon(arrived(listener, self.waiting, self.over)).await;
        let app = self.app.clone();
        if self.half_closes {
            tokio::spawn(half_closing(stream, app));
        } else {
            let one = One(Some(stream), self.address);
            let serve = async { axum::serve(one, app).await.unwrap() };
            self.running = Some(tokio::spawn(serve));
        }
    }
}

/// The connection once this much of it has come, and its end.
async fn arrived(listener: TcpListener, length: usize, over: bool) -> TcpStream {
    let (stream, _) = listener.accept().await.unwrap();
    let mut buffer = vec![0; length];
    while length > 0 && stream.peek(&mut buffer).await.unwrap() < length {
        sleep(Duration::from_millis(1)).await;
    }
    let closed = async || {
        let ready = stream.ready(Interest::READABLE).await.unwrap();
        ready.is_read_closed()
    };
    while over && !closed().await {
        sleep(Duration::from_millis(1)).await;
    }
    stream
}

impl Drop for Side {
    fn drop(&mut self) {
        // The connection is a task of its own, and continues to its end.
        if let Some(running) = &self.running {
            running.abort();
        }
    }
}

/// A listener of one connection.
struct One(Option<TcpStream>, SocketAddr);

impl Listener for One {
    type Io = TcpStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (TcpStream, SocketAddr) {
        match self.0.take() {
            Some(stream) => (stream, self.1),
            None => pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.1)
    }
}

/// hyper itself, with the settings that are off by default.
async fn half_closing(stream: TcpStream, app: Router) {
    let service = service_fn(move |request: Request<Incoming>| app.clone().oneshot(request));
    let _ = http1::Builder::new()
        .half_close(true)
        .title_case_headers(true)
        .preserve_header_case(true)
        .pipeline_flush(true)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades()
        .await;
}

/// One client from its first byte to its last. `settled` signals when all has come.
async fn play(
    app: &Router,
    case: &Case,
    settled: impl Fn(&Seen) -> bool,
    patience: Duration,
) -> Seen {
    let mut side = Side::new(app, case).await;
    let stream = TcpStream::connect(side.address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let (mut read, mut write) = stream.into_split();
    let raw = Arc::new(Mutex::new(Vec::new()));
    let (end, ended) = watch::channel(None);
    let line = Line {
        protocol: case.protocol,
        raw: Arc::clone(&raw),
        ended,
    };
    let reader = tokio::spawn(async move {
        let mut buffer = vec![0; 64 * 1024];
        loop {
            match read.read(&mut buffer).await {
                Ok(0) => break end.send_replace(Some(End::Fin)),
                Ok(length) => raw.lock().unwrap().extend_from_slice(&buffer[..length]),
                Err(error) if error.kind() == ErrorKind::ConnectionReset => {
                    break end.send_replace(Some(End::Reset));
                }
                Err(error) => panic!("{error}"),
            }
        }
    });
    let mut last = None;
    // A write fails if the server has closed. Its bytes before that are read nevertheless.
    for (n, step) in case.steps.iter().enumerate() {
        match step {
            Step::Send(bytes) => {
                if side.waiting + bytes.len() > HELD_BY_KERNEL {
                    side.serve().await;
                } else {
                    side.waiting += bytes.len();
                }
                let _ = timeout(patience, write.write_all(bytes)).await;
            }
            Step::Slow(bytes) => {
                side.serve().await;
                for byte in bytes {
                    let _ = write.write_all(&[*byte]).await;
                    tokio::task::yield_now().await;
                }
            }
            Step::Until(text) => {
                side.serve().await;
                last = Some(*text);
                if !line.until(|seen| seen.what.contains(text), patience).await {
                    reader.abort();
                    let seen = line.seen();
                    return Seen {
                        end: End::Stuck(n),
                        ..seen
                    };
                }
            }
            Step::Shut => {
                let _ = write.shutdown().await;
                side.over = true;
            }
            Step::Reset | Step::Close => {
                if matches!(step, Step::Reset) {
                    write.as_ref().set_zero_linger().unwrap();
                }
                reader.abort();
                let _ = reader.await;
                let mut seen = line.seen();
                // Whether more came before the client closed depends on time.
                if let Some((text, at)) =
                    last.and_then(|text: &str| Some((text, seen.what.find(text)?)))
                {
                    seen.what.truncate(at + text.len());
                }
                seen.end = End::Left;
                return seen;
            }
        }
    }
    side.serve().await;
    if line.until(settled, patience).await && line.seen().end == End::Open {
        line.quiet().await;
    }
    reader.abort();
    line.seen()
}

pub(crate) struct Difference {
    pub(crate) name: &'static str,
    pub(crate) text: String,
}

/// The result of the bare server, which must be that of the case.
pub(crate) async fn bare(app: &Router, case: &Case) -> Seen {
    let expected = |seen: &Seen| seen.summary(case.protocol) == case.expected;
    let seen = play(app, case, expected, DEADLINE).await;
    assert_eq!(
        seen.summary(case.protocol),
        case.expected,
        "{}: {:.1000}",
        case.name,
        seen.what
    );
    seen
}

/// Where two results begin to differ, and how they end.
fn first_difference(bare: &Seen, seen: &Seen) -> String {
    let same = |(one, other): &(char, char)| one == other;
    let chars = bare.what.chars().zip(seen.what.chars());
    let at = chars.take_while(same).count().saturating_sub(100);
    let part = |seen: &Seen| {
        let part: String = seen.what.chars().skip(at).take(400).collect();
        format!("{:?}, {part:?}", seen.end)
    };
    format!("from {at}:\nbare {}\nwith {}", part(bare), part(seen))
}

/// The differences from the result of the bare server.
pub(crate) async fn compare(
    app: &Router,
    case: &Case,
    (bare_app, bare): (&Router, &Seen),
    patience: Duration,
) -> Option<Difference> {
    if let Some(answered) = case.answered {
        let expected = |seen: &Seen| seen.summary(case.protocol) == answered;
        let seen = play(app, case, expected, patience).await;
        return (!expected(&seen)).then(|| Difference {
            name: case.name,
            text: format!(
                "{answered} is not {}: {:.1000}",
                seen.summary(case.protocol),
                seen.what
            ),
        });
    }
    let longer = |seen: &Seen| seen.what.len() > bare.what.len();
    let seen = play(app, case, |seen| seen == bare || longer(seen), patience).await;
    if seen == *bare {
        return None;
    }
    // On a busy machine more may come after the pause. That is no difference if the bare server
    // sends the same when the case is repeated.
    let again = play(bare_app, case, |again| *again == seen, patience).await;
    (again != seen).then(|| Difference {
        name: case.name,
        text: first_difference(&again, &seen),
    })
}
