use std::sync::Arc;

/// How much of a request is captured: of all requests, of those with a path, of a route, or
/// of a single request.
///
/// A setting that is not made keeps its previous value. Use the options as
///
/// - a setting: [`options`](crate::capture::CaptureLayerBuilder::options) for all requests,
///   [`for_path`](crate::capture::CaptureLayerBuilder::for_path) for some;
/// - a layer on a route, inside or outside of the capture layer:
///   `.route_layer(CaptureOptions::off())`;
/// - an extension of the request, inserted by an outer layer;
/// - an extension of the response: `(Extension(CaptureOptions::off()), body)`.
///
/// Later entries of this list override earlier ones, setting by setting. Bytes that were
/// captured before a setting was known are dropped if it excludes them.
///
/// # Ordering
///
/// A layer takes effect before its inner service reads the body. An extension of the
/// response takes effect before the body is sent.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[must_use]
pub struct CaptureOptions {
    off: bool,
    request_body: Option<usize>,
    response_body: Option<usize>,
    head: Option<usize>,
    content_types: Option<Arc<[String]>>,
}

impl CaptureOptions {
    /// Starts with no setting.
    pub const fn new() -> Self {
        Self {
            off: false,
            request_body: None,
            response_body: None,
            head: None,
            content_types: None,
        }
    }

    /// Keeps no exchange, whatever happens, even if the service calls
    /// [`keep`](crate::keep). For health checks, static files, and data that must not be
    /// stored. The request is still counted, and has its ID and its log line. No later
    /// setting turns capture on again.
    pub const fn off() -> Self {
        Self {
            off: true,
            request_body: None,
            response_body: None,
            head: None,
            content_types: None,
        }
    }

    /// Captures heads and no bodies. Log lines then cannot hide values that occur only in a
    /// body.
    pub const fn heads() -> Self {
        Self::new().body(0)
    }

    /// Sets how many bytes of each body are captured. Default:
    /// [`Limits::body`](crate::capture::Limits::body).
    pub const fn body(self, limit: usize) -> Self {
        self.request_body(limit).response_body(limit)
    }

    /// Sets how many bytes of the request body are captured. Default:
    /// [`Limits::body`](crate::capture::Limits::body).
    pub const fn request_body(mut self, limit: usize) -> Self {
        self.request_body = Some(limit);
        self
    }

    /// Sets how many bytes of the response body are captured. Default:
    /// [`Limits::body`](crate::capture::Limits::body).
    pub const fn response_body(mut self, limit: usize) -> Self {
        self.response_body = Some(limit);
        self
    }

    /// Sets how many bytes of each later head, and of trailers, are captured. Default:
    /// [`Limits::head`](crate::capture::Limits::head). As a layer on a route it comes too
    /// late for the request head.
    pub const fn head(mut self, limit: usize) -> Self {
        self.head = Some(limit);
        self
    }

    /// Captures only bodies of these media types, such as `application/json` or `text/*`,
    /// and bodies without a content type. Default: all. Give types without parameters; case
    /// is ignored.
    pub fn content_types<T: Into<String>>(mut self, types: impl IntoIterator<Item = T>) -> Self {
        let types = types.into_iter().map(|name| {
            let mut name: String = name.into();
            name.make_ascii_lowercase();
            name
        });
        self.content_types = Some(types.collect());
        self
    }

    /// Returns whether nothing is kept.
    pub(crate) fn is_off(&self) -> bool {
        self.off
    }

    pub(crate) fn head_limit(&self, default: usize) -> usize {
        self.head.unwrap_or(default)
    }

    /// Returns the limit of the request body; 0 if it must not be captured.
    pub(crate) fn request_limit(&self, default: usize, content_type: Option<&[u8]>) -> usize {
        self.limit(self.request_body.unwrap_or(default), content_type)
    }

    pub(crate) fn response_limit(&self, default: usize, content_type: Option<&[u8]>) -> usize {
        self.limit(self.response_body.unwrap_or(default), content_type)
    }

    fn limit(&self, limit: usize, content_type: Option<&[u8]>) -> usize {
        if self.off || !self.allows(content_type) {
            0
        } else {
            limit
        }
    }

    fn allows(&self, content_type: Option<&[u8]>) -> bool {
        let (Some(types), Some(value)) = (&self.content_types, content_type) else {
            return true;
        };
        let end = value.iter().position(|&b| b == b';');
        let value = value.get(..end.unwrap_or(value.len())).unwrap_or_default();
        let value = value.trim_ascii();
        types.iter().any(|name| match name.strip_suffix('*') {
            Some(start) => value
                .get(..start.len())
                .is_some_and(|value| value.eq_ignore_ascii_case(start.as_bytes())),
            None => value.eq_ignore_ascii_case(name.as_bytes()),
        })
    }

    /// Adds the settings of `later`, which override these.
    pub(crate) fn add(&mut self, later: &Self) {
        self.off |= later.off;
        self.request_body = later.request_body.or(self.request_body);
        self.response_body = later.response_body.or(self.response_body);
        self.head = later.head.or(self.head);
        if later.content_types.is_some() {
            self.content_types.clone_from(&later.content_types);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_later_wins_but_off_stays() {
        let mut options = CaptureOptions::new().body(10).content_types(["Text/*"]);
        options.add(&CaptureOptions::new().response_body(20));
        let plain = Some(&b"text/plain; charset=utf-8"[..]);
        assert_eq!(options.request_limit(1, plain), 10);
        assert_eq!(options.response_limit(1, plain), 20);
        assert_eq!(options.response_limit(1, Some(b"application/json")), 0);
        assert_eq!(options.response_limit(1, None), 20);
        options.add(&CaptureOptions::off());
        options.add(&CaptureOptions::new().body(30));
        assert!(options.is_off());
        assert_eq!(options.request_limit(1, plain), 0);
    }
}
