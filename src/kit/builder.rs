use super::{Dashcam, DashcamHandle, Error};
use crate::{
    correlation::CorrelationIdLayer,
    exchange::Service,
    export::{Exporter, JsonLines, Memory},
    gate::RecordSwitch,
    keeper::{Keeper, Settings},
    levels::raise_live,
    lifecycle::{CorrelationPlan, Plan, VerbosePlan},
    log::MAX_LINE,
    selection::{
        Budget, Directives, Recorded, RuleSource, Rules, RulesError, SampleKey, Steering,
        VERBOSE_HEADER,
    },
};
use std::{fmt, io, path::PathBuf, sync::Arc};
use tracing::level_filters::LevelFilter;

type AddSource = Box<dyn FnOnce(Steering) -> io::Result<Steering> + Send>;

/// Builder of a [`Dashcam`]. Every setting has a safe default.
#[must_use]
pub struct DashcamBuilder {
    settings: Settings,
    correlation: CorrelationPlan,
    record: Result<Option<Directives>, RulesError>,
    rules: Rules,
    sources: Vec<AddSource>,
    verbose_budget: Budget,
    sample_key: SampleKey,
    plain_header: bool,
    #[cfg(feature = "token")]
    tokens: Option<crate::token::Tokens>,
    #[cfg(feature = "token")]
    propagation: Option<crate::token::Propagation>,
    request_line: bool,
    max_log_line: usize,
    exporter: Option<Box<dyn Exporter>>,
    directory: Option<PathBuf>,
}

impl Dashcam {
    /// Starts a builder with safe defaults.
    pub fn builder() -> DashcamBuilder {
        DashcamBuilder::new()
    }
}

impl DashcamBuilder {
    pub(super) fn new() -> Self {
        Self {
            settings: Settings::default(),
            correlation: CorrelationPlan::default(),
            record: Ok(Some(Directives::level(LevelFilter::DEBUG))),
            rules: Rules::default(),
            sources: Vec::new(),
            verbose_budget: Budget::overall(),
            sample_key: SampleKey::default(),
            plain_header: false,
            #[cfg(feature = "token")]
            tokens: None,
            #[cfg(feature = "token")]
            propagation: None,
            request_line: true,
            max_log_line: MAX_LINE,
            exporter: None,
            directory: None,
        }
    }

    /// Sets name and version of the service, as in OpenTelemetry's `service.name`
    /// and `service.version`. Default: both empty.
    pub fn service(mut self, name: impl Into<String>, version: impl Into<String>) -> Self {
        self.settings.service = Service {
            name: name.into(),
            version: version.into(),
        };
        self
    }

    /// Sets the directory of the exchange files. Default: `$DASHCAM_DIR`, else `./dashcam`.
    pub fn directory(mut self, directory: impl Into<PathBuf>) -> Self {
        self.directory = Some(directory.into());
        self
    }

    /// Sets the exporter. Default: [`JsonLines`] files in [`directory`](Self::directory).
    pub fn exporter(mut self, exporter: impl Exporter) -> Self {
        self.exporter = Some(Box::new(exporter));
        self
    }

    /// Keeps the newest `capacity` exchanges in memory instead of writing files. Default: files in
    /// [`directory`](Self::directory).
    pub fn in_memory(self, capacity: usize) -> Self {
        self.exporter(Memory::new(capacity))
    }

    /// Takes the settings of the correlation ID from this layer. Default:
    /// [`CorrelationIdLayer::new`].
    pub fn correlation(mut self, layer: CorrelationIdLayer) -> Self {
        self.correlation = layer.into_plan();
        self.settings.correlation_header = self.correlation.header.clone();
        self
    }

    /// Sets which events of every request are recorded, in addition to those that the base
    /// filter shows: a level, or levels per target (`my_service=debug`). Default: `debug`.
    /// [`build`](Self::build) returns an error if it cannot parse the text.
    pub fn record_level(mut self, directives: &str) -> Self {
        self.record = directives.parse().map(Some);
        self
    }

    /// Turns recording off. A disabled event then costs what it costs without this crate.
    /// Default: [`record_level`](Self::record_level).
    pub fn record_off(mut self) -> Self {
        self.record = Ok(None);
        self
    }

    /// Sets the rules that select verbose requests, at most 100. Default: none.
    pub fn rules(mut self, rules: Rules) -> Self {
        self.rules = rules;
        self
    }

    /// Adds a source that provides rules while the service runs. Its rules come after those
    /// of [`rules`](Self::rules) and of the sources that were added before.
    pub fn rule_source(mut self, source: impl RuleSource) -> Self {
        self.sources
            .push(Box::new(|steering| steering.source(source)));
        self
    }

    /// Adds a file of rules, which is watched; see
    /// [`RulesFile`](crate::selection::RulesFile).
    #[cfg(feature = "config")]
    pub fn rules_file(self, path: impl Into<PathBuf>) -> Self {
        self.rule_source(crate::selection::RulesFile::new(path))
    }

    /// Sets the budget for verbose requests of all rules, tokens and headers together.
    /// Default: [`Budget::overall`].
    pub fn verbose_budget(mut self, budget: Budget) -> Self {
        self.verbose_budget = budget;
        self
    }

    /// Sets the key with which rules draw samples. Instances with the same key draw the same
    /// samples. Default: the 16 bytes `dashcam-sample-1`, with which clients can compute who
    /// is in a sample.
    pub fn sample_key(mut self, key: [u8; 16]) -> Self {
        self.sample_key = SampleKey(key);
        self
    }

    /// Sets which tokens in the header `x-dashcam-verbose` make a request verbose; see
    /// [`token`](crate::token). Default: none.
    #[cfg(feature = "token")]
    pub fn tokens(mut self, tokens: crate::token::Tokens) -> Self {
        self.tokens = Some(tokens);
        self
    }

    /// Sets which outgoing calls carry the selection of their request. Default: none.
    #[cfg(feature = "token")]
    pub fn propagate_selection(mut self, propagation: crate::token::Propagation) -> Self {
        self.propagation = Some(propagation);
        self
    }

    /// Sets whether *any client* can make its request verbose with the header
    /// `x-dashcam-verbose: <directives>`. Default: `false`. For development only.
    pub fn insecure_plain_header(mut self, on: bool) -> Self {
        self.plain_header = on;
        self
    }

    crate::keeper::settings_setters!();

    /// Sets whether each request ends with one log line. Default: `true`.
    pub fn request_line(mut self, on: bool) -> Self {
        self.request_line = on;
        self
    }

    /// Sets the length of the longest line of the JSON log in bytes, as written, including
    /// its newline. Default: 16 KiB; at least 2 KiB. See
    /// [`JsonLayer::max_line`](crate::log::JsonLayer::max_line).
    pub fn max_log_line(mut self, bytes: usize) -> Self {
        self.max_log_line = bytes;
        self
    }

    /// Starts the exporter's thread and returns the [`Dashcam`].
    ///
    /// The exporter tests the directory by writing and deleting a file. If that fails,
    /// `build` still succeeds: exchanges stay in memory, one warning is logged,
    /// [`Dashcam::status`](super::DashcamHandle::status) reports it, and the exporter tries
    /// again. One log line and the status name the directory.
    ///
    /// # Errors
    ///
    /// Returns an error if [`record_level`](Self::record_level) cannot be parsed, there are
    /// more than 100 rules, or the operating system cannot start a thread.
    pub fn build(self) -> Result<Dashcam, Error> {
        let recorded =
            Arc::new(Recorded::new(self.record.map_err(|error| {
                Error::InvalidSetting(format!("record_level: {error}"))
            })?));
        if self.plain_header {
            raise_live(LevelFilter::TRACE);
        }
        #[cfg(feature = "token")]
        let tokens = self.tokens.map(|tokens| {
            raise_live(LevelFilter::DEBUG);
            tokens.service_is(&self.settings.service.name)
        });
        if let Some(why) = self.rules.too_many() {
            return Err(Error::InvalidSetting(format!("rules: {why}")));
        }
        let mut steering = Steering::of(self.verbose_budget, self.sample_key).rules(self.rules);
        for add in self.sources {
            steering = add(steering).map_err(Error::Thread)?;
        }
        let exporter = self.exporter.unwrap_or_else(|| {
            let directory = self
                .directory
                .or_else(|| {
                    let directory = std::env::var_os("DASHCAM_DIR")?;
                    (!directory.is_empty()).then(|| PathBuf::from(directory))
                })
                .unwrap_or_else(|| PathBuf::from("dashcam"));
            Box::new(JsonLines::builder(directory).build())
        });
        let recording_limit = self.settings.limits.recording;
        let mut settings = self.settings;
        settings.record = Arc::clone(&recorded);
        if settings.replay.is_some_and(|replay| replay.live) {
            // Requests that are already live stay live when recording is turned off.
            raise_live(recorded.max_level());
        }
        let keeper = Arc::new(Keeper::new(settings, exporter).map_err(Error::Thread)?);
        let plan = Plan {
            direction: crate::exchange::Direction::Server,
            correlation: Some(self.correlation),
            verbose: Some(VerbosePlan {
                recorded: Arc::clone(&recorded),
                recording_limit,
                memory: Some(Arc::clone(keeper.events())),
                steering: steering.clone(),
                plain_header: self.plain_header.then_some(VERBOSE_HEADER),
                #[cfg(feature = "token")]
                tokens: tokens.clone(),
                #[cfg(feature = "token")]
                propagation: self.propagation.map(Arc::new),
            }),
            keeper: Some(Arc::clone(&keeper)),
            span: true,
            request_line: self.request_line,
        };
        let handle = DashcamHandle {
            keeper,
            recording: RecordSwitch::new(recorded),
            steering,
            #[cfg(feature = "token")]
            tokens,
            lines: Arc::default(),
        };
        Ok(Dashcam::new(Arc::new(plan), handle, self.max_log_line))
    }
}

impl fmt::Debug for DashcamBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DashcamBuilder")
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}
