//! Bounded memory of tokens.

use super::{
    Refusal,
    verified::{Hash, Verified},
};
use std::{
    collections::HashMap,
    num::NonZeroU32,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::SystemTime,
};

/// Tokens whose signature was checked lately, by the hash of their text. A flood of bad
/// tokens does not affect them.
#[derive(Debug, Default)]
pub(super) struct Known(Mutex<HashMap<Hash, Arc<Verified>>>);

const MAX_KNOWN: usize = 256;

impl Known {
    pub(super) fn get(&self, token: &Hash) -> Option<Arc<Verified>> {
        lock(&self.0).get(token).cloned()
    }

    /// Replaces the token that ends first if there is no room.
    pub(super) fn insert(&self, token: Hash, verified: &Arc<Verified>) {
        let mut known = lock(&self.0);
        if known.len() >= MAX_KNOWN {
            let first = known.iter().min_by_key(|(_, verified)| verified.ends());
            if let Some(first) = first.map(|(token, _)| *token) {
                known.remove(&first);
            }
        }
        known.insert(token, Arc::clone(verified));
    }

    pub(super) fn remove(&self, token: &Hash) {
        lock(&self.0).remove(token);
    }
}

/// The uses of tokens that have not ended.
#[derive(Debug, Default)]
pub(super) struct Used(Mutex<HashMap<Hash, Count>>);

/// About 64 bytes each.
pub(super) const MAX_USED: usize = 4096;

#[derive(Debug)]
struct Count {
    times: u32,
    until: SystemTime,
}

impl Used {
    /// Counts one more use of a token that ends at `until`.
    pub(super) fn take(
        &self,
        id: &Hash,
        uses: NonZeroU32,
        until: SystemTime,
        now: SystemTime,
    ) -> Result<(), Refusal> {
        let mut used = lock(&self.0);
        if let Some(count) = used.get_mut(id) {
            if count.times >= uses.get() {
                return Err(Refusal::Uses);
            }
            count.times += 1;
            count.until = count.until.max(until);
            return Ok(());
        }
        if used.len() >= MAX_USED {
            used.retain(|_, count| count.until > now);
        }
        // A forgotten token could be used again.
        if used.len() >= MAX_USED {
            return Err(Refusal::Full);
        }
        used.insert(*id, Count { times: 1, until });
        Ok(())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn full_of_tokens_that_have_not_ended() {
        let (used, now) = (Used::default(), SystemTime::now());
        let id = |n: usize| {
            let mut id = [0; 32];
            id[..8].copy_from_slice(&n.to_le_bytes());
            id
        };
        let take = |n, uses, at: SystemTime| {
            let uses = NonZeroU32::new(uses).unwrap();
            used.take(&id(n), uses, at + Duration::from_secs(60), at)
        };
        for n in 0..MAX_USED {
            assert_eq!(take(n, 2, now), Ok(()));
        }
        assert_eq!(take(MAX_USED, 1, now), Err(Refusal::Full));
        assert_eq!(take(7, 2, now), Ok(()), "those that are known go on");
        assert_eq!(take(7, 2, now), Err(Refusal::Uses));
        let later = now + Duration::from_secs(61);
        assert_eq!(take(MAX_USED, 1, later), Ok(()));
        assert_eq!(used.0.lock().unwrap().len(), 1, "what has ended is gone");
    }

    #[test]
    fn a_lot_of_good_tokens() {
        let known = Known::default();
        let now = SystemTime::now();
        for n in 0..1000_u64 {
            let mut hash = [0; 32];
            hash[..8].copy_from_slice(&n.to_le_bytes());
            let verified = Arc::new(Verified::sample(now + Duration::from_secs(n)));
            known.insert(hash, &verified);
            assert!(known.get(&hash).is_some());
        }
        assert_eq!(known.0.lock().unwrap().len(), MAX_KNOWN);
    }
}
