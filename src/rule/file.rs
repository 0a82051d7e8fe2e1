//! A rule file as written: YAML of which every value knows its place, and the format's schema.

use std::{fmt, ops::Range, sync::Arc};

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::json;
use serde_saphyr::Spanned;

use crate::model::{Node, Problem};

/// Largest rule file, in bytes.
pub const MAX_BYTES: u64 = 256 * 1024;

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

    /// The value as a node of the object tree, for parameters.
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
                    .map(|(key, value)| (Arc::from(key.name.as_str()), value.node()))
                    .collect(),
            ),
        }
    }
}

/// Reads a file's YAML. Anchors and aliases are refused: rules need none, and they are how small
/// files become large values.
pub fn parse(source: &Source) -> Result<Written, Problem> {
    let options = serde_saphyr::options! {
        with_snippet: false,
        budget: serde_saphyr::budget! { max_aliases: 0, max_anchors: 0, max_depth: 64 },
    };
    let parsed: Result<Spanned<Tree>, _> =
        serde_saphyr::from_str_with_options(&source.text, options);
    match parsed {
        Ok(tree) => Ok(written(tree)),
        Err(error) => {
            let at = error
                .location()
                .and_then(|location| location.span().byte_offset())
                .map_or(0, |at| at as usize)
                .min(source.text.len());
            let message = error.without_snippet().to_string();
            let message = message.lines().next().unwrap_or_default().to_owned();
            Err(source.error(at..at, message))
        }
    }
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

/// JSON Schema of a rule file, for editors.
pub fn schema() -> serde_json::Value {
    let text = |description: &str| json!({"type": "string", "description": description});
    let expression = |description: &str| json!({"type": "string", "maxLength": 8192, "description": format!("CEL. {description}")});
    let strings = |description: &str| json!({"type": "array", "items": {"type": "string"}, "description": description});
    let value = json!({"type": ["boolean", "number", "string", "array"]});
    let example = json!({
        "type": "object",
        "properties": {
            "pass": text("Manifests of which every applicable subject passes."),
            "fail": text("Manifests of which at least one subject fails."),
            "partial": text("Manifests of which a subject earns exactly `credit`."),
            "not-applicable": text("Manifests without an applicable subject."),
            "credit": {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1},
            "title": text("What the case shows, in a few words."),
            "params": {"type": "object", "description": "Parameters that differ from the defaults."},
            "server": text("The server's gitVersion; v1.36.3 unless given."),
            "now": text("The clock, as RFC 3339; 2026-01-01T00:00:00Z unless given."),
        },
        "oneOf": [
            {"required": ["pass"]}, {"required": ["fail"]},
            {"required": ["partial", "credit"]}, {"required": ["not-applicable"]},
        ],
        "additionalProperties": false,
    });
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Seaworthy rule",
        "description": "One declarative check: rules/<category>/<theme>/<id>.yaml.",
        "type": "object",
        "properties": {
            "title": text("What is true when the rule passes."),
            "severity": {"enum": ["critical", "high", "medium", "low", "info"]},
            "effort": {"enum": ["S", "M", "L"], "description": "S under a day, M under a week, L more."},
            "since": text("Version that introduced it."),
            "why": text("What goes wrong, and for whom. Markdown."),
            "fix": text("What to do. Markdown."),
            "references": strings("Links, and ids of other catalogues such as `CIS 5.2.2`."),
            "aliases": strings("Earlier ids."),
            "weight": {"type": "integer", "minimum": 0, "maximum": 100,
                "description": "Weight inside the theme, where it is not the severity's."},
            "aggregate": {"enum": ["share", "all", "count"],
                "description": "How the subjects' credits become one; share unless given."},
            "requires": strings("Rules to fix before this one."),
            "subject": {"enum": ["workload", "container", "namespace", "cluster"]},
            "kinds": strings("Subjects by kind, such as `v1/Node` or `apps/v1/Deployment`."),
            "with": {"type": "object", "description": "Related objects by alias.",
                "additionalProperties": {
                    "type": "object",
                    "properties": {
                        "kind": text("`group/version/Kind`."),
                        "relation": {"enum": ["selects", "targets", "owned-by", "in-namespace", "references", "any"]},
                    },
                    "required": ["kind", "relation"], "additionalProperties": false}},
            "params": {"type": "object", "description": "What scorecards and profiles may change.",
                "additionalProperties": {
                    "type": "object",
                    "properties": {
                        "type": {"enum": ["bool", "int", "number", "string", "duration", "strings"]},
                        "default": value.clone(),
                        "profiles": {"type": "object", "additionalProperties": value},
                        "description": text("What it means, in one sentence."),
                    },
                    "required": ["type", "default", "description"], "additionalProperties": false}},
            "variables": {"type": "array", "description": "Named expressions, used as variables.NAME.",
                "items": {
                    "type": "object",
                    "properties": {"name": text("The name."), "expression": expression("Its value.")},
                    "required": ["name", "expression"], "additionalProperties": false}},
            "when": expression("Where false, the rule is not about the subject."),
            "expression": expression("Where true, the subject passes."),
            "partial": {"type": "array", "description": "Half measures, tried in order.",
                "items": {
                    "type": "object",
                    "properties": {
                        "credit": {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1},
                        "expression": expression("Where true, the subject earns the credit."),
                        "messageExpression": expression("What is missing to full credit."),
                    },
                    "required": ["credit", "expression"], "additionalProperties": false}},
            "messageExpression": expression("Says why the check is false; a string."),
            "inert": expression("Where true, the thing exists and does nothing."),
            "manifests": {"type": "boolean", "description": "Whether manifests alone can answer it."},
            "examples": {"type": "array", "minItems": 2, "items": example,
                "description": "Documentation that is run as a test; at least one that passes and one that does not."},
        },
        "required": ["title", "severity", "effort", "since", "why", "fix", "references", "expression", "examples"],
        "oneOf": [{"required": ["subject"]}, {"required": ["kinds"]}],
        "additionalProperties": false,
    })
}
