//! Vectors and points as requests write them.

use std::fmt;
use std::marker::PhantomData;

use engine::payload::Filter;
use engine::{Error, Point, Result};
use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::numbers;
use crate::api::label::Label;

/// The vectors of a point: the only one, or several by name.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Vectors {
    /// The vector without a name.
    One(Vec<f32>),
    /// By name.
    Named(Vec<(String, Vec<f32>)>),
}

impl Vectors {
    /// Gives them by name.
    pub(super) fn into_named(self) -> Vec<(String, Vec<f32>)> {
        match self {
            Vectors::One(vector) => vec![(String::new(), vector)],
            Vectors::Named(named) => named,
        }
    }
}

impl<'de> Deserialize<'de> for Vectors {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        let raw = <&RawValue>::deserialize(deserializer)?.get();
        if !raw.starts_with('{') {
            return dense(raw).map(Vectors::One);
        }
        let Named(named) = serde_json::from_str(raw).map_err(D::Error::custom)?;
        Ok(Vectors::Named(named.into_iter().map(|(name, Dense(vector))| (name, vector)).collect()))
    }
}

/// A dense vector; others are refused by name.
pub(super) struct Dense(pub(super) Vec<f32>);

impl<'de> Deserialize<'de> for Dense {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        dense(<&RawValue>::deserialize(deserializer)?.get()).map(Dense)
    }
}

fn dense<E: serde::de::Error>(raw: &str) -> std::result::Result<Vec<f32>, E> {
    let expected = "expected a dense vector: a list of numbers (sparse vectors and multivectors are not in this version)";
    numbers::floats(raw).map_err(|numbers::NotNumbers| E::custom(expected))
}

/// What has names, in the order in which it was written.
struct Named<T>(Vec<(String, T)>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Named<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct Members<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Members<T> {
            type Value = Named<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("vectors by name")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<Named<T>, A::Error> {
                let mut named = Vec::new();
                while let Some(member) = map.next_entry()? {
                    named.push(member);
                }
                Ok(Named(named))
            }
        }
        deserializer.deserialize_map(Members(PhantomData))
    }
}

/// Vectors of many points: one a point without a name, or a list by name.
pub(super) enum Columns {
    /// Without a name.
    One(Vec<Dense>),
    /// By name; a point may lack one.
    Named(Vec<(String, Vec<Option<Dense>>)>),
}

impl<'de> Deserialize<'de> for Columns {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        let raw = <&RawValue>::deserialize(deserializer)?.get();
        if raw.starts_with('{') {
            return serde_json::from_str(raw).map(|Named(columns)| Columns::Named(columns)).map_err(D::Error::custom);
        }
        serde_json::from_str(raw).map(Columns::One).map_err(D::Error::custom)
    }
}

/// A point of a request.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PointBody<'a> {
    pub(super) id: Label,
    #[serde(alias = "vectors")]
    pub(super) vector: Vectors,
    #[serde(borrow, default)]
    pub(super) payload: Option<&'a RawValue>,
}

/// Points column by column.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct BatchBody<'a> {
    ids: Vec<Label>,
    vectors: Columns,
    #[serde(borrow, default)]
    payloads: Option<Vec<Option<&'a RawValue>>>,
}

impl PointBody<'_> {
    /// Makes a point of it.
    pub(super) fn into_point(self) -> Point {
        Point { id: self.id.0, vectors: self.vector.into_named(), payload: self.payload.map(|raw| raw.get().to_owned()) }
    }
}

impl BatchBody<'_> {
    /// Makes points of it.
    ///
    /// # Errors
    /// `InvalidInput` when the columns are not of one length.
    pub(super) fn into_points(self) -> Result<Vec<Point>> {
        let rows = self.ids.len();
        let check = |what: &str, count: usize| {
            if count == rows {
                return Ok(());
            }
            Err(Error::invalid(format!("the number of {what} is not that of the ids")).with_expected(rows, count))
        };
        let mut points: Vec<Point> = self.ids.into_iter().map(|Label(id)| Point { id, vectors: Vec::new(), payload: None }).collect();
        match self.vectors {
            Columns::One(vectors) => {
                check("vectors", vectors.len())?;
                points.iter_mut().zip(vectors).for_each(|(point, Dense(vector))| point.vectors.push((String::new(), vector)));
            }
            Columns::Named(columns) => {
                for (name, column) in columns {
                    check("vectors", column.len())?;
                    for (point, Dense(vector)) in points.iter_mut().zip(column).filter_map(|(point, cell)| Some((point, cell?))) {
                        point.vectors.push((name.clone(), vector));
                    }
                }
            }
        }
        if let Some(payloads) = self.payloads {
            check("payloads", payloads.len())?;
            points.iter_mut().zip(payloads).for_each(|(point, payload)| point.payload = payload.map(|raw| raw.get().to_owned()));
        }
        Ok(points)
    }
}

/// Reads a filter of a request.
///
/// # Errors
/// `InvalidInput` when it is none.
pub(super) fn filter(raw: Option<&RawValue>) -> Result<Option<Filter>> {
    raw.map(|raw| Filter::parse(raw.get())).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_carries_one_vector_several_or_none() {
        let read = |json: &str| serde_json::from_str::<PointBody<'_>>(json).map(|body| body.into_point().vectors);
        assert_eq!(read(r#"{"id": 1, "vector": [1, 2.5, -3e-1]}"#).unwrap(), [(String::new(), vec![1.0, 2.5, -0.3])]);
        assert_eq!(
            read(r#"{"id": 1, "vector": {"a": [1], "b": [2]}}"#).unwrap(),
            [("a".to_owned(), vec![1.0]), ("b".to_owned(), vec![2.0])]
        );
        assert_eq!(read(r#"{"id": 1, "vector": {}, "payload": {"x": 1}}"#).unwrap(), []);
    }

    #[test]
    fn what_is_no_dense_vector_is_refused() {
        for vector in ["1", "\"x\"", "null", "[[1]]", "[\"1\"]", "{\"a\": {\"indices\": [1], \"values\": [1]}}", "{\"a\": [[1]]}"] {
            let json = format!("{{\"id\": 1, \"vector\": {vector}}}");
            assert!(serde_json::from_str::<PointBody<'_>>(&json).is_err(), "{vector}");
        }
    }

    #[test]
    fn columns_become_points_and_uneven_ones_are_refused() {
        let read = |json: &str| serde_json::from_str::<BatchBody<'_>>(json).unwrap().into_points();
        let points = read(r#"{"ids": [1, 2], "vectors": {"a": [[1], null], "b": [[2], [3]]}, "payloads": [null, {"k": 1}]}"#).unwrap();
        assert_eq!(points[0].vectors, [("a".to_owned(), vec![1.0]), ("b".to_owned(), vec![2.0])]);
        assert_eq!((points[1].vectors.len(), points[1].payload.as_deref()), (1, Some(r#"{"k": 1}"#)));
        assert!(read(r#"{"ids": [1, 2], "vectors": [[1]]}"#).is_err());
        assert!(read(r#"{"ids": [1], "vectors": [[1]], "payloads": []}"#).is_err());
    }
}
