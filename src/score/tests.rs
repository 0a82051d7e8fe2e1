//! The arithmetic of scores: the hand-made model and worked examples. What holds for every score
//! is in [`properties`].

mod properties;

use std::collections::BTreeMap;

use super::*;
use crate::{
    model::{GroupKind, Outcome, RuleVerdicts, Subject, SubjectId, UnreadableCause, Verdict},
    rule::RuleSet,
    scorecard::{CategoryBudget, Selector},
};

const NOW: Timestamp = Timestamp::UNIX_EPOCH;

/// A rule and what was found of it, before it becomes the types of the model.
#[derive(Clone, Debug)]
struct Case {
    worth: RuleWorth,
    /// Verdict on each subject; the position is the subject's.
    found: Vec<(Outcome, Fraction)>,
    unread: bool,
    min_ratio: Option<Fraction>,
    tolerance: u32,
}

#[derive(Clone, Debug)]
struct World {
    cases: Vec<Case>,
    waivers: Vec<Waiver>,
    scorecard: Scorecard,
}

const PASS: (Outcome, Fraction) = (Outcome::Pass, Fraction::ONE);
const FAIL: (Outcome, Fraction) = (Outcome::Fail, Fraction::ZERO);
const UNKNOWN: (Outcome, Fraction) = (Outcome::Unknown, Fraction::ZERO);
const NOT_APPLICABLE: (Outcome, Fraction) = (Outcome::NotApplicable, Fraction::ZERO);

fn half(numer: i64, denom: i64) -> (Outcome, Fraction) {
    (Outcome::Fail, Fraction::new(numer, denom))
}

fn case(id: &str, category: Category, theme: &str, found: &[(Outcome, Fraction)]) -> Case {
    Case {
        worth: RuleWorth {
            id: id.into(),
            category,
            theme: theme.into(),
            severity: Severity::High,
            effort: Effort::S,
            weight: 3,
            aggregate: Aggregate::Share,
        },
        found: found.to_vec(),
        unread: false,
        min_ratio: None,
        tolerance: 0,
    }
}

impl World {
    fn verdicts(&self) -> Verdicts {
        let subjects = (0..200).map(|at| Subject {
            kind: GroupKind::new("apps", "Deployment"),
            namespace: Some(format!("ns{}", at % 2).into()),
            name: format!("s{at}").into(),
            place: None,
        });
        let unreadable = Unreadable {
            cause: UnreadableCause::Forbidden,
            detail: "no".into(),
        };
        let rules = self.cases.iter().map(|case| RuleVerdicts {
            rule: case.worth.id.clone(),
            verdicts: (0..)
                .zip(&case.found)
                .map(|(at, (outcome, credit))| Verdict {
                    subject: SubjectId(at),
                    outcome: *outcome,
                    credit: *credit,
                    evidence: None,
                })
                .collect(),
            unread: case
                .unread
                .then(|| (GroupKind::new("", "Pod"), unreadable.clone()))
                .into_iter()
                .collect(),
            not_assessable: None,
            min_ratio: case.min_ratio,
            tolerance: case.tolerance,
        });
        Verdicts {
            subjects: subjects.collect(),
            rules: rules.collect(),
        }
    }

    fn score(&self) -> Score {
        self.score_of(&self.verdicts())
    }

    fn score_of(&self, verdicts: &Verdicts) -> Score {
        let rules: Vec<RuleWorth> = self.cases.iter().map(|case| case.worth.clone()).collect();
        score(&ScoreInput {
            rules: &rules,
            scorecard: &self.scorecard,
            profile: &self.scorecard.profile,
            verdicts,
            waivers: &self.waivers,
            now: NOW,
            expiry_warning: EXPIRY_WARNING,
        })
    }
}

fn waiver(rule: &str, name: &str, hours: i64) -> Waiver {
    Waiver {
        rule: rule.into(),
        subject: Selector {
            name: Some(wildmatch::WildMatch::new(name)),
            ..Selector::default()
        },
        reason: "r".into(),
        owner: "o".into(),
        expires: NOW + SignedDuration::from_hours(hours),
    }
}

fn platform_stack() -> Scorecard {
    crate::scorecard::load("platform-stack", &RuleSet::default())
        .unwrap()
        .0
}

/// The embedded scorecard with one rule per theme; the named themes fail.
fn stack(failing: &[&str]) -> World {
    let scorecard = platform_stack();
    let mut cases = Vec::new();
    for (category, budget) in &scorecard.categories {
        for (theme, _) in &budget.themes {
            let found = if failing.contains(&&**theme) {
                FAIL
            } else {
                PASS
            };
            cases.push(case(&format!("{theme}-rule"), *category, theme, &[found]));
        }
    }
    World {
        cases,
        waivers: Vec::new(),
        scorecard,
    }
}

fn ratio(numer: i64, denom: i64) -> Points {
    Points::new(numer.into(), denom.into())
}

fn total(score: &Score) -> &Mark {
    score.total.as_ref().unwrap()
}

const DONE: [&str; 8] = [
    "net", "vault", "pol", "alerts", "slo", "dr", "runbooks", "env",
];
const REMAINING: [&str; 7] = [
    "rbac", "supply", "detect", "hart", "backend", "hatop", "adv",
];

#[test]
fn platform_stack_reproduces_the_hand_made_model() {
    let before = [&DONE[..], &REMAINING[..]].concat();
    let states: [(&[&str], [i64; 3], i64, &str); 4] = [
        (&before, [60, 65, 60], 185, "61.7"),
        (&REMAINING, [82, 85, 80], 247, "82.3"),
        (
            &["rbac", "supply", "detect", "backend", "adv"],
            [82, 95, 94],
            271,
            "90.3",
        ),
        (
            &["rbac", "supply", "detect", "backend"],
            [82, 95, 100],
            277,
            "92.3",
        ),
    ];
    for (failing, categories, thirds, printed) in states {
        let score = stack(failing).score();
        let marks = score
            .categories
            .iter()
            .map(|c| c.mark.as_ref().unwrap().score.clone());
        assert_eq!(
            marks.collect::<Vec<_>>(),
            categories.map(whole),
            "{failing:?}"
        );
        assert_eq!(total(&score).score, ratio(thirds, 3));
        assert_eq!(one_decimal(&total(&score).score), printed);
        let hundredths = format!("{:.2}", thirds as f64 / 3.0);
        assert!(["61.67", "82.33", "90.33", "92.33"].contains(&hundredths.as_str()));
    }
}

#[test]
fn levels_are_those_of_the_model() {
    let level = |failing: &[&str]| stack(failing).score().level;
    let before = level(&[&DONE[..], &REMAINING[..]].concat());
    assert_eq!(before.reached.as_deref(), Some("Development-ready"));
    let next = before.next.unwrap();
    assert_eq!(next.name, "Production-ready");
    assert!(matches!(
        &next.blockers[..],
        [Blocker::Score { .. }, Blocker::Category { .. }, ..]
    ));
    let after = level(&["rbac", "supply", "detect", "backend"]);
    assert_eq!(
        (after.reached.as_deref(), after.next),
        (Some("Enterprise-grade"), None)
    );

    let mut borderline = stack(&REMAINING);
    let at = borderline
        .cases
        .iter()
        .position(|case| &*case.worth.theme == "hatop")
        .unwrap();
    borderline.cases[at].worth.severity = Severity::Critical;
    let standing = borderline.score().level;
    assert_eq!(
        (standing.reached.as_deref(), standing.borderline),
        (Some("Production-ready"), true)
    );
    // Not known to hold is open, too.
    borderline.cases[at].found = vec![UNKNOWN];
    assert!(borderline.score().level.borderline);
    // Accepted does not block, and stays visible.
    borderline.cases[at].found = vec![FAIL];
    borderline.waivers = vec![waiver("hatop-rule", "*", 1)];
    let standing = borderline.score().level;
    assert!(!standing.borderline);
    assert_eq!(standing.waived, ["hatop-rule".into()]);
}

#[test]
fn gates_lower_the_level_and_never_the_score() {
    let mut lenient = stack(&[]);
    lenient.scorecard.profile = "dev".into();
    let score = lenient.score();
    assert_eq!(total(&score).score, whole(100));
    assert_eq!(score.level.reached.as_deref(), Some("Development-ready"));
    let blockers = score.level.next.unwrap().blockers;
    assert_eq!(
        blockers,
        [Blocker::Ceiling {
            profile: "dev".into()
        }]
    );

    let mut partly = stack(&[]);
    partly
        .cases
        .retain(|case| case.worth.category != Category::Maturity);
    let next = partly.score().level.next.unwrap();
    assert!(matches!(
        next.blockers[..],
        [Blocker::Category {
            category: Category::Maturity,
            have: None,
            ..
        }]
    ));

    let mut unseen = stack(&[]);
    for case in unseen
        .cases
        .iter_mut()
        .filter(|case| &*case.worth.theme == "wl")
    {
        case.found = [&[PASS; 2][..], &[UNKNOWN; 98][..]].concat();
    }
    unseen.scorecard.levels[1].min_coverage = Some(Fraction::new(99, 100));
    let score = unseen.score();
    // 98 of 100 subjects of a rule that is 26 of 300 points.
    assert_eq!(score.coverage, whole(1) - ratio(26 * 98, 300 * 100));
    assert!(matches!(
        score.level.next.unwrap().blockers[..],
        [Blocker::Coverage { .. }]
    ));

    let nothing = World {
        cases: Vec::new(),
        ..stack(&[])
    }
    .score();
    assert_eq!(
        (nothing.total, nothing.level),
        (None, LevelStanding::default())
    );
    assert_eq!(nothing.coverage, whole(1));
}

/// Credit and state of one rule with the given subjects.
fn credit(aggregate: Aggregate, severity: Severity, case: &Case) -> (Points, Points, RuleState) {
    let mut world = stack(&[]);
    world.cases = vec![case.clone()];
    world.cases[0].worth.aggregate = aggregate;
    world.cases[0].worth.severity = severity;
    let rule = world.score().rules.remove(0);
    let exact = |f: Fraction| ratio(*f.numer(), *f.denom());
    (
        exact(rule.credit),
        exact(rule.credit_if_unknown_passed),
        rule.state,
    )
}

#[test]
fn credits_of_the_aggregates() {
    use Aggregate::{All, Count, Share};
    use RuleState::{Fail, Pass, Unknown};
    use Severity::{Critical, High};
    let with = |found: &[(Outcome, Fraction)]| case("r", Category::Security, "net", found);
    let hundred = |n: usize, odd| with(&[&vec![PASS; 100 - n][..], &vec![odd; n][..]].concat());
    let relaxed = |case: Case| Case {
        min_ratio: Some(Fraction::new(9, 10)),
        ..case
    };
    let tolerant = |case: Case| Case {
        tolerance: 1,
        ..case
    };
    let unread = |case: Case| Case {
        unread: true,
        ..case
    };
    let one = || ratio(1, 1);
    let none = || ratio(0, 1);
    for (aggregate, severity, case, lo, hi, state) in [
        (
            Share,
            High,
            hundred(1, FAIL),
            ratio(99, 100),
            ratio(99, 100),
            Fail,
        ),
        // One privileged container among a hundred is not 99.
        (
            Share,
            Critical,
            hundred(1, FAIL),
            ratio(99, 200),
            ratio(99, 200),
            Fail,
        ),
        (
            Share,
            Critical,
            hundred(1, UNKNOWN),
            ratio(99, 200),
            one(),
            Unknown,
        ),
        // A half measure on the only subject earns what it says.
        (
            Share,
            Critical,
            with(&[half(1, 2)]),
            ratio(1, 2),
            ratio(1, 2),
            Fail,
        ),
        (
            Share,
            Critical,
            with(&[PASS, half(1, 2)]),
            ratio(5, 8),
            ratio(5, 8),
            Fail,
        ),
        (Share, High, relaxed(hundred(10, FAIL)), one(), one(), Pass),
        (
            Share,
            High,
            relaxed(hundred(11, FAIL)),
            ratio(89, 100),
            ratio(89, 100),
            Fail,
        ),
        (
            Share,
            Critical,
            relaxed(hundred(10, FAIL)),
            one(),
            one(),
            Pass,
        ),
        (
            Share,
            High,
            relaxed(hundred(11, UNKNOWN)),
            ratio(89, 100),
            one(),
            Unknown,
        ),
        (Share, High, unread(hundred(1, FAIL)), none(), one(), Fail),
        (
            Share,
            High,
            unread(relaxed(hundred(50, FAIL))),
            none(),
            one(),
            Unknown,
        ),
        (
            Share,
            Critical,
            unread(hundred(1, FAIL)),
            none(),
            ratio(1, 2),
            Fail,
        ),
        (
            Share,
            High,
            unread(hundred(0, FAIL)),
            none(),
            one(),
            Unknown,
        ),
        (All, High, hundred(1, FAIL), none(), none(), Fail),
        (
            All,
            High,
            with(&[PASS, half(3, 4), half(1, 2)]),
            ratio(1, 2),
            ratio(1, 2),
            Fail,
        ),
        (All, High, unread(hundred(1, FAIL)), none(), none(), Fail),
        (All, High, unread(hundred(0, FAIL)), none(), one(), Unknown),
        (All, High, with(&[PASS, UNKNOWN]), none(), one(), Unknown),
        (Count, High, tolerant(hundred(1, FAIL)), one(), one(), Pass),
        (
            Count,
            High,
            tolerant(hundred(1, UNKNOWN)),
            one(),
            one(),
            Pass,
        ),
        (
            Count,
            High,
            tolerant(with(&[UNKNOWN])),
            none(),
            one(),
            Unknown,
        ),
        (
            Count,
            High,
            tolerant(with(&[FAIL, UNKNOWN])),
            none(),
            one(),
            Unknown,
        ),
        (
            Count,
            High,
            tolerant(hundred(2, FAIL)),
            none(),
            none(),
            Fail,
        ),
        (
            Count,
            High,
            tolerant(with(&[FAIL, half(1, 2)])),
            ratio(1, 2),
            ratio(1, 2),
            Fail,
        ),
        (Count, High, unread(with(&[])), none(), one(), Unknown),
    ] {
        let found = credit(aggregate, severity, &case);
        assert_eq!(found, (lo, hi, state), "{aggregate} {severity} {case:?}");
    }
}

#[test]
fn what_is_not_asked_weighs_nothing_and_what_is_unanswered_is_unknown() {
    let mut world = stack(&[]);
    world.cases.push(Case {
        worth: RuleWorth {
            weight: 0,
            severity: Severity::Info,
            ..case("info", Category::Security, "net", &[]).worth
        },
        ..case("info", Category::Security, "net", &[FAIL])
    });
    world
        .cases
        .push(case("homeless", Category::Security, "nowhere", &[FAIL]));
    let score = world.score();
    assert_eq!((&total(&score).score, score.gaps.len()), (&whole(100), 0));
    assert!(
        score
            .rules
            .iter()
            .any(|rule| &*rule.rule == "info" && rule.state == RuleState::Fail)
    );

    let mut verdicts = world.verdicts();
    verdicts.rules.retain(|rule| &*rule.rule != "wl-rule");
    let score = world.score_of(&verdicts);
    assert_eq!(total(&score).score, whole(100) - ratio(26, 3));
    assert_eq!(total(&score).if_unknown_passed, whole(100));
    // A theme with nothing but weightless rules is empty: its points go to the others.
    world.cases.retain(|case| &*case.worth.id != "net-rule");
    let score = world.score();
    let net = &score.categories[0].themes[0];
    assert_eq!(
        (&*net.theme, net.budget, &net.effective_budget),
        ("net", 8, &whole(0))
    );
    assert_eq!(
        score.categories[0].themes[1].effective_budget,
        ratio(300, 92)
    );
}

#[test]
fn waivers_say_what_they_hold() {
    let mut world = stack(&[]);
    let at = world
        .cases
        .iter()
        .position(|case| &*case.worth.theme == "wl")
        .unwrap();
    world.cases[at].found = vec![PASS, FAIL, FAIL, FAIL];
    world.waivers = vec![
        waiver("wl-rule", "s1", 24 * 30),
        waiver("wl-rule", "s[23]", 24 * 30),
        waiver("wl-rule", "s2", 24),
        waiver("wl-rule", "s3", 0),
    ];
    let score = world.score();
    let uses: Vec<_> = score
        .waivers
        .iter()
        .map(|w| (w.status, w.subjects))
        .collect();
    use WaiverStatus::{Active, Expired, ExpiresSoon, Unused};
    assert_eq!(
        uses,
        [(Active, 1), (Unused, 0), (ExpiresSoon, 1), (Expired, 0)]
    );
    // 26/3 points: a quarter of them raw, half of them where two of four subjects are left.
    assert_eq!(total(&score).score, whole(100) - ratio(26, 6));
    assert_eq!(total(&score).raw, whole(100) - ratio(26, 4));
    let points: Vec<_> = score.waivers.iter().map(|w| w.points.clone()).collect();
    assert_eq!(points, [ratio(13, 12), whole(0), ratio(13, 12), whole(0)]);
    let wl = score
        .rules
        .iter()
        .find(|rule| &*rule.rule == "wl-rule")
        .unwrap();
    assert_eq!(
        (wl.counts.pass, wl.counts.fail, wl.counts.waived),
        (1, 1, 2)
    );

    world.waivers = vec![waiver("wl-rule", "*", 1)];
    world.cases[at].found = vec![FAIL];
    let score = world.score();
    let wl = score
        .rules
        .iter()
        .find(|rule| &*rule.rule == "wl-rule")
        .unwrap();
    assert_eq!((wl.state, &wl.possible), (RuleState::Waived, &whole(0)));
    assert_eq!(total(&score).score, whole(100));
}

/// What is attested earns what it is worth, is no open gap, and is at most a fifth of a category.
#[test]
fn attestations_earn_a_part_and_at_most_a_fifth_of_a_category() {
    let attested = (Outcome::Attested, Fraction::new(4, 5));
    let failing = ["a", "b", "c", "d", "e", "f", "g", "h"];
    let world = |found: (Outcome, Fraction), others: (Outcome, Fraction)| {
        let mut world = stack(&[]);
        world.cases = failing
            .iter()
            .map(|id| case(id, Category::Security, "net", &[others]))
            .collect();
        world.cases[0].found = vec![found];
        world
    };
    // One of eight equal rules: 0.8 / 8 of the category, no open gap.
    let score = world(attested, PASS).score();
    assert_eq!(total(&score).score, ratio(780, 8));
    assert_eq!(score.rules[0].state, RuleState::Attested);
    assert_eq!(score.rules[0].counts.attested, 1);
    assert!(score.gaps.iter().any(|gap| &*gap.rule == "a"));

    // All of them: a fifth of the category, and the gaps still sum to what is missing.
    let mut all = world(attested, attested);
    let score = all.score();
    assert_eq!(total(&score).score, ratio(20, 1));
    let lost: Points = score.gaps.iter().map(|gap| gap.lost.clone()).sum();
    assert_eq!(lost, ratio(80, 1));

    // A practice is worth all of its weight, within the same limit.
    all.cases.truncate(5);
    for case in &mut all.cases[1..] {
        case.found = vec![PASS];
    }
    all.cases[0].found = vec![(Outcome::Attested, Fraction::ONE)];
    let score = all.score();
    assert_eq!(total(&score).score, ratio(100, 1));
    assert_eq!(score.rules[0].state, RuleState::Attested);
}

#[test]
fn prints_one_decimal_half_up() {
    for (points, printed) in [
        (ratio(185, 3), "61.7"),
        (ratio(9995, 100), "100.0"),
        (ratio(5, 100), "0.1"),
        (ratio(4, 100), "0.0"),
        (ratio(-4, 100), "0.0"),
        (ratio(-26, 100), "-0.3"),
        (ratio(-125, 10), "-12.5"),
        (whole(100), "100.0"),
    ] {
        assert_eq!(one_decimal(&points), printed, "{points}");
    }
}

#[test]
fn credits_that_do_not_fit_are_rounded_and_points_stay_exact() {
    let primes = [999_999_937, 999_999_929, 999_999_893, 999_999_883];
    let found: Vec<_> = primes.iter().map(|prime| half(1, *prime)).collect();
    let mut world = stack(&[]);
    world.cases = vec![case("r", Category::Security, "net", &found)];
    let score = world.score();
    assert_eq!(score.rules[0].credit, Fraction::new(1, 1_000_000_000));
    let exact: Points = primes.iter().map(|prime| ratio(25, *prime)).sum();
    assert_eq!(total(&score).score, exact);
    let by_theme: BTreeMap<_, _> = score.categories[0]
        .themes
        .iter()
        .map(|t| (&*t.theme, &t.mark))
        .collect();
    assert!(by_theme["net"].is_some() && by_theme["wl"].is_none());
}
