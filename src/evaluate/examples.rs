//! Runs the examples of rules: documentation that cannot rot.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::evaluate;
use crate::{
    derive,
    model::{
        Attestation, Cluster, Fraction, GroupKind, Inventory, KindList, ListState, Node, Object,
        Outcome, PROMETHEUS, Problem, SourceKind, Verdict, yaml::Source,
    },
    plan::{self, namespace_kind, query_kind},
    rule::{self, Example, Expectation, Params, Rule, RuleSet, SubjectKind, default_params},
    source::{manifests, prometheus},
};

/// An example that does not show what it says.
#[derive(Clone, Debug)]
pub struct Failure {
    /// Position among the rule's examples, counted from 1.
    pub number: usize,
    /// Line of the rule file on which its manifests start.
    pub line: usize,
    /// What was expected and what was found instead.
    pub message: String,
}

/// Runs every example of a rule; an empty list is success.
pub fn run(rules: &RuleSet, rule: &Rule) -> Vec<Failure> {
    let alone = rules.filtered(|other| other.id == rule.id);
    let mut failures = Vec::new();
    for (at, example) in rule.examples.iter().enumerate() {
        if let Err(message) = run_example(&alone, rule, example) {
            failures.push(Failure {
                number: at + 1,
                line: example.line,
                message,
            });
        }
    }
    failures
}

fn run_example(alone: &RuleSet, rule: &Rule, example: &Example) -> Result<(), String> {
    let mut params: Params = default_params(alone);
    for (name, value) in &example.params {
        let values = params.entry(rule.id.clone()).or_default();
        if values.insert(name.clone(), value.clone()).is_none() {
            return Err(format!("the rule has no parameter `{name}`"));
        }
    }
    let inventory = inventory(alone, rule, &params, example).map_err(|problems| {
        let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
        lines.join("; ")
    })?;
    let verdicts = evaluate(alone, &params, &inventory);
    let Some(found) = verdicts.rules.first() else {
        return Err("the rule was not evaluated".to_owned());
    };
    let told = || {
        let told: Vec<String> = found
            .verdicts
            .iter()
            .map(|verdict| tell(verdict, verdicts.subject(verdict.subject).name.raw()))
            .collect();
        match told.is_empty() {
            true => "no subject".to_owned(),
            false => told.join("; "),
        }
    };
    let all = |wanted: &dyn Fn(&Verdict) -> bool| found.verdicts.iter().all(wanted);
    let any = |wanted: &dyn Fn(&Verdict) -> bool| found.verdicts.iter().any(wanted);
    let passes =
        |verdict: &Verdict| matches!(verdict.outcome, Outcome::Pass | Outcome::NotApplicable);
    let wants_unknown = example.expect == Expectation::Unknown;
    let broken = any(&|v| match v.outcome {
        Outcome::Error => true,
        Outcome::Unknown => !wants_unknown,
        _ => false,
    });
    let zero = Fraction::from_integer(0);
    let shown = !broken
        && match &example.expect {
            Expectation::Pass => all(&passes) && any(&|v| v.outcome == Outcome::Pass),
            Expectation::Fail => any(&|v| v.outcome == Outcome::Fail && v.credit == zero),
            Expectation::Partial(credit) => {
                let earns = |v: &Verdict| v.outcome == Outcome::Fail && v.credit == *credit;
                any(&earns) && all(&|v| earns(v) || passes(v))
            }
            Expectation::Unknown => {
                any(&|v| v.outcome == Outcome::Unknown) && !any(&|v| v.outcome == Outcome::Fail)
            }
            Expectation::Attested => {
                let attested = |v: &Verdict| v.outcome == Outcome::Attested;
                any(&attested) && all(&|v| attested(v) || passes(v))
            }
            Expectation::NotApplicable => all(&|v| v.outcome == Outcome::NotApplicable),
        };
    if shown {
        return Ok(());
    }
    let wanted = match &example.expect {
        Expectation::Pass => "a pass".to_owned(),
        Expectation::Fail => "a failure".to_owned(),
        Expectation::Partial(credit) => format!("a credit of {credit}"),
        Expectation::Unknown => "an unknown verdict".to_owned(),
        Expectation::Attested => "an attested verdict".to_owned(),
        Expectation::NotApplicable => "nothing applicable".to_owned(),
    };
    Err(format!("expected {wanted}, found {}", told()))
}

fn tell(verdict: &Verdict, name: &str) -> String {
    let word = match verdict.outcome {
        Outcome::Pass => "passes".to_owned(),
        Outcome::Fail if verdict.credit == Fraction::from_integer(0) => "fails".to_owned(),
        Outcome::Fail => format!("earns {}", verdict.credit),
        Outcome::NotApplicable => "is not applicable".to_owned(),
        Outcome::Unknown => "is unknown".to_owned(),
        Outcome::Error => "cannot be evaluated".to_owned(),
        Outcome::Attested => "is attested".to_owned(),
    };
    let messages: Vec<String> = verdict
        .evidence
        .iter()
        .flat_map(|evidence| &evidence.messages)
        .map(|message| message.visible())
        .collect();
    match messages.is_empty() {
        true => format!("{name} {word}"),
        false => format!("{name} {word} ({})", messages.join(", ")),
    }
}

/// The manifests of an example as a cluster that serves every kind and was read completely.
fn inventory(
    rules: &RuleSet,
    rule: &Rule,
    params: &Params,
    example: &Example,
) -> Result<Inventory, Vec<Problem>> {
    let now = example
        .now
        .unwrap_or_else(|| Timestamp::constant(1_767_225_600, 0));
    let request = plan::plan(rules, params);
    let source = Source {
        file: "example".into(),
        text: example.manifests.as_str().into(),
    };
    let mut inventory = manifests::read_text(source, &request, now)?;
    inventory.source = SourceKind::Live;
    inventory.cluster = Cluster {
        uid: None,
        version: Some(example.server.as_deref().unwrap_or("v1.36.3").into()),
        platform: Some("linux/amd64".into()),
    };
    if rules
        .iter()
        .any(|rule| rule.subject == SubjectKind::Namespace)
    {
        imply_namespaces(&mut inventory);
    }
    // They are a cluster's objects here, not manifests laid over one.
    for object in inventory
        .lists
        .values_mut()
        .flat_map(|list| &mut list.objects)
    {
        object.place = None;
    }
    let attestations = example.attestations.iter().cloned();
    inventory.attestations = attestations
        .map(|attestation| Attestation {
            rule: rule.id.clone(),
            ..attestation
        })
        .collect();
    answer(&mut inventory, rules, rule, params, example);
    derive::derive(&mut inventory, &request.derived);
    Ok(inventory)
}

/// Lets the Prometheus of an example answer the rule's queries. Without one, nothing of what it
/// would answer is known.
fn answer(
    inventory: &mut Inventory,
    rules: &RuleSet,
    rule: &Rule,
    params: &Params,
    example: &Example,
) {
    let Some(answers) = &example.prometheus else {
        for (kind, list) in &mut inventory.lists {
            if &*kind.group == PROMETHEUS && list.objects.is_empty() {
                list.state = prometheus::none();
            }
        }
        return;
    };
    let none = BTreeMap::new();
    let values = params.get(&rule.id).unwrap_or(&none);
    let queries = rule::queries(rule, rules.theme(&rule.theme), values);
    let mut objects: Vec<Object> = queries
        .into_iter()
        .filter_map(|(name, promql)| {
            let series = answers.get(&name).map_or(&[][..], Vec::as_slice);
            Some(prometheus::answered(&promql.ok()?, series))
        })
        .collect();
    objects.sort_by(|a, b| a.name().cmp(b.name()));
    if let Some(list) = inventory.lists.get_mut(&query_kind().group_kind()) {
        list.objects = objects;
    }
}

/// Adds the namespaces that objects live in and no document declares.
fn imply_namespaces(inventory: &mut Inventory) {
    let kind = namespace_kind().group_kind();
    let Some(declared) = inventory.lists.get(&kind) else {
        return;
    };
    let mut names: BTreeMap<String, Object> = declared
        .objects
        .iter()
        .map(|object| (object.name().to_owned(), object.clone()))
        .collect();
    for object in inventory.lists.values().flat_map(|list| &list.objects) {
        if let Some(name) = object.namespace() {
            names
                .entry(name.to_owned())
                .or_insert_with(|| implied(&kind, name));
        }
    }
    let list = KindList {
        state: ListState::Complete,
        version: "v1".into(),
        resource: "namespaces".into(),
        namespaced: false,
        objects: names.into_values().collect(),
    };
    inventory.lists.insert(kind, list);
}

fn implied(kind: &GroupKind, name: &str) -> Object {
    let json = serde_json::json!({"metadata": {"name": name,
        "labels": {"kubernetes.io/metadata.name": name}}, "status": {"phase": "Active"}});
    Object {
        kind: kind.clone(),
        version: "v1".into(),
        root: Node::from(json),
        place: None,
    }
}

#[cfg(test)]
mod tests {
    //! What rules say of each other's cases.

    use std::{collections::BTreeSet, fmt::Write as _};

    use super::*;
    use crate::model::RuleVerdicts;

    /// The rules that find something wrong with an example; with a `!` those that cannot be
    /// evaluated on it, as it leaves out what an API server would have filled in.
    fn failing(rules: &RuleSet, rule: &Rule, example: &Example) -> BTreeSet<String> {
        let params = default_params(rules);
        let inventory = inventory(rules, rule, &params, example).unwrap();
        let verdicts = evaluate(rules, &params, &inventory);
        let has = |found: &RuleVerdicts, outcome: Outcome| {
            let mut verdicts = found.verdicts.iter();
            verdicts.any(|verdict| verdict.outcome == outcome)
        };
        let told = verdicts.rules.iter().filter_map(|found| {
            let mark = match (has(found, Outcome::Error), has(found, Outcome::Fail)) {
                (true, _) => "!",
                (false, true) => "",
                (false, false) => return None,
            };
            Some(format!("{}{mark}", found.rule))
        });
        told.collect()
    }

    /// A case that one rule passes, and the other rules that find something wrong with it, beyond
    /// those that miss something in an empty cluster already. A rule that reaches too far shows up
    /// in its neighbours' lines.
    #[test]
    fn which_rule_fires_on_which_case() {
        let rules = rule::load(&[]).unwrap().rules;
        let mut lines = String::new();
        let thread = std::thread::Builder::new().stack_size(crate::cel::EVALUATION_STACK);
        let matrix = thread
            .spawn(move || {
                let some = rules.iter().next().unwrap();
                let nothing = Example {
                    manifests: "{apiVersion: v1, kind: Namespace, metadata: {name: none}}".into(),
                    prometheus: None,
                    attestations: Vec::new(),
                    ..some.examples[0].clone()
                };
                let always = failing(&rules, some, &nothing);
                let names: Vec<&String> = always.iter().collect();
                let _ = writeln!(lines, "an empty cluster: {names:?}\n");
                for rule in rules.iter() {
                    let passes = |example: &&Example| example.expect == Expectation::Pass;
                    let Some(example) = rule.examples.iter().find(passes) else {
                        continue;
                    };
                    let found = failing(&rules, rule, example);
                    let more: Vec<&str> = found.difference(&always).map(String::as_str).collect();
                    let own = |id: &&str| **id == *rule.id;
                    assert!(
                        !more.iter().any(|id| own(id) && example.params.is_empty()),
                        "{}",
                        rule.id
                    );
                    let _ = writeln!(lines, "{}: {}", rule.id, more.join(" "));
                }
                lines
            })
            .unwrap()
            .join()
            .unwrap();
        insta::assert_snapshot!(matrix);
    }
}
