//! Bytes of HTTP/2 clients, frame by frame.

use super::{
    frames::{
        ACK, CONTINUATION, END_HEADERS, END_STREAM, GOAWAY, HEADERS, PADDED, PING, PRIORITISED,
        PRIORITY, PUSH_PROMISE, SETTINGS, block, data, fields, frame, get, head, head_with,
        preface, reset, settings, window,
    },
    rig::{Case, Protocol, Step},
};

fn script(name: &'static str, expected: &'static str, steps: Vec<Step>) -> Case {
    Case {
        name,
        protocol: Protocol::Http2,
        steps,
        expected,
        answered: None,
        half_closes: false,
    }
}

/// Frames in one piece.
fn send(frames: &[Vec<u8>]) -> Step {
    Step::Send(frames.concat())
}

/// The same after the preface.
fn first(frames: &[Vec<u8>]) -> Step {
    Step::Send([preface(&[]), frames.concat()].concat())
}

fn once(name: &'static str, expected: &'static str, frames: &[Vec<u8>]) -> Case {
    script(name, expected, vec![first(frames)])
}

fn post(stream: u32, path: &str) -> Vec<u8> {
    head(stream, 0, "POST", path)
}

fn sized(stream: u32, path: &str, length: &str) -> Vec<u8> {
    head_with(stream, 0, "POST", path, &[("content-length", length)])
}

fn ping(flags: u8) -> Vec<u8> {
    frame(PING, flags, 0, b"pingpong")
}

/// The server's settings are in force.
fn taken() -> Vec<u8> {
    frame(SETTINGS, ACK, 0, [])
}

fn goaway(last: u32, code: u32) -> Vec<u8> {
    let mut payload = last.to_be_bytes().to_vec();
    payload.extend(code.to_be_bytes());
    payload.extend(b"goodbye");
    frame(GOAWAY, 0, 0, payload)
}

/// A head of one request in pieces.
fn pieces(stream: u32, size: usize, path: &str, more: &[(&str, &str)]) -> Vec<Vec<u8>> {
    let block = block(&fields("GET", path, more));
    let count = block.chunks(size).count();
    let parts = block.chunks(size).enumerate();
    parts
        .map(|(n, part)| {
            let last = if n + 1 == count { END_HEADERS } else { 0 };
            if n == 0 {
                frame(HEADERS, END_STREAM | last, stream, part)
            } else {
                frame(CONTINUATION, last, stream, part)
            }
        })
        .collect()
}

fn trailers(stream: u32, flags: u8, all: &[(&str, &str)]) -> Vec<u8> {
    frame(HEADERS, flags | END_HEADERS, stream, block(all))
}

fn padded(stream: u32, flags: u8, padding: u8, payload: &[u8]) -> Vec<u8> {
    let mut all = vec![padding];
    all.extend(payload);
    all.extend(vec![0; usize::from(padding)]);
    data(stream, flags | PADDED, all)
}

pub(crate) fn scripts() -> Vec<Case> {
    let mut all = streams();
    all.extend(bodies());
    all.extend(control());
    all.extend(heads());
    all.extend(windows());
    all.extend(ends());
    all
}

fn streams() -> Vec<Case> {
    vec![
        once("one stream", "1=200. open", &[get(1, "/hello")]),
        once(
            "three streams at once",
            "1=200. 3=200. 5=404. open",
            &[get(1, "/hello"), get(3, "/streamed"), get(5, "/nowhere")],
        ),
        once(
            "streams with gaps",
            "1=200. 101=200. open",
            &[get(1, "/hello"), get(101, "/hello")],
        ),
        once(
            "streams in the wrong order",
            "goaway1 fin",
            &[get(5, "/hello"), get(3, "/hello")],
        ),
        once(
            "a stream of even number",
            "goaway1 fin",
            &[get(2, "/hello")],
        ),
        once(
            "a stream twice",
            "goaway1 fin",
            &[get(1, "/hello"), get(1, "/hello")],
        ),
        script(
            "streams interleaved",
            "1=200. 3=200. open",
            vec![
                first(&[post(1, "/back"), post(3, "/back")]),
                send(&[data(1, 0, "a1"), data(3, 0, "b1")]),
                Step::Until("\"a1\""),
                Step::Until("\"b1\""),
                send(&[data(3, 0, "b2")]),
                Step::Until("\"b2\""),
                send(&[data(1, END_STREAM, "a2")]),
                Step::Until("\"a2\""),
                send(&[data(3, END_STREAM, "")]),
            ],
        ),
        script(
            "a stream behind one that waits",
            "3=200. open",
            vec![
                first(&[get(1, "/wait"), get(3, "/hello")]),
                Step::Until("3: data"),
            ],
        ),
        once(
            "HEAD",
            "1=200. 3=200. open",
            &[
                head(1, END_STREAM, "HEAD", "/hello"),
                head(3, END_STREAM, "HEAD", "/streamed"),
            ],
        ),
        once(
            "statuses without a body",
            "1=204. 3=304. 5=205. 7=101. open",
            &[
                get(1, "/answer/204"),
                get(3, "/answer-streamed/304"),
                get(5, "/answer/205"),
                get(7, "/answer/101"),
            ],
        ),
        once(
            "lengths of answers that lie",
            "1=200. 3=200. 5=200. open",
            &[get(1, "/lying/5"), get(3, "/lying/2"), get(5, "/lying/9")],
        ),
        once(
            "answers in pieces",
            "1=200. 3=200. 5=200. open",
            &[get(1, "/empties"), get(3, "/nothing"), get(5, "/yielding")],
        ),
        once(
            "answers with trailers",
            "1=200. 3=200. 5=200. 7=200. open",
            &[
                get(1, "/trailers/usual"),
                get(3, "/trailers/only"),
                get(5, "/trailers/empty"),
                get(7, "/trailers/undeclared"),
            ],
        ),
        once(
            "answers with fields of one connection",
            "1=200. 3=200. 5=200. open",
            &[
                get(1, "/field/connection/close"),
                get(3, "/field/transfer-encoding/chunked"),
                get(5, "/field/upgrade/echo"),
            ],
        ),
        once(
            "answers with odd fields",
            "1=200. 3=200. 5=200. 7=200. open",
            &[
                get(1, "/fields/bytes"),
                get(3, "/fields/repeated"),
                get(5, "/fields/http10"),
                get(7, "/fields/reason"),
            ],
        ),
        once(
            "an answer with many fields",
            "1=200. open",
            &[get(1, "/fields/many")],
        ),
        script(
            "a body that fails",
            "1=200!2 3=200. open",
            vec![
                first(&[post(1, "/told"), data(1, 0, "body")]),
                Step::Until("body"),
                send(&[data(1, 0, "fail"), get(3, "/hello")]),
            ],
        ),
        script(
            "a body that panics",
            "1=200!8 3=200. open",
            vec![
                first(&[post(1, "/told"), data(1, 0, "body")]),
                Step::Until("body"),
                send(&[data(1, 0, "panic"), get(3, "/hello")]),
            ],
        ),
        once(
            "a panic before the head",
            "1=!8 3=200. open",
            &[get(1, "/panics/false"), get(3, "/hello")],
        )
        .answered("1=500. 3=200. open"),
        once(
            "CONNECT with a protocol",
            "1=200. open",
            &[
                trailers(
                    1,
                    0,
                    &[
                        (":method", "CONNECT"),
                        (":protocol", "echo"),
                        (":scheme", "http"),
                        (":authority", "test"),
                        (":path", "/upgrade/200"),
                    ],
                ),
                data(1, END_STREAM, "early"),
            ],
        ),
        script(
            "CONNECT",
            "1=200. open",
            vec![
                first(&[
                    trailers(
                        1,
                        0,
                        &[(":method", "CONNECT"), (":authority", "other.example:443")],
                    ),
                    data(1, 0, "early"),
                ]),
                Step::Until("early"),
                send(&[data(1, END_STREAM, "ping")]),
            ],
        ),
        once(
            "CONNECT with a path",
            "1=!1 open",
            &[head(1, END_STREAM, "CONNECT", "/hello")],
        ),
    ]
}

fn bodies() -> Vec<Case> {
    vec![
        once(
            "a body",
            "1=200. open",
            &[sized(1, "/read", "4"), data(1, END_STREAM, "body")],
        ),
        once(
            "a body of no length",
            "1=200. open",
            &[
                post(1, "/read"),
                data(1, 0, "bo"),
                data(1, END_STREAM, "dy"),
            ],
        ),
        once(
            "a body ended by an empty frame",
            "1=200. open",
            &[
                post(1, "/back"),
                data(1, 0, "body"),
                data(1, END_STREAM, ""),
            ],
        ),
        once(
            "empty frames before a body",
            "1=200. open",
            &[
                post(1, "/back"),
                data(1, 0, ""),
                data(1, 0, ""),
                data(1, END_STREAM, "body"),
            ],
        ),
        once(
            "an empty body",
            "1=200. open",
            &[post(1, "/read"), data(1, END_STREAM, "")],
        ),
        once(
            "longer than its length",
            "1=!1 3=200. open",
            &[
                sized(1, "/read", "3"),
                data(1, END_STREAM, "body"),
                get(3, "/hello"),
            ],
        ),
        once(
            "shorter than its length",
            "1=!1 3=200. open",
            &[
                sized(1, "/read", "9"),
                data(1, END_STREAM, "body"),
                get(3, "/hello"),
            ],
        ),
        once(
            "a length and no body",
            "1=!1 3=200. open",
            &[
                head_with(1, END_STREAM, "POST", "/read", &[("content-length", "4")]),
                get(3, "/hello"),
            ],
        ),
        once(
            "two lengths",
            "1=!1 open",
            &[
                head_with(
                    1,
                    0,
                    "POST",
                    "/read",
                    &[("content-length", "4"), ("content-length", "5")],
                ),
                data(1, END_STREAM, "body"),
            ],
        ),
        once(
            "a length that is none",
            "1=!1 3=200. open",
            &[
                sized(1, "/read", "four"),
                data(1, END_STREAM, "body"),
                get(3, "/hello"),
            ],
        ),
        once(
            "padded data",
            "1=200. open",
            &[
                post(1, "/back"),
                padded(1, 0, 0, b"bo"),
                padded(1, END_STREAM, 200, b"dy"),
            ],
        ),
        once(
            "padding alone",
            "1=200. open",
            &[
                post(1, "/read"),
                padded(1, 0, 10, b""),
                padded(1, END_STREAM, 255, b""),
            ],
        ),
        once(
            "padding longer than its frame",
            "goaway1 fin",
            &[post(1, "/read"), data(1, PADDED, [9, 1, 2])],
        ),
        once(
            "trailers",
            "1=200. open",
            &[
                post(1, "/read"),
                data(1, 0, "body"),
                trailers(1, END_STREAM, &[("x-sum", "17"), ("x-sum", "18")]),
            ],
        ),
        once(
            "trailers echoed",
            "1=200. open",
            &[
                post(1, "/back"),
                data(1, 0, "body"),
                trailers(1, END_STREAM, &[("x-sum", "17")]),
            ],
        ),
        once(
            "trailers without a body",
            "1=200. open",
            &[
                post(1, "/back"),
                trailers(1, END_STREAM, &[("x-sum", "17")]),
            ],
        ),
        once(
            "trailers that do not end",
            "1=!1 open",
            &[post(1, "/read"), trailers(1, 0, &[("x-sum", "17")])],
        ),
        once(
            "trailers with a pseudo field",
            "1=200. open",
            &[post(1, "/read"), trailers(1, END_STREAM, &[(":path", "/")])],
        ),
        once(
            "data behind the end",
            "goaway1 fin",
            &[get(1, "/wait"), data(1, 0, "late")],
        ),
        once("data of no stream", "goaway1 fin", &[data(7, 0, "early")]),
        once(
            "data of the connection",
            "goaway1 fin",
            &[data(0, 0, "early")],
        ),
        once(
            "bodies unread",
            "1=200. 3=200. 5=200. open",
            &[
                post(1, "/drop"),
                data(1, END_STREAM, "body"),
                post(3, "/held"),
                data(3, END_STREAM, "body"),
                post(5, "/some"),
                data(5, END_STREAM, "bodybody"),
            ],
        ),
        script(
            "an answer before the body",
            "1=200.!0 3=200. open",
            vec![
                first(&[post(1, "/drop")]),
                Step::Until("1: reset"),
                send(&[get(3, "/hello")]),
            ],
        ),
        script(
            "an answer begun before the body",
            "1=200. open",
            vec![
                first(&[post(1, "/early")]),
                Step::Until("early;"),
                send(&[data(1, END_STREAM, "body")]),
            ],
        ),
        script(
            "continue",
            "1=200. open",
            vec![
                first(&[head_with(
                    1,
                    0,
                    "POST",
                    "/read",
                    &[("expect", "100-continue"), ("content-length", "4")],
                )]),
                Step::Until("settings taken"),
                send(&[data(1, END_STREAM, "body")]),
            ],
        ),
        once(
            "a body for another task",
            "1=200. open",
            &[
                post(1, "/task"),
                data(1, 0, "body"),
                trailers(1, END_STREAM, &[("x-sum", "17")]),
            ],
        ),
    ]
}

fn control() -> Vec<Case> {
    let pings: Vec<_> = (0..50).map(|_| ping(0)).collect();
    vec![
        once("pings", "1=200. open", &[pings.concat(), get(1, "/hello")]),
        once(
            "a ping taken that nobody sent",
            "1=200. open",
            &[ping(ACK), get(1, "/hello")],
        ),
        once(
            "a ping of a stream",
            "goaway1 fin",
            &[frame(PING, 0, 1, b"pingpong")],
        ),
        once(
            "a ping too short",
            "goaway1 fin",
            &[frame(PING, 0, 0, b"ping")],
        ),
        once(
            "priorities",
            "1=200. open",
            &[
                frame(PRIORITY, 0, 3, [0, 0, 0, 0, 10]),
                get(1, "/hello"),
                frame(PRIORITY, 0, 1, [0, 0, 0, 3, 200]),
            ],
        ),
        once(
            "a priority on itself",
            "1=!1 open",
            &[frame(PRIORITY, 0, 1, [0, 0, 0, 1, 10])],
        ),
        once(
            "a head with priority",
            "1=200. open",
            &[frame(
                HEADERS,
                END_STREAM | END_HEADERS | PRIORITISED,
                1,
                [
                    vec![0x80, 0, 0, 0, 15],
                    block(&fields("GET", "/hello", &[])),
                ]
                .concat(),
            )],
        ),
        once(
            "a head with padding",
            "1=200. open",
            &[frame(
                HEADERS,
                END_STREAM | END_HEADERS | PADDED,
                1,
                [vec![3], block(&fields("GET", "/hello", &[])), vec![0; 3]].concat(),
            )],
        ),
        once(
            "unknown frames",
            "1=200. open",
            &[
                frame(0x99, 0xff, 0, b"what?"),
                get(1, "/hello"),
                frame(0x42, 0, 1, b"what?"),
            ],
        ),
        once(
            "a promise by the client",
            "goaway1 fin",
            &[frame(PUSH_PROMISE, END_HEADERS, 1, [0, 0, 0, 2])],
        ),
        once(
            "settings with unknown names",
            "1=200. open",
            &[settings(&[(0xff, 1), (3, 10)]), get(1, "/hello")],
        ),
        once(
            "settings out of range",
            "goaway1 fin",
            &[settings(&[(4, 0x8000_0000)])],
        ),
        once(
            "settings of a stream",
            "goaway1 fin",
            &[frame(SETTINGS, 0, 1, [])],
        ),
        once(
            "settings cut",
            "goaway1 fin",
            &[frame(SETTINGS, 0, 0, [0, 1, 2])],
        ),
        script(
            "settings changed on the way",
            "1=200. 3=200 5=200 open",
            vec![
                first(&[get(1, "/hello")]),
                Step::Until("hello"),
                send(&[settings(&[(1, 0), (5, 20_000)]), get(3, "/large-streamed")]),
                Step::Until("3: data"),
                send(&[settings(&[(1, 4096)]), get(5, "/hello")]),
            ],
        ),
        script(
            "frames byte by byte",
            "1=200. open",
            vec![Step::Slow(
                [
                    preface(&[]),
                    sized(1, "/back", "4"),
                    data(1, END_STREAM, "body"),
                ]
                .concat(),
            )],
        ),
        script(
            "no settings",
            "1=200. open",
            vec![
                Step::Send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec()),
                send(&[get(1, "/hello")]),
            ],
        ),
        script(
            "a preface cut",
            "400 fin",
            vec![Step::Send(b"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n".to_vec())],
        ),
        once(
            "a frame too large",
            "goaway6 fin",
            &[post(1, "/read"), data(1, 0, vec![b'x'; 16_385])],
        ),
    ]
}

fn heads() -> Vec<Case> {
    let long = "v".repeat(14_000);
    let with = |more: &[(&str, &str)]| head_with(1, END_STREAM, "GET", "/head", more);
    vec![
        once(
            "continued",
            "1=200. open",
            &pieces(1, 30, "/head", &[("x-a", "1")]),
        ),
        once(
            "continued too often",
            "goaway11 fin",
            &pieces(1, 5, "/head", &[("x-a", "1")]),
        ),
        once(
            "continued with empty frames",
            "1=200. open",
            &[
                frame(HEADERS, END_STREAM, 1, []),
                frame(CONTINUATION, 0, 1, []),
                frame(
                    CONTINUATION,
                    END_HEADERS,
                    1,
                    block(&fields("GET", "/head", &[])),
                ),
            ],
        ),
        once(
            "continued and broken off",
            "goaway1 fin",
            &[
                frame(HEADERS, END_STREAM, 1, block(&fields("GET", "/head", &[]))),
                ping(0),
            ],
        ),
        once(
            "continued by another stream",
            "goaway1 fin",
            &[
                frame(HEADERS, END_STREAM, 1, block(&fields("GET", "/head", &[]))),
                frame(CONTINUATION, END_HEADERS, 3, []),
            ],
        ),
        once(
            "continued out of nothing",
            "goaway1 fin",
            &[frame(CONTINUATION, END_HEADERS, 1, block(&[("x-a", "1")]))],
        ),
        once(
            "a head too large",
            "1=431. open",
            &pieces(1, 16_000, "/head", &[("x-a", &long), ("x-b", &long)]),
        ),
        once("a head large", "1=200. open", &[with(&[("x-a", &long)])]),
        once(
            "a name in capitals",
            "goaway1 fin",
            &[with(&[("X-A", "1")]), get(3, "/hello")],
        ),
        once(
            "a name empty",
            "goaway1 fin",
            &[with(&[("", "1")]), get(3, "/hello")],
        ),
        once(
            "a value with a line end",
            "goaway1 fin",
            &[with(&[("x-a", "1\r\nx-b: 2")]), get(3, "/hello")],
        ),
        once(
            "a value with NUL",
            "goaway1 fin",
            &[with(&[("x-a", "1\0")]), get(3, "/hello")],
        ),
        once(
            "fields of one connection",
            "1=!1 3=200. open",
            &[with(&[("connection", "close")]), get(3, "/hello")],
        ),
        once(
            "te of another kind",
            "1=!1 3=200. open",
            &[with(&[("te", "gzip")]), get(3, "/hello")],
        ),
        once("te trailers", "1=200. open", &[with(&[("te", "trailers")])]),
        once(
            "cookies in pieces",
            "1=200. open",
            &[with(&[("cookie", "a=1"), ("cookie", "b=2")])],
        ),
        once(
            "pseudo field missing",
            "1=404. 3=200. open",
            &[
                trailers(1, END_STREAM, &[(":method", "GET"), (":scheme", "http")]),
                get(3, "/hello"),
            ],
        ),
        once(
            "pseudo field twice",
            "1=!1 3=200. open",
            &[with(&[(":path", "/")]), get(3, "/hello")],
        ),
        once(
            "pseudo field unknown",
            "goaway1 fin",
            &[with(&[(":what", "/")]), get(3, "/hello")],
        ),
        once(
            "authority missing, host there",
            "1=200. open",
            &[trailers(
                1,
                END_STREAM,
                &[
                    (":method", "GET"),
                    (":scheme", "https"),
                    (":path", "/head"),
                    ("host", "other"),
                ],
            )],
        ),
        once(
            "authority and host differ",
            "1=200. open",
            &[with(&[("host", "other")])],
        ),
        once(
            "path empty",
            "1=!1 3=200. open",
            &[head(1, END_STREAM, "GET", ""), get(3, "/hello")],
        ),
        once(
            "path an asterisk",
            "1=404. open",
            &[head(1, END_STREAM, "OPTIONS", "*")],
        ),
        once(
            "path with odd characters",
            "1=!1 open",
            &[head(1, END_STREAM, "GET", "/head/\"<é>?a=%zz&b")],
        ),
        once(
            "method of a user",
            "1=200. open",
            &[head(1, END_STREAM, "propFIND", "/head")],
        ),
        once(
            "method with a space",
            "goaway1 fin",
            &[head(1, END_STREAM, "GE T", "/head"), get(3, "/hello")],
        ),
        once(
            "a table too large",
            "goaway1 fin",
            &[frame(
                HEADERS,
                END_STREAM | END_HEADERS,
                1,
                [0x3f, 0xff, 0xff, 0x7f],
            )],
        ),
        once(
            "an index out of range",
            "goaway1 fin",
            &[frame(HEADERS, END_STREAM | END_HEADERS, 1, [0xff, 0x7f])],
        ),
        once(
            "an ID of the client",
            "1=200. open",
            &[with(&[
                ("x-request-id", "client-4711"),
                (
                    "traceparent",
                    "00-0123456789abcdef0123456789abcdef-0123456789abcdef-01",
                ),
            ])],
        ),
    ]
}

fn windows() -> Vec<Case> {
    let much: Vec<_> = (0..60).map(|_| data(1, 0, vec![b'x'; 16_000])).collect();
    vec![
        script(
            "a window of ten bytes",
            "1=200. 3=200. open",
            vec![
                Step::Send([preface(&[(4, 10)]), get(1, "/hello"), get(3, "/large")].concat()),
                Step::Until("3: data 10"),
                send(&[window(3, 5)]),
                Step::Until("3: data 5"),
                send(&[window(3, 300_000), window(0, 300_000)]),
            ],
        ),
        script(
            "a window of nothing, then opened",
            "1=200. open",
            vec![
                Step::Send([preface(&[(4, 0)]), get(1, "/streamed")].concat()),
                Step::Until("1: head"),
                send(&[settings(&[(4, 1000)])]),
            ],
        ),
        script(
            "a window never opened",
            "1=200 3=200. open",
            vec![Step::Send(
                [preface(&[(4, 3)]), get(1, "/hello"), get(3, "/nothing")].concat(),
            )],
        ),
        script(
            "a window closed, then reset",
            "1=200 3=200. open",
            vec![
                Step::Send([preface(&[(4, 3)]), get(1, "/large-streamed")].concat()),
                Step::Until("1: data"),
                send(&[
                    reset(1, 8),
                    window(0, 10),
                    settings(&[(4, 100)]),
                    get(3, "/hello"),
                ]),
            ],
        ),
        script(
            "the window of the connection",
            "1=200. open",
            vec![
                Step::Send([preface(&[(4, 1_000_000)]), get(1, "/large")].concat()),
                Step::Until("1: data"),
                send(&[window(0, 1_000_000)]),
            ],
        ),
        once(
            "a window opened by nothing",
            "goaway1 fin",
            &[get(1, "/wait"), window(1, 0), get(3, "/hello")],
        ),
        once(
            "a window of the connection opened by nothing",
            "goaway1 fin",
            &[window(0, 0)],
        ),
        once(
            "a window opened too far",
            "1=!3 3=200. open",
            &[get(1, "/wait"), window(1, 0x7fff_ffff), get(3, "/hello")],
        ),
        once("a window of no stream", "goaway1 fin", &[window(9, 10)]),
        script(
            "much that is read",
            "1=200. open",
            vec![
                first(&[]),
                Step::Until("0: window opened"),
                send(&[taken(), post(1, "/read"), much.concat()]),
                Step::Until("1: window opened"),
                send(&[data(1, 0, vec![b'x'; 16_000]), data(1, END_STREAM, "")]),
            ],
        ),
        script(
            "much that is not read",
            "3=200. open",
            vec![
                first(&[]),
                Step::Until("0: window opened"),
                send(&[taken(), post(1, "/wait"), much.concat(), get(3, "/hello")]),
            ],
        ),
    ]
}

fn ends() -> Vec<Case> {
    vec![
        script(
            "reset while waiting",
            "3=200. open",
            vec![
                first(&[get(1, "/wait")]),
                Step::Until("settings taken"),
                send(&[reset(1, 8), get(3, "/hello")]),
            ],
        ),
        script(
            "reset in the body",
            "1=200 3=200. open",
            vec![
                first(&[post(1, "/back"), data(1, 0, "body")]),
                Step::Until("body"),
                send(&[reset(1, 8), get(3, "/hello")]),
            ],
        ),
        script(
            "reset in the answer",
            "1=200 3=200. open",
            vec![
                first(&[get(1, "/endless")]),
                Step::Until("first"),
                send(&[reset(1, 2), get(3, "/hello")]),
            ],
        ),
        script(
            "reset behind the end",
            "1=200. 3=200. open",
            vec![
                first(&[get(1, "/hello")]),
                Step::Until("hello"),
                send(&[reset(1, 0), get(3, "/hello")]),
            ],
        ),
        once(
            "reset at once",
            "3=200. open",
            &[get(1, "/wait"), reset(1, 8), get(3, "/hello")],
        ),
        once("reset of no stream", "goaway1 fin", &[reset(9, 8)]),
        once("reset of the connection", "goaway1 fin", &[reset(0, 8)]),
        once(
            "reset too short",
            "goaway1 fin",
            &[get(1, "/wait"), frame(3, 0, 1, [0])],
        ),
        script(
            "going away",
            "1=200. goaway0 fin",
            vec![
                first(&[get(1, "/hello")]),
                Step::Until("hello"),
                send(&[goaway(0, 0)]),
            ],
        ),
        script(
            "going away in an answer",
            "1=200. goaway0 fin",
            vec![
                first(&[post(1, "/back")]),
                Step::Until("1: head"),
                send(&[goaway(0, 0), data(1, END_STREAM, "body")]),
            ],
        ),
        script(
            "going away with an error",
            "open",
            vec![
                first(&[get(1, "/wait")]),
                Step::Until("settings taken"),
                send(&[goaway(0, 2)]),
            ],
        ),
        script(
            "half closed",
            "1=200. fin",
            vec![first(&[get(1, "/hello")]), Step::Until("hello"), Step::Shut],
        ),
        script(
            "half closed in an answer",
            "1=200 fin",
            vec![
                first(&[get(1, "/endless")]),
                Step::Until("first"),
                Step::Shut,
            ],
        ),
        script(
            "the connection reset",
            "1=200 left",
            vec![
                first(&[get(1, "/endless"), get(3, "/wait")]),
                Step::Until("first"),
                Step::Reset,
            ],
        ),
        script(
            "the connection closed",
            "1=200 3=200 left",
            vec![
                first(&[get(1, "/endless"), post(3, "/back")]),
                Step::Until("first"),
                Step::Until("3: head #8="),
                Step::Close,
            ],
        ),
    ]
}
