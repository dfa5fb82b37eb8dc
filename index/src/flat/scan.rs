//! The nearest of a range of rows by their codes: read one after the other, and looked at again only where they are near enough.

use super::TopK;
use crate::codes::{CodeQuery, CodesView};
use crate::simd::{Kernels, ROW_NUMBERS};
use std::ops::Range;

/// Distances that are looked at together.
const GROUP: usize = 16;

/// The `ef` rows of `rows` that are nearest by code distance among those that `accept` takes, as
/// (code distance, row), nearest first; ties go to the smaller row.
///
/// `accept` is asked about rows that would be kept, in their order: so of many rows it is asked about few, unless it refuses most.
///
/// # Panics
///
/// When `rows` ends beyond the codes, or the query was coded for another number of dimensions.
#[must_use]
pub fn scan_codes(
    kernels: &Kernels,
    codes: &CodesView<'_>,
    query: CodeQuery<'_>,
    rows: Range<u32>,
    mut accept: impl FnMut(u32) -> bool,
    ef: usize,
) -> Vec<(i32, u32)> {
    let mut top: TopK<u32, i32> = TopK::new(ef);
    let mut distances = [0; ROW_NUMBERS.len()];
    // Distances up to this are kept. Rows come in their order, so that among equal ones the first stay.
    let mut highest = i32::MAX;
    if ef == 0 {
        return Vec::new();
    }
    for start in rows.clone().step_by(ROW_NUMBERS.len()) {
        let part = codes.part(start..rows.end.min(start.saturating_add(ROW_NUMBERS.len() as u32)));
        let distances = &mut distances[..part.count()];
        part.distances(kernels, query, &ROW_NUMBERS[..part.count()], distances);
        for (group, distances) in distances.chunks(GROUP).enumerate() {
            // Once few are kept, hardly a group has one: one look at all of it costs little.
            if distances.iter().filter(|distance| **distance <= highest).count() == 0 {
                continue;
            }
            for (at, distance) in distances.iter().enumerate() {
                let row = start + (group * GROUP + at) as u32;
                if *distance > highest || !accept(row) {
                    continue;
                }
                top.push(*distance, row);
                match top.worst().map(|worst| worst.checked_sub(1)) {
                    Some(Some(below)) => highest = below,
                    Some(None) => return top.into_sorted(),
                    None => {}
                }
            }
        }
    }
    top.into_sorted()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codes::{CodeParams, CodesBuf};
    use crate::metric::{Datatype, Metric};
    use crate::testing::Stream;

    fn coded(metric: Metric, count: usize, dims: usize) -> CodesBuf {
        let mut stream = Stream::new(count as u64);
        // Few values, so that many distances are equal.
        let rows: Vec<Vec<u8>> = (0..count).map(|_| (0..dims).map(|_| stream.next() as u8 % 4).collect()).collect();
        let mut codes = CodesBuf::new(CodeParams::train(metric, Datatype::U8, &[]), dims);
        rows.iter().for_each(|row| codes.push(row));
        codes
    }

    #[test]
    fn a_scan_gives_what_sorting_all_distances_gives() {
        for (count, dims) in [(1, 3), (255, 5), (256, 64), (1031, 70)] {
            for metric in Metric::ALL {
                let codes = coded(metric, count, dims);
                let (view, query) = (codes.view(), codes.view().params().encode_query(&vec![2.0; dims]));
                for kernels in Kernels::available() {
                    for range in [0..count as u32, 0..0, count as u32 / 3..count as u32 - count as u32 / 5] {
                        let ids: Vec<u32> = range.clone().filter(|row| row % 3 != 1).collect();
                        let mut distances = vec![0; ids.len()];
                        view.distances(kernels, query.as_query(), &ids, &mut distances);
                        let mut wanted: Vec<(i32, u32)> = distances.into_iter().zip(ids).collect();
                        wanted.sort_unstable();
                        for ef in [0, 1, 10, 5000] {
                            let found = scan_codes(kernels, &view, query.as_query(), range.clone(), |row| row % 3 != 1, ef);
                            assert_eq!(found, wanted[..ef.min(wanted.len())], "{metric:?} {count} x {dims} {range:?} ef {ef}");
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn rows_that_would_not_be_kept_are_not_asked_about() {
        let codes = coded(Metric::L2, 10_000, 64);
        let query = codes.view().params().encode_query(&[1.0; 64]);
        let mut asked = 0;
        let accept = |_| {
            asked += 1;
            true
        };
        let _ = scan_codes(Kernels::detect(), &codes.view(), query.as_query(), 0..10_000, accept, 10);
        assert!(asked < 300, "asked about {asked} of 10,000 rows");
    }
}
