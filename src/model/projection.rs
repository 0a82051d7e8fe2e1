//! The trie of fields that rules read of one kind.

use std::{collections::BTreeMap, sync::Arc};

use super::Node;

/// Which parts of a value a source must keep.
///
/// The default keeps nothing but the fact that the value is there. A decoder walks the trie
/// beside the input and skips what no branch asks for, so that it is never held:
///
/// * `all` keeps the value whole.
/// * An object keeps the fields named in `fields`, each through its own branch; if `entries` is
///   set, every field is kept through that branch, too; if `keys` is set, the names of the other
///   fields are kept with [`Node::Null`](super::Node::Null) values.
/// * An array keeps its length if anything is asked of it, and its elements through `items`.
/// * A scalar is kept if `all` or `keys` is set, otherwise only its presence.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Projection {
    /// Keep the value whole.
    pub all: bool,
    /// Of a text, keep only whether it is empty, a literal, or looks like a credential (design
    /// §1.2). Wins over everything else.
    pub class_only: bool,
    /// Keep the names of all fields of an object; what `size()` needs, so a text is kept, too.
    pub keys: bool,
    /// Fields of an object that are read by name.
    pub fields: BTreeMap<Arc<str>, Projection>,
    /// What is read of every field of an object, where the name is computed.
    pub entries: Option<Box<Projection>>,
    /// What is read of every element of an array.
    pub items: Option<Box<Projection>>,
}

impl Projection {
    /// Keeps everything.
    pub fn whole() -> Self {
        Projection {
            all: true,
            ..Projection::default()
        }
    }

    /// The branch of a field, made if it is not there.
    pub fn field(&mut self, name: &str) -> &mut Projection {
        self.fields.entry(Arc::from(name)).or_default()
    }

    /// The branch at a path of field names, made if it is not there; `*` stands for the elements
    /// of an array.
    pub fn path(&mut self, path: &[&str]) -> &mut Projection {
        path.iter().fold(self, |node, step| match *step {
            "*" => node.items(),
            name => node.field(name),
        })
    }

    /// The branch of array elements, made if it is not there.
    pub fn items(&mut self) -> &mut Projection {
        self.items.get_or_insert_default()
    }

    /// The branch of computed fields, made if it is not there.
    pub fn entries(&mut self) -> &mut Projection {
        self.entries.get_or_insert_default()
    }

    /// Adds what another projection keeps.
    pub fn merge(&mut self, other: &Projection) {
        self.all |= other.all;
        self.class_only |= other.class_only;
        self.keys |= other.keys;
        for (name, branch) in &other.fields {
            self.fields.entry(name.clone()).or_default().merge(branch);
        }
        if let Some(branch) = &other.entries {
            self.entries().merge(branch);
        }
        if let Some(branch) = &other.items {
            self.items().merge(branch);
        }
    }

    /// Whether everything that another projection keeps is kept.
    ///
    /// # Errors
    /// The path of the first part that is not.
    pub fn covers(&self, other: &Projection) -> Result<(), String> {
        if self.all {
            return Ok(());
        }
        if other.all || (other.keys && !self.keys) || other.class_only != self.class_only {
            return Err(String::new());
        }
        let below = |name: &str, ours: Option<&Projection>, theirs: &Projection| {
            let covered = ours.map_or(Err(String::new()), |ours| ours.covers(theirs));
            covered.map_err(|path| match path.is_empty() {
                true => name.to_owned(),
                false => format!("{name}.{path}"),
            })
        };
        for (name, branch) in &other.fields {
            below(
                name,
                self.fields.get(name).or(self.entries.as_deref()),
                branch,
            )?;
        }
        if let Some(branch) = &other.entries {
            below("*", self.entries.as_deref(), branch)?;
        }
        if let Some(branch) = &other.items {
            below("[]", self.items.as_deref(), branch)?;
        }
        Ok(())
    }

    /// What a projection keeps of a value that a wider one has kept.
    pub fn prune(&self, node: Node) -> Node {
        if self.all {
            return node;
        }
        match node {
            Node::Map(map) => {
                let kept = map.into_iter().filter_map(|(name, value)| {
                    let value = match (self.fields.get(&name), &self.entries) {
                        (Some(branch), Some(entries)) => {
                            let mut both = branch.clone();
                            both.merge(entries);
                            both.prune(value)
                        }
                        (Some(branch), None) => branch.prune(value),
                        (None, Some(entries)) => entries.prune(value),
                        (None, None) if self.keys => Node::Null,
                        (None, None) => return None,
                    };
                    Some((name, value))
                });
                Node::Map(kept.collect())
            }
            Node::List(items) => {
                let prune = |item| {
                    self.items
                        .as_ref()
                        .map_or(Node::Null, |items| items.prune(item))
                };
                Node::List(items.into_iter().map(prune).collect())
            }
            scalar if self.keys => scalar,
            _ => Node::Null,
        }
    }

    /// Whether only the value's presence is kept.
    pub fn is_presence(&self) -> bool {
        *self == Projection::default()
    }
}
