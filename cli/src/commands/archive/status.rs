//! `vectra archive status`: how far archives have come.

use crate::commands::session::Session;
use crate::exit::Failure;
use crate::output::bytes;
use crate::time::format_time;
use engine::Database;
use engine::archived::Archived;
use engine::catalog::{ArchiveSettings, Durability};
use serde_json::{Value, json};

/// One archived name.
struct Status {
    name: String,
    settings: ArchiveSettings,
    /// Position archived, position durable, commit time of the last write; `None` when no collection has the name now.
    reached: Option<(u64, u64, u64)>,
    base: Option<String>,
}

/// Prints one archived name, or all of them.
pub(in crate::commands) fn run(session: &Session<'_>, name: Option<&str>) -> Result<(), Failure> {
    let database = session.look()?;
    let state = database.state();
    let names: Vec<String> = match name {
        None => state.archives.keys().cloned().collect(),
        Some(name) => vec![state.meant(name).to_owned()],
    };
    for name in names {
        let Some(settings) = state.archives.get(&name) else {
            let failure = Failure::not_found(format!("\"{name}\" is not archived")).with_object(&name);
            return Err(failure.with_hint(format!("\"vectra archive enable {name} --to URL\" begins it")));
        };
        let status = look(session, &database, &name, settings)?;
        if session.out.is_json() {
            session.out.row_json(&as_json(&status))?;
        } else {
            session.out.row(&as_text(&status))?;
        }
    }
    Ok(())
}

fn look(session: &Session<'_>, database: &Database, name: &str, settings: &ArchiveSettings) -> Result<Status, Failure> {
    let mut status = Status { name: name.to_owned(), settings: settings.clone(), reached: None, base: None };
    let Some(life) = database.state().collections.get(name).cloned() else { return Ok(status) };
    let kept = Archived::read(&*session.world.fs, &database.collection_dir(life.incarnation))?;
    status.base = kept.archives.values().filter_map(|reached| reached.base.clone()).max();
    let version = database.collection(name)?.version();
    status.reached = Some((kept.lsn(), version.lsn_end, version.commit_time));
    Ok(status)
}

fn durability(settings: &ArchiveSettings) -> &'static str {
    match settings.durability {
        Durability::Fsync => "fsync",
        Durability::Archive => "archive",
    }
}

fn as_json(status: &Status) -> Value {
    let Status { name, settings, reached, base } = status;
    json!({
        "name": name, "url": settings.url, "durability": durability(settings), "backlog_limit": settings.backlog_limit,
        "delay": settings.delay as f64 / 1e6, "exists": reached.is_some(),
        "archived_lsn": reached.map(|r| r.0), "lsn": reached.map(|r| r.1), "backlog": reached.map(|r| r.1.saturating_sub(r.0)),
        "commit_time": reached.map(|r| format_time(r.2)), "manifest": base,
    })
}

fn as_text(status: &Status) -> String {
    let Status { name, settings, reached, .. } = status;
    match reached {
        None => format!("{name} to {}: no collection has this name now", settings.url),
        Some((archived, durable, time)) if archived >= durable => {
            format!("{name} to {}: everything is archived, up to {}", settings.url, format_time(*time))
        }
        Some((archived, durable, _)) => format!("{name} to {}: {} wait to be archived", settings.url, bytes(durable - archived)),
    }
}
