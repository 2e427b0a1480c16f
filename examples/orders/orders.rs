//! The order service. Only `decision!` in it belongs to dashcam.

use crate::{
    client::BoxError,
    payments::{PaymentError, Payments},
};
use axum::{
    Json, Router,
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use dashcam::decision;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tracing::{debug, error, info, instrument};

/// The longest name on a label, in bytes.
const LABEL: usize = 16;

struct Shop {
    shelf: Mutex<BTreeMap<&'static str, Item>>,
    orders: Mutex<Vec<Order>>,
    payments: Payments,
}

#[derive(Clone, Copy, Serialize)]
struct Item {
    stock: i64,
    cents: u64,
}

#[derive(Deserialize)]
struct NewOrder {
    item: String,
    quantity: u32,
    customer: Customer,
    card: String,
}

#[derive(Deserialize)]
struct Customer {
    name: String,
    email: String,
    /// For customers who want an account.
    password: Option<String>,
}

#[derive(Clone, Serialize)]
struct Order {
    id: usize,
    item: String,
    quantity: u32,
    total_cents: u64,
    label: String,
}

pub(crate) async fn routes() -> Result<Router, BoxError> {
    let item = |stock, cents| Item { stock, cents };
    let shelf = BTreeMap::from([
        ("cup", item(500, 900)),
        ("lamp", item(1, 4_900)),
        ("mat", item(80, 2_500)),
    ]);
    let shop = Shop {
        shelf: Mutex::new(shelf),
        orders: Mutex::default(),
        payments: Payments::start().await?,
    };
    Ok(Router::new()
        .route("/orders", post(place))
        .route("/orders/{id}", get(show))
        .route("/stock", get(stock))
        .with_state(Arc::new(shop)))
}

#[instrument(skip_all, fields(item = %new.item, quantity = new.quantity))]
async fn place(
    State(shop): State<Arc<Shop>>,
    Json(new): Json<NewOrder>,
) -> Result<(StatusCode, Json<Order>), Refusal> {
    let Some(item) = shop.shelf().get(&*new.item).copied() else {
        return Err(Refusal::UnknownItem);
    };
    let quantity = i64::from(new.quantity);
    debug!(item.stock, "looked at the shelf");
    if item.stock < quantity {
        return Err(Refusal::SoldOut);
    }

    let total_cents = price(item, new.quantity);
    shop.payments.charge(&new.card, total_cents).await?;

    // Bug: other orders saw the same stock while this one was paying.
    let stock = shop.take(&new.item, quantity);
    debug!(stock, "took it from the shelf");
    if stock < 0 {
        error!(stock, "sold what is not there");
    }

    let customer = &new.customer;
    debug!(
        to = customer.email,
        account = customer.password.is_some(),
        "confirming"
    );
    let label = label(&customer.name).to_owned();

    let mut orders = shop.orders.lock().unwrap_or_else(PoisonError::into_inner);
    let order = Order {
        id: orders.len() + 1,
        item: new.item,
        quantity: new.quantity,
        total_cents,
        label,
    };
    orders.push(order.clone());
    info!(order.id, order.total_cents, "ordered");
    Ok((StatusCode::CREATED, Json(order)))
}

#[instrument(level = "debug", skip_all)]
fn price(item: Item, quantity: u32) -> u64 {
    let (rule, discount_percent) = if quantity >= 10 {
        ("bulk", 10)
    } else {
        ("list", 0)
    };
    let full = item.cents.saturating_mul(u64::from(quantity));
    let total_cents = full - full / 100 * discount_percent;
    decision!("pricing", rule, discount_percent, total_cents);
    total_cents
}

fn label(name: &str) -> &str {
    let cut = name.len() > LABEL;
    decision!("label", cut, bytes = name.len());
    debug!(name, "making the label");
    // Bug: byte 16 can be inside a character.
    if cut { &name[..LABEL] } else { name }
}

async fn show(
    State(shop): State<Arc<Shop>>,
    Path(id): Path<usize>,
) -> Result<Json<Order>, StatusCode> {
    let orders = shop.orders.lock().unwrap_or_else(PoisonError::into_inner);
    let order = orders.iter().find(|order| order.id == id);
    order.cloned().map(Json).ok_or(StatusCode::NOT_FOUND)
}

async fn stock(State(shop): State<Arc<Shop>>) -> Json<BTreeMap<&'static str, Item>> {
    Json(shop.shelf().clone())
}

impl Shop {
    fn shelf(&self) -> MutexGuard<'_, BTreeMap<&'static str, Item>> {
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes items from the shelf, and returns the remaining stock.
    fn take(&self, item: &str, quantity: i64) -> i64 {
        self.shelf().get_mut(item).map_or(0, |item| {
            item.stock -= quantity;
            item.stock
        })
    }
}

/// Why the service refuses an order.
enum Refusal {
    UnknownItem,
    SoldOut,
    Payment(PaymentError),
}

impl From<PaymentError> for Refusal {
    fn from(error: PaymentError) -> Self {
        Self::Payment(error)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let (status, error) = match self {
            Self::UnknownItem => (StatusCode::UNPROCESSABLE_ENTITY, "no such item"),
            Self::SoldOut => (StatusCode::CONFLICT, "sold out"),
            Self::Payment(PaymentError::Declined) => (StatusCode::PAYMENT_REQUIRED, "declined"),
            Self::Payment(PaymentError::Unavailable) => {
                (StatusCode::BAD_GATEWAY, "no payment possible")
            }
        };
        (status, Json(json!({ "error": error }))).into_response()
    }
}
