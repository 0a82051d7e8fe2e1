//! Formats that other programs read: each is checked by a schema or a reader that is not ours,
//! with names that hold the syntax of every one of them.

use std::collections::BTreeSet;

use pulldown_cmark::{Event, Options, Parser, Tag};
use serde_json::Value;

use super::*;
use crate::report::{
    codequality, comment, csv, junit, openmetrics, openreports, policyreport, sarif,
};

/// Syntax of every format at once.
const ATTACK: &str = "=cmd|' /C calc'!A0 <script>alert(1)</script></details> [x](https://evil.example) \
    https://evil.example @team #1 ```\n~~~ | `code` \"quoted\\\" } 1\n# EOF\n]]> &lt; ${{ secrets.X }} {{ x }}\u{1b}]8;;http://evil.example\u{7}";

/// The report of the other tests, with the attack wherever a cluster could put it.
fn attacked() -> Report {
    let mut report = report();
    report.origin = ATTACK.into();
    report.notes = vec![ATTACK.into()];
    for rule in &mut report.rules {
        for finding in &mut rule.findings {
            let mut attack = finding.clone();
            attack.subject.name = ATTACK.into();
            attack.subject.namespace = Some(ATTACK.into());
            attack.subject.kind = GroupKind::new(ATTACK, ATTACK);
            attack.messages = vec![ATTACK.into()];
            attack.subject.place = Some(Place {
                file: ATTACK.into(),
                line: 7,
            });
            *finding = attack;
        }
    }
    for waiver in &mut report.waivers {
        waiver.owner = ATTACK.into();
        waiver.reason = ATTACK.into();
    }
    for unread in &mut report.unread {
        unread.kind = GroupKind::new(ATTACK, ATTACK);
        unread.why.detail = ATTACK.into();
    }
    report
}

fn schema(name: &str) -> Value {
    let path = format!("{}/tests/schemas/{name}.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// A server drops fields that its schema does not name, so none may be there.
fn closed(mut schema: Value) -> Value {
    fn close(schema: &mut Value) {
        if let Some(fields) = schema.as_object_mut() {
            if fields.contains_key("properties") && !fields.contains_key("additionalProperties") {
                fields.insert("additionalProperties".to_owned(), false.into());
            }
            fields.values_mut().for_each(close);
        } else if let Some(items) = schema.as_array_mut() {
            items.iter_mut().for_each(close);
        }
    }
    close(&mut schema);
    // Metadata is the server's own.
    schema["properties"]["metadata"] = serde_json::json!({"type": "object"});
    schema
}

fn valid(document: &Value, schema: &Value) {
    let validator = jsonschema::validator_for(schema).unwrap();
    let errors: Vec<String> = validator
        .iter_errors(document)
        .map(|error| format!("{error} at {}", error.instance_path()))
        .collect();
    assert!(errors.is_empty(), "{errors:#?}");
}

/// No text of a document holds what a terminal obeys.
fn harmless(text: &str) {
    let obeyed = |c: char| DANGEROUS.contains(&c) && c != '\r' || c == '\u{7}';
    assert_eq!(text.chars().find(|c| obeyed(*c)), None, "{text:?}");
}

#[test]
fn each_format_of_the_same_report() {
    let report = report();
    insta::assert_snapshot!("markdown", comment(&report));
    insta::assert_snapshot!("sarif", sarif(&report));
    insta::assert_snapshot!("junit", junit(&report));
    insta::assert_snapshot!("csv", csv(&report).replace("\r\n", "\n"));
    insta::assert_snapshot!("openmetrics", openmetrics(&report));
    insta::assert_snapshot!("policyreport", policyreport(&report));
    insta::assert_snapshot!("openreports", openreports(&report));
    insta::assert_snapshot!("codequality", codequality(&report));
}

#[test]
fn sarif_is_valid_and_its_fingerprints_stay() {
    let mut schema = schema("sarif-2.1.0");
    // The published pattern has a bracket that nothing opens.
    for place in ["run", "toolComponent"] {
        let language = &mut schema["definitions"][place]["properties"]["language"];
        language.as_object_mut().unwrap().remove("pattern");
    }
    for report in [report(), attacked()] {
        let text = sarif(&report);
        harmless(&text);
        let document: Value = serde_json::from_str(&text).unwrap();
        valid(&document, &schema);
    }
    let prints = |report: &Report| -> BTreeSet<String> {
        let document: Value = serde_json::from_str(&sarif(report)).unwrap();
        let results = document["runs"][0]["results"].as_array().unwrap().clone();
        assert!(!results.is_empty());
        let prints = results.iter().map(|result| &result["partialFingerprints"]);
        prints.map(Value::to_string).collect()
    };
    // Another finding before it, another line, other words: the same finding.
    let before = report();
    let mut after = report();
    for rule in after
        .rules
        .iter_mut()
        .filter(|rule| !rule.findings.is_empty())
    {
        let first = fails(subject("Deployment", "other", "new"), "new");
        rule.findings.insert(0, first);
        for finding in &mut rule.findings {
            finding.messages = vec!["other words".into()];
            if let Some(place) = &mut finding.subject.place {
                place.line += 40;
            }
        }
    }
    let (before, after) = (prints(&before), prints(&after));
    assert!(before.is_subset(&after) && before.len() < after.len());
}

#[test]
fn code_quality_is_what_gitlab_reads() {
    for report in [report(), attacked()] {
        let text = codequality(&report);
        harmless(&text);
        let document: Value = serde_json::from_str(&text).unwrap();
        assert!(!document.as_array().unwrap().is_empty());
        valid(&document, &schema("codequality"));
    }
}

#[test]
fn junit_is_well_formed_and_counts_right() {
    use quick_xml::{Reader, events::Event};
    for report in [report(), attacked()] {
        let text = junit(&report);
        harmless(&text);
        let mut reader = Reader::from_str(&text);
        let (mut cases, mut said) = (0, String::new());
        loop {
            match reader.read_event().unwrap() {
                Event::Eof => break,
                Event::Start(tag) | Event::Empty(tag) => {
                    let name = String::from_utf8(tag.name().as_ref().to_vec()).unwrap();
                    let known = [
                        "testsuites",
                        "testsuite",
                        "testcase",
                        "failure",
                        "error",
                        "skipped",
                        "properties",
                        "property",
                        "system-out",
                        "system-err",
                    ];
                    assert!(known.contains(&&*name), "{name}");
                    cases += usize::from(name == "testcase");
                    let count = tag.attributes().map(Result::unwrap);
                    let count = count.filter(|attribute| attribute.key.as_ref() == b"tests");
                    if name == "testsuites" {
                        said = count
                            .map(|attribute| String::from_utf8(attribute.value.to_vec()).unwrap())
                            .collect();
                    }
                }
                _ => {}
            }
        }
        assert!(cases > 0);
        assert_eq!(said, cases.to_string());
    }
}

#[test]
fn no_cell_of_a_csv_is_a_formula() {
    for report in [report(), attacked()] {
        let text = csv(&report);
        harmless(&text);
        let mut rows = 0;
        for row in ::csv::Reader::from_reader(text.as_bytes()).records() {
            rows += 1;
            for cell in &row.unwrap() {
                assert!(
                    !cell.trim_start().starts_with(['=', '+', '@', '-']),
                    "{cell}"
                );
            }
        }
        assert!(rows >= report.rules.len());
    }
}

#[test]
fn metrics_are_read_by_others() {
    for report in [report(), attacked()] {
        let text = openmetrics(&report);
        harmless(&text);
        openmetrics_parser::openmetrics::parse_openmetrics(&text).unwrap();
        // Names of a cluster's objects are no labels: there would be no end of them.
        assert!(!text.contains("cart"));
    }
}

#[test]
fn policy_reports_are_what_the_server_takes() {
    for report in [report(), attacked()] {
        for (text, [one, all]) in [
            (
                policyreport(&report),
                ["policyreport", "clusterpolicyreport"],
            ),
            (
                openreports(&report),
                ["openreports-report", "openreports-clusterreport"],
            ),
        ] {
            assert!(!text.contains(['\u{1b}', '\u{7}', '\u{9b}']));
            let documents: Vec<Value> = serde_saphyr::from_multiple(&text).unwrap();
            assert!(!documents.is_empty());
            for document in documents {
                let kind = document["kind"].as_str().unwrap();
                let schema = schema(if kind.starts_with("Cluster") {
                    all
                } else {
                    one
                });
                valid(&document, &closed(schema));
                let name = document["metadata"]["name"].as_str().unwrap();
                let legal =
                    |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '.';
                assert!(name.chars().all(legal) && name.len() <= 253, "{name}");
            }
        }
    }
}

#[test]
fn nothing_in_a_comment_is_markup_of_others() {
    let tags = [
        "details", "/details", "summary", "/summary", "code", "/code", "sub", "/sub", "!--",
    ];
    for report in [report(), attacked()] {
        let text = comment(&report);
        harmless(&text);
        assert!(text.chars().count() <= 65_536);
        for event in Parser::new_ext(&text, Options::all()) {
            match event {
                Event::Html(html) | Event::InlineHtml(html) => {
                    for tag in html.split('<').skip(1) {
                        let name = tag.split(['>', ' ']).next().unwrap();
                        assert!(tags.contains(&name), "{html}");
                    }
                }
                Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                    assert!(!dest_url.contains("evil"), "{dest_url}");
                }
                Event::Text(words) => {
                    assert!(
                        !words.contains("https://evil") && !words.contains("@team"),
                        "{words}"
                    );
                }
                _ => {}
            }
        }
    }
    // However much there is to say.
    let mut long = report();
    let rule = long.gaps().next().unwrap().clone();
    for number in 0..3000 {
        let mut more = rule.clone();
        more.id = format!("rule-{number}").as_str().into();
        long.gaps.push(long.rules.len());
        long.rules.push(more);
    }
    let text = comment(&long);
    let length = text.chars().count();
    assert!(length <= 65_536, "{length}");
    assert!(text.contains("left out"), "{length}");
}
