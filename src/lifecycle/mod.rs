//! The service under all layers: the begin and the end of a request, and its context.
//!
//! All layers of this crate are configurations of one service. Its future and its two body
//! wrappers make the request's context current while its code runs, and determine how the
//! request ends. The layer that creates the context ends the request; an inner layer finds
//! the context in the request's extensions and joins.
//!
//! # Guarantees
//!
//! - The error type, every frame, trailer and error of both bodies, their `size_hint` and
//!   `is_end_stream`, and readiness pass unchanged. A body is polled only when the service
//!   or the client polls it.
//! - The end of a body is recorded once, at the first of: already at its end when wrapped,
//!   end of stream, trailers, error, `is_end_stream` after a frame, drop.
//! - The context is current in `call`, in polls of the future and of both bodies, and in
//!   their drops.

mod begin;
mod capture;
mod carried;
mod client;
mod correlate;
mod end;
mod flight;
mod frames;
mod future;
mod head;
mod last_words;
mod lent;
mod method;
mod panic;
mod panicked;
mod plan;
mod request_body;
mod request_line;
mod response_body;
mod select;
mod service;
mod traced;
mod watch;

use self::method::known_method;
pub use self::{
    future::ResponseFuture,
    panic::{Guarded, Observe, PanicResponse, ProblemJson},
    request_body::RequestBody,
    response_body::ResponseBody,
};
pub(crate) use self::{
    last_words::{install_hook, is_installed, unplaced},
    plan::{CorrelationPlan, Plan, Trust, VerbosePlan},
    service::{Lifecycle, layer_service, service_future},
};
