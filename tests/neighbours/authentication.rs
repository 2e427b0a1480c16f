//! A layer that refuses requests.

use crate::{
    support_net::keeping_all,
    world::{ask, assert_none_kept, get, only},
};
use axum::{
    Router,
    extract::Request,
    http::StatusCode,
    middleware::{Next, from_fn},
    response::{IntoResponse, Response},
    routing::any,
};

async fn refuse(_: Request, _: Next) -> Response {
    StatusCode::UNAUTHORIZED.into_response()
}

#[tokio::test]
async fn who_is_refused_inside_has_an_id() {
    let dashcam = keeping_all();
    let app = Router::new().route("/", any(|| async {}));
    let app = app.layer(from_fn(refuse)).layer(dashcam.layer());
    let answer = ask(app, get("/")).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    answer.assert_id_of(&only(&dashcam).await);
}

#[tokio::test]
async fn who_is_refused_outside_leaves_nothing() {
    let dashcam = keeping_all();
    let app = Router::new().route("/", any(|| async {}));
    let app = app.layer(dashcam.layer()).layer(from_fn(refuse));
    let answer = ask(app, get("/")).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    assert_eq!(answer.id(), None);
    assert_none_kept(&dashcam, 0).await;
}
