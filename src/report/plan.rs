//! The plan from here to a target: for a terminal, as Markdown that can be pasted into an issue, and
//! as JSON.

use std::fmt::Write as _;

use num_traits::{ToPrimitive as _, Zero as _};
use schemars::JsonSchema;
use serde::Serialize;

use super::{
    Report, RuleReport, Style, counted, first_paragraph, first_sentence, json::armoured, markdown,
    place_text, shown, subject_text, table::wrap,
};
use crate::{
    model::Outcome,
    score::{Path, Points, Step, one_decimal},
};

/// Subjects of a step that are listed unless all are asked for.
const SUBJECTS: usize = 3;

/// A plan and the report of where it starts.
#[derive(Clone, Copy, Debug)]
pub struct Plan<'a> {
    /// Where the plan starts.
    pub report: &'a Report,
    /// The steps.
    pub path: &'a Path,
    /// Where it leads, in words: `92.0`, `Enterprise-grade`.
    pub target: &'a str,
}

/// Writes a line. Writing to a string cannot fail.
macro_rules! say {
    ($out:expr, $($argument:tt)*) => {{
        let _ = writeln!($out, $($argument)*);
    }};
}

impl<'a> Plan<'a> {
    /// Steps with their rules.
    pub(super) fn steps(
        &self,
    ) -> impl Iterator<Item = (usize, &'a Step, &'a RuleReport)> + use<'a> {
        let rules = &self.report.rules;
        let steps = self.path.steps.iter().enumerate();
        steps.filter_map(move |(at, step)| {
            let rule = rules.iter().find(|rule| rule.id == step.rule)?;
            Some((at + 1, step, rule))
        })
    }

    /// Where it leads and what that takes.
    pub(super) fn headline(&self) -> String {
        let Path {
            from,
            steps,
            cost,
            score,
            reaches,
        } = self.path;
        let target = shown(self.target);
        match (steps.is_empty(), reaches) {
            (true, true) => format!("{target} is reached: the score is {}", one_decimal(from)),
            (true, false) => format!("nothing that fits the effort brings {target} nearer"),
            (false, _) => format!(
                "{} → {} in {}, effort {cost}{}",
                one_decimal(from),
                one_decimal(score),
                counted(steps.len(), "step"),
                match reaches {
                    true => format!(": {target}"),
                    false => format!("; {target} takes more"),
                }
            ),
        }
    }
}

/// What a step asks for: a fix, a proof, or both.
fn kind(step: &Step) -> &'static str {
    if step.unproven.is_zero() {
        "fix"
    } else if step.unproven >= step.points {
        "prove"
    } else {
        "fix and prove"
    }
}

/// Subjects to touch, with what is wrong with them.
fn subjects(rule: &RuleReport) -> Vec<String> {
    let open = rule.findings.iter().filter(|finding| !finding.waived);
    open.map(|finding| {
        let place = finding.subject.place.as_ref().map(place_text);
        let place = place.map(|place| format!("{place} ")).unwrap_or_default();
        let why = finding.messages.first().map(|message| message.visible());
        let why = why.map(|why| format!(": {why}")).unwrap_or_default();
        format!("{place}{}{why}", subject_text(&finding.subject))
    })
    .collect()
}

/// What to do, in one sentence.
fn advice(rule: &RuleReport) -> String {
    first_sentence(&first_paragraph(&rule.fix)).to_owned()
}

/// The plan for a terminal.
pub fn plan_table(plan: &Plan<'_>, style: &Style) -> String {
    let mut out = String::new();
    say!(out, "{}\n", wrap(&plan.headline(), style.width, 0));
    for (at, step, rule) in plan.steps() {
        let points = format!("+{}", one_decimal(&step.points));
        let line = format!(
            "{at:>3}. {points:>5} → {:>5}  {} {}  {} · {}",
            one_decimal(&step.score),
            rule.effort,
            rule.severity,
            rule.id,
            kind(step),
        );
        say!(out, "{}", wrap(&line, style.width, 5));
        say!(out, "     {}", wrap(&rule.title, style.width, 5));
        let subjects = subjects(rule);
        let listed = match style.all || style.wide {
            true => subjects.len(),
            false => subjects.len().min(SUBJECTS),
        };
        for subject in &subjects[..listed] {
            say!(out, "     · {}", wrap(subject, style.width, 7));
        }
        if listed < subjects.len() {
            say!(out, "     · and {} more", subjects.len() - listed);
        }
        let advice = advice(rule);
        if !advice.is_empty() {
            say!(out, "     → {}", wrap(&advice, style.width, 7));
        }
    }
    if !plan.path.steps.is_empty() {
        say!(
            out,
            "\nEffort: S under a day (1), M under a week (3), L more (8). Each step: seaworthy explain RULE"
        );
    }
    out
}

/// The plan as Markdown, to be pasted into an issue.
pub fn plan_markdown(plan: &Plan<'_>) -> String {
    let mut out = String::new();
    say!(out, "## Plan: {}\n", markdown::text(&plan.headline()));
    if plan.path.steps.is_empty() {
        return out;
    }
    say!(
        out,
        "| | step | points | score | effort |\n|---|---|---|---|---|"
    );
    for (at, step, rule) in plan.steps() {
        say!(
            out,
            "| {at} | {} (`{}`) | +{} | {} | {} |",
            markdown::cell(&rule.title),
            rule.id,
            one_decimal(&step.points),
            one_decimal(&step.score),
            rule.effort
        );
    }
    out.push('\n');
    for (at, step, rule) in plan.steps() {
        say!(
            out,
            "- [ ] **{at}. {}** `{}` ({}, {}, +{})",
            markdown::text(&rule.title),
            rule.id,
            kind(step),
            rule.severity,
            one_decimal(&step.points)
        );
        let advice = advice(rule);
        if !advice.is_empty() {
            say!(out, "  {}", markdown::text(&advice));
        }
        let subjects = subjects(rule);
        for subject in subjects.iter().take(10) {
            say!(out, "  - {}", markdown::text(subject));
        }
        if subjects.len() > 10 {
            say!(out, "  - and {} more", subjects.len() - 10);
        }
    }
    out
}

/// A plan, as JSON. Points are of the overall 100 and are not rounded.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(title = "Seaworthy plan")]
#[serde(rename_all = "camelCase")]
struct Document {
    /// Version of this format.
    version: u32,
    /// Where the plan leads.
    target: String,
    /// Whether the target is reached.
    reaches: bool,
    /// The score before.
    from: f64,
    /// The score after all steps.
    score: f64,
    /// Effort of all steps: S is 1, M is 3, L is 8.
    effort: u32,
    steps: Vec<StepDocument>,
}

#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct StepDocument {
    rule: String,
    title: String,
    category: String,
    theme: String,
    severity: String,
    effort: String,
    /// fix, prove, or fix and prove.
    kind: String,
    /// Points that come back.
    points: f64,
    /// The score after this step.
    score: f64,
    fix: String,
    /// What to touch.
    subjects: Vec<SubjectDocument>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct SubjectDocument {
    group: String,
    kind: String,
    namespace: Option<String>,
    name: String,
    /// Where it was written.
    place: Option<String>,
    /// fail, unknown or error.
    outcome: String,
    messages: Vec<String>,
}

/// The plan as a JSON document, ending in a line feed.
pub fn plan_json(plan: &Plan<'_>) -> String {
    let document = Document {
        version: 1,
        target: plan.target.to_owned(),
        reaches: plan.path.reaches,
        from: number(&plan.path.from),
        score: number(&plan.path.score),
        effort: plan.path.cost,
        steps: plan
            .steps()
            .map(|(_, step, rule)| step_document(step, rule))
            .collect(),
    };
    let mut text = serde_json::to_string_pretty(&document).unwrap_or_default();
    text.push('\n');
    armoured(&text)
}

/// JSON Schema of the document.
pub fn plan_schema() -> serde_json::Value {
    schemars::schema_for!(Document).to_value()
}

fn step_document(step: &Step, rule: &RuleReport) -> StepDocument {
    let open = rule.findings.iter().filter(|finding| !finding.waived);
    let subject = |finding: &super::Finding| SubjectDocument {
        group: finding.subject.kind.group.to_string(),
        kind: finding.subject.kind.kind.to_string(),
        namespace: finding
            .subject
            .namespace
            .as_ref()
            .map(|text| text.raw().to_owned()),
        name: finding.subject.name.raw().to_owned(),
        place: finding.subject.place.as_ref().map(place_text),
        outcome: match finding.outcome {
            Outcome::Unknown => "unknown",
            Outcome::Error => "error",
            _ => "fail",
        }
        .to_owned(),
        messages: finding
            .messages
            .iter()
            .map(|text| text.raw().to_owned())
            .collect(),
    };
    StepDocument {
        rule: rule.id.to_string(),
        title: rule.title.clone(),
        category: rule.category.to_string(),
        theme: rule.theme.to_string(),
        severity: rule.severity.to_string(),
        effort: rule.effort.to_string(),
        kind: kind(step).to_owned(),
        points: number(&step.points),
        score: number(&step.score),
        fix: rule.fix.clone(),
        subjects: open.map(subject).collect(),
    }
}

fn number(points: &Points) -> f64 {
    points.to_f64().unwrap_or_default()
}
