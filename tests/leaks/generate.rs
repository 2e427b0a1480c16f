//! Requests and responses with secrets in them.

use crate::{
    random::Random,
    service::{BODY, Plan},
};
use std::io::Write;

/// At both ends of every secret that has letters.
pub(crate) const MARK: &str = "zqvx";
/// How every number that a name hides starts.
pub(crate) const NUMBER: &str = "90417352";
/// How every card number starts.
pub(crate) const CARD: &str = "4539581";

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) enum End {
    #[default]
    Healthy,
    Failed,
    Panic,
    BodyError,
    /// The service returns an error.
    Error,
}

type Fields = Vec<(String, Vec<u8>, bool)>;

#[derive(Debug, Default)]
pub(crate) struct Case {
    pub(crate) method: String,
    pub(crate) uri: String,
    pub(crate) headers: Fields,
    pub(crate) body: Vec<u8>,
    pub(crate) chunk: usize,
    pub(crate) trailers: Fields,
    pub(crate) plan: Plan,
    pub(crate) end: End,
    pub(crate) plants: usize,
    kinds: Vec<&'static str>,
}

impl Case {
    pub(crate) fn new(random: &mut Random, lax: bool) -> Self {
        let mut make = Make {
            random,
            lax,
            late: false,
            quiet: false,
            case: Self::default(),
        };
        make.all();
        make.case
    }

    pub(crate) fn describe(&self) -> String {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let fields = |fields: &Fields| {
            let all = fields.iter().map(|(n, v, _)| format!("{n}: {}", text(v)));
            all.collect::<Vec<_>>().join(" | ")
        };
        format!(
            "{:?} {:?}\n    {} {} | {}\n    {}\n    trailers {}\n    answers {} | {} | {}\n    says {:?} {:?}",
            self.kinds,
            self.end,
            self.method,
            self.uri,
            fields(&self.headers),
            text(&self.body),
            fields(&self.trailers),
            fields(&self.plan.headers),
            text(&self.plan.body),
            fields(&self.plan.trailers),
            self.plan.says,
            self.plan.says_in_debug,
        )
    }
}

/// Names that hide what they name, in words.
#[rustfmt::skip]
const HIDING: &[&str] = &[
    "password", "new password", "api key", "access token", "refresh token", "client secret",
    "session id", "pin", "otp", "ssn", "card number", "cvv", "iban", "authorization", "private key",
    "id token", "csrf token", "security code", "passphrase", "user credentials", "code verifier",
];

/// Names that hide nothing by themselves.
#[rustfmt::skip]
const HARMLESS: &[&str] = &[
    "name", "first name", "city", "customer note", "comment", "title", "q", "search", "street",
    "birthday", "description", "x", "text", "value", "data", "nick", "phone", "to", "subject",
];

/// Headers whose values do not stay, but for policies by name.
#[rustfmt::skip]
const HEADERS: &[&str] = &[
    "x-customer", "x-forwarded-for", "x-real-ip", "from", "x-user", "x-tenant", "forwarded",
    "x-original-url", "x-note", "if-range", "warning", "link", "x-account", "x-device", "alt-svc",
    "content-disposition", "x-amz-meta-name", "cf-connecting-ip", "true-client-ip", "prefer",
    "digest", "content-location-x", "x-correlation-note", "grpc-message", "last-event-id", "baggage",
];

/// Headers whose values stay, apart from what a detector finds.
const KEPT: &[&str] = &[
    "user-agent",
    "accept",
    "accept-language",
    "via",
    "etag",
    "server",
    "host",
];

/// Headers with a name that hides.
#[rustfmt::skip]
const SECRET_HEADERS: &[&str] = &[
    "x-api-key", "x-auth-token", "x-csrf-token", "proxy-authorization", "x-amz-security-token",
    "apikey", "x-session-id", "x-signature", "x-goog-iap-jwt-assertion", "x-vault-token",
    "private-token", "x-access-token", "x-hub-signature", "www-authenticate", "x-otp",
];

struct Make<'r> {
    random: &'r mut Random,
    lax: bool,
    /// Whether what is planted is in the response.
    late: bool,
    /// Whether the service says nothing of it: what was not captured or not
    /// decoded cannot be recognised.
    quiet: bool,
    case: Case,
}

fn urlencode(text: &str, plus: bool) -> String {
    text.bytes().fold(String::new(), |mut out, b| {
        match b {
            b' ' if plus => out.push('+'),
            b if b.is_ascii_alphanumeric() || b"-._~".contains(&b) => out.push(char::from(b)),
            b => out.push_str(&format!("%{b:02X}")),
        }
        out
    })
}

pub(crate) fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for chunk in bytes.chunks(3) {
        let n = chunk.iter().fold(0_u32, |n, b| n << 8 | u32::from(*b)) << (8 * (3 - chunk.len()));
        for digit in 0..4 {
            let c = DIGITS[(n >> (18 - 6 * digit)) as usize & 63] as char;
            out.push(if digit <= chunk.len() { c } else { '=' });
        }
    }
    out
}

fn quote(text: &str) -> String {
    serde_json::to_string(text).unwrap()
}

impl Make<'_> {
    fn all(&mut self) {
        self.case.method = (*self.random.of(&["GET", "POST", "PUT", "PATCH", "DELETE"])).to_owned();
        self.case.chunk = 1 + self.random.below(200);
        let ends = [
            End::Healthy,
            End::Failed,
            End::Panic,
            End::BodyError,
            End::Error,
        ];
        self.case.end = *self.random.of(&ends);
        self.case.plan.end = self.case.end;
        self.uri();
        for _ in 0..2 + self.random.below(4) {
            let field = self.header(false);
            self.case.headers.extend(field);
        }
        if self.random.one_in(3) {
            self.kind("trailers");
            let field = self.header(true);
            self.case.trailers.extend(field);
        }
        let (kind, coding, body) = self.body();
        self.case.body = body;
        self.typed(false, kind, coding);

        if matches!(self.case.end, End::Panic | End::Error) {
            // There will be no response.
            return;
        }
        self.late = true;
        if self.random.one_in(2) {
            let field = self.header(false);
            self.case.plan.headers.extend(field);
        }
        if self.random.one_in(3) {
            self.set_cookie();
        }
        if self.random.one_in(4) {
            self.kind("response trailers");
            // They do not come after an error.
            self.quiet = self.case.end == End::BodyError;
            let field = self.header(true);
            self.quiet = false;
            self.case.plan.trailers.extend(field);
        }
        if self.random.one_in(2) {
            self.kind("response body:");
            let (kind, coding, body) = self.body();
            self.case.plan.body = body;
            self.typed(true, kind, coding);
        }
    }

    fn typed(&mut self, response: bool, kind: String, coding: Option<&'static str>) {
        let headers = if response {
            &mut self.case.plan.headers
        } else {
            &mut self.case.headers
        };
        headers.push(("content-type".to_owned(), kind.into_bytes(), false));
        if let Some(coding) = coding {
            headers.push((
                "content-encoding".to_owned(),
                coding.as_bytes().to_vec(),
                false,
            ));
        }
    }

    fn kind(&mut self, kind: &'static str) {
        self.case.kinds.push(kind);
    }

    fn say(&mut self, value: &str) {
        if self.quiet {
        } else if self.late {
            self.case.plan.says_in_debug.push(value.to_owned());
        } else {
            self.case.plan.says.push(value.to_owned());
        }
    }

    /// A value that only its place tells to be a secret.
    fn secret(&mut self) -> String {
        self.case.plants += 1;
        let n = 1 + self.random.below(16);
        let inner = self.random.letters(n);
        let value = match self.random.below(7) {
            0 => format!("{MARK} {inner} horse battery {MARK}"),
            1 => format!("{MARK}\"{inner}\\ 'é%&=+;,/{MARK}"),
            2 => format!("{MARK}Äß漢字{inner}😀{MARK}"),
            3 => format!("{MARK}{}Q7{inner}R9t4W{MARK}", self.random.below(1000)),
            4 => format!("{MARK}<{inner}>&amp;[{{{MARK}"),
            5 => format!("{MARK}\t{inner}\n{MARK}"),
            _ => format!("{MARK}{inner}{MARK}"),
        };
        self.say(&value);
        value
    }

    /// The same, fit for a header.
    fn visible(&mut self) -> String {
        self.case.plants += 1;
        let inner = self.random.letters(8);
        let value = match self.random.below(3) {
            0 => format!("{MARK} {inner} {MARK}"),
            1 => format!("{MARK}/{inner}?{MARK}"),
            _ => format!("{MARK}{inner}{MARK}"),
        };
        self.say(&value);
        value
    }

    /// A value that is a secret wherever it is, by its look.
    fn detectable(&mut self) -> String {
        self.case.plants += 1;
        let letters = self.random.letters(12);
        let n = self.random.below(90) + 10;
        let mixed = format!("{MARK}7{letters}K{n}x8Q{MARK}");
        let value = match self.random.below(9) {
            0 => format!("{MARK}.{letters}@example.org"),
            1 => format!("eyJhbGciOiJIUzI1NiJ9.{mixed}.{mixed}"),
            2 => format!("ghp_{mixed}"),
            3 => format!("sk_live_{mixed}"),
            4 => format!("xoxb-{n}-{mixed}"),
            5 => format!("https://user:{mixed}@example.org/"),
            6 => self.card(),
            7 => self.iban(),
            _ => format!("Bearer {mixed}"),
        };
        self.say(&value);
        value
    }

    fn card(&mut self) -> String {
        let mut digits = format!("{CARD}{:08}", self.random.below(100_000_000));
        let sum: u32 = digits
            .bytes()
            .rev()
            .enumerate()
            .map(
                |(n, d)| match u32::from(d - b'0') * if n % 2 == 0 { 2 } else { 1 } {
                    twice if twice > 9 => twice - 9,
                    digit => digit,
                },
            )
            .sum();
        digits.push(char::from(b'0' + ((10 - sum % 10) % 10) as u8));
        digits
    }

    fn iban(&mut self) -> String {
        let account = format!("{MARK}{:014}", self.random.next() % 100_000_000_000_000);
        let rest = |check: u32| {
            let code = format!("{account}gb{check:02}");
            code.bytes().fold(0_u32, |n, b| match b {
                b'0'..=b'9' => (n * 10 + u32::from(b - b'0')) % 97,
                _ => (n * 100 + u32::from(b - b'a') + 10) % 97,
            })
        };
        let check = (2..99).find(|check| rest(*check) == 1).unwrap();
        format!("gb{check:02}{account}")
    }

    fn number(&mut self) -> String {
        self.case.plants += 1;
        let value = format!("{NUMBER}{}", self.random.below(1000));
        self.say(&value);
        value
    }

    /// Words in one of the styles of names.
    fn styled(&mut self, words: &str) -> String {
        let capital = |word: &str| {
            let (first, rest) = word.split_at(1);
            first.to_uppercase() + rest
        };
        let parts: Vec<&str> = words.split(' ').collect();
        match self.random.below(8) {
            0 => parts.join("_"),
            1 => parts.join("-"),
            2 => parts.join("_").to_uppercase(),
            3 => parts.iter().map(|word| capital(word)).collect(),
            4 => format!(
                "X-{}",
                parts
                    .iter()
                    .map(|w| capital(w))
                    .collect::<Vec<_>>()
                    .join("-")
            ),
            5 => parts.join(" "),
            6 => parts.join("."),
            _ => {
                let tail: String = parts[1..].iter().map(|word| capital(word)).collect();
                parts[0].to_owned() + &tail
            }
        }
    }

    fn hiding(&mut self) -> String {
        let words = *self.random.of(HIDING);
        self.styled(words)
    }

    /// A name and a value under it that has to go.
    fn pair(&mut self) -> (String, String) {
        if self.random.one_in(4) {
            let words = *self.random.of(HARMLESS);
            (self.styled(words), self.detectable())
        } else if self.lax || self.random.one_in(2) {
            (self.hiding(), self.secret())
        } else {
            let words = *self.random.of(HARMLESS);
            (self.styled(words), self.secret())
        }
    }

    fn uri(&mut self) {
        let path = match self.random.below(5) {
            0 if !self.lax => {
                self.kind("unmatched path");
                let (a, b) = (self.secret(), self.secret());
                format!("/{}/12/{}", urlencode(&a, false), urlencode(&b, false))
            }
            // By name, a path without a route stays.
            1 if !(self.lax && self.case.end == End::Error) => {
                self.kind("path parameter by name");
                format!("/reset/{}", urlencode(&self.secret(), false))
            }
            2 => {
                self.kind("path, detected");
                format!("/orders/7/{}", urlencode(&self.detectable(), false))
            }
            3 if !self.lax => {
                self.kind("path parameter");
                format!("/orders/7/{}", urlencode(&self.secret(), false))
            }
            _ => "/orders/7/plain".to_owned(),
        };
        let mut pairs = Vec::new();
        for _ in 0..self.random.below(4) {
            self.kind("query");
            let (name, value) = self.pair();
            let plus = self.random.one_in(2);
            let name = if self.random.one_in(4) {
                // Percent-encoded where it need not be.
                name.bytes().map(|b| format!("%{b:02x}")).collect()
            } else {
                urlencode(&name, plus)
            };
            pairs.push(format!("{name}={}", urlencode(&value, plus)));
        }
        if !self.lax && self.random.one_in(8) {
            self.kind("query without a name");
            pairs.push(urlencode(&self.secret(), false));
        }
        self.case.uri = if pairs.is_empty() {
            path
        } else {
            format!("{path}?{}", pairs.join("&"))
        };
    }

    fn header(&mut self, trailer: bool) -> Option<(String, Vec<u8>, bool)> {
        let field = match self.random.below(if trailer { 4 } else { 10 }) {
            0 => {
                self.kind("suspicious header");
                (
                    (*self.random.of(SECRET_HEADERS)).to_owned(),
                    self.visible(),
                    false,
                )
            }
            1 if !self.lax => {
                self.kind("header");
                let own = format!("x-{}", self.random.letters(5));
                let name = self.random.of(HEADERS);
                let name = if own.contains('q') {
                    own
                } else {
                    (*name).to_owned()
                };
                (name, self.visible(), false)
            }
            2 => {
                self.kind("header, detected");
                let kept = self.random.one_in(2);
                let name = if kept {
                    self.random.of(KEPT)
                } else {
                    self.random.of(HEADERS)
                };
                ((*name).to_owned(), self.detectable(), false)
            }
            3 => {
                self.kind("sensitive header");
                ((*self.random.of(HEADERS)).to_owned(), self.visible(), true)
            }
            4 => {
                self.kind("authorization");
                let scheme = *self
                    .random
                    .of(&["Bearer", "bearer", "Token", "Digest", "Custom"]);
                (
                    "authorization".to_owned(),
                    format!("{scheme} {}", self.visible()),
                    false,
                )
            }
            5 => {
                self.kind("basic");
                let (user, password) = (self.visible(), self.secret());
                let pair = base64(format!("{user}:{password}").as_bytes());
                ("authorization".to_owned(), format!("Basic {pair}"), false)
            }
            6 => {
                self.kind("cookie");
                let (a, b) = (self.visible(), self.secret());
                let style = self.random.of(&["sid", "theme", "_ga", "cart"]);
                (
                    "cookie".to_owned(),
                    format!("{style}={a}; n={}", urlencode(&b, false)),
                    false,
                )
            }
            7 if !self.lax => {
                self.kind("referer");
                let (a, b) = (self.secret(), self.secret());
                let (a, b) = (urlencode(&a, false), urlencode(&b, false));
                let name = *self.random.of(&["referer", "location", "content-location"]);
                (
                    name.to_owned(),
                    format!("https://example.org/{a}?page=1&x={b}#{a}"),
                    false,
                )
            }
            8 => {
                self.kind("latin-1 header");
                self.case.plants += 1;
                let value = [MARK.as_bytes(), b"\xe9\xff", MARK.as_bytes()].concat();
                self.say(&format!("{MARK}éÿ{MARK}"));
                return Some(((*self.random.of(HEADERS)).to_owned(), value, false));
            }
            _ => return None,
        };
        // What is no header value is none of this test.
        let (name, value, sensitive) = field;
        Some((name, value.into_bytes(), sensitive))
    }

    fn set_cookie(&mut self) {
        self.kind("set-cookie");
        let value = self.visible();
        let cookie = format!("session={value}; Path=/; HttpOnly; x={value}");
        self.case
            .plan
            .headers
            .push(("set-cookie".to_owned(), cookie.into_bytes(), false));
    }

    /// A body: its type, its coding and its bytes.
    fn body(&mut self) -> (String, Option<&'static str>, Vec<u8>) {
        let before = self.quiet;
        // Decided beforehand, because it decides what is said.
        let how = self.random.below(10);
        let unknown = how == 1 && self.random.one_in(2);
        self.quiet = how == 0 || unknown;
        let said = (
            self.case.plan.says.len(),
            self.case.plan.says_in_debug.len(),
        );
        let (kind, mut body) = self.format();
        if body.len() > BODY {
            // What is behind the limit cannot be recognised.
            self.case.plan.says.truncate(said.0);
            self.case.plan.says_in_debug.truncate(said.1);
        }
        let mut coding = None;
        match how {
            0 => {
                self.kind("cut");
                body = self.padded(&body);
            }
            1 if unknown => {
                self.kind("wrong coding");
                coding = Some(
                    *self
                        .random
                        .of(&["compress", "br, gzip", "zstd", "x-unknown"]),
                );
                body = gzip(&body);
            }
            1 | 2 => {
                self.kind("compressed");
                (coding, body) = self.compressed(&body);
            }
            3 => {
                self.kind("compressed, unsaid");
                body = gzip(&body);
            }
            4 => {
                self.kind("invalid UTF-8");
                let at = self.random.below(body.len() + 1);
                let (a, b) = body.split_at(at);
                // A name that broke says nothing any more.
                let inside = self.inside(&body, at) || self.lax && at < body.len();
                if !inside && std::str::from_utf8(a).is_ok() {
                    body = [a, b"\xff", b].concat();
                }
            }
            _ => {}
        }
        self.quiet = before;
        (kind, coding, body)
    }

    /// Whether a place in a body is inside of a secret, or may be: nobody says
    /// half of one.
    fn inside(&self, body: &[u8], at: usize) -> bool {
        let plan = &self.case.plan;
        if body.windows(2).any(|w| w == b"\\u") {
            return at > 0 && at < body.len();
        }
        plan.says.iter().chain(&plan.says_in_debug).any(|said| {
            let json = quote(said);
            let twice = quote(&json);
            let all = [
                said.clone(),
                json[1..json.len() - 1].to_owned(),
                twice[3..twice.len() - 3].to_owned(),
                urlencode(said, true),
                urlencode(said, false),
                base64(said.as_bytes()),
            ];
            all.iter().any(|form| {
                let form = form.as_bytes();
                let from = at.saturating_sub(form.len() - 1);
                let near = &body[from..body.len().min(at + form.len() - 1)];
                near.windows(form.len()).any(|w| w == form)
            })
        })
    }

    fn compressed(&mut self, body: &[u8]) -> (Option<&'static str>, Vec<u8>) {
        match self.random.below(6) {
            0 => {
                let mut out = Vec::new();
                let params = brotli::enc::BrotliEncoderParams {
                    quality: 2,
                    ..Default::default()
                };
                brotli::BrotliCompress(&mut &*body, &mut out, &params).unwrap();
                (Some("br"), out)
            }
            1 => {
                let level = ruzstd::encoding::CompressionLevel::Fastest;
                (Some("zstd"), ruzstd::encoding::compress_to_vec(body, level))
            }
            2 => {
                let level = flate2::Compression::fast();
                let mut w = flate2::write::ZlibEncoder::new(Vec::new(), level);
                w.write_all(body).unwrap();
                (Some("deflate"), w.finish().unwrap())
            }
            3 => (Some("identity, gzip, gzip"), gzip(&gzip(body))),
            _ => (Some("gzip"), gzip(body)),
        }
    }

    /// The limit of what is captured falls somewhere into the body.
    fn padded(&mut self, body: &[u8]) -> Vec<u8> {
        let from = BODY.saturating_sub(self.random.below(body.len() + 2));
        match body.first() {
            Some(b'{') => {
                let pad = format!("{{\"pad\":\"{}\",", "x".repeat(from));
                [pad.as_bytes(), &body[1..]].concat()
            }
            Some(b'<') => [format!("<p>{}", "x".repeat(from)).as_bytes(), body].concat(),
            Some(b'[') => [format!("[\"{}\",", "x".repeat(from)).as_bytes(), &body[1..]].concat(),
            _ => [format!("pad={}&", "x".repeat(from)).as_bytes(), body].concat(),
        }
    }

    /// A body by its format, before any coding.
    fn format(&mut self) -> (String, Vec<u8>) {
        match self.random.below(14) {
            0..=3 => {
                self.kind("json");
                let kinds = [
                    "application/json",
                    "application/problem+json; charset=utf-8",
                ];
                (
                    (*self.random.of(&kinds)).to_owned(),
                    self.json(0).into_bytes(),
                )
            }
            4 => {
                self.kind("form");
                let mut pairs = Vec::new();
                for _ in 0..1 + self.random.below(4) {
                    let (name, value) = self.pair();
                    pairs.push(format!(
                        "{}={}",
                        urlencode(&name, true),
                        urlencode(&value, true)
                    ));
                }
                (
                    "application/x-www-form-urlencoded".to_owned(),
                    pairs.join("&").into_bytes(),
                )
            }
            5 | 6 => {
                self.kind("multipart");
                self.multipart()
            }
            7 => {
                self.kind("json lines");
                let lines: Vec<_> = (0..1 + self.random.below(3))
                    .map(|_| self.json(2))
                    .collect();
                (
                    "application/x-ndjson".to_owned(),
                    lines.join("\n").into_bytes(),
                )
            }
            8 => {
                self.kind("events");
                let mut out = String::new();
                for _ in 0..1 + self.random.below(3) {
                    if !self.lax && self.random.one_in(3) {
                        let secret = self.visible();
                        out.push_str(&format!("id: {secret}\n: {secret}\n"));
                    }
                    if self.random.one_in(2) {
                        out.push_str("event: added\n");
                    }
                    out.push_str(&format!("data: {}\n\n", self.json(2)));
                }
                ("text/event-stream".to_owned(), out.into_bytes())
            }
            9 => {
                self.kind("xml");
                ("application/xml".to_owned(), self.xml().into_bytes())
            }
            10 => {
                self.kind("graphql");
                let (a, b) = (self.secret(), self.number());
                let query = format!("query F {{ user(name: {}, pin: {b}) {{ id }} }}", quote(&a));
                let variables = self.json(2);
                let body = format!("{{\"query\":{},\"variables\":{variables}}}", quote(&query));
                ("application/json".to_owned(), body.into_bytes())
            }
            11 => {
                self.kind("wrong type");
                let kinds = [
                    "application/octet-stream",
                    "image/png",
                    "text/html",
                    "application/x-protobuf",
                    "application/grpc",
                    "multipart/form-data; boundary=x",
                    "text/plain",
                    "application/x-www-form-urlencoded",
                    "application/xml",
                    "nonsense",
                    "application/json; charset=utf-16",
                ];
                (
                    (*self.random.of(&kinds)).to_owned(),
                    self.json(1).into_bytes(),
                )
            }
            12 => {
                self.kind("text");
                let mut text = "some words\n".to_owned();
                for _ in 0..1 + self.random.below(3) {
                    if self.lax {
                        text.push_str(&format!("see {} there\n", self.detectable()));
                    } else {
                        text.push_str(&format!("see {} there\n", self.secret()));
                    }
                }
                ("text/plain".to_owned(), text.into_bytes())
            }
            _ => {
                self.kind("malformed json");
                let mut json = self.json(0);
                let at = self.random.below(json.len());
                if json.is_char_boundary(at) {
                    // A name that broke is none that hides a number.
                    let name = !json[..at].ends_with([',', '{', '[', '}', ']', ':']);
                    let inside = name || self.inside(json.as_bytes(), at);
                    if !inside && !self.lax {
                        let junk = *self.random.of(&["}", "\"", "{", ",,", "\\", "nul"]);
                        json.insert_str(at, junk);
                    }
                }
                ("application/json".to_owned(), json.into_bytes())
            }
        }
    }

    /// A JSON string, with some of its characters escaped that need not be.
    fn string(&mut self, text: &str) -> String {
        if !self.random.one_in(3) {
            return quote(text);
        }
        let every = 1 + self.random.below(4);
        let mut out = String::from("\"");
        for (n, c) in text.chars().enumerate() {
            if n % every == 0 || matches!(c, '"' | '\\') || (c as u32) < 0x20 {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    out.push_str(&format!("\\u{unit:04X}"));
                }
            } else {
                out.push(c);
            }
        }
        out + "\""
    }

    fn json(&mut self, depth: usize) -> String {
        let mut members = vec![
            (*self.random.of(&[
                "\"id\":12",
                "\"status\":\"paid\"",
                "\"ok\":true",
                "\"none\":null",
                "\"total\":12.50",
            ]))
            .to_owned(),
        ];
        for _ in 0..1 + self.random.below(4) {
            let member = match self.random.below(10) {
                0 => {
                    let name = self.hiding();
                    let number = self.number();
                    format!("{}:{number}", self.string(&name))
                }
                1 => {
                    self.case.plants += 1;
                    let card = self.card();
                    self.say(&card);
                    format!("\"n\":{card}")
                }
                2 if depth < 4 => {
                    let inner = self.json(depth + 1);
                    format!("\"inner\":{inner}")
                }
                3 if depth < 4 => {
                    let inner = self.json(depth + 1);
                    let name = self.hiding();
                    format!("{}:[1,{inner},null]", self.string(&name))
                }
                4 if depth < 3 => {
                    let inner = self.json(depth + 1);
                    format!("\"raw\":{}", quote(&inner))
                }
                5 => {
                    let name = self.hiding();
                    let (a, b) = (self.secret(), self.secret());
                    let (a, b) = (self.string(&a), self.string(&b));
                    // The same key twice, and a list.
                    format!("{0}:{a},{0}:[{b}]", self.string(&name))
                }
                6 => {
                    let address = format!("{MARK}.{}@example.org", self.random.letters(5));
                    self.case.plants += 1;
                    self.say(&address);
                    format!("{}:1", self.string(&address))
                }
                _ => {
                    let (name, value) = self.pair();
                    let name = self.string(&name);
                    format!("{name}:{}", self.string(&value))
                }
            };
            let at = self.random.below(members.len() + 1);
            members.insert(at, member);
        }
        let space = *self.random.of(&["", "", " ", "\n  "]);
        format!("{{{space}{}}}", members.join(&format!(",{space}")))
    }

    fn multipart(&mut self) -> (String, Vec<u8>) {
        let boundary = format!("----x{}", self.random.letters(8));
        let mut out = Vec::new();
        for _ in 0..1 + self.random.below(4) {
            out.extend_from_slice(format!("--{boundary}\r\n").as_bytes());
            let part = match self.random.below(4) {
                0 => {
                    let content = self.secret();
                    self.case.plants += 1;
                    let file = format!("{MARK}{}{MARK}", self.random.letters(6));
                    self.say(&file);
                    format!(
                        "Content-Disposition: form-data; name=\"file\"; filename=\"{file}.png\"\r\nContent-Type: image/png\r\n\r\n\u{1}PNG {content}\r\n"
                    )
                }
                1 => {
                    let inner = self.json(2);
                    format!(
                        "Content-Disposition: form-data; name=\"meta\"\r\nContent-Type: application/json\r\nX-Note: words\r\n\r\n{inner}\r\n"
                    )
                }
                2 => {
                    let content = self.secret();
                    format!(
                        "Content-Disposition: attachment; filename*=UTF-8''{}\r\nContent-Transfer-Encoding: base64\r\n\r\n{}\r\n",
                        urlencode(&content, false),
                        base64(content.as_bytes())
                    )
                }
                _ => {
                    let (name, value) = self.pair();
                    format!("Content-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
                }
            };
            out.extend_from_slice(part.as_bytes());
        }
        if !self.random.one_in(4) {
            out.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
        }
        (format!("multipart/form-data; boundary=\"{boundary}\""), out)
    }

    fn xml(&mut self) -> String {
        let mut out = "<?xml version=\"1.0\"?><order>".to_owned();
        for _ in 0..1 + self.random.below(4) {
            let words = if self.lax {
                *self.random.of(HIDING)
            } else {
                *self.random.of(HARMLESS)
            };
            let name = words.replace(' ', "-");
            let value = self.secret();
            let escaped = value
                .replace('&', "&amp;")
                .replace('<', "&lt;")
                .replace('>', "&gt;")
                .replace('"', "&quot;");
            out.push_str(&match self.random.below(4) {
                0 => format!("<{name}>{escaped}</{name}>"),
                1 => format!("<a {name}='{}'/>", escaped.replace('\'', "&#39;")),
                2 => format!("<{name}><![CDATA[{value}]]></{name}>"),
                _ => format!("<field value=\"{escaped}\" name=\"{name}\"><b>{escaped}</b></field>"),
            });
        }
        out + "</order>"
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut w = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    w.write_all(bytes).unwrap();
    w.finish().unwrap()
}
