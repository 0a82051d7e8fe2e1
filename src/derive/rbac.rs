//! Who may do what: roles, what they aggregate, and the bindings that give them to subjects.
//!
//! - `Grant`, one per subject of a binding: its bindings, whether it has the run of the cluster,
//!   which Secrets it may touch, and by which rights it could give itself more.
//! - `RoleUse`, one per role that is bound to somebody: its wildcards.
//! - `ServiceAccount`, one per account that exists or is bound: what a workload's token is worth.
//!
//! Rights are those of the subject itself; what it has as a member of a group is the group's.
//! Names are kept as they are written: RBAC takes control characters, and writers escape them.

mod escalation;
mod grants;
mod roles;
mod uses;

use serde_json::{Value, json};

use super::Derivation;
use crate::model::{GroupKind, Inventory, Node, Object};
use roles::{RoleKey, Roles};

const GROUP: &str = "rbac.authorization.k8s.io";

/// Bindings, and the roles they name.
const READS: &[(&str, &[&str])] = &[
    (
        "rbac.authorization.k8s.io/v1/ClusterRole",
        &["metadata.labels", "aggregationRule", "rules"],
    ),
    (
        "rbac.authorization.k8s.io/v1/ClusterRoleBinding",
        &["roleRef", "subjects"],
    ),
    ("rbac.authorization.k8s.io/v1/Role", &["rules"]),
    (
        "rbac.authorization.k8s.io/v1/RoleBinding",
        &["roleRef", "subjects"],
    ),
];

pub(super) const DERIVATIONS: &[Derivation] = &[
    Derivation {
        kind: "Grant",
        namespaced: false,
        reads: READS,
        derive: grants::grants,
    },
    Derivation {
        kind: "RoleUse",
        namespaced: true,
        reads: READS,
        derive: uses::role_uses,
    },
    Derivation {
        kind: "ServiceAccount",
        namespaced: true,
        reads: &[
            (
                "rbac.authorization.k8s.io/v1/ClusterRoleBinding",
                &["roleRef", "subjects"],
            ),
            (
                "rbac.authorization.k8s.io/v1/RoleBinding",
                &["roleRef", "subjects"],
            ),
            ("v1/ServiceAccount", &["automountServiceAccountToken"]),
        ],
        derive: uses::service_accounts,
    },
];

/// Who is given a role.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Subject<'a> {
    /// `User`, `Group` or `ServiceAccount`.
    kind: &'a str,
    /// Of a ServiceAccount; empty otherwise.
    namespace: &'a str,
    name: &'a str,
}

impl<'a> Subject<'a> {
    /// A subject as a binding names it. The user name of a ServiceAccount is the account.
    fn of(node: &'a Node, binding: &'a Object) -> Option<Self> {
        let (kind, name) = (text(node, "kind"), text(node, "name"));
        if kind == "User"
            && let Some((namespace, name)) = name
                .strip_prefix("system:serviceaccount:")
                .and_then(|account| account.split_once(':'))
        {
            return Some(Subject {
                kind: "ServiceAccount",
                namespace,
                name,
            });
        }
        let namespace = match (kind, text(node, "namespace")) {
            ("ServiceAccount", "") => binding.namespace().unwrap_or_default(),
            ("ServiceAccount", namespace) => namespace,
            _ => "",
        };
        (!kind.is_empty() && !name.is_empty()).then_some(Subject {
            kind,
            namespace,
            name,
        })
    }

    /// The name of its `Grant`.
    fn id(&self) -> String {
        match self.kind {
            "ServiceAccount" => format!("{}:{}:{}", self.kind, self.namespace, self.name),
            _ => format!("{}:{}", self.kind, self.name),
        }
    }
}

/// One RoleBinding or ClusterRoleBinding.
#[derive(Clone, Copy)]
struct Binding<'a> {
    object: &'a Object,
    /// Where its role's rights hold; empty for the whole cluster.
    scope: &'a str,
    role: RoleKey<'a>,
}

impl<'a> Binding<'a> {
    /// Every subject once, in order.
    fn subjects(&self) -> Vec<Subject<'a>> {
        let subjects = self
            .object
            .root
            .get("subjects")
            .map_or(&[][..], Node::items);
        let mut subjects: Vec<Subject> = subjects
            .iter()
            .filter_map(|subject| Subject::of(subject, self.object))
            .collect();
        subjects.sort();
        subjects.dedup();
        subjects
    }

    /// As it stands in `spec.bindings` of a `Grant` and a `ServiceAccount`.
    fn json(&self) -> serde_json::Map<String, Value> {
        let mut fields = serde_json::Map::new();
        let mut set = |field: &str, value: &str| {
            fields.insert(field.to_owned(), json!(value));
        };
        set("kind", &self.object.kind.kind);
        set("name", self.object.name());
        if let Some(namespace) = self.object.namespace() {
            set("namespace", namespace);
        }
        set("role", self.role.name);
        set("roleKind", self.role.kind());
        set(
            "scope",
            match self.scope {
                "" => "cluster",
                namespace => namespace,
            },
        );
        fields
    }
}

/// All bindings.
fn bindings(inventory: &Inventory) -> impl Iterator<Item = Binding<'_>> {
    let of = |kind: &str| inventory.objects(&GroupKind::new(GROUP, kind)).iter();
    let all = of("ClusterRoleBinding").chain(of("RoleBinding"));
    all.filter_map(|object| {
        let scope = match &*object.kind.kind {
            "RoleBinding" => object.namespace().unwrap_or("default"),
            _ => "",
        };
        let role = object.root.get("roleRef")?;
        let namespace = match text(role, "kind") {
            "Role" => scope,
            _ => "",
        };
        Some(Binding {
            object,
            scope,
            role: RoleKey {
                namespace,
                name: text(role, "name"),
            },
        })
    })
}

/// A text field; empty if it has none.
fn text<'a>(node: &'a Node, field: &str) -> &'a str {
    node.get(field).and_then(Node::as_str).unwrap_or_default()
}

/// An object of a derived kind.
fn object(namespace: &str, name: &str, spec: Value) -> Node {
    let mut metadata = json!({ "name": name });
    if !namespace.is_empty() {
        metadata["namespace"] = json!(namespace);
    }
    Node::from(json!({ "metadata": metadata, "spec": spec }))
}

#[cfg(test)]
mod tests;
