//! The pipeline, in order. Read this first.

use std::{path::PathBuf, sync::Arc};

use jiff::Timestamp;

use crate::{
    derive, evaluate,
    model::{Inventory, Problem, Verdicts},
    plan,
    rule::{self, RuleSet, UnknownSelection},
    score::{self, RuleWorth, Score, ScoreInput},
    scorecard::{self, Scorecard, Waiver},
    source::{self, Progress, Source, SourceError},
};

/// What to audit, and by which yardstick.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Directories with rules beside the embedded ones.
    pub rules: Vec<PathBuf>,
    /// Rules, themes or categories to keep; all if empty.
    pub only: Vec<String>,
    /// Rules, themes or categories to leave out.
    pub skip: Vec<String>,
    /// Name or file of the scorecard.
    pub scorecard: String,
    /// Profile, where it is not the scorecard's own.
    pub profile: Option<String>,
    /// File of waivers.
    pub waivers: Option<PathBuf>,
    /// Where the objects come from.
    pub source: Source,
    /// The clock, where it is not the source's.
    pub now: Option<Timestamp>,
}

/// Everything an audit found, for report writers.
#[derive(Debug)]
pub struct Audit {
    /// The rules that were evaluated.
    pub rules: RuleSet,
    /// The yardstick.
    pub scorecard: Scorecard,
    /// The profile whose parameters held.
    pub profile: String,
    /// What was collected.
    pub inventory: Inventory,
    /// What each rule found.
    pub verdicts: Verdicts,
    /// What that amounts to.
    pub score: Score,
    /// The waivers that were given.
    pub waivers: Vec<Waiver>,
    /// What the user should know of the input.
    pub warnings: Vec<Problem>,
}

/// Why there is no audit.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file or a flag is wrong.
    #[error("the input cannot be used")]
    Input(Vec<Problem>),
    /// `--only` or `--skip` is wrong.
    #[error(transparent)]
    Selection(#[from] UnknownSelection),
    /// The profile is none that the rules know.
    #[error("unknown profile `{profile}`; there are {known}")]
    Profile {
        /// The profile asked for.
        profile: String,
        /// Those there are.
        known: String,
    },
    /// The source cannot be read at all.
    #[error(transparent)]
    Source(SourceError),
}

impl From<SourceError> for Error {
    fn from(error: SourceError) -> Self {
        match error {
            SourceError::Manifests(problems) => Error::Input(problems),
            other => Error::Source(other),
        }
    }
}

impl From<Vec<Problem>> for Error {
    fn from(problems: Vec<Problem>) -> Self {
        Error::Input(problems)
    }
}

/// Audits a source: rules and scorecard → what to read → inventory → verdicts → score.
///
/// # Errors
/// No audit was made: bad input, or a source that cannot be read at all. A source that can be read
/// in part is an audit with unknown verdicts.
pub fn audit(options: &Options, progress: Arc<dyn Progress>) -> Result<Audit, Error> {
    let loaded = rule::load(&options.rules)?;
    let (scorecard, mut warnings) = scorecard::load(&options.scorecard, &loaded.rules)?;
    let waivers = match &options.waivers {
        Some(file) => scorecard::load_waivers(file, &loaded.rules)?,
        None => Vec::new(),
    };
    let profile = profile(options, &scorecard, &loaded.rules)?;
    let rules = loaded.rules.select(&options.only, &options.skip)?;
    let params = scorecard.params_of(&rules, &profile);

    let request = plan::plan(&rules, &params);
    let (mut inventory, found) = source::collect(&options.source, &request, options.now, progress)?;
    if let Some(now) = options.now {
        inventory.now = now;
    }
    warnings.extend(loaded.warnings);
    warnings.extend(found);

    derive::derive(&mut inventory, &request.derived);
    let verdicts = evaluate::evaluate(&rules, &params, &inventory);
    let score = score::score(&ScoreInput {
        rules: &RuleWorth::of(&rules),
        scorecard: &scorecard,
        profile: &profile,
        verdicts: &verdicts,
        waivers: &waivers,
        now: inventory.now,
        expiry_warning: score::EXPIRY_WARNING,
    });
    Ok(Audit {
        rules,
        scorecard,
        profile,
        inventory,
        verdicts,
        score,
        waivers,
        warnings,
    })
}

/// The profile asked for; it must be one that the rules or the scorecard know.
fn profile(options: &Options, scorecard: &Scorecard, rules: &RuleSet) -> Result<String, Error> {
    let Some(profile) = &options.profile else {
        return Ok(scorecard.profile.clone());
    };
    let mut known: Vec<&str> = rules
        .iter()
        .flat_map(|rule| rule.params.values())
        .flat_map(|param| param.profiles.keys())
        .map(String::as_str)
        .chain([scorecard.profile.as_str()])
        .collect();
    known.sort_unstable();
    known.dedup();
    match known.contains(&profile.as_str()) {
        true => Ok(profile.clone()),
        false => Err(Error::Profile {
            profile: profile.clone(),
            known: known.join(", "),
        }),
    }
}
