//! Verdicts × scorecard → score: each rule is judged by itself, and the tree says what it is worth.

use std::collections::BTreeMap;

use num_traits::{One, ToPrimitive, Zero};

use super::{
    CategoryScore, Counts, Mark, Points, RuleScore, RuleState, RuleWorth, Score, ScoreInput,
    ThemeScore,
    credit::{Credit, Measure, Tally},
    gaps, level,
    tree::{Span, Tree},
    waived::Cover,
    whole,
};
use crate::{
    model::{Fraction, Outcome, RuleId, RuleVerdicts, Severity, Verdict},
    scorecard::Scorecard,
};

/// Attestations are at most one part in this many of a category.
const MOST_ATTESTED: u8 = 5;

/// Scores what the evaluation found. Pure: the same input gives the same score, in whatever order
/// rules, verdicts and waivers come.
pub fn score(input: &ScoreInput<'_>) -> Score {
    let cover = Cover::new(input);
    let mut accepted = judge_all(input, &cover);
    let mut raw = judge_all(input, &Cover::default());
    let tree = capped(&mut accepted, input.scorecard);
    let raw_tree = capped(&mut raw, input.scorecard);

    let rules = rules(&accepted, &tree);
    let gaps = gaps::gaps(&accepted, &tree);
    let categories = categories(&tree, &raw_tree, input.scorecard);
    let total = mark(&tree.total, &raw_tree.total);
    let coverage = if tree.total.is_some() {
        tree.verified.clone()
    } else {
        Points::one()
    };
    let gained = total.as_ref().map(|total| &total.score - &total.raw);
    let waivers = cover.uses(input, &lost(&raw, &raw_tree), gained);
    let mut score = Score {
        total,
        coverage,
        level: Default::default(),
        categories,
        rules,
        gaps,
        waivers,
    };
    score.level = level::standing(&score, input.scorecard, input.profile);
    score
}

/// A rule and what its verdicts amount to.
pub(super) struct Judged<'a> {
    pub worth: &'a RuleWorth,
    pub verdicts: Option<&'a RuleVerdicts>,
    pub state: RuleState,
    pub counts: Counts,
    pub credit: Credit,
    /// Part of the proven credit that rests on attestations.
    pub attested: Points,
    /// Share of its subjects that could be judged.
    pub verified: Points,
}

impl Judged<'_> {
    /// Whether the rule is in the sum of its theme.
    pub fn counts_in(&self) -> bool {
        use RuleState::{NotApplicable, NotAssessable, Waived};
        !matches!(self.state, Waived | NotApplicable | NotAssessable)
    }
}

/// The tree of the judged rules, after what is attested in a category was reduced to the most that
/// attestations may be of it.
fn capped(judged: &mut [Judged<'_>], scorecard: &Scorecard) -> Tree {
    let tree = Tree::new(judged, scorecard);
    let most = Points::new(1.into(), MOST_ATTESTED.into());
    let mut reduced = false;
    for category in tree.categories.values() {
        let attested: Points = category
            .shares
            .iter()
            .map(|(rule, share)| share * &judged[*rule].attested)
            .sum();
        if attested <= most {
            continue;
        }
        let factor = &most / attested;
        for (rule, _) in &category.shares {
            let rule = &mut judged[*rule];
            let over = &rule.attested * (Points::one() - &factor);
            rule.credit.lo -= &over;
            rule.attested -= over;
            reduced = true;
        }
    }
    match reduced {
        true => Tree::new(judged, scorecard),
        false => tree,
    }
}

/// Every rule that was asked, sorted by id.
fn judge_all<'a>(input: &ScoreInput<'a>, cover: &Cover) -> Vec<Judged<'a>> {
    let found = input.verdicts.rules.iter().map(|rule| (&*rule.rule, rule));
    let found: BTreeMap<&str, &RuleVerdicts> = found.collect();
    let judge = |worth: &'a RuleWorth| judge(worth, found.get(&*worth.id).copied(), cover);
    let mut judged: Vec<_> = input.rules.iter().map(judge).collect();
    judged.sort_by(|a, b| a.worth.id.cmp(&b.worth.id));
    judged
}

fn judge<'a>(
    worth: &'a RuleWorth,
    verdicts: Option<&'a RuleVerdicts>,
    cover: &Cover,
) -> Judged<'a> {
    let mut counts = Counts::default();
    let mut tally = Tally::default();
    let each = verdicts.map_or(&[][..], |rule| &rule.verdicts);
    for (at, verdict) in each.iter().enumerate() {
        match verdict.outcome {
            Outcome::Pass => counts.pass += 1,
            Outcome::NotApplicable => counts.not_applicable += 1,
            Outcome::Unknown => counts.unknown += 1,
            Outcome::Error => counts.error += 1,
            Outcome::Attested => {
                counts.attested += 1;
                let credit = verdict.credit.clamp(Fraction::zero(), Fraction::one());
                *tally.failing.entry(credit).or_default() += 1;
            }
            Outcome::Fail if cover.accepts(&worth.id, at) => counts.waived += 1,
            Outcome::Fail => {
                counts.fail += 1;
                let credit = verdict.credit.clamp(Fraction::zero(), Fraction::one());
                *tally.failing.entry(credit).or_default() += 1;
            }
        }
    }
    tally.pass = u64::from(counts.pass);
    tally.unknown = u64::from(counts.unknown) + u64::from(counts.error);
    // A rule that nobody answered is as unread as one whose lists were refused.
    let incomplete = verdicts.is_none_or(|rule| !rule.unread.is_empty());
    let measure = Measure {
        aggregate: worth.aggregate,
        critical: worth.severity == Severity::Critical,
        min_ratio: verdicts
            .and_then(|rule| rule.min_ratio)
            .unwrap_or_else(Fraction::one),
        tolerance: verdicts.map_or(0, |rule| u64::from(rule.tolerance)),
        incomplete,
    };
    let credit = measure.credit(&tally);
    let attested = match counts.attested {
        0 => Points::zero(),
        _ => &credit.lo - &measure.credit(&without_attested(&tally, each)).lo,
    };
    let state = if verdicts.is_some_and(|rule| rule.not_assessable.is_some()) {
        RuleState::NotAssessable
    } else if tally.total() == 0 && !incomplete {
        if counts.waived > 0 {
            RuleState::Waived
        } else {
            RuleState::NotApplicable
        }
    } else if counts.attested > 0 && counts.fail == 0 && tally.unknown == 0 && !incomplete {
        RuleState::Attested
    } else if credit.lo.is_one() {
        RuleState::Pass
    } else if credit.full_excluded {
        RuleState::Fail
    } else {
        RuleState::Unknown
    };
    let verified = if incomplete {
        Points::zero()
    } else {
        whole(tally.known()) / whole(tally.total().max(1))
    };
    Judged {
        worth,
        verdicts,
        state,
        counts,
        credit,
        attested,
        verified,
    }
}

/// The same subjects, had nobody attested anything.
fn without_attested(tally: &Tally, verdicts: &[Verdict]) -> Tally {
    let mut without = tally.clone();
    let attested = verdicts.iter().filter(|v| v.outcome == Outcome::Attested);
    for verdict in attested {
        let credit = verdict.credit.clamp(Fraction::zero(), Fraction::one());
        if let Some(count) = without.failing.get_mut(&credit) {
            *count -= 1;
        }
        *without.failing.entry(Fraction::zero()).or_default() += 1;
    }
    without.failing.retain(|_, count| *count > 0);
    without
}

/// What is accepted beside what is raw. The raw one is there wherever the accepted one is, because
/// waivers only take away.
fn mark(accepted: &Option<Span>, raw: &Option<Span>) -> Option<Mark> {
    let (accepted, raw) = (accepted.as_ref()?, raw.as_ref()?);
    Some(Mark {
        score: accepted.lo.clone(),
        if_unknown_passed: accepted.hi.clone(),
        raw: raw.lo.clone(),
    })
}

fn categories(tree: &Tree, raw: &Tree, scorecard: &Scorecard) -> Vec<CategoryScore> {
    let pairs = tree.categories.iter().zip(raw.categories.values());
    pairs
        .map(|((category, node), raw)| CategoryScore {
            category: *category,
            weight: scorecard.categories[category].weight,
            mark: mark(&node.mark, &raw.mark),
            coverage: if node.mark.is_some() {
                node.verified.clone()
            } else {
                Points::one()
            },
            themes: node
                .themes
                .iter()
                .zip(&raw.themes)
                .map(|(theme, raw)| ThemeScore {
                    theme: theme.id.clone(),
                    budget: theme.budget,
                    effective_budget: theme.effective.clone(),
                    mark: mark(&theme.mark, &raw.mark),
                })
                .collect(),
        })
        .collect()
}

fn rules(judged: &[Judged<'_>], tree: &Tree) -> Vec<RuleScore> {
    let each = judged.iter().zip(&tree.possible);
    each.map(|(rule, possible)| RuleScore {
        rule: rule.worth.id.clone(),
        category: rule.worth.category,
        theme: rule.worth.theme.clone(),
        severity: rule.worth.severity,
        effort: rule.worth.effort,
        weight: rule.worth.weight,
        state: rule.state,
        credit: fraction(&rule.credit.lo),
        credit_if_unknown_passed: fraction(&rule.credit.hi),
        possible: possible.clone(),
        earned: possible * &rule.credit.lo,
        counts: rule.counts,
        unread: rule
            .verdicts
            .map_or_else(Vec::new, |found| found.unread.clone()),
        not_assessable: rule.verdicts.and_then(|found| found.not_assessable.clone()),
    })
    .collect()
}

/// The points that each rule loses.
fn lost(judged: &[Judged<'_>], tree: &Tree) -> BTreeMap<RuleId, Points> {
    let each = judged.iter().zip(&tree.possible);
    each.map(|(rule, possible)| {
        (
            rule.worth.id.clone(),
            possible * (Points::one() - &rule.credit.lo),
        )
    })
    .collect()
}

/// A credit in 64 bits; rounded down to a billionth where it does not fit.
fn fraction(credit: &Points) -> Fraction {
    let billion = 1_000_000_000_i64;
    let exact = credit.numer().to_i64().zip(credit.denom().to_i64());
    let (numer, denom) = exact.unwrap_or_else(|| {
        let billionths = (credit * whole(billion)).floor().to_integer();
        (billionths.to_i64().unwrap_or(0), billion)
    });
    Fraction::new(numer, denom)
}
