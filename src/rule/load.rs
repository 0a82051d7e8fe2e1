//! Finds rule files: those embedded in the program, and the user's own directories.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use include_dir::{Dir, include_dir};

use super::{
    Rule, RuleSet, Theme,
    check::{Address, check_rule, check_theme},
};
use crate::model::{
    Category, Problem, RuleId, ThemeId,
    yaml::{self, Source},
};

/// Largest rule file, in bytes.
const MAX_BYTES: u64 = 256 * 1024;

/// The rules in the program: everything under `rules/` when it was built.
static EMBEDDED: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/rules");

/// File that speaks for its folder rather than being a rule.
const THEME_FILE: &str = "theme.yaml";

/// Rules that were loaded.
#[derive(Debug, Default)]
pub struct LoadedRules {
    /// The rules.
    pub rules: RuleSet,
    /// What their authors should know.
    pub warnings: Vec<Problem>,
}

/// Loads the embedded rules and those of directories laid out as `<category>/<theme>/<id>.yaml`.
///
/// # Errors
/// Every problem of every file.
pub fn load(directories: &[PathBuf]) -> Result<LoadedRules, Vec<Problem>> {
    let mut loader = Loader::default();
    loader.read_embedded();
    for directory in directories {
        loader.read_directory(directory);
    }
    let (rules, problems) = loader.check();
    if problems.is_empty() {
        Ok(LoadedRules {
            rules,
            warnings: Vec::new(),
        })
    } else {
        Err(problems)
    }
}

/// Every problem of the rules in directories, judged together with the embedded ones, or of the
/// embedded ones if there are no directories. The second value is how many rules were looked at.
pub fn lint(directories: &[PathBuf]) -> (Vec<Problem>, usize) {
    let mut loader = Loader::default();
    loader.read_embedded();
    for directory in directories {
        loader.read_directory(directory);
    }
    let own = loader.found.len();
    let (_, problems) = loader.check();
    (problems, own)
}

#[derive(Default)]
struct Loader {
    found: Vec<(PathBuf, Source)>,
    problems: Vec<Problem>,
}

impl Loader {
    fn read_embedded(&mut self) {
        let mut directories = vec![&EMBEDDED];
        while let Some(directory) = directories.pop() {
            directories.extend(directory.dirs());
            for file in directory.files() {
                let path = file.path();
                if let (true, Some(text)) = (is_yaml(path), file.contents_utf8()) {
                    self.found.push((
                        path.to_owned(),
                        Source {
                            file: format!("embedded:{}", path.display()).into(),
                            text: text.into(),
                        },
                    ));
                }
            }
        }
        self.found.sort_by(|(a, _), (b, _)| a.cmp(b));
    }

    fn read_directory(&mut self, root: &Path) {
        let mut paths = Vec::new();
        if let Err(error) = list(root, 0, &mut paths) {
            self.unreadable(root, &error);
        }
        paths.sort();
        for path in paths {
            match read(&path) {
                Ok(text) => {
                    let inside = path.strip_prefix(root).unwrap_or(&path).to_owned();
                    let source = Source {
                        file: path.display().to_string().into(),
                        text: text.into(),
                    };
                    self.found.push((inside, source));
                }
                Err(error) => self.unreadable(&path, &error),
            }
        }
    }

    fn unreadable(&mut self, path: &Path, error: &io::Error) {
        let file: Arc<str> = path.display().to_string().into();
        let problem = Problem::error(&file, &"".into(), 0..0, format!("cannot be read: {error}"));
        self.problems.push(problem);
    }

    /// Checks each file, then what the files say of each other.
    fn check(mut self) -> (RuleSet, Vec<Problem>) {
        let mut themes: BTreeMap<ThemeId, Theme> = BTreeMap::new();
        let mut parsed = Vec::new();
        for (path, source) in std::mem::take(&mut self.found) {
            let Some(address) = address(&path) else {
                let help = "put it at <category>/<theme>/<id>.yaml, the category being security, operations or maturity";
                let problem = source.error(0..0, "the path gives no category and theme");
                self.problems.push(problem.with_help(help));
                continue;
            };
            match yaml::parse(&source) {
                Ok(written) => parsed.push((path, source, address, written)),
                Err(problem) => self.problems.push(problem),
            }
        }
        for (path, source, address, written) in &parsed {
            if path.ends_with(THEME_FILE) {
                match check_theme(source, address, written) {
                    Ok(theme) => {
                        themes.insert(theme.id.clone(), theme);
                    }
                    Err(problems) => self.problems.extend(problems),
                }
            }
        }
        let mut rules: BTreeMap<RuleId, (Arc<Rule>, Source)> = BTreeMap::new();
        for (path, source, address, written) in parsed {
            if path.ends_with(THEME_FILE) {
                continue;
            }
            let theme = themes.get(address.theme.as_str());
            match check_rule(&source, &address, theme, &written) {
                Ok(rule) => {
                    if let Some((first, _)) = rules.get(&rule.id) {
                        let message = format!("the id `{}` is taken by {}", rule.id, first.file);
                        self.problems.push(source.error(0..0, message));
                    } else {
                        rules.insert(rule.id.clone(), (Arc::new(rule), source));
                    }
                }
                Err(problems) => self.problems.extend(problems),
            }
        }
        // With a broken rule out of the set, references to it would be reported as well.
        if self.problems.is_empty() {
            self.problems.extend(across(&rules));
        }
        self.problems
            .sort_by(|a, b| (&a.file, a.span.start).cmp(&(&b.file, b.span.start)));
        let rules = rules.into_values().map(|(rule, _)| rule).collect();
        (RuleSet::new(rules, themes), self.problems)
    }
}

/// What the rules say of each other: names that are taken or unknown, and rings of `requires`.
fn across(rules: &BTreeMap<RuleId, (Arc<Rule>, Source)>) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut aliases: BTreeMap<&RuleId, &RuleId> = BTreeMap::new();
    for (rule, source) in rules.values() {
        for alias in &rule.aliases {
            let holder = rules.get(alias).map(|(rule, _)| &rule.id);
            if let Some(holder) = holder.or_else(|| aliases.get(alias).copied()) {
                let message = format!("the alias `{alias}` is taken by `{holder}`");
                problems.push(source.error(0..0, message));
            }
            aliases.insert(alias, &rule.id);
        }
        for required in &rule.requires {
            if !rules.contains_key(required) {
                let message = format!("`requires` names `{required}`, which is no rule");
                problems.push(source.error(0..0, message));
            }
        }
        if requires_itself(rules, &rule.id) {
            let message = format!("`requires` leads from `{}` back to itself", rule.id);
            problems.push(source.error(0..0, message));
        }
    }
    problems
}

fn requires_itself(rules: &BTreeMap<RuleId, (Arc<Rule>, Source)>, id: &RuleId) -> bool {
    let mut seen: Vec<&RuleId> = Vec::new();
    let mut next: Vec<&RuleId> = vec![id];
    while let Some(current) = next.pop() {
        let Some((rule, _)) = rules.get(current) else {
            continue;
        };
        for required in &rule.requires {
            if required == id {
                return true;
            }
            if !seen.contains(&required) {
                seen.push(required);
                next.push(required);
            }
        }
    }
    false
}

/// Category, theme and id, from the last three parts of a path.
fn address(path: &Path) -> Option<Address> {
    let parts: Vec<&str> = path.iter().filter_map(|part| part.to_str()).collect();
    let [.., category, theme, _] = parts[..] else {
        return None;
    };
    Some(Address {
        category: category.parse::<Category>().ok()?,
        theme: theme.to_owned(),
        id: path.file_stem()?.to_str()?.to_owned(),
    })
}

fn is_yaml(path: &Path) -> bool {
    path.extension()
        .is_some_and(|extension| extension == "yaml" || extension == "yml")
}

/// YAML files below a directory; links are not followed, so that a directory is all there is.
fn list(directory: &Path, depth: usize, found: &mut Vec<PathBuf>) -> io::Result<()> {
    if depth > 8 {
        return Ok(());
    }
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_dir() {
            list(&entry.path(), depth + 1, found)?;
        } else if kind.is_file() && is_yaml(&entry.path()) {
            found.push(entry.path());
        }
    }
    Ok(())
}

fn read(path: &Path) -> io::Result<String> {
    let size = fs::metadata(path)?.len();
    if size > MAX_BYTES {
        let message = format!("{size} bytes are more than a rule file may have ({MAX_BYTES})");
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, message));
    }
    fs::read_to_string(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"title: Names are short
severity: low
effort: S
since: 0.1.0
why: Long names break.
fix: Shorten it.
references: [https://example.com]
kinds: [v1/Service]
params:
  longest: {type: int, default: 10, description: Longest name., profiles: {prod: 5}}
expression: size(object.metadata.name) <= params.longest
messageExpression: "'the name has ' + string(size(object.metadata.name)) + ' characters'"
examples:
  - pass: "{apiVersion: v1, kind: Service, metadata: {name: a}}"
  - fail: "{apiVersion: v1, kind: Service, metadata: {name: abcdefghijklmnop}}"
"#;

    fn load_one(name: &str, text: &str) -> Result<RuleSet, Vec<String>> {
        let mut loader = Loader::default();
        loader.found.push((
            Path::new("operations/naming").join(name),
            Source {
                file: name.into(),
                text: text.into(),
            },
        ));
        let (rules, problems) = loader.check();
        match problems.is_empty() {
            true => Ok(rules),
            false => Err(problems.iter().map(ToString::to_string).collect()),
        }
    }

    #[test]
    fn a_good_file_is_a_rule() {
        let rules = load_one("names-short.yaml", GOOD).unwrap();
        let rule = rules.get("names-short").unwrap();
        assert_eq!(
            (&*rule.theme, rule.category),
            ("naming", Category::Operations)
        );
        assert_eq!(
            rule.params["longest"].profiles["prod"],
            crate::model::Node::Int(5)
        );
    }

    #[test]
    fn five_mistakes_are_five_problems_with_their_places() {
        let bad = GOOD
            .replace("severity: low", "severity: bad")
            .replace("kinds: [v1/Service]", "kinds: [Service]")
            .replace("why:", "whyy:")
            .replace("params.longest", "params.longst")
            .replace(
                "references: [https://example.com]",
                "references: []\nwith:\n  pods: {kind: v1/Pod, relation: near}",
            );
        let problems = load_one("names-short.yaml", &bad).unwrap_err();
        assert_eq!(
            problems,
            [
                "names-short.yaml:1:1: error: `why` is missing",
                "names-short.yaml:2:11: error: `severity`: `bad` is not one of critical, high, medium, low, info",
                "names-short.yaml:5:1: error: unknown key `whyy`",
                "names-short.yaml:9:34: error: unknown relation `near`: selects, targets, owned-by, in-namespace, references or any",
                "names-short.yaml:10:9: error: `Service` is not a kind: write `version/Kind` or `group/version/Kind`, such as `apps/v1/Deployment`",
                "names-short.yaml:13:43: error: unknown parameter `longst`",
            ]
        );
    }

    #[test]
    fn places_in_block_scalars_are_found() {
        let bad = GOOD.replace(
            "expression: size(object.metadata.name) <= params.longest",
            "expression: >-\n  size(object.metadata.name)\n    <= params.longest &&\n  objekt.x",
        );
        let problems = load_one("names-short.yaml", &bad).unwrap_err();
        assert_eq!(
            problems,
            ["names-short.yaml:14:3: error: unknown name `objekt`"]
        );
    }

    #[test]
    fn hostile_files_are_problems() {
        let bomb = format!(
            "a: &a [x,x]\n{}",
            (0..30)
                .map(|i| format!("b{i}: &b{i} [*a,*a]\n"))
                .collect::<String>()
        );
        for text in [
            "",
            "\u{0}",
            "- 1",
            "title: [",
            "\ttitle: x",
            &"[".repeat(100_000),
            &bomb,
            &GOOD.replace("low", "low\nseverity: high"),
        ] {
            let problems = load_one("names-short.yaml", text).unwrap_err();
            assert!(!problems.is_empty());
        }
        assert!(load_one("Names_Short.yaml", GOOD).unwrap_err()[0].contains("no rule id"));
    }

    #[test]
    fn the_schema_describes_the_files_that_load() {
        let known: Vec<String> = crate::rule::schema()["properties"]
            .as_object()
            .unwrap()
            .keys()
            .cloned()
            .collect();
        let yaml::Value::Map(entries) = yaml::parse(&Source {
            file: "x".into(),
            text: GOOD.into(),
        })
        .unwrap()
        .value
        else {
            panic!("a rule is a mapping");
        };
        assert!(entries.iter().all(|(key, _)| known.contains(&key.name)));
    }
}
