//! Ordinary words, which reveal nothing about a person.
//!
//! If only the default hides a value, and it is one of these, texts are not searched for
//! it: they would lose ordinary words.

/// Folded: letters and digits only, sorted.
#[rustfmt::skip]
const WORDS: &[&str] = &[
    "accepted", "account", "active", "added", "address", "admin", "administrator",
    "allowed", "alpha", "amount", "annual", "anonymous", "api", "app", "approved",
    "archived", "array", "aud", "aut", "author", "authorized", "available", "bank",
    "basic", "bel", "beta", "blocked", "blue", "boolean", "bot", "brl", "business",
    "cad", "canceled", "cancelled", "captured", "card", "cash", "changed", "charge",
    "chf", "client", "close", "closed", "closing", "cny", "code", "comment", "commit",
    "company", "complete", "completed", "confirmed", "contact", "create", "created",
    "creating", "credit", "critical", "csv", "currency", "custom", "customer", "cze",
    "daily", "data", "date", "datetime", "day", "days", "deat", "debit", "debug",
    "dech", "declined", "dede", "default", "delete", "deleted", "deleting", "delivered",
    "denied", "description", "deu", "dev", "development", "disabled", "dismissed",
    "disputed", "dkk", "dnk", "done", "down", "draft", "due", "editor", "email",
    "employee", "empty", "enabled", "engb", "english", "enterprise", "enus", "error",
    "errors", "eses", "esmx", "esp", "eur", "event", "events", "expired", "external",
    "failed", "failure", "false", "fatal", "female", "file", "finished", "form", "fra",
    "frca", "free", "french", "frfr", "full", "gbp", "gbr", "german", "get", "gif",
    "global", "group", "guest", "head", "high", "hkd", "home", "html", "http", "https",
    "inactive", "incomplete", "info", "inprogress", "inr", "integer", "internal",
    "invalid", "invoice", "issue", "ita", "item", "items", "itit", "jajp", "jpeg",
    "jpg", "jpy", "json", "key", "kokr", "krw", "label", "large", "latest", "list",
    "live", "local", "locked", "low", "mail", "manager", "mastercard", "medium",
    "member", "merged", "message", "mex", "mobile", "moderator", "month", "monthly",
    "mxn", "name", "new", "next", "nil", "nld", "nlnl", "nok", "none", "normal",
    "notice", "notification", "null", "number", "nzd", "object", "off", "offline",
    "old", "onhold", "online", "open", "opened", "opening", "operator", "options",
    "order", "orders", "organization", "other", "overdue", "owner", "paid", "partial",
    "partner", "patch", "payment", "payments", "pdf", "pending", "person", "personal",
    "phone", "plain", "plan", "pln", "plpl", "png", "pol", "post", "premium",
    "previous", "price", "private", "pro", "processed", "processing", "prod", "product",
    "production", "products", "ptbr", "ptpt", "public", "published", "put", "quantity",
    "queued", "read", "ready", "reason", "receive", "received", "red", "refund",
    "refunded", "rejected", "release", "remote", "remove", "removed", "reopened",
    "request", "requested", "resolved", "response", "returned", "review", "role",
    "root", "running", "ruru", "sandbox", "scheduled", "search", "sek", "send", "sent",
    "service", "services", "session", "sgd", "shared", "shipped", "shipping", "shop",
    "small", "sms", "spanish", "stable", "staff", "staging", "standard", "start",
    "started", "starter", "starting", "state", "status", "stopped", "stopping", "store",
    "string", "submitted", "subscription", "succeeded", "success", "successful", "svse",
    "swe", "synchronize", "system", "tax", "tcp", "team", "test", "testing", "text",
    "time", "title", "tls", "todo", "token", "total", "trace", "transfer", "trial",
    "true", "type", "udp", "unauthorized", "unavailable", "undefined", "unknown",
    "unlocked", "unpaid", "unresolved", "unverified", "update", "updated", "updating",
    "urgent", "usa", "usd", "user", "users", "utc",  "valid", "value",
    "verified", "view", "viewer", "visa", "voided", "waiting", "warn", "warning", "web",
    "webhook", "week", "weekly", "work", "write", "xml", "year", "yearly", "yellow",
    "yes", "zar", "zhcn", "zip",
];

/// The number of symbols of the longest one.
const LONGEST: usize = 13;

/// Returns whether folded symbols are one ordinary word.
pub(super) fn is_ordinary(symbols: &[u8]) -> bool {
    symbols.len() <= LONGEST
        && symbols.iter().all(u8::is_ascii_lowercase)
        && WORDS
            .binary_search_by(|word| word.as_bytes().cmp(symbols))
            .is_ok()
}
