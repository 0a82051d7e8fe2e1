//! The program as its user runs it.

use std::{
    fs,
    path::Path,
    process::{Command, Output, Stdio},
};

use serde_json::Value;

fn seaworthy(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_seaworthy"))
        .args(arguments)
        .env_remove("KUBECONFIG")
        .env("HOME", "/nonexistent")
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

const RULE: &str = r#"title: Services have short names
severity: critical
effort: S
since: 0.1.0
why: Long names do not fit on badges.
fix: Shorten the name.
references: [https://example.com/names]
kinds: [v1/Service]
expression: size(object.metadata.name) <= 3
messageExpression: "'the name has ' + string(size(object.metadata.name)) + ' characters'"
examples:
  - pass: "{apiVersion: v1, kind: Service, metadata: {name: web}}"
  - fail: "{apiVersion: v1, kind: Service, metadata: {name: frontend}}"
"#;

fn write(folder: &Path, path: &str, content: &str) {
    let file = folder.join(path);
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(file, content).unwrap();
}

#[test]
fn the_demo_runs_without_anything() {
    let output = seaworthy(&["audit", "--demo"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let report = text(&output.stdout);
    for words in [
        "Score ",
        " of 100",
        "Between here and",
        "CATEGORY",
        "POINTS",
    ] {
        assert!(report.contains(words), "no `{words}` in:\n{report}");
    }
    let again = seaworthy(&["audit", "--demo"]);
    assert_eq!(
        again.stdout, output.stdout,
        "the same input gives the same bytes"
    );
}

#[test]
fn json_follows_its_schema_and_adds_up() {
    let report: Value =
        serde_json::from_slice(&seaworthy(&["audit", "--demo", "-o", "json"]).stdout).unwrap();
    let schema: Value = serde_json::from_slice(&seaworthy(&["schema", "report"]).stdout).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let errors: Vec<String> = validator
        .iter_errors(&report)
        .map(|error| error.to_string())
        .collect();
    assert!(errors.is_empty(), "{errors:?}");
    let lost: f64 = report["rules"]
        .as_array()
        .unwrap()
        .iter()
        .map(|rule| rule["lost"].as_f64().unwrap())
        .sum();
    let score = report["score"]["score"].as_f64().unwrap();
    assert!((score + lost - 100.0).abs() < 1e-9);
    let yaml = text(&seaworthy(&["audit", "--demo", "-o", "yaml"]).stdout);
    let from_yaml: Value = serde_saphyr::from_str(&yaml).unwrap();
    assert_eq!(from_yaml["gaps"], report["gaps"]);
}

#[test]
fn a_rule_is_one_file() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "operations/workloads/short-names.yaml", RULE);
    let directory = folder.path().to_str().unwrap();
    let run = |arguments: &[&str]| {
        let mut all = arguments.to_vec();
        all.extend(["--rules", directory]);
        let output = seaworthy(&all);
        assert!(
            output.status.success(),
            "{arguments:?}: {}",
            text(&output.stderr)
        );
        text(&output.stdout)
    };
    assert!(run(&["rules", "list"]).contains("short-names"));
    assert!(run(&["rules", "lint"]).contains("no problems"));
    assert!(
        run(&["rules", "test", "--only", "short-names"])
            .contains("1 rules, 2 examples hold, 0 do not")
    );
    assert!(run(&["rules", "docs"]).contains("## `short-names`"));
    assert!(run(&["explain", "short-names"]).contains("Long names do not fit"));
    let report: Value = serde_json::from_str(&run(&["audit", "--demo", "-o", "json"])).unwrap();
    let rules = report["rules"].as_array().unwrap();
    let rule = rules
        .iter()
        .find(|rule| rule["id"] == "short-names")
        .unwrap();
    assert_eq!(rule["state"], "fail");
    assert!(rule["lost"].as_f64().unwrap() > 0.0);
}

#[test]
fn five_mistakes_are_five_diagnostics() {
    let folder = tempfile::tempdir().unwrap();
    let bad = RULE
        .replace("severity: critical", "severity: grave")
        .replace("effort: S", "effort: XL")
        .replace("fix:", "fixx:")
        .replace("kinds: [v1/Service]", "kinds: [v1/service]")
        .replace(
            "expression: size(object.metadata.name) <= 3",
            "expression: size(object.metadata.name <= 3",
        );
    write(folder.path(), "operations/naming/short-names.yaml", &bad);
    let directory = folder.path().to_str().unwrap();
    for arguments in [
        &["audit", "--demo", "--rules", directory][..],
        &["rules", "lint", "--rules", directory],
    ] {
        let output = seaworthy(arguments);
        let stderr = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{stderr}");
        for place in [":2:11", ":3:9", ":6:1", ":8:9", ":9:"] {
            assert!(
                stderr.contains(&format!("short-names.yaml{place}")),
                "no {place} in:\n{stderr}"
            );
        }
        assert!(output.stdout.is_empty());
    }
}

#[test]
fn manifests_point_at_files_and_lines() {
    let folder = tempfile::tempdir().unwrap();
    let manifest = "apiVersion: v1\nkind: Namespace\nmetadata: {name: a}\n---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web, namespace: a}\nspec:\n  selector: {matchLabels: {app: web}}\n  template:\n    metadata: {labels: {app: web}}\n    spec:\n      containers: [{name: main, image: 'nginx:latest'}]\n";
    write(folder.path(), "app/web.yaml", manifest);
    write(folder.path(), "app/values.yaml", "replicas: 3\n");
    write(
        folder.path(),
        "app/templates/t.yaml",
        "apiVersion: v1\nkind: {{ .Values.kind }}\n",
    );
    let path = folder.path().join("app");
    let output = seaworthy(&["audit", "-o", "wide", "--manifests", path.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let report = text(&output.stdout).replace("\n", " ");
    assert!(report.contains("web.yaml:5"), "{report}");
    assert!(
        text(&output.stderr).contains("template"),
        "{}",
        text(&output.stderr)
    );

    // The same through standard input.
    let mut child = Command::new(env!("CARGO_BIN_EXE_seaworthy"))
        .args(["audit", "-o", "json", "--manifests", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), manifest.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["source"]["kind"], "manifests");
    let left_out = report["rules"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|rule| rule["state"] == "not-assessable")
        .count();
    assert!(
        left_out > 5,
        "{left_out} rules cannot be answered from manifests"
    );
}

#[test]
fn exit_codes_say_how_it_ended() {
    let code = |arguments: &[&str]| seaworthy(arguments).status.code();
    assert_eq!(code(&["--help"]), Some(0));
    assert_eq!(code(&["--version"]), Some(0));
    assert_eq!(code(&["audit", "--no-such-flag"]), Some(2));
    assert_eq!(code(&["audit", "--demo", "--snapshot", "x"]), Some(2));
    assert_eq!(
        code(&["audit", "--demo", "--only", "no-such-rule"]),
        Some(2)
    );
    assert_eq!(
        code(&["audit", "--demo", "--scorecard", "no-such-card"]),
        Some(2)
    );
    assert_eq!(
        code(&["audit", "--demo", "--profile", "no-such-profile"]),
        Some(2)
    );
    assert_eq!(code(&["audit", "--snapshot", "/nonexistent.snap"]), Some(2));
    assert_eq!(code(&["audit"]), Some(2), "without any kubeconfig");
    // An empty world has no score, which is no answer.
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(
        code(&["audit", "--manifests", folder.path().to_str().unwrap()]),
        Some(3)
    );
}

#[test]
fn output_goes_where_it_is_sent() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("report.json");
    let to_file = format!("json={}", file.display());
    let output = seaworthy(&["audit", "--demo", "-o", "table", "-o", &to_file]);
    assert!(text(&output.stdout).contains("Score"));
    let report: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    assert_eq!(report["version"], 1);
    let bad = seaworthy(&["audit", "--demo", "-o", "json=/nonexistent/folder/x.json"]);
    assert_eq!(bad.status.code(), Some(2));
    assert!(
        !text(&output.stdout).contains('\u{1b}'),
        "no colour in a pipe"
    );
}

#[test]
fn waivers_are_shown_with_what_they_hold() {
    let folder = tempfile::tempdir().unwrap();
    write(
        folder.path(),
        "waivers.yaml",
        "- rule: ns-quotas-set\n  subject: {kind: Namespace, name: 'argo*'}\n  reason: sized by hand\n  owner: platform\n  expires: 2999-01-01\n- rule: ns-quotas-set\n  subject: {name: shop}\n  reason: long ago\n  owner: platform\n  expires: 2020-01-01\n",
    );
    let file = folder.path().join("waivers.yaml");
    let output = seaworthy(&["audit", "--demo", "--waivers", file.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let report = text(&output.stdout);
    assert!(report.contains("without waivers"), "{report}");
    assert!(report.contains("EXPIRED, counts no more"), "{report}");
    assert!(report.contains("sized by hand (platform)"), "{report}");
}

#[test]
fn a_gate_is_met_missed_or_cannot_be_judged() {
    let run = |arguments: &[&str]| {
        let mut all = vec!["audit", "--demo", "-q", "-o", "json"];
        all.extend(arguments);
        let output = seaworthy(&all);
        let report: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        (
            output.status.code(),
            report["gate"]["decision"].clone(),
            text(&output.stderr),
        )
    };
    let (code, decision, stderr) = run(&[
        "--min-score",
        "20",
        "--min-score",
        "operations=30",
        "--min-coverage",
        "50",
    ]);
    assert_eq!((code, decision), (Some(0), "met".into()), "{stderr}");

    let (code, decision, stderr) = run(&[
        "--min-score",
        "99.5",
        "--fail-on",
        "critical",
        "--min-level",
        "Enterprise-grade",
    ]);
    assert_eq!((code, decision), (Some(1), "not-met".into()));
    for words in [
        "the score is",
        "below 99.5",
        "gaps of severity critical",
        "Enterprise-grade is asked for",
    ] {
        assert!(stderr.contains(words), "no `{words}` in {stderr}");
    }

    // What a manifests folder cannot show leaves no category to judge.
    let folder = tempfile::tempdir().unwrap();
    write(
        folder.path(),
        "a.yaml",
        "apiVersion: v1\nkind: Service\nmetadata: {name: a, namespace: b}\n",
    );
    let path = folder.path().to_str().unwrap();
    let output = seaworthy(&[
        "audit",
        "-q",
        "--manifests",
        path,
        "--min-score",
        "maturity=50",
    ]);
    assert_eq!(output.status.code(), Some(3), "{}", text(&output.stderr));

    assert_eq!(run(&["--min-score", "101"]).0, Some(2));
    assert_eq!(run(&["--min-score", "safety=10"]).0, Some(2));
    assert_eq!(run(&["--min-level", "Perfect"]).0, Some(2));
}

/// What a pipeline does: a report is kept, a change is judged by it.
#[test]
fn a_gate_compares_with_a_baseline() {
    let folder = tempfile::tempdir().unwrap();
    let baseline = folder.path().join("main.json");
    let before = format!("json={}", baseline.display());
    let output = seaworthy(&["audit", "--demo", "-q", "-o", &before]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    write(
        folder.path(),
        "change.yaml",
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: risky, namespace: shop}\nspec:\n  \
         selector: {matchLabels: {app: risky}}\n  template:\n    metadata: {labels: {app: risky}}\n    \
         spec: {containers: [{name: risky, image: nginx, securityContext: {privileged: true}}]}\n",
    );
    let change = folder.path().join("change.yaml");
    let run = |arguments: &[&str]| {
        let mut all = vec!["audit", "--demo", "-q", "-o", "json", "--baseline"];
        all.push(baseline.to_str().unwrap());
        all.extend(arguments);
        let output = seaworthy(&all);
        let report: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        (output.status.code(), report, text(&output.stderr))
    };
    let (code, report, stderr) = run(&["--max-drop", "0", "--no-new-failures"]);
    assert_eq!(code, Some(0), "{stderr}");
    assert_eq!(report["baseline"]["difference"], 0.0);

    let overlay = ["--overlay", change.to_str().unwrap()];
    let (code, report, stderr) = run(&[&overlay[..], &["--no-new-failures"]].concat());
    assert_eq!(code, Some(1), "{stderr}");
    assert!(
        stderr.contains("wl-no-privileged: Deployment shop/risky"),
        "{stderr}"
    );
    assert!(report["baseline"]["difference"].as_f64().unwrap() < 0.0);
    let (code, _, stderr) = run(&[&overlay[..], &["--max-drop", "50"]].concat());
    assert_eq!(code, Some(0), "{stderr}");

    // Without a baseline there is nothing to compare with, and a typo is no empty baseline.
    let output = seaworthy(&["audit", "--demo", "-q", "--max-drop", "1"]);
    assert_eq!(output.status.code(), Some(2), "{}", text(&output.stderr));
    let output = seaworthy(&["audit", "--demo", "-q", "--baseline", "nowhere.json"]);
    assert_eq!(output.status.code(), Some(2), "{}", text(&output.stderr));
}

#[test]
fn a_scorecard_brings_its_gate() {
    let folder = tempfile::tempdir().unwrap();
    let card = |gate: &str| {
        let text =
            format!("extends: platform-stack\nversion: 1.0.0\ndescription: ours\ngate: {gate}\n");
        write(folder.path(), "ours.yaml", &text);
        folder.path().join("ours.yaml").to_str().unwrap().to_owned()
    };
    let run = |gate: &str, more: &[&str]| {
        let card = card(gate);
        let mut all = vec!["audit", "--demo", "-q", "--scorecard", &card];
        all.extend(more);
        let output = seaworthy(&all);
        (output.status.code(), text(&output.stderr))
    };
    assert_eq!(run("{minScore: 99}", &[]).0, Some(1));
    assert_eq!(run("{minScore: 99}", &["--min-score", "1"]).0, Some(0));
    assert_eq!(run("{minScore: 99}", &["--no-gate"]).0, Some(0));
    assert_eq!(run("{minScore: 1, failOn: critical}", &[]).0, Some(1));
    for (wrong, why) in [
        ("{failOn: terrible}", "terrible"),
        ("{minLevel: Perfect}", "Perfect"),
        ("{minCoverage: 90}", "0.75 for 75 %"),
        ("{minCategory: {safety: 1}}", "safety"),
        ("{minscore: 1}", "minscore"),
    ] {
        let (code, stderr) = run(wrong, &[]);
        assert_eq!(code, Some(2), "{wrong}");
        assert!(
            stderr.contains(why) && stderr.contains("ours.yaml:4"),
            "{stderr}"
        );
    }
}
