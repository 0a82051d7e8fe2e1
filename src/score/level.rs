//! Where a score stands among the levels, and what stands in the way of the next one.

use std::collections::BTreeSet;

use super::{Blocker, LevelStanding, NextLevel, RuleState, Score, credit::points};
use crate::{
    model::{RuleId, Severity},
    scorecard::{Level, Scorecard},
};

/// The highest level whose gates, and those of every level below it, are met. Without a score
/// there is no level and none to reach: nothing could be judged.
pub(super) fn standing(score: &Score, scorecard: &Scorecard, profile: &str) -> LevelStanding {
    let gates = Gates::new(score);
    let limited = |severity: Severity| {
        let limits = |level: &Level| {
            limits(level)
                .iter()
                .any(|(s, limit)| *s == severity && limit.is_some())
        };
        scorecard.levels.iter().any(limits)
    };
    let severities = [Severity::Critical, Severity::High]
        .into_iter()
        .filter(|s| limited(*s));
    let mut standing = LevelStanding {
        waived: severities
            .flat_map(|severity| gates.waived(severity))
            .collect(),
        ..LevelStanding::default()
    };
    if score.total.is_none() {
        return standing;
    }
    // A ceiling that names no level is refused when the scorecard is loaded.
    let ceiling = scorecard.ceiling(profile);
    let mut above_ceiling = false;
    for level in &scorecard.levels {
        let mut blockers = gates.blockers(level);
        if above_ceiling {
            blockers.push(Blocker::Ceiling {
                profile: profile.to_owned(),
            });
        }
        if !blockers.is_empty() {
            standing.next = Some(NextLevel {
                name: level.name.clone(),
                blockers,
            });
            break;
        }
        let open = gates.open(Severity::Critical).len();
        standing.reached = Some(level.name.clone());
        standing.borderline = level
            .borderline_above_critical
            .is_some_and(|most| open > most as usize);
        above_ceiling |= ceiling == Some(level.name.as_str());
    }
    standing
}

/// The gaps that a level allows, by severity.
fn limits(level: &Level) -> [(Severity, Option<u32>); 2] {
    [
        (Severity::Critical, level.max_critical),
        (Severity::High, level.max_high),
    ]
}

/// What a rule loses because it is attested rather than seen is no open gap.
fn attested(score: &Score, id: &RuleId) -> bool {
    let rule = score.rules.iter().find(|rule| rule.rule == *id);
    rule.is_some_and(|rule| rule.state == RuleState::Attested)
}

struct Gates<'a> {
    score: &'a Score,
    /// Rules that lost points. Unknown ones are among them: a control that nobody could see is
    /// not proven, and must not pass for one that holds.
    open: BTreeSet<&'a RuleId>,
}

impl<'a> Gates<'a> {
    fn new(score: &'a Score) -> Self {
        Gates {
            score,
            open: score
                .gaps
                .iter()
                .map(|gap| &gap.rule)
                .filter(|id| !attested(score, id))
                .collect(),
        }
    }

    fn open(&self, severity: Severity) -> Vec<RuleId> {
        let rules = self.score.rules.iter();
        let open = rules.filter(|rule| rule.severity == severity && self.open.contains(&rule.rule));
        open.map(|rule| rule.rule.clone()).collect()
    }

    fn waived(&self, severity: Severity) -> Vec<RuleId> {
        let rules = self
            .score
            .rules
            .iter()
            .filter(|rule| rule.severity == severity);
        let waived = rules.filter(|rule| rule.counts.waived > 0 && !self.open.contains(&rule.rule));
        waived.map(|rule| rule.rule.clone()).collect()
    }

    fn blockers(&self, level: &Level) -> Vec<Blocker> {
        let mut blockers = Vec::new();
        let needed = points(&level.min_score);
        if let Some(total) = self
            .score
            .total
            .as_ref()
            .filter(|total| total.score < needed)
        {
            blockers.push(Blocker::Score {
                needed,
                have: total.score.clone(),
            });
        }
        if let Some(needed) = level.min_category.as_ref().map(points) {
            // A category without a score has not shown that it is good enough; one that the
            // scorecard gives no weight is not asked.
            for category in self
                .score
                .categories
                .iter()
                .filter(|category| category.weight > 0)
            {
                let have = category.mark.as_ref().map(|mark| mark.score.clone());
                if have.as_ref().is_none_or(|have| *have < needed) {
                    let (category, needed) = (category.category, needed.clone());
                    blockers.push(Blocker::Category {
                        category,
                        needed,
                        have,
                    });
                }
            }
        }
        for (severity, limit) in limits(level) {
            let Some(allowed) = limit else { continue };
            let open = self.open(severity);
            if open.len() > allowed as usize {
                let waived = self.waived(severity);
                blockers.push(Blocker::OpenGaps {
                    severity,
                    allowed,
                    open,
                    waived,
                });
            }
        }
        if let Some(needed) = level.min_coverage.as_ref().map(points)
            && self.score.coverage < needed
        {
            let have = self.score.coverage.clone();
            blockers.push(Blocker::Coverage { needed, have });
        }
        blockers
    }
}
