//! This room's part of a request's state: the values that its texts hide.

use super::{Known, Salt};
use std::sync::{
    Mutex, MutexGuard, PoisonError,
    atomic::{AtomicU64, Ordering::Relaxed},
};

#[derive(Debug, Default)]
pub(crate) struct Hiding {
    /// The salt of its hashes; zero until it is needed.
    salt: AtomicU64,
    /// The values that texts of this request must hide, so far.
    known: Mutex<Known>,
}

impl Hiding {
    /// Returns the salt of the hashes that are valid within this request only.
    pub(crate) fn salt(&self) -> Salt {
        if let Some(salt) = Salt::from_bits(self.salt.load(Relaxed)) {
            return salt;
        }
        let fresh = Salt::fresh();
        match self
            .salt
            .compare_exchange(0, fresh.to_bits(), Relaxed, Relaxed)
        {
            Ok(_) => fresh,
            Err(bits) => Salt::from_bits(bits).unwrap_or(fresh),
        }
    }

    /// Gives a call the salt of the request that makes it.
    pub(crate) fn take_salt_of(&self, caller: &Self) {
        self.salt.store(caller.salt().to_bits(), Relaxed);
    }

    pub(crate) fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn reset(&mut self) {
        let Self { salt, known } = self;
        *salt.get_mut() = 0;
        known
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner)
            .reset();
    }
}
