//! Requests over a socket, and their traces in dashcam.

use crate::support_net::{Server, ended, soon};
use axum::{
    Router,
    body::Body,
    http::{HeaderMap, Request, StatusCode},
};
use bytes::Bytes;
use dashcam::{
    exchange::{Content, Exchange, Outcome},
    testing::TestDashcam,
};
use http_body_util::BodyExt;
use hyper_util::{client::legacy::Client, rt::TokioExecutor};

/// A response as the client got it.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) fn id(&self) -> Option<&str> {
        self.headers.get("x-request-id")?.to_str().ok()
    }

    /// Asserts that the response carries the ID of the exchange.
    #[track_caller]
    pub(crate) fn assert_id_of(&self, kept: &Exchange) {
        assert_eq!(self.id(), Some(kept.correlation.id.as_str()), "{self:?}");
    }
}

/// Serves the application for one request.
pub(crate) async fn ask(app: Router, request: Request<Body>) -> Answer {
    let server = Server::start(app).await;
    ask_at(server.address, request).await
}

pub(crate) async fn ask_at(address: std::net::SocketAddr, request: Request<Body>) -> Answer {
    let (mut head, body) = request.into_parts();
    head.uri = format!("http://{address}{}", head.uri).parse().unwrap();
    let client = Client::builder(TokioExecutor::new()).build_http();
    let request = Request::from_parts(head, body);
    let (head, body) = soon(client.request(request)).await.unwrap().into_parts();
    let body = soon(body.collect()).await.unwrap().to_bytes();
    Answer {
        status: head.status,
        headers: head.headers,
        body,
    }
}

pub(crate) fn get(path: &str) -> Request<Body> {
    Request::get(path).body(Body::empty()).unwrap()
}

/// Asserts that one exchange was kept, and returns it.
pub(crate) async fn only(dashcam: &TestDashcam) -> Exchange {
    crate::support_net::the_only(dashcam).await
}

/// Asserts that this many requests were seen, and none was kept.
pub(crate) async fn assert_none_kept(dashcam: &TestDashcam, seen: u64) {
    ended(dashcam, seen).await;
    assert!(dashcam.kept().is_empty());
}

pub(crate) fn field<'a>(fields: &'a [(String, String)], name: &str) -> Option<&'a str> {
    let field = fields.iter().find(|(found, _)| found == name)?;
    Some(&field.1)
}

#[track_caller]
pub(crate) fn assert_failed(kept: &Exchange, status: u16) {
    let failure = dashcam::exchange::Failure::Status(status);
    assert_eq!(kept.outcome, Outcome::Failed { failure });
}

/// Returns the redacted text of a body, if it was parsed.
pub(crate) fn text(body: &dashcam::exchange::Body) -> Option<&str> {
    match body.content.as_ref()? {
        Content::Text { text, .. } => Some(text),
        _ => None,
    }
}

pub(crate) fn messages(kept: &Exchange) -> Vec<&str> {
    let events = kept.events.iter();
    events
        .filter_map(|event| event.message.as_deref())
        .collect()
}
