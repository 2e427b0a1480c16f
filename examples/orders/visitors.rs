//! Sends a few requests to the service, over real sockets.

use crate::client::{BoxError, HttpClient};
use axum::{body::Bytes, http::Response};
use futures_util::future::try_join_all;
use serde_json::{Value, json};

/// One request and its response.
pub(crate) struct Visit {
    pub(crate) what: &'static str,
    pub(crate) status: u16,
    /// The correlation ID of the response.
    pub(crate) id: String,
}

pub(crate) struct Visits {
    pub(crate) ordinary: Vec<Visit>,
    /// An order that always fails.
    pub(crate) too_large: Visit,
    /// The orders of the last lamp, all at the same time.
    pub(crate) parallel: Vec<Visit>,
    pub(crate) lamps_left: i64,
}

/// An order that hits the bug in the label.
fn unlucky() -> Value {
    json!({
        "item": "cup",
        "quantity": 12,
        "customer": {
            "name": "Zoë Katarzyna Łukaszewicz",
            "email": "zoe.lukaszewicz@example.com",
            "password": "correct-horse-battery",
        },
        "card": "4242424242424242",
    })
}

/// Another one, without secrets, for the terminal.
pub(crate) fn also_unlucky() -> Value {
    let customer = json!({ "name": "Anna-Katharina Öz", "email": "anna@example.com" });
    json!({ "item": "mat", "quantity": 1, "customer": customer, "card": "none" })
}

fn order(item: &str, quantity: u32, card: &str) -> Value {
    let customer = json!({ "name": "Ada Byron", "email": "ada@example.com" });
    json!({ "item": item, "quantity": quantity, "customer": customer, "card": card })
}

pub(crate) async fn visit(base: &str) -> Result<Visits, BoxError> {
    const CARD: &str = "5555555555554444";
    let client = HttpClient::new();
    let orders = format!("{base}/orders");
    let post = async |what, body: &Value| visited(what, &client.post_json(&orders, body).await?);
    let get = async |what, path| visited(what, &client.get(&format!("{base}{path}")).await?);

    let mut incomplete = order("mat", 1, CARD);
    incomplete["customer"] = json!({});
    let ordinary = vec![
        post("POST /orders: a mat", &order("mat", 1, CARD)).await?,
        post("POST /orders: twenty cups", &order("cup", 20, CARD)).await?,
        get("GET  /orders/1", "/orders/1").await?,
        get("GET  /orders/4711: never was", "/orders/4711").await?,
        post("POST /orders: a customer without a name", &incomplete).await?,
        post(
            "POST /orders: a card that is declined",
            &order("mat", 1, "4000000000000002"),
        )
        .await?,
        get("GET  /echo: takes a while", "/echo?delay_ms=250").await?,
        post("POST /orders: cups for somebody called Zoë", &unlucky()).await?,
    ];
    let too_large = post("POST /orders: 450 cups", &order("cup", 450, CARD)).await?;
    let last_lamp = order("lamp", 1, CARD);
    let parallel = (0..4).map(|_| post("POST /orders: the last lamp", &last_lamp));
    let parallel = try_join_all(parallel).await?;
    let stock = client.get(&format!("{base}/stock")).await?;
    let stock: Value = serde_json::from_slice(stock.body())?;
    Ok(Visits {
        ordinary,
        too_large,
        parallel,
        lamps_left: stock["lamp"]["stock"].as_i64().unwrap_or_default(),
    })
}

fn visited(what: &'static str, answer: &Response<Bytes>) -> Result<Visit, BoxError> {
    let id = answer.headers().get("x-request-id");
    Ok(Visit {
        what,
        status: answer.status().as_u16(),
        id: id
            .ok_or("a response has no x-request-id")?
            .to_str()?
            .to_owned(),
    })
}
