//! Conditions of rules under a real server: requests as clients write them, and the peer of their
//! connection.

use axum::{Router, extract::Request, middleware, routing::any};
use dashcam::{
    exchange::KeepReason,
    selection::{Budget, Peer, Rule, Rules, When},
    testing::TestDashcam,
};
use std::{
    net::SocketAddr,
    time::{Duration, SystemTime},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::timeout,
};

const PATIENCE: Duration = Duration::from_secs(60);

fn rule(name: &str) -> Rule {
    let soon = SystemTime::now() + Duration::from_secs(3600);
    Rule::new(name, soon).record_only()
}

fn dashcam(rules: impl IntoIterator<Item = Rule>) -> TestDashcam {
    let rules = Rules::new(rules);
    TestDashcam::with(|builder| {
        builder
            .rules(rules)
            .baseline(1.0)
            .verbose_budget(Budget::unlimited())
    })
}

/// Serves IPv4 and IPv6 on one socket, where IPv4 peers have IPv6 addresses.
async fn serve(app: Router) -> u16 {
    let listener = match TcpListener::bind("[::]:0").await {
        Ok(listener) => listener,
        // A machine without IPv6.
        Err(_) => TcpListener::bind("127.0.0.1:0").await.unwrap(),
    };
    let port = listener.local_addr().unwrap().port();
    let app = app.into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(axum::serve(listener, app).into_future());
    port
}

/// Returns the rule that selects the request with this head.
async fn selected(dashcam: &TestDashcam, port: u16, head: &str) -> Option<String> {
    let mut socket = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let request = format!("{head}\r\nconnection: close\r\n\r\n");
    socket.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    let read = timeout(PATIENCE, socket.read_to_string(&mut answer));
    read.await.unwrap().unwrap();
    assert!(answer.contains(" 200 OK"), "{head}: {answer}");
    assert!(dashcam.flush(PATIENCE));
    let kept = dashcam.kept().pop().unwrap();
    kept.keep.into_iter().find_map(|reason| match reason {
        KeepReason::Selected { by } => Some(by),
        _ => None,
    })
}

#[tokio::test]
async fn requests_as_clients_write_them() {
    let dashcam = dashcam([
        rule("route").when(When::new().route("/nest/items/{id}")),
        rule("nest").when(When::new().path_prefix("/nest")),
        rule("star").when(When::new().path("*").unwrap()),
        rule("ab").when(When::new().path("/a/b").unwrap()),
        rule("host").when(When::new().host("only.example")),
        rule("cookie").when(When::new().cookie("q", "\"v\"")),
    ]);
    let items = Router::new().route("/items/{id}", any(|| async {}));
    let app = Router::new()
        .nest("/nest", items)
        .fallback(any(|| async {}))
        .layer(dashcam.layer());
    let port = serve(app).await;
    for (head, expected) in [
        // The template within a nested router, and the whole path.
        ("GET /nest/items/7?q=1 HTTP/1.1\r\nhost: x", Some("route")),
        ("GET /nest//items/7 HTTP/1.1\r\nhost: x", Some("nest")),
        ("GET //nest/items/7 HTTP/1.1\r\nhost: x", None),
        // A path matches as it was sent, not in an equivalent spelling.
        ("GET /a/b HTTP/1.1\r\nhost: x", Some("ab")),
        ("GET /a/b#c HTTP/1.1\r\nhost: x", Some("ab")),
        ("GET http://x/a/b HTTP/1.1\r\nhost: x", Some("ab")),
        ("GET /a/b/ HTTP/1.1\r\nhost: x", None),
        ("GET /a%2fb HTTP/1.1\r\nhost: x", None),
        ("GET /a/./b HTTP/1.1\r\nhost: x", None),
        ("GET /x/../a/b HTTP/1.1\r\nhost: x", None),
        ("OPTIONS * HTTP/1.1\r\nhost: x", Some("star")),
        // The host of the URI takes precedence over the header.
        (
            "GET http://only.example/c HTTP/1.1\r\nhost: x",
            Some("host"),
        ),
        ("GET http://x/c HTTP/1.1\r\nhost: only.example", None),
        ("GET /c HTTP/1.1\r\nhost: ONLY.example:8080", Some("host")),
        (
            "GET /c HTTP/1.1\r\nhost: only.example\r\nhost: only.example",
            None,
        ),
        ("GET /c HTTP/1.1\r\nhost: a@only.example", None),
        ("GET /c HTTP/1.0", None),
        (
            "GET /c HTTP/1.1\r\nhost: x\r\ncookie: p=1; q=\"v\"",
            Some("cookie"),
        ),
        ("GET /c HTTP/1.1\r\nhost: x\r\ncookie: q=v", None),
    ] {
        let by = selected(&dashcam, port, head).await;
        assert_eq!(by.as_deref(), expected, "{head}");
    }
}

#[tokio::test]
async fn the_peer_is_whose_connection_it_is() {
    let dashcam = dashcam([
        rule("here").when(When::new().client("127.0.0.0/8").unwrap()),
        rule("said").when(When::new().client("192.0.2.0/24").unwrap()),
    ]);
    let app = || Router::new().fallback(any(|| async {}));
    let said = |mut request: Request, next: middleware::Next| {
        request.extensions_mut().insert(Peer([192, 0, 2, 7].into()));
        next.run(request)
    };
    let plain = serve(app().layer(dashcam.layer())).await;
    let stating = app()
        .layer(dashcam.layer())
        .layer(middleware::from_fn(said));
    let stating = serve(stating).await;
    // No header is trusted.
    let head = "GET / HTTP/1.1\r\nhost: x\r\nx-forwarded-for: 192.0.2.7\r\n\
                forwarded: for=192.0.2.7\r\nx-real-ip: 192.0.2.7";
    for (port, expected) in [(plain, "here"), (stating, "said")] {
        let by = selected(&dashcam, port, head).await;
        assert_eq!(by.as_deref(), Some(expected));
    }
}
