//! Redaction of JSON, compared with parsing the same text.

use crate::Case;
use dashcam::redact::{Action, Policy};
use serde_json::{Value, json};
use std::hint::black_box;

/// The strings of [`all`], each of which is redacted.
const ALL: usize = 100;

pub(crate) fn cases() -> Vec<Case> {
    macro_rules! cases {
        ($($name:literal => $run:expr,)*) => { vec![$(Case { name: $name, run: $run },)*] };
    }
    cases! {
        "redaction/catalogue, parsed" => |go| parsed(&catalogue(), go),
        "redaction/catalogue, by name" => |go| redacted(&Policy::by_name(), &catalogue(), go),
        "redaction/catalogue, strict" => |go| redacted(&kept(), &catalogue(), go),
        "redaction/feed, parsed" => |go| parsed(&feed(), go),
        "redaction/feed, by name" => |go| redacted(&Policy::by_name(), &feed(), go),
        "redaction/small, parsed" => |go| parsed(&small(), go),
        "redaction/small, by name" => |go| redacted(&Policy::by_name(), &small(), go),
        "redaction/100 strings, none redacted" => |go| redacted(&Policy::by_name(), &all("name"), go),
        "redaction/100 strings, all redacted" => |go| redacted(&Policy::by_name(), &all("token"), go),
    }
}

/// The strict policy, which keeps the fields of the catalogue.
fn kept() -> Policy {
    ["sku", "title", "brand", "colour", "tags"]
        .into_iter()
        .fold(Policy::strict(), |policy, name| {
            policy.field(name, Action::Keep)
        })
}

fn parsed(text: &str, go: &mut dyn FnMut(&mut dyn FnMut())) {
    go(&mut || drop(black_box(serde_json::from_str::<Value>(black_box(text)))));
}

fn redacted(policy: &Policy, text: &str, go: &mut dyn FnMut(&mut dyn FnMut())) {
    go(&mut || {
        let text = black_box(text).as_bytes();
        drop(black_box(policy.redacted_body("application/json", text)));
    });
}

/// A page of products: many short values, one in forty of which is redacted.
fn catalogue() -> String {
    let item = |n: usize| {
        let mut item = json!({
            "id": 100_000 + n, "sku": format!("A-{n:05}"), "title": "Walking boot, leather",
            "brand": "Northern Outfitters", "price": 129.95, "currency": "EUR", "stock": n % 37,
            "active": n.is_multiple_of(3), "rating": 4.5, "weight": null, "colour": "dark brown",
            "tags": ["shoes", "outdoor", "leather"], "size": { "eu": 43, "width": 10.5 },
        });
        if n.is_multiple_of(2) {
            item["supplier_token"] = "k7Jq2".into();
        }
        item
    };
    json!({ "items": (0..40).map(item).collect::<Vec<_>>(), "page": 1, "total": 4211 }).to_string()
}

/// Posts: longer texts, a few of which are redacted.
fn feed() -> String {
    let text = "Went up the ridge this morning before the rain came in. The view was worth the \
                early start, the coffee at the hut as well. \"Never again\", said the others.";
    let item = |n: usize| {
        json!({
            "id": format!("post-{n}"), "author": { "name": "Alma Rivera", "handle": "alma" },
            "text": text, "lang": "en", "likes": 17 * n, "replies": n, "at": "2026-11-24T08:15:00Z",
            "place": { "name": "Upper hut", "lat": 47.1234, "lon": 11.5678 },
            "contact": if n.is_multiple_of(3) { format!("alma{n}@example.org") } else { "none".into() },
            "pinned": false, "media": ["a.jpg", "b.jpg"],
        })
    };
    json!((0..30).map(item).collect::<Vec<_>>()).to_string()
}

/// A typical message of a service: some 700 bytes.
fn small() -> String {
    json!({
        "order": 8211, "status": "paid", "customer": { "name": "Alma Rivera", "city": "Ghent" },
        "lines": [
            { "sku": "A-00017", "title": "Walking boot", "quantity": 1, "price": 129.95 },
            { "sku": "A-00104", "title": "Wool socks", "quantity": 3, "price": 12.50 },
            { "sku": "B-00002", "title": "Laces, brown", "quantity": 2, "price": 3.95 },
        ],
        "total": 175.35, "currency": "EUR", "note": "please ring twice", "gift": false,
        "created_at": "2026-11-24T08:15:00Z", "session": "k7Jq2pX9", "carrier": "bpost",
        "delivery": { "kind": "home", "slot": "8 to 12", "street": "Main street", "floor": 2 },
    })
    .to_string()
}

/// An object of strings, under names that hide their values or do not.
fn all(name: &str) -> String {
    let fields = (0..ALL).map(|n| format!("\"{name}_{n:03}\":\"k7Jq2pX9 and {n:03}\""));
    format!("{{{}}}", fields.collect::<Vec<_>>().join(","))
}
