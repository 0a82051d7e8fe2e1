//! CiliumNetworkPolicy and CiliumClusterwideNetworkPolicy of cilium.io/v2, and what Cilium's
//! configuration makes of policies.

use super::{
    endpoint::{NAMESPACE_LABEL, NAMESPACE_LABELS},
    policy::{Block, Direction, Peer, Policy, Rule, Section, Subject},
    ports,
    selector::{Dialect, Key, Keys, Origin, Selector},
};
use crate::model::{Inventory, Node, Object};

/// When Cilium enforces policies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Enforcement {
    /// For the pods that a policy selects; what every other network does, too.
    Selected,
    /// For all pods.
    Always,
    /// Never: what is denied is at most logged.
    Never,
}

/// Cilium, as its ConfigMap sets it up.
pub(super) struct Config<'a> {
    /// Whether Cilium is the network, rather than a leftover of it.
    pub installed: bool,
    pub enforcement: Enforcement,
    /// Whether it heeds NetworkPolicies.
    pub network_policies: bool,
    /// Whether CIDR peers hold nodes.
    pub blocks_hold_nodes: bool,
    /// The name of the cluster.
    pub cluster: &'a str,
}

impl<'a> Config<'a> {
    /// Reads it. `policies` says whether there are policies of Cilium's, without whose network
    /// nobody writes any.
    pub fn of(inventory: &'a Inventory, policies: bool) -> Self {
        let agents = inventory.objects(&super::kind("apps", "DaemonSet")).iter();
        let agent = agents
            .filter(|agent| matches!(agent.name(), "cilium" | "anetd"))
            .count();
        let nodes = inventory.objects(&super::kind("cilium.io", "CiliumNode"));
        let installed = agent > 0 || !nodes.is_empty();
        let maps = inventory.objects(&super::core("ConfigMap")).iter();
        let map = maps
            .filter(|map| map.name() == "cilium-config")
            .find(|_| installed);
        let value = |key: &str| map?.root.at(&["data", key])?.as_str();
        let is = |key: &str, wanted: &str| {
            value(key).is_some_and(|value| value.eq_ignore_ascii_case(wanted))
        };
        let enforcement = if is("policy-audit-mode", "true") || is("enable-policy", "never") {
            Enforcement::Never
        } else if is("enable-policy", "always") {
            Enforcement::Always
        } else {
            Enforcement::Selected
        };
        Config {
            installed: installed || policies,
            enforcement,
            network_policies: !is("enable-k8s-networkpolicy", "false"),
            blocks_hold_nodes: value("policy-cidr-match-mode")
                .is_some_and(|modes| modes.contains("nodes")),
            cluster: value("cluster-name").unwrap_or("default"),
        }
    }
}

/// Reads a policy: its `spec`, and each of its `specs`.
pub(super) fn policies<'a>(object: &'a Object, keys: &mut Keys<'a>) -> Vec<Policy<'a>> {
    let specs = object.root.get("specs").map_or(&[][..], Node::items);
    object
        .root
        .get("spec")
        .into_iter()
        .chain(specs)
        .map(|spec| policy(object, spec, keys))
        .collect()
}

fn policy<'a>(object: &'a Object, spec: &'a Node, keys: &mut Keys<'a>) -> Policy<'a> {
    let namespace = match &*object.kind.kind {
        "CiliumNetworkPolicy" => Some(object.namespace().unwrap_or("default")),
        _ => None,
    };
    let mut faults = Vec::new();
    let subject = match (spec.get("endpointSelector"), spec.get("nodeSelector")) {
        (Some(selector), _) => match keys.selector(Some(selector), Dialect::Cilium) {
            Ok(selector) => Subject::Endpoints(subject(selector, namespace)),
            Err(fault) => {
                faults.push(fault);
                Subject::Nobody
            }
        },
        (None, Some(_)) => Subject::Nodes,
        (None, None) => {
            faults.push("it selects neither endpoints nor nodes".to_owned());
            Subject::Nobody
        }
    };
    let mut reader = Reader {
        namespace,
        keys,
        faults,
    };
    let ingress = reader.section(spec, Direction::Ingress);
    let egress = reader.section(spec, Direction::Egress);
    Policy {
        object,
        namespace,
        subject,
        ingress,
        egress,
        faults: reader.faults,
    }
}

/// A namespaced policy is for its own namespace, whatever it says with `k8s:`.
fn subject<'a>(mut selector: Selector<'a>, namespace: Option<&str>) -> Selector<'a> {
    let own = Key {
        origin: Origin::Kubernetes,
        name: NAMESPACE_LABEL,
    };
    if namespace.is_some() {
        selector
            .requirements
            .retain(|requirement| requirement.key != own);
    }
    selector
}

struct Reader<'a, 'k> {
    namespace: Option<&'a str>,
    keys: &'k mut Keys<'a>,
    faults: Vec<String>,
}

impl<'a> Reader<'a, '_> {
    fn section(&mut self, spec: &'a Node, direction: Direction) -> Section<'a> {
        let (allow, deny) = match direction {
            Direction::Ingress => ("ingress", "ingressDeny"),
            Direction::Egress => ("egress", "egressDeny"),
        };
        let list = |field: &str| spec.get(field).map_or(&[][..], Node::items);
        let (allow, deny) = (list(allow), list(deny));
        // A section without rules says nothing, not even that all is denied.
        let isolates = spec
            .at(&["enableDefaultDeny", direction.name()])
            .and_then(Node::as_bool)
            .unwrap_or(!allow.is_empty() || !deny.is_empty());
        let requires = match direction {
            Direction::Ingress => "fromRequires",
            Direction::Egress => "toRequires",
        };
        let requires: Vec<Peer<'a>> = allow
            .iter()
            .flat_map(|rule| rule.get(requires).map_or(&[][..], Node::items))
            .map(|peer| self.endpoints(peer))
            .collect();
        let mut rules = |list: &'a [Node]| -> Vec<Rule<'a>> {
            list.iter()
                .filter_map(|rule| self.rule(rule, direction))
                .collect()
        };
        Section {
            isolates,
            allow: rules(allow),
            deny: rules(deny),
            requires,
        }
    }

    /// A rule; `None` for the empty one, which matches nothing.
    fn rule(&mut self, rule: &'a Node, direction: Direction) -> Option<Rule<'a>> {
        let prefix = direction.peers();
        let written: Vec<&str> = [
            "Endpoints",
            "Entities",
            "CIDR",
            "CIDRSet",
            "Nodes",
            "Groups",
            "Services",
            "FQDNs",
        ]
        .into_iter()
        .filter(|field| rule.get(&format!("{prefix}{field}")).is_some())
        .collect();
        let ports = ports::of_cilium(rule);
        if written.is_empty() {
            // Ports alone are those of all peers.
            return ports.map(|ports| Rule {
                peers: None,
                ports: Some(ports),
            });
        }
        let mut peers = Vec::new();
        for field in &written {
            let items = rule.get(&format!("{prefix}{field}"));
            let items = items.map_or(&[][..], Node::items);
            // A list that is there and empty selects nobody, whatever stands beside it.
            if items.is_empty() {
                return Some(Rule {
                    peers: Some(Vec::new()),
                    ports,
                });
            }
            for item in items {
                let peer = self.peer(field, item);
                peers.push(peer);
            }
        }
        Some(Rule {
            peers: Some(peers),
            ports,
        })
    }

    fn peer(&mut self, field: &str, item: &'a Node) -> Peer<'a> {
        let text = item.as_str().unwrap_or_default();
        match field {
            "Endpoints" => self.endpoints(item),
            "Entities" => Peer::Entity(text),
            "CIDR" => self.block(text, &[]),
            "CIDRSet" => {
                let cidr = item.get("cidr").and_then(Node::as_str);
                let except = item.get("except").map_or(&[][..], Node::items);
                match cidr {
                    Some(cidr) => self.block(cidr, except),
                    // A group of blocks that another object names.
                    None => Peer::Elsewhere,
                }
            }
            "Nodes" => Peer::Nodes,
            "Services" => self.service(item),
            _ => Peer::Elsewhere,
        }
    }

    fn block(&mut self, cidr: &str, except: &[Node]) -> Peer<'a> {
        Block::parse(cidr, except).map_or_else(
            || {
                self.faults
                    .push(format!("{cidr:?} is no block of addresses"));
                Peer::Elsewhere
            },
            Peer::Block,
        )
    }

    fn service(&mut self, item: &'a Node) -> Peer<'a> {
        let text = |path: &[&str]| item.at(path).and_then(Node::as_str);
        if let Some(name) = text(&["k8sService", "serviceName"]) {
            let namespace = text(&["k8sService", "namespace"]).or(self.namespace);
            return Peer::Service {
                namespace: namespace.unwrap_or("default"),
                name,
            };
        }
        let selector = item.at(&["k8sServiceSelector", "selector"]);
        match self.keys.selector(selector, Dialect::Kubernetes) {
            Ok(selector) => Peer::Services {
                namespace: text(&["k8sServiceSelector", "namespace"]).or(self.namespace),
                selector,
            },
            Err(fault) => {
                self.faults.push(fault);
                Peer::Elsewhere
            }
        }
    }

    /// A selector of endpoints. One that names no namespace means the policy's own, or, in a
    /// clusterwide policy, pods of any.
    fn endpoints(&mut self, item: &'a Node) -> Peer<'a> {
        let mut selector = match self.keys.selector(Some(item), Dialect::Cilium) {
            Ok(selector) => selector,
            Err(fault) => {
                self.faults.push(fault);
                return Peer::Elsewhere;
            }
        };
        let has = |test: &dyn Fn(Key<'_>) -> bool| {
            selector.requirements.iter().any(|part| test(part.key))
        };
        let reserved = has(&|key| key.origin == Origin::Reserved);
        let named = has(&|key| key.name == NAMESPACE_LABEL);
        let labelled = has(&|key| key.name.starts_with(NAMESPACE_LABELS));
        let scope = self.namespace.filter(|_| !reserved && !named && !labelled);
        if self.namespace.is_none() && !reserved && !named {
            selector.require_present(Key {
                origin: Origin::Kubernetes,
                name: NAMESPACE_LABEL,
            });
        }
        Peer::Endpoints { selector, scope }
    }
}
