//! What can be set: the keys of the file with their variables, flags, types, defaults and meanings.

use std::fmt;

/// What a value has to be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    /// Any text.
    Text,
    /// A file; a relative one begins where the configuration file is.
    File,
    /// A directory, as a file.
    Directory,
    /// A whole number from the first to the second.
    Number(u64, u64),
    /// One of these words.
    Word(&'static [&'static str]),
    /// A directory or a URL.
    Location,
    /// Several of them.
    Locations,
    /// A directory or a URL with fields of time.
    Destination,
    /// The name of a collection or of a schedule.
    Name,
    /// An interval.
    Every,
    /// A calendar.
    Cron,
    /// A zone of time.
    Zone,
    /// A length of time.
    Length,
    /// Which state a drill restores.
    DrillTime,
    /// A share above 0, at most 1.
    Share,
    /// True or false.
    Truth,
    /// Which lines of the log are written.
    Lines,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Kind::Text => "a text",
            Kind::File => "the path of a file",
            Kind::Directory => "the path of a directory",
            Kind::Number(min, max) => return write!(f, "a whole number from {min} to {max}"),
            Kind::Word(words) => return write!(f, "one of {}", words.join(", ")),
            Kind::Location => "a directory or a URL",
            Kind::Locations => "a list of directories and URLs",
            Kind::Destination => "a directory or a URL, with fields of time such as %Y%m%d",
            Kind::Name => "a name",
            Kind::Every => "an interval such as 30s, 15m, 1h or 1d, at least a second, at most a year",
            Kind::Cron => "a calendar: minute hour day month weekday, or @daily",
            Kind::Zone => "a zone: UTC, +02:00 or CET-1CEST,M3.5.0,M10.5.0/3",
            Kind::Length => "a length of time such as 90s, 1h30m, 7d or 4w",
            Kind::DrillTime => "random, latest, or a moment such as now-1h",
            Kind::Share => "a share above 0, at most 1",
            Kind::Truth => "true or false",
            Kind::Lines => "off, error, warn, info or debug, or levels of parts such as warn,http=debug",
        };
        f.write_str(text)
    }
}

/// One key.
#[derive(Debug, Clone, Copy)]
pub struct Known {
    /// As it stands in the file, with its table: `server.listen`. In a table that may come many times, without it.
    pub key: &'static str,
    /// What it has to be.
    pub kind: Kind,
    /// The variable that says the same.
    pub variable: Option<&'static str>,
    /// The flag that says the same.
    pub flag: Option<&'static str>,
    /// What holds when nobody says anything.
    pub default: Option<&'static str>,
    /// What it does.
    pub meaning: &'static str,
}

/// A table that may come many times.
#[derive(Debug, Clone, Copy)]
pub struct KnownTable {
    /// Its name.
    pub name: &'static str,
    /// How its head is written.
    pub head: &'static str,
    /// Its keys.
    pub keys: &'static [Known],
    /// The keys that it cannot do without.
    pub needs: &'static [&'static str],
}

/// A key that no flag and no variable says.
const fn of_file(key: &'static str, kind: Kind, default: Option<&'static str>, meaning: &'static str) -> Known {
    Known { key, kind, variable: None, flag: None, default, meaning }
}

/// A key that a flag and a variable say too.
const fn everywhere(key: &'static str, kind: Kind, said: [&'static str; 2], default: Option<&'static str>, meaning: &'static str) -> Known {
    Known { key, kind, variable: Some(said[0]), flag: Some(said[1]), default, meaning }
}

/// A key that a variable says too.
const fn variable(key: &'static str, kind: Kind, variable: &'static str, default: Option<&'static str>, meaning: &'static str) -> Known {
    Known { key, kind, variable: Some(variable), flag: None, default, meaning }
}

/// The key of the data directory.
pub const DATA_DIR: &str = "data_dir";

/// Every key that stands once.
pub const SETTINGS: [Known; 11] = [
    everywhere(DATA_DIR, Kind::Directory, ["VECTRA_DATA_DIR", "--data-dir"], Some("~/.local/share/vectra"), "the database"),
    everywhere(
        "server.listen",
        Kind::Text,
        ["VECTRA_LISTEN", "--listen"],
        Some("127.0.0.1:6333"),
        "where to listen; port 0 takes a free one",
    ),
    everywhere(
        "server.tls_certificate",
        Kind::File,
        ["VECTRA_TLS_CERTIFICATE", "--tls-certificate"],
        None,
        "the certificates of the server in PEM, its own first: speaks HTTPS",
    ),
    everywhere("server.tls_key", Kind::File, ["VECTRA_TLS_KEY", "--tls-key"], None, "the private key of the certificate in PEM"),
    everywhere(
        "server.max_request_mib",
        Kind::Number(1, 1024),
        ["VECTRA_MAX_REQUEST_MIB", "--max-request-mib"],
        Some("64"),
        "most bytes of a request's body, in MiB",
    ),
    everywhere(
        "server.concurrency",
        Kind::Number(1, 65_535),
        ["VECTRA_CONCURRENCY", "--concurrency"],
        None,
        "requests that are worked on at once, others wait; 4 a core when it is not set",
    ),
    variable("server.log", Kind::Lines, "VECTRA_LOG", Some("info"), "which lines are written to stderr, by level and part"),
    variable("server.log_format", Kind::Word(&["text", "json"]), "VECTRA_LOG_FORMAT", Some("text"), "how those lines look"),
    variable("keys.admin_file", Kind::File, "VECTRA_API_KEY_FILE", None, "the file whose first line is the key that may do everything"),
    variable(
        "keys.read_only_file",
        Kind::File,
        "VECTRA_READ_ONLY_API_KEY_FILE",
        None,
        "the file whose first line is the key that may read",
    ),
    of_file(
        "restore.sources",
        Kind::Locations,
        None,
        "where restores, branches and drills may read from, with what is below; without it every place, for commands on the server's own machine",
    ),
];

/// Every table that may come many times.
pub const TABLES: [KnownTable; 4] = [
    KnownTable { name: "keys.collection", head: "[[keys.collection]]", keys: &COLLECTION_KEY, needs: &["collection", "file"] },
    KnownTable { name: "schedule", head: "[[schedule]]", keys: &SCHEDULE, needs: &["collection", "destination"] },
    KnownTable { name: "drill", head: "[[drill]]", keys: &DRILL, needs: &["collection", "source"] },
    KnownTable { name: "archive", head: "[archive.NAME]", keys: &ARCHIVE, needs: &[] },
];

const COLLECTION_KEY: [Known; 3] = [
    of_file("collection", Kind::Name, None, "whose points the key is for, by name or alias"),
    of_file("file", Kind::File, None, "the file whose first line is the key"),
    of_file("read_only", Kind::Truth, Some("false"), "whether it may only read"),
];

/// Most backups that a rule keeps.
const KEPT: Kind = Kind::Number(1, 1_000_000);

const SCHEDULE: [Known; 11] = [
    of_file("name", Kind::Name, Some("backup-COLLECTION"), "what the schedule is called"),
    of_file("collection", Kind::Name, None, "what is backed up"),
    of_file(
        "destination",
        Kind::Destination,
        None,
        "where it goes; with fields of time each backup has a place of its own, and everything stays",
    ),
    of_file("every", Kind::Every, None, "when: at every multiple of it since 1970, UTC; this or `cron`"),
    of_file("cron", Kind::Cron, None, "when: the moments of a calendar"),
    of_file("timezone", Kind::Zone, Some("UTC"), "the zone of the calendar"),
    of_file("keep_full", KEPT, None, "the newest so many full backups stay, with those that build on them"),
    of_file("keep_daily", KEPT, None, "the newest backup of each of the last so many days stays"),
    of_file("keep_weekly", KEPT, None, "the same of weeks"),
    of_file("keep_monthly", KEPT, None, "the same of months"),
    of_file("keep_window", Kind::Length, None, "every moment of this long stays restorable, where the destination is an archive too"),
];

const DRILL: [Known; 8] = [
    of_file("name", Kind::Name, Some("drill-COLLECTION"), "what the schedule is called"),
    of_file("collection", Kind::Name, None, "the collection's name in the source"),
    of_file("source", Kind::Location, None, "the backup or archive that is restored"),
    of_file("every", Kind::Every, None, "when: at every multiple of it since 1970, UTC; this or `cron`"),
    of_file("cron", Kind::Cron, None, "when: the moments of a calendar"),
    of_file("timezone", Kind::Zone, Some("UTC"), "the zone of the calendar"),
    of_file("to_time", Kind::DrillTime, None, "which state; the newest backup when it is not said"),
    of_file("recall_min", Kind::Share, Some("0.95"), "the share of the nearest neighbours that searches have to find"),
];

const ARCHIVE: [Known; 3] = [
    of_file("rpo", Kind::Length, None, "goal: how much may be lost; the oldest write that is not archived is at most this old"),
    of_file("rto", Kind::Length, None, "goal: how long a restore may take"),
    of_file("window", Kind::Length, None, "goal: how far back every moment can be restored"),
];

/// Variables that say something else than a key of the file.
pub const OTHER_VARIABLES: [&str; 7] =
    ["VECTRA_API_KEY", "VECTRA_CONFIG", "VECTRA_KEY_COMMAND", "VECTRA_KEY_FILE", "VECTRA_READ_ONLY_API_KEY", "VECTRA_SIMD", "VECTRA_URL"];
