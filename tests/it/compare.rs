//! `plan`, `diff` and overlays, as their users meet them.

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

use serde_json::Value;

fn seaworthy(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_seaworthy"))
        .args(arguments)
        .env("COLUMNS", "100")
        .output()
        .unwrap()
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn json(arguments: &[&str]) -> Value {
    let output = seaworthy(arguments);
    let message = String::from_utf8_lossy(&output.stderr);
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {message}"))
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap()
}

/// Each step adds what it says, the last reaches the target, and excluded rules stay out.
#[test]
fn a_plan_adds_up_and_leaves_out_what_is_excluded() {
    let plan = json(&["plan", "--demo", "-q", "--target", "90", "-o", "json"]);
    let mut score = number(&plan["from"]);
    let steps = plan["steps"].as_array().unwrap();
    for step in steps {
        score += number(&step["points"]);
        assert!((score - number(&step["score"])).abs() < 1e-9);
        assert!(!step["subjects"].as_array().unwrap().is_empty() || step["kind"] == "prove");
    }
    assert!(score >= 90.0 && (score - number(&plan["score"])).abs() < 1e-9);

    let first = steps[0]["rule"].as_str().unwrap();
    let arguments = [
        "plan",
        "--demo",
        "-q",
        "--target",
        "90",
        "-o",
        "json",
        "--exclude",
    ];
    let other = json(&[&arguments[..], &[first]].concat());
    assert!(number(&other["effort"]) >= number(&plan["effort"]));
    let rules: Vec<&Value> = other["steps"]
        .as_array()
        .unwrap()
        .iter()
        .map(|s| &s["rule"])
        .collect();
    assert!(!rules.contains(&&Value::from(first)));

    let markdown = text(&seaworthy(&[
        "plan", "--demo", "-q", "--target", "90", "-o", "markdown",
    ]));
    assert!(markdown.contains("- [ ] **1. "), "{markdown}");
    let schema = json(&["schema", "plan"]);
    let schema = jsonschema::validator_for(&schema).unwrap();
    assert!(schema.is_valid(&plan));

    for (arguments, code) in [
        (&["plan", "--demo", "--target", "Excellent"][..], 2),
        (&["plan", "--demo", "--exclude", "nothing"], 2),
        (
            &[
                "plan",
                "--demo",
                "--profile",
                "dev",
                "--target",
                "Enterprise-grade",
            ],
            1,
        ),
        (
            &["plan", "--demo", "--target", "90", "--effort-budget", "0"],
            1,
        ),
        (&["plan", "--demo", "--target", "1"], 0),
    ] {
        assert_eq!(
            seaworthy(arguments).status.code(),
            Some(code),
            "{arguments:?}"
        );
    }
}

fn write(folder: &Path, name: &str, text: &str) -> String {
    let path = folder.join(name);
    fs::write(&path, text).unwrap();
    path.display().to_string()
}

const OVERLAY: &str = r#"
apiVersion: apps/v1
kind: Deployment
metadata: {name: reckless, namespace: analytics}
spec:
  replicas: 1
  selector: {matchLabels: {app: reckless}}
  template:
    metadata: {labels: {app: reckless}}
    spec: {containers: [{name: main, image: "nginx:latest", securityContext: {privileged: true}}]}
"#;

/// An overlay is judged as if it were applied, with the place of each finding, and what only a
/// running cluster could show of it is not asked.
#[test]
fn an_overlay_is_what_a_pull_request_would_change() {
    let folder = tempfile::tempdir().unwrap();
    let overlay = write(folder.path(), "pr.yaml", OVERLAY);
    let diff = json(&["diff", "--demo", "-q", "--overlay", &overlay, "-o", "json"]);
    let (old, new) = (number(&diff["old"]["score"]), number(&diff["new"]["score"]));
    assert!((number(&diff["difference"]) - (new - old)).abs() < 1e-9);
    let parts = ["byCluster", "byApplicability", "byYardstick"];
    let sum: f64 = parts.iter().map(|part| number(&diff[part])).sum();
    assert!((sum - (new - old)).abs() < 1e-9);
    assert_eq!(number(&diff["byYardstick"]), 0.0);
    let rules = diff["rules"].as_array().unwrap();
    let rule = |id: &str| rules.iter().find(|rule| rule["rule"] == id);
    let subject = &rule("wl-no-privileged").unwrap()["subjects"][0];
    assert_eq!(
        (&subject["change"], &subject["name"]),
        (&"new".into(), &"reckless".into())
    );
    let touched =
        |id: &str| rule(id).is_some_and(|rule| rule["subjects"].to_string().contains("reckless"));
    assert!(!touched("controllers-available"));

    let audit = json(&["audit", "--demo", "-q", "--overlay", &overlay, "-o", "json"]);
    assert!(audit.to_string().contains("pr.yaml:2"));
    assert!(
        audit["notes"]
            .to_string()
            .contains("0 changed, 1 added, 0 deleted")
    );

    // Deleting what is added leaves nothing.
    let deletion = "Deployment/analytics/etl";
    let diff = json(&[
        "diff",
        "--demo",
        "-q",
        "--overlay-delete",
        deletion,
        "-o",
        "json",
    ]);
    assert!(diff["rules"].to_string().contains(r#""change":"gone""#));
}

/// Reports and snapshots compare, the yardstick's part is told apart, and equal sides are equal.
#[test]
fn reports_compare_and_the_yardstick_is_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let save = |name: &str, arguments: &[&str]| {
        let output = seaworthy(&[&["audit", "--demo", "-q", "-o", "json"], arguments].concat());
        write(folder.path(), name, &text(&output))
    };
    let (staging, prod) = (save("a.json", &[]), save("b.json", &["--profile", "prod"]));
    let diff = json(&["diff", &staging, &prod, "-o", "json"]);
    // Written reports hold rounded numbers.
    assert!(number(&diff["byCluster"]).abs() < 1e-9);
    assert!(number(&diff["byYardstick"]) < 0.0);
    let table = text(&seaworthy(&["diff", &staging, &prod]));
    assert!(table.contains("by another yardstick"), "{table}");
    let table = text(&seaworthy(&["diff", &staging, "--demo", "-q"]));
    assert!(table.contains("Nothing moved."), "{table}");
    let schema = jsonschema::validator_for(&json(&["schema", "diff"])).unwrap();
    assert!(schema.is_valid(&diff));

    let broken = write(folder.path(), "c.json", "{\"version\": 7}");
    assert_eq!(
        seaworthy(&["diff", &staging, &broken]).status.code(),
        Some(2)
    );
    assert_eq!(seaworthy(&["diff"]).status.code(), Some(2));
}
