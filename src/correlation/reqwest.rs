use super::PropagateCorrelationIdLayer;
use crate::context::current;
use http::Extensions;
use reqwest_middleware::{
    Middleware, Next, Result,
    reqwest::{Request, Response},
};

/// Middleware for clients of `reqwest-middleware` (feature `reqwest-middleware`).
///
/// The current request is the one in whose code the call is first polled. Add it after
/// middleware that retries, so that every attempt has its own span ID.
///
/// ```
/// use axum::{Router, routing::get};
/// use dashcam::correlation::{CorrelationIdLayer, PropagateCorrelationIdLayer};
/// use reqwest_middleware::ClientBuilder;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # use axum::{body::Body, http::{HeaderMap, Request}};
/// # use tower::ServiceExt;
/// # let echo = |headers: HeaderMap| async move { headers["x-request-id"].as_bytes().to_vec() };
/// # let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
/// # let stock = format!("http://{}/items/7", listener.local_addr()?);
/// # tokio::spawn(axum::serve(listener, Router::<()>::new().fallback(echo)).into_future());
/// let client = ClientBuilder::new(reqwest::Client::new())
///     .with(PropagateCorrelationIdLayer::new())
///     .build();
///
/// let handler = move || async move {
///     client.get(stock).send().await.unwrap().text().await.unwrap()
/// };
/// let app = Router::new().route("/", get(handler)).layer(CorrelationIdLayer::new());
/// # let response = app.oneshot(Request::new(Body::empty())).await?;
/// # let id = response.headers()["x-request-id"].clone();
/// # // The other service answers with the ID that it got.
/// # assert_eq!(axum::body::to_bytes(response.into_body(), 100).await?, id.as_bytes());
/// # Ok(())
/// # }
/// ```
#[cfg_attr(docsrs, doc(cfg(feature = "reqwest-middleware")))]
#[async_trait::async_trait]
impl Middleware for PropagateCorrelationIdLayer {
    async fn handle(
        &self,
        mut request: Request,
        extensions: &mut Extensions,
        next: Next<'_>,
    ) -> Result<Response> {
        if let Some(context) = current() {
            let target = request.url().as_str().parse().ok();
            let headers = request.headers_mut();
            self.sent.put(&context, target.as_ref(), headers);
        }
        next.run(request, extensions).await
    }
}
