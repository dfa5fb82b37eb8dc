//! Bases: where the objects of an archived manifest are. With its base a manifest can be restored, and the log behind it replayed to any time.

use std::collections::BTreeMap;

use engine::error::{Error, Result};
use engine::ids::Timeline;
use engine::manifest::{Manifest, ManifestName};
use platform::object_store::PutOutcome;
use serde::{Deserialize, Serialize};

use super::stored::{self, JSON_VERSION, at, decode_json, encode_json, get_bounded};
use super::{Archive, Key};
use crate::answers::RecordedAnswers;
use crate::backup::format::{ManifestEntry, ObjectEntry};
use crate::backup::plan::objects_of;

/// Largest base that is read.
pub const BASE_LEN_MAX: u64 = 64 << 20;

/// What an archive says about a manifest that was archived while its collection was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BaseFile {
    /// Version of the format.
    pub format: u32,
    /// The manifest: its timeline, name, size and hash.
    pub manifest: ManifestEntry,
    /// Its objects, all in this archive.
    pub objects: Vec<ObjectEntry>,
    /// When it was archived, microseconds since 1970.
    pub archived: u64,
    /// The largest number that a client gave an operation of the last log file below its covered position.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_sequence: Option<u64>,
    /// What the state at its covered position answered, for drills; absent where the collection had gone on by then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answers: Option<RecordedAnswers>,
}

impl BaseFile {
    /// Checks that the base is that of a manifest: every object with its size and hash, and none besides.
    ///
    /// # Errors
    /// `Corrupt` naming the first object that differs.
    pub fn agree(&self, manifest: &Manifest) -> Result<()> {
        let held: BTreeMap<_, _> = self.objects.iter().map(|object| (object.id, object)).collect();
        let needed = objects_of(manifest);
        for object in &needed {
            let same = held.get(&object.id).is_some_and(|h| h.role == object.role && h.bytes == object.bytes && h.blake3 == object.blake3);
            if !same {
                return Err(Error::corrupt("the base does not name the objects of its manifest").with_object(object.id.to_string()));
            }
        }
        if held.len() != needed.len() || self.objects.len() != held.len() {
            return Err(Error::corrupt("the base names objects that its manifest does not have"));
        }
        Ok(())
    }
}

/// Reads the base of a manifest.
///
/// # Errors
/// `Incomplete` when it is missing or cut off, `Corrupt` when it is damaged or another one, `NewerFormat`, those of the store.
pub fn read_base(archive: &Archive, timeline: Timeline, name: ManifestName) -> Result<BaseFile> {
    let (store, key) = (&*archive.store, Key::Base(timeline, name).to_string());
    let stored = get_bounded(store, &key, BASE_LEN_MAX)?;
    let base: BaseFile = decode_json("base", &stored).map_err(|e| at(e, store, &key))?;
    let is_this = base.manifest.timeline == timeline && base.manifest.name == name.to_string();
    if is_this && base.objects.iter().all(|object| object.archive.is_none()) {
        return Ok(base);
    }
    Err(at(Error::corrupt("this is the base of another manifest"), store, &key))
}

/// Puts the base of a manifest; everything that it names is there already.
///
/// # Errors
/// Those of the store.
pub fn put_base(archive: &Archive, name: ManifestName, base: &BaseFile) -> Result<PutOutcome> {
    assert_eq!(base.format, JSON_VERSION, "a base is written in this version's format");
    assert_eq!(base.manifest.name, name.to_string(), "a base lies beside its manifest");
    stored::put(&*archive.store, &Key::Base(base.manifest.timeline, name).to_string(), encode_json(base))
}
