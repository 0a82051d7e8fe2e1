//! Calico's own policies, as far as they can be read without their selector language: those for
//! all pods, and those that leave namespaces out by name, as in Calico's documentation.

use super::policy::Direction;
use crate::model::{Inventory, Node, Object};

/// Whether a policy is for the pods of a namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Applies {
    ToAll,
    ToNone,
    /// To those that its selectors say.
    Unread,
}

/// All of Calico's policies.
pub(super) struct Calico<'a> {
    policies: Vec<&'a Object>,
}

impl<'a> Calico<'a> {
    /// Those of an inventory.
    pub fn of(inventory: &'a Inventory) -> Self {
        let kinds = ["projectcalico.org", "crd.projectcalico.org"].into_iter();
        let policies = kinds.flat_map(|group| {
            ["GlobalNetworkPolicy", "NetworkPolicy"]
                .into_iter()
                .flat_map(move |kind| inventory.objects(&super::kind(group, kind)))
        });
        Calico {
            policies: policies.collect(),
        }
    }

    /// The policy by which everything is denied to all pods of a namespace, if there is one.
    pub fn denies(&self, namespace: &str, direction: Direction) -> Option<String> {
        let mut policies = self.policies.iter();
        let found = policies.find(|policy| {
            let rules = spec(policy, direction.name()).map_or(&[][..], Node::items);
            let denies = |rule: &Node| rule.get("action").and_then(Node::as_str) == Some("Deny");
            speaks(policy, direction)
                && applies(policy, namespace) == Applies::ToAll
                && rules.iter().all(denies)
        })?;
        Some(title(found))
    }

    /// The policies of which it cannot be told to which pods of a namespace they apply.
    pub fn unread(&self, namespace: &str, direction: Direction) -> Vec<String> {
        let policies = self.policies.iter();
        policies
            .filter(|policy| speaks(policy, direction))
            .filter(|policy| applies(policy, namespace) == Applies::Unread)
            .map(|policy| title(policy))
            .collect()
    }

    /// The policies that may apply to pods of a namespace, whatever they say.
    pub fn around(&self, namespace: &str, direction: Direction) -> Vec<String> {
        let policies = self.policies.iter();
        policies
            .filter(|policy| speaks(policy, direction))
            .filter(|policy| applies(policy, namespace) != Applies::ToNone)
            .map(|policy| title(policy))
            .collect()
    }
}

fn title(policy: &Object) -> String {
    format!("Calico's {} {}", policy.kind.kind, policy.name())
}

fn spec<'a>(policy: &'a Object, field: &str) -> Option<&'a Node> {
    policy.root.at(&["spec", field])
}

fn speaks(policy: &Object, direction: Direction) -> bool {
    let has = |field: &str| spec(policy, field).is_some();
    match spec(policy, "types") {
        Some(types) => types.items().iter().any(|name| {
            name.as_str()
                .is_some_and(|name| name.eq_ignore_ascii_case(direction.name()))
        }),
        None => match direction {
            Direction::Ingress => has("ingress") || !has("egress"),
            Direction::Egress => has("egress"),
        },
    }
}

fn applies(policy: &Object, namespace: &str) -> Applies {
    if policy.namespace().is_some_and(|own| own != namespace) {
        return Applies::ToNone;
    }
    let text = |field: &str| {
        let text = spec(policy, field).and_then(Node::as_str);
        text.unwrap_or_default().trim()
    };
    let of_namespaces = match text("namespaceSelector") {
        "" | "all()" => Applies::ToAll,
        selector => match left_out(selector) {
            Some(names) if names.contains(&namespace) => return Applies::ToNone,
            Some(_) => Applies::ToAll,
            None => Applies::Unread,
        },
    };
    let selects_all = matches!(text("selector"), "" | "all()")
        && spec(policy, "serviceAccountSelector").is_none();
    match selects_all {
        true => of_namespaces,
        false => Applies::Unread,
    }
}

/// The names in `has(projectcalico.org/name) && projectcalico.org/name not in {"a", 'b'}`, whose
/// first half may be missing.
fn left_out(selector: &str) -> Option<Vec<&str>> {
    let rest = match selector.strip_prefix("has(projectcalico.org/name)") {
        Some(rest) => rest.trim_start().strip_prefix("&&")?.trim_start(),
        None => selector,
    };
    let rest = rest.strip_prefix("projectcalico.org/name")?.trim_start();
    let rest = rest.strip_prefix("not")?.trim_start();
    let rest = rest.strip_prefix("in")?.trim_start();
    let names = rest.strip_prefix('{')?.strip_suffix('}')?;
    let is_plain = !names.contains(['{', '}', '&', '|']);
    let names = names.split(',');
    is_plain.then(|| {
        names
            .map(|name| name.trim().trim_matches(['"', '\'']))
            .collect()
    })
}
