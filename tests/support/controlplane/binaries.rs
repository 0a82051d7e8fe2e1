//! Where the control plane's programs come from: `KUBEBUILDER_ASSETS`, or the
//! Go module in `tests/controlplane/`, built on first use.

use std::env;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::Component;

/// The files that decide what the built binary is; their hash names its folder.
const SOURCES: [&str; 3] = ["go.mod", "go.sum", "main.go"];

/// How to start each component.
pub struct Binaries {
    assets: Option<PathBuf>,
    built: Option<PathBuf>,
}

impl Binaries {
    /// Finds the programs for `components`, building them if need be.
    ///
    /// Blocks for as long as the build takes: minutes, when Go's cache is cold.
    pub fn locate(components: &[Component]) -> Result<Self> {
        let assets = env::var_os("KUBEBUILDER_ASSETS")
            .filter(|folder| !folder.is_empty())
            .map(PathBuf::from);
        if let Some(folder) = &assets {
            for component in components.iter().filter(|c| in_assets(**c)) {
                let program = folder.join(component.name());
                if !program.is_file() {
                    bail!(
                        "KUBEBUILDER_ASSETS is set, but there is no {}; add it, or unset the \
                         variable to have the control plane built from tests/controlplane",
                        program.display()
                    );
                }
            }
        }
        let needs_build = assets.is_none() || components.iter().any(|c| !in_assets(*c));
        let built = if needs_build { Some(build()?) } else { None };
        Ok(Self { assets, built })
    }

    /// A command that runs `component`, with no arguments yet.
    pub fn command(&self, component: Component) -> Result<Command> {
        if let Some(folder) = self.assets.as_ref().filter(|_| in_assets(component)) {
            return Ok(Command::new(folder.join(component.name())));
        }
        let mut command = self.built_command()?;
        command
            .arg(component.name())
            .env("CONTROLPLANE_STOP_WITH_STDIN", "1");
        Ok(command)
    }

    /// The stage definitions that kwok is to be configured with.
    pub fn kwok_stages(&self) -> Result<String> {
        let output = self
            .built_command()?
            .arg("kwok-stages")
            .output()
            .context("asking the control plane's binary for kwok's stages")?;
        if !output.status.success() {
            bail!("`controlplane kwok-stages` failed ({})", output.status);
        }
        String::from_utf8(output.stdout).context("kwok's stages are not UTF-8")
    }

    fn built_command(&self) -> Result<Command> {
        let program = self.built.as_ref();
        program
            .map(Command::new)
            .context("the control plane was started without the component that is asked for now")
    }
}

/// kwok is not among the binaries that the envtest tooling installs, and its
/// stages are in the Go module only.
fn in_assets(component: Component) -> bool {
    component != Component::Kwok
}

/// Builds the multi-call binary unless it is there already.
fn build() -> Result<PathBuf> {
    let module = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/controlplane");
    let mut hash = Fnv::default();
    for name in SOURCES {
        let path = module.join(name);
        hash.update(&fs::read(&path).with_context(|| format!("reading {}", path.display()))?);
    }
    let folder = target_directory()
        .join("controlplane")
        .join(format!("{:016x}", hash.0));
    let program = folder.join("controlplane");
    if program.is_file() {
        return Ok(program);
    }

    fs::create_dir_all(&folder).with_context(|| format!("creating {}", folder.display()))?;
    let lock = File::create(folder.join("build.lock"))?;
    lock.lock()
        .context("waiting for the build of the control plane by another test")?;
    if program.is_file() {
        return Ok(program);
    }

    // Built under another name, so that an interrupted build is never taken for a finished one.
    let unfinished = folder.join("controlplane.unfinished");
    eprintln!("building the control plane of the live tests; the first time takes minutes");
    let output = Command::new("go")
        .current_dir(&module)
        .env("CGO_ENABLED", "0")
        .env("GOWORK", "off")
        .args(["build", "-mod=readonly", "-trimpath", "-buildvcs=false"])
        .arg("-ldflags")
        .arg(linker_flags(&fs::read_to_string(module.join("go.mod"))?)?)
        .arg("-o")
        .args([&unfinished, Path::new(".")])
        .output();
    let output = match output {
        Err(error) if error.kind() == io::ErrorKind::NotFound => bail!(
            "the live tests need a real control plane, and there is no `go` to build it with: \
             install Go 1.26 or newer (https://go.dev/dl), or set KUBEBUILDER_ASSETS to a folder \
             that holds etcd, kube-apiserver, kube-controller-manager and kube-scheduler"
        ),
        other => other.context("running `go build`")?,
    };
    if !output.status.success() {
        bail!(
            "`go build` in {} failed ({}); it needs Go 1.26 or newer and, the first time, access \
             to a Go module proxy:\n{}",
            module.display(),
            output.status,
            String::from_utf8_lossy(&output.stderr)
        );
    }
    fs::rename(&unfinished, &program)?;
    Ok(program)
}

/// The servers report the version that they are linked with; without this, `v0.0.0-master`.
fn linker_flags(go_mod: &str) -> Result<String> {
    let version = go_mod
        .lines()
        .find_map(|line| line.trim().strip_prefix("k8s.io/kubernetes v"))
        .context("tests/controlplane/go.mod does not require k8s.io/kubernetes")?;
    let mut parts = version.split('.');
    let (Some(major), Some(minor)) = (parts.next(), parts.next()) else {
        bail!("tests/controlplane/go.mod requires the odd version k8s.io/kubernetes v{version}");
    };
    let package = "k8s.io/component-base/version";
    Ok(format!(
        "-s -w -X {package}.gitVersion=v{version} -X {package}.gitMajor={major} \
         -X {package}.gitMinor={minor} -X {package}.gitTreeState=clean"
    ))
}

/// Cargo tells integration tests and benchmarks where its target directory is.
fn target_directory() -> PathBuf {
    let in_target = option_env!("CARGO_TARGET_TMPDIR").and_then(|tmp| Path::new(tmp).parent());
    match in_target {
        Some(target) => target.to_owned(),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("target"),
    }
}

/// FNV-1a: a folder name that does not change with the Rust release is all it is for.
struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Fnv {
    fn update(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }
}
