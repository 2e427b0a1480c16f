use super::{model::compile, *};
use crate::redact::Salt;

fn error(model: &PolicyModel) -> String {
    compile(model).unwrap_err().to_string()
}

#[test]
fn the_builder_and_the_model_are_one() {
    let built = Policy::by_name()
        .header("X-Tenant", Action::Keep)
        .query("tenant", Action::Shape)
        .cookie("theme", Action::Keep)
        .field("sku", Action::Keep)
        .path("$.card.number", Action::Mask)
        .unwrap()
        .deny_name("nickname")
        .allow_unmatched_paths();
    let read = compile(built.model()).unwrap();
    assert_eq!(read.model(), built.model());
    let json = serde_json::to_string(&built).unwrap();
    let read: Policy = serde_json::from_str(&json).unwrap();
    assert_eq!(read.model(), built.model(), "{json}");
    let wrong = serde_json::from_str::<Policy>(r#"{"fields":{"password":"keep"}}"#);
    let error = wrong.unwrap_err().to_string();
    assert!(
        error.starts_with("fields.password: a suspicious"),
        "{error}"
    );
    assert_eq!(Policy::strict().model(), &PolicyModel::default());
}

#[test]
fn what_is_wrong_is_named() {
    let mut model = PolicyModel::default();
    model.fields.insert("password".into(), Action::Keep);
    assert_eq!(
        error(&model),
        "fields.password: a suspicious name cannot be kept; expected another action"
    );
    model.fields = [("$.a[x]".into(), Action::Drop)].into();
    assert_eq!(error(&model), "fields.$.a[x]: expected `[*]` or `[n]`");
    model.fields = [("$".into(), Action::Drop)].into();
    let model_of_a_place = PolicyModel {
        fields: [("card.note".to_owned(), Action::Drop)].into(),
        ..PolicyModel::default()
    };
    assert_eq!(
        error(&model_of_a_place),
        "fields.card.note: expected `$.card.note` for a path, or a name without `.` and `[`"
    );
    assert_eq!(error(&model), "fields.$: expected 1 to 32 steps behind `$`");
    model.fields.clear();
    model.headers = [("x-a".into(), Action::Keep), ("X_A".into(), Action::Drop)].into();
    assert_eq!(
        error(&model),
        "headers.x-a: is the same name as \"X_A\"; give it once"
    );
    model.headers.clear();
    model.deny = vec!["-".into()];
    assert_eq!(
        error(&model),
        "deny[0]: expected a name with a letter or a digit"
    );
    model.deny.clear();
    model.key = Some(KeySource::default());
    assert_eq!(
        error(&model),
        "key.id: expected a name for the key, such as a date"
    );
    model.key = Some(KeySource::env(
        "k".into(),
        "DASHCAM_NO_SUCH_VARIABLE".into(),
    ));
    assert_eq!(
        error(&model),
        "key.env: the environment variable DASHCAM_NO_SUCH_VARIABLE is not set"
    );
}

#[test]
fn keys_come_from_files_and_have_scopes() {
    let file = std::env::temp_dir().join(format!("dashcam-key-{}", std::process::id()));
    std::fs::write(&file, "0123456789abcdef\n").unwrap();
    let mut model = PolicyModel::default();
    let mut source = KeySource::file("2026-11".into(), file.clone());
    source.scope = Some("payments".into());
    model.key = Some(source);
    let read = compile(&model);
    let by_setter = Policy::strict().with_key_file("2026-11", &file);
    std::fs::remove_file(&file).unwrap();
    let read = read.unwrap();
    let by_setter = by_setter.unwrap().with_scope("payments");
    assert_eq!(by_setter.model(), read.model());
    assert_eq!(by_setter.key_id(), read.key_id());
    let built = || Policy::strict().with_key("2026-11", b"0123456789abcdef");
    let scoped = built().unwrap().with_scope("payments");
    assert_eq!(read.key_id(), "2026-11/payments");
    assert_eq!(scoped.key_id(), read.key_id());
    let hash = |policy: &Policy| policy.key().hashes(b"value", Salt::from_bits(1));
    assert_eq!(hash(&read), hash(&scoped));
    assert_ne!(hash(&read), hash(&built().unwrap()));
    assert_ne!(hash(&read), hash(&built().unwrap().with_scope("other")));
}

#[test]
fn a_form_never_lacks_the_policy_s_key() {
    let file = std::env::temp_dir().join(format!("dashcam-form-{}", std::process::id()));
    std::fs::write(&file, "0123456789abcdef").unwrap();
    let in_hand = Policy::strict().with_key("2026", &[7; 32]).unwrap();
    let in_file = Policy::strict().with_key_file("2026", &file).unwrap();
    let twice = in_file.clone().with_scope("a").with_scope("b");
    let random = Policy::strict().with_scope("a");
    for policy in [&in_hand, &in_hand.clone().with_scope("a"), &twice, &random] {
        let error = serde_json::to_string(policy).unwrap_err().to_string();
        assert!(error.contains(policy.key_id()), "{error}");
        assert!(error.contains("with_key_file"), "{error}");
    }
    let form = serde_json::to_string(&in_file.with_scope("a")).unwrap();
    let read: Policy = serde_json::from_str(&form).unwrap();
    assert_eq!(read.key_id(), "2026/a");
    std::fs::remove_file(&file).unwrap();
    assert!(serde_json::from_str::<Policy>(&form).is_err());
    assert!(serde_json::to_string(&Policy::strict()).is_ok());
}

#[test]
fn paths_lead_to_actions() {
    let policy = Policy::strict()
        .path("$.*.id", Action::Keep)
        .unwrap()
        .path("$.card.number", Action::Mask)
        .unwrap()
        .path("$.items[*].note", Action::Drop)
        .unwrap()
        .path("$.items[0].sku", Action::Shape)
        .unwrap();
    let root = policy.paths().root().unwrap();
    let card = root.name("CARD").unwrap();
    assert_eq!(card.name("number").unwrap().action(), Some(Action::Mask));
    assert_eq!(card.name("id").unwrap().action(), Some(Action::Keep));
    assert_eq!(
        root.name("other").unwrap().name("id").unwrap().action(),
        Some(Action::Keep)
    );
    let items = root.name("items").unwrap();
    for n in [0, 7] {
        let note = items.index(n).unwrap().name("note").unwrap();
        assert_eq!(note.action(), Some(Action::Drop));
        let sku = items.index(n).unwrap().name("sku").and_then(Node::action);
        assert_eq!(sku, (n == 0).then_some(Action::Shape));
    }
    assert!(Policy::strict().paths().root().is_none());
}

#[cfg(feature = "config")]
#[test]
fn toml_names_line_and_field() {
    for (text, expected) in [
        ("base = \"lax\"", "line 1: base: "),
        ("deny = 1", "line 1: deny: "),
        (
            "\n[headers]\nx-a = \"keep\"\nx-b = 7",
            "line 4: headers.x-b: ",
        ),
        (
            "[fields]\n\n\"$.a[\" = \"drop\"",
            "line 3: fields.$.a[: expected",
        ),
        (
            "[fields]\npassword = \"keep\"",
            "line 2: fields.password: a suspicious",
        ),
        ("[key]\nid = \"k\"", "line 1: key: expected either"),
        (
            "unknown = 1",
            "line 1: unknown: unknown field `unknown`, expected one of `base`",
        ),
        ("base = ", "line 1: "),
    ] {
        let error = Policy::from_toml(text).unwrap_err().to_string();
        assert!(error.starts_with(expected), "{text}: {error}");
    }
    let policy = Policy::from_toml("base = \"by_name\"\nunmatched_paths = true").unwrap();
    assert_eq!(
        policy.model(),
        Policy::by_name().allow_unmatched_paths().model()
    );
}

/// The file that people copy, as it is.
#[cfg(feature = "config")]
#[test]
fn the_sample_is_a_policy() {
    let sample = include_str!("../../../docs/policy.sample.toml");
    let mut model = PolicyModel::from_toml(sample).unwrap();
    let key = model.key.take().unwrap();
    assert_eq!(key.env.as_deref(), Some("DASHCAM_REDACTION_KEY"));
    let policy = compile(&model).unwrap();
    assert_eq!(policy.model().headers["x-tenant"], Action::Keep);
    let body = concat!(
        r#"{"sku":"A-7","nickname":"zz","birthday":"1990-01-01","price":7,"#,
        r#""card":{"number":"4111111111111111"},"items":[{"note":"by the door"}]}"#
    );
    let mut redactor = crate::redact::Redactor::new(&policy);
    let shown = match redactor.body(Some("application/json"), None, body.as_bytes(), true) {
        crate::exchange::Content::Text { text, .. } => text,
        other => panic!("{other:?}"),
    };
    for kept in [
        r#""sku":"A-7""#,
        r#""price":7"#,
        "dropped",
        "****1111",
        "[~ len=11",
    ] {
        assert!(shown.contains(kept), "{kept}: {shown}");
    }
    for hidden in ["zz", "1990", "4111", "door"] {
        assert!(!shown.contains(hidden), "{hidden}: {shown}");
    }
}

#[test]
fn a_field_that_looks_like_a_place_hides_no_less() {
    let body = r#"{"card":{"number":7,"note":8},"number":9}"#;
    let shown = |policy: &Policy| {
        let mut r = crate::redact::Redactor::new(policy);
        match r.body(Some("application/json"), None, body.as_bytes(), true) {
            crate::exchange::Content::Text { text, .. } => text,
            crate::exchange::Content::Opaque { .. } => String::new(),
        }
    };
    let hidden = |name: &str| {
        let policy = Policy::by_name().field(name, Action::Drop);
        assert!(compile(policy.model()).is_ok(), "{name}");
        let text = shown(&policy);
        ["7", "8", "9"].map(|n| !text.contains(n))
    };
    assert_eq!(hidden("$.card.number"), [true, false, false]);
    assert_eq!(hidden("card.number"), [true, false, true]);
    assert_eq!(hidden("card[0].number"), [true, false, true]);
    assert_eq!(hidden("$card.number[0]"), [true, false, true]);
    // And keeps no more.
    let kept = Policy::strict().field("card.note", Action::Keep);
    assert_eq!(kept.model(), Policy::strict().model());
}
