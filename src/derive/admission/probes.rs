//! Workloads to try policies on: a good one, and for each control some that are bad in one way.

use serde_json::{Value, json};

use super::controls::Control::{self, *};
use crate::model::Node;

/// The registry of the good workload, unless a policy wants another.
pub(super) const REGISTRY: &str = "registry.example.com/team/";
const VERSION: &str = "app:1.2.3";

/// A way to break a control.
#[derive(Clone, Copy, Debug)]
pub(super) struct Probe {
    pub control: Control,
    /// What a policy lets through that takes it, as the end of a sentence.
    pub what: &'static str,
    /// Whether a policy that takes it is still half of what is wanted.
    pub minor: bool,
    /// Changes the good pod's specification.
    change: fn(&mut Value, &str),
}

/// The container of the pod, or its init container.
fn container<'a>(pod: &'a mut Value, list: &str) -> &'a mut Value {
    &mut pod[list][0]
}

fn remove(value: &mut Value, field: &str) {
    if let Some(fields) = value.as_object_mut() {
        fields.remove(field);
    }
}

macro_rules! probe {
    ($control:expr, $what:literal, $minor:literal, $change:expr) => {
        Probe {
            control: $control,
            what: $what,
            minor: $minor,
            change: $change,
        }
    };
}

/// Every probe; the first of a control is the one that matters most.
pub(super) const PROBES: &[Probe] = &[
    probe!(
        RequireNonRoot,
        "containers that run as user 0",
        false,
        |pod, _| {
            pod["securityContext"]["runAsNonRoot"] = json!(false);
            pod["securityContext"]["runAsUser"] = json!(0);
            for list in ["containers", "initContainers"] {
                container(pod, list)["securityContext"]["runAsNonRoot"] = json!(false);
                container(pod, list)["securityContext"]["runAsUser"] = json!(0);
            }
        }
    ),
    probe!(
        RequireNonRoot,
        "Pods that say nothing of the user",
        true,
        |pod, _| {
            remove(pod, "securityContext");
            for list in ["containers", "initContainers"] {
                remove(&mut container(pod, list)["securityContext"], "runAsNonRoot");
                remove(&mut container(pod, list)["securityContext"], "runAsUser");
            }
        }
    ),
    probe!(
        DenyPrivilegeEscalation,
        "allowPrivilegeEscalation: true",
        false,
        |pod, _| {
            container(pod, "containers")["securityContext"]["allowPrivilegeEscalation"] =
                json!(true);
        }
    ),
    probe!(
        DenyPrivilegeEscalation,
        "containers that do not say, which allows it",
        true,
        |pod, _| {
            remove(
                &mut container(pod, "containers")["securityContext"],
                "allowPrivilegeEscalation",
            );
        }
    ),
    probe!(
        DenyPrivilegeEscalation,
        "allowPrivilegeEscalation: true in init containers",
        true,
        |pod, _| {
            container(pod, "initContainers")["securityContext"]["allowPrivilegeEscalation"] =
                json!(true);
        }
    ),
    probe!(
        DropAllCapabilities,
        "containers that drop NET_RAW only",
        false,
        |pod, _| {
            container(pod, "containers")["securityContext"]["capabilities"] =
                json!({"drop": ["NET_RAW"]});
        }
    ),
    probe!(
        DropAllCapabilities,
        "containers that drop nothing",
        true,
        |pod, _| {
            remove(
                &mut container(pod, "containers")["securityContext"],
                "capabilities",
            );
        }
    ),
    probe!(
        DropAllCapabilities,
        "init containers that drop nothing",
        true,
        |pod, _| {
            remove(
                &mut container(pod, "initContainers")["securityContext"],
                "capabilities",
            );
        }
    ),
    probe!(
        ReadOnlyRootfs,
        "readOnlyRootFilesystem: false",
        false,
        |pod, _| {
            container(pod, "containers")["securityContext"]["readOnlyRootFilesystem"] =
                json!(false);
        }
    ),
    probe!(
        ReadOnlyRootfs,
        "containers that do not say, which is writable",
        true,
        |pod, _| {
            remove(
                &mut container(pod, "containers")["securityContext"],
                "readOnlyRootFilesystem",
            );
        }
    ),
    probe!(
        RequireLimits,
        "containers without limits",
        false,
        |pod, _| {
            remove(container(pod, "containers"), "resources");
        }
    ),
    probe!(
        RequireLimits,
        "containers without a memory limit",
        true,
        |pod, _| {
            remove(
                &mut container(pod, "containers")["resources"]["limits"],
                "memory",
            );
        }
    ),
    probe!(
        RestrictRegistries,
        "images of a registry that nobody names",
        false,
        |pod, _| {
            container(pod, "containers")["image"] =
                json!("registry.attacker.invalid/team/app:1.2.3");
        }
    ),
    probe!(
        RestrictRegistries,
        "any registry in init containers",
        true,
        |pod, _| {
            container(pod, "initContainers")["image"] =
                json!("registry.attacker.invalid/team/app:1.2.3");
        }
    ),
    probe!(
        RestrictRegistries,
        "any registry that listens on port 5000",
        true,
        |pod, _| {
            container(pod, "containers")["image"] =
                json!("registry.attacker.invalid:5000/team/app:1.2.3");
        }
    ),
    probe!(
        DenyLatestTag,
        "images tagged latest",
        false,
        |pod, registry| {
            container(pod, "containers")["image"] = json!(format!("{registry}app:latest"));
        }
    ),
    probe!(
        DenyLatestTag,
        "images without a tag, which is latest",
        true,
        |pod, registry| {
            container(pod, "containers")["image"] = json!(format!("{registry}app"));
        }
    ),
    probe!(
        RequireProbes,
        "containers without probes",
        false,
        |pod, _| {
            remove(container(pod, "containers"), "livenessProbe");
            remove(container(pod, "containers"), "readinessProbe");
        }
    ),
    probe!(
        RequireProbes,
        "containers without a readiness probe",
        true,
        |pod, _| {
            remove(container(pod, "containers"), "readinessProbe");
        }
    ),
    probe!(DenyPrivileged, "privileged containers", false, |pod, _| {
        container(pod, "containers")["securityContext"]["privileged"] = json!(true);
    }),
    probe!(
        DenyPrivileged,
        "privileged init containers",
        true,
        |pod, _| {
            container(pod, "initContainers")["securityContext"]["privileged"] = json!(true);
        }
    ),
];

/// What a policy is tried on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Shape {
    Pod,
    Deployment,
    StatefulSet,
    DaemonSet,
}

impl Shape {
    pub const ALL: [Shape; 4] = [
        Shape::Pod,
        Shape::Deployment,
        Shape::StatefulSet,
        Shape::DaemonSet,
    ];

    /// Its kind, as policies name it.
    pub fn kind(self) -> &'static str {
        match self {
            Shape::Pod => "Pod",
            Shape::Deployment => "Deployment",
            Shape::StatefulSet => "StatefulSet",
            Shape::DaemonSet => "DaemonSet",
        }
    }

    /// The API group of its kind.
    pub fn group(self) -> &'static str {
        match self {
            Shape::Pod => "",
            _ => "apps",
        }
    }

    /// The name of its kind in URLs.
    pub fn resource(self) -> &'static str {
        match self {
            Shape::Pod => "pods",
            Shape::Deployment => "deployments",
            Shape::StatefulSet => "statefulsets",
            Shape::DaemonSet => "daemonsets",
        }
    }
}

/// The good workload, with images of a registry (`host/path/`).
pub(super) fn good(shape: Shape, registry: &str) -> Node {
    wrap(shape, pod(registry))
}

/// A workload that is bad in one way.
pub(super) fn bad(probe: &Probe, shape: Shape, registry: &str) -> Node {
    let mut pod = pod(registry);
    (probe.change)(&mut pod, registry);
    wrap(shape, pod)
}

/// The good workload with one image in all of its containers.
pub(super) fn with_image(shape: Shape, image: &str) -> Node {
    let mut pod = pod(REGISTRY);
    for list in ["containers", "initContainers"] {
        container(&mut pod, list)["image"] = json!(image);
    }
    wrap(shape, pod)
}

fn pod(registry: &str) -> Value {
    let secured = json!({
        "allowPrivilegeEscalation": false,
        "capabilities": {"drop": ["ALL"]},
        "privileged": false,
        "readOnlyRootFilesystem": true,
        "runAsGroup": 10001,
        "runAsNonRoot": true,
        "runAsUser": 10001,
        "seccompProfile": {"type": "RuntimeDefault"},
    });
    let resources = json!({
        "limits": {"cpu": "500m", "memory": "128Mi", "ephemeral-storage": "1Gi"},
        "requests": {"cpu": "100m", "memory": "128Mi", "ephemeral-storage": "1Gi"},
    });
    let probe = json!({"httpGet": {"path": "/healthz", "port": 8080}, "periodSeconds": 10});
    let image = format!("{registry}{VERSION}");
    json!({
        "automountServiceAccountToken": false,
        "serviceAccountName": "app",
        "securityContext": {
            "fsGroup": 10001, "runAsGroup": 10001, "runAsNonRoot": true, "runAsUser": 10001,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [{
            "name": "app", "image": image, "imagePullPolicy": "Always",
            "ports": [{"containerPort": 8080}],
            "livenessProbe": probe, "readinessProbe": probe,
            "resources": resources, "securityContext": secured,
        }],
        "initContainers": [{
            "name": "init", "image": image, "imagePullPolicy": "Always",
            "resources": resources, "securityContext": secured,
        }],
    })
}

fn wrap(shape: Shape, pod: Value) -> Node {
    let labels = json!({
        "app": "app", "app.kubernetes.io/name": "app", "app.kubernetes.io/instance": "app",
        "app.kubernetes.io/version": "1.2.3", "app.kubernetes.io/component": "app",
        "app.kubernetes.io/part-of": "app", "app.kubernetes.io/managed-by": "app",
        "team": "team", "owner": "team", "env": "prod", "environment": "prod",
    });
    let metadata = json!({"name": "app", "namespace": "app", "labels": labels, "annotations": {}});
    Node::from(match shape {
        Shape::Pod => json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": pod,
        }),
        _ => json!({
            "apiVersion": "apps/v1", "kind": shape.kind(), "metadata": metadata,
            "spec": {
                "replicas": 2,
                "selector": {"matchLabels": {"app": "app"}},
                "template": {"metadata": {"labels": labels, "annotations": {}}, "spec": pod},
            },
        }),
    })
}
