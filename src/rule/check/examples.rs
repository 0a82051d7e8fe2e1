//! Examples: documentation that is run as a test.

use std::collections::BTreeMap;

use super::fields::Checker;
use crate::{
    model::yaml::{Value, Written},
    rule::{Example, Expectation, ParamType},
};

/// Most examples of a rule.
const MAX_EXAMPLES: usize = 64;

/// The keys that hold manifests, each saying what they show.
const CASES: [&str; 4] = ["pass", "fail", "partial", "not-applicable"];

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
        // An example that is wrong may be the one that would be missed.
        if self.problems.len() == before && (!has(|e| *e == Expectation::Pass) || !fails) {
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
        self.unknown(&fields);

        let [(case, written)] = found[..] else {
            let message = "an example has one of `pass`, `fail`, `partial` and `not-applicable`";
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
            server,
            now,
            line: self.first_line(written),
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
