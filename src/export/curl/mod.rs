//! The `curl` command of an exchange.

mod shell;

use super::{notes, target};
use crate::exchange::{Content, Exchange, Request};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use shell::{Data, quote};
use std::fmt::{self, Display, Write as _};

/// Fields that belong to the connection or that curl writes itself.
const NOT_SENT: [&str; 12] = [
    "connection",
    "content-length",
    "host",
    "http2-settings",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

const NOT_IN_URL: &AsciiSet = &CONTROLS.add(b' ');

/// From this size on curl asks the server before it sends a body, unless a header prevents
/// it.
const EXPECTS: usize = 1024;

impl Exchange {
    /// Returns the `curl` command for a shell that sends the request again as far as it was
    /// recorded.
    ///
    /// `base` is the URL to send to. Path and query are added to it, and the header `host` is
    /// that of the URL, so that no proxy forwards the request to the original host. Default:
    /// the host that the client named, or `http://localhost` if that is not known.
    ///
    /// ```
    /// # let text = r#"{"schema":"dashcam.exchange/1","id":"1","service":{"name":"a","version":"1"},
    /// #   "correlation":{"id":"c","source":"minted"},"started_at":"2026-11-23T07:21:10.532815Z",
    /// #   "timing":{"duration_us":5},"in_flight":1,"outcome":{"kind":"panicked"},"slow":false,
    /// #   "keep":[{"kind":"outcome"}],"mode":{"kind":"off"},"depth":"full","request":{"method":"GET",
    /// #   "path":"/orders/7","version":"HTTP/1.1","headers":[["accept","*/*"]],
    /// #   "body":{"state":"none","seen":0,"kept":0}},"redaction":{"policy":"strict","key_id":"k"},
    /// #   "environment":{}}"#;
    /// # let exchange: dashcam::exchange::Exchange = serde_json::from_str(text)?;
    /// let command = exchange.to_curl(Some("http://127.0.0.1:3000"));
    /// assert!(command.contains("curl --url http://127.0.0.1:3000/orders/7"));
    /// # Ok::<(), serde_json::Error>(())
    /// ```
    ///
    /// Comment lines come first. They name the exchange, and list what the command does not
    /// send as it was sent: pseudonyms, a body that was cut or not written, fields that were
    /// left out. The command sends the pseudonyms of hidden values; in place of a hidden
    /// method, which cannot have spaces, it sends `~` and the method's hash.
    ///
    /// # Guarantees
    ///
    /// - The text is comment lines and one command, or, for a body that is not plain text,
    ///   one pipeline of `printf` and the command. It works in `sh`, `dash`, `bash` and other
    ///   POSIX shells, in `zsh`, and in `fish` from 3.4 on. Whatever the exchange holds, no
    ///   part of it runs as code. zsh looks for code in comment lines that are pasted; there
    ///   `_` replaces what could be code.
    /// - The text has no control characters but line feeds, and nothing that changes the
    ///   direction of text. No option of curl reads a file.
    /// - If nothing was hidden or cut, the command sends method, target, header fields and body
    ///   as they were recorded, in HTTP/1.0 or HTTP/2 if that was recorded. It does not send
    ///   fields of the connection (RFC 9110, section 7.6.1), and sends `content-length` only
    ///   as curl counts it. It needs curl 7.55.
    #[must_use]
    pub fn to_curl(&self, base: Option<&str>) -> String {
        let mut command = Command::new(self);
        command.target(base);
        command.version();
        command.headers();
        command.body();
        command.method();
        command.to_string()
    }
}

/// The command while it is built.
struct Command<'a> {
    exchange: &'a Exchange,
    request: &'a Request,
    notes: Vec<String>,
    hidden: Vec<String>,
    options: Vec<String>,
    sent: Vec<&'a str>,
    url: String,
    data: Option<Data>,
}

impl<'a> Command<'a> {
    fn new(exchange: &'a Exchange) -> Self {
        Self {
            exchange,
            request: &exchange.request,
            notes: Vec::new(),
            hidden: Vec::new(),
            options: Vec::new(),
            sent: Vec::new(),
            url: String::new(),
            data: None,
        }
    }

    fn option(&mut self, name: &str, value: &str) {
        self.options.push(format!("{name} {}", quote(value)));
    }

    fn target(&mut self, base: Option<&str>) {
        let origin = target::origin(self.request);
        let base = match (base, &origin) {
            (Some(base), _) => {
                if let Some(origin) = &origin {
                    self.notes.push(format!("it went to {origin}"));
                }
                utf8_percent_encode(base.trim_end_matches('/'), NOT_IN_URL).to_string()
            }
            (None, Some(origin)) => origin.clone(),
            (None, None) => {
                self.notes.push("the host is not known".to_owned());
                "http://localhost".to_owned()
            }
        };
        let mut path = target::path_and_query(self.request);
        // The target of CONNECT is a host and its port.
        if path.is_empty() && self.request.method == "CONNECT" {
            path = target::host(self.request).unwrap_or_default().to_owned();
        }
        if path.is_empty() {
            self.notes.push("the target is not known".to_owned());
            self.url = format!("{base}/");
        } else if path.starts_with('/') {
            self.url = format!("{base}{path}");
        } else {
            self.url = format!("{base}/");
            self.option("--request-target", &path);
        }
        if self.url.contains(['[', ']', '{', '}']) {
            self.options.push("--globoff".to_owned());
        }
        if path.contains("/.") {
            self.options.push("--path-as-is".to_owned());
        }
        if notes::is_redacted(&self.request.path) {
            self.hidden.push("path".to_owned());
        }
        if self
            .request
            .query
            .as_deref()
            .is_some_and(notes::is_redacted)
        {
            self.hidden.push("query".to_owned());
        }
    }

    fn version(&mut self) {
        let option = match self.request.version.as_str() {
            "HTTP/1.0" => "--http1.0",
            // With TLS, client and server negotiate it.
            "HTTP/2.0" if self.url.starts_with("http:") => "--http2-prior-knowledge",
            _ => return,
        };
        self.options.push(option.to_owned());
    }

    fn headers(&mut self) {
        let request = self.request;
        let named = target::field(&request.headers, "connection").unwrap_or_default();
        let named: Vec<_> = named.split(',').map(str::trim).collect();
        let is = |name: &str, list: &[&str]| list.iter().any(|n| n.eq_ignore_ascii_case(name));
        let mut odd = Vec::new();
        let untrue = {
            let raw = request.body.raw_bytes();
            let text = match &request.body.content {
                Some(Content::Text { text, .. }) => Some(text.as_bytes()),
                _ => None,
            };
            notes::untrue_of(&request.body, raw.as_deref().or(text))
        };
        for (name, value) in &request.headers {
            let needed = name.eq_ignore_ascii_case("te")
                && request.version == "HTTP/2.0"
                && value == "trailers";
            if name.eq_ignore_ascii_case("upgrade") {
                self.notes
                    .push("it asked for an upgrade of the connection".to_owned());
            }
            if !needed && (is(name, &NOT_SENT) || is(name, &named)) {
                continue;
            }
            if name.eq_ignore_ascii_case("content-encoding") && self.is_decoded() {
                self.notes
                    .push("the body was compressed, here it is not".to_owned());
                continue;
            }
            if is(name, untrue) {
                self.notes.push(format!(
                    "left out, because it describes other bytes: {name}"
                ));
                continue;
            }
            if !is_field(name, value) {
                odd.push(name.as_str());
                continue;
            }
            if notes::is_redacted(value) {
                self.hidden.push(format!("header {name}"));
            }
            let value = value.trim_matches([' ', '\t']);
            if value.is_empty() {
                self.option("-H", &format!("{name};"));
            } else {
                self.option("-H", &format!("{name}: {value}"));
            }
            self.sent.push(name);
            if name.eq_ignore_ascii_case("accept-encoding") {
                self.options.push("--compressed".to_owned());
            }
        }
        for name in ["user-agent", "accept"] {
            self.without(name);
        }
        if !odd.is_empty() {
            let odd = odd.join(", ");
            self.notes
                .push(format!("left out, not valid header fields: {odd}"));
        }
        let dropped = self.exchange.losses.headers_dropped;
        if dropped > 0 {
            self.notes
                .push(format!("{dropped} header fields are not in the exchange"));
        }
        if !request.trailers.is_empty() {
            self.notes.push("trailers are left out".to_owned());
        }
    }

    /// Prevents curl from sending a field of its own.
    fn without(&mut self, name: &str) {
        if !self.sent.iter().any(|sent| sent.eq_ignore_ascii_case(name)) {
            self.option("-H", &format!("{name}:"));
        }
    }

    /// Whether the exchange has the body without its content coding, or not at all.
    fn is_decoded(&self) -> bool {
        let body = &self.request.body;
        notes::is_coded(body) && body.raw.is_none()
    }

    fn body(&mut self) {
        let body = &self.request.body;
        for note in notes::of_body(body) {
            self.notes.push(format!("body: {note}"));
        }
        let length = target::field(&self.request.headers, "content-length");
        let bytes = match (body.raw_bytes(), &body.content) {
            (Some(bytes), _) => bytes,
            (None, Some(Content::Text { text, .. })) => {
                if notes::is_redacted(text) {
                    self.hidden.push("body".to_owned());
                }
                text.clone().into_bytes()
            }
            (None, None) if length == Some("0") => Vec::new(),
            _ => return,
        };
        if self.request.method == "HEAD" {
            if !bytes.is_empty() {
                let note = "the body is left out: curl sends none with HEAD";
                self.notes.push(note.to_owned());
            }
            return;
        }
        self.without("content-type");
        if bytes.len() >= EXPECTS {
            self.without("expect");
        }
        self.data = Some(Data::of(bytes));
    }

    fn method(&mut self) {
        let method = self.request.method.as_str();
        if let Some(hash) = hash_of(method) {
            // A placeholder in the form of a method.
            self.hidden.push("method".to_owned());
            self.options
                .insert(0, format!("-X {}", quote(&format!("~{hash}"))));
            return;
        }
        if !is_token(method) {
            self.notes.push("the method is not known".to_owned());
            return;
        }
        match (method, &self.data) {
            ("HEAD", _) => self.options.insert(0, "--head".to_owned()),
            ("GET", None) | ("POST", Some(_)) => {}
            _ => self.options.insert(0, format!("-X {}", quote(method))),
        }
    }

    /// The comment lines.
    fn comments(&self) -> Vec<String> {
        let Exchange {
            id,
            correlation,
            started_at,
            outcome,
            response,
            ..
        } = self.exchange;
        let mut first = format!("exchange {id}, correlation ID {}", correlation.id);
        let _ = write!(first, ", {started_at}: {outcome}");
        if let Some(response) = response {
            let _ = write!(first, ", status {}", response.status);
        }
        let mut lines = vec![first];
        if !self.hidden.is_empty() {
            let hidden = self.hidden.join(", ");
            lines.push(format!("pseudonyms replace what was sent: {hidden}"));
        }
        lines.extend(self.notes.iter().cloned());
        lines
    }
}

impl Display for Command<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in self.comments() {
            writeln!(f, "# {}", shell::comment(&line))?;
        }
        if let Some(Data::Input(text)) = &self.data {
            writeln!(f, "{text} |")?;
        }
        write!(f, "curl --url {}", quote(&self.url))?;
        for option in &self.options {
            write!(f, " \\\n  {option}")?;
        }
        match &self.data {
            Some(Data::Argument(text)) => write!(f, " \\\n  --data-raw {text}"),
            Some(Data::Input(_)) => write!(f, " \\\n  --data-binary @-"),
            None => Ok(()),
        }
    }
}

/// What a text that is a placeholder begins with.
fn hash_of(text: &str) -> Option<&str> {
    let inner = text.strip_prefix("[~")?.strip_suffix(']')?;
    let hash = inner.split(' ').next()?;
    (!hash.is_empty() && hash.bytes().all(|b| b.is_ascii_hexdigit())).then_some(hash)
}

/// Whether curl can send the field: others would end the field or the head.
fn is_field(name: &str, value: &str) -> bool {
    is_token(name) && value.bytes().all(|b| b == b'\t' || !b.is_ascii_control())
}

/// A token of RFC 9110, section 5.6.2.
fn is_token(text: &str) -> bool {
    let token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    !text.is_empty() && text.bytes().all(token)
}

#[cfg(test)]
mod tests;
