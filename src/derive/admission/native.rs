//! What the API server refuses by itself: Pod Security Admission and ValidatingAdmissionPolicies.

use super::{
    controls::Control,
    expressions::Validations,
    items, objects,
    policy::{Action, Effects, Part, Policy},
    probes::Shape,
    scope::Scope,
    text, texts,
};
use crate::model::{Inventory, Map, Node, Object};

const GROUP: &str = "admissionregistration.k8s.io";
const LABELS: &str = "pod-security.kubernetes.io/";

/// What a Pod Security Standard refuses.
pub(super) fn pod_security(level: &str) -> &'static [Control] {
    match level {
        "baseline" => &[Control::DenyPrivileged],
        "restricted" => &[
            Control::DenyPrivileged,
            Control::RequireNonRoot,
            Control::DenyPrivilegeEscalation,
            Control::DropAllCapabilities,
        ],
        _ => &[],
    }
}

/// The Pod Security labels of every namespace that has some, as a policy each.
pub(super) fn pod_security_labels(inventory: &Inventory) -> impl Iterator<Item = Policy<'_>> {
    objects(inventory, "", "Namespace")
        .iter()
        .filter_map(|namespace| {
            let labels = namespace.root.at(&["metadata", "labels"])?;
            let level = |mode: &str| text(labels, &[&*format!("{LABELS}{mode}")]);
            let part = |mode: &str, action: Action| {
                let controls = pod_security(level(mode));
                (!controls.is_empty()).then(|| Part {
                    scope: Scope::Named(vec![namespace.name()]),
                    action,
                    overrides: Vec::new(),
                    effects: Effects::of_controls(controls.iter().copied(), &[Shape::Pod]),
                })
            };
            let parts: Vec<Part<'_>> = [
                part("enforce", Action::Block),
                part("audit", Action::Audit),
                part("warn", Action::Audit),
            ]
            .into_iter()
            .flatten()
            .collect();
            (!parts.is_empty()).then(|| Policy {
                engine: "pod-security",
                kind: "Pod Security label",
                namespace: None,
                name: namespace.name(),
                parts,
                broken: None,
                notes: Vec::new(),
                promised: Vec::new(),
            })
        })
}

/// ValidatingAdmissionPolicies, with what their bindings make of them.
pub(super) fn policies(inventory: &Inventory) -> impl Iterator<Item = Policy<'_>> {
    let bindings = objects(inventory, GROUP, "ValidatingAdmissionPolicyBinding");
    objects(inventory, GROUP, "ValidatingAdmissionPolicy")
        .iter()
        .map(move |policy| {
            let own =
                |binding: &&Object| text(&binding.root, &["spec", "policyName"]) == policy.name();
            described(policy, bindings.iter().filter(own).collect())
        })
}

fn described<'a>(policy: &'a Object, bindings: Vec<&'a Object>) -> Policy<'a> {
    let nothing = &Node::Null;
    let spec = policy.root.get("spec").unwrap_or(nothing);
    let promised = promised(policy);
    let (effects, notes) = judged(spec, &promised);
    let matched = spec.get("matchConstraints").unwrap_or(nothing);
    let parts = bindings.iter().map(|binding| {
        let narrowed = binding.root.at(&["spec", "matchResources"]);
        let scopes = [Some(matched), narrowed].into_iter().flatten().map(scope);
        let actions = texts(&binding.root, &["spec", "validationActions"]);
        Part {
            scope: Scope::All(scopes.collect()),
            action: sternest(&actions),
            overrides: Vec::new(),
            effects: effects.clone(),
        }
    });
    Policy {
        engine: "api-server",
        kind: "ValidatingAdmissionPolicy",
        namespace: None,
        name: policy.name(),
        parts: parts.collect(),
        broken: bindings.is_empty().then(|| "nothing binds it".to_owned()),
        notes,
        promised,
    }
}

/// The controls that a policy's name or annotation promises.
pub(super) fn promised(policy: &Object) -> Vec<Control> {
    match Control::annotated(policy) {
        said if said.is_empty() => Control::named(&[policy.name()]),
        said => said,
    }
}

/// What CEL validations do to the probes; where they cannot be tried, what is promised.
pub(super) fn judged(spec: &Node, promised: &[Control]) -> (Effects, Vec<String>) {
    let shapes = shapes(items(spec, &["matchConstraints", "resourceRules"]));
    let tried = Validations::compile(spec).and_then(|validations| validations.effects(&shapes));
    match tried {
        Ok(mut effects) => {
            // What probes cannot show is believed.
            let about_more = [Control::EnvRestrictions, Control::VerifySignatures];
            for control in about_more
                .iter()
                .filter(|control| promised.contains(control))
            {
                effects.sees_to.insert(*control, None);
            }
            (effects, Vec::new())
        }
        Err(why) => {
            let effects = Effects::of_controls(promised.iter().copied(), &shapes);
            (effects, vec![format!("taken at its word: {why}")])
        }
    }
}

/// The shapes that resource rules are about, when they are created.
pub(super) fn shapes(rules: &[Node]) -> Vec<Shape> {
    let about = |rule: &Node, shape: &Shape| {
        let has = |field: &str, wanted: &str| {
            let words = texts(rule, &[field]);
            words.iter().any(|word| *word == "*" || *word == wanted)
        };
        has("apiGroups", shape.group())
            && (has("resources", shape.resource()) || has("resources", "*/*"))
            && has("operations", "CREATE")
            && items(rule, &["resourceNames"]).is_empty()
    };
    let all = Shape::ALL.into_iter();
    all.filter(|shape| rules.iter().any(|rule| about(rule, shape)))
        .collect()
}

/// Where `matchConstraints` or `matchResources` hold. What looks at an object's own labels holds
/// for those objects only, so for no namespace.
fn scope(matched: &Node) -> Scope<'_> {
    let selector = matched.get("namespaceSelector");
    let of_objects = matched.get("objectSelector").and_then(Node::as_map);
    match (
        of_objects.is_some_and(|selector| !is_empty(selector)),
        selector,
    ) {
        (true, _) => Scope::NOWHERE,
        (false, Some(selector)) => Scope::Labelled(selector),
        (false, None) => Scope::Everywhere,
    }
}

/// Whether a selector has no requirement.
pub(super) fn is_empty(selector: &Map) -> bool {
    selector.iter().all(|(_, part)| match part {
        Node::Map(labels) => labels.is_empty(),
        other => other.items().is_empty(),
    })
}

/// The most that a list of `validationActions` does.
pub(super) fn sternest(actions: &[&str]) -> Action {
    let action = |word: &&str| match *word {
        "Deny" => Action::Block,
        "Audit" | "Warn" => Action::Audit,
        _ => Action::None,
    };
    actions.iter().map(action).max().unwrap_or(Action::None)
}
