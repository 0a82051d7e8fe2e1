//! JSON, version 1. The format owns its structs, so that a change of ours inside is no change for
//! whoever reads it.

use num_traits::ToPrimitive;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Finding, Report, RuleReport, blocker_text,
    diff::{self, Brief, Side, SideRule, SubjectKey},
};
use crate::{
    gate::Decision,
    model::{GroupKind, Outcome, SourceKind, Untrusted},
    score::{Blocker, Mark, Points, RuleState, WaiverStatus},
};

/// What `version` says.
const VERSION: u32 = 1;

/// An audit, as JSON. Points are of the overall 100 and are not rounded: the lost points of the
/// gaps and the score sum to 100.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[schemars(title = "Seaworthy report")]
#[serde(rename_all = "camelCase")]
struct Document {
    /// Version of this format.
    version: u32,
    /// Version of the program.
    tool: String,
    /// The clock of the audit, as RFC 3339.
    time: String,
    source: Source,
    cluster: Cluster,
    yardstick: Yardstick,
    /// Nothing if there was nothing to look at.
    score: Option<Score>,
    /// Share of the applicable points that could be assessed, 0 to 1.
    coverage: f64,
    level: Level,
    categories: Vec<Category>,
    /// Ids of rules that lost points, most points first.
    gaps: Vec<String>,
    /// Every rule that was evaluated, by id.
    rules: Vec<Rule>,
    /// Kinds that could not be read completely.
    unread: Vec<Unread>,
    waivers: Vec<Waiver>,
    notes: Vec<String>,
    /// What came of the gate; nothing if none was asked for.
    gate: Option<Gate>,
    /// What moved the score since the baseline; nothing if none was given.
    #[serde(default, skip_deserializing)]
    baseline: Option<diff::Document>,
}

#[derive(Debug, Deserialize, Serialize, JsonSchema)]
struct Source {
    /// live, snapshot or manifests.
    kind: String,
    /// A context, a file, a folder.
    origin: String,
}

#[derive(Debug, Deserialize, Serialize, JsonSchema)]
struct Cluster {
    /// UID of the namespace kube-system.
    uid: Option<String>,
    /// The server's gitVersion.
    version: Option<String>,
    platform: Option<String>,
}

#[derive(Debug, Deserialize, Serialize, JsonSchema)]
struct Yardstick {
    scorecard: String,
    version: String,
    profile: String,
    /// SHA-256 of scorecard and rules.
    digest: String,
}

#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Score {
    /// What is proven, 0 to 100.
    score: f64,
    /// What it would be if everything unknown passed.
    if_unknown_passed: f64,
    /// What is proven if waivers did not exist.
    raw: f64,
}

#[derive(Debug, Deserialize, Serialize, JsonSchema)]
struct Level {
    reached: Option<String>,
    borderline: bool,
    next: Option<NextLevel>,
    /// Rules that would hold the level back if their failures were not waived.
    waived: Vec<String>,
}

#[derive(Debug, Deserialize, Serialize, JsonSchema)]
struct NextLevel {
    name: String,
    blockers: Vec<LevelBlocker>,
}

#[derive(Debug, Deserialize, Serialize, JsonSchema)]
struct LevelBlocker {
    /// score, category, open-gaps, coverage or ceiling.
    gate: String,
    message: String,
    /// Rules whose gaps are open.
    rules: Vec<String>,
}

#[derive(Debug, Deserialize, Serialize, JsonSchema)]
struct Category {
    category: String,
    weight: u32,
    score: Option<Score>,
    coverage: f64,
    themes: Vec<Theme>,
}

#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Theme {
    theme: String,
    /// Points of the category's 100.
    budget: u32,
    /// Points it has after empty themes gave theirs away.
    effective_budget: f64,
    score: Option<Score>,
}

#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Rule {
    id: String,
    /// SHA-256 of the rule.
    #[serde(default)]
    digest: String,
    title: String,
    category: String,
    theme: String,
    severity: String,
    effort: String,
    /// pass, fail, unknown, attested, waived, not-applicable or not-assessable.
    state: String,
    possible: f64,
    earned: f64,
    lost: f64,
    /// Part of `lost` that would come back if everything unknown passed.
    unproven: f64,
    counts: Counts,
    /// Subjects that do not simply pass.
    findings: Vec<JsonFinding>,
    /// Why the source cannot answer it.
    not_assessable: Option<String>,
    fix: String,
}

#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Counts {
    pass: u32,
    fail: u32,
    unknown: u32,
    error: u32,
    not_applicable: u32,
    waived: u32,
    #[serde(default)]
    attested: u32,
}

#[derive(Debug, Deserialize, Serialize, JsonSchema)]
struct JsonFinding {
    group: String,
    kind: String,
    namespace: Option<String>,
    name: String,
    /// fail, unknown, attested or error.
    outcome: String,
    /// What the subject earns, 0 to 1.
    credit: f64,
    messages: Vec<String>,
    /// Kinds that would have to be readable for an answer, as `Kind.group`.
    unread: Vec<String>,
    /// `installed-but-inert` where the thing exists and does nothing.
    reason: Option<String>,
    waived: bool,
    /// Where it was written.
    place: Option<String>,
}

#[derive(Debug, Deserialize, Serialize, JsonSchema)]
struct Unread {
    kind: String,
    /// forbidden, unauthorized, unavailable, timeout, malformed, too-large or not-collected.
    cause: String,
    detail: String,
    /// Permission that would settle it.
    permission: Option<String>,
    /// Unproven points of the rules that need it.
    points: f64,
    rules: Vec<String>,
}

#[derive(Debug, Deserialize, Serialize, JsonSchema)]
struct Gate {
    /// met, not-met or inconclusive.
    decision: String,
    /// Thresholds that are missed, or that cannot be judged.
    reasons: Vec<String>,
}

#[derive(Debug, Deserialize, Serialize, JsonSchema)]
struct Waiver {
    rule: String,
    owner: String,
    reason: String,
    expires: String,
    /// active, expires-soon, expired or unused.
    status: String,
    subjects: u32,
    points: f64,
}

/// The report as a JSON document, ending in a line feed.
pub fn json(report: &Report) -> String {
    let mut text = serde_json::to_string_pretty(&document(report)).unwrap_or_default();
    text.push('\n');
    armoured(&text)
}

/// The same JSON with everything escaped that could steer or deceive a terminal. JSON itself asks
/// for less: it lets DEL, C1 controls and bidirectional overrides through.
pub(super) fn armoured(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        let mut utf8 = [0; 4];
        let is_plain = c == '\n' || (c.is_ascii() && !c.is_ascii_control());
        if is_plain
            || Untrusted::from(&*c.encode_utf8(&mut utf8))
                .visible()
                .chars()
                .eq([c])
        {
            out.push(c);
        } else {
            // Outside of strings there is nothing but plain characters.
            for unit in c.encode_utf16(&mut [0; 2]) {
                out.push_str(&format!("\\u{unit:04x}"));
            }
        }
    }
    out
}

/// The report as YAML: the same document.
pub fn yaml(report: &Report) -> String {
    serde_saphyr::to_string(&document(report)).unwrap_or_default()
}

/// A report that was written before, for comparison with another.
///
/// # Errors
/// The text is no report, or one of a version that is not known here.
pub(super) fn side(text: &str) -> Result<Side, String> {
    #[derive(Deserialize)]
    struct Versioned {
        version: u32,
    }
    let not = |error: serde_json::Error| format!("it is no report in JSON: {error}");
    let Versioned { version } = serde_json::from_str(text).map_err(not)?;
    if version != VERSION {
        return Err(format!(
            "it is a report of version {version}, not {VERSION}"
        ));
    }
    let document: Document = serde_json::from_str(text).map_err(not)?;
    let points = |number: f64| Points::from_float(number).unwrap_or_default();
    let rules = document.rules.into_iter().map(|rule| {
        let findings = rule.findings.into_iter().map(|finding| {
            let key = SubjectKey {
                kind: GroupKind::new(&finding.group, &finding.kind),
                namespace: finding.namespace,
                name: finding.name,
            };
            let brief = Brief {
                outcome: finding.outcome,
                credit: finding.credit,
                message: finding.messages.into_iter().next().unwrap_or_default(),
                waived: finding.waived,
            };
            (key, brief)
        });
        let side = SideRule {
            digest: rule.digest,
            title: rule.title,
            severity: rule.severity,
            state: rule.state,
            possible: points(rule.possible),
            earned: points(rule.earned),
            findings: findings.collect(),
        };
        (rule.id, side)
    });
    Ok(Side {
        origin: document.source.origin,
        time: document.time,
        score: document.score.map(|score| points(score.score)),
        level: document.level.reached,
        yardstick: document.yardstick.digest,
        scorecard: format!(
            "{} {} ({})",
            document.yardstick.scorecard, document.yardstick.version, document.yardstick.profile
        ),
        rules: rules.collect(),
        subjects: None,
    })
}

/// JSON Schema of the document.
pub fn schema() -> serde_json::Value {
    schemars::schema_for!(Document).to_value()
}

fn document(report: &Report) -> Document {
    Document {
        version: VERSION,
        tool: report.tool.to_owned(),
        time: report.time.to_string(),
        source: Source {
            kind: source_word(report.source).to_owned(),
            origin: report.origin.raw().to_owned(),
        },
        cluster: Cluster {
            uid: report.cluster.uid.as_deref().map(str::to_owned),
            version: report.cluster.version.as_deref().map(str::to_owned),
            platform: report.cluster.platform.as_deref().map(str::to_owned),
        },
        yardstick: Yardstick {
            scorecard: report.yardstick.scorecard.clone(),
            version: report.yardstick.version.clone(),
            profile: report.yardstick.profile.clone(),
            digest: report.yardstick.digest.clone(),
        },
        score: report.total.as_ref().map(mark),
        coverage: number(&report.coverage),
        level: level(report),
        categories: report.categories.iter().map(category).collect(),
        gaps: report.gaps().map(|rule| rule.id.to_string()).collect(),
        rules: report.rules.iter().map(rule).collect(),
        unread: report
            .unread
            .iter()
            .map(|unread| Unread {
                kind: unread.kind.to_string(),
                cause: unread.why.cause.to_string(),
                detail: unread.why.detail.to_string(),
                permission: unread.permission.clone(),
                points: number(&unread.points),
                rules: unread.rules.iter().map(|id| id.to_string()).collect(),
            })
            .collect(),
        waivers: report
            .waivers
            .iter()
            .map(|waiver| Waiver {
                rule: waiver.rule.to_string(),
                owner: waiver.owner.raw().to_owned(),
                reason: waiver.reason.raw().to_owned(),
                expires: waiver.expires.to_string(),
                status: status_word(waiver.status).to_owned(),
                subjects: waiver.subjects,
                points: number(&waiver.points),
            })
            .collect(),
        notes: report
            .notes
            .iter()
            .map(|note| note.raw().to_owned())
            .collect(),
        gate: report.gate.as_ref().map(|decision| {
            let (word, reasons) = match decision {
                Decision::Met => ("met", &[][..]),
                Decision::NotMet(reasons) => ("not-met", &reasons[..]),
                Decision::Inconclusive(reasons) => ("inconclusive", &reasons[..]),
            };
            Gate {
                decision: word.to_owned(),
                reasons: reasons.to_vec(),
            }
        }),
        baseline: report.baseline.as_ref().map(diff::document),
    }
}

fn level(report: &Report) -> Level {
    Level {
        reached: report.level.reached.clone(),
        borderline: report.level.borderline,
        next: report.level.next.as_ref().map(|next| NextLevel {
            name: next.name.clone(),
            blockers: next.blockers.iter().map(blocker).collect(),
        }),
        waived: report
            .level
            .waived
            .iter()
            .map(|id| id.to_string())
            .collect(),
    }
}

fn category(category: &crate::score::CategoryScore) -> Category {
    let themes = category.themes.iter().map(|theme| Theme {
        theme: theme.theme.to_string(),
        budget: theme.budget,
        effective_budget: number(&theme.effective_budget),
        score: theme.mark.as_ref().map(mark),
    });
    Category {
        category: category.category.to_string(),
        weight: category.weight,
        score: category.mark.as_ref().map(mark),
        coverage: number(&category.coverage),
        themes: themes.collect(),
    }
}

fn rule(rule: &RuleReport) -> Rule {
    Rule {
        id: rule.id.to_string(),
        digest: rule.digest.clone(),
        title: rule.title.clone(),
        category: rule.category.to_string(),
        theme: rule.theme.to_string(),
        severity: rule.severity.to_string(),
        effort: rule.effort.to_string(),
        state: state_word(rule.state).to_owned(),
        possible: number(&rule.possible),
        earned: number(&rule.earned),
        lost: number(&rule.lost),
        unproven: number(&rule.unproven),
        counts: Counts {
            pass: rule.counts.pass,
            fail: rule.counts.fail,
            unknown: rule.counts.unknown,
            error: rule.counts.error,
            not_applicable: rule.counts.not_applicable,
            waived: rule.counts.waived,
            attested: rule.counts.attested,
        },
        findings: rule.findings.iter().map(finding).collect(),
        not_assessable: rule.not_assessable.clone(),
        fix: rule.fix.clone(),
    }
}

fn finding(finding: &Finding) -> JsonFinding {
    let subject = &finding.subject;
    JsonFinding {
        group: subject.kind.group.to_string(),
        kind: subject.kind.kind.to_string(),
        namespace: subject.namespace.as_ref().map(|name| name.raw().to_owned()),
        name: subject.name.raw().to_owned(),
        outcome: outcome_word(finding.outcome).to_owned(),
        credit: finding.credit.to_f64().unwrap_or_default(),
        messages: finding
            .messages
            .iter()
            .map(|message| message.raw().to_owned())
            .collect(),
        unread: finding.unread.iter().map(ToString::to_string).collect(),
        reason: finding.inert.then(|| "installed-but-inert".to_owned()),
        waived: finding.waived,
        place: subject
            .place
            .as_ref()
            .map(|place| format!("{}:{}", place.file, place.line)),
    }
}

fn blocker(blocker: &Blocker) -> LevelBlocker {
    let (gate, rules) = match blocker {
        Blocker::Score { .. } => ("score", &[][..]),
        Blocker::Category { .. } => ("category", &[][..]),
        Blocker::OpenGaps { open, .. } => ("open-gaps", &open[..]),
        Blocker::Coverage { .. } => ("coverage", &[][..]),
        Blocker::Ceiling { .. } => ("ceiling", &[][..]),
    };
    LevelBlocker {
        gate: gate.to_owned(),
        message: blocker_text(blocker),
        rules: rules.iter().map(|id| id.to_string()).collect(),
    }
}

fn mark(mark: &Mark) -> Score {
    Score {
        score: number(&mark.score),
        if_unknown_passed: number(&mark.if_unknown_passed),
        raw: number(&mark.raw),
    }
}

pub(super) fn number(points: &Points) -> f64 {
    points.to_f64().unwrap_or_default()
}

/// The word for a kind of source.
pub fn source_word(source: SourceKind) -> &'static str {
    match source {
        SourceKind::Live => "live",
        SourceKind::Snapshot => "snapshot",
        SourceKind::Manifests => "manifests",
    }
}

/// The word for an outcome.
pub fn outcome_word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Pass => "pass",
        Outcome::Fail => "fail",
        Outcome::NotApplicable => "not-applicable",
        Outcome::Unknown => "unknown",
        Outcome::Error => "error",
        Outcome::Attested => "attested",
    }
}

/// The word for a state of a rule.
pub fn state_word(state: RuleState) -> &'static str {
    match state {
        RuleState::Pass => "pass",
        RuleState::Fail => "fail",
        RuleState::Unknown => "unknown",
        RuleState::Attested => "attested",
        RuleState::Waived => "waived",
        RuleState::NotApplicable => "not-applicable",
        RuleState::NotAssessable => "not-assessable",
    }
}

/// The word for the status of a waiver.
pub fn status_word(status: WaiverStatus) -> &'static str {
    match status {
        WaiverStatus::Active => "active",
        WaiverStatus::ExpiresSoon => "expires-soon",
        WaiverStatus::Expired => "expired",
        WaiverStatus::Unused => "unused",
    }
}
