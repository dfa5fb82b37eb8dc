//! A filter over the rows of one segment, answered from field indexes in three values: holds, may hold, does not hold.

use index::Bitmap;

use super::{Condition, Filter};
use crate::PointId;
use crate::payload::field_index::FieldIndex;
use crate::payload::path::FieldPath;

/// The rows that a filter may hold for; a row is in at most one of the two sets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidates {
    /// The filter holds for these.
    pub sure: Bitmap,
    /// The filter may hold for these: ask [`Filter::matches`] with their payloads.
    pub maybe: Bitmap,
}

/// Shows the rows of a segment that carry an id, older versions of a point included.
pub type RowsOf<'a> = dyn Fn(&PointId, &mut dyn FnMut(u32)) + 'a;

/// Gives the rows whose points have a vector of a name.
pub type WithVector<'a> = dyn Fn(&str) -> Bitmap + 'a;

/// What is known about the rows of one segment without reading payloads.
#[derive(Clone, Copy)]
pub struct Lookup<'a> {
    /// Number of rows, deleted ones included.
    pub rows: u32,
    /// Indexes of fields over these rows; one over another number of rows is not asked.
    pub indexes: &'a [FieldIndex],
    /// Rows whose payload was changed after the indexes were built.
    pub changed: Option<&'a Bitmap>,
    /// Where ids lie; without it, `has_id` may hold for every row.
    pub rows_of: Option<&'a RowsOf<'a>>,
    /// Which points have which vectors; without it, `has_vector` may hold for every row.
    pub with_vector: Option<&'a WithVector<'a>>,
}

/// Answers a filter from indexes of a segment whose payloads all are those that were indexed.
#[must_use]
pub fn plan(filter: &Filter, indexes: &[FieldIndex], rows: u32) -> Candidates {
    Lookup { rows, indexes, changed: None, rows_of: None, with_vector: None }.plan(filter)
}

/// A set known from both sides: `least` is part of it, and it is part of `most`.
struct Between {
    least: Bitmap,
    /// `None` where it is the same as `least`: most filters are answered by indexes alone, at half the work.
    most: Option<Bitmap>,
}

impl Between {
    fn exactly(rows: Bitmap) -> Between {
        Between { least: rows, most: None }
    }

    fn unknown(rows: u32) -> Between {
        Between { least: Bitmap::new(rows), most: Some(Bitmap::full(rows)) }
    }

    fn most(&self) -> &Bitmap {
        self.most.as_ref().unwrap_or(&self.least)
    }

    fn and(&mut self, other: &Between) {
        self.combine(other, Bitmap::and);
    }

    fn or(&mut self, other: &Between) {
        self.combine(other, Bitmap::or);
    }

    fn combine(&mut self, other: &Between, operation: fn(&mut Bitmap, &Bitmap)) {
        if self.most.is_some() || other.most.is_some() {
            let least = &self.least;
            operation(self.most.get_or_insert_with(|| least.clone()), other.most());
        }
        operation(&mut self.least, &other.least);
    }

    /// Takes out what is in `other`: what surely is there surely goes, what may be there may go.
    fn and_not(&mut self, other: &Between) {
        if self.most.is_some() || other.most.is_some() {
            let least = &self.least;
            self.most.get_or_insert_with(|| least.clone()).and_not(&other.least);
        }
        self.least.and_not(other.most());
    }
}

impl Lookup<'_> {
    /// Answers the filter as far as the indexes reach; deletes are the caller's to take out.
    ///
    /// # Panics
    /// When `changed` is over another number of rows.
    #[must_use]
    pub fn plan(&self, filter: &Filter) -> Candidates {
        let Between { least, most } = self.between(filter);
        let mut maybe = most.unwrap_or_else(|| Bitmap::new(self.rows));
        maybe.and_not(&least);
        Candidates { sure: least, maybe }
    }

    fn between(&self, filter: &Filter) -> Between {
        let mut must = filter.must.iter().map(|condition| self.condition(condition));
        let mut answer = must.next().unwrap_or_else(|| Between::exactly(Bitmap::full(self.rows)));
        must.for_each(|condition| answer.and(&condition));
        for condition in &filter.must_not {
            answer.and_not(&self.condition(condition));
        }
        if !filter.should.is_empty() {
            let mut any = Between::exactly(Bitmap::new(self.rows));
            for condition in &filter.should {
                any.or(&self.condition(condition));
            }
            answer.and(&any);
        }
        if let Some(counted) = &filter.min_should {
            answer.and(&self.at_least(counted.min_count, &counted.conditions));
        }
        answer
    }

    /// Counts, row by row, the conditions that hold and those that may.
    fn at_least(&self, min_count: usize, conditions: &[Condition]) -> Between {
        let Ok(min_count) = u16::try_from(min_count) else { return Between::exactly(Bitmap::new(self.rows)) };
        // The number of conditions is limited far below 65,536, so the counts cannot overflow.
        let mut counts = [vec![0_u16; self.rows as usize], vec![0_u16; self.rows as usize]];
        for condition in conditions {
            let found = self.condition(condition);
            for (count, set) in counts.iter_mut().zip([&found.least, found.most()]) {
                set.iter().for_each(|row| count[row as usize] += 1);
            }
        }
        let [least, most] = counts.map(|count| {
            let mut set = Bitmap::new(self.rows);
            (0..self.rows).zip(count).filter(|(_, count)| *count >= min_count).for_each(|(row, _)| set.set(row, true));
            set
        });
        Between { least, most: Some(most) }
    }

    fn condition(&self, condition: &Condition) -> Between {
        match condition {
            Condition::Filter(filter) => self.between(filter),
            Condition::HasId(_) if self.rows_of.is_some() => Between::exactly(self.rows_with_ids(condition)),
            Condition::HasVector(name) => {
                self.with_vector.map_or_else(|| Between::unknown(self.rows), |with_vector| Between::exactly(with_vector(name)))
            }
            Condition::HasId(_) | Condition::Slice(_) | Condition::Nested { .. } => Between::unknown(self.rows),
            Condition::Field { path, test } => {
                let Some(Candidates { sure, maybe }) = self.index_of(path).and_then(|index| index.candidates(test)) else {
                    return Between::unknown(self.rows);
                };
                let mut answer = Between { most: Some(maybe).filter(|maybe| !maybe.is_clear()), least: sure };
                if let Some(most) = &mut answer.most {
                    most.or(&answer.least);
                }
                if let Some(changed) = self.changed {
                    let least = &answer.least;
                    answer.most.get_or_insert_with(|| least.clone()).or(changed);
                    answer.least.and_not(changed);
                }
                answer
            }
        }
    }

    /// Gives the rows of the ids that a `has_id` lists, as far as ids can be looked up.
    pub(super) fn rows_with_ids(&self, condition: &Condition) -> Bitmap {
        let mut found = Bitmap::new(self.rows);
        if let (Condition::HasId(ids), Some(rows_of)) = (condition, self.rows_of) {
            for id in ids {
                rows_of(id, &mut |row| found.set(row, true));
            }
        }
        found
    }

    /// Gives the index of a path over exactly these rows.
    pub(super) fn index_of(&self, path: &FieldPath) -> Option<&FieldIndex> {
        self.indexes.iter().find(|index| index.path() == path && index.rows() == self.rows)
    }
}
