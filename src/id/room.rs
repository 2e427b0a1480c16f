//! Storage for the texts of IDs: many share one allocation.

use bytes::{Bytes, BytesMut};
use std::cell::Cell;

/// The most bytes that an ID keeps allocated.
const SIZE: usize = 1024;

thread_local! {
    static ROOM: Cell<Option<BytesMut>> = const { Cell::new(None) };
}

/// Copies a text into the buffer of this thread. A full buffer is reused as soon as its IDs
/// are gone, which is usually the case by then.
pub(super) fn copy(text: &[u8]) -> Bytes {
    let room = ROOM.try_with(Cell::take).ok().flatten();
    let mut room = room.unwrap_or_else(|| BytesMut::with_capacity(SIZE));
    room.extend_from_slice(text);
    let copy = room.split().freeze();
    let _ = ROOM.try_with(|lent| lent.set(Some(room)));
    copy
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_room_is_used_again_when_its_ids_are_gone() {
        let first = copy(b"first").as_ptr();
        assert!((0..SIZE).any(|_| copy(b"another").as_ptr() == first));
    }

    #[test]
    fn an_id_that_is_kept_stays_as_it_is() {
        let kept = copy(b"kept");
        let first = kept.as_ptr();
        assert!((0..SIZE).all(|_| copy(b"another").as_ptr() != first));
        assert_eq!(kept, "kept");
    }
}
