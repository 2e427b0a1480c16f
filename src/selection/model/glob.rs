use super::{RulesError, serde_as_text};
use std::{fmt, str::FromStr};

/// A pattern of whole paths; [`When::path`](super::When::path) describes it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Glob {
    text: String,
    /// The bytes before the first star.
    literal: usize,
    rest: Rest,
}

/// What follows the literal beginning.
#[derive(Clone, Debug, Eq, PartialEq)]
enum Rest {
    Nothing,
    /// `**` at the end.
    Anything,
    /// `*` at the end.
    Segment,
    Tokens(Vec<Token>),
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Token {
    Byte(u8),
    Star,
    DoubleStar,
}

/// The longest pattern: one bit of a word for each token, and one for the end.
const MAX_LEN: usize = 127;

impl Glob {
    /// Whether the whole path matches.
    #[must_use]
    pub(crate) fn matches(&self, path: &str) -> bool {
        self.matches_for(path, |_| true)
    }

    /// The same, unless it takes more work than `may` allows: then it does not match.
    pub(in crate::selection) fn matches_for(
        &self,
        path: &str,
        may: impl Fn(usize) -> bool,
    ) -> bool {
        let literal = self.literal();
        if !may(1 + literal.len() / 16) {
            return false;
        }
        let Some(rest) = path.as_bytes().strip_prefix(literal) else {
            return false;
        };
        match &self.rest {
            Rest::Nothing => rest.is_empty(),
            Rest::Anything => true,
            Rest::Segment => may(rest.len()) && !rest.contains(&b'/'),
            Rest::Tokens(tokens) => run(tokens, rest, may),
        }
    }

    fn literal(&self) -> &[u8] {
        self.text.as_bytes().get(..self.literal).unwrap_or_default()
    }
}

/// Tracks all places in the pattern at once, one bit each. It takes linear time, whatever a
/// client sends.
fn run(tokens: &[Token], path: &[u8], may: impl Fn(usize) -> bool) -> bool {
    let star = |token: &Token| matches!(token, Token::Star | Token::DoubleStar);
    let bit = |(n, token)| u128::from(star(token)) << n;
    let stars = tokens.iter().enumerate().map(bit).sum::<u128>();
    // A star may match nothing, and no star follows another one.
    let skip = |at: u128| at | (at & stars) << 1;
    let mut at = skip(1);
    for byte in path {
        if !may(2 * (1 + at.count_ones() as usize)) {
            return false;
        }
        let (mut next, mut left) = (0_u128, at);
        while left != 0 {
            let n = left.trailing_zeros();
            left &= left - 1;
            match tokens.get(n as usize) {
                Some(Token::Byte(b)) if b == byte => next |= 1 << (n + 1),
                Some(Token::DoubleStar) => next |= 1 << n,
                Some(Token::Star) if *byte != b'/' => next |= 1 << n,
                _ => {}
            }
        }
        if next == 0 {
            return false;
        }
        at = skip(next);
    }
    at & 1 << tokens.len() != 0
}

impl FromStr for Glob {
    type Err = RulesError;

    fn from_str(text: &str) -> Result<Self, RulesError> {
        if text.len() > MAX_LEN {
            return Err(RulesError::expected(
                "expected a pattern of at most 127 bytes",
            ));
        }
        if !text.starts_with(['/', '*']) {
            return Err(RulesError::expected(
                "expected a pattern of whole paths, such as `/orders/*` or `/api/**`",
            ));
        }
        let literal = text.find('*').unwrap_or(text.len());
        let rest = match text.get(literal..).unwrap_or_default() {
            "" => Rest::Nothing,
            "*" => Rest::Segment,
            "**" => Rest::Anything,
            rest => Rest::Tokens(tokens(rest)?),
        };
        Ok(Self {
            text: text.to_owned(),
            literal,
            rest,
        })
    }
}

fn tokens(text: &str) -> Result<Vec<Token>, RulesError> {
    let mut tokens = Vec::new();
    let mut bytes = text.bytes().peekable();
    while let Some(byte) = bytes.next() {
        tokens.push(match byte {
            b'*' if bytes.next_if_eq(&b'*').is_none() => Token::Star,
            b'*' if bytes.peek() == Some(&b'*') => {
                return Err(RulesError::expected("expected at most two stars in a row"));
            }
            b'*' => Token::DoubleStar,
            byte => Token::Byte(byte),
        });
    }
    Ok(tokens)
}

impl fmt::Display for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

serde_as_text!(Glob, "a pattern of paths such as `/orders/*`");

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn matches(glob: &str, path: &str) -> bool {
        glob.parse::<Glob>().unwrap().matches(path)
    }

    #[test]
    fn globs() {
        for (glob, yes, no) in [
            ("/a", &["/a"][..], &["/", "/a/", "/ab"][..]),
            ("/a/*", &["/a/", "/a/b"], &["/a", "/a/b/c"]),
            ("/a/**", &["/a/", "/a/b/c"], &["/a", "/b/a/"]),
            (
                "/a/*/c",
                &["/a/b/c", "/a//c"],
                &["/a/c", "/a/b/b/c", "/a/b/cc"],
            ),
            ("/a/**/c", &["/a/b/c", "/a/b/b/c", "/a//c"], &["/a/c"]),
            ("**.png", &["/a/b.png", ".png"], &["/a.png/b"]),
            ("/a*b*c", &["/abc", "/axbxbc"], &["/ab/c", "/abcd"]),
            ("/**/x*y/**", &["//xy/", "/a/x1y/z/z"], &["/xy/", "/a/x/y/"]),
            ("**", &["", "/", "/a/b"], &[]),
        ] {
            yes.iter()
                .for_each(|path| assert!(matches(glob, path), "{glob} {path}"));
            no.iter()
                .for_each(|path| assert!(!matches(glob, path), "{glob} {path}"));
        }
        for bad in ["", "a", "a/*", "/***/x", &format!("/{}", "a".repeat(127))] {
            assert!(bad.parse::<Glob>().is_err(), "{bad}");
        }
    }

    /// The same by the definition.
    fn by_definition(glob: &[u8], path: &[u8]) -> bool {
        match glob {
            [] => path.is_empty(),
            [b'*', b'*', rest @ ..] => (0..=path.len()).any(|n| by_definition(rest, &path[n..])),
            [b'*', rest @ ..] => (0..=path.len())
                .take_while(|n| !path[..*n].contains(&b'/'))
                .any(|n| by_definition(rest, &path[n..])),
            [byte, rest @ ..] => path.first() == Some(byte) && by_definition(rest, &path[1..]),
        }
    }

    proptest! {
        #[test]
        fn as_defined(glob in "/[ab/*]{0,8}", path in "/[ab/]{0,10}") {
            prop_assume!(!glob.contains("***"));
            let expected = by_definition(glob.as_bytes(), path.as_bytes());
            prop_assert_eq!(matches(&glob, &path), expected);
        }
    }
}
