//! The causes of an error, if its type is known to have them.

use super::limited::Limited;
use std::{
    any::{Any, TypeId},
    borrow::Cow,
    convert::Infallible,
    error::Error,
    fmt::{self, Write},
    sync::{Arc, PoisonError, RwLock},
};

/// How many causes of an error are written. An error may name itself as its cause.
const DEPTH: usize = 32;

/// Writes an error, then its causes.
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

/// Like [`write`], without wrappers that only repeat the error inside.
pub(super) fn write_from(out: &mut Limited<'_>, error: &(dyn Error + 'static)) -> fmt::Result {
    let mut error = error;
    while says_its_cause(error)
        && let Some(cause) = error.source()
    {
        error = cause;
    }
    write(out, error)
}

/// Downcasts to an error of one type.
type Find = fn(&dyn Any) -> Option<&(dyn Error + 'static)>;

/// The types that the service named.
static NAMED: RwLock<Vec<(TypeId, Find)>> = RwLock::new(Vec::new());

/// From now on the causes of errors of this type are written.
pub(crate) fn know<E: Error + 'static>() {
    let mut named = NAMED.write().unwrap_or_else(PoisonError::into_inner);
    if named.iter().all(|(of, _)| *of != TypeId::of::<E>()) {
        let find: Find = |error| Some(error.downcast_ref::<E>()?);
        named.push((TypeId::of::<E>(), find));
    }
}

fn named(error: &dyn Any) -> Option<&(dyn Error + 'static)> {
    let find = {
        let named = NAMED.read().unwrap_or_else(PoisonError::into_inner);
        let mut of = named.iter().filter(|(of, _)| *of == error.type_id());
        of.next().map(|(_, find)| *find)
    };
    find?(error)
}

/// Returns whether it is a text or has no value: it has no causes.
pub(super) fn has_none(error: &dyn Any) -> bool {
    error.is::<String>()
        || error.is::<&'static str>()
        || error.is::<Cow<'static, str>>()
        || error.is::<Infallible>()
}

/// Returns the error if its causes can be read. A box of errors is no error itself, so that no
/// generic code can read the causes of all types.
pub(super) fn known(error: &dyn Any) -> Option<&(dyn Error + 'static)> {
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
    named(error)
}

/// Returns whether it is a wrapper without a text of its own.
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
