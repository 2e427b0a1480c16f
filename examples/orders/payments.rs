//! The payment provider, a small service of its own, and its client.

use crate::client::{BoxError, HttpClient};
use axum::{Json, Router, http::StatusCode, routing::post};
use dashcam::correlation::CorrelationIdLayer;
use serde::{Deserialize, Serialize};
use std::{net::Ipv4Addr, time::Duration};
use tokio::net::TcpListener;
use tracing::{debug, info, instrument, warn};

#[derive(Deserialize, Serialize)]
struct Charge {
    card: String,
    amount_cents: u64,
}

/// The provider fails from this amount on, and the shop does not know.
const TOO_MUCH_CENTS: u64 = 300_000;

/// Responds slowly, declines cards that end in 0002, and fails on large amounts.
async fn charge(Json(charge): Json<Charge>) -> StatusCode {
    tokio::time::sleep(Duration::from_millis(100)).await;
    if charge.amount_cents >= TOO_MUCH_CENTS {
        return StatusCode::INTERNAL_SERVER_ERROR;
    }
    if charge.card.ends_with("0002") {
        return StatusCode::PAYMENT_REQUIRED;
    }
    info!(charge.amount_cents, "charged");
    StatusCode::OK
}

/// The provider's client in the order service.
pub(crate) struct Payments {
    client: HttpClient,
    url: String,
}

pub(crate) enum PaymentError {
    Declined,
    Unavailable,
}

impl Payments {
    /// Starts the provider on a port of its own.
    pub(crate) async fn start() -> Result<Self, BoxError> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let url = format!("http://{}/charges", listener.local_addr()?);
        let provider = Router::new()
            .route("/charges", post(charge))
            .layer(CorrelationIdLayer::new());
        tokio::spawn(axum::serve(listener, provider).into_future());
        Ok(Self {
            client: HttpClient::new(),
            url,
        })
    }

    #[instrument(level = "debug", skip(self, card))]
    pub(crate) async fn charge(&self, card: &str, amount_cents: u64) -> Result<(), PaymentError> {
        let charge = Charge {
            card: card.to_owned(),
            amount_cents,
        };
        debug!(card, "asking the payment provider");
        let answer = self.client.post_json(&self.url, &charge).await;
        let status = answer.map(|answer| answer.status());
        debug!(?status, "the payment provider answered");
        match status {
            Ok(StatusCode::OK) => Ok(()),
            Ok(StatusCode::PAYMENT_REQUIRED) => Err(PaymentError::Declined),
            Ok(status) => {
                warn!(%status, "unexpected answer of the payment provider");
                Err(PaymentError::Unavailable)
            }
            Err(error) => {
                warn!(%error, "no answer of the payment provider");
                Err(PaymentError::Unavailable)
            }
        }
    }
}
