//! Header fields and trailers.

use crate::leaks::{
    encode::{all_percent, base64, quote, urlencode},
    make::{MARK, Make},
};

/// Headers whose values do not stay, except for policies by name.
#[rustfmt::skip]
const HEADERS: &[&str] = &[
    "x-customer", "x-forwarded-for", "x-real-ip", "from", "x-user", "x-tenant", "forwarded",
    "x-original-url", "x-note", "if-range", "warning", "link", "x-account", "x-device", "alt-svc",
    "content-disposition", "x-amz-meta-name", "cf-connecting-ip", "true-client-ip", "prefer",
    "digest", "content-location-x", "x-correlation-note", "grpc-message", "last-event-id", "baggage",
    "tracestate", "x-b3-traceid", "refresh", "x-http-method-override", "x-forwarded-host",
    "sec-websocket-protocol", "x-request-start", "early-data", "content-md5", "x-original-path",
];

/// Headers whose values stay, apart from what a detector finds.
#[rustfmt::skip]
const KEPT: &[&str] = &[
    "user-agent", "accept", "accept-language", "via", "etag", "server", "host", "origin", "vary",
    "cache-control", "range", "pragma",
];

/// Headers with a name that hides.
#[rustfmt::skip]
const SECRET_HEADERS: &[&str] = &[
    "x-api-key", "x-auth-token", "x-csrf-token", "proxy-authorization", "x-amz-security-token",
    "apikey", "x-session-id", "x-signature", "x-goog-iap-jwt-assertion", "x-vault-token",
    "private-token", "x-access-token", "x-hub-signature", "www-authenticate", "x-otp", "cookie2",
    "x-auth", "set-cookie2", "proxy-authenticate", "x-ms-client-principal-secret",
    "authentication-info", "x-forwarded-authorization", "x-pin", "x-user-password",
];

type Field = (String, Vec<u8>, bool);

fn field(name: &str, value: impl Into<Vec<u8>>) -> Option<Field> {
    Some((name.to_owned(), value.into(), false))
}

impl Make<'_> {
    /// One field. With `trailer`, one that trailers may have.
    pub(crate) fn header(&mut self, trailer: bool) -> Option<Field> {
        match self.random.below(if trailer { 6 } else { 14 }) {
            0 => {
                self.kind("suspicious header");
                let name = *self.random.of(SECRET_HEADERS);
                field(name, self.visible())
            }
            1 if !self.lax => {
                self.kind("header");
                let own = format!("x-{}", self.random.letters(5));
                let name = *self.random.of(HEADERS);
                let name = if own.contains('q') { &own } else { name };
                field(name, self.worded())
            }
            2 => {
                self.kind("header, detected");
                let kept = self.random.one_in(2);
                let name = *self.random.of(if kept { KEPT } else { HEADERS });
                field(name, self.detectable())
            }
            3 => {
                self.kind("sensitive header");
                let kept = self.random.one_in(2);
                let name = *self.random.of(if kept { KEPT } else { HEADERS });
                Some((name.to_owned(), self.visible().into_bytes(), true))
            }
            4 => {
                self.kind("latin-1 header");
                self.case.plants += 1;
                let value = [MARK.as_bytes(), b"\xe9\xff", MARK.as_bytes()].concat();
                self.say(&format!("{MARK}éÿ{MARK}"));
                Some(((*self.random.of(HEADERS)).to_owned(), value, false))
            }
            5 if !self.lax => {
                self.kind("grpc-message");
                let secret = self.secret();
                field("grpc-message", urlencode(&secret, false))
            }
            6 | 7 => self.credentials(),
            8 | 9 => self.cookie(),
            10 if !self.lax => {
                self.kind("url in a header");
                let (a, b) = (self.secret(), self.secret());
                let (a, b) = (urlencode(&a, false), urlencode(&b, false));
                let name = *self.random.of(&["referer", "location", "content-location"]);
                let user = if self.random.one_in(3) {
                    format!("{}:{}@", self.letters_only(), self.letters_only())
                } else {
                    String::new()
                };
                field(
                    name,
                    format!("https://{user}example.org/{a}?page=1&x={b}#{a}"),
                )
            }
            10 | 11 => {
                self.kind("url with a token in a header");
                let name = *self.random.of(&["referer", "location", "content-location"]);
                let key = self.hiding_word();
                let value = urlencode(&self.secret(), false);
                let sign = *self.random.of(&['?', '#']);
                field(
                    name,
                    format!("https://example.org/back{sign}page=1&{key}={value}"),
                )
            }
            12 => {
                self.kind("parameters in a header");
                let key = self.hiding_word();
                let value = self.letters_only();
                let name = *self.random.of(HEADERS);
                field(name, format!("a=1; {key}=\"{value}\", b=2"))
            }
            _ => None,
        }
    }

    /// Text with the value as a part that services take apart.
    fn worded(&mut self) -> String {
        let a = self.letters_only();
        match self.random.below(6) {
            0 => format!("for={a};by={};proto=https", self.visible()),
            1 => format!("{a}, {a}"),
            2 => {
                let b = self.visible();
                format!("<https://example.org/{a}>; rel=next; title=\"{b}\"")
            }
            3 => {
                let b = all_percent(&self.visible());
                format!("attachment; filename*=UTF-8''{b}; x={a}")
            }
            4 => {
                let b = quote(&self.visible());
                format!("{{\"user\":{},\"tenant\":{b}}}", quote(&a))
            }
            _ => a,
        }
    }

    fn credentials(&mut self) -> Option<Field> {
        let name = *self.random.of(&["authorization", "proxy-authorization"]);
        match self.random.below(5) {
            0 => {
                self.kind("basic");
                let (user, password) = (self.visible(), self.secret());
                let pair = base64(format!("{user}:{password}").as_bytes());
                field(name, format!("Basic {pair}"))
            }
            1 => {
                self.kind("digest");
                let (a, b) = (self.letters_only(), self.letters_only());
                field(
                    name,
                    format!("Digest username=\"{a}\", realm=\"shop\", uri=\"/{b}\", nc=1"),
                )
            }
            2 => {
                self.kind("no scheme");
                field(name, self.letters_only())
            }
            _ => {
                self.kind("authorization");
                let schemes = ["Bearer", "bearer", "Token", "Digest", "Custom", "BEARER "];
                let scheme = *self.random.of(&schemes);
                field(name, format!("{scheme} {}", self.visible()))
            }
        }
    }

    fn cookie(&mut self) -> Option<Field> {
        self.kind("cookie");
        let a = self.visible();
        let name = *self
            .random
            .of(&["sid", "theme", "_ga", "cart", "lang", "__Host-id"]);
        let text = match self.random.below(5) {
            0 => format!("{name}={a}; n={}", urlencode(&self.secret(), false)),
            1 => {
                let json = format!("{{\"user\":{}}}", quote(&self.secret()));
                format!("{name}=\"{a}\";x=1; n={}", all_percent(&json))
            }
            2 => format!("{a}; {name}=1; n={}", base64(a.as_bytes())),
            3 => format!("a=b={a};; ={a};n={}", urlencode(&self.secret(), false)),
            _ => {
                let twice = all_percent(&all_percent(&self.secret()));
                format!("n={twice};{name}={a}")
            }
        };
        field("cookie", text)
    }

    pub(crate) fn set_cookie(&mut self) -> Field {
        self.kind("set-cookie");
        let value = self.visible();
        let text = match self.random.below(4) {
            0 => format!("session={value}; Path=/; HttpOnly; x={value}"),
            1 => format!("theme=\"{value}\"; Max-Age=1;Secure"),
            2 => format!("{value}; SameSite=Lax"),
            _ => format!(
                "id={}; Expires=Wed, 21 Oct 2026 07:28:00 GMT",
                all_percent(&value)
            ),
        };
        ("set-cookie".to_owned(), text.into_bytes(), false)
    }

    /// The head of a request that asks for another protocol.
    pub(crate) fn upgrade(&mut self) -> Vec<Field> {
        self.kind("upgrade");
        let mut all = vec![
            ("connection".to_owned(), b"Upgrade".to_vec(), false),
            ("upgrade".to_owned(), b"websocket".to_vec(), false),
        ];
        if !self.lax {
            let before = std::mem::replace(&mut self.quiet, true);
            let key = base64(self.letters_only().as_bytes());
            self.quiet = before;
            all.push(("sec-websocket-key".to_owned(), key.into_bytes(), false));
            let token = self.letters_only();
            let value = format!("chat, bearer.{token}").into_bytes();
            all.push(("sec-websocket-protocol".to_owned(), value, false));
        }
        all
    }
}
