//! Markdown, for the comment on a pull request or the summary of a job. Details are collapsed, and
//! what does not fit is counted, never silently left out.

use std::fmt::Write as _;

use super::{
    Report, RuleReport, blocker_text, counted,
    diff::diff_within,
    findings::{said, unanswered},
    json::source_word,
    markdown, place_text, shown, subject_text,
};
use crate::{
    gate::Decision,
    model::Outcome,
    score::{Points, WaiverStatus, one_decimal},
};

/// What GitHub accepts in a comment, in characters; bytes are never fewer.
const LIMIT: usize = 65_536;
/// Kept for the sentences that say what is left out, and for the end.
const RESERVE: usize = 1_000;
/// Subjects of a gap that are listed.
const SUBJECTS: usize = 15;
/// Entries of the other lists.
const ENTRIES: usize = 20;
/// Bytes of one text of others that are shown.
const TEXT: usize = 300;

/// By this a pipeline finds the comment that it wrote before.
const MARKER: &str = "<!-- seaworthy -->";

/// Writes a line. Writing to a string cannot fail.
macro_rules! say {
    ($out:expr, $($argument:tt)*) => {{
        let _ = writeln!($out, $($argument)*);
    }};
}

/// The report as GitHub-flavoured Markdown of at most 65,536 bytes.
pub fn comment(report: &Report) -> String {
    let mut out = String::new();
    headline(&mut out, report);
    gate(&mut out, report);
    if let Some(diff) = &report.baseline {
        say!(out, "{}", diff_within(diff, LIMIT / 4));
    }
    level(&mut out, report);
    categories(&mut out, report);
    let mut rest = String::new();
    unread(&mut rest, report);
    waivers(&mut rest, report);
    let end = format!(
        "\n<sub>Seaworthy {} · scorecard {} {} · profile {} · {}</sub>\n",
        report.tool,
        plain(&report.yardstick.scorecard),
        plain(&report.yardstick.version),
        plain(&report.yardstick.profile),
        report.time.strftime("%Y-%m-%d %H:%M UTC")
    );
    let room = LIMIT.saturating_sub(out.len() + rest.len() + end.len() + RESERVE);
    gaps(&mut out, report, room);
    out + &rest + &end
}

fn headline(out: &mut String, report: &Report) {
    say!(out, "{MARKER}");
    let Some(total) = &report.total else {
        say!(out, "## Seaworthy: no score\n");
        say!(out, "There is nothing here that the rules are about.\n");
        return;
    };
    let level = match &report.level.reached {
        Some(level) if report.level.borderline => format!("{} (borderline)", plain(level)),
        Some(level) => plain(level),
        None => "below every level".to_owned(),
    };
    say!(
        out,
        "## Seaworthy: {} of 100 · {level}\n",
        one_decimal(&total.score)
    );
    let mut apart = vec![format!(
        "{} {}",
        source_word(report.source),
        code(&report.origin.visible())
    )];
    if total.if_unknown_passed != total.score {
        let best = one_decimal(&total.if_unknown_passed);
        apart.push(format!("{best} if everything unknown passed"));
    }
    if total.raw != total.score {
        apart.push(format!("{} without waivers", one_decimal(&total.raw)));
    }
    apart.push(format!("coverage {}", percent(&report.coverage)));
    say!(out, "{}\n", apart.join(" · "));
}

fn gate(out: &mut String, report: &Report) {
    let (what, reasons) = match &report.gate {
        None => return,
        Some(Decision::Met) => ("✅ **Gate met**", &[][..]),
        Some(Decision::NotMet(reasons)) => ("❌ **Gate not met**", &reasons[..]),
        Some(Decision::Inconclusive(reasons)) => ("❔ **Gate inconclusive**", &reasons[..]),
    };
    say!(out, "{what}\n");
    list(out, "reason", reasons.iter().map(|reason| plain(reason)));
}

fn level(out: &mut String, report: &Report) {
    if let Some(next) = &report.level.next {
        say!(out, "**Between here and {}**\n", plain(&next.name));
        let blockers = next.blockers.iter();
        list(out, "blocker", blockers.map(|b| plain(&blocker_text(b))));
    }
    if !report.level.waived.is_empty() {
        let ids: Vec<&str> = report.level.waived.iter().map(|id| &**id).collect();
        say!(
            out,
            "Without waivers these would stand in the way: {}\n",
            plain(&ids.join(", "))
        );
    }
}

fn categories(out: &mut String, report: &Report) {
    if report.categories.is_empty() {
        return;
    }
    say!(out, "| Category | Score | Weight | Coverage |");
    say!(out, "| :-- | --: | --: | --: |");
    for category in &report.categories {
        let score = category.mark.as_ref().map(|mark| one_decimal(&mark.score));
        say!(
            out,
            "| {} | {} | {} | {} |",
            markdown::cell(category.category.as_str()),
            score.unwrap_or_else(|| "–".to_owned()),
            category.weight,
            percent(&category.coverage)
        );
    }
    out.push('\n');
}

/// The gaps, each collapsed, as many as fit into the room.
fn gaps(out: &mut String, report: &Report, room: usize) {
    let gaps: Vec<&RuleReport> = report.gaps().collect();
    if gaps.is_empty() {
        if report.total.is_some() {
            say!(out, "No gaps.\n");
        }
        return;
    }
    let points = |gaps: &[&RuleReport]| -> String {
        let lost: Points = gaps.iter().map(|gap| gap.lost.clone()).sum();
        one_decimal(&lost)
    };
    say!(
        out,
        "### {}, {} points\n",
        counted(gaps.len(), "gap"),
        points(&gaps)
    );
    let limit = out.len() + room;
    for (at, rule) in gaps.iter().enumerate() {
        let text = gap(rule);
        if out.len() + text.len() > limit {
            let left = &gaps[at..];
            say!(
                out,
                "… and {} that cost {} points, left out because a comment may not be longer. The other formats have all of them.\n",
                counted(left.len(), "more gap"),
                points(left)
            );
            return;
        }
        out.push_str(&text);
    }
}

fn gap(rule: &RuleReport) -> String {
    let mut out = String::new();
    let mut about = format!("{} · effort {}", rule.severity, rule.effort);
    if rule.unproven > Points::from_integer(0.into()) {
        about.push_str(&format!(
            " · {} points unproven",
            one_decimal(&rule.unproven)
        ));
    }
    // Between these tags GitHub reads HTML, not Markdown.
    say!(
        out,
        "<details>\n<summary>−{} · <code>{}</code> · {} · {about}</summary>\n",
        one_decimal(&rule.lost),
        html(&shown(&rule.id)),
        html(&cut(&shown(&rule.title)))
    );
    let open: Vec<String> = rule
        .findings
        .iter()
        .filter(|finding| finding.outcome != Outcome::Attested && !finding.waived)
        .map(|finding| {
            let place = finding.subject.place.as_ref().map(place_text);
            let place = place.map_or_else(String::new, |place| format!(" ({})", code(&place)));
            let subject = code(&subject_text(&finding.subject));
            format!("{subject}{place}: {}", code(&said(finding)))
        })
        .collect();
    limited_list(&mut out, "subject", open.into_iter(), SUBJECTS);
    if let Some(why) = unanswered(rule) {
        say!(out, "{}\n", code(&why));
    }
    fix(&mut out, &rule.fix);
    out.push_str("</details>\n\n");
    out
}

/// The advice of a rule is Markdown and is meant to be read as such; what it may not do is to leave
/// its place, by a fence that it does not close or by HTML.
fn fix(out: &mut String, fix: &str) {
    let fix = fix.trim();
    if fix.is_empty() {
        return;
    }
    let fences = fix
        .lines()
        .filter(|line| line.trim_start().starts_with("```"))
        .count();
    let is_tame = fences.is_multiple_of(2)
        && !fix.contains("</")
        && !fix.contains("<!--")
        && !fix.contains("~~~")
        && fix.len() < LIMIT / 8;
    match is_tame {
        true => say!(out, "**Fix**\n\n{fix}\n"),
        false => say!(out, "**Fix**: {}\n", code(&shown(fix))),
    }
}

fn unread(out: &mut String, report: &Report) {
    if report.unread.is_empty() {
        return;
    }
    let number = counted(report.unread.len(), "kind");
    say!(
        out,
        "<details>\n<summary>{number} could not be read</summary>\n"
    );
    let entries = report.unread.iter().map(|unread| {
        let settle = match &unread.permission {
            Some(permission) => format!(", needs {}", code(&shown(permission))),
            None => String::new(),
        };
        format!(
            "{}: {}, {} points{settle}",
            code(&shown(&unread.kind)),
            code(&shown(&unread.why.detail)),
            one_decimal(&unread.points)
        )
    });
    list(out, "kind", entries);
    out.push_str("</details>\n\n");
}

fn waivers(out: &mut String, report: &Report) {
    if report.waivers.is_empty() {
        return;
    }
    let number = counted(report.waivers.len(), "waiver");
    say!(out, "<details>\n<summary>{number}</summary>\n");
    let entries = report.waivers.iter().map(|waiver| {
        let status = match waiver.status {
            WaiverStatus::Active => "until",
            WaiverStatus::ExpiresSoon => "**expires soon**, on",
            WaiverStatus::Expired => "**expired** on",
            WaiverStatus::Unused => "covers nothing, until",
        };
        format!(
            "{}: {} points, {status} {}, {}: {}",
            code(&shown(&waiver.rule)),
            one_decimal(&waiver.points),
            waiver.expires.strftime("%Y-%m-%d"),
            code(&waiver.owner.visible()),
            code(&waiver.reason.visible())
        )
    });
    list(out, "waiver", entries);
    out.push_str("</details>\n\n");
}

fn list(out: &mut String, thing: &str, entries: impl ExactSizeIterator<Item = String>) {
    limited_list(out, thing, entries, ENTRIES);
}

fn limited_list(
    out: &mut String,
    thing: &str,
    entries: impl ExactSizeIterator<Item = String>,
    most: usize,
) {
    let all = entries.len();
    for entry in entries.take(most) {
        say!(out, "- {entry}");
    }
    if all > most {
        say!(
            out,
            "- … and {}",
            counted(all - most, &format!("more {thing}"))
        );
    }
    if all > 0 {
        out.push('\n');
    }
}

/// A text of others as code: nothing in it is markup, a link or a mention.
fn code(text: &str) -> String {
    let text = cut(text);
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest + 1);
    // Markdown takes one space from both ends where both have one.
    let pad = match text.is_empty() || text.contains('`') || text.starts_with(' ') {
        true => " ",
        false => "",
    };
    format!("{fence}{pad}{text}{pad}{fence}")
}

/// Words of ours with names in them, as Markdown that shows them as they are.
fn plain(text: &str) -> String {
    markdown::text(&cut(&shown(text)))
}

fn html(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

/// A text that is not longer than one may be.
fn cut(text: &str) -> String {
    if text.len() <= TEXT {
        return text.to_owned();
    }
    let end = text.floor_char_boundary(TEXT);
    format!("{}…", &text[..end])
}

fn percent(share: &Points) -> String {
    let hundred = Points::from_integer(100.into());
    format!("{} %", one_decimal(&(share * hundred)))
}
