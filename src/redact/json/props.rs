//! JSON redaction against a slow reference implementation.

use super::{Rule, body};
use crate::{
    exchange::Content,
    redact::{
        Action, Policy, Redactor,
        decisions::Part,
        detect, names,
        policy::Node,
        pseudonym::{BOOL, DROPPED, Pseudonyms},
        tests::{by_name, salt, strict},
    },
};
use proptest::prelude::*;
use std::sync::LazyLock;

#[derive(Clone, Debug)]
enum Doc {
    Word(&'static str),
    Number(String),
    Text(Written),
    List(Vec<Self>),
    /// In order, including duplicates.
    Object(Vec<(Written, Self)>),
}

/// A text, and its JSON form.
#[derive(Clone, Debug)]
struct Written {
    text: String,
    raw: String,
}

fn written(text: String, escaped: bool) -> Written {
    let raw = if escaped {
        let units = text.encode_utf16().map(|unit| format!("\\u{unit:04x}"));
        units.collect()
    } else {
        let quoted = serde_json::to_string(&text).unwrap();
        quoted[1..quoted.len() - 1].to_owned()
    };
    Written { text, raw }
}

fn any_key() -> impl Strategy<Value = Written> {
    let known = [
        "id",
        "name",
        "value",
        "text",
        "status",
        "token",
        "Password",
        "note",
        "card",
        "number",
        "items",
        "a",
        "kind",
        "pin",
        "user_id",
        "a key of more than 24 bytes, with blanks",
        "é",
        "",
        "4111111111111111",
        "of_twenty_four_characters",
        "a\\b",
        "a\u{8}",
        "a\"b",
    ];
    let text = prop_oneof![
        4 => prop::sample::select(known.to_vec()).prop_map(str::to_owned),
        // Pairs of them are a name and its value.
        2 => prop::sample::select(vec!["name", "value"]).prop_map(str::to_owned),
        1 => "[ab_]{1,3}|[a-z]{8}|[ -~]{0,26}",
    ];
    (text, prop::bool::weighted(0.1)).prop_map(|(text, escaped)| written(text, escaped))
}

fn any_text() -> impl Strategy<Value = Written> {
    let known = [
        "paid",
        "EUR",
        "token",
        "pin",
        "sort",
        "alma@example.org",
        "4111 1111 1111 1111",
        "Bearer abcdefgh12345678",
        "2026-11-24T08:15:00Z",
        "a\nb",
        "\u{1}",
        "\u{7f}é",
        "",
        "Went up the ridge before the rain came in. \"Never again\", said the others.",
    ];
    let text = prop_oneof![
        2 => prop::sample::select(known.to_vec()).prop_map(str::to_owned),
        1 => prop::sample::select(vec!["token", "sort"]).prop_map(str::to_owned),
        // No braces and brackets: a text that starts with one may be JSON itself.
        1 => "[ -Z^-z]{0,20}|[a-z@:. é\"\\\\/]{0,12}",
    ];
    (text, prop::bool::weighted(0.1)).prop_map(|(text, escaped)| written(text, escaped))
}

fn any_doc() -> impl Strategy<Value = Doc> {
    let numbers = [
        "0",
        "-1.50",
        "12e5",
        "4111111111111111",
        "1732435200000",
        "0.1",
    ];
    let leaf = prop_oneof![
        prop::sample::select(vec!["null", "true", "false"]).prop_map(Doc::Word),
        prop::sample::select(numbers.to_vec()).prop_map(|n| Doc::Number(n.to_owned())),
        any::<i64>().prop_map(|n| Doc::Number(n.to_string())),
        any_text().prop_map(Doc::Text),
    ];
    leaf.prop_recursive(5, 48, 6, |inner| {
        prop_oneof![
            1 => prop::collection::vec(inner.clone(), 0..5).prop_map(Doc::List),
            2 => prop::collection::vec((any_key(), inner), 0..6).prop_map(Doc::Object),
        ]
    })
}

/// The text between two brackets.
fn inside(gap: &str, parts: impl Iterator<Item = String>) -> String {
    let all = parts.collect::<Vec<_>>().join(",");
    if all.is_empty() { gap.to_owned() } else { all }
}

/// A document as it is sent, `gap` around all its tokens.
fn sent(doc: &Doc, gap: &str) -> String {
    let token = match doc {
        Doc::Word(word) => (*word).to_owned(),
        Doc::Number(number) => number.clone(),
        Doc::Text(text) => format!("\"{}\"", text.raw),
        Doc::List(all) => format!("[{}]", inside(gap, all.iter().map(|v| sent(v, gap)))),
        Doc::Object(all) => {
            let member = |(key, value): &(Written, Doc)| {
                format!("{gap}\"{}\"{gap}:{}", key.raw, sent(value, gap))
            };
            format!("{{{}}}", inside(gap, all.iter().map(member)))
        }
    };
    format!("{gap}{token}{gap}")
}

fn pseudonyms(policy: &Policy) -> Pseudonyms {
    Pseudonyms::new(policy.key()).of(salt())
}

/// Returns whether a text is a suspicious name, or a pointer to one.
fn is_secret(policy: &Policy, name: &str) -> bool {
    let last = name.rsplit('/').next().unwrap();
    name.len() <= super::LONGEST_NAME && policy.field_rule(last).suspicious
}

/// Returns the expected output.
fn redacted(policy: &Policy, doc: &Doc, gap: &str, rule: Rule, node: Option<Node<'_>>) -> String {
    let hidden = |text: &str, how: Action| {
        let mut out = String::from("\"");
        pseudonyms(policy).push(how, text.as_bytes(), false, &mut out);
        out + "\""
    };
    let token = match doc {
        Doc::List(_) | Doc::Object(_) if rule.hide == Some(Action::Drop) => {
            format!("\"{DROPPED}\"")
        }
        Doc::Word("null") if rule.hide != Some(Action::Drop) => "null".to_owned(),
        Doc::Word(_) if rule.suspicious => match rule.hide {
            Some(Action::Drop) => format!("\"{DROPPED}\""),
            Some(Action::Mask) => "\"****\"".to_owned(),
            _ => format!("\"{BOOL}\""),
        },
        Doc::Word(word) => (*word).to_owned(),
        Doc::Number(number) if rule.suspicious || detect::number(number) => {
            let mut out = String::from("\"");
            pseudonyms(policy).push_number(rule.how(), number, false, &mut out);
            out + "\""
        }
        Doc::Number(number) => number.clone(),
        Doc::Text(text) if policy.string_stays(rule, &text.text) => format!("\"{}\"", text.raw),
        Doc::Text(text) => hidden(&text.text, rule.how()),
        Doc::List(all) => {
            // In a list of two, the first may be the name of the second.
            let pair = match all.as_slice() {
                [Doc::Text(name), _] | [Doc::Text(name), Doc::List(_) | Doc::Object(_), ..] => {
                    !name.raw.contains(' ') && is_secret(policy, &name.text)
                }
                _ => false,
            };
            let element = |(n, value)| {
                let within = node.and_then(|node| node.index(n));
                let path = within.and_then(Node::action);
                let rule = Rule {
                    suspicious: rule.suspicious || (pair && n > 0),
                    ..rule
                };
                // Without paths an element has the rule of its list.
                let rule = node.map_or(rule, |_| rule.below(Rule::default(), path));
                redacted(policy, value, gap, rule, within)
            };
            format!("[{}]", inside(gap, all.iter().enumerate().map(element)))
        }
        Doc::Object(all) => {
            let named = all.iter().any(|(key, value)| match value {
                Doc::Text(name) => {
                    Part::of(&key.text) == Part::Name && is_secret(policy, &name.text)
                }
                _ => false,
            });
            let member = |(key, value): &(Written, Doc)| {
                let text = key.text.as_str();
                let node = node.and_then(|node| node.name(text));
                let mut above = rule;
                above.suspicious |= named && Part::of(text) == Part::Value;
                let stays = names::identifier_like(text)
                    && !detect::is_sensitive(text, policy.names())
                    && !rule.suspicious;
                let written = if stays {
                    format!("\"{}\"", key.raw)
                } else {
                    hidden(text, rule.how())
                };
                let below = policy.field_rule(text);
                let below = below.below(above, node.and_then(Node::action));
                format!(
                    "{gap}{written}{gap}:{}",
                    redacted(policy, value, gap, below, node)
                )
            };
            format!("{{{}}}", inside(gap, all.iter().map(member)))
        }
    };
    format!("{gap}{token}{gap}")
}

fn policies() -> Vec<Policy> {
    let path = |policy: Policy, path, action| policy.path(path, action).unwrap();
    let odd = strict()
        .field("note", Action::Drop)
        .field("id", Action::Shape)
        .field("token", Action::Mask)
        .field("text", Action::Keep)
        .deny_name("kind");
    let odd = path(odd, "$.items[*].a", Action::Keep);
    let placed = path(by_name(), "$.card.number", Action::Mask);
    let placed = path(placed, "$.*.id", Action::Drop);
    vec![
        strict(),
        by_name(),
        odd,
        path(placed, "$[1]", Action::Shape),
    ]
}

fn text(policy: &Policy, json: &str) -> String {
    match body(&mut Redactor::new(policy).of(salt()), json.as_bytes(), true) {
        Some(Content::Text { text, unparsed: 0 }) => text,
        other => panic!("{other:?} of {json}"),
    }
}

proptest! {
    #[test]
    fn documents_are_written_as_they_should_be(
        docs in prop::collection::vec(any_doc(), 4), gap in "|[ \n\t\r]{1,2}",
    ) {
        // Always with the same policies, so that cached decisions are reused.
        static POLICIES: LazyLock<Vec<Policy>> = LazyLock::new(policies);
        for policy in &*POLICIES {
            for doc in &docs {
                let json = sent(doc, &gap);
                let node = policy.paths().root();
                let expected = redacted(policy, doc, &gap, Rule::default(), node);
                prop_assert_eq!(text(policy, &json), expected, "{}", json);
            }
        }
    }
}
