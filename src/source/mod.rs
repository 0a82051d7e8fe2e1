//! Sources: where objects come from, each reduced to what the plan asked for.

pub mod cluster;
pub mod decode;
pub mod manifests;
pub mod prometheus;
pub mod snapshot;

use std::{
    collections::{BTreeMap, HashMap},
    io::Read as _,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use jiff::Timestamp;

use self::{
    cluster::{ClusterError, ClusterOptions, Session},
    prometheus::PrometheusOptions,
    snapshot::SnapshotError,
};
use crate::model::{GroupKind, Inventory, Object, Problem};

pub use crate::plan::{KindRequest, Request};

/// Receives objects while lists stream in, so that a caller may judge and drop them.
///
/// Pages of several lists arrive at the same time and in any order; methods are called from
/// several threads.
pub trait Sink: Send + Sync {
    /// One more object. It arrives once, unless its list starts over.
    fn accept(&self, object: Object);

    /// A list starts over or has failed: what came of it so far must be forgotten. Of a list of
    /// one namespace that is only this namespace's part; `None` is the whole kind.
    fn restart(&self, kind: &GroupKind, namespace: Option<&str>);
}

/// Hears how far a collection has come. The default methods ignore it; `()` ignores everything.
pub trait Progress: Send + Sync {
    /// The number of kinds that will be listed is known.
    fn kinds(&self, _total: usize) {}

    /// A page of a kind has arrived: objects in it, and how many the server says are left.
    fn page(&self, _kind: &GroupKind, _objects: usize, _remaining: Option<u64>) {}

    /// A kind is read, or has failed.
    fn finished(&self, _kind: &GroupKind) {}
}

impl Progress for () {}

/// A sink that keeps every object.
#[derive(Debug, Default)]
pub struct Collected(Mutex<HashMap<GroupKind, Vec<Object>>>);

impl Collected {
    /// An empty sink, to be shared with a collection.
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// Moves the objects into the lists of an inventory, sorted by namespace and name. Of objects
    /// with the same name the last to arrive counts: a name is unique within a kind, so the
    /// earlier one has been replaced in the meantime.
    pub fn fill(&self, inventory: &mut Inventory) {
        let mut kinds = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        for (kind, list) in &mut inventory.lists {
            list.objects = sorted(kinds.remove(kind).unwrap_or_default());
        }
    }
}

impl Sink for Collected {
    fn accept(&self, object: Object) {
        let mut kinds = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match kinds.get_mut(&object.kind) {
            Some(objects) => objects.push(object),
            None => {
                kinds.insert(object.kind.clone(), vec![object]);
            }
        }
    }

    fn restart(&self, kind: &GroupKind, namespace: Option<&str>) {
        let mut kinds = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match namespace {
            None => drop(kinds.remove(kind)),
            Some(namespace) => {
                if let Some(objects) = kinds.get_mut(kind) {
                    objects.retain(|object| object.namespace() != Some(namespace));
                }
            }
        }
    }
}

fn sorted(objects: Vec<Object>) -> Vec<Object> {
    let mut by_name = BTreeMap::new();
    for object in objects {
        let key = (
            object.namespace().unwrap_or_default().to_owned(),
            object.name().to_owned(),
        );
        by_name.insert(key, object);
    }
    by_name.into_values().collect()
}

/// A snapshot of a small platform, for trying the program without a cluster.
static DEMO: &[u8] = include_bytes!("../../fixtures/snapshots/demo.snap");

/// Where objects come from.
#[derive(Clone, Debug, Default)]
pub enum Source {
    /// A live API server.
    Live(Box<ClusterOptions>),
    /// A snapshot file.
    Snapshot(PathBuf),
    /// Files and folders; `-` is standard input.
    Manifests(Vec<PathBuf>),
    /// The snapshot inside the program.
    #[default]
    Demo,
}

/// Why a source cannot be read at all.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The cluster cannot be reached or does not accept the credentials.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// The snapshot cannot be used.
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
    /// Files cannot be read as manifests.
    #[error("{} files cannot be read as manifests", .0.len())]
    Manifests(Vec<Problem>),
    /// A ConfigMap that was named cannot be read.
    #[error("ConfigMap {name}: {reason}")]
    ConfigMap {
        /// Its namespace and name.
        name: String,
        /// Why.
        reason: String,
    },
    /// Standard input, or threads to work with, are not to be had.
    #[error("{0}")]
    Io(#[from] std::io::Error),
}

/// Reads a source: the objects that a request asks for, and what its author should know.
///
/// `now` is the clock where the source has none of its own.
///
/// # Errors
/// The source cannot be read at all.
pub fn collect(
    source: &Source,
    prometheus: Option<&PrometheusOptions>,
    request: &Request,
    now: Option<Timestamp>,
    progress: Arc<dyn Progress>,
) -> Result<(Inventory, Vec<Problem>), SourceError> {
    let runtime = tokio::runtime::Runtime::new()?;
    let mut session = None;
    let (mut inventory, problems) = match source {
        Source::Live(options) => {
            let cluster = runtime.block_on(Session::connect(options))?;
            let sink = Collected::new();
            let asked = request.of_api_server();
            let collecting = cluster::collect(&asked, &cluster, sink.clone(), progress);
            let mut inventory = runtime.block_on(collecting)?;
            sink.fill(&mut inventory);
            session = Some(cluster);
            (inventory, Vec::new())
        }
        stored => read(stored, request, now)?,
    };
    if let Some(options) = prometheus {
        if let Some(now) = now {
            inventory.now = now;
        }
        let asking = prometheus::collect(request, options, session.as_ref(), &mut inventory);
        runtime.block_on(asking)?;
    }
    prometheus::unasked(request, &mut inventory);
    Ok((inventory, problems))
}

/// The entries of one ConfigMap of a live cluster.
///
/// # Errors
/// There is no live cluster, or it does not hand the ConfigMap out.
pub fn config_map(
    source: &Source,
    namespace: &str,
    name: &str,
) -> Result<BTreeMap<String, String>, SourceError> {
    #[derive(serde::Deserialize)]
    struct ConfigMap {
        #[serde(default)]
        data: BTreeMap<String, String>,
    }
    let told = |reason: String| SourceError::ConfigMap {
        name: format!("{namespace}/{name}"),
        reason,
    };
    let Source::Live(options) = source else {
        return Err(told("only a live cluster has one".to_owned()));
    };
    let runtime = tokio::runtime::Runtime::new()?;
    let bytes = runtime.block_on(async {
        let session = Session::connect(options).await?;
        let path = format!("/api/v1/namespaces/{namespace}/configmaps/{name}");
        let deadline = tokio::time::Instant::now() + options.list_deadline;
        let answer = session.get(&path, "", deadline).await;
        answer.map_err(|why| told(format!("{}: {}", why.cause, why.detail)))
    })?;
    let read = serde_json::from_slice::<ConfigMap>(&bytes);
    Ok(read
        .map_err(|_| told("it is no ConfigMap".to_owned()))?
        .data)
}

/// Reads what is no live cluster.
fn read(
    source: &Source,
    request: &Request,
    now: Option<Timestamp>,
) -> Result<(Inventory, Vec<Problem>), SourceError> {
    match source {
        Source::Live(_) => Err(std::io::Error::other("a cluster is not read as a file").into()),
        Source::Snapshot(file) => Ok((snapshot::read(file, request)?, Vec::new())),
        Source::Demo => Ok((snapshot::read_bytes("demo", DEMO, request)?, Vec::new())),
        Source::Manifests(paths) => {
            let stdin = match paths.iter().any(|path| path.as_os_str() == "-") {
                true => {
                    let mut text = String::new();
                    let mut input = std::io::stdin().lock().take(manifests::MAX_BYTES);
                    input.read_to_string(&mut text)?;
                    Some(text)
                }
                false => None,
            };
            let now = now.unwrap_or_else(Timestamp::now);
            manifests::read(paths, stdin, request, now).map_err(SourceError::Manifests)
        }
    }
}
