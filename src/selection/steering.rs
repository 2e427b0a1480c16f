use super::{
    Budget, Rules, SampleKey, Warning,
    check::{of_budget, of_rule},
    engine::{Entry, Overall, Selected, Set, Spent, Terms},
    findings::{Findings, of_set, untold_of},
    model::{Mode, Rule},
    status::{RuleStatus, SourceStatus, VerboseStatus},
    switch::{OffBy, Switch, VERBOSE_OFF},
};
use crate::{foreign, levels::raise_live, targets::RULES_TARGET};
use arc_swap::{ArcSwap, Guard};
use std::{
    collections::HashMap,
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    time::SystemTime,
};
use tracing::subscriber::NoSubscriber;

/// The rules in use, their sources and budgets, and the switch for everything verbose.
///
/// It is cheap to clone, and all clones share their state. The rules of several sources are in
/// the order in which the sources were added. New rules of a source replace its old ones at
/// once: a request sees one set of rules, even while it waits for facts.
#[derive(Clone)]
pub struct Steering(Arc<Inner>);

/// What a refused version of rules changes.
const STAY: &str = "; the rules from before stay in use";

struct Inner {
    set: ArcSwap<Set>,
    switch: Arc<Switch>,
    overall: Arc<Overall>,
    /// What tokens and headers have spent.
    asked: Arc<Spent>,
    key: SampleKey,
    sources: Mutex<Vec<Source>>,
    findings: Findings,
    /// Whether the log has reported that the environment switched everything off.
    told_off: AtomicBool,
}

/// A source of rules.
struct Source {
    name: String,
    /// Whether [`Steering::set_rules`] added it, and finds it by its name.
    is_pushed: bool,
    rules: Rules,
    problem: Option<String>,
    /// Whether the newest rules were refused because of the problem.
    refused: bool,
    /// Whether the log has reported the problem.
    told: bool,
}

impl Source {
    fn new(name: String, is_pushed: bool) -> Self {
        Self {
            name,
            is_pushed,
            rules: Rules::default(),
            problem: None,
            refused: false,
            told: false,
        }
    }
}

impl Steering {
    /// Starts without a rule, with [`Budget::overall`] and the default key of samples.
    #[must_use]
    pub fn new() -> Self {
        Self::of(Budget::overall(), SampleKey::default())
    }

    /// Starts without a rule, with a budget for all rules, tokens and headers together, and
    /// with a [key of samples](crate::kit::DashcamBuilder::sample_key).
    #[must_use]
    pub fn with(overall: Budget, sample_key: [u8; 16]) -> Self {
        Self::of(overall, SampleKey(sample_key))
    }

    pub(crate) fn of(overall: Budget, key: SampleKey) -> Self {
        Self(Arc::new(Inner {
            set: ArcSwap::default(),
            switch: Arc::new(Switch::from_environment()),
            overall: Arc::new(Overall {
                limits: overall,
                spent: Spent::default(),
            }),
            asked: Arc::default(),
            key,
            sources: Mutex::default(),
            findings: Findings::default(),
            told_off: AtomicBool::new(false),
        }))
    }

    /// Adds rules that do not change. More than 100 are refused: the log and the status report
    /// it, and none is used.
    #[must_use]
    pub fn rules(self, rules: Rules) -> Self {
        self.slot("fixed").set(rules);
        self
    }

    /// Replaces the rules of the source of this name. The first call adds the source, behind
    /// those so far. A [problem](Rules::problem) of the rules is reported by the log and the
    /// status.
    ///
    /// More than 100 rules are refused: the rules from before stay in use, and the log and
    /// the status report it.
    pub fn set_rules(&self, source: &str, rules: Rules) {
        self.pushed(source).set(rules);
    }

    /// Reports that the newest rules of the source of this name cannot be used, in the log
    /// and in the status. Those from before stay in use until they expire. The first call adds
    /// the source, behind those so far.
    pub fn set_problem(&self, source: &str, problem: impl Into<String>) {
        self.pushed(source).hear(Err(problem.into()));
    }

    fn pushed(&self, name: &str) -> RuleSlot {
        let mut sources = self.0.sources();
        let known = |source: &Source| source.is_pushed && source.name == name;
        match sources.iter().position(known) {
            Some(source) => RuleSlot::new(&self.0, source),
            None => {
                sources.push(Source::new(name.to_owned(), true));
                RuleSlot::new(&self.0, sources.len() - 1)
            }
        }
    }

    /// A place for the rules of one source, behind those so far.
    pub(crate) fn slot(&self, name: impl Into<String>) -> RuleSlot {
        let mut sources = self.0.sources();
        sources.push(Source::new(name.into(), false));
        RuleSlot::new(&self.0, sources.len() - 1)
    }

    /// Switches everything verbose off, whatever rules, tokens and headers ask for. Requests in
    /// flight stop being verbose. It does not affect [`Replay`](crate::capture::Replay).
    pub fn switch_off(&self) {
        self.0.switch.off();
    }

    /// Undoes [`switch_off`](Self::switch_off). Everything verbose stays off if the
    /// environment variable `DASHCAM_VERBOSE_OFF` keeps it off; see [`is_off`](Self::is_off).
    pub fn switch_on(&self) {
        self.0.switch.on();
    }

    /// Returns who switched everything off.
    pub(crate) fn off_by(&self) -> Option<OffBy> {
        self.0.switch.off_by()
    }

    /// Returns the rules in use, in order.
    #[must_use]
    pub fn in_use(&self) -> Rules {
        let mut all = Rules::default();
        self.0.sources().iter().for_each(|s| all.append(&s.rules));
        all
    }

    /// Returns the rules in use, and what they have selected.
    #[must_use]
    pub fn status(&self) -> VerboseStatus {
        let now = SystemTime::now();
        let sources = self.0.sources().iter().map(SourceStatus::of).collect();
        let set = self.0.set.load();
        let rule = |entry: &Entry| {
            let terms = entry.selected().terms()?;
            Some(RuleStatus::of(entry.rule(), &terms.spent, now))
        };
        VerboseStatus {
            off_by: self.off_by(),
            spent: super::status::Counts::of(&self.0.overall.spent),
            by_header: super::status::Counts::of(&self.0.asked),
            sources,
            beyond_work: set.watch().short(),
            rules: set.entries().iter().filter_map(rule).collect(),
            warnings: self.warnings(),
            problem: of_budget(&self.0.overall.limits, Mode::Live)
                .map(|problem| format!("the budget over all rules {problem}")),
        }
    }

    /// Returns what is wrong with the rules in use, or not what their authors may mean: the
    /// warnings of [`Rules::check`], and those that only a running service knows, such as that
    /// requests lack what a rule needs. The log has each once.
    #[must_use]
    pub fn warnings(&self) -> Vec<Warning> {
        let now = SystemTime::now();
        let set = self.0.set.load();
        let beside = self.0.findings.beside();
        let mut beside = beside.iter().peekable();
        let mut warnings = Vec::new();
        for (n, entry) in set.entries().iter().enumerate() {
            let rule = entry.rule();
            warnings.extend(of_rule(rule, now));
            // The warnings may still be those of the previous set.
            while let Some((_, of)) = beside.next_if(|(of, _)| *of <= n) {
                if of.rule == rule.name && rule.expires > now {
                    warnings.push(of.clone());
                }
            }
            warnings.extend(of_set(rule, &set));
        }
        warnings
    }

    /// Logs new warnings; if there is no subscriber, it does so later.
    pub(crate) fn tell(&self) {
        self.0.tell();
    }

    /// Logs once that the environment has switched off what tokens ask for.
    #[cfg(feature = "token")]
    pub(crate) fn tell_off(&self) {
        self.0.tell_off();
    }

    /// Whether there are new warnings.
    #[inline]
    pub(crate) fn has_to_tell(&self, set: &Set) -> bool {
        set.watch().is_due() || self.0.findings.is_due()
    }

    /// Returns the sources with their rules, in order.
    #[cfg(feature = "admin")]
    pub(crate) fn by_source(&self) -> Vec<(SourceStatus, Rules)> {
        let sources = self.0.sources();
        let each = |source: &Source| (SourceStatus::of(source), source.rules.clone());
        sources.iter().map(each).collect()
    }

    pub(super) fn key(&self) -> &SampleKey {
        &self.0.key
    }

    /// Returns whether everything verbose is off, by [`switch_off`](Self::switch_off), or by
    /// the environment variable `DASHCAM_VERBOSE_OFF`, which is read when the steering is made:
    /// any value but `0`, `false` and the empty one.
    #[must_use]
    pub fn is_off(&self) -> bool {
        self.0.switch.is_off()
    }

    /// Returns the current set.
    pub(crate) fn set(&self) -> Guard<Arc<Set>> {
        self.0.set.load()
    }

    /// Returns what a header selects, whose content is this rule, until this time, or to the
    /// end of the request. It ignores the end of the rule: the header may have expired on its
    /// way.
    pub(crate) fn by_header(&self, rule: &Rule, until: Option<SystemTime>) -> Arc<Selected> {
        let selected = self.0.selected(rule, &self.0.asked, until);
        raise_live(selected.directives.max_level());
        selected
    }
}

impl Default for Steering {
    fn default() -> Self {
        Self::new()
    }
}

/// Whether there is no log now.
fn is_unheard() -> bool {
    let nobody = |to: &tracing::Dispatch| to.is::<NoSubscriber>();
    tracing::dispatcher::get_default(nobody) || std::thread::panicking()
}

impl SourceStatus {
    fn of(source: &Source) -> Self {
        Self {
            name: source.name.clone(),
            rules: source.rules.len(),
            problem: source.problem.clone(),
        }
    }
}

impl Inner {
    fn sources(&self) -> MutexGuard<'_, Vec<Source>> {
        self.sources.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Replaces the problem of a source, and its rules if there are new ones.
    fn set(&self, source: usize, rules: Option<Rules>, problem: Option<String>) {
        let (rules, problem) = match rules.as_ref().and_then(Rules::too_many) {
            Some(why) => (None, Some(format!("{why}{STAY}"))),
            None => (rules, problem),
        };
        let refused = rules.is_none();
        // Before the rules are in force, because their first request needs the level. Before
        // anything is locked, because this calls the service's subscriber.
        let levels = rules.iter().flat_map(Rules::iter);
        let levels = levels.map(|rule| rule.verbose.directives().max_level());
        if let Some(level) = levels.max() {
            raise_live(level);
        }
        // Held to the end, so that changes do not overlap.
        let mut sources = self.sources();
        let Some(place) = sources.get_mut(source) else {
            return;
        };
        place.told &= place.problem == problem;
        place.problem = problem;
        place.refused = refused;
        let Some(rules) = rules.filter(|rules| *rules != place.rules) else {
            return;
        };
        place.rules = rules;
        let mut all = Rules::default();
        sources.iter().for_each(|source| all.append(&source.rules));
        let set = self.compile(&all);
        self.set.store(Arc::new(set));
        self.findings.of(&all, SystemTime::now());
    }

    /// Logs new warnings, while nothing is locked.
    fn tell(&self) {
        if is_unheard() {
            return;
        }
        let set = self.set.load_full();
        if !set.entries().is_empty() {
            self.tell_off();
        }
        let lines = self.findings.take().into_iter().chain(untold_of(&set));
        for line in lines {
            // A layer that panics must end neither a request nor a thread of ours.
            foreign::run(|| tracing::warn!(target: RULES_TARGET, "{line}"));
        }
    }

    /// Logs once that the environment has switched everything verbose off.
    fn tell_off(&self) {
        let is_off = self.switch.off_by() == Some(OffBy::Environment);
        if is_off && !is_unheard() && !self.told_off.swap(true, SeqCst) {
            let warn = || {
                tracing::warn!(
                    target: RULES_TARGET,
                    "no rule and no token makes a request verbose: the environment variable \
                     {VERBOSE_OFF} switches them off until the process restarts without it"
                );
            };
            foreign::run(warn);
        }
    }

    /// Returns a line with the problem of a source if the log has not reported it and there is
    /// a subscriber.
    fn untold(&self, source: usize) -> Option<String> {
        if !tracing::dispatcher::has_been_set() {
            return None;
        }
        let mut sources = self.sources();
        let place = sources.get_mut(source).filter(|place| !place.told)?;
        let problem = place.problem.as_ref()?;
        let mut line = "the rules of ".to_owned();
        // An error in a file begins with the name of the file.
        if !problem.starts_with(&place.name) {
            line += &format!("{}: ", place.name);
        }
        line += problem;
        if place.refused && !problem.ends_with(STAY) {
            line += match place.rules.is_empty() {
                true => "; it has no rules in use",
                false => STAY,
            };
        }
        place.told = true;
        Some(line)
    }

    /// Rules of the same name and end share what they have spent.
    fn compile(&self, rules: &Rules) -> Set {
        let last = self.set.load();
        let before = last.entries().iter().filter_map(|entry| {
            let rule = entry.rule();
            let spent = Arc::clone(&entry.selected().terms()?.spent);
            Some(((rule.name.as_str(), rule.expires), spent))
        });
        let mut spent: HashMap<_, _> = before.collect();
        let mut entries = Vec::with_capacity(rules.len());
        for rule in rules.shared() {
            let spent = spent.entry((&rule.name, rule.expires)).or_default();
            let selected = self.selected(rule, spent, Some(rule.expires));
            entries.push(Entry::new(rule, selected));
        }
        Set::new(entries, self.key, Some(&last))
    }

    fn selected(
        &self,
        rule: &Rule,
        spent: &Arc<Spent>,
        until: Option<SystemTime>,
    ) -> Arc<Selected> {
        let selected = |live, recorded| {
            let terms = Terms {
                limits: rule.budget,
                spent: Arc::clone(spent),
                overall: Arc::clone(&self.overall),
                recorded,
            };
            let selected = Selected::new(rule, live, &self.switch, terms);
            Arc::new(selected.until(until))
        };
        match rule.mode {
            Mode::Live => selected(true, Some(selected(false, None))),
            Mode::Record => selected(false, None),
        }
    }
}

impl fmt::Debug for Steering {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Steering")
            .field("off_by", &self.off_by())
            .field("rules", &self.in_use().len())
            .finish_non_exhaustive()
    }
}

/// A place for the rules of one source.
#[derive(Clone)]
pub(crate) struct RuleSlot {
    steering: Weak<Inner>,
    source: usize,
}

impl RuleSlot {
    fn new(steering: &Arc<Inner>, source: usize) -> Self {
        Self {
            steering: Arc::downgrade(steering),
            source,
        }
    }

    /// Replaces the rules.
    pub(crate) fn set(&self, rules: Rules) {
        self.hear(Ok(Some(rules)));
    }

    /// Takes the result of a poll. It does nothing after the last clone of the steering is
    /// dropped.
    pub(super) fn hear(&self, news: Result<Option<Rules>, String>) {
        let Some(steering) = self.steering.upgrade() else {
            return;
        };
        match news {
            Ok(None) => {}
            Ok(Some(mut rules)) => {
                let problem = rules.take_problem();
                steering.set(self.source, Some(rules), problem);
            }
            Err(problem) => steering.set(self.source, None, Some(problem)),
        }
        if let Some(line) = steering.untold(self.source) {
            // A layer that panics must not end the thread of the source.
            foreign::run(|| tracing::warn!(target: RULES_TARGET, "{line}"));
        }
        steering.tell();
    }

    pub(super) fn is_alive(&self) -> bool {
        self.steering.strong_count() > 0
    }
}

impl fmt::Debug for RuleSlot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RuleSlot")
            .field("source", &self.source)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::selection::{Rule, When};
    use std::time::Duration;
    use tracing_subscriber::{Layer, layer::Context, prelude::*};

    /// The messages of warnings.
    #[derive(Clone, Default)]
    struct Said(Arc<Mutex<Vec<String>>>);

    impl<S: tracing::Subscriber> Layer<S> for Said {
        fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
            struct Message<'s>(&'s Said);
            impl tracing::field::Visit for Message<'_> {
                fn record_debug(&mut self, _: &tracing::field::Field, value: &dyn fmt::Debug) {
                    self.0.0.lock().unwrap().push(format!("{value:?}"));
                }
            }
            if event.metadata().target() == RULES_TARGET {
                event.record(&mut Message(self));
            }
        }
    }

    #[test]
    fn the_log_has_once_that_the_environment_is_the_reason() {
        let said = Said::default();
        let _default =
            tracing::subscriber::set_default(tracing_subscriber::registry().with(said.clone()));
        let mut steering = Steering::new();
        Arc::get_mut(&mut steering.0).unwrap().switch =
            Arc::new(Switch::from_value(Some("1".as_ref())));
        steering.tell();
        assert_eq!(*said.0.lock().unwrap(), [""; 0], "nothing is asked for");
        let rule = Rule::new("a", SystemTime::now() + Duration::from_secs(60));
        let steering = steering.rules(Rules::new([rule.when(When::new().route("/x"))]));
        steering.tell();
        steering.tell();
        let said = said.0.lock().unwrap();
        assert_eq!(said.len(), 1, "{said:?}");
        assert!(said[0].contains("DASHCAM_VERBOSE_OFF"), "{said:?}");
    }

    #[test]
    fn the_log_names_a_file_once_and_what_stays() {
        let said = Said::default();
        let subscriber = tracing_subscriber::registry().with(said.clone());
        let _default = tracing::subscriber::set_default(subscriber);
        let steering = Steering::new();
        let rule = Rule::new("a", SystemTime::now() + Duration::from_secs(60));
        let rules = Rules::new([rule.when(When::new().route("/x"))]);
        steering.set_rules("a.toml", rules);
        steering.set_problem("a.toml", "a.toml:3:11: it is bad");
        steering.set_problem("remote", "it is away");
        assert_eq!(
            *said.0.lock().unwrap(),
            [
                "the rules of a.toml:3:11: it is bad; the rules from before stay in use",
                "the rules of remote: it is away; it has no rules in use",
            ]
        );
    }
}
