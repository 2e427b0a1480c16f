use super::{Decisions, Salt, Scrubber};
use std::{collections::VecDeque, sync::Arc};

/// The most bytes that are remembered of hidden fields of a request's log lines.
const TOLD: usize = 4 * 1024;

/// How often all data of a request and its calls may be read, and how many bytes in
/// addition, for those that grow slowly.
const READINGS: usize = 4;
const READING: usize = 256 * 1024;

/// The cost limit for searching the texts of its log lines, in bytes of plain text.
const SEARCHING: u64 = 512 * 1024;

/// How many requests a thread remembers the hidden values of.
const RECENT: usize = 16;

/// The most bytes of values that it remembers in addition to those of the last one.
const RECENT_BYTES: usize = 2 << 20;

/// The remaining budget for determining what the texts of one request must hide.
#[derive(Debug)]
pub(crate) struct Known {
    /// Bytes read so far.
    read: usize,
    searching: u64,
    /// Values of log line fields that are hidden because of their names.
    told: Vec<String>,
    told_bytes: usize,
    /// Whether one of its lines reported the limit.
    asked: bool,
}

impl Default for Known {
    fn default() -> Self {
        Self {
            read: 0,
            searching: SEARCHING,
            told: Vec::new(),
            told_bytes: 0,
            asked: false,
        }
    }
}

impl Known {
    /// Remembers the value of a hidden field, if there is room.
    pub(crate) fn tell(&mut self, value: &str) {
        if self.told_bytes + value.len() <= TOLD && !self.told.iter().any(|told| told == value) {
            self.told_bytes += value.len();
            self.told.push(value.to_owned());
        }
    }

    pub(crate) fn told(&self) -> &[String] {
        &self.told
    }

    /// Returns whether all data, this many bytes, may be read again.
    pub(crate) fn read(&mut self, all: usize) -> bool {
        let read = self.read.saturating_add(all);
        let may = read <= all.saturating_mul(READINGS).saturating_add(READING);
        if may {
            self.read = read;
        }
        may
    }

    /// Returns whether an earlier line reported the limit.
    pub(crate) fn asks_again(&mut self) -> bool {
        std::mem::replace(&mut self.asked, true)
    }

    pub(crate) fn searching(&self) -> u64 {
        self.searching
    }

    /// Records the remaining budget of a scrubber.
    pub(crate) fn searched(&mut self, scrubber: &Scrubber) {
        self.searching = self.searching.min(scrubber.work_left());
    }

    pub(crate) fn reset(&mut self) {
        let Self {
            read,
            searching,
            told,
            told_bytes,
            asked,
        } = self;
        (*read, *searching, *told_bytes, *asked) = (0, SEARCHING, 0, false);
        told.clear();
    }
}

/// A thread's cache of hidden values of its last requests, and of names.
#[derive(Default)]
pub(crate) struct Recent {
    pub(crate) decisions: Decisions,
    requests: VecDeque<(Salt, u64, Arc<Scrubber>)>,
}

impl Recent {
    /// Returns the scrubber of this request, if the request has no new data since.
    pub(crate) fn get(&self, request: Salt, at: u64) -> Option<Arc<Scrubber>> {
        let same = |(salt, known, _): &&(Salt, u64, _)| *salt == request && *known == at;
        self.requests.iter().find(same).map(|(.., s)| Arc::clone(s))
    }

    pub(crate) fn put(&mut self, request: Salt, at: u64, scrubber: &Arc<Scrubber>) {
        self.requests.retain(|(salt, ..)| *salt != request);
        let bytes = |requests: &VecDeque<(_, _, Arc<Scrubber>)>| -> usize {
            requests
                .iter()
                .map(|(.., s): &(Salt, u64, _)| s.bytes())
                .sum()
        };
        while self.requests.len() >= RECENT || bytes(&self.requests) > RECENT_BYTES {
            self.requests.pop_front();
        }
        self.requests.push_back((request, at, Arc::clone(scrubber)));
    }
}
