//! The format of rule files, as a JSON Schema. [`check`](super::check) is what enforces it.

use serde_json::json;

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
