//! The admin port over sockets: clients without a token cannot use up what others need.

use dashcam::{
    Dashcam,
    admin::{Admin, serve},
};
use std::{net::SocketAddr, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
    time::timeout,
};

const TOKEN: &str = "vErY-lOnG-aNd-rAnDoM-0123456789abcdef";
const DEADLINE: Duration = Duration::from_secs(60);

async fn start() -> (Dashcam, SocketAddr, JoinHandle<()>) {
    let dashcam = Dashcam::builder().in_memory(1).build().unwrap();
    let router = Admin::new(dashcam.handle())
        .bearer_token("alice", TOKEN)
        .router()
        .unwrap();
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    (dashcam, address, tokio::spawn(serve(listener, router)))
}

async fn connect(to: SocketAddr) -> TcpStream {
    timeout(DEADLINE, TcpStream::connect(to))
        .await
        .unwrap()
        .unwrap()
}

async fn ask(stream: &mut TcpStream, token: &str) -> String {
    let head =
        format!("GET /rules HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer {token}\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let mut buffer = [0; 4096];
    while !answer.ends_with(b"}") {
        let read = timeout(DEADLINE, stream.read(&mut buffer)).await;
        match read.expect("no answer").unwrap_or(0) {
            0 => break,
            n => answer.extend_from_slice(&buffer[..n]),
        }
    }
    String::from_utf8(answer).unwrap()
}

async fn is_closed(stream: &mut TcpStream) {
    let mut rest = Vec::new();
    // An error is an end, too.
    let read = timeout(DEADLINE, stream.read_to_end(&mut rest)).await;
    let _ = read.expect("the connection is still open");
}

/// Of 300 connections whose heads do not end only some stay open. Among them the operator gets
/// responses, also on a reused connection.
#[tokio::test]
async fn half_open_connections_do_not_stay() {
    let (_dashcam, address, _serving) = start().await;
    let mut half_open = Vec::new();
    for _ in 0..300 {
        let mut stream = connect(address).await;
        let _ = stream.write_all(b"GET /status HTTP/1.1\r\nhost: ").await;
        half_open.push(stream);
    }
    let mut operator = connect(address).await;
    for _ in 0..2 {
        let answer = ask(&mut operator, TOKEN).await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    }
    // Not for the whole time that a head may take: the next ones took their places.
    let mut open = Vec::new();
    let mut closed = 0;
    for stream in half_open {
        let mut buffer = [0; 1];
        match stream.try_read(&mut buffer) {
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => open.push(stream),
            _ => closed += 1,
        }
    }
    assert!(closed >= 250, "{closed} of 300");
    for mut stream in open {
        is_closed(&mut stream).await;
    }
}

/// Nor do connections stay that send nothing at all, or nothing more.
#[tokio::test]
async fn idle_connections_end() {
    let (_dashcam, address, _serving) = start().await;
    let mut silent = connect(address).await;
    let mut answered = connect(address).await;
    let answer = ask(&mut answered, "wrong").await;
    assert!(answer.starts_with("HTTP/1.1 401 "), "{answer}");
    is_closed(&mut silent).await;
    is_closed(&mut answered).await;
}

/// The addresses of peers count: too many wrong tokens are refused.
#[tokio::test]
async fn addresses_are_those_of_connections() {
    let (dashcam, address, serving) = start().await;
    for n in 0..11 {
        let answer = ask(&mut connect(address).await, "wrong").await;
        let status = if n < 10 { "401" } else { "429" };
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status} ")),
            "{answer}"
        );
    }
    drop(dashcam);
    let mut open = connect(address).await;
    serving.abort();
    is_closed(&mut open).await;
}
