//! The context of the current request, and how other tasks and threads join it.
//!
//! The outermost layer of this crate puts one [`RequestContext`] into the request's
//! extensions. The layers make it *current* on the thread while code of the request runs:
//! in the service's `call`, in every poll of its future and of both bodies, and in their
//! drops. Code that runs elsewhere joins with [`InRequestExt::in_request`] (a spawned
//! future) or [`in_request`] (a closure on another thread). A thread without a current
//! request also joins while it is in the request's span, or in a span inside it, until the
//! request ends.
//!
//! # Example
//!
//! ```
//! use dashcam::context::InRequestExt;
//!
//! # async fn charge() {}
//! async fn handler() {
//!     if let Some(request) = dashcam::current() {
//!         request.fact("tenant", "acme");
//!     }
//!     // Without `in_request` the task's events would belong to no request.
//!     tokio::spawn(charge().in_request());
//!     tokio::task::spawn_blocking(dashcam::context::in_request(|| { /* … */ }));
//! }
//! ```
//!
//! Outside of a request all functions of this module do nothing:
//!
//! ```
//! assert!(dashcam::current().is_none());
//! dashcam::keep("no request to keep");
//! ```
//!
//! # Ordering
//!
//! Code sees the context of the innermost layer of this crate around it; an inner layer
//! usually shares that of the outer one. Middleware outside of all layers sees none.

mod calls;
mod current;
mod in_request;
mod last;
mod mode;
mod notes;
#[cfg(feature = "token")]
mod onward;
mod own_line;
mod pool;
mod replayed;
mod request;
mod route;
mod shared;
mod spans;
mod ticket;
mod traced;

#[cfg(feature = "token")]
use self::onward::Onward;
pub use self::{
    current::current,
    in_request::{InRequestExt, in_request},
    request::RequestContext,
};
pub(crate) use self::{
    current::{Entered, enter_span, exit_span, forget_span, has_current, mode, with_current},
    last::{help, helps},
    mode::{Aspect, Mode},
    notes::{Notes, PanicNote},
    own_line::OwnLine,
    replayed::{Replayed, replayed_at, replaying, set_replayed, with_replayed},
    request::{MAX_KEEP_LEN, cut_reason, keep_current, shown_of_fact},
    route::Route,
    shared::{Shared, late_events, note_late},
    spans::{Bound, RequestSpans},
    ticket::{OnReason, Ticket},
    traced::TracedSpan,
};

/// Keeps the exchange of the current request, however it ends, for this reason.
///
/// Does nothing outside of a request or after its end. A request has at most 16 reasons,
/// each cut at 256 bytes. A string literal costs no allocation.
pub fn keep(why: impl Into<std::borrow::Cow<'static, str>>) {
    keep_current(why.into());
}
