use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// The newest items that could not be delivered, within a number and a size, and when they
/// are tried again.
#[derive(Debug)]
pub(in crate::export) struct Waiting<T> {
    /// Items with their sizes.
    items: VecDeque<(T, usize)>,
    bytes: usize,
    max_items: usize,
    max_bytes: usize,
    lost: u64,
    trouble: Option<Trouble>,
}

#[derive(Debug)]
struct Trouble {
    why: String,
    wait: Duration,
    retry_at: Instant,
}

impl<T> Waiting<T> {
    /// Holds at least one item.
    pub(in crate::export) fn new(max_items: usize, max_bytes: usize) -> Self {
        Self {
            items: VecDeque::new(),
            bytes: 0,
            max_items: max_items.max(1),
            max_bytes,
            lost: 0,
            trouble: None,
        }
    }

    /// Adds an item that is not larger than `max_bytes`. Drops older ones where there is no
    /// room.
    pub(in crate::export) fn push(&mut self, item: T, bytes: usize) {
        self.bytes += bytes;
        self.items.push_back((item, bytes));
        while self.items.len() > self.max_items || self.bytes > self.max_bytes {
            let Some((_, bytes)) = self.items.pop_front() else {
                return;
            };
            self.bytes -= bytes;
            self.lost += 1;
        }
    }

    /// Passes the items to `take` in order, up to the first that fails. Ends the trouble if
    /// none fails.
    pub(in crate::export) fn hand_over<E>(
        &mut self,
        mut take: impl FnMut(&T) -> Result<(), E>,
    ) -> Result<(), E> {
        while let Some((item, bytes)) = self.items.pop_front() {
            self.bytes -= bytes;
            // An item that panics is not tried again, or it would block those behind it.
            self.lost += 1;
            let taken = take(&item);
            self.lost -= 1;
            if let Err(error) = taken {
                self.bytes += bytes;
                self.items.push_front((item, bytes));
                return Err(error);
            }
        }
        self.trouble = None;
        Ok(())
    }

    /// Notes a failure. The items are due after a second, then after two, and so on up to
    /// thirty.
    pub(in crate::export) fn failed(&mut self, why: String) {
        let wait = self.trouble.as_ref().map_or(FIRST_WAIT, |trouble| {
            trouble.wait.saturating_mul(2).min(LONGEST_WAIT)
        });
        self.trouble = Some(Trouble {
            why,
            wait,
            retry_at: Instant::now() + wait,
        });
    }

    /// The last failure, while items wait.
    pub(in crate::export) fn trouble(&self) -> Option<&str> {
        self.trouble.as_ref().map(|trouble| trouble.why.as_str())
    }

    pub(in crate::export) fn is_due(&self) -> bool {
        let trouble = self.trouble.as_ref();
        trouble.is_some_and(|trouble| Instant::now() >= trouble.retry_at)
    }

    pub(in crate::export) fn len(&self) -> u64 {
        self.items.len() as u64
    }

    /// The number of items given up since the start.
    pub(in crate::export) fn lost(&self) -> u64 {
        self.lost
    }

    pub(in crate::export) fn lose(&mut self) {
        self.lost += 1;
    }

    /// Makes the items due, and returns how long they would have waited.
    #[cfg(test)]
    pub(in crate::export) fn make_due(&mut self) -> Option<Duration> {
        let trouble = self.trouble.as_mut()?;
        trouble.retry_at = Instant::now();
        Some(trouble.wait)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounded_by_number_and_size() {
        let mut waiting = Waiting::new(2, 10);
        let state = |waiting: &Waiting<u8>| (waiting.len(), waiting.bytes, waiting.lost());
        for (item, bytes, expected) in [
            (1, 4, (1, 4, 0)),
            (2, 4, (2, 8, 0)),
            (3, 1, (2, 5, 1)),
            (4, 10, (1, 10, 3)),
        ] {
            waiting.push(item, bytes);
            assert_eq!(state(&waiting), expected);
        }
        assert_eq!(waiting.hand_over(|item| Err(*item)), Err(4));
        assert_eq!(state(&waiting), (1, 10, 3));
        assert_eq!(waiting.hand_over(|_| Ok::<_, ()>(())), Ok(()));
        assert_eq!(state(&waiting), (0, 0, 3));
    }
}
