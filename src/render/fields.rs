use crate::{
    gate::ReplayValue,
    recorder::{FieldNames, Text, Values, Visited, plain_name},
    redact::{Policy, Scrubber},
};
use serde_json::{Map, Value};
use std::{borrow::Cow, fmt::Display, ptr, sync::Arc};
use tracing::Metadata;

/// Smaller numbers have too few digits to be card numbers.
const SMALL: u64 = 1_000_000_000_000;

/// The constant properties of a callsite's fields.
#[derive(Debug)]
pub(crate) struct Site {
    pub(crate) metadata: &'static Metadata<'static>,
    pub(crate) fields: Vec<SiteField>,
    message: Option<usize>,
    /// Whether the callsite is for records of the `log` crate, which have their origin as
    /// fields.
    pub(crate) logged: bool,
}

#[derive(Debug)]
pub(crate) struct SiteField {
    /// No other field of the callsite has this name.
    pub(crate) name: Cow<'static, str>,
    /// Whether the policy hides values of this name.
    pub(crate) hidden: bool,
}

impl Site {
    pub(crate) fn new(metadata: &'static Metadata<'static>, policy: &Policy) -> Self {
        let names = FieldNames::of(metadata);
        let fields = names.names.into_iter().zip(metadata.fields().iter());
        Self {
            metadata,
            message: names.message,
            logged: names.logged,
            fields: fields
                .map(|(name, field)| SiteField {
                    // A field that was renamed to be unique is hidden like the name it had.
                    hidden: policy.hides_field(plain_name(field.name())),
                    name,
                })
                .collect(),
        }
    }
}

/// The callsites used lately, by the address of their metadata.
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
        policy: &Policy,
    ) -> Arc<Site> {
        let at = (ptr::from_ref(metadata).addr() >> 4) % Self::SLOTS;
        let slot = self.0.get_mut(at);
        if let Some(Some(site)) = &slot
            && ptr::eq(site.metadata, metadata)
        {
            return Arc::clone(site);
        }
        let site = Arc::new(Site::new(metadata, policy));
        if let Some(slot) = slot {
            *slot = Some(Arc::clone(&site));
        }
        site
    }
}

/// Encoded fields, redacted as they are read.
///
/// If a field was recorded twice, the later value is shown. Integers beyond 64 bits, and
/// numbers that JSON does not have, are texts.
#[derive(Clone, Copy)]
pub(crate) struct Fields<'a> {
    pub(crate) site: &'a Site,
    pub(crate) values: &'a [u8],
    /// `None` only for dashcam's own lines, which hold no free text.
    pub(crate) scrubber: Option<&'a Scrubber>,
    /// Whether it is known that no field occurs twice.
    pub(crate) once: bool,
}

impl<'a> Fields<'a> {
    /// The message.
    pub(crate) fn message(&self) -> Option<Cow<'a, str>> {
        let mut values = Values(self.values);
        let (_, message) = values.find(|(index, _)| self.is_message(*index))?;
        Some(match self.show(false, message) {
            Shown::Text { text, cut: false } => text,
            Shown::Text { text, cut: true } => text + "…",
            Shown::Plain(text) => text.as_str().into(),
            Shown::Bool(value) => value.to_string().into(),
            Shown::I64(n) => n.to_string().into(),
            Shown::U64(n) => n.to_string().into(),
            Shown::F64(n) => n.to_string().into(),
        })
    }

    /// The encoding of the message, if it is the first field and the only message.
    pub(crate) fn leading_message(&self) -> Option<&'a [u8]> {
        let values = Values(self.values);
        let leads = values.peek() == self.site.message;
        (leads && !self.values.is_empty()).then(|| values.encoded())
    }

    fn is_message(&self, index: usize) -> bool {
        self.site.message == Some(index)
    }

    /// The target of a record of the `log` crate, which has it as a field.
    pub(crate) fn logged_target(&self) -> Option<&'a str> {
        if !self.site.logged {
            return None;
        }
        raw(self.site.metadata, self.values).find_map(|(name, value)| match value {
            Visited::Text { text, .. } if name == "log.target" => Some(text.as_str()),
            _ => None,
        })
    }
}

/// Names and values as recorded, to search them for secrets.
pub(crate) fn raw<'a>(
    metadata: &'static Metadata<'static>,
    values: &'a [u8],
) -> impl Iterator<Item = (&'static str, Visited<'a>)> {
    Values(values).map(move |(index, value)| {
        let mut fields = metadata.fields().iter();
        (fields.nth(index).map_or("?", |field| field.name()), value)
    })
}

/// Redacts a text.
fn said<'t>(scrubber: &Scrubber, text: Text<'t>, cut: bool) -> Cow<'t, str> {
    // Most lines have none of the values that their request hides.
    let runtime: Vec<_> = if scrubber.knows_nothing() && !cut {
        Vec::new()
    } else {
        text.runtime().collect()
    };
    if cut {
        scrubber.cut(text.as_str(), &runtime)
    } else {
        scrubber.said(text.as_str(), &runtime)
    }
}

/// The placeholder of a number that is hidden elsewhere.
fn known(scrubber: &Scrubber, value: Visited<'_>) -> Option<String> {
    match value {
        Visited::I64(n) => scrubber.known_number(n),
        Visited::U64(n) => scrubber.known_number(n),
        Visited::I128(n) => scrubber.known_number(n),
        Visited::U128(n) => scrubber.known_number(n),
        Visited::F64(n) => scrubber.known_number(n),
        Visited::Bool(_) | Visited::Text { .. } => None,
    }
}

/// One field, ready to be written.
pub(crate) enum Shown<'a> {
    Text {
        text: Cow<'a, str>,
        cut: bool,
    },
    /// A text of dashcam's own, unchanged.
    Plain(Text<'a>),
    Bool(bool),
    I64(i64),
    U64(u64),
    /// Always finite.
    F64(f64),
}

impl<'a> Shown<'a> {
    /// The value as JSON. A number that JSON does not have is a text.
    #[inline]
    fn plain(value: Visited<'a>) -> Self {
        let whole = |text: String| Self::Text {
            text: text.into(),
            cut: false,
        };
        match value {
            Visited::Text {
                text, cut: false, ..
            } => Self::Plain(text),
            Visited::Text {
                text, cut: true, ..
            } => Self::Text {
                text: text.as_str().into(),
                cut: true,
            },
            Visited::Bool(value) => Self::Bool(value),
            Visited::I64(n) => Self::I64(n),
            Visited::U64(n) => Self::U64(n),
            Visited::I128(n) => whole(n.to_string()),
            Visited::U128(n) => whole(n.to_string()),
            Visited::F64(n) if n.is_finite() => Self::F64(n),
            Visited::F64(n) => whole(n.to_string()),
        }
    }
}

impl<'a> Fields<'a> {
    /// Calls `f` with the index, the name and the redacted value of each wanted field
    /// except the message, in order.
    pub(crate) fn each(
        &self,
        wanted: impl Fn(usize) -> bool,
        mut f: impl FnMut(usize, &'a str, Shown<'a>),
    ) {
        let once = self.once || self.each_once();
        let mut values = Values(self.values);
        while let Some(index) = values.peek() {
            if self.is_message(index) || !wanted(index) {
                values.pass();
                continue;
            }
            let Some((_, value)) = values.next() else {
                return;
            };
            let again = |(later, _)| later == index;
            if !once && values.clone().any(again) {
                continue;
            }
            if let Some(field) = self.site.fields.get(index) {
                f(index, &field.name, self.show(field.hidden, value));
            }
        }
    }

    /// Whether no field occurs twice. Fields are almost always in their order.
    fn each_once(&self) -> bool {
        let mut rest = Values(self.values);
        let mut least = 0;
        while let Some(index) = rest.pass() {
            if index < least {
                return false;
            }
            least = index + 1;
        }
        true
    }

    #[inline]
    fn show(&self, hidden: bool, value: Visited<'a>) -> Shown<'a> {
        match self.scrubber {
            Some(scrubber) => self.redacted(scrubber, hidden, value),
            None => Shown::plain(value),
        }
    }

    #[inline(never)] // lines of our own have no use of it
    fn redacted(&self, scrubber: &Scrubber, hidden: bool, value: Visited<'a>) -> Shown<'a> {
        let whole = |text| Shown::Text { text, cut: false };
        let stays = |n: u64| n < SMALL || Scrubber::integer_stays(n);
        if !hidden && let Some(placeholder) = known(scrubber, value) {
            return whole(placeholder.into());
        }
        match value {
            Visited::Text { text, .. } if hidden => {
                whole(scrubber.placeholder(text.as_str()).into())
            }
            Visited::Text { text, cut, .. } => Shown::Text {
                text: said(scrubber, text, cut),
                cut,
            },
            Visited::Bool(value) => Shown::Bool(value),
            Visited::I64(n) if !hidden && stays(n.unsigned_abs()) => Shown::I64(n),
            Visited::U64(n) if !hidden && stays(n) => Shown::U64(n),
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
            // Only a whole number can look like one that has to be hidden.
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

    /// Redacted values by the index of their field, of the types that they had.
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
                    Shown::Plain(text) => text.as_str().to_owned(),
                    // A text is shown as a text.
                    _ => String::new(),
                };
                return if formatted {
                    ReplayValue::Formatted(tracing::field::display(text))
                } else {
                    ReplayValue::Text(text)
                };
            }
        };
        let known = self.scrubber.and_then(|scrubber| known(scrubber, value));
        let hidden = match value {
            _ if !hidden && known.is_some() => known.map(Cow::Owned),
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

    /// The fields as a JSON object.
    pub(crate) fn to_map(self) -> Map<String, Value> {
        let mut map = Map::new();
        self.each(
            |_| true,
            |_, name, shown| {
                let value = match shown {
                    Shown::Text { text, cut: false } => Value::String(text.into_owned()),
                    Shown::Text { text, cut: true } => Value::String(format!("{text}…")),
                    Shown::Plain(text) => Value::String(text.as_str().to_owned()),
                    Shown::Bool(value) => Value::Bool(value),
                    Shown::I64(n) => n.into(),
                    Shown::U64(n) => n.into(),
                    Shown::F64(n) => n.into(),
                };
                map.insert(name.to_owned(), value);
            },
        );
        map
    }
}
