//! Formats other than JSON and forms, content codings, and the actions of a policy.

use super::{
    tests::{by_name, plain, strict},
    *,
};
use crate::exchange::Content;
use proptest::prelude::*;

fn part(policy: &Policy, kind: &str, body: &str, ended: bool) -> String {
    match Redactor::new(policy).body(Some(kind), None, body.as_bytes(), ended) {
        Content::Text { text, unparsed: 0 } => plain(&text),
        Content::Text { text, unparsed } => format!("{} +{unparsed}", plain(&text)),
        Content::Opaque { length, .. } => format!("opaque {length}"),
    }
}

fn whole(policy: &Policy, kind: &str, body: &str) -> String {
    part(policy, kind, body, true)
}

/// Returns whether a text that repeats a value is cleaned after a body was redacted.
fn knows(kind: &str, body: &[u8], said: &str) -> bool {
    let policy = strict();
    let mut r = Redactor::new(&policy);
    r.body(Some(kind), None, body, true);
    !r.into_scrubber()
        .text(&format!("it was {said} here"))
        .contains(said)
}

#[test]
fn json_log() {
    let p = strict();
    for kind in ["application/x-ndjson", "application/jsonl; charset=utf-8"] {
        assert_eq!(
            whole(&p, kind, "{\"a\":1}\n{\"a\":\"x\"}\r\n\n[2]"),
            "{\"a\":1}\n{\"a\":\"[~# len=1 ascii alpha]\"}\r\n\n[2]"
        );
    }
    assert_eq!(
        whole(
            &p,
            "application/json-seq",
            "\u{1e}{\"a\":1}\n\u{1e}{\"b\":2}\n"
        ),
        "\u{1e}{\"a\":1}\n\u{1e}{\"b\":2}\n"
    );
    // An invalid line is hidden as a whole, and the next one is parsed again.
    assert_eq!(
        whole(
            &p,
            "application/x-ndjson",
            "{\"a\":\n{\"a\":1} x\n{\"b\":2}"
        ),
        "\"[~# len=5 ascii mixed]\"\n\"[~# len=9 ascii mixed]\"\n{\"b\":2}"
    );
    assert_eq!(
        part(&p, "application/x-ndjson", "{\"a\":1}\n{\"b\":\"hun", false),
        "{\"a\":1}\n{\"b\":\"[~# len=3 ascii alpha cut]\""
    );
    assert_eq!(
        part(&p, "application/x-ndjson", "[12]\n34", false),
        "[12]\n\"[~# num 2digits cut]\""
    );
}

#[test]
fn server_sent_events() {
    let p = strict();
    let kind = "text/event-stream";
    assert_eq!(
        whole(
            &p,
            kind,
            "event: added\nid: 7\ndata: {\"a\":\ndata: \"x\"}\n\ndata: hello you\n\n: note\nretry: 10\n"
        ),
        "event: added\nid: 7\ndata: {\"a\":\ndata: \"[~# len=1 ascii alpha]\"}\n\ndata: [~# len=9 ascii mixed]\n\n: [~# len=4 ascii alpha]\nretry: 10\n"
    );
    assert_eq!(whole(&p, kind, "data: [DONE]\n\n"), "data: [DONE]\n\n");
    assert_eq!(
        whole(
            &by_name(),
            kind,
            "data: hello you\n\ndata: password=abc\n\n"
        ),
        "data: hello you\n\ndata: password=[~# len=3 ascii alpha]\n\n"
    );
    assert_eq!(
        part(&p, kind, "data: 1\n\ndata: {\"token\":\"hun", false),
        "data: 1\n\ndata: {\"token\":\"[~# len=3 ascii alpha cut]\""
    );
    assert_eq!(
        part(&by_name(), kind, "data: hunt", false),
        "data: [~# len=4 ascii alpha cut]"
    );
    assert_eq!(
        whole(&p, kind, "secret words\nda: x\n"),
        ": [~# len=12 ascii mixed]\n: [~# len=5 ascii mixed]\n"
    );
}

const MULTIPART: &str = "preamble\r\n--xyz\r\nContent-Disposition: form-data; name=\"note\"\r\n\r\nhello\r\n--xyz\r\nContent-Disposition: form-data; name=\"count\"\r\n\r\n12\r\n--xyz\r\nContent-Disposition: form-data; name=\"pin\"\r\n\r\n1234\r\n--xyz\r\nContent-Disposition: form-data; name=\"meta\"\r\nContent-Type: application/json\r\n\r\n{\"a\":\"x\",\"b\":1}\r\n--xyz\r\nContent-Disposition: form-data; name=\"file\"; filename=\"my secret.png\"\r\nContent-Type: image/png\r\nX-Other: secret\r\n\r\n\u{7}PNG--xyz not one\r\n--xyzz\r\n--xyz--\r\nepilogue";

#[test]
fn multipart() {
    assert_eq!(
        whole(&strict(), "multipart/form-data; boundary=xyz", MULTIPART),
        "--dashcam\r\nContent-Disposition: form-data; name=\"note\"\r\n\r\n[~# len=5 ascii alpha]\r\n--dashcam\r\nContent-Disposition: form-data; name=\"count\"\r\n\r\n12\r\n--dashcam\r\nContent-Disposition: form-data; name=\"pin\"\r\n\r\n[~# len=4 ascii digits]\r\n--dashcam\r\nContent-Disposition: form-data; name=\"meta\"\r\nContent-Type: application/json\r\n\r\n{\"a\":\"[~# len=1 ascii alpha]\",\"b\":1}\r\n--dashcam\r\nContent-Disposition: form-data; name=\"file\"; filename=\"[~# len=13 ascii mixed]\"\r\nContent-Type: image/png\r\n\r\n[~# len=25 ascii mixed control]\r\n--dashcam--\r\n"
    );
    let quoted = MULTIPART.replace("xyz", "a b'(c");
    let kind = "multipart/form-data; x=\"a;b\"; Boundary=\"a b'(c\"";
    assert!(
        whole(&strict(), kind, &quoted)
            .starts_with("--dashcam\r\nContent-Disposition: form-data; name=\"note\"")
    );
    for (kind, body) in [
        ("multipart/form-data", MULTIPART),
        ("multipart/form-data; boundary=", MULTIPART),
        ("multipart/form-data; boundary=other", MULTIPART),
        ("multipart/form-data; boundary=xyz", "--xyz"),
    ] {
        assert!(whole(&strict(), kind, body).starts_with("opaque"), "{kind}");
    }
    for said in ["hello", "my secret.png", "preamble", "epilogue"] {
        assert!(
            knows(
                "multipart/form-data; boundary=xyz",
                MULTIPART.as_bytes(),
                said
            ),
            "{said}"
        );
    }
}

#[test]
fn multipart_cut_anywhere() {
    for policy in [strict(), by_name()] {
        for at in 0..MULTIPART.len() {
            let text = part(
                &policy,
                "multipart/form-data; boundary=xyz",
                &MULTIPART[..at],
                false,
            );
            for secret in ["1234", "my secret", "PNG", "preamble", "hell]"] {
                assert!(!text.contains(secret), "{at}: {text}");
            }
        }
    }
}

#[test]
fn xml() {
    let p = strict();
    let body = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<s:order id='12' xmlns:s=\"urn:x\"><!-- words --><status>paid</status><n>Zo&#xeb;</n><total>12.5</total><password>12</password><f name=\"pin\">7</f><c><![CDATA[a<b]]></c><e/></s:order>";
    assert_eq!(
        whole(&p, "application/soap+xml", body),
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<s:order id='12' xmlns:s=\"urn:x\"><!----><status>paid</status><n>[~# len=3 bytes=4 unicode alpha]</n><total>12.5</total><password>[~# len=2 ascii digits]</password><f name=\"[~# len=3 ascii alpha]\">[~# len=1 ascii digits]</f><c><![CDATA[[~# len=3 ascii mixed]]]></c><e/></s:order>"
    );
    assert_eq!(
        whole(
            &by_name(),
            "text/xml",
            "<a><token>x</token><b>Bob</b><c>mail a@b.de</c></a>"
        ),
        "<a><token>[~# len=1 ascii alpha]</token><b>Bob</b><c>[~# len=11 ascii mixed]</c></a>"
    );
    for (body, expected) in [
        ("words", "opaque 5"),
        ("<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>", "opaque 40"),
        ("<a>x</b></c>", "<a>[~# len=1 ascii alpha]</b> +4"),
        ("<a b=c>x</a>", "opaque 12"),
        ("<a>&x;</a>", "<a>[~# len=3 ascii mixed]</a>"),
    ] {
        assert_eq!(whole(&p, "application/xml", body), expected);
    }
    for at in 0..body.len() {
        if body.is_char_boundary(at) {
            let text = part(&by_name(), "application/xml", &body[..at], false);
            assert!(
                !text.contains("<password>1") && !text.contains(">7"),
                "{text}"
            );
        }
    }
}

#[test]
fn where_nothing_is_hidden_every_byte_stays() {
    for (kind, body) in [
        (
            "application/json",
            "\u{feff}\t{ \"a\" : -9223372036854775809 }\r\n",
        ),
        (
            "application/x-ndjson",
            "\u{feff}{\"a\":1}\r\n\n {\"a\":2} \n",
        ),
        ("application/graphql", "\u{feff}{ a , b }\r\n"),
        (
            "text/event-stream",
            "\u{feff}event:added\r\nid:7\rretry: 1\n:\ndata\ndata:{\"a\":\r\ndata:  1}\r\n\r\ndata:  true \n\n",
        ),
        (
            "application/xml",
            "\u{feff}<?xml version='1.0'?>\r\n<a  b = '1'\n c=\"2\" ><d\t/> 3 <status>paid</status ></a >\n",
        ),
        (
            "application/x-www-form-urlencoded",
            "a=1&b=%32&&status=paid&c=",
        ),
    ] {
        assert_eq!(whole(&strict(), kind, body), body, "{kind}");
    }
    let quote = "<a b='say \"x\"'>say \"x\" 'y'</a>";
    assert_eq!(whole(&by_name(), "application/xml", quote), quote);
    let hidden = "data:{\"a\":\r\ndata:  \"x\"}\r\n\r\n";
    assert_eq!(
        whole(&strict(), "text/event-stream", hidden),
        "data:{\"a\":\r\ndata:  \"[~# len=1 ascii alpha]\"}\r\n\r\n"
    );
}

proptest! {
    #[test]
    fn pieces_stay_as_they_are(
        pieces in prop::collection::vec(
            prop::sample::select(vec![
                "data:", "data: ", "data", "event: ", "id:", "ab", " 12", "\n", "\r\n", "\r",
                "\n\n", "{\"a\":", "}", ":", "\u{feff}", "<a>", "</a>", "</a >", "<b c='1' />",
                "<b  c = \"2\">", "</b>", "&amp;", "\"", "'", "\t",
            ]),
            0..14,
        ),
    ) {
        let body = pieces.concat();
        for kind in ["text/event-stream", "application/xml", "application/json", "text/plain"] {
            let content = Redactor::new(&by_name()).body(Some(kind), None, body.as_bytes(), true);
            if let Content::Text { text, unparsed } = content
                && !text.contains("[~")
            {
                let kept = body.len() - usize::try_from(unparsed).unwrap();
                prop_assert_eq!(text, &body[..kept]);
            }
        }
    }
}

#[test]
fn text_by_detectors() {
    let body = "dear Bob, password: hunter2, mail a@b.de";
    assert_eq!(whole(&strict(), "text/plain", body), "opaque 40");
    assert_eq!(
        whole(&by_name(), "text/plain", body),
        "dear Bob, password: [~# len=7 ascii alnum], mail [~# len=6 ascii mixed]"
    );
    assert_eq!(whole(&by_name(), "text/html", body), "opaque 40");
    assert_eq!(
        whole(&by_name(), "text/plain; charset=latin1", body),
        "opaque 40"
    );
    let latin = Redactor::new(&by_name()).body(Some("text/plain"), None, b"Zo\xeb x", true);
    assert!(matches!(latin, Content::Opaque { length: 5, .. }));
}

#[test]
fn graphql() {
    let body = r#"{"query":"query F($a: Int) { user(name: \"Zoë\", age: 42) { id } }","variables":{"a":"x","n":1},"operationName":"F"}"#;
    assert_eq!(
        whole(&strict(), "application/json", body),
        r##"{"query":"query F($a: Int) { user(name: \"[~# len=3 bytes=4 unicode alpha]\", age: \"[~# num 2digits]\") { id } }","variables":{"a":"[~# len=1 ascii alpha]","n":1},"operationName":"[~# len=1 ascii alpha]"}"##
    );
    let batch = format!("[{body},{body}]");
    assert_eq!(
        whole(&strict(), "application/json", &batch)
            .matches("user(name")
            .count(),
        2
    );
    for body in [
        r#"{"query":"{john smith"}"#,
        r#"{"a":{"b":{"query":"{ a }"}}}"#,
        r#"{"q":"{ a }"}"#,
    ] {
        assert!(
            whole(&strict(), "application/json", body).contains("[~#"),
            "{body}"
        );
    }
    assert_eq!(
        whole(&strict(), "application/graphql", "{ a(b: \"c\") }"),
        "{ a(b: \"[~# len=1 ascii alpha]\") }"
    );
    assert_eq!(whole(&strict(), "application/graphql", "words"), "opaque 5");
    assert!(knows("application/json", body.as_bytes(), "Zoë"));
}

#[test]
fn json_in_json_strings() {
    let p = strict();
    assert_eq!(
        whole(
            &p,
            "application/json",
            r#"{"raw":"{\"pin\":\"abc\",\"n\":[1]}"}"#
        ),
        r#"{"raw":"{\"pin\":\"[~# len=3 ascii alpha]\",\"n\":[1]}"}"#
    );
    // Its values are remembered although it is hidden, cut or broken.
    for body in [
        r#"{"raw":"{\"a\":\"hunter2\"}"}"#,
        r#"{"password":"{\"a\":\"hunter2\"}"}"#,
        r#"{"raw":"{\"a\":\"hunter2\",oops"}"#,
        r#"{"raw":"[\"{\\\"a\\\":\\\"hunter2\\\"}\"]"}"#,
        r#"{"raw":"{\"a\":\"hunter2\",\"b"#,
    ] {
        assert!(
            knows("application/json", body.as_bytes(), "hunter2"),
            "{body}"
        );
    }
    // Deep nesting is not parsed further, and is hidden.
    let mut deep = "\"hunter2\"".to_owned();
    for _ in 0..8 {
        deep = serde_json::to_string(&format!("[{deep}]")).unwrap();
    }
    for policy in [strict(), by_name()] {
        assert!(!whole(&policy, "application/json", &deep).contains("hunter2"));
    }
}

#[test]
fn actions() {
    let p = strict()
        .field("age", Action::Shape)
        .field("note", Action::Drop)
        .field("card_number", Action::Mask)
        .field("nick", Action::Keep)
        .field("total", Action::Pseudonym)
        .path("$.items[*].sku", Action::Keep)
        .unwrap()
        .path("$.items[1]", Action::Drop)
        .unwrap();
    for (body, expected) in [
        (
            r#"{"age":42,"Age":"x"}"#,
            r#"{"age":"[~ num 2digits]","Age":"[~ len=1 ascii alpha]"}"#,
        ),
        (
            r#"{"note":{"a":["x"]},"b":1}"#,
            r#"{"note":"[~ dropped]","b":1}"#,
        ),
        (
            r#"{"note":null,"a":[{"note":"x"}]}"#,
            r#"{"note":"[~ dropped]","a":[{"note":"[~ dropped]"}]}"#,
        ),
        (
            r#"{"cardNumber":"4111111111111111","card_number":12}"#,
            r#"{"cardNumber":"****1111","card_number":"****"}"#,
        ),
        (
            r#"{"cardNumber":4111111111111111}"#,
            r#"{"cardNumber":"****1111"}"#,
        ),
        (r#"{"nick":"Bob"}"#, r#"{"nick":"Bob"}"#),
        (
            r#"{"nick":"a@b.de"}"#,
            r#"{"nick":"[~# len=6 ascii mixed]"}"#,
        ),
        (
            r#"{"total":{"a":1}}"#,
            r#"{"total":{"[~# len=1 ascii alpha]":"[~# num 1digits]"}}"#,
        ),
        (
            r#"{"items":[{"sku":"A B"},{"sku":"C"},{"sku":"D","x":"E"}],"sku":"F"}"#,
            r#"{"items":[{"sku":"A B"},"[~ dropped]",{"sku":"D","x":"[~# len=1 ascii alpha]"}],"sku":"[~# len=1 ascii alpha]"}"#,
        ),
    ] {
        assert_eq!(whole(&p, "application/json", body), expected, "{body}");
    }
    assert_eq!(
        part(
            &p,
            "application/json",
            r#"{"a":1,"note":{"x":[1,"hun"#,
            false
        ),
        r#"{"a":1,"note":"[~ dropped]""#
    );
    // Dropped values are remembered, too.
    let mut r = Redactor::new(&p);
    r.body(
        Some("application/json"),
        None,
        br#"{"note":{"a":"hunter2"}}"#,
        true,
    );
    assert_eq!(
        plain(&r.into_scrubber().text("it is hunter2")),
        "it is [~#]"
    );
}

#[test]
fn actions_of_heads() {
    let p = strict()
        .header("x-tenant", Action::Keep)
        .header("x-forwarded-for", Action::Shape)
        .header("user-agent", Action::Drop)
        .query("q", Action::Mask)
        .cookie("theme", Action::Keep)
        .cookie("cart", Action::Shape)
        .cookie("session", Action::Keep);
    let mut r = Redactor::new(&p);
    let mut header = |name: &str, value: &str| plain(&r.header(name, value.as_bytes(), false));
    assert_eq!(header("X-Tenant", "acme"), "acme");
    assert_eq!(
        header("x-forwarded-for", "10.0.0.1"),
        "[~ len=8 ascii mixed]"
    );
    assert_eq!(header("user-agent", "curl"), "[~ dropped]");
    assert_eq!(
        header("cookie", "theme=dark; cart=7; session=abc; other=x"),
        "theme=dark; cart=[~ len=1 ascii digits]; session=[~# len=3 ascii alpha]; other=[~# len=1 ascii alpha]"
    );
    assert_eq!(
        header("cookie", "theme=a%40b.de"),
        "theme=[~# len=8 ascii mixed]"
    );
    assert_eq!(
        header("set-cookie", "theme=dark; Path=/"),
        "theme=dark; Path=/"
    );
    assert_eq!(r.query("q=secret%20search%20words"), "q=%2A%2A%2A%2Aords");
    assert_eq!(
        r.header("x-tenant", b"acme", true).len(),
        "[~0123456789abcdef len=4 ascii alpha]".len()
    );
}

#[cfg(feature = "compression")]
mod coded {
    use super::*;
    use std::io::Write;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut w = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        w.write_all(bytes).unwrap();
        w.finish().unwrap()
    }

    fn zlib(bytes: &[u8]) -> Vec<u8> {
        let mut w = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
        w.write_all(bytes).unwrap();
        w.finish().unwrap()
    }

    fn deflate(bytes: &[u8]) -> Vec<u8> {
        let mut w = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::fast());
        w.write_all(bytes).unwrap();
        w.finish().unwrap()
    }

    fn brotli(bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        let params = brotli::enc::BrotliEncoderParams::default();
        brotli::BrotliCompress(&mut &*bytes, &mut out, &params).unwrap();
        out
    }

    fn zstd(bytes: &[u8]) -> Vec<u8> {
        ruzstd::encoding::compress_to_vec(bytes, ruzstd::encoding::CompressionLevel::Fastest)
    }

    fn read(coding: &str, bytes: &[u8], ended: bool) -> String {
        let kind = Some("application/json");
        match Redactor::new(&strict()).body(kind, Some(coding), bytes, ended) {
            Content::Text { text, unparsed: 0 } => plain(&text),
            Content::Text { text, .. } => format!("{} +", plain(&text)),
            Content::Opaque { length, .. } => format!("opaque {length}"),
        }
    }

    const BODY: &[u8] = br#"{"a":1,"password":"hunter2"}"#;
    const CLEAN: &str = r#"{"a":1,"password":"[~# len=7 ascii alnum]"}"#;

    #[test]
    fn every_coding() {
        assert_eq!(read("gzip", &gzip(BODY), true), CLEAN);
        assert_eq!(read("X-GZIP", &gzip(BODY), true), CLEAN);
        assert_eq!(read("br", &brotli(BODY), true), CLEAN);
        assert_eq!(read("zstd", &zstd(BODY), true), CLEAN);
        assert_eq!(read("deflate", &zlib(BODY), true), CLEAN);
        assert_eq!(read("deflate", &deflate(BODY), true), CLEAN);
        assert_eq!(read("gzip, br", &brotli(&gzip(BODY)), true), CLEAN);
        assert_eq!(read("identity, gzip,", &gzip(BODY), true), CLEAN);
        let members = [gzip(br#"{"a":1,"password"#), gzip(br#"":"hunter2"}"#)].concat();
        assert_eq!(read("gzip", &members, true), CLEAN);
        for (coding, bytes) in [
            ("compress", gzip(BODY)),
            ("gzip", BODY.to_vec()),
            ("br", gzip(BODY)),
            ("gzip, gzip, gzip, gzip", gzip(&gzip(&gzip(&gzip(BODY))))),
            ("?", gzip(BODY)),
        ] {
            assert_eq!(
                read(coding, &bytes, true),
                format!("opaque {}", bytes.len())
            );
        }
    }

    #[test]
    fn prefixes_come_out_as_far_as_they_go() {
        let long: String = (0..600)
            .map(|n| format!("{{\"n\":{n},\"password\":\"hunter2\"}},"))
            .collect();
        let long = format!("[{long}1]");
        for (coding, bytes) in [
            ("gzip", gzip(long.as_bytes())),
            ("deflate", zlib(long.as_bytes())),
            ("br", brotli(long.as_bytes())),
            ("zstd", zstd(long.as_bytes())),
        ] {
            let mut most = 0;
            for n in 0..=10 {
                let text = read(coding, &bytes[..bytes.len() * n / 10], n == 10);
                assert!(!text.contains("hunter2"), "{coding}");
                most = most.max(text.len());
            }
            assert!(most > 1000, "{coding} {most}");
        }
        let cut = read("gzip", &gzip(long.as_bytes())[..800], false);
        assert!(
            cut.starts_with("[{\"n\":0,") && cut.ends_with(" +"),
            "{cut}"
        );
    }

    #[test]
    fn bombs_are_capped_and_said_to_be() {
        let bomb = format!("[{}]", "1,".repeat(1 << 19));
        for (coding, bytes) in [
            ("gzip", gzip(bomb.as_bytes())),
            ("zstd", zstd(bomb.as_bytes())),
            ("br", brotli(bomb.as_bytes())),
            ("gzip, gzip", gzip(&gzip(bomb.as_bytes()))),
        ] {
            let text = read(coding, &bytes, true);
            assert!(
                text.len() <= 256 * 1024 + 100 && text.ends_with(" +"),
                "{coding}"
            );
        }
    }

    #[test]
    fn what_is_compressed_without_a_word_is_known() {
        for bytes in [gzip(BODY), zstd(BODY), zlib(BODY)] {
            assert!(knows("application/json", &bytes, "hunter2"));
            assert!(knows("application/octet-stream", &bytes, "hunter2"));
        }
    }

    #[test]
    fn what_decodes_without_end_is_left() {
        // Each layer stores the previous one uncompressed, without a checksum.
        let mut bytes = BODY.to_vec();
        while let Ok(length) = u16::try_from(bytes.len()) {
            let head = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff, 1];
            let [a, b] = length.to_le_bytes();
            bytes.splice(..0, [&head[..], &[a, b, !a, !b]].concat());
        }
        let body = move || Redactor::new(&strict()).body(None, None, &bytes, true);
        let small = std::thread::Builder::new().stack_size(512 * 1024);
        let content = small.spawn(body).unwrap().join().unwrap();
        assert!(matches!(content, Content::Opaque { .. }));
        assert!(knows("text/html", &gzip(&gzip(BODY)), "hunter2"));
    }

    /// Returns how many bytes of a body could not be parsed.
    fn unparsed(coding: &str, bytes: &[u8]) -> u64 {
        let kind = Some("application/json");
        match Redactor::new(&strict()).body(kind, Some(coding), bytes, true) {
            Content::Text { unparsed, .. } => unparsed,
            Content::Opaque { length, .. } => length,
        }
    }

    #[test]
    fn what_is_missing_or_too_much_is_counted() {
        for (coding, bytes) in [
            ("gzip", gzip(BODY)),
            ("deflate", zlib(BODY)),
            ("deflate", deflate(BODY)),
            ("br", brotli(BODY)),
            ("zstd", zstd(BODY)),
        ] {
            assert_eq!(unparsed(coding, &bytes), 0, "{coding}");
            let cut = &bytes[..bytes.len() - 1];
            assert!(unparsed(coding, cut) > 0, "{coding}");
            let more = [&bytes[..], b"abcde"].concat();
            let counted = unparsed(coding, &more);
            // A gzip reader looks for another member there.
            let expected = if coding == "gzip" { 1..=5 } else { 5..=5 };
            assert!(expected.contains(&counted), "{coding}: {counted}");
        }
    }

    #[test]
    fn a_window_does_not_change_what_comes_out() {
        // Far back, near, and never before.
        let mut state = 1_u32;
        let mut text: Vec<u8> = Vec::new();
        while text.len() < 700 << 10 {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let from = state as usize % text.len().max(1);
            let piece = text.iter().skip(from).take(state as usize >> 24).copied();
            let piece: Vec<u8> = piece.collect();
            text.extend_from_slice(&piece);
            text.extend_from_slice(&state.to_le_bytes());
            text.extend_from_slice(b" the time of the ");
        }
        for window in [10, 16, 17, 18, 19, 22, 24] {
            let mut bytes = Vec::new();
            let params = brotli::enc::BrotliEncoderParams {
                lgwin: window,
                quality: 5,
                ..Default::default()
            };
            brotli::BrotliCompress(&mut &*text, &mut bytes, &params).unwrap();
            let decoded = inflate::decode(&["br"], &bytes).unwrap();
            assert_eq!(decoded.bytes.len(), (256 << 10) - 16, "{window}");
            assert!(
                text.starts_with(&decoded.bytes) && decoded.left > 0,
                "{window}"
            );
        }
        let decoded = inflate::decode(&["zstd"], &zstd(&text)).unwrap();
        assert_eq!(decoded.bytes.len(), 256 << 10);
        assert!(text.starts_with(&decoded.bytes) && decoded.left > 0);
    }

    #[test]
    fn zstd_windows_are_limited() {
        let mut frame = zstd(BODY);
        // A window of 2 GiB.
        frame[4] &= !0x20;
        frame.insert(5, 21 << 3);
        assert!(read("zstd", &frame, true).starts_with("opaque"));
    }
}
