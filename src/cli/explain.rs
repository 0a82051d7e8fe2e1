//! `seaworthy explain`

use std::io::{self, stderr};

use super::{
    args::{ExplainArgs, options},
    audit::report,
    diagnostics,
    exit::Exit,
    output,
    progress::Bar,
};
use crate::{audit, report, rule};

/// Prints a rule's documentation and, where a source is named, what it finds there.
pub fn run(arguments: &ExplainArgs) -> io::Result<Exit> {
    let loaded = match rule::load(&arguments.yardstick.rules.directories) {
        Ok(loaded) => loaded,
        Err(problems) => {
            diagnostics::problems(&problems, output::colour(&stderr()));
            return Ok(Exit::BadInput);
        }
    };
    let Some(rule) = loaded.rules.find(&arguments.rule) else {
        eprintln!(
            "there is no rule `{}`; see `seaworthy rules list`",
            arguments.rule
        );
        return Ok(Exit::BadInput);
    };
    output::to_stdout(&rule::rule_page(rule))?;
    if !arguments.source.is_named() {
        return Ok(Exit::Done);
    }
    // All rules are audited: a rule's points depend on its neighbours.
    let options = options(&arguments.source, &arguments.yardstick, &arguments.clock);
    match audit::audit(&options, Bar::show(false)) {
        Ok(audit) => {
            let text = report::explain(&report(&audit), &rule.id).unwrap_or_default();
            output::to_stdout(&format!("---\n\n{text}"))?;
            Ok(Exit::Done)
        }
        Err(error) => Ok(diagnostics::failure(&error, output::colour(&stderr()))),
    }
}
