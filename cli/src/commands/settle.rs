//! Background steps that a command runs before it ends: the tail within its bounds, or every graph built.

use super::session::Session;
use crate::args::SettleArgs;
use crate::exit::Failure;
use crate::output::{Progress, Unit};
use crate::time::micros;
use engine::collection::Step;
use engine::collection::indexer::{Goal, Threads};
use engine::{Collection, Database, ErrorKind, Incarnation};
use std::sync::OnceLock;
use std::time::Duration;

/// Between two looks at the lock.
const LOCK_LOOK: Duration = Duration::from_millis(30);
/// How often a waiter that does not come is looked for before the lock is taken back.
const LOCK_LOOKS: u32 = 30;
/// One try to take the lock back; between two, interrupts and the deadline are looked at.
const LOCK_TRY: Duration = Duration::from_millis(500);

/// When waiting ends without success.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Deadline {
    /// By the monotonic clock, and how long that was from the start.
    at: Option<(u64, Duration)>,
}

impl Deadline {
    /// Starts to count now.
    pub fn after(session: &Session<'_>, timeout: Option<Duration>) -> Self {
        let now = session.world.clock.monotonic_micros();
        Self { at: timeout.map(|timeout| (now.saturating_add(micros(timeout)), timeout)) }
    }

    fn is_over(self, session: &Session<'_>) -> bool {
        self.at.is_some_and(|(at, _)| session.world.clock.monotonic_micros() >= at)
    }

    /// Fails when the user stopped the command, or its time ran out.
    pub fn check(self, session: &Session<'_>) -> Result<(), Failure> {
        let hint = "what was acknowledged stays; \"vectra collections optimize\" goes on with the index";
        if platform::process::interrupted() {
            return Err(Failure::new(ErrorKind::Interrupted, "interrupted while the index was built").with_hint(hint));
        }
        match self.at {
            Some((_, timeout)) if self.is_over(session) => {
                let message = format!("the index was not ready after {} s", timeout.as_secs_f64());
                Err(Failure::new(ErrorKind::Timeout, message).with_hint(hint))
            }
            _ => Ok(()),
        }
    }
}

/// How many threads a build takes: as many as the machine runs at once.
pub(super) fn threads() -> Threads {
    Threads(std::thread::available_parallelism().map_or(1, usize::from))
}

/// Runs the steps that a short write command leaves behind: those that keep the tail within its bounds.
pub(super) fn bounded(session: &Session<'_>, collection: &Collection, args: SettleArgs) -> Result<(), Failure> {
    if args.no_wait {
        return Ok(());
    }
    steps(session, None, collection, Goal::Bounded, Deadline::after(session, args.wait_timeout)).map(|_| ())
}

/// Runs steps until the goal is reached. With a database, stops with `false` between two steps when another process wants to write.
pub(super) fn steps(
    session: &Session<'_>,
    give_way: Option<&Database>,
    collection: &Collection,
    goal: Goal,
    deadline: Deadline,
) -> Result<bool, Failure> {
    while let Some(step) = collection.next_step(goal) {
        deadline.check(session)?;
        if give_way.map_or(Ok(false), Database::is_wanted)? {
            return Ok(false);
        }
        run(session, collection, &step, deadline)?;
    }
    Ok(true)
}

/// Runs one step under a progress bar.
pub(super) fn run(session: &Session<'_>, collection: &Collection, step: &Step, deadline: Deadline) -> Result<(), Failure> {
    let bar: OnceLock<Progress<'_>> = OnceLock::new();
    let progress = |done: u64, all: u64| {
        bar.get_or_init(|| session.out.progress("index", Some(all), Unit::Points)).set(done);
        !platform::process::interrupted() && !deadline.is_over(session)
    };
    match collection.step(step, &threads(), &progress) {
        Err(error) if error.kind == ErrorKind::Interrupted => {
            deadline.check(session)?;
            Err(error)
        }
        result => result,
    }
}

/// Takes the lock again, after another writer was let in, and goes on until every graph is built.
///
/// A name that means another collection by then, or none, has nothing left to wait for.
pub(super) fn resume(session: &Session<'_>, name: &str, incarnation: Incarnation, deadline: Deadline) -> Result<(), Failure> {
    loop {
        let_waiter_in(session)?;
        deadline.check(session)?;
        let outcome = session.write_waiting(LOCK_TRY, name, |database, collection| {
            if collection.incarnation() != incarnation {
                return Ok(true);
            }
            steps(session, Some(database), collection, Goal::Indexed, deadline)
        });
        match outcome {
            Ok(true) => return Ok(()),
            Ok(false) => {}
            Err(error) if error.kind == ErrorKind::Locked => {}
            Err(error) if error.kind == ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error),
        }
    }
}

/// Waits until who asked for the lock has it.
fn let_waiter_in(session: &Session<'_>) -> Result<(), Failure> {
    let database = session.look()?;
    for _ in 0..LOCK_LOOKS {
        if !database.is_wanted()? {
            break;
        }
        session.world.clock.sleep(LOCK_LOOK);
    }
    Ok(())
}
