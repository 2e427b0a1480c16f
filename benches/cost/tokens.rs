//! The cost of a token: a request that carries one through a layer that accepts tokens, compared
//! with a request without one.

use crate::{Case, rules::through, setup::Op};
use dashcam::{
    selection::{Budget, Steering},
    token::{Claims, TokenKey, Tokens},
    verbose::VerboseLayer,
};
use std::time::Duration;

pub(crate) fn cases() -> Vec<Case> {
    macro_rules! cases {
        ($($name:literal => $run:expr,)*) => { vec![$(Case { name: $name, run: $run },)*] };
    }
    cases! {
        "tokens/not used" => |go| through(&VerboseLayer::new(), None, None, go),
        "tokens/no header" => |go| requests(&key(true, 1), u32::MAX, None, go),
        "tokens/garbage" => |go| requests(&key(true, 1), u32::MAX, Some("garbage"), go),
        "tokens/too long" => |go| requests(&key(true, 1), u32::MAX, Some(&"a".repeat(4096)), go),
        "tokens/of a key that is not known" => |go| {
            let token = mint(&TokenKey::hs256("other", &[1; 32]).unwrap());
            requests(&key(true, 1), u32::MAX, Some(&token), go);
        },
        "tokens/forged HS256" => |go| {
            requests(&key(false, 1), u32::MAX, Some(&mint(&key(false, 2))), go);
        },
        "tokens/forged Ed25519" => |go| {
            requests(&key(true, 1), u32::MAX, Some(&mint(&key(true, 2))), go);
        },
        "tokens/forged, over the limit" => |go| {
            requests(&key(true, 1), 0, Some(&mint(&key(true, 2))), go);
        },
        "tokens/good, and known" => |go| {
            requests(&key(true, 1), u32::MAX, Some(&mint(&key(true, 1))), go);
        },
    }
}

fn key(is_ed25519: bool, byte: u8) -> TokenKey {
    if is_ed25519 {
        TokenKey::ed25519_private("key", &[byte; 32]).unwrap()
    } else {
        TokenKey::hs256("key", &[byte; 32]).unwrap()
    }
}

fn mint(key: &TokenKey) -> String {
    let claims = Claims::new(Duration::from_secs(3000)).subject("alice");
    key.mint(&claims.verbose("info,orders=trace").unwrap())
        .unwrap()
}

fn requests(key: &TokenKey, limit: u32, asks: Option<&str>, go: Op<'_>) {
    let key = key.public().unwrap_or_else(|| key.clone());
    let tokens = Tokens::new([key]).bad_signatures_per_second(limit);
    let steering = Steering::with(Budget::unlimited(), *b"dashcam-sample-1");
    let layer = VerboseLayer::new().steering(steering).tokens(tokens);
    through(&layer, None, asks, go);
}
