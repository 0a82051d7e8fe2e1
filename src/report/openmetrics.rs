//! OpenMetrics text, for the textfile collector of a node exporter and for a Pushgateway.
//!
//! Both read the older Prometheus text format, which does not know OpenMetrics' types `info` and
//! `stateset`: so the level and the build are gauges here. No sample has a time of its own, which
//! they would refuse, and no label holds the name of an object.

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric, text::encode},
    metrics::{MetricType, counter::ConstCounter, gauge::ConstGauge},
    registry::{Registry, Unit},
};

use super::{Report, RuleReport, json::number, shown};
use crate::score::{Points, RuleState};

type Labels = Vec<(&'static str, String)>;
type Labelled<'a> = Vec<(&'a str, &'a str)>;

/// A family of samples in the order in which they are written. The client's own families are hash
/// maps, and two runs would differ.
#[derive(Debug)]
struct Samples {
    name: &'static str,
    help: &'static str,
    unit: Option<Unit>,
    counts: bool,
    samples: Vec<(Labels, f64)>,
}

#[derive(Debug)]
struct Families(Vec<Samples>);

impl Collector for Families {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        for family in self.0.iter().filter(|family| !family.samples.is_empty()) {
            let kind = match family.counts {
                true => MetricType::Counter,
                false => MetricType::Gauge,
            };
            let mut metric =
                encoder.encode_descriptor(family.name, family.help, family.unit.as_ref(), kind)?;
            // An empty set of labels would leave its braces.
            if let [(labels, value)] = &family.samples[..]
                && labels.is_empty()
            {
                ConstGauge::new(*value).encode(metric)?;
                continue;
            }
            for (labels, value) in &family.samples {
                let labels: Labelled<'_> = labels.iter().map(|(k, v)| (*k, v.as_str())).collect();
                let sample = metric.encode_family(&labels)?;
                match family.counts {
                    true => ConstCounter::new(*value).encode(sample)?,
                    false => ConstGauge::new(*value).encode(sample)?,
                }
            }
        }
        Ok(())
    }
}

/// The report as OpenMetrics text, with the names and units of the exporter.
pub fn openmetrics(report: &Report) -> String {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Families(families(report))));
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = encode(&mut text, &registry);
    text
}

fn families(report: &Report) -> Vec<Samples> {
    let gauge = |name, help, samples| Samples {
        name,
        help,
        unit: None,
        counts: false,
        samples,
    };
    let one = |value: Option<&Points>| -> Vec<(Labels, f64)> {
        let value = value.map(|value| (Labels::new(), number(value)));
        value.into_iter().collect()
    };
    let total = report.total.as_ref();
    let categories = report.categories.iter().filter_map(|category| {
        let labels = vec![("category", category.category.to_string())];
        Some((labels, number(&category.mark.as_ref()?.score)))
    });
    let reached = report.level.reached.as_ref();
    let levels = report.levels.iter().map(|(level, _)| {
        let is = if Some(level) == reached { 1.0 } else { 0.0 };
        (vec![("level", shown(level))], is)
    });
    let rules = |value: &dyn Fn(&RuleReport) -> Option<f64>| -> Vec<(Labels, f64)> {
        let all = report.rules.iter();
        all.filter_map(|rule| Some((labels(rule), value(rule)?)))
            .collect()
    };
    let errors = report.unread.iter().map(|unread| {
        let labels = vec![
            ("kind", shown(&unread.kind)),
            ("reason", unread.why.cause.to_string()),
        ];
        (labels, 1.0)
    });
    vec![
        gauge(
            "seaworthy_score",
            "Proven score, 0 to 100",
            one(total.map(|mark| &mark.score)),
        ),
        gauge(
            "seaworthy_score_if_unknowns_pass",
            "Score if everything that could not be read passed, 0 to 100",
            one(total.map(|mark| &mark.if_unknown_passed)),
        ),
        gauge(
            "seaworthy_category_score",
            "Proven score of a category, 0 to 100",
            categories.collect(),
        ),
        gauge(
            "seaworthy_rule_pass_ratio",
            "Share of a rule's subjects that pass, 0 to 1; 0 where none could be read",
            rules(&pass_ratio),
        ),
        gauge(
            "seaworthy_rule_lost_points",
            "Points of the overall 100 that a rule costs",
            rules(&|rule| is_scored(rule).then(|| number(&rule.lost))),
        ),
        gauge(
            "seaworthy_failing_subjects",
            "Subjects that fail a rule, waived ones left out",
            rules(&|rule| is_scored(rule).then(|| f64::from(rule.counts.fail))),
        ),
        gauge(
            "seaworthy_level",
            "1 for the level that is reached, 0 for the others",
            levels.collect(),
        ),
        Samples {
            unit: Some(Unit::Other("ratio".to_owned())),
            ..gauge(
                "seaworthy_coverage",
                "Share of the applicable points that could be assessed, 0 to 1",
                one(Some(&report.coverage)),
            )
        },
        Samples {
            unit: Some(Unit::Seconds),
            ..gauge(
                "seaworthy_last_audit_timestamp",
                "Clock of the audit, since 1970",
                vec![(Labels::new(), report.time.as_second() as f64)],
            )
        },
        Samples {
            counts: true,
            ..gauge(
                "seaworthy_list_errors",
                "Lists that could not be read completely",
                errors.collect(),
            )
        },
        gauge(
            "seaworthy_build_info",
            "Always 1; what made this report",
            vec![(
                vec![
                    ("version", report.tool.to_owned()),
                    ("scorecard", shown(&report.yardstick.scorecard)),
                    ("scorecard_version", shown(&report.yardstick.version)),
                    ("profile", shown(&report.yardstick.profile)),
                ],
                1.0,
            )],
        ),
    ]
}

fn labels(rule: &RuleReport) -> Labels {
    vec![
        ("rule", shown(&rule.id)),
        ("category", rule.category.to_string()),
        ("severity", rule.severity.to_string()),
    ]
}

/// Whether the rule was about anything that could be looked at.
fn is_scored(rule: &RuleReport) -> bool {
    !matches!(
        rule.state,
        RuleState::NotApplicable | RuleState::NotAssessable
    )
}

fn pass_ratio(rule: &RuleReport) -> Option<f64> {
    let counts = rule.counts;
    let judged = counts.pass + counts.fail + counts.unknown + counts.error + counts.attested;
    match (is_scored(rule), judged) {
        (false, _) => None,
        // Everything is waived, or nothing could be read.
        (true, 0) => (rule.state == RuleState::Unknown).then_some(0.0),
        (true, _) => Some(f64::from(counts.pass) / f64::from(judged)),
    }
}
