//! Rules as a set: the embedded ones and the user's own, and what they say of each other.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
    path::PathBuf,
    sync::Arc,
};

use super::{
    RuleSet, Theme,
    check::{Checked, Shared, check_rule, check_theme, did_you_mean},
    file::{Address, Found, RuleFile},
};
use crate::model::{
    Problem, RuleId, ThemeId,
    yaml::{self, Source},
};

/// Most problems of one file that are told: a file with more has one mistake at its root.
const MAX_PROBLEMS: usize = 100;

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
    let (rules, problems) = check(find(directories));
    if problems.is_empty() {
        Ok(LoadedRules {
            rules,
            warnings: Vec::new(),
        })
    } else {
        Err(problems)
    }
}

/// Every problem of the rules in directories or single files, judged together with the embedded
/// ones, or of the embedded ones alone. The second value is how many files were looked at.
pub fn lint(paths: &[PathBuf]) -> (Vec<Problem>, usize) {
    let found = find(paths);
    let seen = found.seen;
    let (_, problems) = check(found);
    (problems, seen)
}

fn find(paths: &[PathBuf]) -> Found {
    let mut found = Found::default();
    found.add_embedded();
    for path in paths {
        found.add_path(path);
    }
    found
}

/// Checks each file, then what the files say of each other.
fn check(found: Found) -> (RuleSet, Vec<Problem>) {
    let mut problems = found.problems;
    let (themes, rules): (Vec<_>, Vec<_>) = found
        .files
        .into_iter()
        .partition(|file| file.address.is_theme());
    let themes = Themes::check(&themes, &rules, &mut problems);

    let mut first: BTreeMap<RuleId, Arc<str>> = BTreeMap::new();
    let mut checked: BTreeMap<RuleId, (Checked, Source)> = BTreeMap::new();
    for RuleFile { address, source } in rules {
        let id: RuleId = address.id.as_str().into();
        if let Some(first) = first.get(&id) {
            let message = format!("the id `{id}` is taken by {first}");
            problems.push(source.error(0..0, message));
            continue;
        }
        first.insert(id.clone(), source.file.clone());
        let shared = themes.shared(&address);
        let rule = yaml::parse(&source)
            .map_err(|problem| vec![problem])
            .and_then(|written| check_rule(&source, &address, shared, &written));
        match rule {
            Ok(rule) => {
                checked.insert(id, (rule, source));
            }
            Err(found) => problems.extend(limited(found)),
        }
    }
    problems.extend(across(&checked, &first));
    problems.sort_by(|a, b| (&a.file, a.span.start).cmp(&(&b.file, b.span.start)));
    let rules = checked
        .into_values()
        .map(|(checked, _)| checked.rule.into());
    (RuleSet::new(rules.collect(), themes.good), problems)
}

fn limited(mut problems: Vec<Problem>) -> Vec<Problem> {
    let more = problems.len().saturating_sub(MAX_PROBLEMS);
    problems.truncate(MAX_PROBLEMS);
    if let (Some(last), true) = (problems.last_mut(), more > 0) {
        last.help = Some(format!("{more} more problems of this file are not shown"));
    }
    problems
}

/// Themes by id, those of which the file is wrong included.
#[derive(Default)]
struct Themes {
    good: BTreeMap<ThemeId, Theme>,
    /// Texts of the theme files.
    texts: BTreeMap<ThemeId, Arc<str>>,
}

impl Themes {
    fn check(files: &[RuleFile], rules: &[RuleFile], problems: &mut Vec<Problem>) -> Self {
        let mut themes = Themes::default();
        let mut first: BTreeMap<ThemeId, &RuleFile> = BTreeMap::new();
        for file in files {
            let RuleFile { address, source } = file;
            let id: ThemeId = address.theme.as_str().into();
            if let Some(first) = first.get(&id) {
                let message = format!("the theme `{id}` is taken by {}", first.source.file);
                problems.push(source.error(0..0, message));
                continue;
            }
            first.insert(id.clone(), file);
            themes.texts.insert(id.clone(), source.text.clone());
            let theme = yaml::parse(source)
                .map_err(|problem| vec![problem])
                .and_then(|written| check_theme(source, address, &written));
            match theme {
                Ok(theme) => {
                    themes.good.insert(id, theme);
                }
                Err(found) => problems.extend(limited(found)),
            }
        }
        // A scorecard gives points to themes by id, so that one id is one theme.
        let mut home: BTreeMap<&str, &RuleFile> = BTreeMap::new();
        for file in files.iter().chain(rules) {
            let theme = file.address.theme.as_str();
            let first = home.entry(theme).or_insert(file);
            if first.address.category != file.address.category {
                let category = first.address.category;
                let message = format!("the theme `{theme}` belongs to {category}");
                let help = format!("{} puts it there", first.source.file);
                let problem = file.source.error(0..0, message);
                problems.push(problem.with_help(help));
            }
        }
        themes
    }

    fn shared(&self, address: &Address) -> Shared<'_> {
        let theme = self.good.get(address.theme.as_str());
        let text = self.texts.get(address.theme.as_str());
        Shared {
            theme,
            broken: theme.is_none() && text.is_some(),
            text: text.map_or("", |text| text),
        }
    }
}

/// What the rules say of each other: names that are taken or unknown, and rings of `requires`.
/// `ids` are those of all rules, the wrong ones included.
fn across(
    rules: &BTreeMap<RuleId, (Checked, Source)>,
    ids: &BTreeMap<RuleId, Arc<str>>,
) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut aliases: BTreeMap<&RuleId, &RuleId> = BTreeMap::new();
    for (checked, source) in rules.values() {
        let rule = &checked.rule;
        for (alias, place) in rule.aliases.iter().zip(&checked.aliases) {
            let id = ids.get_key_value(alias).map(|(id, _)| id);
            if let Some(holder) = id.or_else(|| aliases.get(alias).copied()) {
                let message = format!("the alias `{alias}` is taken by `{holder}`");
                problems.push(source.error(place.clone(), message));
            }
            aliases.insert(alias, &rule.id);
        }
    }
    for (checked, source) in rules.values() {
        let rule = &checked.rule;
        for (required, place) in rule.requires.iter().zip(&checked.requires) {
            let mut report = |message, help: Option<String>| {
                let mut problem = source.error(Range::clone(place), message);
                problem.help = help;
                problems.push(problem);
            };
            if !ids.contains_key(required) {
                let help = match aliases.get(required) {
                    Some(now) => Some(format!("its name is `{now}` now")),
                    None => did_you_mean(required, ids.keys().map(|id| &**id)),
                };
                report(
                    format!("`requires` names `{required}`, which is no rule"),
                    help,
                );
            } else if leads_to(rules, required, &rule.id) {
                report(
                    format!("`requires` leads from `{}` back to itself", rule.id),
                    None,
                );
            }
        }
    }
    problems
}

/// Whether a rule is or requires, directly or not, another.
fn leads_to(rules: &BTreeMap<RuleId, (Checked, Source)>, from: &RuleId, to: &RuleId) -> bool {
    let mut seen: BTreeSet<&RuleId> = BTreeSet::new();
    let mut next = vec![from];
    while let Some(current) = next.pop() {
        if current == to {
            return true;
        }
        if let (true, Some((checked, _))) = (seen.insert(current), rules.get(current)) {
            next.extend(&checked.rule.requires);
        }
    }
    false
}

#[cfg(test)]
mod tests;
