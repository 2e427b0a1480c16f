//! Values of every kind, and the service's code that formats them.

use crate::support_gate::{Fixture, Output, Seen, messages};
use std::{
    error::Error,
    fmt,
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering::SeqCst},
    },
};
use tracing::{Level, level_filters::LevelFilter};
use tracing_subscriber::{EnvFilter, prelude::*};

struct Outputs {
    plain: Seen,
    at_info: Seen,
    at_warn: Seen,
}

/// One subscriber for the process, whichever test comes first.
fn outputs() -> &'static Outputs {
    static OUTPUTS: OnceLock<Outputs> = OnceLock::new();
    OUTPUTS.get_or_init(|| {
        let outputs = Outputs {
            plain: Seen::default(),
            at_info: Seen::default(),
            at_warn: Seen::default(),
        };
        tracing_subscriber::registry()
            .with(outputs.at_info.clone().with_filter(LevelFilter::INFO))
            .with(dashcam::gate::Gate::new(EnvFilter::new("info")))
            .with(outputs.at_warn.clone().with_filter(LevelFilter::WARN))
            .with(outputs.plain.clone())
            .init();
        outputs
    })
}

/// Logs while it is formatted.
struct Chatty(&'static str);

impl fmt::Debug for Chatty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        tracing::debug!("{} debug inside", self.0);
        tracing::info!("{} info inside", self.0);
        f.write_str(self.0)
    }
}

/// As [`Chatty`], at DEBUG only.
struct Whispering;

impl fmt::Debug for Whispering {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        tracing::debug!("whispered");
        f.write_str("done")
    }
}

struct Panicking;

impl fmt::Debug for Panicking {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("half")?;
        panic!("in Debug")
    }
}

#[test]
fn code_that_logs_while_it_is_formatted() {
    alone!();
    let (outputs, fixture) = (outputs(), Fixture::new());
    let exchange = fixture.failing(|| {
        tracing::debug!(value = ?Chatty("quiet"), "quiet outer");
        tracing::info!("between");
        tracing::warn!("after the quiet one");
    });
    // The inner event comes first: the outer event is not complete yet.
    assert_eq!(
        messages(&exchange),
        [
            "quiet debug inside",
            "quiet info inside",
            "quiet outer",
            "between",
            "after the quiet one"
        ]
    );
    assert_eq!(exchange.events[2].fields["value"], "quiet");
    for (message, shown) in [
        ("quiet debug inside", [0, 0, 0]),
        ("quiet info inside", [1, 1, 0]),
        ("quiet outer", [0, 0, 0]),
        ("between", [1, 1, 0]),
        ("after the quiet one", [1, 1, 1]),
    ] {
        let counts = [&outputs.plain, &outputs.at_info, &outputs.at_warn].map(|o| o.count(message));
        assert_eq!(counts, shown, "{message}");
    }
}

#[test]
fn an_event_that_is_shown_may_log_inside_too() {
    alone!();
    let (outputs, fixture) = (outputs(), Fixture::new());
    let exchange = fixture.failing(|| {
        tracing::info!(value = ?Whispering, "shown outer");
        tracing::warn!(value = ?Whispering, "warned outer");
    });
    assert_eq!(
        messages(&exchange),
        ["whispered", "shown outer", "whispered", "warned outer"]
    );
    for (message, shown) in [
        ("whispered", [0, 0, 0]),
        ("shown outer", [1, 1, 0]),
        ("warned outer", [1, 1, 1]),
    ] {
        let counts = [&outputs.plain, &outputs.at_info, &outputs.at_warn].map(|o| o.count(message));
        assert_eq!(counts, shown, "{message}");
    }
}

#[test]
fn code_that_panics_while_it_is_formatted() {
    alone!();
    let (outputs, fixture) = (outputs(), Fixture::new());
    let exchange = fixture.failing(|| {
        tracing::debug!(before = 1, value = ?Panicking, after = 2, "with a panic");
        tracing::debug_span!("unmade", value = ?Panicking).in_scope(|| {});
        tracing::info!("panic survived");
    });
    assert_eq!(exchange.outcome.as_str(), "failed", "not panicked");
    assert_eq!(exchange.panic, None);
    assert_eq!(messages(&exchange), ["with a panic", "panic survived"]);
    let fields = &exchange.events[0].fields;
    assert_eq!(
        (&fields["before"], &fields["after"]),
        (&1.into(), &2.into())
    );
    assert!(
        fields["value"].as_str().unwrap().contains("panicked"),
        "{fields:?}"
    );
    assert_eq!(outputs.plain.count("panic survived"), 1);
}

#[test]
fn huge_values_are_cut_and_counted() {
    alone!();
    outputs();
    let fixture = Fixture::new();
    let (long, wide) = ("word ".repeat(20_000), "ä ".repeat(20_000));
    let exchange = fixture.failing(|| {
        tracing::debug!(text = long.as_str(), debug = ?wide, after = 1, "huge");
        tracing::debug!(n = 1, "small");
        tracing::debug!("{long}");
    });
    let [huge, small, message] = &exchange.events[..] else {
        panic!("{exchange:#?}")
    };
    assert_eq!(
        exchange.losses.values_cut, 4,
        "text, debug, after, the message"
    );
    let text = huge.fields["text"].as_str().unwrap();
    assert!(text.starts_with("word word") && text.ends_with('…') && text.len() < 9000);
    let debug = huge.fields["debug"].as_str().unwrap();
    assert!(debug.starts_with("\"ä ä") && debug.ends_with('…') && debug.len() < 9000);
    assert_eq!(small.fields["n"], 1, "limits are per event");
    let message = message.message.as_ref().unwrap();
    assert!(message.ends_with('…') && message.len() < 9000);
}

#[test]
fn the_newest_events_are_kept() {
    alone!();
    outputs();
    let fixture = Fixture::new();
    let exchange = fixture.failing(|| {
        for n in 0..20_000_u32 {
            tracing::debug!(n, "many");
        }
    });
    let numbers: Vec<_> = exchange
        .events
        .iter()
        .map(|e| e.fields["n"].as_u64().unwrap())
        .collect();
    let kept = numbers.len() as u64;
    assert!(kept > 100, "{kept}");
    assert_eq!(exchange.losses.events_dropped, 20_000 - kept);
    assert!(numbers.iter().copied().eq(20_000 - kept..20_000));
    assert!(exchange.events.is_sorted_by_key(|e| e.at_us));
    assert_eq!(fixture.dashcam.status().bytes_held, 0, "all was given back");

    // The same context is reused, and has nothing of that.
    let exchange = fixture.failing(|| tracing::debug!("one"));
    assert_eq!(messages(&exchange), ["one"]);
    assert_eq!(exchange.losses, dashcam::exchange::Losses::default());
}

#[test]
fn a_smaller_limit_keeps_fewer() {
    alone!();
    outputs();
    let mut limits = dashcam::capture::Limits::default();
    limits.recording = 1024;
    let fixture = Fixture::with(|builder| builder.limits(limits));
    let exchange = fixture.failing(|| {
        tracing::debug!(text = "x ".repeat(2000).as_str(), "does not fit");
        for n in 0..100 {
            tracing::debug!(n, "small");
        }
    });
    let kept = exchange.events.len();
    assert!((1..100).contains(&kept), "{kept}");
    assert_eq!(exchange.events[kept - 1].fields["n"], 99);
    assert_eq!(exchange.losses.events_dropped, 101 - kept as u64);
}

#[derive(Debug)]
struct Failed(&'static str, Option<Box<Self>>);

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl Error for Failed {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.1.as_deref().map(|source| source as _)
    }
}

#[test]
fn numbers_bytes_and_errors() {
    alone!();
    outputs();
    let fixture = Fixture::new();
    let error = Failed(
        "no price",
        Some(Box::new(Failed(
            "no answer",
            Some(Box::new(Failed("refused", None))),
        ))),
    );
    let exchange = fixture.failing(|| {
        tracing::debug!(
            max = u64::MAX,
            min = i64::MIN,
            wide = u128::MAX,
            narrow = i128::MIN,
            nan = f64::NAN,
            infinite = f64::NEG_INFINITY,
            fraction = 0.25,
            negative_zero = -0.0,
            bytes = &b"\x00\xff"[..],
            none = Option::<u8>::None,
            some = Some(3),
            display = %"shown",
            error = &error as &(dyn Error + 'static),
            r#type = "raw",
            dotted.name = true,
            "kinds"
        );
    });
    let fields = serde_json::Value::Object(exchange.events[0].fields.clone());
    for (name, value) in [
        ("min", serde_json::json!(i64::MIN)),
        ("nan", "NaN".into()),
        ("infinite", "-inf".into()),
        ("fraction", 0.25.into()),
        ("some", 3.into()),
        ("display", "shown".into()),
        ("error", "no price: no answer: refused".into()),
        ("type", "raw".into()),
        ("dotted.name", true.into()),
    ] {
        assert_eq!(fields[name], value, "{name}: {fields:#}");
    }
    assert_eq!(fields.get("none"), None, "{fields:#}");
    assert_eq!(fields["bytes"], "[00 ff]", "{fields:#}");
    assert_eq!(fields["negative_zero"].as_f64(), Some(0.0));
    // Readers disagree on JSON integers beyond 64 bits.
    assert_eq!(fields["max"], u64::MAX);
    assert_eq!(fields["wide"], u128::MAX.to_string());
    assert_eq!(fields["narrow"], i128::MIN.to_string());
}

#[test]
fn fields_of_a_recorded_event_are_evaluated_once() {
    alone!();
    outputs();
    static EVALUATED: AtomicU32 = AtomicU32::new(0);
    struct Counting;
    impl fmt::Debug for Counting {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            crate::support_gate::bump(&EVALUATED);
            f.write_str("counted")
        }
    }
    let fixture = Fixture::new();
    let exchange = fixture.failing(|| {
        assert!(tracing::enabled!(Level::DEBUG));
        tracing::debug!(value = ?Counting, "counting");
    });
    assert_eq!(exchange.events[0].fields["value"], "counted");
    assert_eq!(EVALUATED.load(SeqCst), 1);
}
