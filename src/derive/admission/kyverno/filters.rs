//! `match`, `exclude` and exceptions: which objects a rule is about, as far as that goes by
//! namespace.

use wildmatch::WildMatch;

use super::{Scope, items, text, texts};
use crate::{
    derive::admission::probes::Shape,
    model::{Node, Object},
};

/// Fields that a resource filter has. Kyverno ignores others, and so do their authors' intentions.
const FIELDS: [&str; 8] = [
    "annotations",
    "kinds",
    "name",
    "names",
    "namespaceSelector",
    "namespaces",
    "operations",
    "selector",
];

/// The shapes that a rule is about.
pub(super) fn shapes(rule: &Node) -> Vec<Shape> {
    let kinds: Vec<&str> = blocks(rule, "match").flat_map(kinds).collect();
    let all = Shape::ALL.into_iter();
    all.filter(|shape| kinds.iter().any(|kind| is_kind(kind, shape.kind())))
        .collect()
}

/// Whether a rule is about namespaces themselves.
pub(super) fn is_about_namespaces(rule: &Node) -> bool {
    blocks(rule, "match")
        .flat_map(kinds)
        .any(|kind| is_kind(kind, "Namespace"))
}

/// The namespaces in which a rule is about every object of its kinds.
pub(super) fn scope<'a>(rule: &'a Node, notes: &mut Vec<String>) -> Scope<'a> {
    for field in ["match", "exclude"] {
        for block in blocks(rule, field) {
            let written = block.get("resources").and_then(Node::as_map);
            for (name, _) in written.into_iter().flat_map(|fields| fields.iter()) {
                if !FIELDS.contains(&name) {
                    notes.push(format!("Kyverno has no field {field}.resources.{name}"));
                }
            }
        }
    }
    let matched = combined(rule.get("match"));
    match rule.get("exclude") {
        Some(excluded) => Scope::All(vec![
            matched,
            Scope::Not(Box::new(combined(Some(excluded)))),
        ]),
        None => matched,
    }
}

/// The filters of a `match` or `exclude`, in whichever way they are put together.
fn blocks<'a>(rule: &'a Node, field: &str) -> impl Iterator<Item = &'a Node> {
    let nothing: &[Node] = &[];
    let block = rule.get(field);
    let list = move |name: &str| block.map_or(nothing, |block| items(block, &[name])).iter();
    let own = block.filter(|block| block.get("resources").is_some());
    list("any").chain(list("all")).chain(own)
}

fn combined(block: Option<&Node>) -> Scope<'_> {
    let Some(block) = block else {
        return Scope::NOWHERE;
    };
    let scopes = |name: &str| items(block, &[name]).iter().map(filter).collect();
    if block.get("any").is_some() {
        Scope::Any(scopes("any"))
    } else if block.get("all").is_some() {
        Scope::All(scopes("all"))
    } else {
        filter(block)
    }
}

fn kinds(filter: &Node) -> Vec<&str> {
    texts(filter, &["resources", "kinds"])
}

/// Whether an entry of `kinds` (`Pod`, `v1/Pod`, `apps/v1/Deployment`, `*`) names a kind.
fn is_kind(entry: &str, kind: &str) -> bool {
    let last = entry.rsplit('/').next().unwrap_or(entry);
    WildMatch::new(last.split('.').next_back().unwrap_or(last)).matches(kind)
}

/// The namespaces of which one filter takes every object. One that looks at names, labels or
/// people takes some of them only.
fn filter(filter: &Node) -> Scope<'_> {
    let nothing = &Node::Null;
    let resources = filter.get("resources").unwrap_or(nothing);
    let by_people = ["subjects", "roles", "clusterRoles"]
        .iter()
        .any(|field| !items(filter, &[field]).is_empty());
    let operations = texts(resources, &["operations"]);
    let at_creation = operations.is_empty() || operations.contains(&"CREATE");
    if by_people || !at_creation || resources.get("annotations").is_some() {
        return Scope::NOWHERE;
    }
    let mut names = texts(resources, &["names"]);
    names.extend(resources.get("name").and_then(Node::as_str));
    if kinds(filter).iter().any(|kind| is_kind(kind, "Namespace")) && kinds(filter).len() == 1 {
        // The objects are the namespaces.
        let by_name = (!names.is_empty()).then_some(Scope::Named(names));
        let by_label = resources.get("selector").map(Scope::Labelled);
        return Scope::All(by_name.into_iter().chain(by_label).collect());
    }
    let every_name = names.is_empty() || names.contains(&"*");
    if !every_name || resources.get("selector").is_some() {
        return Scope::NOWHERE;
    }
    let named = texts(resources, &["namespaces"]);
    let named = (!named.is_empty()).then_some(Scope::Named(named));
    let labelled = resources.get("namespaceSelector").map(Scope::Labelled);
    Scope::All(named.into_iter().chain(labelled).collect())
}

/// One entry of a PolicyException.
pub(super) struct Exception<'a> {
    policy: &'a str,
    rules: Vec<&'a str>,
    /// The namespaces that are excepted as a whole.
    pub scope: Scope<'a>,
}

impl Exception<'_> {
    /// Whether it is about a rule of a policy.
    pub fn is_of(&self, policy: &Object, rule: &str) -> bool {
        let name = match policy.namespace() {
            Some(namespace) => format!("{namespace}/{}", policy.name()),
            None => policy.name().to_owned(),
        };
        let mut rules = self.rules.iter();
        WildMatch::new(self.policy).matches(&name)
            && rules.any(|pattern| WildMatch::new(pattern).matches(rule))
    }
}

/// The entries of a PolicyException that take out whole rules.
pub(super) fn exceptions(exception: &Object) -> impl Iterator<Item = Exception<'_>> {
    let spec = exception.root.get("spec");
    let in_part = spec.is_some_and(|spec| {
        !items(spec, &["podSecurity"]).is_empty() || spec.get("conditions").is_some()
    });
    let entries = spec.map_or(&[][..], |spec| items(spec, &["exceptions"]));
    entries
        .iter()
        .filter(move |_| !in_part)
        .map(move |entry| Exception {
            policy: text(entry, &["policyName"]),
            rules: texts(entry, &["ruleNames"]),
            scope: combined(spec.and_then(|spec| spec.get("match"))),
        })
}
