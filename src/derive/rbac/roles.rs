//! Roles with the rules they really have.

use std::{
    collections::{HashMap, HashSet},
    sync::LazyLock,
};

use serde_json::json;

use super::{GROUP, text};
use crate::model::{GroupKind, Inventory, Node, Object};

/// A Role, or a ClusterRole, which has no namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct RoleKey<'a> {
    pub namespace: &'a str,
    pub name: &'a str,
}

impl RoleKey<'_> {
    pub fn kind(&self) -> &'static str {
        match self.namespace {
            "" => "ClusterRole",
            _ => "Role",
        }
    }

    /// Whether it is one of the roles for people that every cluster has.
    pub fn is_user_facing(&self) -> bool {
        self.namespace.is_empty()
            && matches!(self.name, "cluster-admin" | "admin" | "edit" | "view")
    }
}

/// One element of `rules`.
#[derive(Clone, Copy)]
pub(super) struct PolicyRule<'a>(&'a Node);

impl<'a> PolicyRule<'a> {
    /// The texts of `apiGroups`, `resources`, `verbs`, `resourceNames` or `nonResourceURLs`.
    pub fn list(self, field: &str) -> impl Iterator<Item = &'a str> {
        let items = self.0.get(field).map_or(&[][..], Node::items);
        items.iter().filter_map(Node::as_str)
    }

    pub fn has(self, field: &str, text: &str) -> bool {
        self.list(field).any(|item| item == text)
    }

    /// Whether it is about a resource, written `pods` or, for a subresource, `pods/exec`.
    pub fn covers(self, group: &str, resource: &str) -> bool {
        let subresource = resource.split_once('/').map(|(_, name)| name);
        self.list("apiGroups")
            .any(|item| item == "*" || item == group)
            && self.list("resources").any(|item| {
                item == "*"
                    || item == resource
                    || subresource.is_some() && item.strip_prefix("*/") == subresource
            })
    }

    /// Whether it allows a verb on what it covers.
    pub fn allows(self, verb: &str) -> bool {
        self.list("verbs").any(|item| item == "*" || item == verb)
    }

    /// Whether it holds for every name.
    pub fn is_unrestricted(self) -> bool {
        self.list("resourceNames").next().is_none()
    }

    /// Whether it allows everything on every resource.
    pub fn is_everything(self) -> bool {
        self.is_unrestricted()
            && self.has("verbs", "*")
            && self.has("resources", "*")
            && self.has("apiGroups", "*")
    }
}

/// The roles of a cluster.
pub(super) struct Roles<'a> {
    objects: HashMap<RoleKey<'a>, &'a Object>,
    cluster: &'a [Object],
}

impl<'a> Roles<'a> {
    pub fn of(inventory: &'a Inventory) -> Self {
        let of = |kind: &str| inventory.objects(&GroupKind::new(GROUP, kind));
        let cluster = of("ClusterRole");
        let clusterwide = cluster.iter().map(|role| ("", role));
        let namespaced = of("Role")
            .iter()
            .map(|role| (role.namespace().unwrap_or("default"), role));
        let key = |(namespace, role): (&'a str, &'a Object)| {
            let name = role.name();
            (RoleKey { namespace, name }, role)
        };
        Roles {
            objects: clusterwide.chain(namespaced).map(key).collect(),
            cluster,
        }
    }

    /// The rules of a role with those it aggregates; none if there is no such role.
    pub fn rules(&self, key: RoleKey<'a>) -> Option<Vec<PolicyRule<'a>>> {
        let Some(role) = self.objects.get(&key) else {
            return builtin(key);
        };
        let mut rules = Vec::new();
        let mut seen: HashSet<&str> = HashSet::from([role.name()]);
        let mut open = vec![*role];
        while let Some(role) = open.pop() {
            let own = role.root.get("rules").map_or(&[][..], Node::items);
            rules.extend(own.iter().map(PolicyRule));
            // The controller writes what is aggregated into the role; manifests are without it.
            if key.namespace.is_empty()
                && let Some(selectors) = role.root.at(&["aggregationRule", "clusterRoleSelectors"])
            {
                for other in self.cluster {
                    let labels = other.root.at(&["metadata", "labels"]);
                    let selected = selectors.items().iter().any(|s| selects(s, labels));
                    if selected && seen.insert(other.name()) {
                        open.push(other);
                    }
                }
            }
        }
        Some(rules)
    }
}

/// Whether a LabelSelector matches. An empty one selects everything.
fn selects(selector: &Node, labels: Option<&Node>) -> bool {
    let label = |key: &str| labels.and_then(|labels| labels.get(key)?.as_str());
    let wanted = selector.get("matchLabels").and_then(Node::as_map);
    let expressions = selector
        .get("matchExpressions")
        .map_or(&[][..], Node::items);
    let matches = |expression: &Node| {
        let value = label(text(expression, "key"));
        let values = expression.get("values").map_or(&[][..], Node::items);
        let listed = value.is_some() && values.iter().any(|item| item.as_str() == value);
        match text(expression, "operator") {
            "In" => listed,
            "NotIn" => !listed,
            "Exists" => value.is_some(),
            "DoesNotExist" => value.is_none(),
            _ => false,
        }
    };
    wanted.is_none_or(|wanted| {
        wanted
            .iter()
            .all(|(key, value)| label(key) == value.as_str())
    }) && expressions.iter().all(matches)
}

/// The roles that the API server makes and manifests name without writing them, as far as the
/// questions asked here go.
fn builtin(key: RoleKey<'_>) -> Option<Vec<PolicyRule<'static>>> {
    static EVERYTHING: LazyLock<Node> = LazyLock::new(|| {
        Node::from(json!([{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]))
    });
    static EDIT: LazyLock<Node> = LazyLock::new(|| {
        let writes = [
            "get", "list", "watch", "create", "update", "patch", "delete",
        ];
        Node::from(json!([
            {"apiGroups": [""], "resources": ["secrets"], "verbs": writes},
            {"apiGroups": [""], "resources": ["pods", "pods/exec"], "verbs": writes},
            {"apiGroups": [""], "resources": ["serviceaccounts"], "verbs": ["impersonate"]},
            {"apiGroups": [""], "resources": ["serviceaccounts/token"], "verbs": ["create"]},
        ]))
    });
    let rules: &'static [Node] = match (key.namespace, key.name) {
        ("", "cluster-admin") => EVERYTHING.items(),
        ("", "admin" | "edit") => EDIT.items(),
        ("", "view") => &[],
        _ => return None,
    };
    Some(rules.iter().map(PolicyRule).collect())
}
