//! The walk over JSON: one visitor that keeps what a branch asks for and skips the rest.

use std::{fmt, sync::Arc};

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::{Bench, Branch, ObjectDecoder, Texts, class_of, prune, scrubbed};
use crate::model::{Map, Node};

/// Reads one value through a branch; nothing comes out of `null`.
#[derive(Clone, Copy)]
pub(super) struct Keep<'a> {
    pub branch: &'a Branch,
    pub texts: Texts,
    pub bench: &'a Bench,
}

impl<'de> DeserializeSeed<'de> for Keep<'_> {
    type Value = Option<Node>;

    fn deserialize<D: Deserializer<'de>>(self, input: D) -> Result<Option<Node>, D::Error> {
        if self.branch.drop {
            input.deserialize_ignored_any(IgnoredAny)?;
            return Ok(None);
        }
        input.deserialize_any(self)
    }
}

impl Keep<'_> {
    fn scalar<E>(self, node: Node) -> Result<Option<Node>, E> {
        let kept = (self.branch.all || self.branch.keys) && !self.branch.class_only;
        Ok(Some(if kept { node } else { Node::Null }))
    }

    fn below<'b>(&'b self, branch: &'b Branch) -> Keep<'b> {
        Keep { branch, ..*self }
    }
}

impl<'de> Visitor<'de> for Keep<'_> {
    type Value = Option<Node>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<Option<Node>, E> {
        Ok(None)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Option<Node>, E> {
        self.scalar(Node::Bool(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Option<Node>, E> {
        self.scalar(Node::Int(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Option<Node>, E> {
        self.scalar(match i64::try_from(value) {
            Ok(whole) => Node::Int(whole),
            Err(_) => Node::Float(value as f64),
        })
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Option<Node>, E> {
        self.scalar(Node::Float(value))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Option<Node>, E> {
        Ok(Some(if self.branch.class_only {
            class_of(value, self.texts)
        } else if self.branch.scrub {
            scrubbed(value)
        } else if self.branch.all || self.branch.keys {
            Node::String(value.into())
        } else {
            Node::Null
        }))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Option<Node>, A::Error> {
        let Some(branch) = self.branch.elements() else {
            while items.next_element::<IgnoredAny>()?.is_some() {}
            return Ok(Some(Node::Null));
        };
        let stack = &self.bench.items;
        let first = stack.borrow().len();
        while let Some(item) = items.next_element_seed(self.below(branch))? {
            stack.borrow_mut().push(item.unwrap_or_default());
        }
        let kept: Vec<Node> = stack.borrow_mut().drain(first..).collect();
        Ok(Some(Node::List(kept.into())))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Option<Node>, A::Error> {
        if !self.branch.keeps_fields() {
            while fields.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
            return Ok(Some(Node::Null));
        }
        let kept = Fields::on(self.bench);
        while let Some(name) = fields.next_key_seed(Name(self))? {
            match name {
                None => {
                    fields.next_value::<IgnoredAny>()?;
                }
                Some((name, branch)) => {
                    let value = fields.next_value_seed(self.below(branch))?;
                    kept.set(name, value);
                }
            }
        }
        Ok(Some(Node::Map(kept.finish())))
    }
}

/// Reads the name of a field: the name and branch under which its value is kept, if it is.
struct Name<'a>(Keep<'a>);

impl<'de, 'a> DeserializeSeed<'de> for Name<'a> {
    type Value = Option<(Arc<str>, &'a Branch)>;

    fn deserialize<D: Deserializer<'de>>(self, input: D) -> Result<Self::Value, D::Error> {
        input.deserialize_str(self)
    }
}

impl<'de, 'a> Visitor<'de> for Name<'a> {
    type Value = Option<(Arc<str>, &'a Branch)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a field")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Self::Value, E> {
        let branch = self.0.branch;
        Ok(match branch.named(name) {
            Ok(at) => {
                let (name, branch) = &branch.fields[at];
                Some((name.clone(), branch))
            }
            Err(_) => branch
                .other()
                .map(|other| (self.0.bench.share(name), other)),
        })
    }
}

/// Collects the fields of an object as they come, on top of those of the objects around it.
struct Fields<'a> {
    bench: &'a Bench,
    first: usize,
}

impl<'a> Fields<'a> {
    fn on(bench: &'a Bench) -> Self {
        let first = bench.fields.borrow().len();
        Fields { bench, first }
    }

    /// Of a repeated name the last value counts, and a `null` is no value.
    fn set(&self, name: Arc<str>, value: Option<Node>) {
        let mut stack = self.bench.fields.borrow_mut();
        match value {
            Some(value) => stack.push((name, value)),
            None => {
                let earlier = stack[self.first..]
                    .iter()
                    .any(|(earlier, _)| *earlier == name);
                if earlier {
                    let own: Vec<_> = stack.drain(self.first..).collect();
                    stack.extend(own.into_iter().filter(|(earlier, _)| *earlier != name));
                }
            }
        }
    }

    fn finish(self) -> Map {
        self.bench.fields.borrow_mut().drain(self.first..).collect()
    }
}

/// Reads an object, and takes the smaller projection as soon as its metadata says that another
/// workload controls it. A server sends the metadata first; where it comes later, what has been
/// kept in excess is dropped in the end, so that the order of fields changes nothing.
#[derive(Clone, Copy)]
pub(super) struct Root<'a> {
    pub decoder: &'a ObjectDecoder,
    pub bench: &'a Bench,
}

impl<'de> DeserializeSeed<'de> for Root<'_> {
    type Value = Node;

    fn deserialize<D: Deserializer<'de>>(self, input: D) -> Result<Node, D::Error> {
        input.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Root<'_> {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Node, A::Error> {
        self.bench.clear();
        let full = self.decoder.full.keep(self.bench);
        let Some(owned) = &self.decoder.owned else {
            return Ok(full.visit_map(fields)?.unwrap_or_default());
        };
        let small = owned.keep(self.bench);
        let mut by = full;
        let kept = Fields::on(self.bench);
        while let Some(name) = fields.next_key_seed(Name(by))? {
            let Some((name, branch)) = name else {
                fields.next_value::<IgnoredAny>()?;
                continue;
            };
            let value = fields.next_value_seed(by.below(branch))?;
            if &*name == "metadata" {
                let is_owned = value
                    .as_ref()
                    .is_some_and(|value| self.decoder.is_owned(value));
                by = if is_owned { small } else { full };
            }
            kept.set(name, value);
        }
        let root = Node::Map(kept.finish());
        // What was read through the smaller projection comes out of it unchanged, except for the
        // classes of texts, which must not be classified again.
        Ok(if std::ptr::eq(by.branch, small.branch) {
            prune(small.branch, Texts::Classified, root).unwrap_or_default()
        } else {
            root
        })
    }
}
