//! Our verdicts on Pods against those of the API server's own Pod Security Admission.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, PostParams};
use serde_json::{Value, json};

use crate::controlplane::{ControlPlane, Options};

/// The rules that together are the baseline standard.
const BASELINE: [&str; 4] = [
    "wl-no-privileged",
    "wl-no-host-namespaces",
    "wl-no-host-paths",
    "wl-pss-baseline-rest",
];
/// What the restricted standard asks for beyond it.
const RESTRICTED: [&str; 4] = [
    "wl-non-root",
    "wl-no-privilege-escalation",
    "wl-drop-all-capabilities",
    "wl-seccomp-default",
];

/// A Pod that both standards take.
fn good() -> Value {
    let context = json!({
        "allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]},
        "runAsNonRoot": true, "seccompProfile": {"type": "RuntimeDefault"},
    });
    json!({
        "containers": [{"name": "app", "image": "registry.example.com/app:1", "securityContext": context}],
        "initContainers": [{"name": "init", "image": "registry.example.com/app:1", "securityContext": context}],
        "securityContext": {"runAsNonRoot": true, "seccompProfile": {"type": "RuntimeDefault"}},
    })
}

/// Ways to change the good Pod: a JSON pointer and the value to put there (null takes it away).
fn changes() -> Vec<(&'static str, Value)> {
    let container = |field: &'static str| -> &'static str {
        Box::leak(format!("/containers/0/securityContext/{field}").into_boxed_str())
    };
    let init = |field: &'static str| -> &'static str {
        Box::leak(format!("/initContainers/0/securityContext/{field}").into_boxed_str())
    };
    let mut all = vec![
        ("/nodeName", json!("a")),
        ("/hostNetwork", json!(true)),
        ("/hostPID", json!(true)),
        ("/hostIPC", json!(true)),
        ("/hostUsers", json!(false)),
        (
            "/volumes",
            json!([{"name": "v", "hostPath": {"path": "/var/log"}}]),
        ),
        ("/volumes", json!([{"name": "v", "emptyDir": {}}])),
        (
            "/volumes",
            json!([{"name": "v", "configMap": {"name": "c"}}]),
        ),
        (
            "/volumes",
            json!([{"name": "v", "projected": {"sources": []}}]),
        ),
        (
            "/volumes",
            json!([{"name": "v", "persistentVolumeClaim": {"claimName": "c"}}]),
        ),
        (
            "/containers/0/ports",
            json!([{"containerPort": 80, "hostPort": 80}]),
        ),
        ("/containers/0/ports", json!([{"containerPort": 80}])),
        (
            "/initContainers/0/ports",
            json!([{"containerPort": 80, "hostPort": 80}]),
        ),
        (
            "/containers/0/livenessProbe",
            json!({"httpGet": {"port": 80, "host": "10.0.0.1"}}),
        ),
        (
            "/containers/0/readinessProbe",
            json!({"tcpSocket": {"port": 80, "host": "10.0.0.1"}}),
        ),
        (
            "/containers/0/livenessProbe",
            json!({"httpGet": {"port": 80}}),
        ),
        (
            "/containers/0/lifecycle",
            json!({"preStop": {"httpGet": {"port": 80, "host": "10.0.0.1"}}}),
        ),
        ("/securityContext", Value::Null),
        ("/securityContext/runAsNonRoot", Value::Null),
        ("/securityContext/runAsNonRoot", json!(false)),
        ("/securityContext/runAsUser", json!(0)),
        ("/securityContext/runAsUser", json!(1000)),
        ("/securityContext/seccompProfile", Value::Null),
        (
            "/securityContext/seccompProfile",
            json!({"type": "Unconfined"}),
        ),
        (
            "/securityContext/seccompProfile",
            json!({"type": "Localhost", "localhostProfile": "p.json"}),
        ),
        (
            "/securityContext/sysctls",
            json!([{"name": "kernel.msgmax", "value": "1"}]),
        ),
        (
            "/securityContext/sysctls",
            json!([{"name": "net.ipv4.tcp_syncookies", "value": "1"}]),
        ),
        (
            "/securityContext/sysctls",
            json!([{"name": "net.ipv4.tcp_rmem", "value": "4096 87380 1"}]),
        ),
        ("/securityContext/seLinuxOptions", json!({"type": "spc_t"})),
        (
            "/securityContext/seLinuxOptions",
            json!({"type": "container_t"}),
        ),
        (
            "/securityContext/seLinuxOptions",
            json!({"role": "sysadm_r"}),
        ),
        ("/securityContext/seLinuxOptions", json!({"level": "s0:c1"})),
        (
            "/securityContext/appArmorProfile",
            json!({"type": "Unconfined"}),
        ),
        (
            "/securityContext/appArmorProfile",
            json!({"type": "RuntimeDefault"}),
        ),
        ("/securityContext/fsGroup", json!(0)),
        ("/securityContext/supplementalGroups", json!([0])),
        ("/shareProcessNamespace", json!(true)),
        ("/automountServiceAccountToken", json!(false)),
        ("/containers/0/securityContext", Value::Null),
        ("/initContainers/0/securityContext", Value::Null),
    ];
    for place in [container, init] {
        all.extend([
            (place("privileged"), json!(true)),
            (place("privileged"), json!(false)),
            (place("allowPrivilegeEscalation"), Value::Null),
            (place("allowPrivilegeEscalation"), json!(true)),
            (place("capabilities"), Value::Null),
            (place("capabilities"), json!({"drop": ["NET_RAW"]})),
            (
                place("capabilities"),
                json!({"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]}),
            ),
            (
                place("capabilities"),
                json!({"drop": ["ALL"], "add": ["CHOWN"]}),
            ),
            (
                place("capabilities"),
                json!({"drop": ["ALL"], "add": ["SYS_ADMIN"]}),
            ),
            (
                place("capabilities"),
                json!({"drop": ["ALL"], "add": ["NET_RAW"]}),
            ),
            (place("runAsNonRoot"), Value::Null),
            (place("runAsNonRoot"), json!(false)),
            (place("runAsUser"), json!(0)),
            (place("runAsUser"), json!(1000)),
            (place("seccompProfile"), Value::Null),
            (place("seccompProfile"), json!({"type": "Unconfined"})),
            (place("procMount"), json!("Default")),
            (place("readOnlyRootFilesystem"), json!(false)),
            (place("seLinuxOptions"), json!({"user": "system_u"})),
            (place("appArmorProfile"), json!({"type": "Unconfined"})),
        ]);
    }
    all
}

fn put(pod: &mut Value, pointer: &str, value: Value) {
    let (parent, field) = pointer.rsplit_once('/').unwrap();
    let parent = pod.pointer_mut(parent).unwrap().as_object_mut().unwrap();
    match value {
        Value::Null => drop(parent.remove(field)),
        value => drop(parent.insert(field.to_owned(), value)),
    }
}

/// The Pods by name.
fn pods() -> BTreeMap<String, Value> {
    let changes = changes();
    let mut specs: Vec<Value> = vec![good()];
    for (pointer, value) in &changes {
        let mut spec = good();
        put(&mut spec, pointer, value.clone());
        specs.push(spec);
    }
    // Some of two changes, so that what overrides what is tried, too.
    for (number, (pointer, value)) in changes.iter().enumerate().step_by(3) {
        let (other, with) = &changes[(number * 7 + 17) % changes.len()];
        let mut spec = good();
        put(&mut spec, pointer, value.clone());
        if spec.pointer(other.rsplit_once('/').unwrap().0).is_some() {
            put(&mut spec, other, with.clone());
            specs.push(spec);
        }
    }
    let named = specs.into_iter().enumerate();
    named
        .map(|(number, spec)| (format!("pod-{number}"), spec))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn pod_security_agrees_with_the_api_server() {
    let cluster = ControlPlane::start(Options::default()).await.unwrap();
    for level in ["baseline", "restricted"] {
        let yaml = format!(
            "apiVersion: v1\nkind: Namespace\nmetadata: {{name: {level}, labels: {{pod-security.kubernetes.io/enforce: {level}}}}}\n---\napiVersion: v1\nkind: ServiceAccount\nmetadata: {{name: default, namespace: {level}}}\n"
        );
        cluster.apply_yaml(&yaml).await.unwrap().complete().unwrap();
    }
    let client = cluster.client().await.unwrap();
    let dry = PostParams {
        dry_run: true,
        ..PostParams::default()
    };
    let pods = pods();
    assert!(pods.len() >= 60, "{}", pods.len());
    let mut refused: BTreeMap<&str, BTreeSet<&String>> = BTreeMap::new();
    let mut valid: BTreeSet<&String> = BTreeSet::new();
    for (name, spec) in &pods {
        let pod =
            json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec});
        let pod: Pod = serde_json::from_value(pod).unwrap();
        for level in ["baseline", "restricted"] {
            let api: Api<Pod> = Api::namespaced(client.clone(), level);
            match api.create(&dry, &pod).await {
                Ok(_) => drop(valid.insert(name)),
                Err(kube::Error::Api(status))
                    if status.message.contains("violates PodSecurity") =>
                {
                    valid.insert(name);
                    refused.entry(level).or_default().insert(name);
                }
                // What is no Pod at all is no matter of security.
                Err(kube::Error::Api(status)) => {
                    assert_eq!(status.code, 422, "{name}: {}", status.message);
                }
                Err(error) => panic!("{name}: {error}"),
            }
        }
    }
    assert!(valid.len() >= 60, "{} valid pods", valid.len());

    let folder = tempfile::tempdir().unwrap();
    let documents: Vec<String> = pods
        .iter()
        .map(|(name, spec)| {
            let metadata = json!({"name": name, "namespace": "shop"});
            json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec})
                .to_string()
        })
        .collect();
    std::fs::write(folder.path().join("pods.yaml"), documents.join("\n---\n")).unwrap();
    // By default the rule takes a user other than 0 for an answer; the standard does not.
    let card = folder.path().join("strict.card");
    let strict = "extends: platform-stack\nversion: 1.0.0\ndescription: strict\nparams: {wl-non-root: {strict: true}}\n";
    std::fs::write(&card, strict).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_seaworthy"))
        .args(["audit", "-q", "-o", "json", "--only", "wl", "--scorecard"])
        .arg(card)
        .arg("--manifests")
        .arg(folder.path().join("pods.yaml"))
        .output()
        .unwrap();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let mut found: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    for rule in report["rules"].as_array().unwrap() {
        for finding in rule["findings"].as_array().unwrap() {
            let name = finding["name"].as_str().unwrap().to_owned();
            found
                .entry(name)
                .or_default()
                .insert(rule["id"].as_str().unwrap());
        }
    }
    let mut wrong = Vec::new();
    for name in valid {
        let found = found.remove(name).unwrap_or_default();
        let baseline = BASELINE.iter().any(|rule| found.contains(rule));
        let restricted = baseline || RESTRICTED.iter().any(|rule| found.contains(rule));
        for (level, ours) in [("baseline", baseline), ("restricted", restricted)] {
            let theirs = refused.get(level).is_some_and(|names| names.contains(name));
            if ours != theirs {
                let spec = &pods[name];
                wrong.push(format!(
                    "{level}: server refuses: {theirs}, we: {found:?}\n  {spec}"
                ));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{} differ:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}
