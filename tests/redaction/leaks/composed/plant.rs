//! Requests with values where services get them, and with what the service logs of them.

use super::{
    found::telling,
    live::Live,
    saying::{MOST, Place, Saying, Step},
    tagged::Tagged,
    values::{Value, weight},
    ways::{Context, Sort, WAYS, Way},
};
use crate::leaks::{
    case::{Call, Case, Content, End},
    encode::{base64, html, quote, urlencode},
    random::Random,
};

/// Names of members and parameters whose values only the strict policy hides.
const HARMLESS: &[&str] = &["customer", "nick", "street", "who", "company", "place", "x"];

/// Names that hide every value.
const HIDING: &[&str] = &["pin", "otp", "account_number", "password", "client_secret"];

/// Where a value is, and from when the service may log it.
struct Plant {
    value: Value,
    place: &'static str,
    /// Only after all log lines.
    late: bool,
    /// Only in the service's own texts.
    hidden: bool,
    /// In a call that it makes; in the response to it, if this is true.
    call: Option<bool>,
}

struct Planter<'r> {
    random: &'r mut Random,
    case: Case,
    call: Option<Call>,
    plants: Vec<Plant>,
    /// Members of the body, in JSON, and names with values for other formats.
    members: Vec<String>,
    answer: Vec<String>,
    asked: Vec<String>,
    got: Vec<String>,
    query: Vec<String>,
    /// Whether a value must be in the body, which has it in JSON.
    long: bool,
}

/// A case in which the service logs values in composed ways.
pub(crate) fn case(random: &mut Random) -> Case {
    let mut planter = Planter {
        random,
        case: Case::default(),
        call: None,
        plants: Vec::new(),
        members: vec!["\"id\":12".to_owned()],
        answer: Vec::new(),
        asked: Vec::new(),
        got: Vec::new(),
        query: Vec::new(),
        long: false,
    };
    planter.case.method = "POST".to_owned();
    planter.case.uri = "/orders/7/plain".to_owned();
    for _ in 0..2 + planter.random.below(3) {
        planter.plant();
    }
    planter.finish();
    planter.says();
    planter.case
}

fn text_field(name: &str, value: impl Into<Vec<u8>>) -> (String, Vec<u8>, bool) {
    (name.to_owned(), value.into(), false)
}

/// Whether a header may have it unchanged.
fn is_plain(text: &str) -> bool {
    text.chars().all(|c| !c.is_control()) && text.trim() == text
}

impl Planter<'_> {
    fn plant(&mut self) {
        let value = if self.random.one_in(8) {
            Value::number(self.random)
        } else if self.random.one_in(60) && self.case.content.bytes.is_empty() {
            Value::long(self.random)
        } else {
            Value::new(self.random)
        };
        // Digits stay unless a name hides them.
        let number = value.number;
        let text = value.text.as_str();
        let long = text.len() > 3000;
        self.long |= long;
        let heavy = text.chars().map(weight).sum::<usize>() >= 12;
        let written = urlencode(text, false);
        let name = *self.random.of(if number { HIDING } else { HARMLESS });
        let member = if number && self.random.one_in(2) {
            format!("{}:{text}", quote(name))
        } else {
            format!("{}:{}", quote(name), quote(text))
        };
        let no_body = self.case.content.bytes.is_empty() && !self.long;
        let (mut late, mut hidden, mut call) = (false, false, None);
        let place = match if long { 0 } else { self.random.below(30) } {
            5 => {
                let inner = format!("{{{member}}}");
                self.members.push(format!("\"raw\":{}", quote(&inner)));
                "JSON in JSON"
            }
            6 if no_body && !number => {
                self.form(name, text);
                "form"
            }
            7 | 8 if no_body && heavy && !number => self.text(text),
            9 if no_body && !number => {
                let xml = format!("<order><{name}>{}</{name}></order>", html(text));
                self.body("application/xml", xml);
                "XML"
            }
            10 if no_body && value.kind == "file name" => {
                let head =
                    format!("content-disposition: form-data; name=\"f\"; filename=\"{text}\"");
                let part = format!(
                    "--xx\r\n{head}\r\ncontent-type: text/plain\r\n\r\nhello\r\n--xx--\r\n"
                );
                self.body("multipart/form-data; boundary=xx", part);
                "file name"
            }
            11 | 12 => {
                self.query.push(format!("{name}={written}"));
                "query"
            }
            13 if self.case.uri.ends_with("plain") && !number => {
                self.case.uri = format!("/orders/7/{written}");
                "path"
            }
            14 | 15 if is_plain(text) && !number => {
                self.header("x-customer", text);
                "header"
            }
            16 => {
                self.header("cookie", &format!("theme=dark; sid={written}"));
                "cookie"
            }
            17 if value.kind == "token" || value.kind == "hex" => {
                self.header("authorization", &format!("Bearer {text}"));
                "bearer"
            }
            17 if !number => {
                let pair = base64(format!("bob:{text}").as_bytes());
                self.header("authorization", &format!("Basic {pair}"));
                "basic"
            }
            18 | 19 => {
                let fact = if number { "account_number" } else { "customer" };
                let fact = format!("{fact}{}", self.plants.len());
                self.case.plan.facts.push((fact, text.to_owned()));
                "fact"
            }
            20 => {
                hidden = true;
                self.case.plan.hidden.push(text.to_owned());
                "hidden field"
            }
            21 => {
                late = true;
                self.answer.push(member);
                "answer"
            }
            22 if !number => {
                late = true;
                let field = match self.random.below(3) {
                    0 => text_field("location", format!("/reset/{written}")),
                    1 => text_field(
                        "set-cookie",
                        format!("id=1; Path=/customers/{written}; HttpOnly"),
                    ),
                    _ => text_field("set-cookie", format!("session={written}; Path=/")),
                };
                self.case.plan.headers.push(field);
                "header of the answer"
            }
            23..=29 => {
                let (place, answered) = self.planted_in_call(&value, &member, &written, name);
                call = Some(answered);
                place
            }
            _ => {
                self.members.push(member);
                "JSON"
            }
        };
        self.case.plants += 1;
        self.plants.push(Plant {
            value,
            place,
            late,
            hidden,
            call,
        });
    }

    fn planted_in_call(
        &mut self,
        value: &Value,
        member: &str,
        written: &str,
        name: &str,
    ) -> (&'static str, bool) {
        let call = self.call.get_or_insert_with(|| Call {
            uri: "http://stock.example/items".to_owned(),
            ..Call::default()
        });
        let text = value.text.as_str();
        let fresh = call.uri.ends_with("items");
        match self.random.below(9) {
            0 if fresh => {
                call.uri = format!("http://stock.example/items?{name}={written}");
                ("query of a call", false)
            }
            1 if fresh && !value.number => {
                call.uri = format!("http://bob:{written}@stock.example/item");
                ("password of a call's URL", false)
            }
            2 if value.kind == "token" => {
                call.headers
                    .push(text_field("authorization", format!("Bearer {text}")));
                ("bearer of a call", false)
            }
            3 => {
                call.headers
                    .push(text_field("cookie", format!("sid={written}")));
                ("cookie of a call", false)
            }
            4 | 5 => {
                self.asked.push(member.to_owned());
                ("JSON of a call", false)
            }
            6 if !value.number => {
                call.answer_headers
                    .push(text_field("grpc-message", written));
                ("status message of a call", true)
            }
            7 if is_plain(text) && !value.number => {
                call.answer_headers.push(text_field("x-customer", text));
                ("header of a call's answer", true)
            }
            _ => {
                self.got.push(member.to_owned());
                ("JSON of a call's answer", true)
            }
        }
    }

    fn header(&mut self, name: &str, value: &str) {
        self.case.headers.push(text_field(name, value));
    }

    fn body(&mut self, kind: &str, text: String) {
        self.header("content-type", kind);
        self.case.content = content(text);
    }

    fn form(&mut self, name: &str, text: &str) {
        let form = format!("page=1&{name}={}", urlencode(text, true));
        self.body("application/x-www-form-urlencoded", form);
    }

    /// A body that is not parsed.
    fn text(&mut self, text: &str) -> &'static str {
        let (kind, body, place) = match self.random.below(5) {
            0 => (
                "text/csv",
                format!("1;\"{}\";2\r\n", text.replace('"', "\"\"")),
                "CSV",
            ),
            1 => (
                "application/yaml",
                format!("- 1: {}\n", quote(text)),
                "YAML",
            ),
            2 => ("text/html", format!("<p>{}</p>", html(text)), "HTML"),
            3 => ("text/javascript", format!("x({});", quote(text)), "JSONP"),
            _ => ("text/plain", text.to_owned(), "text"),
        };
        self.body(kind, body);
        place
    }

    /// The collected values become bodies.
    fn finish(&mut self) {
        let object = |members: &[String]| format!("{{{}}}", members.join(","));
        if self.case.content.bytes.is_empty() {
            self.body("application/json", object(&self.members));
        } else if self.members.len() > 1 {
            // It has another format already: the values for JSON go into a header.
            let json = object(&self.members[1..]);
            self.query
                .push(format!("filter={}", urlencode(&json, false)));
        }
        if !self.query.is_empty() {
            self.case.uri = format!("{}?page=2&{}", self.case.uri, self.query.join("&"));
        }
        if !self.answer.is_empty() {
            self.case
                .plan
                .headers
                .push(text_field("content-type", "application/json"));
            self.case.plan.content = content(object(&self.answer));
        }
        if let Some(mut call) = self.call.take() {
            let kind = || text_field("content-type", "application/json");
            if !self.asked.is_empty() {
                call.headers.push(kind());
                call.content = content(object(&self.asked));
            }
            if !self.got.is_empty() {
                call.answer_headers.push(kind());
                call.answer = content(object(&self.got));
            }
            self.case.plan.call = Some(call);
        }
    }

    fn says(&mut self) {
        let ends = [
            End::Healthy,
            End::Failed,
            End::Failed,
            End::Panic,
            End::Error,
        ];
        self.case.plan.end = *self.random.of(&ends);
        let answers = self.plants.iter().any(|plant| plant.late);
        if answers && matches!(self.case.plan.end, End::Panic | End::Error) {
            self.case.plan.end = End::Failed;
        }
        for n in 0..MOST {
            let saying = self.saying(n);
            self.case.plan.sayings.extend(saying);
        }
        let sayings = &self.case.plan.sayings;
        let error = sayings
            .iter()
            .find(|saying| saying.place == Place::CallError);
        if let (Some(saying), Some(call)) = (error, &mut self.case.plan.call) {
            call.error = Some(format!(
                "{}{:?}",
                super::saying::opening(saying.n),
                saying.live
            ));
        }
        let server = sayings.iter().find(|saying| saying.place == Place::Server);
        if let Some(saying) = server {
            let field = text_field("server", format!("{:?}", saying.live));
            self.case.plan.headers.push(field);
        }
        for value in self.plants.iter().map(|plant| &plant.value) {
            self.case.plan.telling.extend(telling(&value.text));
        }
    }

    fn place(&mut self, plant: usize) -> Place {
        let plant = &self.plants[plant];
        let failing = matches!(self.case.plan.end, End::Panic | End::Error);
        let taken = |place| self.case.plan.sayings.iter().any(|s| s.place == place);
        // A call that fails has no response.
        let fails =
            self.case.plan.call.is_some() && !self.plants.iter().any(|p| p.call == Some(true));
        loop {
            let place = match self.random.below(16) {
                0 | 1 => Place::DebugField,
                2 | 3 => Place::DebugMessage,
                4..=6 if !plant.late && !plant.hidden => Place::InfoField,
                7..=9 if !plant.late && !plant.hidden => Place::InfoMessage,
                10 => Place::SpanField,
                // Its line may be written before the response comes.
                11 if !plant.late => Place::Decision,
                12 if !plant.late && !plant.hidden => Place::Fact,
                13 => Place::Reason,
                14 if failing && !taken(Place::Failure) => Place::Failure,
                15 if fails && !plant.late && !plant.hidden && !taken(Place::CallError) => {
                    Place::CallError
                }
                15 if !failing && !taken(Place::Server) => Place::Server,
                _ => continue,
            };
            return place;
        }
    }

    fn saying(&mut self, n: usize) -> Option<Saying> {
        let which = self.random.below(self.plants.len());
        let place = self.place(which);
        let other = self.random.below(self.plants.len());
        let other = self.plants[other].value.text.clone();
        let plant = &self.plants[which];
        let value = plant.value.clone();
        let ways = stack(self.random, &value);
        let mut text = Tagged::value(&value.text);
        let mut live = None;
        let mut written = Vec::new();
        for way in ways {
            let mut context = Context {
                random: &mut *self.random,
                value: &value,
                other: if other.len() < 3000 { &other } else { "" },
                live: None,
            };
            let next = (way.write)(&text, &mut context);
            if next.0.len() > 50_000 {
                break;
            }
            live = context.live.take();
            if let Some(live) = &live {
                assert_eq!(format!("{live:?}"), next.text(), "{}", way.name);
            }
            text = next;
            written.push(way);
        }
        let place = match written.last().map(|way| way.sort) {
            Some(Sort::CutByUs) if plant.late => return None,
            Some(Sort::CutByUs) if plant.hidden || self.random.one_in(2) => Place::Reason,
            Some(Sort::CutByUs) => Place::Fact,
            _ => place,
        };
        let plain = text.text();
        if place == Place::Server
            && (plain.len() > 60
                || !plain.bytes().all(|b| (0x20..0x7f).contains(&b))
                || plain.trim() != plain)
        {
            return None;
        }
        let live = live.unwrap_or(Live::Text(plain));
        let step = if plant.call.is_some() {
            Step::AfterCall
        } else {
            Step::Before
        };
        Some(Saying {
            n,
            excuse: excuse(&value, &written),
            kind: value.kind,
            value: value.text,
            planted: plant.place,
            ways: written.iter().map(|way| way.name).collect(),
            place,
            step,
            live,
            text,
        })
    }
}

fn content(text: String) -> Content {
    Content {
        chunk: text.len(),
        bytes: text.into_bytes(),
        ..Content::default()
    }
}

/// Up to three ways, one after the other.
fn stack(random: &mut Random, value: &Value) -> Vec<&'static Way> {
    let most = if value.text.len() > 3000 { 1 } else { 3 };
    let n = (1 + random.below(5).saturating_sub(2)).min(most);
    let mut ways: Vec<&Way> = Vec::new();
    while ways.len() < n {
        let numbers = ways.is_empty() && value.number && !random.one_in(3);
        let way = random.of(WAYS);
        if (way.sort == Sort::Number) == numbers {
            ways.push(way);
        }
    }
    // Ways after which no signs are left, and ways with a limit that cuts.
    ways.sort_by_key(|way| match way.sort {
        Sort::Number => 0,
        Sort::Styling => 1,
        Sort::CutByUs => 3,
        _ => 2,
    });
    // One limit is enough.
    ways.dedup_by_key(|way| way.name);
    ways
}

/// Returns why a value that was said in these ways cannot be found. The reason is on the list of
/// the threat model.
fn excuse(value: &Value, ways: &[&Way]) -> Option<&'static str> {
    let encodings: usize = ways
        .iter()
        .map(|way| match way.sort {
            Sort::Encoding(n) | Sort::Base64(n) => n,
            _ => 0,
        })
        .sum();
    if encodings > 3 {
        return Some("more than three encodings");
    }
    let base64 = ways
        .iter()
        .position(|way| matches!(way.sort, Sort::Base64(_)));
    let case = ways.iter().rposition(|way| way.sort == Sort::Case);
    if base64.is_some() && case > base64 {
        return Some("letter case changed after base64");
    }
    let symbols = value.text.chars().filter(|c| c.is_alphanumeric()).count();
    // Without blanks, the words around it are one word with it.
    let glued = ways.iter().any(|way| way.sort == Sort::Glue)
        || ways.len() > 1 && ways.iter().any(|way| way.name == "blanks removed");
    if symbols < 6 && glued {
        return Some("inside a word, below six symbols");
    }
    let styled = ways.iter().any(|way| way.sort == Sort::Styling);
    let pointed = ["number, exponent", "number, float", "number, decimals"];
    if styled && ways.iter().any(|way| pointed.contains(&way.name)) {
        return Some("the point of a number changed");
    }
    // These texts are parsed, so there are signs that they cannot have.
    let parsed = ways
        .iter()
        .rposition(|way| matches!(way.name, "regex" | "toml"));
    let escaped = ways.iter().position(|way| {
        matches!(way.sort, Sort::Escaping | Sort::Debug) || way.name.starts_with("list")
    });
    if escaped.is_some() && escaped < parsed {
        return Some("the signs of an escape or a list taken away");
    }
    None
}
