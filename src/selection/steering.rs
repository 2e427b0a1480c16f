use super::{
    Budget, Rules, SampleKey, Warning,
    check::{of_budget, of_rule},
    engine::{Entry, Overall, Selected, Set, Spent, Terms},
    findings::{Findings, of_set, untold_of},
    model::{Mode, Rule},
    status::{RuleStatus, SourceStatus, VerboseStatus},
    switch::{OffBy, Switch},
};
use crate::{foreign, levels::raise_live, targets::RULES_TARGET};
use arc_swap::{ArcSwap, Guard};
use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::SystemTime,
};
use tracing::subscriber::NoSubscriber;

/// The rules in use, where they come from, what they have spent, and the switch
/// that ends all of it.
///
/// Cheap to clone; all clones are the same. Rules of several sources are one
/// after the other, in the order in which the sources were added. A new set takes
/// the place of the old one at once: a request sees one set, also where it waits
/// for facts.
#[derive(Clone)]
pub struct Steering(Arc<Inner>);

struct Inner {
    set: ArcSwap<Set>,
    switch: Arc<Switch>,
    overall: Arc<Overall>,
    /// What headers have spent.
    asked: Arc<Spent>,
    key: SampleKey,
    sources: Mutex<Vec<Source>>,
    findings: Findings,
}

/// What one source has said so far.
struct Source {
    name: String,
    /// Whether it is found by its name.
    is_pushed: bool,
    rules: Rules,
    problem: Option<String>,
    /// Whether the log says so.
    told: bool,
}

impl Source {
    fn new(name: String, is_pushed: bool) -> Self {
        Self {
            name,
            is_pushed,
            rules: Rules::default(),
            problem: None,
            told: false,
        }
    }
}

impl Steering {
    /// No rule, [`Budget::overall`], and the default key.
    #[must_use]
    pub fn new() -> Self {
        Self::of(Budget::overall(), SampleKey::default())
    }

    /// No rule, a budget for all of them together, and the key of samples; see
    /// [`DashcamBuilder::sample_key`](crate::kit::DashcamBuilder::sample_key).
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
        }))
    }

    /// Uses these rules, too. More than 100 are refused, as the status says then.
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

    /// Ends everything verbose that rules and headers have begun, and begins
    /// nothing, whatever they say. Requests in flight show no more; what
    /// [`Replay`](crate::capture::Replay) does has its own setting.
    pub fn switch_off(&self) {
        self.0.switch.off();
    }

    /// Undoes [`switch_off`](Self::switch_off). Everything verbose stays off if the
    /// environment variable `DASHCAM_VERBOSE_OFF` says so; see [`is_off`](Self::is_off).
    pub fn switch_on(&self) {
        self.0.switch.on();
    }

    /// Who switched everything off.
    pub(crate) fn off_by(&self) -> Option<OffBy> {
        self.0.switch.off_by()
    }

    /// The rules in use, in order.
    #[must_use]
    pub fn in_use(&self) -> Rules {
        let mut all = Rules::default();
        self.0.sources().iter().for_each(|s| all.append(&s.rules));
        all
    }

    /// What is selected, and how much of it.
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

    /// What is wrong with the rules in use, or what their authors may not mean: what
    /// [`Rules::check`] says, and what only a running service knows, that requests do
    /// not bring what a rule needs. The log says each once.
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
            // Of the set before this one it may be another rule's.
            while let Some((_, of)) = beside.next_if(|(of, _)| *of <= n) {
                if of.rule == rule.name && rule.expires > now {
                    warnings.push(of.clone());
                }
            }
            warnings.extend(of_set(rule, &set));
        }
        warnings
    }

    /// Tells the log what it does not say yet; where there is no subscriber, later.
    pub(crate) fn tell(&self) {
        self.0.tell();
    }

    /// Whether there is something to tell, as requests ask.
    #[inline]
    pub(crate) fn has_to_tell(&self, set: &Set) -> bool {
        set.watch().is_due() || self.0.findings.is_due()
    }

    /// The sources with their rules, in order.
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
    /// any value of the environment variable `DASHCAM_VERBOSE_OFF` but `0`, `false` and none,
    /// which is read once, at the start.
    #[must_use]
    pub fn is_off(&self) -> bool {
        self.0.switch.is_off()
    }

    /// The set of now.
    pub(crate) fn set(&self) -> Guard<Arc<Set>> {
        self.0.set.load()
    }

    /// What a header asked for that said this, to the end of the request or until
    /// then. The end of the rule is the header's, which may have been on its way.
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

    /// Replaces what one source said: its rules, where there are new ones, and what
    /// is wrong.
    fn set(&self, source: usize, rules: Option<Rules>, problem: Option<String>) {
        let (rules, problem) = match rules.as_ref().and_then(Rules::too_many) {
            Some(why) => (
                None,
                Some(format!("{why}; the rules from before stay in use")),
            ),
            None => (rules, problem),
        };
        // Before the rules are in force: their first request must find the room. And
        // before anything is locked: the service's subscriber is asked for it.
        let levels = rules.iter().flat_map(Rules::iter);
        let levels = levels.map(|rule| rule.verbose.directives().max_level());
        if let Some(level) = levels.max() {
            raise_live(level);
        }
        // Held to the end, so that two changes come one after the other.
        let mut sources = self.sources();
        let Some(place) = sources.get_mut(source) else {
            return;
        };
        place.told &= place.problem == problem;
        place.problem = problem;
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

    /// What the log does not know yet. Nothing is locked while it is told.
    fn tell(&self) {
        let nobody = |to: &tracing::Dispatch| to.is::<NoSubscriber>();
        if tracing::dispatcher::get_default(nobody) || std::thread::panicking() {
            return;
        }
        let set = self.set.load_full();
        let lines = self.findings.take().into_iter().chain(untold_of(&set));
        for line in lines {
            // Neither a request nor a thread of ours ends with a layer that panics.
            foreign::run(|| tracing::warn!(target: RULES_TARGET, "{line}"));
        }
    }

    /// The name and the problem of a source that the log knows nothing of yet.
    /// Before there is a subscriber, nobody can be told.
    fn untold(&self, source: usize) -> Option<(String, String)> {
        if !tracing::dispatcher::has_been_set() {
            return None;
        }
        let mut sources = self.sources();
        let place = sources.get_mut(source).filter(|place| !place.told)?;
        let problem = place.problem.clone()?;
        place.told = true;
        Some((place.name.clone(), problem))
    }

    /// Rules of one name and one end are one rule to their budgets.
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

    /// These rules from now on, instead of those before.
    pub(crate) fn set(&self, rules: Rules) {
        self.hear(Ok(Some(rules)));
    }

    /// What a source says. After the last clone of the steering is gone it does
    /// nothing.
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
        if let Some((source, problem)) = steering.untold(self.source) {
            let warn = || tracing::warn!(target: RULES_TARGET, "the rules of {source}: {problem}");
            // On a thread of ours, which a layer that panics must not end.
            foreign::run(warn);
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
