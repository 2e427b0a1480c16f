//! Odd clients against a bare server and against the same one with dashcam around it: every byte
//! is the same, and so is the end of the connection. Only the ID may differ, and the response to a
//! panic.

mod frames;
mod http1;
mod http2;
mod mutants;
mod rig;
mod service;
mod text;

use crate::support_net::{DEADLINE, holds, keeping_all, keeping_all_with};
use axum::Router;
use dashcam::selection::{Budget, Rule, Rules};
use futures_util::{StreamExt, stream};
use rig::{Case, Difference, Protocol};
use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime},
};

/// This many connections at once, so that waits do not add up.
const AT_ONCE: usize = 40;

/// The longest wait for a fault that delays for ever.
const FAULT: Duration = Duration::from_secs(2);

fn counted() -> (Arc<AtomicU64>, Router) {
    let asked = Arc::new(AtomicU64::new(0));
    let service = service::service(&asked);
    (asked, service)
}

async fn compare_all(cases: Vec<Case>) {
    let names: BTreeSet<_> = cases.iter().map(|case| case.name).collect();
    assert_eq!(names.len(), cases.len(), "each case has its own name");

    let (_, bare) = counted();
    let (asked_by_layered, service) = counted();
    let dashcam = keeping_all();
    let layered = service.layer(dashcam.layer());
    let (asked_by_verbose, service) = counted();
    let rule = Rule::new("all", SystemTime::now() + Duration::from_secs(3600))
        .budget(Budget::unlimited())
        .verbose("trace")
        .unwrap();
    let verbose = keeping_all_with(|builder| {
        builder
            .rules(Rules::new([rule]))
            .verbose_budget(Budget::unlimited())
    });
    let panics_go_on = verbose.layer().propagate_panics();
    let loud = service.layer(panics_go_on);

    let different: Vec<Difference> = stream::iter(&cases)
        .map(|case| async {
            let seen = rig::bare(&bare, case).await;
            // If panics propagate, they end as without the layer.
            let as_bare = Case {
                answered: None,
                ..case.clone()
            };
            let (layered, loud) = tokio::join!(
                rig::compare(&layered, case, (&bare, &seen), DEADLINE),
                rig::compare(&loud, &as_bare, (&bare, &seen), DEADLINE),
            );
            layered.into_iter().chain(loud)
        })
        .buffered(AT_ONCE)
        .flat_map(stream::iter)
        .collect()
        .await;
    for Difference { name, text } in &different {
        println!("{name}: {text}");
    }
    assert!(different.is_empty(), "{} differ", different.len());

    // Nothing of the requests is left, and none is missing.
    for dashcam in [&dashcam, &verbose] {
        holds("no request under way", || dashcam.status().in_flight == 0).await;
    }
    assert!(verbose.status().verbose.spent.live > 0, "none was verbose");
    for (dashcam, asked) in [(&dashcam, asked_by_layered), (&verbose, asked_by_verbose)] {
        assert_eq!(dashcam.status().finished, asked.load(Ordering::Relaxed));
    }
}

#[tokio::test]
async fn http1_is_the_same_with_and_without() {
    let cases = http1::cases();
    println!("{} cases", cases.len());
    assert!(cases.len() >= 280, "{}", cases.len());
    compare_all(cases).await;
}

#[tokio::test]
async fn http2_is_the_same_with_and_without() {
    let scripts = http2::scripts();
    println!("{} scripts", scripts.len());
    assert!(scripts.len() >= 100, "{}", scripts.len());
    compare_all(scripts).await;
}

/// The cases for a fault detect it. Without a fault, none differs.
#[tokio::test]
async fn what_a_layer_gets_wrong_is_noticed() {
    let known: Vec<_> = http1::cases().into_iter().chain(http2::scripts()).collect();
    let (_, service) = counted();
    let mut missed = Vec::new();
    let mutants = mutants::mutants();
    let tried = mutants.iter().flat_map(|mutant| {
        let (http1, http2) = mutant.noticed;
        let http1 = http1.iter().map(|name| (Protocol::Http1, *name));
        let http2 = http2.iter().map(|name| (Protocol::Http2, *name));
        http1.chain(http2).map(move |case| (mutant, case))
    });
    let tried: Vec<_> = stream::iter(tried)
        .map(|(mutant, (protocol, name))| {
            let case = known
                .iter()
                .find(|case| (case.protocol, case.name) == (protocol, name))
                .expect(name);
            // The fault itself must show, not a response to it.
            let case = Case {
                answered: None,
                ..case.clone()
            };
            let service = service.clone();
            async move {
                let bare = rig::bare(&service, &case).await;
                let same = rig::compare(&service, &case, (&service, &bare), DEADLINE).await;
                assert!(same.is_none(), "{name} differs without a fault");
                let faulty = (mutant.change)(service.clone());
                let noticed = rig::compare(&faulty, &case, (&service, &bare), FAULT).await;
                (mutant.name, name, noticed.is_some())
            }
        })
        .buffered(AT_ONCE)
        .collect()
        .await;
    for (fault, name, noticed) in tried {
        if !noticed {
            missed.push((fault, name));
        }
    }
    assert!(missed.is_empty(), "{missed:?}");
}
