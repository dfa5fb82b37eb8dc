//! `vectra collections backup list`: the backups at a location.

use super::backup::new_part;
use super::backup_verify::word;
use super::destination::{Location, Reach};
use crate::args::{BackupLook, Globals};
use crate::exit::Failure;
use crate::output::{Output, bytes, count};
use crate::time::format_time;
use pitr::backup::BackupList;
use platform::World;

/// Prints a line a backup, oldest first.
pub(super) fn run(globals: &Globals, out: &Output, args: &BackupLook) -> Result<(), Failure> {
    let world = World::real();
    let source = Location::parse(&args.source, &Reach::of(globals))?;
    let store = source.open_source(&world)?;
    let mut list = pitr::list(&store).map_err(|failure| source.explain(&world, failure))?;
    if let Some(id) = &args.snapshot_id {
        keep_one(&mut list, id)?;
    }
    if out.is_json() {
        return out.result_json(&list);
    }
    as_text(&list, out.is_quiet()).iter().try_for_each(|line| out.row(line))
}

fn keep_one(list: &mut BackupList, id: &str) -> Result<(), Failure> {
    list.snapshots.retain(|snapshot| snapshot.snapshot_id == id);
    list.unfinished.retain(|unfinished| unfinished == id);
    list.unreadable.retain(|(unreadable, _)| unreadable == id);
    if list.snapshots.is_empty() && list.unfinished.is_empty() && list.unreadable.is_empty() {
        return Err(Failure::not_found(format!("there is no backup \"{}\"", id.escape_debug())).with_object(id));
    }
    Ok(())
}

fn as_text(list: &BackupList, names_alone: bool) -> Vec<String> {
    if names_alone {
        return list.snapshots.iter().map(|snapshot| snapshot.snapshot_id.clone()).collect();
    }
    let mut lines = Vec::new();
    for snapshot in &list.snapshots {
        let on = snapshot.parent.as_ref().map_or_else(String::new, |parent| format!(" on {parent}"));
        let (kind, points) = (word(&snapshot.backup_type), count(snapshot.points));
        let (all, new) = (bytes(snapshot.bytes_total), new_part(snapshot.bytes_total, snapshot.bytes_new));
        lines.push(format!(
            "{} of {}: {kind}{on}, {points} points, {all} ({new}), state of {}",
            snapshot.snapshot_id,
            snapshot.collection,
            format_time(snapshot.commit_time)
        ));
    }
    lines.extend(list.unfinished.iter().map(|id| format!("{id}: unfinished; the command that began it goes on from there")));
    lines.extend(list.unreadable.iter().map(|(id, why)| format!("{id}: cannot be read: {why}")));
    lines
}
