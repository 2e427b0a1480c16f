//! `tower-sessions`: the session's cookie.

use crate::{
    support_net::{assert_completed, keeping_all},
    world::{ask, field, get, only},
};
use axum::{Router, routing::any};
use dashcam::exchange::Exchange;
use tower_sessions::{MemoryStore, Session, SessionManagerLayer};

/// A handler that creates a session.
fn app() -> Router {
    let handler = |session: Session| async move {
        session.insert("user", "zoe").await.unwrap();
        session.save().await.unwrap();
        if let (Some(request), Some(id)) = (dashcam::current(), session.id()) {
            request.fact("session", id.to_string());
        }
    };
    Router::new().route("/", any(handler))
}

fn manager() -> SessionManagerLayer<MemoryStore> {
    SessionManagerLayer::new(MemoryStore::default())
}

fn cookie(kept: &Exchange) -> Option<&str> {
    field(&kept.response.as_ref().unwrap().headers, "set-cookie")
}

#[tokio::test]
async fn a_cookie_set_inside_is_in_the_exchange_without_its_value() {
    let dashcam = keeping_all();
    let app = app().layer(manager()).layer(dashcam.layer());
    let answer = ask(app, get("/")).await;
    let kept = only(&dashcam).await;
    answer.assert_id_of(&kept);
    assert_completed(&kept);
    let sent = answer.headers["set-cookie"].to_str().unwrap();
    let (id, attributes) = sent.strip_prefix("id=").unwrap().split_once(';').unwrap();
    let cookie = cookie(&kept).unwrap();
    assert!(cookie.starts_with("id=[~"), "{cookie}");
    assert!(cookie.ends_with(attributes), "{cookie}");
    // It is nowhere else either, such as in a fact.
    assert!(kept.facts.contains_key("session"));
    assert!(!format!("{kept:?}").contains(id));
}

#[tokio::test]
async fn a_cookie_set_outside_is_not_in_the_exchange() {
    let dashcam = keeping_all();
    let app = app().layer(dashcam.layer()).layer(manager());
    let answer = ask(app, get("/")).await;
    let kept = only(&dashcam).await;
    answer.assert_id_of(&kept);
    assert!(answer.headers.contains_key("set-cookie"));
    assert_eq!(cookie(&kept), None);
}
