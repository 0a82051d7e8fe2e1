//! Ports and protocols of rules. Policies see packets after their destination was translated, so
//! all ports here are those on which pods listen.

use crate::model::Node;

/// Protocols that have ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Protocol {
    Tcp,
    Udp,
    Sctp,
}

impl Protocol {
    /// The protocol of that name, in any case.
    pub fn named(name: &str) -> Option<Self> {
        [Protocol::Tcp, Protocol::Udp, Protocol::Sctp]
            .into_iter()
            .find(|protocol| protocol.name().eq_ignore_ascii_case(name))
    }

    /// Its name as Kubernetes writes it.
    pub fn name(self) -> &'static str {
        match self {
            Protocol::Tcp => "TCP",
            Protocol::Udp => "UDP",
            Protocol::Sctp => "SCTP",
        }
    }
}

/// Which ports a rule is about.
#[derive(Clone, Debug, PartialEq)]
enum Numbers<'a> {
    All,
    Range(i64, i64),
    /// A name that the pods which listen give to a port.
    Named(&'a str),
}

/// One entry of a rule's ports.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Port<'a> {
    /// `None` for every protocol.
    protocol: Option<Protocol>,
    numbers: Numbers<'a>,
}

/// A name that a pod gives to one of its ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Named<'a> {
    pub name: &'a str,
    pub protocol: Protocol,
    pub number: u16,
}

/// What a connection is made to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Knock {
    pub protocol: Protocol,
    /// `None` for any port that no rule is likely to name: the way in of a stranger.
    pub number: Option<u16>,
}

impl std::fmt::Display for Knock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.number {
            Some(number) => write!(f, "{}/{number}", self.protocol.name()),
            None => write!(f, "{}", self.protocol.name()),
        }
    }
}

impl<'a> Port<'a> {
    fn new(protocol: Option<Protocol>, numbers: Numbers<'a>) -> Self {
        Port { protocol, numbers }
    }

    /// Whether the rule's port is the one knocked at; `named` are the ports of the pod there.
    pub fn admits(&self, knock: Knock, named: &[Named<'_>]) -> bool {
        if self
            .protocol
            .is_some_and(|protocol| protocol != knock.protocol)
        {
            return false;
        }
        match (&self.numbers, knock.number) {
            (Numbers::All, _) => true,
            (Numbers::Range(from, to), Some(number)) => (*from..=*to).contains(&i64::from(number)),
            (Numbers::Range(from, to), None) => *from <= 1 && *to >= 65535,
            (Numbers::Named(name), Some(number)) => named.iter().any(|port| {
                port.name == *name && port.protocol == knock.protocol && port.number == number
            }),
            (Numbers::Named(_), None) => false,
        }
    }
}

/// A port as text or number; texts of digits are numbers.
fn numbers<'a>(port: Option<&'a Node>, end: Option<i64>) -> Numbers<'a> {
    let number = |number: i64| Numbers::Range(number, end.unwrap_or(number).max(number));
    match port {
        Some(Node::Int(port)) => number(*port),
        Some(Node::String(text)) => match text.parse() {
            Ok(port) => number(port),
            Err(_) => Numbers::Named(text),
        },
        _ => Numbers::All,
    }
}

/// The ports of a NetworkPolicy's rule; `None` for all. TCP where no protocol is written.
pub(super) fn of_kubernetes<'a>(ports: Option<&'a Node>) -> Option<Vec<Port<'a>>> {
    let ports = ports.map_or(&[][..], Node::items);
    (!ports.is_empty()).then(|| {
        let ports = ports.iter().filter_map(|port| {
            let protocol = port.get("protocol").and_then(Node::as_str).unwrap_or("TCP");
            let end = port.get("endPort").and_then(Node::as_int);
            Some(Port::new(
                Some(Protocol::named(protocol)?),
                numbers(port.get("port"), end),
            ))
        });
        ports.collect()
    })
}

/// The ports of a Cilium rule: `toPorts`, and `icmps`, which name no port at all; `None` for all.
/// Any protocol where none is written; port 0 is every port.
pub(super) fn of_cilium<'a>(rule: &'a Node) -> Option<Vec<Port<'a>>> {
    let entries = rule.get("toPorts").map_or(&[][..], Node::items);
    let icmp = !rule.get("icmps").map_or(&[][..], Node::items).is_empty();
    if entries.is_empty() && !icmp {
        return None;
    }
    let ports = entries
        .iter()
        .flat_map(|entry| entry.get("ports").map_or(&[][..], Node::items));
    let ports = ports.filter_map(|port| {
        let word = port.get("protocol").and_then(Node::as_str).unwrap_or("ANY");
        let protocol = match word.eq_ignore_ascii_case("ANY") {
            true => None,
            false => Some(Protocol::named(word)?),
        };
        let end = port.get("endPort").and_then(Node::as_int);
        let numbers = match numbers(port.get("port"), end.filter(|end| *end > 0)) {
            Numbers::Range(0, 0) => Numbers::All,
            numbers => numbers,
        };
        Some(Port::new(protocol, numbers))
    });
    Some(ports.collect())
}

/// The `ports` of a rule of policy.networking.k8s.io/v1alpha1 and the `protocols` of v1alpha2;
/// `None` for all.
pub(super) fn of_admin<'a>(rule: &'a Node) -> Option<Vec<Port<'a>>> {
    let list = |field: &str| rule.get(field).map_or(&[][..], Node::items);
    let (ports, protocols) = (list("ports"), list("protocols"));
    if ports.is_empty() && protocols.is_empty() {
        return None;
    }
    let mut all: Vec<Port<'a>> = Vec::new();
    for port in ports {
        let protocol = |of: &'a Node| {
            let name = of.get("protocol").and_then(Node::as_str);
            Protocol::named(name.unwrap_or("TCP"))
        };
        if let Some(number) = port.get("portNumber") {
            all.push(Port::new(
                protocol(number),
                numbers(number.get("port"), None),
            ));
        } else if let Some(range) = port.get("portRange") {
            let end = range.get("end").and_then(Node::as_int);
            all.push(Port::new(protocol(range), numbers(range.get("start"), end)));
        } else if let Some(name) = port.get("namedPort") {
            all.push(Port::new(None, numbers(Some(name), None)));
        }
    }
    for entry in protocols {
        if let Some(name) = entry.get("destinationNamedPort") {
            all.push(Port::new(None, numbers(Some(name), None)));
        }
        for (field, protocol) in [
            ("tcp", Protocol::Tcp),
            ("udp", Protocol::Udp),
            ("sctp", Protocol::Sctp),
        ] {
            if let Some(fields) = entry.get(field) {
                let port = |field: &str| fields.at(&["destinationPort", field]);
                let range = port("range");
                let end = range.and_then(|range| range.get("end")?.as_int());
                let from = port("number").or_else(|| range?.get("start"));
                all.push(Port::new(Some(protocol), numbers(from, end)));
            }
        }
    }
    Some(all)
}
