//! How one request can fail, and whether trying again helps.

use std::{
    error::Error as StdError,
    hash::{BuildHasher, RandomState},
    io,
    time::Duration,
};

use tokio::time::Instant;

use super::{super::decode::PageError, error::TlsProblem};
use crate::model::{Unreadable, UnreadableCause, Untrusted};

/// How one request failed. Texts are safe to show and hold no bodies.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Failure {
    #[error("{0}")]
    Connect(String),
    #[error("{problem} ({detail})")]
    Tls { problem: TlsProblem, detail: String },
    #[error("the credentials could not be renewed: {0}")]
    Credentials(String),
    #[error("the answer broke off: {0}")]
    Broken(String),
    #[error("no answer within {0:?}")]
    Timeout(Duration),
    #[error("the server answered {code}{}{message}", if message.is_empty() { "" } else { ": " })]
    Status {
        code: u16,
        message: String,
        retry_after: Option<Duration>,
    },
    #[error("{0}")]
    Malformed(String),
    #[error("{0}")]
    TooLarge(String),
    /// The token of the next page is too old: the list must start over.
    #[error("the list changed while it was read, twice")]
    Expired,
    /// A page came out different when it was asked for again: the list must start over.
    #[error("the list changed while it was read, again and again")]
    Changed,
    #[error("it was not complete after {0:?}")]
    Deadline(Duration),
}

/// Most times one request is sent.
pub(super) const TRIES: u32 = 4;
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

impl Failure {
    /// What a connection's or body's error means.
    pub(super) fn of(error: &(dyn StdError + 'static)) -> Failure {
        let mut connecting = false;
        let mut innermost = error.to_string();
        let mut timed_out = false;
        let mut next = Some(error);
        while let Some(error) = next {
            // The error of a plugin quotes what it printed, which can be a token.
            if let Some(auth) = error.downcast_ref::<kube::client::AuthError>() {
                return Failure::Credentials(plugin_failure(auth));
            }
            if let Some(io) = error.downcast_ref::<io::Error>() {
                timed_out |= io.kind() == io::ErrorKind::TimedOut;
            }
            innermost = error.to_string();
            connecting |= innermost.starts_with("client error (Connect)");
            next = error.source();
        }
        let detail = shown(&innermost);
        if let Some(problem) = tls_problem(&innermost) {
            return Failure::Tls { problem, detail };
        }
        match (connecting, timed_out) {
            (true, true) => Failure::Connect("no answer to the attempt to connect".to_owned()),
            (true, false) => Failure::Connect(detail),
            (false, true) => Failure::Broken("it stalled".to_owned()),
            (false, false) => Failure::Broken(detail),
        }
    }

    /// Whether the same request may succeed later.
    pub(super) fn is_transient(&self) -> bool {
        match self {
            Failure::Connect(_) | Failure::Broken(_) | Failure::Timeout(_) => true,
            Failure::Status { code, .. } => matches!(code, 408 | 429 | 500 | 502..=504),
            _ => false,
        }
    }

    /// The status code, if the server has answered.
    pub(super) fn code(&self) -> Option<u16> {
        match self {
            Failure::Status { code, .. } => Some(*code),
            _ => None,
        }
    }

    /// What the failure says of the list that it ended.
    pub(super) fn unreadable(&self) -> Unreadable {
        let cause = match self {
            Failure::Status { code: 401, .. } | Failure::Credentials(_) => {
                UnreadableCause::Unauthorized
            }
            Failure::Status { code: 403, .. } => UnreadableCause::Forbidden,
            Failure::Status {
                code: 429 | 500..=599,
                ..
            }
            | Failure::Connect(_)
            | Failure::Tls { .. } => UnreadableCause::Unavailable,
            Failure::Status { code: 408, .. } | Failure::Timeout(_) | Failure::Deadline(_) => {
                UnreadableCause::Timeout
            }
            Failure::TooLarge(_) => UnreadableCause::TooLarge,
            Failure::Status { .. }
            | Failure::Broken(_)
            | Failure::Malformed(_)
            | Failure::Expired
            | Failure::Changed => UnreadableCause::Malformed,
        };
        // The server's own words are the best there is for what it forbids.
        let detail = match self {
            Failure::Status {
                code: 403, message, ..
            } if !message.is_empty() => message.clone(),
            other => other.to_string(),
        };
        Unreadable {
            cause,
            detail: detail.into(),
        }
    }
}

impl From<PageError> for Failure {
    fn from(error: PageError) -> Self {
        match error {
            PageError::Truncated(_) => Failure::Broken(error.to_string()),
            PageError::Malformed(_) => Failure::Malformed(error.to_string()),
            PageError::TooLarge { .. } => Failure::TooLarge(error.to_string()),
        }
    }
}

/// How a credential plugin failed, without what it printed.
pub(super) fn plugin_failure(error: &kube::client::AuthError) -> String {
    use kube::client::AuthError;
    match error {
        AuthError::AuthExecStart(error) => format!("it could not be started: {}", error.kind()),
        AuthError::AuthExecRun { out, .. } => format!("it ended with {}", out.status),
        AuthError::AuthExecParse(_) | AuthError::ExecPluginFailed => {
            "what it printed is not an ExecCredential".to_owned()
        }
        AuthError::ReadTokenFile(error, path) => {
            format!(
                "the token file {} cannot be read: {}",
                path.display(),
                error.kind()
            )
        }
        AuthError::MissingCommand => "the kubeconfig names no command".to_owned(),
        AuthError::InvalidBearerToken(_) => "the token is not a valid header".to_owned(),
        _ => "no credentials were obtained".to_owned(),
    }
}

/// The certificate problem that an error of the TLS library names. Its error type is not reachable
/// through kube's public types, hence its words.
fn tls_problem(text: &str) -> Option<TlsProblem> {
    if text.starts_with("received fatal alert") || text.starts_with("received corrupt message") {
        return Some(TlsProblem::Other);
    }
    let reason = text.split_once("invalid peer certificate: ")?.1;
    Some(
        if reason.starts_with("certificate expired") || reason == "Expired" {
            TlsProblem::Expired
        } else if reason.starts_with("certificate not valid yet") || reason == "NotValidYet" {
            TlsProblem::NotYetValid
        } else if reason.contains("UnknownIssuer") {
            TlsProblem::UnknownAuthority
        } else if reason.starts_with("certificate not valid for name")
            || reason == "NotValidForName"
        {
            TlsProblem::WrongHost
        } else {
            TlsProblem::Other
        },
    )
}

/// Somebody else's text on one line, harmless and not too long.
pub(super) fn shown(text: &str) -> String {
    const MOST: usize = 300;
    let mut shown = Untrusted::from(text).visible();
    if let Some((end, _)) = shown.char_indices().nth(MOST) {
        shown.truncate(end);
        shown.push('…');
    }
    shown
}

/// Counts the tries of one request.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    failed: u32,
}

impl Backoff {
    /// How long to pause before the next try; `None` if there should be none, because the failure
    /// is final, enough was tried, or the deadline would pass.
    pub(super) fn pause(&mut self, failure: &Failure, deadline: Instant) -> Option<Duration> {
        self.failed += 1;
        if !failure.is_transient() || self.failed >= TRIES {
            return None;
        }
        let step = Duration::from_millis(200 << self.failed.min(6));
        // A fresh hasher is seeded at random: enough to keep clients from moving in step.
        let jitter = (RandomState::new().hash_one(self.failed) % 256) as u32;
        let own = step * (256 + jitter) / 512;
        let pause = match failure {
            Failure::Status {
                retry_after: Some(asked),
                ..
            } => (*asked).max(own),
            _ => own,
        }
        .min(LONGEST_PAUSE);
        (Instant::now() + pause < deadline).then_some(pause)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn certificate_problems_are_told_apart() {
        let cases = [
            (
                "invalid peer certificate: certificate expired: verification time 2 (UNIX), but …",
                TlsProblem::Expired,
            ),
            (
                "invalid peer certificate: UnknownIssuer",
                TlsProblem::UnknownAuthority,
            ),
            (
                "invalid peer certificate: certificate not valid for name \"a\"; certificate is only valid for b",
                TlsProblem::WrongHost,
            ),
            (
                "invalid peer certificate: certificate not valid yet: …",
                TlsProblem::NotYetValid,
            ),
            ("invalid peer certificate: BadSignature", TlsProblem::Other),
        ];
        for (text, problem) in cases {
            assert_eq!(tls_problem(text), Some(problem), "{text}");
        }
        assert_eq!(tls_problem("connection refused"), None);
    }

    #[test]
    fn pauses_are_bounded_whatever_the_server_asks_for() {
        let soon = Instant::now() + Duration::from_secs(100);
        let busy = Failure::Status {
            code: 429,
            message: String::new(),
            retry_after: Some(Duration::from_secs(86_400)),
        };
        let mut backoff = Backoff::default();
        assert_eq!(backoff.pause(&busy, soon), Some(LONGEST_PAUSE));
        assert_eq!(
            backoff.pause(&busy, Instant::now() + Duration::from_secs(5)),
            None
        );

        let broken = Failure::Broken("x".to_owned());
        let mut backoff = Backoff::default();
        for _ in 1..TRIES {
            let pause = backoff.pause(&broken, soon).unwrap();
            assert!(pause <= Duration::from_secs(2), "{pause:?}");
        }
        assert_eq!(backoff.pause(&broken, soon), None);
        assert_eq!(
            Backoff::default().pause(&Failure::Malformed("x".to_owned()), soon),
            None
        );
    }

    #[test]
    fn what_a_plugin_printed_is_never_shown() {
        let output = std::process::Command::new("sh")
            .args(["-c", "echo hunter2; echo hunter2 >&2; exit 3"])
            .output()
            .unwrap();
        let error = kube::Error::Auth(kube::client::AuthError::AuthExecRun {
            cmd: "plugin --password hunter2".to_owned(),
            out: Box::new(output),
        });
        let failure = Failure::of(&error).to_string();
        assert!(
            failure.contains("exit status: 3") && !failure.contains("hunter2"),
            "{failure}"
        );
    }
}
