//! Times a whole audit against the physical limit: the raw LIST of the same kinds, drained and not
//! decoded, in the same run and on the same API server.
//!
//! `cargo bench --bench audit -- 10000` loads that many pods with their status into a control plane
//! of its own and prints wall time, CPU time, peak memory and the ratio to the raw LIST.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a benchmark prints its figures"
)]

#[path = "../tests/support/controlplane.rs"]
mod controlplane;

use std::{
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use controlplane::{ControlPlane, Options};
use futures::AsyncReadExt;
use serde_json::{Value, json};

/// Runs of each measurement; the median is printed.
const RUNS: usize = 5;

fn main() {
    let pods = std::env::args()
        .skip(1)
        .find_map(|argument| argument.parse().ok())
        .unwrap_or(1_000);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(measure(pods));
}

async fn measure(pods: usize) {
    let cluster = ControlPlane::start(Options::default()).await.unwrap();
    let crds = include_str!("../tests/support/crds.yaml");
    cluster.apply_yaml(crds).await.unwrap().complete().unwrap();
    load(&cluster, pods).await;
    let kubeconfig = cluster
        .service_account_kubeconfig("bench", "auditor")
        .await
        .unwrap();
    grant(&cluster).await;

    let mut drains = Vec::new();
    let mut bytes = 0;
    let mut audits = Vec::new();
    for _ in 0..RUNS {
        let (time, drained) = drain(&kubeconfig).await;
        drains.push(time);
        bytes = drained;
        audits.push(audit(&kubeconfig));
    }
    drains.sort();
    audits.sort_by_key(|run| run.wall);
    let (drain, audit) = (drains[RUNS / 2], &audits[RUNS / 2]);
    println!("pods                         {pods}");
    println!(
        "raw LIST of the same kinds   {:.2} s, {:.0} MB",
        drain.as_secs_f64(),
        bytes as f64 / 1e6
    );
    println!(
        "audit                        {:.2} s wall, {:.2} s CPU, {} MB peak",
        audit.wall.as_secs_f64(),
        audit.cpu,
        audit.peak_kib / 1024
    );
    println!(
        "ratio to the raw LIST        {:.2}",
        audit.wall.as_secs_f64() / drain.as_secs_f64()
    );
}

/// Loads pods with realistic specs, status and managedFields, and their workloads.
async fn load(cluster: &ControlPlane, pods: usize) {
    let namespaces: Vec<String> = (0..20).map(|n| format!("team-{n:02}")).collect();
    let mut objects: Vec<Value> = namespaces
        .iter()
        .map(|name| json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}))
        .collect();
    for node in 0..(pods / 100).max(3) {
        objects.push(json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": format!("node-{node}"),
            "labels": {"kubernetes.io/hostname": format!("node-{node}"), "topology.kubernetes.io/zone": format!("zone-{}", node % 3)}},
            "status": {"allocatable": {"cpu": "16", "memory": "64Gi", "pods": "110"}, "capacity": {"cpu": "16", "memory": "64Gi", "pods": "110"},
                "conditions": [{"type": "Ready", "status": "True", "lastHeartbeatTime": "2026-01-01T00:00:00Z", "lastTransitionTime": "2026-01-01T00:00:00Z"}],
                "nodeInfo": {"kubeletVersion": "v1.36.3", "architecture": "amd64", "bootID": "b", "containerRuntimeVersion": "c", "kernelVersion": "k", "kubeProxyVersion": "", "machineID": "m", "operatingSystem": "linux", "osImage": "o", "systemUUID": "s"}}}));
    }
    cluster.create_objects_raw(objects).await.unwrap();
    let mut objects = Vec::new();
    for at in 0..pods.div_ceil(5) {
        let namespace = &namespaces[at % namespaces.len()];
        let name = format!("service-{at:05}");
        objects.push(json!({"apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": name, "namespace": namespace, "labels": labels(&name)},
            "spec": {"replicas": 5, "selector": {"matchLabels": {"app": name}}, "template": template(&name, at)},
            "status": {"replicas": 5, "readyReplicas": 5, "availableReplicas": 5, "updatedReplicas": 5, "observedGeneration": 1}}));
        objects.push(json!({"apiVersion": "apps/v1", "kind": "ReplicaSet",
            "metadata": {"name": format!("{name}-7c9"), "namespace": namespace, "labels": labels(&name), "ownerReferences": [owner("Deployment", &name)]},
            "spec": {"replicas": 5, "selector": {"matchLabels": {"app": name}}, "template": template(&name, at)},
            "status": {"replicas": 5, "readyReplicas": 5, "observedGeneration": 1}}));
        for replica in 0..5.min(pods - (at * 5).min(pods)) {
            objects.push(pod(namespace, &name, at, replica));
        }
    }
    for chunk in objects.chunks(20_000) {
        cluster.create_objects_raw(chunk.to_vec()).await.unwrap();
    }
}

fn labels(name: &str) -> Value {
    json!({"app": name, "app.kubernetes.io/name": name, "app.kubernetes.io/part-of": "bench", "team": "a"})
}

fn owner(kind: &str, name: &str) -> Value {
    json!({"apiVersion": "apps/v1", "kind": kind, "name": name, "uid": "00000000-0000-0000-0000-000000000000", "controller": true})
}

/// Half of the workloads are hardened, half are not; each has a sidecar and an environment.
fn template(name: &str, at: usize) -> Value {
    let good = at.is_multiple_of(2);
    let env: Vec<Value> = (0..20)
        .map(|n| json!({"name": format!("SETTING_{n}"), "value": format!("value-{n}-of-some-length")}))
        .collect();
    let container = |container: &str| {
        let mut value = json!({"name": container, "image": format!("registry.example.com/{name}/{container}:1.{at}"),
            "args": ["--listen", ":8080", "--log-format=json"], "env": env,
            "ports": [{"name": "http", "containerPort": 8080}],
            "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}]});
        if good {
            value["resources"] = json!({"requests": {"cpu": "50m", "memory": "64Mi"}, "limits": {"memory": "128Mi"}});
            value["securityContext"] = json!({"allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true, "capabilities": {"drop": ["ALL"]}});
            value["readinessProbe"] = json!({"httpGet": {"path": "/ready", "port": "http"}});
            value["livenessProbe"] = json!({"httpGet": {"path": "/live", "port": "http"}});
        }
        value
    };
    json!({"metadata": {"labels": labels(name), "annotations": {"prometheus.io/scrape": "true", "checksum/config": "d".repeat(64)}},
        "spec": {"securityContext": if good { json!({"runAsNonRoot": true, "seccompProfile": {"type": "RuntimeDefault"}}) } else { json!({}) },
            "containers": [container("main"), container("proxy")],
            "volumes": [{"name": "tmp", "emptyDir": {}}]}})
}

fn pod(namespace: &str, name: &str, at: usize, replica: usize) -> Value {
    let mut pod = template(name, at);
    pod["apiVersion"] = json!("v1");
    pod["kind"] = json!("Pod");
    pod["metadata"]["name"] = json!(format!("{name}-7c9-{replica}"));
    pod["metadata"]["namespace"] = json!(namespace);
    pod["metadata"]["ownerReferences"] = json!([owner("ReplicaSet", &format!("{name}-7c9"))]);
    pod["spec"]["nodeName"] = json!(format!("node-{}", (at + replica) % 3));
    let status = |container: &str| {
        json!({"name": container, "ready": true, "restartCount": 0, "started": true,
        "image": "registry.example.com/x:1", "imageID": format!("registry.example.com/x@sha256:{}", "a".repeat(64)),
        "containerID": format!("containerd://{}", "b".repeat(64)), "state": {"running": {"startedAt": "2026-01-01T00:00:00Z"}}, "lastState": {}})
    };
    let conditions: Vec<Value> = ["Initialized", "Ready", "ContainersReady", "PodScheduled"]
        .into_iter()
        .map(|kind| json!({"type": kind, "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z"}))
        .collect();
    pod["status"] = json!({"phase": "Running", "podIP": "10.0.0.1", "hostIP": "10.1.0.1", "startTime": "2026-01-01T00:00:00Z",
        "conditions": conditions,
        "containerStatuses": [status("main"), status("proxy")]});
    pod
}

async fn grant(cluster: &ControlPlane) {
    let role = Command::new(env!("CARGO_BIN_EXE_seaworthy"))
        .arg("rbac")
        .output()
        .unwrap();
    let manifests = format!(
        "{}\n---\napiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRoleBinding\nmetadata: {{name: seaworthy}}\nroleRef: {{apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: seaworthy}}\nsubjects: [{{kind: ServiceAccount, name: auditor, namespace: bench}}]\n",
        String::from_utf8(role.stdout).unwrap()
    );
    cluster
        .apply_yaml(&manifests)
        .await
        .unwrap()
        .complete()
        .unwrap();
}

/// Drains the raw LISTs of the kinds that an audit reads, one request a kind, four at a time.
async fn drain(kubeconfig: &Path) -> (Duration, u64) {
    let config = kube::config::Kubeconfig::read_from(kubeconfig).unwrap();
    let options = kube::config::KubeConfigOptions::default();
    let config = kube::Config::from_custom_kubeconfig(config, &options)
        .await
        .unwrap();
    let client = kube::Client::try_from(config).unwrap();
    let paths = [
        "/api/v1/pods",
        "/apis/apps/v1/replicasets",
        "/apis/apps/v1/deployments",
        "/apis/apps/v1/statefulsets",
        "/apis/apps/v1/daemonsets",
        "/apis/batch/v1/jobs",
        "/apis/batch/v1/cronjobs",
        "/api/v1/services",
        "/api/v1/nodes",
        "/api/v1/namespaces",
        "/apis/discovery.k8s.io/v1/endpointslices",
        "/api/v1/persistentvolumeclaims",
    ];
    let started = Instant::now();
    let bytes: Vec<u64> = futures::StreamExt::collect(futures::StreamExt::buffer_unordered(
        futures::stream::iter(paths.map(|path| {
            let client = client.clone();
            async move {
                let request = http::Request::get(path).body(Vec::new()).unwrap();
                let mut body = Box::pin(client.request_stream(request).await.unwrap());
                let (mut buffer, mut bytes) = (vec![0; 1 << 16], 0);
                loop {
                    match body.read(&mut buffer).await.unwrap() {
                        0 => break bytes,
                        read => bytes += read as u64,
                    }
                }
            }
        })),
        4,
    ))
    .await;
    (started.elapsed(), bytes.iter().sum())
}

struct Run {
    wall: Duration,
    cpu: f64,
    peak_kib: u64,
}

/// Runs the audit as its user does, under GNU time for CPU and memory.
fn audit(kubeconfig: &Path) -> Run {
    let started = Instant::now();
    let output = Command::new("/usr/bin/time")
        .args([
            "-f",
            "%U %S %M",
            env!("CARGO_BIN_EXE_seaworthy"),
            "audit",
            "-q",
            "-o",
            "json",
            "--kubeconfig",
        ])
        .arg(kubeconfig)
        .output()
        .expect("GNU time is needed: install the package time");
    let wall = started.elapsed();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let figures = String::from_utf8_lossy(&output.stderr).into_owned();
    let figures: Vec<f64> = figures
        .lines()
        .last()
        .unwrap()
        .split(' ')
        .filter_map(|word| word.parse().ok())
        .collect();
    Run {
        wall,
        cpu: figures[0] + figures[1],
        peak_kib: figures[2] as u64,
    }
}
