//! Reads a live cluster: nothing but GET, each list complete or honestly unreadable.
//!
//! [`collect`] connects, discovers what the server serves, and lists every kind that the plan asks
//! for, page by page, several at a time. Every request has a deadline; what can pass by itself is
//! tried again, a few times; what cannot be read costs its kind, never the collection. Bodies are
//! never logged.

mod client;
mod connect;
mod discovery;
mod error;
mod failure;
mod list;
mod proxy;
mod session;

use std::{
    path::PathBuf,
    sync::Arc,
    time::{Duration, SystemTime},
};

use jiff::Timestamp;
use tokio::{sync::Semaphore, task::JoinSet, time::Instant};

use self::{
    client::Http,
    discovery::Resolution,
    failure::Failure,
    list::{Listing, Outcome},
};
use super::{
    Progress, Request, Sink,
    decode::{PageLimits, Projected, Texts},
};
use crate::model::{
    Cluster, GroupKind, Inventory, KindList, ListState, Node, Projection, SourceKind, Unreadable,
    UnreadableCause,
};
pub use error::{ClusterError, TlsProblem};
pub use session::Session;

/// How to reach and read a cluster.
#[derive(Clone, Debug)]
pub struct ClusterOptions {
    /// The kubeconfig file. Otherwise the files that `KUBECONFIG` lists, or `~/.kube/config`, or,
    /// where there is none of them, the service account of the pod we run in.
    pub kubeconfig: Option<PathBuf>,
    /// The context; the kubeconfig's current one if it is not given.
    pub context: Option<String>,
    /// Whether the kubeconfig may name a command that is run for credentials.
    pub allow_exec: bool,
    /// Namespaces to read one by one where a list of the whole cluster is forbidden. What lies
    /// outside of them is then unknown.
    pub namespaces: Vec<String>,
    /// Requests under way at the same time.
    pub concurrency: usize,
    /// Longest time to connect, TLS included.
    pub connect_timeout: Duration,
    /// Longest silence of a connection that waits for an answer.
    pub read_timeout: Duration,
    /// Longest time for one list with all its pages and retries.
    pub list_deadline: Duration,
    /// Longest time for everything.
    pub total_deadline: Duration,
    /// Longest time for a credential plugin, which may wait for somebody to log in.
    pub credentials_timeout: Duration,
    /// Objects in the first page of a list.
    pub page_size: u32,
    /// Objects in a page of a long list of small objects.
    pub max_page_size: u32,
    /// Largest object and page, in bytes after decompression.
    pub limits: PageLimits,
    /// Most objects of one kind.
    pub max_objects: usize,
}

impl Default for ClusterOptions {
    fn default() -> Self {
        ClusterOptions {
            kubeconfig: None,
            context: None,
            allow_exec: true,
            namespaces: Vec::new(),
            concurrency: 4,
            connect_timeout: Duration::from_secs(5),
            read_timeout: Duration::from_secs(30),
            list_deadline: Duration::from_secs(120),
            total_deadline: Duration::from_secs(300),
            credentials_timeout: Duration::from_secs(60),
            page_size: 500,
            max_page_size: 2000,
            limits: PageLimits::default(),
            max_objects: 2_000_000,
        }
    }
}

/// Clocks that differ by more than this make ages of objects look wrong to people.
const SKEW_WORTH_A_NOTE: Duration = Duration::from_secs(30);

/// Reads what a plan asks for. Objects go to the sink; the lists of the inventory that comes back
/// are empty and say how completely each kind was read. Dropping the future stops every request.
///
/// A kind `*` becomes the kinds of its group; only if the group is not served or cannot be read,
/// the inventory has an entry for `*` itself. Secrets are never requested.
///
/// # Errors
/// The cluster cannot be reached or does not accept the credentials: nothing was read at all.
pub async fn collect(
    request: &Request,
    session: &Session,
    sink: Arc<dyn Sink>,
    progress: Arc<dyn Progress>,
) -> Result<Inventory, ClusterError> {
    let Session {
        http,
        origin,
        notes,
        options,
    } = session;
    let deadline = Instant::now() + options.total_deadline;
    let (origin, mut notes) = (origin.clone(), notes.clone());

    let probe = http.probe(deadline).await?;
    let (now, skew) = clock(probe.server_time);
    if skew > SKEW_WORTH_A_NOTE {
        notes.push(format!(
            "the server's clock differs from this machine's by {} s; ages are by the server's clock",
            skew.as_secs()
        ));
    }
    let (uid, catalogue) = tokio::join!(
        cluster_uid(http, deadline),
        discovery::discover(http, request, deadline),
    );
    let resolved = discovery::resolve(&catalogue?, request);

    let mut inventory = Inventory {
        source: SourceKind::Live,
        origin,
        now,
        cluster: Cluster {
            uid,
            version: probe.version,
            platform: probe.platform,
        },
        lists: Default::default(),
        notes,
        derived: Default::default(),
        attestations: Vec::new(),
    };
    let mut targets = Vec::new();
    for (kind, resolution) in resolved {
        match resolution {
            Resolution::Served(target) => targets.push(*target),
            Resolution::NotServed => {
                inventory.lists.insert(kind, unlisted(ListState::NotServed));
            }
            Resolution::Failed(why) => {
                inventory
                    .lists
                    .insert(kind, unlisted(ListState::Unreadable(why)));
            }
        }
    }
    progress.kinds(targets.len());

    // The longest lists first, so that none of them is left alone at the end.
    targets.sort_by_key(|target| match &*target.kind.kind {
        "Pod" => 0,
        "ReplicaSet" | "EndpointSlice" | "ConfigMap" => 1,
        _ => 2,
    });
    let slots = Arc::new(Semaphore::new(options.concurrency.max(1)));
    let mut lists = JoinSet::new();
    for target in targets {
        let listing = Listing::new(
            target,
            http.clone(),
            options.clone(),
            sink.clone(),
            progress.clone(),
        );
        let slots = slots.clone();
        lists.spawn(async move {
            // The deadline of a list starts when it may send its first request.
            let _slot = slots.acquire().await;
            let outcome = listing.run(deadline).await;
            listing.progress.finished(&listing.target.kind);
            (listing, outcome)
        });
    }
    let mut unauthorized = 0;
    let mut complete = 0;
    while let Some(done) = lists.join_next().await {
        // A list that panicked leaves its kind out of the map, which reads as not collected.
        let Ok((listing, outcome)) = done else {
            continue;
        };
        let target = &listing.target;
        let state = match outcome {
            Outcome::Complete => ListState::Complete,
            Outcome::NotServed => ListState::NotServed,
            Outcome::Partial(why) => ListState::Partial {
                missing: Vec::new(),
                why,
            },
            Outcome::Unreadable(why) => ListState::Unreadable(why),
        };
        match &state {
            ListState::Unreadable(why) if why.cause == UnreadableCause::Unauthorized => {
                unauthorized += 1;
            }
            _ => complete += 1,
        }
        let list = KindList {
            state,
            version: target.version.as_str().into(),
            resource: target.resource.as_str().into(),
            namespaced: target.namespaced,
            objects: Vec::new(),
        };
        inventory.lists.insert(target.kind.clone(), list);
    }
    if unauthorized > 0 && complete == 0 {
        return Err(ClusterError::Unauthorized {
            url: http.url().to_owned(),
        });
    }
    Ok(inventory)
}

/// A kind that no request was sent for.
fn unlisted(state: ListState) -> KindList {
    KindList {
        state,
        version: "".into(),
        resource: "".into(),
        namespaced: false,
        objects: Vec::new(),
    }
}

/// The clock of the audit and how far it is from ours.
fn clock(server_time: Option<Timestamp>) -> (Timestamp, Duration) {
    let here = Timestamp::try_from(SystemTime::now()).unwrap_or(Timestamp::UNIX_EPOCH);
    match server_time {
        Some(there) => (there, there.duration_since(here).unsigned_abs()),
        None => (here, Duration::ZERO),
    }
}

/// The UID of the namespace `kube-system`; nothing if it may not be read.
async fn cluster_uid(http: &Http, deadline: Instant) -> Option<Arc<str>> {
    let mut projection = Projection::default();
    projection.path(&["metadata", "uid"]).all = true;
    let body = http
        .get_bytes("/api/v1/namespaces/kube-system", "", client::JSON, deadline)
        .await
        .inspect_err(|failure| tracing::debug!(%failure, "the cluster's identity is unknown"))
        .ok()?;
    let node = Projected::new(&projection, Texts::Plain)
        .decode(&body.bytes)
        .ok()?;
    node.at(&["metadata", "uid"])
        .and_then(Node::as_str)
        .map(Arc::from)
}

/// Why Secrets are not read.
fn secrets_refused(kind: &GroupKind) -> Option<Unreadable> {
    (kind.group.is_empty() && &*kind.kind == "Secret").then(|| Unreadable {
        cause: UnreadableCause::NotCollected,
        detail: "Secrets are never read from a cluster".into(),
    })
}

#[cfg(test)]
mod tests;
