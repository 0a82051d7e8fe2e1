//! `seaworthy audit`

use std::io::{self, stderr, stdout};

use super::{
    args::AuditArgs,
    diagnostics,
    exit::Exit,
    output::{self, Format},
    progress::Bar,
};
use crate::{
    audit::{Audit, audit},
    report::{Parts, Report, Style, json, table},
};

/// Audits and writes every format that was asked for.
pub fn run(arguments: &AuditArgs) -> io::Result<Exit> {
    let progress = Bar::show(arguments.quiet);
    let audit = match audit(&arguments.options(), progress) {
        Ok(audit) => audit,
        Err(error) => return Ok(diagnostics::failure(&error, output::colour(&stderr()))),
    };
    if !arguments.quiet {
        diagnostics::problems(&audit.warnings, output::colour(&stderr()));
    }
    let report = report(&audit);
    for wanted in &arguments.output {
        let style = Style {
            colour: wanted.file.is_none() && output::colour(&stdout()),
            width: output::width(),
            all: arguments.all,
            wide: wanted.format == Format::Wide,
        };
        let text = match wanted.format {
            Format::Table | Format::Wide => table(&report, &style),
            Format::Json => json::json(&report),
            Format::Yaml => json::yaml(&report),
        };
        match &wanted.file {
            Some(file) => output::to_file(file, &text)?,
            None => output::to_stdout(&text)?,
        }
    }
    Ok(match report.total {
        Some(_) => Exit::Done,
        None => Exit::Inconclusive,
    })
}

/// The report of an audit.
pub fn report(audit: &Audit) -> Report {
    Report::new(&Parts {
        rules: &audit.rules,
        scorecard: &audit.scorecard,
        profile: &audit.profile,
        inventory: &audit.inventory,
        verdicts: &audit.verdicts,
        score: &audit.score,
        waivers: &audit.waivers,
    })
}
