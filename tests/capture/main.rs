//! What is captured, how much of it, and when it is kept.

#[macro_use]
#[path = "../support_alone/mod.rs"]
mod support_alone;

mod calls;
mod causes;
mod fairness;
mod interim;
#[cfg(feature = "axum")]
mod kit;
mod options;
mod peak;
mod sample;
mod streams;

use bytes::Bytes;
use dashcam::{
    capture::{CaptureLayer, CaptureLayerBuilder},
    exchange::Exchange,
    export::Memory,
};
use http_body_util::StreamBody;
use std::{convert::Infallible, time::Duration};

/// A layer with the settings of `change`, and the exchanges that it keeps.
fn capture(
    change: impl FnOnce(CaptureLayerBuilder) -> CaptureLayerBuilder,
) -> (CaptureLayer, Memory) {
    let kept = Memory::new(1_000);
    // However slow the machine is, no request counts as slow.
    let builder = CaptureLayer::builder("test", "0.0.0").slow(Duration::from_secs(100_000));
    let capture = change(builder).build(kept.clone()).unwrap();
    (capture, kept)
}

fn kept(capture: &CaptureLayer, kept: &Memory) -> Vec<Exchange> {
    assert!(capture.flush(Duration::from_secs(60)));
    kept.exchanges()
}

/// The text of a captured body.
fn text(body: &dashcam::exchange::Body) -> &str {
    match &body.content {
        Some(dashcam::exchange::Content::Text { text, .. }) => text,
        other => panic!("no text: {other:?}"),
    }
}

/// A body of these chunks.
fn chunks<const N: usize>(
    chunks: [&'static str; N],
) -> StreamBody<impl futures_util::Stream<Item = Result<http_body::Frame<Bytes>, Infallible>>> {
    let frames =
        chunks.map(|chunk| Ok(http_body::Frame::data(Bytes::from_static(chunk.as_bytes()))));
    StreamBody::new(futures_util::stream::iter(frames))
}
