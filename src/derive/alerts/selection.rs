//! Which Prometheus takes up an object of the Prometheus operator, and of its VictoriaMetrics kin.

use std::collections::HashMap;

use crate::model::{GroupKind, Inventory, Node, Object};

/// API group of the Prometheus operator.
pub const OPERATOR: &str = "monitoring.coreos.com";
/// API group of the VictoriaMetrics operator.
pub const VICTORIA: &str = "operator.victoriametrics.com";

/// The label that every namespace carries.
const NAME_LABEL: &str = "kubernetes.io/metadata.name";

/// Something that selects objects by their labels and by the labels of their namespaces.
struct Chooser<'a> {
    object: &'a Object,
    labels: Option<&'a Node>,
    namespaces: Option<&'a Node>,
    /// What an absent selector selects: nothing, or everything.
    by_default: bool,
}

/// Everything that selects one sort of objects.
pub struct Choosers<'a> {
    choosers: Vec<Chooser<'a>>,
    namespaces: HashMap<&'a str, &'a Node>,
}

impl<'a> Choosers<'a> {
    /// Objects of the kinds `choosers` with selectors in the fields `<what>Selector` and
    /// `<what>NamespaceSelector` of their spec.
    pub fn of(inventory: &'a Inventory, choosers: &[(&str, &str)], what: &str) -> Self {
        let (labels, spaces) = (
            format!("{what}Selector"),
            format!("{what}NamespaceSelector"),
        );
        let objects = choosers.iter().flat_map(|(group, kind)| {
            let victoria = *group == VICTORIA;
            let objects = inventory.objects(&GroupKind::new(group, kind));
            objects.iter().map(move |object| (victoria, object))
        });
        let choosers = objects
            .map(|(victoria, object)| {
                let spec = |field: &str| object.root.at(&["spec", field]);
                let all = spec("selectAllByDefault").and_then(Node::as_bool) == Some(true);
                // VictoriaMetrics takes one selector alone for a statement about the other.
                let one_given = spec(&labels).is_some() || spec(&spaces).is_some();
                Chooser {
                    object,
                    labels: spec(&labels),
                    namespaces: spec(&spaces),
                    by_default: victoria && (all || one_given),
                }
            })
            .collect();
        let namespaces = inventory
            .objects(&GroupKind::new("", "Namespace"))
            .iter()
            .filter_map(|space| Some((space.name(), space.root.at(&["metadata", "labels"])?)))
            .collect();
        Choosers {
            choosers,
            namespaces,
        }
    }

    /// Whether there is nothing that could select.
    pub fn is_empty(&self) -> bool {
        self.choosers.is_empty()
    }

    /// `namespace/name` of the first that selects an object.
    pub fn chosen_by(&self, object: &Object) -> Option<String> {
        let labels = object.root.at(&["metadata", "labels"]);
        let namespace = object.namespace().unwrap_or_default();
        let chooser = self.choosers.iter().find(|chooser| {
            let by_labels = match chooser.labels {
                Some(selector) => selects(selector, labels),
                None => chooser.by_default,
            };
            by_labels && self.reaches(chooser, namespace)
        })?;
        let home = chooser.object.namespace().unwrap_or_default();
        Some(format!("{home}/{}", chooser.object.name()))
    }

    fn reaches(&self, chooser: &Chooser<'_>, namespace: &str) -> bool {
        let Some(selector) = chooser.namespaces else {
            let all = chooser.by_default && chooser.labels.is_none();
            return all || chooser.object.namespace() == Some(namespace);
        };
        match self.namespaces.get(namespace) {
            Some(labels) => selects(selector, Some(labels)),
            // Not written down: of its labels just the name is certain.
            None => {
                let name = serde_json::json!({ NAME_LABEL: namespace });
                selects(selector, Some(&Node::from(name)))
            }
        }
    }
}

/// Whether a LabelSelector selects labels. An empty one selects all.
pub fn selects(selector: &Node, labels: Option<&Node>) -> bool {
    let label = |key: &str| {
        labels
            .and_then(|labels| labels.get(key))
            .and_then(Node::as_str)
    };
    let equal = selector.get("matchLabels").and_then(Node::as_map);
    let mut equalities = equal.into_iter().flat_map(|map| map.iter());
    let expressions = selector
        .get("matchExpressions")
        .map_or(&[][..], Node::items);
    equalities.all(|(key, value)| label(key).is_some() && label(key) == value.as_str())
        && expressions.iter().all(|expression| {
            let text = |field: &str| expression.get(field).and_then(Node::as_str);
            let value = label(text("key").unwrap_or_default());
            let values = expression.get("values").map_or(&[][..], Node::items);
            let listed = value.is_some() && values.iter().any(|item| item.as_str() == value);
            match text("operator") {
                Some("In") => listed,
                Some("NotIn") => !listed,
                Some("Exists") => value.is_some(),
                Some("DoesNotExist") => value.is_none(),
                _ => false,
            }
        })
}

/// The namespaces that a monitor looks into: `None` for all of them.
pub fn looked_into<'a>(object: &'a Object, selector: Option<&'a Node>) -> Option<Vec<&'a str>> {
    let field = |name: &str| selector.and_then(|selector| selector.get(name));
    if field("any").and_then(Node::as_bool) == Some(true) {
        return None;
    }
    let names: Vec<&str> = field("matchNames")
        .map_or(&[][..], Node::items)
        .iter()
        .filter_map(Node::as_str)
        .collect();
    match names.is_empty() {
        true => Some(object.namespace().into_iter().collect()),
        false => Some(names),
    }
}
