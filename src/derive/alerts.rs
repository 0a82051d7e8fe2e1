//! Alerts, recordings, monitors and objectives: what Prometheus rules say, whether a Prometheus
//! takes them up, and whether they can ever fire.

mod budget;
mod lint;
mod monitors;
pub mod promql;
mod selection;
mod slo;
mod threshold;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use self::{
    promql::Query,
    selection::{Choosers, OPERATOR, VICTORIA},
};
use super::Derivation;
use crate::model::{GroupKind, Inventory, Map, Node, PROMETHEUS};

const RULE_PATHS: &[&str] = &["metadata.labels", "spec.groups"];
const CHOOSER_PATHS: &[&str] = &[
    "spec.ruleSelector",
    "spec.ruleNamespaceSelector",
    "spec.selectAllByDefault",
];

const ALERT_READS: &[(&str, &[&str])] = &[
    ("monitoring.coreos.com/v1/PrometheusRule", RULE_PATHS),
    ("operator.victoriametrics.com/v1beta1/VMRule", RULE_PATHS),
    ("monitoring.coreos.com/v1/Prometheus", CHOOSER_PATHS),
    ("monitoring.coreos.com/v1/ThanosRuler", CHOOSER_PATHS),
    (
        "operator.victoriametrics.com/v1beta1/VMAlert",
        CHOOSER_PATHS,
    ),
    ("v1/Namespace", &["metadata.labels"]),
];

/// The kinds of this module.
///
/// - `Alert`, `Recording`: one for each rule of a PrometheusRule or VMRule, named
///   `<object>/<group>/<name>`, with `#2` behind the second of a name.
/// - `LoadedAlert`: the same of the rules that a Prometheus says it has loaded.
/// - `DeadSelector`: a selector of an alert, named by its text, without series in the last day.
/// - `FiringAlert`: an alert that fires now, named as the alert.
/// - `Monitor`, `Slo`: see the modules.
pub(super) const DERIVATIONS: &[Derivation] = &[
    Derivation {
        kind: "Alert",
        namespaced: true,
        reads: ALERT_READS,
        derive: alerts,
    },
    Derivation {
        kind: "Recording",
        namespaced: true,
        reads: ALERT_READS,
        derive: recordings,
    },
    Derivation {
        kind: "LoadedAlert",
        namespaced: false,
        reads: &[("prometheus/v1/AlertingRule", &["spec", "status"])],
        derive: loaded,
    },
    Derivation {
        kind: "FiringAlert",
        namespaced: false,
        reads: &[("prometheus/v1/AlertingRule", &["spec", "status"])],
        derive: firing,
    },
    Derivation {
        kind: "DeadSelector",
        namespaced: false,
        reads: &[("prometheus/v1/Selector", &["status"])],
        derive: dead_selectors,
    },
    monitors::MONITOR,
    slo::SLO,
];

/// One rule as it is written.
struct Written<'a> {
    namespace: &'a str,
    /// Name of the object it stands in.
    object: &'a str,
    group: &'a str,
    /// Name of the alert, or of the recorded series.
    name: &'a str,
    /// `#2` for the second of its name in its group, and so on.
    number: String,
    alert: bool,
    expr: String,
    node: &'a Node,
    /// Such as `PrometheusRule monitoring/node`.
    source: String,
    /// The Prometheus that takes it up.
    by: Option<String>,
}

/// Every rule of every PrometheusRule and VMRule.
fn written(inventory: &Inventory) -> Vec<Written<'_>> {
    let choosers = [(OPERATOR, "Prometheus"), (OPERATOR, "ThanosRuler")];
    let prometheus = Choosers::of(inventory, &choosers, "rule");
    let victoria = Choosers::of(inventory, &[(VICTORIA, "VMAlert")], "rule");
    let objects = inventory.objects(&GroupKind::new(OPERATOR, "PrometheusRule"));
    let copies = inventory.objects(&GroupKind::new(VICTORIA, "VMRule"));
    let place = |object: &'_ crate::model::Object| {
        (
            object.namespace().unwrap_or_default().to_owned(),
            object.name().to_owned(),
        )
    };
    let originals: BTreeSet<(String, String)> = objects.iter().map(place).collect();
    // The VictoriaMetrics operator makes a VMRule of the same name and labels of a PrometheusRule.
    let copied: BTreeSet<(String, String)> = copies.iter().map(place).collect();
    let mut written = Vec::new();
    for object in objects {
        let by = prometheus.chosen_by(object).or_else(|| {
            copied
                .contains(&place(object))
                .then(|| victoria.chosen_by(object))
                .flatten()
        });
        rules_of(object, "PrometheusRule", by.as_deref(), &mut written);
    }
    for object in copies {
        if !originals.contains(&place(object)) {
            let by = victoria.chosen_by(object);
            rules_of(object, "VMRule", by.as_deref(), &mut written);
        }
    }
    written
}

fn rules_of<'a>(
    object: &'a crate::model::Object,
    kind: &str,
    by: Option<&str>,
    written: &mut Vec<Written<'a>>,
) {
    let namespace = object.namespace().unwrap_or_default();
    let source = format!("{kind} {namespace}/{}", object.name());
    let mut seen: BTreeMap<(&str, &str, bool), usize> = BTreeMap::new();
    for group in object
        .root
        .at(&["spec", "groups"])
        .map_or(&[][..], Node::items)
    {
        let group_name = text(group, "name");
        for node in group.get("rules").map_or(&[][..], Node::items) {
            let alert = node.get("alert").is_some();
            let name = text(node, if alert { "alert" } else { "record" });
            let count = seen.entry((group_name, name, alert)).or_default();
            *count += 1;
            written.push(Written {
                namespace,
                object: object.name(),
                group: group_name,
                name,
                number: if *count > 1 {
                    format!("#{count}")
                } else {
                    String::new()
                },
                alert,
                expr: expression(node),
                node,
                source: source.clone(),
                by: by.map(str::to_owned),
            });
        }
    }
}

fn text<'a>(node: &'a Node, field: &str) -> &'a str {
    node.get(field).and_then(Node::as_str).unwrap_or_default()
}

/// The expression of a rule; `expr: 1` is a number in YAML and an expression all the same.
fn expression(node: &Node) -> String {
    match node.get("expr") {
        Some(Node::String(text)) => text.to_string(),
        Some(Node::Int(number)) => number.to_string(),
        Some(Node::Float(number)) => number.to_string(),
        _ => String::new(),
    }
}

fn alerts(inventory: &Inventory) -> Vec<Node> {
    let written = written(inventory);
    let recorded = recorded(&written);
    let alerts = written.iter().filter(|rule| rule.alert);
    alerts
        .map(|rule| {
            let mut spec = spec(&rule.expr, &recorded);
            describe(&mut spec, rule.node, rule.name);
            place(rule, spec)
        })
        .collect()
}

fn recordings(inventory: &Inventory) -> Vec<Node> {
    let written = written(inventory);
    let recorded = recorded(&written);
    let records = written.iter().filter(|rule| !rule.alert);
    records
        .map(|rule| {
            let mut spec = spec(&rule.expr, &recorded);
            spec.insert("record".to_owned(), json!(rule.name));
            spec.insert("labels".to_owned(), texts(rule.node.get("labels")));
            place(rule, spec)
        })
        .collect()
}

type Fields = serde_json::Map<String, Value>;

fn place(rule: &Written<'_>, mut spec: Fields) -> Node {
    spec.insert("group".to_owned(), json!(rule.group));
    spec.insert("source".to_owned(), json!(rule.source));
    spec.insert("selected".to_owned(), json!(rule.by.is_some()));
    spec.insert("by".to_owned(), json!(rule.by));
    if rule.by.is_none() {
        spec.insert("idle".to_owned(), json!("is selected by no Prometheus"));
    }
    let name = format!(
        "{}/{}/{}{}",
        rule.object, rule.group, rule.name, rule.number
    );
    Node::from(json!({"metadata": {"name": name, "namespace": rule.namespace}, "spec": spec}))
}

/// What an alert says beside its expression.
fn describe(spec: &mut Fields, node: &Node, name: &str) {
    let labels = texts(node.get("labels"));
    spec.insert("alert".to_owned(), json!(name));
    spec.insert(
        "for".to_owned(),
        json!(node.get("for").and_then(Node::as_str)),
    );
    spec.insert(
        "severity".to_owned(),
        json!(labels.get("severity").cloned()),
    );
    let annotations = texts(node.get("annotations"));
    let wrong = annotations
        .as_object()
        .into_iter()
        .flatten()
        .find_map(|(key, value)| {
            let (objective, claim) = budget::wrong_claim(value.as_str()?)?;
            let percent = (objective * 1e5).round() / 1e3;
            Some(format!(
                "its {key} gives {percent} % a budget of {} minutes; it has {}",
                claim.declared, claim.right
            ))
        });
    spec.insert("wrongBudget".to_owned(), json!(wrong));
    spec.insert("labels".to_owned(), labels);
    spec.insert("annotations".to_owned(), annotations);
}

/// A map of texts.
fn texts(node: Option<&Node>) -> Value {
    let map = node.and_then(Node::as_map);
    let pairs = map.into_iter().flat_map(Map::iter);
    let texts = pairs.map(|(key, value)| {
        let text = match value {
            Node::String(text) => text.to_string(),
            Node::Bool(value) => value.to_string(),
            Node::Int(value) => value.to_string(),
            Node::Float(value) => value.to_string(),
            _ => String::new(),
        };
        (key.to_owned(), Value::from(text))
    });
    Value::Object(texts.collect())
}

/// The metrics behind each recorded series.
fn recorded(written: &[Written<'_>]) -> BTreeMap<String, BTreeSet<String>> {
    let mut recorded: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for rule in written.iter().filter(|rule| !rule.alert) {
        if let Ok(query) = promql::read(&rule.expr) {
            recorded
                .entry(rule.name.to_owned())
                .or_default()
                .extend(query.metrics);
        }
    }
    recorded
}

/// The metrics of an expression and all that they are recorded from.
fn behind(query: &Query, recorded: &BTreeMap<String, BTreeSet<String>>) -> BTreeSet<String> {
    let mut open: Vec<&String> = query.metrics.iter().collect();
    let mut found: BTreeSet<String> = BTreeSet::new();
    while let Some(name) = open.pop() {
        if found.insert(name.clone()) {
            open.extend(recorded.get(name).into_iter().flatten());
        }
    }
    found
}

/// What an expression says, as fields.
fn spec(expr: &str, recorded: &BTreeMap<String, BTreeSet<String>>) -> Fields {
    let fields = match promql::read(expr) {
        Err(broken) => json!({
            "expr": expr, "error": broken.to_string(), "idle": format!("does not parse ({broken})"), "metrics": [], "selectors": [],
            "comparisons": [], "usesUp": [], "absent": false, "forecast": false, "lint": [],
        }),
        Ok(query) => {
            let called = |names: &[&str]| names.iter().any(|name| query.functions.contains(*name));
            let selectors: Vec<Value> = query
                .selectors
                .iter()
                .map(|selector| {
                    let labels: Vec<Value> = selector
                        .labels
                        .iter()
                        .map(|(name, op, value)| json!({"name": name, "op": op, "value": value}))
                        .collect();
                    json!({"metric": selector.metric, "text": selector.text, "labels": labels,
                        "optional": selector.optional})
                })
                .collect();
            let comparisons: Vec<Value> = query
                .comparisons
                .iter()
                .map(|one| {
                    json!({"metric": one.metric, "op": one.op, "value": one.value,
                        "window": one.window, "function": one.function})
                })
                .collect();
            let lint = lint::lint(&query);
            let absent = called(&["absent", "absent_over_time"]);
            let idle = match lint.first() {
                Some(first) => Some(format!("can never tell: {first}")),
                None => (!query.compares && !absent).then(|| "compares with nothing".to_owned()),
            };
            json!({
                "expr": expr,
                "idle": idle,
                "metrics": behind(&query, recorded),
                "selectors": selectors,
                "comparisons": comparisons,
                "usesUp": query.jobs,
                "absent": absent,
                "forecast": called(&["predict_linear", "deriv"]),
                "usedShare": threshold::used_share(&query.tree),
                "leadSeconds": threshold::lead_seconds(&query.tree),
                "lint": lint,
            })
        }
    };
    match fields {
        Value::Object(fields) => fields,
        _ => Fields::new(),
    }
}

fn of_prometheus<'a>(inventory: &'a Inventory, kind: &str) -> &'a [crate::model::Object] {
    inventory.objects(&GroupKind::new(PROMETHEUS, kind))
}

fn loaded(inventory: &Inventory) -> Vec<Node> {
    let none = BTreeMap::new();
    let objects = of_prometheus(inventory, "AlertingRule").iter();
    objects
        .filter_map(|object| {
            let rule = object.root.get("spec")?;
            let mut spec = spec(&expression(rule), &none);
            describe(&mut spec, rule, text(rule, "alert"));
            spec.insert("group".to_owned(), json!(text(rule, "group")));
            spec.insert("source".to_owned(), json!("Prometheus"));
            spec.insert("selected".to_owned(), json!(true));
            let status = object.root.get("status").map(Value::from);
            Some(Node::from(json!({
                "metadata": {"name": object.name()}, "spec": spec, "status": status,
            })))
        })
        .collect()
}

fn firing(inventory: &Inventory) -> Vec<Node> {
    let mut since: BTreeMap<&str, &str> = BTreeMap::new();
    for object in of_prometheus(inventory, "AlertingRule") {
        let status = |field: &str| object.root.at(&["status", field]).and_then(Node::as_str);
        let name = object
            .root
            .get("spec")
            .map_or("", |spec| text(spec, "alert"));
        if let (Some("firing"), Some(at)) = (status("state"), status("activeAt")) {
            let oldest = since.entry(name).or_insert(at);
            *oldest = (*oldest).min(at);
        }
    }
    since
        .into_iter()
        .map(|(name, at)| {
            Node::from(json!({"metadata": {"name": name}, "status": {"activeAt": at}}))
        })
        .collect()
}

fn dead_selectors(inventory: &Inventory) -> Vec<Node> {
    of_prometheus(inventory, "Selector")
        .iter()
        .filter(|object| object.root.at(&["status", "series"]).and_then(Node::as_int) == Some(0))
        .map(|object| Node::from(json!({"metadata": {"name": object.name()}})))
        .collect()
}

#[cfg(test)]
mod tests;
