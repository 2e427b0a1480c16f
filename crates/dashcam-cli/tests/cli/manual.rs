//! `dashcam completions` and `dashcam man`.

use super::*;

#[test]
fn every_shell_has_completions() {
    for (shell, has) in [
        ("bash", "complete -F"),
        ("zsh", "#compdef dashcam"),
        ("fish", "complete -c dashcam"),
        ("elvish", "edit:completion"),
        ("powershell", "Register-ArgumentCompleter"),
    ] {
        let run = run(&["completions", shell], None);
        assert_eq!((run.code, run.err.as_str()), (Some(0), ""), "{shell}");
        for part in [has, "kept-for", "new-key"] {
            assert!(run.out.contains(part), "{shell} without {part}");
        }
    }
    let unknown = run(&["completions", "tcsh"], None);
    assert_eq!(unknown.code, Some(2));
    assert!(unknown.err.contains("bash"), "{}", unknown.err);
}

/// A shell completes with it, where there is one.
#[test]
fn bash_completes() {
    if Command::new("bash").arg("--version").output().is_err() {
        return;
    }
    let dir = Directory::new("completions");
    let script = run(&["completions", "bash"], None).out;
    let script = dir.file("dashcam.bash", &script);
    let complete = "source \"$0\"; COMP_WORDS=(dashcam to); COMP_CWORD=1; \
                    _dashcam dashcam to dashcam; printf '%s\\n' \"${COMPREPLY[@]}\"";
    let output = Command::new("bash")
        .args(["--norc", "-c", complete])
        .arg(&script)
        .output()
        .unwrap();
    let proposed = String::from_utf8(output.stdout).unwrap();
    assert_eq!(proposed, "top\ntoken\n", "{:?}", output.stderr);
}

#[test]
fn the_manual_has_a_page_of_each_command() {
    let page = run(&["man"], None);
    assert_eq!((page.code, page.err.as_str()), (Some(0), ""));
    assert!(page.out.contains(".TH dashcam 1"), "{}", page.out);
    assert!(page.out.contains("DASHCAM_DIR"), "{}", page.out);
    assert!(!page.out.contains("help(1)"), "{}", page.out);

    let dir = Directory::new("man");
    let pages = dir.0.join("share/man1");
    let written = run(&["man", "--out", pages.to_str().unwrap()], None);
    assert_eq!(
        (written.code, written.out.as_str()),
        (Some(0), ""),
        "{}",
        written.err
    );
    let has = |name: &str, part: &str| {
        let page = fs::read_to_string(pages.join(name)).unwrap();
        assert!(page.contains(part), "{name} without {part}: {page}");
    };
    has("dashcam.1", ".TH dashcam 1");
    has("dashcam-ls.1", "5xx");
    has("dashcam-rules-why.1", "template");
    has("dashcam-token-mint.1", "15m");

    let file = dir.file("file", "");
    let refused = run(&["man", "--out", file.to_str().unwrap()], None);
    assert_eq!(refused.code, Some(2));
    assert!(refused.err.contains("cannot write to"), "{}", refused.err);
}
