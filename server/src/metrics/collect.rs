//! Puts the page of metrics together: what is in memory is read now, what was looked at in the background as it was found.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use engine::catalog::CatalogState;
use pitr::drill::lag::first_write_behind;
use platform::World;
use platform::process;

use super::Requests;
use super::figures::Figure;
use super::page::{Page, seconds};
use crate::location::shown_location;
use crate::{Host, Served};

/// Writes the page.
pub(crate) fn page(host: &Arc<Host>, requests: &Requests) -> String {
    let mut page = Page::new();
    let (world, names) = (host.database().world(), host.names());
    machine(&mut page, world, host.database().dir(), host);
    answered(&mut page, requests);
    for served in host.all_served() {
        searches(&mut page, &served);
        collection(&mut page, &served);
        if let Some(settings) = names.archives.get(served.collection().name()) {
            archived(&mut page, world, &served, &shown_location(&settings.url));
        }
    }
    for (url, passes) in host.passes() {
        let archive = shown_location(&url);
        page.add("vectra_archive_upload_total", &[&archive, "ok"], passes.ok() as f64);
        page.add("vectra_archive_upload_total", &[&archive, "failed"], passes.failed() as f64);
        page.histogram("vectra_archive_upload_duration_seconds", &[&archive], &passes.took());
    }
    missed(&mut page, host);
    let figures = host.figures().look(host);
    for name in names.collections.keys() {
        goals(&mut page, host, name);
    }
    for name in names.collections.keys().chain(names.archives.keys().filter(|name| !names.collections.contains_key(*name))) {
        let figure = figures.get(name).cloned().unwrap_or_default();
        kept(&mut page, name, &names, &figure);
    }
    page.text()
}

fn machine(page: &mut Page, world: &World, data_dir: &Path, host: &Host) {
    page.add("vectra_build_info", &[env!("CARGO_PKG_VERSION"), host.kernels().name()], 1.0);
    if let Ok(free) = world.fs.available_bytes(data_dir) {
        page.add("vectra_disk_free_bytes", &[], free as f64);
    }
    page.add("vectra_log_lines_dropped_total", &[], platform::log::dropped() as f64);
    page.add("process_cpu_seconds_total", &[], seconds(world.clock.cpu_micros()));
    page.add("process_start_time_seconds", &[], seconds(host.started()));
    let memory = process::resident_bytes();
    let known = [
        ("vectra_memory_resident_bytes", memory),
        ("process_resident_memory_bytes", memory),
        ("process_virtual_memory_bytes", process::virtual_bytes()),
        ("process_open_fds", process::open_files()),
        ("process_max_fds", process::open_files_max()),
        ("process_threads", process::threads()),
    ];
    for (name, value) in known {
        // What the system does not tell is left out.
        value.into_iter().for_each(|value| page.add(name, &[], value as f64));
    }
}

fn answered(page: &mut Page, requests: &Requests) {
    for route in requests.read() {
        for (code, count) in &route.codes {
            page.add("vectra_http_requests_total", &[route.name, code], *count as f64);
        }
        page.histogram("vectra_http_request_duration_seconds", &[route.name], &route.durations);
    }
}

fn searches(page: &mut Page, served: &Served) {
    for (op, durations) in served.searches().read().filter(|(_, durations)| durations.total() > 0) {
        page.histogram("vectra_query_duration_seconds", &[served.collection().name(), op], &durations);
    }
}

fn collection(page: &mut Page, served: &Served) {
    let (collection, version) = (served.collection(), served.version());
    let name = &[collection.name()];
    let rows = version.tail_rows + version.segments.iter().map(|open| u64::from(open.segment.rows())).sum::<u64>();
    page.add("vectra_collection_points", name, version.points as f64);
    page.add("vectra_collection_segments", name, version.segments.len() as f64);
    page.add("vectra_collection_deleted_points", name, rows.saturating_sub(version.points) as f64);
    page.histogram("vectra_index_build_seconds", name, &collection.timings().builds.read());
    page.add("vectra_wal_last_lsn", name, version.lsn_end as f64);
    page.add("vectra_wal_durable_lsn", name, collection.outgoing_end() as f64);
    page.histogram("vectra_wal_fsync_duration_seconds", name, &collection.timings().syncs.read());
    page.add("vectra_fencing_epoch", name, version.manifest.ancestry.len().saturating_sub(1) as f64);
}

/// How far an archive is behind, by what this process knows: the newest write to the log's end, and the oldest one that is not there.
fn archived(page: &mut Page, world: &World, served: &Served, archive: &str) {
    let collection = served.collection();
    let (labels, reached) = ([collection.name(), archive], collection.archived());
    page.add("vectra_archive_last_lsn", &labels, reached as f64);
    page.add("vectra_archive_lag_bytes", &labels, served.version().lsn_end.saturating_sub(reached) as f64);
    // Where the log from before the archive's time is gone, nobody knows.
    if let Ok(oldest) = first_write_behind(collection, reached) {
        let age = oldest.map_or(0, |oldest| world.clock.wall_micros().saturating_sub(oldest));
        page.add("vectra_archive_lag_seconds", &labels, seconds(age));
    }
}

/// What the schedules of a collection missed, all of them together.
fn missed(page: &mut Page, host: &Host) {
    let mut missed: BTreeMap<String, u64> = BTreeMap::new();
    for state in host.schedules().list() {
        *missed.entry(state.entry.collection).or_default() += state.missed;
    }
    for (name, count) in &missed {
        page.add("vectra_schedule_missed_total", &[name], *count as f64);
    }
}

/// What the archive of a collection has to reach, where somebody said so.
fn goals(page: &mut Page, host: &Host, name: &str) {
    let goals = host.goals(name);
    for (metric, goal) in [
        ("vectra_recovery_window_goal_seconds", goals.window),
        ("vectra_rpo_goal_seconds", goals.rpo),
        ("vectra_rto_goal_seconds", goals.rto),
    ] {
        goal.into_iter().for_each(|goal| page.add(metric, &[name], seconds(goal)));
    }
}

/// What lies in the data directory and in the archive of a name.
fn kept(page: &mut Page, name: &str, names: &CatalogState, figure: &Figure) {
    if let Some(settings) = names.archives.get(name) {
        let archive = shown_location(&settings.url);
        page.add("vectra_archive_gap_total", &[name, &archive], figure.gaps as f64);
        if let Some(window) = figure.window {
            page.add("vectra_recovery_window_start_timestamp_seconds", &[name, &archive], seconds(window.from));
            page.add("vectra_recovery_window_end_timestamp_seconds", &[name, &archive], seconds(window.to));
        }
    }
    for (kind, noted) in [("full", &figure.backups.full), ("incremental", &figure.backups.incremental)] {
        noted.iter().for_each(|noted| {
            page.add("vectra_backup_last_success_timestamp_seconds", &[name, kind], seconds(noted.finished));
        });
    }
    if let Some(newest) = figure.backups.newest() {
        page.add("vectra_backup_duration_seconds", &[name], newest.seconds);
        let shared = newest.bytes_total.saturating_sub(newest.bytes_new);
        for (kind, bytes) in [("logical", newest.bytes_total), ("uploaded", newest.bytes_new), ("shared", shared)] {
            page.add("vectra_backup_bytes", &[name, kind], bytes as f64);
        }
        page.add("vectra_backup_chain_length", &[name], newest.chain_length as f64);
    }
    for ((level, is_ok), at) in &figure.verified {
        page.add("vectra_verify_last_timestamp_seconds", &[name, level, if *is_ok { "ok" } else { "failed" }], seconds(*at));
    }
    figure.verified_until.iter().for_each(|until| page.add("vectra_verified_until_timestamp_seconds", &[name], seconds(*until)));
    figure.restore_estimate.iter().for_each(|estimate| page.add("vectra_restore_estimated_seconds", &[name], *estimate));
    figure.last_success.iter().for_each(|at| page.add("vectra_drill_last_success_timestamp_seconds", &[name], seconds(*at)));
    let Some(drill) = &figure.drill else { return };
    page.add("vectra_drill_duration_seconds", &[name], drill.seconds);
    drill.rpo.iter().for_each(|rpo| page.add("vectra_drill_rpo_seconds", &[name], *rpo));
    drill.rto.iter().for_each(|rto| page.add("vectra_drill_rto_seconds", &[name], *rto));
    for (check, count) in &drill.mismatches {
        page.add("vectra_drill_mismatch_total", &[name, check], *count as f64);
    }
}
