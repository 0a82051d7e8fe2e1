//! Gatekeeper's constraints. Their Rego is not run: templates of the public library are known by
//! their kind, and judged by their parameters; others by what they promise.

use super::{
    controls::Control,
    items, native, objects,
    policy::{Action, Effects, Part, Policy},
    probes::Shape,
    scope::Scope,
    text, texts,
};
use crate::model::{GroupKind, Inventory, Node, Object};

const CONSTRAINTS: &str = "constraints.gatekeeper.sh";
/// The webhook, among the places where a constraint can be enforced.
const WEBHOOK: [&str; 2] = ["validation.gatekeeper.sh", "*"];

/// Every constraint.
pub(super) fn policies(inventory: &Inventory) -> impl Iterator<Item = Policy<'_>> {
    let unwatched = unwatched(inventory);
    let constraints = |kind: &&GroupKind| &*kind.group == CONSTRAINTS;
    inventory
        .lists
        .keys()
        .filter(constraints)
        .flat_map(|kind| inventory.objects(kind))
        .map(move |constraint| described(constraint, &unwatched))
}

/// Namespaces that Gatekeeper's Config takes out of its webhook.
pub(super) fn unwatched(inventory: &Inventory) -> Vec<&str> {
    let configs = objects(inventory, "config.gatekeeper.sh", "Config").iter();
    let entries = configs.flat_map(|config| items(&config.root, &["spec", "match"]));
    entries
        .filter(|entry| {
            let processes = texts(entry, &["processes"]);
            processes
                .iter()
                .any(|process| ["*", "webhook"].contains(process))
        })
        .flat_map(|entry| texts(entry, &["excludedNamespaces"]))
        .collect()
}

fn described<'a>(constraint: &'a Object, unwatched: &[&'a str]) -> Policy<'a> {
    let nothing = &Node::Null;
    let spec = constraint.root.get("spec").unwrap_or(nothing);
    let matched = spec.get("match").unwrap_or(nothing);
    let shapes = shapes(matched);
    let mut notes = Vec::new();
    let promised = native::promised(constraint);
    let effects = match known(&constraint.kind.kind, spec, &mut notes) {
        Some(control) => Effects::of_controls(control, &shapes),
        None => Effects::of_controls(promised.iter().copied(), &shapes),
    };
    let exempt = texts(spec, &["parameters", "exemptImages"]);
    let broken = exempt
        .contains(&"*")
        .then(|| "it exempts every image".to_owned());
    if broken.is_none() && !exempt.is_empty() {
        notes.push(format!("it exempts images: {}", exempt.join(", ")));
    }
    let part = Part {
        scope: Scope::All(vec![
            scope(matched),
            Scope::Not(Box::new(Scope::Named(unwatched.to_vec()))),
        ]),
        action: action(spec),
        overrides: Vec::new(),
        effects,
    };
    Policy {
        engine: "gatekeeper",
        kind: &constraint.kind.kind,
        namespace: None,
        name: constraint.name(),
        parts: vec![part],
        broken,
        notes,
        promised,
    }
}

/// What a constraint of a template of the public library implements, by its parameters. None if
/// the template is not known.
fn known(kind: &str, spec: &Node, notes: &mut Vec<String>) -> Option<Option<Control>> {
    let parameters = |field: &str| texts(spec, &["parameters", field]);
    let holds = |control: Control, condition: bool, notes: &mut Vec<String>, why: &str| {
        if !condition {
            notes.push(why.to_owned());
        }
        condition.then_some(control)
    };
    Some(match kind {
        "K8sPSPPrivilegedContainer" => Some(Control::DenyPrivileged),
        "K8sPSPAllowPrivilegeEscalationContainer" => Some(Control::DenyPrivilegeEscalation),
        "K8sPSPReadOnlyRootFilesystem" => Some(Control::ReadOnlyRootfs),
        "K8sContainerLimits" => Some(Control::RequireLimits),
        "K8sRequiredResources" => {
            let limits = parameters("limits");
            let enough = limits.contains(&"memory");
            let why = "its parameters do not name a memory limit";
            holds(Control::RequireLimits, enough, notes, why)
        }
        "K8sPSPAllowedUsers" => {
            let rule = text(spec, &["parameters", "runAsUser", "rule"]);
            let enough = rule == "MustRunAsNonRoot";
            let why = "its parameters let user 0 run";
            holds(Control::RequireNonRoot, enough, notes, why)
        }
        "K8sPSPCapabilities" => {
            let dropped = parameters("requiredDropCapabilities");
            let enough = dropped.iter().any(|name| name.eq_ignore_ascii_case("all"));
            let why = "its parameters do not ask to drop ALL";
            holds(Control::DropAllCapabilities, enough, notes, why)
        }
        "K8sAllowedRepos" | "K8sAllowedReposv2" => {
            let field = if kind.ends_with("v2") {
                "allowedImages"
            } else {
                "repos"
            };
            let repositories = parameters(field);
            let enough = !repositories.is_empty()
                && !repositories
                    .iter()
                    .any(|repository| ["", "*"].contains(repository));
            if let Some(open) = repositories.iter().find(|prefix| is_open(prefix)) {
                notes.push(format!("{open} allows every registry whose name starts so"));
            }
            let why = "its parameters allow every registry";
            holds(Control::RestrictRegistries, enough, notes, why)
        }
        "K8sDisallowedTags" => {
            let enough = parameters("tags").contains(&"latest");
            let why = "its parameters do not name the tag latest";
            holds(Control::DenyLatestTag, enough, notes, why)
        }
        "K8sRequiredProbes" => {
            let probes = parameters("probes");
            let wanted = ["livenessProbe", "readinessProbe"];
            let enough = wanted.iter().all(|probe| probes.contains(probe));
            let why = "its parameters do not name both probes";
            holds(Control::RequireProbes, enough, notes, why)
        }
        _ => return None,
    })
}

/// Repositories are prefixes: without a slash behind its name, a registry's is that of others too.
fn is_open(repository: &str) -> bool {
    !repository.is_empty() && !repository.contains('/') && !repository.ends_with('*')
}

fn action(spec: &Node) -> Action {
    match text(spec, &["enforcementAction"]) {
        "" | "deny" => Action::Block,
        "dryrun" | "warn" => Action::Audit,
        "scoped" => items(spec, &["scopedEnforcementActions"])
            .iter()
            .filter(|scoped| {
                let points = items(scoped, &["enforcementPoints"]).iter();
                points
                    .map(|point| text(point, &["name"]))
                    .any(|point| WEBHOOK.contains(&point))
            })
            .map(|scoped| match text(scoped, &["action"]) {
                "deny" => Action::Block,
                _ => Action::Audit,
            })
            .max()
            .unwrap_or(Action::None),
        _ => Action::None,
    }
}

/// The shapes that a constraint matches; all if it does not say.
fn shapes(matched: &Node) -> Vec<Shape> {
    let kinds = items(matched, &["kinds"]);
    let about = |shape: &Shape| {
        kinds.iter().any(|entry| {
            let has = |field: &str, wanted: &str| {
                let words = texts(entry, &[field]);
                words.is_empty() || words.iter().any(|word| *word == "*" || *word == wanted)
            };
            has("apiGroups", shape.group()) && has("kinds", shape.kind())
        })
    };
    let all = Shape::ALL.into_iter();
    all.filter(|shape| kinds.is_empty() || about(shape))
        .collect()
}

fn scope(matched: &Node) -> Scope<'_> {
    let selects_some = |field: &str| {
        let selector = matched.get(field).and_then(Node::as_map);
        selector.is_some_and(|selector| !native::is_empty(selector))
    };
    let scope = text(matched, &["scope"]);
    let source = text(matched, &["source"]);
    if selects_some("labelSelector") || scope == "Cluster" || source == "Generated" {
        return Scope::NOWHERE;
    }
    if !["", "*"].contains(&text(matched, &["name"])) {
        return Scope::NOWHERE;
    }
    let mut all = Vec::new();
    let names = texts(matched, &["namespaces"]);
    if !names.is_empty() {
        all.push(Scope::Named(names));
    }
    all.push(Scope::Not(Box::new(Scope::Named(texts(
        matched,
        &["excludedNamespaces"],
    )))));
    if let Some(selector) = matched.get("namespaceSelector") {
        all.push(Scope::Labelled(selector));
    }
    Scope::All(all)
}
