use super::{ExportError, Exporter};
use crate::exchange::Exchange;
use std::{
    collections::VecDeque,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Keeps the newest exchanges in memory.
///
/// Clones share their content: pass one to the builder as the exporter, and read the other.
/// It serves tests, and endpoints that show recent failures.
#[derive(Clone)]
pub struct Memory {
    capacity: usize,
    inner: Arc<Mutex<Inner>>,
}

#[derive(Default)]
struct Inner {
    exchanges: VecDeque<Arc<Exchange>>,
    evicted: u64,
}

impl Memory {
    /// Creates an exporter that keeps the newest `capacity` exchanges, whatever their size.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self {
            capacity,
            inner: Arc::default(),
        }
    }

    /// Returns copies of the exchanges, oldest first.
    #[must_use]
    pub fn exchanges(&self) -> Vec<Exchange> {
        self.shared().iter().map(|e| (**e).clone()).collect()
    }

    /// Removes and returns the exchanges, oldest first.
    #[must_use]
    pub fn take(&self) -> Vec<Exchange> {
        let taken = std::mem::take(&mut self.lock().exchanges);
        taken.into_iter().map(Arc::unwrap_or_clone).collect()
    }

    /// Returns the number of exchanges.
    #[must_use]
    pub fn len(&self) -> usize {
        self.lock().exchanges.len()
    }

    /// Returns whether there are no exchanges.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns how many exchanges were removed so far to make room for newer ones.
    #[must_use]
    pub fn evicted(&self) -> u64 {
        self.lock().evicted
    }

    /// The exchanges, oldest first, without copying them.
    pub(crate) fn shared(&self) -> Vec<Arc<Exchange>> {
        self.lock().exchanges.iter().map(Arc::clone).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Exporter for Memory {
    fn export(&mut self, exchange: &Exchange) -> Result<(), ExportError> {
        let exchange = Arc::new(exchange.clone());
        let mut inner = self.lock();
        inner.exchanges.push_back(exchange);
        if inner.exchanges.len() > self.capacity {
            inner.exchanges.pop_front();
            inner.evicted += 1;
        }
        Ok(())
    }
}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Memory")
            .field("capacity", &self.capacity)
            .field("len", &self.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::export::sample::sample;

    #[test]
    fn keeps_the_newest() {
        let mut memory = Memory::new(2);
        let handle = memory.clone();
        assert!(handle.is_empty());
        for id in ["a", "b", "c"] {
            memory.export(&sample(id)).unwrap();
        }
        assert_eq!(handle.exchanges(), [sample("b"), sample("c")]);
        assert_eq!(handle.evicted(), 1);
        assert_eq!(handle.take().len(), 2);
        assert_eq!((handle.len(), memory.len()), (0, 0));
        assert!(memory.flush().is_ok() && memory.health().is_ok());
    }

    #[test]
    fn capacity_zero_keeps_none() {
        let mut memory = Memory::new(0);
        memory.export(&sample("a")).unwrap();
        assert!(memory.is_empty());
        assert_eq!(memory.evicted(), 1);
    }
}
