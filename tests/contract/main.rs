//! The guarantees of every layer: as a service, for bodies, for the request's context, and if code
//! of the service panics.

#[macro_use]
mod support;

mod body;
mod context;
mod panics;
mod service;
