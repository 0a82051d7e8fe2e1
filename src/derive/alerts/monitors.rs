//! ServiceMonitors, PodMonitors and Probes: whether a Prometheus takes them up, and what they find.

use std::collections::{BTreeSet, HashMap};

use serde_json::json;

use super::selection::{Choosers, OPERATOR, VICTORIA, looked_into, selects};
use crate::{
    derive::Derivation,
    model::{GroupKind, Inventory, Node, Object},
};

const CHOOSERS: [(&str, &str); 3] = [
    (OPERATOR, "Prometheus"),
    (OPERATOR, "PrometheusAgent"),
    (VICTORIA, "VMAgent"),
];

/// `Monitor`: one for each ServiceMonitor, PodMonitor and Probe.
pub const MONITOR: Derivation = Derivation {
    kind: "Monitor",
    namespaced: true,
    reads: &[
        (
            "monitoring.coreos.com/v1/ServiceMonitor",
            &[
                "metadata.labels",
                "spec.selector",
                "spec.namespaceSelector",
                "spec.endpoints.*.port",
                "spec.endpoints.*.targetPort",
            ],
        ),
        (
            "monitoring.coreos.com/v1/PodMonitor",
            &[
                "metadata.labels",
                "spec.selector",
                "spec.namespaceSelector",
                "spec.podMetricsEndpoints.*.port",
            ],
        ),
        (
            "monitoring.coreos.com/v1/Probe",
            &["metadata.labels", "spec.targets"],
        ),
        (
            "monitoring.coreos.com/v1/Prometheus",
            &[
                "spec.serviceMonitorSelector",
                "spec.serviceMonitorNamespaceSelector",
                "spec.podMonitorSelector",
                "spec.podMonitorNamespaceSelector",
                "spec.probeSelector",
                "spec.probeNamespaceSelector",
            ],
        ),
        (
            "monitoring.coreos.com/v1alpha1/PrometheusAgent",
            &[
                "spec.serviceMonitorSelector",
                "spec.serviceMonitorNamespaceSelector",
                "spec.podMonitorSelector",
                "spec.podMonitorNamespaceSelector",
                "spec.probeSelector",
                "spec.probeNamespaceSelector",
            ],
        ),
        (
            "operator.victoriametrics.com/v1beta1/VMAgent",
            &[
                "spec.selectAllByDefault",
                "spec.serviceScrapeSelector",
                "spec.serviceScrapeNamespaceSelector",
                "spec.podScrapeSelector",
                "spec.podScrapeNamespaceSelector",
                "spec.probeSelector",
                "spec.probeNamespaceSelector",
            ],
        ),
        ("v1/Namespace", &["metadata.labels"]),
        ("v1/Service", &["metadata.labels", "spec.ports"]),
        (
            "v1/Pod",
            &[
                "metadata.labels",
                "spec.containers.*.ports",
                "spec.initContainers.*.ports",
            ],
        ),
        ("networking.k8s.io/v1/Ingress", &["metadata.labels"]),
    ],
    derive: monitors,
};

/// What a monitor finds.
struct Targets {
    count: usize,
    /// What the count is of, in a sentence.
    noun: &'static str,
    missing_ports: BTreeSet<String>,
}

fn monitors(inventory: &Inventory) -> Vec<Node> {
    let sorts = [
        ("ServiceMonitor", "serviceMonitor", "serviceScrape"),
        ("PodMonitor", "podMonitor", "podScrape"),
        ("Probe", "probe", "probe"),
    ];
    let services = by_namespace(inventory, &GroupKind::new("", "Service"));
    let pods = by_namespace(inventory, &GroupKind::new("", "Pod"));
    let ingresses = by_namespace(inventory, &GroupKind::new("networking.k8s.io", "Ingress"));
    let mut found = Vec::new();
    for (kind, what, victoria) in sorts {
        let choosers = Choosers::of(inventory, &CHOOSERS[..2], what);
        let agents = Choosers::of(inventory, &CHOOSERS[2..], victoria);
        for object in inventory.objects(&GroupKind::new(OPERATOR, kind)) {
            let by = choosers
                .chosen_by(object)
                .or_else(|| agents.chosen_by(object));
            let targets = match kind {
                "ServiceMonitor" => of_services(object, &services),
                "PodMonitor" => of_pods(object, &pods),
                _ => of_probe(object, &ingresses),
            };
            let nobody = choosers.is_empty() && agents.is_empty();
            let note = note(by.is_some(), nobody, &targets);
            found.push(Node::from(json!({
                "metadata": {
                    "name": format!("{kind}/{}", object.name()),
                    "namespace": object.namespace(),
                },
                "spec": {
                    "kind": kind,
                    "name": object.name(),
                    "namespace": object.namespace(),
                    "selected": by.is_some(),
                    "by": by,
                    "targets": targets.count,
                    "ports": targets.missing_ports,
                    "note": note,
                },
            })));
        }
    }
    found
}

fn note(selected: bool, nobody: bool, targets: &Targets) -> Option<String> {
    let ports: Vec<&str> = targets.missing_ports.iter().map(String::as_str).collect();
    let noun = targets.noun;
    if !selected {
        let note = match nobody {
            true => "there is no Prometheus that could select it",
            false => "no Prometheus selects it",
        };
        return Some(note.to_owned());
    }
    if targets.count == 0 {
        return Some(format!("it matches no {noun}"));
    }
    (!ports.is_empty()).then(|| {
        format!(
            "no {noun} that it matches has a port named {}",
            ports.join(" or ")
        )
    })
}

type Spaces<'a> = HashMap<&'a str, Vec<&'a Object>>;

fn by_namespace<'a>(inventory: &'a Inventory, kind: &GroupKind) -> Spaces<'a> {
    let mut spaces: Spaces<'a> = HashMap::new();
    for object in inventory.objects(kind) {
        spaces
            .entry(object.namespace().unwrap_or_default())
            .or_default()
            .push(object);
    }
    spaces
}

/// The objects that a selector finds in the namespaces that a monitor looks into.
fn matched<'a>(
    spaces: &Spaces<'a>,
    selector: Option<&Node>,
    namespaces: Option<&[&str]>,
) -> Vec<&'a Object> {
    let Some(selector) = selector else {
        return Vec::new();
    };
    let all = || spaces.values().flatten();
    let some = |names: &[&str]| -> Vec<&'a Object> {
        names
            .iter()
            .filter_map(|name| spaces.get(name))
            .flatten()
            .copied()
            .collect()
    };
    let candidates: Vec<&'a Object> = match namespaces {
        Some(names) => some(names),
        None => all().copied().collect(),
    };
    candidates
        .into_iter()
        .filter(|object| selects(selector, object.root.at(&["metadata", "labels"])))
        .collect()
}

fn named<'a>(ports: impl Iterator<Item = &'a Node>, field: &str) -> BTreeSet<&'a str> {
    ports.filter_map(|port| port.get(field)?.as_str()).collect()
}

fn of_services(monitor: &Object, services: &Spaces<'_>) -> Targets {
    let spec = |field: &str| monitor.root.at(&["spec", field]);
    let namespaces = looked_into(monitor, spec("namespaceSelector"));
    let found = matched(services, spec("selector"), namespaces.as_deref());
    let ports = found.iter().flat_map(|service| {
        service
            .root
            .at(&["spec", "ports"])
            .map_or(&[][..], Node::items)
    });
    let offered = named(ports, "name");
    let endpoints = spec("endpoints").map_or(&[][..], Node::items);
    missing(found.len(), "Service", endpoints, &offered)
}

fn of_pods(monitor: &Object, pods: &Spaces<'_>) -> Targets {
    let spec = |field: &str| monitor.root.at(&["spec", field]);
    let namespaces = looked_into(monitor, spec("namespaceSelector"));
    let found = matched(pods, spec("selector"), namespaces.as_deref());
    let ports = found.iter().flat_map(|pod| {
        ["containers", "initContainers"]
            .into_iter()
            .flat_map(|list| pod.root.at(&["spec", list]).map_or(&[][..], Node::items))
            .flat_map(|container| container.get("ports").map_or(&[][..], Node::items))
    });
    let offered = named(ports, "name");
    let endpoints = spec("podMetricsEndpoints").map_or(&[][..], Node::items);
    missing(found.len(), "Pod", endpoints, &offered)
}

/// Of several endpoints each must have its port; an endpoint may also name a number.
fn missing(
    count: usize,
    noun: &'static str,
    endpoints: &[Node],
    offered: &BTreeSet<&str>,
) -> Targets {
    let missing_ports = named(endpoints.iter(), "port")
        .into_iter()
        .filter(|port| count > 0 && !offered.contains(port))
        .map(str::to_owned)
        .collect();
    Targets {
        count,
        noun,
        missing_ports,
    }
}

fn of_probe(probe: &Object, ingresses: &Spaces<'_>) -> Targets {
    let targets = |path: &[&str]| probe.root.at(&["spec", "targets"]).and_then(|t| t.at(path));
    let fixed = targets(&["staticConfig", "static"]).map_or(&[][..], Node::items);
    let namespaces = looked_into(probe, targets(&["ingress", "namespaceSelector"]));
    let found = match targets(&["ingress"]) {
        Some(_) => matched(
            ingresses,
            targets(&["ingress", "selector"]),
            namespaces.as_deref(),
        ),
        None => Vec::new(),
    };
    Targets {
        count: fixed.len() + found.len(),
        noun: "target",
        missing_ports: BTreeSet::new(),
    }
}

#[cfg(test)]
mod tests {
    use crate::derive::testing::derived;

    const CLUSTER: &str = r#"
{apiVersion: monitoring.coreos.com/v1, kind: Prometheus, metadata: {name: k8s, namespace: monitoring}, spec: {serviceMonitorSelector: {matchLabels: {release: p}}, serviceMonitorNamespaceSelector: {}, podMonitorSelector: {}}}
---
{apiVersion: v1, kind: Service, metadata: {name: api, namespace: shop, labels: {app: api}}, spec: {ports: [{name: http, port: 80}, {name: metrics, port: 9090}]}}
---
{apiVersion: v1, kind: Pod, metadata: {name: w, namespace: monitoring, labels: {app: w}}, spec: {containers: [{name: w, ports: [{name: m, containerPort: 1}]}]}}
---
{apiVersion: monitoring.coreos.com/v1, kind: ServiceMonitor, metadata: {name: good, namespace: shop, labels: {release: p}}, spec: {selector: {matchLabels: {app: api}}, endpoints: [{port: metrics}]}}
---
{apiVersion: monitoring.coreos.com/v1, kind: ServiceMonitor, metadata: {name: port, namespace: shop, labels: {release: p}}, spec: {selector: {matchLabels: {app: api}}, endpoints: [{port: metrics}, {port: web}]}}
---
{apiVersion: monitoring.coreos.com/v1, kind: ServiceMonitor, metadata: {name: label, namespace: shop}, spec: {selector: {matchLabels: {app: api}}, endpoints: [{port: metrics}]}}
---
{apiVersion: monitoring.coreos.com/v1, kind: ServiceMonitor, metadata: {name: away, namespace: monitoring, labels: {release: p}}, spec: {selector: {matchLabels: {app: api}}, endpoints: [{port: metrics}]}}
---
{apiVersion: monitoring.coreos.com/v1, kind: ServiceMonitor, metadata: {name: any, namespace: monitoring, labels: {release: p}}, spec: {namespaceSelector: {any: true}, selector: {matchLabels: {app: api}}, endpoints: [{port: metrics}]}}
---
{apiVersion: monitoring.coreos.com/v1, kind: PodMonitor, metadata: {name: home, namespace: monitoring}, spec: {selector: {}, podMetricsEndpoints: [{port: m}]}}
---
{apiVersion: monitoring.coreos.com/v1, kind: PodMonitor, metadata: {name: elsewhere, namespace: shop}, spec: {selector: {}, podMetricsEndpoints: [{port: m}]}}
---
{apiVersion: monitoring.coreos.com/v1, kind: Probe, metadata: {name: site, namespace: monitoring}, spec: {targets: {staticConfig: {static: [https://a]}}}}
"#;

    #[test]
    fn monitors_are_selected_and_match() {
        let told: Vec<String> = derived(CLUSTER, "Monitor")
            .iter()
            .map(|object| {
                let spec = |field: &str| object.root.at(&["spec", field]);
                let note = spec("note")
                    .and_then(|note| note.as_str())
                    .unwrap_or("fine");
                let targets = spec("targets").and_then(|count| count.as_int()).unwrap();
                format!("{} {targets} {note}", object.name())
            })
            .collect();
        assert_eq!(
            told,
            [
                "PodMonitor/home 1 fine",
                "Probe/site 1 no Prometheus selects it",
                "ServiceMonitor/any 1 fine",
                "ServiceMonitor/away 0 it matches no Service",
                "PodMonitor/elsewhere 0 no Prometheus selects it",
                "ServiceMonitor/good 1 fine",
                "ServiceMonitor/label 1 no Prometheus selects it",
                "ServiceMonitor/port 1 no Service that it matches has a port named web",
            ]
        );
    }
}
