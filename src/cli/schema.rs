//! `seaworthy schema`

use std::io;

use serde_json::json;

use super::{
    args::{SchemaArgs, SchemaFormat},
    exit::Exit,
    output,
};
use crate::{report, rule, scorecard};

/// Prints the JSON Schema of a format.
pub fn run(arguments: &SchemaArgs) -> io::Result<Exit> {
    let schema = match arguments.format {
        SchemaFormat::Rule => rule::schema(),
        SchemaFormat::Scorecard => scorecard::schema(),
        SchemaFormat::Report => report::json::schema(),
        SchemaFormat::Waivers => waivers(),
        SchemaFormat::Attestations => attestations(),
    };
    let text = serde_json::to_string_pretty(&schema).map_err(io::Error::other)?;
    output::to_stdout(&format!("{text}\n"))?;
    Ok(Exit::Done)
}

/// The format of waivers. `scorecard::load_waivers` is what enforces it.
fn waivers() -> serde_json::Value {
    let text =
        |description: &str| json!({"type": "string", "minLength": 1, "description": description});
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Seaworthy waivers",
        "description": "Accepted failures: who accepted what, why, and until when.",
        "type": "array",
        "items": {
            "type": "object",
            "properties": {
                "rule": text("Id or alias of the rule."),
                "subject": {
                    "type": "object",
                    "description": "Whose failures are accepted. `*` stands for any text and `?` for any one character; what is not said matches everything.",
                    "properties": {
                        "kind": text("Kind, such as Deployment or Deployment.apps."),
                        "namespace": text("Namespace. A subject outside namespaces matches only where none is said."),
                        "name": text("Name."),
                    },
                    "minProperties": 1,
                    "additionalProperties": false,
                },
                "reason": text("Why it is accepted."),
                "owner": text("Who accepted it."),
                "expires": text("A date, through whose last second in UTC it holds, or an RFC 3339 time."),
            },
            "required": ["rule", "subject", "reason", "owner", "expires"],
            "additionalProperties": false,
        },
    })
}

/// The format of attestations. `scorecard::load_attestations` is what enforces it.
fn attestations() -> serde_json::Value {
    let text =
        |description: &str| json!({"type": "string", "minLength": 1, "description": description});
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Seaworthy attestations",
        "description": "What people have signed for that no API shows.",
        "type": "array",
        "items": {
            "type": "object",
            "properties": {
                "rule": text("Id or alias of a rule that can be attested."),
                "result": {"enum": ["pass", "fail"], "description": "Whether the statement holds; pass unless said."},
                "scope": text("What it is about, where not the whole cluster."),
                "by": text("Who signs."),
                "at": text("When it was found to be so: a date, or an RFC 3339 time."),
                "expires": text("A date, through whose last second in UTC it holds, or an RFC 3339 time. The rule may end it earlier."),
                "evidence": {
                    "type": "array",
                    "description": "Where the proof lies.",
                    "items": {
                        "type": "object",
                        "properties": {
                            "uri": text("Where it is."),
                            "sha256": {"type": "string", "pattern": "^[0-9a-fA-F]{64}$", "description": "Its digest."},
                        },
                        "required": ["uri"],
                        "additionalProperties": false,
                    },
                },
                "details": {"type": "object", "description": "What else the rule asks for."},
            },
            "required": ["rule", "by", "at", "expires"],
            "additionalProperties": false,
        },
    })
}
