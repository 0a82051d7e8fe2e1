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
