//! A service that is called byte for byte, and another service that it calls.

use super::{PATIENCE, endpoints, tools};
use axum::{Router, body::Bytes, extract::State, http::HeaderMap, routing::post};
use dashcam::{
    capture::StormLimits, correlation::CorrelationIdLayer, exchange::Exchange, testing::TestDashcam,
};
use serde_json::{Value, json};
use std::net::SocketAddr;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::mpsc,
    time::timeout,
};

/// A service under test, and a receiver that records its calls.
pub(crate) struct Pair {
    pub(crate) dashcam: TestDashcam,
    pub(crate) service: SocketAddr,
    pub(crate) receiver: String,
    calls: mpsc::UnboundedReceiver<(HeaderMap, Value)>,
}

async fn serve(app: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(axum::serve(listener, app).into_future());
    address
}

impl Pair {
    pub(crate) async fn new(correlation: CorrelationIdLayer) -> Self {
        async fn receive(
            State(calls): State<mpsc::UnboundedSender<(HeaderMap, Value)>>,
            headers: HeaderMap,
            body: Bytes,
        ) {
            let body = serde_json::from_slice(&body).unwrap_or_default();
            calls.send((headers, body)).unwrap();
        }
        let (sender, calls) = mpsc::unbounded_channel();
        let app = Router::new().fallback(post(receive)).with_state(sender);
        let receiver = format!("http://{}/callback", serve(app).await);
        let mut storm = StormLimits::default();
        storm.full = u64::MAX;
        storm.per_second = u64::MAX;
        let dashcam = TestDashcam::with(|builder| {
            builder.baseline(1.0).storm(storm).correlation(correlation)
        });
        let app = tools::routes()
            .merge(endpoints::routes())
            .layer(dashcam.layer());
        let service = serve(app).await;
        Self {
            dashcam,
            service,
            receiver,
            calls,
        }
    }

    /// Sends a request byte for byte. Returns the head of the response and its body.
    pub(crate) async fn send(
        &self,
        path: &str,
        headers: &[(&str, Vec<u8>)],
        body: &str,
    ) -> (String, String) {
        let mut request = format!(
            "POST {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n",
            self.service,
            body.len()
        )
        .into_bytes();
        for (name, value) in headers {
            request.extend_from_slice(name.as_bytes());
            request.extend_from_slice(b": ");
            request.extend_from_slice(value);
            request.extend_from_slice(b"\r\n");
        }
        request.extend_from_slice(b"\r\n");
        request.extend_from_slice(body.as_bytes());
        let mut socket = TcpStream::connect(self.service).await.unwrap();
        socket.write_all(&request).await.unwrap();
        let mut answer = String::new();
        let read = timeout(PATIENCE, socket.read_to_string(&mut answer));
        read.await.unwrap().unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 200"), "{answer}");
        (head.to_owned(), body.to_owned())
    }

    /// Makes the service send this many calls. Returns their headers.
    pub(crate) async fn fan_out(
        &mut self,
        headers: &[(&str, Vec<u8>)],
        calls: usize,
    ) -> Vec<HeaderMap> {
        let url = |n| format!("{}/{n}", self.receiver);
        let call = |n| json!({ "url": url(n), "arguments": [{ "n": n }] });
        let body = Value::Array((0..calls).map(call).collect()).to_string();
        self.send("/fanout", headers, &body).await;
        let mut seen = Vec::new();
        for n in 0..calls {
            let (headers, body) = self.calls.try_recv().unwrap();
            assert_eq!(body, json!([{ "n": n }]));
            seen.push(headers);
        }
        assert!(self.calls.try_recv().is_err());
        seen
    }

    /// Makes the endpoint of the service call the receiver. Returns the call's headers.
    pub(crate) async fn call_from(&mut self, path: &str, headers: &[(&str, Vec<u8>)]) -> HeaderMap {
        let body = self.receiver.clone();
        self.send(path, headers, &body).await;
        self.calls.try_recv().unwrap().0
    }

    pub(crate) fn only(&self) -> Exchange {
        assert!(self.dashcam.flush(PATIENCE));
        self.dashcam.only()
    }
}
