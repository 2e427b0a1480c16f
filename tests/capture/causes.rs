//! Why a call, a body or a service failed, with all causes.

use axum::{Router, body::Body, routing::post};
use bytes::Bytes;
use dashcam::{
    Dashcam,
    exchange::{BodyState, Exchange},
    export::Memory,
};
use futures_util::stream;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use std::{error::Error, fmt, io};
use tower::{BoxError, Layer, ServiceExt, service_fn};

/// An error at some depth, with the one below it as its cause.
#[derive(Debug)]
struct Failed(&'static str, Option<Box<Self>>);

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl Error for Failed {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(self.1.as_deref()?)
    }
}

fn failed() -> Failed {
    let inner = Failed("the disk is gone", None);
    let middle = Failed("cannot read the index", Some(Box::new(inner)));
    Failed("no order", Some(Box::new(middle)))
}

const ALL: &str = "no order: cannot read the index: the disk is gone";

fn start() -> (Dashcam, Memory) {
    let kept = Memory::new(10);
    let dashcam = Dashcam::builder().exporter(kept.clone()).build().unwrap();
    (dashcam, kept)
}

fn only(dashcam: &Dashcam, kept: &Memory) -> Exchange {
    assert!(dashcam.flush(std::time::Duration::from_secs(60)));
    let mut all = kept.take();
    assert_eq!(all.len(), 1);
    all.remove(0)
}

fn message(state: &BodyState) -> &str {
    match state {
        BodyState::Error { message } => message,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn of_a_service() {
    let (dashcam, kept) = start();
    let service =
        service_fn(|_: Request<_>| async { Err::<Response<Body>, BoxError>(failed().into()) });
    let result = dashcam
        .layer()
        .layer(service)
        .oneshot(Request::new(Body::empty()))
        .await;
    assert_eq!(result.unwrap_err().to_string(), "no order");
    assert_eq!(only(&dashcam, &kept).error.as_deref(), Some(ALL));
}

/// The cause of a call that could not connect.
#[tokio::test]
#[cfg_attr(not(feature = "axum"), ignore = "needs the causes of hyper's errors")]
async fn of_a_call() {
    let (dashcam, kept) = start();
    let closed = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = closed.local_addr().unwrap();
    drop(closed);
    let client = Client::builder(TokioExecutor::new()).build_http();
    let client = dashcam.client_layer().layer(client);
    let request = Request::get(format!("http://{address}/")).body(Full::<Bytes>::default());
    let error = client.oneshot(request.unwrap()).await.unwrap_err();
    assert_eq!(error.to_string(), "client error (Connect)");
    let said = only(&dashcam, &kept).error.unwrap();
    let start = "client error (Connect): tcp connect error: ";
    assert!(
        said.starts_with(start) && said.contains("refused"),
        "{said}"
    );
}

#[tokio::test]
#[cfg_attr(not(feature = "axum"), ignore = "needs the causes of hyper's errors")]
async fn of_bodies() {
    let broken = || Body::from_stream(stream::iter([Ok(Bytes::from("a")), Err(failed())]));
    let (dashcam, kept) = start();
    let app = Router::<()>::new()
        .route(
            "/",
            post(async |body: Body| match body.collect().await {
                Ok(_) => StatusCode::OK,
                Err(_) => StatusCode::BAD_REQUEST,
            }),
        )
        .layer(dashcam.layer());
    let request = Request::post("/").body(broken()).unwrap();
    app.oneshot(request).await.unwrap();
    let exchange = only(&dashcam, &kept);
    assert_eq!(message(&exchange.request.body.state), ALL, "once each");

    let app = Router::<()>::new()
        .route("/", post(async move || broken()))
        .layer(dashcam.layer());
    let request = Request::post("/").body(Body::empty()).unwrap();
    let response = app.oneshot(request).await.unwrap();
    response.into_body().collect().await.unwrap_err();
    let exchange = only(&dashcam, &kept);
    assert_eq!(message(&exchange.response.unwrap().body.state), ALL);
}

/// An error that is its own cause.
#[derive(Debug)]
struct Endless;

impl fmt::Display for Endless {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("again")
    }
}

impl Error for Endless {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(self)
    }
}

#[tokio::test]
async fn of_endless_causes_and_long_ones() {
    let long = || io::Error::other("x".repeat(20_000));
    for (error, most) in [(BoxError::from(Endless), 300), (long().into(), 8200)] {
        let (dashcam, kept) = start();
        let mut error = Some(error);
        let service = service_fn(|_: Request<_>| {
            let error = error.take().unwrap();
            async { Err::<Response<Body>, BoxError>(error) }
        });
        let service = dashcam.layer().layer(service);
        service
            .oneshot(Request::new(Body::empty()))
            .await
            .unwrap_err();
        let said = only(&dashcam, &kept).error.unwrap();
        assert!(
            said.len() < most && said.ends_with('…'),
            "{}: {said}",
            said.len()
        );
    }
}

/// An error whose type is unknown is marked as perhaps having more causes. An error whose type the
/// service names has all its causes.
#[tokio::test]
async fn of_errors_of_types_that_nobody_knows() {
    #[derive(Debug)]
    struct Own(Failed);

    impl fmt::Display for Own {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("own")
        }
    }

    impl Error for Own {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            Some(&self.0)
        }
    }

    async fn said<E: fmt::Display + 'static>(
        dashcam: Dashcam,
        kept: &Memory,
        error: E,
    ) -> Exchange {
        let mut error = Some(error);
        let service = service_fn(|_: Request<_>| {
            let error = error.take().unwrap();
            async { Err::<Response<Body>, E>(error) }
        });
        let service = dashcam.layer().layer(service);
        assert!(service.oneshot(Request::new(Body::empty())).await.is_err());
        only(&dashcam, kept)
    }

    let (dashcam, kept) = start();
    let exchange = said(dashcam, &kept, Own(failed())).await;
    assert_eq!(exchange.error.as_deref(), Some("own"));
    assert_eq!(exchange.losses.causes_unknown, 1);

    let kept = Memory::new(10);
    let dashcam = Dashcam::builder().exporter(kept.clone()).causes_of::<Own>();
    let dashcam = dashcam.causes_of::<Own>().build().unwrap();
    let exchange = said(dashcam, &kept, Own(failed())).await;
    assert_eq!(exchange.error, Some(format!("own: {ALL}")));
    assert_eq!(exchange.losses.causes_unknown, 0);

    // A text has no causes, and those of a box are known.
    let (dashcam, kept) = start();
    let exchange = said(dashcam, &kept, "a text".to_owned()).await;
    assert_eq!(exchange.losses.causes_unknown, 0);
    let (dashcam, kept) = start();
    let exchange = said(dashcam, &kept, BoxError::from(failed())).await;
    assert_eq!(exchange.losses.causes_unknown, 0);
}

#[tokio::test]
async fn of_a_call_of_tonic() {
    let kept = Memory::new(10);
    let dashcam = Dashcam::builder().exporter(kept.clone());
    let dashcam = dashcam.causes_of::<tonic::transport::Error>().build();
    let dashcam = dashcam.unwrap();
    let closed = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = format!("http://{}", closed.local_addr().unwrap());
    drop(closed);
    let channel = tonic::transport::Endpoint::from_shared(address).unwrap();
    let client = tower::ServiceBuilder::new()
        .layer(dashcam.client_layer())
        .map_request(|request: Request<_>| request.map(tonic::body::Body::new))
        .service(channel.connect_lazy());
    let request = Request::post("/a.B/C").body(Full::<Bytes>::default());
    let error = client.oneshot(request.unwrap()).await.unwrap_err();
    let exchange = only(&dashcam, &kept);
    let said = exchange.error.unwrap();
    assert!(
        said.starts_with(&format!("{error}: ")) && said.contains("refused"),
        "{said}"
    );
    assert_eq!(exchange.losses.causes_unknown, 0);
}
