//! What a collection's points look like: named vectors, distances, datatypes, index parameters, indexed payload fields.

mod config;
mod index_params;

pub use config::{IndexConfig, VectorConfig};
pub use index_params::{IndexKind, IndexParams, Memory};

use std::collections::BTreeMap;

use index::{Datatype, Metric};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::{Error, ErrorKind, Result};
use crate::payload::field_index::FieldType;

/// Most dimensions of a vector.
pub const DIM_MAX: u32 = 16_384;
/// Most named vectors of a collection.
pub const VECTORS_MAX: usize = 64;
/// Most indexed payload fields of a collection.
pub const FIELDS_MAX: usize = 256;
/// Most bytes of what clients said about a collection that is kept for them.
pub const SETTINGS_BYTES_MAX: usize = 256 << 10;
/// Longest name of a vector, field, collection or alias, in bytes.
pub const NAME_LEN_MAX: usize = 255;

/// How near two vectors are, as users say it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Distance {
    /// The cosine of the angle; higher is nearer. Vectors are stored normalised.
    Cosine,
    /// The inner product; higher is nearer.
    Dot,
    /// The Euclidean distance; lower is nearer.
    Euclid,
    /// The sum of absolute differences; lower is nearer.
    Manhattan,
}

impl Distance {
    /// Gives the metric that the index computes.
    #[must_use]
    pub fn metric(self) -> Metric {
        match self {
            Distance::Cosine | Distance::Dot => Metric::Dot,
            Distance::Euclid => Metric::L2,
            Distance::Manhattan => Metric::Manhattan,
        }
    }

    /// Turns a distance of the index into the score that users see.
    #[must_use]
    pub fn score(self, distance: f32) -> f32 {
        match self {
            Distance::Cosine | Distance::Dot => -distance,
            Distance::Euclid => distance.max(0.0).sqrt(),
            Distance::Manhattan => distance,
        }
    }
}

/// How the numbers of a vector are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Numbers {
    /// 32-bit floats.
    F32,
    /// 16-bit floats.
    F16,
    /// Bytes from 0 to 255.
    U8,
}

impl Numbers {
    /// Gives the datatype that the index computes with.
    #[must_use]
    pub fn datatype(self) -> Datatype {
        match self {
            Numbers::F32 => Datatype::F32,
            Numbers::F16 => Datatype::F16,
            Numbers::U8 => Datatype::U8,
        }
    }
}

/// One named vector.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VectorSchema {
    /// Its name; empty for the only, unnamed vector.
    pub name: String,
    /// `dense`; later versions know others.
    pub kind: String,
    /// Dimensions.
    pub dim: u32,
    /// How two of them are compared.
    pub distance: Distance,
    /// How their numbers are stored.
    pub datatype: Numbers,
    /// How they are indexed.
    pub index: IndexParams,
}

impl VectorSchema {
    /// Describes a dense vector with the default index.
    #[must_use]
    pub fn dense(name: &str, dim: u32, distance: Distance, datatype: Numbers) -> Self {
        VectorSchema { name: name.to_owned(), kind: "dense".to_owned(), dim, distance, datatype, index: IndexParams::default() }
    }

    /// Gives the bytes of one stored vector.
    #[must_use]
    pub fn bytes_per_vector(&self) -> usize {
        self.dim as usize * self.datatype.datatype().bytes_per_dim()
    }

    /// Says whether vectors are scaled to unit length before they are stored.
    #[must_use]
    pub fn stores_normalised(&self) -> bool {
        self.distance == Distance::Cosine && self.datatype != Numbers::U8
    }
}

/// An indexed payload field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldSchema {
    /// The field, as a dotted path.
    pub name: String,
    /// What its values are.
    #[serde(rename = "type")]
    pub field_type: FieldType,
}

/// The schema of a collection; part i of a row is `vectors[i - 1]`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Schema {
    /// Named vectors, in the order of their parts.
    pub vectors: Vec<VectorSchema>,
    /// Indexed payload fields.
    #[serde(default)]
    pub fields: Vec<FieldSchema>,
    /// What clients said about the collection that the engine keeps, shows again and does not act on.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub settings: BTreeMap<String, Value>,
}

impl Schema {
    /// Gives the number of parts of a row: the point and its vectors.
    #[must_use]
    pub fn parts(&self) -> usize {
        self.vectors.len() + 1
    }

    /// Finds the part of a named vector.
    ///
    /// # Errors
    /// `InvalidInput` naming the vectors that exist.
    pub fn part(&self, name: &str) -> Result<usize> {
        let known = || self.vectors.iter().map(|v| format!("\"{}\"", v.name)).collect::<Vec<_>>().join(", ");
        let index = self.vectors.iter().position(|v| v.name == name);
        index.map(|index| index + 1).ok_or_else(|| {
            Error::invalid("the collection has no vector of this name")
                .with_expected(format!("one of {}", known()), format!("\"{}\"", name.escape_debug()))
        })
    }

    /// Gives the vector of a part.
    ///
    /// # Panics
    /// When the part is 0 or beyond the last.
    #[must_use]
    pub fn vector(&self, part: usize) -> &VectorSchema {
        &self.vectors[part - 1]
    }

    /// Says whether stored rows of another schema are rows of this one: the same vectors, however they are indexed.
    #[must_use]
    pub fn has_the_vectors_of(&self, other: &Schema) -> bool {
        let as_stored = |vector: &VectorSchema| VectorSchema { index: IndexParams::default(), ..vector.clone() };
        self.vectors.iter().map(as_stored).eq(other.vectors.iter().map(as_stored))
    }

    /// Checks every limit.
    ///
    /// # Errors
    /// `InvalidInput` on a limit that is broken, `NewerFormat` on a vector kind of the future.
    pub fn check(&self) -> Result<()> {
        if self.vectors.is_empty() || self.vectors.len() > VECTORS_MAX {
            return Err(Error::invalid("a collection needs vectors").with_expected(format!("1 to {VECTORS_MAX}"), self.vectors.len()));
        }
        if self.fields.len() > FIELDS_MAX {
            return Err(Error::invalid("too many indexed fields").with_expected(format!("at most {FIELDS_MAX}"), self.fields.len()));
        }
        let settings_bytes = if self.settings.is_empty() { 0 } else { self.to_json().len() };
        if settings_bytes > SETTINGS_BYTES_MAX {
            return Err(Error::invalid("the settings of the collection are too long")
                .with_expected(format!("at most {SETTINGS_BYTES_MAX} bytes"), settings_bytes));
        }
        for (at, vector) in self.vectors.iter().enumerate() {
            if vector.kind != "dense" {
                return Err(Error::new(ErrorKind::NewerFormat, "the collection has vectors of a kind that this version does not know")
                    .with_expected("dense", &vector.kind)
                    .with_hint("use a newer version of vectra"));
            }
            if vector.dim == 0 || vector.dim > DIM_MAX {
                return Err(Error::invalid("a vector has a dimension out of bounds").with_expected(format!("1 to {DIM_MAX}"), vector.dim));
            }
            vector.index.check()?;
            let unnamed_among_others = vector.name.is_empty() && self.vectors.len() > 1;
            if unnamed_among_others || vector.name.len() > NAME_LEN_MAX || self.vectors[..at].iter().any(|v| v.name == vector.name) {
                return Err(Error::invalid("vector names must be different, and not empty where there are several")
                    .with_expected(format!("a name of 1 to {NAME_LEN_MAX} bytes"), format!("\"{}\"", vector.name.escape_debug())));
            }
        }
        Ok(())
    }

    /// Gives the schema as the JSON text that records and manifests carry.
    #[must_use]
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("a schema has nothing that JSON cannot say")
    }

    /// Reads a schema back.
    ///
    /// # Errors
    /// `NewerFormat` when it names something that this version does not know, `Corrupt` when it is not a schema.
    pub fn from_json(text: &str) -> Result<Self> {
        #[derive(Deserialize)]
        struct Kinds {
            vectors: Vec<Kind>,
        }
        #[derive(Deserialize)]
        struct Kind {
            kind: String,
        }
        // The kind is looked at first: what else a vector of the future carries may not read at all.
        let kinds: Kinds = serde_json::from_str(text).map_err(|e| Error::corrupt(format!("the schema does not read: {e}")))?;
        if let Some(kind) = kinds.vectors.iter().find(|v| v.kind != "dense") {
            return Err(Error::new(ErrorKind::NewerFormat, "the collection has vectors of a kind that this version does not know")
                .with_expected("dense", &kind.kind)
                .with_hint("use a newer version of vectra"));
        }
        let schema: Schema = serde_json::from_str(text).map_err(|e| {
            Error::new(ErrorKind::NewerFormat, format!("the schema says something that this version does not know: {e}"))
                .with_hint("use a newer version of vectra")
        })?;
        schema.check()?;
        Ok(schema)
    }
}

/// Checks a name of a collection or alias.
///
/// # Errors
/// `InvalidInput` when it is empty, too long, has characters other than letters, digits, `_`, `-` and `.`, or begins with a dot or hyphen;
/// `Usage` when it is a word of the command line.
pub fn check_name(name: &str) -> Result<()> {
    const RESERVED: [&str; 6] = ["verify", "list", "show", "prune", "create", "help"];
    let allowed = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.');
    if name.is_empty() || name.len() > NAME_LEN_MAX || !name.chars().all(allowed) || name.starts_with(['.', '-']) {
        return Err(Error::invalid("this cannot be a name").with_expected(
            format!("1 to {NAME_LEN_MAX} letters, digits, \"_\", \"-\" or \".\", not beginning with \".\" or \"-\""),
            format!("\"{}\"", name.escape_debug()),
        ));
    }
    if RESERVED.contains(&name) {
        return Err(
            Error::invalid(format!("\"{name}\" is a word of the command line and cannot be a name")).with_hint("choose another name")
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Schema {
        Schema { vectors: vec![VectorSchema::dense("", 4, Distance::Cosine, Numbers::F32)], ..Schema::default() }
    }

    #[test]
    fn a_schema_reads_back() {
        assert_eq!(Schema::from_json(&sample().to_json()).unwrap(), sample());
    }

    #[test]
    fn the_mode_that_was_always_there_is_not_written_and_others_are() {
        let mut schema = sample();
        assert!(!schema.to_json().contains("memory"), "{}", schema.to_json());
        for memory in Memory::ALL {
            schema.vectors[0].index = IndexParams::default().with_memory(memory);
            assert_eq!(Schema::from_json(&schema.to_json()).unwrap(), schema);
            assert_eq!(schema.to_json().contains(&format!("\"memory\":\"{}\"", memory.name())), memory != Memory::Fast);
        }
    }

    #[test]
    fn a_kind_of_the_future_is_refused_as_newer() {
        let text = sample().to_json().replace("dense", "sparse");
        assert_eq!(Schema::from_json(&text).unwrap_err().kind, ErrorKind::NewerFormat);
    }

    #[test]
    fn names_that_could_be_paths_or_words_are_refused() {
        for name in ["", "..", "a/b", ".x", "-x", "verify", "list", "a b", "a\0"] {
            assert!(check_name(name).is_err(), "{name}");
        }
        for name in ["products", "Ärzte_1", "a.b-c"] {
            check_name(name).unwrap();
        }
    }

    #[test]
    fn limits_of_a_schema_are_checked() {
        let mut schema = sample();
        schema.vectors[0].dim = 0;
        assert!(schema.check().is_err());
        schema.vectors[0].dim = DIM_MAX + 1;
        assert!(schema.check().is_err());
        schema = sample();
        schema.vectors.push(sample().vectors[0].clone());
        assert!(schema.check().is_err());
    }
}
