//! Which kinds the server serves, where, and which part of that could not be found out.

use std::{collections::BTreeMap, sync::Arc};

use futures::future::join_all;
use serde::{Deserialize, de::DeserializeOwned};
use tokio::time::Instant;

use super::{ClusterError, Http, Request, client::JSON, failure::Failure, secrets_refused};
use crate::model::{GroupKind, KindQuery, Projection, Unreadable, UnreadableCause};

/// Asks for all groups in one answer (Kubernetes 1.27 and later), or the list of their names.
const AGGREGATED: &str =
    "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json";

/// What a server serves.
#[derive(Debug, Default)]
pub(super) struct Catalogue {
    groups: BTreeMap<String, Vec<Version>>,
    /// Why the core group is not known, if it is not.
    core_failed: Option<Unreadable>,
    /// Why the other groups are not known, if they are not.
    others_failed: Option<Unreadable>,
}

#[derive(Debug)]
struct Version {
    name: String,
    /// Its kinds, or why they are not known: an aggregated API that is down, for one.
    resources: Result<Vec<Resource>, Unreadable>,
}

#[derive(Clone, Debug)]
struct Resource {
    plural: String,
    kind: String,
    namespaced: bool,
    listable: bool,
}

/// One kind to list.
#[derive(Clone, Debug)]
pub(super) struct Target {
    pub kind: GroupKind,
    pub version: String,
    /// Plural name in paths.
    pub resource: String,
    pub namespaced: bool,
    pub projection: Projection,
    pub owned: Option<Projection>,
}

impl Target {
    /// The path of its list.
    pub(super) fn path(&self, namespace: Option<&str>) -> String {
        let root = match &*self.kind.group {
            "" => format!("/api/{}", self.version),
            group => format!("/apis/{group}/{}", self.version),
        };
        match namespace {
            Some(namespace) => format!("{root}/namespaces/{namespace}/{}", self.resource),
            None => format!("{root}/{}", self.resource),
        }
    }
}

/// What became of one kind that the plan asks for.
#[derive(Debug)]
pub(super) enum Resolution {
    Served(Box<Target>),
    NotServed,
    Failed(Unreadable),
}

/// Finds out what the server serves, as far as the request is about it.
pub(super) async fn discover(
    http: &Http,
    request: &Request,
    deadline: Instant,
) -> Result<Catalogue, ClusterError> {
    let started = Instant::now();
    let mut catalogue = Catalogue::default();
    let (core, others) = tokio::join!(
        groups(http, "/api", request, deadline),
        groups(http, "/apis", request, deadline),
    );
    if let (Err(failure), Err(_)) = (&core, &others)
        && failure.code() != Some(403)
    {
        return Err(http.fatal(failure, started));
    }
    match core {
        Ok(groups) => catalogue.groups.extend(groups),
        Err(failure) => catalogue.core_failed = Some(unknown(&failure)),
    }
    match others {
        Ok(groups) => catalogue.groups.extend(groups),
        Err(failure) => catalogue.others_failed = Some(unknown(&failure)),
    }
    Ok(catalogue)
}

fn unknown(failure: &Failure) -> Unreadable {
    let Unreadable { cause, detail } = failure.unreadable();
    Unreadable {
        cause,
        detail: format!("what the server serves could not be read: {detail}").into(),
    }
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Document {
    kind: String,
    /// Of an aggregated answer.
    items: Vec<GroupItem>,
    /// Of `/api` where it is not aggregated.
    versions: Vec<String>,
    /// Of `/apis` where it is not aggregated.
    groups: Vec<GroupEntry>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct GroupItem {
    metadata: Metadata,
    versions: Vec<VersionItem>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Metadata {
    name: String,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct VersionItem {
    version: String,
    freshness: String,
    resources: Vec<ResourceItem>,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct ResourceItem {
    resource: String,
    response_kind: Option<ResponseKind>,
    scope: String,
    verbs: Vec<String>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct ResponseKind {
    kind: String,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct GroupEntry {
    name: String,
    versions: Vec<VersionEntry>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct VersionEntry {
    version: String,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct ResourceList {
    resources: Vec<ResourceEntry>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct ResourceEntry {
    name: String,
    kind: String,
    namespaced: bool,
    verbs: Vec<String>,
}

/// The groups below `/api` or `/apis`.
async fn groups(
    http: &Http,
    root: &str,
    request: &Request,
    deadline: Instant,
) -> Result<BTreeMap<String, Vec<Version>>, Failure> {
    let document: Document = json(http, root, AGGREGATED, deadline).await?;
    match &*document.kind {
        "APIGroupDiscoveryList" => Ok(document
            .items
            .into_iter()
            .map(|group| {
                (
                    group.metadata.name,
                    group.versions.into_iter().map(aggregated).collect(),
                )
            })
            .collect()),
        "APIVersions" => {
            let versions = document
                .versions
                .into_iter()
                .map(|version| one_version(http, format!("{root}/{version}"), version, deadline));
            Ok(BTreeMap::from([(String::new(), join_all(versions).await)]))
        }
        "APIGroupList" => {
            let wanted = |group: &GroupEntry| {
                request
                    .kinds
                    .iter()
                    .any(|kind| *kind.query.group == *group.name)
            };
            let groups = document
                .groups
                .into_iter()
                .filter(wanted)
                .map(|group| async {
                    let versions = group.versions.into_iter().map(|VersionEntry { version }| {
                        let path = format!("{root}/{}/{version}", group.name);
                        one_version(http, path, version, deadline)
                    });
                    let versions = join_all(versions).await;
                    (group.name, versions)
                });
            Ok(join_all(groups).await.into_iter().collect())
        }
        other => {
            let other = super::failure::shown(other);
            Err(Failure::Malformed(format!(
                "{root} answered with a `{other}`"
            )))
        }
    }
}

async fn json<T: DeserializeOwned>(
    http: &Http,
    path: &str,
    accept: &str,
    deadline: Instant,
) -> Result<T, Failure> {
    let answer = http.get_bytes(path, "", accept, deadline).await?;
    serde_json::from_slice(&answer.bytes)
        .map_err(|_| Failure::Malformed(format!("{path} did not answer with the JSON of the API")))
}

fn aggregated(version: VersionItem) -> Version {
    if version.freshness == "Stale" {
        let why = Unreadable {
            cause: UnreadableCause::Unavailable,
            detail: "the API is registered, but the server behind it does not answer".into(),
        };
        return Version {
            name: version.version,
            resources: Err(why),
        };
    }
    let resources = version
        .resources
        .into_iter()
        .filter_map(|item| {
            Some(Resource {
                plural: item.resource,
                kind: item.response_kind?.kind,
                namespaced: item.scope == "Namespaced",
                listable: item.verbs.iter().any(|verb| verb == "list"),
            })
        })
        .collect();
    Version {
        name: version.version,
        resources: Ok(resources),
    }
}

/// One version of a server that does not aggregate.
async fn one_version(http: &Http, path: String, version: String, deadline: Instant) -> Version {
    let resources = match json::<ResourceList>(http, &path, JSON, deadline).await {
        Ok(list) => Ok(list
            .resources
            .into_iter()
            .filter(|entry| !entry.name.contains('/'))
            .map(|entry| Resource {
                plural: entry.name,
                kind: entry.kind,
                namespaced: entry.namespaced,
                listable: entry.verbs.iter().any(|verb| verb == "list"),
            })
            .collect()),
        Err(failure) => Err(unknown(&failure)),
    };
    Version {
        name: version,
        resources,
    }
}

/// Decides for each kind of the request where it is listed, if anywhere.
pub(super) fn resolve(catalogue: &Catalogue, request: &Request) -> BTreeMap<GroupKind, Resolution> {
    let mut resolved = BTreeMap::new();
    for wanted in &request.kinds {
        let kinds = match wanted.query.is_wildcard() {
            true => catalogue.kinds(&wanted.query),
            false => Ok(vec![wanted.query.kind.clone()]),
        };
        let kinds = match kinds {
            Ok(kinds) if kinds.is_empty() => {
                resolved.insert(wanted.query.group_kind(), Resolution::NotServed);
                continue;
            }
            Ok(kinds) => kinds,
            Err(why) => {
                resolved.insert(wanted.query.group_kind(), Resolution::Failed(why));
                continue;
            }
        };
        for kind in kinds {
            let kind = GroupKind {
                group: wanted.query.group.clone(),
                kind,
            };
            let resolution = match secrets_refused(&kind) {
                Some(why) => Resolution::Failed(why),
                None => catalogue.find(
                    &wanted.query,
                    &kind,
                    &wanted.projection,
                    wanted.owned.as_ref(),
                ),
            };
            // A kind may be asked for by name and as one of its group.
            match (resolved.get_mut(&kind), resolution) {
                (Some(Resolution::Served(earlier)), Resolution::Served(target)) => {
                    earlier.projection.merge(&target.projection);
                    earlier.owned = match (earlier.owned.take(), target.owned) {
                        (Some(mut one), Some(other)) => {
                            one.merge(&other);
                            Some(one)
                        }
                        _ => None,
                    };
                }
                (Some(_), _) => {}
                (None, resolution) => {
                    resolved.insert(kind, resolution);
                }
            }
        }
    }
    resolved
}

impl Catalogue {
    fn failed(&self, group: &str) -> Option<&Unreadable> {
        if group.is_empty() {
            &self.core_failed
        } else {
            &self.others_failed
        }
        .as_ref()
    }

    /// The kinds of a group that a query for all of them stands for.
    fn kinds(&self, query: &KindQuery) -> Result<Vec<Arc<str>>, Unreadable> {
        if let Some(why) = self.failed(&query.group) {
            return Err(why.clone());
        }
        let mut kinds: Vec<Arc<str>> = Vec::new();
        for version in self.groups.get(&*query.group).into_iter().flatten() {
            match &version.resources {
                Ok(resources) => kinds.extend(
                    resources
                        .iter()
                        .filter(|resource| resource.listable)
                        .map(|resource| Arc::from(&*resource.kind)),
                ),
                Err(why)
                    if query
                        .versions
                        .iter()
                        .any(|accepted| **accepted == *version.name) =>
                {
                    return Err(why.clone());
                }
                Err(_) => {}
            }
        }
        kinds.sort();
        kinds.dedup();
        Ok(kinds)
    }

    fn find(
        &self,
        query: &KindQuery,
        kind: &GroupKind,
        projection: &Projection,
        owned: Option<&Projection>,
    ) -> Resolution {
        if let Some(why) = self.failed(&kind.group) {
            return Resolution::Failed(why.clone());
        }
        let versions = self.groups.get(&*kind.group).map_or(&[][..], Vec::as_slice);
        let resource = |version: &Version| -> Option<Resource> {
            let resources = version.resources.as_ref().ok()?;
            resources
                .iter()
                .find(|resource| resource.kind == *kind.kind && is_name(&resource.plural))
                .cloned()
        };
        let mut why = None;
        for accepted in &query.versions {
            let Some(version) = versions.iter().find(|version| *version.name == **accepted) else {
                continue;
            };
            match (&version.resources, resource(version)) {
                (_, Some(resource)) if resource.listable => {
                    return Resolution::Served(Box::new(Target {
                        kind: kind.clone(),
                        version: version.name.clone(),
                        resource: resource.plural,
                        namespaced: resource.namespaced,
                        projection: projection.clone(),
                        owned: owned.cloned(),
                    }));
                }
                (_, Some(_)) => why = Some(not_readable(format!("{kind} cannot be listed"))),
                (Err(failed), None) => why = Some(failed.clone()),
                (Ok(_), None) => {}
            }
        }
        // A kind that is there, but only in versions that no rule understands, is not an empty list.
        let elsewhere = || {
            let version = versions
                .iter()
                .find(|version| resource(version).is_some())?;
            let served = super::failure::shown(&version.name);
            Some(not_readable(format!(
                "{kind} is served as {served}; the rules understand {}",
                query.versions.join(", ")
            )))
        };
        match why.or_else(elsewhere) {
            Some(why) => Resolution::Failed(why),
            None => Resolution::NotServed,
        }
    }
}

fn not_readable(detail: String) -> Unreadable {
    Unreadable {
        cause: UnreadableCause::NotCollected,
        detail: detail.into(),
    }
}

/// Whether a name may become part of a path.
pub(super) fn is_name(text: &str) -> bool {
    let allowed = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || b"-.".contains(&c);
    !text.is_empty() && !text.contains("..") && text.bytes().all(allowed)
}
