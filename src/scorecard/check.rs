//! Scorecards as meant: a chain of files laid over each other and checked against the rules. All
//! problems come at once.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
};

use serde_saphyr::Spanned;

use super::{
    CategoryBudget, Level, Scorecard,
    digest::digest,
    file::{Decimal, GateFile, LevelFile, Source, range},
    load::Link,
    params::params,
    thresholds::thresholds,
};
use crate::{
    model::{Category, Fraction, Node, Problem, ProblemSeverity},
    rule::RuleSet,
};

/// Profiles that scorecards may name even where no rule tells them apart.
const PROFILES: [&str; 3] = ["dev", "staging", "prod"];

/// A value and where it was written; a later file of the chain replaces both.
pub(super) struct Placed<'a, T> {
    pub value: T,
    source: &'a Source,
    at: Range<usize>,
}

impl<'a, T> Placed<'a, T> {
    fn new<S>(source: &'a Source, spanned: &Spanned<S>, value: T) -> Self {
        Placed {
            value,
            source,
            at: range(&spanned.referenced),
        }
    }

    pub fn error(&self, message: impl Into<String>) -> Problem {
        self.source.error(self.at.clone(), message)
    }

    /// The file it was written in.
    pub fn source(&self) -> &'a Source {
        self.source
    }
}

/// Parameter values by rule or theme as written, then by name.
pub(super) type Written<'a> = BTreeMap<
    String,
    (
        Placed<'a, ()>,
        BTreeMap<String, (Placed<'a, ()>, Placed<'a, Node>)>,
    ),
>;

/// The chain laid over each other; a key of a later file wins.
#[derive(Default)]
struct Overlay<'a> {
    profile: Option<Placed<'a, String>>,
    target: Option<Placed<'a, Fraction>>,
    weights: BTreeMap<Category, u32>,
    /// Keys of the categories, for problems about them.
    categories: BTreeMap<Category, Placed<'a, ()>>,
    themes: BTreeMap<Category, Vec<(String, Placed<'a, u32>)>>,
    levels: Option<Placed<'a, Vec<Placed<'a, LevelFile>>>>,
    ceilings: BTreeMap<String, (Placed<'a, ()>, Placed<'a, String>)>,
    gate: Option<Placed<'a, &'a GateFile>>,
    params: Written<'a>,
}

/// Lays the chain over each other, the base first, and checks the result against the rules.
///
/// # Errors
/// Every problem that was found, warnings included, if one of them is an error.
pub(super) fn check(
    chain: &[Link],
    rules: &RuleSet,
) -> Result<(Scorecard, Vec<Problem>), Vec<Problem>> {
    let mut problems = Vec::new();
    let overlay = overlay(chain, &mut problems);
    let scorecard = chain
        .last()
        .and_then(|link| meant(link, &overlay, rules, &mut problems));
    let is_error = |problem: &Problem| problem.severity == ProblemSeverity::Error;
    match scorecard {
        Some(scorecard) if !problems.iter().any(is_error) => Ok((scorecard, problems)),
        _ => Err(problems),
    }
}

fn overlay<'a>(chain: &'a [Link], problems: &mut Vec<Problem>) -> Overlay<'a> {
    let mut all = Overlay::default();
    for Link { source, file, .. } in chain {
        if let Some(profile) = &file.profile {
            all.profile = Some(Placed::new(source, profile, profile.value.clone()));
        }
        if let Some(target) = &file.target {
            all.target = Some(Placed::new(source, target, target.value.0));
        }
        for (key, written) in &file.categories.0 {
            let category = match key.value.parse::<Category>() {
                Ok(category) => category,
                Err(unknown) => {
                    problems.push(source.error(range(&key.referenced), unknown.to_string()));
                    continue;
                }
            };
            all.categories
                .insert(category, Placed::new(source, key, ()));
            if let Some(weight) = written.weight {
                all.weights.insert(category, weight);
            }
            let themes = all.themes.entry(category).or_default();
            for (theme, points) in &written.themes.0 {
                let placed = Placed::new(source, theme, points.value);
                match themes.iter_mut().find(|(name, _)| *name == theme.value) {
                    Some((_, budget)) => *budget = placed,
                    None => themes.push((theme.value.clone(), placed)),
                }
            }
        }
        if let Some(levels) = &file.levels {
            let each = levels.value.iter();
            let each = each
                .map(|level| Placed::new(source, level, level.value.clone()))
                .collect();
            all.levels = Some(Placed::new(source, levels, each));
        }
        if let Some(gate) = &file.gate {
            all.gate = Some(Placed::new(source, gate, &gate.value));
        }
        for (profile, level) in &file.ceilings.0 {
            let placed = Placed::new(source, level, level.value.clone());
            all.ceilings.insert(
                profile.value.clone(),
                (Placed::new(source, profile, ()), placed),
            );
        }
        for (rule, written) in &file.params.0 {
            let place = Placed::new(source, rule, ());
            let (_, values) = all
                .params
                .entry(rule.value.clone())
                .or_insert_with(|| (place, BTreeMap::new()));
            for (name, value) in &written.0 {
                let placed = Placed::new(source, value, value.value.0.clone());
                values.insert(name.value.clone(), (Placed::new(source, name, ()), placed));
            }
        }
    }
    all
}

fn meant(
    last: &Link,
    all: &Overlay<'_>,
    rules: &RuleSet,
    problems: &mut Vec<Problem>,
) -> Option<Scorecard> {
    for (what, given) in [
        ("profile", all.profile.is_some()),
        ("target", all.target.is_some()),
        ("categories", !all.categories.is_empty()),
        ("levels", all.levels.is_some()),
    ] {
        if !given {
            let message = format!("`{what}` is missing");
            problems.push(last.source.error(last.source.start(), message));
        }
    }
    if let Some(target) = &all.target
        && target.value > hundred()
    {
        problems.push(target.error("a target is at most 100"));
    }
    let known = profiles(rules);
    let named = all
        .profile
        .iter()
        .map(|name| (name.value.as_str(), name.error("")));
    let named = named.chain(
        all.ceilings
            .iter()
            .map(|(name, (at, _))| (name.as_str(), at.error(""))),
    );
    for (name, place) in named
        .filter(|(name, _)| !known.contains(*name))
        .collect::<Vec<_>>()
    {
        let message = format!("no rule knows a profile `{name}`");
        let known: Vec<_> = known.iter().copied().collect();
        problems.push(
            Problem { message, ..place }.with_help(format!("profiles are {}", known.join(", "))),
        );
    }
    let categories = budgets(all, rules, problems);
    let levels = levels(all, problems);
    let names: Vec<&str> = levels.iter().map(|level| &*level.name).collect();
    let gate = all.gate.as_ref();
    let gate = gate.map(|gate| thresholds(gate, &names, problems));
    let params = params(&all.params, rules, problems);
    let (profile, target) = (all.profile.as_ref()?, all.target.as_ref()?);
    let mut scorecard = Scorecard {
        name: last.name.clone(),
        version: last.file.version.clone(),
        description: last.file.description.trim().to_owned(),
        categories,
        profile: profile.value.clone(),
        params,
        levels,
        ceilings: all
            .ceilings
            .iter()
            .map(|(k, (_, level))| (k.clone(), level.value.clone()))
            .collect(),
        target: target.value,
        gate: gate.unwrap_or_default(),
        digest: String::new(),
    };
    scorecard.digest = digest(&scorecard, &all.params);
    Some(scorecard)
}

fn hundred() -> Fraction {
    Fraction::from_integer(100)
}

/// The profiles that a rule or theme tells apart, and the customary ones.
fn profiles(rules: &RuleSet) -> BTreeSet<&str> {
    let mut known = BTreeSet::from(PROFILES);
    for rule in rules.iter() {
        let shared = rules
            .theme(&rule.theme)
            .into_iter()
            .flat_map(|theme| theme.params.values());
        for param in rule.params.values().chain(shared) {
            known.extend(param.profiles.keys().map(String::as_str));
        }
    }
    known
}

fn budgets(
    all: &Overlay<'_>,
    rules: &RuleSet,
    problems: &mut Vec<Problem>,
) -> BTreeMap<Category, CategoryBudget> {
    let mut budgets = BTreeMap::new();
    let mut owners: BTreeMap<&str, Category> = BTreeMap::new();
    let themes_of = |wanted: Category| {
        let in_it = rules.iter().filter(move |rule| rule.category == wanted);
        in_it.map(|rule| &*rule.theme).collect::<BTreeSet<&str>>()
    };
    for (category, key) in &all.categories {
        let weight = all.weights.get(category).copied();
        if weight.is_none() {
            problems.push(key.error(format!("{category} has no `weight`")));
        }
        let themes = all.themes.get(category).map_or(&[][..], Vec::as_slice);
        let sum: u64 = themes
            .iter()
            .map(|(_, points)| u64::from(points.value))
            .sum();
        if sum != 100 {
            let message = format!("the budgets of {category} sum to {sum}, not 100");
            problems.push(key.error(message));
        }
        for (theme, points) in themes {
            if let Some(other) = owners.insert(theme, *category) {
                problems
                    .push(points.error(format!("theme `{theme}` has a budget in {other}, too")));
            }
            let home = rules
                .iter()
                .find(|rule| *rule.theme == **theme)
                .map(|rule| rule.category);
            if let Some(home) = home.filter(|home| home != category) {
                problems.push(points.error(format!("the rules of theme `{theme}` are in {home}")));
            }
        }
        let themes = themes
            .iter()
            .map(|(theme, points)| (theme.as_str().into(), points.value));
        budgets.insert(
            *category,
            CategoryBudget {
                weight: weight.unwrap_or(0),
                themes: themes.collect(),
            },
        );
    }
    if !all.categories.is_empty() && all.weights.values().all(|weight| *weight == 0) {
        problems.extend(
            all.categories
                .values()
                .next()
                .map(|key| key.error("every weight is 0")),
        );
    }
    for category in Category::ALL {
        for theme in themes_of(*category) {
            if owners.contains_key(theme) {
                continue;
            }
            let place = all
                .categories
                .get(category)
                .or(all.categories.values().next());
            let message =
                format!("the rules of theme `{theme}` are worth nothing: it has no budget");
            let help = format!("give `{theme}` points under {category}, 0 if that is meant");
            problems.extend(place.map(|key| key.error(message).with_help(help).warning()));
        }
    }
    budgets
}

fn levels(all: &Overlay<'_>, problems: &mut Vec<Problem>) -> Vec<Level> {
    let Some(written) = &all.levels else {
        return Vec::new();
    };
    if written.value.is_empty() {
        problems.push(written.error("there is no level"));
    }
    let mut levels: Vec<Level> = Vec::new();
    for placed in &written.value {
        let exactly = |decimal: &Option<Decimal>| decimal.map(|decimal| decimal.0);
        let level = Level {
            name: placed.value.name.clone(),
            min_score: placed.value.min_score.0,
            min_category: exactly(&placed.value.min_category),
            max_critical: placed.value.max_critical,
            max_high: placed.value.max_high,
            min_coverage: exactly(&placed.value.min_coverage),
            borderline_above_critical: placed.value.borderline_above_critical,
        };
        let name = &level.name;
        if name.trim().is_empty() {
            problems.push(placed.error("a level has no name"));
        }
        if levels.iter().any(|other| other.name == *name) {
            problems.push(placed.error(format!("level `{name}` is there twice")));
        }
        if let Some(below) = levels
            .last()
            .filter(|below| below.min_score >= level.min_score)
        {
            let message = format!(
                "`minScore` of `{name}` is not above that of `{}`",
                below.name
            );
            problems.push(
                placed
                    .error(message)
                    .with_help("write the lowest level first"),
            );
        }
        if level.min_score > hundred() || level.min_category > Some(hundred()) {
            problems.push(placed.error(format!("level `{name}` asks for more than 100 points")));
        }
        if level.min_coverage > Some(Fraction::from_integer(1)) {
            let help = "write 0.75 for 75 %";
            problems.push(
                placed
                    .error("`minCoverage` is a share of at most 1")
                    .with_help(help),
            );
        }
        levels.push(level);
    }
    for (_, ceiling) in all.ceilings.values() {
        if !levels.iter().any(|level| level.name == ceiling.value) {
            let names: Vec<_> = levels.iter().map(|level| level.name.as_str()).collect();
            let problem = ceiling.error(format!("there is no level `{}`", ceiling.value));
            problems.push(problem.with_help(format!("levels are {}", names.join(", "))));
        }
    }
    levels
}
