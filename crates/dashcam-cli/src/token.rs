//! `dashcam token`.

use super::{
    Answer, Failure, Output,
    args::{KeyArgs, MintArgs, NewKeyArgs},
    input,
    output::create_private,
    text::Plain,
};
use dashcam::token::{Claims, TokenKey};
use serde_json::json;
use std::{path::Path, time::Duration};

/// The limit of a key file.
const MAX_KIB: u64 = 64;

/// The request header that carries the token.
pub(super) const HEADER: &str = "x-dashcam-verbose";

/// The longest lifetime that services accept by default.
const USUAL: Duration = Duration::from_secs(3600);

pub(super) fn new_key(args: &NewKeyArgs, out: &mut Output) -> Result<Answer, Failure> {
    let key = if args.hs256 {
        TokenKey::generate_hs256(&args.id)
    } else {
        TokenKey::generate_ed25519(&args.id)
    };
    let key = key.map_err(|error| Failure::cannot(error.to_string()))?;
    create_private(&args.file, &key.to_jwk())?;
    public(&key, &args.file, out)
}

pub(super) fn public_key(args: &KeyArgs, out: &mut Output) -> Result<Answer, Failure> {
    public(&read(&args.file)?, &args.file, out)
}

/// Prints the public half; a JSON Web Key is JSON with and without `--json`.
fn public(key: &TokenKey, file: &Path, out: &mut Output) -> Result<Answer, Failure> {
    match key.public() {
        Some(public) => out.line(format_args!("{}", public.to_jwk()))?,
        None => out.note(&format!(
            "an HS256 key has no public half: services need {} itself, and can create tokens with it",
            file.display()
        )),
    }
    Ok(Answer::Yes)
}

pub(super) fn read(file: &Path) -> Result<TokenKey, Failure> {
    let name = file.display();
    let text = input::file(file, MAX_KIB)
        .map_err(|error| Failure::cannot(format!("cannot read {name}: {error}")))?;
    TokenKey::from_jwk(text.trim()).map_err(|error| Failure::cannot(format!("{name}: {error}")))
}

pub(super) fn mint(args: &MintArgs, out: &mut Output) -> Result<Answer, Failure> {
    let key = read(&args.file)?;
    if !key.can_mint() {
        let name = args.file.display();
        let why =
            format!("{name} is the public half of a key; use the private half to create tokens");
        return Err(Failure::cannot(why));
    }
    let when = args.when.when();
    let when = when.map_err(|error| Failure::cannot(format!("--path: {error}")))?;
    let mut claims = Claims::new(args.lifetime).when(when);
    if let Some(who) = &args.subject {
        claims = claims.subject(who);
    }
    if let Some(service) = &args.audience {
        claims = claims.audience(service);
    }
    if let Some(levels) = &args.verbose {
        claims = claims
            .verbose(levels)
            .map_err(|error| Failure::cannot(format!("--verbose: {error}")))?;
    }
    if args.record {
        claims = claims.record_only();
    }
    if let Some(uses) = args.uses {
        claims = claims.uses(uses.get());
    }
    for warning in claims.check() {
        out.note(&warning.text);
    }
    if args.lifetime > USUAL {
        out.note(
            "services refuse tokens that last longer than an hour, unless they set `max_lifetime`",
        );
    }
    let token = key
        .mint(&claims)
        .map_err(|error| Failure::cannot(error.to_string()))?;
    if out.is_json() {
        out.json(&json!({ "header": HEADER, "token": token }))?;
    } else {
        out.line(format_args!("{}", Plain(&token)))?;
    }
    Ok(Answer::Yes)
}
