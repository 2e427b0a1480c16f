//! Free text, and values that it must not repeat.

use super::{
    tests::{by_name, hash, plain, salt, strict},
    *,
};
use crate::exchange::Content;

#[test]
fn equal_values_have_equal_pseudonyms_everywhere() {
    let policy = strict();
    let mut r = Redactor::new(&policy);
    let short = hash("hunter2!");
    assert!(r.header("x-a", b"hunter2!", false).contains(&short));
    assert!(r.header("cookie", b"a=hunter2!", false).contains(&short));
    assert!(
        r.header("authorization", b"Bearer hunter2!", false)
            .contains(&short)
    );
    assert!(r.query("a=hunter2%21").contains(&short));
    assert!(r.path("/hunter2%21", None).contains(&short));
    assert!(r.fact("a", "hunter2!").contains(&short));
    assert_eq!(
        json_raw(&mut r, r#"["hunter2\u0021"]"#)
            .matches(&short)
            .count(),
        1
    );
    let scrubber = r.into_scrubber();
    assert_eq!(scrubber.text("is hunter2!?"), format!("is [~{short}]?"));
    assert_eq!(
        scrubber.text("password=hunter2!"),
        format!("password=[~{short}]")
    );
}

fn json_raw(r: &mut Redactor<'_>, body: &str) -> String {
    match r.body(Some("application/json"), None, body.as_bytes(), true) {
        Content::Text { text, .. } => text,
        Content::Opaque { .. } => panic!("opaque"),
    }
}

#[test]
fn fields_and_facts() {
    let p = strict();
    let mut r = Redactor::new(&p);
    assert!(p.hides_field("api_key") && !p.hides_field("user"));
    r.remember("hunter2");
    assert_eq!(r.fact("status", "paid"), "paid");
    assert!(is_placeholder(&r.fact("user", "bob")));
    let scrubber = r.into_scrubber();
    assert_eq!(
        plain(&scrubber.text("hunter2 bob bobby")),
        "[~#] [~#] bobby"
    );
}

#[test]
fn scrubbing() {
    let p = strict();
    let mut r = Redactor::new(&p);
    for value in [
        "abc",
        "abcdef",
        "cdefghij",
        "cdefghijkl",
        "efghijkl",
        "xy",
        "say \"hi\" ü/",
        " padded ",
        "len",
    ] {
        r.remember(value);
    }
    r.header("authorization", b"Basic Ym9iYnk6aHVudGVyMg==", false);
    let s = r.into_scrubber();
    let text = |text| plain(&s.text(text));
    assert_eq!(text("nothing here"), "nothing here");
    assert_eq!(text("abc xabc abc_d xy"), "[~#] xabc [~#]_d xy");
    assert_eq!(text("xabcdefghijx"), "x[~#]x");
    assert_eq!(text("xefghijklx cdefghijkl"), "x[~#]x [~#]");
    assert_eq!(text(r#"say "hi" ü/ say \"hi\" ü/"#), "[~#] [~#]");
    assert_eq!(
        text("say%20%22hi%22%20%C3%BC%2F say+%22hi%22+%c3%bc%2f"),
        "[~#]%2F [~#]%2f"
    );
    assert_eq!(
        text("say%20%22hi%22%20%c3%bc%2f say+%22hi%22+%C3%BC%2F"),
        "[~#]%2f [~#]%2F"
    );
    assert_eq!(text(r#"say \"hi\" \u00fc/"#), "[~#]");
    assert_eq!(text("is padded"), "is [~#]");
    assert_eq!(
        text("user bobby, hunter2, Ym9iYnk6aHVudGVyMg=="),
        "user [~#], [~#]"
    );
    let done = s.text("abc hunter2 password=hello len").into_owned();
    assert_eq!(s.text(&done), done);
    let full = "a [~0123456789abcdef len=12 ascii alnum] b";
    assert_eq!(s.text(full), full);
}

#[test]
fn a_hidden_value_in_the_form_of_a_placeholder_goes() {
    let p = strict();
    let mut r = Redactor::new(&p);
    r.remember("0123456789abcdef");
    let out = r
        .into_scrubber()
        .text("a [~0123456789abcdef] b")
        .into_owned();
    assert!(!out.contains("0123456789abcdef"), "{out}");
}

#[test]
fn too_many_values_close_the_text() {
    let p = strict();
    let mut r = Redactor::new(&p);
    for n in 0..100_000 {
        r.remember(&format!("value-{n}"));
    }
    let s = r.into_scrubber();
    assert_eq!(plain(&s.text("all of it")), "[~# len=9 ascii mixed]");
    let mut r = Redactor::new(&p);
    r.remember(&"x".repeat(2 << 20));
    assert!(is_placeholder(&r.into_scrubber().text("all of it")));
}

#[test]
fn hostile_bodies_take_linear_time() {
    // Anything quadratic would take minutes here.
    let policies = [strict(), by_name()];
    for seed in [
        "\"",
        "\"\"",
        "[",
        "{\"a\":",
        "[\"[",
        "[\"[\",",
        "\\",
        "\"\\",
        "1",
        "[1,",
        "-",
        "=",
        "a=&",
        "&",
        "eyJ.",
        "\"\\u",
        "\"\\ud800",
        "%",
        "%4",
        "[~",
        "[~0123456789abcdef",
        " ",
        "aaaaaa ",
        "/",
        "a;",
        "a=b;",
        "[\"aaaaaa\",",
    ] {
        let text = seed.repeat(1 + (16 << 10) / seed.len());
        for policy in &policies {
            let mut r = Redactor::new(policy);
            for kind in ["application/json", "application/x-www-form-urlencoded"] {
                r.body(Some(kind), None, text.as_bytes(), false);
            }
            r.query(&text);
            r.path(&text, Some(&text));
            r.path(&text, None);
            for name in ["cookie", "set-cookie", "authorization", "location", "x"] {
                r.header(name, text.as_bytes(), false);
            }
            r.into_scrubber().text(&text);
        }
    }
}

#[test]
fn many_nested_values_take_linear_time() {
    // Each of these is a suffix of the next, and all end everywhere.
    let policy = strict();
    let mut r = Redactor::new(&policy);
    for n in 6..1200 {
        r.remember(&"a".repeat(n));
    }
    let out = r.into_scrubber().text(&"a".repeat(64 << 10)).into_owned();
    assert!(is_placeholder(&out));
}

#[test]
fn the_scrubber_goes_to_other_threads() {
    fn check<T: Send + Sync + 'static>() {}
    check::<Scrubber>();
    check::<Policy>();
}

/// A text with these run-time parts.
fn said(scrubber: &Scrubber, text: &str, made: &[&str]) -> String {
    let runs: Vec<_> = made
        .iter()
        .map(|part| {
            let start = text.find(part).unwrap();
            start..start + part.len()
        })
        .collect();
    plain(&scrubber.said(text, &runs))
}

#[test]
fn the_programs_own_words_stay() {
    let p = strict();
    let mut r = Redactor::new(&p);
    for value in ["Quvex Moltrin", "an order", "awaiting payment"] {
        r.remember(value);
    }
    let scrubber = r.into_scrubber();
    let text = "an order of Quvex Moltrin is awaiting payment";
    for (made, shown) in [
        (&[][..], text),
        (&["Quvex Moltrin"], "an order of [~#] is awaiting payment"),
        (
            &["Moltrin is"],
            "an order of Quvex [~#] is awaiting payment",
        ),
        (
            &["of", "Quvex", "Moltrin"],
            "an order of [~#] is awaiting payment",
        ),
        (&["of", "is"], text),
        (&["payment"], "an order of Quvex Moltrin is awaiting [~#]"),
        (&[text], "[~#] of [~#] is [~#]"),
    ] {
        assert_eq!(said(&scrubber, text, made), shown, "{made:?}");
    }
    let text = "key: hunter2, password: correct-horse";
    for made in [&[][..], &["hunter2"], &["correct-horse"]] {
        let shown = said(&scrubber, text, made);
        assert!(!shown.contains("correct-horse"), "{shown}");
    }
}

#[test]
fn of_a_request_that_is_not_known_only_the_programs_own_words_stay() {
    let scrubber = Scrubber::hiding_all(strict());
    let text = "sent 17 of 20 to Quvex, all is well";
    assert_eq!(said(&scrubber, text, &[]), text);
    let shown = said(&scrubber, text, &["17", "20", "Quvex"]);
    assert_eq!(shown, "sent [~#] of [~#] to [~#], all is well");
    assert!(is_placeholder(&scrubber.text(text)));
}

#[test]
fn texts_of_no_request_have_hashes_of_their_own() {
    let mut scrubber = Scrubber::hiding_all(strict());
    let (before, hiding) = (scrubber.text("482913").into_owned(), scrubber.hiding());
    assert_eq!(scrubber.text("482913"), before);
    scrubber.renew();
    assert_ne!(scrubber.text("482913"), before);
    // Placeholders in the input must not be copied.
    assert_ne!(scrubber.hiding(), hiding);
    let long = "a text that nobody guesses";
    let joined = scrubber.text(long).into_owned();
    scrubber.renew();
    assert_eq!(scrubber.text(long), joined);
}

#[test]
fn a_text_has_the_hash_of_the_place_of_its_value() {
    let policy = strict().header("x-plate", Action::Join);
    let [joined, own] = policy.key().hashes(b"KX 4821", Some(salt()));
    let [joined, own] = [joined.unwrap(), own.unwrap()];
    let written = |place: &str| {
        let mut r = Redactor::new(&policy).of(salt());
        let written = r.header(place, b"KX 4821", false);
        (
            written,
            r.into_scrubber().text("seen KX 4821.").into_owned(),
        )
    };
    let (place, text) = written("x-plate");
    assert!(place.starts_with(&format!("[~{joined} ")), "{place}");
    assert_eq!(text, format!("seen [~{joined}]."));
    let (place, text) = written("x-other");
    assert!(place.starts_with(&format!("[~{own} ")), "{place}");
    assert_eq!(text, format!("seen [~{own}]."));
}

#[test]
fn facts_join_unless_the_policy_says_otherwise() {
    let policy = strict().field("pin", Action::Pseudonym);
    let mut r = Redactor::new(&policy).of(salt());
    let [joined, own] = policy.key().hashes(b"4711", Some(salt()));
    let expected = |hash: Option<String>| format!("[~{} len=4 ascii digits]", hash.unwrap());
    assert_eq!(r.fact("customer", "4711"), expected(joined));
    let mut r = Redactor::new(&policy).of(salt());
    assert_eq!(r.fact("pin", "4711"), expected(own));
}
