//! Endpoints that call the URLs in their body, each in its own way.

use axum::{
    Router,
    body::Bytes,
    http::{HeaderMap, Request},
    routing::post,
};
use dashcam::{context::InRequestExt, correlation::PropagateCorrelationIdLayer};
use http_body_util::Full;
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use tower::{ServiceBuilder, ServiceExt};

pub(crate) fn routes() -> Router {
    Router::new()
        .route("/seen", post(seen))
        .route("/function", post(function))
        .route("/theirs", post(theirs))
        .route("/plain", post(plain))
        .route("/spawned", post(spawned))
}

/// What the service sees of its own request.
async fn seen(headers: HeaderMap) -> String {
    let named = |name| headers.get(name).and_then(|value| value.to_str().ok());
    format!("{:?}", ["traceparent", "tracestate", "baggage"].map(named))
}

async fn post_to(url: String, headers: HeaderMap) {
    let client = Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
    let mut request = Request::post(url).body(Full::default()).unwrap();
    *request.headers_mut() = headers;
    client.request(request).await.unwrap();
}

async fn function(url: String) {
    post_to(url, dashcam::correlation::headers(&http::Uri::default())).await;
}

/// The service has trace headers of its own.
async fn theirs(url: String) {
    let mut headers = HeaderMap::new();
    headers.insert("traceparent", "theirs".parse().unwrap());
    headers.insert("baggage", "theirs=1".parse().unwrap());
    dashcam::correlation::add_headers(&http::Uri::default(), &mut headers);
    post_to(url, headers).await;
}

async fn plain(url: String) {
    let client = Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
    let layer = PropagateCorrelationIdLayer::new()
        .trace_context(false)
        .baggage(false);
    let client = ServiceBuilder::new().layer(layer).service(client);
    let request = Request::post(url).body(Full::default()).unwrap();
    client.oneshot(request).await.unwrap();
}

async fn spawned(url: String) {
    assert!(!dashcam::correlation::headers(&http::Uri::default()).is_empty());
    let lost =
        tokio::spawn(async { dashcam::correlation::headers(&http::Uri::default()).is_empty() });
    assert!(lost.await.unwrap());
    let call =
        async move { post_to(url, dashcam::correlation::headers(&http::Uri::default())).await };
    tokio::spawn(call.in_request()).await.unwrap();
}
