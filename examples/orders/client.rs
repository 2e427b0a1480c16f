//! The HTTP client. Requests that it sends from inside a request carry that request's
//! correlation ID and continue its trace.

use axum::{
    body::Bytes,
    http::{Request, Response, header::CONTENT_TYPE},
};
use dashcam::correlation::{PropagateCorrelationId, PropagateCorrelationIdLayer};
use http_body_util::{BodyExt, Full};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use serde::Serialize;
use std::error::Error;
use tower::{Layer, ServiceExt};

pub(crate) type BoxError = Box<dyn Error + Send + Sync>;

#[derive(Clone)]
pub(crate) struct HttpClient(PropagateCorrelationId<Client<HttpConnector, Full<Bytes>>>);

impl HttpClient {
    pub(crate) fn new() -> Self {
        let client = Client::builder(TokioExecutor::new()).build_http();
        Self(PropagateCorrelationIdLayer::new().layer(client))
    }

    /// Sends a request and reads the whole response. Only `http://` works.
    pub(crate) async fn send(
        &self,
        request: Request<Full<Bytes>>,
    ) -> Result<Response<Bytes>, BoxError> {
        let (head, body) = self.0.clone().oneshot(request).await?.into_parts();
        Ok(Response::from_parts(head, body.collect().await?.to_bytes()))
    }

    pub(crate) async fn get(&self, url: &str) -> Result<Response<Bytes>, BoxError> {
        self.send(Request::get(url).body(Full::default())?).await
    }

    pub(crate) async fn post_json(
        &self,
        url: &str,
        body: &impl Serialize,
    ) -> Result<Response<Bytes>, BoxError> {
        let request = Request::post(url)
            .header(CONTENT_TYPE, "application/json")
            .body(Full::from(serde_json::to_vec(body)?))?;
        self.send(request).await
    }
}
