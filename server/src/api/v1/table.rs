//! The table of the typed calls: which path means which command, and which member of a request becomes which of its words.

use platform::http::Method;

use Gives::{Ended, Last, One, Rows};
use Kind::{Archive, Filter, Length, Location, Locations, Name, Number, Seconds, Share, Switch, Text, Vectors, Word};
use Who::{Admin, Reader};

/// Who may ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Who {
    /// Whoever may read, as long as no location is named.
    Reader,
    /// The admin key alone.
    Admin,
}

/// What the lines that a command prints become.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Gives {
    /// The one object that is printed, or the id of a job.
    One,
    /// An object with all that are printed, under this name.
    Rows(&'static str),
    /// The last that is printed, or the id of a job; without a collection's name, all under this name.
    Last(&'static str),
    /// The one object that is printed, whatever the command says of how it ended.
    Ended,
}

/// What a member of a request is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A name or an id.
    Name,
    /// A text with spaces: a calendar.
    Text,
    /// A text without spaces: a time, a length of time.
    Word,
    /// A length of time: `60s`, `5m`, or a number of seconds.
    Length,
    /// Where backups are: an absolute path or a URL.
    Location,
    /// A location; where it is not given, the one that the collection is archived to.
    Archive,
    /// Several locations.
    Locations,
    /// A number of seconds.
    Seconds,
    /// A whole number.
    Number,
    /// A number between 0 and 1.
    Share,
    /// A flag that is given or not.
    Switch,
    /// The JSON of a filter.
    Filter,
    /// Queries: an array of vectors.
    Vectors,
}

/// A member of a request: of its body, or a parameter of its address.
#[derive(Debug, Clone, Copy)]
pub(super) struct Field {
    pub name: &'static str,
    /// The flag of the command; empty for what stands without one.
    pub flag: &'static str,
    pub kind: Kind,
    pub is_required: bool,
}

/// A typed call.
#[derive(Debug)]
pub(super) struct Typed {
    pub method: Method,
    /// What stands behind the common path; a part in braces is a field.
    pub path: &'static str,
    pub who: Who,
    pub command: &'static [&'static str],
    pub fields: &'static [Field],
    pub gives: Gives,
}

const fn field(name: &'static str, flag: &'static str, kind: Kind) -> Field {
    Field { name, flag, kind, is_required: false }
}

const fn required(name: &'static str, flag: &'static str, kind: Kind) -> Field {
    Field { name, flag, kind, is_required: true }
}

/// The collection, or whatever else a command is about; it stands last, without a flag.
const COLLECTION: Field = required("collection", "", Name);
const SOURCE: Field = required("source", "--source", Location);
const PARENT: Field = field("parent", "--parent", Locations);
const WAIT: Field = field("wait", "--wait", Switch);
const WAIT_TIMEOUT: Field = field("wait_timeout", "--wait-timeout", Seconds);
const AS_OF: Field = field("as_of", "--as-of", Word);
const PAST: Field = field("source", "--source", Location);
const TIMELINE: Field = field("timeline", "--timeline", Word);
const LEVEL: Field = field("level", "--level", Word);
const SCHEDULE: Field = required("name", "--name", Name);
const EVERY: Field = field("every", "--every", Word);
const CRON: Field = field("cron", "--cron", Text);
const TIMEZONE: Field = field("timezone", "--timezone", Word);
const JOB: Field = required("job", "", Name);

/// Every typed call.
pub(super) const TABLE: &[Typed] = &[
    Typed {
        method: Method::Post,
        path: "collections/{collection}/backups",
        who: Admin,
        command: &["collections", "backup"],
        fields: &[
            COLLECTION,
            required("destination", "--destination", Location),
            field("snapshot_id", "--snapshot-id", Name),
            PARENT,
            field("full", "--full", Switch),
            WAIT,
            WAIT_TIMEOUT,
        ],
        gives: One,
    },
    Typed { method: Method::Get, path: "backups", who: Admin, command: &["collections", "backup", "list"], fields: &[SOURCE], gives: One },
    Typed {
        method: Method::Get,
        path: "backups/{snapshot_id}",
        who: Admin,
        command: &["collections", "backup", "show"],
        fields: &[required("snapshot_id", "--snapshot-id", Name), SOURCE],
        gives: One,
    },
    Typed {
        method: Method::Post,
        path: "backups/verify",
        who: Admin,
        command: &["collections", "backup", "verify"],
        fields: &[SOURCE, field("snapshot_id", "--snapshot-id", Name), LEVEL, PARENT],
        gives: One,
    },
    Typed {
        method: Method::Post,
        path: "restore",
        who: Admin,
        command: &["restore"],
        fields: &[
            field("collection", "", Name),
            SOURCE,
            field("snapshot_id", "--snapshot-id", Name),
            field("to_time", "--to-time", Word),
            field("to_lsn", "--to-lsn", Number),
            field("latest", "--latest", Switch),
            TIMELINE,
            field("new_collection_name", "--new-collection-name", Name),
            field("replace", "--replace", Switch),
            field("exclusive", "--exclusive", Switch),
            PARENT,
            field("lazy", "--lazy", Switch),
            field("no_wait", "--no-wait", Switch),
            field("dry_run", "--dry-run", Switch),
            WAIT,
            WAIT_TIMEOUT,
        ],
        gives: Last("collections"),
    },
    Typed {
        method: Method::Post,
        path: "collections/{collection}/branches",
        who: Admin,
        command: &["collections", "branch"],
        fields: &[
            COLLECTION,
            required("name", "--name", Name),
            AS_OF,
            PAST,
            TIMELINE,
            PARENT,
            field("detach", "--detach", Switch),
            WAIT_TIMEOUT,
        ],
        gives: One,
    },
    Typed {
        method: Method::Post,
        path: "collections/{collection}/search",
        who: Reader,
        command: &["search"],
        fields: &[
            COLLECTION,
            required("vectors", "--vectors", Vectors),
            field("top", "--top", Number),
            field("ef", "--ef", Number),
            field("recall", "--recall", Share),
            field("exact", "--exact", Switch),
            field("filter", "--filter", Filter),
            field("using", "--using", Name),
            AS_OF,
            PAST,
            TIMELINE,
            PARENT,
            field("with_payload", "--with-payload", Switch),
        ],
        gives: Rows("results"),
    },
    Typed {
        method: Method::Post,
        path: "collections/{collection}/count",
        who: Reader,
        command: &["collections", "count"],
        fields: &[COLLECTION, field("filter", "--filter", Filter), AS_OF, PAST, TIMELINE, PARENT],
        gives: One,
    },
    Typed {
        method: Method::Get,
        path: "archive/status",
        who: Reader,
        command: &["archive", "status"],
        fields: &[field("collection", "", Name)],
        gives: Rows("archives"),
    },
    Typed {
        method: Method::Post,
        path: "archive/verify",
        who: Admin,
        command: &["archive", "verify"],
        fields: &[required("source", "", Location), LEVEL, field("max_age", "--max-age", Length)],
        gives: One,
    },
    Typed {
        method: Method::Get,
        path: "collections/{collection}/recovery-window",
        who: Reader,
        command: &["restore", "--latest", "--dry-run", "--replace"],
        fields: &[COLLECTION, field("source", "--source", Archive)],
        gives: One,
    },
    Typed { method: Method::Get, path: "jobs", who: Reader, command: &["jobs", "list"], fields: &[], gives: Rows("jobs") },
    Typed { method: Method::Get, path: "jobs/{job}", who: Reader, command: &["jobs", "status"], fields: &[JOB], gives: One },
    Typed {
        method: Method::Get,
        path: "jobs/{job}/wait",
        who: Reader,
        command: &["jobs", "wait"],
        fields: &[JOB, required("timeout", "--timeout", Seconds)],
        gives: Ended,
    },
    Typed { method: Method::Post, path: "jobs/{job}/cancel", who: Admin, command: &["jobs", "cancel"], fields: &[JOB], gives: One },
    Typed { method: Method::Get, path: "drills", who: Reader, command: &["drill", "history"], fields: &[], gives: Rows("drills") },
    Typed {
        method: Method::Get,
        path: "drills/{drill}",
        who: Reader,
        command: &["drill", "show"],
        fields: &[required("drill", "", Name)],
        gives: One,
    },
    Typed {
        method: Method::Post,
        path: "drills",
        who: Admin,
        command: &["drill", "run"],
        fields: &[
            COLLECTION,
            SOURCE,
            field("to_time", "--to-time", Word),
            field("scratch_name", "--scratch-name", Name),
            field("recall_min", "--recall-min", Share),
            PARENT,
        ],
        gives: One,
    },
    Typed { method: Method::Get, path: "schedules", who: Reader, command: &["schedules", "list"], fields: &[], gives: Rows("schedules") },
    Typed {
        method: Method::Put,
        path: "schedules/{name}",
        who: Admin,
        command: &["schedules", "set"],
        fields: &[
            SCHEDULE,
            COLLECTION,
            required("destination", "--destination", Location),
            EVERY,
            CRON,
            TIMEZONE,
            field("keep_window", "--keep-window", Length),
            field("keep_full", "--keep-full", Number),
            field("keep_daily", "--keep-daily", Number),
            field("keep_weekly", "--keep-weekly", Number),
            field("keep_monthly", "--keep-monthly", Number),
        ],
        gives: One,
    },
    Typed {
        method: Method::Delete,
        path: "schedules/{name}",
        who: Admin,
        command: &["schedules", "delete"],
        fields: &[required("name", "", Name)],
        gives: One,
    },
    Typed {
        method: Method::Put,
        path: "drills/schedules/{name}",
        who: Admin,
        command: &["drill", "schedule"],
        fields: &[
            SCHEDULE,
            COLLECTION,
            SOURCE,
            EVERY,
            CRON,
            TIMEZONE,
            field("to_time", "--to-time", Word),
            field("recall_min", "--recall-min", Share),
        ],
        gives: One,
    },
    Typed {
        method: Method::Get,
        path: "dr/status",
        who: Reader,
        command: &["dr", "status"],
        fields: &[
            field("collection", "", Name),
            field("rpo", "--rpo", Length),
            field("rto", "--rto", Length),
            field("verified_age", "--verified-age", Length),
        ],
        gives: One,
    },
    Typed { method: Method::Get, path: "dr/plan", who: Reader, command: &["dr", "plan"], fields: &[], gives: One },
];

/// Finds the call of a path, with the parts of it that are fields. A part that is spelt out counts before one that is a field.
pub(super) fn find<'a>(method: Method, segments: &[&'a str]) -> Option<(&'static Typed, Vec<(&'static str, &'a str)>)> {
    let of_method = TABLE.iter().filter(|typed| typed.method == method);
    let matches = of_method.filter_map(|typed| matched(typed.path, segments).map(|given| (typed, given)));
    matches.min_by_key(|(_, given)| given.len())
}

fn matched<'a>(path: &'static str, segments: &[&'a str]) -> Option<Vec<(&'static str, &'a str)>> {
    let parts: Vec<&str> = path.split('/').collect();
    if parts.len() != segments.len() {
        return None;
    }
    let mut given = Vec::new();
    for (part, segment) in parts.into_iter().zip(segments) {
        match part.strip_prefix('{').and_then(|part| part.strip_suffix('}')) {
            Some(name) => given.push((name, *segment)),
            None if part == *segment => {}
            None => return None,
        }
    }
    Some(given)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_means_one_call_and_parts_that_are_spelt_out_count_first() {
        let found = |method, path: &'static str| {
            let segments: Vec<&'static str> = path.split('/').collect();
            find(method, &segments).map(|(typed, given)| (typed.path, given))
        };
        assert_eq!(found(Method::Post, "backups/verify"), Some(("backups/verify", vec![])));
        assert_eq!(found(Method::Get, "backups/verify"), Some(("backups/{snapshot_id}", vec![("snapshot_id", "verify")])));
        assert_eq!(found(Method::Get, "jobs/1/wait"), Some(("jobs/{job}/wait", vec![("job", "1")])));
        assert_eq!(found(Method::Delete, "jobs"), None);
        assert_eq!(found(Method::Get, "jobs/1/2/3"), None);
    }

    #[test]
    fn every_part_of_a_path_is_a_field_and_readers_change_nothing() {
        for typed in TABLE {
            for part in typed.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}')) {
                assert!(typed.fields.iter().any(|field| field.name == part && field.is_required), "{}", typed.path);
            }
            let changes = ["backup", "restore", "branch", "cancel", "run", "verify", "set", "delete", "schedule"];
            let is_change = typed.command.iter().any(|word| changes.contains(word)) && !typed.command.contains(&"--dry-run");
            assert!(typed.who == Admin || !is_change, "{}", typed.path);
            assert!(typed.fields.iter().filter(|field| field.flag.is_empty()).count() <= 1, "{}: one stands without a flag", typed.path);
        }
    }
}
