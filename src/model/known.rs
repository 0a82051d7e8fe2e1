//! What the Kubernetes API types say about each other and no schema does: where a kind keeps its
//! pod template, its selector, and the names of the objects it refers to.

use std::sync::LazyLock;

use super::{GroupKind, KindQuery, Map, Node};

/// Kinds whose objects are sets of pods, in the order in which reports list them.
pub fn workload_kinds() -> &'static [KindQuery] {
    static KINDS: LazyLock<Vec<KindQuery>> = LazyLock::new(|| {
        [
            ("apps", "v1", "Deployment"),
            ("apps", "v1", "StatefulSet"),
            ("apps", "v1", "DaemonSet"),
            ("batch", "v1", "CronJob"),
            ("batch", "v1", "Job"),
            ("apps", "v1", "ReplicaSet"),
            ("", "v1", "ReplicationController"),
            ("", "v1", "Pod"),
            ("argoproj.io", "v1alpha1", "Rollout"),
        ]
        .map(|(group, version, kind)| KindQuery {
            group: group.into(),
            versions: vec![version.into()],
            kind: kind.into(),
        })
        .into()
    });
    &KINDS
}

/// Whether objects of a kind are sets of pods.
pub fn is_workload(kind: &GroupKind) -> bool {
    pod_template(kind).is_some()
}

/// Path of the pod template (its `metadata` and `spec`) in objects of a workload kind.
pub fn pod_template(kind: &GroupKind) -> Option<&'static [&'static str]> {
    match (&*kind.group, &*kind.kind) {
        ("", "Pod") => Some(&[]),
        ("apps", "Deployment" | "StatefulSet" | "DaemonSet" | "ReplicaSet")
        | ("batch", "Job")
        | ("", "ReplicationController")
        | ("argoproj.io", "Rollout") => Some(&["spec", "template"]),
        ("batch", "CronJob") => Some(&["spec", "jobTemplate", "spec", "template"]),
        _ => None,
    }
}

/// Whether `spec.replicas` of a workload kind is 1 where it is not written.
pub fn has_replicas(kind: &GroupKind) -> bool {
    matches!(
        &*kind.kind,
        "Deployment" | "StatefulSet" | "ReplicaSet" | "ReplicationController" | "Rollout"
    ) && is_workload(kind)
}

/// Lists of containers in a pod spec, with the role their position gives.
pub const CONTAINER_LISTS: [(&str, &str); 3] = [
    ("containers", "main"),
    ("initContainers", "init"),
    ("ephemeralContainers", "ephemeral"),
];

/// The role of a container: an init container that restarts always is a sidecar.
pub fn container_role(list_role: &'static str, container: &Map) -> &'static str {
    let restarts = container.get("restartPolicy").and_then(Node::as_str) == Some("Always");
    if list_role == "init" && restarts {
        "sidecar"
    } else {
        list_role
    }
}

/// How a kind selects pods or other objects by their labels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SelectorForm {
    /// A `LabelSelector`: `matchLabels` and `matchExpressions`. Empty selects all.
    LabelSelector,
    /// A plain map of labels. Empty selects nothing.
    Labels,
}

/// Where a kind keeps its selector. A selector that is not written selects nothing.
pub fn selector(kind: &GroupKind) -> Option<(&'static [&'static str], SelectorForm)> {
    use SelectorForm::{LabelSelector, Labels};
    Some(match (&*kind.group, &*kind.kind) {
        ("", "Service" | "ReplicationController") => (&["spec", "selector"], Labels),
        ("policy", "PodDisruptionBudget")
        | ("apps", "Deployment" | "StatefulSet" | "DaemonSet" | "ReplicaSet")
        | ("argoproj.io", "Rollout")
        | ("batch", "Job")
        | ("monitoring.coreos.com", "ServiceMonitor" | "PodMonitor") => {
            (&["spec", "selector"], LabelSelector)
        }
        ("networking.k8s.io", "NetworkPolicy") => (&["spec", "podSelector"], LabelSelector),
        ("cilium.io", "CiliumNetworkPolicy" | "CiliumClusterwideNetworkPolicy") => {
            (&["spec", "endpointSelector"], LabelSelector)
        }
        _ => return None,
    })
}

/// Whether it is the related kind whose selector decides between it and a subject, rather than the
/// subject's. Where both have one, such as a NetworkPolicy and a Deployment, the one that is no
/// workload decides: a workload's selector is about its own pods.
pub fn related_selects(subject: &GroupKind, related: &GroupKind) -> bool {
    selector(related).is_some() && !(is_workload(related) && selector(subject).is_some())
}

/// Whether a kind's selector is about labels of pods rather than of the objects themselves.
pub fn selects_pods(kind: &GroupKind) -> bool {
    !matches!(&*kind.kind, "ServiceMonitor")
}

/// Paths at which a kind names the object that it scales, measures or otherwise targets.
pub const TARGET_PATHS: [&[&str]; 2] = [&["spec", "scaleTargetRef"], &["spec", "targetRef"]];

/// A field in which objects of one kind name objects of another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reference {
    /// Kind that refers; `podSpec` stands for every workload kind, its path starting at the pod
    /// spec.
    from: &'static str,
    /// Kind that is referred to.
    to: &'static str,
    /// Path of a name, or of an object with `name` and perhaps `namespace` and `kind`; `*` stands
    /// for the elements of an array.
    pub path: &'static [&'static str],
}

const fn reference(
    from: &'static str,
    to: &'static str,
    path: &'static [&'static str],
) -> Reference {
    Reference { from, to, path }
}

const REFERENCES: &[Reference] = &[
    reference(
        "podSpec",
        "PersistentVolumeClaim",
        &["volumes", "*", "persistentVolumeClaim", "claimName"],
    ),
    reference("podSpec", "ConfigMap", &["volumes", "*", "configMap"]),
    reference(
        "podSpec",
        "ConfigMap",
        &["volumes", "*", "projected", "sources", "*", "configMap"],
    ),
    reference(
        "podSpec",
        "ConfigMap",
        &["containers", "*", "envFrom", "*", "configMapRef"],
    ),
    reference(
        "podSpec",
        "ConfigMap",
        &[
            "containers",
            "*",
            "env",
            "*",
            "valueFrom",
            "configMapKeyRef",
        ],
    ),
    reference(
        "podSpec",
        "ConfigMap",
        &["initContainers", "*", "envFrom", "*", "configMapRef"],
    ),
    reference(
        "podSpec",
        "ConfigMap",
        &[
            "initContainers",
            "*",
            "env",
            "*",
            "valueFrom",
            "configMapKeyRef",
        ],
    ),
    reference("podSpec", "ServiceAccount", &["serviceAccountName"]),
    reference("podSpec", "PriorityClass", &["priorityClassName"]),
    reference("podSpec", "RuntimeClass", &["runtimeClassName"]),
    reference("podSpec", "Node", &["nodeName"]),
    reference(
        "PersistentVolumeClaim",
        "StorageClass",
        &["spec", "storageClassName"],
    ),
    reference(
        "PersistentVolumeClaim",
        "PersistentVolume",
        &["spec", "volumeName"],
    ),
    reference(
        "PersistentVolume",
        "PersistentVolumeClaim",
        &["spec", "claimRef"],
    ),
    reference(
        "PersistentVolume",
        "StorageClass",
        &["spec", "storageClassName"],
    ),
    reference("StatefulSet", "Service", &["spec", "serviceName"]),
    reference(
        "Ingress",
        "Service",
        &[
            "spec", "rules", "*", "http", "paths", "*", "backend", "service",
        ],
    ),
    reference("Ingress", "Service", &["spec", "defaultBackend", "service"]),
    reference("Ingress", "IngressClass", &["spec", "ingressClassName"]),
    reference(
        "HTTPRoute",
        "Service",
        &["spec", "rules", "*", "backendRefs", "*"],
    ),
    reference("RoleBinding", "Role", &["roleRef"]),
    reference("RoleBinding", "ClusterRole", &["roleRef"]),
    reference("ClusterRoleBinding", "ClusterRole", &["roleRef"]),
    reference("RoleBinding", "ServiceAccount", &["subjects", "*"]),
    reference("ClusterRoleBinding", "ServiceAccount", &["subjects", "*"]),
    reference(
        "ValidatingWebhookConfiguration",
        "Service",
        &["webhooks", "*", "clientConfig", "service"],
    ),
    reference(
        "MutatingWebhookConfiguration",
        "Service",
        &["webhooks", "*", "clientConfig", "service"],
    ),
    reference("APIService", "Service", &["spec", "service"]),
    reference(
        "ValidatingWebhookConfiguration",
        "Backend",
        &["webhooks", "*", "clientConfig", "service"],
    ),
    reference(
        "MutatingWebhookConfiguration",
        "Backend",
        &["webhooks", "*", "clientConfig", "service"],
    ),
    reference("APIService", "Backend", &["spec", "service"]),
    reference(
        "CustomResourceDefinition",
        "Backend",
        &["spec", "conversion", "webhook", "clientConfig", "service"],
    ),
    reference(
        "EndpointSlice",
        "Service",
        &["metadata", "labels", "kubernetes.io/service-name"],
    ),
    reference("Certificate", "Issuer", &["spec", "issuerRef"]),
    reference("Certificate", "ClusterIssuer", &["spec", "issuerRef"]),
    reference("ExternalSecret", "SecretStore", &["spec", "secretStoreRef"]),
    reference(
        "ExternalSecret",
        "ClusterSecretStore",
        &["spec", "secretStoreRef"],
    ),
    reference(
        "ValidatingAdmissionPolicyBinding",
        "ValidatingAdmissionPolicy",
        &["spec", "policyName"],
    ),
    reference(
        "Schedule",
        "BackupStorageLocation",
        &["spec", "template", "storageLocation"],
    ),
    reference(
        "Backup",
        "BackupStorageLocation",
        &["spec", "storageLocation"],
    ),
];

/// Fields in which objects of `from` name objects of `to`. Their paths start at the root of the
/// object, or at its pod spec if the second value is true.
pub fn references(from: &GroupKind, to: &GroupKind) -> Vec<(Reference, bool)> {
    REFERENCES
        .iter()
        .filter(|reference| reference.to == &*to.kind)
        .filter_map(|reference| {
            let in_pod_spec = reference.from == "podSpec" && is_workload(from);
            (in_pod_spec || reference.from == &*from.kind).then_some((*reference, in_pod_spec))
        })
        .collect()
}
