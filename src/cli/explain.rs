//! `seaworthy explain`

use std::{
    fmt::Write as _,
    io::{self, stderr},
};

use super::{
    args::{ExplainArgs, options},
    audit::report,
    diagnostics,
    exit::Exit,
    output,
    progress::Bar,
};
use crate::{
    audit,
    model::{Node, Untrusted},
    report,
    rule::{self, Expectation, Rule, RuleSet},
};

/// Prints a rule's documentation and, where a source is named, what it finds there.
pub fn run(arguments: &ExplainArgs) -> io::Result<Exit> {
    let failed = |error: &audit::Error| {
        let undone = "there is nothing to explain";
        Ok(diagnostics::failed(
            undone,
            error,
            output::colour(&stderr()),
        ))
    };
    let rules = match rule::load(&arguments.yardstick.rules.directories) {
        Ok(loaded) => loaded.rules,
        Err(problems) => return failed(&problems.into()),
    };
    let Some(rule) = rules.find(&arguments.rule) else {
        output::to_stderr(&no_such_rule(&arguments.rule, &rules));
        return Ok(Exit::BadInput);
    };
    // The audit first: where it fails, nothing is half printed.
    let mut text = page(rule);
    if arguments.source.is_named() {
        // All rules are audited: a rule's points depend on its neighbours.
        let options = options(&arguments.source, &arguments.yardstick, &arguments.clock);
        match audit::audit(&options, Bar::show(false)) {
            Ok(audit) => match report::explain(&report(&audit), &rule.id) {
                Some(found) => text.push_str(&found),
                None => text.push_str("The audit leaves it out: see --only and --skip.\n"),
            },
            Err(error) => return failed(&error),
        }
    }
    output::to_stdout(&text)?;
    Ok(Exit::Done)
}

/// Says that a rule is not there, and which one was perhaps meant.
fn no_such_rule(name: &str, rules: &RuleSet) -> String {
    let similar = rules
        .iter()
        .map(|rule| (strsim::jaro_winkler(name, &rule.id), &rule.id))
        .filter(|(similarity, _)| *similarity > 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0));
    let help = match similar {
        Some((_, id)) => format!("did you mean `{id}`?"),
        None => "see `seaworthy rules list`".to_owned(),
    };
    let name = Untrusted::from(name).visible();
    format!("there is no rule `{name}`; {help}\n")
}

/// A rule's documentation for a terminal; [`rule::rule_page`] is the same for the web.
fn page(rule: &Rule) -> String {
    let mut out = format!("{}\n{}\n\n", rule.id, rule.title);
    let about = rule::about(&rule.subject).replace('`', "");
    let effort = match rule.effort.cost() {
        1 => "under a day",
        3 => "under a week",
        _ => "more than a week",
    };
    let mut facts = vec![
        ("Severity", rule.severity.to_string()),
        ("Effort", format!("{} ({effort})", rule.effort)),
        ("Theme", format!("{} / {}", rule.category, rule.theme)),
        ("About", about),
        ("Since", rule.since.clone()),
    ];
    if !rule.requires.is_empty() {
        facts.push(("Fix first", rule.requires.join(", ")));
    }
    for (name, value) in facts {
        let _ = writeln!(out, "{name:10} {value}");
    }
    let _ = writeln!(out, "\nWhy\n{}", indented(&rule.why));
    let _ = writeln!(out, "\nFix\n{}", indented(&rule.fix));
    if let Some(when) = &rule.when {
        let _ = writeln!(out, "\nApplies where\n{}", indented(when.source()));
    }
    let _ = writeln!(
        out,
        "\nPasses where\n{}",
        indented(rule.expression.source())
    );
    for partial in &rule.partial {
        let expression = indented(partial.expression.source());
        let _ = writeln!(out, "\nEarns {} where\n{expression}", partial.credit);
    }
    if !rule.params.is_empty() {
        out.push_str("\nParameters\n");
        for (name, param) in &rule.params {
            let mut values = value(&param.default);
            for (profile, own) in &param.profiles {
                let _ = write!(values, ", {profile} {}", value(own));
            }
            let _ = writeln!(out, "  {name} = {values}: {}", param.description.trim());
        }
    }
    let counted = |wanted: fn(&Expectation) -> bool| {
        let examples = rule.examples.iter();
        examples.filter(|example| wanted(&example.expect)).count()
    };
    let passing = counted(|expect| *expect == Expectation::Pass);
    let _ = writeln!(
        out,
        "\n{} examples ({passing} of them pass): seaworthy rules docs --only {}",
        rule.examples.len(),
        rule.id
    );
    if !rule.references.is_empty() {
        let _ = writeln!(
            out,
            "\nReferences\n{}",
            indented(&rule.references.join("\n"))
        );
    }
    out.push('\n');
    // A rule of one's own is a file like any other: nothing in it may steer the terminal.
    let lines = out.lines().map(|line| Untrusted::from(line).visible());
    lines
        .map(|line| line.trim_end().to_owned() + "\n")
        .collect()
}

fn value(node: &Node) -> String {
    match node {
        Node::String(text) => text.to_string(),
        other => serde_json::Value::from(other).to_string(),
    }
}

fn indented(text: &str) -> String {
    let lines: Vec<String> = text
        .trim()
        .lines()
        .map(|line| format!("  {line}"))
        .collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_embedded_rule_has_a_page() {
        for rule in rule::load(&[]).unwrap().rules.iter() {
            let page = page(rule);
            for part in [&*rule.id, "\nWhy\n", "\nFix\n", "\nPasses where\n"] {
                assert!(page.contains(part), "{}: no {part:?}", rule.id);
            }
        }
    }

    #[test]
    fn a_name_that_is_nearly_right_is_told() {
        let rules = rule::load(&[]).unwrap().rules;
        let told = no_such_rule("wl-probe-configured", &rules);
        assert!(
            told.contains("did you mean `wl-probes-configured`?"),
            "{told}"
        );
        let told = no_such_rule("\u{1b}[2J", &rules);
        assert!(
            told.contains("rules list") && !told.contains('\u{1b}'),
            "{told}"
        );
    }
}
