//! Header values that are lists of members and of named parameters.

use super::{Redactor, decode, detect, names, url};

/// The visible parts of one kind of list.
pub(super) struct List {
    /// The names that are kept. Without such a list, all that look like identifiers are.
    pub(super) names: Option<&'static [&'static str]>,
    /// Words that are kept, alone and as values.
    pub(super) words: &'static [&'static str],
}

/// Parameters of credentials.
pub(super) const CREDENTIALS: List = List {
    names: Some(&[
        "algorithm",
        "alg",
        "app",
        "charset",
        "cnonce",
        "credential",
        "dlg",
        "ext",
        "hash",
        "id",
        "k",
        "mac",
        "nc",
        "nonce",
        "oauth_callback",
        "oauth_consumer_key",
        "oauth_nonce",
        "oauth_signature",
        "oauth_signature_method",
        "oauth_timestamp",
        "oauth_token",
        "oauth_verifier",
        "oauth_version",
        "opaque",
        "qop",
        "realm",
        "response",
        "signature",
        "signedheaders",
        "t",
        "ts",
        "uri",
        "userhash",
        "username",
        "v",
    ]),
    words: &[
        "auth",
        "hmac-sha1",
        "hmac-sha256",
        "md5",
        "plaintext",
        "rsa-sha1",
        "sha-256",
        "1.0",
    ],
};

/// The kinds of lists, by header name.
pub(super) fn list_of(header: &str) -> Option<List> {
    let words: &[&str] = match header {
        "baggage" | "tracestate" | "x-forwarded-for" => &[],
        "forwarded" => &["http", "https"],
        "content-disposition" => &["attachment", "inline", "form-data"],
        "prefer" | "preference-applied" => &[
            "lenient",
            "minimal",
            "representation",
            "respond-async",
            "strict",
        ],
        "link" => &[
            "alternate",
            "canonical",
            "describedby",
            "first",
            "last",
            "modulepreload",
            "next",
            "preconnect",
            "preload",
            "prev",
            "self",
            "stylesheet",
        ],
        _ => return None,
    };
    Some(List { names: None, words })
}

/// Redacts a list. Remembers each value separately.
pub(super) fn without_values(r: &mut Redactor<'_>, text: &str, list: &List) -> String {
    let mut out = String::with_capacity(text.len());
    for piece in pieces(text) {
        let bare = piece.trim();
        if bare.is_empty() || matches!(bare, "," | ";") {
            out.push_str(piece);
            continue;
        }
        let (left, right) = piece.split_once(bare).unwrap_or_default();
        out.push_str(left);
        member(r, bare, list, &mut out);
        out.push_str(right);
    }
    out
}

/// Splits a list into parts and separators. Separators inside quotes and angle brackets do
/// not count; an unclosed one extends to the end.
pub(super) fn pieces(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let (mut close, mut escaped) = (None, false);
        let mut end = rest.len();
        for (at, b) in rest.bytes().enumerate() {
            match (b, close) {
                _ if escaped => escaped = false,
                (b'\\', Some(b'"')) => escaped = true,
                (b, Some(closing)) => close = close.filter(|_| b != closing),
                (b'"', None) => close = Some(b'"'),
                (b'<', None) => close = Some(b'>'),
                (b',' | b';', None) => {
                    end = at.max(1);
                    break;
                }
                _ => {}
            }
        }
        let (piece, after) = rest.split_at_checked(end)?;
        rest = after;
        (!piece.is_empty()).then_some(piece)
    })
}

fn member(r: &mut Redactor<'_>, member: &str, list: &List, out: &mut String) {
    let stays = |word: &str| list.words.iter().any(|w| w.eq_ignore_ascii_case(word));
    if let Some(inner) = member.strip_prefix('<') {
        let inner = inner.strip_suffix('>').unwrap_or(inner);
        let url = url::url(r, inner);
        out.push('<');
        out.push_str(&url);
        out.push('>');
        return;
    }
    let Some((name, value)) = member.split_once('=') else {
        if stays(member) {
            out.push_str(member);
        } else {
            out.push_str(&hide(r, "", member));
        }
        return;
    };
    let (bare_name, bare) = (name.trim(), value.trim());
    let known = match list.names {
        Some(names) => names.iter().any(|n| n.eq_ignore_ascii_case(bare_name)),
        None => {
            let plain = bare_name.trim_end_matches('*');
            names::identifier_like(plain) && !detect::is_sensitive(plain, r.policy().names())
        }
    };
    if known {
        out.push_str(name);
    } else {
        out.push_str(&r.hide(bare_name.as_bytes()));
    }
    out.push('=');
    let inner = bare
        .strip_prefix('"')
        .map(|v| v.strip_suffix('"').unwrap_or(v));
    let word = inner.unwrap_or(bare);
    // `rel` may have several.
    if !word.is_empty() && word.split(' ').all(&stays) {
        out.push_str(value);
    } else if word.is_empty() {
        out.push_str(bare);
    } else {
        let quote = if inner.is_some() { "\"" } else { "" };
        out.push_str(quote);
        out.push_str(&hide(r, bare_name, word));
        out.push_str(quote);
    }
}

/// Hides the value of a parameter, and remembers the forms in which services use it.
fn hide(r: &mut Redactor<'_>, name: &str, raw: &str) -> String {
    remember(r, name, raw);
    r.hide(raw.as_bytes())
}

/// Remembers the forms in which services use the value of a parameter: without the escapes
/// of quoted strings, percent-decoded, without the charset and the language of extended
/// parameters, and file names without their extension.
pub(super) fn remember(r: &mut Redactor<'_>, name: &str, raw: &str) {
    let is_file = name.trim_end_matches('*').eq_ignore_ascii_case("filename");
    let plain = raw
        .replace("\\\\", "\u{0}")
        .replace('\\', "")
        .replace('\u{0}', "\\");
    let mut all = vec![raw.to_owned()];
    if plain != raw {
        all.push(plain);
    }
    let mut parts = raw.splitn(3, '\'');
    if let (Some(_), Some(_), Some(text)) = (parts.next(), parts.next(), parts.next()) {
        all.push(text.to_owned());
    }
    if raw.contains('%') {
        for text in all.clone() {
            all.push(String::from_utf8_lossy(&decode::percent(&text)).into_owned());
        }
    }
    for text in all {
        r.remember(&text);
        r.remember_parts(&text);
        if is_file {
            r.remember_file(&text);
        }
    }
}
