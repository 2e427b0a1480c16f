//! Holds the events, heads and bodies of a request in memory while it runs, each with a limit.
//! Nothing here is redacted, and nothing here is written.

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

pub use self::options::CaptureOptions;
pub(crate) use self::{
    budget::{Account, Holder, MemoryBudget, Reservation},
    captured::{CaptureHeads, Captured, ResponseHead},
    causes::know as know_causes,
    clock::Clock,
    end_frame::{EndFrame, Envelope},
    events::{EventRecord, NewEvent, Recording},
    heads::{HeaderFields, grpc_status, is_server_fault},
    items::{Framing, StreamLimits},
    media::begins,
    names::{FieldNames, plain_name},
    origin::find_literals,
    said::{Said, Text},
    spans::{SpanFields, for_each_span},
    tee::{BodySnapshot, Ending, Lengths, PANICKED, Tee, TeePlan},
    thread::{Task, thread_id},
    values::{Encoder, InHand, Values, Visited, merge, with_fields, with_scratch},
};

#[cfg(all(fuzzing, feature = "full"))]
pub(crate) use self::items::Items;

/// Buffers up to this capacity stay allocated between requests.
const KEEP_CAPACITY: usize = 16 * 1024;
