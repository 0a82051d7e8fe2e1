//! Why a cluster could not be read at all.

use std::{fmt, path::PathBuf, time::Duration};

/// What is wrong with a server's certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsProblem {
    /// It has expired.
    Expired,
    /// It is not valid yet; often a wrong clock.
    NotYetValid,
    /// No authority that we trust has signed it.
    UnknownAuthority,
    /// It is for another host.
    WrongHost,
    /// Anything else that ends a handshake.
    Other,
}

impl fmt::Display for TlsProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            TlsProblem::Expired => "the server's certificate has expired",
            TlsProblem::NotYetValid => {
                "the server's certificate is not valid yet; check this machine's clock"
            }
            TlsProblem::UnknownAuthority => {
                "the server's certificate is signed by an unknown authority; check the kubeconfig's certificate-authority"
            }
            TlsProblem::WrongHost => {
                "the server's certificate is for another host; check the kubeconfig's server or tls-server-name"
            }
            TlsProblem::Other => "the TLS handshake failed",
        })
    }
}

/// Why a cluster could not be read at all. No variant holds credentials or what a credential plugin
/// printed.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// There is no configuration to connect with.
    #[error("no cluster to read: {tried}")]
    NoKubeconfig {
        /// Where it was looked for.
        tried: String,
    },
    /// A kubeconfig cannot be used.
    #[error("kubeconfig {}: {reason}", path.as_ref().map_or("".into(), |path| path.display().to_string()))]
    Kubeconfig {
        /// The file, if it is one.
        path: Option<PathBuf>,
        /// What is wrong with it.
        reason: String,
    },
    /// The kubeconfig has no such context.
    #[error("the kubeconfig has no context `{context}`; it has {known}")]
    NoContext {
        /// The context asked for.
        context: String,
        /// Those that are there.
        known: String,
    },
    /// The kubeconfig would run a command, and that is not allowed.
    #[error("the kubeconfig runs `{command}` for credentials, which is not allowed here")]
    ExecRefused {
        /// The command, without its arguments.
        command: String,
    },
    /// The credential plugin did not yield credentials.
    #[error("the credential plugin `{command}` failed: {reason}")]
    CredentialPlugin {
        /// The command, without its arguments.
        command: String,
        /// How it ended. What it printed is not shown, since that can be a token.
        reason: String,
    },
    /// A URL cannot be used. It is not repeated, since it may hold a password.
    #[error("the URL cannot be used: {reason}")]
    Address {
        /// What is wrong with it.
        reason: String,
    },
    /// Credentials would go over the network in the clear.
    #[error("{url} is plain HTTP: credentials are not sent there")]
    PlainHttp {
        /// The server.
        url: String,
    },
    /// No connection.
    #[error("cannot connect to {url}: {reason} (gave up after {:.1} s)", waited.as_secs_f64())]
    Unreachable {
        /// The server, and the proxy if there is one.
        url: String,
        /// What was tried and why it failed.
        reason: String,
        /// How long it took.
        waited: Duration,
    },
    /// The server's certificate is not accepted.
    #[error("cannot connect to {url}: {problem} ({detail})")]
    Tls {
        /// The server.
        url: String,
        /// The class of the problem.
        problem: TlsProblem,
        /// The problem in the words of the TLS library.
        detail: String,
    },
    /// The server does not accept the credentials (401).
    #[error("{url} does not accept the credentials (401); they may have expired")]
    Unauthorized {
        /// The server.
        url: String,
    },
    /// The server answers, but not as a Kubernetes API server that works.
    #[error("{url} does not answer as a Kubernetes API server: {reason}")]
    NoApi {
        /// The server.
        url: String,
        /// What it did.
        reason: String,
    },
}
