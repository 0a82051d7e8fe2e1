//! Parameter values of a scorecard, checked against the rules that declare them.

use std::collections::BTreeMap;

use super::{check::Written, file::exact};
use crate::{
    model::{Aggregate, Fraction, Node, Problem, RuleId},
    rule::{ParamType, Rule, RuleSet},
};

/// The values by rule. A theme's values go to each of its rules that has no value of its own.
pub(super) fn params(
    written: &Written<'_>,
    rules: &RuleSet,
    problems: &mut Vec<Problem>,
) -> BTreeMap<RuleId, BTreeMap<String, Node>> {
    let mut by_theme = Vec::new();
    let mut by_rule = Vec::new();
    for (key, (place, values)) in written {
        let in_theme: Vec<&Rule> = rules
            .iter()
            .filter(|rule| *rule.theme == **key)
            .map(|rule| &**rule)
            .collect();
        if let Some(rule) = rules.find(key) {
            by_rule.push((vec![&**rule], key, values));
        } else if !in_theme.is_empty() {
            by_theme.push((in_theme, key, values));
        } else {
            let help = "`seaworthy rules list` has the ids";
            problems.push(
                place
                    .error(format!("there is no rule or theme `{key}`"))
                    .with_help(help),
            );
        }
    }
    let mut params: BTreeMap<RuleId, BTreeMap<String, Node>> = BTreeMap::new();
    // Rules come last: they win over their theme, and a rule's id over its aliases.
    by_rule.sort_by_key(|(targets, key, _)| targets.iter().any(|rule| *rule.id == ***key));
    for (targets, key, values) in by_theme.into_iter().chain(by_rule) {
        for (name, (name_place, value)) in values {
            let knowing = targets
                .iter()
                .filter_map(|rule| Some((rule, kind_of(rule, name, rules)?)));
            let knowing: Vec<_> = knowing.collect();
            if knowing.is_empty() {
                problems.push(name_place.error(format!("`{key}` has no parameter `{name}`")));
            }
            for (rule, kind) in &knowing {
                if let Some(fault) = misfit(*kind, name, &value.value) {
                    problems.push(value.error(format!("`{name}` of `{key}` {fault}")));
                    break;
                }
                params
                    .entry(rule.id.clone())
                    .or_default()
                    .insert(name.clone(), value.value.clone());
            }
        }
    }
    params
}

/// The type of a rule's parameter: its own, its theme's, or one that its aggregate knows.
fn kind_of(rule: &Rule, name: &str, rules: &RuleSet) -> Option<ParamType> {
    let shared = || rules.theme(&rule.theme)?.params.get(name);
    match (rule.params.get(name).or_else(shared), rule.aggregate, name) {
        (Some(param), ..) => Some(param.kind),
        (None, Aggregate::Share, "minRatio") => Some(ParamType::Number),
        (None, Aggregate::Count, "tolerance") => Some(ParamType::Int),
        _ => None,
    }
}

/// What is wrong with a value, as the rest of a sentence that starts with the parameter.
fn misfit(kind: ParamType, name: &str, value: &Node) -> Option<&'static str> {
    let is_text = |node: &Node| matches!(node, Node::String(_));
    let fits = match kind {
        ParamType::Bool => matches!(value, Node::Bool(_)),
        ParamType::Int => matches!(value, Node::Int(_)),
        ParamType::Number => {
            matches!(value, Node::Int(_)) || matches!(value, Node::Float(f) if f.is_finite())
        }
        ParamType::String => is_text(value),
        ParamType::Duration => value.as_str().is_some_and(is_duration),
        ParamType::Strings => matches!(value, Node::List(items) if items.iter().all(is_text)),
    };
    if !fits {
        return Some(match kind {
            ParamType::Bool => "must be true or false",
            ParamType::Int => "must be a whole number",
            ParamType::Number => "must be a number",
            ParamType::String => "must be a string",
            ParamType::Duration => "must be a time span such as 24h or 1h30m",
            ParamType::Strings => "must be a list of strings",
        });
    }
    let (none, one) = (Fraction::from_integer(0), Fraction::from_integer(1));
    match name {
        "minRatio" if !exact(value).is_some_and(|share| share > none && share <= one) => {
            Some("must be above 0 and at most 1, with at most nine decimals")
        }
        "tolerance"
            if value
                .as_int()
                .is_none_or(|number| u32::try_from(number).is_err()) =>
        {
            Some("must be a number of subjects")
        }
        _ => None,
    }
}

/// Whether CEL's `duration()` reads the text: numbers with the units of Go.
fn is_duration(text: &str) -> bool {
    let mut rest = text.strip_prefix(['-', '+']).unwrap_or(text);
    if rest == "0" {
        return true;
    }
    let mut parts = 0;
    while !rest.is_empty() {
        let number = rest.len()
            - rest
                .trim_start_matches(|c: char| c.is_ascii_digit() || c == '.')
                .len();
        if number == 0 || rest[..number].parse::<f64>().is_err() {
            return false;
        }
        rest = &rest[number..];
        let Some(unit) = ["ns", "us", "µs", "ms", "s", "m", "h"].iter().find(|unit| {
            // `m` must not take the first half of `ms`.
            rest.strip_prefix(**unit)
                .is_some_and(|after| !after.starts_with(|c: char| c.is_alphabetic()))
        }) else {
            return false;
        };
        rest = &rest[unit.len()..];
        parts += 1;
    }
    parts > 0
}
