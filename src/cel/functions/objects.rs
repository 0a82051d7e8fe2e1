//! Functions about Kubernetes objects: images, label selectors, globs.

use std::collections::HashMap;

use cel::{
    Env, ExecutionError,
    common::{
        types::{CelBool, CelMap, CelMapKey, CelString, MAP_TYPE, STRING_TYPE},
        value::{CowVal, Val},
    },
};

use super::Library;
use crate::model::Projection;

pub(super) const LIBRARY: Library = Library {
    register: |env: &mut Env| {
        env.add_overload("image", "image_string", vec![STRING_TYPE], image)?;
        env.add_member_overload("glob", "glob_string", STRING_TYPE, vec![STRING_TYPE], glob)?;
        env.add_overload(
            "selects",
            "selects_map_map",
            vec![MAP_TYPE, MAP_TYPE],
            selects,
        )
    },
    globals: &["image", "selects"],
    members: &["glob"],
};

/// What `podRequests` reads of a list of pods.
pub(super) fn pod_requests_reads() -> Projection {
    let mut reads = Projection::default();
    for list in ["containers", "initContainers"] {
        let container = reads.path(&["*", "spec", list, "*"]);
        container.path(&["resources", "requests"]).all = true;
        container.field("restartPolicy").all = true;
    }
    reads.path(&["*", "spec", "overhead"]).all = true;
    reads.path(&["*", "spec", "resources", "requests"]).all = true;
    reads
}

fn string<'x>(args: &'x [CowVal<'_, '_>], at: usize) -> Result<&'x str, ExecutionError> {
    args.get(at)
        .and_then(|arg| arg.downcast_ref::<CelString>())
        .map(CelString::inner)
        .ok_or_else(|| ExecutionError::function_error("argument", "must be a string"))
}

/// `image(ref)`: the parts of an image reference, normalised as Docker does.
fn image<'b, 'v>(args: Vec<CowVal<'b, 'v>>) -> Result<CowVal<'b, 'v>, ExecutionError> {
    let reference = string(&args, 0)?;
    let (rest, digest) = reference.split_once('@').unwrap_or((reference, ""));
    let (name, tag) = match rest.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => (name, tag),
        _ => (rest, ""),
    };
    let (registry, path) = match name.split_once('/') {
        Some((host, path)) if host.contains(['.', ':']) || host == "localhost" => (host, path),
        _ => ("docker.io", name),
    };
    let registry = if registry == "index.docker.io" {
        "docker.io"
    } else {
        registry
    };
    let repository = if registry == "docker.io" && !path.contains('/') {
        format!("library/{path}")
    } else {
        path.to_owned()
    };
    let mut full = format!("{registry}/{repository}");
    if !tag.is_empty() {
        full = format!("{full}:{tag}");
    }
    if !digest.is_empty() {
        full = format!("{full}@{digest}");
    }
    let fields = [
        ("registry", registry.to_owned()),
        ("repository", repository),
        ("tag", tag.to_owned()),
        ("digest", digest.to_owned()),
        ("full", full),
    ];
    let map: HashMap<CelMapKey<'v>, Box<dyn Val + 'v>> = fields
        .into_iter()
        .map(|(name, value)| {
            let value: Box<dyn Val> = Box::new(CelString::from(value));
            (CelMapKey::from(name), value)
        })
        .collect();
    Ok(CowVal::owned(CelMap::from(map)))
}

/// `text.glob(pattern)`: shell-style `*` and `?`.
fn glob<'b, 'v>(args: Vec<CowVal<'b, 'v>>) -> Result<CowVal<'b, 'v>, ExecutionError> {
    let matched = wildmatch::WildMatch::new(string(&args, 1)?).matches(string(&args, 0)?);
    Ok(CowVal::owned(CelBool::from(matched)))
}

/// `selects(selector, labels)`: whether a LabelSelector matches labels. An empty selector selects
/// everything, as in the Kubernetes API.
fn selects<'b, 'v>(args: Vec<CowVal<'b, 'v>>) -> Result<CowVal<'b, 'v>, ExecutionError> {
    let [selector, labels] = &args[..] else {
        return Err(ExecutionError::invalid_argument_count(2, args.len()));
    };
    let label = |key: &str| field(&**labels, key).map(|value| value.to_owned());
    let mut matched = true;
    if let Some(wanted) = get(&**selector, "matchLabels") {
        each(&*wanted, |key| {
            let key = text_of(key);
            matched &= field(&*wanted, &key) == label(&key);
        });
    }
    if let Some(expressions) = get(&**selector, "matchExpressions") {
        each(&*expressions, |expression| {
            let key = field(expression, "key").unwrap_or_default();
            let value = label(&key);
            let mut listed = false;
            if let Some(values) = get(expression, "values") {
                each(&*values, |item| listed |= Some(text_of(item)) == value);
            }
            matched &= match field(expression, "operator").as_deref() {
                Some("In") => listed,
                Some("NotIn") => !listed,
                Some("Exists") => value.is_some(),
                Some("DoesNotExist") => value.is_none(),
                _ => false,
            };
        });
    }
    Ok(CowVal::owned(CelBool::from(matched)))
}

fn get<'b, 'v>(map: &'b (dyn Val + 'v), key: &str) -> Option<CowVal<'b, 'v>> {
    map.as_indexer()?.get(&CelString::from(key)).ok()
}

fn field(map: &dyn Val, key: &str) -> Option<String> {
    get(map, key).map(|value| text_of(&*value))
}

fn text_of(value: &dyn Val) -> String {
    value
        .downcast_ref::<CelString>()
        .map(|text| text.inner().to_owned())
        .unwrap_or_default()
}

fn each<'b, 'v>(list: &'b (dyn Val + 'v), mut visit: impl FnMut(&'b (dyn Val + 'v))) {
    if let Some(iterable) = list.as_iterable() {
        let mut items = iterable.iter();
        while let Some(item) = items.next() {
            visit(item);
        }
    }
}
