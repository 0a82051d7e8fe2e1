//! NetworkPolicy of networking.k8s.io/v1.

use super::{
    policy::{Block, Direction, Peer, Policy, Rule, Section, Subject},
    ports,
    selector::{Dialect, Keys},
};
use crate::model::{Node, Object};

/// Reads a NetworkPolicy.
pub(super) fn policy<'a>(object: &'a Object, keys: &mut Keys<'a>) -> Policy<'a> {
    let mut faults = Vec::new();
    let spec = |field: &str| object.root.at(&["spec", field]);
    let subject = match keys.selector(spec("podSelector"), Dialect::Kubernetes) {
        Ok(selector) => Subject::Pods(selector),
        Err(fault) => {
            faults.push(fault);
            Subject::Nobody
        }
    };
    let namespace = object.namespace().unwrap_or("default");
    let mut section = |direction: Direction| {
        let rules = spec(direction.name()).map_or(&[][..], Node::items);
        let types = spec("policyTypes").map_or(&[][..], Node::items);
        // Where no types are written, ingress always is one, and egress if there are rules.
        let isolates = match types.is_empty() {
            true => direction == Direction::Ingress || !rules.is_empty(),
            false => types.iter().any(|name| {
                name.as_str()
                    .is_some_and(|name| name.eq_ignore_ascii_case(direction.name()))
            }),
        };
        // Rules of a direction that the types leave out say nothing.
        let rules = if isolates { rules } else { &[] };
        let allow = rules.iter().map(|rule| Rule {
            peers: peers(rule.get(direction.peers()), namespace, keys, &mut faults),
            ports: ports::of_kubernetes(rule.get("ports")),
        });
        Section {
            isolates,
            allow: allow.collect(),
            ..Section::default()
        }
    };
    let (ingress, egress) = (section(Direction::Ingress), section(Direction::Egress));
    Policy {
        object,
        namespace: Some(namespace),
        subject,
        ingress,
        egress,
        faults,
    }
}

/// The peers of a rule. None written, or an empty list, are all.
fn peers<'a>(
    written: Option<&'a Node>,
    namespace: &'a str,
    keys: &mut Keys<'a>,
    faults: &mut Vec<String>,
) -> Option<Vec<Peer<'a>>> {
    let written = written.map_or(&[][..], Node::items);
    (!written.is_empty()).then(|| {
        let peers = written.iter().map(|peer| {
            peer_of(peer, namespace, keys).unwrap_or_else(|fault| {
                faults.push(fault);
                Peer::Elsewhere
            })
        });
        peers.collect()
    })
}

fn peer_of<'a>(
    peer: &'a Node,
    namespace: &'a str,
    keys: &mut Keys<'a>,
) -> Result<Peer<'a>, String> {
    if let Some(block) = peer.get("ipBlock") {
        let except = block.get("except").map_or(&[][..], Node::items);
        let cidr = block.get("cidr").and_then(Node::as_str).unwrap_or_default();
        let block = Block::parse(cidr, except);
        return block
            .map(Peer::Block)
            .ok_or_else(|| format!("{cidr:?} is no block of addresses"));
    }
    let (namespaces, pods) = (peer.get("namespaceSelector"), peer.get("podSelector"));
    if namespaces.is_none() && pods.is_none() {
        return Err("a peer that names nobody".to_owned());
    }
    Ok(Peer::Pods {
        own: namespaces.is_none().then_some(namespace),
        namespaces: keys.selector(namespaces, Dialect::Kubernetes)?,
        pods: keys.selector(pods, Dialect::Kubernetes)?,
    })
}
