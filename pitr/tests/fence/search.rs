//! Breadth-first search of a small world: every state once, told apart by 128 bits of hash.

use std::collections::HashSet;
use std::hash::{BuildHasherDefault, Hash, Hasher};

use super::check::{Seen, violation};
use super::world::{Action, Rules};

/// Four timelines, positions up to six, two candidates.
type World = super::world::World<4, 7, 2>;

/// What a search found.
pub struct Search {
    pub states: usize,
    pub steps: u64,
    pub seen: Seen,
    /// The shortest way to a state in which something is wrong.
    pub violation: Option<String>,
}

/// Two multiplications a word: fast where nothing is optimised, and wide enough for millions of states.
#[derive(Default)]
struct Fingerprint {
    low: u64,
    high: u64,
}

impl Fingerprint {
    fn of(value: &impl Hash) -> u128 {
        let mut hasher = Fingerprint::default();
        value.hash(&mut hasher);
        u128::from(hasher.low) << 64 | u128::from(hasher.high)
    }
}

fn folded(a: u64, b: u64) -> u64 {
    let product = u128::from(a).wrapping_mul(u128::from(b));
    product as u64 ^ (product >> 64) as u64
}

impl Hasher for Fingerprint {
    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.write_u64(u64::from_le_bytes(word));
        }
    }

    fn write_u64(&mut self, word: u64) {
        self.low = folded(self.low ^ word ^ 0x9e37_79b9_7f4a_7c15, 0xd6e8_feb8_6659_fd93);
        self.high = folded(self.high.rotate_left(29) ^ word ^ 0xa076_1d64_78bd_642f, 0xe703_7ed1_a0b4_28db);
    }

    fn write_u8(&mut self, byte: u8) {
        self.write_u64(u64::from(byte));
    }

    fn write_usize(&mut self, number: usize) {
        self.write_u64(number as u64);
    }

    fn write_isize(&mut self, number: isize) {
        self.write_u64(number as u64);
    }

    fn finish(&self) -> u64 {
        self.low
    }
}

/// Takes the key for its own hash: it is one.
#[derive(Default)]
struct Itself(u64);

impl Hasher for Itself {
    fn write(&mut self, _: &[u8]) {
        unreachable!("only fingerprints are kept");
    }

    fn write_u128(&mut self, fingerprint: u128) {
        self.0 = fingerprint as u64;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// Searches every state that two candidates and the owner of one timeline can reach.
pub fn breadth_first(rules: Rules) -> Search {
    let first = World::new(&rules).with_candidates(&rules);
    let mut known: HashSet<u128, BuildHasherDefault<Itself>> = HashSet::default();
    let mut ways: Vec<(usize, Option<Action>)> = vec![(0, None)];
    let mut search = Search { states: 1, steps: 0, seen: Seen::default(), violation: None };
    known.insert(Fingerprint::of(&first));
    let mut frontier = vec![(0, first)];
    let mut actions = Vec::new();
    while !frontier.is_empty() {
        let mut next = Vec::new();
        for (from, world) in frontier {
            world.actions(&rules, false, &mut actions);
            for &action in &actions {
                let mut reached = world.clone();
                reached.apply(action, &rules);
                if matches!(action, Action::List(_) | Action::Candidate(_)) {
                    reached.sort_candidates(Fingerprint::of);
                }
                reached.forget();
                search.steps += 1;
                search.seen.emptied |= matches!(action, Action::Delete(..));
                if !known.insert(Fingerprint::of(&reached)) {
                    continue;
                }
                let number = ways.len();
                ways.push((from, Some(action)));
                search.states = ways.len();
                if let Some(wrong) = violation(&reached, &mut search.seen) {
                    search.violation = Some(format!("{wrong}, after {:?}", way_to(&ways, number)));
                    return search;
                }
                next.push((number, reached));
            }
        }
        frontier = next;
    }
    search
}

fn way_to(ways: &[(usize, Option<Action>)], mut number: usize) -> Vec<Action> {
    let mut steps = Vec::new();
    while let (from, Some(action)) = ways[number] {
        steps.push(action);
        number = from;
    }
    steps.reverse();
    steps
}
