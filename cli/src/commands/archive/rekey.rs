//! `vectra archive new-key` and `rekey`: a key made, and the one that opens an archive replaced.

use crate::args::{ArchiveRekey, Globals};
use crate::commands::destination::{Location, Reach};
use crate::exit::Failure;
use crate::key::KeyPlace;
use crate::output::Output;
use engine::ErrorKind;
use pitr::encryption::{KeySource, UserKey};
use platform::World;
use platform::fs::OpenMode;
use serde_json::json;
use std::path::Path;

/// Writes a new random key to a file that does not exist; it is never printed.
pub(in crate::commands) fn new_key(out: &Output, file: &Path) -> Result<(), Failure> {
    let world = World::real();
    if world.fs.metadata(file)?.is_some() {
        let failure = Failure::new(ErrorKind::Exists, format!("\"{}\" exists already; nothing was changed", file.display()));
        return Err(failure.with_hint("a key that opens an archive must not be lost: choose another name"));
    }
    let opened = world.fs.open(file, OpenMode::CreateNew)?;
    opened.write_all_at(UserKey::draw(&*world.random).to_text().as_bytes(), 0)?;
    opened.sync_all()?;
    world.fs.sync_dir(platform::fs::parent(file))?;
    out.note("keep a copy of it where the archive is not: without it the archive cannot be read");
    if out.is_json() {
        return out.result_json(&json!({"file": file.display().to_string()}));
    }
    out.result(&format!("wrote a new key to {}", file.display()))
}

/// Replaces the key that opens an archive.
pub(in crate::commands) fn run(globals: &Globals, out: &Output, args: &ArchiveRekey) -> Result<(), Failure> {
    let (world, reach) = (World::real(), Reach::of(globals));
    let store = Location::parse(&args.source, &reach)?.open_locked(&world)?;
    if !pitr::encryption::is_encrypted(&*store)? {
        let failure = Failure::new(ErrorKind::Conflict, format!("the archive at {} is not encrypted", args.source));
        return Err(failure.with_hint("an archive is encrypted from its beginning: \"vectra archive enable --encrypt\" makes one"));
    }
    let missing = |what: &str| Failure::new(ErrorKind::Usage, format!("the {what} key is missing"));
    let old = reach.key.key()?.ok_or_else(|| missing("old").with_hint("name it with --key-file"))?;
    let new = KeyPlace::of_process(&world.fs, Some(&args.new_key_file)).key()?.ok_or_else(|| missing("new"))?;
    pitr::encryption::rekey(&*store, &old, &new, &*world.random)?;
    if out.is_json() {
        return out.result_json(&json!({"url": args.source, "rekeyed": true}));
    }
    out.result(&format!("{} opens with the new key now, and no longer with the old one", args.source))
}
