use super::{Ended, StormLimits};
use crate::context::RequestContext;
use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
    time::{Duration, Instant},
};

/// Signatures that are told apart; more share one entry, so that memory stays
/// bounded whatever the routes look like.
const MAX_SIGNATURES: usize = 512;
const OVERFLOW: u64 = 0;

/// What of a request is kept; `suppressed` like it were only counted before.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Admission {
    Full { suppressed: u64 },
    Heads { suppressed: u64 },
    Count,
}

/// Rations exchanges when everything fails at once.
#[derive(Debug)]
pub(super) struct Storm {
    limits: StormLimits,
    seen: HashMap<u64, Signature>,
    /// Of those that the last admission tells of.
    between: Between,
    second: Option<Instant>,
    in_second: u64,
}

#[derive(Debug)]
struct Signature {
    since: Instant,
    full: u64,
    heads: u64,
    suppressed: u64,
    between: Between,
}

/// When the first and the last of some exchanges were suppressed.
pub(super) type Between = Option<(Instant, Instant)>;

fn with(between: Between, first: Instant, last: Instant) -> Between {
    let (f, l) = between.unwrap_or((first, last));
    Some((f.min(first), l.max(last)))
}

impl Signature {
    fn since(now: Instant) -> Self {
        Self {
            since: now,
            full: 0,
            heads: 0,
            suppressed: 0,
            between: None,
        }
    }
}

impl Storm {
    pub(super) fn new(limits: StormLimits) -> Self {
        Self {
            limits,
            seen: HashMap::new(),
            between: None,
            second: None,
            in_second: 0,
        }
    }

    pub(super) fn admit(&mut self, signature: u64, asked: bool, now: Instant) -> Admission {
        let key = self.key(signature, now);
        let limits = self.limits;
        let entry = self.seen.entry(key).or_insert(Signature::since(now));
        if now.duration_since(entry.since) >= limits.window {
            entry.since = now;
            entry.full = 0;
            entry.heads = 0;
        }
        let admission = if asked || entry.full < limits.full {
            Admission::Full {
                suppressed: entry.suppressed,
            }
        } else if entry.heads < limits.heads {
            Admission::Heads {
                suppressed: entry.suppressed,
            }
        } else {
            Admission::Count
        };
        // The first of a signature is worth more than the budget of the second.
        let first = entry.full == 0 && !asked;
        let counted = admission == Admission::Count
            || !first && !within_second(&mut self.second, &mut self.in_second, limits, now);
        if counted {
            entry.suppressed += 1;
            entry.between = with(entry.between, now, now);
            return Admission::Count;
        }
        match admission {
            Admission::Full { .. } => entry.full += 1,
            Admission::Heads { .. } => entry.heads += 1,
            Admission::Count => {}
        }
        entry.suppressed = 0;
        self.between = entry.between.take();
        admission
    }

    /// When the first and the last of those were suppressed that the last admission
    /// tells of.
    pub(super) fn between(&self) -> Between {
        self.between
    }

    /// Takes an admission back: there was no room, so nothing was kept.
    pub(super) fn take_back(
        &mut self,
        signature: u64,
        admission: Admission,
        between: Between,
        now: Instant,
    ) {
        let key = if self.seen.contains_key(&signature) {
            signature
        } else {
            OVERFLOW
        };
        let Some(entry) = self.seen.get_mut(&key) else {
            return;
        };
        let (kept, suppressed) = match admission {
            Admission::Full { suppressed } => (&mut entry.full, suppressed),
            Admission::Heads { suppressed } => (&mut entry.heads, suppressed),
            Admission::Count => return,
        };
        // Zero where another window has begun in between.
        *kept = kept.saturating_sub(1);
        entry.suppressed += suppressed + 1;
        let (first, last) = between.unwrap_or((now, now));
        entry.between = with(with(entry.between, first, last), now, now);
    }

    fn key(&mut self, signature: u64, now: Instant) -> u64 {
        if self.seen.len() < MAX_SIGNATURES || self.seen.contains_key(&signature) {
            return signature;
        }
        let window = self.limits.window;
        self.seen
            .retain(|_, s| now.duration_since(s.since) < window || s.suppressed > 0);
        if self.seen.len() >= MAX_SIGNATURES {
            self.forget_stale(now);
        }
        if self.seen.len() < MAX_SIGNATURES {
            signature
        } else {
            OVERFLOW
        }
    }

    /// Forgets signatures whose window is over though something like them was
    /// suppressed: else whoever makes many of them holds the table for good.
    /// The shared entry tells the counts.
    fn forget_stale(&mut self, now: Instant) {
        let window = self.limits.window;
        let mut suppressed = 0;
        let mut between = None;
        self.seen.retain(|key, s| {
            let stays = *key == OVERFLOW || now.duration_since(s.since) < window;
            if !stays {
                suppressed += s.suppressed;
                if let Some((first, last)) = s.between {
                    between = with(between, first, last);
                }
            }
            stays
        });
        if suppressed > 0 {
            let shared = self.seen.entry(OVERFLOW).or_insert(Signature::since(now));
            shared.suppressed += suppressed;
            if let Some((first, last)) = between {
                shared.between = with(shared.between, first, last);
            }
        }
    }
}

fn within_second(
    second: &mut Option<Instant>,
    in_second: &mut u64,
    limits: StormLimits,
    now: Instant,
) -> bool {
    if second.is_none_or(|start| now.duration_since(start) >= Duration::from_secs(1)) {
        *second = Some(now);
        *in_second = 0;
    }
    *in_second += 1;
    *in_second <= limits.per_second
}

static KEYS: std::sync::LazyLock<RandomState> = std::sync::LazyLock::new(RandomState::new);

/// What requests that run, and have a reason to be kept, have in common.
#[cfg(feature = "gate")]
pub(super) fn signature_so_far(context: &RequestContext) -> u64 {
    let shared = context.shared();
    let notes = shared.notes();
    KEYS.hash_one((
        shared.route.as_ref().map(crate::context::Route::as_str),
        notes.error_site,
        // Not for what: that is free text, and each would be a signature.
        notes.keep.is_empty(),
    ))
}

/// What failures that are one and the same have in common.
pub(super) fn signature(context: &RequestContext, ended: &Ended, slow: bool) -> u64 {
    let shared = context.shared();
    let (status, has_message) = {
        let tee = shared.response_body();
        (tee.status(), tee.has_message())
    };
    // Routes know gRPC services at most.
    let method = {
        let heads = shared.heads();
        super::grpc::method_of(&heads, status, has_message).map(|method| KEYS.hash_one(method))
    };
    let notes = shared.notes();
    let panic = notes.panic.as_ref();
    KEYS.hash_one((
        shared.route.as_ref().map(crate::context::Route::as_str),
        method,
        &ended.outcome,
        ended.status.map(|status| status.as_u16()),
        (slow, ended.upload_broke),
        // Not the message: that is free text, and each would be a signature.
        panic.map(|panic| panic.location.as_ref()),
        notes.error_site,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_in_full_then_heads_then_counted_and_told_later() {
        let limits = StormLimits {
            full: 2,
            heads: 1,
            ..StormLimits::default()
        };
        let mut storm = Storm::new(limits);
        let now = Instant::now();
        let mut admit = |at| storm.admit(7, false, at);
        assert_eq!(admit(now), Admission::Full { suppressed: 0 });
        assert_eq!(admit(now), Admission::Full { suppressed: 0 });
        assert_eq!(admit(now), Admission::Heads { suppressed: 0 });
        assert_eq!(admit(now), Admission::Count);
        assert_eq!(admit(now), Admission::Count);
        let later = now + limits.window;
        assert_eq!(admit(later), Admission::Full { suppressed: 2 });
    }

    #[test]
    fn the_second_bounds_all_but_the_first_of_each() {
        let mut storm = Storm::new(StormLimits {
            full: 10,
            per_second: 1,
            ..StormLimits::default()
        });
        let now = Instant::now();
        for signature in 1..100 {
            let first = storm.admit(signature, false, now);
            assert_eq!(first, Admission::Full { suppressed: 0 });
        }
        assert!(matches!(storm.admit(1, false, now), Admission::Full { .. }));
        assert_eq!(storm.admit(1, true, now), Admission::Count);
        let next = now + Duration::from_secs(1);
        assert_eq!(
            storm.admit(1, true, next),
            Admission::Full { suppressed: 1 }
        );
    }

    #[test]
    fn heads_tell_too_what_the_second_suppressed() {
        let mut storm = Storm::new(StormLimits {
            full: 1,
            per_second: 0,
            ..StormLimits::default()
        });
        let now = Instant::now();
        storm.admit(7, false, now);
        assert_eq!(storm.admit(7, false, now), Admission::Count);
        storm.limits.per_second = 1;
        let next = now + Duration::from_secs(1);
        let heads = storm.admit(7, false, next);
        assert_eq!(heads, Admission::Heads { suppressed: 1 });
    }

    #[test]
    fn it_tells_when_the_first_and_the_last_were_suppressed() {
        let mut storm = Storm::new(StormLimits {
            full: 1,
            heads: 0,
            ..StormLimits::default()
        });
        let now = Instant::now();
        let at = |seconds| now + Duration::from_secs(seconds);
        storm.admit(7, false, now);
        assert_eq!(storm.between(), None);
        for second in [5, 10, 20] {
            assert_eq!(storm.admit(7, false, at(second)), Admission::Count);
        }
        let full = storm.admit(7, false, at(60));
        assert_eq!(full, Admission::Full { suppressed: 3 });
        let between = storm.between();
        assert_eq!(between, Some((at(5), at(20))));
        storm.take_back(7, full, between, at(60));
        storm.admit(7, false, at(61));
        assert_eq!(storm.between(), Some((at(5), at(60))));
    }

    #[test]
    fn what_was_taken_back_is_as_if_it_was_only_counted() {
        let mut storm = Storm::new(StormLimits {
            full: 1,
            heads: 1,
            ..StormLimits::default()
        });
        let now = Instant::now();
        for lost in 0..3 {
            let full = storm.admit(7, false, now);
            assert_eq!(full, Admission::Full { suppressed: lost });
            storm.take_back(7, full, storm.between(), now);
        }
        let full = storm.admit(7, false, now);
        assert_eq!(full, Admission::Full { suppressed: 3 });
        let heads = storm.admit(7, false, now);
        assert_eq!(heads, Admission::Heads { suppressed: 0 });
        storm.take_back(7, heads, None, now);
        let heads = storm.admit(7, false, now);
        assert_eq!(heads, Admission::Heads { suppressed: 1 });
    }

    #[test]
    fn a_full_table_of_the_past_does_not_hold_back_what_is_new() {
        let limits = StormLimits {
            full: 1,
            heads: 0,
            ..StormLimits::default()
        };
        let mut storm = Storm::new(limits);
        let now = Instant::now();
        for signature in 1..=1_000 {
            storm.admit(signature, false, now);
            assert_eq!(storm.admit(signature, false, now), Admission::Count);
        }
        let later = now + limits.window;
        for signature in 2_000..2_100 {
            let first = storm.admit(signature, false, later);
            assert_eq!(first, Admission::Full { suppressed: 0 });
        }
        let shared = storm.seen.get(&OVERFLOW).map(|s| s.suppressed);
        // Each had one, and those that shared from the start all but the first.
        assert_eq!(shared, Some(512 + 2 * (1_000 - 512) - 1));
    }

    #[test]
    fn memory_is_bounded_for_any_number_of_signatures() {
        let mut storm = Storm::new(StormLimits::default());
        let now = Instant::now();
        for signature in 1..10_000 {
            storm.admit(signature, false, now);
        }
        assert!(storm.seen.len() <= MAX_SIGNATURES + 1);
    }
}
