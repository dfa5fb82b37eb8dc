//! `vectra points delete`: points end, by id or by filter.

use super::selector;
use crate::args::DeleteArgs;
use crate::commands::archiving;
use crate::commands::ingest::print_ack;
use crate::commands::session::Session;
use crate::commands::settle;
use crate::exit::Failure;
use crate::output::count;
use engine::collection::WriteOperation;

/// Deletes in one atomic operation.
pub(super) fn run(session: &Session<'_>, args: DeleteArgs) -> Result<(), Failure> {
    let selector = selector(args.which)?;
    session.write(&args.name, |_, collection| {
        let ack = collection.write(WriteOperation::Delete(selector))?;
        archiving::written(session, collection, ack)?;
        if session.out.is_json() {
            print_ack(session, ack.points, None, ack)?;
        } else {
            session.out.result(&format!("deleted {} points of {}", count(ack.points), args.name))?;
        }
        settle::bounded(session, collection, args.settle)
    })
}
