use super::Limits;
use std::time::{Duration, Instant};

/// Limits the sample of healthy requests, independently of failures.
#[derive(Debug)]
pub(super) struct Sample {
    per_second: u64,
    bytes_per_second: usize,
    second: Option<Instant>,
    exchanges: u64,
    bytes: usize,
}

impl Sample {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            per_second: limits.baseline_per_second,
            bytes_per_second: limits.baseline_bytes_per_second,
            second: None,
            exchanges: 0,
            bytes: 0,
        }
    }

    /// Returns whether one more exchange of this many bytes is kept.
    pub(super) fn admit(&mut self, bytes: usize, now: Instant) -> bool {
        let over = |start: Instant| now.duration_since(start) >= Duration::from_secs(1);
        if self.second.is_none_or(over) {
            self.second = Some(now);
            (self.exchanges, self.bytes) = (0, 0);
        }
        let all = self.bytes.saturating_add(bytes);
        // An exchange over the limit of a second is kept alone.
        let heavy = all > self.bytes_per_second && self.exchanges > 0;
        if heavy || self.exchanges >= self.per_second {
            return false;
        }
        self.exchanges += 1;
        self.bytes = all;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_and_so_large_each_second() {
        let mut limits = Limits::default();
        (limits.baseline_per_second, limits.baseline_bytes_per_second) = (3, 100);
        let mut sample = Sample::new(&limits);
        let now = Instant::now();
        let kept = |sample: &mut Sample, now, bytes: &[usize]| -> Vec<bool> {
            bytes.iter().map(|&b| sample.admit(b, now)).collect()
        };
        let first = kept(&mut sample, now, &[60, 60, 40, 0, 0]);
        assert_eq!(first, [true, false, true, true, false]);
        let next = now + Duration::from_secs(1);
        assert_eq!(kept(&mut sample, next, &[1_000, 1]), [true, false]);
        let all = kept(&mut Sample::new(&Limits::default()), now, &[1 << 30; 9]);
        assert_eq!(all, [true; 9]);
    }
}
