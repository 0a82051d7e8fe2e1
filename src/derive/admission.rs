//! What admission refuses, whichever engine does it: Pod Security Admission, Kyverno, Gatekeeper
//! and ValidatingAdmissionPolicies on one scale.
//!
//! A policy is judged by what it does to [`probes`]: workloads that are good but for one thing. It
//! implements a control if it refuses the bad one and takes the good one. What cannot be tried
//! (Rego, JMESPath) is believed to do what it is known for or says on its annotation
//! `readiness/control`.
//!
//! - `NamespaceAdmission`: by control, how far it holds in a namespace with workloads: blocked 1,
//!   written down or blocked in part 0.5, nothing 0; and why.
//! - `AdmissionPolicy`: a policy that is about some control, and what it does where.
//! - `PolicyEngine`: an engine that is installed, how many of it are ready, and where it is told
//!   not to look.

mod controls;
mod engines;
mod expressions;
mod gatekeeper;
mod kyverno;
mod namespaces;
mod native;
mod pattern;
mod policy;
mod probes;
mod scope;
#[cfg(test)]
mod tests;

use super::Derivation;
use crate::model::{GroupKind, Inventory, Node, Object};

/// Kyverno's own kind of policies, and what must be read of them.
const KYVERNO: &[&str] = &["metadata.annotations", "spec", "status.conditions"];
const POLICY: &[&str] = &["metadata.annotations", "spec"];
const EXCEPTION: &[&str] = &[
    "spec.exceptions",
    "spec.match",
    "spec.podSecurity",
    "spec.conditions",
];
const IMAGES: &[&str] = &[
    "metadata.annotations",
    "spec.attestors.*.name",
    "spec.evaluation",
    "spec.matchConstraints",
    "spec.matchImageReferences",
    "spec.validationActions",
    "status.conditions",
];
const GENERATING: &[&str] = &[
    "metadata.annotations",
    "spec.generate",
    "spec.variables",
    "status.conditions",
];
const BINDING: &[&str] = &[
    "spec.policyName",
    "spec.validationActions",
    "spec.matchResources",
];
const SIGSTORE: &[&str] = &["spec.authorities.*.name", "spec.images", "spec.mode"];

/// Everything that says what is refused, and the engines that do it.
macro_rules! reads {
    ($($more:expr),* $(,)?) => {
        &[
            ("kyverno.io/v1/ClusterPolicy", KYVERNO),
            ("kyverno.io/v1/Policy", KYVERNO),
            ("kyverno.io/v2|v2beta1/PolicyException", EXCEPTION),
            ("policies.kyverno.io/v1|v1beta1|v1alpha1/ValidatingPolicy", KYVERNO),
            ("policies.kyverno.io/v1|v1beta1/NamespacedValidatingPolicy", KYVERNO),
            ("policies.kyverno.io/v1|v1beta1|v1alpha1/ImageValidatingPolicy", IMAGES),
            ("policies.kyverno.io/v1|v1beta1/NamespacedImageValidatingPolicy", IMAGES),
            ("policies.kyverno.io/v1|v1beta1|v1alpha1/GeneratingPolicy", GENERATING),
            ("constraints.gatekeeper.sh/v1beta1/*", POLICY),
            ("config.gatekeeper.sh/v1alpha1/Config", &["spec.match"]),
            ("admissionregistration.k8s.io/v1|v1beta1/ValidatingAdmissionPolicy", POLICY),
            ("admissionregistration.k8s.io/v1|v1beta1/ValidatingAdmissionPolicyBinding", BINDING),
            ("policy.sigstore.dev/v1beta1|v1alpha1/ClusterImagePolicy", SIGSTORE),
            (
                "admissionregistration.k8s.io/v1/ValidatingWebhookConfiguration",
                &[
                    "webhooks.*.name",
                    "webhooks.*.namespaceSelector",
                    "webhooks.*.rules",
                    "webhooks.*.clientConfig.service",
                ],
            ),
            ("v1/Namespace", &["metadata.labels"]),
            $($more),*
        ]
    };
}

/// Of a workload only to whom it belongs.
const OWNED: &[&str] = &[
    "metadata.ownerReferences.*.apiVersion",
    "metadata.ownerReferences.*.kind",
    "metadata.ownerReferences.*.name",
    "metadata.ownerReferences.*.controller",
];

/// Of a Deployment whether it is an engine, too.
const DEPLOYMENT: &[&str] = &[
    "metadata.labels",
    "metadata.ownerReferences.*.apiVersion",
    "metadata.ownerReferences.*.kind",
    "metadata.ownerReferences.*.name",
    "metadata.ownerReferences.*.controller",
    "spec.template.spec.containers.*.image",
    "status.readyReplicas",
];

pub(super) const DERIVATIONS: &[Derivation] = &[
    Derivation {
        kind: "NamespaceAdmission",
        namespaced: true,
        reads: reads![
            ("v1/LimitRange", &["spec.limits"]),
            ("v1/Pod", OWNED),
            ("apps/v1/Deployment", DEPLOYMENT),
            ("apps/v1/StatefulSet", OWNED),
            ("apps/v1/DaemonSet", OWNED),
            ("apps/v1/ReplicaSet", OWNED),
            ("v1/ReplicationController", OWNED),
            ("argoproj.io/v1alpha1/Rollout", OWNED),
            ("batch/v1/Job", OWNED),
            ("batch/v1/CronJob", OWNED),
        ],
        derive: namespaces::admissions,
    },
    Derivation {
        kind: "AdmissionPolicy",
        namespaced: true,
        reads: reads![("apps/v1/Deployment", DEPLOYMENT)],
        derive: namespaces::policies,
    },
    Derivation {
        kind: "PolicyEngine",
        namespaced: false,
        reads: reads![("apps/v1/Deployment", DEPLOYMENT)],
        derive: engines::derive,
    },
];

/// The objects of a kind.
fn objects<'a>(inventory: &'a Inventory, group: &str, kind: &str) -> &'a [Object] {
    inventory.objects(&GroupKind::new(group, kind))
}

/// A text at a path of an object; empty if there is none.
fn text<'a>(node: &'a Node, path: &[&str]) -> &'a str {
    node.at(path).and_then(Node::as_str).unwrap_or_default()
}

/// A list at a path of an object; empty if there is none.
fn items<'a>(node: &'a Node, path: &[&str]) -> &'a [Node] {
    node.at(path).map_or(&[], Node::items)
}

/// The texts of a list at a path of an object.
fn texts<'a>(node: &'a Node, path: &[&str]) -> Vec<&'a str> {
    items(node, path).iter().filter_map(Node::as_str).collect()
}
