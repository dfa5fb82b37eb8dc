//! Backups in a loop while several clients write: each is the state at one position, and holds what was acknowledged before it was asked for.

use std::sync::atomic::{AtomicBool, Ordering};

use platform::World;
use platform::http::Method;
use serde_json::json;

use super::server::{Place, ok};
use super::writers::{DIM, NAME, State, Writer, read};
use super::{Outcome, Plan};

/// A backup that was made, and what was acknowledged before it was asked for.
struct Made {
    id: String,
    position: u64,
    before: Vec<u64>,
}

/// Makes backups under load, restores each through the server, and compares it with the state at its position.
///
/// # Errors
/// Which backup is not the state at its position.
pub fn run(plan: &Plan) -> Outcome {
    let (world, place) = (World::real(), Place::new(&plan.program)?);
    let server = place.serve(&world)?;
    let client = server.client()?;
    ok(&client, Method::Put, &format!("/collections/{NAME}"), &json!({"vectors": {"size": DIM, "distance": "Euclid"}}))?;
    let writers: Vec<Writer> = (0..plan.writers).map(Writer::new).collect();
    let clients = writers.iter().map(|_| server.client()).collect::<Result<Vec<_>, _>>()?;
    let stop = AtomicBool::new(false);
    let made = std::thread::scope(|scope| {
        let threads: Vec<_> = writers.iter().zip(&clients).map(|(writer, client)| scope.spawn(|| writer.run(client, &stop))).collect();
        let made: Result<Vec<Made>, String> = (0..plan.rounds).map(|round| back_up(&place, &writers, round)).collect();
        stop.store(true, Ordering::Release);
        for thread in threads {
            thread.join().map_err(|_| "a client panicked")??;
        }
        made
    })?;
    for backup in &made {
        let name = format!("restored-{}", backup.id);
        let words =
            ["collections", "restore", NAME, "--source", "backups", "--snapshot-id", &backup.id, "--new-collection-name", &name, "--wait"];
        place.run(&words)?;
        let found = read(&client, &name)?;
        compare(&writers, backup, &found).map_err(|wrong| format!("backup {}: {wrong}", backup.id))?;
        ok(&client, Method::Delete, &format!("/collections/{name}"), &json!({}))?;
    }
    let steps: u64 = writers.iter().map(Writer::acknowledged).sum();
    Ok(format!("{} backups while {steps} writes were acknowledged, each the state at its position", made.len()))
}

fn back_up(place: &Place, writers: &[Writer], round: u64) -> Result<Made, String> {
    let before = writers.iter().map(Writer::acknowledged).collect();
    let id = format!("b{round}");
    let report = place.run(&["collections", "backup", NAME, "--destination", "backups", "--snapshot-id", &id, "--wait"])?;
    let position = report["lsn"].as_u64().ok_or_else(|| format!("a backup says its position: {report}"))?;
    Ok(Made { id, position, before })
}

fn compare(writers: &[Writer], backup: &Made, found: &State) -> Result<(), String> {
    let mut seen = 0;
    for (writer, before) in writers.iter().zip(&backup.before) {
        let steps = writer.steps_until(backup.position)?;
        if steps < *before {
            return Err(format!("{before} writes of a client were acknowledged before, {steps} lie before its position"));
        }
        let own = writer.own(found);
        if own != writer.state(steps) {
            return Err(format!("{} points of a client are not those of its first {steps} writes", own.len()));
        }
        seen += own.len();
    }
    if seen == found.len() { Ok(()) } else { Err(format!("{} points are nobody's", found.len() - seen)) }
}
