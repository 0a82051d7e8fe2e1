//! Rules that ask a Prometheus, on a real one that is fed with written series.

use std::{fs, path::Path, process::Command};

use serde_json::Value;

use crate::prometheus_server::{Prometheus, Written};

/// 2026-01-31T00:00:00Z, after thirty days of history.
const NOW: i64 = 1_769_817_600;
const DAY: i64 = 86_400;

/// Rules of the test's own, so that it shows the source rather than the catalogue.
const RULES: &[(&str, &str)] = &[
    (
        "availability",
        r#"
promql:
  sli: >-
    '1 - sum(rate(requests_total{code=~"5.."}[' + params.window + '])) / sum(rate(requests_total[' + params.window + ']))'
params: {window: {type: string, default: 7d, description: How far back}}
expression: "size(prom.sli) > 0 ? prom.sli[0].value >= 0.995 : unknown('no requests')"
messageExpression: "'attained ' + string(math.round(prom.sli[0].value * 1000.0))"
"#,
    ),
    (
        "missing",
        r#"
promql: {sli: "'sum(nothing_total)'"}
expression: "size(prom.sli) > 0 ? true : unknown('there is no such series')"
"#,
    ),
    (
        "broken",
        r#"
promql: {sli: "'sum(('"}
expression: size(prom.sli) > 0
"#,
    ),
    (
        "loaded",
        r#"
with: {loaded: {kind: prometheus/v1/AlertingRule, relation: any}, targets: {kind: prometheus/v1/Target, relation: any}}
expression: >-
  readable.loaded && loaded.exists(a, a.spec.alert == 'Late' && a.status.health == 'ok' && a.spec.labels.severity == 'page')
  && targets.exists(t, t.spec.job == 'self' && t.status.health in ['up', 'unknown'])
"#,
    ),
];

fn rules(folder: &Path) {
    let theme = folder.join("operations/ask");
    fs::create_dir_all(&theme).unwrap();
    fs::write(theme.join("theme.yaml"), "title: Questions\n").unwrap();
    for (id, body) in RULES {
        let text = format!(
            "title: It holds\nseverity: high\neffort: S\nsince: 0.1.0\nwhy: x\nfix: x\nreferences: [x]\nsubject: cluster\n{body}examples:\n  - unknown: '{{}}'\n  - pass: '{{}}'\n  - fail: '{{}}'\n"
        );
        fs::write(theme.join(format!("ask-{id}.yaml")), text).unwrap();
    }
}

fn audit(folder: &Path, prometheus: &str, further: &[&str]) -> Value {
    let output = Command::new(env!("CARGO_BIN_EXE_seaworthy"))
        .args([
            "audit", "--demo", "-q", "-o", "json", "--only", "ask", "--rules",
        ])
        .arg(folder)
        .args(["--prometheus", prometheus, "--now", "2026-01-31T00:00:00Z"])
        .args(further)
        .output()
        .unwrap();
    // The theme has no budget, so there is no score and the exit code says so.
    let message = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{message}");
    serde_json::from_slice(&output.stdout).unwrap()
}

fn state<'v>(report: &'v Value, id: &str) -> (&'v str, String) {
    let rules = report["rules"].as_array().unwrap();
    let rule = rules.iter().find(|rule| rule["id"] == id).unwrap();
    let message = &rule["findings"][0]["messages"][0];
    let state = rule["state"].as_str().unwrap();
    (state, message.as_str().unwrap_or_default().to_owned())
}

#[test]
fn rules_ask_a_real_prometheus() {
    let series = [
        Written {
            metric: "requests_total",
            kind: "counter",
            labels: r#"{code="200"}"#,
            value: |seconds| seconds,
        },
        Written {
            metric: "requests_total",
            kind: "counter",
            labels: r#"{code="500"}"#,
            value: |seconds| seconds / 99.0,
        },
    ];
    let alerts = "groups:\n- name: g\n  rules:\n  - alert: Late\n    expr: vector(1) > 2\n    labels: {severity: page}\n";
    let scrape =
        "scrape_configs: [{job_name: self, static_configs: [{targets: ['127.0.0.1:9']}]}]\n";
    let server = Prometheus::start(&series, (NOW - 30 * DAY, NOW, 300), alerts, scrape).unwrap();
    let folder = tempfile::tempdir().unwrap();
    rules(folder.path());

    let report = audit(folder.path(), &server.url(), &[]);
    // One request in a hundred fails, of which the objective allows half a one.
    assert_eq!(
        state(&report, "ask-availability"),
        ("fail", "attained 990".to_owned())
    );
    assert_eq!(
        state(&report, "ask-missing"),
        ("unknown", "there is no such series".to_owned())
    );
    // A question that cannot be answered costs its own verdict, and the report says why.
    assert_eq!(state(&report, "ask-broken").0, "unknown");
    let unread = report["unread"].to_string();
    assert!(unread.contains("parse error"), "{unread}");

    // Nobody answers: everything is unknown, with the reason; nothing passes.
    let report = audit(folder.path(), "http://127.0.0.1:9", &[]);
    for (id, _) in RULES {
        let (state, _) = state(&report, &format!("ask-{id}"));
        assert!(state != "pass", "{id}");
    }
    assert!(report["unread"].to_string().contains("unavailable"));
}

/// Every query of the catalogue, as each profile asks it, is one that a Prometheus understands; and
/// over written series the objectives are judged as they should be.
#[test]
fn a_real_prometheus_understands_the_catalogue() {
    let series = [
        Written {
            metric: "apiserver_request_total",
            kind: "counter",
            labels: r#"{verb="GET",code="200"}"#,
            value: |seconds| seconds,
        },
        Written {
            metric: "apiserver_request_total",
            kind: "counter",
            labels: r#"{verb="GET",code="500"}"#,
            value: |seconds| seconds / 999.0,
        },
        Written {
            metric: "kube_pod_status_ready",
            kind: "gauge",
            labels: r#"{condition="true",pod="a"}"#,
            value: |_| 1.0,
        },
        Written {
            metric: "kube_pod_status_phase",
            kind: "gauge",
            labels: r#"{phase="Running",pod="a"}"#,
            value: |_| 1.0,
        },
        Written {
            metric: "kube_pod_status_phase",
            kind: "gauge",
            labels: r#"{phase="Pending",pod="b"}"#,
            value: |seconds| f64::from(u8::from(seconds > 24.0 * 86_400.0)),
        },
        Written {
            metric: "kubelet_volume_stats_used_bytes",
            kind: "gauge",
            labels: r#"{namespace="shop",persistentvolumeclaim="db"}"#,
            value: |seconds| 1000.0 + seconds / 1000.0,
        },
        Written {
            metric: "kubelet_volume_stats_available_bytes",
            kind: "gauge",
            labels: r#"{namespace="shop",persistentvolumeclaim="db"}"#,
            value: |seconds| 3000.0 - seconds / 1000.0,
        },
        Written {
            metric: "kubelet_volume_stats_capacity_bytes",
            kind: "gauge",
            labels: r#"{namespace="shop",persistentvolumeclaim="db"}"#,
            value: |_| 4000.0,
        },
        Written {
            metric: "up",
            kind: "gauge",
            labels: r#"{job="apiserver"}"#,
            value: |_| 1.0,
        },
    ];
    let server =
        Prometheus::start(&series, (NOW - 30 * DAY, NOW, 300), "groups: []\n", "").unwrap();
    for profile in ["dev", "staging", "prod"] {
        let output = Command::new(env!("CARGO_BIN_EXE_seaworthy"))
            .args(["audit", "--demo", "-q", "-o", "json", "--profile", profile])
            .args([
                "--prometheus",
                &server.url(),
                "--now",
                "2026-01-31T00:00:00Z",
            ])
            .output()
            .unwrap();
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        let unread = report["unread"].as_array().unwrap().iter();
        let refused =
            unread.filter(|unread| unread["kind"].as_str().unwrap().ends_with("prometheus"));
        assert_eq!(
            refused.collect::<Vec<_>>(),
            Vec::<&Value>::new(),
            "{profile}"
        );
        let rules = report["rules"].as_array().unwrap();
        let of = |id: &str| {
            let rule = rules.iter().find(|rule| rule["id"] == id).unwrap();
            let said = rule["findings"][0]["messages"][0]
                .as_str()
                .unwrap_or_default();
            (rule["state"].as_str().unwrap(), said)
        };
        assert_eq!(
            of("slo-api-availability").0,
            "pass",
            "{profile}: {:?}",
            of("slo-api-availability")
        );
        // A pod of two has waited for six days of thirty: nine tenths of the time is ready.
        let (state, said) = of("slo-pod-availability");
        if profile == "prod" {
            assert_eq!(state, "fail", "{said}");
            assert!(
                said.contains("it was 90") && said.contains("overspent"),
                "{said}"
            );
        }
        let (state, said) = of("slo-storage-capacity");
        assert_eq!(
            state,
            if profile == "prod" { "fail" } else { state },
            "{said}"
        );
        assert_eq!(of("slo-api-latency").0, "unknown");
    }
}
