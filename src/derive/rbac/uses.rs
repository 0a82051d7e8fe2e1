//! Roles that are in use, and what the token of a ServiceAccount is worth.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use super::{RoleKey, Roles, Subject, bindings, object, roles::PolicyRule};
use crate::model::{GroupKind, Inventory, Node};

/// One `RoleUse` per role that somebody is bound to. A role that does not exist gives nothing.
pub(super) fn role_uses(inventory: &Inventory) -> Vec<Node> {
    let roles = Roles::of(inventory);
    let mut bound: BTreeMap<RoleKey, usize> = BTreeMap::new();
    for binding in bindings(inventory).filter(|binding| !binding.subjects().is_empty()) {
        *bound.entry(binding.role).or_default() += 1;
    }
    bound
        .into_iter()
        .filter_map(|(role, bound)| {
            let rules = roles.rules(role)?;
            let wildcards: BTreeSet<String> = rules.into_iter().flat_map(wildcards).collect();
            let mut spec = json!({
                "kind": role.kind(),
                "name": role.name,
                "bound": bound,
                "system": role.name.starts_with("system:") || role.is_user_facing(),
                "wildcards": wildcards,
            });
            if !role.namespace.is_empty() {
                spec["namespace"] = json!(role.namespace);
            }
            let name = format!("{}:{}", role.kind(), role.name);
            Some(object(role.namespace, &name, spec))
        })
        .collect()
}

/// What a rule leaves open, in words.
fn wildcards(rule: PolicyRule<'_>) -> Vec<String> {
    if rule.is_everything() {
        return vec!["everything".to_owned()];
    }
    let joined = |field: &str| {
        let items = rule.list(field).map(|item| match item {
            "" => "core",
            item => item,
        });
        items.collect::<Vec<_>>().join(", ")
    };
    let mut found = Vec::new();
    if rule.has("verbs", "*") {
        let what = match rule.list("resources").next() {
            Some(_) => joined("resources"),
            None => joined("nonResourceURLs"),
        };
        found.push(format!("every verb on {what}"));
    }
    match (rule.has("resources", "*"), rule.has("apiGroups", "*")) {
        (true, true) => found.push("every resource of every API group".to_owned()),
        (true, false) => found.push(format!("every resource of {}", joined("apiGroups"))),
        (false, true) => found.push(format!("{} of every API group", joined("resources"))),
        (false, false) => {}
    }
    found
}

/// One `ServiceAccount` per account that exists or is bound.
///
/// `spec`: `exists`, `automount` if the account says, `bindings` as in a `Grant`, and `default`,
/// the `bindings` (a number) of the account `default` in the same namespace.
pub(super) fn service_accounts(inventory: &Inventory) -> Vec<Node> {
    let mut accounts: BTreeMap<Subject, (bool, Option<bool>, Vec<_>)> = BTreeMap::new();
    for account in inventory.objects(&GroupKind::new("", "ServiceAccount")) {
        let subject = Subject {
            kind: "ServiceAccount",
            namespace: account.namespace().unwrap_or("default"),
            name: account.name(),
        };
        let automount = account.root.get("automountServiceAccountToken");
        accounts.insert(
            subject,
            (true, automount.and_then(Node::as_bool), Vec::new()),
        );
    }
    for binding in bindings(inventory) {
        for subject in binding.subjects() {
            if subject.kind == "ServiceAccount" {
                let (_, _, bindings) = accounts.entry(subject).or_default();
                bindings.push(binding.json());
            }
        }
    }
    let defaults: BTreeMap<&str, usize> = accounts
        .iter()
        .filter(|(subject, _)| subject.name == "default")
        .map(|(subject, (_, _, bindings))| (subject.namespace, bindings.len()))
        .collect();
    accounts
        .iter()
        .map(|(subject, (exists, automount, bindings))| {
            let of_default = defaults.get(subject.namespace).copied().unwrap_or(0);
            let spec = json!({
                "exists": exists,
                "automount": automount,
                "bindings": bindings,
                "default": {"bindings": of_default},
            });
            object(subject.namespace, subject.name, spec)
        })
        .collect()
}
