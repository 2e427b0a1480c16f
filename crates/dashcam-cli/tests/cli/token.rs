//! `dashcam token`.

use super::*;

#[test]
fn a_token_is_minted() {
    let dir = Directory::new("token");
    let key = dir.0.join("key.jwk");
    let key = key.to_str().unwrap();
    let made = run(&["token", "new-key", key, "--id", "on-call"], None);
    assert_eq!(made.code, Some(0), "{}", made.err);
    assert!(
        !made.out.contains("\"d\""),
        "only the public half is shown: {}",
        made.out
    );
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(
            fs::metadata(key).unwrap().permissions().mode() & 0o777,
            0o600
        );
    }
    assert_eq!(run(&["token", "public-key", key], None).out, made.out);
    let again = run(&["token", "new-key", key, "--id", "on-call"], None);
    assert_eq!(again.code, Some(2));
    assert!(
        again.err.contains("keys are not overwritten"),
        "{}",
        again.err
    );
    let public = dir.file("public.jwk", &made.out);
    let refused = run(&["token", "mint", public.to_str().unwrap()], None);
    assert_eq!(refused.code, Some(2));
    assert!(refused.err.contains("the public half"), "{}", refused.err);

    let minted = run(
        &[
            "token",
            "mint",
            key,
            "--subject",
            "alice",
            "--path",
            "/orders/*",
        ],
        None,
    );
    assert_eq!(minted.code, Some(0), "{}", minted.err);
    let token = minted.out.trim();
    assert_eq!(token.split('.').count(), 3, "{token}");

    // A service with the public half takes it.
    let tokens =
        dashcam::token::Tokens::new([dashcam::token::TokenKey::from_jwk(made.out.trim()).unwrap()]);
    let camera = dashcam::testing::TestDashcam::with(|builder| builder.tokens(tokens));
    let app = axum::Router::<()>::new()
        .fallback(|| async { dashcam::current().unwrap().is_live().to_string() })
        .layer(camera.layer());
    let ask = |path: &str, token: &str| {
        use tower::ServiceExt;
        let request = http::Request::get(path)
            .header("x-dashcam-verbose", token)
            .body(axum::body::Body::empty())
            .unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        runtime.block_on(async {
            let response = app.clone().oneshot(request).await.unwrap();
            axum::body::to_bytes(response.into_body(), 100)
                .await
                .unwrap()
        })
    };
    assert_eq!(ask("/orders/7", token), "true");
    assert_eq!(ask("/pay", token), "false");
    let json: Value =
        serde_json::from_str(&run(&["token", "mint", "--json", key], None).out).unwrap();
    assert_eq!(json["header"], "x-dashcam-verbose");
    assert_eq!(ask("/pay", json["token"].as_str().unwrap()), "true");
    for args in [
        &["--for", "0s"][..],
        &["--verbose", "=x="],
        &["--uses", "0"],
        &["--method", "get"],
        // No token waits for a fact.
        &["--fact", "tenant=acme"],
    ] {
        let bad = run(&[&["token", "mint", key], args].concat(), None);
        assert_eq!(bad.code, Some(2), "{args:?} {}", bad.out);
        assert!(!bad.err.contains("read again"), "{}", bad.err);
    }
    for (lifetime, said) in [("1h", false), ("2h", true)] {
        let minted = run(&["token", "mint", key, "--for", lifetime], None);
        assert_eq!(minted.code, Some(0), "{}", minted.err);
        assert_eq!(minted.err.contains("longer than an hour"), said);
    }
}

#[test]
fn a_token_is_checked() {
    let dir = Directory::new("check-token");
    let key_file = dir.0.join("key.jwk");
    let key = key_file.to_str().unwrap();
    let made = run(&["token", "new-key", key, "--id", "on-call"], None);
    let public = dir.file("public.jwk", &made.out);
    let public = public.to_str().unwrap();
    let other = dir.0.join("other.jwk");
    let other = other.to_str().unwrap();
    run(&["token", "new-key", other, "--id", "other"], None);
    let mint = |args: &[&str]| {
        let minted = run(
            &[&["token", "mint", key, "--subject", "alice"], args].concat(),
            None,
        );
        assert_eq!(minted.code, Some(0), "{}", minted.err);
        minted.out.trim().to_owned()
    };
    let check = |token: &str, args: &[&str]| {
        let mut child = dashcam()
            .args(["token", "check"])
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        // Without a key the command ends before it reads.
        let _ = stdin.write_all(format!("{token}\n").as_bytes());
        drop(stdin);
        let output = child.wait_with_output().unwrap();
        let run = Run {
            code: output.status.code(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        };
        // Neither the token nor a key.
        let private = fs::read_to_string(&key_file).unwrap();
        let private: Value = serde_json::from_str(&private).unwrap();
        let secret = private["d"].as_str().unwrap();
        for part in token
            .split('.')
            .chain([secret])
            .filter(|part| part.len() > 20)
        {
            assert!(
                !run.out.contains(part) && !run.err.contains(part),
                "{}",
                run.out
            );
        }
        run
    };

    let token = mint(&[
        "--route",
        "/orders/{id}",
        "--uses",
        "3",
        "--audience",
        "orders",
    ]);
    let good = check(&token, &[public, "--service", "orders"]);
    assert_eq!(good.code, Some(0), "{}{}", good.out, good.err);
    for part in [
        "accepted\n  key: on-call\n  who: alice\n  for: orders\n  ends: 20",
        "Z, in 14 min\n",
        "  uses: 3\n",
        "  when: {\"route\":\"/orders/{id}\"}\n",
    ] {
        assert!(good.out.contains(part), "{part}: {}", good.out);
    }
    let json = check(
        &format!("x-dashcam-verbose: {token}"),
        &[key, "--service", "orders", "--json"],
    );
    let json: Value = serde_json::from_str(&json.out).unwrap();
    assert_eq!(
        (&json["accepted"], &json["refused"]),
        (&json!(true), &json!(null))
    );
    assert_eq!(json["claims"]["dashcam"]["uses"], 3);
    // As an argument, too.
    let argument = run(
        &["token", "check", public, &token, "--service", "orders"],
        None,
    );
    assert_eq!(argument.code, Some(0), "{}", argument.err);

    let long = mint(&["--for", "2h"]);
    let old = mint(&["--for", "1s"]);
    let end = if token.ends_with("AA") { "BA" } else { "AA" };
    let forged = format!("{}{end}", &token[..token.len() - 2]);
    let of_other = run(&["token", "mint", other], None).out;
    let request = ["--service", "orders", "--path", "/orders/7", "--route"];
    let in_scope = [&[public], &request[..], &["/orders/{id}"]].concat();
    let out_of_scope = [&[public], &request[..], &["/pay"]].concat();
    assert_eq!(check(&token, &in_scope).code, Some(0));
    for (token, args, why, shows) in [
        (
            token.as_str(),
            &[public, "--service", "stock"][..],
            "refused as audience",
            true,
        ),
        (&token, &out_of_scope, "refused as scope", true),
        (&long, &[public], "refused as lifetime", true),
        (&forged, &[public], "refused as signature", false),
        (of_other.trim(), &[public], "refused as key", false),
        ("garbage", &[public], "refused as malformed", false),
        (&"a".repeat(3000), &[public], "refused as oversized", false),
    ] {
        let refused = check(token, args);
        assert_eq!(
            refused.code,
            Some(1),
            "{why}: {}{}",
            refused.out,
            refused.err
        );
        assert!(refused.out.starts_with(why), "{}", refused.out);
        assert_eq!(refused.out.contains("ends: 20"), shows, "{}", refused.out);
    }
    assert_eq!(
        check(of_other.trim(), &[public, "--key", other]).code,
        Some(0)
    );
    assert_eq!(
        check(&long, &[public, "--max-lifetime", "3h"]).code,
        Some(0)
    );
    // Within the skew of clocks it is still good.
    std::thread::sleep(Duration::from_millis(1500));
    let ended = check(&old, &[public]);
    assert_eq!(ended.code, Some(0), "{}", ended.out);
    assert!(ended.out.contains(" s ago"), "{}", ended.out);
    let unnamed = check(&token, &[public]);
    assert_eq!(unnamed.code, Some(0), "{}", unnamed.out);
    assert!(unnamed.err.contains("without --service"), "{}", unnamed.err);
    assert_eq!(check("", &[public]).code, Some(2));
    assert_eq!(check(&token, &["no-such-key"]).code, Some(2));
}
