//! What a source collected, and how completely.

use std::{collections::BTreeMap, fmt, sync::Arc};

use jiff::Timestamp;

use super::{Attestation, GroupKind, Node, known};

/// Where an object was written.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Place {
    /// File as the user named it; `-` for standard input.
    pub file: Arc<str>,
    /// Line of the document's first key, counted from 1.
    pub line: u32,
}

/// One Kubernetes object, reduced to what the plan asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct Object {
    /// Its kind.
    pub kind: GroupKind,
    /// The version it was read at, such as `v1`.
    pub version: Arc<str>,
    /// Its fields, starting at the root (`metadata`, `spec`, …).
    pub root: Node,
    /// Where it was written, for objects read from manifests.
    pub place: Option<Place>,
}

impl Object {
    /// `metadata.name`; empty if it has none.
    pub fn name(&self) -> &str {
        self.metadata("name").unwrap_or_default()
    }

    /// `metadata.namespace`, for namespaced objects.
    pub fn namespace(&self) -> Option<&str> {
        self.metadata("namespace")
    }

    /// `metadata.uid`, for objects that a server has stored.
    pub fn uid(&self) -> Option<&str> {
        self.metadata("uid")
    }

    fn metadata(&self, field: &str) -> Option<&str> {
        self.root.at(&["metadata", field])?.as_str()
    }

    /// The owner reference whose `controller` is true.
    pub fn controller(&self) -> Option<&Node> {
        let owners = self.root.at(&["metadata", "ownerReferences"])?.items();
        owners
            .iter()
            .find(|owner| owner.get("controller").and_then(Node::as_bool) == Some(true))
    }

    /// Whether another workload controls it, so that it is no subject of its own.
    ///
    /// A workload that an operator's own kind controls is one: nothing else stands for its pods.
    pub fn is_owned_by_workload(&self) -> bool {
        let Some(owner) = self.controller() else {
            return false;
        };
        let text = |field: &str| owner.get(field).and_then(Node::as_str).unwrap_or_default();
        let group = text("apiVersion")
            .rsplit_once('/')
            .map_or("", |(group, _)| group);
        known::is_workload(&GroupKind::new(group, text("kind")))
    }
}

/// Why a list could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum UnreadableCause {
    /// The server refused: the credentials lack `list` on the kind (403).
    Forbidden,
    /// The server did not accept the credentials (401).
    Unauthorized,
    /// The API is registered but does not answer, such as an aggregated API that is down.
    Unavailable,
    /// No complete answer before the deadline.
    Timeout,
    /// The answer broke off or is not what the API promises.
    Malformed,
    /// The answer is larger than the limit.
    TooLarge,
    /// The snapshot was taken for other rules and does not hold the kind or these fields.
    NotCollected,
}

impl fmt::Display for UnreadableCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            UnreadableCause::Forbidden => "forbidden",
            UnreadableCause::Unauthorized => "unauthorized",
            UnreadableCause::Unavailable => "unavailable",
            UnreadableCause::Timeout => "timeout",
            UnreadableCause::Malformed => "malformed",
            UnreadableCause::TooLarge => "too-large",
            UnreadableCause::NotCollected => "not-collected",
        })
    }
}

/// What kept a list from being read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable {
    /// The class of the cause.
    pub cause: UnreadableCause,
    /// One sentence for people, without secrets, such as the server's own message.
    pub detail: Arc<str>,
}

/// How completely one kind was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListState {
    /// Every object is in the list.
    Complete,
    /// The cluster does not serve the kind; the list is truly empty.
    NotServed,
    /// Some objects are missing: the namespaces that could not be read, and why.
    Partial {
        /// Namespaces outside the list; empty if it is not known which.
        missing: Vec<Arc<str>>,
        /// Why.
        why: Unreadable,
    },
    /// Nothing was read.
    Unreadable(Unreadable),
    /// The source cannot answer for this kind at all (a manifests folder has no nodes).
    NotAssessable,
}

impl ListState {
    /// Why the list is not complete, if it is not.
    pub fn unreadable(&self) -> Option<&Unreadable> {
        match self {
            ListState::Partial { why, .. } | ListState::Unreadable(why) => Some(why),
            ListState::Complete | ListState::NotServed | ListState::NotAssessable => None,
        }
    }
}

/// The objects of one kind.
#[derive(Clone, Debug, PartialEq)]
pub struct KindList {
    /// How completely the kind was read.
    pub state: ListState,
    /// The version it was read at; empty if it is not served.
    pub version: Arc<str>,
    /// Plural resource name at the server, such as `deployments`; empty if it is not known.
    pub resource: Arc<str>,
    /// Whether objects live in namespaces.
    pub namespaced: bool,
    /// The objects, sorted by namespace and name so that the order of arrival changes nothing.
    pub objects: Vec<Object>,
}

/// Where an inventory came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SourceKind {
    /// A live API server.
    Live,
    /// A snapshot file of a live API server.
    Snapshot,
    /// Manifest files: no status, no server, no view of the whole cluster.
    Manifests,
}

/// Which cluster it is, as far as the source can tell.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cluster {
    /// UID of the namespace `kube-system`, the only name a cluster cannot be given twice.
    pub uid: Option<Arc<str>>,
    /// The server's `gitVersion`, such as `v1.36.3`.
    pub version: Option<Arc<str>>,
    /// The server's `platform`, such as `linux/amd64`.
    pub platform: Option<Arc<str>>,
}

/// Everything a source collected.
#[derive(Clone, Debug, PartialEq)]
pub struct Inventory {
    /// Kind of source.
    pub source: SourceKind,
    /// What the source is called in reports: a context, a file, a folder.
    pub origin: String,
    /// The clock of the audit: the server's time where there is a server.
    pub now: Timestamp,
    /// The cluster's identity.
    pub cluster: Cluster,
    /// The kinds that were asked for. A kind that is not in the map was not asked for.
    pub lists: BTreeMap<GroupKind, KindList>,
    /// Lists that were computed from `lists`, once they have been (see `derive`).
    pub derived: BTreeMap<GroupKind, KindList>,
    /// What people have signed for, whatever its date.
    pub attestations: Vec<Attestation>,
    /// What the user should know of the collection itself, such as a skewed clock.
    pub notes: Vec<String>,
}

impl Inventory {
    /// The objects of a kind; empty if there are none or the kind was not asked for.
    pub fn objects(&self, kind: &GroupKind) -> &[Object] {
        self.list(kind).map_or(&[], |list| &list.objects)
    }

    /// The list of a kind, read or derived.
    pub fn list(&self, kind: &GroupKind) -> Option<&KindList> {
        self.lists.get(kind).or_else(|| self.derived.get(kind))
    }

    /// How completely a kind was read; a kind that was not asked for is unreadable.
    pub fn state(&self, kind: &GroupKind) -> ListState {
        self.list(kind).map_or_else(
            || {
                ListState::Unreadable(Unreadable {
                    cause: UnreadableCause::NotCollected,
                    detail: format!("{kind} was not collected").into(),
                })
            },
            |list| list.state.clone(),
        )
    }
}
