//! Delivers orders. It logs its input as carelessly as real services do, and the map
//! service that it calls is never there.

use crate::client::HttpClient;
use axum::{
    Json, Router,
    body::Bytes,
    extract::{Path, State},
    http::{HeaderMap, StatusCode, header::LOCATION, header::SET_COOKIE},
    response::{IntoResponse, Response},
    routing::put,
};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use serde_json::json;
use tracing::{debug, error, info, warn};

/// Nothing listens there.
const MAPS: &str = "http://127.0.0.1:9/find";

pub(crate) fn routes() -> Router {
    Router::new()
        .route("/orders/{id}/delivery", put(deliver))
        .with_state(HttpClient::new())
}

#[derive(Deserialize)]
struct Delivery {
    name: String,
    street: String,
    city: String,
    #[serde(default)]
    note: String,
    /// The code of the door.
    pin: Option<u64>,
}

async fn deliver(
    State(client): State<HttpClient>,
    Path(id): Path<usize>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    debug!(?headers, ?body, "asked to deliver");
    let delivery: Delivery = match serde_json::from_slice(&body) {
        Ok(delivery) => delivery,
        Err(error) => {
            error!(%error, "no delivery");
            return refusal(StatusCode::BAD_REQUEST, &error.to_string());
        }
    };
    debug!(note = delivery.note, entered = delivery.pin, "with a note");
    info!(city = delivery.city.to_lowercase(), "looking for a driver");

    let street = utf8_percent_encode(&delivery.street, NON_ALPHANUMERIC);
    let url = format!("{MAPS}/{street}?city={}", delivery.city.to_uppercase());
    let url = url.replace(' ', "+");
    if let Err(error) = client.get(&url).await {
        warn!("error sending request for url ({url}): {error}");
    }
    let name = utf8_percent_encode(&delivery.name, NON_ALPHANUMERIC);
    let headers = [
        (LOCATION, format!("/customers/{name}/deliveries/{id}")),
        (SET_COOKIE, format!("delivery={id}; Path=/customers/{name}")),
    ];
    (
        headers,
        refusal(StatusCode::BAD_GATEWAY, "the map service does not answer"),
    )
        .into_response()
}

fn refusal(status: StatusCode, error: &str) -> Response {
    (status, Json(json!({ "error": error }))).into_response()
}
