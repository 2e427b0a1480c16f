use super::*;
use crate::exchange::Content;

const KEY: &[u8] = b"0123456789abcdef0123456789abcdef";

pub(super) fn strict() -> Policy {
    Policy::strict().with_key("test", KEY).unwrap()
}

pub(super) fn by_name() -> Policy {
    Policy::by_name().with_key("test", KEY).unwrap()
}

/// Replaces every hash by `#`, so that expectations can be read.
pub(super) fn plain(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("[~") {
        out.push_str(before);
        out.push_str("[~");
        rest = after;
        if after.len() >= 16 && after.as_bytes()[..16].iter().all(u8::is_ascii_hexdigit) {
            out.push('#');
            rest = &after[16..];
        }
    }
    out + rest
}

pub(super) fn hash(value: &str) -> String {
    let [joined, _] = strict().key().hashes(value.as_bytes(), None);
    joined.unwrap()
}

pub(super) fn salt() -> Salt {
    Salt::from_bits(7).unwrap()
}

fn json(policy: &Policy, body: &str) -> String {
    match Redactor::new(policy).body(Some("application/json"), None, body.as_bytes(), true) {
        Content::Text { text, unparsed: 0 } => plain(&text),
        Content::Text { text, unparsed } => format!("{} +{unparsed}", plain(&text)),
        Content::Opaque { length, .. } => format!("opaque {length}"),
    }
}

fn prefix(policy: &Policy, body: &str) -> String {
    match Redactor::new(policy).body(Some("application/json"), None, body.as_bytes(), false) {
        Content::Text { text, .. } => plain(&text),
        Content::Opaque { length, .. } => format!("opaque {length}"),
    }
}

fn header(policy: &Policy, name: &str, value: &str) -> String {
    plain(&Redactor::new(policy).header(name, value.as_bytes(), false))
}

#[test]
fn policies_tell_their_names_and_not_their_keys() {
    assert_eq!(Policy::default().name(), "strict");
    assert_eq!(Policy::by_name().name(), "by_name");
    let id = Policy::strict().key_id().to_owned();
    assert!(id.starts_with("process-") && id.len() == 16, "{id}");
    assert_eq!(Policy::by_name().key_id(), id);
    assert_eq!(strict().key_id(), "test");
    assert_eq!(
        format!("{:?}", strict()),
        r#"Policy { name: "strict", key_id: "test", .. }"#
    );
    let error = Policy::strict().with_key("k", b"short").unwrap_err();
    assert_eq!(error, PolicyError::KeyTooShort { length: 5 });
    assert_eq!(
        error.to_string(),
        "the key has 5 bytes; it needs at least 16"
    );
}

#[test]
fn headers() {
    let p = strict();
    for (name, value, expected) in [
        ("accept", "text/html, */*;q=0.8", "text/html, */*;q=0.8"),
        ("Content-Type", "application/json", "application/json"),
        (
            "user-agent",
            "bot (a@example.com)",
            "bot ([~# len=13 ascii mixed])",
        ),
        ("x-tenant", "acme", "[~# len=4 ascii alpha]"),
        ("x-empty", "", "[~ empty]"),
        (
            "authorization",
            "Bearer abc",
            "Bearer [~# len=3 ascii alpha]",
        ),
        ("authorization", "Custom abc", "[~# len=10 ascii mixed]"),
        ("authorization", "abc", "[~# len=3 ascii alpha]"),
        (
            "cookie",
            "sid=abc; t=x y;z",
            "sid=[~# len=3 ascii alpha]; t=[~# len=3 ascii mixed];[~# len=1 ascii alpha]",
        ),
        (
            "set-cookie",
            "sid=abc; Path=/; HttpOnly; x=y",
            "sid=[~# len=3 ascii alpha]; Path=/; HttpOnly; x=[~# len=1 ascii alpha]",
        ),
        (
            "location",
            "https://u:p@h.example:80/a/12?page=2&x=1#f",
            "https://[~# len=3 ascii mixed]@h.example:80/[~# len=1 ascii alpha]/12?page=2&x=%5B~#%20len%3D1%20ascii%20digits%5D#[~# len=1 ascii alpha]",
        ),
        ("referer", "/a/12", "/[~# len=1 ascii alpha]/12"),
        (
            "traceparent",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        ),
        (
            "traceparent",
            "00-4bf92f3577b34da6a3ce929d0e0e4736",
            "[~# len=35 ascii mixed]",
        ),
        ("content-disposition", "attachment", "attachment"),
    ] {
        let got = header(&p, name, value).replace("%5B~", "[~");
        let got = plain(&got).replace("[~#%20", "%5B~#%20");
        assert_eq!(got, expected, "{name}: {value}");
    }
    assert_eq!(header(&by_name(), "x-tenant", "acme"), "acme");
    assert_eq!(
        header(&by_name(), "x-api-key", "acme"),
        "[~# len=4 ascii alpha]"
    );
    assert_eq!(
        header(
            &p.clone().header("X-Tenant", Action::Keep),
            "x-tenant",
            "acme"
        ),
        "acme"
    );
    let denied = p.header("x-tenant", Action::Keep).deny_name("tenant");
    assert_eq!(
        header(&denied, "x-tenant", "acme"),
        "[~# len=4 ascii alpha]"
    );
    let mut r = Redactor::new(&denied);
    assert!(is_placeholder(&r.header("accept", b"*/*", true)));
    assert!(is_placeholder(&r.header("accept", b"\xff*", false)));
}

#[test]
fn paths() {
    let p = strict();
    let path = |path, route| plain(&Redactor::new(&p).path(path, route));
    assert_eq!(
        path("/users/12/bob", Some("/users/{id}/{name}")),
        "/users/12/[~# len=3 ascii alpha]"
    );
    assert_eq!(
        path("/users/4111111111111111", Some("/users/{id}")),
        "/users/[~# len=16 ascii digits]"
    );
    assert_eq!(
        path("/reset/12", Some("/reset/{token}")),
        "/reset/[~# len=2 ascii digits]"
    );
    assert_eq!(
        path("/f/a/1", Some("/f/{*rest}")),
        "/f/[~# len=1 ascii alpha]/1"
    );
    assert_eq!(
        path("/users/12", Some("/orders/{id}")),
        "/[~# len=5 ascii alpha]/12"
    );
    assert_eq!(path("/users/12/", None), "/[~# len=5 ascii alpha]/12/");
    assert_eq!(path("/1234567890", None), "/[~# len=10 ascii digits]");
    assert_eq!(path("/users/12", Some("/users/:id")), "/users/12");
    assert_eq!(path("*", None), "*");
    let open = strict().allow_unmatched_paths();
    assert_eq!(Redactor::new(&open).path("/users/bob", None), "/users/bob");
    assert_eq!(
        plain(&Redactor::new(&open).path("/users/a%40b.de", None)),
        "/users/[~# len=6 ascii mixed]"
    );
}

#[test]
fn queries() {
    let p = strict().query("q", Action::Keep);
    let query = |query| {
        let out = Redactor::new(&p).query(query);
        let uri = format!("/?{out}");
        assert!(uri.parse::<http::uri::PathAndQuery>().is_ok(), "{out}");
        plain(&String::from_utf8(decode::form(&out)).unwrap())
    };
    assert_eq!(
        query("page=2&q=a+b&x=1&e="),
        "page=2&q=a b&x=[~# len=1 ascii digits]&e="
    );
    assert_eq!(
        query("token=a&page=a%40b.de"),
        "token=[~# len=1 ascii alpha]&page=[~# len=6 ascii mixed]"
    );
    assert_eq!(
        query("secret&filter[a]=1"),
        "[~# len=6 ascii alpha]&filter[a]=[~# len=1 ascii digits]"
    );
    assert_eq!(
        query("a%40b.de=1&%ff=2"),
        "[~# len=6 ascii mixed]=[~# len=1 ascii digits]&[~# bytes=1 binary]=[~# len=1 ascii digits]"
    );
    assert_eq!(query(""), "");
}

#[test]
fn json_strict() {
    let p = strict().field("sku", Action::Keep);
    for (body, expected) in [
        (
            r#"{"id": 12 ,"ok":true,"n":null}"#,
            r#"{"id": 12 ,"ok":true,"n":null}"#,
        ),
        (
            r#"{"name":"Zo\u00eb","e":""}"#,
            r#"{"name":"[~# len=3 bytes=4 unicode alpha]","e":"[~ empty]"}"#,
        ),
        (
            r#"{"status":"paid","sku":"A-100045"}"#,
            r#"{"status":"paid","sku":"A-100045"}"#,
        ),
        (
            r#"{"status":"a@b.de","code":"482913"}"#,
            r#"{"status":"[~# len=6 ascii mixed]","code":"[~# len=6 ascii digits]"}"#,
        ),
        (
            r#"{"p\u0061ssword":12.5,"a":1}"#,
            r#"{"p\u0061ssword":"[~# num 2digits frac]","a":1}"#,
        ),
        (
            r#"{"credentials":{"a":[1,true,null,"x"],"u1":2},"b":3}"#,
            r#"{"credentials":{"[~# len=1 ascii alpha]":["[~# num 1digits]","[~ bool]",null,"[~# len=1 ascii alpha]"],"[~# len=2 ascii alnum]":"[~# num 1digits]"},"b":3}"#,
        ),
        (r#"{"status":["a","b"]}"#, r#"{"status":["a","b"]}"#),
        ("[4111111111111111]", r#"["[~# num 16digits]"]"#),
        (r#"{"a@b.de":1}"#, r#"{"[~# len=6 ascii mixed]":1}"#),
        (
            r#"{"a":1,"a":"x"}"#,
            r#"{"a":1,"a":"[~# len=1 ascii alpha]"}"#,
        ),
        (r#"{"a":1} junk"#, r#"{"a":1}  +4"#),
        (r#"{"a":1,}"#, r#"{"a":1, +1"#),
        ("[1 2]", "[ +4"),
        ("4111 1111", "opaque 9"),
        ("hunter2", "opaque 7"),
        (r#"{"hunter2"}"#, "{ +10"),
        (r#""x""#, r#""[~# len=1 ascii alpha]""#),
        ("12", "12"),
        ("", ""),
        ("[\"a\nb\"]", "[ +6"),
        ("\u{feff}[1]", "\u{feff}[1]"),
        (
            "\u{feff} {\"a\":\"x\"}",
            "\u{feff} {\"a\":\"[~# len=1 ascii alpha]\"}",
        ),
        ("[01]", "[ +3"),
    ] {
        assert_eq!(json(&p, body), expected, "{body}");
    }
    let deep = "[".repeat(200);
    assert_eq!(json(&p, &deep), format!("{} +72", "[".repeat(128)));
}

#[test]
fn json_cut() {
    let p = strict();
    assert_eq!(
        prefix(&p, r#"{"a":"hun"#),
        r#"{"a":"[~# len=3 ascii alpha cut]""#
    );
    assert_eq!(prefix(&p, r#"{"a":411"#), r#"{"a":"[~# num 3digits cut]""#);
    assert_eq!(prefix(&p, r#"{"passw"#), r#"{"[~# len=5 ascii alpha cut]""#);
    assert_eq!(
        prefix(&p, r#"{"a":"x\u00"#),
        r#"{"a":"[~# len=1 ascii alpha cut]""#
    );
    assert_eq!(prefix(&p, r#"{"a":1,"b":[tr"#), r#"{"a":1,"b":["#);
    assert_eq!(
        prefix(&by_name(), r#"{"a":"hun"#),
        r#"{"a":"[~# len=3 ascii alpha cut]""#
    );
}

#[test]
fn json_by_name() {
    let p = by_name();
    for (body, expected) in [
        (
            r#"{"name":"Bob","token":"x"}"#,
            r#"{"name":"Bob","token":"[~# len=1 ascii alpha]"}"#,
        ),
        (
            r#"{"note":"mail a@b.de"}"#,
            r#"{"note":"[~# len=11 ascii mixed]"}"#,
        ),
        (
            r#"{"raw":"{\"pin\":1234,\"a\":\"b\"}"}"#,
            r#"{"raw":"{\"pin\":\"[~# num 4digits]\",\"a\":\"b\"}"}"#,
        ),
        (r#"{"raw":"{\"a\":\"b\"}"}"#, r#"{"raw":"{\"a\":\"b\"}"}"#),
        (
            r#"{"raw":"[info] x"}"#,
            r#"{"raw":"[~# len=8 ascii mixed]"}"#,
        ),
    ] {
        assert_eq!(json(&p, body), expected, "{body}");
    }
}

#[test]
fn forms() {
    let p = strict();
    let form = |body: &str, ended| match Redactor::new(&p).body(
        Some("application/x-www-form-urlencoded; charset=UTF-8"),
        None,
        body.as_bytes(),
        ended,
    ) {
        Content::Text { text, .. } => plain(&String::from_utf8(decode::form(&text)).unwrap()),
        Content::Opaque { .. } => "opaque".to_owned(),
    };
    assert_eq!(
        form("id=12&name=Bob&pin=1&e=", true),
        "id=12&name=[~# len=3 ascii alpha]&pin=[~# len=1 ascii digits]&e="
    );
    assert_eq!(
        form("id=12&status=paid", false),
        "id=12&status=[~# len=4 ascii alpha cut]"
    );
    assert_eq!(form("hunter2", true), "[~# len=7 ascii alnum]");
    assert_eq!(form(r#"{"a":"x=y"}"#, true), "opaque");
}

#[test]
fn bodies_that_are_not_understood() {
    let p = strict();
    for (kind, coding, body, why) in [
        (None, None, "{}", "format"),
        (Some("image/png"), None, "{}", "format"),
        (Some("text/plain"), None, "{}", "policy"),
        (Some("application/json"), None, "ab", "broken"),
        (
            Some("application/json; charset=utf-16"),
            None,
            "{}",
            "format",
        ),
        (Some("application/json"), Some("gzip"), "{}", "coding"),
        (
            Some("application/json"),
            Some("identity, gzip"),
            "{}",
            "coding",
        ),
    ] {
        let mut r = Redactor::new(&p).of(salt());
        let content = r.body(kind, coding, body.as_bytes(), true);
        let [_, own] = p.key().hashes(body.as_bytes(), Some(salt()));
        assert_eq!(
            content,
            Content::Opaque {
                length: 2,
                hash: own.unwrap(),
                why: Some(why.to_owned()),
            },
            "{kind:?}"
        );
    }
    let kind = Some("Application/Problem+JSON; charset=\"utf-8\"");
    let content = Redactor::new(&p).body(kind, Some("identity"), b"{}", true);
    assert_eq!(
        content,
        Content::Text {
            text: "{}".into(),
            unparsed: 0
        }
    );
}

#[test]
fn urls_whose_host_is_unclear_go_whole() {
    for url in ["https://u:p/w@h.example/x", "https://a b/x", "//u:p?@h"] {
        let out = Redactor::new(&strict()).header("location", url.as_bytes(), false);
        assert!(is_placeholder(&out), "{url}: {out}");
    }
    let out = header(&strict(), "location", "https://[::1]:80/1");
    assert_eq!(out, "https://[::1]:80/1");
}
