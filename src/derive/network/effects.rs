//! `NetworkPolicyEffect`: whom a policy selects, and what of it means nothing.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use super::{
    endpoint::{Endpoint, Location},
    pods::{PodSet, Pods},
    policy::{Peer, Policy, Subject},
    reach::Network,
};
use crate::model::{Inventory, Node, Object};

/// How many peers that match nothing are told.
const SHOWN: usize = 3;

/// The pods of one namespace: those with addresses of their own, and those on the node's network
/// as if they had.
struct Here<'a> {
    pods: Vec<PodSet<'a>>,
    on_node: Vec<PodSet<'a>>,
}

/// One object for each NetworkPolicy, CiliumNetworkPolicy and CiliumClusterwideNetworkPolicy.
pub(super) fn derive(inventory: &Inventory) -> Vec<Node> {
    let network = Network::of(inventory);
    let pods = Pods::of(inventory);
    let here = pods.namespaces().map(|namespace| {
        let mut on_node = pods.sets_on_node(namespace, &network.keys);
        for set in &mut on_node {
            set.pod.location = Location::Pod;
        }
        let pods = pods.sets(namespace, &network.keys);
        (namespace, Here { pods, on_node })
    });
    let all: BTreeMap<&str, Here<'_>> = here.collect();

    let mut by_object: BTreeMap<(&str, &str, &str), Vec<&Policy<'_>>> = BTreeMap::new();
    for policy in network.policies() {
        let object = policy.object;
        let namespace = policy.namespace.unwrap_or_default();
        let key = (namespace, &*object.kind.kind, object.name());
        by_object.entry(key).or_default().push(policy);
    }
    let of_kubernetes = super::kind("networking.k8s.io", "NetworkPolicy");
    let ignored: &[Object] = match network.config.network_policies {
        true => &[],
        false => inventory.objects(&of_kubernetes),
    };
    let effects = by_object.values().map(|policies| {
        let effect = Effect {
            network: &network,
            all: &all,
        };
        effect.describe(policies)
    });
    effects
        .flatten()
        .chain(ignored.iter().map(unheeded))
        .collect()
}

/// A NetworkPolicy that Cilium is told not to heed.
fn unheeded(object: &Object) -> Node {
    let fields = json!({
        "targetRef": target(object),
        "heeded": false,
        "selects": 0,
        "everything": false,
        "hostNetworkOnly": false,
        "nodes": false,
        "silent": false,
        "unresolvablePeers": [],
        "faults": [],
    });
    Node::from(json!({"metadata": metadata(object), "spec": fields}))
}

fn metadata(object: &Object) -> serde_json::Value {
    let name = format!("{}/{}", object.kind.kind, object.name());
    json!({"name": name, "namespace": object.namespace()})
}

fn target(object: &Object) -> serde_json::Value {
    let version = match object.kind.group.is_empty() {
        true => object.version.to_string(),
        false => format!("{}/{}", object.kind.group, object.version),
    };
    json!({"apiVersion": version, "kind": &*object.kind.kind, "name": object.name()})
}

struct Effect<'n, 'a> {
    network: &'n Network<'a>,
    all: &'n BTreeMap<&'a str, Here<'a>>,
}

impl<'a> Effect<'_, 'a> {
    /// What all specs of an object do together.
    fn describe(&self, policies: &[&Policy<'a>]) -> Option<Node> {
        let object = policies.first()?.object;
        let selected = |sets: for<'h> fn(&'h Here<'a>) -> &'h [PodSet<'a>]| {
            let mut count = 0;
            for here in self.around(policies[0].namespace) {
                let selected = sets(here).iter().filter(|set| {
                    let mut policies = policies.iter();
                    policies.any(|policy| self.selects(policy, &set.pod))
                });
                let owners: BTreeSet<_> = selected.flat_map(|set| &set.owners).collect();
                count += owners.len();
            }
            count
        };
        let (pods, on_node) = (selected(|here| &here.pods), selected(|here| &here.on_node));
        let silent = policies
            .iter()
            .all(|policy| !policy.ingress.speaks() && !policy.egress.speaks());
        let lost: BTreeSet<String> = policies
            .iter()
            .flat_map(|policy| self.lost(policy))
            .collect();
        let faults: Vec<&String> = policies.iter().flat_map(|policy| &policy.faults).collect();
        let everything = policies.iter().any(|policy| {
            let all =
                matches!(&policy.subject, Subject::Endpoints(selector) if selector.is_empty());
            policy.namespace.is_none() && all
        });
        let spec = json!({
            "targetRef": target(object),
            "heeded": true,
            "selects": pods,
            "everything": everything,
            "hostNetworkOnly": pods == 0 && on_node > 0,
            "nodes": policies.iter().any(|policy| matches!(policy.subject, Subject::Nodes)),
            "silent": silent,
            "unresolvablePeers": lost.into_iter().take(SHOWN).collect::<Vec<_>>(),
            "faults": faults,
        });
        Some(Node::from(
            json!({"metadata": metadata(object), "spec": spec}),
        ))
    }

    /// The namespaces in which a policy may select pods.
    fn around(&self, namespace: Option<&'a str>) -> impl Iterator<Item = &Here<'a>> {
        let one = namespace.and_then(|namespace| self.all.get(namespace));
        let all = namespace.is_none().then(|| self.all.values());
        one.into_iter().chain(all.into_iter().flatten())
    }

    fn selects(&self, policy: &Policy<'a>, pod: &Endpoint<'a>) -> bool {
        policy.selects(pod, &self.network.view)
    }

    /// Peers that name no namespace, mean the policy's own, and find nobody there.
    fn lost(&self, policy: &Policy<'a>) -> Vec<String> {
        let sections = [&policy.ingress, &policy.egress].into_iter();
        let rules = sections.flat_map(|section| section.allow.iter().chain(&section.deny));
        rules
            .flat_map(|rule| rule.peers.iter().flatten())
            .filter_map(|peer| {
                let Peer::Endpoints {
                    selector,
                    scope: Some(namespace),
                } = peer
                else {
                    return None;
                };
                let is = |set: &PodSet<'a>| self.network.view.is(peer, &set.pod);
                let here = self.all.get(namespace);
                let found = here.is_some_and(|here| here.pods.iter().any(is));
                if selector.is_empty() || found {
                    return None;
                }
                let others = self.all.iter().filter(|(_, here)| {
                    let mut pods = here.pods.iter();
                    pods.any(|set| self.network.view.cilium_selects(selector, &set.pod))
                });
                let others: Vec<&str> = others.map(|(name, _)| *name).take(SHOWN).collect();
                let on_node = here.is_some_and(|here| here.on_node.iter().any(is));
                let text = selector.text();
                Some(match (others.is_empty(), on_node) {
                    (_, true) => format!("{text} matches only pods on the network of the node"),
                    (true, _) => format!("{text} matches no pod of {namespace}"),
                    (false, _) => format!(
                        "{text} matches no pod of {namespace}, but of {}",
                        others.join(", ")
                    ),
                })
            })
            .collect()
    }
}
