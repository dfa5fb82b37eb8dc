//! Decides which log files are cleaned: a pure function of what is alive in them.

use super::super::indexer::Goal;
use super::usage::FileUse;
use crate::ids::Lsn;

/// When cleaning is worth it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CleaningLimits {
    /// A file is cleaned when what lives in it, written anew, takes less than this share of it, in percent. 0 turns cleaning off.
    pub live_percent: u64,
    /// Bytes that must come free for a collection that is brought to rest.
    pub gain_min: u64,
    /// Bytes that must come free while it is written to.
    pub gain_min_bounded: u64,
    /// Bytes that one step moves, about.
    pub step_bytes: u64,
}

impl Default for CleaningLimits {
    fn default() -> Self {
        CleaningLimits { live_percent: 25, gain_min: 1 << 20, gain_min_bounded: 256 << 20, step_bytes: 64 << 20 }
    }
}

impl CleaningLimits {
    /// Cleans nothing.
    pub const OFF: CleaningLimits = CleaningLimits { live_percent: 0, gain_min: u64::MAX, gain_min_bounded: u64::MAX, step_bytes: 0 };
}

/// A piece of cleaning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cleaning {
    /// Write again what lives in the files that begin at these positions.
    Move(Vec<Lsn>),
    /// Leave the files out in which nothing is alive.
    Leave,
    /// Publish the newest manifest again, so that the older of the two that are kept holds nothing more than it.
    Renew,
}

/// What is to be done next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// A piece of cleaning.
    Clean(Cleaning),
    /// Cover the log up to its end: what the newest manifest still needs is dead by now.
    Seal,
}

/// Gives the bytes that must come free of a log of so many.
#[must_use]
pub fn gain_min(limits: &CleaningLimits, goal: Goal, log_bytes: u64) -> u64 {
    match goal {
        Goal::Indexed => limits.gain_min,
        // Beside writers only where half of the log is in the way.
        Goal::Bounded | Goal::Sealed => limits.gain_min_bounded.max(log_bytes / 2),
    }
}

/// Chooses the next piece of cleaning; `None` when too little would come free.
///
/// Progress is certain: a file is moved only when its live rows, written anew, take less than the share, so that the file that they come to lie in
/// does not qualify as long as they live.
#[must_use]
pub fn choose(files: &[FileUse], limits: &CleaningLimits, goal: Goal) -> Option<Next> {
    let qualifies = |file: &&FileUse| !file.stays && file.live_bytes.saturating_mul(100) < file.len().saturating_mul(limits.live_percent);
    let wanted: Vec<&FileUse> = files.iter().filter(qualifies).collect();
    let gain: u64 = wanted.iter().map(|file| file.len() - file.live_bytes).sum();
    let all: u64 = files.iter().map(FileUse::len).sum();
    if wanted.is_empty() || gain < gain_min(limits, goal, all) {
        return None;
    }
    let mut alive: Vec<&FileUse> = wanted.iter().copied().filter(|file| file.live_bytes > 0).collect();
    if alive.is_empty() {
        let is_over = wanted.iter().any(|file| !file.is_needed);
        return Some(if is_over { Next::Clean(Cleaning::Leave) } else { Next::Seal });
    }
    // Those that give most for what they cost; as many as one step moves.
    alive.sort_by_key(|file| (file.live_bytes.saturating_mul(1 << 20) / file.len(), file.start));
    let mut moved = 0;
    let chosen = alive.iter().take_while(|file| {
        let before = moved;
        moved += file.live_bytes;
        before == 0 || moved <= limits.step_bytes
    });
    let mut starts: Vec<Lsn> = chosen.map(|file| file.start).collect();
    starts.sort_unstable();
    assert!(!starts.is_empty(), "one file is moved whatever it holds");
    Some(Next::Clean(Cleaning::Move(starts)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: CleaningLimits = CleaningLimits { live_percent: 25, gain_min: 1_000, gain_min_bounded: 10_000, step_bytes: 500 };

    fn file(start: Lsn, len: u64, live_bytes: u64) -> FileUse {
        FileUse { start, end: start + len, live_bytes, is_needed: live_bytes > 0, stays: false }
    }

    fn clean(files: &[FileUse]) -> Option<Next> {
        choose(files, &LIMITS, Goal::Indexed)
    }

    #[test]
    fn a_file_below_a_quarter_alive_is_moved_and_one_at_a_quarter_is_not() {
        assert_eq!(clean(&[file(0, 4_000, 999), file(4_000, 4_000, 4_000)]), Some(Next::Clean(Cleaning::Move(vec![0]))));
        assert_eq!(clean(&[file(0, 4_000, 1_000), file(4_000, 4_000, 4_000)]), None);
    }

    #[test]
    fn nothing_is_done_for_little_and_less_beside_writers() {
        assert_eq!(clean(&[file(0, 900, 0)]), None);
        let files = [file(0, 9_000, 0), file(9_000, 4_000, 4_000)];
        assert_eq!(clean(&files), Some(Next::Clean(Cleaning::Leave)));
        assert_eq!(choose(&files, &LIMITS, Goal::Bounded), None);
        assert_eq!(choose(&[file(0, 11_000, 0), files[1].clone()], &LIMITS, Goal::Bounded), Some(Next::Clean(Cleaning::Leave)));
        assert_eq!(choose(&[file(0, 11_000, 0), file(11_000, 60_000, 60_000)], &LIMITS, Goal::Bounded), None);
        assert_eq!(choose(&files, &CleaningLimits::OFF, Goal::Indexed), None);
    }

    #[test]
    fn the_emptiest_files_go_first_and_a_step_moves_only_so_much() {
        let files = [file(0, 4_000, 400), file(4_000, 4_000, 100), file(8_000, 4_000, 300)];
        assert_eq!(clean(&files), Some(Next::Clean(Cleaning::Move(vec![4_000, 8_000]))));
        assert_eq!(clean(&[file(0, 40_000, 4_000)]), Some(Next::Clean(Cleaning::Move(vec![0]))), "one file, however much it is");
    }

    #[test]
    fn what_must_stay_is_left_alone() {
        let away = FileUse { stays: true, ..file(0, 40_000, 0) };
        assert_eq!(clean(&[away]), None);
    }

    #[test]
    fn rows_that_died_since_the_manifest_are_covered_before_their_file_is_left_out() {
        let died = FileUse { is_needed: true, ..file(0, 4_000, 0) };
        assert_eq!(clean(std::slice::from_ref(&died)), Some(Next::Seal));
        assert_eq!(clean(&[died, file(4_000, 4_000, 0)]), Some(Next::Clean(Cleaning::Leave)));
    }

    /// A model of the log: files with rows of a size, each file moved as a whole into a new one.
    #[test]
    fn the_policy_comes_to_rest_and_what_is_left_is_mostly_alive() {
        for seed in 0..50_u64 {
            let live = |n: u64| (n * 7_919 + seed * 104_729) % 4_001;
            let mut files: Vec<FileUse> = (0..40).map(|n| file(n * 4_000, 4_000, live(n))).collect();
            let mut steps = 0;
            while let Some(next) = clean(&files) {
                steps += 1;
                assert!(steps < 500, "seed {seed}: the policy goes round in circles");
                match next {
                    Next::Clean(Cleaning::Move(starts)) => {
                        let moved: u64 = files.iter().filter(|file| starts.contains(&file.start)).map(|file| file.live_bytes).sum();
                        let end = files.last().map_or(0, |file| file.end);
                        files.iter_mut().filter(|file| starts.contains(&file.start)).for_each(|file| file.live_bytes = 0);
                        files.push(file(end, moved, moved));
                    }
                    Next::Clean(Cleaning::Leave) => files.retain(|file| file.live_bytes > 0 || file.is_needed),
                    Next::Clean(Cleaning::Renew) => panic!("seed {seed}: files are left out, nothing is renewed"),
                    Next::Seal => files.iter_mut().for_each(|file| file.is_needed = file.live_bytes > 0),
                }
            }
            let (all, alive): (u64, u64) = files.iter().fold((0, 0), |sum, file| (sum.0 + file.len(), sum.1 + file.live_bytes));
            assert!(all <= 4 * alive + 1_000, "seed {seed}: {all} bytes for {alive}");
        }
    }
}
