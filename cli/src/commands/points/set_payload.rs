//! `vectra points set-payload`: keys of payloads, by id or by filter.

use super::selector;
use crate::args::SetPayloadArgs;
use crate::commands::archiving;
use crate::commands::ingest::print_ack;
use crate::commands::session::Session;
use crate::commands::settle;
use crate::exit::Failure;
use crate::output::count;
use engine::collection::WriteOperation;
use engine::payload::{Limits, minify_checked};

/// Sets the keys in one atomic operation; other keys stay.
pub(super) fn run(session: &Session<'_>, args: SetPayloadArgs) -> Result<(), Failure> {
    // A bad payload is said before the lock is waited for.
    minify_checked(&args.payload, &Limits::default())?;
    let selector = selector(args.which)?;
    session.write(&args.name, |_, collection| {
        let ack = collection.write(WriteOperation::set_payload(selector, args.payload))?;
        archiving::written(session, collection, ack)?;
        if session.out.is_json() {
            print_ack(session, ack.points, None, ack)?;
        } else {
            session.out.result(&format!("set the payload of {} points of {}", count(ack.points), args.name))?;
        }
        settle::bounded(session, collection, args.settle)
    })
}
