//! A gRPC service, mounted in two ways, and its client. Its messages determine its responses.

use crate::support_grpc::Plain;
use bytes::Bytes;
use dashcam::testing::TestDashcam;
use futures_util::{Stream, StreamExt, stream};
use http::uri::PathAndQuery;
use std::{
    convert::Infallible,
    future::{Future, pending},
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};
use tokio::net::TcpListener;
use tonic::{
    Code, Request, Response, Status, Streaming,
    body::Body,
    client::Grpc,
    server::NamedService,
    service::Routes,
    transport::{Channel, Endpoint, Server, server::TcpIncoming},
};
use tower::{Service, service_fn};

/// The text of every error.
pub(crate) const MESSAGE: &str = "card 4111111111111111 of Zoë refused";

type Messages = Pin<Box<dyn Stream<Item = Result<Bytes, Status>> + Send>>;

#[derive(Clone)]
pub(crate) struct Shop;

impl NamedService for Shop {
    const NAME: &'static str = "shop.Orders";
}

/// The content of a message: `ok`, `wait`, `panic` or a status by its number.
async fn answer(message: &[u8]) -> Result<Bytes, Status> {
    tracing::debug!("looking at the message");
    match std::str::from_utf8(message).unwrap_or_default() {
        "ok" => Ok(Bytes::from_static(b"done")),
        "wait" => pending().await,
        "panic" => panic!("while answering"),
        code => {
            let code = Code::from_i32(code.parse().unwrap());
            // Its text occurs elsewhere, too.
            let status = Status::new(code, MESSAGE);
            tracing::debug!("refusing: {}", status.message());
            Err(status)
        }
    }
}

async fn unary(request: Request<Bytes>) -> Result<Response<Bytes>, Status> {
    answer(request.get_ref()).await.map(Response::new)
}

/// Sends two messages, then the requested end.
async fn server_streaming(request: Request<Bytes>) -> Result<Response<Messages>, Status> {
    let asked = request.into_inner();
    let first = stream::iter(["one", "two"].map(|text| Ok(Bytes::from_static(text.as_bytes()))));
    let last = stream::once(async move { answer(&asked).await });
    Ok(Response::new(first.chain(last).boxed()))
}

/// Reads all messages, and responds as the last one asks.
async fn client_streaming(request: Request<Streaming<Bytes>>) -> Result<Response<Bytes>, Status> {
    let mut messages = request.into_inner();
    let mut last = Bytes::new();
    while let Some(message) = messages.message().await? {
        last = message;
    }
    answer(&last).await.map(Response::new)
}

/// Responds to each message as it comes.
async fn streaming(request: Request<Streaming<Bytes>>) -> Result<Response<Messages>, Status> {
    let answers = request.into_inner().then(|message| async {
        let message = message?;
        answer(&message).await
    });
    Ok(Response::new(answers.boxed()))
}

impl<B> Service<http::Request<B>> for Shop
where
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<tower::BoxError> + Send,
{
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<B>) -> Self::Future {
        let mut grpc = tonic::server::Grpc::new(Plain);
        Box::pin(async move {
            Ok(match request.uri().path() {
                "/shop.Orders/Unary" => grpc.unary(service_fn(unary), request).await,
                "/shop.Orders/ServerStreaming" => {
                    let service = service_fn(server_streaming);
                    grpc.server_streaming(service, request).await
                }
                "/shop.Orders/ClientStreaming" => {
                    let service = service_fn(client_streaming);
                    grpc.client_streaming(service, request).await
                }
                "/shop.Orders/Streaming" => grpc.streaming(service_fn(streaming), request).await,
                _ => Status::unimplemented("").into_http(),
            })
        })
    }
}

/// The place of the layer.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Mount {
    /// `Server::builder().layer(…)` of tonic.
    Tonic,
    /// The same, on a server with a timeout.
    Timed(Duration),
    /// Around an axum router made from tonic's routes.
    Axum,
}

/// The service with its layer.
pub(crate) async fn serve(mount: Mount, dashcam: &TestDashcam) -> SocketAddr {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    match mount {
        Mount::Tonic | Mount::Timed(_) => {
            let mut server = Server::builder();
            if let Mount::Timed(timeout) = mount {
                server = server.timeout(timeout);
            }
            let server = server
                .layer(dashcam.layer().propagate_panics())
                .add_service(Shop);
            let incoming = TcpIncoming::from(listener);
            tokio::spawn(server.serve_with_incoming(incoming));
        }
        Mount::Axum => {
            let app = Routes::new(Shop).into_axum_router().layer(dashcam.layer());
            tokio::spawn(axum::serve(listener, app).into_future());
        }
    }
    address
}

/// The service with its layer, and a client.
pub(crate) async fn open(mount: Mount, dashcam: &TestDashcam) -> Client {
    let url = format!("http://{}", serve(mount, dashcam).await);
    let channel = Endpoint::try_from(url).unwrap().connect_lazy();
    Client(Grpc::new(channel))
}

pub(crate) struct Client(Grpc<Channel>);

impl Client {
    async fn ready(&mut self) -> &mut Grpc<Channel> {
        self.0.ready().await.unwrap();
        &mut self.0
    }

    pub(crate) async fn unary(&mut self, message: &'static str) -> Result<Bytes, Status> {
        self.unary_at("/shop.Orders/Unary", message).await
    }

    pub(crate) async fn unary_at(
        &mut self,
        path: &'static str,
        message: &'static str,
    ) -> Result<Bytes, Status> {
        let request = Request::new(Bytes::from_static(message.as_bytes()));
        let path = PathAndQuery::from_static(path);
        let answer = self.ready().await.unary(request, path, Plain).await;
        answer.map(Response::into_inner)
    }

    pub(crate) async fn unary_within(
        &mut self,
        deadline: Duration,
        message: &'static str,
    ) -> Result<Bytes, Status> {
        let mut request = Request::new(Bytes::from_static(message.as_bytes()));
        request.set_timeout(deadline);
        let path = PathAndQuery::from_static("/shop.Orders/Unary");
        let answer = self.ready().await.unary(request, path, Plain).await;
        answer.map(Response::into_inner)
    }

    pub(crate) async fn server_streaming(&mut self, message: &'static str) -> Streaming<Bytes> {
        let request = Request::new(Bytes::from_static(message.as_bytes()));
        let path = PathAndQuery::from_static("/shop.Orders/ServerStreaming");
        let answer = self.ready().await.server_streaming(request, path, Plain);
        answer.await.unwrap().into_inner()
    }

    pub(crate) async fn client_streaming(
        &mut self,
        messages: &'static [&'static str],
    ) -> Result<Bytes, Status> {
        let path = PathAndQuery::from_static("/shop.Orders/ClientStreaming");
        let request = Request::new(many(messages));
        let answer = self.ready().await.client_streaming(request, path, Plain);
        answer.await.map(Response::into_inner)
    }

    pub(crate) async fn streaming(
        &mut self,
        messages: &'static [&'static str],
    ) -> Streaming<Bytes> {
        let path = PathAndQuery::from_static("/shop.Orders/Streaming");
        let request = Request::new(many(messages));
        let answer = self.ready().await.streaming(request, path, Plain);
        answer.await.unwrap().into_inner()
    }
}

fn many(messages: &'static [&'static str]) -> impl Stream<Item = Bytes> {
    stream::iter(
        messages
            .iter()
            .map(|text| Bytes::from_static(text.as_bytes())),
    )
}

/// The messages of a stream, and how it ended.
pub(crate) async fn all(mut messages: Streaming<Bytes>) -> (Vec<Bytes>, Result<(), Status>) {
    let mut seen = Vec::new();
    loop {
        match messages.message().await {
            Ok(Some(message)) => seen.push(message),
            Ok(None) => return (seen, Ok(())),
            Err(status) => return (seen, Err(status)),
        }
    }
}
