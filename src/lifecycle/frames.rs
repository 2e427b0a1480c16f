//! The parts of polling that both body wrappers have in common.

use crate::{
    foreign,
    recorder::{Clock, Tee},
};
use bytes::Buf;
use http_body::{Body, Frame};
use std::{pin::Pin, sync::MutexGuard, task::Poll};

pub(super) type Polled<D, E> = Poll<Option<Result<Frame<D>, E>>>;

/// Returns whether the body that was polled ends with this. An error is no end of this kind.
pub(super) fn is_last<B: Body>(polled: &Polled<B::Data, B::Error>, body: Option<Pin<&B>>) -> bool {
    match polled {
        Poll::Pending | Poll::Ready(Some(Err(_))) => false,
        Poll::Ready(None) => true,
        Poll::Ready(Some(Ok(frame))) => {
            let ends = |body: Pin<&B>| foreign::run(|| body.is_end_stream()) == Some(true);
            frame.is_trailers() || body.is_none_or(ends)
        }
    }
}

/// Notes a poll, and the data that it gave, in the tee of the body.
pub(super) fn note<D: Buf + 'static, E>(
    mut tee: MutexGuard<'_, Tee>,
    polled: &Polled<D, E>,
    clock: &mut Clock,
) {
    tee.polled();
    if let Poll::Ready(Some(Ok(frame))) = polled
        && let Some(data) = frame.data_ref()
    {
        let let_go = tee.data(data, clock);
        // Its destructor is somebody else's code, so it runs without the lock.
        drop(tee);
        drop(let_go);
    }
}
