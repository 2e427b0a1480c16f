//! `dashcam completions` and `dashcam man`.

use super::{
    Answer, Failure, Output,
    args::{Args, CompletionsArgs, ManArgs},
};
use clap::CommandFactory;
use clap_mangen::Man;
use std::fs;

pub(super) fn completions(args: &CompletionsArgs, out: &mut Output) -> Result<Answer, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Args::command(), "dashcam", &mut script);
    out.bytes(&script)?;
    Ok(Answer::Yes)
}

pub(super) fn man(args: &ManArgs, out: &mut Output) -> Result<Answer, Failure> {
    // The `help` command has no page.
    let command = Args::command().disable_help_subcommand(true);
    let Some(dir) = &args.out else {
        let mut page = Vec::new();
        Man::new(command).render(&mut page)?;
        out.bytes(&page)?;
        return Ok(Answer::Yes);
    };
    let made = fs::create_dir_all(dir).and_then(|()| clap_mangen::generate_to(command, dir));
    made.map_err(|error| {
        let dir = dir.display();
        Failure::cannot(format!("cannot write to {dir}: {error}"))
    })?;
    Ok(Answer::Yes)
}
