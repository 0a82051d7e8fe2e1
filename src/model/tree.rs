//! The object tree: what a source keeps of an object, and what CEL reads.

use std::sync::Arc;

/// One value of an object. Only what the projection asked for is in it.
///
/// A field that is only tested for presence is kept as [`Node::Null`]; a field whose value is
/// `null` at the source is left out, as the API server treats the two alike.
#[derive(Clone, Debug, PartialEq, Default)]
pub enum Node {
    /// Present, its value not kept.
    #[default]
    Null,
    /// A boolean.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// Any other number.
    Float(f64),
    /// A string.
    String(Box<str>),
    /// An array.
    List(Box<[Node]>),
    /// An object.
    Map(Map),
}

/// The fields of an object, sorted by name.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Map(Box<[(Arc<str>, Node)]>);

impl Map {
    /// The value of a field.
    pub fn get(&self, key: &str) -> Option<&Node> {
        let at = self
            .0
            .binary_search_by(|(name, _)| (**name).cmp(key))
            .ok()?;
        Some(&self.0[at].1)
    }

    /// Fields in the order of their names.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &Node)> {
        self.0.iter().map(|(name, node)| (&**name, node))
    }

    /// Number of fields.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are no fields.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl IntoIterator for Map {
    type Item = (Arc<str>, Node);
    type IntoIter = std::vec::IntoIter<Self::Item>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_vec().into_iter()
    }
}

/// Collects fields in any order; of a repeated name the last one counts, as in JSON.
impl FromIterator<(Arc<str>, Node)> for Map {
    fn from_iter<I: IntoIterator<Item = (Arc<str>, Node)>>(fields: I) -> Self {
        let mut fields: Vec<_> = fields.into_iter().collect();
        fields.sort_by(|(a, _), (b, _)| a.cmp(b));
        fields.dedup_by(|later, earlier| {
            let same = later.0 == earlier.0;
            if same {
                std::mem::swap(later, earlier);
            }
            same
        });
        Map(fields.into())
    }
}

impl Node {
    /// The node at a path of field names, such as `["metadata", "name"]`.
    pub fn at(&self, path: &[&str]) -> Option<&Node> {
        path.iter().try_fold(self, |node, key| node.get(key))
    }

    /// A field of an object.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.as_map()?.get(key)
    }

    /// The text, if it is a string.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Node::String(text) => Some(text),
            _ => None,
        }
    }

    /// The fields, if it is an object.
    pub fn as_map(&self) -> Option<&Map> {
        match self {
            Node::Map(map) => Some(map),
            _ => None,
        }
    }

    /// The elements; empty if it is not an array.
    pub fn items(&self) -> &[Node] {
        match self {
            Node::List(items) => items,
            _ => &[],
        }
    }

    /// The number, if it is a whole one.
    pub fn as_int(&self) -> Option<i64> {
        match self {
            Node::Int(number) => Some(*number),
            _ => None,
        }
    }

    /// The truth value, if it is a boolean.
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Node::Bool(value) => Some(*value),
            _ => None,
        }
    }
}

impl Node {
    /// The node that was written as JSON by a snapshot: there `null` is a value whose presence was
    /// kept, and not an absent one.
    pub fn from_kept(value: serde_json::Value) -> Self {
        use serde_json::Value;
        match value {
            Value::Array(items) => Node::List(items.into_iter().map(Node::from_kept).collect()),
            Value::Object(fields) => Node::Map(
                fields
                    .into_iter()
                    .map(|(name, value)| (Arc::from(name), Node::from_kept(value)))
                    .collect(),
            ),
            scalar => Node::from(scalar),
        }
    }
}

/// Makes a node of a JSON value; used for parameters, examples and tests, never for bulk input.
impl From<serde_json::Value> for Node {
    fn from(value: serde_json::Value) -> Self {
        use serde_json::Value;
        match value {
            Value::Null => Node::Null,
            Value::Bool(value) => Node::Bool(value),
            Value::Number(number) => match number.as_i64() {
                Some(whole) => Node::Int(whole),
                None => Node::Float(number.as_f64().unwrap_or(f64::INFINITY)),
            },
            Value::String(text) => Node::String(text.into()),
            Value::Array(items) => Node::List(items.into_iter().map(Node::from).collect()),
            Value::Object(fields) => Node::Map(
                fields
                    .into_iter()
                    .filter(|(_, value)| !value.is_null())
                    .map(|(name, value)| (Arc::from(name), Node::from(value)))
                    .collect(),
            ),
        }
    }
}

/// The JSON value of a node, for snapshots and reports.
impl From<&Node> for serde_json::Value {
    fn from(node: &Node) -> Self {
        use serde_json::Value;
        match node {
            Node::Null => Value::Null,
            Node::Bool(value) => Value::Bool(*value),
            Node::Int(number) => Value::from(*number),
            Node::Float(number) => Value::from(*number),
            Node::String(text) => Value::String(text.to_string()),
            Node::List(items) => Value::Array(items.iter().map(Value::from).collect()),
            Node::Map(map) => Value::Object(
                map.iter()
                    .map(|(name, node)| (name.to_owned(), Value::from(node)))
                    .collect(),
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_of_a_repeated_field_counts() {
        let map: Map = [("b", 1), ("a", 2), ("b", 3)]
            .into_iter()
            .map(|(name, value)| (Arc::from(name), Node::Int(value)))
            .collect();
        assert_eq!(map.len(), 2);
        assert_eq!(map.get("b"), Some(&Node::Int(3)));
        assert_eq!(map.get("c"), None);
    }
}
