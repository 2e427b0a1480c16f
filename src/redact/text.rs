//! Plain text.

use super::{Redactor, detect, search::Why};

/// Returns the text of a prefix, which may end inside a character.
pub(super) fn prefix(bytes: &[u8], ended: bool) -> Option<&str> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Some(text),
        Err(e) if e.error_len().is_none() && !ended => {
            std::str::from_utf8(bytes.get(..e.valid_up_to())?).ok()
        }
        Err(_) => None,
    }
}

/// Returns a text without parts in which a detector matches.
pub(super) fn without_findings(r: &mut Redactor<'_>, text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut done = 0;
    for found in detect::find(text, r.policy().names()) {
        let secret = text.get(found.clone()).unwrap_or_default();
        out.push_str(text.get(done..found.start).unwrap_or_default());
        out.push_str(&r.because(Why::Told, |r| r.hide(secret.as_bytes())));
        done = found.end;
    }
    out.push_str(text.get(done..).unwrap_or_default());
    out
}
