//! How many rows a filter may hold for, bounded from the lengths of posting lists without reading them.

use super::{Condition, Filter, Lookup, MinShould};

/// A count that is known to lie between two numbers, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// The count is never less.
    pub least: usize,
    /// The count is never more.
    pub most: usize,
}

impl Bounds {
    /// The count is exactly this.
    #[must_use]
    pub fn exactly(count: usize) -> Bounds {
        Bounds { least: count, most: count }
    }

    /// Nothing is known but that there are `rows` rows.
    #[must_use]
    pub fn unknown(rows: usize) -> Bounds {
        Bounds { least: 0, most: rows }
    }

    fn not(self, rows: usize) -> Bounds {
        Bounds { least: rows.saturating_sub(self.most), most: rows.saturating_sub(self.least) }
    }

    /// At least `count` of the parts hold, each for as many rows as its bounds say.
    ///
    /// A row outside the answer is counted by at most `count - 1` parts and one inside by at least `count`, which bounds the answer
    /// from the sum of the parts.
    fn at_least(count: usize, parts: &[Bounds], rows: usize) -> Bounds {
        if count == 0 {
            return Bounds::exactly(rows);
        }
        if count > parts.len() {
            return Bounds::exactly(0);
        }
        let least_sum: usize = parts.iter().map(|part| part.least).sum();
        let most_sum: usize = parts.iter().map(|part| part.most).sum();
        let least = least_sum.saturating_sub(rows * (count - 1)).div_ceil(parts.len() + 1 - count);
        let mut most = rows.min(most_sum / count);
        if count == parts.len() {
            most = parts.iter().map(|part| part.most).fold(most, usize::min);
        }
        let largest = if count == 1 { parts.iter().map(|part| part.least).max().unwrap_or(0) } else { 0 };
        Bounds { least: least.max(largest).min(most), most }
    }
}

impl Lookup<'_> {
    /// Bounds the number of rows that the filter holds for, deleted rows included, without touching a payload.
    #[must_use]
    pub fn estimate(&self, filter: &Filter) -> Bounds {
        let rows = self.rows as usize;
        let bounds =
            |conditions: &[Condition]| -> Vec<Bounds> { conditions.iter().map(|condition| self.estimate_condition(condition)).collect() };
        let mut parts = bounds(&filter.must);
        if !filter.should.is_empty() {
            parts.push(Bounds::at_least(1, &bounds(&filter.should), rows));
        }
        parts.extend(bounds(&filter.must_not).into_iter().map(|part| part.not(rows)));
        if let Some(MinShould { conditions, min_count }) = &filter.min_should {
            parts.push(Bounds::at_least(*min_count, &bounds(conditions), rows));
        }
        Bounds::at_least(parts.len(), &parts, rows)
    }

    fn estimate_condition(&self, condition: &Condition) -> Bounds {
        let rows = self.rows as usize;
        match condition {
            Condition::Filter(filter) => self.estimate(filter),
            Condition::HasId(_) if self.rows_of.is_some() => Bounds::exactly(self.rows_with_ids(condition).count() as usize),
            Condition::HasId(_) | Condition::HasVector(_) | Condition::Slice(_) | Condition::Nested { .. } => Bounds::unknown(rows),
            Condition::Field { path, test } => {
                let Some(known) = self.index_of(path).and_then(|index| index.estimate_test(test)) else { return Bounds::unknown(rows) };
                let changed = self.changed.map_or(0, |changed| changed.count() as usize);
                Bounds { least: known.least.saturating_sub(changed), most: rows.min(known.most + changed) }
            }
        }
    }
}
