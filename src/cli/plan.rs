//! `seaworthy plan`

use std::{
    collections::BTreeMap,
    io::{self, stderr, stdout},
};

use super::{
    args::{PlanArgs, PlanFormat},
    audit::report,
    diagnostics,
    exit::Exit,
    output,
    progress::Bar,
};
use crate::{
    audit,
    report::{Plan, Style, plan_json, plan_markdown, plan_table},
    score::{self, Goal, NoPath},
};

/// Prints the cheapest way to a target.
pub fn run(arguments: &PlanArgs) -> io::Result<Exit> {
    let colour = output::colour(&stderr());
    let audit = match audit::audit(&arguments.options(), Bar::show(arguments.quiet)) {
        Ok(audit) => audit,
        Err(error) => return Ok(diagnostics::failed("no plan was made", &error, colour)),
    };
    if !arguments.quiet {
        diagnostics::problems(&audit.warnings, colour);
    }
    let mut excluded = std::collections::BTreeSet::new();
    for name in &arguments.exclude {
        match audit.yardstick.rules.find(name) {
            Some(rule) => drop(excluded.insert(rule.id.clone())),
            None => {
                output::to_stderr(&format!("--exclude: there is no rule `{name}`\n"));
                return Ok(Exit::BadInput);
            }
        }
    }
    let target = arguments.target(&audit.yardstick.scorecard);
    let goal = Goal {
        target: target.clone(),
        budget: arguments.effort_budget,
        exclude: excluded,
    };
    let requires: BTreeMap<_, _> = audit
        .yardstick
        .rules
        .iter()
        .map(|rule| (rule.id.clone(), rule.requires.clone()))
        .collect();
    let path = score::path(
        &audit.score,
        &audit.yardstick.scorecard,
        &audit.yardstick.profile,
        &requires,
        &goal,
    );
    let path = match path {
        Ok(path) => path,
        Err(error) => {
            output::to_stderr(&format!("no plan was made: {error}\n"));
            return Ok(match error {
                NoPath::UnknownLevel(..) => Exit::BadInput,
                NoPath::Ceiling(..) | NoPath::OutOfReach(_) => Exit::NotMet,
                NoPath::NoScore => Exit::Inconclusive,
            });
        }
    };
    let report = report(&audit);
    let words = match &target {
        score::Target::Score(points) => score::one_decimal(points),
        score::Target::Level(name) => name.clone(),
    };
    let plan = Plan {
        report: &report,
        path: &path,
        target: &words,
    };
    let text = match arguments.output {
        PlanFormat::Table => plan_table(
            &plan,
            &Style {
                colour: output::colour(&stdout()),
                width: output::width(),
                all: arguments.all,
                wide: false,
            },
        ),
        PlanFormat::Markdown => plan_markdown(&plan),
        PlanFormat::Json => plan_json(&plan),
    };
    output::to_stdout(&text)?;
    Ok(match path.reaches {
        true => Exit::Done,
        false => Exit::NotMet,
    })
}
