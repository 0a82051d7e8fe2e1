//! CEL values over the object tree, borrowed: nothing of an object is copied to evaluate a rule.
//!
//! A [`Node`] leaf becomes one of CEL's own scalars, so that every overload finds it; a string
//! borrows the tree's bytes. Maps and lists become [`TreeMap`] and [`TreeList`], which look up
//! their parts when an expression asks for them.

use std::{
    collections::HashMap,
    sync::{Arc, OnceLock},
};

use cel::{
    ExecutionError,
    common::{
        traits::{self, Container, Indexer, Iterable, Sizer, Zeroer},
        types::{
            CelBool, CelDouble, CelDuration, CelInt, CelMap, CelMapKey, CelNull, CelString,
            CelTimestamp, LIST_TYPE, MAP_TYPE, Type,
        },
        value::{CowVal, Val},
    },
};

use crate::model::{Map, Node, Object};

/// A value lent for `'a`.
pub type Boxed<'a> = Box<dyn Val + 'a>;

/// The value of a node.
pub fn node<'a>(node: &'a Node) -> Boxed<'a> {
    match node {
        Node::Null => Box::new(CelNull),
        Node::Bool(value) => Box::new(CelBool::from(*value)),
        Node::Int(value) => Box::new(CelInt::from(*value)),
        Node::Float(value) => Box::new(CelDouble::from(*value)),
        Node::String(text) => Box::new(CelString::from(&**text)),
        Node::List(items) => Box::new(TreeList {
            nodes: items,
            items: OnceLock::new(),
        }),
        Node::Map(map) => Box::new(TreeMap::new(map)),
    }
}

/// The value of a string.
pub fn text(text: &str) -> Boxed<'_> {
    Box::new(CelString::from(text))
}

/// The value of a whole number.
pub fn int<'a>(number: i64) -> Boxed<'a> {
    Box::new(CelInt::from(number))
}

/// A map without fields.
pub fn empty_map<'a>() -> Boxed<'a> {
    record(Vec::new())
}

/// A moment.
pub fn timestamp(moment: jiff::Timestamp) -> Boxed<'static> {
    let utc = chrono::DateTime::from_timestamp(moment.as_second(), 0).unwrap_or_default();
    Box::new(CelTimestamp::from(utc.fixed_offset()))
}

/// A span of time written like `24h` or `1h30m`; nothing if it is not one.
pub fn duration(text: &str) -> Option<Boxed<'static>> {
    let span: jiff::SignedDuration = text.parse().ok()?;
    let span = chrono::TimeDelta::new(span.as_secs(), span.subsec_nanos().unsigned_abs())?;
    Some(Box::new(CelDuration::from(span)))
}

/// A value that owns what it stands for, for what is made once and lent to many evaluations.
pub fn owned(node: &Node) -> Boxed<'static> {
    match node {
        Node::Null => Box::new(CelNull),
        Node::Bool(value) => Box::new(CelBool::from(*value)),
        Node::Int(value) => Box::new(CelInt::from(*value)),
        Node::Float(value) => Box::new(CelDouble::from(*value)),
        Node::String(text) => Box::new(CelString::from(text.to_string())),
        Node::List(items) => list(items.iter().map(owned).collect()),
        Node::Map(map) => {
            let entries = map
                .iter()
                .map(|(name, node)| (CelMapKey::from(name.to_owned()), owned(node)));
            let entries: HashMap<CelMapKey<'static>, Boxed<'static>> = entries.collect();
            Box::new(CelMap::from(entries))
        }
    }
}

/// A container of a pod spec with the role it plays (`main`, `init`, `sidecar`, `ephemeral`),
/// which Kubernetes says by position rather than by a field.
pub fn container<'a>(map: &'a Map, role: &'static str) -> Boxed<'a> {
    Box::new(TreeMap {
        map,
        extra: Extra::Role(role),
        keys: OnceLock::new(),
    })
}

/// An object with its `apiVersion` and `kind`, which the items of a list do not carry themselves.
pub fn object(object: &Object) -> Boxed<'_> {
    match &object.root {
        Node::Map(map) => Box::new(TreeMap {
            map,
            extra: Extra::Kind(object),
            keys: OnceLock::new(),
        }),
        other => node(other),
    }
}

/// A list of values that do not lie beside each other in a tree, such as related objects.
/// Cloning it is cheap.
pub fn list<'a>(items: Vec<Boxed<'a>>) -> Boxed<'a> {
    Box::new(Collected(items.into()))
}

/// A map with fields that no object has, such as `workload`.
pub fn record<'a>(fields: Vec<(&'static str, Boxed<'a>)>) -> Boxed<'a> {
    Box::new(Record(fields.into()))
}

/// An object of the tree as a CEL map.
#[derive(Debug)]
struct TreeMap<'a> {
    map: &'a Map,
    extra: Extra<'a>,
    keys: OnceLock<Box<[CelString<'a>]>>,
}

/// Fields that a map has beside those of the tree.
#[derive(Clone, Copy, Debug)]
enum Extra<'a> {
    Nothing,
    /// The `role` of a container.
    Role(&'static str),
    /// The `apiVersion` and `kind` of an object.
    Kind(&'a Object),
}

impl<'a> Extra<'a> {
    fn names(self) -> &'static [&'static str] {
        match self {
            Extra::Nothing => &[],
            Extra::Role(_) => &["role"],
            Extra::Kind(_) => &["apiVersion", "kind"],
        }
    }

    fn find(self, key: &str) -> Option<Boxed<'a>> {
        match (self, key) {
            (Extra::Role(role), "role") => Some(text(role)),
            (Extra::Kind(object), "kind") => Some(text(&object.kind.kind)),
            (Extra::Kind(object), "apiVersion") => {
                let version = match &*object.kind.group {
                    "" => object.version.to_string(),
                    group => format!("{group}/{}", object.version),
                };
                Some(Box::new(CelString::from(version)))
            }
            _ => None,
        }
    }
}

impl<'a> TreeMap<'a> {
    fn new(map: &'a Map) -> Self {
        TreeMap {
            map,
            extra: Extra::Nothing,
            keys: OnceLock::new(),
        }
    }

    fn find(&self, key: &str) -> Option<Boxed<'a>> {
        self.extra.find(key).or_else(|| self.map.get(key).map(node))
    }
}

/// An array of the tree as a CEL list.
#[derive(Debug)]
struct TreeList<'a> {
    nodes: &'a [Node],
    items: OnceLock<Box<[Boxed<'a>]>>,
}

/// Values from several places as a CEL list.
#[derive(Clone, Debug)]
struct Collected<'a>(Arc<[Boxed<'a>]>);

/// Named values as a CEL map.
#[derive(Clone, Debug)]
struct Record<'a>(Arc<[(&'static str, Boxed<'a>)]>);

fn no_such_key(key: &str) -> ExecutionError {
    ExecutionError::NoSuchKey(Arc::new(key.to_owned()))
}

fn key(index: &dyn Val) -> Result<&str, ExecutionError> {
    match index.downcast_ref::<CelString>() {
        Some(key) => Ok(key.inner()),
        None => Err(ExecutionError::UnexpectedType {
            got: index.get_type().name().to_owned(),
            want: "string".to_owned(),
        }),
    }
}

fn position(index: &dyn Val, len: usize) -> Result<usize, ExecutionError> {
    let Some(at) = index.downcast_ref::<CelInt>() else {
        return Err(ExecutionError::UnexpectedType {
            got: index.get_type().name().to_owned(),
            want: "int".to_owned(),
        });
    };
    usize::try_from(*at.inner())
        .ok()
        .filter(|at| *at < len)
        .ok_or_else(|| ExecutionError::IndexOutOfBounds((*at.inner()).into()))
}

/// The slice of boxed values as CEL iterates it.
struct Items<'b, 'a>(std::slice::Iter<'b, Boxed<'a>>);

impl<'b, 'v, 'a: 'v> traits::Iterator<'b, 'v> for Items<'b, 'a> {
    fn next(&mut self) -> Option<&'b (dyn Val + 'v)> {
        self.0.next().map(|item| &**item as &(dyn Val + 'v))
    }
}

/// The names of a map as CEL iterates them.
struct Keys<'b, 'a>(std::slice::Iter<'b, CelString<'a>>);

impl<'b, 'v, 'a: 'v> traits::Iterator<'b, 'v> for Keys<'b, 'a> {
    fn next(&mut self) -> Option<&'b (dyn Val + 'v)> {
        self.0.next().map(|key| key as &(dyn Val + 'v))
    }
}

/// Whether two lists, of whatever Rust type, have equal elements.
fn same_items<'v>(left: &(dyn Val + 'v), right: &(dyn Val + 'v)) -> bool {
    let (Some(left), Some(right)) = (left.as_iterable(), right.as_iterable()) else {
        return false;
    };
    let (mut left, mut right) = (left.iter(), right.iter());
    loop {
        match (left.next(), right.next()) {
            (None, None) => return true,
            (Some(a), Some(b)) if a.equals(b) => {}
            _ => return false,
        }
    }
}

/// Whether two maps, of whatever Rust type, have the same keys with equal values.
fn same_entries<'v>(left: &(dyn Val + 'v), right: &(dyn Val + 'v)) -> bool {
    let size = |map: &(dyn Val + 'v)| map.as_sizer().map(|sizer| *sizer.size().inner());
    let (Some(keys), Some(a), Some(b)) =
        (left.as_iterable(), left.as_indexer(), right.as_indexer())
    else {
        return false;
    };
    if size(left) != size(right) {
        return false;
    }
    let mut keys = keys.iter();
    while let Some(key) = keys.next() {
        match (a.get(key), b.get(key)) {
            (Ok(a), Ok(b)) if a.equals(&*b) => {}
            _ => return false,
        }
    }
    true
}

impl Val for TreeMap<'_> {
    fn get_type(&self) -> &Type {
        &MAP_TYPE
    }
    fn cel_type() -> &'static Type {
        &MAP_TYPE
    }
    fn as_container(&self) -> Option<&dyn Container> {
        Some(self)
    }
    fn as_indexer<'b, 'v>(&'b self) -> Option<&'b (dyn Indexer + 'v)>
    where
        Self: 'v,
    {
        Some(self)
    }
    fn as_iterable<'b, 'v>(&'b self) -> Option<&'b (dyn Iterable + 'v)>
    where
        Self: 'v,
    {
        Some(self)
    }
    fn as_sizer(&self) -> Option<&dyn Sizer> {
        Some(self)
    }
    fn as_zeroer(&self) -> Option<&dyn Zeroer> {
        Some(self)
    }
    fn equals(&self, other: &dyn Val) -> bool {
        same_entries(self, other)
    }
    fn clone_as_boxed<'v>(&self) -> Box<dyn Val + 'v>
    where
        Self: 'v,
    {
        Box::new(TreeMap {
            map: self.map,
            extra: self.extra,
            keys: OnceLock::new(),
        })
    }
}

impl Indexer for TreeMap<'_> {
    fn get<'b, 'v>(&'b self, index: &dyn Val) -> Result<CowVal<'b, 'v>, ExecutionError>
    where
        Self: 'v,
    {
        let key = key(index)?;
        match self.find(key) {
            Some(value) => Ok(CowVal::Owned(value)),
            None => Err(no_such_key(key)),
        }
    }
    fn steal<'v>(self: Box<Self>, index: &dyn Val) -> Result<Box<dyn Val + 'v>, ExecutionError>
    where
        Self: 'v,
    {
        let key = key(index)?;
        self.find(key)
            .map(|value| value as Box<dyn Val + 'v>)
            .ok_or_else(|| no_such_key(key))
    }
}

impl Iterable for TreeMap<'_> {
    fn iter<'b, 'v>(&'b self) -> Box<dyn traits::Iterator<'b, 'v> + 'b>
    where
        Self: 'v,
    {
        let keys = self.keys.get_or_init(|| {
            let fields = self.map.iter().map(|(name, _)| name);
            let extra = self.extra.names().iter().copied();
            fields
                .filter(|name| !self.extra.names().contains(name))
                .chain(extra)
                .map(CelString::from)
                .collect()
        });
        Box::new(Keys(keys.iter()))
    }
}

impl Container for TreeMap<'_> {
    fn contains(&self, value: &dyn Val) -> Result<bool, ExecutionError> {
        Ok(self.find(key(value)?).is_some())
    }
}

impl Sizer for TreeMap<'_> {
    fn size(&self) -> CelInt {
        let extra = self.extra.names().iter();
        let added = extra.filter(|name| self.map.get(name).is_none()).count();
        CelInt::from((self.map.len() + added) as i64)
    }
}

impl Zeroer for TreeMap<'_> {
    fn is_zero_value(&self) -> bool {
        self.map.is_empty()
    }
}

impl Val for TreeList<'_> {
    fn get_type(&self) -> &Type {
        &LIST_TYPE
    }
    fn cel_type() -> &'static Type {
        &LIST_TYPE
    }
    fn as_adder<'b, 'v>(&'b self) -> Option<&'b (dyn traits::Adder + 'v)>
    where
        Self: 'v,
    {
        Some(self)
    }
    fn as_container(&self) -> Option<&dyn Container> {
        Some(self)
    }
    fn as_indexer<'b, 'v>(&'b self) -> Option<&'b (dyn Indexer + 'v)>
    where
        Self: 'v,
    {
        Some(self)
    }
    fn as_iterable<'b, 'v>(&'b self) -> Option<&'b (dyn Iterable + 'v)>
    where
        Self: 'v,
    {
        Some(self)
    }
    fn as_sizer(&self) -> Option<&dyn Sizer> {
        Some(self)
    }
    fn as_zeroer(&self) -> Option<&dyn Zeroer> {
        Some(self)
    }
    fn equals(&self, other: &dyn Val) -> bool {
        same_items(self, other)
    }
    fn clone_as_boxed<'v>(&self) -> Box<dyn Val + 'v>
    where
        Self: 'v,
    {
        Box::new(TreeList {
            nodes: self.nodes,
            items: OnceLock::new(),
        })
    }
}

impl Indexer for TreeList<'_> {
    fn get<'b, 'v>(&'b self, index: &dyn Val) -> Result<CowVal<'b, 'v>, ExecutionError>
    where
        Self: 'v,
    {
        let at = position(index, self.nodes.len())?;
        Ok(CowVal::Owned(node(&self.nodes[at])))
    }
    fn steal<'v>(self: Box<Self>, index: &dyn Val) -> Result<Box<dyn Val + 'v>, ExecutionError>
    where
        Self: 'v,
    {
        let at = position(index, self.nodes.len())?;
        Ok(node(&self.nodes[at]))
    }
}

impl<'a> Iterable for TreeList<'a> {
    fn iter<'b, 'v>(&'b self) -> Box<dyn traits::Iterator<'b, 'v> + 'b>
    where
        Self: 'v,
    {
        let items = self
            .items
            .get_or_init(|| self.nodes.iter().map(node).collect());
        Box::new(Items::<'b, 'a>(items.iter()))
    }
}

impl traits::Adder for TreeList<'_> {
    fn add<'b, 'v>(&'b self, right: &(dyn Val + 'v)) -> Result<CowVal<'b, 'v>, ExecutionError>
    where
        Self: 'v,
    {
        concatenate(self, right)
    }
}

impl Container for TreeList<'_> {
    fn contains(&self, value: &dyn Val) -> Result<bool, ExecutionError> {
        Ok(self.nodes.iter().any(|item| node(item).equals(value)))
    }
}

impl Sizer for TreeList<'_> {
    fn size(&self) -> CelInt {
        CelInt::from(self.nodes.len() as i64)
    }
}

impl Zeroer for TreeList<'_> {
    fn is_zero_value(&self) -> bool {
        self.nodes.is_empty()
    }
}

impl Val for Collected<'_> {
    fn get_type(&self) -> &Type {
        &LIST_TYPE
    }
    fn cel_type() -> &'static Type {
        &LIST_TYPE
    }
    fn as_adder<'b, 'v>(&'b self) -> Option<&'b (dyn traits::Adder + 'v)>
    where
        Self: 'v,
    {
        Some(self)
    }
    fn as_container(&self) -> Option<&dyn Container> {
        Some(self)
    }
    fn as_indexer<'b, 'v>(&'b self) -> Option<&'b (dyn Indexer + 'v)>
    where
        Self: 'v,
    {
        Some(self)
    }
    fn as_iterable<'b, 'v>(&'b self) -> Option<&'b (dyn Iterable + 'v)>
    where
        Self: 'v,
    {
        Some(self)
    }
    fn as_sizer(&self) -> Option<&dyn Sizer> {
        Some(self)
    }
    fn equals(&self, other: &dyn Val) -> bool {
        same_items(self, other)
    }
    fn clone_as_boxed<'v>(&self) -> Box<dyn Val + 'v>
    where
        Self: 'v,
    {
        Box::new(self.clone())
    }
}

impl Indexer for Collected<'_> {
    fn get<'b, 'v>(&'b self, index: &dyn Val) -> Result<CowVal<'b, 'v>, ExecutionError>
    where
        Self: 'v,
    {
        let at = position(index, self.0.len())?;
        Ok(CowVal::Borrowed(&*self.0[at]))
    }
    fn steal<'v>(self: Box<Self>, index: &dyn Val) -> Result<Box<dyn Val + 'v>, ExecutionError>
    where
        Self: 'v,
    {
        let at = position(index, self.0.len())?;
        Ok(self.0[at].clone_as_boxed())
    }
}

impl<'a> Iterable for Collected<'a> {
    fn iter<'b, 'v>(&'b self) -> Box<dyn traits::Iterator<'b, 'v> + 'b>
    where
        Self: 'v,
    {
        Box::new(Items::<'b, 'a>(self.0.iter()))
    }
}

impl traits::Adder for Collected<'_> {
    fn add<'b, 'v>(&'b self, right: &(dyn Val + 'v)) -> Result<CowVal<'b, 'v>, ExecutionError>
    where
        Self: 'v,
    {
        concatenate(self, right)
    }
}

impl Container for Collected<'_> {
    fn contains(&self, value: &dyn Val) -> Result<bool, ExecutionError> {
        Ok(self.0.iter().any(|item| item.equals(value)))
    }
}

impl Sizer for Collected<'_> {
    fn size(&self) -> CelInt {
        CelInt::from(self.0.len() as i64)
    }
}

fn concatenate<'b, 'v>(
    left: &'b (dyn Val + 'v),
    right: &(dyn Val + 'v),
) -> Result<CowVal<'b, 'v>, ExecutionError> {
    let mut items: Vec<Boxed<'v>> = Vec::new();
    for side in [left, right] {
        let iterable = side
            .as_iterable()
            .ok_or_else(|| ExecutionError::UnexpectedType {
                got: side.get_type().name().to_owned(),
                want: "list".to_owned(),
            })?;
        let mut side = iterable.iter();
        while let Some(item) = side.next() {
            items.push(item.clone_as_boxed());
        }
    }
    Ok(CowVal::Owned(list(items)))
}

impl<'a> Record<'a> {
    fn find<'b>(&'b self, name: &str) -> Option<&'b Boxed<'a>> {
        self.0
            .iter()
            .find(|(field, _)| *field == name)
            .map(|(_, value)| value)
    }
}

impl Val for Record<'_> {
    fn get_type(&self) -> &Type {
        &MAP_TYPE
    }
    fn cel_type() -> &'static Type {
        &MAP_TYPE
    }
    fn as_container(&self) -> Option<&dyn Container> {
        Some(self)
    }
    fn as_indexer<'b, 'v>(&'b self) -> Option<&'b (dyn Indexer + 'v)>
    where
        Self: 'v,
    {
        Some(self)
    }
    fn clone_as_boxed<'v>(&self) -> Box<dyn Val + 'v>
    where
        Self: 'v,
    {
        Box::new(self.clone())
    }
}

impl Indexer for Record<'_> {
    fn get<'b, 'v>(&'b self, index: &dyn Val) -> Result<CowVal<'b, 'v>, ExecutionError>
    where
        Self: 'v,
    {
        let key = key(index)?;
        match self.find(key) {
            Some(value) => Ok(CowVal::Borrowed(&**value)),
            None => Err(no_such_key(key)),
        }
    }
    fn steal<'v>(self: Box<Self>, index: &dyn Val) -> Result<Box<dyn Val + 'v>, ExecutionError>
    where
        Self: 'v,
    {
        let key = key(index)?;
        self.find(key)
            .map(|value| value.clone_as_boxed())
            .ok_or_else(|| no_such_key(key))
    }
}

impl Container for Record<'_> {
    fn contains(&self, value: &dyn Val) -> Result<bool, ExecutionError> {
        Ok(self.find(key(value)?).is_some())
    }
}
