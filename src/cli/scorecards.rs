//! `seaworthy scorecards`

use std::{
    fmt::Write as _,
    io::{self, stderr},
};

use num_traits::ToPrimitive;

use super::{args::ScorecardsCommand, diagnostics, exit::Exit, output};
use crate::{
    model::Fraction,
    rule::{self, RuleSet},
    scorecard::{self, Scorecard},
};

/// Lists or shows scorecards.
pub fn run(command: &ScorecardsCommand) -> io::Result<Exit> {
    let shown = rule::load(&[]).and_then(|loaded| text(command, &loaded.rules));
    match shown {
        Ok(text) => {
            output::to_stdout(&text)?;
            Ok(Exit::Done)
        }
        Err(problems) => {
            diagnostics::problems(&problems, output::colour(&stderr()));
            Ok(Exit::BadInput)
        }
    }
}

fn text(
    command: &ScorecardsCommand,
    rules: &RuleSet,
) -> Result<String, Vec<crate::model::Problem>> {
    let mut text = String::new();
    match command {
        ScorecardsCommand::List => {
            for name in scorecard::embedded_names() {
                let (scorecard, _) = scorecard::load(name, rules)?;
                let description = scorecard.description.split_whitespace().collect::<Vec<_>>();
                let _ = writeln!(text, "{name:16} {}", description.join(" "));
            }
        }
        ScorecardsCommand::Show { scorecard } => {
            let (scorecard, _) = scorecard::load(scorecard, rules)?;
            show(&mut text, &scorecard, rules);
        }
    }
    Ok(text)
}

fn show(text: &mut String, scorecard: &Scorecard, rules: &RuleSet) {
    let _ = writeln!(
        text,
        "{} {}\n{}\n",
        scorecard.name,
        scorecard.version,
        scorecard.description.trim()
    );
    let number = |fraction: &Fraction| fraction.to_f64().unwrap_or_default();
    for (category, budget) in &scorecard.categories {
        let _ = writeln!(text, "{category} (weight {})", budget.weight);
        for (theme, points) in &budget.themes {
            let title = rules.theme(theme).map_or("", |theme| &theme.title);
            let count = rules.iter().filter(|rule| rule.theme == *theme).count();
            let _ = writeln!(text, "  {points:3}  {theme:10} {count:2} rules  {title}");
        }
    }
    let _ = writeln!(text, "\nLevels");
    for level in &scorecard.levels {
        let mut gates = vec![format!("score {}", number(&level.min_score))];
        gates.extend(
            level
                .min_category
                .as_ref()
                .map(|min| format!("each category {}", number(min))),
        );
        gates.extend(
            level
                .max_critical
                .map(|max| format!("at most {max} critical gaps")),
        );
        gates.extend(level.max_high.map(|max| format!("at most {max} high gaps")));
        gates.extend(
            level
                .min_coverage
                .as_ref()
                .map(|min| format!("coverage {} %", number(min) * 100.0)),
        );
        let _ = writeln!(text, "  {}: {}", level.name, gates.join(", "));
    }
    for (profile, ceiling) in &scorecard.ceilings {
        let _ = writeln!(text, "  profile {profile}: at most {ceiling}");
    }
    let _ = writeln!(
        text,
        "\nprofile {} · target {}",
        scorecard.profile,
        number(&scorecard.target)
    );
}
