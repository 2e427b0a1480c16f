use super::{Failure, input::standard_input};
use clap::{Parser, Subcommand};
use clap_complete::Shell;
use dashcam::{
    find::{Filter, InvalidFilter},
    redact::{Policy, PolicyError},
    selection::{RulesError, When},
};
use jiff::SignedDuration;
use std::{
    net::IpAddr,
    num::{NonZeroU32, NonZeroU64},
    path::PathBuf,
    time::Duration,
};

const CODES: &str = "\
Exit codes:
  0  yes: the command succeeded
  1  no: rules have an error, no rule selects the request, a token is refused, or nothing
     was found
  2  error: wrong usage, or a file that cannot be read

DIR is the service's directory of exchanges. Default: $DASHCAM_DIR, else ./dashcam.
Colours are off if NO_COLOR is set or the output is not a terminal.";

/// Reads the exchanges that dashcam keeps, and checks rules.
#[derive(Debug, Parser)]
#[command(name = "dashcam", version, after_help = CODES, max_term_width = 90)]
pub(super) struct Args {
    /// Print JSON, one object per line.
    #[arg(long, global = true)]
    pub(super) json: bool,

    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List kept exchanges, oldest first.
    #[command(after_help = LS)]
    Ls(ListArgs),
    /// List the newest exchanges, and follow new ones until Ctrl-C.
    Tail(ListArgs),
    /// Group kept failures by signature, most frequent first.
    #[command(after_help = TOP)]
    Top(TopArgs),
    /// Show an exchange in full.
    #[command(after_help = SHOW)]
    Show(ShowArgs),
    /// Write exchanges in a format for other tools.
    #[command(after_help = EXPORT, override_usage = "dashcam export <--har|--curl> [OPTIONS] [DIR]")]
    Export(ExportArgs),
    /// Check, test and create rules for verbose requests.
    #[command(subcommand)]
    Rules(RulesCommand),
    /// Create a key for pseudonyms.
    #[command(subcommand)]
    Key(KeyCommand),
    /// Create and check tokens for verbose requests, and their keys.
    #[command(subcommand, after_help = TOKEN)]
    Token(TokenCommand),
    /// Print completions for a shell.
    #[command(after_help = COMPLETIONS)]
    Completions(CompletionsArgs),
    /// Print the manual page.
    #[command(after_help = MAN)]
    Man(ManArgs),
}

const COMPLETIONS: &str = "\
Examples:
  dashcam completions bash > ~/.local/share/bash-completion/completions/dashcam
  dashcam completions zsh > ~/.zfunc/_dashcam         with ~/.zfunc in fpath
  dashcam completions fish > ~/.config/fish/completions/dashcam.fish";

const MAN: &str = "\
Examples:
  dashcam man > dashcam.1
  dashcam man --out ~/.local/share/man/man1           one page per command";

#[derive(Debug, clap::Args)]
pub(super) struct CompletionsArgs {
    /// The shell.
    pub(super) shell: Shell,
}

#[derive(Debug, clap::Args)]
pub(super) struct ManArgs {
    /// Write this page and one page per command to a directory, which is created if missing.
    #[arg(long, value_name = "DIR")]
    pub(super) out: Option<PathBuf>,
}

const LS: &str = "\
Examples:
  dashcam ls --since 15m --status 5xx
  dashcam ls --since 2026-11-23T12:00:00Z --until 2026-11-23T12:10:00Z --method POST
  dashcam ls --route '/orders/*' --kept-for selected:acme-checkout /var/lib/orders/dashcam
  dashcam ls --fact tenant=acme --key-file /etc/orders/dashcam.key
  pass show customer-7 | dashcam ls --value - --key-file /etc/orders/dashcam.key

Exchanges have most values only as a keyed hash. With the service's key, the original value
finds them.";

const TOP: &str = "\
Examples:
  dashcam top --since 1h
  dashcam top --since 1h --method POST --route /orders

Failures with the same signature share route, method, outcome, status (or gRPC code), and
the location of the panic or of the first event at ERROR. If there are many, dashcam keeps
some and counts the others. COUNTED has their number up to the last kept one; + means that
more may have been counted since.";

const SHOW: &str = "\
Examples:
  dashcam show 01a20747-b884        by the first characters of an ID or correlation ID
  dashcam show last                 the newest exchange
  dashcam show --json last | jq .request.headers";

const EXPORT: &str = "\
Examples:
  dashcam export --har --since 1h > orders.har
  dashcam export --curl --id 01a20747-b884 --base http://127.0.0.1:3000";

#[derive(Default, Debug, clap::Args)]
pub(super) struct FilterArgs {
    /// Only since a time (2026-11-23T12:00:00Z) or an age (15m, 2h, 7d).
    #[arg(long, value_name = "WHEN", value_parser = condition("since"))]
    since: Option<String>,
    /// Only before a time, or older than an age.
    #[arg(long, value_name = "WHEN", value_parser = condition("until"))]
    until: Option<String>,
    /// Only this method.
    #[arg(long)]
    method: Vec<String>,
    /// Only this route, or routes and paths that match a pattern (/orders/*).
    #[arg(long, value_parser = condition("route"))]
    route: Vec<String>,
    /// Only this status (502) or class (5xx), or `none` for no response.
    #[arg(long, value_parser = condition("status"))]
    status: Vec<String>,
    /// Only this outcome: completed, failed, panicked, body_error, abandoned, open.
    #[arg(long, value_parser = condition("outcome"))]
    outcome: Vec<String>,
    /// Only this correlation ID.
    #[arg(long, value_name = "ID")]
    correlation_id: Vec<String>,
    /// Only this keep reason: outcome, request_body, slow, error_event, baseline,
    /// caller, interim, asked[:WHY], condition[:WHY], selected[:RULE].
    #[arg(long, value_name = "REASON", value_parser = condition("kept_for"))]
    kept_for: Vec<String>,
    /// Only with this fact, which the service stated.
    #[arg(long, value_name = "NAME=VALUE", value_parser = condition("fact"))]
    fact: Vec<String>,
    /// Only with this header in the request or the response. For credentials, VALUE is the
    /// part after the scheme.
    #[arg(long, value_name = "NAME:VALUE", value_parser = condition("header"))]
    header: Vec<String>,
    /// Only with this value, in any place. `-` reads it from standard input, which keeps it
    /// out of the shell's history.
    #[arg(long)]
    value: Vec<String>,
    /// The file of the service's key for pseudonyms, to find hidden values.
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
    /// The scope of the key in the service's policy.
    #[arg(long, requires = "key_file")]
    scope: Option<String>,
}

/// Accepts the values of the condition of this name.
fn condition(name: &'static str) -> impl Fn(&str) -> Result<String, InvalidFilter> + Clone {
    move |value| {
        Filter::new().add(name, value)?;
        Ok(value.to_owned())
    }
}

impl FilterArgs {
    /// The filter of all arguments. Reads the key, and a value from standard input.
    pub(super) fn filter(&self) -> Result<Filter, Failure> {
        let mut filter = self.times()?;
        for (name, values) in [
            ("method", &self.method),
            ("route", &self.route),
            ("status", &self.status),
            ("outcome", &self.outcome),
            ("kept_for", &self.kept_for),
            ("fact", &self.fact),
            ("header", &self.header),
        ] {
            for value in values {
                add(&mut filter, name, value)?;
            }
        }
        for id in &self.correlation_id {
            // A pasted ID may have blanks around it; no ID has any.
            add(&mut filter, "correlation_id", id.trim())?;
        }
        for value in &self.value {
            match value.as_str() {
                "-" => add(&mut filter, "value", &standard_input()?)?,
                value => add(&mut filter, "value", value)?,
            }
        }
        if let Some(file) = &self.key_file {
            let cannot = |error: PolicyError| Failure::cannot(error.to_string());
            let policy = Policy::strict().with_key_file("--key-file", file);
            let mut policy = policy.map_err(cannot)?;
            if let Some(scope) = &self.scope {
                policy = policy.with_scope(scope);
            }
            filter.key(&policy).map_err(cannot)?;
        }
        Ok(filter)
    }

    /// The filter of the times only.
    pub(super) fn times(&self) -> Result<Filter, Failure> {
        let mut filter = Filter::new();
        for (name, time) in [("since", &self.since), ("until", &self.until)] {
            if let Some(time) = time {
                add(&mut filter, name, time)?;
            }
        }
        Ok(filter)
    }

    /// Whether it asks for requests that are not kept by default.
    pub(super) fn asks_for_healthy(&self) -> bool {
        let healthy = |status: &String| status.starts_with(['1', '2', '3', '4']);
        self.status.iter().any(healthy) || self.outcome.iter().any(|is| is == "completed")
    }

    /// Whether it depends on how exchanges have a value.
    pub(super) fn asks_for_values(&self) -> bool {
        !(self.fact.is_empty() && self.header.is_empty() && self.value.is_empty())
    }

    pub(super) fn asks_for_an_id(&self) -> bool {
        !self.correlation_id.is_empty()
    }

    pub(super) fn has_key(&self) -> bool {
        self.key_file.is_some()
    }
}

fn add(filter: &mut Filter, name: &str, value: &str) -> Result<(), Failure> {
    let added = filter.add(name, value);
    added.map_err(|error| Failure::cannot(format!("--{name}: {error}")))
}

#[derive(Debug, clap::Args)]
pub(super) struct ListArgs {
    /// A directory of exchanges, or one of its files.
    #[arg(value_name = "DIR")]
    pub(super) path: Option<PathBuf>,
    /// Only the newest N exchanges [default: all; tail: 10].
    #[arg(short = 'n', long, value_name = "N")]
    pub(super) newest: Option<usize>,
    #[command(flatten)]
    pub(super) filter: FilterArgs,
}

#[derive(Debug, clap::Args)]
pub(super) struct TopArgs {
    /// A directory of exchanges, or one of its files.
    #[arg(value_name = "DIR")]
    pub(super) path: Option<PathBuf>,
    /// Only the N most frequent signatures [default: all].
    #[arg(short = 'n', long, value_name = "N")]
    pub(super) most: Option<usize>,
    #[command(flatten)]
    pub(super) filter: FilterArgs,
}

#[derive(Debug, clap::Args)]
pub(super) struct ShowArgs {
    /// The first characters of an ID or correlation ID, else of a trace ID; or `last`.
    pub(super) id: String,
    /// A directory of exchanges, or one of its files.
    #[arg(value_name = "DIR")]
    pub(super) path: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
#[group(id = "format", required = true, multiple = false, args = ["har", "curl"])]
pub(super) struct ExportArgs {
    /// Write HTTP Archive 1.2, one document.
    #[arg(long)]
    pub(super) har: bool,
    /// Write curl commands that send the redacted requests again.
    #[arg(long)]
    pub(super) curl: bool,
    /// Only an ID or correlation ID, else a trace ID, with these first characters; `last` is
    /// the newest exchange.
    #[arg(long)]
    pub(super) id: Option<String>,
    /// The URL to which curl sends the requests.
    #[arg(long, value_name = "URL", requires = "curl")]
    pub(super) base: Option<String>,
    /// A directory of exchanges, or one of its files.
    #[arg(value_name = "DIR")]
    pub(super) path: Option<PathBuf>,
    #[command(flatten)]
    pub(super) filter: FilterArgs,
}

#[derive(Debug, Subcommand)]
pub(super) enum RulesCommand {
    /// Report errors in a rules file, and warn of rules that may not do what you mean.
    Check(CheckArgs),
    /// Show which rule of a file selects a request, and why the others do not.
    #[command(after_help = WHY)]
    Why(Box<WhyArgs>),
    /// Print a rule with an end, for a rules file or the admin router.
    #[command(after_help = NEW_RULE)]
    New(Box<NewRuleArgs>),
}

const NEW_RULE: &str = "\
Examples:
  dashcam rules new acme --for 10m --route '/orders/{id}' --fact tenant=acme >> rules.toml
  dashcam rules new acme --for 10m --fact tenant=acme --json | curl … -X PUT --data @- $A/rules

All conditions must hold. If a condition is repeated, one match is enough.";

#[derive(Debug, clap::Args)]
pub(super) struct NewRuleArgs {
    /// The name of the rule; exchanges and the status show it.
    pub(super) name: String,
    /// The time until the rule ends (10m, 2h, 1d).
    #[arg(long = "for", value_name = "TIME", value_parser = lifetime)]
    pub(super) lifetime: Duration,
    #[command(flatten)]
    pub(super) when: ConditionArgs,
    /// A header as NAME:VALUE; repeat for more. Clients control headers.
    #[arg(long, value_name = "NAME:VALUE", value_parser = header)]
    pub(super) header: Vec<(String, String)>,
    /// A query key as KEY=VALUE, not encoded; repeat for more.
    #[arg(long, value_name = "KEY=VALUE", value_parser = pair)]
    pub(super) query: Vec<(String, String)>,
    /// A fact that the service states, as NAME=VALUE; repeat for more.
    #[arg(long, value_name = "NAME=VALUE", value_parser = pair)]
    pub(super) fact: Vec<(String, String)>,
    /// The host, without its port; repeat for more.
    #[arg(long)]
    pub(super) host: Vec<String>,
    /// The network or address of the connection's peer; repeat for more.
    #[arg(long, value_name = "NETWORK", value_parser = network)]
    pub(super) client: Vec<String>,
    /// Only this share of the requests, in percent.
    #[arg(long, value_name = "N")]
    pub(super) percent: Option<f64>,
    /// The key of the sample: fact:NAME, header:NAME, client, correlation_id …
    #[arg(long, value_name = "KEY", requires = "percent")]
    pub(super) by: Option<String>,
    /// The levels to show: a level, or levels such as info,orders=trace [default: debug].
    #[arg(long, value_name = "LEVELS")]
    pub(super) verbose: Option<String>,
    /// Keep the exchange, but show nothing in the service's own output.
    #[arg(long)]
    pub(super) record: bool,
    /// Keep no bodies.
    #[arg(long)]
    pub(super) heads: bool,
    /// The maximum number of requests per second, on each instance.
    #[arg(long, value_name = "N")]
    pub(super) per_second: Option<NonZeroU32>,
    /// The maximum number of requests in all, on each instance.
    #[arg(long, value_name = "N")]
    pub(super) total: Option<NonZeroU64>,
}

/// The requests that a rule or a token selects.
#[derive(Debug, clap::Args)]
pub(super) struct ConditionArgs {
    /// Only this method; repeat for more.
    #[arg(long, value_parser = method)]
    pub(super) method: Vec<http::Method>,
    /// Only this route template, as the router writes it; repeat for more.
    #[arg(long)]
    pub(super) route: Vec<String>,
    /// Only paths that match this pattern, such as /orders/*; repeat for more.
    #[arg(long, value_name = "PATTERN", value_parser = pattern)]
    pub(super) path: Vec<String>,
}

impl ConditionArgs {
    pub(super) fn when(&self) -> Result<When, RulesError> {
        let mut when = When::new();
        for method in &self.method {
            when = when.method(method.clone());
        }
        for route in &self.route {
            when = when.route(route);
        }
        for path in &self.path {
            when = when.path(path)?;
        }
        Ok(when)
    }
}

const WHY: &str = "\
Example:
  dashcam rules why rules.toml --method POST --path /orders/7 --route '/orders/{id}' \
    --fact tenant=acme

Only the router knows the route of a path: without --route, no condition on a route holds.
This command ignores budgets and the switch.";

#[derive(Debug, clap::Args)]
pub(super) struct CheckArgs {
    /// TOML, or JSON where the name ends in .json.
    pub(super) file: PathBuf,
    /// Exit with 1 on warnings, too.
    #[arg(long)]
    pub(super) strict: bool,
}

#[derive(Debug, clap::Args)]
pub(super) struct WhyArgs {
    /// TOML, or JSON where the name ends in .json.
    pub(super) file: PathBuf,
    #[arg(long, default_value = "GET")]
    pub(super) method: String,
    /// The path, with or without its query, percent-encoded; or a URI with its host.
    #[arg(long)]
    pub(super) path: String,
    /// The route template, as the router writes it.
    #[arg(long)]
    pub(super) route: Option<String>,
    /// A header as NAME:VALUE; repeat for more.
    #[arg(long, value_name = "NAME:VALUE", value_parser = header)]
    pub(super) header: Vec<(String, String)>,
    /// A query key as KEY=VALUE, not encoded; repeat for more.
    #[arg(long, value_name = "KEY=VALUE", value_parser = pair)]
    pub(super) query: Vec<(String, String)>,
    /// A fact as NAME=VALUE; repeat for more. Other facts count as not stated yet.
    #[arg(long, value_name = "NAME=VALUE", value_parser = pair)]
    pub(super) fact: Vec<(String, String)>,
    /// The address of the connection's peer.
    #[arg(long, value_name = "ADDRESS")]
    pub(super) client: Option<IpAddr>,
    /// The correlation ID, for samples by it.
    #[arg(long, value_name = "ID")]
    pub(super) correlation_id: Option<String>,
    /// The time of the request [default: now].
    #[arg(long, value_name = "TIME")]
    pub(super) at: Option<String>,
    /// The service's sample key, 32 hexadecimal digits.
    #[arg(long, value_name = "HEX", value_parser = key)]
    pub(super) sample_key: Option<[u8; 16]>,
}

#[derive(Debug, Subcommand)]
pub(super) enum KeyCommand {
    /// Create a key in a new file that only its owner can read, and print the lines for the
    /// policy.
    New(NewPseudonymKeyArgs),
}

#[derive(Debug, clap::Args)]
pub(super) struct NewPseudonymKeyArgs {
    /// The file to create.
    #[arg(long, value_name = "FILE", default_value = "dashcam.key")]
    pub(super) out: PathBuf,
}

#[derive(Debug, Subcommand)]
pub(super) enum TokenCommand {
    /// Create a key in a new file that only its owner can read, and print the part for
    /// services.
    NewKey(NewKeyArgs),
    /// Print the part of a key that services need.
    PublicKey(KeyArgs),
    /// Print a token for the header x-dashcam-verbose.
    #[command(after_help = MINT)]
    Mint(Box<MintArgs>),
    /// Show whether services accept a token, what it asks for, and when it ends.
    #[command(after_help = CHECK_TOKEN)]
    Check(Box<CheckTokenArgs>),
}

const CHECK_TOKEN: &str = "\
Examples:
  pbpaste | dashcam token check on-call.public.jwk --service orders
  dashcam token check on-call.jwk < token --method POST --path /orders/7 --route '/orders/{id}'

Without --path, the conditions of the token are not checked; without --service, its service
name is not. Uses that a service has counted are unknown here. The command never prints the
token, and prints its claims only if the signature is valid.";

#[derive(Debug, clap::Args)]
pub(super) struct CheckTokenArgs {
    /// The file of a key that the service has, either half.
    #[arg(value_name = "KEY")]
    pub(super) file: PathBuf,
    /// The token, or the line of its header. `-` reads it from standard input, which keeps it
    /// out of the shell's history.
    #[arg(default_value = "-", hide_default_value = true)]
    pub(super) token: String,
    /// Another key that the service has; repeat for more.
    #[arg(long = "key", value_name = "FILE")]
    pub(super) keys: Vec<PathBuf>,
    /// The name of the service, for tokens that name one.
    #[arg(long, value_name = "SERVICE")]
    pub(super) service: Option<String>,
    /// The longest lifetime that the service accepts [default: 1h].
    #[arg(long, value_name = "TIME", value_parser = lifetime)]
    pub(super) max_lifetime: Option<Duration>,
    /// The path of a request that carries the token.
    #[arg(long)]
    pub(super) path: Option<String>,
    /// The method of that request.
    #[arg(long, default_value = "GET", requires = "path")]
    pub(super) method: String,
    /// The route template of that request, as the router writes it.
    #[arg(long, requires = "path")]
    pub(super) route: Option<String>,
    /// A header of that request as NAME:VALUE; repeat for more.
    #[arg(long, value_name = "NAME:VALUE", value_parser = header, requires = "path")]
    pub(super) header: Vec<(String, String)>,
    /// The peer address of that request.
    #[arg(long, value_name = "ADDRESS", requires = "path")]
    pub(super) client: Option<IpAddr>,
    /// The correlation ID of that request.
    #[arg(long, value_name = "ID", requires = "path")]
    pub(super) correlation_id: Option<String>,
}

const TOKEN: &str = "\
Keys are JSON Web Keys. Services hold the public half of an Ed25519 key, which cannot create
tokens. An HS256 key has no public half, so services hold the whole key.";

const MINT: &str = "\
Example:
  curl -H \"x-dashcam-verbose: $(dashcam token mint key.jwk --subject alice)\" …";

#[derive(Debug, clap::Args)]
pub(super) struct NewKeyArgs {
    /// The file to create.
    pub(super) file: PathBuf,
    /// The ID of the key, by which services find it.
    #[arg(long)]
    pub(super) id: String,
    /// Create a shared secret instead of a key pair.
    #[arg(long)]
    pub(super) hs256: bool,
}

#[derive(Debug, clap::Args)]
pub(super) struct KeyArgs {
    /// The file of the key.
    pub(super) file: PathBuf,
}

#[derive(Debug, clap::Args)]
pub(super) struct MintArgs {
    /// The file of the key.
    pub(super) file: PathBuf,
    /// The lifetime of the token; services accept at most 1h, unless configured otherwise.
    #[arg(long = "for", value_name = "TIME", default_value = "15m", value_parser = lifetime)]
    pub(super) lifetime: Duration,
    /// The name of the person who asks; exchanges show it.
    #[arg(long, value_name = "WHO")]
    pub(super) subject: Option<String>,
    /// Only for the service with this name.
    #[arg(long, value_name = "SERVICE")]
    pub(super) audience: Option<String>,
    #[command(flatten)]
    pub(super) when: ConditionArgs,
    /// The levels to show: a level, or levels such as info,orders=trace.
    #[arg(long, value_name = "LEVELS")]
    pub(super) verbose: Option<String>,
    /// Keep the exchange, but show nothing in the service's own output.
    #[arg(long)]
    pub(super) record: bool,
    /// The maximum number of requests, on each instance.
    #[arg(long, value_name = "N")]
    pub(super) uses: Option<NonZeroU32>,
}

/// A length of time such as 15m, 2h or 7d.
fn ago(text: &str) -> Option<SignedDuration> {
    let ago = match text.strip_suffix('d') {
        Some(days) => SignedDuration::from_hours(days.parse::<u32>().ok()?.into()).checked_mul(24),
        None => text.parse().ok(),
    };
    ago.filter(|ago| !ago.is_negative())
}

/// A name and a value.
fn pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text
        .split_once('=')
        .ok_or_else(|| "expected a name, = and a value, such as tenant=acme".to_owned())?;
    Ok((name.to_owned(), value.to_owned()))
}

fn pattern(text: &str) -> Result<String, RulesError> {
    When::new().path(text).map(|_| text.to_owned())
}

fn network(text: &str) -> Result<String, RulesError> {
    When::new().client(text).map(|_| text.to_owned())
}

fn lifetime(text: &str) -> Result<Duration, String> {
    ago(text)
        .and_then(|time| time.try_into().ok())
        .filter(|time: &Duration| !time.is_zero())
        .ok_or_else(|| "expected a length of time such as 15m or 1h".to_owned())
}

fn method(text: &str) -> Result<http::Method, String> {
    text.parse()
        .ok()
        .filter(|_| !text.bytes().any(|b| b.is_ascii_lowercase()))
        .ok_or_else(|| "expected a method such as POST, in capitals".to_owned())
}

fn header(text: &str) -> Result<(String, String), String> {
    let (name, value) = text
        .split_once([':', '=']) // names of headers have neither
        .ok_or_else(|| "expected a name, : and a value, such as 'x-debug: yes'".to_owned())?;
    Ok((name.trim().to_owned(), value.trim().to_owned()))
}

fn key(text: &str) -> Result<[u8; 16], String> {
    u128::from_str_radix(text, 16)
        .ok()
        .filter(|_| text.len() == 32)
        .map(u128::to_be_bytes)
        .ok_or_else(|| "expected 32 hexadecimal digits".to_owned())
}
