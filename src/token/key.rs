use super::TokenError;
use base64ct::{Base64UrlUnpadded, Encoding};
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use std::fmt;

/// The work of checking a signature of Ed25519, in units of HS256.
pub(super) const ED25519: u32 = 50;

/// A key that signs or verifies tokens. It fixes the algorithm: a token that names another one
/// is refused.
///
/// A key comes from bytes or from a JSON Web Key (RFC 7517, RFC 8037), or is generated.
/// Services that only verify hold [public](Self::public) Ed25519 keys. Everybody who holds an
/// HS256 secret can mint.
#[derive(Clone)]
pub struct TokenKey {
    id: String,
    kind: Kind,
    calls_only: bool,
    /// The first part of every token that it mints.
    header: String,
}

#[derive(Clone)]
enum Kind {
    /// The secret, and the state of the hash after it.
    Hs256(Vec<u8>, Box<Hmac<Sha256>>),
    Public(Box<VerifyingKey>),
    Private(Box<SigningKey>),
}

/// RFC 7518, section 3.2: at least as long as the hash.
const MIN_SECRET: usize = 32;

/// The longest key ID, in bytes.
const MAX_ID: usize = 64;

impl TokenKey {
    /// Creates a key of HMAC with SHA-256. Everybody who has the secret can mint and verify.
    ///
    /// # Errors
    ///
    /// The secret has less than 32 bytes, or the ID is not 1 to 64 printable ASCII characters.
    pub fn hs256(id: impl Into<String>, secret: &[u8]) -> Result<Self, TokenError> {
        if secret.len() < MIN_SECRET {
            return Err(TokenError::new("expected a secret of at least 32 bytes"));
        }
        let mac = Hmac::new_from_slice(secret)
            .map_err(|_| TokenError::new("expected a secret of at least 32 bytes"))?;
        Self::new(id.into(), Kind::Hs256(secret.to_vec(), Box::new(mac)))
    }

    /// Creates a key from the public half of an Ed25519 key, which verifies and cannot mint.
    ///
    /// # Errors
    ///
    /// The bytes are not a public key, or a weak one, or the ID is not 1 to 64 printable ASCII
    /// characters.
    pub fn ed25519_public(id: impl Into<String>, key: &[u8]) -> Result<Self, TokenError> {
        let key = <&[u8; 32]>::try_from(key)
            .ok()
            .and_then(|key| VerifyingKey::from_bytes(key).ok())
            // Under a weak key, one signature verifies for any message.
            .filter(|key| !key.is_weak())
            .ok_or(TokenError::new("expected the 32 bytes of a public key"))?;
        Self::new(id.into(), Kind::Public(Box::new(key)))
    }

    /// Creates an Ed25519 key that mints and verifies from its seed (RFC 8032).
    ///
    /// # Errors
    ///
    /// The seed does not have 32 bytes, or the ID is not 1 to 64 printable ASCII characters.
    pub fn ed25519_private(id: impl Into<String>, seed: &[u8]) -> Result<Self, TokenError> {
        let seed = <&[u8; 32]>::try_from(seed)
            .map_err(|_| TokenError::new("expected the 32 bytes of a private key"))?;
        let key = SigningKey::from_bytes(seed);
        Self::new(id.into(), Kind::Private(Box::new(key)))
    }

    /// Generates an Ed25519 key.
    ///
    /// # Errors
    ///
    /// The operating system gives no random bytes, or the ID is not 1 to 64 printable ASCII
    /// characters.
    pub fn generate_ed25519(id: impl Into<String>) -> Result<Self, TokenError> {
        Self::ed25519_private(id, &random()?)
    }

    /// Generates an HS256 secret of 32 bytes.
    ///
    /// # Errors
    ///
    /// The operating system gives no random bytes, or the ID is not 1 to 64 printable ASCII
    /// characters.
    pub fn generate_hs256(id: impl Into<String>) -> Result<Self, TokenError> {
        Self::hs256(id, &random()?)
    }

    /// Reads a JSON Web Key with `kid`: `{"kty":"OKP","crv":"Ed25519","kid":…,"x":…}`, which
    /// `d` makes a private key, or `{"kty":"oct","kid":…,"k":…}`.
    ///
    /// # Errors
    ///
    /// The text is not a JSON Web Key of these kinds, its `alg` does not fit the kind, or its
    /// `x` is not the public key of `d`.
    pub fn from_jwk(text: &str) -> Result<Self, TokenError> {
        let jwk: Jwk = serde_json::from_str(text)
            .map_err(|_| TokenError::new("expected a JSON Web Key with `kty` and `kid`"))?;
        let bytes = |text: Option<String>, what: &'static str| {
            let text = text.ok_or(TokenError::new(what))?;
            Base64UrlUnpadded::decode_vec(&text).map_err(|_| TokenError::new(what))
        };
        let key = match (jwk.kty.as_str(), jwk.crv.as_deref()) {
            ("oct", None) => {
                let secret = bytes(jwk.k, "expected `k` in base64url without padding")?;
                Self::hs256(jwk.kid, &secret)?
            }
            ("OKP", Some("Ed25519")) => {
                let public = bytes(jwk.x, "expected `x` in base64url without padding")?;
                let public = Self::ed25519_public(jwk.kid.clone(), &public)?;
                match jwk.d {
                    None => public,
                    d => {
                        let seed = bytes(d, "expected `d` in base64url without padding")?;
                        let key = Self::ed25519_private(jwk.kid, &seed)?;
                        if key.verifying() != public.verifying() {
                            return Err(TokenError::new("`x` is not the public key of `d`"));
                        }
                        key
                    }
                }
            }
            _ => {
                return Err(TokenError::new(
                    "expected `kty` to be `oct`, or `OKP` with `crv` `Ed25519`",
                ));
            }
        };
        if jwk.alg.is_some_and(|alg| !key.is_algorithm(&alg)) {
            return Err(TokenError::new("`alg` does not fit this kind of key"));
        }
        Ok(key)
    }

    /// Returns the key as a JSON Web Key, including the secret part.
    #[must_use]
    pub fn to_jwk(&self) -> String {
        let text = |bytes: &[u8]| Some(Base64UrlUnpadded::encode_string(bytes));
        let mut jwk = Jwk {
            kty: "OKP".to_owned(),
            kid: self.id.clone(),
            alg: Some(self.algorithm().to_owned()),
            crv: Some("Ed25519".to_owned()),
            x: self.verifying().and_then(|key| text(key.as_bytes())),
            d: None,
            k: None,
        };
        match &self.kind {
            Kind::Hs256(secret, _) => {
                (jwk.kty, jwk.crv, jwk.k) = ("oct".to_owned(), None, text(secret));
            }
            Kind::Private(key) => jwk.d = text(key.as_bytes()),
            Kind::Public(_) => {}
        }
        serde_json::to_string(&jwk).unwrap_or_default()
    }

    /// Returns the public half, for services that only verify; `None` for an HS256 secret.
    #[must_use]
    pub fn public(&self) -> Option<Self> {
        let kind = Kind::Public(Box::new(self.verifying()?));
        Some(Self {
            kind,
            ..self.clone()
        })
    }

    /// Limits this key to tokens for one request, bound to its correlation ID, such as services
    /// mint for their calls. Other tokens of the key are refused, so whoever steals it has to
    /// know the ID of each request.
    #[must_use]
    pub fn for_calls_only(mut self) -> Self {
        self.calls_only = true;
        self
    }

    /// Returns the ID of the key, the `kid` of its tokens.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Returns whether the key can mint.
    #[must_use]
    pub fn can_mint(&self) -> bool {
        !matches!(self.kind, Kind::Public(_))
    }

    pub(super) fn is_for_calls_only(&self) -> bool {
        self.calls_only
    }

    fn new(id: String, kind: Kind) -> Result<Self, TokenError> {
        let printable = |b: u8| b.is_ascii_graphic();
        if id.is_empty() || id.len() > MAX_ID || !id.bytes().all(printable) {
            return Err(TokenError::new(
                "expected an ID of 1 to 64 printable ASCII characters",
            ));
        }
        let mut key = Self {
            id,
            kind,
            calls_only: false,
            header: String::new(),
        };
        key.header = header(key.algorithm(), &key.id);
        Ok(key)
    }

    fn verifying(&self) -> Option<VerifyingKey> {
        match &self.kind {
            Kind::Hs256(..) => None,
            Kind::Public(key) => Some(**key),
            Kind::Private(key) => Some(key.verifying_key()),
        }
    }

    fn algorithm(&self) -> &'static str {
        match self.kind {
            Kind::Hs256(..) => "HS256",
            Kind::Public(_) | Kind::Private(_) => "EdDSA",
        }
    }

    /// Whether tokens of this key may name this algorithm; `Ed25519` is its name in RFC 9864.
    pub(super) fn is_algorithm(&self, alg: &str) -> bool {
        alg == self.algorithm() || alg == "Ed25519" && !matches!(self.kind, Kind::Hs256(..))
    }

    /// The work of checking a signature, in units of HS256.
    pub(super) fn cost(&self) -> u32 {
        match self.kind {
            Kind::Hs256(..) => 1,
            Kind::Public(_) | Kind::Private(_) => ED25519,
        }
    }

    /// Whether the signature is of this key. It takes constant time for a secret.
    pub(super) fn verifies(&self, signed: &[u8], signature: &[u8]) -> bool {
        match &self.kind {
            Kind::Hs256(_, mac) => {
                let mut mac = (**mac).clone();
                mac.update(signed);
                mac.verify_slice(signature).is_ok()
            }
            Kind::Public(key) => is_signed(key, signed, signature),
            Kind::Private(key) => is_signed(&key.verifying_key(), signed, signature),
        }
    }

    /// Returns a token with this payload; `None` if the key is public.
    pub(crate) fn sign(&self, payload: &[u8]) -> Option<String> {
        let mut token = self.header.clone();
        token.push('.');
        token.push_str(&Base64UrlUnpadded::encode_string(payload));
        let signature = match &self.kind {
            Kind::Hs256(_, mac) => {
                let mut mac = (**mac).clone();
                mac.update(token.as_bytes());
                Base64UrlUnpadded::encode_string(&mac.finalize().into_bytes())
            }
            Kind::Private(key) => {
                let signature = key.sign(token.as_bytes());
                Base64UrlUnpadded::encode_string(&signature.to_bytes())
            }
            Kind::Public(_) => return None,
        };
        token.push('.');
        token.push_str(&signature);
        Some(token)
    }
}

fn is_signed(key: &VerifyingKey, signed: &[u8], signature: &[u8]) -> bool {
    // Strict: a message has one signature, so nobody can alter a token into another one that
    // verifies.
    Signature::from_slice(signature)
        .is_ok_and(|signature| key.verify_strict(signed, &signature).is_ok())
}

/// The first part of a token.
fn header(algorithm: &str, key: &str) -> String {
    let header = serde_json::json!({ "alg": algorithm, "kid": key, "typ": "JWT" });
    Base64UrlUnpadded::encode_string(header.to_string().as_bytes())
}

fn random() -> Result<[u8; 32], TokenError> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes)
        .map_err(|_| TokenError::new("the operating system gives no random bytes"))?;
    Ok(bytes)
}

/// The known members of a JSON Web Key; others are ignored (RFC 7517, section 4).
#[derive(Deserialize, Serialize)]
struct Jwk {
    kty: String,
    kid: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    alg: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    crv: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    x: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    d: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    k: Option<String>,
}

impl fmt::Debug for TokenKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenKey")
            .field("id", &self.id)
            .field("algorithm", &self.algorithm())
            .field("can_mint", &self.can_mint())
            .finish_non_exhaustive()
    }
}
