//! What is behind a Service: pods, and the ports on which they listen.

use std::{collections::BTreeSet, net::IpAddr};

use super::{
    endpoint::{Addresses, Endpoint, Location},
    pods::{self, Pod, Pods, Telling},
    ports::Protocol,
    reach::Network,
};
use crate::model::{Inventory, Node, Object};

/// One of the places where connections to a port of a Service end.
pub(super) struct Backend<'a> {
    pub endpoint: Endpoint<'a>,
    pub port: u16,
}

/// What lies behind Services.
pub(super) struct Services<'a> {
    inventory: &'a Inventory,
    pods: &'a Pods<'a>,
}

impl<'a> Services<'a> {
    /// The Services of an inventory.
    pub fn of(inventory: &'a Inventory, pods: &'a Pods<'a>) -> Self {
        Services { inventory, pods }
    }

    /// A Service by its name.
    pub fn named(&self, namespace: &str, name: &str) -> Option<&'a Object> {
        let services = self.inventory.objects(&super::core("Service"));
        services
            .iter()
            .find(|service| service.namespace() == Some(namespace) && service.name() == name)
    }

    /// The first Service of a namespace with a label.
    pub fn labelled(&self, namespace: &str, label: &str, value: &str) -> Option<&'a Object> {
        let services = self.inventory.objects(&super::core("Service"));
        services.iter().find(|service| {
            let labels = service.root.at(&["metadata", "labels"]);
            let found = labels.and_then(|labels| labels.get(label)?.as_str());
            service.namespace() == Some(namespace) && found == Some(value)
        })
    }

    /// The EndpointSlices of a Service.
    pub fn slices(&self, namespace: &str, name: &str) -> impl Iterator<Item = &'a Object> {
        let slices = self
            .inventory
            .objects(&super::kind("discovery.k8s.io", "EndpointSlice"));
        slices.iter().filter(move |slice| {
            let labels = slice.root.at(&["metadata", "labels"]);
            let service = labels.and_then(|labels| labels.get("kubernetes.io/service-name"));
            slice.namespace() == Some(namespace) && service.and_then(Node::as_str) == Some(name)
        })
    }

    /// Where connections to a port of a Service end; `None` if it has no such port. Backends that
    /// no policy can tell apart are given once.
    pub fn backends(
        &self,
        network: &Network<'a>,
        service: &'a Object,
        protocol: Protocol,
        number: i64,
    ) -> Option<Vec<Backend<'a>>> {
        let ports = service
            .root
            .at(&["spec", "ports"])
            .map_or(&[][..], Node::items);
        let port = ports.iter().find(|port| {
            let written = port.get("protocol").and_then(Node::as_str);
            port.get("port").and_then(Node::as_int) == Some(number)
                && Protocol::named(written.unwrap_or("TCP")) == Some(protocol)
        })?;
        let mut found = Found {
            network,
            service,
            seen: BTreeSet::new(),
            backends: Vec::new(),
        };
        let namespace = service.namespace().unwrap_or("default");
        let mut sliced = false;
        for slice in self.slices(namespace, service.name()) {
            let endpoints = slice.root.get("endpoints").map_or(&[][..], Node::items);
            let Some(listening) = port_of_slice(slice, port, protocol) else {
                continue;
            };
            for endpoint in endpoints {
                sliced = true;
                self.add_endpoint(&mut found, namespace, endpoint, listening);
            }
        }
        let selector = service
            .root
            .at(&["spec", "selector"])
            .and_then(Node::as_map);
        if let (false, Some(selector)) = (sliced, selector) {
            for pod in self.pods.of_namespace(namespace) {
                let labels = pod.template.at(&["metadata", "labels"]);
                let mut wanted = selector.iter();
                let selected = !selector.is_empty()
                    && wanted.all(|(key, value)| {
                        labels.and_then(|labels| labels.get(key)) == Some(value)
                    });
                if selected {
                    found.add_pod(pod, Vec::new(), Listening::of(port, number));
                }
            }
        }
        Some(found.backends)
    }

    fn add_endpoint(
        &self,
        found: &mut Found<'_, 'a>,
        namespace: &str,
        endpoint: &'a Node,
        listening: u16,
    ) {
        let addresses = endpoint.get("addresses").map_or(&[][..], Node::items);
        let addresses: Vec<IpAddr> = addresses
            .iter()
            .filter_map(|address| address.as_str()?.parse().ok())
            .collect();
        let target = endpoint.get("targetRef").filter(|target| {
            let kind = target.get("kind").and_then(Node::as_str);
            kind == Some("Pod")
        });
        let Some(target) = target else {
            found.add_addresses(addresses, listening);
            return;
        };
        let name = target
            .get("name")
            .and_then(Node::as_str)
            .unwrap_or_default();
        let mut pods = self.pods.of_namespace(namespace).iter();
        // A pod that went away since has nothing to say.
        if let Some(pod) =
            pods.find(|pod| &*pod.object.kind.kind == "Pod" && pod.object.name() == name)
        {
            found.add_pod(pod, addresses, Listening::Number(listening));
        }
    }
}

/// The port of a slice that belongs to a port of its Service.
fn port_of_slice(slice: &Object, port: &Node, protocol: Protocol) -> Option<u16> {
    let name = |port: &Node| {
        port.get("name")
            .and_then(Node::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    let ports = slice.root.get("ports").map_or(&[][..], Node::items);
    let found = ports.iter().find(|candidate| {
        let written = candidate.get("protocol").and_then(Node::as_str);
        name(candidate) == name(port) && Protocol::named(written.unwrap_or("TCP")) == Some(protocol)
    })?;
    u16::try_from(found.get("port")?.as_int()?).ok()
}

/// The port of a pod to which a Service leads.
#[derive(Clone, Copy)]
enum Listening<'a> {
    Number(u16),
    Named(&'a str),
}

impl<'a> Listening<'a> {
    fn of(port: &'a Node, number: i64) -> Self {
        match port.get("targetPort") {
            Some(Node::String(name)) => match name.parse() {
                Ok(number) => Listening::Number(number),
                Err(_) => Listening::Named(name),
            },
            Some(Node::Int(target)) if *target > 0 => {
                Listening::Number(u16::try_from(*target).unwrap_or_default())
            }
            _ => Listening::Number(u16::try_from(number).unwrap_or_default()),
        }
    }
}

struct Found<'n, 'a> {
    network: &'n Network<'a>,
    service: &'a Object,
    /// What policies could tell the backends apart by.
    seen: BTreeSet<(Telling<'a>, String, u16)>,
    backends: Vec<Backend<'a>>,
}

impl<'a> Found<'_, 'a> {
    fn add_pod(&mut self, pod: &Pod<'a>, addresses: Vec<IpAddr>, listening: Listening<'a>) {
        let namespace = pod.object.namespace().unwrap_or("default");
        let mut endpoint = Endpoint::pod(namespace, pod.template);
        let port = match listening {
            Listening::Number(number) => Some(number),
            Listening::Named(name) => endpoint
                .ports
                .iter()
                .find(|port| port.name == name)
                .map(|port| port.number),
        };
        // A pod without a port of that name is no backend.
        let Some(port) = port else {
            return;
        };
        if endpoint.location == Location::SomeNode {
            endpoint.location = self.network.some_node();
        }
        if !addresses.is_empty() {
            endpoint.addresses = Addresses::Known(addresses);
        }
        let telling = pods::telling(pod.template, &self.network.keys);
        let rest = format!(
            "{:?} {:?} {}",
            endpoint.location, endpoint.ports, endpoint.account
        );
        if self.seen.insert((telling, rest, port)) {
            self.push(endpoint, port);
        }
    }

    fn add_addresses(&mut self, addresses: Vec<IpAddr>, port: u16) {
        let on_node = addresses.iter().any(|ip| self.network.nodes.contains(ip));
        let location = match on_node {
            true => self.network.some_node(),
            false => Location::Outside,
        };
        self.push(Endpoint::at(location, Addresses::Known(addresses)), port);
    }

    fn push(&mut self, endpoint: Endpoint<'a>, port: u16) {
        let endpoint = Endpoint {
            service: Some(self.service),
            ..endpoint
        };
        self.backends.push(Backend { endpoint, port });
    }
}
