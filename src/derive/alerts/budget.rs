//! Error budgets, and what people write about them: 99.5 % over 30 days allow 216 minutes, not 21.6.

use std::sync::LazyLock;

use regex::Regex;

/// A day, in minutes.
const DAY: f64 = 1_440.0;
/// How far a hand-written number may be off, as a share: months have 28 to 31 days, and people round.
const TOLERANCE: f64 = 0.1;

static DURATION: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"(?i)(\d+(?:\.\d+)?)[ -]*(minutes?|mins?|m|hours?|hrs?|h)\b"));
static PERCENT: LazyLock<Regex> = LazyLock::new(|| pattern(r"(\d{2}(?:\.\d+)?)\s*%"));

#[expect(
    clippy::expect_used,
    reason = "the patterns are constants, and a test compiles them"
)]
fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("a constant pattern compiles")
}

/// Minutes that an objective allows to fail within a window.
pub fn minutes(objective: f64, window_days: f64) -> f64 {
    (((1.0 - objective) * window_days * DAY) * 100.0).round() / 100.0
}

/// A hand-written number of minutes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Claim {
    /// What is written, in minutes.
    pub declared: f64,
    /// What it should be, in minutes.
    pub right: f64,
}

impl Claim {
    /// Whether the two are the same but for rounding.
    pub fn agrees(&self) -> bool {
        (self.declared - self.right).abs() <= TOLERANCE * self.right
    }
}

/// Hand-written numbers about the budget of an objective, in a text that speaks of one.
pub fn claims(text: &str, objective: f64, window_days: f64) -> Vec<Claim> {
    if !speaks_of_budget(text) {
        return Vec::new();
    }
    let about = |part: &str| {
        DURATION
            .captures_iter(part)
            .filter_map(move |found| {
                let number: f64 = found[1].parse().ok()?;
                let hours = found[2].to_ascii_lowercase().starts_with('h');
                Some(Claim {
                    declared: if hours { number * 60.0 } else { number },
                    right: minutes(objective, period(part).unwrap_or(window_days)),
                })
            })
            .collect::<Vec<_>>()
    };
    parts(text).flat_map(about).collect()
}

/// The first text part that names both an objective and minutes that do not fit it.
pub fn wrong_claim(text: &str) -> Option<(f64, Claim)> {
    parts(text).find_map(|part| {
        let objective: f64 = PERCENT.captures(part)?[1].parse::<f64>().ok()? / 100.0;
        let sensible = objective > 0.5 && objective < 1.0;
        let claims = claims(part, objective, 30.0);
        let wrong = claims
            .into_iter()
            .find(|claim| sensible && !claim.agrees())?;
        Some((objective, wrong))
    })
}

fn speaks_of_budget(text: &str) -> bool {
    let text = text.to_lowercase();
    ["budget", "downtime", "allow", "outage", "unavailab"]
        .iter()
        .any(|word| text.contains(word))
}

/// Sentences and items of lists.
fn parts(text: &str) -> impl Iterator<Item = &str> {
    text.split(['\n', ';']).flat_map(|line| line.split(". "))
}

/// The period that a text speaks of, in days.
fn period(text: &str) -> Option<f64> {
    let text = text.to_lowercase();
    let periods = [
        ("month", 30.0),
        ("week", 7.0),
        ("quarter", 90.0),
        ("year", 365.0),
        ("day", 1.0),
    ];
    let speaks_of = |unit: &str| {
        let each = ["per ", "a ", "each ", "every ", "/", "/ "];
        let adverb = match unit {
            "day" => "daily".to_owned(),
            unit => format!("{unit}ly"),
        };
        let whole = |found: &str| {
            text.split(found)
                .skip(1)
                .any(|rest| !rest.starts_with(char::is_alphabetic))
        };
        whole(&adverb) || each.iter().any(|before| whole(&format!("{before}{unit}")))
    };
    periods
        .iter()
        .find(|(unit, _)| speaks_of(unit))
        .map(|(_, days)| *days)
}

/// Days of a window such as `30d`, `4w` or `720h`.
pub fn days(window: &str) -> Option<f64> {
    let unit = window.chars().last()?;
    let number: f64 = window[..window.len() - unit.len_utf8()].parse().ok()?;
    let minutes = match unit {
        'm' => 1.0,
        'h' => 60.0,
        'd' => DAY,
        'w' => 7.0 * DAY,
        'y' => 365.0 * DAY,
        _ => return None,
    };
    (number > 0.0 && number < 1e6).then_some(number * minutes / DAY)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hand_written_budgets_are_computed_again() {
        assert!((minutes(0.995, 30.0) - 216.0).abs() < 1e-9);
        let wrong = wrong_claim("Error Budget: 99.5% = 21.6 minutes downtime per month").unwrap();
        assert_eq!(
            wrong.1,
            Claim {
                declared: 21.6,
                right: 216.0
            }
        );
        for right in [
            "99.9% allow 43 minutes of downtime per month",
            "99.5 % allow 3.6 hours of downtime a month",
            "99.9% of requests within 5 minutes",
            "99.5%: budget 50 minutes a week",
            "CPU over 95% for 10 minutes",
        ] {
            assert_eq!(wrong_claim(right), None, "{right}");
        }
        let claims = claims("The error budget is 21.6 min", 0.995, 30.0);
        assert!(!claims[0].agrees());
        assert_eq!(days("4w"), Some(28.0));
        assert_eq!(days("é"), None);
    }
}
