//! What is held in memory while a request runs: events, heads and bodies, each
//! with its bound. Nothing here is redacted yet and nothing here is written.

mod budget;
mod captured;
mod causes;
mod clock;
mod end_frame;
mod events;
mod heads;
mod items;
mod limited;
mod media;
mod names;
mod options;
mod origin;
mod said;
mod span_tree;
mod spans;
mod tee;
mod thread;
mod values;

pub(crate) use self::budget::{Account, Holder, MemoryBudget, Reservation};
pub(crate) use self::causes::know as know_causes;
pub use self::options::CaptureOptions;
pub(crate) use self::{
    captured::{CaptureHeads, Captured, ResponseHead},
    end_frame::{EndFrame, Envelope},
    heads::{HeaderFields, grpc_status, is_server_fault},
    items::{Framing, StreamLimits},
    media::begins,
    tee::{BodySnapshot, Ending, Lengths, PANICKED, Tee, TeePlan},
};
pub(crate) use self::{
    events::{EventRecord, NewEvent, Recording},
    names::{FieldNames, plain_name},
    spans::{SpanFields, for_each_span},
    thread::{Task, thread_id},
    values::{Encoder, InHand, Values, Visited, merge, with_fields, with_scratch},
};

#[cfg(all(fuzzing, feature = "full"))]
pub(crate) use self::items::Items;

pub(crate) use self::{
    clock::Clock,
    origin::find_literals,
    said::{Said, Text},
};

/// Buffers up to this capacity stay allocated between requests.
const KEEP_CAPACITY: usize = 16 * 1024;
