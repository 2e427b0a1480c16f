use crate::{
    host,
    selection::{
        Address, Text,
        model::{By, Is},
        work::{AT_ONCE, Work},
    },
};
use http::{
    HeaderMap, HeaderName, HeaderValue, Method,
    header::{CONTENT_TYPE, COOKIE, GetAll, HOST},
};
use std::{borrow::Cow, cell::OnceCell, fmt, time::SystemTime};

/// A request when it arrives.
#[derive(Debug)]
pub(crate) struct Arrival<'r> {
    pub(crate) method: &'r Method,
    pub(crate) path: &'r str,
    pub(crate) query: Option<&'r str>,
    /// The host of the URI, where HTTP/2 has it.
    pub(crate) uri_host: Option<&'r str>,
    pub(crate) route: Option<&'r str>,
    pub(crate) headers: &'r HeaderMap,
    pub(crate) client: Option<Address>,
    pub(crate) correlation_id: &'r str,
    pub(crate) at: SystemTime,
    /// Facts that are already stated.
    pub(crate) facts: Facts<'r>,
    pub(crate) seen: Seen<'r>,
}

/// What was looked up once for all rules, and the work that is left.
#[derive(Debug, Default)]
pub(crate) struct Seen<'r> {
    /// Headers that many rules look at, by their numbers.
    headers: [OnceCell<GetAll<'r, HeaderValue>>; SEEN],
    /// The host in its one spelling.
    host: OnceCell<Cow<'r, [u8]>>,
    cookies: Few<'r>,
    query: Few<'r>,
    work: Work,
}

/// How many headers have a number.
pub(super) const SEEN: usize = 8;

type Pair<'r> = (&'r [u8], &'r [u8]);

/// Parsed names and values; `None` if there are more.
type Few<'r> = OnceCell<Option<([Pair<'r>; FEW], usize)>>;

/// How many are parsed once for all rules. More are parsed again for each rule.
const FEW: usize = 16;

pub(crate) type Facts<'r> = &'r [(Cow<'static, str>, String)];

/// The work of parsing a byte of cookies or of the query.
const EACH: usize = 2;

/// The work of folding a byte of a host, and of one that is not ASCII: the algorithm then
/// compares all characters of a label with each other.
const FOLDED: usize = 2;
const ENCODED: usize = 256;

/// The longest decoded value of a query.
const MAX_DECODED: usize = 1024;

impl<'r> Arrival<'r> {
    /// Returns the host without its port, as it came.
    pub(super) fn host(&self) -> Option<&'r [u8]> {
        let host = match self.uri_host {
            Some(host) => host.as_bytes(),
            None => only(self.headers.get_all(HOST).iter())?.as_bytes(),
        };
        if !self.work().pay(host.len() / AT_ONCE) {
            return None;
        }
        Some(str::from_utf8(host).map_or(host, |host| host::split(host).0.as_bytes()))
    }

    /// Returns the host in its one spelling.
    pub(super) fn folded_host(&self) -> Option<&[u8]> {
        if self.seen.host.get().is_none() {
            let host = self.host()?;
            let each = if host.is_ascii() { FOLDED } else { ENCODED };
            // Not cached, so that each rule that needs it falls short.
            if !self.work().pay(host.len().saturating_mul(each)) {
                return None;
            }
            let folded = match str::from_utf8(host).map(host::fold) {
                Ok(Cow::Borrowed(host)) => Cow::Borrowed(host.as_bytes()),
                Ok(Cow::Owned(host)) => Cow::Owned(host.into_bytes()),
                Err(_) => Cow::Borrowed(host),
            };
            let _ = self.seen.host.set(folded);
        }
        self.seen.host.get().map(|host| &**host)
    }

    pub(in crate::selection) fn work(&self) -> &Work {
        &self.seen.work
    }

    /// Returns the media type without parameters.
    pub(super) fn media_type(&self) -> Option<&'r [u8]> {
        let value = only(self.headers.get_all(CONTENT_TYPE).iter())?.as_bytes();
        if !self.work().pay(value.len()) {
            return None;
        }
        let end = value.iter().position(|b| *b == b';');
        let media_type = value.get(..end.unwrap_or(value.len()))?;
        Some(media_type.trim_ascii())
    }

    fn cookies(&self) -> impl Iterator<Item = Pair<'r>> {
        let headers = self.headers;
        let lines = move || headers.get_all(COOKIE).iter().map(HeaderValue::as_bytes);
        let bytes = move || lines().map(<[u8]>::len).sum();
        let pairs = move || lines().flat_map(|line| line.split(|b| *b == b';').filter_map(pair));
        self.taken_apart(&self.seen.cookies, bytes, pairs)
    }

    /// Returns names and values of the query, still encoded.
    fn pairs(&self) -> impl Iterator<Item = Pair<'r>> {
        let query = self.query.unwrap_or_default().as_bytes();
        let pairs = move || {
            let parts = query.split(|b| *b == b'&').filter(|part| !part.is_empty());
            parts.map(|part| pair(part).unwrap_or((part, b"")))
        };
        self.taken_apart(&self.seen.query, move || query.len(), pairs)
    }

    /// Parses names and values once; it returns none if that takes too much work.
    fn taken_apart<P: Iterator<Item = Pair<'r>>>(
        &self,
        few: &Few<'r>,
        bytes: impl Fn() -> usize,
        pairs: impl Fn() -> P,
    ) -> impl Iterator<Item = Pair<'r>> {
        let work = self.work();
        if few.get().is_none() && work.pay(bytes() * EACH) {
            few.get_or_init(|| first_of(pairs()));
        }
        let (few, many) = match few.get() {
            Some(Some((few, len))) if work.pay(1 + len) => (few.get(..*len), None),
            Some(None) if work.pay(bytes() * EACH) => (None, Some(pairs())),
            _ => (None, None),
        };
        let few = few.unwrap_or_default().iter().copied();
        few.chain(many.into_iter().flatten())
    }

    pub(super) fn header_is(&self, name: &HeaderName, seen: Option<u8>, text: &Text) -> bool {
        let cell = seen.and_then(|n| self.seen.headers.get(usize::from(n)));
        let values = match cell {
            Some(cell) => cell.get_or_init(|| self.headers.get_all(name)).iter(),
            None => self.headers.get_all(name).iter(),
        };
        one_is(text, values.map(HeaderValue::as_bytes), self.work())
    }

    pub(super) fn cookie_is(&self, name: &str, text: &Text) -> bool {
        let named = |(n, value): Pair<'r>| (n == name.as_bytes()).then_some(value);
        one_is(text, self.cookies().filter_map(named), self.work())
    }

    pub(super) fn query_is(&self, key: &str, text: &Text) -> bool {
        let mut is = text.0 == Is::Absent;
        for (name, value) in self.pairs() {
            if !self.decoded(name, |name| name == Some(key.as_bytes())) {
                continue;
            }
            match text.0 {
                Is::Absent => return false,
                Is::Present => return true,
                _ => {
                    is |= self.decoded(value, |value| {
                        value.is_some() && text.matches(value, self.work())
                    });
                }
            }
        }
        is
    }

    /// Like the function of this name, but also passes `None` if that takes too much work.
    pub(super) fn decoded<R>(&self, text: &[u8], f: impl FnOnce(Option<&[u8]>) -> R) -> R {
        // The bytes to decode, and 64 for the buffer.
        let bytes = text.len().min(3 * MAX_DECODED + 1);
        match !is_encoded(text) || self.work().pay(64 + bytes * EACH) {
            true => decoded(text, f),
            false => f(None),
        }
    }

    /// Passes the key of a sample; `None` if there is none, or two.
    pub(in crate::selection) fn key<R>(&self, by: &By, f: impl FnOnce(Option<&[u8]>) -> R) -> R {
        // The hash takes work, too.
        let f = |key: Option<&[u8]>| f(key.filter(|key| self.work().pay(key.len() * EACH)));
        match by {
            By::Fact(name) => f(fact(self.facts, name)),
            By::CorrelationId => f(Some(self.correlation_id.as_bytes())),
            By::Header(name) => {
                let mut values = self.headers.get_all(name).iter();
                f(only(&mut values).map(HeaderValue::as_bytes))
            }
            By::Cookie(name) => {
                let named = |(n, value): Pair<'r>| (n == name.as_bytes()).then_some(value);
                f(only(self.cookies().filter_map(named)))
            }
            By::Query(name) => {
                let named = |(n, value): Pair<'r>| {
                    self.decoded(n, |n| n == Some(name.as_bytes()))
                        .then_some(value)
                };
                match only(self.pairs().filter_map(named)) {
                    Some(value) => self.decoded(value, f),
                    None => f(None),
                }
            }
            By::Client => {
                let mut text = AddressText::EMPTY;
                let client = self.client.map(Address::ip);
                let written = client.and_then(|c| fmt::write(&mut text, format_args!("{c}")).ok());
                f(written.and_then(|()| text.bytes.get(..text.len)))
            }
        }
    }
}

/// Returns the only value; `None` if there are several.
fn only<T>(values: impl IntoIterator<Item = T>) -> Option<T> {
    let mut values = values.into_iter();
    let first = values.next()?;
    values.next().is_none().then_some(first)
}

/// Whether one of several values matches.
fn one_is<'v>(text: &Text, mut values: impl Iterator<Item = &'v [u8]>, work: &Work) -> bool {
    match text.0 {
        Is::Absent => values.next().is_none(),
        _ => values.any(|value| text.matches(Some(value), work)),
    }
}

pub(super) fn fact<'f>(facts: Facts<'f>, name: &str) -> Option<&'f [u8]> {
    let known = facts.iter().find(|(n, _)| n == name);
    known.map(|(_, value)| ruled_of_fact(value).as_bytes())
}

/// Returns the pairs; `None` if there are too many.
fn first_of<'r>(mut pairs: impl Iterator<Item = Pair<'r>>) -> Option<([Pair<'r>; FEW], usize)> {
    let mut few: [Pair<'r>; FEW] = [(b"", b""); FEW];
    let mut len = 0;
    for (place, pair) in few.iter_mut().zip(&mut pairs) {
        *place = pair;
        len += 1;
    }
    pairs.next().is_none().then_some((few, len))
}

fn pair(part: &[u8]) -> Option<Pair<'_>> {
    let at = part.iter().position(|b| *b == b'=')?;
    let name = part.get(..at)?.trim_ascii();
    Some((name, part.get(at + 1..)?.trim_ascii()))
}

/// Passes the text without percent-encoding; `None` if it is too long.
fn decoded<R>(text: &[u8], f: impl FnOnce(Option<&[u8]>) -> R) -> R {
    if !is_encoded(text) {
        return f((text.len() <= MAX_DECODED).then_some(text));
    }
    let mut buffer = [0_u8; MAX_DECODED];
    let mut len = 0;
    // The crate does not decode a plus to a space.
    for part in text.split_inclusive(|b| *b == b'+') {
        let (part, plus) = match part.strip_suffix(b"+") {
            Some(part) => (part, true),
            None => (part, false),
        };
        let bytes = percent_encoding::percent_decode(part);
        for byte in bytes.chain(plus.then_some(b' ')) {
            let Some(place) = buffer.get_mut(len) else {
                return f(None);
            };
            *place = byte;
            len += 1;
        }
    }
    f(buffer.get(..len))
}

fn is_encoded(text: &[u8]) -> bool {
    text.iter().any(|b| matches!(b, b'%' | b'+'))
}

/// A buffer for the longest address.
struct AddressText {
    bytes: [u8; 45],
    len: usize,
}

impl AddressText {
    const EMPTY: Self = Self {
        bytes: [0; 45],
        len: 0,
    };
}

impl fmt::Write for AddressText {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let end = self.len + text.len();
        let place = self.bytes.get_mut(self.len..end).ok_or(fmt::Error)?;
        place.copy_from_slice(text.as_bytes());
        self.len = end;
        Ok(())
    }
}

/// The length of a fact that rules see, in bytes.
pub(crate) const MAX_FACT_LEN: usize = 1024;

/// Returns the part of a fact that rules see.
pub(crate) fn ruled_of_fact(fact: &str) -> &str {
    let mut end = MAX_FACT_LEN.min(fact.len());
    while !fact.is_char_boundary(end) {
        end -= 1;
    }
    fact.get(..end).unwrap_or_default()
}
