//! Schedules against a dumb oracle that looks at every minute, and what must not happen: a run that is skipped, or done twice.

use super::*;
use crate::time_text::{format, parse};
use platform::random::Stream;

const MINUTE: u64 = 60_000_000;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;
const PARIS: &str = "CET-1CEST,M3.5.0,M10.5.0/3";

fn at(text: &str) -> u64 {
    parse(&format!("{text}:00.000000Z")).unwrap_or_else(|| panic!("{text}"))
}

fn cron(text: &str, zone: Option<&str>) -> Schedule {
    Schedule::cron(text, zone).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn next(schedule: &Schedule, after: &str, count: usize) -> Vec<String> {
    let mut moment = at(after);
    let mut found = Vec::new();
    for _ in 0..count {
        moment = schedule.next_after(moment).expect("there is a next moment");
        found.push(format(moment)[..16].to_owned());
    }
    found
}

/// Reads a field the slow way: does a number stand in it?
fn in_field(field: &str, number: u64, max: u64) -> bool {
    field.split(',').any(|part| {
        let (range, step) = part.split_once('/').map_or((part, 1), |(range, step)| (range, step.parse().unwrap()));
        let (first, last) = match range {
            "*" => (if max == 12 || max == 31 { 1 } else { 0 }, max),
            _ => range.split_once('-').map_or_else(
                || (range.parse::<u64>().unwrap(), range.parse().unwrap()),
                |(first, last)| (first.parse().unwrap(), last.parse().unwrap()),
            ),
        };
        first <= number && number <= last && (number - first).is_multiple_of(step)
    })
}

/// Says whether a minute matches, in UTC.
fn matches(text: &str, micros: u64) -> bool {
    let fields: Vec<&str> = text.split(' ').collect();
    let text = format(micros);
    let number = |range: std::ops::Range<usize>| text[range].parse::<u64>().unwrap();
    let (day, weekday) = (in_field(fields[2], number(8..10), 31), in_field(fields[4], (micros / DAY + 4) % 7, 6));
    let both = !fields[2].starts_with('*') && !fields[4].starts_with('*');
    in_field(fields[0], number(14..16), 59)
        && in_field(fields[1], number(11..13), 23)
        && in_field(fields[3], number(5..7), 12)
        && if both { day || weekday } else { day && weekday }
}

/// Draws a field of numbers, ranges, steps and lists.
fn draw_field(stream: &mut Stream, min: u64, max: u64) -> String {
    let one = |stream: &mut Stream| {
        let first = min + stream.below(max - min + 1);
        let last = first + stream.below(max - first + 1);
        match stream.below(5) {
            0 => first.to_string(),
            1 => format!("{first}-{last}"),
            2 => format!("{first}-{last}/{}", 1 + stream.below(4)),
            3 => format!("*/{}", 1 + stream.below(7)),
            _ => "*".to_owned(),
        }
    };
    let parts: Vec<String> = (0..=stream.below(2)).map(|_| one(stream)).collect();
    parts.join(",")
}

#[test]
fn the_next_moment_is_the_first_that_matches_and_none_between_is_skipped() {
    for seed in 0..60 {
        let mut stream = Stream::new(seed);
        let fields = [(0, 59), (0, 23), (1, 31), (1, 12), (0, 6)].map(|(min, max)| draw_field(&mut stream, min, max));
        let text = fields.join(" ");
        let Ok(schedule) = Schedule::cron(&text, None) else { continue };
        let mut after = at("2023-12-01T00:00") + stream.below(120 * DAY);
        for _ in 0..30 {
            let found = schedule.next_after(after).unwrap();
            assert!(
                found > after && found.is_multiple_of(MINUTE) && matches(&text, found),
                "seed {seed}: \"{text}\" after {}",
                format(after)
            );
            let mut minute = (after / MINUTE + 1) * MINUTE;
            let until = found.min(after + 3 * DAY);
            while minute < until {
                assert!(!matches(&text, minute), "seed {seed}: \"{text}\" skips {}", format(minute));
                minute += MINUTE;
            }
            after = found + stream.below(2) * stream.below(DAY);
        }
    }
}

#[test]
fn known_calendars_mean_what_cron_means() {
    let nightly = cron("30 2 * * *", None);
    assert_eq!(next(&nightly, "2024-02-28T02:30", 3), ["2024-02-29T02:30", "2024-03-01T02:30", "2024-03-02T02:30"]);
    assert_eq!(next(&cron("0 0 29 2 *", None), "2096-03-01T00:00", 1), ["2104-02-29T00:00"], "2100 is no leap year");
    assert_eq!(next(&cron("0 9 * * mon-fri", None), "2026-11-20T09:00", 2), ["2026-11-23T09:00", "2026-11-24T09:00"]);
    assert_eq!(next(&cron("0 0 13 * fri", None), "2026-11-20T12:00", 3), ["2026-11-27T00:00", "2026-12-04T00:00", "2026-12-11T00:00"]);
    assert_eq!(next(&cron("15,45 */12 1 JAN,jul *", None), "2026-07-01T12:15", 2), ["2026-07-01T12:45", "2027-01-01T00:15"]);
    assert_eq!(next(&cron("@weekly", None), "2026-11-20T00:00", 1), ["2026-11-22T00:00"]);
    assert_eq!(cron("0 0 * * 7", None), cron("0 0 * * 0", None));
    assert_eq!(next(&cron("0 0 * * *", Some("+02:00")), "2026-11-20T00:00", 2), ["2026-11-20T22:00", "2026-11-21T22:00"]);
    assert_eq!(next(&cron("0 0 * * *", Some("-05:30")), "2026-11-20T00:00", 1), ["2026-11-20T05:30"]);
}

#[test]
fn when_clocks_are_set_forward_what_is_left_out_runs_once_and_when_they_are_set_back_nothing_runs_twice() {
    // Paris 2026: forward on 29 March at 01:00 UTC, back on 25 October at 01:00 UTC.
    let within = cron("30 2 * * *", Some(PARIS));
    assert_eq!(next(&within, "2026-03-27T12:00", 4), ["2026-03-28T01:30", "2026-03-29T01:00", "2026-03-30T00:30", "2026-03-31T00:30"]);
    assert_eq!(next(&within, "2026-10-23T12:00", 4), ["2026-10-24T00:30", "2026-10-25T00:30", "2026-10-26T01:30", "2026-10-27T01:30"]);
    let often = cron("*/20 2 * * *", Some(PARIS));
    assert_eq!(next(&often, "2026-03-29T00:00", 2), ["2026-03-29T01:00", "2026-03-30T00:00"], "once for all that was left out");
    assert_eq!(next(&often, "2026-10-24T23:00", 4), ["2026-10-25T00:00", "2026-10-25T00:20", "2026-10-25T00:40", "2026-10-26T01:00"]);
    let hourly = cron("0 * * * *", Some(PARIS));
    for begins in ["2026-03-28T22:00", "2026-10-24T22:00"] {
        let mut moment = at(begins);
        for _ in 0..8 {
            let next = hourly.next_after(moment).unwrap();
            assert_eq!(next, moment + HOUR, "every real hour has its run");
            moment = next;
        }
    }
    let midnight = cron("0 0 * * *", Some(PARIS));
    let mut moment = at("2026-01-01T00:00");
    let runs = std::iter::from_fn(|| {
        moment = midnight.next_after(moment)?;
        (moment < at("2027-01-01T00:00")).then_some(moment)
    });
    assert_eq!(runs.count(), 365);
}

#[test]
fn zones_are_what_their_rules_say() {
    let local = |zone: &str, text: &str| {
        let zone = Zone::parse(zone).unwrap_or_else(|error| panic!("{zone}: {error}"));
        format(zone.local(at(text) / 1_000_000) * 1_000_000)[..16].to_owned()
    };
    assert_eq!(local(PARIS, "2026-07-01T00:00"), "2026-07-01T02:00");
    assert_eq!(local(PARIS, "2026-12-01T00:00"), "2026-12-01T01:00");
    assert_eq!(local("EST5EDT,M3.2.0,M11.1.0", "2026-03-08T06:59"), "2026-03-08T01:59");
    assert_eq!(local("EST5EDT,M3.2.0,M11.1.0", "2026-03-08T07:00"), "2026-03-08T03:00");
    assert_eq!(local("AEST-10AEDT,M10.1.0,M4.1.0/3", "2026-01-01T00:00"), "2026-01-01T11:00");
    assert_eq!(local("<+0330>-3:30", "2026-01-01T00:00"), "2026-01-01T03:30");
    for bad in [
        "",
        "Europe/Paris",
        "+2",
        "+25:00",
        "+0200x",
        "CET-1CEST",
        "CET-1CEST,M3.5.0",
        "CET-1CEST,M13.5.0,M10.5.0",
        "é",
        "+é00",
        "<",
        "CET-1CEST,J60,J300",
    ] {
        assert_eq!(Zone::parse(bad).err().map(|error| error.kind), Some(ErrorKind::Usage), "{bad:?}");
    }
}

#[test]
fn what_is_no_schedule_is_refused() {
    for bad in [
        "",
        "* * * *",
        "* * * * * *",
        "60 * * * *",
        "* 24 * * *",
        "* * 0 * *",
        "* * 32 * *",
        "* * * 13 *",
        "* * * * 8",
        "*/0 * * * *",
        "5-1 * * * *",
        "a * * * *",
        "1,,2 * * * *",
        "-1 * * * *",
        "* * * foo *",
        "0 0 30 2 *",
        "0 0 31 4,6 *",
        "1/ * * * *",
        "é * * * *",
        "+1 * * * *",
    ] {
        assert_eq!(Schedule::cron(bad, None).err().map(|error| error.kind), Some(ErrorKind::Usage), "{bad:?}");
    }
    for bad in ["", "1", "h", "0s", "1y", "-1h", "400d", "99999999999999999999h", "1hé"] {
        assert_eq!(Schedule::every(bad).err().map(|error| error.kind), Some(ErrorKind::Usage), "{bad:?}");
    }
    assert_eq!(Schedule::every("1h30m").unwrap(), Schedule::Every(90 * MINUTE));
}

#[test]
fn an_interval_has_the_same_moments_whenever_it_is_asked() {
    let schedule = Schedule::every("1h").unwrap();
    assert_eq!(next(&schedule, "2026-11-20T10:17", 2), ["2026-11-20T11:00", "2026-11-20T12:00"]);
    assert_eq!(next(&schedule, "2026-11-20T11:00", 1), ["2026-11-20T12:00"]);
    assert_eq!(schedule.next_after(u64::MAX), None);
}

#[test]
fn what_was_missed_is_told_once_and_what_was_run_is_not_run_again() {
    for schedule in [Schedule::every("1h").unwrap(), cron("0 * * * *", None)] {
        let last = at("2026-11-20T10:00");
        assert_eq!(schedule.due(last, at("2026-11-20T10:59")), Due::NotYet(Some(at("2026-11-20T11:00"))));
        assert_eq!(schedule.due(last, at("2026-11-20T11:00")), Due::Run(at("2026-11-20T11:00")));
        let missed = Due::Missed { moment: at("2026-11-20T15:00"), count: 4, first: at("2026-11-20T11:00") };
        assert_eq!(schedule.due(last, at("2026-11-20T15:20")), missed);
        assert_eq!(schedule.due(at("2026-11-20T15:00"), at("2026-11-20T15:20")), Due::NotYet(Some(at("2026-11-20T16:00"))));
        // The clock steps back by three hours: nothing is due before it is past what was run.
        for back in ["2026-11-20T12:00", "2026-11-20T14:59", "2026-11-20T15:59"] {
            assert!(matches!(schedule.due(at("2026-11-20T15:00"), at(back)), Due::NotYet(_)), "{back}");
        }
        // A clock that was a year ahead must not silence a schedule for a year.
        let far = at("2027-11-20T15:00");
        assert_eq!(schedule.due(far, at("2026-11-20T15:20")), Due::NotYet(Some(at("2026-11-20T16:00"))));
    }
    assert!(matches!(Schedule::every("1s").unwrap().due(0, 10 * DAY), Due::Missed { count: MISSED_MAX, .. }));
}

#[test]
fn a_loop_that_keeps_its_last_moment_runs_each_once_whatever_its_clock_does() {
    for seed in 0..200 {
        let mut stream = Stream::new(seed);
        let schedules = [Schedule::every("10m").unwrap(), cron("*/10 * * * *", None), cron("5 */2 * * *", Some(PARIS))];
        let schedule = &schedules[stream.below(3) as usize];
        let begun = at("2026-10-24T20:00") + stream.below(DAY);
        let (mut now, mut last) = (begun, begun);
        let (mut ran, mut told) = (Vec::new(), 0);
        for _ in 0..400 {
            // Mostly forward by minutes, at times by hours, at times back.
            now = match stream.below(20) {
                0 => now + stream.below(6 * HOUR),
                1 => now - stream.below(2 * HOUR),
                _ => now + stream.below(4 * MINUTE),
            };
            match schedule.due(last, now) {
                Due::NotYet(_) => {}
                Due::Run(moment) => {
                    ran.push(moment);
                    last = moment;
                }
                Due::Missed { moment, count, .. } => {
                    told += count;
                    ran.push(moment);
                    last = moment;
                }
            }
        }
        assert!(ran.windows(2).all(|pair| pair[0] < pair[1]), "seed {seed}: a moment ran twice");
        let mut moments = 0;
        let mut moment = begun;
        while let Some(next) = schedule.next_after(moment).filter(|next| *next <= last) {
            (moments, moment) = (moments + 1, next);
        }
        assert_eq!(ran.len() as u64 + told, moments, "seed {seed}: every moment ran or was told to be missed");
    }
}

#[test]
fn fields_of_time_are_filled_in() {
    let fill = |text: &str, zone: &Zone| Template::parse(text).unwrap().fill(at("2024-03-01T23:05") + 7_000_000, zone);
    assert_eq!(fill("s3://b/products_%Y%m%d/%H-%M-%S", &Zone::UTC), "s3://b/products_20240301/23-05-07");
    assert_eq!(fill("%F %T %j %s 100%%", &Zone::UTC), "2024-03-01 230507 061 1709334307 100%");
    assert_eq!(fill("%F-%H", &Zone::parse("+02:00").unwrap()), "2024-03-02-01");
    for bad in ["%", "a%Q", "%é"] {
        assert_eq!(Template::parse(bad).err().map(|error| error.kind), Some(ErrorKind::Usage), "{bad}");
    }
}
