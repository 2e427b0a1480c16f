//! Lists of `tracestate`.

use super::{Case, case, child, flagged, versioned};

pub(super) fn all() -> Vec<Case> {
    let mut cases = states();
    cases.extend(broken_states());
    cases.extend(long_states());
    cases
}

fn states() -> Vec<Case> {
    let key = "abcdefghijklmnopqrstuvwxyz0123456789_-*/";
    let value: String = (' '..='~').filter(|c| !",=".contains(*c)).collect();
    let (plain, tenant) = (
        format!("{key}={value}"),
        format!("{key}@a-z0-9_-*/={value}"),
    );
    vec![
        case("a state without parent").state("foo=1"),
        case("a longer state without parent").state("foo=1,bar=2"),
        case("a state with an invalid parent")
            .parent(versioned("ff"))
            .state("foo=1"),
        case("a state with two parents")
            .parent(flagged("00"))
            .parent(flagged("00"))
            .state("foo=1"),
        child("a state").state("foo=1,bar=2").sends("foo=1,bar=2"),
        case("a state beside a later version")
            .parent(versioned("cc") + "-x")
            .state("foo=1")
            .goes_on(1)
            .sends("foo=1"),
        child("state's name with a hyphen").with("trace-state", "foo=1"),
        child("state's name with a dot").with("trace.state", "foo=1"),
        child("name TraceState")
            .with("TraceState", "foo=1")
            .sends("foo=1"),
        child("name TrAcEsTaTe")
            .with("TrAcEsTaTe", "foo=1")
            .sends("foo=1"),
        child("name TRACESTATE")
            .with("TRACESTATE", "foo=1")
            .sends("foo=1"),
        child("an empty state").state(""),
        child("an empty state after another")
            .state("foo=1")
            .state("")
            .sends("foo=1"),
        child("an empty state before another")
            .state("")
            .state("foo=1")
            .sends("foo=1"),
        child("a state of white space").state(" \t "),
        child("a state of commas").state(",, ,\t,"),
        child("an empty member")
            .state("foo=1,,bar=2")
            .sends("foo=1,bar=2"),
        child("a blank member")
            .state("foo=1, ,bar=2")
            .sends("foo=1,bar=2"),
        child("commas around").state(",foo=1,").sends("foo=1"),
        child("three fields, in order")
            .state("foo=1,bar=2")
            .state("rojo=1,congo=2")
            .state("baz=3")
            .sends("foo=1,bar=2,rojo=1,congo=2,baz=3"),
        child("a key twice").state("foo=1,foo=1").sends("foo=1"),
        child("a key with two values")
            .state("foo=1,foo=2")
            .sends("foo=1"),
        child("a key in two fields")
            .state("foo=1")
            .state("foo=1")
            .sends("foo=1"),
        child("a key with two values in two fields")
            .state("foo=1")
            .state("foo=2")
            .sends("foo=1"),
        child("the latest position stays")
            .state("congo=second,rojo=1,congo=first")
            .sends("congo=second,rojo=1"),
        child("all characters").state(&plain).sends(&plain),
        child("all characters with a tenant")
            .state(&tenant)
            .sends(&tenant),
        child("white space between, blanks first")
            .state("foo=1 \t , \t bar=2, \t baz=3")
            .sends("foo=1,bar=2,baz=3"),
        child("white space between, tabs first")
            .state("foo=1\t \t,\t \tbar=2,\t \tbaz=3")
            .sends("foo=1,bar=2,baz=3"),
        child("blank before the state")
            .state(" foo=1")
            .sends("foo=1"),
        child("tab before the state")
            .state("\tfoo=1")
            .sends("foo=1"),
        child("blank after the state")
            .state("foo=1 ")
            .sends("foo=1"),
        child("tab after the state").state("foo=1\t").sends("foo=1"),
        child("white space around the state")
            .state("\t foo=1 \t")
            .sends("foo=1"),
        child("blanks that begin a value")
            .state("foo=  1,bar=2")
            .sends("foo=  1,bar=2"),
        child("blanks in a value").state("foo=a b").sends("foo=a b"),
        child("a key that begins with a digit")
            .state("1foo=1")
            .sends("1foo=1"),
        child("a key of one digit").state("0=1").sends("0=1"),
        child("at sign last")
            .state("foo@=1,bar=2")
            .sends("foo@=1,bar=2"),
        child("two at signs")
            .state("foo@@bar=1,bar=2")
            .sends("foo@@bar=1,bar=2"),
        child("at signs apart")
            .state("foo@bar@baz=1,bar=2")
            .sends("foo@bar@baz=1,bar=2"),
    ]
}

fn broken_states() -> Vec<Case> {
    vec![
        child("a blank in a key").state("foo =1"),
        child("a key in upper case").state("FOO=1"),
        child("a dot in a key").state("foo.bar=1"),
        child("an at sign first").state("@foo=1,bar=2"),
        child("an underscore first").state("_foo=1"),
        child("no key").state("=1"),
        child("no value").state("foo=,bar=3"),
        child("no value at the end").state("bar=3,foo= "),
        child("no equals sign").state("foo"),
        child("two equals signs").state("foo=bar=baz"),
        child("a tab in a value").state("foo=a\tb"),
        child("a value that is no ASCII").state(b"foo=\xc3\xa9"),
        child("a key that is no ASCII").state(b"f\xc3\xb6o=1"),
        child("one bad member among good ones").state("foo=1,BAR=2,baz=3"),
        child("a bad member in the second field")
            .state("foo=1")
            .state("BAR=2"),
    ]
}

/// This many short entries, from number `from` on.
fn entries(from: usize, to: usize) -> String {
    let entries: Vec<_> = (from..=to).map(|n| format!("bar{n:02}={n:02}")).collect();
    entries.join(",")
}

fn long_states() -> Vec<Case> {
    let key = |length: usize| format!("{}=1", "z".repeat(length));
    let tenant = |t: usize, v: usize| format!("{}@{}=1", "t".repeat(t), "v".repeat(v));
    let value = |name: &str, length: usize| format!("{name}={}", "x".repeat(length));
    let child_of = |name, state: String, sent: bool| {
        let case = child(name).state("foo=1").state(&state);
        if sent {
            case.sends(format!("foo=1,{state}"))
        } else {
            case
        }
    };
    let mut fields = child("32 fields").sends(entries(1, 32));
    for n in 1..=32 {
        fields = fields.state(entries(n, n));
    }
    // Six entries of 257 bytes fit beside 480 bytes of short ones, seven do not.
    let large = |n: usize| value(&format!("l{n}"), 254);
    let short = (0..4)
        .map(|n| value(&format!("s{n}"), 117))
        .collect::<Vec<_>>()
        .join(",");
    let (one, two) = ((1..4).map(large), (4..8).map(large));
    let (one, two): (Vec<_>, Vec<_>) = (one.collect(), two.collect());
    let too_long = format!("{},{short},{}", one.join(","), two.join(","));
    let cut = format!("{},{short},{}", one.join(","), two[..3].join(","));
    let middle: Vec<_> = (0..32).map(|n| value(&format!("m{n:02}"), 76)).collect();
    vec![
        child("32 members in four fields")
            .state(entries(1, 10))
            .state(entries(11, 20))
            .state(entries(21, 30))
            .state(entries(31, 32))
            .sends(entries(1, 32)),
        child("33 members in four fields")
            .state(entries(1, 10))
            .state(entries(11, 20))
            .state(entries(21, 30))
            .state(entries(31, 33)),
        fields,
        child("32 members and empty ones")
            .state(entries(1, 32) + ",, ,")
            .sends(entries(1, 32)),
        child("33 members, one of them twice").state(entries(1, 32) + ",bar01=01"),
        child("thousands of members").state(entries(1, 2_000)),
        child("thousands of commas")
            .state(",".repeat(8_000) + "foo=1")
            .sends("foo=1"),
        child_of("a key of 256", key(256), true),
        child_of("a key of 257", key(257), false),
        child_of("a tenant of 241 and a system of 14", tenant(241, 14), true),
        child_of("a tenant of 242", tenant(242, 1), true),
        child_of("a system of 15", tenant(1, 15), true),
        child_of("a tenant and a system of 257", tenant(242, 14), false),
        child_of("a value of 256", value("bar", 256), true),
        child_of("a value of 257", value("bar", 257), false),
        child("512 characters")
            .state(format!("{},{}", value("a", 253), value("b", 254)))
            .sends(format!("{},{}", value("a", 253), value("b", 254))),
        child("too long: the last large one goes first")
            .state(too_long)
            .sends(cut),
        child("too long: then the last ones go")
            .state(middle.join(","))
            .sends(middle[..25].join(",")),
    ]
}
