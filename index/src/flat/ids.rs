//! The scan of chosen rows by their codes: what a filter lets pass, when that is little.

use super::TopK;
use crate::codes::{CodeQuery, CodesView};
use crate::simd::Kernels;

/// Rows that one kernel call scores: few enough that those of the next call can be asked for before.
const BATCH: usize = 32;

/// Rows with their code distances to a query, and the nearest of them in order. Reused from scan to scan.
#[derive(Clone, Debug, Default)]
pub struct IdScan {
    distances: Vec<i32>,
    nearest: Vec<(i32, u32)>,
}

impl IdScan {
    /// Scores the rows `ids` and finds the `count` nearest: (code distance, row), nearest first, ties to the smaller row.
    ///
    /// Rows in ascending order are read fastest.
    ///
    /// # Panics
    ///
    /// When an id is not below the number of rows, or the query was coded for another number of dimensions.
    pub fn scan(&mut self, kernels: &Kernels, codes: &CodesView<'_>, query: CodeQuery<'_>, ids: &[u32], count: usize) -> &[(i32, u32)] {
        self.distances.resize(ids.len(), 0);
        let mut top: TopK<u32, i32> = TopK::new(count);
        // Most rows are farther than the worst that is held, which one comparison tells.
        let mut bar = i32::MAX;
        let mut batches = ids.chunks(BATCH).zip(self.distances.chunks_mut(BATCH)).peekable();
        while let Some((ids, out)) = batches.next() {
            if let Some((next, _)) = batches.peek() {
                codes.rows().prefetch_lines(next);
            }
            codes.distances(kernels, query, ids, out);
            for (distance, id) in out.iter().zip(ids) {
                if *distance <= bar {
                    top.push(*distance, *id);
                    bar = top.worst().unwrap_or(bar);
                }
            }
        }
        self.nearest = top.into_sorted();
        &self.nearest
    }

    /// Finds the `count` nearest of the rows that were scored last, which the caller gives again; in the same order, those of the scan first.
    ///
    /// # Panics
    ///
    /// When `ids` are not as many as were scored.
    pub fn widen(&mut self, ids: &[u32], count: usize) -> &[(i32, u32)] {
        assert_eq!(ids.len(), self.distances.len(), "the rows that were scored");
        self.nearest.clear();
        self.nearest.extend(self.distances.iter().copied().zip(ids.iter().copied()));
        if count < self.nearest.len() {
            self.nearest.select_nth_unstable(count);
            self.nearest.truncate(count);
        }
        self.nearest.sort_unstable();
        &self.nearest
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codes::{CodeParams, CodesBuf};
    use crate::metric::{Datatype, Metric};
    use crate::testing::Stream;

    #[test]
    fn the_nearest_of_chosen_rows_are_those_of_a_sort_on_every_instruction_set() {
        let mut stream = Stream::new(21);
        let rows: Vec<[u8; 40]> = (0..900).map(|_| std::array::from_fn(|_| stream.next() as u8 & 3)).collect();
        let params = CodeParams::train(Metric::L2, Datatype::U8, &[]);
        let mut codes = CodesBuf::new(params, 40);
        rows.iter().for_each(|row| codes.push(row));
        let view = codes.view();
        let query = view.params().encode_query(&[1.0; 40]);
        for (every, count) in [(1, 10), (3, 64), (7, 1000), (2, 0), (1000, 5)] {
            let ids: Vec<u32> = (0..900).step_by(every).collect();
            let mut wanted = Vec::new();
            for kernels in Kernels::available() {
                let mut distances = vec![0; ids.len()];
                view.distances(kernels, query.as_query(), &ids, &mut distances);
                let mut sorted: Vec<(i32, u32)> = distances.into_iter().zip(ids.iter().copied()).collect();
                sorted.sort_unstable();
                sorted.truncate(count);
                let mut scan = IdScan::default();
                assert_eq!(scan.scan(kernels, &view, query.as_query(), &ids, count), sorted, "{}", kernels.name());
                assert!(scan.widen(&ids, 2 * count).starts_with(&sorted), "{}", kernels.name());
                assert!(wanted.is_empty() || wanted == sorted, "{}", kernels.name());
                wanted = sorted;
            }
        }
    }
}
