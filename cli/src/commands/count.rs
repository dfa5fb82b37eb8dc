//! `vectra collections count`: how many points are alive, exactly.

use super::as_of;
use super::session::Session;
use crate::args::CountArgs;
use crate::exit::Failure;
use engine::Collection;
use engine::payload::Filter;
use serde_json::json;

/// Prints the number and a newline, nothing else.
pub(super) fn run(session: &Session<'_>, args: &CountArgs) -> Result<(), Failure> {
    let filter = args.filter.as_deref().map(Filter::parse).transpose()?;
    let counted = |collection: &Collection| collection.version().count(filter.as_ref());
    let count = match args.as_of {
        Some(time) => as_of::read(session, &args.name, time, &args.past, counted)?,
        None => session.read(&args.name, |_, collection| counted(collection))?,
    };
    if session.out.is_json() {
        return session.out.result_json(&json!({"name": args.name, "count": count}));
    }
    session.out.result(&count.to_string())
}
