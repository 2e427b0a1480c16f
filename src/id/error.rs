use std::fmt;

/// A text is not a correlation ID or not a part of a trace context, or a request has no
/// correlation ID. The error never holds the text.
///
/// With the feature `axum` it becomes a response: with status 500 if the request has no
/// correlation ID, because a layer is missing in the service, and else with status 400.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Error(pub(crate) Kind);

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Kind {
    Empty,
    TooLong,
    Character,
    /// The header occurs more than once.
    Repeated,
    /// The text does not have the form of W3C Trace Context.
    Form,
    /// The ID consists of zeros only.
    Zero,
    /// No layer of this crate is around the handler that asked for the ID.
    #[cfg(feature = "axum")]
    Missing,
}

impl Error {
    /// Returns what is wrong, as one word: `empty`, `too_long`, `character`, `repeated`,
    /// `form`, `zero`, or, if no layer gave the request an ID, `missing`. Exchanges have the
    /// same words.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self.0 {
            Kind::Empty => "empty",
            Kind::TooLong => "too_long",
            Kind::Character => "character",
            Kind::Repeated => "repeated",
            Kind::Form => "form",
            Kind::Zero => "zero",
            #[cfg(feature = "axum")]
            Kind::Missing => "missing",
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Kind::Empty => "the correlation ID is empty",
            Kind::TooLong => "the correlation ID is longer than 128 bytes",
            Kind::Character => {
                "the correlation ID has a character other than letters, digits, `.`, `_` and `-`"
            }
            Kind::Repeated => "the correlation ID header occurs more than once",
            Kind::Form => "the text does not have the form of W3C Trace Context",
            Kind::Zero => "a trace ID or span ID must not be all zeros",
            #[cfg(feature = "axum")]
            Kind::Missing => {
                "the request has no correlation ID: put `CorrelationIdLayer` or `Dashcam::layer` \
                 around the handler"
            }
        })
    }
}

impl std::error::Error for Error {}
