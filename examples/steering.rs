//! Makes one tenant verbose by editing a file, and one request by a token, while the
//! service is under load. The rule expires, and the token is for one request.
//!
//! ```text
//! cargo run --example steering --features config,token
//! ```
//!
//! It demonstrates both, then keeps serving until Ctrl-C, with a rules file to edit and a
//! token to send. With `-- --once` it exits instead.

use axum::{
    Router,
    extract::{Path, Request},
    middleware::{Next, from_fn},
    response::Response,
    routing::get,
};
use dashcam::{
    Dashcam,
    redact::{Action, Policy},
    selection::When,
    token::{Claims, TokenKey, Tokens},
};
use http_body_util::{BodyExt, Empty};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use serde_json::Value;
use std::{
    env,
    error::Error,
    fs, io,
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};
use tokio::{net::TcpListener, time::sleep};
use tracing::debug;
use tracing_subscriber::{filter::LevelFilter, prelude::*};

type Failed = Box<dyn Error + Send + Sync>;
type HttpClient = Client<HttpConnector, Empty<bytes::Bytes>>;

const TENANTS: [&str; 3] = ["acme", "initech", "globex"];
/// The lifetime of the rule.
const RULE: Duration = Duration::from_secs(4);
const DEADLINE: Duration = Duration::from_secs(60);

async fn order(Path(id): Path<u32>) -> String {
    debug!(id, "looking for the order");
    debug!(id, items = id % 7, "found it");
    id.to_string()
}

/// Stands for authentication, which knows the tenant of a request.
async fn tenant(request: Request, next: Next) -> Response {
    if let Some(tenant) = request.headers().get("x-tenant")
        && let Some(context) = dashcam::current()
    {
        context.fact("tenant", String::from_utf8_lossy(tenant.as_bytes()));
        debug!(tenant = %String::from_utf8_lossy(tenant.as_bytes()), "authenticated");
    }
    next.run(request).await
}

#[tokio::main]
async fn main() -> Result<(), Failed> {
    let directory = env::temp_dir().join(format!("dashcam-steering-{}", std::process::id()));
    fs::create_dir_all(&directory)?;
    let rules = directory.join("rules.toml");
    fs::write(&rules, "# no rule yet\n")?;
    // Whoever is on call has the private half; the service has the public half.
    let key = TokenKey::generate_ed25519("on-call")?;
    let public = key.public().ok_or("an HS256 secret has no public half")?;

    let log = Log::default();
    let dashcam = Dashcam::builder()
        .service("orders", env!("CARGO_PKG_VERSION"))
        .rules_file(&rules)
        .tokens(Tokens::new([public]).tell_in_response(true))
        .policy(
            Policy::strict()
                .header("x-tenant", Action::Keep)
                .field("tenant", Action::Keep),
        )
        .request_line(false)
        .in_memory(1000)
        .build()?;
    tracing_subscriber::registry()
        .with(dashcam.gate(LevelFilter::INFO))
        .with(dashcam.json_log_to(log.clone())?)
        .init();
    let app = Router::new()
        .route("/orders/{id}", get(order))
        .layer(from_fn(tenant))
        .layer(dashcam.layer());
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address = listener.local_addr()?;
    let server = tokio::spawn(
        axum::serve(
            listener,
            app.into_make_service_with_connect_info::<SocketAddr>(),
        )
        .into_future(),
    );

    let show = Show {
        dashcam: &dashcam,
        log: &log,
        rules: &rules,
        address,
        client: Client::builder(TokioExecutor::new()).build_http(),
        started: Instant::now(),
    };
    let result = show.all(&key).await;
    if result.is_ok() && !env::args().any(|argument| argument == "--once") {
        let token = key.mint(&Claims::new(Duration::from_secs(3600)))?;
        println!("\nEdit {}, or use this token for an hour:", rules.display());
        println!("curl -i -H 'x-dashcam-verbose: {token}' http://{address}/orders/1");
        tokio::signal::ctrl_c().await?;
    }
    server.abort();
    fs::remove_dir_all(&directory)?;
    result
}

struct Show<'a> {
    dashcam: &'a Dashcam,
    log: &'a Log,
    rules: &'a PathBuf,
    address: SocketAddr,
    client: HttpClient,
    started: Instant,
}

impl Show<'_> {
    async fn all(&self, key: &TokenKey) -> Result<(), Failed> {
        println!(
            "http://{} under load by {}",
            self.address,
            TENANTS.join(", ")
        );
        let load = TENANTS.map(|tenant| {
            let (client, address) = (self.client.clone(), self.address);
            tokio::spawn(async move { load(client, address, tenant).await })
        });
        let result = self.steer(key).await;
        load.iter().for_each(tokio::task::JoinHandle::abort);
        result
    }

    async fn steer(&self, key: &TokenKey) -> Result<(), Failed> {
        self.quiet("nothing is verbose").await?;
        self.by_file().await?;
        self.quiet("nobody did anything, and nothing is verbose")
            .await?;
        self.by_token(key).await
    }

    fn say(&self, text: &str) {
        println!("{:5.1} s  {text}", self.started.elapsed().as_secs_f64());
    }

    /// Checks that the load shows no debug events.
    async fn quiet(&self, what: &str) -> Result<(), Failed> {
        // Requests that were live when the rule ended may still log.
        let deadline = Instant::now() + DEADLINE;
        loop {
            sleep(Duration::from_millis(200)).await;
            if self.lines()?.is_empty() || Instant::now() > deadline {
                break;
            }
        }
        let before = self.dashcam.status().finished;
        sleep(Duration::from_millis(500)).await;
        let requests = self.dashcam.status().finished - before;
        let lines = self.lines()?;
        if !lines.is_empty() {
            return Err(format!(
                "expected no lines, but the log has {}: {:?}",
                lines.len(),
                lines.first()
            )
            .into());
        }
        self.say(&format!("{what}: {requests} requests, 0 debug lines"));
        Ok(())
    }

    /// Makes one tenant verbose by editing the rules file.
    async fn by_file(&self) -> Result<(), Failed> {
        let expires = jiff::Timestamp::now().checked_add(RULE)?;
        let rule = format!(
            "[[rule]]\nname = \"acme\"\nexpires = {expires:.3}\n\
             when = {{ route = \"/orders/{{id}}\", fact = {{ tenant = \"acme\" }} }}\n\
             budget = {{ per_second = 50 }}\n"
        );
        let new = self.rules.with_extension("new");
        fs::write(&new, &rule)?;
        fs::rename(&new, self.rules)?;
        self.say("the file was edited:");
        rule.lines().for_each(|line| println!("         | {line}"));
        let mut lines = self.until_shown().await?;
        self.say("it is in use, and will not be touched again");
        let first: Vec<_> = lines.iter().take(2).map(ToString::to_string).collect();
        first.iter().for_each(|line| println!("         | {line}"));
        while jiff::Timestamp::now() < expires {
            sleep(Duration::from_millis(50)).await;
        }
        lines.extend(self.lines()?);
        let tenants = || {
            lines
                .iter()
                .filter_map(|line| line["fields"]["tenant"].as_str())
        };
        let requests = tenants().count();
        if tenants().any(|tenant| tenant != "acme") {
            return Err("the log has debug events of other tenants".into());
        }
        self.say(&format!(
            "it has expired: {} debug lines of {requests} requests, all of acme",
            lines.len()
        ));
        Ok(())
    }

    /// Makes one request verbose by its header.
    async fn by_token(&self, key: &TokenKey) -> Result<(), Failed> {
        let claims = Claims::new(Duration::from_secs(600))
            .subject("alice")
            .when(When::new().route("/orders/{id}"))
            .uses(1);
        let token = key.mint(&claims)?;
        self.say(&format!(
            "GET /orders/42 of initech with a token of {} bytes",
            token.len()
        ));
        for expected in [Some("live"), None] {
            let request = http::Request::get(format!("http://{}/orders/42", self.address))
                .header("x-tenant", "initech")
                .header("x-dashcam-verbose", &token)
                .body(Empty::new())?;
            let response = self.client.request(request).await?;
            let said = response.headers().get("x-dashcam-verbose").cloned();
            let said = said.as_ref().and_then(|value| value.to_str().ok());
            if said != expected {
                return Err(
                    format!("unexpected x-dashcam-verbose in the response: {said:?}").into(),
                );
            }
            response.into_body().collect().await?;
            match said {
                Some(said) => {
                    let lines = self.until_shown().await?;
                    println!("         < x-dashcam-verbose: {said}");
                    lines.iter().for_each(|line| println!("         | {line}"));
                    if lines.len() != 3 {
                        return Err("expected three debug events of the request".into());
                    }
                }
                None => {
                    let refused = self.dashcam.status().tokens.refused;
                    let reasons: Vec<_> = refused
                        .iter()
                        .map(|(why, n)| format!("{n} {why}"))
                        .collect();
                    self.say(&format!(
                        "the same once more: refused ({})",
                        reasons.join(", ")
                    ));
                }
            }
        }
        self.quiet("and nothing is verbose").await
    }

    /// Waits for lines in the log, and returns them.
    async fn until_shown(&self) -> Result<Vec<Value>, Failed> {
        let deadline = Instant::now() + DEADLINE;
        while Instant::now() < deadline {
            let lines = self.lines()?;
            if !lines.is_empty() {
                return Ok(lines);
            }
            sleep(Duration::from_millis(20)).await;
        }
        Err("the log has no debug events".into())
    }

    /// The new lines of the log.
    fn lines(&self) -> Result<Vec<Value>, Failed> {
        if !self.dashcam.flush(Duration::from_secs(5)) {
            return Err("the log was not written in time".into());
        }
        let lines = self.log.take();
        let lines = lines.lines().map(serde_json::from_str);
        Ok(lines.collect::<Result<_, _>>()?)
    }
}

/// Sends requests as one client of one tenant.
async fn load(client: HttpClient, address: SocketAddr, tenant: &str) -> Result<(), Failed> {
    for id in 0_u32.. {
        let request = http::Request::get(format!("http://{address}/orders/{id}"))
            .header("x-tenant", tenant)
            .body(Empty::new())?;
        client.request(request).await?.into_body().collect().await?;
        sleep(Duration::from_millis(1)).await;
    }
    Ok(())
}

/// Stands for standard output.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn take(&self) -> String {
        let mut log = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&std::mem::take(&mut *log)).into_owned()
    }
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut log = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        log.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
