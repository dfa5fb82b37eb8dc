//! The configuration of a collection's indexes apart from its data: written as JSON, read back, and applied to a schema as a whole.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{FieldSchema, IndexKind, IndexParams, Memory, Schema};
use crate::error::{Error, ErrorKind, Result};
use crate::payload::FieldPath;

/// Version of the JSON.
const FORMAT: u32 = 1;

/// How vectors and payload fields are indexed, or are to be. What is left out stays as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IndexConfig {
    /// Version of the JSON.
    format: u32,
    /// Vectors, by their names.
    #[serde(default)]
    pub vectors: Vec<VectorConfig>,
    /// All indexed payload fields.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fields: Option<Vec<FieldSchema>>,
    /// What clients said that is kept for them ([`Schema::settings`]); no part of the JSON.
    #[serde(skip)]
    pub settings: Option<BTreeMap<String, Value>>,
}

/// How one vector is indexed, or is to be. What is left out stays as it is; a kind or a memory mode given alone brings the other along.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VectorConfig {
    /// The vector.
    pub name: String,
    /// See [`IndexParams::kind`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<IndexKind>,
    /// See [`IndexParams::m`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub m: Option<u32>,
    /// See [`IndexParams::ef_construction`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ef_construction: Option<u32>,
    /// See [`IndexParams::seed`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// See [`IndexParams::memory`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<Memory>,
}

impl VectorConfig {
    /// Gives the parameters with what the configuration says, checked.
    ///
    /// # Errors
    /// `InvalidInput` when a limit is broken, or kind and memory mode do not go together.
    pub fn applied_to(&self, params: &IndexParams) -> Result<IndexParams> {
        let mut next = match (self.kind, self.memory) {
            (Some(kind), Some(memory)) => IndexParams { kind, memory, ..params.clone() },
            (Some(kind), None) => params.clone().with_kind(kind),
            (None, Some(memory)) => params.clone().with_memory(memory),
            (None, None) => params.clone(),
        };
        next.m = self.m.unwrap_or(next.m);
        next.ef_construction = self.ef_construction.unwrap_or(next.ef_construction);
        next.seed = self.seed.unwrap_or(next.seed);
        next.check()?;
        Ok(next)
    }
}

impl IndexConfig {
    /// Makes a configuration that changes some vectors and no field.
    #[must_use]
    pub fn of_vectors(vectors: Vec<VectorConfig>) -> Self {
        IndexConfig { format: FORMAT, vectors, fields: None, settings: None }
    }

    /// Makes a configuration that changes what is kept for clients alone.
    #[must_use]
    pub fn of_settings(settings: BTreeMap<String, Value>) -> Self {
        IndexConfig { settings: Some(settings), ..IndexConfig::of_vectors(Vec::new()) }
    }

    /// Gives the whole configuration of a collection.
    #[must_use]
    pub fn of(schema: &Schema) -> Self {
        let vectors = schema.vectors.iter().map(|vector| {
            let IndexParams { kind, m, ef_construction, seed, memory } = vector.index;
            VectorConfig {
                name: vector.name.clone(),
                kind: Some(kind),
                m: Some(m),
                ef_construction: Some(ef_construction),
                seed: Some(seed),
                memory: Some(memory),
            }
        });
        IndexConfig { fields: Some(schema.fields.clone()), ..IndexConfig::of_vectors(vectors.collect()) }
    }

    /// Gives the JSON text, on several lines and with a line feed at the end.
    #[must_use]
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).expect("a configuration has nothing that JSON cannot say") + "\n"
    }

    /// Reads JSON text; keys that nobody knows are refused, so that a misspelt one is not passed over.
    ///
    /// # Errors
    /// `NewerFormat` when a later version wrote it, `InvalidInput` saying where it does not read.
    pub fn from_json(text: &str) -> Result<Self> {
        #[derive(Deserialize)]
        struct Format {
            format: u32,
        }
        let unreadable = |error: serde_json::Error| Error::invalid(format!("the index configuration does not read: {error}"));
        let Format { format } = serde_json::from_str(text).map_err(unreadable)?;
        if format != FORMAT {
            return Err(Error::new(ErrorKind::NewerFormat, "the index configuration is of another version")
                .with_expected(format!("format {FORMAT}"), format!("format {format}"))
                .with_hint("use a newer version of vectra"));
        }
        serde_json::from_str(text).map_err(unreadable)
    }

    /// Gives the schema with what the configuration says; checks all of it before anything is made of it.
    ///
    /// # Errors
    /// `InvalidInput` when it names a vector that does not exist, names one twice, or breaks a limit.
    pub fn applied_to(&self, schema: &Schema) -> Result<Schema> {
        let mut next = schema.clone();
        for (at, vector) in self.vectors.iter().enumerate() {
            if self.vectors[..at].iter().any(|earlier| earlier.name == vector.name) {
                return Err(Error::invalid("the index configuration names a vector twice").with_object(vector.name.clone()));
            }
            let place = schema.part(&vector.name)? - 1;
            let changed = vector.applied_to(&schema.vectors[place].index);
            next.vectors[place].index = changed.map_err(|error| name_vector(error, &vector.name))?;
        }
        if let Some(fields) = &self.fields {
            for (at, field) in fields.iter().enumerate() {
                FieldPath::parse_indexable(&field.name)?;
                if fields[..at].iter().any(|earlier| earlier.name == field.name) {
                    return Err(Error::invalid("the index configuration names a field twice").with_object(field.name.clone()));
                }
            }
            next.fields = fields.clone();
        }
        if let Some(settings) = &self.settings {
            next.settings.clone_from(settings);
        }
        next.check()?;
        assert!(next.has_the_vectors_of(schema), "a configuration changes indexes alone");
        Ok(next)
    }
}

fn name_vector(error: Error, name: &str) -> Error {
    if name.is_empty() { error } else { error.with_object(name.to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payload::FieldType;
    use crate::schema::{Distance, Numbers, VectorSchema};

    fn schema() -> Schema {
        let vector = |name| VectorSchema::dense(name, 4, Distance::Dot, Numbers::F32);
        let fields = vec![FieldSchema { name: "lang".to_owned(), field_type: FieldType::Keyword }];
        Schema { vectors: vec![vector("title"), vector("image")], fields, ..Schema::default() }
    }

    #[test]
    fn what_is_written_reads_back_and_changes_nothing() {
        let config = IndexConfig::of(&schema());
        let text = config.to_json();
        assert_eq!(IndexConfig::from_json(&text).unwrap(), config);
        assert_eq!(config.applied_to(&schema()).unwrap(), schema());
    }

    #[test]
    fn what_is_left_out_stays_and_what_is_named_changes() {
        let text = r#"{"format": 1, "vectors": [{"name": "image", "memory": "low", "m": 24}]}"#;
        let changed = IndexConfig::from_json(text).unwrap().applied_to(&schema()).unwrap();
        assert_eq!((&changed.vectors[0], &changed.fields), (&schema().vectors[0], &schema().fields));
        let index = &changed.vectors[1].index;
        assert_eq!((index.kind, index.memory, index.m, index.seed), (IndexKind::Ivf, Memory::Low, 24, 42));
        let back = r#"{"format": 1, "vectors": [{"name": "image", "kind": "hnsw"}], "fields": []}"#;
        let back = IndexConfig::from_json(back).unwrap().applied_to(&changed).unwrap();
        assert_eq!((back.vectors[1].index.memory, back.fields.len()), (Memory::Fast, 0));
    }

    #[test]
    fn a_configuration_that_is_wrong_in_one_place_is_refused_as_a_whole() {
        let wrong = [
            r#"{"vectors": []}"#,
            r#"{"format": 1, "vectors": [{"name": "image", "ef": 3}]}"#,
            r#"{"format": 1, "vectors": [{"name": "image", "kind": "tree"}]}"#,
            r#"{"format": 1, "vectors": [{"name": "other"}]}"#,
            r#"{"format": 1, "vectors": [{"name": "image"}, {"name": "image"}]}"#,
            r#"{"format": 1, "vectors": [{"name": "title", "m": 8}, {"name": "image", "m": 1}]}"#,
            r#"{"format": 1, "vectors": [{"name": "image", "kind": "hnsw", "memory": "low"}]}"#,
            r#"{"format": 1, "fields": [{"name": "a", "type": "bool"}, {"name": "a", "type": "keyword"}]}"#,
            r#"{"format": 1, "fields": [{"name": "", "type": "bool"}]}"#,
            "",
        ];
        for text in wrong {
            let error = IndexConfig::from_json(text).and_then(|config| config.applied_to(&schema())).unwrap_err();
            assert_eq!(error.kind, ErrorKind::InvalidInput, "{text}: {error}");
        }
        assert_eq!(IndexConfig::from_json(r#"{"format": 2, "lists": 3}"#).unwrap_err().kind, ErrorKind::NewerFormat);
    }
}
