use std::{
    hash::{BuildHasher, RandomState},
    sync::{
        Arc, LazyLock,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
};

/// How many places count the memory of peers. Some peers share one.
const PLACES: usize = 4096;

/// Limits the memory of all requests in flight and all exchanges that wait for their export, and
/// the part of it that one peer may hold.
///
/// Half of it is free to all. Beyond that, a peer that holds an eighth gets no more. Beyond three
/// quarters, a peer that holds as much as one request needs gets no more. Thus a peer that holds
/// little can always get some, and no peer has to give memory back.
#[derive(Debug)]
pub(crate) struct MemoryBudget {
    limit: usize,
    /// The memory that one request needs.
    of_request: usize,
    held: AtomicUsize,
    /// The bytes that peers hold, by place.
    places: Box<[AtomicUsize]>,
    /// Whether any peer is known. If none is, unknown peers are not limited as one peer.
    has_peers: AtomicBool,
    refused: AtomicU64,
}

/// A budget, and the peer that takes from it.
#[derive(Clone, Debug)]
pub(crate) struct Account {
    budget: Arc<MemoryBudget>,
    holder: Holder,
}

/// The place that counts the memory of a peer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Holder(u16);

impl Holder {
    /// All peers that are not known.
    const UNKNOWN: Self = Self(0);

    /// Returns the place of a peer; zero is an unknown peer. The keys are random, so that no
    /// client knows which peers share a place.
    pub(crate) fn of(site: u128) -> Self {
        static KEYS: LazyLock<[u64; 3]> =
            LazyLock::new(|| [0, 1, 2].map(|n| RandomState::new().hash_one(n)));
        if site == 0 {
            return Self::UNKNOWN;
        }
        Self::by(*KEYS, site)
    }

    /// Returns the place by these keys. Networks have consecutive numbers, so one multiplication is
    /// not enough: with some keys they would share a few places.
    fn by([first, second, third]: [u64; 3], site: u128) -> Self {
        let fold = |a: u64, b: u64| {
            let product = u128::from(a) * u128::from(b);
            (product >> 64) as u64 ^ product as u64
        };
        let (high, low) = ((site >> 64) as u64, site as u64);
        let mixed = fold(fold(high ^ first, low ^ second), third | 1);
        let place = (mixed >> 52) as usize % (PLACES - 1) + 1;
        Self(u16::try_from(place).unwrap_or_default())
    }
}

impl MemoryBudget {
    pub(crate) fn new(limit: usize, of_request: usize) -> Self {
        Self {
            limit,
            of_request,
            held: AtomicUsize::new(0),
            places: (0..PLACES).map(|_| AtomicUsize::new(0)).collect(),
            has_peers: AtomicBool::new(false),
            refused: AtomicU64::new(0),
        }
    }

    /// Returns the account of a peer.
    pub(crate) fn account(self: &Arc<Self>, holder: Holder) -> Account {
        if holder != Holder::UNKNOWN && !self.has_peers.load(Relaxed) {
            self.has_peers.store(true, Relaxed);
        }
        Account {
            budget: Arc::clone(self),
            holder,
        }
    }

    /// Returns the bytes held now.
    pub(crate) fn held(&self) -> usize {
        self.held.load(Relaxed)
    }

    /// Returns whether more than this many eighths are in use.
    pub(crate) fn is_filled(&self, eighths: usize) -> bool {
        self.held() / eighths > self.limit / 8
    }

    /// Returns whether a peer holds more than one request needs.
    pub(crate) fn has_much(&self, holder: Holder) -> bool {
        self.held_by(holder)
            .is_none_or(|held| held.load(Relaxed) > self.of_request)
    }

    fn held_by(&self, holder: Holder) -> Option<&AtomicUsize> {
        self.places.get(usize::from(holder.0))
    }

    /// Returns how often memory was refused.
    pub(crate) fn refused(&self) -> u64 {
        self.refused.load(Relaxed)
    }

    /// Counts memory that was given up because there was not enough.
    pub(crate) fn note_refused(&self) {
        self.refused.fetch_add(1, Relaxed);
    }

    /// Returns how much a peer may hold when `held` bytes are in use.
    fn share(&self, holder: Holder, held: usize) -> usize {
        let alone = holder == Holder::UNKNOWN && !self.has_peers.load(Relaxed);
        if held <= self.limit / 2 || alone {
            usize::MAX
        } else if held <= self.limit / 4 * 3 {
            self.of_request.max(self.limit / 8)
        } else {
            self.of_request
        }
    }

    /// Takes memory if possible. The caller counts a refusal.
    fn try_take(&self, bytes: usize, holder: Holder) -> bool {
        let before = self.held.fetch_add(bytes, Relaxed);
        let all = before.checked_add(bytes).filter(|all| *all <= self.limit);
        let own = self.held_by(holder).map_or(0, |own| {
            let before = own.fetch_add(bytes, Relaxed);
            before.saturating_add(bytes)
        });
        let fits = all.is_some_and(|all| own <= self.share(holder, all));
        if !fits {
            self.give_back(bytes, holder);
        }
        fits
    }

    fn give_back(&self, bytes: usize, holder: Holder) {
        self.held.fetch_sub(bytes, Relaxed);
        if let Some(own) = self.held_by(holder) {
            own.fetch_sub(bytes, Relaxed);
        }
    }
}

/// Reserved memory of the budget, given back when dropped. Without a budget it grants everything.
#[derive(Debug, Default)]
pub(crate) struct Reservation {
    account: Option<Account>,
    bytes: usize,
}

impl Reservation {
    pub(crate) fn of(account: Option<Account>) -> Self {
        Self { account, bytes: 0 }
    }

    /// Returns an empty reservation of the same account.
    pub(crate) fn another(&self) -> Self {
        Self::of(self.account.clone())
    }

    /// Gives all of it back early.
    pub(crate) fn give_back(&mut self) {
        *self = Self::of(self.account.clone());
    }

    /// Reserves more. Returns `false` if that was refused and counted.
    pub(crate) fn grow(&mut self, bytes: usize) -> bool {
        self.grow_to(self.bytes + bytes, 0)
    }

    /// Reserves this many bytes in all, or up to `better` bytes, so that the next call is free.
    /// Returns `false` if it was refused and counted.
    #[inline]
    pub(crate) fn grow_to(&mut self, bytes: usize, better: usize) -> bool {
        bytes <= self.bytes || self.take(bytes - self.bytes, better.saturating_sub(self.bytes))
    }

    /// Gives all but this many bytes back.
    pub(crate) fn shrink_to(&mut self, bytes: usize) {
        if let Some(Account { budget, holder }) = &self.account
            && self.bytes > bytes
        {
            budget.give_back(self.bytes - bytes, *holder);
            self.bytes = bytes;
        }
    }

    fn take(&mut self, more: usize, better: usize) -> bool {
        let Some(Account { budget, holder }) = &self.account else {
            return true;
        };
        let mut take = |bytes| {
            let granted = budget.try_take(bytes, *holder);
            if granted {
                self.bytes += bytes;
            }
            granted
        };
        let granted = take(more.max(better)) || better > more && take(more);
        if !granted {
            budget.note_refused();
        }
        granted
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        if let Some(Account { budget, holder }) = &self.account
            && self.bytes > 0
        {
            budget.give_back(self.bytes, *holder);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(budget: &Arc<MemoryBudget>, site: u128) -> Reservation {
        Reservation::of(Some(budget.account(Holder::of(site))))
    }

    #[test]
    fn refuses_over_the_limit_and_gives_back() {
        let budget = Arc::new(MemoryBudget::new(10, 10));
        let mut a = account(&budget, 0);
        assert!(a.grow(10));
        let mut b = account(&budget, 0);
        assert!(!b.grow(1));
        assert_eq!((budget.held(), budget.refused()), (10, 1));
        drop(a);
        assert!(b.grow(1));
        drop(b);
        assert_eq!(budget.held(), 0);
    }

    /// Returns what a peer gets that takes as many pieces of this size as it can.
    fn greedy(budget: &Arc<MemoryBudget>, site: u128, piece: usize) -> Vec<Reservation> {
        let mut held = Vec::new();
        loop {
            let mut one = account(budget, site);
            if !one.grow(piece) {
                return held;
            }
            held.push(one);
        }
    }

    #[test]
    fn whoever_holds_little_gets_some_whatever_others_hold() {
        let budget = Arc::new(MemoryBudget::new(48 << 20, 128 << 10));
        let mut held = greedy(&budget, 1, 64 << 10);
        assert_eq!(budget.held(), 24 << 20, "half of it is anybody's");
        // Two peers with much, and 80 with as much as they can have.
        for site in 2..=83 {
            held.extend(greedy(&budget, site << 64, 64 << 10));
        }
        let mut others = 0;
        for site in 100..110 {
            let mut one = account(&budget, site << 64);
            others += usize::from(one.grow(64 << 10) && one.grow(64 << 10));
        }
        // A peer may share its place with one that has much.
        assert!(others >= 8, "{others}");
        drop(held);
        assert_eq!(budget.held(), 0);
        assert!(budget.places.iter().all(|place| place.load(Relaxed) == 0));
    }

    #[test]
    fn neighbours_have_places_of_their_own_by_any_key() {
        let mut random = fastrand::Rng::with_seed(7);
        for _ in 0..2_000 {
            let keys = [(); 3].map(|()| random.u64(..));
            for shift in [0, 64] {
                let places = (1..=100_u128).map(|site| Holder::by(keys, site << shift).0);
                let different = places.collect::<std::collections::HashSet<_>>().len();
                assert!(different >= 90, "{different} by {keys:?}");
            }
        }
    }

    #[test]
    fn those_who_are_not_known_are_one_where_others_are() {
        let budget = Arc::new(MemoryBudget::new(1 << 20, 1 << 10));
        let all = greedy(&budget, 0, 1 << 10);
        assert_eq!(budget.held(), 1 << 20, "there is nobody else");
        drop(all);
        drop(account(&budget, 1));
        let half = greedy(&budget, 0, 1 << 10);
        assert_eq!(budget.held(), 1 << 19);
        drop(half);
    }
}
