use super::{Error, error::Kind, hex};
use std::{fmt, str::FromStr};

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $bytes:literal, $digits:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
        pub struct $name([u8; $bytes]);

        impl $name {
            /// Makes an ID from its bytes, most significant first. Returns `None` if all
            /// are zero.
            #[must_use]
            pub fn from_bytes(bytes: [u8; $bytes]) -> Option<Self> {
                (bytes != [0; $bytes]).then_some(Self(bytes))
            }

            /// Returns the bytes, most significant first.
            #[must_use]
            pub fn to_bytes(self) -> [u8; $bytes] {
                self.0
            }

            /// Returns the lower-case hexadecimal digits.
            #[must_use]
            pub fn to_hex(self) -> [u8; $digits] {
                let mut digits = [0; $digits];
                hex::encode(&self.0, &mut digits);
                digits
            }

            pub(super) fn parse(text: &[u8]) -> Result<Self, Error> {
                let bytes = hex::decode(text).ok_or(Error(Kind::Form))?;
                Self::from_bytes(bytes).ok_or(Error(Kind::Zero))
            }
        }

        impl FromStr for $name {
            type Err = Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Self::parse(text.as_bytes())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                hex::show(&self.to_hex(), f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }
    };
}

id! {
    /// The ID of a trace: 16 bytes, not all zero. `Display` writes 32 lower-case
    /// hexadecimal digits (W3C Trace Context, level 2, section `trace-id`).
    TraceId, 16, 32
}

id! {
    /// The ID of one span of a trace: 8 bytes, not all zero. `Display` writes 16 lower-case
    /// hexadecimal digits. The specification calls it `parent-id` in `traceparent`.
    SpanId, 8, 16
}

impl SpanId {
    /// Makes a random ID with a thread-local generator: unique, not secret.
    #[must_use]
    pub fn random() -> Self {
        Self(fastrand::u64(..).max(1).to_be_bytes())
    }
}

impl TraceId {
    /// Uses the UUID's bytes, which are never all zero because of version and variant.
    pub(super) fn from_uuid(uuid: uuid::Uuid) -> Self {
        Self(uuid.into_bytes())
    }
}

/// The flags that version 00 of the header defines. Reserved flags are read as unset
/// (section `trace-flags`).
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub(crate) struct TraceFlags(u8);

impl TraceFlags {
    /// The caller may have recorded trace data.
    pub(crate) const SAMPLED: Self = Self(1);
    /// The right-most seven bytes of the trace ID are random.
    pub(crate) const RANDOM: Self = Self(1 << 1);

    /// Keeps the defined bits.
    pub(crate) const fn from_bits(bits: u8) -> Self {
        Self(bits & (Self::SAMPLED.0 | Self::RANDOM.0))
    }

    /// Returns the bits as in the header.
    pub(crate) const fn bits(self) -> u8 {
        self.0
    }

    /// Whether the caller may have recorded trace data.
    pub(crate) const fn is_sampled(self) -> bool {
        self.0 & Self::SAMPLED.0 != 0
    }

    /// Whether the right-most seven bytes of the trace ID are random.
    pub(crate) const fn is_random(self) -> bool {
        self.0 & Self::RANDOM.0 != 0
    }
}
