//! Whether pods reach the cluster's DNS: its real endpoints, or the cache on their node.

use std::{
    collections::BTreeSet,
    net::{IpAddr, Ipv4Addr},
    sync::LazyLock,
};

use serde_json::{Value, json};

use super::{
    calico::Calico,
    endpoint::{self, Addresses, Endpoint, Location},
    pods::{Owner, PodSet},
    policy::{Direction, Peer, Rule},
    ports::{Knock, Protocol},
    reach::{Answer, Network, Selecting},
    services::{Backend, Services},
};
use crate::model::{Inventory, Map, Node, Object, SourceKind};

/// The namespace of the cluster's DNS.
const NAMESPACE: &str = "kube-system";
/// How many pods that cannot ask are told.
const SHOWN: usize = 3;
/// Where the cache on the nodes listens.
const CACHE: IpAddr = IpAddr::V4(Ipv4Addr::new(169, 254, 20, 10));

/// The labels of the DNS pods of kubeadm, k3s and the clouds, for folders of manifests, which
/// mostly do not hold what the cluster itself came with.
static USUAL: LazyLock<Node> = LazyLock::new(|| Node::from(json!({"k8s-app": "kube-dns"})));

/// The cluster's DNS.
pub(super) struct Dns<'a> {
    service: Option<&'a Object>,
    assumed: bool,
    /// Where UDP and TCP end. No backends: the protocol is not offered.
    udp: Vec<Backend<'a>>,
    tcp: Vec<Backend<'a>>,
    /// The cache on the pod's own node, if there is one.
    cache: Option<Endpoint<'a>>,
}

impl<'a> Dns<'a> {
    /// Finds it.
    pub fn of(inventory: &'a Inventory, network: &Network<'a>, services: &Services<'a>) -> Self {
        let service = services
            .named(NAMESPACE, "kube-dns")
            .or_else(|| services.labelled(NAMESPACE, "k8s-app", "kube-dns"));
        let assumed = service.is_none() && inventory.source == SourceKind::Manifests;
        let backends = |protocol: Protocol| match service {
            None if assumed => vec![labelled(USUAL.as_map(), 53)],
            None => Vec::new(),
            Some(service) => {
                let found = services.backends(network, service, protocol, 53);
                match found {
                    // Of a Service without pods the selector says how they will be labelled.
                    Some(found) if found.is_empty() => {
                        let selector = service.root.at(&["spec", "selector"]);
                        let selector = selector.and_then(Node::as_map);
                        let listening = target_port(service, protocol);
                        selector
                            .map(|labels| labelled(Some(labels), listening))
                            .into_iter()
                            .collect()
                    }
                    found => found.unwrap_or_default(),
                }
            }
        };
        Dns {
            service,
            assumed,
            udp: backends(Protocol::Udp),
            tcp: backends(Protocol::Tcp),
            cache: cache(inventory),
        }
    }

    fn is_known(&self) -> bool {
        !self.udp.is_empty() || !self.tcp.is_empty()
    }

    /// What can be said of the pods of a namespace.
    pub fn describe(
        &self,
        network: &Network<'a>,
        calico: &Calico<'a>,
        namespace: &str,
        sets: &[(PodSet<'a>, Selecting<'_, 'a>)],
    ) -> Value {
        let asking = || sets.iter().filter(|(set, _)| set.asks_dns);
        let servers: Vec<(Protocol, &Backend<'a>, Selecting<'_, 'a>)> =
            [(Protocol::Udp, &self.udp), (Protocol::Tcp, &self.tcp)]
                .into_iter()
                .flat_map(|(protocol, backends)| {
                    backends.iter().map(move |backend| (protocol, backend))
                })
                .map(|(protocol, backend)| {
                    (protocol, backend, network.selecting(&backend.endpoint))
                })
                .collect();
        let restricted = asking().any(|(_, own)| network.restricts(own, Direction::Egress))
            || servers.iter().any(|(_, server, theirs)| {
                server.endpoint.location == Location::Pod
                    && network.restricts(theirs, Direction::Ingress)
            });
        let mut blocked: Vec<Value> = Vec::new();
        let mut count: BTreeSet<&Owner<'a>> = BTreeSet::new();
        let mut works = [true, true];
        for (set, own) in asking() {
            let mut protocols = Vec::new();
            let mut reasons = Vec::new();
            for (at, protocol) in [Protocol::Udp, Protocol::Tcp].into_iter().enumerate() {
                let servers = servers.iter().filter(|(other, _, _)| *other == protocol);
                if let Some(why) = self.blocked(network, set, own, protocol, servers) {
                    works[at] = false;
                    protocols.push(protocol.name());
                    reasons.push(why);
                }
            }
            if let Some(why) = reasons.first() {
                count.extend(&set.owners);
                if blocked.len() < SHOWN {
                    let protocol = protocols.join(" and ");
                    blocked.push(json!({"workload": set.name(), "protocol": protocol, "why": why}));
                }
            }
        }
        let mut unread = calico.around(namespace, Direction::Egress);
        unread.extend(calico.around(NAMESPACE, Direction::Ingress));
        unread.sort();
        unread.dedup();
        json!({
            "known": self.is_known(),
            "assumed": self.assumed,
            "asked": asking().count() > 0,
            "restricted": restricted,
            "udp": works[0],
            "tcp": works[1],
            "blocked": blocked,
            "blockedCount": count.len(),
            "target": self.target(),
            "unread": unread,
        })
    }

    /// Why a pod cannot ask with a protocol, if it cannot.
    fn blocked<'s, 'n: 's>(
        &self,
        network: &Network<'a>,
        set: &PodSet<'a>,
        own: &Selecting<'_, 'a>,
        protocol: Protocol,
        servers: impl Iterator<Item = &'s (Protocol, &'s Backend<'a>, Selecting<'n, 'a>)>,
    ) -> Option<String>
    where
        'a: 'n,
    {
        let knock = |number: u16| Knock {
            protocol,
            number: Some(number),
        };
        let mut reason = None;
        for (_, server, theirs) in servers {
            let knock = knock(server.port);
            let out = network.answer(Direction::Egress, &set.pod, own, &server.endpoint, knock);
            let into = network.answer(
                Direction::Ingress,
                &server.endpoint,
                theirs,
                &set.pod,
                knock,
            );
            reason = match (out, into) {
                (Answer::No(why), _) => {
                    let missed = missed(network, own, &server.endpoint, knock);
                    Some(format!("{why} to {}{missed}", describe(&server.endpoint)))
                }
                (_, Answer::No(why)) => Some(format!(
                    "at {}: {why} from {}",
                    describe(&server.endpoint),
                    set.pod.namespace
                )),
                _ => reason,
            };
        }
        let reason = reason?;
        let cached = self.cache.as_ref().is_some_and(|cache| {
            let answer = network.answer(Direction::Egress, &set.pod, own, cache, knock(53));
            answer == Answer::Yes
        });
        (!cached).then_some(reason)
    }

    fn target(&self) -> String {
        let service = match self.service {
            Some(service) => format!("Service {NAMESPACE}/{}", service.name()),
            None if self.assumed => "the usual DNS pods, as no Service of it is known".to_owned(),
            None => return String::new(),
        };
        let mut places: Vec<String> = Vec::new();
        for backend in self.udp.iter().chain(&self.tcp) {
            let place = format!("{} port {}", describe(&backend.endpoint), backend.port);
            if !places.contains(&place) {
                places.push(place);
            }
        }
        places.truncate(3);
        format!("{service} ({})", places.join(", "))
    }
}

/// What a policy that was to admit a server got wrong, if that can be told.
fn missed(
    network: &Network<'_>,
    own: &Selecting<'_, '_>,
    server: &Endpoint<'_>,
    knock: Knock,
) -> String {
    let rules = || own.policies.iter().flat_map(|policy| &policy.egress.allow);
    let about = |rule: &&Rule<'_>| {
        let peers = rule.peers.as_ref();
        peers.is_none_or(|peers| peers.iter().any(|peer| network.view.is(peer, server)))
    };
    if rules().any(|rule| about(&rule)) {
        return "; there are rules for it, but for other ports".to_owned();
    }
    let on_port = rules().filter(|rule| {
        let mut ports = rule.ports.iter().flatten();
        ports.any(|port| port.admits(knock, &server.ports))
    });
    let selectors = || {
        let peers = on_port.clone().flat_map(|rule| rule.peers.iter().flatten());
        let selectors = peers.filter_map(Peer::selector);
        selectors.filter(|(selector, _)| !selector.is_empty())
    };
    let confined = selectors().find_map(|(selector, own)| Some((selector, own?)));
    match (confined, selectors().next()) {
        (Some((selector, own)), _) if own != server.namespace => format!(
            "; its peer {} names no namespace and means pods of {own}",
            selector.text()
        ),
        (None, Some((selector, _))) => format!("; its peer {} is another", selector.text()),
        _ => String::new(),
    }
}

/// A DNS pod of which just labels are known.
fn labelled<'a>(labels: Option<&'a Map>, port: u16) -> Backend<'a> {
    Backend {
        endpoint: Endpoint {
            namespace: NAMESPACE,
            labels,
            ..Endpoint::at(Location::Pod, Addresses::Any)
        },
        port,
    }
}

/// The number to which the Service's port 53 leads, where it is written.
fn target_port(service: &Object, protocol: Protocol) -> u16 {
    let ports = service
        .root
        .at(&["spec", "ports"])
        .map_or(&[][..], Node::items);
    let port = ports.iter().find(|port| {
        let name = port.get("protocol").and_then(Node::as_str);
        port.get("port").and_then(Node::as_int) == Some(53)
            && Protocol::named(name.unwrap_or("TCP")) == Some(protocol)
    });
    let target = port.and_then(|port| port.get("targetPort")?.as_int());
    target
        .and_then(|port| u16::try_from(port).ok())
        .unwrap_or(53)
}

/// The cache on the nodes, if a DaemonSet of that name runs one.
fn cache(inventory: &Inventory) -> Option<Endpoint<'_>> {
    let agents = inventory.objects(&super::kind("apps", "DaemonSet"));
    let agent = agents.iter().find(|agent| {
        ["node-local-dns", "nodelocaldns", "nodelocal-dns"]
            .iter()
            .any(|name| agent.name().contains(name))
    })?;
    let template = agent.root.at(&["spec", "template"])?;
    Some(match endpoint::is_on_node(template) {
        true => Endpoint::at(Location::OwnNode, Addresses::Known(vec![CACHE])),
        // Cilium can lead to a pod of the node instead.
        false => Endpoint {
            addresses: Addresses::Known(vec![CACHE]),
            ..Endpoint::pod(agent.namespace().unwrap_or(NAMESPACE), template)
        },
    })
}

/// What people call a DNS server, by the label that names it.
fn describe(server: &Endpoint<'_>) -> String {
    let label = ["k8s-app", "app.kubernetes.io/name", "app"]
        .into_iter()
        .find_map(|key| Some(format!("{key}={}", endpoint::label(server, key)?)));
    match (server.location, label, &server.addresses) {
        (Location::Pod, Some(label), _) => format!("{} {label}", server.namespace),
        (Location::Pod, None, _) => format!("pods of {}", server.namespace),
        (_, _, Addresses::Known(addresses)) if !addresses.is_empty() => {
            format!("{} on the network of a node", addresses[0])
        }
        _ => "the network of a node".to_owned(),
    }
}
