//! From options to a client: kubeconfig or service account, credentials, TLS.

use std::{
    path::PathBuf,
    sync::{Arc, OnceLock},
    time::Duration,
};

use http::{HeaderValue, Uri, header::USER_AGENT};
use kube::{
    Client, Config,
    config::{AuthInfo, KubeConfigOptions, Kubeconfig, KubeconfigError},
};

use super::{ClusterError, ClusterOptions, failure, proxy};

/// A client and what to say of it.
#[derive(Clone)]
pub(super) struct Connection {
    pub client: Client,
    /// The server for messages, without credentials.
    pub url: String,
    /// What reports call the cluster: the context, or `in-cluster`.
    pub origin: String,
    /// The command that is run for credentials, if there is one.
    pub command: Option<String>,
    pub notes: Vec<String>,
}

/// Builds a client. No request is sent yet, but a credential plugin may run.
pub(super) async fn connect(options: &ClusterOptions) -> Result<Connection, ClusterError> {
    let handle = tokio::runtime::Handle::current();
    let (done, built) = tokio::sync::oneshot::channel();
    let options = options.clone();
    let patience = options.credentials_timeout;
    let command = Arc::new(OnceLock::new());
    let running = command.clone();
    // Plugins block. They get a thread that nobody waits for at the end of the program, which the
    // runtime's own threads for blocking work would be.
    std::thread::Builder::new()
        .name("credentials".to_owned())
        .spawn(move || {
            let _runtime = handle.enter();
            // The receiver is gone when nobody waits any longer.
            let _ = done.send(build(&options, &running));
        })
        .map_err(|error| ClusterError::Kubeconfig {
            path: None,
            reason: error.to_string(),
        })?;
    match tokio::time::timeout(patience, built).await {
        Ok(Ok(connection)) => connection,
        Ok(Err(_)) => Err(ClusterError::Kubeconfig {
            path: None,
            reason: "the client could not be built".to_owned(),
        }),
        Err(_) => Err(ClusterError::CredentialPlugin {
            command: command.get().cloned().unwrap_or_default(),
            reason: format!("it did not end within {patience:?}"),
        }),
    }
}

/// Builds the client; tells which command is about to be run for credentials.
fn build(options: &ClusterOptions, running: &OnceLock<String>) -> Result<Connection, ClusterError> {
    let (config, origin) = match kubeconfig(options)? {
        Some((kubeconfig, path)) => from_kubeconfig(kubeconfig, path, options)?,
        None => (in_cluster()?, "in-cluster".to_owned()),
    };
    let url = shown_url(&config.cluster_url);
    let mut notes = Vec::new();
    let auth = &config.auth_info;
    let command = command(auth);
    if let Some(command) = &command {
        if !options.allow_exec {
            return Err(ClusterError::ExecRefused {
                command: command.clone(),
            });
        }
        // Set once: the cell is new.
        let _ = running.set(command.clone());
    }
    if config.cluster_url.scheme_str() == Some("http")
        && has_secret(auth)
        && !is_loopback(&config.cluster_url)
    {
        return Err(ClusterError::PlainHttp { url });
    }
    if config.accept_invalid_certs {
        notes
            .push("the server's certificate was not checked (insecure-skip-tls-verify)".to_owned());
    }
    let url = match &config.proxy_url {
        Some(proxy) => format!("{url} (through {})", shown_url(proxy)),
        None => url,
    };
    let client = client(config, options, command.as_deref())?;
    Ok(Connection {
        client,
        url,
        origin,
        command,
        notes,
    })
}

/// Builds a client for any server by its URL, which may carry a user and a password.
pub(super) fn to_url(
    text: &str,
    token: Option<String>,
    options: &ClusterOptions,
) -> Result<Connection, ClusterError> {
    let unusable = |reason: &str| ClusterError::Address {
        reason: reason.to_owned(),
    };
    // The text may hold a password, so messages do not repeat it.
    let mut url = url::Url::parse(text).map_err(|error| unusable(&error.to_string()))?;
    if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
        return Err(unusable("it is no http or https URL"));
    }
    let mut auth = AuthInfo {
        token: token.map(Into::into),
        ..AuthInfo::default()
    };
    if !url.username().is_empty() {
        auth.username = Some(url.username().to_owned());
        auth.password = Some(url.password().unwrap_or_default().to_owned().into());
        let cleared = url.set_username("").and_then(|()| url.set_password(None));
        cleared.map_err(|()| unusable("its user cannot be taken out"))?;
    }
    url.set_query(None);
    url.set_fragment(None);
    let uri: Uri = url.as_str().parse().map_err(|_| unusable("it is no URL"))?;
    let shown = shown_url(&uri);
    if url.scheme() == "http" && has_secret(&auth) && !is_loopback(&uri) {
        return Err(ClusterError::PlainHttp { url: shown });
    }
    let mut config = Config::new(uri);
    config.auth_info = auth;
    Ok(Connection {
        client: client(config, options, None)?,
        url: shown.clone(),
        origin: shown,
        command: None,
        notes: Vec::new(),
    })
}

/// The client of a configuration, with our own deadlines and no retries but ours.
fn client(
    mut config: Config,
    options: &ClusterOptions,
    command: Option<&str>,
) -> Result<Client, ClusterError> {
    config.connect_timeout = Some(options.connect_timeout);
    config.read_timeout = Some(options.read_timeout);
    config.write_timeout = Some(options.read_timeout);
    // Otherwise the time that a pooled connection was idle counts as silence.
    config.reset_reader_on_write = true;
    // One policy for retries, ours: kube's can sleep for as long as a server asks for.
    config.default_retry = false;
    // A server answers browsers and curl with indented JSON, twice the size.
    let agent = concat!("seaworthy/", env!("CARGO_PKG_VERSION"));
    config
        .headers
        .push((USER_AGENT, HeaderValue::from_static(agent)));

    Client::try_from(config).map_err(|error| match error {
        kube::Error::Auth(error) => ClusterError::CredentialPlugin {
            command: command.unwrap_or_default().to_owned(),
            reason: failure::plugin_failure(&error),
        },
        // These errors quote no credentials.
        error @ (kube::Error::RustlsTls(_)
        | kube::Error::ProxyProtocolUnsupported { .. }
        | kube::Error::TlsRequired) => ClusterError::Kubeconfig {
            path: options.kubeconfig.clone(),
            reason: failure::shown(&error.to_string()),
        },
        _ => ClusterError::Kubeconfig {
            path: options.kubeconfig.clone(),
            reason: "no client can be built from it".to_owned(),
        },
    })
}

/// The kubeconfig to use and the file it is in, if it is one file; nothing to use the service
/// account.
fn kubeconfig(
    options: &ClusterOptions,
) -> Result<Option<(Kubeconfig, Option<PathBuf>)>, ClusterError> {
    let read = |path: PathBuf| match Kubeconfig::read_from(&path) {
        Ok(kubeconfig) => Ok(Some((kubeconfig, Some(path)))),
        Err(error) => Err(unusable(error, Some(path))),
    };
    if let Some(path) = &options.kubeconfig {
        return read(path.clone());
    }
    // Like kubectl, and unlike kube, files of the list that do not exist are passed over.
    let listed = std::env::var_os("KUBECONFIG").unwrap_or_default();
    let listed: Vec<PathBuf> = std::env::split_paths(&listed)
        .filter(|path| !path.as_os_str().is_empty())
        .collect();
    if !listed.is_empty() {
        let mut merged: Option<Kubeconfig> = None;
        for path in listed.iter().filter(|path| path.exists()) {
            let next =
                Kubeconfig::read_from(path).map_err(|error| unusable(error, Some(path.clone())))?;
            merged = Some(match merged {
                None => next,
                Some(earlier) => earlier
                    .merge(next)
                    .map_err(|error| unusable(error, Some(path.clone())))?,
            });
        }
        return match merged {
            Some(kubeconfig) => Ok(Some((
                kubeconfig,
                (listed.len() == 1).then(|| listed[0].clone()),
            ))),
            None => Err(ClusterError::NoKubeconfig {
                tried: "none of the files in KUBECONFIG exists".to_owned(),
            }),
        };
    }
    let default = std::env::home_dir().map(|home| home.join(".kube/config"));
    match default.filter(|path| path.exists()) {
        Some(path) => read(path),
        None if options.context.is_some() => Err(ClusterError::NoKubeconfig {
            tried:
                "a context needs a kubeconfig, and neither KUBECONFIG nor ~/.kube/config is there"
                    .to_owned(),
        }),
        None => Ok(None),
    }
}

fn in_cluster() -> Result<Config, ClusterError> {
    Config::incluster().map_err(|_| ClusterError::NoKubeconfig {
        tried: "there is no --kubeconfig, no KUBECONFIG, no ~/.kube/config, and no service account of a pod".to_owned(),
    })
}

fn from_kubeconfig(
    kubeconfig: Kubeconfig,
    path: Option<PathBuf>,
    options: &ClusterOptions,
) -> Result<(Config, String), ClusterError> {
    let context = match options
        .context
        .clone()
        .or_else(|| kubeconfig.current_context.clone())
    {
        Some(context) if !context.is_empty() => context,
        _ => {
            return Err(ClusterError::Kubeconfig {
                path,
                reason: format!(
                    "it has no current context; choose one with --context: {}",
                    contexts(&kubeconfig)
                ),
            });
        }
    };
    if !kubeconfig
        .contexts
        .iter()
        .any(|named| named.name == context)
    {
        return Err(ClusterError::NoContext {
            context,
            known: contexts(&kubeconfig),
        });
    }
    let chosen = KubeConfigOptions {
        context: Some(context.clone()),
        cluster: None,
        user: None,
    };
    // A proxy that the kubeconfig itself names is always used, as kubectl does.
    let own_proxy = kubeconfig
        .contexts
        .iter()
        .find(|named| named.name == context)
        .and_then(|named| {
            let cluster = &named.context.as_ref()?.cluster;
            let mut clusters = kubeconfig.clusters.iter();
            let named = clusters.find(|named| named.name == *cluster)?;
            named.cluster.as_ref()?.proxy_url.clone()
        })
        .is_some_and(|proxy| !proxy.is_empty());
    // The future does nothing but compute.
    let mut config =
        futures::executor::block_on(Config::from_custom_kubeconfig(kubeconfig, &chosen))
            .map_err(|error| unusable(error, path))?;
    let no_proxy = ["NO_PROXY", "no_proxy"]
        .into_iter()
        .find_map(|name| std::env::var(name).ok())
        .unwrap_or_default();
    if !own_proxy && proxy::is_exempt(&config.cluster_url, &no_proxy) {
        config.proxy_url = None;
    }
    Ok((config, context))
}

fn contexts(kubeconfig: &Kubeconfig) -> String {
    let names: Vec<&str> = kubeconfig
        .contexts
        .iter()
        .map(|named| &*named.name)
        .collect();
    if names.is_empty() {
        "none".to_owned()
    } else {
        names.join(", ")
    }
}

/// What is wrong with a kubeconfig, without its text: the YAML library quotes the lines around a
/// fault, and they can hold a token.
fn unusable(error: KubeconfigError, path: Option<PathBuf>) -> ClusterError {
    let reason = match error {
        KubeconfigError::ReadConfig(error, _) => error.to_string(),
        KubeconfigError::Parse(error) => match error.location() {
            Some(at) => format!(
                "it is not a kubeconfig (line {}, column {})",
                at.line(),
                at.column()
            ),
            None => "it is not a kubeconfig".to_owned(),
        },
        KubeconfigError::LoadClusterOfContext(cluster) => format!("it has no cluster `{cluster}`"),
        KubeconfigError::LoadCertificateAuthority(_) => {
            "its certificate-authority cannot be read".to_owned()
        }
        KubeconfigError::LoadClientCertificate(_) => {
            "its client-certificate cannot be read".to_owned()
        }
        KubeconfigError::LoadClientKey(_) => "its client-key cannot be read".to_owned(),
        KubeconfigError::ParseCertificates(_) => "its certificates are not PEM".to_owned(),
        KubeconfigError::ParseProxyUrl(_) => "its proxy-url is not a URL".to_owned(),
        KubeconfigError::ParseClusterUrl(_) => "its server is not a URL".to_owned(),
        KubeconfigError::MissingClusterUrl => "its cluster names no server".to_owned(),
        _ => "it cannot be used".to_owned(),
    };
    ClusterError::Kubeconfig { path, reason }
}

/// The command that would be run for credentials, if there is one.
fn command(auth: &AuthInfo) -> Option<String> {
    let exec = auth
        .exec
        .as_ref()
        .map(|exec| exec.command.clone().unwrap_or_default());
    exec.or_else(|| auth.auth_provider.as_ref()?.config.get("cmd-path").cloned())
}

fn has_secret(auth: &AuthInfo) -> bool {
    auth.token.is_some()
        || auth.token_file.is_some()
        || auth.password.is_some()
        || auth.exec.is_some()
        || auth.auth_provider.is_some()
}

fn is_loopback(url: &Uri) -> bool {
    let host = url.host().unwrap_or_default().trim_matches(['[', ']']);
    host == "localhost"
        || host
            .parse()
            .is_ok_and(|ip: std::net::IpAddr| ip.is_loopback())
}

/// A URL without its userinfo.
fn shown_url(url: &Uri) -> String {
    let scheme = url.scheme_str().unwrap_or("https");
    let host = url.host().unwrap_or_default();
    let port = url
        .port_u16()
        .map(|port| format!(":{port}"))
        .unwrap_or_default();
    let path = url.path().trim_end_matches('/');
    failure::shown(&format!("{scheme}://{host}{port}{path}"))
}

/// The longest time that an answer to the first request may take, connecting included.
pub(super) fn probe_timeout(options: &ClusterOptions) -> Duration {
    options.connect_timeout + options.read_timeout
}
