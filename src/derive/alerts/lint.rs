//! Expressions that parse and yet can never say what they are meant to.

use super::promql::{Comparison, Query, Selector};

/// Labels that are looked for on a metric that has none of that name, and where they are.
const WRONG_LABELS: [(&str, &str, &str); 11] = [
    ("argocd_app_sync_total", "sync_status", "phase"),
    ("argocd_app_sync_total", "health_status", "phase"),
    ("argocd_app_info", "phase", "sync_status or health_status"),
    ("kube_node_status_condition", "type", "condition"),
    ("kube_node_status_condition", "reason", "condition"),
    ("kube_pod_status_phase", "status", "phase"),
    ("kube_pod_status_phase", "reason", "phase"),
    (
        "kube_pod_container_status_waiting_reason",
        "status",
        "reason",
    ),
    ("apiserver_request_total", "status", "code"),
    ("apiserver_request_total", "status_code", "code"),
    ("apiserver_request_total", "method", "verb"),
];

/// All values that a label of a metric can have.
const VALUES: [(&str, &str, &[&str]); 5] = [
    (
        "kube_pod_status_phase",
        "phase",
        &["Pending", "Running", "Succeeded", "Failed", "Unknown"],
    ),
    (
        "kube_node_status_condition",
        "status",
        &["true", "false", "unknown"],
    ),
    (
        "argocd_app_info",
        "health_status",
        &[
            "Healthy",
            "Progressing",
            "Degraded",
            "Suspended",
            "Missing",
            "Unknown",
        ],
    ),
    (
        "argocd_app_info",
        "sync_status",
        &["Synced", "OutOfSync", "Unknown"],
    ),
    (
        "argocd_app_sync_total",
        "phase",
        &["Running", "Succeeded", "Failed", "Error", "Terminating"],
    ),
];

/// Metrics that are 0 or 1.
const FLAGS: [&str; 7] = [
    "up",
    "kube_node_status_condition",
    "kube_pod_status_phase",
    "kube_pod_container_status_waiting_reason",
    "kube_pod_container_status_last_terminated_reason",
    "prometheus_config_last_reload_successful",
    "vault_core_unsealed",
];

/// More restarts per second than the kubelet makes: it soon waits five minutes between two.
const RESTARTS_PER_SECOND: f64 = 0.05;

/// What is wrong with an expression, in sentences.
pub fn lint(query: &Query) -> Vec<String> {
    let selectors = query.selectors.iter();
    let mut said: Vec<String> = selectors
        .flat_map(|selector| wrong_labels(selector).into_iter().chain(gauge(selector)))
        .chain(query.comparisons.iter().filter_map(impossible))
        .collect();
    said.dedup();
    said
}

fn wrong_labels(selector: &Selector) -> Vec<String> {
    let Some(metric) = &selector.metric else {
        return Vec::new();
    };
    let labels = selector
        .labels
        .iter()
        .filter(|(_, op, value)| op == "=" && !value.is_empty());
    labels
        .filter_map(|(label, _, value)| {
            let of = |(a, b): (&str, &str)| a == metric && b == label;
            if let Some((_, _, right)) = WRONG_LABELS.iter().find(|row| of((row.0, row.1))) {
                return Some(format!("{metric} has no label {label}; it has {right}"));
            }
            let (_, _, values) = VALUES.iter().find(|row| of((row.0, row.1)))?;
            let known = values.contains(&value.as_str());
            (!known).then(|| format!("{label} of {metric} is never {value}"))
        })
        .collect()
}

/// A function for counters over what goes up and down.
fn gauge(selector: &Selector) -> Option<String> {
    let (metric, function) = (selector.metric.as_deref()?, selector.function.as_deref()?);
    if !matches!(function, "rate" | "irate" | "increase") {
        return None;
    }
    let counts = ["_total", "_count", "_sum", "_bucket"]
        .iter()
        .any(|end| metric.ends_with(end));
    let gauge = metric == "up"
        || [
            "_successful",
            "_timestamp",
            "_timestamp_seconds",
            "_info",
            "_ratio",
            "_celsius",
        ]
        .iter()
        .any(|end| metric.ends_with(end))
        || (metric.starts_with("kube_") && metric.contains("_status_") && !counts);
    (gauge && !counts).then(|| format!("{function}() is for counters, and {metric} is a gauge"))
}

/// A threshold that the metric cannot reach.
fn impossible(comparison: &Comparison) -> Option<String> {
    let metric = comparison.metric.as_deref()?;
    let (op, value) = (&*comparison.op, comparison.value);
    let restarts = metric == "kube_pod_container_status_restarts_total"
        && matches!(comparison.function.as_deref(), Some("rate" | "irate"))
        && op.starts_with('>')
        && value >= RESTARTS_PER_SECOND;
    if restarts {
        return Some(format!(
            "{value} restarts per second of one container are more than the kubelet makes: \
             rate() counts per second"
        ));
    }
    let flag = comparison.function.is_none() && FLAGS.contains(&metric) && comparison.direct;
    let never = match op {
        ">" => value >= 1.0,
        ">=" => value > 1.0,
        "<" => value <= 0.0,
        "<=" => value < 0.0,
        "==" => value != 0.0 && value != 1.0,
        _ => false,
    };
    (flag && never).then(|| format!("{metric} is 0 or 1 and so never {op} {value}"))
}

#[cfg(test)]
mod tests {
    use super::{super::promql::read, *};

    #[test]
    fn finds_what_cannot_fire() {
        for (text, part) in [
            (
                r#"argocd_app_sync_total{sync_status="Failed"} > 0"#,
                "has no label sync_status",
            ),
            (
                r#"increase(prometheus_config_last_reload_successful[5m]) == 0"#,
                "is a gauge",
            ),
            (
                "rate(kube_pod_container_status_restarts_total[30m]) > 0.1",
                "per second",
            ),
            (
                r#"kube_pod_status_phase{phase="CrashLoopBackOff"} == 1"#,
                "never CrashLoopBackOff",
            ),
            ("up > 1", "0 or 1"),
        ] {
            let said = lint(&read(text).unwrap()).join("; ");
            assert!(said.contains(part), "{text}: {said}");
        }
        for text in [
            "up == 0",
            "sum(up) > 3",
            "increase(kube_pod_container_status_restarts_total[1h]) > 5",
            "rate(kube_pod_container_status_restarts_total[5m]) * 60 * 5 > 0",
            r#"rate(argocd_app_sync_total{phase="Failed"}[5m]) > 0"#,
            "changes(kube_node_status_condition[15m]) > 2",
            "increase(kubelet_certificate_manager_client_expiration_renew_errors[5m]) > 0",
        ] {
            assert_eq!(lint(&read(text).unwrap()), Vec::<String>::new(), "{text}");
        }
    }
}
