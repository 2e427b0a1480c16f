//! How much of a thread's time each client has used.

use std::time::{Duration, Instant};

/// How long a share counts.
const WINDOW: Duration = Duration::from_secs(1);

/// The share that one client may use while others wait.
const SHARE: Duration = Duration::from_millis(250);

/// How long work waits before shares matter.
const PATIENCE: Duration = Duration::from_millis(300);

/// The clients that are counted at once. Further ones are not limited.
const CLIENTS: usize = 256;

/// The time that a thread has spent on each client in the last second. While the thread is
/// behind and others wait, a client that used more than a quarter of it gets little more.
/// All clients with unknown addresses are one client.
#[derive(Debug)]
pub(crate) struct Shares {
    began: Instant,
    spent: Vec<(u128, Duration)>,
}

impl Default for Shares {
    fn default() -> Self {
        Self {
            began: Instant::now(),
            spent: Vec::new(),
        }
    }
}

impl Shares {
    /// Whether long work may be done for a client, whose item has waited so long.
    pub(crate) fn may_have(&mut self, client: u128, waited: Duration) -> bool {
        if waited < PATIENCE {
            return true;
        }
        // A client that waits counts as one of the others, even if little is done for it.
        self.spend(client, Duration::ZERO);
        let spent = self.spent.iter().find(|(c, _)| *c == client);
        let others = self.spent.iter().any(|(c, _)| *c != client);
        !others || spent.is_none_or(|(_, spent)| *spent < SHARE)
    }

    fn turn(&mut self) {
        if self.began.elapsed() >= WINDOW {
            self.began = Instant::now();
            self.spent.clear();
        }
    }

    /// Notes work for a client.
    pub(crate) fn spend(&mut self, client: u128, time: Duration) {
        self.turn();
        if let Some((_, spent)) = self.spent.iter_mut().find(|(c, _)| *c == client) {
            *spent += time;
        } else if self.spent.len() < CLIENTS {
            self.spent.push((client, time));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_had_much_waits_for_others_only_when_there_is_a_queue() {
        let (mut shares, long) = (Shares::default(), Duration::from_secs(1));
        let (one, other) = (1, 2);
        shares.spend(one, SHARE);
        assert!(shares.may_have(one, long));
        shares.spend(other, Duration::from_millis(1));
        assert!(shares.may_have(one, Duration::ZERO));
        assert!(!shares.may_have(one, long));
        assert!(shares.may_have(other, long));
    }

    #[test]
    fn who_waits_and_costs_nothing_is_one_of_the_others() {
        let (mut shares, long) = (Shares::default(), Duration::from_secs(1));
        shares.spend(1, SHARE);
        assert!(shares.may_have(1, long));
        assert!(shares.may_have(2, long));
        assert!(!shares.may_have(1, long));
    }
}
