//! Finds a scorecard and the ones it extends, inside the binary or in files.

use std::{
    io::Read,
    path::{Path, PathBuf},
};

use include_dir::{Dir, include_dir};

use super::{
    Scorecard, check,
    file::{File, Source, range},
};
use crate::{model::Problem, rule::RuleSet};

static EMBEDDED: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/scorecards");

/// A chain of scorecards longer than this is a mistake.
const MAX_DEPTH: usize = 8;

/// A scorecard is a page of text; more is a wrong file.
const MAX_BYTES: u64 = 1 << 20;

/// Names of the scorecards inside the binary, sorted.
pub fn embedded_names() -> Vec<&'static str> {
    let stem = |path: &'static Path| path.file_stem()?.to_str();
    let mut names: Vec<_> = EMBEDDED
        .files()
        .filter_map(|file| stem(file.path()))
        .collect();
    names.sort_unstable();
    names
}

/// Loads an embedded scorecard by its name, or one from a file, with everything it extends, and
/// checks it against the rules. Pass every rule that was loaded, also where only some will run:
/// a name is unknown only if no rule has it.
///
/// # Errors
/// Every problem of the scorecard and of the ones it extends, each with its place. What does not
/// stop the run, such as a theme without a budget, comes back beside the scorecard as warnings.
pub fn load(
    name_or_path: &str,
    rules: &RuleSet,
) -> Result<(Scorecard, Vec<Problem>), Vec<Problem>> {
    let chain = chain(Reference::parse(name_or_path, None)).map_err(|problem| vec![problem])?;
    check::check(&chain, rules)
}

/// A scorecard and the file it was read from.
pub(super) struct Link {
    pub name: String,
    pub source: Source,
    pub file: File,
}

/// Where a scorecard is.
#[derive(Clone, PartialEq)]
enum Reference {
    Embedded(String),
    Path(PathBuf),
}

impl Reference {
    /// What ends in `.yaml` or `.yml` or has a folder is a path, everything else a name. A path in
    /// a file is relative to that file.
    fn parse(text: &str, beside: Option<&Reference>) -> Self {
        let path = Path::new(text);
        let is_yaml = path
            .extension()
            .is_some_and(|ext| ext == "yaml" || ext == "yml");
        if !is_yaml && path.components().count() < 2 {
            return Reference::Embedded(text.to_owned());
        }
        match beside {
            Some(Reference::Path(file)) => {
                Reference::Path(file.parent().unwrap_or(Path::new("")).join(path))
            }
            _ => Reference::Path(path.to_owned()),
        }
    }

    fn name(&self) -> String {
        match self {
            Reference::Embedded(name) => name.clone(),
            Reference::Path(path) => path
                .file_stem()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned(),
        }
    }

    /// Reads the text; the error is the sentence for the user.
    fn read(&self) -> Result<Source, String> {
        match self {
            Reference::Embedded(name) => {
                let path = format!("{name}.yaml");
                let text = EMBEDDED
                    .get_file(&path)
                    .and_then(|file| file.contents_utf8());
                let text = text.ok_or_else(|| format!("there is no scorecard named `{name}`"))?;
                Ok(Source {
                    file: format!("embedded:scorecards/{path}").into(),
                    text: text.into(),
                })
            }
            Reference::Path(path) => read_file(path),
        }
    }
}

/// Reads a small text file; the error is the sentence for the user.
pub(super) fn read_file(path: &Path) -> Result<Source, String> {
    let unreadable = |error: std::io::Error| format!("cannot read the file: {error}");
    let mut text = String::new();
    // Not by its metadata: a pipe has no size.
    let mut reader = std::fs::File::open(path)
        .map_err(unreadable)?
        .take(MAX_BYTES + 1);
    reader.read_to_string(&mut text).map_err(unreadable)?;
    if text.len() as u64 > MAX_BYTES {
        return Err(format!("the file is larger than {MAX_BYTES} bytes"));
    }
    Ok(Source {
        file: path.display().to_string().into(),
        text: text.into(),
    })
}

/// The scorecard and what it extends, the base first.
fn chain(first: Reference) -> Result<Vec<Link>, Problem> {
    let mut links: Vec<Link> = Vec::new();
    let mut seen: Vec<Reference> = Vec::new();
    let mut next = Some(first);
    while let Some(reference) = next {
        let missing = |message: String| {
            let problem = match links.last() {
                Some(Link {
                    source,
                    file:
                        File {
                            extends: Some(extends),
                            ..
                        },
                    ..
                }) => source.error(range(&extends.referenced), message),
                _ => {
                    let file = match &reference {
                        Reference::Embedded(name) => name.as_str().into(),
                        Reference::Path(path) => path.display().to_string().into(),
                    };
                    Problem::error(&file, &"".into(), 0..0, message)
                }
            };
            problem.with_help(format!(
                "name one of {}, or a path that ends in .yaml",
                embedded_names().join(", ")
            ))
        };
        if seen.contains(&reference) || seen.len() == MAX_DEPTH {
            return Err(missing("the scorecard extends itself".to_owned()));
        }
        let source = reference.read().map_err(missing)?;
        let file: File = source.parse()?;
        let extends = file.extends.as_ref();
        next = extends.map(|name| Reference::parse(&name.value, Some(&reference)));
        links.push(Link {
            name: reference.name(),
            source,
            file,
        });
        seen.push(reference);
    }
    links.reverse();
    Ok(links)
}
