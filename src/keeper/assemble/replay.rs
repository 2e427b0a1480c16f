//! What is replayed of the exchanges that are put together.

use super::{Assembler, Rest, events, remember_secrets};
use crate::{
    context::Aspect,
    exchange::Depth,
    keeper::{
        Kept,
        replay::{Playback, SoFar, end, is_due},
    },
    redact::{Decisions, Redactor},
};
use std::sync::Arc;

impl Assembler {
    /// Replays a request at its end, where that is due.
    pub(super) fn replay(&self, kept: &mut Kept, rest: Rest) {
        let (Some(replayer), Some(ticket)) = (&self.replayer, kept.ticket.take()) else {
            return;
        };
        let shared = kept.context.shared();
        // What began while it ran goes on to its end.
        let suppressed_before = if shared.is_replayed() {
            Some(0)
        } else if is_due(&kept.reasons)
            && rest.recording.has_unshown()
            && shared.claim(Aspect::Replay)
        {
            if kept.depth == Depth::Full {
                replayer.admit(kept.signature, false)
            } else {
                replayer.suppress();
                None
            }
        } else {
            None
        };
        if let Some(suppressed_before) = suppressed_before {
            replayer.play(Playback {
                context: kept.context.clone(),
                ticket,
                recording: rest.recording,
                scrubber: Arc::new(rest.scrubber),
                suppressed_before,
            });
        } else {
            end(ticket);
        }
    }

    /// Replays what a request that runs has recorded so far, redacted as far as
    /// it is known by now what it hides.
    pub(super) fn replay_so_far(&mut self, so_far: SoFar) {
        let Some(replayer) = &self.replayer else {
            return;
        };
        let shared = so_far.context.shared();
        let recording = { shared.recording().take_unshown() };
        let Some(recording) = recording else {
            return end(so_far.ticket);
        };
        let mut redactor = Redactor::only_to_remember(&self.settings.policy, Decisions::default());
        remember_secrets(&mut redactor, &so_far.context, usize::MAX);
        let facts = { shared.notes().facts.clone() };
        for (name, value) in &facts {
            redactor.fact(name, value);
        }
        events::remember_fields(&mut redactor, &recording, &mut self.sites);
        replayer.play(Playback {
            context: so_far.context,
            ticket: so_far.ticket,
            recording,
            scrubber: Arc::new(redactor.into_scrubber()),
            suppressed_before: so_far.suppressed_before,
        });
    }
}
