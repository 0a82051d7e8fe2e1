//! HTML: one file that loads nothing, is readable without its script, and can be forwarded.
//!
//! All text of others goes through askama's escaping, after control characters were made visible.
//! The policy in the page allows its own style and script, by their hashes, and nothing else.

use std::f64::consts::PI;

use askama::Template;
use base64::Engine as _;
use num_traits::Zero as _;
use sha2::{Digest, Sha256};

use super::{
    Finding, Plan, Report, RuleReport, blocker_text, counted,
    diff::Diff,
    findings::{said, unanswered},
    json::{number, source_word},
    place_text, shown, subject_text,
};
use crate::{
    gate::Decision,
    model::{Effort, Outcome, Severity},
    score::{Mark, Points, RuleState, WaiverStatus, one_decimal},
};

const STYLE: &str = include_str!("../../templates/report.css");
const SCRIPT: &str = include_str!("../../templates/report.js");
/// Subjects of a gap that are listed.
const SUBJECTS: usize = 200;

#[derive(Template)]
#[template(path = "report.html")]
struct Page {
    style_hash: String,
    script_hash: String,
    style: &'static str,
    script: &'static str,
    origin: String,
    score: String,
    arc: Option<Arc>,
    marks: Vec<Tick>,
    level: String,
    facts: Vec<String>,
    about: String,
    gate: Option<Gate>,
    next: Option<Next>,
    categories: Vec<Category>,
    baseline: Option<Baseline>,
    severities: Vec<String>,
    gaps: Vec<Gap>,
    plan: Option<Steps>,
    unread: Vec<Unread>,
    waivers: Vec<Waiver>,
    attested: Vec<String>,
    others: Vec<Group>,
    notes: Vec<String>,
    made: String,
}

/// The part of the gauge that is reached.
struct Arc {
    path: String,
    tone: &'static str,
}

/// Where a level begins.
struct Tick {
    x1: String,
    y1: String,
    x2: String,
    y2: String,
    title: String,
}

struct Gate {
    tone: &'static str,
    words: &'static str,
    reasons: Vec<String>,
}

struct Next {
    name: String,
    blockers: Vec<String>,
}

struct Category {
    name: String,
    score: String,
    tone: &'static str,
    weight: u32,
    coverage: String,
    themes: Vec<Theme>,
}

struct Theme {
    name: String,
    score: String,
    width: String,
    tone: &'static str,
}

struct Baseline {
    headline: String,
    parts: Vec<String>,
    rules: Vec<Moved>,
}

/// A rule that moved since the baseline.
pub(super) struct Moved {
    pub points: String,
    pub rule: String,
    pub states: String,
    pub counts: String,
}

struct Gap {
    rule: String,
    title: String,
    count: String,
    category: String,
    theme: String,
    severity: Severity,
    effort: Effort,
    points: String,
    unproven: Option<String>,
    why: Vec<Part>,
    fix: Vec<Part>,
    subjects: Vec<Seen>,
    more: usize,
    unanswered: Option<String>,
    references: Vec<Reference>,
}

/// A paragraph, or lines of code.
struct Part {
    code: bool,
    text: String,
}

struct Seen {
    name: String,
    place: Option<String>,
    said: String,
}

struct Reference {
    link: bool,
    text: String,
}

struct Steps {
    target: String,
    headline: String,
    steps: Vec<Step>,
}

struct Step {
    number: usize,
    points: String,
    score: String,
    effort: Effort,
    title: String,
    rule: String,
}

struct Unread {
    kind: String,
    why: String,
    permission: String,
    points: String,
}

struct Waiver {
    rule: String,
    owner: String,
    reason: String,
    expires: String,
    points: String,
}

struct Group {
    title: String,
    rules: Vec<String>,
}

/// The report as one HTML page, with a plan where one is given.
pub fn html(report: &Report, plan: Option<&Plan<'_>>) -> String {
    let page = Page {
        style_hash: hash(STYLE),
        script_hash: hash(SCRIPT),
        style: STYLE,
        script: SCRIPT,
        origin: report.origin.visible(),
        score: score_text(report.total.as_ref()),
        arc: report.total.as_ref().map(|total| arc(number(&total.score))),
        marks: report.levels.iter().map(tick).collect(),
        level: level(report),
        facts: facts(report),
        about: about(report),
        gate: report.gate.as_ref().map(gate),
        next: report.level.next.as_ref().map(|next| Next {
            name: shown(&next.name),
            blockers: next
                .blockers
                .iter()
                .map(|b| shown(blocker_text(b)))
                .collect(),
        }),
        categories: report.categories.iter().map(category).collect(),
        baseline: report.baseline.as_ref().map(baseline),
        severities: ["critical", "high", "medium", "low", "info"]
            .map(str::to_owned)
            .to_vec(),
        gaps: report.gaps().map(gap).collect(),
        plan: plan.map(steps),
        unread: report.unread.iter().map(unread).collect(),
        waivers: report.waivers.iter().map(waiver).collect(),
        attested: attested(report),
        others: others(report),
        notes: report.notes.iter().map(|note| note.visible()).collect(),
        made: format!(
            "Seaworthy {} · scorecard {} {} · profile {} · yardstick {}",
            report.tool,
            shown(&report.yardstick.scorecard),
            shown(&report.yardstick.version),
            shown(&report.yardstick.profile),
            report.yardstick.digest
        ),
    };
    // Writing to a string cannot fail.
    page.render().unwrap_or_default()
}

/// How a Content-Security-Policy names a style or a script.
fn hash(text: &str) -> String {
    let digest = Sha256::digest(text.as_bytes());
    let base64 = base64::engine::general_purpose::STANDARD.encode(digest);
    format!("sha256-{base64}")
}

fn score_text(mark: Option<&Mark>) -> String {
    mark.map_or_else(|| "–".to_owned(), |mark| one_decimal(&mark.score))
}

/// Colours are for the eye; the number is always beside them.
fn tone(score: f64) -> &'static str {
    match score {
        score if score >= 80.0 => "good",
        score if score >= 50.0 => "fair",
        _ => "poor",
    }
}

/// A point of the gauge: a half circle around (100, 105) from the left.
fn on_gauge(score: f64, radius: f64) -> (String, String) {
    let angle = PI * (1.0 - score.clamp(0.0, 100.0) / 100.0);
    let (x, y) = (100.0 + radius * angle.cos(), 105.0 - radius * angle.sin());
    (format!("{x:.2}"), format!("{y:.2}"))
}

fn arc(score: f64) -> Arc {
    let (x, y) = on_gauge(score, 80.0);
    Arc {
        path: format!("M 20 105 A 80 80 0 0 1 {x} {y}"),
        tone: tone(score),
    }
}

fn tick((name, score): &(String, Points)) -> Tick {
    let at = number(score);
    let ((x1, y1), (x2, y2)) = (on_gauge(at, 68.0), on_gauge(at, 92.0));
    Tick {
        x1,
        y1,
        x2,
        y2,
        title: format!("{} from {}", shown(name), one_decimal(score)),
    }
}

fn level(report: &Report) -> String {
    match &report.level.reached {
        _ if report.total.is_none() => {
            "No score: there is nothing here that the rules are about".to_owned()
        }
        Some(level) if report.level.borderline => format!("{} (borderline)", shown(level)),
        Some(level) => shown(level),
        None => "Below every level".to_owned(),
    }
}

fn facts(report: &Report) -> Vec<String> {
    let mut facts = vec![format!("coverage {}", percent(&report.coverage))];
    if let Some(total) = &report.total {
        if total.if_unknown_passed != total.score {
            let best = one_decimal(&total.if_unknown_passed);
            facts.push(format!("{best} if everything unknown passed"));
        }
        if total.raw != total.score {
            facts.push(format!("{} without waivers", one_decimal(&total.raw)));
        }
    }
    facts
}

fn about(report: &Report) -> String {
    let version = report.cluster.version.as_deref().map(shown);
    let version = version.map_or_else(String::new, |version| format!(" · Kubernetes {version}"));
    format!(
        "{}{version} · {}",
        source_word(report.source),
        report.time.strftime("%Y-%m-%d %H:%M UTC")
    )
}

fn gate(decision: &Decision) -> Gate {
    let (tone, words, reasons) = match decision {
        Decision::Met => ("good", "Gate met", &[][..]),
        Decision::NotMet(reasons) => ("poor", "Gate not met", &reasons[..]),
        Decision::Inconclusive(reasons) => ("fair", "Gate inconclusive", &reasons[..]),
    };
    Gate {
        tone,
        words,
        reasons: reasons.iter().map(shown).collect(),
    }
}

fn category(category: &crate::score::CategoryScore) -> Category {
    let mark = category.mark.as_ref();
    Category {
        name: category.category.to_string(),
        score: score_text(mark),
        tone: mark.map_or("soft", |mark| tone(number(&mark.score))),
        weight: category.weight,
        coverage: percent(&category.coverage),
        themes: category
            .themes
            .iter()
            .filter_map(|theme| {
                let mark = theme.mark.as_ref()?;
                let score = number(&mark.score);
                Some(Theme {
                    name: shown(&theme.theme),
                    score: one_decimal(&mark.score),
                    width: format!("{score:.1}"),
                    tone: tone(score),
                })
            })
            .collect(),
    }
}

fn baseline(diff: &Diff) -> Baseline {
    Baseline {
        headline: diff.headline(),
        parts: diff.parts(),
        rules: diff.moved(),
    }
}

fn gap(rule: &RuleReport) -> Gap {
    let open = |finding: &&Finding| finding.outcome != Outcome::Attested && !finding.waived;
    let open: Vec<&Finding> = rule.findings.iter().filter(open).collect();
    let failing = rule.counts.fail;
    let all = rule.counts.fail + rule.counts.pass;
    Gap {
        rule: shown(&rule.id),
        title: shown(&rule.title),
        count: match (rule.state, all) {
            (RuleState::Unknown, _) => "unknown".to_owned(),
            (_, all) if all > 1 => format!("{failing} of {all} fail"),
            _ => String::new(),
        },
        category: rule.category.to_string(),
        theme: shown(&rule.theme),
        severity: rule.severity,
        effort: rule.effort,
        points: one_decimal(&rule.lost),
        unproven: (!rule.unproven.is_zero()).then(|| one_decimal(&rule.unproven)),
        why: parts(&rule.why),
        fix: parts(&rule.fix),
        more: open.len().saturating_sub(SUBJECTS),
        subjects: open
            .iter()
            .take(SUBJECTS)
            .map(|finding| seen(finding))
            .collect(),
        unanswered: unanswered(rule),
        references: rule
            .references
            .iter()
            .map(|reference| Reference {
                link: reference.starts_with("https://"),
                text: shown(reference),
            })
            .collect(),
    }
}

fn seen(finding: &Finding) -> Seen {
    Seen {
        name: subject_text(&finding.subject),
        place: finding.subject.place.as_ref().map(place_text),
        said: said(finding),
    }
}

/// Markdown as far as rules use it: paragraphs, and code between fences.
fn parts(text: &str) -> Vec<Part> {
    let mut parts: Vec<Part> = Vec::new();
    let mut code = false;
    let mut lines: Vec<&str> = Vec::new();
    let mut end = |lines: &mut Vec<&str>, code: bool| {
        if !lines.is_empty() {
            let text = lines.join(if code { "\n" } else { " " });
            parts.push(Part {
                code,
                text: match code {
                    true => text.lines().map(shown).collect::<Vec<_>>().join("\n"),
                    false => shown(text),
                },
            });
            lines.clear();
        }
    };
    for line in text.trim().lines() {
        if line.trim_start().starts_with("```") {
            end(&mut lines, code);
            code = !code;
        } else if line.trim().is_empty() && !code {
            end(&mut lines, code);
        } else {
            lines.push(line);
        }
    }
    end(&mut lines, code);
    parts
}

fn steps(plan: &Plan<'_>) -> Steps {
    Steps {
        target: shown(plan.target),
        headline: plan.headline(),
        steps: plan
            .steps()
            .map(|(number, step, rule)| Step {
                number,
                points: one_decimal(&step.points),
                score: one_decimal(&step.score),
                effort: rule.effort,
                title: shown(&rule.title),
                rule: shown(&rule.id),
            })
            .collect(),
    }
}

fn unread(unread: &super::UnreadReport) -> Unread {
    Unread {
        kind: shown(&unread.kind),
        why: shown(&unread.why.detail),
        permission: unread.permission.as_ref().map(shown).unwrap_or_default(),
        points: one_decimal(&unread.points),
    }
}

fn waiver(waiver: &super::WaiverReport) -> Waiver {
    let day = waiver.expires.strftime("%Y-%m-%d");
    Waiver {
        rule: shown(&waiver.rule),
        owner: waiver.owner.visible(),
        reason: waiver.reason.visible(),
        expires: match waiver.status {
            WaiverStatus::Active => day.to_string(),
            WaiverStatus::ExpiresSoon => format!("{day}, soon"),
            WaiverStatus::Expired => format!("{day}, expired: counts no more"),
            WaiverStatus::Unused => format!("{day}, covers nothing"),
        },
        points: one_decimal(&waiver.points),
    }
}

fn attested(report: &Report) -> Vec<String> {
    let rules = report.rules.iter().filter(|rule| rule.counts.attested > 0);
    rules
        .map(|rule| format!("{} ({})", shown(&rule.title), shown(&rule.id)))
        .collect()
}

/// The rules that cost nothing, by their state.
fn others(report: &Report) -> Vec<Group> {
    let states = [
        (RuleState::Pass, "pass"),
        (RuleState::NotApplicable, "not applicable"),
        (RuleState::NotAssessable, "not answerable from this source"),
    ];
    states
        .into_iter()
        .filter_map(|(state, words)| {
            let rules = report.rules.iter().filter(|rule| rule.state == state);
            let rules: Vec<String> = rules
                .map(|rule| format!("{} ({})", shown(&rule.title), shown(&rule.id)))
                .collect();
            let title = format!("{} {words}", counted(rules.len(), "rule"));
            (!rules.is_empty()).then_some(Group { title, rules })
        })
        .collect()
}

fn percent(share: &Points) -> String {
    let hundred = Points::from_integer(100.into());
    format!("{} %", one_decimal(&(share * hundred)))
}
