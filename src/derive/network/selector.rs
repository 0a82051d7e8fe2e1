//! Label selectors, in the two dialects that network policies are written in.

use std::collections::BTreeSet;

use crate::model::Node;

/// Which labels a key of a selector stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// Those of Kubernetes objects: every key of Kubernetes' selectors, `k8s:` in Cilium's.
    Kubernetes,
    /// Any of Cilium's sources: no prefix, or `any:`.
    Any,
    /// What Cilium knows without labels, such as `reserved:host`.
    Reserved,
    /// A source that pods have no labels of, such as `container:`.
    Other,
}

/// A label's key and its source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Key<'a> {
    pub origin: Origin,
    pub name: &'a str,
}

#[derive(Clone, Debug)]
enum Test<'a> {
    In(Vec<&'a str>),
    NotIn(Vec<&'a str>),
    Exists,
    DoesNotExist,
}

/// One condition of a selector.
#[derive(Clone, Debug)]
pub(super) struct Requirement<'a> {
    pub key: Key<'a>,
    test: Test<'a>,
}

impl Requirement<'_> {
    fn holds(&self, value: Option<&str>) -> bool {
        match &self.test {
            Test::In(values) => value.is_some_and(|value| values.contains(&value)),
            Test::NotIn(values) => !value.is_some_and(|value| values.contains(&value)),
            Test::Exists => value.is_some(),
            Test::DoesNotExist => value.is_none(),
        }
    }
}

/// A parsed selector: all of its requirements must hold.
#[derive(Clone, Debug, Default)]
pub(super) struct Selector<'a> {
    pub requirements: Vec<Requirement<'a>>,
}

impl<'a> Selector<'a> {
    /// Whether it selects everything.
    pub fn is_empty(&self) -> bool {
        self.requirements.is_empty()
    }

    /// Whether all requirements hold of the labels that `value` looks up.
    pub fn matches<'v>(&self, value: impl Fn(Key<'a>) -> Option<&'v str>) -> bool {
        let mut requirements = self.requirements.iter();
        requirements.all(|requirement| requirement.holds(value(requirement.key)))
    }

    /// Adds `key = value`.
    pub fn require(&mut self, key: Key<'a>, value: &'a str) {
        let test = Test::In(vec![value]);
        self.requirements.push(Requirement { key, test });
    }

    /// Adds that `key` is there.
    pub fn require_present(&mut self, key: Key<'a>) {
        let test = Test::Exists;
        self.requirements.push(Requirement { key, test });
    }

    /// The selector as people write it, such as `app=web,tier in (a, b)`.
    pub fn text(&self) -> String {
        let parts: Vec<String> = self.requirements.iter().map(text).collect();
        parts.join(",")
    }
}

fn text(requirement: &Requirement<'_>) -> String {
    let name = match requirement.key.origin {
        Origin::Reserved => format!("reserved:{}", requirement.key.name),
        _ => requirement.key.name.to_owned(),
    };
    match &requirement.test {
        Test::In(values) if values.len() == 1 => format!("{name}={}", values[0]),
        Test::In(values) => format!("{name} in ({})", values.join(", ")),
        Test::NotIn(values) => format!("{name} notin ({})", values.join(", ")),
        Test::Exists => name,
        Test::DoesNotExist => format!("!{name}"),
    }
}

/// How keys are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    /// Plain label names.
    Kubernetes,
    /// With the source of the label before a colon.
    Cilium,
}

/// Parses selectors, and remembers which labels they look at: pods that agree on those are alike
/// to every policy.
#[derive(Default)]
pub(super) struct Keys<'a> {
    pub names: BTreeSet<&'a str>,
}

impl<'a> Keys<'a> {
    /// Parses a selector; one that is not written, or empty, selects everything.
    ///
    /// # Errors
    /// What is wrong with it. No server takes such a selector, but a folder may hold it.
    pub fn selector(
        &mut self,
        node: Option<&'a Node>,
        dialect: Dialect,
    ) -> Result<Selector<'a>, String> {
        let mut selector = Selector::default();
        let Some(node) = node else {
            return Ok(selector);
        };
        if node.as_map().is_none() && *node != Node::Null {
            return Err("a selector that is no object".to_owned());
        }
        if let Some(labels) = node.get("matchLabels").and_then(Node::as_map) {
            for (name, value) in labels.iter() {
                let value = value
                    .as_str()
                    .ok_or_else(|| format!("the label {name} in a selector has no text"))?;
                let key = self.key(name, dialect);
                selector.require(key, value);
            }
        }
        for expression in node.get("matchExpressions").map_or(&[][..], Node::items) {
            let word = |field: &str| expression.get(field).and_then(Node::as_str);
            let name = word("key").ok_or("an expression in a selector has no key")?;
            let values = expression.get("values").map_or(&[][..], Node::items);
            let values: Vec<&str> = values.iter().filter_map(Node::as_str).collect();
            let operator = word("operator").unwrap_or_default();
            let test = match (operator, values.is_empty()) {
                ("In", false) => Test::In(values),
                ("NotIn", false) => Test::NotIn(values),
                ("Exists", true) => Test::Exists,
                ("DoesNotExist", true) => Test::DoesNotExist,
                _ => {
                    return Err(format!(
                        "the expression on {name} in a selector: {operator:?} with {} values",
                        values.len()
                    ));
                }
            };
            let key = self.key(name, dialect);
            selector.requirements.push(Requirement { key, test });
        }
        Ok(selector)
    }

    fn key(&mut self, written: &'a str, dialect: Dialect) -> Key<'a> {
        let (origin, name) = match (dialect, written.split_once(':')) {
            (Dialect::Kubernetes, _) => (Origin::Kubernetes, written),
            (Dialect::Cilium, None) => (Origin::Any, written),
            (Dialect::Cilium, Some((source, name))) => match source {
                "any" => (Origin::Any, name),
                "k8s" => (Origin::Kubernetes, name),
                "reserved" => (Origin::Reserved, name),
                _ => (Origin::Other, name),
            },
        };
        self.names.insert(name);
        Key { origin, name }
    }
}
