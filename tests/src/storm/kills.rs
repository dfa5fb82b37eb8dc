//! A server that is killed, or told to end, at random moments under the load of several clients.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use platform::World;
use platform::http::Method;
use platform::random::Stream;
use serde_json::json;

use super::server::{Place, Server, ok};
use super::writers::{DIM, NAME, Writer, read};
use super::{Outcome, Plan};

/// Kills a server again and again: after each start, every client finds what was acknowledged, and at most the one write that was on its way.
/// In every fourth round it is told to end instead, and has to end well.
///
/// # Errors
/// What was lost, and in which round.
pub fn run(plan: &Plan) -> Outcome {
    let (world, place) = (World::real(), Place::new(&plan.program)?);
    let mut stream = Stream::new(plan.seed);
    let writers: Vec<Writer> = (0..plan.writers).map(Writer::new).collect();
    let (mut slowest, mut fast) = (0, 0);
    for round in 0..plan.rounds {
        let mut server = place.serve(&world)?;
        slowest = slowest.max(server.ready_ms);
        check(&server, &writers, round).map_err(|wrong| format!("round {round}: {wrong}"))?;
        let load_ms = 100 + stream.below(900);
        let ends = stream.below(4) == 0;
        let before: u64 = writers.iter().map(Writer::acknowledged).sum();
        under_load(&world, &mut server, &writers, load_ms, ends).map_err(|wrong| format!("round {round}: {wrong}"))?;
        let done = writers.iter().map(Writer::acknowledged).sum::<u64>() - before;
        fast += u64::from(done > 2 * plan.writers);
    }
    let server = place.serve(&world)?;
    check(&server, &writers, plan.rounds)?;
    if 2 * fast < plan.rounds {
        return Err(format!("only {fast} of {} rounds had writes to lose: this machine is too slow for the test", plan.rounds));
    }
    let steps: u64 = writers.iter().map(Writer::acknowledged).sum();
    Ok(format!("{} rounds, {steps} acknowledged writes, none lost; ready after at most {slowest} ms", plan.rounds))
}

fn check(server: &Server, writers: &[Writer], round: u64) -> Result<(), String> {
    let client = server.client()?;
    if round == 0 {
        return ok(&client, Method::Put, &format!("/collections/{NAME}"), &json!({"vectors": {"size": DIM, "distance": "Euclid"}}))
            .map(drop);
    }
    let found = read(&client, NAME)?;
    writers.iter().try_for_each(|writer| writer.settle(&found))
}

fn under_load(world: &World, server: &mut Server, writers: &[Writer], load_ms: u64, ends: bool) -> Result<(), String> {
    let stop = AtomicBool::new(false);
    let clients = writers.iter().map(|_| server.client()).collect::<Result<Vec<_>, _>>()?;
    std::thread::scope(|scope| {
        let threads: Vec<_> = writers.iter().zip(&clients).map(|(writer, client)| scope.spawn(|| writer.run(client, &stop))).collect();
        world.clock.sleep(Duration::from_millis(load_ms));
        let ended = server.signal(if ends { "TERM" } else { "KILL" });
        stop.store(true, Ordering::Release);
        for thread in threads {
            thread.join().map_err(|_| "a client panicked")??;
        }
        match ended? {
            (Some(0), _) if ends => Ok(()),
            (None, _) if !ends => Ok(()),
            (code, said) => Err(format!("the server ended with {code:?}: {said}")),
        }
    })
}
