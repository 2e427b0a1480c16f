//! Calls of gRPC and Connect: which get a name, which fail, and which of their parts are hidden.

use crate::support_net::keeping_all;
use axum::{
    Router,
    body::Body,
    extract::Request,
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    response::Response,
    routing::any,
};
use bytes::Bytes;
use dashcam::{
    exchange::{Content, Exchange, Failure, Outcome},
    export::har,
    testing::TestDashcam,
};
use http_body::Frame;
use http_body_util::{BodyExt as _, StreamBody};
use std::convert::Infallible;
use tower::{Layer as _, ServiceExt as _};

/// The response for a path: status, fields, body and trailers.
#[derive(Clone, Default)]
struct Answer {
    status: StatusCode,
    head: Vec<(&'static str, &'static str)>,
    body: &'static [u8],
    trailers: Vec<(&'static str, &'static str)>,
}

fn fields(of: &[(&'static str, &'static str)]) -> HeaderMap {
    let mut fields = HeaderMap::new();
    for (name, value) in of {
        fields.append(*name, HeaderValue::from_static(value));
    }
    fields
}

impl Answer {
    fn grpc(status: &'static str) -> Self {
        Self::of(&[("content-type", GRPC), ("grpc-status", status)])
    }

    fn of(head: &[(&'static str, &'static str)]) -> Self {
        Self {
            head: head.to_vec(),
            ..Self::default()
        }
    }

    fn response(self) -> Response {
        let mut frames = Vec::new();
        if !self.body.is_empty() {
            frames.push(Frame::data(Bytes::from_static(self.body)));
        }
        if !self.trailers.is_empty() {
            frames.push(Frame::trailers(fields(&self.trailers)));
        }
        let frames = frames.into_iter().map(Ok::<_, Infallible>);
        let body = Body::new(StreamBody::new(futures_util::stream::iter(frames)));
        let mut response = Response::new(body);
        *response.status_mut() = self.status;
        *response.headers_mut() = fields(&self.head);
        response
    }
}

const GRPC: &str = "application/grpc";

fn call(path: &str, kind: &str) -> axum::http::request::Builder {
    let request = Request::builder().method(Method::POST).uri(path);
    request.header("content-type", kind)
}

/// Sends one request through the layer, to its end.
async fn send(dashcam: &TestDashcam, request: Request, answer: Answer) {
    let answer = move || {
        let answer = answer.clone();
        async move { answer.response() }
    };
    let service = dashcam.layer().layer(Router::new().fallback(any(answer)));
    let response = service.oneshot(request).await.unwrap();
    let _ = response.into_body().collect().await;
}

async fn kept(request: Request, answer: Answer) -> Vec<Exchange> {
    let dashcam = TestDashcam::new();
    send(&dashcam, request, answer).await;
    crate::support_net::ended(&dashcam, 1).await;
    dashcam.kept()
}

/// Returns the path of the last of these calls, each with its response.
async fn path_of_last(calls: &[(&str, &str, Answer)]) -> String {
    let dashcam = keeping_all();
    for (path, kind, answer) in calls {
        let request = call(path, kind).header("connect-protocol-version", "1");
        let request = request.body(Body::from("{}")).unwrap();
        send(&dashcam, request, answer.clone()).await;
    }
    let kept = crate::support_net::kept_of(&dashcam, calls.len() as u64).await;
    kept.last().unwrap().request.path.clone()
}

#[tokio::test]
async fn what_answers_any_path_names_none() {
    for status in ["1", "4", "5", "7", "8", "12", "14", "16"] {
        let of = |status| ("/alice.smith/hunter2", GRPC, Answer::grpc(status));
        for calls in [vec![of(status)], vec![of(status), of("12")]] {
            let path = path_of_last(&calls).await;
            assert!(
                !path.contains("hunter2") && !path.contains("alice"),
                "{path}"
            );
        }
    }
}

#[tokio::test]
async fn what_has_gone_well_is_named_from_then_on() {
    let hangs = Answer::of(&[("content-type", "text/plain")]);
    let calls = [
        ("/shop.Orders/Get", GRPC, Answer::grpc("0")),
        ("/shop.Orders/Get", GRPC, hangs),
    ];
    assert_eq!(path_of_last(&calls).await, "/shop.Orders/Get");
}

#[tokio::test]
async fn a_flood_of_names_keeps_no_other_from_being_learnt() {
    let dashcam = TestDashcam::new();
    let names = (0..5000).map(|n| (format!("/a.b/m{n}"), ["0", "16"][n % 2]));
    for (path, status) in names {
        let request = call(&path, GRPC).body(Body::empty()).unwrap();
        send(&dashcam, request, Answer::grpc(status)).await;
    }
    for status in [StatusCode::OK, StatusCode::BAD_GATEWAY] {
        let request = call("/shop.Orders/Get", GRPC).body(Body::empty()).unwrap();
        let mut answer = Answer::grpc("0");
        if status != StatusCode::OK {
            answer = Answer {
                status,
                ..Answer::default()
            };
        }
        send(&dashcam, request, answer).await;
    }
    crate::support_net::ended(&dashcam, 5002).await;
    assert_eq!(dashcam.kept()[0].request.path, "/shop.Orders/Get");
}

#[tokio::test]
async fn behind_a_prefix_the_method_is_named_and_the_prefix_where_the_route_says_it() {
    let ok = || Answer::grpc("0");
    let path = path_of_last(&[("/alice/shop.Orders/Get", GRPC, ok())]).await;
    assert!(
        path.ends_with("]/shop.Orders/Get") && !path.contains("alice"),
        "{path}"
    );

    let dashcam = keeping_all();
    let app = Router::new()
        .route(
            "/api/{*rest}",
            any(|| async { Answer::grpc("13").response() }),
        )
        .layer(dashcam.layer());
    let request = call("/api/shop.Orders/Get", GRPC).body(Body::empty());
    let response = app.oneshot(request.unwrap()).await.unwrap();
    let _ = response.into_body().collect().await;
    let kept = crate::support_net::the_only(&dashcam).await;
    assert_eq!(kept.request.path, "/api/shop.Orders/Get");
}

#[tokio::test]
async fn calls_of_connect_with_one_message_have_names() {
    for kind in ["application/json", "application/proto"] {
        let well = Answer::of(&[("content-type", kind)]);
        let failed = Answer {
            status: StatusCode::INTERNAL_SERVER_ERROR,
            ..Answer::of(&[("content-type", "application/json")])
        };
        let path = "/shop.Orders/Get";
        let calls = [(path, kind, well), (path, kind, failed.clone())];
        assert_eq!(path_of_last(&calls).await, path);
        let path = path_of_last(&[("/alice.smith/hunter2", kind, failed)]).await;
        assert!(!path.contains("hunter2"), "{path}");
    }
}

#[tokio::test]
async fn an_answer_that_is_no_call_is_a_failure_of_one() {
    for (status, kind) in [
        (200, Some("text/html")),
        (200, None),
        (404, Some("text/plain")),
        (401, None),
    ] {
        for asked in [
            GRPC,
            "application/grpc-web+proto",
            "application/connect+json",
        ] {
            let answer = Answer {
                status: StatusCode::from_u16(status).unwrap(),
                head: kind
                    .map(|kind| ("content-type", kind))
                    .into_iter()
                    .collect(),
                body: b"sorry",
                ..Answer::default()
            };
            let request = call("/a.B/C", asked).body(Body::empty()).unwrap();
            let kept = kept(request, answer.clone()).await;
            let failure = Failure::NoStatus;
            assert_eq!(
                kept[0].outcome,
                Outcome::Failed { failure },
                "{status} {kind:?}"
            );
            let request = call("/a.B/C", "text/plain").body(Body::empty()).unwrap();
            assert!(self::kept(request, answer).await.is_empty());
        }
    }
}

#[tokio::test]
async fn a_status_that_is_none_or_several_is_read_as_clients_do() {
    for (trailers, code) in [
        (vec![("grpc-status", "99")], 2),
        (vec![("grpc-status", "x")], 2),
        (vec![("grpc-status", "0"), ("grpc-status", "13")], 13),
        (vec![("grpc-status", "13"), ("grpc-status", "0")], 13),
        (vec![("grpc-status", "5"), ("grpc-status", "14")], 14),
    ] {
        let in_body = Answer {
            trailers: trailers.clone(),
            body: b"\0\0\0\0\0",
            ..Answer::of(&[("content-type", GRPC)])
        };
        let mut in_head = Answer::of(&[("content-type", GRPC)]);
        in_head.head.extend(&trailers);
        for answer in [in_body, in_head] {
            let request = call("/a.B/C", GRPC).body(Body::empty()).unwrap();
            let kept = kept(request, answer).await;
            let failure = Failure::Grpc(code);
            assert_eq!(kept[0].outcome, Outcome::Failed { failure }, "{trailers:?}");
            let response = kept[0].response.as_ref().unwrap();
            assert_eq!(response.grpc_status, Some(code));
        }
    }
}

#[tokio::test]
async fn of_several_ends_a_failure_counts() {
    for (kind, body, code) in [
        (
            "application/grpc-web",
            &b"\x80\0\0\0\x1dgrpc-status:0\ngrpc-status:13\n"[..],
            13,
        ),
        (
            "application/connect+json",
            b"\x02\0\0\0\x15{\"error\":{\"code\":13}}",
            2,
        ),
        (
            "application/connect+json",
            b"\x02\0\0\0\x0d{\"error\":\"x\"}",
            2,
        ),
    ] {
        let answer = Answer {
            body,
            ..Answer::of(&[("content-type", kind)])
        };
        let request = call("/a.B/C", kind).body(Body::empty()).unwrap();
        let kept = kept(request, answer).await;
        let failure = Failure::Grpc(code);
        assert_eq!(kept[0].outcome, Outcome::Failed { failure }, "{body:?}");
    }
}

#[tokio::test]
async fn lengths_that_differ_from_each_other_or_the_body_are_a_failure() {
    for (lengths, fails) in [
        (vec!["10, 10"], true),
        (vec!["5", "10"], true),
        (vec!["10", "5"], true),
        (vec!["5, 10"], true),
        (vec!["5, 5"], false),
        (vec!["5", "5"], false),
    ] {
        let answer = Answer {
            head: lengths.iter().map(|n| ("content-length", *n)).collect(),
            body: b"12345",
            ..Answer::default()
        };
        let request = Request::get("/").body(Body::empty()).unwrap();
        let kept = kept(request, answer).await;
        assert_eq!(kept.len(), usize::from(fails), "{lengths:?}");
        if fails {
            let failure = Failure::BodyLength;
            assert_eq!(kept[0].outcome, Outcome::Failed { failure });
        }
    }
}

#[tokio::test]
async fn names_that_stay_for_their_place_hide_what_is_hidden_elsewhere() {
    let dashcam = keeping_all();
    let body = "--hunter2secretzz\r\ncontent-disposition: form-data; name=\"a\"\r\n\r\nb\r\n\
                --hunter2secretzz--\r\n";
    let multipart = "multipart/form-data; boundary=hunter2secretzz";
    let in_field = body.replace("\r\nb\r\n", "\r\nhunter2secretzz\r\n");
    let bearer = |value: &str| format!("Bearer {value}");
    let requests = [
        call("/", multipart)
            .header(header::AUTHORIZATION, bearer("hunter2secretzz"))
            .body(Body::from(body)),
        call("/", multipart).body(Body::from(in_field)),
        Request::builder()
            .method("QUIXOTIC")
            .header(header::AUTHORIZATION, bearer("QUIXOTIC"))
            .body(Body::empty()),
        call("/a.B/Wilhelmina", GRPC)
            .header(header::AUTHORIZATION, bearer("Wilhelmina"))
            .body(Body::empty()),
        call("/", "text/plain")
            .header("content-encoding", "Wilhelmina, x-Wilhelmina")
            .body(Body::from("a")),
        call(
            "/",
            "application/json; profile=Wilhelmina; start-info=\"Wilhelmina\"",
        )
        .body(Body::from("{}")),
    ];
    let count = requests.len() as u64;
    for request in requests {
        let answer = Answer {
            body: b"ok",
            ..Answer::grpc("0")
        };
        let service = dashcam.layer().layer(Router::new().fallback(any(
            move |request: Request| async move {
                let _ = request.into_body().collect().await;
                answer.response()
            },
        )));
        let response = service.oneshot(request.unwrap()).await.unwrap();
        let _ = response.into_body().collect().await;
    }
    let kept = crate::support_net::kept_of(&dashcam, count).await;
    for kept in &kept {
        let text = serde_json::to_string(kept).unwrap();
        for secret in ["hunter2", "QUIXOTIC", "Wilhelmina"] {
            assert!(!text.contains(secret), "{text}");
        }
    }
    assert!(kept[2].request.method.starts_with("[~"));
    assert!(
        kept[3].request.path.starts_with("/a.B/[~"),
        "{}",
        kept[3].request.path
    );
    // Head and body are still the same.
    for kept in &kept[..2] {
        let Some(Content::Text { text, .. }) = &kept.request.body.content else {
            panic!("{kept:?}");
        };
        assert!(text.starts_with("--dashcam\r\n"), "{text}");
        let media = "multipart/form-data; boundary=dashcam".to_owned();
        let media = ("content-type".to_owned(), media);
        assert!(kept.request.headers.contains(&media), "{kept:?}");
    }
}

#[tokio::test]
async fn what_a_tunnel_leads_to_is_the_target_of_its_command() {
    let dashcam = keeping_all();
    let request = Request::builder()
        .method(Method::CONNECT)
        .uri("h.example:443");
    send(
        &dashcam,
        request.body(Body::empty()).unwrap(),
        Answer::default(),
    )
    .await;
    let kept = crate::support_net::the_only(&dashcam).await;
    let command = kept.to_curl(None);
    assert!(
        command.contains("--request-target h.example:443"),
        "{command}"
    );
}

#[tokio::test]
async fn the_size_in_har_is_that_of_the_text() {
    let dashcam = keeping_all();
    let answer = Answer {
        body: br#"{"a":"bcd"}"#,
        ..Answer::of(&[("content-type", "application/json")])
    };
    let request = Request::get("/").body(Body::empty()).unwrap();
    send(&dashcam, request, answer).await;
    let kept = crate::support_net::the_only(&dashcam).await;
    let har = har::from_exchanges([&kept]);
    let content = &har["log"]["entries"][0]["response"]["content"];
    let text = content["text"].as_str().unwrap();
    assert!(text.len() > 11, "{text}");
    assert_eq!(content["size"], text.len());
}
