//! What the names in a rule's expressions stand for.

use std::collections::BTreeMap;

use super::{attested::Attested, subjects::Unit};
use crate::{
    cel::{self, Bindings, Boxed},
    model::{Inventory, Map, Node, Object, known},
    plan::query_kind,
    rule::{self, Rule, Theme},
};

/// Values that every subject of a rule shares: `params`, `now`, `server`.
pub struct Bound {
    names: Vec<(String, Boxed<'static>)>,
    unread: Vec<String>,
}

impl Bound {
    /// Binds them.
    pub fn lend_to<'b>(&'b self, bindings: &mut Bindings<'b>) {
        for (name, value) in &self.names {
            bindings.lend(name, &**value);
        }
        for name in &self.unread {
            bindings.bind_unread(name);
        }
    }
}

/// Prepares what every subject of a rule shares.
pub fn bind_rule(
    rule: &Rule,
    theme: Option<&Theme>,
    params: &BTreeMap<String, Node>,
    inventory: &Inventory,
) -> Bound {
    let mut names = rule::bound_params(rule, theme, params);
    let mut unread = Vec::new();
    for (name, promql) in rule::queries(rule, theme, params) {
        let series = promql.ok().and_then(|promql| answer(inventory, &promql));
        let readable = Node::Bool(series.is_some());
        names.push((format!("readable.{name}"), cel::owned(&readable)));
        match series {
            Some(series) => names.push((format!("prom.{name}"), cel::owned(series))),
            None => unread.push(format!("prom.{name}")),
        }
    }
    names.push(("now".to_owned(), cel::timestamp(inventory.now)));
    match &inventory.cluster.version {
        Some(version) => {
            let platform = inventory.cluster.platform.as_deref().unwrap_or_default();
            let server = cel::record(vec![
                ("gitVersion", cel::owned(&Node::String((&**version).into()))),
                ("platform", cel::owned(&Node::String(platform.into()))),
            ]);
            names.push(("server".to_owned(), server));
        }
        None => unread.push("server".to_owned()),
    }
    Bound { names, unread }
}

impl Bound {
    /// Binds what people have signed for.
    pub fn bind_attestations(&mut self, attested: &Attested<'_>) {
        let nodes = attested.nodes();
        if let Some(newest) = nodes.first() {
            self.names
                .push(("attestation".to_owned(), cel::owned(newest)));
        }
        let all = Node::List(nodes.into());
        self.names
            .push(("attestations".to_owned(), cel::owned(&all)));
    }
}

/// The series that a query was answered with; nothing if it was not.
fn answer<'a>(inventory: &'a Inventory, promql: &str) -> Option<&'a Node> {
    let answers = inventory.objects(&query_kind().group_kind());
    let at = answers
        .binary_search_by(|answer| answer.name().cmp(promql))
        .ok()?;
    answers[at].root.at(&["status", "series"])
}

/// Related objects by alias.
#[derive(Default)]
pub struct Related<'a> {
    lists: Vec<(&'a str, Option<Boxed<'a>>)>,
    /// What `readable.ALIAS` says, where a rule asks.
    readable: Vec<(String, Boxed<'a>)>,
}

impl<'a> Related<'a> {
    /// Adds the objects of an alias; nothing if they could not be read.
    pub fn push(&mut self, alias: &'a str, objects: Option<Vec<&'a Object>>) {
        let list = objects.map(|objects| {
            let items = objects.into_iter().map(|object| cel::object(object));
            cel::list(items.collect())
        });
        self.lists.push((alias, list));
    }

    /// Says whether the objects of an alias could be read.
    pub fn say_readable(&mut self, alias: &str, readable: bool) {
        let value = cel::owned(&Node::Bool(readable));
        self.readable.push((format!("readable.{alias}"), value));
    }

    /// Binds them.
    pub fn lend_to<'b>(&'b self, bindings: &mut Bindings<'b>)
    where
        'a: 'b,
    {
        for (alias, list) in &self.lists {
            match list {
                Some(list) => bindings.lend(alias, &**list),
                None => bindings.bind_unread(alias),
            }
        }
        for (name, value) in &self.readable {
            bindings.lend(name, &**value);
        }
    }
}

/// Binds what one subject is: `object`, and for workloads `workload`, `podMeta`, `podSpec` and
/// `containers`.
pub fn bind_unit<'a>(unit: &Unit<'a>, bindings: &mut Bindings<'a>) {
    static EMPTY: Node = Node::Null;
    let Some(object) = unit.object else { return };
    bindings.bind("object", cel::object(object));
    if known::is_workload(&object.kind) {
        bind_template(unit, object, unit.template.unwrap_or(&EMPTY), bindings);
    }
}

fn bind_template<'a>(
    unit: &Unit<'a>,
    object: &'a Object,
    template: &'a Node,
    bindings: &mut Bindings<'a>,
) {
    let mut workload = vec![
        ("kind", cel::text(&object.kind.kind)),
        (
            "namespace",
            cel::text(object.namespace().unwrap_or_default()),
        ),
        ("name", cel::text(object.name())),
    ];
    let replicas = object.root.at(&["spec", "replicas"]).and_then(Node::as_int);
    let default = known::has_replicas(&object.kind).then_some(1);
    if let Some(replicas) = replicas.or(default) {
        workload.push(("replicas", cel::int(replicas)));
    }
    for name in ["labels", "annotations"] {
        let value = object.root.at(&["metadata", name]);
        workload.push((name, value.map_or_else(cel::empty_map, cel::node)));
    }
    bindings.bind("workload", cel::record(workload));
    let part = |name: &str| template.get(name).map_or_else(cel::empty_map, cel::node);
    bindings.bind("podMeta", part("metadata"));
    bindings.bind("podSpec", part("spec"));
    let containers = containers(unit)
        .into_iter()
        .map(|(map, role)| cel::container(map, role))
        .collect();
    bindings.bind("containers", cel::list(containers));
}

/// The containers of a workload with their roles.
pub fn containers<'a>(unit: &Unit<'a>) -> Vec<(&'a Map, &'static str)> {
    let Some(spec) = unit.template.and_then(|template| template.get("spec")) else {
        return Vec::new();
    };
    known::CONTAINER_LISTS
        .iter()
        .flat_map(|(list, role)| {
            let items = spec.get(list).map(Node::items).unwrap_or_default();
            items
                .iter()
                .filter_map(Node::as_map)
                .map(|map| (map, known::container_role(role, map)))
        })
        .collect()
}
