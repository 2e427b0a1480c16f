//! Bodies through the capture layer alone, without a router.

use crate::Case;
use bytes::Bytes;
use dashcam::{capture::CaptureLayer, correlation::CorrelationIdLayer, export::Memory};
use http::{Request, Response};
use http_body::{Body, Frame, SizeHint};
use std::{
    convert::Infallible,
    future::Future,
    pin::{Pin, pin},
    task::{self, Poll},
};
use tower::{Layer, Service, service_fn};

pub(crate) fn cases() -> Vec<Case> {
    macro_rules! cases {
        ($($name:literal => $run:expr,)*) => { vec![$(Case { name: $name, run: $run },)*] };
    }
    cases! {
        "body/context only, empty" => |go| drive(&CorrelationIdLayer::new(), 0, 0, go),
        "body/captured, empty" => |go| drive(&capture(), 0, 0, go),
        "body/context only, 1 chunk" => |go| drive(&CorrelationIdLayer::new(), 1, 1024, go),
        "body/captured, 1 chunk" => |go| drive(&capture(), 1, 1024, go),
        "body/context only, 101 chunks" => |go| drive(&CorrelationIdLayer::new(), 101, 256, go),
        "body/captured, 101 chunks" => |go| drive(&capture(), 101, 256, go),
        "body/bare, 1 MiB in 16 KiB chunks" => |go| drive_bare(64, 16 * 1024, go),
        "body/captured, 1 MiB in 16 KiB chunks" => |go| drive(&capture(), 64, 16 * 1024, go),
    }
}

fn capture() -> CaptureLayer {
    CaptureLayer::builder("bench", "0")
        .build(Memory::new(1))
        .unwrap()
}

/// A body of equal chunks that share one buffer.
struct Chunks {
    chunk: Bytes,
    left: usize,
}

impl Body for Chunks {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut task::Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        self.left -= 1;
        Poll::Ready(Some(Ok(Frame::data(self.chunk.clone()))))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact((self.left * self.chunk.len()) as u64)
    }
}

static ZEROS: [u8; 16 * 1024] = [0; 16 * 1024];

fn chunks(left: usize, size: usize) -> Chunks {
    Chunks {
        chunk: Bytes::from_static(&ZEROS[..size]),
        left,
    }
}

fn drain(body: impl Body<Data = Bytes>, context: &mut task::Context<'_>) -> usize {
    let mut body = pin!(body);
    let mut length = 0;
    while !body.is_end_stream()
        && let Poll::Ready(Some(Ok(frame))) = body.as_mut().poll_frame(context)
    {
        // As a server, this reads each chunk; here by touching it.
        length += std::hint::black_box(frame.into_data().unwrap_or_default())
            .iter()
            .map(|&b| usize::from(b) + 1)
            .sum::<usize>();
    }
    length
}

fn drive_bare(left: usize, size: usize, go: &mut dyn FnMut(&mut dyn FnMut())) {
    let mut context = task::Context::from_waker(task::Waker::noop());
    go(&mut || assert_eq!(drain(chunks(left, size), &mut context), left * size));
}

fn drive<L, S, B, E>(layer: &L, left: usize, size: usize, go: &mut dyn FnMut(&mut dyn FnMut()))
where
    L: Layer<Inner, Service = S>,
    S: Service<Request<String>, Response = Response<B>, Error = E>,
    B: Body<Data = Bytes>,
{
    let inner: Inner = tower::util::BoxService::new(service_fn(
        move |_: Request<dashcam::lifecycle::RequestBody<String>>| {
            std::future::ready(Ok(Response::new(chunks(left, size))))
        },
    ));
    let mut service = layer.layer(inner);
    let mut context = task::Context::from_waker(task::Waker::noop());
    go(&mut || {
        let future = pin!(service.call(Request::new(String::new())));
        let Poll::Ready(Ok(response)) = future.poll(&mut context) else {
            panic!("waits");
        };
        assert_eq!(drain(response.into_body(), &mut context), left * size);
    });
}

type Inner = tower::util::BoxService<
    Request<dashcam::lifecycle::RequestBody<String>>,
    Response<Chunks>,
    Infallible,
>;
