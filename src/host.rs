//! The normal form of a host. All comparisons of hosts use it.

use std::{borrow::Cow, net::Ipv6Addr};
use unicode_normalization::UnicodeNormalization;

/// The longest label of a name, in bytes (RFC 1035).
const LABEL: usize = 63;

/// Splits a host from the port behind it. A port without digits counts as none.
pub(crate) fn split(authority: &str) -> (&str, Option<u16>) {
    match authority.rfind(':') {
        // Not a colon inside an IPv6 address.
        Some(colon) if !authority.ends_with(']') => {
            let (name, port) = authority.split_at_checked(colon).unwrap_or_default();
            let port = port.strip_prefix(':').unwrap_or(port);
            let bare = name.contains(':') && !name.ends_with(']');
            if bare || !port.bytes().all(|b| b.is_ascii_digit()) {
                return (authority, None);
            }
            (name, port.parse().ok())
        }
        _ => (authority, None),
    }
}

/// Returns the normal form of a host, without its port: lower case, without a dot at the
/// end, names that are not ASCII as in DNS (`xn--…`). IPv6 addresses have brackets and
/// their shortest form.
pub(crate) fn fold(host: &str) -> Cow<'_, str> {
    let plain = |b: u8| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_');
    if host.bytes().all(plain) && !host.ends_with('.') {
        return Cow::Borrowed(host);
    }
    let inner = host.strip_prefix('[').and_then(|h| h.strip_suffix(']'));
    if let Ok(address) = inner.unwrap_or(host).parse::<Ipv6Addr>() {
        return Cow::Owned(format!("[{address}]"));
    }
    let host = host.strip_suffix('.').unwrap_or(host);
    if host.is_ascii() {
        return Cow::Owned(host.to_ascii_lowercase());
    }
    // Dots of other scripts also separate labels (RFC 3490, section 3.1).
    let labels = host.split(['.', '\u{3002}', '\u{ff0e}', '\u{ff61}']);
    let labels: Vec<_> = labels.map(label).collect();
    let name = labels.join(".");
    Cow::Owned(name.strip_suffix('.').map(str::to_owned).unwrap_or(name))
}

/// Returns whether `asked`, with a port or for all ports, matches this host of a request.
pub(crate) fn is(asked: &str, authority: &str, scheme: &str) -> bool {
    let ((asked, wanted), (host, port)) = (split(asked), split(authority));
    let port = port.unwrap_or(if scheme == "https" { 443 } else { 80 });
    fold(asked) == fold(host) && wanted.is_none_or(|wanted| wanted == port)
}

fn label(label: &str) -> String {
    let label: String = label.nfc().flat_map(char::to_lowercase).nfc().collect();
    if label.is_ascii() || label.len() > LABEL * 4 {
        return label;
    }
    match punycode(&label) {
        Some(code) => format!("xn--{code}"),
        None => label,
    }
}

/// RFC 3492, section 6.3.
fn punycode(label: &str) -> Option<String> {
    const BASE: u32 = 36;
    let digit = |d: u32| {
        let d = u8::try_from(d).unwrap_or(0);
        char::from(if d < 26 { b'a' + d } else { b'0' + (d - 26) })
    };
    let mut out: String = label.chars().filter(char::is_ascii).collect();
    let basic = u32::try_from(out.len()).ok()?;
    let total = u32::try_from(label.chars().count()).ok()?;
    if basic > 0 {
        out.push('-');
    }
    let (mut n, mut delta, mut bias, mut handled) = (128_u32, 0_u32, 72_u32, basic);
    while handled < total {
        let next = label.chars().map(u32::from).filter(|c| *c >= n).min()?;
        delta = delta.checked_add((next - n).checked_mul(handled + 1)?)?;
        n = next;
        for c in label.chars().map(u32::from) {
            if c < n {
                delta = delta.checked_add(1)?;
            }
            if c != n {
                continue;
            }
            let (mut q, mut k) = (delta, BASE);
            loop {
                let t = k.saturating_sub(bias).clamp(1, 26);
                if q < t {
                    break;
                }
                out.push(digit(t + (q - t) % (BASE - t)));
                q = (q - t) / (BASE - t);
                k += BASE;
            }
            out.push(digit(q));
            let mut d = if handled == basic {
                delta / 700
            } else {
                delta / 2
            };
            d += d / (handled + 1);
            bias = 0;
            while d > 455 {
                d /= 35;
                bias += BASE;
            }
            bias += 36 * d / (d + 38);
            delta = 0;
            handled += 1;
        }
        delta = delta.checked_add(1)?;
        n += 1;
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_host_has_one_spelling() {
        for (host, spellings) in [
            (
                "shop.example",
                &["Shop.Example", "shop.example.", "SHOP.EXAMPLE."][..],
            ),
            (
                "xn--mnchen-3ya.example",
                &[
                    "münchen.example",
                    "MÜNCHEN.example.",
                    "mu\u{308}nchen.example",
                    "XN--MNCHEN-3YA.example",
                    "münchen\u{3002}example",
                ],
            ),
            ("xn--fiqs8s", &["中国", "中国."]),
            ("xn--d1acpjx3f.xn--p1ai", &["яндекс.рф", "ЯНДЕКС.РФ"]),
            ("[::1]", &["::1", "[0:0:0:0:0:0:0:1]", "[::0001]"]),
            ("[2001:db8::a]", &["[2001:DB8::A]", "2001:db8:0::a"]),
            ("10.0.0.1", &["10.0.0.1."]),
        ] {
            assert_eq!(fold(host), host);
            for spelling in spellings {
                assert_eq!(fold(spelling), host, "{spelling}");
            }
        }
        for other in ["", ".", "[::1", "a b", "[x]", "é".repeat(300).as_str()] {
            let _ = fold(other);
        }
    }

    #[test]
    fn ports() {
        assert_eq!(split("a:80"), ("a", Some(80)));
        assert_eq!(split("a:"), ("a", None));
        assert_eq!(split("[::1]:8080"), ("[::1]", Some(8080)));
        assert_eq!(split("[::1]"), ("[::1]", None));
        assert_eq!(split("::1"), ("::1", None));
        assert_eq!(split("a:x"), ("a:x", None));
        assert_eq!(split(""), ("", None));
    }

    #[test]
    fn a_port_may_be_said_or_not() {
        assert!(is("shop.example", "Shop.Example.:8080", "http"));
        assert!(is("shop.example:80", "shop.example", "http"));
        assert!(is("shop.example:443", "shop.example", "https"));
        assert!(!is("shop.example:80", "shop.example", "https"));
        assert!(!is("shop.example", "shop.example.evil", "http"));
    }
}
