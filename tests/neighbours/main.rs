//! What is seen where dashcam stands outside or inside of another layer, and
//! where it is put into an axum application. One test for each row of
//! `docs/neighbours.md`.

mod places;
mod sentry;
mod sessions;
#[path = "../support_net/mod.rs"]
mod support_net;
mod tower_http;
mod world;
