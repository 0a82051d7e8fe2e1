//! `seaworthy rules`

use std::{
    fmt::Write as _,
    io::{self, stderr},
};

use super::{
    args::{RuleArgs, RulesCommand},
    diagnostics,
    exit::Exit,
    output,
};
use crate::{
    audit::Error,
    evaluate::examples,
    model::Untrusted,
    rule::{self, RuleSet},
};

/// Lists, checks, tests or documents rules.
pub fn run(command: &RulesCommand) -> io::Result<Exit> {
    let failed = |error: &Error| {
        Ok(diagnostics::failed(
            "no rule was used",
            error,
            output::colour(&stderr()),
        ))
    };
    match command {
        RulesCommand::Lint(arguments) => lint(arguments),
        RulesCommand::List(arguments) => match chosen(arguments) {
            Ok(rules) => list(&rules),
            Err(error) => failed(&error),
        },
        RulesCommand::Test(arguments) => match chosen(arguments) {
            Ok(rules) => test(&rules),
            Err(error) => failed(&error),
        },
        RulesCommand::Docs(arguments) => match chosen(arguments) {
            Ok(rules) => {
                output::to_stdout(&rule::catalogue(&rules))?;
                Ok(Exit::Done)
            }
            Err(error) => failed(&error),
        },
    }
}

/// The rules that the arguments choose.
pub fn chosen(arguments: &RuleArgs) -> Result<RuleSet, Error> {
    let loaded = rule::load(&arguments.directories)?;
    Ok(loaded.rules.select(&arguments.only, &arguments.skip)?)
}

fn list(rules: &RuleSet) -> io::Result<Exit> {
    let mut text = String::new();
    let id = rules.iter().map(|rule| rule.id.len()).max().unwrap_or(0);
    let theme = rules.iter().map(|rule| rule.theme.len()).max().unwrap_or(0);
    for rule in rules.iter() {
        let _ = writeln!(
            text,
            "{:id$}  {:10}  {:theme$}  {:8}  {}  {}",
            rule.id, rule.category, rule.theme, rule.severity, rule.effort, rule.title
        );
    }
    output::to_stdout(&text)?;
    Ok(Exit::Done)
}

fn lint(arguments: &RuleArgs) -> io::Result<Exit> {
    let (problems, files) = rule::lint(&arguments.directories);
    diagnostics::problems(&problems, output::colour(&stderr()));
    if problems.is_empty() {
        output::to_stdout(&format!("{files} files, no problems\n"))?;
        Ok(Exit::Done)
    } else {
        let (count, s) = (problems.len(), if problems.len() == 1 { "" } else { "s" });
        output::to_stderr(&format!("{count} problem{s} in {files} files\n"));
        Ok(Exit::BadInput)
    }
}

fn test(rules: &RuleSet) -> io::Result<Exit> {
    let (mut run, mut failed) = (0, 0);
    for rule in rules.iter() {
        run += rule.examples.len();
        for failure in examples::run(rules, rule) {
            failed += 1;
            output::to_stderr(&format!(
                "{}:{}: example {}: {}\n",
                Untrusted::from(&*rule.file).visible(),
                failure.line,
                failure.number,
                Untrusted::from(failure.message).visible()
            ));
        }
    }
    output::to_stdout(&format!(
        "{} rules, {} examples hold, {failed} do not\n",
        rules.len(),
        run - failed
    ))?;
    Ok(if failed == 0 {
        Exit::Done
    } else {
        Exit::NotMet
    })
}
