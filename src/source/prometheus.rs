//! Prometheus as a source: what rules ask it, which alerting rules it has loaded, which targets it
//! scrapes, and whether the series that alerts watch are there.
//!
//! Its answers become objects of the group [`PROMETHEUS`], so that inventories, snapshots and
//! relations treat them like any other: `Query` (named by its PromQL, `status.series`),
//! `AlertingRule`, `Target` and `Selector` (named by a metric selector, `status.series` counting
//! those of the last day).

use std::{str::FromStr, time::Duration};

use futures::{StreamExt as _, stream};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::Instant;
use url::form_urlencoded;

use super::cluster::{ClusterError, ClusterOptions, Session};
use crate::{
    derive,
    model::{
        GroupKind, Inventory, KindList, ListState, Node, Object, PROMETHEUS, Series, Unreadable,
        UnreadableCause,
    },
    plan::{Request, query_kind},
};

/// Longest time for all questions together.
const DEADLINE: Duration = Duration::from_secs(120);
/// Longest question: servers and proxies refuse longer addresses.
const MAX_QUERY: usize = 6 * 1024;
/// Questions under way at the same time.
const CONCURRENCY: usize = 4;
/// Most series of one answer; beyond it the question was wrong.
const MAX_SERIES: usize = 10_000;
/// Most selectors that are asked about.
const MAX_SELECTORS: usize = 2_000;

/// Where a Prometheus is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// An http or https URL, perhaps with a path, a user and a password.
    Url(String),
    /// A Service, reached through the API server's proxy.
    Service {
        /// Its namespace.
        namespace: String,
        /// Its name and, after a colon, the name or number of its port.
        name: String,
        /// What comes before `/api/v1` in the server's paths; empty or starting with `/`.
        prefix: String,
    },
}

/// An address that is neither a URL nor a Service.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("write a URL, or NAMESPACE/SERVICE:PORT to go through the API server")]
pub struct NoAddress;

impl FromStr for Address {
    type Err = NoAddress;

    fn from_str(text: &str) -> Result<Self, NoAddress> {
        if text.contains("://") {
            return Ok(Address::Url(text.to_owned()));
        }
        let is_name = |text: &str| {
            !text.is_empty()
                && text
                    .bytes()
                    .all(|c| c.is_ascii_alphanumeric() || b"-.:".contains(&c))
        };
        let mut parts = text.trim_end_matches('/').splitn(3, '/');
        let (namespace, name) = (parts.next(), parts.next());
        match (namespace, name, parts.next()) {
            (Some(namespace), Some(name), prefix) if is_name(namespace) && is_name(name) => {
                Ok(Address::Service {
                    namespace: namespace.to_owned(),
                    name: name.to_owned(),
                    prefix: prefix.map_or(String::new(), |prefix| format!("/{prefix}")),
                })
            }
            _ => Err(NoAddress),
        }
    }
}

/// How to reach a Prometheus.
#[derive(Clone, Debug)]
pub struct PrometheusOptions {
    /// Where it is.
    pub address: Address,
    /// A bearer token, where it wants one.
    pub token: Option<String>,
}

/// The state of what only a Prometheus can answer where none was named.
pub fn none() -> ListState {
    ListState::Unreadable(Unreadable {
        cause: UnreadableCause::NotCollected,
        detail: "no Prometheus was named; --prometheus names one".into(),
    })
}

/// Adds a list for each kind that a Prometheus would answer for and nobody asked.
pub fn unasked(request: &Request, inventory: &mut Inventory) {
    for kind in kinds(request) {
        let list = || KindList {
            state: none(),
            version: "v1".into(),
            resource: "".into(),
            namespaced: false,
            objects: Vec::new(),
        };
        inventory.lists.entry(kind).or_insert_with(list);
    }
}

fn kinds(request: &Request) -> impl Iterator<Item = GroupKind> {
    let kinds = request.kinds.iter().map(|kind| kind.query.group_kind());
    kinds.filter(|kind| &*kind.group == PROMETHEUS)
}

/// Asks what a request wants to know, and puts the answers into the inventory. A server that does
/// not answer leaves lists that are unreadable and say why.
///
/// # Errors
/// The address cannot be used.
pub async fn collect(
    request: &Request,
    options: &PrometheusOptions,
    cluster: Option<&Session>,
    inventory: &mut Inventory,
) -> Result<(), ClusterError> {
    let wanted: Vec<GroupKind> = kinds(request).collect();
    if wanted.is_empty() {
        return Ok(());
    }
    let server = Server::at(options, cluster)?;
    for kind in wanted {
        let found = match &*kind.kind {
            "Query" => server.queries(&request.queries, inventory.now).await,
            "AlertingRule" => server.objects("rules", "type=alert", alerting_rules).await,
            "Target" => server.objects("targets", "state=active", targets).await,
            "Selector" => {
                let selectors = selectors(inventory);
                server.selectors(&selectors, inventory.now).await
            }
            _ => Found::default(),
        };
        let mut objects: Vec<Object> = found.nodes.into_iter().map(|n| object(&kind, n)).collect();
        objects.sort_by(|a, b| a.name().cmp(b.name()));
        objects.dedup_by(|a, b| a.name() == b.name());
        let state = match found.failed {
            None => ListState::Complete,
            Some(why) if objects.is_empty() => ListState::Unreadable(why),
            Some(why) => ListState::Partial {
                missing: Vec::new(),
                why,
            },
        };
        let list = KindList {
            state,
            version: "v1".into(),
            resource: "".into(),
            namespaced: false,
            objects,
        };
        inventory.lists.insert(kind, list);
    }
    Ok(())
}

/// An answered question as an object.
pub fn answered(promql: &str, series: &[Series]) -> Object {
    object(&query_kind().group_kind(), query_node(promql, series))
}

fn query_node(promql: &str, series: &[Series]) -> Node {
    let one =
        |series: &Series| json!({"labels": Value::from(&series.labels), "value": series.value});
    let series: Vec<Value> = series.iter().map(one).collect();
    Node::from(json!({"metadata": {"name": promql}, "status": {"series": series}}))
}

fn object(kind: &GroupKind, root: Node) -> Object {
    Object {
        kind: kind.clone(),
        version: "v1".into(),
        root,
        place: None,
    }
}

/// The metric selectors of the cluster's alerts.
fn selectors(inventory: &mut Inventory) -> Vec<String> {
    let alerts = GroupKind::new(derive::GROUP, "Alert");
    derive::derive(inventory, std::slice::from_ref(&alerts));
    let mut selectors: Vec<String> = inventory
        .objects(&alerts)
        .iter()
        .filter_map(|alert| alert.root.at(&["spec", "selectors"]))
        .flat_map(Node::items)
        .filter_map(|selector| Some(selector.get("text")?.as_str()?.to_owned()))
        .collect();
    selectors.sort();
    selectors.dedup();
    selectors
}

/// Objects that were found, and the first failure.
#[derive(Default)]
struct Found {
    nodes: Vec<Node>,
    failed: Option<Unreadable>,
}

/// One Prometheus.
struct Server {
    session: Session,
    /// What comes before the name of a question.
    base: String,
    deadline: Instant,
}

#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    data: Value,
}

impl Server {
    fn at(options: &PrometheusOptions, cluster: Option<&Session>) -> Result<Self, ClusterError> {
        let (session, base) = match &options.address {
            Address::Url(url) => {
                let limits = ClusterOptions::default();
                let session = Session::to_url(url, options.token.clone(), &limits)?;
                (session, "/api/v1".to_owned())
            }
            Address::Service {
                namespace,
                name,
                prefix,
            } => {
                let Some(cluster) = cluster else {
                    return Err(ClusterError::Address {
                        reason: "a Service is reached through a cluster, and none is read"
                            .to_owned(),
                    });
                };
                let proxy = format!("/api/v1/namespaces/{namespace}/services/{name}/proxy");
                (cluster.clone(), format!("{proxy}{prefix}/api/v1"))
            }
        };
        Ok(Server {
            session,
            base,
            deadline: Instant::now() + DEADLINE,
        })
    }

    async fn ask(&self, question: &str, query: &str) -> Result<Value, Unreadable> {
        let path = format!("{}/{question}", self.base);
        let bytes = self.session.get(&path, query, self.deadline).await?;
        match serde_json::from_slice::<Answer>(&bytes) {
            Ok(answer) => Ok(answer.data),
            Err(_) => Err(malformed("the answer is not that of a Prometheus")),
        }
    }

    /// Series of an instant vector or a scalar.
    async fn query(&self, promql: &str, now: Timestamp) -> Result<Vec<Series>, Unreadable> {
        if promql.len() > MAX_QUERY {
            return Err(malformed("the query is too long to be sent"));
        }
        let query = form_urlencoded::Serializer::new(String::new())
            .append_pair("query", promql)
            .append_pair("time", &now.to_string())
            .append_pair("timeout", "30s")
            .finish();
        series(&self.ask("query", &query).await?)
    }

    async fn queries(&self, queries: &[String], now: Timestamp) -> Found {
        let asked = stream::iter(queries).map(|promql| async move {
            let series = self.query(promql, now).await;
            series.map(|series| query_node(promql, &series))
        });
        let answers = asked.buffer_unordered(CONCURRENCY);
        found(answers.collect().await)
    }

    async fn selectors(&self, selectors: &[String], now: Timestamp) -> Found {
        let asked = stream::iter(selectors.iter().take(MAX_SELECTORS)).map(|selector| async move {
            let promql = format!("count(last_over_time({selector}[1d]))");
            let series = self.query(&promql, now).await?;
            let count = series.first().map_or(0.0, |series| series.value);
            Ok(Node::from(json!({
                "metadata": {"name": selector},
                "status": {"series": count as i64},
            })))
        });
        let answers = asked.buffer_unordered(CONCURRENCY);
        found(answers.collect().await)
    }

    async fn objects(&self, question: &str, query: &str, read: fn(&Value) -> Vec<Node>) -> Found {
        match self.ask(question, query).await {
            Ok(data) => Found {
                nodes: read(&data),
                failed: None,
            },
            Err(why) => Found {
                nodes: Vec::new(),
                failed: Some(why),
            },
        }
    }
}

fn found(answers: Vec<Result<Node, Unreadable>>) -> Found {
    let mut found = Found::default();
    let mut failures = Vec::new();
    for answer in answers {
        match answer {
            Ok(node) => found.nodes.push(node),
            Err(why) => failures.push(why),
        }
    }
    // Answers come in any order; what is said of them does not depend on it.
    failures.sort_by(|a, b| (a.cause, &a.detail).cmp(&(b.cause, &b.detail)));
    found.failed = failures.into_iter().next();
    found
}

fn malformed(detail: &str) -> Unreadable {
    Unreadable {
        cause: UnreadableCause::Malformed,
        detail: detail.into(),
    }
}

/// The series of a query's answer. A value that is not a number says nothing and is left out.
fn series(data: &Value) -> Result<Vec<Series>, Unreadable> {
    let sample = |labels: &Value, sample: &Value| -> Option<Series> {
        let value: f64 = sample.get(1)?.as_str()?.parse().ok()?;
        (!value.is_nan()).then(|| Series {
            labels: Node::from(labels.clone()),
            value: value.clamp(f64::MIN, f64::MAX),
        })
    };
    let result = &data["result"];
    match data["resultType"].as_str() {
        Some("scalar") => Ok(sample(&json!({}), result).into_iter().collect()),
        Some("vector") => {
            let all = result.as_array().map_or(&[][..], Vec::as_slice);
            if all.len() > MAX_SERIES {
                return Err(malformed("the answer has too many series"));
            }
            let mut series: Vec<Series> = all
                .iter()
                .filter_map(|one| sample(&one["metric"], &one["value"]))
                .collect();
            series.sort_by_cached_key(|series| Value::from(&series.labels).to_string());
            Ok(series)
        }
        _ => Err(malformed("the answer is neither a vector nor a scalar")),
    }
}

fn list<'v>(value: &'v Value, field: &str) -> impl Iterator<Item = &'v Value> {
    value[field].as_array().into_iter().flatten()
}

fn alerting_rules(data: &Value) -> Vec<Node> {
    let mut nodes = Vec::new();
    for group in list(data, "groups") {
        for (at, rule) in list(group, "rules").enumerate() {
            if rule["type"] != "alerting" {
                continue;
            }
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            let since = list(rule, "alerts").filter_map(|alert| alert["activeAt"].as_str());
            let name = format!(
                "{}/{}/{}#{at}",
                text(&group["file"]),
                text(&group["name"]),
                text(&rule["name"])
            );
            nodes.push(Node::from(json!({
                "metadata": {"name": name},
                "spec": {
                    "alert": rule["name"],
                    "expr": rule["query"],
                    "for": rule["duration"],
                    "group": group["name"],
                    "labels": rule["labels"],
                    "annotations": rule["annotations"],
                },
                "status": {
                    "health": rule["health"],
                    "lastError": rule["lastError"],
                    "state": rule["state"],
                    "activeAt": since.min(),
                },
            })));
        }
    }
    nodes
}

fn targets(data: &Value) -> Vec<Node> {
    let node = |target: &Value| {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let name = format!(
            "{}/{}",
            text(&target["scrapePool"]),
            text(&target["scrapeUrl"])
        );
        Node::from(json!({
            "metadata": {"name": name},
            "spec": {
                "job": target["labels"]["job"],
                "instance": target["labels"]["instance"],
                "scrapePool": target["scrapePool"],
                "labels": target["labels"],
            },
            "status": {"health": target["health"], "lastError": target["lastError"]},
        }))
    };
    list(data, "activeTargets").map(node).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_urls_or_services() {
        let service = |namespace: &str, name: &str, prefix: &str| Address::Service {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            prefix: prefix.to_owned(),
        };
        let cases = [
            (
                "https://prom.example/x",
                Some(Address::Url("https://prom.example/x".to_owned())),
            ),
            (
                "monitoring/prometheus:9090",
                Some(service("monitoring", "prometheus:9090", "")),
            ),
            (
                "monitoring/prom:web/prometheus/",
                Some(service("monitoring", "prom:web", "/prometheus")),
            ),
            ("prometheus", None),
            ("monitoring/../x", Some(service("monitoring", "..", "/x"))),
            ("a b/c", None),
            ("", None),
        ];
        for (text, address) in cases {
            assert_eq!(text.parse::<Address>().ok(), address, "{text}");
        }
    }

    #[test]
    fn answers_are_read_and_what_is_no_number_is_left_out() {
        let vector = json!({"resultType": "vector", "result": [
            {"metric": {"job": "b"}, "value": [1, "0.5"]},
            {"metric": {"job": "a"}, "value": [1, "+Inf"]},
            {"metric": {"job": "c"}, "value": [1, "NaN"]},
        ]});
        let found = series(&vector).unwrap();
        let values: Vec<f64> = found.iter().map(|series| series.value).collect();
        assert_eq!(values, [f64::MAX, 0.5]);
        let scalar = json!({"resultType": "scalar", "result": [1, "7"]});
        assert_eq!(series(&scalar).unwrap()[0].value, 7.0);
        assert!(series(&json!({"resultType": "matrix", "result": []})).is_err());
        assert!(series(&json!(null)).is_err());
    }
}
