use super::{Rules, RulesError, parse::by_name, source::RuleSource};
use crate::plain_file;
use std::{
    error::Error,
    io,
    path::{Path, PathBuf},
    time::Duration,
};

/// Rules in a file that is looked at again and again: TOML, or JSON where its
/// name ends in `.json`.
///
/// The file is read as a whole and compared with the last time, so whatever way
/// it is written in is noticed: renamed over, written in place, or behind a
/// symbolic link that is swapped, as Kubernetes does with a `ConfigMap`. What is
/// new is in use once two looks in a row have found the same text, so that a
/// file half written is not taken for a whole one; with the default interval
/// that is within a second.
///
/// A version that cannot be read changes nothing, and is told once in the log
/// and in the status until there is a better one. A file that is gone for two
/// looks ends its rules. Where there is none at the start, there are no rules
/// until there is one.
#[derive(Debug)]
pub struct RulesFile {
    path: PathBuf,
    interval: Duration,
    /// The text in use or refused, and the one that was found last.
    settled: Option<Found>,
    last: Option<Found>,
}

/// What a look at the file finds.
#[derive(Clone, Debug, Eq, PartialEq)]
enum Found {
    Text(String),
    Missing,
    Unreadable(String),
}

/// Larger files are no rules.
const MAX_KIB: u64 = 1024;

impl RulesFile {
    /// This file, looked at twice a second.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            interval: Duration::from_millis(500),
            settled: None,
            last: None,
        }
    }

    /// Another time between two looks, at least 10 ms.
    #[must_use]
    pub fn every(mut self, interval: Duration) -> Self {
        self.interval = interval;
        self
    }

    /// Reads a file once.
    ///
    /// # Errors
    ///
    /// What is wrong with the file or with what is in it, and where.
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
                .problem("there is no such file; until there is one, it has no rules")),
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
        // At the start nobody can wait for a second look.
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
