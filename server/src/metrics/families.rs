//! The metrics that there are: names, types and labels, as `docs/ops/metrics.md` says.

/// The type of a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// It rises only.
    Counter,
    /// It goes up and down.
    Gauge,
    /// Durations in buckets.
    Histogram,
}

impl Kind {
    /// Gives its word.
    pub(super) fn word(self) -> &'static str {
        match self {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        }
    }
}

/// One metric: its name, its type, the names of its labels, and what it says.
#[derive(Debug)]
pub(super) struct Family {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) labels: &'static [&'static str],
    pub(super) help: &'static str,
}

const fn family(name: &'static str, kind: Kind, labels: &'static [&'static str], help: &'static str) -> Family {
    Family { name, kind, labels, help }
}

use Kind::{Counter, Gauge, Histogram};

const C: &[&str] = &["collection"];
const CA: &[&str] = &["collection", "archive"];

/// All of them, in the order of the page.
pub(super) const FAMILIES: [Family; 46] = [
    family("vectra_build_info", Gauge, &["version", "kernels"], "what runs"),
    family("vectra_memory_resident_bytes", Gauge, &[], "memory of the process"),
    family("vectra_disk_free_bytes", Gauge, &[], "what an ordinary user may still write where the data is"),
    family("vectra_http_requests_total", Counter, &["route", "code"], "requests that were answered"),
    family("vectra_http_request_duration_seconds", Histogram, &["route"], "how long they took"),
    family("vectra_query_duration_seconds", Histogram, &["collection", "op"], "how long searches took"),
    family("vectra_collection_points", Gauge, C, "live points"),
    family("vectra_collection_segments", Gauge, C, "segments of the index"),
    family("vectra_collection_deleted_points", Gauge, C, "dead rows in segments"),
    family("vectra_index_build_seconds", Histogram, C, "how long building graphs took"),
    family("vectra_wal_last_lsn", Gauge, C, "position behind the last record"),
    family("vectra_wal_durable_lsn", Gauge, C, "position up to which the log is synced"),
    family("vectra_wal_fsync_duration_seconds", Histogram, C, "how long a sync of the log took"),
    family("vectra_archive_last_lsn", Gauge, CA, "position up to which the log is archived"),
    family("vectra_archive_lag_seconds", Gauge, CA, "age of the oldest write that is not archived"),
    family("vectra_archive_lag_bytes", Gauge, CA, "bytes of log that wait"),
    family("vectra_archive_upload_total", Counter, &["archive", "result"], "passes of the archiver"),
    family("vectra_archive_upload_duration_seconds", Histogram, &["archive"], "how long a pass took"),
    family("vectra_archive_gap_total", Counter, CA, "holes that were found in what was archived"),
    family("vectra_recovery_window_start_timestamp_seconds", Gauge, CA, "the earliest moment that can be restored"),
    family("vectra_recovery_window_end_timestamp_seconds", Gauge, CA, "the latest one"),
    family("vectra_recovery_window_goal_seconds", Gauge, C, "how long the window is to be"),
    family("vectra_rpo_goal_seconds", Gauge, C, "the goal for the lag"),
    family("vectra_rto_goal_seconds", Gauge, C, "the goal for a restore"),
    family("vectra_backup_last_success_timestamp_seconds", Gauge, &["collection", "type"], "when the last backup was complete"),
    family("vectra_backup_duration_seconds", Gauge, C, "how long the last one took"),
    family("vectra_backup_bytes", Gauge, &["collection", "kind"], "what it weighs"),
    family("vectra_backup_chain_length", Gauge, C, "backups that the newest one rests on, itself included"),
    family("vectra_schedule_missed_total", Counter, C, "scheduled moments that passed without a run"),
    family("vectra_verify_last_timestamp_seconds", Gauge, &["collection", "level", "result"], "when something was last read through"),
    family("vectra_verified_until_timestamp_seconds", Gauge, C, "nothing acknowledged up to then was missing in what came back"),
    family("vectra_restore_estimated_seconds", Gauge, C, "what a restore would take at the speed of the last drill"),
    family("vectra_drill_last_success_timestamp_seconds", Gauge, C, "when a drill last passed"),
    family("vectra_drill_duration_seconds", Gauge, C, "how long the last drill took"),
    family("vectra_drill_rpo_seconds", Gauge, C, "RPO that it measured"),
    family("vectra_drill_rto_seconds", Gauge, C, "seconds until its first answer"),
    family("vectra_drill_mismatch_total", Counter, &["collection", "check"], "what drills found to differ"),
    family("vectra_fencing_epoch", Gauge, C, "timelines that the history has behind it"),
    family("vectra_log_lines_dropped_total", Counter, &[], "lines of the server's log that nobody read in time"),
    family("process_cpu_seconds_total", Counter, &[], "processor time, user and system"),
    family("process_resident_memory_bytes", Gauge, &[], "memory of the process"),
    family("process_open_fds", Gauge, &[], "open files and sockets"),
    family("process_max_fds", Gauge, &[], "how many there may be"),
    family("process_start_time_seconds", Gauge, &[], "when the server began"),
    family("process_threads", Gauge, &[], "threads"),
    family("process_virtual_memory_bytes", Gauge, &[], "addresses in use, most of them of mapped files"),
];

#[cfg(test)]
mod tests {
    use super::*;

    const DOCUMENT: &str = include_str!("../../../docs/ops/metrics.md");

    /// The metrics of the document that come with replicas, and of which there is nothing to say before.
    fn is_of_replicas(name: &str) -> bool {
        name.starts_with("vectra_replica_")
    }

    fn documented() -> Vec<(&'static str, &'static str, Vec<&'static str>)> {
        let row = |row: &'static str| {
            let (name, rest) = row.split_once('`').unwrap();
            let cells: Vec<&str> = rest.split('|').map(str::trim).collect();
            (name, cells[1], cells[2].split(", ").filter(|label| !label.is_empty()).collect())
        };
        DOCUMENT.lines().filter_map(|line| line.strip_prefix("| `")).map(row).collect()
    }

    #[test]
    fn what_is_exported_is_what_the_document_lists_with_types_and_labels_and_process_besides() {
        let exported: Vec<_> = FAMILIES.iter().filter(|family| !family.name.starts_with("process_")).collect();
        let listed = documented();
        let (of_replicas, listed): (Vec<_>, Vec<_>) = listed.iter().partition(|(name, ..)| is_of_replicas(name));
        assert_eq!(of_replicas.len(), 3);
        assert_eq!(exported.len(), listed.len());
        for (family, (name, kind, labels)) in exported.iter().zip(&listed) {
            assert_eq!((family.name, family.kind.word(), family.labels), (*name, *kind, labels.as_slice()));
        }
    }

    #[test]
    fn names_follow_the_conventions_of_prometheus() {
        for Family { name, kind, .. } in &FAMILIES {
            assert_eq!(name.ends_with("_total"), *kind == Counter, "{name}");
            assert!(*kind != Histogram || name.ends_with("_seconds"), "{name}");
        }
    }
}
