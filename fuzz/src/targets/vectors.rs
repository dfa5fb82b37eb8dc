//! Vectors of any bits, coded with bounds: no vector that is among the nearest is ruled out.
//!
//! Input: three bytes that choose metric, datatype and dimensions, the query as floats, then stored rows.

use index::{BoundedCodes, Datatype, Kernels, Metric, TopK};

use super::Target;

/// See the top of this file.
pub const TARGET: Target = Target { name: "vectors", run, seeds, words: &[] };

const DIMS_MAX: usize = 100;
const ROWS_MAX: usize = 400;
const TOP: usize = 2;

fn run(input: &[u8]) -> bool {
    let [metric, datatype, dims, rest @ ..] = input else { return false };
    let metric = Metric::ALL[usize::from(*metric) % Metric::ALL.len()];
    let datatype = Datatype::ALL[usize::from(*datatype) % Datatype::ALL.len()];
    let dims = usize::from(*dims) % DIMS_MAX + 1;
    let Some((query, rows)) = rest.split_at_checked(dims * 4) else { return false };
    let query: Vec<f32> = query.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
    let rows: Vec<&[u8]> = rows.chunks_exact(dims * datatype.bytes_per_dim()).take(ROWS_MAX).collect();
    let Some(codes) = BoundedCodes::new(metric, datatype, dims, &rows) else { return false };
    assert!(codes.count() == rows.len(), "one code for each row");
    let Some(ready) = codes.query(&query) else { return false };
    for kernels in Kernels::available() {
        let mut exact = vec![0.0; rows.len()];
        kernels.distance_many(metric, datatype, &query, &rows, &mut exact);
        let (mut highs, mut found): (TopK<u32>, Vec<(u32, f32)>) = (TopK::new(TOP), Vec::new());
        ready.scan(kernels, f32::INFINITY, &mut |row, low, high| {
            let distance = exact[row as usize];
            assert!(low <= distance && distance <= high, "row {row}: {low} <= {distance} <= {high}");
            highs.push(high, row);
            found.push((row, low));
            highs.worst().map_or(f32::INFINITY, f32::from)
        });
        let bar = highs.worst().map_or(f32::INFINITY, f32::from);
        let mut nearest: TopK<u32> = TopK::new(TOP);
        (0..).zip(&exact).for_each(|(row, distance)| nearest.push(*distance, row));
        for (_, row) in nearest.into_sorted::<f32>() {
            assert!(found.iter().any(|(found, low)| *found == row && *low <= bar), "row {row} is among the nearest");
        }
    }
    !rows.is_empty()
}

fn seeds() -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    for (metric, datatype) in (0..3).flat_map(|metric| (0..3).map(move |datatype| (metric, datatype))) {
        let dims = [3_u8, 64, 33][usize::from(metric)];
        let stored = Datatype::ALL[usize::from(datatype)];
        let value = |at: usize| ((at * 37 + at * at * 11) % 251) as f32 / if stored == Datatype::U8 { 1.0 } else { 17.0 };
        let mut seed = vec![metric, datatype, dims - 1];
        let dims = usize::from(dims);
        Datatype::F32.encode(&(0..dims).map(|at| value(at + 5)).collect::<Vec<f32>>(), &mut seed);
        (0..20).for_each(|row| stored.encode(&(0..dims).map(|at| value(at * 20 + row)).collect::<Vec<f32>>(), &mut seed));
        seeds.push(seed);
    }
    seeds
}
