use super::value;
use crate::{
    foreign,
    selection::{Rule, RuleSource, Rules},
};
use open_feature::{Client, EvaluationError, EvaluationErrorCode};
use std::{
    error::Error,
    fmt, io,
    time::{Duration, SystemTime},
};
use tokio::runtime::{Builder, Handle, Runtime};

/// Rules from flags; see the [module page](super).
pub struct FlagRules {
    client: Client,
    flags: Vec<Flag>,
    every: Duration,
    timeout: Duration,
    runtime: Where,
    /// How often the source was polled, up to 255.
    polls: u8,
}

/// The runtime on which the provider is polled.
enum Where {
    /// Not made yet.
    Own,
    Made(Runtime),
    Given(Handle),
}

/// A flag, and its last rules.
struct Flag {
    name: String,
    kind: Kind,
    last: Vec<Rule>,
}

type Template = Box<dyn Fn(SystemTime) -> Rule + Send>;

enum Kind {
    Object,
    Text,
    Switch { lasting: Duration, rule: Template },
}

/// The longest text of rules, in bytes, as for files.
const MAX_LEN: usize = 1024 * 1024;

/// The longest problem that is reported, in characters: a server may have written it.
const MAX_PROBLEM: usize = 500;

/// The result of polling a flag.
enum Said {
    Rules(Vec<Rule>),
    /// Its rules end for this reason.
    Gone(String),
    /// Its last rules stay for this reason.
    Problem(String),
}

impl FlagRules {
    /// Creates a source for the provider of this client, without flags. Every evaluation uses
    /// the evaluation context of the client: if instances shall differ, put the instance into
    /// that.
    #[must_use]
    pub fn new(client: Client) -> Self {
        Self {
            client,
            flags: Vec::new(),
            every: Duration::from_secs(5),
            timeout: Duration::from_secs(2),
            runtime: Where::Own,
            polls: 0,
        }
    }

    /// Adds an object flag that holds rules.
    #[must_use]
    pub fn rules(self, flag: impl Into<String>) -> Self {
        self.flag(flag, Kind::Object)
    }

    /// Adds a string flag that holds rules, as JSON or TOML of at most 1 MiB.
    #[must_use]
    pub fn rules_text(self, flag: impl Into<String>) -> Self {
        self.flag(flag, Kind::Text)
    }

    /// Adds a boolean flag that turns one rule on, for at most this time. The closure gets the
    /// end of the rule and returns the rule.
    ///
    /// The time begins at the first poll that sees the flag on. A flag that stays on does not
    /// prolong it; one that goes off and on again starts a new one.
    #[must_use]
    pub fn switch(
        self,
        flag: impl Into<String>,
        lasting: Duration,
        rule: impl Fn(SystemTime) -> Rule + Send + 'static,
    ) -> Self {
        let rule = Box::new(rule);
        self.flag(flag, Kind::Switch { lasting, rule })
    }

    /// Sets how long to wait between two polls. Default: 5 s; at least 10 ms.
    #[must_use]
    pub fn every(mut self, interval: Duration) -> Self {
        self.every = interval;
        self
    }

    /// Sets how long the provider may take for one flag. Default: 2 s.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Polls the provider on this runtime, which must have timers and outlive the source.
    /// Default: a runtime of the source's own.
    #[must_use]
    pub fn on(mut self, runtime: Handle) -> Self {
        self.runtime = Where::Given(runtime);
        self
    }

    fn flag(mut self, name: impl Into<String>, kind: Kind) -> Self {
        self.flags.push(Flag {
            name: name.into(),
            kind,
            last: Vec::new(),
        });
        self
    }

    fn refresh(&mut self) -> Result<Rules, Box<dyn Error + Send + Sync>> {
        let Self {
            client,
            flags,
            timeout,
            runtime,
            ..
        } = self;
        if let Err(error) = runtime.ready() {
            return Err(format!("cannot start a runtime for the provider: {error}").into());
        }
        let mut problems = Vec::new();
        for flag in flags.iter_mut() {
            let asked = async { tokio::time::timeout(*timeout, flag.ask(client)).await };
            let asked = foreign::run(|| runtime.block_on(asked));
            let said = match asked {
                Some(Some(Ok(said))) => said,
                Some(_) => Said::Problem(format!("the provider did not answer within {timeout:?}")),
                None => Said::Problem("the provider panicked".to_owned()),
            };
            let problem = match said {
                Said::Rules(rules) => {
                    flag.last = rules;
                    continue;
                }
                Said::Gone(why) => {
                    flag.last = Vec::new();
                    why
                }
                Said::Problem(why) => why,
            };
            problems.push(format!("flag {}: {problem}", flag.name));
        }
        let rules = Rules::new(flags.iter().flat_map(|flag| flag.last.iter().cloned()));
        if problems.is_empty() {
            Ok(rules)
        } else {
            Ok(rules.with_problem(bounded(&problems.join("; "))))
        }
    }
}

impl Where {
    fn ready(&mut self) -> io::Result<()> {
        if let Self::Own = self {
            *self = Self::Made(Builder::new_current_thread().enable_all().build()?);
        }
        Ok(())
    }

    /// Returns `None` before the runtime is made.
    fn block_on<F: Future>(&self, future: F) -> Option<F::Output> {
        match self {
            Self::Own => None,
            // A handle of it would not drive timers and connections.
            Self::Made(runtime) => Some(runtime.block_on(future)),
            Self::Given(handle) => Some(handle.block_on(future)),
        }
    }
}

impl Flag {
    async fn ask(&self, client: &Client) -> Said {
        let rules = match &self.kind {
            Kind::Object => match client.get_struct_details(&self.name, None, None).await {
                Ok(details) => {
                    let object = value::object(details.value);
                    if object.to_string().len() > MAX_LEN {
                        return too_large();
                    }
                    Rules::from_json_value(&object)
                }
                Err(error) => return refused(&error),
            },
            Kind::Text => match client.get_string_value(&self.name, None, None).await {
                Ok(text) if text.len() > MAX_LEN => return too_large(),
                Ok(text) if text.trim_start().starts_with('{') => Rules::from_json(&text),
                Ok(text) => Rules::from_toml(&text),
                Err(error) => return refused(&error),
            },
            Kind::Switch { lasting, rule } => {
                return match client.get_bool_value(&self.name, None, None).await {
                    Ok(true) if !self.last.is_empty() => Said::Rules(self.last.clone()),
                    // An end that a `SystemTime` cannot hold would be none.
                    Ok(true) => match SystemTime::now().checked_add(*lasting) {
                        Some(end) => Said::Rules(vec![rule(end)]),
                        None => Said::Problem("the duration of the switch is too long".to_owned()),
                    },
                    Ok(false) => Said::Rules(Vec::new()),
                    Err(error) => refused(&error),
                };
            }
        };
        match rules {
            Ok(rules) => Said::Rules(rules.iter().cloned().collect()),
            Err(error) => Said::Problem(error.to_string()),
        }
    }
}

fn too_large() -> Said {
    Said::Problem("it is larger than 1 MiB".to_owned())
}

fn refused(error: &EvaluationError) -> Said {
    let message = error.message.as_deref().unwrap_or("no message");
    let why = format!("{}: {message}", error.code);
    if error.code == EvaluationErrorCode::FlagNotFound {
        Said::Gone(why)
    } else {
        Said::Problem(why)
    }
}

fn bounded(problem: &str) -> String {
    match problem.char_indices().nth(MAX_PROBLEM) {
        Some((end, _)) => format!("{}…", problem.get(..end).unwrap_or_default()),
        None => problem.to_owned(),
    }
}

impl RuleSource for FlagRules {
    fn name(&self) -> String {
        let provider = &self.client.metadata().name;
        if provider.is_empty() {
            "open-feature".to_owned()
        } else {
            format!("open-feature {provider}")
        }
    }

    /// Polls nothing the first time: that is at the start of the service, perhaps inside of
    /// its runtime, where nothing may block.
    fn poll(&mut self) -> Result<Option<Rules>, Box<dyn Error + Send + Sync>> {
        self.polls = self.polls.saturating_add(1);
        if self.polls == 1 {
            return Ok(None);
        }
        self.refresh().map(Some)
    }

    fn interval(&self) -> Duration {
        if self.polls > 1 {
            self.every
        } else {
            Duration::ZERO
        }
    }
}

impl fmt::Debug for FlagRules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let flags: Vec<_> = self.flags.iter().map(|flag| &flag.name).collect();
        f.debug_struct("FlagRules")
            .field("flags", &flags)
            .field("every", &self.every)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}
