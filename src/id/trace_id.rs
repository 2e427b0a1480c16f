use super::hex;
use std::{fmt, str::FromStr};

/// Why a text is no part of a trace context. Never holds the text itself.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum InvalidTraceContext {
    /// It has not the form that the specification gives it.
    Form,
    /// It is an ID of zeros only, which is none.
    Zero,
}

impl fmt::Display for InvalidTraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Form => "the text has not the form of W3C Trace Context",
            Self::Zero => "an ID of zeros only is none",
        })
    }
}

impl std::error::Error for InvalidTraceContext {}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $bytes:literal, $digits:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
        pub struct $name([u8; $bytes]);

        impl $name {
            /// The ID with these bytes; zeros are none.
            #[must_use]
            pub fn from_bytes(bytes: [u8; $bytes]) -> Option<Self> {
                (bytes != [0; $bytes]).then_some(Self(bytes))
            }

            /// Its bytes, most significant first.
            #[must_use]
            pub fn to_bytes(self) -> [u8; $bytes] {
                self.0
            }

            /// Its lower-case hexadecimal digits.
            #[must_use]
            pub fn to_hex(self) -> [u8; $digits] {
                let mut digits = [0; $digits];
                hex::encode(&self.0, &mut digits);
                digits
            }

            pub(super) fn parse(text: &[u8]) -> Result<Self, InvalidTraceContext> {
                let bytes = hex::decode(text).ok_or(InvalidTraceContext::Form)?;
                Self::from_bytes(bytes).ok_or(InvalidTraceContext::Zero)
            }
        }

        impl FromStr for $name {
            type Err = InvalidTraceContext;

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
    /// The ID of a trace: 16 bytes, never all zero, shown as 32 lower-case
    /// hexadecimal digits (W3C Trace Context, level 2, section `trace-id`).
    TraceId, 16, 32
}

id! {
    /// The ID of one operation in a trace: 8 bytes, never all zero, shown as 16
    /// lower-case hexadecimal digits. The specification calls it `parent-id`
    /// where it is sent.
    SpanId, 8, 16
}

impl SpanId {
    /// A fresh one, from the generator of the thread: unique, not secret.
    #[must_use]
    pub fn random() -> Self {
        Self(fastrand::u64(..).max(1).to_be_bytes())
    }
}

impl TraceId {
    /// That of a UUID, whose version and variant are never zero.
    pub(super) fn from_uuid(uuid: uuid::Uuid) -> Self {
        Self(uuid.into_bytes())
    }
}

/// The flags of a trace: those that version 00 of the header defines. Others are
/// reserved and always read as unset (section `trace-flags`).
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub struct TraceFlags(u8);

impl TraceFlags {
    /// The caller may have recorded trace data.
    pub const SAMPLED: Self = Self(1);
    /// The right-most seven bytes of the trace ID are random.
    pub const RANDOM: Self = Self(1 << 1);

    /// Those of these bits that are defined.
    #[must_use]
    pub const fn from_bits(bits: u8) -> Self {
        Self(bits & (Self::SAMPLED.0 | Self::RANDOM.0))
    }

    /// The bits, as the header has them.
    #[must_use]
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// Whether the caller may have recorded trace data.
    #[must_use]
    pub const fn is_sampled(self) -> bool {
        self.0 & Self::SAMPLED.0 != 0
    }

    /// Whether the right-most seven bytes of the trace ID are random.
    #[must_use]
    pub const fn is_random(self) -> bool {
        self.0 & Self::RANDOM.0 != 0
    }
}
