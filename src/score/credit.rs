//! From a rule's subjects to its credit, as an interval: what is proven, and what is still possible.

use std::collections::BTreeMap;

use num_traits::{One, Zero};

use super::{Points, whole};
use crate::model::{Aggregate, Fraction};

/// The applicable subjects of a rule by what they earn.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally {
    /// How many earn everything.
    pub pass: u64,
    /// How many fail, by the credit that a half measure leaves them.
    pub failing: BTreeMap<Fraction, u64>,
    /// How many could not be judged.
    pub unknown: u64,
}

/// How a rule's subjects count together.
#[derive(Clone, Copy, Debug)]
pub(super) struct Measure {
    pub aggregate: Aggregate,
    /// Whether a single failure weighs on a `share`.
    pub critical: bool,
    /// Share from which the rule counts as fulfilled; 1 where not set.
    pub min_ratio: Fraction,
    /// Failing subjects that a `count` rule tolerates.
    pub tolerance: u64,
    /// Whether subjects may be missing.
    pub incomplete: bool,
}

/// What a rule earns.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Credit {
    /// What is proven.
    pub lo: Points,
    /// The best that is still possible. Where any number of passing subjects may be missing, a
    /// limit that no number reaches.
    pub hi: Points,
    /// Whether no answer about what is unread can give full credit.
    pub full_excluded: bool,
}

impl Tally {
    /// How many subjects there are.
    pub fn total(&self) -> u64 {
        self.known() + self.unknown
    }

    /// How many could be judged.
    pub fn known(&self) -> u64 {
        self.pass + self.failing.values().sum::<u64>()
    }

    /// The same subjects with one answer for all that are unknown.
    fn settled(&self, passed: bool) -> Tally {
        let mut settled = Tally {
            unknown: 0,
            ..self.clone()
        };
        if passed {
            settled.pass += self.unknown;
        } else if self.unknown > 0 {
            *settled.failing.entry(Fraction::zero()).or_default() += self.unknown;
        }
        settled
    }

    /// The credit of the worst subject after the `skipped` worst ones; 1 if there is none.
    fn worst(&self, skipped: u64) -> Points {
        let mut seen = 0;
        for (credit, count) in &self.failing {
            seen += count;
            if seen > skipped {
                return points(credit);
            }
        }
        Points::one()
    }

    fn mean(&self) -> Points {
        let failing = self.failing.iter();
        let earned: Points = failing
            .map(|(credit, count)| points(credit) * whole(*count))
            .sum();
        (earned + whole(self.pass)) / whole(self.total().max(1))
    }
}

impl Measure {
    /// The interval of a rule's credit. It is the narrowest that holds the credit of every way in
    /// which the unknown subjects may turn out, not being applicable included; for this the
    /// aggregates only have to grow with each subject's credit.
    pub fn credit(&self, tally: &Tally) -> Credit {
        // Where no subject is known to be one, the rule may turn out not to be applicable at all and
        // leave the sum: then even a tolerated failure proves nothing.
        let lo = if self.incomplete || tally.known() == 0 {
            Points::zero()
        } else {
            self.value(&tally.settled(false))
        };
        let best = tally.settled(true);
        let hi = if self.incomplete {
            self.limit(&best)
        } else {
            self.value(&best)
        };
        let strict_share = self.aggregate == Aggregate::Share && self.min_ratio >= Fraction::one();
        let full_excluded = hi < Points::one() || (strict_share && !tally.failing.is_empty());
        Credit {
            lo,
            hi,
            full_excluded,
        }
    }

    /// The credit of subjects that are all known.
    fn value(&self, tally: &Tally) -> Points {
        match self.aggregate {
            Aggregate::Share => {
                let mean = tally.mean();
                if mean >= points(&self.min_ratio) {
                    Points::one()
                } else if self.critical {
                    (mean + tally.worst(0)) / whole(2)
                } else {
                    mean
                }
            }
            Aggregate::All => tally.worst(0),
            Aggregate::Count => tally.worst(self.tolerance),
        }
    }

    /// What the credit tends to as ever more passing subjects join.
    fn limit(&self, tally: &Tally) -> Points {
        let share_can_pass = !self.critical || self.min_ratio < Fraction::one();
        match self.aggregate {
            Aggregate::Share if share_can_pass => Points::one(),
            Aggregate::Share => (Points::one() + tally.worst(0)) / whole(2),
            Aggregate::All | Aggregate::Count => self.value(tally),
        }
    }
}

/// A share as points of 1.
pub(super) fn points(share: &Fraction) -> Points {
    Points::new((*share.numer()).into(), (*share.denom()).into())
}
