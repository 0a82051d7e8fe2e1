//! AdminNetworkPolicy and BaselineAdminNetworkPolicy of policy.networking.k8s.io/v1alpha1, and
//! their successor, ClusterNetworkPolicy of v1alpha2. Their rules are ordered, and the first that
//! matches decides.

use super::{
    endpoint::{self, Endpoint, Location},
    policy::{Block, Direction, Peer, Rule, View},
    ports::{self, Knock},
    selector::{Dialect, Keys, Selector},
};
use crate::model::{Node, Object};

/// What a rule does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    Allow,
    Deny,
    /// Leaves it to the policies of namespaces.
    Pass,
}

/// Whether it stands before or behind the policies of namespaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Tier {
    Admin,
    Baseline,
}

/// One of these policies.
#[derive(Clone, Debug)]
pub(super) struct AdminPolicy<'a> {
    pub object: &'a Object,
    pub tier: Tier,
    /// Lower ones come first.
    pub priority: i64,
    namespaces: Selector<'a>,
    pods: Selector<'a>,
    ingress: Vec<(Action, Rule<'a>)>,
    egress: Vec<(Action, Rule<'a>)>,
}

/// Reads a policy.
///
/// # Errors
/// What could not be understood of it.
pub(super) fn policy<'a>(
    object: &'a Object,
    keys: &mut Keys<'a>,
) -> Result<AdminPolicy<'a>, String> {
    let spec = |field: &str| object.root.at(&["spec", field]);
    let subject = |path: &[&str]| spec("subject").and_then(|subject| subject.at(path));
    let is_baseline = &*object.kind.kind == "BaselineAdminNetworkPolicy"
        || spec("tier").and_then(Node::as_str) == Some("Baseline");
    let mut select = |node: Option<&'a Node>| keys.selector(node, Dialect::Kubernetes);
    let namespaces = subject(&["namespaces"]).or_else(|| subject(&["pods", "namespaceSelector"]));
    if namespaces.is_none() {
        return Err("it has no subject".to_owned());
    }
    let namespaces = select(namespaces)?;
    let pods = select(subject(&["pods", "podSelector"]))?;
    let mut rules = |direction: Direction| -> Result<Vec<(Action, Rule<'a>)>, String> {
        let rules = spec(direction.name()).map_or(&[][..], Node::items);
        rules
            .iter()
            .map(|rule| {
                let action = match rule.get("action").and_then(Node::as_str) {
                    Some("Allow" | "Accept") => Action::Allow,
                    Some("Deny") => Action::Deny,
                    Some("Pass") => Action::Pass,
                    other => return Err(format!("the action {other:?} of a rule")),
                };
                let written = rule.get(direction.peers()).map_or(&[][..], Node::items);
                let mut peers = Vec::new();
                for peer in written {
                    add_peers(peer, keys, &mut peers)?;
                }
                let rule = Rule {
                    peers: Some(peers),
                    ports: ports::of_admin(rule),
                };
                Ok((action, rule))
            })
            .collect()
    };
    let (ingress, egress) = (rules(Direction::Ingress)?, rules(Direction::Egress)?);
    Ok(AdminPolicy {
        object,
        tier: match is_baseline {
            true => Tier::Baseline,
            false => Tier::Admin,
        },
        priority: spec("priority").and_then(Node::as_int).unwrap_or(0),
        namespaces,
        pods,
        ingress,
        egress,
    })
}

fn add_peers<'a>(
    peer: &'a Node,
    keys: &mut Keys<'a>,
    peers: &mut Vec<Peer<'a>>,
) -> Result<(), String> {
    let pods = peer.get("pods");
    let within = |field: &str| pods.and_then(|pods| pods.get(field));
    if let Some(namespaces) = peer
        .get("namespaces")
        .or_else(|| within("namespaceSelector"))
    {
        peers.push(Peer::Pods {
            own: None,
            namespaces: keys.selector(Some(namespaces), Dialect::Kubernetes)?,
            pods: keys.selector(within("podSelector"), Dialect::Kubernetes)?,
        });
    }
    if peer.get("nodes").is_some() {
        peers.push(Peer::Nodes);
    }
    for network in peer.get("networks").map_or(&[][..], Node::items) {
        let cidr = network.as_str().unwrap_or_default();
        let block = Block::parse(cidr, &[]);
        peers.push(Peer::Block(
            block.ok_or_else(|| format!("{cidr:?} is no block of addresses"))?,
        ));
    }
    Ok(())
}

impl AdminPolicy<'_> {
    /// What people call it.
    pub fn title(&self) -> String {
        format!("{} {}", self.object.kind.kind, self.object.name())
    }

    /// Whether it is for a pod.
    pub fn selects(&self, pod: &Endpoint<'_>, view: &View<'_>) -> bool {
        pod.location == Location::Pod
            && view.namespaces.selected(&self.namespaces, pod.namespace)
            && self.pods.matches(|key| endpoint::label(pod, key.name))
    }

    /// Whether it is for every pod of a namespace, those to come included.
    pub fn selects_all_of(&self, namespace: &str, view: &View<'_>) -> bool {
        self.pods.is_empty() && view.namespaces.selected(&self.namespaces, namespace)
    }

    /// Whether it has rules for a direction.
    pub fn speaks(&self, direction: Direction) -> bool {
        !self.rules(direction).is_empty()
    }

    fn rules(&self, direction: Direction) -> &[(Action, Rule<'_>)] {
        match direction {
            Direction::Ingress => &self.ingress,
            Direction::Egress => &self.egress,
        }
    }

    /// What the first matching rule does; `None` if there is none.
    pub fn action(
        &self,
        view: &View<'_>,
        direction: Direction,
        peer: &Endpoint<'_>,
        listening: &Endpoint<'_>,
        knock: Knock,
    ) -> Option<Action> {
        let mut rules = self.rules(direction).iter();
        let found = rules.find(|(_, rule)| view.matches(rule, peer, listening, knock));
        found.map(|(action, _)| *action)
    }
}
