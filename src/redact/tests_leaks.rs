//! Values that leaked once, each in its place.

use super::{
    tests::{by_name, plain, strict},
    *,
};
use crate::exchange::Content;

/// Returns what is written of a request, and of a text of its service.
struct Shown {
    body: String,
    text: String,
}

fn body(policy: &Policy, kind: &str, coding: Option<&str>, bytes: &[u8], said: &str) -> Shown {
    let mut r = Redactor::new(policy);
    let body = match r.body(Some(kind), coding, bytes, true) {
        Content::Text { text, .. } => text,
        Content::Opaque { .. } => String::new(),
    };
    Shown {
        body,
        text: r.into_scrubber().text(said).into_owned(),
    }
}

#[track_caller]
fn hides(kind: &str, bytes: &[u8], said: &str) {
    for policy in [strict(), by_name()] {
        let shown = body(&policy, kind, None, bytes, &format!("it was {said}, so"));
        let name = policy.name();
        assert!(!shown.text.contains(said), "{name}: {}", shown.text);
        assert!(!shown.body.contains(said), "{name}: {}", shown.body);
    }
}

#[test]
fn a_value_behind_a_name_inside_of_a_longer_one() {
    for text in [
        "login with api_key=hunterseven, failed",
        "https://example.org/?x=1&api_key=hunterseven&y=2",
        "x=1&%61pi_key=hunterseven",
        "/x?next=%2Fy%3Fapi_key%3Dhunterseven",
        "&lt;a api_key=&quot;hunterseven&quot;/&gt;",
        "{&quot;api_key&quot;:&#34;hunterseven&#34;}",
        "postgres://hunterseven@db/orders",
    ] {
        let json = serde_json::json!({ "note": text }).to_string();
        hides("application/json", json.as_bytes(), "hunterseven");
    }
}

#[test]
fn names_in_escapes() {
    let name: String = "verification_code"
        .bytes()
        .map(|b| format!("\\u{b:04x}"))
        .collect();
    let json = format!(r#"{{"name":"{name}","value":"hunterseven"}}"#);
    hides("application/json", json.as_bytes(), "hunterseven");
    let form = "payload=%7B%22pass%5Cu0077ord%22%3A%22hunterseven%22%7D";
    hides(
        "application/x-www-form-urlencoded",
        form.as_bytes(),
        "hunterseven",
    );
    let form = "payload=%7B%22key%22%3A%22pin%22%2C%22value%22%3A%22hunterseven%22%7D";
    hides(
        "application/x-www-form-urlencoded",
        form.as_bytes(),
        "hunterseven",
    );
}

#[test]
fn json_under_the_name_of_graphql() {
    let json = br#"{ "raw": "{\"password\":\"hunter\\u0020seven\"}" }"#;
    hides("application/graphql", json, "hunter seven");
}

#[test]
fn parts_of_multipart() {
    let head = "--x\r\nContent-Disposition: form-data; name=\"doc\"\r\n";
    let body = format!("{head}Content-Type: text/plain; name=hunterseven\r\n\r\na\r\n--x--");
    hides(
        "multipart/form-data; boundary=x",
        body.as_bytes(),
        "hunterseven",
    );
    let body = format!("{head}Content-Type: text/plain\r\n\r\nsee hunterseven.\r\n--x--");
    let strict = self::body(
        &strict(),
        "multipart/form-data; boundary=x",
        None,
        body.as_bytes(),
        "hunterseven",
    );
    assert!(!strict.text.contains("hunterseven"), "{}", strict.text);
}

#[test]
fn words_of_unknown_bodies_without_what_is_around_them() {
    for body in [
        "see hunterseven!",
        "<?note hunterseven?>",
        "a=hunter%2573even",
        "&#x68;unterseven",
        r#"{"a":"x=1&b=hunter%73even"#,
    ] {
        hides("text/html", body.as_bytes(), "hunterseven");
    }
}

#[test]
fn wide_characters_with_escapes() {
    let json = r#"{"漢字":"\u0068unterseven","b":"hunter漢字eight"}"#;
    let wide: Vec<u8> = json.encode_utf16().flat_map(u16::to_le_bytes).collect();
    hides("application/json", &wide, "hunterseven");
    hides("application/json", &wide, "hunter漢字eight");
}

#[test]
fn text_that_is_said_to_be_compressed() {
    let json = br#"{"pin":"hunter\u0073even","n":1}"#;
    for coding in ["br", "deflate", "gzip", "zstd", "x-own"] {
        let shown = body(
            &strict(),
            "application/json",
            Some(coding),
            json,
            "hunterseven",
        );
        assert!(!shown.text.contains("hunterseven"), "{coding}");
    }
}

#[cfg(feature = "compression")]
#[test]
fn compressed_bytes_in_which_another_format_finds_something() {
    let part = "Content-Disposition: form-data; name=\"pin\"\r\n\r\n90417352\r\n----";
    let plain = format!("----\r\n{part}\r\n{part}--");
    let level = ruzstd::encoding::CompressionLevel::Uncompressed;
    let zstd = ruzstd::encoding::compress_to_vec(plain.as_bytes(), level);
    hides("multipart/form-data; boundary=\"--\"", &zstd, "90417352");
}

#[test]
fn parts_of_headers() {
    let policy = strict();
    let mut r = Redactor::new(&policy);
    r.header("sec-websocket-protocol", b"chat, bearer.hunterseven", false);
    r.header(
        "content-disposition",
        b"attachment; filename*=UTF-8''hunter%2Feight; x=1",
        false,
    );
    r.header(
        "cookie",
        b"a=hunter%256eine; b=%7B%22u%22%3A%22hunter%5C%22ten%22%7D",
        false,
    );
    r.user_of(&"http://huntereleven:x@example.org/".parse().unwrap());
    let scrubber = r.into_scrubber();
    for said in [
        "hunterseven",
        "hunter/eight",
        "hunternine",
        "hunter\"ten",
        "huntereleven",
    ] {
        assert!(!scrubber.text(said).contains(said), "{said}");
    }
    let mut r = Redactor::new(&policy);
    let by_name = by_name();
    assert!(is_placeholder(&r.header("proxy-authenticate", b"a", false)));
    let mut r = Redactor::new(&by_name);
    assert!(is_placeholder(&r.header("proxy-authenticate", b"a", false)));
}

#[track_caller]
fn header(name: &str, value: &str) -> String {
    let policy = strict();
    let mut r = Redactor::new(&policy);
    plain(&r.header(name, value.as_bytes(), false))
}

#[test]
fn values_in_odd_places_of_headers() {
    for (name, value, expected) in [
        (
            "set-cookie",
            "a=1; Path=/customers/quvex; Domain=.shop.example; Expires=Wed, 21 Oct 2026 07:28:00 GMT; Max-Age=60; SameSite=Lax",
            "a=[~# len=1 ascii digits]; Path=/[~# len=9 ascii alpha]/[~# len=5 ascii alpha]; Domain=.shop.example; Expires=Wed, 21 Oct 2026 07:28:00 GMT; Max-Age=60; SameSite=Lax",
        ),
        (
            "set-cookie",
            "a=1; domain=quvex moltrin; expires=quvex; max-age=quvex; samesite=quvex; priority=quvex; httponly=quvex; path=/",
            "a=[~# len=1 ascii digits]; domain=[~# len=13 ascii mixed]; expires=[~# len=5 ascii alpha]; max-age=[~# len=5 ascii alpha]; samesite=[~# len=5 ascii alpha]; priority=[~# len=5 ascii alpha]; httponly=[~# len=5 ascii alpha]; path=/",
        ),
        (
            "location",
            "/reset/quvexkey/https://shop.example/1",
            "/[~# len=5 ascii alpha]/[~# len=8 ascii alpha]/[~# len=6 ascii mixed]//[~# len=12 ascii mixed]/1",
        ),
        ("location", "//shop.example/1", "//shop.example/1"),
        (
            "location",
            "git+ssh://shop.example/1",
            "git+ssh://shop.example/1",
        ),
        (
            "location",
            "mailto:quvex@x",
            "mailto:[~# len=7 ascii mixed]",
        ),
        (
            "location",
            "javascript:quvex()",
            "javascript:[~# len=7 ascii mixed]",
        ),
        ("location", "data:,quvex", "data:[~# len=6 ascii mixed]"),
        ("location", "quvex:moltrin", "[~# len=13 ascii mixed]"),
        ("location", "https:quvex", "[~# len=11 ascii mixed]"),
        (
            "location",
            "1quvex://h/1",
            "[~# len=7 ascii mixed]//[~# len=1 ascii alpha]/1",
        ),
        (
            "baggage",
            "user=quvex, tenant = ab;debug;k=v",
            "user=[~# len=5 ascii alpha], tenant =[~# len=2 ascii alpha];[~# len=5 ascii alpha];k=[~# len=1 ascii alpha]",
        ),
        (
            "forwarded",
            "for=\"[2001:db8::1]:47\";proto=https;by=quvex",
            "for=\"[~# len=16 ascii mixed]\";proto=https;by=[~# len=5 ascii alpha]",
        ),
        (
            "x-forwarded-for",
            "10.0.0.1, quvex",
            "[~# len=8 ascii mixed], [~# len=5 ascii alpha]",
        ),
        (
            "link",
            "</a/quvex>; rel=\"next last\"; title=quvex",
            "</[~# len=1 ascii alpha]/[~# len=5 ascii alpha]>; rel=\"next last\"; title=[~# len=5 ascii alpha]",
        ),
        (
            "content-disposition",
            "attachment; filename=\"a\\\"; b.pdf\"; filename*=UTF-8''quvex",
            "attachment; filename=\"[~# len=10 ascii mixed]\"; filename*=[~# len=12 ascii mixed]",
        ),
        (
            "authorization",
            "Digest username=\"bob, the\", qop=auth, quvex=1, uri=\"/a\"",
            "Digest username=\"[~# len=8 ascii mixed]\", qop=auth, [~# len=5 ascii alpha]=[~# len=1 ascii digits], uri=\"[~# len=2 ascii mixed]\"",
        ),
        (
            "content-type",
            "text/plain; charset=utf-8",
            "text/plain; charset=utf-8",
        ),
        (
            "content-type",
            "text/plain; name=\"quvex\"; charset=utf-8",
            "text/plain; name=\"[~# len=5 ascii alpha]\"; charset=utf-8",
        ),
        (
            "user-agent",
            "bot/1 (X11; rv:109.0; contact: quvex; user=quvex) x",
            "bot/1 (X11; rv:109.0; contact: [~# len=5 ascii alpha]; user=[~# len=5 ascii alpha]) x",
        ),
        ("host", "quvex:key@shop", "[~# len=14 ascii mixed]"),
        (
            "origin",
            "https://quvex:key@shop",
            "[~# len=22 ascii mixed]",
        ),
        ("origin", "null", "null"),
        ("etag", "W/\"quvex moltrin\"", "[~# len=17 ascii mixed]"),
        ("if-none-match", "\"a-1\", W/\"b\"", "\"a-1\", W/\"b\""),
        (
            "accept-language",
            "de-DE,de;q=0.9, *;q=0.1",
            "de-DE,de;q=0.9, *;q=0.1",
        ),
        ("accept-language", "quvexastr", "[~# len=9 ascii alpha]"),
        (
            "date",
            "Wed, 21 Oct 2026 07:28:00 GMT",
            "Wed, 21 Oct 2026 07:28:00 GMT",
        ),
        ("expires", "0", "0"),
        ("expires", "quvex", "[~# len=5 ascii alpha]"),
        ("range", "bytes=0-499, -5", "bytes=0-499, -5"),
        ("range", "quvex", "[~# len=5 ascii alpha]"),
        ("age", "quvex", "[~# len=5 ascii alpha]"),
        ("age", "", ""),
    ] {
        assert_eq!(header(name, value), expected, "{name}: {value}");
    }
}

#[test]
fn parts_of_values_that_services_say_alone() {
    let policy = strict();
    for (name, value, said) in [
        ("baggage", "user=quvex", "quvex"),
        ("baggage", "user=q%75vex;a=1", "quvex"),
        ("tracestate", "acme=zoe", "zoe"),
        ("x-user", "id=zoe;x=1", "zoe"),
        ("forwarded", "for=\"zoe\"", "zoe"),
        ("authorization", "Digest username=\"zoe\"", "zoe"),
        ("location", "https://zoe:quvex@h/", "zoe"),
        ("location", "https://zoe:quvex@h/", "quvex"),
        ("location", "/go/https%3A%2F%2Fzoe%3Aquvex%40h%2F", "zoe"),
        ("location", "/?to=https%3A%2F%2Fzoe%3Aquvex%40h%2F", "quvex"),
        (
            "content-disposition",
            "inline; filename=quvex.tar.gz",
            "quvex",
        ),
        (
            "content-disposition",
            "inline; filename*=UTF-8'de'quv%C3%AB.pdf",
            "quvë",
        ),
        ("set-cookie", "a=zoe.quvex", "quvex"),
        ("set-cookie", "a=1; Path=/customers/quvex", "quvex"),
        ("x-mail", "zoe.quvex@moltrin.example", "zoe"),
        ("x-mail", "zoe.quvex@moltrin.example", "moltrin"),
        ("referer", "/files/quvex.tar.gz", "quvex"),
    ] {
        let mut r = Redactor::new(&policy);
        r.header(name, value.as_bytes(), false);
        let text = r
            .into_scrubber()
            .text(&format!("serving {said} in com"))
            .into_owned();
        assert!(!text.contains(said), "{name}: {value}: {text}");
        assert!(
            text.starts_with("serving [~") && text.ends_with("] in com"),
            "{text}"
        );
    }
    let json = br#"{"mail":"zoe@moltrin.example","at":"2024-05-06","id":"550e8400-e29b-41d4-a716-446655440000"}"#;
    let shown = body(
        &policy,
        "application/json",
        None,
        json,
        "zoe, 2024 e29b at moltrin",
    );
    assert_eq!(plain(&shown.text), "[~#], 2024 e29b at [~#]");
}

#[test]
fn values_that_another_member_names() {
    for (kind, text) in [
        (
            "application/json",
            r#"[{"op":"replace","path":"/user/password","value":482913}]"#,
        ),
        (
            "application/json",
            r#"{"value":482913,"path":"/password","op":"add"}"#,
        ),
        ("application/json", r#"[["password",482913],["a",1]]"#),
        ("application/json", r#"["pin","482913"]"#),
        ("application/json", r#"["pin",{"a":482913}]"#),
        ("application/json", r#"{"type":"password","value":482913}"#),
        (
            "application/json",
            r#"{"val":[482913],"id":"x","field":"pin"}"#,
        ),
        (
            "application/json",
            r#"{"field":"pin","id":"x","val":482913}"#,
        ),
        (
            "application/json",
            r#"{"data":{"value":{"a":482913},"name":"pin"},"name":"x"}"#,
        ),
        (
            "application/json",
            r#"{"data":{"value":1},"text":482913,"name":"p\u0069n"}"#,
        ),
        ("application/json", r#"{"password":{"value":482913}}"#),
        ("application/json", r#"{"value":482913,"name":"pin""#),
        (
            "application/xml",
            "<p><key>password</key><string>482913</string></p>",
        ),
        (
            "application/xml",
            "<p><Name>pin</Name><T>a</T><Value>482913</Value></p>",
        ),
        ("application/xml", "<p value='482913' name='pin'/>"),
        (
            "application/x-www-form-urlencoded",
            "name=password&value=482913",
        ),
        (
            "application/x-www-form-urlencoded",
            "value=482913&name=p%69n",
        ),
    ] {
        hides(kind, text.as_bytes(), "482913");
    }
    let query = Redactor::new(&by_name()).query("value=482913&name=pin");
    assert!(!query.contains("482913"), "{query}");
    // Text without a suspicious name is kept.
    for (kind, text) in [
        (
            "application/json",
            r#"[{"value":12,"name":"age"},["a",12],["pin",12,13],{"id":"pin","a":12}]"#,
        ),
        (
            "application/json",
            r#"{"data":{"value":12,"name":"x"},"type":"order"}"#,
        ),
        (
            "application/xml",
            "<p><key>age</key><string>12</string><key>x</key><a>1</a></p>",
        ),
        ("application/x-www-form-urlencoded", "name=age&value=12"),
    ] {
        assert_eq!(body(&by_name(), kind, None, text.as_bytes(), "").body, text);
    }
    let text = "<d><key>pin</key><a>12</a><key>age</key><a>34</a></d>";
    let shown = body(&strict(), "application/xml", None, text.as_bytes(), "").body;
    assert!(
        shown.contains("<a>34</a>") && !shown.contains("12</a>"),
        "{shown}"
    );
}

#[test]
fn names_behind_their_values_take_linear_time() {
    let depth = 100;
    let open = r#"{"value":"#.repeat(depth);
    let close = r#","name":"pin"}"#.repeat(depth);
    let text = format!("{open}[{}]{close}", "12,".repeat(1 << 14) + "1");
    for policy in [strict(), by_name()] {
        let shown = body(&policy, "application/json", None, text.as_bytes(), "");
        assert!(!shown.body.contains("12,"));
    }
}

#[test]
fn what_templates_write_into_html() {
    let policy = strict();
    let mut r = Redactor::new(&policy);
    r.remember("hunter <'7'> & \"8\"");
    let scrubber = r.into_scrubber();
    for said in [
        "hunter &lt;'7'&gt; &amp; \"8\"",
        "hunter &lt;'7'&gt; &amp; &quot;8&quot;",
        "hunter &lt;&#39;7&#39;&gt; &amp; &quot;8&quot;",
        "hunter &lt;&#39;7&#39;&gt; &amp; &#34;8&#34;",
        "hunter &lt;&#x27;7&#x27;&gt; &amp; &quot;8&quot;",
    ] {
        assert!(scrubber.text(said).starts_with("[~"), "{said}");
    }
}

#[test]
fn a_declaration_that_broke() {
    let xml = b"<?xml versio hunterseven --><?note x?><a>1</a>";
    hides("application/xml", xml, "hunterseven");
}

#[test]
fn a_declaration_with_more_than_one_has() {
    for value in ["4111111111111111", "hunterseven", "utf-8.hunter"] {
        for name in ["version", "encoding", "standalone"] {
            let xml = format!("<?xml version=\"1.0\" {name}=\"{value}\"?><a>1</a>");
            hides("application/xml", xml.as_bytes(), value);
        }
    }
    let xml = b"<?xml version='1.0' encoding=\"UTF-8\" standalone='yes'?><a>1</a>";
    let shown = body(&strict(), "application/xml", None, xml, "");
    assert!(
        shown
            .body
            .starts_with("<?xml version='1.0' encoding=\"UTF-8\" standalone='yes'?>")
    );
}

#[test]
fn json_that_is_not_whole_where_a_name_lets_it_stay() {
    for text in [
        r#"[{"name":"pin","value":123498}"#,
        r#"{"p\u0061ssword":"123498hunter"} x"#,
    ] {
        let (form, policy) = (format!("data={text}"), by_name());
        let kind = "application/x-www-form-urlencoded";
        let shown = body(&policy, kind, None, form.as_bytes(), "");
        assert!(!shown.body.contains("123498"), "{}", shown.body);
        let mut r = Redactor::new(&policy);
        let header = r.header("x-data", text.as_bytes(), false);
        assert!(!header.contains("123498"), "{header}");
        let fact = r.fact("data", text);
        assert!(!fact.contains("123498"), "{fact}");
    }
    // Text that only looks like the beginning of one is kept.
    let policy = by_name();
    let mut r = Redactor::new(&policy);
    assert_eq!(r.header("host", b"[::1]:8080", false), "[::1]:8080");
    assert_eq!(r.fact("step", "[2 of 3]"), "[2 of 3]");
}

#[test]
fn a_policy_that_changes_after_it_was_used() {
    let json = br#"{"nickname":"hunterseven"}"#;
    let policy = by_name();
    let kind = "application/json";
    assert!(
        body(&policy, kind, None, json, "")
            .body
            .contains("hunterseven")
    );
    let policy = policy.deny_name("nickname");
    assert!(
        !body(&policy, kind, None, json, "")
            .body
            .contains("hunterseven")
    );
}
