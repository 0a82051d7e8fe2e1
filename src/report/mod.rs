//! The audit as plain data, and one writer per format.
//!
//! [`Report`] says everything a reader needs and nothing of how it looks. Names and messages from
//! a cluster stay [`Untrusted`] in it: each writer escapes them for its own syntax.

mod build;
mod codequality;
mod comment;
mod csv;
mod diff;
mod explain;
mod findings;
mod html;
pub mod json;
mod junit;
mod markdown;
mod openmetrics;
mod plan;
mod policyreport;
mod sarif;
mod table;
#[cfg(test)]
mod tests;

pub use self::csv::csv;
pub use build::Parts;
pub use codequality::codequality;
pub use comment::comment;
pub use diff::{Diff, Side, diff, diff_json, diff_markdown, diff_schema, diff_table};
pub use explain::explain;
pub use html::html;
pub use junit::junit;
pub use openmetrics::openmetrics;
pub use plan::{Plan, plan_json, plan_markdown, plan_schema, plan_table};
pub use policyreport::{openreports, policyreport};
pub use sarif::sarif;
pub use table::{Style, table};

use crate::{
    gate::Decision,
    model::{
        Category, Cluster, Effort, GroupKind, Outcome, PROMETHEUS, Place, RuleId, Severity,
        SourceKind, Subject, ThemeId, Unreadable, Untrusted,
    },
    score::{
        Blocker, CategoryScore, Counts, LevelStanding, Mark, Points, RuleState, WaiverStatus,
        one_decimal,
    },
};

/// An audit's result, for writers.
#[derive(Clone, Debug)]
pub struct Report {
    /// Version of this program.
    pub tool: &'static str,
    /// The clock of the audit.
    pub time: jiff::Timestamp,
    /// Kind of source.
    pub source: SourceKind,
    /// What the source is called: a context, a file, a folder.
    pub origin: Untrusted,
    /// Which cluster it is.
    pub cluster: Cluster,
    /// The yardstick.
    pub yardstick: Yardstick,
    /// The score; nothing if there was nothing to look at.
    pub total: Option<Mark>,
    /// Verified weight over applicable weight, 0 to 1.
    pub coverage: Points,
    /// The level and what stands in the way of the next.
    pub level: LevelStanding,
    /// The levels that there are, with the scores at which they begin, the lowest first.
    pub levels: Vec<(String, Points)>,
    /// Scores by category and theme.
    pub categories: Vec<CategoryScore>,
    /// Every rule that was evaluated, sorted by id.
    pub rules: Vec<RuleReport>,
    /// Positions in `rules` of those that lost points, most points first.
    pub gaps: Vec<usize>,
    /// Kinds that could not be read completely, the most points first.
    pub unread: Vec<UnreadReport>,
    /// Each waiver and what it does.
    pub waivers: Vec<WaiverReport>,
    /// What the user should know of the collection.
    pub notes: Vec<Untrusted>,
    /// What came of the gate, where one was asked for.
    pub gate: Option<Decision>,
    /// What moved the score since a baseline, where one was given.
    pub baseline: Option<Diff>,
}

/// What a score was measured by. Scores of different yardsticks do not compare.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Yardstick {
    /// The scorecard's name.
    pub scorecard: String,
    /// The scorecard's version.
    pub version: String,
    /// Profile whose parameters held.
    pub profile: String,
    /// SHA-256 of the scorecard, the rules and their parameters, in hex.
    pub digest: String,
}

/// One rule's part of the report.
#[derive(Clone, Debug)]
pub struct RuleReport {
    /// Id.
    pub id: RuleId,
    /// SHA-256 of its file, its theme's and the values of its parameters, in hex.
    pub digest: String,
    /// What is true when it passes.
    pub title: String,
    /// Category.
    pub category: Category,
    /// Theme.
    pub theme: ThemeId,
    /// How bad a failure is.
    pub severity: Severity,
    /// Effort of the fix.
    pub effort: Effort,
    /// Why it matters, in Markdown.
    pub why: String,
    /// What to do, in Markdown.
    pub fix: String,
    /// Links and ids of other catalogues.
    pub references: Vec<String>,
    /// What its verdicts amount to.
    pub state: RuleState,
    /// Points of the overall 100 that it can earn.
    pub possible: Points,
    /// Points that it earns.
    pub earned: Points,
    /// Points that it lost.
    pub lost: Points,
    /// Part of the lost points that would come back if everything unknown passed.
    pub unproven: Points,
    /// Subjects by outcome.
    pub counts: Counts,
    /// Subjects that need a look: failures, errors, unknowns, waived failures, in this order.
    pub findings: Vec<Finding>,
    /// Lists that would have to be readable.
    pub unread: Vec<(GroupKind, Unreadable)>,
    /// Why the source cannot answer it, if it cannot.
    pub not_assessable: Option<String>,
    /// Share of the subjects from which the rule counts as fulfilled, where that is less than all.
    pub min_ratio: Option<crate::model::Fraction>,
}

/// One subject that does not simply pass.
#[derive(Clone, Debug)]
pub struct Finding {
    /// The subject.
    pub subject: Subject,
    /// What was found.
    pub outcome: Outcome,
    /// What it earns, between 0 and 1.
    pub credit: crate::model::Fraction,
    /// Why.
    pub messages: Vec<Untrusted>,
    /// Kinds that would have to be readable for an answer; empty unless unknown.
    pub unread: Vec<GroupKind>,
    /// The thing exists and does nothing.
    pub inert: bool,
    /// The failure is accepted.
    pub waived: bool,
}

/// A kind that could not be read completely.
#[derive(Clone, Debug)]
pub struct UnreadReport {
    /// The kind.
    pub kind: GroupKind,
    /// Why.
    pub why: Unreadable,
    /// Permission that would settle it, such as `list deployments.apps`, where one is missing.
    pub permission: Option<String>,
    /// Unproven points of the rules that need it.
    pub points: Points,
    /// Those rules.
    pub rules: Vec<RuleId>,
}

/// A waiver and what it does.
#[derive(Clone, Debug)]
pub struct WaiverReport {
    /// The rule.
    pub rule: RuleId,
    /// Who accepted the failure.
    pub owner: Untrusted,
    /// Why.
    pub reason: Untrusted,
    /// When it ends.
    pub expires: jiff::Timestamp,
    /// Whether it holds.
    pub status: WaiverStatus,
    /// Failing subjects it covers.
    pub subjects: u32,
    /// Points between the raw score and the accepted one that are its share.
    pub points: Points,
}

impl Report {
    /// The rules that lost points, most points first.
    pub fn gaps(&self) -> impl Iterator<Item = &RuleReport> {
        self.gaps.iter().map(|at| &self.rules[*at])
    }

    /// How many rules are in a state.
    pub fn count(&self, state: RuleState) -> usize {
        self.rules.iter().filter(|rule| rule.state == state).count()
    }
}

/// A gate that is not met, in words.
pub fn blocker_text(blocker: &Blocker) -> String {
    let percent = |share: &Points| {
        let hundred = Points::from_integer(100.into());
        format!("{} %", one_decimal(&(share * hundred)))
    };
    match blocker {
        Blocker::Score { needed, have } => format!(
            "score {} of {} needed",
            one_decimal(have),
            one_decimal(needed)
        ),
        Blocker::Category {
            category,
            needed,
            have,
        } => match have {
            Some(have) => format!(
                "{category} at {} of {} needed",
                one_decimal(have),
                one_decimal(needed)
            ),
            None => format!("{category} has no score; {} needed", one_decimal(needed)),
        },
        Blocker::OpenGaps {
            severity,
            allowed,
            open,
            ..
        } => format!(
            "{} open, {allowed} allowed: {}",
            counted(open.len(), &format!("{severity} gap")),
            open.join(", ")
        ),
        Blocker::Coverage { needed, have } => {
            format!("coverage {} of {} needed", percent(have), percent(needed))
        }
        Blocker::Ceiling { profile } => format!("the profile `{profile}` is too lenient for it"),
    }
}

/// The first words of advice in a Markdown text, on one line: its first paragraph that is not code.
fn first_paragraph(text: &str) -> String {
    let mut code = false;
    let mut words: Vec<&str> = Vec::new();
    for line in text.trim().lines() {
        if line.trim_start().starts_with("```") {
            code = !code;
        }
        let blank = line.trim().is_empty() || line.trim_start().starts_with("```");
        match (code || blank, words.is_empty()) {
            (true, true) => {}
            (true, false) => break,
            (false, _) => words.extend(line.split_whitespace()),
        }
    }
    let mut advice = words.join(" ");
    if advice.ends_with(':') {
        // The snippet that follows is for `explain`; the mark says that there is more.
        advice.pop();
        advice.push_str(" …");
    }
    advice
}

/// The first sentence of a text on one line.
fn first_sentence(text: &str) -> &str {
    // Abbreviations end in a full stop, too: `e.g. this`.
    let ends = text.match_indices(". ").map(|(at, _)| at);
    let mut ends = ends.filter(|at| !text[..*at].ends_with("e.g") && !text[..*at].ends_with("i.e"));
    ends.next().map_or(text, |at| &text[..=at])
}

/// A number of things: `1 gap`, `2 gaps`.
fn counted(number: usize, thing: &str) -> String {
    let s = if number == 1 { "" } else { "s" };
    format!("{number} {thing}{s}")
}

/// Text of others that is no [`Untrusted`], such as a kind, as a terminal may show it.
fn shown(text: impl std::fmt::Display) -> String {
    Untrusted::from(text.to_string()).visible()
}

/// Kinds that an answer needs, in words. What a Prometheus would say is no kind to anybody else.
fn unread_text(kinds: &[GroupKind]) -> String {
    let (asked, read): (Vec<&GroupKind>, Vec<&GroupKind>) =
        kinds.iter().partition(|kind| &*kind.group == PROMETHEUS);
    let mut parts: Vec<String> = Vec::new();
    if !read.is_empty() {
        let read: Vec<String> = read.iter().map(shown).collect();
        parts.push(format!("{}, which could not be read", read.join(", ")));
    }
    if !asked.is_empty() {
        parts.push("a Prometheus to ask (--prometheus)".to_owned());
    }
    parts.join(", and ")
}

/// How reports name a subject: kind, namespace and name.
fn subject_text(subject: &Subject) -> String {
    // Kinds, too, are chosen by others: a rule may ask for every kind of a group.
    let kind = shown(&subject.kind.kind);
    match (
        &*subject.kind.group,
        &*subject.kind.kind,
        &subject.namespace,
    ) {
        ("seaworthy", "Cluster", _) => "the cluster".to_owned(),
        (_, _, Some(namespace)) => {
            format!("{kind} {}/{}", namespace.visible(), subject.name.visible())
        }
        (_, _, None) => format!("{kind} {}", subject.name.visible()),
    }
}

/// Where a subject was written, as `file:line`.
fn place_text(place: &Place) -> String {
    format!("{}:{}", Untrusted::from(&*place.file).visible(), place.line)
}
