//! Network reachability, with the semantics of each kind of policy: NetworkPolicy, Cilium's
//! policies, those of administrators and, as far as they go without their selector language,
//! Calico's.
//!
//! Policies are read into one form ([`policy`]: subjects, and rules of peers and ports), pods into
//! sets that no policy tells apart ([`pods`]), and [`reach`] says whether a connection gets
//! through. What that is good for:
//!
//! - `NamespaceNetwork`: what holds for pods of which no policy speaks, and whether DNS is in reach.
//! - `WebhookPath`: whether the API server gets to the pods of its webhooks.
//! - `NetworkPolicyEffect`: whom a policy selects, and which of its peers nobody can be.

mod admin;
mod calico;
mod cilium;
mod dns;
mod effects;
mod endpoint;
mod kubernetes;
mod namespaces;
mod pods;
mod policy;
mod ports;
mod reach;
mod selector;
mod services;
#[cfg(test)]
mod tests;
mod webhooks;

use super::Derivation;
use crate::model::GroupKind;

fn kind(group: &str, kind: &str) -> GroupKind {
    GroupKind::new(group, kind)
}

fn core(kind: &str) -> GroupKind {
    GroupKind::new("", kind)
}

/// The policies, pods and namespaces that all of them are computed from, and more.
macro_rules! reads {
    ($($more:expr),* $(,)?) => {
        &[
            ("networking.k8s.io/v1/NetworkPolicy", NETWORK_POLICY),
            ("cilium.io/v2/CiliumNetworkPolicy", CILIUM_POLICY),
            ("cilium.io/v2/CiliumClusterwideNetworkPolicy", CILIUM_POLICY),
            ("policy.networking.k8s.io/v1alpha1/AdminNetworkPolicy", ADMIN_POLICY),
            ("policy.networking.k8s.io/v1alpha1/BaselineAdminNetworkPolicy", ADMIN_POLICY),
            ("policy.networking.k8s.io/v1alpha2/ClusterNetworkPolicy", ADMIN_POLICY),
            ("cilium.io/v2/CiliumNode", &[]),
            ("v1/ConfigMap", CONFIG),
            ("v1/Namespace", &["metadata.labels"]),
            ("v1/Pod", POD),
            ("apps/v1/Deployment", TEMPLATE),
            ("apps/v1/StatefulSet", TEMPLATE),
            ("apps/v1/DaemonSet", TEMPLATE),
            ("apps/v1/ReplicaSet", TEMPLATE),
            ("v1/ReplicationController", TEMPLATE),
            ("argoproj.io/v1alpha1/Rollout", TEMPLATE),
            ("batch/v1/Job", TEMPLATE),
            ("batch/v1/CronJob", CRON_TEMPLATE),
            $($more),*
        ]
    };
}

const NETWORK_POLICY: &[&str] = &[
    "spec.podSelector",
    "spec.policyTypes",
    "spec.ingress",
    "spec.egress",
];

const CILIUM_POLICY: &[&str] = &[
    "spec.endpointSelector",
    "spec.nodeSelector",
    "spec.enableDefaultDeny",
    "spec.ingress",
    "spec.ingressDeny",
    "spec.egress",
    "spec.egressDeny",
    "specs.*.endpointSelector",
    "specs.*.nodeSelector",
    "specs.*.enableDefaultDeny",
    "specs.*.ingress",
    "specs.*.ingressDeny",
    "specs.*.egress",
    "specs.*.egressDeny",
];

const ADMIN_POLICY: &[&str] = &[
    "spec.tier",
    "spec.priority",
    "spec.subject",
    "spec.ingress",
    "spec.egress",
];

const CALICO_POLICY: &[&str] = &[
    "spec.types",
    "spec.selector",
    "spec.namespaceSelector",
    "spec.serviceAccountSelector",
    "spec.ingress.*.action",
    "spec.egress.*.action",
];

/// The keys of Cilium's ConfigMap.
const CONFIG: &[&str] = &[
    "data.enable-policy",
    "data.policy-audit-mode",
    "data.enable-k8s-networkpolicy",
    "data.policy-cidr-match-mode",
    "data.cluster-name",
];

const POD: &[&str] = &[
    "metadata.labels",
    "metadata.ownerReferences.*.apiVersion",
    "metadata.ownerReferences.*.kind",
    "metadata.ownerReferences.*.name",
    "metadata.ownerReferences.*.controller",
    "spec.hostNetwork",
    "spec.dnsPolicy",
    "spec.serviceAccountName",
    "spec.containers.*.ports",
    "spec.initContainers.*.ports",
];

const TEMPLATE: &[&str] = &[
    "metadata.ownerReferences.*.apiVersion",
    "metadata.ownerReferences.*.kind",
    "metadata.ownerReferences.*.name",
    "metadata.ownerReferences.*.controller",
    "spec.template.metadata.labels",
    "spec.template.spec.hostNetwork",
    "spec.template.spec.dnsPolicy",
    "spec.template.spec.serviceAccountName",
    "spec.template.spec.containers.*.ports",
    "spec.template.spec.initContainers.*.ports",
];

const CRON_TEMPLATE: &[&str] = &[
    "spec.jobTemplate.spec.template.metadata.labels",
    "spec.jobTemplate.spec.template.spec.hostNetwork",
    "spec.jobTemplate.spec.template.spec.dnsPolicy",
    "spec.jobTemplate.spec.template.spec.serviceAccountName",
    "spec.jobTemplate.spec.template.spec.containers.*.ports",
    "spec.jobTemplate.spec.template.spec.initContainers.*.ports",
];

const SERVICE: &[&str] = &["metadata.labels", "spec.selector", "spec.ports"];

const SLICE: &[&str] = &[
    "metadata.labels",
    "endpoints.*.addresses",
    "endpoints.*.targetRef.kind",
    "endpoints.*.targetRef.name",
    "ports",
];

const WEBHOOKS: &[&str] = &["webhooks.*.name", "webhooks.*.clientConfig.service"];

pub(super) const DERIVATIONS: &[Derivation] = &[
    Derivation {
        kind: "NamespaceNetwork",
        namespaced: true,
        reads: reads![
            ("v1/Service", SERVICE),
            ("discovery.k8s.io/v1/EndpointSlice", SLICE),
            ("v1/Node", &["status.addresses"]),
            ("projectcalico.org/v3/GlobalNetworkPolicy", CALICO_POLICY),
            ("projectcalico.org/v3/NetworkPolicy", CALICO_POLICY),
            (
                "crd.projectcalico.org/v1/GlobalNetworkPolicy",
                CALICO_POLICY
            ),
            ("crd.projectcalico.org/v1/NetworkPolicy", CALICO_POLICY),
        ],
        derive: namespaces::derive,
    },
    Derivation {
        kind: "WebhookPath",
        namespaced: false,
        reads: reads![
            ("v1/Service", SERVICE),
            ("discovery.k8s.io/v1/EndpointSlice", SLICE),
            ("v1/Node", &["status.addresses"]),
            (
                "admissionregistration.k8s.io/v1/ValidatingWebhookConfiguration",
                WEBHOOKS
            ),
            (
                "admissionregistration.k8s.io/v1/MutatingWebhookConfiguration",
                WEBHOOKS
            ),
        ],
        derive: webhooks::derive,
    },
    Derivation {
        kind: "NetworkPolicyEffect",
        namespaced: true,
        reads: reads![],
        derive: effects::derive,
    },
];
