//! The counted work of searches.

use super::{
    tests::{index, whole},
    *,
};

const KINDS: &[(&str, fn(usize) -> String)] = &[
    ("log", |n| {
        "GET /orders/4711 took 12 ms for Moltrin; ".repeat(n / 41)
    }),
    ("order", |n| "order".repeat(n / 5)),
    ("one letter", |n| "a".repeat(n)),
    ("one capital", |n| "A".repeat(n)),
    ("hex escapes", |n| "\\x41".repeat(n / 4)),
    ("hex escapes of text", |n| "\\x41\\x62\\x31".repeat(n / 12)),
    ("percent of percent", |n| "%2541".repeat(n / 5)),
    ("percents", |n| "%25".repeat(n / 3)),
    ("backslashes", |n| "\\".repeat(n)),
    ("entities", |n| "&amp;amp;".repeat(n / 9)),
    ("base64", |n| noise(n, 64)),
    ("hex", |n| noise(n, 16)),
    ("base64 of base64", |n| {
        use super::tests_ways::base64;
        let text = base64("order Vexar 17 ".repeat(n / 30).as_bytes(), false, false);
        base64(text.as_bytes(), false, false)
    }),
    ("list", |n| "65, 66, 97, 49, ".repeat(n / 16)),
    ("list of units", |n| {
        "2338, 1077, 29579, 97, ".repeat(n / 23)
    }),
    ("hex list", |n| "0041 00eb 738b ".repeat(n / 15)),
    ("wide letters", |n| "％４１".repeat(n / 9)),
    ("soft breaks", |n| "=\n".repeat(n / 2)),
    ("broken escapes", |n| "%4\n1".repeat(n / 4)),
    ("bare escapes", |n| "\\eb \\44f".repeat(n / 8)),
    ("paths", |n| "/Ab-1/Ze_2".repeat(n / 10)),
    ("digits", |n| "1234567".repeat(n / 7)),
    ("digits and commas", |n| "123,".repeat(n / 4)),
    ("signs", |n| "!?".repeat(n / 2)),
    ("ideographs", |n| "王小明同学".repeat(n / 15)),
    ("syllables", |n| "서울특별시".repeat(n / 15)),
    ("letters with marks", |n| "Žluťoučký".repeat(n / 13)),
    ("zeros", |n| "a\0".repeat(n / 2)),
    ("slashes", |n| "Ab1/".repeat(n / 4)),
];

/// Random digits of an alphabet.
fn noise(n: usize, of: usize) -> String {
    let all = b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ+/";
    let mut state = 7_u64;
    let next = |_| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        char::from(all[(state >> 33) as usize % of])
    };
    (0..n).map(next).collect()
}

fn hostile() -> Index {
    let mut index = index(&[
        "aaaaaa",
        "AAAAAAAAAAAAAAAAAAAA",
        "!?!?",
        "ordord",
        "123",
        "王小明",
    ]);
    for n in 0..2000 {
        index.add(&format!("ord{n:x}"), Why::Told);
        index.add(&format!("value {n} of all that there are"), Why::Told);
    }
    index
}

#[test]
fn work_grows_with_the_text_alone() {
    let index = hostile();
    for (name, text) in KINDS {
        let work: Vec<Option<u64>> = [2_000, 8_000, 32_000, 128_000]
            .into_iter()
            .map(|n| {
                let text = text(n);
                let mut work = Work::new(u64::MAX);
                let mut out = Vec::new();
                let told = index.find(&text, &whole(&text), &mut work, &mut out);
                let spent = u64::MAX - work.left();
                assert!(spent <= 8 * text.len() as u64 + 5000, "{name}");
                told.is_ok().then_some(spent * 1000 / text.len() as u64)
            })
            .collect();
        if let [Some(first), .., Some(last)] = work[..] {
            // The work on random text depends on the text.
            assert!(last <= first * 3 + 100, "{name}: {work:?}");
        }
    }
}

#[test]
fn work_ends_where_it_is_spent() {
    let index = index(&["Quvexastr"]);
    let text = "for Quvexastr ".repeat(100);
    let mut work = Work::new(1000);
    let runtime = whole(&text);
    assert_eq!(
        index.find(&text, &runtime, &mut work, &mut Vec::new()),
        Err(Spent)
    );
    let mut work = Work::new(1 << 20);
    assert_eq!(
        index.find(&text, &runtime, &mut work, &mut Vec::new()),
        Ok(())
    );
    assert!(work.left() < 1 << 20);
}
