//! Expressions: compiled, with their names bound and their faults shown in the file.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    fields::{Checker, Fields},
    is_name,
    place::locate,
};
use crate::{
    cel::{Expression, Scope},
    model::{
        Fraction,
        yaml::{Key, Value, Written},
    },
    rule::Partial,
};

/// Most variables of a rule.
const MAX_VARIABLES: usize = 64;
/// Most half measures of a rule.
const MAX_PARTIAL: usize = 16;
/// Most queries of a rule.
const MAX_QUERIES: usize = 16;

/// The names that expressions may use.
pub(super) struct Names {
    pub scope: Scope,
    /// Whether that is all of them; otherwise names are not checked.
    pub known: bool,
}

impl Checker<'_> {
    /// Variables in order; each may use those before it.
    pub fn variables(
        &mut self,
        written: Option<&Written>,
        names: &mut Names,
    ) -> Vec<(String, Expression)> {
        let mut variables = Vec::new();
        let Some(written) = written else {
            return variables;
        };
        for item in self.items(written, "variables", MAX_VARIABLES) {
            let Some(mut fields) = self.fields(item, "a variable") else {
                continue;
            };
            let name = self.required(&mut fields, "name");
            let expression = self.required_expression(&mut fields, "expression", names);
            self.unknown(&fields);
            let Some(written) = name else { continue };
            let Some(name) = written.as_text().filter(|name| is_name(name)) else {
                self.wrong(written, "name", "a name of letters, digits and `_`");
                continue;
            };
            if !names.scope.variables.insert(name.to_owned()) {
                let message = format!("variable `{name}` is there twice");
                self.report(written.span.clone(), message);
            }
            variables.extend(expression.map(|expression| (name.to_owned(), expression)));
        }
        variables
    }

    /// Names of a mapping with expressions.
    pub fn named_expressions<'w>(
        &mut self,
        written: Option<&'w Written>,
    ) -> Vec<(&'w Key, &'w Written)> {
        let Some(written) = written else {
            return Vec::new();
        };
        let Some(fields) = self.fields(written, "`promql`") else {
            return Vec::new();
        };
        let named: Vec<_> = fields.named().collect();
        if let Some((first, _)) = named.get(MAX_QUERIES) {
            let message = format!("more than {MAX_QUERIES} queries");
            self.report(first.span.clone(), message);
        }
        for (key, _) in &named {
            if !is_name(&key.name) {
                let message = format!("`{}` cannot be the name of a query", key.name);
                self.report(key.span.clone(), message);
            }
        }
        named
    }

    /// Queries: what they ask depends on nothing but parameters and the clock.
    pub fn queries(
        &mut self,
        named: &[(&Key, &Written)],
        names: &Names,
    ) -> BTreeMap<String, Expression> {
        let names = Names {
            scope: Scope {
                roots: BTreeSet::from(["now".to_owned()]),
                params: names.scope.params.clone(),
                ..Scope::default()
            },
            known: names.known,
        };
        let compiled = named.iter().filter_map(|(key, written)| {
            Some((key.name.clone(), self.compile(written, "promql", &names)?))
        });
        compiled.collect()
    }

    /// Half measures.
    pub fn partial(&mut self, written: Option<&Written>, names: &Names) -> Vec<Partial> {
        let mut partial = Vec::new();
        let Some(written) = written else {
            return partial;
        };
        for item in self.items(written, "partial", MAX_PARTIAL) {
            let Some(mut fields) = self.fields(item, "a half measure") else {
                continue;
            };
            let credit = self
                .required(&mut fields, "credit")
                .and_then(|written| self.credit(written));
            let expression = self.required_expression(&mut fields, "expression", names);
            let message = self.expression(&mut fields, "messageExpression", names);
            self.unknown(&fields);
            if let (Some(credit), Some(expression)) = (credit, expression) {
                partial.push(Partial {
                    credit,
                    expression,
                    message,
                });
            }
        }
        partial
    }

    /// A credit as the exact decimal that was written.
    pub fn credit(&mut self, written: &Written) -> Option<Fraction> {
        let text = match written.value {
            Value::Float(_) => self.source.text.get(written.span.clone()),
            _ => None,
        };
        let exact = text.and_then(|text| {
            let (whole, decimals) = text.split_once('.')?;
            let digits: i64 = format!("{whole}{decimals}").parse().ok()?;
            let scale = 10_i64.checked_pow(u32::try_from(decimals.len()).ok()?)?;
            (0 < digits && digits < scale).then(|| Fraction::new(digits, scale))
        });
        if exact.is_none() {
            let message = "`credit` must be a decimal between 0 and 1, both excluded";
            self.report(written.span.clone(), message);
        }
        exact
    }

    /// An expression that must be there.
    pub fn required_expression(
        &mut self,
        fields: &mut Fields<'_>,
        name: &'static str,
        names: &Names,
    ) -> Option<Expression> {
        let written = self.required(fields, name)?;
        self.compile(written, name, names)
    }

    /// An expression that may be there.
    pub fn expression(
        &mut self,
        fields: &mut Fields<'_>,
        name: &'static str,
        names: &Names,
    ) -> Option<Expression> {
        let written = fields.take(name)?;
        self.compile(written, name, names)
    }

    fn compile(&mut self, written: &Written, name: &str, names: &Names) -> Option<Expression> {
        let text = match &written.value {
            // `expression: true` is a boolean to YAML and an expression to its author.
            Value::Bool(value) => value.to_string(),
            _ => self.text(written, name)?,
        };
        let (expression, faults) = match Expression::compile(&text) {
            Ok(expression) if names.known => {
                let faults = expression.check(&names.scope);
                (Some(expression), faults)
            }
            Ok(expression) => (Some(expression), Vec::new()),
            Err(faults) => (None, faults),
        };
        for fault in faults {
            let span = locate(&self.source.text, written, &text, fault.span);
            self.report(span, fault.message).help = fault.help;
        }
        expression
    }
}
