//! The rules that lost points, and how many.

use num_traits::Zero;

use super::{Gap, Points, tally::Judged, tree::Tree, whole};

/// The gaps, most points first, then by id. A rule's possible points are its share of 100, all
/// shares together are 1, and what it does not earn it loses: so the lost points sum to exactly
/// 100 − score.
pub(super) fn gaps(judged: &[Judged<'_>], tree: &Tree) -> Vec<Gap> {
    let each = judged.iter().zip(&tree.possible);
    let mut gaps: Vec<Gap> = each
        .map(|(rule, possible)| Gap {
            rule: rule.worth.id.clone(),
            lost: possible * (whole(1) - &rule.credit.lo),
            unproven: possible * (&rule.credit.hi - &rule.credit.lo),
        })
        .filter(|gap| gap.lost > Points::zero())
        .collect();
    gaps.sort_by(|a, b| b.lost.cmp(&a.lost).then_with(|| a.rule.cmp(&b.rule)));
    gaps
}
