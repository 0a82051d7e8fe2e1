//! Brings the parts of an audit together.

use sha2::{Digest, Sha256};

use super::{Finding, Report, RuleReport, UnreadReport, WaiverReport, Yardstick};
use crate::{
    model::{Inventory, ListState, Outcome, Reason, Unreadable, UnreadableCause, Verdicts},
    plan,
    rule::{Params, Rule, RuleSet},
    score::{Points, RuleScore, Score},
    scorecard::{Scorecard, Waiver},
};

/// What a report is made of.
#[derive(Clone, Copy, Debug)]
pub struct Parts<'a> {
    /// The rules that were evaluated.
    pub rules: &'a RuleSet,
    /// The yardstick.
    pub scorecard: &'a Scorecard,
    /// Profile whose parameters held.
    pub profile: &'a str,
    /// Their values.
    pub params: &'a Params,
    /// What was collected.
    pub inventory: &'a Inventory,
    /// What each rule found.
    pub verdicts: &'a Verdicts,
    /// What that amounts to.
    pub score: &'a Score,
    /// The waivers that were given.
    pub waivers: &'a [Waiver],
}

impl Report {
    /// The report of an audit.
    pub fn new(parts: &Parts<'_>) -> Report {
        let Parts {
            rules,
            scorecard,
            profile,
            params: _,
            inventory,
            verdicts,
            score,
            waivers,
        } = *parts;
        let reported: Vec<RuleReport> = score
            .rules
            .iter()
            .filter_map(|scored| rule_report(parts, scored))
            .collect();
        Report {
            tool: env!("CARGO_PKG_VERSION"),
            time: inventory.now,
            source: inventory.source,
            origin: inventory.origin.as_str().into(),
            cluster: inventory.cluster.clone(),
            yardstick: Yardstick {
                scorecard: scorecard.name.clone(),
                version: scorecard.version.clone(),
                profile: profile.to_owned(),
                digest: digest(parts, scorecard, rules),
            },
            total: score.total.clone(),
            coverage: score.coverage.clone(),
            level: score.level.clone(),
            levels: scorecard
                .levels
                .iter()
                .map(|level| {
                    let least = &level.min_score;
                    let least = Points::new((*least.numer()).into(), (*least.denom()).into());
                    (level.name.clone(), least)
                })
                .collect(),
            categories: score.categories.clone(),
            gaps: score
                .gaps
                .iter()
                .filter_map(|gap| reported.iter().position(|rule| rule.id == gap.rule))
                .collect(),
            unread: unread(inventory, verdicts, &reported),
            rules: reported,
            waivers: score
                .waivers
                .iter()
                .filter_map(|used| {
                    let waiver = waivers.get(used.waiver)?;
                    Some(WaiverReport {
                        rule: waiver.rule.clone(),
                        owner: waiver.owner.as_str().into(),
                        reason: waiver.reason.as_str().into(),
                        expires: waiver.expires,
                        status: used.status,
                        subjects: used.subjects,
                        points: used.points.clone(),
                    })
                })
                .collect(),
            notes: inventory
                .notes
                .iter()
                .map(|note| note.as_str().into())
                .collect(),
            gate: None,
            baseline: None,
        }
    }
}

fn rule_report(parts: &Parts<'_>, scored: &RuleScore) -> Option<RuleReport> {
    let rule = parts.rules.get(&scored.rule)?;
    let gap = parts.score.gaps.iter().find(|gap| gap.rule == scored.rule);
    let zero = || Points::from_integer(0.into());
    Some(RuleReport {
        id: scored.rule.clone(),
        digest: rule_digest(parts, rule),
        title: rule.title.clone(),
        category: scored.category,
        theme: scored.theme.clone(),
        severity: scored.severity,
        effort: scored.effort,
        why: rule.why.clone(),
        fix: rule.fix.clone(),
        references: rule.references.clone(),
        state: scored.state,
        possible: scored.possible.clone(),
        earned: scored.earned.clone(),
        lost: gap.map_or_else(zero, |gap| gap.lost.clone()),
        unproven: gap.map_or_else(zero, |gap| gap.unproven.clone()),
        counts: scored.counts,
        findings: findings(parts, scored),
        unread: scored.unread.clone(),
        not_assessable: scored.not_assessable.clone(),
        min_ratio: parts
            .verdicts
            .rules
            .iter()
            .find(|found| found.rule == scored.rule)
            .and_then(|found| found.min_ratio)
            .filter(|ratio| *ratio < 1.into()),
    })
}

fn findings(parts: &Parts<'_>, scored: &RuleScore) -> Vec<Finding> {
    let rules = &parts.verdicts.rules;
    let Ok(at) = rules.binary_search_by(|found| found.rule.cmp(&scored.rule)) else {
        return Vec::new();
    };
    let mut findings: Vec<Finding> = rules[at]
        .verdicts
        .iter()
        .filter(|v| !matches!(v.outcome, Outcome::Pass | Outcome::NotApplicable))
        .map(|verdict| {
            let subject = parts.verdicts.subject(verdict.subject).clone();
            let evidence = verdict.evidence.as_deref();
            let waived = verdict.outcome == Outcome::Fail
                && parts.waivers.iter().any(|waiver| {
                    waiver.rule == scored.rule
                        && waiver.matches(&subject)
                        && waiver.remaining(parts.inventory.now).is_some()
                });
            Finding {
                subject,
                outcome: verdict.outcome,
                credit: verdict.credit,
                messages: evidence.map(|e| e.messages.clone()).unwrap_or_default(),
                unread: evidence.map(|e| e.unread.clone()).unwrap_or_default(),
                inert: evidence.and_then(|e| e.reason) == Some(Reason::InstalledButInert),
                waived,
            }
        })
        .collect();
    let rank = |finding: &Finding| match finding.outcome {
        Outcome::Fail if finding.waived => 3,
        Outcome::Fail => 0,
        Outcome::Error => 1,
        _ => 2,
    };
    findings.sort_by_key(|finding| (rank(finding), finding.credit));
    findings
}

/// What could not be read, and the points that hang on it.
fn unread(inventory: &Inventory, verdicts: &Verdicts, rules: &[RuleReport]) -> Vec<UnreadReport> {
    let mut reports: Vec<UnreadReport> = inventory
        .lists
        .iter()
        .filter_map(|(kind, list)| {
            let why = list.state.unreadable()?.clone();
            let needs = |rule: &&RuleReport| {
                rule.unread.iter().any(|(unread, _)| unread == kind)
                    || verdicts
                        .rules
                        .iter()
                        .filter(|found| found.rule == rule.id)
                        .flat_map(|found| &found.verdicts)
                        .filter_map(|verdict| verdict.evidence.as_deref())
                        .any(|evidence| evidence.unread.contains(kind))
            };
            let waiting: Vec<&RuleReport> = rules.iter().filter(needs).collect();
            let resource = match list.resource.is_empty() {
                true => plan::plural(&kind.group, &kind.kind),
                false => list.resource.to_string(),
            };
            let dot = if kind.group.is_empty() { "" } else { "." };
            let forbidden = why.cause == UnreadableCause::Forbidden;
            Some(UnreadReport {
                kind: kind.clone(),
                permission: forbidden.then(|| format!("list {resource}{dot}{}", kind.group)),
                points: waiting.iter().map(|rule| rule.unproven.clone()).sum(),
                rules: waiting.iter().map(|rule| rule.id.clone()).collect(),
                why: match &list.state {
                    ListState::Partial { missing, .. } if !missing.is_empty() => Unreadable {
                        detail: format!("{} (missing: {})", why.detail, missing.join(", ")).into(),
                        ..why
                    },
                    _ => why,
                },
            })
        })
        .collect();
    reports.sort_by(|a, b| (&b.points, &a.kind).cmp(&(&a.points, &b.kind)));
    reports
}

/// What a rule is and the values of its parameters: what its verdicts depend on beside the cluster.
fn rule_digest(parts: &Parts<'_>, rule: &Rule) -> String {
    let mut hash = Sha256::new();
    hash.update(&rule.digest);
    for (name, value) in parts.params.get(&rule.id).into_iter().flatten() {
        hash.update(name);
        hash.update(serde_json::Value::from(value).to_string());
    }
    let hash = hash.finalize();
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn digest(parts: &Parts<'_>, scorecard: &Scorecard, rules: &RuleSet) -> String {
    let mut hash = Sha256::new();
    hash.update(&scorecard.digest);
    for rule in rules.iter() {
        hash.update(&*rule.id);
        hash.update(rule_digest(parts, rule));
    }
    let hash = hash.finalize();
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}
