//! What all kinds of policies have in common, and what they say of a connection.

use std::net::IpAddr;

use ipnet::IpNet;

use super::{
    endpoint::{self, Addresses, Endpoint, Location, Namespaces},
    ports::{Knock, Port},
    selector::Selector,
};
use crate::model::{Node, Object};

/// Which way a connection goes, seen from the pod that a policy selects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    Ingress,
    Egress,
}

impl Direction {
    /// Its name in policies.
    pub fn name(self) -> &'static str {
        match self {
            Direction::Ingress => "ingress",
            Direction::Egress => "egress",
        }
    }

    /// The field of a rule of Kubernetes' that holds its peers.
    pub fn peers(self) -> &'static str {
        match self {
            Direction::Ingress => "from",
            Direction::Egress => "to",
        }
    }
}

/// A block of addresses with holes.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Block {
    net: IpNet,
    except: Vec<IpNet>,
}

impl Block {
    /// A block in CIDR notation, or a lone address; `None` if it is neither.
    pub fn parse(cidr: &str, except: &[Node]) -> Option<Self> {
        let except = except.iter().filter_map(|net| parse_net(net.as_str()?));
        Some(Block {
            net: parse_net(cidr)?,
            except: except.collect(),
        })
    }

    fn holds(&self, address: &IpAddr) -> bool {
        self.net.contains(address) && !self.except.iter().any(|net| net.contains(address))
    }

    fn holds_endpoint(&self, endpoint: &Endpoint<'_>) -> bool {
        match &endpoint.addresses {
            Addresses::Known(addresses) => addresses.iter().any(|address| self.holds(address)),
            Addresses::Any => self.net.prefix_len() == 0,
            Addresses::Assumed => true,
        }
    }
}

fn parse_net(text: &str) -> Option<IpNet> {
    text.parse()
        .ok()
        .or_else(|| Some(IpNet::from(text.parse::<IpAddr>().ok()?)))
}

/// Whom a rule is about.
#[derive(Clone, Debug)]
pub(super) enum Peer<'a> {
    /// Pods by Kubernetes' selectors; in the policy's own namespace where none is selected.
    Pods {
        own: Option<&'a str>,
        namespaces: Selector<'a>,
        pods: Selector<'a>,
    },
    /// Addresses.
    Block(Block),
    /// Endpoints by Cilium's selectors; `scope` is the namespace that the selector does not name
    /// and is all the same confined to.
    Endpoints {
        selector: Selector<'a>,
        scope: Option<&'a str>,
    },
    /// One of Cilium's entities.
    Entity(&'a str),
    /// Nodes by their labels, which are taken to select the right ones.
    Nodes,
    /// A Service by its name.
    Service { namespace: &'a str, name: &'a str },
    /// Services by their labels.
    Services {
        namespace: Option<&'a str>,
        selector: Selector<'a>,
    },
    /// What no endpoint of a cluster can be: DNS names, groups of a cloud.
    Elsewhere,
}

impl<'a> Peer<'a> {
    /// The selector by which it names pods, and the namespace that it means without naming one.
    pub fn selector(&self) -> Option<(&Selector<'a>, Option<&'a str>)> {
        match self {
            Peer::Pods { own, pods, .. } => Some((pods, *own)),
            Peer::Endpoints { selector, scope } => Some((selector, *scope)),
            _ => None,
        }
    }
}

/// Peers on ports; both must match. `None` is everything.
#[derive(Clone, Debug, Default)]
pub(super) struct Rule<'a> {
    pub peers: Option<Vec<Peer<'a>>>,
    pub ports: Option<Vec<Port<'a>>>,
}

/// What a policy says of one direction.
#[derive(Clone, Debug, Default)]
pub(super) struct Section<'a> {
    /// Whether what no rule allows is denied.
    pub isolates: bool,
    pub allow: Vec<Rule<'a>>,
    pub deny: Vec<Rule<'a>>,
    /// What endpoints must be, too, to be let in by a selector (Cilium's `fromRequires`).
    pub requires: Vec<Peer<'a>>,
}

impl Section<'_> {
    /// Whether it denies all that no other policy allows, and allows nothing itself.
    pub fn denies_all(&self) -> bool {
        self.isolates && self.allow.is_empty()
    }

    /// Whether it is about this direction at all.
    pub fn speaks(&self) -> bool {
        self.isolates || !self.allow.is_empty() || !self.deny.is_empty()
    }
}

/// Whom a policy is for.
#[derive(Clone, Debug)]
pub(super) enum Subject<'a> {
    /// Pods of the policy's namespace.
    Pods(Selector<'a>),
    /// Pods by Cilium's selectors, of the policy's namespace if it has one.
    Endpoints(Selector<'a>),
    /// Nodes: no pod.
    Nodes,
    /// Nobody: its selector is broken.
    Nobody,
}

/// A NetworkPolicy, or one spec of a Cilium policy.
#[derive(Clone, Debug)]
pub(super) struct Policy<'a> {
    pub object: &'a Object,
    /// Namespace; `None` for clusterwide ones.
    pub namespace: Option<&'a str>,
    pub subject: Subject<'a>,
    pub ingress: Section<'a>,
    pub egress: Section<'a>,
    /// What could not be understood.
    pub faults: Vec<String>,
}

impl<'a> Policy<'a> {
    /// Its section of a direction.
    pub fn section(&self, direction: Direction) -> &Section<'a> {
        match direction {
            Direction::Ingress => &self.ingress,
            Direction::Egress => &self.egress,
        }
    }

    /// What people call it, such as `NetworkPolicy default-deny`.
    pub fn title(&self) -> String {
        format!("{} {}", self.object.kind.kind, self.object.name())
    }

    /// Whether it selects a pod.
    pub fn selects(&self, pod: &Endpoint<'_>, view: &View<'_>) -> bool {
        if pod.location != Location::Pod || self.namespace.is_some_and(|ns| ns != pod.namespace) {
            return false;
        }
        match &self.subject {
            Subject::Pods(selector) => selector.matches(|key| endpoint::label(pod, key.name)),
            Subject::Endpoints(selector) => view.cilium_selects(selector, pod),
            Subject::Nodes | Subject::Nobody => false,
        }
    }

    /// Whether it selects every pod of a namespace, those to come included.
    pub fn selects_all_of(&self, namespace: &'a str, view: &View<'_>) -> bool {
        if self.namespace.is_some_and(|own| own != namespace) {
            return false;
        }
        match &self.subject {
            Subject::Pods(selector) => selector.is_empty(),
            Subject::Endpoints(selector) => {
                let of_namespace = |name: &str| {
                    name == endpoint::NAMESPACE_LABEL
                        || name.starts_with(endpoint::NAMESPACE_LABELS)
                };
                let pod = Endpoint {
                    namespace,
                    ..Endpoint::stranger()
                };
                let mut requirements = selector.requirements.iter();
                requirements.all(|requirement| of_namespace(requirement.key.name))
                    && view.cilium_selects(selector, &pod)
            }
            Subject::Nodes | Subject::Nobody => false,
        }
    }
}

/// What it takes to match peers.
pub(super) struct View<'a> {
    pub namespaces: Namespaces<'a>,
    /// Whether Cilium enforces the policies.
    pub cilium: bool,
    /// Whether Cilium's CIDR peers hold nodes, too.
    pub blocks_hold_nodes: bool,
    /// Cilium's name of the cluster.
    pub cluster: &'a str,
}

impl View<'_> {
    /// Whether a selector of Cilium's matches an endpoint.
    pub fn cilium_selects(&self, selector: &Selector<'_>, endpoint: &Endpoint<'_>) -> bool {
        selector
            .matches(|key| endpoint::cilium_label(endpoint, &self.namespaces, self.cluster, key))
    }

    /// Whether a peer stands for an endpoint.
    pub fn is(&self, peer: &Peer<'_>, endpoint: &Endpoint<'_>) -> bool {
        match peer {
            Peer::Pods {
                own,
                namespaces,
                pods,
            } => {
                endpoint.location == Location::Pod
                    && match own {
                        Some(own) => *own == endpoint.namespace,
                        None => self.namespaces.selected(namespaces, endpoint.namespace),
                    }
                    && pods.matches(|key| endpoint::label(endpoint, key.name))
            }
            // Elsewhere blocks are about packets; for Cilium only about what it has no name for.
            Peer::Block(block) => {
                let applies = !self.cilium
                    || endpoint.location == Location::Outside
                    || (endpoint.is_node() && self.blocks_hold_nodes);
                applies && block.holds_endpoint(endpoint)
            }
            Peer::Endpoints { selector, scope } => {
                scope.is_none_or(|scope| {
                    endpoint.location == Location::Pod && endpoint.namespace == scope
                }) && self.cilium_selects(selector, endpoint)
            }
            Peer::Entity(entity) => endpoint::is_entity(endpoint, entity),
            Peer::Nodes => endpoint.is_node(),
            Peer::Service { namespace, name } => endpoint.service.is_some_and(|service| {
                service.name() == *name && service.namespace() == Some(namespace)
            }),
            Peer::Services {
                namespace,
                selector,
            } => endpoint.service.is_some_and(|service| {
                namespace.is_none_or(|namespace| service.namespace() == Some(namespace))
                    && selector.matches(|key| {
                        service
                            .root
                            .at(&["metadata", "labels"])?
                            .get(key.name)?
                            .as_str()
                    })
            }),
            Peer::Elsewhere => false,
        }
    }

    /// Whether a rule is about a peer and a port; `listening` is the side with the port.
    pub fn matches(
        &self,
        rule: &Rule<'_>,
        peer: &Endpoint<'_>,
        listening: &Endpoint<'_>,
        knock: Knock,
    ) -> bool {
        let ports = rule.ports.as_ref();
        let peers = rule.peers.as_ref();
        ports.is_none_or(|ports| {
            ports
                .iter()
                .any(|port| port.admits(knock, &listening.ports))
        }) && peers.is_none_or(|peers| peers.iter().any(|written| self.is(written, peer)))
    }
}
