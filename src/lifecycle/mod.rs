//! How a request begins and ends, and how its context is carried.
//!
//! All layers of this crate are configurations of the one service here: its
//! future and its two body wrappers know when a request begins, that its
//! context is current whenever its code runs, and how it ended. Who creates
//! the context finishes it; a layer further in finds it in the request's
//! extensions and joins.
//!
//! # Guarantees
//!
//! - The error type, every frame, trailer and error of both bodies, their
//!   `size_hint` and `is_end_stream`, and readiness pass unchanged; no body is
//!   polled that the service or the client does not poll.
//! - The end is seen once, whichever comes first: at the end when wrapped, end
//!   of stream, trailers, error, `is_end_stream` after a frame, or drop.
//! - The context is current in `call`, in polls of the future and of both
//!   bodies, and in their drops.

mod begin;
mod capture;
mod carried;
mod client;
mod correlate;
mod end;
mod flight;
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
