//! gRPC services of `tonic`, over real sockets: how their calls end, and which parts are kept.

mod shop;
use crate::support_net::{ended, holds, keeping_all, kept_of, outcomes, soon, the_only};
use dashcam::{
    exchange::{BodyState, Exchange, Failure, Outcome},
    testing::TestDashcam,
};
use shop::{Client, MESSAGE, Mount, all, open, serve};
use std::time::Duration;
use tonic::Code;

/// How long the tests wait for a call that never ends.
const SHORT: Duration = Duration::from_millis(20);

fn failed(code: u16) -> Outcome {
    let failure = Failure::Grpc(code);
    Outcome::Failed { failure }
}

fn field<'a>(fields: &'a [(String, String)], name: &str) -> Option<&'a str> {
    let field = fields.iter().find(|(found, _)| found == name)?;
    Some(&field.1)
}

/// The status, and whether it came in trailers after a body.
fn status_of(kept: &Exchange) -> (&str, bool) {
    let response = kept.response.as_ref().unwrap();
    let (head, trailers) = (&response.headers, &response.trailers);
    match (field(head, "grpc-status"), field(trailers, "grpc-status")) {
        (Some(status), None) => (status, false),
        (None, Some(status)) => (status, true),
        other => panic!("{other:?}"),
    }
}

/// Asserts that the status's text is there without what detectors find: it is the service's own.
#[track_caller]
fn assert_message_is_clean(kept: &Exchange) {
    let response = kept.response.as_ref().unwrap();
    let (head, trailers) = (&response.headers, &response.trailers);
    let message = field(head, "grpc-message").or(field(trailers, "grpc-message"));
    let (card, rest) = message.unwrap().split_once("] of ").unwrap();
    assert!(card.starts_with("card [~"), "{message:?}");
    assert_eq!(rest, "Zo%C3%AB refused");
    let all = format!("{kept:?}");
    assert!(!all.contains("4111111111111111"), "{all}");
}

async fn keeping(mount: Mount) -> (TestDashcam, Client) {
    let dashcam = keeping_all();
    let client = open(mount, &dashcam).await;
    (dashcam, client)
}

/// Returns the call's one exchange, and checks what holds however it ended.
async fn kept(dashcam: &TestDashcam) -> Exchange {
    let kept = the_only(dashcam).await;
    let response = kept.response.as_ref().unwrap();
    let id = field(&response.headers, "x-request-id");
    assert_eq!(id, Some(kept.correlation.id.as_str()));
    assert_eq!(response.status, 200);
    kept
}

/// One set of checks per place of the layer.
macro_rules! each_mount {
    ($($name:ident: $mount:expr),* $(,)?) => {$(
        mod $name {
            use super::*;

            #[tokio::test]
            async fn unary_calls_end_as_their_status_says() {
                // Only these codes are the server's fault.
                let faults = [2, 4, 12, 13, 14, 15];
                for code in 1..=16_u16 {
                    let (dashcam, mut client) = keeping($mount).await;
                    let text = code.to_string().leak();
                    let status = client.unary(text).await.unwrap_err();
                    assert_eq!(status.code(), Code::from_i32(code.into()));
                    assert_eq!(status.message(), MESSAGE);
                    let kept = kept(&dashcam).await;
                    let outcome = match faults.contains(&code) {
                        true => failed(code),
                        false => Outcome::Completed,
                    };
                    assert_eq!(kept.outcome, outcome);
                    // Only a head was sent.
                    assert_eq!(status_of(&kept), (&*text, false));
                    assert_message_is_clean(&kept);
                    assert_eq!(kept.events.len(), 2);
                }
            }

            #[tokio::test]
            async fn a_unary_call_that_went_well_is_completed() {
                let (dashcam, mut client) = keeping($mount).await;
                assert_eq!(client.unary("ok").await.unwrap(), "done");
                let kept = kept(&dashcam).await;
                assert_eq!(kept.outcome, Outcome::Completed);
                assert_eq!(status_of(&kept), ("0", true));
                // Five bytes precede each message.
                let body = &kept.response.unwrap().body;
                assert_eq!((body.seen, &body.state), (9, &BodyState::Stream));
                let body = &kept.request.body;
                assert_eq!((body.seen, &body.state), (7, &BodyState::Stream));
            }

            #[tokio::test]
            async fn a_stream_of_answers_ends_as_its_trailers_say() {
                let cases = [
                    ("ok", 3, Outcome::Completed, "0"),
                    ("3", 2, Outcome::Completed, "3"),
                    ("13", 2, failed(13), "13"),
                    ("14", 2, failed(14), "14"),
                ];
                for (asked, messages, outcome, status) in cases {
                    let (dashcam, mut client) = keeping($mount).await;
                    let answer = client.server_streaming(asked).await;
                    let (seen, end) = all(answer).await;
                    assert_eq!(seen.len(), messages);
                    assert_eq!(end.is_ok(), asked == "ok");
                    let kept = kept(&dashcam).await;
                    assert_eq!(kept.outcome, outcome);
                    assert_eq!(status_of(&kept), (status, true));
                    if end.is_err() {
                        assert_message_is_clean(&kept);
                    }
                }
            }

            #[tokio::test]
            async fn a_stream_of_questions_ends_as_its_answer_says() {
                let cases = [
                    (["ok", "ok"], Outcome::Completed, ("0", true)),
                    (["ok", "3"], Outcome::Completed, ("3", false)),
                    (["ok", "13"], failed(13), ("13", false)),
                ];
                for (asked, outcome, status) in cases {
                    let (dashcam, mut client) = keeping($mount).await;
                    let asked: &'static [&'static str] = asked.to_vec().leak();
                    let answer = client.client_streaming(asked).await;
                    assert_eq!(answer.is_ok(), status.0 == "0");
                    let kept = kept(&dashcam).await;
                    assert_eq!(kept.outcome, outcome);
                    assert_eq!(status_of(&kept), status);
                    assert!(kept.request.body.seen > 10, "{kept:#?}");
                }
            }

            #[tokio::test]
            async fn both_directions_at_once() {
                let (dashcam, mut client) = keeping($mount).await;
                let (seen, end) = all(client.streaming(&["ok", "ok", "14"]).await).await;
                assert_eq!(seen.len(), 2);
                assert_eq!(end.unwrap_err().code(), Code::Unavailable);
                let kept = kept(&dashcam).await;
                assert_eq!(kept.outcome, failed(14));
                assert_eq!(kept.events.len(), 4);
            }

            #[tokio::test]
            async fn a_method_that_there_is_not_is_unimplemented() {
                for path in ["/shop.Orders/Absent", "/shop.Absent/Unary"] {
                    let (dashcam, mut client) = keeping($mount).await;
                    let status = client.unary_at(path, "ok").await.unwrap_err();
                    assert_eq!(status.code(), Code::Unimplemented);
                    let kept = kept(&dashcam).await;
                    assert_eq!(kept.outcome, failed(12));
                    // A client that calls an unknown method may have written any text.
                    assert!(!kept.request.path.contains("Absent"), "{}", kept.request.path);
                }
            }

            #[tokio::test]
            async fn a_unary_call_that_the_client_cancels_is_abandoned() {
                let dashcam = TestDashcam::new();
                let mut client = open($mount, &dashcam).await;
                let call = tokio::spawn(async move { client.unary("wait").await });
                holds("the call is under way", || dashcam.status().in_flight == 1).await;
                call.abort();
                // Kept for the failure alone, without a request to keep it.
                let kept = the_only(&dashcam).await;
                assert_eq!(kept.outcome, Outcome::Abandoned);
                assert_eq!(kept.response, None);
            }

            #[tokio::test]
            async fn a_stream_that_the_client_leaves_is_abandoned_and_no_reason_to_keep_it() {
                let (dashcam, mut client) = keeping($mount).await;
                let mut messages = client.server_streaming("wait").await;
                assert_eq!(soon(messages.message()).await.unwrap().unwrap(), "one");
                drop((messages, client));
                let kept = kept(&dashcam).await;
                assert_eq!(kept.outcome, Outcome::Abandoned);

                let dashcam = TestDashcam::new();
                let mut client = open($mount, &dashcam).await;
                let mut messages = client.server_streaming("wait").await;
                soon(messages.message()).await.unwrap();
                drop((messages, client));
                ended(&dashcam, 1).await;
                assert!(dashcam.kept().is_empty());
            }

            #[tokio::test]
            async fn a_call_past_its_deadline_is_abandoned() {
                let dashcam = TestDashcam::new();
                let mut client = open($mount, &dashcam).await;
                let status = client.unary_within(Duration::from_millis(20), "wait").await;
                let code = status.unwrap_err().code();
                let late = [Code::Cancelled, Code::DeadlineExceeded];
                assert!(late.contains(&code), "{code}");
                let kept = the_only(&dashcam).await;
                assert_eq!(kept.outcome, Outcome::Abandoned);
            }

            #[tokio::test]
            async fn methods_are_told_apart() {
                let (dashcam, mut client) = keeping($mount).await;
                client.unary("13").await.unwrap_err();
                let kept = kept(&dashcam).await;
                assert_eq!(kept.request.path, "/shop.Orders/Unary");
            }

            #[tokio::test]
            async fn a_method_that_has_answered_is_named_where_it_does_not() {
                let dashcam = TestDashcam::new();
                let mut client = open($mount, &dashcam).await;
                // It is not known yet that this is a method.
                client.unary_within(SHORT, "wait").await.unwrap_err();
                client.unary("ok").await.unwrap();
                client.unary_within(SHORT, "wait").await.unwrap_err();
                client.unary("panic").await.unwrap_err();
                client.unary_at("/shop.Orders/Absent", "ok").await.unwrap_err();
                client.unary_at("/shop.Orders/Absent", "ok").await.unwrap_err();
                ended(&dashcam, 6).await;
                let kept = dashcam.kept();
                let ends: Vec<_> = kept
                    .iter()
                    .map(|kept| (kept.outcome.as_str(), kept.request.path == "/shop.Orders/Unary"))
                    .collect();
                let expected = [
                    ("abandoned", false),
                    ("abandoned", true),
                    ("panicked", true),
                    ("failed", false),
                    ("failed", false),
                ];
                assert_eq!(ends, expected);
                let all = format!("{kept:?}");
                assert!(!all.contains("Absent"), "{all}");
            }

            #[tokio::test]
            async fn a_method_that_hangs_leaves_room_for_another() {
                let dashcam = TestDashcam::new();
                let mut client = open($mount, &dashcam).await;
                client.unary("ok").await.unwrap();
                client.client_streaming(&["ok"]).await.unwrap();
                for _ in 0..30 {
                    client.unary_within(SHORT, "wait").await.unwrap_err();
                }
                ended(&dashcam, 32).await;
                let call = tokio::spawn(async move { client.client_streaming(&["wait"]).await });
                holds("the call is under way", || dashcam.status().in_flight == 1).await;
                call.abort();
                ended(&dashcam, 33).await;
                let kept = dashcam.kept();
                assert_eq!(kept.len(), 3 + 20 + 1, "{:?}", outcomes(&kept));
                let last = kept.last().unwrap();
                assert_eq!(last.depth, dashcam::exchange::Depth::Full);
                assert_eq!(last.request.path, "/shop.Orders/ClientStreaming");
            }

            #[tokio::test]
            async fn a_storm_in_one_method_leaves_room_for_another() {
                let dashcam = TestDashcam::new();
                let mut client = open($mount, &dashcam).await;
                for _ in 0..50 {
                    client.unary("13").await.unwrap_err();
                }
                client.client_streaming(&["13"]).await.unwrap_err();
                ended(&dashcam, 51).await;
                let kept = dashcam.kept();
                assert_eq!(kept.len(), 3 + 20 + 1, "{:?}", outcomes(&kept));
                let last = kept.last().unwrap();
                assert_eq!(last.depth, dashcam::exchange::Depth::Full);
                assert_eq!(last.request.path, "/shop.Orders/ClientStreaming");
            }
        }
    )*};
}

each_mount! {
    around_a_tonic_server: Mount::Tonic,
    around_an_axum_router: Mount::Axum,
}

#[tokio::test]
async fn a_call_past_the_timeout_of_the_server_is_abandoned() {
    let dashcam = TestDashcam::new();
    let mut client = open(Mount::Timed(SHORT), &dashcam).await;
    let status = client.unary("wait").await.unwrap_err();
    assert_eq!(status.code(), Code::Cancelled);
    let kept = the_only(&dashcam).await;
    assert_eq!(kept.outcome, Outcome::Abandoned);
}

#[tokio::test]
async fn a_panic_under_tonic_ends_the_call_and_is_kept() {
    let dashcam = TestDashcam::new();
    let mut client = open(Mount::Tonic, &dashcam).await;
    client.unary("panic").await.unwrap_err();
    let kept = the_only(&dashcam).await;
    assert_eq!(kept.outcome, Outcome::Panicked);
    assert_eq!(kept.response, None);
}

#[tokio::test]
async fn a_panic_under_axum_is_answered_in_http() {
    let dashcam = TestDashcam::new();
    let mut client = open(Mount::Axum, &dashcam).await;
    // The status that clients derive from HTTP status 500.
    let status = client.unary("panic").await.unwrap_err();
    assert_eq!(status.code(), Code::Internal);
    let kept = the_only(&dashcam).await;
    assert_eq!(kept.outcome, Outcome::Panicked);
    assert_eq!(kept.response.unwrap().status, 500);
}

/// `.ci/checks/grpc` runs it, and sets the path of a Python with `grpcio`.
#[tokio::test]
#[ignore = "needs Python with grpcio"]
async fn a_client_of_another_language() {
    let python = std::env::var("DASHCAM_PYTHON").expect("DASHCAM_PYTHON");
    for mount in [Mount::Tonic, Mount::Axum] {
        let dashcam = keeping_all();
        let address = serve(mount, &dashcam).await;
        let mut client = tokio::process::Command::new(&python);
        client
            .arg("tests/calls/grpc/client.py")
            .arg(address.to_string());
        assert!(soon(client.status()).await.unwrap().success());
        let kept = kept_of(&dashcam, 9).await;
        let mut seen: Vec<_> = kept
            .iter()
            .map(|kept| (kept.correlation.id.as_str(), kept.outcome.clone()))
            .collect();
        seen.sort_by_key(|(id, _)| *id);
        let expected = [
            ("absent", failed(12)),
            ("collect-13", failed(13)),
            ("late", Outcome::Abandoned),
            ("left", Outcome::Abandoned),
            ("stream-14", failed(14)),
            ("stream-ok", Outcome::Completed),
            ("unary-13", failed(13)),
            ("unary-3", Outcome::Completed),
            ("unary-ok", Outcome::Completed),
        ];
        assert_eq!(seen, expected, "{mount:?}");
    }
}
