//! Against what others made.

use super::*;
use crate::token::jws::Compact;

const POST: &str = "eyJleHAiOjE4MDAwMDA2MDAsIm5iZiI6MTgwMDAwMDAwMCwianRpIjoib25lIiwic3ViIjoi\
    YWxpY2UiLCJkYXNoY2FtIjp7IndoZW4iOnsibWV0aG9kIjoiUE9TVCIsInBhdGgiOiIvb3JkZXJzLyoifSwi\
    dmVyYm9zZSI6ImluZm8sb3JkZXJzPXRyYWNlIiwidXNlcyI6Mn19";

/// PyJWT 2.15.1, with the keys that `docs/tokens.md` shows how to make.
#[test]
fn tokens_of_pyjwt() {
    let secret: Vec<u8> = (0..32).collect();
    let public = TokenKey::from_jwk(JWK_8037).unwrap();
    for (key, header, signature) in [
        (
            TokenKey::hs256("k1", &secret).unwrap(),
            "eyJhbGciOiJIUzI1NiIsImtpZCI6ImsxIiwidHlwIjoiSldUIn0",
            "geJ8UVR-97-mGR_JzKs13UMnID5javHGBOsYybHHBx8",
        ),
        (
            public,
            "eyJhbGciOiJFZERTQSIsImtpZCI6ImsyIiwidHlwIjoiSldUIn0",
            "CU-3EBx8f-1cWuP4OF8xVVXm5dC13BUtCvf2k3r6oHHCLegbsskprTQS4HAXd4WhbQdjKKN1VQpJ4P0c\
             EQYIAg",
        ),
    ] {
        let token = format!("{header}.{POST}.{signature}");
        let tokens = Tokens::new([key]);
        assert_eq!(check(&tokens, &token), Ok("token:alice".to_owned()));
        assert!(check(&tokens, &token).is_ok());
        assert_eq!(check(&tokens, &token), Err(Refusal::Uses));
        let get = Described::new(Method::GET, "/orders/7".parse().unwrap());
        assert_eq!(check_at(&tokens, &[token], &get, 0), Err(Refusal::Scope));
    }
}

/// RFC 8037, appendix A.1 and A.2, with a name.
const JWK_8037: &str = r#"{"kty":"OKP","crv":"Ed25519","kid":"k2",
    "x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;

#[test]
fn rfc_8037() {
    // A.4 and A.5: what is signed, and by what.
    let token = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCj\
        P0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";
    let private = JWK_8037.replacen(
        '{',
        r#"{"d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A","#,
        1,
    );
    let private = TokenKey::from_jwk(&private).unwrap();
    let public = TokenKey::from_jwk(JWK_8037).unwrap();
    assert_eq!(private.public().unwrap().to_jwk(), public.to_jwk());
    let keys = [public];
    let compact = Compact::split(token).unwrap();
    let key = compact.key(&keys).unwrap();
    let payload = compact.verified(key).unwrap();
    assert_eq!(payload, b"Example of Ed25519 signing");
    let again = TokenKey::from_jwk(&private.to_jwk()).unwrap();
    assert_eq!(again.sign(&payload), private.sign(&payload));
    let ours = private.sign(&payload).unwrap();
    assert_eq!(Compact::split(&ours).unwrap().verified(key), Ok(payload));
}

#[test]
fn rfc_7515() {
    // A.1: HS256, and a header that is written in another way than ours.
    let token = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzM\
        DA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.dBjftJeZ4CVP-mB92K27\
        uhbUJU1p1r_wW1gFWFOEjXk";
    let key = r#"{"kty":"oct","kid":"rfc","alg":"HS256","k":"AyM1SysPpbyDfgZld3umj1qzKObwVMko\
        qQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"}"#;
    let key = TokenKey::from_jwk(&key.replace("\\\n        ", "")).unwrap();
    let keys = [key];
    let compact = Compact::split(token).unwrap();
    let payload = compact.verified(compact.key(&keys).unwrap()).unwrap();
    let payload: serde_json::Value = serde_json::from_slice(&payload).unwrap();
    assert_eq!(payload["iss"], "joe");
    // Signed by this key, and made for something else.
    let tokens = Tokens::new(keys);
    assert_eq!(check(&tokens, token), Err(Refusal::Claims));
}

#[test]
fn keys_that_are_none() {
    let no = |text: &str| TokenKey::from_jwk(text).unwrap_err().to_string();
    for (text, expected) in [
        ("", "JSON Web Key"),
        (r#"{"kty":"oct","k":"AAAA"}"#, "kid"),
        (r#"{"kty":"oct","kid":"a","k":"AAAA"}"#, "at least 32 bytes"),
        (r#"{"kty":"oct","kid":"a"}"#, "`k`"),
        (r#"{"kty":"RSA","kid":"a","n":"AAAA","e":"AQAB"}"#, "`OKP`"),
        (
            r#"{"kty":"OKP","kid":"a","crv":"X25519","x":"AAAA"}"#,
            "Ed25519",
        ),
        (
            r#"{"kty":"OKP","kid":"a","crv":"Ed25519","x":"AAAA"}"#,
            "32 bytes",
        ),
    ] {
        assert!(no(text).contains(expected), "{text} {}", no(text));
    }
    let other = |from, to| no(&JWK_8037.replace(from, to));
    let d = r#"{"d":"AWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A","#;
    assert!(other("{", d).contains("not the public key"));
    assert!(other("{", r#"{"alg":"HS256","#).contains("`alg`"));
    assert!(other("k2", "").contains("ID"));
    // The identity: every signature by it would be good.
    let mut identity = [0; 32];
    identity[0] = 1;
    assert!(TokenKey::ed25519_public("a", &identity).is_err());
    let shown = format!("{:?}", ed25519("e")) + &format!("{:?}", hs256("h"));
    assert!(
        !shown.contains("secret") && !shown.contains("97, 110"),
        "{shown}"
    );
}
