use super::{
    Refusal, Tokens,
    jws::{Compact, MAX_LEN},
    object::read,
    payload::{Audience, Inbound},
    verified::Verified,
};
use crate::selection::{Arrival, Described, Rules, Warning};
use serde_json::{Value, json};
use std::time::SystemTime;

/// The claims of a token, and whether services would accept it; from [`Tokens::inspect`].
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Inspected {
    /// Why the token would be refused; `None` if it would be accepted.
    pub refused: Option<Refusal>,
    /// The ID of the key that signed it. Without one nothing below is known.
    pub key: Option<String>,
    /// The known claims, as the token has them: `sub`, `jti`, `aud`, `nbf`, `exp` and
    /// `dashcam`.
    pub claims: Option<Value>,
    /// When it begins, if it has such a claim.
    pub begins: Option<SystemTime>,
    /// When it ends.
    pub ends: Option<SystemTime>,
    /// What keeps it from showing anything, as [`Claims::check`](super::Claims::check) finds.
    pub warnings: Vec<Warning>,
}

impl Tokens {
    /// Returns the claims of a token, and whether it would be accepted for this request at this
    /// time. The token is neither counted nor used up.
    ///
    /// It does not check uses, floods and networks, which only a running service knows. It
    /// checks the conditions only if there is a request, and the audience only if a
    /// [`service`](Self::service) is set.
    #[must_use]
    pub fn inspect(&self, token: &str, request: Option<&Described>, now: SystemTime) -> Inspected {
        let mut inspected = Inspected::default();
        let arrival = request.map(Described::arrival);
        let looked = self.look(token, arrival.as_ref(), now, &mut inspected);
        inspected.refused = looked.err();
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
        inspected.warnings = Rules::new([verified.rule().clone()]).check(now);
        inspected.warnings.retain(Warning::is_of_every_request);
        verified.is_in_time(self.max_lifetime, self.skew, now)?;
        match arrival {
            Some(arrival) => verified.is_for(arrival),
            None => Ok(()),
        }
    }
}

/// The known claims; others may be anything.
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
