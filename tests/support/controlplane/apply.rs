//! Bringing objects into a test cluster: manifests as `kubectl apply` would,
//! and bulk loads of objects together with their status.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use kube::api::{Api, DynamicObject, Patch, PatchParams, PostParams};
use kube::core::{GroupVersion, GroupVersionKind};
use kube::discovery::{ApiCapabilities, ApiResource, Scope, pinned_kind};
use kube::{Client, Error};
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::{Component, ControlPlane, condition_is_true, core_api};

/// As whom fixtures are applied; one name, so that applying twice changes nothing.
const FIELD_MANAGER: &str = "seaworthy-tests";

/// Requests in flight during a bulk load; more only queue up in the API server.
const PARALLEL_REQUESTS: usize = 32;

/// What became of each document that was to be applied.
#[derive(Debug, Default)]
pub struct ApplyReport {
    /// The objects that the cluster now holds.
    pub applied: Vec<String>,
    /// What the cluster does not serve, or is no Kubernetes object; with the reason.
    pub skipped: Vec<(String, String)>,
    /// What could not be parsed, or the API server refused; with the reason.
    pub rejected: Vec<(String, String)>,
}

impl ApplyReport {
    /// Turns anything that was not applied into an error, for fixtures that must be whole.
    pub fn complete(self) -> Result<Self> {
        if !self.skipped.is_empty() || !self.rejected.is_empty() {
            bail!("not everything was applied: {self}");
        }
        Ok(self)
    }
}

impl fmt::Display for ApplyReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} applied, {} skipped, {} rejected",
            self.applied.len(),
            self.skipped.len(),
            self.rejected.len()
        )?;
        for (what, outcomes) in [("skipped", &self.skipped), ("rejected", &self.rejected)] {
            for (object, reason) in outcomes {
                write!(f, "\n{what}: {object}: {reason}")?;
            }
        }
        Ok(())
    }
}

impl ControlPlane {
    /// Applies the documents of a YAML (or JSON) text on the server side.
    ///
    /// Custom resource definitions go first and are waited for, then namespaces,
    /// then the others in their order. A namespace that is missing is created.
    /// A `status` is applied too, which `kubectl apply` does not: rules read it,
    /// and the controllers that would set it are not here.
    ///
    /// # Errors
    /// On text that is not YAML and on a cluster that does not answer. What the
    /// cluster does not serve, or refuses, is in the report.
    pub async fn apply_yaml(&self, yaml: &str) -> Result<ApplyReport> {
        self.apply_documents(parse(yaml)?, ApplyReport::default())
            .await
    }

    /// Applies a file, or all `.yaml`, `.yml` and `.json` files below a folder
    /// by name, as [`Self::apply_yaml`] does. A file that is not YAML is rejected.
    pub async fn apply_path(&self, path: &Path) -> Result<ApplyReport> {
        let mut report = ApplyReport::default();
        let mut documents = Vec::new();
        for file in manifest_files(path)? {
            let text =
                fs::read_to_string(&file).with_context(|| format!("reading {}", file.display()))?;
            match parse(&text) {
                Ok(parsed) => documents.extend(parsed),
                Err(error) => {
                    let rejected = (file.display().to_string(), format!("{error:#}"));
                    report.rejected.push(rejected);
                }
            }
        }
        self.apply_documents(documents, report).await
    }

    async fn apply_documents(
        &self,
        documents: Vec<Value>,
        mut report: ApplyReport,
    ) -> Result<ApplyReport> {
        let mut applier = self.applier().await?;
        let (definitions, others): (Vec<_>, Vec<_>) = documents
            .into_iter()
            .partition(|object| object["kind"] == "CustomResourceDefinition");
        let (namespaces, others): (Vec<_>, Vec<_>) = others
            .into_iter()
            .partition(|object| object["kind"] == "Namespace" && object["apiVersion"] == "v1");

        for object in &definitions {
            applier.apply(object, &mut report).await?;
        }
        for object in &definitions {
            applier.wait_until_served(object).await?;
        }
        for object in namespaces.iter().chain(&others) {
            applier.apply(object, &mut report).await?;
        }
        Ok(report)
    }

    /// Creates many objects quickly, with the `status` that they carry: a POST
    /// and a PATCH of `/status` each, many at a time, in no order.
    ///
    /// # Errors
    /// Stops at the first object that cannot be created, an existing one included.
    pub async fn create_objects_raw(&self, objects: Vec<Value>) -> Result<()> {
        let mut applier = self.applier().await?;
        let permits = Arc::new(Semaphore::new(PARALLEL_REQUESTS));
        let mut requests = JoinSet::new();
        for object in objects {
            let target = applier
                .target(&object)
                .await?
                .map_err(|reason| anyhow::anyhow!("{}: {reason}", describe(&object)))?;
            let permit = permits.clone().acquire_owned().await?;
            requests.spawn(async move {
                let outcome = target.create(&object).await;
                drop(permit);
                outcome.with_context(|| format!("creating {}", describe(&object)))
            });
            // Seen here and not at the end, or a failing load of a million objects would go on.
            while let Some(finished) = requests.try_join_next() {
                finished??;
            }
        }
        while let Some(finished) = requests.join_next().await {
            finished??;
        }
        Ok(())
    }

    async fn applier(&self) -> Result<Applier<'_>> {
        Ok(Applier {
            cluster: self,
            client: self.client().await?,
            kinds: HashMap::new(),
            namespaces: HashSet::new(),
        })
    }
}

/// One run's knowledge of the cluster, so that each question is asked once.
struct Applier<'a> {
    cluster: &'a ControlPlane,
    client: Client,
    kinds: HashMap<GroupVersionKind, Option<(ApiResource, ApiCapabilities)>>,
    namespaces: HashSet<String>,
}

impl Applier<'_> {
    async fn apply(&mut self, object: &Value, report: &mut ApplyReport) -> Result<()> {
        let name = describe(object);
        let target = match self.target(object).await? {
            Ok(target) => target,
            Err(reason) => {
                report.skipped.push((name, reason));
                return Ok(());
            }
        };
        match target.apply(object).await {
            Ok(()) => report.applied.push(name),
            Err(Error::Api(status)) => report.rejected.push((name, status.message)),
            Err(error) => return Err(error).with_context(|| format!("applying {name}")),
        }
        Ok(())
    }

    /// Where an object goes; or, as the inner error, why it goes nowhere.
    async fn target(&mut self, object: &Value) -> Result<Result<Target, String>> {
        let (Some(api_version), Some(kind), Some(name)) = (
            object["apiVersion"].as_str(),
            object["kind"].as_str(),
            object["metadata"]["name"].as_str(),
        ) else {
            let reason = "is no object that has an apiVersion, a kind and a name";
            return Ok(Err(reason.to_owned()));
        };
        let version: GroupVersion = api_version
            .parse()
            .with_context(|| format!("the apiVersion of {kind} {name}"))?;
        let Some((resource, capabilities)) = self.served(version.with_kind(kind)).await? else {
            return Ok(Err(format!(
                "the cluster does not serve {api_version} {kind}"
            )));
        };

        let api = match capabilities.scope {
            Scope::Cluster => Api::all_with(self.client.clone(), &resource),
            Scope::Namespaced => {
                let namespace = object["metadata"]["namespace"]
                    .as_str()
                    .unwrap_or("default");
                self.ensure_namespace(namespace).await?;
                Api::namespaced_with(self.client.clone(), namespace, &resource)
            }
        };
        let has_status = capabilities
            .subresources
            .iter()
            .any(|(subresource, _)| subresource.plural == "status");
        Ok(Ok(Target {
            api,
            name: name.to_owned(),
            has_status,
        }))
    }

    async fn served(
        &mut self,
        kind: GroupVersionKind,
    ) -> Result<Option<(ApiResource, ApiCapabilities)>> {
        if let Some(known) = self.kinds.get(&kind) {
            return Ok(known.clone());
        }
        let served = discover(&self.client, &kind).await?;
        self.kinds.insert(kind, served.clone());
        Ok(served)
    }

    /// Creates the namespace if it is missing, and waits until pods can be made in it.
    async fn ensure_namespace(&mut self, name: &str) -> Result<()> {
        if !self.namespaces.insert(name.to_owned()) {
            return Ok(());
        }
        let namespaces = core_api(self.client.clone(), "Namespace", None);
        if namespaces.get_opt(name).await?.is_none() {
            let object =
                json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
            Target {
                api: namespaces,
                name: name.to_owned(),
                has_status: true,
            }
            .apply(&object)
            .await
            .with_context(|| format!("creating the namespace {name}"))?;
        }
        if self.cluster.options.controller_manager {
            self.cluster.wait_for_service_account(name).await?;
        }
        Ok(())
    }

    /// Waits until the kind that a custom resource definition defines can be used.
    async fn wait_until_served(&self, definition: &Value) -> Result<()> {
        let name = describe(definition);
        let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(
            "apiextensions.k8s.io",
            "v1",
            "CustomResourceDefinition",
        ));
        let definitions: Api<DynamicObject> = Api::all_with(self.client.clone(), &resource);
        let Some(plural_and_group) = definition["metadata"]["name"].as_str() else {
            return Ok(()); // Reported as skipped.
        };
        if definitions.get_opt(plural_and_group).await?.is_none() {
            return Ok(()); // Reported as rejected.
        }
        let established = || async {
            let current = definitions.get_opt(plural_and_group).await.ok().flatten();
            current.is_some_and(|current| condition_is_true(&current.data, "Established"))
        };
        let what = format!("{name} to be established");
        self.cluster
            .wait_for(Component::ApiServer, &what, established)
            .await?;

        // Discovery lags a little behind the condition.
        let spec = &definition["spec"];
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        for version in spec["versions"].as_array().into_iter().flatten() {
            if version["served"] == true {
                let kind = GroupVersionKind::gvk(
                    &text(&spec["group"]),
                    &text(&version["name"]),
                    &text(&spec["names"]["kind"]),
                );
                let served = || async {
                    let served = discover(&self.client, &kind).await;
                    served.is_ok_and(|served| served.is_some())
                };
                let what = format!("{name} to be served");
                self.cluster
                    .wait_for(Component::ApiServer, &what, served)
                    .await?;
            }
        }
        Ok(())
    }
}

/// One object's place in the API.
struct Target {
    api: Api<DynamicObject>,
    name: String,
    has_status: bool,
}

impl Target {
    async fn apply(&self, object: &Value) -> kube::Result<()> {
        let params = PatchParams::apply(FIELD_MANAGER).force();
        self.api
            .patch(&self.name, &params, &Patch::Apply(object))
            .await?;
        if let Some(status) = self.status_of(object) {
            let body = json!({
                "apiVersion": object["apiVersion"],
                "kind": object["kind"],
                "metadata": {"name": self.name},
                "status": status,
            });
            self.api
                .patch_status(&self.name, &params, &Patch::Apply(body))
                .await?;
        }
        Ok(())
    }

    async fn create(&self, object: &Value) -> Result<()> {
        let typed: DynamicObject = serde_json::from_value(object.clone())?;
        self.api.create(&PostParams::default(), &typed).await?;
        if let Some(status) = self.status_of(object) {
            // Creation drops the status of a kind that has a status subresource.
            let patch = Patch::Merge(json!({"status": status}));
            self.api
                .patch_status(&self.name, &PatchParams::default(), &patch)
                .await?;
        }
        Ok(())
    }

    fn status_of<'a>(&self, object: &'a Value) -> Option<&'a Value> {
        object.get("status").filter(|_| self.has_status)
    }
}

async fn discover(
    client: &Client,
    kind: &GroupVersionKind,
) -> Result<Option<(ApiResource, ApiCapabilities)>> {
    match pinned_kind(client, kind).await {
        Ok(served) => Ok(Some(served)),
        Err(Error::Discovery(_)) => Ok(None),
        Err(Error::Api(status)) if status.code == 404 => Ok(None),
        Err(error) => Err(error).with_context(|| format!("discovering {kind:?}")),
    }
}

/// The documents of a YAML text; those of a `v1` List stand for themselves.
fn parse(yaml: &str) -> Result<Vec<Value>> {
    let documents: Vec<Value> = serde_saphyr::from_multiple(yaml)?;
    Ok(documents.into_iter().flat_map(list_items).collect())
}

fn list_items(mut document: Value) -> Vec<Value> {
    if document["kind"] == "List"
        && let Some(Value::Array(items)) = document.get_mut("items").map(Value::take)
    {
        return items;
    }
    vec![document]
}

fn manifest_files(path: &Path) -> Result<Vec<PathBuf>> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let entries = fs::read_dir(path).with_context(|| format!("reading {}", path.display()))?;
    let mut entries = entries
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<Vec<_>>>()?;
    entries.sort();
    let mut files = Vec::new();
    for entry in entries {
        let extension = entry.extension().and_then(|extension| extension.to_str());
        if entry.is_dir() {
            files.extend(manifest_files(&entry)?);
        } else if matches!(extension, Some("yaml" | "yml" | "json")) {
            files.push(entry);
        }
    }
    Ok(files)
}

/// An object as `kind namespace/name`, for people.
fn describe(object: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or("?").to_owned();
    let metadata = &object["metadata"];
    let namespace = metadata["namespace"]
        .as_str()
        .map(|namespace| format!("{namespace}/"));
    format!(
        "{} {}{}",
        text(&object["kind"]),
        namespace.unwrap_or_default(),
        text(&metadata["name"])
    )
}
