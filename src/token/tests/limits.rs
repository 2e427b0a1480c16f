//! Floods.

use super::*;

fn forged(key: &TokenKey, n: usize) -> String {
    mint(key, &ten_minutes().id(n.to_string()))
}

#[test]
fn a_flood_costs_so_many_checks_a_second() {
    let (key, bad) = (
        ed25519("e"),
        TokenKey::ed25519_private("e", &OTHER).unwrap(),
    );
    let tokens = Tokens::new([key.public().unwrap()]).bad_signatures_per_second(20);
    let token = [mint(&key, &ten_minutes())];
    let from = |n: u8| request().client([192, 0, 2, n].into());
    assert!(check_at(&tokens, &token, &from(9), 0).is_ok());
    for second in 1..4 {
        let outcomes =
            (0..100).map(|n| check_at(&tokens, &[forged(&bad, n)], &from(1), second).unwrap_err());
        let checked = outcomes.filter(|why| *why == Refusal::Signature).count();
        assert_eq!(checked, 10, "half of it for one address");
        // One that is known is accepted all the time, also from that address.
        assert!(check_at(&tokens, &token, &from(1), second).is_ok());
        // A new one from elsewhere is, too.
        let new = key
            .mint_at(&ten_minutes(), at(NOW + second as u64))
            .unwrap();
        assert!(check_at(&tokens, &[new], &from(2), second).is_ok());
    }
}

#[test]
fn good_ones_do_not_count() {
    let key = ed25519("e");
    let tokens = Tokens::new([key.public().unwrap()]).bad_signatures_per_second(1);
    for n in 0..50 {
        let token = mint(&key, &ten_minutes().id(n.to_string()));
        assert!(check(&tokens, token).is_ok(), "{n}");
    }
    // Good signatures under claims that are none do.
    let expired = Claims::new(Duration::from_secs(60)).id("expired");
    let expired = [key.mint_at(&expired, at(NOW - 600)).unwrap()];
    let mut outcomes = Vec::new();
    for _ in 0..3 {
        outcomes.push(check_at(&tokens, &expired, &request(), 0));
    }
    assert_eq!(outcomes[0], Err(Refusal::Expired));
    assert_eq!(
        outcomes[1..],
        [Err(Refusal::Limited), Err(Refusal::Limited)]
    );
    assert_eq!(
        check_at(&tokens, &expired, &request(), 1),
        Err(Refusal::Expired)
    );
}

#[test]
fn what_is_cheap_to_refuse_is_not_limited() {
    let tokens = Tokens::new([hs256("h")]).bad_signatures_per_second(0);
    let token = mint(&hs256("h"), &ten_minutes());
    assert_eq!(check(&tokens, &token), Err(Refusal::Limited));
    assert_eq!(check(&tokens, "garbage"), Err(Refusal::Malformed));
    let other = mint(&hs256("other"), &ten_minutes());
    assert_eq!(check(&tokens, other), Err(Refusal::Key));
}

#[test]
fn all_that_came_is_counted() {
    let tokens = Tokens::new([hs256("h")]);
    let request = request();
    let good = mint(&hs256("h"), &ten_minutes());
    let arrival = request.arrival();
    for value in [good.as_str(), "a.b.c", "garbage", &"a".repeat(3000)] {
        let accepted = tokens.accept(&headers(&[value]), &arrival);
        assert_eq!(accepted.is_some_and(|a| a.is_ok()), value == good);
    }
    assert!(tokens.accept(&HeaderMap::new(), &arrival).is_none());
    let status = tokens.clone().status();
    assert_eq!(status.accepted, 1);
    let refused: Vec<_> = status.refused.into_iter().collect();
    assert_eq!(refused, [(Refusal::Oversized, 1), (Refusal::Malformed, 2)]);
}
