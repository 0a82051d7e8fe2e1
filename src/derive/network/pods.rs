//! The pods of a cluster, in sets that no policy can tell apart: ten thousand replicas are few
//! of them.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::{
    endpoint::{self, Endpoint},
    selector::Keys,
};
use crate::model::{Inventory, Map, Node, Object, known};

/// A pod, or a template of pods.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pod<'a> {
    pub object: &'a Object,
    /// Its `metadata` and `spec`.
    pub template: &'a Node,
}

/// The kind and name of what people look after: the workload, or a lone pod.
pub(super) type Owner<'a> = (&'a str, &'a str);

/// Pods with the same answers.
pub(super) struct PodSet<'a> {
    /// One of them.
    pub pod: Endpoint<'a>,
    pub owners: BTreeSet<Owner<'a>>,
    /// Whether any of them asks the cluster's DNS.
    pub asks_dns: bool,
}

impl PodSet<'_> {
    /// What people call it: its workloads.
    pub fn name(&self) -> String {
        let shown: Vec<String> = self
            .owners
            .iter()
            .take(3)
            .map(|(kind, name)| format!("{kind} {name}"))
            .collect();
        match self.owners.len().saturating_sub(shown.len()) {
            0 => shown.join(", "),
            more => format!("{} and {more} more", shown.join(", ")),
        }
    }
}

/// All pods and templates by their namespaces.
pub(super) struct Pods<'a> {
    by_namespace: BTreeMap<&'a str, Vec<Pod<'a>>>,
}

impl<'a> Pods<'a> {
    /// Those of an inventory. A template whose workload belongs to another adds nothing to that
    /// one's.
    pub fn of(inventory: &'a Inventory) -> Self {
        let mut by_namespace: BTreeMap<&'a str, Vec<Pod<'a>>> = BTreeMap::new();
        for query in known::workload_kinds() {
            let kind = query.group_kind();
            let Some(path) = known::pod_template(&kind) else {
                continue;
            };
            for object in inventory.objects(&kind) {
                let owned = !path.is_empty() && object.is_owned_by_workload();
                if let (false, Some(template)) = (owned, object.root.at(path)) {
                    let namespace = object.namespace().unwrap_or("default");
                    let pods = by_namespace.entry(namespace).or_default();
                    pods.push(Pod { object, template });
                }
            }
        }
        Pods { by_namespace }
    }

    /// Namespaces that have pods or templates.
    pub fn namespaces(&self) -> impl Iterator<Item = &'a str> {
        self.by_namespace.keys().copied()
    }

    /// The pods and templates of a namespace.
    pub fn of_namespace(&self, namespace: &str) -> &[Pod<'a>] {
        self.by_namespace.get(namespace).map_or(&[], |list| list)
    }

    /// The pods of a namespace that have addresses of their own, in sets.
    pub fn sets(&self, namespace: &'a str, keys: &Keys<'a>) -> Vec<PodSet<'a>> {
        self.sets_of(namespace, keys, false)
    }

    /// Those on the network of their nodes.
    pub fn sets_on_node(&self, namespace: &'a str, keys: &Keys<'a>) -> Vec<PodSet<'a>> {
        self.sets_of(namespace, keys, true)
    }

    fn sets_of(&self, namespace: &'a str, keys: &Keys<'a>, on_node: bool) -> Vec<PodSet<'a>> {
        let by_account = keys.names.contains("io.cilium.k8s.policy.serviceaccount");
        let mut sets: HashMap<(Telling<'a>, &str), PodSet<'a>> = HashMap::new();
        for pod in self.of_namespace(namespace) {
            if endpoint::is_on_node(pod.template) != on_node {
                continue;
            }
            let spec = |field: &str| pod.template.at(&["spec", field]).and_then(Node::as_str);
            let account = spec("serviceAccountName").filter(|_| by_account);
            let key = (telling(pod.template, keys), account.unwrap_or_default());
            let set = sets.entry(key).or_insert_with(|| PodSet {
                pod: Endpoint::pod(namespace, pod.template),
                owners: BTreeSet::new(),
                asks_dns: false,
            });
            set.owners.insert(owner(pod));
            set.asks_dns |= !matches!(spec("dnsPolicy"), Some("Default" | "None"));
        }
        let mut sets: Vec<PodSet<'a>> = sets.into_values().collect();
        sets.sort_by(|a, b| a.owners.cmp(&b.owners));
        sets
    }
}

/// Labels that policies look at.
pub(super) type Telling<'a> = Vec<(&'a str, &'a str)>;

/// The labels of a pod that policies look at.
pub(super) fn telling<'a>(template: &'a Node, keys: &Keys<'a>) -> Telling<'a> {
    let labels = template.at(&["metadata", "labels"]).and_then(Node::as_map);
    labels
        .into_iter()
        .flat_map(Map::iter)
        .filter(|(name, _)| keys.names.contains(name))
        .filter_map(|(name, value)| Some((name, value.as_str()?)))
        .collect()
}

/// The workload of a pod, as far as the pod itself tells.
pub(super) fn owner<'a>(pod: &Pod<'a>) -> Owner<'a> {
    let own = (&*pod.object.kind.kind, pod.object.name());
    let Some(controller) = pod.object.controller() else {
        return own;
    };
    let word = |field: &str| controller.get(field).and_then(Node::as_str);
    let (Some(kind), Some(name)) = (word("kind"), word("name")) else {
        return own;
    };
    let hash = pod
        .template
        .at(&["metadata", "labels", "pod-template-hash"]);
    let deployment = hash
        .and_then(Node::as_str)
        .and_then(|hash| name.strip_suffix(hash)?.strip_suffix('-'));
    // CronJobs put the minute of the run behind their name.
    let cron_job = name.rsplit_once('-').filter(|(_, minute)| {
        minute.len() == 8 && minute.bytes().all(|digit| digit.is_ascii_digit())
    });
    match (kind, deployment, cron_job) {
        ("ReplicaSet", Some(name), _) => ("Deployment", name),
        ("Job", _, Some((name, _))) => ("CronJob", name),
        _ => (kind, name),
    }
}
