//! What each writer makes of the same report. It is made by hand: a live cluster of which not
//! everything could be read, and whose names are hostile.

mod formats;

use jiff::Timestamp;

use super::{
    Finding, Report, RuleReport, Style, UnreadReport, WaiverReport, Yardstick, explain,
    first_paragraph, first_sentence, json, table,
};
use crate::{
    model::{
        Category, Cluster, Effort, Fraction, GroupKind, Outcome, Place, Severity, SourceKind,
        Subject, Unreadable, UnreadableCause,
    },
    score::{
        Blocker, CategoryScore, Counts, LevelStanding, Mark, NextLevel, Points, RuleState,
        ThemeScore, WaiverStatus,
    },
};

/// Clears the screen, breaks the line, reorders text, starts a C1 sequence, deletes.
const HOSTILE: &str = "web\u{1b}[2J\n\u{202e}\u{9b}\u{7f}\u{200b}";

/// Characters that no writer may let through.
const DANGEROUS: [char; 6] = ['\u{1b}', '\u{202e}', '\u{9b}', '\u{7f}', '\u{200b}', '\r'];

fn tenths(tenths: i64) -> Points {
    Points::new(tenths.into(), 10.into())
}

fn mark(score: i64, if_unknown_passed: i64, raw: i64) -> Mark {
    Mark {
        score: tenths(score),
        if_unknown_passed: tenths(if_unknown_passed),
        raw: tenths(raw),
    }
}

fn unreadable(detail: &str) -> Unreadable {
    Unreadable {
        cause: UnreadableCause::Forbidden,
        detail: detail.into(),
    }
}

fn subject(kind: &str, namespace: &str, name: &str) -> Subject {
    Subject {
        kind: GroupKind::new("apps", kind),
        namespace: Some(namespace.into()),
        name: name.into(),
        place: None,
    }
}

fn fails(subject: Subject, message: &str) -> Finding {
    Finding {
        subject,
        outcome: Outcome::Fail,
        credit: Fraction::from_integer(0),
        messages: vec![message.into()],
        unread: Vec::new(),
        inert: false,
        waived: false,
    }
}

/// A rule of the theme `net` that lost `lost` tenths of a point.
fn rule(id: &str, severity: Severity, lost: i64) -> RuleReport {
    let state = if lost == 0 {
        RuleState::Pass
    } else {
        RuleState::Fail
    };
    RuleReport {
        digest: "5e".repeat(32),
        id: id.into(),
        title: format!("{id} holds"),
        category: Category::Security,
        theme: "net".into(),
        severity,
        effort: Effort::S,
        why: "Without it something breaks.".to_owned(),
        fix: "Do this first. Then do that.".to_owned(),
        references: vec![
            "https://kubernetes.io/docs/".to_owned(),
            "CIS 5.2.2".to_owned(),
        ],
        state,
        possible: tenths(lost + 10),
        earned: tenths(10),
        lost: tenths(lost),
        unproven: tenths(0),
        counts: Counts {
            pass: 2,
            fail: 1,
            ..Counts::default()
        },
        findings: vec![fails(
            subject("Deployment", "shop", "cart"),
            "it does not hold",
        )],
        unread: Vec::new(),
        not_assessable: None,
        min_ratio: None,
    }
}

/// The score is 60: 70 in security, 50 in operations, nothing in maturity.
fn report() -> Report {
    let mut hostile = rule("wl-no-privileged", Severity::Critical, 120);
    hostile.counts = Counts {
        pass: 1,
        fail: 4,
        waived: 1,
        ..Counts::default()
    };
    hostile.fix = "Remove `privileged: true` and grant the capabilities that are needed:\n\n```yaml\nsecurityContext: {}\n```\n".to_owned();
    let mut on_manifest = fails(subject("Dep\u{1b}[31mloyment", "shop", "api"), HOSTILE);
    on_manifest.subject.place = Some(Place {
        file: "deploy/\u{202e}api.yaml".into(),
        line: 7,
    });
    let mut waived = fails(subject("DaemonSet", "kube-system", "cni"), "is privileged");
    waived.waived = true;
    hostile.findings = vec![
        fails(
            subject("Deployment", HOSTILE, HOSTILE),
            "container web is privileged",
        ),
        on_manifest,
        fails(
            subject("StatefulSet", "data", "db"),
            "container db is privileged",
        ),
        fails(
            subject("StatefulSet", "data", "queue"),
            "container queue is privileged",
        ),
        waived,
    ];

    let mut inert = rule("pol-engine-enforcing", Severity::High, 60);
    inert.findings[0].subject = Subject::cluster();
    inert.findings[0].messages = vec!["every policy audits and none enforces".into()];
    inert.findings[0].inert = true;
    inert.counts = Counts {
        fail: 1,
        ..Counts::default()
    };
    inert.effort = Effort::M;

    let mut unknown = rule("secrets-rotated", Severity::Medium, 100);
    unknown.category = Category::Operations;
    unknown.state = RuleState::Unknown;
    unknown.unproven = tenths(100);
    unknown.counts = Counts::default();
    unknown.findings.clear();
    unknown.fix.clear();
    let external = GroupKind::new("external-secrets.io", "ExternalSecret");
    unknown.unread = vec![(external.clone(), unreadable("no"))];

    let mut partly = rule("net-default-deny", Severity::Critical, 0);
    partly.lost = tenths(20);
    partly.unproven = tenths(10);
    partly.counts = Counts {
        pass: 1,
        fail: 1,
        unknown: 1,
        ..Counts::default()
    };
    let mut blind = fails(subject("Namespace", "shop", "shop"), "");
    blind.outcome = Outcome::Unknown;
    blind.messages.clear();
    blind.unread = vec![GroupKind::new("cilium.io", "CiliumNetwork\u{1b}[1mPolicy")];
    partly.findings.push(blind);

    let mut rules = vec![hostile, inert, unknown, partly];
    for number in 0..7 {
        rules.push(rule(&format!("small-{number}"), Severity::Low, 10));
    }
    let mut last = rule("last", Severity::Info, 30);
    last.category = Category::Operations;
    rules.push(last);
    let mut absent = rule("vault-sealed", Severity::High, 0);
    absent.state = RuleState::NotApplicable;
    rules.push(absent);
    rules.sort_by(|a, b| a.id.cmp(&b.id));
    let mut gaps: Vec<usize> = (0..rules.len())
        .filter(|at| rules[*at].lost > tenths(0))
        .collect();
    gaps.sort_by_key(|at| -&rules[*at].lost);

    let theme = |name: &str, score| ThemeScore {
        theme: name.into(),
        budget: 100,
        effective_budget: tenths(1000),
        mark: Some(score),
    };
    let category = |category, theme: Option<ThemeScore>| CategoryScore {
        category,
        weight: 1,
        mark: theme.as_ref().and_then(|theme| theme.mark.clone()),
        coverage: Points::new(7.into(), 8.into()),
        themes: theme.into_iter().collect(),
    };
    Report {
        tool: "0.1.0",
        time: Timestamp::constant(1_767_225_600, 0),
        source: SourceKind::Live,
        origin: format!("prod {HOSTILE}").into(),
        cluster: Cluster {
            uid: Some("5b6c2a4e".into()),
            version: Some("v1.36.3".into()),
            platform: Some("linux/amd64".into()),
        },
        yardstick: Yardstick {
            scorecard: "platform-stack".to_owned(),
            version: "1.0.0".to_owned(),
            profile: "prod".to_owned(),
            digest: "9f3c".repeat(16),
        },
        total: Some(mark(600, 700, 580)),
        coverage: Points::new(7.into(), 8.into()),
        level: LevelStanding {
            reached: Some("Development-ready".to_owned()),
            borderline: false,
            next: Some(NextLevel {
                name: "Production-ready".to_owned(),
                blockers: vec![
                    Blocker::Score {
                        needed: tenths(800),
                        have: tenths(600),
                    },
                    Blocker::Category {
                        category: Category::Maturity,
                        needed: tenths(700),
                        have: None,
                    },
                    Blocker::OpenGaps {
                        severity: Severity::Critical,
                        allowed: 0,
                        open: vec!["wl-no-privileged".into()],
                        waived: Vec::new(),
                    },
                    Blocker::Coverage {
                        needed: Points::new(9.into(), 10.into()),
                        have: Points::new(7.into(), 8.into()),
                    },
                ],
            }),
            waived: vec!["wl-no-host-network".into()],
        },
        levels: [
            ("Development-ready", 500),
            ("Production-ready", 800),
            ("Enterprise-grade", 920),
        ]
        .map(|(name, least)| (name.to_owned(), tenths(least)))
        .into(),
        categories: vec![
            category(Category::Security, Some(theme("net", mark(700, 700, 660)))),
            category(
                Category::Operations,
                Some(theme("secrets", mark(500, 700, 500))),
            ),
            category(Category::Maturity, None),
        ],
        rules,
        gaps,
        unread: vec![UnreadReport {
            kind: external,
            why: unreadable("User \"ci\u{1b}[0m\" cannot list resource \"externalsecrets\""),
            permission: Some("list externalsecrets.external-secrets.io".to_owned()),
            points: tenths(100),
            rules: vec!["secrets-rotated".into()],
        }],
        waivers: vec![
            waiver("wl-no-privileged", WaiverStatus::ExpiresSoon, 1, 20),
            waiver("small-1", WaiverStatus::Expired, 0, 0),
        ],
        notes: vec![HOSTILE.into()],
        gate: None,
        baseline: None,
    }
}

fn waiver(rule: &str, status: WaiverStatus, subjects: u32, points: i64) -> WaiverReport {
    WaiverReport {
        rule: rule.into(),
        owner: "platform\u{1b}[5m".into(),
        reason: "the network plug-in sets up interfaces".into(),
        expires: Timestamp::constant(1_767_830_400, 0),
        status,
        subjects,
        points: tenths(points),
    }
}

fn style(width: u16) -> Style {
    Style {
        colour: false,
        width,
        all: false,
        wide: false,
    }
}

#[test]
fn table_at_80_columns() {
    insta::assert_snapshot!(table(&report(), &style(80)));
}

#[test]
fn table_at_120_columns_with_everything() {
    let wide = Style {
        wide: true,
        ..style(120)
    };
    insta::assert_snapshot!(table(&report(), &wide));
}

#[test]
fn no_line_is_wider_than_the_terminal() {
    for width in [60, 80, 100, 120] {
        let text = table(&report(), &style(width));
        for line in text.lines() {
            let wide = unicode_width::UnicodeWidthStr::width(line);
            assert!(wide <= usize::from(width), "{wide} of {width}: {line}");
            assert_eq!(line, line.trim_end(), "spaces at the end");
        }
    }
}

#[test]
fn colour_changes_nothing_but_colour() {
    let coloured = Style {
        colour: true,
        ..style(100)
    };
    let mut text = table(&report(), &coloured);
    assert!(text.contains("\u{1b}["));
    // What is left without the sequences that only set colours is the plain report.
    while let Some(at) = text.find("\u{1b}[") {
        let end = text[at..].find('m').unwrap();
        let code = &text[at + 2..at + end];
        assert!(
            code.chars().all(|c| c.is_ascii_digit() || c == ';'),
            "{code}"
        );
        text.replace_range(at..=at + end, "");
    }
    let trimmed = |text: &str| -> Vec<String> {
        text.lines()
            .map(|line| line.trim_end().to_owned())
            .collect()
    };
    assert_eq!(trimmed(&text), trimmed(&table(&report(), &style(100))));
}

#[test]
fn json_version_1() {
    insta::assert_snapshot!(json::json(&report()));
}

#[test]
fn no_writer_lets_dangerous_characters_through() {
    let report = report();
    let wide = Style {
        wide: true,
        ..style(100)
    };
    let explained: String = report
        .rules
        .iter()
        .filter_map(|rule| explain(&report, &rule.id))
        .collect();
    let texts = [
        table(&report, &style(80)),
        table(&report, &wide),
        json::json(&report),
        explained,
    ];
    for text in texts {
        let found = text.chars().find(|c| DANGEROUS.contains(c));
        assert_eq!(found, None, "{text:?}");
    }
    // YAML has no escape for what is invisible in a plain scalar, but none for terminals to obey.
    let yaml = json::yaml(&report);
    assert!(
        !yaml.contains(['\u{1b}', '\u{9b}', '\u{7f}', '\r']),
        "{yaml:?}"
    );
}

#[test]
fn names_come_back_from_json_and_yaml_as_they_were() {
    let report = report();
    let from_json: serde_json::Value = serde_json::from_str(&json::json(&report)).unwrap();
    let from_yaml: serde_json::Value = serde_saphyr::from_str(&json::yaml(&report)).unwrap();
    for document in [from_json, from_yaml] {
        let rules = document["rules"].as_array().unwrap();
        let rule = rules
            .iter()
            .find(|rule| rule["id"] == "wl-no-privileged")
            .unwrap();
        assert_eq!(rule["findings"][0]["name"], HOSTILE);
        assert_eq!(rule["findings"][1]["place"], "deploy/\u{202e}api.yaml:7");
        assert_eq!(document["notes"][0], HOSTILE);
    }
}

#[test]
fn json_follows_its_schema_and_the_schema_is_strict_enough_to_say_no() {
    let validator = jsonschema::validator_for(&json::schema()).unwrap();
    let mut document: serde_json::Value = serde_json::from_str(&json::json(&report())).unwrap();
    let errors: Vec<String> = validator
        .iter_errors(&document)
        .map(|error| error.to_string())
        .collect();
    assert!(errors.is_empty(), "{errors:?}");
    document["score"]["raw"] = "high".into();
    assert!(!validator.is_valid(&document));

    // Nothing to look at is no score, and that is a document, too.
    let mut empty = report();
    empty.total = None;
    let empty: serde_json::Value = serde_json::from_str(&json::json(&empty)).unwrap();
    assert!(validator.is_valid(&empty) && empty["score"].is_null());
}

#[test]
fn gaps_and_score_sum_to_100_as_numbers() {
    let document: serde_json::Value = serde_json::from_str(&json::json(&report())).unwrap();
    let rules = document["rules"].as_array().unwrap();
    let lost: f64 = rules.iter().filter_map(|rule| rule["lost"].as_f64()).sum();
    let score = document["score"]["score"].as_f64().unwrap();
    assert!((lost + score - 100.0).abs() < 1e-9, "{lost} + {score}");
}

#[test]
fn no_score_says_so() {
    let mut report = report();
    report.total = None;
    report.gaps.clear();
    let text = table(&report, &style(80));
    assert!(text.contains("No score"), "{text}");
    assert!(!text.contains("No gaps"), "nothing was proven: {text}");
}

#[test]
fn an_explanation_shows_the_arithmetic_and_the_evidence() {
    insta::assert_snapshot!(explain(&report(), "wl-no-privileged").unwrap());
    assert_eq!(explain(&report(), "no-such-rule"), None);
}

#[test]
fn advice_is_the_first_words_that_are_no_code() {
    assert_eq!(first_paragraph("a\nb:\n\n```\nc\n```\nd"), "a b …");
    assert_eq!(
        first_paragraph("```\nc\n```\nThen\nthat.\n\nMore."),
        "Then that."
    );
    assert_eq!(first_paragraph("```\nc\n```"), "");
    assert_eq!(first_sentence("Do it. Then rest."), "Do it.");
    assert_eq!(
        first_sentence("Use one, e.g. this. Rest."),
        "Use one, e.g. this."
    );
    assert_eq!(first_sentence("no end"), "no end");
}
