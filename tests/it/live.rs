//! The live path, on a real API server: what an administrator, the generated ClusterRole and
//! something less see, and that what is secret stays where it is.

use std::{
    path::Path,
    process::{Command, Output},
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::{controlplane::ControlPlane, demo::start_demo};

fn seaworthy(kubeconfig: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_seaworthy"))
        .args(arguments)
        .arg("--kubeconfig")
        .arg(kubeconfig)
        .env("RUST_LOG", "trace")
        .output()
        .unwrap()
}

/// One clock for every audit, an hour ahead, so that no object is too young in one and not in the
/// next.
fn now() -> String {
    static NOW: std::sync::OnceLock<String> = std::sync::OnceLock::new();
    let ahead = || jiff::Timestamp::now() + jiff::SignedDuration::from_hours(1);
    NOW.get_or_init(|| ahead().to_string()).clone()
}

/// Two views of a cluster whose controllers are still at work: taken again until they agree, a few
/// times at most.
fn agree(mut views: impl FnMut() -> (Value, Value)) -> (Value, Value) {
    for _ in 0..5 {
        let (one, other) = views();
        if states(&one) == states(&other) && one["score"] == other["score"] {
            return (one, other);
        }
    }
    views()
}

fn audit(kubeconfig: &Path) -> Value {
    let output = seaworthy(kubeconfig, &["audit", "-q", "-o", "json", "--now", &now()]);
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{text}");
    serde_json::from_slice(&output.stdout).unwrap()
}

fn number(report: &Value, path: &str) -> f64 {
    report
        .pointer(path)
        .and_then(Value::as_f64)
        .unwrap_or_else(|| panic!("no {path}"))
}

/// The rules of a report by id and state.
fn states(report: &Value) -> std::collections::BTreeMap<String, String> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    report["rules"]
        .as_array()
        .unwrap()
        .iter()
        .map(|rule| (text(&rule["id"]), text(&rule["state"])))
        .collect()
}

fn lost(report: &Value) -> f64 {
    let rules = report["rules"].as_array().unwrap();
    rules
        .iter()
        .map(|rule| rule["lost"].as_f64().unwrap())
        .sum()
}

async fn bind(cluster: &ControlPlane, role: &str, name: &str) -> std::path::PathBuf {
    let kubeconfig = cluster
        .service_account_kubeconfig("audit", name)
        .await
        .unwrap();
    let binding = format!(
        "{role}\n---\napiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRoleBinding\nmetadata: {{name: {name}}}\nroleRef: {{apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: {name}}}\nsubjects: [{{kind: ServiceAccount, name: {name}, namespace: audit}}]\n"
    );
    cluster
        .apply_yaml(&binding)
        .await
        .unwrap()
        .complete()
        .unwrap();
    kubeconfig
}

fn role(name: &str) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_seaworthy"))
        .args(["rbac", "--name", name])
        .output()
        .unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn audits_a_real_cluster() {
    let cluster = start_demo().await.unwrap();
    plant_canaries(&cluster).await;
    let least = bind(&cluster, &role("least"), "least").await;
    let without = role("without").replace("  - deployments\n", "");
    assert_ne!(without, role("without"), "the role lists deployments");
    let without = bind(&cluster, &without, "without").await;
    let admin_config = cluster.kubeconfig_path().to_owned();
    let (admin, least) = agree(|| (audit(&admin_config), audit(&least)));

    // The gaps account for every point that is missing.
    let score = number(&admin, "/score/score");
    assert!(
        (score + lost(&admin) - 100.0).abs() < 1e-9,
        "{score} + {}",
        lost(&admin)
    );
    assert!(score > 20.0 && score < 95.0, "{score}");
    // All that is missing is what a Prometheus would say.
    let unread = admin["unread"].as_array().unwrap().iter();
    let unread = unread.filter(|unread| !unread["kind"].as_str().unwrap().ends_with(".prometheus"));
    assert_eq!(unread.collect::<Vec<_>>(), Vec::<&Value>::new());
    assert_eq!(admin["cluster"]["uid"].as_str().unwrap().len(), 36);

    // The generated ClusterRole is enough.
    assert_eq!(least["score"], admin["score"]);
    assert_eq!(states(&least), states(&admin));

    // Without Deployments, what needs them is unknown, and nothing passes that was not read.
    let blind = audit(&without);
    assert!(number(&blind, "/coverage") < 0.9, "{}", blind["coverage"]);
    assert!(number(&blind, "/score/score") < score);
    assert!(number(&blind, "/score/ifUnknownPassed") >= score - 1e-9);
    let seen = states(&admin);
    for (id, state) in states(&blind) {
        if state == "pass" {
            assert_eq!(seen[&id], "pass", "{id} passes without having been read");
        }
    }
    assert_eq!(states(&blind)["wl-resources-set"], "unknown");
    let unread = &blind["unread"][0];
    assert_eq!(unread["cause"], "forbidden");
    assert_eq!(unread["permission"], "list deployments.apps");
    assert!(unread["detail"].as_str().unwrap().contains("deployments"));

    // A gate between what is proven and what might be is neither met nor missed.
    let (low, high) = (
        number(&blind, "/score/score"),
        number(&blind, "/score/ifUnknownPassed"),
    );
    let between = format!("{:.1}", (low + high) / 2.0);
    let gated = seaworthy(
        &without,
        &["audit", "-q", "--now", &now(), "--min-score", &between],
    );
    let stderr = String::from_utf8_lossy(&gated.stderr).into_owned();
    assert_eq!(gated.status.code(), Some(3), "{stderr}");
    assert!(
        stderr.contains("depending on what could not be read"),
        "{stderr}"
    );

    // A snapshot gives the same verdicts as the cluster it is of.
    let folder = tempfile::tempdir().unwrap();
    for arguments in [&["snapshot"][..], &["snapshot", "--full"]] {
        let file = folder.path().join("cluster.snap");
        let mut with_output = arguments.to_vec();
        let file_name = file.to_str().unwrap().to_owned();
        with_output.extend(["-o", &file_name]);
        let (again, live) = agree(|| {
            let saved = seaworthy(&admin_config, &with_output);
            assert!(saved.status.success(), "{saved:?}");
            let output = Command::new(env!("CARGO_BIN_EXE_seaworthy"))
                .args(["audit", "-q", "-o", "json", "--snapshot", &file_name])
                .args(["--now", &now()])
                .output()
                .unwrap();
            let again = serde_json::from_slice(&output.stdout).unwrap();
            (again, audit(&admin_config))
        });
        assert_eq!(states(&again), states(&live), "{arguments:?}");
        assert_eq!(again["score"], live["score"]);
        assert_eq!(again["cluster"], live["cluster"]);
        let raw = zstd::decode_all(std::fs::File::open(&file).unwrap()).unwrap();
        assert_no_canary("snapshot", &raw);
    }

    // What is secret does not come out, whatever the output or the log level.
    for arguments in [
        &["audit", "-o", "wide"][..],
        &["audit", "-o", "json"],
        &["audit", "-o", "yaml"],
        &["explain", "wl-resources-set"],
    ] {
        let output = seaworthy(&admin_config, arguments);
        assert_no_canary("stdout", &output.stdout);
        assert_no_canary("stderr", &output.stderr);
    }
}

/// Puts a marker wherever a cluster keeps what is nobody's business.
async fn plant_canaries(cluster: &ControlPlane) {
    let manifests = r#"
apiVersion: v1
kind: Secret
metadata: {name: canary, namespace: shop, annotations: {note: canary-annotation-0}}
stringData: {password: canary-secret-1}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: canary, namespace: shop}
data: {config: "password=canary-configmap-2"}
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: canary
  namespace: analytics
  annotations: {unread: canary-annotation-3, kubectl.kubernetes.io/last-applied-configuration: '{"x": "canary-applied-4"}'}
spec:
  replicas: 0
  selector: {matchLabels: {app: canary}}
  template:
    metadata: {labels: {app: canary}}
    spec:
      containers:
      - name: main
        image: registry.example.com/canary:1
        env: [{name: API_TOKEN, value: canary-env-5}]
"#;
    cluster
        .apply_yaml(manifests)
        .await
        .unwrap()
        .complete()
        .unwrap();
}

fn assert_no_canary(place: &str, bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    for marker in [
        "canary-secret-1",
        "canary-configmap-2",
        "canary-applied-4",
        "canary-env-5",
    ] {
        let around = text.find(marker).map(|at| {
            let start = text[..at]
                .char_indices()
                .rev()
                .nth(300)
                .map_or(0, |(at, _)| at);
            &text[start..at]
        });
        assert!(around.is_none(), "{marker} in {place}, after {around:?}");
    }
    // In a full snapshot an annotation is part of the object; nowhere else is it read.
    if place != "snapshot" {
        assert!(
            !text.contains("canary-annotation"),
            "an annotation in {place}"
        );
    }
}

#[test]
fn an_unreachable_server_is_inconclusive_and_quick() {
    let folder = tempfile::tempdir().unwrap();
    let kubeconfig = folder.path().join("config");
    // A port that is bound and never accepts: the connection hangs rather than being refused.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::fs::write(
        &kubeconfig,
        format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: c\nclusters: [{{name: c, cluster: {{server: 'https://127.0.0.1:{port}'}}}}]\ncontexts: [{{name: c, context: {{cluster: c, user: u}}}}]\nusers: [{{name: u, user: {{}}}}]\n"
        ),
    )
    .unwrap();
    let started = Instant::now();
    let output = seaworthy(&kubeconfig, &["audit"]);
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(3), "{stderr}");
    assert!(stderr.contains(&format!("127.0.0.1:{port}")), "{stderr}");
    // The connect timeout is five seconds; what tries again by default takes more than a minute.
    assert!(
        started.elapsed() < Duration::from_secs(30),
        "{:?}",
        started.elapsed()
    );
    assert!(output.stdout.is_empty());
}
