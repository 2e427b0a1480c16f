//! What is held in memory while a request runs: events, heads and bodies, each
//! with its bound. Nothing here is redacted yet and nothing here is written.

#[cfg(feature = "capture")]
mod budget;
mod causes;
mod clock;
#[cfg(feature = "capture")]
mod end_frame;
#[cfg(feature = "gate")]
mod events;
#[cfg(feature = "capture")]
mod heads;
#[cfg(feature = "capture")]
mod items;
#[cfg(feature = "capture")]
mod media;
#[cfg(feature = "gate")]
mod names;
#[cfg(feature = "capture")]
mod options;
mod origin;
mod said;
#[cfg(feature = "gate")]
mod span_tree;
#[cfg(feature = "gate")]
mod spans;
#[cfg(feature = "capture")]
mod tee;
#[cfg(feature = "gate")]
mod thread;
#[cfg(feature = "gate")]
mod values;

#[cfg(feature = "capture")]
pub(crate) use self::budget::{Account, Holder, MemoryBudget, Reservation};
#[cfg(feature = "capture")]
pub(crate) use self::causes::know as know_causes;
#[cfg(feature = "capture")]
pub use self::options::CaptureOptions;
#[cfg(feature = "capture")]
pub(crate) use self::{
    end_frame::{EndFrame, Envelope},
    heads::{HeaderFields, grpc_status, is_server_fault},
    items::{Framing, StreamLimits},
    media::begins,
    tee::{BodySnapshot, Ending, Lengths, PANICKED, Tee, TeePlan},
};
#[cfg(feature = "gate")]
pub(crate) use self::{
    events::{EventRecord, NewEvent, Recording},
    names::{FieldNames, plain_name},
    spans::{SpanFields, for_each_span},
    thread::{Task, thread_id},
    values::{Encoder, Values, Visited, merge, with_scratch},
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
