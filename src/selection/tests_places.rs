//! Places among verbose requests, taken while requests end.

use super::{
    tests::{Request, later},
    *,
};
use crate::{
    context::{Mode, RequestContext},
    id::Identity,
};
use std::time::{Instant, SystemTime};

fn context() -> RequestContext {
    let identity = Identity::default();
    RequestContext::new(identity, Instant::now(), SystemTime::now(), None)
}

fn live(steering: &Steering) -> u64 {
    steering.status().spent.live
}

/// The request ends between the question whether it runs and the note of its place.
#[test]
fn a_request_that_ends_meanwhile_keeps_no_place() {
    let mut budget = Budget::unlimited();
    budget.at_once = Some(1);
    let rule = Rule::new("all", later()).budget(budget);
    let steering = Steering::new().rules(Rules::new([rule]));
    let select = |context: &RequestContext| {
        let request = Request::new();
        let set = steering.set();
        let mut pending = Pending::default();
        let selected = set.evaluate(&request.arrival(), &mut pending);
        context.select(selected.expect("all are selected"))
    };
    let ended = context();
    let notes = ended.shared().notes();
    std::thread::scope(|scope| {
        scope.spawn(|| select(&ended));
        while live(&steering) == 0 {
            std::thread::yield_now();
        }
        // As the end of the flight does it.
        ended.raise(Mode::FINISHED);
        ended.release();
        drop(notes);
    });
    assert!(ended.shared().notes().chosen.hold.is_none());
    assert!(select(&context()), "the place is free");
    assert_eq!(live(&steering), 2);
}

/// Two threads state what two rules wait for.
#[test]
fn of_two_selections_at_once_one_has_the_request() {
    let rules = ["one", "other"].map(|name| Rule::new(name, later()));
    let steering = Steering::new().rules(Rules::new(rules));
    let (context, set) = (context(), steering.set());
    let notes = context.shared().notes();
    let made_live: usize = std::thread::scope(|scope| {
        let threads: Vec<_> = set
            .entries()
            .iter()
            .map(|entry| scope.spawn(|| usize::from(context.select(entry.selected()))))
            .collect();
        while live(&steering) < 2 {
            std::thread::yield_now();
        }
        drop(notes);
        threads.into_iter().map(|t| t.join().unwrap()).sum()
    });
    assert_eq!(made_live, 1);
    let live = &context.shared().in_force.live.get().unwrap().by;
    let selected = context.shared().notes().chosen.selected.clone();
    assert_eq!(*live, selected.unwrap().by);
}
