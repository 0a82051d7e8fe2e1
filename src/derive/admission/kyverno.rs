//! Kyverno's policies: `ClusterPolicy` and `Policy`, whose rules have patterns, and the newer
//! kinds of `policies.kyverno.io`, whose rules are CEL.

mod filters;
mod rules;

use super::{
    controls::Control,
    items, native, objects,
    policy::{Action, Effects, Part, Policy, images_missed},
    scope::Scope,
    text, texts,
};
use crate::model::{Inventory, Node, Object};
use filters::Exception;

const GROUP: &str = "kyverno.io";
const POLICIES: &str = "policies.kyverno.io";

/// Every policy of Kyverno's.
pub(super) fn policies(inventory: &Inventory) -> impl Iterator<Item = Policy<'_>> {
    let exceptions = objects(inventory, GROUP, "PolicyException").iter();
    let exceptions: Vec<Exception<'_>> = exceptions.flat_map(filters::exceptions).collect();
    let with_rules = ["ClusterPolicy", "Policy"]
        .into_iter()
        .flat_map(|kind| objects(inventory, GROUP, kind))
        .map(move |policy| of_rules(policy, &exceptions));
    let of = |kind: &'static str| objects(inventory, POLICIES, kind).iter();
    let validating = of("ValidatingPolicy").chain(of("NamespacedValidatingPolicy"));
    let images = of("ImageValidatingPolicy").chain(of("NamespacedImageValidatingPolicy"));
    with_rules
        .chain(validating.map(of_validations))
        .chain(images.map(of_images))
        .chain(of("GeneratingPolicy").map(of_generators))
}

fn of_rules<'a>(policy: &'a Object, exceptions: &[Exception<'a>]) -> Policy<'a> {
    let nothing = &Node::Null;
    let spec = policy.root.get("spec").unwrap_or(nothing);
    let annotated = Control::annotated(policy);
    let mut names = vec![policy.name()];
    names.extend(
        items(spec, &["rules"])
            .iter()
            .map(|rule| text(rule, &["name"])),
    );
    let promised = match annotated.is_empty() {
        true => Control::named(&names),
        false => annotated,
    };
    let mut described = start(policy, promised);
    for rule in items(spec, &["rules"]) {
        let name = text(rule, &["name"]);
        let excepted = exceptions
            .iter()
            .filter(|exception| exception.is_of(policy, name))
            .map(|exception| exception.scope.clone());
        let mut scope = vec![
            filters::scope(rule, &mut described.notes),
            Scope::Not(Box::new(Scope::Any(excepted.collect()))),
        ];
        scope.extend(
            policy
                .namespace()
                .map(|namespace| Scope::Named(vec![namespace])),
        );
        let effects = rules::effects(rule, &described.promised, &mut described.notes);
        let (action, overrides) = action(spec, rule);
        described.parts.push(Part {
            scope: Scope::All(scope),
            action,
            overrides,
            effects,
        });
    }
    if text(spec, &["failurePolicy"]) == "Ignore" {
        let note = "what it is against gets in while Kyverno does not answer (failurePolicy)";
        described.notes.push(note.to_owned());
    }
    described.notes.dedup();
    described
}

fn start<'a>(policy: &'a Object, promised: Vec<Control>) -> Policy<'a> {
    let conditions = items(&policy.root, &["status", "conditions"]).iter();
    let not_ready = conditions
        .filter(|condition| text(condition, &["type"]) == "Ready")
        .find(|condition| text(condition, &["status"]) == "False");
    Policy {
        engine: "kyverno",
        kind: &policy.kind.kind,
        namespace: policy.namespace(),
        name: policy.name(),
        parts: Vec::new(),
        broken: not_ready.map(|condition| match text(condition, &["message"]) {
            "" => "Kyverno says that it is not ready".to_owned(),
            message => format!("Kyverno says that it is not ready: {message}"),
        }),
        notes: Vec::new(),
        promised,
    }
}

/// What a rule does, and where it does something else. A rule's own word counts more than its
/// policy's; neither says anything, it audits.
fn action<'a>(spec: &'a Node, rule: &'a Node) -> (Action, Vec<(Scope<'a>, Action)>) {
    if rule.get("generate").is_some() {
        return (Action::Block, Vec::new());
    }
    let verified = items(rule, &["verifyImages"]).first();
    let own = [rule.get("validate"), verified].into_iter().flatten();
    let mut own = own.filter(|part| part.get("failureAction").is_some());
    let (word, overrides) = match own.next() {
        Some(part) => (
            text(part, &["failureAction"]),
            items(part, &["failureActionOverrides"]),
        ),
        None => (
            text(spec, &["validationFailureAction"]),
            items(spec, &["validationFailureActionOverrides"]),
        ),
    };
    let at_admission = spec.get("admission").and_then(Node::as_bool) != Some(false);
    let action = |word: &str| match word.eq_ignore_ascii_case("enforce") && at_admission {
        true => Action::Block,
        false => Action::Audit,
    };
    let overrides = overrides.iter().map(|other| {
        let mut scope = Vec::new();
        if !items(other, &["namespaces"]).is_empty() {
            scope.push(Scope::Named(texts(other, &["namespaces"])));
        }
        scope.extend(other.get("namespaceSelector").map(Scope::Labelled));
        (Scope::All(scope), action(text(other, &["action"])))
    });
    (action(word), overrides.collect())
}

/// `ValidatingPolicy`: a ValidatingAdmissionPolicy that brings its own action.
fn of_validations(policy: &Object) -> Policy<'_> {
    let nothing = &Node::Null;
    let spec = policy.root.get("spec").unwrap_or(nothing);
    let mut described = start(policy, native::promised(policy));
    let (effects, notes) = native::judged(spec, &described.promised);
    described.notes = notes;
    described.parts.push(Part {
        scope: constrained(policy, spec),
        action: validation_action(spec),
        overrides: Vec::new(),
        effects,
    });
    described
}

/// `ImageValidatingPolicy`: signatures of images.
fn of_images(policy: &Object) -> Policy<'_> {
    let nothing = &Node::Null;
    let spec = policy.root.get("spec").unwrap_or(nothing);
    let mut described = start(policy, vec![Control::VerifySignatures]);
    let globs = items(spec, &["matchImageReferences"]).iter();
    let globs: Vec<&str> = globs.map(|image| text(image, &["glob"])).collect();
    let mut effects = Effects::default();
    match items(spec, &["attestors"]).is_empty() {
        true => described.broken = Some("it names nobody who signs (attestors)".to_owned()),
        false => {
            effects
                .sees_to
                .insert(Control::VerifySignatures, images_missed(&globs));
        }
    }
    described.parts.push(Part {
        scope: constrained(policy, spec),
        action: validation_action(spec),
        overrides: Vec::new(),
        effects,
    });
    described
}

/// `GeneratingPolicy`: what it makes is told by what it writes.
fn of_generators(policy: &Object) -> Policy<'_> {
    let mut described = start(policy, native::promised(policy));
    let makes_policies = items(&policy.root, &["spec", "generate"])
        .iter()
        .chain(items(&policy.root, &["spec", "variables"]))
        .any(|part| text(part, &["expression"]).contains("NetworkPolicy"));
    let mut effects = Effects::default();
    if makes_policies || described.promised.contains(&Control::RequireNetpol) {
        effects.sees_to.insert(Control::RequireNetpol, None);
    }
    described.parts.push(Part {
        scope: Scope::Everywhere,
        action: Action::Block,
        overrides: Vec::new(),
        effects,
    });
    described
}

fn validation_action(spec: &Node) -> Action {
    let at_admission = spec.at(&["evaluation", "admission", "enabled"]);
    match at_admission.and_then(Node::as_bool) {
        Some(false) => Action::Audit,
        // Unlike the API server, Kyverno denies unless told otherwise.
        _ if items(spec, &["validationActions"]).is_empty() => Action::Block,
        _ => native::sternest(&texts(spec, &["validationActions"])),
    }
}

fn constrained<'a>(policy: &'a Object, spec: &'a Node) -> Scope<'a> {
    let of_objects = spec.at(&["matchConstraints", "objectSelector"]);
    if of_objects
        .and_then(Node::as_map)
        .is_some_and(|selector| !native::is_empty(selector))
    {
        return Scope::NOWHERE;
    }
    let selector = spec.at(&["matchConstraints", "namespaceSelector"]);
    let own = policy
        .namespace()
        .map(|namespace| Scope::Named(vec![namespace]));
    Scope::All(
        selector
            .map(Scope::Labelled)
            .into_iter()
            .chain(own)
            .collect(),
    )
}
