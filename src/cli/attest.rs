//! `seaworthy attest`

use std::{
    collections::BTreeMap,
    io::{self, stderr},
    path::Path,
};

use jiff::{Timestamp, ToSpan, civil::Date, tz::TimeZone};
use sha2::{Digest, Sha256};

use super::{args::AttestArgs, diagnostics, exit::Exit, output};
use crate::{
    audit::Error,
    model::{Node, Problem},
    rule::{self, Rule},
    scorecard::{self, Entry, EntryProof},
};

/// Longest time that an attestation holds where the rule does not say, in days.
const DEFAULT_DAYS: i64 = 90;

/// Writes an attestation: to standard output, or to the end of a file.
pub fn run(arguments: &AttestArgs) -> io::Result<Exit> {
    match attest(arguments) {
        Ok(text) => {
            match &arguments.append {
                Some(file) => {
                    let before = std::fs::read_to_string(file).unwrap_or_default();
                    let joint = if before.is_empty() || before.ends_with('\n') {
                        ""
                    } else {
                        "\n"
                    };
                    output::to_file(file, &format!("{before}{joint}{text}"))?;
                }
                None => output::to_stdout(&text)?,
            }
            Ok(Exit::Done)
        }
        Err(error) => Ok(diagnostics::failed(
            "no attestation was written",
            &error,
            output::colour(&stderr()),
        )),
    }
}

/// A problem of the command line, which has no file.
fn problem(message: String, help: &str) -> Error {
    let nowhere = Problem::error(&"arguments".into(), &"".into(), 0..0, message);
    Error::Input(vec![nowhere.with_help(help)])
}

fn attest(arguments: &AttestArgs) -> Result<String, Error> {
    let loaded = rule::load(&arguments.rules)?;
    let Some(rule) = loaded.rules.find(&arguments.rule) else {
        let message = format!("there is no rule `{}`", arguments.rule);
        return Err(problem(message, "`seaworthy rules list` has the ids"));
    };
    let at = arguments.at.unwrap_or_else(today);
    let entry = Entry {
        rule: rule.id.to_string(),
        result: if arguments.fails { "fail" } else { "pass" },
        scope: arguments.scope.clone(),
        by: arguments.by.clone(),
        at: at.to_string(),
        expires: match arguments.expires {
            Some(date) => date.to_string(),
            None => at.saturating_add(days(rule).days()).to_string(),
        },
        evidence: arguments
            .evidence
            .iter()
            .map(|text| proof(text))
            .collect::<Result<_, _>>()?,
        details: details(&arguments.details)?,
    };
    let text = serde_saphyr::to_string(&[entry])
        .map_err(|error| problem(error.to_string(), "write the entry by hand"))?;
    let statement = rule.attestation.as_deref().unwrap_or_default().trim();
    let comment: String = statement
        .lines()
        .map(|line| format!("# {line}\n"))
        .collect();
    let text = format!("{comment}{text}");
    // What is written is what will be read.
    let existing = match &arguments.append {
        Some(file) => std::fs::read_to_string(file).unwrap_or_default(),
        None => String::new(),
    };
    let whole = format!("{existing}\n{text}");
    let name = match &arguments.append {
        Some(file) => file.display().to_string(),
        None => "attestation".to_owned(),
    };
    scorecard::parse_attestations(&name, &whole, &loaded.rules)?;
    Ok(text)
}

fn today() -> Date {
    TimeZone::UTC.to_datetime(Timestamp::now()).date()
}

/// How long the rule lets an attestation hold, under the strictest of its profiles.
fn days(rule: &Rule) -> i64 {
    let Some(param) = rule.params.get("attestationDays") else {
        return DEFAULT_DAYS;
    };
    let values = param.profiles.values().chain([&param.default]);
    let days = values.filter_map(Node::as_int).filter(|days| *days > 0);
    days.min().unwrap_or(DEFAULT_DAYS)
}

/// A proof: a URI, or the path of a file, whose digest is taken.
fn proof(text: &str) -> Result<EntryProof, Error> {
    if let Some((uri, digest)) = text.rsplit_once("#sha256=") {
        return Ok(EntryProof {
            uri: uri.to_owned(),
            sha256: Some(digest.to_owned()),
        });
    }
    if text.contains("://") {
        return Ok(EntryProof {
            uri: text.to_owned(),
            sha256: None,
        });
    }
    let bytes = std::fs::read(Path::new(text)).map_err(|error| {
        let message = format!("the evidence `{text}` cannot be read: {error}");
        problem(
            message,
            "give a URI, URI#sha256=DIGEST, or the path of a file",
        )
    })?;
    let digest = Sha256::digest(&bytes);
    Ok(EntryProof {
        uri: text.to_owned(),
        sha256: Some(digest.iter().map(|byte| format!("{byte:02x}")).collect()),
    })
}

/// `NAME=VALUE` pairs; a value that is JSON is taken as such.
fn details(pairs: &[String]) -> Result<BTreeMap<String, serde_json::Value>, Error> {
    let mut details = BTreeMap::new();
    for pair in pairs {
        let Some((name, value)) = pair.split_once('=') else {
            return Err(problem(
                format!("`{pair}` is no detail"),
                "write NAME=VALUE",
            ));
        };
        let value = serde_json::from_str(value).unwrap_or_else(|_| value.into());
        details.insert(name.to_owned(), value);
    }
    Ok(details)
}
