//! The format of rule files, as a JSON Schema. [`check`](super::check) is what enforces it; what a
//! schema cannot say (names in expressions, other files) is said there alone.

use serde_json::{Map, Value, json};

use super::{ParamType, RelationKind, check::RESERVED};
use crate::model::{Aggregate, Effort, Severity};

const SLUG: &str = "^[a-z0-9]+(-[a-z0-9]+)*$";
const NAME: &str = "^[A-Za-z_][A-Za-z0-9_]{0,63}$";
const KIND: &str = r"^([^/]+/)?v[0-9][^/|]*(\|v[0-9][^/|]*)*/(\*|[A-Z][A-Za-z0-9]*)$";
const VERSION: &str = r"^[0-9]+\.[0-9]+\.[0-9]+(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?$";

/// JSON Schema (draft 2020-12) of a rule file, for editors.
pub fn schema() -> Value {
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Seaworthy rule",
        "description": "One declarative check: rules/<category>/<theme>/<id>.yaml.",
        "type": "object",
        "properties": {
            "title": text("What is true when the rule passes."),
            "severity": {"enum": Severity::ALL, "description": "How bad a failure is."},
            "effort": {"enum": Effort::ALL, "description": "S under a day, M under a week, L more."},
            "since": {"type": "string", "pattern": VERSION, "description": "Version that introduced it."},
            "why": text("What goes wrong, and for whom. Markdown."),
            "fix": text("What to do. Markdown."),
            "references": {"type": "array", "items": text("A link or an id."), "maxItems": 64,
                "description": "Links, and ids of other catalogues such as `CIS 5.2.2`."},
            "aliases": ids("Earlier ids."),
            "weight": {"type": "integer", "minimum": 0, "maximum": 100,
                "description": "Weight inside the theme, where it is not the severity's."},
            "aggregate": {"enum": Aggregate::ALL,
                "description": "How the subjects' credits become one; share unless given."},
            "requires": ids("Rules to fix before this one."),
            "subject": {"enum": ["workload", "container", "namespace", "cluster", "attestation"],
                "description": "What one verdict is about."},
            "kinds": {"type": "array", "minItems": 1, "maxItems": 64,
                "items": {"type": "string", "pattern": KIND},
                "description": "Subjects by kind, such as `v1/Node` or `apps/v1/Deployment`."},
            "with": relations(),
            "promql": {"type": "object", "maxProperties": 16, "propertyNames": {"pattern": NAME},
                "additionalProperties": expression("Over `params`; yields PromQL."),
                "description": "Questions to a Prometheus by name; their answers are prom.NAME."},
            "attestation": text("The statement that people may sign where no API shows it."),
            "params": params(),
            "variables": variables(),
            "when": expression("Where false, the rule is not about the subject."),
            "expression": expression("Where true, the subject passes."),
            "partial": partial(),
            "messageExpression": expression("Says why the check is false; a string."),
            "inert": expression("Where true, the thing exists and does nothing."),
            "manifests": {"type": "boolean",
                "description": "Whether manifests alone can answer it; found out unless given."},
            "examples": examples(),
        },
        "required": ["title", "severity", "effort", "since", "why", "fix", "references", "expression", "examples"],
        "oneOf": [{"required": ["subject"]}, {"required": ["kinds"]}],
        "if": {"properties": {"subject": {"enum": ["cluster", "attestation"]}}, "required": ["subject"]},
        "then": {"properties": {"with": {"additionalProperties": {
            "properties": {"relation": {"const": "any"}}}}}},
        "additionalProperties": false,
    })
}

fn text(description: &str) -> Value {
    json!({"type": "string", "pattern": r"\S", "description": description})
}

fn expression(description: &str) -> Value {
    let description = format!("CEL. {description}");
    json!({"type": ["string", "boolean"], "pattern": r"\S", "maxLength": 8192, "description": description})
}

fn ids(description: &str) -> Value {
    let id = json!({"type": "string", "pattern": SLUG, "maxLength": 40});
    json!({"type": "array", "items": id, "maxItems": 64, "description": description})
}

fn credit() -> Value {
    json!({"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1,
        "description": "What it earns, as a decimal."})
}

fn variables() -> Value {
    json!({"type": "array", "maxItems": 64,
                "description": "Named expressions, used as variables.NAME; each may use those before it.",
                "items": {
                    "type": "object",
                    "properties": {
                        "name": {"type": "string", "pattern": NAME, "description": "The name."},
                        "expression": expression("Its value."),
                    },
                    "required": ["name", "expression"], "additionalProperties": false}})
}

fn partial() -> Value {
    json!({"type": "array", "maxItems": 16,
                "description": "Half measures, tried in order where the expression is false.",
                "items": {
                    "type": "object",
                    "properties": {
                        "credit": credit(),
                        "expression": expression("Where true, the subject earns the credit."),
                        "messageExpression": expression("What is missing to full credit."),
                    },
                    "required": ["credit", "expression"], "additionalProperties": false}})
}

fn examples() -> Value {
    json!({"type": "array", "maxItems": 64, "items": example(),
                "allOf": [
                    {"contains": {"type": "object",
                        "anyOf": [{"required": ["pass"]}, {"required": ["attested"]}]}},
                    {"contains": {"type": "object",
                        "anyOf": [{"required": ["fail"]}, {"required": ["partial"]}]}},
                ],
                "description": "Documentation that is run as a test; at least one that passes and one that does not."})
}

fn relations() -> Value {
    json!({
        "type": "object", "maxProperties": 32, "description": "Related objects by alias.",
        "propertyNames": {"pattern": NAME, "not": {"enum": RESERVED}},
        "additionalProperties": {
            "type": "object",
            "properties": {
                "kind": {"type": "string", "pattern": KIND, "description": "`group/version/Kind`."},
                "relation": {"enum": RelationKind::ALL.map(RelationKind::as_str),
                    "description": "How the objects hang together with the subject."},
            },
            "required": ["kind", "relation"], "additionalProperties": false},
    })
}

fn params() -> Value {
    let any = ParamType::ALL.map(|kind| param(kind, value(kind)));
    let share = json!({"type": "number", "minimum": 0, "maximum": 1});
    let count = json!({"type": "integer", "minimum": 0, "maximum": u32::MAX});
    json!({
        "type": "object", "maxProperties": 64,
        "description": "What scorecards and profiles may change.",
        "propertyNames": {"pattern": NAME, "not": {"enum": ["in", "true", "false", "null"]}},
        "properties": {
            "minRatio": param(ParamType::Number, share),
            "tolerance": param(ParamType::Int, count),
        },
        "additionalProperties": {"type": "object", "oneOf": any},
    })
}

fn param(kind: ParamType, value: Value) -> Value {
    json!({
        "type": "object",
        "properties": {
            "type": {"const": kind.as_str()},
            "default": value.clone(),
            "profiles": {"type": "object", "additionalProperties": value,
                "description": "Values by profile (dev, staging, prod), where they differ."},
            "description": text("What it means, in one sentence."),
        },
        "required": ["type", "default", "description"], "additionalProperties": false,
    })
}

fn value(kind: ParamType) -> Value {
    match kind {
        ParamType::Bool => json!({"type": "boolean"}),
        ParamType::Int => json!({"type": "integer"}),
        ParamType::Number => json!({"type": "number"}),
        ParamType::String => json!({"type": "string"}),
        ParamType::Duration => {
            json!({"type": "string", "pattern": "^(?=.)([0-9]+h)?([0-9]+m)?([0-9]+s)?$"})
        }
        ParamType::Strings => json!({"type": "array", "items": {"type": "string"}}),
    }
}

fn example() -> Value {
    let cases = [
        (
            "pass",
            "Manifests of which every applicable subject passes.",
        ),
        ("fail", "Manifests of which at least one subject fails."),
        (
            "partial",
            "Manifests of which a subject earns exactly `credit`.",
        ),
        ("not-applicable", "Manifests without an applicable subject."),
        ("unknown", "Manifests of which a subject cannot be judged."),
        ("attested", "Manifests of which a subject is attested."),
    ];
    let mut properties = Map::new();
    for (case, description) in cases {
        let manifests = json!({"type": "string", "description": description});
        properties.insert(case.to_owned(), manifests);
    }
    properties.extend([
        ("credit".to_owned(), credit()),
        (
            "title".to_owned(),
            text("What the case shows, in a few words."),
        ),
        (
            "params".to_owned(),
            json!({"type": "object", "description": "Parameters that differ from the defaults."}),
        ),
        (
            "prometheus".to_owned(),
            json!({"type": "object", "description": "Series by query; without it there is no Prometheus.",
                "additionalProperties": {"type": "array", "items": {"type": "object",
                    "properties": {"labels": {"type": "object"}, "value": {"type": "number"}},
                    "required": ["value"], "additionalProperties": false}}}),
        ),
        (
            "attestations".to_owned(),
            json!({"type": "array", "items": {"type": "object"}, "description": "What people have attested."}),
        ),
        (
            "server".to_owned(),
            text("The server's gitVersion; v1.36.3 unless given."),
        ),
        (
            "now".to_owned(),
            json!({"type": "string", "format": "date-time",
            "description": "The clock, as RFC 3339; 2026-01-01T00:00:00Z unless given."}),
        ),
    ]);
    json!({
        "type": "object",
        "properties": properties,
        "oneOf": cases.map(|(case, _)| json!({"required": [case]})),
        "dependentRequired": {"partial": ["credit"], "credit": ["partial"]},
        "additionalProperties": false,
    })
}
