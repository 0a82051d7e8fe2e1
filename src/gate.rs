//! Score × thresholds → met, not met, or inconclusive.
//!
//! A gate is judged on the unrounded numbers. Where the answer depends on what could not be read,
//! the gate is inconclusive: it is not met by what nobody saw, and not failed by it either.

use std::collections::BTreeMap;

use crate::{
    model::{Category, Fraction, Severity},
    score::{Mark, Points, RuleState, Score, one_decimal},
    scorecard::Scorecard,
};

/// The thresholds that were asked for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Gate {
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
}

/// What came of a gate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Every threshold is reached.
    Met,
    /// A threshold is missed whatever the unknown would turn out to be; why.
    NotMet(Vec<String>),
    /// Whether the thresholds are reached depends on what could not be read; why.
    Inconclusive(Vec<String>),
}

/// A threshold that the scorecard does not have.
#[derive(Debug, thiserror::Error)]
#[error("the scorecard has no level `{level}`; it has {known}")]
pub struct UnknownLevel {
    level: String,
    known: String,
}

impl Gate {
    /// Whether anything was asked for.
    pub fn is_empty(&self) -> bool {
        *self == Gate::default()
    }

    /// Judges a score.
    ///
    /// # Errors
    /// The level asked for is none of the scorecard's.
    pub fn judge(&self, score: &Score, scorecard: &Scorecard) -> Result<Decision, UnknownLevel> {
        let mut judge = Judge::default();
        judge.score("the score", self.min_score.as_ref(), score.total.as_ref());
        for (category, least) in &self.min_category {
            let mark = score.categories.iter().find(|c| c.category == *category);
            let mark = mark.and_then(|category| category.mark.as_ref());
            judge.score(category.as_str(), Some(least), mark);
        }
        if let Some(level) = &self.min_level {
            judge.level(level, score, scorecard)?;
        }
        if let Some(severity) = self.fail_on {
            judge.gaps(severity, score);
        }
        if let Some(least) = &self.min_coverage {
            let hundred = Points::from_integer(100.into());
            if score.coverage < points(least) {
                judge.unclear.push(format!(
                    "coverage is {} %, below {} %",
                    one_decimal(&(&score.coverage * &hundred)),
                    one_decimal(&(points(least) * &hundred))
                ));
            }
        }
        if score.total.is_none() && !self.is_empty() && judge.unclear.is_empty() {
            judge.unclear.push("there is nothing to score".to_owned());
        }
        Ok(match (judge.missed.is_empty(), judge.unclear.is_empty()) {
            (false, _) => Decision::NotMet(judge.missed),
            (true, false) => Decision::Inconclusive(judge.unclear),
            (true, true) => Decision::Met,
        })
    }
}

#[derive(Default)]
struct Judge {
    missed: Vec<String>,
    unclear: Vec<String>,
}

impl Judge {
    fn score(&mut self, what: &str, least: Option<&Fraction>, mark: Option<&Mark>) {
        let Some(least) = least.map(points) else {
            return;
        };
        let wanted = one_decimal(&least);
        let Some(mark) = mark else {
            self.unclear
                .push(format!("{what} cannot be told; {wanted} is asked for"));
            return;
        };
        let have = one_decimal(&mark.score);
        if mark.if_unknown_passed < least {
            self.missed
                .push(format!("{what} is {have}, below {wanted}"));
        } else if mark.score < least {
            let best = one_decimal(&mark.if_unknown_passed);
            self.unclear.push(format!(
                "{what} is between {have} and {best}, depending on what could not be read; {wanted} is asked for"
            ));
        }
    }

    fn level(
        &mut self,
        name: &str,
        score: &Score,
        scorecard: &Scorecard,
    ) -> Result<(), UnknownLevel> {
        let position = |name: &str| scorecard.levels.iter().position(|level| level.name == name);
        let Some(wanted) = position(name) else {
            let known: Vec<&str> = scorecard.levels.iter().map(|l| l.name.as_str()).collect();
            return Err(UnknownLevel {
                level: name.to_owned(),
                known: known.join(", "),
            });
        };
        let reached = score.level.reached.as_deref();
        if reached.and_then(position).is_some_and(|at| at >= wanted) {
            return Ok(());
        }
        let have = reached.unwrap_or("below every level");
        let told = format!("the level is {have}; {name} is asked for");
        // Without anything unknown the level is what it is.
        let unknown = score
            .rules
            .iter()
            .any(|rule| rule.credit != rule.credit_if_unknown_passed);
        let least = points(&scorecard.levels[wanted].min_score);
        let within = score
            .total
            .as_ref()
            .is_none_or(|mark| mark.if_unknown_passed >= least);
        match unknown && within {
            true => self
                .unclear
                .push(format!("{told}, and what could not be read may decide it")),
            false => self.missed.push(told),
        }
        Ok(())
    }

    fn gaps(&mut self, severity: Severity, score: &Score) {
        let of = |state: RuleState| -> Vec<&str> {
            score
                .rules
                .iter()
                // Severities are ordered from the worst.
                .filter(|rule| rule.state == state && rule.severity <= severity)
                .map(|rule| &*rule.rule)
                .collect()
        };
        let (failing, unknown) = (of(RuleState::Fail), of(RuleState::Unknown));
        if !failing.is_empty() {
            self.missed.push(format!(
                "{} gaps of severity {severity} or worse are open: {}",
                failing.len(),
                failing.join(", ")
            ));
        }
        if !unknown.is_empty() {
            self.unclear.push(format!(
                "{} rules of severity {severity} or worse could not be judged: {}",
                unknown.len(),
                unknown.join(", ")
            ));
        }
    }
}

fn points(fraction: &Fraction) -> Points {
    Points::new((*fraction.numer()).into(), (*fraction.denom()).into())
}
