use super::*;
use crate::{
    exchange::{Body, BodyState, Content},
    export::sample::sample,
};
use proptest::prelude::*;
use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener},
    process::{Command as Process, Stdio},
    sync::mpsc::{Receiver, Sender, channel},
    thread,
    time::Duration,
};

const ANSWER: &str = "an answer";

/// A request as the server received it.
#[derive(Debug)]
struct Seen {
    line: String,
    /// Name and value of each field, sorted.
    fields: Vec<(String, Vec<u8>)>,
    body: Vec<u8>,
}

/// A server that answers every request alike, and passes on what it received.
fn server() -> (SocketAddr, Receiver<Seen>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (sender, receiver) = channel();
    thread::spawn(move || {
        for stream in listener.incoming() {
            if serve(stream.unwrap(), &sender).is_none() {
                return;
            }
        }
    });
    (address, receiver)
}

fn serve(mut stream: std::net::TcpStream, sender: &Sender<Seen>) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut next = || {
        let mut line = Vec::new();
        reader.read_until(b'\n', &mut line).unwrap();
        assert!(line.ends_with(b"\r\n"), "{line:?}");
        line.truncate(line.len() - 2);
        line
    };
    let line = String::from_utf8(next()).unwrap();
    let mut fields = Vec::new();
    loop {
        let field = next();
        if field.is_empty() {
            break;
        }
        let colon = field.iter().position(|&b| b == b':').unwrap();
        let name = String::from_utf8(field[..colon].to_vec()).unwrap();
        fields.push((name, field[colon + 1..].trim_ascii().to_vec()));
    }
    let length = fields
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    let length = length.map_or(0, |(_, value)| {
        String::from_utf8(value.clone()).unwrap().parse().unwrap()
    });
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    fields.sort();
    let head = line.starts_with("HEAD ");
    let seen = Seen { line, fields, body };
    let (length, answer) = (ANSWER.len(), if head { "" } else { ANSWER });
    write!(
        stream,
        "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{answer}"
    )
    .unwrap();
    sender.send(seen).ok()
}

fn has_curl() -> bool {
    let asked = Process::new("curl")
        .arg("--version")
        .stdout(Stdio::null())
        .status();
    asked.is_ok_and(|status| status.success())
}

fn shells() -> impl Iterator<Item = &'static str> {
    ["sh", "dash", "bash", "ksh", "zsh", "fish"]
        .into_iter()
        .filter(|shell| {
            let asked = Process::new(shell).args(["-c", "exit 0"]).status();
            asked.is_ok_and(|status| status.success())
        })
}

/// Runs a command from a file, into which a user would paste it.
fn run(shell: &str, command: &str) -> Vec<u8> {
    let mut child = Process::new(shell)
        .env("HOME", "/nonexistent")
        .env("no_proxy", "*")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    let text = command.to_owned();
    let writer = thread::spawn(move || {
        let _ = input.write_all(text.as_bytes());
        let _ = input.write_all(b"\n");
    });
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{shell}: {error}\n{command}");
    output.stdout
}

fn header(name: &str, value: &str) -> (String, String) {
    (name.into(), value.into())
}

fn text(text: &str) -> Body {
    let mut body = Body::new(BodyState::Complete);
    body.content = Some(Content::Text {
        text: text.into(),
        unparsed: 0,
    });
    body
}

fn raw(bytes: &[u8]) -> Body {
    let mut body = Body::new(BodyState::Complete);
    body.set_raw(bytes);
    body
}

/// Checks in every installed shell that the server receives the request of the exchange.
fn comes_as_recorded(
    (address, seen): &(SocketAddr, Receiver<Seen>),
    exchange: &Exchange,
    shells: &[&str],
) {
    let command = exchange.to_curl(Some(&format!("http://{address}")));
    let clean = |c: char| c == '\n' || !super::shell::is_unsafe(c);
    assert!(command.chars().all(clean), "{command:?}");
    let request = &exchange.request;
    for shell in shells {
        let stdout = run(shell, &command);
        let seen = seen.recv_timeout(Duration::from_secs(60)).unwrap();
        let target = match &request.query {
            Some(query) => format!("{}?{query}", request.path),
            None => request.path.clone(),
        };
        let line = format!("{} {target} HTTP/1.1", request.method);
        assert_eq!(seen.line, line, "{command}");
        let mut fields: Vec<_> = request
            .headers
            .iter()
            .map(|(name, value)| {
                (
                    name.clone(),
                    value.trim_matches([' ', '\t']).as_bytes().to_vec(),
                )
            })
            .collect();
        fields.push(("Host".into(), address.to_string().into_bytes()));
        fields.sort();
        let bytes = request
            .body
            .raw_bytes()
            .or_else(|| match &request.body.content {
                Some(Content::Text { text, .. }) => Some(text.clone().into_bytes()),
                _ => None,
            });
        let mut seen_fields = seen.fields;
        if bytes.is_some() {
            seen_fields.retain(|(name, _)| name != "Content-Length");
        }
        assert_eq!(seen_fields, fields, "{command}");
        assert_eq!(seen.body, bytes.unwrap_or_default(), "{command}");
        if request.method != "HEAD" {
            assert_eq!(String::from_utf8(stdout).unwrap(), ANSWER);
        }
    }
}

fn plain(method: &str, path: &str) -> Exchange {
    let mut exchange = sample("1");
    exchange.request.method = method.into();
    exchange.request.path = path.into();
    exchange.request.headers.clear();
    exchange
}

#[test]
fn hostile_requests_come_as_recorded() {
    if !has_curl() {
        return;
    }
    let shells: Vec<_> = shells().collect();
    let server = server();
    let hostile = "'; echo no >&2; exit 1 #$(exit 1)`exit 1`\"\\'${IFS}!!\n\n-\n";
    let mut exchanges = Vec::new();
    for body in [
        "",
        "@/etc/passwd",
        "a\n",
        "\n\n",
        "\t%s%%\\n\\0101",
        "&=?",
        "é\u{1f980}",
        "a\u{202e}b\u{2066}\u{2028}\n",
        // Words that a shell would replace by a program's path, a home directory, a job or
        // itself.
        "=ls",
        "==",
        "~",
        "~root/x",
        "%self",
        "%1",
        "+x",
        ",",
        "@x",
        // Text that would end a quotation in which a backslash escapes.
        "\\",
        "\\'; echo no >&2; exit 1 #",
        "\\\\'",
        hostile,
    ] {
        let mut exchange = plain("POST", "/");
        exchange.request.body = text(body);
        exchanges.push(exchange);
    }
    for body in [
        &b"\0"[..],
        b"-e \0",
        b"\r\n",
        b"%b\\c\\\0",
        &[0xff, b'7', 0, b'1'],
        b"\x1b]0;x\x07",
    ] {
        let mut exchange = plain("PUT", "/raw");
        exchange.request.body = raw(body);
        exchange
            .request
            .headers
            .push(header("content-type", "image/png"));
        exchanges.push(exchange);
    }
    let all: Vec<u8> = (0..=255).collect();
    let mut exchange = plain("POST", "/");
    exchange.request.body = raw(&all.repeat(4));
    exchanges.push(exchange);
    let mut exchange = plain("POST", "/long");
    exchange.request.body = text(&"it's ".repeat(60_000));
    exchanges.push(exchange);
    for path in [
        "/a/../b/./c",
        "/[1-3]{a,b}/x",
        "//double//",
        "/%00%20%27",
        "/'$(exit)`x`",
        "/;a|b&c",
        "/\"^\\",
    ] {
        let mut exchange = plain("GET", path);
        exchange.request.query = Some("a=[1-9]&b={x,y}&c='$HOME'&?&d=~;!!".into());
        exchanges.push(exchange);
    }
    exchanges.push(plain("OPTIONS", "*"));
    exchanges.push(plain("HEAD", "/head"));
    exchanges.push(plain("DELETE", "/x"));
    exchanges.push(plain("P~'$`!`", "/x"));
    for value in [
        "",
        "@/etc/passwd",
        "a: b; c",
        "'\"$(exit 1)`exit 1`\\ !! %s",
        "é",
        "\u{85}\u{9b}31m",
        "a\tb",
    ] {
        let mut exchange = plain("GET", "/");
        exchange.request.headers.push(header("x-odd", value));
        exchange.request.headers.push(header("user-agent", value));
        exchange.request.headers.push(header("x-odd", "again"));
        exchanges.push(exchange);
    }
    // A body with GET, and headers that curl would set itself.
    let mut exchange = plain("GET", "/");
    exchange.request.body = text(&"x".repeat(2_000_000));
    exchange.request.headers.push(header("accept", "text/html"));
    exchange
        .request
        .headers
        .push(header("accept-encoding", "gzip, br"));
    exchanges.push(exchange);
    for exchange in &exchanges {
        comes_as_recorded(&server, exchange, &shells);
    }
}

fn any_exchange() -> impl Strategy<Value = Exchange> {
    let method = prop_oneof!["GET", "POST", "PUT", "DELETE", "[A-Z!#$%&'*+.^_`|~-]{1,6}"];
    let path = "/([!-~&&[^?# ]]{0,12})";
    let query = proptest::option::of("[!-~&&[^#]]{0,12}");
    let name = "x-[a-z0-9!#$%&'*+.^_`|~-]{1,6}";
    let headers = proptest::collection::vec((name, "[ -~\t\u{80}-\u{ff}]{0,12}"), 0..3);
    let body = prop_oneof![
        Just(Body::new(BodyState::None)),
        ".{0,40}".prop_map(|t| text(&t)),
        "[\\x00-\\x7f]{0,40}".prop_map(|t| text(&t)),
        proptest::collection::vec(any::<u8>(), 0..60).prop_map(|b| raw(&b)),
    ];
    (method, path, query, headers, body).prop_map(|(method, path, query, headers, body)| {
        let mut exchange = plain(&method, &path);
        exchange.request.query = query;
        exchange.request.headers = headers.iter().map(|(n, v)| header(n, v)).collect();
        exchange.request.body = body;
        exchange
    })
}

#[test]
fn any_request_comes_as_recorded() {
    if !has_curl() {
        return;
    }
    let shells: Vec<_> = shells().collect();
    let server = server();
    let cases = if std::env::var_os("DASHCAM_LONG").is_some() {
        2_000
    } else {
        60
    };
    let config = ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(cases)
    };
    let turns = proptest::sample::select(shells);
    proptest!(config, |(exchange in any_exchange(), shell in turns)| {
        comes_as_recorded(&server, &exchange, &[shell]);
    });
}

#[test]
fn nothing_of_an_exchange_gets_out_of_its_place() {
    let evil = "x\r\n\0'$(exit 1)\n exit 1 \u{1b}[31m\u{202e}\u{2028}";
    let mut exchange = plain(evil, evil);
    exchange.id = evil.into();
    exchange.correlation.id = evil.into();
    exchange.started_at = evil.into();
    exchange.request.query = Some(evil.into());
    exchange.request.authority = Some(evil.into());
    exchange.request.version = evil.into();
    exchange.request.headers = vec![
        header("host", evil),
        header(evil, "a"),
        header("x", evil),
        header("x'`id`&$|!", "[~0123 len=4]"),
        header("y", "1"),
    ];
    exchange.request.body = Body::new(BodyState::Error {
        message: evil.into(),
    });
    let command = exchange.to_curl(None);
    assert!(
        command
            .chars()
            .all(|c| c == '\n' || !super::shell::is_unsafe(c)),
        "{command}"
    );
    let comment = |line: &&str| line.starts_with('#');
    for line in command.lines().take_while(comment) {
        assert!(
            !line.contains(['\'', '"', '`', '$', '(', ';', '&', '|', '<', '>', '!']),
            "{line}"
        );
    }
    let mut lines = command.lines().skip_while(comment);
    assert_eq!(
        lines.next(),
        Some("curl --url http://localhost/ \\"),
        "{command}"
    );
    for line in lines {
        assert!(line.starts_with("  -"), "{line}");
    }
    assert!(command.contains("left out, not valid header fields: x\\r\\n"));
    assert!(!command.contains("-X"));
}

#[test]
fn says_what_it_does_not_send() {
    let mut exchange = plain("POST", "/orders/[~12 len=3 ascii digits]");
    exchange.request.query = Some("q=%5B~12%20len%3D3%5D".into());
    exchange.request.headers = vec![
        header("host", "shop.example"),
        header("authorization", "Bearer [~34 len=9 ascii mixed]"),
        header("connection", "keep-alive, x-hop"),
        header("x-hop", "1"),
        header("content-encoding", "gzip"),
        header("content-length", "5000"),
    ];
    exchange.request.body = text("{\"a\":\"[~56 len=4]\"}");
    exchange.request.body.state = BodyState::Truncated;
    (exchange.request.body.seen, exchange.request.body.kept) = (5000, 1024);
    exchange.request.body.content_encoding = Some("gzip".into());
    let command = exchange.to_curl(None);
    assert_eq!(
        command,
        "# exchange 1, correlation ID c-1, 2025-01-02T03:04:05.678901Z: failed, status 500\n\
         # pseudonyms replace what was sent: path, query, header authorization, body\n\
         # the body was compressed, here it is not\n\
         # body: cut: the first 1024 of 5000 bytes are recorded\n\
         curl --url 'http://shop.example/orders/[~12%20len=3%20ascii%20digits]?q=%5B~12%20len%3D3%5D' \\\n  \
         --globoff \\\n  \
         -H 'authorization: Bearer [~34 len=9 ascii mixed]' \\\n  \
         -H user-agent: \\\n  \
         -H accept: \\\n  \
         -H content-type: \\\n  \
         --data-raw '{\"a\":\"[~56 len=4]\"}'"
    );
}

#[test]
fn a_method_that_is_hidden_is_no_other_one() {
    let mut exchange = plain("[~36a11ea64f60212b len=5 ascii alpha]", "/a");
    exchange.request.body = text("x");
    let command = exchange.to_curl(None);
    assert!(
        command.contains("curl --url http://localhost/a \\\n  -X '~36a11ea64f60212b'"),
        "{command}"
    );
    assert!(
        command.contains("# pseudonyms replace what was sent: method"),
        "{command}"
    );
    let command = plain("patch", "/a").to_curl(None);
    assert!(command.contains("-X patch"), "{command}");
}

#[test]
fn fields_of_other_bytes_are_left_out() {
    let mut exchange = plain("PUT", "/a");
    exchange.request.headers = vec![
        header("content-md5", "Q2hlY2sgSW50ZWdyaXR5IQ=="),
        header("content-range", "bytes 0-4/9"),
    ];
    exchange.request.body = text("hello");
    exchange.request.body.seen = 5;
    let command = exchange.to_curl(None);
    assert!(command.contains("-H 'content-md5: Q2hl"), "{command}");
    exchange.request.body = text("[~12 len=5]");
    let command = exchange.to_curl(None);
    assert!(!command.contains("-H 'content-md5") && !command.contains("-H 'content-range"));
    assert!(command.contains("# left out, because it describes other bytes: content-md5\n"));
}

#[test]
fn another_base_has_its_own_host() {
    let mut exchange = plain("GET", "/a");
    exchange.request.headers = vec![header("host", "shop.example"), header("accept", "a/b")];
    let command = exchange.to_curl(Some("https://[::1]:8443/p re/"));
    assert!(
        command.contains("# it went to http://shop.example\n"),
        "{command}"
    );
    assert!(
        command.contains("curl --url 'https://[::1]:8443/p%20re/a' \\"),
        "{command}"
    );
    assert!(!command.contains("-H host"), "{command}");
}

#[test]
fn grpc_needs_http2() {
    let mut exchange = plain("POST", "/pkg.Service/Method");
    exchange.request.version = "HTTP/2.0".into();
    exchange.request.headers = vec![header("te", "trailers")];
    let command = exchange.to_curl(Some("http://a"));
    assert!(command.contains("--http2-prior-knowledge"), "{command}");
    assert!(command.contains("-H 'te: trailers'"), "{command}");
    let command = exchange.to_curl(Some("https://a"));
    assert!(!command.contains("--http2"), "{command}");
}

#[test]
fn data_stays_data() {
    assert_eq!(quote("it's"), r"'it'\''s'");
    assert_eq!(quote(""), "''");
    assert_eq!(quote("~"), "'~'");
    assert_eq!(quote("=ls"), "'=ls'");
    assert_eq!(quote("%1"), "'%1'");
    assert_eq!(quote("a=ls"), "a=ls");
    assert_eq!(quote(r"\n"), r"''\\'n'");
    assert_eq!(quote("a\u{85}"), "\"$(printf '%b' 'a\\0302\\0205')\"");
    assert!(
        matches!(Data::of(b"a\0".to_vec()), Data::Input(text) if text == "printf '%b' 'a\\0000'")
    );
}
