//! What is unread is unknown, what is not needed does not matter, and nothing else changes either.

use std::{collections::BTreeMap, sync::Arc};

use seaworthy::{
    evaluate::evaluate,
    model::{
        GroupKind, Inventory, KindList, ListState, Outcome, SourceKind, Unreadable,
        UnreadableCause, Verdicts, yaml::Source,
    },
    plan,
    rule::{self, RuleSet, default_params},
    source::manifests,
};

const CLUSTER: &str = r#"
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  replicas: 3
  selector: {matchLabels: {app: web}}
  template: {metadata: {labels: {app: web}}, spec: {containers: [{name: main, image: "x:1"}]}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: single, namespace: shop}
spec:
  replicas: 1
  selector: {matchLabels: {app: single}}
  template: {metadata: {labels: {app: single}}, spec: {containers: [{name: main, image: "x:1"}]}}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: web, namespace: shop}
spec: {maxUnavailable: 1, selector: {matchLabels: {app: web}}}
status: {currentHealthy: 3, desiredHealthy: 2, expectedPods: 3, disruptionsAllowed: 1}
"#;

fn rules(ids: &[&str]) -> RuleSet {
    let loaded = rule::load(&[]).unwrap();
    loaded
        .rules
        .filtered(|rule| ids.is_empty() || ids.contains(&&*rule.id))
}

fn inventory(rules: &RuleSet) -> Inventory {
    let source = Source {
        file: "cluster".into(),
        text: CLUSTER.into(),
    };
    let request = plan::plan(rules, &default_params(rules));
    let now = "2026-01-01T00:00:00Z".parse().unwrap();
    let mut inventory = manifests::read_text(source, &request, now).unwrap();
    inventory.source = SourceKind::Live;
    inventory
}

fn outcomes(verdicts: &Verdicts) -> BTreeMap<String, Outcome> {
    verdicts.rules[0]
        .verdicts
        .iter()
        .map(|verdict| {
            let subject = verdicts.subject(verdict.subject);
            (subject.name.raw().to_owned(), verdict.outcome)
        })
        .collect()
}

fn forbidden(inventory: &mut Inventory, kind: &GroupKind) {
    let list = inventory.lists.get_mut(kind).unwrap();
    *list = KindList {
        state: ListState::Unreadable(Unreadable {
            cause: UnreadableCause::Forbidden,
            detail: "no".into(),
        }),
        objects: Vec::new(),
        ..list.clone()
    };
}

#[test]
fn an_unread_relation_is_unknown_where_it_matters() {
    let rules = rules(&["ha-pdb-sound"]);
    let params = default_params(&rules);
    let mut inventory = inventory(&rules);
    let seen = outcomes(&evaluate(&rules, &params, &inventory));
    assert_eq!(seen["web"], Outcome::Pass);
    assert_eq!(seen["single"], Outcome::NotApplicable);

    let budgets = GroupKind::new("policy", "PodDisruptionBudget");
    forbidden(&mut inventory, &budgets);
    let verdicts = evaluate(&rules, &params, &inventory);
    let seen = outcomes(&verdicts);
    assert_eq!(seen["web"], Outcome::Unknown);
    // One replica needs no budget, whatever budgets there are.
    assert_eq!(seen["single"], Outcome::NotApplicable);
    let unread = verdicts.rules[0]
        .verdicts
        .iter()
        .filter_map(|verdict| verdict.evidence.as_ref());
    assert!(
        unread
            .into_iter()
            .any(|evidence| evidence.unread == [budgets.clone()])
    );

    // A list that lacks another namespace is as good as whole for this one.
    for (missing, outcome) in [("other", Outcome::Fail), ("shop", Outcome::Unknown)] {
        let list = inventory.lists.get_mut(&budgets).unwrap();
        list.state = ListState::Partial {
            missing: vec![Arc::from(missing)],
            why: Unreadable {
                cause: UnreadableCause::Forbidden,
                detail: "no".into(),
            },
        };
        let seen = outcomes(&evaluate(&rules, &params, &inventory));
        assert_eq!(seen["web"], outcome, "without {missing}");
    }
}

#[test]
fn unread_subjects_make_the_rule_unknown() {
    let rules = rules(&["wl-resources-set"]);
    let mut inventory = inventory(&rules);
    let kind = GroupKind::new("apps", "Deployment");
    forbidden(&mut inventory, &kind);
    let verdicts = evaluate(&rules, &default_params(&rules), &inventory);
    assert_eq!(verdicts.rules[0].unread[0].0, kind);
    assert!(verdicts.rules[0].verdicts.is_empty());
}

#[test]
fn the_same_inventory_gives_the_same_verdicts() {
    let rules = rules(&[]);
    let inventory = inventory(&rules);
    let params = default_params(&rules);
    let first = evaluate(&rules, &params, &inventory);
    for _ in 0..5 {
        assert_eq!(evaluate(&rules, &params, &inventory), first);
    }
}
