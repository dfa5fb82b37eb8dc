//! A point as a line of JSON, in the form that `import --jsonl` reads.

use crate::exit::Failure;
use engine::collection::PointView;
use engine::{PointId, Schema};
use serde::{Serialize, Serializer, ser::SerializeMap};
use serde_json::value::RawValue;

/// An id: a number, or a UUID in quotes.
#[derive(Debug, Clone, Copy)]
pub(super) struct IdJson(pub PointId);

impl Serialize for IdJson {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            PointId::Number(number) => serializer.serialize_u64(number),
            PointId::Uuid(_) => serializer.collect_str(&self.0),
        }
    }
}

/// A point with its payload, and with its vectors where they were asked for.
#[derive(Debug, Serialize)]
pub(super) struct PointJson {
    id: IdJson,
    #[serde(skip_serializing_if = "Option::is_none")]
    vector: Option<Vectors>,
    payload: Option<Box<RawValue>>,
}

/// Vectors: `[..]` where the collection has one without a name, `{name:[..]}` otherwise.
#[derive(Debug)]
enum Vectors {
    Unnamed(Vec<f32>),
    Named(Vec<(String, Vec<f32>)>),
}

impl Serialize for Vectors {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Vectors::Unnamed(vector) => vector.serialize(serializer),
            Vectors::Named(vectors) => {
                let mut map = serializer.serialize_map(Some(vectors.len()))?;
                vectors.iter().try_for_each(|(name, vector)| map.serialize_entry(name, vector))?;
                map.end()
            }
        }
    }
}

impl PointJson {
    /// Takes a point as the engine shows it.
    pub fn new(schema: &Schema, view: PointView, with_vectors: bool) -> Result<Self, Failure> {
        let unnamed = schema.vectors.len() == 1 && schema.vectors[0].name.is_empty();
        let vector = with_vectors.then(|| {
            let mut vectors = view.vectors;
            match vectors.pop() {
                Some((_, only)) if unnamed => Vectors::Unnamed(only),
                last => Vectors::Named(vectors.into_iter().chain(last).collect()),
            }
        });
        Ok(Self { id: IdJson(view.id), vector, payload: view.payload.map(raw).transpose()? })
    }
}

/// Takes a stored payload as it is.
pub(super) fn raw(payload: String) -> Result<Box<RawValue>, Failure> {
    RawValue::from_string(payload).map_err(|error| Failure::corrupt(format!("a stored payload is not JSON: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine::schema::Numbers;
    use engine::{Distance, VectorSchema};

    fn line(names: &[&str], view: PointView, with_vectors: bool) -> String {
        let vectors = names.iter().map(|name| VectorSchema::dense(name, 1, Distance::Dot, Numbers::F32)).collect();
        let schema = Schema { vectors, ..Schema::default() };
        serde_json::to_string(&PointJson::new(&schema, view, with_vectors).unwrap()).unwrap()
    }

    #[test]
    fn a_point_is_written_as_import_reads_it() {
        let view = |vectors: &[(&str, f32)]| PointView {
            id: PointId::Number(u64::MAX),
            payload: Some("{\"n\":1.10}".to_owned()),
            vectors: vectors.iter().map(|(name, number)| ((*name).to_owned(), vec![*number])).collect(),
        };
        assert_eq!(line(&[""], view(&[("", 0.1)]), true), r#"{"id":18446744073709551615,"vector":[0.1],"payload":{"n":1.10}}"#);
        let named = line(&["a", "b"], view(&[("a", 1e-30), ("b", 2.5)]), true);
        assert_eq!(named, r#"{"id":18446744073709551615,"vector":{"a":[1e-30],"b":[2.5]},"payload":{"n":1.10}}"#);
        assert_eq!(line(&["a"], view(&[]), true), r#"{"id":18446744073709551615,"vector":{},"payload":{"n":1.10}}"#);
        let uuid = PointView { id: PointId::Uuid([0xab; 16]), payload: None, vectors: Vec::new() };
        assert_eq!(line(&[""], uuid, false), r#"{"id":"abababab-abab-abab-abab-abababababab","payload":null}"#);
    }
}
