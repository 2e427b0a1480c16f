//! The polling code that both body wrappers share.

use crate::{
    foreign,
    recorder::{Clock, Tee},
};
use bytes::Buf;
use http_body::{Body, Frame};
use std::{pin::Pin, sync::MutexGuard, task::Poll};

pub(super) type Polled<D, E> = Poll<Option<Result<Frame<D>, E>>>;

/// Returns whether the polled body ends with this result. An error does not count.
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

/// Notes a poll and its data in the tee of the body.
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
        // Dropped after the lock, because it is foreign code.
        drop(tee);
        drop(let_go);
    }
}
