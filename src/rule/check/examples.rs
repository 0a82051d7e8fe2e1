//! Examples: documentation that is run as a test.

use std::collections::BTreeMap;

use super::fields::Checker;
use crate::{
    model::{
        Attestation, Map, Node, Series, moment,
        yaml::{Value, Written},
    },
    rule::{Example, Expectation, ParamType},
};

/// Most examples of a rule.
const MAX_EXAMPLES: usize = 64;

/// The keys that hold manifests, each saying what they show.
const CASES: [&str; 6] = [
    "pass",
    "fail",
    "partial",
    "not-applicable",
    "unknown",
    "attested",
];

impl Checker<'_> {
    /// Examples. `params` is nothing where the parameters are not known.
    pub fn examples(
        &mut self,
        written: &Written,
        params: Option<&BTreeMap<&str, ParamType>>,
    ) -> Vec<Example> {
        let before = self.problems.len();
        let items = self.items(written, "examples", MAX_EXAMPLES);
        let examples: Vec<Example> = items
            .iter()
            .filter_map(|item| self.example(item, params))
            .collect();
        let has = |wanted: fn(&Expectation) -> bool| examples.iter().any(|e| wanted(&e.expect));
        let fails = has(|e| matches!(e, Expectation::Fail | Expectation::Partial(_)));
        let passes = has(|e| matches!(e, Expectation::Pass | Expectation::Attested));
        // An example that is wrong may be the one that would be missed.
        if self.problems.len() == before && (!passes || !fails) {
            let start = written.span.start;
            let message = "there must be an example that passes and one that fails";
            self.report(start..start, message);
        }
        examples
    }

    fn example(
        &mut self,
        item: &Written,
        params: Option<&BTreeMap<&str, ParamType>>,
    ) -> Option<Example> {
        let mut fields = self.fields(item, "an example")?;
        let mut found = Vec::new();
        for case in CASES {
            found.extend(fields.take(case).map(|written| (case, written)));
        }
        let credit = fields.take("credit");
        let title = self.optional_text(&mut fields, "title").unwrap_or_default();
        let server = self.optional_text(&mut fields, "server");
        let now = fields.take("now").and_then(|written| {
            let now = written.as_text().and_then(|text| text.parse().ok());
            if now.is_none() {
                self.wrong(written, "now", "an RFC 3339 time");
            }
            now
        });
        let params = fields
            .take("params")
            .map(|written| self.param_values(written, params));
        let prometheus = fields
            .take("prometheus")
            .map(|written| self.answers(written));
        let attestations = fields
            .take("attestations")
            .map_or_else(Vec::new, |written| self.attested(written));
        self.unknown(&fields);

        let [(case, written)] = found[..] else {
            let message = "an example has one of `pass`, `fail`, `partial`, `not-applicable`, `unknown` and `attested`";
            self.report(item.span.clone(), message);
            return None;
        };
        let manifests = match &written.value {
            Value::Text(text) => text.clone(),
            _ => {
                self.wrong(written, case, "manifests as a block of text");
                return None;
            }
        };
        let expect = match (case, credit) {
            ("pass", None) => Expectation::Pass,
            ("fail", None) => Expectation::Fail,
            ("not-applicable", None) => Expectation::NotApplicable,
            ("unknown", None) => Expectation::Unknown,
            ("attested", None) => Expectation::Attested,
            ("partial", Some(credit)) => Expectation::Partial(self.credit(credit)?),
            (_, credit) => {
                let place = credit.unwrap_or(item).span.clone();
                let message = "`credit` belongs to `partial`, and only to it";
                self.report(place, message);
                return None;
            }
        };
        Some(Example {
            expect,
            title,
            manifests,
            params: params.unwrap_or_default(),
            prometheus,
            attestations,
            server,
            now,
            line: self.first_line(written),
        })
    }

    /// Series by query.
    fn answers(&mut self, written: &Written) -> BTreeMap<String, Vec<Series>> {
        let mut answers = BTreeMap::new();
        let Some(fields) = self.fields(written, "`prometheus`") else {
            return answers;
        };
        for (key, written) in fields.named() {
            let items = self.items(written, &key.name, 1_000);
            let series = items.iter().filter_map(|item| self.series(item)).collect();
            answers.insert(key.name.clone(), series);
        }
        answers
    }

    fn series(&mut self, item: &Written) -> Option<Series> {
        let mut fields = self.fields(item, "a series")?;
        let labels = fields
            .take("labels")
            .map_or(Node::Map(Map::default()), Written::node);
        let value = self
            .required(&mut fields, "value")
            .and_then(|written| match written.value {
                Value::Int(number) => Some(number as f64),
                Value::Float(number) => Some(number),
                _ => {
                    self.wrong(written, "value", "a number");
                    None
                }
            });
        self.unknown(&fields);
        Some(Series {
            labels,
            value: value?,
        })
    }

    /// Attestations, of this rule unless they say otherwise.
    fn attested(&mut self, written: &Written) -> Vec<Attestation> {
        let items = self.items(written, "attestations", 100);
        items
            .iter()
            .filter_map(|item| self.attestation(item))
            .collect()
    }

    fn attestation(&mut self, item: &Written) -> Option<Attestation> {
        let mut fields = self.fields(item, "an attestation")?;
        let mut time = |checker: &mut Self, name: &'static str| {
            let written = checker.required(&mut fields, name)?;
            let time = written.as_text().and_then(moment);
            if time.is_none() {
                checker.wrong(written, name, "a date or an RFC 3339 time");
            }
            time
        };
        let (at, expires) = (time(self, "at"), time(self, "expires"));
        let by = self.required_text(&mut fields, "by");
        let scope = self.optional_text(&mut fields, "scope");
        let result = self.optional_text(&mut fields, "result");
        let details = fields
            .take("details")
            .map_or(Node::Map(Map::default()), Written::node);
        self.unknown(&fields);
        Some(Attestation {
            rule: "".into(),
            holds: result.is_none_or(|result| result == "pass"),
            scope,
            by,
            at: at?,
            expires: expires?,
            evidence: Vec::new(),
            details,
        })
    }

    /// Line of the file on which the text of a scalar starts, from 1.
    fn first_line(&self, written: &Written) -> usize {
        let text = &*self.source.text;
        let at = written.span.start;
        let header = text.get(at..).is_some_and(|s| s.starts_with(['|', '>']));
        let before = text.get(..at).unwrap_or_default().matches('\n').count();
        before + 1 + usize::from(header)
    }
}
