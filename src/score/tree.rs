//! What every rule, theme and category is a share of, and the marks that follow.

use std::collections::BTreeMap;

use num_traits::Zero;

use super::{Points, tally::Judged, whole};
use crate::{
    model::{Category, ThemeId},
    scorecard::{CategoryBudget, Scorecard},
};

/// An interval of points.
#[derive(Clone)]
pub(super) struct Span {
    /// What is proven, of 100.
    pub lo: Points,
    /// What is still possible, of 100.
    pub hi: Points,
}

impl Span {
    fn zero() -> Self {
        Span {
            lo: Points::zero(),
            hi: Points::zero(),
        }
    }

    fn add(&mut self, other: &Span, share: &Points) {
        self.lo += &other.lo * share;
        self.hi += &other.hi * share;
    }
}

/// The shares of everything in everything, and the marks that follow.
pub(super) struct Tree {
    pub total: Option<Span>,
    /// Share of the points that could be assessed.
    pub verified: Points,
    pub categories: BTreeMap<Category, CategoryNode>,
    /// Points of the overall 100 that each rule can earn, in the order of the judged rules.
    pub possible: Vec<Points>,
}

pub(super) struct CategoryNode {
    pub mark: Option<Span>,
    /// Share of the category that could be assessed.
    pub verified: Points,
    pub themes: Vec<ThemeNode>,
    /// Share of the category that each of its scored rules is, by position.
    pub shares: Vec<(usize, Points)>,
}

pub(super) struct ThemeNode {
    pub id: ThemeId,
    pub budget: u32,
    /// Its points of the category's 100 after empty themes gave theirs away.
    pub effective: Points,
    pub mark: Option<Span>,
    verified: Points,
    /// Share of the theme that each of its scored rules is, by position.
    shares: Vec<(usize, Points)>,
}

impl Tree {
    pub fn new(judged: &[Judged<'_>], scorecard: &Scorecard) -> Self {
        let mut categories = BTreeMap::new();
        for (category, budget) in &scorecard.categories {
            categories.insert(*category, category_node(*category, budget, judged));
        }
        let weight = |category: &Category| whole(scorecard.categories[category].weight);
        let marked = categories.iter().filter(|(_, node)| node.mark.is_some());
        let weights: Points = marked.map(|(category, _)| weight(category)).sum();
        let mut possible = vec![Points::zero(); judged.len()];
        let (mut total, mut verified) = (Span::zero(), Points::zero());
        if !weights.is_zero() {
            for (category, node) in &categories {
                let Some(mark) = &node.mark else { continue };
                let share = weight(category) / &weights;
                total.add(mark, &share);
                verified += &node.verified * &share;
                for (rule, part) in &node.shares {
                    possible[*rule] = whole(100) * part * &share;
                }
            }
        }
        let total = (!weights.is_zero()).then_some(total);
        Tree {
            total,
            verified,
            categories,
            possible,
        }
    }
}

fn category_node(
    category: Category,
    budget: &CategoryBudget,
    judged: &[Judged<'_>],
) -> CategoryNode {
    let each = budget.themes.iter();
    let mut themes: Vec<_> = each
        .map(|(theme, budget)| theme_node(category, theme, *budget, judged))
        .collect();
    // An empty theme's budget goes to the others in proportion: the shares are of what is left.
    let filled = themes.iter().filter(|theme| theme.mark.is_some());
    let budgets: u64 = filled.map(|theme| u64::from(theme.budget)).sum();
    let mut node = CategoryNode {
        mark: None,
        verified: Points::zero(),
        themes: Vec::new(),
        shares: Vec::new(),
    };
    if budgets > 0 {
        let mut sum = Span::zero();
        for theme in &mut themes {
            let Some(mark) = &theme.mark else { continue };
            let share = whole(theme.budget) / whole(budgets);
            sum.add(mark, &share);
            node.verified += &theme.verified * &share;
            let parts = theme
                .shares
                .iter()
                .map(|(rule, part)| (*rule, part * &share));
            node.shares.extend(parts);
            theme.effective = share * whole(100);
        }
        node.mark = Some(sum);
    }
    node.themes = themes;
    node
}

fn theme_node(
    category: Category,
    theme: &ThemeId,
    budget: u32,
    judged: &[Judged<'_>],
) -> ThemeNode {
    let scored = judged.iter().enumerate().filter(|(_, rule)| {
        let worth = rule.worth;
        worth.category == category && worth.theme == *theme && worth.weight > 0 && rule.counts_in()
    });
    let weights: u64 = scored
        .clone()
        .map(|(_, rule)| u64::from(rule.worth.weight))
        .sum();
    let mut node = ThemeNode {
        id: theme.clone(),
        budget,
        effective: Points::zero(),
        mark: None,
        verified: Points::zero(),
        shares: Vec::new(),
    };
    if weights > 0 {
        let mut sum = Span::zero();
        for (at, rule) in scored {
            let share = whole(rule.worth.weight) / whole(weights);
            sum.lo += &rule.credit.lo * &share * whole(100);
            sum.hi += &rule.credit.hi * &share * whole(100);
            node.verified += &rule.verified * &share;
            node.shares.push((at, share));
        }
        node.mark = Some(sum);
    }
    node
}
