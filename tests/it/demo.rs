//! The demo is captured from a real control plane, and anyone can capture it again.

use std::path::{Path, PathBuf};

use crate::controlplane::{ControlPlane, Options};

/// Applies the fixtures of the demo and waits until the cluster has settled.
pub async fn start_demo() -> anyhow::Result<ControlPlane> {
    let cluster = ControlPlane::start(Options::everything()).await?;
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    cluster
        .apply_yaml(include_str!("../support/crds.yaml"))
        .await?
        .complete()?;
    cluster.add_nodes("node", 3).await?;
    cluster
        .apply_path(&root.join("fixtures/manifests/demo"))
        .await?
        .complete()?;
    settle(&cluster).await?;
    Ok(cluster)
}

/// Waits until Deployments that can be scheduled have their pods running.
async fn settle(cluster: &ControlPlane) -> anyhow::Result<()> {
    use k8s_openapi::api::core::v1::Pod;
    use kube::api::{Api, ListParams};
    let pods: Api<Pod> = Api::all(cluster.client().await?);
    let mut before = 0;
    let mut quiet = 0;
    for _ in 0..240 {
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
        let list = pods.list(&ListParams::default()).await?.items;
        let running = list
            .iter()
            .filter(|pod| {
                let phase = pod
                    .status
                    .as_ref()
                    .and_then(|status| status.phase.as_deref());
                matches!(phase, Some("Running" | "Succeeded"))
            })
            .count();
        quiet = if running == before && running > 50 {
            quiet + 1
        } else {
            0
        };
        before = running;
        if quiet >= 6 {
            return Ok(());
        }
    }
    anyhow::bail!("the demo does not settle: {before} pods run")
}

/// Captures `fixtures/snapshots/demo.snap` anew: `cargo test --test it demo::capture -- --ignored`.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "writes fixtures/snapshots/demo.snap; run it when the fixtures or the rules' fields change"]
async fn capture() {
    let cluster = start_demo().await.unwrap();
    let file: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/snapshots/demo.snap");
    let status = std::process::Command::new(env!("CARGO_BIN_EXE_seaworthy"))
        .args(["snapshot", "--full", "--kubeconfig"])
        .arg(cluster.kubeconfig_path())
        .arg("-o")
        .arg(&file)
        .status()
        .unwrap();
    assert!(status.success());
}

/// Starts a control plane with the manifests in `MANIFESTS` (paths joined by `:`; the demo's where
/// it is not set), prints its kubeconfig and keeps it running while the file `HOLD` names exists:
/// `HOLD=/tmp/hold cargo test --test it demo::hold -- --ignored --nocapture`.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "runs until the file that HOLD names is removed; for trying things by hand"]
async fn hold() {
    let hold = PathBuf::from(std::env::var_os("HOLD").unwrap());
    let cluster = match std::env::var("MANIFESTS") {
        Err(_) => start_demo().await.unwrap(),
        Ok(paths) => {
            let cluster = ControlPlane::start(Options::everything()).await.unwrap();
            let crds = include_str!("../support/crds.yaml");
            cluster.apply_yaml(crds).await.unwrap().complete().unwrap();
            cluster.add_nodes("node", 3).await.unwrap();
            for path in paths.split(':') {
                println!("{}", cluster.apply_path(Path::new(path)).await.unwrap());
            }
            tokio::time::sleep(std::time::Duration::from_secs(5)).await;
            cluster
        }
    };
    std::fs::copy(cluster.kubeconfig_path(), &hold).unwrap();
    println!("kubeconfig: {}", hold.display());
    while hold.exists() {
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    }
}
