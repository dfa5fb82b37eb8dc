//! `vectra collections list`: the collections and what they hold.

use super::session::Session;
use crate::exit::Failure;
use serde_json::json;

/// The state of a collection whose log is not all here yet; it answers.
const RESTORING: &str = "restoring";

/// Prints a line a collection. One that cannot be read is left out, the others are printed, and the failure is the command's.
pub(super) fn run(session: &Session<'_>) -> Result<(), Failure> {
    let names: Vec<String> = session.look()?.state().collections.into_keys().collect();
    let mut failed = None;
    for name in &names {
        let printed = if session.out.is_quiet() && !session.out.is_json() { session.out.row(name) } else { line(session, name) };
        if let Err(failure) = printed {
            failed.get_or_insert(failure);
        }
    }
    failed.map_or(Ok(()), Err)
}

fn line(session: &Session<'_>, name: &str) -> Result<(), Failure> {
    let (points, with_payload, is_away) = session.read(name, |_, collection| {
        let version = collection.version();
        // What a branch refers to stays where it is; of anything else it is still to come.
        let is_away = collection.lazy_marker().is_some_and(|marker| !marker.keep);
        Ok((version.points, version.points_with_payload, is_away))
    })?;
    let state = if is_away { RESTORING } else { "ready" };
    let contains = contains(points, with_payload);
    if session.out.is_json() {
        return session.out.row_json(&json!({"name": name, "points": points, "state": state, "contains": contains}));
    }
    session.out.row(&if is_away { format!("{name} ({RESTORING})") } else { text_line(name, &contains) })
}

fn contains(points: u64, with_payload: u64) -> Vec<&'static str> {
    let parts = [(points > 0, "vectors"), (with_payload > 0, "metadata")];
    parts.into_iter().filter_map(|(has, what)| has.then_some(what)).collect()
}

fn text_line(name: &str, contains: &[&str]) -> String {
    if contains.is_empty() {
        return format!("{name} (empty)");
    }
    format!("{name} (contains {})", contains.join(" and "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_what_a_collection_holds() {
        let line = |points, with_payload| text_line("products", &contains(points, with_payload));
        assert_eq!(line(2, 1), "products (contains vectors and metadata)");
        assert_eq!(line(2, 0), "products (contains vectors)");
        assert_eq!(line(0, 0), "products (empty)");
    }
}
