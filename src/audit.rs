//! The pipeline, in order. Read this first.

mod input;

use std::sync::Arc;

pub use self::input::{Error, Options};
use crate::{
    derive, evaluate,
    model::{Inventory, Problem, Verdicts},
    plan,
    rule::{self, Params, RuleSet},
    score::{self, RuleWorth, Score, ScoreInput},
    scorecard::{self, Scorecard, Waiver},
    source::{
        self, Progress, Request, Source, attestations,
        overlay::{self, Overlay},
    },
};

/// What an audit judges by, and what it has to read for that.
#[derive(Debug)]
pub struct Yardstick {
    /// The rules that are evaluated.
    pub rules: RuleSet,
    /// What they are worth.
    pub scorecard: Scorecard,
    /// The profile whose parameters hold.
    pub profile: String,
    /// Values of the rules' parameters.
    pub params: Params,
    /// Accepted failures.
    pub waivers: Vec<Waiver>,
    /// What the rules read.
    pub request: Request,
    /// What the user should know of the input.
    pub warnings: Vec<Problem>,
    /// Every rule that was loaded, also where only some run.
    loaded: RuleSet,
}

/// Everything an audit found, for report writers.
#[derive(Debug)]
pub struct Audit {
    /// What it was judged by.
    pub yardstick: Arc<Yardstick>,
    /// What was collected.
    pub inventory: Inventory,
    /// What each rule found.
    pub verdicts: Verdicts,
    /// What that amounts to.
    pub score: Score,
    /// What the user should know of the input.
    pub warnings: Vec<Problem>,
}

/// Audits a source: rules and scorecard → what to read → inventory → verdicts → score.
///
/// # Errors
/// No audit was made: bad input, or a source that cannot be read at all. A source that can be read
/// in part is an audit with unknown verdicts.
pub fn audit(options: &Options, progress: Arc<dyn Progress>) -> Result<Audit, Error> {
    let yardstick = Arc::new(yardstick(options)?);
    let (mut inventory, mut warnings) = collect(options, &yardstick, progress)?;
    warnings.extend(lay(options, &yardstick, &mut inventory)?);
    Ok(assess(yardstick, inventory, warnings))
}

/// Loads rules, scorecard and waivers, and finds out what they need to read.
///
/// # Errors
/// Bad input.
pub fn yardstick(options: &Options) -> Result<Yardstick, Error> {
    let loaded = rule::load(&options.rules)?;
    let (scorecard, mut warnings) = scorecard::load(&options.scorecard, &loaded.rules)?;
    warnings.extend(loaded.warnings);
    let waivers = match &options.waivers {
        Some(file) => scorecard::load_waivers(file, &loaded.rules)?,
        None => Vec::new(),
    };
    let profile = input::profile(options, &scorecard, &loaded.rules)?;
    let rules = loaded.rules.select(&options.only, &options.skip)?;
    let params = scorecard.params_of(&rules, &profile);
    Ok(Yardstick {
        request: plan::plan(&rules, &params),
        loaded: loaded.rules,
        rules,
        scorecard,
        profile,
        params,
        waivers,
        warnings,
    })
}

/// Reads the source.
///
/// # Errors
/// It cannot be read at all.
pub fn collect(
    options: &Options,
    yardstick: &Yardstick,
    progress: Arc<dyn Progress>,
) -> Result<(Inventory, Vec<Problem>), Error> {
    let (source, prometheus) = (&options.source, options.prometheus.as_ref());
    let request = &yardstick.request;
    let (mut inventory, warnings) =
        source::collect(source, prometheus, request, options.now, progress)?;
    if let Some(now) = options.now {
        inventory.now = now;
    }
    if let Some(from) = &options.attestations {
        inventory.attestations = attestations::load(from, source, &yardstick.loaded)?;
    }
    Ok((inventory, warnings))
}

/// Lays the overlay over what was collected.
///
/// # Errors
/// Its files cannot be read as manifests.
pub fn lay(
    options: &Options,
    yardstick: &Yardstick,
    inventory: &mut Inventory,
) -> Result<Vec<Problem>, Error> {
    let Overlay { apply, delete } = &options.overlay;
    if options.overlay.is_empty() {
        return Ok(Vec::new());
    }
    let manifests = Source::Manifests(apply.clone());
    let now = Some(inventory.now);
    let (manifests, warnings) =
        source::collect(&manifests, None, &yardstick.request, now, Arc::new(()))?;
    overlay::lay(inventory, manifests, delete);
    Ok(warnings)
}

/// Judges and scores what was collected. Pure.
pub fn assess(yardstick: Arc<Yardstick>, mut inventory: Inventory, found: Vec<Problem>) -> Audit {
    derive::derive(&mut inventory, &yardstick.request.derived);
    let verdicts = evaluate::evaluate(&yardstick.rules, &yardstick.params, &inventory);
    let score = score::score(&ScoreInput {
        rules: &RuleWorth::of(&yardstick.rules),
        scorecard: &yardstick.scorecard,
        profile: &yardstick.profile,
        verdicts: &verdicts,
        waivers: &yardstick.waivers,
        now: inventory.now,
        expiry_warning: score::EXPIRY_WARNING,
    });
    Audit {
        warnings: yardstick.warnings.iter().cloned().chain(found).collect(),
        yardstick,
        inventory,
        verdicts,
        score,
    }
}
