use super::{
    signature::{Names, target},
    table::MAX_ROUTES,
    *,
};
use fastrand::Rng;
use http::Uri;
use std::{collections::BTreeMap, hash::BuildHasher};

impl From<u64> for Signature {
    fn from(route: u64) -> Self {
        Self {
            route,
            names: [None; 3],
            kind: Kind::Failed,
        }
    }
}

impl Signature {
    fn chosen(mut self, names: Names, name: u64) -> Self {
        self.names = [Some((names, KEYS.hash_one((self.route, name)))), None, None];
        self
    }
}

/// Of an unknown peer.
fn admit(storm: &mut Storm, signature: u64, asked: bool, now: Instant) -> Admission {
    storm.admit(signature.into(), 0, asked, now)
}

fn limits(full: u64, heads: u64, sample: u64) -> StormLimits {
    StormLimits {
        full,
        heads,
        sample,
        ..StormLimits::default()
    }
}

#[test]
fn first_in_full_then_heads_then_counted_and_told_later() {
    let limits = limits(2, 1, 0);
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
fn the_second_bounds_all_and_the_first_of_each() {
    let mut storm = Storm::new(StormLimits {
        full: 10,
        per_second: 3,
        ..StormLimits::default()
    });
    let now = Instant::now();
    let kept = |admission| usize::from(admission != Admission::Count);
    let of_one: usize = (0..100)
        .map(|_| kept(admit(&mut storm, 1, false, now)))
        .sum();
    assert_eq!(of_one, 3);
    assert_eq!(admit(&mut storm, 1, true, now), Admission::Count);
    let firsts: usize = (2..100)
        .map(|route| kept(admit(&mut storm, route, false, now)))
        .sum();
    assert_eq!(firsts, 50);
    // A failure that is not kept is still the first of its kind.
    let next = now + Duration::from_secs(1);
    assert_eq!(
        admit(&mut storm, 99, false, next),
        Admission::Full { suppressed: 1 }
    );
}

#[test]
fn heads_tell_too_what_the_second_suppressed() {
    let mut storm = Storm::new(StormLimits {
        per_second: 1,
        ..limits(1, 20, 0)
    });
    let now = Instant::now();
    admit(&mut storm, 7, false, now);
    assert_eq!(admit(&mut storm, 7, false, now), Admission::Count);
    let next = now + Duration::from_secs(1);
    let heads = admit(&mut storm, 7, false, next);
    assert_eq!(heads, Admission::Heads { suppressed: 1 });
}

#[test]
fn it_tells_when_the_first_and_the_last_were_suppressed() {
    let mut storm = Storm::new(limits(1, 0, 0));
    let now = Instant::now();
    let at = |seconds| now + Duration::from_secs(seconds);
    admit(&mut storm, 7, false, now);
    assert_eq!(storm.last().between(), None);
    for second in [5, 10, 20] {
        assert_eq!(admit(&mut storm, 7, false, at(second)), Admission::Count);
    }
    let full = admit(&mut storm, 7, false, at(60));
    assert_eq!(full, Admission::Full { suppressed: 3 });
    assert_eq!(storm.last().between(), Some((at(5), at(20))));
    storm.take_back(storm.last(), at(60));
    admit(&mut storm, 7, false, at(61));
    assert_eq!(storm.last().between(), Some((at(5), at(60))));
}

#[test]
fn what_was_taken_back_is_as_if_it_was_only_counted() {
    let mut storm = Storm::new(limits(1, 1, 0));
    let now = Instant::now();
    for lost in 0..3 {
        let full = admit(&mut storm, 7, false, now);
        assert_eq!(full, Admission::Full { suppressed: lost });
        storm.take_back(storm.last(), now);
    }
    let full = admit(&mut storm, 7, false, now);
    assert_eq!(full, Admission::Full { suppressed: 3 });
    let heads = admit(&mut storm, 7, false, now);
    assert_eq!(heads, Admission::Heads { suppressed: 0 });
    storm.take_back(storm.last(), now);
    let heads = admit(&mut storm, 7, false, now);
    assert_eq!(heads, Admission::Heads { suppressed: 1 });
}

/// Plays requests, and counts the results.
struct World {
    storm: Storm,
    start: Instant,
    requests: BTreeMap<u64, u64>,
    accounted: BTreeMap<u64, u64>,
    /// For each second.
    kept: BTreeMap<u64, u64>,
}

impl World {
    fn new(limits: StormLimits) -> Self {
        Self {
            storm: Storm::new(limits),
            start: Instant::now(),
            requests: BTreeMap::new(),
            accounted: BTreeMap::new(),
            kept: BTreeMap::new(),
        }
    }

    /// Returns whether it is kept in full, and one in how many is.
    fn request(&mut self, at: u64, signature: Signature, peer: u128, asked: bool) -> Option<u64> {
        let now = self.start + Duration::from_millis(at);
        let route = signature.route;
        *self.requests.entry(route).or_default() += 1;
        let admission = self.storm.admit(signature, peer, asked, now);
        let (Admission::Full { suppressed } | Admission::Heads { suppressed }) = admission else {
            return None;
        };
        *self.accounted.entry(route).or_default() += 1 + suppressed;
        *self.kept.entry(at / 1000).or_default() += 1;
        let full = matches!(admission, Admission::Full { .. });
        full.then_some(self.storm.last().one_in)
    }

    /// For each route, kept, reported and unreported failures add up.
    #[track_caller]
    fn assert_adds_up(&self) {
        let mut accounted = self.accounted.clone();
        for (route, untold) in self.storm.table.untold() {
            if untold > 0 {
                *accounted.entry(route).or_default() += untold;
            }
        }
        assert_eq!(accounted, self.requests);
    }

    fn most_in_a_second(&self) -> u64 {
        self.kept.values().copied().max().unwrap_or_default()
    }
}

/// When attackers send, on which routes.
#[derive(Clone, Copy, Debug)]
enum Attack {
    /// This many requests a second, in turn.
    Even(u64),
    /// All at once, this many each, every this many milliseconds.
    Bursts(u64, u64),
    /// One after another, each for this many milliseconds, a thousand a second.
    Rotating(u64),
    /// All once over five seconds, and again this many milliseconds later, and so on.
    Rounds(u64),
    /// This many at once, and the next ones this many milliseconds later.
    Groups(u64, u64),
    /// The same, with four others at a thousand requests a second.
    Beside(u64, u64),
    /// This many, at any time of each minute.
    Random(u64),
}

impl Attack {
    /// Who sends in this millisecond.
    fn at(self, at: u64, attackers: u64, rng: &mut Rng) -> Vec<u64> {
        match self {
            Self::Even(rate) => {
                let sent = |at| at * rate / 1000;
                (sent(at)..sent(at + 1)).map(|n| n % attackers).collect()
            }
            Self::Bursts(each, pause) if at.is_multiple_of(pause) => {
                (0..attackers * each).map(|n| n % attackers).collect()
            }
            Self::Rotating(turn) => vec![at / turn % attackers],
            Self::Rounds(pause) => {
                let (each, at) = (5_000 / attackers, at % (5_000 + pause));
                let one = at < 5_000 && at % each.max(1) == 0;
                one.then(|| at / each.max(1)).into_iter().collect()
            }
            Self::Groups(size, pause) if at.is_multiple_of(pause) => {
                let first = at / pause * size;
                (first..first + size).map(|n| n % attackers).collect()
            }
            Self::Bursts(..) | Self::Groups(..) => Vec::new(),
            Self::Beside(size, pause) => {
                let first = at / pause * size;
                let others = attackers.saturating_sub(4).max(1);
                let group = (first..first + size).filter(|_| at % pause == 50);
                [at % 4]
                    .into_iter()
                    .chain(group.map(|n| 4 + n % others))
                    .collect()
            }
            Self::Random(each) => {
                let all = attackers * each;
                let n = all / 60_000 + u64::from(rng.u64(..60_000) < all % 60_000);
                (0..n).map(|_| rng.u64(..attackers)).collect()
            }
        }
    }
}

/// `DASHCAM_LONG=1` plays all patterns.
fn is_long() -> bool {
    std::env::var_os("DASHCAM_LONG").is_some_and(|v| v == "1")
}

const CUSTOMERS: u64 = 20;

/// Returns, for some minutes, how many of twenty customers are kept in full. Each fails
/// once a minute on each of their routes, at any second.
fn customers_kept(attackers: u64, attack: Attack, routes: u64, each: u64, seed: u64) -> Vec<u64> {
    let mut rng = Rng::with_seed(seed);
    fastrand::seed(seed);
    let mut world = World::new(StormLimits::default());
    let mut plan: Vec<(u64, u64, u64)> = Vec::new();
    let minutes = if is_long() { 10 } else { 4 };
    for minute in 0..minutes {
        for customer in 0..CUSTOMERS {
            for n in 0..each {
                let at = minute * 60_000 + rng.u64(..60_000);
                plan.push((at, customer, (customer + n) % routes));
            }
        }
    }
    plan.sort_unstable();
    let mut kept = vec![0; minutes as usize];
    let mut next = plan.into_iter().peekable();
    let mut sent = 0;
    for at in 0..minutes * 60_000 {
        for attacker in attack.at(at, attackers, &mut rng) {
            sent += 1;
            let route = 1 + sent / attackers % routes;
            world.request(at, route.into(), 1 + u128::from(attacker), false);
        }
        while let Some((_, customer, route)) = next.next_if(|(when, ..)| *when <= at) {
            let peer = 1_000_000 + u128::from(customer);
            let full = world.request(at, (1 + route).into(), peer, false);
            kept[(at / 60_000) as usize] += u64::from(full.is_some());
        }
    }
    world.assert_adds_up();
    assert!(
        world.most_in_a_second() <= 2 * 50,
        "{}",
        world.most_in_a_second()
    );
    println!("{attackers} {attack:?} on {routes}, {each} each: {kept:?}");
    kept
}

/// All patterns.
fn attacks() -> impl Iterator<Item = Attack> {
    let even = [1, 5, 20, 50, 215, 1_000].map(Attack::Even);
    let bursts = [
        (1, 15_000),
        (1, 27_000),
        (1, 46_000),
        (2, 7_500),
        (10, 1_000),
        (60, 61_000),
    ];
    let bursts = bursts.map(|(each, pause)| Attack::Bursts(each, pause));
    let others = [
        Attack::Rotating(600),
        Attack::Rotating(7),
        Attack::Rounds(27_000),
        Attack::Rounds(40_100),
        Attack::Groups(50, 3_750),
        Attack::Groups(50, 5_000),
        Attack::Groups(26, 2_600),
        Attack::Groups(13, 1_000),
        Attack::Beside(38, 4_000),
        Attack::Beside(25, 2_650),
        Attack::Beside(12, 1_000),
        Attack::Random(1),
        Attack::Random(2),
        Attack::Random(20),
        Attack::Random(500),
    ];
    even.into_iter().chain(bursts).chain(others)
}

/// All of these with `DASHCAM_LONG`, else one.
fn some<T: Copy>(all: &[T], of: usize) -> Vec<T> {
    match is_long() {
        true => all.to_vec(),
        false => vec![all[of % all.len()]],
    }
}

#[test]
fn one_peer_leaves_others_their_places() {
    for (n, attack) in attacks().enumerate() {
        for (routes, each) in some(&[(1, 1), (3, 1), (3, 3), (8, 8), (400, 1)], n) {
            for kept in customers_kept(1, attack, routes, each, n as u64) {
                assert!(kept >= 19 * each, "{kept} beside {attack:?} on {routes}");
            }
        }
    }
}

#[test]
fn many_peers_leave_others_a_chance() {
    for (n, attack) in attacks().enumerate() {
        for routes in some(&[1, 4, 40, 400], n) {
            for kept in customers_kept(100, attack, routes, 1, n as u64) {
                assert!(kept >= 10, "{kept} beside {attack:?} on {routes}");
            }
        }
    }
}

/// A million networks of one provider's customer, and a customer elsewhere.
#[test]
fn a_wide_network_is_no_crowd() {
    let mut world = World::new(StormLimits::default());
    let mut rng = Rng::with_seed(1);
    let mut kept = 0;
    for at in 0..60_000 {
        let hosts = 1 << 64 | 0x2001_0db8_0000_0000 | u128::from(rng.u64(..1 << 20));
        world.request(at, 1.into(), hosts, false);
        if at % 3_000 == 1_500 {
            let customer = 1 << 64 | 0x2001_0db9_0000_0000 | u128::from(at);
            kept += u64::from(world.request(at, 1.into(), customer, false).is_some());
        }
    }
    // Except those of the first moment.
    assert!(kept >= 16, "{kept}");
    world.assert_adds_up();
}

/// If all fail, each has a chance, and the records have it.
#[test]
fn of_a_crowd_some_are_kept_with_a_known_chance() {
    fastrand::seed(1);
    for routes in [1, 100] {
        let mut world = World::new(StormLimits::default());
        let (mut kept, mut stands) = ([0; 6], 0);
        for n in 0..120_000_u64 {
            let one_in = world.request(n / 2, (1 + n % routes).into(), 1 + u128::from(n), false);
            stands += one_in.unwrap_or_default();
            kept[(n / 20_000) as usize] += u64::from(one_in.is_some());
        }
        println!("{routes}: {kept:?} for {stands}");
        assert!(kept.iter().all(|kept| *kept > 0), "{kept:?}");
        assert!((40_000..360_000).contains(&stands), "{stands}");
        world.assert_adds_up();
    }
}

#[test]
fn of_many_by_one_a_sample_of_the_window_is_kept() {
    fastrand::seed(1);
    let mut world = World::new(StormLimits::default());
    let (mut sampled, mut stands) = (Vec::new(), 0);
    for n in 0..60_000_u64 {
        if let Some(one_in) = world.request(n, 7.into(), 0, false).filter(|n| *n > 1) {
            sampled.push(n);
            stands += one_in;
        }
    }
    // Ten are expected, of all parts of the window.
    assert!((1..=20).contains(&sampled.len()), "{sampled:?}");
    assert!((3_000..200_000).contains(&stands), "{stands}");
}

/// Unknown peers have all places if they are alone, and leave some to known peers.
#[test]
fn who_is_not_known_is_one_of_those_who_are() {
    let mut world = World::new(StormLimits::default());
    let in_a_second = |world: &mut World, from: u64, peers: bool| {
        let (mut unknown, mut known) = (0, 0);
        for n in 0..1_000 {
            unknown += u64::from(world.request(from + n, 1.into(), 0, true).is_some());
            let peer = 1 + u128::from(n);
            if peers && n % 50 == 49 {
                known += u64::from(world.request(from + n, 1.into(), peer, true).is_some());
            }
        }
        (unknown, known)
    };
    assert_eq!(in_a_second(&mut world, 0, false), (50, 0));
    in_a_second(&mut world, 1_000, true);
    let (unknown, known) = in_a_second(&mut world, 2_000, true);
    assert!(unknown <= 13 && known == 20, "{unknown} {known}");
}

#[test]
fn what_clients_leave_has_half_of_a_second() {
    let mut storm = Storm::new(StormLimits {
        per_second: 10,
        ..limits(100, 20, 10)
    });
    let now = Instant::now();
    let abandoned = Signature {
        kind: Kind::Abandoned,
        ..Signature::from(1)
    };
    let kept = |admission| u32::from(admission != Admission::Count);
    let left: u32 = (0..50)
        .map(|_| kept(storm.admit(abandoned, 0, false, now)))
        .sum();
    let failed: u32 = (0..50)
        .map(|_| kept(admit(&mut storm, 2, false, now)))
        .sum();
    assert_eq!((left, failed), (5, 5));
}

/// Names that a client makes up count with their route, and do not affect other routes.
#[test]
fn names_take_no_room_from_what_the_service_knows() {
    let mut world = World::new(StormLimits::default());
    for name in 1..=20_000 {
        let names = [Names::Chosen, Names::Hosts, Names::None][name as usize % 3];
        let signature = Signature::from(1 + name % 20).chosen(names, name);
        world.request(name / 10, signature, 1, false);
    }
    assert!(
        world.most_in_a_second() <= 2 * 50,
        "{}",
        world.most_in_a_second()
    );
    for route in 21..500 {
        let at = 3_000 + route * 40;
        let first = world.request(at, Signature::from(route).chosen(Names::None, 1), 0, false);
        assert_eq!(first, Some(1));
    }
    assert!(world.storm.table.len() <= 1024 + 128 + 384 + 500);
    // Exchanges of the same route report all of them over the next windows.
    for minute in 1..5 {
        for route in 1..21 {
            for name in 0..100 {
                let names = [Names::Chosen, Names::None][name as usize % 2];
                let signature = Signature::from(route).chosen(names, minute * 1_000_000 + name);
                world.request(minute * 60_000 + name * 100, signature, 1, false);
            }
        }
    }
    world.assert_adds_up();
}

#[test]
fn the_bounds_hold_in_every_setting() {
    let second = Duration::from_secs(1);
    let windows = [
        Duration::ZERO,
        Duration::from_nanos(1),
        second / 200,
        60 * second,
        Duration::MAX,
    ];
    for window in windows {
        for (full, heads, sample, per_second) in [
            (0, 0, 0, 0),
            (0, 1000, 0, 50),
            (3, 20, 10, 0),
            (3, 20, 10, 1),
            (3, 20, 10, 50),
            (u64::MAX, u64::MAX, u64::MAX, 50),
            (u64::MAX, u64::MAX, u64::MAX, u64::MAX),
        ] {
            for peers in [1, 2, 3_000] {
                let mut world = World::new(StormLimits {
                    window,
                    full,
                    heads,
                    sample,
                    per_second,
                });
                for n in 0..12_000 {
                    let names = [Names::Chosen, Names::Hosts, Names::None][n as usize % 3];
                    let signature = Signature::from(1 + n % 7).chosen(names, n % 700);
                    // The last one is not known.
                    let peer = u128::from((n + 1) % peers);
                    world.request(n / 4, signature, peer, n % 11 == 0);
                }
                let most = world.most_in_a_second();
                assert!(
                    most <= per_second.saturating_add(per_second.max(50)),
                    "{most} of {:?}",
                    world.storm.limits
                );
                assert!(world.storm.table.len() <= 7 * (1 + 32 + 16 + 64));
                world.assert_adds_up();
            }
        }
    }
}

#[test]
fn where_there_are_more_routes_than_are_told_apart_all_adds_up() {
    let mut world = World::new(StormLimits::default());
    for n in 0..30_000 {
        world.request(n * 10, (1 + n % 5_000).into(), 1, false);
    }
    assert!(world.storm.table.len() <= MAX_ROUTES + 1);
    let told: u64 = world.accounted.values().sum();
    let untold: u64 = world.storm.table.untold().values().sum();
    assert_eq!(told + untold, 30_000);
}

#[test]
fn what_is_forgotten_makes_room_for_what_is_new() {
    let mut storm = Storm::new(limits(1, 0, 0));
    let now = Instant::now();
    for route in 1..=2_000 {
        admit(&mut storm, route, false, now);
    }
    let later = |n: u64| now + Duration::from_secs(120 + n);
    // Reported ones are gone; the others wait for an exchange that reports them.
    for route in 1..=MAX_ROUTES as u64 {
        admit(&mut storm, route, false, later(route));
    }
    for route in 5_000..5_100 {
        let first = admit(&mut storm, route, false, later(5_000));
        assert_eq!(first, Admission::Full { suppressed: 0 });
    }
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
