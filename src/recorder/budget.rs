use std::sync::{
    Arc,
    atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
};

/// The cap on what all requests in flight, and all exchanges that wait for
/// their export, may hold together.
#[derive(Debug)]
pub(crate) struct MemoryBudget {
    limit: usize,
    held: AtomicUsize,
    refused: AtomicU64,
}

impl MemoryBudget {
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            limit,
            held: AtomicUsize::new(0),
            refused: AtomicU64::new(0),
        }
    }

    /// Bytes held now.
    pub(crate) fn held(&self) -> usize {
        self.held.load(Relaxed)
    }

    /// Whether more than so many quarters are in use.
    pub(crate) fn is_filled(&self, quarters: usize) -> bool {
        self.held() / quarters > self.limit / 4
    }

    /// How often memory was refused.
    pub(crate) fn refused(&self) -> u64 {
        self.refused.load(Relaxed)
    }

    /// Counts memory that was given up, for there was not enough.
    pub(crate) fn note_refused(&self) {
        self.refused.fetch_add(1, Relaxed);
    }

    fn try_take(&self, bytes: usize) -> bool {
        let before = self.held.fetch_add(bytes, Relaxed);
        let fits = before
            .checked_add(bytes)
            .is_some_and(|after| after <= self.limit);
        if !fits {
            self.held.fetch_sub(bytes, Relaxed);
            self.refused.fetch_add(1, Relaxed);
        }
        fits
    }
}

/// A share of the budget, given back when dropped. Without a budget it grants
/// everything.
#[derive(Debug, Default)]
pub(crate) struct Reservation {
    budget: Option<Arc<MemoryBudget>>,
    bytes: usize,
}

impl Reservation {
    pub(crate) fn of(budget: Option<Arc<MemoryBudget>>) -> Self {
        Self { budget, bytes: 0 }
    }

    /// Another share of the same budget, empty.
    pub(crate) fn another(&self) -> Self {
        Self::of(self.budget.clone())
    }

    /// Gives all of it back before its time.
    pub(crate) fn give_back(&mut self) {
        *self = Self::of(self.budget.clone());
    }

    /// Asks for more; `false` means it was refused and counted.
    pub(crate) fn grow(&mut self, bytes: usize) -> bool {
        let Some(budget) = &self.budget else {
            return true;
        };
        let granted = budget.try_take(bytes);
        if granted {
            self.bytes += bytes;
        }
        granted
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        if let Some(budget) = &self.budget {
            budget.held.fetch_sub(self.bytes, Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_over_the_limit_and_gives_back() {
        let budget = Arc::new(MemoryBudget::new(10));
        let mut a = Reservation::of(Some(Arc::clone(&budget)));
        assert!(a.grow(10));
        let mut b = Reservation::of(Some(Arc::clone(&budget)));
        assert!(!b.grow(1));
        assert_eq!((budget.held(), budget.refused()), (10, 1));
        drop(a);
        assert!(b.grow(1));
        drop(b);
        assert_eq!(budget.held(), 0);
    }
}
