//! What moved a score: two reports, rule by rule and subject by subject, with what the cluster
//! changed apart from what the yardstick did.
//!
//! A rule's points are what it can earn times its credit. When a credit changes, the change is
//! weighed with what the rule could earn before; when what it can earn changes, with the credit
//! after. So the parts of all rules sum to the difference of the scores exactly.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

use num_traits::{Signed as _, ToPrimitive as _, Zero as _};
use schemars::JsonSchema;
use serde::Serialize;

use super::{
    Report, Style,
    html::Moved,
    json::{self, armoured, outcome_word, state_word},
    markdown, shown,
    table::wrap,
};
use crate::{
    gate::Comparison,
    model::{GroupKind, Subject, Untrusted, Verdicts},
    score::{Points, Score, one_decimal},
};

/// Subjects of a rule that are listed unless all are asked for.
const SUBJECTS: usize = 5;

/// One of two reports.
#[derive(Clone, Debug)]
pub struct Side {
    pub(super) origin: String,
    pub(super) time: String,
    pub(super) score: Option<Points>,
    pub(super) level: Option<String>,
    /// Digest of scorecard and rules.
    pub(super) yardstick: String,
    /// The scorecard and its profile, in words.
    pub(super) scorecard: String,
    pub(super) rules: BTreeMap<String, SideRule>,
    /// Every subject there was, where that is known: a written report holds only those that do not
    /// pass.
    pub(super) subjects: Option<BTreeSet<SubjectKey>>,
}

/// A rule of one of two reports.
#[derive(Clone, Debug)]
pub(super) struct SideRule {
    pub digest: String,
    pub title: String,
    pub severity: String,
    pub state: String,
    pub possible: Points,
    pub earned: Points,
    pub findings: BTreeMap<SubjectKey, Brief>,
}

impl SideRule {
    /// What share of its points it earns.
    fn credit(&self) -> Points {
        match self.possible.is_zero() {
            true => Points::zero(),
            false => &self.earned / &self.possible,
        }
    }
}

/// What tells subjects apart.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct SubjectKey {
    pub kind: GroupKind,
    pub namespace: Option<String>,
    pub name: String,
}

impl SubjectKey {
    fn of(subject: &Subject) -> Self {
        SubjectKey {
            kind: subject.kind.clone(),
            namespace: subject.namespace.as_ref().map(|text| text.raw().to_owned()),
            name: subject.name.raw().to_owned(),
        }
    }

    fn text(&self) -> String {
        super::subject_text(&Subject {
            kind: self.kind.clone(),
            namespace: self.namespace.as_deref().map(Into::into),
            name: self.name.as_str().into(),
            place: None,
        })
    }
}

/// What was found of a subject.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Brief {
    pub outcome: String,
    pub credit: f64,
    pub message: String,
    pub waived: bool,
}

impl Side {
    /// A report that was just made, with everything that was judged.
    pub fn of(report: &Report, verdicts: &Verdicts) -> Self {
        let rules = report.rules.iter().map(|rule| {
            let findings = rule.findings.iter().map(|finding| {
                let message = finding.messages.first();
                let brief = Brief {
                    outcome: outcome_word(finding.outcome).to_owned(),
                    credit: finding.credit.to_f64().unwrap_or_default(),
                    message: message.map_or_else(String::new, |text| text.raw().to_owned()),
                    waived: finding.waived,
                };
                (SubjectKey::of(&finding.subject), brief)
            });
            let side = SideRule {
                digest: rule.digest.clone(),
                title: rule.title.clone(),
                severity: rule.severity.to_string(),
                state: state_word(rule.state).to_owned(),
                possible: rule.possible.clone(),
                earned: rule.earned.clone(),
                findings: findings.collect(),
            };
            (rule.id.to_string(), side)
        });
        Side {
            origin: report.origin.raw().to_owned(),
            time: report.time.to_string(),
            score: report.total.as_ref().map(|total| total.score.clone()),
            level: report.level.reached.clone(),
            yardstick: report.yardstick.digest.clone(),
            scorecard: format!(
                "{} {} ({})",
                report.yardstick.scorecard, report.yardstick.version, report.yardstick.profile
            ),
            rules: rules.collect(),
            subjects: Some(verdicts.subjects.iter().map(SubjectKey::of).collect()),
        }
    }

    /// A report that was written as JSON.
    ///
    /// # Errors
    /// The text is no report, or one of a version that is not known here.
    pub fn parse(text: &str) -> Result<Self, String> {
        json::side(text)
    }

    /// Whether a subject is there, where that is known.
    fn has(&self, subject: &SubjectKey) -> Option<bool> {
        if let Some(subjects) = &self.subjects {
            return Some(subjects.contains(subject));
        }
        let found = self
            .rules
            .values()
            .any(|rule| rule.findings.contains_key(subject));
        found.then_some(true)
    }
}

/// What happened to a subject of a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Change {
    /// It did not fail before and does now.
    New,
    /// It failed before and now does in another way.
    Changed,
    /// It failed before and does not any more.
    Fixed,
    /// It failed before and is not there any more.
    Gone,
}

impl Change {
    const ALL: [Change; 4] = [Change::New, Change::Changed, Change::Fixed, Change::Gone];

    fn word(self) -> &'static str {
        match self {
            Change::New => "new",
            Change::Changed => "changed",
            Change::Fixed => "fixed",
            Change::Gone => "gone",
        }
    }
}

/// A rule that moved.
#[derive(Clone, Debug)]
struct RuleDiff {
    id: String,
    title: String,
    severity: String,
    states: (Option<String>, Option<String>),
    /// Points that its verdicts moved.
    verdicts: Points,
    /// Points that moved because it can earn more or less.
    weight: Points,
    /// Whether the verdicts moved because the rule itself is another.
    rule_changed: bool,
    subjects: Vec<(Change, SubjectKey, String)>,
}

/// The difference of two reports.
#[derive(Clone, Debug)]
pub struct Diff {
    old: Side,
    new: Side,
    /// Points that the cluster moved by what rules found.
    cluster: Points,
    /// Points that the cluster moved by what is there to be judged.
    applicability: Points,
    /// Points that other rules, weights or parameters moved.
    yardstick: Points,
    rules: Vec<RuleDiff>,
}

impl Diff {
    /// Whether anything moved.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty() && self.difference().is_none_or(|points| negligible(&points))
    }

    /// What a gate wants to know of it.
    pub fn comparison(&self, score: &Score) -> Comparison {
        let old = self.old.score.as_ref();
        let best = score.total.as_ref().map(|total| &total.if_unknown_passed);
        let same = self.rules.iter().filter(|rule| !rule.rule_changed);
        let new = same.flat_map(|rule| {
            let new = rule
                .subjects
                .iter()
                .filter(|(change, _, _)| *change == Change::New);
            new.map(|(_, subject, _)| format!("{}: {}", rule.id, subject.text()))
        });
        Comparison {
            drop: self.difference().map(|points| -points),
            drop_if_unknown_passed: old.zip(best).map(|(old, best)| exact(old - best)),
            new_failures: new.collect(),
        }
    }

    fn difference(&self) -> Option<Points> {
        Some(exact(self.new.score.as_ref()? - self.old.score.as_ref()?))
    }

    fn same_yardstick(&self) -> bool {
        self.old.yardstick == self.new.yardstick
    }
}

/// Compares two reports.
pub fn diff(old: Side, new: Side) -> Diff {
    let ids: BTreeSet<&String> = old.rules.keys().chain(new.rules.keys()).collect();
    let same_yardstick = old.yardstick == new.yardstick;
    let mut rules = Vec::new();
    let (mut cluster, mut applicability, mut yardstick) =
        (Points::zero(), Points::zero(), Points::zero());
    for id in ids {
        let (before, after) = (old.rules.get(id), new.rules.get(id));
        let zero = Points::zero;
        let possible = |rule: Option<&SideRule>| rule.map_or_else(zero, |r| r.possible.clone());
        let credit = |rule: Option<&SideRule>| rule.map_or_else(zero, SideRule::credit);
        let verdicts = possible(before) * (credit(after) - credit(before));
        let weight = (possible(after) - possible(before)) * credit(after);
        // A report of before rules had digests says nothing of a change.
        let rule_changed = match (before, after) {
            (Some(before), Some(after)) => {
                !before.digest.is_empty() && before.digest != after.digest
            }
            _ => true,
        };
        match rule_changed {
            true => yardstick += &verdicts,
            false => cluster += &verdicts,
        }
        match same_yardstick {
            true => applicability += &weight,
            false => yardstick += &weight,
        }
        let subjects = subjects(before, after, &old, &new);
        let moved = !negligible(&verdicts) || before.is_none() || after.is_none();
        let changed_state = before.map(|rule| &rule.state) != after.map(|rule| &rule.state);
        let Some(rule) = after.or(before) else {
            continue;
        };
        if moved || changed_state || !subjects.is_empty() {
            rules.push(RuleDiff {
                id: id.clone(),
                title: rule.title.clone(),
                severity: rule.severity.clone(),
                states: (
                    before.map(|rule| rule.state.clone()),
                    after.map(|rule| rule.state.clone()),
                ),
                verdicts,
                weight,
                rule_changed,
                subjects,
            });
        }
    }
    // What cost points comes first, the worst of it before the rest.
    let key = |rule: &RuleDiff| (rule.total(), rule.is_reworded(), rule.id.clone());
    rules.sort_by_key(key);
    Diff {
        old,
        new,
        cluster,
        applicability,
        yardstick,
        rules,
    }
}

impl RuleDiff {
    fn total(&self) -> Points {
        &self.verdicts + &self.weight
    }

    fn states_text(&self) -> String {
        match &self.states {
            (Some(old), Some(new)) if old == new => new.clone(),
            (Some(old), Some(new)) => format!("{old} → {new}"),
            (None, Some(new)) => format!("new rule: {new}"),
            (Some(old), None) => format!("rule gone: was {old}"),
            (None, None) => String::new(),
        }
    }

    /// Whether the same subjects fail as before, in other words.
    fn is_reworded(&self) -> bool {
        let tenth = Points::new(1.into(), 20.into());
        let changed = |(change, _, _): &(Change, _, _)| *change == Change::Changed;
        self.states.0 == self.states.1
            && self.total().abs() < tenth
            && self.subjects.iter().all(changed)
    }

    /// Whether there is anything to tell that a reader could see.
    fn is_visible(&self) -> bool {
        let tenth = Points::new(1.into(), 20.into());
        self.total().abs() >= tenth || self.states.0 != self.states.1 || !self.subjects.is_empty()
    }

    fn counts(&self) -> String {
        let counts = Change::ALL.iter().filter_map(|change| {
            let count = self.subjects.iter().filter(|(c, _, _)| c == change).count();
            (count > 0).then(|| format!("{count} {}", change.word()))
        });
        counts.collect::<Vec<_>>().join(", ")
    }
}

fn subjects(
    before: Option<&SideRule>,
    after: Option<&SideRule>,
    old: &Side,
    new: &Side,
) -> Vec<(Change, SubjectKey, String)> {
    // A rule that came or went changes no subject.
    let (Some(before), Some(after)) = (before, after) else {
        return Vec::new();
    };
    let fails = |brief: &&Brief| brief.outcome == "fail" && !brief.waived;
    let mut changes = Vec::new();
    for (subject, now) in &after.findings {
        if !fails(&now) {
            continue;
        }
        let change = match before.findings.get(subject).filter(fails) {
            None => Change::New,
            Some(then) if then != now => Change::Changed,
            Some(_) => continue,
        };
        let there = match (change, old.has(subject)) {
            (Change::New, Some(false)) => " (it is new itself)",
            _ => "",
        };
        changes.push((change, subject.clone(), format!("{}{there}", now.message)));
    }
    for (subject, then) in &before.findings {
        let still = after
            .findings
            .get(subject)
            .is_some_and(|now| now.outcome == "fail");
        if !fails(&then) || still {
            continue;
        }
        let change = match new.has(subject) {
            Some(false) => Change::Gone,
            _ => Change::Fixed,
        };
        changes.push((change, subject.clone(), then.message.clone()));
    }
    changes.sort_by(|a, b| (a.0, &a.1).cmp(&(b.0, &b.1)));
    changes
}

/// Writes a line. Writing to a string cannot fail.
macro_rules! say {
    ($out:expr, $($argument:tt)*) => {{
        let _ = writeln!($out, $($argument)*);
    }};
}

/// Whether points are what the rounding of written reports leaves.
fn negligible(points: &Points) -> bool {
    points.abs() < Points::new(1.into(), 1_000_000_000.into())
}

/// Points without what the rounding of written reports leaves.
fn exact(points: Points) -> Points {
    match negligible(&points) {
        true => Points::zero(),
        false => points,
    }
}

/// Points with their sign.
fn signed(points: &Points) -> String {
    let text = one_decimal(points);
    match points.is_positive() && text != "0.0" {
        true => format!("+{text}"),
        false => text,
    }
}

fn score_text(score: Option<&Points>) -> String {
    score.map_or_else(|| "no score".to_owned(), one_decimal)
}

fn level_text(level: Option<&String>) -> String {
    level.map_or_else(|| "below every level".to_owned(), shown)
}

impl Diff {
    /// Scores and levels, then and now.
    pub(super) fn headline(&self) -> String {
        let (old, new) = (&self.old, &self.new);
        let difference = self.difference();
        let difference = difference.map(|points| format!(" ({})", signed(&points)));
        let levels = match old.level == new.level {
            true => level_text(new.level.as_ref()),
            false => format!(
                "{} → {}",
                level_text(old.level.as_ref()),
                level_text(new.level.as_ref())
            ),
        };
        format!(
            "{} → {}{} · {levels}",
            score_text(old.score.as_ref()),
            score_text(new.score.as_ref()),
            difference.unwrap_or_default()
        )
    }

    /// The rules that find the same subjects wrong as before, for another reason.
    fn reworded(&self) -> Option<String> {
        let rules = self.rules.iter().filter(|rule| rule.is_reworded());
        let ids: Vec<&str> = rules.map(|rule| &*rule.id).collect();
        let told = match ids.len() {
            0 => return None,
            1 => "one rule finds".to_owned(),
            more => format!("{more} rules find"),
        };
        Some(format!(
            "{told} the same wrong as before, for another reason: {}",
            ids.join(", ")
        ))
    }

    /// The rules that moved, for a table.
    pub(super) fn moved(&self) -> Vec<Moved> {
        let shown = |rule: &&RuleDiff| rule.is_visible() && !rule.is_reworded();
        let rules = self.rules.iter().filter(shown);
        rules
            .map(|rule| Moved {
                points: signed(&rule.total()),
                rule: format!("{} ({})", super::shown(&rule.title), super::shown(&rule.id)),
                states: rule.states_text(),
                counts: rule.counts(),
            })
            .collect()
    }

    /// Where the points come from, one sentence each.
    pub(super) fn parts(&self) -> Vec<String> {
        let mut parts = Vec::new();
        if self.old.score.is_none() || self.new.score.is_none() {
            return parts;
        }
        parts.push(format!("{} by what the rules found", signed(&self.cluster)));
        if !negligible(&self.applicability) {
            parts.push(format!(
                "{} because other rules apply now, which weighs all anew",
                signed(&self.applicability)
            ));
        }
        if !self.same_yardstick() {
            parts.push(format!(
                "{} by another yardstick: {} → {}",
                signed(&self.yardstick),
                shown(&self.old.scorecard),
                shown(&self.new.scorecard)
            ));
        }
        parts
    }
}

fn visible(text: &str) -> String {
    Untrusted::from(text).visible()
}

/// The difference for a terminal.
pub fn diff_table(diff: &Diff, style: &Style) -> String {
    let mut out = String::new();
    say!(out, "{}", wrap(&diff.headline(), style.width, 0));
    let (old, new) = (&diff.old, &diff.new);
    let ends = format!(
        "from {} ({}) to {} ({})",
        visible(&old.origin),
        visible(&old.time),
        visible(&new.origin),
        visible(&new.time)
    );
    say!(out, "{}", wrap(&ends, style.width, 0));
    for part in diff.parts() {
        say!(out, "  {}", wrap(&part, style.width, 4));
    }
    if diff.is_empty() {
        say!(out, "\nNothing moved.");
        return out;
    }
    let shown = |rule: &&RuleDiff| rule.is_visible() && (style.all || !rule.is_reworded());
    for rule in diff.rules.iter().filter(shown) {
        let counts = rule.counts();
        let separator = if counts.is_empty() { "" } else { " · " };
        let changed = if rule.rule_changed && rule.states.0.is_some() && rule.states.1.is_some() {
            " · the rule itself changed"
        } else {
            ""
        };
        let line = format!(
            "{:>6}  {} ({}) {}{separator}{counts}{changed}",
            signed(&rule.total()),
            rule.id,
            rule.severity,
            rule.states_text(),
        );
        say!(out, "\n{}", wrap(&line, style.width, 8));
        let listed = match style.all || style.wide {
            true => rule.subjects.len(),
            false => rule.subjects.len().min(SUBJECTS),
        };
        for (change, subject, message) in &rule.subjects[..listed] {
            let separator = if message.is_empty() { "" } else { ": " };
            let line = format!(
                "{:<7} {}{separator}{}",
                change.word(),
                subject.text(),
                visible(message)
            );
            say!(out, "        {}", wrap(&line, style.width, 16));
        }
        if listed < rule.subjects.len() {
            say!(out, "        and {} more", rule.subjects.len() - listed);
        }
    }
    if !style.all
        && let Some(line) = diff.reworded()
    {
        say!(out, "\n{}", wrap(&line, style.width, 0));
    }
    out
}

/// The difference as Markdown, for a pull request: at most what GitHub takes in a comment.
pub fn diff_markdown(diff: &Diff) -> String {
    diff_within(diff, 65_000)
}

/// The same in a number of bytes, but for its head; what does not fit is counted.
pub(super) fn diff_within(diff: &Diff, limit: usize) -> String {
    let mut out = String::new();
    say!(out, "### Readiness: {}\n", markdown::text(&diff.headline()));
    for part in diff.parts() {
        say!(out, "- {}", markdown::text(&part));
    }
    if diff.is_empty() {
        say!(out, "\nNothing moved.");
        return out;
    }
    say!(
        out,
        "\n| points | rule | then → now | subjects |\n|---:|---|---|---|"
    );
    let shown = |rule: &&RuleDiff| rule.is_visible() && !rule.is_reworded();
    for rule in diff.rules.iter().filter(shown) {
        let row = format!(
            "| {} | {} (`{}`) | {} | {} |",
            signed(&rule.total()),
            markdown::cell(&rule.title),
            rule.id,
            rule.states_text(),
            rule.counts()
        );
        if out.len() + row.len() > limit {
            say!(out, "\nMore rules moved than a comment holds.");
            return out;
        }
        say!(out, "{row}");
    }
    if let Some(line) = diff.reworded() {
        say!(out, "\n{}", markdown::text(&line));
    }
    let detailed = diff.rules.iter().filter(shown);
    for rule in detailed.filter(|rule| !rule.subjects.is_empty()) {
        let before = out.len();
        say!(
            out,
            "\n<details><summary><code>{}</code> {}</summary>\n",
            rule.id,
            rule.counts()
        );
        for (change, subject, message) in rule.subjects.iter().take(50) {
            let separator = if message.is_empty() { "" } else { ": " };
            say!(
                out,
                "- **{}** {}{separator}{}",
                change.word(),
                markdown::text(&subject.text()),
                markdown::text(&visible(message))
            );
        }
        if rule.subjects.len() > 50 {
            say!(out, "- and {} more", rule.subjects.len() - 50);
        }
        say!(out, "\n</details>");
        if out.len() > limit {
            out.truncate(before);
            say!(out, "\nThere are more subjects than a comment holds.");
            return out;
        }
    }
    out
}

/// A difference, as JSON. Points are of the overall 100 and are not rounded; the rules' points sum
/// to the difference, apart from those that only weigh another amount.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(title = "Seaworthy diff")]
#[serde(rename_all = "camelCase")]
pub(super) struct Document {
    /// Version of this format.
    version: u32,
    old: End,
    new: End,
    /// New score less old score.
    difference: Option<f64>,
    /// Part of it that rules found in the cluster.
    by_cluster: f64,
    /// Part of it that comes of other rules being applicable.
    by_applicability: f64,
    /// Part of it that comes of another yardstick.
    by_yardstick: f64,
    rules: Vec<RuleDocument>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct End {
    origin: String,
    time: String,
    score: Option<f64>,
    level: Option<String>,
    /// SHA-256 of scorecard and rules.
    yardstick: String,
}

#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct RuleDocument {
    rule: String,
    title: String,
    severity: String,
    /// State then; nothing if the rule is new.
    old: Option<String>,
    /// State now; nothing if the rule is gone.
    new: Option<String>,
    /// Points that its verdicts moved.
    points: f64,
    /// Points that moved because it can earn more or less.
    weight: f64,
    /// The rule itself is another.
    rule_changed: bool,
    subjects: Vec<SubjectDocument>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct SubjectDocument {
    /// new, changed, fixed or gone.
    change: String,
    group: String,
    kind: String,
    namespace: Option<String>,
    name: String,
    message: String,
}

/// The difference as a JSON document, ending in a line feed.
pub fn diff_json(diff: &Diff) -> String {
    let mut text = serde_json::to_string_pretty(&document(diff)).unwrap_or_default();
    text.push('\n');
    armoured(&text)
}

/// The difference as plain data.
pub(super) fn document(diff: &Diff) -> Document {
    let end = |side: &Side| End {
        origin: side.origin.clone(),
        time: side.time.clone(),
        score: side.score.as_ref().map(number),
        level: side.level.clone(),
        yardstick: side.yardstick.clone(),
    };
    Document {
        version: 1,
        old: end(&diff.old),
        new: end(&diff.new),
        difference: diff.difference().as_ref().map(number),
        by_cluster: number(&diff.cluster),
        by_applicability: number(&diff.applicability),
        by_yardstick: number(&diff.yardstick),
        rules: diff.rules.iter().map(rule_document).collect(),
    }
}

/// JSON Schema of the document.
pub fn diff_schema() -> serde_json::Value {
    schemars::schema_for!(Document).to_value()
}

fn rule_document(rule: &RuleDiff) -> RuleDocument {
    let subjects = rule
        .subjects
        .iter()
        .map(|(change, subject, message)| SubjectDocument {
            change: change.word().to_owned(),
            group: subject.kind.group.to_string(),
            kind: subject.kind.kind.to_string(),
            namespace: subject.namespace.clone(),
            name: subject.name.clone(),
            message: message.clone(),
        });
    RuleDocument {
        rule: rule.id.clone(),
        title: rule.title.clone(),
        severity: rule.severity.clone(),
        old: rule.states.0.clone(),
        new: rule.states.1.clone(),
        points: number(&rule.verdicts),
        weight: number(&rule.weight),
        rule_changed: rule.rule_changed,
        subjects: subjects.collect(),
    }
}

fn number(points: &Points) -> f64 {
    points.to_f64().unwrap_or_default()
}
