//! Label selectors, as the API server decides them.

use super::Node;

/// Whether a LabelSelector (`matchLabels`, `matchExpressions`) matches labels. An empty one
/// matches everything; an operator that does not exist matches nothing.
pub fn selects(selector: &Node, labels: Option<&Node>) -> bool {
    let label = |key: &str| labels.and_then(|labels| labels.get(key)?.as_str());
    let wanted = selector.get("matchLabels").and_then(Node::as_map);
    let equal = wanted.is_none_or(|wanted| {
        let mut wanted = wanted.iter();
        wanted.all(|(key, value)| label(key) == value.as_str() && value.as_str().is_some())
    });
    let expressions = selector
        .get("matchExpressions")
        .map_or(&[][..], Node::items);
    equal
        && expressions.iter().all(|expression| {
            let key = expression.get("key").and_then(Node::as_str);
            expression_holds(expression, label(key.unwrap_or_default()))
        })
}

/// Whether one of a selector's `matchExpressions` holds of the value of its label.
pub fn expression_holds(expression: &Node, value: Option<&str>) -> bool {
    let values = expression.get("values").map_or(&[][..], Node::items);
    let listed = value.is_some() && values.iter().any(|item| item.as_str() == value);
    match expression.get("operator").and_then(Node::as_str) {
        Some("In") => listed,
        Some("NotIn") => !listed,
        Some("Exists") => value.is_some(),
        Some("DoesNotExist") => value.is_none(),
        _ => false,
    }
}
