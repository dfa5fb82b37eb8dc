//! Asks an object store whether it keeps the promises that an archive rests on, with a few objects of its own under `probe/`.
//!
//! Many stores that speak a protocol ignore conditions, or check them and write afterwards; then two writers of one timeline would both be
//! acknowledged. So a store is probed before it is trusted with a takeover.

use std::sync::{Arc, Barrier};

use bytes::Bytes;
use platform::World;
use platform::object_store::{ObjectStore, PutOutcome, StoreError};
use platform::random::Stream;

/// Writers of a race.
const RACERS: usize = 16;
/// Races.
const ROUNDS: usize = 8;
/// The most that the store's clock may differ from this machine's, in microseconds: the limit for commit times.
const SKEW_MICROS_MAX: u64 = 60_000_000;
/// Stores that date objects by whole seconds look up to this much behind.
const DATE_STEP_MICROS: u64 = 1_000_000;

/// Puts that must not replace one another.
pub const CONDITION: &str = "put-if-absent";
/// Puts that race.
pub const RACE: &str = "put-if-absent under a race";
/// Reads after a write.
pub const READS: &str = "reads see writes at once";
/// What this user may do.
pub const RIGHTS: &str = "put, get, list and delete are allowed";
/// The two clocks.
pub const CLOCKS: &str = "clocks agree";

/// One promise of a store, and whether it kept it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// The promise.
    pub name: &'static str,
    /// Whether it was kept.
    pub ok: bool,
    /// What was seen.
    pub detail: String,
}

/// What a probe found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The store.
    pub store: String,
    /// The checks, in the order in which they ran.
    pub checks: Vec<Check>,
    /// Whether a takeover may rely on the store alone: its conditions are atomic, and what is written is read. Clocks and the right to delete have no
    /// part in it.
    pub safe_for_takeover: bool,
    /// The store's clock less this machine's, in microseconds, when it is known.
    pub skew_micros: Option<i64>,
}

impl Report {
    /// Says whether every check passed.
    #[must_use]
    pub fn is_ok(&self) -> bool {
        self.checks.iter().all(|check| check.ok)
    }

    /// Describes the first check that failed; empty when none did.
    #[must_use]
    pub fn first_failure(&self) -> String {
        self.checks.iter().find(|check| !check.ok).map_or_else(String::new, |check| format!("{}: {}", check.name, check.detail))
    }
}

/// Probes a store; what it put is deleted again as far as the store lets it. A store that fails is a report, not an error.
#[must_use]
pub fn probe(world: &World, store: &Arc<dyn ObjectStore>) -> Report {
    let mut probe = Probe { world, store: &**store, prefix: new_prefix(world), made: Vec::new() };
    let (clocks, skew_micros) = probe.clocks();
    let mut checks = vec![probe.condition(), probe.reads(), probe.race(), clocks];
    // Last, since it deletes what the others made.
    checks.push(probe.rights());
    let safe_for_takeover = checks.iter().all(|check| check.ok || ![CONDITION, READS, RACE].contains(&check.name));
    Report { store: store.describe(), checks, safe_for_takeover, skew_micros }
}

fn new_prefix(world: &World) -> String {
    let id: String = world.random.uuid().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("probe/{id}/")
}

type Outcome = std::result::Result<String, String>;

struct Probe<'a> {
    world: &'a World,
    store: &'a dyn ObjectStore,
    /// Keys of this probe begin with this.
    prefix: String,
    made: Vec<String>,
}

fn check(name: &'static str, outcome: Outcome) -> Check {
    match outcome {
        Ok(detail) => Check { name, ok: true, detail },
        Err(detail) => Check { name, ok: false, detail },
    }
}

fn said(error: &StoreError) -> String {
    error.to_string()
}

impl Probe<'_> {
    fn key(&mut self, name: &str) -> String {
        let key = format!("{}{name}", self.prefix);
        self.made.push(key.clone());
        key
    }

    fn put(&self, key: &str, text: &str) -> std::result::Result<PutOutcome, String> {
        self.store.put_if_absent(key, vec![Bytes::copy_from_slice(text.as_bytes())]).map_err(|error| said(&error))
    }

    fn condition(&mut self) -> Check {
        let key = self.key("condition");
        let run = || -> Outcome {
            let first = self
                .put(&key, "first")
                .map_err(|error| format!("{error} (a directory needs a file system with hard links: names are given with them)"))?;
            let second = self.put(&key, "second")?;
            let there = self.store.get(&key).map_err(|error| said(&error))?;
            match (first, second) {
                (PutOutcome::Created, PutOutcome::Exists) if there == "first" => Ok("the second put of a key was refused".to_owned()),
                (PutOutcome::Created, PutOutcome::Exists) => Err("a refused put replaced the object".to_owned()),
                (PutOutcome::Created, PutOutcome::Created) => Err("the condition is ignored: the second put of a key succeeded".to_owned()),
                (PutOutcome::Exists, _) => Err("the first put of a new key was refused".to_owned()),
            }
        };
        check(CONDITION, run())
    }

    fn reads(&mut self) -> Check {
        let keys: Vec<String> = (0..ROUNDS).map(|round| self.key(&format!("read-{round}"))).collect();
        let run = || -> Outcome {
            for key in &keys {
                let not_there = |what: &str| format!("\"{key}\" was put, and {what} did not show it");
                // A store may remember that a key was absent.
                self.store.head(key).map_err(|error| said(&error))?;
                self.put(key, key)?;
                if self.store.head(key).map_err(|error| said(&error))? != Some(key.len() as u64) {
                    return Err(not_there("a look at it"));
                }
                if self.store.get(key).map_err(|error| said(&error))? != key.as_bytes() {
                    return Err(not_there("a get"));
                }
                let listed = self.store.list(&self.prefix).map_err(|error| said(&error))?;
                if !listed.iter().any(|meta| meta.key == *key && meta.size == key.len() as u64) {
                    return Err(not_there("the next listing"));
                }
            }
            Ok(format!("{ROUNDS} objects were seen by the next look, get and listing"))
        };
        check(READS, run())
    }

    fn race(&mut self) -> Check {
        let keys: Vec<String> = (0..ROUNDS).map(|round| self.key(&format!("race-{round}"))).collect();
        let mut bad = Vec::new();
        for (round, key) in keys.iter().enumerate() {
            if let Err(detail) = self.race_for(key) {
                bad.push(format!("round {}: {detail}", round + 1));
            }
        }
        let all_well = format!("{ROUNDS} races of {RACERS} writers had one winner each");
        check(RACE, if bad.is_empty() { Ok(all_well) } else { Err(bad.join("; ")) })
    }

    fn race_for(&self, key: &str) -> std::result::Result<(), String> {
        let start = Barrier::new(RACERS);
        let body = |racer: usize| Bytes::from(Stream::new(racer as u64).next_u64().to_le_bytes().repeat(64));
        let outcomes: Vec<_> = std::thread::scope(|scope| {
            let racers: Vec<_> = (0..RACERS)
                .map(|racer| {
                    let (start, body) = (&start, body(racer));
                    scope.spawn(move || {
                        start.wait();
                        self.store.put_if_absent(key, vec![body])
                    })
                })
                .collect();
            racers.into_iter().map(|racer| racer.join().expect("a racer does not panic")).collect()
        });
        let mut winners = Vec::new();
        for (racer, outcome) in outcomes.into_iter().enumerate() {
            if outcome.map_err(|error| said(&error))? == PutOutcome::Created {
                winners.push(racer);
            }
        }
        let [winner] = winners[..] else { return Err(format!("{} of {RACERS} writers won", winners.len())) };
        let there = self.store.get(key).map_err(|error| said(&error))?;
        if there == body(winner) { Ok(()) } else { Err("the object is not the winner's".to_owned()) }
    }

    fn clocks(&mut self) -> (Check, Option<i64>) {
        let key = self.key("clock");
        let before = self.world.clock.wall_micros();
        let dated = self.put(&key, "clock").and_then(|_| {
            let listed = self.store.list(&self.prefix).map_err(|error| said(&error))?;
            let found = listed.into_iter().find(|meta| meta.key == key);
            found.map(|meta| meta.modified_micros).ok_or_else(|| "the listing does not show a new object".to_owned())
        });
        let after = self.world.clock.wall_micros().max(before);
        let dated = match dated {
            Ok(dated) => dated,
            Err(detail) => return (check(CLOCKS, Err(detail)), None),
        };
        let ahead = dated.saturating_sub(after);
        let behind = before.saturating_sub(dated.saturating_add(DATE_STEP_MICROS));
        let signed = |micros: u64| i64::try_from(micros).unwrap_or(i64::MAX);
        let skew = signed(ahead) - signed(behind);
        let detail = format!("the store's clock is {:.3} s off this machine's", skew as f64 / 1e6);
        let outcome = if ahead.max(behind) <= SKEW_MICROS_MAX { Ok(detail) } else { Err(detail + ": set the clocks") };
        (check(CLOCKS, outcome), Some(skew))
    }

    fn rights(&mut self) -> Check {
        let key = self.key("rights");
        let put = self.put(&key, "rights").map(drop);
        let got = self.store.get(&key).map(drop).map_err(|error| said(&error));
        let listed = self.store.list(&self.prefix).map(drop).map_err(|error| said(&error));
        let deleted = self.clean_up();
        let failed: Vec<String> = [("put", put), ("get", got), ("list", listed), ("delete", deleted)]
            .into_iter()
            .filter_map(|(right, outcome)| outcome.err().map(|error| format!("{right}: {error}")))
            .collect();
        check(RIGHTS, if failed.is_empty() { Ok("all four succeeded".to_owned()) } else { Err(failed.join("; ")) })
    }

    fn clean_up(&mut self) -> std::result::Result<(), String> {
        let mut outcome = Ok(());
        for key in std::mem::take(&mut self.made) {
            if let Err(error) = self.store.delete(&key) {
                outcome = Err(said(&error));
            }
        }
        outcome?;
        let left = self.store.list(&self.prefix).map_err(|error| said(&error))?;
        left.first().map_or(Ok(()), |meta| Err(format!("\"{}\" is still there after it was deleted", meta.key)))
    }
}

#[cfg(test)]
mod tests;
