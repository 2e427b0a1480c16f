use super::PropagateCorrelationIdLayer;
use crate::context::current;
use http::Extensions;
use reqwest_middleware::{
    Middleware, Next, Result,
    reqwest::{Request, Response},
};

/// The layer is middleware of `reqwest-middleware`, too.
///
/// The request is that in whose code the client is polled first. Placed after
/// (inside of) middleware that retries, every attempt has an ID of its own;
/// redirects that `reqwest` follows by itself go with the headers of the first.
///
/// ```
/// # use axum::{Router, http::HeaderMap, routing::get};
/// use dashcam::{context::InRequestExt, correlation::PropagateCorrelationIdLayer};
/// use reqwest_middleware::ClientBuilder;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # async fn seen(headers: HeaderMap) -> String {
/// #     headers["x-request-id"].to_str().unwrap_or_default().to_owned()
/// # }
/// # let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
/// # let stock = format!("http://{}/stock", listener.local_addr()?);
/// # let app = Router::<()>::new().route("/stock", get(seen));
/// # tokio::spawn(axum::serve(listener, app).into_future());
/// let client = ClientBuilder::new(reqwest::Client::new())
///     .with(PropagateCorrelationIdLayer::new())
///     .build();
///
/// let handler = || async move {
///     let call = async move { client.get(stock).send().await?.text().await };
///     tokio::spawn(call.in_request()).await
/// };
/// # use dashcam::correlation::CorrelationIdLayer;
/// # use http::{Request, Response};
/// # use http_body_util::Full;
/// # use std::{convert::Infallible, sync::{Arc, Mutex}};
/// # use tower::{ServiceBuilder, ServiceExt, service_fn};
/// # let said = Arc::new(Mutex::new(String::new()));
/// # let (handler, noted) = (Arc::new(tokio::sync::Mutex::new(Some(handler))), said.clone());
/// # let service = ServiceBuilder::new().layer(CorrelationIdLayer::new()).service(service_fn(
/// #     move |request: Request<_>| {
/// #         let (handler, noted) = (handler.clone(), noted.clone());
/// #         async move {
/// #             let _: Request<dashcam::lifecycle::RequestBody<Full<bytes::Bytes>>> = request;
/// #             let handler = handler.lock().await.take().unwrap();
/// #             *noted.lock().unwrap() = handler().await.unwrap().unwrap();
/// #             Ok::<_, Infallible>(Response::new(Full::<bytes::Bytes>::default()))
/// #         }
/// #     },
/// # ));
/// # let response = service.oneshot(Request::new(Full::default())).await?;
/// # assert_eq!(response.headers()["x-request-id"].to_str()?, *said.lock().unwrap());
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
