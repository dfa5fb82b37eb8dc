//! `vectra points get`: points by their ids.

use crate::args::GetArgs;
use crate::commands::point_json::PointJson;
use crate::commands::session::Session;
use crate::exit::Failure;

/// Prints a line a point, in the order of the ids.
pub(super) fn run(session: &Session<'_>, args: &GetArgs) -> Result<(), Failure> {
    session.read(&args.name, |_, collection| {
        let version = collection.version();
        let mut missing = Vec::new();
        for id in &args.ids {
            match version.point(id, args.with_vector)? {
                Some(view) => session.out.row_json(&PointJson::new(&version.schema, view, args.with_vector)?)?,
                None => missing.push(id.to_string()),
            }
        }
        if !missing.is_empty() {
            session.out.note(&format!("no point has the id {}", missing.join(", ")));
        }
        Ok(())
    })
}
