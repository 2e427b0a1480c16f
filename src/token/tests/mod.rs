//! Tokens at moments that the tests choose.

mod hostile;
mod limits;
mod vectors;

use super::{Claims, Refusal, TokenKey, Tokens, tokens::Moment};
use crate::selection::{Described, VERBOSE_HEADER, When};
use http::{HeaderMap, HeaderValue, Method};
use std::time::{Duration, SystemTime};

const SECRET: [u8; 32] = *b"an HS256 secret of 32 characters";
const OTHER: [u8; 32] = *b"the secret that a stranger makes";

fn at(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
}

/// When these tests are.
const NOW: u64 = 1_800_000_000;

fn hs256(id: &str) -> TokenKey {
    TokenKey::hs256(id, &SECRET).unwrap()
}

fn ed25519(id: &str) -> TokenKey {
    TokenKey::ed25519_private(id, &SECRET).unwrap()
}

fn ten_minutes() -> Claims {
    Claims::new(Duration::from_secs(600)).subject("alice")
}

fn mint(key: &TokenKey, claims: &Claims) -> String {
    key.mint_at(claims, at(NOW)).unwrap()
}

/// `POST /orders/7` of the route `/orders/{id}`.
fn request() -> Described {
    Described::new(Method::POST, "/orders/7".parse().unwrap())
        .route("/orders/{id}")
        .correlation_id("here")
        .at(at(NOW))
}

fn headers<V: AsRef<[u8]>>(values: &[V]) -> HeaderMap {
    let values = values.iter().filter_map(|value| {
        let value = HeaderValue::from_bytes(value.as_ref()).ok()?;
        Some((VERBOSE_HEADER, value))
    });
    HeaderMap::from_iter(values)
}

/// What is made of these headers so many seconds after `NOW`.
fn check_at<V: AsRef<[u8]>>(
    tokens: &Tokens,
    values: &[V],
    request: &Described,
    after: i64,
) -> Result<String, Refusal> {
    let now = Moment {
        time: at(NOW.checked_add_signed(after).unwrap()),
        second: u32::try_from(after + 10_000).unwrap(),
    };
    let verified = tokens.check(&headers(values), &request.arrival(), now);
    verified.map(|verified| verified.rule().name().to_owned())
}

fn check(tokens: &Tokens, token: impl AsRef<[u8]>) -> Result<String, Refusal> {
    check_at(tokens, &[token], &request(), 0)
}

#[test]
fn both_kinds_of_keys() {
    let private = ed25519("e");
    for (minting, verifying) in [
        (hs256("h"), hs256("h")),
        (private.clone(), private.public().unwrap()),
        (private.clone(), private),
    ] {
        let tokens = Tokens::new([verifying]);
        let token = mint(&minting, &ten_minutes());
        for _ in 0..3 {
            assert_eq!(check(&tokens, &token), Ok("token:alice".to_owned()));
        }
    }
}

#[test]
fn time() {
    let tokens = Tokens::new([hs256("h")]).clock_skew(Duration::from_secs(10));
    let claims = ten_minutes().not_before(at(NOW + 100));
    let token = [mint(&hs256("h"), &claims)];
    let check = |after| check_at(&tokens, &token, &request(), after);
    assert_eq!(check(89), Err(Refusal::NotYet));
    assert!(check(90).is_ok());
    assert!(check(609).is_ok());
    // What it selects in that time is verbose to the end of it.
    let late = request().at(at(NOW + 605));
    let accepted = tokens.accept(&headers(&token), &late.arrival());
    assert_eq!(accepted.unwrap().unwrap().until(), Some(at(NOW + 610)));
    // It is known by now, and ends all the same.
    assert_eq!(check(610), Err(Refusal::Expired));
    assert_eq!(check(60_000), Err(Refusal::Expired));
    // A clock that is set back does not lengthen it.
    assert_eq!(check(-3000), Err(Refusal::NotYet));
    assert_eq!(check(-3011), Err(Refusal::Lifetime));
    let wide = Tokens::new([hs256("h")]).clock_skew(Duration::from_secs(100_000));
    assert_eq!(
        check_at(&wide, &token, &request(), 900),
        Err(Refusal::Expired)
    );
}

#[test]
fn lifetime() {
    let hour = Duration::from_secs(3600);
    for (lifetime, skew, max, good) in [
        (3600, 0, hour, true),
        (3601, 0, hour, false),
        (3601, 1, hour, true),
        (3600, 0, hour / 2, false),
        (36_000, 0, hour * 10, true),
    ] {
        let tokens = Tokens::new([hs256("h")])
            .clock_skew(Duration::from_secs(skew))
            .max_lifetime(max);
        let token = mint(&hs256("h"), &Claims::new(Duration::from_secs(lifetime)));
        let expected = if good { Ok(()) } else { Err(Refusal::Lifetime) };
        assert_eq!(check(&tokens, token).map(drop), expected, "{lifetime}");
    }
}

#[test]
fn keys_are_exchanged() {
    let (old, new) = (hs256("old"), ed25519("new"));
    let both = Tokens::new([old.clone(), new.public().unwrap()]);
    assert!(check(&both, mint(&old, &ten_minutes())).is_ok());
    assert!(check(&both, mint(&new, &ten_minutes())).is_ok());
    let only_new = Tokens::new([new.public().unwrap()]);
    let token = mint(&old, &ten_minutes());
    assert_eq!(check(&only_new, &token), Err(Refusal::Key));
    assert_eq!(check(&Tokens::new([]), &token), Err(Refusal::Key));
}

#[test]
fn scope() {
    let tokens = Tokens::new([hs256("h")]);
    let for_these = |when| mint(&hs256("h"), &ten_minutes().when(when));
    let post = || When::new().method(Method::POST);
    for (when, good) in [
        (post().route("/orders/{id}"), true),
        (post().path("/orders/*").unwrap(), true),
        (When::new().method(Method::GET), false),
        (post().route("/orders"), false),
        (post().path("/orders").unwrap(), false),
        (When::new().not(post()), false),
    ] {
        let expected = if good { Ok(()) } else { Err(Refusal::Scope) };
        let token = for_these(when.clone());
        assert_eq!(check(&tokens, token).map(drop), expected, "{when:?}");
    }
    let waits = ten_minutes().when(When::new().fact("tenant", "acme"));
    assert!(hs256("h").mint(&waits).is_err(), "no token waits for facts");
}

#[test]
fn audience() {
    let key = hs256("h");
    let token = mint(&key, &ten_minutes().audience("orders"));
    let named = |name: &str| Tokens::new([hs256("h")]).service(name);
    assert!(check(&named("orders"), &token).is_ok());
    assert_eq!(check(&named("stock"), &token), Err(Refusal::Audience));
    let nameless = Tokens::new([hs256("h")]);
    assert_eq!(check(&nameless, &token), Err(Refusal::Audience));
    // Also where a clone for another service knows the token already.
    let orders = named("orders");
    assert!(check(&orders, &token).is_ok());
    assert_eq!(
        check(&orders.service("stock"), &token),
        Err(Refusal::Audience)
    );
    assert!(check(&named("stock"), mint(&key, &ten_minutes())).is_ok());
    let list = r#"{"exp":1800000600,"aud":["stock","orders"],"dashcam":{}}"#;
    let list = key.sign(list.as_bytes()).unwrap();
    assert!(check(&named("stock"), &list).is_ok());
    assert_eq!(check(&named("other"), &list), Err(Refusal::Audience));
    // Two services in one process, which share what is known.
    let orders = named("orders");
    let stock = orders.clone().service("stock");
    assert!(check(&orders, &token).is_ok());
    assert_eq!(check(&stock, &token), Err(Refusal::Audience));
    assert!(check(&orders, &token).is_ok());
}

#[test]
fn uses_are_counted_by_the_name_of_the_token() {
    let key = hs256("h");
    let tokens = Tokens::new([key.clone(), ed25519("e")]);
    let twice = |name: &str| ten_minutes().uses(2).id(name);
    let token = mint(&key, &twice("a"));
    assert!(check(&tokens, &token).is_ok() && check(&tokens, &token).is_ok());
    assert_eq!(check(&tokens, &token), Err(Refusal::Uses));
    // Minted anew, the same name is the same token; of another key it is not.
    let again = key.mint_at(&twice("a").subject("bob"), at(NOW + 1));
    assert_eq!(check(&tokens, again.unwrap()), Err(Refusal::Uses));
    assert!(check(&tokens, mint(&ed25519("e"), &twice("a"))).is_ok());
    assert!(check(&tokens, mint(&key, &twice("b"))).is_ok());
    // Clones of the settings, and so all layers of a service, count together.
    assert_eq!(check(&tokens.clone(), &token), Err(Refusal::Uses));
    // Without a name it is what was signed.
    let nameless = br#"{"exp":1800000600,"dashcam":{"uses":1}}"#;
    let nameless = key.sign(nameless).unwrap();
    assert!(check(&tokens, &nameless).is_ok());
    assert_eq!(check(&tokens, &nameless), Err(Refusal::Uses));
    // A request that it is not for does not use it.
    let get = ten_minutes().uses(1).when(When::new().method(Method::GET));
    let get = mint(&key, &get);
    assert_eq!(check(&tokens, &get), Err(Refusal::Scope));
    let request = Described::new(Method::GET, "/".parse().unwrap()).at(at(NOW));
    assert!(check_at(&tokens, &[get], &request, 0).is_ok());
}

#[test]
fn for_one_request() {
    let here = crate::id::CorrelationId::new("here").unwrap();
    let key = ed25519("e");
    let bound = mint(&key, &ten_minutes().for_request(&here));
    let tokens = Tokens::new([key.public().unwrap()]);
    assert!(check(&tokens, &bound).is_ok());
    let elsewhere = request().correlation_id("there");
    assert_eq!(
        check_at(&tokens, &[&bound], &elsewhere, 0),
        Err(Refusal::Request)
    );
    let calls_only = Tokens::new([key.public().unwrap().for_calls_only()]);
    assert!(check(&calls_only, &bound).is_ok());
    let free = mint(&key, &ten_minutes());
    assert_eq!(check(&calls_only, &free), Err(Refusal::Request));
    assert!(key.for_calls_only().mint(&ten_minutes()).is_err());
}

#[test]
fn networks_of_clients() {
    let tokens = Tokens::new([hs256("h")]);
    assert!(tokens.clone().clients(["10.0.0.1/8"]).is_err());
    let tokens = tokens.clients(["10.0.0.0/8"]).unwrap();
    let token = [mint(&hs256("h"), &ten_minutes())];
    let from = |address: [u8; 4]| check_at(&tokens, &token, &request().client(address.into()), 0);
    assert!(from([10, 1, 2, 3]).is_ok());
    assert_eq!(from([192, 0, 2, 1]), Err(Refusal::Client));
    assert_eq!(check(&tokens, &token[0]), Err(Refusal::Client), "unknown");
}

#[test]
fn what_somebody_may_know_of_a_token() {
    let claims = ten_minutes()
        .audience("orders")
        .when(When::new().route("/orders/{id}"))
        .uses(1);
    let token = mint(&hs256("h"), &claims);
    let tokens = Tokens::new([hs256("h")]);
    let pay = Described::new(Method::POST, "/pay".parse().unwrap()).route("/pay");
    // As often as wanted: nothing is used up, and nobody asks for the service.
    for (request, refused) in [
        (None, None),
        (Some(&request()), None),
        (Some(&pay), Some(Refusal::Scope)),
    ] {
        let inspected = tokens.inspect(&token, request, at(NOW));
        assert_eq!(inspected.refused, refused);
        assert_eq!(inspected.key.as_deref(), Some("h"));
        assert_eq!(inspected.claims.unwrap()["sub"], "alice");
        assert_eq!(inspected.ends, Some(at(NOW + 600)));
        assert!(inspected.warnings.is_empty());
    }
    let of = |tokens: &Tokens, after| tokens.inspect(&token, None, at(NOW + after)).refused;
    let pay = tokens.clone().service("pay");
    assert_eq!(of(&pay, 0), Some(Refusal::Audience));
    assert_eq!(of(&tokens, 3600), Some(Refusal::Expired));
    // Of what nobody with the key has made nothing is said.
    let stranger = Tokens::new([TokenKey::hs256("h", &OTHER).unwrap()]);
    let inspected = stranger.inspect(&token, None, at(NOW));
    assert_eq!(inspected.refused, Some(Refusal::Signature));
    assert!(inspected.key.is_none() && inspected.claims.is_none() && inspected.ends.is_none());
    assert_eq!(tokens.status().accepted, 0);
}
