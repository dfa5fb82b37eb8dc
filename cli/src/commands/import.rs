//! `vectra import`: vectors or points from files into a collection, durable batch by batch.

use super::ingest::{Ingested, LineBatches, Manner, RowSource, VectorBatches, VectorInput, Writing, ingest};
use super::optimize::catch_interrupts;
use super::session::Session;
use super::settle::{self, Deadline};
use crate::args::ImportArgs;
use crate::exit::Failure;
use crate::output::{count, duration};
use crate::time::format_time;
use engine::collection::indexer::Goal;
use engine::{Collection, Database, Incarnation};
use serde_json::json;
use std::time::Duration;

/// How far an import is.
struct Imported {
    rows: Ingested,
    incarnation: Incarnation,
    write_micros: u64,
    /// Whether every graph is built.
    indexed: bool,
}

/// Imports, then waits for the graphs; another writer is let in between the two (rule S13).
pub(super) fn run(session: &Session<'_>, args: &ImportArgs) -> Result<(), Failure> {
    let clock = &session.world.clock;
    let started = clock.monotonic_micros();
    let deadline = Deadline::after(session, args.settle.wait_timeout);
    let imported = session.write(&args.name, |database, collection| import(session, args, database, collection, deadline))?;
    if !args.settle.no_wait && !imported.indexed {
        session.out.note("another process writes to the database now; the index is built when it is done");
        settle::resume(session, &args.name, imported.incarnation, deadline)?;
    }
    report(session, args, &imported, clock.monotonic_micros() - started)
}

fn import(
    session: &Session<'_>,
    args: &ImportArgs,
    database: &Database,
    collection: &Collection,
    deadline: Deadline,
) -> Result<Imported, Failure> {
    let started = session.world.clock.monotonic_micros();
    let (source, writing) = open(session, args, collection)?;
    catch_interrupts()?;
    let manner = Manner { writing, sequence: args.client_sequence, announce: session.out.is_json() };
    let rows = ingest(session, collection, source, manner)?;
    let write_micros = session.world.clock.monotonic_micros() - started;
    let indexed = !args.settle.no_wait && settle::steps(session, Some(database), collection, Goal::Indexed, deadline)?;
    Ok(Imported { rows, incarnation: collection.incarnation(), write_micros, indexed })
}

fn open(session: &Session<'_>, args: &ImportArgs, collection: &Collection) -> Result<(Box<dyn RowSource>, Writing), Failure> {
    let fs = &*session.world.fs;
    let schema = collection.version().schema.clone();
    let batch = args.batch as usize;
    if let Some(path) = &args.jsonl {
        let lines = LineBatches::open(fs, &schema, path, args.from_row, batch)?;
        return Ok((Box::new(lines), Writing::Points));
    }
    let vectors = args.vectors.as_deref().ok_or_else(|| Failure::internal("the grammar lets no import without an input through"))?;
    let input = VectorInput {
        vectors,
        ids: args.ids.as_deref(),
        payload: args.payload.as_deref(),
        using: args.using.as_deref(),
        from_row: args.from_row,
        batch,
    };
    let writing = if args.using.is_some() { Writing::Vectors } else { Writing::Points };
    Ok((Box::new(VectorBatches::open(fs, &schema, &input)?), writing))
}

fn report(session: &Session<'_>, args: &ImportArgs, imported: &Imported, all_micros: u64) -> Result<(), Failure> {
    let rows = &imported.rows;
    let (write, all) = (Duration::from_micros(imported.write_micros), Duration::from_micros(all_micros));
    if session.out.is_json() {
        return session.out.result_json(&json!({
            "event": "done", "name": args.name, "points": rows.points,
            "first_row": rows.last_row().map(|_| rows.first_row), "last_row": rows.last_row(),
            "lsn": rows.last.map(|ack| ack.lsn), "commit_time": rows.last.map(|ack| format_time(ack.commit_time)),
            "indexed": !args.settle.no_wait, "write_seconds": write.as_secs_f64(), "seconds": all.as_secs_f64(),
        }));
    }
    let rate = (rows.points as f64 / write.as_secs_f64().max(1e-6)) as u64;
    let index = if args.settle.no_wait { String::new() } else { format!(", indexed after {}", duration(all)) };
    let (points, rate) = (count(rows.points), count(rate));
    session.out.result(&format!("imported {points} points into {} in {} ({rate} a second){index}", args.name, duration(write)))
}
