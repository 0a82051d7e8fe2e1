//! Which failures are accepted, and what each waiver holds.

use std::collections::BTreeMap;

use num_traits::{One, Zero};

use super::{Points, ScoreInput, WaiverStatus, WaiverUse, credit::points, whole};
use crate::model::{Outcome, RuleId, RuleVerdicts, Verdict};

/// The accepted failures: the waivers that cover a verdict, by rule and position of the verdict.
#[derive(Debug, Default)]
pub(super) struct Cover(BTreeMap<(RuleId, usize), Vec<usize>>);

impl Cover {
    /// Asks every waiver that still holds about every failure of its rule. An expired waiver is no
    /// waiver: nothing else looks at waivers.
    pub fn new(input: &ScoreInput<'_>) -> Self {
        let mut cover = Cover::default();
        for rule in &input.verdicts.rules {
            let holding = |(_, waiver): &(usize, &super::Waiver)| {
                waiver.rule == rule.rule && waiver.remaining(input.now).is_some()
            };
            let holding: Vec<_> = input.waivers.iter().enumerate().filter(holding).collect();
            if holding.is_empty() {
                continue;
            }
            for (at, verdict) in failing(rule) {
                let subject = input.verdicts.subject(verdict.subject);
                let covering = holding.iter().filter(|(_, waiver)| waiver.matches(subject));
                let covering: Vec<usize> = covering.map(|(index, _)| *index).collect();
                if !covering.is_empty() {
                    cover.0.insert((rule.rule.clone(), at), covering);
                }
            }
        }
        cover
    }

    /// Whether a failure is accepted.
    pub fn accepts(&self, rule: &RuleId, verdict: usize) -> bool {
        !self.0.is_empty() && self.0.contains_key(&(rule.clone(), verdict))
    }

    /// Each waiver's use. `lost` are the points that each rule loses in the raw score, `gained` is
    /// the difference between the scores, if both are there.
    pub fn uses(
        &self,
        input: &ScoreInput<'_>,
        lost: &BTreeMap<RuleId, Points>,
        gained: Option<Points>,
    ) -> Vec<WaiverUse> {
        let mut subjects = vec![0_u32; input.waivers.len()];
        for index in self.0.values().flatten() {
            subjects[*index] += 1;
        }
        let mut held = self.held(input, lost);
        let mut sum: Points = held.iter().sum();
        if let Some(gained) = gained {
            if sum.is_zero() {
                // What they cover costs nothing, such as failures that are tolerated anyway.
                held = subjects.iter().map(|count| whole(*count)).collect();
                sum = held.iter().sum();
            }
            let scale = if sum.is_zero() {
                Points::zero()
            } else {
                gained / sum
            };
            held.iter_mut().for_each(|points| *points *= &scale);
        }
        let each = input.waivers.iter().zip(held).zip(subjects).enumerate();
        each.map(|(at, ((waiver, points), subjects))| WaiverUse {
            waiver: at,
            status: match waiver.remaining(input.now) {
                None => WaiverStatus::Expired,
                Some(_) if subjects == 0 => WaiverStatus::Unused,
                Some(left) if left <= input.expiry_warning => WaiverStatus::ExpiresSoon,
                Some(_) => WaiverStatus::Active,
            },
            subjects,
            points,
        })
        .collect()
    }

    /// What the subjects of each waiver cost in the raw score. A rule's lost points are its failing
    /// subjects' in proportion to the credit that each of them lacks.
    fn held(&self, input: &ScoreInput<'_>, lost: &BTreeMap<RuleId, Points>) -> Vec<Points> {
        let mut held = vec![Points::zero(); input.waivers.len()];
        let lacks = |verdict: &Verdict| Points::one() - points(&verdict.credit);
        for rule in &input.verdicts.rules {
            let first = (rule.rule.clone(), 0);
            let last = (rule.rule.clone(), usize::MAX);
            let covered = self.0.range(first..=last);
            let Some(lost) = lost
                .get(&rule.rule)
                .filter(|_| covered.clone().next().is_some())
            else {
                continue;
            };
            let lacking: Points = failing(rule).map(|(_, verdict)| lacks(verdict)).sum();
            if lacking.is_zero() {
                continue;
            }
            for ((_, at), waivers) in covered {
                let part = lost * lacks(&rule.verdicts[*at]) / &lacking / whole(waivers.len());
                for index in waivers {
                    held[*index] += &part;
                }
            }
        }
        held
    }
}

fn failing(rule: &RuleVerdicts) -> impl Iterator<Item = (usize, &Verdict)> {
    let each = rule.verdicts.iter().enumerate();
    each.filter(|(_, verdict)| verdict.outcome == Outcome::Fail)
}
