//! `vectra collections undrop`: a dropped collection comes back.

use super::session::Session;
use crate::exit::Failure;
use serde_json::json;

/// Brings the newest dropped life of a name back.
pub(super) fn run(session: &Session<'_>, name: &str) -> Result<(), Failure> {
    session.change(|database| database.undrop(name))?;
    let points = session.read(name, |_, collection| Ok(collection.version().points))?;
    if session.out.is_json() {
        return session.out.result_json(&json!({"name": name, "points": points}));
    }
    session.out.result(&format!("{name} is back, with {} points", crate::output::count(points)))
}
