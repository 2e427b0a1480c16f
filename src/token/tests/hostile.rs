//! What a stranger sends.

use super::*;
use base64ct::{Base64UrlUnpadded, Encoding};
use proptest::prelude::*;

fn text(bytes: impl AsRef<[u8]>) -> String {
    Base64UrlUnpadded::encode_string(bytes.as_ref())
}

const GOOD: &str = r#"{"exp":1800000600,"dashcam":{}}"#;

fn unsigned(header: &str, signature: &str) -> String {
    format!("{}.{}.{signature}", text(header), text(GOOD))
}

/// A key of each kind, as a service has them.
fn tokens() -> Tokens {
    Tokens::new([hs256("h"), ed25519("e").public().unwrap()])
}

#[test]
fn no_algorithm() {
    for alg in [
        "none", "None", "NONE", "nOnE", "", "HS256 ", "hs256", "RS256", "HS512",
    ] {
        for signature in ["", "AA", &text([0; 32])] {
            let header = format!(r#"{{"alg":"{alg}","kid":"h"}}"#);
            let refused = check(&tokens(), unsigned(&header, signature));
            let expected = if signature.is_empty() {
                Refusal::Malformed
            } else {
                Refusal::Algorithm
            };
            assert_eq!(refused, Err(expected), "{alg} {signature}");
        }
    }
}

/// The public key is no secret: nothing signed with its bytes is good.
#[test]
fn a_public_key_is_not_a_secret() {
    let public = ed25519("e").public().unwrap();
    let jwk: serde_json::Value = serde_json::from_str(&public.to_jwk()).unwrap();
    let x = jwk["x"].as_str().unwrap();
    let bytes = Base64UrlUnpadded::decode_vec(x).unwrap();
    for secret in [bytes, x.as_bytes().to_vec(), public.to_jwk().into_bytes()] {
        let forged = TokenKey::hs256("e", &secret).unwrap();
        assert_eq!(
            check(&tokens(), mint(&forged, &ten_minutes())),
            Err(Refusal::Algorithm)
        );
        // The same, said to be of the right algorithm.
        let token = unsigned_by(&forged, r#"{"alg":"EdDSA","kid":"e"}"#);
        assert_eq!(check(&tokens(), token), Err(Refusal::Signature));
    }
    let other_way = TokenKey::ed25519_private("h", &SECRET).unwrap();
    assert_eq!(
        check(&tokens(), mint(&other_way, &ten_minutes())),
        Err(Refusal::Algorithm)
    );
}

/// What this key would sign under this header.
fn unsigned_by(key: &TokenKey, header: &str) -> String {
    let token = key.sign(GOOD.as_bytes()).unwrap();
    let signature = token.rsplit('.').next().unwrap();
    unsigned(header, signature)
}

#[test]
fn forged() {
    for (key, expected) in [
        (TokenKey::hs256("h", &OTHER), Refusal::Signature),
        (TokenKey::ed25519_private("e", &OTHER), Refusal::Signature),
        (TokenKey::hs256("x", &SECRET), Refusal::Key),
        (TokenKey::hs256("H", &SECRET), Refusal::Key),
    ] {
        let token = mint(&key.unwrap(), &ten_minutes());
        assert_eq!(check(&tokens(), token), Err(expected));
    }
    let good = mint(&hs256("h"), &ten_minutes());
    let (signed, _) = good.rsplit_once('.').unwrap();
    for signature in [
        "A",
        "AA",
        &text([0; 31]),
        &text([0; 32]),
        &text([0; 64]),
        &text([0; 65]),
    ] {
        let refused = check(&tokens(), format!("{signed}.{signature}"));
        assert_eq!(refused, Err(Refusal::Signature), "{signature}");
    }
}

#[test]
fn headers_that_are_not_understood() {
    let with = |header: &str| check(&tokens(), unsigned_by(&hs256("h"), header));
    for (header, expected) in [
        (r#"{"kid":"h"}"#, Refusal::Malformed),
        (r#"{"alg":"HS256"}"#, Refusal::Key),
        (r#"{"alg":"HS256","kid":null}"#, Refusal::Key),
        (r#"{"alg":"HS256","kid":1}"#, Refusal::Malformed),
        (r#"{"alg":["HS256"],"kid":"h"}"#, Refusal::Malformed),
        (
            r#"{"alg":"HS256","kid":"h","crit":["b64"],"b64":false}"#,
            Refusal::Malformed,
        ),
        (
            r#"{"alg":"HS256","kid":"h","crit":null}"#,
            Refusal::Malformed,
        ),
        (
            r#"{"alg":"HS256","kid":"h","typ":"at+jwt"}"#,
            Refusal::Malformed,
        ),
        (
            r#"{"alg":"EdDSA","alg":"HS256","kid":"h"}"#,
            Refusal::Malformed,
        ),
        (r#"{"alg":"HS256","kid":"e","kid":"h"}"#, Refusal::Malformed),
        (r#"{"alg":"HS256","kid":"h"} "#, Refusal::Signature),
        (r#"{"alg":"HS256","kid":"h"}}"#, Refusal::Malformed),
        (
            r#"{"alg":"HS256","kid":"h","jwk":{"kty":"oct","k":"AAAA"}}"#,
            Refusal::Signature,
        ),
        ("[]", Refusal::Malformed),
        (r#"["HS256","h",null,null]"#, Refusal::Malformed),
        ("null", Refusal::Malformed),
        ("\u{0}", Refusal::Malformed),
    ] {
        assert_eq!(with(header), Err(expected), "{header}");
    }
    let deep = format!(r#"{{"alg":"HS256","kid":"h","x":{}"#, "[".repeat(180));
    assert_eq!(with(&deep), Err(Refusal::Malformed));
}

#[test]
fn claims_that_are_not_understood() {
    let key = hs256("h");
    let said = |claims: &str| check(&tokens(), key.sign(claims.as_bytes()).unwrap());
    assert!(said(GOOD).is_ok());
    for (claims, expected) in [
        (r#"{"dashcam":{}}"#, Refusal::Lifetime),
        (r#"{"exp":null,"dashcam":{}}"#, Refusal::Lifetime),
        (r#"{"exp":1e300,"dashcam":{}}"#, Refusal::Lifetime),
        (r#"{"exp":1e999,"dashcam":{}}"#, Refusal::Claims),
        (r#"{"exp":"1800000600","dashcam":{}}"#, Refusal::Claims),
        (r#"{"exp":true,"dashcam":{}}"#, Refusal::Claims),
        (r#"{"exp":-1,"dashcam":{}}"#, Refusal::Expired),
        (
            r#"{"exp":1800000600,"exp":1800000600,"dashcam":{}}"#,
            Refusal::Claims,
        ),
        (r#"{"exp":1800000600}"#, Refusal::Claims),
        (r#"{"exp":1800000600,"dashcam":null}"#, Refusal::Claims),
        (r#"{"exp":1800000600,"dashcam":[]}"#, Refusal::Claims),
        (
            r#"{"exp":1800000600,"dashcam":{"uses":0}}"#,
            Refusal::Claims,
        ),
        (
            r#"{"exp":1800000600,"dashcam":{"uses":-1}}"#,
            Refusal::Claims,
        ),
        (r#"{"exp":1800000600,"dashcam":{"use":1}}"#, Refusal::Claims),
        (
            r#"{"exp":1800000600,"dashcam":{"when":{"methd":"GET"}}}"#,
            Refusal::Claims,
        ),
        (
            r#"{"exp":1800000600,"dashcam":{"when":{"fact":{"a":"b"}}}}"#,
            Refusal::Claims,
        ),
        (
            r#"{"exp":1800000600,"dashcam":{"verbose":"a b"}}"#,
            Refusal::Claims,
        ),
        (
            r#"{"exp":1800000600,"dashcam":{"mode":"off"}}"#,
            Refusal::Claims,
        ),
        (
            r#"{"exp":1800000600,"nbf":1e300,"dashcam":{}}"#,
            Refusal::Claims,
        ),
        (
            r#"{"exp":1800000600,"sub":"a\nb","dashcam":{}}"#,
            Refusal::Claims,
        ),
        (
            r#"{"exp":1800000600,"sub":1,"dashcam":{}}"#,
            Refusal::Claims,
        ),
        (
            r#"{"exp":1800000600,"aud":1,"dashcam":{}}"#,
            Refusal::Claims,
        ),
        ("", Refusal::Malformed),
        ("[1800000600,null,null,null,null,{}]", Refusal::Claims),
        ("{", Refusal::Claims),
        ("\u{feff}{}", Refusal::Claims),
    ] {
        assert_eq!(said(claims), Err(expected), "{claims}");
    }
    let long = format!(
        r#"{{"exp":1800000600,"sub":"{}","dashcam":{{}}}}"#,
        "a".repeat(65)
    );
    assert_eq!(said(&long), Err(Refusal::Claims));
    assert_eq!(
        key.sign(b"\xff").map(|token| check(&tokens(), token)),
        Some(Err(Refusal::Claims))
    );
}

#[test]
fn shapes() {
    let good = mint(&hs256("h"), &ten_minutes());
    let two = [&good, &good];
    let at = |values: &[&String]| check_at(&tokens(), values, &request(), 0);
    assert_eq!(at(&two), Err(Refusal::Repeated));
    assert_eq!(at(&[&good, &String::new()]), Err(Refusal::Repeated));
    let (most, over) = ("a".repeat(2048), "a".repeat(2049));
    assert_eq!(check(&tokens(), over), Err(Refusal::Oversized));
    assert_eq!(check(&tokens(), most), Err(Refusal::Malformed));
    for (garbage, expected) in [
        ("", Refusal::Malformed),
        ("1", Refusal::Malformed),
        ("debug", Refusal::Malformed),
        ("..", Refusal::Malformed),
        ("...", Refusal::Malformed),
        ("a.b.c", Refusal::Malformed),
        ("e30.e30.e30", Refusal::Malformed),
        ("Bearer e30.e30.e30", Refusal::Malformed),
    ] {
        assert_eq!(check(&tokens(), garbage), Err(expected), "{garbage}");
    }
    for altered in [
        format!("{good}="),
        format!("{good}.a"),
        format!(".{good}"),
        format!(" {good}"),
        format!("{good},{good}"),
        good.replace('.', "\t."),
        good.to_uppercase(),
    ] {
        assert!(check(&tokens(), &altered).is_err(), "{altered}");
    }
    assert!(check(&tokens(), [good.as_bytes(), b"\xff"].concat()).is_err());
}

/// A second text of one token would be a second token to whoever counts uses.
#[test]
fn one_token_has_one_text() {
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let all = |_| (0..7).collect::<Vec<_>>();
    // Checking these takes longer.
    let some = |n| vec![n % 7];
    let bits: [(_, &dyn Fn(usize) -> Vec<usize>); 2] = [(hs256("h"), &all), (ed25519("e"), &some)];
    for (key, bits) in bits {
        let good = mint(&key, &ten_minutes().uses(1000));
        let mut accepted = 0;
        for n in 0..good.len() {
            assert!(check(&tokens(), &good[..n]).is_err(), "cut at {n}");
            for bit in bits(n) {
                let mut bytes = good.clone().into_bytes();
                bytes[n] ^= 1 << bit;
                assert!(check(&tokens(), &bytes).is_err(), "{n} {bit}");
            }
        }
        for last in alphabet {
            let mut bytes = good.clone().into_bytes();
            *bytes.last_mut().unwrap() = *last;
            accepted += usize::from(check(&tokens(), &bytes).is_ok());
        }
        assert_eq!(accepted, 1);
    }
}

/// The order of the group of Ed25519: a signature with it added to its second half
/// would be good, too, where that is not looked at.
#[test]
fn a_signature_cannot_be_altered_into_another() {
    const ORDER: [u8; 32] = [
        0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde,
        0x14, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
    ];
    let good = mint(&ed25519("e"), &ten_minutes());
    let (signed, signature) = good.rsplit_once('.').unwrap();
    let mut bytes = Base64UrlUnpadded::decode_vec(signature).unwrap();
    let mut carry = 0_u16;
    for (byte, order) in bytes[32..].iter_mut().zip(ORDER) {
        carry += u16::from(*byte) + u16::from(order);
        *byte = carry as u8;
        carry >>= 8;
    }
    let altered = format!("{signed}.{}", text(bytes));
    assert_eq!(check(&tokens(), altered), Err(Refusal::Signature));
    assert!(check(&tokens(), good).is_ok());
}

proptest! {
    #[test]
    fn whatever_comes(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(check(&tokens(), &bytes).is_err());
        let signed = hs256("h").sign(&bytes).unwrap();
        prop_assert!(check(&tokens(), signed).is_err());
    }

    #[test]
    fn whatever_comes_in_three_parts(text in "[A-Za-z0-9_-]{0,80}\\.[A-Za-z0-9_-]{0,80}\\.[A-Za-z0-9_-]{0,90}") {
        prop_assert!(check(&tokens(), &text).is_err());
    }
}
