//! The program `dashcam`: kept exchanges and rules on the command line.
//!
//! ```console
//! cargo install dashcam-cli
//! dashcam --help
//! ```
//!
//! It reads the files that [`JsonLines`](dashcam::export::JsonLines) writes, also
//! while a service writes them, and the rules that
//! [`RulesFile`](dashcam::selection::RulesFile) reads. It changes neither of them.
//!
//! | exit code | meaning |
//! |---|---|
//! | 0 | yes: the command succeeded |
//! | 1 | no: rules have an error, no rule selects the request, a token is refused, or nothing was found |
//! | 2 | error: wrong usage, or a file that cannot be read |
//!
//! With `--json` standard output is JSON, one object per line. Files contain data of
//! clients, so the program escapes control characters and direction marks. It uses colours
//! only on a terminal, and not if `NO_COLOR` is set.

mod args;
mod check_token;
mod described;
mod export;
mod failure;
mod input;
mod key;
mod list;
mod manual;
mod new_rule;
mod output;
mod rules;
mod show;
mod store;
mod text;
mod token;
mod top;

use self::{
    args::{Args, Command, KeyCommand, RulesCommand, TokenCommand},
    failure::Failure,
    output::Output,
};
use clap::Parser;
use std::process::ExitCode;

/// The answer of a command that succeeded.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Answer {
    Yes,
    No,
}

fn main() -> ExitCode {
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(error) => {
            // Standard error may be closed.
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    let mut out = Output::standard(args.json);
    let result = run(args.command, &mut out).and_then(|answer| {
        out.flush()?;
        Ok(answer)
    });
    match result {
        // The reader closed the pipe, as `| head` does.
        Ok(Answer::Yes) | Err(Failure::Closed) => ExitCode::SUCCESS,
        Ok(Answer::No) => ExitCode::from(1),
        Err(Failure::Cannot(why)) => {
            out.error(&why);
            ExitCode::from(2)
        }
    }
}

fn run(command: Command, out: &mut Output) -> Result<Answer, Failure> {
    match command {
        Command::Ls(args) => list::ls(&args, out),
        Command::Tail(args) => list::tail(&args, out),
        Command::Top(args) => top::top(&args, out),
        Command::Show(args) => show::show(&args, out),
        Command::Export(args) => export::export(&args, out),
        Command::Rules(RulesCommand::Check(args)) => rules::check(&args, out),
        Command::Rules(RulesCommand::Why(args)) => rules::why(*args, out),
        Command::Rules(RulesCommand::New(args)) => new_rule::new(*args, out),
        Command::Key(KeyCommand::New(args)) => key::new(&args, out),
        Command::Token(TokenCommand::NewKey(args)) => token::new_key(&args, out),
        Command::Token(TokenCommand::PublicKey(args)) => token::public_key(&args, out),
        Command::Token(TokenCommand::Mint(args)) => token::mint(&args, out),
        Command::Token(TokenCommand::Check(args)) => check_token::check(*args, out),
        Command::Completions(args) => manual::completions(&args, out),
        Command::Man(args) => manual::man(&args, out),
    }
}
