//! Responses: JSON, and problems (RFC 9457).

use axum::{
    body::Body,
    extract::{FromRequestParts, Path},
    http::{HeaderName, HeaderValue, Response, StatusCode, header, request::Parts},
    response::IntoResponse,
};
use serde::Serialize;
use serde_json::{Map, Value, json};

/// No cache may keep a response, no frame may show it, and no browser may guess another type.
const HEADERS: [(HeaderName, HeaderValue); 3] = [
    (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    (
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    ),
    (
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"),
    ),
];

pub(super) fn answer(
    status: StatusCode,
    media: &'static str,
    body: impl Into<Body>,
) -> Response<Body> {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.extend(HEADERS);
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media));
    response
}

pub(super) fn json_answer(value: &impl Serialize) -> Response<Body> {
    match serde_json::to_vec(value) {
        Ok(body) => answer(StatusCode::OK, "application/json", body),
        Err(error) => {
            Problem::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response()
        }
    }
}

/// The last part of a path.
#[derive(Debug)]
pub(super) struct Named(pub(super) String);

impl<S: Send + Sync> FromRequestParts<S> for Named {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match Path::from_request_parts(parts, state).await {
            Ok(Path(name)) => Ok(Self(name)),
            Err(error) => Err(Problem::new(StatusCode::BAD_REQUEST, error.body_text())),
        }
    }
}

/// Why a request fails.
#[derive(Debug)]
pub(super) struct Problem {
    status: StatusCode,
    fields: Map<String, Value>,
    header: Option<(HeaderName, HeaderValue)>,
}

impl Problem {
    /// Creates a problem; the detail says what is wrong, and what to do.
    pub(super) fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        let mut fields = Map::new();
        fields.insert("type".to_owned(), json!("about:blank"));
        fields.insert("title".to_owned(), json!(status.canonical_reason()));
        fields.insert("status".to_owned(), json!(status.as_u16()));
        fields.insert("detail".to_owned(), Value::String(detail.into()));
        Self {
            status,
            fields,
            header: None,
        }
    }

    pub(super) fn with(mut self, name: &str, value: impl Serialize) -> Self {
        if let Ok(value) = serde_json::to_value(value)
            && !value.is_null()
        {
            self.fields.insert(name.to_owned(), value);
        }
        self
    }

    pub(super) fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.header = Some((name, value));
        self
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response<Body> {
        let body = Value::Object(self.fields).to_string();
        let mut response = answer(self.status, "application/problem+json", body);
        response.headers_mut().extend(self.header);
        response
    }
}

pub(super) type Answer = Result<Response<Body>, Problem>;

/// Runs work that blocks on a thread where other requests do not wait for it.
pub(super) async fn work(work: impl FnOnce() -> Answer + Send + 'static) -> Answer {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|_| {
        let detail = "the request failed inside of the service; GET /rules shows what is in force";
        Err(Problem::new(StatusCode::INTERNAL_SERVER_ERROR, detail))
    })
}
