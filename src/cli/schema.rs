//! `seaworthy schema`

use std::io;

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
    };
    let text = serde_json::to_string_pretty(&schema).map_err(io::Error::other)?;
    output::to_stdout(&format!("{text}\n"))?;
    Ok(Exit::Done)
}
