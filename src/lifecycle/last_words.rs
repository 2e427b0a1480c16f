//! What is written where a panic ends the process: the hook is the last to run.

use super::{Plan, known_method, request_line::RequestLine};
use crate::{
    context::{self, Mode, PanicNote, RequestContext},
    exchange::{Direction, Outcome},
    keeper::{Ended, Keeper},
    recorder::{Clock, Ending, Said},
};
use std::{
    any::Any,
    panic::{Location, PanicHookInfo},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed, Ordering::SeqCst},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

/// How long a process may take to end for what is written then.
const WITHIN: Duration = Duration::from_secs(2);
/// Of that, what the log has where the exporter is stuck.
const FOR_THE_LOG: Duration = Duration::from_millis(500);
/// What the standard library says of a panic that may not unwind, which is another one
/// than the one that began it.
const NO_UNWINDING: [&str; 2] = ["panic in a function that cannot unwind", SECOND];
/// And of the second of two, which left a destructor.
const SECOND: &str = "panic in a destructor during cleanup";

/// Writes the lines of a log, at most for so long.
pub(crate) type FlushLog = Arc<dyn Fn(Duration) + Send + Sync>;

/// Who writes something at the end.
#[derive(Clone)]
struct Writes {
    plan: Weak<Plan>,
    flush_log: FlushLog,
}

static WRITERS: Mutex<Vec<Writes>> = Mutex::new(Vec::new());
static INSTALLED: AtomicBool = AtomicBool::new(false);
/// How often the hook was called, and how many of these calls explain a panic that was
/// caught.
static CALLS: AtomicU64 = AtomicU64::new(0);
static EXPLAINED: AtomicU64 = AtomicU64::new(0);
/// Panics that came without their place, and without a call of the hook.
static UNPLACED: AtomicU64 = AtomicU64::new(0);
/// Threads that end the process, and have not written yet.
static ENDING: AtomicUsize = AtomicUsize::new(0);

fn writers() -> MutexGuard<'static, Vec<Writes>> {
    WRITERS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Notes where panics of requests happen, and writes what there is where one ends the
/// process; the hook that was there before goes on.
pub(crate) fn install_hook(plan: &Arc<Plan>, flush_log: FlushLog) {
    static ONCE: std::sync::Once = std::sync::Once::new();
    {
        let mut writers = writers();
        writers.retain(|one| one.plan.strong_count() > 0);
        if !writers
            .iter()
            .any(|one| one.plan.as_ptr() == Arc::as_ptr(plan))
        {
            let plan = Arc::downgrade(plan);
            writers.push(Writes { plan, flush_log });
        }
    }
    ONCE.call_once(|| {
        let previous = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            CALLS.fetch_add(1, Relaxed);
            let ends = ends_process(info);
            if ends && !context::helps() {
                ENDING.fetch_add(1, SeqCst);
                let began = Instant::now();
                write_all(began, culprit(info));
                previous(info);
                // The hook before may have logged.
                on_thread(FOR_THE_LOG, || flush(FOR_THE_LOG));
                ENDING.fetch_sub(1, SeqCst);
                // Whoever returns first ends it for the others.
                while ENDING.load(SeqCst) > 0 && began.elapsed() < WITHIN {
                    thread::sleep(Duration::from_millis(1));
                }
                return;
            }
            if let Some(context) = context::current() {
                context.note_panic(note_of(info.payload(), info.location()));
            }
            previous(info);
        }));
        INSTALLED.store(true, Relaxed);
    });
}

/// Whether the hook is installed.
pub(crate) fn is_installed() -> bool {
    INSTALLED.load(Relaxed)
}

/// Takes note of a panic of a request that was caught.
pub(super) fn caught(placed: bool) {
    if !is_installed() {
        return;
    }
    let calls = CALLS.load(Relaxed);
    // One that is resumed calls no hook where it is caught, but did where it began.
    if EXPLAINED.swap(calls, Relaxed) == calls && !placed {
        UNPLACED.fetch_add(1, Relaxed);
    }
}

/// Panics of requests that came without their place though the hook is installed.
pub(crate) fn unplaced() -> u64 {
    UNPLACED.load(Relaxed)
}

/// Whether the process ends when the hook returns.
fn ends_process(info: &PanicHookInfo<'_>) -> bool {
    // What `can_unwind` says is shown only, in stable Rust.
    cfg!(panic = "abort")
        || message(info.payload()).is_some_and(|text| NO_UNWINDING.contains(&text))
        || format!("{info:?}").contains("can_unwind: false")
}

fn message(payload: &(dyn Any + Send)) -> Option<&str> {
    let literal = payload.downcast_ref::<&'static str>().copied();
    literal.or_else(|| payload.downcast_ref::<String>().map(String::as_str))
}

fn note_of(payload: &(dyn Any + Send), location: Option<&Location<'_>>) -> PanicNote {
    let literal = payload.downcast_ref::<&'static str>().map(Said::of);
    PanicNote {
        message: literal.or_else(|| payload.downcast_ref::<String>().map(Said::of)),
        location: location.map(ToString::to_string),
        thread: Some(thread::current().id()),
        second: None,
    }
}

/// The request that ends the process, and what is known of the panic.
fn culprit(info: &PanicHookInfo<'_>) -> Option<(RequestContext, PanicNote)> {
    let context = context::current()?;
    let mut note = note_of(info.payload(), info.location());
    // Of one that may not unwind, those before say more.
    let said = message(info.payload()).filter(|text| NO_UNWINDING.contains(text));
    if let Some(said) = said {
        let (last, before) = context.panics_before(thread::current().id());
        let first = before.filter(|_| said == SECOND);
        note = match (first, last) {
            (Some(first), second) => PanicNote {
                second: second.map(Box::new),
                ..first
            },
            (None, Some(last)) => last,
            (None, None) => note,
        };
    }
    Some((context, note))
}

/// Nothing of it runs on this thread, which may hold any lock: where something waits for
/// one of these, the rest is written.
fn write_all(began: Instant, culprit: Option<(RequestContext, PanicNote)>) {
    if let Some((context, note)) = culprit {
        on_thread(WITHIN / 2, move || end(&context, note));
    }
    let left = WITHIN.saturating_sub(began.elapsed());
    on_thread(left, move || flush(left));
}

fn on_thread(within: Duration, f: impl FnOnce() + Send + 'static) {
    let (done, waits) = mpsc::channel();
    let run = move || {
        context::help();
        f();
        let _ = done.send(());
    };
    let named = thread::Builder::new().name("dashcam-last".to_owned());
    if named.spawn(run).is_ok() {
        let _ = waits.recv_timeout(within);
    }
}

/// Brings out what is kept and logged.
fn flush(within: Duration) {
    let began = Instant::now();
    let left = || within.saturating_sub(began.elapsed());
    // Another thread may end, too.
    let writers = writers().clone();
    for Writes { plan, flush_log } in writers {
        let plan = plan.upgrade();
        if let Some(keeper) = plan.as_ref().and_then(|plan| plan.keeper.as_ref()) {
            keeper.flush(left().saturating_sub(FOR_THE_LOG.min(within / 2)));
        }
        flush_log(left());
        // Whoever drops the last one waits.
        std::mem::forget(plan);
    }
}

/// Ends the request as its layer would, had the panic come there.
fn end(context: &RequestContext, note: PanicNote) {
    if context.mode().has(Mode::FINISHED) {
        return;
    }
    let of = |plan: &Plan| matches!(&plan.keeper, Some(keeper) if keeper.has(context));
    let writers = writers().clone();
    let mut plans = writers.iter().filter_map(|one| one.plan.upgrade());
    let plan = plans.find(|plan| of(plan));
    if let Some(plan) = plan {
        if let Some(keeper) = &plan.keeper {
            end_with(&plan, keeper, context, note);
        }
        // Whoever drops the last one waits.
        std::mem::forget(plan);
    }
}

fn end_with(plan: &Plan, keeper: &Arc<Keeper>, context: &RequestContext, note: PanicNote) {
    let shared = context.shared();
    shared.notes().panic.get_or_insert(note);
    let mut clock = Clock::default();
    let response_bytes = {
        let mut tee = shared.captured.response_body();
        tee.end(Ending::Dropped, &mut clock);
        tee.seen()
    };
    let (request_bytes, upload_broke) = {
        let mut tee = shared.captured.request_body();
        tee.end(Ending::Dropped, &mut clock);
        (tee.seen(), tee.is_broken())
    };
    let (status, method) = {
        let heads = shared.captured.heads();
        let status = heads.response.at.map(|_| heads.response.status);
        (status, known_method(&heads.request.method))
    };
    let ended = Ended {
        outcome: Outcome::Panicked,
        status,
        duration: clock.now().saturating_duration_since(shared.began.at),
        in_flight: keeper.counters().in_flight.load(Relaxed),
        direction: Direction::Server,
        upload_broke,
        caller: None,
        last: true,
    };
    let bytes = (request_bytes, response_bytes);
    let line = plan
        .request_line
        .then(|| RequestLine::new(method, &ended, bytes));
    context.raise(Mode::FINISHED);
    let kept = keeper.finish(context, ended);
    if let Some(line) = line {
        let _entered = context.enter();
        line.write(&tracing::Span::none(), context, keeper, kept);
    }
}
