//! Connections worked out by hand, construct by construct.

use super::{
    endpoint::{Addresses, Endpoint, Location},
    policy::Direction,
    ports::{Knock, Protocol},
    reach::{Answer, Network},
};
use crate::{
    derive::testing,
    model::{Inventory, Node},
};

/// Two namespaces, with a pod that other pods want to reach and one on the network of its node.
const PODS: &str = r#"
{apiVersion: v1, kind: Namespace, metadata: {name: shop, labels: {team: a}}}
---
{apiVersion: v1, kind: Namespace, metadata: {name: bank, labels: {team: b}}}
---
{apiVersion: v1, kind: Pod, metadata: {name: web, namespace: shop, labels: {app: web, tier: front}}, spec: {serviceAccountName: web, containers: [{name: a}]}}
---
{apiVersion: v1, kind: Pod, metadata: {name: db, namespace: shop, labels: {app: db}}, spec: {containers: [{name: a, ports: [{name: pg, containerPort: 5432}]}]}}
---
{apiVersion: v1, kind: Pod, metadata: {name: db, namespace: bank, labels: {app: db}}, spec: {containers: [{name: a, ports: [{name: pg, containerPort: 6432}]}]}}
---
{apiVersion: v1, kind: Pod, metadata: {name: agent, namespace: shop, labels: {app: agent}}, spec: {hostNetwork: true, containers: [{name: a}]}}
"#;

/// A side of a connection: `namespace/pod`, an address outside, or a word.
fn endpoint<'a>(inventory: &'a Inventory, name: &str) -> Endpoint<'a> {
    let api_server = |location: Location| Endpoint {
        api_server: true,
        ..Endpoint::at(location, Addresses::Assumed)
    };
    match name {
        "stranger" => Endpoint::stranger(),
        "outside" => Endpoint::outside(),
        "node" => Endpoint::at(Location::OtherNode, Addresses::Any),
        "own-node" => Endpoint::at(Location::OwnNode, Addresses::Any),
        "api-server" => api_server(Location::OtherNode),
        "managed-api-server" => api_server(Location::Outside),
        _ => match name.split_once('/') {
            Some((namespace, name)) => {
                let pods = inventory.objects(&super::core("Pod"));
                let found = |pod: &&crate::model::Object| {
                    pod.namespace() == Some(namespace) && pod.name() == name
                };
                let pod = pods.iter().find(found).unwrap();
                Endpoint::pod(pod.namespace().unwrap(), &pod.root)
            }
            None => {
                let address = name.parse().unwrap();
                Endpoint::at(Location::Outside, Addresses::Known(vec![address]))
            }
        },
    }
}

/// `5432`, `UDP/53` or `*` for a port that no rule names.
fn knock(text: &str) -> Knock {
    let (protocol, number) = text.split_once('/').unwrap_or(("TCP", text));
    Knock {
        protocol: Protocol::named(protocol).unwrap(),
        number: number.parse().ok(),
    }
}

/// Asks what the policies say of `pod -> peer` (egress) or `pod <- peer` (ingress).
#[track_caller]
fn check(policies: &str, cases: &[(&str, &str, bool)]) {
    let inventory = testing::inventory(&format!("{PODS}---\n{policies}"));
    let network = Network::of(&inventory);
    for (connection, port, expected) in cases {
        let (direction, sides) = match connection.split_once(" -> ") {
            Some(sides) => (Direction::Egress, sides),
            None => (Direction::Ingress, connection.split_once(" <- ").unwrap()),
        };
        let (pod, peer) = (endpoint(&inventory, sides.0), endpoint(&inventory, sides.1));
        let selecting = network.selecting(&pod);
        let answer = network.answer(direction, &pod, &selecting, &peer, knock(port));
        assert_eq!(
            answer == Answer::Yes,
            *expected,
            "{connection} {port}: {answer:?} under {policies}"
        );
    }
}

/// A NetworkPolicy of the namespace `shop`.
fn kubernetes(spec: &str) -> String {
    format!(
        "{{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {{name: p, namespace: shop}}, spec: {spec}}}"
    )
}

/// A CiliumNetworkPolicy of the namespace `shop`.
fn cilium(spec: &str) -> String {
    format!(
        "{{apiVersion: cilium.io/v2, kind: CiliumNetworkPolicy, metadata: {{name: c, namespace: shop}}, spec: {spec}}}"
    )
}

/// A CiliumClusterwideNetworkPolicy.
fn clusterwide(spec: &str) -> String {
    format!(
        "{{apiVersion: cilium.io/v2, kind: CiliumClusterwideNetworkPolicy, metadata: {{name: w}}, spec: {spec}}}"
    )
}

#[test]
fn pods_are_isolated_by_selection_and_direction() {
    for (spec, ingress, egress) in [
        // Ingress always is a type where none is written; egress if there are rules.
        ("{podSelector: {}}", false, true),
        ("{}", false, true),
        ("{podSelector: {}, egress: []}", false, true),
        (
            "{podSelector: {}, egress: [{to: [{podSelector: {}}]}]}",
            false,
            false,
        ),
        ("{podSelector: {}, policyTypes: [Egress]}", true, false),
        (
            "{podSelector: {}, policyTypes: [Ingress, Egress]}",
            false,
            false,
        ),
        (
            "{podSelector: {}, policyTypes: [Ingress], ingress: [{}]}",
            true,
            true,
        ),
        // Rules of a direction that the types leave out say nothing.
        (
            "{podSelector: {}, policyTypes: [Ingress], egress: [{to: []}]}",
            false,
            true,
        ),
        (
            "{podSelector: {matchLabels: {app: web}}, policyTypes: [Ingress, Egress]}",
            false,
            false,
        ),
        (
            "{podSelector: {matchLabels: {app: db}}, policyTypes: [Ingress, Egress]}",
            true,
            true,
        ),
        (
            "{podSelector: {matchExpressions: [{key: tier, operator: Exists}]}}",
            false,
            true,
        ),
        (
            "{podSelector: {matchExpressions: [{key: app, operator: NotIn, values: [web]}]}}",
            true,
            true,
        ),
        // A selector that no server would take selects nobody.
        (
            "{podSelector: {matchExpressions: [{key: app, operator: Is, values: [web]}]}}",
            true,
            true,
        ),
        ("{podSelector: {matchLabels: {app: 1}}}", true, true),
    ] {
        check(
            &kubernetes(spec),
            &[
                ("shop/web <- stranger", "*", ingress),
                ("shop/web -> outside", "*", egress),
                // Policies of shop are nothing to bank, nor to pods on the network of a node.
                ("bank/db <- stranger", "*", true),
                ("shop/agent <- stranger", "*", true),
                ("shop/agent -> outside", "*", true),
                // The node of a pod always gets in.
                ("shop/web <- own-node", "*", true),
            ],
        );
    }
}

#[test]
fn peers_of_network_policies() {
    let from = |peers: &str| {
        kubernetes(&format!(
            "{{podSelector: {{}}, ingress: [{{from: {peers}}}]}}"
        ))
    };
    for (peers, web, bank, node, address) in [
        ("[]", true, true, true, true),
        ("[{podSelector: {}}]", true, false, false, false),
        (
            "[{podSelector: {matchLabels: {app: web}}}]",
            true,
            false,
            false,
            false,
        ),
        (
            "[{podSelector: {matchLabels: {app: db}}}]",
            false,
            false,
            false,
            false,
        ),
        ("[{namespaceSelector: {}}]", true, true, false, false),
        (
            "[{namespaceSelector: {matchLabels: {team: b}}}]",
            false,
            true,
            false,
            false,
        ),
        (
            "[{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: bank}}}]",
            false,
            true,
            false,
            false,
        ),
        (
            "[{namespaceSelector: {}, podSelector: {matchLabels: {app: db}}}]",
            false,
            true,
            false,
            false,
        ),
        (
            "[{namespaceSelector: {matchLabels: {team: a}}, podSelector: {matchLabels: {app: db}}}]",
            false,
            false,
            false,
            false,
        ),
        // Two entries: one of them is enough.
        (
            "[{namespaceSelector: {matchLabels: {team: b}}}, {podSelector: {}}]",
            true,
            true,
            false,
            false,
        ),
        (
            "[{ipBlock: {cidr: 192.0.2.0/24}}]",
            false,
            false,
            false,
            true,
        ),
        (
            "[{ipBlock: {cidr: 192.0.2.0/24, except: [192.0.2.7/32]}}]",
            false,
            false,
            false,
            false,
        ),
        // All addresses are those of pods and nodes, too.
        ("[{ipBlock: {cidr: 0.0.0.0/0}}]", true, true, true, true),
        ("[{}]", false, false, false, false),
        ("[{ipBlock: {cidr: nonsense}}]", false, false, false, false),
    ] {
        check(
            &from(peers),
            &[
                ("shop/db <- shop/web", "80", web),
                ("shop/db <- bank/db", "80", bank),
                ("shop/db <- node", "80", node),
                // A pod on the network of its node is that node, whatever its labels.
                ("shop/db <- shop/agent", "80", node),
                ("shop/db <- 192.0.2.7", "80", address),
            ],
        );
    }
}

#[test]
fn ports_of_network_policies() {
    let to = |ports: &str| {
        kubernetes(&format!(
            "{{podSelector: {{}}, policyTypes: [Egress], egress: [{{to: [{{namespaceSelector: {{}}}}], ports: {ports}}}]}}"
        ))
    };
    for (ports, at, open) in [
        ("[]", "*", true),
        ("[{port: 5432}]", "5432", true),
        ("[{port: 5432}]", "UDP/5432", false),
        ("[{port: 5432}]", "*", false),
        ("[{port: \"5432\"}]", "5432", true),
        ("[{protocol: UDP, port: 53}]", "UDP/53", true),
        ("[{protocol: UDP, port: 53}]", "53", false),
        ("[{protocol: UDP}]", "UDP/4711", true),
        ("[{protocol: UDP}]", "4711", false),
        ("[{port: 8000, endPort: 9000}]", "8500", true),
        ("[{port: 8000, endPort: 9000}]", "9001", false),
        ("[{port: 1, endPort: 65535}]", "*", true),
        // The name is the one that the listening pod gives to a port.
        ("[{port: pg}]", "5432", true),
        ("[{port: pg}]", "6432", false),
        ("[{port: http}]", "5432", false),
        ("[{port: 80}, {port: 5432}]", "5432", true),
    ] {
        check(&to(ports), &[("shop/web -> shop/db", at, open)]);
    }
    check(
        &to("[{port: pg}]"),
        &[
            ("shop/web -> bank/db", "6432", true),
            ("shop/web -> bank/db", "5432", false),
        ],
    );
    let named = "{podSelector: {}, ingress: [{ports: [{port: pg}]}]}";
    check(
        &kubernetes(named),
        &[
            ("shop/db <- stranger", "5432", true),
            ("shop/db <- stranger", "6432", false),
        ],
    );
}

#[test]
fn cilium_ignores_empty_sections_and_denies_by_empty_rules() {
    for (spec, ingress, egress) in [
        ("{endpointSelector: {}}", true, true),
        ("{endpointSelector: {}, ingress: []}", true, true),
        (
            "{endpointSelector: {}, ingress: null, egress: []}",
            true,
            true,
        ),
        ("{endpointSelector: {}, ingress: [{}]}", false, true),
        (
            "{endpointSelector: {}, ingress: [{}], egress: [{}]}",
            false,
            false,
        ),
        (
            "{endpointSelector: {}, enableDefaultDeny: {ingress: false}, ingress: [{}]}",
            true,
            true,
        ),
        (
            "{endpointSelector: {}, enableDefaultDeny: {egress: true}}",
            true,
            false,
        ),
        (
            "{endpointSelector: {}, enableDefaultDeny: {ingress: false}, ingress: [{}], egress: [{}]}",
            true,
            false,
        ),
        // To deny somebody is to deny everybody, unless it is said not to.
        (
            "{endpointSelector: {}, ingressDeny: [{fromEntities: [host]}]}",
            false,
            true,
        ),
        (
            "{endpointSelector: {}, enableDefaultDeny: {ingress: false}, ingressDeny: [{fromEntities: [host]}]}",
            true,
            true,
        ),
        (
            "{endpointSelector: {matchLabels: {app: db}}, ingress: [{}]}",
            true,
            true,
        ),
        (
            "{endpointSelector: {matchLabels: {k8s:app: web}}, ingress: [{}]}",
            false,
            true,
        ),
        (
            "{endpointSelector: {matchLabels: {any:app: web}}, ingress: [{}]}",
            false,
            true,
        ),
        (
            "{endpointSelector: {matchLabels: {container:app: web}}, ingress: [{}]}",
            true,
            true,
        ),
        (
            "{endpointSelector: {matchLabels: {reserved:init: \"\"}}, ingress: [{}]}",
            true,
            true,
        ),
        (
            "{endpointSelector: {matchLabels: {io.cilium.k8s.policy.serviceaccount: web}}, ingress: [{}]}",
            false,
            true,
        ),
        // A namespaced policy is for its own namespace, whatever it says with `k8s:`.
        (
            "{endpointSelector: {matchLabels: {k8s:io.kubernetes.pod.namespace: bank}}, ingress: [{}]}",
            false,
            true,
        ),
        (
            "{endpointSelector: {matchLabels: {io.kubernetes.pod.namespace: bank}}, ingress: [{}]}",
            true,
            true,
        ),
        // Nodes are no pods, and who selects neither is for nobody.
        ("{nodeSelector: {}, ingress: [{}]}", true, true),
        ("{ingress: [{}]}", true, true),
    ] {
        check(
            &cilium(spec),
            &[
                ("shop/web <- stranger", "*", ingress),
                ("shop/web -> outside", "*", egress),
                ("bank/db <- stranger", "*", true),
                ("shop/agent <- stranger", "*", true),
            ],
        );
    }
}

#[test]
fn a_list_of_specs_is_several_policies() {
    let policy = "{apiVersion: cilium.io/v2, kind: CiliumNetworkPolicy, metadata: {name: c, namespace: shop}, specs: [
        {endpointSelector: {matchLabels: {app: web}}, ingress: [{}]},
        {endpointSelector: {matchLabels: {app: db}}, ingress: [{fromEndpoints: [{matchLabels: {app: web}}]}]}]}";
    check(
        policy,
        &[
            ("shop/web <- shop/db", "80", false),
            ("shop/db <- shop/web", "80", true),
            ("shop/db <- bank/db", "80", false),
        ],
    );
}

#[test]
fn peers_of_cilium_mean_their_own_namespace() {
    for (peers, web, bank) in [
        ("[{}]", true, false),
        ("[{matchLabels: {}}]", true, false),
        ("[{matchLabels: {app: web}}]", true, false),
        ("[{matchLabels: {app: db}}]", false, false),
        (
            "[{matchLabels: {app: db, io.kubernetes.pod.namespace: bank}}]",
            false,
            true,
        ),
        (
            "[{matchLabels: {k8s:app: db, k8s:io.kubernetes.pod.namespace: bank}}]",
            false,
            true,
        ),
        (
            "[{matchExpressions: [{key: io.kubernetes.pod.namespace, operator: Exists}]}]",
            true,
            true,
        ),
        (
            "[{matchLabels: {io.cilium.k8s.namespace.labels.team: b}}]",
            false,
            true,
        ),
        (
            "[{matchLabels: {k8s:io.cilium.k8s.namespace.labels.kubernetes.io/metadata.name: bank}}]",
            false,
            true,
        ),
        // A list that is there and empty is nobody.
        ("[]", false, false),
    ] {
        check(
            &cilium(&format!(
                "{{endpointSelector: {{}}, ingress: [{{fromEndpoints: {peers}}}]}}"
            )),
            &[
                ("shop/db <- shop/web", "80", web),
                ("shop/db <- bank/db", "80", bank),
                ("shop/db <- outside", "80", false),
                ("shop/db <- node", "80", false),
            ],
        );
    }
    // What has no namespace at all is in none of those.
    check(
        &cilium(
            "{endpointSelector: {}, ingress: [{fromEndpoints: [{matchExpressions: [{key: k8s:io.kubernetes.pod.namespace, operator: NotIn, values: [shop]}]}]}]}",
        ),
        &[
            ("shop/db <- shop/web", "80", false),
            ("shop/db <- bank/db", "80", true),
            ("shop/db <- outside", "80", true),
        ],
    );
    // Clusterwide, a selector without a namespace is for pods of all.
    check(
        &clusterwide("{endpointSelector: {}, ingress: [{fromEndpoints: [{}]}]}"),
        &[
            ("shop/db <- bank/db", "80", true),
            ("bank/db <- shop/web", "80", true),
            ("bank/db <- outside", "80", false),
            ("bank/db <- node", "80", false),
        ],
    );
    check(
        &clusterwide(
            "{endpointSelector: {matchLabels: {io.kubernetes.pod.namespace: bank}}, ingress: [{}]}",
        ),
        &[
            ("bank/db <- shop/web", "80", false),
            ("shop/db <- bank/db", "80", true),
        ],
    );
    check(
        &cilium(
            "{endpointSelector: {}, ingress: [{fromEndpoints: [{matchLabels: {reserved:kube-apiserver: \"\"}}]}]}",
        ),
        &[
            ("shop/db <- api-server", "80", true),
            ("shop/db <- node", "80", false),
        ],
    );
    // What is required of peers is required of those of all rules.
    check(
        &cilium(
            "{endpointSelector: {}, ingress: [{fromEndpoints: [{}]}, {fromRequires: [{matchLabels: {tier: front}}]}]}",
        ),
        &[
            ("shop/db <- shop/web", "80", true),
            ("shop/web <- shop/db", "80", false),
        ],
    );
}

#[test]
fn entities_of_cilium() {
    //                       pod    node   own    outside  API server: in the cluster, and managed
    for (entity, expected) in [
        ("all", [true, true, true, true, true, true]),
        ("cluster", [true, true, true, false, true, false]),
        ("world", [false, false, true, true, false, true]),
        ("world-ipv4", [false, false, true, true, false, true]),
        ("host", [false, false, true, false, false, false]),
        ("remote-node", [false, true, true, false, true, false]),
        ("kube-apiserver", [false, false, true, false, true, true]),
        ("init", [false, false, true, false, false, false]),
        ("none", [false, false, true, false, false, false]),
    ] {
        let policy = cilium(&format!(
            "{{endpointSelector: {{}}, ingress: [{{fromEntities: [{entity}]}}]}}"
        ));
        let peers = [
            "bank/db",
            "node",
            "own-node",
            "192.0.2.7",
            "api-server",
            "managed-api-server",
        ];
        for (peer, expected) in peers.iter().zip(expected) {
            check(&policy, &[(&format!("shop/db <- {peer}"), "80", expected)]);
        }
    }
    check(
        &cilium("{endpointSelector: {}, egress: [{toEntities: [host]}]}"),
        &[
            ("shop/db -> own-node", "80", true),
            ("shop/db -> node", "80", false),
        ],
    );
    check(
        &cilium("{endpointSelector: {}, egress: [{toEntities: [world-ipv6]}]}"),
        &[
            ("shop/db -> 192.0.2.7", "80", false),
            ("shop/db -> 2001:db8::1", "80", true),
        ],
    );
    check(
        &cilium("{endpointSelector: {}, egress: [{toEntities: []}]}"),
        &[("shop/db -> shop/web", "80", false)],
    );
}

#[test]
fn blocks_names_services_and_nodes_of_cilium() {
    for (rule, pod, node, address) in [
        // Cilium has a name for what is in the cluster, and blocks do not hold it.
        ("toCIDR: [0.0.0.0/0]", false, false, true),
        ("toCIDR: [192.0.2.7]", false, false, true),
        ("toCIDR: [192.0.2.0/24, 10.0.0.0/8]", false, false, true),
        ("toCIDR: [10.0.0.0/8]", false, false, false),
        ("toCIDR: [nonsense]", false, false, false),
        ("toCIDRSet: [{cidr: 192.0.2.0/24}]", false, false, true),
        (
            "toCIDRSet: [{cidr: 192.0.2.0/24, except: [192.0.2.0/28]}]",
            false,
            false,
            false,
        ),
        ("toCIDRSet: [{cidrGroupRef: lab}]", false, false, false),
        ("toFQDNs: [{matchPattern: \"*\"}]", false, false, false),
        ("toGroups: [{aws: {region: x}}]", false, false, false),
        ("toNodes: [{matchLabels: {pool: a}}]", false, true, false),
    ] {
        check(
            &cilium(&format!("{{endpointSelector: {{}}, egress: [{{{rule}}}]}}")),
            &[
                ("shop/web -> shop/db", "80", pod),
                ("shop/web -> node", "80", node),
                ("shop/web -> 192.0.2.7", "80", address),
            ],
        );
    }
    // A NetworkPolicy is Cilium's where Cilium is; it may be told that blocks hold nodes.
    let node = "\n---\n{apiVersion: cilium.io/v2, kind: CiliumNode, metadata: {name: n}}";
    let all = kubernetes("{podSelector: {}, ingress: [{from: [{ipBlock: {cidr: 0.0.0.0/0}}]}]}");
    check(
        &format!("{all}{node}"),
        &[
            ("shop/db <- shop/web", "80", false),
            ("shop/db <- node", "80", false),
            ("shop/db <- outside", "80", true),
        ],
    );
    check(
        &format!(
            "{all}{node}\n---\n{{apiVersion: v1, kind: ConfigMap, metadata: {{name: cilium-config, namespace: kube-system}}, data: {{policy-cidr-match-mode: nodes}}}}"
        ),
        &[
            ("shop/db <- shop/web", "80", false),
            ("shop/db <- node", "80", true),
        ],
    );
}

#[test]
fn ports_of_cilium() {
    for (ports, at, open) in [
        ("[]", "*", true),
        ("[{ports: [{port: \"5432\"}]}]", "5432", true),
        // Any protocol where none is written.
        ("[{ports: [{port: \"5432\"}]}]", "UDP/5432", true),
        (
            "[{ports: [{port: \"5432\", protocol: ANY}]}]",
            "SCTP/5432",
            true,
        ),
        (
            "[{ports: [{port: \"5432\", protocol: TCP}]}]",
            "UDP/5432",
            false,
        ),
        ("[{ports: [{port: \"5432\", protocol: TCP}]}]", "*", false),
        (
            "[{ports: [{port: \"5000\", endPort: 6000, protocol: TCP}]}]",
            "5432",
            true,
        ),
        (
            "[{ports: [{port: \"5000\", endPort: 5400, protocol: TCP}]}]",
            "5432",
            false,
        ),
        ("[{ports: [{port: \"0\", protocol: UDP}]}]", "UDP/9", true),
        ("[{ports: [{port: \"0\", protocol: UDP}]}]", "9", false),
        ("[{ports: [{port: pg}]}]", "5432", true),
        ("[{ports: [{port: pg}]}]", "6432", false),
        (
            "[{ports: [{port: \"53\", protocol: UDP}], rules: {dns: [{matchPattern: \"*\"}]}}]",
            "UDP/53",
            true,
        ),
        (
            "[{ports: [{port: \"1\"}]}, {ports: [{port: \"2\"}]}]",
            "2",
            true,
        ),
    ] {
        check(
            &cilium(&format!(
                "{{endpointSelector: {{}}, egress: [{{toEndpoints: [{{}}], toPorts: {ports}}}]}}"
            )),
            &[
                ("shop/web -> shop/db", at, open),
                ("shop/web -> bank/db", at, false),
            ],
        );
    }
    // Ports without peers are those of everybody; echo requests have none.
    check(
        &cilium(
            "{endpointSelector: {}, egress: [{toPorts: [{ports: [{port: \"443\"}]}]}, {icmps: [{fields: [{type: 8}]}]}]}",
        ),
        &[
            ("shop/web -> outside", "443", true),
            ("shop/web -> bank/db", "443", true),
            ("shop/web -> bank/db", "80", false),
        ],
    );
}

#[test]
fn denials_of_cilium_come_first() {
    let allow = "{endpointSelector: {}, ingress: [{fromEntities: [all]}], ingressDeny: [{fromEndpoints: [{matchLabels: {app: db}}], toPorts: [{ports: [{port: \"80\"}]}]}, {}]}";
    check(
        &cilium(allow),
        &[
            ("shop/web <- shop/db", "80", false),
            ("shop/web <- shop/db", "443", true),
            ("shop/web <- bank/db", "80", true),
        ],
    );
    check(
        &cilium(
            "{endpointSelector: {}, egress: [{toEntities: [all]}], egressDeny: [{toCIDR: [192.0.2.0/24]}]}",
        ),
        &[
            ("shop/web -> 192.0.2.7", "80", false),
            ("shop/web -> 198.51.100.7", "80", true),
        ],
    );
}

#[test]
fn policies_of_all_kinds_add_up() {
    let policies = [
        kubernetes("{podSelector: {}, policyTypes: [Ingress]}"),
        cilium("{endpointSelector: {matchLabels: {app: db}}, ingress: [{fromEndpoints: [{}]}]}"),
        clusterwide(
            "{endpointSelector: {}, ingressDeny: [{fromEntities: [world]}], enableDefaultDeny: {ingress: false}}",
        ),
    ];
    check(
        &policies.join("\n---\n"),
        &[
            ("shop/db <- shop/web", "80", true),
            ("shop/web <- shop/db", "80", false),
            ("bank/db <- shop/web", "80", true),
            ("bank/db <- outside", "80", false),
        ],
    );
}

#[test]
fn what_cilium_is_told_to_enforce() {
    let config = |data: &str| {
        format!(
            "{}\n---\n{{apiVersion: v1, kind: ConfigMap, metadata: {{name: cilium-config, namespace: kube-system}}, data: {data}}}",
            kubernetes("{podSelector: {matchLabels: {app: web}}}")
        )
    };
    let installed = "\n---\n{apiVersion: apps/v1, kind: DaemonSet, metadata: {name: cilium, namespace: kube-system}, spec: {template: {spec: {hostNetwork: true}}}}";
    for (data, web, bank) in [
        ("{}", false, true),
        ("{enable-policy: default}", false, true),
        ("{enable-policy: always}", false, false),
        ("{enable-policy: never}", true, true),
        (
            "{enable-policy: default, policy-audit-mode: \"true\"}",
            true,
            true,
        ),
        ("{enable-k8s-networkpolicy: \"false\"}", true, true),
    ] {
        check(
            &format!("{}{installed}", config(data)),
            &[
                ("shop/web <- stranger", "*", web),
                ("bank/db <- stranger", "*", bank),
                ("bank/db <- own-node", "*", true),
            ],
        );
        // What is left behind of a network that went away configures nothing.
        check(
            &config(data),
            &[
                ("shop/web <- stranger", "*", false),
                ("bank/db <- stranger", "*", true),
            ],
        );
    }
}

/// A policy of an administrator: its kind, and what follows `spec: {`.
fn admin(kind: &str, version: &str, name: &str, spec: &str) -> String {
    format!(
        "{{apiVersion: policy.networking.k8s.io/{version}, kind: {kind}, metadata: {{name: {name}}}, spec: {{{spec}}}}}"
    )
}

#[test]
fn policies_of_administrators_frame_those_of_namespaces() {
    let first = |spec: &str| admin("AdminNetworkPolicy", "v1alpha1", "a", spec);
    let base = |spec: &str| admin("BaselineAdminNetworkPolicy", "v1alpha1", "default", spec);
    let deny = kubernetes("{podSelector: {}, policyTypes: [Ingress, Egress]}");
    let anywhere = "subject: {namespaces: {}}";
    for (policies, connection, port, open) in [
        // The baseline holds where no policy of the namespace selects the pod.
        (
            base(&format!(
                "{anywhere}, ingress: [{{action: Deny, from: [{{namespaces: {{}}}}]}}]"
            )),
            "bank/db <- shop/web",
            "80",
            false,
        ),
        (
            base(&format!(
                "{anywhere}, ingress: [{{action: Deny, from: [{{namespaces: {{}}}}]}}]"
            )),
            "bank/db <- outside",
            "80",
            true,
        ),
        (
            format!(
                "{}\n---\n{}",
                kubernetes("{podSelector: {}, ingress: [{}]}"),
                base(&format!(
                    "{anywhere}, ingress: [{{action: Deny, from: [{{namespaces: {{}}}}]}}]"
                ))
            ),
            "shop/db <- bank/db",
            "80",
            true,
        ),
        (
            base(&format!(
                "{anywhere}, egress: [{{action: Allow, to: [{{networks: [192.0.2.0/24]}}]}}, {{action: Deny, to: [{{networks: [0.0.0.0/0]}}]}}]"
            )),
            "shop/web -> 192.0.2.7",
            "80",
            true,
        ),
        (
            base(&format!(
                "{anywhere}, egress: [{{action: Allow, to: [{{networks: [192.0.2.0/24]}}]}}, {{action: Deny, to: [{{networks: [0.0.0.0/0]}}]}}]"
            )),
            "shop/web -> shop/db",
            "80",
            false,
        ),
        // What an administrator allows or denies is settled; what is passed on is not.
        (
            format!(
                "{deny}\n---\n{}",
                first(&format!(
                    "priority: 1, {anywhere}, ingress: [{{action: Allow, from: [{{namespaces: {{matchLabels: {{team: b}}}}}}]}}]"
                ))
            ),
            "shop/web <- bank/db",
            "80",
            true,
        ),
        (
            format!(
                "{deny}\n---\n{}",
                first(&format!(
                    "priority: 1, {anywhere}, ingress: [{{action: Pass, from: [{{namespaces: {{}}}}]}}, {{action: Allow, from: [{{namespaces: {{}}}}]}}]"
                ))
            ),
            "shop/web <- bank/db",
            "80",
            false,
        ),
        (
            first(&format!(
                "priority: 1, {anywhere}, ingress: [{{action: Deny, from: [{{pods: {{namespaceSelector: {{}}, podSelector: {{matchLabels: {{app: db}}}}}}}}]}}]"
            )),
            "shop/web <- bank/db",
            "80",
            false,
        ),
        (
            first(&format!(
                "priority: 1, {anywhere}, ingress: [{{action: Deny, from: [{{pods: {{namespaceSelector: {{}}, podSelector: {{matchLabels: {{app: web}}}}}}}}]}}]"
            )),
            "shop/web <- bank/db",
            "80",
            true,
        ),
        (
            first(
                "priority: 1, subject: {pods: {namespaceSelector: {matchLabels: {team: a}}, podSelector: {matchLabels: {app: web}}}}, egress: [{action: Deny, to: [{nodes: {}}]}]",
            ),
            "shop/web -> node",
            "80",
            false,
        ),
        (
            first(
                "priority: 1, subject: {pods: {namespaceSelector: {matchLabels: {team: a}}, podSelector: {matchLabels: {app: web}}}}, egress: [{action: Deny, to: [{nodes: {}}]}]",
            ),
            "shop/db -> node",
            "80",
            true,
        ),
        (
            first(&format!(
                "priority: 1, {anywhere}, egress: [{{action: Deny, to: [{{namespaces: {{}}}}], ports: [{{portNumber: {{protocol: UDP, port: 53}}}}]}}]"
            )),
            "shop/web -> bank/db",
            "UDP/53",
            false,
        ),
        (
            first(&format!(
                "priority: 1, {anywhere}, egress: [{{action: Deny, to: [{{namespaces: {{}}}}], ports: [{{portNumber: {{protocol: UDP, port: 53}}}}]}}]"
            )),
            "shop/web -> bank/db",
            "53",
            true,
        ),
        (
            first(&format!(
                "priority: 1, {anywhere}, egress: [{{action: Deny, to: [{{namespaces: {{}}}}], ports: [{{portRange: {{protocol: TCP, start: 50, end: 60}}}}]}}]"
            )),
            "shop/web -> bank/db",
            "53",
            false,
        ),
        (
            first(&format!(
                "priority: 1, {anywhere}, egress: [{{action: Deny, to: [{{namespaces: {{}}}}], ports: [{{namedPort: pg}}]}}]"
            )),
            "shop/web -> bank/db",
            "6432",
            false,
        ),
        // The lower number comes first.
        (
            format!(
                "{}\n---\n{}",
                first(&format!(
                    "priority: 9, {anywhere}, ingress: [{{action: Deny, from: [{{namespaces: {{}}}}]}}]"
                )),
                admin(
                    "AdminNetworkPolicy",
                    "v1alpha1",
                    "z",
                    &format!(
                        "priority: 5, {anywhere}, ingress: [{{action: Allow, from: [{{namespaces: {{}}}}]}}]"
                    )
                )
            ),
            "shop/web <- bank/db",
            "80",
            true,
        ),
        // Their successor has tiers.
        (
            admin(
                "ClusterNetworkPolicy",
                "v1alpha2",
                "c",
                &format!(
                    "tier: Admin, priority: 1, {anywhere}, ingress: [{{action: Deny, from: [{{namespaces: {{}}}}], protocols: [{{tcp: {{destinationPort: {{number: 80}}}}}}]}}]"
                ),
            ),
            "shop/web <- bank/db",
            "80",
            false,
        ),
        (
            admin(
                "ClusterNetworkPolicy",
                "v1alpha2",
                "c",
                &format!(
                    "tier: Admin, priority: 1, {anywhere}, ingress: [{{action: Deny, from: [{{namespaces: {{}}}}], protocols: [{{tcp: {{destinationPort: {{range: {{start: 80, end: 90}}}}}}}}]}}]"
                ),
            ),
            "shop/web <- bank/db",
            "91",
            true,
        ),
        (
            format!(
                "{}\n---\n{}",
                kubernetes("{podSelector: {}, ingress: [{}]}"),
                admin(
                    "ClusterNetworkPolicy",
                    "v1alpha2",
                    "c",
                    &format!(
                        "tier: Baseline, priority: 1, {anywhere}, ingress: [{{action: Deny, from: [{{namespaces: {{}}}}]}}]"
                    )
                )
            ),
            "shop/web <- bank/db",
            "80",
            true,
        ),
        // What cannot be read does nothing.
        (
            first(&format!(
                "priority: 1, {anywhere}, ingress: [{{action: Refuse, from: [{{namespaces: {{}}}}]}}]"
            )),
            "shop/web <- bank/db",
            "80",
            true,
        ),
    ] {
        check(&policies, &[(connection, port, open)]);
    }
}

/// What is derived of the pods above and some more objects: one value per object's name.
fn derived(text: &str, kind: &str, path: &[&str]) -> Vec<(String, serde_json::Value)> {
    testing::derived(text, kind)
        .iter()
        .map(|object| {
            let name = match object.namespace() {
                Some(namespace) => format!("{namespace}/{}", object.name()),
                None => object.name().to_owned(),
            };
            let value = object.root.at(path).map(serde_json::Value::from);
            (name, value.unwrap_or_default())
        })
        .collect()
}

/// A field of `NamespaceNetwork` in the namespace `shop`.
fn of_shop(policies: &str, path: &[&str]) -> serde_json::Value {
    let path = [&["spec"], path].concat();
    let all = derived(&format!("{PODS}---\n{policies}"), "NamespaceNetwork", &path);
    let shop = all.into_iter().find(|(name, _)| name == "shop/network");
    shop.unwrap().1
}

#[test]
fn the_default_of_a_namespace() {
    let deny = kubernetes("{podSelector: {}, policyTypes: [Ingress]}");
    let and = |policy: String| format!("{deny}\n---\n{}", policy.replace("name: p,", "name: q,"));
    for (policies, expected) in [
        (
            kubernetes("{podSelector: {}, policyTypes: [Egress]}"),
            "open",
        ),
        (deny.clone(), "deny"),
        (
            kubernetes("{podSelector: {}, ingress: [{from: [{podSelector: {}}]}]}"),
            "effective",
        ),
        (
            kubernetes("{podSelector: {matchLabels: {app: web}}}"),
            "open",
        ),
        (
            kubernetes("{podSelector: {matchExpressions: [{key: app, operator: Exists}]}}"),
            "effective",
        ),
        (and(kubernetes("{podSelector: {}, ingress: [{}]}")), "open"),
        (
            and(kubernetes(
                "{podSelector: {}, ingress: [{from: [{namespaceSelector: {}}]}]}",
            )),
            "open",
        ),
        (
            and(kubernetes(
                "{podSelector: {}, ingress: [{from: [{namespaceSelector: {}}], ports: [{port: 80}]}]}",
            )),
            "deny",
        ),
        (
            and(kubernetes(
                "{podSelector: {matchLabels: {app: web}}, ingress: [{}]}",
            )),
            "deny",
        ),
        (cilium("{endpointSelector: {}, ingress: []}"), "open"),
        (cilium("{endpointSelector: {}, ingress: [{}]}"), "deny"),
        (
            and(cilium(
                "{endpointSelector: {}, ingress: [{fromEntities: [all]}]}",
            )),
            "open",
        ),
        (clusterwide("{endpointSelector: {}, ingress: [{}]}"), "deny"),
        (
            clusterwide(
                "{endpointSelector: {matchLabels: {io.cilium.k8s.namespace.labels.team: a}}, ingress: [{}]}",
            ),
            "deny",
        ),
        (
            clusterwide(
                "{endpointSelector: {matchLabels: {io.cilium.k8s.namespace.labels.team: b}}, ingress: [{}]}",
            ),
            "open",
        ),
        (
            admin(
                "AdminNetworkPolicy",
                "v1alpha1",
                "a",
                "priority: 1, subject: {namespaces: {matchLabels: {team: a}}}, ingress: [{action: Deny, from: [{namespaces: {}}]}]",
            ),
            "deny",
        ),
        (
            admin(
                "AdminNetworkPolicy",
                "v1alpha1",
                "a",
                "priority: 1, subject: {namespaces: {matchLabels: {team: b}}}, ingress: [{action: Deny, from: [{namespaces: {}}]}]",
            ),
            "open",
        ),
    ] {
        assert_eq!(
            of_shop(&policies, &["ingress", "default"]),
            expected,
            "{policies}"
        );
    }
    let half = kubernetes("{podSelector: {matchLabels: {app: web}}}");
    assert_eq!(
        of_shop(&half, &["ingress", "uncovered"]),
        serde_json::json!(["Pod db"])
    );
    assert_eq!(of_shop(&half, &["ingress", "uncoveredCount"]), 1);
    assert_eq!(of_shop(&half, &["workloads"]), 2);
    assert_eq!(of_shop(&half, &["covered"]), true);
}

/// The cluster's DNS as it really is: its pods listen on another port than its Service.
const DNS: &str = r#"
{apiVersion: v1, kind: Service, metadata: {name: kube-dns, namespace: kube-system}, spec: {selector: {k8s-app: kube-dns}, ports: [{name: dns, port: 53, targetPort: 5353, protocol: UDP}, {name: dns-tcp, port: 53, targetPort: dns-tcp, protocol: TCP}]}}
---
{apiVersion: v1, kind: Pod, metadata: {name: coredns-1, namespace: kube-system, labels: {k8s-app: kube-dns}}, spec: {dnsPolicy: Default, containers: [{name: a, ports: [{name: dns-tcp, containerPort: 5353}]}]}}
"#;

#[test]
fn names_are_asked_of_real_endpoints() {
    let peer = "{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: kube-system}}, podSelector: {matchLabels: {k8s-app: kube-dns}}}";
    let egress = |rules: &str| {
        kubernetes(&format!(
            "{{podSelector: {{}}, policyTypes: [Egress], egress: [{rules}]}}"
        ))
    };
    let of_cilium = |rules: &str| cilium(&format!("{{endpointSelector: {{}}, egress: [{rules}]}}"));
    let both = "toPorts: [{ports: [{port: \"5353\", protocol: ANY}]}]";
    let cache = "\n---\n{apiVersion: apps/v1, kind: DaemonSet, metadata: {name: node-local-dns, namespace: kube-system}, spec: {template: {metadata: {labels: {k8s-app: node-local-dns}}, spec: {hostNetwork: true}}}}";
    for (policies, udp, tcp) in [
        (egress(""), false, false),
        (egress(&format!("{{to: [{peer}]}}")), true, true),
        (
            egress(&format!(
                "{{to: [{peer}], ports: [{{port: 5353, protocol: UDP}}]}}"
            )),
            true,
            false,
        ),
        // Port 53 is the Service's: no packet has it when policies see it.
        (
            egress(&format!(
                "{{to: [{peer}], ports: [{{port: 53, protocol: UDP}}, {{port: 53}}]}}"
            )),
            false,
            false,
        ),
        (
            egress(&format!(
                "{{to: [{peer}], ports: [{{port: 5353, protocol: UDP}}, {{port: dns-tcp}}]}}"
            )),
            true,
            true,
        ),
        (
            egress("{to: [{podSelector: {matchLabels: {k8s-app: kube-dns}}}]}"),
            false,
            false,
        ),
        (
            egress(
                "{to: [{namespaceSelector: {}, podSelector: {matchLabels: {k8s-app: coredns}}}]}",
            ),
            false,
            false,
        ),
        (
            egress("{ports: [{port: 5353, protocol: UDP}, {port: 5353}]}"),
            true,
            true,
        ),
        (
            of_cilium(&format!(
                "{{toEndpoints: [{{matchLabels: {{k8s-app: kube-dns}}}}], {both}}}"
            )),
            false,
            false,
        ),
        (
            of_cilium(&format!(
                "{{toEndpoints: [{{matchLabels: {{k8s:io.kubernetes.pod.namespace: kube-system, k8s:k8s-app: kube-dns}}}}], {both}}}"
            )),
            true,
            true,
        ),
        (
            of_cilium(&format!("{{toEntities: [cluster], {both}}}")),
            true,
            true,
        ),
        (of_cilium("{toEntities: [world]}"), false, false),
        (
            of_cilium(
                "{toServices: [{k8sService: {serviceName: kube-dns, namespace: kube-system}}]}",
            ),
            true,
            true,
        ),
        (
            of_cilium("{toServices: [{k8sService: {serviceName: kube-dns}}]}"),
            false,
            false,
        ),
        (
            clusterwide(&format!(
                "{{endpointSelector: {{}}, egress: [{{toEndpoints: [{{matchLabels: {{k8s-app: kube-dns}}}}], {both}}}]}}"
            )),
            true,
            true,
        ),
        // The cache is another way.
        (
            format!(
                "{}{cache}",
                egress(
                    "{to: [{ipBlock: {cidr: 169.254.20.10/32}}], ports: [{port: 53, protocol: UDP}, {port: 53}]}"
                )
            ),
            true,
            true,
        ),
        (
            egress(
                "{to: [{ipBlock: {cidr: 169.254.20.10/32}}], ports: [{port: 53, protocol: UDP}, {port: 53}]}",
            ),
            false,
            false,
        ),
    ] {
        let policies = format!("{DNS}---\n{policies}");
        assert_eq!(
            of_shop(&policies, &["dns", "restricted"]),
            true,
            "{policies}"
        );
        assert_eq!(
            of_shop(&policies, &["dns", "udp"]),
            udp,
            "UDP under {policies}"
        );
        assert_eq!(
            of_shop(&policies, &["dns", "tcp"]),
            tcp,
            "TCP under {policies}"
        );
    }
    let open = of_shop(DNS, &["dns"]);
    assert_eq!(
        (&open["restricted"], &open["udp"], &open["known"]),
        (&false.into(), &true.into(), &true.into())
    );
}

#[test]
fn the_dns_pods_have_policies_too() {
    let theirs = |rule: &str| {
        format!(
            "{DNS}---\n{{apiVersion: cilium.io/v2, kind: CiliumNetworkPolicy, metadata: {{name: dns, namespace: kube-system}}, spec: {{endpointSelector: {{matchLabels: {{k8s-app: kube-dns}}}}, ingress: [{rule}]}}}}"
        )
    };
    for (rule, works) in [
        ("{fromEndpoints: [{}]}", false),
        (
            "{fromEndpoints: [{matchExpressions: [{key: io.kubernetes.pod.namespace, operator: Exists}]}]}",
            true,
        ),
        ("{fromEntities: [cluster]}", true),
        ("{toPorts: [{ports: [{port: \"5353\"}]}]}", true),
        (
            "{fromEntities: [cluster], toPorts: [{ports: [{port: \"53\"}]}]}",
            false,
        ),
    ] {
        let dns = of_shop(&theirs(rule), &["dns"]);
        assert_eq!(
            (&dns["restricted"], &dns["udp"]),
            (&true.into(), &works.into()),
            "{rule}"
        );
    }
    let dns = of_shop(&theirs("{fromEndpoints: [{}]}"), &["dns"]);
    assert_eq!(
        dns["blocked"][0]["why"],
        "at kube-system k8s-app=kube-dns: CiliumNetworkPolicy dns selects it and no rule of ingress admits UDP/5353 from shop"
    );
}

#[test]
fn slices_say_where_a_service_leads() {
    let sliced = |endpoints: &str| {
        format!("
{{apiVersion: v1, kind: Service, metadata: {{name: dns, namespace: kube-system, labels: {{k8s-app: kube-dns}}}}, spec: {{ports: [{{name: dns, port: 53, protocol: UDP}}]}}}}
---
{{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {{name: dns-1, namespace: kube-system, labels: {{kubernetes.io/service-name: dns}}}}, endpoints: [{endpoints}], ports: [{{name: dns, port: 8053, protocol: UDP}}]}}
---
{{apiVersion: v1, kind: Pod, metadata: {{name: unbound, namespace: kube-system, labels: {{app: unbound}}}}, spec: {{containers: [{{name: a}}]}}}}
---
{{apiVersion: v1, kind: Node, metadata: {{name: n}}, status: {{addresses: [{{type: InternalIP, address: 10.0.0.1}}]}}}}
---
{{apiVersion: v1, kind: Node, metadata: {{name: m}}, status: {{addresses: [{{type: InternalIP, address: 10.0.0.2}}]}}}}
---
")
    };
    let pod = sliced("{addresses: [10.1.0.5], targetRef: {kind: Pod, name: unbound}}");
    let node = sliced("{addresses: [10.0.0.1]}");
    let egress = |to: &str| {
        kubernetes(&format!(
            "{{podSelector: {{}}, policyTypes: [Egress], egress: [{{to: [{to}], ports: [{{port: 8053, protocol: UDP}}]}}]}}"
        ))
    };
    for (dns, policy, works) in [
        (
            &pod,
            egress("{namespaceSelector: {}, podSelector: {matchLabels: {app: unbound}}}"),
            true,
        ),
        (&pod, egress("{ipBlock: {cidr: 10.1.0.0/16}}"), true),
        (&pod, egress("{ipBlock: {cidr: 10.2.0.0/16}}"), false),
        (&node, egress("{namespaceSelector: {}}"), false),
        (&node, egress("{ipBlock: {cidr: 10.0.0.0/24}}"), true),
        (
            &node,
            cilium("{endpointSelector: {}, egress: [{toEntities: [remote-node]}]}"),
            true,
        ),
        (
            &node,
            cilium("{endpointSelector: {}, egress: [{toEntities: [world]}]}"),
            false,
        ),
    ] {
        let text = format!("{dns}{policy}");
        assert_eq!(of_shop(&text, &["dns", "udp"]), works, "{text}");
    }
}

#[test]
fn the_way_from_the_api_server_to_webhooks() {
    let objects = |target: &str| {
        format!("
{{apiVersion: admissionregistration.k8s.io/v1, kind: ValidatingWebhookConfiguration, metadata: {{name: hooks}}, webhooks: [{{name: a.b.c, clientConfig: {{service: {{namespace: shop, name: hook}}}}}}, {{name: url, clientConfig: {{url: \"https://x\"}}}}]}}
---
{{apiVersion: admissionregistration.k8s.io/v1, kind: MutatingWebhookConfiguration, metadata: {{name: hooks}}, webhooks: [{{name: a.b.c, clientConfig: {{service: {{namespace: shop, name: hook}}}}}}]}}
---
{{apiVersion: v1, kind: Service, metadata: {{name: hook, namespace: shop}}, spec: {{selector: {{app: hook}}, ports: [{{port: 443, targetPort: {target}}}]}}}}
---
{{apiVersion: v1, kind: Pod, metadata: {{name: hook, namespace: shop, labels: {{app: hook}}}}, spec: {{containers: [{{name: a, ports: [{{name: https, containerPort: 10250}}]}}]}}}}
---
")
    };
    let node = |name: &str, address: &str| {
        format!(
            "{{apiVersion: v1, kind: Node, metadata: {{name: {name}}}, status: {{addresses: [{{type: InternalIP, address: {address}}}]}}}}\n---\n"
        )
    };
    let server = |address: &str| {
        format!(
            "{{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {{name: kubernetes, namespace: default, labels: {{kubernetes.io/service-name: kubernetes}}}}, endpoints: [{{addresses: [{address}]}}]}}\n---\n"
        )
    };
    let two = format!(
        "{}{}{}",
        node("n", "10.0.0.1"),
        node("m", "10.0.0.2"),
        server("10.0.0.1")
    );
    let one = format!("{}{}", node("n", "10.0.0.1"), server("10.0.0.1"));
    let managed = format!(
        "{}{}{}",
        node("n", "10.0.0.1"),
        node("m", "10.0.0.2"),
        server("172.20.0.9")
    );
    let unknown = String::new();
    let from = |rule: &str| kubernetes(&format!("{{podSelector: {{}}, ingress: [{rule}]}}"));
    let of_cilium = |rule: &str| cilium(&format!("{{endpointSelector: {{}}, ingress: [{rule}]}}"));
    let at = |port: &str| format!("toPorts: [{{ports: [{{port: \"{port}\"}}]}}]");
    for (cluster, policy, open) in [
        (&two, from(""), false),
        (&two, from("{}"), true),
        (&two, from("{ports: [{port: 10250}]}"), true),
        (&two, from("{ports: [{port: https}]}"), true),
        // Policies see the port of the pod, not that of the Service.
        (&two, from("{ports: [{port: 443}]}"), false),
        (&two, from("{from: [{namespaceSelector: {}}]}"), false),
        (&two, from("{from: [{ipBlock: {cidr: 10.0.0.0/24}}]}"), true),
        (
            &two,
            from("{from: [{ipBlock: {cidr: 10.9.0.0/24}}]}"),
            false,
        ),
        (
            &unknown,
            from("{from: [{ipBlock: {cidr: 10.9.0.0/24}}]}"),
            true,
        ),
        (
            &managed,
            from("{from: [{ipBlock: {cidr: 172.20.0.0/16}}]}"),
            true,
        ),
        (&one, from(""), true),
        (
            &two,
            of_cilium(&format!(
                "{{fromEntities: [kube-apiserver], {}}}",
                at("10250")
            )),
            true,
        ),
        (
            &two,
            of_cilium(&format!(
                "{{fromEntities: [kube-apiserver], {}}}",
                at("443")
            )),
            false,
        ),
        (&two, of_cilium("{fromEntities: [remote-node]}"), true),
        (&two, of_cilium("{fromEntities: [host]}"), false),
        (&unknown, of_cilium("{fromEntities: [host]}"), true),
        (&two, of_cilium("{fromEntities: [cluster]}"), true),
        (&two, of_cilium("{fromEntities: [world]}"), false),
        (&managed, of_cilium("{fromEntities: [world]}"), true),
        (&managed, of_cilium("{fromEntities: [remote-node]}"), false),
        (
            &managed,
            of_cilium("{fromEntities: [kube-apiserver]}"),
            true,
        ),
        (&two, of_cilium("{fromCIDR: [10.0.0.0/24]}"), false),
        (&managed, of_cilium("{fromCIDR: [172.20.0.0/16]}"), true),
        (&two, of_cilium("{fromEndpoints: [{}]}"), false),
        (&two, of_cilium(&format!("{{{}}}", at("10250"))), true),
    ] {
        for target in ["10250", "https"] {
            let text = format!("{}{cluster}{policy}", objects(target));
            let paths = derived(&text, "WebhookPath", &["spec", "open"]);
            assert_eq!(
                paths,
                [
                    ("hooks/a.b.c".to_owned(), open.into()),
                    (
                        "hooks/a.b.c (MutatingWebhookConfiguration)".to_owned(),
                        open.into()
                    ),
                ],
                "{text}"
            );
        }
    }
    let open = derived(&objects("10250"), "WebhookPath", &["spec"]);
    let spec = &open[0].1;
    assert_eq!(
        (&spec["restricted"], &spec["targetPort"]),
        (&false.into(), &"10250".into())
    );
    assert_eq!(
        (&spec["service"], &spec["backends"]),
        (&"shop/hook".into(), &1.into())
    );
}

#[test]
fn what_a_policy_comes_to() {
    let effect = |policy: &str| {
        let text = format!("{PODS}---\n{policy}");
        let all = derived(&text, "NetworkPolicyEffect", &["spec"]);
        assert_eq!(all.len(), 1, "{policy}");
        all[0].1.clone()
    };
    for (policy, selects, host_only, silent, lost) in [
        (kubernetes("{podSelector: {}}"), 2, false, false, 0),
        (
            kubernetes("{podSelector: {matchLabels: {app: cache}}}"),
            0,
            false,
            false,
            0,
        ),
        (
            kubernetes("{podSelector: {matchLabels: {app: agent}}}"),
            0,
            true,
            false,
            0,
        ),
        (
            cilium("{endpointSelector: {}, ingress: []}"),
            2,
            false,
            true,
            0,
        ),
        (
            cilium("{endpointSelector: {matchLabels: {k8s:app: agent}}, ingress: [{}]}"),
            0,
            true,
            false,
            0,
        ),
        (
            cilium(
                "{endpointSelector: {}, egress: [{toEndpoints: [{matchLabels: {app: web}}, {}]}]}",
            ),
            2,
            false,
            false,
            0,
        ),
        (
            cilium(
                "{endpointSelector: {}, egress: [{toEndpoints: [{matchLabels: {k8s-app: coredns}}, {matchLabels: {app: agent}}]}]}",
            ),
            2,
            false,
            false,
            2,
        ),
        (
            cilium(
                "{endpointSelector: {}, egress: [{toEndpoints: [{matchLabels: {app: x, io.kubernetes.pod.namespace: bank}}]}]}",
            ),
            2,
            false,
            false,
            0,
        ),
        (
            clusterwide("{endpointSelector: {matchLabels: {app: db}}, ingress: [{}]}"),
            2,
            false,
            false,
            0,
        ),
        (
            clusterwide(
                "{endpointSelector: {matchLabels: {app: x}}, ingress: [{fromEndpoints: [{matchLabels: {app: y}}]}]}",
            ),
            0,
            false,
            false,
            0,
        ),
    ] {
        let spec = effect(&policy);
        let lost_peers = spec["unresolvablePeers"].as_array().unwrap().len();
        assert_eq!(
            (
                spec["selects"].as_i64(),
                &spec["hostNetworkOnly"],
                &spec["silent"],
                lost_peers
            ),
            (Some(selects), &host_only.into(), &silent.into(), lost),
            "{policy}: {spec}"
        );
    }
    let spec = effect(
        &cilium("{endpointSelector: {}, ingress: [{fromEndpoints: [{matchLabels: {app: db}}]}]}")
            .replace("namespace: shop", "namespace: kube-public"),
    );
    assert_eq!(
        spec["unresolvablePeers"][0],
        "app=db matches no pod of kube-public, but of bank, shop"
    );
    assert_eq!(spec["targetRef"]["name"], "c");
    let broken = effect(&kubernetes(
        "{podSelector: {matchExpressions: [{key: app, operator: In}]}}",
    ));
    assert_eq!(broken["faults"].as_array().unwrap().len(), 1);
}

/// Ten thousand pods of a few workloads are a few sets of them.
#[test]
fn replicas_are_one_set() {
    let mut text = kubernetes("{podSelector: {matchLabels: {app: a0}}}");
    for at in 0..400 {
        let app = at % 4;
        text += &format!(
            "\n---\n{{apiVersion: v1, kind: Pod, metadata: {{name: p{at}, namespace: shop, labels: {{app: a{app}, pod-template-hash: h{app}, uid: u{at}}}, ownerReferences: [{{apiVersion: apps/v1, kind: ReplicaSet, name: w{app}-h{app}, controller: true}}]}}, spec: {{containers: []}}}}"
        );
    }
    let inventory = testing::inventory(&text);
    let network = Network::of(&inventory);
    let pods = super::pods::Pods::of(&inventory);
    let sets = pods.sets("shop", &network.keys);
    assert_eq!(sets.len(), 4);
    assert_eq!(sets[0].name(), "Deployment w0");
    let missing = derived(
        &text,
        "NamespaceNetwork",
        &["spec", "ingress", "uncoveredCount"],
    );
    assert_eq!(missing[0].1, Node::Int(3).as_int().unwrap());
}

#[test]
fn why_names_are_not_answered() {
    let why = |policy: String| {
        let dns = of_shop(&format!("{DNS}---\n{policy}"), &["dns", "blocked"]);
        let first = dns[0]["why"].as_str().unwrap().to_owned();
        (dns[0]["protocol"].clone(), first)
    };
    let ports = "toPorts: [{ports: [{port: \"5353\"}]}]";
    for (policy, protocol, expected) in [
        (
            cilium(&format!(
                "{{endpointSelector: {{}}, egress: [{{toEndpoints: [{{matchLabels: {{k8s-app: kube-dns}}}}], {ports}}}]}}"
            )),
            "UDP and TCP",
            "CiliumNetworkPolicy c selects it and no rule of egress admits UDP/5353 to kube-system k8s-app=kube-dns; its peer k8s-app=kube-dns names no namespace and means pods of shop",
        ),
        (
            kubernetes("{podSelector: {}, policyTypes: [Egress], egress: [{to: [{namespaceSelector: {}}], ports: [{port: 53}, {port: 5353, protocol: UDP}]}]}"),
            "TCP",
            "NetworkPolicy p selects it and no rule of egress admits TCP/5353 to kube-system k8s-app=kube-dns; there are rules for it, but for other ports",
        ),
    ] {
        assert_eq!(why(policy), (protocol.into(), expected.to_owned()));
    }
}
