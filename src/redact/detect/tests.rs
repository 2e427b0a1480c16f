use super::*;
use proptest::prelude::*;
use std::sync::LazyLock;

fn found(text: &str) -> Vec<&str> {
    let ranges = find(text, &Names::new());
    ranges.into_iter().map(|r| &text[r]).collect()
}

#[test]
fn finds() {
    for (text, expected) in [
        ("card 4111 1111 1111 1111 declined", "4111 1111 1111 1111"),
        ("id 43 4111-1111-1111-1111", "4111-1111-1111-1111"),
        ("n4111111111111111x", "4111111111111111"),
        ("amex 378282246310005.", "378282246310005"),
        (
            "to DE89 3704 0044 0532 0130 00 today",
            "DE89 3704 0044 0532 0130 00",
        ),
        ("GB82WEST12345698765432", "GB82WEST12345698765432"),
        ("call +49 (30) 1234-5678 now", "49 (30) 1234-5678"),
        (
            "mail bob.smith+x@example.co.uk.",
            "bob.smith+x@example.co.uk",
        ),
        ("mail=bob%40example.com&x", "bob%40example.com"),
        (
            "jwt eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln done",
            "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln",
        ),
        ("sent Bearer hunter2", "hunter2"),
        ("sent Bearer abcdefgh", "abcdefgh"),
        ("Basic dXNlcjpwYXNz", "dXNlcjpwYXNz"),
        ("AKIAABCDEFGHIJKLMNOP", "AKIAABCDEFGHIJKLMNOP"),
        ("key xoxb-abcdefghij end", "xoxb-abcdefghij"),
        ("sk-abcdefghijklmnop1234", "sk-abcdefghijklmnop1234"),
        ("password=hunter2 user=bob", "hunter2"),
        ("password = hunter2", "hunter2"),
        ("password == hunter2", "hunter2"),
        ("password != hunter2", "hunter2"),
        ("password: hunt,er2, user: bob", "hunt,er2"),
        ("got <Password>hunt er2</Password> here", "hunt er2"),
        ("<ns:password a='1'>\n hunter2\n</ns:password>", "hunter2"),
        ("<password><![CDATA[hun<ter]]></password>", "hun<ter"),
        ("&lt;password&gt;hunter2&lt;/password&gt;", "hunter2"),
        (
            r"\u003cpassword\u003ehunter2\u003c/password\u003e",
            "hunter2",
        ),
        ("%3Cpassword%3Ehunter2%3C/password%3E", "hunter2"),
        (r#"<field name="password">hunter2</field>"#, "hunter2"),
        (r#"<param name='password' value='hunter2'/>"#, "hunter2"),
        (r#"<param value='hunter2' name='password'/>"#, "hunter2"),
        ("<key>password</key><string>hunter2</string>", "hunter2"),
        ("<Name>password</Name>\n<Value>hunter2</Value>", "hunter2"),
        (r#"form ("client_secret", "hunter2")"#, "hunter2"),
        ("['password', 'hunter2']", "hunter2"),
        (r#"[["password","hunter2"],["id","x"]]"#, "hunter2"),
        (r#"{:password, "hunter2"}"#, "hunter2"),
        (r#""password", "hunter2""#, "hunter2"),
        ("password => hunter2", "hunter2"),
        ("password -> hunter2", "hunter2"),
        (r#":password => "hunter2""#, "hunter2"),
        ("run --api-key hunter2 --id 1", "hunter2"),
        ("run --api-key=hunter2", "hunter2"),
        ("run --api-key words", "words"),
        ("the password is hunter2.", "hunter2"),
        ("pin was 482913", "482913"),
        ("password 'hunter two'", "hunter two"),
        ("DB_PASSWORD hunter2", "hunter2"),
        ("session 8f3a2c1 not found", "8f3a2c1"),
        (r#"Field { name: "password", value: "hunter2" }"#, "hunter2"),
        (r#"Field { value: "hunter2", name: "password" }"#, "hunter2"),
        (
            r#"{"op":"replace","path":"/user/password","value":"hunter2"}"#,
            "hunter2",
        ),
        (r#"{"type":"password","value":"hunter2"}"#, "hunter2"),
        (
            r#"{\"name\":\"password\",\"value\":\"hunter2\"}"#,
            "hunter2",
        ),
        ("name=password&value=hunter2", "hunter2"),
        ("name: password, value: hunter2", "hunter2"),
        ("password := hunter2", "hunter2"),
        ("export X_TOKEN=hunter2", "hunter2"),
        ("UPDATE u SET password = 'hunter2' WHERE id = 1", "hunter2"),
        ("name=\"password\"\r\n\r\nhunter2\r\n--x", "hunter2"),
        ("Some(Password(\"hunter2\"))", "hunter2"),
        ("Pin(482913)", "482913"),
        ("Secret { inner: \"hunter2\" }", " inner: \"hunter2\" "),
        ("map[password:hunter2 user:bob]", "hunter2"),
        ("%{password: \"hunter2\"}", "hunter2"),
        ("[password] => hunter2", "hunter2"),
        ("[\"password\"]=>\n  string(7) \"hunter2\"", "hunter2"),
        ("password: |\n  hunter\n  two\nid: 1", "  hunter\n  two"),
        ("password = \"\"\"\nhunter2\"\"\"", "\nhunter2"),
        (r#"password: "x y\" z", id: 1"#, r#"x y\" z"#),
        (r#"{"apiKey":"a b c","id":1}"#, "a b c"),
        (r#"{\"apiKey\":\"a \\\" c\",\"id\":1}"#, r#"a \\\" c"#),
        (r#"password: Some("x y")"#, "x y"),
        ("password: Some(\n    \"x y\",\n)", "x y"),
        (
            r#"Login { password: Secret("x y"), id: 1 }"#,
            r#"Secret("x y")"#,
        ),
        (
            r#"credentials: Login { a: "x}", b: 2 }, id: 1"#,
            r#"Login { a: "x}", b: 2 }"#,
        ),
        ("tokens=[abc, def] id=1", "[abc, def]"),
        ("api key: abc", "abc"),
        ("params[\"password\"] = abc", "abc"),
        ("Authorization: Digest a=b, c=d\nHost: x", "Digest a=b, c=d"),
        ("cookie: a=b; c=d\nhost: x", "a=b; c=d"),
        ("https://u:p@h/x", "u:p"),
        ("postgres://u:p/w@db/x", "u:p/w"),
        ("GET https://h/x?access_token=abc&id=1", "abc"),
        ("/login%3Ftoken%3Dabc%26id%3D1", "abc"),
        (
            "id 9f86d081884c7d659a2feaa0c55ad015 x",
            "9f86d081884c7d659a2feaa0c55ad015",
        ),
        (
            "/reset/dGhpc0lzQVNlY3JldDEyMzQ1Njc4/now",
            "dGhpc0lzQVNlY3JldDEyMzQ1Njc4",
        ),
        (
            "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY1",
            "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY1",
        ),
        (
            "abc -----BEGIN RSA PRIVATE KEY-----\nab\n-----END RSA PRIVATE KEY----- x",
            "-----BEGIN RSA PRIVATE KEY-----\nab\n-----END RSA PRIVATE KEY-----",
        ),
        (
            "-----BEGIN PRIVATE KEY-----\nab",
            "-----BEGIN PRIVATE KEY-----\nab",
        ),
    ] {
        assert_eq!(found(text), [expected], "{text}");
    }
}

#[test]
fn leaves_alone() {
    for text in [
        "",
        "order 1234 was not found in the database of 2024-01-15",
        "orders::pricing::discount",
        "src/redact/detect/tokens_v2/handlers.rs:120:9",
        "/api/v1/customers/1234567/orders/99887766",
        "550e8400-e29b-41d4-a716-446655440000",
        "12345678-1234-1234-1234-123456789012",
        "pod orders-7d9f8b6c5d-x2x4q restarted",
        "commit 3f9a1c2b7d4e5a60",
        "started at 2024-01-15T12:30:45.123456Z",
        "1700000000000 1700000000000000 1700000000000000000",
        "a plain-word-hyphenated-text-that-is-long2",
        "getUserAccountByIdentifier2",
        "author: bob, shipping=fast",
        "password is required",
        "the password is too short, it was not changed",
        "token expired 5 minutes ago, session not found",
        "invalid token: ",
        "Unexpected token '<', \"<html>\" is not valid JSON",
        "unexpected token 'else' at line 12",
        "reset password for 3 users (of 12)",
        "missing fields: [\"id\", \"password\", \"email\"]",
        "required: [\"password\", \"email\"]",
        "the argument --token is missing",
        "AuthError { kind: Expired, at: 12 }",
        "TokenBucket { capacity: 10 }",
        "signature sha256 mismatch, cookie base64",
        "verify_token(request) failed in session (3 of 4)",
        "password, user and 2 others",
        "tokens 1234 of 4096 used",
        "if (a < session) { b }",
        "password: None, token=null",
        "token::new failed in auth::check",
        "the bearer token is missing",
        "basic usage of the thing",
        "root@localhost and npm @scope/package",
        "http://localhost:8080/a/b@2x",
        "password=[~3f9a1c2b7d4e5a60] x",
        "password: \"[~3f9a1c2b7d4e5a60 len=12 ascii alnum]\"",
        "Mozilla/5.0 (X11; Linux x86_64; rv:109.0) Gecko/20100101 Firefox/115.0",
        "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8",
    ] {
        let found = found(text);
        let kept = found
            .iter()
            .all(|f| crate::redact::pseudonym::placeholder(f).is_some());
        assert!(kept, "{text}: {found:?}");
    }
}

#[test]
fn numbers() {
    assert!(number("4111111111111111"));
    assert!(number("4111111111111111.0"));
    assert!(number("4.111111111111111e15"));
    assert!(number(&"1".repeat(70)));
    assert!(number("6304000000000000000"));
    assert!(number("-4111111111111111"));
    for stays in [
        "-9223372036854775809",
        "9223372036854775807",
        "18446744073709551615",
        "1700000000000000004",
        "775928847299117069",
        "80000000000000002",
        "9000000000000000001",
    ] {
        assert!(!number(stays), "{stays}");
        let text = format!("at {stays}, so");
        assert!(found(&text).is_empty(), "{stays}");
    }
    assert!(!number("1700000000000"));
    assert!(!number("12.5"));
    assert!(!number("-0.30000000000000004"));
}

#[test]
fn hostile_input_takes_linear_time() {
    // A quadratic scan of these would take minutes.
    let names = Names::new();
    for seed in [
        "\"",
        "[",
        "1",
        "1 ",
        "=",
        ":",
        "a=",
        "eyJ.",
        "eyJhbGciOiJIUzI1NiJ9.",
        "sk-",
        "@",
        "a@",
        "%40",
        "://",
        "://a:b",
        "://a:b/",
        "-----BEGIN ",
        "-----BEGIN PRIVATE KEY",
        "password=",
        "password: ",
        "password=[",
        "password=\"",
        "\\",
        "DE89",
        "DE89 3704 ",
        "+1 ",
        "Bearer ",
        "basic ",
        "a1",
        "password=Some(",
        "token ,",
        "=\\\"",
        "password={\"",
        "Some(",
        "é",
        "%3D",
        "api key ",
        "password:A",
        "a-",
        "token=,a",
        "token \"",
        "token '",
        "<token>",
        "<keytok><![cdata[",
        "/token",
        "a/token/",
        "<token",
        "<token ",
        "&lt;pin&gt;",
        "\"pin\",\"",
        "name=\"pin\"",
        "value=pin ",
        "name=pin&",
        "v=pin,v=",
        "Pin(",
        "Pin {",
        "pin is ",
        "--token ",
        "PIN a1",
        "token=|\n ",
        "pin=\"\"\"",
        "://@",
    ] {
        let text = seed.repeat(1 + (128 << 10) / seed.len());
        find(&text, &names);
    }
}

proptest! {
    #[test]
    fn a_look_at_its_signs_misses_nothing(
        text in "[ -~\té]{0,40}",
        words in prop::collection::vec(
            "token |pin |is |--|[<>&'\\\\{,/]|bearer |Basic |-----BEGIN |AKIA|sk-|[0-9]{1,9}|[a-zA-Z0-9]{1,15}|[-+@:=%. \t(\"]",
            0..6,
        ),
    ) {
        static NAMES: LazyLock<Names> = LazyLock::new(Names::new);
        for text in [text, words.concat()] {
            let mut all = Vec::new();
            pairs::scan(&text, &NAMES, &mut all);
            named::scan(&text, &NAMES, &mut all);
            digits::scan(text.as_bytes(), &mut all);
            tokens::scan(text.as_bytes(), &mut all);
            urls::scan(text.as_bytes(), &mut all);
            let all = merge(&text, all);
            prop_assert_eq!(&find(&text, &NAMES), &all, "{:?}", text);
            prop_assert_eq!(is_sensitive(&text, &NAMES), !all.is_empty(), "{:?}", text);
        }
    }
}

proptest! {
    #[test]
    fn integers_are_numbers(n in any::<u64>(), length in 1_u32..20) {
        for n in [n, n % 10_u64.pow(length), 4_111_111_111_111_111, 0] {
            prop_assert_eq!(integer(n), number(&n.to_string()), "{}", n);
        }
    }
}

#[test]
fn what_is_said_of_a_value_is_none() {
    for text in [
        "pin: invalid type: string, expected u32 at line 1",
        "token: not set",
        "Password: must be at least 12 characters",
        "token_type=bearer expires_in=3600",
    ] {
        assert_eq!(found(text), Vec::<&str>::new(), "{text}");
    }
    assert_eq!(found("pin: invalid7"), ["invalid7"]);
    assert_eq!(found("authorization: bearer abc123=="), ["bearer abc123=="]);
}
