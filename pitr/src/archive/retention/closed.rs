//! Thins closed times out: one an hour once they are a day old.

use std::collections::{BTreeMap, BTreeSet};

use engine::ids::{CommitTime, Timeline};

use super::DAY;

const HOUR: u64 = 3_600_000_000;

/// Lists the closed times that go. The newest of each database stays, each of the last day, and the newest of each hour before; those older than
/// the window's start serve nobody.
pub(super) fn thin(closed: &BTreeMap<Timeline, BTreeSet<CommitTime>>, start: Option<CommitTime>, now: u64) -> Vec<(Timeline, CommitTime)> {
    let mut removed = Vec::new();
    for (&database, times) in closed {
        let mut newer: Option<CommitTime> = None;
        for &time in times.iter().rev() {
            let outlived = newer.is_some_and(|newer| {
                let same_hour = newer / HOUR == time / HOUR && time.saturating_add(DAY) < now;
                same_hour || start.is_some_and(|start| time < start)
            });
            if outlived {
                removed.push((database, time));
            } else {
                newer = Some(time);
            }
        }
    }
    removed
}

#[cfg(test)]
mod tests {
    use super::*;

    fn left(times: &[u64], start: Option<u64>, now: u64) -> Vec<u64> {
        let database = Timeline([1; 16]);
        let removed = thin(&BTreeMap::from([(database, times.iter().copied().collect())]), start, now);
        times.iter().copied().filter(|time| !removed.contains(&(database, *time))).collect()
    }

    #[test]
    fn a_day_stays_as_it_is_and_older_ones_leave_one_an_hour() {
        let now = 10 * DAY;
        let day_old = now - DAY;
        let (a, b, c) = (day_old - 3 * HOUR, day_old - 3 * HOUR + 5, day_old - 2 * HOUR);
        let times = [a, b, c, day_old + 1, day_old + 2, now - 1];
        assert_eq!(left(&times, None, now), [b, c, day_old + 1, day_old + 2, now - 1]);
        assert_eq!(left(&times, Some(day_old), now), [day_old + 1, day_old + 2, now - 1]);
    }

    #[test]
    fn the_newest_stays_however_old_it_is() {
        assert_eq!(left(&[5, 6], Some(100 * DAY), 200 * DAY), [6]);
        assert_eq!(left(&[], None, DAY), [0_u64; 0]);
    }
}
