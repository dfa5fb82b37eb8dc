//! What a manifest says about a segment: its range of the log, its size, and its objects with their hashes.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::codec::checksum::{Hash, Hasher};
use crate::codec::sealed_json::NEWER;
use crate::error::{Error, Result};
use crate::ids::{Lsn, SegmentId};
use crate::object_file::Role;

/// Whether a segment is searched by scanning its codes, by walking its graph, or through its lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SegmentKind {
    /// Codes only.
    Flat,
    /// Codes and a graph over them.
    Graph,
    /// Codes, and inverted lists for every part that is indexed.
    Ivf,
}

impl SegmentKind {
    /// Names the kind as it stands in manifests.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            SegmentKind::Flat => "flat",
            SegmentKind::Graph => "graph",
            SegmentKind::Ivf => "ivf",
        }
    }

    /// Says whether more than codes answers: a graph or lists.
    #[must_use]
    pub fn is_indexed(self) -> bool {
        self != SegmentKind::Flat
    }

    /// Gives the kind of a segment with these objects.
    #[must_use]
    pub fn of(objects: &[ObjectMeta]) -> Self {
        let has = |role: Role| objects.iter().any(|object| object.role == role);
        match (has(Role::Graph), has(Role::Ivf)) {
            (true, _) => SegmentKind::Graph,
            (false, true) => SegmentKind::Ivf,
            (false, false) => SegmentKind::Flat,
        }
    }
}

/// One object of a segment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectMeta {
    /// What it is for.
    pub role: Role,
    /// The vector part that codes, a graph or lists are of; 0 for the other roles.
    pub part: u32,
    /// Names the file.
    pub id: SegmentId,
    /// Length of the file.
    pub bytes: u64,
    /// The hash that the file ends with: BLAKE3 of all bytes before it.
    pub blake3: Hash,
}

/// One segment. Later versions may add keys; unknown ones are ignored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SegmentMeta {
    /// Stays the same while objects are added or replaced.
    pub id: SegmentId,
    /// How it is searched.
    pub kind: SegmentKind,
    /// Start of the range of the log that it indexes.
    pub from: Lsn,
    /// End of that range, exclusive.
    pub to: Lsn,
    /// Number of rows, dead ones included.
    pub rows: u32,
    /// Its objects, ascending by role and part.
    pub objects: Vec<ObjectMeta>,
}

impl SegmentMeta {
    /// Hashes what the segment holds: BLAKE3 over role name (its length first), part and hash of each object, in order.
    #[must_use]
    pub fn hash(&self) -> Hash {
        let mut hasher = Hasher::new();
        for object in &self.objects {
            let name = object.role.name();
            hasher.update(&[name.len() as u8]);
            hasher.update(name.as_bytes());
            hasher.update(&object.part.to_le_bytes());
            hasher.update(&object.blake3.0);
        }
        hasher.finish()
    }

    /// Finds the object of a role and part.
    #[must_use]
    pub fn object(&self, role: Role, part: u32) -> Option<&ObjectMeta> {
        self.objects.iter().find(|object| object.role == role && object.part == part)
    }

    /// Gives the bytes of all objects together.
    #[must_use]
    pub fn disk_bytes(&self) -> u64 {
        self.objects.iter().map(|object| object.bytes).sum()
    }

    /// Checks what the types do not say: the range, the order of the objects, and that those every segment needs are there.
    ///
    /// # Errors
    /// `Corrupt` naming the segment.
    pub fn check(&self) -> Result<()> {
        let bad = |what: &str| Err(Error::corrupt(format!("segment {} of the manifest is wrong: {what}", self.id)));
        if self.from > self.to {
            return bad("it ends before it begins");
        }
        if !self.objects.is_sorted_by(|a, b| (a.role, a.part) < (b.role, b.part)) {
            return bad("its objects are not in ascending order");
        }
        if self.object(Role::Rows, 0).is_none() || self.object(Role::Addresses, 0).is_none() {
            return bad("rows or addresses are missing");
        }
        let mut indexes = self.objects.iter().filter(|object| matches!(object.role, Role::Graph | Role::Ivf));
        if indexes.clone().any(|index| self.object(Role::Codes, index.part).is_none()) {
            return bad("a graph or lists have no codes");
        }
        if indexes.any(|index| index.role == Role::Ivf && self.object(Role::Graph, index.part).is_some()) {
            return bad("a part has a graph and lists");
        }
        let found = SegmentKind::of(&self.objects);
        // Segments without a vector that is worth a graph have been called "graph".
        if self.kind != found && (self.kind, found) != (SegmentKind::Graph, SegmentKind::Flat) {
            return bad("its kind is not that of its objects");
        }
        Ok(())
    }
}

impl Serialize for Role {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for Role {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        Role::from_name(&name).ok_or_else(|| D::Error::custom(format!("{NEWER} object role \"{}\"", name.escape_debug())))
    }
}

impl Serialize for SegmentKind {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for SegmentKind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        let known = [SegmentKind::Flat, SegmentKind::Graph, SegmentKind::Ivf].into_iter().find(|kind| kind.name() == name);
        known.ok_or_else(|| D::Error::custom(format!("{NEWER} segment kind \"{}\"", name.escape_debug())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::sealed_json::json_error;
    use crate::error::ErrorKind;

    fn object(role: Role, part: u32) -> ObjectMeta {
        ObjectMeta { role, part, id: SegmentId([role as u8; 16]), bytes: 100, blake3: Hash([part as u8; 32]) }
    }

    fn sample() -> SegmentMeta {
        let objects = vec![object(Role::Rows, 0), object(Role::Addresses, 0), object(Role::Codes, 1), object(Role::Graph, 1)];
        SegmentMeta { id: SegmentId([1; 16]), kind: SegmentKind::Graph, from: 64, to: 128, rows: 3, objects }
    }

    #[test]
    fn a_description_reads_back_and_ignores_later_keys() {
        let text = serde_json::to_string(&sample()).unwrap();
        assert!(text.contains("\"role\":\"addresses\"") && text.contains("\"kind\":\"graph\""), "{text}");
        let later = text.replacen('{', "{\"later\":1,", 1);
        assert_eq!(serde_json::from_str::<SegmentMeta>(&later).unwrap(), sample());
        sample().check().unwrap();
    }

    #[test]
    fn a_role_or_kind_of_a_later_version_is_newer_not_corrupt() {
        let text = serde_json::to_string(&sample()).unwrap();
        for (from, to) in [("\"codes\"", "\"lists\""), ("\"kind\":\"graph\"", "\"kind\":\"tree\"")] {
            let error = serde_json::from_str::<SegmentMeta>(&text.replace(from, to)).unwrap_err();
            assert_eq!(json_error(&error).kind, ErrorKind::NewerFormat, "{error}");
        }
        let error = serde_json::from_str::<SegmentMeta>("{}").unwrap_err();
        assert_eq!(json_error(&error).kind, ErrorKind::Corrupt);
    }

    #[test]
    fn the_hash_follows_the_hashes_of_the_objects() {
        assert_eq!(sample().hash(), sample().hash());
        for change in 0..3 {
            let mut changed = sample();
            match change {
                0 => changed.objects[2].blake3.0[5] ^= 1,
                1 => changed.objects[3].part = 2,
                _ => changed.objects.swap(0, 1),
            }
            assert_ne!(changed.hash(), sample().hash(), "change {change}");
        }
    }

    #[test]
    fn impossible_descriptions_are_refused() {
        type Change = fn(&mut SegmentMeta);
        let changes: [(&str, Change); 7] = [
            ("range", |meta| meta.from = 129),
            ("order", |meta| meta.objects.swap(0, 1)),
            ("missing rows", |meta| meta.objects.retain(|object| object.role != Role::Rows)),
            ("graph without codes", |meta| meta.objects.retain(|object| object.role != Role::Codes)),
            ("flat with a graph", |meta| meta.kind = SegmentKind::Flat),
            ("a graph called lists", |meta| meta.kind = SegmentKind::Ivf),
            ("lists beside a graph", |meta| meta.objects.push(object(Role::Ivf, 1))),
        ];
        for (what, change) in changes {
            let mut meta = sample();
            change(&mut meta);
            assert!(meta.check().is_err(), "{what}");
        }
    }
}
