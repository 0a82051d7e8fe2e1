//! `cronInterval(schedule)`: how long a CronJob's schedule may leave between two runs.
//!
//! Kubernetes reads schedules with robfig/cron. What that refuses and `croner` accepts (Sunday as
//! 7, `L`, `W`, `#`, seconds, years) is refused here. Clock changes are left out of the count.

use cel::{
    Env, ExecutionError,
    common::{
        types::{CelDuration, STRING_TYPE},
        value::CowVal,
    },
};
use chrono::{Datelike, NaiveDate, TimeDelta};
use croner::{
    Cron,
    parser::{CronParser, Seconds, Year},
    time::Weekday,
};

use super::{
    Library,
    memo::{Memo, recall},
    quoted, text,
};

/// Longest schedule.
const MAX_LENGTH: usize = 1024;
/// What working out a schedule with rare days costs.
const STEPS: u64 = 1000;

pub(super) const LIBRARY: Library = Library {
    register: |env: &mut Env| {
        env.add_overload(
            "cronInterval",
            "cron_interval_string",
            vec![STRING_TYPE],
            |args| {
                let schedule = text(&args, 0)?;
                match recall(&INTERVALS, schedule, STEPS, longest_gap)? {
                    Some(interval) => Ok(CowVal::owned(CelDuration::from(interval))),
                    None => Err(ExecutionError::function_error(
                        "cronInterval",
                        format!("{} is not a schedule", quoted(schedule)),
                    )),
                }
            },
        )
    },
    globals: &["cronInterval"],
    members: &[],
};

thread_local! {
    static INTERVALS: Memo<Option<TimeDelta>> = Memo::default();
}

/// The longest time between two consecutive runs; none if the schedule is invalid or never due.
fn longest_gap(schedule: &str) -> Option<TimeDelta> {
    let mut schedule = schedule.trim();
    if schedule.len() > MAX_LENGTH {
        return None;
    }
    if schedule.starts_with("TZ=") || schedule.starts_with("CRON_TZ=") {
        schedule = schedule.split_once(' ')?.1.trim();
    }
    if let Some(every) = schedule.strip_prefix("@every ") {
        // The scheduler counts whole seconds, and at least one.
        return Some(TimeDelta::seconds(go_duration(every)?.num_seconds().max(1)));
    }
    let cron = parse(match schedule {
        "@yearly" | "@annually" => "0 0 1 1 *",
        "@monthly" => "0 0 1 * *",
        "@weekly" => "0 0 * * 0",
        "@daily" | "@midnight" => "0 0 * * *",
        "@hourly" => "0 * * * *",
        fields => fields,
    })?;

    let hours = cron.pattern.hours.values();
    let minutes = cron.pattern.minutes.values();
    let mut times = hours
        .iter()
        .flat_map(|hour| minutes.iter().map(move |minute| hour * 60 + minute));
    let first = times.next()?;
    let (mut last, mut longest) = (first, 0);
    for time in times {
        longest = longest.max(time - last);
        last = time;
    }
    // Every day has the same times, so the gaps over midnight differ by whole days.
    let days = longest_gap_in_days(&cron)?;
    let over_midnight = days * 24 * 60 - i64::from(last - first);
    Some(TimeDelta::minutes(over_midnight.max(i64::from(longest))))
}

/// Parses a Go duration of whole numbers, such as `1h30m`.
fn go_duration(text: &str) -> Option<TimeDelta> {
    let units = [
        ("ns", 1_i64),
        ("us", 1000),
        ("µs", 1000),
        ("ms", 1_000_000),
        ("s", 1_000_000_000),
        ("m", 60_000_000_000),
        ("h", 3_600_000_000_000),
    ];
    let (mut rest, mut total) = (text, 0_i64);
    loop {
        let end = rest.find(|c: char| !c.is_ascii_digit())?;
        let (number, unit) = rest.split_at(end);
        let (name, size) = units
            .iter()
            .filter(|(name, _)| unit.starts_with(name))
            .max_by_key(|(name, _)| name.len())?;
        total = total.checked_add(number.parse::<i64>().ok()?.checked_mul(*size)?)?;
        rest = &unit[name.len()..];
        if rest.is_empty() {
            return Some(TimeDelta::nanoseconds(total));
        }
    }
}

fn parse(schedule: &str) -> Option<Cron> {
    let fields: Vec<String> = schedule
        .split_whitespace()
        // `?` and steps of one are what robfig/cron treats as `*`, too.
        .map(|field| match field {
            "?" | "*/1" | "?/1" => "*".to_owned(),
            _ => field.to_ascii_uppercase().replace('?', "*"),
        })
        .collect();
    let names: [&[&str]; 5] = [
        &[],
        &[],
        &[],
        &[
            "JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC",
        ],
        &["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"],
    ];
    if fields.len() != names.len() {
        return None;
    }
    let number = |text: &str| {
        let digits = text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse::<u16>().ok().filter(|_| digits)
    };
    for (position, (field, names)) in fields.iter().zip(names).enumerate() {
        let most = if position == 4 { 6 } else { u16::MAX };
        for part in field.split(',') {
            let (range, step) = part.split_once('/').unwrap_or((part, "1"));
            let known = |bound: &str| {
                bound == "*"
                    || names.contains(&bound)
                    || number(bound).is_some_and(|number| number <= most)
            };
            let backwards = range.ends_with("-SUN") && range != "SUN-SUN";
            if backwards || !range.split('-').all(known) || number(step).is_none() {
                return None;
            }
        }
    }
    CronParser::builder()
        .seconds(Seconds::Disallowed)
        .year(Year::Disallowed)
        .sloppy_ranges(true)
        .build()
        .parse(&fields.join(" "))
        .ok()
}

/// The longest distance between two days the schedule is due on.
fn longest_gap_in_days(cron: &Cron) -> Option<i64> {
    let pattern = &cron.pattern;
    let months = pattern.months.values();
    if months.len() == 12 && pattern.is_dom_wildcard() && pattern.is_dow_wildcard() {
        return Some(1);
    }
    // A hundred and nine years have every combination of dates, weekdays and leap years, and the
    // eight years around 2100 without a 29 February.
    let (mut before, mut longest) = (None::<NaiveDate>, None);
    let mut day = NaiveDate::from_ymd_opt(2000, 1, 1)?;
    while day.year() <= 2108 {
        let weekday = Weekday::from_days_from_sunday(day.weekday().num_days_from_sunday());
        if u16::try_from(day.month()).is_ok_and(|month| months.contains(&month))
            && pattern
                .day_match(day.year(), day.month(), day.day(), weekday)
                .ok()?
        {
            if let Some(before) = before {
                longest = longest.max(Some((day - before).num_days()));
            }
            before = Some(day);
        }
        day = day.succ_opt()?;
    }
    longest
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{super::tests::*, *};

    #[test]
    fn is_the_longest_gap() {
        for (schedule, interval) in [
            ("*/5 * * * *", "5m"),
            ("*/7 * * * *", "7m"),
            ("0 * * * *", "1h"),
            ("0 9-17 * * *", "16h"),
            ("0 2 * * *", "24h"),
            ("30 2 * * 1-5", "72h"),
            ("0 0 * * SUN", "168h"),
            ("0 0 1 * *", "744h"),
            ("0 0 31 * *", "1464h"),
            ("0 0 1 JAN ?", "8784h"),
            ("0 0 29 2 *", "70104h"),
            // Day of month or day of week, as cron has it.
            ("0 0 1 * 1", "168h"),
            ("0 12/6 * * *", "18h"),
            ("0 0 1 * */1", "744h"),
            ("@hourly", "1h"),
            ("@weekly", "168h"),
            ("@every 1h30m", "90m"),
            ("TZ=Europe/Berlin 0 3 * * *", "24h"),
            ("CRON_TZ=UTC @daily", "24h"),
        ] {
            all_true(&[&format!(
                "cronInterval('{schedule}') == duration('{interval}')"
            )]);
        }
        for schedule in [
            "",
            "* * * *",
            "* * * * * *",
            "60 * * * *",
            "0 0 * * 7",
            "0 0 L * *",
            "0 0 15W * *",
            "0 0 * * 1#2",
            "0 0 30 2 *",
            "@often",
            "*/0 * * * *",
            "MON * * * *",
            "5-1 * * * *",
            "0 0 * * FRI-SUN",
            "TZ=UTC",
            "@every x",
            "0 0 * * +1",
            "0 0 * * 5L",
            "0 0 1,,2 * *é",
        ] {
            fails(&format!("cronInterval('{schedule}')"));
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(
            fields in prop::collection::vec("[*?]|[0-9]{1,6}|[*0-9A-Z/,-]{0,6}|MON-FRI|JAN/3", 5),
        ) {
            let gap = longest_gap(&fields.join(" "));
            prop_assert!(gap.is_none_or(|gap| gap >= TimeDelta::minutes(1)));
        }
    }
}
