//! Whole clusters, captured from a real control plane, and what they score.
//!
//! `cargo test --test it fixtures::capture -- --ignored` captures them again. Those of the platform
//! are applied from the folder that `PLATFORM_STACK` names, with `before` and `after` in it.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;

use crate::controlplane::{ControlPlane, Options};

const ENGINES: [&str; 4] = [
    "gatekeeper",
    "kyverno",
    "pod-security",
    "validating-admission-policy",
];

fn path(relative: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(relative)
}

/// Applies folders to a new control plane and saves what there is then.
async fn capture_one(name: &str, folders: &[PathBuf]) {
    let cluster = ControlPlane::start(Options::everything()).await.unwrap();
    let crds = include_str!("../support/crds.yaml");
    cluster.apply_yaml(crds).await.unwrap().complete().unwrap();
    cluster
        .apply_path(&path("fixtures/manifests/bare"))
        .await
        .unwrap()
        .complete()
        .unwrap();
    for folder in folders {
        let report = cluster.apply_path(folder).await.unwrap();
        eprintln!("{name}: {report}");
    }
    tokio::time::sleep(std::time::Duration::from_secs(20)).await;
    let status = Command::new(env!("CARGO_BIN_EXE_seaworthy"))
        .args(["snapshot", "--full", "--kubeconfig"])
        .arg(cluster.kubeconfig_path())
        .arg("-o")
        .arg(path(&format!("fixtures/snapshots/{name}.snap")))
        .status()
        .unwrap();
    assert!(status.success());
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "writes fixtures/snapshots; run it when the fixtures or the rules' fields change"]
async fn capture() {
    capture_one("bare", &[]).await;
    for engine in ENGINES {
        let workloads = path("fixtures/manifests/engines/workloads.yaml");
        let file = path(&format!("fixtures/manifests/engines/{engine}.yaml"));
        capture_one(&format!("engine-{engine}"), &[workloads, file]).await;
    }
    if let Some(folder) = std::env::var_os("PLATFORM_STACK").map(PathBuf::from) {
        capture_one("platform-before", &[folder.join("before")]).await;
        capture_one("platform-after", &[folder.join("after")]).await;
    }
}

fn audit(snapshot: &str, further: &[&str]) -> Value {
    let output = Command::new(env!("CARGO_BIN_EXE_seaworthy"))
        .args(["audit", "-q", "-o", "json", "--no-gate", "--snapshot"])
        .arg(path(&format!("fixtures/snapshots/{snapshot}.snap")))
        .args(["--now", "2026-11-23T12:00:00Z"])
        .args(further)
        .output()
        .unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{snapshot}: {error}"))
}

/// One line for each cluster and category, and what each rule says: a matrix in which a rule that
/// reaches too far, or stops to reach, shows.
#[test]
fn what_whole_clusters_score() {
    let mut names: Vec<String> = vec!["bare".to_owned()];
    names.extend(ENGINES.iter().map(|engine| format!("engine-{engine}")));
    names.extend(["platform-before".to_owned(), "platform-after".to_owned()]);
    let reports: Vec<Value> = names.iter().map(|name| audit(name, &[])).collect();
    let mut table = String::new();
    for (name, report) in names.iter().zip(&reports) {
        let score = report["score"]["score"].as_f64().unwrap();
        let level = report["level"]["reached"]
            .as_str()
            .unwrap_or("below every level");
        let categories = report["categories"].as_array().unwrap().iter();
        let categories: Vec<String> = categories
            .map(|category| {
                let score = category["score"]["score"].as_f64();
                let name = category["category"].as_str().unwrap();
                format!("{name} {:.1}", score.unwrap_or(f64::NAN))
            })
            .collect();
        table += &format!("{name}: {score:.1} {level} ({})\n", categories.join(", "));
    }
    table.push('\n');
    for rule in reports[0]["rules"].as_array().unwrap() {
        let id = rule["id"].as_str().unwrap();
        let states: Vec<String> = reports
            .iter()
            .map(|report| {
                let rules = report["rules"].as_array().unwrap();
                let found = rules.iter().find(|found| found["id"] == id).unwrap();
                let state = found["state"].as_str().unwrap();
                match state {
                    "not-applicable" => "-".to_owned(),
                    state => state.to_owned(),
                }
            })
            .collect();
        table += &format!("{id:40} {}\n", states.join(" "));
    }
    insta::assert_snapshot!(table);
}

/// The same bad workload under four engines earns the same.
#[test]
fn engines_that_refuse_the_same_earn_the_same() {
    let controls = [
        "pol-deny-privileged",
        "pol-require-non-root",
        "pol-deny-privilege-escalation",
        "pol-drop-all-capabilities",
    ];
    for control in controls {
        let earned: Vec<(&str, Value)> = ENGINES
            .iter()
            .map(|engine| {
                let report = audit(&format!("engine-{engine}"), &["--profile", "prod"]);
                let rules = report["rules"].as_array().unwrap().clone();
                let rule = rules
                    .into_iter()
                    .find(|rule| rule["id"] == control)
                    .unwrap();
                (*engine, rule["state"].clone())
            })
            .collect();
        assert!(
            earned.iter().all(|(_, state)| state == "pass"),
            "{control}: {earned:?}"
        );
    }
}
