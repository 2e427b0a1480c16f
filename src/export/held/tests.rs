use super::*;
use crate::export::sample::{sample, sample_of};
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex},
};

/// The exchanges that arrived, and what the store answers now.
#[derive(Clone, Default)]
struct Store(Arc<Mutex<(Vec<String>, Says)>>);

#[derive(Clone, Copy, Default, PartialEq)]
enum Says {
    #[default]
    Yes,
    No,
    Never,
    Panics,
}

impl Store {
    fn says(&self, says: Says) {
        self.0.lock().unwrap().1 = says;
    }

    fn ids(&self) -> String {
        self.0.lock().unwrap().0.concat()
    }
}

impl Exporter for Store {
    fn export(&mut self, exchange: &Exchange) -> Result<(), ExportError> {
        let says = self.0.lock().unwrap().1;
        let error = || ExportError::new("putting").with_source(io::Error::other("no room"));
        match says {
            Says::Yes => self.0.lock().unwrap().0.push(exchange.id.clone()),
            Says::No => return Err(error()),
            Says::Never => return Err(error().permanent()),
            Says::Panics => panic!("as told"),
        }
        Ok(())
    }
}

/// How many exchanges are held, and how many are lost.
fn backlog(held: &Held<Store>) -> (u64, u64) {
    (held.held(), held.lost())
}

fn held() -> (Store, Held<Store>) {
    let store = Store::default();
    (store.clone(), Held::new(store, 3, 1 << 20))
}

#[test]
fn hands_over_in_order_once_its_time_has_come() {
    let (store, mut held) = held();
    held.export(&sample("a")).unwrap();
    store.says(Says::No);
    held.export(&sample("b")).unwrap();
    let degraded = |why: &str| Health::Degraded { why: why.into() };
    assert_eq!(held.health(), degraded("putting: no room"));
    store.says(Says::Yes);
    // It is not due: it waits behind the other one.
    held.export(&sample("c")).unwrap();
    held.tick();
    assert_eq!((store.ids(), backlog(&held)), ("a".into(), (2, 0)));
    held.waiting.make_due();
    held.tick();
    assert_eq!((store.ids(), backlog(&held)), ("abc".into(), (0, 0)));
    assert_eq!(held.health(), Health::Ok);
    store.says(Says::No);
    held.export(&sample("d")).unwrap();
    store.says(Says::Yes);
    held.waiting.make_due();
    held.export(&sample("e")).unwrap();
    assert_eq!(store.ids(), "abcde");
}

#[test]
fn waits_longer_after_every_failure() {
    let (store, mut held) = held();
    store.says(Says::No);
    held.export(&sample("a")).unwrap();
    let waits: Vec<_> = (0..7)
        .map(|_| {
            let wait = held.waiting.make_due().unwrap();
            held.tick();
            wait.as_secs()
        })
        .collect();
    assert_eq!(waits, [1, 2, 4, 8, 16, 30, 30]);
}

#[test]
fn a_flush_waits_for_no_time_and_says_whether_all_is_out() {
    let (store, mut held) = held();
    store.says(Says::No);
    held.export(&sample("a")).unwrap();
    assert!(held.flush().is_err());
    store.says(Says::Yes);
    held.flush().unwrap();
    assert_eq!((store.ids(), held.health()), ("a".into(), Health::Ok));
}

#[test]
fn what_has_no_room_is_counted() {
    let (store, mut held) = held();
    store.says(Says::No);
    for id in ["a", "b", "c", "d", "e"] {
        held.export(&sample(id)).unwrap();
    }
    assert_eq!(backlog(&held), (3, 2));
    // The size is limited, too.
    held.export(&sample_of("f", 1 << 19)).unwrap();
    held.export(&sample_of("g", 1 << 19)).unwrap();
    assert_eq!(backlog(&held), (1, 6));
    assert!(held.export(&sample_of("h", 1 << 20)).is_err());
    assert_eq!(backlog(&held), (1, 6));
    store.says(Says::Yes);
    held.flush().unwrap();
    assert_eq!(store.ids(), "g");
}

#[test]
fn what_is_refused_for_good_holds_nothing_back() {
    let (store, mut held) = held();
    store.says(Says::Never);
    assert!(held.export(&sample("a")).is_err());
    assert_eq!((backlog(&held), held.health()), ((0, 0), Health::Ok));
    store.says(Says::No);
    held.export(&sample("b")).unwrap();
    store.says(Says::Never);
    held.flush().unwrap();
    assert_eq!((backlog(&held), held.health()), ((0, 1), Health::Ok));
}

#[test]
fn what_panics_is_given_up() {
    let (store, mut held) = held();
    store.says(Says::No);
    held.export(&sample("a")).unwrap();
    held.export(&sample("b")).unwrap();
    store.says(Says::Panics);
    assert!(catch_unwind(AssertUnwindSafe(|| held.flush())).is_err());
    store.says(Says::Yes);
    held.flush().unwrap();
    assert_eq!((store.ids(), backlog(&held)), ("b".into(), (0, 1)));
}
