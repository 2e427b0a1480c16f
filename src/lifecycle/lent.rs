use super::flight::Flight;
use std::cell::RefCell;

/// The number of places that a thread keeps for the flights of its next requests.
const CAPACITY: usize = 64;

type Place = Box<Option<Flight>>;

thread_local! {
    /// `None` on a thread that begins no requests.
    static POOL: RefCell<Option<Vec<Place>>> = const { RefCell::new(None) };
}

/// A flight in a reused allocation: futures and bodies are moved often, and grow only by a
/// pointer. The flight ends when this is dropped.
#[derive(Debug, Default)]
pub(super) struct Lent(Option<Place>);

impl Lent {
    pub(super) fn new(flight: Flight) -> Self {
        let place = POOL.try_with(|pool| {
            let mut pool = pool.try_borrow_mut().ok()?;
            pool.get_or_insert_default().pop()
        });
        let mut place = place.ok().flatten().unwrap_or_default();
        *place = Some(flight);
        Self(Some(place))
    }

    pub(super) fn get(&self) -> Option<&Flight> {
        self.0.as_deref()?.as_ref()
    }

    pub(super) fn get_mut(&mut self) -> Option<&mut Flight> {
        self.0.as_deref_mut()?.as_mut()
    }

    /// Moves the flight out and leaves this empty.
    pub(super) fn take(&mut self) -> Self {
        Self(self.0.take())
    }

    /// Ends the flight.
    pub(super) fn end(&mut self) {
        let Some(mut place) = self.0.take() else {
            return;
        };
        *place = None;
        let _ = POOL.try_with(|pool| {
            if let Ok(mut pool) = pool.try_borrow_mut()
                && let Some(pool) = &mut *pool
                && pool.len() < CAPACITY
            {
                pool.push(place);
            }
        });
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        self.end();
    }
}
