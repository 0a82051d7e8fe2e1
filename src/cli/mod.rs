//! The command line: the only module that prints or picks the exit code.
#![allow(clippy::print_stderr, reason = "this is the module that prints")]

mod args;
mod attest;
mod audit;
mod diagnostics;
mod diff;
mod exit;
mod explain;
mod output;
mod plan;
mod progress;
mod rbac;
mod rules;
mod schema;
mod scorecards;
mod snapshot;

use std::{io, path::Path, process::ExitCode};

use clap::CommandFactory;

use self::{
    args::{Arguments, Command},
    exit::Exit,
};

/// Prints the man page of the whole, or writes those of all commands.
fn man(folder: Option<&Path>) -> io::Result<()> {
    let command = Arguments::command();
    match folder {
        Some(folder) => clap_mangen::generate_to(command, folder),
        None => {
            let mut page = Vec::new();
            clap_mangen::Man::new(command).render(&mut page)?;
            output::to_stdout(&String::from_utf8_lossy(&page))
        }
    }
}

/// Runs the program with the arguments of the process.
pub fn run() -> ExitCode {
    std::panic::set_hook(Box::new(crashed));
    let arguments = match Arguments::read() {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help and version are no errors; clap knows which is which.
            let _ = error.print();
            let status = if error.use_stderr() {
                Exit::BadInput
            } else {
                Exit::Done
            };
            return status.into();
        }
    };
    let result = match arguments.command {
        Command::Audit(arguments) => audit::run(&arguments),
        Command::Snapshot(arguments) => snapshot::run(&arguments),
        Command::Explain(arguments) => explain::run(&arguments),
        Command::Rules(command) => rules::run(&command),
        Command::Scorecards(command) => scorecards::run(&command),
        Command::Diff(arguments) => diff::run(&arguments),
        Command::Plan(arguments) => plan::run(&arguments),
        Command::Attest(arguments) => attest::run(&arguments),
        Command::Rbac(arguments) => rbac::run(&arguments),
        Command::Schema(arguments) => schema::run(&arguments),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            let mut command = Arguments::command();
            clap_complete::generate(shell, &mut command, "seaworthy", &mut script);
            output::to_stdout(&String::from_utf8_lossy(&script)).map(|()| Exit::Done)
        }
        Command::Man { folder } => man(folder.as_deref()).map(|()| Exit::Done),
    };
    match result {
        Ok(exit) => exit.into(),
        Err(error) => {
            output::to_stderr(&format!("the result cannot be written: {error}\n"));
            Exit::BadInput.into()
        }
    }
}

/// What a crash says. It ends with 101, which is no answer about any cluster, and it does not show
/// values, which could be secret.
fn crashed(panic: &std::panic::PanicHookInfo<'_>) {
    let place = panic
        .location()
        .map(ToString::to_string)
        .unwrap_or_default();
    output::to_stderr(&format!(
        "seaworthy {} crashed at {place}; do not rely on what it printed.\n  Please report it with the command that you ran.\n",
        env!("CARGO_PKG_VERSION")
    ));
}
