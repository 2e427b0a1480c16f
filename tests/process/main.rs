//! Scenarios in processes of their own: they set what is set once in a process, such as the global
//! subscriber, the panic hook or the logger, or they measure a process.
//!
//! The first line of each test is `alone!();`: the harness starts this program again for it. The
//! test below checks that in every file of this directory.

#[macro_use]
#[path = "../support_alone/mod.rs"]
mod support_alone;

mod carriage;
mod coexist_appender;
mod coexist_env_filter;
mod coexist_fmt;
mod coexist_reload;
mod directory;
mod edges;
#[cfg(feature = "axum")]
mod encoded_once;
mod gate_asking;
mod gate_base;
mod gate_base_spans;
mod gate_base_targets;
mod gate_configuration;
mod gate_fmt_spans;
mod gate_handle;
mod gate_init;
mod gate_interleave;
mod gate_live;
mod gate_log;
mod gate_log_switch;
mod gate_panic_hook;
mod gate_per_layer;
mod gate_place;
mod gate_record_level;
mod gate_record_off;
mod gate_second;
mod gate_self_test;
mod gate_span_record;
mod gate_spans;
mod gate_status;
mod gate_switch;
mod gate_values;
mod log_line_hostile;
mod losses_end;
mod losses_log;
mod memory;
#[cfg(feature = "metrics")]
mod metrics;
#[cfg(all(feature = "opentelemetry", feature = "testing"))]
mod neighbours_opentelemetry;
mod not_kept;
#[cfg(feature = "open-feature")]
mod open_feature_server;
#[cfg(feature = "testing")]
mod panics_layers;
#[cfg(all(feature = "testing", feature = "token"))]
mod panics_subscriber;
mod recorded_origin;
mod reentrancy;
mod reentrant_spans;
mod replay;
mod replay_blocking_layer;
mod replay_hostile_layer;
mod replay_live;
#[cfg(feature = "opentelemetry")]
mod replay_opentelemetry;
#[cfg(feature = "opentelemetry")]
mod replay_opentelemetry_filter;
mod replay_panicking_layer;
mod replay_span_ids;
mod replay_storm;
#[cfg(feature = "opentelemetry")]
mod request_ids;
mod rules_interval;
#[cfg(feature = "opentelemetry")]
mod sampled_own_error;
mod scoped_subscribers;
#[cfg(all(feature = "axum", feature = "opentelemetry"))]
mod span_conventions;
mod span_scope;
mod status_warning;
mod stress;
#[path = "../support_gate/mod.rs"]
mod support_gate;
#[cfg(all(feature = "opentelemetry", feature = "testing"))]
#[path = "../support_net/mod.rs"]
mod support_net;
#[cfg(feature = "token")]
mod tokens;

#[test]
fn every_test_here_is_alone() {
    let here = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/process");
    let main = std::fs::read_to_string(here.join("main.rs")).unwrap();
    for entry in std::fs::read_dir(here).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap();
        if name == "main" {
            continue;
        }
        assert!(main.contains(&format!("\nmod {name};")), "no `mod {name};`");
        let text = std::fs::read_to_string(&path)
            .unwrap()
            .replace("::test", "test");
        for test in text
            .split("#[tokiotest")
            .flat_map(|t| t.split("#[test"))
            .skip(1)
        {
            let function = test.split_once("fn ").unwrap().1;
            let (head, body) = function.split_once(" {\n").unwrap();
            let alone = body.trim_start().starts_with("alone!();");
            assert!(alone, "{name}: {head} does not start with `alone!();`");
        }
    }
}
