use super::{
    Refusal, Tokens,
    jws::{Compact, MAX_LEN},
    object::read,
    payload::{Audience, Inbound},
    verified::Verified,
};
use crate::selection::Arrival;
use serde_json::{Value, json};
use std::time::SystemTime;

/// What somebody may know of a token who has it and the keys.
#[derive(Debug, Default)]
pub(crate) struct Inspected {
    /// The ID of the key whose signature it has.
    pub(crate) key: Option<String>,
    /// What it says, once the signature was found good.
    pub(crate) claims: Option<Value>,
    pub(crate) begins: Option<SystemTime>,
    pub(crate) ends: Option<SystemTime>,
    /// The rule that says the same, where it is understood.
    pub(crate) verified: Option<Verified>,
    pub(crate) refused: Option<Refusal>,
}

impl Tokens {
    /// Looks at a token as [`accept`](Self::accept) does, but for what only a running
    /// service knows: uses, floods, networks. Where no request is given, or no name of a
    /// service, nobody asks whether it is for that one.
    pub(crate) fn inspect(
        &self,
        token: &str,
        arrival: Option<&Arrival<'_>>,
        now: SystemTime,
    ) -> Inspected {
        let mut inspected = Inspected::default();
        inspected.refused = self.look(token, arrival, now, &mut inspected).err();
        inspected
    }

    fn look(
        &self,
        token: &str,
        arrival: Option<&Arrival<'_>>,
        now: SystemTime,
        inspected: &mut Inspected,
    ) -> Result<(), Refusal> {
        if token.len() > MAX_LEN {
            return Err(Refusal::Oversized);
        }
        let compact = Compact::split(token).ok_or(Refusal::Malformed)?;
        let key = compact.key(&self.keys)?;
        let payload = compact.verified(key)?;
        inspected.key = Some(key.id().to_owned());
        let claims: Inbound = read(&payload).ok_or(Refusal::Claims)?;
        inspected.claims = Some(said(&claims));
        inspected.begins = claims.nbf.and_then(super::verified::time);
        inspected.ends = claims.exp.and_then(super::verified::time);
        if self.service.is_some() {
            self.is_meant(claims.aud.as_ref())?;
        }
        let verified = Verified::new(claims, b"", key.is_for_calls_only())?;
        let verified = inspected.verified.insert(verified);
        verified.is_in_time(self.max_lifetime, self.skew, now)?;
        match arrival {
            Some(arrival) => verified.is_for(arrival),
            None => Ok(()),
        }
    }
}

/// The claims that are looked at; others may be anything.
fn said(claims: &Inbound) -> Value {
    let audience = claims.aud.as_ref().map(|audience| match audience {
        Audience::One(one) => json!(one),
        Audience::Some(some) => json!(some),
    });
    let mut said = json!({
        "sub": claims.sub,
        "jti": claims.jti,
        "aud": audience,
        "nbf": claims.nbf,
        "exp": claims.exp,
        "dashcam": claims.dashcam,
    });
    if let Some(said) = said.as_object_mut() {
        said.retain(|_, value| !value.is_null());
    }
    said
}
