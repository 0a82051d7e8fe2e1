//! Connections worked out by hand, construct by construct.

mod derived;

use super::{
    endpoint::{Addresses, Endpoint, Location},
    policy::Direction,
    ports::{Knock, Protocol},
    reach::{Answer, Network},
};
use crate::{derive::testing, model::Inventory};

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
#[rustfmt::skip] // a case a line
fn pods_are_isolated_by_selection_and_direction() {
    for (spec, ingress, egress) in [
        // Ingress always is a type where none is written; egress if there are rules.
        ("{podSelector: {}}", false, true),
        ("{}", false, true),
        ("{podSelector: {}, egress: []}", false, true),
        ("{podSelector: {}, egress: [{to: [{podSelector: {}}]}]}", false, false),
        ("{podSelector: {}, policyTypes: [Egress]}", true, false),
        ("{podSelector: {}, policyTypes: [Ingress, Egress]}", false, false),
        ("{podSelector: {}, policyTypes: [Ingress], ingress: [{}]}", true, true),
        // Rules of a direction that the types leave out say nothing.
        ("{podSelector: {}, policyTypes: [Ingress], egress: [{to: []}]}", false, true),
        ("{podSelector: {matchLabels: {app: web}}, policyTypes: [Ingress, Egress]}", false, false),
        ("{podSelector: {matchLabels: {app: db}}, policyTypes: [Ingress, Egress]}", true, true),
        ("{podSelector: {matchExpressions: [{key: tier, operator: Exists}]}}", false, true),
        ("{podSelector: {matchExpressions: [{key: app, operator: NotIn, values: [web]}]}}", true, true),
        // A selector that no server would take selects nobody.
        ("{podSelector: {matchExpressions: [{key: app, operator: Is, values: [web]}]}}", true, true),
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
#[rustfmt::skip] // a case a line
fn peers_of_network_policies() {
    let from = |peers: &str| {
        kubernetes(&format!(
            "{{podSelector: {{}}, ingress: [{{from: {peers}}}]}}"
        ))
    };
    for (peers, web, bank, node, address) in [
        ("[]", true, true, true, true),
        ("[{podSelector: {}}]", true, false, false, false),
        ("[{podSelector: {matchLabels: {app: web}}}]", true, false, false, false),
        ("[{podSelector: {matchLabels: {app: db}}}]", false, false, false, false),
        ("[{namespaceSelector: {}}]", true, true, false, false),
        ("[{namespaceSelector: {matchLabels: {team: b}}}]", false, true, false, false),
        ("[{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: bank}}}]", false, true, false, false),
        ("[{namespaceSelector: {}, podSelector: {matchLabels: {app: db}}}]", false, true, false, false),
        ("[{namespaceSelector: {matchLabels: {team: a}}, podSelector: {matchLabels: {app: db}}}]", false, false, false, false),
        // Two entries: one of them is enough.
        ("[{namespaceSelector: {matchLabels: {team: b}}}, {podSelector: {}}]", true, true, false, false),
        ("[{ipBlock: {cidr: 192.0.2.0/24}}]", false, false, false, true),
        ("[{ipBlock: {cidr: 192.0.2.0/24, except: [192.0.2.7/32]}}]", false, false, false, false),
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
#[rustfmt::skip] // a case a line
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
#[rustfmt::skip] // a case a line
fn cilium_ignores_empty_sections_and_denies_by_empty_rules() {
    for (spec, ingress, egress) in [
        ("{endpointSelector: {}}", true, true),
        ("{endpointSelector: {}, ingress: []}", true, true),
        ("{endpointSelector: {}, ingress: null, egress: []}", true, true),
        ("{endpointSelector: {}, ingress: [{}]}", false, true),
        ("{endpointSelector: {}, ingress: [{}], egress: [{}]}", false, false),
        ("{endpointSelector: {}, enableDefaultDeny: {ingress: false}, ingress: [{}]}", true, true),
        ("{endpointSelector: {}, enableDefaultDeny: {egress: true}}", true, false),
        ("{endpointSelector: {}, enableDefaultDeny: {ingress: false}, ingress: [{}], egress: [{}]}", true, false),
        // To deny somebody is to deny everybody, unless it is said not to.
        ("{endpointSelector: {}, ingressDeny: [{fromEntities: [host]}]}", false, true),
        ("{endpointSelector: {}, enableDefaultDeny: {ingress: false}, ingressDeny: [{fromEntities: [host]}]}", true, true),
        ("{endpointSelector: {matchLabels: {app: db}}, ingress: [{}]}", true, true),
        ("{endpointSelector: {matchLabels: {k8s:app: web}}, ingress: [{}]}", false, true),
        ("{endpointSelector: {matchLabels: {any:app: web}}, ingress: [{}]}", false, true),
        ("{endpointSelector: {matchLabels: {container:app: web}}, ingress: [{}]}", true, true),
        ("{endpointSelector: {matchLabels: {reserved:init: \"\"}}, ingress: [{}]}", true, true),
        ("{endpointSelector: {matchLabels: {io.cilium.k8s.policy.serviceaccount: web}}, ingress: [{}]}", false, true),
        // A namespaced policy is for its own namespace, whatever it says with `k8s:`.
        ("{endpointSelector: {matchLabels: {k8s:io.kubernetes.pod.namespace: bank}}, ingress: [{}]}", false, true),
        ("{endpointSelector: {matchLabels: {io.kubernetes.pod.namespace: bank}}, ingress: [{}]}", true, true),
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
#[rustfmt::skip] // a case a line
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
#[rustfmt::skip] // a case a line
fn peers_of_cilium_mean_their_own_namespace() {
    for (peers, web, bank) in [
        ("[{}]", true, false),
        ("[{matchLabels: {}}]", true, false),
        ("[{matchLabels: {app: web}}]", true, false),
        ("[{matchLabels: {app: db}}]", false, false),
        ("[{matchLabels: {app: db, io.kubernetes.pod.namespace: bank}}]", false, true),
        ("[{matchLabels: {k8s:app: db, k8s:io.kubernetes.pod.namespace: bank}}]", false, true),
        ("[{matchExpressions: [{key: io.kubernetes.pod.namespace, operator: Exists}]}]", true, true),
        ("[{matchLabels: {io.cilium.k8s.namespace.labels.team: b}}]", false, true),
        ("[{matchLabels: {k8s:io.cilium.k8s.namespace.labels.kubernetes.io/metadata.name: bank}}]", false, true),
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
#[rustfmt::skip] // a case a line
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
#[rustfmt::skip] // a case a line
fn blocks_names_services_and_nodes_of_cilium() {
    for (rule, pod, node, address) in [
        // Cilium has a name for what is in the cluster, and blocks do not hold it.
        ("toCIDR: [0.0.0.0/0]", false, false, true),
        ("toCIDR: [192.0.2.7]", false, false, true),
        ("toCIDR: [192.0.2.0/24, 10.0.0.0/8]", false, false, true),
        ("toCIDR: [10.0.0.0/8]", false, false, false),
        ("toCIDR: [nonsense]", false, false, false),
        ("toCIDRSet: [{cidr: 192.0.2.0/24}]", false, false, true),
        ("toCIDRSet: [{cidr: 192.0.2.0/24, except: [192.0.2.0/28]}]", false, false, false),
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
#[rustfmt::skip] // a case a line
fn ports_of_cilium() {
    for (ports, at, open) in [
        ("[]", "*", true),
        ("[{ports: [{port: \"5432\"}]}]", "5432", true),
        // Any protocol where none is written.
        ("[{ports: [{port: \"5432\"}]}]", "UDP/5432", true),
        ("[{ports: [{port: \"5432\", protocol: ANY}]}]", "SCTP/5432", true),
        ("[{ports: [{port: \"5432\", protocol: TCP}]}]", "UDP/5432", false),
        ("[{ports: [{port: \"5432\", protocol: TCP}]}]", "*", false),
        ("[{ports: [{port: \"5000\", endPort: 6000, protocol: TCP}]}]", "5432", true),
        ("[{ports: [{port: \"5000\", endPort: 5400, protocol: TCP}]}]", "5432", false),
        ("[{ports: [{port: \"0\", protocol: UDP}]}]", "UDP/9", true),
        ("[{ports: [{port: \"0\", protocol: UDP}]}]", "9", false),
        ("[{ports: [{port: pg}]}]", "5432", true),
        ("[{ports: [{port: pg}]}]", "6432", false),
        ("[{ports: [{port: \"53\", protocol: UDP}], rules: {dns: [{matchPattern: \"*\"}]}}]", "UDP/53", true),
        ("[{ports: [{port: \"1\"}]}, {ports: [{port: \"2\"}]}]", "2", true),
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
#[rustfmt::skip] // a case a line
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
#[rustfmt::skip] // a case a line
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
#[rustfmt::skip] // a case a line
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
        ("{enable-policy: default, policy-audit-mode: \"true\"}", true, true),
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
#[rustfmt::skip] // a case a line
fn policies_of_administrators_frame_those_of_namespaces() {
    let first = |spec: &str| admin("AdminNetworkPolicy", "v1alpha1", "a", spec);
    let base = |spec: &str| admin("BaselineAdminNetworkPolicy", "v1alpha1", "default", spec);
    let deny = kubernetes("{podSelector: {}, policyTypes: [Ingress, Egress]}");
    let anywhere = "subject: {namespaces: {}}";
    for (policies, connection, port, open) in [
        // The baseline holds where no policy of the namespace selects the pod.
        (base(&format!("{anywhere}, ingress: [{{action: Deny, from: [{{namespaces: {{}}}}]}}]")), "bank/db <- shop/web", "80", false),
        (base(&format!("{anywhere}, ingress: [{{action: Deny, from: [{{namespaces: {{}}}}]}}]")), "bank/db <- outside", "80", true),
        (format!("{}\n---\n{}", kubernetes("{podSelector: {}, ingress: [{}]}"), base(&format!("{anywhere}, ingress: [{{action: Deny, from: [{{namespaces: {{}}}}]}}]"))), "shop/db <- bank/db", "80", true),
        (base(&format!("{anywhere}, egress: [{{action: Allow, to: [{{networks: [192.0.2.0/24]}}]}}, {{action: Deny, to: [{{networks: [0.0.0.0/0]}}]}}]")), "shop/web -> 192.0.2.7", "80", true),
        (base(&format!("{anywhere}, egress: [{{action: Allow, to: [{{networks: [192.0.2.0/24]}}]}}, {{action: Deny, to: [{{networks: [0.0.0.0/0]}}]}}]")), "shop/web -> shop/db", "80", false),
        // What an administrator allows or denies is settled; what is passed on is not.
        (format!("{deny}\n---\n{}", first(&format!("priority: 1, {anywhere}, ingress: [{{action: Allow, from: [{{namespaces: {{matchLabels: {{team: b}}}}}}]}}]"))), "shop/web <- bank/db", "80", true),
        (format!("{deny}\n---\n{}", first(&format!("priority: 1, {anywhere}, ingress: [{{action: Pass, from: [{{namespaces: {{}}}}]}}, {{action: Allow, from: [{{namespaces: {{}}}}]}}]"))), "shop/web <- bank/db", "80", false),
        (first(&format!("priority: 1, {anywhere}, ingress: [{{action: Deny, from: [{{pods: {{namespaceSelector: {{}}, podSelector: {{matchLabels: {{app: db}}}}}}}}]}}]")), "shop/web <- bank/db", "80", false),
        (first(&format!("priority: 1, {anywhere}, ingress: [{{action: Deny, from: [{{pods: {{namespaceSelector: {{}}, podSelector: {{matchLabels: {{app: web}}}}}}}}]}}]")), "shop/web <- bank/db", "80", true),
        (first("priority: 1, subject: {pods: {namespaceSelector: {matchLabels: {team: a}}, podSelector: {matchLabels: {app: web}}}}, egress: [{action: Deny, to: [{nodes: {}}]}]"), "shop/web -> node", "80", false),
        (first("priority: 1, subject: {pods: {namespaceSelector: {matchLabels: {team: a}}, podSelector: {matchLabels: {app: web}}}}, egress: [{action: Deny, to: [{nodes: {}}]}]"), "shop/db -> node", "80", true),
        (first(&format!("priority: 1, {anywhere}, egress: [{{action: Deny, to: [{{namespaces: {{}}}}], ports: [{{portNumber: {{protocol: UDP, port: 53}}}}]}}]")), "shop/web -> bank/db", "UDP/53", false),
        (first(&format!("priority: 1, {anywhere}, egress: [{{action: Deny, to: [{{namespaces: {{}}}}], ports: [{{portNumber: {{protocol: UDP, port: 53}}}}]}}]")), "shop/web -> bank/db", "53", true),
        (first(&format!("priority: 1, {anywhere}, egress: [{{action: Deny, to: [{{namespaces: {{}}}}], ports: [{{portRange: {{protocol: TCP, start: 50, end: 60}}}}]}}]")), "shop/web -> bank/db", "53", false),
        (first(&format!("priority: 1, {anywhere}, egress: [{{action: Deny, to: [{{namespaces: {{}}}}], ports: [{{namedPort: pg}}]}}]")), "shop/web -> bank/db", "6432", false),
        // The lower number comes first.
        (format!("{}\n---\n{}", first(&format!("priority: 9, {anywhere}, ingress: [{{action: Deny, from: [{{namespaces: {{}}}}]}}]")), admin("AdminNetworkPolicy", "v1alpha1", "z", &format!("priority: 5, {anywhere}, ingress: [{{action: Allow, from: [{{namespaces: {{}}}}]}}]"))), "shop/web <- bank/db", "80", true),
        // Their successor has tiers.
        (admin("ClusterNetworkPolicy", "v1alpha2", "c", &format!("tier: Admin, priority: 1, {anywhere}, ingress: [{{action: Deny, from: [{{namespaces: {{}}}}], protocols: [{{tcp: {{destinationPort: {{number: 80}}}}}}]}}]")), "shop/web <- bank/db", "80", false),
        (admin("ClusterNetworkPolicy", "v1alpha2", "c", &format!("tier: Admin, priority: 1, {anywhere}, ingress: [{{action: Deny, from: [{{namespaces: {{}}}}], protocols: [{{tcp: {{destinationPort: {{range: {{start: 80, end: 90}}}}}}}}]}}]")), "shop/web <- bank/db", "91", true),
        (format!("{}\n---\n{}", kubernetes("{podSelector: {}, ingress: [{}]}"), admin("ClusterNetworkPolicy", "v1alpha2", "c", &format!("tier: Baseline, priority: 1, {anywhere}, ingress: [{{action: Deny, from: [{{namespaces: {{}}}}]}}]"))), "shop/web <- bank/db", "80", true),
        // What cannot be read does nothing.
        (first(&format!("priority: 1, {anywhere}, ingress: [{{action: Refuse, from: [{{namespaces: {{}}}}]}}]")), "shop/web <- bank/db", "80", true),
    ] {
        check(&policies, &[(connection, port, open)]);
    }
}
