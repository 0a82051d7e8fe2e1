use std::{fs, path::Path, time::Instant};

use proptest::prelude::*;

use super::*;
use crate::{
    model::{Category, Fraction, Node},
    rule::{Expectation, ParamType},
};

const GOOD: &str = r#"title: Names are short
severity: low
effort: S
since: 0.1.0
why: Long names break.
fix: Shorten it.
references: [https://example.com]
kinds: [v1/Service]
params:
  longest: {type: int, default: 10, description: Longest name., profiles: {prod: 5}}
expression: size(object.metadata.name) <= params.longest
messageExpression: "'the name has ' + string(size(object.metadata.name)) + ' characters'"
examples:
  - pass: "{apiVersion: v1, kind: Service, metadata: {name: a}}"
  - fail: "{apiVersion: v1, kind: Service, metadata: {name: abcdefghijklmnop}}"
"#;

/// A file with every key.
const FULL: &str = r#"title: Workloads have budgets
severity: high
effort: M
since: 0.1.0
why: |
  A drain stops what has no budget.
fix: |
  Add one.
references: [CIS 5.2.5, https://example.com]
aliases: [wl-budgeted]
weight: 4
aggregate: share
requires: [names-short]
subject: container
with:
  budgets: {kind: policy/v1/PodDisruptionBudget, relation: selects}
promql:
  up: "'up > ' + string(params.tolerance)"
attestation: Budgets were tried in a drain
params:
  attestationDays: {type: int, default: 90, description: Days that it holds}
  minRatio: {type: number, default: 1, profiles: {dev: 0.6, prod: 0.95}, description: Share that must comply}
  tolerance: {type: int, default: 0, description: Failures that are tolerated}
  grace: {type: duration, default: 1h30m, description: Time to start}
  names: {type: strings, default: [a, b], description: Names}
  prefix: {type: string, default: "", description: Prefix}
  strict: {type: bool, default: false, description: Whether}
variables:
  - {name: count, expression: size(budgets)}
  - {name: some, expression: variables.count > 0}
when: "!(workload.kind in ['Job', 'CronJob']) && !(container.name in params.names)"
expression: variables.some || readable.up && size(prom.up) > 0 || size(attestations) > 0 || params.strict || container.name.startsWith(params.prefix)
partial:
  - {credit: 0.25, expression: size(containers) > 1, messageExpression: "'half'"}
messageExpression: "'container ' + container.name + ' lacks one'"
inert: has(podSpec.x) && now - timestamp(object.metadata.creationTimestamp) < params.grace
manifests: true
examples:
  - fail: |
      apiVersion: v1
      kind: Pod
    title: without a budget
    params: {grace: 2h, minRatio: 0.5}
    server: v1.33.0
    now: 2026-01-01T00:00:00Z
  - pass: |
      apiVersion: v1
  - credit: 0.25
    partial: |
      apiVersion: v1
  - not-applicable: "{}"
    prometheus: {up: [{labels: {job: x}, value: 0.5}]}
  - unknown: "{}"
  - attested: "{}"
    attestations: [{by: jane, at: 2025-12-20, expires: 2026-02-01T00:00:00Z, result: pass, details: {x: 1}}]
"#;

const THEME: &str =
    "title: Naming\nparams:\n  shared: {type: int, default: 1, description: Shared}\n";

/// Checks texts as files at paths.
fn check_all(files: &[(&str, &str)]) -> Result<RuleSet, Vec<String>> {
    let mut found = Found::default();
    for (path, text) in files {
        found.add(Path::new(path), path, Ok((*text).to_owned()));
    }
    let (rules, problems) = check(found);
    match problems.is_empty() {
        true => Ok(rules),
        false => Err(problems.iter().map(ToString::to_string).collect()),
    }
}

/// Checks a text as one file; problems are told without its name.
fn check_one(text: &str) -> Result<RuleSet, Vec<String>> {
    let path = "operations/naming/names-short.yaml";
    check_all(&[(path, text)]).map_err(|problems| {
        let told = problems.iter().map(|p| p.replace(&format!("{path}:"), ""));
        told.collect()
    })
}

/// The problems of the good file with a part replaced.
fn with(part: &str, by: &str) -> Vec<String> {
    assert!(GOOD.contains(part), "{part}");
    check_one(&GOOD.replace(part, by)).unwrap_err()
}

#[test]
fn a_good_file_is_a_rule() {
    let full = FULL.replace("\n  tolerance:", "\n  # Ignored\n  tolerance:");
    let rules = check_all(&[
        ("operations/naming/names-short.yaml", GOOD),
        ("maturity/dr/wl-budgets.yaml", &full),
    ])
    .unwrap();
    let rule = rules.get("names-short").unwrap();
    let place = (&*rule.theme, rule.category);
    assert_eq!(place, ("naming", Category::Operations));
    assert_eq!(rule.params["longest"].profiles["prod"], Node::Int(5));

    let rule = rules.find("wl-budgeted").unwrap();
    assert_eq!(&*rule.id, "wl-budgets");
    assert_eq!(rule.partial[0].credit, Fraction::new(1, 4));
    assert_eq!(rule.params["grace"].kind, ParamType::Duration);
    let [fail, _, partial, none, unknown, attested] = &rule.examples[..] else {
        panic!("six examples");
    };
    assert_eq!(fail.manifests, "apiVersion: v1\nkind: Pod\n");
    assert_eq!(partial.expect, Expectation::Partial(Fraction::new(1, 4)));
    let lines: Vec<&str> = full.lines().collect();
    assert!(lines[fail.line - 1].ends_with("apiVersion: v1"));
    assert!(lines[none.line - 1].contains("not-applicable"));
    let up = &none.prometheus.as_ref().unwrap()["up"];
    assert_eq!((up.len(), up[0].value), (1, 0.5));
    assert_eq!(
        (&unknown.expect, &unknown.prometheus),
        (&Expectation::Unknown, &None)
    );
    assert_eq!(attested.attestations[0].by, "jane");
}

#[test]
fn five_mistakes_are_as_many_problems_with_their_places() {
    let bad = GOOD
        .replace("severity: low", "severity: bad")
        .replace("kinds: [v1/Service]", "kinds: [Service]")
        .replace("why:", "whyy:")
        .replace("params.longest", "params.longst")
        .replace(
            "references: [https://example.com]",
            "references: []\nwith:\n  pods: {kind: v1/Pod, relation: near}",
        );
    assert_eq!(
        check_one(&bad).unwrap_err(),
        [
            "1:1: error: `why` is missing",
            "2:11: error: `severity`: `bad` is not one of critical, high, medium, low, info",
            "5:1: error: unknown key `whyy`",
            "9:34: error: unknown relation `near`: one of selects, targets, owned-by, in-namespace, references, any",
            "10:9: error: `Service` is not a kind: write `version/Kind` or `group/version/Kind`, such as `apps/v1/Deployment`",
            "13:43: error: unknown parameter `longst`",
        ]
    );
}

#[test]
fn each_mistake_is_one_problem_at_its_place() {
    let cases = [
        (
            "title: Names are short",
            "title: ''",
            "1:8: error: `title` is empty",
        ),
        (
            "title: Names are short",
            "title: 5",
            "1:8: error: `title` must be a string, not 5",
        ),
        (
            "0.1.0",
            "0.1",
            "4:8: error: `since` must be a version such as 0.1.0, not a number",
        ),
        (
            "effort: S",
            "effort: XL",
            "3:9: error: `effort`: `XL` is not one of S, M, L",
        ),
        (
            "references:",
            "weight: 200\nreferences:",
            "7:9: error: `weight` must be a whole number from 0 to 100, not 200",
        ),
        (
            "kinds: [v1/Service]",
            "subject: pod",
            "8:10: error: `subject` must be one of workload, container, namespace, cluster, attestation, not `pod`",
        ),
        (
            "kinds: [v1/Service]",
            "subject: namespace\nkinds: [v1/Service]",
            "8:10: error: `subject` and `kinds` exclude each other",
        ),
        (
            "kinds: [v1/Service]",
            "kinds: []",
            "8:8: error: `kinds` is empty",
        ),
        (
            "kinds: [v1/Service]\n",
            "",
            "1:1: error: `subject` or `kinds` is missing",
        ),
        (
            "params:\n",
            "with: {now: {kind: v1/Pod, relation: any}}\nparams:\n",
            "9:8: error: `now` cannot be the alias of a relation",
        ),
        (
            "params:\n",
            "with: {a: {relation: any}}\nparams:\n",
            "9:11: error: `kind` is missing",
        ),
        ("type: int,", "", "10:12: error: `type` is missing"),
        (
            "type: int,",
            "type: text,",
            "10:19: error: `type` must be bool, int, number, string, duration or strings, not `text`",
        ),
        (
            "default: 10",
            "default: ten",
            "10:33: error: `longest` must be a whole number, not `ten`",
        ),
        (
            "{prod: 5}",
            "{prod: 5.5}",
            "10:82: error: `longest` must be a whole number, not a number",
        ),
        (
            "description: Longest name.",
            "description: ''",
            "10:50: error: `description` is empty",
        ),
        (
            "  longest:",
            "  minRatio: {type: number, default: 1, profiles: {dev: 1.5}, description: x}\n  longest:",
            "10:56: error: `minRatio` must lie between 0 and 1",
        ),
        (
            "  longest:",
            "  minRatio: {type: int, default: 1, description: x}\n  longest:",
            "10:20: error: parameter `minRatio` must be of type number",
        ),
        (
            "  longest:",
            "  tolerance: {type: int, default: -1, description: x}\n  longest:",
            "10:35: error: `tolerance` must be a number of subjects",
        ),
        (
            "  longest:",
            "  grace: {type: duration, default: 1 day, description: x}\n  longest:",
            "10:36: error: `grace` must be a time span such as `24h` or `1h30m`, not `1 day`",
        ),
        (
            "  longest:",
            "  a-b: {type: int, default: 1, description: x}\n  longest:",
            "10:3: error: `a-b` cannot be the name of a parameter",
        ),
        (
            "messageExpression:",
            "partial: [{credit: 0.5}]\nmessageExpression:",
            "12:11: error: `expression` is missing",
        ),
        (
            "messageExpression:",
            "partial: [{credit: 1.0, expression: true}]\nmessageExpression:",
            "12:20: error: `credit` must be a decimal between 0 and 1, both excluded",
        ),
        (
            "messageExpression:",
            "partial: [{credit: half, expression: true}]\nmessageExpression:",
            "12:20: error: `credit` must be a decimal between 0 and 1, both excluded",
        ),
        (
            "expression: size",
            "variables: [{name: a, expression: variables.b}, {name: b, expression: '1'}]\nexpression: size",
            "11:35: error: unknown variable `b`",
        ),
        (
            "expression: size",
            "variables: [{name: a, expression: '1'}, {name: a, expression: '1'}]\nexpression: size",
            "11:48: error: variable `a` is there twice",
        ),
        (
            "expression: size",
            "variables: [{expression: '1'}]\nexpression: size",
            "11:13: error: `name` is missing",
        ),
        (
            "  - pass:",
            "  - title: first\n    passs:",
            "14:5: error: an example has one of `pass`, `fail`, `partial`, `not-applicable`, `unknown` and `attested`",
        ),
        (
            "  - pass:",
            "  - params: {longst: 1}\n    pass:",
            "14:14: error: the rule has no parameter `longst`",
        ),
        (
            "  - pass:",
            "  - params: {longest: a}\n    pass:",
            "14:23: error: `longest` must be a whole number, not `a`",
        ),
        (
            "  - pass:",
            "  - credit: 0.5\n    pass:",
            "14:13: error: `credit` belongs to `partial`, and only to it",
        ),
        (
            "  - pass:",
            "  - now: yesterday\n    pass:",
            "14:10: error: `now` must be an RFC 3339 time, not `yesterday`",
        ),
        (
            "  - pass:",
            "  - fail:",
            "14:3: error: there must be an example that passes and one that fails",
        ),
        (
            "references:",
            "aliases: [Old_Name]\nreferences:",
            "7:11: error: `Old_Name` is no rule id: lower-case words joined by `-`, at most 40 characters",
        ),
        (
            "references:",
            "requires: [names-shrt]\nreferences:",
            "7:12: error: `requires` names `names-shrt`, which is no rule",
        ),
        (
            "references:",
            "requires: [names-short]\nreferences:",
            "7:12: error: `requires` leads from `names-short` back to itself",
        ),
        (
            "references:",
            "aliases: [names-short]\nreferences:",
            "7:11: error: the alias `names-short` is taken by `names-short`",
        ),
        (
            "severity: low",
            "severity: low\nseverity: high",
            "3:1: error: ",
        ),
    ];
    let mut wrong = Vec::new();
    for (part, by, told) in cases {
        let problems = with(part, by);
        // A wrong key is missed under its right name as well.
        let expected = 1 + usize::from(by.contains("passs"));
        let as_told = match told.ends_with("error: ") {
            true => problems[0].starts_with(told),
            false => problems[0] == told,
        };
        if !as_told || problems.len() != expected {
            wrong.push(format!("{by}\n  expected {told}\n  found {problems:#?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_cluster_has_no_object_and_no_relations() {
    let cluster = "subject: cluster\nwith: {pods: {kind: v1/Pod, relation: selects}}";
    assert_eq!(
        with("kinds: [v1/Service]", cluster),
        [
            "9:39: error: the cluster is in no relation `selects`: use `any`",
            "12:18: error: unknown name `object`",
            "13:51: error: unknown name `object`",
        ]
    );
}

#[test]
fn a_file_that_is_no_mapping_is_one_problem() {
    for text in ["", "~", "- 1", "text"] {
        let problems = check_one(text).unwrap_err();
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert!(
            problems[0].contains("a rule must be a mapping"),
            "{problems:?}"
        );
    }
}

#[test]
fn paths_say_category_theme_and_id() {
    let told = |path: &str| check_all(&[(path, GOOD)]).unwrap_err().remove(0);
    assert!(told("names-short.yaml").contains("the path gives no category and theme"));
    assert!(told("naming/names-short.yaml").contains("the path gives no category and theme"));
    assert!(told("ops/naming/names-short.yaml").contains("`ops` is not one of"));
    assert!(told("operations/My Theme/names-short.yaml").contains("is no theme"));
    assert!(told("operations/naming/Names_Short.yaml").contains("no rule id"));
    assert!(told(&format!("operations/naming/{}.yaml", "a".repeat(41))).contains("no rule id"));
}

#[test]
fn what_files_say_of_each_other_is_checked() {
    let requires =
        |id: &str| GOOD.replace("references:", &format!("requires: [{id}]\nreferences:"));
    let alias = |id: &str| GOOD.replace("references:", &format!("aliases: [{id}]\nreferences:"));
    let problems = check_all(&[
        ("operations/a/x.yaml", &requires("yy")),
        ("operations/a/yy.yaml", &requires("zz")),
        ("operations/a/zz.yaml", &requires("yy")),
        ("operations/b/x.yaml", GOOD),
        ("operations/b/v.yaml", &alias("w")),
        ("security/b/u.yaml", &alias("w")),
        ("operations/b/t.yaml", &requires("w")),
        // A wrong rule is a rule still.
        ("operations/b/broken.yaml", "title: ["),
        ("operations/b/s.yaml", &requires("broken")),
    ]);
    assert_eq!(
        problems.unwrap_err(),
        [
            "operations/a/yy.yaml:7:12: error: `requires` leads from `yy` back to itself",
            "operations/a/zz.yaml:7:12: error: `requires` leads from `zz` back to itself",
            "operations/b/broken.yaml:1:8: error: unclosed bracket '['",
            "operations/b/t.yaml:7:12: error: `requires` names `w`, which is no rule",
            "operations/b/v.yaml:7:11: error: the alias `w` is taken by `u`",
            "operations/b/x.yaml:1:1: error: the id `x` is taken by operations/a/x.yaml",
            "security/b/u.yaml:1:1: error: the theme `b` belongs to operations",
        ]
    );
}

#[test]
fn a_theme_shares_parameters_that_count_in_the_digest() {
    let theme = "operations/naming/theme.yaml";
    let rule = "operations/naming/names-short.yaml";
    let text = GOOD.replace("params.longest", "params.shared");
    let load = |theme_text: &str| check_all(&[(theme, theme_text), (rule, &text)]);
    let rules = load(THEME).unwrap();
    assert_eq!(rules.theme("naming").unwrap().title, "Naming");
    let digest = |rules: &RuleSet| rules.get("names-short").unwrap().digest.clone();
    let other = load(&THEME.replace("default: 1", "default: 2")).unwrap();
    assert_ne!(digest(&rules), digest(&other));

    // What a wrong theme shares is not known, so that its rules are not blamed.
    let problems = load(&THEME.replace("type: int", "type: text")).unwrap_err();
    assert_eq!(problems.len(), 1, "{problems:?}");
    let problems = load("title: [").unwrap_err();
    assert_eq!(problems.len(), 1, "{problems:?}");

    let twice = [
        (theme, THEME),
        ("operations/naming/theme.yml", THEME),
        (rule, &text),
    ];
    let problems = check_all(&twice).unwrap_err();
    assert!(problems[0].contains("is taken by operations/naming/theme.yaml"));
}

#[test]
fn places_in_block_scalars_are_found() {
    let problems = with(
        "expression: size(object.metadata.name) <= params.longest",
        "expression: >-\n  size(object.metadata.name)\n    <= params.longest &&\n  objekt.x",
    );
    assert_eq!(problems, ["14:3: error: unknown name `objekt`"]);
}

#[test]
fn the_documentation_shows_what_a_file_says() {
    let theme = "maturity/dr/theme.yaml";
    let full = FULL
        .replace("      kind: Pod\n", "      kind: Pod # ```\n")
        .replace("prod: 0.95}, d", "prod: 0.95, edge: 0.5}, d");
    let files = [
        ("operations/naming/names-short.yaml", GOOD),
        ("maturity/dr/wl-budgets.yaml", &full),
        (theme, &THEME.replace("Naming", "Recovery")),
    ];
    let rules = check_all(&files).unwrap();
    let page = crate::rule::rule_page(rules.get("wl-budgets").unwrap());
    for part in [
        "## `wl-budgets`\n\n**Workloads have budgets**\n",
        "maturity · dr · severity high · effort M · since 0.1.0 · about each container of each workload\n",
        "A drain stops what has no budget.\n",
        "**Fix.** Add one.\n",
        "Fix first: [`names-short`](#names-short)\n",
        "| parameter | type | default | dev | staging | prod | edge | meaning |\n|---|---|---|---|---|---|---|---|\n",
        "| `minRatio` | number | 1 | 0.6 |  | 0.95 | 0.5 | Share that must comply |\n",
        "| `names` | strings | `a`, `b` |  |  |  |  | Names |\n",
        "Fails: without a budget\n\n````yaml\napiVersion: v1\nkind: Pod # ```\n````\n",
        "Earns 1/4\n",
        "References: CIS 5.2.5 · <https://example.com>\n",
    ] {
        assert!(page.contains(part), "{part}\nis not in\n{page}");
    }
    let text = crate::rule::catalogue(&rules);
    assert!(text.starts_with("<!-- Generated by `seaworthy rules docs`; do not edit. -->"));
    for part in [
        "## Maturity\n\n### Recovery (`dr`)\n",
        "| [`wl-budgets`](#wl-budgets) | Workloads have budgets | high | M |\n",
        "Parameters of the theme:\n\n| parameter |",
        "### CIS Kubernetes Benchmark\n\n| CIS | rules |\n|---|---|\n| 5.2.5 | [`wl-budgets`](#wl-budgets) |\n",
        &page,
    ] {
        assert!(text.contains(part), "{part}\nis not in\n{text}");
    }
}

/// Files that are made to hurt are refused, and soon.
#[test]
fn hostile_files_are_problems() {
    let level = |i| format!("b{i}: &b{i} [*a,*a]\n");
    let bomb = format!("a: &a [x,x]\n{}", (0..30).map(level).collect::<String>());
    let keys: String = (0..20_000).map(|i| format!("key{i}: 1\n")).collect();
    let variables: String = (0..5_000)
        .map(|i| format!("  - {{name: v{i}, expression: variables.w{i}}}\n"))
        .collect();
    let params: String = (0..3_000)
        .map(|i| format!("  p{i}: {{type: int, default: 1, description: x}}\n"))
        .collect();
    let expression = |text: &str| GOOD.replace("size(object", &format!("{text}(object"));
    let start = Instant::now();
    for text in [
        "\u{0}",
        "\u{feff}",
        "title: \u{0}",
        "title: [",
        "\ttitle: x",
        "title: x\n\tseverity: y",
        "? [a, b]\n: c",
        "<<: {title: x}",
        "--- \n--- \n",
        "!!binary x",
        &"[".repeat(100_000),
        &"{a: ".repeat(60_000),
        &"- ".repeat(100_000),
        &"a".repeat(250_000),
        &format!("title: \"{}\"", "\\u0000".repeat(40_000)),
        &bomb,
        &keys,
        &GOOD.replace(
            "expression: size",
            &format!("variables:\n{variables}expression: size"),
        ),
        &GOOD.replace("params:\n", &format!("params:\n{params}")),
        &expression(&"(".repeat(50_000)),
        &expression(&"size(".repeat(1_000)),
        &expression("\u{1f600}é"),
    ] {
        assert!(!check_one(text).unwrap_err().is_empty());
    }
    assert!(start.elapsed().as_secs() < 30, "{:?}", start.elapsed());
    assert_eq!(check_one(&keys).unwrap_err().len(), MAX_PROBLEMS);
}

#[test]
fn directories_are_read_within_limits() {
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("stolen.yaml"), GOOD).unwrap();
    let root = tempfile::tempdir().unwrap();
    let theme = root.path().join("operations/own-naming");
    fs::create_dir_all(&theme).unwrap();
    fs::write(root.path().join("README.md"), "not a rule").unwrap();
    fs::write(theme.join("own-names-short.yaml"), GOOD).unwrap();
    let load = || load(&[root.path().to_owned()]);
    let told = || {
        let problems = load().unwrap_err().into_iter();
        let told: Vec<String> = problems.map(|problem| problem.message).collect();
        told
    };
    assert!(load().unwrap().rules.get("own-names-short").is_some());
    // A file alone is checked as well as its directory.
    let embedded = lint(&[]).1;
    assert_eq!(
        lint(&[theme.join("own-names-short.yaml")]),
        (Vec::new(), embedded + 1)
    );

    fs::write(theme.join("big.yaml"), "#".repeat(256 * 1024 + 1)).unwrap();
    fs::write(theme.join("binary.yaml"), [0xff, 0xfe, 0x00]).unwrap();
    let messages = told();
    assert_eq!(messages.len(), 2, "{messages:?}");
    assert!(messages[0].contains("more than the 262144 bytes"));
    assert!(messages[1].contains("invalid utf-8"));
    fs::remove_file(theme.join("big.yaml")).unwrap();
    fs::remove_file(theme.join("binary.yaml")).unwrap();

    #[cfg(unix)]
    {
        use std::os::unix::fs::symlink;
        // As the kubelet lays out a volume.
        fs::create_dir_all(root.path().join("..data/maturity/extra")).unwrap();
        fs::write(root.path().join("..data/maturity/extra/linked.yaml"), GOOD).unwrap();
        symlink("..data/maturity", root.path().join("maturity")).unwrap();
        assert!(load().unwrap().rules.get("linked").is_some());

        symlink(
            outside.path().join("stolen.yaml"),
            theme.join("stolen.yaml"),
        )
        .unwrap();
        symlink(outside.path(), theme.join("folder")).unwrap();
        symlink(root.path(), theme.join("ring")).unwrap();
        symlink("nowhere", theme.join("dangling.yaml")).unwrap();
        let messages = told();
        assert_eq!(messages.len(), 4, "{messages:?}");
        let links = |what: &str| messages.iter().filter(|m| m.contains(what)).count();
        assert_eq!(
            links("a link out of the directory of rules"),
            2,
            "{messages:?}"
        );
        assert_eq!(
            links("a link to a folder that it lies in"),
            1,
            "{messages:?}"
        );
    }

    let empty = tempfile::tempdir().unwrap();
    let problems = super::load(&[empty.path().to_owned(), "no/such".into()]).unwrap_err();
    assert_eq!(problems.len(), 2, "{problems:?}");
}

/// The schema accepts what loads and refuses what a schema can refuse.
#[test]
fn the_schema_describes_the_files_that_load() {
    let schema = jsonschema::validator_for(&crate::rule::schema()).unwrap();
    let json = |text: &str| {
        let source = Source {
            file: "x".into(),
            text: text.into(),
        };
        serde_json::Value::from(&yaml::parse(&source).unwrap().node())
    };
    let mut found = Found::default();
    found.add_embedded();
    let embedded = found.files.iter().filter(|file| !file.address.is_theme());
    let texts = embedded.map(|file| &*file.source.text).chain([GOOD, FULL]);
    for text in texts {
        if let Err(error) = schema.validate(&json(text)) {
            panic!("{error} at {}: {text}", error.instance_path());
        }
    }
    // Every key that the schema knows is in the full file or its counterpart.
    let known = crate::rule::schema();
    let known = known["properties"].as_object().unwrap();
    let full = json(FULL);
    let missed: Vec<_> = known.keys().filter(|key| full.get(key).is_none()).collect();
    assert_eq!(missed, ["kinds"]);

    for (part, by) in [
        ("title: Workloads have budgets", "title: ' '"),
        ("severity: high", "severity: bad"),
        ("since: 0.1.0", "since: first"),
        ("why:", "whyy:"),
        ("subject: container", "subject: pod"),
        ("subject: container", "subject: container\nkinds: [v1/Pod]"),
        ("subject: container\n", ""),
        ("subject: container", "subject: cluster"),
        ("subject: container", "kinds: [Pod]"),
        ("aliases: [wl-budgeted]", "aliases: [Wl_budgeted]"),
        ("weight: 4", "weight: 101"),
        ("budgets:", "object:"),
        ("relation: selects", "relation: near"),
        (
            "kind: policy/v1/PodDisruptionBudget",
            "kind: PodDisruptionBudget",
        ),
        ("default: 1,", "default: 1.5,"),
        ("default: 0,", "default: -1,"),
        ("default: 1h30m", "default: 1 day"),
        ("default: [a, b]", "default: [1, 2]"),
        ("type: bool", "type: flag"),
        ("prod: 0.95", "prod: most"),
        ("name: count", "name: 1st"),
        ("{credit: 0.25, ", "{"),
        ("{credit: 0.25, ", "{credit: 1, "),
        ("  - credit: 0.25\n    partial:", "  - partial:"),
        ("    title: without a budget", "    credit: 0.5"),
        ("  - fail:", "  - pass: a\n    fail:"),
        ("  - pass:", "  - fail:"),
        ("up: \"'up", "up: \"container.name + 'up"),
        ("value: 0.5}", "value: many}"),
        ("at: 2025-12-20", "at: long ago"),
        ("  attestationDays", "  attestationDay"),
    ] {
        assert!(FULL.contains(part), "{part}");
        // One that passes is enough, so that it must be the only one.
        let full = match by {
            "  - fail:" => FULL.replace("  - attested:", "  - not-applicable:"),
            _ => FULL.to_owned(),
        };
        let bad = full.replacen(part, by, 1);
        let names_only = ["container.name", "long ago", "attestationDay"];
        let in_schema = !names_only.iter().any(|part| by.contains(part));
        assert!(
            in_schema != schema.is_valid(&json(&bad)),
            "the schema accepts {by}"
        );
        assert!(check_one(&bad).is_err(), "the checker accepts {by}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// A file in which a few characters are wrong is a rule or problems that lie in it.
    #[test]
    fn mutated_files_never_panic(
        full: bool,
        edits in prop::collection::vec((any::<prop::sample::Index>(), 0_usize..12, r"\PC|[\n\t \[\]{}:'\x22|>&*#!-]"), 1..6),
    ) {
        let mut text: Vec<char> = if full { FULL } else { GOOD }.chars().collect();
        for (at, removed, inserted) in edits {
            let at = at.index(text.len());
            let end = (at + removed).min(text.len());
            text.splice(at..end, inserted.chars());
            prop_assume!(!text.is_empty());
        }
        let text: String = text.into_iter().collect();
        let mut found = Found::default();
        let path = Path::new("operations/naming/names-short.yaml");
        found.add(path, "x", Ok(text.clone()));
        let (rules, problems) = check(found);
        prop_assert!(!rules.is_empty() || !problems.is_empty());
        for problem in problems {
            prop_assert!(text.get(problem.span.clone()).is_some(), "{problem}");
        }
    }
}
