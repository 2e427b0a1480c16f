//! Names of content codings, and their aliases.

/// The most codings that are distinguished.
const MOST: usize = 8;

/// The name of an unknown coding.
pub(crate) const OTHER: &str = "other";

/// Returns the registered names of the codings in a field's value, or in several, in the
/// order in which they were applied, without `identity`.
pub(crate) fn of(list: &str) -> Vec<&'static str> {
    let codings: Vec<_> = names(list).take(MOST + 1).map(registered).collect();
    if codings.len() > MOST {
        return vec![OTHER];
    }
    codings
}

/// Returns whether there is a coding other than `identity`.
pub(crate) fn is_coded(list: &str) -> bool {
    names(list).next().is_some()
}

/// Returns whether all codings are known, however many.
pub(super) fn are_known(list: &str) -> bool {
    names(list).all(|name| registered(name) != OTHER)
}

fn names(list: &str) -> impl Iterator<Item = &str> {
    list.split(',')
        .map(str::trim)
        .filter(|name| !name.is_empty() && !name.eq_ignore_ascii_case("identity"))
}

/// RFC 9110, section 8.4.1: recipients treat the names with `x-` as aliases.
fn registered(name: &str) -> &'static str {
    const KNOWN: [&str; 7] = ["br", "compress", "dcb", "dcz", "deflate", "gzip", "zstd"];
    let short = name.get(..2).filter(|x| x.eq_ignore_ascii_case("x-"));
    let short = short.and_then(|_| name.get(2..)).unwrap_or(name);
    let known = KNOWN.iter().find(|known| known.eq_ignore_ascii_case(short));
    known.copied().unwrap_or(OTHER)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_mean_the_same() {
        for gzip in [
            "gzip",
            "GZIP",
            "x-gzip",
            "X-Gzip",
            "gzip, identity",
            " ,gzip,",
        ] {
            assert_eq!(of(gzip), ["gzip"], "{gzip}");
        }
        assert_eq!(of("x-deflate, Br"), ["deflate", "br"]);
        assert_eq!(of("x-secret"), ["other"]);
        assert_eq!(of(&"gzip,".repeat(9)), ["other"]);
        for none in ["", "identity", "Identity, identity"] {
            assert!(of(none).is_empty() && !is_coded(none), "{none}");
        }
        assert!(is_coded("gzip") && is_coded("?"));
    }
}
