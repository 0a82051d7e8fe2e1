//! Service level objectives that are written as objects or as recording rules, their budgets and
//! the alerts on how fast these burn.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::{
    Written,
    budget::{self, Claim},
    promql::{Query, constant},
};
use crate::{
    derive::Derivation,
    model::{GroupKind, Inventory, Node, Object},
};

/// The window of objectives that do not name one, as in Sloth.
const DEFAULT_WINDOW: &str = "30d";
/// Labels by which alerts and series name the objective that they belong to.
const LINKS: [&str; 4] = ["slo", "sloth_slo", "sloth_id", "slo_name"];

/// `Slo`: one for each objective that is declared.
pub const SLO: Derivation = Derivation {
    kind: "Slo",
    namespaced: true,
    reads: &[
        (
            "sloth.slok.dev/v1/PrometheusServiceLevel",
            &[
                "metadata.annotations",
                "metadata.labels",
                "spec.service",
                "spec.slos",
            ],
        ),
        (
            "pyrra.dev/v1alpha1/ServiceLevelObjective",
            &[
                "metadata.annotations",
                "metadata.labels",
                "spec.target",
                "spec.window",
                "spec.description",
            ],
        ),
        ("monitoring.coreos.com/v1/PrometheusRule", super::RULE_PATHS),
        (
            "operator.victoriametrics.com/v1beta1/VMRule",
            super::RULE_PATHS,
        ),
        ("monitoring.coreos.com/v1/Prometheus", super::CHOOSER_PATHS),
        ("monitoring.coreos.com/v1/ThanosRuler", super::CHOOSER_PATHS),
        (
            "operator.victoriametrics.com/v1beta1/VMAlert",
            super::CHOOSER_PATHS,
        ),
        ("v1/Namespace", &["metadata.labels"]),
    ],
    derive: slos,
};

/// One declared objective.
#[derive(Default)]
struct Declared {
    object: String,
    namespace: String,
    name: String,
    service: String,
    source: String,
    objective: Option<f64>,
    window: String,
    texts: Vec<String>,
    /// Names by which labels can name it.
    ids: BTreeSet<String>,
    /// Series recorded for it.
    records: BTreeSet<String>,
}

fn slos(inventory: &Inventory) -> Vec<Node> {
    let written = super::written(inventory);
    let queries: Vec<Option<Query>> = written
        .iter()
        .map(|rule| super::promql::read(&rule.expr).ok())
        .collect();
    let mut declared: Vec<Declared> = Vec::new();
    for object in inventory.objects(&GroupKind::new("sloth.slok.dev", "PrometheusServiceLevel")) {
        declared.extend(of_sloth(object));
    }
    for object in inventory.objects(&GroupKind::new("pyrra.dev", "ServiceLevelObjective")) {
        declared.push(of_pyrra(object));
    }
    declared.extend(recorded(&written, &queries, &declared));
    declared
        .iter()
        .map(|slo| object(slo, &written, &queries))
        .collect()
}

fn text<'a>(object: &'a Object, path: &[&str]) -> &'a str {
    object
        .root
        .at(path)
        .and_then(Node::as_str)
        .unwrap_or_default()
}

/// Texts of an object's annotations and labels, each behind its key.
fn metadata(object: &Object) -> Vec<String> {
    ["annotations", "labels"]
        .into_iter()
        .filter_map(|field| object.root.at(&["metadata", field])?.as_map())
        .flat_map(|map| map.iter())
        // A copy of the whole object is no statement of its own.
        .filter(|(key, _)| !key.ends_with("last-applied-configuration"))
        .filter_map(|(key, value)| Some(described(key, value.as_str()?)))
        .collect()
}

/// `error-budget-minutes: 21.6` names its unit in the key.
fn described(key: &str, value: &str) -> String {
    let unit = ["minutes", "hours"]
        .into_iter()
        .find(|unit| key.to_lowercase().contains(unit));
    match unit {
        Some(unit) if value.trim().parse::<f64>().is_ok() => {
            format!(
                "{} {} {unit}",
                key.replace(['-', '_'], " ").replace(unit, ""),
                value.trim()
            )
        }
        _ => format!("{key} {value}"),
    }
}

fn number(node: &Node) -> Option<f64> {
    match node {
        Node::Int(whole) => whole.to_string().parse().ok(),
        Node::Float(number) => Some(*number),
        Node::String(text) => text.trim().trim_end_matches('%').trim().parse().ok(),
        _ => None,
    }
}

/// A percentage as a fraction.
fn fraction(percent: f64) -> Option<f64> {
    (percent > 0.0 && percent < 100.0).then(|| (percent * 1e7).round() / 1e9)
}

fn of_sloth(object: &Object) -> Vec<Declared> {
    let service = text(object, &["spec", "service"]);
    let entries = object
        .root
        .at(&["spec", "slos"])
        .map_or(&[][..], Node::items);
    let one = |entry: &Node| {
        let name = entry.get("name").and_then(Node::as_str).unwrap_or_default();
        let description = entry.get("description").and_then(Node::as_str);
        let mut texts = metadata(object);
        texts.extend(description.map(str::to_owned));
        texts.extend(labels(entry.get("labels")).map(|(key, value)| described(key, value)));
        Declared {
            object: format!("{}/{name}", object.name()),
            namespace: object.namespace().unwrap_or_default().to_owned(),
            name: name.to_owned(),
            service: service.to_owned(),
            source: format!("PrometheusServiceLevel {}", place(object)),
            objective: entry.get("objective").and_then(number).and_then(fraction),
            window: DEFAULT_WINDOW.to_owned(),
            texts,
            ids: [name.to_owned(), format!("{service}-{name}")].into(),
            records: BTreeSet::new(),
        }
    };
    entries.iter().map(one).collect()
}

fn of_pyrra(object: &Object) -> Declared {
    let window = text(object, &["spec", "window"]);
    let mut texts = metadata(object);
    texts.push(text(object, &["spec", "description"]).to_owned());
    Declared {
        object: object.name().to_owned(),
        namespace: object.namespace().unwrap_or_default().to_owned(),
        name: object.name().to_owned(),
        source: format!("ServiceLevelObjective {}", place(object)),
        objective: object
            .root
            .at(&["spec", "target"])
            .and_then(number)
            .and_then(fraction),
        window: if window.is_empty() {
            DEFAULT_WINDOW
        } else {
            window
        }
        .to_owned(),
        texts,
        ids: [object.name().to_owned()].into(),
        ..Declared::default()
    }
}

fn place(object: &Object) -> String {
    format!(
        "{}/{}",
        object.namespace().unwrap_or_default(),
        object.name()
    )
}

fn labels(node: Option<&Node>) -> impl Iterator<Item = (&str, &str)> {
    let map = node.and_then(Node::as_map);
    map.into_iter()
        .flat_map(|map| map.iter())
        .filter_map(|(key, value)| Some((key, value.as_str()?)))
}

/// Objectives that are just recording rules `slo:…`: one records the ratio and one, or a label, the
/// objective.
fn recorded(
    written: &[Written<'_>],
    queries: &[Option<Query>],
    objects: &[Declared],
) -> Vec<Declared> {
    let mut found: BTreeMap<(String, String, String), Declared> = BTreeMap::new();
    for (rule, query) in written.iter().zip(queries) {
        if rule.alert || !rule.name.starts_with("slo:") {
            continue;
        }
        let label = |wanted: &str| {
            labels(rule.node.get("labels"))
                .find(|(key, _)| *key == wanted)
                .map(|(_, value)| value)
        };
        let linked = LINKS.iter().find_map(|link| label(link));
        let segment = rule.name.split(':').nth(1).unwrap_or_default();
        let name = linked.unwrap_or(segment).to_owned();
        // What Sloth and Pyrra generate belongs to the object that they generate it from.
        if objects.iter().any(|slo| slo.ids.contains(&name)) {
            continue;
        }
        let key = (
            rule.namespace.to_owned(),
            rule.object.to_owned(),
            name.clone(),
        );
        let slo = found.entry(key).or_insert_with(|| Declared {
            object: format!("{}/{name}", rule.object),
            namespace: rule.namespace.to_owned(),
            service: label("sloth_service").unwrap_or_default().to_owned(),
            source: rule.source.clone(),
            window: DEFAULT_WINDOW.to_owned(),
            ids: [name.clone()].into(),
            name,
            ..Declared::default()
        });
        slo.records.insert(rule.name.to_owned());
        let value = query.as_ref().and_then(|query| constant(&query.tree));
        let label_objective = ["objective", "sloth_objective"]
            .iter()
            .find_map(|name| label(name));
        if rule.name.contains("objective") || rule.name.contains("target") {
            slo.objective = value.map(|value| if value > 1.0 { value / 100.0 } else { value });
        } else if rule.name.contains("time_period:days") {
            slo.window = value.map_or(slo.window.clone(), |days| format!("{days}d"));
        } else if let Some(percent) = label_objective.and_then(|text| text.parse::<f64>().ok()) {
            slo.objective = slo.objective.or(if percent > 1.0 {
                fraction(percent)
            } else {
                Some(percent)
            });
        }
        let pairs = labels(rule.node.get("labels"));
        slo.texts
            .extend(pairs.map(|(key, value)| described(key, value)));
    }
    // A ratio without an objective is an indicator.
    found
        .into_values()
        .filter(|slo| slo.objective.is_some())
        .collect()
}

fn object(slo: &Declared, written: &[Written<'_>], queries: &[Option<Query>]) -> Node {
    let days = budget::days(&slo.window).unwrap_or(30.0);
    let budget = slo
        .objective
        .map(|objective| budget::minutes(objective, days));
    let claims: Vec<Claim> = slo
        .objective
        .map(|objective| {
            slo.texts
                .iter()
                .flat_map(|text| budget::claims(text, objective, days))
                .collect()
        })
        .unwrap_or_default();
    let wrong = claims.iter().find(|claim| !claim.agrees());
    let declared = wrong.or(claims.first());
    let words: BTreeSet<String> = [&slo.name, &slo.service]
        .into_iter()
        .flat_map(|name| name.split(['-', '_', '.', ' ', '/']))
        .map(str::to_lowercase)
        .filter(|word| !word.is_empty())
        .collect();
    let burn: Vec<Value> = slo
        .objective
        .map(|objective| burn_alerts(slo, 1.0 - objective, written, queries))
        .unwrap_or_default();
    Node::from(json!({
        "metadata": {"name": slo.object, "namespace": slo.namespace},
        "spec": {
            "name": slo.name,
            "service": slo.service,
            "words": words,
            "source": slo.source,
            "objective": slo.objective,
            "window": slo.window,
            "budgetMinutes": budget,
            "declaredMinutes": declared.map(|claim| claim.declared),
            "rightMinutes": declared.map(|claim| claim.right),
            "agrees": wrong.is_none(),
            "burnAlerts": burn,
        },
    }))
}

/// The selected alerts that compare how fast the budget burns with a multiple of it.
fn burn_alerts(
    slo: &Declared,
    budget: f64,
    written: &[Written<'_>],
    queries: &[Option<Query>],
) -> Vec<Value> {
    let mut found = Vec::new();
    for (rule, query) in written.iter().zip(queries) {
        let Some(query) = query else { continue };
        if !rule.alert || rule.by.is_none() {
            continue;
        }
        let named = labels(rule.node.get("labels"))
            .any(|(key, value)| LINKS.contains(&key) && slo.ids.contains(value));
        let selected = query
            .selectors
            .iter()
            .flat_map(|selector| &selector.labels)
            .any(|(label, op, value)| {
                LINKS.contains(&&**label) && op == "=" && slo.ids.contains(value)
            });
        let recorded = query
            .metrics
            .iter()
            .any(|metric| slo.records.contains(metric));
        if !(named || selected || recorded) {
            continue;
        }
        let severity = ["severity", "sloth_severity"]
            .iter()
            .find_map(|wanted| {
                labels(rule.node.get("labels"))
                    .find(|(key, _)| key == wanted)
                    .map(|(_, value)| value)
            })
            .unwrap_or_default();
        for comparison in &query.comparisons {
            let Some(window) = &comparison.window else {
                continue;
            };
            if comparison.op.starts_with('>') && comparison.value > 0.0 {
                let factor = (comparison.value / budget * 100.0).round() / 100.0;
                found.push(
                    json!({"window": window, "factor": factor, "severity": severity,
                    "hours": budget::days(window).map(|days| days * 24.0)}),
                );
            }
        }
    }
    found
}
