//! YAML as written: a tree of which every value knows its place in the file.

use std::{fmt, ops::Range, sync::Arc};

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::Spanned;

use super::{Node, Problem};

/// A file's name and text, for diagnostics.
#[derive(Clone, Debug)]
pub struct Source {
    /// The name, as in [`Problem::file`].
    pub file: Arc<str>,
    /// The text.
    pub text: Arc<str>,
}

impl Source {
    /// An error at a place of the file.
    pub fn error(&self, span: Range<usize>, message: impl Into<String>) -> Problem {
        Problem::error(&self.file, &self.text, span, message)
    }
}

/// One YAML value and where it stands.
#[derive(Clone, Debug)]
pub struct Written {
    /// The value.
    pub value: Value,
    /// Its bytes in the file, quotes and block indicators included.
    pub span: Range<usize>,
}

/// A YAML value.
#[derive(Clone, Debug)]
pub enum Value {
    /// `null`, or nothing.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// Any other number.
    Float(f64),
    /// A string.
    Text(String),
    /// A sequence.
    List(Vec<Written>),
    /// A mapping, in the order written.
    Map(Vec<(Key, Written)>),
}

/// A key of a mapping.
#[derive(Clone, Debug)]
pub struct Key {
    /// The key.
    pub name: String,
    /// Its bytes in the file.
    pub span: Range<usize>,
}

impl Written {
    /// What the value is, for messages.
    pub fn kind(&self) -> &'static str {
        match self.value {
            Value::Null => "nothing",
            Value::Bool(_) => "a boolean",
            Value::Int(_) => "a whole number",
            Value::Float(_) => "a number",
            Value::Text(_) => "a string",
            Value::List(_) => "a list",
            Value::Map(_) => "a mapping",
        }
    }

    /// A field of a mapping.
    pub fn get(&self, name: &str) -> Option<&Written> {
        match &self.value {
            Value::Map(entries) => entries
                .iter()
                .find(|(key, _)| key.name == name)
                .map(|(_, value)| value),
            _ => None,
        }
    }

    /// The text, if it is a string.
    pub fn as_text(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The value as a node of the object tree; a field that is null is left out.
    pub fn node(&self) -> Node {
        match &self.value {
            Value::Null => Node::Null,
            Value::Bool(value) => Node::Bool(*value),
            Value::Int(number) => Node::Int(*number),
            Value::Float(number) => Node::Float(*number),
            Value::Text(text) => Node::String(text.as_str().into()),
            Value::List(items) => Node::List(items.iter().map(Written::node).collect()),
            Value::Map(entries) => Node::Map(
                entries
                    .iter()
                    .filter(|(_, value)| !matches!(value.value, Value::Null))
                    .map(|(key, value)| (Arc::from(key.name.as_str()), value.node()))
                    .collect(),
            ),
        }
    }
}

/// Reads a file of our own formats. Anchors and aliases are refused: they are not needed there,
/// and they are how small files become large values. So is deep nesting, which costs stack: some
/// 40 kB a level in a debug build, of the 2 MB that a thread has.
///
/// # Errors
/// The first place at which the text is no YAML.
pub fn parse(source: &Source) -> Result<Written, Problem> {
    let options = serde_saphyr::options! {
        with_snippet: false,
        budget: serde_saphyr::budget! { max_aliases: 0, max_anchors: 0, max_depth: 24 },
    };
    serde_saphyr::from_str_with_options(&source.text, options)
        .map(written)
        .map_err(|error| problem(source, &error))
}

/// Stack for the deepest documents that are accepted.
const STACK: usize = 64 << 20;

/// Reads the documents of somebody else's file, such as manifests. Anchors may be used within
/// limits on what they expand to.
///
/// # Errors
/// The first place at which the text is no YAML.
pub fn parse_documents(source: &Source) -> Result<Vec<Written>, Problem> {
    let parse = || {
        let options = serde_saphyr::options! {
            with_snippet: false,
            budget: serde_saphyr::budget! {
                max_depth: 128,
                max_events: 5_000_000,
                max_nodes: 5_000_000,
                max_documents: 100_000,
                max_total_scalar_bytes: 256 << 20,
            },
        };
        serde_saphyr::from_multiple_with_options::<Spanned<Tree>>(&source.text, options)
            .map(|documents| documents.into_iter().map(written).collect())
            .map_err(|error| problem(source, &error))
    };
    // The parser recurses for each level, more than an ordinary stack has room for.
    std::thread::scope(|scope| {
        let parser = std::thread::Builder::new().stack_size(STACK);
        let thread = parser.spawn_scoped(scope, parse);
        let parsed = thread.ok().and_then(|thread| thread.join().ok());
        parsed.unwrap_or_else(|| Err(source.error(0..0, "the file cannot be parsed")))
    })
}

fn problem(source: &Source, error: &serde_saphyr::Error) -> Problem {
    let at = error
        .location()
        .map_or(0, |location| offset(&source.text, &location));
    let message = error.without_snippet().to_string();
    let message = message.lines().next().unwrap_or_default();
    // The place is told as a place, and our users do not call the parser's functions.
    let message = message
        .rsplit_once(" at line ")
        .map_or(message, |(message, _)| message);
    let message = match message {
        text if text.starts_with("multiple YAML documents") => "more than one YAML document",
        text if text.starts_with("budget breached: Depth") => "too many levels of nesting",
        text if text.starts_with("budget breached: A") => {
            "anchors and aliases cannot be used here, or not so many"
        }
        text => text,
    };
    source.error(at..at, message)
}

/// Byte offset of a place. Syntax errors have a line and a column only.
fn offset(text: &str, location: &serde_saphyr::Location) -> usize {
    if let Some(at) = location.span().byte_offset() {
        return (at as usize).min(text.len());
    }
    let nth = |number: u64| usize::try_from(number.saturating_sub(1)).unwrap_or(usize::MAX);
    let lines = text.split_inclusive('\n').take(nth(location.line()));
    let start: usize = lines.map(str::len).sum();
    let rest = text[start..].char_indices();
    rest.map(|(at, _)| start + at)
        .nth(nth(location.column()))
        .unwrap_or(text.len())
}

/// [`Value`] while it is deserialised, when places still are the parser's.
enum Tree {
    Scalar(Value),
    List(Vec<Spanned<Tree>>),
    Map(Vec<(Spanned<String>, Spanned<Tree>)>),
}

fn span(location: &serde_saphyr::Location) -> Range<usize> {
    let span = location.span();
    let start = span.byte_offset().unwrap_or(0) as usize;
    start..start + span.byte_len().unwrap_or(0) as usize
}

fn written(tree: Spanned<Tree>) -> Written {
    let value = match tree.value {
        Tree::Scalar(value) => value,
        Tree::List(items) => Value::List(items.into_iter().map(written).collect()),
        Tree::Map(entries) => {
            let entries = entries.into_iter().map(|(key, value)| {
                let key = Key {
                    span: span(&key.referenced),
                    name: key.value,
                };
                (key, written(value))
            });
            Value::Map(entries.collect())
        }
    };
    Written {
        value,
        span: span(&tree.referenced),
    }
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TreeVisitor;

        impl<'de> Visitor<'de> for TreeVisitor {
            type Value = Tree;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a YAML value")
            }
            fn visit_bool<E>(self, value: bool) -> Result<Tree, E> {
                Ok(Tree::Scalar(Value::Bool(value)))
            }
            fn visit_i64<E>(self, number: i64) -> Result<Tree, E> {
                Ok(Tree::Scalar(Value::Int(number)))
            }
            fn visit_u64<E>(self, number: u64) -> Result<Tree, E> {
                Ok(Tree::Scalar(match i64::try_from(number) {
                    Ok(number) => Value::Int(number),
                    Err(_) => Value::Float(number as f64),
                }))
            }
            fn visit_f64<E>(self, number: f64) -> Result<Tree, E> {
                Ok(Tree::Scalar(Value::Float(number)))
            }
            fn visit_str<E>(self, text: &str) -> Result<Tree, E> {
                Ok(Tree::Scalar(Value::Text(text.to_owned())))
            }
            fn visit_string<E>(self, text: String) -> Result<Tree, E> {
                Ok(Tree::Scalar(Value::Text(text)))
            }
            fn visit_unit<E>(self) -> Result<Tree, E> {
                Ok(Tree::Scalar(Value::Null))
            }
            fn visit_none<E>(self) -> Result<Tree, E> {
                Ok(Tree::Scalar(Value::Null))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Tree, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = seq.next_element()? {
                    items.push(item);
                }
                Ok(Tree::List(items))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Tree, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Tree::Map(entries))
            }
        }

        deserializer.deserialize_any(TreeVisitor)
    }
}
