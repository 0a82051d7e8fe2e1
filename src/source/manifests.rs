//! Manifest files: YAML or JSON, several documents, lists; each object knows its file and line.
//!
//! A folder is its own world: a kind without objects has none. What only a cluster can show is
//! the evaluation's business to leave out.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use jiff::Timestamp;

use super::{
    Request,
    decode::{Projected, Texts},
};
use crate::model::{
    Cluster, GroupKind, Inventory, KindList, ListState, Node, Object, Place, Problem, SourceKind,
    yaml::{self, Source, Value, Written},
};

/// Largest manifest file, in bytes.
pub const MAX_BYTES: u64 = 64 << 20;

/// Deepest folder below one that was named.
const MAX_DEPTH: usize = 32;

/// Reads files, folders and standard input (`-`, whose text is `stdin`).
///
/// Returns the inventory and what its author should know, such as files that hold no manifests.
///
/// # Errors
/// Files that were named and cannot be read as manifests. In a folder such files are warnings,
/// since folders also hold values, patches and templates.
pub fn read(
    paths: &[PathBuf],
    stdin: Option<String>,
    request: &Request,
    now: Timestamp,
) -> Result<(Inventory, Vec<Problem>), Vec<Problem>> {
    let mut reader = Reader::new(request);
    let mut stdin = stdin;
    for path in paths {
        if path.as_os_str() == "-" {
            let text = stdin.take().unwrap_or_default();
            reader.read_text(
                Source {
                    file: "-".into(),
                    text: text.into(),
                },
                Named::Itself,
            );
        } else if path.is_dir() {
            reader.read_folder(path);
        } else {
            reader.read_file(path, Named::Itself);
        }
    }
    let origin: Vec<String> = paths
        .iter()
        .map(|path| path.display().to_string())
        .collect();
    if reader.errors.is_empty() {
        let warnings = std::mem::take(&mut reader.warnings);
        Ok((reader.inventory(origin.join(", "), now), warnings))
    } else {
        Err(reader.errors)
    }
}

/// Reads one text, such as an example of a rule.
///
/// # Errors
/// The text cannot be read as manifests.
pub fn read_text(
    source: Source,
    request: &Request,
    now: Timestamp,
) -> Result<Inventory, Vec<Problem>> {
    let mut reader = Reader::new(request);
    let origin = source.file.to_string();
    reader.read_text(source, Named::Itself);
    if reader.errors.is_empty() {
        Ok(reader.inventory(origin, now))
    } else {
        Err(reader.errors)
    }
}

/// How a file came to be read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Named {
    /// The user named it: it must hold manifests.
    Itself,
    /// The user named a folder above it.
    Folder,
}

struct Reader<'r> {
    request: &'r Request,
    projected: BTreeMap<GroupKind, Projected>,
    objects: BTreeMap<GroupKind, BTreeMap<(String, String), Object>>,
    errors: Vec<Problem>,
    warnings: Vec<Problem>,
    without_manifests: usize,
}

impl<'r> Reader<'r> {
    fn new(request: &'r Request) -> Self {
        Reader {
            request,
            projected: BTreeMap::new(),
            objects: BTreeMap::new(),
            errors: Vec::new(),
            warnings: Vec::new(),
            without_manifests: 0,
        }
    }

    fn read_folder(&mut self, folder: &Path) {
        let mut files = Vec::new();
        if let Err(error) = list(folder, 0, &mut files) {
            self.unreadable(folder, &error, Named::Itself);
        }
        files.sort();
        for file in files {
            self.read_file(&file, Named::Folder);
        }
    }

    fn read_file(&mut self, path: &Path, named: Named) {
        match read_limited(path) {
            Ok(text) => {
                let file = path.display().to_string().into();
                self.read_text(
                    Source {
                        file,
                        text: text.into(),
                    },
                    named,
                );
            }
            Err(error) => self.unreadable(path, &error, named),
        }
    }

    fn unreadable(&mut self, path: &Path, error: &io::Error, named: Named) {
        let file: Arc<str> = path.display().to_string().into();
        let problem = Problem::error(&file, &"".into(), 0..0, format!("cannot be read: {error}"));
        self.report(problem, named);
    }

    fn report(&mut self, problem: Problem, named: Named) {
        match named {
            Named::Itself => self.errors.push(problem),
            Named::Folder => self.warnings.push(problem.warning()),
        }
    }

    fn read_text(&mut self, source: Source, named: Named) {
        let documents = if source.text.trim_start().starts_with(['{', '[']) {
            // What looks like JSON may still be YAML in flow style.
            json_documents(&source).or_else(|problem| {
                let is_json = source.file.ends_with(".json");
                yaml_documents(&source).map_err(|other| if is_json { problem } else { other })
            })
        } else {
            yaml_documents(&source)
        };
        let documents: Vec<(u32, Written)> = match documents {
            Ok(documents) => documents,
            Err(problem) if source.text.contains("{{") => {
                let help = "render it first: helm template … | seaworthy audit --manifests -";
                let message = format!("a template, not a manifest: {}", problem.message);
                let problem = source.error(problem.span, message).with_help(help);
                return self.report(problem, named);
            }
            Err(problem) => return self.report(problem, named),
        };
        let mut found = false;
        for (line, document) in documents {
            found |= self.document(&source, line, document, named);
        }
        if !found && !source.text.trim().is_empty() {
            self.without_manifests += 1;
        }
    }

    /// Takes one document, or the items of a list; false if it is no Kubernetes object.
    fn document(&mut self, source: &Source, line: u32, document: Written, named: Named) -> bool {
        let text = |field: &str| document.get(field).and_then(Written::as_text);
        let (Some(api_version), Some(kind)) = (text("apiVersion"), text("kind")) else {
            return matches!(document.value, Value::Null);
        };
        let (group, version) = api_version.rsplit_once('/').unwrap_or(("", api_version));
        let (group_kind, version) = (GroupKind::new(group, kind), version.to_owned());
        if kind.ends_with("List")
            && let Some(Value::List(_)) = document.get("items").map(|items| &items.value)
        {
            if let Value::Map(entries) = document.value {
                let items = entries.into_iter().find(|(key, _)| key.name == "items");
                if let Some((
                    _,
                    Written {
                        value: Value::List(items),
                        ..
                    },
                )) = items
                {
                    for item in items {
                        let line = match item.span.start {
                            0 => line,
                            start => line_of(&source.text, start),
                        };
                        self.document(source, line, item, named);
                    }
                }
            }
            return true;
        }
        let root = document.node();
        if named == Named::Folder && is_patch(&group_kind, &root) {
            let message =
                format!("line {line}: a patch, not a manifest: the {kind} has no selector");
            self.warnings.push(source.error(0..0, message).warning());
            return true;
        }
        self.object(source, line, group_kind, &version, root);
        true
    }

    fn object(&mut self, source: &Source, line: u32, kind: GroupKind, version: &str, root: Node) {
        let Some(request) = self.request.kind(&kind) else {
            return;
        };
        if !request
            .query
            .versions
            .iter()
            .any(|known| &**known == version)
        {
            let message = format!(
                "line {line}: {kind} is written at {version}; the rules read {}",
                request.query.versions.join(", ")
            );
            self.warnings.push(source.error(0..0, message).warning());
            return;
        }
        let projected = self
            .projected
            .entry(kind.clone())
            .or_insert_with(|| Projected::new(&request.projection, Texts::Plain));
        let root = if kind == GroupKind::new("", "Secret") {
            without_data(root)
        } else {
            root
        };
        let object = Object {
            kind: kind.clone(),
            version: version.into(),
            root: projected.prune(root),
            place: Some(Place {
                file: source.file.clone(),
                line,
            }),
        };
        // Of an object that is written twice, the last one would be applied last.
        let name = (
            object.namespace().unwrap_or_default().to_owned(),
            object.name().to_owned(),
        );
        self.objects.entry(kind).or_default().insert(name, object);
    }

    fn inventory(mut self, origin: String, now: Timestamp) -> Inventory {
        let mut lists = BTreeMap::new();
        for request in &self.request.kinds {
            let wanted = request.query.group_kind();
            let kinds: Vec<GroupKind> = match request.query.is_wildcard() {
                true => {
                    let kinds = self.objects.keys();
                    kinds
                        .filter(|kind| kind.group == wanted.group)
                        .cloned()
                        .collect()
                }
                false => vec![wanted],
            };
            for kind in kinds {
                let Some(objects) = self
                    .objects
                    .remove(&kind)
                    .or_else(|| (!lists.contains_key(&kind)).then(BTreeMap::new))
                else {
                    continue;
                };
                let objects: Vec<Object> = objects.into_values().collect();
                let list = KindList {
                    state: ListState::Complete,
                    version: request.query.versions[0].clone(),
                    resource: "".into(),
                    namespaced: objects.iter().any(|object| object.namespace().is_some()),
                    objects,
                };
                lists.insert(kind, list);
            }
        }
        let mut notes = Vec::new();
        if self.without_manifests > 0 {
            notes.push(format!(
                "{} files hold no Kubernetes objects and were left out",
                self.without_manifests
            ));
        }
        Inventory {
            source: SourceKind::Manifests,
            origin,
            now,
            cluster: Cluster::default(),
            lists,
            notes,
            derived: Default::default(),
            attestations: Vec::new(),
        }
    }
}

/// Whether a document of a folder is only a part of an object, for kustomize to lay over the rest:
/// the API server takes none of these kinds without a selector.
fn is_patch(kind: &GroupKind, root: &Node) -> bool {
    let selects = ["Deployment", "StatefulSet", "DaemonSet"].contains(&&*kind.kind);
    selects && &*kind.group == "apps" && root.at(&["spec", "selector"]).is_none()
}

/// A Secret without what it keeps secret, whatever a projection asks for.
fn without_data(secret: Node) -> Node {
    match secret {
        Node::Map(fields) => Node::Map(
            fields
                .into_iter()
                .filter(|(name, _)| !matches!(&**name, "data" | "stringData"))
                .collect(),
        ),
        other => other,
    }
}

/// YAML documents, with the lines on which they start.
fn yaml_documents(source: &Source) -> Result<Vec<(u32, Written)>, Problem> {
    let documents = yaml::parse_documents(source)?;
    let line = |document: &Written| line_of(&source.text, document.span.start);
    Ok(documents
        .into_iter()
        .map(|document| (line(&document), document))
        .collect())
}

/// JSON documents one after another, with the lines on which they start.
fn json_documents(source: &Source) -> Result<Vec<(u32, Written)>, Problem> {
    let mut documents = Vec::new();
    let mut stream =
        serde_json::Deserializer::from_str(&source.text).into_iter::<serde_json::Value>();
    loop {
        let start = stream.byte_offset();
        let blank = source.text[start..].len() - source.text[start..].trim_start().len();
        match stream.next() {
            None => return Ok(documents),
            Some(Ok(value)) => {
                let line = line_of(&source.text, start + blank);
                documents.push((line, from_json(value)));
            }
            Some(Err(error)) => {
                let before: usize = source
                    .text
                    .split_inclusive('\n')
                    .take(error.line().saturating_sub(1))
                    .map(str::len)
                    .sum();
                let at = (before + error.column().saturating_sub(1)).min(source.text.len());
                return Err(source.error(at..at, error.to_string()));
            }
        }
    }
}

fn from_json(value: serde_json::Value) -> Written {
    use serde_json::Value as Json;
    let value = match value {
        Json::Null => Value::Null,
        Json::Bool(value) => Value::Bool(value),
        Json::Number(number) => match number.as_i64() {
            Some(whole) => Value::Int(whole),
            None => Value::Float(number.as_f64().unwrap_or(f64::INFINITY)),
        },
        Json::String(text) => Value::Text(text),
        Json::Array(items) => Value::List(items.into_iter().map(from_json).collect()),
        Json::Object(fields) => Value::Map(
            fields
                .into_iter()
                .map(|(name, value)| (yaml::Key { name, span: 0..0 }, from_json(value)))
                .collect(),
        ),
    };
    Written { value, span: 0..0 }
}

fn line_of(text: &str, at: usize) -> u32 {
    let before = text.as_bytes()[..at.min(text.len())].iter();
    u32::try_from(before.filter(|byte| **byte == b'\n').count() + 1).unwrap_or(u32::MAX)
}

/// Manifest files below a folder, hidden ones left out; links are not followed.
fn list(folder: &Path, depth: usize, found: &mut Vec<PathBuf>) -> io::Result<()> {
    if depth > MAX_DEPTH {
        return Ok(());
    }
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with('.') {
            continue;
        }
        let (path, kind) = (entry.path(), entry.file_type()?);
        let is_manifest = path
            .extension()
            .is_some_and(|e| e == "yaml" || e == "yml" || e == "json");
        if kind.is_dir() {
            list(&path, depth + 1, found)?;
        } else if kind.is_file() && is_manifest {
            found.push(path);
        }
    }
    Ok(())
}

fn read_limited(path: &Path) -> io::Result<String> {
    let size = fs::metadata(path)?.len();
    if size > MAX_BYTES {
        let message = format!("{size} bytes are more than a manifest file may have ({MAX_BYTES})");
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, message));
    }
    fs::read_to_string(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{model::Projection, plan::KindRequest};

    fn request() -> Request {
        let kind = |kind: &str| KindRequest {
            query: kind.parse().unwrap(),
            projection: Projection::whole(),
            owned: None,
        };
        Request {
            kinds: ["v1/ConfigMap", "v1/Secret", "apps/v1/Deployment"]
                .map(kind)
                .into(),
            server_version: false,
            ..Request::default()
        }
    }

    fn places(text: &str) -> Vec<(String, u32)> {
        let source = Source {
            file: "x.yaml".into(),
            text: text.into(),
        };
        let inventory = read_text(source, &request(), Timestamp::UNIX_EPOCH).unwrap();
        inventory
            .lists
            .values()
            .flat_map(|list| &list.objects)
            .map(|object| {
                (
                    object.name().to_owned(),
                    object.place.as_ref().unwrap().line,
                )
            })
            .collect()
    }

    #[test]
    fn objects_know_their_lines() {
        let yaml = "# first\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n---\n---\n\napiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: ConfigMap\n  metadata:\n    name: b\n- {apiVersion: v1, kind: ConfigMap, metadata: {name: c}}\n";
        assert_eq!(
            places(yaml),
            [("a".into(), 2), ("b".into(), 11), ("c".into(), 15)]
        );
        let json = "{\"apiVersion\": \"v1\", \"kind\": \"ConfigMap\", \"metadata\": {\"name\": \"a\"}}\n\n{\"apiVersion\": \"v1\", \"kind\": \"ConfigMap\", \"metadata\": {\"name\": \"b\"}}";
        assert_eq!(places(json), [("a".into(), 1), ("b".into(), 3)]);
        assert_eq!(places(""), []);
        assert_eq!(places("replicas: 3\nimage: {tag: x}\n"), []);
    }

    #[test]
    fn what_is_no_manifest_says_so() {
        let problem = |text: &str| {
            let source = Source {
                file: "x.yaml".into(),
                text: text.into(),
            };
            let problems = read_text(source, &request(), Timestamp::UNIX_EPOCH).unwrap_err();
            problems[0].to_string()
        };
        let template = problem(
            "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{ .Values.name }}\n  {{- if x }}\n",
        );
        assert!(
            template.contains("a template, not a manifest"),
            "{template}"
        );
        assert!(problem("a: [1\nb: 2").starts_with("x.yaml:"));
        assert!(
            problem("{\"a\": ").starts_with("x.yaml:1:"),
            "{}",
            problem("{\"a\": ")
        );
        let bomb = format!(
            "a: &a0 [x,x,x,x,x,x,x,x,x]\n{}",
            (1..30)
                .map(|i| format!("b{i}: &a{i} [*a{0},*a{0},*a{0},*a{0},*a{0},*a{0}]\n", i - 1))
                .collect::<String>()
        );
        assert!(!problem(&bomb).is_empty());
    }

    #[test]
    fn secret_data_does_not_enter_the_tree() {
        let text = "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\ndata: {token: Y2FuYXJ5}\nstringData: {password: canary}\n";
        let source = Source {
            file: "x.yaml".into(),
            text: text.into(),
        };
        let inventory = read_text(source, &request(), Timestamp::UNIX_EPOCH).unwrap();
        let shown = format!("{inventory:?}");
        assert!(
            !shown.contains("canary") && !shown.contains("Y2FuYXJ5"),
            "{shown}"
        );
    }
}
