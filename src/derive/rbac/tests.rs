use serde_json::{Value, json};

use crate::derive::testing::derived;

/// A ClusterRole or, with a namespace, a Role of the rules given.
fn role(namespace: &str, name: &str, rules: &str) -> String {
    let (kind, namespace) = scoped("Role", namespace);
    let name = json!(name);
    format!(
        "---\n{{apiVersion: rbac.authorization.k8s.io/v1, kind: {kind}, metadata: {{name: {name}{namespace}}}, rules: [{rules}]}}\n"
    )
}

/// A ClusterRoleBinding or, with a namespace, a RoleBinding.
fn binding(namespace: &str, name: &str, role: &str, subjects: &str) -> String {
    let (kind, namespace) = scoped("RoleBinding", namespace);
    let (role_kind, role) = role.split_once('/').unwrap();
    let role = json!(role);
    format!(
        "---\n{{apiVersion: rbac.authorization.k8s.io/v1, kind: {kind}, metadata: {{name: {name}{namespace}}}, roleRef: {{kind: {role_kind}, name: {role}}}, subjects: [{subjects}]}}\n"
    )
}

fn scoped(kind: &str, namespace: &str) -> (String, String) {
    match namespace {
        "" => (format!("Cluster{kind}"), String::new()),
        ns => (kind.to_owned(), format!(", namespace: {ns}")),
    }
}

/// `spec` of the object of that name.
fn spec(text: &str, kind: &str, name: &str) -> Value {
    let objects = derived(text, kind);
    let names: Vec<_> = objects.iter().map(|object| object.name()).collect();
    let object = objects.iter().find(|object| object.name() == name);
    let Some(object) = object else {
        panic!("no {name} among {names:?}")
    };
    Value::from(object.root.get("spec").unwrap())
}

const ALICE: &str = "{kind: User, name: alice}";
const OPS: &str = "{kind: ServiceAccount, namespace: ops, name: bot}";

#[test]
fn cluster_admin_is_a_matter_of_scope_and_of_rules_not_of_the_name() {
    let text = role(
        "",
        "root",
        r#"{apiGroups: ["*"], resources: ["*"], verbs: ["*"]}"#,
    ) + &role(
        "",
        "cluster-admin",
        r#"{apiGroups: ["*"], resources: ["*"], verbs: ["*"]}"#,
    ) + &role(
        "",
        "almost",
        r#"{apiGroups: ["*"], resources: ["*"], verbs: ["*"], resourceNames: [a]}"#,
    ) + &binding(
        "",
        "a",
        "ClusterRole/root",
        &format!("{ALICE}, {OPS}, {ALICE}"),
    ) + &binding("", "b", "ClusterRole/almost", "{kind: User, name: bob}")
        + &binding(
            "shop",
            "c",
            "ClusterRole/cluster-admin",
            "{kind: Group, name: shop}",
        );
    let alice = spec(&text, "Grant", "User:alice");
    assert_eq!(
        alice,
        json!({
            "kind": "User", "name": "alice", "system": false, "everyone": false,
            "bindings": [{"kind": "ClusterRoleBinding", "name": "a", "role": "root",
                "roleKind": "ClusterRole", "scope": "cluster", "builtin": false}],
            "clusterAdmin": true,
            "secrets": {"cluster": ["create", "delete", "deletecollection", "get", "list", "patch",
                "update", "watch"], "namespaces": []},
            "escalations": ["everything"],
        })
    );
    let bot = spec(&text, "Grant", "ServiceAccount:ops:bot");
    assert_eq!(
        (&bot["clusterAdmin"], &bot["namespace"]),
        (&json!(true), &json!("ops"))
    );
    let bob = spec(&text, "Grant", "User:bob");
    assert_eq!(bob["clusterAdmin"], false);
    assert_eq!(bob["secrets"]["cluster"], json!([]));
    let shop = spec(&text, "Grant", "Group:shop");
    assert_eq!(shop["clusterAdmin"], false);
    assert_eq!(
        shop["secrets"],
        json!({"cluster": [], "namespaces": ["shop"]})
    );
    assert_eq!(shop["escalations"], json!(["everything in shop"]));
}

#[test]
fn manifests_name_default_roles_without_writing_them() {
    let text = binding("", "a", "ClusterRole/cluster-admin", ALICE)
        + &binding("", "b", "ClusterRole/edit", "{kind: User, name: bob}")
        + &binding("shop", "c", "ClusterRole/edit", "{kind: User, name: carol}")
        + &binding(
            "kube-system",
            "d",
            "ClusterRole/edit",
            "{kind: User, name: dave}",
        )
        + &binding("", "e", "ClusterRole/gone", "{kind: User, name: eve}");
    assert_eq!(spec(&text, "Grant", "User:alice")["clusterAdmin"], true);
    assert_eq!(
        spec(&text, "Grant", "User:bob")["escalations"],
        json!([
            "create pods cluster-wide",
            "create pods/exec cluster-wide",
            "create serviceaccounts/token",
            "impersonate service accounts"
        ])
    );
    assert_eq!(spec(&text, "Grant", "User:carol")["escalations"], json!([]));
    assert_eq!(
        spec(&text, "Grant", "User:dave")["escalations"],
        json!([
            "create serviceaccounts/token in kube-system",
            "impersonate service accounts in kube-system"
        ])
    );
    let eve = spec(&text, "Grant", "User:eve");
    assert_eq!(eve["bindings"][0]["missing"], true);
    assert_eq!(eve["secrets"], json!({"cluster": [], "namespaces": []}));
}

#[test]
fn aggregated_rules_count_also_over_several_steps_and_in_a_circle() {
    let aggregates = |name: &str, label: &str, wanted: &str| {
        format!(
            "---\n{{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole, metadata: {{name: {name}, labels: {{{label}: 'true'}}}}, aggregationRule: {{clusterRoleSelectors: [{{matchLabels: {{{wanted}: 'true'}}}}]}}, rules: []}}\n"
        )
    };
    let text = aggregates("top", "t", "m")
        + &aggregates("middle", "m", "l")
        + &aggregates("bottom", "l", "t")
        + "---\n{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole, metadata: {name: leaf, labels: {l: 'true'}}, rules: [{apiGroups: ['', apps], resources: [secrets], verbs: [list]}]}\n"
        + &binding("", "a", "ClusterRole/top", ALICE);
    assert_eq!(
        spec(&text, "Grant", "User:alice")["secrets"]["cluster"],
        json!(["list"])
    );
}

#[test]
fn only_core_secrets_without_names_count_and_each_binding_where_it_holds() {
    let text = role(
        "",
        "named",
        "{apiGroups: [''], resources: [secrets], resourceNames: [tls], verbs: [get]}",
    ) + &role(
        "",
        "other",
        "{apiGroups: [secrets.example.com], resources: [secrets], verbs: ['*']}",
    ) + &role(
        "",
        "sub",
        "{apiGroups: [''], resources: ['secrets/status', '*/scale'], verbs: [get]}",
    ) + &role(
        "",
        "reader",
        "{apiGroups: ['*'], resources: ['*'], verbs: [get, watch]}",
    ) + &role(
        "shop",
        "reader",
        "{apiGroups: [''], resources: [secrets], verbs: ['*']}",
    ) + &binding("", "a", "ClusterRole/named", ALICE)
        + &binding("", "b", "ClusterRole/other", ALICE)
        + &binding("", "c", "ClusterRole/sub", ALICE)
        + &binding("shop", "d", "Role/reader", ALICE)
        + &binding("web", "e", "Role/reader", ALICE)
        + &binding("blog", "f", "ClusterRole/reader", ALICE)
        + &binding("", "g", "ClusterRole/reader", OPS);
    let alice = spec(&text, "Grant", "User:alice");
    assert_eq!(
        alice["secrets"],
        json!({"cluster": [], "namespaces": ["blog", "shop"]})
    );
    assert_eq!(alice["bindings"].as_array().unwrap().len(), 6);
    let bot = spec(&text, "Grant", "ServiceAccount:ops:bot");
    assert_eq!(bot["secrets"]["cluster"], json!(["get", "watch"]));
    assert_eq!(bot["escalations"], json!(["nodes/proxy"]));
}

#[test]
fn escalations_by_resource_subresource_and_name() {
    let rules = |text: &str| {
        let text = role("", "r", text) + &binding("", "b", "ClusterRole/r", ALICE);
        spec(&text, "Grant", "User:alice")["escalations"].clone()
    };
    let one = |group: &str, resource: &str, verb: &str| {
        rules(&format!(
            "{{apiGroups: ['{group}'], resources: ['{resource}'], verbs: ['{verb}']}}"
        ))
    };
    let rbac = "rbac.authorization.k8s.io";
    assert_eq!(one(rbac, "clusterroles", "bind"), json!(["bind roles"]));
    assert_eq!(one(rbac, "roles", "escalate"), json!(["escalate roles"]));
    assert_eq!(one(rbac, "roles", "create"), json!([]));
    assert_eq!(one(rbac, "rolebindings", "bind"), json!([]));
    assert_eq!(one("", "groups", "impersonate"), json!(["impersonate"]));
    assert_eq!(
        one("", "pods", "create"),
        json!(["create pods cluster-wide"])
    );
    assert_eq!(
        one("", "*/exec", "create"),
        json!(["create pods/exec cluster-wide"])
    );
    assert_eq!(one("", "pods/exec", "get"), json!([]));
    assert_eq!(one("*", "nodes/proxy", "get"), json!(["nodes/proxy"]));
    assert_eq!(one("", "nodes", "*"), json!([]));
    assert_eq!(
        one("", "serviceaccounts/token", "create"),
        json!(["create serviceaccounts/token"])
    );
    assert_eq!(
        one(
            "certificates.k8s.io",
            "certificatesigningrequests/approval",
            "update"
        ),
        json!(["approve CSRs"])
    );
    assert_eq!(
        one("admissionregistration.k8s.io", "*", "patch"),
        json!(["write webhook configurations"])
    );
    assert_eq!(
        one("", "persistentvolumes", "*"),
        json!(["create persistentvolumes"])
    );
    assert_eq!(one("", "persistentvolumeclaims", "create"), json!([]));
    // With names it is what the names are.
    let named = |name: &str| {
        rules(&format!(
            "{{apiGroups: ['{rbac}'], resources: [clusterroles], verbs: [bind], resourceNames: [{name}]}}"
        ))
    };
    assert_eq!(named("view"), json!([]));
    assert_eq!(named("cluster-admin"), json!(["bind roles"]));
}

#[test]
fn escalations_within_namespaces_name_some_of_them() {
    let mut text = role(
        "",
        "r",
        "{apiGroups: [''], resources: [serviceaccounts/token, pods], verbs: [create]}",
    );
    for namespace in ["a", "b", "c", "d", "e"] {
        text += &binding(namespace, "b", "ClusterRole/r", ALICE);
    }
    assert_eq!(
        spec(&text, "Grant", "User:alice")["escalations"],
        json!(["create serviceaccounts/token in a, b, c and 2 more"])
    );
    text += &binding("", "all", "ClusterRole/r", ALICE);
    assert_eq!(
        spec(&text, "Grant", "User:alice")["escalations"],
        json!(["create pods cluster-wide", "create serviceaccounts/token"])
    );
}

#[test]
fn system_everyone_and_what_kubernetes_binds_itself() {
    let proxy = "{kind: ServiceAccount, namespace: kube-system, name: kube-proxy}";
    let tiller = "{kind: ServiceAccount, namespace: kube-system, name: tiller}";
    let text = binding("", "a", "ClusterRole/system:node-proxier", proxy)
        + &binding(
            "",
            "b",
            "ClusterRole/cluster-admin",
            &format!("{tiller}, {{kind: Group, name: 'system:masters'}}"),
        )
        + &binding(
            "",
            "c",
            "ClusterRole/system:discovery",
            "{kind: Group, name: 'system:authenticated'}, {kind: Group, name: 'system:unauthenticated'}",
        )
        + &binding(
            "",
            "d",
            "ClusterRole/view",
            "{kind: Group, name: 'system:serviceaccounts:shop'}, {kind: User, name: 'system:anonymous'}",
        )
        + &binding(
            "",
            "e",
            "ClusterRole/view",
            "{kind: User, name: 'system:serviceaccount:ops:bot'}",
        )
        + &binding("ops", "f", "ClusterRole/view", OPS);
    let is = |name: &str| {
        let spec = spec(&text, "Grant", name);
        let flags = ["system", "everyone"].map(|field| spec[field].as_bool().unwrap());
        (flags, spec["bindings"][0]["builtin"].as_bool().unwrap())
    };
    assert_eq!(
        is("ServiceAccount:kube-system:kube-proxy"),
        ([true, false], true)
    );
    assert_eq!(
        is("ServiceAccount:kube-system:tiller"),
        ([false, false], false)
    );
    assert_eq!(is("Group:system:masters"), ([true, false], true));
    assert_eq!(is("Group:system:authenticated"), ([false, true], true));
    assert_eq!(is("Group:system:unauthenticated"), ([false, true], false));
    assert_eq!(is("User:system:anonymous"), ([false, true], false));
    assert_eq!(
        is("Group:system:serviceaccounts:shop"),
        ([false, false], false)
    );
    // One subject, by whichever of its names it is bound.
    let bot = spec(&text, "Grant", "ServiceAccount:ops:bot");
    assert_eq!(bot["bindings"].as_array().unwrap().len(), 2);
}

#[test]
fn wildcards_of_bound_roles() {
    let text = role(
        "",
        "wide",
        "{apiGroups: [apps], resources: ['*'], verbs: [get]}, {apiGroups: [''], resources: [pods], verbs: ['*']}, {nonResourceURLs: [/metrics], verbs: ['*']}",
    ) + &role(
        "shop",
        "wide",
        "{apiGroups: ['*'], resources: [pods], verbs: [get]}",
    ) + &role(
        "",
        "unbound",
        "{apiGroups: ['*'], resources: ['*'], verbs: ['*']}",
    ) + &role(
        "",
        "nobody",
        "{apiGroups: ['*'], resources: ['*'], verbs: ['*']}",
    ) + &role(
        "",
        "system:x",
        "{apiGroups: ['*'], resources: ['*'], verbs: ['*']}",
    ) + &role(
        "",
        "esc\u{1b}[31m",
        "{apiGroups: [''], resources: [pods], verbs: [get]}",
    ) + &binding("", "a", "ClusterRole/wide", ALICE)
        + &binding("web", "a", "ClusterRole/wide", ALICE)
        + &binding("shop", "a", "Role/wide", ALICE)
        + &binding("", "n", "ClusterRole/nobody", "")
        + &binding("", "s", "ClusterRole/system:x", ALICE)
        + &binding("", "m", "ClusterRole/missing", ALICE)
        + &binding("", "e", "ClusterRole/esc\u{1b}[31m", ALICE);
    let uses = derived(&text, "RoleUse");
    let names: Vec<_> = uses.iter().map(|o| (o.namespace(), o.name())).collect();
    assert_eq!(
        names,
        [
            (None, "ClusterRole:esc\u{1b}[31m"),
            (None, "ClusterRole:system:x"),
            (None, "ClusterRole:wide"),
            (Some("shop"), "Role:wide"),
        ]
    );
    assert_eq!(
        spec(&text, "RoleUse", "ClusterRole:wide"),
        json!({"kind": "ClusterRole", "name": "wide", "bound": 2, "system": false, "wildcards": [
            "every resource of apps", "every verb on /metrics", "every verb on pods"]})
    );
    assert_eq!(
        spec(&text, "RoleUse", "Role:wide")["wildcards"],
        json!(["pods of every API group"])
    );
    assert_eq!(
        spec(&text, "RoleUse", "ClusterRole:system:x")["system"],
        true
    );
}

#[test]
fn service_accounts_that_exist_or_are_bound() {
    let text = "{apiVersion: v1, kind: ServiceAccount, metadata: {name: api, namespace: shop}, automountServiceAccountToken: false}\n".to_owned()
        + &binding("shop", "a", "Role/r", "{kind: ServiceAccount, name: default}, {kind: User, name: 'system:serviceaccount:shop:api'}")
        + &binding("", "b", "ClusterRole/view", OPS);
    let api = spec(&text, "ServiceAccount", "api");
    assert_eq!(
        (&api["exists"], &api["automount"]),
        (&json!(true), &json!(false))
    );
    assert_eq!(api["bindings"][0]["scope"], "shop");
    assert_eq!(api["default"]["bindings"], 1);
    let bot = spec(&text, "ServiceAccount", "bot");
    assert_eq!(
        (&bot["exists"], bot.get("automount")),
        (&json!(false), None)
    );
    assert_eq!(bot["default"]["bindings"], 0);
}
