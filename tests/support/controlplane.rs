//! A real Kubernetes control plane for tests and benchmarks, as in design.md §13.
//!
//! ```ignore
//! #[path = "../support/controlplane.rs"]
//! mod controlplane;
//!
//! let cluster = ControlPlane::start(Options::default()).await?;
//! cluster.apply_yaml(include_str!("../support/crds.yaml")).await?.complete()?;
//! let kubeconfig = cluster.service_account_kubeconfig("audit", "seaworthy").await?;
//! ```
//!
//! Every control plane has its own ports, certificates and data, so tests can
//! run in parallel. All of it ends when the value is dropped. A value that is
//! never dropped (in a `static`, or because the test was killed) ends with the
//! process, as far as the binaries are those built from `tests/controlplane`.

#![allow(
    dead_code,
    unused_imports,
    reason = "each test binary uses another part of this"
)]

#[path = "controlplane/apply.rs"]
mod apply;
#[path = "controlplane/binaries.rs"]
mod binaries;
#[path = "controlplane/certificates.rs"]
mod certificates;

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use kube::Client;
use kube::api::{Api, DynamicObject, PostParams};
use kube::config::{Config, KubeConfigOptions, Kubeconfig};
use kube::core::GroupVersionKind;
use kube::discovery::ApiResource;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::time::{Instant, sleep, timeout_at};

pub use apply::ApplyReport;
use binaries::Binaries;
use certificates::{Authority, Identity};

/// How long anything may take on a busy machine.
const DEADLINE: Duration = Duration::from_secs(60);
const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// Where ports are taken from: below the range that Linux and macOS hand out to
/// outgoing connections, so that nothing takes one between our look and the bind.
const PORTS: std::ops::Range<u16> = 20_000..32_000;

/// What to run besides etcd and the API server, and how.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Makes Deployments have pods, namespaces have service accounts, and so on.
    pub controller_manager: bool,
    /// Gives pods a node.
    pub scheduler: bool,
    /// Makes nodes ready and scheduled pods run, without a kubelet.
    pub kwok: bool,
    /// Records every request; see [`ControlPlane::audit_log`].
    pub audit_log: bool,
    /// Further flags for the API server, such as `--feature-gates=…`.
    pub api_server_args: Vec<String>,
}

impl Options {
    /// Everything: workloads that are applied reach `Running` once there is a node.
    pub fn everything() -> Self {
        Self {
            controller_manager: true,
            scheduler: true,
            kwok: true,
            ..Self::default()
        }
    }

    fn components(&self) -> Vec<Component> {
        let optional = [
            (self.controller_manager, Component::ControllerManager),
            (self.scheduler, Component::Scheduler),
            (self.kwok, Component::Kwok),
        ];
        [Component::Etcd, Component::ApiServer]
            .into_iter()
            .chain(optional.into_iter().filter(|(on, _)| *on).map(|(_, c)| c))
            .collect()
    }
}

/// A program of the control plane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Component {
    Etcd,
    ApiServer,
    ControllerManager,
    Scheduler,
    Kwok,
}

impl Component {
    /// The program's name, which is also the multi-call binary's first argument.
    pub fn name(self) -> &'static str {
        match self {
            Self::Etcd => "etcd",
            Self::ApiServer => "kube-apiserver",
            Self::ControllerManager => "kube-controller-manager",
            Self::Scheduler => "kube-scheduler",
            Self::Kwok => "kwok",
        }
    }
}

/// A running control plane.
pub struct ControlPlane {
    // Fields are dropped in order: the processes end before their folder goes.
    processes: Mutex<Vec<Process>>,
    options: Options,
    binaries: Binaries,
    files: Files,
    etcd_port: Port,
    // etcd insists on a peer address even where there are no peers.
    etcd_peer_port: Port,
    api_port: Port,
    folder: TempDir,
}

impl ControlPlane {
    /// Starts the components and waits until they serve.
    ///
    /// Builds the binaries first when they are missing.
    ///
    /// # Errors
    /// Tells what to install when the binaries cannot be had, and quotes the
    /// last log lines of a component that ended or was not ready in time.
    pub async fn start(options: Options) -> Result<Self> {
        let components = options.components();
        let binaries = tokio::task::spawn_blocking(move || Binaries::locate(&components)).await??;
        let folder = tempfile::Builder::new()
            .prefix("seaworthy-controlplane-")
            .tempdir()?;
        let api_port = Port::reserve()?;
        let files = Files::write(folder.path(), api_port.number)?;

        let cluster = Self {
            processes: Mutex::default(),
            options,
            binaries,
            files,
            etcd_port: Port::reserve()?,
            etcd_peer_port: Port::reserve()?,
            api_port,
            folder,
        };
        cluster.start_etcd()?;
        cluster.start_apiserver().await?;
        if cluster.options.controller_manager {
            cluster.start_controller_manager().await?;
        }
        if cluster.options.scheduler {
            cluster.start_scheduler()?;
        }
        if cluster.options.kwok {
            cluster.start_kwok()?;
        }
        cluster.check_alive()?;
        Ok(cluster)
    }

    /// The port on 127.0.0.1 that the API server listens on, over TLS.
    pub fn api_port(&self) -> u16 {
        self.api_port.number
    }

    /// The certificate authority that vouches for the API server, as a PEM file.
    pub fn ca_path(&self) -> &Path {
        &self.files.ca
    }

    /// The administrator's kubeconfig (group `system:masters`: RBAC does not apply).
    pub fn kubeconfig_path(&self) -> &Path {
        &self.files.admin
    }

    /// A client with the administrator's rights.
    ///
    /// Its connections live on the current tokio runtime, so that tests that
    /// share a control plane take a client each.
    pub async fn client(&self) -> Result<Client> {
        client_for(&self.files.admin).await
    }

    /// Writes a kubeconfig that authenticates with a bearer token.
    pub fn kubeconfig_for_token(&self, token: &str) -> Result<PathBuf> {
        let (_, path) = tempfile::Builder::new()
            .prefix("token-")
            .suffix(".kubeconfig")
            .tempfile_in(self.folder.path())?
            .keep()?;
        let user = format!("token: {token}");
        write_kubeconfig(&path, self.api_port(), &self.files.ca, &user)?;
        Ok(path)
    }

    /// Writes a kubeconfig with a fresh token of a service account; the account
    /// and its namespace are created if they are missing.
    pub async fn service_account_kubeconfig(&self, namespace: &str, name: &str) -> Result<PathBuf> {
        let account = json!({
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": {"name": name, "namespace": namespace},
        });
        self.apply_yaml(&account.to_string()).await?.complete()?;

        let request = json!({
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "spec": {"expirationSeconds": 3600},
        });
        let response: Value = core_api(self.client().await?, "ServiceAccount", Some(namespace))
            .create_subresource("token", name, &PostParams::default(), &request)
            .await
            .with_context(|| format!("requesting a token for {namespace}/{name}"))?;
        let token = response["status"]["token"]
            .as_str()
            .context("the token response has no token")?;
        self.kubeconfig_for_token(token)
    }

    /// Creates `count` nodes `<prefix>-0…`, which kwok makes ready, and waits until they are.
    pub async fn add_nodes(&self, prefix: &str, count: usize) -> Result<()> {
        if !self.options.kwok {
            bail!("nodes get ready only with Options::kwok");
        }
        let nodes = (0..count).map(|i| node(&format!("{prefix}-{i}"))).collect();
        self.create_objects_raw(nodes).await?;
        let api = core_api(self.client().await?, "Node", None);
        for i in 0..count {
            let name = format!("{prefix}-{i}");
            let ready = || async {
                let node = api.get_opt(&name).await.ok().flatten();
                node.is_some_and(|node| condition_is_true(&node.data, "Ready"))
            };
            self.wait_for(Component::Kwok, &format!("node {name} to be ready"), ready)
                .await?;
        }
        Ok(())
    }

    /// The audit events (`audit.k8s.io/v1`) so far, oldest first; one per request
    /// and stage `ResponseComplete`, at level `Metadata`.
    ///
    /// The components' own requests are among them: filter by `user.username`.
    pub fn audit_log(&self) -> Result<Vec<Value>> {
        if !self.options.audit_log {
            bail!("this control plane was started without Options::audit_log");
        }
        let path = self.folder.path().join("audit.log");
        let text =
            fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
        text.lines()
            .map(|line| serde_json::from_str(line).context("parsing an audit event"))
            .collect()
    }

    /// The last lines that a component logged.
    pub fn log_tail(&self, component: Component) -> String {
        const LINES: usize = 30;
        let bytes = fs::read(self.log_path(component)).unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes);
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(LINES)..].join("\n")
    }

    /// Kills the API server, as an outage does: open connections are cut.
    pub fn stop_apiserver(&self) {
        self.processes()
            .retain(|process| process.component != Component::ApiServer);
    }

    /// Starts the API server, again after [`Self::stop_apiserver`], on the same
    /// port and data, and waits until it is ready. Does nothing while it runs.
    pub async fn start_apiserver(&self) -> Result<()> {
        let is_apiserver = |process: &Process| process.component == Component::ApiServer;
        if self.processes().iter().any(is_apiserver) {
            return Ok(());
        }
        let mut command = self.binaries.command(Component::ApiServer)?;
        command
            .arg(format!(
                "--etcd-servers=http://127.0.0.1:{}",
                self.etcd_port.number
            ))
            .arg(format!("--secure-port={}", self.api_port.number))
            .arg("--bind-address=127.0.0.1")
            .arg(flag("tls-cert-file", &self.files.server.certificate))
            .arg(flag("tls-private-key-file", &self.files.server.key))
            .arg(flag("client-ca-file", &self.files.ca))
            .arg(flag(
                "service-account-signing-key-file",
                &self.files.token_key,
            ))
            .arg(flag(
                "service-account-key-file",
                &self.files.token_public_key,
            ))
            .arg("--service-account-issuer=https://kubernetes.default.svc")
            .arg("--service-cluster-ip-range=10.96.0.0/16")
            .arg("--authorization-mode=Node,RBAC")
            .arg("--allow-privileged=true")
            // The loopback address may not be an endpoint of the service `kubernetes`.
            .arg("--endpoint-reconciler-type=none")
            // Services are no hosts here, so an APIService is reached at its endpoints.
            .arg("--enable-aggregator-routing=true")
            .arg("--profiling=false");
        if !self.options.controller_manager {
            // Nobody makes the default service accounts that this plugin asks of every pod.
            command.arg("--disable-admission-plugins=ServiceAccount");
        }
        if self.options.audit_log {
            let log = self.folder.path().join("audit.log");
            command
                .arg(flag("audit-policy-file", &self.files.audit_policy))
                .arg(flag("audit-log-path", &log))
                // A request that was answered is in the log.
                .arg("--audit-log-mode=blocking");
        }
        command.args(&self.options.api_server_args);
        self.spawn(Component::ApiServer, command)?;

        let client = self.client().await?;
        let ready = || async {
            let request = http::Request::get("/readyz").body(Vec::new());
            match request {
                Ok(request) => client.request_text(request).await.is_ok(),
                Err(_) => false,
            }
        };
        self.wait_for(Component::ApiServer, "the API server to be ready", ready)
            .await
    }

    fn start_etcd(&self) -> Result<()> {
        let client_url = format!("http://127.0.0.1:{}", self.etcd_port.number);
        let peer_url = format!("http://127.0.0.1:{}", self.etcd_peer_port.number);
        let mut command = self.binaries.command(Component::Etcd)?;
        command
            .arg(flag("data-dir", &self.folder.path().join("etcd")))
            .arg(format!("--listen-client-urls={client_url}"))
            .arg(format!("--advertise-client-urls={client_url}"))
            .arg(format!("--listen-peer-urls={peer_url}"))
            .arg(format!("--initial-advertise-peer-urls={peer_url}"))
            .arg(format!("--initial-cluster=default={peer_url}"))
            .arg("--log-level=warn")
            // The data does not outlive the test, let alone a power cut.
            .arg("--unsafe-no-fsync");
        self.spawn(Component::Etcd, command)
    }

    async fn start_controller_manager(&self) -> Result<()> {
        let mut command =
            self.controller_command(Component::ControllerManager, &self.files.controller_manager)?;
        command
            .arg(flag(
                "service-account-private-key-file",
                &self.files.token_key,
            ))
            .arg(flag("root-ca-file", &self.files.ca))
            .arg("--use-service-account-credentials=true");
        self.spawn(Component::ControllerManager, command)?;

        self.wait_for_service_account("default").await
    }

    /// Waits until the controller manager has made a namespace usable: pods need its account.
    async fn wait_for_service_account(&self, namespace: &str) -> Result<()> {
        let accounts = core_api(self.client().await?, "ServiceAccount", Some(namespace));
        let exists = || async {
            let account = accounts.get_opt("default").await;
            account.is_ok_and(|account| account.is_some())
        };
        let what = format!("the default service account of {namespace}");
        self.wait_for(Component::ControllerManager, &what, exists)
            .await
    }

    fn start_scheduler(&self) -> Result<()> {
        let command = self.controller_command(Component::Scheduler, &self.files.scheduler)?;
        self.spawn(Component::Scheduler, command)
    }

    fn start_kwok(&self) -> Result<()> {
        let stages = self.folder.path().join("kwok-stages.yaml");
        fs::write(&stages, self.binaries.kwok_stages()?)?;
        let mut command = self.binaries.command(Component::Kwok)?;
        command
            .arg(flag("kubeconfig", &self.files.kwok))
            .arg(flag("config", &stages))
            .arg("--manage-all-nodes=true")
            // Renews the nodes' leases, without which they turn NotReady after a while.
            .arg("--node-lease-duration-seconds=40");
        self.spawn(Component::Kwok, command)
    }

    /// What the controller manager and the scheduler have in common.
    fn controller_command(&self, component: Component, kubeconfig: &Path) -> Result<Command> {
        let mut command = self.binaries.command(component)?;
        command
            .arg(flag("kubeconfig", kubeconfig))
            .arg("--leader-elect=false")
            .arg("--secure-port=0")
            // The defaults spare a production API server; here they are all that is waited for.
            .args(["--kube-api-qps=1000", "--kube-api-burst=2000"]);
        Ok(command)
    }

    fn spawn(&self, component: Component, mut command: Command) -> Result<()> {
        // Appended to: after a restart, what led to it is still there.
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.log_path(component))?;
        let child = command
            .current_dir(self.folder.path())
            // Nothing of the developer's own configuration, such as ~/.kwok, takes part.
            .env("HOME", self.folder.path())
            .stdin(Stdio::piped())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .with_context(|| {
                format!(
                    "starting {} ({})",
                    component.name(),
                    command.get_program().display()
                )
            })?;
        self.processes().push(Process { component, child });
        Ok(())
    }

    /// Polls until `holds`; fails when a component ends meanwhile, or after the
    /// deadline with what the `responsible` component logged last.
    async fn wait_for<Answer>(
        &self,
        responsible: Component,
        what: &str,
        holds: impl Fn() -> Answer,
    ) -> Result<()>
    where
        // An `AsyncFn` would keep callers' futures from being Send.
        Answer: Future<Output = bool>,
    {
        let deadline = Instant::now() + DEADLINE;
        // The deadline also cuts off a server that accepts the request and never answers.
        while !timeout_at(deadline, holds()).await.unwrap_or(false) {
            self.check_alive()?;
            if Instant::now() >= deadline {
                let seconds = DEADLINE.as_secs();
                return Err(self.failure(responsible, &format!("waited {seconds} s for {what}")));
            }
            sleep(POLL_INTERVAL).await;
        }
        Ok(())
    }

    fn check_alive(&self) -> Result<()> {
        for process in self.processes().iter_mut() {
            if let Some(status) = process.child.try_wait()? {
                let component = process.component;
                let what = format!("{} ended with {status}", component.name());
                return Err(self.failure(component, &what));
            }
        }
        Ok(())
    }

    fn failure(&self, component: Component, what: &str) -> anyhow::Error {
        anyhow::anyhow!(
            "{what}; the last lines that {} logged:\n{}",
            component.name(),
            self.log_tail(component)
        )
    }

    fn processes(&self) -> MutexGuard<'_, Vec<Process>> {
        // A test that panicked while it held the lock left the list whole.
        self.processes
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn log_path(&self, component: Component) -> PathBuf {
        self.folder.path().join(format!("{}.log", component.name()))
    }
}

/// A running component; killed, and waited for, when it is dropped.
///
/// The children stay in the test's process group, so that Ctrl-C and a test
/// runner's group kill reach them too.
struct Process {
    component: Component,
    child: Child,
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself; there is nobody to tell either way.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A port that no other control plane takes as long as this value lives.
struct Port {
    number: u16,
    _reservation: File,
}

impl Port {
    /// Finds a port that nobody listens on and no other test has reserved.
    ///
    /// To bind it for a moment is not enough: parallel tests would find the same
    /// one. A lock on a file named after the port holds across processes.
    fn reserve() -> Result<Self> {
        // Tests start their search at different places, which is quicker than the same.
        let offset = std::process::id().wrapping_mul(37) as usize % PORTS.len();
        for number in PORTS.skip(offset).chain(PORTS.take(offset)) {
            let path = std::env::temp_dir().join(format!("seaworthy-port-{number}.lock"));
            // Another user's file: a port of theirs.
            let Ok(file) = File::create(&path) else {
                continue;
            };
            if file.try_lock().is_ok() && std::net::TcpListener::bind(("127.0.0.1", number)).is_ok()
            {
                return Ok(Self {
                    number,
                    _reservation: file,
                });
            }
        }
        bail!("no port is free between {} and {}", PORTS.start, PORTS.end)
    }
}

/// What the components are configured with, written before they start.
struct Files {
    ca: PathBuf,
    server: Identity,
    token_key: PathBuf,
    token_public_key: PathBuf,
    audit_policy: PathBuf,
    admin: PathBuf,
    controller_manager: PathBuf,
    scheduler: PathBuf,
    kwok: PathBuf,
}

impl Files {
    fn write(folder: &Path, api_port: u16) -> Result<Self> {
        let authority = Authority::new(folder)?;
        let kubeconfig = |file: &str, user: &str, group: Option<&str>| -> Result<PathBuf> {
            let Identity { certificate, key } = authority.client(file, user, group)?;
            let path = folder.join(format!("{file}.kubeconfig"));
            let user = format!("client-certificate: {certificate:?}\n    client-key: {key:?}");
            write_kubeconfig(&path, api_port, &authority.certificate(), &user)?;
            Ok(path)
        };
        let audit_policy = folder.join("audit-policy.yaml");
        fs::write(&audit_policy, AUDIT_POLICY)?;
        let (token_key, token_public_key) = authority.service_account_keys()?;
        Ok(Self {
            ca: authority.certificate(),
            server: authority.server("kube-apiserver")?,
            token_key,
            token_public_key,
            audit_policy,
            admin: kubeconfig("admin", "seaworthy-test-admin", Some("system:masters"))?,
            controller_manager: kubeconfig(
                "kube-controller-manager",
                "system:kube-controller-manager",
                None,
            )?,
            scheduler: kubeconfig("kube-scheduler", "system:kube-scheduler", None)?,
            // kwok impersonates kubelets; no built-in role allows that.
            kwok: kubeconfig("kwok", "kwok", Some("system:masters"))?,
        })
    }
}

const AUDIT_POLICY: &str = "\
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived, ResponseStarted]
rules:
- level: Metadata
";

fn write_kubeconfig(path: &Path, api_port: u16, ca: &Path, user: &str) -> Result<()> {
    let text = format!(
        "apiVersion: v1
kind: Config
current-context: test
contexts:
- name: test
  context:
    cluster: test
    user: test
clusters:
- name: test
  cluster:
    server: https://127.0.0.1:{api_port}
    certificate-authority: {ca:?}
users:
- name: test
  user:
    {user}
"
    );
    fs::write(path, text).with_context(|| format!("writing {}", path.display()))
}

async fn client_for(kubeconfig: &Path) -> Result<Client> {
    let kubeconfig_file = Kubeconfig::read_from(kubeconfig)?;
    let mut config =
        Config::from_custom_kubeconfig(kubeconfig_file, &KubeConfigOptions::default()).await?;
    // The developer's proxy cannot reach this machine's loopback address.
    config.proxy_url = None;
    Ok(Client::try_from(config)?)
}

/// An API of the core group, which needs no discovery.
fn core_api(client: Client, kind: &str, namespace: Option<&str>) -> Api<DynamicObject> {
    let resource = ApiResource::from_gvk(&GroupVersionKind::gvk("", "v1", kind));
    match namespace {
        Some(namespace) => Api::namespaced_with(client, namespace, &resource),
        None => Api::all_with(client, &resource),
    }
}

/// A worker as kwok manages it.
fn node(name: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": name,
            "annotations": {"kwok.x-k8s.io/node": "fake"},
            "labels": {"kubernetes.io/hostname": name, "kubernetes.io/os": "linux"},
        },
        "status": {
            "allocatable": {"cpu": "64", "memory": "256Gi", "pods": "1000"},
            "capacity": {"cpu": "64", "memory": "256Gi", "pods": "1000"},
        },
    })
}

fn condition_is_true(object: &Value, condition: &str) -> bool {
    let conditions = object["status"]["conditions"].as_array();
    conditions.is_some_and(|conditions| {
        let is_true = |c: &Value| c["type"] == condition && c["status"] == "True";
        conditions.iter().any(is_true)
    })
}

fn flag(name: &str, path: &Path) -> String {
    format!("--{name}={}", path.display())
}
