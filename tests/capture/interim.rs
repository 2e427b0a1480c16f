//! The interim exchanges of requests that run for long.

use super::{capture, kept};
use bytes::Bytes;
use dashcam::exchange::{BodyState, Exchange, KeepReason, Outcome};
use futures_util::StreamExt;
use http::{Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt, Full, StreamBody};
use std::{convert::Infallible, time::Duration};
use tower::{ServiceExt, service_fn};
use tower_layer::Layer;

/// Returns what is kept of a stream of three events that waits before each. The service may ask to
/// keep it.
async fn stream(after: Option<Duration>, asked: bool) -> Vec<Exchange> {
    let (layer, memory) = capture(|builder| match after {
        Some(after) => builder.interim(after),
        None => builder,
    });
    let service = layer.layer(service_fn(move |_: Request<_>| async move {
        if asked {
            dashcam::keep("a look at it");
        }
        let events =
            futures_util::stream::iter(["data: 1\n\n", "data: 2\n\n"]).then(|event| async {
                tokio::task::yield_now().await;
                Ok::<_, Infallible>(Frame::data(Bytes::from_static(event.as_bytes())))
            });
        let mut response = Response::new(StreamBody::new(Box::pin(events)));
        let event_stream = "text/event-stream".parse().unwrap();
        response.headers_mut().insert("content-type", event_stream);
        Ok::<_, Infallible>(response)
    }));
    let response = service.oneshot(Request::new(Full::<Bytes>::default()));
    response.await.unwrap().into_body().collect().await.unwrap();
    kept(&layer, &memory)
}

#[tokio::test]
async fn an_interim_exchange_is_continued_by_the_next() {
    let kept = stream(Some(Duration::ZERO), true).await;
    let (last, interim) = kept.split_last().unwrap();
    assert!(!interim.is_empty());
    for exchange in interim {
        assert_eq!(exchange.outcome, Outcome::Open);
        assert_eq!(
            exchange.response.as_ref().unwrap().body.state,
            BodyState::Stream
        );
        assert_eq!(exchange.correlation, last.correlation);
    }
    assert_eq!(last.outcome, Outcome::Completed);
    assert_eq!(last.response.as_ref().unwrap().body.items, Some(2));
    assert_eq!(kept[0].continues, None);
    for pair in kept.windows(2) {
        assert_eq!(pair[1].continues.as_ref(), Some(&pair[0].id));
    }
}

#[tokio::test]
async fn only_where_it_is_on_there_is_a_reason_and_it_is_time() {
    assert_eq!(stream(Some(Duration::ZERO), false).await.len(), 0);
    assert_eq!(
        stream(Some(Duration::from_secs(100_000)), true).await.len(),
        1
    );
    let without = stream(None, true).await;
    assert_eq!((without.len(), &without[0].continues), (1, &None));
}

#[tokio::test]
async fn an_end_that_nothing_else_would_keep_is_kept_after_an_interim_one() {
    let (layer, memory) = capture(|builder| {
        builder
            .interim(Duration::ZERO)
            .keep_when(|request| (*request.outcome() == Outcome::Open).then_some("still there"))
    });
    let service = layer.layer(service_fn(|_: Request<_>| async {
        tokio::task::yield_now().await;
        Ok::<_, Infallible>(Response::new(Full::<Bytes>::from("end")))
    }));
    let response = service.oneshot(Request::new(Full::<Bytes>::default()));
    response.await.unwrap().into_body().collect().await.unwrap();
    let kept = kept(&layer, &memory);
    assert_eq!(kept.len(), 2);
    assert_eq!(kept[0].outcome, Outcome::Open);
    assert_eq!(kept[1].keep, [KeepReason::Interim]);
}

/// A time that cannot be represented never comes.
#[tokio::test]
async fn never_is_never() {
    for after in [Duration::MAX, Duration::from_secs(u64::MAX / 2)] {
        let kept = stream(Some(after), true).await;
        assert_eq!(kept.len(), 1, "{after:?}");
        assert_eq!(kept[0].outcome, Outcome::Completed);
        assert_eq!(kept[0].continues, None);
    }
}
