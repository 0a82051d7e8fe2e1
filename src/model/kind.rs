//! Kinds of Kubernetes objects, as rules name them and as inventories key them.

use std::{fmt, str::FromStr, sync::Arc};

/// A kind without its version: what an inventory is keyed by, since one object is served under
/// every version of its kind.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct GroupKind {
    /// API group; empty for the core group.
    pub group: Arc<str>,
    /// Kind, such as `Deployment`.
    pub kind: Arc<str>,
}

impl GroupKind {
    /// A kind of a group; the core group is the empty string.
    pub fn new(group: &str, kind: &str) -> Self {
        GroupKind {
            group: group.into(),
            kind: kind.into(),
        }
    }
}

/// `Deployment.apps`, or `Pod` for the core group, as kubectl writes it.
impl fmt::Display for GroupKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.group.is_empty() {
            f.write_str(&self.kind)
        } else {
            write!(f, "{}.{}", self.kind, self.group)
        }
    }
}

/// A kind as a rule asks for it, with the versions whose fields the rule understands.
///
/// Written `v1/Pod`, `apps/v1/Deployment` or, with several accepted versions,
/// `external-secrets.io/v1|v1beta1/ExternalSecret`. The kind `*` means every kind of the group.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KindQuery {
    /// API group; empty for the core group.
    pub group: Arc<str>,
    /// Accepted versions, the preferred one first; never empty.
    pub versions: Vec<Arc<str>>,
    /// Kind, or `*`.
    pub kind: Arc<str>,
}

impl KindQuery {
    /// The kind without its versions.
    pub fn group_kind(&self) -> GroupKind {
        GroupKind {
            group: self.group.clone(),
            kind: self.kind.clone(),
        }
    }

    /// Whether the query asks for every kind of its group.
    pub fn is_wildcard(&self) -> bool {
        &*self.kind == "*"
    }
}

impl fmt::Display for KindQuery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.group.is_empty() {
            write!(f, "{}/", self.group)?;
        }
        write!(f, "{}/{}", self.versions.join("|"), self.kind)
    }
}

/// A kind that is not written as `group/version/Kind`.
#[derive(Debug, thiserror::Error)]
#[error(
    "`{0}` is not a kind: write `version/Kind` or `group/version/Kind`, such as `apps/v1/Deployment`"
)]
pub struct KindSyntax(String);

impl FromStr for KindQuery {
    type Err = KindSyntax;

    fn from_str(text: &str) -> Result<Self, KindSyntax> {
        let error = || KindSyntax(text.to_owned());
        let parts: Vec<&str> = text.split('/').collect();
        let (group, versions, kind) = match parts[..] {
            [versions, kind] => ("", versions, kind),
            [group, versions, kind] if !group.is_empty() => (group, versions, kind),
            _ => return Err(error()),
        };
        let versions: Vec<Arc<str>> = versions.split('|').map(Arc::from).collect();
        let is_version =
            |v: &Arc<str>| v.starts_with('v') && v[1..].starts_with(|c: char| c.is_ascii_digit());
        let is_kind = kind == "*"
            || (kind.starts_with(|c: char| c.is_ascii_uppercase())
                && kind.chars().all(|c| c.is_ascii_alphanumeric()));
        if !versions.iter().all(is_version) || !is_kind {
            return Err(error());
        }
        Ok(KindQuery {
            group: group.into(),
            versions,
            kind: kind.into(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_writes() {
        for text in [
            "v1/Pod",
            "apps/v1/Deployment",
            "external-secrets.io/v1|v1beta1/ExternalSecret",
            "constraints.gatekeeper.sh/v1beta1/*",
        ] {
            assert_eq!(text.parse::<KindQuery>().unwrap().to_string(), text);
        }
        for text in [
            "Pod",
            "/v1/Pod",
            "apps/Deployment",
            "apps/v1/deployment",
            "v1/Pod/x/y",
            "",
        ] {
            assert!(text.parse::<KindQuery>().is_err(), "{text}");
        }
    }
}
