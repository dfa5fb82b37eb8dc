//! `vectra points`: single points, read and written.

use super::session::Session;
use crate::args::{PointsCommand, Selection};
use crate::exit::Failure;
use engine::collection::Selector;
use engine::payload::Filter;

mod delete;
mod get;
mod set_payload;
mod upsert;

/// Runs one of its commands.
pub(super) fn run(session: &Session<'_>, command: PointsCommand) -> Result<(), Failure> {
    match command {
        PointsCommand::Get(args) => get::run(session, &args),
        PointsCommand::Upsert(args) => upsert::run(session, &args),
        PointsCommand::Delete(args) => delete::run(session, args),
        PointsCommand::SetPayload(args) => set_payload::run(session, args),
    }
}

/// Reads which points are meant.
fn selector(which: Selection) -> Result<Selector, Failure> {
    match which.filter {
        Some(filter) => Filter::parse(&filter).map(Selector::Filter),
        None => Ok(Selector::Ids(which.ids)),
    }
}
