//! Keeps what a lazy collection refers to in its archives: a pin on the log, put before the collection exists and named by its marker.

use engine::error::Result;
use platform::World;

use super::place::{ArchivePlace, Places};
use super::{Lazy, Stay};
use crate::archive::pin::{self, Holds, PinFile, ReaderPin};
use crate::archive::stored::JSON_VERSION;
use crate::archive::{Archive, Key, ObjectName};
use crate::restore::fetch_plan::{FetchPlan, RangeFetch};

/// What a lazy restore holds; unless it is kept, nothing is held any more when this is dropped.
#[derive(Debug)]
pub(crate) struct Hold {
    /// The text for the marker.
    pub source: String,
    pins: Vec<(Archive, ObjectName)>,
    /// Everything, until the objects are here.
    _while_fetching: Vec<ReaderPin>,
}

impl Hold {
    /// Puts the pins that `away` needs. An archive that cannot be written gets none, and a warning says so.
    pub fn begin(world: &World, plan: &FetchPlan, away: &[RangeFetch], lazy: Lazy<'_>, name: &str, warnings: &mut Vec<String>) -> Self {
        let (mut pins, mut reading, mut archives) = (Vec::new(), Vec::new(), Vec::new());
        for (index, (archive, _)) in plan.archives.iter().enumerate() {
            let location = if index == 0 { lazy.location.to_owned() } else { archive.store.describe() };
            let held: Vec<&RangeFetch> = away.iter().filter(|range| range.tiling.pieces.iter().any(|p| p.source == index)).collect();
            let mut pin = None;
            if lazy.stay != Stay::ForNow && !held.is_empty() {
                match put(world, archive, &held, name) {
                    Ok((log, reader)) => {
                        pin = Some(log);
                        pins.push((archive.clone(), log));
                        reading.push(reader);
                    }
                    Err(error) => warnings.push(format!(
                        "\"{location}\" cannot be told that \"{name}\" needs a part of it, and must not be pruned meanwhile: {error}"
                    )),
                }
            }
            archives.push(ArchivePlace { location, pin });
        }
        let places = Places { archives, endpoint: lazy.endpoint.map(str::to_owned) };
        Hold { source: places.encode(), pins, _while_fetching: reading }
    }

    /// Leaves the pins on the log: a collection names them now.
    pub fn keep(mut self) {
        self.pins.clear();
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        for (archive, name) in &self.pins {
            // A pin that stays is reported when the archive is pruned.
            let _ = archive.store.delete(&Key::Reader(*name).to_string());
        }
    }
}

/// Holds the log up to the end of the last of some stretches for good, and everything for the time of the restore.
fn put(world: &World, archive: &Archive, held: &[&RangeFetch], name: &str) -> Result<(ObjectName, ReaderPin)> {
    let reader = ReaderPin::begin(archive, world, &format!("restore of {name}"))?;
    // A stretch names its own timeline; together they need not be one history of this archive.
    let last =
        |range: &&&RangeFetch| held.iter().all(|other| other.entry.timeline != range.entry.timeline || other.entry.end <= range.entry.end);
    let holds = held.iter().filter(last).map(|range| Holds::Log { timeline: range.entry.timeline, lsn: range.entry.end });
    let file = PinFile {
        format: JSON_VERSION,
        holder: format!("collection {name}"),
        started: world.clock.wall_micros(),
        lease: None,
        holds: holds.collect(),
    };
    Ok((pin::put(archive, &*world.random, &file)?, reader))
}
