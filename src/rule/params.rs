//! Values of parameters, and what depends on nothing else.

use std::collections::BTreeMap;

use super::{ParamType, Rule, RuleSet, Theme};
use crate::{
    cel::{self, Bindings, Boxed, Evaluation, Failure},
    model::{Node, RuleId},
};

/// Parameter values by rule, resolved by the scorecard and its profile.
pub type Params = BTreeMap<RuleId, BTreeMap<String, Node>>;

/// Parameters at their defaults; what examples are evaluated with.
pub fn default_params(rules: &RuleSet) -> Params {
    rules
        .iter()
        .map(|rule| {
            let theme = rules.theme(&rule.theme).map(|theme| &theme.params);
            let values = theme
                .into_iter()
                .flatten()
                .chain(&rule.params)
                .map(|(name, param)| (name.clone(), param.default.clone()))
                .collect();
            (rule.id.clone(), values)
        })
        .collect()
}

/// What a profile sets, for each profile that some rule knows.
pub fn params_by_profile(rules: &RuleSet) -> Vec<Params> {
    let declared = |rule: &Rule| -> Vec<(String, super::Param)> {
        let theme = rules.theme(&rule.theme).map(|theme| &theme.params);
        let all = theme.into_iter().flatten().chain(&rule.params);
        all.map(|(name, param)| (name.clone(), param.clone()))
            .collect()
    };
    let mut profiles: Vec<String> = rules
        .iter()
        .flat_map(|rule| declared(rule))
        .flat_map(|(_, param)| param.profiles.into_keys())
        .collect();
    profiles.sort();
    profiles.dedup();
    let of_profile = |profile: &String| {
        let values = |rule: &Rule| {
            let values = declared(rule).into_iter().map(|(name, param)| {
                let value = param.profiles.get(profile).unwrap_or(&param.default);
                (name, value.clone())
            });
            values.collect()
        };
        rules
            .iter()
            .map(|rule| (rule.id.clone(), values(rule)))
            .collect()
    };
    profiles.iter().map(of_profile).collect()
}

/// The values as CEL sees them, under the names `params.NAME`.
pub fn bound_params(
    rule: &Rule,
    theme: Option<&Theme>,
    values: &BTreeMap<String, Node>,
) -> Vec<(String, Boxed<'static>)> {
    let mut bound = Vec::new();
    for (name, value) in values {
        let shared = theme.and_then(|theme| theme.params.get(name));
        let declared = rule.params.get(name).or(shared);
        let duration = declared.is_some_and(|param| param.kind == ParamType::Duration);
        let value = match (duration, value) {
            (true, Node::String(text)) => cel::duration(text),
            _ => Some(cel::owned(value)),
        };
        bound.extend(value.map(|value| (format!("params.{name}"), value)));
    }
    bound
}

/// The PromQL of a rule's queries by name, or why there is none.
pub fn queries(
    rule: &Rule,
    theme: Option<&Theme>,
    values: &BTreeMap<String, Node>,
) -> BTreeMap<String, Result<String, Failure>> {
    if rule.promql.is_empty() {
        return BTreeMap::new();
    }
    let params = bound_params(rule, theme, values);
    let mut bindings = Bindings::default();
    for (name, value) in &params {
        bindings.lend(name, &**value);
    }
    rule.promql
        .iter()
        .map(|(name, expression)| {
            let text = Evaluation::new(&bindings, &[]).text(expression);
            (name.clone(), text)
        })
        .collect()
}
