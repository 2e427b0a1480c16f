use super::{signature::target, *};
use http::Uri;

/// Of nobody who is known.
fn admit(storm: &mut Storm, signature: u64, asked: bool, now: Instant) -> Admission {
    storm.admit(signature.into(), 0, asked, now)
}

fn between(storm: &Storm) -> Between {
    storm.last().between
}

#[test]
fn first_in_full_then_heads_then_counted_and_told_later() {
    let limits = StormLimits {
        full: 2,
        heads: 1,
        sample: 0,
        ..StormLimits::default()
    };
    let mut storm = Storm::new(limits);
    let now = Instant::now();
    let mut admit = |at| admit(&mut storm, 7, false, at);
    assert_eq!(admit(now), Admission::Full { suppressed: 0 });
    assert_eq!(admit(now), Admission::Full { suppressed: 0 });
    assert_eq!(admit(now), Admission::Heads { suppressed: 0 });
    assert_eq!(admit(now), Admission::Count);
    assert_eq!(admit(now), Admission::Count);
    let later = now + limits.window;
    assert_eq!(admit(later), Admission::Full { suppressed: 2 });
}

#[test]
fn the_second_bounds_all_but_the_first_of_each() {
    let mut storm = Storm::new(StormLimits {
        full: 10,
        per_second: 1,
        ..StormLimits::default()
    });
    let now = Instant::now();
    for signature in 1..100 {
        let first = admit(&mut storm, signature, false, now);
        assert_eq!(first, Admission::Full { suppressed: 0 });
    }
    assert!(matches!(
        admit(&mut storm, 1, false, now),
        Admission::Full { .. }
    ));
    assert_eq!(admit(&mut storm, 1, true, now), Admission::Count);
    let next = now + Duration::from_secs(1);
    assert_eq!(
        admit(&mut storm, 1, true, next),
        Admission::Full { suppressed: 1 }
    );
}

#[test]
fn the_second_bounds_them_where_none_is_kept_in_full() {
    let mut storm = Storm::new(StormLimits {
        full: 0,
        per_second: 1,
        ..StormLimits::default()
    });
    let now = Instant::now();
    let kept = (0..20).filter(|_| admit(&mut storm, 7, false, now) != Admission::Count);
    assert_eq!(
        kept.count(),
        2,
        "the first of the signature, and that of the second"
    );
}

#[test]
fn heads_tell_too_what_the_second_suppressed() {
    let mut storm = Storm::new(StormLimits {
        full: 1,
        sample: 0,
        per_second: 0,
        ..StormLimits::default()
    });
    let now = Instant::now();
    admit(&mut storm, 7, false, now);
    assert_eq!(admit(&mut storm, 7, false, now), Admission::Count);
    storm.limits.per_second = 1;
    let next = now + Duration::from_secs(1);
    let heads = admit(&mut storm, 7, false, next);
    assert_eq!(heads, Admission::Heads { suppressed: 1 });
}

#[test]
fn it_tells_when_the_first_and_the_last_were_suppressed() {
    let mut storm = Storm::new(StormLimits {
        full: 1,
        heads: 0,
        sample: 0,
        ..StormLimits::default()
    });
    let now = Instant::now();
    let at = |seconds| now + Duration::from_secs(seconds);
    admit(&mut storm, 7, false, now);
    assert_eq!(between(&storm), None);
    for second in [5, 10, 20] {
        assert_eq!(admit(&mut storm, 7, false, at(second)), Admission::Count);
    }
    let full = admit(&mut storm, 7, false, at(60));
    assert_eq!(full, Admission::Full { suppressed: 3 });
    assert_eq!(between(&storm), Some((at(5), at(20))));
    storm.take_back(full, storm.last(), at(60));
    admit(&mut storm, 7, false, at(61));
    assert_eq!(between(&storm), Some((at(5), at(60))));
}

#[test]
fn what_was_taken_back_is_as_if_it_was_only_counted() {
    let mut storm = Storm::new(StormLimits {
        full: 1,
        heads: 1,
        sample: 0,
        ..StormLimits::default()
    });
    let now = Instant::now();
    for lost in 0..3 {
        let full = admit(&mut storm, 7, false, now);
        assert_eq!(full, Admission::Full { suppressed: lost });
        storm.take_back(full, storm.last(), now);
    }
    let full = admit(&mut storm, 7, false, now);
    assert_eq!(full, Admission::Full { suppressed: 3 });
    let heads = admit(&mut storm, 7, false, now);
    assert_eq!(heads, Admission::Heads { suppressed: 0 });
    storm.take_back(heads, storm.last(), now);
    let heads = admit(&mut storm, 7, false, now);
    assert_eq!(heads, Admission::Heads { suppressed: 1 });
}

#[test]
fn a_full_table_of_the_past_does_not_hold_back_what_is_new() {
    let limits = StormLimits {
        full: 1,
        heads: 0,
        sample: 0,
        ..StormLimits::default()
    };
    let mut storm = Storm::new(limits);
    let now = Instant::now();
    for signature in 1..=1_000 {
        admit(&mut storm, signature, false, now);
        assert_eq!(admit(&mut storm, signature, false, now), Admission::Count);
    }
    let later = now + limits.window;
    for signature in 2_000..2_100 {
        let first = admit(&mut storm, signature, false, later);
        assert_eq!(first, Admission::Full { suppressed: 0 });
    }
    let shared = storm.seen.get(&OVERFLOW).map(|s| s.suppressed);
    // Each had one, and those that shared from the start all but the first.
    assert_eq!(shared, Some(512 + 2 * (1_000 - 512) - 1));
}

#[test]
fn memory_is_bounded_for_any_number_of_signatures() {
    let mut storm = Storm::new(StormLimits::default());
    let now = Instant::now();
    for signature in 1..10_000 {
        admit(&mut storm, signature, false, now);
    }
    assert!(storm.seen.len() <= MAX_SIGNATURES + 1);
}

/// Failures of a minute: attackers with a thousand requests a second on some routes,
/// and twenty customers who fail once each on them. How many customers are kept in
/// full, and what that took.
fn customers_kept(attackers: u128, routes: u64, asked: bool) -> (usize, u64) {
    let mut storm = Storm::new(StormLimits::default());
    let start = Instant::now();
    let (mut kept, mut told, mut customers, mut full) = (0, 0, 0, 0);
    let mut in_second = [0_u64; 60];
    let mut count = |admission, at: usize| match admission {
        Admission::Full { suppressed } | Admission::Heads { suppressed } => {
            kept += 1;
            told += suppressed;
            in_second[at / 1000] += 1;
            full += u64::from(matches!(admission, Admission::Full { .. }));
            matches!(admission, Admission::Full { .. })
        }
        Admission::Count => false,
    };
    for n in 0..60_000_usize {
        let now = start + Duration::from_millis(n as u64);
        let route = 1 + n as u64 % routes;
        let attacker = 1 + n as u128 / u128::from(routes) % attackers;
        count(storm.admit(route.into(), attacker, asked, now), n);
        // Not all at the same moment of a second, nor of the minute.
        if n % 2_963 == 1_481 {
            let customer = 10_000 + n as u128;
            let admission = storm.admit(route.into(), customer, false, now);
            customers += usize::from(count(admission, n));
        }
    }
    let left: u64 = storm.seen.values().map(|entry| entry.suppressed).sum();
    assert_eq!(kept + told + left, 60_020, "the counts add up");
    let most = in_second.iter().max().unwrap();
    assert!(*most <= 50 + routes, "{most} in a second");
    (customers, full)
}

#[test]
fn one_peer_leaves_others_their_places() {
    for (routes, asked) in [(1, false), (10, false), (400, false), (1, true)] {
        let (customers, full) = customers_kept(1, routes, asked);
        println!("{routes} routes: {customers} of 20, {full} in full");
        assert!(customers >= 19, "{customers} of 20 with {routes} routes");
    }
}

#[test]
fn many_peers_leave_others_a_chance() {
    for routes in [1, 10, 400] {
        for attackers in [2, 100, 1_000] {
            let (customers, full) = customers_kept(attackers, routes, false);
            println!("{attackers} on {routes}: {customers} of 20, {full} in full");
            assert!(attackers > 100 || customers >= 19, "{customers}");
        }
    }
}

#[test]
fn of_many_by_one_a_sample_of_the_window_is_kept() {
    let limits = StormLimits::default();
    let mut storm = Storm::new(limits);
    let start = Instant::now();
    let (mut sampled, mut stands) = (Vec::new(), 0);
    for n in 0..60_000_u64 {
        let now = start + Duration::from_millis(n);
        let admission = admit(&mut storm, 7, false, now);
        if matches!(admission, Admission::Full { .. }) && storm.last().one_in > 1 {
            sampled.push(n);
            stands += storm.last().one_in;
        }
    }
    // Ten are expected, of all parts of the window.
    assert!((1..=20).contains(&sampled.len()), "{sampled:?}");
    assert!((3_000..200_000).contains(&stands), "{stands}");
}

#[test]
fn names_take_no_room_from_what_the_service_knows() {
    let mut storm = Storm::new(StormLimits::default());
    let now = Instant::now();
    for name in 1..=10_000 {
        let names = [
            Some((Names::Targets, name * 7 + 1_000_000)),
            Some((Names::Hosts, name + 50_000)),
        ];
        let signature = Signature {
            names,
            kind: Kind::Call,
            ..Signature::from(1)
        };
        storm.admit(signature, 0, false, now);
        let names = [Some((Names::Methods, name + 500_000)), None];
        let signature = Signature {
            names,
            ..Signature::from(2)
        };
        storm.admit(signature, 0, false, now);
    }
    assert!(storm.seen.len() < 64 + 64 + 128 + 3, "{}", storm.seen.len());
    for route in 3..500 {
        let first = admit(&mut storm, route, false, now);
        assert_eq!(first, Admission::Full { suppressed: 0 });
    }
}

#[test]
fn what_clients_leave_has_half_of_a_second() {
    let limits = StormLimits {
        per_second: 10,
        full: 100,
        ..StormLimits::default()
    };
    let mut storm = Storm::new(limits);
    let now = Instant::now();
    let abandoned = Signature {
        kind: Kind::Abandoned,
        ..Signature::from(1)
    };
    let kept = |admission| u32::from(admission != Admission::Count);
    // Beside the first of all.
    let left: u32 = (0..50)
        .map(|_| kept(storm.admit(abandoned, 0, false, now)))
        .sum();
    let failed: u32 = (0..50)
        .map(|_| kept(admit(&mut storm, 2, false, now)))
        .sum();
    assert_eq!((left, failed), (1 + 5, 1 + 5));
}

#[test]
fn paths_differ_by_words() {
    let of = |text: &'static str| target(&Uri::from_static(text), "GET");
    assert_eq!(of("/users/4711/x?a=b"), of("/users/12/x"));
    let uuid = "/users/0193f5c4-aaaa-7bbb-8ccc-0123456789ab/x";
    assert_eq!(of(uuid), of("/users/deadbeefdeadbeef/x"));
    assert_ne!(of("/users/1"), of("/orders/1"));
    assert_ne!(of("/v1/users"), of("/v2/users"));
}
