//! What an audit is asked, and why it may not answer.

use std::path::PathBuf;

use jiff::Timestamp;

use crate::{
    model::Problem,
    rule::{RuleSet, UnknownSelection},
    scorecard::Scorecard,
    source::{
        Source, SourceError,
        attestations::{AttestationError, AttestationSource},
        overlay::Overlay,
        prometheus::PrometheusOptions,
    },
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
    /// What people have signed for.
    pub attestations: Option<AttestationSource>,
    /// Where the objects come from.
    pub source: Source,
    /// What is laid over them.
    pub overlay: Overlay,
    /// A Prometheus to ask, where there is one.
    pub prometheus: Option<PrometheusOptions>,
    /// The clock, where it is not the source's.
    pub now: Option<Timestamp>,
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

/// The profile asked for; it must be one that the rules or the scorecard know.
///
/// # Errors
/// Nobody knows it.
pub(super) fn profile(
    options: &Options,
    scorecard: &Scorecard,
    rules: &RuleSet,
) -> Result<String, Error> {
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

impl From<SourceError> for Error {
    fn from(error: SourceError) -> Self {
        match error {
            SourceError::Manifests(problems) => Error::Input(problems),
            other => Error::Source(other),
        }
    }
}

impl From<AttestationError> for Error {
    fn from(error: AttestationError) -> Self {
        match error {
            AttestationError::Input(problems) => Error::Input(problems),
            AttestationError::Source(error) => error.into(),
        }
    }
}

impl From<Vec<Problem>> for Error {
    fn from(problems: Vec<Problem>) -> Self {
        Error::Input(problems)
    }
}
