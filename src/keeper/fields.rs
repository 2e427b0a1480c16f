use crate::{
    gate::ReplayValue,
    recorder::{Values, Visited},
    redact::Scrubber,
};
use serde_json::{Map, Value};
use std::{borrow::Cow, fmt::Display, ptr, sync::Arc};
use tracing::Metadata;

/// Numbers below this have too few digits to be a card's.
const SMALL: u64 = 1_000_000_000_000;

/// What is known of a callsite's fields once and for all.
#[derive(Debug)]
pub(crate) struct Site {
    pub(crate) metadata: &'static Metadata<'static>,
    fields: Vec<SiteField>,
    message: Option<usize>,
}

#[derive(Debug)]
struct SiteField {
    name: &'static str,
    /// The name as a JSON string and a colon.
    quoted: Box<[u8]>,
    /// Whether the name forbids to write the value.
    hidden: bool,
}

impl Site {
    fn new(metadata: &'static Metadata<'static>, scrubber: &Scrubber) -> Self {
        let fields = metadata.fields();
        Self {
            metadata,
            message: fields.iter().position(|field| field.name() == "message"),
            fields: fields
                .iter()
                .map(|field| SiteField {
                    name: field.name(),
                    // A string always serialises.
                    quoted: serde_json::to_string(field.name())
                        .map(|name| (name + ":").into_bytes().into())
                        .unwrap_or_default(),
                    hidden: scrubber.hides(field.name()),
                })
                .collect(),
        }
    }
}

/// The callsites seen of late, found by the address of their metadata.
#[derive(Debug)]
pub(crate) struct Sites(Vec<Option<Arc<Site>>>);

impl Sites {
    const SLOTS: usize = 512;

    pub(crate) fn new() -> Self {
        Self(vec![None; Self::SLOTS])
    }

    pub(crate) fn of(
        &mut self,
        metadata: &'static Metadata<'static>,
        scrubber: &Scrubber,
    ) -> Arc<Site> {
        let at = (ptr::from_ref(metadata).addr() >> 4) % Self::SLOTS;
        let slot = self.0.get_mut(at);
        if let Some(Some(site)) = &slot
            && ptr::eq(site.metadata, metadata)
        {
            return Arc::clone(site);
        }
        let site = Arc::new(Site::new(metadata, scrubber));
        if let Some(slot) = slot {
            *slot = Some(Arc::clone(&site));
        }
        site
    }
}

/// Encoded fields, redacted as they are read.
///
/// Of a field that was recorded twice the later value is shown. Integers
/// beyond 64 bits, and numbers that JSON does not have, are texts.
#[derive(Clone, Copy)]
pub(crate) struct Fields<'a> {
    pub(crate) site: &'a Site,
    pub(crate) values: &'a [u8],
    /// `None` only for lines of our own, which hold no free text.
    pub(crate) scrubber: Option<&'a Scrubber>,
}

impl<'a> Fields<'a> {
    /// The message.
    pub(crate) fn message(&self) -> Option<Cow<'a, str>> {
        let message = self.site.message?;
        Values(self.values).find_map(|(index, value)| match value {
            Visited::Text { text, cut, .. } if index == message => {
                let shown = self.text(text);
                Some(if cut { shown + "…" } else { shown })
            }
            _ => None,
        })
    }

    /// The target of a record of the `log` crate, which has it as a field.
    pub(crate) fn logged_target(&self) -> Option<&'a str> {
        if self.site.metadata.target() != "log" {
            return None;
        }
        raw(self.site.metadata, self.values).find_map(|(name, value)| match value {
            Visited::Text { text, .. } if name == "log.target" => Some(text),
            _ => None,
        })
    }

    /// Whether there is anything beside the message.
    pub(crate) fn is_empty(&self) -> bool {
        Values(self.values).all(|(index, _)| Some(index) == self.site.message)
    }

    fn text(&self, text: &'a str) -> Cow<'a, str> {
        match self.scrubber {
            Some(scrubber) => scrubber.text(text),
            None => Cow::Borrowed(text),
        }
    }
}

/// Names and values as recorded, for whoever has to look for secrets.
pub(crate) fn raw<'a>(
    metadata: &'static Metadata<'static>,
    values: &'a [u8],
) -> impl Iterator<Item = (&'static str, Visited<'a>)> {
    Values(values).map(move |(index, value)| {
        let mut fields = metadata.fields().iter();
        (fields.nth(index).map_or("?", |field| field.name()), value)
    })
}

/// One field, ready to be written.
pub(crate) enum Shown<'a> {
    Text {
        text: Cow<'a, str>,
        cut: bool,
    },
    Bool(bool),
    I64(i64),
    U64(u64),
    /// Always finite.
    F64(f64),
}

impl<'a> Fields<'a> {
    /// Calls `f` with the quoted name and the value of each field but the
    /// message, redacted, in order.
    pub(crate) fn each(&self, mut f: impl FnMut(&[u8], &'static str, Shown<'a>)) {
        let mut values = Values(self.values);
        while let Some((index, value)) = values.next() {
            let replaced = || values.clone().any(|(later, _)| later == index);
            if Some(index) == self.site.message || replaced() {
                continue;
            }
            if let Some(field) = self.site.fields.get(index) {
                f(&field.quoted, field.name, self.show(field.hidden, value));
            }
        }
    }

    fn show(&self, hidden: bool, value: Visited<'a>) -> Shown<'a> {
        let whole = |text| Shown::Text { text, cut: false };
        match value {
            Visited::Text { text, .. } if hidden => whole(match self.scrubber {
                Some(scrubber) => Cow::Owned(scrubber.placeholder(text)),
                None => Cow::Borrowed(text),
            }),
            Visited::Text { text, cut, .. } => Shown::Text {
                text: self.text(text),
                cut,
            },
            Visited::Bool(value) => Shown::Bool(value),
            Visited::I64(n) if !hidden && n.unsigned_abs() < SMALL => Shown::I64(n),
            Visited::U64(n) if !hidden && n < SMALL => Shown::U64(n),
            Visited::I64(n) => self.number(hidden, n).map_or(Shown::I64(n), whole),
            Visited::U64(n) => self.number(hidden, n).map_or(Shown::U64(n), whole),
            Visited::I128(n) => whole(
                self.number(hidden, n)
                    .unwrap_or_else(|| n.to_string().into()),
            ),
            Visited::U128(n) => whole(
                self.number(hidden, n)
                    .unwrap_or_else(|| n.to_string().into()),
            ),
            // Only a whole number can be one that has to be hidden by its look.
            Visited::F64(n)
                if n.is_finite() && !hidden && (n.fract() != 0.0 || n.abs() < SMALL as f64) =>
            {
                Shown::F64(n)
            }
            Visited::F64(n) => match self.number(hidden, n) {
                Some(placeholder) => whole(placeholder),
                None if n.is_finite() => Shown::F64(n),
                None => whole(n.to_string().into()),
            },
        }
    }

    /// Redacted values by the index of their field, of the types they had.
    pub(crate) fn to_values(self) -> Vec<Option<ReplayValue>> {
        let mut all = Vec::new();
        all.resize_with(self.site.fields.len(), || None);
        for (index, value) in Values(self.values) {
            let hidden = self.site.fields.get(index).is_some_and(|f| f.hidden);
            if let Some(slot) = all.get_mut(index) {
                *slot = Some(self.typed(hidden, value));
            }
        }
        all
    }

    fn typed(&self, hidden: bool, value: Visited<'a>) -> ReplayValue {
        let as_it_is = match value {
            Visited::I64(n) => ReplayValue::I64(n),
            Visited::U64(n) => ReplayValue::U64(n),
            Visited::I128(n) => ReplayValue::I128(n),
            Visited::U128(n) => ReplayValue::U128(n),
            Visited::F64(n) => ReplayValue::F64(n),
            Visited::Bool(value) => return ReplayValue::Bool(value),
            Visited::Text { formatted, .. } => {
                let text = match self.show(hidden, value) {
                    Shown::Text { text, cut: false } => text.into_owned(),
                    Shown::Text { text, cut: true } => format!("{text}…"),
                    // A text is shown as one.
                    _ => String::new(),
                };
                return if formatted {
                    ReplayValue::Formatted(tracing::field::display(text))
                } else {
                    ReplayValue::Text(text)
                };
            }
        };
        let hidden = match value {
            Visited::I64(n) => self.number(hidden, n),
            Visited::U64(n) => self.number(hidden, n),
            Visited::I128(n) => self.number(hidden, n),
            Visited::U128(n) => self.number(hidden, n),
            Visited::F64(n) => self.number(hidden, n),
            _ => None,
        };
        hidden.map_or(as_it_is, |text| ReplayValue::Text(text.into_owned()))
    }

    fn number(&self, hidden: bool, value: impl Display) -> Option<Cow<'a, str>> {
        let placeholder = self.scrubber?.number(hidden, &value)?;
        Some(Cow::Owned(placeholder))
    }

    /// As a JSON object.
    pub(crate) fn to_map(self) -> Map<String, Value> {
        let mut map = Map::new();
        self.each(|_, name, shown| {
            let value = match shown {
                Shown::Text { text, cut: false } => Value::String(text.into_owned()),
                Shown::Text { text, cut: true } => Value::String(format!("{text}…")),
                Shown::Bool(value) => Value::Bool(value),
                Shown::I64(n) => n.into(),
                Shown::U64(n) => n.into(),
                Shown::F64(n) => n.into(),
            };
            map.insert(name.to_owned(), value);
        });
        map
    }
}
