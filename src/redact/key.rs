//! The key of the pseudonyms, and the hashes and keys derived from it.

use std::{
    fmt,
    hash::{BuildHasher, RandomState},
    num::NonZeroU64,
    str::FromStr,
    sync::{
        Arc, LazyLock, OnceLock,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

/// Hex digits of the keyed hash in a placeholder.
pub(super) const HASH: usize = 16;

/// Written in place of a hash if there is no key.
pub(super) const UNKEYED: &str = "unkeyed";

/// Purposes of derived keys, so that keys differ. They are part of the recipe in
/// `docs/redaction.md`: another text changes the recipe.
const KEY: &str = "dashcam 2026-11-30 pseudonyms key";
const SCOPE: &str = "dashcam 2026-11-30 pseudonyms scope";
const EXCHANGE: &str = "dashcam 2026-11-30 pseudonyms exchange";

/// The key of the pseudonyms.
#[derive(Clone)]
pub(crate) struct Key {
    id: Arc<str>,
    /// `None` if the system has no random bytes. Hashes under a guessable key could be
    /// tried, so there are none then.
    key: Option<[u8; 32]>,
    /// It is not the service's, but one that this process made up, or none.
    random: bool,
}

impl Key {
    pub(super) fn new(id: &str, key: &[u8]) -> Self {
        Self {
            id: id.into(),
            key: Some(blake3::derive_key(KEY, key)),
            random: false,
        }
    }

    /// The random key of this process.
    pub(super) fn process() -> Self {
        static PROCESS: OnceLock<Key> = OnceLock::new();
        PROCESS.get_or_init(Self::random).clone()
    }

    fn random() -> Self {
        let (mut key, mut id) = ([0; 32], [0; 4]);
        if getrandom::fill(&mut key).is_ok() && getrandom::fill(&mut id).is_ok() {
            let mut name = "process-".to_owned();
            push_hex(&id, &mut name);
            Self {
                random: true,
                ..Self::new(&name, &key)
            }
        } else {
            Self::unkeyed()
        }
    }

    pub(super) fn unkeyed() -> Self {
        Self {
            id: UNKEYED.into(),
            key: None,
            random: true,
        }
    }

    /// Derives the key of a scope.
    pub(super) fn scoped(&self, scope: &str) -> Self {
        Self {
            id: format!("{}/{scope}", self.id).into(),
            key: self.key.map(|key| derive(SCOPE, &key, scope.as_bytes())),
            random: self.random,
        }
    }

    pub(super) fn is_random(&self) -> bool {
        self.random
    }

    pub(super) fn id(&self) -> &str {
        &self.id
    }

    /// Returns the hashes of a value in an exchange with this salt: the one that can be
    /// joined, and the one of this exchange alone.
    pub(crate) fn hashes(&self, value: &[u8], salt: Option<Salt>) -> [Option<String>; 2] {
        let hash = |key: [u8; 32]| {
            let mut out = String::new();
            push_keyed(&key, value, &mut out);
            out
        };
        let own = salt.and_then(|salt| Some(salt.key(&self.key?)));
        [self.key.map(hash), own.map(hash)]
    }

    pub(super) fn bytes(&self) -> Option<&[u8; 32]> {
        self.key.as_ref()
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Key").field(&self.id).finish()
    }
}

/// Appends the start of the hash of a value under a key.
pub(super) fn push_keyed(key: &[u8; 32], value: &[u8], out: &mut String) {
    let hash = blake3::keyed_hash(key, value);
    push_hex(hash.as_bytes().get(..HASH / 2).unwrap_or_default(), out);
}

fn derive(purpose: &str, key: &[u8; 32], of: &[u8]) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new_derive_key(purpose);
    hasher.update(key).update(of);
    *hasher.finalize().as_bytes()
}

/// Makes hashes of values that could be guessed differ between requests; a request and its
/// calls share a salt. It is not secret, but a client must not choose it: repeating a salt
/// allows trying guesses.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Salt(NonZeroU64);

impl Salt {
    /// Makes a new, unique salt. Cheap, because requests that log, or make captured calls,
    /// need one while they run.
    pub(crate) fn fresh() -> Self {
        static START: LazyLock<u64> = LazyLock::new(|| {
            let mut start = [0; 8];
            match getrandom::fill(&mut start) {
                Ok(()) => u64::from_le_bytes(start),
                Err(_) => RandomState::new().hash_one(0),
            }
        });
        static NEXT: AtomicU64 = AtomicU64::new(0);
        // SplitMix64: spread out, and no value repeats.
        let step = NEXT
            .fetch_add(1, Relaxed)
            .wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mut bits = START.wrapping_add(step);
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        Self(NonZeroU64::new(bits ^ (bits >> 31)).unwrap_or(NonZeroU64::MIN))
    }

    pub(crate) fn to_bits(self) -> u64 {
        self.0.get()
    }

    pub(crate) fn from_bits(bits: u64) -> Option<Self> {
        NonZeroU64::new(bits).map(Self)
    }

    /// Derives the key of the exchanges with this salt.
    pub(super) fn key(self, key: &[u8; 32]) -> [u8; 32] {
        derive(EXCHANGE, key, &self.0.get().to_be_bytes())
    }
}

/// The form in exchanges.
impl fmt::Display for Salt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl FromStr for Salt {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let bits = u64::from_str_radix(text, 16).ok();
        let bits = bits.filter(|_| text.len() == 16);
        bits.and_then(Self::from_bits).ok_or(())
    }
}

fn push_hex(bytes: &[u8], out: &mut String) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |n: u8| char::from(DIGITS[usize::from(n & 15)]);
    out.reserve(2 * bytes.len());
    for b in bytes {
        out.push(digit(b >> 4));
        out.push(digit(*b));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Computed with the Python package `blake3`, by the recipe in
    /// `docs/redaction.md`; `.ci/checks/pseudonyms` computes them again.
    #[test]
    fn hashes_are_those_of_the_recipe() {
        let key = Key::new("2026-11", b"0123456789abcdef");
        let salt = "00000000c0ffee01".parse().ok();
        let shop = key.scoped("shop");
        let all = [
            key.hashes(b"hunter2hunter2", salt),
            key.hashes("Zoë".as_bytes(), salt),
            shop.hashes(b"hunter2hunter2", salt),
        ];
        let hex = all.iter().flatten().flatten().map(String::as_str);
        assert_eq!(hex.collect::<Vec<_>>(), VECTORS);
        assert_eq!(shop.id(), "2026-11/shop");
    }

    const VECTORS: [&str; 6] = [
        "a2cc6256b2169f31",
        "6746407360c7ace7",
        "9dd107e5122a97ec",
        "b7e679e20986e315",
        "013f593136ff7fff",
        "98d8d91500b6af4e",
    ];

    #[test]
    fn salts_differ_and_are_read_as_they_are_written() {
        let all: std::collections::HashSet<u64> =
            (0..10_000).map(|_| Salt::fresh().to_bits()).collect();
        assert_eq!(all.len(), 10_000);
        let a = Salt::fresh();
        assert_eq!(a.to_string().parse(), Ok(a));
        assert_eq!(Salt::from_bits(a.to_bits()), Some(a));
        for text in ["", "1", "0000000000000000", "00000000000000xy"] {
            assert_eq!(text.parse::<Salt>(), Err(()), "{text}");
        }
    }
}
