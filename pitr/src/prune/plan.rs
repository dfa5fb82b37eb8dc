//! Plans: what a first phase wrote down, and the store's own time.

use engine::error::{Error, ErrorKind, Result};
use platform::World;
use serde::{Deserialize, Serialize};

use super::delete;
use crate::archive::roots::ReadArchive;
use crate::archive::stored::{self, JSON_VERSION, at, decode_json, encode_json, get_bounded, store_error};
use crate::archive::{Archive, Key};
use crate::backup::held::is_about_content;

/// Largest plan that is read.
pub const PLAN_LEN_MAX: u64 = 64 << 20;
/// Most keys of one plan.
pub const PLAN_KEYS_MAX: usize = 200_000;

/// What a first phase found that nothing needed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GarbagePlan {
    /// Version of the format.
    pub format: u32,
    /// When it was made, by the clock of whoever made it.
    pub planned: u64,
    /// The keys.
    pub keys: Vec<String>,
    /// Its own key.
    #[serde(skip)]
    pub key: String,
    /// When it was put, by the store's clock.
    #[serde(skip)]
    pub modified: u64,
}

/// Reads every plan of an archive. One that is damaged says nothing, and is removed like one that was carried out.
pub(super) fn read_all(archive: &Archive, read: &ReadArchive) -> Result<Vec<GarbagePlan>> {
    let mut plans = Vec::new();
    for key in read.listing.sizes.keys().filter(|key| matches!(Key::parse(key), Key::GarbagePlan(_))) {
        let (store, modified) = (&*archive.store, read.modified.get(key).copied().unwrap_or(0));
        let stored = get_bounded(store, key, PLAN_LEN_MAX);
        let plan = stored.and_then(|stored| decode_json::<GarbagePlan>("plan of a collection of garbage", &stored));
        match plan.map_err(|error| at(error, store, key)) {
            Ok(plan) => plans.push(GarbagePlan { key: key.clone(), modified, ..plan }),
            Err(error) if is_about_content(error.kind) && error.kind != ErrorKind::NewerFormat => {
                plans.push(GarbagePlan { format: JSON_VERSION, planned: 0, keys: Vec::new(), key: key.clone(), modified });
            }
            Err(error) => return Err(error),
        }
    }
    Ok(plans)
}

/// Writes keys down; several plans where there are very many.
pub(super) fn write(archive: &Archive, now: u64, keys: &[String]) -> Result<()> {
    for (planned, keys) in (now..).zip(keys.chunks(PLAN_KEYS_MAX)) {
        put(archive, &GarbagePlan { format: JSON_VERSION, planned, keys: keys.to_vec(), key: String::new(), modified: 0 })?;
    }
    Ok(())
}

/// Puts a plan under its time, or the next one that is free; gives its key.
fn put(archive: &Archive, plan: &GarbagePlan) -> Result<String> {
    let stored = encode_json(plan);
    for time in plan.planned.. {
        let key = Key::GarbagePlan(time).to_string();
        if stored::put(&*archive.store, &key, stored.clone())? == platform::object_store::PutOutcome::Created {
            return Ok(key);
        }
    }
    Err(Error::internal("there is no time left"))
}

/// Asks the store for its time, which is the one that it dates objects with: puts a plan without keys and looks at its date.
pub(super) fn store_time(archive: &Archive, world: &World) -> Result<u64> {
    let wall = world.clock.wall_micros();
    let key = put(archive, &GarbagePlan { format: JSON_VERSION, planned: wall, keys: Vec::new(), key: String::new(), modified: 0 })?;
    let listed = archive.store.list("gc/").map_err(|e| store_error(&e))?;
    let dated = listed.iter().find(|meta| meta.key == key).map(|meta| meta.modified_micros);
    delete(archive, &key)?;
    // A store that does not date its objects dates none of them: they are all old, and the plans' own times count.
    Ok(dated.filter(|&dated| dated > 0).unwrap_or(wall))
}
