//! Mistakes that a layer could make, to show that the comparison detects them.

use axum::{
    Router,
    body::Body,
    extract::Request,
    http::{HeaderValue, header},
    middleware::{map_request, map_response},
    response::Response,
};
use bytes::Bytes;
use http_body::{Frame, SizeHint};
use http_body_util::BodyExt;
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    task::{Context, Poll},
};

#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    NoTrailers,
    NoSizeHint,
    NeverAtItsEnd,
    AnErrorIsAnEnd,
    APanicIsAnEnd,
    InPiecesOfTwo,
}

/// A body with one fault, and otherwise unchanged.
struct Faulty {
    inner: Body,
    fault: Fault,
    rest: Bytes,
}

impl Faulty {
    fn body(inner: Body, fault: Fault) -> Body {
        let rest = Bytes::new();
        Body::new(Self { inner, fault, rest })
    }
}

impl http_body::Body for Faulty {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let fault = self.fault;
        if !self.rest.is_empty() {
            let piece = self.rest.len().min(2);
            let piece = self.rest.split_to(piece);
            return Poll::Ready(Some(Ok(Frame::data(piece))));
        }
        let polled = AssertUnwindSafe(|| Pin::new(&mut self.inner).poll_frame(context));
        let polled = match catch_unwind(polled) {
            Ok(polled) => polled,
            Err(_) if fault == Fault::APanicIsAnEnd => return Poll::Ready(None),
            Err(payload) => std::panic::resume_unwind(payload),
        };
        match polled {
            Poll::Ready(Some(Ok(frame))) if frame.is_trailers() && fault == Fault::NoTrailers => {
                Poll::Ready(None)
            }
            Poll::Ready(Some(Ok(frame))) if fault == Fault::InPiecesOfTwo => {
                match frame.into_data() {
                    Ok(mut data) if data.len() > 2 => {
                        self.rest = data.split_off(2);
                        Poll::Ready(Some(Ok(Frame::data(data))))
                    }
                    Ok(data) => Poll::Ready(Some(Ok(Frame::data(data)))),
                    Err(frame) => Poll::Ready(Some(Ok(frame))),
                }
            }
            Poll::Ready(Some(Err(_))) if fault == Fault::AnErrorIsAnEnd => Poll::Ready(None),
            polled => polled,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.fault != Fault::NeverAtItsEnd && self.rest.is_empty() && self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        if self.fault == Fault::NoSizeHint {
            return SizeHint::default();
        }
        self.inner.size_hint()
    }
}

fn in_answers(app: Router, fault: Fault) -> Router {
    app.layer(map_response(move |answer: Response| async move {
        answer.map(|body| Faulty::body(body, fault))
    }))
}

fn in_requests(app: Router, fault: Fault) -> Router {
    app.layer(map_request(move |request: Request| async move {
        request.map(|body| Faulty::body(body, fault))
    }))
}

fn a_field_more(app: Router) -> Router {
    app.layer(map_response(|mut answer: Response| async {
        let more = HeaderValue::from_static("more");
        answer.headers_mut().insert("x-more", more);
        answer
    }))
}

fn a_field_less(app: Router) -> Router {
    app.layer(map_request(|mut request: Request| async {
        request.headers_mut().remove("x-a");
        request
    }))
}

fn closes(app: Router) -> Router {
    app.layer(map_response(|mut answer: Response| async {
        let close = HeaderValue::from_static("close");
        answer.headers_mut().insert(header::CONNECTION, close);
        answer
    }))
}

fn head_behind_body(app: Router) -> Router {
    app.layer(map_response(|answer: Response| async {
        let (head, body) = answer.into_parts();
        let body = body
            .collect()
            .await
            .map_or_else(|_| Body::empty(), Body::new);
        Response::from_parts(head, body)
    }))
}

fn reads_ahead(app: Router) -> Router {
    app.layer(map_request(|request: Request| async {
        let (head, body) = request.into_parts();
        let body = body
            .collect()
            .await
            .map_or_else(|_| Body::empty(), Body::new);
        Request::from_parts(head, body)
    }))
}

fn forgets_what_requests_carry(app: Router) -> Router {
    app.layer(map_request(|mut request: Request| async {
        request.extensions_mut().clear();
        request
    }))
}

fn forgets_what_answers_carry(app: Router) -> Router {
    app.layer(map_response(|mut answer: Response| async {
        answer.extensions_mut().clear();
        answer
    }))
}

fn catches_panics(app: Router) -> Router {
    app.layer(tower_http::catch_panic::CatchPanicLayer::new())
}

pub(crate) struct Mutant {
    pub(crate) name: &'static str,
    pub(crate) change: fn(Router) -> Router,
    /// The cases that must differ: some of HTTP/1, some of HTTP/2.
    pub(crate) noticed: (&'static [&'static str], &'static [&'static str]),
}

fn mutant(
    name: &'static str,
    change: fn(Router) -> Router,
    noticed: (&'static [&'static str], &'static [&'static str]),
) -> Mutant {
    Mutant {
        name,
        change,
        noticed,
    }
}

pub(crate) fn mutants() -> Vec<Mutant> {
    vec![
        mutant(
            "a field more",
            a_field_more,
            (&["one after the other", "answer 415"], &["one stream"]),
        ),
        mutant(
            "a field less",
            a_field_less,
            (&["fields repeated"], &["continued"]),
        ),
        mutant(
            "close",
            closes,
            (&["pipelined", "HTTP/1.0 keep-alive"], &[]),
        ),
        mutant(
            "trailers of answers",
            |app| in_answers(app, Fault::NoTrailers),
            (
                &["answer with trailers", "answer with trailers alone"],
                &["answers with trailers", "trailers echoed"],
            ),
        ),
        mutant(
            "trailers of requests",
            |app| in_requests(app, Fault::NoTrailers),
            (&["trailer", "trailer repeated"], &["trailers"]),
        ),
        mutant(
            "size hint",
            |app| in_answers(app, Fault::NoSizeHint),
            (
                &["one after the other", "HEAD of a length"],
                &["one stream"],
            ),
        ),
        mutant(
            "size hint of requests",
            |app| in_requests(app, Fault::NoSizeHint),
            (&["length, echoed piece by piece"], &[]),
        ),
        mutant(
            "end of stream",
            |app| in_answers(app, Fault::NeverAtItsEnd),
            (&[], &["one stream", "three streams at once"]),
        ),
        mutant(
            "errors",
            |app| in_answers(app, Fault::AnErrorIsAnEnd),
            (
                &["body fails after two", "chunks cut, echoed"],
                &["a body that fails"],
            ),
        ),
        mutant(
            "panics",
            |app| in_answers(app, Fault::APanicIsAnEnd),
            (&["body panics after two"], &["a body that panics"]),
        ),
        mutant(
            "pieces",
            |app| in_answers(app, Fault::InPiecesOfTwo),
            (&["answer with empty pieces"], &["answers in pieces"]),
        ),
        mutant(
            "head behind body",
            head_behind_body,
            (
                &[
                    "answer begun before the body came",
                    "length, echoed piece by piece",
                    "reset in the answer",
                ],
                &["an answer begun before the body", "the connection closed"],
            ),
        ),
        mutant(
            "reading ahead",
            reads_ahead,
            (
                &[
                    "expect, dropped",
                    "expect, refused",
                    "answer before a body that never comes",
                    "pipelined, large body dropped",
                ],
                &["an answer before the body"],
            ),
        ),
        mutant(
            "what requests carry",
            forgets_what_requests_carry,
            (&["upgrade", "CONNECT"], &["CONNECT with a protocol"]),
        ),
        mutant(
            "what answers carry",
            forgets_what_answers_carry,
            (&["answer with a reason"], &[]),
        ),
        mutant(
            "panics before the head",
            catches_panics,
            (&["panic before the head"], &["a panic before the head"]),
        ),
    ]
}
