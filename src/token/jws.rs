//! The compact form of RFC 7515: three parts in base64url, of which the first two
//! are signed.

use super::{Refusal, TokenKey, object::read};
use base64ct::{Base64UrlUnpadded, Encoding};
use serde::Deserialize;

/// The longest token that is looked at, in bytes.
pub(super) const MAX_LEN: usize = 2048;

/// The longest first part, in bytes.
const MAX_HEADER: usize = 256;

/// As long as the longest signature of an algorithm that is known.
const MAX_SIGNATURE: usize = 64;

/// A token, taken apart and not yet believed.
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

    /// The key that it names, where its algorithm is the key's own. Without a name
    /// it is the only key.
    pub(super) fn key<'k>(&self, keys: &'k [TokenKey]) -> Result<&'k TokenKey, Refusal> {
        let mut bytes = [0; MAX_HEADER];
        let header =
            Base64UrlUnpadded::decode(self.header, &mut bytes).map_err(|_| Refusal::Malformed)?;
        let header: Header<'_> = read(header).ok_or(Refusal::Malformed)?;
        // An extension that has to be understood: none is.
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

    /// The payload, where the signature is of this key.
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

/// Parameters that are looked at; RFC 7515 has others ignored.
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

/// Whatever it is, even `null`.
fn present<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<()>, D::Error> {
    serde::de::IgnoredAny::deserialize(from).map(|_| Some(()))
}
