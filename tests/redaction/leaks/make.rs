//! Plants secrets, and makes the service log them.

use crate::leaks::{
    case::{Call, Case, End},
    random::Random,
};

/// At both ends of every secret that has letters.
pub(crate) const MARK: &str = "zqvx";
/// How every number that a name hides starts.
pub(crate) const NUMBER: &str = "90417352";
/// How every card number starts.
pub(crate) const CARD: &str = "4539581";

pub(crate) struct Make<'r> {
    pub(crate) random: &'r mut Random,
    /// Whether values that neither a name nor a detector hides may stay.
    pub(crate) lax: bool,
    /// Whether the planted values are in the response.
    pub(crate) late: bool,
    /// Whether the service logs nothing of it: what was not captured or not decoded cannot be
    /// recognised.
    pub(crate) quiet: bool,
    /// Whether names and values arrive as they are planted. A value without its name or its form
    /// is data of another kind.
    pub(crate) settled: bool,
    pub(crate) case: Case,
}

impl<'r> Make<'r> {
    pub(crate) fn new(random: &'r mut Random, lax: bool) -> Self {
        Self {
            random,
            lax,
            late: false,
            quiet: false,
            settled: true,
            case: Case::default(),
        }
    }

    pub(crate) fn case(mut self) -> Case {
        let methods = ["GET", "POST", "PUT", "PATCH", "DELETE"];
        self.case.method = (*self.random.of(&methods)).to_owned();
        let ends = [
            End::Healthy,
            End::Healthy,
            End::Failed,
            End::Failed,
            End::Panic,
            End::BodyError,
            End::Error,
        ];
        let end = *self.random.of(&ends);
        let end = if self.random.one_in(24) {
            End::Upgrade
        } else {
            end
        };
        self.case.plan.end = end;
        self.target();
        let mut headers = Vec::new();
        for _ in 0..2 + self.random.below(4) {
            headers.extend(self.header(false));
        }
        if end == End::Upgrade {
            headers.extend(self.upgrade());
        }
        let (kind, coding, content) = self.body(3);
        self.case.content = content;
        headers.extend(typed(kind, coding));
        self.case.headers = headers;
        if self.random.one_in(4) {
            self.event_fields();
        }
        if self.random.one_in(8) {
            self.call();
        }
        if !matches!(end, End::Panic | End::Error) {
            self.answer();
        }
        self.case
    }

    fn answer(&mut self) {
        self.late = true;
        let end = self.case.plan.end;
        let mut headers = Vec::new();
        if self.random.one_in(2) {
            headers.extend(self.header(false));
        }
        if self.random.one_in(3) {
            headers.push(self.set_cookie());
        }
        if end == End::Upgrade {
            headers.push(("upgrade".to_owned(), b"websocket".to_vec(), false));
        } else if self.random.one_in(2) {
            self.kind("response body:");
            let (kind, coding, mut content) = self.body(if end == End::BodyError { 0 } else { 4 });
            if end == End::BodyError {
                // Trailers do not come after it.
                content.error = Some(format!("broke at {}", self.case.plan.says.join(", ")));
            }
            self.case.plan.content = content;
            headers.extend(typed(kind, coding));
        }
        self.case.plan.headers = headers;
    }

    /// A call that the service makes. It is an exchange of its own, so in its request the service
    /// logs nothing that only the call has.
    fn call(&mut self) {
        self.kind("call:");
        let before = std::mem::take(&mut self.case.plan);
        let mut call = Call::default();
        let name = self.hiding();
        let name = crate::leaks::encode::urlencode(&name, false);
        let value = crate::leaks::encode::urlencode(&self.secret(), false);
        call.uri = match self.random.below(3) {
            0 if !self.lax => {
                let a = self.letters_only();
                format!("http://stock.example:8080/items/{a}?{name}={value}")
            }
            1 => {
                let a = self.letters_only();
                format!("http://{a}:{a}@stock.example/items?{name}={value}")
            }
            _ => format!("https://stock.example/items?{name}={value}"),
        };
        call.headers.extend(self.header(false));
        let (kind, coding, content) = self.body(0);
        call.content = content;
        call.headers.extend(typed(kind, coding));
        // The error belongs to the call, which knows its own request.
        let said = self.case.plan.says.join(" and ");
        call.error = self.random.one_in(3).then_some(said);
        self.quiet = true;
        call.answer_headers.extend(self.header(false));
        let (kind, coding, content) = self.body(3);
        call.answer = content;
        call.answer_headers.extend(typed(kind, coding));
        self.quiet = false;
        // Two segments of a gRPC call are names that its service has.
        if call
            .headers
            .iter()
            .any(|(_, value, _)| value.starts_with(b"application/grpc"))
        {
            call.uri = call.uri.replace("/items/", "/all/items/");
        }
        self.case.plan = before;
        self.case.plan.call = Some(call);
    }

    /// Values that no head or body has: names of fields of events hide them.
    fn event_fields(&mut self) {
        self.kind("event fields");
        let before = std::mem::replace(&mut self.quiet, true);
        for _ in 0..1 + self.random.below(2) {
            let value = self.secret();
            self.case.plan.fields.push(value);
        }
        self.quiet = before;
    }

    /// Whether this is the response of a failure, of which some parts are the service's own words.
    pub(crate) fn speaks(&self) -> bool {
        self.late && self.case.plan.end == End::Failed
    }

    pub(crate) fn kind(&mut self, kind: &'static str) {
        self.case.kinds.push(kind);
    }

    pub(crate) fn say(&mut self, value: &str) {
        if self.quiet {
        } else if self.late {
            self.case.plan.says_in_debug.push(value.to_owned());
        } else {
            self.case.plan.says.push(value.to_owned());
        }
    }

    /// The start of a secret: letters of its own, so that not all begin alike, and the mark.
    fn mark(&mut self) -> String {
        format!("{}{MARK}", self.random.letters(3))
    }

    /// A value that is a secret only by its place.
    pub(crate) fn secret(&mut self) -> String {
        self.case.plants += 1;
        let n = 1 + self.random.below(16);
        let inner = self.random.letters(n);
        let mark = self.mark();
        let value = match self.random.below(12) {
            0 => format!("{mark} {inner} horse battery {MARK}"),
            1 => format!("{mark}\"{inner}\\ 'é%&=+;,/{MARK}"),
            2 => format!("{mark}Äß漢字{inner}😀{MARK}"),
            3 => format!("{mark}{}Q7{inner}R9t4W{MARK}", self.random.below(1000)),
            4 => format!("{mark}<{inner}>&amp;[{{{MARK}"),
            5 => format!("{mark}\t{inner}\n{MARK}"),
            6 => format!("{mark}\u{1}{inner}\u{7f}\u{200b}'{MARK}"),
            7 => format!("{mark}\\u0041{inner}%41\\n&#65;{MARK}"),
            8 => format!("{mark}-{inner}_{}.{MARK}", self.random.below(100)),
            _ => format!("{mark}{inner}{MARK}"),
        };
        self.say(&value);
        value
    }

    /// A secret in characters that no identifier has.
    pub(crate) fn secret_key(&mut self) -> String {
        let before = std::mem::replace(&mut self.quiet, true);
        let key = format!("{}\u{df}?", self.secret());
        self.quiet = before;
        self.say(&key);
        key
    }

    /// Letters that nothing has to encode.
    pub(crate) fn letters_only(&mut self) -> String {
        self.case.plants += 1;
        let n = 1 + self.random.below(12);
        let mark = self.mark();
        let value = format!("{mark}{}{MARK}", self.random.letters(n));
        self.say(&value);
        value
    }

    /// The same, of which nothing is logged.
    pub(crate) fn unsaid_letters(&mut self) -> String {
        let before = std::mem::replace(&mut self.quiet, true);
        let value = self.letters_only();
        self.quiet = before;
        value
    }

    /// The same, valid in a header.
    pub(crate) fn visible(&mut self) -> String {
        self.case.plants += 1;
        let inner = self.random.letters(8);
        let mark = self.mark();
        let value = match self.random.below(4) {
            0 => format!("{mark} {inner} {MARK}"),
            1 => format!("{mark}/{inner}?{MARK}"),
            2 => format!("{mark}-{inner}.{MARK}"),
            _ => format!("{mark}{inner}{MARK}"),
        };
        self.say(&value);
        value
    }

    /// A value that a detector recognises as a secret in any place.
    pub(crate) fn detectable(&mut self) -> String {
        self.case.plants += 1;
        let letters = self.random.letters(12);
        let n = self.random.below(90) + 10;
        let mixed = format!("{MARK}7{letters}K{n}x8Q{MARK}");
        let value = match self.random.below(14) {
            0 => format!("{MARK}.{letters}@example.org"),
            1 => format!("eyJhbGciOiJIUzI1NiJ9.{mixed}.{mixed}"),
            2 => format!("ghp_{mixed}"),
            3 => format!("sk_live_{mixed}"),
            4 => format!("xoxb-{n}-{mixed}"),
            5 => format!("https://user:{mixed}@example.org/"),
            6 => self.card(),
            7 => self.iban(),
            8 => format!("password={mixed}"),
            9 => format!("see https://example.org/?api_key={mixed}&page=1"),
            10 => format!("postgres://{MARK}{letters}:{mixed}@db/orders"),
            11 => format!("AKIA{}Q7{letters}", MARK.to_uppercase()),
            12 => format!(
                "Basic {}",
                crate::leaks::encode::base64(format!("me:{mixed}").as_bytes())
            ),
            _ => format!("Bearer {mixed}"),
        };
        self.say(&value);
        value
    }

    pub(crate) fn card(&mut self) -> String {
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

    pub(crate) fn number(&mut self) -> String {
        self.number_with("")
    }

    /// A number with this after it: the service logs the text that it had.
    pub(crate) fn number_with(&mut self, end: &str) -> String {
        self.case.plants += 1;
        let value = format!("{NUMBER}{}{end}", self.random.below(1000));
        self.say(&value);
        value
    }
}

fn typed(kind: String, coding: Option<&'static str>) -> crate::leaks::case::Fields {
    let mut fields = vec![("content-type".to_owned(), kind.into_bytes(), false)];
    if let Some(coding) = coding {
        let coding = coding.as_bytes().to_vec();
        fields.push(("content-encoding".to_owned(), coding, false));
    }
    fields
}
