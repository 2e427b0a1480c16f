//! Typical bodies of web shops, payment providers, code hosts and sign-ups.

use crate::leaks::random::Random;
use serde_json::{Value, json};

const FIRST: &[&str] = &[
    "Alma", "Bruno", "Chloe", "Dimitri", "Elif", "Farid", "Greta", "Hiroshi", "Ines", "Jakub",
    "Katja", "Lorenzo", "Maren", "Nuno", "Oksana", "Pavel", "Quirin", "Rosa", "Stefan", "Tove",
    "Uma", "Viktor",
];
const LAST: &[&str] = &[
    "Andersson",
    "Bianchi",
    "Castellanos",
    "Dvořák",
    "Eriksen",
    "Fontaine",
    "Grzelak",
    "Hofstetter",
    "Ivanova",
    "Jansen",
    "Kowalczyk",
    "Lindqvist",
    "Moreau",
    "Nakamura",
    "Oliveira",
    "Petrov",
    "Rossi",
    "Schröder",
    "Tanaka",
    "Ullmann",
    "Vandenberg",
    "Weissmann",
    "Yılmaz",
    "Zimmermann",
];
const CITIES: &[&str] = &[
    "Antwerp",
    "Bologna",
    "Coimbra",
    "Dresden",
    "Eindhoven",
    "Fukuoka",
    "Gdansk",
    "Heidelberg",
    "Innsbruck",
    "Lyon",
    "Malmö",
    "Nantes",
    "Oporto",
    "Poznan",
    "Rotterdam",
    "Salzburg",
    "Tampere",
    "Uppsala",
    "Zagreb",
];
const STREETS: &[&str] = &[
    "Lindenallee",
    "Rue Pasteur",
    "Via Garibaldi",
    "Kastanienweg",
    "Calle Mayor",
    "Station Road",
    "Hauptstrasse",
    "Mill Lane",
    "Avenida da Liberdade",
    "Queen's Road",
];
const PRODUCTS: &[&str] = &[
    "Walking boot, leather",
    "Wool socks, grey",
    "Espresso cups (4)",
    "Desk lamp \"Nils\"",
    "Notebook A5",
    "Rain jacket, blue",
    "Cast iron pan",
    "Bicycle bell",
    "Linen shirt",
    "Garden hose 20 m",
];
const NOTES: &[&str] = &[
    "please ring twice",
    "leave it with the neighbours",
    "a present, no invoice",
    "call before delivery",
    "the old order never arrived",
    "gate code is with the porter",
    "as discussed on the phone",
];
const BRANCHES: &[&str] = &[
    "main",
    "release-4",
    "fix/rounding",
    "feature/coupons",
    "docs",
];

struct Maker<'r>(&'r mut Random);

impl Maker<'_> {
    fn of(&mut self, all: &[&str]) -> String {
        (*self.0.of(all)).to_owned()
    }

    fn digits(&mut self, n: usize) -> String {
        (0..n)
            .map(|_| char::from(b'0' + self.0.below(10) as u8))
            .collect()
    }

    fn hex(&mut self, n: usize) -> String {
        (0..n)
            .map(|_| *self.0.of(&"0123456789abcdef".chars().collect::<Vec<_>>()))
            .collect()
    }

    fn id(&mut self, prefix: &str) -> String {
        let letters: Vec<char> = "ABCDEFGHJKLMNPQRSTUVWXYZabcdefghjkmnpqrstuvwxyz23456789"
            .chars()
            .collect();
        let tail: String = (0..20).map(|_| *self.0.of(&letters)).collect();
        format!("{prefix}_{tail}")
    }

    fn uuid(&mut self) -> String {
        let (a, b, c, d) = (self.hex(8), self.hex(4), self.hex(3), self.hex(12));
        format!("{a}-{b}-4{c}-9{c}-{d}")
    }

    fn time(&mut self) -> String {
        let (d, h, m) = (1 + self.0.below(28), self.0.below(24), self.0.below(60));
        let month = 1 + self.0.below(12);
        format!(
            "2026-{month:02}-{d:02}T{h:02}:{m:02}:{:02}Z",
            self.0.below(60)
        )
    }

    fn date_of_birth(&mut self) -> String {
        let (y, m, d) = (
            1940 + self.0.below(66),
            1 + self.0.below(12),
            1 + self.0.below(28),
        );
        format!("{y}-{m:02}-{d:02}")
    }

    fn person(&mut self) -> (String, String, String) {
        let (first, last) = (self.of(FIRST), self.of(LAST));
        let mail = format!(
            "{}.{}@example.org",
            first.to_lowercase(),
            last.to_lowercase()
        );
        (first, last, mail)
    }

    fn address(&mut self) -> Value {
        json!({
            "line1": format!("{} {}", self.of(STREETS), 1 + self.0.below(180)),
            "line2": null,
            "city": self.of(CITIES),
            "postal_code": self.digits(5),
            "country": self.of(&["DE", "FR", "IT", "PT", "NL", "SE", "JP"]),
        })
    }

    fn order(&mut self) -> Value {
        let (first, last, mail) = self.person();
        let lines = (0..1 + self.0.below(5)).map(|n| {
            let product = self.of(PRODUCTS);
            json!({
                "sku": format!("{}-{}", self.of(&["A", "B", "C"]), self.digits(5)),
                "title": product, "quantity": 1 + n, "price": 3.95 + self.0.below(20_000) as f64 / 100.0,
                "variant": self.of(&["small", "medium", "large", "standard"]),
            })
        });
        let lines: Vec<_> = lines.collect();
        json!({
            "order": 10_000 + self.0.below(90_000),
            "status": self.of(&["open", "paid", "shipped", "cancelled", "returned", "pending"]),
            "currency": self.of(&["EUR", "USD", "GBP", "SEK"]),
            "customer": { "first_name": first, "last_name": last, "email": mail, "vip": self.0.one_in(9) },
            "shipping": self.address(), "lines": lines,
            "total": 12.5 + self.0.below(90_000) as f64 / 100.0,
            "note": self.of(NOTES), "channel": self.of(&["web", "app", "store", "phone"]),
            "payment_method": self.of(&["card", "invoice", "paypal", "sepa_debit"]),
            "created_at": self.time(), "gift": self.0.one_in(4),
            "carrier": self.of(&["bpost", "dhl", "postnord", "gls"]), "priority": self.of(&["normal", "high"]),
        })
    }

    fn payment(&mut self) -> Value {
        let (first, last, mail) = self.person();
        let amount = 500 + self.0.below(90_000);
        json!({
            "id": self.id("evt"), "object": "event", "api_version": "2026-03-01", "livemode": true,
            "type": self.of(&["charge.succeeded", "charge.failed", "invoice.paid", "payout.created", "customer.updated"]),
            "created": 1_780_000_000 + self.0.below(10_000_000),
            "data": { "object": {
                "id": self.id("ch"), "object": "charge", "amount": amount, "amount_refunded": 0,
                "balance_transaction": self.id("txn"), "captured": true, "currency": "eur",
                "billing_details": { "name": format!("{first} {last}"), "email": mail, "phone": null, "address": self.address() },
                "calculated_statement_descriptor": "NORTHERN OUTFITTERS",
                "customer": self.id("cus"), "description": self.of(&["Subscription update", "Order payment", "Deposit"]),
                "outcome": { "network_status": "approved_by_network", "risk_level": "normal", "seller_message": "Payment complete.", "type": "authorized" },
                "payment_method_details": { "card": { "brand": self.of(&["visa", "mastercard", "amex"]), "funding": "credit",
                    "exp_month": 1 + self.0.below(12), "exp_year": 2027 + self.0.below(5), "last4": self.digits(4), "country": "DE" }, "type": "card" },
                "receipt_url": format!("https://pay.example.com/receipts/{}", self.id("rcpt")),
                "status": self.of(&["succeeded", "failed", "pending"]), "disputed": false,
            }},
            "request": { "id": self.id("req"), "idempotency_key": self.uuid() },
        })
    }

    fn hook(&mut self) -> Value {
        let (first, last, mail) = self.person();
        let login = format!("{}{}", first.to_lowercase(), self.digits(2));
        let repository = self.of(&["boots-and-more", "till", "stock-keeper", "label-printer"]);
        let branch = self.of(BRANCHES);
        json!({
            "action": self.of(&["opened", "closed", "reopened", "synchronize", "labeled", "assigned"]),
            "number": 1 + self.0.below(4000),
            "ref": format!("refs/heads/{branch}"),
            "pull_request": {
                "title": self.of(&["Round half to even", "Print labels in two columns", "Do not sell what is not there", "Update dependencies"]),
                "body": self.of(&["Closes the issue about rounding.\n\nTested by hand.", "See the discussion of last week.", "No functional change."]),
                "state": self.of(&["open", "closed"]), "draft": false, "merged": self.0.one_in(2),
                "user": { "login": login, "id": 100_000 + self.0.below(900_000), "type": "User", "site_admin": false },
                "labels": [{ "name": self.of(&["bug", "enhancement", "dependencies", "needs review"]), "color": self.hex(6), "default": true }],
                "head": { "sha": self.hex(40), "ref": branch }, "base": { "sha": self.hex(40), "ref": "main" },
                "html_url": format!("https://code.example.com/{login}/{repository}/pull/{}", 1 + self.0.below(4000)),
                "created_at": self.time(), "commits": 1 + self.0.below(9), "additions": self.0.below(900), "deletions": self.0.below(300),
            },
            "repository": { "name": repository, "full_name": format!("outfitters/{repository}"), "private": true,
                "owner": { "login": "outfitters", "type": "Organization" }, "default_branch": "main",
                "visibility": "private", "language": "Rust", "open_issues_count": self.0.below(90) },
            "sender": { "login": login, "email": mail, "name": format!("{first} {last}"), "type": "User" },
            "installation": { "id": 1_000_000 + self.0.below(9_000_000), "node_id": self.id("MDI") },
        })
    }

    fn profile(&mut self) -> Value {
        let (first, last, mail) = self.person();
        json!({
            "username": format!("{}_{}", first.to_lowercase(), self.digits(3)),
            "display_name": format!("{first} {last}"), "email": mail,
            "password": self.id("pw"), "phone": format!("+49 30 {} {}", self.digits(4), self.digits(3)),
            "birthday": self.date_of_birth(),
            "locale": self.of(&["de-DE", "en-GB", "fr-FR", "pt-PT"]), "timezone": self.of(&["Europe/Berlin", "Europe/Lisbon", "Asia/Tokyo"]),
            "role": self.of(&["user", "admin", "editor", "guest", "owner"]),
            "plan": self.of(&["free", "basic", "premium", "business"]),
            "interests": [self.of(&["cycling", "pottery", "chess"]), self.of(&["running", "baking", "theatre"])],
            "address": self.address(), "company": format!("{last} & Sons"),
            "preferences": { "theme": self.of(&["dark", "light"]), "newsletter": self.0.one_in(2), "notifications": self.of(&["all", "mentions", "none"]) },
            "referrer": self.of(&["https://search.example.com/", "newsletter", "a friend"]),
            "device": { "id": self.uuid(), "os": self.of(&["ios", "android", "windows"]), "version": format!("{}.{}.{}", self.0.below(20), self.0.below(9), self.0.below(9)) },
        })
    }

    fn message(&mut self) -> Value {
        let (first, last, _) = self.person();
        json!({
            "ticket": { "id": 200_000 + self.0.below(99_999), "subject": self.of(&["Where is my parcel?", "Wrong size", "Refund for two cups", "Cannot sign in"]),
                "state": self.of(&["new", "open", "solved", "on hold"]), "priority": self.of(&["low", "normal", "urgent"]), "queue": self.of(&["support", "billing", "returns"]) },
            "from": { "name": format!("{first} {last}"), "verified": true },
            "text": format!("Hello, I ordered {} a week ago and {}. Best regards, {first}", self.of(PRODUCTS), self.of(NOTES)),
            "attachments": [{ "name": format!("IMG_{}.jpeg", self.digits(4)), "size": self.0.below(4_000_000), "mime": "image/jpeg" }],
            "received_at": self.time(), "language": "en", "sentiment": self.of(&["neutral", "angry", "happy"]),
        })
    }
}

/// One of five kinds.
pub(crate) fn body(n: usize, random: &mut Random) -> Value {
    let mut maker = Maker(random);
    match n % 5 {
        0 => maker.order(),
        1 => maker.payment(),
        2 => maker.hook(),
        3 => maker.profile(),
        _ => maker.message(),
    }
}
