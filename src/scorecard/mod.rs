//! What rules are worth: weights, budgets, levels, parameters, waivers, attestations.
//!
//! A scorecard is data: it holds no expression. It is checked against the rules it scores.

mod attestation;
mod check;
mod digest;
mod file;
mod load;
mod params;
#[cfg(test)]
mod tests;
mod thresholds;
mod waiver;

use std::collections::BTreeMap;

pub use attestation::{Entry, EntryProof, load_attestations, parse_attestations};
pub use file::{decimal, exact, schema};
pub use load::{embedded_names, load};
pub use thresholds::Thresholds;
pub use waiver::{Selector, Waiver, load_waivers};

use crate::{
    model::{Category, Fraction, Node, RuleId, ThemeId},
    rule::{Param, Rule, RuleSet, Theme},
};

/// A scorecard, as meant: inheritance resolved, checked against the rules.
#[derive(Clone, Debug, PartialEq)]
pub struct Scorecard {
    /// Name, equal to the file's stem for embedded ones.
    pub name: String,
    /// Version of the scorecard itself.
    pub version: String,
    /// What it is for, in a sentence or two.
    pub description: String,
    /// Weight and themes of each category.
    pub categories: BTreeMap<Category, CategoryBudget>,
    /// Profile whose parameter values hold unless another is asked for.
    pub profile: String,
    /// Parameter values that win over the profile's, by rule and name.
    pub params: BTreeMap<RuleId, BTreeMap<String, Node>>,
    /// Levels, the lowest first.
    pub levels: Vec<Level>,
    /// The best level each profile can give, for profiles too lenient for the best ones.
    pub ceilings: BTreeMap<String, String>,
    /// Score that plans aim at unless told otherwise.
    pub target: Fraction,
    /// The gate that holds where none is asked for.
    pub gate: Thresholds,
    /// SHA-256 of the resolved scorecard, in hex.
    pub digest: String,
}

/// A category's weight and how its 100 points are divided.
#[derive(Clone, Debug, PartialEq)]
pub struct CategoryBudget {
    /// Weight beside the other categories.
    pub weight: u32,
    /// Points per theme in the order of the file; they sum to 100.
    pub themes: Vec<(ThemeId, u32)>,
}

/// A level and its gates.
#[derive(Clone, Debug, PartialEq)]
pub struct Level {
    /// Name, such as `Production-ready`.
    pub name: String,
    /// Least score, 0 to 100.
    pub min_score: Fraction,
    /// Least score of each category, 0 to 100.
    pub min_category: Option<Fraction>,
    /// Most open critical gaps.
    pub max_critical: Option<u32>,
    /// Most open high gaps.
    pub max_high: Option<u32>,
    /// Least coverage, 0 to 1.
    pub min_coverage: Option<Fraction>,
    /// The level is called borderline while more than this many critical gaps are open.
    pub borderline_above_critical: Option<u32>,
}

impl Scorecard {
    /// The values of a rule's parameters, those of its theme included: the scorecard's own value,
    /// else the profile's value in the rule or theme file, else the default there. A rule's
    /// parameter hides its theme's of the same name. `minRatio` and `tolerance` are in the map of
    /// every rule for which the scorecard sets them, declared or not.
    pub fn params_for(
        &self,
        rule: &Rule,
        theme: Option<&Theme>,
        profile: &str,
    ) -> BTreeMap<String, Node> {
        let value = |param: &Param| {
            param
                .profiles
                .get(profile)
                .unwrap_or(&param.default)
                .clone()
        };
        let shared = theme.into_iter().flat_map(|theme| &theme.params);
        let declared = shared.chain(&rule.params);
        let mut values: BTreeMap<String, Node> = declared
            .map(|(name, param)| (name.clone(), value(param)))
            .collect();
        if let Some(own) = self.params.get(&rule.id) {
            values.extend(
                own.iter()
                    .map(|(name, value)| (name.clone(), value.clone())),
            );
        }
        values
    }

    /// [`Scorecard::params_for`] of every rule of a set.
    pub fn params_of(
        &self,
        rules: &RuleSet,
        profile: &str,
    ) -> BTreeMap<RuleId, BTreeMap<String, Node>> {
        rules
            .iter()
            .map(|rule| {
                let theme = rules.theme(&rule.theme);
                (rule.id.clone(), self.params_for(rule, theme, profile))
            })
            .collect()
    }

    /// The best level that a profile can give; nothing if it can give every one.
    pub fn ceiling(&self, profile: &str) -> Option<&str> {
        self.ceilings.get(profile).map(String::as_str)
    }
}
