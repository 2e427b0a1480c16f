//! Writes what is pending when a panic ends the process: the panic hook is the last code to run.

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

/// How much longer the process may take to end while this is written.
const WITHIN: Duration = Duration::from_secs(2);
/// The part of it that is left for the log if the exporter is stuck.
const FOR_THE_LOG: Duration = Duration::from_millis(500);
/// The standard library's messages for a panic that may not unwind. It is not the panic that came
/// first.
const NO_UNWINDING: [&str; 2] = ["panic in a function that cannot unwind", SECOND];
/// Its message for the second of two panics, if it left a destructor.
const SECOND: &str = "panic in a destructor during cleanup";

/// Writes the lines of a log, for at most this long.
pub(crate) type FlushLog = Arc<dyn Fn(Duration) + Send + Sync>;

/// A plan and a log to write at the end.
#[derive(Clone)]
struct Writes {
    plan: Weak<Plan>,
    flush_log: FlushLog,
}

static WRITERS: Mutex<Vec<Writes>> = Mutex::new(Vec::new());
static INSTALLED: AtomicBool = AtomicBool::new(false);
/// How often the hook was called, and how many of these calls belong to a panic that was caught.
static CALLS: AtomicU64 = AtomicU64::new(0);
static EXPLAINED: AtomicU64 = AtomicU64::new(0);
/// Panics that were caught without a location and without a call of the hook.
static UNPLACED: AtomicU64 = AtomicU64::new(0);
/// Threads that end the process, and have not written yet.
static ENDING: AtomicUsize = AtomicUsize::new(0);

fn writers() -> MutexGuard<'static, Vec<Writes>> {
    WRITERS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Notes where panics of requests happen. Writes what is pending if a panic ends the process. The
/// previous hook still runs.
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
                // The previous hook may have logged.
                on_thread(FOR_THE_LOG, || flush(FOR_THE_LOG));
                ENDING.fetch_sub(1, SeqCst);
                // The first thread that returns ends the process for the others.
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

/// Returns whether the hook is installed.
pub(crate) fn is_installed() -> bool {
    INSTALLED.load(Relaxed)
}

/// Notes that a panic of a request was caught.
pub(super) fn caught(placed: bool) {
    if !is_installed() {
        return;
    }
    let calls = CALLS.load(Relaxed);
    // A resumed panic calls no hook where it is caught, but did where it began.
    if EXPLAINED.swap(calls, Relaxed) == calls && !placed {
        UNPLACED.fetch_add(1, Relaxed);
    }
}

/// Returns how many panics of requests came without a location although the hook is installed.
pub(crate) fn unplaced() -> u64 {
    UNPLACED.load(Relaxed)
}

/// Returns whether the process ends when the hook returns.
fn ends_process(info: &PanicHookInfo<'_>) -> bool {
    // Stable Rust shows `can_unwind` only in the debug output.
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

/// Returns the request that ends the process, and what is known of the panic.
fn culprit(info: &PanicHookInfo<'_>) -> Option<(RequestContext, PanicNote)> {
    let context = context::current()?;
    let mut note = note_of(info.payload(), info.location());
    // The panics before one that may not unwind carry more information.
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

/// Runs everything on other threads, because this thread may hold any lock. If one of them waits
/// for such a lock, the rest is written.
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

/// Flushes the exporter and the log.
fn flush(within: Duration) {
    let began = Instant::now();
    let left = || within.saturating_sub(began.elapsed());
    // Cloned, because another thread may end the process, too.
    let writers = writers().clone();
    for Writes { plan, flush_log } in writers {
        let plan = plan.upgrade();
        if let Some(keeper) = plan.as_ref().and_then(|plan| plan.keeper.as_ref()) {
            keeper.flush(left().saturating_sub(FOR_THE_LOG.min(within / 2)));
        }
        flush_log(left());
        // Leaked, because dropping the last reference may wait.
        std::mem::forget(plan);
    }
}

/// Ends the request as its layer would if the panic had reached it.
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
        // Leaked, because dropping the last reference may wait.
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
