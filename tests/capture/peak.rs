//! The heap that capturing one long body takes: the limit, one chunk, and 1 KiB.

use bytes::Bytes;
use dashcam::{
    capture::{CaptureLayer, CaptureOptions},
    export::Memory,
};
use http::{Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt, Full, StreamBody};
use peak_alloc::PeakAlloc;
use std::convert::Infallible;
use tower::{Service, ServiceExt, service_fn};
use tower_layer::Layer;

#[global_allocator]
static HEAP: PeakAlloc = PeakAlloc;

const CAP: usize = 64 * 1024;
const WHOLE: usize = 2 * 1024 * 1024;

/// Returns the peak of the heap over the level before, while a body of chunks of this size passes.
async fn peak(options: CaptureOptions, size: usize) -> usize {
    let capture = CaptureLayer::builder("test", "0").options(options);
    let capture = capture.build(Memory::new(1)).unwrap();
    let mut service = capture.layer(service_fn(move |_: Request<_>| async move {
        let frames = (0..WHOLE / size).map(move |_| {
            // Chunks do not share a buffer, as when a server reads them.
            Ok::<_, Infallible>(Frame::data(Bytes::from(vec![b'x'; size])))
        });
        let body = StreamBody::new(futures_util::stream::iter(frames));
        Ok::<_, Infallible>(Response::new(body))
    }));
    let mut most = 0;
    // The pool has the context of the first request for the second.
    for _ in 0..2 {
        let before = HEAP.current_usage();
        HEAP.reset_peak_usage();
        let request = Request::new(Full::<Bytes>::default());
        let response = service.ready().await.unwrap().call(request).await.unwrap();
        let mut body = response.into_body();
        while let Some(frame) = body.frame().await {
            drop(frame.unwrap());
        }
        drop(body);
        most = most.max(HEAP.peak_usage().saturating_sub(before));
    }
    most
}

#[tokio::test(flavor = "current_thread")]
async fn the_limit_one_chunk_and_a_kibibyte() {
    alone!();
    for size in [100, 1024, 2048, 2049, 16 * 1024, 60_000] {
        let without = peak(CaptureOptions::heads(), size).await;
        let with = peak(CaptureOptions::new().body(CAP), size).await;
        let over = with.saturating_sub(without);
        println!("chunks of {size}: {with} B at most, {without} B without");
        assert!(over <= CAP + 1024, "chunks of {size}: {over}");
        assert!(with <= CAP + size + 3 * 1024, "chunks of {size}: {with}");
    }
}
