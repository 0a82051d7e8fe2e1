//! The one place where requests are made. All of them are GET.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::BodyExt;
use jiff::{Timestamp, fmt::rfc2822};
use kube::client::Body;
use serde::Deserialize;
use tokio::{
    sync::{RwLock, Semaphore, SemaphorePermit},
    time::{Instant, timeout, timeout_at},
};

use super::{
    ClusterError, ClusterOptions,
    connect::{self, Connection},
    failure::{Backoff, Failure, shown},
};

/// Plain JSON.
pub(super) const JSON: &str = "application/json";

/// Largest answer that is not a list.
const MAX_ANSWER: usize = 32 << 20;
/// Largest error message that is looked at.
const MAX_MESSAGE: usize = 64 << 10;

/// Sends requests to one server, a bounded number at a time.
pub(super) struct Http {
    /// How often the credentials were renewed, and the client that has them.
    client: RwLock<(u32, kube::Client)>,
    url: String,
    command: Option<String>,
    options: ClusterOptions,
    permits: Semaphore,
    /// The server has asked for less.
    strained: AtomicBool,
}

/// A whole answer.
pub(super) struct Answer {
    pub bytes: Bytes,
    pub server_time: Option<Timestamp>,
}

/// What the first request found out.
#[derive(Debug, Default)]
pub(super) struct Probe {
    pub version: Option<Arc<str>>,
    pub platform: Option<Arc<str>>,
    pub server_time: Option<Timestamp>,
}

/// A request that would not only read objects.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a request that reads objects")]
pub(super) struct Refused(String);

/// Lets pass what only reads objects: GET of anything but Secrets and the subresources that act
/// on, reach into or speak for what they belong to.
pub(super) fn guard(method: &Method, path: &str) -> Result<(), Refused> {
    const ACTING: [&str; 9] = [
        "exec",
        "attach",
        "portforward",
        "proxy",
        "log",
        "token",
        "eviction",
        "binding",
        "ephemeralcontainers",
    ];
    let refused = || Err(Refused(shown(&format!("{method} {path}"))));
    let steps: Vec<&str> = path.split('/').filter(|step| !step.is_empty()).collect();
    if method != Method::GET
        || steps
            .iter()
            .any(|step| step.contains(['%', '?', '#']) || *step == "..")
    {
        return refused();
    }
    // What comes after the version and the namespace: resource, name, subresource, …
    let (core, resource) = match steps[..] {
        ["api", _, "namespaces", _, ref rest @ ..] if !rest.is_empty() => (true, rest),
        ["api", _, ref rest @ ..] => (true, rest),
        ["apis", _, _, "namespaces", _, ref rest @ ..] if !rest.is_empty() => (false, rest),
        ["apis", _, _, ref rest @ ..] => (false, rest),
        _ => return Ok(()),
    };
    // What a Prometheus behind the server answers to questions is read, too.
    let asks = core
        && matches!(resource[..], ["services", _, "proxy", .., "api", "v1", question]
            if ["query", "rules", "targets"].contains(&question));
    let acts = resource
        .get(2)
        .is_some_and(|subresource| ACTING.contains(subresource) && !asks);
    if acts || (core && resource.first() == Some(&"secrets")) {
        return refused();
    }
    Ok(())
}

impl Http {
    pub(super) fn new(connection: Connection, options: &ClusterOptions) -> Self {
        Http {
            client: RwLock::new((0, connection.client)),
            url: connection.url,
            command: connection.command,
            permits: Semaphore::new(options.concurrency.max(1)),
            options: options.clone(),
            strained: AtomicBool::new(false),
        }
    }

    /// The server, for messages.
    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// Whether the server has asked for fewer requests (429).
    pub(super) fn is_strained(&self) -> bool {
        self.strained.load(Ordering::Relaxed)
    }

    /// The right to have one request under way.
    pub(super) async fn permit(&self) -> Result<SemaphorePermit<'_>, Failure> {
        let closed = |_| Failure::Broken("the collection has ended".to_owned());
        self.permits.acquire().await.map_err(closed)
    }

    /// Sends one request and waits for the head of the answer. Any other status than 200 is a
    /// failure, redirects included: they would carry the credentials elsewhere.
    pub(super) async fn get(
        &self,
        path: &str,
        query: &str,
        accept: &str,
    ) -> Result<Response<Body>, Failure> {
        let malformed = |error: &dyn std::fmt::Display| Failure::Malformed(error.to_string());
        guard(&Method::GET, path).map_err(|error| malformed(&error))?;
        let uri = if query.is_empty() {
            path.to_owned()
        } else {
            format!("{path}?{query}")
        };
        let mut renewed = false;
        loop {
            let request = Request::get(&uri)
                .header(header::ACCEPT, accept)
                .body(Body::empty())
                .map_err(|error| malformed(&error))?;
            let (generation, client) = self.client.read().await.clone();
            let patience = self.options.connect_timeout + self.options.read_timeout;
            let response = timeout(patience, client.send(request))
                .await
                .map_err(|_| Failure::Timeout(patience))?
                .map_err(|error| Failure::of(&error))?;
            let status = response.status();
            tracing::debug!(path, status = status.as_u16(), "answered");
            if status == StatusCode::OK {
                return Ok(response);
            }
            if status == StatusCode::UNAUTHORIZED && !renewed && self.renew(generation).await {
                renewed = true;
                continue;
            }
            if status == StatusCode::TOO_MANY_REQUESTS {
                self.strained.store(true, Ordering::Relaxed);
            }
            return Err(self.refusal(response).await);
        }
    }

    /// Gets new credentials, once in a collection. Whether a request should be sent again.
    async fn renew(&self, generation: u32) -> bool {
        let mut client = self.client.write().await;
        if client.0 > generation {
            return true;
        }
        if generation > 0 {
            return false;
        }
        match connect::connect(&self.options).await {
            Ok(connection) => {
                *client = (generation + 1, connection.client);
                true
            }
            Err(_) => {
                // Nobody needs to try again.
                client.0 = generation + 1;
                false
            }
        }
    }

    /// An answer that is not 200.
    async fn refusal(&self, response: Response<Body>) -> Failure {
        #[derive(Deserialize)]
        struct Status {
            #[serde(default, alias = "error")]
            message: String,
        }
        let code = response.status().as_u16();
        let retry_after = response
            .headers()
            .get(header::RETRY_AFTER)
            .and_then(|value| value.to_str().ok()?.trim().parse().ok())
            .map(Duration::from_secs);
        if response.status().is_redirection() {
            return Failure::Malformed(format!(
                "the server answered {code}, a redirect, which is not followed"
            ));
        }
        let body = timeout(
            self.options.read_timeout,
            read(response.into_body(), MAX_MESSAGE),
        )
        .await;
        let message = match body {
            Ok(Ok(bytes)) => serde_json::from_slice::<Status>(&bytes)
                .map(|status| shown(&status.message))
                .unwrap_or_default(),
            _ => String::new(),
        };
        Failure::Status {
            code,
            message,
            retry_after,
        }
    }

    /// Reads one answer whole, trying again what can pass by itself.
    pub(super) async fn get_bytes(
        &self,
        path: &str,
        query: &str,
        accept: &str,
        deadline: Instant,
    ) -> Result<Answer, Failure> {
        let mut backoff = Backoff::default();
        loop {
            let failure = match timeout_at(deadline, self.get_once(path, query, accept)).await {
                Ok(Ok(answer)) => return Ok(answer),
                Ok(Err(failure)) => failure,
                Err(_) => return Err(Failure::Deadline(self.options.total_deadline)),
            };
            match backoff.pause(&failure, deadline) {
                Some(pause) => tokio::time::sleep(pause).await,
                None => return Err(failure),
            }
        }
    }

    async fn get_once(&self, path: &str, query: &str, accept: &str) -> Result<Answer, Failure> {
        let _permit = self.permit().await?;
        let response = self.get(path, query, accept).await?;
        let server_time = server_time(&response);
        let patience = self.options.read_timeout;
        let bytes = timeout(patience, read(response.into_body(), MAX_ANSWER))
            .await
            .map_err(|_| Failure::Timeout(patience))??;
        Ok(Answer { bytes, server_time })
    }

    /// The first request: whether there is a server at all. A server that cannot be reached is not
    /// tried again, so that a wrong address is told at once.
    pub(super) async fn probe(&self, deadline: Instant) -> Result<Probe, ClusterError> {
        #[derive(Deserialize, Default)]
        #[serde(default, rename_all = "camelCase")]
        struct Version {
            git_version: Option<Arc<str>>,
            platform: Option<Arc<str>>,
        }
        let started = Instant::now();
        let deadline = deadline.min(started + connect::probe_timeout(&self.options));
        let mut backoff = Backoff::default();
        let failure = loop {
            let failure = match timeout_at(deadline, self.get_once("/version", "", JSON)).await {
                Ok(Ok(answer)) => {
                    let version: Version =
                        serde_json::from_slice(&answer.bytes).unwrap_or_default();
                    return Ok(Probe {
                        version: version.git_version,
                        platform: version.platform,
                        server_time: answer.server_time,
                    });
                }
                Ok(Err(failure)) => failure,
                Err(_) => break Failure::Timeout(started.elapsed()),
            };
            if matches!(failure, Failure::Connect(_) | Failure::Timeout(_)) {
                break failure;
            }
            match backoff.pause(&failure, deadline) {
                Some(pause) => tokio::time::sleep(pause).await,
                None => break failure,
            }
        };
        match failure {
            // It answers. Discovery will tell whether it is of use.
            Failure::Status { code, .. } if code != 401 => Ok(Probe::default()),
            failure => Err(self.fatal(&failure, started)),
        }
    }

    /// What a failure means where nothing can be read without the answer.
    pub(super) fn fatal(&self, failure: &Failure, started: Instant) -> ClusterError {
        let url = self.url.clone();
        match failure {
            Failure::Status { code: 401, .. } => ClusterError::Unauthorized { url },
            Failure::Tls { problem, detail } => ClusterError::Tls {
                url,
                problem: *problem,
                detail: detail.clone(),
            },
            Failure::Credentials(reason) => ClusterError::CredentialPlugin {
                command: self.command.clone().unwrap_or_default(),
                reason: reason.clone(),
            },
            Failure::Connect(_)
            | Failure::Timeout(_)
            | Failure::Deadline(_)
            | Failure::Broken(_) => ClusterError::Unreachable {
                url,
                reason: failure.to_string(),
                waited: started.elapsed(),
            },
            other => ClusterError::NoApi {
                url,
                reason: other.to_string(),
            },
        }
    }
}

/// A body of at most so many bytes.
async fn read(mut body: Body, most: usize) -> Result<Bytes, Failure> {
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| Failure::of(&error))?;
        if let Ok(data) = frame.into_data() {
            if bytes.len() + data.len() > most {
                return Err(Failure::TooLarge(format!(
                    "the answer is larger than {most} bytes"
                )));
            }
            bytes.extend_from_slice(&data);
        }
    }
    Ok(bytes.into())
}

/// The server's clock when it answered.
fn server_time(response: &Response<Body>) -> Option<Timestamp> {
    let date = response.headers().get(header::DATE)?.to_str().ok()?;
    Some(rfc2822::parse(date).ok()?.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_reading_passes() {
        for path in [
            "/version",
            "/apis",
            "/api/v1/pods",
            "/api/v1/namespaces",
            "/api/v1/namespaces/kube-system",
            "/api/v1/namespaces/secrets/pods",
            "/api/v1/namespaces/log/configmaps",
            "/apis/apps/v1/namespaces/proxy/deployments",
            "/apis/example.com/v1/tokens",
            "/apis/example.com/v1/secrets",
        ] {
            assert_eq!(guard(&Method::GET, path), Ok(()), "{path}");
            for method in [
                Method::POST,
                Method::PUT,
                Method::PATCH,
                Method::DELETE,
                Method::HEAD,
            ] {
                assert!(guard(&method, path).is_err(), "{method} {path}");
            }
        }
        for path in [
            "/api/v1/secrets",
            "/api/v1/namespaces/a/secrets",
            "/api/v1/namespaces/a/secrets/b",
            "/api/v1/namespaces/a/pods/b/exec",
            "/api/v1/namespaces/a/pods/b/attach",
            "/api/v1/namespaces/a/pods/b/portforward",
            "/api/v1/namespaces/a/pods/b/log",
            "/api/v1/namespaces/a/pods/b/proxy/x/y",
            "/api/v1/namespaces/a/services/b/proxy",
            "/api/v1/nodes/n/proxy/metrics",
            "/api/v1/namespaces/a/serviceaccounts/b/token",
            "/api/v1/namespaces/a/../secrets",
            "/api/v1//secrets",
            "/api/v1/%73ecrets",
            "/api/v1/pods?watch=1",
        ] {
            assert!(guard(&Method::GET, path).is_err(), "{path}");
        }
    }

    #[test]
    fn reads_the_clock_of_a_server() {
        let response = Response::builder()
            .header(header::DATE, "Thu, 01 Jan 2026 00:00:05 GMT")
            .body(Body::empty())
            .unwrap();
        assert_eq!(
            server_time(&response).unwrap().to_string(),
            "2026-01-01T00:00:05Z"
        );
    }
}
