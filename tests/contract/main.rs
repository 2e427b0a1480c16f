//! What every layer promises: as a service, to a body, to the request's context, and
//! where code of the service panics.

#[macro_use]
mod support;

mod body;
mod context;
mod panics;
mod service;
