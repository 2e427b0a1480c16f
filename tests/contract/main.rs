//! What every layer promises: as a service, to a body, to the request's context, and
//! where code of the service panics.

mod body;
mod context;
mod panics;
mod service;
mod support;
