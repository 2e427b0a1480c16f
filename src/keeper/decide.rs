//! Decides whether an exchange is kept, at its end.

use super::{
    Counters, Ended, Finished, Job, Keeper, Kept, NotKept, assemble,
    sample::Sample,
    storm,
    storm::{Admission, Signature},
};
use crate::{
    context::{Mode, RequestContext, cut_reason},
    exchange::{Depth, Direction, KeepReason, Outcome},
    foreign::{self, Foreign},
    id::now_v7_text,
    recorder::Recording,
};
use http::{Uri, uri};
use std::{
    sync::{Arc, MutexGuard, PoisonError, atomic::Ordering::Relaxed},
    time::{Duration, Instant, SystemTime},
};

/// How long the last exchange of a process waits for room in the queue.
const LAST_ROOM: Duration = Duration::from_millis(500);

/// Counts a request as finished when it is dropped, whatever happens before.
struct CountsAsFinished<'a>(&'a Counters);

impl Drop for CountsAsFinished<'_> {
    fn drop(&mut self) {
        self.0.finished.fetch_add(1, Relaxed);
        self.0.in_flight.fetch_sub(1, Relaxed);
    }
}

impl Keeper {
    /// Ends the exchange, and keeps it if there is a reason. Returns whether it is kept, or
    /// why it is not although there is a reason.
    ///
    /// Called once for every request, possibly from a drop while the thread unwinds: it
    /// only decides and queues.
    pub(crate) fn finish(
        self: &Arc<Self>,
        context: &RequestContext,
        mut ended: Ended,
    ) -> Result<bool, NotKept> {
        let shared = context.shared();
        // Last, so that a request that counts as finished is already queued.
        let _finished = CountsAsFinished(&self.counters);
        // Foreign code, which could prevent the last exchange from being written.
        let span = if ended.last { None } else { shared.take_span() };
        let recorded = span.map(|span| {
            let left = ended.outcome == Outcome::Abandoned && is_stream(context);
            (span, ended.outcome.clone(), ended.status, left)
        });
        // The ticket holds a span: closing it runs code of the service's layers.
        let ticket = self
            .replayer
            .as_ref()
            .and_then(|_| shared.notes().ticket.take());
        let (off, slow, is_call) = self.judge(context, &ended);
        if is_call {
            self.learn(context, ended.direction);
        }
        let calls = shared.has_calls().then(|| shared.notes().calls.take());
        let reasons = self.reasons(context, &ended, off, slow);
        let caller = ended.caller.take();
        // The `keep_when` closure may have called `keep`.
        let off = off || reasons.is_some() && shared.captured.heads().options.is_off();
        let not_kept = off && reasons.is_some();
        let decided = if let Some((reasons, asked)) = reasons.filter(|_| !off) {
            let signature = storm::signature(context, caller.as_ref(), &ended, slow);
            let recording = Arc::new(std::mem::take(&mut *shared.recording()));
            if let (Some(replayer), Some(ticket)) = (&self.replayer, ticket) {
                replayer.at_end(context, ticket, &recording, &reasons, signature);
            }
            own(context);
            let mut kept = kept(context, ended, slow, reasons);
            kept.caller = caller;
            kept.recording = recording;
            kept.continues = shared.notes().interim.take();
            kept.calls_lost = calls.as_ref().map_or(0, |calls| calls.lost);
            if let Some((span, ..)) = &recorded
                && self.settings.span_bodies.is_some()
            {
                kept.span = Some(span.again());
            }
            self.keep(kept, signature, asked).map(Some)
        } else {
            // Waiting log lines and running tasks may hold the context for long, but no
            // longer need its events.
            shared.recording().reset();
            if let Some(caller) = caller {
                self.leave_to(&caller, context, ended, slow);
            }
            if not_kept {
                Err(NotKept::Options)
            } else {
                Ok(None)
            }
        };
        let kept = decided.ok().flatten();
        if let Some(calls) = calls {
            calls.decide(kept, context);
        }
        if let Some((span, outcome, status, left)) = recorded {
            let selected = {
                shared
                    .notes()
                    .chosen
                    .selected
                    .as_ref()
                    .map(|s| s.by.clone())
            };
            foreign::run(|| span.ended((&outcome, status), left, kept.is_some(), selected));
        }
        decided.map(|kept| kept.is_some())
    }

    /// Keeps an interim exchange of a running request, if there is a reason.
    pub(crate) fn interim(&self, context: &RequestContext, mut ended: Ended, failed: bool) {
        let shared = context.shared();
        let (off, slow, _) = self.judge(context, &ended);
        if off {
            return;
        }
        let mut reasons = self.reasons(context, &ended, off, slow);
        let caller = ended.caller.take();
        if reasons.is_none() && failed {
            reasons = Some((vec![KeepReason::Outcome], false));
        }
        let Some((reasons, asked)) = reasons else {
            return;
        };
        let signature = storm::signature(context, caller.as_ref(), &ended, slow);
        let mut kept = kept(context, ended, slow, reasons);
        kept.caller = caller;
        kept.recording = Arc::new(shared.recording().copy());
        kept.continues = shared.notes().interim.clone();
        let id = kept.id.clone();
        if self.keep(kept, signature, asked).is_ok() {
            shared.notes().interim = Some(id);
        }
    }

    /// Learns an RPC method from the response.
    fn learn(&self, context: &RequestContext, direction: Direction) {
        let shared = context.shared();
        let (status, has_message) = {
            let tee = shared.captured.response_body();
            (tee.status(), tee.has_message())
        };
        let heads = shared.captured.heads();
        let called = (status, has_message);
        self.methods
            .learn(direction, &heads, called, shared.route());
    }

    /// Leaves the decision to the request that made the call.
    fn leave_to(
        self: &Arc<Self>,
        caller: &RequestContext,
        context: &RequestContext,
        ended: Ended,
        slow: bool,
    ) {
        if caller.mode().has(Mode::FINISHED) || context.shared().captured.heads().options.is_off() {
            return;
        }
        let keeper = Arc::clone(self);
        let held = self.waiting.hold(context, Instant::now());
        let call = kept(context, ended, slow, vec![KeepReason::Caller]);
        caller
            .shared()
            .note_call(Box::new(move |depth, sampled, request: &RequestContext| {
                drop(held);
                let mut call = call;
                call.depth = depth;
                call.sampled = sampled;
                call.caller = Some(request.clone());
                own(&call.context);
                let _ = keeper.offer(call);
            }));
        self.waiting.relieve();
    }

    /// Queues an exchange if the limits allow. Returns its depth, and whether it is of the
    /// sample.
    fn keep(
        &self,
        mut kept: Kept,
        signature: Signature,
        asked: bool,
    ) -> Result<(Depth, bool), NotKept> {
        if kept.sampled {
            match self.offer_sample(kept) {
                Ok(()) => return Ok((Depth::Full, true)),
                // An exchange with other reasons, too, is also tried under their limits.
                Err(over) if over.reasons.len() > 1 => {
                    kept = over;
                    kept.sampled = false;
                    kept.reasons
                        .retain(|reason| *reason != KeepReason::Baseline);
                }
                Err(_) => return Err(self.sampled_out()),
            }
        }
        let now = Instant::now();
        // A call counts for the peer of the request.
        let by = kept.caller.as_ref().unwrap_or(&kept.context);
        let peer = { by.shared().captured.heads().client };
        let (admission, admitted) = {
            let mut storm = self.storm();
            let admission = storm.admit(signature, peer, asked, now);
            (admission, storm.last())
        };
        (kept.depth, kept.suppressed_before) = match admission {
            Admission::Full { suppressed } => (Depth::Full, suppressed),
            // The content is not written, but its values must be hidden in texts that are,
            // and in waiting log lines.
            Admission::Heads { suppressed } => (Depth::Heads, suppressed),
            Admission::Count => {
                self.counters.suppressed.fetch_add(1, Relaxed);
                return Err(match asked {
                    true => NotKept::PerSecond,
                    false => NotKept::FailureStorm,
                });
            }
        };
        kept.one_in = admitted.one_in;
        if kept.suppressed_before > 0 {
            let wall = |at| SystemTime::now().checked_sub(now.saturating_duration_since(at));
            kept.suppressed_between = admitted.between().and_then(|(f, l)| wall(f).zip(wall(l)));
        }
        let depth = kept.depth;
        let queued = self.offer(kept);
        if queued.is_err() {
            self.storm().take_back(admitted, now);
        }
        queued.map(|()| (depth, false))
    }

    /// Queues an exchange.
    fn offer(&self, kept: Kept) -> Result<(), NotKept> {
        if kept.sampled {
            return self.offer_sample(kept).map_err(|_| self.sampled_out());
        }
        if self.forked().is_some() {
            self.counters.queue_full.fetch_add(1, Relaxed);
            return Err(NotKept::Forked);
        }
        let (bytes, last) = (kept.bytes(), kept.ended.last);
        let job = Job::Keep(Box::new(kept));
        let queued = match self.worker.offer_holding(job, bytes) {
            // There is no later time, and no other request that waits.
            Err(job) if last => {
                self.worker.flush(LAST_ROOM);
                self.worker.offer_holding(job, bytes).is_ok()
            }
            queued => queued.is_ok(),
        };
        let (counter, result) = match queued {
            true => (&self.counters.kept, Ok(())),
            false => (&self.counters.queue_full, Err(NotKept::QueueFull)),
        };
        counter.fetch_add(1, Relaxed);
        result
    }

    /// Queues an exchange of the sample, which leaves room for failures. Returns it if it
    /// is over its limits.
    #[allow(clippy::result_large_err, reason = "it goes on where it came from")]
    fn offer_sample(&self, kept: Kept) -> Result<(), Kept> {
        let bytes = kept.bytes();
        if self.forked().is_some() || !self.sample().admit(bytes, Instant::now()) {
            return Err(kept);
        }
        match self.worker.offer_modestly(Job::Keep(Box::new(kept)), bytes) {
            Err(Job::Keep(kept)) => Err(*kept),
            Ok(()) | Err(Job::Run(_)) => {
                self.counters.kept.fetch_add(1, Relaxed);
                Ok(())
            }
        }
    }

    fn sampled_out(&self) -> NotKept {
        if self.forked().is_some() {
            self.counters.queue_full.fetch_add(1, Relaxed);
            return NotKept::Forked;
        }
        self.counters.sampled_out.fetch_add(1, Relaxed);
        NotKept::SampleBudget
    }

    fn sample(&self) -> MutexGuard<'_, Sample> {
        self.sample.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether capture is off for it, whether it was slow, and whether it is an RPC call.
    fn judge(&self, context: &RequestContext, ended: &Ended) -> (bool, bool, bool) {
        let shared = context.shared();
        let heads = shared.captured.heads();
        let head_at = heads.response.at;
        let head_after = head_at.map_or(ended.duration, |at| at.duration_since(shared.began.at));
        let slow = head_after > self.settings.slow;
        (heads.options.is_off(), slow, heads.is_call)
    }

    /// Returns the reasons to keep it, and whether one of them was asked for. If capture is
    /// off, no closure is called and no sample drawn.
    fn reasons(
        &self,
        context: &RequestContext,
        ended: &Ended,
        off: bool,
        slow: bool,
    ) -> Option<(Vec<KeepReason>, bool)> {
        let shared = context.shared();
        let mut reasons = Vec::new();
        // A call that its request gave up is no failure on its own: the request fails, or
        // works without the call.
        let mut given_up = false;
        let went_wrong = match ended.outcome {
            Outcome::Completed | Outcome::Open => false,
            // Clients end an event stream by leaving, and callers read only as much of a
            // response as they need.
            Outcome::Abandoned if ended.direction == Direction::Client => {
                let unanswered = shared.captured.heads().response.at.is_none();
                given_up = unanswered && ended.caller.is_some();
                unanswered && !given_up
            }
            Outcome::Abandoned => {
                let heads = shared.captured.heads();
                !assemble::is_stream(heads.response.fields.text("content-type"))
            }
            _ => true,
        };
        if went_wrong {
            reasons.push(KeepReason::Outcome);
        }
        if ended.upload_broke {
            reasons.push(KeepReason::RequestBody);
        }
        let failed = !reasons.is_empty();
        if slow && !given_up {
            reasons.push(KeepReason::Slow);
        }
        if shared.saw_error_event() {
            reasons.push(KeepReason::ErrorEvent);
        }
        if !off && let Some(why) = self.condition(context, ended) {
            reasons.push(KeepReason::Condition { why });
        }
        let notes = shared.notes();
        let automatic = reasons.len();
        reasons.extend(notes.keep.iter().map(|why| KeepReason::Asked {
            why: why.clone().into_owned(),
        }));
        if let Some(selected) = &notes.chosen.selected {
            reasons.push(KeepReason::Selected {
                by: selected.by.clone(),
            });
        }
        let asked = reasons.len() > automatic || ended.last;
        if reasons.is_empty() && notes.interim.is_some() && ended.outcome != Outcome::Open {
            // An interim exchange needs a final one.
            return Some((vec![KeepReason::Interim], true));
        }
        drop(notes);
        // Also if it has another reason, which may be over its limits.
        if !failed && ended.outcome != Outcome::Open && !off && self.settings.in_baseline() {
            reasons.push(KeepReason::Baseline);
        }
        (!reasons.is_empty()).then_some((reasons, asked))
    }

    /// Calls the `keep_when` closure. A closure that panics has no reason.
    fn condition(&self, context: &RequestContext, ended: &Ended) -> Option<String> {
        let condition = self.settings.keep_when.as_ref().and_then(Foreign::get)?;
        // Run no code of the service where a second panic would abort the process, or end
        // it too soon.
        if std::thread::panicking() || ended.last {
            return None;
        }
        let finished = Finished::new(context, ended);
        let why = foreign::run(|| condition.why(&finished)).flatten()?;
        Some(cut_reason(why).into_owned())
    }
}

fn kept(context: &RequestContext, ended: Ended, slow: bool, reasons: Vec<KeepReason>) -> Kept {
    let bodiless = is_bodiless(context, &reasons);
    Kept {
        id: now_v7_text().to_string(),
        continues: None,
        context: context.clone(),
        caller: None,
        ended,
        slow,
        sampled: reasons.contains(&KeepReason::Baseline),
        reasons,
        depth: Depth::Full,
        bodiless,
        suppressed_before: 0,
        suppressed_between: None,
        one_in: 1,
        calls_lost: 0,
        span: None,
        recording: Arc::new(Recording::default()),
    }
}

fn is_stream(context: &RequestContext) -> bool {
    let heads = context.shared().captured.heads();
    assemble::is_stream(heads.response.fields.text("content-type"))
}

/// Returns whether its only reason is a rule that excludes bodies.
fn is_bodiless(context: &RequestContext, reasons: &[KeepReason]) -> bool {
    matches!(reasons, [KeepReason::Selected { .. }]) && {
        let notes = context.shared().notes();
        notes.chosen.selected.as_ref().is_some_and(|s| s.heads_only)
    }
}

/// Copies data that keeps a whole buffer of the server alive, because the exchange may wait
/// for long.
fn own(context: &RequestContext) {
    let shared = context.shared();
    own_uri(&mut shared.captured.heads().request.uri);
    let request = shared.captured.request_body().own_content();
    let response = shared.captured.response_body().own_content();
    // Foreign code, which may log, so nothing is locked.
    drop((request, response));
}

/// Part by part: the URI printed as a whole may parse differently.
fn own_uri(uri: &mut Uri) {
    let own = || {
        let mut parts = uri::Parts::default();
        if let Some(scheme) = uri.scheme() {
            parts.scheme = Some(scheme.as_str().parse().ok()?);
        }
        if let Some(authority) = uri.authority() {
            parts.authority = Some(authority.as_str().parse().ok()?);
        }
        if let Some(path) = uri.path_and_query() {
            parts.path_and_query = Some(path.as_str().parse().ok()?);
        }
        Uri::from_parts(parts).ok()
    };
    if let Some(own) = own() {
        *uri = own;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::uri::PathAndQuery;

    #[test]
    fn a_copy_of_a_target_is_the_same_target() {
        let full = |scheme, authority, path| {
            let builder = Uri::builder().scheme(scheme).authority(authority);
            builder.path_and_query(path).build().unwrap()
        };
        for mut uri in [
            Uri::from_static("/"),
            Uri::from_static("/a/b?c=d&e"),
            Uri::from_static("//a/b"),
            Uri::from_static("/?"),
            Uri::from_static("*"),
            Uri::from_static("shop.example:443"),
            Uri::from_static("http://u:p@[::1]:80/a?b"),
            Uri::from_static("http://shop.example"),
            Uri::from_static("http://shop.example?a=b"),
            Uri::from_static("ftp://shop.example/a"),
            full("https", "shop.example", "*"),
            PathAndQuery::from_static("?a").into(),
        ] {
            let seen = uri.clone();
            own_uri(&mut uri);
            let parts = |uri: &Uri| {
                let all = (uri.scheme().cloned(), uri.authority().cloned());
                (all, uri.path().to_owned(), uri.query().map(str::to_owned))
            };
            assert_eq!(parts(&uri), parts(&seen));
        }
    }
}
