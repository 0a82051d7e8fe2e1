//! Scorecards and waivers as a user meets them: files in, scorecards or problems with places out.

use std::{path::Path, sync::Arc};

use super::*;
use crate::{
    cel::Expression,
    model::{Aggregate, Effort, GroupKind, Problem, Severity, Subject},
    rule::{Param, ParamType, SubjectKind},
};

fn rule(id: &str, category: Category, theme: &str, aggregate: Aggregate) -> Rule {
    Rule {
        id: id.into(),
        aliases: vec![format!("old-{id}").into()],
        category,
        theme: theme.into(),
        title: String::new(),
        severity: Severity::High,
        effort: Effort::S,
        since: String::new(),
        why: String::new(),
        fix: String::new(),
        references: Vec::new(),
        weight: None,
        aggregate,
        requires: Vec::new(),
        subject: SubjectKind::Cluster,
        with: BTreeMap::new(),
        promql: BTreeMap::new(),
        attestation: None,
        params: BTreeMap::new(),
        variables: Vec::new(),
        when: None,
        expression: Expression::compile("true").unwrap(),
        partial: Vec::new(),
        message: None,
        inert: None,
        manifests: None,
        examples: Vec::new(),
        file: "".into(),
        digest: String::new(),
    }
}

fn param(kind: ParamType, default: Node, profiles: &[(&str, Node)]) -> Param {
    Param {
        kind,
        description: String::new(),
        default,
        profiles: profiles
            .iter()
            .map(|(name, node)| ((*name).to_owned(), node.clone()))
            .collect(),
    }
}

/// Two rules of `net`, one with parameters, and a theme parameter; one rule of `nodes`.
fn rules() -> RuleSet {
    let mut ingress = rule("net-ingress", Category::Security, "net", Aggregate::Share);
    ingress.params = BTreeMap::from([
        (
            "replicas".into(),
            param(ParamType::Int, Node::Int(1), &[("prod", Node::Int(3))]),
        ),
        (
            "window".into(),
            param(ParamType::Duration, Node::String("24h".into()), &[]),
        ),
    ]);
    let egress = rule("net-egress", Category::Security, "net", Aggregate::Count);
    let nodes = rule("nodes-ready", Category::Operations, "nodes", Aggregate::All);
    let system = param(
        ParamType::Strings,
        Node::List(Box::new([])),
        &[("edge", Node::Null)],
    );
    let net = Theme {
        id: "net".into(),
        category: Category::Security,
        title: String::new(),
        params: BTreeMap::from([("system".into(), system)]),
    };
    RuleSet::new(
        vec![Arc::new(ingress), Arc::new(egress), Arc::new(nodes)],
        BTreeMap::from([("net".into(), net)]),
    )
}

/// Loads a scorecard from files of a temporary folder; the first file is the one asked for.
fn load_files(files: &[(&str, &str)]) -> Result<(Scorecard, Vec<Problem>), Vec<Problem>> {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    load(folder.path().join(files[0].0).to_str().unwrap(), &rules())
}

/// Problems as `line:column: severity: message`, without the folder.
fn lines(problems: &[Problem]) -> Vec<String> {
    let line = |problem: &Problem| {
        let (line, column) = problem.line_and_column();
        format!("{line}:{column} {}", problem.message)
    };
    problems.iter().map(line).collect()
}

const GOOD: &str = "
version: 1.0.0
description: Small.
profile: dev
target: 79.5
categories:
  security: {weight: 2, themes: {net: 60, later: 40}}
  operations: {weight: 1, themes: {nodes: 100}}
levels: [{name: Low, minScore: 10}, {name: High, minScore: 90, minCoverage: 0.75}]
ceilings: {edge: Low}
params:
  old-net-ingress: {replicas: 2, minRatio: 0.95}
  net: {system: [kube-system]}
";

#[test]
fn embedded_scorecards_hold_the_numbers_of_the_catalogue() {
    let names = embedded_names();
    assert_eq!(names, ["dev", "platform-stack", "prod", "staging"]);
    let load = |name: &str| load(name, &RuleSet::default()).unwrap();
    for (name, weights, target, hatop) in [
        ("platform-stack", [1, 1, 1], 92, 14),
        ("dev", [30, 50, 20], 70, 0),
        ("staging", [35, 40, 25], 80, 6),
        ("prod", [40, 35, 25], 92, 16),
    ] {
        let (card, warnings) = load(name);
        assert_eq!(warnings, [], "{name}");
        let given: Vec<u32> = card
            .categories
            .values()
            .map(|budget| budget.weight)
            .collect();
        assert_eq!(
            (given, card.target),
            (weights.to_vec(), Fraction::from_integer(target))
        );
        let maturity = &card.categories[&Category::Maturity].themes;
        assert!(maturity.contains(&("hatop".into(), hatop)), "{name}");
        let themes: Vec<usize> = card.categories.values().map(|c| c.themes.len()).collect();
        assert_eq!(themes, [12, 9, 6], "{name}");
        assert_eq!(card.ceiling("dev"), Some("Development-ready"));
        assert_eq!(card.digest.len(), 64);
    }
    let ceilings = ["platform-stack", "dev", "staging", "prod"]
        .map(|name| load(name).0.ceiling("staging").map(str::to_owned));
    let [of_stack, of_dev, of_staging, of_prod] = ceilings.each_ref().map(Option::as_deref);
    assert_eq!((of_stack, of_dev), (None, Some("Development-ready")));
    assert_eq!(
        (of_staging, of_prod),
        (Some("Production-ready"), Some("Production-ready"))
    );
    let critical = |name| {
        load(name)
            .0
            .levels
            .iter()
            .map(|level| level.max_critical)
            .collect::<Vec<_>>()
    };
    assert_eq!(critical("platform-stack"), [None, Some(2), Some(0)]);
    assert_eq!(critical("staging"), critical("platform-stack"));
    assert_eq!(critical("prod"), [None, Some(0), Some(0)]);
}

#[test]
fn parameters_come_from_the_scorecard_then_the_profile_then_the_rule() {
    let rules = rules();
    let (card, warnings) = load_files(&[("good.yaml", GOOD)]).unwrap();
    assert_eq!(warnings, []);
    assert_eq!(
        (card.name.as_str(), card.target),
        ("good", Fraction::new(159, 2))
    );
    let of = |id: &str, card: &Scorecard, profile: &str| {
        let rule = rules.get(id).unwrap();
        card.params_for(rule, rules.theme(&rule.theme), profile)
    };
    let prod = of("net-ingress", &card, "prod");
    assert_eq!(prod["replicas"], Node::Int(2));
    assert_eq!(prod["window"], Node::String("24h".into()));
    assert_eq!(exact(&prod["minRatio"]), Some(Fraction::new(19, 20)));
    let system = Node::List(Box::new([Node::String("kube-system".into())]));
    assert_eq!(prod["system"], system);
    assert_eq!(
        of("net-egress", &card, "prod"),
        BTreeMap::from([("system".into(), system)])
    );

    let (card, _) = load("prod", &rules).unwrap();
    assert_eq!(of("net-ingress", &card, "prod")["replicas"], Node::Int(3));
    assert_eq!(
        of("net-ingress", &card, "staging")["replicas"],
        Node::Int(1)
    );
}

#[test]
fn a_scorecard_changes_only_what_it_says() {
    let child = "
extends: good.yaml
version: 2.0.0
description: Other.
categories: {security: {themes: {net: 30, later: 60, own: 10}}}
params: {net-ingress: {window: 1h30m}}
";
    let (card, _) = load_files(&[("child.yaml", child), ("good.yaml", GOOD)]).unwrap();
    let security = &card.categories[&Category::Security];
    assert_eq!(security.weight, 2);
    assert_eq!(
        security.themes,
        [("net".into(), 30), ("later".into(), 60), ("own".into(), 10)]
    );
    assert_eq!(card.levels.len(), 2);
    let (base, _) = load_files(&[("good.yaml", GOOD)]).unwrap();
    assert_ne!(card.digest, base.digest);
    let reworded = GOOD.replace("Small.", "Tiny.") + "# a comment\n";
    assert_eq!(
        load_files(&[("good.yaml", &reworded)]).unwrap().0.digest,
        base.digest
    );
}

#[test]
fn every_problem_comes_at_once_with_its_place() {
    let bad = "
version: 1.0.0
description: Bad.
profile: nowhere
target: 101
categories:
  security: {weight: 0, themes: {net: 60, nodes: 30}}
  food: {weight: 1}
levels: [{name: High, minScore: 90}, {name: Low, minScore: 10, minCoverage: 75}]
ceilings: {dev: Middling}
params:
  net-ingress: {replicas: two, window: soon, minRatio: 1.5, tolerance: 1}
  nothing: {a: 1}
";
    let problems = load_files(&[("bad.yaml", bad)]).unwrap_err();
    let mut found = lines(&problems);
    found.sort();
    let mut expected = vec![
        "4:10 no rule knows a profile `nowhere`",
        "5:9 a target is at most 100",
        "7:3 every weight is 0",
        "7:3 the budgets of security sum to 90, not 100",
        "7:43 the rules of theme `nodes` are in operations",
        "8:3 `food` is not one of security, operations, maturity",
        "9:38 `minCoverage` is a share of at most 1",
        "9:38 `minScore` of `Low` is not above that of `High`",
        "10:17 there is no level `Middling`",
        "12:27 `replicas` of `net-ingress` must be a whole number",
        "12:40 `window` of `net-ingress` must be a time span such as 24h or 1h30m",
        "12:56 `minRatio` of `net-ingress` must be above 0 and at most 1, with at most nine decimals",
        "12:61 `net-ingress` has no parameter `tolerance`",
        "13:3 there is no rule or theme `nothing`",
    ];
    expected.sort_unstable();
    assert_eq!(found, expected);
}

#[test]
fn what_cannot_be_read_says_where() {
    let cases = [
        (GOOD.replace("target", "goal"), "5:1 unknown field `goal`"),
        (
            GOOD.replace("79.5", "lots"),
            "5:9 `lots` is not a number such as 80 or 0.75",
        ),
        (GOOD.replace("weight: 2", "weight: 2, weight: 3"), "7:25 "),
        (
            GOOD.replace("\nversion", "\nextends: nothing\nversion"),
            "2:10 there is no scorecard named",
        ),
        (
            GOOD.replace("\nversion", "\nextends: good.yaml\nversion"),
            "2:10 the scorecard extends itself",
        ),
        ("- a".to_owned(), "1:1 "),
        (String::new(), ""),
    ];
    for (text, expected) in cases {
        let found = lines(&load_files(&[("good.yaml", &text)]).unwrap_err());
        assert!(
            found.len() == 1 && found[0].starts_with(expected),
            "{expected}: {found:?}"
        );
    }
    assert!(load("nothing", &rules()).is_err() && load("./nothing.yaml", &rules()).is_err());
}

#[test]
fn a_theme_of_rules_without_a_budget_is_a_warning() {
    let text = GOOD.replace("nodes: 100", "obs: 100");
    let (_, warnings) = load_files(&[("good.yaml", &text)]).unwrap();
    let expected = "8:3 the rules of theme `nodes` are worth nothing: it has no budget";
    assert_eq!(lines(&warnings), [expected]);
}

fn waivers(text: &str) -> Result<Vec<Waiver>, Vec<Problem>> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("waivers.yaml");
    std::fs::write(&path, text).unwrap();
    load_waivers(&path, &rules())
}

#[test]
fn waivers_match_by_kind_namespace_and_name_until_they_expire() {
    let text = "
- rule: old-net-ingress
  subject: {kind: DaemonSet, namespace: kube-*, name: cilium-?????}
  reason: The agent needs it
  owner: team-net
  expires: 2026-02-28
- {rule: nodes-ready, subject: {name: '*'}, reason: a, owner: b, expires: '2026-03-01T12:00:00+01:00'}
";
    let found = waivers(text).unwrap();
    assert_eq!(&*found[0].rule, "net-ingress");
    let subject = |group, kind, namespace: Option<&str>, name: &str| Subject {
        kind: GroupKind::new(group, kind),
        namespace: namespace.map(Into::into),
        name: name.into(),
        place: None,
    };
    let agent = subject("apps", "DaemonSet", Some("kube-system"), "cilium-agent");
    assert!(found[0].matches(&agent) && found[1].matches(&agent));
    for other in [
        subject("apps", "Deployment", Some("kube-system"), "cilium-agent"),
        subject("apps", "DaemonSet", Some("default"), "cilium-agent"),
        subject("apps", "DaemonSet", None, "cilium-agent"),
        subject("apps", "DaemonSet", Some("kube-system"), "cilium-operator"),
    ] {
        assert!(
            !found[0].matches(&other) && found[1].matches(&other),
            "{other:?}"
        );
    }
    let at = |text: &str| text.parse().unwrap();
    assert!(found[0].remaining(at("2026-02-28T23:59:59Z")).is_some());
    assert!(found[0].remaining(at("2026-03-01T00:00:00Z")).is_none());
    assert!(found[1].remaining(at("2026-03-01T10:59:59Z")).is_some());
    assert!(found[1].remaining(at("2026-03-01T11:00:00Z")).is_none());
}

#[test]
fn every_problem_of_a_waivers_file_has_its_place() {
    let text = "
- {rule: nothing, subject: {}, reason: ' ', owner: '', expires: 2026-02-30}
";
    let found = lines(&waivers(text).unwrap_err());
    assert_eq!(
        found,
        [
            "2:10 there is no rule `nothing`",
            "2:28 the waiver names no subject",
            "2:40 `reason` is empty",
            "2:52 `owner` is empty",
            "2:65 `2026-02-30` is not a date",
        ]
    );
    let endless = "- {rule: nodes-ready, subject: {name: a}, reason: a, owner: b}\n";
    let found = lines(&waivers(endless).unwrap_err());
    assert!(found[0].contains("missing field `expires`"), "{found:?}");
    assert!(load_waivers(Path::new("/nowhere"), &rules()).is_err());
}

#[test]
fn the_schema_describes_every_key() {
    let schema = schema();
    for key in [
        "extends",
        "version",
        "profile",
        "target",
        "categories",
        "levels",
        "ceilings",
        "params",
    ] {
        assert!(
            schema["properties"][key]["description"].is_string(),
            "{key}"
        );
    }
    assert_eq!(schema["additionalProperties"], serde_json::json!(false));
}
