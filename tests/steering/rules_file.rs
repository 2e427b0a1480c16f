//! Rules in real files, written in all usual ways, and swapped under load.

use crate::support_gate::{Body, Fixture, Output, Seen, messages, until};
use dashcam::{
    exchange::{KeepReason, Mode},
    selection::{Budget, Rule, RuleSource, Rules, RulesFile, Text, When},
};
use http::{Request, StatusCode};
use std::{
    fs,
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering::SeqCst},
    time::{Duration, SystemTime},
};
use tracing::Dispatch;
use tracing_subscriber::{EnvFilter, prelude::*};

/// A directory of its own for each test.
struct Directory(PathBuf);

impl Directory {
    fn new(name: &str) -> Self {
        let name = format!("dashcam-rules-{}-{name}", std::process::id());
        let path = std::env::temp_dir().join(name);
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn text(name: &str) -> String {
    format!(
        "[[rule]]\nname = \"{name}\"\nexpires = 2100-01-01T00:00:00Z\nwhen = {{ path = \"/x\" }}\n"
    )
}

/// The names of the rules that two polls return.
fn settled(file: &mut RulesFile) -> Option<Vec<String>> {
    assert!(matches!(file.poll(), Ok(None)), "one look is not enough");
    let rules = file.poll().unwrap().expect("two looks are enough");
    let names = rules.iter().map(|rule| rule.name().to_owned()).collect();
    (!is_gone(&rules)).then_some(names)
}

/// Whether these are the rules of a missing file.
fn is_gone(rules: &Rules) -> bool {
    rules.is_empty() && rules.problem().is_some()
}

fn polls_gone(file: &mut RulesFile) -> bool {
    matches!(file.poll(), Ok(Some(rules)) if is_gone(&rules))
}

fn polls_rules(file: &mut RulesFile) -> bool {
    matches!(file.poll(), Ok(Some(rules)) if !is_gone(&rules))
}

fn renamed(path: &Path, text: &str) {
    let new = path.with_extension("new");
    fs::write(&new, text).unwrap();
    fs::rename(new, path).unwrap();
}

/// Behind a link that is swapped.
fn linked(path: &Path, text: &str) {
    let target = path.with_extension("target");
    fs::write(&target, text).unwrap();
    let new = path.with_extension("new");
    #[cfg(unix)]
    std::os::unix::fs::symlink(&target, &new).unwrap();
    #[cfg(not(unix))]
    fs::rename(&target, &new).unwrap();
    fs::rename(new, path).unwrap();
}

#[test]
fn each_way_of_writing() {
    let directory = Directory::new("ways");
    let path = directory.file("rules.toml");
    let mut file = RulesFile::new(&path);
    assert!(polls_gone(&mut file), "missing at the start");
    assert!(matches!(file.poll(), Ok(None)));

    fs::write(&path, text("created")).unwrap();
    assert_eq!(settled(&mut file).unwrap(), ["created"]);
    assert!(matches!(file.poll(), Ok(None)));

    renamed(&path, &text("renamed"));
    assert_eq!(settled(&mut file).unwrap(), ["renamed"]);

    // The same length, and the same time.
    let time = fs::metadata(&path).unwrap().modified().unwrap();
    fs::write(&path, text("inplace")).unwrap();
    fs::File::options()
        .write(true)
        .open(&path)
        .unwrap()
        .set_modified(time)
        .unwrap();
    assert_eq!(settled(&mut file).unwrap(), ["inplace"]);

    // An editor that moves the old file away first.
    fs::rename(&path, directory.file("rules.toml~")).unwrap();
    assert!(matches!(file.poll(), Ok(None)));
    fs::write(&path, text("editor")).unwrap();
    assert_eq!(settled(&mut file).unwrap(), ["editor"]);

    fs::remove_file(&path).unwrap();
    assert_eq!(settled(&mut file), None, "deleted");
    assert!(matches!(file.poll(), Ok(None)), "reported once");
    fs::write(&path, text("back")).unwrap();
    assert_eq!(settled(&mut file).unwrap(), ["back"]);

    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    let _ = file.poll();
    assert!(file.poll().is_err(), "a directory is no file");
}

#[cfg(unix)]
#[test]
fn a_config_map() {
    use std::os::unix::fs::symlink;
    let directory = Directory::new("config-map");
    let swap = |version: &str, name: &str| {
        let data = directory.file(version);
        fs::create_dir(&data).unwrap();
        fs::write(data.join("rules.toml"), text(name)).unwrap();
        symlink(version, directory.file("..data_tmp")).unwrap();
        fs::rename(directory.file("..data_tmp"), directory.file("..data")).unwrap();
    };
    swap("..2026_01", "one");
    let path = directory.file("rules.toml");
    symlink("..data/rules.toml", &path).unwrap();
    let mut file = RulesFile::new(&path);
    assert!(polls_rules(&mut file), "at once at the start");
    swap("..2026_02", "two");
    assert_eq!(settled(&mut file).unwrap(), ["two"]);
    fs::remove_dir_all(directory.file("..2026_01")).unwrap();
    assert!(matches!(file.poll(), Ok(None)));
}

#[test]
fn what_is_half_written_or_bad_is_not_taken() {
    let directory = Directory::new("bad");
    let path = directory.file("rules.toml");
    fs::write(&path, text("good")).unwrap();
    let mut file = RulesFile::new(&path);
    assert!(polls_rules(&mut file));
    // A prefix that is there for one poll is not used, even if it parses.
    let whole = format!("{}{}", text("one"), text("two"));
    for end in 0..whole.len() {
        fs::write(&path, &whole[..end]).unwrap();
        assert!(matches!(file.poll(), Ok(None)), "{end}");
    }
    fs::write(&path, &whole).unwrap();
    assert_eq!(settled(&mut file).unwrap(), ["one", "two"]);

    fs::write(&path, text("bad").replace("when", "wen")).unwrap();
    let _ = file.poll();
    let problem = file.poll().expect_err("it is bad").to_string();
    let expected = "rules.toml:4:1: rule[0].wen: unknown field `wen`";
    assert!(problem.contains(expected), "{problem}");
    assert!(matches!(file.poll(), Ok(None)), "reported once");

    fs::write(&path, "# only a remark\n").unwrap();
    assert_eq!(settled(&mut file).unwrap(), [""; 0]);
    fs::write(&path, vec![b'#'; (1 << 20) + 1]).unwrap();
    let _ = file.poll();
    assert!(file.poll().is_err(), "too large");
    fs::write(&path, b"\xff\xfe").unwrap();
    let _ = file.poll();
    assert!(file.poll().is_err(), "no text");
    // Although the text is cut within a character there.
    fs::write(&path, "é".repeat(1 << 20)).unwrap();
    let error = RulesFile::read(&path).unwrap_err().to_string();
    assert!(error.contains("larger than 1 MiB"), "{error}");

    let json = directory.file("rules.json");
    fs::write(
        &json,
        r#"{"rule":[{"name":"j","expires":"2100-01-01T00:00:00Z","when":{}}]}"#,
    )
    .unwrap();
    assert_eq!(RulesFile::read(&json).unwrap().len(), 1);
    assert!(RulesFile::read(directory.file("none")).is_err());
}

/// Opening or reading none of them blocks for ever.
#[cfg(unix)]
#[test]
fn what_is_no_regular_file_is_refused() {
    use std::os::unix::fs::symlink;
    let directory = Directory::new("special");
    let (pipe, circle) = (directory.file("pipe.toml"), directory.file("circle.toml"));
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.unwrap().success());
    symlink(&circle, &circle).unwrap();
    let zero = directory.file("zero.toml");
    symlink("/dev/zero", &zero).unwrap();
    for path in [&pipe, &circle, &zero] {
        let mut file = RulesFile::new(path);
        assert!(file.poll().is_err(), "{path:?}");
        let error = RulesFile::read(path).unwrap_err().to_string();
        assert!(error.contains(path.to_str().unwrap()), "{error}");
    }
    // A link to nothing counts as a missing file.
    let link = directory.file("link.toml");
    symlink("none.toml", &link).unwrap();
    assert!(polls_gone(&mut RulesFile::new(&link)));
}

fn get(path: &str) -> Request<Body> {
    Request::get(path).body(Body::default()).unwrap()
}

/// A file is edited while the service runs, damaged, and deleted.
#[test]
fn verbose_for_one_tenant_by_editing_a_file() {
    let directory = Directory::new("tenant");
    let path = directory.file("rules.toml");
    let fixture = Fixture::with(|builder| {
        builder.rule_source(RulesFile::new(&path).every(Duration::from_millis(1)))
    });
    let seen = Seen::default();
    let subscriber = tracing_subscriber::registry()
        .with(fixture.dashcam.gate(EnvFilter::new("info")))
        .with(seen.clone());
    let steering = fixture.dashcam.steering().clone();
    let in_use = |name: &'static str| {
        let steering = steering.clone();
        move || steering.in_use().iter().any(|rule| rule.name() == name)
    };
    let name = path.display().to_string();
    let problem = || {
        let verbose = fixture.dashcam.status().verbose;
        verbose.problem_of(&name).map(str::to_owned)
    };
    let one = |tag: &'static str, tenant: &'static str| {
        fixture.call(get("/x"), StatusCode::OK, || {
            tracing::trace!("{tag} before");
            dashcam::current().unwrap().fact("tenant", tenant);
            tracing::trace!("{tag} after");
        });
        let exchange = fixture.take().pop();
        (seen.count(&format!("{tag} after")), exchange)
    };
    tracing::subscriber::with_default(subscriber, || {
        assert!(problem().unwrap().contains("no such file"));
        assert_eq!(one("missing", "acme").0, 0);

        let rule = |name: &str, expires: &str| {
            format!(
                "[[rule]]\nname = \"{name}\"\nexpires = {expires}\nverbose = \"trace\"\n\
                 when = {{ path = \"/x\", fact = {{ tenant = \"acme\" }} }}\n"
            )
        };
        renamed(&path, &rule("acme", "2100-01-01T00:00:00Z"));
        until("the rule is in use", in_use("acme"));
        let (shown, exchange) = one("on", "acme");
        assert_eq!(shown, 1);
        let exchange = exchange.unwrap();
        assert_eq!(
            exchange.mode,
            Mode::Live {
                by: "acme".to_owned()
            }
        );
        assert_eq!(
            exchange.keep,
            [KeepReason::Selected {
                by: "acme".to_owned()
            }]
        );
        assert_eq!(messages(&exchange), ["on after"]);
        let (shown, exchange) = one("other", "other");
        assert_eq!((shown, exchange), (0, None));
        assert_eq!(problem(), None);

        fs::write(&path, "[[rule]]\nname = 5\n").unwrap();
        until("the problem is reported", || problem().is_some());
        assert!(
            problem().unwrap().contains("rules.toml:2:8: rule[0].name"),
            "{:?}",
            problem()
        );
        assert_eq!(one("bad", "acme").0, 1, "the good version stays");

        // Off without any action: it has ended.
        fs::write(&path, rule("ended", "2020-01-01T00:00:00Z")).unwrap();
        until("the rule is replaced", in_use("ended"));
        assert_eq!(one("expired", "acme").0, 0);
        assert!(!fixture.dashcam.status().verbose.rules[0].in_force);

        fs::write(&path, rule("again", "2100-01-01T00:00:00Z")).unwrap();
        until("the rule is back", in_use("again"));
        assert_eq!(one("again", "acme").0, 1);
        steering.switch_off();
        assert_eq!(one("switched off", "acme").0, 0);
        assert!(fixture.dashcam.status().verbose.is_off());
        steering.switch_on();
        assert_eq!(one("switched on", "acme").0, 1);

        fs::remove_file(&path).unwrap();
        until("the rules ended", || steering.in_use().is_empty());
        assert_eq!(one("deleted", "acme").0, 0);
    });
}

/// A live request shows no more once the switch is off.
#[test]
fn the_switch_ends_what_has_begun() {
    let soon = SystemTime::now() + Duration::from_secs(3600);
    let rules = Rules::new([Rule::new("all", soon)]);
    let fixture = Fixture::with(|builder| builder.rules(rules).insecure_plain_header(true));
    let seen = Seen::default();
    let subscriber = tracing_subscriber::registry()
        .with(fixture.dashcam.gate(EnvFilter::new("info")))
        .with(seen.clone());
    tracing::subscriber::with_default(subscriber, || {
        for header in [None, Some("debug")] {
            let mut request = get("/");
            if let Some(value) = header {
                request
                    .headers_mut()
                    .insert("x-dashcam-verbose", value.parse().unwrap());
            }
            fixture.dashcam.steering().switch_on();
            fixture.call(request, StatusCode::OK, || {
                tracing::debug!("before");
                fixture.dashcam.steering().switch_off();
                tracing::debug!("after");
            });
        }
        fixture.call(get("/"), StatusCode::OK, || tracing::debug!("off"));
    });
    assert_eq!(seen.count("before"), 2);
    assert_eq!(seen.count("after") + seen.count("off"), 0);
}

/// Each version selects a request by one of its rules when it arrives, and by another one once a
/// fact is stated: both must be of one version. Neighbours of a version record other targets.
/// Versions come by a file that is written in four ways, with bad ones between them. None is
/// missed, and no bad one is used.
#[test]
fn a_thousand_swaps_under_load_without_a_mixture() {
    const SWAPS: u64 = 1_000;
    let directory = Directory::new("swaps");
    let path = directory.file("rules.json");
    let version = |n: u64| {
        let soon = SystemTime::now() + Duration::from_secs(3600);
        let target = ["even=trace", "odd=trace"][(n % 2) as usize];
        let rule = |name: &str| {
            Rule::new(format!("{n} {name}"), soon)
                .verbose(target)
                .unwrap()
        };
        let mut rules = vec![rule("late").when(When::new().fact("late", Text::present()))];
        rules.extend((0..50).map(|m| rule(&m.to_string()).when(When::new().path_prefix("/none"))));
        rules.push(rule("early").record_only());
        serde_json::to_string(&Rules::new(rules)).unwrap()
    };
    renamed(&path, &version(0));
    let done = AtomicBool::new(false);
    let fixture = Fixture::with(|builder| {
        let file = RulesFile::new(&path).every(Duration::from_micros(50));
        builder
            .rule_source(file)
            .verbose_budget(Budget::unlimited())
    });
    let subscriber =
        tracing_subscriber::registry().with(fixture.dashcam.gate(EnvFilter::new("off")));
    let dispatch = Dispatch::new(subscriber);
    let steering = fixture.dashcam.steering();
    let emit = || {
        tracing::trace!(target: "even", "even");
        tracing::trace!(target: "odd", "odd");
    };
    let load = || {
        let mut checked = 0;
        while !done.load(SeqCst) {
            fixture.call(get("/"), StatusCode::OK, || {
                emit();
                std::thread::yield_now();
                dashcam::current().unwrap().fact("late", "1");
                emit();
            });
            for exchange in fixture.kept.take() {
                let Mode::Live { by } = &exchange.mode else {
                    panic!("{exchange:#?}");
                };
                let n: u64 = by.strip_suffix(" late").unwrap().parse().unwrap();
                let target = ["even", "odd"][(n % 2) as usize];
                assert_eq!(messages(&exchange), [target, target], "{by}");
                checked += 1;
            }
        }
        checked
    };
    let checked = std::thread::scope(|scope| {
        let load = || tracing::dispatcher::with_default(&dispatch, load);
        let workers: Vec<_> = (0..2).map(|_| scope.spawn(load)).collect();
        for n in 1..=SWAPS {
            if n % 10 == 0 {
                let bad = version(n + SWAPS).replace("record", "recrod");
                fs::write(&path, bad).unwrap();
                let name = path.display().to_string();
                let problem = || steering.status().problem_of(&name).is_some();
                until("the bad version is seen", problem);
            }
            let text = version(n);
            match n % 4 {
                0 => renamed(&path, &text),
                1 => linked(&path, &text),
                // In place, through the link.
                2 => fs::write(&path, &text).unwrap(),
                // Missing for a moment, as some editors leave it.
                _ => {
                    fs::remove_file(&path).unwrap();
                    fs::write(&path, &text).unwrap();
                }
            }
            let name = format!("{n} early");
            until("the version is in use", || {
                let rules = steering.in_use();
                rules.iter().any(|rule| rule.name() == name)
            });
        }
        done.store(true, SeqCst);
        workers.into_iter().map(|w| w.join().unwrap()).sum::<u64>()
    });
    assert!(checked > 100, "{checked}");
    assert_eq!(fixture.dashcam.status().verbose.spent.refused, 0);
}
