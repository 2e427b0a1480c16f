//! From a value to its requests, and the key for it.

use super::*;

/// A key file as the program makes it, and what a service writes under it: three
/// requests of two customers.
fn written_with_key(dir: &Path) -> String {
    let key = dir.join("made.key");
    let key = key.to_str().unwrap();
    let made = run(&["key", "new", "--out", key], None);
    assert_eq!(made.code, Some(0), "{}", made.err);
    let toml = format!(
        "[headers]\nx-tenant = \"keep\"\n\n{}scope = \"shop\"\n",
        made.out
    );
    let policy = dashcam::redact::Policy::from_toml(&toml).unwrap();
    let camera = dashcam::testing::TestDashcam::with(|builder| builder.policy(policy));
    let app = axum::Router::<()>::new()
        .route(
            "/pay/{customer}",
            axum::routing::post(|request: axum::extract::Request| async {
                let customer = request.uri().path().rsplit_once('/').unwrap().1.to_owned();
                let _ = axum::body::to_bytes(request.into_body(), 1000).await;
                dashcam::current().unwrap().fact("customer", &customer);
                tracing::debug!(attempt = 4711, "paying");
                http::StatusCode::BAD_GATEWAY
            }),
        )
        .layer(camera.layer());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    for (id, customer, body) in [
        ("a", "Quvexastr", r#"{"pin":"482913"}"#),
        (
            "b",
            "Weyland",
            r#"{"pin":"482914","note":"a \"long\" note"}"#,
        ),
        ("c", "Quvexastr", r#"{"pin":482915}"#),
    ] {
        use tower::ServiceExt;
        let request = http::Request::post(format!("/pay/{customer}?day=1990-05-12"))
            .header("x-request-id", id)
            .header("x-tenant", if id == "c" { "globex" } else { "acme" })
            .header("authorization", format!("Bearer {customer}-bearer"))
            .header("content-type", "application/json")
            .body(axum::body::Body::from(body));
        let _ = runtime.block_on(app.clone().oneshot(request.unwrap()));
    }
    let mut exporter = JsonLines::builder(dir).build();
    for exchange in camera.kept() {
        exporter.export(&exchange).unwrap();
    }
    key.to_owned()
}

#[test]
fn a_value_leads_to_its_requests() {
    let dir = Directory::new("values");
    let key = written_with_key(&dir.0);
    let ask = |args: &[&str]| run(&[&["ls", "--json"], args].concat(), Some(&dir.0));
    let correlations = |args: &[&str]| -> Vec<String> {
        let rows = ask(args).out;
        let rows = rows.lines().map(|row| serde_json::from_str(row).unwrap());
        rows.map(|row: Value| row["correlation_id"].as_str().unwrap().to_owned())
            .collect()
    };
    let with_key =
        |args: &[&str]| correlations(&[args, &["--key-file", &key, "--scope", "shop"]].concat());
    for (args, expected) in [
        // In the path and the fact; in a header; in bodies, text and number; in the query.
        (&["--value", "Quvexastr"][..], &["a", "c"][..]),
        (&["--value", "Weyland-bearer"], &["b"]),
        (&["--value", "482913"], &["a"]),
        (&["--value", "482915"], &["c"]),
        (&["--value", "482913", "--value", "482914"], &["a", "b"]),
        (&["--value", "1990-05-12"], &["a", "b", "c"]),
        (&["--value", "1990-05-13"], &[]),
        (&["--value", "a \"long\" note"], &["b"]),
        // In the clear: a header and a field of an event, but no part of a word.
        (&["--value", "globex"], &["c"]),
        (&["--value", "glob"], &[]),
        (&["--value", "4711"], &["a", "b", "c"]),
        (&["--value", "471"], &[]),
        // The status is none of the request's values.
        (&["--value", "502"], &[]),
        (&["--fact", "customer=Weyland"], &["b"]),
        (&["--fact", "customer=globex"], &[]),
        (&["--fact", "other=Weyland"], &[]),
        (&["--header", "x-tenant=acme"], &["a", "b"]),
        (
            &["--header", "X-Tenant=acme", "--fact", "customer=Weyland"],
            &["b"],
        ),
        (
            &["--header", "x-tenant=acme", "--header", "x-tenant=globex"],
            &["a", "b", "c"],
        ),
        (&["--header", "x-tenant=acme", "--header", "host=acme"], &[]),
        (&["--header", "authorization=Quvexastr-bearer"], &["a", "c"]),
        (&["--header", "x-tenant:acme"], &["a", "b"]),
        (&["--header", "X-Tenant: acme"], &["a", "b"]),
    ] {
        assert_eq!(with_key(args), expected, "{args:?}");
    }

    // Without the key, and with another one.
    assert_eq!(correlations(&["--header", "x-tenant=globex"]), ["c"]);
    let none = ask(&["--fact", "customer=Weyland"]);
    assert_eq!(none.code, Some(1), "{}", none.out);
    assert!(none.err.contains("without --key-file"), "{}", none.err);
    let none = ask(&["--value", "Weyland", "--key-file", &key]);
    assert_eq!(none.code, Some(1), "{}", none.out);
    assert!(
        none.err.contains("/shop"),
        "it names the keys: {}",
        none.err
    );
    let short = dir.file("short.key", "too short");
    for args in [
        &["--value", "x", "--key-file", short.to_str().unwrap()][..],
        &["--value", "x", "--key-file", "/does/not/exist"],
        &["--value", "x", "--scope", "shop"],
        &["--fact", "customer"],
    ] {
        assert_eq!(ask(args).code, Some(2), "{args:?}");
    }
    // Standard input is empty.
    for (args, part) in [
        (["--value", ""], "empty value"),
        (["--value", "-"], "empty value"),
        (["--fact", "=x"], "empty name"),
        (["--header", ":x"], "empty name"),
    ] {
        let none = ask(&args);
        assert_eq!(none.code, Some(2), "{args:?}");
        assert!(none.err.contains(part), "{args:?}: {}", none.err);
    }
}

#[test]
fn a_value_is_read_from_standard_input() {
    let dir = Directory::new("stdin");
    let key = written_with_key(&dir.0);
    let mut command = dashcam();
    command
        .args(["ls", "--json", "--value", "-", "--scope", "shop"])
        .args(["--key-file", &key])
        .env("DASHCAM_DIR", &dir.0)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"Weyland\n").unwrap();
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let row: Value = serde_json::from_str(text.trim_end()).unwrap();
    assert_eq!(row["correlation_id"], "b");
}

#[test]
fn a_key_is_made_once() {
    let dir = Directory::new("key");
    let file = dir.0.join("a \"key\".key");
    let path = file.to_str().unwrap();
    let made = run(&["key", "new", "--out", path], None);
    assert_eq!(made.code, Some(0), "{}", made.err);
    let key = fs::read_to_string(&file).unwrap();
    assert_eq!(key.trim_end().len(), 64);
    assert!(!made.out.contains(key.trim_end()), "{}", made.out);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = fs::metadata(&file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    let policy = dashcam::redact::Policy::from_toml(&made.out).unwrap();
    assert!(policy.key_id().starts_with("20"), "{}", policy.key_id());
    let again = run(&["key", "new", "--out", path], None);
    assert_eq!(again.code, Some(2));
    assert!(again.err.contains("not overwritten"), "{}", again.err);
    assert_eq!(fs::read_to_string(&file).unwrap(), key);

    // In the current directory, where nothing is said.
    let mut command = dashcam();
    let output = command.args(["key", "new", "--json"]).current_dir(&dir.0);
    let output = output.output().unwrap();
    let made: Value = serde_json::from_slice(&output.stdout).unwrap();
    let other = fs::read_to_string(made["file"].as_str().unwrap()).unwrap();
    assert!(dir.0.join("dashcam.key").exists());
    assert_ne!(other, key);
}
