//! A whole simulated machine: disk, clock and randomness from one seed.

use std::sync::Arc;

use crate::clock::SimClock;
use crate::fs::SimDisk;
use crate::random::SeededRandom;
use crate::{KnownBad, World};

/// The wall time at which a simulated machine starts: 2024-01-01 00:00:00 UTC, in microseconds.
pub const START_MICROS: u64 = 1_704_067_200_000_000;

/// A simulated machine; clones are the same machine.
#[derive(Clone, Debug)]
pub struct SimWorld {
    /// Its disk, to cut the power of and to read the trace of.
    pub disk: SimDisk,
    /// Its clock; it also dates what is written to the disk.
    pub clock: SimClock,
    /// Its randomness; it goes on where it was after a crash.
    pub random: Arc<SeededRandom>,
    /// The deliberate mistakes of the code that runs on it.
    pub known_bad: KnownBad,
}

impl SimWorld {
    /// Returns the machine that `seed` names, switched on, with an empty disk.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let (disk, clock) = (SimDisk::new(seed), SimClock::new(START_MICROS));
        disk.follow(&clock);
        // The disk and the ids draw from different streams of one seed.
        let random = Arc::new(SeededRandom::new(seed ^ 0x7261_6e64_6f6d_0000));
        Self { disk, clock, random, known_bad: KnownBad::default() }
    }

    /// Returns the world as a process started now sees it. Ask again after each crash: what the
    /// dead process held stays dead.
    #[must_use]
    pub fn world(&self) -> World {
        World {
            fs: self.disk.file_system(),
            clock: Arc::new(self.clock.clone()),
            random: Arc::clone(&self.random) as _,
            known_bad: self.known_bad,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn run(seed: u64) -> (u64, [u8; 16], u64) {
        let machine = SimWorld::new(seed);
        let world = machine.world();
        world.write_file_durably(Path::new("/a"), &seed.to_le_bytes()).unwrap();
        machine.disk.crash();
        (machine.disk.trace_hash(), world.random.uuid(), world.clock.wall_micros())
    }

    #[test]
    fn one_seed_is_one_machine() {
        assert_eq!(run(4), run(4));
        assert_ne!(run(4).0, run(5).0);
        assert_ne!(run(4).1, run(5).1);
    }

    #[test]
    fn the_disk_dates_files_by_the_machines_clock() {
        let machine = SimWorld::new(1);
        let world = machine.world();
        world.write_file_durably(Path::new("/a"), b"x").unwrap();
        assert_eq!(world.fs.list(Path::new("/")).unwrap()[0].modified_micros, START_MICROS);
    }

    #[test]
    fn a_rename_without_directory_sync_is_lost_and_the_right_one_is_not() {
        for (known_bad, found) in [(false, true), (true, false)] {
            let mut machine = SimWorld::new(1);
            machine.known_bad.rename_without_dir_sync = known_bad;
            machine.world().write_file_durably(Path::new("/a"), b"x").unwrap();
            machine.disk.crash();
            assert_eq!(machine.disk.durable_bytes("/a").is_some(), found);
        }
    }
}
