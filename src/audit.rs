//! The pipeline, in order. Read this first.

use std::{path::PathBuf, sync::Arc};

use jiff::Timestamp;

use crate::{
    derive, evaluate,
    model::{Attestation, Inventory, Problem, Verdicts},
    plan,
    rule::{self, RuleSet, UnknownSelection},
    score::{self, RuleWorth, Score, ScoreInput},
    scorecard::{self, Scorecard, Waiver},
    source::{self, Progress, Source, SourceError, prometheus::PrometheusOptions},
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
    /// Attestations.
    pub attestations: Option<AttestationSource>,
    /// Where the objects come from.
    pub source: Source,
    /// A Prometheus to ask, where there is one.
    pub prometheus: Option<PrometheusOptions>,
    /// The clock, where it is not the source's.
    pub now: Option<Timestamp>,
}

/// Where attestations are written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AttestationSource {
    /// A file.
    File(PathBuf),
    /// A ConfigMap of the cluster; each of its entries is such a file.
    ConfigMap {
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
    },
}

impl std::str::FromStr for AttestationSource {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text
            .strip_prefix("configmap:")
            .map(|rest| rest.split_once('/'))
        {
            None => Ok(AttestationSource::File(text.into())),
            Some(Some((namespace, name))) if !namespace.is_empty() && !name.is_empty() => {
                Ok(AttestationSource::ConfigMap {
                    namespace: namespace.to_owned(),
                    name: name.to_owned(),
                })
            }
            Some(_) => Err("write configmap:NAMESPACE/NAME"),
        }
    }
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
    let prometheus = options.prometheus.as_ref();
    let (mut inventory, found) =
        source::collect(&options.source, prometheus, &request, options.now, progress)?;
    if let Some(now) = options.now {
        inventory.now = now;
    }
    if let Some(from) = &options.attestations {
        inventory.attestations = attestations(from, &options.source, &loaded.rules)?;
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

/// What people have signed for.
fn attestations(
    from: &AttestationSource,
    source: &Source,
    rules: &RuleSet,
) -> Result<Vec<Attestation>, Error> {
    match from {
        AttestationSource::File(path) => Ok(scorecard::load_attestations(path, rules)?),
        AttestationSource::ConfigMap { namespace, name } => {
            let mut all = Vec::new();
            for (key, text) in source::config_map(source, namespace, name)? {
                let place = format!("configmap:{namespace}/{name}/{key}");
                all.extend(scorecard::parse_attestations(&place, &text, rules)?);
            }
            Ok(all)
        }
    }
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
