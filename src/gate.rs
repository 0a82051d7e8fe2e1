//! Score × thresholds → met, not met, or inconclusive.
//!
//! A gate is judged on the unrounded numbers. Where the answer depends on what could not be read,
//! the gate is inconclusive: it is not met by what nobody saw, and not failed by it either.

use crate::{
    model::{Fraction, Severity},
    score::{Mark, Points, RuleState, Score, one_decimal},
    scorecard::{Scorecard, Thresholds},
};

/// How a score compares with that of a baseline.
#[derive(Clone, Debug, Default)]
pub struct Comparison {
    /// Points that it is below the baseline's; negative if above, none without a score in either.
    pub drop: Option<Points>,
    /// The same if everything unknown passed.
    pub drop_if_unknown_passed: Option<Points>,
    /// What fails now and did not, as `rule: subject`, where the rule is the same.
    pub new_failures: Vec<String>,
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

/// Thresholds that cannot be judged at all.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A threshold names a level that the scorecard does not have.
    #[error("the scorecard has no level `{level}`; it has {known}")]
    UnknownLevel {
        /// The level asked for.
        level: String,
        /// Those there are.
        known: String,
    },
    /// A threshold compares with a baseline, and there is none.
    #[error("--max-drop and --no-new-failures compare with a report: give --baseline")]
    NoBaseline,
}

/// New failures that are named in a reason.
const SHOWN: usize = 10;

/// Judges a score.
///
/// # Errors
/// See [`Error`].
pub fn judge(
    thresholds: &Thresholds,
    score: &Score,
    scorecard: &Scorecard,
    baseline: Option<&Comparison>,
) -> Result<Decision, Error> {
    let mut judge = Judge::default();
    judge.score(
        "the score",
        thresholds.min_score.as_ref(),
        score.total.as_ref(),
    );
    for (category, least) in &thresholds.min_category {
        let mark = score.categories.iter().find(|c| c.category == *category);
        let mark = mark.and_then(|category| category.mark.as_ref());
        judge.score(category.as_str(), Some(least), mark);
    }
    if let Some(level) = &thresholds.min_level {
        judge.level(level, score, scorecard)?;
    }
    if let Some(severity) = thresholds.fail_on {
        judge.gaps(severity, score);
    }
    if let Some(least) = &thresholds.min_coverage {
        let hundred = Points::from_integer(100.into());
        if score.coverage < points(least) {
            judge.unclear.push(format!(
                "coverage is {} %, below {} %",
                one_decimal(&(&score.coverage * &hundred)),
                one_decimal(&(points(least) * &hundred))
            ));
        }
    }
    if thresholds.compare() {
        judge.change(thresholds, baseline.ok_or(Error::NoBaseline)?);
    }
    if score.total.is_none() && !thresholds.is_empty() && judge.unclear.is_empty() {
        judge.unclear.push("there is nothing to score".to_owned());
    }
    Ok(match (judge.missed.is_empty(), judge.unclear.is_empty()) {
        (false, _) => Decision::NotMet(judge.missed),
        (true, false) => Decision::Inconclusive(judge.unclear),
        (true, true) => Decision::Met,
    })
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

    fn level(&mut self, name: &str, score: &Score, scorecard: &Scorecard) -> Result<(), Error> {
        let position = |name: &str| scorecard.levels.iter().position(|level| level.name == name);
        let Some(wanted) = position(name) else {
            let known: Vec<&str> = scorecard.levels.iter().map(|l| l.name.as_str()).collect();
            return Err(Error::UnknownLevel {
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

impl Judge {
    fn change(&mut self, thresholds: &Thresholds, change: &Comparison) {
        if let Some(most) = thresholds.max_drop.as_ref().map(points) {
            let allowed = one_decimal(&most);
            match (&change.drop, &change.drop_if_unknown_passed) {
                (Some(_), Some(drop)) if *drop > most => self.missed.push(format!(
                    "the score is {} points below the baseline's; {allowed} are allowed",
                    one_decimal(drop)
                )),
                (Some(drop), _) if *drop > most => self.unclear.push(format!(
                    "the score is up to {} points below the baseline's, depending on what could not be read; {allowed} are allowed",
                    one_decimal(drop)
                )),
                (Some(_), _) => {}
                (None, _) => {
                    let why = "there are not two scores to compare".to_owned();
                    self.unclear.push(why);
                }
            }
        }
        let new = &change.new_failures;
        if thresholds.no_new_failures && !new.is_empty() {
            let shown = &new[..new.len().min(SHOWN)];
            let more = match new.len() - shown.len() {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            self.missed.push(format!(
                "{} new failures: {}{more}",
                new.len(),
                shown.join(", ")
            ));
        }
    }
}

fn points(fraction: &Fraction) -> Points {
    Points::new((*fraction.numer()).into(), (*fraction.denom()).into())
}
