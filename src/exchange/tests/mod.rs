//! Checks that the schema file, the types and the description of the fields agree.

mod generate;

use super::Exchange;
use generate::any_exchange;
use jsonschema::Validator;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::BTreeSet;

const SCHEMA: &str = include_str!("../../../docs/exchange.schema.json");
const DESCRIPTION: &str = include_str!("../../../docs/exchange.md");

fn schema() -> Value {
    serde_json::from_str(SCHEMA).unwrap()
}

fn validator() -> Validator {
    jsonschema::draft202012::new(&schema()).unwrap()
}

fn config() -> ProptestConfig {
    ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

/// Generated exchanges are too large for the default stack of a test.
fn on_a_large_stack(test: fn()) {
    let thread = std::thread::Builder::new().stack_size(64 << 20);
    thread.spawn(test).unwrap().join().unwrap();
}

/// The names of all fields in the schema, except those of free maps.
fn names(schema: &Value, found: &mut BTreeSet<String>) {
    match schema {
        Value::Object(object) => {
            if let Some(Value::Object(properties)) = object.get("properties")
                && object.contains_key("additionalProperties")
            {
                found.extend(properties.keys().cloned());
            }
            object.values().for_each(|value| names(value, found));
        }
        Value::Array(values) => values.iter().for_each(|value| names(value, found)),
        _ => {}
    }
}

/// Every object of an instance, by its JSON pointer, except those with free names.
fn objects(value: &Value, at: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(object) => {
            found.push(at.to_owned());
            for (name, value) in object {
                if name != "fields" && name != "facts" {
                    objects(value, &format!("{at}/{name}"), found);
                }
            }
        }
        Value::Array(values) => {
            for (n, value) in values.iter().enumerate() {
                objects(value, &format!("{at}/{n}"), found);
            }
        }
        _ => {}
    }
}

#[test]
fn any_exchange_is_read_back_and_valid() {
    on_a_large_stack(read_back_and_valid);
}

fn read_back_and_valid() {
    let validator = validator();
    let mut seen = BTreeSet::new();
    let seen_names = std::cell::RefCell::new(&mut seen);
    proptest!(config(), |(exchange in any_exchange())| {
        let text = serde_json::to_string(&exchange).unwrap();
        let read: Exchange = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(&read, &exchange);
        let value: Value = serde_json::from_str(&text).unwrap();
        if let Err(error) = validator.validate(&value) {
            return Err(TestCaseError::fail(format!("{error} at {}", error.instance_path)));
        }
        let mut places = Vec::new();
        objects(&value, "", &mut places);
        for place in places {
            let object = value.pointer(&place).and_then(Value::as_object);
            seen_names.borrow_mut().extend(object.unwrap().keys().cloned());
        }
    });
    // The schema has no field that is never written.
    let mut wanted = BTreeSet::new();
    names(&schema(), &mut wanted);
    let missing: Vec<_> = wanted.difference(&seen).collect();
    assert!(missing.is_empty(), "never written: {missing:?}");
}

#[test]
fn a_field_that_is_not_described_is_refused() {
    on_a_large_stack(not_described);
}

fn not_described() {
    let validator = validator();
    proptest!(config(), |(exchange in any_exchange())| {
        let value = serde_json::to_value(&exchange).unwrap();
        let mut places = Vec::new();
        objects(&value, "", &mut places);
        for place in places {
            let mut changed = value.clone();
            let object = changed.pointer_mut(&place).and_then(Value::as_object_mut);
            object.unwrap().insert("not_described".into(), json!(1));
            prop_assert!(!validator.is_valid(&changed), "{}", place);
            // Readers skip unknown fields. A failure has one key, which is its kind.
            if place == "/outcome/failure" {
                continue;
            }
            let read = serde_json::from_value::<Exchange>(changed);
            prop_assert!(read.is_ok_and(|read| read == exchange), "{}", place);
        }
    });
}

#[test]
fn every_field_is_described() {
    let mut wanted = BTreeSet::new();
    names(&schema(), &mut wanted);
    assert!(wanted.len() > 80, "{wanted:?}");
    let described = |name: &String| {
        let forms = [
            format!("`{name}`"),
            format!("`{name}."),
            format!(".{name}`"),
            format!("{{\"{name}\""),
        ];
        forms.iter().any(|form| DESCRIPTION.contains(form))
    };
    let missing: Vec<_> = wanted.iter().filter(|name| !described(name)).collect();
    assert!(missing.is_empty(), "not in docs/exchange.md: {missing:?}");
}

#[test]
fn the_example_of_the_description_is_one() {
    let (_, rest) = DESCRIPTION.split_once("```json\n").unwrap();
    let (example, _) = rest.split_once("```").unwrap();
    let value: Value = serde_json::from_str(example).unwrap();
    if let Err(error) = validator().validate(&value) {
        panic!("{error} at {}", error.instance_path);
    }
    let read: Exchange = serde_json::from_value(value.clone()).unwrap();
    assert_eq!(serde_json::to_value(&read).unwrap(), value);
}

#[test]
fn what_is_no_exchange_is_refused() {
    let validator = validator();
    let good = serde_json::to_value(crate::export::sample::sample("1")).unwrap();
    assert!(validator.is_valid(&good));
    let mut refused = 0;
    for (at, value) in [
        ("/schema", json!("dashcam.exchange/2")),
        ("/keep", json!([])),
        ("/timing/duration_us", json!(-1)),
        ("/timing/duration_us", json!("1")),
        ("/outcome/kind", json!("other")),
        ("/outcome", json!({"kind": "failed"})),
        ("/request/headers", json!([["only a name"]])),
        ("/request/body/state", json!("error")),
        ("/response/body/state", json!("skipped")),
        ("/depth", json!(null)),
    ] {
        let mut changed = good.clone();
        *changed.pointer_mut(at).unwrap() = value;
        assert!(!validator.is_valid(&changed), "{at}");
        refused += 1;
    }
    assert_eq!(refused, 10);
    for name in ["schema", "losses", "direction"] {
        let mut changed = good.clone();
        changed.as_object_mut().unwrap().remove(name);
        assert!(!validator.is_valid(&changed), "{name}");
    }
}
