//! Reads the exchanges that a filter matches.

use super::Filter;
use crate::{
    exchange::Exchange,
    export::json_lines::{Entry, Follow, Torn, Wanted, look, paths},
};
use std::{
    cmp::{Ordering, Reverse},
    collections::BinaryHeap,
    io,
    ops::ControlFlow,
    path::{Path, PathBuf},
};

/// Finds exchanges in the files of [`JsonLines`](crate::export::JsonLines), even while a
/// service writes them.
///
/// It reads as little as possible: it finds times, statuses and IDs by the index of a file,
/// and does not open files that are too old. It misses nothing if an index is missing or
/// wrong. It holds one exchange in memory, and what the caller keeps of each one found.
///
/// ```no_run
/// use dashcam::find::{Filter, Search};
///
/// let mut filter = Filter::new();
/// filter.add("since", "15m")?;
/// filter.add("status", "5xx")?;
/// let search = Search::new("/var/lib/orders/dashcam").filter(filter).newest(20);
/// let paths = search.read(|item| match item {
///     Ok(exchange) => Some(exchange.request.path),
///     Err(torn) => {
///         eprintln!("skipped {torn}");
///         None
///     }
/// })?;
/// # let _ = paths;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "does nothing until it reads"]
pub struct Search {
    path: PathBuf,
    filter: Filter,
    newest: Option<usize>,
    follow: Follow,
}

impl Search {
    /// Creates a search for all exchanges in the files of this directory, or in this one
    /// file.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            filter: Filter::new(),
            newest: None,
            follow: Follow::default(),
        }
    }

    /// Sets the filter that exchanges must match. Default: all match.
    pub fn filter(mut self, filter: Filter) -> Self {
        self.filter = filter;
        self
    }

    /// Sets how many exchanges to find: the `n` that began last. Default: all.
    pub fn newest(mut self, n: usize) -> Self {
        self.newest = Some(n);
        self
    }

    /// Calls `each` for exchanges, and returns its results in the order in which the
    /// exchanges began.
    ///
    /// `each` receives every exchange that matches and may be among the newest, in no
    /// order, and every place that holds no exchange, as an error. If it returns `None` for
    /// an exchange, that is left out, and does not count as one of the newest.
    ///
    /// # Errors
    ///
    /// The directory cannot be listed, or the one file cannot be opened. A file of a
    /// directory that cannot be opened is passed to `each` as an error. A file that was
    /// deleted meanwhile is skipped.
    pub fn read<T>(
        &self,
        each: impl FnMut(Result<Exchange, Torn>) -> Option<T>,
    ) -> io::Result<Vec<T>> {
        let mut reading = Reading {
            filter: &self.filter,
            newest: self.newest,
            file: 0,
            not_before: None,
            each,
            found: BinaryHeap::new(),
        };
        reading.read(&self.path)?;
        let mut found = reading.found.into_vec();
        found.sort_by(|Reverse(a), Reverse(b)| a.cmp(b));
        Ok(found.into_iter().map(|Reverse(found)| found.item).collect())
    }

    /// Passes to `each` the exchanges that match and were written since the last call, file
    /// by file, until `each` breaks; the next call continues behind that item. The first call
    /// begins with the oldest file. [`newest`](Self::newest) does not apply.
    ///
    /// A line that is being written waits for the next call. A place that holds no exchange
    /// is passed once, as an error. Files may begin, be compressed or be deleted meanwhile.
    ///
    /// ```no_run
    /// use dashcam::find::Search;
    /// use std::{ops::ControlFlow, thread, time::Duration};
    ///
    /// let mut search = Search::new("/var/lib/orders/dashcam");
    /// loop {
    ///     search.poll(|item| {
    ///         match item {
    ///             Ok(exchange) => println!("{} {}", exchange.id, exchange.outcome),
    ///             Err(torn) => eprintln!("skipped {torn}"),
    ///         }
    ///         ControlFlow::Continue(())
    ///     })?;
    ///     thread::sleep(Duration::from_millis(300));
    /// }
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// The directory cannot be listed, or there is no such file, nor its compressed copy.
    pub fn poll(
        &mut self,
        mut each: impl FnMut(Result<Exchange, Torn>) -> ControlFlow<()>,
    ) -> io::Result<()> {
        let filter = &self.filter;
        self.follow.poll(&self.path, |item| match &item {
            Ok(exchange) if !filter.matches(exchange) => ControlFlow::Continue(()),
            _ => each(item),
        })
    }
}

/// Collects the matches in one path.
struct Reading<'a, T, F> {
    filter: &'a Filter,
    newest: Option<usize>,
    file: usize,
    /// Exchanges that began before this are not among the newest.
    not_before: Option<i64>,
    each: F,
    found: BinaryHeap<Reverse<Found<T>>>,
}

impl<T, F: FnMut(Result<Exchange, Torn>) -> Option<T>> Reading<'_, T, F> {
    fn read(&mut self, path: &Path) -> io::Result<()> {
        if path.is_file() {
            let _ = look(path, self)?;
            return Ok(());
        }
        let paths = paths(path)?;
        // With the newest known, older files need not be read.
        for (n, path) in paths.iter().enumerate().rev() {
            self.file = n;
            match look(path, self) {
                Ok(_) => {}
                // Retention just deleted the file.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => self.torn(Torn::of_file(path, &error)),
            }
        }
        Ok(())
    }

    /// The time at which an exchange must begin to be among the newest.
    fn bound(&self) -> Option<i64> {
        if self.found.len() < self.newest? {
            return None;
        }
        // If none are wanted, no time is late enough.
        let oldest = self.found.peek();
        oldest.map_or(Some(i64::MAX), |Reverse(oldest)| micros(&oldest.started_at))
    }
}

impl<T, F: FnMut(Result<Exchange, Torn>) -> Option<T>> Wanted for Reading<'_, T, F> {
    fn is_choosy(&self) -> bool {
        self.newest.is_some() || self.filter.knows_some()
    }

    fn not_before(&self) -> Option<i64> {
        self.filter.since().max(self.not_before)
    }

    fn may(&mut self, entry: &Entry) -> bool {
        self.not_before
            .is_none_or(|bound| entry.started_us() >= bound)
            && self.filter.may_match(entry)
    }

    fn may_line(&mut self, line: &[u8]) -> bool {
        self.filter.may_match_line(line)
    }

    fn take(&mut self, exchange: Exchange, offset: u64) -> ControlFlow<()> {
        if !self.filter.matches(&exchange) {
            return ControlFlow::Continue(());
        }
        let started_at = exchange.started_at.clone();
        if let Some(item) = (self.each)(Ok(exchange)) {
            self.found.push(Reverse(Found {
                started_at,
                place: (self.file, offset),
                item,
            }));
            if self.newest.is_some_and(|newest| self.found.len() > newest) {
                self.found.pop();
            }
            self.not_before = self.not_before.max(self.bound());
        }
        ControlFlow::Continue(())
    }

    fn torn(&mut self, torn: Torn) {
        let _ = (self.each)(Err(torn));
    }
}

/// Ordered by time, then by file and offset. All times are UTC in one form, so that they
/// compare as text.
struct Found<T> {
    started_at: String,
    place: (usize, u64),
    item: T,
}

impl<T> Ord for Found<T> {
    fn cmp(&self, other: &Self) -> Ordering {
        let at = self.started_at.cmp(&other.started_at);
        at.then_with(|| self.place.cmp(&other.place))
    }
}

impl<T> PartialOrd for Found<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> PartialEq for Found<T> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl<T> Eq for Found<T> {}

fn micros(started_at: &str) -> Option<i64> {
    let at: jiff::Timestamp = started_at.parse().ok()?;
    Some(at.as_microsecond())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::export::{Exporter, JsonLines, sample::sample};
    use std::fs;

    #[test]
    fn the_newest_of_what_matches_in_the_order_of_time() {
        let dir = std::env::temp_dir().join(format!("dashcam-search-{}", std::process::id()));
        let _ = fs::remove_dir_all(&dir);
        let mut exporter = JsonLines::builder(&dir).build();
        // In the order in which they ended, not in which they began.
        for n in [3, 1, 4, 2] {
            let mut exchange = sample(&format!("e{n}"));
            exchange.started_at = format!("2026-01-02T03:04:0{n}.000000Z");
            exchange.request.method = if n == 4 { "PUT" } else { "GET" }.to_owned();
            exporter.export(&exchange).unwrap();
        }
        drop(exporter);
        let file = fs::read_dir(&dir).unwrap().next().unwrap().unwrap().path();
        let text = fs::read_to_string(&file).unwrap();
        fs::write(&file, format!("{{}}\n{text}")).unwrap();

        let ids = |search: Search| {
            let mut torn = Vec::new();
            let found = search.read(|item| match item {
                Ok(exchange) => Some(exchange.id),
                Err(place) => {
                    torn.push(place.line);
                    None
                }
            });
            assert_eq!(torn, [1]);
            found.unwrap().concat()
        };
        let mut get = Filter::new();
        get.add("method", "GET").unwrap();
        assert_eq!(ids(Search::new(&dir)), "e1e2e3e4");
        assert_eq!(ids(Search::new(&file).newest(3)), "e2e3e4");
        assert_eq!(ids(Search::new(&dir).filter(get.clone())), "e1e2e3");
        assert_eq!(ids(Search::new(&dir).filter(get).newest(1)), "e3");
        assert_eq!(ids(Search::new(&dir).newest(0)), "");

        // An exchange that is left out is not one of the newest.
        let odd = Search::new(&dir).newest(2).read(|item| {
            let id = item.ok()?.id;
            (id != "e4" && id != "e2").then_some(id)
        });
        assert_eq!(odd.unwrap(), ["e1", "e3"]);

        fs::remove_dir_all(&dir).unwrap();
        let gone = Search::new(&dir).read(Some);
        assert_eq!(gone.unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
