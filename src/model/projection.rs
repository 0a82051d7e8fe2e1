//! The trie of fields that rules read of one kind.

use std::{collections::BTreeMap, sync::Arc};

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
    /// Keep a text, but of one that looks like a credential only the class.
    pub scrub: bool,
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

    /// Marks what lies at a path, as far as it is kept at all; `*` stands for the elements of an
    /// array and `**` for the fields of an object that are not named.
    pub fn protect(&mut self, path: &[&str], mark: impl FnOnce(&mut Projection)) {
        self.protect_below(false, path, mark);
    }

    fn protect_below(
        &mut self,
        inherited: bool,
        path: &[&str],
        mark: impl FnOnce(&mut Projection),
    ) {
        let all = self.all || inherited;
        match path {
            [] => mark(self),
            ["*", rest @ ..] if all || self.items.is_some() => {
                self.items().protect_below(all, rest, mark);
            }
            ["**", rest @ ..] if all || self.entries.is_some() => {
                self.entries().protect_below(all, rest, mark);
            }
            ["*" | "**", ..] => {}
            [name, rest @ ..] if all || self.fields.contains_key(*name) => {
                self.field(name).protect_below(all, rest, mark);
            }
            _ => {}
        }
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
        self.scrub |= other.scrub;
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
        self.covers_below(false, other)
    }

    fn covers_below(&self, inherited: bool, other: &Projection) -> Result<(), String> {
        let all = self.all || inherited;
        let scalar = (other.all && !all) || (other.keys && !all && !self.keys);
        let as_class = self.class_only && !other.class_only && (other.all || other.keys);
        if scalar || as_class || (other.class_only && !self.class_only) {
            return Err(String::new());
        }
        let below = |name: &str, ours: Option<&Projection>, theirs: &Projection| {
            let covered = match ours {
                Some(ours) => ours.covers_below(all, theirs),
                None if all && !theirs.class_only => Ok(()),
                None => Err(String::new()),
            };
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
        // Where the other one keeps a value whole, what only we reduce below it is missing.
        if other.all && !other.class_only && self.reduces_beyond(Some(other)) {
            return Err(String::new());
        }
        Ok(())
    }

    /// Whether something below is kept only as its class, where another projection keeps more.
    fn reduces_beyond(&self, other: Option<&Projection>) -> bool {
        if self.class_only {
            return !other.is_some_and(|other| other.class_only);
        }
        let named = |name: &str| {
            let other = other?;
            other.fields.get(name).or(other.entries.as_deref())
        };
        let mut fields = self.fields.iter();
        let entries = other.and_then(|other| other.entries.as_deref());
        let items = other.and_then(|other| other.items.as_deref());
        let below = |ours: &Option<Box<Projection>>, theirs| {
            ours.as_deref()
                .is_some_and(|ours| ours.reduces_beyond(theirs))
        };
        fields.any(|(name, branch)| branch.reduces_beyond(named(name)))
            || below(&self.entries, entries)
            || below(&self.items, items)
    }
}
