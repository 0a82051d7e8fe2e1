//! Who talks to whom: pods, nodes and what lies outside, as policies see them.

use std::{collections::HashMap, net::IpAddr};

use super::{
    ports::{Named, Protocol},
    selector::{Key, Origin, Selector},
};
use crate::model::{Inventory, Map, Node, Object};

/// Where an endpoint is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Location {
    /// A pod with an address of its own. Those on the node's network are nodes to every policy.
    Pod,
    /// The node on which the other side runs.
    OwnNode,
    /// Another node.
    OtherNode,
    /// A node of which it is not known whether it is the other side's.
    SomeNode,
    /// Outside of the cluster.
    Outside,
}

/// What is known of an endpoint's addresses.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Addresses {
    /// These.
    Known(Vec<IpAddr>),
    /// Any: only a block of all addresses holds it for certain.
    Any,
    /// Not known, and a block that somebody wrote down is taken to be the right one.
    Assumed,
}

/// One side of a connection.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Endpoint<'a> {
    pub location: Location,
    /// Empty unless it is a pod.
    pub namespace: &'a str,
    pub labels: Option<&'a Map>,
    /// The service account of a pod.
    pub account: &'a str,
    pub addresses: Addresses,
    /// Names that the pod gives to its ports.
    pub ports: Vec<Named<'a>>,
    /// Whether it is an API server.
    pub api_server: bool,
    /// The Service through which it is reached.
    pub service: Option<&'a Object>,
}

impl<'a> Endpoint<'a> {
    /// A place without labels.
    pub fn at(location: Location, addresses: Addresses) -> Self {
        Endpoint {
            location,
            namespace: "",
            labels: None,
            account: "default",
            addresses,
            ports: Vec::new(),
            api_server: false,
            service: None,
        }
    }

    /// A pod that no policy knows, in a namespace that no policy knows.
    pub fn stranger() -> Self {
        Endpoint {
            // No namespace can be called so.
            namespace: "?",
            ..Endpoint::at(Location::Pod, Addresses::Any)
        }
    }

    /// Somewhere outside.
    pub fn outside() -> Self {
        Endpoint::at(Location::Outside, Addresses::Any)
    }

    /// A pod, or what a template will make, from its `metadata` and `spec`.
    pub fn pod(namespace: &'a str, template: &'a Node) -> Self {
        let spec = |field: &str| template.at(&["spec", field]);
        let location = match is_on_node(template) {
            true => Location::SomeNode,
            false => Location::Pod,
        };
        Endpoint {
            namespace,
            labels: template.at(&["metadata", "labels"]).and_then(Node::as_map),
            account: spec("serviceAccountName")
                .and_then(Node::as_str)
                .unwrap_or("default"),
            ports: named_ports(template),
            ..Endpoint::at(location, Addresses::Any)
        }
    }

    /// Whether it is on the network of a node.
    pub fn is_node(&self) -> bool {
        !matches!(self.location, Location::Pod | Location::Outside)
    }
}

/// Whether a pod is on the network of its node, where no policy for pods reaches it.
pub(super) fn is_on_node(template: &Node) -> bool {
    let host = template.at(&["spec", "hostNetwork"]);
    host.and_then(Node::as_bool) == Some(true)
}

fn named_ports(template: &Node) -> Vec<Named<'_>> {
    let mut named = Vec::new();
    for list in ["containers", "initContainers"] {
        for container in template.at(&["spec", list]).map_or(&[][..], Node::items) {
            for port in container.get("ports").map_or(&[][..], Node::items) {
                let word = |field: &str| port.get(field).and_then(Node::as_str);
                let number = port.get("containerPort").and_then(Node::as_int);
                let number = number.and_then(|number| u16::try_from(number).ok());
                let protocol = Protocol::named(word("protocol").unwrap_or("TCP"));
                if let (Some(name), Some(number), Some(protocol)) = (word("name"), number, protocol)
                {
                    named.push(Named {
                        name,
                        protocol,
                        number,
                    });
                }
            }
        }
    }
    named
}

/// Labels of the namespaces.
#[derive(Default)]
pub(super) struct Namespaces<'a> {
    labels: HashMap<&'a str, &'a Map>,
}

impl<'a> Namespaces<'a> {
    /// Those of an inventory.
    pub fn of(inventory: &'a Inventory) -> Self {
        let objects = inventory.objects(&super::core("Namespace")).iter();
        let labels = objects.filter_map(|object| {
            let labels = object.root.at(&["metadata", "labels"])?.as_map()?;
            Some((object.name(), labels))
        });
        Namespaces {
            labels: labels.collect(),
        }
    }

    /// A label of a namespace. Every namespace is labelled with its name.
    pub fn label<'v>(&self, namespace: &'v str, key: &str) -> Option<&'v str>
    where
        'a: 'v,
    {
        let written = self
            .labels
            .get(namespace)
            .and_then(|labels| labels.get(key));
        match written.and_then(Node::as_str) {
            None if key == "kubernetes.io/metadata.name" => Some(namespace),
            value => value,
        }
    }

    /// Whether a selector of Kubernetes' selects a namespace.
    pub fn selected(&self, selector: &Selector<'_>, namespace: &str) -> bool {
        selector.matches(|key| self.label(namespace, key.name))
    }
}

/// A label of a pod.
pub(super) fn label<'v>(endpoint: &Endpoint<'v>, key: &str) -> Option<&'v str> {
    endpoint.labels?.get(key)?.as_str()
}

/// The label of Cilium's that holds a pod's namespace.
pub(super) const NAMESPACE_LABEL: &str = "io.kubernetes.pod.namespace";
/// What Cilium puts before the labels of a pod's namespace.
pub(super) const NAMESPACE_LABELS: &str = "io.cilium.k8s.namespace.labels.";

/// A label as Cilium gives it to an endpoint.
pub(super) fn cilium_label<'v, 'a: 'v>(
    endpoint: &Endpoint<'v>,
    namespaces: &Namespaces<'a>,
    cluster: &'v str,
    key: Key<'_>,
) -> Option<&'v str> {
    match key.origin {
        Origin::Other => None,
        Origin::Reserved => is_entity(endpoint, key.name).then_some(""),
        Origin::Kubernetes | Origin::Any if endpoint.location != Location::Pod => None,
        Origin::Kubernetes | Origin::Any => match key.name {
            NAMESPACE_LABEL => Some(endpoint.namespace),
            "io.cilium.k8s.policy.serviceaccount" => Some(endpoint.account),
            "io.cilium.k8s.policy.cluster" => Some(cluster),
            name => match name.strip_prefix(NAMESPACE_LABELS) {
                Some(name) => namespaces.label(endpoint.namespace, name),
                None => label(endpoint, name),
            },
        },
    }
}

/// Whether Cilium counts an endpoint to one of its entities.
pub(super) fn is_entity(endpoint: &Endpoint<'_>, entity: &str) -> bool {
    let family = |is_of: fn(&IpAddr) -> bool| match &endpoint.addresses {
        Addresses::Known(addresses) => addresses.iter().any(is_of),
        Addresses::Any | Addresses::Assumed => true,
    };
    let outside = endpoint.location == Location::Outside;
    match entity {
        "all" => true,
        "world" => outside,
        "world-ipv4" => outside && family(IpAddr::is_ipv4),
        "world-ipv6" => outside && family(IpAddr::is_ipv6),
        "cluster" => !outside,
        "host" => matches!(endpoint.location, Location::OwnNode | Location::SomeNode),
        "remote-node" => matches!(endpoint.location, Location::OtherNode | Location::SomeNode),
        "kube-apiserver" => endpoint.api_server,
        _ => false,
    }
}
