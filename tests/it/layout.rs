//! The architecture as `src/lib.rs` states it: who may import whom, and that its map is true.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// A module imports only from the modules left of it.
const ORDER: [&str; 15] = [
    "model",
    "cel",
    "derive",
    "rule",
    "scorecard",
    "plan",
    "source",
    "evaluate",
    "score",
    "gate",
    "report",
    "audit",
    "serve",
    "fleet",
    "cli",
];

fn sources(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// The top-level module a source file belongs to.
fn module(path: &Path) -> String {
    let first = path
        .strip_prefix(root())
        .unwrap()
        .components()
        .next()
        .unwrap();
    let name = Path::new(first.as_os_str()).file_stem().unwrap();
    name.to_string_lossy().into_owned()
}

/// Top-level modules that a source text imports or names by path.
fn imports(text: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find("crate::") {
        rest = &rest[at + "crate::".len()..];
        if let Some(group) = rest.strip_prefix('{') {
            // `use crate::{a::x, b::{y, z}};` — names at depth one.
            let (mut depth, mut name) = (1, String::new());
            for c in group.chars() {
                match c {
                    '{' => depth += 1,
                    '}' => depth -= 1,
                    _ => {}
                }
                if depth == 0 {
                    break;
                }
                if depth == 1 && (c.is_alphanumeric() || c == '_') {
                    name.push(c);
                } else if c == ':' && depth == 1 {
                    names.push(std::mem::take(&mut name));
                    name.push('#');
                } else if c == ',' && depth == 1 {
                    names.push(std::mem::take(&mut name));
                }
            }
            names.push(name);
        } else {
            let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_');
            names.push(rest[..end.unwrap_or(rest.len())].to_owned());
        }
    }
    names.retain(|name| ORDER.contains(&name.as_str()));
    names
}

#[test]
fn a_module_imports_only_from_its_left() {
    let mut files = Vec::new();
    sources(&root(), &mut files);
    let mut wrong = Vec::new();
    for file in files {
        let module = module(&file);
        let Some(position) = ORDER.iter().position(|name| *name == module) else {
            continue; // lib.rs and main.rs
        };
        for import in imports(&fs::read_to_string(&file).unwrap()) {
            if ORDER[position..].contains(&import.as_str()) && import != module {
                wrong.push(format!("{}: {module} imports {import}", file.display()));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "imports against the order:\n{}",
        wrong.join("\n")
    );
}

#[test]
fn lib_rs_maps_the_code_that_is_there() {
    let text = fs::read_to_string(root().join("lib.rs")).unwrap();
    let mapped: Vec<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("//! - [`")?.split('`').next())
        .collect();
    let declared: Vec<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';'))
        .collect();
    let mut sorted = mapped.clone();
    sorted.sort_unstable();
    assert_eq!(
        sorted, declared,
        "the map in lib.rs lists every module once"
    );
    let in_order: Vec<&str> = ORDER
        .into_iter()
        .filter(|name| mapped.contains(name))
        .collect();
    assert_eq!(
        mapped, in_order,
        "the map in lib.rs is in the order of imports"
    );
}

#[test]
fn only_cel_knows_the_cel_crate_and_only_live_sources_know_kube() {
    let mut files = Vec::new();
    sources(&root(), &mut files);
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        let path = file
            .strip_prefix(root())
            .unwrap()
            .to_string_lossy()
            .into_owned();
        let uses = |name: &str| {
            text.lines().any(|line| {
                line.trim_start().starts_with(&format!("use {name}::"))
                    || line.contains(&format!(" {name}::"))
            })
        };
        if uses("kube") {
            let allowed = path.starts_with("source/cluster") || path.starts_with("serve");
            assert!(allowed, "{path} uses kube");
        }
        if text.contains("use cel::{") && !text.contains("crate::cel") {
            assert!(path.starts_with("cel/"), "{path} uses the CEL crate");
        }
    }
}

#[test]
fn main_is_glue() {
    let lines = fs::read_to_string(root().join("main.rs"))
        .unwrap()
        .lines()
        .count();
    assert!(lines <= 60, "main.rs has {lines} lines");
    let audit = root().join("audit.rs");
    if audit.exists() {
        let lines = fs::read_to_string(audit).unwrap().lines().count();
        assert!(lines <= 180, "audit.rs has {lines} lines");
    }
}
