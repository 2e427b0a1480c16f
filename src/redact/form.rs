//! URL-encoded forms.

use super::{Redactor, decisions::Part, decode, url};
use crate::exchange::Content;

/// Returns `None` if this is not a form.
pub(super) fn body(r: &mut Redactor<'_>, bytes: &[u8], ended: bool) -> Option<Content> {
    // An encoder of forms writes no other bytes.
    let text = std::str::from_utf8(bytes).ok()?;
    if !text.bytes().all(url::is_query) {
        return None;
    }
    let mut out = String::with_capacity(text.len());
    let named = url::names_secret(r, text);
    let mut pairs = text.split('&').peekable();
    while let Some(pair) = pairs.next() {
        let cut = !ended && pairs.peek().is_none();
        match pair.split_once('=') {
            Some((key, value)) => {
                let mut rule = url::key_rule(r, key, &mut out, |r, key| r.policy().field_rule(key));
                rule.suspicious |= named && Part::of(key) == Part::Value;
                out.push('=');
                push_value(r, rule, value, cut, &mut out);
            }
            // A part without a name is a value.
            None => {
                let rule = r.policy().field_rule("");
                push_value(r, rule, pair, cut, &mut out);
            }
        }
        if pairs.peek().is_some() {
            out.push('&');
        }
    }
    Some(Content::Text {
        text: out,
        unparsed: 0,
    })
}

fn push_value(
    r: &mut Redactor<'_>,
    rule: super::policy::Rule,
    raw: &str,
    cut: bool,
    out: &mut String,
) {
    if raw.is_empty() {
        return;
    }
    let decoded = decode::form(raw);
    if r.scalar(rule, &decoded, cut).is_some() {
        r.because(rule.why(), |r| {
            url::hide_encoded(r, rule.how(), raw, &decoded, cut, out);
        });
    } else {
        url::push_kept(raw, &decoded, out);
    }
}
