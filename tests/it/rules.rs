//! The embedded rules as a set: every one loads, and every example shows what it says.

use seaworthy::{evaluate::examples, rule};

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
