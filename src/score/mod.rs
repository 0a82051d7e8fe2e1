//! Verdicts × scorecard → score tree. Pure and exact: numbers are rationals until a writer prints
//! them.

mod credit;
mod gaps;
mod level;
mod tally;
#[cfg(test)]
mod tests;
mod tree;
mod waived;

use jiff::{SignedDuration, Timestamp};
use num_bigint::BigInt;
use num_rational::BigRational;
use num_traits::Signed;

pub use tally::score;

use crate::{
    model::{
        Aggregate, Category, Effort, Fraction, GroupKind, RuleId, Severity, ThemeId, Unreadable,
        Verdicts,
    },
    rule::{Rule, RuleSet},
    scorecard::{Scorecard, Waiver},
};

/// An exact number of points of 100.
pub type Points = BigRational;

/// How long before its end a waiver is reported, unless told otherwise: two weeks.
pub const EXPIRY_WARNING: SignedDuration = SignedDuration::from_hours(14 * 24);

/// Everything that a score depends on.
#[derive(Clone, Copy, Debug)]
pub struct ScoreInput<'a> {
    /// The rules that were asked. One that has no verdicts at all is unknown, never left out.
    pub rules: &'a [RuleWorth],
    /// What they are worth.
    pub scorecard: &'a Scorecard,
    /// Profile that the verdicts were found with; it has the ceiling.
    pub profile: &'a str,
    /// What the evaluation found. Verdicts of rules that were not asked count for nothing.
    pub verdicts: &'a Verdicts,
    /// Accepted failures, expired ones among them.
    pub waivers: &'a [Waiver],
    /// The clock of the audit.
    pub now: Timestamp,
    /// A waiver that ends within this time is [`WaiverStatus::ExpiresSoon`].
    pub expiry_warning: SignedDuration,
}

/// What scoring needs to know of a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleWorth {
    /// Id.
    pub id: RuleId,
    /// Category.
    pub category: Category,
    /// Theme.
    pub theme: ThemeId,
    /// How bad a failure is.
    pub severity: Severity,
    /// Effort of the fix.
    pub effort: Effort,
    /// Weight inside the theme.
    pub weight: u32,
    /// How the subjects' credits become one.
    pub aggregate: Aggregate,
}

impl From<&Rule> for RuleWorth {
    fn from(rule: &Rule) -> Self {
        RuleWorth {
            id: rule.id.clone(),
            category: rule.category,
            theme: rule.theme.clone(),
            severity: rule.severity,
            effort: rule.effort,
            weight: rule.weight(),
            aggregate: rule.aggregate,
        }
    }
}

impl RuleWorth {
    /// The worth of every rule of a set.
    pub fn of(rules: &RuleSet) -> Vec<RuleWorth> {
        rules.iter().map(|rule| RuleWorth::from(&**rule)).collect()
    }
}

/// A number as reports print it: one decimal, half up (`82.3`, `-0.1`). Every writer uses it, so
/// that all formats agree.
pub fn one_decimal(points: &Points) -> String {
    let half = Points::new(BigInt::from(1), BigInt::from(2));
    let tenths = (points * BigInt::from(10) + half).floor().to_integer();
    let sign = if tenths.is_negative() { "-" } else { "" };
    let (whole, tenth) = (tenths.abs() / 10, tenths.abs() % 10);
    format!("{sign}{whole}.{tenth}")
}

/// A whole number of points.
fn whole(number: impl Into<BigInt>) -> Points {
    Points::from_integer(number.into())
}

/// The result of an audit, explained line by line.
///
/// The formula: a category's score is `100 · Σ_t B_t' · (Σ w_r f_r / Σ w_r) / Σ_t B_t'` over the
/// themes `t` that have an applicable rule with a weight; the total is `Σ W_c S_c / Σ W_c` over the
/// categories that have a score. `f_r` is a rule's credit (see [`RuleScore::credit`]).
#[derive(Clone, Debug, PartialEq)]
pub struct Score {
    /// The score of the cluster; nothing if there was nothing to look at, or everything that was is
    /// waived.
    pub total: Option<Mark>,
    /// Verified weight over applicable weight, 0 to 1; 1 if nothing was applicable.
    pub coverage: Points,
    /// The level that the score and the gates give.
    pub level: LevelStanding,
    /// One entry per category of the scorecard, in the order of [`Category::ALL`].
    pub categories: Vec<CategoryScore>,
    /// One entry per rule that was asked, sorted by id.
    pub rules: Vec<RuleScore>,
    /// Rules that lost points, most points first, then by id. Their points sum to 100 − score;
    /// none if there is no score.
    pub gaps: Vec<Gap>,
    /// Each waiver and what it holds.
    pub waivers: Vec<WaiverUse>,
}

/// One number in its three readings.
#[derive(Clone, Debug, PartialEq)]
pub struct Mark {
    /// What is proven; waived subjects are left out.
    pub score: Points,
    /// What it would be if everything unknown passed.
    pub if_unknown_passed: Points,
    /// What is proven if waivers did not exist.
    pub raw: Points,
}

/// A category's part of the score.
#[derive(Clone, Debug, PartialEq)]
pub struct CategoryScore {
    /// The category.
    pub category: Category,
    /// Its weight beside the other categories.
    pub weight: u32,
    /// Its score of 100; nothing if none of its rules is applicable.
    pub mark: Option<Mark>,
    /// Verified weight over applicable weight, 0 to 1.
    pub coverage: Points,
    /// Its themes, in the order of the scorecard.
    pub themes: Vec<ThemeScore>,
}

/// A theme's part of its category.
#[derive(Clone, Debug, PartialEq)]
pub struct ThemeScore {
    /// The theme.
    pub theme: ThemeId,
    /// Points of the category's 100 that the scorecard gives it.
    pub budget: u32,
    /// Points of the category's 100 it has after empty themes gave theirs away.
    pub effective_budget: Points,
    /// Its score of 100; nothing if none of its rules is applicable.
    pub mark: Option<Mark>,
}

/// What a rule's verdicts amount to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RuleState {
    /// Full credit.
    Pass,
    /// Less than full credit, whatever the part that could not be read may hold.
    Fail,
    /// Something could not be read or evaluated, and full credit is neither proven nor excluded.
    Unknown,
    /// Less than full credit only because part of it is attested rather than seen.
    Attested,
    /// Every failing subject is waived and no other is left.
    Waived,
    /// No subject is applicable.
    NotApplicable,
    /// The source cannot answer the rule.
    NotAssessable,
}

/// How many subjects had which outcome. A waived subject is counted only as waived.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Passed.
    pub pass: u32,
    /// Failed, half measures included.
    pub fail: u32,
    /// Could not be read.
    pub unknown: u32,
    /// The expression failed.
    pub error: u32,
    /// The rule is not about them.
    pub not_applicable: u32,
    /// Failed, and the failure is accepted.
    pub waived: u32,
    /// Attested rather than seen.
    pub attested: u32,
}

/// A rule's part of the score.
#[derive(Clone, Debug, PartialEq)]
pub struct RuleScore {
    /// The rule.
    pub rule: RuleId,
    /// Its category.
    pub category: Category,
    /// Its theme.
    pub theme: ThemeId,
    /// How bad a failure is.
    pub severity: Severity,
    /// Effort of the fix.
    pub effort: Effort,
    /// Weight inside the theme.
    pub weight: u32,
    /// What its verdicts amount to.
    pub state: RuleState,
    /// Credit between 0 and 1 that is proven: the aggregate of the subjects' credits, with 0 for
    /// those that could not be read.
    ///
    /// * `share`: the mean; 1 from `minRatio` on. For a critical rule below it, the average of the
    ///   mean and the worst subject, so that a plain failure costs at least half however many
    ///   others pass, each subject that is mended still earns something, and a half measure on the
    ///   only subject earns what it says.
    /// * `all`: the worst subject.
    /// * `count`: the worst subject after the `tolerance` worst ones.
    ///
    /// Nothing is proven while a list of subjects could not be read, or no subject is known to be
    /// one. Rounded down to a billionth
    /// where the exact credit has no 64-bit numerator and denominator; points are always exact.
    pub credit: Fraction,
    /// Credit if everything unknown passed.
    pub credit_if_unknown_passed: Fraction,
    /// Points of the overall 100 that the rule can earn; 0 if it left the sum.
    pub possible: Points,
    /// Points of the overall 100 that it earns.
    pub earned: Points,
    /// Subjects by outcome.
    pub counts: Counts,
    /// Lists that would have to be readable, and why they are not.
    pub unread: Vec<(GroupKind, Unreadable)>,
    /// Why it is not assessable, if it is not.
    pub not_assessable: Option<String>,
}

/// A rule that lost points.
#[derive(Clone, Debug, PartialEq)]
pub struct Gap {
    /// The rule.
    pub rule: RuleId,
    /// Points of the overall 100 that it costs.
    pub lost: Points,
    /// Part of `lost` that would come back if everything unknown passed.
    pub unproven: Points,
}

/// Where the score stands among the scorecard's levels.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct LevelStanding {
    /// The highest level whose gates are all met; nothing below the lowest level.
    pub reached: Option<String>,
    /// The level is reached only by a tolerance, such as open critical gaps that it still allows.
    pub borderline: bool,
    /// The level after that, and everything that stands in its way; nothing above the highest level
    /// and where there is no score.
    pub next: Option<NextLevel>,
    /// Rules that would count as open gaps of a severity that some level limits, if their failures
    /// were not all waived. They do not block, but stay visible beside the level.
    pub waived: Vec<RuleId>,
}

/// The level to reach next.
#[derive(Clone, Debug, PartialEq)]
pub struct NextLevel {
    /// Its name.
    pub name: String,
    /// Gates of the level that are not met; never empty.
    pub blockers: Vec<Blocker>,
}

/// A gate of a level that is not met.
#[derive(Clone, Debug, PartialEq)]
pub enum Blocker {
    /// The score is below the level's threshold.
    Score {
        /// Threshold.
        needed: Points,
        /// What there is.
        have: Points,
    },
    /// A category is below the level's minimum.
    Category {
        /// Which one.
        category: Category,
        /// Minimum.
        needed: Points,
        /// What there is; nothing if the category has no score.
        have: Option<Points>,
    },
    /// More gaps of a severity are open than the level allows.
    OpenGaps {
        /// Severity that is counted.
        severity: Severity,
        /// How many the level allows.
        allowed: u32,
        /// The rules that lost points, waived ones left out. Unproven ones are among them: what is
        /// not known to hold is open.
        open: Vec<RuleId>,
        /// Rules of the severity whose failures are all waived; they do not block, but stay visible.
        waived: Vec<RuleId>,
    },
    /// Too little could be read.
    Coverage {
        /// Least share, 0 to 1.
        needed: Points,
        /// What there is.
        have: Points,
    },
    /// The profile is too lenient for the level.
    Ceiling {
        /// The profile.
        profile: String,
    },
}

/// A waiver and what it does in this audit.
#[derive(Clone, Debug, PartialEq)]
pub struct WaiverUse {
    /// Position in the list of waivers that were given.
    pub waiver: usize,
    /// Whether it holds at the audit's time.
    pub status: WaiverStatus,
    /// Failing subjects it covers.
    pub subjects: u32,
    /// Points of the overall 100 between the raw score and the accepted one that are its share; all
    /// waivers' points sum to the difference. They divide it by what the subjects they cover cost in
    /// the raw score; waivers that cover the same subject share it. Where there is no accepted score
    /// to compare with, what they cost in the raw score.
    pub points: Points,
}

/// Whether a waiver holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WaiverStatus {
    /// It holds and covers failing subjects.
    Active,
    /// It holds, covers failing subjects, and expires within the warning time.
    ExpiresSoon,
    /// It has expired: it covers nothing any more.
    Expired,
    /// It holds and covers nothing that fails.
    Unused,
}
