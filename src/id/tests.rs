use super::{
    Carried, SpanId, TraceContext, TraceFlags, TraceId, TraceParent, TraceState,
    cases::{self, PARENT, TRACE},
};
use http::{HeaderMap, HeaderName, HeaderValue};
use proptest::prelude::*;
use std::{collections::HashSet, time::SystemTime};

fn inbound(headers: &HeaderMap) -> TraceContext {
    let parent = TraceContext::parent(headers);
    let carried = Carried::from_headers(headers, parent);
    TraceContext::inbound(parent, carried, || TraceId::mint_at(SystemTime::now()))
}

fn outbound(context: &TraceContext) -> HeaderMap {
    let mut headers = HeaderMap::new();
    context.propagate(&mut headers);
    context.propagate_baggage(&mut headers);
    headers
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).map(|value| value.to_str().unwrap())
}

#[test]
fn every_case_of_the_specification() {
    let cases = cases::all();
    let names: HashSet<_> = cases.iter().map(|case| case.name).collect();
    assert_eq!(names.len(), cases.len());
    assert!(cases.len() >= 80, "{}", cases.len());
    for case in cases {
        let mut headers = HeaderMap::new();
        for (name, value) in &case.headers {
            let name: HeaderName = name.parse().unwrap();
            headers.append(name, HeaderValue::from_bytes(value).unwrap());
        }
        let context = inbound(&headers);
        let sent = outbound(&context);
        let parent: TraceParent = text(&sent, "traceparent").unwrap().parse().unwrap();
        let name = case.name;
        assert_eq!(parent.trace_id, context.trace_id(), "{name}");
        assert_ne!(parent.parent_id, context.span_id(), "{name}");
        match &case.expected.trace {
            Some((trace, flags)) => {
                assert_eq!(parent.trace_id.to_string(), *trace, "{name}");
                assert_eq!(parent.flags.bits(), *flags, "{name}");
                assert!(context.parent_id().is_some(), "{name}");
            }
            None => {
                assert_ne!(parent.trace_id.to_string(), TRACE, "{name}");
                assert_eq!(parent.flags, TraceFlags::RANDOM, "{name}");
                assert_eq!(context.parent_id(), None, "{name}");
            }
        }
        let state = case.expected.state.as_deref();
        assert_eq!(text(&sent, "tracestate"), state, "{name}");
        let baggage = case.expected.baggage.as_deref();
        assert_eq!(text(&sent, "baggage"), baggage, "{name}");
    }
}

fn with(parent: &str, state: Option<&str>) -> TraceContext {
    let mut headers = HeaderMap::new();
    headers.insert("traceparent", parent.parse().unwrap());
    if let Some(state) = state {
        headers.insert("tracestate", state.parse().unwrap());
    }
    inbound(&headers)
}

#[test]
fn a_call_has_an_id_of_its_own() {
    let context = with(&format!("00-{TRACE}-{PARENT}-01"), None);
    let mut seen = HashSet::from([context.span_id(), context.parent_id().unwrap()]);
    for _ in 0..1_000 {
        assert!(seen.insert(context.child().parent_id));
    }
    assert_eq!(context.own().parent_id, context.span_id());
}

#[test]
fn what_the_caller_has_set_stays() {
    let context = with(&format!("00-{TRACE}-{PARENT}-01"), Some("foo=1"));
    let mut headers = HeaderMap::new();
    headers.insert("traceparent", HeaderValue::from_static("theirs"));
    context.propagate(&mut headers);
    assert_eq!(headers.len(), 1);
    assert_eq!(headers["traceparent"], "theirs");

    let mut headers = HeaderMap::new();
    headers.insert("tracestate", HeaderValue::from_static("theirs=1"));
    context.propagate(&mut headers);
    assert_eq!(headers["tracestate"], "theirs=1");
    assert!(headers.contains_key("traceparent"));
}

#[test]
fn ids_are_read_and_shown() {
    let trace: TraceId = TRACE.parse().unwrap();
    assert_eq!(TraceId::from_bytes(trace.to_bytes()), Some(trace));
    assert_eq!(
        format!("{trace:?} {trace:>34}"),
        format!("TraceId({TRACE})   {TRACE}")
    );
    assert_eq!(TraceId::from_bytes([0; 16]), None);
    let span: SpanId = PARENT.parse().unwrap();
    assert_eq!(span.to_string(), PARENT);
    assert!("".parse::<SpanId>().is_err() && TRACE.parse::<SpanId>().is_err());
    assert!(
        TRACE
            .to_uppercase()
            .replace('1', "A")
            .parse::<TraceId>()
            .is_err()
    );
}

#[test]
fn every_digit_is_written_as_it_is_read() {
    for n in 0..=u8::MAX {
        let bytes = [n, !n, 1, n ^ 0x5a, n, 7, n.rotate_left(4), 0xf0];
        let hex: String = bytes.iter().map(|b| format!("{b:02x}")).collect();
        let id = SpanId::from_bytes(bytes).unwrap();
        assert_eq!(id.to_string(), hex);
        assert_eq!(hex.parse(), Ok(id));
        let flags = TraceFlags::from_bits(n);
        let parent = TraceParent::new(TRACE.parse().unwrap(), id, flags);
        assert_eq!(
            parent.to_string(),
            format!("00-{TRACE}-{hex}-{:02x}", n & 3)
        );
    }
}

#[test]
fn a_started_trace_is_random_where_it_says_so() {
    let now = SystemTime::now();
    let mut bits = [0_u32; 56];
    for _ in 0..2_000 {
        let id = TraceContext::start(TraceId::mint_at(now)).trace_id();
        let [.., a, b, c, d, e, f, g] = id.to_bytes();
        let right = u64::from_be_bytes([0, a, b, c, d, e, f, g]);
        for (n, count) in bits.iter_mut().enumerate() {
            *count += u32::from(right >> n & 1 == 1);
        }
    }
    // Each is set in half of them; 200 is nine standard deviations.
    assert!(bits.iter().all(|n| n.abs_diff(1_000) < 200), "{bits:?}");
}

#[test]
fn the_state_goes_on_and_is_not_shown() {
    let context = with(&format!("00-{TRACE}-{PARENT}-01"), Some("foo=1, bar= 2"));
    assert_eq!(context.trace_state().unwrap(), "foo=1,bar= 2");
    let shown = format!("{context:?}");
    assert!(!shown.contains("foo") && shown.contains(TRACE), "{shown}");
}

fn is_state(text: &str) -> bool {
    let entries: Vec<_> = text.split(',').map(|e| e.split_once('=')).collect();
    let keys: HashSet<_> = entries.iter().flatten().map(|(key, _)| *key).collect();
    text.len() <= TraceState::MAX_LEN
        && keys.len() == entries.len()
        && entries.len() <= 32
        && entries.iter().flatten().all(|(key, value)| {
            (1..=256).contains(&key.len())
                && (1..=256).contains(&value.len())
                && !value.contains('=')
                && !value.ends_with(' ')
                && value.bytes().all(|b| (b' '..=b'~').contains(&b))
        })
}

/// Bytes of a header: anything, or near what the specification allows.
fn field() -> impl Strategy<Value = Vec<u8>> {
    let header = |b: &u8| *b == b'\t' || (*b >= b' ' && *b != 0x7f);
    prop_oneof![
        proptest::collection::vec(any::<u8>().prop_filter("header bytes", header), 0..80),
        "[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}(-[a-z]{0,4})?"
            .prop_map(String::into_bytes),
        "[ \t]?([a-z0-9@]{1,3}=[ -~&&[^,=]]{0,4}[ \t]?,?){0,40}".prop_map(String::into_bytes),
        "([a-z]{1,3}=[!-~&&[^,]]{0,200},){0,90}".prop_map(String::into_bytes),
    ]
}

proptest! {
    #[test]
    fn whatever_comes_in_what_goes_out_is_valid(
        fields in proptest::collection::vec((0_usize..3, field()), 0..8)
    ) {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            let name = ["traceparent", "tracestate", "baggage"][name];
            headers.append(name, HeaderValue::from_bytes(&value).unwrap());
        }
        let here = inbound(&headers);
        let sent = outbound(&here);
        let parent: TraceParent = text(&sent, "traceparent").unwrap().parse().unwrap();
        prop_assert_eq!(parent.trace_id, here.trace_id());
        if let Some(state) = text(&sent, "tracestate") {
            prop_assert!(is_state(state), "{}", state);
            prop_assert!(here.parent_id().is_some());
        }
        if let Some(baggage) = text(&sent, "baggage") {
            prop_assert!(baggage.len() <= 8192 && baggage.split(',').count() <= 64);
        }
        // The next service reads what was meant.
        let there = inbound(&sent);
        prop_assert_eq!(there.trace_id(), here.trace_id());
        prop_assert_eq!(there.parent_id(), Some(parent.parent_id));
        prop_assert_eq!(there.flags(), here.flags());
        prop_assert_eq!(there.trace_state(), here.trace_state());
        prop_assert_eq!(there.baggage(), here.baggage());
    }

    #[test]
    fn any_bytes_are_a_parent_or_none(bytes: Vec<u8>) {
        if let Ok(parent) = TraceParent::parse(&bytes) {
            prop_assert_eq!(parent.to_string().parse(), Ok(parent));
        }
    }
}
