//! Media types, and the parameters of header values.

/// Returns whether each value of a body of this type is a piece of its bytes, if they have
/// no escapes.
pub(crate) fn is_in_one_piece(content_type: Option<&str>) -> bool {
    matches!(
        content_type.map(Media::of),
        None | Some(Some(Media::Json | Media::Lines | Media::Form | Media::Text))
    )
}

/// A supported media type, in UTF-8.
#[derive(Debug, PartialEq)]
pub(super) enum Media {
    Json,
    /// A sequence of JSON texts.
    Lines,
    /// Server-sent events.
    Events,
    Form,
    /// With its boundary.
    Multipart(String),
    Xml,
    GraphQl,
    Text,
}

impl Media {
    pub(super) fn of(content_type: &str) -> Option<Self> {
        let essence = content_type.split(';').next()?.trim().to_ascii_lowercase();
        let utf8 = parameter(content_type, "charset").is_none_or(|charset| {
            ["utf-8", "utf8", "us-ascii", "ascii"]
                .iter()
                .any(|known| charset.eq_ignore_ascii_case(known))
        });
        Some(match essence.as_str() {
            _ if !utf8 => return None,
            "application/x-www-form-urlencoded" => Self::Form,
            "application/json" | "text/json" => Self::Json,
            "application/x-ndjson"
            | "application/ndjson"
            | "application/jsonl"
            | "application/jsonlines"
            | "application/x-jsonlines"
            | "application/json-seq" => Self::Lines,
            "text/event-stream" => Self::Events,
            "application/graphql" => Self::GraphQl,
            "application/xml" | "text/xml" => Self::Xml,
            "text/plain" => Self::Text,
            other if other.ends_with("+json") => Self::Json,
            other if other.ends_with("+json-seq") => Self::Lines,
            other if other.ends_with("+xml") => Self::Xml,
            other if other.starts_with("multipart/") => {
                Self::Multipart(parameter(content_type, "boundary")?)
            }
            _ => return None,
        })
    }
}

/// Returns a parameter of a header value, without its quotes.
pub(super) fn parameter(header: &str, name: &str) -> Option<String> {
    let mut rest = header.split_once(';')?.1;
    loop {
        rest = rest.trim_start_matches([' ', '\t', ';']);
        let (key, value) = rest.split_once('=')?;
        // Parameters without a value may come before it.
        let key = key.rsplit(';').next().unwrap_or(key);
        let (value, after) = if let Some(quoted) = value.strip_prefix('"') {
            let mut plain = String::new();
            let mut chars = quoted.char_indices();
            let mut end = quoted.len();
            while let Some((at, c)) = chars.next() {
                match c {
                    '"' => {
                        end = at + 1;
                        break;
                    }
                    // Browsers escape quotes as `%22`, so a backslash before any other
                    // character is literal.
                    '\\' if quoted
                        .get(at + 1..)
                        .is_some_and(|r| r.starts_with(['"', '\\'])) =>
                    {
                        plain.extend(chars.next().map(|(_, c)| c));
                    }
                    c => plain.push(c),
                }
            }
            (plain, quoted.get(end..).unwrap_or_default())
        } else {
            let end = value.find(';').unwrap_or(value.len());
            let (value, after) = value.split_at_checked(end)?;
            (value.trim().to_owned(), after)
        };
        if key.trim().eq_ignore_ascii_case(name) {
            return Some(value);
        }
        rest = after;
    }
}
