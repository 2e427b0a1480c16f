//! Attacks: requests that try to leak a value or to stop the process.

use super::{
    tests::{by_name, plain, strict},
    *,
};
use crate::exchange::Content;

fn whole(policy: &Policy, kind: &str, body: &str) -> String {
    match Redactor::new(policy).body(Some(kind), None, body.as_bytes(), true) {
        Content::Text { text, .. } => plain(&text),
        Content::Opaque { length, .. } => format!("opaque {length}"),
    }
}

/// Returns whether a text that repeats a value is cleaned after something was redacted.
fn knows(said: &str, see: impl FnOnce(&mut Redactor<'_>)) -> bool {
    let policy = strict();
    let mut r = Redactor::new(&policy);
    see(&mut r);
    let text = format!("it was {said} here");
    !r.into_scrubber().text(&text).contains(said)
}

fn knows_body(kind: &str, body: &[u8], said: &str) -> bool {
    knows(said, |r| drop(r.body(Some(kind), None, body, true)))
}

/// A body that nests deeper than a stack, in 53 KB: each layer of stored gzip has 15
/// bytes, and the outermost is compressed.
#[cfg(feature = "compression")]
#[test]
fn compressed_in_compressed_does_not_overflow_the_stack() {
    use std::io::Write as _;
    let mut layers = b"x".to_vec();
    while layers.len() < 250_000 {
        let mut outer = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];
        let last = layers.len().div_ceil(0xffff) - 1;
        for (n, block) in layers.chunks(0xffff).enumerate() {
            let length = u16::try_from(block.len()).unwrap();
            outer.push(u8::from(n == last));
            outer.extend(length.to_le_bytes());
            outer.extend((!length).to_le_bytes());
            outer.extend(block);
        }
        layers = outer;
    }
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    gzip.write_all(&layers).unwrap();
    let body = gzip.finish().unwrap();
    assert!(body.len() < 64 * 1024);
    for kind in ["application/octet-stream", "application/json"] {
        let policy = strict();
        let content = Redactor::new(&policy).body(Some(kind), None, &body, true);
        assert!(matches!(content, Content::Opaque { .. }));
    }
}

#[test]
fn words_of_other_charsets_are_known() {
    let body = "{\"password\":\"hunter2x\"}";
    let utf16 = |big: bool| -> Vec<u8> {
        let bytes = |unit: u16| {
            if big {
                unit.to_be_bytes()
            } else {
                unit.to_le_bytes()
            }
        };
        body.encode_utf16().flat_map(bytes).collect()
    };
    let utf32: Vec<u8> = body
        .chars()
        .flat_map(|c| u32::from(c).to_le_bytes())
        .collect();
    for kind in [
        "application/json",
        "application/json; charset=utf-16le",
        "text/plain",
    ] {
        for bytes in [utf16(false), utf16(true), utf32.clone()] {
            assert!(knows_body(kind, &bytes, "hunter2x"), "{kind}");
        }
    }
    assert!(knows_body(
        "application/json",
        b"{\"password\":\"hunter2x\0t\"}",
        "hunter2x"
    ));
}

#[test]
fn parts_of_heads_are_known() {
    for (name, value) in [
        ("cookie", &b"a=\xff; sid=hunter2x"[..]),
        ("cookie", b"sid hunter2x"),
        ("cookie", b"a=1, sid=hunter2x"),
        ("cookie", b"sid=\"hunter2x"),
        ("authorization", b"Bearer hunter2x \xff"),
        ("authorization", b"Basic joe:hunter2x"),
        ("x-api-key", b"hunter2x,\xe4"),
        ("link", b"<https://h/r/hunter2x?x=1>; rel=next"),
        ("refresh", b"0;url=/x?token=hunter2x"),
        ("location", b"/r;jsessionid=hunter2x"),
        ("location", b"https:\\\\h\\hunter2x"),
        ("baggage", b"user=hun%74er2x"),
        (
            "content-disposition",
            b"attachment; filename*=utf-8''hun%74er2x",
        ),
        ("x-original-url", b"/r/hunter2x/b"),
    ] {
        let see = |r: &mut Redactor<'_>| drop(r.header(name, value, false));
        assert!(knows("hunter2x", see), "{name}");
    }
    for (path, route) in [
        ("/a/42;jsessionid=hunter2x", "/a/{id}"),
        ("/a/hunter2x:activate", "/a/{id}"),
        ("/a/hunter2x.json", "/a/{id}.json"),
        ("/a%2fhunter2x", "/{*rest}"),
    ] {
        assert!(
            knows("hunter2x", |r| drop(r.path(path, Some(route)))),
            "{path}"
        );
    }
    for query in [
        "page=1;token=hunter2x",
        "ids=hunter2x,other",
        "filter=name eq 'hunter2x'",
        "url=https%3A%2F%2Fh%2F%3Ftoken%3Dhunter2x",
        "d=%7B%22pw%22%3A%22hunter2x%22%7D",
    ] {
        assert!(knows("hunter2x", |r| drop(r.query(query))), "{query}");
    }
}

#[test]
fn unclear_names_of_parts_are_suspicious() {
    let kind = "multipart/form-data; boundary=xx";
    for head in [
        "Content-Disposition: form-data;\r\n name=\"password\"",
        "Content-Disposition: form-data;\r\n\tname=\"password\"",
        "Content-Disposition: form-data; name*=utf-8''pa%73sword",
        "Content-Disposition: form-data; name=a; name=password",
        "Content-Disposition: form-data; name=a\r\nContent-Disposition: form-data; name=b",
        "Content-Disposition: form-data; flag; name=\"password\"",
        "Content-Type: text/plain",
    ] {
        let body = format!("--xx\r\n{head}\r\n\r\n839201\r\n--xx--");
        for policy in [strict(), by_name()] {
            let written = whole(&policy, kind, &body);
            assert!(!written.contains("839201"), "{head}: {written}");
        }
    }
    let body = "--xx\r\nContent-Disposition: form-data;\r\n name=\"count\"\r\n\r\n839201\r\n--xx--";
    assert!(whole(&strict(), kind, body).contains("839201"));
}

#[test]
fn a_name_and_its_value_in_two_members() {
    let json = |body: &str| whole(&by_name(), "application/json", body);
    assert_eq!(
        json(r#"[{"name":"password","value":"hunter2x"},{"name":"colour","value":"red"}]"#),
        r#"[{"name":"password","value":"[~# len=8 ascii alnum]"},{"name":"colour","value":"red"}]"#
    );
    assert_eq!(
        json(r#"{"Key":"\u0070in","x":1,"Value":[839201]}"#),
        r#"{"Key":"\u0070in","x":1,"Value":["[~# num 6digits]"]}"#
    );
    assert!(
        !whole(
            &strict(),
            "application/json",
            r#"{"name":"pin","value":839201}"#
        )
        .contains("839")
    );
}

#[test]
fn xml_in_pieces() {
    let xml = |body: &str| whole(&strict(), "application/xml", body);
    let card = "<a><n>4111<!-- -->1111<!-- -->1111<![CDATA[1111]]></n></a>";
    assert!(!xml(card).contains("1111"), "{}", xml(card));
    assert_eq!(
        xml("<a> <!-- c --> <n>41</n> </a>"),
        "<a> <!----> <n>41</n> </a>"
    );
    for body in [
        "<a><password>hunt<![CDATA[er2x]]></password></a>",
        "<a><n>hunt<!-- -->er2x</n></a>",
        "<a><n>hunt<?pi?>er2x",
    ] {
        assert!(
            knows_body("application/xml", body.as_bytes(), "hunter2x"),
            "{body}"
        );
    }
    // An attribute that declares no namespace is data.
    assert_eq!(
        xml("<a xmlns='urn:a' xmlns:q='hunter2x' xmlnsname='hunter2x'/>"),
        "<a xmlns='urn:a' xmlns:q='[~# len=8 ascii alnum]' xmlnsname='[~# len=8 ascii alnum]'/>"
    );
}

#[test]
fn literals_of_graphql_that_end_in_a_quote() {
    let kind = "application/graphql";
    assert!(knows_body(kind, br#"{ a(b: "hunter2x\"") }"#, "hunter2x\""));
    let block = "{ a(b: \"\"\"\n   hunter2x\n   and more\n\"\"\") }";
    assert!(knows_body(kind, block.as_bytes(), "hunter2x"));
}
