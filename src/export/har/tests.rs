use super::*;
use crate::{
    exchange::{Body, BodyState, Content},
    export::sample::sample,
};

fn text(text: &str) -> Body {
    let mut body = Body::new(BodyState::Complete);
    body.seen = text.len() as u64;
    body.kept = body.seen;
    body.content = Some(Content::Text {
        text: text.into(),
        unparsed: 0,
    });
    body
}

fn header(name: &str, value: &str) -> (String, String) {
    (name.into(), value.into())
}

fn only(exchange: &Exchange) -> Value {
    from_exchanges([exchange])["log"]["entries"][0].clone()
}

#[test]
fn a_document() {
    let none: [&Exchange; 0] = [];
    assert_eq!(from_exchanges(none)["log"]["entries"], json!([]));
    let both = [sample("a"), sample("b")];
    let log = from_exchanges(&both)["log"].clone();
    assert_eq!(log["version"], "1.2");
    assert_eq!(log["creator"]["name"], "dashcam");
    assert_eq!(log["entries"][1]["_dashcam"]["exchange"], "b");
}

#[test]
fn an_entry() {
    let mut exchange = sample("a");
    exchange.request.headers = vec![
        header("host", "a.example:81"),
        header("cookie", "a=1; b=x=y;c"),
    ];
    exchange.request.query = Some("q=a+b%20c&flag&=v&é".into());
    exchange.correlation.trace_id = Some("t".into());
    let entry = only(&exchange);
    assert_eq!(entry["startedDateTime"], "2025-01-02T03:04:05.678901Z");
    assert_eq!(entry["time"], 1.5);
    assert_eq!(entry["timings"]["wait"], 1.4);
    let request = &entry["request"];
    assert_eq!(
        request["url"],
        "http://a.example:81/orders/7?q=a+b%20c&flag&=v&%C3%A9"
    );
    assert_eq!(
        request["queryString"],
        json!([
            {"name": "q", "value": "a b c"},
            {"name": "flag", "value": ""},
            {"name": "", "value": "v"},
            {"name": "é", "value": ""},
        ])
    );
    assert_eq!(
        request["cookies"],
        json!([
            {"name": "a", "value": "1"},
            {"name": "b", "value": "x=y"},
            {"name": "", "value": "c"},
        ])
    );
    assert!(request.get("postData").is_none());
    assert_eq!(entry["response"]["status"], 500);
    assert_eq!(entry["response"]["statusText"], "Internal Server Error");
    assert_eq!(entry["_dashcam"]["trace_id"], "t");
    assert_eq!(entry["_dashcam"]["outcome"]["kind"], "failed");
    assert!(entry.get("comment").is_none());
}

#[test]
fn cookies_of_a_response() {
    let mut exchange = sample("a");
    exchange.response.as_mut().unwrap().headers = vec![
        header(
            "set-cookie",
            "sid=[~12 len=3]; Path=/; domain=a.example; HttpOnly; SameSite=Lax; \
             expires=Wed, 21 Oct 2015 07:28:00 GMT",
        ),
        header("set-cookie", "bare; expires=whenever"),
    ];
    assert_eq!(
        only(&exchange)["response"]["cookies"],
        json!([
            {
                "name": "sid", "value": "[~12 len=3]", "path": "/", "domain": "a.example",
                "expires": "2015-10-21T07:28:00Z", "httpOnly": true, "secure": false,
                "sameSite": "Lax",
            },
            {"name": "", "value": "bare", "httpOnly": false, "secure": false},
        ])
    );
}

#[test]
fn bodies() {
    let mut exchange = sample("a");
    exchange.request.body = text("{\"é\":1}");
    exchange.request.headers = vec![
        header("content-type", "application/json"),
        header("content-length", "8"),
    ];
    let response = exchange.response.as_mut().unwrap();
    response.body.set_raw(&[0, 159, 255]);
    response.headers = vec![
        header("content-type", "image/png"),
        header("content-length", "3"),
        header("location", "/there"),
    ];
    let entry = only(&exchange);
    assert_eq!(
        entry["request"]["postData"],
        json!({"mimeType": "application/json", "text": "{\"é\":1}"})
    );
    assert_eq!(entry["request"]["bodySize"], 8);
    assert_eq!(entry["request"]["headers"].as_array().unwrap().len(), 2);
    let response = &entry["response"];
    assert_eq!(response["content"]["text"], "AJ//");
    assert_eq!(response["content"]["encoding"], "base64");
    assert_eq!(response["redirectURL"], "/there");
    assert_eq!(response["headers"].as_array().unwrap().len(), 3);
    assert!(response.get("comment").is_none());

    // Readers decode text without a charset as Latin-1.
    let response = exchange.response.as_mut().unwrap();
    response.body = text("é");
    response.headers = vec![header("content-type", "text/plain")];
    exchange.request.body.set_raw(&[0xff, b'a']);
    exchange.request.headers.clear();
    let entry = only(&exchange);
    assert_eq!(entry["response"]["content"]["text"], "w6k=");
    assert_eq!(entry["request"]["postData"]["text"], "\u{ff}a");
}

#[test]
fn what_is_missing_is_said() {
    let mut exchange = sample("a");
    exchange.started_at = String::new();
    exchange.outcome = crate::exchange::Outcome::Abandoned;
    exchange.response = None;
    exchange.request.headers = vec![header("content-length", "9")];
    exchange.request.body = Body::new(BodyState::Truncated);
    exchange.request.body.seen = 9;
    exchange.request.body.kept = 5;
    exchange.request.body.content = Some(Content::Text {
        text: "{}".into(),
        unparsed: 3,
    });
    let entry = only(&exchange);
    assert_eq!(entry["startedDateTime"], "1970-01-01T00:00:00Z");
    assert_eq!(
        entry["comment"],
        "the time is not known; no response was produced: abandoned; the host is not known"
    );
    assert_eq!(entry["response"]["status"], 0);
    let request = &entry["request"];
    assert_eq!(request["headers"], json!([]));
    assert_eq!(
        request["comment"],
        "content-length is left out: it does not describe this body"
    );
    assert_eq!(
        request["postData"]["comment"],
        "cut: the first 5 of 9 bytes are recorded; the last 3 recorded bytes are not written: \
         they could not be parsed"
    );

    exchange.request.body.content = Some(Content::Opaque {
        length: 5,
        hash: "abc".into(),
        why: None,
    });
    let entry = only(&exchange);
    let comment = entry["request"]["postData"]["comment"].as_str().unwrap();
    assert!(comment.ends_with("5 bytes of an unknown format, hash abc"));

    exchange.request.body.content = Some(Content::Opaque {
        length: 5,
        hash: "abc".into(),
        why: Some("policy".into()),
    });
    let entry = only(&exchange);
    let comment = entry["request"]["postData"]["comment"].as_str().unwrap();
    assert!(comment.ends_with("5 bytes withheld by the policy, hash abc"));
}

#[test]
fn a_head_response_keeps_its_length() {
    let mut exchange = sample("a");
    exchange.request.method = "HEAD".into();
    let response = exchange.response.as_mut().unwrap();
    response.body = Body::new(BodyState::None);
    response.headers = vec![header("content-length", "100")];
    assert_eq!(only(&exchange)["response"]["headers"][0]["value"], "100");
}

#[test]
fn fields_that_are_not_true_of_the_body_are_left_out() {
    let names = |entry: &Value| -> Vec<String> {
        let fields = entry["response"]["headers"].as_array().unwrap();
        let names = fields.iter().map(|field| field["name"].as_str().unwrap());
        names.map(str::to_owned).collect()
    };
    let mut exchange = sample("a");
    let response = exchange.response.as_mut().unwrap();
    response.headers = vec![
        header("content-type", "application/json"),
        header("content-encoding", "x-gzip"),
        header("content-encoding", "identity"),
        header("transfer-encoding", "chunked"),
        header("content-digest", "sha-256=:a:"),
        header("vary", "accept"),
    ];
    response.body = text("{}");
    response.body.content_encoding = Some("gzip".into());
    let entry = only(&exchange);
    assert_eq!(names(&entry), ["content-type", "vary"]);
    let comment = entry["response"]["comment"].as_str().unwrap();
    assert!(comment.starts_with("content-encoding (gzip) is left out: it does not"));

    // Readers would decode even an empty body.
    exchange.response.as_mut().unwrap().body.content = None;
    assert_eq!(names(&only(&exchange)), ["content-type", "vary"]);

    // In a response to HEAD they are true, as far as readers know them.
    exchange.request.method = "HEAD".into();
    let response = exchange.response.as_mut().unwrap();
    response.body = Body::new(BodyState::None);
    response.headers = vec![
        header("content-encoding", "GZIP"),
        header("content-digest", "a"),
    ];
    assert_eq!(
        names(&only(&exchange)),
        ["content-encoding", "content-digest"]
    );
    exchange.response.as_mut().unwrap().headers[0].1 = "[~12 len=3]".into();
    assert_eq!(names(&only(&exchange)), ["content-digest"]);
}
