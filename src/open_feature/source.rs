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
    /// How often somebody has asked.
    polls: u8,
}

/// Where the provider is asked.
enum Where {
    /// On a runtime that is not there yet.
    Own,
    Made(Runtime),
    Given(Handle),
}

/// A flag, and what it said last.
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

/// Longer texts are no rules, as longer files are none.
const MAX_LEN: usize = 1024 * 1024;

/// What is told of a problem; the rest may be whatever a server says.
const MAX_PROBLEM: usize = 500;

/// What asking for a flag comes to.
enum Said {
    Rules(Vec<Rule>),
    /// Its rules end, and why.
    Gone(String),
    Problem(String),
}

impl FlagRules {
    /// Flags of this client's provider; none yet. The client's evaluation context
    /// goes with every question: where instances should differ, it says which one
    /// this is.
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

    /// The rules of an object flag, too.
    #[must_use]
    pub fn rules(self, flag: impl Into<String>) -> Self {
        self.flag(flag, Kind::Object)
    }

    /// The rules of a string flag, too, which is JSON or TOML.
    #[must_use]
    pub fn rules_text(self, flag: impl Into<String>) -> Self {
        self.flag(flag, Kind::Text)
    }

    /// The rule that this makes, too, while a boolean flag is on, and for so long
    /// at most. The end is counted from when the flag is first seen on; a flag that
    /// stays on does not prolong it, off and on again does.
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

    /// How long to wait between two times; default 5 s, at least 10 ms.
    #[must_use]
    pub fn every(mut self, interval: Duration) -> Self {
        self.every = interval;
        self
    }

    /// How long the provider may take for one flag; default 2 s.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Asks on this runtime, which has timers and has to live as long.
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
            return Err(format!("no runtime to ask on: {error}").into());
        }
        let mut problems = Vec::new();
        for flag in flags.iter_mut() {
            let asked = async { tokio::time::timeout(*timeout, flag.ask(client)).await };
            let asked = foreign::run(|| runtime.block_on(asked));
            let said = match asked {
                Some(Some(Ok(said))) => said,
                Some(_) => Said::Problem(format!("no answer within {timeout:?}")),
                None => Said::Problem("asking for it panicked".to_owned()),
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
            Ok(rules.problem(bounded(&problems.join("; "))))
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

    /// `None` before it is ready.
    fn block_on<F: Future>(&self, future: F) -> Option<F::Output> {
        match self {
            Self::Own => None,
            // Its handle would not drive timers and connections.
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
                    // Further away than time goes, it would have no end.
                    Ok(true) => match SystemTime::now().checked_add(*lasting) {
                        Some(end) => Said::Rules(vec![rule(end)]),
                        None => Said::Problem("it would last for too long".to_owned()),
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

    /// The first time nothing is asked: that is where the service starts, perhaps
    /// inside of its runtime, and nobody there may wait.
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
