//! What a request may bring of W3C Trace Context, level 2, and of W3C Baggage,
//! and what a call that is made in it has to carry. Written from the
//! specifications; the unit tests of `id` run the list, and
//! `tests/examples/trace_context` runs it over sockets.

mod states;

pub(crate) const TRACE: &str = "12345678901234567890123456789012";
pub(crate) const PARENT: &str = "1234567890123456";

pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) headers: Vec<(&'static str, Vec<u8>)>,
    pub(crate) expected: Expected,
}

/// What the call carries beside an ID of its own.
#[derive(Debug, Default)]
pub(crate) struct Expected {
    /// The trace that goes on, and its flags; another one starts where it is none.
    pub(crate) trace: Option<(String, u8)>,
    pub(crate) state: Option<String>,
    pub(crate) baggage: Option<String>,
}

fn case(name: &'static str) -> Case {
    Case {
        name,
        headers: Vec::new(),
        expected: Expected::default(),
    }
}

impl Case {
    fn with(mut self, name: &'static str, value: impl AsRef<[u8]>) -> Self {
        self.headers.push((name, value.as_ref().to_vec()));
        self
    }

    fn parent(self, value: impl AsRef<[u8]>) -> Self {
        self.with("traceparent", value)
    }

    fn state(self, value: impl AsRef<[u8]>) -> Self {
        self.with("tracestate", value)
    }

    fn baggage(self, value: impl AsRef<[u8]>) -> Self {
        self.with("baggage", value)
    }

    /// The trace of the valid parent goes on.
    fn goes_on(self, flags: u8) -> Self {
        self.goes_on_as(TRACE, flags)
    }

    fn goes_on_as(mut self, trace: &str, flags: u8) -> Self {
        self.expected.trace = Some((trace.to_owned(), flags));
        self
    }

    fn sends(mut self, state: impl Into<String>) -> Self {
        self.expected.state = Some(state.into());
        self
    }

    fn carries(mut self, baggage: impl Into<String>) -> Self {
        self.expected.baggage = Some(baggage.into());
        self
    }
}

pub(crate) fn all() -> Vec<Case> {
    let mut cases = parents();
    cases.extend(broken_parents());
    cases.extend(white_space());
    cases.extend(states::all());
    cases.extend(baggage());
    cases
}

/// A `traceparent` of these parts.
fn of(version: &str, trace: &str, parent: &str, flags: &str) -> String {
    format!("{version}-{trace}-{parent}-{flags}")
}

fn flagged(flags: &str) -> String {
    of("00", TRACE, PARENT, flags)
}

fn versioned(version: &str) -> String {
    of(version, TRACE, PARENT, "01")
}

fn parents() -> Vec<Case> {
    let good = flagged("01");
    let ones = "f".repeat(32);
    let short = format!("{}53ce929d0e0e4736", "0".repeat(16));
    vec![
        case("no headers at all"),
        case("a parent alone").parent(&good).goes_on(1),
        case("not sampled").parent(flagged("00")).goes_on(0),
        case("random").parent(flagged("02")).goes_on(2),
        case("random and sampled").parent(flagged("03")).goes_on(3),
        case("every flag").parent(flagged("ff")).goes_on(3),
        case("an unknown flag").parent(flagged("04")).goes_on(0),
        case("unknown flags only").parent(flagged("fc")).goes_on(0),
        case("sampled and an unknown flag")
            .parent(flagged("09"))
            .goes_on(1),
        case("name with a hyphen").with("trace-parent", &good),
        case("name with a dot").with("trace.parent", &good),
        case("name TraceParent")
            .with("TraceParent", &good)
            .goes_on(1),
        case("name TrAcEpArEnT")
            .with("TrAcEpArEnT", &good)
            .goes_on(1),
        case("name TRACEPARENT")
            .with("TRACEPARENT", &good)
            .goes_on(1),
        case("the greatest trace ID")
            .parent(of("00", &ones, PARENT, "01"))
            .goes_on_as(&ones, 1),
        case("the greatest parent ID")
            .parent(of("00", TRACE, "ffffffffffffffff", "01"))
            .goes_on(1),
        case("a trace ID that was short")
            .parent(of("00", &short, PARENT, "01"))
            .goes_on_as(&short, 1),
        case("a parent ID of one bit")
            .parent(of("00", TRACE, "0000000000000001", "01"))
            .goes_on(1),
        case("a later version").parent(versioned("cc")).goes_on(1),
        case("the next version").parent(versioned("01")).goes_on(1),
        case("the last version")
            .parent(versioned("fe") + "-x")
            .goes_on(1),
        case("a later version with more")
            .parent(versioned("cc") + "-what-the-future-will-be-like")
            .goes_on(1),
        case("a later version with an empty more")
            .parent(versioned("cc") + "-")
            .goes_on(1),
        case("a later version with much more")
            .parent(versioned("cc") + "-" + &"x".repeat(8_000))
            .goes_on(1),
        case("a later version with all flags")
            .parent(of("cc", TRACE, PARENT, "ff"))
            .goes_on(3),
    ]
}

fn broken_parents() -> Vec<Case> {
    let good = flagged("01");
    let trace = |trace: &str| of("00", trace, PARENT, "01");
    let parent = |parent: &str| of("00", TRACE, parent, "01");
    vec![
        case("two parents")
            .parent(good.replace("9012-", "9011-"))
            .parent(&good),
        case("the same parent twice").parent(&good).parent(&good),
        case("a parent and an empty one").parent(&good).parent(""),
        case("two parents in one field").parent(format!("{good},{good}")),
        case("an empty parent").parent(""),
        case("version 00 and a dot").parent(good.clone() + "."),
        case("version 00 and a hyphen").parent(good.clone() + "-"),
        case("version 00 with more").parent(good.clone() + "-what-the-future-will-be-like"),
        case("version 00 with much more").parent(good.clone() + "-" + &"x".repeat(8_000)),
        case("a later version with a dot")
            .parent(versioned("cc") + ".what-the-future-will-be-like"),
        case("a later version, too short").parent(&versioned("cc")[..54]),
        case("a later version, no trace").parent(of("cc", &"0".repeat(32), PARENT, "01")),
        case("a later version, no parent").parent(of("cc", TRACE, &"0".repeat(16), "01")),
        case("version ff").parent(versioned("ff")),
        case("version ff with more").parent(versioned("ff") + "-x"),
        case("version .0").parent(versioned(".0")),
        case("version 0.").parent(versioned("0.")),
        case("version in upper case").parent(versioned("CC")),
        case("version of three digits").parent(versioned("000")),
        case("version of four digits").parent(versioned("0000")),
        case("version of one digit").parent(versioned("0")),
        case("no version").parent(versioned("")),
        case("trace ID of zeros").parent(trace(&"0".repeat(32))),
        case("trace ID with a dot first").parent(trace(".2345678901234567890123456789012")),
        case("trace ID with a dot last").parent(trace("1234567890123456789012345678901.")),
        case("trace ID in upper case").parent(trace("1234567890123456789012345678901A")),
        case("trace ID with a g").parent(trace("1234567890123456789012345678901g")),
        case("trace ID too long").parent(trace("123456789012345678901234567890123")),
        case("trace ID too short").parent(trace("1234567890123456789012345678901")),
        case("parent ID of zeros").parent(parent("0000000000000000")),
        case("parent ID with a dot first").parent(parent(".234567890123456")),
        case("parent ID with a dot last").parent(parent("123456789012345.")),
        case("parent ID in upper case").parent(parent("123456789012345F")),
        case("parent ID too long").parent(parent("12345678901234567")),
        case("parent ID too short").parent(parent("123456789012345")),
        case("flags with a dot first").parent(flagged(".0")),
        case("flags with a dot last").parent(flagged("0.")),
        case("flags in upper case").parent(flagged("0A")),
        case("flags too long").parent(flagged("001")),
        case("flags too short").parent(flagged("1")),
        case("flags empty").parent(flagged("")),
        case("no flags").parent(format!("00-{TRACE}-{PARENT}")),
        case("other hyphens").parent(good.replace('-', "_")),
        case("blanks for hyphens").parent(good.replace('-', " ")),
        case("a byte that is no ASCII")
            .parent(b"00-1234567890123456789012345678901\xc3-1234567890123456-01"),
    ]
}

fn white_space() -> Vec<Case> {
    let good = flagged("01");
    vec![
        case("blank before").parent(format!(" {good}")).goes_on(1),
        case("tab before").parent(format!("\t{good}")).goes_on(1),
        case("blank after").parent(format!("{good} ")).goes_on(1),
        case("tab after").parent(format!("{good}\t")).goes_on(1),
        case("both around")
            .parent(format!("\t {good} \t"))
            .goes_on(1),
        case("around a later version")
            .parent(format!(" {}-x ", versioned("cc")))
            .goes_on(1),
        case("blank inside").parent(good.replace("12-12", "12 -12")),
    ]
}

/// A request with a valid parent, which goes on whatever the state is.
fn child(name: &'static str) -> Case {
    case(name).parent(flagged("00")).goes_on(0)
}

fn baggage() -> Vec<Case> {
    let members = |to: usize| {
        let members: Vec<_> = (1..=to).map(|n| format!("m{n}={n}")).collect();
        members.join(",")
    };
    let long = |name: &str, length: usize| format!("{name}={}", "x".repeat(length));
    let full = format!("{},{}", long("a", 4_093), long("b", 4_094));
    vec![
        case("baggage without parent")
            .baggage("user=alice")
            .carries("user=alice"),
        child("baggage with a parent")
            .baggage("user=alice")
            .carries("user=alice"),
        case("baggage with an invalid parent")
            .parent("x")
            .baggage("a=1")
            .carries("a=1"),
        case("baggage with properties")
            .baggage("key1=value1;property1;property2, key2 = value2, key3=value3; propertyKey=propertyValue")
            .carries("key1=value1;property1;property2,key2 = value2,key3=value3; propertyKey=propertyValue"),
        case("baggage with percent codes")
            .baggage("serverNode=DF%2028,userId=Am%C3%A9lie")
            .carries("serverNode=DF%2028,userId=Am%C3%A9lie"),
        case("baggage with an empty value").baggage("a=").carries("a="),
        case("baggage in two fields, in order")
            .baggage("b=1,a=2")
            .baggage("b=3")
            .carries("b=1,a=2,b=3"),
        case("name Baggage").with("Baggage", "a=1").carries("a=1"),
        case("empty baggage").baggage(""),
        case("baggage without members").baggage(" , ,"),
        case("a member without an equals sign")
            .baggage("a=1,b,c=3")
            .carries("a=1,c=3"),
        case("a member without a key").baggage("=1,a=1").carries("a=1"),
        case("a key that is no token").baggage("a b=1,c=3").carries("c=3"),
        case("a member that is no ASCII")
            .baggage(b"a=\xc3\xa9,c=3")
            .carries("c=3"),
        case("64 members").baggage(members(64)).carries(members(64)),
        case("65 members").baggage(members(65)).carries(members(64)),
        case("8,192 bytes").baggage(&full).carries(&full),
        case("8,193 bytes")
            .baggage(format!("{full}x"))
            .carries(long("a", 4_093)),
        case("a member over the limit among others")
            .baggage(format!("a=1,{},c=3", long("b", 9_000)))
            .carries("a=1,c=3"),
    ]
}
