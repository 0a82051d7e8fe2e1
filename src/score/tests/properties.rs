//! The invariants of scores as properties of generated worlds. Each is the bug of another tool.

use proptest::{prelude::*, sample::Index};

use super::*;

fn finding() -> impl Strategy<Value = (Outcome, Fraction)> {
    prop_oneof![
        4 => Just(PASS),
        3 => Just(FAIL),
        1 => (1..4_i64).prop_map(|n| half(n, 4)),
        2 => Just(UNKNOWN),
        1 => Just((Outcome::Error, Fraction::ZERO)),
        1 => Just(NOT_APPLICABLE),
    ]
}

fn any_case() -> impl Strategy<Value = Case> {
    let what = (0..3_usize, 0..3_usize, 0..5_usize, 0..3_usize);
    let found = prop::collection::vec(finding(), 0..6);
    let knobs = (
        prop::bool::weighted(0.15),
        prop::option::of(1..=4_i64),
        0..3_u32,
    );
    (what, found, knobs).prop_map(|((category, theme, severity, aggregate), found, knobs)| {
        let severity = Severity::ALL[severity];
        let mut made = case(
            "",
            Category::ALL[category],
            ["a", "b", "homeless"][theme],
            &found,
        );
        made.worth.severity = severity;
        made.worth.weight = severity.weight();
        made.worth.aggregate = Aggregate::ALL[aggregate];
        made.unread = knobs.0;
        made.min_ratio = knobs.1.map(|quarters| Fraction::new(quarters, 4));
        made.tolerance = knobs.2;
        made
    })
}

/// Rules over three categories of two themes, with waivers of which some have expired.
fn world() -> impl Strategy<Value = World> {
    let cases = prop::collection::vec(any_case(), 1..9);
    let waivers = prop::collection::vec((0..9_usize, 0..7_usize, -1..3_i64), 0..4);
    let budgets = prop::collection::vec((0..4_u32, 0..=100_u32), 3);
    (cases, waivers, budgets).prop_map(|(mut cases, waivers, budgets)| {
        for (at, case) in cases.iter_mut().enumerate() {
            case.worth.id = format!("r{at}").into();
        }
        let waivers = waivers.into_iter().map(|(rule, subject, days)| {
            let name = if subject == 6 {
                "*".to_owned()
            } else {
                format!("s{subject}")
            };
            waiver(&format!("r{rule}"), &name, days * 24 * 10)
        });
        let mut scorecard = platform_stack();
        scorecard.categories = Category::ALL
            .iter()
            .zip(budgets)
            .map(|(category, (weight, points))| {
                let themes = vec![("a".into(), points), ("b".into(), 100 - points)];
                (*category, CategoryBudget { weight, themes })
            })
            .collect();
        World {
            waivers: waivers.collect(),
            cases,
            scorecard,
        }
    })
}

/// A world and one of its verdicts.
fn world_and_verdict() -> impl Strategy<Value = (World, usize, usize)> {
    (world(), any::<Index>(), any::<Index>()).prop_filter_map("no verdict", |(world, rule, at)| {
        let rule = rule.index(world.cases.len());
        let len = world.cases[rule].found.len();
        (len > 0).then(|| {
            let at = at.index(len);
            (world, rule, at)
        })
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(256) })]

    #[test]
    fn points_are_attributed_exactly(world in world()) {
        let score = world.score();
        let lost: Points = score.gaps.iter().map(|gap| &gap.lost).sum();
        let unproven: Points = score.gaps.iter().map(|gap| &gap.unproven).sum();
        let possible: Points = score.rules.iter().map(|rule| &rule.possible).sum();
        let earned: Points = score.rules.iter().map(|rule| &rule.earned).sum();
        let held: Points = score.waivers.iter().map(|waiver| &waiver.points).sum();
        prop_assert!(score.coverage >= whole(0) && score.coverage <= whole(1));
        let Some(total) = &score.total else {
            prop_assert!(score.gaps.is_empty() && possible == whole(0));
            return Ok(());
        };
        prop_assert_eq!(lost, whole(100) - &total.score);
        prop_assert_eq!(unproven, &total.if_unknown_passed - &total.score);
        prop_assert_eq!(possible, whole(100));
        prop_assert_eq!(&earned, &total.score);
        prop_assert_eq!(held, &total.score - &total.raw);
        prop_assert!(total.score >= whole(0) && total.if_unknown_passed <= whole(100));
        let marks = score.categories.iter().filter(|category| category.weight > 0);
        let marks: Vec<_> = marks.filter_map(|c| Some(c.mark.as_ref()?.score.clone())).collect();
        prop_assert!(marks.iter().min() <= Some(&total.score));
        prop_assert!(marks.iter().max() >= Some(&total.score));
        let budgets = score.categories.iter().filter(|category| category.mark.is_some());
        for category in budgets {
            let sum: Points = category.themes.iter().map(|theme| &theme.effective_budget).sum();
            prop_assert_eq!(sum, whole(100));
        }
    }

    #[test]
    fn mending_never_lowers_the_score(
        (mut world, rule, at) in world_and_verdict(),
        (worse, better) in prop_oneof![
            Just((FAIL, PASS)),
            Just((FAIL, half(1, 2))),
            Just((half(1, 2), PASS)),
            Just((UNKNOWN, PASS)),
        ],
    ) {
        world.cases[rule].found[at] = worse;
        let mut mended = world.clone();
        mended.cases[rule].found[at] = better;
        let (before, after) = (world.score(), mended.score());
        if let (Some(before), Some(after)) = (&before.total, &after.total) {
            prop_assert!(after.score >= before.score);
            prop_assert!(after.raw >= before.raw);
            prop_assert!(after.if_unknown_passed >= before.if_unknown_passed);
        }
    }

    #[test]
    fn more_visibility_narrows_the_range(
        (mut world, rule, at) in world_and_verdict(),
        now_seen in finding(),
        more in prop::collection::vec(finding(), 0..4),
    ) {
        if !world.cases[rule].unread {
            world.cases[rule].found[at] = UNKNOWN;
        }
        let mut seen = world.clone();
        if seen.cases[rule].unread {
            seen.cases[rule].unread = false;
            seen.cases[rule].found.extend(more);
        } else {
            seen.cases[rule].found[at] = now_seen;
        }
        if let (Some(old), Some(new)) = (&world.score().total, &seen.score().total) {
            prop_assert!(new.score >= old.score);
            prop_assert!(new.if_unknown_passed <= old.if_unknown_passed);
            prop_assert!(new.raw >= old.raw);
        }
    }

    #[test]
    fn healthy_filler_cannot_lift_an_all_rule(world in world(), filler in 1..50_usize) {
        let mut filled = world.clone();
        filled.waivers.clear();
        let bare = filled.score();
        for case in filled.cases.iter_mut().filter(|case| case.worth.aggregate == Aggregate::All) {
            case.found.extend(vec![PASS; filler]);
        }
        for (before, after) in bare.rules.iter().zip(&filled.score().rules) {
            let case = world.cases.iter().find(|case| case.worth.id == before.rule).unwrap();
            if case.worth.aggregate == Aggregate::All && before.counts.fail > 0 {
                prop_assert_eq!(before.credit, after.credit);
                prop_assert_eq!(before.credit_if_unknown_passed, after.credit_if_unknown_passed);
            }
        }
    }

    #[test]
    fn order_changes_nothing(world in world()) {
        let score = world.score();
        let mut verdicts = world.verdicts();
        verdicts.rules.reverse();
        for rule in &mut verdicts.rules {
            let half = rule.verdicts.len() / 2;
            rule.verdicts.rotate_left(half);
        }
        let mut turned = world.clone();
        turned.cases.rotate_left(world.cases.len() / 2);
        turned.waivers.reverse();
        let mut other = turned.score_of(&verdicts);
        other.waivers.reverse();
        for (at, waiver) in other.waivers.iter_mut().enumerate() {
            waiver.waiver = at;
        }
        prop_assert_eq!(score, other);
    }

    #[test]
    fn what_is_not_applicable_changes_nothing(world in world(), at in any::<Index>()) {
        let score = world.score();
        let mut padded = world.clone();
        let rule = at.index(padded.cases.len());
        padded.cases[rule].found.push(NOT_APPLICABLE);
        let mut absent = padded.cases[rule].clone();
        absent.worth.id = "z".into();
        absent.found = vec![NOT_APPLICABLE; 2];
        absent.unread = false;
        padded.cases.push(absent);
        let other = padded.score();
        prop_assert_eq!(&score.total, &other.total);
        prop_assert_eq!(&score.gaps, &other.gaps);
        prop_assert_eq!(&score.categories, &other.categories);
        prop_assert_eq!(&score.coverage, &other.coverage);
        prop_assert_eq!(other.rules.last().unwrap().state, RuleState::NotApplicable);
    }

    #[test]
    fn an_expired_waiver_is_no_waiver(world in world()) {
        let mut expired = world.clone();
        for waiver in &mut expired.waivers {
            waiver.expires = NOW;
        }
        let mut with = expired.score();
        prop_assert!(with.waivers.iter().all(|w| w.status == WaiverStatus::Expired && w.points == whole(0)));
        with.waivers.clear();
        expired.waivers.clear();
        let without = expired.score();
        if let Some(total) = &without.total {
            prop_assert_eq!(&total.score, &total.raw);
        }
        prop_assert_eq!(with, without);
        // The raw score is the one without waivers, whatever they cover.
        if let (Some(raw), Some(none)) = (world.score().total, expired.score().total) {
            prop_assert_eq!(raw.raw, none.score);
        }
    }

    #[test]
    fn a_copy_of_everything_leaves_shares_as_they_are(world in world()) {
        let mut twice = world.clone();
        twice.waivers.clear();
        twice.cases.retain(|case| case.worth.aggregate != Aggregate::Count);
        let once = twice.score();
        for case in &mut twice.cases {
            case.found.extend(case.found.clone());
        }
        let twice = twice.score();
        prop_assert_eq!(&once.total, &twice.total);
        prop_assert_eq!(&once.gaps, &twice.gaps);
        prop_assert_eq!(&once.coverage, &twice.coverage);
    }
}

/// The world after some rules were fulfilled.
fn mended(world: &World, rules: &BTreeSet<RuleId>) -> World {
    let mut world = world.clone();
    for case in &mut world.cases {
        if rules.contains(&case.worth.id) {
            case.unread = false;
            for found in &mut case.found {
                if found.0 != Outcome::NotApplicable {
                    *found = PASS;
                }
            }
            if case
                .found
                .iter()
                .all(|found| found.0 == Outcome::NotApplicable)
            {
                case.found.push(PASS);
            }
        }
    }
    world
}

fn reaches(world: &World, target: &Target) -> bool {
    let score = world.score();
    match target {
        Target::Score(target) => total(&score).score >= *target,
        Target::Level(name) => {
            let rank = |name: &str| world.scorecard.levels.iter().position(|l| l.name == name);
            score.level.reached.as_deref().and_then(rank) >= rank(name)
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(192) })]

    /// No set of fixes is cheaper than the plan's, and replaying it reaches what it promised.
    #[test]
    fn plans_are_cheapest_and_keep_their_promise(
        world in world(),
        level in 0..3_usize,
        points in 0..=100_i64,
        by_level in any::<bool>(),
        efforts in prop::collection::vec(0..3_usize, 9),
        edges in prop::collection::vec((0..9_usize, 0..9_usize), 0..4),
        excluded in prop::option::weighted(0.2, 0..9_usize),
        budget in prop::option::weighted(0.3, 0..20_u32),
    ) {
        let mut world = world;
        // What is chosen for coverage alone is not weighed against the rest.
        for level in &mut world.scorecard.levels {
            level.min_coverage = None;
        }
        world.scorecard.ceilings.clear();
        for (case, effort) in world.cases.iter_mut().zip(efforts) {
            case.worth.effort = Effort::ALL[effort];
        }
        let mut requires: BTreeMap<RuleId, Vec<RuleId>> = BTreeMap::new();
        for (from, to) in edges {
            requires.entry(format!("r{from}").into()).or_default().push(format!("r{to}").into());
        }
        let target = match by_level {
            true => Target::Level(world.scorecard.levels[level].name.clone()),
            false => Target::Score(whole(points)),
        };
        let exclude: BTreeSet<RuleId> = excluded.iter().map(|at| format!("r{at}").into()).collect();
        let goal = Goal { target: target.clone(), budget, exclude: exclude.clone() };
        let score = world.score();
        let found = path(&score, &world.scorecard, "staging", &requires, &goal);
        if score.total.is_none() {
            prop_assert_eq!(found, Err(NoPath::NoScore));
            return Ok(());
        }

        // Every closed set of fixes, by brute force.
        let gaps: Vec<RuleId> = score.gaps.iter().map(|gap| gap.rule.clone()).collect();
        let cost_of = |id: &RuleId| {
            let case = world.cases.iter().find(|case| case.worth.id == *id);
            case.map_or(0, |case| case.worth.effort.cost())
        };
        let closed = |set: &BTreeSet<RuleId>| set.iter().all(|id| {
            let mut open = vec![id.clone()];
            let mut seen = BTreeSet::new();
            while let Some(id) = open.pop() {
                for needed in requires.get(&id).into_iter().flatten() {
                    if seen.insert(needed.clone()) {
                        open.push(needed.clone());
                    }
                }
            }
            !exclude.contains(id)
                && seen.iter().all(|n| {
                    let is_gap = gaps.contains(n);
                    !is_gap || (set.contains(n) && !exclude.contains(n))
                })
        });
        let sets = (0..1_u32 << gaps.len()).map(|mask| {
            let chosen = gaps.iter().enumerate().filter(|(at, _)| mask >> at & 1 == 1);
            chosen.map(|(_, id)| id.clone()).collect::<BTreeSet<RuleId>>()
        });
        let cheapest = sets
            .filter(|set| closed(set) && reaches(&mended(&world, set), &target))
            .map(|set| set.iter().map(&cost_of).sum::<u32>())
            .min();

        let within = cheapest.filter(|cost| budget.is_none_or(|budget| *cost <= budget));
        match (&found, within) {
            (Ok(found), Some(cheapest)) => {
                prop_assert_eq!(found.cost, cheapest);
                prop_assert!(found.reaches);
            }
            (Ok(found), None) => {
                prop_assert!(budget.is_some_and(|budget| found.cost <= budget));
                prop_assert!(!found.reaches);
            }
            (Err(_), cheapest) => prop_assert_eq!(cheapest, None),
        }
        if let Ok(found) = found {
            let fixed = found.steps.iter().map(|step| step.rule.clone()).collect();
            let replayed = mended(&world, &fixed).score();
            prop_assert_eq!(&total(&replayed).score, &found.score);
            prop_assert!(closed(&fixed));
        }
    }
}
