//! The embedded rules as a set: every one loads, and every example shows what it says.

use seaworthy::{evaluate::examples, model::Projection, plan, rule};

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
        for request in plan::plan(&alone, &rule::default_params(&alone)).kinds {
            // Policies are small, and evaluated; what Prometheus says is as much as it was asked.
            let group = &*request.query.group;
            let kind = &*request.query.kind;
            let evaluated = group == "constraints.gatekeeper.sh"
                || [
                    "ClusterPolicy",
                    "Policy",
                    "ValidatingPolicy",
                    "NamespacedValidatingPolicy",
                    "ValidatingAdmissionPolicy",
                ]
                .contains(&kind);
            if evaluated || group == "prometheus" {
                continue;
            }
            let root = &request.projection;
            let below = |name: &str| root.fields.get(name).is_some_and(|branch| branch.all);
            for part in ["spec", "status", "data", "metadata"] {
                if root.all || below(part) {
                    whole.push(format!("{} reads {part} of {}", rule.id, request.query));
                }
            }
            if keeps_env_values(root) {
                whole.push(format!("{} reads env values of {}", rule.id, request.query));
            }
        }
    }
    assert!(whole.is_empty(), "{}", whole.join("\n"));
}

/// Whether the values of environment variables are kept anywhere below, other than as a class.
fn keeps_env_values(projection: &Projection) -> bool {
    let value = |env: &Projection| {
        let items = env.items.as_deref();
        let value = items.and_then(|item| item.fields.get("value"));
        env.all || items.is_some_and(|item| item.all) || value.is_some_and(|value| value.all)
    };
    let below = projection
        .fields
        .values()
        .chain(projection.items.as_deref())
        .chain(projection.entries.as_deref());
    let containers = ["containers", "initContainers", "ephemeralContainers"];
    let whole = containers
        .iter()
        .filter_map(|list| projection.fields.get(*list))
        .any(|list| {
            let container = list.items.as_deref();
            list.all || container.is_some_and(|container| container.all)
        });
    whole
        || projection.fields.get("env").is_some_and(value)
        || below.into_iter().any(keeps_env_values)
}

/// Rewrites the generated documentation, and fails if that changed it.
#[test]
fn the_documentation_is_that_of_the_rules() {
    let loaded = rule::load(&[]).unwrap();
    let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("rules/README.md");
    let text = rule::catalogue(&loaded.rules);
    let before = std::fs::read_to_string(&file).unwrap_or_default();
    if text != before {
        std::fs::write(&file, &text).unwrap();
        panic!("rules/README.md was out of date and has been written again; commit it");
    }
}

/// A full snapshot that is taken with the catalogue holds what the catalogue asks for.
#[test]
fn a_full_snapshot_answers_its_own_rules() {
    let loaded = rule::load(&[]).unwrap();
    let request = plan::plan(&loaded.rules, &rule::default_params(&loaded.rules));
    let whole = request.clone().whole();
    for (wanted, kept) in request.kinds.iter().zip(&whole.kinds) {
        let covered = kept.projection.covers(&wanted.projection);
        assert_eq!(covered, Ok(()), "{}", wanted.query);
    }
}
