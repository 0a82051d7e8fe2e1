//! `PolicyEngine`: which engines are installed, whether they run, and where they do not look.

use serde_json::json;

use super::{
    gatekeeper, items, namespaces, objects,
    policy::{Place, Policy},
    scope::Scope,
    text,
};
use crate::model::{Inventory, Node, Object, SourceKind};

/// An engine that is software of its own.
pub(super) struct Engine<'a> {
    pub name: &'static str,
    /// What people call it.
    pub title: &'static str,
    /// Whether a Deployment of it exists.
    pub installed: bool,
    /// Its Pods that are ready. None in manifests, which cannot show that.
    pub ready: Option<i64>,
    /// The `namespaceSelector` of each of its webhooks for Pods. None if nothing can show that.
    webhooks: Option<Vec<Option<&'a Node>>>,
    unwatched: Vec<&'a str>,
}

/// Names of an engine, of its image's last part, of its webhooks' configuration.
const ENGINES: [(&str, &str, &str, &str); 3] = [
    ("kyverno", "Kyverno", "kyverno", "kyverno"),
    ("gatekeeper", "Gatekeeper", "gatekeeper", "gatekeeper"),
    (
        "sigstore",
        "sigstore's policy-controller",
        "policy-controller",
        "policy.sigstore.dev",
    ),
];

impl<'a> Engine<'a> {
    /// The engines, whether installed or not.
    pub fn all(inventory: &'a Inventory) -> Vec<Engine<'a>> {
        let live = inventory.source != SourceKind::Manifests;
        let deployments = objects(inventory, "apps", "Deployment");
        let configurations = objects(
            inventory,
            "admissionregistration.k8s.io",
            "ValidatingWebhookConfiguration",
        );
        ENGINES
            .into_iter()
            .map(|(name, title, image, webhook)| {
                let own = || {
                    deployments
                        .iter()
                        .filter(|deployment| runs(deployment, image))
                };
                let ready = own().map(|own| {
                    let ready = own.root.at(&["status", "readyReplicas"]);
                    ready.and_then(Node::as_int).unwrap_or(0)
                });
                let configured = configurations
                    .iter()
                    .filter(|configuration| configuration.name().contains(webhook))
                    .flat_map(|configuration| items(&configuration.root, &["webhooks"]))
                    .filter(|webhook| is_about_pods(webhook))
                    .map(|webhook| webhook.get("namespaceSelector"));
                Engine {
                    name,
                    title,
                    installed: own().next().is_some(),
                    ready: live.then(|| ready.sum()),
                    webhooks: live.then(|| configured.collect()),
                    unwatched: match name {
                        "gatekeeper" => gatekeeper::unwatched(inventory),
                        _ => Vec::new(),
                    },
                }
            })
            .collect()
    }

    /// Why it does nothing in a namespace, if it does nothing there.
    pub fn idle(&self, place: &Place<'_>) -> Option<String> {
        let title = self.title;
        if let Some(ready) = self.ready {
            if !self.installed {
                return Some(format!("{title} is not installed"));
            }
            if ready == 0 {
                return Some(format!("no Pod of {title} is ready"));
            }
        }
        let webhooks = self.webhooks.as_ref()?;
        if webhooks.is_empty() {
            return Some(format!("no webhook of {title} is registered for Pods"));
        }
        let looks = webhooks
            .iter()
            .any(|selector| selector.is_none_or(|selector| Scope::Labelled(selector).holds(place)));
        let unwatched = Scope::Named(self.unwatched.clone()).holds(place);
        (!looks || unwatched).then(|| format!("the webhook of {title} leaves this namespace out"))
    }
}

/// Whether a Deployment is the part of an engine that answers the API server.
fn runs(deployment: &Object, image: &str) -> bool {
    let containers = items(
        &deployment.root,
        &["spec", "template", "spec", "containers"],
    );
    let by_image = containers.iter().any(|container| {
        let path = text(container, &["image"]);
        let path = path.split('@').next().unwrap_or_default();
        let last = path.rsplit('/').next().unwrap_or_default();
        last.split(':').next() == Some(image)
    });
    by_image && !deployment.name().contains("audit")
}

fn is_about_pods(webhook: &Node) -> bool {
    let has = |rule: &Node, field: &str, wanted: &[&str]| {
        let words = items(rule, &[field]).iter().filter_map(Node::as_str);
        words
            .into_iter()
            .any(|word| word.starts_with('*') || wanted.contains(&word))
    };
    items(webhook, &["rules"]).iter().any(|rule| {
        has(rule, "resources", &["pods", "pods/*"]) && has(rule, "operations", &["CREATE"])
    })
}

/// One object for each engine that is installed or has policies.
pub(super) fn derive(inventory: &Inventory) -> Vec<Node> {
    let policies = namespaces::policies_of(inventory);
    let places = namespaces::places(inventory);
    let count = |name: &str| {
        let own = |policy: &&Policy<'_>| policy.engine == name;
        policies.iter().filter(own).count()
    };
    Engine::all(inventory)
        .iter()
        .filter(|engine| engine.installed || count(engine.name) > 0)
        .map(|engine| {
            let excludes = places.iter().filter(|place| {
                let why = engine.idle(place);
                why.is_some_and(|why| why.ends_with("leaves this namespace out"))
            });
            let excludes: Vec<&str> = excludes.map(|place| place.name).collect();
            Node::from(json!({
                "metadata": {"name": engine.name},
                "spec": {
                    "title": engine.title,
                    "installed": engine.installed,
                    "ready": engine.ready.unwrap_or(-1),
                    "policies": count(engine.name),
                    "excludes": excludes,
                },
            }))
        })
        .collect()
}
