//! Attestations as a source: a file, or a ConfigMap of the cluster.

use std::{path::PathBuf, str::FromStr};

use super::{Source, SourceError, config_map};
use crate::{
    model::{Attestation, Problem},
    rule::RuleSet,
    scorecard,
};

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

impl FromStr for AttestationSource {
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

/// Why attestations cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum AttestationError {
    /// They are not written as they should be.
    #[error("attestations cannot be used")]
    Input(Vec<Problem>),
    /// The ConfigMap cannot be read.
    #[error(transparent)]
    Source(#[from] SourceError),
}

impl From<Vec<Problem>> for AttestationError {
    fn from(problems: Vec<Problem>) -> Self {
        AttestationError::Input(problems)
    }
}

/// Reads what people have signed for. Pass every rule that was loaded.
///
/// # Errors
/// A file with problems, or a ConfigMap that cannot be read.
pub fn load(
    from: &AttestationSource,
    source: &Source,
    rules: &RuleSet,
) -> Result<Vec<Attestation>, AttestationError> {
    match from {
        AttestationSource::File(path) => Ok(scorecard::load_attestations(path, rules)?),
        AttestationSource::ConfigMap { namespace, name } => {
            let mut all = Vec::new();
            for (key, text) in config_map(source, namespace, name)? {
                let place = format!("configmap:{namespace}/{name}/{key}");
                all.extend(scorecard::parse_attestations(&place, &text, rules)?);
            }
            Ok(all)
        }
    }
}
