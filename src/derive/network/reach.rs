//! Every policy of a cluster, and whether a connection gets through them.

use std::{collections::HashMap, net::IpAddr};

use super::{
    admin::{self, Action, AdminPolicy, Tier},
    cilium::{self, Config, Enforcement},
    endpoint::{Endpoint, Location, Namespaces},
    kubernetes,
    policy::{Direction, Policy, View},
    ports::Knock,
    selector::Keys,
};
use crate::model::{Inventory, Node};

/// All policies, parsed once.
pub(super) struct Network<'a> {
    pub view: View<'a>,
    pub config: Config<'a>,
    /// Labels that some policy looks at.
    pub keys: Keys<'a>,
    here: HashMap<&'a str, Vec<Policy<'a>>>,
    pub clusterwide: Vec<Policy<'a>>,
    pub admin: Vec<AdminPolicy<'a>>,
    /// Addresses of nodes; empty if they are not known.
    pub nodes: Vec<IpAddr>,
    pub node_count: usize,
    /// Policies, or parts of them, that could not be understood.
    pub notes: Vec<String>,
}

/// The policies that select a pod.
pub(super) struct Selecting<'n, 'a> {
    pub policies: Vec<&'n Policy<'a>>,
    pub admin: Vec<&'n AdminPolicy<'a>>,
}

/// What policies say of a connection.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Answer {
    /// It gets through.
    Yes,
    /// It does not, and why.
    No(String),
}

impl<'a> Network<'a> {
    /// Reads the policies of an inventory.
    pub fn of(inventory: &'a Inventory) -> Self {
        let objects = |group: &str, kind: &str| inventory.objects(&super::kind(group, kind));
        let mut keys = Keys::default();
        let mut here: HashMap<&'a str, Vec<Policy<'a>>> = HashMap::new();
        let mut clusterwide = Vec::new();
        let mut notes = Vec::new();
        let of_cilium = ["CiliumNetworkPolicy", "CiliumClusterwideNetworkPolicy"]
            .map(|kind| objects("cilium.io", kind));
        let config = Config::of(inventory, of_cilium.iter().any(|list| !list.is_empty()));
        if config.network_policies {
            for object in objects("networking.k8s.io", "NetworkPolicy") {
                let policy = kubernetes::policy(object, &mut keys);
                here.entry(policy.namespace.unwrap_or_default())
                    .or_default()
                    .push(policy);
            }
        }
        for object in of_cilium.into_iter().flatten() {
            for policy in cilium::policies(object, &mut keys) {
                match policy.namespace {
                    Some(namespace) => here.entry(namespace).or_default().push(policy),
                    None => clusterwide.push(policy),
                }
            }
        }
        let mut admin = Vec::new();
        for kind in [
            "AdminNetworkPolicy",
            "BaselineAdminNetworkPolicy",
            "ClusterNetworkPolicy",
        ] {
            for object in objects("policy.networking.k8s.io", kind) {
                match admin::policy(object, &mut keys) {
                    Ok(policy) => admin.push(policy),
                    Err(fault) => notes.push(format!("{kind} {}: {fault}", object.name())),
                }
            }
        }
        admin.sort_by_key(|policy| (policy.tier, policy.priority, policy.object.name()));
        for policy in here.values().flatten().chain(&clusterwide) {
            let faults = policy.faults.iter();
            notes.extend(faults.map(|fault| format!("{}: {fault}", policy.title())));
        }
        notes.sort();
        let nodes = inventory.objects(&super::core("Node"));
        Network {
            view: View {
                namespaces: Namespaces::of(inventory),
                cilium: config.installed,
                blocks_hold_nodes: config.blocks_hold_nodes,
                cluster: config.cluster,
            },
            config,
            keys,
            here,
            clusterwide,
            admin,
            nodes: nodes
                .iter()
                .flat_map(|node| {
                    node.root
                        .at(&["status", "addresses"])
                        .map_or(&[][..], Node::items)
                })
                .filter_map(|address| address.get("address")?.as_str()?.parse().ok())
                .collect(),
            node_count: nodes.len(),
            notes,
        }
    }

    /// The policies that stand in a namespace.
    pub fn of_namespace(&self, namespace: &str) -> &[Policy<'a>] {
        self.here.get(namespace).map_or(&[], |list| list)
    }

    /// Every policy but those of administrators.
    pub fn policies(&self) -> impl Iterator<Item = &Policy<'a>> {
        self.here.values().flatten().chain(&self.clusterwide)
    }

    /// The policies that may select pods of a namespace.
    pub fn around(&self, namespace: &str) -> impl Iterator<Item = &Policy<'a>> {
        self.of_namespace(namespace).iter().chain(&self.clusterwide)
    }

    /// The policies that select a pod.
    pub fn selecting(&self, pod: &Endpoint<'_>) -> Selecting<'_, 'a> {
        let policies = self.around(pod.namespace);
        let admin = self.admin.iter();
        Selecting {
            policies: policies
                .filter(|policy| policy.selects(pod, &self.view))
                .collect(),
            admin: admin
                .filter(|policy| policy.selects(pod, &self.view))
                .collect(),
        }
    }

    /// Where a node is, seen from some pod.
    pub fn some_node(&self) -> Location {
        match self.node_count {
            0 => Location::SomeNode,
            1 => Location::OwnNode,
            _ => Location::OtherNode,
        }
    }

    /// Whether anything restricts a pod in a direction.
    pub fn restricts(&self, selecting: &Selecting<'_, 'a>, direction: Direction) -> bool {
        if self.config.enforcement == Enforcement::Never {
            return false;
        }
        let section = |policy: &&&Policy<'a>| {
            let section = policy.section(direction);
            section.isolates || !section.deny.is_empty()
        };
        self.config.enforcement == Enforcement::Always
            || selecting.policies.iter().any(|policy| section(&policy))
            || selecting
                .admin
                .iter()
                .any(|policy| policy.speaks(direction))
    }

    /// Whether a connection between a pod, whose policies are given, and a peer gets through what
    /// is said of the pod. Of the peer's own policies nothing is asked.
    pub fn answer(
        &self,
        direction: Direction,
        pod: &Endpoint<'a>,
        selecting: &Selecting<'_, 'a>,
        peer: &Endpoint<'a>,
        knock: Knock,
    ) -> Answer {
        if pod.location != Location::Pod || self.config.enforcement == Enforcement::Never {
            return Answer::Yes;
        }
        // The kubelet must always get in, and with it all that runs on the pod's own node.
        if direction == Direction::Ingress && peer.location == Location::OwnNode {
            return Answer::Yes;
        }
        let listening = match direction {
            Direction::Ingress => pod,
            Direction::Egress => peer,
        };
        let decide = |tier: Tier| {
            selecting
                .admin
                .iter()
                .filter(|policy| policy.tier == tier)
                .find_map(|policy| {
                    let action = policy.action(&self.view, direction, peer, listening, knock)?;
                    Some((action, policy.title()))
                })
        };
        match decide(Tier::Admin) {
            Some((Action::Allow, _)) => return Answer::Yes,
            Some((Action::Deny, title)) => return Answer::No(format!("{title} denies {knock}")),
            Some((Action::Pass, _)) | None => {}
        }
        let sections = || {
            let policies = selecting.policies.iter();
            policies.map(|policy| (*policy, policy.section(direction)))
        };
        let matches = |rules: &[super::policy::Rule<'a>]| {
            let mut rules = rules.iter();
            rules.any(|rule| self.view.matches(rule, peer, listening, knock))
        };
        if let Some((policy, _)) = sections().find(|(_, section)| matches(&section.deny)) {
            return Answer::No(format!("{} denies {knock}", policy.title()));
        }
        let required = || {
            let mut required = sections().flat_map(|(_, section)| &section.requires);
            required.all(|required| self.view.is(required, peer))
        };
        if sections().any(|(_, section)| matches(&section.allow)) && required() {
            return Answer::Yes;
        }
        let isolating: Vec<String> = sections()
            .filter(|(_, section)| section.isolates)
            .map(|(policy, _)| policy.title())
            .collect();
        let direction = direction.name();
        if !isolating.is_empty() {
            return Answer::No(format!(
                "{} and no rule of {direction} admits {knock}",
                restricting(&isolating)
            ));
        }
        if self.config.enforcement == Enforcement::Always {
            return Answer::No(format!(
                "enable-policy in cilium-config is always and no rule of {direction} admits {knock}"
            ));
        }
        match decide(Tier::Baseline) {
            Some((Action::Deny, title)) => Answer::No(format!("{title} denies {knock}")),
            _ => Answer::Yes,
        }
    }
}

/// The first few policies that restrict a pod.
fn restricting(titles: &[String]) -> String {
    let more = titles.len().saturating_sub(2);
    let shown = titles[..titles.len() - more].join(" and ");
    match (titles.len(), more) {
        (1, _) => format!("{shown} selects it"),
        (_, 0) => format!("{shown} select it"),
        (_, more) => format!("{shown} and {more} more select it"),
    }
}
