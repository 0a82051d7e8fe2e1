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
