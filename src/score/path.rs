//! The cheapest set of fixes that reaches a target.
//!
//! Each gap is an item with a cost (its effort) and the points that come back, and a level asks for
//! more than points: a least score per category, and few open critical and high gaps. The choice is
//! exact, not greedy. Per category, a table holds the most points for each cost and number of
//! critical and high gaps left open; the tables of the categories are then combined. Points are
//! compared as whole trillionths in the tables, and the result is checked with exact numbers.

use std::collections::{BTreeMap, BTreeSet};

use num_traits::{ToPrimitive, Zero};

use super::{
    Points, RuleState, Score, credit::points as fraction_points, level::attested, one_decimal,
    whole,
};
use crate::{
    model::{Category, RuleId, Severity},
    scorecard::{Level, Scorecard},
};

/// Where a plan should lead.
#[derive(Clone, Debug, PartialEq)]
pub enum Target {
    /// A score of 100.
    Score(Points),
    /// A level by its name, with every gate of it and of those below.
    Level(String),
}

/// What is asked of a plan.
#[derive(Clone, Debug)]
pub struct Goal {
    /// Where it should lead.
    pub target: Target,
    /// The most effort that may be spent (see `Effort::cost`); the plan then gets as far as that
    /// takes it.
    pub budget: Option<u32>,
    /// Rules that will not be fixed.
    pub exclude: BTreeSet<RuleId>,
}

/// One fix.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// The rule to fulfil.
    pub rule: RuleId,
    /// Points of the overall 100 that come back.
    pub points: Points,
    /// Part of the points that only has to be proven.
    pub unproven: Points,
    /// Effort.
    pub cost: u32,
    /// The score after this step.
    pub score: Points,
}

/// Fixes in an order that is useful at once.
#[derive(Clone, Debug, PartialEq)]
pub struct Path {
    /// The score before.
    pub from: Points,
    /// The fixes; none if the target is reached already.
    pub steps: Vec<Step>,
    /// Effort of all steps.
    pub cost: u32,
    /// The score after all steps.
    pub score: Points,
    /// Whether the target is reached. Only an effort budget makes a plan end before.
    pub reaches: bool,
}

/// Why there is no plan.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum NoPath {
    /// There is nothing to start from.
    #[error("there is no score to plan from")]
    NoScore,
    /// No level has the name.
    #[error("there is no level `{0}`; the scorecard has {1}")]
    UnknownLevel(String, String),
    /// The profile is too lenient for the level.
    #[error("the profile `{0}` is too lenient for {1}: plan with a stricter one")]
    Ceiling(String, String),
    /// Even with every fix that is allowed the target is missed.
    #[error("the target is out of reach: {0}")]
    OutOfReach(String),
}

/// Trillionths of a point: what the tables count in.
const SCALE: i64 = 1_000_000_000_000;
/// Most rules of a group that requirements tie together, of which every closed choice is tried.
const MAX_GROUP: usize = 12;

/// The cheapest fixes that lead to a goal. `costs` and `requires` come from the rules; a rule is
/// fixed only together with the gaps that it requires.
///
/// # Errors
/// There is no score, the level cannot be reached under the profile, or the target is out of reach.
pub fn path(
    score: &Score,
    scorecard: &Scorecard,
    profile: &str,
    requires: &BTreeMap<RuleId, Vec<RuleId>>,
    goal: &Goal,
) -> Result<Path, NoPath> {
    let from = score.total.as_ref().ok_or(NoPath::NoScore)?.score.clone();
    let needs = Needs::of(score, scorecard, profile, &goal.target)?;
    let items = items(score, requires, goal);
    let forced = for_coverage(score, &items, &needs);
    let chosen = match goal.budget {
        None => cheapest(&items, &forced, &needs, None)
            .ok_or_else(|| NoPath::OutOfReach(why_not(score, &items, &needs, goal)))?,
        Some(budget) => match cheapest(&items, &forced, &needs, Some(budget)) {
            Some(chosen) => chosen,
            None => most(&items, budget),
        },
    };
    let steps = ordered(&items, &chosen, &from, requires);
    let cost = steps.iter().map(|step| step.cost).sum();
    let end = steps.last().map_or(from.clone(), |step| step.score.clone());
    Ok(Path {
        reaches: needs.met_by(&items, &chosen),
        from,
        steps,
        cost,
        score: end,
    })
}

/// A gap that may be fixed.
struct Item {
    rule: RuleId,
    category: Category,
    severity: Severity,
    cost: u32,
    points: Points,
    unproven: Points,
    /// The same in the tables' unit, rounded down.
    scaled: i64,
    /// Coverage that comes with it.
    coverage: Points,
    /// Whether a level counts it as open.
    open: bool,
    /// Positions of the gaps that come with it, not its own.
    requires: BTreeSet<usize>,
}

fn items(score: &Score, requires: &BTreeMap<RuleId, Vec<RuleId>>, goal: &Goal) -> Vec<Item> {
    let by_id = |id: &RuleId| score.rules.iter().find(|rule| rule.rule == *id);
    let gaps = score
        .gaps
        .iter()
        .filter_map(|gap| Some((gap, by_id(&gap.rule)?)));
    let mut items: Vec<Item> = gaps
        .map(|(gap, rule)| Item {
            rule: rule.rule.clone(),
            category: rule.category,
            severity: rule.severity,
            cost: rule.effort.cost(),
            points: gap.lost.clone(),
            unproven: gap.unproven.clone(),
            scaled: scaled(&gap.lost),
            coverage: &rule.possible * (whole(1) - &rule.verified) / whole(100),
            open: !attested(score, &rule.rule),
            requires: BTreeSet::new(),
        })
        .collect();
    items.sort_by(|a, b| a.rule.cmp(&b.rule));
    // What a gap requires it requires of those, too. A rule that is not to be fixed takes with it
    // what requires it.
    let at = |items: &[Item], id: &RuleId| items.iter().position(|item| item.rule == *id);
    for here in 0..items.len() {
        let mut open = vec![items[here].rule.clone()];
        let mut seen = BTreeSet::new();
        while let Some(rule) = open.pop() {
            for needed in requires.get(&rule).into_iter().flatten() {
                if seen.insert(needed.clone()) {
                    open.push(needed.clone());
                }
            }
        }
        let needed = seen.iter().filter_map(|id| at(&items, id));
        items[here].requires = needed.filter(|other| *other != here).collect();
    }
    let banned: BTreeSet<usize> = (0..items.len())
        .filter(|here| {
            let is_banned = |at: &usize| goal.exclude.contains(&items[*at].rule);
            is_banned(here) || items[*here].requires.iter().any(is_banned)
        })
        .collect();
    for at in banned {
        items[at].cost = BANNED;
    }
    items
}

/// The cost of what is not to be fixed.
const BANNED: u32 = u32::MAX;

fn scaled(points: &Points) -> i64 {
    (points * whole(SCALE))
        .floor()
        .to_integer()
        .to_i64()
        .unwrap_or(0)
}

/// What a target asks for, beyond what there is.
struct Needs {
    /// Points overall.
    points: Points,
    /// Points of the overall 100 by category.
    categories: BTreeMap<Category, Points>,
    /// Most gaps that may stay open.
    critical: Option<u32>,
    high: Option<u32>,
    coverage: Points,
}

impl Needs {
    fn of(
        score: &Score,
        scorecard: &Scorecard,
        profile: &str,
        target: &Target,
    ) -> Result<Self, NoPath> {
        let total = score.total.as_ref().ok_or(NoPath::NoScore)?;
        let mut needs = Needs {
            points: Points::zero(),
            categories: BTreeMap::new(),
            critical: None,
            high: None,
            coverage: Points::zero(),
        };
        let levels: &[Level] = match target {
            Target::Score(target) => {
                needs.points = target - &total.score;
                return Ok(needs);
            }
            Target::Level(name) => {
                let known = |level: &Level| level.name.eq_ignore_ascii_case(name);
                let at = scorecard.levels.iter().position(known).ok_or_else(|| {
                    let names: Vec<&str> =
                        scorecard.levels.iter().map(|level| &*level.name).collect();
                    NoPath::UnknownLevel(name.clone(), names.join(", "))
                })?;
                let ceiling = scorecard.ceiling(profile);
                let capped = scorecard.levels[..at]
                    .iter()
                    .any(|level| ceiling == Some(level.name.as_str()));
                if capped {
                    let name = scorecard.levels[at].name.clone();
                    return Err(NoPath::Ceiling(profile.to_owned(), name));
                }
                &scorecard.levels[..=at]
            }
        };
        let marked = || score.categories.iter().filter(|c| c.mark.is_some());
        let weights = whole(marked().map(|c| u64::from(c.weight)).sum::<u64>().max(1));
        let fewer = |one: Option<u32>, other: Option<u32>| match (one, other) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
        for level in levels {
            let missing = fraction_points(&level.min_score) - &total.score;
            needs.points = needs.points.max(missing);
            if let Some(least) = level.min_category.as_ref().map(fraction_points) {
                for category in score.categories.iter().filter(|c| c.weight > 0) {
                    let have = category.mark.as_ref().ok_or_else(|| {
                        NoPath::OutOfReach(format!("{} has no score", category.category))
                    })?;
                    let share = whole(category.weight) / &weights;
                    let missing = (&least - &have.score) * share;
                    let need = needs.categories.entry(category.category);
                    let need = need.or_insert_with(Points::zero);
                    if missing > *need {
                        *need = missing;
                    }
                }
            }
            needs.critical = fewer(needs.critical, level.max_critical);
            needs.high = fewer(needs.high, level.max_high);
            if let Some(least) = level.min_coverage.as_ref().map(fraction_points) {
                needs.coverage = needs.coverage.max(least - &score.coverage);
            }
        }
        Ok(needs)
    }

    fn met_by(&self, items: &[Item], chosen: &BTreeSet<usize>) -> bool {
        let sum = |category: Option<Category>| -> Points {
            let items = chosen.iter().map(|at| &items[*at]);
            let items = items.filter(|item| category.is_none_or(|c| item.category == c));
            items.map(|item| &item.points).sum()
        };
        let coverage: Points = chosen.iter().map(|at| &items[*at].coverage).sum();
        let few = |severity: Severity, most: Option<u32>| {
            most.is_none_or(|most| left_open(items, chosen, severity) <= most as usize)
        };
        let mut categories = self.categories.iter();
        sum(None) >= self.points
            && categories.all(|(category, need)| sum(Some(*category)) >= *need)
            && few(Severity::Critical, self.critical)
            && few(Severity::High, self.high)
            && coverage >= self.coverage
    }
}

fn left_open(items: &[Item], chosen: &BTreeSet<usize>, severity: Severity) -> usize {
    let open = items
        .iter()
        .enumerate()
        .filter(|(at, item)| item.severity == severity && item.open && !chosen.contains(at));
    open.count()
}

/// Gaps that are proven for the sake of coverage: those that bring the most of it for their cost.
/// They usually share one cause, such as a permission, which is why this part is not weighed
/// against the rest.
fn for_coverage(score: &Score, items: &[Item], needs: &Needs) -> BTreeSet<usize> {
    let mut forced = BTreeSet::new();
    let mut missing = needs.coverage.clone();
    let unknown = |item: &Item| {
        let rule = score.rules.iter().find(|rule| rule.rule == item.rule);
        rule.is_some_and(|rule| rule.state == RuleState::Unknown)
    };
    let mut by_worth: Vec<usize> = (0..items.len())
        .filter(|at| items[*at].cost != BANNED && items[*at].coverage > Points::zero())
        .collect();
    by_worth.sort_by_cached_key(|at| {
        let item = &items[*at];
        (
            !unknown(item),
            -(&item.coverage / whole(item.cost.max(1))),
            *at,
        )
    });
    for at in by_worth {
        if missing <= Points::zero() {
            break;
        }
        for one in items[at].requires.iter().chain([&at]) {
            if forced.insert(*one) {
                missing -= &items[*one].coverage;
            }
        }
    }
    forced
}

/// A way to deal with a group of gaps.
#[derive(Clone)]
struct Choice {
    cost: usize,
    points: i64,
    critical: usize,
    high: usize,
    fixed: Vec<usize>,
}

/// The most points for each cost, number of critical gaps and number of high gaps left open.
struct Table {
    size: (usize, usize, usize),
    cells: Vec<Option<(i64, Vec<usize>)>>,
}

impl Table {
    fn at(&self, cost: usize, critical: usize, high: usize) -> usize {
        (cost * self.size.1 + critical) * self.size.2 + high
    }

    fn empty(size: (usize, usize, usize)) -> Self {
        let mut table = Table {
            size,
            cells: vec![None; size.0 * size.1 * size.2],
        };
        table.cells[0] = Some((0, Vec::new()));
        table
    }

    /// The table after one more group was dealt with in the best way for each cell.
    fn with(&self, choices: &[Choice], grown: usize) -> Table {
        let size = (self.size.0 + grown, self.size.1, self.size.2);
        let mut next = Table {
            size,
            cells: vec![None; size.0 * size.1 * size.2],
        };
        for cost in 0..self.size.0 {
            for critical in 0..self.size.1 {
                for high in 0..self.size.2 {
                    let Some((points, fixed)) = &self.cells[self.at(cost, critical, high)] else {
                        continue;
                    };
                    for choice in choices {
                        let (critical, high) = (critical + choice.critical, high + choice.high);
                        if critical >= size.1 || high >= size.2 {
                            continue;
                        }
                        let at = next.at(cost + choice.cost, critical, high);
                        let points = points + choice.points;
                        let better = match &next.cells[at] {
                            Some((best, _)) => points > *best,
                            None => true,
                        };
                        if better {
                            let mut fixed = fixed.clone();
                            fixed.extend(&choice.fixed);
                            next.cells[at] = Some((points, fixed));
                        }
                    }
                }
            }
        }
        next
    }

    /// The cells worth keeping: none is dearer and no better than another.
    fn useful(&self) -> Vec<(usize, usize, usize, i64, &[usize])> {
        let mut useful: Vec<(usize, usize, usize, i64, &[usize])> = Vec::new();
        let mut best = vec![i64::MIN; self.size.1 * self.size.2];
        for cost in 0..self.size.0 {
            for critical in 0..self.size.1 {
                for high in 0..self.size.2 {
                    let Some((points, fixed)) = &self.cells[self.at(cost, critical, high)] else {
                        continue;
                    };
                    let known = &mut best[critical * self.size.2 + high];
                    if *points > *known {
                        *known = *points;
                        useful.push((cost, critical, high, *points, fixed));
                    }
                }
            }
        }
        useful
    }
}

/// Gaps that requirements tie together, by position.
fn groups(items: &[Item]) -> Vec<Vec<usize>> {
    let mut group: Vec<usize> = (0..items.len()).collect();
    for (at, item) in items.iter().enumerate() {
        for other in &item.requires {
            let (from, to) = (group[*other], group[at]);
            for one in &mut group {
                if *one == from {
                    *one = to;
                }
            }
        }
    }
    let mut by_group: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (at, group) in group.into_iter().enumerate() {
        by_group.entry(group).or_default().push(at);
    }
    by_group.into_values().collect()
}

/// Every way to deal with a group in which nothing is fixed without what it requires.
fn choices(items: &[Item], group: &[usize], forced: &BTreeSet<usize>) -> Vec<Choice> {
    // A larger group than any in practice is fixed as a whole or not at all.
    let masks: Vec<u32> = match group.len() <= MAX_GROUP {
        true => (0..1 << group.len()).collect(),
        false => vec![0, u32::MAX],
    };
    let fixed = |mask: u32| -> Option<Vec<usize>> {
        let is_in = |position: usize| mask == u32::MAX || mask >> position & 1 == 1;
        let fixed: Vec<usize> = group
            .iter()
            .enumerate()
            .filter(|(position, _)| is_in(*position))
            .map(|(_, at)| *at)
            .collect();
        let closed = fixed.iter().all(|at| {
            items[*at].cost != BANNED && items[*at].requires.iter().all(|r| fixed.contains(r))
        });
        let forced = group.iter().filter(|at| forced.contains(at));
        (closed && forced.into_iter().all(|at| fixed.contains(at))).then_some(fixed)
    };
    let choice = |fixed: Vec<usize>| {
        let open = |severity: Severity| {
            let left = group.iter().filter(|at| !fixed.contains(at));
            let left = left.filter(|at| items[**at].severity == severity && items[**at].open);
            left.count()
        };
        Choice {
            cost: fixed.iter().map(|at| items[*at].cost as usize).sum(),
            points: fixed.iter().map(|at| items[*at].scaled).sum(),
            critical: open(Severity::Critical),
            high: open(Severity::High),
            fixed,
        }
    };
    masks.into_iter().filter_map(fixed).map(choice).collect()
}

/// The cheapest choice that meets the needs; of several, the one with the most points.
fn cheapest(
    items: &[Item],
    forced: &BTreeSet<usize>,
    needs: &Needs,
    budget: Option<u32>,
) -> Option<BTreeSet<usize>> {
    let none = BTreeSet::new();
    if needs.met_by(items, &none) {
        return Some(none);
    }
    let (wide, narrow): (Vec<_>, Vec<_>) = groups(items).into_iter().partition(|group| {
        group
            .iter()
            .any(|at| items[*at].category != items[group[0]].category)
    });
    // Groups across categories are rare; each way to deal with all of them is tried.
    let mut bases = vec![Vec::new()];
    for group in &wide {
        let choices = choices(items, group, forced);
        bases = bases
            .iter()
            .flat_map(|base: &Vec<usize>| {
                choices.iter().map(move |choice| {
                    let mut base = base.clone();
                    base.extend(&choice.fixed);
                    base
                })
            })
            .take(4_096)
            .collect();
    }
    let wide: BTreeSet<usize> = wide.into_iter().flatten().collect();
    let found = bases.iter().filter_map(|base| {
        let start = Start::new(items, &wide, base);
        best(items, &narrow, forced, needs, &start, budget)
    });
    found
        .min_by_key(|(cost, points, _)| (*cost, -points))
        .map(|(_, _, chosen)| chosen)
}

/// What is settled before the tables are made: the groups across categories.
struct Start<'b> {
    cost: usize,
    critical: usize,
    high: usize,
    base: &'b [usize],
}

impl<'b> Start<'b> {
    fn new(items: &[Item], wide: &BTreeSet<usize>, base: &'b [usize]) -> Self {
        let open = |severity: Severity| {
            let left = wide.iter().filter(|at| !base.contains(at));
            left.filter(|at| items[**at].severity == severity && items[**at].open)
                .count()
        };
        Start {
            cost: base.iter().map(|at| items[*at].cost as usize).sum(),
            critical: open(Severity::Critical),
            high: open(Severity::High),
            base,
        }
    }
}

fn best(
    items: &[Item],
    groups: &[Vec<usize>],
    forced: &BTreeSet<usize>,
    needs: &Needs,
    start: &Start<'_>,
    budget: Option<u32>,
) -> Option<(usize, i64, BTreeSet<usize>)> {
    let allowed = |most: Option<u32>, open: usize| -> Option<Option<usize>> {
        match most {
            None => Some(None),
            Some(most) => (most as usize).checked_sub(open).map(Some),
        }
    };
    // Where any number may stay open, their number is not counted.
    let critical = allowed(needs.critical, start.critical)?;
    let high = allowed(needs.high, start.high)?;
    let size = (1, critical.map_or(1, |n| n + 1), high.map_or(1, |n| n + 1));
    let mut tables: BTreeMap<Category, Table> = BTreeMap::new();
    for group in groups {
        let mut choices = choices(items, group, forced);
        for choice in &mut choices {
            choice.critical *= usize::from(critical.is_some());
            choice.high *= usize::from(high.is_some());
        }
        let grown = choices.iter().map(|choice| choice.cost).max()?;
        let category = items[group[0]].category;
        let table = tables.entry(category).or_insert_with(|| Table::empty(size));
        *table = table.with(&choices, grown);
    }
    // Rounding down may have taken a trillionth of each gap.
    let slack = items.len() as i64;
    let of_base = |category: Category| -> i64 {
        let base = start.base.iter().map(|at| &items[*at]);
        base.filter(|item| item.category == category)
            .map(|item| item.scaled)
            .sum()
    };
    let mut combined: Vec<(usize, usize, usize, i64, Vec<usize>)> =
        vec![(start.cost, 0, 0, 0, start.base.to_vec())];
    for category in Category::ALL {
        let need = needs
            .categories
            .get(category)
            .map_or(i64::MIN, |need| scaled(need) - slack);
        let base = of_base(*category);
        let empty = Table::empty(size);
        let table = tables.get(category).unwrap_or(&empty);
        let useful: Vec<_> = table
            .useful()
            .into_iter()
            .filter(|(_, _, _, points, _)| points + base >= need)
            .collect();
        let mut next: BTreeMap<(usize, usize, usize), (i64, Vec<usize>)> = BTreeMap::new();
        for (cost, critical, high, points, fixed) in &combined {
            for (more, c, h, gained, more_fixed) in &useful {
                let key = (cost + more, critical + c, high + h);
                if key.1 >= size.1
                    || key.2 >= size.2
                    || budget.is_some_and(|budget| key.0 > budget as usize)
                {
                    continue;
                }
                let points = points + gained + base;
                if next.get(&key).is_none_or(|(best, _)| points > *best) {
                    let mut fixed = fixed.clone();
                    fixed.extend(*more_fixed);
                    next.insert(key, (points, fixed));
                }
            }
        }
        combined = next
            .into_iter()
            .map(|((cost, critical, high), (points, fixed))| (cost, critical, high, points, fixed))
            .collect();
    }
    let need = scaled(&needs.points) - slack;
    combined.sort_by_key(|(cost, _, _, points, _)| (*cost, -points));
    combined
        .into_iter()
        .filter(|(_, _, _, points, _)| *points >= need)
        .map(|(cost, _, _, points, fixed)| (cost, points, fixed.into_iter().collect()))
        .find(|(_, _, chosen): &(usize, i64, BTreeSet<usize>)| needs.met_by(items, chosen))
}

/// The choice with the most points within an effort.
fn most(items: &[Item], budget: u32) -> BTreeSet<usize> {
    let budget = budget as usize;
    let mut table = Table::empty((1, 1, 1));
    for group in groups(items) {
        let mut choices = choices(items, &group, &BTreeSet::new());
        for choice in &mut choices {
            (choice.critical, choice.high) = (0, 0);
        }
        choices.retain(|choice| choice.cost <= budget);
        let grown = choices.iter().map(|choice| choice.cost).max().unwrap_or(0);
        table = table.with(&choices, grown);
        table.size.0 = table.size.0.min(budget + 1);
        table.cells.truncate(table.size.0);
    }
    let best = table
        .useful()
        .into_iter()
        .max_by_key(|(cost, _, _, points, _)| (*points, std::cmp::Reverse(*cost)));
    best.map_or_else(BTreeSet::new, |(_, _, _, _, fixed)| {
        fixed.iter().copied().collect()
    })
}

/// The steps: the most points for their effort first, and nothing before what it requires.
fn ordered(
    items: &[Item],
    chosen: &BTreeSet<usize>,
    from: &Points,
    requires: &BTreeMap<RuleId, Vec<RuleId>>,
) -> Vec<Step> {
    let mut left: Vec<usize> = chosen.iter().copied().collect();
    left.sort_by_cached_key(|at| {
        let item = &items[*at];
        (
            -(&item.points / whole(item.cost.max(1))),
            item.cost,
            item.rule.clone(),
        )
    });
    let mut score = from.clone();
    let mut steps: Vec<Step> = Vec::new();
    while !left.is_empty() {
        let waits = |at: &usize| {
            let direct = requires.get(&items[*at].rule).into_iter().flatten();
            let mut waiting =
                direct.filter(|id| left.iter().any(|other| items[*other].rule == **id));
            waiting.next().is_some()
        };
        // Rules that require each other in a ring are taken as they come.
        let next = left.iter().position(|at| !waits(at)).unwrap_or(0);
        let item = &items[left.remove(next)];
        score += &item.points;
        steps.push(Step {
            rule: item.rule.clone(),
            points: item.points.clone(),
            unproven: item.unproven.clone(),
            cost: item.cost,
            score: score.clone(),
        });
    }
    steps
}

/// What is still missing when everything that may be fixed is.
fn why_not(score: &Score, items: &[Item], needs: &Needs, goal: &Goal) -> String {
    let all: BTreeSet<usize> = (0..items.len())
        .filter(|at| items[*at].cost != BANNED)
        .collect();
    let gained: Points = all.iter().map(|at| &items[*at].points).sum();
    let have = score
        .total
        .as_ref()
        .map_or_else(Points::zero, |total| &total.score + &gained);
    let mut reasons = Vec::new();
    if gained < needs.points {
        let needed = &have - &gained + &needs.points;
        let (have, needed) = (one_decimal(&have), one_decimal(&needed));
        reasons.push(format!("the score would be {have} of {needed} needed"));
    }
    for severity in [Severity::Critical, Severity::High] {
        let most = match severity {
            Severity::Critical => needs.critical,
            _ => needs.high,
        };
        let open = left_open(items, &all, severity);
        if most.is_some_and(|most| open > most as usize) {
            reasons.push(format!("{open} {severity} gaps would stay open"));
        }
    }
    if reasons.is_empty() {
        reasons.push("a category stays below its minimum, or too little can be read".to_owned());
    }
    if !goal.exclude.is_empty() {
        reasons.push("some rules are excluded".to_owned());
    }
    reasons.join("; ")
}
