//! Runs drills on a simulated machine, and looks at what they leave.

use std::path::Path;
use std::sync::Arc;

use engine::{Collection, Error, Result};
use pitr::Candidates;
use pitr::drill::history::{self, History};
use pitr::drill::{DrillReport, DrillRequest, DrillTarget, Drilled, RECALL_MIN, Verdict, run};
use platform::object_store::ObjectStore;

use crate::machine::{DATA, Machine};

/// Never stops.
fn go_on() -> Option<Error> {
    None
}

pub fn request<'a>(name: &'a str, store: &Arc<dyn ObjectStore>, target: DrillTarget, live: Option<&'a Collection>) -> DrillRequest<'a> {
    let store = store.clone();
    DrillRequest {
        name,
        source: "/somewhere",
        endpoint: None,
        live,
        is_taken: &|_| false,
        target,
        scratch_name: None,
        recall_min: RECALL_MIN,
        candidates: Candidates::default(),
        ranges: pitr::lazy::range_sources(move |_, _| Ok(store.clone())),
        threads: 1,
        stopped: &go_on,
    }
}

pub fn drill(machine: &Machine, store: &Arc<dyn ObjectStore>, request: &DrillRequest<'_>) -> Result<Drilled> {
    run(&machine.sim.world(), Path::new(DATA), store, request, &|_, _| ())
}

/// Runs a drill that is to pass.
pub fn passes(machine: &Machine, store: &Arc<dyn ObjectStore>, request: &DrillRequest<'_>) -> DrillReport {
    let Drilled { report, error } = drill(machine, store, request).unwrap_or_else(|e| panic!("seed {}: {e}", machine.seed));
    assert!(error.is_none(), "seed {}: {error:?}\n{report:#?}", machine.seed);
    report
}

pub fn history_of(machine: &Machine) -> History {
    history::read(&machine.sim.world(), Path::new(DATA)).expect("the history is read")
}

/// The folders that drills restored to and that are still there.
pub fn scratch_places(machine: &Machine) -> Vec<String> {
    let entries = machine.sim.world().fs.list(&history::dir(Path::new(DATA))).expect("the folder is there");
    entries.into_iter().filter(|entry| entry.is_dir).map(|entry| entry.name).collect()
}

/// The checks that had one result, as `check with`.
pub fn checks(report: &DrillReport, result: Verdict) -> Vec<String> {
    report.checks.iter().filter(|check| check.result == result).map(|check| format!("{} {}", check.check, check.with)).collect()
}
