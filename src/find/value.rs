use crate::{
    exchange::{Exchange, Request, scheme},
    host,
    redact::Key,
};
use serde_json::Value;

/// A value as it is written in an exchange: in the clear, or as the hashes that it has
/// under a key.
pub(super) struct Sought<'s> {
    clear: &'s str,
    hashes: [Option<String>; 2],
}

impl<'s> Sought<'s> {
    pub(super) fn new(value: &'s str, key: Option<&Key>, exchange: &Exchange) -> Self {
        let salt = exchange.redaction.salt.as_deref();
        let salt = salt.and_then(|salt| salt.parse().ok());
        let hashes = key.map(|key| key.hashes(value.as_bytes(), salt));
        Self {
            clear: value,
            hashes: hashes.unwrap_or_default(),
        }
    }

    pub(super) fn is_fact(&self, name: &str, exchange: &Exchange) -> bool {
        exchange.facts.get(name).is_some_and(|fact| match fact {
            Value::String(text) => text == self.clear || self.is_hidden_in(text),
            Value::Number(number) => number.to_string() == self.clear,
            _ => false,
        })
    }

    pub(super) fn is_header(&self, name: &str, exchange: &Exchange) -> bool {
        if name.eq_ignore_ascii_case("host") && self.is_host(&exchange.request) {
            return true;
        }
        let request = exchange.request.headers.iter();
        let response = exchange.response.iter().flat_map(|r| &r.headers);
        request.chain(response).any(|(header, value)| {
            header.eq_ignore_ascii_case(name) && (value == self.clear || self.is_hidden_in(value))
        })
    }

    /// Compares hosts in any spelling, also that in the target, as in HTTP/2.
    fn is_host(&self, request: &Request) -> bool {
        let headers = request.headers.iter();
        let named = headers.filter(|(name, _)| name.eq_ignore_ascii_case("host"));
        let named = named.map(|(_, value)| value);
        let scheme = scheme(None, request.scheme.as_deref());
        named
            .chain(&request.authority)
            .any(|host| host::is(self.clear, host, scheme) || self.is_hidden_in(host))
    }

    /// Whether the value is in a fact, the request, the response, the panic, the error, a
    /// decision, an event or a keep reason.
    pub(super) fn is_anywhere(&self, exchange: &Exchange) -> bool {
        const PLACES: [&str; 8] = [
            "facts",
            "request",
            "response",
            "panic",
            "error",
            "decisions",
            "events",
            "keep",
        ];
        let Ok(Value::Object(all)) = serde_json::to_value(exchange) else {
            return false;
        };
        let places = PLACES.iter().filter_map(|place| all.get(*place));
        // As JSON in a body escapes it.
        let json = Value::from(self.clear).to_string();
        let clear = [self.clear, json.trim_matches('"')];
        places
            .into_iter()
            .any(|place| self.is_below(place, clear, false))
    }

    fn is_below(&self, place: &Value, clear: [&str; 2], field: bool) -> bool {
        match place {
            Value::String(text) => {
                self.is_hidden_in(text) || clear.iter().any(|clear| is_word(clear, text))
            }
            // Other numbers are the exchange's own: times and sizes.
            Value::Number(number) => field && number.to_string() == self.clear,
            Value::Array(all) => all.iter().any(|value| self.is_below(value, clear, field)),
            Value::Object(all) => all.iter().any(|(key, value)| match value {
                // The names of those members are not values.
                Value::Array(all) if key == "headers" || key == "trailers" => {
                    let mut values = all.iter().filter_map(|header| header.get(1));
                    values.any(|value| self.is_below(value, clear, false))
                }
                value => self.is_below(value, clear, field || key == "fields"),
            }),
            Value::Bool(_) | Value::Null => false,
        }
    }

    /// Also in a query, in which the rest of a placeholder is percent-encoded.
    fn is_hidden_in(&self, text: &str) -> bool {
        let hashes = self.hashes.iter().flatten();
        hashes.into_iter().any(|hash| text.contains(hash.as_str()))
    }
}

/// Whether a text has the value as a whole word.
fn is_word(value: &str, text: &str) -> bool {
    let outside = |c: Option<char>| c.is_none_or(|c| !c.is_alphanumeric());
    !value.is_empty()
        && text.match_indices(value).any(|(at, _)| {
            let before = text.get(..at).and_then(|before| before.chars().next_back());
            let after = text.get(at + value.len()..);
            outside(before) && outside(after.and_then(|after| after.chars().next()))
        })
}
