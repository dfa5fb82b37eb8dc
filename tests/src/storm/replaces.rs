//! A collection that is replaced by its backup again and again while several clients write to it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use platform::World;
use platform::http::Method;
use serde_json::json;

use super::server::{Place, ok};
use super::writers::{DIM, NAME, Writer, read};
use super::{Outcome, Plan};

/// How long clients go on after the last replacement.
const AFTER: Duration = Duration::from_millis(300);

/// Replaces the collection under load; in the end everything that was asked for behind the last replacement and acknowledged has to be there, here
/// and after a restart.
///
/// # Errors
/// What is missing.
pub fn run(plan: &Plan) -> Outcome {
    let (world, place) = (World::real(), Place::new(&plan.program)?);
    let mut server = place.serve(&world)?;
    let client = server.client()?;
    ok(&client, Method::Put, &format!("/collections/{NAME}"), &json!({"vectors": {"size": DIM, "distance": "Euclid"}}))?;
    let writers: Vec<Writer> = (0..plan.writers).map(Writer::new).collect();
    let clients = writers.iter().map(|_| server.client()).collect::<Result<Vec<_>, _>>()?;
    let stop = AtomicBool::new(false);
    let firsts = std::thread::scope(|scope| {
        let threads: Vec<_> = writers.iter().zip(&clients).map(|(writer, client)| scope.spawn(|| writer.run(client, &stop))).collect();
        let mut outcome = place.run(&["collections", "backup", NAME, "--destination", "backups", "--snapshot-id", "one", "--wait"]);
        for _ in 0..plan.rounds {
            world.clock.sleep(Duration::from_millis(50));
            let replace = ["collections", "restore", NAME, "--source", "backups", "--replace", "--wait"];
            outcome = outcome.and_then(|_| place.run(&replace));
        }
        // The step that is on its way may have been acknowledged before the replacement: what is begun after it is not.
        let firsts: Vec<u64> = writers.iter().map(|writer| writer.acknowledged() + 1).collect();
        world.clock.sleep(AFTER);
        stop.store(true, Ordering::Release);
        for thread in threads {
            if let Some(why) = thread.join().map_err(|_| "a client panicked")?? {
                return Err(format!("a client was sent away: {why}"));
            }
        }
        outcome.map(|_| firsts)
    })?;
    let check = |client: &_| {
        let found = read(client, NAME)?;
        writers.iter().zip(&firsts).try_for_each(|(writer, first)| writer.check_from(*first, &found))
    };
    check(&client)?;
    let after: u64 = writers.iter().zip(&firsts).map(|(writer, first)| writer.acknowledged().saturating_sub(*first)).sum();
    if after == 0 {
        return Err("nothing was written behind the last replacement".to_owned());
    }
    let (code, said) = server.signal("TERM")?;
    if code != Some(0) {
        return Err(format!("the server ended with {code:?}: {said}"));
    }
    let server = place.serve(&world)?;
    check(&server.client()?)?;
    let steps: u64 = writers.iter().map(Writer::acknowledged).sum();
    Ok(format!("{} replacements under {steps} acknowledged writes, {after} behind the last, none of them lost", plan.rounds))
}
