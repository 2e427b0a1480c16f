//! Where the layer is added to an axum application.

use crate::{
    support_net::{DEADLINE, Server, assert_completed, keeping_all, kept_of},
    world::{Answer, ask, ask_at, assert_none_kept, get, only},
};
use axum::{
    Router,
    body::Body,
    http::{Method, Response, StatusCode},
    routing::{get as on_get, post},
};
use dashcam::{exchange::Exchange, testing::TestDashcam};
use tokio::{net::TcpListener, time::timeout};
use tower::{ServiceBuilder, make::Shared};
use tower_http::trace::TraceLayer;

fn orders() -> Router {
    Router::new()
        .route("/orders/{id}", on_get(|| async { "an order" }))
        .route("/orders", post(|| async { StatusCode::CREATED }))
}

fn route(kept: &Exchange) -> Option<&str> {
    kept.request.route.as_deref()
}

/// Without a template it is unknown which parts of the path are data.
#[track_caller]
fn assert_untold(kept: &Exchange) {
    assert_eq!(route(kept), None);
    assert!(
        kept.request.path.starts_with("/[~"),
        "{}",
        kept.request.path
    );
}

/// The application got one request for this path, and this is what dashcam saw.
async fn visit(dashcam: &TestDashcam, app: Router, path: &str) -> (Answer, Exchange) {
    let answer = ask(app, get(path)).await;
    let kept = only(dashcam).await;
    answer.assert_id_of(&kept);
    assert_completed(&kept);
    (answer, kept)
}

/// The application got one request for this path, and dashcam saw nothing.
async fn pass_by(dashcam: &TestDashcam, app: Router, path: &str, status: StatusCode) {
    let answer = ask(app, get(path)).await;
    assert_eq!(answer.status, status);
    assert_eq!(answer.id(), None);
    assert_none_kept(dashcam, 0).await;
}

#[tokio::test]
async fn added_last_the_layer_sees_routes_with_their_templates() {
    let dashcam = keeping_all();
    let app = orders().layer(dashcam.layer());
    let (_, kept) = visit(&dashcam, app, "/orders/4711").await;
    assert_eq!(route(&kept), Some("/orders/{id}"));
    assert_eq!(kept.request.path, "/orders/4711");
}

#[tokio::test]
async fn added_last_the_layer_sees_what_matches_no_route() {
    let dashcam = keeping_all();
    let app = orders().layer(dashcam.layer());
    let (answer, kept) = visit(&dashcam, app, "/nowhere").await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
    assert_untold(&kept);
}

#[tokio::test]
async fn added_last_the_layer_sees_a_fallback() {
    let dashcam = keeping_all();
    let app = orders().fallback(|| async { "fallen back" });
    let (answer, kept) = visit(&dashcam, app.layer(dashcam.layer()), "/nowhere").await;
    assert_eq!(answer.body, "fallen back");
    assert_untold(&kept);
}

#[tokio::test]
async fn added_last_the_layer_sees_a_fallback_service() {
    let dashcam = keeping_all();
    let app = Router::new().fallback_service(orders());
    let (_, kept) = visit(&dashcam, app.layer(dashcam.layer()), "/orders/4711").await;
    // The inner router matches after the layer.
    assert_untold(&kept);
}

#[tokio::test]
async fn added_last_the_layer_sees_a_method_that_a_route_does_not_have() {
    let dashcam = keeping_all();
    let app = orders().layer(dashcam.layer());
    let mut request = get("/orders/4711");
    *request.method_mut() = Method::DELETE;
    let answer = ask(app, request).await;
    assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED);
    let kept = only(&dashcam).await;
    answer.assert_id_of(&kept);
    assert_eq!(route(&kept), Some("/orders/{id}"));
}

#[tokio::test]
async fn routes_added_after_the_layer_are_not_seen() {
    let dashcam = keeping_all();
    let app = orders().layer(dashcam.layer());
    let app = app.route("/later", on_get(|| async { "later" }));
    pass_by(&dashcam, app, "/later", StatusCode::OK).await;
}

#[tokio::test]
async fn a_fallback_added_after_the_layer_is_not_seen() {
    let dashcam = keeping_all();
    let app = orders().layer(dashcam.layer());
    let app = app.fallback(|| async { "fallen back" });
    pass_by(&dashcam, app, "/nowhere", StatusCode::OK).await;
}

#[tokio::test]
async fn a_route_layer_sees_matched_routes_only() {
    let dashcam = keeping_all();
    let app = orders().route_layer(dashcam.layer());
    let (_, kept) = visit(&dashcam, app, "/orders/4711").await;
    assert_eq!(route(&kept), Some("/orders/{id}"));

    let dashcam = keeping_all();
    let app = orders().route_layer(dashcam.layer());
    pass_by(&dashcam, app, "/nowhere", StatusCode::NOT_FOUND).await;
}

#[tokio::test]
async fn around_nested_routers_templates_and_paths_are_whole() {
    let dashcam = keeping_all();
    let app = Router::new().nest("/api", orders()).layer(dashcam.layer());
    let (_, kept) = visit(&dashcam, app, "/api/orders/4711").await;
    assert_eq!(route(&kept), Some("/api/orders/{id}"));
    assert_eq!(kept.request.path, "/api/orders/4711");
}

#[tokio::test]
async fn in_a_nested_router_templates_and_paths_are_whole() {
    let dashcam = keeping_all();
    let app = Router::new().nest("/api", orders().layer(dashcam.layer()));
    let (_, kept) = visit(&dashcam, app, "/api/orders/4711").await;
    assert_eq!(route(&kept), Some("/api/orders/{id}"));
    assert_eq!(kept.request.path, "/api/orders/4711");
}

#[tokio::test]
async fn in_a_nested_router_what_matches_no_route_is_not_seen() {
    for path in ["/nowhere", "/api/nowhere"] {
        let dashcam = keeping_all();
        let app = Router::new().nest("/api", orders().layer(dashcam.layer()));
        pass_by(&dashcam, app, path, StatusCode::NOT_FOUND).await;
    }
}

#[tokio::test]
async fn a_fallback_of_a_nested_router_is_seen_in_it() {
    let dashcam = keeping_all();
    let nested = orders().fallback(|| async { "fallen back" });
    let app = Router::new().nest("/api", nested.layer(dashcam.layer()));
    let (answer, kept) = visit(&dashcam, app, "/api/nowhere").await;
    assert_eq!(answer.body, "fallen back");
    assert_untold(&kept);
}

#[tokio::test]
async fn around_a_nested_service_there_are_no_templates() {
    let dashcam = keeping_all();
    let app = Router::new()
        .nest_service("/api", orders())
        .layer(dashcam.layer());
    let (_, kept) = visit(&dashcam, app, "/api/orders/4711").await;
    assert_untold(&kept);
}

#[tokio::test]
async fn in_a_nested_service_there_are_no_templates() {
    let dashcam = keeping_all();
    let service = ServiceBuilder::new()
        .layer(dashcam.layer())
        .service(orders());
    let app = Router::new().nest_service("/api", service);
    let (_, kept) = visit(&dashcam, app, "/api/orders/4711").await;
    assert_untold(&kept);
}

#[tokio::test]
async fn around_the_whole_router_everything_is_seen_without_templates() {
    let dashcam = keeping_all();
    // `axum::serve` takes services that respond with axum's own body.
    let app = ServiceBuilder::new()
        .map_response(|response: Response<_>| response.map(Body::new))
        .layer(dashcam.layer())
        .service(orders());
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(axum::serve(listener, Shared::new(app)).into_future());
    for (path, status) in [
        ("/orders/4711", StatusCode::OK),
        ("/nowhere", StatusCode::NOT_FOUND),
    ] {
        let answer = ask_at(address, get(path)).await;
        assert_eq!(answer.status, status);
        assert!(answer.id().is_some());
    }
    server.abort();
    let kept = kept_of(&dashcam, 2).await;
    for kept in &kept {
        assert_untold(kept);
    }
}

#[tokio::test]
async fn in_a_service_builder_the_first_layer_is_outermost() {
    let dashcam = keeping_all();
    let layers = ServiceBuilder::new()
        // The body of `TraceLayer` cannot be made for the response to a panic.
        .layer(dashcam.layer().propagate_panics())
        .layer(TraceLayer::new_for_http());
    let (_, kept) = visit(&dashcam, orders().layer(layers), "/orders/4711").await;
    assert!(!kept.events.is_empty());

    let dashcam = keeping_all();
    let layers = ServiceBuilder::new()
        .layer(TraceLayer::new_for_http())
        .layer(dashcam.layer());
    let (_, kept) = visit(&dashcam, orders().layer(layers), "/orders/4711").await;
    assert!(kept.events.is_empty());
}

#[tokio::test]
async fn merged_routers_keep_their_own_layers() {
    let dashcam = keeping_all();
    let seen = orders().layer(dashcam.layer());
    let unseen = Router::new().route("/health", on_get(|| async { "well" }));
    let server = Server::start(seen.merge(unseen)).await;
    assert_eq!(ask_at(server.address, get("/health")).await.id(), None);
    let answer = timeout(DEADLINE, ask_at(server.address, get("/orders/4711")));
    let answer = answer.await.unwrap();
    answer.assert_id_of(&only(&dashcam).await);
}
