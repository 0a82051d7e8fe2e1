//! What is refused where, put together from all engines.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde_json::{Value, json};

use super::{
    controls::Control,
    engines::Engine,
    gatekeeper, items, kyverno, native, objects,
    policy::{Action, Effects, Part, Place, Policy, images_missed, numbered},
    probes::Shape,
    scope::Scope,
    text,
};
use crate::model::{Inventory, Node, known};

/// Ready replicas where nothing can show them: as many as anybody may ask for.
const UNSEEN: i64 = i64::MAX;

/// How many names are told of a list that may be long.
const SHOWN: usize = 5;

/// The policies of every engine.
pub(super) fn policies_of(inventory: &Inventory) -> Vec<Policy<'_>> {
    kyverno::policies(inventory)
        .chain(gatekeeper::policies(inventory))
        .chain(native::policies(inventory))
        .chain(native::pod_security_labels(inventory))
        .chain(signatures(inventory))
        .collect()
}

/// Policies of sigstore's controller, which holds in namespaces that ask for it.
fn signatures(inventory: &Inventory) -> impl Iterator<Item = Policy<'_>> {
    let policies = objects(inventory, "policy.sigstore.dev", "ClusterImagePolicy");
    policies.iter().map(|policy| {
        let signed = !items(&policy.root, &["spec", "authorities"]).is_empty();
        let mut effects = Effects::default();
        if signed {
            let globs = items(&policy.root, &["spec", "images"]).iter();
            let globs: Vec<&str> = globs.map(|image| text(image, &["glob"])).collect();
            let missed = images_missed(&globs);
            effects.sees_to.insert(Control::VerifySignatures, missed);
        }
        let part = Part {
            scope: Scope::HasLabel("policy.sigstore.dev/include", "true"),
            action: match text(&policy.root, &["spec", "mode"]) {
                "warn" => Action::Audit,
                _ => Action::Block,
            },
            overrides: Vec::new(),
            effects,
        };
        Policy {
            engine: "sigstore",
            kind: &policy.kind.kind,
            namespace: None,
            name: policy.name(),
            parts: vec![part],
            broken: (!signed).then(|| "it names nobody who signs (authorities)".to_owned()),
            notes: Vec::new(),
            promised: vec![Control::VerifySignatures],
        }
    })
}

/// The namespaces that are known, by their objects or by what is in them.
pub(super) fn places(inventory: &Inventory) -> Vec<Place<'_>> {
    let mut places: BTreeMap<&str, Option<&Node>> = BTreeMap::new();
    for kind in known::workload_kinds() {
        for object in inventory.objects(&kind.group_kind()) {
            places.insert(object.namespace().unwrap_or("default"), None);
        }
    }
    for namespace in objects(inventory, "", "Namespace") {
        let labels = namespace.root.at(&["metadata", "labels"]);
        places.insert(namespace.name(), labels);
    }
    let places = places.into_iter();
    places
        .map(|(name, labels)| Place { name, labels })
        .collect()
}

/// How far something holds: what happens to it, and what goes by it all the same.
#[derive(Clone, Debug, Default)]
struct Held {
    /// 0, 0.5 or 1.
    credit: f64,
    /// The policies that do it, and how.
    by: BTreeSet<String>,
    notes: BTreeSet<String>,
}

fn credit(action: Action) -> f64 {
    match action {
        Action::None => 0.0,
        Action::Audit => 0.5,
        Action::Block => 1.0,
    }
}

/// Everything that is known before a namespace is looked at.
struct Admission<'a> {
    policies: Vec<Policy<'a>>,
    /// The policies, by their number, that have to do with a control.
    about: HashMap<Control, Vec<usize>>,
    engines: HashMap<&'static str, Engine<'a>>,
}

impl<'a> Admission<'a> {
    fn of(inventory: &'a Inventory) -> Self {
        let engines = Engine::all(inventory).into_iter();
        let policies = policies_of(inventory);
        let mut about: HashMap<Control, Vec<usize>> = HashMap::new();
        for (number, policy) in policies.iter().enumerate() {
            for control in policy.about() {
                about.entry(control).or_default().push(number);
            }
        }
        Admission {
            policies,
            about,
            engines: engines.map(|engine| (engine.name, engine)).collect(),
        }
    }

    /// Why an engine does nothing in a namespace.
    fn idle(&self, engine: &str, place: &Place<'_>) -> Option<String> {
        self.engines.get(engine)?.idle(place)
    }

    /// How far a control holds in a namespace.
    fn held(&self, control: Control, place: &Place<'_>) -> Held {
        let mut held = Held::default();
        let mut refused: HashMap<(usize, Shape), Action> = HashMap::new();
        let mut seen_to = (Action::None, None);
        let about = self.about.get(&control).into_iter().flatten();
        for policy in about.map(|number| &self.policies[*number]) {
            if let Some(why) = policy
                .broken
                .clone()
                .or_else(|| self.idle(policy.engine, place))
            {
                held.notes.insert(format!("{}: {why}", policy.title()));
                continue;
            }
            let mut most = Action::None;
            for (effects, action) in policy.effects(place) {
                for (number, _) in numbered(control) {
                    for shape in Shape::ALL {
                        if effects.refuses.contains(&(number, shape)) {
                            let before = refused.entry((number, shape)).or_insert(Action::None);
                            *before = action.max(*before);
                            most = most.max(action);
                        }
                    }
                }
                if let Some(half) = effects.sees_to.get(&control) {
                    most = most.max(action);
                    if seen_to.0 < action || (seen_to.0 == action && half.is_none()) {
                        seen_to = (action, half.clone());
                    }
                }
                let remarks = effects
                    .notes
                    .iter()
                    .map(|note| format!("{}: {note}", policy.title()));
                held.notes.extend(remarks);
            }
            let remarks = policy
                .notes
                .iter()
                .map(|note| format!("{}: {note}", policy.title()));
            held.notes.extend(remarks);
            let does = match most {
                Action::None => continue,
                Action::Audit => "only audits",
                Action::Block => "blocks",
            };
            held.by.insert(format!("{} {does}", policy.title()));
        }
        held.credit = match numbered(control).next() {
            Some(_) => tried(control, &refused, &mut held.notes),
            None => match seen_to {
                (action, None) => credit(action),
                (action, Some(half)) => {
                    held.notes.insert(half);
                    credit(action).min(0.5)
                }
            },
        };
        held
    }
}

/// What the refusals of a control's probes are worth together.
fn tried(
    control: Control,
    refused: &HashMap<(usize, Shape), Action>,
    notes: &mut BTreeSet<String>,
) -> f64 {
    let mut worth: f64 = 0.0;
    for (order, (number, probe)) in numbered(control).enumerate() {
        let of = |shape: Shape| {
            credit(
                refused
                    .get(&(number, shape))
                    .copied()
                    .unwrap_or(Action::None),
            )
        };
        let pod = of(Shape::Pod);
        let workloads = [Shape::Deployment, Shape::StatefulSet, Shape::DaemonSet];
        let some = workloads.iter().map(|shape| of(*shape)).fold(0.0, f64::max);
        let all = workloads.iter().map(|shape| of(*shape)).fold(1.0, f64::min);
        let mut found = pod.max(all);
        if found < some {
            found = some.min(0.5);
            let missed = workloads.iter().filter(|shape| of(**shape) == 0.0);
            let missed: Vec<&str> = missed.map(|shape| shape.kind()).collect();
            notes.insert(format!(
                "nothing looks at {} or lone Pods",
                missed.join(", ")
            ));
        }
        if order == 0 {
            worth = found;
        } else if found < worth {
            debug_assert!(probe.minor);
            worth = worth.min(0.5);
            notes.insert(format!("lets through {}", probe.what));
        }
    }
    worth
}

/// One object for each namespace with workloads.
pub(super) fn admissions(inventory: &Inventory) -> Vec<Node> {
    let admission = Admission::of(inventory);
    let mut workloads: HashMap<&str, usize> = HashMap::new();
    for kind in known::workload_kinds() {
        for object in inventory.objects(&kind.group_kind()) {
            if !object.is_owned_by_workload() {
                *workloads
                    .entry(object.namespace().unwrap_or("default"))
                    .or_default() += 1;
            }
        }
    }
    let defaults = limit_ranges(inventory);
    places(inventory)
        .iter()
        .map(|place| {
            let controls: serde_json::Map<String, Value> = Control::ALL
                .into_iter()
                .map(|control| {
                    let mut held = admission.held(control, place);
                    if control == Control::RequireLimits
                        && let Some(name) = defaults.get(place.name)
                    {
                        held = Held::default();
                        held.credit = 1.0;
                        held.by
                            .insert(format!("LimitRange {name} gives limits to all"));
                    }
                    (control.id().to_owned(), described(held))
                })
                .collect();
            let metadata = json!({"name": "admission", "namespace": place.name});
            Node::from(json!({
                "metadata": metadata,
                "spec": {
                    "workloads": workloads.get(place.name).copied().unwrap_or(0),
                    "controls": controls,
                    "engines": engines(&admission, place),
                },
            }))
        })
        .collect()
}

fn described(held: Held) -> Value {
    let shorten = |texts: BTreeSet<String>| texts.into_iter().take(SHOWN).collect::<Vec<String>>();
    json!({"credit": held.credit, "by": shorten(held.by), "notes": shorten(held.notes)})
}

/// LimitRanges that give every container limits for CPU and memory, by namespace.
fn limit_ranges(inventory: &Inventory) -> HashMap<&str, &str> {
    let gives_both = |range: &Node| {
        items(range, &["spec", "limits"]).iter().any(|limit| {
            let of_containers = text(limit, &["type"]) == "Container";
            let default = |resource: &str| limit.at(&["default", resource]).is_some();
            of_containers && default("memory") && default("cpu")
        })
    };
    objects(inventory, "", "LimitRange")
        .iter()
        .filter(|range| gives_both(&range.root))
        .filter_map(|range| Some((range.namespace()?, range.name())))
        .collect()
}

/// The engines that look at a namespace, those that do not and why.
fn engines(admission: &Admission<'_>, place: &Place<'_>) -> Vec<Value> {
    let mut found: BTreeMap<&str, Value> = BTreeMap::new();
    for policy in &admission.policies {
        let active = policy.effects(place).next().is_some();
        let entry = found.entry(policy.engine).or_insert_with(|| {
            let engine = admission.engines.get(policy.engine);
            json!({
                "name": policy.engine,
                "builtIn": engine.is_none(),
                "ready": engine.and_then(|engine| engine.ready).unwrap_or(UNSEEN),
                "idle": admission.idle(policy.engine, place).unwrap_or_default(),
                "policies": 0,
            })
        });
        if active {
            entry["policies"] = json!(entry["policies"].as_i64().unwrap_or(0) + 1);
        }
    }
    for engine in admission.engines.values().filter(|engine| engine.installed) {
        found.entry(engine.name).or_insert_with(|| {
            json!({
                "name": engine.name, "builtIn": false, "ready": engine.ready.unwrap_or(UNSEEN),
                "idle": engine.idle(place).unwrap_or_default(), "policies": 0,
            })
        });
    }
    found.into_values().collect()
}

/// One object for each policy that implements a control, or promises to.
pub(super) fn policies(inventory: &Inventory) -> Vec<Node> {
    let admission = Admission::of(inventory);
    let places = places(inventory);
    admission
        .policies
        .iter()
        .filter(|policy| !policy.promised.is_empty() || !policy.implements().is_empty())
        .map(|policy| {
            let mut blocks: Vec<&str> = Vec::new();
            let mut audits: Vec<&str> = Vec::new();
            let mut idle = policy.broken.clone();
            for place in &places {
                if let Some(why) = admission.idle(policy.engine, place) {
                    idle.get_or_insert(why);
                    continue;
                }
                match policy.effects(place).map(|(_, action)| action).max() {
                    Some(Action::Block) => blocks.push(place.name),
                    Some(Action::Audit) => audits.push(place.name),
                    Some(Action::None) | None => {}
                }
            }
            let implemented = policy.implements();
            let hollow = policy
                .promised
                .iter()
                .filter(|control| !implemented.contains(control));
            let ids = |controls: &mut dyn Iterator<Item = &Control>| -> Vec<&str> {
                controls.map(|control| control.id()).collect()
            };
            let mut metadata = json!({
                "name": format!("{}:{}:{}", policy.engine, policy.kind, policy.name),
            });
            if let Some(namespace) = policy.namespace {
                metadata["namespace"] = json!(namespace);
            }
            Node::from(json!({
                "metadata": metadata,
                "spec": {
                    "title": policy.title(),
                    "engine": policy.engine,
                    "controls": ids(&mut implemented.iter()),
                    "hollow": ids(&mut hollow.into_iter()),
                    "action": match (blocks.is_empty(), audits.is_empty()) {
                        (false, _) => "block",
                        (true, false) => "audit",
                        (true, true) => "none",
                    },
                    "blocks": blocks.len(),
                    "audits": audits.iter().take(SHOWN).collect::<Vec<_>>(),
                    "auditCount": audits.len(),
                    "idle": idle.unwrap_or_default(),
                    "notes": policy.notes,
                },
            }))
        })
        .collect()
}
