//! Doors for the fuzz targets into what is private otherwise.

use crate::{
    exchange::{Content, Exchange},
    export::har,
    find::Filter,
    id::{Carried, TraceContext, TraceId},
    recorder::{Framing, Items, StreamLimits},
    redact::{Policy, Redactor},
    selection::{Described, Rules, Steering, VERBOSE_HEADER},
    token::{TokenKey, Tokens},
};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use std::{sync::LazyLock, time::SystemTime};

/// A secret that no redacted output may hold.
pub const SECRET: &str = "hunter2-correct-horse";

/// Redacts a body and then a text; whatever the input, nothing panics, and a
/// body that plants the secret as a string never shows it.
pub fn redact(kind: u8, ended: bool, body: &[u8], text: &str) {
    for policy in [Policy::strict(), Policy::by_name()] {
        let mut redactor = Redactor::new(&policy);
        let content_type = match kind % 4 {
            0 => "application/json",
            1 => "application/x-www-form-urlencoded",
            2 => "text/plain",
            _ => "application/problem+json; charset=utf-8",
        };
        let content = redactor.body(Some(content_type), None, body, ended);
        redactor.query(text);
        redactor.path(text, None);
        redactor.header("cookie", text.as_bytes(), false);
        redactor.header("location", text.as_bytes(), false);
        redactor.header("authorization", text.as_bytes(), false);
        let scrubber = redactor.into_scrubber();
        let _ = scrubber.text(text);
        if let Content::Text { text, .. } = content {
            let _ = scrubber.text(&text);
        }
    }
}

/// Plants the secret as the value of `password` beside arbitrary JSON and cuts
/// the whole anywhere: it must not come out.
pub fn planted(before: &str, after: &str, cut: usize) {
    let before = serde_json::to_string(before).unwrap_or_default();
    let body = format!("{{{before}:[1,{{\"passWord\":\"{SECRET}\"}}],{after}");
    let body = body.as_bytes();
    let body = body.get(..cut % (body.len() + 1)).unwrap_or(body);
    let policy = Policy::strict();
    let mut redactor = Redactor::new(&policy);
    let content = redactor.body(Some("application/json"), None, body, false);
    let written = serde_json::to_string(&content).unwrap_or_default();
    assert!(!written.contains(SECRET) || before.contains(SECRET) || after.contains(SECRET));
    let scrubbed = redactor.into_scrubber();
    let line = format!("login with {SECRET} failed");
    let whole = body.windows(SECRET.len()).any(|w| w == SECRET.as_bytes());
    assert!(!whole || !scrubbed.text(&line).contains(SECRET));
}

/// The media types that are understood, and one that is not.
const TYPES: [&str; 12] = [
    "application/json",
    "application/x-ndjson",
    "application/json-seq",
    "text/event-stream",
    "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=xx",
    "multipart/mixed; boundary=\"--\"",
    "application/xml",
    "application/graphql",
    "text/plain",
    "application/soap+xml; charset=utf-8",
    "image/png",
];

/// A body of any format, with a secret as a value somewhere, under both policies:
/// where the format is whole JSON or a form, the secret never shows.
pub fn format(kind: u8, ended: bool, before: &[u8], after: &[u8]) {
    let content_type = TYPES[usize::from(kind) % TYPES.len()];
    let secret = SECRET.as_bytes();
    let body = [before, secret, after].concat();
    let planted = !before
        .windows(4)
        .chain(after.windows(4))
        .any(|w| w == &secret[..4]);
    for policy in [Policy::strict(), Policy::by_name()] {
        let mut redactor = Redactor::new(&policy);
        let content = redactor.body(Some(content_type), None, &body, ended);
        if policy.name() == "strict"
            && planted
            && let Content::Text { text, .. } = &content
        {
            // As a name, a field's or an element's, it may stay.
            let named = ["{", "<", "name", "=", "\"", "&"];
            assert!(
                !text.contains(SECRET) || named.iter().any(|n| text.contains(n)),
                "{text}"
            );
        }
        let _ = redactor.into_scrubber().text("a text");
    }
}

/// A body with a content coding: nothing panics, and nothing grows beyond the cap.
pub fn coding(kind: u8, coding: u8, ended: bool, body: &[u8]) {
    let codings = [
        "gzip",
        "deflate",
        "br",
        "zstd",
        "gzip, br",
        "deflate, zstd, gzip",
        "x",
    ];
    let coding = codings[usize::from(coding) % codings.len()];
    let content_type = TYPES[usize::from(kind) % TYPES.len()];
    let policy = Policy::by_name();
    let mut redactor = Redactor::new(&policy);
    let content = redactor.body(Some(content_type), Some(coding), body, ended);
    if let Content::Text { text, .. } = content {
        assert!(text.len() < 16 << 20, "{}", text.len());
    }
}

/// Reads a policy. What is read gives a model that is read as the same, and
/// redacts.
pub fn policy(text: &str, body: &[u8]) {
    let Ok(policy) = Policy::from_toml(text) else {
        return;
    };
    let form = serde_json::to_value(&policy).unwrap_or_default();
    if form.get("key").is_none() {
        let again: Option<Policy> = serde_json::from_value(form).ok();
        assert_eq!(again.as_ref().map(Policy::model), Some(policy.model()));
    }
    let mut redactor = Redactor::new(&policy);
    redactor.body(Some("application/json"), None, body, true);
    redactor.header("cookie", body, false);
    redactor.query(text);
}

/// Reads an inbound head.
pub fn head(values: &[&[u8]]) {
    let mut headers = HeaderMap::new();
    for value in values {
        if let Ok(value) = HeaderValue::from_bytes(value) {
            let _ = crate::correlation::CorrelationId::from_header(&value, |_| true);
            headers.append("traceparent", value);
        }
    }
    let _ = TraceContext::parent(&headers);
}

/// Reads the trace headers of a request, and writes those of a call: what goes
/// out is valid and read again as the same.
pub fn trace(fields: &[(u8, &[u8])]) {
    let mut headers = HeaderMap::new();
    for (name, value) in fields {
        let name = ["traceparent", "tracestate", "baggage"][usize::from(name % 3)];
        if let Ok(value) = HeaderValue::from_bytes(value) {
            headers.append(name, value);
        }
    }
    let read = |headers: &HeaderMap| {
        let parent = TraceContext::parent(headers);
        let carried = Carried::from_headers(headers, parent);
        TraceContext::inbound(parent, carried, || {
            TraceId::mint_at(std::time::SystemTime::now())
        })
    };
    let here = read(&headers);
    let mut sent = HeaderMap::new();
    here.propagate(&mut sent);
    here.propagate_baggage(&mut sent);
    let there = read(&sent);
    assert_eq!(there.trace_id(), here.trace_id());
    assert!(there.parent_id().is_some_and(|id| id != here.span_id()));
    assert_eq!(there.flags(), here.flags());
    assert_eq!(there.trace_state(), here.trace_state());
    assert_eq!(there.baggage(), here.baggage());
}

/// Reads rules, TOML or JSON. What is read is written and read again as the same,
/// and the compiled rules select what their explanation says.
pub fn rules(text: &str) {
    let rules = Rules::from_toml(text).or_else(|_| Rules::from_json(text));
    let Ok(rules) = rules else { return };
    let written = serde_json::to_string(&rules).unwrap_or_default();
    assert_eq!(Rules::from_json(&written).as_ref(), Ok(&rules), "{written}");
    let now = SystemTime::now();
    let _ = rules.check(now);
    for facts in [&[][..], &[("tenant", "acme"), ("user", "u")]] {
        let uri = "/orders/7?a=1&b=%20x".parse().unwrap_or_default();
        let mut request = Described::new(Method::POST, uri).at(now);
        for (name, value) in [
            ("host", "example.org:80"),
            ("cookie", "a=1; b=2"),
            ("x-a", "1"),
        ] {
            let name = HeaderName::from_static(name);
            request = request.header(name, HeaderValue::from_static(value));
        }
        for (name, value) in facts {
            request = request.fact(*name, *value);
        }
        let why = rules.why(&request);
        let steering = Steering::new().rules(rules.clone());
        let selected = steering.selects(&request);
        // `why` asks each rule by itself, however much work all are together.
        if steering.status().beyond_work == 0 {
            let expected = why.into_iter().find(|why| why.selects());
            assert_eq!(selected, expected.map(|why| why.name), "{written}");
        }
    }
}

/// Reads what a client sent as a token, as it came and as the claims of one that is
/// signed, and as a key. Nothing that is not signed is accepted; what is signed says
/// an end within the hour.
pub fn token(bytes: &[u8]) {
    static KEYS: LazyLock<Option<[TokenKey; 2]>> = LazyLock::new(|| {
        let secret = TokenKey::hs256("h", &[1; 32]).ok()?;
        Some([secret, TokenKey::ed25519_private("e", &[2; 32]).ok()?])
    });
    let Some(keys @ [secret, _]) = &*KEYS else {
        return;
    };
    let tokens = Tokens::new(keys.clone()).bad_signatures_per_second(u32::MAX);
    let request = Described::new(Method::GET, "/orders/7".parse().unwrap_or_default());
    let accept = |value: &[u8]| {
        let value = HeaderValue::from_bytes(value).ok()?;
        let headers = HeaderMap::from_iter([(VERBOSE_HEADER, value)]);
        tokens.accept(&headers, &request.arrival())?.ok()
    };
    assert!(accept(bytes).is_none());
    let signed = secret.sign(bytes).unwrap_or_default();
    if let Some(accepted) = accept(signed.as_bytes()) {
        let left = accepted.rule().expires().duration_since(SystemTime::now());
        assert!(left.map_or(true, |left| left.as_secs() <= 3600 + 30));
    }
    if let Ok(text) = std::str::from_utf8(bytes)
        && let Ok(key) = TokenKey::from_jwk(text)
    {
        let again = TokenKey::from_jwk(&key.to_jwk());
        assert_eq!(again.map(|key| key.to_jwk()), Ok(key.to_jwk()));
    }
}

/// A value that was hidden, in a text: it does not come out of it.
pub fn scrub(value: &str, before: &str, after: &str) {
    let value = value.trim();
    // Shorter ones are looked for as words alone; what a placeholder could hold by
    // chance is none.
    let letters = |c: &char| c.is_alphabetic() && !c.is_ascii_hexdigit();
    if value.chars().count() < 6 || value.chars().filter(letters).count() < 3 {
        return;
    }
    let policy = Policy::by_name();
    let mut redactor = Redactor::new(&policy);
    redactor.remember(value);
    let scrubber = redactor.into_scrubber();
    let text = format!("{before} {value} {after}");
    if before.contains(value) || after.contains(value) || text.contains("[~") {
        let _ = scrubber.text(&text);
        return;
    }
    assert!(!scrubber.text(&text).contains(value), "{text}");
    let debug = format!("{before} {value:?} {after}");
    assert!(!scrubber.text(&debug).contains(value), "{debug}");
}

/// The head of a message: what no list allows does not stay in a header, wherever
/// in its value it is.
pub fn fields(name: &str, before: &[u8], after: &[u8]) {
    let value = [before, SECRET.as_bytes(), after].concat();
    let planted = !before
        .windows(4)
        .chain(after.windows(4))
        .any(|w| w == &SECRET.as_bytes()[..4]);
    for policy in [Policy::strict(), Policy::by_name()] {
        let mut redactor = Redactor::new(&policy);
        for name in [
            "cookie",
            "set-cookie",
            "forwarded",
            "link",
            "location",
            "referer",
            name,
        ] {
            redactor.header(name, &value, false);
        }
        for name in [
            "x-other",
            "proxy-authorization",
            "grpc-message",
            "user-agent",
        ] {
            let sensitive = name == "user-agent";
            let written = redactor.header(name, &value, sensitive);
            let hidden = policy.name() == "strict" && name != "proxy-authorization";
            assert!(
                !(hidden && planted) || !written.contains(SECRET),
                "{name}: {written}"
            );
        }
        let text = String::from_utf8_lossy(&value);
        redactor.path(&text, Some(name));
        redactor.query(&text);
        let uri = text.parse::<http::Uri>().unwrap_or_default();
        redactor.user_of(&uri);
    }
}

/// Items of a stream: as many, whatever the chunks are.
pub fn items(framing: u8, chunk: u8, bytes: &[u8]) {
    let framings = [Framing::Events, Framing::Lines, Framing::Messages];
    let framing = framings[usize::from(framing) % framings.len()];
    let limits = StreamLimits {
        items: u64::MAX,
        time: std::time::Duration::MAX,
    };
    let mut whole = Items::new(framing, limits);
    assert_eq!(whole.feed(bytes), bytes.len());
    let mut parts = Items::new(framing, limits);
    for chunk in bytes.chunks(usize::from(chunk).max(1)) {
        assert_eq!(parts.feed(chunk), chunk.len());
    }
    for ended in [false, true] {
        assert_eq!(whole.count(ended), parts.count(ended));
    }
}

/// An exchange as a file has it, exported: nothing panics, and no control character
/// gets into a shell.
pub fn exports(line: &[u8]) {
    let Ok(exchange) = serde_json::from_slice::<Exchange>(line) else {
        return;
    };
    let _ = har::from_exchanges([&exchange]).to_string();
    let command = exchange.to_curl(None);
    assert!(!command.contains(|c: char| c.is_control() && c != '\n' && c != '\t'));
}

/// The search of the kit for users: it finds what is there, and ends.
pub fn kit(before: &[u8], after: &[u8]) {
    let mut secrets = crate::redact::testing::Secrets::new();
    secrets.add("a secret", SECRET);
    let output = [before, b" ", SECRET.as_bytes(), b" ", after].concat();
    assert!(!secrets.leaks(&output).is_empty());
    let _ = secrets.leaks(after);
}

/// Entries of an index and the file that they may be of: none makes up an exchange.
pub fn index(file: &[u8], entries: &[u8]) {
    crate::export::json_lines::any_index(file, entries);
}

/// Conditions of lists, as the command line and the admin router read them.
pub fn filter(name: &str, value: &str) {
    let mut filter = Filter::default();
    for name in [
        "since", "until", "route", "status", "outcome", "kept_for", name,
    ] {
        let _ = filter.add(name, value);
    }
}
