//! Typical log texts of services and systems.

use crate::leaks::random::Random;
use tracing::{error, info, warn};

pub(crate) type Text = fn(&mut Random);

const ROUTES: &[&str] = &[
    "/orders",
    "/orders/{id}",
    "/login",
    "/users/{id}/avatar",
    "/hooks/payments",
    "/health",
    "/search",
    "/carts/{cart}/lines",
    "/v1/charges",
    "/metrics",
    "/admin/reports",
    "/files/{*path}",
    "/graphql",
];
const TABLES: &[&str] = &[
    "orders",
    "order_lines",
    "users",
    "sessions",
    "payments",
    "stock",
    "audit_log",
    "outbox",
    "coupons",
    "shipments",
    "refunds",
    "price_lists",
    "mail_queue",
    "jobs",
    "tax_rates",
];
const HOSTS: &[&str] = &[
    "db-1.internal",
    "db-2.internal",
    "cache-a",
    "queue-3",
    "edge-fra-2",
    "worker-17",
    "stock.svc.cluster",
    "mail.svc.cluster",
    "node-8",
    "ip-10-0-3-44",
    "registry.internal",
];
const STATES: &[&str] = &[
    "open",
    "closed",
    "pending",
    "running",
    "failed",
    "done",
    "queued",
    "retrying",
    "paid",
    "cancelled",
    "active",
    "expired",
    "stale",
    "ready",
    "draining",
    "degraded",
    "healthy",
    "idle",
    "blocked",
];
const AGENTS: &[&str] = &[
    "Chrome",
    "Firefox",
    "Safari",
    "curl",
    "okhttp",
    "Go-http-client",
    "python-requests",
];
const QUEUES: &[&str] = &[
    "mails",
    "invoices",
    "thumbnails",
    "webhooks",
    "exports",
    "reindex",
    "payouts",
];
const JOBS: &[&str] = &[
    "nightly-report",
    "expire-carts",
    "sync-stock",
    "rotate-keys",
    "compact",
    "reprice",
];
const METHODS: &[&str] = &["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"];
const CACHES: &[&str] = &[
    "products",
    "prices",
    "templates",
    "permissions",
    "translations",
    "feature flags",
];
const LEVELS: &[&str] = &["low", "normal", "high", "critical"];
const ACCOUNTS: &[&str] = &[
    "deploy", "backup", "root", "postgres", "jenkins", "ubuntu", "nagios",
];

struct P<'r>(&'r mut Random);

impl P<'_> {
    fn of(&mut self, all: &'static [&'static str]) -> &'static str {
        self.0.of::<&'static str>(all)
    }

    /// Made at run time, as in services.
    fn word(&mut self, all: &'static [&'static str]) -> String {
        self.of(all).to_owned()
    }

    fn n(&mut self, most: usize) -> usize {
        self.0.below(most)
    }

    fn ms(&mut self) -> f64 {
        self.n(90_000) as f64 / 100.0
    }

    fn id(&mut self) -> String {
        format!("{:08x}", self.0.next() as u32)
    }

    fn request(&mut self) -> String {
        format!(
            "01938f2a-{:04x}-7c61-{:04x}-{:012x}",
            self.n(65_536),
            self.n(65_536),
            self.0.next() >> 16
        )
    }

    fn ip(&mut self) -> String {
        format!("10.{}.{}.{}", self.n(255), self.n(255), 1 + self.n(250))
    }

    fn status(&mut self) -> u16 {
        *self.0.of(&[
            200, 201, 204, 302, 400, 401, 404, 409, 422, 429, 500, 502, 503, 504,
        ])
    }

    fn error(&mut self) -> String {
        self.of(&[
            "connection refused (os error 111)",
            "operation timed out",
            "broken pipe",
            "connection reset by peer",
            "pool timed out while waiting for an open connection",
            "unexpected end of file",
            "deadlock detected",
            "no space left on device (os error 28)",
            "invalid digit found in string",
            "channel closed",
            "dns error: failed to lookup address information",
            "certificate has expired",
            "too many open files",
        ])
        .to_owned()
    }
}

macro_rules! texts {
    ($(|$p:ident| $say:expr;)*) => {
        vec![$({
            fn text(random: &mut Random) {
                #[allow(unused_mut)] // some texts draw nothing
                let mut $p = P(random);
                $say;
            }
            text as Text
        },)*]
    };
}

#[rustfmt::skip]
pub(crate) fn all() -> Vec<Text> {
    texts! {
        // A web shop.
        |p| info!(state = p.word(STATES), lines = p.n(9), "order loaded");
        |p| info!("order {} went from {} to {}", p.n(90_000) + 10_000, p.word(STATES), p.word(STATES));
        |p| info!(total = p.ms(), currency = "eur", "cart priced with {} lines", p.n(20));
        |p| warn!("{} items of warehouse {} are below their minimum", p.n(300), p.n(12));
        |p| info!(rule = %p.word(&["bulk", "list", "seasonal", "outlet"]), percent = p.n(40), "discount chosen");
        |p| info!("checkout finished in {:.1} ms, {} calls", p.ms(), p.n(8));
        |p| warn!(attempts = p.n(5), "label printer {} does not answer: {}", p.word(HOSTS), p.error());
        |p| info!("sent {} confirmation mails, {} bounced", p.n(900), p.n(9));
        |p| info!(coupon = %p.word(&["summer", "welcome", "returning"]), "coupon campaign applied to {} carts", p.n(99));
        |p| error!("stock of {} is {} after a sale", p.word(&["boots", "lamps", "cups", "jackets"]), -(p.n(5) as i64));
        // Sign-in.
        |p| info!("signed in by {} from {}", p.word(&["password", "passkey", "single sign-on", "magic link"]), p.word(AGENTS));
        |p| warn!(failures = p.n(10), "too many attempts, locked for {} minutes", p.n(60));
        |p| info!(role = %p.word(&["user", "admin", "guest", "editor", "auditor"]), "permission check passed for {}", p.word(ROUTES));
        |p| warn!("session of age {} h expired", p.n(200));
        |p| info!(provider = %p.word(&["github", "google", "okta", "keycloak"]), "refreshed the key set, {} keys", p.n(6));
        |p| warn!("token of issuer {} rejected: {}", p.word(&["gateway", "partner", "mobile"]), p.word(&["signature mismatch", "expired", "wrong audience"]));
        |p| info!("password hash upgraded to {} rounds", p.n(20));
        // A database.
        |p| info!(table = %p.word(TABLES), rows = p.n(5000), elapsed_ms = p.ms(), "query done");
        |p| warn!("slow statement on {} took {:.0} ms: {} rows examined", p.word(TABLES), p.ms() * 10.0, p.n(900_000));
        |p| error!(error = %p.error(), "cannot reach {}", p.word(HOSTS));
        |p| info!("pool: {} of {} connections in use, {} waiting", p.n(32), 32, p.n(10));
        |p| info!("migration {} applied in {} ms", p.word(&["0017_add_index", "0018_outbox", "0021_drop_legacy"]), p.n(9000));
        |p| warn!("transaction on {} retried after serialization failure, attempt {}", p.word(TABLES), p.n(5));
        |p| info!("vacuum of {}: {} pages removed, {} remain", p.word(TABLES), p.n(3000), p.n(90_000));
        |p| info!("replica {} lags by {} bytes", p.word(HOSTS), p.n(9_000_000));
        |p| warn!("index {}_created_at on {} is not used", p.word(TABLES), p.word(TABLES));
        |p| error!("duplicate key on {}: {}", p.word(TABLES), p.word(&["already exists", "constraint violated"]));
        // Queues and schedulers.
        |p| info!(queue = %p.word(QUEUES), depth = p.n(9000), "polled");
        |p| info!("took {} messages from {}, acknowledged {}", p.n(100), p.word(QUEUES), p.n(100));
        |p| warn!("message {} of {} goes to the dead letters after {} tries", p.id(), p.word(QUEUES), p.n(9));
        |p| info!("consumer group {} rebalanced, {} partitions, generation {}", p.word(QUEUES), p.n(64), p.n(900));
        |p| info!(job = %p.word(JOBS), state = %p.word(STATES), "job changed");
        |p| info!("job {} starts in {} s on {}", p.word(JOBS), p.n(3600), p.word(HOSTS));
        |p| warn!("job {} ran over its slot by {} ms, skipping {} runs", p.word(JOBS), p.n(9000), p.n(4));
        |p| error!(error = %p.error(), job = %p.word(JOBS), "job failed");
        |p| info!("lease renewed for {} by {}", p.word(JOBS), p.word(HOSTS));
        |p| info!("cron expression {} gives next run in {} min", p.word(&["*/5 * * * *", "0 3 * * 1", "@hourly"]), p.n(900));
        // Payments.
        |p| info!(amount_cents = p.n(90_000), method = %p.word(&["card", "invoice", "wallet", "transfer"]), "charging");
        |p| info!("provider answered {} in {:.1} ms", p.status(), p.ms());
        |p| warn!("charge is {} with code {}", p.word(&["declined", "held", "disputed"]), p.word(&["insufficient_funds", "do_not_honor", "expired_card"]));
        |p| info!("payout batch closed with {} entries, sum {:.2}", p.n(500), p.ms());
        |p| warn!("webhook of type {} delivered {} times", p.word(&["charge.updated", "refund.created", "dispute.closed"]), p.n(7));
        |p| info!("risk is {} with score {}", p.word(LEVELS), p.n(100));
        |p| info!("rate {} fetched, age {} s", p.word(&["EUR/USD", "EUR/GBP", "EUR/SEK"]), p.n(3600));
        // Proxies and clients.
        |p| info!(status = p.status(), "{} {} by {}", p.word(METHODS), p.word(ROUTES), p.word(AGENTS));
        |p| warn!("upstream {} is {}, {} of {} checks failed", p.word(HOSTS), p.word(STATES), p.n(5), 5);
        |p| info!("retrying {} {} after {} ms: {}", p.word(METHODS), p.word(ROUTES), p.n(4000), p.error());
        |p| info!(encoding = %p.word(&["gzip", "br", "identity"]), bytes = p.n(900_000), "compressed the answer");
        |p| warn!("circuit to {} opens for {} s", p.word(HOSTS), p.n(120));
        |p| info!("connection from {} closed after {} requests", p.ip(), p.n(300));
        |p| info!("limit of {} per minute reached for {}", p.n(1000), p.word(ROUTES));
        |p| info!("cache {} hit ratio {:.2}, {} entries", p.word(CACHES), p.ms() / 1000.0, p.n(50_000));
        |p| info!("evicted {} entries of {}", p.n(5000), p.word(CACHES));
        |p| warn!("header of {} bytes is over the limit of {}", p.n(60_000), 8192);
        |p| info!("request {} joined trace", p.request());
        // Files, as in distributed systems and shells.
        |p| info!("Receiving block blk_-{} src: /{}:{} dest: /{}:50010", p.0.next() >> 8, p.ip(), p.n(60_000), p.ip());
        |p| info!("PacketResponder {} for block blk_{} terminating", p.n(3), p.0.next() >> 8);
        |p| warn!("Verification of replica on {} failed: {}", p.word(HOSTS), p.word(&["checksum error", "short read"]));
        |p| info!("Accepted publickey for {} from {} port {} ssh2", p.word(ACCOUNTS), p.ip(), p.n(60_000));
        |p| warn!("Failed password for invalid user {} from {} port {} ssh2", p.word(ACCOUNTS), p.ip(), p.n(60_000));
        |p| info!("pam_unix(cron:session): session opened for user {} by (uid={})", p.word(ACCOUNTS), p.n(1000));
        |p| info!("[{}] usb 1-{}: new high-speed device number {}", p.ms(), p.n(4), p.n(30));
        |p| warn!("Out of memory: Killed process {} ({})", p.n(30_000), p.word(&["java", "node", "postgres", "chrome"]));
        |p| info!("Reducer {} preempted, container_{}_{:04} released", p.n(40), p.n(900), p.n(9999));
        |p| info!("Scaled up replica set {}-{} to {}", p.word(&["orders", "payments", "search"]), p.id(), p.n(12));
        |p| warn!("Liveness probe of {} failed: HTTP probe failed with statuscode: {}", p.word(HOSTS), p.status());
        |p| info!("uploaded {} parts to {} in {:.1} s", p.n(40), p.word(&["archive", "backups", "exports"]), p.ms() / 10.0);
        |p| info!("config reloaded: {} keys changed, {} unchanged", p.n(9), p.n(200));
        |p| info!(feature = %p.word(&["new-checkout", "dark-mode", "fast-search"]), enabled = true, "flag evaluated");
        |p| info!("built {} thumbnails of {} px, {} skipped", p.n(60), p.word(&["320", "640", "1280"]), p.n(9));
        |p| info!(language = %p.word(&["de", "en", "fr"]), "template {} rendered in {:.2} ms", p.word(&["invoice", "welcome", "reminder"]), p.ms());
        |p| info!("search for {} terms gave {} hits in {} shards", p.n(5), p.n(4000), p.n(12));
    }
}
