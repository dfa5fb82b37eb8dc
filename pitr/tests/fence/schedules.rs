//! Seeded schedules of a larger world: three epochs, candidates that come back, backups beside every owner.

use std::ops::Range;

use platform::random::Stream;

use super::check::{Seen, violation};
use super::world::{Action, Rules};

/// Eight timelines, positions up to nine, three candidates.
type World = super::world::World<8, 10, 3>;

/// Steps of one schedule.
const STEPS: usize = 200;

/// What the schedules found.
pub struct Run {
    pub seen: Seen,
    /// The first seed that shows something wrong, and how.
    pub violation: Option<String>,
}

/// Runs one schedule for each seed.
pub fn run(rules: Rules, seeds: Range<u64>) -> Run {
    let mut seen = Seen::default();
    for seed in seeds {
        if let Some((wrong, steps)) = schedule(&rules, seed, &mut seen) {
            return Run { seen, violation: Some(format!("seed {seed}: {wrong}, after {steps:?}")) };
        }
    }
    Run { seen, violation: None }
}

fn schedule(rules: &Rules, seed: u64, seen: &mut Seen) -> Option<(String, Vec<Action>)> {
    let mut stream = Stream::new(seed);
    let mut world = World::new(rules);
    let (mut actions, mut steps) = (Vec::new(), Vec::new());
    for _ in 0..STEPS {
        world.actions(rules, true, &mut actions);
        let action = actions[stream.below(actions.len() as u64) as usize];
        world.apply(action, rules);
        steps.push(action);
        seen.emptied |= matches!(action, Action::Delete(..));
        if let Some(wrong) = violation(&world, seen) {
            return Some((wrong, steps));
        }
    }
    None
}
