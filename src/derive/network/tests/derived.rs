//! The derived kinds, on the pods of [`super`].

use super::{
    super::{pods::Pods, reach::Network},
    PODS, admin, cilium, clusterwide, kubernetes,
};
use crate::derive::testing;

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
#[rustfmt::skip] // a case a line
fn the_default_of_a_namespace() {
    let deny = kubernetes("{podSelector: {}, policyTypes: [Ingress]}");
    let and = |policy: String| format!("{deny}\n---\n{}", policy.replace("name: p,", "name: q,"));
    for (policies, expected) in [
        (kubernetes("{podSelector: {}, policyTypes: [Egress]}"), "open"),
        (deny.clone(), "deny"),
        (kubernetes("{podSelector: {}, ingress: [{from: [{podSelector: {}}]}]}"), "effective"),
        (kubernetes("{podSelector: {matchLabels: {app: web}}}"), "open"),
        (kubernetes("{podSelector: {matchExpressions: [{key: app, operator: Exists}]}}"), "effective"),
        (and(kubernetes("{podSelector: {}, ingress: [{}]}")), "open"),
        (and(kubernetes("{podSelector: {}, ingress: [{from: [{namespaceSelector: {}}]}]}")), "open"),
        (and(kubernetes("{podSelector: {}, ingress: [{from: [{namespaceSelector: {}}], ports: [{port: 80}]}]}")), "deny"),
        (and(kubernetes("{podSelector: {matchLabels: {app: web}}, ingress: [{}]}")), "deny"),
        (cilium("{endpointSelector: {}, ingress: []}"), "open"),
        (cilium("{endpointSelector: {}, ingress: [{}]}"), "deny"),
        (and(cilium("{endpointSelector: {}, ingress: [{fromEntities: [all]}]}")), "open"),
        (clusterwide("{endpointSelector: {}, ingress: [{}]}"), "deny"),
        (clusterwide("{endpointSelector: {matchLabels: {io.cilium.k8s.namespace.labels.team: a}}, ingress: [{}]}"), "deny"),
        (clusterwide("{endpointSelector: {matchLabels: {io.cilium.k8s.namespace.labels.team: b}}, ingress: [{}]}"), "open"),
        (admin("AdminNetworkPolicy", "v1alpha1", "a", "priority: 1, subject: {namespaces: {matchLabels: {team: a}}}, ingress: [{action: Deny, from: [{namespaces: {}}]}]"), "deny"),
        (admin("AdminNetworkPolicy", "v1alpha1", "a", "priority: 1, subject: {namespaces: {matchLabels: {team: b}}}, ingress: [{action: Deny, from: [{namespaces: {}}]}]"), "open"),
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
#[rustfmt::skip] // a case a line
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
        (egress(&format!("{{to: [{peer}], ports: [{{port: 5353, protocol: UDP}}]}}")), true, false),
        // Port 53 is the Service's: no packet has it when policies see it.
        (egress(&format!("{{to: [{peer}], ports: [{{port: 53, protocol: UDP}}, {{port: 53}}]}}")), false, false),
        (egress(&format!("{{to: [{peer}], ports: [{{port: 5353, protocol: UDP}}, {{port: dns-tcp}}]}}")), true, true),
        (egress("{to: [{podSelector: {matchLabels: {k8s-app: kube-dns}}}]}"), false, false),
        (egress("{to: [{namespaceSelector: {}, podSelector: {matchLabels: {k8s-app: coredns}}}]}"), false, false),
        (egress("{ports: [{port: 5353, protocol: UDP}, {port: 5353}]}"), true, true),
        (of_cilium(&format!("{{toEndpoints: [{{matchLabels: {{k8s-app: kube-dns}}}}], {both}}}")), false, false),
        (of_cilium(&format!("{{toEndpoints: [{{matchLabels: {{k8s:io.kubernetes.pod.namespace: kube-system, k8s:k8s-app: kube-dns}}}}], {both}}}")), true, true),
        (of_cilium(&format!("{{toEntities: [cluster], {both}}}")), true, true),
        (of_cilium("{toEntities: [world]}"), false, false),
        (of_cilium("{toServices: [{k8sService: {serviceName: kube-dns, namespace: kube-system}}]}"), true, true),
        (of_cilium("{toServices: [{k8sService: {serviceName: kube-dns}}]}"), false, false),
        (clusterwide(&format!("{{endpointSelector: {{}}, egress: [{{toEndpoints: [{{matchLabels: {{k8s-app: kube-dns}}}}], {both}}}]}}")), true, true),
        // The cache is another way.
        (format!("{}{cache}", egress("{to: [{ipBlock: {cidr: 169.254.20.10/32}}], ports: [{port: 53, protocol: UDP}, {port: 53}]}")), true, true),
        (egress("{to: [{ipBlock: {cidr: 169.254.20.10/32}}], ports: [{port: 53, protocol: UDP}, {port: 53}]}"), false, false),
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
#[rustfmt::skip] // a case a line
fn the_dns_pods_have_policies_too() {
    let theirs = |rule: &str| {
        format!(
            "{DNS}---\n{{apiVersion: cilium.io/v2, kind: CiliumNetworkPolicy, metadata: {{name: dns, namespace: kube-system}}, spec: {{endpointSelector: {{matchLabels: {{k8s-app: kube-dns}}}}, ingress: [{rule}]}}}}"
        )
    };
    for (rule, works) in [
        ("{fromEndpoints: [{}]}", false),
        ("{fromEndpoints: [{matchExpressions: [{key: io.kubernetes.pod.namespace, operator: Exists}]}]}", true),
        ("{fromEntities: [cluster]}", true),
        ("{toPorts: [{ports: [{port: \"5353\"}]}]}", true),
        ("{fromEntities: [cluster], toPorts: [{ports: [{port: \"53\"}]}]}", false),
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
#[rustfmt::skip] // a case a line
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
        (&pod, egress("{namespaceSelector: {}, podSelector: {matchLabels: {app: unbound}}}"), true),
        (&pod, egress("{ipBlock: {cidr: 10.1.0.0/16}}"), true),
        (&pod, egress("{ipBlock: {cidr: 10.2.0.0/16}}"), false),
        (&node, egress("{namespaceSelector: {}}"), false),
        (&node, egress("{ipBlock: {cidr: 10.0.0.0/24}}"), true),
        (&node, cilium("{endpointSelector: {}, egress: [{toEntities: [remote-node]}]}"), true),
        (&node, cilium("{endpointSelector: {}, egress: [{toEntities: [world]}]}"), false),
    ] {
        let text = format!("{dns}{policy}");
        assert_eq!(of_shop(&text, &["dns", "udp"]), works, "{text}");
    }
}

#[test]
#[rustfmt::skip] // a case a line
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
        (&two, from("{from: [{ipBlock: {cidr: 10.9.0.0/24}}]}"), false),
        (&unknown, from("{from: [{ipBlock: {cidr: 10.9.0.0/24}}]}"), true),
        (&managed, from("{from: [{ipBlock: {cidr: 172.20.0.0/16}}]}"), true),
        (&one, from(""), true),
        (&two, of_cilium(&format!("{{fromEntities: [kube-apiserver], {}}}", at("10250"))), true),
        (&two, of_cilium(&format!("{{fromEntities: [kube-apiserver], {}}}", at("443"))), false),
        (&two, of_cilium("{fromEntities: [remote-node]}"), true),
        (&two, of_cilium("{fromEntities: [host]}"), false),
        (&unknown, of_cilium("{fromEntities: [host]}"), true),
        (&two, of_cilium("{fromEntities: [cluster]}"), true),
        (&two, of_cilium("{fromEntities: [world]}"), false),
        (&managed, of_cilium("{fromEntities: [world]}"), true),
        (&managed, of_cilium("{fromEntities: [remote-node]}"), false),
        (&managed, of_cilium("{fromEntities: [kube-apiserver]}"), true),
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
                    ("hooks/a.b.c (MutatingWebhookConfiguration)".to_owned(), open.into()),
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
#[rustfmt::skip] // a case a line
fn what_a_policy_comes_to() {
    let effect = |policy: &str| {
        let text = format!("{PODS}---\n{policy}");
        let all = derived(&text, "NetworkPolicyEffect", &["spec"]);
        assert_eq!(all.len(), 1, "{policy}");
        all[0].1.clone()
    };
    for (policy, selects, host_only, silent, lost) in [
        (kubernetes("{podSelector: {}}"), 2, false, false, 0),
        (kubernetes("{podSelector: {matchLabels: {app: cache}}}"), 0, false, false, 0),
        (kubernetes("{podSelector: {matchLabels: {app: agent}}}"), 0, true, false, 0),
        (cilium("{endpointSelector: {}, ingress: []}"), 2, false, true, 0),
        (cilium("{endpointSelector: {matchLabels: {k8s:app: agent}}, ingress: [{}]}"), 0, true, false, 0),
        (cilium("{endpointSelector: {}, egress: [{toEndpoints: [{matchLabels: {app: web}}, {}]}]}"), 2, false, false, 0),
        (cilium("{endpointSelector: {}, egress: [{toEndpoints: [{matchLabels: {k8s-app: coredns}}, {matchLabels: {app: agent}}]}]}"), 2, false, false, 2),
        (cilium("{endpointSelector: {}, egress: [{toEndpoints: [{matchLabels: {app: x, io.kubernetes.pod.namespace: bank}}]}]}"), 2, false, false, 0),
        (clusterwide("{endpointSelector: {matchLabels: {app: db}}, ingress: [{}]}"), 2, false, false, 0),
        (clusterwide("{endpointSelector: {matchLabels: {app: x}}, ingress: [{fromEndpoints: [{matchLabels: {app: y}}]}]}"), 0, false, false, 0),
    ] {
        let spec = effect(&policy);
        let lost_peers = spec["unresolvablePeers"].as_array().unwrap().len();
        assert_eq!(
            (spec["selects"].as_i64(), &spec["hostNetworkOnly"], &spec["silent"], lost_peers),
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
    let pods = Pods::of(&inventory);
    let sets = pods.sets("shop", &network.keys);
    assert_eq!(sets.len(), 4);
    assert_eq!(sets[0].name(), "Deployment w0");
    let missing = derived(
        &text,
        "NamespaceNetwork",
        &["spec", "ingress", "uncoveredCount"],
    );
    assert_eq!(missing[0].1, 3);
}

#[test]
#[rustfmt::skip] // a case a line
fn why_names_are_not_answered() {
    let why = |policy: String| {
        let dns = of_shop(&format!("{DNS}---\n{policy}"), &["dns", "blocked"]);
        let first = dns[0]["why"].as_str().unwrap().to_owned();
        (dns[0]["protocol"].clone(), first)
    };
    let ports = "toPorts: [{ports: [{port: \"5353\"}]}]";
    for (policy, protocol, expected) in [
        (cilium(&format!("{{endpointSelector: {{}}, egress: [{{toEndpoints: [{{matchLabels: {{k8s-app: kube-dns}}}}], {ports}}}]}}")), "UDP and TCP", "CiliumNetworkPolicy c selects it and no rule of egress admits UDP/5353 to kube-system k8s-app=kube-dns; its peer k8s-app=kube-dns names no namespace and means pods of shop"),
        (kubernetes("{podSelector: {}, policyTypes: [Egress], egress: [{to: [{namespaceSelector: {}}], ports: [{port: 53}, {port: 5353, protocol: UDP}]}]}"), "TCP", "NetworkPolicy p selects it and no rule of egress admits TCP/5353 to kube-system k8s-app=kube-dns; there are rules for it, but for other ports"),
        (
            cilium(&format!("{{endpointSelector: {{}}, egress: [{{toEndpoints: [{{matchLabels: {{io.kubernetes.pod.namespace: kube-system, k8s-app: coredns}}}}], {ports}}}]}}")),
            "UDP and TCP",
            "CiliumNetworkPolicy c selects it and no rule of egress admits UDP/5353 to kube-system k8s-app=kube-dns; its peer io.kubernetes.pod.namespace=kube-system,k8s-app=coredns is another",
        ),
    ] {
        assert_eq!(why(policy), (protocol.into(), expected.to_owned()));
    }
}
