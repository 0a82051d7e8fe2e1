//! The thresholds of a gate, from a scorecard or from the command line.

use std::collections::BTreeMap;

use super::{
    check::Placed,
    file::{GateFile, range},
};
use crate::model::{Category, Fraction, Problem, Severity};

/// What a score must reach.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Thresholds {
    /// Least score, 0 to 100.
    pub min_score: Option<Fraction>,
    /// Least score of a category, 0 to 100.
    pub min_category: BTreeMap<Category, Fraction>,
    /// Lowest level, by its name in the scorecard.
    pub min_level: Option<String>,
    /// No gap of this severity or a worse one may be open.
    pub fail_on: Option<Severity>,
    /// Least share of the applicable points that was assessed, 0 to 1.
    pub min_coverage: Option<Fraction>,
    /// Most points that the score may be below that of a baseline.
    pub max_drop: Option<Fraction>,
    /// Nothing may fail that did not fail in a baseline.
    pub no_new_failures: bool,
}

impl Thresholds {
    /// Whether anything is asked for.
    pub fn is_empty(&self) -> bool {
        *self == Thresholds::default()
    }

    /// Whether it takes a baseline to judge them.
    pub fn compare(&self) -> bool {
        self.max_drop.is_some() || self.no_new_failures
    }

    /// These, and where they do not say, the others.
    pub fn or(mut self, others: &Thresholds) -> Self {
        let mut categories = others.min_category.clone();
        categories.append(&mut self.min_category);
        Thresholds {
            min_score: self.min_score.or(others.min_score),
            min_category: categories,
            min_level: self.min_level.or_else(|| others.min_level.clone()),
            fail_on: self.fail_on.or(others.fail_on),
            min_coverage: self.min_coverage.or(others.min_coverage),
            max_drop: self.max_drop.or(others.max_drop),
            no_new_failures: self.no_new_failures || others.no_new_failures,
        }
    }
}

/// The `gate` of a scorecard.
pub(super) fn thresholds(
    written: &Placed<'_, &GateFile>,
    levels: &[&str],
    problems: &mut Vec<Problem>,
) -> Thresholds {
    let file = written.value;
    let hundred = Fraction::from_integer(100);
    let mut found = Thresholds {
        min_score: file.min_score.map(|least| least.0),
        min_level: file.min_level.clone(),
        min_coverage: file.min_coverage.map(|least| least.0),
        max_drop: file.max_drop.map(|most| most.0),
        no_new_failures: file.no_new_failures.unwrap_or(false),
        ..Thresholds::default()
    };
    for (key, least) in &file.min_category.0 {
        match key.value.parse::<Category>() {
            Ok(category) => drop(found.min_category.insert(category, least.0)),
            Err(unknown) => {
                problems.push(
                    written
                        .source()
                        .error(range(&key.referenced), unknown.to_string()),
                );
            }
        }
    }
    if let Some(severity) = &file.fail_on {
        match severity.value.parse::<Severity>() {
            Ok(severity) => found.fail_on = Some(severity),
            Err(unknown) => {
                let at = range(&severity.referenced);
                problems.push(written.source().error(at, unknown.to_string()));
            }
        }
    }
    if let Some(level) = &found.min_level
        && !levels.contains(&&**level)
    {
        let problem = written.error(format!("there is no level `{level}`"));
        problems.push(problem.with_help(format!("levels are {}", levels.join(", "))));
    }
    if found.min_coverage > Some(Fraction::from_integer(1)) {
        let problem = written.error("`minCoverage` is a share of at most 1");
        problems.push(problem.with_help("write 0.75 for 75 %"));
    }
    let scores = found.min_category.values().chain(&found.min_score);
    if scores
        .chain(&found.max_drop)
        .any(|points| *points > hundred)
    {
        problems.push(written.error("a gate asks for more than 100 points"));
    }
    found
}
