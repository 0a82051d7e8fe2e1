//! What-if: manifests laid over what a source collected, as if they had been applied.
//!
//! Objects are matched by kind, namespace and name. An object that is there keeps what only a
//! running cluster can show of it, its `status`, uid and age; the rest is the manifest's. Pods and
//! other objects that controllers made stay as they are: a rollout is not simulated.

use std::{path::PathBuf, sync::Arc};

use crate::model::{Inventory, ListState, Map, Node, Object};

/// Changes to lay over a source.
#[derive(Clone, Debug, Default)]
pub struct Overlay {
    /// Files and folders of manifests to apply.
    pub apply: Vec<PathBuf>,
    /// Objects to delete.
    pub delete: Vec<Deletion>,
}

impl Overlay {
    /// Whether it changes nothing.
    pub fn is_empty(&self) -> bool {
        self.apply.is_empty() && self.delete.is_empty()
    }
}

/// An object to delete, written `Kind/namespace/name`, or `Kind/name` outside namespaces; the kind
/// may be `Kind.group`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deletion {
    kind: String,
    namespace: Option<String>,
    name: String,
}

/// A deletion that is not written as one.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("write Kind/namespace/name, or Kind/name outside namespaces")]
pub struct NoDeletion;

impl std::str::FromStr for Deletion {
    type Err = NoDeletion;

    fn from_str(text: &str) -> Result<Self, NoDeletion> {
        let parts: Vec<&str> = text.split('/').collect();
        let (kind, namespace, name) = match parts[..] {
            [kind, namespace, name] => (kind, Some(namespace), name),
            [kind, name] => (kind, None, name),
            _ => return Err(NoDeletion),
        };
        if kind.is_empty() || name.is_empty() || namespace == Some("") {
            return Err(NoDeletion);
        }
        Ok(Deletion {
            kind: kind.to_owned(),
            namespace: namespace.map(str::to_owned),
            name: name.to_owned(),
        })
    }
}

impl Deletion {
    fn is(&self, object: &Object) -> bool {
        let kind = *self.kind == *object.kind.kind || self.kind == object.kind.to_string();
        kind && self.namespace.as_deref() == object.namespace() && self.name == object.name()
    }
}

/// Lays manifests over an inventory and takes objects out of it. What was done and what could not
/// be is told in the inventory's notes.
pub fn lay(base: &mut Inventory, manifests: Inventory, delete: &[Deletion]) {
    let (mut changed, mut added, mut deleted) = (0, 0, 0);
    for deletion in delete {
        let before = deleted;
        for list in base.lists.values_mut() {
            let objects = list.objects.len();
            list.objects.retain(|object| !deletion.is(object));
            deleted += objects - list.objects.len();
        }
        if deleted == before {
            let name = format!("{}/{}", deletion.kind, deletion.name);
            base.notes
                .push(format!("the overlay deletes {name}, which is not there"));
        }
    }
    for (kind, over) in manifests.lists {
        if over.objects.is_empty() {
            continue;
        }
        let list = base.lists.entry(kind).or_insert_with(|| {
            let mut list = over.clone();
            list.objects.clear();
            list
        });
        // A kind that the cluster does not serve yet comes with what uses it.
        if list.state == ListState::NotServed {
            list.state = ListState::Complete;
            list.version = over.version.clone();
        }
        for object in over.objects {
            let key = |object: &Object| {
                let namespace = object.namespace().unwrap_or_default().to_owned();
                (namespace, object.name().to_owned())
            };
            let wanted = key(&object);
            match list
                .objects
                .binary_search_by(|known| key(known).cmp(&wanted))
            {
                Ok(at) => {
                    let known = &mut list.objects[at];
                    known.root = applied(&known.root, object.root);
                    known.place = object.place;
                    changed += 1;
                }
                Err(at) => {
                    list.objects.insert(at, object);
                    added += 1;
                }
            }
        }
    }
    let what = format!("with an overlay: {changed} changed, {added} added, {deleted} deleted");
    base.notes.push(what);
}

/// The manifest with what only the cluster knows of the object.
fn applied(known: &Node, manifest: Node) -> Node {
    let Node::Map(manifest) = manifest else {
        return manifest;
    };
    let mut fields: Vec<(Arc<str>, Node)> = manifest.into_iter().collect();
    if let Some(status) = known.get("status") {
        fields.retain(|(name, _)| &**name != "status");
        fields.push(("status".into(), status.clone()));
    }
    for (name, value) in &mut fields {
        if &**name == "metadata"
            && let Node::Map(metadata) = value
        {
            let own = ["uid", "creationTimestamp", "generation", "ownerReferences"];
            let kept = own.iter().filter_map(|field| {
                let value = known.at(&["metadata", field])?;
                Some((Arc::from(*field), value.clone()))
            });
            *metadata = std::mem::take(metadata)
                .into_iter()
                .chain(kept)
                .collect::<Map>();
        }
    }
    Node::Map(fields.into_iter().collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{derive::testing::inventory, model::GroupKind};

    #[test]
    fn what_is_applied_keeps_what_only_the_cluster_knows() {
        let mut base = inventory(
            "{apiVersion: apps/v1, kind: Deployment, metadata: {name: a, namespace: shop, uid: u}, spec: {replicas: 1}, status: {readyReplicas: 1}}\n---\n{apiVersion: apps/v1, kind: Deployment, metadata: {name: z, namespace: shop}}",
        );
        let over = inventory(
            "{apiVersion: apps/v1, kind: Deployment, metadata: {name: a, namespace: shop}, spec: {replicas: 3}}\n---\n{apiVersion: apps/v1, kind: Deployment, metadata: {name: b, namespace: shop}}",
        );
        let delete =
            ["Deployment.apps/shop/z", "Deployment/shop/none"].map(|text| text.parse().unwrap());
        lay(&mut base, over, &delete);
        let kind = GroupKind::new("apps", "Deployment");
        let objects = base.objects(&kind);
        let names: Vec<&str> = objects.iter().map(Object::name).collect();
        assert_eq!(names, ["a", "b"]);
        assert_eq!(objects[0].uid(), Some("u"));
        assert_eq!(
            objects[0].root.at(&["spec", "replicas"]),
            Some(&Node::Int(3))
        );
        assert_eq!(
            objects[0].root.at(&["status", "readyReplicas"]),
            Some(&Node::Int(1))
        );
        assert_eq!(base.notes.len(), 2);
        assert!("Deployment".parse::<Deletion>().is_err());
    }
}
