/// The scheme that the client used: the first in `x-forwarded-proto`, to which each proxy
/// appends its own, else that of the request's target, else `http`.
pub(crate) fn scheme(forwarded: Option<&str>, target: Option<&str>) -> &'static str {
    let forwarded = forwarded.and_then(|list| list.split(',').next());
    let known = |said: &str| {
        let said = said.trim();
        let is = |name: &&str| said.eq_ignore_ascii_case(name);
        ["https", "http"].into_iter().find(is)
    };
    let said = forwarded.and_then(known).or_else(|| target.and_then(known));
    said.unwrap_or("http")
}

#[cfg(test)]
mod tests {
    use super::scheme;

    #[test]
    fn the_clients_scheme_comes_first() {
        for (forwarded, target, expected) in [
            (None, None, "http"),
            (None, Some("https"), "https"),
            (Some("https"), Some("http"), "https"),
            (Some("HTTPS"), None, "https"),
            (Some(" https , http"), None, "https"),
            (Some("http, https"), Some("https"), "http"),
            // Hidden, or unknown.
            (Some("[~2b1f len=5]"), Some("https"), "https"),
            (Some(""), None, "http"),
            (Some("ftp"), Some("wss"), "http"),
        ] {
            let got = scheme(forwarded, target);
            assert_eq!(got, expected, "{forwarded:?} {target:?}");
        }
    }
}
