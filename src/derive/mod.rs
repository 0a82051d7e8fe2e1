//! Kinds of our own, computed from the cluster's objects: what is a graph or a mapping, and so no
//! business of CEL. A rule names them like any other kind, in the group `seaworthy`; the plan reads
//! what they are computed from, and what could not be read of that is unread of them, too.
//!
//! A derivation is a pure function of the inventory. Its objects look like Kubernetes' own
//! (`metadata.name`, `metadata.namespace`), so that relations find them.

mod admission;
pub mod alerts;
mod backends;
mod network;
mod rbac;

use std::collections::BTreeMap;

use crate::model::{
    GroupKind, Inventory, KindList, KindQuery, ListState, Node, Object, Projection,
};

/// The group of derived kinds.
pub const GROUP: &str = "seaworthy";

/// A kind that is computed.
pub struct Derivation {
    /// Its name.
    pub kind: &'static str,
    /// Whether its objects lie in namespaces.
    pub namespaced: bool,
    /// What it is computed from: kinds, written as in rule files, and the paths that are read of
    /// them, joined by dots; `*` stands for the elements of an array and a path is kept whole from
    /// its end on. Names and namespaces are always read.
    pub reads: &'static [(&'static str, &'static [&'static str])],
    /// Computes the objects, from `metadata` on. Order does not matter.
    pub derive: fn(&Inventory) -> Vec<Node>,
}

/// Every derivation. One that is computed from another stands after it.
fn derivations() -> impl Iterator<Item = &'static Derivation> {
    admission::DERIVATIONS
        .iter()
        .chain(alerts::DERIVATIONS)
        .chain(backends::DERIVATIONS)
        .chain(network::DERIVATIONS)
        .chain(rbac::DERIVATIONS)
}

/// Whether a kind is derived rather than read.
pub fn is_derived(kind: &GroupKind) -> bool {
    &*kind.group == GROUP
}

/// The derivation of a kind, if there is one.
pub fn derivation(kind: &GroupKind) -> Option<&'static Derivation> {
    derivations().find(|derivation| is_derived(kind) && derivation.kind == &*kind.kind)
}

/// Names of the derived kinds, for diagnostics.
pub fn names() -> impl Iterator<Item = &'static str> {
    derivations().map(|derivation| derivation.kind)
}

/// What a derived kind is computed from, down to the kinds that a source reads.
pub fn reads(kind: &GroupKind) -> Vec<(KindQuery, Projection)> {
    let Some(derivation) = derivation(kind) else {
        return Vec::new();
    };
    derivation
        .reads
        .iter()
        .filter_map(|(kind, paths)| {
            let query: KindQuery = kind.parse().ok()?;
            let mut projection = Projection::default();
            for path in *paths {
                let steps: Vec<&str> = path.split('.').collect();
                projection.path(&steps).all = true;
            }
            Some((query, projection))
        })
        .flat_map(|(query, projection)| {
            let kind = query.group_kind();
            match is_derived(&kind) {
                true => reads(&kind),
                false => vec![(query, projection)],
            }
        })
        .collect()
}

/// Adds the lists of the derived kinds that are asked for.
pub fn derive(inventory: &mut Inventory, wanted: &[GroupKind]) {
    let mut needed: Vec<GroupKind> = Vec::new();
    let mut open: Vec<GroupKind> = wanted.to_vec();
    while let Some(kind) = open.pop() {
        if let Some(derivation) = derivation(&kind)
            && !needed.contains(&kind)
        {
            let kinds = derivation.reads.iter();
            open.extend(
                kinds.filter_map(|(kind, _)| Some(kind.parse::<KindQuery>().ok()?.group_kind())),
            );
            needed.push(kind);
        }
    }
    for derivation in derivations() {
        let kind = GroupKind::new(GROUP, derivation.kind);
        if needed.contains(&kind) {
            let list = list(inventory, &kind, derivation);
            inventory.derived.insert(kind, list);
        }
    }
}

fn list(inventory: &Inventory, kind: &GroupKind, derivation: &Derivation) -> KindList {
    let state = state(inventory, kind);
    // What was read only in part could make a computed object say more than is known.
    let nodes = match state {
        ListState::Unreadable(_) => Vec::new(),
        _ => (derivation.derive)(inventory),
    };
    let mut objects: BTreeMap<(String, String), Object> = BTreeMap::new();
    for root in nodes {
        let object = Object {
            kind: kind.clone(),
            version: "v1".into(),
            root,
            place: None,
        };
        let key = (
            object.namespace().unwrap_or_default().to_owned(),
            object.name().to_owned(),
        );
        objects.insert(key, object);
    }
    KindList {
        state,
        version: "v1".into(),
        resource: "".into(),
        namespaced: derivation.namespaced,
        objects: objects.into_values().collect(),
    }
}

/// A derived list is as complete as the least complete of those it is computed from.
fn state(inventory: &Inventory, kind: &GroupKind) -> ListState {
    let mut partial: Option<ListState> = None;
    for state in sources(inventory, kind)
        .into_iter()
        .map(|kind| inventory.state(&kind))
    {
        match state {
            ListState::Unreadable(_) => return state,
            ListState::Partial { missing, why } => {
                partial = Some(match partial {
                    Some(ListState::Partial {
                        missing: before,
                        why,
                    }) => ListState::Partial {
                        // Not to know which are missing outweighs any list of them.
                        missing: match before.is_empty() || missing.is_empty() {
                            true => Vec::new(),
                            false => before.into_iter().chain(missing).collect(),
                        },
                        why,
                    },
                    _ => ListState::Partial { missing, why },
                });
            }
            ListState::Complete | ListState::NotServed | ListState::NotAssessable => {}
        }
    }
    partial.unwrap_or(ListState::Complete)
}

/// The kinds of an inventory that a derived kind is computed from.
pub fn sources(inventory: &Inventory, kind: &GroupKind) -> Vec<GroupKind> {
    let mut kinds: Vec<GroupKind> = Vec::new();
    for (query, _) in reads(kind) {
        match query.is_wildcard() {
            true => kinds.extend(
                inventory
                    .lists
                    .keys()
                    .filter(|kind| kind.group == query.group)
                    .cloned(),
            ),
            false => kinds.push(query.group_kind()),
        }
    }
    kinds.sort();
    kinds.dedup();
    kinds
}

#[cfg(test)]
pub(crate) mod testing {
    //! Inventories for the tests of derivations.

    use super::*;
    use crate::model::{Cluster, SourceKind, yaml::Source};

    /// Every document of a YAML text, whole, as a cluster that serves just these kinds and was
    /// read completely.
    pub fn inventory(text: &str) -> Inventory {
        let source = Source {
            file: "test".into(),
            text: text.into(),
        };
        let mut lists: BTreeMap<GroupKind, KindList> = BTreeMap::new();
        for value in documents(&source) {
            let node = Node::from(value);
            let word = |field: &str| node.get(field).and_then(Node::as_str).unwrap_or_default();
            let (group, version) = word("apiVersion")
                .rsplit_once('/')
                .unwrap_or(("", word("apiVersion")));
            let kind = GroupKind::new(group, word("kind"));
            let list = lists.entry(kind.clone()).or_insert_with(|| KindList {
                state: ListState::Complete,
                version: version.into(),
                resource: "".into(),
                namespaced: node.at(&["metadata", "namespace"]).is_some(),
                objects: Vec::new(),
            });
            list.objects.push(Object {
                kind,
                version: list.version.clone(),
                root: node.clone(),
                place: None,
            });
        }
        Inventory {
            source: SourceKind::Live,
            origin: "test".to_owned(),
            now: jiff::Timestamp::constant(1_767_225_600, 0),
            cluster: Cluster::default(),
            lists,
            derived: BTreeMap::new(),
            attestations: Vec::new(),
            notes: Vec::new(),
        }
    }

    /// The objects of a derived kind, computed from the documents of a YAML text.
    pub fn derived(text: &str, kind: &str) -> Vec<Object> {
        let kind = GroupKind::new(GROUP, kind);
        let mut inventory = inventory(text);
        for (query, _) in reads(&kind) {
            if !query.is_wildcard() {
                inventory
                    .lists
                    .entry(query.group_kind())
                    .or_insert(KindList {
                        state: ListState::NotServed,
                        version: "".into(),
                        resource: "".into(),
                        namespaced: true,
                        objects: Vec::new(),
                    });
            }
        }
        derive(&mut inventory, std::slice::from_ref(&kind));
        inventory.objects(&kind).to_vec()
    }

    fn documents(source: &Source) -> Vec<serde_json::Value> {
        serde_saphyr::from_multiple(&source.text).unwrap()
    }
}
