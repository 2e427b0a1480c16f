//! Runs a test in a process of its own: for what can be set once in a process, such as the global
//! subscriber and the panic hook, and for measurements of a process.

use std::{
    any::type_name,
    env,
    fs::{self, File},
    path::Path,
    process::Command,
    thread::sleep,
    time::{Duration, Instant},
};

/// The first line of a test: the rest of the test runs in another process.
macro_rules! alone {
    () => {
        fn here() {}
        if $crate::support_alone::ran_elsewhere(here) {
            return;
        }
    };
}

/// Set in a process that runs one test.
const MARK: &str = "DASHCAM_TEST_ALONE";

/// This program again, for this one test.
pub(crate) fn command(test: &str) -> Command {
    let mut command = Command::new(env::current_exe().unwrap());
    command
        .args(["--exact", test, "--include-ignored", "--nocapture"])
        .env(MARK, "1");
    command
}

/// Runs the test whose body contains `here`, and fails as it does. Returns `false` if this is
/// already its process.
#[track_caller]
pub(crate) fn ran_elsewhere<F: Fn()>(_here: F) -> bool {
    // nextest starts a process for each test.
    if env::var_os(MARK).is_some() || env::var_os("NEXTEST_EXECUTION_MODE").is_some() {
        return false;
    }
    // The binary, the modules, the test, and what it contains.
    let path = type_name::<F>().replace("::{{closure}}", "");
    let test = path.split_once("::").unwrap().1;
    let test = test.strip_suffix("::here").unwrap();
    // A file accepts all output in order, and needs no reader meanwhile.
    let place = Path::new(env!("CARGO_TARGET_TMPDIR")).join("alone");
    fs::create_dir_all(&place).unwrap();
    let binary = env!("CARGO_CRATE_NAME");
    let file = place.join(format!(
        "{binary}-{}-{}",
        test.replace("::", "-"),
        std::process::id()
    ));
    let output = File::create(&file).unwrap();
    let mut child = command(test)
        .stdout(output.try_clone().unwrap())
        .stderr(output)
        .spawn()
        .unwrap();
    let long = env::var_os("DASHCAM_LONG").is_some();
    let patience = Duration::from_secs(if long { 3 * 3600 } else { 600 });
    let started = Instant::now();
    let (succeeded, ended) = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break (status.success(), status.to_string());
        }
        if started.elapsed() > patience {
            child.kill().unwrap();
            child.wait().unwrap();
            break (false, format!("killed, after {patience:?}"));
        }
        sleep(Duration::from_millis(2));
    };
    let output = fs::read(&file).unwrap();
    fs::remove_file(&file).unwrap();
    let output = String::from_utf8_lossy(&output);
    // The harness shows it if the test fails, or if everything is shown.
    print!("{output}");
    let passed = succeeded && output.contains("test result: ok. 1 passed");
    assert!(passed, "{test}, in a process of its own: {ended}");
    true
}
