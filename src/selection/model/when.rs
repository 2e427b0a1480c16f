use super::{
    Network, RulesError, Text,
    fields::{HeaderKey, MethodName, Named, PathIs},
    some::Some1,
};
use http::{HeaderName, Method};
use serde::{Deserialize, Deserializer, Serialize, de};

/// Conditions on a request, which must all hold.
///
/// A condition on a fact is open until the service states the fact: neither the condition nor
/// its opposite holds.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct When {
    #[serde(skip_serializing_if = "Some1::is_empty")]
    pub(in crate::selection) method: Some1<MethodName>,
    #[serde(skip_serializing_if = "Some1::is_empty")]
    pub(in crate::selection) route: Some1<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::selection) path: Option<PathIs>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::selection) host: Option<Text>,
    #[serde(skip_serializing_if = "Named::is_empty")]
    pub(in crate::selection) header: Named<HeaderKey>,
    #[serde(skip_serializing_if = "Named::is_empty")]
    pub(in crate::selection) query: Named<String>,
    #[serde(skip_serializing_if = "Named::is_empty")]
    pub(in crate::selection) cookie: Named<String>,
    #[serde(skip_serializing_if = "Some1::is_empty")]
    pub(in crate::selection) client: Some1<Network>,
    #[serde(skip_serializing_if = "Some1::is_empty")]
    pub(in crate::selection) content_type: Some1<String>,
    #[serde(skip_serializing_if = "Named::is_empty", deserialize_with = "facts")]
    pub(in crate::selection) fact: Named<String>,
    #[serde(skip_serializing_if = "Some1::is_empty")]
    pub(in crate::selection) all: Some1<Self>,
    #[serde(skip_serializing_if = "Some1::is_empty")]
    pub(in crate::selection) any: Some1<Self>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::selection) not: Option<Box<Self>>,
}

impl When {
    /// Starts without a condition, which holds for all requests.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Requires this method. Repeated calls add alternatives.
    #[must_use]
    pub fn method(mut self, method: Method) -> Self {
        self.method.0.push(MethodName(method));
        self
    }

    /// Requires this route template, as the router writes it, such as `/orders/{id}`. Repeated
    /// calls add alternatives.
    #[must_use]
    pub fn route(mut self, template: impl Into<String>) -> Self {
        self.route.0.push(template.into());
        self
    }

    /// Requires a path like this pattern: `*` is any text within a segment, `**` any text,
    /// all other characters stand for themselves. Repeated calls add alternatives.
    ///
    /// Paths are compared as clients send them, percent-encoding included. The time it takes
    /// is bounded by the length of the path.
    ///
    /// # Errors
    ///
    /// The pattern begins with neither `/` nor `*`, has more than 127 bytes, or more than two
    /// stars in a row.
    pub fn path(mut self, pattern: &str) -> Result<Self, RulesError> {
        let glob = pattern.parse()?;
        match &mut self.path {
            Some(PathIs::Like(globs)) => globs.push(glob),
            None => self.path = Some(PathIs::Like(vec![glob])),
            Some(PathIs::Text(_)) => {
                let path = Some(PathIs::Like(vec![glob]));
                return Ok(self.and(Self {
                    path,
                    ..Self::default()
                }));
            }
        }
        Ok(self)
    }

    /// Requires a path that begins with this.
    #[must_use]
    pub fn path_prefix(mut self, prefix: impl Into<String>) -> Self {
        let path = PathIs::Text(Text::prefix(prefix));
        if self.path.is_some() {
            return self.and(Self {
                path: Some(path),
                ..Self::default()
            });
        }
        self.path = Some(path);
        self
    }

    /// Requires a host, without its port. Case, a dot at the end, and the spellings of IPv6
    /// addresses and of internationalised names do not matter, except to a regular expression.
    /// A repeated call replaces the host. The client sets the host.
    #[must_use]
    pub fn host(mut self, host: impl Into<Text>) -> Self {
        self.host = Some(host.into());
        self
    }

    /// Requires a header with such a value; one of repeated headers suffices. The client sets
    /// headers.
    #[must_use]
    pub fn header(self, name: HeaderName, value: impl Into<Text>) -> Self {
        self.named(|when| &mut when.header, HeaderKey(name), value.into())
    }

    /// Requires a key of the query with such a decoded value; one of repeated keys suffices. The
    /// client sets the query.
    #[must_use]
    pub fn query(self, key: impl Into<String>, value: impl Into<Text>) -> Self {
        self.named(|when| &mut when.query, key.into(), value.into())
    }

    /// Requires a cookie with such a value. The client sets cookies.
    #[must_use]
    pub fn cookie(self, name: impl Into<String>, value: impl Into<Text>) -> Self {
        self.named(|when| &mut when.cookie, name.into(), value.into())
    }

    /// Requires a [`Peer`](crate::selection::Peer) in this network, which is written as for
    /// [`Text::network`]. Repeated calls add alternatives.
    ///
    /// # Errors
    ///
    /// The text is no address and no network, or its address has bits beyond the prefix.
    pub fn client(mut self, network: &str) -> Result<Self, RulesError> {
        self.client.0.push(network.parse()?);
        Ok(self)
    }

    /// Requires this media type, without parameters; `image/*` is every media type of a kind.
    /// Repeated calls add alternatives.
    #[must_use]
    pub fn content_type(mut self, media_type: impl Into<String>) -> Self {
        self.content_type.0.push(media_type.into());
        self
    }

    /// Requires that the service states a [fact](crate::context::RequestContext::fact) with such
    /// a value.
    #[must_use]
    pub fn fact(self, name: impl Into<String>, value: impl Into<Text>) -> Self {
        self.named(|when| &mut when.fact, name.into(), value.into())
    }

    /// Requires these conditions, too.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.all.0.push(other);
        self
    }

    /// Requires at least one of these, too.
    #[must_use]
    pub fn any(mut self, of: impl IntoIterator<Item = Self>) -> Self {
        let any = Some1(of.into_iter().collect());
        if any.is_empty() {
            // One of none: never.
            return self.not(Self::new());
        }
        if self.any.is_empty() {
            self.any = any;
            return self;
        }
        self.and(Self {
            any,
            ..Self::default()
        })
    }

    /// Requires that not all of these hold.
    #[must_use]
    pub fn not(mut self, other: Self) -> Self {
        if self.not.is_some() {
            return self.and(Self::new().not(other));
        }
        self.not = Some(Box::new(other));
        self
    }

    /// Returns the number of single conditions.
    pub(in crate::selection) fn conditions(&self) -> usize {
        let here = [
            usize::from(!self.method.is_empty()),
            usize::from(!self.route.is_empty()),
            usize::from(self.path.is_some()),
            usize::from(self.host.is_some()),
            self.header.0.len(),
            self.query.0.len(),
            self.cookie.0.len(),
            usize::from(!self.client.is_empty()),
            usize::from(!self.content_type.is_empty()),
            self.fact.0.len(),
        ];
        let parts = self
            .all
            .0
            .iter()
            .chain(&self.any.0)
            .chain(self.not.as_deref());
        here.into_iter().sum::<usize>() + parts.map(Self::conditions).sum::<usize>()
    }

    /// Returns how deep they are nested.
    pub(super) fn depth(&self) -> usize {
        let parts = self
            .all
            .0
            .iter()
            .chain(&self.any.0)
            .chain(self.not.as_deref());
        parts.map(|part| part.depth() + 1).max().unwrap_or(0)
    }

    fn named<N: PartialEq>(
        mut self,
        of: impl Fn(&mut Self) -> &mut Named<N>,
        name: N,
        value: Text,
    ) -> Self {
        if of(&mut self).0.iter().any(|(n, _)| *n == name) {
            let mut other = Self::new();
            of(&mut other).0.push((name, value));
            return self.and(other);
        }
        of(&mut self).0.push((name, value));
        self
    }
}

/// Refuses absent facts: a fact may still be stated.
fn facts<'de, D: Deserializer<'de>>(from: D) -> Result<Named<String>, D::Error> {
    let facts = Named::deserialize(from)?;
    let absent = |(_, text): &(_, Text)| text.0 == super::Is::Absent;
    if facts.0.iter().any(absent) {
        return Err(de::Error::custom(
            "expected no `present = false` of a fact: it may still come",
        ));
    }
    Ok(facts)
}
