//! Functions about Kubernetes objects: images, label selectors, globs.

use std::collections::HashMap;

use cel::{
    Env, ExecutionError,
    common::{
        types::{CelBool, CelMap, CelMapKey, CelString, LIST_TYPE, MAP_TYPE, STRING_TYPE},
        value::{CowVal, Val},
    },
};

use super::{Library, budget::spend, text};

pub(super) const LIBRARY: Library = Library {
    register: |env: &mut Env| {
        env.add_overload("image", "image_string", vec![STRING_TYPE], image)?;
        env.add_member_overload("glob", "glob_string", STRING_TYPE, vec![STRING_TYPE], glob)?;
        env.add_member_overload("glob", "glob_list", STRING_TYPE, vec![LIST_TYPE], glob)?;
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

/// `image(ref)`: the parts of an image reference, normalised as Docker does. What is no valid
/// reference is taken apart all the same: the kubelet will refuse it, not we.
fn image<'b, 'v>(args: Vec<CowVal<'b, 'v>>) -> Result<CowVal<'b, 'v>, ExecutionError> {
    let reference = text(&args, 0)?;
    let (rest, digest) = reference.split_once('@').unwrap_or((reference, ""));
    let (name, tag) = match rest.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => (name, tag),
        _ => (rest, ""),
    };
    let (registry, path) = match name.split_once('/') {
        Some((host, path)) if is_registry(host) => (host, path),
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

/// Whether what stands before the first slash is a registry, rather than part of a repository's
/// name: these have no dots, ports or capital letters.
fn is_registry(host: &str) -> bool {
    host == "localhost"
        || host.contains(['.', ':'])
        || host.chars().any(|c| c.to_lowercase().ne([c]))
}

/// `text.glob(pattern)`: shell-style `*` and `?`. Of a list of patterns any one may match.
fn glob<'b, 'v>(args: Vec<CowVal<'b, 'v>>) -> Result<CowVal<'b, 'v>, ExecutionError> {
    let text = text(&args, 0)?;
    let matches = |pattern: &str| {
        // At worst, the whole pattern is tried at each place of the text.
        let size = (text.len() as u64).saturating_mul(1 + pattern.len() as u64);
        spend(1 + size / 256)?;
        Ok::<bool, ExecutionError>(wildmatch::WildMatch::new(pattern).matches(text))
    };
    let mut matched = false;
    if let Some(patterns) = args.get(1).and_then(|arg| arg.as_iterable()) {
        let mut patterns = patterns.iter();
        while let (false, Some(pattern)) = (matched, patterns.next()) {
            if let Some(pattern) = pattern.downcast_ref::<CelString>() {
                matched = matches(pattern.inner())?;
            }
        }
    } else {
        matched = matches(self::text(&args, 1)?)?;
    }
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

#[cfg(test)]
mod tests {
    use super::super::tests::*;

    #[test]
    fn images_are_normalised_as_docker_does() {
        let digest = format!("sha256:{}", "0".repeat(64));
        for (reference, registry, repository, tag, full) in [
            (
                "nginx",
                "docker.io",
                "library/nginx",
                "",
                "docker.io/library/nginx",
            ),
            (
                "nginx:1.25",
                "docker.io",
                "library/nginx",
                "1.25",
                "docker.io/library/nginx:1.25",
            ),
            (
                "grafana/loki",
                "docker.io",
                "grafana/loki",
                "",
                "docker.io/grafana/loki",
            ),
            (
                "docker.io/nginx",
                "docker.io",
                "library/nginx",
                "",
                "docker.io/library/nginx",
            ),
            (
                "index.docker.io/a/b",
                "docker.io",
                "a/b",
                "",
                "docker.io/a/b",
            ),
            ("localhost/x:y", "localhost", "x", "y", "localhost/x:y"),
            (
                "localhost:5000/x",
                "localhost:5000",
                "x",
                "",
                "localhost:5000/x",
            ),
            (
                "registry:5000/a/b:t",
                "registry:5000",
                "a/b",
                "t",
                "registry:5000/a/b:t",
            ),
            (
                "quay.io/a/b/c:v1",
                "quay.io",
                "a/b/c",
                "v1",
                "quay.io/a/b/c:v1",
            ),
            ("[::1]:5000/x", "[::1]:5000", "x", "", "[::1]:5000/x"),
            // A lone name is never a registry, and a capital letter makes one.
            (
                "example:5000",
                "docker.io",
                "library/example",
                "5000",
                "docker.io/library/example:5000",
            ),
            ("Registry/x:t", "Registry", "x", "t", "Registry/x:t"),
            ("", "docker.io", "library/", "", "docker.io/library/"),
        ] {
            all_true(&[&format!(
                "image('{reference}') == {{'registry': '{registry}', 'repository': '{repository}',
                 'tag': '{tag}', 'digest': '', 'full': '{full}'}}"
            )]);
        }
        all_true(&[
            &format!("image('nginx@{digest}').digest == '{digest}'"),
            &format!("image('q.io/a:1@{digest}').tag == '1'"),
            &format!("image('q.io:1/a:1@{digest}').full == 'q.io:1/a:1@{digest}'"),
        ]);
    }

    #[test]
    fn selectors_select_as_in_kubernetes() {
        let labels = "{'app': 'web', 'empty': ''}";
        for (selector, selected) in [
            ("{}", true),
            ("{'matchLabels': {'app': 'web'}}", true),
            ("{'matchLabels': {'app': 'web', 'tier': 'x'}}", false),
            ("{'matchLabels': {'other': ''}}", false),
            ("{'matchLabels': {'empty': ''}}", true),
            (
                "{'matchExpressions': [{'key': 'app', 'operator': 'In', 'values': ['a', 'web']}]}",
                true,
            ),
            (
                "{'matchExpressions': [{'key': 'x', 'operator': 'In', 'values': ['']}]}",
                false,
            ),
            (
                "{'matchExpressions': [{'key': 'app', 'operator': 'NotIn', 'values': ['web']}]}",
                false,
            ),
            (
                "{'matchExpressions': [{'key': 'x', 'operator': 'NotIn', 'values': ['web']}]}",
                true,
            ),
            (
                "{'matchExpressions': [{'key': 'empty', 'operator': 'Exists'}]}",
                true,
            ),
            (
                "{'matchExpressions': [{'key': 'app', 'operator': 'DoesNotExist'}]}",
                false,
            ),
        ] {
            all_true(&[&format!("selects({selector}, {labels}) == {selected}")]);
        }
    }

    #[test]
    fn globs_match_whole_texts_at_bounded_cost() {
        all_true(&[
            "'cilium-agent'.glob('cilium-*') && 'cilium'.glob('c?l*m') && ''.glob('*')",
            "'a/b'.glob(['x/*', 'a/*']) && !'a/b'.glob(['x/*']) && !'a'.glob([])",
            "!'my-cilium'.glob('cilium*') && !'a'.glob('') && 'a.b'.glob('a.b') && !'axb'.glob('a.b')",
        ]);
        let long = "lists.range(5000).map(i, 'aaaaaaaaaa').join()";
        fails(&format!("{long}.glob({long})"));
    }
}
