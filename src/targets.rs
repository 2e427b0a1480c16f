//! Targets of events: dashcam's own, and those that are never recorded.

use tracing::Metadata;

/// The target of the request span and the request line.
pub(crate) const REQUEST_TARGET: &str = "dashcam::request";

/// Returns whether this is the request span or the request line, not code of the service
/// that uses the same target.
pub(crate) fn is_own_request(metadata: &Metadata<'_>) -> bool {
    const HERE: &str = "dashcam::lifecycle::";
    let here = |module: &str| module.starts_with(HERE);
    metadata.target() == REQUEST_TARGET && metadata.module_path().is_some_and(here)
}

/// The target of decision points (`decision!`).
pub(crate) const DECISION_TARGET: &str = "dashcam::decision";

/// The target of the admin router's events about changes.
pub(crate) const AUDIT_TARGET: &str = "dashcam::audit";

/// The target of the first event of a replay.
pub(crate) const REPLAY_TARGET: &str = "dashcam::replay";

/// The target of events about the set-up and about losses.
pub(crate) const STATUS_TARGET: &str = "dashcam::status";

/// The target of events about rules.
pub(crate) const RULES_TARGET: &str = "dashcam::rules";

/// The target of events about tokens.
pub(crate) const TOKEN_TARGET: &str = "dashcam::token";

/// The target of the event with which the gate tests itself.
pub(crate) const PROBE_TARGET: &str = "dashcam::probe";

/// Targets whose events are never recorded, and never shown beyond the base filter: the
/// HTTP stack under the service, and telemetry itself. A target includes everything below
/// it (`hyper` includes `hyper::proto`).
pub(crate) const EXCLUDED_TARGETS: &[&str] = &[
    "dashcam",
    "h2",
    "hyper",
    "hyper_util",
    "mio",
    "opentelemetry",
    "opentelemetry_sdk",
    "opentelemetry_otlp",
    "reqwest",
    "rustls",
    "tokio",
    "tokio_util",
    "tonic",
    "tower",
    "tracing_opentelemetry",
    "want",
];

#[cfg(test)]
mod tests {
    use super::EXCLUDED_TARGETS;

    #[test]
    fn the_documentation_lists_the_excluded_targets() {
        let page = include_str!("gate/mod.rs");
        let (_, list) = page.split_once("# Excluded targets").unwrap();
        let (list, _) = list.split_once(':').unwrap();
        let listed: Vec<_> = list.split('`').skip(1).step_by(2).collect();
        assert_eq!(listed, EXCLUDED_TARGETS);
    }
}
