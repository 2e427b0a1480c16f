//! Odd and hostile bytes of HTTP/1 clients.

use super::rig::{Case, Protocol, Step};

fn case(name: &'static str, expected: &'static str, steps: Vec<Step>) -> Case {
    Case {
        name,
        protocol: Protocol::Http1,
        steps,
        expected,
        answered: None,
        half_closes: false,
    }
}

fn send(bytes: impl AsRef<[u8]>) -> Step {
    Step::Send(bytes.as_ref().to_vec())
}

/// All bytes at once.
fn once(name: &'static str, expected: &'static str, bytes: impl AsRef<[u8]>) -> Case {
    case(name, expected, vec![send(bytes)])
}

fn slow(name: &'static str, expected: &'static str, bytes: impl AsRef<[u8]>) -> Case {
    case(name, expected, vec![Step::Slow(bytes.as_ref().to_vec())])
}

/// All bytes at once, and then the client closes its side.
fn half(name: &'static str, expected: &'static str, bytes: impl AsRef<[u8]>) -> Case {
    case(name, expected, vec![send(bytes), Step::Shut])
}

fn get(path: &str, more: &str) -> String {
    ask("GET", path, more)
}

fn ask(method: &str, path: &str, more: &str) -> String {
    format!("{method} {path} HTTP/1.1\r\nhost: test\r\n{more}\r\n")
}

fn post(path: &str, more: &str, body: &str) -> String {
    ask("POST", path, more) + body
}

fn sized(path: &str, length: &str, body: &str) -> String {
    post(path, &format!("content-length: {length}\r\n"), body)
}

fn chunked(path: &str, body: &str) -> String {
    post(path, "transfer-encoding: chunked\r\n", body)
}

const CLOSE: &str = "connection: close\r\n";
const HELLO: &str = "GET /hello HTTP/1.1\r\nhost: test\r\n\r\n";

pub(crate) fn cases() -> Vec<Case> {
    let mut all = lengths();
    all.extend(chunks());
    all.extend(heads());
    all.extend(targets());
    all.extend(pipelines());
    all.extend(expectations());
    all.extend(connections());
    all.extend(bodiless());
    all.extend(answers());
    all.extend(failures());
    all.extend(departures());
    all.extend(upgrades());
    all.extend(half_closes());
    all
}

fn lengths() -> Vec<Case> {
    vec![
        once("length right", "200 open", sized("/read", "4", "body")),
        once("length too short", "200 open", sized("/read", "3", "body")),
        half("length too long", "200 fin", sized("/read", "9", "body")),
        once("length too long, open", "open", sized("/read", "9", "body")),
        half(
            "length too long, unread",
            "200 fin",
            sized("/drop", "9", "body"),
        ),
        half(
            "length too long, echoed",
            "200 fin",
            sized("/back", "9", "body"),
        ),
        once("length zero", "200 open", sized("/read", "0", "")),
        once(
            "length zero, body comes",
            "200 open",
            sized("/read", "0", "body"),
        ),
        once(
            "no length, body comes",
            "200 open",
            post("/read", "", "body"),
        ),
        once("length negative", "400 fin", sized("/read", "-1", "body")),
        once("length with plus", "400 fin", sized("/read", "+4", "body")),
        once(
            "length in hexadecimal",
            "400 fin",
            sized("/read", "0x4", "body"),
        ),
        once("length empty", "400 fin", sized("/read", "", "body")),
        once(
            "length with spaces around",
            "200 open",
            sized("/read", "  4  ", "body"),
        ),
        once(
            "length with space inside",
            "400 fin",
            sized("/read", "4 4", "body"),
        ),
        once(
            "length with leading zeros",
            "200 open",
            sized("/read", "0004", "body"),
        ),
        once(
            "length with a point",
            "400 fin",
            sized("/read", "4.0", "body"),
        ),
        once(
            "length beyond 64 bits",
            "400 fin",
            sized("/read", "18446744073709551616", "body"),
        ),
        once(
            "length of 64 bits, unread",
            "431 fin",
            sized("/drop", "18446744073709551614", "body"),
        ),
        once(
            "length of 64 bits, waited for",
            "431 fin",
            sized("/read", "18446744073709551614", "body"),
        ),
        once(
            "lengths equal in one field",
            "400 fin",
            sized("/read", "4, 4", "body"),
        ),
        once(
            "lengths equal in two fields",
            "200 open",
            post(
                "/read",
                "content-length: 4\r\ncontent-length: 4\r\n",
                "body",
            ),
        ),
        once(
            "lengths that differ",
            "400 fin",
            post(
                "/read",
                "content-length: 4\r\ncontent-length: 3\r\n",
                "body",
            ),
        ),
        once(
            "length and chunks",
            "200 fin",
            post(
                "/read",
                "content-length: 3\r\ntransfer-encoding: chunked\r\n",
                "4\r\nbody\r\n0\r\n\r\n",
            ),
        ),
        once(
            "chunks and length",
            "200 fin",
            post(
                "/read",
                "transfer-encoding: chunked\r\ncontent-length: 3\r\n",
                "4\r\nbody\r\n0\r\n\r\n",
            ),
        ),
        once(
            "a GET with a body",
            "200 open",
            get("/read", "content-length: 4\r\n") + "body",
        ),
        once(
            "a DELETE with a body, unread",
            "200 open",
            ask("DELETE", "/drop", "content-length: 4\r\n") + "body",
        ),
        once(
            "a large body",
            "200 open",
            sized("/read", "300000", &"z".repeat(300_000)),
        ),
        once(
            "a large body, echoed",
            "200 open",
            sized("/back", "300000", &"z".repeat(300_000)),
        ),
        slow(
            "length, byte by byte",
            "200 open",
            sized("/back", "10", "0123456789"),
        ),
        case(
            "length, echoed piece by piece",
            "200 200 open",
            vec![
                send(sized("/back", "12", "")),
                Step::Until("HTTP/1.1 200"),
                send("first;"),
                Step::Until("first;"),
                send("second"),
                Step::Until("second"),
                send(HELLO),
            ],
        ),
    ]
}

fn chunks() -> Vec<Case> {
    let long = "a".repeat(20_000);
    let mut many = String::new();
    for _ in 0..500 {
        many += "1\r\nx\r\n";
    }
    many += "0\r\n\r\n";
    let trailers = (0..200).fold(String::new(), |all, n| all + &format!("x-{n}: {n}\r\n"));
    vec![
        once(
            "chunks",
            "200 open",
            chunked("/read", "2\r\nbo\r\n2\r\ndy\r\n0\r\n\r\n"),
        ),
        once("chunks, none", "200 open", chunked("/read", "0\r\n\r\n")),
        once(
            "chunks, many of one byte",
            "200 open",
            chunked("/read", &many),
        ),
        once(
            "chunk size in capitals",
            "200 open",
            chunked("/read", "A\r\n0123456789\r\n0\r\n\r\n"),
        ),
        once(
            "chunk size with zeros",
            "200 open",
            chunked("/read", "0004\r\nbody\r\n000\r\n\r\n"),
        ),
        once(
            "chunk size of no number",
            "200 fin",
            chunked("/read", "xyz\r\nbody\r\n0\r\n\r\n"),
        ),
        once(
            "chunk size negative",
            "200 fin",
            chunked("/read", "-4\r\nbody\r\n0\r\n\r\n"),
        ),
        once(
            "chunk size empty",
            "200 fin",
            chunked("/read", "\r\nbody\r\n0\r\n\r\n"),
        ),
        once(
            "chunk size beyond 64 bits",
            "200 fin",
            chunked("/read", "10000000000000000\r\nbody\r\n0\r\n\r\n"),
        ),
        once(
            "chunk size with space",
            "200 open",
            chunked("/read", "4 \r\nbody\r\n0\r\n\r\n"),
        ),
        once(
            "chunk size after space",
            "200 fin",
            chunked("/read", " 4\r\nbody\r\n0\r\n\r\n"),
        ),
        once(
            "chunk longer than its size",
            "200 fin",
            chunked("/read", "2\r\nbody\r\n0\r\n\r\n"),
        ),
        once(
            "chunk without its line end",
            "200 fin",
            chunked("/read", "4\r\nbody0\r\n\r\n"),
        ),
        once(
            "chunk with bare line feeds",
            "200 fin",
            chunked("/read", "4\nbody\n0\n\n"),
        ),
        once(
            "chunk extension",
            "200 open",
            chunked("/read", "4;name=value\r\nbody\r\n0;last\r\n\r\n"),
        ),
        once(
            "chunk extension quoted",
            "200 open",
            chunked("/read", "4;name=\"va;lue\"\r\nbody\r\n0\r\n\r\n"),
        ),
        once(
            "chunk extension with a line feed",
            "200 fin",
            chunked("/read", "4;na\nme\r\nbody\r\n0\r\n\r\n"),
        ),
        once(
            "chunk extension too long",
            "200 fin",
            chunked("/read", &format!("4;{long}\r\nbody\r\n0\r\n\r\n")),
        ),
        half(
            "chunks cut in the size",
            "200 fin",
            chunked("/read", "4\r\nbody\r\n1"),
        ),
        half(
            "chunks cut in the data",
            "200 fin",
            chunked("/read", "4\r\nbo"),
        ),
        half(
            "chunks cut before the last",
            "200 fin",
            chunked("/read", "4\r\nbody\r\n"),
        ),
        half(
            "chunks cut in the last",
            "200 fin",
            chunked("/read", "4\r\nbody\r\n0\r\n"),
        ),
        half(
            "chunks cut, echoed",
            "200 fin",
            chunked("/back", "4\r\nbody\r\n4\r\nbo"),
        ),
        once(
            "chunks that go bad, echoed",
            "200 fin",
            chunked("/back", "4\r\nbody\r\nzz\r\n"),
        ),
        once(
            "chunks that go bad, unread",
            "200 fin",
            chunked("/drop", "4\r\nbody\r\nzz\r\n"),
        ),
        once(
            "chunks that go bad, partly read",
            "200 fin",
            chunked("/some", "4\r\nbody\r\nzz\r\n"),
        ),
        once(
            "trailer",
            "200 open",
            chunked("/read", "4\r\nbody\r\n0\r\nx-sum: 17\r\n\r\n"),
        ),
        once(
            "trailer repeated",
            "200 open",
            chunked("/read", "4\r\nbody\r\n0\r\nx-sum: 17\r\nx-sum: 18\r\n\r\n"),
        ),
        once(
            "trailer unread",
            "200 open",
            chunked("/drop", "4\r\nbody\r\n0\r\nx-sum: 17\r\n\r\n"),
        ),
        once(
            "trailer echoed",
            "200 open",
            chunked("/back", "4\r\nbody\r\n0\r\nx-sum: 17\r\n\r\n"),
        ),
        once(
            "trailer echoed to who takes it",
            "200 open",
            post(
                "/back",
                "te: trailers\r\ntransfer-encoding: chunked\r\n",
                "4\r\nbody\r\n0\r\nx-sum: 17\r\n\r\n",
            ),
        ),
        once(
            "trailer of a length",
            "200 open",
            chunked("/read", "4\r\nbody\r\n0\r\ncontent-length: 99\r\n\r\n"),
        ),
        once(
            "trailer of no field",
            "200 fin",
            chunked("/read", "4\r\nbody\r\n0\r\nno field\r\n\r\n"),
        ),
        once(
            "trailers, many",
            "200 fin",
            chunked("/read", &format!("0\r\n{trailers}\r\n")),
        ),
        once(
            "trailers, too long",
            "200 fin",
            chunked("/read", &format!("0\r\nx-long: {long}{long}\r\n\r\n")),
        ),
        slow(
            "chunks byte by byte",
            "200 open",
            chunked("/read", "4;x\r\nbody\r\n0\r\nx-sum: 17\r\n\r\n"),
        ),
        slow(
            "chunks byte by byte, answer begun",
            "200 open",
            chunked("/early", "4\r\nbody\r\n0\r\n\r\n"),
        ),
        case(
            "chunks echoed one by one",
            "200 open",
            vec![
                send(chunked("/back", "")),
                Step::Until("HTTP/1.1 200"),
                send("5\r\nfirst\r\n"),
                Step::Until("first\r\n"),
                send("6\r\nsecond\r\n"),
                Step::Until("second\r\n"),
                send("0\r\n\r\n"),
            ],
        ),
        once(
            "coding unknown",
            "400 fin",
            post("/read", "transfer-encoding: gzip\r\n", "body"),
        ),
        once(
            "coding before chunked",
            "200 open",
            post(
                "/read",
                "transfer-encoding: gzip, chunked\r\n",
                "4\r\nbody\r\n0\r\n\r\n",
            ),
        ),
        once(
            "coding after chunked",
            "400 fin",
            post(
                "/read",
                "transfer-encoding: chunked, gzip\r\n",
                "4\r\nbody\r\n0\r\n\r\n",
            ),
        ),
        once(
            "coding twice chunked",
            "200 open",
            post(
                "/read",
                "transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n",
                "4\r\nbody\r\n0\r\n\r\n",
            ),
        ),
        once(
            "coding in capitals",
            "200 open",
            post(
                "/read",
                "transfer-encoding: CHUNKED\r\n",
                "4\r\nbody\r\n0\r\n\r\n",
            ),
        ),
        once(
            "coding almost chunked",
            "400 fin",
            post(
                "/read",
                "transfer-encoding: xchunked\r\n",
                "4\r\nbody\r\n0\r\n\r\n",
            ),
        ),
        once(
            "coding identity",
            "400 fin",
            post(
                "/read",
                "transfer-encoding: identity\r\ncontent-length: 4\r\n",
                "body",
            ),
        ),
    ]
}

fn heads() -> Vec<Case> {
    let many =
        |count: usize| (0..count).fold(String::new(), |all, n| all + &format!("x-{n}: {n}\r\n"));
    let value = |length: usize| format!("x-long: {}\r\n", "v".repeat(length));
    vec![
        once(
            "fields folded",
            "400 fin",
            get("/head", "x-folded: one\r\n two\r\n"),
        ),
        once(
            "fields folded at once",
            "400 fin",
            "GET /head HTTP/1.1\r\n x: y\r\nhost: test\r\n\r\n",
        ),
        once(
            "field with space before colon",
            "400 fin",
            get("/head", "x-space : one\r\n"),
        ),
        once(
            "field with space in name",
            "400 fin",
            get("/head", "x space: one\r\n"),
        ),
        once("field without name", "400 fin", get("/head", ": one\r\n")),
        once("field without colon", "400 fin", get("/head", "x-none\r\n")),
        once(
            "field without value",
            "200 open",
            get("/head", "x-empty:\r\n"),
        ),
        once(
            "field with tabs",
            "200 open",
            get("/head", "x-tab:\tone\ttwo\t\r\n"),
        ),
        once(
            "field with a control character",
            "400 fin",
            get("/head", "x-control: a\x01b\r\n"),
        ),
        once(
            "field with NUL in value",
            "400 fin",
            get("/head", "x-nul: a\0b\r\n"),
        ),
        once(
            "field with NUL in name",
            "400 fin",
            get("/head", "x\0nul: a\r\n"),
        ),
        once(
            "field with bare CR",
            "400 fin",
            get("/head", "x-cr: a\rb\r\n"),
        ),
        once(
            "field with DEL",
            "400 fin",
            get("/head", "x-del: a\x7fb\r\n"),
        ),
        once(
            "field with bytes that are no text",
            "200 open",
            [&b"GET /head HTTP/1.1\r\nhost: test\r\nx-bytes: \xff\xe9\x80\r\n\r\n"[..]].concat(),
        ),
        once(
            "field name with bytes that are no text",
            "400 fin",
            [&b"GET /head HTTP/1.1\r\nhost: test\r\nx-\xe9: a\r\n\r\n"[..]].concat(),
        ),
        once(
            "field names in odd case",
            "200 open",
            get("/head", "X-oDd: A\r\nACCEPT: */*\r\n"),
        ),
        once(
            "fields repeated",
            "200 open",
            get("/head", "x-a: 1\r\nx-b: 2\r\nx-a: 3\r\n"),
        ),
        once(
            "fields, all odd characters",
            "200 open",
            get("/head", "!#$%&'*+-.^_`|~0: a\r\n"),
        ),
        once("fields, ninety", "200 open", get("/head", &many(90))),
        once("fields, too many", "431 fin", get("/head", &many(200))),
        once("field of 30 KB", "200 open", get("/head", &value(30_000))),
        once("field too long", "431 fin", get("/head", &value(600_000))),
        once(
            "line feeds alone",
            "200 open",
            "GET /head HTTP/1.1\nhost: test\n\n",
        ),
        once(
            "line feeds mixed",
            "200 open",
            "GET /head HTTP/1.1\r\nhost: test\n\r\n",
        ),
        once("empty lines before", "200 open", format!("\r\n\r\n{HELLO}")),
        once("a line feed before", "200 open", format!("\n{HELLO}")),
        once("a space before", "400 fin", format!(" {HELLO}")),
        once("a NUL before", "400 fin", format!("\0{HELLO}")),
        once("no host", "200 open", "GET /head HTTP/1.1\r\n\r\n"),
        once("two hosts", "200 open", get("/head", "host: other\r\n")),
        once(
            "a host that is none",
            "200 open",
            "GET /head HTTP/1.1\r\nhost: a b/c@d\r\n\r\n",
        ),
        once(
            "host empty",
            "200 open",
            "GET /head HTTP/1.1\r\nhost:\r\n\r\n",
        ),
        once("version 1.0", "200 fin", "GET /head HTTP/1.0\r\n\r\n"),
        once(
            "version 1.2",
            "400 fin",
            "GET /head HTTP/1.2\r\nhost: test\r\n\r\n",
        ),
        once(
            "version 2.0",
            "400 fin",
            "GET /head HTTP/2.0\r\nhost: test\r\n\r\n",
        ),
        once("version 0.9", "400 fin", "GET /head\r\n\r\n"),
        once(
            "version in small letters",
            "400 fin",
            "GET /head http/1.1\r\nhost: test\r\n\r\n",
        ),
        once(
            "version missing",
            "400 fin",
            "GET /head \r\nhost: test\r\n\r\n",
        ),
        once(
            "spaces, two",
            "400 fin",
            "GET  /head  HTTP/1.1\r\nhost: test\r\n\r\n",
        ),
        once(
            "spaces after version",
            "400 fin",
            "GET /head HTTP/1.1 \r\nhost: test\r\n\r\n",
        ),
        once("method of a user", "200 open", ask("PROPFIND", "/head", "")),
        once(
            "method in small letters",
            "200 open",
            ask("get", "/head", ""),
        ),
        once(
            "method with odd characters",
            "200 open",
            ask("M-SEARCH!", "/head", ""),
        ),
        once("method with a slash", "400 fin", ask("GE/T", "/head", "")),
        once(
            "method empty",
            "400 fin",
            " /head HTTP/1.1\r\nhost: test\r\n\r\n",
        ),
        once(
            "method long",
            "200 open",
            ask(&"M".repeat(500), "/head", ""),
        ),
        once("method not allowed", "405 open", ask("PATCH", "/hello", "")),
        once("TRACE", "200 open", ask("TRACE", "/head", "x-a: 1\r\n")),
        once(
            "not HTTP at all",
            "400 fin",
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03rest of hello",
        ),
        slow(
            "a head byte by byte",
            "200 open",
            get("/head", "x-a: 1\r\nx-b:  2 \r\n"),
        ),
        slow(
            "a bad head byte by byte",
            "400 fin",
            get("/head", "x a: 1\r\n"),
        ),
        half("a head cut", "fin", "GET /head HTTP/1.1\r\nhost: te"),
        half("nothing", "fin", ""),
        once(
            "a head that never ends",
            "open",
            "GET /head HTTP/1.1\r\nhost: test\r\n",
        ),
        once(
            "an ID of the client",
            "200 open",
            get(
                "/head",
                "x-request-id: client-4711\r\ntraceparent: 00-0123456789abcdef0123456789abcdef-0123456789abcdef-01\r\ntracestate: a=b\r\n",
            ),
        ),
        once(
            "an ID that is none",
            "400 fin",
            get("/head", "x-request-id: \x01\r\n"),
        ),
        once(
            "IDs, two",
            "200 open",
            get("/head", "x-request-id: one\r\nx-request-id: two\r\n"),
        ),
        once(
            "a token that is none",
            "200 open",
            get("/head", "x-dashcam-verbose: trace\r\n"),
        ),
    ]
}

fn targets() -> Vec<Case> {
    vec![
        once(
            "target absolute",
            "200 open",
            get("http://other.example/head?a=b", ""),
        ),
        once(
            "target absolute, no path",
            "404 open",
            get("http://other.example", ""),
        ),
        once(
            "target of another scheme",
            "200 open",
            get("ftp://other.example/head", ""),
        ),
        once(
            "target with user",
            "200 open",
            get("http://user:word@other.example/head", ""),
        ),
        once("target asterisk", "404 open", ask("OPTIONS", "*", "")),
        once("target asterisk of GET", "404 open", get("*", "")),
        once(
            "target an authority",
            "404 open",
            get("other.example:80", ""),
        ),
        once(
            "target of CONNECT a path",
            "200 fin",
            ask("CONNECT", "/head", ""),
        ),
        once("target with a fragment", "200 open", get("/head#part", "")),
        once(
            "target with a query of all kinds",
            "400 fin",
            get("/head?a=b&&c=%zz;[]{}|^`\"<>", ""),
        ),
        once(
            "target with a query of all kinds allowed",
            "200 open",
            get("/head?a=b&&c=%zz;[]{}|^&=?/", ""),
        ),
        once(
            "target with a question mark alone",
            "200 open",
            get("/head?", ""),
        ),
        once("target with dots", "200 open", get("/head/../hello", "")),
        once("target with slashes", "404 open", get("//head", "")),
        once("target encoded", "404 open", get("/%68%65ad/%00%ff%2F", "")),
        once("target with a bad escape", "200 open", get("/head/%zz", "")),
        once(
            "target with a backslash",
            "404 open",
            get("/head\\hello", ""),
        ),
        once("target with a space", "400 fin", get("/he ad", "")),
        once("target with NUL", "400 fin", get("/head/\0", "")),
        once("target in UTF-8", "200 open", get("/head/é", "")),
        once(
            "target of bytes that are no text",
            "400 fin",
            [&b"GET /head/\xff HTTP/1.1\r\nhost: test\r\n\r\n"[..]].concat(),
        ),
        once(
            "target of 8 KB",
            "200 open",
            get(&format!("/head/{}", "p".repeat(8_000)), ""),
        ),
        once(
            "target of 65 KB",
            "414 fin",
            get(&format!("/head/{}", "p".repeat(65_600)), ""),
        ),
        once(
            "target empty",
            "400 fin",
            "GET  HTTP/1.1\r\nhost: test\r\n\r\n",
        ),
        once("target unknown", "404 open", get("/nowhere", "")),
    ]
}

fn pipelines() -> Vec<Case> {
    let hello = HELLO;
    vec![
        once(
            "pipelined",
            "200 200 200 open",
            format!("{hello}{hello}{hello}"),
        ),
        once(
            "pipelined, with bodies",
            "200 200 200 open",
            sized("/read", "4", "body") + &chunked("/back", "4\r\nbody\r\n0\r\n\r\n") + hello,
        ),
        once(
            "pipelined, body dropped",
            "200 200 open",
            sized("/drop", "4", "body") + hello,
        ),
        once(
            "pipelined, body held",
            "200 200 open",
            sized("/held", "4", "body") + hello,
        ),
        once(
            "pipelined, body partly read",
            "200 200 open",
            sized("/some", "8", "bodybody") + hello,
        ),
        once(
            "pipelined, chunks dropped",
            "200 200 open",
            chunked("/drop", "4\r\nbody\r\n0\r\n\r\n") + hello,
        ),
        once(
            "pipelined, chunks partly read",
            "200 fin",
            chunked("/some", "4\r\nbody\r\n4\r\nbody\r\n0\r\n\r\n") + hello,
        ),
        once(
            "pipelined, body unread and short",
            "503 200 open",
            sized("/status/503", "4", "body") + hello,
        ),
        once(
            "pipelined, large body dropped",
            "200 fin",
            sized("/drop", "40000", &"z".repeat(40_000)) + hello,
        ),
        case(
            "body dropped that comes late",
            "200 fin",
            vec![
                send(sized("/drop", "4", "")),
                Step::Until("dropped"),
                send("body"),
                send(hello),
            ],
        ),
        case(
            "body held that comes late",
            "200 fin",
            vec![
                send(sized("/held", "4", "")),
                Step::Until("ld\r\n"),
                send("body"),
                send(hello),
            ],
        ),
        once(
            "pipelined after a failure",
            "500 200 open",
            get("/status/500", "") + hello,
        ),
        once(
            "pipelined after a refusal",
            "405 200 open",
            post("/hello", "content-length: 2\r\n", "{}") + hello,
        ),
        once(
            "pipelined after close",
            "200 fin",
            get("/hello", CLOSE) + hello,
        ),
        once(
            "pipelined, the second bad",
            "200 400 fin",
            format!("{hello}GET / HTTP/9\r\n\r\n"),
        ),
        once(
            "pipelined, the second cut",
            "200 open",
            format!("{hello}GET /he"),
        ),
        half(
            "pipelined and half closed",
            "200 fin",
            format!("{hello}{hello}"),
        ),
        once(
            "pipelined, slow first",
            "200 200 open",
            get("/yielding", "") + hello,
        ),
        slow(
            "pipelined byte by byte",
            "200 200 open",
            sized("/read", "4", "body") + hello,
        ),
        once(
            "pipelined, hidden in a length",
            "200 open",
            sized("/drop", "35", hello),
        ),
        once(
            "pipelined, twenty",
            "200 200 200 200 200 200 200 200 200 200 200 200 200 200 200 200 200 200 200 200 open",
            hello.repeat(20),
        ),
        once(
            "pipelined, HEAD between",
            "200 200 open",
            ask("HEAD", "/hello", "") + hello,
        ),
        case(
            "one after the other",
            "200 200 200 fin",
            vec![
                send(hello),
                Step::Until("hello"),
                send(sized("/read", "4", "body")),
                Step::Until("4 read"),
                send(get("/streamed", CLOSE)),
            ],
        ),
    ]
}

fn expectations() -> Vec<Case> {
    const EXPECT: &str = "expect: 100-continue\r\n";
    let asked =
        |path: &str, length: &str| post(path, &format!("{EXPECT}content-length: {length}\r\n"), "");
    vec![
        case(
            "expect, read",
            "100 200 open",
            vec![
                send(asked("/read", "4")),
                Step::Until("100 Continue"),
                send("body"),
            ],
        ),
        once(
            "expect, body at once",
            "100 200 open",
            asked("/read", "4") + "body",
        ),
        once("expect, dropped", "200 fin", asked("/drop", "4")),
        once(
            "expect, dropped, body at once",
            "200 200 open",
            asked("/drop", "4") + "body" + HELLO,
        ),
        once("expect, held", "200 fin", asked("/held", "4")),
        once("expect, answered early", "200 open", asked("/early", "4")),
        case(
            "expect, answered early, body follows",
            "200 open",
            vec![
                send(asked("/early", "4")),
                Step::Until("early;"),
                send("body"),
            ],
        ),
        once("expect, refused", "503 fin", asked("/status/503", "4")),
        once("expect, no length", "200 open", post("/read", EXPECT, "")),
        once("expect, length zero", "200 open", asked("/read", "0")),
        once("expect of GET", "200 open", get("/hello", EXPECT)),
        case(
            "expect, chunks",
            "100 200 open",
            vec![
                send(post(
                    "/read",
                    &format!("{EXPECT}transfer-encoding: chunked\r\n"),
                    "",
                )),
                Step::Until("100 Continue"),
                send("4\r\nbody\r\n0\r\n\r\n"),
            ],
        ),
        once(
            "expect something else",
            "200 open",
            post("/read", "expect: 200-ok\r\ncontent-length: 4\r\n", "body"),
        ),
        case(
            "expect in capitals",
            "100 200 open",
            vec![
                send(post(
                    "/read",
                    "Expect: 100-CONTINUE\r\ncontent-length: 4\r\n",
                    "",
                )),
                Step::Until("HTTP/1.1 "),
                send("body"),
            ],
        ),
        once(
            "expect in HTTP/1.0",
            "200 fin",
            "POST /read HTTP/1.0\r\nexpect: 100-continue\r\ncontent-length: 4\r\n\r\nbody",
        ),
        half(
            "expect, and half closed",
            "100 200 fin",
            asked("/read", "4"),
        ),
        case(
            "expect, read in a task",
            "100 200 open",
            vec![
                send(asked("/task", "4")),
                Step::Until("100 Continue"),
                send("body"),
            ],
        ),
        case(
            "expect, partly read",
            "100 200 fin",
            vec![
                send(asked("/some", "8")),
                Step::Until("100 Continue"),
                send("body"),
            ],
        ),
        case(
            "expect, echoed",
            "200 open",
            vec![
                send(asked("/back", "4")),
                Step::Until("HTTP/1.1 "),
                send("body"),
            ],
        ),
    ]
}

fn connections() -> Vec<Case> {
    let with = |value: &str| get("/hello", &format!("connection: {value}\r\n"));
    let old = |path: &str, more: &str| format!("GET {path} HTTP/1.0\r\nhost: test\r\n{more}\r\n");
    vec![
        once("connection close", "200 fin", with("close")),
        once("connection in capitals", "200 fin", with("CLOSE")),
        once("connection keep-alive", "200 open", with("keep-alive")),
        once("connection both", "200 fin", with("keep-alive, close")),
        once("connection upgrade to nothing", "200 open", with("upgrade")),
        once(
            "connection close and upgrade",
            "200 fin",
            get("/hello", "connection: close, upgrade\r\nupgrade: h2c\r\n"),
        ),
        once(
            "connection names a field",
            "200 open",
            get("/head", "connection: x-a\r\nx-a: 1\r\n"),
        ),
        once("HTTP/1.0", "200 fin", old("/hello", "")),
        once(
            "HTTP/1.0 keep-alive",
            "200 open",
            old("/hello", "connection: keep-alive\r\n"),
        ),
        once(
            "HTTP/1.0 keep-alive, streamed",
            "200 fin",
            old("/streamed", "connection: keep-alive\r\n"),
        ),
        once("HTTP/1.0 streamed", "200 fin", old("/streamed", "")),
        once(
            "HTTP/1.0 trailers",
            "200 fin",
            old("/trailers/usual", "te: trailers\r\n"),
        ),
        once("HTTP/1.0 nothing streamed", "200 fin", old("/nothing", "")),
        once(
            "HTTP/1.0 twice",
            "200 200 fin",
            old("/hello", "connection: keep-alive\r\n") + &old("/hello", ""),
        ),
        once(
            "HTTP/1.0 chunks",
            "400 fin",
            "POST /read HTTP/1.0\r\ntransfer-encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n",
        ),
        once(
            "HTTP/1.0 body",
            "200 fin",
            "POST /read HTTP/1.0\r\ncontent-length: 4\r\n\r\nbody",
        ),
        once("HTTP/1.0 HEAD", "200 fin", "HEAD /hello HTTP/1.0\r\n\r\n"),
        once(
            "the answer closes",
            "200 fin",
            get("/field/connection/close", "") + HELLO,
        ),
        once(
            "the answer keeps alive",
            "200 fin",
            get("/field/connection/keep-alive", CLOSE) + HELLO,
        ),
        once(
            "the answer of HTTP/1.0",
            "200 200 open",
            get("/fields/http10", "") + HELLO,
        ),
        once("the answer of HTTP/2", "200 open", get("/fields/http2", "")),
        half("half closed at once", "fin", HELLO),
        half("half closed, body read", "fin", sized("/read", "4", "body")),
        half("half closed, streamed", "fin", get("/streamed", "")),
        half("half closed while waiting", "fin", get("/wait", "")),
        case(
            "half closed in the answer",
            "200 fin",
            vec![send(get("/endless", "")), Step::Until("first"), Step::Shut],
        ),
        case(
            "half closed between requests",
            "200 fin",
            vec![send(HELLO), Step::Until("hello"), Step::Shut],
        ),
    ]
}

fn bodiless() -> Vec<Case> {
    let mut all = Vec::new();
    for (name, expected, path) in [
        ("HEAD of a length", "200 200 open", "/hello"),
        ("HEAD of a stream", "200 200 open", "/streamed"),
        ("HEAD of trailers", "200 200 open", "/trailers/usual"),
        ("HEAD of nothing", "200 200 open", "/nothing"),
        ("HEAD of a lie", "200 200 open", "/lying/99"),
        ("HEAD of a failure in the body", "200 200 open", "/broken/0"),
        (
            "HEAD of a panic in the body",
            "200 200 open",
            "/panicking/0",
        ),
        ("HEAD of the endless", "200 200 open", "/endless"),
        ("HEAD of 204", "204 200 open", "/answer/204"),
        ("HEAD of a large one", "200 200 open", "/large"),
    ] {
        all.push(once(name, expected, ask("HEAD", path, "") + HELLO));
    }
    for (name, expected, path) in [
        ("204 with a body", "204 200 open", "/answer/204"),
        ("204 with a stream", "204 200 open", "/answer-streamed/204"),
        (
            "204 with a body and a length",
            "204 200 open",
            "/204-with-body",
        ),
        ("205 with a body", "205 200 open", "/answer/205"),
        ("304 with a body", "304 200 open", "/answer/304"),
        ("304 with a stream", "304 200 open", "/answer-streamed/304"),
        ("304 with a length", "304 200 open", "/304-with-body"),
        ("100 as an answer", "500 fin", "/answer/100"),
        ("102 as an answer", "500 fin", "/answer/102"),
        ("101 not asked for", "101 fin", "/answer/101"),
        ("599", "599 200 open", "/answer/599"),
        ("999", "999 200 open", "/answer/999"),
    ] {
        all.push(once(name, expected, get(path, "") + HELLO));
    }
    all.push(once(
        "HEAD with a body",
        "200 200 open",
        ask("HEAD", "/read", "content-length: 4\r\n") + "body" + HELLO,
    ));
    all.push(once(
        "HEAD and close",
        "200 fin",
        ask("HEAD", "/streamed", CLOSE),
    ));
    all
}

fn answers() -> Vec<Case> {
    let mut all = Vec::new();
    for (name, expected, path) in [
        (
            "answer with the length of its body",
            "200 200 open",
            "/lying/5",
        ),
        ("answer with too short a length", "200 200 open", "/lying/2"),
        ("answer with too long a length", "fin", "/lying/9"),
        ("answer with length zero", "200 200 open", "/lying/0"),
        ("answer with a length that is none", "fin", "/lying/five"),
        ("answer with empty pieces", "200 200 open", "/empties"),
        ("answer with no pieces", "200 200 open", "/nothing"),
        ("answer that takes its time", "200 200 open", "/yielding"),
        ("answer in one large piece", "200 200 open", "/large"),
        ("answer in large pieces", "200 200 open", "/large-streamed"),
        ("answer with trailers", "200 200 open", "/trailers/usual"),
        (
            "answer with trailers alone",
            "200 200 open",
            "/trailers/only",
        ),
        (
            "answer with empty trailers",
            "200 200 open",
            "/trailers/empty",
        ),
        (
            "answer with trailers not declared",
            "200 200 open",
            "/trailers/undeclared",
        ),
        (
            "answer with chunked by hand",
            "200 200 open",
            "/field/transfer-encoding/chunked",
        ),
        (
            "answer with gzip by hand",
            "200 200 open",
            "/field/transfer-encoding/gzip",
        ),
        (
            "answer that upgrades without a word",
            "200 200 open",
            "/field/upgrade/echo",
        ),
        (
            "answer with an ID of the service",
            "200 200 open",
            "/field/x-request-id/own",
        ),
        ("answer with many fields", "200 200 open", "/fields/many"),
        ("answer with a long field", "200 200 open", "/fields/long"),
        (
            "answer with fields repeated",
            "200 200 open",
            "/fields/repeated",
        ),
        (
            "answer with bytes in a field",
            "200 200 open",
            "/fields/bytes",
        ),
        (
            "answer with a date of its own",
            "200 200 open",
            "/fields/date",
        ),
        ("answer with a reason", "200 200 open", "/fields/reason"),
        ("answer after a timeout", "408 200 open", "/never"),
    ] {
        all.push(once(name, expected, get(path, "te: trailers\r\n") + HELLO));
    }
    all.extend([
        case(
            "answer begun before the body came",
            "200 200 open",
            vec![
                send(sized("/early", "4", "")),
                Step::Until("early;"),
                send("body"),
                Step::Until("4 read"),
                send(HELLO),
            ],
        ),
        half(
            "answer begun, body cut",
            "200 fin",
            sized("/early", "9", "body"),
        ),
        once(
            "answer begun, chunks bad",
            "200 fin",
            chunked("/early", "4\r\nbody\r\nzz\r\n"),
        ),
        once(
            "answer before a body that never comes",
            "200 fin",
            sized("/drop", "4", ""),
        ),
        once(
            "answer before chunks that never come",
            "200 fin",
            chunked("/drop", ""),
        ),
        once(
            "answer from another task",
            "200 open",
            chunked("/task", "4\r\nbody\r\n0\r\nx-sum: 1\r\n\r\n"),
        ),
        once(
            "a length beyond the limit, waited for",
            "open",
            sized("/length", "3000000", "body"),
        ),
        once("answer 415", "415 open", sized("/order", "2", "{}")),
        once(
            "answer 422",
            "422 open",
            post(
                "/order",
                "content-type: application/json\r\ncontent-length: 2\r\n",
                "{}",
            ),
        ),
    ]);
    all
}

fn failures() -> Vec<Case> {
    let panics = |more: &str, body: &str| post("/panics/true", more, body);
    vec![
        once("body fails at once", "fin", get("/broken/0", "") + HELLO),
        once(
            "body fails after two",
            "200 fin",
            get("/broken/2", "") + HELLO,
        ),
        once(
            "body fails in HTTP/1.0",
            "200 fin",
            "GET /broken/2 HTTP/1.0\r\n\r\n",
        ),
        once(
            "body panics at once",
            "fin",
            get("/panicking/0", "") + HELLO,
        ),
        once(
            "body panics after two",
            "200 fin",
            get("/panicking/2", "") + HELLO,
        ),
        once(
            "panic before the head",
            "fin",
            get("/panics/false", "") + HELLO,
        )
        .answered("500 200 open"),
        once("panic of HEAD", "fin", ask("HEAD", "/panics/false", "")).answered("500 open"),
        once(
            "panic in HTTP/1.0",
            "fin",
            "GET /panics/false HTTP/1.0\r\n\r\n",
        )
        .answered("500 fin"),
        once("panic, then close", "fin", get("/panics/false", CLOSE)).answered("500 fin"),
        once(
            "panic, body unread",
            "fin",
            post("/panics/false", "content-length: 4\r\n", "body") + HELLO,
        )
        .answered("500 200 open"),
        once(
            "panic, body read",
            "fin",
            panics("content-length: 4\r\n", "body") + HELLO,
        )
        .answered("500 200 open"),
        once(
            "panic, chunks bad",
            "fin",
            panics("transfer-encoding: chunked\r\n", "zz\r\n"),
        )
        .answered("500 fin"),
        case(
            "panic after continue",
            "100 fin",
            vec![
                send(panics("expect: 100-continue\r\ncontent-length: 4\r\n", "")),
                Step::Until("100 Continue"),
                send("body"),
            ],
        )
        .answered("100 500 open"),
        once(
            "panic among others",
            "200 fin",
            format!("{HELLO}{}{HELLO}", get("/panics/false", "")),
        )
        .answered("200 500 200 open"),
        once(
            "panic where a body has not come",
            "405 open",
            get("/one-frame", ""),
        ),
    ]
}

fn departures() -> Vec<Case> {
    let endless = get("/endless", "");
    let waiting = post(
        "/read-and-wait",
        "expect: 100-continue\r\ncontent-length: 4\r\n",
        "",
    );
    vec![
        case(
            "reset in the answer",
            "200 left",
            vec![send(&endless), Step::Until("first"), Step::Reset],
        ),
        case(
            "closed in the answer",
            "200 left",
            vec![send(&endless), Step::Until("first"), Step::Close],
        ),
        case(
            "reset while waiting",
            "100 left",
            vec![
                send(&waiting),
                Step::Until("100 Continue"),
                send("body"),
                Step::Reset,
            ],
        ),
        case(
            "closed while waiting",
            "100 left",
            vec![
                send(&waiting),
                Step::Until("100 Continue"),
                send("body"),
                Step::Close,
            ],
        ),
        case(
            "reset in the head",
            "left",
            vec![Step::Slow(b"GET /hel".to_vec()), Step::Reset],
        ),
        case(
            "reset in the body",
            "200 left",
            vec![
                send(sized("/back", "9", "body")),
                Step::Until("body"),
                Step::Reset,
            ],
        ),
        case(
            "closed in a chunk",
            "200 left",
            vec![
                send(chunked("/back", "8\r\nbody")),
                Step::Until("body"),
                Step::Close,
            ],
        ),
        case(
            "reset after the answer",
            "200 left",
            vec![send(HELLO), Step::Until("hello"), Step::Reset],
        ),
        case(
            "closed with a large answer to come",
            "200 left",
            vec![
                send(get("/large-streamed", "")),
                Step::Until("yyyy"),
                Step::Close,
            ],
        ),
    ]
}

fn upgrades() -> Vec<Case> {
    const UPGRADE: &str = "connection: upgrade\r\nupgrade: echo\r\n";
    let asked = get("/upgrade/101", UPGRADE);
    vec![
        case(
            "upgrade",
            "101 fin",
            vec![
                send(&asked),
                Step::Until("welcome;"),
                send("ping"),
                Step::Until("ping"),
                send("GET /hello HTTP/1.1\r\n\r\n"),
                Step::Shut,
            ],
        ),
        once(
            "upgrade with early data",
            "101 open",
            format!("{asked}early"),
        ),
        half(
            "upgrade with early data, half closed",
            "101 fin",
            format!("{asked}early"),
        ),
        once(
            "upgrade with a request behind",
            "101 open",
            format!("{asked}{HELLO}"),
        ),
        half("upgrade with nothing behind", "fin", &asked),
        slow("upgrade byte by byte", "101 open", format!("{asked}early")),
        once("upgrade not asked for", "101 fin", get("/upgrade/101", "")),
        once(
            "upgrade answered with 200",
            "200 200 open",
            get("/upgrade/200", UPGRADE) + HELLO,
        ),
        once(
            "upgrade that nobody takes",
            "200 200 open",
            get("/hello", UPGRADE) + HELLO,
        ),
        once(
            "upgrade with a body",
            "101 open",
            post(
                "/upgrade/101",
                &format!("{UPGRADE}content-length: 4\r\n"),
                "bodyrest",
            ),
        ),
        once(
            "upgrade in HTTP/1.0",
            "101 fin",
            format!("GET /upgrade/101 HTTP/1.0\r\n{UPGRADE}\r\n"),
        ),
        once(
            "upgrade to HTTP/2",
            "200 open",
            get(
                "/hello",
                "connection: upgrade, http2-settings\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABkAAQAAP__\r\n",
            ),
        ),
        case(
            "upgrade, then reset",
            "101 left",
            vec![send(&asked), Step::Until("welcome;"), Step::Reset],
        ),
        case(
            "CONNECT",
            "200 fin",
            vec![
                send("CONNECT other.example:443 HTTP/1.1\r\nhost: other.example:443\r\n\r\n"),
                Step::Until("welcome;"),
                send("ping"),
                Step::Until("ping"),
                Step::Shut,
            ],
        ),
        half(
            "CONNECT with early data",
            "200 fin",
            "CONNECT other.example:443 HTTP/1.1\r\nhost: a\r\n\r\nearly",
        ),
        half(
            "CONNECT in HTTP/1.0",
            "200 fin",
            "CONNECT other.example:443 HTTP/1.0\r\n\r\nearly",
        ),
    ]
}

/// A server that responds after the client closed its side.
fn half_closes() -> Vec<Case> {
    let hello = HELLO;
    let mut all = vec![
        half("half, at once", "200 fin", hello),
        half("half, streamed", "200 fin", get("/streamed", "")),
        half("half, takes its time", "200 fin", get("/yielding", "")),
        half(
            "half, pipelined",
            "200 200 200 fin",
            format!("{hello}{}{hello}", get("/yielding", "")),
        ),
        half("half, body read", "200 fin", sized("/read", "4", "body")),
        half(
            "half, body read in a task",
            "200 fin",
            sized("/task", "4", "body"),
        ),
        half(
            "half, body echoed",
            "200 fin",
            chunked("/back", "4\r\nbody\r\n0\r\nx-sum: 1\r\n\r\n"),
        ),
        half(
            "half, length too long",
            "200 fin",
            sized("/read", "9", "body"),
        ),
        half(
            "half, length too long, unread",
            "200 fin",
            sized("/drop", "9", "body"),
        ),
        half(
            "half, length too long, begun",
            "200 fin",
            sized("/early", "9", "body"),
        ),
        half(
            "half, length too long, echoed",
            "200 fin",
            sized("/back", "9", "body"),
        ),
        half(
            "half, chunks cut",
            "200 fin",
            chunked("/read", "4\r\nbody\r\n4\r\nbo"),
        ),
        half(
            "half, expected",
            "100 200 fin",
            post("/read", "expect: 100-continue\r\ncontent-length: 4\r\n", ""),
        ),
        half("half, after a timeout", "408 fin", get("/never", "")),
        half("half, a head cut", "fin", "GET /head HTTP/1.1\r\nhost: te"),
        half(
            "half, trailers",
            "200 fin",
            get("/trailers/usual", "te: trailers\r\n"),
        ),
        half("half, a body that fails", "200 fin", get("/broken/2", "")),
        half(
            "half, a panic in the body",
            "200 fin",
            get("/panicking/2", ""),
        ),
        half(
            "half, a panic before the head",
            "fin",
            get("/panics/false", ""),
        )
        .answered("500 fin"),
        half(
            "half, names as they were",
            "200 fin",
            get("/head", "X-oDd: A\r\n"),
        ),
    ];
    for case in &mut all {
        case.half_closes = true;
    }
    all
}
