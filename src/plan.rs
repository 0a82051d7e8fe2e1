//! Rules → what to read: kinds, fields, and the permissions that takes.
//!
//! Nothing is written here that a rule does not say: a field is read because an expression names
//! it, or because a relation or a subject cannot be found without it.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    cel::FieldReads,
    derive,
    model::{GroupKind, KindQuery, PROMETHEUS, Projection, known},
    rule::{self, Params, Relation, RelationKind, Rule, RuleSet, SubjectKind},
};

/// What to read of one kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KindRequest {
    /// The kind and the versions that the rules understand.
    pub query: KindQuery,
    /// The fields to keep.
    pub projection: Projection,
    /// For workload kinds: the fields to keep of objects that another workload controls, such as
    /// the pods of a Deployment. They are no subjects of their own, so this is mostly much less.
    pub owned: Option<Projection>,
}

/// Everything to read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// One entry per kind, sorted.
    pub kinds: Vec<KindRequest>,
    /// Kinds that are computed from those, sorted.
    pub derived: Vec<GroupKind>,
    /// PromQL to ask a Prometheus, sorted.
    pub queries: Vec<String>,
    /// Whether a rule asks for the server's version.
    pub server_version: bool,
}

impl Request {
    /// The request for a kind.
    pub fn kind(&self, kind: &GroupKind) -> Option<&KindRequest> {
        self.kinds
            .iter()
            .find(|request| request.query.group_kind() == *kind)
            .or_else(|| {
                self.kinds.iter().find(|request| {
                    request.query.is_wildcard() && request.query.group == kind.group
                })
            })
    }
}

impl Request {
    /// The part that an API server answers.
    pub fn of_api_server(&self) -> Request {
        let kinds = self
            .kinds
            .iter()
            .filter(|kind| &*kind.query.group != PROMETHEUS);
        Request {
            kinds: kinds.cloned().collect(),
            queries: Vec::new(),
            ..self.clone()
        }
    }

    /// The same kinds with whole objects, but for what may be secret: of environment values and
    /// ConfigMap entries only the class is kept, unless a rule reads an entry by its name. Secrets
    /// are never read.
    pub fn whole(mut self) -> Self {
        for request in &mut self.kinds {
            let kind = request.query.group_kind();
            request.projection.merge(&Projection::whole());
            protect(&mut request.projection, &kind);
            if known::is_workload(&kind) {
                request.owned = Some(request.projection.clone());
            }
        }
        self
    }
}

/// Takes out of a projection what may be secret: of environment values and of ConfigMap entries
/// that no rule names only the class is kept, and arguments that look like credentials are.
fn protect(projection: &mut Projection, kind: &GroupKind) {
    let class_only = |branch: &mut Projection| {
        *branch = Projection {
            class_only: true,
            ..Projection::default()
        };
    };
    if let Some(template) = known::pod_template(kind) {
        for (list, _) in known::CONTAINER_LISTS {
            let env = [template, &["spec", list, "*", "env", "*", "value"]].concat();
            projection.protect(&env, class_only);
            for field in ["args", "command"] {
                let path = [template, &["spec", list, "*", field, "*"]].concat();
                projection.protect(&path, |branch| {
                    *branch = Projection {
                        all: true,
                        scrub: true,
                        ..Projection::default()
                    };
                });
            }
        }
    }
    if (&*kind.group, &*kind.kind) == ("", "ConfigMap") {
        for field in ["data", "binaryData"] {
            projection.protect(&[field, "**"], class_only);
        }
    }
}

/// What a rule reads of each root (`object`, `podSpec`, an alias, …).
pub fn rule_reads(rule: &Rule) -> BTreeMap<String, Projection> {
    let mut reads = FieldReads::default();
    for (name, expression) in &rule.variables {
        reads.define(name, expression);
    }
    for expression in rule.expressions().skip(rule.variables.len()) {
        reads.read(expression);
    }
    reads.finish()
}

/// Merges what all rules read. What is asked of a Prometheus depends on parameters, too.
pub fn plan(rules: &RuleSet, params: &Params) -> Request {
    let mut planner = Planner::default();
    let none = BTreeMap::new();
    for rule in rules.iter() {
        planner.add(rule);
        let params = params.get(&rule.id).unwrap_or(&none);
        let queries = rule::queries(rule, rules.theme(&rule.theme), params);
        planner.queries.extend(queries.into_values().flatten());
    }
    planner.finish()
}

#[derive(Default)]
struct Planner {
    kinds: BTreeMap<GroupKind, (KindQuery, Projection, Option<Projection>)>,
    derived: BTreeSet<GroupKind>,
    queries: BTreeSet<String>,
    server_version: bool,
}

/// Which objects of a workload kind something is read of.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Of {
    /// Only those that are subjects: no other workload controls them.
    Subjects,
    /// All of them.
    All,
}

impl Planner {
    fn add(&mut self, rule: &Rule) {
        let reads = rule_reads(rule);
        self.server_version |= reads.contains_key("server");
        let nothing = Projection::default();
        let root = |name: &str| reads.get(name).unwrap_or(&nothing);

        let subjects: Vec<KindQuery> = match &rule.subject {
            SubjectKind::Workload | SubjectKind::Container => known::workload_kinds().to_vec(),
            SubjectKind::Namespace => vec![namespace_kind()],
            SubjectKind::Cluster | SubjectKind::Attestation => Vec::new(),
            SubjectKind::Kinds(kinds) => kinds.clone(),
        };
        let is_workload_rule =
            matches!(rule.subject, SubjectKind::Workload | SubjectKind::Container);
        for query in &subjects {
            let mut fields = Projection::default();
            fields.merge(root("object"));
            if is_workload_rule {
                add_workload_fields(&mut fields, &query.group_kind(), &reads);
            }
            let of = if is_workload_rule {
                Of::Subjects
            } else {
                Of::All
            };
            self.read(query, &fields, of);
        }

        for (alias, relation) in &rule.with {
            // The alias is a list: what is read of its elements is read of the kind.
            let alias = root(alias);
            let mut fields = Projection::default();
            if alias.all {
                fields.all = true;
            }
            if let Some(items) = &alias.items {
                fields.merge(items);
            }
            self.read(&relation.kind, &fields, Of::All);
            for query in &subjects {
                self.add_relation(relation, query);
            }
        }
    }

    /// The fields by which a relation is found.
    fn add_relation(&mut self, relation: &Relation, subject: &KindQuery) {
        let (near, far) = (subject.group_kind(), relation.kind.group_kind());
        match relation.relation {
            RelationKind::InNamespace | RelationKind::Any => {}
            RelationKind::Selects => {
                let (selecting, selected) = if known::related_selects(&near, &far) {
                    (&relation.kind, subject)
                } else {
                    (subject, &relation.kind)
                };
                if let Some((path, _)) = known::selector(&selecting.group_kind()) {
                    self.read_path(selecting, path);
                }
                let selected_kind = selected.group_kind();
                let template = known::pod_template(&selected_kind)
                    .filter(|_| known::selects_pods(&selecting.group_kind()))
                    .unwrap_or_default();
                let path: Vec<&str> = template
                    .iter()
                    .copied()
                    .chain(["metadata", "labels"])
                    .collect();
                self.read_path(selected, &path);
            }
            RelationKind::Targets => {
                for path in known::TARGET_PATHS {
                    for query in [subject, &relation.kind] {
                        for field in ["apiVersion", "kind", "name"] {
                            let path: Vec<&str> = path.iter().copied().chain([field]).collect();
                            self.read_path(query, &path);
                        }
                    }
                }
            }
            RelationKind::OwnedBy => {
                self.read_owners(&relation.kind);
                for query in known::workload_kinds() {
                    if matches!(&*query.kind, "ReplicaSet" | "Job") {
                        self.read_owners(query);
                    }
                }
            }
            RelationKind::References => {
                for (from, to) in [(subject, &far), (&relation.kind, &near)] {
                    let from_kind = from.group_kind();
                    for (reference, in_pod_spec) in known::references(&from_kind, to) {
                        let template = match in_pod_spec {
                            true => known::pod_template(&from_kind).unwrap_or_default(),
                            false => &[],
                        };
                        let spec: &[&str] = if in_pod_spec { &["spec"] } else { &[] };
                        let path: Vec<&str> = template
                            .iter()
                            .chain(spec)
                            .chain(reference.path)
                            .copied()
                            .collect();
                        for field in ["name", "namespace", "kind"] {
                            let end: Vec<&str> = path.iter().copied().chain([field]).collect();
                            self.read_path(from, &end);
                        }
                        // The path may lead to the name itself rather than to an object with one.
                        let mut fields = Projection::default();
                        fields.path(&path).keys = true;
                        self.read(from, &fields, Of::All);
                    }
                }
            }
        }
    }

    fn read_owners(&mut self, query: &KindQuery) {
        let mut fields = Projection::default();
        add_owner_fields(&mut fields);
        self.read(query, &fields, Of::All);
    }

    fn read_path(&mut self, query: &KindQuery, path: &[&str]) {
        let mut fields = Projection::default();
        fields.path(path).all = true;
        self.read(query, &fields, Of::All);
    }

    fn read(&mut self, query: &KindQuery, fields: &Projection, of: Of) {
        let kind = query.group_kind();
        if derive::is_derived(&kind) {
            if self.derived.insert(kind.clone()) {
                for (query, fields) in derive::reads(&kind) {
                    self.read(&query, &fields, Of::All);
                }
            }
            return;
        }
        let is_workload = known::is_workload(&kind);
        let (planned, all, owned) = self
            .kinds
            .entry(kind)
            .or_insert_with(|| (query.clone(), Projection::default(), None));
        for version in &query.versions {
            if !planned.versions.contains(version) {
                planned.versions.push(version.clone());
            }
        }
        for field in ["name", "namespace"] {
            all.path(&["metadata", field]).all = true;
        }
        if is_workload {
            add_owner_fields(all);
        }
        all.merge(fields);
        if is_workload {
            let owned = owned.get_or_insert_default();
            for field in ["name", "namespace"] {
                owned.path(&["metadata", field]).all = true;
            }
            add_owner_fields(owned);
            if of == Of::All {
                owned.merge(fields);
            }
        }
    }

    fn finish(mut self) -> Request {
        if !self.queries.is_empty() {
            self.read(&query_kind(), &Projection::whole(), Of::All);
        }
        Request {
            kinds: self
                .kinds
                .into_iter()
                .map(|(kind, (query, mut projection, mut owned))| {
                    protect(&mut projection, &kind);
                    if let Some(owned) = &mut owned {
                        protect(owned, &kind);
                    }
                    KindRequest {
                        query,
                        projection,
                        owned,
                    }
                })
                .collect(),
            derived: self.derived.into_iter().collect(),
            queries: self.queries.into_iter().collect(),
            server_version: self.server_version,
        }
    }
}

/// The kind of namespaces.
pub fn namespace_kind() -> KindQuery {
    KindQuery {
        group: "".into(),
        versions: vec!["v1".into()],
        kind: "Namespace".into(),
    }
}

/// The kind of questions to a Prometheus: one object per question, named by its PromQL.
pub fn query_kind() -> KindQuery {
    KindQuery {
        group: PROMETHEUS.into(),
        versions: vec!["v1".into()],
        kind: "Query".into(),
    }
}

/// The fields that tell which object controls another.
fn add_owner_fields(fields: &mut Projection) {
    fields.path(&["metadata", "uid"]).all = true;
    let owner = fields.path(&["metadata", "ownerReferences"]).items();
    for field in ["apiVersion", "controller", "kind", "name", "uid"] {
        owner.field(field).all = true;
    }
}

/// Where the roots of a workload's rule lie in objects of a workload kind.
fn add_workload_fields(
    fields: &mut Projection,
    kind: &GroupKind,
    reads: &BTreeMap<String, Projection>,
) {
    let template = known::pod_template(kind).unwrap_or_default();
    let at = |end: &'static [&'static str]| -> Vec<&'static str> {
        template.iter().chain(end).copied().collect()
    };
    if let Some(spec) = reads.get("podSpec") {
        fields.path(&at(&["spec"])).merge(spec);
    }
    if let Some(metadata) = reads.get("podMeta") {
        fields.path(&at(&["metadata"])).merge(metadata);
    }
    let lists = reads
        .get("containers")
        .map(|containers| match &containers.items {
            Some(items) => (**items).clone(),
            None => Projection::default(),
        });
    for container in lists.iter().chain(reads.get("container")) {
        for (list, _) in known::CONTAINER_LISTS {
            let path = [&at(&["spec"])[..], &[list]].concat();
            fields.path(&path).items().merge(container);
        }
        let role = [
            &at(&["spec"])[..],
            &["initContainers", "*", "restartPolicy"],
        ]
        .concat();
        fields.path(&role).all = true;
    }
    if let Some(workload) = reads.get("workload") {
        let metadata = fields.field("metadata");
        for name in ["labels", "annotations"] {
            if let Some(branch) = workload.fields.get(name) {
                metadata.field(name).merge(branch);
            }
        }
        if workload.fields.contains_key("replicas") {
            fields.path(&["spec", "replicas"]).all = true;
        }
    }
}

/// The ClusterRole that an audit with these rules needs: `get` and `list` on what they read, and
/// nothing else.
///
/// The plural names are guessed as the API's own code generators guess them, since there may be no
/// server to ask. Discovery and `/version` need no permission beyond what every authenticated user
/// has.
pub fn cluster_role(request: &Request, name: &str) -> serde_json::Value {
    let request = &request.of_api_server();
    let mut groups: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for kind in &request.kinds {
        let resource = match kind.query.is_wildcard() {
            true => "*".to_owned(),
            false => plural(&kind.query.group, &kind.query.kind),
        };
        groups.entry(&kind.query.group).or_default().push(resource);
    }
    // The UID of `kube-system` is the cluster's identity.
    let core = groups.entry("").or_default();
    if !core.iter().any(|resource| resource == "namespaces") {
        core.push("namespaces".to_owned());
    }
    let rules: Vec<serde_json::Value> = groups
        .into_iter()
        .map(|(group, mut resources)| {
            resources.sort();
            serde_json::json!({
                "apiGroups": [group],
                "resources": resources,
                "verbs": ["get", "list"],
            })
        })
        .collect();
    serde_json::json!({
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {"name": name},
        "rules": rules,
    })
}

/// The plural resource name of a kind.
pub fn plural(group: &str, kind: &str) -> String {
    let name = kind.to_ascii_lowercase();
    match (group, &*name) {
        ("metrics.k8s.io", "nodemetrics") => return "nodes".to_owned(),
        ("metrics.k8s.io", "podmetrics") => return "pods".to_owned(),
        ("", "endpoints") => return name,
        // Gatekeeper names the resource of a constraint like its kind.
        ("constraints.gatekeeper.sh", _) => return name,
        _ => {}
    }
    let vowel = |c: char| "aeiou".contains(c);
    if let Some(stem) = name.strip_suffix('y')
        && !stem.ends_with(vowel)
    {
        return format!("{stem}ies");
    }
    if ["s", "x", "z", "ch", "sh"]
        .iter()
        .any(|end| name.ends_with(end))
    {
        return format!("{name}es");
    }
    format!("{name}s")
}
