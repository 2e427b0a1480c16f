//! One call with each client.

use crate::support_grpc::Plain;
use bytes::Bytes;
use dashcam::correlation::{PropagateCorrelationId, PropagateCorrelationIdLayer};
use http::{Request, uri::PathAndQuery};
use http_body_util::Full;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use reqwest_middleware::ClientBuilder;
use tonic::{
    Status,
    client::{Grpc, GrpcService},
    service::interceptor::InterceptedService,
    transport::{Channel, Endpoint},
};
use tower::{ServiceBuilder, ServiceExt};
use tower_http::{decompression::DecompressionLayer, follow_redirect::FollowRedirectLayer};
use tower_http_client::ServiceExt as _;

pub(crate) fn hyper_client() -> Client<HttpConnector, Full<Bytes>> {
    Client::builder(TokioExecutor::new()).build_http()
}

/// A client that takes headers.
pub(crate) async fn function(url: String) {
    let mut request = Request::get(url).body(Full::default()).unwrap();
    let headers = dashcam::correlation::headers(request.uri());
    request.headers_mut().extend(headers);
    hyper_client().request(request).await.unwrap();
}

pub(crate) async fn hyper_util(url: String) {
    let client = ServiceBuilder::new()
        .layer(PropagateCorrelationIdLayer::new())
        .service(hyper_client());
    let request = Request::get(url).body(Full::default()).unwrap();
    client.oneshot(request).await.unwrap();
}

/// A stack of tower-http layers under the calls of `tower-http-client`.
pub(crate) async fn tower_http_client(url: String) {
    let mut client = ServiceBuilder::new()
        .layer(FollowRedirectLayer::new())
        .layer(PropagateCorrelationIdLayer::new())
        .layer(DecompressionLayer::new())
        .service(hyper_client());
    let request = client.get(url).body::<Full<Bytes>>(Full::default());
    request.unwrap().send().await.unwrap();
}

/// A client of `reqwest` for servers on this machine, independent of the environment's proxies.
pub(crate) fn reqwest_client() -> reqwest::Client {
    let builder = reqwest::Client::builder().no_proxy();
    builder.build().unwrap()
}

pub(crate) async fn reqwest(url: String) {
    let headers = dashcam::correlation::headers(&url.parse().unwrap());
    let request = reqwest_client().get(url).headers(headers);
    request.send().await.unwrap();
}

pub(crate) async fn reqwest_middleware(url: String) {
    let client = ClientBuilder::new(reqwest_client())
        .with(PropagateCorrelationIdLayer::new())
        .build();
    client.get(url).send().await.unwrap();
}

async fn channel(url: String) -> Channel {
    Endpoint::try_from(url).unwrap().connect().await.unwrap()
}

async fn unary<S>(mut client: Grpc<S>)
where
    S: GrpcService<tonic::body::Body>,
    S::ResponseBody: Send + 'static,
    <S::ResponseBody as http_body::Body>::Error: Into<tower::BoxError>,
{
    assert!(client.ready().await.is_ok());
    let path = PathAndQuery::from_static("/shop.Orders/Count");
    let request = tonic::Request::new(Bytes::new());
    // The response has no message, which suffices here.
    let answer = client.unary(request, path, Plain).await;
    assert_eq!(answer.unwrap_err().message(), "Missing response message.");
}

fn layered(channel: Channel) -> PropagateCorrelationId<Channel> {
    ServiceBuilder::new()
        .layer(PropagateCorrelationIdLayer::new())
        .service(channel)
}

pub(crate) async fn tonic_channel(url: String) {
    let origin = url.parse().unwrap();
    let channel = layered(channel(url).await);
    unary(Grpc::with_origin(channel, origin)).await;
}

pub(crate) async fn tonic_channel_without_origin(url: String) {
    unary(Grpc::new(layered(channel(url).await))).await;
}

pub(crate) async fn tonic_interceptor(url: String) {
    let target = url.parse().unwrap();
    let channel = channel(url).await;
    let headers = move |mut request: tonic::Request<()>| {
        let headers = dashcam::correlation::headers(&target);
        request.metadata_mut().as_mut().extend(headers);
        Ok::<_, Status>(request)
    };
    unary(Grpc::new(InterceptedService::new(channel, headers))).await;
}
