//! `vectra bench search`: recall and speed on a user's own data, through the write path and the searches that everybody uses.

mod build;
mod data;
mod measure;
mod recommend;

use super::session::Session;
use super::temporary::Temporary;
use crate::args::{BenchSearch, Globals};
use crate::exit::Failure;
use crate::output::Output;
use build::Built;
use data::BenchData;
use engine::collection::{TargetRecall, Version};
use measure::Measured;
use platform::World;
use serde_json::json;

/// The collection's name in its temporary database.
const NAME: &str = "bench";
/// What the lines name as their subject.
const SUBJECT: &str = "vectra";

/// Imports into a temporary database, measures each `--ef`, and leaves nothing behind.
pub(super) fn run(globals: &Globals, out: &Output, args: &BenchSearch) -> Result<(), Failure> {
    super::optimize::catch_interrupts()?;
    let world = World::real();
    let data = BenchData::open(&world, &args.data)?;
    let place = Temporary::make(&world, &globals.data_dir.clone().unwrap_or_else(std::env::temp_dir), "bench")?;
    let session = Session::at(place.path().to_path_buf(), globals, out)?;
    let built = build::build(&session, NAME, &data, &args.settings)?;
    session.read(NAME, |_, collection| {
        let version = collection.version();
        // What searches lay out in memory is there before it is counted.
        measure::recall(&session, &version, &data, data::TOP, args.threads as usize)?;
        if !out.is_json() {
            out.result(&heading(&session, &data, &built, build::bytes_per_vec(&version)))?;
        }
        if let Some(target) = args.recall {
            return recommend(&session, &version, &data, &built, (target, args.threads as usize));
        }
        for &ef in &args.ef {
            let measured = measure::measure(&session, &version, &data, ef as usize, args.threads as usize)?;
            print(out, ef, &measured, &built, build::bytes_per_vec(&version))?;
        }
        Ok(())
    })
}

/// Prints each number of candidates whose recall was measured, and in the end the fewest that are enough, with their speed.
fn recommend(
    session: &Session<'_>,
    version: &Version,
    data: &BenchData,
    built: &Built,
    (target, threads): (TargetRecall, usize),
) -> Result<(), Failure> {
    let out = session.out;
    let found = recommend::least(target.share(), |ef| {
        let recall = measure::recall(session, version, data, ef as usize, threads)?;
        if !out.is_json() {
            out.result(&format!("{ef:>6} {recall:>8.4}"))?;
        }
        Ok(recall)
    })?;
    let measured = measure::measure(session, version, data, found.ef as usize, threads)?;
    let stored = version.ef_for(1, target, data::TOP);
    print(out, found.ef, &measured, built, build::bytes_per_vec(version))?;
    if out.is_json() {
        return out.result_json(&json!({
            "name": SUBJECT, "target": target.share(), "reached": found.is_enough, "recommended_ef": found.ef, "recall": found.recall,
            "stored_ef": stored,
        }));
    }
    if !found.is_enough {
        return out.result(&format!("{} is out of reach: {} candidates find {:.4}", target.share(), found.ef, found.recall));
    }
    let said = format!(
        "--ef {} finds {:.4}; --recall {} takes {stored}, from the curve stored with the index",
        found.ef,
        found.recall,
        target.share()
    );
    out.result(&said)
}

fn heading(session: &Session<'_>, data: &BenchData, built: &Built, bytes_per_vec: f64) -> String {
    format!(
        "{} vectors of {} dimensions, kernels {}; built in {:.1} s ({:.1} s of CPU), {:.0} bytes of index a vector\n\
         {} points in graphs, {} segments, {} points in the tail\n\
         {:>6} {:>8} {:>10} {:>12} {:>9} {:>9}",
        data.vectors.rows(),
        data.vectors.dim(),
        session.kernels.name(),
        built.seconds,
        built.cpu_seconds,
        bytes_per_vec,
        built.indexed_points,
        built.segments,
        built.tail_points,
        "ef",
        "recall",
        "qps",
        "qps/cpu",
        "p50 us",
        "p99 us"
    )
}

fn print(out: &Output, ef: u32, measured: &Measured, built: &Built, bytes_per_vec: f64) -> Result<(), Failure> {
    let Measured { recall, qps, qps_cpu, p50_us, p99_us } = *measured;
    if !out.is_json() {
        return out.result(&format!("{ef:>6} {recall:>8.4} {qps:>10.0} {qps_cpu:>12.0} {p50_us:>9} {p99_us:>9}"));
    }
    out.result_json(&json!({
        "name": SUBJECT, "param": format!("ef={ef}"), "recall": recall, "qps": qps, "qps_cpu": qps_cpu, "p50_us": p50_us, "p99_us": p99_us,
        "build_s": built.seconds, "build_cpu_s": built.cpu_seconds, "bytes_per_vec": bytes_per_vec,
        "indexed_points": built.indexed_points, "tail_points": built.tail_points, "segments": built.segments,
    }))
}
