//! What each subject was given.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde_json::{Value, json};

use super::{Binding, RoleKey, Roles, Subject, bindings, escalation, object, roles::PolicyRule};
use crate::model::{Inventory, Node};

/// Longest list of namespaces in the text of an escalation.
const NAMED: usize = 3;

/// Verbs that matter on Secrets.
const SECRET_VERBS: [&str; 8] = [
    "get",
    "list",
    "watch",
    "create",
    "update",
    "patch",
    "delete",
    "deletecollection",
];

/// Roles that the control plane and kubeadm give to more than their own components.
const DEFAULTS: [(&str, &str); 8] = [
    ("system:authenticated", "system:basic-user"),
    ("system:authenticated", "system:discovery"),
    ("system:authenticated", "system:public-info-viewer"),
    ("system:unauthenticated", "system:public-info-viewer"),
    (
        "system:serviceaccounts",
        "system:service-account-issuer-discovery",
    ),
    ("system:anonymous", "kubeadm:bootstrap-signer-clusterinfo"),
    ("system:masters", "cluster-admin"),
    ("kubeadm:cluster-admins", "cluster-admin"),
];

/// What a role gives, computed once however often it is bound.
struct Powers {
    exists: bool,
    everything: bool,
    secrets: Vec<&'static str>,
    clusterwide: Vec<&'static str>,
    in_namespace: Vec<&'static str>,
}

impl Powers {
    fn of(rules: Option<Vec<PolicyRule<'_>>>) -> Self {
        let exists = rules.is_some();
        let rules = rules.unwrap_or_default();
        let secrets = |verb: &&str| {
            rules.iter().any(|rule| {
                rule.is_unrestricted() && rule.covers("", "secrets") && rule.allows(verb)
            })
        };
        Powers {
            exists,
            everything: rules.iter().any(|rule| rule.is_everything()),
            secrets: SECRET_VERBS.into_iter().filter(secrets).collect(),
            clusterwide: escalation::paths(&rules, true),
            in_namespace: escalation::paths(&rules, false),
        }
    }
}

/// The rights of one subject, as its bindings add up.
#[derive(Default)]
struct Rights<'a> {
    bindings: Vec<Value>,
    roles: BTreeSet<RoleKey<'a>>,
    cluster_admin: bool,
    secrets: BTreeSet<&'static str>,
    secret_namespaces: BTreeSet<&'a str>,
    /// Ways up, and the namespaces they are within; none for the whole cluster.
    escalations: BTreeMap<&'static str, BTreeSet<&'a str>>,
}

impl<'a> Rights<'a> {
    fn add(&mut self, subject: &Subject<'_>, binding: &Binding<'a>, powers: &Powers) {
        let mut json = binding.json();
        json.insert("builtin".into(), json!(is_default(subject, binding.role)));
        if !powers.exists {
            json.insert("missing".into(), json!(true));
        }
        self.bindings.push(Value::Object(json));
        self.roles.insert(binding.role);
        if binding.scope.is_empty() {
            self.cluster_admin |= powers.everything;
            self.secrets.extend(&powers.secrets);
            for path in &powers.clusterwide {
                self.escalations.insert(path, BTreeSet::new());
            }
            return;
        }
        if !powers.secrets.is_empty() {
            self.secret_namespaces.insert(binding.scope);
        }
        // Within a namespace `admin` and `edit` are made to be handed out. In kube-system they
        // are the rights of every controller.
        let everyday = binding.role.is_user_facing() && binding.role.name != "cluster-admin";
        if everyday && binding.scope != "kube-system" {
            return;
        }
        for path in &powers.in_namespace {
            match self.escalations.get_mut(path) {
                Some(namespaces) if namespaces.is_empty() => {}
                Some(namespaces) => {
                    namespaces.insert(binding.scope);
                }
                None => {
                    self.escalations
                        .insert(path, BTreeSet::from([binding.scope]));
                }
            }
        }
    }
}

/// One `Grant` per subject.
pub(super) fn grants(inventory: &Inventory) -> Vec<Node> {
    let roles = Roles::of(inventory);
    let mut powers: HashMap<RoleKey, Powers> = HashMap::new();
    let mut subjects: BTreeMap<Subject, Rights> = BTreeMap::new();
    // Those for the whole cluster come first, so that they hide the same within a namespace.
    for binding in bindings(inventory) {
        let powers = powers
            .entry(binding.role)
            .or_insert_with(|| Powers::of(roles.rules(binding.role)));
        for subject in binding.subjects() {
            let rights = subjects.entry(subject).or_default();
            rights.add(&subject, &binding, powers);
        }
    }
    subjects
        .into_iter()
        .map(|(subject, rights)| grant(&subject, rights))
        .collect()
}

fn grant(subject: &Subject<'_>, rights: Rights<'_>) -> Node {
    let everyone = is_everyone(subject);
    let escalations: Vec<String> = match rights.cluster_admin {
        true => vec!["everything".to_owned()],
        false => rights.escalations.iter().map(within).collect(),
    };
    let mut spec = json!({
        "kind": subject.kind,
        "name": subject.name,
        "system": !everyone && is_system(subject, &rights.roles),
        "everyone": everyone,
        "bindings": rights.bindings,
        "clusterAdmin": rights.cluster_admin,
        "secrets": {
            "cluster": rights.secrets,
            "namespaces": rights.secret_namespaces,
        },
        "escalations": escalations,
    });
    if subject.kind == "ServiceAccount" {
        spec["namespace"] = json!(subject.namespace);
    }
    object("", &subject.id(), spec)
}

/// `bind roles`, or `bind roles in a, b, c and 4 more` where it is not for the whole cluster.
fn within((path, namespaces): (&&str, &BTreeSet<&str>)) -> String {
    let named: Vec<&str> = namespaces.iter().take(NAMED).copied().collect();
    match namespaces.len() {
        0 => (*path).to_owned(),
        n if n > NAMED => format!("{path} in {} and {} more", named.join(", "), n - NAMED),
        _ => format!("{path} in {}", named.join(", ")),
    }
}

/// Subjects that are everybody, or every workload.
fn is_everyone(subject: &Subject<'_>) -> bool {
    matches!(
        (subject.kind, subject.name),
        ("User", "system:anonymous")
            | (
                "Group",
                "system:authenticated" | "system:unauthenticated" | "system:serviceaccounts"
            )
    )
}

/// Components of Kubernetes itself: its users and groups, and what runs in kube-system and has
/// only Kubernetes' own roles. Anything else in kube-system was put there by somebody.
fn is_system(subject: &Subject<'_>, roles: &BTreeSet<RoleKey<'_>>) -> bool {
    let own = |name: &str| name.starts_with("system:") || name.starts_with("kubeadm:");
    match (subject.kind, subject.namespace) {
        ("ServiceAccount", "kube-system") => roles.iter().all(|role| own(role.name)),
        ("ServiceAccount", _) => false,
        // The service accounts of one namespace are workloads.
        _ => own(subject.name) && !subject.name.starts_with("system:serviceaccounts:"),
    }
}

/// Whether Kubernetes or kubeadm gives a subject that role on every cluster.
fn is_default(subject: &Subject<'_>, role: RoleKey<'_>) -> bool {
    DEFAULTS.contains(&(subject.name, role.name)) && subject.kind != "ServiceAccount"
        || is_system(subject, &BTreeSet::from([role]))
            && !is_everyone(subject)
            && (role.name.starts_with("system:") || role.name.starts_with("kubeadm:"))
}
