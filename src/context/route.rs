//! The route of a request.

/// A route template, held as the router gave it.
#[derive(Clone, Debug)]
pub(crate) enum Route {
    #[cfg(feature = "axum")]
    Matched(axum::extract::MatchedPath),
}

impl Route {
    pub(crate) fn as_str(&self) -> &str {
        // Without a router there is no value of this type.
        match *self {
            #[cfg(feature = "axum")]
            Self::Matched(ref path) => path.as_str(),
        }
    }
}
