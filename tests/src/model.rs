//! The dumb model of a collection: a map of points and the changes to it, sharing no code with the engine.

use std::collections::BTreeMap;

/// The name of a point; how it becomes an id of the engine is the driver's matter. Names are ordered as those ids are.
pub type Id = u64;

/// How two vectors are compared. Vectors hold small whole numbers, so every result is exact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measure {
    /// Square root of the summed squares of differences; less is nearer.
    Euclid,
    /// Inner product; more is nearer.
    Dot,
    /// Sum of absolute differences; less is nearer.
    Manhattan,
}

impl Measure {
    fn score(self, a: &[f32], b: &[f32]) -> f32 {
        let pairs = a.iter().zip(b);
        match self {
            Measure::Euclid => pairs.map(|(x, y)| (x - y) * (x - y)).sum::<f32>().sqrt(),
            Measure::Dot => pairs.map(|(x, y)| x * y).sum(),
            Measure::Manhattan => pairs.map(|(x, y)| (x - y).abs()).sum(),
        }
    }
}

/// One point.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Row {
    /// Its named vectors in the order of the schema.
    pub vectors: Vec<Option<Vec<f32>>>,
    /// Its payload: keys and the JSON text of their values; empty is no payload.
    pub payload: Vec<(String, String)>,
}

impl Row {
    /// Gives the payload as JSON text without blanks.
    #[must_use]
    pub fn payload_text(&self) -> Option<String> {
        let members: Vec<String> = self.payload.iter().map(|(key, value)| format!("\"{key}\":{value}")).collect();
        (!members.is_empty()).then(|| format!("{{{}}}", members.join(",")))
    }

    fn value(&self, wanted: &str) -> Option<&str> {
        self.payload.iter().find(|(key, _)| key == wanted).map(|(_, value)| value.as_str())
    }

    fn unset(&mut self, key: &str) {
        self.payload.retain(|(known, _)| known != key);
    }

    fn set(&mut self, key: &str, value: &str) {
        match self.payload.iter_mut().find(|(known, _)| known == key) {
            Some((_, old)) => value.clone_into(old),
            None => self.payload.push((key.to_owned(), value.to_owned())),
        }
    }
}

/// All points of a collection.
pub type Points = BTreeMap<Id, Row>;

/// Which points a change or a search means.
#[derive(Clone, Debug)]
pub enum Which {
    /// These, as far as they exist.
    Ids(Vec<Id>),
    /// Those whose "tag" is "t" and this number.
    Tag(u64),
    /// Those whose "n" is below this.
    Below(u64),
}

impl Which {
    fn selects(&self, id: Id, row: &Row) -> bool {
        match self {
            Which::Ids(ids) => ids.contains(&id),
            Which::Tag(tag) => row.value("tag") == Some(&format!("\"t{tag}\"")),
            Which::Below(bound) => row.value("n").and_then(|n| n.parse::<u64>().ok()).is_some_and(|n| n < *bound),
        }
    }
}

/// Which points a conditional upsert may write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Only {
    /// All.
    Any,
    /// Those that are not there.
    New,
    /// Those that are there.
    Known,
}

/// One change of a collection, whole or not at all.
#[derive(Clone, Debug)]
pub enum Change {
    /// Whole points: what was there under their ids is gone.
    Upsert(Vec<(Id, Row)>),
    /// Whole points, as far as they may be written; points that are there and not selected stay as they are.
    UpsertIf(Vec<(Id, Row)>, Only, Option<Which>),
    /// Only the vectors and payloads that are given; unknown ids become points.
    Patch(Vec<(Id, Row)>),
    /// Only the vectors that are given, of points that are there and selected; an unknown id refuses the change.
    PatchVectors(Vec<(Id, Row)>, Option<Which>),
    /// Ends vectors, by their places in the schema.
    DeleteVectors(Which, Vec<usize>),
    /// Ends points.
    Delete(Which),
    /// Sets keys of payloads and keeps the others.
    SetPayload(Which, Vec<(String, String)>),
    /// Sets the key "x" of the object "p" in the object "o" of payloads, which holds nothing else.
    SetBelow(Which, u64),
    /// Puts a payload in the place of another.
    Overwrite(Which, Vec<(String, String)>),
    /// Takes keys out of payloads.
    DeleteKeys(Which, Vec<&'static str>),
    /// Takes payloads away.
    Clear(Which),
    /// Indexes a payload field; no point changes.
    Index(&'static str),
    /// Ends the index of a payload field; no point changes.
    DropIndex(&'static str),
}

impl Change {
    /// Says whether the change has to be refused, whatever the disk does.
    #[must_use]
    pub fn is_refused(&self, points: &Points) -> bool {
        matches!(self, Change::PatchVectors(rows, _) if rows.iter().any(|(id, _)| !points.contains_key(id)))
    }

    /// Makes the change.
    pub fn apply(&self, points: &mut Points) {
        match self {
            Change::Upsert(rows) => points.extend(rows.iter().cloned()),
            Change::UpsertIf(rows, only, which) => {
                for (id, row) in rows {
                    let is_written = match points.get(id) {
                        None => *only != Only::Known,
                        Some(old) => *only != Only::New && which.as_ref().is_none_or(|which| which.selects(*id, old)),
                    };
                    if is_written {
                        points.insert(*id, row.clone());
                    }
                }
            }
            Change::Patch(rows) => rows.iter().for_each(|(id, row)| patch(points, *id, row)),
            Change::PatchVectors(rows, which) if !self.is_refused(points) => {
                let selected = |id: Id, row: &Row| which.as_ref().is_none_or(|which| which.selects(id, row));
                let rows: Vec<_> = rows.iter().filter(|(id, _)| selected(*id, &points[id])).collect();
                rows.into_iter().for_each(|(id, row)| patch(points, *id, &Row { vectors: row.vectors.clone(), payload: Vec::new() }));
            }
            Change::PatchVectors(..) => {}
            Change::DeleteVectors(which, places) => {
                change_each(points, which, |row| places.iter().for_each(|place| row.vectors[*place] = None));
            }
            Change::Delete(which) => points.retain(|id, row| !which.selects(*id, row)),
            Change::SetPayload(which, members) => {
                change_each(points, which, |row| members.iter().for_each(|(key, value)| row.set(key, value)));
            }
            Change::SetBelow(which, number) => change_each(points, which, |row| row.set("o", &format!("{{\"p\":{{\"x\":{number}}}}}"))),
            Change::Overwrite(which, members) => change_each(points, which, |row| row.payload.clone_from(members)),
            Change::DeleteKeys(which, keys) => change_each(points, which, |row| keys.iter().for_each(|key| row.unset(key))),
            Change::Clear(which) => change_each(points, which, |row| row.payload.clear()),
            Change::Index(_) | Change::DropIndex(_) => {}
        }
    }
}

fn change_each(points: &mut Points, which: &Which, change: impl Fn(&mut Row)) {
    points.iter_mut().filter(|(id, row)| which.selects(**id, row)).for_each(|(_, row)| change(row));
}

fn patch(points: &mut Points, id: Id, given: &Row) {
    let Some(row) = points.get_mut(&id) else {
        points.insert(id, given.clone());
        return;
    };
    for (old, new) in row.vectors.iter_mut().zip(&given.vectors) {
        if new.is_some() {
            old.clone_from(new);
        }
    }
    if !given.payload.is_empty() {
        row.payload.clone_from(&given.payload);
    }
}

/// Finds the nearest points by comparing with each: best first, equal scores in the order of their names.
#[must_use]
pub fn nearest(points: &Points, vector: usize, measure: Measure, query: &[f32], top: usize, which: Option<&Which>) -> Vec<(Id, f32)> {
    let passes = |id: Id, row: &Row| which.is_none_or(|which| which.selects(id, row));
    let of_row = |(id, row): (&Id, &Row)| {
        let stored = row.vectors[vector].as_ref().filter(|_| passes(*id, row))?;
        Some((*id, measure.score(stored, query)))
    };
    let mut found: Vec<(Id, f32)> = points.iter().filter_map(of_row).collect();
    // Adding zero makes one zero of two: neither is nearer.
    let rank = |score: f32| if measure == Measure::Dot { 0.0 - score } else { score } + 0.0;
    found.sort_by(|a, b| rank(a.1).total_cmp(&rank(b.1)).then(a.0.cmp(&b.0)));
    found.truncate(top);
    found
}

/// A point as it can be seen from outside.
#[derive(Clone, Debug, PartialEq)]
pub struct Seen {
    /// Its vectors in the order of the schema.
    pub vectors: Vec<Option<Vec<f32>>>,
    /// Its payload as JSON text.
    pub payload: Option<String>,
}

/// All points as they can be seen.
pub type SeenPoints = BTreeMap<Id, Seen>;

/// Gives what a reader of exactly these points sees.
#[must_use]
pub fn seen(points: &Points) -> SeenPoints {
    points.iter().map(|(id, row)| (*id, Seen { vectors: row.vectors.clone(), payload: row.payload_text() })).collect()
}

/// Says what is different, shortly: missing, invented and changed points.
#[must_use]
pub fn difference(expected: &SeenPoints, got: &SeenPoints) -> String {
    let missing: Vec<Id> = expected.keys().filter(|id| !got.contains_key(id)).copied().take(8).collect();
    let invented: Vec<Id> = got.keys().filter(|id| !expected.contains_key(id)).copied().take(8).collect();
    let changed: Vec<String> = expected
        .iter()
        .filter_map(|(id, row)| got.get(id).filter(|other| *other != row).map(|other| format!("{id}: expected {row:?}, got {other:?}")))
        .take(2)
        .collect();
    format!("{} points expected, {} found; missing {missing:?}, invented {invented:?}, changed {changed:?}", expected.len(), got.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(x: f32, n: u64) -> Row {
        Row { vectors: vec![Some(vec![x, 0.0])], payload: vec![("n".to_owned(), n.to_string())] }
    }

    #[test]
    fn changes_do_what_they_say() {
        let mut points = Points::new();
        Change::Upsert(vec![(1, row(1.0, 1)), (2, row(2.0, 2)), (3, row(3.0, 3))]).apply(&mut points);
        Change::SetPayload(Which::Below(3), vec![("tag".to_owned(), "\"t1\"".to_owned())]).apply(&mut points);
        Change::Patch(vec![(1, Row { vectors: vec![None], payload: row(0.0, 9).payload })]).apply(&mut points);
        Change::Delete(Which::Tag(1)).apply(&mut points);
        assert_eq!(points.keys().copied().collect::<Vec<_>>(), [1, 3]);
        assert_eq!(points[&1], row(1.0, 9));
        assert_eq!(points[&3].payload_text().as_deref(), Some("{\"n\":3}"));
    }

    #[test]
    fn changes_under_a_condition_do_what_they_say() {
        let mut points = Points::from([(1, row(1.0, 1)), (2, row(2.0, 2))]);
        Change::UpsertIf(vec![(1, row(7.0, 7)), (3, row(3.0, 3))], Only::New, None).apply(&mut points);
        assert_eq!((&points[&1], &points[&3]), (&row(1.0, 1), &row(3.0, 3)));
        Change::UpsertIf(vec![(1, row(7.0, 7)), (2, row(8.0, 8)), (4, row(4.0, 4))], Only::Known, Some(Which::Below(2))).apply(&mut points);
        assert_eq!((&points[&1], &points[&2], points.len()), (&row(7.0, 7), &row(2.0, 2), 3));
        let unknown = Change::PatchVectors(vec![(1, row(9.0, 9)), (9, row(9.0, 9))], None);
        assert!(unknown.is_refused(&points));
        unknown.apply(&mut points);
        Change::PatchVectors(vec![(2, row(9.0, 9))], None).apply(&mut points);
        assert_eq!((&points[&1], &points[&2].vectors[0], &points[&2].payload), (&row(7.0, 7), &Some(vec![9.0, 0.0]), &row(0.0, 2).payload));
        Change::DeleteVectors(Which::Ids(vec![2, 5]), vec![0]).apply(&mut points);
        Change::DeleteKeys(Which::Ids(vec![1]), vec!["n"]).apply(&mut points);
        Change::SetBelow(Which::Ids(vec![1]), 5).apply(&mut points);
        assert_eq!((points[&2].vectors[0].is_none(), points[&1].payload_text().as_deref()), (true, Some("{\"o\":{\"p\":{\"x\":5}}}")));
        Change::Clear(Which::Below(3)).apply(&mut points);
        assert_eq!((points[&2].payload_text(), points[&3].payload_text().as_deref()), (None, Some("{\"n\":3}")));
    }

    #[test]
    fn the_nearest_come_first_and_ties_are_in_order() {
        let points = Points::from([(1, row(5.0, 1)), (2, row(3.0, 2)), (3, row(5.0, 3))]);
        let ids = |measure| nearest(&points, 0, measure, &[4.0, 0.0], 3, None).into_iter().map(|(id, _)| id).collect::<Vec<_>>();
        assert_eq!(ids(Measure::Euclid), [1, 2, 3]);
        assert_eq!(ids(Measure::Dot), [1, 3, 2]);
        assert_eq!(nearest(&points, 0, Measure::Dot, &[1.0, 0.0], 1, Some(&Which::Below(3))), [(1, 5.0)]);
    }
}
