//! Indexes by which a subject finds its related objects, so that no expression scans a cluster.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::{
    bind::Related,
    subjects::{Owners, Unit, matches},
};
use crate::{
    derive,
    model::{
        GroupKind, Inventory, ListState, Node, Object,
        known::{self, SelectorForm},
        labels::expression_holds,
    },
    plan::namespace_kind,
    rule::{Relation, RelationKind, Rule, RuleSet, SubjectKind},
};

/// Namespace and name; the namespace is empty for objects without one.
type Name<'a> = (&'a str, &'a str);

/// The indexes that the rules of a run need.
pub struct Relations<'a> {
    inventory: &'a Inventory,
    by_namespace: BTreeMap<GroupKind, HashMap<&'a str, Vec<&'a Object>>>,
    selectors: BTreeMap<GroupKind, SelectorIndex<'a>>,
    labels: BTreeMap<(GroupKind, bool), LabelIndex<'a>>,
    owned: BTreeMap<GroupKind, HashMap<(&'a str, Name<'a>), Vec<&'a Object>>>,
    targeting: BTreeMap<GroupKind, HashMap<(&'a str, Name<'a>), Vec<&'a Object>>>,
    by_name: BTreeMap<GroupKind, HashMap<Name<'a>, &'a Object>>,
    referring: BTreeMap<(GroupKind, GroupKind), HashMap<Name<'a>, Vec<&'a Object>>>,
}

impl<'a> Relations<'a> {
    /// Makes the indexes that the rules need.
    pub fn of(rules: &RuleSet, inventory: &'a Inventory) -> Self {
        let mut relations = Relations {
            inventory,
            by_namespace: BTreeMap::new(),
            selectors: BTreeMap::new(),
            labels: BTreeMap::new(),
            owned: BTreeMap::new(),
            targeting: BTreeMap::new(),
            by_name: BTreeMap::new(),
            referring: BTreeMap::new(),
        };
        let mut seen = BTreeSet::new();
        for rule in rules.iter() {
            for relation in rule.with.values() {
                for subject in subject_kinds(rule) {
                    let key = (
                        relation.relation,
                        relation.kind.group_kind(),
                        subject.clone(),
                    );
                    if seen.insert(key) {
                        relations.index(relation, &subject);
                    }
                }
            }
        }
        relations
    }

    fn index(&mut self, relation: &Relation, subject: &GroupKind) {
        let inventory = self.inventory;
        let far = relation.kind.group_kind();
        let objects = || objects(inventory, &far);
        match relation.relation {
            RelationKind::Any => {}
            RelationKind::InNamespace => {
                self.by_namespace.entry(far.clone()).or_insert_with(|| {
                    group(objects().map(|object| (object.namespace().unwrap_or_default(), object)))
                });
            }
            RelationKind::Selects => match known::related_selects(subject, &far) {
                true => {
                    self.selectors
                        .entry(far.clone())
                        .or_insert_with(|| SelectorIndex::of(objects()));
                }
                false => {
                    let pods = known::selects_pods(subject);
                    self.labels
                        .entry((far.clone(), pods))
                        .or_insert_with(|| LabelIndex::of(objects(), pods));
                }
            },
            RelationKind::OwnedBy => {
                self.owned.entry(far.clone()).or_insert_with(|| {
                    let owners = Owners::of(inventory);
                    group(objects().map(|object| (identity(owners.top(object)), object)))
                });
            }
            RelationKind::Targets => {
                self.targeting.entry(far.clone()).or_insert_with(|| {
                    group(objects().filter_map(|object| Some((target(object)?, object))))
                });
                self.names(&far);
            }
            RelationKind::References => {
                self.names(&far);
                let clustered = inventory
                    .objects(subject)
                    .iter()
                    .all(|o| o.namespace().is_none());
                self.referring
                    .entry((far.clone(), subject.clone()))
                    .or_insert_with(|| {
                        group(objects().flat_map(|object| {
                            let names = named(object, subject).into_iter();
                            names.map(move |(ns, name)| {
                                ((if clustered { "" } else { ns }, name), object)
                            })
                        }))
                    });
            }
        }
    }

    fn names(&mut self, kind: &GroupKind) {
        let inventory = self.inventory;
        self.by_name.entry(kind.clone()).or_insert_with(|| {
            objects(inventory, kind)
                .map(|object| {
                    (
                        (object.namespace().unwrap_or_default(), object.name()),
                        object,
                    )
                })
                .collect()
        });
    }

    /// The aliases of a rule that mean the same for every subject.
    pub fn shared(&self, rule: &'a Rule) -> Related<'a> {
        let mut related = Related::default();
        for (alias, relation) in &rule.with {
            if relation.relation == RelationKind::Any {
                let kind = relation.kind.group_kind();
                let readable = states(self.inventory, &kind).all(|s| s.unreadable().is_none());
                if rule.asks_readable(alias) {
                    related.say_readable(alias, readable);
                }
                related.push(
                    alias,
                    readable.then(|| objects(self.inventory, &kind).collect()),
                );
            }
        }
        related
    }

    /// The aliases of a rule that depend on the subject.
    pub fn of_unit(&self, rule: &'a Rule, unit: &Unit<'a>) -> Related<'a> {
        let mut related = Related::default();
        for (alias, relation) in &rule.with {
            if relation.relation == RelationKind::Any {
                continue;
            }
            let readable = self.readable(relation, unit);
            if rule.asks_readable(alias) {
                related.say_readable(alias, readable);
            }
            related.push(alias, readable.then(|| self.find(relation, unit)));
        }
        related
    }

    /// Kinds whose lists keep a rule from an answer for a subject.
    pub fn unread(&self, rule: &Rule, unit: &Unit<'a>) -> Vec<GroupKind> {
        rule.with
            .values()
            .filter(|relation| !self.readable(relation, unit))
            .flat_map(|relation| behind(self.inventory, relation.kind.group_kind()))
            .collect()
    }

    /// Whether everything that the relation could find for the subject was read.
    fn readable(&self, relation: &Relation, unit: &Unit<'a>) -> bool {
        let namespace = unit.object.and_then(namespace_of);
        states(self.inventory, &relation.kind.group_kind()).all(|state| match state {
            ListState::Unreadable(_) => false,
            ListState::Partial { missing, .. } => match namespace {
                Some(namespace) if relation.relation != RelationKind::Any => {
                    !missing.is_empty() && !missing.iter().any(|name| &**name == namespace)
                }
                _ => false,
            },
            ListState::Complete | ListState::NotServed | ListState::NotAssessable => true,
        })
    }

    fn find(&self, relation: &Relation, unit: &Unit<'a>) -> Vec<&'a Object> {
        let Some(object) = unit.object else {
            return Vec::new();
        };
        let far = relation.kind.group_kind();
        let namespace = namespace_of(object).unwrap_or_default();
        match relation.relation {
            RelationKind::Any => Vec::new(),
            RelationKind::InNamespace => found(
                self.by_namespace
                    .get(&far)
                    .and_then(|index| index.get(namespace)),
            ),
            RelationKind::Selects if known::related_selects(&object.kind, &far) => {
                let labels = unit
                    .template
                    .unwrap_or(&object.root)
                    .at(&["metadata", "labels"]);
                let index = self.selectors.get(&far);
                index.map_or_else(Vec::new, |index| index.matching(namespace, labels))
            }
            RelationKind::Selects => {
                let pods = known::selects_pods(&object.kind);
                match (self.labels.get(&(far, pods)), selector(object)) {
                    (Some(index), Some((selector, form))) => {
                        index.matching(namespace, selector, form)
                    }
                    _ => Vec::new(),
                }
            }
            RelationKind::OwnedBy => found(
                self.owned
                    .get(&far)
                    .and_then(|index| index.get(&identity(object))),
            ),
            RelationKind::Targets => {
                let mut objects = found(
                    self.targeting
                        .get(&far)
                        .and_then(|index| index.get(&identity(object))),
                );
                if let Some((kind, name)) = target(object)
                    && kind == &*far.kind
                {
                    objects.extend(self.by_name.get(&far).and_then(|names| names.get(&name)));
                }
                objects
            }
            RelationKind::References => {
                let names = self.by_name.get(&far);
                let mut objects: Vec<&'a Object> = named(object, &far)
                    .into_iter()
                    .filter_map(|(namespace, name)| {
                        let names = names?;
                        // A reference to an object outside namespaces carries the referrer's.
                        names
                            .get(&(namespace, name))
                            .or_else(|| names.get(&("", name)))
                            .copied()
                    })
                    .collect();
                let own = (object.namespace().unwrap_or_default(), object.name());
                let referring = self.referring.get(&(far, object.kind.clone()));
                objects.extend(found(referring.and_then(|index| index.get(&own))));
                objects.sort_by_key(|object| (object.namespace(), object.name()));
                objects.dedup_by_key(|object| (object.namespace(), object.name()));
                objects
            }
        }
    }
}

/// Kinds that the subjects of a rule have.
fn subject_kinds(rule: &Rule) -> Vec<GroupKind> {
    match &rule.subject {
        SubjectKind::Workload | SubjectKind::Container => known::workload_kinds()
            .iter()
            .map(|query| query.group_kind())
            .collect(),
        SubjectKind::Namespace => vec![namespace_kind().group_kind()],
        SubjectKind::Cluster | SubjectKind::Attestation => {
            vec![GroupKind::new("seaworthy", "Cluster")]
        }
        SubjectKind::Kinds(kinds) => kinds.iter().map(|query| query.group_kind()).collect(),
    }
}

/// The lists that keep a kind from being known: itself or, for a derived one, those of what it is
/// computed from that could not be read.
pub fn behind(inventory: &Inventory, kind: GroupKind) -> Vec<GroupKind> {
    if !derive::is_derived(&kind) {
        return vec![kind];
    }
    let unread = |kind: &GroupKind| inventory.state(kind).unreadable().is_some();
    derive::sources(inventory, &kind)
        .into_iter()
        .filter(unread)
        .collect()
}

/// The objects of a kind, or of every kind of its group for `*`.
fn objects<'a>(
    inventory: &'a Inventory,
    wanted: &GroupKind,
) -> impl Iterator<Item = &'a Object> + use<'a> {
    let wanted = wanted.clone();
    inventory
        .lists
        .iter()
        .chain(&inventory.derived)
        .filter(move |(kind, _)| matches(&wanted, kind))
        .flat_map(|(_, list)| &list.objects)
}

/// The states of the lists of a kind; one that was not asked for is unreadable.
fn states(inventory: &Inventory, wanted: &GroupKind) -> impl Iterator<Item = ListState> {
    let mut states: Vec<ListState> = inventory
        .lists
        .iter()
        .chain(&inventory.derived)
        .filter(|(kind, _)| matches(wanted, kind))
        .map(|(_, list)| list.state.clone())
        .collect();
    if states.is_empty() && &*wanted.kind != "*" {
        states.push(inventory.state(wanted));
    }
    states.into_iter()
}

fn group<'a, K: std::hash::Hash + Eq>(
    pairs: impl Iterator<Item = (K, &'a Object)>,
) -> HashMap<K, Vec<&'a Object>> {
    let mut groups: HashMap<K, Vec<&'a Object>> = HashMap::new();
    for (key, object) in pairs {
        groups.entry(key).or_default().push(object);
    }
    groups
}

fn found<'a>(objects: Option<&Vec<&'a Object>>) -> Vec<&'a Object> {
    objects.cloned().unwrap_or_default()
}

/// The namespace a subject looks into: its own, or itself if it is one.
fn namespace_of(object: &Object) -> Option<&str> {
    match (&*object.kind.group, &*object.kind.kind) {
        ("", "Namespace") => Some(object.name()),
        _ => object.namespace(),
    }
}

/// Kind, namespace and name, by which references find an object.
fn identity(object: &Object) -> (&str, Name<'_>) {
    let name = (object.namespace().unwrap_or_default(), object.name());
    (&object.kind.kind, name)
}

/// What an object's `scaleTargetRef` or `targetRef` names.
fn target(object: &Object) -> Option<(&str, Name<'_>)> {
    let target = known::TARGET_PATHS
        .iter()
        .find_map(|path| object.root.at(path))?;
    let kind = target.get("kind")?.as_str()?;
    let name = target.get("name")?.as_str()?;
    Some((kind, (object.namespace().unwrap_or_default(), name)))
}

/// Names of the objects of a kind that an object refers to.
fn named<'a>(object: &'a Object, to: &GroupKind) -> Vec<Name<'a>> {
    let mut names = Vec::new();
    for (reference, in_pod_spec) in known::references(&object.kind, to) {
        let start = match in_pod_spec {
            true => known::pod_template(&object.kind)
                .and_then(|path| object.root.at(path))
                .and_then(|template| template.get("spec")),
            false => Some(&object.root),
        };
        let Some(start) = start else { continue };
        each_at(start, reference.path, &mut |node| {
            let own = object.namespace().unwrap_or_default();
            let text = |field: &str| node.get(field).and_then(Node::as_str);
            match node {
                Node::String(name) => names.push((own, &**name)),
                Node::Map(_) if text("kind").is_none_or(|kind| kind == &*to.kind) => {
                    if let Some(name) = text("name") {
                        names.push((text("namespace").unwrap_or(own), name));
                    }
                }
                _ => {}
            }
        });
    }
    // A pod without a ServiceAccount of its own runs as `default`.
    if &*to.kind == "ServiceAccount" && names.is_empty() && known::is_workload(&object.kind) {
        names.push((object.namespace().unwrap_or_default(), "default"));
    }
    names
}

/// Visits the nodes at a path in which `*` stands for the elements of an array.
fn each_at<'a>(node: &'a Node, path: &[&str], visit: &mut impl FnMut(&'a Node)) {
    match path {
        [] => visit(node),
        ["*", rest @ ..] => {
            for item in node.items() {
                each_at(item, rest, visit);
            }
        }
        [field, rest @ ..] => {
            if let Some(next) = node.get(field) {
                each_at(next, rest, visit);
            }
        }
    }
}

/// The selector of an object, where its kind has one and it is written.
fn selector(object: &Object) -> Option<(&Node, SelectorForm)> {
    static EVERYTHING: std::sync::LazyLock<Node> =
        std::sync::LazyLock::new(|| Node::Map([].into_iter().collect()));
    let (path, form) = known::selector(&object.kind)?;
    let selector = object.root.at(path);
    // `podSelector` is the one selector whose absence the API reads as an empty one.
    let absent = (&*object.kind.kind == "NetworkPolicy").then_some(&*EVERYTHING);
    Some((selector.or(absent)?, form))
}

/// The equalities a selector demands.
fn equalities(selector: &Node, form: SelectorForm) -> impl Iterator<Item = (&str, &str)> {
    let labels = match form {
        SelectorForm::Labels => Some(selector),
        SelectorForm::LabelSelector => selector.get("matchLabels"),
    };
    labels
        .and_then(Node::as_map)
        .into_iter()
        .flat_map(|labels| labels.iter())
        .map(|(key, value)| (label_key(key), value.as_str().unwrap_or_default()))
}

/// Cilium writes the source of a label before its key; `k8s:` and `any:` are the ones of pods.
fn label_key(key: &str) -> &str {
    key.strip_prefix("k8s:")
        .or_else(|| key.strip_prefix("any:"))
        .unwrap_or(key)
}

/// Whether a selector matches labels, as the API server decides it.
fn selects(selector: &Node, form: SelectorForm, labels: Option<&Node>) -> bool {
    let label = |key: &str| {
        labels
            .and_then(|labels| labels.get(key))
            .and_then(Node::as_str)
    };
    let mut wanted = equalities(selector, form).peekable();
    if form == SelectorForm::Labels && wanted.peek().is_none() {
        return false;
    }
    if !wanted.all(|(key, value)| label(key) == Some(value)) {
        return false;
    }
    let expressions = selector
        .get("matchExpressions")
        .map(Node::items)
        .unwrap_or_default();
    form == SelectorForm::Labels
        || expressions.iter().all(|expression| {
            let key = expression.get("key").and_then(Node::as_str);
            expression_holds(expression, label(label_key(key.unwrap_or_default())))
        })
}

/// Objects with selectors, found by the labels that they select.
struct SelectorIndex<'a> {
    entries: Vec<(&'a Object, &'a Node, SelectorForm)>,
    /// Positions by namespace and the first equality of the selector.
    by_label: HashMap<(&'a str, &'a str, &'a str), Vec<usize>>,
    /// Positions by namespace of selectors without an equality.
    others: HashMap<&'a str, Vec<usize>>,
}

impl<'a> SelectorIndex<'a> {
    fn of(objects: impl Iterator<Item = &'a Object>) -> Self {
        let mut index = SelectorIndex {
            entries: Vec::new(),
            by_label: HashMap::new(),
            others: HashMap::new(),
        };
        for object in objects {
            let Some((selector, form)) = selector(object) else {
                continue;
            };
            let at = index.entries.len();
            let namespace = object.namespace().unwrap_or_default();
            match equalities(selector, form).next() {
                Some((key, value)) => index
                    .by_label
                    .entry((namespace, key, value))
                    .or_default()
                    .push(at),
                None => index.others.entry(namespace).or_default().push(at),
            }
            index.entries.push((object, selector, form));
        }
        index
    }

    fn matching(&self, namespace: &str, labels: Option<&Node>) -> Vec<&'a Object> {
        let pairs = labels
            .and_then(Node::as_map)
            .into_iter()
            .flat_map(|map| map.iter());
        // Objects outside namespaces select in all of them.
        let mut candidates: Vec<usize> = Vec::new();
        for scope in [namespace, ""] {
            candidates.extend(self.others.get(scope).into_iter().flatten());
        }
        for (key, value) in pairs {
            let value = value.as_str().unwrap_or_default();
            for scope in [namespace, ""] {
                candidates.extend(
                    self.by_label
                        .get(&(scope, key, value))
                        .into_iter()
                        .flatten(),
                );
            }
        }
        candidates.sort_unstable();
        candidates.dedup();
        candidates
            .into_iter()
            .map(|at| &self.entries[at])
            .filter(|(_, selector, form)| selects(selector, *form, labels))
            .map(|(object, _, _)| *object)
            .collect()
    }
}

/// Objects with labels, found by the selectors that match them.
struct LabelIndex<'a> {
    entries: Vec<(&'a Object, Option<&'a Node>)>,
    by_label: HashMap<(&'a str, &'a str, &'a str), Vec<usize>>,
    by_namespace: HashMap<&'a str, Vec<usize>>,
}

impl<'a> LabelIndex<'a> {
    /// Indexes the labels of pod templates, or of the objects themselves.
    fn of(objects: impl Iterator<Item = &'a Object>, pods: bool) -> Self {
        let mut index = LabelIndex {
            entries: Vec::new(),
            by_label: HashMap::new(),
            by_namespace: HashMap::new(),
        };
        for object in objects {
            let template = known::pod_template(&object.kind).filter(|_| pods);
            let labelled = object.root.at(template.unwrap_or_default());
            let labels = labelled.and_then(|node| node.at(&["metadata", "labels"]));
            let at = index.entries.len();
            let namespace = object.namespace().unwrap_or_default();
            for (key, value) in labels
                .and_then(Node::as_map)
                .into_iter()
                .flat_map(|map| map.iter())
            {
                if let Some(value) = value.as_str() {
                    index
                        .by_label
                        .entry((namespace, key, value))
                        .or_default()
                        .push(at);
                }
            }
            index.by_namespace.entry(namespace).or_default().push(at);
            index.entries.push((object, labels));
        }
        index
    }

    fn matching(&self, namespace: &str, selector: &Node, form: SelectorForm) -> Vec<&'a Object> {
        let nothing = Vec::new();
        // The rarest label leaves the fewest objects to look at.
        let candidates = equalities(selector, form)
            .map(|(key, value)| {
                self.by_label
                    .get(&(namespace, key, value))
                    .unwrap_or(&nothing)
            })
            .min_by_key(|positions| positions.len())
            .or_else(|| self.by_namespace.get(namespace))
            .unwrap_or(&nothing);
        candidates
            .iter()
            .map(|at| &self.entries[*at])
            .filter(|(_, labels)| selects(selector, form, *labels))
            .map(|(object, _)| *object)
            .collect()
    }
}
