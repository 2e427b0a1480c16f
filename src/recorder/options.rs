use std::sync::Arc;

/// How much of some requests is captured: of all, of those of a path, of a route,
/// or of the one that a handler answers.
///
/// What is not said is as it would be without. One value serves everywhere:
///
/// - [`options`](crate::capture::CaptureLayerBuilder::options) for all requests,
///   and [`for_path`](crate::capture::CaptureLayerBuilder::for_path) for some;
/// - a layer on a route, inside or outside of the capturing layer:
///   `.route_layer(CaptureOptions::off())`;
/// - an extension of the request, put there by a layer further out;
/// - an extension of the response: `(Extension(CaptureOptions::off()), body)`.
///
/// What comes later in this list wins, setting by setting. Bytes that were
/// captured before a setting was known are given back where it forbids them.
///
/// # Ordering
///
/// As a layer it acts before the service inside of it reads the body. Of a
/// response, what a handler says acts before the body is sent.
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
    /// Changes nothing yet.
    pub const fn new() -> Self {
        Self {
            off: false,
            request_body: None,
            response_body: None,
            head: None,
            content_types: None,
        }
    }

    /// No exchange, whatever happens, even where the service asks with
    /// [`keep`](crate::keep): for health checks, static files, and what nobody
    /// may store. The request is still counted, and has its ID and its line in
    /// the log. No later setting turns it on again.
    pub const fn off() -> Self {
        Self {
            off: true,
            request_body: None,
            response_body: None,
            head: None,
            content_types: None,
        }
    }

    /// Heads, and no byte of a body. Log lines cannot hide values that they only
    /// know from a body then.
    pub const fn heads() -> Self {
        Self::new().body(0)
    }

    /// Bytes captured of each body, instead of
    /// [`Limits::body`](crate::capture::Limits::body).
    pub const fn body(self, limit: usize) -> Self {
        self.request_body(limit).response_body(limit)
    }

    /// Bytes captured of the request body.
    pub const fn request_body(mut self, limit: usize) -> Self {
        self.request_body = Some(limit);
        self
    }

    /// Bytes captured of the response body.
    pub const fn response_body(mut self, limit: usize) -> Self {
        self.response_body = Some(limit);
        self
    }

    /// Bytes captured of each head that is seen from here on, and of trailers,
    /// instead of [`Limits::head`](crate::capture::Limits::head). The request
    /// head has been seen when a route is known.
    pub const fn head(mut self, limit: usize) -> Self {
        self.head = Some(limit);
        self
    }

    /// Captures only bodies of these media types, such as `application/json` or
    /// `text/*`, and those that name none. Without parameters, in any case.
    pub fn content_types<T: Into<String>>(mut self, types: impl IntoIterator<Item = T>) -> Self {
        let types = types.into_iter().map(|name| {
            let mut name: String = name.into();
            name.make_ascii_lowercase();
            name
        });
        self.content_types = Some(types.collect());
        self
    }

    /// Whether nothing is to be kept.
    pub(crate) fn is_off(&self) -> bool {
        self.off
    }

    pub(crate) fn head_limit(&self, default: usize) -> usize {
        self.head.unwrap_or(default)
    }

    /// The limit of the request body; none where nothing is to be captured.
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

    /// Adds what `later` says; that wins.
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
