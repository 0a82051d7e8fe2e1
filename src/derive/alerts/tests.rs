use crate::{derive::testing::derived, model::Node};

const RULES: &str = r#"
{apiVersion: v1, kind: Namespace, metadata: {name: shop, labels: {team: shop}}}
---
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata: {name: api, namespace: shop, labels: {release: p}}
spec:
  groups:
    - name: g
      rules:
        - {record: "apiserver_request:burnrate1h", expr: "sum(rate(apiserver_request_total{code=~\"5..\"}[1h])) / sum(rate(apiserver_request_total[1h]))"}
        - {alert: Burn, expr: "sum(apiserver_request:burnrate1h) > (14.40 * 0.01000)", for: 2m, labels: {severity: critical}, annotations: {description: "99.5% leave 21.6 minutes of downtime a month"}}
        - {alert: Burn, expr: "absent(up{job=\"apiserver\"} == 1)", labels: {severity: warning}}
        - {alert: Broken, expr: "sum(rate(x[5m]) > 1"}
        - {alert: Always, expr: 1}
"#;

fn prometheus(spec: &str) -> String {
    format!(
        "{RULES}---\n{{apiVersion: monitoring.coreos.com/v1, kind: Prometheus, metadata: {{name: k8s, namespace: monitoring}}, spec: {spec}}}"
    )
}

fn selected(text: &str) -> bool {
    let alerts = derived(text, "Alert");
    alerts[0]
        .root
        .at(&["spec", "selected"])
        .and_then(Node::as_bool)
        .unwrap()
}

#[test]
fn a_prometheus_must_select_label_and_namespace() {
    for (spec, expected) in [
        ("{}", false),
        ("{ruleSelector: {}}", false),
        ("{ruleSelector: {}, ruleNamespaceSelector: {}}", true),
        (
            "{ruleSelector: {matchLabels: {release: p}}, ruleNamespaceSelector: {matchLabels: {team: shop}}}",
            true,
        ),
        (
            "{ruleSelector: {matchLabels: {release: q}}, ruleNamespaceSelector: {}}",
            false,
        ),
        (
            "{ruleSelector: {}, ruleNamespaceSelector: {matchExpressions: [{key: team, operator: NotIn, values: [shop]}]}}",
            false,
        ),
        ("{ruleNamespaceSelector: {}}", false),
    ] {
        assert_eq!(selected(&prometheus(spec)), expected, "{spec}");
    }
    assert!(!selected(RULES));
}

#[test]
fn victoria_metrics_selects_in_its_own_way() {
    let rules = RULES
        .replace(
            "monitoring.coreos.com/v1",
            "operator.victoriametrics.com/v1beta1",
        )
        .replace("PrometheusRule", "VMRule");
    for (spec, expected) in [
        ("{}", false),
        ("{selectAllByDefault: true}", true),
        (
            "{ruleSelector: {matchLabels: {release: q}}, selectAllByDefault: true}",
            false,
        ),
        ("{ruleNamespaceSelector: {}}", true),
        ("{ruleSelector: {}}", false),
    ] {
        let vmalert = format!(
            "{{apiVersion: operator.victoriametrics.com/v1beta1, kind: VMAlert, metadata: {{name: v, namespace: vm}}, spec: {spec}}}"
        );
        assert_eq!(
            selected(&format!("{rules}---\n{vmalert}")),
            expected,
            "{spec}"
        );
        // A PrometheusRule and the VMRule that is made of it are one.
        let both = format!("{RULES}---\n{rules}---\n{vmalert}");
        assert_eq!(selected(&both), expected, "{spec}");
        assert_eq!(derived(&both, "Alert").len(), 4);
    }
}

#[test]
fn an_alert_says_what_it_looks_at() {
    let alerts = derived(
        &prometheus("{ruleSelector: {}, ruleNamespaceSelector: {}}"),
        "Alert",
    );
    let names: Vec<&str> = alerts.iter().map(|alert| alert.name()).collect();
    assert_eq!(
        names,
        ["api/g/Always", "api/g/Broken", "api/g/Burn", "api/g/Burn#2"]
    );
    let spec = |at: usize, field: &str| alerts[at].root.at(&["spec", field]).unwrap();
    assert_eq!(spec(2, "by").as_str(), Some("monitoring/k8s"));
    assert_eq!(spec(2, "source").as_str(), Some("PrometheusRule shop/api"));
    // The metrics that a recorded series comes from are looked at, too.
    assert!(
        spec(2, "metrics")
            .items()
            .contains(&Node::String("apiserver_request_total".into()))
    );
    assert_eq!(
        spec(2, "wrongBudget").as_str(),
        Some("its description gives 99.5 % a budget of 21.6 minutes; it has 216")
    );
    assert_eq!(spec(3, "absent").as_bool(), Some(true));
    assert_eq!(spec(3, "usesUp").items()[0].as_str(), Some("apiserver"));
    assert_eq!(
        spec(1, "error").as_str(),
        Some("line 1, column 20: the expression ends too early")
    );
    assert!(alerts[0].root.at(&["spec", "error"]).is_none());
    assert_eq!(derived(RULES, "Recording").len(), 1);
}

#[test]
fn objectives_and_their_burn_alerts() {
    let text = r#"
{apiVersion: monitoring.coreos.com/v1, kind: Prometheus, metadata: {name: k8s, namespace: m}, spec: {ruleSelector: {}, ruleNamespaceSelector: {}}}
---
apiVersion: sloth.slok.dev/v1
kind: PrometheusServiceLevel
metadata: {name: api, namespace: m, annotations: {error-budget-minutes: "21.6"}}
spec: {service: api, slos: [{name: availability, objective: 99.5, description: Requests that succeed}]}
---
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata: {name: api, namespace: m}
spec:
  groups:
    - name: g
      rules:
        - alert: Fast
          expr: |
            max(slo:sli_error:ratio_rate5m{sloth_id="api-availability"} > (14.4 * 0.005)) without (sloth_window)
            and max(slo:sli_error:ratio_rate1h{sloth_id="api-availability"} > (14.4 * 0.005)) without (sloth_window)
          labels: {sloth_severity: page}
        - {record: "slo:checkout:objective", expr: vector(0.99)}
        - {record: "slo:checkout:ratio_rate1h", expr: "a / b"}
        - {record: "slo:only:ratio", expr: "a / b"}
---
apiVersion: pyrra.dev/v1alpha1
kind: ServiceLevelObjective
metadata: {name: web, namespace: m}
spec: {target: "99.9", window: 4w, description: Allows 40 minutes of downtime in four weeks}
"#;
    let told: Vec<String> = derived(text, "Slo")
        .iter()
        .map(|slo| {
            let spec: serde_json::Value = slo.root.get("spec").unwrap().into();
            format!(
                "{} {} {} {} {} {}",
                slo.name(),
                spec["objective"],
                spec["budgetMinutes"],
                spec["declaredMinutes"],
                spec["agrees"],
                spec["burnAlerts"],
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            "api/availability 0.995 216.0 21.6 false [{\"factor\":14.4,\"hours\":0.08333333333333333,\"severity\":\"page\",\"window\":\"5m\"},{\"factor\":14.4,\"hours\":1.0,\"severity\":\"page\",\"window\":\"1h\"}]",
            "api/checkout 0.99 432.0 null true []",
            "web 0.999 40.32 40.0 true []",
        ]
    );
}
