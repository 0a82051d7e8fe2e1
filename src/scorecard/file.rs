//! Scorecards as written: every value with its place, nothing checked beyond its type.

use std::{fmt, marker::PhantomData, ops::Range, sync::Arc};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use serde_saphyr::{Location, Spanned};

use crate::model::{Fraction, Node, Problem};

/// A file that a person wrote.
#[derive(Clone, Debug)]
pub(super) struct Source {
    /// The file as the user named it, or `embedded:` and its path.
    pub file: Arc<str>,
    /// Its text; empty where it could not be read.
    pub text: Arc<str>,
}

impl Source {
    /// An error at a place of the file.
    pub fn error(&self, at: Range<usize>, message: impl Into<String>) -> Problem {
        Problem::error(&self.file, &self.text, at, message)
    }

    /// Reads the YAML. The parser stops at the first syntax error, unknown key or wrong type.
    pub fn parse<'de, T: Deserialize<'de>>(&'de self) -> Result<T, Problem> {
        serde_saphyr::from_str(&self.text).map_err(|error| {
            let at = error.location().as_ref().map_or(0..0, range);
            self.error(at, plain(&error))
        })
    }

    /// The first few bytes, for what concerns the file as a whole.
    pub fn start(&self) -> Range<usize> {
        0..0
    }
}

/// The parser's message without its own position and excerpt: [`Problem`] has better ones.
fn plain(error: &serde_saphyr::Error) -> String {
    let text = error.without_snippet().to_string();
    let line = text.lines().next().unwrap_or_default();
    let line = line.find(" at line ").map_or(line, |at| &line[..at]);
    line.strip_prefix("error: ")
        .unwrap_or(line)
        .trim_end_matches(['.', ':'])
        .to_owned()
}

/// The byte range of a location.
pub(super) fn range(location: &Location) -> Range<usize> {
    let span = location.span();
    let start = span.byte_offset().unwrap_or(0) as usize;
    start..start + span.byte_len().unwrap_or(0) as usize
}

/// A scorecard file. What a file leaves out comes from the scorecard it extends.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schemars(title = "Seaworthy scorecard", rename = "Scorecard")]
pub(super) struct File {
    /// Name of an embedded scorecard, or path of a file relative to this one, that this one changes.
    #[schemars(with = "Option<String>")]
    pub extends: Option<Spanned<String>>,
    /// Version of the scorecard itself; change it whenever scores may change.
    pub version: String,
    /// What it is for, in a sentence or two.
    pub description: String,
    /// Profile whose parameter values hold unless another is asked for: dev, staging or prod.
    #[schemars(with = "Option<String>")]
    pub profile: Option<Spanned<String>>,
    /// Score that plans aim at, 0 to 100.
    #[schemars(with = "Option<Decimal>")]
    pub target: Option<Spanned<Decimal>>,
    /// Weight and theme budgets by category: security, operations, maturity.
    #[serde(default)]
    #[schemars(with = "std::collections::BTreeMap<crate::model::Category, CategoryFile>")]
    pub categories: Entries<CategoryFile>,
    /// Levels, the lowest first. They replace those of the extended scorecard as a whole.
    #[schemars(with = "Option<Vec<LevelFile>>")]
    pub levels: Option<Spanned<Vec<Spanned<LevelFile>>>>,
    /// The best level that a profile can give, by profile.
    #[serde(default)]
    #[schemars(with = "std::collections::BTreeMap<String, String>")]
    pub ceilings: Entries<Spanned<String>>,
    /// What a score must reach for `audit` to end with success. It replaces that of the extended
    /// scorecard as a whole; each flag of the command line replaces its part.
    #[schemars(with = "Option<GateFile>")]
    pub gate: Option<Spanned<GateFile>>,
    /// Parameter values by rule or theme, and name. They win over the profile's. `minRatio` may be
    /// set for every rule with aggregate share, `tolerance` for every rule with aggregate count.
    #[serde(default)]
    #[schemars(
        with = "std::collections::BTreeMap<String, std::collections::BTreeMap<String, serde_json::Value>>"
    )]
    pub params: Entries<Entries<Spanned<Value>>>,
}

/// A category of a scorecard file.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Category weights")]
pub(super) struct CategoryFile {
    /// Weight beside the other categories.
    pub weight: Option<u32>,
    /// Points per theme; they sum to 100.
    #[serde(default)]
    #[schemars(with = "std::collections::BTreeMap<String, u32>")]
    pub themes: Entries<Spanned<u32>>,
}

/// A level of a scorecard file.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schemars(rename = "Level")]
pub(super) struct LevelFile {
    /// Name, such as `Production-ready`.
    pub name: String,
    /// Least score, 0 to 100.
    pub min_score: Decimal,
    /// Least score of each category, 0 to 100.
    pub min_category: Option<Decimal>,
    /// Most open critical gaps.
    pub max_critical: Option<u32>,
    /// Most open high gaps.
    pub max_high: Option<u32>,
    /// Least coverage, 0 to 1.
    pub min_coverage: Option<Decimal>,
    /// The level is called borderline while more than this many critical gaps are open.
    pub borderline_above_critical: Option<u32>,
}

/// The gate of a scorecard file.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schemars(rename = "Gate")]
pub(super) struct GateFile {
    /// Least score, 0 to 100.
    pub min_score: Option<Decimal>,
    /// Least score by category, 0 to 100.
    #[serde(default)]
    #[schemars(with = "std::collections::BTreeMap<crate::model::Category, Decimal>")]
    pub min_category: Entries<Decimal>,
    /// Lowest level.
    pub min_level: Option<String>,
    /// No open gap of this severity or a worse one.
    #[schemars(with = "Option<crate::model::Severity>")]
    pub fail_on: Option<Spanned<String>>,
    /// Least coverage, 0 to 1.
    pub min_coverage: Option<Decimal>,
    /// Most points that the score may be below that of the baseline.
    pub max_drop: Option<Decimal>,
    /// Nothing may fail that did not fail in the baseline.
    pub no_new_failures: Option<bool>,
}

/// JSON Schema of scorecard files, for editors.
pub fn schema() -> serde_json::Value {
    schemars::schema_for!(File).to_value()
}

/// A mapping in the order of the file, with the places of its keys. YAML refuses repeated keys.
#[derive(Debug)]
pub(super) struct Entries<T>(pub Vec<(Spanned<String>, T)>);

impl<T> Default for Entries<T> {
    fn default() -> Self {
        Entries(Vec::new())
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Entries<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Collect<T> {
            type Value = Entries<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a mapping")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Entries<T>, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Entries(entries))
            }
        }
        deserializer.deserialize_map(Collect(PhantomData))
    }
}

/// A number that is read from its text, so that 0.1 is a tenth and nothing beside it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Decimal(pub Fraction);

impl<'de> Deserialize<'de> for Decimal {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        decimal(&text).map(Decimal).ok_or_else(|| {
            serde::de::Error::custom(format!(
                "`{text}` is not a number such as 80 or 0.75 (at most 9 digits on each side)"
            ))
        })
    }
}

impl JsonSchema for Decimal {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Decimal".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "number", "minimum": 0})
    }
}

/// The exact value of a plain decimal without a sign or an exponent.
pub fn decimal(text: &str) -> Option<Fraction> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.len() <= 9 && text.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || !digits(whole) || !digits(part) || text.ends_with('.') {
        return None;
    }
    let scale = 10_i64.pow(part.len() as u32);
    let part = if part.is_empty() {
        0
    } else {
        part.parse().ok()?
    };
    Some(Fraction::new(
        whole.parse::<i64>().ok()? * scale + part,
        scale,
    ))
}

/// The exact number that a parameter value such as `minRatio` was written as: whole numbers, and
/// decimals of at most nine digits on each side of the point. Nothing for anything else.
pub fn exact(value: &Node) -> Option<Fraction> {
    match value {
        Node::Int(whole) => Some(Fraction::from_integer(*whole)),
        // The shortest text that reads back as the same float is the text that was written.
        Node::Float(number) => decimal(&number.to_string()),
        _ => None,
    }
}

/// A parameter's value.
#[derive(Debug)]
pub(super) struct Value(pub Node);

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        serde_json::Value::deserialize(deserializer).map(|value| Value(Node::from(value)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_exact() {
        for (text, numer, denom) in [
            ("92", 92, 1),
            ("0.75", 3, 4),
            ("0.1", 1, 10),
            ("61.67", 6167, 100),
        ] {
            assert_eq!(decimal(text), Some(Fraction::new(numer, denom)), "{text}");
        }
        for text in [
            "",
            ".5",
            "5.",
            "-1",
            "1e3",
            "0x10",
            "1_000",
            "1234567890",
            "NaN",
            "0.0000000001",
        ] {
            assert_eq!(decimal(text), None, "{text}");
        }
        assert_eq!(exact(&Node::Float(0.85)), Some(Fraction::new(17, 20)));
        assert_eq!(exact(&Node::Float(f64::NAN)), None);
    }
}
