//! The digest that tells scorecards apart.

use std::collections::BTreeMap;

use serde_json::json;
use sha2::{Digest, Sha256};

use super::{Scorecard, check::Written};
use crate::model::Fraction;

/// SHA-256 over everything that can change a score, in one canonical order. Names of rules stay as
/// written, so that the digest does not depend on the rules.
pub(super) fn digest(scorecard: &Scorecard, params: &Written<'_>) -> String {
    let text = |number: &Fraction| number.to_string();
    let categories: BTreeMap<_, _> = scorecard
        .categories
        .iter()
        .map(|(category, budget)| {
            let themes: BTreeMap<&str, u32> =
                budget.themes.iter().map(|(t, b)| (&**t, *b)).collect();
            (
                category.as_str(),
                json!({"weight": budget.weight, "themes": themes}),
            )
        })
        .collect();
    let levels: Vec<_> = scorecard
        .levels
        .iter()
        .map(|level| {
            json!({
                "name": level.name,
                "minScore": text(&level.min_score),
                "minCategory": level.min_category.as_ref().map(text),
                "maxCritical": level.max_critical,
                "maxHigh": level.max_high,
                "minCoverage": level.min_coverage.as_ref().map(text),
                "borderlineAboveCritical": level.borderline_above_critical,
            })
        })
        .collect();
    let params: BTreeMap<_, BTreeMap<_, _>> = params
        .iter()
        .map(|(key, (_, values))| {
            (
                key,
                values
                    .iter()
                    .map(|(name, (_, node))| (name, serde_json::Value::from(&node.value)))
                    .collect(),
            )
        })
        .collect();
    let whole = json!({
        "name": scorecard.name,
        "version": scorecard.version,
        "profile": scorecard.profile,
        "target": text(&scorecard.target),
        "categories": categories,
        "levels": levels,
        "ceilings": scorecard.ceilings,
        "params": params,
    });
    Sha256::digest(whole.to_string())
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}
