//! `vectra collections backup show`: one backup, what it rests on, and which bytes it shares and adds.

use super::backup_verify::{chain_lines, index_lines};
use super::destination::{Location, Reach};
use crate::args::{BackupLook, Globals};
use crate::exit::Failure;
use crate::output::{Output, bytes, count};
use crate::time::format_time;
use pitr::backup::BackupDetails;
use platform::World;

/// Prints what there is to say about a backup; without an id, about the newest.
pub(super) fn run(globals: &Globals, out: &Output, args: &BackupLook) -> Result<(), Failure> {
    let world = World::real();
    let source = Location::parse(&args.source, &Reach::of(globals))?;
    let store = source.open_source(&world)?;
    let candidates = source.candidates(&world, &[])?;
    let shown = pitr::show(&store, args.snapshot_id.as_deref(), &candidates).map_err(|failure| source.explain(&world, failure))?;
    if out.is_json() {
        return out.result_json(&shown);
    }
    as_text(&shown).iter().try_for_each(|line| out.row(line))
}

fn as_text(shown: &BackupDetails) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(link) = shown.chain.first() {
        let summary = &link.summary;
        lines.push(format!("backup       {} of {}", summary.snapshot_id, summary.collection));
        lines.push(format!("points       {}", count(summary.points)));
        lines.push(format!("state        {}, position {}", format_time(summary.commit_time), summary.lsn));
    }
    let (all, shared, new) = (bytes(shown.bytes_total), bytes(shown.bytes_shared), bytes(shown.bytes_new));
    let (graphs, codes) = (bytes(shown.bytes_adjacency), bytes(shown.bytes_codes));
    lines.push(format!("bytes        {all} in {} objects: {shared} shared, {new} new ({graphs} graphs, {codes} codes)", shown.objects));
    if !shown.aliases.is_empty() {
        lines.push(format!("aliases      {}", shown.aliases.join(", ")));
    }
    lines.extend(index_lines(&shown.index));
    lines.extend(chain_lines(&shown.chain));
    lines.extend(shown.archives.iter().map(|archive| format!("needs        archive {archive}")));
    lines
}
