//! What the service logs: values of the request, in typical ways.

use crate::leaks::{
    case::Plan,
    encode::{html, quote, urlencode},
};
use std::{error::Error, fmt, io};

#[derive(Debug)]
#[allow(dead_code)] // read by `Debug` alone
struct Login<'a> {
    user: &'a str,
    tries: Vec<Option<&'a str>>,
}

/// An error with a cause.
#[derive(Debug)]
struct Refused(io::Error);

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "refused: {}", self.0)
    }
}

impl Error for Refused {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.0)
    }
}

/// Repeats values in everything that is recorded.
pub(crate) fn say(plan: &Plan) {
    tracing::info!("all is recorded");
    let opened = plan.says.first().map(String::as_str).unwrap_or_default();
    let span = tracing::info_span!("work", opened, note = tracing::field::Empty);
    let _entered = span.enter();
    for (n, said) in plan.says.iter().enumerate() {
        // Not always the same for the first one.
        let turn = n + said.len();
        aloud(turn, said);
        tracing::debug!(text = said.as_str(), "debug <{said}>");
        quietly(turn, n, said);
        match turn % 3 {
            0 => drop(span.record("note", said.as_str())),
            1 => drop(span.record("note", tracing::field::debug(Some(said)))),
            _ => {}
        }
    }
    for said in &plan.says_in_debug {
        tracing::debug!(text = said.as_str(), "answering {said}");
        tracing::debug!(login = ?Login { user: said, tries: vec![Some(said)] }, "{}", urlencode(said, false));
    }
    for (n, value) in plan.fields.iter().enumerate() {
        let number = format!("{}{n}", crate::leaks::make::NUMBER)
            .parse::<u64>()
            .unwrap_or(0);
        tracing::info!(password = %value, user.api_key = value.as_str(), pin = number, "in a field");
        let _inner = tracing::info_span!("inner", access_token = value.as_str()).entered();
        tracing::info!(card_number = ?value, otp = -(number as i64), cvv = number as f64, "in a span");
        tracing::debug!("no field has {value}, {number}");
    }
}

/// On a line of the log.
fn aloud(turn: usize, said: &str) {
    match turn % 9 {
        0 => tracing::info!("got {said}, went on"),
        1 => tracing::info!(note = %said, wrapped = ?Some(said), "with fields"),
        2 => tracing::info!("body was {}", serde_json::json!({ "a": said })),
        3 => {
            let error = Refused(io::Error::other(format!("refused {said:?}")));
            tracing::warn!(error = &error as &dyn Error, "an error");
        }
        4 => tracing::info!(
            "by {:?}",
            Login {
                user: said,
                tries: vec![None, Some(said)]
            }
        ),
        5 => tracing::info!(
            "GET /x?a={}&b={}",
            urlencode(said, false),
            urlencode(said, true)
        ),
        6 => tracing::info!("as text {}", quote(&quote(said))),
        7 => tracing::info!("<td>{}</td>", html(said)),
        _ => tracing::info!(path = %all_percent_if_odd(said), "{said}|{said}"),
    }
}

fn all_percent_if_odd(said: &str) -> String {
    // Without encoding if none is needed.
    if said.bytes().all(|b| b.is_ascii_alphanumeric()) {
        said.to_owned()
    } else {
        urlencode(said, false).to_lowercase_digits()
    }
}

trait LowercaseDigits {
    fn to_lowercase_digits(&self) -> String;
}

impl LowercaseDigits for String {
    /// `%3f` for `%3F`.
    fn to_lowercase_digits(&self) -> String {
        let mut parts = self.split('%');
        let mut out = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let (digits, rest) = part.split_at(2);
            out.push_str(&format!("%{}{rest}", digits.to_lowercase()));
        }
        out
    }
}

/// In parts that only the exchange has.
fn quietly(turn: usize, n: usize, said: &str) {
    let current = dashcam::current().unwrap();
    match turn % 7 {
        0 => dashcam::decision!("chosen", by = %said),
        1 => current.fact(format!("fact{n}"), said),
        2 => dashcam::keep(format!("because {said}")),
        3 => current.fact("note", format!("{said:?}, {}", quote(said))),
        4 => current.fact("status", said),
        5 => tracing::error!(target: "other", "{said:#?} and {}", html(said)),
        _ => tracing::debug!(list = ?[said, "other"], "GET /x?a={}", urlencode(said, true)),
    }
}

/// The text of an error or a panic.
pub(crate) fn failure(plan: &Plan) -> String {
    let mut text = "planned: ".to_owned();
    for (n, said) in plan.says.iter().enumerate() {
        text.push_str(&match n % 4 {
            0 => format!("{said} and "),
            1 => format!("{said:?}; "),
            2 => format!("{}\n", quote(said)),
            _ => format!("[{}]", urlencode(said, false)),
        });
    }
    text
}
