//! Budgets of rules: a request over them is only recorded, or not selected, and the exchange and
//! the status report it.

use crate::support_gate::{Fixture, Output, Seen, request, until};
use dashcam::{
    exchange::{Exchange, Mode},
    selection::{Budget, Counts, Rule, Rules, Steering, When},
};
use http::StatusCode;
use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering::SeqCst},
    },
    time::{Duration, SystemTime},
};
use tracing_subscriber::{EnvFilter, prelude::*};

fn rule(change: impl FnOnce(&mut Budget)) -> Rule {
    let soon = SystemTime::now() + Duration::from_secs(3600);
    let mut budget = Budget::unlimited();
    change(&mut budget);
    Rule::new("all", soon).budget(budget)
}

fn with(rule: Rule, f: impl FnOnce(&Fixture, &Seen)) {
    within(Rules::new([rule]), f);
}

fn within(rules: Rules, f: impl FnOnce(&Fixture, &Seen)) {
    let fixture = Fixture::with(|builder| builder.rules(rules));
    let seen = Seen::default();
    let subscriber = tracing_subscriber::registry()
        .with(fixture.dashcam.gate(EnvFilter::new("info")))
        .with(seen.clone());
    tracing::subscriber::with_default(subscriber, || f(&fixture, &seen));
}

fn live() -> Mode {
    Mode::Live {
        by: "all".to_owned(),
    }
}

fn missing(exchange: &Exchange) -> Vec<(&str, &str)> {
    let missing = exchange.missing.iter();
    missing.map(|m| (m.what.as_str(), m.why.as_str())).collect()
}

fn counts(fixture: &Fixture) -> Counts {
    let status = fixture.dashcam.status().verbose;
    assert_eq!(status.rules[0].spent, status.spent);
    status.spent
}

#[test]
fn at_once_then_recorded_then_nothing() {
    with(rule(|budget| budget.at_once = Some(1)), |fixture, seen| {
        tokio_test::block_on(fixture.serve(request(), async {
            tracing::debug!("one");
            let two = async {
                tracing::debug!("two");
                let three = async {
                    tracing::debug!("three");
                    StatusCode::INTERNAL_SERVER_ERROR
                };
                fixture.serve(request(), three).await;
                StatusCode::OK
            };
            fixture.serve(request(), two).await
        }));
        let kept = fixture.take();
        let modes: Vec<_> = kept.iter().map(|e| e.mode.clone()).collect();
        assert_eq!(modes, [Mode::Recorded, Mode::Recorded, live()]);
        assert_eq!(missing(&kept[0]), [("selection", "verbose_budget")]);
        assert_eq!(missing(&kept[1]), [("live events", "verbose_budget")]);
        assert_eq!(missing(&kept[2]), []);
        assert_eq!(kept[0].keep.len(), 1, "only because it failed");
        assert_eq!(seen.count("one"), 1);
        assert_eq!(seen.count("two") + seen.count("three"), 0);
        let spent = counts(fixture);
        assert_eq!((spent.live, spent.only_recorded, spent.refused), (1, 1, 1));
        // The places are free again.
        fixture.healthy(|| tracing::debug!("four"));
        assert_eq!(seen.count("four"), 1);
    });
}

#[test]
fn the_total_ends_the_rule() {
    with(rule(|budget| budget.total = Some(2)), |fixture, seen| {
        for _ in 0..4 {
            fixture.healthy(|| tracing::debug!("said"));
        }
        assert_eq!(fixture.take().len(), 2);
        assert_eq!(seen.count("said"), 2);
        assert_eq!(counts(fixture).refused, 2);
        // A rule of the next set with the same name and end continues the counts.
        let other = Rule::new("other", SystemTime::now() + Duration::from_secs(60));
        let other = other.when(When::new().path_prefix("/none"));
        let steering = fixture.dashcam.steering();
        steering.set_rules("another", Rules::new([other]));
        assert_eq!(steering.in_use().len(), 2);
        fixture.healthy(|| tracing::debug!("said"));
        assert_eq!(seen.count("said"), 2);
    });
}

#[test]
fn events_end_a_live_request() {
    let rule = rule(|budget| budget.events_per_second = Some(0));
    with(rule, |fixture, seen| {
        fixture.healthy(|| {
            assert!(dashcam::current().unwrap().is_live());
            tracing::info!("of the base filter");
            assert!(dashcam::current().unwrap().is_live());
            tracing::debug!("not shown");
            assert!(!dashcam::current().unwrap().is_live());
        });
        let exchange = fixture.only();
        assert_eq!(exchange.mode, live());
        assert_eq!(exchange.events.len(), 2, "both are recorded");
        let said = [("live events from some point on", "verbose_budget")];
        assert_eq!(missing(&exchange), said);
        assert_eq!(seen.count("of the base filter"), 1);
        assert_eq!(seen.count("not shown"), 0);
        assert_eq!(counts(fixture).cut_short, 1);
    });
}

#[test]
fn rules_that_record_have_budgets_too() {
    let rule = rule(|budget| budget.at_once = Some(0)).record_only();
    with(rule, |fixture, _| {
        fixture.healthy(|| tracing::debug!("x"));
        assert!(fixture.take().is_empty());
        assert_eq!(counts(fixture).refused, 1);
    });
}

/// Two rules that record: a request that the first one records does not count for the second.
#[test]
fn what_is_recorded_already_costs_no_second_rule() {
    let soon = SystemTime::now() + Duration::from_secs(3600);
    let mut budget = Budget::unlimited();
    budget.total = Some(1);
    let late = Rule::new("late", soon)
        .when(When::new().fact("late", "1"))
        .budget(budget);
    let first = Rule::new("first", soon).record_only();
    let rules = |late| Rules::new([late, first.clone()]);
    let of = |fixture: &Fixture, n: usize| fixture.dashcam.status().verbose.rules[n].spent;
    let twice = |fixture: &Fixture| {
        for _ in 0..2 {
            fixture.healthy(|| dashcam::current().unwrap().fact("late", "1"));
        }
        fixture.take()
    };
    let by = |rule: &str| Mode::Live {
        by: rule.to_owned(),
    };

    within(rules(late.clone().record_only()), |fixture, _| {
        let kept = twice(fixture);
        assert!(kept.iter().all(|exchange| missing(exchange).is_empty()));
        assert_eq!((of(fixture, 0).recorded, of(fixture, 0).refused), (0, 0));
        assert_eq!(of(fixture, 1).recorded, 2);
    });
    within(rules(late), |fixture, _| {
        let kept = twice(fixture);
        let modes: Vec<_> = kept.iter().map(|exchange| exchange.mode.clone()).collect();
        assert_eq!(modes, [by("late"), Mode::Recorded]);
        assert_eq!(missing(&kept[0]), []);
        assert_eq!(missing(&kept[1]), [("live events", "verbose_budget")]);
    });
}

/// A layer of the service that calls the steering while `tracing` calls the layer. No other rule
/// of this process needs TRACE, so the rule changes the level and `tracing` calls the layer.
#[test]
fn the_service_s_layers_may_ask_while_rules_change() {
    alone!();
    struct Asking(Steering, Arc<AtomicU32>);

    impl<S: tracing::Subscriber> tracing_subscriber::Layer<S> for Asking {
        fn max_level_hint(&self) -> Option<tracing::level_filters::LevelFilter> {
            self.1.fetch_add(1, SeqCst);
            let _ = self.0.status();
            None
        }
    }

    let (send, receive) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let fixture = Fixture::new();
        let steering = fixture.dashcam.steering().clone();
        let asked = Arc::new(AtomicU32::new(0));
        let subscriber = tracing_subscriber::registry()
            .with(Asking(steering.clone(), Arc::clone(&asked)))
            .with(fixture.dashcam.gate(EnvFilter::new("info")));
        tracing::subscriber::with_default(subscriber, || {
            let before = asked.load(SeqCst);
            let rule = rule(|_| ()).verbose("trace").unwrap();
            steering.set_rules("late", Rules::new([rule]));
            send.send(asked.load(SeqCst) - before).unwrap();
        });
    });
    let asked = receive.recv_timeout(Duration::from_secs(30));
    assert!(asked.expect("nothing is locked") > 0, "it was asked");
}

#[test]
fn a_live_request_shows_no_more_than_its_rule_lasts() {
    let end = SystemTime::now() + Duration::from_secs(1);
    let rules = Rules::new([Rule::new("all", end)]);
    within(rules, |fixture, seen| {
        fixture.healthy(|| {
            tracing::debug!("before");
            let context = dashcam::current().unwrap();
            until("the rule is over", || !context.is_live());
            tracing::debug!("after");
        });
        assert!(SystemTime::now() >= end);
        assert_eq!(fixture.only().mode, live());
        assert_eq!((seen.count("before"), seen.count("after")), (1, 0));
    });
}
