//! The causes of an error, where its type is one whose causes can be asked for.

use super::limited::Limited;
use std::{
    any::Any,
    error::Error,
    fmt::{self, Display, Write},
    sync::Arc,
};

/// How many causes of an error are noted. One may name itself as its cause.
const DEPTH: usize = 32;

/// Writes an error, and behind it what caused it.
pub(super) fn write(out: &mut Limited<'_>, error: &(dyn Error + 'static)) -> fmt::Result {
    write!(out, "{error}")?;
    let causes = std::iter::successors(error.source(), |cause| (*cause).source());
    let causes = causes.filter(|cause| !says_its_cause(*cause));
    for (n, cause) in causes.enumerate() {
        if n == DEPTH {
            out.left_out();
            break;
        }
        write!(out, ": {cause}")?;
    }
    Ok(())
}

/// The same of an error of any type; of one that is not known its own text.
pub(super) fn write_any<E: Display + 'static>(out: &mut Limited<'_>, error: &E) -> fmt::Result {
    let mut known = known(error);
    while let Some(error) = known.filter(|error| says_its_cause(*error)) {
        match error.source() {
            None => break,
            cause => known = cause,
        }
    }
    match known {
        Some(error) => write(out, error),
        None => write!(out, "{error}"),
    }
}

/// An error that has causes. A box of errors is none itself, so that nobody can ask all
/// types of errors alike.
fn known(error: &dyn Any) -> Option<&(dyn Error + 'static)> {
    macro_rules! behind {
        ($($pointer:ty),+) => {
            $(if let Some(error) = error.downcast_ref::<$pointer>() {
                return Some(&**error);
            })+
        };
    }
    behind!(
        Box<dyn Error + Send + Sync>,
        Box<dyn Error + Send>,
        Box<dyn Error>,
        Arc<dyn Error + Send + Sync>,
        Arc<dyn Error>
    );
    macro_rules! itself {
        ($($error:ty),+) => {
            $(if let Some(error) = error.downcast_ref::<$error>() {
                return Some(error);
            })+
        };
    }
    itself!(std::io::Error, http::Error);
    #[cfg(feature = "axum")]
    itself!(axum_core::Error);
    #[cfg(feature = "axum")]
    itself!(hyper::Error, hyper_util::client::legacy::Error);
    #[cfg(feature = "reqwest-middleware")]
    itself!(
        reqwest_middleware::Error,
        reqwest_middleware::reqwest::Error
    );
    None
}

/// Whether it is a wrapper that has no text of its own.
fn says_its_cause(error: &(dyn Error + 'static)) -> bool {
    #[cfg(feature = "axum")]
    {
        error.is::<axum_core::Error>()
    }
    #[cfg(not(feature = "axum"))]
    {
        let _ = error;
        false
    }
}
