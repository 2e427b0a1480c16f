use super::spending::{Spent, second};
use crate::selection::{Budget, Directives, model::Rule, switch::Switch};
use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    time::SystemTime,
};
use tracing::Metadata;

/// What a selected request shows, and what selected it.
#[derive(Clone, Debug)]
pub(crate) struct Selected {
    pub(crate) by: String,
    live: bool,
    /// Whether it keeps no bodies.
    pub(crate) heads_only: bool,
    pub(crate) directives: Directives,
    switch: Option<Arc<Switch>>,
    /// When it ends, also for requests in flight.
    until: Option<SystemTime>,
    terms: Option<Terms>,
}

/// The budgets of a selection.
#[derive(Clone, Debug)]
pub(in crate::selection) struct Terms {
    pub(in crate::selection) limits: Budget,
    pub(in crate::selection) spent: Arc<Spent>,
    pub(in crate::selection) overall: Arc<Overall>,
    /// What replaces a live selection that exceeds its budget.
    pub(in crate::selection) recorded: Option<Arc<Selected>>,
}

/// The budget that all selections share.
#[derive(Debug)]
pub(in crate::selection) struct Overall {
    pub(in crate::selection) limits: Budget,
    pub(in crate::selection) spent: Spent,
}

/// What the budgets allow.
#[derive(Debug)]
pub(crate) enum Admission {
    /// The whole selection.
    Granted(Option<Hold>),
    /// Recording, although the request was selected to be live.
    Recorded(Arc<Selected>, Hold),
    /// Nothing; with the reason if it was a budget.
    Refused(Option<Shortage>),
}

/// What a budget refused a request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Shortage {
    /// It was not selected.
    Selection,
    /// It was only recorded.
    Live,
    /// It was live for a part of its time.
    Events,
}

impl Shortage {
    /// Returns the text of the exchange.
    pub(crate) fn what(self) -> &'static str {
        match self {
            Self::Selection => "selection",
            Self::Live => "live events",
            Self::Events => "live events from some point on",
        }
    }
}

/// The place of a request among those that are verbose at once; dropping it frees the place.
#[derive(Debug)]
pub(crate) struct Hold {
    spent: Arc<Spent>,
    overall: Arc<Overall>,
    live: bool,
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.spent.end(self.live);
        self.overall.spent.end(self.live);
    }
}

impl Selected {
    /// Creates a live selection without a budget.
    pub(crate) fn live(by: String, directives: Directives) -> Self {
        Self {
            by,
            live: true,
            heads_only: false,
            directives,
            switch: None,
            until: None,
            terms: None,
        }
    }

    pub(in crate::selection) fn new(
        rule: &Rule,
        live: bool,
        switch: &Arc<Switch>,
        terms: Terms,
    ) -> Self {
        Self {
            by: rule.name.clone(),
            live,
            heads_only: !rule.capture.is_full(),
            directives: rule.verbose.directives().clone(),
            switch: Some(Arc::clone(switch)),
            until: None,
            terms: Some(terms),
        }
    }

    /// Sets when it ends, also for requests in flight.
    pub(in crate::selection) fn until(mut self, time: Option<SystemTime>) -> Self {
        self.until = time;
        self
    }

    pub(crate) fn is_live(&self) -> bool {
        self.live
    }

    /// Whether it includes this event or span, and has not ended.
    pub(crate) fn wants(&self, metadata: &Metadata<'_>) -> bool {
        self.directives.wants(metadata) && self.is_in_force()
    }

    /// Whether it is neither switched off nor ended. A request can outlive its rule.
    pub(crate) fn is_in_force(&self) -> bool {
        !self.is_off() && self.until.is_none_or(|end| SystemTime::now() < end)
    }

    fn is_off(&self) -> bool {
        self.switch.as_ref().is_some_and(|switch| switch.is_off())
    }

    /// Whether a rule, a token or a header selected it: all these have terms.
    #[cfg(feature = "opentelemetry")]
    pub(crate) fn is_asked_for(&self) -> bool {
        self.terms.is_some()
    }

    pub(in crate::selection) fn terms(&self) -> Option<&Terms> {
        self.terms.as_ref()
    }

    /// Asks the budgets.
    pub(crate) fn admit(&self) -> Admission {
        self.admit_in(second())
    }

    pub(super) fn admit_in(&self, second: u32) -> Admission {
        if self.is_off() {
            return Admission::Refused(None);
        }
        let Some(terms) = &self.terms else {
            return Admission::Granted(None);
        };
        let (rule, all) = (&*terms.spent, &terms.overall.spent);
        let count = |of: fn(&Spent) -> &_| {
            let of: fn(&Spent) -> &std::sync::atomic::AtomicU64 = of;
            of(rule).fetch_add(1, Relaxed);
            of(all).fetch_add(1, Relaxed);
        };
        if !terms.take_total() {
            count(|spent| &spent.refused);
            return Admission::Refused(Some(Shortage::Selection));
        }
        if self.live && terms.begin(true, second) {
            count(|spent| &spent.made_live);
            return Admission::Granted(Some(terms.hold(true)));
        }
        if !terms.begin(false, second) {
            terms.give_back_total();
            count(|spent| &spent.refused);
            return Admission::Refused(Some(Shortage::Selection));
        }
        match &terms.recorded {
            Some(recorded) if self.live => {
                count(|spent| &spent.only_recorded);
                Admission::Recorded(Arc::clone(recorded), terms.hold(false))
            }
            _ => {
                count(|spent| &spent.recorded);
                Admission::Granted(Some(terms.hold(false)))
            }
        }
    }

    /// Whether one more event of a live request may be shown.
    pub(crate) fn may_show(&self) -> bool {
        let Some(terms) = &self.terms else {
            return true;
        };
        terms.take_event(second())
    }

    /// Counts a request that stops being live because of its events.
    pub(crate) fn count_cut_short(&self) {
        if let Some(terms) = &self.terms {
            terms.spent.cut_short.fetch_add(1, Relaxed);
            terms.overall.spent.cut_short.fetch_add(1, Relaxed);
        }
    }

    /// Counts the bytes of an event that was shown.
    pub(crate) fn spend_bytes(&self, bytes: usize) {
        if let Some(terms) = &self.terms {
            let second = second();
            terms.spent.spend_bytes(&terms.limits, bytes, second);
            let overall = &terms.overall;
            overall.spent.spend_bytes(&overall.limits, bytes, second);
        }
    }
}

impl Terms {
    fn take_total(&self) -> bool {
        if !self.spent.take_total(&self.limits) {
            return false;
        }
        let taken = self.overall.spent.take_total(&self.overall.limits);
        if !taken {
            self.spent.give_back_total();
        }
        taken
    }

    fn give_back_total(&self) {
        self.spent.give_back_total();
        self.overall.spent.give_back_total();
    }

    fn begin(&self, live: bool, second: u32) -> bool {
        if !self.spent.begin(live, &self.limits, second) {
            return false;
        }
        let overall = &self.overall;
        let begun = overall.spent.begin(live, &overall.limits, second);
        if !begun {
            self.spent.take_back(live, second);
        }
        begun
    }

    fn hold(&self, live: bool) -> Hold {
        Hold {
            spent: Arc::clone(&self.spent),
            overall: Arc::clone(&self.overall),
            live,
        }
    }

    fn take_event(&self, second: u32) -> bool {
        let overall = &self.overall;
        self.spent.take_event(&self.limits, second)
            && overall.spent.take_event(&overall.limits, second)
    }
}
