use super::{
    batch::{Line, Request, TraceHead},
    fit::fit,
    format::LineFormat,
    json,
    places::{self, Place, Places},
};
use crate::{
    context::OwnLine,
    recorder::{Values, Visited},
    redact::{Policy, Probes, Recent, Redactor, Scrubber},
    render::{Fields, Shares, Shown, know, know_asked, size, time_text},
};
use std::{
    borrow::Cow,
    iter,
    sync::Arc,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

/// The most bytes of a request that are read for a line while others wait.
const LITTLE: usize = 16 * 1024;

/// The most bytes that a line needs for its end.
const END: usize = r#","cut":4294967295}"#.len() + 1;

/// The cost of reading a request that has next to nothing.
const NOTHING: Duration = Duration::from_micros(50);

/// Formats lines.
pub(super) struct Renderer {
    policy: Policy,
    recent: Recent,
    /// Detectors only, for lines that contain no value of their request.
    plain: Arc<Scrubber>,
    asked: Asked,
    shares: Shares,
    places: Places,
    trace: TraceNames,
    /// For lines without their request, because waiting lines hold too much.
    blind: Arc<Scrubber>,
    clock: Clock,
}

impl Renderer {
    pub(super) fn new(policy: Policy) -> Self {
        Self {
            plain: Arc::new(Redactor::new(&policy).into_scrubber()),
            asked: Asked::default(),
            shares: Shares::default(),
            blind: Arc::new(Scrubber::hiding_all(policy.clone())),
            policy,
            recent: Recent::default(),
            places: Places::new(),
            trace: TraceNames::default(),
            clock: Clock::default(),
        }
    }

    /// The scrubber for a line.
    fn scrubber(&mut self, line: &Line<'_>, format: &LineFormat) -> Arc<Scrubber> {
        if let Request::Replayed(scrubber) = &line.head.request {
            return Arc::clone(scrubber);
        }
        let Self {
            policy,
            recent,
            plain,
            blind,
            asked,
            shares,
            places,
            ..
        } = self;
        // A guessable value has a hash for its request, or else for its line.
        for scrubber in [&mut *plain, &mut *blind] {
            if let Some(scrubber) = Arc::get_mut(scrubber) {
                scrubber.renew();
            }
        }
        if matches!(line.head.request, Request::TooMuch) {
            return Arc::clone(blind);
        }
        asked.clear();
        let event = (line.head.metadata, line.values);
        let spans = line.spans.iter().map(|span| {
            let values = line.bytes.get(span.start..span.end);
            (span.metadata, values.unwrap_or_default())
        });
        let of_request = line.head.request.context().is_some();
        for (metadata, values) in iter::once(event).chain(spans) {
            let place = places.of(metadata, format, plain);
            if of_request || place.hides {
                asked.add(place, values);
            }
        }
        let mut scrubber = Arc::clone(plain);
        if !asked.anything {
            return scrubber;
        }
        if let Some(context) = line.head.request.context() {
            let client = { context.shared().captured.heads().client };
            let waited = line.head.at.elapsed().unwrap_or_default();
            let began = Instant::now();
            let known = if !shares.may_have(client, waited) && size(context) > LITTLE {
                Some(Arc::clone(blind))
            } else if asked.unclear {
                Some(know(policy, recent, context))
            } else {
                know_asked(policy, recent, context, &asked.probes)
            };
            let spent = began.elapsed();
            if known.is_some() || spent > NOTHING {
                shares.spend(client, spent);
            }
            if let Some(known) = known {
                scrubber = known;
            }
            // Later lines may contain it, too.
            let mut known = context.shared().hiding.known();
            asked.told.iter().for_each(|told| known.tell(told));
        }
        if !asked.told.is_empty() {
            let decisions = std::mem::take(&mut recent.decisions);
            let mut redactor = Redactor::only_to_remember(policy, decisions);
            asked.told.iter().for_each(|told| redactor.remember(told));
            recent.decisions = redactor.take_decisions();
            scrubber = Arc::new(scrubber.with(redactor.into_hidden()));
        }
        scrubber
    }

    /// Writes a line of at most `max` bytes. Returns whether texts of it had to be hidden
    /// as a whole. `flat` puts the event's fields at the top of the line.
    pub(super) fn line(
        &mut self,
        line: &Line<'_>,
        (format, flat): (&LineFormat, bool),
        max: usize,
        out: &mut Vec<u8>,
    ) -> bool {
        if let Some(own) = line.own {
            self.own(line, own, (format, flat), max, out);
            return false;
        }
        let begin = out.len();
        let scrubber = &*self.scrubber(line, format);
        let Self {
            plain,
            places,
            trace,
            clock,
            ..
        } = self;
        let given_up = scrubber.given_up();
        let replayed = matches!(line.head.request, Request::Replayed(_));
        let place = places.of(line.head.metadata, format, plain);
        let event = Fields {
            site: &place.site,
            values: line.values,
            scrubber: (!place.own && !replayed).then_some(scrubber),
            once: place.own,
        };
        clock.open(line.head.at, format.time, out);
        out.extend_from_slice(&place.head);
        if place.logged {
            places::member(out, format.target, event.logged_target().unwrap_or("log"));
        }
        let encoded = event.leading_message().filter(|_| !replayed);
        match encoded.and_then(|encoded| place.last.text(scrubber.hiding(), encoded)) {
            Some(text) => out.extend_from_slice(text),
            None => {
                let start = out.len();
                message(out, &event, &place.source);
                let text = out.get(start..).unwrap_or_default();
                if let Some(encoded) = encoded
                    && scrubber.given_up() == given_up
                {
                    place.last.remember(scrubber.hiding(), encoded, text);
                }
            }
        }
        if !line.id.is_empty() {
            out.extend_from_slice(b",\"correlation_id\":");
            json::utf8(out, line.id);
        }
        if let Some(head) = &line.head.trace {
            trace.write(head, format, out);
        }
        if replayed {
            out.extend_from_slice(b",\"replayed\":true");
        }
        let names = &place.names;
        let reserved = |index| names.get(index).is_some_and(|(_, reserved)| *reserved);
        if flat {
            event.each(
                |index| !reserved(index),
                |index, _, value| {
                    out.push(b',');
                    member(out, place, index, &value);
                },
            );
        }
        if !flat || place.reserved {
            fields(out, place, &event, |index| !flat || reserved(index));
        }
        for (n, head) in line.spans.iter().rev().enumerate() {
            out.extend_from_slice(if n == 0 { b",\"spans\":[" } else { b"," });
            let values = line.bytes.get(head.start..head.end).unwrap_or_default();
            span(
                out,
                places.of(head.metadata, format, plain),
                values,
                scrubber,
            );
        }
        if !line.spans.is_empty() {
            out.push(b']');
        }
        if let Some(context) = line.head.request.context() {
            context.shared().hiding.known().searched(scrubber);
        }
        let withheld = scrubber.given_up() > given_up;
        if withheld {
            out.extend_from_slice(b",\"withheld\":\"limits\"");
        }
        close(begin, line.head.cut, format, max, out);
        withheld
    }

    /// Writes the line of a request, field by field as its event has them.
    fn own(
        &mut self,
        line: &Line<'_>,
        own: &OwnLine,
        (format, flat): (&LineFormat, bool),
        max: usize,
        out: &mut Vec<u8>,
    ) {
        let begin = out.len();
        let Self {
            plain,
            places,
            trace,
            clock,
            ..
        } = self;
        let place = places.of(line.head.metadata, format, plain);
        clock.open(line.head.at, format.time, out);
        out.extend_from_slice(&place.head);
        out.extend_from_slice(b",\"message\":\"request\",\"correlation_id\":");
        json::utf8(out, line.id);
        if let Some(head) = &line.head.trace {
            trace.write(head, format, out);
        }
        out.extend_from_slice(if flat { b"," } else { b",\"fields\":{" });
        // In the order of the event's fields, of which the message is the first.
        let field = |out: &mut Vec<u8>, index: usize| {
            if index > 1 {
                out.push(b',');
            }
            if let Some((name, _)) = place.names.get(index) {
                out.extend_from_slice(name);
            }
        };
        field(out, 1);
        plain_text(out, own.method);
        if !line.values.is_empty() {
            field(out, 2);
            json::utf8(out, line.values);
        }
        if let Some(status) = own.status {
            field(out, 3);
            number(out, status);
        }
        field(out, 4);
        plain_text(out, own.outcome);
        field(out, 5);
        out.extend_from_slice(zmij::Buffer::new().format(own.duration_ms).as_bytes());
        field(out, 6);
        number(out, own.request_bytes);
        field(out, 7);
        number(out, own.response_bytes);
        field(out, 8);
        out.extend_from_slice(truth(own.kept));
        if let Some(not_kept) = own.not_kept {
            field(out, 9);
            plain_text(out, not_kept);
        }
        if !flat {
            out.push(b'}');
        }
        close(begin, 0, format, max, out);
    }

    /// Writes a line about lost lines.
    pub(super) fn loss(
        &mut self,
        lines: u64,
        (format, flat): (&LineFormat, bool),
        out: &mut Vec<u8>,
    ) {
        self.clock.open(SystemTime::now(), format.time, out);
        if let Some((name, value)) = format.constant {
            places::member(out, name, value);
        }
        places::member(out, format.level, format.level_text(tracing::Level::WARN));
        places::member(out, format.target, "dashcam::log");
        let message = "log lines were dropped: the output is too slow";
        places::member(out, "message", message);
        let (before, after): (&[u8], &[u8]) = if flat {
            (b",\"dropped\":", b"}\n")
        } else {
            (b",\"fields\":{\"dropped\":", b"}}\n")
        };
        out.extend_from_slice(before);
        out.extend_from_slice(itoa::Buffer::new().format(lines).as_bytes());
        out.extend_from_slice(after);
    }
}

/// The texts of a line that its request may hide.
#[derive(Default)]
struct Asked {
    probes: Probes,
    /// The values of fields that are hidden by their names. Other texts of the line may
    /// contain them.
    told: Vec<String>,
    /// Whether any part came at run time.
    anything: bool,
    /// Whether the probes are incomplete.
    unclear: bool,
    runtime: Vec<std::ops::Range<usize>>,
}

impl Asked {
    fn clear(&mut self) {
        self.probes.clear();
        self.told.clear();
        (self.anything, self.unclear) = (false, false);
    }

    fn add(&mut self, place: &Place, values: &[u8]) {
        if place.own {
            return;
        }
        for (index, value) in Values(values) {
            let hidden = place.site.fields.get(index).is_some_and(|f| f.hidden);
            self.anything |= match value {
                Visited::Bool(_) => false,
                Visited::Text { text, .. } => text.runtime().next().is_some(),
                _ => true,
            };
            match value {
                _ if hidden => self.told.extend(text_of(value)),
                Visited::Text { text, .. } => {
                    self.runtime.clear();
                    self.runtime.extend(text.runtime());
                    if !self.runtime.is_empty() {
                        self.unclear |= !self.probes.fill(text.as_str(), &self.runtime);
                    }
                }
                Visited::I64(n) => self.probes.number(n.into()),
                Visited::U64(n) => self.probes.number(n.into()),
                Visited::I128(n) => self.probes.number(n.into()),
                Visited::U128(n) => self.probes.number(n.into()),
                Visited::F64(n) => self.probes.number(n.into()),
                Visited::Bool(_) => {}
            }
        }
    }
}

/// The value as a text, if it can be one that is hidden.
fn text_of(value: Visited<'_>) -> Option<String> {
    Some(match value {
        Visited::Text { text, .. } => text.as_str().to_owned(),
        Visited::I64(n) => n.to_string(),
        Visited::U64(n) => n.to_string(),
        Visited::I128(n) => n.to_string(),
        Visited::U128(n) => n.to_string(),
        Visited::F64(n) => n.to_string(),
        Visited::Bool(_) => return None,
    })
}

/// The constant parts of the members of the trace.
#[derive(Debug, Default)]
struct TraceNames {
    /// `,"trace_id":"`, with the prefix.
    trace_id: Vec<u8>,
    /// `","span_id":"`
    span_id: Vec<u8>,
    /// `,"…":`, if the format has it.
    sampled: Vec<u8>,
}

impl TraceNames {
    fn make(&mut self, format: &LineFormat) {
        places::member(&mut self.trace_id, format.trace_id, &format.trace_prefix);
        self.trace_id.pop();
        self.span_id.push(b'"');
        places::member(&mut self.span_id, format.span_id, "");
        self.span_id.pop();
        if let Some(name) = format.sampled {
            self.sampled.push(b',');
            json::string(&mut self.sampled, name);
            self.sampled.push(b':');
        }
    }

    fn write(&mut self, head: &TraceHead, format: &LineFormat, out: &mut Vec<u8>) {
        if self.trace_id.is_empty() {
            self.make(format);
        }
        // Digits need no escape.
        out.extend_from_slice(&self.trace_id);
        out.extend_from_slice(&head.trace_id.to_hex());
        out.extend_from_slice(&self.span_id);
        if format.decimal_span_id {
            let id = u64::from_be_bytes(head.span_id.to_bytes());
            out.extend_from_slice(itoa::Buffer::new().format(id).as_bytes());
        } else {
            out.extend_from_slice(&head.span_id.to_hex());
        }
        out.push(b'"');
        if !self.sampled.is_empty() {
            out.extend_from_slice(&self.sampled);
            out.extend_from_slice(truth(head.sampled));
        }
    }
}

fn message(out: &mut Vec<u8>, event: &Fields<'_>, source: &[u8]) {
    let Some(message) = event.message() else {
        return;
    };
    out.extend_from_slice(b",\"message\":");
    json::string(out, &message);
    // A message that lost words has its place in the source code.
    if matches!(message, Cow::Owned(_)) {
        out.extend_from_slice(source);
    }
}

/// Writes a span. It copies the last span of the callsite if that was the same.
fn span(out: &mut Vec<u8>, place: &mut Place, values: &[u8], scrubber: &Scrubber) {
    if let Some(text) = place.last.text(scrubber.hiding(), values) {
        out.extend_from_slice(text);
        return;
    }
    let (start, given_up) = (out.len(), scrubber.given_up());
    out.extend_from_slice(&place.span);
    let recorded = Fields {
        site: &place.site,
        values,
        scrubber: Some(scrubber),
        once: false,
    };
    fields(out, place, &recorded, |_| true);
    out.push(b'}');
    if scrubber.given_up() == given_up {
        let text = out.get(start..).unwrap_or_default();
        place.last.remember(scrubber.hiding(), values, text);
    }
}

/// Writes the wanted fields, if there are any, as a member of the object around them.
fn fields(out: &mut Vec<u8>, place: &Place, fields: &Fields<'_>, wanted: impl Fn(usize) -> bool) {
    let mut any = false;
    fields.each(wanted, |index, _, value| {
        if std::mem::replace(&mut any, true) {
            out.push(b',');
        } else {
            out.extend_from_slice(b",\"fields\":{");
        }
        member(out, place, index, &value);
    });
    if any {
        out.push(b'}');
    }
}

#[inline]
fn member(out: &mut Vec<u8>, place: &Place, index: usize, value: &Shown<'_>) {
    // Each field of the callsite has its name there.
    if let Some((name, _)) = place.names.get(index) {
        out.extend_from_slice(name);
    }
    match value {
        Shown::Text { text, cut: false } => json::string(out, text),
        Shown::Text { text, cut: true } => json::display(out, format_args!("{text}…")),
        Shown::Plain(text) => json::utf8(out, text.as_bytes()),
        Shown::Bool(value) => out.extend_from_slice(truth(*value)),
        Shown::I64(n) => number(out, *n),
        Shown::U64(n) => number(out, *n),
        Shown::F64(n) => out.extend_from_slice(zmij::Buffer::new().format(*n).as_bytes()),
    }
}

/// Writes a text of ours that needs no escape.
fn plain_text(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    out.extend_from_slice(text.as_bytes());
    out.push(b'"');
}

fn number(out: &mut Vec<u8>, n: impl itoa::Integer) {
    out.extend_from_slice(itoa::Buffer::new().format(n).as_bytes());
}

fn truth(value: bool) -> &'static [u8] {
    if value { b"true" } else { b"false" }
}

/// Ends the line that begins at `begin`: makes it fit, and adds how much was cut.
#[inline]
fn close(begin: usize, mut cut: u32, format: &LineFormat, max: usize, out: &mut Vec<u8>) {
    if out.len() - begin + END > max {
        let mut text = out.split_off(begin);
        cut = cut.saturating_add(fit(&mut text, max - END, format));
        out.append(&mut text);
    }
    if cut > 0 {
        out.extend_from_slice(b",\"cut\":");
        number(out, cut);
    }
    out.extend_from_slice(b"}\n");
}

/// Writes the beginning of lines with their time. It formats the text up to the second once
/// a second.
#[derive(Debug, Default)]
struct Clock {
    second: u64,
    /// Whether six digits have to be filled in: not if the time has no text.
    dated: bool,
    text: Vec<u8>,
}

impl Clock {
    fn open(&mut self, at: SystemTime, name: &str, out: &mut Vec<u8>) {
        let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
        if self.text.is_empty() || since.as_secs() != self.second {
            self.second = since.as_secs();
            self.text.clear();
            self.text.push(b'{');
            json::string(&mut self.text, name);
            self.text.push(b':');
            let whole = UNIX_EPOCH + Duration::from_secs(self.second);
            // The form is `2026-11-23T09:12:03.000000Z`.
            let time = time_text(whole);
            self.dated = time.ends_with(".000000Z");
            json::string(&mut self.text, &time);
        }
        if self.dated {
            let mut rest = since.subsec_micros();
            // The six digits before `Z` and the quote.
            for digit in self.text.iter_mut().rev().skip(2).take(6) {
                // It is one digit, so that the cast loses nothing.
                *digit = b'0' + (rest % 10) as u8;
                rest /= 10;
            }
        }
        out.extend_from_slice(&self.text);
    }
}
