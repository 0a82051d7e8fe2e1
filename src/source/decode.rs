//! Reads objects through a projection: what no rule reads is skipped while it streams by and is
//! never held.
//!
//! [`Projected`] is a [`Projection`] made ready for reading. It decodes JSON without an
//! intermediate value and prunes trees that are already there; both give the same result.

mod page;
mod visit;

use std::{cell::RefCell, collections::HashSet, sync::Arc};

use serde::de::DeserializeSeed;

use crate::model::{
    GroupKind, KindQuery, Map, Node, Object, Projection, classify, is_class, known,
};

pub use page::{JsonPage, ListMeta, PageDecoder, PageError, PageLimits};
use visit::Keep;

/// Annotation in which `kubectl apply` repeats the whole object, its secrets included. Its value
/// is never kept.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// How texts are treated of which only the class is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Texts {
    /// They are texts and get classified.
    Plain,
    /// They may be classes already, as in a snapshot, and are then kept.
    Classified,
}

/// A projection made ready for reading: branches that apply to the same field are merged, and what
/// is inherited is written out.
#[derive(Clone, Debug)]
pub struct Projected {
    root: Branch,
    texts: Texts,
}

/// What is kept of one value.
#[derive(Clone, Debug, Default)]
struct Branch {
    /// Drop even the presence.
    drop: bool,
    all: bool,
    class_only: bool,
    scrub: bool,
    keys: bool,
    /// Sorted by name.
    fields: Vec<(Arc<str>, Branch)>,
    /// Fields that are not named.
    others: Option<Box<Branch>>,
    items: Option<Box<Branch>>,
}

/// The branch of everything below a value that is kept whole.
static WHOLE: Branch = Branch {
    drop: false,
    all: true,
    class_only: false,
    scrub: false,
    keys: false,
    fields: Vec::new(),
    others: None,
    items: None,
};

/// The branch of a value of which only the presence is kept.
static PRESENCE: Branch = Branch {
    drop: false,
    all: false,
    class_only: false,
    scrub: false,
    keys: false,
    fields: Vec::new(),
    others: None,
    items: None,
};

impl Branch {
    fn of(projection: &Projection, inherited: bool) -> Branch {
        let all = projection.all || inherited;
        let fields = projection.fields.iter().map(|(name, branch)| {
            let branch = match &projection.entries {
                None => Branch::of(branch, all),
                // An entry that is asked for by its name is kept as that says, even where of the
                // others only the class is.
                Some(entries) if branch.all && entries.class_only => Branch::of(branch, all),
                Some(entries) => {
                    let mut both = branch.clone();
                    both.merge(entries);
                    Branch::of(&both, all)
                }
            };
            (name.clone(), branch)
        });
        let below = |branch: &Option<Box<Projection>>| {
            branch
                .as_ref()
                .map(|branch| Box::new(Branch::of(branch, all)))
        };
        Branch {
            drop: false,
            all,
            class_only: projection.class_only,
            scrub: projection.scrub,
            keys: projection.keys,
            fields: fields.collect(),
            others: below(&projection.entries),
            items: below(&projection.items),
        }
    }

    fn named(&self, name: &str) -> Result<usize, usize> {
        self.fields
            .binary_search_by(|(field, _)| (**field).cmp(name))
    }

    /// What is kept of a field that is not named; `None` if not even its name.
    fn other(&self) -> Option<&Branch> {
        match &self.others {
            Some(branch) => Some(branch),
            None if self.all => Some(&WHOLE),
            None if self.keys => Some(&PRESENCE),
            None => None,
        }
    }

    /// What is kept of the elements of an array; `None` if not even their number.
    fn elements(&self) -> Option<&Branch> {
        match &self.items {
            _ if self.class_only => None,
            Some(branch) => Some(branch),
            None if self.all => Some(&WHOLE),
            None if self.keys || !self.fields.is_empty() || self.others.is_some() => {
                Some(&PRESENCE)
            }
            None => None,
        }
    }

    /// Whether anything is kept of an object.
    fn keeps_fields(&self) -> bool {
        let asked = self.all || self.keys || !self.fields.is_empty() || self.others.is_some();
        asked && !self.class_only
    }

    /// Sets what is kept of a field, whatever the projection says, if it would be kept at all.
    fn force(&mut self, name: &str, branch: Branch) {
        match self.named(name) {
            Ok(at) => self.fields[at].1 = branch,
            Err(at) if self.other().is_some() => self.fields.insert(at, (name.into(), branch)),
            Err(_) => {}
        }
    }

    /// The branch of a field, made of what applies to it, if it is kept at all.
    fn field_mut(&mut self, name: &str) -> Option<&mut Branch> {
        let at = match self.named(name) {
            Ok(at) => at,
            Err(at) => {
                let branch = self.other()?.clone();
                self.fields.insert(at, (name.into(), branch));
                at
            }
        };
        Some(&mut self.fields[at].1)
    }
}

impl Projected {
    /// Makes the projection of an object ready. `metadata.managedFields` repeats the whole object:
    /// it is kept only where a rule names it, not because something around it is kept whole. The
    /// value of kubectl's last-applied annotation is never kept.
    pub fn new(projection: &Projection, texts: Texts) -> Self {
        let mut root = Branch::of(projection, false);
        let metadata = projection.fields.get("metadata");
        let named = metadata.is_some_and(|metadata| metadata.fields.contains_key("managedFields"));
        if !root.class_only
            && let Some(metadata) = root.field_mut("metadata")
        {
            let dropped = Branch {
                drop: true,
                ..Branch::default()
            };
            if !named {
                metadata.force("managedFields", dropped);
            }
            if let Some(annotations) = metadata.field_mut("annotations") {
                annotations.force(LAST_APPLIED, Branch::default());
            }
        }
        Projected { root, texts }
    }

    /// Decodes one JSON value.
    ///
    /// # Errors
    /// The text is not one JSON value, or is nested too deeply (128 levels).
    pub fn decode(&self, json: &[u8]) -> Result<Node, serde_json::Error> {
        let bench = Bench::default();
        let mut input = serde_json::Deserializer::from_slice(json);
        let node = self.keep(&bench).deserialize(&mut input)?;
        input.end()?;
        Ok(node.unwrap_or_default())
    }

    /// Reduces a tree that is already there, such as one read from YAML.
    pub fn prune(&self, node: Node) -> Node {
        prune(&self.root, self.texts, node).unwrap_or_default()
    }

    fn keep<'a>(&'a self, bench: &'a Bench) -> Keep<'a> {
        Keep {
            branch: &self.root,
            texts: self.texts,
            bench,
        }
    }
}

/// What the values of one body share while they are read.
///
/// Fields and elements are put together on two stacks and copied off once their number is known:
/// growing a vector for each of them took half of the time.
#[derive(Debug, Default)]
struct Bench {
    /// Names of fields that no projection knows, such as labels. Equal ones share their text.
    names: RefCell<HashSet<Arc<str>>>,
    fields: RefCell<Vec<(Arc<str>, Node)>>,
    items: RefCell<Vec<Node>>,
}

impl Bench {
    /// Beyond this many names of this length, sharing costs more than it saves, and hostile input
    /// could make the table grow without bound.
    const MAX: (usize, usize) = (16_384, 128);

    fn share(&self, name: &str) -> Arc<str> {
        let mut names = self.names.borrow_mut();
        if let Some(known) = names.get(name) {
            return known.clone();
        }
        let shared: Arc<str> = name.into();
        if names.len() < Self::MAX.0 && name.len() <= Self::MAX.1 {
            names.insert(shared.clone());
        }
        shared
    }

    /// Forgets what a value that broke off has left on the stacks.
    fn clear(&self) {
        self.fields.borrow_mut().clear();
        self.items.borrow_mut().clear();
    }
}

/// The class of a text as a node.
fn class_of(text: &str, texts: Texts) -> Node {
    let class = match texts {
        Texts::Classified => is_class(text).unwrap_or_else(|| classify(text)),
        Texts::Plain => classify(text),
    };
    Node::String(class.into())
}

/// A text as it is, unless it looks like a credential.
fn scrubbed(text: &str) -> Node {
    let class = classify(text);
    let is_credential = class.starts_with("credential:");
    Node::String(if is_credential { class } else { text }.into())
}

/// The same walk as [`Keep`]'s, over a tree.
fn prune(branch: &Branch, texts: Texts, node: Node) -> Option<Node> {
    if branch.drop {
        return None;
    }
    Some(match node {
        Node::String(text) if branch.class_only => class_of(&text, texts),
        Node::String(text) if branch.scrub => scrubbed(&text),
        Node::List(items) => match branch.elements() {
            None => Node::Null,
            Some(branch) => Node::List(
                items
                    .into_iter()
                    .map(|item| prune(branch, texts, item).unwrap_or_default())
                    .collect(),
            ),
        },
        Node::Map(map) if branch.keeps_fields() => Node::Map(prune_fields(branch, texts, map)),
        Node::Map(_) => Node::Null,
        _ if branch.class_only || !(branch.all || branch.keys) => Node::Null,
        scalar => scalar,
    })
}

fn prune_fields(branch: &Branch, texts: Texts, map: Map) -> Map {
    map.into_iter()
        .filter_map(|(name, node)| {
            let below = match branch.named(&name) {
                Ok(at) => &branch.fields[at].1,
                Err(_) => branch.other()?,
            };
            Some((name, prune(below, texts, node)?))
        })
        .collect()
}

/// Decodes the objects of one kind.
///
/// Objects that another workload controls are no subjects of their own; of them only what
/// [`KindRequest::owned`](super::KindRequest) says is kept.
#[derive(Debug)]
pub struct ObjectDecoder {
    kind: GroupKind,
    version: Arc<str>,
    full: Projected,
    owned: Option<Projected>,
    workloads: Vec<KindQuery>,
}

impl ObjectDecoder {
    /// A decoder for objects of a kind that were read at a version. Items of a list say neither.
    pub fn new(
        kind: GroupKind,
        version: &str,
        projection: &Projection,
        owned: Option<&Projection>,
        texts: Texts,
    ) -> Self {
        ObjectDecoder {
            kind,
            version: version.into(),
            full: Projected::new(projection, texts),
            owned: owned.map(|owned| Projected::new(owned, texts)),
            workloads: known::workload_kinds().to_vec(),
        }
    }

    /// The kind of the objects.
    pub fn kind(&self) -> &GroupKind {
        &self.kind
    }

    fn object(&self, root: Node) -> Object {
        Object {
            kind: self.kind.clone(),
            version: self.version.clone(),
            root,
            place: None,
        }
    }

    /// Whether a workload controls the object with this metadata.
    fn is_owned(&self, metadata: &Node) -> bool {
        let owners = metadata.get("ownerReferences").map_or(&[][..], Node::items);
        owners.iter().any(|owner| {
            let text = |field: &str| owner.get(field).and_then(Node::as_str).unwrap_or_default();
            let group = text("apiVersion")
                .rsplit_once('/')
                .map_or("", |(group, _)| group);
            owner.get("controller").and_then(Node::as_bool) == Some(true)
                && self
                    .workloads
                    .iter()
                    .any(|query| *query.kind == *text("kind") && *query.group == *group)
        })
    }
}

#[cfg(test)]
mod tests;
