//! The compact form of RFC 7515, section 7.1: three parts in base64url. The signature, the
//! third one, is over the first two.

use super::{Refusal, TokenKey, object::read};
use base64ct::{Base64UrlUnpadded, Encoding};
use serde::Deserialize;

/// The longest token that is read, in bytes.
pub(super) const MAX_LEN: usize = 2048;

/// The longest first part, in bytes.
const MAX_HEADER: usize = 256;

/// The longest signature of the known algorithms, in bytes.
const MAX_SIGNATURE: usize = 64;

/// The parts of a token that is not verified yet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Compact<'t> {
    header: &'t str,
    payload: &'t str,
    signature: &'t str,
    pub(super) signed: &'t str,
}

impl<'t> Compact<'t> {
    pub(super) fn split(token: &'t str) -> Option<Self> {
        let (signed, signature) = token.rsplit_once('.')?;
        let (header, payload) = signed.split_once('.')?;
        let given = !header.is_empty() && !payload.is_empty() && !signature.is_empty();
        (given && !payload.contains('.')).then_some(Self {
            header,
            payload,
            signature,
            signed,
        })
    }

    /// Returns the key that the token names, if the algorithms are the same. A token that
    /// names none is for the only key.
    pub(super) fn key<'k>(&self, keys: &'k [TokenKey]) -> Result<&'k TokenKey, Refusal> {
        let mut bytes = [0; MAX_HEADER];
        let header =
            Base64UrlUnpadded::decode(self.header, &mut bytes).map_err(|_| Refusal::Malformed)?;
        let header: Header<'_> = read(header).ok_or(Refusal::Malformed)?;
        // `crit` lists extensions that a reader must know: we know none.
        if header.crit.is_some() {
            return Err(Refusal::Malformed);
        }
        if header
            .typ
            .is_some_and(|typ| !typ.eq_ignore_ascii_case("JWT"))
        {
            return Err(Refusal::Malformed);
        }
        let key = match (&header.kid, keys) {
            (Some(kid), keys) => keys.iter().find(|key| key.id() == kid),
            (None, [only]) => Some(only),
            (None, _) => None,
        };
        let key = key.ok_or(Refusal::Key)?;
        if !key.is_algorithm(&header.alg) {
            return Err(Refusal::Algorithm);
        }
        Ok(key)
    }

    /// Returns the payload, if this key made the signature.
    pub(super) fn verified(&self, key: &TokenKey) -> Result<Vec<u8>, Refusal> {
        let mut bytes = [0; MAX_SIGNATURE];
        let signature = Base64UrlUnpadded::decode(self.signature, &mut bytes)
            .map_err(|_| Refusal::Signature)?;
        if !key.verifies(self.signed.as_bytes(), signature) {
            return Err(Refusal::Signature);
        }
        Base64UrlUnpadded::decode_vec(self.payload).map_err(|_| Refusal::Claims)
    }
}

/// The known parameters; others are ignored (RFC 7515, section 4).
#[derive(Deserialize)]
struct Header<'t> {
    #[serde(borrow)]
    alg: std::borrow::Cow<'t, str>,
    #[serde(borrow)]
    kid: Option<std::borrow::Cow<'t, str>>,
    #[serde(borrow)]
    typ: Option<std::borrow::Cow<'t, str>>,
    #[serde(default, deserialize_with = "present")]
    crit: Option<()>,
}

/// Accepts any value, even `null`.
fn present<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<()>, D::Error> {
    serde::de::IgnoredAny::deserialize(from).map(|_| Some(()))
}
