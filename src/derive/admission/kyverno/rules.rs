//! What a rule checks: its pattern and its CEL are tried, the rest is told by its form.

use std::sync::Arc;

use super::{Control, Effects, filters, items, text, texts};
use crate::{
    derive::admission::{
        expressions::{self, Validations},
        native::pod_security,
        pattern::{Fit, fit},
        policy::images_missed,
        probes::{REGISTRY, Shape},
    },
    model::Node,
};

/// What a rule does to workloads, namespaces and images.
pub(super) fn effects(rule: &Node, promised: &[Control], notes: &mut Vec<String>) -> Effects {
    if let Some(validate) = rule.get("validate") {
        return validation(rule, validate, promised, notes);
    }
    let mut effects = Effects::default();
    if let Some(generate) = rule.get("generate") {
        let kinds = [
            text(generate, &["kind"]),
            text(generate, &["cloneList", "kinds"]),
        ];
        if kinds.iter().any(|kind| kind.ends_with("NetworkPolicy")) {
            effects.sees_to.insert(Control::RequireNetpol, None);
        }
    }
    for verified in items(rule, &["verifyImages"]) {
        let signed = !items(verified, &["attestors"]).is_empty() || verified.get("key").is_some();
        let required = verified.get("required").and_then(Node::as_bool) != Some(false);
        if signed && required {
            let mut globs = texts(verified, &["imageReferences"]);
            globs.extend(verified.get("image").and_then(Node::as_str));
            effects
                .sees_to
                .insert(Control::VerifySignatures, images_missed(&globs));
        } else {
            notes.push("it verifies images without asking for a signature".to_owned());
        }
    }
    effects
}

fn validation(
    rule: &Node,
    validate: &Node,
    promised: &[Control],
    notes: &mut Vec<String>,
) -> Effects {
    let shapes = filters::shapes(rule);
    if filters::is_about_namespaces(rule) && promised.contains(&Control::RequireNetpol) {
        let mut effects = Effects::default();
        let by_label = validate.get("pattern").is_some() || validate.get("anyPattern").is_some();
        let half = by_label.then(|| "it looks at a label of the Namespace only".to_owned());
        effects.sees_to.insert(Control::RequireNetpol, half);
        return effects;
    }
    if let Some(standard) = validate.get("podSecurity") {
        return by_standard(standard, &shapes, notes);
    }
    match tried(rule, validate, &shapes) {
        Ok(effects) => effects,
        Err(why) => {
            // What the rule is called counts more than what its policy is.
            let named = Control::named(&[text(rule, &["name"])]);
            let controls = if named.is_empty() {
                promised.to_vec()
            } else {
                named
            };
            if !controls.is_empty() {
                notes.push(format!("taken at its word: {why}"));
            }
            Effects::of_controls(controls, &shapes)
        }
    }
}

/// `podSecurity`: a whole standard, without the controls that are excluded.
fn by_standard(standard: &Node, shapes: &[Shape], notes: &mut Vec<String>) -> Effects {
    let mut controls = pod_security(text(standard, &["level"])).to_vec();
    for excluded in items(standard, &["exclude"]) {
        let name = text(excluded, &["controlName"]);
        let control = match name {
            "Privileged Containers" => Control::DenyPrivileged,
            "Running as Non-root" | "Running as Non-root user" => Control::RequireNonRoot,
            "Privilege Escalation" => Control::DenyPrivilegeEscalation,
            "Capabilities" => Control::DropAllCapabilities,
            _ => continue,
        };
        match items(excluded, &["images"]).is_empty() {
            true => controls.retain(|kept| *kept != control),
            false => notes.push(format!("it excludes some images from {name}")),
        }
    }
    Effects::of_controls(controls, shapes)
}

fn tried(rule: &Node, validate: &Node, shapes: &[Shape]) -> Result<Effects, String> {
    if let Some(cel) = validate.get("cel") {
        let nothing = Node::List(Box::default());
        let part = |node: &Node, field: &str| node.get(field).unwrap_or(&nothing).clone();
        let fields = [
            ("matchConditions", part(rule, "celPreconditions")),
            ("validations", part(cel, "expressions")),
            ("variables", part(cel, "variables")),
        ];
        let fields = fields
            .into_iter()
            .map(|(name, node)| (Arc::from(name), node));
        return Validations::compile(&Node::Map(fields.collect()))?.effects(shapes);
    }
    let patterns: Vec<&Node> = match (validate.get("pattern"), validate.get("anyPattern")) {
        (Some(pattern), _) => vec![pattern],
        (None, Some(any)) => any.items().iter().collect(),
        (None, None) => return Err("its conditions are not patterns".to_owned()),
    };
    let mut registries = vec![REGISTRY.to_owned()];
    for pattern in &patterns {
        images(pattern, &mut registries, 0)?;
    }
    if rule.get("preconditions").is_some() {
        return Err("it has preconditions in JMESPath".to_owned());
    }
    let accepts = &mut |_: Shape, object: &Node| {
        let mut fits = patterns.iter().map(|pattern| fit(object, pattern));
        Ok(fits.any(|fit| fit != Fit::Differs))
    };
    Effects::tried(shapes, &registries, accepts)
}

/// Collects the registries that a pattern names.
///
/// # Errors
/// That it has variables in JMESPath.
fn images(pattern: &Node, found: &mut Vec<String>, depth: usize) -> Result<(), String> {
    match pattern {
        Node::String(text) if text.contains("{{") => {
            Err("its pattern has variables in JMESPath".to_owned())
        }
        Node::Map(fields) if depth < 32 => fields.iter().try_for_each(|(name, pattern)| {
            if let (true, Some(text)) = (name.contains("image"), pattern.as_str()) {
                found.extend(text.split(['|', '&']).filter_map(expressions::registry));
            }
            images(pattern, found, depth + 1)
        }),
        Node::List(patterns) if depth < 32 => patterns
            .iter()
            .try_for_each(|pattern| images(pattern, found, depth + 1)),
        _ => Ok(()),
    }
}
