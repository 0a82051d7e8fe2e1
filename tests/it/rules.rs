//! The embedded rules as a set: every one loads, and every example shows what it says.

use seaworthy::{evaluate::examples, plan, rule};

#[test]
fn every_example_shows_what_it_says() {
    let loaded = rule::load(&[]).unwrap_or_else(|problems| {
        let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
        panic!("{}", lines.join("\n"));
    });
    let mut wrong = Vec::new();
    for rule in loaded.rules.iter() {
        for failure in examples::run(&loaded.rules, rule) {
            wrong.push(format!(
                "{}:{}: example {}: {}",
                rule.file, failure.line, failure.number, failure.message
            ));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} wrong:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

/// What no rule needs never enters memory: rules read fields, and none of them reads an object, its
/// spec or its data as a whole.
#[test]
fn no_rule_reads_objects_as_a_whole() {
    let loaded = rule::load(&[]).unwrap();
    let mut whole = Vec::new();
    for rule in loaded.rules.iter() {
        let alone = loaded.rules.filtered(|other| other.id == rule.id);
        for request in plan::plan(&alone).kinds {
            let root = &request.projection;
            let below = |name: &str| root.fields.get(name).is_some_and(|branch| branch.all);
            for part in ["spec", "status", "data", "metadata"] {
                if root.all || below(part) {
                    whole.push(format!("{} reads {part} of {}", rule.id, request.query));
                }
            }
        }
    }
    assert!(whole.is_empty(), "{}", whole.join("\n"));
}
