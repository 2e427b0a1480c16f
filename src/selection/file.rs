use super::{Rules, RulesError, parse::by_name, source::RuleSource};
use crate::plain_file;
use std::{
    error::Error,
    io,
    path::{Path, PathBuf},
    time::Duration,
};

/// Rules in a file that is polled: JSON if its name ends in `.json`, otherwise TOML, at most
/// 1 MiB.
///
/// Each poll reads the whole file, so it notices every way of writing: a rename over the file,
/// a write in place, or a new symbolic link, as Kubernetes makes for a `ConfigMap`. A change
/// takes effect when two polls in a row read the same text, so that a file half written is not
/// used; with the default interval that is within a second.
///
/// A version that cannot be read changes nothing; the log reports it once, and the status
/// until there is a better one. If two polls find no file, its rules end. If there is no file
/// at the start, there are no rules until there is one.
#[derive(Debug)]
pub struct RulesFile {
    path: PathBuf,
    interval: Duration,
    /// What is in use or was refused, and what the last poll found.
    settled: Option<Found>,
    last: Option<Found>,
}

/// What a poll finds.
#[derive(Clone, Debug, Eq, PartialEq)]
enum Found {
    Text(String),
    Missing,
    Unreadable(String),
}

/// The largest file.
const MAX_KIB: u64 = 1024;

impl RulesFile {
    /// Creates a source for this file.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            interval: Duration::from_millis(500),
            settled: None,
            last: None,
        }
    }

    /// Sets how long to wait between two polls. Default: 500 ms; at least 10 ms.
    #[must_use]
    pub fn every(mut self, interval: Duration) -> Self {
        self.interval = interval;
        self
    }

    /// Reads the rules of a file once.
    ///
    /// # Errors
    ///
    /// The file or its text cannot be read; the error has the place.
    pub fn read(path: impl AsRef<Path>) -> Result<Rules, RulesError> {
        let path = path.as_ref();
        match look(path) {
            Found::Text(text) => by_name(path, &text),
            Found::Missing => Err(error(path, "there is no such file")),
            Found::Unreadable(why) => Err(error(path, &why)),
        }
    }

    fn news(&self, found: &Found) -> Result<Rules, Box<dyn Error + Send + Sync>> {
        match found {
            Found::Text(text) => Ok(by_name(&self.path, text)?),
            Found::Missing => Ok(Rules::default()
                .with_problem("there is no such file; until there is one, it has no rules")),
            Found::Unreadable(why) => Err(why.as_str().into()),
        }
    }
}

fn error(path: &Path, why: &str) -> RulesError {
    RulesError::expected(why).in_file(path)
}

impl RuleSource for RulesFile {
    fn name(&self) -> String {
        self.path.display().to_string()
    }

    fn poll(&mut self) -> Result<Option<Rules>, Box<dyn Error + Send + Sync>> {
        let found = look(&self.path);
        // The service starts with its rules, without a second poll.
        let first = self.last.is_none() && self.settled.is_none();
        let twice = self.last.as_ref() == Some(&found);
        self.last = Some(found.clone());
        if self.settled.as_ref() == Some(&found) || !(twice || first) {
            return Ok(None);
        }
        let news = self.news(&found);
        self.settled = Some(found);
        news.map(Some)
    }

    fn interval(&self) -> Duration {
        self.interval
    }
}

fn look(path: &Path) -> Found {
    match read(path) {
        Ok(text) => Found::Text(text),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Found::Missing,
        Err(error) => Found::Unreadable(error.to_string()),
    }
}

fn read(path: &Path) -> io::Result<String> {
    let bytes = plain_file::read(path, MAX_KIB)?;
    String::from_utf8(bytes).map_err(|_| io::Error::other("it is not UTF-8"))
}
