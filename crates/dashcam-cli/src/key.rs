//! `dashcam key`.

use super::{
    Answer, Failure, Output, args::NewPseudonymKeyArgs, output::create_private, text::Plain,
};
use jiff::Timestamp;
use serde_json::json;
use std::{fmt::Write, path::absolute, time::SystemTime};

pub(super) fn new(args: &NewPseudonymKeyArgs, out: &mut Output) -> Result<Answer, Failure> {
    let mut key = [0_u8; 32];
    getrandom::fill(&mut key)
        .map_err(|_| Failure::cannot("the operating system provides no random bytes"))?;
    let mut text = String::new();
    for byte in key {
        let _ = write!(text, "{byte:02x}");
    }
    create_private(&args.out, &text)?;
    // A new key needs a new name; one per day is enough.
    let now = Timestamp::try_from(SystemTime::now()).unwrap_or(Timestamp::UNIX_EPOCH);
    let id = now.strftime("%Y-%m-%d").to_string();
    let file = absolute(&args.out).unwrap_or_else(|_| args.out.clone());
    let file = file.display().to_string();
    if out.is_json() {
        out.json(&json!({ "id": id, "file": file }))?;
        return Ok(Answer::Yes);
    }
    // TOML strings have the escapes of JSON.
    out.line(format_args!("[key]"))?;
    out.line(format_args!("id = {}", json!(id)))?;
    out.line(format_args!("file = {}", Plain(&json!(file).to_string())))?;
    Ok(Answer::Yes)
}
