//! Policies of every engine, and what they are worth.

use super::*;
use crate::derive::testing::derived;

/// A namespace with a workload, under Kyverno and Gatekeeper that run.
const CLUSTER: &str = "
{apiVersion: v1, kind: Namespace, metadata: {name: shop, labels: {tier: web}}}
---
{apiVersion: apps/v1, kind: StatefulSet, metadata: {name: web, namespace: shop}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: kyverno-admission-controller, namespace: kyverno}
spec: {template: {spec: {containers: [{image: 'reg.kyverno.io/kyverno/kyverno:v1.15.1'}]}}}
status: {readyReplicas: 3}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: gatekeeper-controller-manager, namespace: gatekeeper-system}
spec: {template: {spec: {containers: [{image: 'openpolicyagent/gatekeeper:v3.20.0@sha256:abc'}]}}}
status: {readyReplicas: 3}
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata: {name: kyverno-resource-validating-webhook-cfg}
webhooks:
  - {name: a, rules: [{operations: ['*'], resources: ['pods']}], namespaceSelector: {matchExpressions: [{key: kubernetes.io/metadata.name, operator: NotIn, values: [kube-system]}]}}
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata: {name: gatekeeper-validating-webhook-configuration}
webhooks: [{name: a, rules: [{operations: [CREATE], resources: ['*']}]}]
---
";

/// What a control is worth in the namespace `shop` under some policies, and the remarks.
fn worth(policies: &str, control: &str) -> (f64, String) {
    let found = derived(&format!("{CLUSTER}{policies}"), "NamespaceAdmission");
    let shop = found
        .iter()
        .find(|object| object.namespace() == Some("shop"))
        .unwrap();
    let control = shop.root.at(&["spec", "controls", control]).unwrap();
    let Some(Node::Float(credit)) = control.get("credit") else {
        panic!("{control:?}")
    };
    let words = ["by", "notes"].map(|field| texts(control, &[field]).join("; "));
    (*credit, words.join(" | "))
}

/// A Kyverno policy of one rule about Pods.
fn kyverno(name: &str, action: &str, rule: &str) -> String {
    format!(
        "---\napiVersion: kyverno.io/v1\nkind: ClusterPolicy\nmetadata: {{name: {name}}}\n\
         spec: {{validationFailureAction: {action}, rules: [{{name: rule, match: {{any: [{{resources: {{kinds: [Pod]}}}}]}}, {rule}}}]}}\n"
    )
}

fn pattern(container: &str) -> String {
    format!(
        "validate: {{pattern: {{spec: {{'=(initContainers)': [{container}], containers: [{container}]}}}}}}"
    )
}

fn constraint(kind: &str, spec: &str) -> String {
    format!(
        "---\napiVersion: constraints.gatekeeper.sh/v1beta1\nkind: {kind}\nmetadata: {{name: c}}\nspec: {spec}\n"
    )
}

fn admission_policy(actions: &str, expression: &str) -> String {
    format!(
        "---\napiVersion: admissionregistration.k8s.io/v1\nkind: ValidatingAdmissionPolicy\nmetadata: {{name: p}}\n\
         spec:\n  matchConstraints: {{resourceRules: [{{apiGroups: [''], apiVersions: [v1], operations: [CREATE], resources: [pods]}}]}}\n  \
         validations:\n  - expression: |-\n      {expression}\n---\napiVersion: admissionregistration.k8s.io/v1\n\
         kind: ValidatingAdmissionPolicyBinding\nmetadata: {{name: b}}\nspec: {{policyName: p, validationActions: {actions}}}\n"
    )
}

const ALL: &str = "(object.spec.containers + object.spec.?initContainers.orValue([])).all(c, ";

#[test]
fn the_same_control_is_worth_the_same_under_every_engine() {
    let label = "---\n{apiVersion: v1, kind: Namespace, metadata: {name: shop, labels: {pod-security.kubernetes.io/enforce: baseline}}}";
    let unprivileged = pattern("{=(securityContext): {=(privileged): false}}");
    let engines = [
        kyverno("disallow-privileged-containers", "Enforce", &unprivileged),
        kyverno("any-name", "enforce", &unprivileged),
        kyverno("s", "Enforce", "validate: {podSecurity: {level: baseline}}"),
        constraint("K8sPSPPrivilegedContainer", "{}"),
        admission_policy(
            "[Deny]",
            &format!("{ALL}!c.?securityContext.?privileged.orValue(false))"),
        ),
        label.to_owned(),
    ];
    for engine in &engines {
        let (credit, words) = worth(engine, "deny-privileged");
        assert_eq!(credit, 1.0, "{engine}\n{words}");
    }
    let audits = [
        kyverno("disallow-privileged-containers", "Audit", &unprivileged),
        constraint("K8sPSPPrivilegedContainer", "{enforcementAction: dryrun}"),
        admission_policy(
            "[Warn, Audit]",
            &format!("{ALL}!c.?securityContext.?privileged.orValue(false))"),
        ),
        label.replace("enforce", "audit"),
    ];
    for engine in &audits {
        let (credit, words) = worth(engine, "deny-privileged");
        assert_eq!(credit, 0.5, "{engine}\n{words}");
    }
    for engine in engines.iter().chain(&audits) {
        let (credit, words) = worth(engine, "deny-latest-tag");
        assert_eq!(credit, 0.0, "{engine}\n{words}");
    }
}

#[test]
fn a_policy_is_worth_what_it_refuses() {
    let enforced = |name: &str, container: &str| kyverno(name, "Enforce", &pattern(container));
    let cases: Vec<(String, &str, f64, &str)> = vec![
        (enforced("disallow-latest-tag", "{image: '!*:latest'}"), "deny-latest-tag", 0.5, "without a tag"),
        (enforced("disallow-latest-tag", "{image: '*:* & !*:latest'}"), "deny-latest-tag", 1.0, "blocks"),
        (
            enforced("one", "{image: '*:*'}") + &enforced("two", "{image: '!*:latest'}"),
            "deny-latest-tag", 1.0, "two blocks",
        ),
        (enforced("disallow-latest-tag", "{name: '?*'}"), "deny-latest-tag", 0.0, ""),
        (
            enforced("registries", "{image: 'docker.io/* | quay.io/* | *:5000/*'}"),
            "restrict-registries", 0.5, "port 5000",
        ),
        (
            enforced("registries", "{image: 'docker.io/*'}"),
            "restrict-registries", 1.0, "refuses redis, which is the same",
        ),
        (
            kyverno("registries", "Enforce", "validate: {pattern: {spec: {containers: [{image: 'eu.example.com/*'}]}}}"),
            "restrict-registries", 0.5, "any registry in init containers",
        ),
        (enforced("x", "{resources: {limits: {cpu: '?*', memory: '?*'}}}"), "require-limits", 1.0, ""),
        (enforced("x", "{resources: {limits: {cpu: '?*'}}}"), "require-limits", 0.5, "memory limit"),
        (
            enforced("x", "{securityContext: {'=(allowPrivilegeEscalation)': false}}"),
            "deny-privilege-escalation", 0.5, "do not say",
        ),
        (enforced("x", "{securityContext: {capabilities: {drop: [ALL]}}}"), "drop-all-capabilities", 1.0, ""),
        (
            kyverno("disallow-latest-tag", "Enforce", "validate: {deny: {conditions: {}}}"),
            "deny-latest-tag", 1.0, "taken at its word",
        ),
        (
            kyverno("x", "Enforce", "validate: {cel: {expressions: [{expression: 'object.spec.containers.all(c, c.image.contains(\":\") && !c.image.endsWith(\":latest\"))'}]}}"),
            "deny-latest-tag", 1.0, "",
        ),
        (
            admission_policy("[Deny]", "object.spec.containers.all(c, c.image.startsWith('eu.example.com/'))"),
            "restrict-registries", 0.5, "init containers",
        ),
        (admission_policy("[Deny]", "params.replicas > 1"), "deny-privileged", 0.0, ""),
        (constraint("K8sDisallowedTags", "{parameters: {tags: [latest]}}"), "deny-latest-tag", 1.0, ""),
        (constraint("K8sDisallowedTags", "{parameters: {tags: [dev]}}"), "deny-latest-tag", 0.0, ""),
        (constraint("K8sAllowedRepos", "{parameters: {repos: ['']}}"), "restrict-registries", 0.0, ""),
        (
            constraint("K8sPSPPrivilegedContainer", "{parameters: {exemptImages: ['*']}}"),
            "deny-privileged", 0.0, "",
        ),
        (
            "---\napiVersion: v1\nkind: LimitRange\nmetadata: {name: l, namespace: shop}\nspec: {limits: [{type: Container, default: {cpu: 1, memory: 1Gi}}]}".into(),
            "require-limits", 1.0, "LimitRange l",
        ),
        (
            kyverno("x", "Audit", "generate: {kind: NetworkPolicy}").replace("[Pod]", "[Namespace]"),
            "require-netpol", 1.0, "blocks",
        ),
        (
            kyverno("require-network-policy-label", "Enforce", "validate: {pattern: {metadata: {labels: {np: 'true'}}}}").replace("[Pod]", "[Namespace]"),
            "require-netpol", 0.5, "a label of the Namespace only",
        ),
        (
            kyverno("x", "Enforce", "verifyImages: [{imageReferences: ['*'], attestors: [{count: 1}]}]"),
            "verify-signatures", 1.0, "",
        ),
        (
            kyverno("x", "Enforce", &pattern("{=(securityContext): {=(privileged): false}}")).replace("[Pod]", "[Deployment]")
                .replace("{spec: {'", "{spec: {template: {spec: {'").replace("}]}}}", "}]}}}}}"),
            "deny-privileged", 0.5, "nothing looks at StatefulSet, DaemonSet or lone Pods",
        ),
    ];
    for (policies, control, credit, words) in cases {
        let (found, said) = worth(&policies, control);
        assert_eq!(found, credit, "{policies}\n{said}");
        assert!(
            said.contains(words),
            "{policies}\nsays {said:?}, not {words:?}"
        );
    }
}

#[test]
fn a_policy_holds_where_it_says() {
    let rule = "validate: {pattern: {spec: {containers: [{image: '*:* & !*:latest'}]}}}";
    let policy = kyverno("p", "Enforce", rule);
    let named = |with: &str| policy.replace("kinds: [Pod]", &format!("kinds: [Pod], {with}"));
    let cases: Vec<(String, f64)> = vec![
        (named("namespaces: ['sh*']"), 1.0),
        (named("namespaces: [other]"), 0.0),
        (named("namespaceSelector: {matchLabels: {tier: web}}"), 1.0),
        (named("namespaceSelector: {matchExpressions: [{key: tier, operator: NotIn, values: [web]}]}"), 0.0),
        (named("selector: {matchLabels: {a: b}}"), 0.0),
        (named("operations: [DELETE]"), 0.0),
        (policy.replace("validate:", "exclude: {any: [{resources: {namespaces: [shop]}}]}, validate:"), 0.0),
        (policy.replace("validate:", "exclude: {any: [{resources: {namespaces: [kube-system]}}]}, validate:"), 1.0),
        (policy.replace("validate:", "exclude: {any: [{subjects: [{kind: User, name: root}]}]}, validate:"), 1.0),
        (policy.replace("spec: {vali", "spec: {validationFailureActionOverrides: [{action: audit, namespaces: [shop]}], vali"), 0.5),
        (policy.replace("validate: {", "validate: {failureAction: Audit, "), 0.5),
        (policy.replace("spec: {vali", "spec: {admission: false, vali"), 0.5),
        (policy.clone() + "status: {conditions: [{type: Ready, status: 'False', message: bad}]}\n", 0.0),
        (
            policy.clone() + "---\napiVersion: kyverno.io/v2\nkind: PolicyException\nmetadata: {name: e, namespace: x}\n\
             spec: {exceptions: [{policyName: p, ruleNames: ['*']}], match: {any: [{resources: {kinds: [Pod], namespaces: [shop]}}]}}\n",
            0.0,
        ),
        (
            policy.clone() + "---\napiVersion: kyverno.io/v2\nkind: PolicyException\nmetadata: {name: e, namespace: x}\n\
             spec: {exceptions: [{policyName: p, ruleNames: ['*']}], match: {any: [{resources: {kinds: [Pod], namespaces: [shop], names: [one]}}]}}\n",
            1.0,
        ),
        (
            constraint("K8sDisallowedTags", "{parameters: {tags: [latest]}, match: {excludedNamespaces: ['s*']}}"),
            0.0,
        ),
        (
            constraint("K8sDisallowedTags", "{parameters: {tags: [latest]}}")
                + "---\napiVersion: config.gatekeeper.sh/v1alpha1\nkind: Config\nmetadata: {name: config, namespace: g}\nspec: {match: [{processes: [webhook], excludedNamespaces: [shop]}]}\n",
            0.0,
        ),
    ];
    for (policies, credit) in cases {
        let (found, said) = worth(&policies, "deny-latest-tag");
        assert_eq!(found, credit, "{policies}\n{said}");
    }
    // The engine itself must be there, and look.
    for gone in [
        "readyReplicas: 3",
        "kyverno/kyverno:v1.15.1",
        "resources: ['pods']",
    ] {
        let cluster = CLUSTER.replacen(gone, "x: 1", 1).replace("[x: 1]", "[]");
        let found = derived(&format!("{cluster}{policy}"), "NamespaceAdmission");
        let shop = found
            .iter()
            .find(|object| object.namespace() == Some("shop"))
            .unwrap();
        let credit = shop
            .root
            .at(&["spec", "controls", "deny-latest-tag", "credit"]);
        assert_eq!(credit, Some(&Node::Float(0.0)), "{gone}");
    }
}

#[test]
fn hostile_policies_are_policies_that_do_nothing() {
    let deep = format!("{}1{}", "[".repeat(40), "]".repeat(40));
    for rule in [
        "validate: {pattern: []}".to_owned(),
        "validate: {pattern: {spec: {containers: []}}}".to_owned(),
        "validate: {pattern: '{{ x }}'}".to_owned(),
        format!("validate: {{pattern: {{spec: {deep}}}}}"),
        "validate: {anyPattern: 3}".to_owned(),
        "validate: {cel: {expressions: [{expression: '((('}]}}".to_owned(),
        "validate: {cel: {expressions: [{expression: 'object.a.b.c'}]}}".to_owned(),
        "verifyImages: 1".to_owned(),
    ] {
        let (credit, said) = worth(&kyverno("p", "Enforce", &rule), "deny-privileged");
        assert_eq!(credit, 0.0, "{rule}\n{said}");
    }
}
