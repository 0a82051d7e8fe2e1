//! The subjects of an inventory: which objects verdicts are about.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::{
    model::{GroupKind, Inventory, Node, Object, Subject, SubjectId, Unreadable, known},
    plan::namespace_kind,
    rule::{RuleSet, SubjectKind},
};

use super::relations::behind;

/// One subject with the object behind it.
#[derive(Clone, Copy, Debug)]
pub struct Unit<'a> {
    /// The object; nothing for the cluster.
    pub object: Option<&'a Object>,
    /// The pod template, for workloads.
    pub template: Option<&'a Node>,
}

/// Every subject that some rule is about.
pub struct Subjects<'a> {
    list: Vec<Subject>,
    workloads: Vec<(SubjectId, Unit<'a>)>,
    by_kind: BTreeMap<GroupKind, Vec<(SubjectId, Unit<'a>)>>,
    cluster: SubjectId,
    cluster_unit: Unit<'a>,
}

impl<'a> Subjects<'a> {
    /// Finds the subjects of the rules in an inventory.
    pub fn of(rules: &RuleSet, inventory: &'a Inventory) -> Self {
        let mut kinds: BTreeSet<GroupKind> = BTreeSet::new();
        let mut workload_rules = false;
        for rule in rules.iter() {
            match &rule.subject {
                SubjectKind::Workload | SubjectKind::Container => workload_rules = true,
                SubjectKind::Namespace => {
                    kinds.insert(namespace_kind().group_kind());
                }
                SubjectKind::Kinds(queries) => {
                    for query in queries {
                        kinds.extend(expand(&query.group_kind(), inventory));
                    }
                }
                SubjectKind::Cluster | SubjectKind::Attestation => {}
            }
        }
        let workloads: Vec<&'a Object> = if workload_rules {
            known::workload_kinds()
                .iter()
                .flat_map(|query| inventory.objects(&query.group_kind()))
                .filter(|object| !object.is_owned_by_workload())
                .collect()
        } else {
            Vec::new()
        };

        let mut list: Vec<Subject> = workloads
            .iter()
            .copied()
            .chain(kinds.iter().flat_map(|kind| inventory.objects(kind)))
            .map(subject)
            .collect();
        list.push(Subject::cluster());
        list.sort();
        list.dedup();
        let id = |subject: &Subject| {
            let at = list.binary_search(subject).unwrap_or_default();
            SubjectId(u32::try_from(at).unwrap_or(u32::MAX))
        };
        let unit = |object: &'a Object| {
            let unit = Unit {
                object: Some(object),
                template: known::pod_template(&object.kind).and_then(|path| object.root.at(path)),
            };
            (id(&subject(object)), unit)
        };
        let sorted = |objects: &mut dyn Iterator<Item = &'a Object>| {
            let mut units: Vec<_> = objects.map(unit).collect();
            units.sort_by_key(|(id, _)| *id);
            units
        };
        let workloads = sorted(&mut workloads.into_iter());
        let by_kind = kinds
            .into_iter()
            .map(|kind| {
                let units = sorted(&mut inventory.objects(&kind).iter());
                (kind, units)
            })
            .collect();
        let cluster = id(&Subject::cluster());
        Subjects {
            list,
            workloads,
            by_kind,
            cluster,
            cluster_unit: Unit {
                object: None,
                template: None,
            },
        }
    }

    /// The subjects of a rule, in their order.
    pub fn units(&self, subject: &SubjectKind) -> Vec<(SubjectId, &Unit<'a>)> {
        let of_kind = |kind: &GroupKind| self.by_kind.get(kind).into_iter().flatten();
        let mut units: Vec<(SubjectId, &Unit<'a>)> = match subject {
            SubjectKind::Workload | SubjectKind::Container => self
                .workloads
                .iter()
                .map(|(id, unit)| (*id, unit))
                .collect(),
            SubjectKind::Cluster | SubjectKind::Attestation => {
                vec![(self.cluster, &self.cluster_unit)]
            }
            SubjectKind::Namespace => of_kind(&namespace_kind().group_kind())
                .map(|(id, unit)| (*id, unit))
                .collect(),
            SubjectKind::Kinds(queries) => queries
                .iter()
                .flat_map(|query| {
                    let wanted = query.group_kind();
                    self.by_kind
                        .iter()
                        .filter(move |(kind, _)| matches(&wanted, kind))
                        .flat_map(|(_, units)| units)
                })
                .map(|(id, unit)| (*id, unit))
                .collect(),
        };
        units.sort_by_key(|(id, _)| *id);
        units.dedup_by_key(|(id, _)| *id);
        units
    }

    /// Lists of a rule's subjects that could not be read completely.
    pub fn unread(
        &self,
        subject: &SubjectKind,
        inventory: &Inventory,
    ) -> Vec<(GroupKind, Unreadable)> {
        let kinds: Vec<GroupKind> = match subject {
            SubjectKind::Cluster | SubjectKind::Attestation => Vec::new(),
            SubjectKind::Namespace => vec![namespace_kind().group_kind()],
            SubjectKind::Workload | SubjectKind::Container => known::workload_kinds()
                .iter()
                .map(|query| query.group_kind())
                .collect(),
            SubjectKind::Kinds(queries) => queries
                .iter()
                .flat_map(|query| expand(&query.group_kind(), inventory))
                .collect(),
        };
        kinds
            .into_iter()
            .flat_map(|kind| behind(inventory, kind))
            .filter_map(|kind| {
                let why = inventory.state(&kind).unreadable()?.clone();
                Some((kind, why))
            })
            .collect()
    }

    /// A subject by its position.
    pub fn subject(&self, id: SubjectId) -> &Subject {
        &self.list[id.0 as usize]
    }

    /// The subjects that verdicts refer to by position.
    pub fn into_list(self) -> Vec<Subject> {
        self.list
    }
}

/// The kinds of an inventory that a kind, perhaps `*`, stands for; the kind itself if there are
/// none.
fn expand(wanted: &GroupKind, inventory: &Inventory) -> Vec<GroupKind> {
    if &*wanted.kind != "*" {
        return vec![wanted.clone()];
    }
    inventory
        .lists
        .keys()
        .filter(|kind| matches(wanted, kind))
        .cloned()
        .collect()
}

/// Whether a kind is the one wanted, or one of the group's where `*` is wanted.
pub fn matches(wanted: &GroupKind, kind: &GroupKind) -> bool {
    wanted.group == kind.group && (&*wanted.kind == "*" || wanted.kind == kind.kind)
}

/// What verdicts call an object.
fn subject(object: &Object) -> Subject {
    Subject {
        kind: object.kind.clone(),
        namespace: object.namespace().map(Into::into),
        name: object.name().into(),
        place: object.place.clone(),
    }
}

/// Who controls whom among workloads.
pub struct Owners<'a> {
    by_name: HashMap<(&'a str, &'a str, &'a str), &'a Object>,
}

impl<'a> Owners<'a> {
    /// Indexes the workloads of an inventory.
    pub fn of(inventory: &'a Inventory) -> Self {
        let mut by_name = HashMap::new();
        for query in known::workload_kinds() {
            let kind = query.group_kind();
            // Pods control nothing.
            if &*kind.kind == "Pod" {
                continue;
            }
            for object in inventory.objects(&kind) {
                let key = (
                    &*object.kind.kind,
                    object.namespace().unwrap_or_default(),
                    object.name(),
                );
                by_name.insert(key, object);
            }
        }
        Owners { by_name }
    }

    /// The workload that controls an object.
    fn controller(&self, object: &'a Object) -> Option<&'a Object> {
        let owner = object.controller()?;
        let kind = owner.get("kind")?.as_str()?;
        let name = owner.get("name")?.as_str()?;
        let key = (kind, object.namespace().unwrap_or_default(), name);
        self.by_name.get(&key).copied()
    }

    /// The workload at the top of an object's controllers; the object itself if none controls it.
    pub fn top(&self, object: &'a Object) -> &'a Object {
        let mut top = object;
        // Kubernetes' own chains have three links; the bound is for those that form a ring.
        for _ in 0..8 {
            match self.controller(top) {
                Some(owner) => top = owner,
                None => break,
            }
        }
        top
    }
}
