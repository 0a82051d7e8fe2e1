//! `seaworthy audit`

use std::{
    io::{self, stderr, stdout},
    path::Path,
};

use super::{
    args::AuditArgs,
    diagnostics,
    diff::{self, Failed},
    exit::Exit,
    output::{self, Format},
    progress::Bar,
};
use crate::{
    audit::{Audit, Options, audit},
    gate::{self, Decision},
    report::{
        self, Diff, Parts, Plan, Report, Side, Style, codequality, comment, csv, html, json, junit,
        openmetrics, openreports, policyreport, sarif, table,
    },
    score::{self, Goal, Points, Target},
    source::overlay::Overlay,
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
    let mut report = self::report(&audit);
    if let Some(path) = &arguments.gate.baseline {
        match baseline(path, &audit, &report, &arguments.options()) {
            Ok(diff) => report.baseline = Some(diff),
            Err(failed) => return Ok(failed.say("nothing was compared")),
        }
    }
    let scorecard = &audit.yardstick.scorecard;
    let thresholds = arguments.gate.thresholds(&scorecard.gate);
    if !thresholds.is_empty() {
        let comparison = report
            .baseline
            .as_ref()
            .map(|diff| diff.comparison(&audit.score));
        match gate::judge(&thresholds, &audit.score, scorecard, comparison.as_ref()) {
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
            Format::Html => with_plan(&audit, &report),
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

/// The page, with the cheapest way to the next level, or to the scorecard's target behind the last.
fn with_plan(audit: &Audit, report: &Report) -> String {
    let scorecard = &audit.yardstick.scorecard;
    let (target, words) = match &report.level.next {
        Some(next) => (Target::Level(next.name.clone()), next.name.clone()),
        None => {
            let points = scorecard.target;
            let points = Points::new((*points.numer()).into(), (*points.denom()).into());
            (Target::Score(points.clone()), score::one_decimal(&points))
        }
    };
    let goal = Goal {
        target,
        budget: None,
        exclude: Default::default(),
    };
    let rules = audit.yardstick.rules.iter();
    let requires = rules
        .map(|rule| (rule.id.clone(), rule.requires.clone()))
        .collect();
    let profile = &audit.yardstick.profile;
    let path = score::path(&audit.score, scorecard, profile, &requires, &goal).ok();
    let plan = path.as_ref().map(|path| Plan {
        report,
        path,
        target: &words,
    });
    html(report, plan.as_ref())
}

/// What moved the score since a baseline.
fn baseline(
    path: &Path,
    audit: &Audit,
    report: &Report,
    options: &Options,
) -> Result<Diff, Failed> {
    let base = Options {
        overlay: Overlay::default(),
        ..options.clone()
    };
    let old = diff::file(path, &base, &audit.yardstick)?;
    Ok(report::diff(old, Side::of(report, &audit.verdicts)))
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
