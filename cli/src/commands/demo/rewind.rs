//! The second half of the demo: archive, note the time, make a mistake, and go back to before it.

use super::answers::{Answers, TOP};
use super::data::DemoData;
use super::steps::Steps;
use super::{EF, NAME, number};
use crate::exit::Failure;
use crate::output::{bytes, count, duration};
use crate::time::format_time;
use platform::World;
use serde_json::Value;
use std::path::Path;
use std::time::Duration;

/// What going back gave.
pub(super) struct Rewound {
    /// The report of the restore.
    pub report: Value,
    /// What differs from before the mistake.
    pub mismatches: Vec<String>,
}

/// Archives the collection, damages it, and restores it to the time before.
pub(super) fn rewind(steps: &Steps<'_>, world: &World, data: &DemoData, place: &Path) -> Result<Rewound, Failure> {
    let archive = place.join("archive").display().to_string();
    steps.run("Archive it continuously from now on", &["archive", "enable", NAME, "--to", &archive])?;
    let before = state(steps, data)?;
    let time = format_time(world.clock.wall_micros());
    steps.result(&format!("the time is {time}; what follows is a mistake"))?;
    damage(steps, world, data)?;
    let words = ["restore", NAME, "--source", &archive, "--to-time", &time, "--replace"];
    let restored = steps.run("Go back to the time before the mistake", &words)?;
    let report = restored.last().clone();
    let seconds = duration(Duration::from_secs_f64(report["first_answer_s"].as_f64().unwrap_or(0.0)));
    let missing = report["gap"]["missing_records"].as_u64().map_or_else(|| "unknown".to_owned(), count);
    let (points, read) = (count(number(&report, "points")), bytes(number(&report, "bytes")));
    steps.result(&format!("{points} points, {read}, first answer after {seconds}; {missing} writes left out, the mistake"))?;
    let after = state(steps, data)?;
    let mut mismatches = before.0.differences(&after.0);
    if before.1 != after.1 {
        mismatches.push(format!("{} points before the mistake, {} after going back", before.1, after.1));
    }
    if report["gap"]["missing_records"].as_u64().is_none_or(|missing| missing == 0) {
        mismatches.push("the restore knows of no write that it left out".to_owned());
    }
    if mismatches.is_empty() {
        steps.result(&format!("{} points and {} answers as before the mistake", count(after.1), after.0.count()))?;
    }
    Ok(Rewound { report, mismatches })
}

/// Overwrites half of the points with the vectors of the others, and deletes the rest.
fn damage(steps: &Steps<'_>, world: &World, data: &DemoData) -> Result<(), Failure> {
    let damage = data.damage(world)?;
    let words = ["import", NAME, "--vectors", data.vectors(), "--ids", &damage.ids, "--from-row", &damage.from_row, "--no-wait"];
    steps.run("Overwrite half of the points, and delete the rest", &words)?;
    steps.again(&["points", "delete", NAME, "--filter", &damage.filter])?;
    let left = steps.again(&["collections", "info", NAME])?.last().clone();
    steps.result(&format!("{} points are left", count(number(&left, "points"))))
}

/// Asks the queries, and counts.
fn state(steps: &Steps<'_>, data: &DemoData) -> Result<(Answers, u64), Failure> {
    let top = TOP.to_string();
    let walked = steps.again(&["search", NAME, "--vectors", data.queries(), "--top", &top, "--ef", EF, "--with-payload"])?;
    let info = steps.again(&["collections", "info", NAME])?.last().clone();
    Ok((Answers::read(&walked.results)?, number(&info, "points")))
}
