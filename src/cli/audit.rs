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
    gate::Decision,
    report::{
        Parts, Report, Style, codequality, comment, csv, json, junit, openmetrics, openreports,
        policyreport, sarif, table,
    },
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
    let mut report = report(&audit);
    let gate = arguments.gate.gate();
    if !gate.is_empty() {
        match gate.judge(&audit.score, &audit.yardstick.scorecard) {
            Ok(decision) => report.gate = Some(decision),
            Err(error) => {
                output::to_stderr(&format!("{error}\n"));
                return Ok(Exit::BadInput);
            }
        }
    }
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
            Format::Markdown => comment(&report),
            Format::Sarif => sarif(&report),
            Format::Junit => junit(&report),
            Format::Csv => csv(&report),
            Format::Openmetrics => openmetrics(&report),
            Format::Policyreport => policyreport(&report),
            Format::Openreports => openreports(&report),
            Format::Codequality => codequality(&report),
        };
        match &wanted.file {
            Some(file) => output::to_file(file, &text)?,
            None => output::to_stdout(&text)?,
        }
    }
    Ok(match (&report.gate, &report.total) {
        (Some(Decision::NotMet(reasons)), _) => {
            say("the gate is not met", reasons);
            Exit::NotMet
        }
        (Some(Decision::Inconclusive(reasons)), _) => {
            say("the gate cannot be judged", reasons);
            Exit::Inconclusive
        }
        (_, None) => Exit::Inconclusive,
        (_, Some(_)) => Exit::Done,
    })
}

/// The reasons are for whoever reads the log of a pipeline, quiet or not.
fn say(what: &str, reasons: &[String]) {
    output::to_stderr(&format!("{what}: {}\n", reasons.join("; ")));
}

/// The report of an audit.
pub fn report(audit: &Audit) -> Report {
    Report::new(&Parts {
        rules: &audit.yardstick.rules,
        scorecard: &audit.yardstick.scorecard,
        profile: &audit.yardstick.profile,
        params: &audit.yardstick.params,
        inventory: &audit.inventory,
        verdicts: &audit.verdicts,
        score: &audit.score,
        waivers: &audit.yardstick.waivers,
    })
}
