//! `WebhookPath`: whether the API server gets through the policies to the pods of a webhook.

use std::{collections::BTreeSet, net::IpAddr};

use serde_json::json;

use super::{
    endpoint::{Addresses, Endpoint, Location},
    pods::Pods,
    policy::Direction,
    ports::{Knock, Protocol},
    reach::{Answer, Network},
    services::Services,
};
use crate::model::{Inventory, Node, Object};

/// One object for each webhook that is called through a Service.
pub(super) fn derive(inventory: &Inventory) -> Vec<Node> {
    let network = Network::of(inventory);
    let pods = Pods::of(inventory);
    let services = Services::of(inventory, &pods);
    let callers = api_servers(&network, &services);
    let mut names = BTreeSet::new();
    let mut paths = Vec::new();
    for kind in [
        "ValidatingWebhookConfiguration",
        "MutatingWebhookConfiguration",
    ] {
        for object in inventory.objects(&super::kind("admissionregistration.k8s.io", kind)) {
            for webhook in object.root.get("webhooks").map_or(&[][..], Node::items) {
                let path = Path {
                    network: &network,
                    services: &services,
                    callers: &callers,
                };
                paths.extend(path.describe(object, webhook, &mut names));
            }
        }
    }
    paths
}

/// The API servers, each on its own: they may be admitted by their addresses.
fn api_servers<'a>(network: &Network<'a>, services: &Services<'a>) -> Vec<Endpoint<'a>> {
    let addresses: Vec<IpAddr> = services
        .slices("default", "kubernetes")
        .flat_map(|slice| slice.root.get("endpoints").map_or(&[][..], Node::items))
        .flat_map(|endpoint| endpoint.get("addresses").map_or(&[][..], Node::items))
        .filter_map(|address| address.as_str()?.parse().ok())
        .collect();
    let at = |location: Location, addresses: Addresses| Endpoint {
        api_server: true,
        ..Endpoint::at(location, addresses)
    };
    if addresses.is_empty() {
        return vec![at(network.some_node(), Addresses::Assumed)];
    }
    let servers = addresses.into_iter().map(|address| {
        let on_node = network.nodes.is_empty() || network.nodes.contains(&address);
        let location = match on_node {
            true => network.some_node(),
            false => Location::Outside,
        };
        at(location, Addresses::Known(vec![address]))
    });
    servers.collect()
}

struct Path<'n, 'a> {
    network: &'n Network<'a>,
    services: &'n Services<'a>,
    callers: &'n [Endpoint<'a>],
}

impl<'a> Path<'_, 'a> {
    /// `None` for a webhook that is called by its URL.
    fn describe(
        &self,
        object: &'a Object,
        webhook: &'a Node,
        names: &mut BTreeSet<String>,
    ) -> Option<Node> {
        let reference = webhook.at(&["clientConfig", "service"])?;
        let text = |field: &str| reference.get(field).and_then(Node::as_str);
        let (namespace, name) = (text("namespace").unwrap_or("default"), text("name")?);
        let port = reference.get("port").and_then(Node::as_int).unwrap_or(443);
        let webhook = webhook
            .get("name")
            .and_then(Node::as_str)
            .unwrap_or_default();

        let service = self.services.named(namespace, name);
        let backends = service.and_then(|service| {
            self.services
                .backends(self.network, service, Protocol::Tcp, port)
        });
        let backends = backends.unwrap_or_default();
        let mut restricted = false;
        let mut why = None;
        for backend in &backends {
            let selecting = self.network.selecting(&backend.endpoint);
            if backend.endpoint.location != Location::Pod {
                continue;
            }
            restricted |= self.network.restricts(&selecting, Direction::Ingress);
            let knock = Knock {
                protocol: Protocol::Tcp,
                number: Some(backend.port),
            };
            for caller in self.callers {
                let answer = self.network.answer(
                    Direction::Ingress,
                    &backend.endpoint,
                    &selecting,
                    caller,
                    knock,
                );
                if let (Answer::No(reason), None) = (answer, &why) {
                    why = Some(format!("{reason} from {}", describe(caller)));
                }
            }
        }
        let mut ports: Vec<u16> = backends.iter().map(|backend| backend.port).collect();
        ports.sort_unstable();
        ports.dedup();
        let ports: Vec<String> = ports.iter().map(u16::to_string).collect();

        // A validating and a mutating configuration may be called alike, and their webhooks, too.
        let mut full = format!("{}/{webhook}", object.name());
        if !names.insert(full.clone()) {
            full = format!("{full} ({})", object.kind.kind);
            names.insert(full.clone());
        }
        Some(Node::from(json!({
            "metadata": {"name": full},
            "spec": {
                "configuration": object.name(),
                "kind": &*object.kind.kind,
                "webhook": webhook,
                "service": format!("{namespace}/{name}"),
                "port": port,
                "targetPort": ports.join(", "),
                "found": service.is_some(),
                "backends": backends.len(),
                "restricted": restricted,
                "open": why.is_none(),
                "why": why.unwrap_or_default(),
            },
        })))
    }
}

fn describe(caller: &Endpoint<'_>) -> String {
    match &caller.addresses {
        Addresses::Known(addresses) if !addresses.is_empty() => {
            format!("the API server at {}", addresses[0])
        }
        _ => "the API server".to_owned(),
    }
}
