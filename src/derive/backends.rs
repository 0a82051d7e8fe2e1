//! What the API server calls: the Services behind webhooks, aggregated APIs and conversions.
//!
//! `Backend`, one per Service that such an object names, whether it exists or not. `spec`:
//! `exists`, `external` (an ExternalName, which has no endpoints) and `ready`, the number of ready
//! endpoints; manifests have none, so there it is left out.

use std::collections::{BTreeSet, HashMap};

use serde_json::json;

use super::Derivation;
use crate::model::{GroupKind, Inventory, Node, Object, SourceKind};

/// Kinds that name Services, and the paths at which they do.
const REFERRERS: [(&str, &str, &[&str]); 4] = [
    (
        "admissionregistration.k8s.io",
        "ValidatingWebhookConfiguration",
        &["webhooks", "*", "clientConfig", "service"],
    ),
    (
        "admissionregistration.k8s.io",
        "MutatingWebhookConfiguration",
        &["webhooks", "*", "clientConfig", "service"],
    ),
    ("apiregistration.k8s.io", "APIService", &["spec", "service"]),
    (
        "apiextensions.k8s.io",
        "CustomResourceDefinition",
        &["spec", "conversion", "webhook", "clientConfig", "service"],
    ),
];

pub(super) const DERIVATIONS: &[Derivation] = &[Derivation {
    kind: "Backend",
    namespaced: true,
    reads: &[
        (
            "admissionregistration.k8s.io/v1/ValidatingWebhookConfiguration",
            &["webhooks.*.clientConfig.service"],
        ),
        (
            "admissionregistration.k8s.io/v1/MutatingWebhookConfiguration",
            &["webhooks.*.clientConfig.service"],
        ),
        ("apiregistration.k8s.io/v1/APIService", &["spec.service"]),
        (
            "apiextensions.k8s.io/v1/CustomResourceDefinition",
            &["spec.conversion.webhook.clientConfig.service"],
        ),
        ("v1/Service", &["spec.type"]),
        (
            "discovery.k8s.io/v1/EndpointSlice",
            &[
                "metadata.labels",
                "endpoints.*.conditions.ready",
                "endpoints.*.addresses",
            ],
        ),
    ],
    derive: backends,
}];

/// Namespace and name of a Service.
type Name<'a> = (&'a str, &'a str);

fn backends(inventory: &Inventory) -> Vec<Node> {
    let mut named: BTreeSet<Name> = BTreeSet::new();
    for (group, kind, path) in REFERRERS {
        for object in inventory.objects(&GroupKind::new(group, kind)) {
            collect(&object.root, path, &mut named);
        }
    }
    let services: HashMap<Name, &Object> = inventory
        .objects(&GroupKind::new("", "Service"))
        .iter()
        .map(|service| {
            (
                (service.namespace().unwrap_or("default"), service.name()),
                service,
            )
        })
        .collect();
    let ready = ready(inventory, &named);
    named
        .into_iter()
        .map(|name| {
            let service = services.get(&name);
            let kind = service.and_then(|service| service.root.at(&["spec", "type"])?.as_str());
            let mut spec = json!({
                "exists": service.is_some(),
                "external": kind == Some("ExternalName"),
            });
            if inventory.source != SourceKind::Manifests {
                spec["ready"] = json!(ready.get(&name).map_or(0, BTreeSet::len));
            }
            let metadata = json!({"namespace": name.0, "name": name.1});
            Node::from(json!({"metadata": metadata, "spec": spec}))
        })
        .collect()
}

/// The addresses that are ready, of the Services asked for. A Service with two IP families has
/// two slices of the same pods: it is the family with the most that counts.
fn ready<'a>(
    inventory: &'a Inventory,
    named: &BTreeSet<Name<'a>>,
) -> HashMap<Name<'a>, BTreeSet<&'a str>> {
    let mut by_family: HashMap<(Name, bool), BTreeSet<&str>> = HashMap::new();
    for slice in inventory.objects(&GroupKind::new("discovery.k8s.io", "EndpointSlice")) {
        let label = ["metadata", "labels", "kubernetes.io/service-name"];
        let service = slice.root.at(&label).and_then(Node::as_str);
        let Some(service) = service else { continue };
        let name = (slice.namespace().unwrap_or("default"), service);
        if !named.contains(&name) {
            continue;
        }
        for endpoint in slice.root.get("endpoints").map_or(&[][..], Node::items) {
            // Not to say is to be ready, as the API has it.
            let ready = endpoint
                .at(&["conditions", "ready"])
                .and_then(Node::as_bool);
            let address = endpoint
                .get("addresses")
                .and_then(|list| list.items().first());
            if ready.unwrap_or(true)
                && let Some(address) = address.and_then(Node::as_str)
            {
                let family = by_family.entry((name, address.contains(':'))).or_default();
                family.insert(address);
            }
        }
    }
    let mut ready: HashMap<Name, BTreeSet<&str>> = HashMap::new();
    for ((name, _), addresses) in by_family {
        let most = ready.entry(name).or_default();
        if addresses.len() > most.len() {
            *most = addresses;
        }
    }
    ready
}

/// The Services at a path in which `*` stands for the elements of an array.
fn collect<'a>(node: &'a Node, path: &[&str], found: &mut BTreeSet<Name<'a>>) {
    match path {
        [] => {
            let text = |field: &str| node.get(field).and_then(Node::as_str);
            if let (Some(namespace), Some(name)) = (text("namespace"), text("name")) {
                found.insert((namespace, name));
            }
        }
        ["*", rest @ ..] => {
            for item in node.items() {
                collect(item, rest, found);
            }
        }
        [field, rest @ ..] => {
            if let Some(next) = node.get(field) {
                collect(next, rest, found);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::derive::testing::derived;

    #[test]
    fn a_backend_counts_each_ready_endpoint_once() {
        let objects = derived(
            r#"
{apiVersion: admissionregistration.k8s.io/v1, kind: ValidatingWebhookConfiguration, metadata: {name: a}, webhooks: [
  {name: a, clientConfig: {service: {namespace: kyverno, name: svc}}},
  {name: b, clientConfig: {service: {namespace: gone, name: svc}}},
  {name: c, clientConfig: {url: "https://x"}}]}
---
{apiVersion: apiregistration.k8s.io/v1, kind: APIService, metadata: {name: v1.x}, spec: {service: {namespace: x, name: out}}}
---
{apiVersion: v1, kind: Service, metadata: {namespace: kyverno, name: svc}, spec: {type: ClusterIP}}
---
{apiVersion: v1, kind: Service, metadata: {namespace: x, name: out}, spec: {type: ExternalName}}
---
{apiVersion: v1, kind: Service, metadata: {namespace: x, name: not-named}, spec: {}}
---
{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {namespace: kyverno, name: s4, labels: {kubernetes.io/service-name: svc}}, endpoints: [
  {addresses: [10.0.0.1], conditions: {ready: true}}, {addresses: [10.0.0.2]}, {addresses: [10.0.0.3], conditions: {ready: false}}]}
---
{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {namespace: kyverno, name: s6, labels: {kubernetes.io/service-name: svc}}, endpoints: [
  {addresses: ["fd00::1"], conditions: {ready: true}}]}
---
{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {namespace: other, name: s, labels: {kubernetes.io/service-name: svc}}, endpoints: [{addresses: [10.1.0.1]}]}
"#,
            "Backend",
        );
        let spec = |i: usize| serde_json::Value::from(objects[i].root.get("spec").unwrap());
        let names: Vec<_> = objects.iter().map(|o| (o.namespace(), o.name())).collect();
        assert_eq!(
            names,
            [
                (Some("gone"), "svc"),
                (Some("kyverno"), "svc"),
                (Some("x"), "out")
            ]
        );
        assert_eq!(
            spec(0),
            json!({"exists": false, "external": false, "ready": 0})
        );
        assert_eq!(
            spec(1),
            json!({"exists": true, "external": false, "ready": 2})
        );
        assert_eq!(
            spec(2),
            json!({"exists": true, "external": true, "ready": 0})
        );
    }
}
