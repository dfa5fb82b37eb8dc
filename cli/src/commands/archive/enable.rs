//! `vectra archive enable`: everything that a collection holds is archived, and from then on everything that is written to it.

use crate::args::{ArchiveEnable, DurabilityArg};
use crate::commands::archiving;
use crate::commands::session::Session;
use crate::exit::Failure;
use crate::output::bytes;
use crate::time::micros;
use engine::ErrorKind;
use engine::catalog::{ArchiveSettings, Durability};
use serde_json::json;

/// Opens the archive first, so that a mistyped place changes nothing; then notes the setting, then sends.
pub(in crate::commands) fn run(session: &Session<'_>, args: &ArchiveEnable) -> Result<(), Failure> {
    let location = session.location(&args.to)?;
    let done = session.change_without_archiving(|database| {
        let (name, _) = database.state().resolve(&args.name).map(|(name, life)| (name.to_owned(), life.incarnation))?;
        let known = database.state().archives.get(&name).cloned();
        if let Some(other) = known.filter(|known| known.url != location.to_string()) {
            let failure = Failure::new(ErrorKind::Conflict, format!("{name} is archived to {} already", other.url)).with_object(&name);
            return Err(failure.with_hint(format!("run \"vectra archive disable {name}\" first; what is there stays restorable")));
        }
        if location.shares_device(&session.world, database.dir()) {
            session.out.warn("the archive is on the same device as the data: what takes that device takes both");
        }
        let store = if args.encrypt { location.create_encrypted(database.dir())? } else { location.open_destination(database.dir())? };
        pitr::archive::Archive::open_or_create(&store, &*session.world.random)?;
        let settings = ArchiveSettings {
            url: location.to_string(),
            durability: match args.durability {
                DurabilityArg::Fsync => Durability::Fsync,
                DurabilityArg::Archive => Durability::Archive,
            },
            backlog_limit: args.backlog_limit,
            delay: micros(args.delay),
        };
        database.set_archive(&name, Some(settings))?;
        archiving::finish(session, database)
    })?;
    let sent = done.iter().find(|(url, _)| *url == location.to_string()).map(|(_, report)| report.sent).unwrap_or_default();
    if session.out.is_json() {
        return session.out.result_json(&json!({"name": args.name, "archived": true, "url": location.to_string(), "sent": sent}));
    }
    session.out.result(&format!("{} is archived to {location}: {} sent, everything up to now is there", args.name, bytes(sent.total())))
}
