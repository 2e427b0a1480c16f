use std::borrow::Cow;

/// How a line names its members, for the system that reads it.
#[derive(Debug)]
pub(super) struct LineFormat {
    pub(super) time: &'static str,
    pub(super) level: &'static str,
    /// From ERROR to TRACE.
    pub(super) levels: [&'static str; 5],
    pub(super) target: &'static str,
    pub(super) trace_id: &'static str,
    /// The text before the trace ID.
    pub(super) trace_prefix: Cow<'static, str>,
    pub(super) span_id: &'static str,
    pub(super) decimal_span_id: bool,
    pub(super) sampled: Option<&'static str>,
    /// A constant member.
    pub(super) constant: Option<(&'static str, &'static str)>,
}

/// Names at the top of a line in every format, or reserved for it.
const COMMON: [&str; 8] = [
    "message",
    "source",
    "correlation_id",
    "fields",
    "spans",
    "replayed",
    "withheld",
    "cut",
];

impl LineFormat {
    pub(super) fn otel() -> Self {
        Self {
            time: "timestamp",
            level: "level",
            levels: ["ERROR", "WARN", "INFO", "DEBUG", "TRACE"],
            target: "target",
            trace_id: "trace_id",
            trace_prefix: Cow::Borrowed(""),
            span_id: "span_id",
            decimal_span_id: false,
            sampled: None,
            constant: None,
        }
    }

    pub(super) fn datadog() -> Self {
        Self {
            level: "status",
            levels: ["error", "warn", "info", "debug", "trace"],
            target: "logger.name",
            trace_id: "dd.trace_id",
            span_id: "dd.span_id",
            decimal_span_id: true,
            ..Self::otel()
        }
    }

    pub(super) fn google_cloud(project_id: &str) -> Self {
        Self {
            time: "time",
            level: "severity",
            levels: ["ERROR", "WARNING", "INFO", "DEBUG", "DEBUG"],
            trace_id: "logging.googleapis.com/trace",
            trace_prefix: format!("projects/{project_id}/traces/").into(),
            span_id: "logging.googleapis.com/spanId",
            sampled: Some("logging.googleapis.com/trace_sampled"),
            ..Self::otel()
        }
    }

    pub(super) fn elastic() -> Self {
        Self {
            time: "@timestamp",
            level: "log.level",
            levels: ["error", "warn", "info", "debug", "trace"],
            target: "log.logger",
            trace_id: "trace.id",
            span_id: "span.id",
            constant: Some(("ecs.version", "8.11.0")),
            ..Self::otel()
        }
    }

    pub(super) fn level_text(&self, level: tracing::Level) -> &'static str {
        let [error, warn, info, debug, trace] = self.levels;
        match level {
            tracing::Level::ERROR => error,
            tracing::Level::WARN => warn,
            tracing::Level::INFO => info,
            tracing::Level::DEBUG => debug,
            tracing::Level::TRACE => trace,
        }
    }

    /// Whether a line has a member of this name itself. A field of that name stays in
    /// `fields`.
    pub(super) fn reserves(&self, name: &str) -> bool {
        let own = [
            self.time,
            self.level,
            self.target,
            self.trace_id,
            self.span_id,
        ];
        let rare = [self.sampled, self.constant.map(|(name, _)| name)];
        own.contains(&name) || COMMON.contains(&name) || rare.contains(&Some(name))
    }
}
