//! `NamespaceNetwork`: what holds for the pods of a namespace of which no policy speaks, and
//! whether they can ask for names.

use serde_json::{Value, json};

use super::{
    admin::{AdminPolicy, Tier},
    calico::Calico,
    cilium::Enforcement,
    dns::Dns,
    endpoint::Endpoint,
    pods::{PodSet, Pods},
    policy::{Direction, Peer, Policy, Rule, Subject},
    ports::{Knock, Protocol},
    reach::{Answer, Network, Selecting},
    services::Services,
};
use crate::model::{Inventory, Node};

/// How many names are told of a list that may be long.
const SHOWN: usize = 5;

/// One object for each namespace with pods or templates of pods.
pub(super) fn derive(inventory: &Inventory) -> Vec<Node> {
    let network = Network::of(inventory);
    let pods = Pods::of(inventory);
    let services = Services::of(inventory, &pods);
    let calico = Calico::of(inventory);
    let dns = Dns::of(inventory, &network, &services);
    let guards_nodes = network
        .clusterwide
        .iter()
        .any(|policy| matches!(policy.subject, Subject::Nodes));
    pods.namespaces()
        .map(|namespace| {
            let sets = pods.sets(namespace, &network.keys);
            let sets: Vec<(PodSet<'_>, Selecting<'_, '_>)> = sets
                .into_iter()
                .map(|set| {
                    let selecting = network.selecting(&set.pod);
                    (set, selecting)
                })
                .collect();
            let side = |direction: Direction| {
                Side {
                    network: &network,
                    calico: &calico,
                    namespace,
                    direction,
                }
                .describe(&sets)
            };
            let covered = sets.iter().any(|(_, selecting)| {
                let mut policies = selecting.policies.iter();
                !selecting.admin.is_empty()
                    || policies.any(|policy| policy.ingress.speaks() || policy.egress.speaks())
            });
            Node::from(json!({
                "metadata": {"name": "network", "namespace": namespace},
                "spec": {
                    "workloads": workloads(sets.iter().map(|(set, _)| set)),
                    "policies": network.of_namespace(namespace).len(),
                    "covered": covered,
                    "nodesGuarded": guards_nodes,
                    "enforced": network.config.enforcement != Enforcement::Never,
                    "ingress": side(Direction::Ingress),
                    "egress": side(Direction::Egress),
                    "dns": dns.describe(&network, &calico, namespace, &sets),
                    "notes": &network.notes[..network.notes.len().min(SHOWN)],
                },
            }))
        })
        .collect()
}

/// How many workloads, and lone pods, sets are of.
fn workloads<'s, 'a: 's>(sets: impl Iterator<Item = &'s PodSet<'a>>) -> usize {
    let owners: std::collections::BTreeSet<_> = sets.flat_map(|set| &set.owners).collect();
    owners.len()
}

/// One direction of one namespace.
struct Side<'n, 'a> {
    network: &'n Network<'a>,
    calico: &'n Calico<'a>,
    namespace: &'a str,
    direction: Direction,
}

impl<'a> Side<'_, 'a> {
    fn describe(&self, sets: &[(PodSet<'a>, Selecting<'_, 'a>)]) -> Value {
        let denied = self.denied();
        let undone = match &denied {
            // Nothing that a namespace's own policies allow comes before an administrator's.
            Some((_, true)) => Vec::new(),
            _ => self.undone(),
        };
        let peer = self.someone();
        let uncovered: Vec<&PodSet<'a>> = sets
            .iter()
            .filter(|(set, selecting)| {
                let answer =
                    self.network
                        .answer(self.direction, &set.pod, selecting, &peer, ANY_PORT);
                answer == Answer::Yes
            })
            .map(|(set, _)| set)
            .collect();
        let enforced = self.network.config.enforcement != Enforcement::Never;
        let default = if !enforced || !undone.is_empty() {
            "open"
        } else if denied.is_some() {
            "deny"
        } else if uncovered.is_empty() {
            "effective"
        } else {
            "open"
        };
        let names: Vec<String> = uncovered.iter().take(SHOWN).map(|set| set.name()).collect();
        json!({
            "default": default,
            "by": denied.map(|(title, _)| title).unwrap_or_default(),
            "undoneBy": undone,
            "uncovered": names,
            "uncoveredCount": workloads(uncovered.into_iter()),
            "unread": self.calico.unread(self.namespace, self.direction),
        })
    }

    /// Whom nobody has named: a pod of another namespace that wants in, an address outside that
    /// a pod wants to reach.
    fn someone(&self) -> Endpoint<'a> {
        match self.direction {
            Direction::Ingress => Endpoint::stranger(),
            Direction::Egress => Endpoint::outside(),
        }
    }

    /// What denies everything to every pod of the namespace, and whether nothing can undo it.
    fn denied(&self) -> Option<(String, bool)> {
        if self.network.config.enforcement == Enforcement::Always {
            return Some(("Cilium's enable-policy: always".to_owned(), false));
        }
        let own = |policy: &&Policy<'a>| {
            policy.section(self.direction).denies_all()
                && policy.selects_all_of(self.namespace, &self.network.view)
        };
        if let Some(policy) = self.network.around(self.namespace).find(own) {
            return Some((policy.title(), false));
        }
        let by_admin = |policy: &&AdminPolicy<'a>| {
            let pod = Endpoint {
                namespace: self.namespace,
                ..Endpoint::stranger()
            };
            let someone = self.someone();
            let listening = match self.direction {
                Direction::Ingress => &pod,
                Direction::Egress => &someone,
            };
            let view = &self.network.view;
            policy.selects_all_of(self.namespace, view)
                && policy.action(view, self.direction, &someone, listening, ANY_PORT)
                    == Some(super::admin::Action::Deny)
        };
        if let Some(policy) = self.network.admin.iter().find(by_admin) {
            return Some((policy.title(), policy.tier == Tier::Admin));
        }
        let calico = self.calico.denies(self.namespace, self.direction)?;
        Some((calico, false))
    }

    /// Policies that allow everybody to every pod of the namespace: policies add up.
    fn undone(&self) -> Vec<String> {
        let someone = self.someone();
        let everybody = |rule: &Rule<'a>| {
            let all = |peers: &Vec<Peer<'a>>| {
                let mut peers = peers.iter();
                peers.any(|peer| self.network.view.is(peer, &someone))
            };
            rule.ports.as_ref().is_none_or(|ports| {
                let mut ports = ports.iter();
                ports.any(|port| port.admits(ANY_PORT, &[]))
            }) && rule.peers.as_ref().is_none_or(all)
        };
        let policies = self.network.around(self.namespace);
        policies
            .filter(|policy| {
                policy.selects_all_of(self.namespace, &self.network.view)
                    && policy.section(self.direction).allow.iter().any(everybody)
            })
            .map(|policy| policy.title())
            .collect()
    }
}

/// A port that nobody has named.
const ANY_PORT: Knock = Knock {
    protocol: Protocol::Tcp,
    number: None,
};
