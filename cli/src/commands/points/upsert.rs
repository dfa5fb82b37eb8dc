//! `vectra points upsert`: whole points from lines of JSON.

use crate::args::UpsertArgs;
use crate::commands::ingest::{LineBatches, Manner, Writing, ingest};
use crate::commands::optimize::catch_interrupts;
use crate::commands::session::Session;
use crate::commands::settle;
use crate::exit::Failure;
use crate::output::count;

/// Points in one atomic write.
const BATCH: usize = 1_000;

/// Writes the points; each batch is acknowledged once it is durable.
pub(super) fn run(session: &Session<'_>, args: &UpsertArgs) -> Result<(), Failure> {
    let done = session.write(&args.name, |_, collection| {
        let schema = collection.version().schema.clone();
        let lines = LineBatches::open(&*session.world.fs, &schema, &args.jsonl, 0, BATCH)?;
        catch_interrupts()?;
        let manner = Manner { writing: Writing::Points, sequence: args.client_sequence, announce: session.out.is_json() };
        let done = ingest(session, collection, Box::new(lines), manner)?;
        settle::bounded(session, collection, args.settle).map(|()| done)
    })?;
    if session.out.is_json() {
        return Ok(());
    }
    session.out.result(&format!("wrote {} points to {}", count(done.points), args.name))
}
